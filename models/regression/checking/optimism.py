"""What a regression flatters itself by: Harrell's bootstrap of everything that was learned.

References
----------
.. [1] Harrell FE, Lee KL, Mark DB. Multivariable prognostic models. Stat Med 1996;15:361-387.
.. [2] Steyerberg EW. Clinical Prediction Models. 2nd ed. Springer 2019, chapters 13 and 15.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from models.regression.checking.corrected_interval import cross_validated
from models.regression.checking.screening import kept_terms
from models.regression.fitting.firth import recentred_intercept
from models.regression.fitting.newton import maximise, maximise_unless_extreme
from models.regression.fitting.separation import is_separated
from models.regression.fitting.terms import Term
from models.scoring.delong import auroc_interval
from models.scoring.intervals import patient_resamples
from models.scoring.metrics import auroc, brier
from pipeline.core.errors import FitError
from pipeline.core.seeds import derive_seed

MEASURES = ("c_index", "brier", "calibration_slope", "calibration_intercept")

#: Risks nearer to 0 or 1 make a separation likely enough to look for it.
_EXTREME = 1e-6


@dataclass(frozen=True)
class Optimism:
    """What the bootstrap found.

    Attributes
    ----------
    table : pandas.DataFrame
        ``measure, apparent, optimism, optimism_se`` (Monte Carlo)``, corrected, low, high,
        method, resamples``.
    shrinkage : float
        Corrected calibration slope: what the coefficients ought to be multiplied with.
    chosen : dict of str to float
        Share of the resamples in which screening kept a predictor; empty without screening.
    notes : tuple of str
        What happened in some resamples.
    """

    table: pd.DataFrame
    shrinkage: float
    chosen: dict[str, float]
    notes: tuple[str, ...]


def bootstrap_optimism(
    rows: pd.DataFrame,
    outcome: np.ndarray,
    terms: Sequence[Term],
    *,
    threshold: float | None = None,
    resamples: int = 1000,
    seed: int = 2025,
    patients: np.ndarray | None = None,
    confidence: float = 0.95,
    indices: Sequence[np.ndarray] | None = None,
) -> Optimism:
    """Repeat screening, knots and fit on resamples of patients [1]_.

    Parameters
    ----------
    rows, outcome, terms
        As `fit_logistic` takes them; all candidates, not those that a screening kept.
    threshold : float, optional
        Largest P value that the screening keeps; without, no screening is repeated.
    resamples, seed : int
        Number and seed of the resamples.
    patients : numpy.ndarray, optional
        Shape (n,), patients of the rows, who are drawn; rows are patients without.
    confidence : float
        Level of the interval of the corrected C-index
        (`models.regression.checking.corrected_interval`).
    indices : sequence of numpy.ndarray, optional
        Rows of each resample, in place of drawn ones.
    """
    outcome = np.asarray(outcome, float)
    patients = np.arange(len(outcome)) if patients is None else patients
    if indices is None:
        drawn = patient_resamples(
            *(patients, outcome, resamples, derive_seed(seed, "regress", "optimism")),
            stratified=False,
        )
        indices = [np.repeat(np.arange(len(outcome)), times) for times in drawn]
    whole = _Whole(rows, outcome, tuple(terms))
    everything = np.arange(len(outcome))
    first, _ = _procedure(whole, everything, threshold, Counter())
    apparent = measures_of(first, outcome)
    found, counted, chosen = [], Counter(), Counter()
    for index in indices:
        if len(np.unique(outcome[index])) < 2:
            counted["one class"] += 1
            continue
        try:
            lp, kept = _procedure(whole, index, threshold, counted)
        except FitError:
            counted["no fit"] += 1
            continue
        chosen.update(kept)
        on_resample, on_rows = measures_of(lp[index], outcome[index]), measures_of(lp, outcome)
        found.append([on_resample[name] - on_rows[name] for name in MEASURES])
    used = len(found)
    out_of_fold = cross_validated(
        lambda index: _procedure(whole, index, threshold, Counter())[0],
        *(outcome, patients, derive_seed(seed, "regress", "folds")),
    )
    differences = np.array(found).reshape(-1, len(MEASURES))
    table = []
    for at, name in enumerate(MEASURES):
        known = differences[:, at][np.isfinite(differences[:, at])]
        mean = float(known.mean()) if len(known) else math.nan
        error = float(known.std(ddof=1) / math.sqrt(len(known))) if len(known) > 1 else math.nan
        corrected, low, high = apparent[name] - mean, math.nan, math.nan
        method = "apparent - optimism; no interval"
        if name == "c_index":
            low, high = auroc_interval(corrected, out_of_fold.error**2, confidence)
            if np.isfinite(low):
                method = f"apparent - optimism; interval: {out_of_fold.method}, out of fold"
        table.append([name, apparent[name], mean, error, corrected, low, high, method, len(known)])
    columns = ["measure", "apparent", "optimism", "optimism_se", "corrected", "low", "high"]
    frame = pd.DataFrame(table, columns=[*columns, "method", "resamples"])
    slope = float(frame.set_index("measure").loc["calibration_slope", "corrected"])
    shares = {}
    if threshold is not None and used:
        shares = {term.name: chosen[term.name] / used for term in terms}
    return Optimism(frame, slope, shares, _notes(counted, len(indices)))


@dataclass(frozen=True)
class _Whole:
    """All rows with the columns of their terms, which resamples take rows of."""

    rows: pd.DataFrame
    outcome: np.ndarray
    terms: tuple[Term, ...]

    def __post_init__(self) -> None:
        fixed = {
            term.name: term.design(self.rows[term.name]) for term in self.terms if not term.n_knots
        }
        object.__setattr__(self, "fixed", fixed)

    def columns(self, term: Term, index: np.ndarray) -> np.ndarray:
        """Return the columns of all rows, with the knots that the rows `index` put."""
        if term.name in self.fixed:
            return self.fixed[term.name]
        values = self.rows[term.name]
        return term.seen(values.iloc[index]).design(values)


def _procedure(
    whole: _Whole, index: np.ndarray, threshold: float | None, counted: Counter
) -> tuple[np.ndarray, list[str]]:
    """Learn from some rows; return the linear predictor of all rows, and what was kept."""
    outcome = whole.outcome[index]
    columns = {term.name: whole.columns(term, index) for term in whole.terms}
    terms = list(whole.terms)
    if threshold is not None:
        there = {name: _varying(of_all, index)[index] for name, of_all in columns.items()}
        there = {name: part for name, part in there.items() if part.shape[1]}
        able = [term for term in terms if term.name in there]
        terms = kept_terms(there, outcome, able, threshold)
    parts = [_varying(columns[term.name], index) for term in terms]
    design = np.column_stack([np.ones(len(whole.outcome)), *parts])
    if design.shape[1] == 1:
        counted["nothing kept"] += 1
        return np.full(len(whole.outcome), logit(outcome.mean())), []
    own = design[index]
    try:
        found = maximise_unless_extreme(own, outcome, _EXTREME)
    except FitError:
        found = None
    if found is None:
        firth = is_separated(own, outcome)
        counted["separated"] += firth
        found = maximise(own, outcome, firth=firth)
    return design @ found.coefficients, [term.name for term in terms]


def _varying(columns: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Return the columns that vary in a resample: a rare level may not be in it."""
    return columns[:, np.ptp(columns[index], axis=0) > 0]


def learned_from(
    rows: pd.DataFrame,
    outcome: np.ndarray,
    terms: Sequence[Term],
    threshold: float | None,
    index: np.ndarray,
) -> np.ndarray:
    """Screen and fit on the rows `index`; return the linear predictor of all rows: shape (n,)."""
    return _procedure(_Whole(rows, outcome, tuple(terms)), index, threshold, Counter())[0]


def measures_of(lp: np.ndarray, outcome: np.ndarray) -> dict[str, float]:
    """Return the measures of `MEASURES` on some rows; the slope of a constant is not defined."""
    ones = np.ones((len(lp), 1))
    try:
        recalibrated = maximise(np.column_stack([ones, lp]), outcome).coefficients
        slope = float(recalibrated[1]) if np.ptp(lp) > 0 else math.nan
    except FitError:
        slope = math.nan
    return {
        "c_index": auroc(outcome, lp),
        "brier": brier(outcome, expit(lp)),
        "calibration_slope": slope,
        "calibration_intercept": recentred_intercept(lp, outcome),
    }


def _notes(counted: Counter, resamples: int) -> tuple[str, ...]:
    words = {
        "separated": "were separated and fitted by Firth's method",
        "nothing kept": "kept no predictor: everybody got the share of events",
        "one class": "had one outcome only and were left out",
        "no fit": "could not be fitted and were left out",
    }
    return tuple(
        f"{counted[key]} of {resamples} resamples {text}"
        for key, text in words.items()
        if counted[key]
    )
