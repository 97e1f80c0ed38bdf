"""CT series in DICOM folders: what they hold, and which one is meant.

Only the attributes named in `HEADER` are read, so that a patient's name is not in memory, let
alone in a file. Slices are named by their instance number, as a viewer shows it:
file names and UIDs may identify a person.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.errors import InvalidDicomError

from pipeline.core.errors import CaseError
from pipeline.core.findings import Finding

#: Attributes read to choose and check a series. None of them names a person; free text (patient,
#: physician, institution, descriptions, comments) is left out.
HEADER = (
    "SOPClassUID",
    "Modality",
    "ImageType",
    "SeriesInstanceUID",
    "SeriesNumber",
    "InstanceNumber",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PixelSpacing",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "RescaleSlope",
    "RescaleIntercept",
    "RescaleType",
    "LossyImageCompression",
    "SliceThickness",
    "Manufacturer",
    "ManufacturerModelName",
    "KVP",
    "ConvolutionKernel",
)
CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT_STORAGES = ("1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2")


@dataclass(frozen=True)
class Slice:
    """One file's whitelisted header.

    Attributes
    ----------
    path : pathlib.Path
        Where the file lies; never shown.
    series : str
        SeriesInstanceUID; never shown.
    series_number, instance : int or None
        Numbers that a viewer shows.
    shape : tuple of int
        Rows, columns.
    pixel_spacing : tuple of float or None
        Distance of rows, distance of columns, in mm.
    orientation : tuple of float or None
        Direction cosines (LPS) along a row, then along a column.
    position : tuple of float or None
        Centre of the first pixel in mm (LPS).
    slope, intercept : float or None
        Stored value to Hounsfield units.
    facts : dict
        Acquisition facts that ingest keeps.
    """

    path: Path
    series: str
    series_number: int | None
    instance: int | None
    sop_class: str
    modality: str
    image_type: tuple[str, ...]
    shape: tuple[int, int]
    frames: int
    samples: int
    photometric: str
    pixel_spacing: tuple[float, float] | None
    orientation: tuple[float, ...] | None
    position: tuple[float, ...] | None
    slope: float | None
    intercept: float | None
    rescale_type: str
    lossy: str
    transfer_syntax: str
    facts: dict

    @property
    def label(self) -> str:
        """Name of the slice in a sentence."""
        return "without number" if self.instance is None else str(self.instance)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep pydicom from quoting odd header values, which may identify a person, in a log."""
    log = logging.getLogger("pydicom")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def read_headers(files: Iterable[Path]) -> list[Slice]:
    """Return the whitelisted headers of those of `files` that are DICOM images."""
    slices = []
    for file in files:
        with quiet():
            try:
                header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(HEADER))
            except InvalidDicomError:
                if not file.stat().st_size:
                    raise _damaged("an empty file") from None
                continue  # a text, a picture: no DICOM file
            except Exception as error:
                raise _damaged(f"a header that ends in {type(error).__name__}") from None
            if "Rows" in header and "Columns" in header:
                slices.append(_slice_of(file, header))
            elif header.file_meta.get("MediaStorageSOPClassUID", CT_IMAGE_STORAGE) == (
                CT_IMAGE_STORAGE
            ):
                raise _damaged("a CT slice whose header is cut short")
    return slices


def _damaged(found: str) -> CaseError:
    # Leaving a damaged slice out would shorten the CT without a word.
    return CaseError(
        "Every DICOM file in the folder must be readable",
        found=found,
        remedy="copy or export the folder again",
    )


def _slice_of(file: Path, header: pydicom.Dataset) -> Slice:
    def text(keyword: str) -> str:
        value = header.get(keyword)
        many = isinstance(value, list | pydicom.multival.MultiValue)
        return " ".join(map(str, value)).strip() if many else str(value or "").strip()

    def numbers(keyword: str, count: int) -> tuple[float, ...] | None:
        try:
            value = header.get(keyword)
            found = tuple(map(float, [value] if count == 1 else value))
        except (TypeError, ValueError):
            return None
        return found if len(found) == count and np.isfinite(found).all() else None

    def number(keyword: str) -> float | None:
        found = numbers(keyword, 1)
        return found[0] if found else None

    def whole(keyword: str) -> int | None:
        found = number(keyword)
        return None if found is None else int(found)

    return Slice(
        path=file,
        series=text("SeriesInstanceUID"),
        series_number=whole("SeriesNumber"),
        instance=whole("InstanceNumber"),
        sop_class=text("SOPClassUID"),
        modality=text("Modality"),
        image_type=tuple(part.strip().upper() for part in header.get("ImageType") or ()),
        shape=(whole("Rows") or 0, whole("Columns") or 0),
        frames=whole("NumberOfFrames") or 1,
        samples=whole("SamplesPerPixel") or 1,
        photometric=text("PhotometricInterpretation"),
        pixel_spacing=numbers("PixelSpacing", 2),
        orientation=numbers("ImageOrientationPatient", 6),
        position=numbers("ImagePositionPatient", 3),
        slope=number("RescaleSlope"),
        intercept=number("RescaleIntercept"),
        rescale_type=text("RescaleType"),
        lossy=text("LossyImageCompression"),
        transfer_syntax=str(header.file_meta.get("TransferSyntaxUID", "")),
        facts={
            "manufacturer": text("Manufacturer") or None,
            "scanner": text("ManufacturerModelName") or None,
            "kvp": number("KVP"),
            "kernel": text("ConvolutionKernel") or None,
            "slice_thickness_mm": number("SliceThickness"),
        },
    )


def is_ct_slice(one: Slice) -> bool:
    """Return whether a file is one axial-type CT image: no localizer, capture or other modality.

    An empty SOPClassUID occurs in anonymised archives; the modality decides then.
    """
    return (
        one.modality == "CT"
        and one.sop_class in ("", CT_IMAGE_STORAGE)
        and "LOCALIZER" not in one.image_type
    )


def choose_series(
    slices: Sequence[Slice], series: str | None = None
) -> tuple[list[Slice], list[Finding]]:
    """Return the slices of the series that is meant.

    A series named in the table is taken. Otherwise the one CT series of the folder is, or, of
    several, the one with most slices; equal counts are refused. Localizers, secondary captures
    and other modalities are no candidates.

    Parameters
    ----------
    slices : sequence of Slice
        Headers of all images in the folder.
    series : str, optional
        SeriesInstanceUID from the table of cases.

    Returns
    -------
    chosen : list of Slice
        In no particular order.
    findings : list of Finding
        A warning where the rule had to choose between several series.
    """
    candidates: dict[str, list[Slice]] = {}
    for one in slices:
        if is_ct_slice(one):
            candidates.setdefault(one.series, []).append(one)
    if series is not None:
        if series not in candidates:
            raise CaseError(
                "The series named in column `series` must be a CT series in the folder",
                found=f"no CT slice of it, but {_listed(candidates.values())}",
                remedy="correct the SeriesInstanceUID, or leave the column empty",
            )
        return candidates[series], []
    if not candidates:
        enhanced = any(one.sop_class in ENHANCED_CT_STORAGES for one in slices)
        raise CaseError(
            "A DICOM folder must hold a CT series with one file per slice",
            found="an enhanced multi-frame CT, which is not read yet"
            if enhanced
            else f"{len(slices)} DICOM image(s), none of them a CT slice",
            remedy="export it as classic CT Image Storage, or as NRRD from 3D Slicer"
            if enhanced
            else "point column `image` to the folder of the CT series",
        )
    ranked = sorted(candidates.values(), key=len, reverse=True)
    if len(ranked) == 1:
        return ranked[0], []
    if len(ranked[0]) == len(ranked[1]):
        raise CaseError(
            "Of several CT series in a folder one must be named, or have most slices",
            found=_listed(ranked),
            remedy="write the SeriesInstanceUID into column `series`",
        )
    return ranked[0], [
        Finding(
            "series-chosen",
            "warning",
            f"Of {len(ranked)} CT series the one with most slices was taken: {_listed(ranked)}",
            "write the SeriesInstanceUID into column `series` to be sure",
        )
    ]


def _listed(series: Iterable[Sequence[Slice]]) -> str:
    """Describe series by what a viewer shows of them, without UIDs and free text."""
    described = []
    for slices in series:
        first = slices[0]
        number = "without number" if first.series_number is None else first.series_number
        kernel = f", kernel {first.facts['kernel']}" if first.facts["kernel"] else ""
        thickness = first.facts["slice_thickness_mm"]
        thick = f", {thickness:g} mm thick" if thickness else ""
        described.append(f"series {number} ({len(slices)} slices{thick}{kernel})")
    return "; ".join(described) or "no CT series"
