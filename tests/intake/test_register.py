"""From a hospital's folders to a pseudonymous study: what is matched, and what is not."""

from __future__ import annotations

import json
import os
import shutil
import stat
import unicodedata

import pandas as pd
import pydicom
import pydicom.examples
import pytest
import SimpleITK as sitk

from intake.handover.pairing import mask_paths
from intake.handover.people.linkage import Linkage, read_linkage
from pipeline.core.errors import CaseError, StudyError
from pipeline.core.files import file_hash
from pipeline.imaging.read_ct import read_ct
from pipeline.tables.cases import read_cases
from pipeline.tables.registered import read_marker
from tests.support.hospital import (
    ANNA,
    OUYANG,
    PETER,
    SHAPE,
    Person,
    write_ct,
    write_mask,
    write_rtstruct,
    write_seg,
    write_segments,
)
from tests.support.refusals import refusal


def test_masks_are_matched_by_what_their_names_say(hospital):
    for person in (ANNA, OUYANG):
        write_ct(person, hospital.dicom / f"{person.patient_id}_visit")
    write_mask(hospital.masks / "KH-0000471-A_L1_wang.nrrd")
    write_mask(hospital.masks / "KH-0000471-A_L1_li.nrrd", width=22)
    write_mask(hospital.masks / "li" / "ouyang xiaodong th12.nii.gz")
    rows = hospital.run("--readers", "wang,li")
    assert [(row["level"], row["reader"]) for row in rows].count(("L1", "A")) == 1
    assert {row["level"] for row in rows} == {"L1", "T12"}
    assert len({row["patient_id"] for row in rows}) == 2
    assert {row["reader"] for row in rows if row["level"] == "L1"} == {"A", "B"}
    linkage = read_linkage(hospital.linkage)
    assert set(linkage.readers.values()) == {"wang", "li"}
    by_id = {known: pseudonym for pseudonym, known in linkage.patients.items()}
    told = {row["level"]: row["patient_id"] for row in rows}
    assert told == {"L1": by_id["KH-0000471-A"], "T12": by_id["00731942"]}
    assert hospital.report()["KH-0000471-A_L1_li.nrrd"] == ("taken", "name, grid", "")


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("{patient}_{level}_{reader}", "KH-0000471-A_L1_dr jones.nrrd"),
        ("{reader}/{patient}/{level}", "dr jones/KH-0000471-A/L1.nrrd"),
        ("{level}-of-{patient}-by-{reader}", "L1-of-KH-0000471-A-by-dr jones.nii.gz"),
    ],
)
def test_masks_are_matched_by_a_pattern(hospital, pattern, name):
    write_ct(ANNA, hospital.dicom / "x")
    write_mask(hospital.masks / name)
    (row,) = hospital.run("--mask-pattern", pattern)
    assert (row["level"], row["reader"]) == ("L1", "A")
    assert list(read_linkage(hospital.linkage).readers.values()) == ["dr jones"]


@pytest.mark.parametrize("pattern", ["{patient}_{who}", "{level}{level}", "x"])
def test_a_wrong_pattern_is_told(hospital, pattern):
    write_ct(ANNA, hospital.dicom / "x")
    with refusal("mask-pattern-invalid", StudyError):
        hospital.run("--mask-pattern", pattern)


def test_masks_are_matched_by_dicom_references(hospital):
    slices = write_ct(ANNA, hospital.dicom / "a" / "1")
    write_ct(ANNA, hospital.dicom / "a" / "2", series=2)
    write_ct(OUYANG, hospital.dicom / "b")
    write_seg(hospital.masks / "export1.dcm", slices)
    write_rtstruct(hospital.masks / "r2" / "export2.dcm", ANNA, "Vertebra L1")
    rows = hospital.run()
    assert {row["reader"] for row in rows} == {"A", "R2"}
    assert len({row["image"] for row in rows}) == 1
    rule = "DICOM reference and DICOM patient, grid"
    assert hospital.report()["export1.dcm"][:2] == ("taken", rule)
    assert hospital.report()["export2.dcm"][:2] == ("taken", rule)
    known = read_linkage(hospital.linkage).scans[rows[0]["scan_id"]]
    assert known["series"] == ANNA.uid(1)


def test_short_names_in_signs_and_readers_in_any_script_are_read(hospital):
    wei = Person(4, "Li^Wei=李^伟", "00731943", "20190312")
    andrej = Person(5, "Зайцев^Андрей", "KH-0000475-E", "20190313")
    for person in (ANNA, wei, andrej):
        write_ct(person, hospital.dicom / str(person.number) / "ct")
    write_mask(hospital.masks / "李伟_L1_reader 张医生.nii.gz")
    write_mask(hospital.masks / "李伟_L1_obs_王.nii.gz", width=22)
    taken_apart = unicodedata.normalize("NFD", "Зайцев_Андрей_L2_reader_Йорг")  # as on a Mac
    assert taken_apart != unicodedata.normalize("NFC", taken_apart)
    write_mask(hospital.masks / f"{taken_apart}.nii.gz")
    rows = hospital.run()
    pseudonyms = hospital.pseudonyms()
    assert [(row["patient_id"], row["level"]) for row in rows].count(
        (pseudonyms["00731943"], "L1")
    ) == 2
    assert (pseudonyms["KH-0000475-E"], "L2") in {(r["patient_id"], r["level"]) for r in rows}
    assert set(read_linkage(hospital.linkage).readers.values()) == {"张医生", "王", "Йорг"}


def test_an_id_outweighs_a_folder_of_another_patients_images(hospital):
    short = Person(6, "Bo^Li", "4711", "20190314")
    write_ct(short, hospital.dicom / "x" / "ct")
    write_ct(OUYANG, hospital.dicom / "y" / "soft tissue")
    write_mask(hospital.masks / "4711_soft_tissue_L1_A.nrrd")
    (row,) = hospital.run()
    assert row["patient_id"] == hospital.pseudonyms()["4711"]


def test_a_path_with_the_names_of_two_patients_is_not_matched(hospital):
    for person in (ANNA, OUYANG):
        write_ct(person, hospital.dicom / str(person.number) / "ct")
    write_mask(hospital.masks / "ouyang xiaodong" / "KH-0000471-A_L1.nrrd")
    write_mask(hospital.masks / "Żółkiewska Bronisława" / "KH-0000471-A_L2.nrrd")
    (row,) = hospital.run()
    assert row["level"] == "L2"
    assert "2 patients by name" in hospital.report()["KH-0000471-A_L1.nrrd"][2]


@pytest.mark.parametrize("same", [True, False])
def test_a_series_that_was_exported_twice_is_taken_once(hospital, same):
    write_ct(ANNA, hospital.dicom / "CD 1")
    shutil.copytree(hospital.dicom / "CD 1", hospital.dicom / "CD 1 again")
    if not same:
        for path in (hospital.dicom / "CD 1 again").iterdir():
            one = pydicom.dcmread(path)
            one.PixelData = bytes(len(one.PixelData))
            one.save_as(path)
    write_mask(hospital.masks / "KH-0000471-A_L1_A.nrrd")
    (row,) = hospital.run()
    copied = len(list((hospital.out / row["image"]).iterdir()))
    lines = (hospital.root / "safe" / "who.handover.csv").read_text(encoding="utf-8")
    if same:
        assert copied == SHAPE[0]
        assert hospital.report()["KH-0000471-A_L1_A.nrrd"][2] == ""
        assert lines.count('"a copy of a slice, byte for byte",left out') == SHAPE[0]
    else:  # which of the two is the CT, nobody can tell here: reading it is refused
        assert copied == 2 * SHAPE[0]
        with refusal("slices-at-one-place", CaseError):
            read_ct(hospital.out / row["image"])


def test_masks_are_matched_by_folder(hospital):
    for person, place in ((ANNA, "one"), (OUYANG, "two")):
        write_ct(person, hospital.dicom / place / "ct")
        write_mask(hospital.masks / place / "L1_reader2.nrrd")
    write_mask(hospital.dicom / "one" / "ct" / "L2 R3.nrrd")
    rows = hospital.run()
    assert [row["reader"] for row in rows] == ["2", "2"]
    assert len({row["patient_id"] for row in rows}) == 2
    hospital.command(
        hospital.dicom, hospital.dicom, "--out", hospital.root / "n", "--linkage",
        hospital.root / "n.json",
    )  # fmt: skip
    (row,) = pd.read_csv(hospital.root / "n" / "cases.csv", dtype=str).to_dict("records")
    assert (row["level"], row["reader"]) == ("L2", "R3")


def test_of_several_series_the_one_with_the_masks_grid_is_taken(hospital):
    write_ct(ANNA, hospital.dicom / "flat", series=1)
    write_ct(ANNA, hospital.dicom / "flat", series=2, origin=(-20.0, -10.0, 105.0))
    write_mask(hospital.masks / "KH-0000471-A L1.nrrd", origin=(-20.0, -10.0, 105.0))
    (row,) = hospital.run()
    known = read_linkage(hospital.linkage).scans[row["scan_id"]]
    assert known["series"] == ANNA.uid(2)
    assert "no mask of it" in (hospital.root / "safe" / "who.handover.csv").read_text()
    assert len(list((hospital.out / row["image"]).iterdir())) == SHAPE[0]


def test_several_levels_of_one_file_become_cases(hospital):
    write_ct(ANNA, hospital.dicom)
    write_segments(hospital.masks / "KH-0000471-A_A.seg.nrrd", ["L1", "vertebrae_L2"])
    write_mask(hospital.masks / "KH-0000471-A_B.nrrd", value=31)
    rows = hospital.run("--convention", "totalsegmentator")
    told = sorted((row["level"], row["reader"], str(row["label"])) for row in rows)
    assert told == [("L1", "A", "1"), ("L1", "B", "nan"), ("L2", "A", "2")]
    masks = sorted(path.name for path in (hospital.out / "masks").iterdir())
    scan_id = rows[0]["scan_id"]
    assert masks == [f"{scan_id}-L1_B.nrrd", f"{scan_id}_A.seg.nrrd"]


UNMATCHED = {
    "no patient": ("x/L1_A.nrrd", {}, "matched to a patient by reference, name or folder"),
    "two levels": ("KH-0000471-A_T12_L1.nrrd", {}, "its structures (found: its name holds"),
    "no level": ("KH-0000471-A_A.nrrd", {}, "without a level). Remedy: rename the file, give"),
    "no mask": ("KH-0000471-A_L1_empty.nrrd", None, "readable NRRD header"),
    "no series with its grid": (
        "KH-0000471-A_L1.nrrd", {"origin": (0.0, 0.0, 0.0)}, "one series of its patient",
    ),
    "contradiction": ("two/KH-0000471-A_L1.nrrd", {}, "must agree (found: name against folder)"),
}  # fmt: skip


@pytest.mark.parametrize("what", UNMATCHED)
def test_what_is_not_matched_is_told_to_the_hospital_only(hospital, what, capsys):
    name, options, reason = UNMATCHED[what]
    write_ct(ANNA, hospital.dicom / "one" / "1")
    write_ct(ANNA, hospital.dicom / "one" / "2", series=2, origin=(-20.0, -10.0, 105.0))
    write_ct(OUYANG, hospital.dicom / "two" / "ct")
    write_mask(hospital.masks / "good" / "00731942 L1.nrrd")
    path = hospital.masks / name
    if options is None:
        path.write_bytes(b"no mask")
    else:
        write_mask(path, **options)
    (row,) = hospital.run()
    assert row["level"] == "L1"
    result, _, check = hospital.report()[path.name]
    assert result == "NOT MATCHED"
    assert reason in check
    shown = capsys.readouterr()
    assert "1 masks not matched" in shown.out
    assert "KH-0000471" not in shown.out + shown.err


def test_no_file_of_the_masks_vanishes_from_the_report(hospital):
    write_ct(ANNA, hospital.dicom / "ct")
    write_mask(hospital.masks / "KH-0000471-A_L1_A.nrrd")
    write_mask(hospital.masks / "KH-0000471-A_L1_B.mha")
    write_mask(hospital.masks / "KH-0000471-A_L1_C.nhdr")
    write_mask(hospital.dicom / "lost.nrrd")
    empty = sitk.ReadImage(str(hospital.masks / "KH-0000471-A_L1_A.nrrd")) * 0
    sitk.WriteImage(empty, str(hospital.masks / "KH-0000471-A_L2_A.nrrd"))
    hospital.run()
    report = hospital.report()
    below = (hospital.dicom, hospital.masks)
    files = {path.name for root in below for path in root.rglob("*") if path.is_file()}
    assert {name for name in files if not name.endswith(".dcm")} <= report.keys()
    assert report["KH-0000471-A_L1_B.mha"][0] == "taken"
    assert report["KH-0000471-A_L1_C.nhdr"][0] == "NOT MATCHED"
    assert report["lost.nrrd"][0] == "left out"
    assert report["KH-0000471-A_L2_A.nrrd"][2] == "nothing is drawn in the mask"


def test_two_files_of_one_vertebra_and_reader_are_not_matched(hospital):
    write_ct(ANNA, hospital.dicom)
    for name in ("KH-0000471-A_L1_A.nrrd", "KH-0000471-A_L2_A.nrrd"):
        write_mask(hospital.masks / name)
    write_mask(hospital.masks / "KH-0000471-A_L1_A copy.nrrd", width=20)
    (row,) = hospital.run()
    assert row["level"] == "L2"
    assert "Another file is of the same CT" in hospital.report()["KH-0000471-A_L1_A.nrrd"][2]


def test_nothing_matched_is_an_error(hospital):
    write_ct(ANNA, hospital.dicom)
    with refusal("no-mask-matched", StudyError):
        hospital.run()
    assert not hospital.out.exists()
    assert "no mask of it" in str(hospital.report())


DAMAGES = {
    "cut short": lambda content: content[:400],
    "emptied": lambda content: b"",
    "mark damaged": lambda content: content[:128] + b"DIXM" + content[132:],
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_series_beside_a_damaged_file_is_left_out(hospital, damage):
    slices = write_ct(ANNA, hospital.dicom / "a")
    slices[3].write_bytes(damage(slices[3].read_bytes()))
    write_ct(OUYANG, hospital.dicom / "b")
    write_mask(hospital.masks / "KH-0000471-A L1.nrrd")
    write_mask(hospital.masks / "00731942 L1.nrrd")
    assert len(hospital.run()) == 1
    report = hospital.report()
    assert report[slices[3].name][0] == "DAMAGED"
    assert "damaged" in report["KH-0000471-A L1.nrrd"][2]


def test_registering_again_keeps_pseudonyms_and_adds_patients(hospital):
    write_ct(ANNA, hospital.dicom / "a")
    mask = write_mask(hospital.masks / "KH-0000471-A L1 A.nrrd")
    (before,) = hospital.run()
    files = {path: path.stat().st_mtime_ns for path in hospital.out.rglob("*") if path.is_file()}
    assert hospital.run() == [before]
    marker = hospital.out / "registered.json"
    for path, time in files.items():
        assert path == marker or path.stat().st_mtime_ns == time
    write_ct(PETER, hospital.dicom / "p")
    write_mask(hospital.masks / "KH-0000473-C L1 A.nrrd")
    after = hospital.run()
    assert len(after) == 2
    assert before in after
    # Enrolment follows the days of the scans: Peter came before.
    template = pd.read_csv(hospital.out / "clinical_template.csv", index_col="patient_id")
    assert template.loc[before["patient_id"], "enrolment"] == 2
    # A mask that was corrected becomes a new version, and the original stays.
    write_mask(mask, width=20)
    corrected = hospital.run()
    assert len(corrected) == 3
    versions = {row["version"]: row["mask"] for row in corrected
                if row["patient_id"] == before["patient_id"]}  # fmt: skip
    assert versions["1"] == before["mask"]
    assert versions["2"].endswith("_v2.nrrd")
    assert file_hash(hospital.out / versions["1"]) != file_hash(hospital.out / versions["2"])
    assert len(read_cases(hospital.out / "cases.csv", 8)) == 3


def test_a_technical_fault_is_replaced_where_asked(hospital):
    write_ct(ANNA, hospital.dicom / "a")
    mask = write_mask(hospital.masks / "KH-0000471-A L1 A.nrrd")
    (before,) = hospital.run()
    first = file_hash(hospital.out / before["mask"])
    write_mask(mask, width=20)
    assert hospital.run("--changed", "replace") == [before]
    assert file_hash(hospital.out / before["mask"]) != first


def test_versions_may_stand_in_names(hospital):
    write_ct(ANNA, hospital.dicom / "a")
    write_mask(hospital.masks / "KH-0000471-A L1 A.nrrd")
    write_mask(hospital.masks / "KH-0000471-A L1 A v2.nrrd", width=20)
    write_mask(hospital.masks / "KH-0000471-A L1 B_v2.nrrd", width=20)
    rows = hospital.run()
    assert [(row["reader"], row["version"]) for row in rows] == [("A", "1"), ("A", "2"), ("B", "1")]
    assert "without its original" in hospital.report()["KH-0000471-A L1 B_v2.nrrd"][2]


def test_other_keys_give_other_pseudonyms():
    one, other = Linkage(), Linkage()
    assert one.patient("x") == one.patient("x")
    assert one.patient("x") != other.patient("x")
    assert Linkage(key=one.key).patient("x") == one.patient("x")
    assert one.uid("1.2.3") == one.uid("1.2.3") != other.uid("1.2.3")
    assert len({one.patient(str(number)) for number in range(3000)}) == 3000


def test_linkage_is_private_and_marker_says_nothing(hospital):
    write_ct(ANNA, hospital.dicom)
    write_mask(hospital.masks / "KH-0000471-A_L1_A.nrrd")
    (row,) = hospital.run()
    for path in (hospital.linkage, hospital.root / "safe" / "who.handover.csv"):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    marker = read_marker(hospital.out / "cases.csv")
    assert marker["made_by"] == "register"
    assert marker["counts"] == {"patients": 1, "scans": 1, "cases": 1, "masks": 1}
    assert marker["patients"] == [row["patient_id"]]
    assert marker["scans"][row["scan_id"]]["rule"] == "name, grid"
    assert ANNA.uid(1) not in json.dumps(marker)


@pytest.mark.parametrize(
    ("word", "level"),
    [("L1", "L1"), ("th12", "T12"), ("D07", "T7"), ("vertebrae_C3", "C3"), ("S1", "S1"),
     ("L7", None), ("T14", None), ("HL1", None), ("T", None)],
)  # fmt: skip
def test_levels_are_read_as_people_write_them(word, level):
    assert mask_paths.level_of(word) == level


def test_places_are_checked(hospital):
    write_ct(ANNA, hospital.dicom)
    write_mask(hospital.masks / "KH-0000471-A_L1_A.nrrd")
    with refusal("linkage-inside-study", StudyError):
        hospital.command(
            hospital.dicom, hospital.masks, "--out", hospital.out,
            "--linkage", hospital.out / "l.json",
        )  # fmt: skip
    hospital.run()
    hospital.linkage.rename(hospital.root / "elsewhere.json")
    with refusal("linkage-missing", StudyError):
        hospital.run()
    hospital.linkage.write_text('{"schema": 99}')
    with refusal("linkage-invalid", StudyError):
        hospital.run()
    hospital.linkage.unlink()
    other = hospital.root / "other"
    other.mkdir()
    (other / "mine.txt").touch()
    with refusal("out-not-new", StudyError):
        hospital.command(hospital.dicom, hospital.masks, "--out", other)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], "sources-neither", ""),
        (["x", "y", "--cases", "z.csv"], "sources-both", ""),
        (["none", "none"], "folder-missing", "DICOM_ROOT must be a folder"),
    ],
)
def test_wrong_arguments_are_told(hospital, arguments, code, message):
    with refusal(code, StudyError, match=message):
        hospital.command(*arguments, "--out", hospital.out)


def test_localizers_and_captures_are_left_out(hospital):
    slices = write_ct(ANNA, hospital.dicom / "a")
    extra = pydicom.dcmread(slices[0])
    extra.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    extra.save_as(hospital.dicom / "a" / "localizer.dcm")
    extra.SOPClassUID, extra.Modality = "1.2.840.10008.5.1.4.1.1.7", "OT"
    extra.ImageType = ["DERIVED", "SECONDARY"]
    extra.save_as(hospital.dicom / "a" / "capture.dcm")
    (hospital.dicom / "DICOMDIR").write_bytes(b"stale")
    write_mask(hospital.masks / "KH-0000471-A_L1_A.nrrd")
    (row,) = hospital.run()
    assert len(list((hospital.out / row["image"]).iterdir())) == SHAPE[0]
    assert hospital.report()["localizer.dcm"][0] == "left out"
