"""Which families of features are unstable between readers, and whether overlap explains it.

A family is an image type (filter), a feature class, or both together.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import pandas as pd

from pipeline.comparison.rank_correlation import spearman_interval

#: Stands for image type and class of a feature whose name does not tell them.
NOT_STATED = "not stated"

COLUMNS = {
    "image_type": object,
    "feature_class": object,
    "features": "int64",
    "stable": "int64",
    "stable_share": float,
    "ccc_median": float,
    "ccc_q1": float,
    "ccc_q3": float,
    "ccc_within_median": float,
    "icc_median": float,
    "deviation_median": float,
    "cases": "int64",
    "dice_rho": float,
    "dice_rho_low": float,
    "dice_rho_high": float,
}


def deviations(*readings: pd.DataFrame) -> pd.DataFrame:
    """Return how far the readings of each case lie apart, in units of how much cases differ.

    Parameters
    ----------
    *readings : pandas.DataFrame
        One per reader, two at least: one row per case, one column per feature, on the same index
        and columns.

    Returns
    -------
    pandas.DataFrame
        |second - first|, its mean over all pairs of readers, over the standard deviation, over
        cases, of the mean of all readings; NaN where a reading is missing or the feature does not
        vary. Without a unit, so that features can be put together.
    """
    middle = sum(readings) / len(readings)
    # The standard deviation of one repeated value may be off zero by rounding.
    spread = middle.std(ddof=1).where(middle.max() > middle.min())
    apart = [(second - first).abs() for first, second in combinations(readings, 2)]
    return sum(apart) / len(apart) / spread


def describe_families(
    described: pd.DataFrame,
    deviation: pd.DataFrame,
    dice: pd.Series,
    threshold: float,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Count the stable features of each family, and relate their deviation to the masks' overlap.

    Parameters
    ----------
    described : pandas.DataFrame
        `reproducibility.parquet`: ``feature, image_type, feature_class, ccc, ccc_within, icc``.
    deviation : pandas.DataFrame
        As `deviations` returns it: cases x features.
    dice : pandas.Series
        Dice coefficient of the readers' masks by case; empty where there are none.
    threshold : float
        CCC from which a feature counts as stable; one without a CCC does not.
    confidence : float, default=0.95
        Level of the correlation's interval.

    Returns
    -------
    pandas.DataFrame
        `reproducibility_families.parquet` (docs/files.md): all features, each image type,
        each class, and each image type x class; null where a row is over all of them.
        ``deviation_median`` is the median over cases of the family's deviation, which is the
        median over its features; ``dice_rho`` is Spearman's correlation, over cases, of that
        deviation with the Dice coefficient: negative where a poorer overlap moves the features.
    """
    described = described.fillna({"image_type": NOT_STATED, "feature_class": NOT_STATED})
    overlap = dice.reindex(deviation.index).to_numpy(dtype=float)
    rows = []
    for image_type, feature_class, group in _families(described):
        stable = int((group["ccc"] >= threshold).sum())
        # A case none of whose features has a deviation has no median; pandas says NaN, quietly.
        of_case = deviation[list(group["feature"])].median(axis=1)
        ccc = group["ccc"].quantile([0.5, 0.25, 0.75])
        correlation = spearman_interval(overlap, of_case, confidence)
        counts = [len(group), stable, stable / len(group)]
        # Without any value, as of a study without levels, pandas' median warns.
        middle = [group[name].quantile(0.5) for name in ("ccc_within", "icc")]
        middle.append(of_case.median())
        rows.append([image_type, feature_class, *counts, *ccc, *middle, *correlation])
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def _families(table: pd.DataFrame) -> Iterator[tuple[str | None, str | None, pd.DataFrame]]:
    """Yield every family with its features: all, by type, by class, by both."""
    if table.empty:
        return
    yield None, None, table
    for image_type, group in table.groupby("image_type", sort=True):
        yield image_type, None, group
    for feature_class, group in table.groupby("feature_class", sort=True):
        yield None, feature_class, group
    for (image_type, feature_class), group in table.groupby(["image_type", "feature_class"]):
        yield image_type, feature_class, group


def dice_of(agreement: pd.DataFrame, readers: list[str]) -> pd.Series:
    """Return the Dice coefficient of readers' original masks by case, the mean over their pairs.

    Parameters
    ----------
    agreement : pandas.DataFrame
        `agreement.parquet`.
    readers : list of str
        Two or more readers, in any order.
    """
    between = agreement["comparison"] == "readers"
    pair = agreement["reader_a"].isin(readers) & agreement["reader_b"].isin(readers)
    return agreement[between & pair].groupby("case_id")["dice"].mean()
