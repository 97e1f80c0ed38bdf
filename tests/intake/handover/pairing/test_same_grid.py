"""Masks on a grid that several patients share: the voxels tell whose they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from intake.handover.pairing.same_grid import sharpness
from tests.intake.test_register_patients import Folder
from tests.support.dicom_files import uid, write_slice
from tests.support.hospital import write_small, write_small_mask

SHAPE = (6, 40, 40)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def write_bone(folder: Path, patient: str, y: int) -> None:
    """Write a CT in which a bone of 12 x 12 voxels begins at row `y`, all on one grid."""
    rng = np.random.default_rng(y)
    for index in range(SHAPE[0]):
        stored = rng.normal(1064, 15, SHAPE[1:])
        stored[y : y + 12, 10:22] += 250
        write_slice(
            folder / f"{index}.dcm", np.rint(stored).astype(np.int16), (0, 0, 2.5 * index),
            PatientID=patient, PatientName=f"{patient}^X", StudyInstanceUID=uid(patient, "study"),
            SeriesInstanceUID=uid(patient), SOPInstanceUID=uid(patient, index), InstitutionName="",
            AccessionNumber="", StudyID="", SeriesDescription="", InstanceNumber=index,
        )  # fmt: skip


def write_bone_mask(path: Path, y: int) -> None:
    drawn = np.zeros(SHAPE, np.uint8)
    drawn[1:5, y : y + 12, 10:22] = 1
    image = sitk.GetImageFromArray(drawn)
    image.SetSpacing((0.75, 0.5, 2.5))
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path), useCompression=True)


def test_swapped_ids_on_one_grid_are_a_question_and_right_ones_are_not(folder):
    for number, y in enumerate((6, 10, 20)):
        write_bone(folder.dicom / f"ct{number}", f"470{number}", y)
    write_bone_mask(folder.dicom / "m" / "4700_L1_rA.nrrd", 10)  # of 4701
    write_bone_mask(folder.dicom / "m" / "4701_L1_rA.nrrd", 6)  # of 4700
    write_bone_mask(folder.dicom / "m" / "4702_L1_rA.nrrd", 20)
    folder.run()
    told = {Path(line["file"]).name[:4]: line["check"] for line in folder.lines()}
    assert "is it of this patient?" in told["4700"]
    assert "is it of this patient?" in told["4701"]
    assert told["4702"] == ""


def test_noise_is_no_edge(folder):
    write_small(folder.dicom / "x", "4711", mask="4711_L1_rA.nrrd")
    write_small(folder.dicom / "y", "4712", level=None)
    write_small_mask(folder.dicom / "y" / "4712_L1_rA.nrrd")
    folder.run()
    assert [line["check"] for line in folder.lines()] == ["", ""]
    flat = np.zeros((20, 20))
    drawn = np.zeros((20, 20), bool)
    drawn[5:15, 5:15] = True
    assert sharpness(flat, drawn) == (0, 0)
    assert sharpness(np.where(drawn, 200.0, 0.0), drawn) == pytest.approx((200, 0))
    assert sharpness(flat, drawn & False) is None
