"""From a hospital's folders to a pseudonymous study: what is matched, what is not, what leaks."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import unicodedata
from pathlib import Path

import highdicom as hd
import nibabel
import numpy as np
import pandas as pd
import pydicom
import pydicom.examples
import pytest
import SimpleITK as sitk
import yaml
from pydicom.uid import JPEG2000Lossless, RLELossless

from intake.handover.pairing import mask_paths
from intake.handover.people.dates import day_of, days_between, enrolment
from intake.handover.people.linkage import Linkage, read_linkage
from intake.handover.reading.reading import read_handover
from intake.handover.tables import _of_table
from intake.handover.writing.cleaning import clean_dicom
from intake.handover.writing.cleaning_volumes import clean_volume
from intake.handover.writing.study_tree import Names
from intake.identity.byte_search import Search
from intake.identity.identities import of_folder
from intake.phi_scan import scan, summary
from pipeline.core.errors import CaseError, StudyError, VertebromicsError
from pipeline.core.files import file_hash
from pipeline.imaging.ct_options import CtOptions
from pipeline.imaging.dicom.dicom_identity import Identity
from pipeline.imaging.read_ct import read_ct
from pipeline.study.config import resolve_config
from pipeline.tables.cases import read_cases
from pipeline.tables.registered import read_marker
from pipeline.validate import validate_study
from segmentation.formats.mask_files import read_mask_file
from tests.support.hospital import (
    ANNA,
    CANARY,
    KEPT_TEXTS,
    OUYANG,
    PETER,
    SHAPE,
    Hospital,
    Person,
    region,
    write_ct,
    write_mask,
    write_rtstruct,
    write_seg,
    write_segments,
)
from tests.support.refusals import refusal


@pytest.fixture
def hospital(tmp_path: Path) -> Hospital:
    return Hospital(tmp_path)


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


@pytest.mark.parametrize("headers", ["clean", "keep"])
def test_images_and_masks_hold_the_same_voxels(hospital, headers):
    slices = write_ct(ANNA, hospital.dicom / "a")
    for name, write in {
        "KH-0000471-A_L1_A.nrrd": write_mask,
        "KH-0000471-A_L1_B.nii.gz": write_mask,
        "KH-0000471-A_L1_C.nii": write_mask,
    }.items():
        write(hospital.masks / name)
    write_segments(hospital.masks / "KH-0000471-A_L1_D.seg.nrrd", ["L1"])
    write_seg(hospital.masks / "KH-0000471-A_L1_E.dcm", slices)
    rows = hospital.run("--headers", headers)
    assert [row["reader"] for row in rows] == list("ABCDE")
    image = hospital.out / rows[0]["image"]
    copies = sorted(image.iterdir())
    assert [path.name for path in copies] == [f"{number:04d}.dcm" for number in range(1, 9)]
    before, after = read_ct(hospital.dicom / "a").image, read_ct(image).image
    assert (sitk.GetArrayFromImage(before) == sitk.GetArrayFromImage(after)).all()
    assert before.GetOrigin() == after.GetOrigin()
    for row in rows[:4]:
        mask = sitk.ReadImage(str(hospital.out / row["mask"]))
        assert mask.GetOrigin() == pytest.approx((-20, -10, 5))
        if row["reader"] != "D":
            assert (sitk.GetArrayFromImage(mask) == region()).all()
    seg = hd.seg.segread(hospital.out / rows[4]["mask"]) if headers == "keep" else None
    data = pydicom.dcmread(hospital.out / rows[4]["mask"])
    assert data.SegmentSequence[0].SegmentLabel == "L1"
    assert (seg is None) == (data.get("PatientName") is None)
    outcome = scan([hospital.out], hospital.search())
    assert bool(outcome.leaks) == (headers == "keep"), summary(outcome, 0, [])
    assert (copies[0].stat().st_nlink == 2) == (headers == "keep")


@pytest.mark.parametrize("syntax", ["rle", "deflated", "big endian", "implicit", "j2k"])
def test_pixels_are_copied_in_every_transfer_syntax(tmp_path, syntax):
    path = write_ct(ANNA, tmp_path / "a", shape=(2, 64, 64))[0]
    data = pydicom.dcmread(path)
    pixels = data.pixel_array
    if syntax == "rle":
        data.compress(RLELossless, generate_instance_uid=False)
    elif syntax == "j2k":
        data.compress(JPEG2000Lossless, generate_instance_uid=False)
    uid = {"deflated": "1.2.840.10008.1.2.1.99", "big endian": "1.2.840.10008.1.2.2",
           "implicit": "1.2.840.10008.1.2"}.get(syntax)  # fmt: skip
    if uid is not None:
        data.file_meta.TransferSyntaxUID = uid
        if syntax == "big endian":
            data.PixelData = pixels.astype(">i2").tobytes()
            meta, data = data.file_meta, pydicom.Dataset(data)
            data.file_meta = meta
        order = {"implicit_vr": syntax == "implicit", "little_endian": syntax != "big endian"}
        data.save_as(path, enforce_file_format=True, **order)
    else:
        data.save_as(path)
    link = Linkage()
    clean_dicom(path, tmp_path / "clean.dcm", link.uid, lambda name, number: name)
    clean = pydicom.dcmread(tmp_path / "clean.dcm")
    assert (clean.pixel_array == pixels).all()
    assert clean.file_meta.TransferSyntaxUID == data.file_meta.TransferSyntaxUID
    search = Search(of_folder(tmp_path / "a"))
    assert not scan([tmp_path / "clean.dcm"], search).leaks


def write_named_ct(hospital, **words):
    """Write a CT whose words about the machine are `words`, and a mask of it."""
    for path in write_ct(PETER, hospital.dicom / "a"):
        header = pydicom.dcmread(path)
        for keyword, value in words.items():
            setattr(header, keyword, value)
        header.save_as(path)
    write_mask(hospital.masks / "KH-0000473-C_L1_A.nrrd")


NAMING = {
    "ManufacturerModelName": "Model Knoeterich",
    "Manufacturer": "KNÖTERICH Peter",
    "ConvolutionKernel": "B30f KNOETERICH",
    "BodyPartExamined": "KNOETERICH",
    "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL", "PETER KNOETERICH"],
    "RescaleType": "KH-0000473-C",
    "PatientPosition": "KNOETERICH",
}


@pytest.mark.parametrize("keyword", NAMING)
def test_a_kept_word_that_names_the_patient_is_not_copied_and_told(hospital, caplog, keyword):
    write_named_ct(hospital, **{keyword: NAMING[keyword]})
    rows = hospital.run()
    assert (
        f"Left out of the copies, since they hold a name, an id or a date: {keyword}" in caplog.text
    )
    assert "noeterich" not in caplog.text.lower()
    copies = sorted((hospital.out / rows[0]["image"]).iterdir())
    held = pydicom.dcmread(copies[0])
    if keyword == "ImageType":
        assert list(held.ImageType) == ["ORIGINAL", "PRIMARY", "AXIAL"]
    else:
        assert keyword not in held
    search = Search(read_linkage(hospital.linkage).identities())
    assert not scan([hospital.out], search).leaks


def test_words_of_a_machine_stay(hospital, caplog):
    words = {"ManufacturerModelName": "Scanner Force", "ConvolutionKernel": ["Br40d", "3"],
             "BodyPartExamined": "LSPINE",
             "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SPI"],
             "SeriesDescription": "Scanner Force Br40d LSPINE"}  # fmt: skip
    write_named_ct(hospital, **words)
    rows = hospital.run()
    held = pydicom.dcmread(sorted((hospital.out / rows[0]["image"]).iterdir())[0])
    del words["SeriesDescription"]
    for keyword, value in words.items():
        assert held[keyword].value == value
    assert "Left out of the copies" not in caplog.text


def test_headers_that_are_kept_must_not_name_the_patient_where_results_repeat_them(hospital):
    write_named_ct(hospital, ManufacturerModelName="Model Knoeterich")
    with refusal("no-mask-readable", StudyError):
        hospital.run("--headers", "keep")
    result, _, check = hospital.report()["KH-0000473-C_L1_A.nrrd"]
    assert "must not name a patient" in result + check
    hospital.run("--headers", "clean")  # the remedy


@pytest.mark.parametrize(
    "line",
    [b'space units: "mm" "mm" "KNOETERICH"', b"Segmentation_SourceRepresentation:=Knoeterich"],
)
def test_a_kept_field_of_a_volume_that_names_the_patient_is_left_out(tmp_path, line):
    names = Names(Search([Identity("name", "x", "KNOETERICH^PETER")]))
    head = b"NRRD0004\ntype: short\ndimension: 3\nsizes: 2 2 2\nencoding: raw\n"
    (tmp_path / "a.nrrd").write_bytes(head + line + b"\n\n" + bytes(16))
    clean_volume(tmp_path / "a.nrrd", tmp_path / "b.nrrd", names, names.allows)
    assert (tmp_path / "b.nrrd").read_bytes() == head + b"\n" + bytes(16)
    assert names.left_out.total() == 1


def test_unused_fields_of_nifti_hold_nothing(tmp_path):
    image = nibabel.Nifti1Image(np.zeros((2, 2, 2), np.int16), np.eye(4))
    raw = bytearray(image.to_bytes())
    raw[32:36], raw[140:148] = b"Knoe", b"Knoeteri"
    (tmp_path / "a.nii").write_bytes(raw)
    clean_volume(tmp_path / "a.nii", tmp_path / "b.nii", lambda name, number: name)
    assert b"Knoe" not in (tmp_path / "b.nii").read_bytes()
    assert nibabel.load(tmp_path / "b.nii").shape == (2, 2, 2)


def test_files_without_preamble_are_registered_too(hospital):
    slices = write_ct(ANNA, hospital.dicom / "a")
    pixels = pydicom.dcmread(slices[0]).pixel_array
    for path in slices:
        path.write_bytes(path.read_bytes()[132:])
    write_mask(hospital.masks / "KH-0000471-A_L1_A.nrrd")
    (row,) = hospital.run()
    clean = pydicom.dcmread(hospital.out / row["image"] / "0001.dcm")
    assert (clean.pixel_array == pixels).all()
    assert not scan([hospital.out], hospital.search()).leaks


REAL = (
    "dcmqi_ct_seg/23x38x3/multiframe/mf.dcm", "dcmqi_ct_seg/24x38x3/image",
    "pydicom_enhanced_ct_seg/eCT_Supplemental.dcm", "dcm_qa_ct/Philips_S21610/S2010",
    "totalseg_ct_dicom/example_ct_dicom",
)  # fmt: skip
REAL_MASKS = (
    "dcmqi_ct_seg/23x38x3/seg/label.seg", "dcmqi_ct_seg/partial_overlaps.dcm",
    "dcmqi_ct_seg/sparse-labelmap-ppv5.dcm", "pydicom_enhanced_ct_seg/liver_deflate.dcm",
    "pydicom_enhanced_ct_seg/liver_nonbyte_aligned_rle.dcm",
    "pydicom_enhanced_ct_seg/liver_j2k.dcm",
)  # fmt: skip


def test_grid_of_an_enhanced_ct_is_known(testdata):
    folder = testdata / "dcmqi_ct_seg" / "23x38x3"
    (frames,) = read_handover(folder, [folder / "multiframe" / "mf.dcm"]).series
    (slices,) = read_handover(folder, sorted((folder / "image").iterdir())).series
    assert frames.grid.size == slices.grid.size == (23, 38, 3)
    assert np.allclose(frames.grid.affine, slices.grid.affine)


@pytest.mark.parametrize("place", REAL)
def test_cleaned_copies_of_public_ct_are_read_alike(testdata, tmp_path, place):
    place = testdata / place
    files = sorted(place.iterdir()) if place.is_dir() else [place]
    link = Linkage()
    for number, path in enumerate(files):
        for name in ("before", "after"):
            (tmp_path / name).mkdir(exist_ok=True)
        shutil.copy(path, tmp_path / "before" / f"{number}.dcm")
        clean_dicom(path, tmp_path / "after" / f"{number}.dcm", link.uid, lambda name, _: name)
    options = CtOptions(gantry_tilt="correct")
    before, after = (read_ct(tmp_path / name, options=options) for name in ("before", "after"))
    assert (sitk.GetArrayFromImage(before.image) == sitk.GetArrayFromImage(after.image)).all()
    assert before.image.GetOrigin() == after.image.GetOrigin()
    assert before.image.GetSpacing() == after.image.GetSpacing()
    assert before.facts == after.facts


@pytest.mark.parametrize("place", REAL_MASKS)
def test_cleaned_copies_of_public_segmentations_are_read_alike(testdata, tmp_path, place):
    clean_dicom(testdata / place, tmp_path / "a.dcm", Linkage().uid, lambda name, _: name)
    before, after = read_mask_file(testdata / place), read_mask_file(tmp_path / "a.dcm")
    assert before.segments == after.segments
    assert before.geometry == after.geometry
    for one in before.segments:
        placed = [held.on_grid(one, before.geometry).voxels for held in (before, after)]
        assert (placed[0] == placed[1]).all()


def test_clean_headers_hold_listed_attributes_only(tmp_path):
    path = write_ct(ANNA, tmp_path / "a", shape=(2, 64, 64))[0]
    link = Linkage()
    clean_dicom(path, tmp_path / "b.dcm", link.uid, lambda name, number: name)
    clean = pydicom.dcmread(tmp_path / "b.dcm")
    assert clean.SeriesInstanceUID == link.uid(ANNA.uid(1))
    assert clean.ReferencedImageSequence[0].ReferencedSOPInstanceUID == link.uid(ANNA.uid(9, 0))
    for element in clean.iterall():
        assert not element.tag.is_private
        assert element.VR not in ("PN", "DA", "TM", "DT", "LT", "UT")
        kept = element.keyword in KEPT_TEXTS or element.value == "CONTRAST"
        assert element.VR not in ("LO", "SH", "ST") or kept
    assert clean.ContrastBolusAgent == "CONTRAST"  # in the place of the hospital's own text


def test_extensions_and_texts_of_nifti_are_emptied(tmp_path):
    for kind in (nibabel.Nifti1Image, nibabel.Nifti2Image):
        image = kind(np.arange(60, dtype=np.int16).reshape(3, 4, 5), np.diag([1, 2, 3, 1]))
        image.header["descrip"] = CANARY
        image.header.extensions.append(
            nibabel.nifti1.Nifti1Extension("comment", CANARY.encode() * 9)
        )
        for suffix in (".nii", ".nii.gz"):
            source, target = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
            nibabel.save(image, source)
            clean_volume(source, target, lambda name, number: name)
            clean = nibabel.load(target)
            assert (np.asanyarray(clean.dataobj) == np.asanyarray(image.dataobj)).all()
            assert (clean.affine == image.affine).all()
            search = Search([Identity("id", "t", CANARY)])
            assert scan([source], search).leaks
            assert not scan([target], search).leaks


def test_names_of_segments_that_identify_are_replaced(hospital):
    write_ct(OUYANG, hospital.dicom)
    write_segments(hospital.masks / "00731942 A.seg.nrrd", ["L1 欧阳小冬", "L2"])
    rows = hospital.run()
    assert [row["label"] for row in rows] == ["1", "2"]
    text = (hospital.out / rows[0]["mask"]).read_bytes().split(b"\n\n")[0]
    assert b"Segment0_Name:=structure 1" in text
    assert b"Segment1_Name:=L2" in text
    assert b"operator" not in text
    assert b"CANARY" not in text


BAD_VOLUMES = {
    "a.nii": b"x" * 600,
    "a.nii.gz": b"\x1f\x8b no gzip",
    "a.nrrd": b"NRRD0004\ntype: uchar\ndata file: b.raw\n\n",
    "b.nrrd": b"no NRRD",
    "c.nrrd": b"NRRD0004\ntype: uchar\n",
    "d.nrrd": b"NRRD0004\nencoding: gzip\n\nnot gzip at all",
}


@pytest.mark.parametrize("name", BAD_VOLUMES)
def test_volume_without_a_header_is_told(tmp_path, name):
    (tmp_path / name).write_bytes(BAD_VOLUMES[name])
    (tmp_path / "out").mkdir()
    with refusal("volume-unreadable", CaseError):
        clean_volume(tmp_path / name, tmp_path / "out" / name, lambda name, number: name)
    assert not list((tmp_path / "out").iterdir())


def test_damaged_dicom_is_told(tmp_path):
    (tmp_path / "a").write_bytes(b"no DICOM")
    with refusal("dicom-damaged", CaseError):
        clean_dicom(tmp_path / "a", tmp_path / "b", Linkage().uid, lambda name, number: name)
    assert not (tmp_path / "b").exists()


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


DOUBLE = Person(4, "von der Canaryvögel-Müllerstein^Änne", CANARY, "20190412")
STAFF = {"ReferringPhysicianName": "O'Canarysen^Bjørn", "OperatorsName": "Canarygård^Åse"}
SPELLINGS = (
    "L1 VonDerCanaryvoegel Müllerstein",
    "Canaryvogel",
    "MUELLERSTEIN CANARYVOEGEL",
    "Aenne von-der Canaryvögel Muellerstein",
    "O’CANARYSEN",
    "ocanarysen_bjoern",
    "O Canarysen, Bjorn",
    "Canarygaard",
    "Xiao Dong Ouyang",
    "歐陽小冬",
    "欧阳·小冬",
    "ROI of 4 March 2019",
    "KH 0000471 A",
)
TAILS = ("Änne von der Canaryvögel-Müllerstein", "Muellerstein-Canaryvoegel")


def add_tail(path: Path, text: str) -> Path:
    """Write a text behind the voxels of a file, as a program of a hospital may do."""
    with open(path, "ab") as tail:
        tail.write(text.encode())
    return path


def plant_names(hospital: Hospital) -> None:
    """Add two patients who are named in kept words, behind voxels and in every kind of segment."""
    for path in write_ct(DOUBLE, hospital.dicom / "von der Canaryvoegel-Muellerstein"):
        one = pydicom.dcmread(path)
        one.update(STAFF)
        one.ManufacturerModelName = "Scanner of Canaryvoegel Muellerstein"
        one.ConvolutionKernel, one.BodyPartExamined = "Canaryvoegel", "MUELLERSTEIN"
        one.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL", "CANARYVOEGEL"]
        one.add_new("DataSetTrailingPadding", "OB", TAILS[0].encode())
        one.save_as(path)
    wangenheim, lindqvist = hospital.masks / "Dr Wangenheim", hospital.masks / "Dr Lindqvist"
    write_segments(wangenheim / f"{CANARY} L1 Aenne.seg.nrrd", list(SPELLINGS))
    add_tail(write_mask(lindqvist / f"{CANARY} L1.nii", width=22), TAILS[1])
    add_tail(write_mask(lindqvist / f"{CANARY} L2 packed.nii.gz"), TAILS[1])  # refused
    slices = write_ct(PETER, hospital.dicom / "Knoeterich_Peter")
    write_seg(wangenheim / f"{PETER.patient_id} L1.dcm", slices, "L1 P. Knoeterich")
    named = f"{PETER.patient_id} L1 Knöterich.dcm"
    write_rtstruct(lindqvist / named, PETER, "PETER-KNOETERICH L1")


def refusals_of_tables(study: Path) -> str:
    """Return what is said of a clinical sheet, a dictionary and a table of masks that name."""
    ids = pd.read_csv(study / "cases.csv", dtype=str)["patient_id"].unique()
    sheet = pd.DataFrame({"patient_id": ids, "age": range(60, 60 + len(ids))})
    sheet["pain"] = ["0", "1", "0", "1"]
    people = [DOUBLE, PETER, ANNA, OUYANG]
    named = sheet.assign(
        **{"Name, Vorname": [one.name.replace("^", ", ") for one in people],
           "geb. am": [f"03.02.194{one.number}" for one in people]}
    )  # fmt: skip
    rows = [
        ["age", "continuous", None, "preoperative", "predictor"],
        ["pain", "binary", "0|1", "postoperative", "outcome"],
        ["surgeon", "categorical", "Dr. Canaryvögel|Dr. Knöterich", "preoperative", "other"],
    ]
    dictionary = pd.DataFrame(rows, columns=["column", "type", "levels", "timing", "role"])
    cases = pd.read_csv(study / "cases.csv", dtype=str)
    wrong = cases.assign(patient_id=cases["patient_id"].replace(ids[0], DOUBLE.name))
    said = []
    for number, (clinical, described, masks) in enumerate((
        (named, dictionary.iloc[:2], cases),
        (sheet.assign(surgeon="Dr. Knöterich"), dictionary, cases),
        (sheet, dictionary.iloc[:2], wrong),
    )):  # fmt: skip
        folder = study.parent.parent / "tables" / str(number)
        there = shutil.copytree(study, folder / "study")
        clinical.to_csv(folder / "clinical.csv", index=False)
        described.to_csv(folder / "dictionary.csv", index=False)
        masks.to_csv(there / "cases.csv", index=False)
        config = resolve_config({
            "study": "s", "cases": str(there / "cases.csv"), "model_reader": "A",
            "results": str(folder / "results"), "clinical": str(folder / "clinical.csv"),
            "dictionary": str(folder / "dictionary.csv"),
            "outcome": {"name": "pain", "formula": "pain == '1'"},
        })  # fmt: skip
        with pytest.raises(VertebromicsError) as error:
            validate_study(config)
        said.append(str(error.value))
    assert "must not say who the patients are" in said[0]
    assert "levels of a column" in said[1]
    return "\n".join(said)


def test_the_imaging_half_of_a_registered_study_identifies_nobody(hospital, repository):
    """A hospital with canaries everywhere, registered and run through the DAG, then scanned.

    Names stand in header words that are kept, behind voxels, and in other spellings in the
    segments of every kind of file, and in names of files and folders. One of them, `PHI^Creator`,
    is a word of Parquet's own metadata.
    """
    for person in (ANNA, OUYANG):
        folder = hospital.dicom / f"{person.patient_id} {person.name.split('=')[0]}"
        write_ct(person, folder / f"Study {person.day}")
        for reader, width in (("Dr Wangenheim", 24), ("Dr Lindqvist", 22)):
            name = f"{reader}/{person.patient_id} {person.name.split('^')[0]} L1.nrrd"
            write_mask(hospital.masks / name, width=width)
    broken = hospital.masks / "Dr Wangenheim" / f"{OUYANG.patient_id} T12.nrrd"
    write_mask(broken, width=0)
    plant_names(hospital)
    work = hospital.root / "work"

    def run(*command: object) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", *map(str, command)],
            cwd=work, capture_output=True, text=True, check=False,
            env={**os.environ, "PYTHONPATH": str(repository)},
        )  # fmt: skip

    work.mkdir()
    done = run("intake", hospital.dicom, hospital.masks, "--out", "study",
               "--linkage", hospital.linkage)  # fmt: skip
    assert done.returncode == 0, done.stderr
    (work / "register.log").write_text(done.stderr, encoding="utf-8")
    assert "ManufacturerModelName" in done.stderr
    assert "right checksum" in hospital.checks()  # a tail behind gzip: refused, for the hospital
    config = {
        "study": "mini", "cases": "study/cases.csv", "model_reader": "A",
        "extraction": {"params": "params.yaml"},
    }  # fmt: skip
    (work / "config.yaml").write_text(yaml.safe_dump(config))
    (work / "params.yaml").write_text(
        "imageType: {Original: {}}\nfeatureClass: {firstorder: [Mean]}\nsetting: {binWidth: 25}\n"
    )
    ended = run(
        "snakemake", "features", "preflight", "-s", repository / "Snakefile", "-d", work,
        "--cores", "1", "--configfile", "config.yaml",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-3000:]
    (work / "snakemake.log").write_text(ended.stdout + ended.stderr, encoding="utf-8")
    features = pd.read_parquet(work / "results" / "mini" / "tables" / "features.parquet")
    assert len(features) == 8
    assert pd.read_csv(work / "study" / "cases.csv")["patient_id"].nunique() == 4
    (kept,) = (work / "study" / "masks").glob("*.seg.nrrd")
    named = [one.name for one in read_mask_file(kept).segments]
    assert named == [f"structure {number}" for number in range(1, len(SPELLINGS) + 1)]
    (work / "tables.log").write_text(refusals_of_tables(work / "study"), encoding="utf-8")
    search = hospital.search()
    outcome = scan([work], search)
    text = summary(outcome, 0, [])
    assert not outcome.leaks, text
    assert not outcome.unreadable, text
    assert outcome.files > 60
    told = run("intake.phi_scan", "results", "study", "--against", hospital.linkage)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "nothing found" in told.stdout
    # The search can fail: what was planted is found where it was planted, and one by one.
    planted = scan([hospital.root / "tables", hospital.masks, hospital.dicom], search).leaks
    tails = {leak.file.partition("/")[0] for leak in planted if "behind the data" in leak.how}
    assert tails == {hospital.masks.name, hospital.dicom.name}
    named = {leak.file for leak in planted}
    assert named >= {"tables/0/clinical.csv", "tables/1/dictionary.csv", "tables/2/study/cases.csv"}
    values = (*SPELLINGS, *TAILS, "L1 P. Knoeterich", "PETER-KNOETERICH L1", "CANARYVOEGEL",
              "Scanner of Canaryvoegel Muellerstein", "MUELLERSTEIN", CANARY, "PHI Creator",
              ANNA.canary(pydicom.tag.Tag("InstitutionName"))[:16], "欧阳 小冬", ANNA.uid(1),
              "04.03.2019", "Study 20190304", "PHI-PRIVATE-1-0029")  # fmt: skip
    for value in values:
        (work / "results" / "planted.txt").write_text(value, encoding="utf-8")
        assert scan([work / "results" / "planted.txt"], search).leaks, value


@pytest.mark.parametrize(
    "name",
    [
        "L1 Muellerstein",
        "L1_HAENSEL-MULLERSTEIN",
        "L1 (Zhang Weiming)",
        "L1 張偉明",
        "T12 WeiMing Zhang",
        "L1 HOSP-77142-X1",
        "L1 10. März 1958",
        "L1 vanderquastenberg",
        "L1 van_der Quastenberg",
    ],
)
def test_a_segment_named_by_the_patient_in_any_spelling_is_numbered(name):
    people = [Identity("name", "x", one) for one in ("MÜLLERSTEIN^HÄNSEL", "ZHANG WEI MING")]
    people += [Identity("name", "x", "VAN DER QUASTENBERG^P"), Identity("id", "x", "HOSP77142X1")]
    people.append(Identity("date", "x", "19580310"))
    keep = Names(Search(people))
    assert keep(name, 3) == "structure 3"
    for plain in ("L1", "vertebrae_L1", "Wirbelkörper L1", "Segment_1", "T12 body", "wervel L1"):
        assert keep(plain, 3) == plain


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
