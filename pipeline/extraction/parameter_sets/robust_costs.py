"""What a parameter file costs in features that stay robust, as studies of the same cases measured.

Two families count: agreement of two readers (CCC), and survival of a small change of image and mask
(ICC(1,1) between perturbed extractions).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import yaml

from pipeline.comparison.agreement.concordance import stable_from
from pipeline.core.files import read_table
from pipeline.extraction.parameter_sets.advice import file_name
from pipeline.tables.schemas.features.perturbations import Robustness
from pipeline.tables.schemas.features.reproducibility import Reproducibility

logger = logging.getLogger("vertebromics")

#: ICC from which a feature counts as robust where the study's filter is off (Zwanenburg 2019).
ROBUST_ICC = 0.90


class Limits(NamedTuple):
    """From where on a feature is robust.

    Attributes
    ----------
    ccc : float
        CCC between readers.
    icc : float
        ICC(1,1) between perturbed extractions.
    bound : {'lower', 'estimate'}
        What of the ICC must reach it.
    """

    ccc: float
    icc: float
    bound: str

    @classmethod
    def of(cls, selection: Mapping[str, Any]) -> Limits:
        """Return the limits of a study's section `selection`; published ones where it sets none."""
        perturbed = selection["perturbations"]
        icc = perturbed["threshold"]
        ccc = stable_from(selection["ccc"]["threshold"])
        return cls(ccc, ROBUST_ICC if icc is None else icc, perturbed["bound"])

    def text(self) -> str:
        """Return the limits in words."""
        lower = "lower limit of " if self.bound == "lower" else ""
        return (
            f"CCC between readers of at least {self.ccc:g}, {lower}ICC(1,1) between perturbed "
            f"extractions of at least {self.icc:g}"
        )


class Counted(NamedTuple):
    """How many features were judged, and how many of them are robust."""

    judged: int
    robust: int

    def text(self) -> str:
        """Return both numbers in words."""
        return f"{self.robust:,} of {self.judged:,}"


class Robust(NamedTuple):
    """Features that stay robust; None where a study did not measure it.

    Attributes
    ----------
    agreed : Counted or None
        Two readers agree on them.
    survived : Counted or None
        They survive perturbations.
    both : Counted or None
        Both, of the features that both tests judged.
    """

    agreed: Counted | None = None
    survived: Counted | None = None
    both: Counted | None = None

    @property
    def families(self) -> int:
        """How many of the two tests were made."""
        return (self.agreed is not None) + (self.survived is not None)

    def text(self) -> str:
        """Return what is known as a line."""
        told = []
        if self.agreed is not None:
            told.append(f"readers agree on {self.agreed.text()} features")
        if self.survived is not None:
            told.append(f"{self.survived.text()} survive perturbations")
        if self.both is not None:
            told.append(f"{self.both.text()} both")
        return ", ".join(told) or "not measured yet"

    def columns(self) -> dict[str, int | None]:
        """Return the numbers under the names of ``settings-advice.csv``."""
        found: dict[str, int | None] = {}
        for name, counted in self._asdict().items():
            found[name] = None if counted is None else counted.robust
            found[f"{name}_of"] = None if counted is None else counted.judged
        return found


def judged_features(
    folder: Path, limits: Limits, perturbed: Mapping[str, Any] | None
) -> pd.DataFrame:
    """Return the features of one study with what both tests measured.

    Parameters
    ----------
    folder : path
        ``results/<study>``.
    limits : Limits
        Of the study that is asked about.
    perturbed : mapping or None
        How perturbations must have been made and judged to count (`Frozen`): two studies
        that were perturbed unequally hard cannot be compared. None leaves them out.

    Returns
    -------
    pandas.DataFrame
        ``feature, image_type, ccc, icc``, a row a feature; NaN where it was not measured or is not
        defined.
    """
    found = pd.DataFrame({"feature": [], "image_type": []}, dtype=object)
    found = found.assign(ccc=np.nan, icc=np.nan)
    path = folder / "tables" / "reproducibility.parquet"
    if path.exists():
        table = read_table(path, Reproducibility)
        found = table[["feature", "image_type", "ccc"]].assign(icc=np.nan)
    path = folder / "tables" / "robustness.parquet"
    if path.exists() and _perturbed_so(folder, perturbed):
        table = read_table(path, Robustness)
        column = "icc_low" if limits.bound == "lower" else "icc"
        icc = table[["feature", "image_type"]].assign(icc=table[column])
        found = found.drop(columns="icc").merge(
            icc, on=["feature", "image_type"], how="outer", validate="one_to_one"
        )
    return found


def _perturbed_so(folder: Path, wanted: Mapping[str, Any] | None) -> bool:
    """Return whether a study was perturbed as wanted; say so where it was not."""
    own = _frozen(folder).perturbed
    differ = sorted(name for name, value in (wanted or {}).items() if own.get(name) != value)
    if differ:
        logger.warning(
            "study %s was perturbed otherwise (%s): what survives there is not compared",
            folder.name,
            ", ".join(differ),
        )
    return wanted is not None and not differ


class Frozen(NamedTuple):
    """What another study was frozen with, perhaps by an earlier version without perturbations.

    Attributes
    ----------
    cases, params : str or None
        Paths of its table of cases and of its parameter file.
    perturbed : dict
        What must be equal in two studies for their robustness to be compared.
    """

    cases: str | None
    params: str | None
    perturbed: dict[str, Any]


def _frozen(folder: Path) -> Frozen:
    text = (folder / "study" / "study.yaml").read_text(encoding="utf-8")
    # Another study's file may be torn or of another version: it then names no table of cases.
    stored = yaml.safe_load(text)
    stored = stored if isinstance(stored, dict) else {}
    judged = (stored.get("selection") or {}).get("perturbations") or {}
    options = stored.get("perturbations", {})
    reader = options.get("reader") or stored.get("model_reader")
    perturbed = {**options, "reader": reader, "confidence": judged.get("confidence")}
    return Frozen(stored.get("cases"), (stored.get("extraction") or {}).get("params"), perturbed)


def counted(features: pd.DataFrame, limits: Limits) -> Robust:
    """Count the robust features of `judged_features`."""
    agreed, survived = features["ccc"] >= limits.ccc, features["icc"] >= limits.icc
    has_ccc, has_icc = features["ccc"].notna(), features["icc"].notna()
    has_both = has_ccc & has_icc
    return Robust(
        Counted(int(has_ccc.sum()), int(agreed.sum())) if has_ccc.any() else None,
        Counted(int(has_icc.sum()), int(survived.sum())) if has_icc.any() else None,
        Counted(int(has_both.sum()), int((agreed & survived).sum())) if has_both.any() else None,
    )


class Measured(NamedTuple):
    """What studies of the same cases measured.

    Attributes
    ----------
    by_file : dict of str to Robust
        By name of a parameter file.
    features : pandas.DataFrame
        Of the study itself, from `judged_features`.
    """

    by_file: dict[str, Robust]
    features: pd.DataFrame


def measured_by_studies(own: Path, cases: str | None, limits: Limits) -> Measured:
    """Return the robust features of each parameter file, from studies of the same cases.

    Parameters
    ----------
    own : path
        ``results/<study>`` of the study that is asked about. Others in its results folder count
        where they name the same table of cases, and perturbations where they were made as in the
        first study that has any, itself before the others. Of several studies with one file that
        counts which measured most.
    cases : str or None
        Path of its table of cases.
    limits : Limits
        Its own.
    """
    others = sorted(path.parent.parent for path in own.parent.glob("*/study/study.yaml"))
    folders = [own, *(each for each in others if each.name != own.name)]
    known = {folder: _frozen(folder) for folder in folders}
    same = [each for each in folders if known[each].cases == cases]
    tables = ((each, each / "tables" / "robustness.parquet") for each in same)
    first = next((folder for folder, table in tables if table.exists()), None)
    perturbed = None if first is None else known[first].perturbed
    found: dict[str, Robust] = {}
    for folder in same:
        name = file_name(known[folder].params)
        told = counted(judged_features(folder, limits, perturbed), limits)
        if name not in found or told.families > found[name].families:
            found[name] = told
    return Measured(found, judged_features(own, limits, perturbed))


def by_image_type(features: pd.DataFrame, limits: Limits) -> list[str]:
    """Return how many features of each image type stay robust, in a sentence each."""
    return [
        f"{image}: {counted(rows, limits).text()}"
        for image, rows in features.dropna(subset=["ccc", "icc"], how="all").groupby(
            "image_type", sort=True
        )
    ]
