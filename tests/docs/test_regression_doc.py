"""docs/regression.md names every table and column, and its command and file work."""

from __future__ import annotations

import re
import shlex

import pytest
import yaml

from models.regress import _arguments
from models.regression.cohort import read_cohort
from models.regression.publishing.model_file import model_from
from models.regression.publishing.nomogram import build_nomogram
from pipeline.core.table_schema import types_of
from pipeline.tables.schemas.regression import REGRESSION


@pytest.fixture(scope="module")
def page(repository) -> str:
    return (repository / "docs" / "regression.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", REGRESSION)
def test_every_column_stands_on_the_page(page, name):
    (row,) = (line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
    told = {word for found in re.findall("`([^`]+)`", row) for word in found.split(", ")}
    assert told - {name} >= set(types_of(REGRESSION[name])) - {name}


def test_the_command_reads_its_table(page, repository):
    command = re.search(r"```\n(vertebromics regress .*?)```", page, re.S)[1]
    words = shlex.split(command.replace("\\\n", " "))[2:]
    options = _arguments().parse_args(words)
    cohort = read_cohort(
        repository / options.table, options.outcome, options.predictors, event=options.event
    )
    assert (cohort.n, cohort.events) == (113, 41)
    assert [term.kind for term in cohort.terms].count("factor") == 1


def test_the_models_file_is_one(page):
    text = re.search(r"```yaml\n(.*?)```", page, re.S)[1]
    model = model_from(yaml.safe_load(text), "docs/regression.md")
    assert model.has_risk
    assert len(build_nomogram(model).risks) > 3


def test_every_option_stands_on_the_page_or_is_common(page):
    options = {
        name for action in _arguments()._actions for name in action.option_strings if len(name) > 2
    }
    common = {"--help", "--confidence", "--resamples", "--seed", "--decision-curve", "--out"}
    assert {name for name in options - common if name not in page} == set()
