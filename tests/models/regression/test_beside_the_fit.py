"""What stands beside a fit: interactions, ridge and lasso, optimism with imputation inside."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from sklearn.linear_model import LogisticRegression

from demo.clinical import COHORTS, Levels, simulate
from models.regression.checking.imputed_optimism import TABLES, imputed_optimism
from models.regression.checking.optimism import bootstrap_optimism
from models.regression.fitting.interactions import check_pairs, interactions
from models.regression.fitting.logistic import coefficient_table, fit_logistic
from models.regression.fitting.newton import maximise
from models.regression.fitting.penalised import penalised
from models.regression.fitting.terms import Term
from pipeline.core.errors import StudyError
from pipeline.core.seeds import derive_seed
from tests.support.refusals import refusal
from tests.support.regression_cohorts import birth_fit, births, endometrial, simulated


def test_an_interaction_is_the_likelihood_ratio_of_the_products():
    rows, outcome = births()
    fit = birth_fit()
    found = interactions(fit, [("age", "lwt"), ("race", "smoke"), ("age", "weight")])
    design = fit.design
    age, lwt = (rows[name].to_numpy(float) - rows[name].mean() for name in ("age", "lwt"))
    start = [*fit.maximum.coefficients, 0]
    crossed = np.column_stack([design, age * lwt])
    larger = sm.Logit(outcome, crossed).fit(disp=0, start_params=start)
    expected = 2 * (larger.llf - fit.maximum.loglik)
    assert found["chi_square"][0] == pytest.approx(expected, rel=1e-8)
    assert found["p_value"][0] == pytest.approx(stats.chi2.sf(found["chi_square"][0], 1))
    assert found["df"].tolist() == [1, 2, 0]
    assert found["note"][2] == "not in the model: weight"
    assert math.isnan(found["p_value"][2])


def test_a_planted_interaction_is_found():
    rng = np.random.default_rng(3)
    x, z, noise = rng.normal(size=(3, 800))
    outcome = (rng.random(800) < 1 / (1 + np.exp(-x * z))).astype(float)
    rows = pd.DataFrame({"x": x, "z": z, "noise": noise})
    fit = fit_logistic(rows, outcome, [Term(name, "continuous") for name in rows])
    found = interactions(fit, [("x", "z"), ("x", "noise")])
    assert found["p_value"][0] < 1e-10
    assert found["p_value"][1] > 0.01


def test_without_a_likelihood_there_is_no_test():
    rows, outcome, terms = endometrial()
    found = interactions(fit_logistic(rows, outcome, terms), [("PI", "EH")])
    assert found["note"][0] == "outcomes are separated: no likelihood ratio"


@pytest.mark.parametrize("pair", [["age", "ag"], ["age", "age"], ["age"]])
def test_a_pair_is_of_two_predictors(pair):
    with refusal("interaction-not-of-two", StudyError):
        check_pairs([pair], ["age", "lwt"], "option --interactions")


def test_ridge_and_lasso_are_scikit_learns_on_the_scale_of_the_table():
    fit = birth_fit()
    table, strengths = penalised(fit, np.arange(len(fit.outcome)), seed=1)
    columns = fit.design[:, 1:]
    mean, sd = columns.mean(axis=0), columns.std(axis=0)
    own = LogisticRegression(C=strengths["ridge"], tol=1e-8, max_iter=5000)
    own.fit((columns - mean) / sd, fit.outcome)
    np.testing.assert_allclose(table["ridge"][1:], own.coef_[0] / sd, rtol=2e-3, atol=1e-5)
    risks = own.predict_proba((columns - mean) / sd)[:, 1]
    again = 1 / (1 + np.exp(-(fit.design @ table["ridge"].to_numpy())))
    np.testing.assert_allclose(again, risks, atol=2e-4)
    assert table["column"].tolist() == ["(intercept)", *fit.names]
    spread = np.abs(fit.maximum.coefficients[1:] * sd).sum()
    for name in ("ridge", "lasso"):
        assert np.abs(table[name][1:] * sd).sum() < spread


def test_too_few_events_have_no_folds():
    fit = birth_fit()
    few = replace(fit, outcome=(np.arange(len(fit.outcome)) < 9).astype(float))
    table, strengths = penalised(few, np.arange(len(fit.outcome)), seed=1)
    assert (len(table), strengths) == (0, {})


def test_without_gaps_imputation_inside_changes_nothing_but_the_draws():
    rows, outcome = simulated(150)
    terms = [Term("age", "continuous"), Term("noise", "continuous")]
    how = {"threshold": None, "seed": 4, "patients": np.arange(150)}
    found = imputed_optimism(rows, outcome, terms, resamples=60, **how).set_index("measure")
    plain = bootstrap_optimism(rows, outcome, terms, resamples=60, seed=4).table
    plain = plain.set_index("measure")
    np.testing.assert_allclose(found["apparent"], plain["apparent"], atol=1e-9)
    gap = abs(found.loc["c_index", "optimism"] - plain.loc["c_index", "optimism"])
    errors = found.loc["c_index", "optimism_se"], plain.loc["c_index", "optimism_se"]
    assert gap < 4 * math.hypot(*errors)


def test_with_gaps_every_resample_is_imputed():
    rows, outcome = simulated(150)
    gappy = rows.copy()
    gappy.loc[np.arange(150) % 4 == 0, "noise"] = np.nan
    terms = [Term("age", "continuous"), Term("noise", "continuous")]
    how = {"threshold": 0.5, "resamples": 20, "seed": 4, "patients": np.arange(150)}
    found = imputed_optimism(gappy, outcome, terms, **how).set_index("measure")
    assert found["resamples"].tolist() == [20] * 4
    assert found.loc["c_index", "corrected"] < found.loc["c_index", "apparent"]
    again = imputed_optimism(gappy, outcome, terms, **how).set_index("measure")
    pd.testing.assert_frame_equal(found, again)
    assert TABLES > 1


def test_profile_limits_are_found_although_another_coefficient_is_hardly_known():
    """Nobody of the reference grade has the event: the steps once led nowhere along `age`."""
    table, _ = simulate("li2021", derive_seed(2025, "coverage", 51))
    outcome = (table["residual_pain"] == "yes").to_numpy(float)
    terms = []
    for name, drawn in COHORTS["li2021"].columns.items():
        levels = tuple(drawn.shares) if isinstance(drawn, Levels) else ()
        terms.append(Term(name, "factor" if levels else "continuous", levels=levels))
    fit = fit_logistic(table, outcome, terms)
    assert fit.method == "Firth"
    found = coefficient_table(fit).set_index("column").loc["age"]
    assert 1 < found["odds_ratio"] < found["high"] < 1.15
    column = 1 + fit.names.index("age")
    # At a limit the profile has fallen by half the quantile of chi-square.
    fixed = fit.maximum.coefficients.copy()
    fixed[column] = math.log(found["high"])
    along = fit.maximum.covariance[:, column] / fit.maximum.covariance[column, column]
    start = fit.maximum.coefficients + along * (fixed[column] - fit.maximum.coefficients[column])
    held = maximise(fit.design, outcome, firth=True, fixed=[column], start=start)
    drop = fit.maximum.loglik - held.loglik
    assert drop == pytest.approx(stats.chi2.ppf(0.95, 1) / 2, abs=1e-6)
