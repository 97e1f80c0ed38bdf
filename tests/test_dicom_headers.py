"""What of a file's start is enough, and what is damage: no slice is left out without a word."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from pipeline.core.errors import CaseError
from pipeline.core.sources import source_files
from pipeline.dicom_headers import digest_of, read_headers
from tests.dicom_files import load, write_series


def test_files_without_preamble_are_read(tmp_path):
    """Old archives left out the first 132 bytes, or all of the file's own header."""
    stored = write_series(tmp_path)
    for number, path in enumerate(source_files(tmp_path)):
        content = path.read_bytes()
        if number % 2:
            path.write_bytes(content[132:])
        else:
            one = pydicom.dcmread(path)
            one.file_meta.clear()
            pydicom.dcmwrite(path, one, implicit_vr=True, little_endian=True, force_encoding=True)
            path.write_bytes(path.read_bytes().removeprefix(b"\0" * 128 + b"DICM"))
    volume, _ = load(tmp_path)
    np.testing.assert_array_equal(volume.voxels, stored - 1024)
    for path in source_files(tmp_path):
        read = sitk.GetArrayFromImage(sitk.ReadImage(str(path), imageIO="GDCMImageIO"))
        assert (volume.voxels == read).all(axis=(1, 2)).any()


@pytest.mark.parametrize("letter", range(4))
def test_a_file_whose_letters_are_wrong_is_not_left_out(tmp_path, letter):
    write_series(tmp_path)
    path = source_files(tmp_path)[0]
    content = bytearray(path.read_bytes())
    content[128 + letter] ^= 0x04
    path.write_bytes(content)
    with pytest.raises(CaseError, match="letters DICM are wrong"):
        read_headers([path])


@pytest.mark.parametrize("content", [b"", b"\0" * 128, b"\0" * 50])
def test_a_file_of_nothing_is_damage(tmp_path, content):
    (tmp_path / "one").write_bytes(content)
    with pytest.raises(CaseError, match="an empty file"):
        read_headers([tmp_path / "one"])


@pytest.mark.parametrize("content", [b"a text", b"\x89PNG\r\n\x1a\n" + b"\0" * 300, b"\0" * 999])
def test_other_files_are_left_out(tmp_path, content):
    (tmp_path / "one").write_bytes(content)
    assert read_headers([tmp_path / "one"]) == []


def test_blanks_and_case_of_a_description_do_not_count():
    assert digest_of(" Spine  1.0 BONE") == digest_of("spine 1.0 bone")
    assert digest_of("") != digest_of("spine")
