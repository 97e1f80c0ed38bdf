"""What the intake tells people to do works: each remedy is applied, and the input is accepted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from intake.handover.pairing.mask_paths import level_of, pattern_of, read_path, stem_of
from pipeline.core.errors import StudyError
from pipeline.tables.registered import read_marker
from pipeline.tables.sites import HandedIn
from pipeline.validate import _check_convention
from tests.intake.test_register_patients import Folder
from tests.support.hospital import SMALL, write_segments, write_small, write_small_mask
from tests.support.refusals import refusal


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def reason(folder: Folder, *arguments: object) -> str:
    """Register, and return why the one mask that is not matched is not."""
    if not any(folder.dicom.glob("good*")):
        write_small(folder.dicom / "good", "GOOD", lift=500)
    folder.run(*arguments)
    (line,) = [line for line in folder.lines() if line["result"] == "NOT MATCHED"]
    return line["check"]


def accepted(folder: Folder, *arguments: object) -> list[dict]:
    """Register again, and return what the report says of all masks, each of them registered."""
    folder.run(*arguments)
    lines = folder.lines()
    assert {line["result"] for line in lines} == {"taken"}
    return lines


def lost(folder: Folder, name: str, patient: str = "4711") -> Path:
    """Write a CT, and its mask far from it; return the mask."""
    write_small(folder.dicom / "x", patient, level=None)
    return write_small_mask(folder.dicom / "far" / name)


# --- --mask-pattern ---


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("{patient}_{level}_r{reader}", "masks/4711_L1_rB.nrrd"),
        ("{patient}_{level}_r{reader}", "a/b/4711_L1_rB_v2.seg.nrrd"),
        ("{patient}-{level} {reader}", "deep/er/4711-LWK1 B.nii.gz"),
        ("{reader}/{patient}/{level}", "B/4711/L1.nrrd"),
        ("{reader}/x{patient}_{level}", "B/x4711_L1_v3.nrrd"),
        ("{patient}_{level}_{reader}", "study.1/47.11_L1_B.nrrd"),
    ],
)
def test_a_pattern_fits_files_in_folders_where_it_names_none(pattern, name):
    known = {"4711": {"someone"}}
    told = read_path(Path(name), known, pattern_of(pattern))
    assert (told.patients, told.level, told.reader) == ({"someone"}, "L1", "B")
    assert told.version == next((int(v) for v in "23" if f"_v{v}" in name), 1)


@pytest.mark.parametrize("patient", ["7", "ab", "Ü1"])
def test_a_pattern_reads_ids_that_are_too_short_for_words(folder, patient):
    mask = lost(folder, f"{patient}_L1_rA.nrrd", patient)
    assert "ids of one or two letters need --mask-pattern" in reason(folder)
    mask.rename(folder.dicom / "far" / f"{patient}_L1_rA.nrrd")
    write_small_mask(folder.dicom / "good" / "GOOD_L1_rA.nrrd", lift=500)
    (folder.dicom / "good" / "L1_rA.nrrd").unlink()
    lines = accepted(folder, "--mask-pattern", "{patient}_{level}_r{reader}")
    assert len(lines) == 2


def test_a_pattern_that_reads_a_stranger_is_not_overruled_by_a_folder(folder):
    write_small(folder.dicom / "x", "4711", mask="4712_L1_rA.nrrd")
    write_small(folder.dicom / "good", "GOOD", mask="GOOD_L1_rA.nrrd", lift=500)
    arguments = ("--mask-pattern", "{patient}_{level}_r{reader}")
    assert "must have a CT series" in reason(folder, *arguments)
    (folder.dicom / "x" / "4712_L1_rA.nrrd").rename(folder.dicom / "x" / "4711_L1_rA.nrrd")
    assert len(accepted(folder, *arguments)) == 2


# --- names of files ---


def test_the_id_in_the_name_finds_the_patient(folder):
    mask = lost(folder, "someone_L1_rA.nrrd")
    assert "write the patient's id into the file's name" in reason(folder)
    mask.rename(mask.with_name("4711_L1_rA.nrrd"))
    accepted(folder)


def test_a_table_finds_the_patient(folder):
    mask = lost(folder, "someone_L1_rA.nrrd")
    assert "or hand in a table (--cases)" in reason(folder)
    row = {"patient_id": "4711", "level": "L1", "reader": "A", "mask": mask}
    table = folder.root / "cases.csv"
    pd.DataFrame([row | {"image": folder.dicom / "x" / "ct"}]).to_csv(table, index=False)
    folder.command("--cases", table, "--out", folder.out, "--linkage", folder.linkage)
    assert len(pd.read_csv(folder.out / "cases.csv")) == 2


@pytest.mark.parametrize("remedy", ["file", "pattern", "convention"])
def test_a_level_is_told(folder, remedy):
    write_small(folder.dicom / "x", "4711", mask="4711_upper_rA.nrrd")
    mask = folder.dicom / "x" / "4711_upper_rA.nrrd"
    assert "rename the file, give --mask-pattern or --convention" in reason(folder)
    if remedy == "file":
        mask.rename(mask.with_name("4711_LWK1_rA.nrrd"))
        accepted(folder)
    elif remedy == "pattern":
        mask.rename(mask.with_name("4711upperL1byA.nrrd"))
        (folder.dicom / "good" / "L1_rA.nrrd").rename(folder.dicom / "GOODupperL1byA.nrrd")
        accepted(folder, "--mask-pattern", "{patient}upper{level}by{reader}")
    else:
        write_small_mask(mask, value=20)
        accepted(folder, "--convention", "verse")


def test_two_levels_in_a_name_are_those_of_its_structures(folder):
    from tests.support.hospital import ANNA, write_ct

    write_ct(ANNA, folder.dicom / "anna" / "ct", origin=(-20.0, -10.0, 5.0))
    path = folder.dicom / "anna" / "L3+L4_rA.seg.nrrd"
    write_segments(path, ["upper", "lower"])
    said = reason(folder)
    assert "its name holds the levels L3, L4" in said
    assert "or its structures by those levels" in said
    write_segments(path, ["L3", "L4"])
    assert {line["case"][-2:] for line in accepted(folder)} == {"L1", "L3", "L4"}


@pytest.mark.parametrize("remedy", ["readers", "version", "pattern"])
def test_two_files_of_one_reader(folder, remedy):
    write_small(folder.dicom / "x", "4711", mask="4711_L1.nrrd")
    write_small_mask(folder.dicom / "x" / "4711_L1_smooth.nrrd", value=2)
    write_small(folder.dicom / "good", "GOOD", lift=500)
    folder.run()
    failed = [line["check"] for line in folder.lines() if line["result"] == "NOT MATCHED"]
    assert len(failed) == 2
    assert "end the name of a correction in _v2" in failed[0]
    corrected = folder.dicom / "x" / "4711_L1_smooth.nrrd"
    drawn = sitk.GetArrayFromImage(sitk.ReadImage(str(corrected)))
    image = sitk.GetImageFromArray(np.roll(drawn, 1, axis=2))
    image.CopyInformation(sitk.ReadImage(str(corrected)))
    sitk.WriteImage(image, str(corrected))
    if remedy == "readers":
        corrected.rename(corrected.with_name("4711_L1_wang.nrrd"))
        lines = accepted(folder, "--readers", "wang,li")
        assert len({line["reader"] for line in lines}) == 2
    elif remedy == "version":
        corrected.rename(corrected.with_name("4711_L1_v2.nrrd"))
        accepted(folder)
        assert set(pd.read_csv(folder.out / "cases.csv")["version"]) == {1, 2}
    else:
        corrected.rename(corrected.with_name("4711_L1_B.nrrd"))
        (folder.dicom / "x" / "4711_L1.nrrd").rename(folder.dicom / "x" / "4711_L1_C.nrrd")
        (folder.dicom / "good" / "L1_rA.nrrd").rename(folder.dicom / "good" / "GOOD_L1_D.nrrd")
        accepted(folder, "--mask-pattern", "{patient}_{level}_{reader}")


# --- --convention ---


@pytest.mark.parametrize("remedy", ["name", "convention"])
def test_a_label_that_means_another_level_than_the_name(folder, remedy):
    write_small(folder.dicom / "x", "4711", mask="4711_L1.nrrd")
    mask = write_small_mask(folder.dicom / "x" / "4711_L1.nrrd", value=19)
    said = reason(folder, "--convention", "verse")
    assert "L1 in its name, label 19, which is T12 in the convention verse" in said
    if remedy == "name":
        mask.rename(mask.with_name("4711_T12.nrrd"))
        accepted(folder, "--convention", "verse")
    else:
        accepted(folder)


@pytest.mark.parametrize("value", [1, 20, 255])
def test_a_label_that_means_the_level_or_nothing_is_taken(folder, value):
    write_small(folder.dicom / "x", "4711", mask="4711_L1.nrrd")
    write_small_mask(folder.dicom / "x" / "4711_L1.nrrd", value=value)
    accepted(folder, "--convention", "verse")


@pytest.mark.parametrize(("value", "told"), [(20, "verse"), (1, None)])
def test_what_intake_was_told_reaches_the_study(folder, value, told, capsys, caplog):
    """Unless a mask does not follow the convention: the stages would refuse it then."""
    write_small(folder.dicom / "x", "4711", mask="4711_L1.nrrd")
    write_small_mask(folder.dicom / "x" / "4711_L1.nrrd", value=value)
    folder.run("--convention", "verse")
    shown = "masks: {convention: verse}"
    assert (shown in capsys.readouterr().out) == (told is not None)
    marker = read_marker(folder.out / "cases.csv")
    assert marker.get("convention") == told
    for stated in ("none", "verse", "totalsegmentator"):
        caplog.clear()
        given = HandedIn(
            cases=str(folder.out / "cases.csv"), features=None, clinical=None, sites=None
        )
        _check_convention(given, stated)
        assert (shown in caplog.text) == (told is not None and stated == "totalsegmentator")


# --- volumes in the place of DICOM ---


def test_folders_of_nifti_are_registered_from_a_table(folder):
    """As TotalSegmentator and VerSe publish them."""
    one = folder.dicom / "s0001"
    write_small_mask(one / "segmentations" / "vertebrae_L1.nii.gz")
    ct = sitk.GetImageFromArray(np.random.default_rng(1).integers(-50, 900, SMALL).astype("int16"))
    ct.CopyInformation(sitk.ReadImage(str(one / "segmentations" / "vertebrae_L1.nii.gz")))
    sitk.WriteImage(ct, str(one / "ct.nii.gz"))
    with refusal("no-dicom-series", StudyError, match="--cases") as caught:
        folder.run()
    assert "s0001" not in str(caught.value)
    table = folder.dicom / "cases.csv"
    row = {"patient_id": "s0001", "level": "L1", "reader": "A", "image": "s0001/ct.nii.gz"}
    mask = "s0001/segmentations/vertebrae_L1.nii.gz"
    pd.DataFrame([row | {"mask": mask}]).to_csv(table, index=False)
    folder.command("--cases", table, "--out", folder.out, "--linkage", folder.linkage)
    assert len(pd.read_csv(folder.out / "cases.csv")) == 1


# --- words ---


@pytest.mark.parametrize(
    ("word", "level"),
    [("LWK1", "L1"), ("BWK12", "T12"), ("bwk05", "T5"), ("HWK7", "C7"), ("SWK1", "S1"),
     ("LWK7", None), ("BWK", None)],
)  # fmt: skip
def test_levels_in_german_are_read(word, level):
    assert level_of(word) == level


def test_a_dot_in_an_id_is_no_ending():
    assert stem_of("KH.471_L1.nii.gz") == "KH.471_L1"
    assert read_path(Path("KH.471_L1_A.nrrd"), {"kh471": {"x"}}).level == "L1"
