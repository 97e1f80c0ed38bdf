"""Remedies of the section of docs/bad_inputs.md of this name."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
from pydicom.uid import JPEGLSNearLossless, RLELossless

from pipeline.core.errors import CaseError
from pipeline.core.findings import Finding, from_json
from pipeline.core.keeping.store import Store
from pipeline.imaging.ct_options import CtChecks, CtOptions
from pipeline.imaging.dicom import dicom_decode
from pipeline.imaging.dicom.dicom_decode import check_pixels
from pipeline.imaging.dicom.dicom_headers import read_headers
from pipeline.imaging.dicom.dicom_series import choose_series
from pipeline.imaging.read_ct import accepted_ct
from pipeline.imaging.sources import source_files
from pipeline.ingest import ingest_scans
from pipeline.study.config import DEFAULTS, load_yaml
from tests.pipeline.imaging.dicom.test_dicom_bits import write as write_explicit
from tests.pipeline.imaging.dicom.test_dicom_decode import encode
from tests.pipeline.imaging.dicom.test_dicom_multiframe import write_enhanced
from tests.pipeline.imaging.dicom.test_dicom_tilt import write_tilted
from tests.remedies import Remedy, says
from tests.remedies.registering import REGISTERING
from tests.support.dicom_files import edit, load, remove, uid, write_series, write_slice

Act = Callable[[Path], object]
Door = Callable[[Path], Sequence[Finding]]


def read(folder: Path, series: str | None = None, **options) -> list[Finding]:
    """Read the series of a folder; return what there is to say about it."""
    volume, chosen = load(folder, series, CtOptions(**options))
    return [*chosen, *volume.findings]


def choose(folder: Path, series: str | None = None, rule: str = "thinnest") -> list[Finding]:
    return choose_series(read_headers(source_files(folder)), series, rule).findings


def accept(folder: Path, **limits) -> list[Finding]:
    """Read a CT and hold it to a study's limits."""
    return accepted_ct(folder, limits=CtChecks(**limits)).findings


def again(folder: Path, write: Act = write_series) -> None:
    """Export the series again: nothing but the original lies in the folder."""
    shutil.rmtree(folder)
    write(folder)


def nothing(folder: Path) -> None:
    """Change no file: the remedy is an option."""


def refused(
    spoil: Act,
    rule: str,
    remedy: str,
    mend: Act = again,
    *,
    door: Door = read,
    then: Door | None = None,
    left: Sequence[str] = (),
) -> Remedy:
    """Return the remedy of an error: refused by `door`, mended, and accepted by it (or `then`).

    Parameters
    ----------
    spoil, mend : callable
        Make the bad input in a folder, and do what the remedy says.
    rule, remedy : str
        Regular expressions of the error's rule and of its remedy.
    door, then : callable
        Return what there is to say about a folder, or refuse it.
    left : sequence of str
        Codes of what is said in the end.
    """

    def run(tmp_path: Path) -> None:
        folder = tmp_path / "scan"
        spoil(folder)
        with pytest.raises(CaseError) as caught:
            door(folder)
        says(caught.value, rule)
        says(caught.value.remedy, remedy)
        mend(folder)
        assert [one.code for one in (then or door)(folder)] == list(left)

    return run


def warned(
    spoil: Act, code: str, remedy: str, mend: Act | None = again, *, door: Door = read,
    then: Door | None = None,
) -> Remedy:  # fmt: skip
    """Return the remedy of a warning, which is gone then; without `mend` it states a fact."""

    def run(tmp_path: Path) -> None:
        folder = tmp_path / "scan"
        spoil(folder)
        (finding,) = door(folder)
        assert (finding.code, finding.severity) == (code, "warning")
        says(finding.remedy, remedy)
        if mend is not None:
            mend(folder)
            assert list((then or door)(folder)) == []

    return run


fact_that_keeps_the_case = partial(warned, mend=None)


def spoilt(*which: int, **attributes) -> Act:
    """Write a series whose slices `which` (all where none is named) have other attributes."""

    def spoil(folder: Path) -> None:
        write_series(folder)
        for number in which or range(1, 7):
            edit(folder, number, **attributes)

    return spoil


def without(*which: int) -> Act:
    def spoil(folder: Path) -> None:
        write_series(folder)
        remove(folder, *which)

    return spoil


def bytes_of(change: Callable[[bytes], bytes], write: Act = write_series) -> Act:
    """Write a series whose first file's bytes are changed."""

    def spoil(folder: Path) -> None:
        write(folder)
        path = source_files(folder)[0]
        path.write_bytes(change(path.read_bytes()))

    return spoil


def inserted(content: bytes) -> bytes:
    return content[:-60] + content[-70:-60] + content[-60:]


def coded(folder: Path, syntax: str = RLELossless) -> None:
    write_series(folder, shape=(32, 40))
    encode(folder, syntax)


def flipped_stream(content: bytes) -> bytes:
    start = content.index(b"\xe0\x7f\x10\x00") + 100
    return content[:start] + b"\x7f\xff\x80\x01" * 20 + content[start + 80 :]


def sheared(folder: Path) -> None:
    write_series(folder)
    for path in source_files(folder):
        one = pydicom.dcmread(path)
        x, y, z = one.ImagePositionPatient
        one.ImagePositionPatient = [x, y + 0.2 * (z - 33), z]
        one.save_as(path)


def copied(folder: Path) -> None:
    write_series(folder / "a")
    (folder / "b").mkdir()
    one = source_files(folder / "a")[2]
    (folder / "b" / "copy").write_bytes(one.read_bytes())


def part_removed(name: str) -> Act:
    """Remove a part of the folder."""
    return lambda folder: shutil.rmtree(folder / name)


def two(first: dict, second: dict, slices: int = 6, step: float = 2.5) -> Act:
    """Write two series into a folder."""

    def spoil(folder: Path) -> None:
        write_series(folder / "a", **first)
        write_series(folder / "b", slices, step, **{"SeriesInstanceUID": uid("b")} | second)

    return spoil


def own_uids(folder: Path) -> None:
    write_series(folder)
    for number, path in enumerate(source_files(folder)):
        one = pydicom.dcmread(path)
        one.SeriesInstanceUID = uid("own", number)
        one.save_as(path)


def one_uid(folder: Path) -> None:
    for path in source_files(folder):
        one = pydicom.dcmread(path)
        one.SeriesInstanceUID = uid("one")
        one.save_as(path)


def phases(folder: Path) -> None:
    for number, name in enumerate("ab", 1):
        write_series(folder / name, AcquisitionNumber=number)
        for path in source_files(folder / name):
            one = pydicom.dcmread(path)
            one.SOPInstanceUID = uid(name, path.name)
            one.save_as(path)


def doubled_frame(folder: Path) -> None:
    enhanced(folder)
    one = pydicom.dcmread(folder / "one")
    frames = one.PerFrameFunctionalGroupsSequence
    frames[1].PlanePositionSequence = frames[0].PlanePositionSequence
    one.save_as(folder / "one")


def enhanced(folder: Path, **attributes) -> None:
    write_enhanced(folder / "one", **attributes)


def several_frames(folder: Path) -> None:
    write_series(folder)
    edit(folder, 3, NumberOfFrames=2, PixelData=b"\0" * 320)


def no_slices_beside(folder: Path) -> None:
    write_series(folder)
    write_slice(folder / "other", np.zeros((8, 10), np.int16), (0, 0, 0), Modality="CU")


def pixels(folder: Path) -> list[Finding]:
    """Judge headers, one of which names a transfer syntax by a file called `video` beside."""
    headers = read_headers(source_files(folder))
    if (folder / ".video").exists():
        syntax = "1.2.840.10008.1.2.4.100"
        headers = [dataclasses.replace(one, transfer_syntax=syntax) for one in headers]
    return check_pixels(headers)


def as_video(folder: Path) -> None:
    write_series(folder)
    (folder / ".video").touch()


def header_bit(folder: Path) -> None:
    path = write_explicit(folder, explicit=True)
    content = path.read_bytes()
    assert content.count(b"\x28\0\x10\0US") == 1
    path.write_bytes(content.replace(b"\x28\0\x10\0US", b"\x28\0\x10\0UQ"))  # Rows


def misread(folder: Path) -> None:
    """Write a series that a decoder gives back as fractions, by a file called `misread` beside."""
    write_series(folder)
    (folder / ".misread").touch()


def decoded(folder: Path) -> list[Finding]:
    with pytest.MonkeyPatch.context() as patch:
        if (folder / ".misread").exists():
            patch.setattr(dicom_decode, "_classic", lambda one: np.zeros((8, 10)))
        return read(folder)


def quoted(tmp_path: Path) -> None:
    """The row of a scan quotes the error and its remedy; the other scan goes on."""
    for name in "ab":
        write_series(tmp_path / name)
    remove(tmp_path / "a", 3)
    scans = pd.DataFrame({"scan_id": list("ab"), "patient_id": list("ab"), "series": None})
    scans["image"] = [str(tmp_path / name) for name in "ab"]

    def ingested() -> list[list[Finding]]:
        table = ingest_scans(scans, Store(tmp_path / "store"), load_yaml(DEFAULTS)["checks"])
        return [from_json(text) for text in table["findings"]]

    (finding,), other = ingested()
    assert (finding.code, finding.severity, other) == ("ct-failed", "error", [])
    says(finding.message, "must be evenly spaced.*1 slice")
    says(finding.remedy, "export the whole series")
    again(tmp_path / "a")
    assert ingested() == [[], []]


LOSS = "A CT for radiomics must never have been compressed with loss"
READABLE = "Every DICOM file in the folder must be readable"
SAME = "All slices of a series must have the same"
NAME_ONE = "Of several CT series in a folder one must be named"
ORIGINAL = "export the original series"
COPY = "copy or export the folder again"

REMEDIES: dict[str, Remedy] = {
    "A slice is missing": refused(
        without(3), "must be evenly spaced.*1 slice", "export the whole series"
    ),
    "Slices lie at uneven distances": refused(
        spoilt(3, ImagePositionPatient=[-90, -70, 41.1]),
        "must be evenly spaced.*uneven",
        "one reconstruction only",
    ),
    "Two slices lie at the same place": refused(
        spoilt(3, ImagePositionPatient=[-90, -70, 43.0]), "same place", "each slice once"
    ),
    "A slice lies beside the stack": refused(
        spoilt(3, ImagePositionPatient=[-89, -70, 40.5]), "along one straight line", ORIGINAL
    ),
    "Gantry tilt": refused(
        sheared, "no gantry tilt", "or let ingest.gantry_tilt correct it", nothing,
        then=lambda folder: read(folder, gantry_tilt="correct"), left=["tilt-corrected"],
    ),
    "A slice has other rows or columns": refused(
        spoilt(3, Rows=4, PixelData=b"\0" * 80), SAME + " rows", "export the series again"
    ),
    "A slice has another pixel spacing": refused(
        spoilt(3, PixelSpacing=[0.5, 0.76]), SAME + " pixel spacing", "export the series again"
    ),
    "A slice has another orientation": refused(
        spoilt(3, ImageOrientationPatient=[1, 0, 0, 0, 0.9998, 0.02]),
        SAME + " orientation",
        "without its reformations",
    ),
    "Direction cosines are not perpendicular": refused(
        spoilt(ImageOrientationPatient=[1, 0, 0, 0.1, 0.995, 0]), "perpendicular unit", ORIGINAL
    ),
    "Inverted grey values (MONOCHROME1) or colour": refused(
        spoilt(3, PhotometricInterpretation="MONOCHROME1"), "stored as MONOCHROME2", ORIGINAL
    ),
    "A slice was compressed with loss, says its header": refused(
        spoilt(3, LossyImageCompression="01"), LOSS, ORIGINAL
    ),
    "No rescale slope or intercept": refused(
        spoilt(3, RescaleSlope=None), "rescale slope and intercept", ORIGINAL
    ),
    "A rescale slope of zero": refused(
        spoilt(3, RescaleSlope=0), "rescale slope and intercept", ORIGINAL
    ),
    "A slice without position, orientation or spacing": refused(
        spoilt(3, ImagePositionPatient=None), "must state its pixel spacing", ORIGINAL
    ),
    "Pixel data cut short": refused(
        spoilt(3, PixelData=b"\0" * 100), "must decode", "copy the series again"
    ),
    "One slice only": refused(
        without(1, 2, 3, 4, 5), "at least 2 slices", "export the whole series"
    ),
    "A damaged file among the slices": refused(
        bytes_of(lambda content: content[:400]), READABLE, COPY
    ),
    "The header says that values are not HU": fact_that_keeps_the_case(
        spoilt(RescaleType="US"), "rescale-type", "compare the values of air and of muscle"
    ),
    "Several CT series of equal rank, none named": refused(
        two({}, {"ConvolutionKernel": "B30s"}), NAME_ONE, "SeriesInstanceUID .* column `series`",
        nothing, then=lambda folder: read(folder, uid("b")),
    ),
    "The series named in the table is not in the folder": refused(
        write_series, "must be a CT series in the folder", "correct .*or leave the column empty",
        nothing, door=lambda folder: read(folder, uid("nowhere")), then=read,
    ),
    "Gantry tilt with a shift along the rows, `gantry_tilt: correct`": refused(
        partial(write_tilted, sideways=(0.5, 0.0)), "along one straight line", ORIGINAL,
        partial(again, write=write_tilted), left=["tilt-corrected"],
        door=lambda folder: read(folder, gantry_tilt="correct"),
    ),
    "Gantry tilt, `gantry_tilt: correct`": fact_that_keeps_the_case(
        write_tilted, "tilt-corrected", "masks must be drawn on the corrected volume",
        door=lambda folder: read(folder, gantry_tilt="correct"),
    ),
    "The same image twice (a copied folder)": refused(
        copied, "same place.*copies of one image", "remove the copies", part_removed("b")
    ),
    "Slices of two kernels under one series": refused(
        spoilt(3, ConvolutionKernel="B30s"), SAME + " kernel", "each reconstruction as a series"
    ),
    "Slices of two thicknesses under one series": refused(
        spoilt(3, SliceThickness=3), SAME + " slice thickness", "each reconstruction as a series"
    ),
    "Slices of two frames of reference": refused(
        spoilt(3, FrameOfReferenceUID=uid("elsewhere")),
        SAME + " frame of reference",
        "export the series again",
    ),
    "Rescaling differs between slices": warned(
        spoilt(3, RescaleIntercept=-1000),
        "rescale-differs",
        "compare neighbouring slices in a viewer",
        None,
    ),
    "Rescaled values beyond 32 bits": refused(
        spoilt(3, RescaleSlope=1e9), "size of Hounsfield units", ORIGINAL
    ),
    "High bit or bits stored contradict bits allocated": refused(
        spoilt(3, HighBit=11), "must fit together", ORIGINAL
    ),
    "JPEG 2000 or JPEG-LS with loss": refused(
        partial(coded, syntax=JPEGLSNearLossless), LOSS, "ingest.allow_lossy", nothing,
        then=lambda folder: read(folder, allow_lossy=True), left=["lossy-compression"],
    ),
    "The same with `allow_lossy`": warned(
        partial(coded, syntax=JPEGLSNearLossless), "lossy-compression", ORIGINAL,
        door=lambda folder: read(folder, allow_lossy=True),
    ),
    "Grey values of 8 bits": refused(
        lambda folder: write_series(
            folder, BitsAllocated=8, BitsStored=8, HighBit=7, PixelRepresentation=0
        ),
        LOSS, ORIGINAL,
    ),
    "A private or video transfer syntax": refused(
        as_video, "transfer syntax that can be decoded", "Explicit VR Little Endian", door=pixels
    ),
    "A header that claims 65,535 x 65,535 pixels": refused(
        lambda folder: write_series(folder, Rows=65535, Columns=65535),
        "must decode", "copy the series again",
    ),
    "A compressed slice cut short": refused(
        bytes_of(lambda content: content[:-40], coded), "must (decode|be readable)",
        "copy (the series|or export the folder) again", partial(again, write=coded),
    ),
    "The letters DICM of a slice are damaged": refused(
        bytes_of(lambda content: content.replace(b"DICM", b"DIXM", 1)), READABLE, COPY
    ),
    "An empty file among the slices": refused(bytes_of(lambda content: b""), READABLE, COPY),
    "Enhanced CT: fewer frame headers than frames": refused(
        partial(enhanced, NumberOfFrames=5), READABLE, COPY, partial(again, write=enhanced)
    ),
    "Enhanced CT: two frames at one place": refused(
        doubled_frame, "same place", "each slice once", partial(again, write=enhanced)
    ),
    "Classic CT with several frames in a file": refused(
        several_frames, "must hold one slice", "as CT Image Storage or enhanced CT"
    ),
    "Two kernels of equal rank in a folder": refused(
        two({}, {"ConvolutionKernel": "B30s", "SeriesDescription": "Spine 1.0"}),
        NAME_ONE, "or the SeriesDescription into column `series`", nothing,
        door=choose, then=lambda folder: choose(folder, "Spine 1.0"),
    ),
    "Several CT series, `series_rule: refuse`": refused(
        two({}, {}, slices=20), NAME_ONE, "SeriesInstanceUID .* column `series`", nothing,
        door=lambda folder: choose(folder, rule="refuse"),
        then=lambda folder: choose(folder, uid("b"), rule="refuse"),
    ),
    "Several CT series, one chosen by rule": warned(
        two({}, {}, slices=20, step=1.0), "series-chosen", "into column `series` to be sure",
        nothing, door=choose, then=lambda folder: choose(folder, uid("b")),
    ),
    "The description in the table fits two series": refused(
        two({"SeriesDescription": "thin"}, {"SeriesDescription": "thin"}, slices=20),
        "must be that of one CT series only", "write the SeriesInstanceUID into column", nothing,
        door=lambda folder: choose(folder, "thin"), then=lambda folder: choose(folder, uid("b")),
    ),
    "Slices thicker than the study accepts": refused(
        lambda folder: write_series(folder, SliceThickness=9), "slices are 9 mm thick",
        "raise checks.max_slice_thickness_mm", nothing,
        door=accept, then=lambda folder: accept(folder, max_slice_thickness_mm=9.0),
    ),
    "Images of the series that say they are no CT slices": warned(
        no_slices_beside, "images-left-out", "export the series again if some are missing",
        door=choose,
    ),
    "Bytes inserted into uncompressed or deflated pixels": refused(
        bytes_of(inserted), "must (decode|be readable)",
        "copy (the series|or export the folder) again",
    ),
    "A damaged RLE or JPEG-LS stream": refused(
        bytes_of(flipped_stream, coded), "must decode", "export it uncompressed", again
    ),
    "A folder without a CT series": refused(
        lambda folder: write_series(folder, Modality="MR"),
        "must hold a CT series", "point column `image` to the folder of the CT series",
        lambda folder: write_series(folder.with_name("ct")),
        then=lambda folder: read(folder.with_name("ct")),
    ),
    "Too few slices for the study": refused(
        without(3, 4, 5, 6), "has 2 slices; at least", "export the whole series", door=accept
    ),
    "Slices further apart than the study accepts": refused(
        lambda folder: write_series(folder, step=7), "lie 7 mm apart",
        "raise checks.max_slice_spacing_mm", nothing,
        door=accept, then=lambda folder: accept(folder, max_slice_spacing_mm=7.0),
    ),
    "Each slice has a SeriesInstanceUID of its own": refused(
        own_uids, "must share one SeriesInstanceUID", "all slices of a series the same", one_uid
    ),
    "Two phases in one series": refused(
        phases, "one phase only", "name one in column `series`, such as AcquisitionNumber=2",
        nothing, then=lambda folder: read(folder, "AcquisitionNumber=2"),
    ),
    "Column `series` names a phase that the series does not hold": refused(
        phases, "must be one of the series", "vertebromics series FOLDER lists the phases",
        nothing, door=lambda folder: read(folder, "AcquisitionNumber=3"),
        then=lambda folder: read(folder, "AcquisitionNumber=1"),
    ),
    "Stored values with a sign in some slices only": fact_that_keeps_the_case(
        spoilt(3, PixelRepresentation=0), "sign-differs", "compare neighbouring slices"
    ),
    "Whether values have a sign is not stated": refused(
        lambda folder: write_series(folder, PixelRepresentation=None),
        "must state whether its stored values have a sign", ORIGINAL,
    ),
    "Samples per pixel are not stated": refused(
        lambda folder: write_series(folder, SamplesPerPixel=None),
        "MONOCHROME2 with one sample per pixel", ORIGINAL,
    ),
    "A thickness that some slices state only": refused(
        spoilt(3, SliceThickness=None), SAME + " slice thickness",
        "each reconstruction as a series",
    ),
    "One wrong bit anywhere in a slice's header": refused(header_bit, READABLE, COPY),
    "A file whose header says that it holds no frame": refused(
        spoilt(3, NumberOfFrames=0), "must hold at least one frame", ORIGINAL
    ),
    "Pixels that are no whole numbers, or do not fill the stated rows and columns": refused(
        misread, "must be whole numbers in the stated rows", "export the series again",
        door=decoded,
    ),
    "A CT that could not be read for a reason of its own (a finding that quotes the error)": (
        quoted
    ),
} | REGISTERING  # fmt: skip
