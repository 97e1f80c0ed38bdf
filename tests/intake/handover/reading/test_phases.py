"""Phases and slice thicknesses under one SeriesInstanceUID, and slices with a UID each."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.intake.test_register_patients import Folder
from tests.support.dicom_files import uid
from tests.support.hospital import write_small, write_small_mask

NAME = "4711_L1_rA.nrrd"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def two_parts(folder: Folder, first: dict, second: dict, **options) -> None:
    """Write two stacks of one SeriesInstanceUID that differ by some attributes."""
    shared = {"SeriesInstanceUID": uid("shared"), "StudyInstanceUID": uid("study")}
    for name, tags in (("a", first), ("b", second)):
        write_small(folder.dicom / "ct" / name, "4711", level=None, **shared, **tags, **(
            options if name == "b" else {}))  # fmt: skip


PARTS = {
    "acquisition": ({"AcquisitionNumber": 1}, {"AcquisitionNumber": 2}, "acquisition 2"),
    "temporal": (
        {"TemporalPositionIdentifier": 1}, {"TemporalPositionIdentifier": 2}, "phase 2",
    ),
    "contrast": ({}, {"ContrastBolusAgent": "Omnipaque"}, "contrast"),
}  # fmt: skip


@pytest.mark.parametrize("what", PARTS)
def test_phases_are_a_question_until_one_is_named(folder, what):
    first, second, name = PARTS[what]
    two_parts(folder, first, second)
    write_small_mask(folder.dicom / NAME)
    said = folder.refused()
    assert "2 of 2 series with its grid" in said
    assert name in said
    assert "say which by --phase" in said
    (row,) = folder.run("--phase", name)
    assert len(list((folder.out / row["image"]).iterdir())) == 5
    taken = [line for line in folder.lines("CT") if line["result"] == "taken"]
    assert [line["check"] for line in taken] == [
        f"its SeriesInstanceUID holds several parts: this is {name}"
    ]


@pytest.mark.parametrize(
    "name", ["acquisition 1", "AcquisitionNumber=1", "thin AcquisitionNumber = 1.0"]
)
def test_a_table_may_name_the_phase(folder, name):
    two_parts(folder, {"AcquisitionNumber": 1}, {"AcquisitionNumber": 2})
    write_small_mask(folder.dicom / NAME)
    row = {"patient_id": "4711", "level": "L1", "reader": "A", "image": "ct", "mask": NAME}
    table = folder.dicom / "cases.csv"
    pd.DataFrame([row | {"series": name}]).to_csv(table, index=False)
    folder.command("--cases", table, "--out", folder.out, "--linkage", folder.linkage)
    (made,) = pd.read_csv(folder.out / "cases.csv", dtype=str).to_dict("records")
    assert len(list((folder.out / made["image"]).iterdir())) == 5


def test_two_thicknesses_of_one_acquisition_are_told_apart_by_the_grid(folder):
    """Thick slices below, thin ones above, as of a sequential scan of the head and neck."""
    two_parts(folder, {"SliceThickness": 5}, {"SliceThickness": 2.5}, lift=20.0)
    write_small_mask(folder.dicom / NAME, lift=20.0)
    (row,) = folder.run()
    assert len(list((folder.out / row["image"]).iterdir())) == 5
    told = [line["check"] for line in folder.lines("CT") if line["result"] == "taken"]
    assert "this is 2.5 mm thick" in told[0]


def test_slices_with_a_uid_and_a_number_each_are_put_together_by_their_place(folder):
    def own(index: int, tags: dict) -> None:
        tags |= {"SeriesInstanceUID": uid("own", index), "SeriesNumber": 10 + index}

    write_small(folder.dicom / "x", "4711", mask=NAME, change=own, files=f"{{0}}{'/'}IM{{0}}.dcm",
                StudyInstanceUID=uid("s"), FrameOfReferenceUID=uid("frame"))  # fmt: skip
    (row,) = folder.run()
    assert len(list((folder.out / row["image"]).iterdir())) == 5
    assert "had 5 SeriesInstanceUIDs" in folder.checks()
