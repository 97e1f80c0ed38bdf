"""`vertebromics check` tells every problem of every table at once, with the lines to paste."""

from __future__ import annotations

import argparse
import csv
import io
from pathlib import Path

import pytest
import yaml

from pipeline import validate
from pipeline.core.errors import StudyError
from pipeline.core.problems import ManyProblemsError, Problems, each_of
from pipeline.study.draft.whats_wrong import grouped
from tests.pipeline.test_validate import Files
from tests.support.refusals import refusal


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def check(files: Files, **options: object) -> str:
    """Run the check as a command does, and return what it says."""
    files.config()  # writes the tables
    user = {"study": "s", "results": str(files.folder / "results"), "model_reader": "A"}
    user |= {"outcome": {"name": "pain", "formula": "vas >= 4"}}
    user |= {
        name: str(files.folder / f"{name}.csv") for name in ("cases", "clinical", "dictionary")
    }
    path = files.folder / "config.yaml"
    path.write_text(yaml.safe_dump(user | options))
    with pytest.raises(StudyError) as told:
        validate.main(argparse.Namespace(config=[path], resolved=None, out=None))
    return str(told.value)


def spoil(files: Files) -> None:
    """Make each table wrong in ways of its own."""
    files.clinical.loc[[0, 1], "vas"] = ["k.A.", "four"]
    files.clinical.loc[[2, 3], "sex"] = ["m", "diverse"]
    files.clinical["bmi"] = [str(20 + n % 9) + ".5" for n in range(len(files.clinical))]
    files.clinical.loc[5, "bmi"] = "?"
    files.cases.loc[3, "level"] = "Q1"
    files.dictionary = files.dictionary.replace("years,,preoperative", "years,,")


def test_problems_of_all_tables_are_told_together(files):
    spoil(files)
    told = check(files, eligibility=[{"label": "old", "formula": "alter >= 50"}])
    for part in (
        "A predictor must say when it is known",
        "Every clinical column must be described in the data dictionary. Found: bmi",
        "A value of vas must be a number (2 times). [value-not-a-number]",
        "A value of sex must be one of its levels F|M (2 times)",
        "level must be",
        "Found: Q1",
        "alter",
    ):
        assert part in told, told
    assert told.startswith("There are ")


def test_a_wrong_option_does_not_hide_the_tables(files):
    spoil(files)
    told = check(files, timming="preoperative", seed="many")
    assert "timming" in told
    assert "seed" in told
    assert "A value of vas must be a number (2 times)" in told


def test_the_lines_to_paste_mend_what_they_are_for(files):
    files.clinical.loc[[0, 1], "vas"] = ["k.A.", "-99"]
    files.clinical["bmi"] = [str(20 + n % 9) + ".5" for n in range(len(files.clinical))]
    files.clinical["stage"] = ["A", "B"] * (len(files.clinical) // 2)
    files.clinical.loc[[2], "sex"] = ["D"]
    told = check(files)
    text = told[told.index("Lines to paste") :]
    pasted = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    (missing,) = [line for line in pasted if line.startswith("missing_values")]
    rows = {next(csv.reader(io.StringIO(one)))[0]: one for one in pasted if one != missing}
    assert set(rows) == {"bmi", "stage", "sex"}
    header = files.dictionary.splitlines()[0] + ",range"
    old = [line + "," for line in files.dictionary.splitlines()[1:] if not line.startswith("sex")]
    files.dictionary = "\n".join([header, *old, *rows.values(), ""])
    study = files.study(**yaml.safe_load(missing))
    assert study.clinical["vas"].isna().sum() == 2
    assert "D" in set(study.clinical["sex"])
    assert study.dictionary.set_index("column").loc["bmi", "unit"] == "kg/m2"


def test_mistakes_of_one_rule_alone_are_counted_once():
    text = grouped([StudyError("The table must exist", where=each) for each in "ab"])
    assert text.startswith("There are 2 problems:\n")
    assert "(2 times)" in text


def test_names_are_in_no_line_to_paste(files):
    files.clinical["doctor_note"] = "Frau Canarowitz, Ilse"
    files.clinical.loc[3, "sex"] = "Canarowitz, Ilse"
    assert "Canarowitz" not in check(files)


def test_one_problem_is_told_as_before(files):
    files.dictionary = files.dictionary.replace("vas,Pain,ordinal", "vas,Pain,grade")
    told = check(files)
    assert told.startswith("type must be one of")


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("ordinal,,,", "ordinal,,low|high,", "The levels of an ordinal column must be numbers"),
        ("F|M", "F|M|D", "A binary column must have two levels"),
        ("vas,Pain", "age,Pain", "A column must be described once"),
        ("preoperative,predictor", "soon,predictor", "timing must be one of"),
        ("postoperative,outcome", "postoperative,result", "role must be one of"),
        ("F|M", "", "A binary predictor must list its levels"),
    ],
)
def test_a_wrong_dictionary_does_not_hide_the_clinical_table(files, old, new, rule):
    files.dictionary = files.dictionary.replace(old, new, 1)
    files.clinical.loc[[0, 1], "age"] = ["old", "older"]
    told = check(files)
    assert rule in told
    assert "A value of age must be a number (2 times)" in told


def test_many_problems_keep_each_of_them():
    problems, errors = Problems("x"), [StudyError("a", found=1, code="a"), StudyError("b")]
    with problems.step():
        raise ManyProblemsError("y", errors)
    with problems.step():
        raise StudyError("c")
    assert [one.rule for one in problems.errors] == ["a", "b", "c"]
    with refusal("a", ManyProblemsError, match="There are 3 problems in x") as told:
        problems.raise_if_any()
    assert each_of(told.value) == problems.errors
    import pickle

    again = pickle.loads(pickle.dumps(told.value))
    assert str(again) == str(told.value)
