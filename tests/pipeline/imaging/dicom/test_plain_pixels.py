"""Pixels that are read where the header ends are those that pydicom decodes; others go its way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import ImplicitVRLittleEndian

from pipeline.imaging.dicom import dicom_decode
from pipeline.imaging.dicom.dicom_headers import read_headers
from pipeline.imaging.dicom.dicom_values import value_of
from tests.support.dicom_files import write_slice


def written(path: Path, kind: str, implicit: bool = False, **attributes) -> Path:
    """Write a slice whose values fill all 16 bits, whatever its header says of them."""
    stored = np.random.default_rng(4).integers(0, 1 << 16, (7, 5)).astype("<u2").view(kind)
    write_slice(path, stored, (0.0, 0.0, 1.0), **attributes)
    if implicit:
        one = pydicom.dcmread(path)
        one.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        one.save_as(path, implicit_vr=True, little_endian=True)
    return path


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("kind", ["<i2", "<u2"])
@pytest.mark.parametrize("bits", [12, 16])
def test_plain_pixels_are_those_that_pydicom_decodes(tmp_path, kind, bits, implicit):
    path = written(tmp_path / "1.dcm", kind, implicit, BitsStored=bits, HighBit=bits - 1)
    (one,) = read_headers([path])
    plain = dicom_decode._plain_values(one)
    decoded = pydicom.pixels.pixel_array(path, raw=True)
    assert plain.dtype == decoded.dtype
    np.testing.assert_array_equal(plain, decoded)
    np.testing.assert_array_equal(next(dicom_decode.stored_values([one])), decoded)


def test_what_follows_or_precedes_pixels_is_left_to_pydicom(tmp_path):
    path = written(tmp_path / "1.dcm", "<i2")
    (one,) = read_headers([path])
    content = path.read_bytes()
    head = content.rindex(b"\xe0\x7f\x10\0OW")
    for changed in (
        content + b"\xfc\xff\xfc\xffOB\0\0\2\0\0\0\0\0",  # padding behind the pixels
        content[:-2],
        content[: head + 4] + b"OB" + content[head + 6 :],
        content[:head] + b"\0\0" + content[head:-2],
    ):
        path.write_bytes(changed)
        assert dicom_decode._plain_values(one) is None
    path.write_bytes(content)
    assert dicom_decode._plain_values(one) is not None


def test_values_are_those_of_the_own_header_whatever_was_read_before(tmp_path):
    first = pydicom.dcmread(written(tmp_path / "1.dcm", "<i2"))
    second = pydicom.dcmread(written(tmp_path / "2.dcm", "<i2", KVP=80))
    again = pydicom.dcmread(tmp_path / "1.dcm")
    for header in (first, second, again):
        for keyword in ("KVP", "Manufacturer", "ImageType", "PixelSpacing", "TriggerTime"):
            assert value_of(header, keyword) == header.get(keyword)
    assert (value_of(first, "KVP"), value_of(second, "KVP")) == (120, 80)
