"""A study of a clinical table alone, run for real: four jobs, and what runs again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from pipeline.tables.schemas.pages import README
from tests.support.clinical_study import COURSE, clinical_options, with_course, write_clinical
from tests.support.described import described_tables
from tests.support.example_pictures import figure_with, write_pictures


@pytest.fixture(scope="module")
def folder(tmp_path_factory, repository) -> Path:
    folder = tmp_path_factory.mktemp("clinical")
    with_course(write_clinical(folder), folder)
    done = run(folder, repository)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Done: 5 jobs" in done.stdout
    return folder


ASKED = {
    "analyses": ["outcomes", "regression"],
    "outcome": {"name": "pain", "label": "pain of at least 5", "formula": "vas >= 5"},
    "predictors": ["age", "sex", "bmi"],
    "regression": {"resamples": 100},
    **COURSE,
}


def run(folder: Path, repository: Path, **options: object) -> subprocess.CompletedProcess:
    given = clinical_options(Path(), **({"results": "results"} | ASKED | options))
    (folder / "study.yaml").write_text(yaml.safe_dump(given))
    return subprocess.run(
        [
            *(sys.executable, "-m", "pipeline.running.run", "--configfile", "study.yaml"),
            *("--cores", "1", "-s", repository / "Snakefile"),
        ],
        cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(repository)},
    )  # fmt: skip


def test_the_report_compares_the_groups_and_names_no_image(folder):
    page = (folder / "results/groups/report/report.html").read_text(encoding="utf-8")
    assert "Clinical study report" in page
    assert "Comparison of groups" in page
    assert "Regression and nomogram" in page
    assert "Course of the patients" in page
    assert "Distributions and correlations" in page
    assert "Agreement of the readings that were averaged" in page
    for word in ("Reproducibility of features", "ready feature tables", "no images"):
        assert word not in page
    table = pd.read_csv(folder / "results/groups/report/tables/groups.csv")
    assert table["variable"].tolist() == ["age", "sex", "bmi", "asa", "vas", "hu"]
    effects = pd.read_csv(folder / "results/groups/report/tables/group_effects.csv")
    assert set(effects["variable"]) == set(table["variable"])


def test_every_table_and_column_is_described(folder):
    results = folder / "results" / "groups"
    tables = described_tables(results)
    assert {"study/clinical.parquet", "outcomes/groups.parquet"} <= tables
    assert "regression/tables/coefficients.parquet" in tables
    beside = (results / README).read_text(encoding="utf-8")
    assert all(f"`{name}`" in beside for name in tables)


def test_a_column_that_nothing_uses_is_in_no_result(folder):
    held = b"".join(path.read_bytes() for path in (folder / "results").rglob("*.csv"))
    assert b"ward" not in held


def test_a_rule_of_tests_runs_the_comparison_and_the_report_again(folder, repository):
    again = run(folder, repository)
    assert "Nothing to do" in again.stdout, again.stdout
    changed = run(folder, repository, outcomes=COURSE["outcomes"] | {"small_cells": "textbook"})
    assert changed.returncode == 0, changed.stdout
    assert "Done: 2 jobs" in changed.stdout


def test_a_changed_image_runs_its_figure_and_the_report_again(folder, repository):
    write_pictures(folder / "pictures")
    figures = [figure_with(Path("pictures"), mask="before-mask.png")]
    first = run(folder, repository, figures=figures)
    assert first.returncode == 0, first.stdout
    results = folder / "results" / "groups"
    before = (results / "report/report.html").read_text(encoding="utf-8")
    assert "Example images" in before
    assert "L1 before surgery" in before
    assert "example_images/example_images.parquet" in described_tables(results)
    assert "Nothing to do" in run(folder, repository, figures=figures).stdout
    (folder / "pictures/before.png").write_bytes((folder / "pictures/colours.png").read_bytes())
    again = run(folder, repository, figures=figures)
    assert again.returncode == 0, again.stdout
    assert "Done: 2 jobs" in again.stdout
    after = (results / "report/report.html").read_text(encoding="utf-8")
    assert after != before
    (folder / "pictures/before.png").write_bytes((folder / "pictures/letters.png").read_bytes())
    refused = run(folder, repository, figures=figures)
    assert refused.returncode != 0
    assert "figure 1, panel 1, key image" in refused.stdout
    assert "letters: looked_at" in refused.stdout
    assert (results / "report/report.html").read_text(encoding="utf-8") == after
