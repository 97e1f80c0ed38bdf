"""Each candidate alone against the outcome, and which of them a threshold keeps.

The P value that decides is the score test's: of a category it is Pearson's chi-square without
Yates' correction, which papers print in their tables. Deciding on the rows that the model is then
fitted to makes its P values too small and its coefficients too large; the report says so, and the
bootstrap repeats it (`models.regression.checking.optimism`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import chdtrc

from models.regression.fitting.logistic import FIRTH, coefficient_table, fit_logistic, model_tests
from models.regression.fitting.terms import Term


def score_test(design: np.ndarray, outcome: np.ndarray) -> tuple[float, int, float]:
    """Return Rao's score test that columns have no effect: statistic, df and P value.

    Parameters
    ----------
    design : numpy.ndarray
        Shape (n, k), one term's columns without the intercept.
    outcome : numpy.ndarray
        Shape (n,), 0 or 1.

    Returns
    -------
    statistic, df, p_value
        NaN for a column that does not vary.
    """
    share = outcome.mean()
    centred = design - design.mean(axis=0)
    score = centred.T @ (outcome - share)
    information = centred.T @ centred * share * (1 - share)
    if share in (0, 1) or np.linalg.matrix_rank(centred) < design.shape[1]:
        return math.nan, design.shape[1], math.nan
    statistic = float(score @ np.linalg.solve(information, score))
    return statistic, design.shape[1], float(chdtrc(design.shape[1], statistic))


def screen(
    rows: pd.DataFrame,
    outcome: np.ndarray,
    terms: Sequence[Term],
    *,
    threshold: float | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Fit every candidate alone.

    Parameters
    ----------
    rows, outcome, terms
        As `fit_logistic` takes them.
    threshold : float, optional
        Largest P value of the score test that is kept; all candidates are kept without.
    confidence : float
        Level of the intervals.

    Returns
    -------
    pandas.DataFrame
        A row a column of the design: ``predictor, column, b, se, odds_ratio, low, high, p_value``
        (of this coefficient)``, score, df, score_p, likelihood_ratio, likelihood_ratio_p`` (of the
        whole term)``, method, kept``.
    """
    tables = []
    for term in terms:
        fit = fit_logistic(rows, outcome, [term])
        table = coefficient_table(fit, confidence)
        table = table[(table["column"] != "") & (table["column"] != "(intercept)")]
        table = table[["predictor", "column", "b", "se", "odds_ratio", "low", "high", "p_value"]]
        score, df, p_value = score_test(fit.design[:, 1:], fit.outcome)
        whole = model_tests(fit)
        method = "Firth (separated)" if fit.method == FIRTH else fit.method
        tables.append(
            table.assign(
                score=score,
                df=df,
                score_p=p_value,
                likelihood_ratio=whole["chi_square"],
                likelihood_ratio_p=whole["p_value"],
                method=method,
                kept=threshold is None or bool(p_value <= threshold),
            )
        )
    return pd.concat(tables, ignore_index=True)


def kept_terms(
    columns: dict[str, np.ndarray], outcome: np.ndarray, terms: Sequence[Term], threshold: float
) -> list[Term]:
    """Return the terms whose score test keeps them, without any fit: for resamples.

    Parameters
    ----------
    columns : dict of str to numpy.ndarray
        Each term's columns, shape (n, df).
    outcome : numpy.ndarray
        Shape (n,), 0 or 1.
    terms : sequence of Term
        Candidates.
    threshold : float
        Largest P value that is kept.
    """
    return [term for term in terms if score_test(columns[term.name], outcome)[2] <= threshold]
