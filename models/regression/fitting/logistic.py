"""A multivariable logistic regression with everything that a clinical paper prints of it.

References
----------
.. [1] Hosmer DW, Lemeshow S, Sturdivant RX. Applied Logistic Regression. 3rd ed. Wiley 2013.
.. [2] Puhr R, Heinze G, Nold M, Lusa L, Geroldinger A. Firth's logistic regression with rare
   events: accurate effect estimates and predictions? Stat Med 2017;36:2302-2317.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from models.regression.fitting.firth import (
    flac,
    penalised_test,
    profile_limits,
    recentred_intercept,
)
from models.regression.fitting.newton import Maximum, maximise
from models.regression.fitting.separation import Separation, find_separation, require_independent
from models.regression.fitting.terms import Term, column_names, design_matrix, term_slices
from pipeline.core.errors import FitError, StudyError

ML = "maximum likelihood"
FIRTH = "Firth"

Method = Literal["auto", "ml", "firth"]
Risks = Literal["flic", "flac"]


@dataclass(frozen=True)
class Fit:
    """A fitted logistic model.

    Attributes
    ----------
    terms : tuple of Term
        As the rows define them: range, knots, counts.
    method : str
        `ML` or `FIRTH`.
    maximum : Maximum
        Coefficients, the intercept first, their covariance and the (penalised) log-likelihood.
    risk_coefficients : numpy.ndarray
        Shape (1 + p,), those from which risks are computed. They differ from the others after
        Firth's method alone: its risks lie too near to one half, which FLIC or FLAC mends [2]_.
    risk_covariance : numpy.ndarray
        Shape (1 + p, 1 + p), of those.
    design, outcome : numpy.ndarray
        Shape (n, 1 + p) and (n,), the rows of the fit.
    separation : Separation
        What separates the outcomes.
    null_loglik : float
        Log-likelihood of the intercept alone.
    """

    terms: tuple[Term, ...]
    method: str
    maximum: Maximum
    risk_coefficients: np.ndarray
    risk_covariance: np.ndarray
    design: np.ndarray
    outcome: np.ndarray
    separation: Separation
    null_loglik: float

    @property
    def names(self) -> list[str]:
        """Names of the columns behind the intercept."""
        return column_names(self.terms)

    @property
    def linear_predictor(self) -> np.ndarray:
        """Shape (n,), of the rows of the fit, as the risks take it."""
        return self.design @ self.risk_coefficients


def fit_logistic(
    rows: pd.DataFrame,
    outcome: np.ndarray,
    terms: Sequence[Term],
    *,
    method: Method = "auto",
    risks: Risks = "flic",
) -> Fit:
    """Fit the outcome on all terms at once.

    Parameters
    ----------
    rows : pandas.DataFrame
        The column of each term, without missing values.
    outcome : numpy.ndarray
        Shape (n,), 1 for an event and 0 otherwise.
    terms : sequence of Term
        Predictors; knots of splines that have none yet are placed on these rows.
    method : {'auto', 'ml', 'firth'}
        ``auto`` takes Firth's method where predictors separate the outcomes, and maximum likelihood
        otherwise.
    risks : {'flic', 'flac'}
        How risks are computed after Firth's method [2]_: with the intercept re-estimated, or with
        the covariate that marks the penalty's rows.

    Raises
    ------
    FitError
        If a column is a sum of others, an outcome does not vary, or ``ml`` meets separation.
    """
    outcome = np.asarray(outcome, float)
    terms = tuple(term.seen(rows[term.name]) for term in terms)
    if not terms:
        raise StudyError(
            "A regression needs a predictor",
            found="none",
            where="predictors",
            remedy="name one at least; where a screening kept none, there is no model to print",
            code="regression-without-predictor",
        )
    if len(np.unique(outcome)) < 2:
        raise FitError(
            "An outcome must have happened in some rows and not in others",
            found=f"{int(outcome.sum())} events in {len(outcome)} rows",
            where="the rows without a missing value",
            remedy="leave out the predictors that many rows lack",
            code="outcome-constant",
        )
    design, names = design_matrix(terms, rows), column_names(terms)
    require_independent(design, names)
    separation = find_separation(design, outcome, names)
    if method == "ml" and separation.kind != "none":
        raise FitError(
            "Maximum likelihood needs outcomes that no predictor separates",
            found=f"{separation.kind} separation by {', '.join(separation.columns)}",
            where="the rows that the model is fitted to",
            remedy="take Firth's method (`firth`, or `auto`, which takes it where it must)",
            code="outcome-separated",
        )
    share = outcome.mean()
    null = float(outcome.sum() * math.log(share) + (1 - outcome).sum() * math.log(1 - share))
    if method == "firth" or separation.kind != "none":
        maximum = maximise(design, outcome, firth=True)
        risk_coefficients, risk_covariance = _risks(design, outcome, maximum, risks)
        kind = FIRTH
    else:
        maximum = _likelihood_fit(design, outcome)
        risk_coefficients, risk_covariance = maximum.coefficients, maximum.covariance
        kind = ML
    return Fit(
        terms, kind, maximum, risk_coefficients, risk_covariance, design, outcome, separation, null
    )


def coefficient_table(fit: Fit, confidence: float = 0.95) -> pd.DataFrame:
    """Return B, SE, Wald, df, P, OR and its interval, as SPSS prints a logistic regression.

    Returns
    -------
    pandas.DataFrame
        A row a coefficient, and above those of a factor or spline with several a row that tests
        them together: ``predictor, column`` (empty in such a row; ``(intercept)``)``, b, se, wald,
        df, p_value, odds_ratio, low, high, test``. After Firth's method `wald` holds the chi-square
        of the penalised likelihood ratio, and the limits are those of its profile (`test` says so).
    """
    firth = fit.method == FIRTH
    rows = []
    for term in fit.terms:
        where = term_slices(fit.terms)[term.name]
        if term.df > 1:
            rows.append([term.name, "", math.nan, math.nan, *_group_test(fit, where)])
        for name, at in zip(term.columns, range(where.start, where.stop), strict=True):
            rows.append([term.name, name, *_single_test(fit, at, confidence)])
    rows.append(["(intercept)", "(intercept)", *_single_test(fit, 0, confidence)])
    columns = ["predictor", "column", "b", "se", "wald", "df", "p_value", "low", "high"]
    rows = [row if len(row) == len(columns) else [*row, math.nan, math.nan] for row in rows]
    table = pd.DataFrame(rows, columns=columns)
    with np.errstate(over="ignore"):
        ratio = np.exp(table["b"]).where(table["column"] != "(intercept)")
        table["low"], table["high"] = np.exp(table["low"]), np.exp(table["high"])
    limits = ["low", "high"]
    table.loc[table["column"] == "(intercept)", limits] = math.nan
    table.insert(7, "odds_ratio", ratio)
    test = "penalised likelihood ratio, profile limits" if firth else "Wald"
    return table.astype({"df": "int64"}).assign(test=test)


def model_tests(fit: Fit) -> dict[str, float]:
    """Return what is said of the model as a whole, apparent as it is.

    Returns
    -------
    dict
        ``n, events, df, loglik, chi_square`` (likelihood ratio against the intercept; penalised
        after Firth's method)``, p_value, nagelkerke, aic``.
    """
    n, df = len(fit.outcome), fit.design.shape[1] - 1
    if fit.method == FIRTH:
        columns = list(range(1, df + 1))
        chi_square, p_value = penalised_test(fit.design, fit.outcome, fit.maximum, columns)
        nagelkerke = math.nan
    else:
        chi_square = max(2 * (fit.maximum.loglik - fit.null_loglik), 0.0)
        p_value = float(stats.chi2.sf(chi_square, df))
        cox_snell = -math.expm1(-chi_square / n)
        nagelkerke = cox_snell / -math.expm1(2 * fit.null_loglik / n)
    return {
        "n": n,
        "events": int(fit.outcome.sum()),
        "df": df,
        "loglik": fit.maximum.loglik,
        "chi_square": chi_square,
        "p_value": p_value,
        "nagelkerke": nagelkerke,
        "aic": 2 * (df + 1) - 2 * fit.maximum.loglik,
    }


def wald_test(
    coefficients: np.ndarray, covariance: np.ndarray, where: slice
) -> tuple[float, int, float]:
    """Test coefficients together: Wald's statistic, degrees of freedom and P value [1]_.

    Parameters
    ----------
    coefficients, covariance : numpy.ndarray
        Shape (1 + p,) and (1 + p, 1 + p).
    where : slice
        The coefficients in question.
    """
    own = coefficients[where]
    statistic = float(own @ np.linalg.solve(covariance[where, where], own))
    return statistic, len(own), float(stats.chi2.sf(statistic, len(own)))


def _likelihood_fit(design: np.ndarray, outcome: np.ndarray) -> Maximum:
    import statsmodels.api as sm

    # The steps begin close to the end, which Newton's own reach in any scale of the columns.
    start = maximise(design, outcome).coefficients
    fit = sm.Logit(outcome, design).fit(start_params=start, disp=False, maxiter=100)
    return Maximum(fit.params, fit.cov_params(), float(fit.llf))


def _risks(
    design: np.ndarray, outcome: np.ndarray, firth: Maximum, risks: Risks
) -> tuple[np.ndarray, np.ndarray]:
    if risks == "flac":
        found = flac(design, outcome)
        return found.coefficients, found.covariance
    coefficients = firth.coefficients.copy()
    coefficients[0] = recentred_intercept(design[:, 1:] @ coefficients[1:], outcome)
    return coefficients, firth.covariance


def _group_test(fit: Fit, where: slice) -> tuple[float, int, float]:
    columns = list(range(where.start, where.stop))
    if fit.method == FIRTH:
        statistic, p_value = penalised_test(fit.design, fit.outcome, fit.maximum, columns)
        return statistic, len(columns), p_value
    return wald_test(fit.maximum.coefficients, fit.maximum.covariance, where)


def _single_test(fit: Fit, at: int, confidence: float) -> tuple[float, ...]:
    """Return ``b, se, statistic, df, p_value, low, high`` of one coefficient."""
    b = float(fit.maximum.coefficients[at])
    se = math.sqrt(fit.maximum.covariance[at, at])
    if fit.method == FIRTH:
        test = penalised_test(fit.design, fit.outcome, fit.maximum, [at])
        limits = profile_limits(fit.design, fit.outcome, fit.maximum, at, confidence)
        return (b, se, test[0], 1, test[1], *limits)
    wald = (b / se) ** 2
    half = float(stats.norm.ppf(0.5 + confidence / 2)) * se
    return (b, se, wald, 1, float(stats.chi2.sf(wald, 1)), b - half, b + half)
