"""Packed volumes whose numbers were unpacked once are what ITK reads of them; others ITK reads."""

from __future__ import annotations

import gzip
import struct
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from pipeline.imaging import volumes
from pipeline.imaging.geometry import Geometry
from pipeline.imaging.nifti_headers import check_nifti_header
from pipeline.imaging.volume_headers import check_nrrd_header
from pipeline.imaging.volumes import read_stored

KINDS = ["int8", "uint8", "int16", "uint16", "int32", "uint32"]
DIRECTION = (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0)


def volume(kind: str) -> sitk.Image:
    limits = np.iinfo(kind) if np.dtype(kind).kind in "iu" else np.iinfo("int16")
    voxels = np.random.default_rng(1).integers(limits.min, limits.max, (4, 5, 6), np.int64)
    image = sitk.GetImageFromArray(voxels.astype(kind))
    image.SetSpacing((0.7, 0.9, 2.5))
    image.SetOrigin((-10.1, 7.3, 33.0))
    image.SetDirection(DIRECTION)
    return image


def assert_as_itk_reads(path: Path, *, unpacked: bool) -> None:
    check = check_nrrd_header if path.suffix == ".nrrd" else check_nifti_header
    assert (volumes._of_unpacked(path, check(path)[2]) is not None) == unpacked
    image, _, stored = read_stored(path)
    expected = sitk.ReadImage(str(path))
    assert stored.unpacked is None
    assert image.GetPixelID() == expected.GetPixelID()
    assert Geometry.of(image) == Geometry.of(expected)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(expected))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["a.nii.gz", "a.nrrd"])
def test_whole_numbers_are_taken_as_they_were_unpacked(tmp_path, name, kind):
    sitk.WriteImage(volume(kind), tmp_path / name, useCompression=True)
    assert_as_itk_reads(tmp_path / name, unpacked=True)


@pytest.mark.parametrize("name", ["a.nii", "a.nrrd"])
def test_what_is_not_packed_is_read_by_itk(tmp_path, name):
    sitk.WriteImage(volume("int16"), tmp_path / name, useCompression=False)
    assert_as_itk_reads(tmp_path / name, unpacked=False)


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("name", ["a.nii.gz", "a.nrrd"])
def test_other_numbers_are_read_by_itk(tmp_path, name, kind):
    sitk.WriteImage(volume(kind), tmp_path / name, useCompression=True)
    assert_as_itk_reads(tmp_path / name, unpacked=False)


def test_rescaled_and_big_endian_numbers_are_read_by_itk(tmp_path):
    path = tmp_path / "scaled.nii.gz"
    sitk.WriteImage(volume("int16"), path, useCompression=True)
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[112:116] = struct.pack("<f", 2.0)  # scl_slope
    path.write_bytes(gzip.compress(content))
    assert_as_itk_reads(path, unpacked=False)
    voxels = sitk.GetArrayFromImage(volume("int16")).T
    header = nibabel.Nifti1Header(endianness=">")
    image = nibabel.Nifti1Image(voxels, np.diag([-0.7, -0.9, 2.5, 1]), header, dtype=np.int16)
    nibabel.save(image, tmp_path / "big.nii.gz")
    assert_as_itk_reads(tmp_path / "big.nii.gz", unpacked=False)
    path = tmp_path / "big.nrrd"
    sitk.WriteImage(volume("int16"), path, useCompression=True)
    content = path.read_bytes()
    assert b"endian: little" in content
    path.write_bytes(content.replace(b"endian: little", b"endian: big"))
    assert_as_itk_reads(path, unpacked=False)


def test_a_nifti_is_read_without_what_reads_dicom(tmp_path):
    sitk.WriteImage(volume("int16"), tmp_path / "ct.nii.gz")
    program = """
import sys
from pipeline.imaging.read_ct import read_ct
read_ct("ct.nii.gz")
assert "nibabel" in sys.modules and "pydicom" not in sys.modules
import pydicom  # as ever afterwards
"""
    run = [sys.executable, "-c", program]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
