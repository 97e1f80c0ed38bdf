"""Options: merged in their order, checked, and wrong ones told in the user's words."""

from __future__ import annotations

import os
import time

import pytest
import yaml

from pipeline.core.errors import MachineError, StudyError
from pipeline.study.config import (
    DEFAULTS,
    PROTOCOLS,
    load_config,
    load_yaml,
    merge,
    resolve_config,
)
from pipeline.study.config_checks import study_name_problem
from tests.support.refusals import refusal

IMAGES = {"study": "s", "cases": "cases.csv"}
MODELLED = {
    "study": "s",
    "features": {"A": "a.csv", "B": "b.csv"},
    "clinical": "clinical.csv",
    "dictionary": "dictionary.csv",
    "model_reader": "A",
    "outcome": {"name": "pain", "formula": "vas >= 4"},
}


def problem(**options) -> str:
    with pytest.raises(StudyError) as caught:
        resolve_config(MODELLED | options)
    return str(caught.value)


def test_null_switches_a_step_of_the_selection_off():
    off = {"ccc": {"threshold": None}, "wilcoxon": {"p": None}, "mrmr": {"k": None}}
    off |= {"clinical": {"p": None}}
    config = resolve_config(MODELLED | {"selection": off, "scaling": {"method": "none"}})
    for step, option in off.items():
        assert config["selection"][step] | option == config["selection"][step]
    assert config["scaling"]["method"] == "none"


REPLAYED = {"protocol": "ge2025", "mode": "as_published"}


def test_a_protocol_can_be_replayed_in_the_published_order():
    config = resolve_config(MODELLED | REPLAYED)
    assert config["mode"] == "as_published"
    assert config["oversampling"] == "adasyn_tomek"
    assert (config["evaluation"]["threshold_rule"], config["evaluation"]["threshold"]) == (
        "fixed",
        0.5,
    )
    assert resolve_config(MODELLED | {"protocol": "ge2025"})["mode"] == "rigorous"


def test_controls_need_images_and_a_prediction():
    said = problem(controls={"kinds": ["shuffled_inside"]})
    assert "Negative controls need images, whose voxels are mixed, and a prediction" in said
    assert "Found: a study without `cases`. In: config key controls.kinds" in said


@pytest.mark.parametrize("design", ["temporal", "by_site"])
def test_the_published_order_has_no_external_part(design):
    split = {"design": design, "column": "x", "test_sites": ["B"]}
    said = problem(**REPLAYED, split=split)
    assert "divides patients 7:3 and has no part held out by time or site" in said
    assert f"Found: split.design: {design}" in said
    resolve_config(MODELLED | {"protocol": "ge2025", "split": split})


def test_the_published_order_chooses_no_threshold():
    said = problem(mode="as_published")
    assert "calls an event at a fixed threshold" in said
    assert "Found: youden. In: config key evaluation.threshold_rule" in said


@pytest.mark.parametrize("section", ["nested", "optimism"])
def test_repetitions_do_not_take_the_parameters_of_a_leaking_search(section):
    said = problem(**REPLAYED, **{section: {"search": "fixed"}})
    assert "must search its own parameters beside `mode: as_published`" in said
    assert f"config key {section}.search" in said
    resolve_config(MODELLED | REPLAYED | {section: {"search": "fixed", "models": []}})


def test_the_published_order_knows_no_agreement_within_levels():
    within = {"selection": {"ccc": {"within_level": True}}}
    assert "over all vertebral levels together" in problem(**REPLAYED, **within)


def test_every_assumption_of_a_protocol_is_listed_for_the_report():
    """Lines that a comment calls an assumption stand in `assumptions` too, by option."""
    for path in PROTOCOLS.glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        listed, outer = yaml.safe_load(text)["assumptions"], []
        default = yaml.safe_load(DEFAULTS.read_text())
        for option in listed:
            node = default
            for part in option.split("."):
                node = node[part]
        for line in text.splitlines():
            code, _, comment = line.partition("#")
            if not code.strip():
                continue
            depth = (len(code) - len(code.lstrip())) // 2
            outer = [*outer[:depth], code.split(":")[0].strip()]
            option = ".".join(outer)
            if "assumption" in comment:
                assert any((option + ".").startswith(f"{name}.") for name in listed), option


def test_defaults_hold_and_the_study_overrides_them():
    config = resolve_config(MODELLED | {"selection": {"mrmr": {"k": 5}}})
    default = yaml.safe_load(DEFAULTS.read_text())
    mrmr = default["selection"]["mrmr"] | {"k": 5}
    assert config["selection"] == default["selection"] | {"mrmr": mrmr}
    assert config["scaling"] == default["scaling"]
    outcome = {"name": "pain", "label": "pain", "definition": None, "formula": "vas >= 4"}
    assert config["outcome"] == outcome


def test_protocol_lies_between_defaults_and_study():
    config = resolve_config(IMAGES | {"protocol": "ge2025", "tabnet": {"max_epochs": 7}})
    assert config["search"]["iterations"] == 100
    assert config["oversampling"] == "adasyn_tomek"
    tabnet = config["tabnet"]
    assert (tabnet["max_epochs"], tabnet["patience"]) == (7, 10)
    assert tabnet["start"]["batch_size"] == 128
    assert resolve_config(IMAGES)["search"]["iterations"] == 20


@pytest.mark.parametrize("protocol", sorted(path.stem for path in PROTOCOLS.glob("*.yaml")))
def test_resolving_twice_changes_nothing(protocol):
    # A study of clinical predictors alone has no features.
    without = {"features": None, "model_reader": None} if protocol == "zhang2025" else {}
    once = resolve_config(MODELLED | without | {"protocol": protocol})
    assert resolve_config(once) == once


def test_an_empty_section_leaves_its_defaults():
    assert resolve_config(IMAGES | {"checks": None})["checks"]["min_slices"] == 3


def test_lists_and_search_spaces_replace():
    lower = {"models": ["lr", "rf"], "search": {"spaces": {"lr": {"C": [1]}, "rf": {"d": [2]}}}}
    upper = {"models": ["svm"], "search": {"spaces": {"lr": {"penalty": ["l1"]}}}}
    assert merge(lower, upper) == {
        "models": ["svm"],
        "search": {"spaces": {"lr": {"penalty": ["l1"]}, "rf": {"d": [2]}}},
    }
    assert lower["models"] == ["lr", "rf"]


def test_unknown_option_names_the_nearest():
    text = problem(serach={"iterations": 3}, tabnet={"max_epoch": 3})
    assert "config key serach. Remedy: perhaps `search` is meant" in text
    assert "config key tabnet.max_epoch. Remedy: perhaps `max_epochs` is meant" in text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"study": None}, ["`study`", "must be text", "Found: null"]),
        ({"study": "../x"}, ["pattern", "../x"]),
        ({"study": 12}, ["Found: 12", "quotes"]),
        ({"seed": -1}, ["`seed`", "at least 0", "Found: -1"]),
        ({"unit": "vertebra"}, ["one of patient, case", "vertebra"]),
        ({"split": {"test_fraction": 1.5}}, ["split.test_fraction", "above 0 and at most 0.9"]),
        ({"split": {"folds": 2.5}}, ["split.folds", "a whole number"]),
        ({"models": ["lr", "lr"], "ablation": {"models": []}}, ["names nothing twice"]),
        ({"models": []}, ["config key models", "at least 1"]),
        ({"ablation": {"families": ["wavelets"]}}, ["ablation.families", "list of families"]),
        ({"ablation": {"steps": "mrmr"}}, ["ablation.steps", "Found: mrmr", "list of steps"]),
        ({"ablation": {"where": "after"}}, ["ablation.where", "before_selection, signature"]),
        ({"oversampling": None}, ["oversampling: none"]),
        ({"predictors": 3}, ["`all` or a list of names"]),
        ({"extraction": {"verify_fraction": 2}}, ["extraction.verify_fraction", "Found: 2", "1"]),
        ({"extraction": {"engine": "quick"}}, ["extraction.engine", "Found: quick", "pyradiomics"]),
        ({"masks": {"convention": "versa"}}, ["masks.convention", "Found: versa", "totalsegm"]),
        ({"masks": {"convention": {"L0": 1}}}, ["masks.convention", "map of levels"]),
        ({"masks": {"convention": {"L1": 0}}}, ["masks.convention", "map of levels"]),
        ({"masks": {"convention": {"L1": 1, "L2": 1}}}, ["a label of its own", "L1: 1, L2: 1"]),
        ({"masks": {"fractional_threshold": 0}}, ["fractional_threshold", "above 0 and at most 1"]),
        ({"features": {1: "a.csv"}}, ["name of a reader", "must be text", "Found: 1"]),
        ({"features": {}}, ["must be given, and not be empty"]),
        ({"outcome": {"name": "x"}}, ["`formula` must be given", "config key outcome.formula"]),
        ({"workers": 0}, ["config key workers", "or auto"]),
        (
            {"search": {"spaces": {"lr": {"C": {"normal": [0, 1]}}}}},
            ["config key search.spaces.lr.C", "{log_uniform: [low, high]}"],
        ),
        ({"search": {"spaces": {"gbm": {}}}}, ["config key search.spaces.gbm"]),
        ({"evaluation": {"decision_curve": [0.9, 0.1]}}, ["from a lower to a higher"]),
        ({"evaluation": {"confidence": 95}}, ["write 95 % as 0.95"]),
        ({"cases": "c.csv"}, ["exactly one of `cases`", "Found: both"]),
        ({"features": None}, ["exactly one of `cases`", "Found: neither"]),
        (
            {"clinical": None, "features": None, "cases": "c.csv"},
            ["`outcome` needs the table `clinical`"],
        ),
        (
            {"dictionary": None, "features": None, "cases": "c.csv"},
            ["A clinical table needs a data dictionary"],
        ),
        (
            {"dictionary": None, "predictors": ["age"]},
            ["Clinical predictors need a data dictionary", "Found: age"],
        ),
        (
            {"columns": {"patient": "ID"}},
            ["config key columns", "patient_id, case_id", "Found: patient"],
        ),
        (
            {"columns": {"patient_id": "ID"}, "features": None, "cases": "c.csv"},
            ["`columns` is of ready feature tables"],
        ),
        ({"model_reader": None}, ["whose features it sees", "A, B, mean"]),
        ({"model_reader": "C"}, ["must be one of the readers", "Found: C"]),
        ({"features": {"A": "a", "mean": "b"}}, ["No reader may be called 'mean'"]),
        ({"simulated_reader": "C"}, ["`simulated_reader` must be one of the readers"]),
        ({"split": {"design": "imported"}}, ["split.column", "'train' or 'test'"]),
        ({"split": {"design": "temporal"}}, ["split.column", "order of enrolment"]),
        ({"split": {"design": "by_site", "column": "site"}}, ["split.test_sites"]),
        ({"split": {"declared": "site"}}, ["split.declared", "with design: holdout", "remove it"]),
        (
            {"split": {"design": "imported", "column": "x", "declared": "place"}},
            ["split.declared", "one of random, temporal, site, null", "Found: place"],
        ),
        (
            {"models": ["lr"], "ablation": {"models": ["tabnet"]}},
            ["only be ablated if it is trained", "tabnet"],
        ),
        (
            {"models": ["lr", "tabnet"], "nested": {"models": ["rf"]}},
            ["only be cross-validated if it is trained", "Found: rf", "nested.models"],
        ),
        (
            {"models": ["lr", "tabnet"], "optimism": {"models": ["rf"]}},
            ["only be resampled if it is trained", "Found: rf", "optimism.models"],
        ),
        ({"protocol": "ge2052"}, ["config/protocols", "perhaps `ge2025` is meant"]),
        (
            {"split": {"design": "none"}, "nested": {"models": ["lr"]}},
            ["Without held-out patients every model", "Found: not svm, rf, xgboost, tabnet"],
        ),
        (
            {"split": {"design": "none"}, "nested": {"search": "fixed"}},
            ["every outer fold must search its own parameters", "nested.search"],
        ),
        (
            {"split": {"design": "none"}, "ablation": {"where": "signature"}},
            ["an ablation must remove before the selection", "ablation.where"],
        ),
        (
            {"split": {"design": "none"}, "primary": {"model": "lr", "part": "test"}},
            ["the primary analysis must be one by nested", "Found: part: test"],
        ),
    ],
)
def test_wrong_option_is_told_with_value_place_and_remedy(options, words):
    text = problem(**options)
    assert not [word for word in words if word not in text], text


def test_without_test_rows_the_primary_analysis_is_the_nested_one():
    given = MODELLED | {"split": {"design": "none"}, "primary": {"model": "lr", "metric": "ici"}}
    assert resolve_config(given)["primary"] == {"model": "lr", "part": "nested", "metric": "ici"}


def test_without_test_rows_what_is_not_asked_for_is_not_refused():
    """Neither an ablation that does not run nor a study that predicts nothing."""
    none = {"split": {"design": "none"}}
    resolve_config(MODELLED | none | {"ablation": {"models": [], "where": "signature"}})
    described = {"analyses": ["outcomes"], "nested": {"search": "fixed"}}
    resolve_config(MODELLED | none | described | {"features": None})


def test_all_problems_come_at_once():
    text = problem(seed="x", unit="y", models=[])
    assert text.startswith("There are 3 problems in the configuration")


def test_a_reader_is_needed_only_where_there_is_a_model():
    config = {"study": "s", "features": {"A": "a.csv", "B": "b.csv"}}
    assert resolve_config(config)["model_reader"] is None


def test_files_are_read_in_their_order(tmp_path):
    (tmp_path / "a.yaml").write_text("study: s\ncases: c.csv\nseed: 1\n")
    (tmp_path / "b.yaml").write_text("\ufeffseed: 2\n", encoding="utf-8")
    assert load_config([tmp_path / "a.yaml", tmp_path / "b.yaml"])["seed"] == 2


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("study: s\nstudy: t\n", "configuration-not-yaml", "given twice"),
        ("study: s: t\n", "configuration-not-yaml", ""),
        ("- study\n", "configuration-not-a-mapping", ""),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path, text, code, words):
    (tmp_path / "a.yaml").write_text(text)
    with refusal(code, StudyError, match=words):
        load_config([tmp_path / "a.yaml"])


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{after}: &{after} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, after in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title: 2025-02-30\n", r"2025-02-30 is no date \(put text in quotes\)"),
        ("title: 2025-01-01T99:00:00\n", "is no date"),
        ("title: !!timestamp x\n", "is no date"),
        ("seed: !!int 3x\n", "is no whole number"),
        (f"seed: {'9' * 400}\n", "beyond the whole numbers of a computer"),
        (f"seed: {'9' * 5000}\n", "is no whole number"),
        ("seed: .inf\n", "no number that can be computed with"),
        ("seed: .nan\n", "no number that can be computed with"),
        (LAUGHS, "more than 200,000 keys and values"),
        ("a: &a [*a]\n", "an alias that holds itself"),
        ("x: " + "[" * 5000, "more than 40 levels"),
        ("x: " + "[" * 45 + "]" * 45, "more than 40 levels"),
        ("".join(" " * at + "x:\n" for at in range(60)), "more than 40 levels"),
        ("? [a, b]\n: c\n", "a list or a mapping stands in place of a key"),
        ("? {a: b}\n: c\n", "a list or a mapping stands in place of a key"),
        ("a: !!python/object/apply:os.system ['x']\n", "could not determine a constructor"),
        ("\ta: 1\n", "indent with spaces"),
        ("<<: 3\n", ""),
        ("x: 1\n" * 200_000, "500,000"),
        ("a: \0\n", ""),
    ],
)
def test_a_file_that_would_harm_is_refused(tmp_path, text, words):
    (tmp_path / "a.yaml").write_text(text)
    begun = time.monotonic()
    with refusal("configuration-not-yaml", StudyError, match=words):
        load_config([tmp_path / "a.yaml"])
    assert time.monotonic() - begun < 5


def test_aliases_that_repeat_little_are_read(tmp_path):
    (tmp_path / "a.yaml").write_text("base: &base {x: 1}\nmore: {<<: *base, y: 2}\nlist: [*base]\n")
    expected = {"base": {"x": 1}, "more": {"x": 1, "y": 2}, "list": [{"x": 1}]}
    assert load_yaml(tmp_path / "a.yaml") == expected


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_without_the_right_to_read_it_is_the_machines_fault(tmp_path):
    (tmp_path / "a.yaml").write_text("study: s\n")
    (tmp_path / "a.yaml").chmod(0)
    with refusal("rights-missing", MachineError):
        load_yaml(tmp_path / "a.yaml")
    with refusal("file-is-a-folder", StudyError):
        load_yaml(tmp_path)


def test_a_missing_file_is_named(tmp_path):
    with refusal("file-missing", StudyError, match=r"must exist.*none\.yaml"):
        load_config([tmp_path / "none.yaml"])


def test_resampling_takes_all_models_or_leaves_tabnet_out():
    def corrected(**changes):
        return resolve_config(MODELLED | changes)["optimism"]["models"]

    but_one = {"models": "all-but-tabnet"}
    assert corrected(models=["lr", "tabnet"]) == ["lr", "tabnet"]
    assert corrected(models=["lr", "tabnet", "rf"], optimism=but_one) == ["lr", "rf"]
    assert corrected(models=["tabnet"], optimism=but_one) == []
    assert corrected(optimism={"models": []}) == []


def test_a_study_without_tabnet_ablates_its_first_model_unless_told_otherwise():
    assert resolve_config(MODELLED | {"models": ["lr", "rf"]})["ablation"]["models"] == ["lr"]
    assert resolve_config(MODELLED | {"models": ["lr", "tabnet"]})["ablation"]["models"] == [
        "tabnet"
    ]
    none = MODELLED | {"models": ["lr"], "ablation": {"models": []}}
    assert resolve_config(none)["ablation"]["models"] == []


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("store", "study-name-taken", ""),
        ("Store", "study-name-taken", ""),
        ("CON", "study-name-taken", ""),
        ("lpt1", "study-name-taken", ""),
        ("x" * 65, "study-name-too-long", "at most 64 letters"),
        ("a\n", "option-value-invalid", "name of the study"),
        ("a\nb", "option-value-invalid", "name of the study"),
        ("a/b", "option-value-invalid", "name of the study"),
        ("a b", "option-value-invalid", "name of the study"),
        (".hidden", "option-value-invalid", "name of the study"),
        ("..", "option-value-invalid", "name of the study"),
        ("-a", "option-value-invalid", "name of the study"),
        ("", "option-value-invalid", "name of the study"),
    ],
)
def test_a_study_that_cannot_name_a_folder_is_refused(name, code, words):
    with refusal(code, StudyError, match=words) as refused:
        resolve_config({"study": name, "features": {"A": "a.csv"}})
    assert "\n" not in str(refused.value)
    problem = study_name_problem(name)
    assert problem is not None
    assert "Remedy: " in str(problem)
    assert "\n" not in str(problem)


def test_names_that_the_remedies_give_are_taken():
    for name in ("pain-2025", "store-study", "CON-study", "x" * 64):
        assert study_name_problem(name) is None


@pytest.mark.parametrize("results", ["out{pilot}", "a\nb", "{study}"])
def test_a_folder_of_results_that_is_a_pattern_is_refused(results):
    with refusal("path-with-braces", StudyError):
        resolve_config({"study": "a", "features": {"A": "a.csv"}, "results": results})


@pytest.mark.parametrize("path", ["a{b}.csv", "a}.csv", "a\nb.csv"])
def test_a_path_that_snakemake_would_read_as_a_pattern(path):
    given = {"study": "s", "outcome": {"name": "y", "formula": "y == 1"}}
    with refusal("path-with-braces", StudyError) as told:
        resolve_config(given | {"features": {"A": path}})
    assert told.value.where == "config key features.A"
    resolve_config(given | {"features": {"A": "a.csv"}, "title": "Pain {pilot}"})
