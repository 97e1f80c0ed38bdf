"""Remedies of tables of masks, of `register`, of the search for identity and of `judge`."""

from __future__ import annotations

import json
import re
from argparse import Namespace
from pathlib import Path
from unittest import mock

import pandas as pd

from intake import phi_scan
from models.judge import judge, read_predictions
from pipeline.tables.registered import MARKER
from tests.intake.test_register_tables import table_of
from tests.models.test_judge import drawn
from tests.pipeline.test_validate import Files
from tests.remedies import Remedy, says
from tests.remedies.table_doors import refused
from tests.support.hospital import ANNA, CANARY, Hospital, write_ct, write_mask
from tests.support.stages import traces_of


def put(column: str, value: object, rows: object = 0):
    """Return what writes a value into cells of the table of masks."""

    def write(files: Files) -> None:
        files.cases.loc[rows, column] = value

    return write


def version(number: str):
    """Return what adds a version of reader A's mask of the first case, in place of another."""

    def add(files: Files) -> None:
        cases = files.cases[:80]
        first = cases[cases["reader"] == "A"][:1]
        files.cases = pd.concat([cases, first.assign(version=number)], ignore_index=True)

    return add


def rename(**names: str):
    return lambda files: setattr(files, "cases", files.cases.rename(columns=names))


def marker(files: Files) -> None:
    files.good, files.registered = files.registered, None
    (files.folder / MARKER).write_text("[]")


def clinic(ids: list[str]):
    return lambda files: files.clinical.__setitem__("patient_id", ids)


IDS = [f"{number:04d}" for number in range(1, 41)]
OTHER_IDS = [f"X{number + 200}" for number in range(40)]


def more_cases(files: Files) -> None:
    more = files.cases[:2].assign(case_id="0001-L2", level="L2")
    files.cases = pd.concat([files.cases, more])


#: By bad input: how the study's table of masks is spoilt, rule, words of the remedy, and its cure,
#: which is a change of the table or options.
MASKS = {
    "A required column is missing or misspelt": (
        rename(mask="masks"), "must have the column mask", "rename masks to mask",
        rename(masks="mask"),
    ),
    "Two masks of one reader for one case": (
        put("reader", "B", 1), "A case must have one mask per reader",
        "remove the duplicate, or correct", put("reader", "A", 1),
    ),
    "One level twice in a scan": (
        lambda f: (put("scan_id", "0001-ct", [2, 3])(f), put("patient_id", "0001", [2, 3])(f),
                   put("image", "img/0001", [2, 3])(f)),
        "A level of a scan must be one case", "correct",
        lambda f: (put("scan_id", "0002-ct", [2, 3])(f), put("patient_id", "0002", [2, 3])(f),
                   put("image", "img/0002", [2, 3])(f)),
    ),
    "A mask file that does not exist": (
        put("mask", "m/none.nrrd"), "The mask must exist", "correct the path",
        put("mask", "m/0001-B.nrrd"),
    ),
    "A scan on or after surgery in a preoperative study": (
        put("days_from_surgery", "0", [0, 1]), "model must not see scans",
        "`timing: postoperative`", {"timing": "postoperative"},
    ),
    "A table of masks that the intake did not write": (
        lambda f: (setattr(f, "good", f.registered), setattr(f, "registered", None)),
        "A study needs pseudonyms", "vertebromics intake --cases",
        lambda f: setattr(f, "registered", f.good),
    ),
    "A marker of a study that cannot be read": (
        marker, "must be as this version writes it", "run the intake again",
        lambda f: setattr(f, "registered", f.good),
    ),
    "A patient whom the intake does not know": (
        put("patient_id", "0099", [0, 1]), "Every patient of the table must have a pseudonym",
        "take the new files in", put("patient_id", "0001", [0, 1]),
    ),
    "A path that leaves the study's folder": (
        put("mask", "../elsewhere/a.nrrd"),
        "mask must lie in the folder that vertebromics intake wrote",
        "take the new files in", put("mask", "m/0001-B.nrrd"),
    ),
    "A SeriesInstanceUID in the table of masks": (
        put("series", "1.2.840.113619", [0, 1]), "must not name a series by its UID",
        "leave it blank", put("series", "", [0, 1]),
    ),
    "A correction without its original, or versions with a gap": (
        version("3"), "must count up from the original, 1", "number its corrections 2, 3",
        version("2"),
    ),
    "Tables that share no id": (
        clinic(OTHER_IDS), "must share ids in the column",
        "look for lost leading zeros, other prefixes", clinic(IDS),
    ),
    "Several cases per patient without a rule": (
        more_cases, "must say how they become one row", "`aggregation: mean`",
        {"aggregation": "mean"},
    ),
    "A table of masks with a column of names": (
        lambda f: f.cases.__setitem__("PatientName", CANARY), "must not say who the patients are",
        "remove the column", lambda f: f.cases.__delitem__("PatientName"),
    ),
}  # fmt: skip


def masks(bad_input: str) -> Remedy:
    spoil, rule, remedy, mend = MASKS[bad_input]

    def run(folder: Path) -> None:
        files, options = Files(folder), {}
        spoil(files)
        refused(files.study, rule, remedy)
        if isinstance(mend, dict):
            options = mend
        else:
            mend(files)
        assert len(files.study(**options).clinical) == 40

    return run


#: By bad input: cells of a table for register that are wrong, rule, and words of the remedy.
ROW = {"patient_id": "1", "level": "L1", "reader": "A", "version": "1", "days_from_surgery": "-1"}
ROWS = {
    "Intake: a blank cell in a needed column": (
        {"level": ""}, "level must not be blank", "fill the cell, or remove the row"),
    "Intake: a level that is no vertebra": (
        {"level": "x9"}, "level must be a vertebra", "such as L1 or T12"),
    "Intake: days or version that are no number": (
        {"version": "x"}, "version must be a whole number", "write 1, or nothing, for the orig"),
}  # fmt: skip


class Clinic(Hospital):
    """A hospital with one CT of two series on different grids and one mask."""

    def __init__(self, folder: Path, series: int = 1) -> None:
        super().__init__(folder)
        for number in range(1, series + 1):
            write_ct(ANNA, self.dicom / "a", series=number)
        write_mask(self.masks / "KH-0000471-A_L1_A.nrrd")
        self.row = ROW | {
            "image": f"{self.dicom.name}/a",
            "mask": "masks/KH-0000471-A_L1_A.nrrd",
        }

    def table(self, *rows: dict) -> None:
        table = table_of(self, [self.row | row for row in rows])
        self.command("--cases", table, "--out", self.out, "--linkage", self.linkage)

    def accepted(self, cases: int = 1) -> None:
        assert len(pd.read_csv(self.out / "cases.csv")) == cases


def rows(bad_input: str) -> Remedy:
    change, rule, remedy = ROWS[bad_input]

    def run(folder: Path) -> None:
        clinic = Clinic(folder)
        refused(lambda: clinic.table(change), rule, remedy)
        clinic.table({})
        clinic.accepted()

    return run


def no_column(folder: Path) -> None:
    clinic = Clinic(folder)
    good = clinic.row
    clinic.row = {name: value for name, value in good.items() if name != "level"}
    refused(lambda: clinic.table({}), "must have the column level", "add it, or rename the column")
    clinic.row = good
    clinic.table({})
    clinic.accepted()


def unfit(clinic: Clinic, row: dict, rule: str, remedy: str, mended: dict) -> None:
    """Look that a row is not matched, by the report of the hospital, and then is."""
    refused(lambda: clinic.table(row), "At least one mask must be matched", "")
    report = next((clinic.root / "safe").glob("*.handover.csv"))
    says(report.read_text(encoding="utf-8"), rule, "Remedy: ", remedy)
    clinic.table(mended)
    clinic.accepted()


def several_series(folder: Path) -> None:
    unfit(Clinic(folder, series=2), {}, "must hold one CT series with the mask's grid",
          "name the series in the column series", {"series": ANNA.uid(2)})  # fmt: skip


def other_series(folder: Path) -> None:
    unfit(Clinic(folder), {"series": "soft tissue"}, "Column series must name a CT series",
          "correct the column series, or leave it blank", {"series": None})  # fmt: skip


def nothing_matched(folder: Path) -> None:
    clinic = Clinic(folder)
    mask = clinic.masks / "KH-0000471-A_L1_A.nrrd"
    lost = mask.rename(clinic.masks / "who.nrrd")
    refused(clinic.run, "At least one mask must be matched", r"--cases|name|report|handover")
    lost.rename(mask)
    clinic.run()
    clinic.accepted()


def two_patients(folder: Path) -> None:
    clinic = Clinic(folder)
    write_mask(clinic.masks / "two.nrrd")
    other = {"level": "L2", "mask": "masks/two.nrrd"}
    rule = "A CT series must belong to one patient"
    refused(lambda: clinic.table({}, other | {"patient_id": "2"}), "At least one mask must be", "")
    report = next((clinic.root / "safe").glob("*.handover.csv"))
    says(report.read_text(encoding="utf-8"), rule, "Remedy: correct patient_id or image")
    clinic.table({}, other)
    clinic.accepted(2)


def dates(folder: Path) -> None:
    clinic, table = Clinic(folder), folder / "dates.csv"
    table.write_text("patient_id,surgery_date\nKH-0000471-A,01/02/2019\n")
    refused(lambda: clinic.run("--dates", table), "give each patient one day", "write 2020-01-31")
    table.write_text("patient_id,surgery_date\nKH-0000471-A,2019-02-01\n")
    clinic.run("--dates", table)
    clinic.accepted()


def inside(folder: Path) -> None:
    clinic = Clinic(folder)
    good, clinic.linkage = clinic.linkage, clinic.out / "who.json"
    refused(clinic.run, "The linkage must lie outside the study", "")
    clinic.linkage = good
    clinic.run()
    clinic.accepted()


def linkage(folder: Path, content: str | None, rule: str) -> None:
    clinic = Clinic(folder)
    clinic.run()
    kept = clinic.linkage.read_text()
    if content is None:
        clinic.linkage.unlink()
    else:
        clinic.linkage.write_text(content)
    refused(clinic.run, rule, "")
    clinic.linkage.write_text(kept)
    clinic.run()
    clinic.accepted()


def other_files(folder: Path) -> None:
    clinic = Clinic(folder)
    good, clinic.out = clinic.out, folder / "mine"
    clinic.out.mkdir()
    (clinic.out / "mine.txt").touch()
    refused(clinic.run, "--out must be a new folder", "")
    clinic.out = good
    clinic.run()
    clinic.accepted()


SOUGHT = {"identity": {"id": {"(0010,0020)": [CANARY]}}}


def scan(folder: Path, held: object, rule: str, remedy: str) -> None:
    (folder / "results").mkdir()
    (folder / "results" / "a.txt").write_text("nothing")
    given = Namespace(
        paths=[folder / "results"], against=folder / "who.json", source=None, only=True
    )
    given.against.write_text(json.dumps(held))
    refused(lambda: phi_scan.main(given), rule, remedy)
    given.against.write_text(json.dumps(SOUGHT))
    phi_scan.main(given)


def unopened(folder: Path) -> None:
    bad = folder / "results" / "a.gz"
    bad.parent.mkdir()
    bad.write_bytes(b"\x1f\x8b\x08" + bytes(20))
    (folder / "who.json").write_text(json.dumps(SOUGHT))
    given = Namespace(paths=[bad.parent], against=folder / "who.json", source=None, only=True)
    refused(lambda: phi_scan.main(given), "Every file must be looked into", "remove these files")
    bad.unlink()
    phi_scan.main(given)


def trace(folder: Path) -> None:
    study = Files(folder).study()
    text = refused(lambda: traces_of(study, "0001-l"), "must have the case", "is meant")
    meant = re.search(r"perhaps (\S+)", text)[1]
    with mock.patch("pipeline.running.trace._trace", return_value={}):  # nothing was computed here
        assert len(traces_of(study, meant)) == 2


PREDICTIONS = pd.DataFrame({"died": [1, 0, 1, 0], "risk": [0.5, 0.2, 0.7, 0.3]})

#: By bad input: columns of a table of predictions, how it is read, rule, words of the remedy, and
#: the columns and the reading that the remedy makes of them.
READ = {"columns": ["risk"], "event": None}
WORDS = {"died": ["Yes", "No", "maybe", "No"]}
JUDGED = {
    "Judge: a column that the table does not have": (
        {}, {"columns": ["rusk"]}, "A column to be judged must be in the table",
        "perhaps `risk` is meant", {}, {},
    ),
    "Judge: a prediction that is no number": (
        {"risk": ["high", 0.2, 0.7, 0.3]}, {}, "A prediction must be a number", "",
        {"risk": [0.5, 0.2, 0.7, 0.3]}, {},
    ),
    "Judge: an outcome that always or never happened": (
        {}, {"event": "yes"}, "An outcome must have happened in some rows", "", {}, {"event": "1"},
    ),
    "Judge: an outcome in words, and none named": (
        {"died": ["TRUE", "FALSE"] * 2}, {}, "An outcome must be 1", "--event TRUE",
        {"died": ["TRUE", "FALSE"] * 2}, {"event": "TRUE"},
    ),
    "Judge: a word that neither `--event` nor `--no-event` names": (
        WORDS, {"event": "Yes", "other": ["No"]}, "Every word of the outcome must be named",
        "add it to --event, --no-event or --missing",
        WORDS, {"event": "Yes", "other": ["No", "maybe"]},
    ),
    "Judge: a word that is event and none": (
        WORDS, {"event": ["Yes"], "other": ["Yes", "No", "maybe"]}, "must be the event or none",
        "take it out of --event or of --no-event",
        WORDS, {"event": ["Yes"], "other": ["No", "maybe"]},
    ),
    "Judge: predictions with a column of names": (
        {"Vorname": CANARY}, {}, "must not say who the patients are", "remove the column", {}, {},
    ),
}  # fmt: skip


def predictions(bad_input: str) -> Remedy:
    columns, how, rule, remedy, mended, then = JUDGED[bad_input]

    def run(folder: Path) -> None:
        def read(columns: dict, how: dict):
            PREDICTIONS.assign(**columns).to_csv(folder / "p.csv", index=False)
            given = READ | how
            return read_predictions(folder / "p.csv", "died", given.pop("columns"), **given)[0]

        refused(lambda: read(columns, how), rule, remedy)
        assert len(read(mended, then)) == 4

    return run


def judged(wrong: tuple, right: tuple, rule: str, remedy: str) -> Remedy:
    def run(folder: Path) -> None:
        refused(lambda: judge(drawn(), *wrong, resamples=100), rule, remedy)
        assert len(judge(drawn(), *right, resamples=100)["metrics"])

    return run


REMEDIES: dict[str, Remedy] = {
    **{bad_input: masks(bad_input) for bad_input in MASKS},
    **{bad_input: rows(bad_input) for bad_input in ROWS},
    **{bad_input: predictions(bad_input) for bad_input in JUDGED},
    "Intake: a table without a needed column": no_column,
    "Intake: an image with several series, none with the grid": several_series,
    "Intake: a series that is not in the image's folder": other_series,
    "Intake: nothing could be matched": nothing_matched,
    "Intake: a table that gives a CT to two patients": two_patients,
    "Intake: a date that is none, or can be read two ways": dates,
    "Intake: a linkage inside the study": inside,
    "Intake: a study without its linkage": lambda f: linkage(f, None, "needs its linkage"),
    "Intake: a linkage of another kind": lambda f: linkage(
        f, '{"schema": 99}', "The linkage must be a file that vertebromics intake wrote"
    ),
    "Intake: a folder that holds other files": other_files,
    "Scan: a linkage of another kind": lambda f: scan(
        f, [], "--against must be a linkage file", "STUDY.linkage.json"
    ),
    "Scan: nothing to search for": lambda f: scan(
        f, {"identity": {"id": {"(0010,0020)": ["0001"]}}}, "must hold values to search for", ""
    ),
    "Scan: a result that cannot be opened": unopened,
    "Trace: an unknown case": trace,
    "Judge: a score handed in as a probability": judged(
        (["risk", "marker"],), (["risk"], ["marker"]), "A probability must be from 0 to 1",
        "--scores marker",
    ),
    "Judge: nothing to judge, or a column named twice": judged(
        (["risk"], ["risk"]), (["risk"],), "must be named once", "under one of the two options",
    ),
}  # fmt: skip
