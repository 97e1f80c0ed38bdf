"""Describe how well each feature, and family of features, agrees between readers.

With more than two readers the pair that agrees least decides, as in the models' filter, and is
named; coefficients of all readers together stand beside it.

This describes all cases of a study and decides nothing: the models' own filter computes the CCC
from the training rows of each fold.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.comparison.agreement.concordance import (
    icc_2_1_interval,
    lowest_pair,
    overall_ccc,
    stable_from,
)
from pipeline.comparison.agreement.feature_families import describe_families, deviations, dice_of
from pipeline.core import command
from pipeline.core.errors import StudyError
from pipeline.core.files import read_table, write_table
from pipeline.core.problems import listing
from pipeline.core.table_schema import types_of
from pipeline.study.study import open_study
from pipeline.tables.features.feature_names import parse_feature_name
from pipeline.tables.identifying.checks import shown, shown_id
from pipeline.tables.readers import is_original
from pipeline.tables.schemas.features.features import Features
from pipeline.tables.schemas.features.reproducibility import (
    Reproducibility,
    ReproducibilityFamilies,
)
from pipeline.tables.schemas.images.agreement import Agreement

logger = logging.getLogger("vertebromics")

COLUMNS = types_of(Reproducibility)

#: Why a feature has no CCC, up to what readers and numbers are put in.
NO_VALUE_OF = "no value of reader"
TOO_FEW = "fewer than two cases with a value of"
CONSTANT = "one and the same value in all cases, by"


def describe_agreement(
    features: pd.DataFrame,
    readers: list[str],
    confidence: float = 0.95,
    levels: pd.Series | None = None,
) -> pd.DataFrame:
    """Return the agreement of readers on each feature, over the cases that all of them have read.

    Parameters
    ----------
    features : pandas.DataFrame
        `features.parquet` (docs/files.md): ``case_id`` (or ``patient_id`` in tables that a
        study brings along), ``reader`` and features on their raw scale; standardising each
        reader's values first would hide shifts between them.
    readers : list of str
        Two or more readers; with one there is nothing to compare and the table is empty.
    confidence : float, default=0.95
        Level of the intervals.
    levels : pandas.Series, optional
        Vertebral level by case.

    Returns
    -------
    pandas.DataFrame
        `reproducibility.parquet`: one row per feature in the order of `features`. ``ccc, ccc_low,
        ccc_high`` are those of the pair that agrees least, ``reader_a`` and ``reader_b`` of
        ``readers``, and ``n`` counts the cases with both their values; ``ccc_overall`` and ``icc,
        icc_low, icc_high`` are of all readers together
        (`pipeline.comparison.agreement.concordance`). All are NaN where undefined, and ``reason``
        says why there is no CCC, null where there is one. ``ccc_within`` is the lowest pair's CCC
        within levels, NaN unless every case has a level and there are several.

    Raises
    ------
    StudyError
        If a case has two rows of one reader.
    """
    tables = paired_readings(features, readers)
    if len(readers) < 2:
        return pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)
    names = list(tables[0].columns)
    readings = [table.to_numpy(dtype=float) for table in tables]
    lowest = lowest_pair(readings, confidence)
    ratings = np.stack(readings, axis=1)
    icc, icc_low, icc_high = icc_2_1_interval(ratings, confidence)
    within = np.full(len(names), np.nan)
    if levels is not None:
        of_case = levels.reindex(tables[0].index)
        if of_case.notna().all() and of_case.nunique() > 1:
            within = lowest_pair(readings, confidence, of_case.to_numpy(dtype=str)).ccc
    parts = [parse_feature_name(name) for name in names]
    first, second = (np.array(readers, dtype=object)[at] for at in (lowest.first, lowest.second))
    return pd.DataFrame(
        {
            "feature": names,
            "image_type": [part.image_type for part in parts],
            "feature_class": [part.feature_class for part in parts],
            "readers": len(readers),
            "n": lowest.n,
            "ccc": lowest.ccc,
            "ccc_low": lowest.low,
            "ccc_high": lowest.high,
            "reader_a": first,
            "reader_b": second,
            "ccc_overall": overall_ccc(ratings),
            "ccc_within": within,
            "icc": icc,
            "icc_low": icc_low,
            "icc_high": icc_high,
            "reason": [
                None if np.isfinite(ccc) else _reason(ratings[:, :, at], readers, (a, b))
                for at, (ccc, a, b) in enumerate(zip(lowest.ccc, first, second, strict=True))
            ],
        }
    ).astype(COLUMNS)


def _reason(ratings: np.ndarray, readers: list[str], pair: tuple[str, str]) -> str:
    """Say why two readers have no CCC of a feature, of which `ratings` are cases x readers."""
    measured = np.isfinite(ratings)
    silent = [
        reader
        for reader, any_case in zip(readers, measured.any(axis=0), strict=True)
        if not any_case
    ]
    if silent and len(ratings):
        return f"{NO_VALUE_OF} {', '.join(silent)}"
    of_pair = measured[:, [readers.index(reader) for reader in pair]].all(axis=1)
    both = " and ".join(pair)
    return f"{TOO_FEW} both {both}" if of_pair.sum() < 2 else f"{CONSTANT} {both}"


def paired_readings(features: pd.DataFrame, readers: list[str]) -> list[pd.DataFrame]:
    """Return each reader's features on the cases that all of them have read.

    Parameters
    ----------
    features : pandas.DataFrame
        As in `describe_agreement`.
    readers : list of str
        Readers wanted, by their original masks.

    Returns
    -------
    list of pandas.DataFrame
        One per reader: cases x features, sorted by case, the same rows and columns for each.

    Raises
    ------
    StudyError
        If a case has two rows of one reader.
    """
    key = "case_id" if "case_id" in features else "patient_id"
    doubled = features.loc[features.duplicated([key, "reader"]), [key, "reader"]]
    if len(doubled):
        raise StudyError(
            "Features must have one row per case and reader",
            found=listing(
                (f"{shown_id(case)} {shown(who)}" for case, who in doubled.to_numpy()), 5
            ),
            where="features.parquet",
            remedy="run the stages extract and gather again",
            code="features-row-repeated",
        )
    names = [column for column in features.columns if column not in (key, "reader")]
    of_reader = [features[features["reader"] == reader].set_index(key)[names] for reader in readers]
    if not of_reader:  # no mask of the study could be used
        return []
    common = set.intersection(*(set(table.index) for table in of_reader))
    return [table.loc[sorted(common)] for table in of_reader]


def levels_of(cases: pd.DataFrame) -> pd.Series | None:
    """Return the vertebral level of each case, None where the study's tables do not tell."""
    if "level" not in cases or "case_id" not in cases:
        return None
    return cases.drop_duplicates("case_id").set_index("case_id")["level"]


def main(options: argparse.Namespace) -> None:
    """Write the table of agreement per feature, and that of the families of features."""
    study = open_study(options.study)
    config = study.config
    features = read_table(options.features, Features)
    # Whatever was corrected later, readers agreed as well as their first masks did.
    features = features[features["reader"].map(is_original).astype(bool)]
    readers = sorted(features["reader"].unique())
    if len(readers) < 2:
        logger.info("one reader, no agreement to describe: the tables are empty")
    confidence = config["evaluation"]["confidence"]
    cases = study.ready_tables().cases if study.cases is None else study.cases
    table = describe_agreement(features, readers, confidence, levels_of(cases))
    deviation, dice = pd.DataFrame(), pd.Series(dtype=float)
    if len(table):
        deviation = deviations(*paired_readings(features, readers))
    if len(table) and options.agreement:
        dice = dice_of(read_table(options.agreement, Agreement), readers)
    threshold = stable_from(config["selection"]["ccc"]["threshold"])
    families = describe_families(table, deviation, dice, threshold, confidence)
    write_table(table, options.out, Reproducibility, csv=True)
    write_table(families, options.families, ReproducibilityFamilies, csv=True)


if __name__ == "__main__":
    arguments = command.parser("pipeline.reproducibility", __doc__)
    arguments.add_argument(
        "--study", required=True, type=Path, help="folder written by python -m pipeline.validate"
    )
    arguments.add_argument(
        "--features", required=True, type=Path, help="gathered features (.parquet)"
    )
    arguments.add_argument(
        "--agreement", type=Path, help="gathered agreement of the masks, for a study with images"
    )
    arguments.add_argument("--out", required=True, type=Path, help="table to write (.parquet)")
    arguments.add_argument(
        "--families", required=True, type=Path, help="table of families to write (.parquet)"
    )
    command.run(main, arguments)
