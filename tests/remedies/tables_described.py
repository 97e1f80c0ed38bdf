"""Remedies of the data dictionary, of formulas and of a column that splits the patients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pipeline.tables.split_designs import parts_from_column
from pipeline.tables.values.formula import Formula
from tests.pipeline.tables import test_dictionary as described
from tests.pipeline.tables import test_formula as formulas
from tests.pipeline.tables import test_split_designs as splits
from tests.remedies import Remedy, row_of, says
from tests.support.refusals import refusal

SECTION = "Tables"
REMEDIES: dict[str, Remedy] = {}


def entry(bad_input: str, remedy: str, door: Callable, wrong: object, right: object) -> None:
    """Add a row: `door` refuses what is wrong with a remedy, and takes what is right."""

    def apply(folder: Path) -> None:
        with refusal(row_of(SECTION, bad_input).code) as told:
            door(folder, wrong)
        says(told.value, f"Remedy: .*{remedy}")
        door(folder, right)

    REMEDIES[bad_input] = apply


def dictionary(folder: Path, row: str) -> object:
    return described.read(folder, f"{row},preoperative,predictor\n")


for bad_input, remedy, wrong, right in (
    ("A column without a type in the dictionary", "write continuous", "x,,,,", "x,,continuous,,"),
    (
        "A categorical predictor without levels in the dictionary",
        r"write them separated by '\|'",
        "x,,categorical,,",
        "x,,categorical,,no|yes",
    ),
    (
        "A level twice in the dictionary",
        "list each level once",
        "x,,categorical,,no|no",
        "x,,categorical,,no|yes",
    ),
    (
        "An ordinal column whose levels are words",
        r"code the grades 0\|1\|2",
        "x,,ordinal,,low|high",
        "x,,ordinal,,0|1",
    ),
    (
        "A column's name with ':' or '|', or one that the split uses",
        "rename it in both tables",
        "fold,,continuous,,",
        "folds,,continuous,,",
    ),
):
    entry(bad_input, remedy, dictionary, wrong, right)


def clinical(folder: Path, change: tuple[str, str]) -> object:
    text = described.CLINICAL.replace(*change)
    return described.clinical(folder, described.read(folder, described.ROWS), text)


SAME = ("70", "70")
for bad_input, remedy, change, mended in (
    (
        "The clinical table lacks the column of the patient or case",
        r"write `columns: \{patient_id: patient\}`",
        ("patient_id", "patient"),
        SAME,
    ),
    (
        "Two rows of one patient in a clinical table of patients",
        "keep one of the rows",
        ("0002,", "0001,"),
        ("0002,70,1,F,3.5,4,NA\n", ""),
    ),
    (
        "The dictionary describes a column that the clinical table lacks",
        "rename|perhaps|add the column",
        ("vas,note", "vas,notes"),
        SAME,
    ),
):
    entry(bad_input, remedy, clinical, change, mended)


def binary(folder: Path, values: str) -> object:
    rows = described.read(folder, "done,,binary,,,postoperative,other\n")
    text = "patient_id,done\n" + "".join(f"{n},{value}\n" for n, value in enumerate(values.split()))
    return described.clinical(folder, rows, text)


entry(
    "A binary column with three values and no levels",
    "give it the type categorical, or list its two levels",
    binary,
    "yes no perhaps",
    "yes no no",
)


def formula(_: Path, text: str) -> object:
    return Formula(text, "config key outcome.formula").evaluate(formulas.TABLE)


for bad_input, remedy, wrong, right in (
    ("A formula that names no column", "use and, or, not", "1 > 0", "age > 0"),
    (
        "A formula that calculates with words, or uses a number as a condition",
        "compare it with a value, such as `age > 50`",
        "age + 1",
        "age + 1 > 50",
    ),
    (
        "A list in a formula that does not follow `in`",
        r"in \(\.\.\.\)",
        "age, bmi",
        "age in (49, 80)",
    ),
    (
        "`isnull` in a formula without a column in parentheses",
        r"isnull\(column\)",
        "isnull > 3 and age > 1",
        "isnull(bmi) and age > 1",
    ),
    (
        "A formula that compares two conditions",
        "use and, or, not",
        "(age > 1) == (bmi > 1)",
        "age > 1 and bmi > 1",
    ),
    (
        "`<` or `>` in a formula on a column of categories",
        "give sex the type ordinal or continuous",
        "sex >= 'F'",
        "age >= 50",
    ),
):
    entry(bad_input, remedy, formula, wrong, right)


def split(_: Path, given: tuple[splits.Split, list]) -> object:
    options, values = given
    return parts_from_column(splits.units(values), options)


for bad_input, remedy, wrong, right in (
    (
        "A split that needs a column, without one",
        "write the name of a column",
        (replace(splits.IMPORTED, column=None), ["train", "test"]),
        (splits.IMPORTED, ["train", "test"]),
    ),
    (
        "An imported split with a word other than 'train' and 'test'",
        "write train or test into each row",
        (splits.IMPORTED, ["train", "valid"]),
        (splits.IMPORTED, ["train", "test"]),
    ),
    (
        "A column of the split that some rows leave blank",
        "fill these cells",
        (splits.IMPORTED, ["train", None]),
        (splits.IMPORTED, ["train", "test"]),
    ),
):
    entry(bad_input, remedy, split, wrong, right)
