"""Coefficients with missing values imputed several times, beside those of complete cases.

Chained equations of own code: statsmodels' takes categories for numbers, and a table for minutes.

References
----------
.. [1] van Buuren S. Flexible Imputation of Missing Data. 2nd ed. CRC Press 2018, sections 3.4, 3.6
   and 4.5.
.. [2] Rubin DB. Multiple Imputation for Nonresponse in Surveys. Wiley 1987.
.. [3] Barnard J, Rubin DB. Small-sample degrees of freedom with multiple imputation. Biometrika
   1999;86:948-955.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from models.regression.fitting.logistic import FIRTH, fit_logistic
from models.regression.fitting.terms import Term, column_names
from pipeline.core.errors import FitError
from pipeline.core.seeds import derive_seed

#: Rounds of the chain, and observed values among which one is drawn.
ROUNDS, DONORS = 10, 5

#: Weak penalty of the model of a category, so that a level that others foretell has finite chances.
_PENALTY = 100.0


def impute(
    rows: pd.DataFrame, outcome: np.ndarray, terms: Sequence[Term], number: int, seed: int
) -> list[pd.DataFrame]:
    """Fill missing predictors by chained equations [1]_, the outcome among their predictors.

    A number takes the value of one of the five rows whose prediction is nearest (predictive mean
    matching), a category a draw from its chances. Every model is fitted to a resample of the rows,
    so that the draws differ as much as the models are unsure.

    Parameters
    ----------
    rows : pandas.DataFrame
        The column of each term, NaN or None where missing.
    outcome : numpy.ndarray
        Shape (n,), known for every row.
    terms : sequence of Term
        Predictors; those of a regression, linear or by levels.
    number : int
        Completed tables.
    seed : int
        Seed of the draws.

    Returns
    -------
    list of pandas.DataFrame
        Tables without missing values.
    """
    names = [term.name for term in terms]
    missing = {name: rows[name].isna().to_numpy() for name in names}
    order = sorted((name for name in names if missing[name].any()), key=lambda n: missing[n].sum())
    by_name = {term.name: term for term in terms}
    tables = []
    for one in range(number):
        rng = np.random.default_rng(derive_seed(seed, "regress", "impute", one))
        table = rows[names].copy()
        for name in order:
            seen = rows[name].to_numpy()[~missing[name]]
            filled = table[name].to_numpy(copy=True)
            filled[missing[name]] = rng.choice(seen, missing[name].sum())
            table[name] = filled
        for _ in range(ROUNDS if len(order) > 1 else 1):
            for name in order:
                others = [_plain(by_name[each], table[each]) for each in names if each != name]
                design = np.column_stack([np.ones(len(rows)), outcome, *others])
                design[:, 2:] = _standardised(design[:, 2:])
                draw = _levels if by_name[name].is_factor else _numbers
                filled = table[name].to_numpy(copy=True)
                filled[missing[name]] = draw(design, filled, missing[name], rng)
                table[name] = filled
        tables.append(table)
    return tables


def pool(
    estimates: np.ndarray, covariances: np.ndarray, complete_df: float, confidence: float = 0.95
) -> pd.DataFrame:
    """Pool coefficients of completed tables by Rubin's rules [2]_.

    Parameters
    ----------
    estimates : numpy.ndarray
        Shape (m, p).
    covariances : numpy.ndarray
        Shape (m, p, p).
    complete_df : float
        Residual degrees of freedom if nothing were missing [3]_.
    confidence : float
        Level of the limits.

    Returns
    -------
    pandas.DataFrame
        ``b, se, df`` (Barnard and Rubin)``, p_value, low, high`` (of the odds ratio)``,
        odds_ratio, missing_information`` (fraction, lambda)``.
    """
    m = len(estimates)
    b = estimates.mean(axis=0)
    within = np.array([np.diag(one) for one in covariances]).mean(axis=0)
    between = (1 + 1 / m) * estimates.var(axis=0, ddof=1)
    total = within + between
    share = between / total
    observed = (complete_df + 1) / (complete_df + 3) * complete_df * (1 - share)
    df = 1 / (share**2 / (m - 1) + 1 / observed)
    se = np.sqrt(total)
    half = stats.t.ppf(0.5 + confidence / 2, df) * se
    return pd.DataFrame(
        {
            "b": b,
            "se": se,
            "df": df,
            "p_value": 2 * stats.t.sf(np.abs(b / se), df),
            "odds_ratio": np.exp(b),
            "low": np.exp(b - half),
            "high": np.exp(b + half),
            "missing_information": share,
        }
    )


def imputed_fit(
    rows: pd.DataFrame,
    outcome: np.ndarray,
    terms: Sequence[Term],
    *,
    number: int = 20,
    seed: int = 2025,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Fit every completed table and pool.

    Knots of splines are those of `terms`, so that all tables have the same columns.

    Returns
    -------
    pandas.DataFrame
        ``column`` and the columns of `pool`, a row a coefficient, the intercept first.

    Raises
    ------
    FitError
        If a completed table is separated: Rubin's rules have no answer to infinite coefficients.
    """
    fits = []
    for table in impute(rows, outcome, terms, number, seed):
        fit = fit_logistic(table, outcome, terms)
        if fit.method == FIRTH:
            raise FitError(
                "Imputed tables must not be separated, or coefficients cannot be pooled",
                found=f"separation by {', '.join(fit.separation.columns)}",
                where="option --impute",
                remedy="leave --impute out, or join rare levels",
                code="imputed-table-separated",
            )
        fits.append(fit.maximum)
    estimates = np.array([fit.coefficients for fit in fits])
    covariances = np.array([fit.covariance for fit in fits])
    pooled = pool(estimates, covariances, len(rows) - estimates.shape[1], confidence)
    pooled.insert(0, "column", ["(intercept)", *column_names(terms)])
    return pooled


def _plain(term: Term, values: pd.Series) -> np.ndarray:
    """Return the columns of a predictor without its bends: shape (n, df)."""
    if term.is_factor:
        return term.design(values)
    return values.to_numpy(float)[:, None]


def _standardised(columns: np.ndarray) -> np.ndarray:
    spread = columns.std(axis=0)
    return (columns - columns.mean(axis=0)) / np.where(spread > 0, spread, 1)


def _numbers(
    design: np.ndarray, values: np.ndarray, missing: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    known = np.flatnonzero(~missing)
    seen = values[known].astype(float)
    drawn = rng.choice(len(known), len(known))
    fitted = np.linalg.lstsq(design[known], seen, rcond=None)[0]
    varied = np.linalg.lstsq(design[known][drawn], seen[drawn], rcond=None)[0]
    # Those who give by the fit itself, those who receive by that of a resample [1]_.
    of_donors, wanted = design[known] @ fitted, design[missing] @ varied
    nearest = np.argsort(np.abs(wanted[:, None] - of_donors), axis=1, kind="stable")[:, :DONORS]
    which = rng.integers(0, nearest.shape[1], len(wanted))
    return seen[nearest[np.arange(len(wanted)), which]]


def _levels(
    design: np.ndarray, values: np.ndarray, missing: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression

    known = np.flatnonzero(~missing)
    drawn = known[rng.choice(len(known), len(known))]
    if len(set(values[drawn])) < 2:
        return rng.choice(values[known], missing.sum())
    model = LogisticRegression(C=_PENALTY, max_iter=1000)
    model.fit(design[drawn, 1:], values[drawn].astype(str))
    chances = model.predict_proba(design[missing, 1:])
    at = (rng.random((len(chances), 1)) > chances.cumsum(axis=1)).sum(axis=1)
    return model.classes_[np.minimum(at, len(model.classes_) - 1)].astype(object)
