"""How well readers agree on ordered grades and on yes or no: kappas, by statsmodels.

Two readers: Cohen's kappa, of grades weighted by their distance (linear and quadratic; Cohen 1968).
More: the pair that agrees least, and of words Fleiss' kappa of all (Fleiss 1971), whose limits are
those of a bootstrap over units.
"""

from __future__ import annotations

import warnings
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import norm
from statsmodels.stats.inter_rater import aggregate_raters, cohens_kappa, fleiss_kappa

from pipeline.core.seeds import derive_seed

#: Resamples of units behind the limits of Fleiss' kappa.
RESAMPLES = 1000
WEIGHTS = ("linear", "quadratic")


def kappa(
    values: np.ndarray, weights: str = "", confidence: float = 0.95
) -> tuple[float, float, float]:
    """Return Cohen's kappa of two readers with its limits; NaN where it is not defined.

    Parameters
    ----------
    values : numpy.ndarray
        Shape (units, 2), numbers; without missing values.
    weights : {'', 'linear', 'quadratic'}
        By what share of their distance two different values disagree; '' counts all alike.
    confidence : float
        Level of the limits (large-sample variance of Fleiss, Cohen and Everitt 1969).

    Examples
    --------
    >>> a = np.array([[0, 0], [1, 1], [2, 2], [0, 1]])
    >>> round(kappa(a)[0], 3), round(kappa(a, "quadratic")[0], 3)
    (0.636, 0.8)
    """
    grades = np.unique(values)
    if len(grades) < 2 or len(values) < 2:
        return np.nan, np.nan, np.nan
    places = np.searchsorted(grades, values)
    table = np.zeros((len(grades), len(grades)))
    np.add.at(table, (places[:, 0], places[:, 1]), 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # variance of a table without chance
        found = cohens_kappa(table, weights=grades if weights else None, wt=weights or None)
    half = norm.ppf(0.5 + confidence / 2) * found.std_kappa
    low, high = found.kappa - half, min(1.0, found.kappa + half)
    return float(found.kappa), float(low), float(high)


def fleiss(
    values: np.ndarray, confidence: float = 0.95, seed: int = 0
) -> tuple[float, float, float]:
    """Return Fleiss' kappa of several readers with bootstrap limits; NaN where not defined.

    Parameters
    ----------
    values : numpy.ndarray
        Shape (units, readers), numbers; without missing values.
    confidence : float
        Level of the percentile limits.
    seed : int
        Of the resamples.
    """
    if len(np.unique(values)) < 2 or len(values) < 2:
        return np.nan, np.nan, np.nan
    counts, _ = aggregate_raters(values)
    rng = np.random.default_rng(derive_seed(seed, "fleiss"))
    drawn = []
    for _ in range(RESAMPLES):
        sample = counts[rng.integers(len(counts), size=len(counts))]
        if (sample.sum(axis=0) > 0).sum() > 1:
            drawn.append(fleiss_kappa(sample))
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail]) if drawn else (np.nan, np.nan)
    return float(fleiss_kappa(counts)), float(low), float(high)


def graded_agreement(
    values: np.ndarray, names: list[str], *, graded: bool, confidence: float = 0.95, seed: int = 0
) -> pd.DataFrame:
    """Return the agreement of several readings of one column.

    Parameters
    ----------
    values : numpy.ndarray
        Shape (units, readers), numbers; NaN where a reading is missing.
    names : list of str
        Of the readings.
    graded : bool
        Whether the numbers are ordered grades.
    confidence, seed
        As `kappa` and `fleiss` take them.

    Returns
    -------
    pandas.DataFrame
        ``measure, weights, of, value, low, high``; ``of`` names the pair, or says all.
    """
    complete = values[~np.isnan(values).any(axis=1)]
    rows = []
    for weights in WEIGHTS if graded else ("",):
        measure = "weighted kappa" if graded else "kappa"
        pairs = [
            (kappa(complete[:, [a, b]], weights, confidence), f"{names[a]}, {names[b]}")
            for a, b in combinations(range(len(names)), 2)
        ]
        known = [one for one in pairs if not np.isnan(one[0][0])]
        (value, low, high), pair = min(known or pairs, key=lambda one: one[0][0])
        rows.append((measure, weights, pair, value, low, high))
    if not graded and len(names) > 2:
        rows.append(("Fleiss' kappa", "", "all", *fleiss(complete, confidence, seed)))
    return pd.DataFrame(rows, columns=["measure", "weights", "of", "value", "low", "high"])
