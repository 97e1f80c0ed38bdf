"""The fits that a study asks for, from its configuration alone."""

from __future__ import annotations

import pytest

from models.plan import ablation_steps, described, planned_fits
from models.repetitions.ablation_steps import CHAIN_STEPS, plan_steps
from models.transformers.columns import Columns
from pipeline.study.config import load_config
from pipeline.tables.features.feature_names import FILTER_FAMILIES
from tests.support.commands import run_here
from tests.support.options import typed


@pytest.fixture
def config(repository):
    return load_config([repository / "config" / "demo-tables.yaml"])


def test_the_fits_of_a_study_by_hand(config):
    """Five sets over five folds, the best once more per fold, and the final fit; TabNet twice."""
    planned = planned_fits(typed(config))
    assert planned["train"] == {"lr": 31, "svm": 31, "rf": 31, "xgboost": 31, "tabnet": 56}
    # Two more searches and fits: clinical alone, radiomics alone; of whichever model wins.
    assert planned["added_value"] == {name: 2 * fits for name, fits in planned["train"].items()}
    assert planned["nested"] == dict.fromkeys(("lr", "svm", "rf", "xgboost", "tabnet"), 5)
    assert planned["optimism"] == {"lr": 11}
    # The full model, five highest, two blocks, two families, one step; two seeds and five folds.
    assert ablation_steps(typed(config).ablation) == 11
    assert planned["ablate"] == {"tabnet": 11 * (2 + 5)}


@pytest.mark.parametrize(
    ("changes", "fits"),
    [
        ({"added_value": {"search": "fixed", "risk": None}}, 2),
        # With fewer sets the arm of all candidates is fitted again too: 3 x (2 sets + 1) x 5 folds.
        ({"added_value": {"search": "reduced", "risk": None}}, 3 * 16),
        # Two arms search once on all rows; then three arms in five folds.
        ({"primary": {"model": "lr", "part": "nested", "metric": "auroc"}}, 2 * 31 + 3 * 5),
    ],
)
def test_the_arms_of_the_added_value_are_counted(config, changes, fits):
    config["search"]["reduced_iterations"] = 2
    config |= {"primary": {"model": "lr", "part": "test", "metric": "auroc"}} | changes
    assert planned_fits(typed(config))["added_value"] == {"lr": fits}


@pytest.mark.parametrize(
    ("changes", "fits"),
    [
        ({}, 11 * 16),  # true features and two kinds of five draws: (2 sets + 1) x 5 folds + 1
        ({"primary": {"model": "lr", "part": "nested", "metric": "auroc"}}, 5 * 11 * 16),
    ],
)
def test_controls_are_counted_with_what_they_extract(config, changes, fits):
    config["search"]["reduced_iterations"] = 2
    config |= {"primary": {"model": "lr", "part": "test", "metric": "auroc"}} | changes
    assert planned_fits(typed(config))["controls"] == {}
    config["controls"] |= {"kinds": ["shuffled_inside", "sampled_inside"]}
    assert planned_fits(typed(config))["controls"] == {"lr": fits}
    assert described(typed(config))[-1] == (
        "control_features (no fits): extracts every mask 10 times more, about 3 s a mask with "
        "ge2025.yaml"
    )


@pytest.mark.parametrize(
    ("search", "rule", "fits"), [("fixed", "fixed", 2), ("full", "youden", 57)]
)
def test_thresholds_and_searches_count_in_every_step(config, search, rule, fits):
    config["ablation"]["search"] = search
    config["evaluation"]["threshold_rule"] = rule
    assert planned_fits(typed(config))["ablate"] == {"tabnet": 11 * fits}


def test_all_families_and_steps_are_counted(config):
    config["ablation"] |= {"families": "all", "steps": "all", "single": 3, "features": ["age"]}
    rest = 1 + 5 + 3 + 1 + 2
    assert ablation_steps(typed(config).ablation) == rest + len(FILTER_FAMILIES) + len(CHAIN_STEPS)
    config["ablation"]["where"] = "signature"
    # Filters are not applied to a fixed signature: scaling and oversampling are left.
    assert ablation_steps(typed(config).ablation) == rest + len(FILTER_FAMILIES) + 2


def test_no_plan_of_real_candidates_holds_more_steps(config):
    config["ablation"] |= {"families": "all", "steps": "all"}
    features = ("original_shape_MeshVolume", "original_glcm_Id", "wavelet-LLH_glcm_Id")
    columns = Columns(("A", "B"), "A", features, ())
    steps = plan_steps(columns, list(features), list(features), typed(config))
    assert len(steps) <= ablation_steps(typed(config).ablation)


def test_a_study_without_outcome_fits_nothing(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text("study: s\nfeatures: {A: a.csv}\n", encoding="utf-8")
    done = run_here("models.plan", "--configfile", path)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_the_command_prints_the_plan(repository):
    done = run_here("models.plan", "--configfile", "config/demo-tables.yaml", cwd=repository)
    assert done.returncode == 0
    assert "ablate (11 steps a model): tabnet 77" in done.stdout
    assert "train: lr 31, svm 31, rf 31, xgboost 31, tabnet 56" in done.stdout
