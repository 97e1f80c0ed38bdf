"""A model's figures in each subgroup and at each site of a validation."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from models.scoring import calibration
from models.scoring.intervals import Estimate, has_clusters
from models.scoring.performance import Sample, auroc_estimate
from pipeline.core.errors import StudyError
from pipeline.core.problems import listing
from pipeline.core.table_schema import types_of
from pipeline.tables.identifying.checks import shown
from pipeline.tables.schemas.prediction.validation import ValidationGroups

COLUMNS = types_of(ValidationGroups)
"""Columns of the table of groups."""

METRICS = ("auroc", "oe_ratio", "calibration_intercept", "calibration_slope")

FEWEST = 10
"""Rows with the event, and without, of a group below which it has no figures."""

MOST = 20
"""Values of a column beyond which it makes no groups."""


def check_groups(values: pd.Series, where: str) -> None:
    """Raise `StudyError` unless a column parts the rows into few groups.

    Parameters
    ----------
    values : pandas.Series
        Words, one a row.
    where : str
        Which table and column, for the error.
    """
    groups = values.nunique()
    if 2 <= groups <= MOST:
        return
    few = listing(map(shown, sorted(values.unique())), 3)
    raise StudyError(
        f"A column of subgroups must have 2 to {MOST} values",
        found=f"{groups}: {few}",
        where=where,
        remedy="name another column, or put its numbers into classes, such as under 70 and 70+",
        code="subgroups-count",
    )


def group_table(
    model: str, sample: Sample, by: Mapping[str, np.ndarray], confidence: float
) -> pd.DataFrame:
    """Return a model's figures in every group.

    Parameters
    ----------
    model : str
        Its name.
    sample : Sample
        All rows.
    by : mapping of str to numpy.ndarray
        By column, the group of each row, shape (n,).
    confidence : float
        Level of the intervals, which are not corrected for the number of groups.

    Returns
    -------
    pandas.DataFrame
        One row per column, group and metric of `METRICS`, with the columns of `COLUMNS`. A group
        of fewer than `FEWEST` rows with or without the event has no value; the method says so.
    """
    rows = []
    for column, groups in by.items():
        for group in np.unique(groups):
            kept = groups == group
            own = Sample(
                sample.outcome[kept],
                sample.probability[kept],
                sample.patients[kept],
                sample.threshold,
            )
            events = int(own.outcome.sum())
            about = [model, column, group, len(own.outcome), len(np.unique(own.patients)), events]
            for metric, estimate in _estimates(own, events, confidence).items():
                rows.append([*about, metric, *estimate])
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def _estimates(sample: Sample, events: int, confidence: float) -> dict[str, Estimate]:
    if min(events, len(sample.outcome) - events) < FEWEST:
        why = f"fewer than {FEWEST} with or without the event"
        return dict.fromkeys(METRICS, Estimate(math.nan, math.nan, math.nan, why))
    patients = sample.patients if has_clusters(sample.patients) else None
    given = sample.outcome, sample.probability, confidence
    ratio = calibration.observed_expected_ratio(*given)
    if patients is not None:
        reason = "no interval: several cases of one patient are not independent"
        ratio = Estimate(ratio.value, math.nan, math.nan, reason)
    return {
        "auroc": auroc_estimate(sample, confidence),
        "oe_ratio": ratio,
        "calibration_intercept": calibration.calibration_intercept(*given, patients),
        "calibration_slope": calibration.calibration_slope(*given, patients),
    }
