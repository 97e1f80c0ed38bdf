"""What NRRD headers say, where ITK passes over it or understands it otherwise.

pynrrd reads the headers. No voxel is changed; packed ones are unpacked once, to see that the file
is whole. What concerns NIfTI alone lies in `pipeline.imaging.nifti_headers`.
"""

from __future__ import annotations

import gzip
import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import nrrd
import numpy as np
from isal import igzip, isal_zlib

from pipeline.core.errors import CaseError
from pipeline.core.findings import Finding
from pipeline.imaging.geometry import Geometry

#: Largest distance, in mm, between a voxel's place by a NIfTI's qform and by its sform: the qform
#: is a float32 quaternion, whose rounding stays below this over half a metre.
FORM_TOLERANCE_MM = 0.01

#: Encodings of a NRRD that ITK reads.
NRRD_ENCODINGS = ("raw", "gzip", "gz", "ascii", "text", "txt")
#: Spaces of a NRRD that say where left and right, front and back, head and feet are.
PATIENT_SPACES = (
    "left-posterior-superior",
    "right-anterior-superior",
    "left-anterior-superior",
    "lps",
    "ras",
    "las",
)

#: Bits of the whole numbers of a NRRD, by the names of its types.
_NRRD_BITS = {
    name: bits
    for bits, names in (
        (8, "signed char, int8, int8_t, uchar, unsigned char, uint8, uint8_t"),
        (16, "short, short int, signed short, signed short int, int16, int16_t"),
        (16, "ushort, unsigned short, unsigned short int, uint16, uint16_t"),
        (32, "int, signed int, int32, int32_t, uint, unsigned int, uint32, uint32_t"),
    )
    for name in names.split(", ")
}

#: Largest cosine of the angle between two axes that counts as a right angle: what the slices of a
#: DICOM series get, whose archives round direction cosines to three decimals.
RIGHT_ANGLE_TOLERANCE = 1e-3

#: Bytes read or unpacked at a time.
CHUNK = 1 << 22


@dataclass(frozen=True)
class StoredAs:
    """How a file writes the values of its voxels.

    Attributes
    ----------
    kind : str
        Type of the stored numbers, such as ``int16``.
    bits : int
        Bits of a whole number; 0 for floating point.
    slope : float or None
        What a stored number is multiplied by; None where the file rescales nothing.
    unpacked : bytearray or None
        Of a packed file of whole numbers, little endian, in three dimensions: the numbers as they
        were unpacked to look at the checksum, x fastest; None of any other.
    """

    kind: str
    bits: int
    slope: float | None = None
    unpacked: bytearray | None = field(default=None, repr=False, compare=False)


def check_nrrd_length(path: Path, needed: int) -> None:
    """Refuse a NRRD with more bytes than its voxels need: some were inserted, or it is no NRRD."""
    with open(path, "rb") as stream, quiet():
        header = nrrd.read_header(stream)
        skips = {"line skip", "lineskip", "byte skip", "byteskip"} & header.keys()
        if header.get("encoding") != "raw" or skips:
            return  # a checksum guards what is packed
        found = path.stat().st_size - stream.tell()
    if found != needed:
        raise CaseError(
            "A NRRD file must hold its voxels and nothing else",
            found=f"{found} bytes where {needed} are needed",
            remedy="copy or export the file again",
            code="nrrd-spare-bytes",
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Keep libraries from talking about odd numbers in a header: the checks name them."""
    log = logging.getLogger("nibabel.global")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            yield
    finally:
        log.setLevel(level)


def check_nrrd_header(path: Path) -> tuple[list[Finding], Geometry | None, StoredAs]:
    """Refuse a NRRD that is damaged, or that does not say what its voxels are and how they lie.

    Returns
    -------
    findings : list of Finding
        A warning where it has no patient space.
    geometry : None
        ITK reads the grid; there is no other reader to compare it with.
    stored : StoredAs
        How its values are written.
    """
    try:
        with open(path, "rb") as stream, quiet():
            header = nrrd.read_header(stream)
            held = path.stat().st_size - stream.tell()
            packed = header.get("encoding") in ("gzip", "gz")
            content = None
            if packed and not {"line skip", "lineskip"} & header.keys():
                content = bytearray()
                for part in unpacked(stream):
                    content += part
                held = len(content)
    except (nrrd.NRRDError, ValueError, StopIteration) as error:
        raise CaseError(
            "A .nrrd file must start with a readable NRRD header",
            found=f"a header cut short or damaged ({type(error).__name__})",
            remedy="export it again",
            code="nrrd-header-damaged",
        ) from None
    if "data file" in header or "datafile" in header:
        raise CaseError(
            "A .nrrd file must hold its own voxels",
            found="a header that names another data file",
            remedy="export it as one .nrrd file",
            code="nrrd-detached",
        )
    bits = _NRRD_BITS.get(str(header.get("type")).lower(), 0)
    findings = _check_nrrd_fields(header)
    missing = [name for name in ("type", "dimension", "sizes") if name not in header]
    if "endian" not in header and header["encoding"] in ("raw", "gzip", "gz") and bits != 8:
        missing.append("endian")
    if missing:
        raise CaseError(
            "The header of a .nrrd file must say how its voxels are written",
            found=f"no {' and no '.join(missing)}",
            remedy="export it again from the program that made it",
            code="nrrd-header-incomplete",
        )
    if not packed or not {"line skip", "lineskip"} & header.keys():
        _check_enough(header, held, bits)
    plain = (
        {"line skip", "lineskip", "byte skip", "byteskip"}.isdisjoint(header)
        and header["dimension"] == 3
        and (bits == 8 or header.get("endian") == "little")
    )
    return findings, None, StoredAs(str(header["type"]), bits, None, content if plain else None)


def _check_enough(header: dict, held: int, bits: int) -> None:
    """Refuse a header of more voxels than the file holds, before memory is asked for them."""
    voxels = math.prod(int(size) for size in header["sizes"])
    # A number of text takes two bytes at least, a digit and a blank.
    needed = voxels * bits // 8 if header["encoding"] in ("raw", "gzip", "gz") else 2 * voxels - 1
    if held < needed:
        raise CaseError(
            "A NRRD file must hold all of its voxels",
            found=f"{held} of {needed} bytes",
            remedy="copy or export the file again",
            code="nrrd-cut-short",
        )


def _check_nrrd_fields(header: dict) -> list[Finding]:
    """Refuse what ITK does not read or passes over; warn where there is no patient space."""
    if header.get("encoding") not in NRRD_ENCODINGS:
        raise CaseError(
            "The voxels of a .nrrd file must be raw, text or packed by gzip",
            found=f"encoding {header['encoding']}"
            if header.get("encoding") in ("bzip2", "bz2", "hex")
            else ("another encoding" if "encoding" in header else "a header without encoding"),
            remedy="export it from 3D Slicer"
            if "encoding" in header
            else "it may be cut short: copy or export it again",
            code="nrrd-encoding",
        )
    units = {str(unit).strip('"') for unit in header.get("space units", ())}
    if units - {"mm", "millimeter", "millimeters", "", "nan", "none", "None"}:
        raise CaseError(
            "The unit of a .nrrd file must be millimetres",
            found=f"{len(units)} other space unit(s)",
            remedy="export it from 3D Slicer",
            code="nrrd-unit",
        )
    scaled = sorted({"old min", "oldmin", "old max", "oldmax"} & header.keys())
    if scaled:
        raise CaseError(
            "A .nrrd file must hold its values, not numbers that stand for them",
            found=f"a header with {' and '.join(scaled)}: the values were squeezed into the range "
            "of another type",
            remedy="convert the DICOM again, as 16-bit whole numbers",
            code="nrrd-scaled",
        )
    if header.get("dimension") == 3:
        _check_nrrd_axes(header)
    if "space directions" in header and not {"space", "space dimension"} & header.keys():
        raise CaseError(
            "A .nrrd file with space directions must name their space",
            found="no space in its header",
            remedy="export it from 3D Slicer",
            code="nrrd-space-missing",
        )
    if "space" not in header:
        return [no_patient_space("NRRD header has no space field")]
    if header["space"].lower() not in PATIENT_SPACES:
        return [no_patient_space("space of the NRRD header is not a patient's")]
    if "space origin" not in header:
        return [no_patient_space("NRRD header has no space origin")]
    return []


def _check_nrrd_axes(header: dict) -> None:
    """Refuse axes without a length, for which ITK puts 1 mm, and axes that are sheared."""
    if "space directions" in header:
        axes = np.asarray(header["space directions"], dtype=float).T
    else:
        axes = np.diag(np.asarray(header.get("spacings", np.zeros(3)), dtype=float))
    if axes.shape != (3, 3) or not (np.isfinite(axes).all() and axes.any(axis=0).all()):
        raise CaseError(
            "A .nrrd file must state the distances of its voxels",
            found="no length of at least one axis in its header",
            remedy="export it from 3D Slicer",
            code="nrrd-spacing-missing",
        )
    check_right_angles(axes, "the space directions of its header")


def unpacked(stream: BinaryIO) -> Iterator[bytes]:
    """Yield what a gzip stream unpacks to, part by part, or refuse one that is damaged.

    ITK unpacks as far as it needs and never looks at the checksum at the end, so that one wrong
    bit of a copy can change half of the voxels.
    """
    try:
        with igzip.GzipFile(fileobj=stream) as file:
            while chunk := file.read(CHUNK):
                yield chunk
    except (EOFError, gzip.BadGzipFile, isal_zlib.error):
        raise CaseError(
            "A compressed volume must be whole and have the right checksum",
            found="a file that was cut off or damaged",
            remedy="copy or export the file again",
            code="compressed-volume-damaged",
        ) from None


def skew(axes: np.ndarray) -> float:
    """Return how far the angles between three axes are from right ones: the largest cosine.

    Parameters
    ----------
    axes : numpy.ndarray
        Shape (3, 3); column j is index axis j in mm. A column of zeros has no angle.
    """
    lengths = np.linalg.norm(axes, axis=0)
    unit = axes / np.where(lengths > 0, lengths, 1)
    return float(np.abs(unit.T @ unit - np.diag(np.diag(unit.T @ unit))).max())


def degrees_off(cosine: float) -> float:
    """Return how many degrees an angle of this cosine is off a right angle."""
    return float(np.degrees(np.arcsin(min(cosine, 1.0))))


def check_right_angles(axes: np.ndarray, stated_by: str) -> None:
    """Refuse axes (columns, in mm) that are off a right angle by more than a DICOM series may be.

    Parameters
    ----------
    axes : numpy.ndarray
        Shape (3, 3).
    stated_by : str
        What of the file states them.
    """
    cosine = skew(axes)
    if cosine > RIGHT_ANGLE_TOLERANCE:
        raise CaseError(
            "The three axes of a volume must stand at right angles to one another, within "
            f"{degrees_off(RIGHT_ANGLE_TOLERANCE):.2f} degrees",
            found=f"an angle that is {degrees_off(cosine):.2g} degrees off by {stated_by}",
            remedy="hand in the DICOM series of the CT itself (if its gantry was tilted, with "
            "ingest.gantry_tilt: correct), and masks drawn on the volume that "
            "vertebromics read-ct writes of it",
            code="volume-axes-skewed",
        )


def straightened(affine: np.ndarray) -> np.ndarray:
    """Return the affine (4, 4) with the nearest axes at right angles; voxel (0, 0, 0) stays.

    References
    ----------
    .. [1] Higham NJ. Computing the polar decomposition. SIAM J Sci Stat Comput 1986;7:1160-1174:
       the orthogonal factor is the nearest orthogonal matrix.
    """
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    left, _, right = np.linalg.svd(affine[:3, :3] / spacing)
    straight = affine.copy()
    straight[:3, :3] = (left @ right) * spacing
    return straight


def no_patient_space(what: str) -> Finding:
    """Return the warning of a file that does not say how it lies in the patient."""
    return Finding(
        "no-patient-space",
        "warning",
        f"The {what}: left and right, head and feet are assumed",
        "export it with its orientation, or compare it with the scan in a viewer",
    )


def form_tolerance(affine: np.ndarray, size: tuple[int, ...]) -> float:
    """Return how far apart (mm) two readings of a header may put a voxel of a grid of `size`.

    One of them, such as a qform, may have straightened the axes of the `affine` (4, 4).
    """
    if not np.isfinite(affine).all() or not affine[:3, :3].any(axis=0).all():
        return FORM_TOLERANCE_MM
    return FORM_TOLERANCE_MM + largest_distance(straightened(affine), affine, size)


def largest_distance(a: np.ndarray, b: np.ndarray, size: tuple[int, ...]) -> float:
    """Return how far apart (mm) two affines of shape (4, 4) put a voxel of a grid of `size`."""
    corners = np.array(
        [[(i >> k & 1) * (size[k] - 1) for k in range(3)] + [1] for i in range(8)], dtype=float
    )
    return float(np.linalg.norm(((a - b) @ corners.T)[:3], axis=0).max())
