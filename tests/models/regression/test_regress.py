"""The command on small tables: what it writes, and what it refuses in one error."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest

from models.regress import _arguments, main
from models.regression.publishing.calculator import purpose_line
from models.regression.publishing.model_file import read_model
from pipeline.core.errors import VertebromicsError
from pipeline.core.files import read_table
from pipeline.core.table_schema import types_of
from pipeline.tables.schemas.regression import REGRESSION
from tests.models.regression.test_published import PUBLISHED, rong_example
from tests.support.refusals import refusal
from tests.support.regression_cohorts import simulated

PREDICTORS = ("age", "grade", "sign", "noise")
NAMED = ("--outcome", "pain", "--event", "yes", "--predictors", *PREDICTORS)
WORDS = (
    *("--outcome-label", "residual pain", "--day", "day 30", "--moment", "preoperative"),
    *("--population", "adults with one fracture"),
)


def table_of(folder, n: int = 240, **changes: object):
    rows, outcome = simulated(n)
    rows["pain"] = np.where(outcome == 1, "yes", "no")
    rows["part"] = np.where(np.arange(n) < 0.75 * n, "training", "validation")
    rows = rows.assign(**changes)
    path = folder / "table.csv"
    rows.to_csv(path, index=False)
    return path


def run(*arguments: object) -> None:
    main(_arguments().parse_args([str(one) for one in arguments]))


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("regress")
    path = table_of(folder)
    rows = pd.read_csv(path)
    rows.loc[[3, 4], "age"] = np.nan
    rows.to_csv(path, index=False)
    options = ("--validation-rows", "part", "validation", "--splines", "age=3", "--impute", 20)
    run(path, *NAMED, *WORDS, *options, "--resamples", 100, "--out", folder / "out")
    return folder / "out"


def test_every_table_keeps_to_its_schema_and_has_a_csv(results):
    written = {path.stem for path in (results / "tables").glob("*.parquet")}
    assert written == set(REGRESSION) - {"predictions"}
    for name in written:
        table = read_table(results / "tables" / f"{name}.parquet")
        assert list(table.columns) == list(types_of(REGRESSION[name]))
        assert (results / "tables" / f"{name}.csv").exists()


def test_rows_left_out_are_counted(results):
    flow = read_table(results / "tables" / "flow.parquet")
    training = flow[flow["part"] == "training"].set_index("what")["rows"]
    assert training["rows of the table"] == 180
    assert training["without age"] == 2
    assert training["left out in all"] == 2
    assert training["complete cases"] == 178


def test_the_page_and_the_calculator_say_for_whom_and_what_it_is_not(results):
    page = (results / "regression.html").read_text(encoding="utf-8")
    calculator = (results / "calculator.html").read_text(encoding="utf-8")
    model = read_model(results / "model.json")
    for text in (page, calculator):
        assert purpose_line(model) in text
        assert "LEAKING" not in text
        assert "changing an input shows other patients" in text.lower()
    assert "not the effect of a treatment" in page
    assert "1 rows" not in page.replace("181 rows", "")
    assert (results / "figures" / "nomogram.svg").read_text().startswith("<?xml")
    assert (results / "figures" / "nomogram.png").read_bytes().startswith(b"\x89PNG")


def test_the_rigorous_model_is_shrunken_and_its_mean_risk_is_the_event_share(results):
    equation = read_table(results / "tables" / "equation.parquet").set_index("column")
    what = read_table(results / "tables" / "model.parquet").set_index("what")["value"]
    slopes = equation.drop("(intercept)")
    factor = min(what["shrinkage"], 1)
    np.testing.assert_allclose(slopes["rigorous"], factor * slopes["as_fitted"])
    ratio = read_table(results / "tables" / "metrics.parquet")
    own = ratio[(ratio["metric"] == "oe_ratio") & (ratio["part"] == "training")]
    np.testing.assert_allclose(own["value"], 1.0, atol=1e-9)
    assert set(own["model"]) == {"as fitted", "rigorous"}


def test_imputed_coefficients_stand_beside_those_of_complete_cases(results):
    imputed = read_table(results / "tables" / "imputed.parquet").set_index("column")
    fitted = read_table(results / "tables" / "coefficients.parquet")
    fitted = fitted[fitted["column"].isin(imputed.index)].set_index("column")
    slopes = imputed.drop("(intercept)")
    ratios = fitted.loc[slopes.index, "odds_ratio"]
    np.testing.assert_allclose(slopes["complete_cases"], ratios)
    # Two of 180 rows lack their age: little changes.
    shift = (slopes["b"] - fitted.loc[slopes.index, "b"]).abs() / fitted.loc[slopes.index, "se"]
    assert 0 < shift.max() < 0.3
    assert (slopes["missing_information"] < 0.1).all()
    assert "tables/imputed.csv" in (results / "regression.html").read_text(encoding="utf-8")


def test_cuts_are_fixed_on_the_rows_of_the_fit(results):
    roc = read_table(results / "tables" / "roc.parquet")
    assert set(roc["cut_chosen_on"]) == {"training"}
    wide = roc.pivot_table(index="what", columns="part", values="cut", aggfunc="first")
    assert (wide["training"] == wide["validation"]).all()


def test_an_area_has_one_value_and_one_interval(results):
    roc = read_table(results / "tables" / "roc.parquet")
    metrics = read_table(results / "tables" / "metrics.parquet")
    for part in ("training", "validation"):
        own = roc[(roc["what"] == "model") & (roc["part"] == part)].iloc[0]
        same = metrics[(metrics["metric"] == "auroc") & (metrics["part"] == part)]
        for column, name in (("auc", "value"), ("low", "low"), ("high", "high")):
            np.testing.assert_allclose(same[name], own[column])


def test_as_published_is_labelled_everywhere(tmp_path):
    path = table_of(tmp_path)
    options = ("--mode", "as_published", "--screen", "0.2", "--validation-rows", "part")
    run(path, *NAMED, *options, "validation", "--resamples", 100, "--out", tmp_path / "out")
    out = tmp_path / "out"
    for path in (out / "tables").glob("*.parquet"):
        assert (read_table(path)["mode"] == "LEAKING (as_published)").all(), path.stem
    page = (out / "regression.html").read_text(encoding="utf-8")
    assert "<title>LEAKING: " in page
    headings = re.findall(r"<h2 [^>]*>(.*?)</h2>", page)
    assert headings
    assert all(text.startswith("LEAKING") for text in headings)
    assert "<title>LEAKING: " in (out / "calculator.html").read_text(encoding="utf-8")
    assert read_model(out / "model.json").leaks
    assert json.loads((out / "regression.json").read_text())["mode"] == "LEAKING (as_published)"
    roc = read_table(out / "tables" / "roc.parquet")
    anew = roc["cut_chosen_on"].str.contains("chosen anew")
    assert (anew & roc["cut_chosen_on"].str.contains("LEAKING")).sum() == anew.sum() > 0
    assert "LEAKING: " in (out / "figures" / "nomogram.svg").read_text()


def test_a_published_scale_of_points_is_computed_and_judged(tmp_path):
    rng = np.random.default_rng(3)
    rows = pd.concat([rong_example()] * 80, ignore_index=True)
    rows["age"] = rng.integers(50, 95, 80)
    rows["pfo"] = rng.choice(["no", "yes"], 80)
    rows["pain"] = (rng.random(80) < 0.3).astype(int)
    rows.loc[0, list(rong_example().columns)] = rong_example().iloc[0]
    rows.to_csv(tmp_path / "own.csv", index=False)
    given = ("--model", PUBLISHED / "rong2025_points.yaml", "--resamples", 100)
    run(tmp_path / "own.csv", "--outcome", "pain", *given, "--out", tmp_path / "out")
    found = read_table(tmp_path / "out" / "tables" / "predictions.parquet")
    assert round(found.loc[0, "points"], 2) == 183.89
    assert found["risk"].isna().all()
    metrics = read_table(tmp_path / "out" / "tables" / "metrics.parquet")
    assert set(metrics["metric"]) == {"auroc"}
    assert (tmp_path / "out" / "figures" / "nomogram.svg").exists()
    facts = json.loads((tmp_path / "out" / "regression.json").read_text())
    assert any("points alone" in note for note in facts["notes"])


def test_a_published_equation_gives_risks_and_their_calibration(tmp_path):
    rng = np.random.default_rng(4)
    rows = pd.DataFrame(
        {
            "ivc": rng.choice(["no", "yes"], 150),
            "pfo": rng.choice(["no", "yes"], 150),
            "goutallier": rng.choice(["0-1", "2", "3-4"], 150),
            "cement": rng.choice(["spongy", "blocky"], 150),
        }
    )
    model = read_model(PUBLISHED / "li2021.yaml")
    rows["pain"] = (rng.random(150) < model.risk(rows)).astype(int)
    rows.to_csv(tmp_path / "own.csv", index=False)
    given = ("--model", PUBLISHED / "li2021.yaml", "--resamples", 100)
    run(tmp_path / "own.csv", "--outcome", "pain", *given, "--out", tmp_path / "out")
    found = read_table(tmp_path / "out" / "tables" / "predictions.parquet")
    np.testing.assert_allclose(found["risk"], model.risk(rows))
    metrics = read_table(tmp_path / "out" / "tables" / "metrics.parquet").set_index("metric")
    assert metrics.loc["calibration_slope", "value"] == pytest.approx(1, abs=0.6)
    # Only drawn and computed: no table is needed.
    run(*given, "--out", tmp_path / "drawn")
    assert (tmp_path / "drawn" / "calculator.html").exists()


def test_separation_is_seen_said_and_answered(tmp_path):
    _, outcome = simulated(120)
    never = np.where((outcome == 0) & (np.arange(120) % 3 == 0), "yes", "no")
    path = table_of(tmp_path, 120, sign=never)
    named = ("--outcome", "pain", "--event", "yes", "--predictors", "age", "sign")
    run(path, *named, "--resamples", 100, "--out", tmp_path / "out")
    table = read_table(tmp_path / "out" / "tables" / "coefficients.parquet").set_index("column")
    assert set(table["test"]) == {"penalised likelihood ratio, profile limits"}
    row = table.loc["sign=yes"]
    assert np.isfinite(row[["b", "se", "odds_ratio", "high"]].astype(float)).all()
    assert row["odds_ratio"] < 0.2
    facts = json.loads((tmp_path / "out" / "regression.json").read_text())
    assert any("separation by sign: yes against no:" in note for note in facts["notes"])


REFUSED = [
    (("--predictors", "age", "years"), "A column of the regression must be in the table"),
    (("--predictors", "age", "age"), "Each predictor must be named once"),
    (("--predictors", "age", "pain"), "The outcome must not predict itself"),
    (("--splines", "age=2"), "A spline has from 3 to 7 knots"),
    (("--splines", "age"), "--splines takes pairs of a predictor and its value"),
    (("--splines", "grade=4"), "Only a number has a spline"),
    (("--splines", "weight=4"), "--splines must name a predictor"),
    (("--splines", "age=4", "--factors", "age"), "A category has no spline"),
    (("--reference", "grade=9"), "A reference must be a level of its predictor"),
    (("--reference", "age=70"), "Only a category has a reference"),
    (("--factors", "noise"), "A category must have 12 levels at most"),
    (("--screen", "1e-12"), "Screening must keep a predictor"),
    (("--validation-rows", "part"), "--validation-rows must name a column"),
    (("--validation-rows", "part", "other"), "Some rows must be for validation"),
    (("--validation-rows", "sign", "yes"), "must be neither outcome nor predictor"),
]


@pytest.mark.parametrize(("options", "rule"), REFUSED, ids=[" ".join(o) for o, _ in REFUSED])
def test_what_cannot_be_fitted_is_told(tmp_path, options, rule):
    path = table_of(tmp_path, 60)
    with pytest.raises(VertebromicsError) as error:
        run(path, *NAMED, *options, "--resamples", 100, "--out", tmp_path / "out")
    assert rule in str(error.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("code", "changes", "rule"),
    [
        ("predictor-constant", {"noise": 1}, "A predictor must have two values at least"),
        ("predictor-constant", {"grade": None}, "A predictor must have two values at least"),
        ("outcome-constant", {"pain": "yes"}, "An outcome must have happened in some rows"),
        (
            "predictor-constant",
            {"noise": [1.5, *[None] * 58, 2.5]},
            "A predictor must have two values at least",
        ),
        (
            "no-complete-row",
            {
                "noise": [*range(30), *[None] * 30],
                "age": [*[None] * 30, *range(50, 80)],
            },
            "Some rows must have a value of every predictor",
        ),
    ],
    ids=["constant", "empty", "always", "few", "none"],
)
def test_what_a_table_must_not_hold_is_told(code, tmp_path, changes, rule):
    path = table_of(tmp_path, 60, **changes)
    with refusal(code, VertebromicsError) as error:
        run(path, *NAMED, "--resamples", 100, "--out", tmp_path / "out")
    assert rule in str(error.value)


def test_a_slip_in_a_column_of_numbers_is_named_by_its_cell(tmp_path):
    rows, _ = simulated(60)
    slipped = rows["noise"].astype(str)
    slipped[7] = "1.2 mm"
    path = table_of(tmp_path, 60, noise=slipped)
    with refusal("value-not-a-number", VertebromicsError) as error:
        run(path, *NAMED, "--out", tmp_path / "out")
    assert "A value of noise must be a number" in str(error.value)
    assert "row 9" in str(error.value)


def test_predictors_that_say_the_same_are_named(tmp_path):
    rows, _ = simulated(60)
    path = table_of(tmp_path, 60, noise=rows["age"] * 2 + 1)
    with refusal("predictor-redundant", VertebromicsError) as error:
        run(path, *NAMED, "--resamples", 100, "--out", tmp_path / "out")
    assert "Each predictor must say something that those before it do not" in str(error.value)
    assert "noise" in str(error.value)


def test_maximum_likelihood_that_is_asked_for_refuses_separation(tmp_path):
    _, outcome = simulated(60)
    path = table_of(tmp_path, 60, sign=np.where(outcome == 1, "yes", "no"))
    with refusal("outcome-separated", VertebromicsError) as error:
        run(path, *NAMED, "--method", "ml", "--out", tmp_path / "out")
    assert "Maximum likelihood needs outcomes that no predictor separates" in str(error.value)


def test_a_patient_is_on_one_side_of_the_split(tmp_path):
    path = table_of(
        tmp_path, 60, who=[f"P{at // 2}" for at in range(60)], part=["training", "validation"] * 30
    )
    given = ("--patient", "who", "--validation-rows", "part", "validation")
    with refusal("validation-divides-patient", VertebromicsError) as error:
        run(path, *NAMED, *given, "--out", tmp_path / "out")
    assert "No patient may have rows in the fit and in the validation" in str(error.value)


def test_other_files_are_not_replaced(tmp_path):
    path = table_of(tmp_path, 60)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with refusal("regression-folder-in-use", VertebromicsError) as error:
        run(path, *NAMED, "--resamples", 100, "--out", tmp_path / "out")
    assert "The folder of the results must be new, empty" in str(error.value)
    assert (tmp_path / "out" / "thesis.txt").read_text() == "mine"


def test_commands_without_what_they_need_are_told(tmp_path):
    path = table_of(tmp_path, 60)
    out = ("--out", tmp_path / "out")
    model = ("--model", PUBLISHED / "li2021.yaml")
    for arguments, rule in (
        ((path, "--predictors", "age"), "A table needs its outcome named"),
        (("--predictors", "age"), "A fit needs a table and its predictors"),
        ((*model, "--predictors", "age"), "A model that is given is not fitted"),
        (
            (path, *NAMED, "--validation", path, "--validation-rows", "part", "validation"),
            "Validation must be named once",
        ),
    ):
        with pytest.raises(VertebromicsError) as error:
            run(*arguments, *out)
        assert rule in str(error.value)


def test_types_levels_and_timing_come_from_the_dictionary(tmp_path):
    path = table_of(tmp_path, 120)
    described = pd.DataFrame(
        [
            ["age", "Age", "continuous", "years", "", "preoperative", "predictor"],
            ["grade", "Grade", "categorical", "", "3-4|2|0-1", "preoperative", "predictor"],
            ["sign", "Sign", "binary", "", "no|yes", "postoperative", "predictor"],
        ],
        columns=["column", "label", "type", "unit", "levels", "timing", "role"],
    )
    described.to_csv(tmp_path / "dictionary.csv", index=False)
    named = ("--outcome", "pain", "--event", "yes", "--predictors", "age", "grade", "sign")
    given = (path, *named, "--dictionary", tmp_path / "dictionary.csv", "--resamples", 100)
    run(*given, "--out", tmp_path / "out")
    model = read_model(tmp_path / "out" / "model.json")
    assert model.term("grade").levels == ("3-4", "2", "0-1")
    assert (model.term("age").title, model.term("age").unit) == ("Age", "years")
    assert model.purpose.moment == "postoperative"
    assert "preoperative" not in (tmp_path / "out" / "calculator.html").read_text()
    with refusal("model-known-later"):
        run(*given, "--moment", "preoperative", "--out", tmp_path / "early")
    with refusal("predictor-undescribed"):
        run(path, *NAMED, "--dictionary", tmp_path / "dictionary.csv", "--out", tmp_path / "x")


def test_a_level_that_the_fit_never_saw_is_named(tmp_path):
    path = table_of(tmp_path, 60)
    (tmp_path / "new").mkdir()
    other = table_of(tmp_path / "new", 60, grade=["0-1", "5"] * 30)
    with refusal("value-not-a-level", VertebromicsError) as error:
        run(path, *NAMED, "--validation", other, "--resamples", 100, "--out", tmp_path / "out")
    assert "A value of grade must be one of its levels 0-1|2|3-4" in str(error.value)
