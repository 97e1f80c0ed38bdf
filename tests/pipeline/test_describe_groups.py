"""Groups of a study compared: the tests are those named, on those who are in the study."""

from __future__ import annotations

import argparse

import pandas as pd
import pytest
from scipy import stats

from pipeline.core.errors import StudyError
from pipeline.core.files import read_json, read_table
from pipeline.describe_groups import main
from pipeline.study.config import resolve_config
from pipeline.study.study import write_study
from tests.support.clinical_study import clinical_options, clinical_study, write_clinical
from tests.support.refusals import refusal
from tests.support.stages import groups_of

PAIN = {"name": "pain", "label": "pain of at least 5", "formula": "vas >= 5"}


@pytest.fixture
def table(tmp_path) -> pd.DataFrame:
    return write_clinical(tmp_path)


def test_each_column_is_compared_by_its_named_test(table, tmp_path):
    found, info = groups_of(clinical_study(tmp_path))
    rows = found.rows
    rows = rows.set_index("variable")
    assert list(rows.index) == ["age", "sex", "bmi", "asa", "vas"]  # neither the groups nor `ward`
    parts = [table[table["fracture"] == group] for group in ("no", "yes")]
    welch = stats.ttest_ind(parts[0]["bmi"], parts[1]["bmi"], equal_var=False)
    assert rows.loc["bmi", "test"] == "welch-t"
    assert rows.loc["bmi", "p_value"] == pytest.approx(welch.pvalue, rel=1e-9)
    counts = pd.crosstab(table["sex"], table["fracture"])
    assert rows.loc["sex", "p_value"] == pytest.approx(stats.fisher_exact(counts).pvalue, rel=1e-9)
    assert rows.loc["asa", "test"] == "mann-whitney"  # grades are compared by ranks
    assert [each["units"] for each in info["groups"]] == [len(part) for part in parts]
    assert info["units"] == len(table)


def test_those_are_compared_who_are_eligible(table, tmp_path):
    older = [{"label": "age of at least 70 years", "formula": "age >= 70"}]
    found, info = groups_of(clinical_study(tmp_path, eligibility=older))
    cells = found.cells
    kept = table[table["age"] >= 70]
    assert info["units"] == len(kept)
    of_age = cells[(cells["variable"] == "age") & (cells["group"] == "yes")].iloc[0]
    assert of_age["mean"] == pytest.approx(kept.loc[kept["fracture"] == "yes", "age"].mean())


def test_an_outcome_makes_groups_and_is_not_compared_with_itself(table, tmp_path):
    found, info = groups_of(clinical_study(tmp_path, outcomes={"by": None}, outcome=PAIN))
    rows = found.rows
    assert [each["name"] for each in info["groups"]] == ["no", "yes"]
    assert info["groups"][1]["units"] == int((table["vas"] >= 5).sum())
    assert info["label"] == PAIN["label"]
    assert {"outcome=no", "outcome=yes"} <= set(rows.columns)
    assert info["by"] == "outcome"
    assert "vas" not in set(rows["variable"])
    assert "fracture" in set(rows["variable"])


def test_p_values_are_corrected_as_asked(table, tmp_path):
    plain = groups_of(clinical_study(tmp_path))[0].rows
    rows = groups_of(clinical_study(tmp_path, outcomes={"by": "fracture", "adjust": "holm"}))[
        0
    ].rows
    assert rows["p_value"].tolist() == plain["p_value"].tolist()
    least = plain["p_value"].min()
    assert rows["p_adjusted"].min() == pytest.approx(min(1, least * len(plain)))


def test_the_command_writes_what_it_finds(table, tmp_path):
    study = clinical_study(tmp_path)
    write_study(study, tmp_path / "study")
    out, cells, effects = (tmp_path / f"{name}.parquet" for name in ("out", "cells", "effects"))
    info = tmp_path / "info.json"
    main(
        argparse.Namespace(
            study=tmp_path / "study", out=out, cells=cells, effects=effects, info=info
        )
    )
    found, said = groups_of(study)
    rows = found.rows
    assert read_table(out)["p_value"].tolist() == rows["p_value"].tolist()
    assert list(read_table(out).columns) == list(rows.columns)
    assert read_json(info) == said
    assert len(read_table(cells))
    assert len(read_table(effects)) >= len(rows)
    assert out.with_suffix(".csv").exists()


@pytest.mark.parametrize(
    ("options", "code", "rule"),
    [
        ({"analyses": ["prediction"]}, "cases-or-features", ""),
        ({"dictionary": None}, "analysis-of-clinical-table", "needs `dictionary`"),
        ({"clinical": None}, "analysis-of-clinical-table", "needs `clinical`"),
        ({"outcomes": {"by": None}}, "outcomes-without-groups", ""),
        ({"primary": {"model": "lr"}, "outcome": PAIN}, "primary-without-outcome", ""),
    ],
)
def test_what_an_analysis_lacks_is_told(tmp_path, options, code, rule):
    with refusal(code, StudyError, match=rule):
        resolve_config(clinical_options(tmp_path, **options))


@pytest.mark.parametrize(
    ("by", "code", "rule"),
    [
        ("fractur", "outcomes-groups-undescribed", "perhaps `fracture` is meant"),
        ("age", "outcomes-groups-numbers", ""),
        ("sex", "outcomes-groups-too-few", ""),
    ],
)
def test_a_column_that_makes_no_groups_is_refused(tmp_path, by, code, rule):
    table = write_clinical(tmp_path)
    if by == "sex":
        table.assign(sex="female").to_csv(tmp_path / "clinical.csv", index=False)
    with refusal(code, StudyError, match=rule):
        clinical_study(tmp_path, outcomes={"by": by})


def test_a_table_of_nothing_but_groups_is_refused(table, tmp_path):
    only = (tmp_path / "dictionary.csv").read_text().replace(",predictor,", ",other,")
    (tmp_path / "dictionary.csv").write_text(
        only.replace("points,,postoperative,outcome", "points,,postoperative,other")
    )
    with refusal("groups-without-columns", StudyError):
        groups_of(clinical_study(tmp_path))
