"""A table of masks handed in: its rows, series and days, and what it says of people."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pydicom
import pydicom.examples
import pytest

from intake.handover.people.dates import day_of, days_between, enrolment
from intake.handover.people.linkage import read_linkage
from intake.handover.tables import _of_table
from intake.phi_scan import scan
from pipeline.core.errors import StudyError
from pipeline.tables.cases import read_cases
from tests.support.hospital import (
    ANNA,
    CANARY,
    OUYANG,
    PETER,
    write_ct,
    write_mask,
)
from tests.support.refusals import refusal


def table_of(hospital, rows) -> Path:
    path = hospital.root / "handed_in.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def test_a_table_with_real_ids_and_paths_is_pseudonymised(hospital):
    write_ct(ANNA, hospital.dicom / "a", series=1)
    write_ct(ANNA, hospital.dicom / "a", series=2, origin=(-20.0, -10.0, 105.0))
    write_mask(hospital.masks / "one.nrrd", origin=(-20.0, -10.0, 105.0))
    write_mask(hospital.root / "ct.nrrd", origin=(0.0, 0.0, 0.0))
    write_mask(hospital.masks / "two.nii.gz", origin=(0.0, 0.0, 0.0))
    common = {"level": "L1", "reader": "Dr. Jones", "version": "", "label": ""}
    table = table_of(
        hospital,
        [
            {"patient_id": "Żółkiewska B.", "image": f"{hospital.dicom.name}/a",
             "mask": "masks/one.nrrd", "days_from_surgery": "-2", **common},
            {"patient_id": "KH-77", "image": "ct.nrrd", "mask": "masks\\two.nii.gz", **common},
        ],
    )  # fmt: skip
    hospital.command(
        "--cases", table, "--out", hospital.out, "--linkage", hospital.linkage, "--headers", "clean"
    )
    cases = read_cases(hospital.out / "cases.csv", 8)
    assert len(cases) == 2
    assert sorted(cases["days_from_surgery"].dropna()) == [-2]
    assert set(cases["reader"]) == {"A"}
    by_id = {
        known: pseudonym for pseudonym, known in read_linkage(hospital.linkage).patients.items()
    }
    assert set(by_id) == {"Żółkiewska B.", "KH-77"}
    scan_of_anna = cases[cases["patient_id"] == by_id["Żółkiewska B."]].iloc[0]
    known = read_linkage(hospital.linkage).scans[scan_of_anna["scan_id"]]
    assert known["series"] == ANNA.uid(2)
    text = (hospital.out / "cases.csv").read_text(encoding="utf-8")
    for word in ("KH-77", "Jones", "one.nrrd", "PACS", ANNA.uid(1)):
        assert word not in text


@pytest.mark.parametrize("series", ["uid", "description"])
def test_a_table_may_name_the_series(hospital, series):
    write_ct(ANNA, hospital.dicom / "a", series=1)
    slices = write_ct(ANNA, hospital.dicom / "a", series=2)
    for path in slices:
        data = pydicom.dcmread(path)
        data.SeriesDescription = "Thin bone"
        data.save_as(path)
    write_mask(hospital.masks / "one.nrrd")
    row = {"patient_id": "1", "level": "L1", "mask": "masks/one.nrrd", "reader": "A"}
    row["image"] = f"{hospital.dicom.name}/a"
    named = {"uid": ANNA.uid(2), "description": "thin  Bone"}[series]
    other = row | {"level": "L2", "series": "soft tissue"}
    table = table_of(hospital, [row | {"series": named}, other])
    hospital.command("--cases", table, "--out", hospital.out, "--linkage", hospital.linkage)
    (known,) = read_linkage(hospital.linkage).scans.values()
    assert known["series"] == ANNA.uid(2)
    report = (hospital.root / "safe" / "who.handover.csv").read_text(encoding="utf-8")
    assert "must name a CT series of the image by UID or description" in report


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"mask": "masks/none.nrrd"}, "path-not-found", "The mask must exist"),
        ({"level": ""}, "cell-blank", "level must not be blank"),
        ({"level": f"L1 {CANARY}"}, "level-not-a-vertebra", ""),
        ({"version": "x"}, "cell-not-whole-number", "version must be a whole number"),
        (
            {"days_from_surgery": "x"},
            "cell-not-whole-number",
            "days_from_surgery must be a whole number",
        ),
    ],
)
def test_wrong_rows_of_a_table_are_told_without_their_ids(hospital, change, code, message):
    write_mask(hospital.masks / "one.nrrd")
    row = {"patient_id": CANARY, "level": "L1", "reader": "A", "version": "1"}
    row |= {"image": "masks/one.nrrd", "mask": "masks/one.nrrd", "days_from_surgery": "1"}
    table = table_of(hospital, [row | change])
    with refusal(code, StudyError, match=message) as caught:
        hospital.command("--cases", table, "--out", hospital.out)
    assert "row 2" in str(caught.value)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"patient_id": "other"}, "A CT series must belong to one patient"),
        ({"level": "th12"}, "Another file is of the same CT, level (T12) and reader (A)"),
    ],
)
def test_rows_that_contradict_each_other_are_not_matched(hospital, change, reason):
    """Else two patients would become one, and a second mask a correction of the first."""
    write_ct(ANNA, hospital.dicom / "a")
    write_ct(OUYANG, hospital.dicom / "b")
    for name in ("one", "two", "three"):
        write_mask(hospital.masks / f"{name}.nrrd")
    row = {"patient_id": "1", "level": "T12", "reader": "A"}
    row |= {"image": f"{hospital.dicom.name}/a", "mask": "masks/one.nrrd"}
    good = {"patient_id": "2", "image": f"{hospital.dicom.name}/b", "mask": "masks/three.nrrd"}
    table = table_of(hospital, [row, row | {"mask": "masks/two.nrrd"} | change, row | good])
    hospital.command("--cases", table, "--out", hospital.out, "--linkage", hospital.linkage)
    assert list(hospital.pseudonyms()) == ["2"]
    for name in ("one.nrrd", "two.nrrd"):
        assert hospital.report()[name][0] == "NOT MATCHED"
        assert reason in hospital.report()[name][2]


def test_table_without_a_column_is_told(hospital):
    table = table_of(hospital, [{"patient_id": CANARY}])
    with refusal("column-missing", StudyError, match="must have the column level"):
        hospital.command("--cases", table, "--out", hospital.out)


def test_rows_of_a_table_that_fit_nothing_are_reported(hospital):
    write_ct(ANNA, hospital.dicom / "a", series=1)
    write_ct(ANNA, hospital.dicom / "a", series=2)
    write_mask(hospital.masks / "one.nrrd")
    (hospital.root / "x.txt").write_text("x")
    common = {"patient_id": "1", "level": "L1", "mask": "masks/one.nrrd"}
    table = table_of(
        hospital,
        [
            {"reader": "A", "image": f"{hospital.dicom.name}/a", **common},
            {"reader": "B", "image": "x.txt", **common},
        ],
    )
    with refusal("no-mask-matched", StudyError):
        hospital.command("--cases", table, "--out", hospital.out, "--linkage", hospital.linkage)
    report = (hospital.root / "safe" / "who.handover.csv").read_text()
    assert "must hold one CT series with the mask's grid" in report
    assert "A CT must be a DICOM folder, a NIfTI or a NRRD file" in report


def test_days_from_surgery_and_enrolment_survive(hospital, capsys):
    for person in (ANNA, OUYANG, PETER):
        write_ct(person, hospital.dicom / person.patient_id)
        write_mask(hospital.masks / person.patient_id / "L1_A.nrrd")
    dates = hospital.root / "dates.csv"
    dates.write_text(
        "patient_id,surgery_date\nKH-0000471-A,2019-03-06\n00731942,12.03.2019\n"
        "KH-0000473-C,20181224\nnobody,20180101\n"
    )
    rows = hospital.run("--dates", dates, "--enrolment", "days")
    assert "1 patients of --dates without a mask, or with another id" in capsys.readouterr().out
    by_id = {
        known: pseudonym for pseudonym, known in read_linkage(hospital.linkage).patients.items()
    }
    told = {row["patient_id"]: row["days_from_surgery"] for row in rows}
    expected = {"KH-0000471-A": "-2", "00731942": "-1", "KH-0000473-C": "0"}
    assert told == {by_id[one]: days for one, days in expected.items()}
    template = pd.read_csv(hospital.out / "clinical_template.csv", index_col="patient_id")
    assert template["enrolment"].to_dict() == {
        by_id["KH-0000473-C"]: 0, by_id["KH-0000471-A"]: 72, by_id["00731942"]: 78,
    }  # fmt: skip
    assert not scan([hospital.out], hospital.search()).leaks


@pytest.mark.parametrize("text", ["01/02/2019", "2019-02-30", "soon", ""])
def test_dates_that_are_none_are_told_by_row(hospital, text):
    dates = hospital.root / "dates.csv"
    dates.write_text(f"patient_id,surgery_date\n{CANARY},20190101\n{CANARY}2,{text}\n")
    write_ct(ANNA, hospital.dicom)
    with refusal("surgery-day-ambiguous", StudyError, match="row 3") as caught:
        hospital.run("--dates", dates)
    assert CANARY not in str(caught.value)
    dates.write_text("id\n1\n")
    with refusal("column-missing", StudyError):
        hospital.run("--dates", dates)


def test_days_and_ranks():
    assert day_of("31.01.2020") == day_of("2020-01-31 00:00:00") == day_of("20200131")
    assert days_between("20191231", "20200101") == 1
    assert days_between("20191231", None) is None
    table = enrolment({"P2": "20200101", "P1": "20200101", "P3": None, "P4": "20200103"}, "rank")
    assert table["enrolment"].tolist()[:2] == [1, 1]
    assert table["enrolment"].isna().tolist() == [False, False, True, False]
    assert table["enrolment"].tolist()[3] == 3


def test_what_else_a_handed_in_table_says_of_people_is_remembered(tmp_path):
    row = {
        "patient_id": "7",
        "scan_id": None,
        "case_id": None,
        "series": None,
        "image": tmp_path / "a",
        "mask": tmp_path / "b",
        "Nachname": "Knöterich",
        "geb. am": "10.03.1958",
        "MRN": "0073194",
        "note": "good",
    }
    found = {(one.kind, one.value) for one in _of_table(pd.DataFrame([row]), tmp_path)}
    assert {("name", "Knöterich"), ("date", "19580310"), ("id", "0073194")} <= found
    assert not any("good" in value for _, value in found)
