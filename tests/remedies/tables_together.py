"""Remedies of tables that must fit together: ids, readers, splits, and who is left of a study."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.transformers.columns import Columns
from pipeline.comparison.table_one.table_one import table_one
from pipeline.ingest import scans_of
from pipeline.study.config import load_config
from pipeline.tables.dictionary import allowed_predictors
from pipeline.tables.pairs import check_ids_meet
from pipeline.tables.split_designs import parts_from_column
from tests.pipeline import test_join
from tests.pipeline.comparison.table_one.test_table_one import IVC, LI, YES
from tests.pipeline.tables.test_analysis_columns import INFO
from tests.pipeline.tables.test_split_designs import BY_SITE, IMPORTED, units
from tests.pipeline.test_validate import Files, ready
from tests.remedies import Given, Remedy, called, entries, refused
from tests.remedies.tables_people import put, version
from tests.remedies.tables_ready import described
from tests.support.small_tables import small_tables

SECTION = "Tables"


# --- The table of masks --------------------------------------------------------------------------


def no_table_of_masks(folder: Path) -> None:
    """Its path is read from the folder of the run."""
    files = Files(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        refused(
            SECTION, "The table of masks does not exist", lambda: files.study(cases="csaes.csv"),
            "relative to the folder in which snakemake runs",
        )  # fmt: skip
        assert len(files.study(cases="cases.csv").cases) == 80


def two_rows_of_a_mask(folder: Path) -> None:
    """A duplicate goes, or it is a correction with a number of its own."""
    files = Files(folder)
    whole, name = files.cases, "Two rows for one mask"
    files.cases = pd.concat([whole, whole[:1]], ignore_index=True)
    refused(SECTION, name, files.study, "remove the duplicate, or correct its ids")
    files.cases = whole
    assert len(files.study().cases) == 80
    version("2")(files)
    assert len(files.study().cases) == 81


def image_of_two_scans(folder: Path) -> None:
    name = "One image in the rows of several scans"
    files = Files(folder)
    whole = files.cases.copy()
    put("image", "img/0001", [2, 3])(files)
    shared = files.cases.copy()
    refused(SECTION, name, files.study, "one scan_id, or tell its series apart in the column")
    for rows, series in (([0, 1], "bone"), ([2, 3], "soft tissue")):
        put("series", series, rows)(files)
    assert files.study().cases["scan_id"].nunique() == 40
    files.cases = shared
    for column, value in (
        *(("scan_id", "0001-ct"), ("patient_id", "0001")),
        *(("level", "L2"), ("case_id", "0001-L2")),
    ):
        put(column, value, [2, 3])(files)
    assert files.study(aggregation="mean").cases["scan_id"].nunique() == 39
    files.cases = whole


def predicted_by(folder: Path) -> None:
    """A column gets its role, if it is one; a name that is none is corrected."""
    name = "A predictor whose role in the dictionary is another"
    row = "x,,continuous,,,preoperative,{}\n"
    other = described(folder, row.format("split"))

    def door(rows: pd.DataFrame, predictor: str) -> list[str]:
        return list(allowed_predictors(rows, "preoperative", [predictor])["column"])

    refused(SECTION, name, lambda: door(other, "x"), "give x the role `predictor`, if it is one")
    mended = described(folder, row.format("predictor"))
    assert door(mended, "x") == ["x"]
    refused(SECTION, name, lambda: door(mended, "xx"), "perhaps `x` is meant|known: x")
    assert door(mended, "x") == ["x"]


def encoded(_: Path, levels: str | None) -> Columns:
    row = {"column": "sex", "label": "Sex", "type": "binary", "levels": levels}
    return Columns.from_info(INFO | {"predictors": [row]})


# --- Studies that a change of their tables spoils ------------------------------------------------


def spoilt(folder: Path, given: tuple) -> object:
    """Validate a study whose tables are changed, with options."""
    change, options = given
    files = Files(folder)
    asked = change(files) or {}
    return files.study(**asked | options)


def clinical(**columns: object):
    """Return what changes columns of the clinical table; one of None is left out."""

    def change(files: Files) -> None:
        lost = [name for name, values in columns.items() if values is None]
        files.clinical = files.clinical.assign(
            **{name: values for name, values in columns.items() if values is not None}
        ).drop(columns=lost)

    return change


IDS = [f"{number:04d}" for number in range(1, 41)]
CASES = [f"{one}-L1" for one in IDS]


def in_a_folder(folder: Path, name: str) -> object:
    """Read a configuration that lies in a folder of its own."""
    (folder / "study").mkdir(exist_ok=True)
    (folder / "study" / "config.yaml").write_text("study: s\nfeatures: {A: a.csv}\n")
    return load_config([folder / name])


def features(
    *,
    key: str = "patient_id",
    other: dict | None = None,
    key_of_b: list | None = None,
    cases: bool = False,
):
    """Return what writes ready tables of two readers, B's with other columns.

    With `cases` the clinical table has cases, and no patients.
    """

    def write(files: Files) -> dict:
        table = pd.DataFrame({key: IDS, "f1": 1.0, "f2": np.arange(40.0)})
        if cases:
            clinical(patient_id=None, case_id=IDS)(files)
        of_b = table.assign(**(other or {}) | ({key: key_of_b} if key_of_b else {}))
        return ready(files.folder / "f", A=table, B=of_b)

    return write


BY_CASE = {"case_id": IDS, "patient_id": IDS}
NAMED = {"case_id": IDS, "patient_id": list(np.roll(IDS, 1))}


def by_case(other: dict):
    """Return what writes tables of cases with their patients; B's name others."""

    def write(files: Files) -> dict:
        table = pd.DataFrame(BY_CASE | {"f1": 1.0, "f2": np.arange(40.0)})
        return ready(files.folder / "f", A=table, B=table.assign(**other))

    return write


def patients_of(files: Files) -> dict:
    """Write tables of cases that say whose they are, for a clinical table of cases."""
    clinical(patient_id=None, case_id=IDS)(files)
    table = pd.DataFrame(BY_CASE | {"f1": 1.0, "f2": np.arange(40.0)})
    return ready(files.folder / "f", A=table, B=table)


def other_patient(files: Files) -> None:
    clinical(case_id=CASES)(files)
    files.clinical.loc[0, "patient_id"] = "0099"


SEX = "sex,Sex,binary,,F|M,preoperative,predictor"
PART = "part,Part,binary,,train|test,,split"


def role(text: str, then: str):
    def change(files: Files) -> None:
        assert text in files.dictionary
        files.dictionary = files.dictionary.replace(text, then)

    return change


def days(files: Files) -> None:
    """Write days of enrolment into the column of the parts, and say so in the dictionary."""
    role(PART, "part,Part,continuous,,,,split")(files)
    clinical(part=np.arange(40))(files)


def nothing(files: Files) -> None:
    """Leave the tables as they are."""


def split(design: str, column: str, *test_sites: str) -> dict:
    given = {"design": design, "column": column, "folds": 2}
    return {"split": given | ({"test_sites": list(test_sites)} if test_sites else {})}


UNIT_CASE, BY_PART = {"unit": "case"}, split("imported", "part")

#: As `Given`: tables and options that are refused, and those that the remedy makes of them.
STUDIES: dict[str, Given] = {
    "A folder in the place of a file": (
        in_a_folder, ["study"], "name the file in it that is meant", ["study/config.yaml"],
    ),
    "A malformed id in the clinical table, or one in a feature table that is malformed or blank": (
        spoilt,
        [(clinical(patient_id=["x y", *IDS[1:]]), {}), (features(key_of_b=["x y", *IDS[1:]]), {}),
         (features(key_of_b=["", *IDS[1:]]), {})],
        "letters, digits, '_' and '-'|name the patient, or remove the row",
        [(nothing, {}), (clinical(patient_id=["x_y", *IDS[1:]]), {}), (features(), {})],
    ),
    "The tables of two readers name different patients for one case": (
        spoilt, [(by_case(NAMED), {})], "correct the column patient_id", [(by_case({}), {})],
    ),
    "The tables of two readers have different columns of ids": (
        spoilt, [(features(other={"case_id": IDS}), {})],
        "give each table the same columns of ids, or rename them alike",
        [(features(), {}), (by_case({}), {})],
    ),
    "A ready feature table without patient_id, `unit: patient`": (
        spoilt, [(features(key="case_id"), {})],
        "; or set `unit: case`",
        [(features(), {}), (patients_of, UNIT_CASE)],
    ),
    "Cases whose patient no table names, `unit: case`": (
        spoilt, [(features(key="case_id", cases=True), UNIT_CASE)],
        "add the column patient_id: cases of a patient must not be parted",
        [(patients_of, UNIT_CASE)],
    ),
    "The clinical table and the table of masks name different patients for one case": (
        spoilt, [(other_patient, UNIT_CASE)],
        "correct patient_id in one of the two, or remove the clinical table's column",
        [(clinical(case_id=CASES), UNIT_CASE),
         (clinical(case_id=CASES, patient_id=None), UNIT_CASE)],
    ),
    "A column of the split without the role `split`": (
        spoilt, [(role(PART, PART.replace("split", "other")), BY_PART),
                 (nothing, split("imported", "sex"))],
        "write `split` into the column role of its row, or name another column",
        [(nothing, BY_PART),
         (role(SEX, "sex,Sex,binary,,F|M,,split"), split("by_site", "sex", "M"))],
    ),
    "A column of the split of the wrong type": (
        spoilt, [(nothing, split("temporal", "part"))],
        "correct type and levels in the data dictionary, or name another column",
        [(days, split("temporal", "part")), (nothing, BY_PART)],
    ),
}  # fmt: skip


# --- Functions on tables that earlier stages made ------------------------------------------------

SCANS = pd.DataFrame({"scan_id": ["s", "s"], "patient_id": "p", "image": ["a", "b"], "series": ""})


def meet(_: Path, given: tuple[str, pd.DataFrame]) -> None:
    key, tables = given
    check_ids_meet(small_tables()[1].rename(columns={"patient_id": key}), tables, key, "features")


FEATURES = small_tables()[0]["A"]

DOORS: dict[str, Given] = {
    "Rows of one scan with different patients, images or series": (
        lambda _, cases: scans_of(cases), [SCANS],
        "give each scan one patient_id, one image and one series in the table of masks",
        [SCANS.assign(image="a"), SCANS.assign(scan_id=["s", "t"])],
    ),
    "A categorical predictor with one level": (
        encoded, [None, "only"], r"list its levels, separated by '\|', reference first",
        ["female|male"],
    ),
    "Ready feature tables without the clinical table's key": (
        meet, [("case_id", FEATURES)],
        "add case_id to every feature table, or set `unit` accordingly",
        [("case_id", FEATURES.assign(case_id=FEATURES["patient_id"])), ("patient_id", FEATURES)],
    ),
    "An imported split that puts one patient into both parts": (
        lambda _, given: parts_from_column(units(given[0], per_patient=2), given[1]),
        [(["train", "test"], IMPORTED), (["A", "B"], BY_SITE)],
        "write the same part into all rows of a patient",
        [(["train", "train"], IMPORTED), (["test", "test"], IMPORTED), (["B", "B"], BY_SITE)],
    ),
    "table1: the column of the groups holds one group": (
        lambda _, given: table_one(LI, [IVC], *given), [("rbp", ("no",))],
        "name another column with --by, or leave it out to describe all units",
        [("leak", YES), (None, ())],
    ),
}  # fmt: skip


def nobody_left(folder: Path) -> None:
    """The printed reasons name the condition of which nobody is left."""
    test_join.write_tables(folder)

    def join(eligible: str) -> None:
        test_join.freeze(folder, eligibility=[{"label": "age", "formula": eligible}])
        test_join.write_stages(folder)
        files = [
            *("--study", folder / "study", "--flow", folder / "flow.json"),
            *(part for name in ("features", "preflight", "extraction")
              for part in (f"--{name}", folder / f"{name}.parquet")),
        ]  # fmt: skip
        called("pipeline.join", *files, "--out", folder / "a.parquet", "--info", folder / "a.json")

    refused(
        SECTION, "A study of which no patient is left", lambda: join("age >= 100"),
        "look into the tables, tables/preflight.csv and the reasons above",
    )  # fmt: skip
    join("age < 100")
    assert len(pd.read_parquet(folder / "a.parquet"))


REMEDIES: dict[str, Remedy] = {
    **entries(SECTION, STUDIES),
    **entries(SECTION, DOORS),
    "The table of masks does not exist": no_table_of_masks,
    "Two rows for one mask": two_rows_of_a_mask,
    "One image in the rows of several scans": image_of_two_scans,
    "A predictor whose role in the dictionary is another": predicted_by,
    "A study of which no patient is left": nobody_left,
}
