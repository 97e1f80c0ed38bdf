"""Missing values imputed several times: Rubin's rules equal R's, and what is planted comes back."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from models.regression.checking.imputation import impute, imputed_fit, pool
from models.regression.fitting.logistic import fit_logistic
from models.regression.fitting.terms import Term
from pipeline.core.errors import FitError
from tests.support.refusals import refusal
from tests.support.regression_cohorts import GOLDEN, SIMULATED_TERMS, simulated


def test_rubins_rules_are_those_of_mice():
    stored = json.loads((GOLDEN / "pooled.json").read_text(encoding="utf-8"))
    estimates = np.array(stored["coefficients"])
    covariances = np.array(stored["covariances"])
    expected = stored["pooled"]
    found = pool(estimates, covariances, 189 - estimates.shape[1])
    for ours, theirs in (
        *(("b", "estimate"), ("se", "se"), ("df", "df"), ("p_value", "p")),
        ("missing_information", "lambda"),
    ):
        np.testing.assert_allclose(found[ours], expected[theirs], rtol=1e-6)
    np.testing.assert_allclose(np.log(found["low"]), expected["low"], rtol=1e-6)
    np.testing.assert_allclose(np.log(found["high"]), expected["high"], rtol=1e-6)


def with_gaps(n: int = 400, seed: int = 5) -> tuple[pd.DataFrame, np.ndarray]:
    """Return simulated rows in which ages and grades are missing, more often with an event."""
    rows, outcome = simulated(n, seed)
    rng = np.random.default_rng(seed)
    rows["noise"] = rows["age"] / 9 + rng.normal(size=n)  # says something of the age
    gone = rng.random(n) < np.where(outcome == 1, 0.35, 0.1)
    rows["age"] = rows["age"].where(~gone)
    rows["grade"] = rows["grade"].where(rng.random(n) > 0.15, None)
    return rows, outcome


def test_only_what_is_missing_is_filled_with_values_that_occur():
    rows, outcome = with_gaps()
    tables = impute(rows, outcome, SIMULATED_TERMS, 3, seed=1)
    filled = []
    for table in tables:
        assert not table.isna().any(axis=None)
        for name in ("age", "grade", "sign", "noise"):
            known = rows[name].notna()
            assert (table.loc[known, name] == rows.loc[known, name]).all()
            assert set(table[name]) <= set(rows[name].dropna())
        filled.append(table.loc[rows["age"].isna(), "age"].to_numpy())
    assert (filled[0] != filled[1]).any()
    again = impute(rows, outcome, SIMULATED_TERMS, 1, seed=1)[0]
    pd.testing.assert_frame_equal(again, tables[0])
    # The noise says something of the age, and so do the values that are filled in.
    noise = rows.loc[rows["age"].isna(), "noise"]
    assert np.corrcoef(noise, np.mean(filled, axis=0))[0, 1] > 0.4


def test_without_missing_values_the_fit_is_that_of_the_rows():
    rows, outcome = simulated(200)
    found = imputed_fit(rows, outcome, SIMULATED_TERMS, number=3)
    fit = fit_logistic(rows, outcome, SIMULATED_TERMS)
    np.testing.assert_allclose(found["b"], fit.maximum.coefficients, rtol=1e-9)
    np.testing.assert_allclose(found["se"], np.sqrt(np.diag(fit.maximum.covariance)), rtol=1e-9)
    np.testing.assert_allclose(found["missing_information"], 0, atol=1e-12)


def test_imputation_mends_what_complete_cases_lose():
    """Rows with an event lose their age more often: complete cases get the intercept wrong."""
    shifts = []
    for seed in range(6):
        rows, outcome = simulated(400, seed)
        terms = (Term("age", "continuous"), Term("sign", "factor", levels=("no", "yes")))
        whole = fit_logistic(rows, outcome, terms).maximum.coefficients
        rng = np.random.default_rng(seed)
        gone = rng.random(400) < np.where(outcome == 1, 0.5, 0.1)
        holed = rows.assign(age=rows["age"].where(~gone))
        pooled = imputed_fit(holed, outcome, terms, number=5, seed=seed)["b"].to_numpy()
        kept = ~gone
        complete = fit_logistic(holed[kept], outcome[kept], terms).maximum.coefficients
        mean = np.array([1, 70, 0.3])
        shifts.append([abs((pooled - whole) @ mean), abs((complete - whole) @ mean)])
    imputed, complete = np.mean(shifts, axis=0)
    assert imputed < complete / 2


def test_separated_tables_are_not_pooled():
    rows, outcome = simulated(80)
    rows["sign"] = np.where(outcome == 1, "yes", "no")
    with refusal("imputed-table-separated", FitError):
        imputed_fit(rows, outcome, SIMULATED_TERMS[2:3], number=2)
