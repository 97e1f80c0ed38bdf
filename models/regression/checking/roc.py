"""ROC of each factor and of the model: area, its error, and Youden's cut.

Direction and cut are chosen on the rows of the fit and applied unchanged to others.

References
----------
.. [1] Youden WJ. Index for rating diagnostic tests. Cancer 1950;3:32-35.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from models.regression.fitting.terms import Term
from models.scoring.clustered_auroc import areas_with_covariance, enough_patients
from models.scoring.delong import Scale
from models.scoring.metrics import auroc, confusion
from models.scoring.performance import Sample, auroc_estimate
from models.scoring.threshold import threshold_of

COLUMNS = {
    "what": object,
    "part": object,
    "n": "int64",
    "events": "int64",
    "direction": object,
    **dict.fromkeys(("auc", "se", "low", "high", "p_value"), float),
    "cut": object,
    **dict.fromkeys(("sensitivity", "specificity", "youden"), float),
    "cut_chosen_on": object,
}


@dataclass(frozen=True)
class Marker:
    """How a factor is read as a test, fixed on the rows of the fit.

    Attributes
    ----------
    name : str
        Of the factor, or of the model.
    term : Term or None
        The predictor; None for a column of risks.
    sign : int
        1 where high values go with the event, -1 where low ones do.
    shares : dict of str to float
        Of a category, the share of events at each level, which orders the levels.
    cut : float
        Score from which on a row is called an event.
    """

    name: str
    term: Term | None
    sign: int
    shares: dict[str, float]
    cut: float

    def scores(self, values: pd.Series) -> np.ndarray:
        """Return the score of each value, high where the event is likely: shape (n,)."""
        if self.shares:
            middle = float(np.mean(list(self.shares.values())))
            return values.map(lambda one: self.shares.get(one, middle)).to_numpy(float)
        return self.sign * np.asarray(values, float)

    @property
    def cut_words(self) -> str:
        """The cut as a person reads it: a bound, or the levels that are called an event."""
        if self.shares:
            called = [level for level, share in self.shares.items() if share >= self.cut]
            return " or ".join(called)
        sign = ">=" if self.sign > 0 else "<="
        return f"{sign} {self.sign * self.cut:.10g}"

    @property
    def direction(self) -> str:
        """Which values go with the event."""
        if self.shares:
            return " < ".join(sorted(self.shares, key=self.shares.__getitem__))
        return "higher" if self.sign > 0 else "lower"


def learn_marker(name: str, term: Term | None, values: pd.Series, outcome: np.ndarray) -> Marker:
    """Fix direction and cut of a factor on the rows of the fit.

    Parameters
    ----------
    name : str
        As it is called in tables.
    term : Term or None
        The predictor; None for risks, whose direction is given.
    values : pandas.Series
        Shape (n,).
    outcome : numpy.ndarray
        Shape (n,), 0 or 1.
    """
    shares, sign = {}, 1
    if term is not None and term.is_factor:
        shares = {
            level: float(outcome[(values == level).to_numpy()].mean())
            for level in term.levels
            if (values == level).any()
        }
    elif term is not None and auroc(outcome, np.asarray(values, float)) < 0.5:
        sign = -1
    marker = Marker(name, term, sign, shares, math.nan)
    cut = threshold_of(outcome, marker.scores(values), "youden", math.nan)
    return Marker(name, term, sign, shares, cut)


def roc_row(
    marker: Marker,
    values: pd.Series,
    outcome: np.ndarray,
    patients: np.ndarray,
    part: str,
    confidence: float,
    chosen_on: str = "training",
    scale: Scale = "logit",
) -> list:
    """Return the row of a factor on some rows, as `COLUMNS` names it."""
    scores = marker.scores(values)
    sample = Sample(outcome, scores, patients, marker.cut)
    area = auroc_estimate(sample, confidence, scale)
    error = math.nan
    if enough_patients(outcome, patients):
        error = math.sqrt(float(areas_with_covariance(outcome, scores, patients)[1][0, 0]))
    z = (area.value - 0.5) / error if error > 0 else math.nan
    counts = confusion(outcome, scores, marker.cut)
    events, others = counts.tp + counts.fn, counts.tn + counts.fp
    sensitivity = counts.tp / events if events else math.nan
    specificity = counts.tn / others if others else math.nan
    return [
        *(marker.name, part, len(outcome), int(outcome.sum()), marker.direction),
        *(area.value, error, area.low, area.high, float(2 * stats.norm.sf(abs(z)))),
        *(marker.cut_words, sensitivity, specificity, sensitivity + specificity - 1, chosen_on),
    ]


def roc_table(
    terms: Sequence[Term],
    rows: pd.DataFrame,
    outcome: np.ndarray,
    patients: np.ndarray,
    risks: dict[str, np.ndarray],
    confidence: float = 0.95,
    scale: Scale = "logit",
) -> tuple[pd.DataFrame, list[Marker]]:
    """Return the ROC figures of every predictor and of the model's risks, and their markers.

    Parameters
    ----------
    terms, rows, outcome, patients
        The rows of the fit.
    risks : dict of str to numpy.ndarray
        Risks of models, shape (n,), by name.
    confidence : float
        Level of the intervals.
    scale : {'logit', 'plain'}
        On which they are symmetric; papers, pROC and SPSS print the plain ones.

    Returns
    -------
    table : pandas.DataFrame
        With the columns `COLUMNS`.
    markers : list of Marker
        To be applied to other rows by `roc_row`.
    """
    given = [(term.name, term, rows[term.name]) for term in terms]
    given += [(name, None, pd.Series(risk, index=rows.index)) for name, risk in risks.items()]
    markers = [learn_marker(name, term, values, outcome) for name, term, values in given]
    table = [
        roc_row(marker, values, outcome, patients, "training", confidence, scale=scale)
        for marker, (_, _, values) in zip(markers, given, strict=True)
    ]
    return pd.DataFrame(table, columns=list(COLUMNS)).astype(COLUMNS), markers
