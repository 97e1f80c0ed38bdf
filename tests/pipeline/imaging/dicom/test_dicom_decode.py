"""Every way of writing pixels is decoded as the reference reader decodes it, or refused by name."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.encaps import generate_frames
from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from pipeline.core.errors import CaseError
from pipeline.imaging.ct_options import CtOptions
from pipeline.imaging.dicom import dicom_decode
from pipeline.imaging.dicom.dicom_decode import check_pixels, stored_values, syntax_name
from pipeline.imaging.dicom.dicom_headers import Slice, read_headers
from pipeline.imaging.dicom.dicom_streams import check_coded
from pipeline.imaging.sources import source_files
from tests.support.dicom_files import assert_as_itk_reads, itk_series, load, write_series
from tests.support.refusals import refusal


def encode(folder: Path, syntax: str) -> None:
    """Write the slices of `folder` again in another transfer syntax."""
    for path in source_files(folder):
        one = pydicom.dcmread(path)
        if syntax in (RLELossless, JPEGLSLossless, JPEG2000Lossless):
            one.compress(syntax, generate_instance_uid=False)
        elif syntax == JPEGLSNearLossless:
            one.compress(syntax, jls_error=5, generate_instance_uid=False)
        elif syntax == JPEG2000:
            one.compress(syntax, j2k_cr=[5], generate_instance_uid=False)
        elif syntax == JPEGLosslessSV1:
            one.PixelData = pydicom.encaps.encapsulate([jpeg_lossless(one.pixel_array, path)])
            one["PixelData"].VR = "OB"
            one["PixelData"].is_undefined_length = True
        elif syntax == ExplicitVRBigEndian:
            one.PixelData = one.pixel_array.astype(
                one.pixel_array.dtype.newbyteorder(">")
            ).tobytes()
        one.file_meta.TransferSyntaxUID = syntax
        big = syntax == ExplicitVRBigEndian
        pydicom.dcmwrite(
            path,
            one,
            implicit_vr=syntax == ImplicitVRLittleEndian,
            little_endian=not big,
            force_encoding=True,
        )


def jpeg_lossless(stored: np.ndarray, path: Path) -> bytes:
    """Return the JPEG stream (process 14, selection value 1) that GDCM makes of a slice."""
    writer = sitk.ImageFileWriter()
    beside = path.with_name(".jpeg")
    writer.SetFileName(str(beside))
    writer.SetImageIO("GDCMImageIO")
    writer.SetUseCompression(True)
    writer.SetCompressor("JPEG")
    writer.Execute(sitk.GetImageFromArray(stored[None]))
    written = pydicom.dcmread(beside)
    beside.unlink()
    assert written.file_meta.TransferSyntaxUID == JPEGLosslessSV1
    return next(generate_frames(written.PixelData, number_of_frames=1))


LOSSLESS = [
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
    RLELossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEG2000Lossless,
]


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda one: one.keyword)
def test_lossless_syntaxes_read_as_itk_reads_them(tmp_path, syntax, signed):
    kind = {} if signed else {"PixelRepresentation": 0, "BitsStored": 12, "HighBit": 11}
    stored = write_series(tmp_path, shape=(32, 40), **kind)
    encode(tmp_path, syntax)
    volume, _ = load(tmp_path)
    np.testing.assert_array_equal(volume.voxels, stored - 1024)
    assert_as_itk_reads(volume, itk_series(tmp_path))
    assert volume.facts["transfer_syntax"] == syntax.name


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_negative_stored_values_survive_compression(tmp_path, syntax):
    write_series(tmp_path, shape=(32, 40), RescaleIntercept=0)
    for path in source_files(tmp_path):
        one = pydicom.dcmread(path)
        one.PixelData = (one.pixel_array - 1024).tobytes()
        one.save_as(path)
    expected = load(tmp_path)[0].voxels
    assert expected.min() < 0
    encode(tmp_path, syntax)
    np.testing.assert_array_equal(load(tmp_path)[0].voxels, expected)


@pytest.mark.parametrize(("syntax", "most"), [(JPEGLSNearLossless, 5), (JPEG2000, 2500)])
def test_lossy_syntaxes_are_refused_or_warned_of(tmp_path, syntax, most):
    stored = write_series(tmp_path, shape=(32, 40))
    encode(tmp_path, syntax)
    with refusal("ct-compressed-with-loss", CaseError) as caught:
        load(tmp_path)
    assert syntax.name in str(caught.value)
    volume, _ = load(tmp_path, options=CtOptions(allow_lossy=True))
    assert [one.code for one in volume.findings] == ["lossy-compression"]
    assert 0 < np.abs(volume.voxels - (stored - 1024)).max() <= most
    assert_as_itk_reads(volume, itk_series(tmp_path))


def test_a_statement_of_no_loss_does_not_help_a_lossy_syntax(tmp_path):
    write_series(tmp_path, shape=(32, 40), LossyImageCompression="00")
    encode(tmp_path, JPEG2000)
    with refusal("ct-compressed-with-loss", CaseError):
        load(tmp_path)


def test_former_loss_is_a_warning_where_allowed(tmp_path):
    stored = write_series(tmp_path, LossyImageCompression="01")
    volume, _ = load(tmp_path, options=CtOptions(allow_lossy=True))
    assert [one.code for one in volume.findings] == ["lossy-compression"]
    np.testing.assert_array_equal(volume.voxels, stored - 1024)


def test_a_picture_of_eight_bits_is_lossy(tmp_path):
    write_series(tmp_path, BitsAllocated=8, BitsStored=8, HighBit=7, PixelRepresentation=0)
    with refusal("ct-compressed-with-loss", CaseError, match="8 bits"):
        load(tmp_path)


def headers_in(folder: Path, syntax: str) -> list[Slice]:
    write_series(folder)
    headers = read_headers(source_files(folder))
    return [dataclasses.replace(one, transfer_syntax=syntax) for one in headers]


@pytest.mark.parametrize(
    ("syntax", "shown"),
    [
        ("1.2.840.10008.1.2.4.100", "MPEG2"),
        ("1.2.840.113619.5.2.99", "an unknown transfer syntax"),
    ],
)
def test_an_unreadable_syntax_is_refused_by_name(tmp_path, syntax, shown):
    with refusal("transfer-syntax-unknown", CaseError) as caught:
        check_pixels(headers_in(tmp_path, syntax))
    assert shown in str(caught.value)
    assert "113619" not in str(caught.value)


@pytest.mark.parametrize("allowed", [False, True])
def test_loss_that_cannot_be_decoded_is_refused_either_way(tmp_path, allowed):
    code = "transfer-syntax-unknown" if allowed else "ct-compressed-with-loss"
    with refusal(code, CaseError):
        check_pixels(headers_in(tmp_path, "1.2.840.10008.1.2.4.55"), allow_lossy=allowed)


@pytest.mark.parametrize("signed", [True, False])
def test_bits_that_do_not_count_are_left_out(tmp_path, signed):
    """Overlays of old scanners lie in the high bits."""
    write_series(tmp_path, BitsStored=12, HighBit=11, PixelRepresentation=int(signed))
    stored = {}
    for path in source_files(tmp_path):
        one = pydicom.dcmread(path)
        values = np.frombuffer(one.PixelData, np.uint16) & 0x07FF
        stored[one.InstanceNumber] = values.reshape(8, 10)
        one.PixelData = (values | 0x2000).tobytes()
        one.save_as(path)
    volume, _ = load(tmp_path)
    np.testing.assert_array_equal(volume.voxels[0], stored[6].astype(int) - 1024)
    assert_as_itk_reads(volume, itk_series(tmp_path))


def test_a_claimed_size_costs_no_memory(tmp_path):
    """All slices claim 65,535 x 65,535 pixels: refused before eight gigabytes are asked for."""
    write_series(tmp_path, Rows=65535, Columns=65535)
    with refusal("slice-not-decodable", CaseError):
        load(tmp_path)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_a_compressed_slice_cut_short_is_refused(tmp_path, syntax):
    write_series(tmp_path, shape=(32, 40))
    encode(tmp_path, syntax)
    path = source_files(tmp_path)[0]
    path.write_bytes(path.read_bytes()[:-40])
    with refusal("slice-not-decodable", CaseError):
        load(tmp_path)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEGLosslessSV1])
def test_a_damaged_stream_is_refused_or_read_as_gdcm_reads_it(tmp_path, syntax):
    """Decoders that go on after an error would give other values than the reference."""
    write_series(tmp_path / "whole", slices=2, shape=(32, 40))
    encode(tmp_path / "whole", syntax)
    whole = [path.read_bytes() for path in source_files(tmp_path / "whole")]
    (tmp_path / "damaged").mkdir()
    target = tmp_path / "damaged" / "0"
    (tmp_path / "damaged" / "1").write_bytes(whole[1])
    start = whole[0].index(b"\xe0\x7f\x10\x00") + 100
    generator = np.random.default_rng(5)
    refused = 0
    for _ in range(40):
        content = bytearray(whole[0])
        content[generator.integers(start, len(content))] ^= 1 << generator.integers(8)
        target.write_bytes(content)
        try:
            voxels = load(tmp_path / "damaged")[0].voxels
        except CaseError:
            refused += 1
            continue
        read = sitk.GetArrayFromImage(sitk.ReadImage(str(target), imageIO="GDCMImageIO"))
        assert (voxels == read).all(axis=(1, 2)).any()
    assert refused > 0


NATIVE = [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian, None]


@pytest.mark.parametrize("syntax", NATIVE)
def test_inserted_bytes_are_refused(tmp_path, syntax):
    """The header's length is still met, and every later value has moved."""
    write_series(tmp_path, slices=3)
    if syntax:
        encode(tmp_path, syntax)
    load(tmp_path)
    path = source_files(tmp_path)[0]
    content = path.read_bytes()
    at = len(content) - 60
    path.write_bytes(content[:at] + content[at - 10 : at] + content[at:])
    with refusal("slice-not-decodable", CaseError):
        load(tmp_path)


@pytest.mark.parametrize("syntax", NATIVE)
def test_elements_behind_the_pixels_are_none_of_our_business(tmp_path, syntax):
    stored = write_series(tmp_path, slices=3, DataSetTrailingPadding=b"\0" * 20)
    if syntax:
        encode(tmp_path, syntax)
    np.testing.assert_array_equal(load(tmp_path)[0].voxels, stored - 1024)


CODED_START = b"\xff\xd8\xff\xf7\0\x0b...\xff\xda\0\x08\1\1\0\0\0\0"


@pytest.mark.parametrize(
    ("syntax", "coded"),
    [
        (JPEGLSLossless, b"\1\2\xff\x7f\3\xff\xd1\4\xff\xd9\0"),
        (JPEGLosslessSV1, b"\1\2\xff\0\3\xff\xd1\4\xff\xff\xd9\0"),
    ],
)
def test_coded_data(syntax, coded):
    check_coded(CODED_START + coded, syntax)


@pytest.mark.parametrize(
    ("syntax", "coded"),
    [
        (JPEGLSLossless, b"\1\xff\xff\2\xff\xd9"),
        (JPEGLSLossless, b"\1\xff\x80\2\xff\xd9"),
        (JPEGLSLossless, b"\xff\xd9\1\xff\xd9"),
        (JPEGLSLossless, b"\1\2"),
        (JPEGLosslessSV1, b"\1\xff\x7f\2\xff\xd9"),
        (JPEGLosslessSV1, b"\1\xff\xda\2\xff\xd9"),
    ],
)
def test_markers_in_coded_data_are_damage(syntax, coded):
    with pytest.raises(ValueError, match=r"marker|not found"):
        check_coded(CODED_START + coded, syntax)


def test_names_of_transfer_syntaxes():
    assert syntax_name(HTJ2KLossless).startswith("High-Throughput JPEG 2000")
    assert syntax_name("") == syntax_name("CANARY") == "an unknown transfer syntax"
    assert "JPEG Baseline" in syntax_name(JPEGBaseline8Bit)


# --- public data -------------------------------------------------------------------------------


def test_public_slices_in_sixteen_syntaxes(testdata):
    """Lossless syntaxes decode to the same voxels; those with loss are refused by name."""
    refused, sums, itk = {}, {}, {}
    files = sorted((testdata / "ct_transfer_syntaxes").glob("CTImage*"))
    for header in read_headers(files):
        number = header.transfer_syntax.rpartition(".")[2]
        try:
            check_pixels([header])
        except CaseError as error:
            refused[number] = str(error)
            continue
        pixels = next(stored_values([header])).astype(np.int16)
        sums[header.path.name] = hashlib.sha256(pixels.tobytes()).hexdigest()
        read = sitk.GetArrayFromImage(sitk.ReadImage(str(header.path)))[0]
        itk[header.path.name] = np.array_equal(read, pixels + header.intercept)
    assert set(refused) == {"50", "51", "53", "55", "81", "91"}
    assert all("compressed with loss" in message for message in refused.values())
    assert len(sums) == 10
    assert len(set(sums.values())) == 1
    assert all(itk.values())


@pytest.mark.parametrize(
    ("number", "lowest", "highest"),
    [("81", 1, 1), ("91", 1, 5), ("50", 60, 70), ("51", 30, 40)],
)
def test_public_lossy_slices_differ_as_they_should(testdata, number, lowest, highest):
    """Allowed, they decode; values in HU differ from the original, some far."""
    folder = testdata / "ct_transfer_syntaxes"
    original, lossy = (
        read_headers([path])[0]
        for path in (folder / "CTImage.dcm", *folder.glob(f"CTImage*4.{number}.dcm"))
    )
    findings = check_pixels([lossy], allow_lossy=True)
    assert [one.code for one in findings] == ["lossy-compression"]
    values = [next(stored_values([one])) * one.slope + one.intercept for one in (original, lossy)]
    assert lowest <= np.abs(values[0] - values[1]).max() <= highest


@pytest.mark.parametrize("number", ["53", "55"])
def test_public_undecodable_slices_are_refused_even_so(testdata, number):
    path = next((testdata / "ct_transfer_syntaxes").glob(f"CTImage*4.{number}.dcm"))
    with refusal("transfer-syntax-unknown", CaseError):
        check_pixels(read_headers([path]), allow_lossy=True)


def test_a_public_report_is_no_slice(testdata):
    assert read_headers([testdata / "ct_transfer_syntaxes" / "no-pixel-data.dcm"]) == []


@pytest.mark.parametrize("pixels", [np.zeros((8, 10)), np.zeros((8, 9), np.int16)])
def test_pixels_of_another_kind_or_shape_are_refused(tmp_path, monkeypatch, pixels):
    """Whatever a decoder returns: no slice is filled up, none rounded."""
    write_series(tmp_path)
    monkeypatch.setattr(dicom_decode, "_classic", lambda one: pixels)
    with refusal("pixels-not-whole-numbers", CaseError, match=str(pixels.dtype)):
        next(stored_values(read_headers(source_files(tmp_path))))
