"""What the published studies print, met from their own counts and coefficients."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.optimize import brentq

import models.regression
from models.judge import _arguments, main
from models.regression.checking.roc import COLUMNS, learn_marker, roc_row
from models.regression.checking.screening import score_test
from models.regression.fitting.logistic import wald_test
from models.regression.fitting.terms import Term
from models.regression.publishing.model_file import model_facts, read_model
from models.regression.publishing.nomogram import build_nomogram, points_of, points_table
from models.scoring.metrics import auroc
from pipeline.core.errors import StudyError
from tests.support.refusals import refusal

PUBLISHED = Path(models.regression.__file__).parent / "published"

#: Study, events with the sign of all events, others with it of all others, printed chi-square.
COUNTS = [
    ("rong2025 fascia oedema", 27, 117, 25, 452, 34.46),
    ("rong2025 middle height restored", 66, 117, 382, 452, 43.84),
    ("rong2025 anterior height restored", 68, 117, 343, 452, 14.63),
    ("rong2025 bone density", 34, 117, 217, 452, 13.54),
    ("rong2025 trauma", 100, 117, 320, 452, 10.35),
    ("rong2025 sex", 36, 117, 86, 452, 7.61),
    ("li2021 vacuum cleft", 6, 37, 14, 231, 4.763),
    ("li2021 fascia oedema", 6, 37, 12, 231, 6.183),
    ("li2021 cement", 21, 37, 75, 231, 8.184),
    ("li2021 sex", 7, 37, 46, 231, 0.02),
    ("li2021 leakage", 8, 37, 39, 231, 0.495),
]


def counted(with_event: int, events: int, with_other: int, others: int):
    outcome = np.r_[np.ones(events), np.zeros(others)]
    sign = np.r_[
        *(np.ones(with_event), np.zeros(events - with_event)),
        *(np.ones(with_other), np.zeros(others - with_other)),
    ]
    return outcome, sign


@pytest.mark.parametrize("row", COUNTS, ids=[row[0] for row in COUNTS])
def test_screening_gives_the_printed_chi_square(row):
    _, with_event, events, with_other, others, printed = row
    outcome, sign = counted(with_event, events, with_other, others)
    statistic, df, p_value = score_test(sign[:, None], outcome)
    table = [[with_event, events - with_event], [with_other, others - with_other]]
    expected = stats.chi2_contingency(table, correction=False)
    assert (statistic, df) == (pytest.approx(expected.statistic), 1)
    assert p_value == pytest.approx(expected.pvalue)
    decimals = len(str(printed).partition(".")[2])
    assert statistic == pytest.approx(printed, abs=0.55 * 10**-decimals)


def test_goutallier_is_screened_with_two_degrees_of_freedom():
    outcome = np.r_[np.ones(37), np.zeros(231)]
    grade = np.repeat(["0-1", "2", "3-4"] * 2, [3, 14, 20, 92, 94, 45])
    columns = np.column_stack([grade == "2", grade == "3-4"]).astype(float)
    statistic, df, _ = score_test(columns, outcome)
    assert (round(statistic, 2), df) == (24.83, 2)


@pytest.mark.parametrize(
    ("with_event", "with_other", "printed"),
    [(34, 217, 0.595), (100, 320, 0.573), (27, 25, 0.588), (66, 382, 0.641)],
)
def test_the_area_of_a_binary_factor_is_the_mean_of_sensitivity_and_specificity(
    with_event, with_other, printed
):
    outcome, sign = counted(with_event, 117, with_other, 452)
    values = pd.Series(np.where(sign == 1, "yes", "no"))
    marker = learn_marker("sign", Term("sign", "factor", levels=("no", "yes")), values, outcome)
    scores = marker.scores(values)
    area = auroc(outcome, scores)
    called = scores >= marker.cut
    sensitivity, specificity = called[outcome == 1].mean(), (~called[outcome == 0]).mean()
    assert area == pytest.approx((sensitivity + specificity) / 2)
    assert round(area, 3) == printed


def rong_example() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "age": [80.0],
            "bmd_beyond_3_5": ["no"],
            "trauma": ["yes"],
            "pfo": ["yes"],
            "pdw": [12.8],
            "chloride": [105.0],
            "mvh_restored": ["no"],
        }
    )


def test_the_printed_nomogram_gives_the_points_of_the_example():
    model = read_model(PUBLISHED / "rong2025_points.yaml")
    rows = rong_example()
    assert round(float(model.total_points(rows)[0]), 2) == 183.89
    nomogram = build_nomogram(model)
    assert round(float(points_of(nomogram, model, rows)[0]), 2) == 183.89
    table = points_table(nomogram).set_index("predictor")
    assert table.loc["age", "per_unit"].iloc[0] == pytest.approx(-0.95)
    assert table.loc["pdw", "per_unit"].iloc[0] == pytest.approx(3.47)


def test_points_alone_give_a_risk_only_with_two_anchors():
    model = read_model(PUBLISHED / "rong2025_points.yaml")
    assert not model.has_risk
    with refusal("points-without-anchors", StudyError):
        model.risk(rong_example())
    with refusal("points-without-anchors", StudyError, match="Found: 1 anchors"):
        replace(model, anchors=((100, 0.1),)).risk(rong_example())
    anchored = replace(model, anchors=((100, 0.1), (200, 0.5)))
    slope = (0 - math.log(0.1 / 0.9)) / 100
    points = float(anchored.total_points(rong_example())[0])
    expected = 1 / (1 + math.exp(-slope * (points - 200)))
    assert anchored.risk(rong_example())[0] == pytest.approx(expected)
    assert len(build_nomogram(anchored).risks) > 3


def test_the_full_equation_takes_the_recovery_rate_as_a_fraction():
    model = read_model(PUBLISHED / "rong2025.yaml")
    rows = rong_example().assign(
        sex="female",
        height=155.0,
        ldh=210.0,
        cement_volume=4.0,
        lower_edge="yes",
        avh_restored="no",
        recovery_rate=30.0,
    )
    by_hand = 8.689 - 0.038 * 80 + 0.012 * 155 + 0.797 + 1.804 + 0.139 * 12.8 - 0.097 * 105
    by_hand += 0.002 * 210 - 0.194 * 4 - 0.205 - 0.452 * 0.30
    assert model.linear_predictor(rows)[0] == pytest.approx(by_hand)
    assert model.risk(rows)[0] == pytest.approx(1 / (1 + math.exp(-by_hand)))
    # The linear predictor at the training means is -1.84; that is a risk of .137.
    assert round(1 / (1 + math.exp(1.84)), 3) == 0.137
    # As per cent the same row would have a risk of nearly nothing.
    wrong = rows.assign(recovery_rate=3000.0)
    assert model.risk(wrong)[0] < 1e-4 < model.risk(rows)[0]


def test_a_cut_chosen_anew_gives_the_validation_of_rong2025():
    """89 of 117 and 321 of 452 in the fit; 11 of 17 and 56 of 61 at .379 in place of .184."""
    fitted = np.r_[np.ones(117), np.zeros(452)]
    risk = pd.Series(np.repeat([0.184, 0.1, 0.184, 0.1], [89, 28, 131, 321]))
    marker = learn_marker("model", None, risk, fitted)
    who = np.arange(len(fitted))
    row = dict(zip(COLUMNS, roc_row(marker, risk, fitted, who, "training", 0.95), strict=True))
    assert (round(row["sensitivity"], 3), round(row["specificity"], 3)) == (0.761, 0.710)
    later = np.r_[np.ones(17), np.zeros(61)]
    new = pd.Series(np.repeat([0.379, 0.2, 0.1, 0.379, 0.2, 0.1], [11, 3, 3, 5, 20, 36]))
    who = np.arange(len(later))
    given = (new, later, who, "validation", 0.95)
    kept = dict(zip(COLUMNS, roc_row(marker, *given), strict=True))
    anew = learn_marker("model", None, new, later)
    chosen = dict(zip(COLUMNS, roc_row(anew, *given, chosen_on="validation"), strict=True))
    assert (kept["cut"], chosen["cut"]) == (">= 0.184", ">= 0.379")
    assert (round(chosen["sensitivity"], 3), round(chosen["specificity"], 3)) == (0.647, 0.918)
    assert chosen["youden"] > kept["youden"]


#: Printed B, SE, Wald, OR and limits of li2021, table 4.
LI = [
    ("cleft", 1.332, 0.598, 4.973, 3.790, 1.175, 12.227),
    ("grade 2", 1.758, 0.681, 6.66, 5.804, 1.527, 22.064),
    ("grade 3-4", 2.622, 0.674, 15.12, 13.767, 3.671, 51.638),
]


@pytest.mark.parametrize("row", LI, ids=[row[0] for row in LI])
def test_ratios_follow_from_the_printed_coefficients(row):
    _, b, se, wald, ratio, low, high = row
    assert (b / se) ** 2 == pytest.approx(wald, abs=0.02)
    assert math.exp(b) == pytest.approx(ratio, rel=1e-3)
    z = 1.959963984540054
    assert math.exp(b - z * se) == pytest.approx(low, rel=4e-3)
    assert math.exp(b + z * se) == pytest.approx(high, rel=4e-3)


def test_the_published_model_of_li2021_gives_its_ratios_and_risk():
    model = read_model(PUBLISHED / "li2021.yaml")
    rows = pd.DataFrame(
        {
            "ivc": ["no", "yes", "no", "no", "no"],
            "pfo": ["no", "no", "yes", "no", "no"],
            "goutallier": ["0-1", "0-1", "0-1", "2", "3-4"],
            "cement": "spongy",
        }
    )
    lp = model.linear_predictor(rows)
    ratios = np.exp(lp[1:] - lp[0])
    np.testing.assert_allclose(ratios, [3.790, 3.965, 5.804, 13.767], rtol=2e-3)
    assert lp[0] == pytest.approx(-3.361)
    blocky = model.linear_predictor(rows.head(1).assign(cement="blocky"))
    assert math.exp(blocky[0] - lp[0]) == pytest.approx(2.225, rel=1e-3)
    assert model.leaks


def test_hosmer_lemeshow_of_rong2025_has_eight_degrees_of_freedom_on_its_own_rows():
    assert round(stats.chi2.sf(6.354, 8), 3) == 0.608
    assert round(stats.chi2.sf(7.240, 8), 3) == 0.511
    assert round(stats.chi2.sf(7.240, 10), 3) == 0.703


def test_the_printed_grouped_wald_test_fits_its_two_coefficients():
    """16.12 follows from the printed B and SE with the covariance that a shared reference gives."""
    b, errors = np.array([0.0, 1.758, 2.622]), np.array([0.681, 0.674])

    def statistic(covariance: float) -> float:
        shared = np.diag([1.0, *errors**2])
        shared[1, 2] = shared[2, 1] = covariance
        return wald_test(b, shared, slice(1, 3))[0]

    # Of the reference level: 3 events and 92 others (Woolf), without the other predictors.
    of_reference = 1 / 3 + 1 / 92
    found = brentq(lambda one: statistic(one) - 16.12, 0.31, 0.45)
    assert found == pytest.approx(of_reference, rel=0.15)
    assert round(stats.chi2.sf(16.12, 2), 4) == 0.0003


def test_a_published_model_is_found_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = read_model(PUBLISHED / "rong2025_points.yaml")
    found = read_model("rong2025_points.yaml")
    assert model_facts(found) == model_facts(own)
    with refusal("model-file-missing", StudyError):
        read_model("rong2026.yaml")
    with refusal("model-file-missing", StudyError):
        read_model("elsewhere/rong2025_points.yaml")
    # A file of one's own with this name comes first.
    (tmp_path / "rong2025_points.yaml").write_text("schema: none of these\n")
    with refusal("model-file-breaks-schema", StudyError):
        read_model("rong2025_points.yaml")


def test_judge_takes_a_models_file(tmp_path):
    rows = pd.concat([rong_example()] * 40, ignore_index=True)
    rows["age"] = np.arange(50, 90)
    rows["pain"] = (np.arange(40) % 3 == 0).astype(int)
    rows.to_csv(tmp_path / "own.csv", index=False)
    given = [tmp_path / "own.csv", "--outcome", "pain", "--resamples", 100]
    model = ["--model", PUBLISHED / "rong2025_points.yaml", "--out-dir", tmp_path / "judged"]
    main(_arguments().parse_args([str(one) for one in [*given, *model]]))
    found = pd.read_csv(tmp_path / "judged" / "predictions.csv")
    assert found["points"].diff().dropna().round(6).eq(-0.95).all()
    area = pd.read_csv(tmp_path / "judged" / "metrics.csv").set_index("metric").loc["auroc"]
    assert area["value"] == pytest.approx(auroc(rows["pain"].to_numpy(), -rows["age"].to_numpy()))
    both = _arguments().parse_args([str(one) for one in [*given, *model, "--scores", "age"]])
    with refusal("model-judged-beside-others", StudyError):
        main(both)
