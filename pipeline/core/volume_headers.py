"""What NIfTI and NRRD headers say, where ITK passes over it or understands it otherwise.

nibabel and pynrrd read the headers. No voxel is changed; packed ones are unpacked once, to see that
the file is whole.
"""

from __future__ import annotations

import gzip
import logging
import math
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import nrrd
import numpy as np

from pipeline.core.errors import CaseError
from pipeline.core.findings import Finding
from pipeline.core.geometry import Geometry

if TYPE_CHECKING:
    import nibabel

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

#: First two bytes of what gzip packed (RFC 1952).
GZIP_MARK = b"\x1f\x8b"

_CHUNK = 1 << 22  # bytes unpacked at a time


def check_nrrd_length(path: Path, needed: int) -> None:
    """Refuse a NRRD with more bytes than its voxels need: some were inserted, or it is no NRRD."""
    with open(path, "rb") as stream, _quiet():
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
        )


@contextmanager
def _quiet() -> Iterator[None]:
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


def check_nrrd_header(path: Path) -> tuple[list[Finding], Geometry | None]:
    """Refuse a NRRD whose voxels lie in another file; warn where it has no patient space."""
    try:
        with open(path, "rb") as stream, _quiet():
            header = nrrd.read_header(stream)
            packed = header.get("encoding") in ("gzip", "gz")
            if packed and not {"line skip", "lineskip"} & header.keys():
                _unpacked_length(stream)
    except (nrrd.NRRDError, OSError, ValueError, StopIteration) as error:
        raise CaseError(
            "A .nrrd file must start with a readable NRRD header",
            found=f"a header cut short or damaged ({type(error).__name__})",
            remedy="export it again",
        ) from None
    if "data file" in header or "datafile" in header:
        raise CaseError(
            "A .nrrd file must hold its own voxels",
            found="a header that names another data file",
            remedy="export it as one .nrrd file",
        )
    return _check_nrrd_fields(header), None


def _check_nrrd_fields(header: dict) -> list[Finding]:
    """Refuse what ITK does not read or passes over; warn where there is no patient space."""
    if header.get("encoding") not in NRRD_ENCODINGS:
        raise CaseError(
            "The voxels of a .nrrd file must be raw, text or packed by gzip",
            found=f"encoding {header['encoding']}"
            if header.get("encoding") in ("bzip2", "bz2", "hex")
            else "another encoding",
            remedy="export it from 3D Slicer",
        )
    units = {str(unit).strip('"') for unit in header.get("space units", ())}
    if units - {"mm", "millimeter", "millimeters", "", "nan", "none", "None"}:
        raise CaseError(
            "The unit of a .nrrd file must be millimetres",
            found=f"{len(units)} other space unit(s)",
            remedy="export it from 3D Slicer",
        )
    if "space" not in header:
        return [_no_patient_space("NRRD header has no space field")]
    if header["space"].lower() not in PATIENT_SPACES:
        return [_no_patient_space("space of the NRRD header is not a patient's")]
    return []


def check_nifti_header(path: Path) -> tuple[list[Finding], Geometry | None]:
    """Check that qform and sform agree and that no sibling's voxels would be read."""
    sibling = path.with_name(path.name[: -len(".gz")])
    if path.name.lower().endswith(".gz") and sibling.exists():
        # ITK takes the header of a.nii.gz and, without a word, the voxels of a.nii.
        raise CaseError(
            "A .nii.gz file must not lie beside an uncompressed file of the same name",
            found=f"{path.name} and {sibling.name}",
            remedy="move one of them away",
        )
    _check_packing(path)
    # A quarter of the start of a command that meets no NIfTI: it imports all that it can read.
    import nibabel

    try:
        with _quiet():
            loaded = nibabel.load(path)
            header = loaded.header
            qform, q_code = header.get_qform(coded=True)
            sform, s_code = header.get_sform(coded=True)
            unit = header.get_xyzt_units()[0]
    except Exception as error:
        raise CaseError(
            "A NIfTI file must start with a readable header",
            found=f"a header cut short or damaged ({type(error).__name__})",
            remedy="export it again",
        ) from None
    _check_nifti_values(path, header, unit)
    # The header itself forgets its offset when it is read.
    _check_length(path, int(loaded.dataobj.offset), header)
    size = (*header.get_data_shape(), 1, 1, 1)[:3]
    if q_code and s_code:
        distance = largest_distance(qform, sform, size)
        if not distance <= FORM_TOLERANCE_MM:
            raise CaseError(
                "The qform and the sform of a NIfTI file must say the same",
                found=f"voxels up to {distance:.3f} mm apart (codes {q_code} and {s_code})",
                remedy="ask who converted the file which is right, and convert the DICOM again",
            )
    if not q_code and not s_code:
        return [_no_patient_space("NIfTI header has neither qform nor sform")], None
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ (sform if s_code else qform)  # RAS to LPS
    return [], Geometry.from_affine(affine, size)


def _check_packing(path: Path) -> None:
    """Refuse a name that says another packing than the file has: libraries read neither."""
    with open(path, "rb") as stream:
        start = stream.read(2)
    packed = start == GZIP_MARK
    if start and packed != path.name.lower().endswith(".gz"):
        raise CaseError(
            "The name of a NIfTI file must end in .nii.gz if it is packed, else in .nii",
            found="a packed file" if packed else "a file that is not packed by gzip",
            remedy="rename it; if that does not help, it is damaged: copy or export it again",
        )


def _check_nifti_values(path: Path, header: nibabel.Nifti1Header, unit: str) -> None:
    """Refuse what ITK does not read, or reads in another way than the standard says."""
    import nibabel

    if isinstance(header, nibabel.Nifti2Header):
        raise CaseError(
            "A NIfTI file must be of version 1",
            found="version 2",
            remedy="export it as NRRD or NIfTI-1",
        )
    if unit not in ("mm", "unknown"):
        raise CaseError(
            "The unit of a NIfTI file must be millimetres", found=unit, remedy="convert it again"
        )
    with nibabel.openers.Opener(path) as stream:
        stated = type(header).from_fileobj(stream, check=False)
    slope, intercept = float(stated["scl_slope"]), float(stated["scl_inter"])
    if (slope == 0 or not math.isfinite(slope)) and not (intercept == 0 or math.isnan(intercept)):
        # The standard then rescales nothing; ITK adds the intercept all the same.
        raise CaseError(
            "The rescaling of a NIfTI file must be readable in one way only",
            found=f"slope {slope:g} with intercept {intercept:g}",
            remedy="convert the DICOM again",
        )


def _check_length(path: Path, offset: int, header: nibabel.Nifti1Header) -> None:
    """Refuse a NIfTI that ends before its voxels do: ITK fills the rest with zeros, unasked."""
    needed = offset + math.prod(header.get_data_shape()) * header.get_data_dtype().itemsize
    if path.name.lower().endswith(".gz"):
        with open(path, "rb") as stream:
            found = _unpacked_length(stream)
    else:
        found = path.stat().st_size
    if found < needed:
        raise CaseError(
            "A NIfTI file must hold all of its voxels",
            found=f"{found} of {needed} bytes",
            remedy="copy or export the file again",
        )


def _unpacked_length(stream: BinaryIO) -> int:
    """Return how many bytes a gzip stream unpacks to, or refuse one that is damaged.

    ITK unpacks as far as it needs and never looks at the checksum at the end, so that one wrong
    bit of a copy can change half of the voxels.
    """
    length = 0
    try:
        with gzip.GzipFile(fileobj=stream) as unpacked:
            while chunk := unpacked.read(_CHUNK):
                length += len(chunk)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise CaseError(
            "A compressed volume must be whole and have the right checksum",
            found="a file that was cut off or damaged",
            remedy="copy or export the file again",
        ) from None
    return length


def _no_patient_space(what: str) -> Finding:
    return Finding(
        "no-patient-space",
        "warning",
        f"The {what}: left and right, head and feet are assumed",
        "export it with its orientation, or compare it with the scan in a viewer",
    )


def largest_distance(a: np.ndarray, b: np.ndarray, size: tuple[int, ...]) -> float:
    """Return how far apart (mm) two affines of shape (4, 4) put a voxel of a grid of `size`."""
    corners = np.array(
        [[(i >> k & 1) * (size[k] - 1) for k in range(3)] + [1] for i in range(8)], dtype=float
    )
    return float(np.linalg.norm(((a - b) @ corners.T)[:3], axis=0).max())
