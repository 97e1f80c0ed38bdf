"""The regression of a study: its rows are those of the study, its fit that of the same table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from pipeline.core.errors import StudyError
from pipeline.core.files import read_json, read_table
from pipeline.study.config import resolve_config
from tests.support.clinical_study import clinical_options, clinical_study, write_clinical
from tests.support.refusals import refusal
from tests.support.stages import cohort_of, regress

PAIN = {"name": "pain", "label": "pain of at least 5", "formula": "vas >= 5"}
ASKED = {
    "analyses": ["regression"],
    "outcome": PAIN,
    "predictors": ["age", "sex", "bmi"],
}


@pytest.fixture
def table(tmp_path) -> pd.DataFrame:
    return write_clinical(tmp_path, patients=90)


def test_the_fit_is_that_of_the_table(table, tmp_path):
    options = {"resamples": 100, "day": "day 30 after surgery"}
    study = clinical_study(tmp_path, **ASKED, regression=options)
    regress(study, tmp_path / "out")
    design = np.column_stack([table["age"], table["sex"] == "male", table["bmi"]]).astype(float)
    fit = sm.Logit((table["vas"] >= 5).astype(float), sm.add_constant(design)).fit(disp=0)
    found = read_table(tmp_path / "out" / "tables" / "coefficients.parquet").set_index("column")
    assert found.loc[["(intercept)", "age", "sex=male", "bmi"], "b"].to_numpy() == pytest.approx(
        fit.params.to_numpy(), rel=1e-6
    )
    facts = read_json(tmp_path / "out" / "regression.json")
    assert facts["purpose"].startswith("Before surgery (preoperative)")
    assert "day 30 after surgery" in facts["purpose"]
    assert (tmp_path / "out" / "calculator.html").exists()


def test_those_are_fitted_who_are_eligible_and_predictors_are_early(table, tmp_path):
    older = [{"label": "age of at least 70 years", "formula": "age >= 70"}]
    cohort, validation = cohort_of(
        clinical_study(tmp_path, **(ASKED | {"predictors": "all", "eligibility": older}))
    )
    assert cohort.n == int((table["age"] >= 70).sum())
    assert [term.name for term in cohort.terms] == ["age", "sex", "bmi", "asa"]
    assert validation is None


def test_a_column_of_the_study_parts_fit_and_validation(table, tmp_path):
    table["order"] = range(1, len(table) + 1)
    table.to_csv(tmp_path / "clinical.csv", index=False)
    with (tmp_path / "dictionary.csv").open("a") as dictionary:
        dictionary.write("order,Enrolment,continuous,,,,split,,\n")
    split = {"design": "temporal", "column": "order", "test_from": 61}
    cohort, validation = cohort_of(clinical_study(tmp_path, **ASKED, split=split))
    assert (cohort.n, validation.n) == (60, 30)
    assert not set(cohort.patients) & set(validation.patients)


def test_a_reference_is_the_level_that_is_named(table, tmp_path):
    study = clinical_study(
        tmp_path, **ASKED, regression={"references": {"sex": "male"}, "splines": {"age": 4}}
    )
    terms = {term.name: term for term in cohort_of(study)[0].terms}
    assert terms["sex"].levels == ("male", "female")
    assert terms["age"].n_knots == 4


def test_a_regression_needs_an_outcome(tmp_path):
    with refusal("analysis-without-outcome", StudyError, match="`regression` needs an outcome"):
        resolve_config(clinical_options(tmp_path, analyses=["regression"]))


@pytest.mark.parametrize("option", ["factors", "references", "splines"])
def test_options_name_predictors(table, tmp_path, option):
    value = {"factors": ["aeg"], "references": {"aeg": "1"}, "splines": {"aeg": 3}}[option]
    study = clinical_study(tmp_path, **ASKED, regression={option: value})
    with refusal("option-names-no-predictor", StudyError, match=rf"regression\.{option}.*`age`"):
        cohort_of(study)
