"""How good a model's risks are, from groups of risk that each hold enough events and non-events.

ROC curve, calibration and decision curve are all drawn from one table of groups, and a confusion
matrix where the model's threshold parts two of them. So no step of any curve, and no difference of
two of them, stands for fewer patients than a group holds: with exact curves and the numbers of
events, each patient's place could be read off [1]_.

References
----------
.. [1] Matthews GJ, Harel O. An examination of data confidentiality and disclosure issues related to
   publication of empirical ROC curves. Acad Radiol 2013;20:889-896.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from deployment.sharing.counts import rounded
from models.scoring.calibration import (
    calibration_intercept,
    calibration_slope,
    observed_expected_ratio,
)
from models.scoring.intervals import Estimate
from models.scoring.metrics import brier
from models.scoring.performance import Sample, auroc_estimate

STEP = 0.01
"""Grid of the limits of groups: a limit is nobody's risk."""

CONFIDENCE = 0.95


def risk_edges(sample: Sample, fewest: int) -> list[float]:
    """Return the inner limits of groups that each hold enough patients with and without the event.

    Parameters
    ----------
    sample : Sample
        Outcome, risk, patient and threshold.
    fewest : int
        Patients with, and without, the event that a group holds at least.

    Returns
    -------
    list of float
        Multiples of `STEP`. The threshold, rounded to one, is among them where both sides allow.
    """
    edges: list[float] = []
    threshold = grid(round(sample.threshold / STEP))
    start = 0.0
    if 0 < threshold < 1 and _fits(sample, [0.0, threshold, 1.0], fewest):
        edges = [*_split(sample, 0.0, threshold, fewest), threshold]
        start = threshold
    return edges + _split(sample, start, 1.0, fewest)


def grid(number: int) -> float:
    """Return a limit of the grid without the last bits of a product."""
    return round(number * STEP, 2)


def _split(sample: Sample, low: float, high: float, fewest: int) -> list[float]:
    edges, start = [], low
    for number in range(round(low / STEP) + 1, round(high / STEP)):
        if _fits(sample, [start, grid(number), high], fewest):
            start = grid(number)
            edges.append(start)
    return edges


def _fits(sample: Sample, limits: Sequence[float], fewest: int) -> bool:
    group = _group_of(sample.probability, limits[1:-1])
    inside = (sample.probability >= limits[0]) & (
        (sample.probability < limits[-1]) | (limits[-1] == 1)
    )
    return all(
        len(set(sample.patients[inside & (group == at) & (sample.outcome == outcome)])) >= fewest
        for at in range(len(limits) - 1)
        for outcome in (0, 1)
    )


def _group_of(probability: np.ndarray, edges: Sequence[float]) -> np.ndarray:
    return np.searchsorted(np.asarray(edges, float), probability, side="right")


def risk_groups(sample: Sample, edges: Sequence[float]) -> pd.DataFrame:
    """Return a row a group of risk: limits, units, events, and mean risk to three digits."""
    group, rows = _group_of(sample.probability, edges), []
    limits = [0.0, *edges, 1.0]
    for at in range(len(limits) - 1):
        here = group == at
        rows.append(
            {
                "low": limits[at],
                "high": limits[at + 1],
                "units": int(here.sum()),
                "events": int(sample.outcome[here].sum()),
                "mean_risk": rounded(float(sample.probability[here].mean())),
            }
        )
    return pd.DataFrame(rows)


def curves(groups: pd.DataFrame) -> pd.DataFrame:
    """Return, for each limit between groups, sensitivity, specificity and net benefit.

    Parameters
    ----------
    groups : pandas.DataFrame
        From `risk_groups`.

    Returns
    -------
    pandas.DataFrame
        ``threshold, tp, fp, fn, tn, sensitivity, specificity, net_benefit, net_benefit_all``.
    """
    events = groups["events"].to_numpy()
    others = groups["units"].to_numpy() - events
    rows = []
    for at in range(1, len(groups)):
        threshold = float(groups["low"].iloc[at])
        tp, fp = int(events[at:].sum()), int(others[at:].sum())
        fn, tn = int(events[:at].sum()), int(others[:at].sum())
        odds, n = threshold / (1 - threshold), tp + fp + fn + tn
        rows.append(
            {
                "threshold": threshold,
                **{"tp": tp, "fp": fp, "fn": fn, "tn": tn},
                "sensitivity": tp / (tp + fn),
                "specificity": tn / (tn + fp),
                "net_benefit": (tp - odds * fp) / n,
                "net_benefit_all": (tp + fn - odds * (fp + tn)) / n,
            }
        )
    columns = ("threshold", "tp", "fp", "fn", "tn", "sensitivity", "specificity")
    return pd.DataFrame(rows, columns=[*columns, "net_benefit", "net_benefit_all"])


def figures(sample: Sample) -> list[dict]:
    """Return the figures that several hospitals' results are put together by, to three digits."""
    outcome, risk = sample.outcome, sample.probability
    several = sample.patients if len(set(sample.patients)) < len(outcome) else None
    made = {
        "auroc": auroc_estimate(sample, CONFIDENCE),
        "oe_ratio": observed_expected_ratio(outcome, risk, CONFIDENCE),
        "calibration_slope": calibration_slope(outcome, risk, CONFIDENCE, several),
        "calibration_intercept": calibration_intercept(outcome, risk, CONFIDENCE, several),
        "brier": Estimate(brier(outcome, risk), math.nan, math.nan, "no interval"),
    }
    return [
        {"metric": name, **{end: _plain(getattr(each, end)) for end in ("value", "low", "high")}}
        for name, each in made.items()
    ]


def _plain(value: float) -> float | None:
    return round(float(value), 3) if math.isfinite(value) else None
