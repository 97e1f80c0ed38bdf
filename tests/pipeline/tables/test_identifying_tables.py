"""Tables that say who somebody is: refused at every door, without a word of it quoted."""

from __future__ import annotations

import datetime
import logging

import numpy as np
import pandas as pd
import pytest

from demo.feature_names import feature_names
from demo.tables import simulate_tables
from models.judge import read_predictions
from pipeline.core.errors import StudyError
from pipeline.core.files import read_table
from pipeline.study.config import resolve_config
from pipeline.study.table_study import propose_config
from pipeline.tables.cases import read_cases
from pipeline.tables.dictionary import read_dictionary
from pipeline.tables.features.feature_names import is_foreign
from pipeline.tables.files.sheets import read_sheet
from pipeline.tables.identifying.checks import (
    column_kind,
    header_kind,
)
from pipeline.tables.registered import write_marker
from pipeline.validate import validate_study, write_study
from tests.pipeline.tables.test_identifying import CANARY
from tests.support.refusals import refusal

# The doors: each table of a study.


@pytest.fixture
def files(tmp_path):
    """Write the tables of a small study and return its configuration and tables."""
    rng = np.random.default_rng(1)
    ids = [f"P{n:03d}" for n in range(1, 61)]
    features = pd.DataFrame(
        rng.normal(size=(60, 3)),
        columns=[f"original_firstorder_{n}" for n in ("Mean", "Energy", "Range")],
    )
    features.insert(0, "patient_id", ids)
    clinical = pd.DataFrame({"patient_id": ids, "age": rng.integers(50, 90, 60)})
    clinical["pain"] = rng.permutation([1] * 20 + [0] * 40)
    clinical["surgeon"] = ["A", "B", "C"] * 20
    rows = [
        ["age", "continuous", None, "preoperative", "predictor"],
        ["pain", "binary", "0|1", "postoperative", "outcome"],
        ["surgeon", "categorical", None, "preoperative", "other"],
    ]
    dictionary = pd.DataFrame(rows, columns=["column", "type", "levels", "timing", "role"])
    config = {
        "study": "s", "results": str(tmp_path / "results"),
        "features": {"A": str(tmp_path / "A.csv")}, "clinical": str(tmp_path / "clinical.csv"),
        "dictionary": str(tmp_path / "dictionary.csv"),
        "outcome": {"name": "pain", "formula": "pain == '1'"}, "split": {"folds": 3},
    }  # fmt: skip
    return config, {"A": features, "clinical": clinical, "dictionary": dictionary}


def validated(files, tmp_path):
    config, tables = files
    for name, table in tables.items():
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    return validate_study(resolve_config(config))


def describe(tables, name, role="other", kind="categorical"):
    row = [name, kind, None, "preoperative", role]
    tables["dictionary"].loc[len(tables["dictionary"])] = row


SHEET = {
    "Name, Vorname": [f"{CANARY}-{n}, Synthetic" for n in range(60)],
    "geb. am": [f"{datetime.date(1940, 1, 1) + datetime.timedelta(days=n)}" for n in range(60)],
    "Patienten-ID": [f"0730{n:04d}" for n in range(60)],
    "note": ["seen on 3. März 2019"] * 60,
}


@pytest.mark.parametrize("role", ["other", "id", "predictor", "eligibility"])
@pytest.mark.parametrize("column", SHEET)
def test_a_clinical_sheet_of_a_hospital_is_refused_and_then_accepted(files, tmp_path, column, role):
    _, tables = files
    clean = {name: table.copy() for name, table in tables.items()}
    tables["clinical"][column] = SHEET[column]
    describe(tables, column, role, "continuous" if role == "predictor" else "categorical")
    code = "column-holds-dates" if column == "note" else "column-identifies-patients"
    with refusal(code, StudyError) as error:
        validated(files, tmp_path)
    assert column in str(error.value)
    assert "Remedy: remove the column" in str(error.value)
    for value in ("CANARY", "1940-", "0730", "März"):
        assert value not in str(error.value)
    tables.update(clean)  # the remedy: without the column, and without its row
    assert len(validated(files, tmp_path).clinical) == 60


def test_columns_that_nothing_uses_enter_no_result(files, tmp_path, caplog):
    config, tables = files
    tables["clinical"]["ward"] = ["north", "south"] * 30
    tables["clinical"]["kept"] = ["yes", "no"] * 30
    describe(tables, "ward", "id")
    describe(tables, "kept", "other")
    config["eligibility"] = [{"label": "kept", "formula": "kept in ['yes', 'no']"}]
    caplog.set_level(logging.INFO)
    study = validated(files, tmp_path)
    write_study(study, tmp_path / "frozen")
    held = read_table(tmp_path / "frozen" / "clinical.parquet")
    assert list(held.columns) == ["patient_id", "age", "pain", "kept"]
    assert "no result holds: surgeon, ward" in caplog.text


def test_a_clinical_sheet_without_a_dictionary_is_refused_too(files, tmp_path):
    config, tables = files
    config["dictionary"], config["outcome"]["formula"] = None, "pain == 1"
    tables["clinical"]["Vorname"] = CANARY
    with refusal("column-identifies-patients", StudyError):
        validated(files, tmp_path)
    del tables["clinical"]["Vorname"]
    assert list(validated(files, tmp_path).clinical.columns) == ["patient_id", "pain"]


@pytest.mark.parametrize("header", ["PatientName", "geb. am", "MRN"])
def test_a_feature_table_with_such_a_column_is_refused(files, tmp_path, header):
    _, tables = files
    tables["A"][header] = CANARY
    with refusal("column-identifies-patients", StudyError) as error:
        validated(files, tmp_path)
    assert CANARY not in str(error.value)


def test_clinical_columns_of_a_feature_table_are_looked_at(files, tmp_path):
    config, tables = files
    config["clinical"] = None
    for name in ("age", "pain", "surgeon"):
        tables["A"][name] = tables["clinical"][name].to_numpy()
    assert len(validated(files, tmp_path).clinical) == 60
    tables["A"]["surgeon"] = "03.02.2019"
    with refusal("column-holds-dates", StudyError):
        validated(files, tmp_path)


@pytest.mark.parametrize(
    "ids",
    [
        [f"CANARY^{n}{'x' * n}" for n in range(60)],
        [f"Canaryman{'a' * n}, Synthetica" for n in range(60)],
    ],
)
def test_names_as_ids_are_refused(files, tmp_path, ids):
    _, tables = files
    tables["clinical"]["patient_id"] = ids
    with refusal("ids-are-names", StudyError) as error:
        validated(files, tmp_path)
    assert "anary" not in str(error.value).lower().replace(str(tmp_path).lower(), "")


def test_levels_that_are_people_are_refused(tmp_path):
    rows = [
        ["surgeon", "categorical", "Dr. Canarymann|Dr. Canaryfrau", "preoperative", "predictor"]
    ]
    table = pd.DataFrame(rows, columns=["column", "type", "levels", "timing", "role"])
    table.to_csv(tmp_path / "d.csv", index=False)
    with refusal("levels-identify-people", StudyError) as error:
        read_dictionary(tmp_path / "d.csv")
    assert "Canary" not in str(error.value)
    table["levels"] = "A|B"
    table.to_csv(tmp_path / "d.csv", index=False)
    assert read_dictionary(tmp_path / "d.csv")["levels"].tolist() == ["A|B"]


@pytest.fixture
def cases(tmp_path):
    rows = [{"patient_id": "P001", "scan_id": "S001", "case_id": "S001-L1", "level": "L1",
             "reader": "A", "image": "a.nrrd", "mask": "m.nrrd"}]  # fmt: skip
    table = pd.DataFrame(rows)
    for name in ("a.nrrd", "m.nrrd"):
        (tmp_path / name).write_bytes(b"")
    write_marker(tmp_path, "demo", table)
    return table


def refused_cases(table, tmp_path) -> str:
    table.to_csv(tmp_path / "cases.csv", index=False)
    with pytest.raises(StudyError) as error:
        read_cases(tmp_path / "cases.csv", 8)
    return str(error.value).replace(str(tmp_path), "")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("patient_id", "Canarymann, S."), ("case_id", "CANARY^S"), ("scan_id", "Kanarienvögel"),
        ("patient_id", "Canarymann"), ("mask", "masks/Canarymann/m.nrrd"), ("reader", "Canarymann"),
        ("patient_id", "0073194#"), ("case_id", "10.03.1958"), ("label", "Canarymann\tx"),
        ("days_from_surgery", "10.03.1958"), ("level", "Canary^S"),
    ],
)  # fmt: skip
def test_a_bad_id_of_the_cases_is_never_quoted(cases, tmp_path, column, value):
    cases[column] = value
    try:
        text = refused_cases(cases, tmp_path)
    except pytest.fail.Exception:
        text = ""  # a label or a reader of this form is allowed
    for word in ("anary", "CANARY", "anarien", "0073194", "1958"):
        assert word not in text
    if text:
        assert f"column {column}" in text
        assert "row 2" in text


def test_a_column_of_the_cases_that_identifies_is_refused(cases, tmp_path):
    cases["PatientName"] = "CANARY^S"
    assert "must not say who the patients are" in refused_cases(cases, tmp_path)
    del cases["PatientName"]
    cases.to_csv(tmp_path / "cases.csv", index=False)
    assert len(read_cases(tmp_path / "cases.csv", 8)) == 1


def test_predictions_with_names_are_refused(tmp_path):
    table = pd.DataFrame({"y": [0, 1, 0, 1], "risk": [0.1, 0.9, 0.2, 0.8], "Vorname": CANARY})
    table.to_csv(tmp_path / "p.csv", index=False)
    with refusal("column-identifies-patients", StudyError):
        read_predictions(tmp_path / "p.csv", "y", ["risk"])
    table.drop(columns="Vorname").to_csv(tmp_path / "p.csv", index=False)
    assert len(read_predictions(tmp_path / "p.csv", "y", ["risk"])[0]) == 4


def test_no_id_is_proposed_of_a_column_of_names(tmp_path):
    table = pd.DataFrame({"Surname": ["a", "b"], "original_firstorder_Mean": [1.5, 2.5]})
    table.to_csv(tmp_path / "t.csv", index=False)
    with refusal("column-identifies-patients", StudyError):
        propose_config("s", [tmp_path / "t.csv"])


def test_the_tables_of_the_demo_have_none():
    tables = simulate_tables(60, 7, features=feature_names()[:20])
    for sheet in (tables.clinical, tables.features["A"]):
        texts = sheet.astype(str)
        kinds = {name: column_kind(name, texts[name]) for name in texts.columns}
        assert not {name: kind for name, kind in kinds.items() if kind}


def test_the_tables_of_others_have_none(testdata):
    """No false alarm on the clinical and feature tables that come with public data."""
    found = {}
    for path in sorted(testdata.rglob("*.csv")):
        try:
            sheet = read_sheet(path)
        except StudyError:
            continue
        for name in sheet.columns:
            few = sheet[name].head(100) if is_foreign(name) else ()
            kind = column_kind(name, few) or header_kind(name)
            if kind:
                found[(path.name, name)] = kind
    assert {name for _, name in found} <= {"SeriesInstanceUID", "StudyInstanceUID"}, found


@pytest.mark.parametrize(
    ("column", "values", "mend"),
    [
        ("first_name_rank", ["1", "2", "3"] * 20, "rename"),
        ("remark", [f"Aaa{chr(97 + n // 26)}{chr(97 + n % 26)}, Bbb" for n in range(60)], "levels"),
        ("remark", [f"Aaa{chr(97 + n // 26)}{chr(97 + n % 26)}, Bbb" for n in range(60)], "codes"),
        ("ref", [f"A{123456 + n}" for n in range(60)], "lot_number"),
        ("ref", [f"{1234567 + 13 * n}" for n in range(60)], "volume_mm3"),
    ],
)
def test_a_false_alarm_has_a_way_out_that_works(files, tmp_path, column, values, mend):
    _, tables = files
    tables["clinical"][column] = values
    describe(tables, column)
    with refusal("column-identifies-patients", StudyError) as error:
        validated(files, tmp_path)
    said = {"rename": "give it another name", "levels": "list its values as levels",
            "codes": "write codes such as A1"}  # fmt: skip
    assert f"If it says nothing of a person, {said.get(mend, 'name it after what')}" in str(
        error.value
    ) or said.get(mend, mend) in str(error.value)
    dictionary, clinical = tables["dictionary"], tables["clinical"]
    row = dictionary.index[dictionary["column"] == column]
    if mend == "levels":
        dictionary.loc[row, "levels"] = "|".join(dict.fromkeys(values))
    elif mend == "codes":
        clinical[column] = [f"A{n}" for n in range(60)]
    else:
        name = "rank" if mend == "rename" else mend
        tables["clinical"] = clinical.rename(columns={column: name})
        dictionary.loc[row, "column"] = name
    assert len(validated(files, tmp_path).clinical) == 60
