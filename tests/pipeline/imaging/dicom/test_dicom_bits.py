"""One wrong bit anywhere in the header of a slice: refused by name, or the CT is what it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.errors import CaseError
from pipeline.imaging.geometry import Geometry
from pipeline.imaging.read_ct import Ct, read_ct
from pipeline.imaging.sources import source_files
from tests.support.dicom_files import CANARY, write_slice

SLICES, PLACE = 5, 2
#: What one bit can move a voxel by, in mm, below the distance of slices that may be rounding.
ROUNDING_MM = 0.012


def write(folder: Path, explicit: bool) -> Path:
    """Write a small series without the attributes that this project never reads."""
    rng = np.random.default_rng(2)
    for index in range(SLICES):
        stored = rng.integers(-100, 1500, (6, 6)).astype(np.int16)
        write_slice(
            folder / f"IM{index:04d}.dcm", stored, (-20.0, -10.0, 33 + 2.5 * index),
            InstanceNumber=index + 1, ImageComments=None, StudyDescription=None, StudyID=None,
            BitsStored=16, HighBit=15,
        )  # fmt: skip
    if not explicit:
        for path in source_files(folder):
            one = pydicom.dcmread(path)
            one.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
            one.save_as(path, implicit_vr=True, little_endian=True)
    return sorted(source_files(folder))[PLACE]


def judge(folder: Path, good: Ct) -> str:
    """Return ``refused``, ``same`` or ``told`` (with a warning), or fail."""
    try:
        ct = read_ct(folder)
    except CaseError as error:
        text = str(error)
        assert "\n" not in text
        assert CANARY not in text
        assert str(folder) not in text
        if error.rule == "Every DICOM file in the folder must be readable":
            assert f"IM{PLACE:04d}.dcm, file {PLACE + 1} of {SLICES}" in text
        return "refused"
    if ct.findings:
        return "told"
    assert ct.image.GetSize() == good.image.GetSize()
    assert ct.image.GetPixelID() == good.image.GetPixelID()
    np.testing.assert_array_equal(voxels(ct), voxels(good))
    moved = np.abs(Geometry.of(ct.image).affine - Geometry.of(good.image).affine)
    assert (moved[:3] @ [*np.subtract(good.image.GetSize(), 1), 1]).max() < ROUNDING_MM
    return "same"


def voxels(ct: Ct) -> np.ndarray:
    return sitk.GetArrayFromImage(ct.image)


def flip_all(folder: Path, explicit: bool, step: int) -> dict[str, int]:
    """Flip every `step`-th bit of a slice's header, one at a time; count what became of them."""
    path = write(folder, explicit)
    good = read_ct(folder)
    assert good.findings == []
    content = path.read_bytes()
    header = len(content) - 6 * 6 * 2
    seen = dict.fromkeys(("refused", "told", "same"), 0)
    for bit in range(128 * 8, header * 8, step):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        seen[judge(folder, good)] += 1
    return seen


@pytest.mark.parametrize("explicit", [True, False])
def test_some_bits(tmp_path, explicit):
    seen = flip_all(tmp_path, explicit, 37)
    assert min(seen["refused"], seen["same"]) > 20


def test_a_wrong_letter_of_the_pixels_representation_does_not_move_them(tmp_path):
    path = write(tmp_path, explicit=True)
    good = read_ct(tmp_path)
    content = path.read_bytes()
    assert content.count(b"\xe0\x7f\x10\0OW") == 1
    path.write_bytes(content.replace(b"\xe0\x7f\x10\0OW", b"\xe0\x7f\x10\0_W"))
    assert judge(tmp_path, good) == "refused"


@pytest.mark.slow
@pytest.mark.parametrize("explicit", [True, False])
def test_every_bit(tmp_path, explicit):
    seen = flip_all(tmp_path, explicit, 1)
    assert min(seen["refused"], seen["same"]) > 100
    assert seen["told"] > 10


@settings(max_examples=60)
@given(data=st.data())
def test_a_header_that_breaks_off_or_is_overwritten(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bits")
    path = write(folder, data.draw(st.booleans()))
    good = read_ct(folder)
    content = bytearray(path.read_bytes())
    start = data.draw(st.integers(128, len(content) - 80))
    if data.draw(st.booleans()):
        content = content[:start]
    else:
        content[start : start + 4] = data.draw(st.binary(min_size=4, max_size=4))
    path.write_bytes(content)
    judge(folder, good)
