"""A stored volume that is unpacked in parts is the volume, as far as it was asked for."""

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
    for stop in (3, 1, 17, 17, 39):
        part = volume.until(stop)
        assert part.shape == voxels.shape
        np.testing.assert_array_equal(part[:stop], voxels[:stop])
    for whole in (volume.until(1000), volume.until(), StoredVolume(path).until()):
        assert whole.dtype == kind
        np.testing.assert_array_equal(whole, voxels)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read_nrrd(path)), voxels)


def test_a_volume_cut_short_is_no_volume(tmp_path):
    voxels = np.random.default_rng(3).integers(0, 100, (4, 13, 24)).astype("int16")
    write_nrrd(sitk.GetImageFromArray(voxels), tmp_path / "ct.nrrd")
    content = (tmp_path / "ct.nrrd").read_bytes()
    (tmp_path / "ct.nrrd").write_bytes(content[:-200])
    with pytest.raises(EOFError, match="ends before its voxels"):
        StoredVolume(tmp_path / "ct.nrrd").until()
