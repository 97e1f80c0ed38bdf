"""Which of a folder's series is taken, why, and how the others are named."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pydicom
import pytest

from pipeline.core.errors import CaseError
from pipeline.imaging.dicom.dicom_headers import read_headers
from pipeline.imaging.dicom.dicom_series import choose_series, ct_series, is_ct_slice, main
from pipeline.imaging.sources import source_files
from tests.support.dicom_files import CANARY, edit, load, uid, write_series, write_slice
from tests.support.refusals import refusal

ORIGINAL, DERIVED = ["ORIGINAL", "PRIMARY", "AXIAL"], ["DERIVED", "SECONDARY", "REFORMATTED"]
SAGITTAL = [0, 1, 0, 0, 0, -1]


def add(folder, number: int, slices: int = 6, step: float = 2.5, **attributes) -> None:
    """Add a series to a folder."""
    given = {"SeriesInstanceUID": uid("series", number), "SeriesNumber": number}
    write_series(folder / str(number), slices, step, **given | attributes)


def choose(folder, series: str | None = None, rule: str = "thinnest"):
    """Return the number of the chosen series, and the choice."""
    choice = choose_series(read_headers(source_files(folder)), series, rule)
    return choice.slices[0].series_number, choice


def test_the_thinnest_is_taken_by_default(tmp_path):
    add(tmp_path, 2, slices=20, step=1.5)
    add(tmp_path, 3, slices=10, step=1.0)
    number, choice = choose(tmp_path)
    assert number == 3
    assert choice.rule == "rule thinnest, of 2 CT series"
    assert choice.findings[0].code == "series-chosen"
    assert "took series 3 (10 slices, 1 mm apart" in choice.findings[0].message


def test_most_slices_are_taken_where_that_is_the_rule(tmp_path):
    add(tmp_path, 2, slices=20, step=1.5)
    add(tmp_path, 3, slices=10, step=1.0)
    number, choice = choose(tmp_path, rule="most-slices")
    assert number == 2
    assert "of 2 CT series" in choice.rule


def test_of_equal_spacings_the_longer_is_taken(tmp_path):
    add(tmp_path, 2, slices=8)
    add(tmp_path, 3, slices=9, step=2.51)
    assert choose(tmp_path)[0] == 3


def test_refuse_refuses_to_choose(tmp_path):
    add(tmp_path, 2, slices=20)
    add(tmp_path, 3, slices=4)
    with refusal(
        "series-ambiguous", CaseError, match=r"series 2 \(20 .*; series 3 \(4 .*\(rule refuse\)"
    ):
        choose(tmp_path, rule="refuse")


def test_one_series_needs_no_rule(tmp_path):
    add(tmp_path, 2)
    number, choice = choose(tmp_path, rule="refuse")
    assert (number, choice.rule, choice.findings) == (2, "the only CT series", [])


@pytest.mark.parametrize("rule", ["thinnest", "most-slices"])
def test_original_axial_series_come_first(tmp_path, rule):
    """Thinner and longer reformations and sagittal series do not win."""
    add(tmp_path, 2, slices=6, step=2.5)
    add(tmp_path, 3, slices=30, step=1.0, ImageType=DERIVED)
    add(tmp_path, 4, slices=30, step=1.0, ImageOrientationPatient=SAGITTAL)
    # Positions along z are sagittal slices at one place; give them places along x.
    for place, path in enumerate(source_files(tmp_path / "4")):
        write_slice(
            path,
            np.zeros((8, 10), np.int16),
            (place, 0, 0),
            ImageOrientationPatient=SAGITTAL,
            SeriesInstanceUID=uid("series", 4),
            SeriesNumber=4,
        )
    number, choice = choose(tmp_path, rule=rule)
    assert number == 2
    assert "series 3 (30 slices, 1 mm apart, 5 mm thick, kernel B70s, derived)" in (
        choice.findings[0].message
    )
    assert "kernel B70s, not axial)" in choice.findings[0].message


def test_series_that_are_no_volume_come_last(tmp_path):
    """Twenty images of one place (bolus tracking) and two thin slices."""
    add(tmp_path, 2)
    add(tmp_path, 3, slices=20, step=0.0)
    add(tmp_path, 4, slices=2, step=0.5)
    assert choose(tmp_path)[0] == 2


def test_kernels_of_equal_rank_are_an_ambiguity(tmp_path):
    add(tmp_path, 2)
    add(tmp_path, 3, ConvolutionKernel="B30s")
    add(tmp_path, 4, slices=4, step=5.0)
    with refusal(
        "series-ambiguous", CaseError, match=r"kernel B70s\); series 3 .*kernel B30s\) \(rule"
    ) as caught:
        choose(tmp_path)
    assert "series 4" not in str(caught.value)
    assert "2.25." not in str(caught.value)


@pytest.mark.parametrize("name", ["spine 1.0 bone", "Spine  1.0 Bone ", " SPINE 1.0 BONE"])
def test_a_series_may_be_named_by_its_description(tmp_path, name):
    add(tmp_path, 2, slices=20)
    add(tmp_path, 3, slices=4, SeriesDescription="Spine 1.0 Bone")
    number, choice = choose(tmp_path, name)
    assert (number, choice.rule, choice.findings) == (3, "SeriesDescription of the table", [])


def test_a_description_of_two_series_is_an_ambiguity(tmp_path):
    add(tmp_path, 2, SeriesDescription=CANARY)
    add(tmp_path, 3, slices=4, SeriesDescription=CANARY)
    with refusal("series-description-ambiguous", CaseError) as caught:
        choose(tmp_path, CANARY)
    assert CANARY not in str(caught.value)


def test_a_uid_names_one_series(tmp_path):
    add(tmp_path, 2)
    add(tmp_path, 3, slices=4)
    number, choice = choose(tmp_path, uid("series", 3))
    assert (number, choice.rule) == (3, "SeriesInstanceUID of the table")


def test_an_unknown_description_is_not_repeated(tmp_path):
    add(tmp_path, 2)
    with refusal("series-not-in-folder", CaseError) as caught:
        choose(tmp_path, "CANARY^NAME")
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize("series", [None, uid("series", 2)])
def test_images_of_the_series_that_are_no_slices_are_told(tmp_path, series):
    """A damaged modality would shorten the CT without a word; a localizer is usual."""
    add(tmp_path, 2)
    for number, changed in enumerate(({"Modality": "CU"}, {"ImageType": ["A", "B", "LOCALIZER"]})):
        write_slice(
            tmp_path / "3" / str(number),
            np.zeros((8, 10), np.int16),
            (0, 0, number),
            SeriesInstanceUID=uid("series", 2),
            **changed,
        )
    _, choice = choose(tmp_path, series)
    assert [one.code for one in choice.findings] == ["images-left-out"]
    assert "1 image(s) of the series" in choice.findings[0].message


@pytest.mark.parametrize("kind", ["LOCALIZER", "MIP", "TOPOGRAM"])
def test_projections_are_no_slices(tmp_path, kind):
    write_slice(
        tmp_path / "1",
        np.zeros((8, 10), np.int16),
        (0, 0, 0),
        ImageType=["DERIVED", "PRIMARY", kind],
    )
    assert not is_ct_slice(read_headers(source_files(tmp_path))[0])
    assert ct_series(read_headers(source_files(tmp_path))) == []


def test_a_series_without_geometry_is_still_listed(tmp_path):
    add(tmp_path, 2, ImageOrientationPatient=None, SeriesNumber=None)
    listed = str(ct_series(read_headers(source_files(tmp_path)))[0])
    assert listed == "series without number (6 slices, 5 mm thick, kernel B70s, not axial)"


def test_the_command_lists_what_the_table_may_name(tmp_path, capsys):
    add(tmp_path, 2, SeriesDescription="Spine 1.0 Bone")
    (tmp_path / "notes.txt").write_text("no DICOM")
    main(argparse.Namespace(folder=tmp_path))
    printed = capsys.readouterr().out
    assert "series 2 (6 slices, 2.5 mm apart" in printed
    assert uid("series", 2) in printed
    assert "Spine 1.0 Bone" in printed


def test_the_command_says_that_there_is_none(tmp_path, capsys):
    main(argparse.Namespace(folder=tmp_path))
    assert capsys.readouterr().out == "no CT series\n"


# --- public data -------------------------------------------------------------------------------


def test_a_public_folder_with_localizer_capture_and_stale_index(testdata):
    """One tilted series is the only candidate; localizer, capture and DICOMDIR are none."""
    folder = testdata / "dcm_qa_ct" / "Philips_S21610"
    assert any(path.name.upper() == "DICOMDIR" for path in folder.rglob("*"))
    headers = read_headers(source_files(folder))
    assert {"LOCALIZER"} & {kind for one in headers for kind in one.image_type}
    assert [str(one) for one in ct_series(headers)] == [
        "series 201 (20 slices, 2.371 mm apart, 2.5 mm thick, kernel UB)"
    ]


def test_a_series_uid_for_each_slice_is_told_in_one_line(tmp_path):
    write_series(tmp_path, slices=40)
    for number, path in enumerate(source_files(tmp_path)):
        one = pydicom.dcmread(path)
        one.SeriesInstanceUID = uid("own", number)
        one.save_as(path)
    with refusal(
        "slices-of-several-series",
        CaseError,
        match="Found: 40 slices, each with a SeriesInstanceUID of",
    ) as at:
        load(tmp_path)
    assert len(str(at.value)) < 400
    # The remedy: one UID for all.
    for path in source_files(tmp_path):
        one = pydicom.dcmread(path)
        one.SeriesInstanceUID = uid("one")
        one.save_as(path)
    load(tmp_path)


def test_many_series_are_listed_up_to_a_few(tmp_path):
    for number in range(30):
        write_series(tmp_path / str(number), slices=3, SeriesInstanceUID=uid("many", number))
    with refusal("series-ambiguous", CaseError, match="and 22 more") as caught:
        load(tmp_path)
    assert len(str(caught.value)) < 1000


PHASES = {
    "AcquisitionNumber": (1, 2, r"AcquisitionNumber parts into 2 phases \(1, 2\)"),
    "TemporalPositionIdentifier": (3, 4, r"TemporalPositionIdentifier parts into 2 phases \(3, 4"),
    "NominalPercentageOfCardiacPhase": (40.0, 75.0, r"CardiacPhase parts .* \(40.0, 75.0\)"),
    "TriggerTime": (100, 650, r"TriggerTime parts into 2 phases\. Remedy"),
    "AcquisitionTime": ("101010", "101500", r"AcquisitionTime parts into 2 phases\. Remedy"),
}


@pytest.mark.parametrize("keyword", PHASES)
def test_two_phases_of_a_series_are_told_by_the_attribute_that_parts_them(tmp_path, keyword):
    first, second, message = PHASES[keyword]
    write_series(tmp_path / "a", **{keyword: first})
    write_series(tmp_path / "b", **{keyword: second})
    for path in source_files(tmp_path / "b"):
        one = pydicom.dcmread(path)
        one.SOPInstanceUID = uid("second", path.name)
        one.save_as(path)
    with refusal("several-phases", CaseError, match=rf"12 slices at 6 places.*{message}") as at:
        load(tmp_path)
    assert "1015" not in str(at.value)
    # The remedy: the files of one phase alone.
    for path in source_files(tmp_path / "b"):
        path.unlink()
    load(tmp_path)


def test_what_no_attribute_parts_is_refused_as_before(tmp_path):
    write_series(tmp_path, AcquisitionNumber=1)
    edit(tmp_path, 2, AcquisitionNumber=2, ImagePositionPatient=[-90.0, -70.0, 33.0])
    with refusal("slices-at-one-place", CaseError):
        load(tmp_path)


def two_phases(folder: Path, keyword: str = "AcquisitionNumber") -> None:
    """Write two phases of one series, of which the second is 30 HU brighter."""
    write_series(folder / "a", **{keyword: 1})
    (folder / "b").mkdir()
    for path in source_files(folder / "a"):
        one = pydicom.dcmread(path)
        setattr(one, keyword, 2)
        one.SOPInstanceUID = uid("second", path.name)
        one.PixelData = (np.frombuffer(one.PixelData, np.int16) + np.int16(30)).tobytes()
        one.save_as(folder / "b" / path.name)


@pytest.mark.parametrize("keyword", ["AcquisitionNumber", "TemporalPositionIdentifier"])
@pytest.mark.parametrize("name", ["", "thin bone "])
def test_a_phase_is_named_in_the_table(tmp_path, keyword, name):
    two_phases(tmp_path, keyword)
    for path in source_files(tmp_path):
        one = pydicom.dcmread(path)
        one.SeriesDescription = "Thin  bone"
        one.save_as(path)
    first, told = load(tmp_path, series=f"{name}{keyword}=1")
    second, _ = load(tmp_path, series=f"{name}{keyword} = 2.0")
    np.testing.assert_array_equal(second.voxels, first.voxels + 30)
    assert not [one for one in told if one.severity == "error"]


def test_a_phase_that_is_not_there_is_told_with_those_that_are(tmp_path):
    two_phases(tmp_path)
    match = r"AcquisitionNumber=1 \(6 slices\), AcquisitionNumber=2 \(6 slices\)"
    with refusal("phase-not-in-series", CaseError, match=match):
        load(tmp_path, series="AcquisitionNumber=3")
    with refusal("phase-not-in-series", CaseError, match="none that states TemporalPositionIndex"):
        load(tmp_path, series="TemporalPositionIndex=80")


def test_series_lists_the_phases(tmp_path, capsys):
    two_phases(tmp_path)
    main(argparse.Namespace(folder=tmp_path))
    assert "AcquisitionNumber=1 (6 slices), AcquisitionNumber=2" in capsys.readouterr().out
