"""Options stand once, in their classes: files made of them, what is accepted, what is said."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from pipeline.core.errors import StudyError
from pipeline.core.problems import Problems
from pipeline.core.sections import (
    SECTION,
    SECTIONS,
    default_of,
    is_stated,
    part_of,
    rule_of,
    section_of,
)
from pipeline.study.config import DEFAULTS, resolve_config
from pipeline.study.options.acceptance import check_options
from pipeline.study.options.generate import made, write_all
from pipeline.study.options.study_options import Options
from pipeline.study.options.typed import json_schema
from pipeline.study.options.words import whole_schema
from pipeline.study.sections.tabnet import Tabnet
from tests.support.refusals import refusal

READY = {"study": "s", "features": {"A": "a.csv"}}


def every_field(kind: type = Options, outer: str = "") -> Iterator[tuple[str, dataclasses.Field]]:
    for one in dataclasses.fields(kind):
        yield outer + one.name, one
        inner = one.metadata.get(SECTION) or one.metadata.get(SECTIONS)
        if inner is not None:
            yield from every_field(inner, f"{outer}{one.name}.")


def numbers(schema: object) -> Iterator[dict]:
    if isinstance(schema, dict):
        if {"integer", "number"} & {*([schema.get("type")] if isinstance(schema.get("type"), str)
                                      else schema.get("type", ()))}:  # fmt: skip
            yield schema
        for part in schema.values():
            yield from numbers(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from numbers(part)


def told(**options: object) -> str:
    with pytest.raises(StudyError) as refused:
        resolve_config(READY | options)
    return str(refused.value)


MADE = (
    *("config/default.yaml", "config/schema.json"),
    *("docs/options.md", "docs/columns.md", "docs/bad_inputs.md"),
)


@pytest.mark.parametrize("name", MADE)
def test_what_is_made_of_the_classes_is_in_step(repository: Path, name: str) -> None:
    """Else: `make options`."""
    assert (repository / name).read_text(encoding="utf-8") == made()[name]


def test_the_command_writes_what_is_out_of_step_and_nothing_else(tmp_path: Path) -> None:
    assert set(made()) == set(MADE)
    for name in MADE:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(made()[name], encoding="utf-8")
    (tmp_path / "docs" / "options.md").write_text("old", encoding="utf-8")
    assert write_all(tmp_path) == [tmp_path / "docs" / "options.md"]
    assert (tmp_path / "docs" / "options.md").read_text(encoding="utf-8") == made()[
        "docs/options.md"
    ]


def test_every_option_says_what_it_is() -> None:
    silent = [name for name, one in every_field() if not rule_of(one).description]
    assert not silent


def test_every_number_has_a_unit() -> None:
    schema, without = whole_schema(), []
    for name, one in every_field():
        if SECTION in one.metadata or SECTIONS in one.metadata or "eligibility." in name:
            continue
        node = schema
        for part in name.split("."):
            node = node.get("items", node)["properties"][part]
        own = {key: node[key] for key in ("type", "anyOf") if key in node}
        if any(numbers(own)) and not rule_of(one).unit:
            without.append(name)
    # Numbers among names: a label, a value of a space, what the threshold has to reach.
    named = {"masks.convention", "search.spaces", "evaluation.threshold_rule"}
    assert set(without) <= named


def test_what_accepts_several_types_says_so_in_words() -> None:
    def unsaid(schema: object) -> Iterator[object]:
        if isinstance(schema, dict):
            if "anyOf" in schema and not {"accepts"} & set(schema):
                yield schema
            for name, part in schema.items():
                if name != "anyOf":  # told as one, by the words of the whole
                    yield from unsaid(part)

    assert not list(unsaid(whole_schema()))


def test_the_defaults_of_the_classes_are_those_of_the_file() -> None:
    def values(section: object) -> object:
        if dataclasses.is_dataclass(section):
            return {
                one.name: values(getattr(section, one.name)) for one in dataclasses.fields(section)
            }
        return section

    assert values(Options()) == yaml.safe_load(DEFAULTS.read_text(encoding="utf-8"))


def test_a_frozen_configuration_becomes_typed_sections() -> None:
    config = resolve_config(READY | {"outcome": {"name": "pain", "formula": "vas >= 4"}})
    config["eligibility"] = [{"label": "adults", "formula": "age >= 18"}]
    options = section_of(Options, config)
    assert options.outcome.label == "pain"
    assert options.eligibility[0].formula == "age >= 18"
    assert options.selection.ccc.threshold == config["selection"]["ccc"]["threshold"]
    assert section_of(Options, resolve_config(READY)).primary is None
    with pytest.raises(dataclasses.FrozenInstanceError, match="seed"):
        options.seed = 3


WRITTEN = {
    "eligibility": [{"label": "adults", "formula": "age >= 18"}],
    "outcome": {"name": "pain", "formula": "vas >= 4"},
    "primary": {"model": "lr"},
    "figures": [{"title": "Clefts", "panels": [{"image": "a.png", "caption": "A cleft."}]}],
    "outcomes": {
        "scales": [{"label": "VAS", "unit": "points", "range": [0, 10], "columns": {"0": "v"}}],
        "events": [{"label": "death", "event": "died", "followed": "years", "unit": "years"}],
        "levels": {"treated": "levels"},
    },
}  # fmt: skip


def test_sections_that_people_write_have_the_defaults_of_what_they_leave_out() -> None:
    config = resolve_config(READY)
    for name, value in WRITTEN.items():
        config[name] = config[name] | value if name == "outcomes" else value
    options = part_of(Options, config)
    assert options.outcomes.scales[0].good == "low"
    assert options.outcomes.events[0].time is None
    assert options.outcomes.levels.new is None
    assert options.primary.metric == "auroc"
    assert options.figures[0].panels[0].image == "a.png"
    stated = {
        kind
        for name, one in every_field()
        for kind in (one.metadata.get(SECTION), one.metadata.get(SECTIONS))
        if kind is not None and any(map(is_stated, dataclasses.fields(kind)))
    }
    assert {kind.__name__ for kind in stated} == {
        *("Condition", "Event", "ExampleFigure", "Levels", "Outcome", "Panel", "Primary", "Scale")
    }
    config["outcomes"]["scales"] = [{"label": "VAS", "unit": "points", "range": [0, 10]}]
    with refusal("study-of-another-version", StudyError, match="columns"):
        part_of(Options, config)


@pytest.mark.parametrize("change", [{"patience": None}, {"pateince": 3}])
def test_a_study_that_another_version_froze_is_named(change: dict) -> None:
    values = resolve_config(READY)["tabnet"] | change
    if change == {"patience": None}:
        del values["patience"]
    with refusal(
        "study-of-another-version", StudyError, match="Found: more or less: pat"
    ) as refused:
        section_of(Tabnet, values)
    assert "In: section tabnet" in str(refused.value)


def test_a_stage_that_opens_sections_loads_no_pydantic() -> None:
    """A tenth of a second a job: only the front door pays it."""
    code = (
        "import sys; from pipeline.study.options.study_options import Options; Options();"
        "from pipeline.study.options.words import schema_of; schema_of('split.folds');"
        "sys.exit('pydantic' in sys.modules or 'jsonschema' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_several_types_are_one_sentence() -> None:
    text = told(workers=0.5)
    assert text.startswith(
        "`workers` (processes over which a job spreads its fits) must be a whole"
    )
    assert "Found: 0.5" in text
    assert "There are" not in text
    assert told(nested={"models": "rf"}).startswith(
        "`models` (models whose procedure is cross-validated, or all) must be `all` or a"
    )


def test_yes_and_no_are_asked_for_in_words() -> None:
    text = told(ingest={"allow_lossy": 3})
    assert "must be true or false. Found: 3. In: config key ingest.allow_lossy" in text
    assert "leave the option out for its default, False" in text


@pytest.mark.parametrize("value", [True, "5", 5.5, [5]])
def test_what_is_no_whole_number_is_none(value: object) -> None:
    text = told(split={"folds": value})
    assert "must be a whole number at least 2 and at most 20" in text
    assert f"Found: {value}. In: config key split.folds" in text


def test_a_number_stays_as_it_is_written() -> None:
    """Whole where a fraction is meant, too: triggers and stores count by what is written."""
    config = resolve_config(READY | {"agreement": {"surface_tolerance_mm": 2}})
    assert json.dumps(config["agreement"]) == '{"surface_tolerance_mm": 2}'


@pytest.mark.parametrize(
    ("code", "options", "where"),
    [
        ("option-unknown", {3: 1}, "config key 3. "),
        ("option-unknown", {"split": {3: 1}}, "config key split.3. "),
        (
            "option-unknown",
            {"search": {"spaces": {"gbm": {"C": [1]}}}},
            "config key search.spaces.gbm. ",
        ),
        (
            "option-value-invalid",
            {"evaluation": {"threshold_rule": {"recall": 0.9}}},
            "config key evaluation.threshold_r",
        ),
        (
            "option-unknown",
            {"outcome": {"name": "x", "formula": "x", "forumla": "y"}},
            "config key outcome.forumla",
        ),
        (
            "option-missing",
            {"eligibility": [{"label": "a", "formla": "b"}]},
            "config key eligibility.0.formla",
        ),
    ],
)
def test_a_name_that_is_no_option_is_told_where_it_stands(
    code: str, options: dict, where: str
) -> None:
    with refusal(code, StudyError) as refused:
        resolve_config(READY | options)
    assert where in str(refused.value)


def test_problems_come_in_the_order_of_their_options() -> None:
    problems = Problems("x")
    config = resolve_config(READY) | {"unit": 3, "seed": "x"}
    check_options(config | {"models": ["lr", "gbm", "knn"]}, problems)
    places = [error.where for error in problems.errors]
    assert places == [f"config key {key}" for key in ("models.1", "models.2", "seed", "unit")]


def test_the_schema_is_one_that_an_editor_can_read() -> None:
    import jsonschema

    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(resolve_config(READY), schema)
    assert schema["properties"]["split"]["properties"]["folds"] == {
        "description": "folds of the inner cross-validation",
        "unit": "folds",
        "reason": "folds of the inner cross-validation, stratified and grouped by patient",
        "type": "integer",
        "minimum": 2,
        "maximum": 20,
        "default": 5,
    }


def test_a_default_is_nobodys_own() -> None:
    """A list that one study changes is not that of the next one."""
    (models,) = [one for name, one in every_field() if name == "models"]
    default_of(models).append("x")
    assert "x" not in default_of(models)
    assert "x" not in Options().models
