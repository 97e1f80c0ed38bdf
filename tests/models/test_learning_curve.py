"""The learning curve learns from what it says, judges on others, and rises where it must."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from models import plan
from models.learning.procedure import Procedure
from models.learning_curve import PARTS, learning_curve, run_task, tasks_of
from models.transformers.columns import Columns, Predictor
from pipeline.core.errors import FitError, StudyError
from pipeline.reporting.results import Learning
from pipeline.reporting.sections.prediction.learning import learning_section, mean_curve
from pipeline.study.changed import with_option
from pipeline.study.config import resolve_config
from tests.support.options import typed
from tests.support.refusals import refusal

CONFIG = {
    "study": "curve",
    "clinical": "c.csv",
    "dictionary": "d.csv",
    "clinical_only": True,
    "outcome": {"name": "pain", "formula": "vas >= 5"},
    "models": ["lr"],
    "selection": {"clinical": {"p": None}},
    "learning_curve": {"models": ["lr"], "shares": [1.0, 0.1, 0.4], "repeats": 6},
    "nested": {"models": []},
    "optimism": {"models": []},
    "ablation": {"models": []},
}


@pytest.fixture(scope="module")
def config() -> dict:
    return resolve_config(CONFIG)


@pytest.fixture(scope="module")
def training() -> pd.DataFrame:
    """Return 300 patients, some with two rows, whose outcome follows three of fifteen columns."""
    rng = np.random.default_rng(3)
    names = [f"x{at}" for at in range(15)]
    table = pd.DataFrame(rng.normal(size=(300, 15)), columns=names)
    logit = 1.2 * table["x0"] - table["x1"] + 0.8 * table["x2"] - 0.5
    table["outcome"] = (rng.random(300) < 1 / (1 + np.exp(-logit))).astype(int)
    table["patient_id"] = [f"P{at - at % 2 if at < 40 else at:03d}" for at in range(300)]
    return table.assign(unit_id=[f"u{at:03d}" for at in range(300)])


@pytest.fixture(scope="module")
def procedure(config) -> Procedure:
    predictors = [Predictor(f"x{at}", f"x{at}", "continuous") for at in range(15)]
    columns = Columns((), None, (), tuple(predictors))
    return Procedure("lr", columns, typed(config), "fixed", {"C": 100.0, "l1_ratio": 0.0})


@pytest.fixture(scope="module")
def curve(procedure, training) -> tuple[pd.DataFrame, dict]:
    return learning_curve(procedure, training, procedure.options.learning_curve)


def test_nobody_judges_who_was_learned_from_and_shares_are_nested(training, config):
    patients = training["patient_id"].to_numpy()
    tasks = tasks_of(training, typed(config).learning_curve, config["seed"], "lr")
    assert [task.share for task in tasks[:3]] == [0.1, 0.4, 1.0]
    assert len(tasks) == 18
    for first, second in pairwise(tasks):
        assert not set(patients[first.learned]) & set(patients[first.judged])
        if first.repeat == second.repeat:
            assert set(first.learned) < set(second.learned)
            assert np.array_equal(first.judged, second.judged)
    whole = tasks[2]
    assert len(whole.learned) + len(whole.judged) == len(training)
    assert len({tuple(task.judged) for task in tasks[::3]}) == 6
    assert len(whole.judged) == pytest.approx(len(training) / PARTS, rel=0.25)


def test_a_share_holds_its_part_of_both_outcomes(training, config):
    tenth, _, whole = tasks_of(training, typed(config).learning_curve, config["seed"], "lr")[:3]
    outcome, patients = training["outcome"].to_numpy(), training["patient_id"].to_numpy()
    for value in (0, 1):
        few, many = (
            len(np.unique(patients[task.learned][outcome[task.learned] == value]))
            for task in (tenth, whole)
        )
        assert few == pytest.approx(0.1 * many, abs=4)


def test_the_curve_rises_and_what_flatters_falls(curve):
    table, facts = curve
    means = mean_curve(table).set_index("share")
    assert means.loc[1.0, "auroc"] > means.loc[0.1, "auroc"] + 0.05
    # On the rows learned from, a few patients and fifteen columns look perfect.
    assert means.loc[0.1, "auroc_own"] > means.loc[1.0, "auroc_own"]
    assert means["patients"].is_monotonic_increasing
    assert facts["fits"] == 18
    assert facts["shares"] == [0.1, 0.4, 1.0]


def test_the_same_seed_gives_the_same_curve(procedure, training, curve):
    twice = replace(procedure.options.learning_curve, repeats=2)
    again, _ = learning_curve(procedure, training, twice)
    pd.testing.assert_frame_equal(again, curve[0].iloc[: len(again)])


def test_a_share_that_is_too_small_says_why(procedure, training):
    searching = Procedure("lr", procedure.columns, procedure.options, "reduced")
    task = tasks_of(training, procedure.options.learning_curve, procedure.options.seed, "lr")[0]
    few = task._replace(learned=task.learned[training["outcome"].iloc[task.learned] == 0])
    assert "both outcomes" in run_task((searching, training), few)


def test_a_study_of_too_few_events_is_refused(procedure, training):
    rare = training.assign(outcome=(np.arange(len(training)) % 150 == 7).astype(int))
    with refusal("fold-without-both-outcomes", FitError):
        learning_curve(procedure, rare, procedure.options.learning_curve)


def test_its_fits_are_counted_before_the_run(config):
    assert plan.planned_fits(typed(config))["learning_curve"] == {"lr": 18}
    assert any("learning_curve: lr 18" in line for line in plan.described(typed(config)))
    off = with_option(typed(config), "learning_curve.models", [])
    assert not any("learning_curve" in line for line in plan.described(typed(off)))


def test_a_model_that_is_not_trained_has_no_curve():
    bad = CONFIG | {"learning_curve": {"models": ["rf"]}}
    with refusal(
        "model-not-trained", StudyError, match="A model can only be given a learning curve if"
    ):
        resolve_config(bad)


def test_the_page_says_whether_it_still_rises(curve):
    table, facts = curve
    done = Learning(table, facts | {"status": "fitted", "reason": None})

    def blocks(learning: Learning) -> list:
        modelling = SimpleNamespace(learning={"lr": learning})
        return list(learning_section(SimpleNamespace(modelling=modelling)).all_blocks())

    paragraph, figure, shown = blocks(done)
    assert "it still rose" in paragraph.text
    assert "6 times" in paragraph.text
    assert "Patients learned from" in figure.svg
    assert len(shown.shown) == 3
    flat = done.table.assign(auroc=0.7)
    assert "may help little" in blocks(replace(done, table=flat))[0].text
    noisy = flat.assign(auroc=0.7 + 0.05 * np.where(flat["share"] == 1, flat["repeat"] - 2.5, 0))
    assert "would help is open" in blocks(replace(done, table=noisy))[0].text
    lost = Learning(table.iloc[:0], {"status": "not_fitted", "reason": "too few"})
    (said,) = blocks(lost)
    assert said.text == "Logistic regression: not drawn. too few"
    nobody = SimpleNamespace(modelling=SimpleNamespace(learning={}))
    assert not learning_section(nobody).blocks
