"""ComBat as it was learned: features of a known site, brought to the common location and scale.

It does what the ``transform`` of `models.transformers.harmonisation.Harmoniser` does, to 1e-12. A
row of a site that was not learned from has no risk: its location and scale are not known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.frozen import steps
from models.frozen.container import refused
from models.frozen.steps import Input
from pipeline.core.errors import StudyError
from pipeline.core.problems import listing

POSITIVE = ("unit", "spread", "stretch")
"""Arrays whose numbers must be above 0."""


@dataclass(frozen=True)
class Harmonisation:
    """What ComBat learned of the encoded columns of a block.

    Attributes
    ----------
    site : Input
        Column of the site; its levels are all sites that are served.
    sites : tuple of str
        Sites whose location and scale were learned, in the order of the arrays.
    reference : str or None
        That of them whose values stay as they are.
    covariates : tuple of Input
        Columns whose effects on the features are kept.
    arrays : dict
        By name, as the schema describes them.
    """

    site: Input
    sites: tuple[str, ...]
    reference: str | None
    covariates: tuple[Input, ...]
    arrays: dict[str, np.ndarray]

    @property
    def inputs(self) -> tuple[Input, ...]:
        """Columns of a table that it needs beside those of its block."""
        return (*self.covariates, self.site)

    def apply(self, values: np.ndarray, table: pd.DataFrame) -> np.ndarray:
        """Return the block's columns without the effects of the sites.

        Parameters
        ----------
        values : ndarray of shape (n_rows, n_columns)
            Without missing values.
        table : pandas.DataFrame
            Sites and covariates of the same rows.

        Returns
        -------
        ndarray of shape (n_rows, n_columns)
            Rows without a site stay as they are: `unknown` names them.

        Raises
        ------
        StudyError
            If a row is of a site that was not learned from.
        """
        if not self.sites:
            check_sites(table, self.site)
            return values
        learned = self.arrays
        sites = check_sites(table, self.site)
        kept = steps.fill(steps.encode(table, self.covariates), {"fill": learned["fill"]})
        standard = (values - learned["middle"]) / learned["unit"]
        apart = (standard - learned["center"] - kept @ learned["weight"]) / learned["spread"]
        back = standard - apart * learned["spread"]  # grand mean and covariates
        moved, adjusted = standard.copy(), learned["adjusted"]
        for place, name in enumerate(self.sites):
            if name != self.reference:
                at = np.ix_(sites == name, adjusted)
                own = (apart[at] - learned["shift"][place, adjusted]) / (
                    learned["stretch"][place, adjusted]
                )
                moved[at] = own * learned["spread"][adjusted] + back[at]
        return moved * learned["unit"] + learned["middle"]

    def unknown(self, table: pd.DataFrame) -> np.ndarray:
        """Return which rows have no site, shape (n_rows,)."""
        return table[self.site.column].isna().to_numpy(bool)


def check_sites(table: pd.DataFrame, site: Input) -> np.ndarray:
    """Return the site of each row, '' where it is not known, shape (n_rows,).

    Raises
    ------
    StudyError
        If there is no such column, or a row is of another site than `site` has levels.
    """
    if site.column not in table.columns:
        raise StudyError(
            "A model of harmonised features needs the site of every patient",
            found=f"no column {site.column}",
            where=f"columns {listing(table.columns, 8)}",
            remedy=f"add the column {site.column} (of one patient: --site), which says of each "
            f"row one of {' | '.join(site.levels)}",
            code="frozen-site-missing",
        )
    values = table[site.column]
    sites = values.where(values.notna(), "").astype(str).to_numpy(object)
    strange = sorted({str(name) for name in sites}.difference(site.levels, {""}))
    if strange:
        raise StudyError(
            "A model of harmonised features serves only the sites that it learned from",
            found=listing(strange),
            where=f"column {site.column}",
            remedy=f"its sites are {' | '.join(site.levels)}: write the site as one of them if it "
            "is. For another hospital freeze a model of a study with `harmonisation: {method: "
            "none}`, then judge and update that one there (docs/external_validation.md)",
            code="frozen-site-unseen",
        )
    return sites


def check_predicted_by(sites: set[str], steps: Iterable[Harmonisation], where: str) -> None:
    """Refuse a model whose predictors of the block ``site`` are not the column of its `steps`."""
    needed = {step.site.column for step in steps}
    if sites != needed or len(needed) > 1:
        raise refused(
            "A frozen model has one site among its predictors if it harmonises, and none else",
            f"{len(sites)}, where its procedures start from {len(needed)}",
            where,
            code="frozen-site-predictor",
        )


def read_harmonisation(
    facts: Mapping, get: Callable[..., np.ndarray], n: int, where: str
) -> Harmonisation:
    """Return the step that checked JSON describes, with its arrays.

    Parameters
    ----------
    facts : mapping
        ``harmonise`` of a block, which keeps to the schema.
    get : callable
        Takes a name, a type and a shape, and gives the array, or refuses it.
    n : int
        Encoded columns of the block.
    where : str
        Name of the file, for errors.

    Raises
    ------
    StudyError
        If arrays are missing, of another type or shape, or contradict the description.
    """
    sites, passed, reference = facts["sites"], facts["passed"], facts["reference"]
    served = sorted([*sites, *passed])
    covariates = tuple(
        Input(one["column"], tuple(one.get("levels", ())), one.get("fill"))
        for one in facts["covariates"]
    )
    columns = [facts["column"], *(one.column for one in covariates)]
    whole = (
        len(set(served)) == len(served) > 0
        and len(sites) != 1
        and (reference is None or reference in sites)
        and len(set(columns)) == len(columns)
        and all(one.levels == () or one.fill in one.levels for one in covariates)
        and all(len(set(one.levels)) == len(one.levels) for one in covariates)
        and all(one.levels or one.fill is None for one in covariates)
    )
    if not whole:
        raise refused(
            "A frozen harmonisation names each site and covariate once, learned from two sites or "
            "none, and its reference is one of them",
            f"{len(sites)} sites, {len(passed)} passed, {len(covariates)} covariates",
            where,
            code="frozen-sites-contradict",
        )
    m = sum(len(one.encoded) for one in covariates)
    arrays = {name: get(name, "<f8", n) for name in ("middle", "unit", "center", "spread")}
    arrays["adjusted"] = get("adjusted", "|b1", n)
    arrays["fill"] = get("fill", "<f8", m)
    arrays["weight"] = get("weight", "<f8", m, n)
    arrays |= {name: get(name, "<f8", len(sites), n) for name in ("shift", "stretch")}
    if any((arrays[name] <= 0).any() for name in POSITIVE):
        raise refused(
            "A scale of a frozen model must be above 0",
            "one that is not",
            where,
            code="frozen-scale-not-positive",
        )
    site = Input(facts["column"], tuple(served))
    return Harmonisation(site, tuple(sites), reference, covariates, arrays)
