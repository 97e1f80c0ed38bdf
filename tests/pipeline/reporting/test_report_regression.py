"""Groups and regression of a study in its report: what their own pages say, labelled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.core.files import read_json, read_table
from pipeline.core.mode_labels import WORD
from pipeline.reporting.paper.findings import findings
from pipeline.reporting.results import Course, Groups, Regression, Results
from pipeline.reporting.sections.outcomes.groups import groups_section
from pipeline.reporting.sections.regression_summary import regression_section
from pipeline.reporting.sections.summary import summary_section
from pipeline.reporting.wording import number
from pipeline.reporting.words.group_words import called_groups
from tests.support.browser import violations
from tests.support.clinical_study import clinical_study, write_clinical
from tests.support.stages import groups_of, regress

ASKED = {
    "analyses": ["outcomes", "regression"],
    "outcome": {"name": "pain", "label": "pain of at least 5", "formula": "vas >= 5"},
    "predictors": ["age", "sex", "bmi"],
    "regression": {"resamples": 100},
}


def results_of(folder: Path, **options: object) -> Results:
    write_clinical(folder, patients=90)
    study = clinical_study(folder, **(ASKED | options))
    regress(study, folder / "regression")
    names = ("coefficients", "metrics", "model", "optimism")
    tables = {name: read_table(folder / f"regression/tables/{name}.parquet") for name in names}
    regression = Regression(tables, read_json(folder / "regression" / "regression.json"))
    found, info = groups_of(study)
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
    (nomogram,) = (block for block in section.blocks if getattr(block, "svg", None) is not None)
    assert "<svg" in nomogram.svg
    assert (WORD in nomogram.caption) == leaks


def summary_of(results: Results) -> dict[str, str]:
    """Return the statements of the summary by their headings."""
    entered = results_with_flow(results)
    section = summary_section(entered, [])
    (points,) = (block.points for block in section.blocks if block.kind == "points")
    return dict(points)


def test_the_summary_says_for_whom_when_how_sure_and_not_for_what(results):
    said = summary_of(results)
    facts = results.regression.facts
    assert said["For whom and when"] == facts["purpose"]
    leaks = results["mode"] == "as_published"
    worth = said[f"{WORD}: how well it predicts" if leaks else "How well it predicts"]
    row = results.regression.tables["optimism"].set_index("measure").loc["c_index"]
    corrected, low, high = (number(row[name], 2) for name in ("corrected", "low", "high"))
    assert f"AUROC {corrected} (95% CI {low} to {high})" in worth
    assert f"{number(row['apparent'], 2)} in the patients of the fit" in worth
    assert "no other patient has tested it" in said["Validation"]
    assert "No effect of a treatment was estimated" in said["Not for"]
    trust = said["How much to trust a risk"]
    assert ("too extreme" in trust) == leaks
    assert ("were multiplied by" in trust) != leaks
    odds = results.regression.tables["coefficients"].set_index("column").loc["sex=male"]
    assert f"Sex: male against female {number(odds['odds_ratio'], 2)}" in said["Predictors"]


def test_a_validation_is_the_one_that_the_summary_quotes(results):
    own = results.regression.tables["metrics"]
    later = own.assign(part="validation")
    tables = results.regression.tables | {"metrics": pd.concat([own, later])}
    regression = Regression(tables, results.regression.facts)
    said = summary_of(replace(results, regression=regression))["Validation"]
    rows = own[own["model"] == "rigorous"].set_index("metric")
    assert f"AUROC {number(rows.loc['auroc', 'value'], 2)} (" in said
    assert f"expected events {number(rows.loc['oe_ratio', 'value'], 2)} (" in said


def test_predictors_are_called_by_their_labels_wherever_they_are_printed(results):
    section = regression_section(results)
    table = next(block for block in section.blocks if getattr(block, "raw", None) is not None)
    assert table.shown["Predictor"].tolist() == [
        "Age, years", "Sex: male against female", "BMI, kg/m2", "(intercept)",
    ]  # fmt: skip
    assert table.raw["column"].tolist() == ["age", "sex=male", "bmi", "(intercept)"]
    (told,) = (
        part for part in findings(results_with_flow(results)) if part.heading.startswith("Log")
    )
    assert "Sex: male against female" in told.paragraphs[0]
    page = (results.folder / "regression" / "regression.html").read_text(encoding="utf-8")
    assert "Sex: male against female" in page
    # The name of the column is said once, where categories are coded.
    assert page.count("sex=male") == 1


def results_with_flow(results: Results) -> Results:
    flow = {"steps": [{"patients": 90}, {"patients": 90}]}
    return replace(results, flow=flow, reproducibility=pd.DataFrame())


def test_groups_of_yes_and_no_are_called_by_what_they_are(results):
    section = groups_section(results)
    table, effects = (block for block in section.blocks if getattr(block, "raw", None) is not None)
    heads = [head for head in table.shown.columns if "(n = " in head][1:]
    assert [head.rpartition(" (")[0] for head in heads] == [
        "New fracture: no",
        "New fracture: yes",
    ]
    assert effects.caption.startswith("New fracture: yes against no, with")


@pytest.mark.parametrize(
    ("names", "called"),
    [
        (("no", "yes"), ("Brace: no", "Brace: yes")),
        (("1", "2"), ("Brace: 1", "Brace: 2")),
        (("no brace", "brace"), ("no brace", "brace")),
        (("none", "rigid", "soft"), ("Brace: none", "Brace: rigid", "Brace: soft")),
    ],
)
def test_names_that_stand_alone_are_left_as_they_are(names, called):
    assert called_groups("Brace", names) == called


SCALE = {
    "label": "VAS",
    "unit": "points",
    "range": [0, 10],
    "columns": {"before": "vas_pre", "1 month": "vas_1m", "last": "vas"},
}


def test_the_summary_of_groups_quotes_what_was_named_beforehand(results):
    adjusted = "difference adjusted for the value before"
    between = pd.DataFrame(
        [
            ["VAS", "1 month", "yes", "no", adjusted, 9, 8, 10],
            ["VAS", "last", "yes", "no", adjusted, 7, 6, 8],
            ["VAS", "last", "yes", "no", f"{adjusted} and other variables", -1, -2, 0.5],
            ["VAS", "last", "yes", "no", "difference of changes, crude", 7, 6, 8],
        ],
        columns=["scale", "time", "group", "against", "what", "value", "low", "high"],
    )
    over_time = pd.DataFrame(
        [
            ["VAS", None, "1 month", -3, -4, -2],
            ["VAS", None, "last", -5, -6, -4.5],
            ["VAS", "yes", "last", -9, -9, -9],
            ["VAS", None, None, np.nan, np.nan, np.nan],
        ],
        columns=["scale", "group", "time", "change", "change_low", "change_high"],
    )
    ratios = pd.DataFrame(
        [
            ["Adjacent", "yes", "no", "ratio of rates, crude", 0.8, 0.02, 5.09],
            ["Adjacent", "yes", "no", "difference of shares", 3.0, 1.0, 5.0],
        ],
        columns=["event", "group", "against", "what", "value", "low", "high"],
    )
    info = {"groups": ["no", "yes"], "label": "Brace"}
    course = Course({"over_time": over_time, "between": between, "ratios": ratios}, info)
    outcomes = results["outcomes"] | {"scales": [SCALE]}
    asked = replace(results.study, config=results.study.config | {"outcomes": outcomes})
    said = summary_of(replace(results, study=asked, regression=None, course=course))
    assert said["VAS, points (0 to 10)"] == (
        "All patients, change from before to last: −5.00 (−6.00 to −4.50). Between groups, "
        f"{adjusted} and other variables: Brace: yes against no −1.00 (−2.00 to 0.50)."
    )
    assert said["Adjacent, per person-time"] == (
        "Ratio of rates: Brace: yes against no, crude 0.80 (0.02 to 5.09)."
    )
    found = results.groups.table
    labels = results.groups.info["labels"]
    low = [labels[name] for name in found.loc[found["p_value"] < 0.05, "variable"]]
    assert f"({'; '.join(low)})" in said["Differences between the groups"]
    assert "by chance alone" in said["Differences between the groups"]
    assert "no effect of a treatment was estimated" in said["Not for"]
    assert "no control patients" in said["Not for"]


@pytest.mark.parametrize("page", ["regression.html", "calculator.html"])
def test_axe_finds_nothing_on_the_pages_of_a_regression(results, page, tmp_path):
    assert violations(results.folder / "regression" / page, tmp_path) == []
