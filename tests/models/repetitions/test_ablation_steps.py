from __future__ import annotations

import copy

import pandas as pd
import pytest
import yaml

from models.repetitions.ablation_steps import CHAIN_STEPS, plan_steps, top_candidates
from models.transformers.columns import Columns
from pipeline.core.errors import StudyError
from pipeline.tables.features.feature_names import filter_family
from tests.support.options import typed
from tests.support.refusals import refusal

SHAPE, ORIGINAL = "original_shape_Sphericity", "original_glcm_Idm"
LOG, WAVELET = "log-sigma-1-0-mm-3D_glszm_ZoneEntropy", "wavelet-LLH_firstorder_Mean"
FEATURES = (SHAPE, ORIGINAL, LOG, WAVELET, "wavelet-HHH_firstorder_Mean")
PREDICTORS = [
    {"column": "trauma", "label": "Trauma", "type": "categorical", "levels": "none|fall|crash"},
    {"column": "age", "label": "Age", "type": "continuous", "levels": None},
]


@pytest.fixture(scope="module")
def config(repository) -> dict:
    return yaml.safe_load((repository / "config" / "default.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def columns() -> Columns:
    info = {"readers": ["A", "B"], "model_reader": "A", "features": FEATURES}
    return Columns.from_info(info | {"predictors": PREDICTORS})


def nothing(config: dict, **options: object) -> dict:
    """Return a configuration whose ablation removes what `options` say and nothing else."""
    changed = copy.deepcopy(config)
    changed["ablation"] |= {"top": 0, "single": 0, "blocks": [], "families": [], "steps": []}
    changed["ablation"] |= options
    return changed


def by_name(steps: list) -> dict:
    return {step.name: step for step in steps}


def test_levels_of_a_variable_count_together(columns):
    importance = pd.DataFrame(
        {
            "feature": [SHAPE, "trauma=crash", LOG, "trauma=fall", WAVELET],
            "importance": [0.4, 0.22, 0.25, 0.13, 0.0],
        }
    )
    # trauma's two columns have .35 together, more than LOG's .25; zero does not rank.
    assert top_candidates(importance, columns) == [SHAPE, "trauma", LOG]


def test_highest_features_go_in_turn_and_alone(columns, config):
    options = nothing(config, top=3, single=3)
    steps = by_name(plan_steps(columns, [SHAPE, "trauma", LOG], [], typed(options)))
    assert {name: step.removed for name, step in steps.items()} == {
        "full": (),
        "top-1": (SHAPE,),
        "top-2": (SHAPE, "trauma"),
        "top-3": (SHAPE, "trauma", LOG),
        "single-1": (SHAPE,),
        "single-2": ("trauma",),
        "single-3": (LOG,),
    }
    names = {name: set(step.columns.names) for name, step in steps.items()}
    assert names["full"] - names["top-2"] == {f"A:{SHAPE}", f"B:{SHAPE}", "trauma"}
    assert names["full"] - names["single-2"] == {"trauma"}
    # The highest alone is the first of the cumulative steps, and is not fitted twice.
    assert steps["single-1"].same_as == "top-1"
    fitted = [name for name, step in steps.items() if step.is_fitted]
    assert fitted == ["full", "top-1", "top-2", "top-3", "single-2", "single-3"]


def test_blocks_and_families_go_as_a_whole(columns, config):
    options = nothing(config, blocks=["radiomics", "clinical"], families="all")
    steps = by_name(plan_steps(columns, [], [], typed(options)))
    assert list(steps) == [
        *("full", "without-radiomics", "without-clinical"),
        *("without-shape", "without-original", "without-log", "without-wavelet"),
    ]
    assert set(steps["without-radiomics"].columns.names) == {"trauma", "age"}
    assert steps["without-clinical"].columns.clinical == []
    assert steps["without-wavelet"].columns.features == (SHAPE, ORIGINAL, LOG)
    assert steps["without-original"].columns.features == (SHAPE, LOG, *FEATURES[3:])
    assert steps["without-wavelet"].columns.clinical == ["trauma", "age"]


def test_the_only_family_leaves_the_same_as_its_block(columns, config):
    options = nothing(config, blocks=["radiomics"], families=["shape"])
    steps = by_name(plan_steps(columns.without(*FEATURES[1:]), [], [], typed(options)))
    assert steps["without-shape"].same_as == "without-radiomics"
    assert not steps["without-shape"].is_fitted


def test_steps_of_the_chain_change_the_configuration_alone(columns, config):
    options = typed(nothing(config, steps="all") | {"oversampling": "adasyn_tomek"})
    before = copy.deepcopy(options)
    steps = plan_steps(columns, [], [], options)
    assert [step.name for step in steps] == ["full", *(f"skip-{name}" for name in CHAIN_STEPS)]
    changed = {step.removed[0]: step.configure(options) for step in steps[1:]}
    assert changed["ccc"].selection.ccc.threshold is None
    assert changed["wilcoxon"].selection.wilcoxon.p is None
    assert changed["mrmr"].selection.mrmr.k is None
    assert changed["clinical_filter"].selection.clinical.p is None
    assert changed["scaling"].scaling.method == "none"
    assert changed["oversampling"].oversampling == "none"
    for step in steps[1:]:
        assert step.columns == columns
        assert step.configure(options) != before
    assert options == before
    assert steps[0].configure(options) == before


@pytest.mark.parametrize(
    ("skipped", "left", "why"),
    [
        ("oversampling", {}, "the study does without it"),
        ("ccc", {"readers": ["A"], "model_reader": None}, "the study has one reader"),
        ("clinical_filter", {"predictors": []}, "the study has no clinical candidate"),
        ("mrmr", {"features": []}, "the study has no radiomics candidate"),
    ],
)
def test_a_step_that_the_study_does_not_take_is_told_only_if_asked_for(config, skipped, left, why):
    info = {"readers": ["A", "B"], "model_reader": "A", "features": FEATURES}
    columns = Columns.from_info(info | {"predictors": PREDICTORS} | left)
    step = by_name(plan_steps(columns, [], [], typed(nothing(config, steps=[skipped]))))
    assert step[f"skip-{skipped}"].note == f"not done: {why}"
    assert not step[f"skip-{skipped}"].is_fitted
    every = by_name(plan_steps(columns, [], [], typed(nothing(config, steps="all"))))
    assert f"skip-{skipped}" not in every
    assert len(every) > 1


def test_steps_that_cannot_be_done_say_so(columns, config):
    options = nothing(config, top=2, single=2, families=["gradient"])
    steps = by_name(plan_steps(columns, [SHAPE], [], typed(options)))
    short = "not done: the importance of only 1 candidates is above zero"
    assert steps["top-2"].note == steps["single-2"].note == short
    assert steps["without-gradient"].note == "not done: the study has no gradient candidate"
    options = nothing(config, blocks=["clinical", "radiomics"])
    steps = by_name(plan_steps(columns.without_blocks("clinical"), [], [], typed(options)))
    assert steps["without-clinical"].note == "not done: the study has no clinical candidate"
    assert steps["without-radiomics"].note == "not done: no candidate is left to fit with"


def test_from_the_fixed_signature_nothing_else_may_step_in(columns, config):
    signature = [SHAPE, WAVELET, "trauma=fall", "trauma=crash"]
    options = nothing(
        config,
        where="signature",
        top=1,
        features=[LOG],
        families=["wavelet", "log"],
        steps=["mrmr", "scaling"],
    )
    steps = by_name(plan_steps(columns, ["trauma"], signature, typed(options)))
    assert steps["full"].columns.features == (SHAPE, WAVELET)
    assert steps["full"].columns.clinical == ["trauma"]
    assert steps["top-1"].columns.names == [f"{r}:{f}" for r in "AB" for f in (SHAPE, WAVELET)]
    assert steps["without-wavelet"].columns.features == (SHAPE,)
    for name in ("full", "top-1", "without-wavelet", "skip-scaling"):
        chosen = steps[name].configure(typed(options)).selection
        assert chosen.ccc.threshold is chosen.wilcoxon.p is chosen.mrmr.k is None
        assert chosen.clinical.p is None
    assert steps["skip-scaling"].configure(typed(options)).scaling.method == "none"
    notes = {name: step.note for name, step in steps.items() if step.note}
    assert notes == {
        "named-1": "not done: it is not in the signature",
        "without-log": "not done: the signature has no log candidate",
        "skip-mrmr": "not done: the signature is fixed, so that no filter is applied",
    }


def test_an_empty_signature_has_nothing_to_remove(columns, config):
    steps = plan_steps(columns, [], [], typed(nothing(config, where="signature", top=3)))
    assert [step.note for step in steps] == ["not done: the full model selected nothing"]


def test_named_candidates_go_alone_and_unknown_ones_are_refused(columns, config):
    steps = by_name(plan_steps(columns, [], [], typed(nothing(config, features=[LOG, "age"]))))
    assert steps["named-1"].columns == columns.without(LOG)
    assert steps["named-2"].removed == ("age",)
    with refusal("ablated-feature-unknown", StudyError) as error:
        plan_steps(columns, [], [], typed(nothing(config, features=["agee"])))
    assert str(error.value) == (
        "An ablation can only remove candidates of the models. Found: agee. In: config key "
        "ablation.features. Remedy: perhaps `age` is meant."
    )
    with refusal(
        "ablated-feature-unknown", StudyError, match="clinical predictors by their column"
    ):
        plan_steps(columns, [], [], typed(nothing(config, features=["Q"])))


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("original_shape_MeshVolume", "shape"),
        ("original_shape2D_Perimeter", "shape"),
        ("original_firstorder_Mean", "original"),
        ("log-sigma-3-0-mm-3D_glcm_Idm", "log"),
        ("wavelet-LLH_glcm_Idm", "wavelet"),
        ("wavelet2-LLH_glcm_Idm", "wavelet"),
        ("gradient_glcm_Idm", "gradient"),
        ("squareroot_glcm_Idm", "squareroot"),
        ("logarithm_glcm_Idm", "logarithm"),
        ("lbp-3D-m1_glcm_Idm", "lbp"),
        ("own_glcm_Idm", None),
        ("-_glcm_Idm", None),
        ("bmd", None),
    ],
)
def test_the_name_of_a_feature_tells_its_family(name, family):
    assert filter_family(name) == family


def test_columns_keep_what_is_named(columns):
    kept = columns.only("trauma=crash", LOG)
    assert kept.features == (LOG,)
    assert kept.clinical == ["trauma"]
    with refusal("kept-not-a-candidate", StudyError, match="Found: nobody"):
        columns.only("nobody")
