"""Validation: updates, groups, what cannot be said, the updated model, the command and its page."""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.special import expit, logit

from models.regression.publishing.model_file import model_facts, model_from, read_model
from models.scoring.performance import Sample
from models.subgroups.groups import FEWEST, group_table
from models.validation import figures, updating
from models.validation.recalibration import INTERCEPT, METHODS, SLOPE, closed_test, recalibrate
from models.validation.updated_model import updated_model
from models.validation.validate import size_of
from models.validation.validation_sample_size import (
    auroc_variance,
    needed_for_auroc,
    needed_for_net_benefit,
    needed_for_ratio,
    needed_for_slope,
)
from pipeline.core.errors import StudyError
from tests.support.commands import run_here
from tests.support.refusals import refusal

HOW = {"confidence": 0.95, "n_resamples": 40, "seed": 2}


def drawn(n: int = 1500, intercept: float = 0.0, slope: float = 1.0, seed: int = 4) -> Sample:
    """Return risks whose truth is intercept + slope x their logit."""
    rng = np.random.default_rng(seed)
    lp = rng.normal(-1.2, 1.1, n)
    outcome = (rng.random(n) < expit(intercept + slope * lp)).astype(int)
    return Sample(outcome, expit(lp), np.arange(n), 0.3)


def test_an_update_finds_what_is_wrong():
    sample = drawn(6000, intercept=-0.6, slope=0.7)
    update = recalibrate(sample.outcome, sample.probability, sample.patients, SLOPE)
    (low, high), (slope_low, slope_high) = update.limits(0.95)
    assert low < -0.6 < high
    assert slope_low < 0.7 < slope_high
    risk = update.risk(sample.probability)
    assert risk.mean() == pytest.approx(sample.outcome.mean(), abs=1e-8)
    again = recalibrate(sample.outcome, risk, sample.patients, SLOPE)
    assert (again.intercept, again.slope) == pytest.approx((0, 1), abs=1e-6)


def test_patients_of_the_models_own_population_need_no_update():
    chosen = [closed_test(updating.updates_of(drawn(1500, seed=seed)))[0] for seed in range(8)]
    assert chosen.count(METHODS[0]) >= 6


def test_an_updated_model_is_calibrated_in_further_patients():
    first, second = (drawn(4000, -0.8, 0.6, seed) for seed in (1, 2))
    assert closed_test(updating.updates_of(second))[0] == SLOPE
    update = recalibrate(first.outcome, first.probability, first.patients, SLOPE)
    risk = update.risk(second.probability)
    further = recalibrate(second.outcome, risk, second.patients, SLOPE)
    assert further.slope == pytest.approx(1, abs=0.1)


def test_a_shift_alone_is_met_by_the_intercept():
    assert closed_test(updating.updates_of(drawn(3000, intercept=-0.7)))[0] == INTERCEPT


def test_the_interval_of_the_slope_covers():
    """95% of 100 is 95, with a binomial SD of 2.2."""
    covered = 0
    for seed in range(100):
        sample = drawn(400, slope=0.8, seed=seed)
        update = recalibrate(sample.outcome, sample.probability, sample.patients, SLOPE)
        low, high = update.limits(0.95)[1]
        covered += low <= 0.8 <= high
    assert covered >= 90


def test_rows_of_one_patient_count_once():
    sample = drawn(300)
    given = sample.outcome, sample.probability, sample.patients
    twice = [np.repeat(each, 2) for each in given]
    one, two = recalibrate(*given, SLOPE), recalibrate(*twice, SLOPE)
    assert two.slope == pytest.approx(one.slope)
    assert two.covariance[1, 1] == pytest.approx(one.covariance[1, 1], rel=0.25)


@pytest.mark.parametrize(
    ("outcome", "probability", "code", "found"),
    [
        ([0, 0, 0, 0], [0.1, 0.2, 0.3, 0.4], "update-one-outcome", "0 events among 4 rows"),
        (
            [0, 1, 0, 1],
            [0.3, 0.3, 0.3, 0.3],
            "calibration-slope-inestimable",
            "all risks are equal",
        ),
        ([0, 0, 1, 1], [0.1, 0.2, 0.7, 0.9], "calibration-slope-inestimable", ""),
    ],
)
def test_what_cannot_be_updated_says_why(outcome, probability, code, found):
    sample = Sample(np.array(outcome), np.array(probability), np.arange(4), 0.5)
    with refusal(code, StudyError, match=found):
        recalibrate(sample.outcome, sample.probability, sample.patients, SLOPE)
    estimate = figures.validation_estimates(sample, **HOW)
    assert math.isnan(estimate["joint_intercept"].value)
    assert estimate["e90"].method == "undefined: fewer than 20 rows"


def test_the_table_of_updates_has_needs_and_a_suggestion():
    table = updating.update_table("m", drawn(800, -0.8), parameters=5, **HOW).set_index("method")
    assert table["suggested"].fillna(False).sum() == 1
    needed = table["needed"]
    assert needed["intercept"] < needed["intercept and slope"]
    assert needed["refit"] > 0
    shifted = table.loc["intercept"]
    assert shifted["brier"] < table.loc["as it is", "brier"]
    # What an update gains on its own rows is taken off again.
    assert shifted["brier_corrected"] > shifted["brier"]
    assert pd.isna(updating.update_table("m", drawn(800), **HOW).iloc[-1]["needed"])


def test_an_update_that_is_not_there_is_told():
    flat = Sample(np.array([0, 1] * 20), np.full(40, 0.4), np.arange(40), 0.5)
    table = updating.update_table("m", flat, **HOW).set_index("method")
    assert table.loc[SLOPE, "note"].startswith("not done: A calibration slope needs risks")
    assert table["suggested"].isna().all()
    assert pd.isna(table.loc[SLOPE, "needed"])


def test_groups_have_figures_where_they_are_large_enough():
    sample = drawn(400)
    groups = np.where(np.arange(400) < 15, "small", np.where(np.arange(400) < 200, "a", "b"))
    table = group_table("m", sample, {"site": groups}, 0.95)
    small = table[table["group"] == "small"]
    assert small["value"].isna().all()
    assert set(small["method"]) == {f"fewer than {FEWEST} with or without the event"}
    own = table[(table["group"] == "a") & (table["metric"] == "oe_ratio")].iloc[0]
    kept = groups == "a"
    expected = sample.outcome[kept].sum() / sample.probability[kept].sum()
    assert own["value"] == pytest.approx(expected)
    assert own["rows"] == kept.sum()
    doubled = Sample(sample.outcome, sample.probability, np.arange(400) // 2, 0.3)
    table = group_table("m", doubled, {"site": groups}, 0.95).set_index(["group", "metric"])
    assert "not independent" in table.loc[("b", "oe_ratio"), "method"]


def test_a_larger_width_needs_fewer_and_its_interval_has_it():
    n = needed_for_auroc(0.75, 0.2, 0.1)
    assert 2 * 1.96 * math.sqrt(auroc_variance(0.75, 0.2, n)) <= 0.1
    assert 2 * 1.96 * math.sqrt(auroc_variance(0.75, 0.2, n - 1)) > 0.1
    assert needed_for_ratio(0.2, 0.4) < needed_for_ratio(0.2, 0.2)
    assert needed_for_slope(np.full(9, -1.0)) is None
    assert needed_for_auroc(1.0, 0.2) is None
    assert needed_for_auroc(0.7, 0.5, 3.9) == 2
    with refusal("validation-size-invalid"):
        needed_for_net_benefit(0.8, 0.8, 0.0, 0.2)
    perfect = Sample(np.array([0, 1]), np.array([0.0, 1.0]), np.arange(2), 0.5)
    assert size_of(perfect)["needed"]["auroc"] is None


MODEL = {
    "schema": "vertebromics-regression-model/1",
    "title": "A model",
    "outcome": "pain",
    "intercept": -1.0,
    "predictors": [
        {"name": "age", "type": "continuous", "coefficients": [0.02]},
        {"name": "sex", "type": "factor", "levels": ["m", "f"], "coefficients": [0.5]},
    ],
    "covariance": [[0.1, 0.0, 0.0], [0.0, 0.001, 0.0], [0.0, 0.0, 0.05]],
    "linear_predictor_range": [-2.0, 2.0],
    "worth": [{"name": "AUROC", "value": 0.7, "low": 0.6, "high": 0.8, "method": "test"}],
}
POINTS = {
    "schema": "vertebromics-regression-model/1",
    "title": "Points",
    "outcome": "pain",
    "predictors": [{"name": "age", "type": "continuous", "points_per_unit": 1.0, "zero_at": 40.0}],
}


def test_an_updated_model_keeps_the_old_one_and_shifts_its_logits():
    model = model_from(MODEL, "m")
    sample = drawn(300, -0.5, 0.8)
    update = recalibrate(sample.outcome, sample.probability, sample.patients, SLOPE)
    told = {"validation": "temporal", "rows": 300, "events": int(sample.outcome.sum())}
    new = updated_model(model, update, **told)
    rows = pd.DataFrame({"age": [50.0, 80.0], "sex": ["m", "f"]})
    expected = update.intercept + update.slope * model.linear_predictor(rows)
    assert new.linear_predictor(rows) == pytest.approx(expected, rel=1e-12)
    # Read back from its file, it is the same, and the old one inside is the one that it was.
    again = model_from(model_facts(new), "again")
    assert again.linear_predictor(rows) == pytest.approx(expected, rel=1e-12)
    assert model_facts(model_from(again.updated["original"], "old")) == model_facts(model)
    assert not new.worth
    assert new.updated["validation"] == "temporal"
    # Its risks are less sure than those of the old one: the update has an error too.
    design = np.array([1.0, 50.0, 0.0])
    own = design @ new.covariance @ design
    assert own > update.slope**2 * (design @ model.covariance @ design)


def test_anchors_of_points_move_with_the_update():
    anchors = [{"points": 10, "risk": 0.1}, {"points": 40, "risk": 0.5}]
    model = model_from(POINTS | {"anchors": anchors}, "p")
    sample = drawn(300, -0.5)
    update = recalibrate(sample.outcome, sample.probability, sample.patients, INTERCEPT)
    new = updated_model(model, update, validation="internal", rows=300, events=80)
    rows = pd.DataFrame({"age": [55.0]})
    moved = logit(new.risk(rows)) - logit(model.risk(rows))
    assert moved == pytest.approx(update.intercept)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    sample = drawn(300, -0.4)
    rng = np.random.default_rng(1)
    folder = tmp_path_factory.mktemp("judged")
    pd.DataFrame(
        {
            "pain": sample.outcome,
            "risk": sample.probability,
            "site": np.where(rng.random(300) < 0.5, "north", "south"),
            "age": rng.normal(70, 8, 300).round(),
            "sex": np.where(rng.random(300) < 0.5, "m", "f"),
        }
    ).to_csv(folder / "table.csv", index=False)
    (folder / "model.yaml").write_text(yaml.safe_dump(MODEL))
    return folder


def judge(folder, *words):
    return run_here(
        "models.judge", "table.csv", "--outcome", "pain", "--resamples", "100",
        "--out-dir", "out", *words, cwd=folder,
    )  # fmt: skip


def test_the_page_says_first_which_validation_it_is(table):
    done = judge(table, "--probabilities", "risk", "--validation", "geographical", "--by", "site")
    assert done.returncode == 0, done.stderr
    page = (table / "out" / "validation.html").read_text(encoding="utf-8")
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.split("<main", 1)[1]))
    assert text.index("Geographical validation") < 80
    assert "another hospital" in text
    assert "Subgroups and sites" in text
    shown = pd.read_csv(table / "out" / "tables" / "validation-figures.csv")
    assert shown["metric"].tolist()[-1] == "emax"
    assert len(shown) == 11
    groups = pd.read_csv(table / "out" / "groups.csv")
    assert set(groups["group"]) == {"north", "south"}


def test_a_models_file_is_validated_and_written_updated(table):
    done = judge(table, "--model", "model.yaml", "--validation", "temporal")
    assert done.returncode == 0, done.stderr
    for name in ("model_intercept.json", "model_slope.json"):
        new = read_model(table / "out" / name)
        assert new.updated["validation"] == "temporal"
        assert model_facts(model_from(new.updated["original"], "old"))["title"] == "A model"
    updates = pd.read_parquet(table / "out" / "updates.parquet").set_index("method")
    assert read_model(table / "out" / "model_slope.json").coefficients[0] == pytest.approx(
        updates.loc[SLOPE, "intercept"] - updates.loc[SLOPE, "slope"]
    )
    assert updates.loc["refit", "needed"] > 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--probabilities", "risk", "--by", "site"], "--by without --validation"),
        (
            ["--probabilities", "risk", "--validation", "internal", "--fitted-here"],
            "--validation beside --fitted-here",
        ),
        (["--scores", "risk", "--validation", "internal"], "a score has no calibration"),
        (
            ["--probabilities", "risk", "--validation", "internal", "--by", "sites"],
            "A column of subgroups must be in the table",
        ),
        (
            ["--probabilities", "risk", "--validation", "internal", "--by", "age"],
            "A column of subgroups must have 2 to 20 values",
        ),
    ],
)
def test_what_makes_no_validation_is_refused(table, words, told):
    done = judge(table, *words)
    assert done.returncode == 1
    assert told in done.stderr


def test_points_without_a_risk_axis_cannot_be_validated(table):
    (table / "points.yaml").write_text(yaml.safe_dump(POINTS))
    done = judge(table, "--model", "points.yaml", "--validation", "internal")
    assert done.returncode == 1
    assert "this model gives points alone" in done.stderr
