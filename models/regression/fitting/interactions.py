"""Interactions named beforehand: whether the effect of one predictor depends on another.

References
----------
.. [1] Harrell FE. Regression Modeling Strategies. 2nd ed. Springer 2015, section 2.3.2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from models.regression.fitting.logistic import FIRTH, Fit
from models.regression.fitting.newton import maximise
from models.regression.fitting.separation import is_separated
from models.regression.fitting.terms import term_slices
from pipeline.core.errors import FitError, StudyError
from pipeline.core.problems import listing, suggestion

Pair = tuple[str, str]

COLUMNS = ["first", "second", "chi_square", "df", "p_value", "note"]


def interactions(fit: Fit, pairs: Sequence[Pair]) -> pd.DataFrame:
    """Test for each pair whether the products of its columns improve the model [1]_.

    Each pair is added to the model alone, and tested by the likelihood ratio. The model stays as it
    was named: a pair that enters because its test was small would be one more selection.

    Parameters
    ----------
    fit : Fit
        The multivariable fit.
    pairs : sequence of (str, str)
        Names of two predictors each. One that screening left out gives a row without a test.

    Returns
    -------
    pandas.DataFrame
        ``first, second, chi_square, df, p_value, note`` (why there is no test).
    """
    rows = [[*pair, *_test(fit, pair)] for pair in pairs]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"df": "int64"})


def _test(fit: Fit, pair: Pair) -> tuple[float, int, float, str]:
    none = (math.nan, 0, math.nan)
    where = term_slices(fit.terms)
    if lacking := [name for name in pair if name not in where]:
        return (*none, f"not in the model: {', '.join(lacking)}")
    if fit.method == FIRTH:
        return (*none, "outcomes are separated: no likelihood ratio")
    first, second = (fit.design[:, where[name]] for name in pair)
    first, second = (columns - columns.mean(axis=0) for columns in (first, second))
    products = (first[:, :, None] * second[:, None, :]).reshape(len(first), -1)
    larger = np.column_stack([fit.design, products])
    df = int(np.linalg.matrix_rank(larger) - fit.design.shape[1])
    if df < products.shape[1]:
        return (*none, "a combination of the two is not there, or says what others say")
    if is_separated(larger, fit.outcome):
        return (*none, "the products separate the outcomes")
    try:
        loglik = maximise(larger, fit.outcome).loglik
    except FitError as error:
        return (*none, error.rule)
    chi_square = max(2 * (loglik - fit.maximum.loglik), 0.0)
    return chi_square, df, float(stats.chi2.sf(chi_square, df)), ""


def check_pairs(pairs: Sequence[Sequence[str]], names: Sequence[str], where: str) -> None:
    """Raise `StudyError` unless each pair names two different predictors."""
    for pair in pairs:
        strange = [name for name in pair if name not in names]
        if strange or len(set(pair)) != 2:
            raise StudyError(
                "An interaction must be of two different predictors",
                found=listing(strange or pair),
                where=where,
                remedy=(suggestion(strange[0], names) if strange else None)
                or f"name two of {listing(names)}",
                code="interaction-not-of-two",
            )
