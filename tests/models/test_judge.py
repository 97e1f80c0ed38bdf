"""Given predictions judged: published figures met from published tables, and mistakes told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from models.judge import _arguments, judge, main, read_predictions
from models.scoring.evaluation import evaluate
from pipeline.core.errors import StudyError
from pipeline.study.sections.judging import Evaluation
from tests.models.scoring.test_delong import OVARIAN_CANCER
from tests.support.refusals import refusal

COLUMNS = ("albumin", "protein", "kg", "benefit")


@pytest.fixture
def ovarian(tmp_path):
    values = np.array(OVARIAN_CANCER.split(), float).reshape(-1, 4)
    table = pd.DataFrame(values, columns=list(COLUMNS))
    table["benefit"] = table["benefit"].map({1: "yes", 0: "no"})
    table["good_kg"] = 10 - table["kg"]
    path = tmp_path / "ovarian.csv"
    table.to_csv(path, index=False)
    return path


def drawn(n: int = 60, per_patient: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    risk = rng.uniform(0.05, 0.9, n)
    rows = pd.DataFrame({"outcome": (rng.random(n) < risk).astype(int), "risk": risk})
    return rows.assign(patient_id=[f"P{at // per_patient}" for at in range(n)], marker=risk * 40)


def run(*arguments: object) -> None:
    main(_arguments().parse_args([str(argument) for argument in arguments]))


def test_published_figures_are_met_from_the_published_table(ovarian, tmp_path):
    """Areas, Wald limits and contrast of the SAS/STAT User's Guide (see scoring/test_delong.py)."""
    given = [ovarian, "--outcome", "benefit", "--event", "yes", "--interval", "plain"]
    run(*given, "--scores", "albumin", "good_kg", "protein", "--out-dir", tmp_path / "out")
    found = pd.read_csv(tmp_path / "out" / "metrics.csv").set_index("model")
    assert set(found["metric"]) == {"auroc"}
    limits = found[["value", "low", "high"]].to_numpy()
    published = [(0.7366, 0.5549, 0.9182), (0.7258, 0.5243, 0.9273), (0.6478, 0.4518, 0.8439)]
    np.testing.assert_allclose(limits, published, atol=5.1e-5)
    pairs = pd.read_csv(tmp_path / "out" / "comparisons.csv").set_index(["model_a", "model_b"])
    contrast = pairs.loc[("albumin", "good_kg"), ["auc_difference", "low", "high", "p_value"]]
    np.testing.assert_allclose(contrast.astype(float), (0.0108, -0.1761, 0.1976, 0.9102), atol=5e-5)


def test_net_benefit_equals_the_r_package(testdata, tmp_path):
    """The table of the R package dcurves as it is: outcome TRUE or FALSE, probabilities beside."""
    folder = testdata / "dcurves" / "benchmark_data"
    given = [folder / "df_binary.csv", "--outcome", "cancer", "--event", "TRUE"]
    chosen = ["--probabilities", "famhistory", "cancerpredmarker", "--patient", "patientid"]
    run(*given, *chosen, "--resamples", 100, "--out-dir", tmp_path, "--decision-curve", 0, 0.99)
    expected = pd.read_csv(folder / "r_dca_famhistory.csv")
    curve = pd.read_csv(tmp_path / "decision_curve.csv")
    both = curve.merge(
        expected.round({"threshold": 6}),
        left_on=["model", "threshold"],
        right_on=["variable", "threshold"],
    )
    assert len(both) == 300
    np.testing.assert_allclose(both["net_benefit_x"], both["net_benefit_y"], atol=1e-9)
    # Made by a logistic model of these very rows, it is calibrated on them, by construction.
    metrics = pd.read_csv(tmp_path / "metrics.csv").set_index(["model", "metric"])["value"]
    own = metrics["cancerpredmarker"]
    assert own["calibration_slope"] == pytest.approx(1, abs=1e-5)
    assert own["calibration_intercept"] == pytest.approx(0, abs=1e-5)
    # Of 750 risks that are 0 or 1, 115 are 1, and 105 units have the event.
    assert metrics["famhistory"]["oe_ratio"] == pytest.approx(105 / 115)


def test_probabilities_are_judged_as_a_studys_own_models():
    rows = drawn()
    own = rows.assign(unit_id=range(len(rows)), part="test", probability=rows["risk"])
    how = Evaluation(confidence=0.95, bootstrap=100, decision_curve=[0.0, 0.5])
    infos = {"risk": {"threshold": 0.4, "cv_auc": None}}
    expected = evaluate({"risk": own}, infos, how, 2025)
    found = judge(rows, ["risk"], threshold=0.4, resamples=100, decision_curve=(0.0, 0.5))
    assert set(found) == set(expected)
    for name, table in found.items():
        pd.testing.assert_frame_equal(table, expected[name], check_dtype=False)


def test_a_score_has_no_calibration():
    tables = judge(drawn(), ["risk"], ["marker"], resamples=100)
    metrics = tables["metrics"].set_index("model")
    assert list(metrics.loc[["marker"], "metric"]) == ["auroc"]
    assert metrics.loc["marker", "method"].endswith("of a score, which is no probability")
    risk = metrics.loc["risk"].set_index("metric")
    assert metrics.loc["marker", "value"] == risk.at["auroc", "value"]
    assert set(tables["calibration"]["model"]) == {"risk"}
    pair = tables["comparisons"].iloc[0]
    assert pair["auc_difference"] == 0
    assert np.isnan(pair[["low", "high", "p_value"]].astype(float)).all()
    assert pair["method"].startswith("not estimable: both rank everyone alike")
    assert np.isnan(pair["mcnemar_p"])


def test_several_rows_of_a_patient_make_clustered_intervals():
    area = judge(drawn(per_patient=2), scores=["marker"])["metrics"].iloc[0]
    assert "Obuchowski" in area["method"]


def test_rows_with_a_blank_are_left_out_and_counted(tmp_path):
    path = tmp_path / "given.csv"
    path.write_text("id,died,risk\n1,1,0.5\n1,0,\n2,NA,0.1\n3,0,0.2\n", encoding="utf-8")
    rows, left_out = read_predictions(path, "died", ["risk"], patient="id")
    assert left_out == 2
    found = rows[["patient_id", "outcome", "risk"]].to_numpy().tolist()
    assert found == [["1", 1, 0.5], ["3", 0, 0.2]]


@pytest.mark.parametrize(
    ("columns", "event", "code", "said"),
    [
        (["rusk"], None, "judged-column-missing", "perhaps `risk` is meant"),
        (["word"], None, "value-not-a-number", "high"),
        (["risk"], "yes", "outcome-constant", "0, 1"),
    ],
)
def test_what_cannot_be_judged_is_told(tmp_path, columns, event, code, said):
    path = tmp_path / "given.csv"
    path.write_text("died,risk,word\n1,0.5,high\n0,0.2,low\n", encoding="utf-8")
    with refusal(code, StudyError) as told:
        read_predictions(path, "died", columns, event=event)
    assert said in str(told.value)


def test_an_outcome_in_words_needs_the_events_word(tmp_path):
    path = tmp_path / "given.csv"
    path.write_text("died,risk\nTRUE,0.5\nFALSE,0.2\n", encoding="utf-8")
    with refusal("outcome-not-zero-or-one", StudyError) as told:
        read_predictions(path, "died", ["risk"])
    assert "--event TRUE" in str(told.value)


@pytest.mark.parametrize(
    "typed",
    [
        *(["--confidence", value] for value in ("95", "0", "-0.95", "1", "nan", "0,95", "0.3")),
        *(["--threshold", value] for value in ("50", "nan", "0", "1", "-0.1", "inf")),
        *(["--resamples", value] for value in ("0", "-5", "99", "1e3", "nan")),
        *(["--seed", value] for value in ("-1", "4294967296", "x")),
        *(["--decision-curve", *value.split()] for value in ("0 1", "-0.1 0.5", "nan 0.5")),
    ],
)
def test_a_number_that_a_configuration_would_refuse_is_refused_by_name(typed, tmp_path, capsys):
    given = [tmp_path / "absent.csv", "--outcome", "died", "--probabilities", "risk"]
    with pytest.raises(SystemExit) as ended:
        run(*given, *typed, "--out-dir", tmp_path / "out")
    assert ended.value.code == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert f"argument {typed[0]}: The number (" in told
    assert "must be a" in told
    assert "Found: " in told
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "code", "found"),
    [
        ({"confidence": 95}, "option-number-out-of-bounds", "95"),
        ({"threshold": float("nan")}, "option-number-out-of-bounds", "nan"),
        ({"resamples": -5}, "option-number-out-of-bounds", "-5"),
        ({"resamples": 150.5}, "option-number-out-of-bounds", "150.5"),
        ({"seed": -1}, "option-number-out-of-bounds", "-1"),
        ({"decision_curve": (0.5, 1.0)}, "option-number-out-of-bounds", "1"),
        ({"decision_curve": (0.5, 0.2)}, "decision-curve-range", "0.5 to 0.2"),
    ],
)
def test_the_function_refuses_what_its_command_refuses(options, code, found):
    (name,) = options
    with refusal(code, StudyError, match=f"Found: {found}") as told:
        judge(drawn(), ["risk"], **options)
    assert f"option --{name}".replace("_", "-") in str(told.value)


def test_a_model_fitted_to_these_rows_loses_two_degrees_of_freedom_and_is_called_so(tmp_path):
    """R's blorr and ResourceSelection print g - 2 for a model's own rows (Hosmer-Lemeshow)."""
    rows = drawn(200)
    new, own = (
        judge(rows, ["risk"], ["marker"], resamples=100, fitted_here=fitted)
        for fitted in (False, True)
    )
    tests = [tables["calibration_tests"].iloc[0] for tables in (new, own)]
    assert [test["df"] for test in tests] == [10, 8]
    assert [bool(test["fitted_here"]) for test in tests] == [False, True]
    assert tests[0]["statistic"] == tests[1]["statistic"]
    for test in tests:
        expected = stats.chi2.sf(test["statistic"], test["df"])
        assert test["p_value"] == pytest.approx(expected)
    methods = own["metrics"].set_index("model")["method"]
    assert methods["risk"].str.endswith("apparent: of rows that it was fitted to").all()
    assert "apparent" not in methods["marker"]
    assert not new["metrics"]["method"].str.contains("apparent").any()


@pytest.mark.parametrize("fitted", [False, True])
def test_the_command_says_whose_rows_they_are_taken_for(fitted, tmp_path, caplog):
    table = drawn(100).assign(died=lambda rows: rows["outcome"])
    table[["died", "risk"]].to_csv(tmp_path / "given.csv", index=False)
    given = [tmp_path / "given.csv", "--outcome", "died", "--probabilities", "risk"]
    option = ["--fitted-here"] if fitted else []
    with caplog.at_level("INFO"):
        run(*given, "--resamples", 100, *option, "--out-dir", tmp_path / "out")
    said = "the models were fitted to these rows" if fitted else "no model was fitted to"
    assert said in caplog.text
    assert f"{8 if fitted else 10} degrees of freedom" in caplog.text
    kept = pd.read_csv(tmp_path / "out" / "calibration_tests.csv")
    assert kept.loc[0, "df"] == (8 if fitted else 10)


@pytest.mark.parametrize("columns", [([], []), (["risk"], ["risk"])])
def test_what_is_judged_is_named_once(columns):
    with refusal("judged-column-repeated", StudyError):
        judge(drawn(), *columns)


def test_a_score_passed_as_a_probability_is_refused():
    with refusal("probability-out-of-bounds", StudyError) as told:
        judge(drawn(), ["risk", "marker"])
    assert "--scores marker" in str(told.value)
