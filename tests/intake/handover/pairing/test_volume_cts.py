"""CTs in NIfTI without a table, in the layouts of the field and in folders of a hospital."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from intake.handover.pairing.volume_cts import patients_of
from tests.intake.test_register_patients import Folder
from tests.support.hospital import SMALL, write_small, write_small_mask


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def write_ct(path: Path, lift: float = 0.0) -> None:
    """Write a CT on the grid of `write_small_mask`, with air."""
    write_small_mask(path, lift=lift)
    mask = sitk.ReadImage(str(path))
    ct = sitk.GetImageFromArray(np.random.default_rng(1).integers(-900, 900, SMALL).astype("i2"))
    ct.CopyInformation(mask)
    sitk.WriteImage(ct, str(path))


def test_the_layout_of_totalsegmentator(folder):
    for number in (1, 2):
        one = folder.dicom / f"s000{number}"
        write_ct(one / "ct.nii.gz")
        write_small_mask(one / "segmentations" / "vertebrae_L1.nii.gz")
        write_small_mask(one / "segmentations" / "vertebrae_L2.nii.gz", value=0)
        write_small_mask(one / "segmentations" / "liver.nii.gz")
    rows = folder.run()
    assert [row["level"] for row in rows] == ["L1", "L1"]
    assert len(folder.patients()) == 2
    assert {line["check"] for line in folder.lines()} == {""}
    assert folder.checks().count("a structure of TotalSegmentator that is no vertebra") == 2
    assert folder.checks().count("that the CT does not show") == 2


def test_the_layout_of_verse(folder):
    for number in (1, 2):
        name = f"sub-verse00{number}"
        write_ct(folder.dicom / "rawdata" / name / f"{name}_ct.nii.gz")
        write_small_mask(
            folder.dicom / "derivatives" / name / f"{name}_seg-vert_msk.nii.gz", value=20
        )
    rows = folder.run()
    assert [row["level"] for row in rows] == ["L1", "L1"]
    assert len(folder.patients()) == 2


def test_flat_folders_of_images_and_masks(folder):
    folder.dicom = folder.root / "images"
    folder.masks = folder.root / "labels"
    for number in (1, 2):
        write_ct(folder.dicom / f"PAT00{number}_0000.nii.gz", lift=30 * number)
        write_small_mask(folder.masks / f"PAT00{number}_L1_rA.nii.gz", lift=30 * number)
    folder.run()
    assert len(folder.patients()) == 2


def test_a_volume_beside_dicom_is_no_second_patient(folder):
    write_small(folder.dicom / "x", "4711", mask="4711_L1_rA.nrrd")
    write_ct(folder.dicom / "y" / "ct.nii.gz")
    folder.run()
    assert len(folder.patients()) == 1


@pytest.mark.parametrize(
    ("paths", "count"),
    [
        (["p1/thin.nii", "p1/thick.nii", "p2/thin.nii", "p2/thick.nii"], 2),
        (["siteA/PAT1_ct.nii", "siteA/PAT2_ct.nii", "siteB/PAT3_ct.nii"], 3),
        (["p1/ct/bone.nii", "p2/ct/bone.nii"], 2),
        (["imagesTr/spine_001_0000.nii.gz", "imagesTr/spine_002_0000.nii.gz"], 2),
        (["sub-a1/ses-1/sub-a1_ct.nii", "sub-a1/ses-2/sub-a1_ct.nii"], 1),
        (["only/scan.nii"], 1),
    ],
)
def test_whose_a_ct_is(paths, count):
    root = Path("/root")
    found = patients_of([root / path for path in paths], root)
    assert len(set(found.values())) == count
