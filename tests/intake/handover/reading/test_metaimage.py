"""Masks in MetaImage files: read as ITK reads them; what is cut short, or no volume, is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from intake.handover.reading.metaimage import as_nrrd
from pipeline.core.errors import CaseError
from segmentation.formats.mask_files import read_mask_file
from tests.intake.test_register_patients import Folder
from tests.support.hospital import write_small, write_small_mask
from tests.support.refusals import refusal


def written(path: Path, *, packed: bool, kind: int = sitk.sitkUInt8) -> sitk.Image:
    drawn = np.zeros((5, 8, 10), np.uint8)
    drawn[1:4, 2:6, 3:5] = 1
    drawn[2, 3, 4] = 7
    image = sitk.Cast(sitk.GetImageFromArray(drawn), kind)
    image.SetSpacing((0.75, 0.5, 2.5))
    image.SetOrigin((-90.5, 12.25, 33.0))
    cos, sin = np.cos(0.2), np.sin(0.2)
    image.SetDirection((cos, -sin, 0, sin, cos, 0, 0, 0, 1))
    sitk.WriteImage(image, str(path), useCompression=packed)
    return image


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "kind", [sitk.sitkUInt8, sitk.sitkInt16, sitk.sitkUInt32, sitk.sitkFloat32]
)
def test_a_metaimage_is_read_as_itk_reads_it(tmp_path, packed, kind):
    image = written(tmp_path / "x.mha", packed=packed, kind=kind)
    with as_nrrd(tmp_path / "x.mha") as copy:
        again = sitk.ReadImage(str(copy))
        mask = read_mask_file(copy)
    assert (sitk.GetArrayFromImage(again) == sitk.GetArrayFromImage(image)).all()
    assert again.GetSize() == image.GetSize()
    for told in ("GetSpacing", "GetOrigin", "GetDirection"):
        np.testing.assert_allclose(getattr(again, told)(), getattr(image, told)(), atol=1e-12)
    assert [one.value for one in mask.segments] == [1, 7]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("cut", [1, 40])
def test_a_metaimage_that_is_cut_short_is_refused(tmp_path, packed, cut):
    path = tmp_path / "x.mha"
    written(path, packed=packed)
    path.write_bytes(path.read_bytes()[:-cut])
    with refusal("metaimage-unreadable", CaseError), as_nrrd(path):
        pass


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"NDims = 3", b"NDims = 2"), (b"= LOCAL", b"= x.raw"), (b"MET_UCHAR", b"MET_OTHER"),
     (b"ElementSpacing = 0.75", b"ElementSpacing = x")],
)  # fmt: skip
def test_what_is_no_volume_of_one_value_a_voxel_is_refused(tmp_path, old, new):
    path = tmp_path / "x.mha"
    written(path, packed=False)
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    with refusal("metaimage-unreadable", CaseError), as_nrrd(path):
        pass


def test_a_mask_as_metaimage_is_registered_and_other_formats_are_named(tmp_path):
    folder = Folder(tmp_path)
    write_small(folder.dicom / "x", "4711", level=None)
    masks = folder.dicom / "x"
    write_small_mask(masks / "4711_L1_rA.mha")
    (masks / "4711_L1_rB.stl").write_text("solid L1")
    folder.run()
    (copy,) = (folder.out / "masks").iterdir()
    assert copy.name.endswith("-L1_A.nrrd")
    original, stored = (sitk.ReadImage(str(one)) for one in (masks / "4711_L1_rA.mha", copy))
    assert (sitk.GetArrayFromImage(original) == sitk.GetArrayFromImage(stored)).all()
    assert "NOT MATCHED" in folder.checks()
    assert "found: .stl" in folder.checks()
