"""What of a file's start is enough, and what is damage: no slice is left out without a word."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from intake.identity.containers import pieces_of
from pipeline.core.errors import CaseError
from pipeline.imaging.dicom.dicom_headers import digest_of, read_headers
from pipeline.imaging.dicom.dicom_start import has_mark, is_bare, start_of
from pipeline.imaging.sources import source_files
from segmentation.formats.dicom_files import is_dicom, read_dicom
from tests.support.dicom_files import CANARY, edit, load, write_series
from tests.support.refusals import refusal


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
    with refusal("dicom-unreadable", CaseError, match="letters DICM are wrong"):
        read_headers([path])


@pytest.mark.parametrize("content", [b"", b"\0" * 128, b"\0" * 50])
def test_a_file_of_nothing_is_damage(tmp_path, content):
    (tmp_path / "one").write_bytes(content)
    with refusal("dicom-unreadable", CaseError, match="an empty file"):
        read_headers([tmp_path / "one"])


@pytest.mark.parametrize("content", [b"a text", b"\x89PNG\r\n\x1a\n" + b"\0" * 300, b"\0" * 999])
def test_other_files_are_left_out(tmp_path, content):
    (tmp_path / "one").write_bytes(content)
    assert read_headers([tmp_path / "one"]) == []


def test_blanks_and_case_of_a_description_do_not_count():
    assert digest_of(" Spine  1.0 BONE") == digest_of("spine 1.0 bone")
    assert digest_of("") != digest_of("spine")


# --- files without preamble ----------------------------------------------------------------------


def bare(path: Path, *, implicit: bool, little: bool = True, drop: tuple[str, ...] = ()) -> None:
    """Write a slice's file anew without preamble and meta information."""
    one = pydicom.dcmread(path)
    plain = pydicom.Dataset()
    plain.update({e.tag: e for e in one if e.keyword not in drop})
    if not little:
        plain.PixelData = np.frombuffer(one.PixelData, "<i2").astype(">i2").tobytes()
    pydicom.dcmwrite(
        path, plain, implicit_vr=implicit, little_endian=little, enforce_file_format=False
    )


@pytest.mark.parametrize("drop", [(), ("ImageType",), ("ImageType", "SOPClassUID")])
@pytest.mark.parametrize("form", ["implicit", "explicit", "big endian"])
def test_a_series_without_preamble_is_read(tmp_path, form, drop):
    stored = write_series(tmp_path)
    expected, _ = load(tmp_path)
    for path in source_files(tmp_path):
        bare(path, implicit=form == "implicit", little=form != "big endian", drop=drop)
        start = path.read_bytes()[:140]
        assert is_bare(start)
        assert not has_mark(start)
    volume, _ = load(tmp_path)
    np.testing.assert_array_equal(volume.voxels, expected.voxels)
    np.testing.assert_array_equal(volume.voxels, stored - 1024)


@pytest.mark.parametrize("first", [0x00090010, 0x00100010, 0x00180050, 0x0020000D, 0x00280002])
@pytest.mark.parametrize("form", ["implicit", "explicit", "big endian"])
def test_a_file_without_preamble_is_dicom_whatever_its_first_element(tmp_path, form, first):
    one = pydicom.dcmread(pydicom.examples.get_path("ct"))
    one.private_block(0x0009, "MADE UP", create=True).add_new(1, "LO", "x")
    plain = pydicom.Dataset()
    plain.update({e.tag: e for e in one if e.tag >= first})
    path, little = tmp_path / "x", form != "big endian"
    implicit = form == "implicit"
    pydicom.dcmwrite(
        path, plain, implicit_vr=implicit, little_endian=little, enforce_file_format=False
    )
    assert is_bare(start_of(path))
    assert is_dicom(path)
    again = read_dicom(path)
    assert again.Rows == one.Rows
    assert again.original_encoding == (implicit, little)
    assert any(piece.chain == ("DICOM", "header") for piece in pieces_of(path))


@pytest.mark.parametrize(
    "start",
    [b"\x10\0\x10\0PN\x04\0ab^c then a text", b"\x10\0\x10\0" + bytes(100), b"\x20\0\x0d\0UI",
     b"\x28\0\x02\0US\x02\0\x01\0\x28\0\x02\0US\x02\0\x01\0" + bytes(20), b"",
     b"\x08", b"Patient", b"%PDF-1.7 and more", b"NRRD0005\n", b"\x89PNG\r\n\x1a\n",
     b"\0" * 140, b"\x08\0\0\0\xff\xff\xff\x7f", b"\x5c\x01\0\0" + bytes(200), b"\0\x08\0\x16ab"],
)  # fmt: skip
def test_other_files_do_not_begin_like_dicom(start):
    assert not is_bare(start)


# --- what a header does not state is not made up --------------------------------------------------


@pytest.mark.parametrize(
    ("attributes", "code", "message"),
    [
        ({"SamplesPerPixel": None}, "ct-not-monochrome", ""),
        ({"SamplesPerPixel": 0}, "ct-not-monochrome", ""),
        ({"PixelRepresentation": None}, "pixel-sign-missing", ""),
        ({"PixelRepresentation": 2}, "pixel-sign-missing", ""),
        ({"NumberOfFrames": 0}, "ct-file-without-frame", ""),
        ({"RescaleSlope": "1e30"}, "rescaled-values-too-large", "Found: slope 1e.30 and"),
        ({"RescaleIntercept": "-9e19"}, "rescaled-values-too-large", "Found: slope 1 and"),
        ({"LossyImageCompression": "1"}, "ct-compressed-with-loss", ""),
        ({"LossyImageCompressionRatio": "12.5"}, "ct-compressed-with-loss", ""),
    ],
)
def test_what_is_not_stated_is_not_made_up(tmp_path, attributes, code, message):
    write_series(tmp_path, **attributes)
    with refusal(code, CaseError, match=message):
        load(tmp_path)


@pytest.mark.parametrize("stated", ["00", "0", "", "NO"])
def test_no_loss_is_no_loss(tmp_path, stated):
    write_series(tmp_path, LossyImageCompression=stated)
    load(tmp_path)


def test_thickness_that_only_some_slices_state_is_named(tmp_path):
    write_series(tmp_path)
    edit(tmp_path, 3, SliceThickness=None)
    with refusal(
        "slices-differ", CaseError, match=r"same slice thickness\. Found: 5 mm, none stated"
    ):
        load(tmp_path)


def test_slices_that_name_no_series_are_parted_by_their_numbers(tmp_path):
    write_series(tmp_path / "a", SeriesInstanceUID=None, SeriesNumber=2)
    assert load(tmp_path)[1] == []
    write_series(tmp_path / "b", SeriesInstanceUID=None, SeriesNumber=3)
    with refusal("series-ambiguous", CaseError):
        load(tmp_path)


def test_a_sign_that_differs_is_a_warning(tmp_path):
    write_series(tmp_path)
    edit(tmp_path, 3, PixelRepresentation=0)
    volume, _ = load(tmp_path)
    assert [one.code for one in volume.findings] == ["sign-differs"]


# --- a file is named by what identifies nobody ----------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("IM0003.dcm", "in IM0003.dcm, file 2 of 3 in the order of their names"),
        ("I00003", "in I00003, file 2 of 3 in the order of their names"),
        (f"{CANARY}.dcm", "damaged values (X), in file 2 of 3 in the order of their names"),
        ("Canary0003.dcm", "in file 2 of 3 in the order of their names"),
        ("12345678.dcm", "in file 2 of 3 in the order of their names"),
    ],
)
def test_a_damaged_file_is_named_by_its_place(tmp_path, name, shown):
    write_series(tmp_path, slices=3)
    files = source_files(tmp_path)
    for old, new in zip(files, ("A", name, "z"), strict=True):
        old.rename(tmp_path / new)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:300])
    with refusal("dicom-unreadable", CaseError) as caught:
        read_headers([tmp_path / part for part in ("A", name, "z")])
    assert shown.replace("damaged values (X), ", "") in str(caught.value)
    assert CANARY not in str(caught.value)


def test_a_fault_of_the_machine_is_no_damage(tmp_path, monkeypatch):
    write_series(tmp_path)

    def raising(error):
        def read(*_, **__):
            raise error

        monkeypatch.setattr(pydicom, "dcmread", read)

    for error in (MemoryError(), OSError(5, "Input/output error"), OSError(28, "No space left")):
        raising(error)
        with pytest.raises(type(error)) as told:
            read_headers(source_files(tmp_path))
        assert told.value is error
    raising(KeyError("x"))
    with refusal("dicom-unreadable", CaseError):
        read_headers(source_files(tmp_path))
