"""What a Snakefile makes its rules of: a validated study, a frozen one, or a specimen."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pipeline.core.errors import StudyError
from pipeline.extraction import load_params
from pipeline.running.triggers import parameter_file
from pipeline.study.config import resolve_config
from pipeline.study.study import Ready, Study, open_study, write_study
from pipeline.study_of_run import SPECIMEN, study_of_run
from pipeline.tables.schemas.study_tables import Cases
from tests.support.filled import filled
from tests.support.refusals import refusal


def test_a_run_needs_a_study() -> None:
    with refusal("run-without-study", StudyError):
        study_of_run({})


def test_lint_needs_none_and_sees_every_rule() -> None:
    study = study_of_run({}, is_lint=True)
    assert study.cases.empty
    assert study.config["outcome"]
    assert study.clinical is not None


@pytest.mark.parametrize("results", [None, "elsewhere"])
def test_a_job_reads_the_frozen_study_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, results: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    config = SPECIMEN | {"study": "s"} | ({"results": results} if results else {})
    cases = filled(Cases, [{"patient_id": "P1"}])
    write_study(Study(resolve_config(config), cases, None, None), f"{results or 'results'}/s/study")
    # None of the tables exists, and an option has changed since.
    study = study_of_run(config | {"seed": 7}, is_job=True)
    assert study.config["seed"] == resolve_config(config)["seed"] != 7
    assert list(study.cases["patient_id"]) == ["P1"]
    with refusal("table-not-found", StudyError):
        study_of_run(config)


def test_what_ready_tables_say_is_frozen_too(tmp_path: Path) -> None:
    config = resolve_config(
        {"study": "s", "features": {"B": "b.csv", "A": "a.csv"}, "model_reader": "A"}
    )
    cases = pd.DataFrame({"patient_id": ["P1", "P2"], "case_id": ["P1", "P2"]})
    cases["days_from_surgery"] = pd.array([-1, None], dtype="Int64")
    said = Ready(cases, ["One column."], {"B": ["patient_id", "x"], "A": ["patient_id", "y"]})
    write_study(Study(config, None, None, None, ready=said), tmp_path)
    opened = open_study(tmp_path).ready_tables()
    assert (opened.notes, list(opened.columns.items())) == (said.notes, list(said.columns.items()))
    assert opened.cases["days_from_surgery"].dtype == "Int64"
    assert opened.cases["case_id"].to_list() == ["P1", "P2"]
    # Nothing of it stays where the study starts from images now.
    write_study(Study(resolve_config(SPECIMEN), filled(Cases, cases), None, None), tmp_path)
    assert open_study(tmp_path).ready is None
    assert not list(tmp_path.glob("ready*"))


def test_a_study_of_ready_tables_frozen_without_them_says_so(tmp_path: Path) -> None:
    config = resolve_config({"study": "s", "features": {"A": "a.csv"}, "model_reader": "A"})
    write_study(Study(config, None, None, None), tmp_path)
    with refusal("frozen-cases-missing", StudyError):
        open_study(tmp_path).ready_tables()


def test_a_job_of_a_study_that_is_not_frozen_says_so(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with refusal("study-folder-missing", StudyError):
        study_of_run(SPECIMEN, is_job=True)


def test_the_packages_parameter_files_are_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    name = "radiomics_params/ge2025.yaml"
    assert load_params(name) == load_params(repository / name)
    assert parameter_file(name) == parameter_file(repository / name)
    # The study's own comes first.
    (tmp_path / "radiomics_params").mkdir()
    (tmp_path / name).write_text("setting: {}")
    assert load_params(name).content == {"setting": {}}
    assert parameter_file(name) == '{"setting": {}}'


@pytest.mark.parametrize("name", ["radiomics_params/none.yaml", "radiomics_params/../README.md"])
def test_no_other_file_is_taken(tmp_path: Path, monkeypatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    with refusal("parameter-file-missing", StudyError):
        load_params(name)
    with refusal("parameter-file-missing", StudyError):
        parameter_file(name)
