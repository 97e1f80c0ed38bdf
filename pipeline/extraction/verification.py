"""Compute some of the study's features a second time, with plain PyRadiomics, and compare.

The cases are drawn at random from the study's seed, whatever the order of the scans. The second
computation starts where the study does, at the CT and mask of the store, and calls the library
itself: it shares neither crops nor code with what it verifies. The library normalises the whole CT;
what lies far behind the region is then cut off (`without_far_ends`). A case that differs is
quarantined, and the study stops before it is modelled.
"""

from __future__ import annotations

import copy
import logging
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import SimpleITK as sitk

from pipeline.comparison.agreement.equality import EQUALITY_LIMIT, relative_differences
from pipeline.core.errors import StudyError
from pipeline.core.files import raise_if_machine, read_json, read_table, write_json, write_table
from pipeline.core.findings import Finding, case_named, from_json, status_of, to_json
from pipeline.core.keeping.store import Store
from pipeline.core.seeds import derive_seed
from pipeline.core.table_schema import types_of
from pipeline.extraction import Parameters
from pipeline.extraction.library import radiomics
from pipeline.extraction.params import library_versions, schema_warnings_ignored
from pipeline.imaging.geometry import occupied_box
from pipeline.imaging.stored_volumes import read_nrrd
from pipeline.running.fingerprint import code_fingerprint
from pipeline.tables.schemas.features.extraction import StoredFeatures, Verification

logger = logging.getLogger(__name__)

#: Voxel value of the region in the masks of the store.
REGION = 1

#: Voxels kept behind what is resampled. A spline coefficient depends on the whole volume, but 0.268
#: times less with every voxel in between: 1e-36 of a grey value, far below its last bit.
BEHIND = 64

COLUMNS = types_of(Verification)


class Sources(NamedTuple):
    """Where the study's CTs and masks are named.

    Attributes
    ----------
    ingest, masks : pandas.DataFrame
        Tables of the stages (docs/files.md), of the rows to verify or more.
    """

    ingest: pd.DataFrame
    masks: pd.DataFrame


def lots(rows: pd.DataFrame, seed: int) -> pd.Series:
    """Return a number from 0 to 1 for each case and reader, which is drawn below the fraction.

    Parameters
    ----------
    rows : pandas.DataFrame
        ``case_id, reader``; neither their order nor other rows change a row's number.
    seed : int
        The study's seed.
    """
    numbers = [
        derive_seed(seed, "verify", case, reader) / 2**31
        for case, reader in zip(rows["case_id"], rows["reader"], strict=True)
    ]
    return pd.Series(numbers, index=rows.index, dtype=float)


def verify(
    extraction: pd.DataFrame,
    features: pd.DataFrame,
    sources: Sources,
    store: Store,
    params: Parameters,
) -> pd.DataFrame:
    """Compare the features of drawn rows with those of plain PyRadiomics.

    Parameters
    ----------
    extraction : pandas.DataFrame
        Drawn rows of `extraction.parquet`, all of which have features.
    features : pandas.DataFrame
        `features.parquet` with those rows or more.
    sources : Sources
        Tables that name the CT and mask of each row.
    store : Store
        Holds CTs and masks; keeps the plain values as kind ``plain``.
    params : Parameters
        Parameters of the extraction.

    Returns
    -------
    pandas.DataFrame
        `verification.parquet` (docs/files.md), one row per row of `extraction`.
    """
    scans = sources.ingest.set_index("scan_id")
    masks = sources.masks.set_index(["case_id", "reader"])
    values = features.set_index(["case_id", "reader"])
    rows = []
    for row in extraction.to_dict("records"):
        key = (row["case_id"], row["reader"])
        with case_named(" ".join(key)):
            plain, seconds, problem = _plain_features(
                scans.loc[row["scan_id"]], masks.loc[key], store, params
            )
        found = values.loc[key].astype(float)
        feature, difference = problem, np.inf
        if problem is None and set(plain.index) == set(found.index):
            differences = relative_differences(found, plain[found.index])
            feature, difference = differences.idxmax(), differences.max()
        elif problem is None:
            feature = f"{len(set(plain.index) ^ set(found.index))} features in one of both only"
        rows.append(
            {
                "case_id": row["case_id"],
                "reader": row["reader"],
                "engine": row["engine"],
                "features": len(found),
                "max_relative_difference": difference,
                "feature": feature,
                "seconds_engine": row["seconds"],
                "seconds_plain": seconds,
                "status": "equal" if difference <= EQUALITY_LIMIT else "different",
            }
        )
        logger.info("verified %s %s: %.1e", *key, difference)
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def quarantine(
    extraction: pd.DataFrame, features: pd.DataFrame, verification: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Take the rows that differ out of the features, with a finding that says why.

    Returns
    -------
    extraction, features : pandas.DataFrame
        Copies: in the first, rows that differ have status ``error``; the second lacks them.
    """
    different = verification[verification["status"] == "different"]
    extraction, keep = extraction.copy(), pd.Series(True, index=features.index)
    for row in different.to_dict("records"):
        here = (extraction["case_id"] == row["case_id"]) & (extraction["reader"] == row["reader"])
        (index,) = extraction.index[here]
        finding = Finding(
            "differs-from-pyradiomics",
            "error",
            f"Computed again by plain PyRadiomics: {_described(row)}",
            "no fault of the image or mask: set extraction.engine: pyradiomics, and report it",
        )
        findings = [*from_json(extraction.loc[index, "findings"]), finding]
        extraction.loc[index, "findings"] = to_json(findings)
        extraction.loc[index, "status"] = status_of(findings)
        keep &= (features["case_id"] != row["case_id"]) | (features["reader"] != row["reader"])
    return extraction, features[keep].reset_index(drop=True)


def check_verified(verification: pd.DataFrame) -> dict:
    """Return what the study's verification found, or refuse to go on.

    Parameters
    ----------
    verification : pandas.DataFrame
        The gathered `verification.parquet`.

    Returns
    -------
    dict
        ``verified, largest``: number of rows, and their largest relative difference (None without).

    Raises
    ------
    StudyError
        If a row differs from plain PyRadiomics by more than `EQUALITY_LIMIT`.
    """
    different = verification[verification["status"] == "different"]
    if len(different):
        worst = different.loc[different["max_relative_difference"].idxmax()]
        more = f" and {len(different) - 1} more" if len(different) > 1 else ""
        raise StudyError(
            f"Features computed again by plain PyRadiomics must agree within {EQUALITY_LIMIT:g}",
            found=f"{worst['case_id']} {worst['reader']}{more}: {_described(worst)}",
            where="tables/verification.csv",
            remedy="nothing is modelled with such features; set extraction.engine: pyradiomics, "
            "which computes them anew, and report the parameter file and the feature",
            code="features-differ-from-pyradiomics",
        )
    largest = verification["max_relative_difference"].max()
    return {"verified": len(verification), "largest": None if pd.isna(largest) else largest}


def _described(row: Mapping) -> str:
    if np.isfinite(row["max_relative_difference"]):
        return f"{row['feature']} differs by {row['max_relative_difference']:.1e} of its value"
    return f"{row['feature']}: nothing to compare"


def without_far_ends(
    image: sitk.Image, region: sitk.Image, settings: Mapping
) -> tuple[sitk.Image, sitk.Image]:
    """Return a CT and a mask on its grid without the ends on which no resampled voxel depends.

    Both keep their first voxel, from which PyRadiomics lays out its grid, so that each of its
    steps computes the same numbers.

    Parameters
    ----------
    image : SimpleITK.Image
        CT, normalised where the settings say so.
    region : SimpleITK.Image
        0/1 on its grid.
    settings : mapping
        Of PyRadiomics' extractor. Without resampling by cubic splines nothing is cut: other
        filters may look at the whole volume.
    """
    box = occupied_box(sitk.GetArrayViewFromImage(region))
    spacing = settings["resampledPixelSpacing"]
    splines = ("sitkBSpline", sitk.sitkBSpline)
    if not box or spacing is None or settings["interpolator"] not in splines:
        return image, region
    ends = []
    for side, new, own in zip(box[::-1], spacing, region.GetSpacing(), strict=True):
        # One more than `padDistance`: the region's end is rounded up on the new grid.
        reach = math.ceil((settings["padDistance"] + 1) * max(new, own) / own)
        ends.append(slice(side.stop + reach + BEHIND))
    return image[ends], region[ends]


def _plain_features(
    scan: pd.Series, mask: pd.Series, store: Store, params: Parameters
) -> tuple[pd.Series, float, str | None]:
    """Return plain PyRadiomics' features, the seconds they took, and its error if it had one."""

    def make(folder: Path) -> None:
        image, region = read_nrrd(store.path(scan["image"])), read_nrrd(store.path(mask["mask"]))
        with schema_warnings_ignored():
            extractor = radiomics().featureextractor.RadiomicsFeatureExtractor(
                copy.deepcopy(params.content), additionalInfo=False
            )
        values, problem, start = {}, None, time.perf_counter()
        settings = extractor.settings
        try:
            if settings["normalize"]:
                image = radiomics().imageoperations.normalizeImage(image, **settings)
                settings["normalize"] = False
            image, region = without_far_ends(image, region, settings)
            values = extractor.execute(image, region, label=REGION)
        except (ValueError, RuntimeError, IndexError, ArithmeticError) as error:
            # What PyRadiomics, ITK and numpy raise for a region that they cannot compute.
            raise_if_machine(error)
            problem = f"PyRadiomics refuses the region ({type(error).__name__})"
        seconds = time.perf_counter() - start
        numbers = {name: np.asarray(value).item() for name, value in values.items()}
        table = pd.Series(numbers, dtype=float).rename_axis("feature").rename("value")
        write_table(table.reset_index(), folder / "features.parquet", StoredFeatures)
        write_json({"seconds": round(seconds, 3), "problem": problem}, folder / "plain.json")

    entry = store.get_or_make(
        "plain",
        {
            "image": scan["image_hash"],
            "mask": mask["mask_hash"],
            "params": params.content,
            "code": code_fingerprint("pipeline.extraction.verification"),
            "versions": library_versions(),
        },
        make,
    )
    described = read_json(entry / "plain.json")
    plain = read_table(entry / "features.parquet", StoredFeatures).set_index("feature")["value"]
    return plain, described["seconds"], described["problem"]
