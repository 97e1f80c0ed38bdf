"""Two people never become one, and one never two, without a word: ids, names, dates, UIDs."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake.handover.people.linkage import Linkage, read_linkage
from intake.handover.people.persons import (
    Person,
    canonical,
    contradictions,
    is_placeholder,
    same_name,
)
from pipeline.core.errors import StudyError
from tests.support.dicom_files import uid
from tests.support.hospital import Hospital, write_small, write_small_mask
from tests.support.refusals import refusal


class Folder(Hospital):
    """One folder that holds CTs and masks."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.dicom = self.masks = root / "handed in"
        self.dicom.mkdir()

    def lines(self, what: str = "mask") -> list[dict]:
        """Return the report's lines about masks."""
        rows = csv.DictReader(io.StringIO(self.checks()))
        return [row for row in rows if row["what"].startswith(what)]

    def refused(self, *arguments) -> str:
        """Register what nothing is right of, and return the reasons."""
        with refusal("no-mask-matched", StudyError):
            self.run(*arguments)
        assert not self.out.exists()
        return " ".join(line["check"] for line in self.lines())

    def patients(self) -> set[str]:
        return set(pd.read_csv(self.out / "cases.csv")["patient_id"])


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


# --- one SeriesInstanceUID, two patients ---


@pytest.mark.parametrize("place", ["folders", "one folder"])
def test_two_patients_in_one_series_are_taken_apart(folder, place):
    same = dict.fromkeys(("SeriesInstanceUID", "StudyInstanceUID"), "1.2.3.4.5")
    for n in (1, 2):
        where = folder.dicom / f"pat{n}"
        write_small(where, f"PAT00{n}", mask=f"PAT00{n}_L{n}_rA.nrrd", lift=12.5 * (n - 1), **same)
        if place == "one folder":
            for path in [*(where / "ct").iterdir(), *where.glob("*.nrrd")]:
                target = folder.dicom / "all" / f"{n}{path.name if path.suffix == '.dcm' else ''}"
                target.parent.mkdir(exist_ok=True)
                path.rename(target if path.suffix == ".dcm" else target.with_name(path.name))
            shutil.rmtree(where)
    rows = folder.run()
    assert len(folder.patients()) == 2
    for row in rows:
        assert len(list((folder.out / row["image"]).iterdir())) == 5
    for line in folder.lines():
        assert "SeriesInstanceUID is also that of 1 other patient(s)" in line["check"]
        assert "grid" in line["matched by"]
    # Registering again finds the same two.
    assert folder.run() == rows


def test_one_person_under_two_ids_in_one_series_is_refused(folder):
    def other(index, tags):
        tags["PatientID"] = "PAT001" if index < 3 else "PAT002"

    same = {"PatientBirthDate": "19400203", "name": "Canary^Anna"}
    slices = write_small(folder.dicom / "a", "", change=other, **same)
    reason = folder.refused()
    assert "one SeriesInstanceUID with 2 patient ids of one name and birth date" in reason
    # The remedy: a table says whose they are.
    table = folder.root / "cases.csv"
    row = {"patient_id": "PAT001", "level": "L1", "reader": "A"}
    row |= {"image": str(slices[0].parent), "mask": str(folder.dicom / "a" / "L1_rA.nrrd")}
    pd.DataFrame([row]).to_csv(table, index=False)
    folder.command("--cases", table, "--out", folder.out, "--linkage", folder.linkage)
    assert "2 patient ids in the headers" in folder.lines()[0]["check"]
    (image,) = (folder.out / "images").iterdir()
    assert len(list(image.iterdir())) == 5


def test_one_slice_with_another_patients_id_is_refused(folder):
    def other(index, tags):
        if index == 4:
            tags["PatientID"] = "PAT003"

    write_small(folder.dicom / "a", "PAT001", mask="PAT001_L1_rA.nrrd", change=other)
    assert "one SeriesInstanceUID with 2 patient ids" in folder.refused()


@pytest.mark.parametrize(
    ("change", "against"),
    [
        ({"PatientBirthDate": "19500607"}, "2 birth dates"),
        ({"PatientSex": "F"}, "both sexes"),
        ({"PatientName": "Other^Person"}, "2 names"),
    ],
)
def test_headers_of_one_series_that_contradict_are_refused(folder, change, against):
    def other(index, tags):
        if "PatientBirthDate" in change:
            tags["PatientBirthDate"] = "19400203"
        if index > 2:
            tags |= change

    write_small(folder.dicom / "a", "4711", name="Canary^Anna", PatientSex="M", change=other)
    assert f"One patient must be one person (found: {against}" in folder.refused()


def test_a_slice_that_names_nobody_goes_with_its_series(folder):
    def other(index, tags):
        if index == 2:
            tags["PatientID"] = tags["PatientName"] = ""

    write_small(folder.dicom / "a", "4711", change=other)
    (row,) = folder.run()
    assert len(list((folder.out / row["image"]).iterdir())) == 5


def test_a_slice_under_another_series_is_missed(folder):
    def other(index, tags):
        if index == 4:
            tags["SeriesInstanceUID"] = "1.2.3.5"

    write_small(folder.dicom / "a", "4711", change=other)
    reason = folder.refused()
    assert "a slice in its folder that continues its stack" in reason
    (folder.dicom / "away").mkdir()
    (folder.dicom / "a" / "ct" / "IM4.dcm").rename(folder.dicom / "away" / "IM4.dcm")
    assert len(folder.run()) == 1  # as the remedy says


def test_a_series_uid_of_each_slice_is_one_series(folder):
    def own(index, tags):
        tags["SeriesInstanceUID"] = uid("slice", index)

    write_small(folder.dicom / "a", "4711", change=own)
    (row,) = folder.run()
    assert len(list((folder.out / row["image"]).iterdir())) == 5
    assert "5 SeriesInstanceUIDs: taken as one series" in folder.lines()[0]["check"]
    from pipeline.imaging.read_ct import read_ct

    assert read_ct(folder.out / row["image"]).image.GetSize() == (10, 8, 5)


def test_a_series_uid_of_each_slice_with_kept_headers(folder):
    def own(index, tags):
        tags["SeriesInstanceUID"] = uid("slice", index)

    write_small(folder.dicom / "a", "4711", change=own)
    with refusal("no-mask-readable", StudyError):
        folder.run("--headers", "keep")
    assert "leave out --headers keep" in folder.lines()[0]["check"]
    assert len(folder.run()) == 1  # as the remedy says


# --- nobody's id ---


@pytest.mark.parametrize("nobody", ["ANONYMOUS", "ANON", "0", "", "TEST", "XXXX", "Unknown", "000"])
def test_an_id_of_nobody_is_no_patient(folder, nobody):
    for n in (1, 2, 3):
        person = {"PatientBirthDate": f"194{n}0101", "PatientSex": "MFM"[n - 1]}
        write_small(folder.dicom / f"case{n}", nobody, name=nobody, lift=50 * n, **person)
    folder.run()
    assert len(folder.patients()) == 3
    assert all("its folder is taken for one" in line["check"] for line in folder.lines())


@pytest.mark.parametrize(
    ("persons", "against"),
    [
        ([{"PatientBirthDate": "19410203"}, {"PatientBirthDate": "19520506"}], "2 birth dates"),
        ([{"PatientSex": "M"}, {"PatientSex": "F"}], "both sexes"),
        ([{"PatientAge": "063Y"}, {"PatientAge": "041Y"}], "born in different years"),
        ([{"name": "Canary^Anna"}, {"name": "Other^Person"}], "2 names"),
        ([{"IssuerOfPatientID": "east"}, {"IssuerOfPatientID": "west"}], None),
        ([{"InstitutionName": "East"}, {"InstitutionName": "West"}], "2 institutions"),
    ],
)
def test_one_id_of_two_people_is_refused_until_folders_tell_them_apart(folder, persons, against):
    for n, person in enumerate(persons):
        write_small(folder.dicom / f"case{n}", "4711", lift=50 * n, **{"name": "4711"} | person)
    if against is None:  # each issuer's id is another patient's
        folder.run()
    else:
        reason = folder.refused()
        assert against in reason
        assert "add --patients folder" in reason
        folder.run("--patients", "folder")
    assert len(folder.patients()) == 2


def test_studies_of_nobody_in_one_folder_are_refused_until_someone_says_whose_they_are(folder):
    for n in (1, 2):
        write_small(folder.dicom / "export" / f"case{n}", "ANON", name="ANON", lift=50 * n)
    assert "2 studies, and no patient id" in folder.refused()
    folder.dicom = folder.masks = folder.dicom / "export"
    folder.run("--patients", "folder")
    assert len(folder.patients()) == 2


def test_three_people_in_one_folder_and_study(folder):
    same = {"StudyInstanceUID": "1.2.3.4"}
    for n in (1, 2, 3):
        write_small(folder.dicom / "w", f"P{n}XY", level=None, files=f"{n}_{{}}.dcm", lift=50 * n,
                    **same, SeriesInstanceUID=uid(n),
                    change=lambda i, tags, n=n: tags.update(SOPInstanceUID=uid(n, i)))  # fmt: skip
        write_small_mask(folder.dicom / "w" / f"P{n}XY_L1_rA.nrrd", lift=50 * n)
    folder.run()
    assert len(folder.patients()) == 3
    assert "StudyInstanceUID is also that of 2 other" in folder.lines()[0]["check"]


@pytest.mark.parametrize("by", ["header", "folder"])
def test_one_folder_of_people_who_contradict_each_other_is_refused(folder, by):
    for n in (1, 2):
        write_small(folder.dicom / "w" / f"{n}", "ANON", name="ANON", lift=50 * n,
                    StudyInstanceUID="1.2.3.4", PatientSex="MF"[n - 1])  # fmt: skip
    reason = folder.refused("--patients", by)
    assert "both sexes under one folder" in reason


# --- one person ---


def test_a_corrected_name_is_a_note(folder):
    """A series that was sent again: one patient; by the same UIDs even one series."""
    person = {"PatientBirthDate": "19400203"}
    write_small(folder.dicom / "a", "4711", name="Meier^Anna", **person)
    write_small(folder.dicom / "b", "4711", level="L2", name="Huber^Anna", lift=50, **person)
    folder.run()
    assert len(folder.patients()) == 1
    assert all("2 names under one patient id" in line["check"] for line in folder.lines())


def test_a_series_sent_again_with_a_corrected_name_is_taken_once(folder):
    person = {"PatientBirthDate": "19400203"}
    slices = write_small(folder.dicom / "a", "4711", name="Meier^Anna", **person)
    import pydicom

    for path in slices:
        one = pydicom.dcmread(path)
        one.PatientName = "Huber^Anna"
        (folder.dicom / "again").mkdir(exist_ok=True)
        one.save_as(folder.dicom / "again" / path.name)
    (row,) = folder.run()
    assert len(list((folder.out / row["image"]).iterdir())) == 5
    assert "5 slices were there twice, with other headers" in folder.lines()[0]["check"]


def test_names_in_another_spelling_are_one_patient(folder):
    names = ("Müller^Anna", "MUELLER^ANNA", "Mueller^Anna Maria", "Anna Müller")
    for n, name in enumerate(names):
        write_small(folder.dicom / str(n), "4711", level=f"L{n + 1}", name=name, lift=50 * n,
                    SpecificCharacterSet="ISO_IR 192")  # fmt: skip
    folder.run()
    assert len(folder.patients()) == 1
    assert not any("names" in line["check"] for line in folder.lines())


@pytest.mark.parametrize(
    ("first", "second"), [("P007", "p007"), ("P007", "P 007"), ("007", "7"), ("KH-007", "kh_7")]
)
def test_two_spellings_of_an_id_are_one_patient(folder, first, second):
    write_small(folder.dicom / "a", first, name="x")
    write_small(folder.dicom / "b", second, level="L2", name="x", lift=50)
    folder.run()
    assert len(folder.patients()) == 1
    assert "2 spellings of its patient id" in folder.lines()[0]["check"]
    # Also where the other spelling comes later.
    linkage = Linkage()
    assert linkage.patient(first) == linkage.patient(second)


def test_one_person_under_two_ids_is_a_note(folder):
    person = {"PatientBirthDate": "19400203", "PatientSex": "F"}
    write_small(folder.dicom / "a", "4711", name="Canary^Anna", **person)
    write_small(folder.dicom / "b", "8822", level="L2", name="CANARY ANNA", lift=50, **person)
    folder.run()
    assert len(folder.patients()) == 2
    assert all("same name and birth date" in line["check"] for line in folder.lines())


# --- earlier registrations ---


def test_a_later_handover_is_compared_with_the_earlier_ones(folder):
    write_small(folder.dicom / "a", "4711", name="x", PatientSex="M")
    before = folder.run()
    shutil.rmtree(folder.dicom / "a")
    write_small(folder.dicom / "b", "4711", name="x", PatientSex="F", lift=50)
    write_small(folder.dicom / "c", "8822", name="x", lift=90)
    rows = folder.run()
    assert before[0] in rows
    assert len(rows) == 2
    (line,) = [line for line in folder.lines() if line["result"] == "NOT MATCHED"]
    assert "as in earlier intakes (found: both sexes)" in line["check"]


def test_a_folder_of_the_same_name_is_no_patient_of_an_earlier_handover(folder):
    write_small(folder.dicom / "case1", "", name="", lift=0)
    folder.run()
    shutil.rmtree(folder.dicom / "case1")
    write_small(folder.dicom / "case1", "", name="", lift=50, StudyInstanceUID="1.2.9",
                SeriesInstanceUID="1.2.9.1")  # fmt: skip
    with refusal("no-mask-matched", StudyError):
        folder.run()
    assert "another study in a folder of the same name" in folder.lines()[0]["check"]
    assert len(read_linkage(folder.linkage).patients) == 1


# --- tables ---


def cases(folder: Folder, *rows: dict) -> Path:
    path = folder.root / "cases.csv"
    common = {"level": "L1", "reader": "A"}
    table = [
        common | row | {"image": str(folder.dicom / row["image"] / "ct"),
                        "mask": str(folder.dicom / row["image"] / "L1_rA.nrrd")}
        for row in rows
    ]  # fmt: skip
    pd.DataFrame(table).to_csv(path, index=False)
    return path


def register(folder: Folder, table: Path) -> None:
    folder.command("--cases", table, "--out", folder.out, "--linkage", folder.linkage)


@pytest.mark.parametrize("other", ["p001", "P 001", "P1"])
def test_ids_of_a_table_in_two_spellings_are_refused(folder, other):
    write_small(folder.dicom / "a", "1")
    write_small(folder.dicom / "b", "2", lift=50)
    rows = [{"patient_id": "P001", "image": "a"}, {"patient_id": other, "image": "b"}]
    with refusal("patient-spelled-alike", StudyError, match=r"2 spellings.*rows 2, 3") as caught:
        register(folder, cases(folder, *rows))
    assert "P001" not in str(caught.value)
    rows[1]["patient_id"] = "P001"  # the remedy
    register(folder, cases(folder, *rows))
    assert len(folder.patients()) == 1


def test_a_patient_of_a_table_is_one_person(folder):
    write_small(folder.dicom / "a", "4711", PatientSex="M")
    write_small(folder.dicom / "b", "4712", PatientSex="F", lift=50)
    write_small(folder.dicom / "c", "4713", lift=90)
    rows = [{"patient_id": "X", "image": "a"}, {"patient_id": "X", "image": "b"},
            {"patient_id": "Z", "image": "c"}]  # fmt: skip
    register(folder, cases(folder, *rows))
    failed = [line for line in folder.lines() if line["result"] == "NOT MATCHED"]
    assert len(failed) == 2
    assert "must be of one person (found: both sexes)" in failed[0]["check"]
    rows[1]["patient_id"] = "Y"  # the remedy
    register(folder, cases(folder, *rows))
    assert len(folder.patients()) == 3


def test_doubts_about_patients_of_a_table_are_notes(folder):
    person = {"PatientBirthDate": "19400203"}
    write_small(folder.dicom / "a", "4711", name="Canary^Anna", **person)
    write_small(folder.dicom / "b", "4712", name="Huber^Anna", lift=50, **person)
    write_small(folder.dicom / "c", "4711", name="Canary^Anna", lift=90, **person)
    register(folder, cases(folder, {"patient_id": "X", "image": "a"},
                           {"patient_id": "X", "image": "b"},
                           {"patient_id": "Z", "image": "c"}))  # fmt: skip
    report = folder.checks()
    for words in ("2 patient ids in the headers of its CTs", "2 names in the headers of its CTs",
                  "another patient_id of the table has the same name and birth date",
                  "another patient_id of the table has the same patient id"):  # fmt: skip
        assert words in report


def test_two_patients_with_one_series_uid_are_two_in_a_table(folder):
    for n, where in enumerate("ab"):
        write_small(folder.dicom / where, f"PAT00{n}", SeriesInstanceUID="1.2.3", lift=12.5 * n)
    register(folder, cases(folder, {"patient_id": "X", "image": "a"},
                           {"patient_id": "Y", "image": "b"}))  # fmt: skip
    assert len(folder.patients()) == 2


# --- what is compared ---


@given(st.integers(1, 10**8), st.sampled_from(["", "P", "KH-", "pat_"]), st.integers(0, 4))
def test_spellings_of_an_id_are_one_and_other_numbers_are_not(number, prefix, zeros):
    one = f"{prefix}{number}"
    for other in (f" {prefix.lower()}{'0' * zeros}{number} ", f"{prefix.upper()} {number}"):
        assert canonical(one) == canonical(other)
    assert canonical(one) != canonical(f"{prefix}{number + 1}")


def test_separators_between_digits_count():
    assert canonical("1-12") != canonical("11-2")
    assert canonical("1_12") == canonical("1-12")


@pytest.mark.parametrize(
    "text",
    ["Unknown^Unknown", "ANONYMOUS^ANONYMOUS", "Anon Patient", "Anonymous_Male", "not available"],
)
def test_words_in_the_place_of_an_id_are_placeholders(text):
    assert is_placeholder(text)


@pytest.mark.parametrize(
    "text", ["1", "11", "4711", "P0", "ANON-0", "ANON-0012", "A", "Na Id", "李伟", "CASE"]
)
def test_ids_that_tell_are_no_placeholders(text):
    assert not is_placeholder(text)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Żółkiewska^Bronisława", "ZOLKIEWSKA BRONISLAWA", True),
        ("Ouyang^Xiaodong=欧阳^小冬", "欧阳小冬", True),
        ("Søren^Ny", "Soeren^Ny", True),
        ("Na^Wei", "NA WEI", True),
        ("Li^Wei", "Li^Wen", False),
        ("Meier^Anna", "Meyer^Anna", False),
    ],
)
def test_names_are_compared_as_people_spell_them(one, other, same):
    assert same_name(one, other) == same_name(other, one) == same


def test_what_speaks_against_one_person():
    assert not contradictions([Person(birth="19400101", born=(1940, 1940)),
                               Person(birth="19400607", born=(1940, 1940))])  # fmt: skip
    assert contradictions([Person(born=(1940, 1940)), Person(born=(1950, 1953))])
    assert not contradictions([Person(sex="M"), Person()])
    same = {"birth": "19400203", "name": "Canary^Anna"}
    assert not contradictions([Person(institution="a", **same), Person(institution="b", **same)])
