"""Remedies of what the registration of a handover refuses or tells.

Where a test of the registration applies the remedy itself, that test is run.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest

from intake.handover.people.linkage import Linkage, read_linkage
from intake.handover.writing.cleaning import clean_dicom
from pipeline.core.errors import CaseError, StudyError
from tests.intake import test_register_disk as disk
from tests.intake import test_register_patients as patients
from tests.intake import test_register_remedies as remedies
from tests.intake.test_register_copies import (
    test_headers_that_are_kept_must_not_name_the_patient_where_results_repeat_them as kept_word,
)
from tests.intake.test_register_copies import write_named_ct
from tests.intake.test_register_patients import Folder
from tests.remedies import Remedy, says
from tests.support.hospital import Hospital, write_small
from tests.support.refusals import refusal

PERSON = {"PatientBirthDate": "19400203", "name": "Canary^Anna"}


def tested(test: Callable, *arguments: object) -> Remedy:
    """Return a remedy that a test of an empty handover applies."""
    return lambda tmp_path: test(Folder(tmp_path), *arguments)


def register(folder: Folder, *rows: dict) -> None:
    """Hand in a table of cases, as remedies say."""
    patients.register(folder, patients.cases(folder, *rows))


def checks(folder: Folder) -> str:
    return " ".join(line["check"] for line in folder.lines())


def damaged_beside(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    path = write_small(folder.dicom / "a", "4711")[2]
    whole = path.read_bytes()
    path.write_bytes(whole[:400])
    says(folder.refused(), "in the folder of its CT is damaged: copy or export it again")
    path.write_bytes(whole)
    assert len(folder.run()) == 1


def one_person_of_two_ids(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    write_small(folder.dicom / "a", "4711", **PERSON)
    write_small(folder.dicom / "b", "8822", lift=50, **PERSON)
    folder.run()
    assert len(folder.patients()) == 2
    says(checks(folder), r"same name and birth date.*a table \(--cases\) with one patient_id")
    says(
        checks(folder), r"into a new folder \(--out\) and with a new --linkage, since the old ones"
    )
    old = read_linkage(folder.linkage).patients
    folder.out, folder.linkage = tmp_path / "new", folder.linkage.with_name("new.linkage.json")
    register(folder, {"patient_id": "X", "image": "a"}, {"patient_id": "X", "image": "b"})
    assert (len(folder.patients()), len(old)) == (1, 2)
    assert not set(read_linkage(folder.linkage).patients) & set(old)
    assert "same name and birth date" not in checks(folder)


def somebody_else_later(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    write_small(folder.dicom / "a", "4711", name="x", PatientSex="M")
    folder.run()
    shutil.rmtree(folder.dicom / "a")
    write_small(folder.dicom / "b", "4711", name="x", PatientSex="F", lift=50)
    write_small(folder.dicom / "c", "8822", name="x", lift=90)
    folder.run()
    says(checks(folder), r"as in earlier intakes.*\(--cases\) with another patient_id")
    register(folder, {"patient_id": "4711b", "image": "b"})
    assert {line["result"] for line in folder.lines()} == {"taken"}
    assert len(folder.patients()) == 3


def copied_again(spoil: Callable[[bytes], bytes]) -> Remedy:
    """Return the remedy of a file that cannot be copied to its end."""

    def run(tmp_path: Path) -> None:
        path = write_small(tmp_path / "a", "4711", level=None)[0]
        whole = path.read_bytes()
        path.write_bytes(spoil(whole))
        arguments = (path, tmp_path / "b.dcm", Linkage().uid, disk.same)
        with refusal("dicom-damaged", CaseError) as caught:
            clean_dicom(*arguments)
        says(caught.value.remedy, "copy or export it again")
        path.write_bytes(whole)
        clean_dicom(*arguments)
        assert pydicom.dcmread(tmp_path / "b.dcm").Rows == 8

    return run


def closed(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    write_small(folder.dicom / "a", "4711")
    with pytest.MonkeyPatch.context() as patch:
        disk.test_what_may_not_be_read_ends_before_anything_is_written(folder, patch)


def study_inside(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    write_small(folder.dicom / "a", "4711")
    command = (folder.dicom, folder.dicom, "--linkage", folder.linkage, "--out")
    with refusal("study-inside-handover", StudyError) as caught:
        folder.command(*command, folder.dicom / "study")
    says(caught.value.remedy, "name a folder beside them")
    folder.command(*command, folder.root / "study")
    assert (folder.root / "study" / "cases.csv").exists()


def file_in_its_place(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    write_small(folder.dicom / "a", "4711")
    folder.out.parent.mkdir()
    folder.out.touch()
    with refusal("out-not-a-folder", StudyError) as caught:
        folder.run()
    says(caught.value.remedy, "name another place")
    folder.out = folder.root / "elsewhere"
    assert len(folder.run()) == 1


def second_registration(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    write_small(folder.dicom / "a", "4711")
    disk.test_a_second_registration_waits(folder)  # it ends, and this one starts again


class Said(logging.Handler):
    """Keeps what a program says to its log."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def a_word_left_out_is_a_fact(tmp_path: Path) -> None:
    said, log = Said(), logging.getLogger("intake")
    level = log.level
    log.addHandler(said)
    try:
        hospital = Hospital(tmp_path)
        write_named_ct(hospital, ManufacturerModelName="Model Knoeterich")
        assert len(hospital.run()) == 1
    finally:
        log.removeHandler(said)
        log.setLevel(level)
    says(" ".join(said.lines), "Left out of the copies, .*: ManufacturerModelName")


REGISTERING: dict[str, Remedy] = {
    "Intake: a damaged DICOM file beside the slices": damaged_beside,
    "Intake: headers under one patient id contradict each other (birth date, sex, age, name, "
    "institution)": tested(
        patients.test_one_id_of_two_people_is_refused_until_folders_tell_them_apart,
        [{"PatientSex": "M"}, {"PatientSex": "F"}],
        "both sexes",
    ),
    "Intake: several studies whose headers name nobody, in one folder": tested(
        patients.test_studies_of_nobody_in_one_folder_are_refused_until_someone_says_whose_they_are
    ),
    # What was taken apart or together is told, and the case kept.
    "Intake: one SeriesInstanceUID for two patients": tested(
        patients.test_two_patients_in_one_series_are_taken_apart, "folders"
    ),
    "Intake: one SeriesInstanceUID with two ids of one person, or one slice of another "
    "patient": tested(patients.test_one_person_under_two_ids_in_one_series_is_refused),
    "Intake: a slice in the folder of its CT under another SeriesInstanceUID": tested(
        patients.test_a_slice_under_another_series_is_missed
    ),
    # Facts: the case is kept.
    "Intake: a SeriesInstanceUID for each slice": tested(
        patients.test_a_series_uid_of_each_slice_is_one_series
    ),
    "Intake: a patient id that says nobody (ANONYMOUS, 0, XXXX)": tested(
        patients.test_an_id_of_nobody_is_no_patient, "ANONYMOUS"
    ),
    "Intake: two patient ids of one name and birth date": one_person_of_two_ids,
    "Intake: a patient id in two spellings (case, blanks, leading zeros)": tested(
        patients.test_two_spellings_of_an_id_are_one_patient, "P007", "p007"
    ),
    "Intake: a later patient of the same id who is somebody else": somebody_else_later,
    "Intake: folders without a CT, in DICOM or in volumes that hold air": tested(
        remedies.test_folders_of_nifti_are_registered_from_a_table
    ),
    "Intake: a header whose needed attribute cannot be copied, pixels that are missing": (
        copied_again(lambda whole: whole.replace(b"\x28\0\x10\0US\2\0", b"\x28\0\x10\0UL\2\0"))
    ),
    "Intake: a file or folder that may not be read": closed,
    "Intake: the study inside of what is handed in": study_inside,
    "Intake: a file in the place of the study's folder": file_in_its_place,
    "Intake: two intakes of one study at a time": second_registration,
    "Intake: a SeriesInstanceUID for each slice, with `--headers keep`": tested(
        patients.test_a_series_uid_of_each_slice_with_kept_headers
    ),
    "Intake: a DICOM file that breaks off": copied_again(lambda whole: whole[:-30]),
    "Intake: bytes inserted into the pixels of a slice, or behind them": copied_again(
        lambda whole: whole[:-60] + b"bytes of another file" + whole[-60:]
    ),
    "`--headers keep`: a word of the header that results repeat (scanner, kernel) names the "
    "patient": lambda tmp_path: kept_word(Hospital(tmp_path)),
    "A word of a header that the copies keep names the patient": a_word_left_out_is_a_fact,
}
