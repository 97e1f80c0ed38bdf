"""Groups and regression of a study in its report: what their own pages say, labelled."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.regress_study import regress_study
from pipeline.core.files import read_json, read_table
from pipeline.core.mode_labels import WORD
from pipeline.describe_groups import compare
from pipeline.reporting.results import Groups, Regression, Results
from pipeline.reporting.sections.outcomes.groups import groups_section
from pipeline.reporting.sections.regression import regression_section
from tests.support.clinical_study import clinical_study, write_clinical

ASKED = {
    "analyses": ["outcomes", "regression"],
    "outcome": {"name": "pain", "label": "pain of at least 5", "formula": "vas >= 5"},
    "predictors": ["age", "sex", "bmi"],
    "regression": {"resamples": 100},
}


def results_of(folder: Path, **options: object) -> Results:
    write_clinical(folder, patients=90)
    study = clinical_study(folder, **(ASKED | options))
    regress_study(study, folder / "regression")
    names = ("coefficients", "model", "optimism")
    tables = {name: read_table(folder / f"regression/tables/{name}.parquet") for name in names}
    regression = Regression(tables, read_json(folder / "regression" / "regression.json"))
    found, info = compare(study)
    groups = Groups(found.rows, found.cells, found.effects, info)
    return Results(
        study, folder, {"steps": []}, None, None, None, None, groups=groups, regression=regression
    )  # fmt: skip


@pytest.fixture(scope="module", params=["rigorous", "as_published"])
def results(request, tmp_path_factory) -> Results:
    return results_of(tmp_path_factory.mktemp(request.param), mode=request.param)


def test_the_regression_counts_its_predictors_and_labels_what_leaks(results):
    section = regression_section(results)
    text = section.blocks[0].text
    assert "on 3 predictors" in text
    leaks = results["mode"] == "as_published"
    tables = [block for block in section.blocks if getattr(block, "raw", None) is not None]
    assert [table.name for table in tables] == ["regression_coefficients", "regression_optimism"]
    assert (WORD in section.title) == leaks
    assert [WORD in table.caption for table in tables] == [leaks] * 2


def test_groups_show_every_effect_and_name_every_test(results):
    section = groups_section(results)
    table, effects = (block for block in section.blocks if getattr(block, "raw", None) is not None)
    assert len(effects.shown) == len(results.groups.effects)
    marks = {cell.split()[-1] for cell in table.shown["P"] if cell}
    said = section.blocks[-1].items
    assert {text.partition(":")[0] for text in said[: len(marks)]} == marks
    assert any("chosen by a rule that never sees" in text for text in said)
