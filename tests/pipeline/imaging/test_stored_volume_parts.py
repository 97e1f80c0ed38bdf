"""A stored volume that is read in parts is the volume, as far as it was asked for."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from pipeline.imaging.geometry import Geometry
from pipeline.imaging.stored_volumes import StoredVolume, read_nrrd, write_nrrd


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("kind", ["uint8", "int16", "float64"])
def test_parts_are_those_of_the_volume(tmp_path, kind, compressed):
    # Larger than what is unpacked at a time.
    voxels = np.random.default_rng(3).integers(0, 100, (40, 130, 240)).astype(kind)
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing((0.7, 0.8, 2.5))
    image.SetOrigin((-3.1, 4.7, 100.3))
    path = tmp_path / "ct.nrrd"
    write_nrrd(image, path, compressed=compressed)
    volume = StoredVolume(path)
    assert volume.geometry == Geometry.of(image)
    for start, stop in ((2, 3), (0, 1), (9, 17), (9, 17), (4, 11), (39, 39), (30, 39)):
        part = volume.slices(start, stop)
        assert part.shape == voxels.shape
        np.testing.assert_array_equal(part[start:stop], voxels[start:stop])
    for whole in (volume.slices(0, 1000), volume.slices(), StoredVolume(path).slices()):
        assert whole.dtype == kind
        np.testing.assert_array_equal(whole, voxels)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read_nrrd(path)), voxels)


def test_of_voxels_as_they_are_only_the_slices_asked_for_are_read(tmp_path):
    voxels = np.arange(6 * 8 * 4, dtype="int16").reshape(6, 8, 4)
    path = tmp_path / "ct.nrrd"
    write_nrrd(sitk.GetImageFromArray(voxels), path, compressed=False)
    volume = StoredVolume(path)
    content = path.read_bytes()
    # What is not asked for need not be there.
    path.write_bytes(content[: -3 * voxels[0].nbytes])
    np.testing.assert_array_equal(volume.slices(1, 3)[1:3], voxels[1:3])
    with pytest.raises(EOFError, match="ends before its voxels"):
        volume.slices(1, 5)


@pytest.mark.parametrize("compressed", [True, False])
def test_a_volume_cut_short_is_no_volume(tmp_path, compressed):
    voxels = np.random.default_rng(3).integers(0, 100, (4, 13, 24)).astype("int16")
    write_nrrd(sitk.GetImageFromArray(voxels), tmp_path / "ct.nrrd", compressed=compressed)
    content = (tmp_path / "ct.nrrd").read_bytes()
    (tmp_path / "ct.nrrd").write_bytes(content[:-200])
    with pytest.raises(EOFError, match="ends before its voxels"):
        StoredVolume(tmp_path / "ct.nrrd").slices()
