"""What a NIfTI file says and holds, where ITK passes over it or understands it otherwise.

nibabel reads the headers. ITK turns voxels that are no numbers into 0 without a word, so that they
are counted in the file's own bytes; packed ones are unpacked once, to see that the file is whole.
"""

from __future__ import annotations

import gzip
import math
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.core.errors import CaseError
from pipeline.core.findings import Finding
from pipeline.imaging.geometry import Geometry
from pipeline.imaging.volume_headers import (
    CHUNK,
    StoredAs,
    check_right_angles,
    form_tolerance,
    largest_distance,
    no_patient_space,
    quiet,
    unpacked,
)

if TYPE_CHECKING:
    import nibabel

#: First two bytes of what gzip packed (RFC 1952).
GZIP_MARK = b"\x1f\x8b"

#: Codes of voxel types that ITK reads: whole numbers of 8 to 64 bits, float32, float64; and those
#: of several values a voxel, which are refused later as what they are.
VOXEL_TYPES = (2, 4, 8, 16, 64, 256, 512, 768, 1024, 1280)
SEVERAL_VALUES = (32, 128, 1792, 2304)

#: Smaller slopes count as none for ITK, and as what they are for other programs.
SMALLEST_SLOPE = float(np.finfo(np.float64).eps)

_HEADER = 348  # bytes of a header of version 1

#: What nibabel raises for a damaged header; an OSError is a matter of the disk.
_DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error, ValueError, OverflowError, KeyError)


def check_nifti_header(path: Path) -> tuple[list[Finding], Geometry | None, StoredAs]:
    """Check that a NIfTI is whole, holds numbers only, and can be understood in one way only.

    Parameters
    ----------
    path : pathlib.Path
        File whose name ends with .nii or .nii.gz, in small or capital letters.

    Returns
    -------
    findings : list of Finding
        A warning where the file does not say how it lies in the patient.
    geometry : Geometry or None
        Its grid (LPS), as nibabel understands the header; None where it states none.
    stored : StoredAs
        How its values are written.

    Raises
    ------
    CaseError
        If it is damaged, holds voxels that are no numbers, or contradicts itself.
    """
    sibling = path.with_name(path.name[: -len(".gz")])
    if path.name.lower().endswith(".gz") and sibling.exists():
        # ITK takes the header of a.nii.gz and, without a word, the voxels of a.nii.
        raise CaseError(
            "A .nii.gz file must not lie beside an uncompressed file of the same name",
            found=f"{path.name} and {sibling.name}",
            remedy="move one of them away",
            code="nifti-packed-and-plain",
        )
    _check_packing(path)
    # A quarter of the start of a command that meets no NIfTI: it imports all that it can read.
    with _as_if_missing("pydicom"):
        import nibabel
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError
    from nibabel.wrapstruct import WrapStructError

    try:
        with quiet():
            with nibabel.openers.Opener(path) as stream:
                stated = nibabel.Nifti1Header(stream.read(_HEADER), check=False)
            stored = _stored_as(stated)
            loaded = nibabel.load(path)
            header = loaded.header
            qform, q_code = header.get_qform(coded=True)
            sform, s_code = header.get_sform(coded=True)
            unit = header.get_xyzt_units()[0]
    except (ImageFileError, HeaderDataError, WrapStructError, *_DAMAGED) as error:
        raise CaseError(
            "A NIfTI file must start with a readable header",
            found=f"a header cut short or damaged ({type(error).__name__})",
            remedy="export it again",
            code="nifti-header-damaged",
        ) from None
    _check_nifti_values(header, unit)
    # The header itself forgets its offset when it is read.
    content = _check_voxels(path, int(loaded.dataobj.offset), header)
    if stored.bits and len(header.get_data_shape()) == 3 and header.endianness == "<":
        stored = replace(stored, unpacked=content)
    size = (*header.get_data_shape(), 1, 1, 1)[:3]
    if s_code:
        check_right_angles(sform[:3, :3], "its sform")
    if q_code and s_code:
        distance = largest_distance(qform, sform, size)
        if not distance <= form_tolerance(sform, size):
            raise CaseError(
                "The qform and the sform of a NIfTI file must say the same",
                found=f"voxels up to {distance:.3f} mm apart (codes {q_code} and {s_code})",
                remedy="ask who converted the file which is right, and convert the DICOM again",
                code="nifti-forms-differ",
            )
    spacing = [float(value) for value in stated["pixdim"][1:4]]
    if not s_code and not all(0 < value < math.inf for value in spacing):
        # Both readers then put 1 mm.
        raise CaseError(
            "A volume must state the direction and spacing of its three axes",
            found=f"pixdim {' x '.join(f'{value:g}' for value in spacing)}",
            remedy="export the file again from the program that made it",
            code="volume-axes-missing",
        )
    if not q_code and not s_code:
        return [no_patient_space("NIfTI header has neither qform nor sform")], None, stored
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ (sform if s_code else qform)  # RAS to LPS
    return [], Geometry.from_affine(affine, size), stored


def read_voxels(path: Path) -> np.ndarray:
    """Return the voxels of a NIfTI that ITK refuses for its axes, as ITK would hand them out.

    Parameters
    ----------
    path : pathlib.Path
        A file that `check_nifti_header` accepted.

    Returns
    -------
    numpy.ndarray
        Shape (z, y, x), of the file's type; float32 where what is no float64 is rescaled.
    """
    import nibabel

    with quiet():
        proxy = nibabel.load(path).dataobj
        voxels = np.asanyarray(proxy)
    if voxels.dtype != proxy.dtype and proxy.dtype.newbyteorder("=") != np.float64:
        voxels = voxels.astype(np.float32)
    voxels = voxels.reshape((*voxels.shape, 1, 1, 1)[:3] if voxels.ndim < 3 else voxels.shape)
    voxels = np.squeeze(voxels, axis=tuple(range(3, voxels.ndim)))
    return np.ascontiguousarray(voxels.T.astype(voxels.dtype.newbyteorder("="), copy=False))


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
            code="nifti-name-misleads",
        )


def _stored_as(stated: nibabel.Nifti1Header) -> StoredAs:
    """Return how the values are written, or refuse a type or a rescaling that is ambiguous."""
    if int(stated["sizeof_hdr"]) != _HEADER:
        return StoredAs("", 0)  # of version 2, or damaged: refused below
    code = int(stated["datatype"])
    if code not in VOXEL_TYPES + SEVERAL_VALUES:
        raise CaseError(
            "The voxels of a NIfTI file must be whole numbers, float32 or float64",
            found=f"voxels of type code {code}",
            remedy="save it as 16-bit whole numbers, or convert the DICOM again",
            code="nifti-voxel-type",
        )
    slope, intercept = float(stated["scl_slope"]), float(stated["scl_inter"])
    if slope == 0 or math.isnan(slope):
        # The standard then rescales nothing; ITK adds the intercept all the same.
        fits, slope = intercept == 0 or math.isnan(intercept), None
    else:
        fits = SMALLEST_SLOPE < abs(slope) < math.inf and math.isfinite(intercept)
    if not fits:
        raise CaseError(
            "The rescaling of a NIfTI file must be readable in one way only",
            found=f"slope {float(stated['scl_slope']):g} with intercept {intercept:g}",
            remedy="convert the DICOM again",
            code="nifti-rescaling-ambiguous",
        )
    kind = np.dtype(stated.get_data_dtype())
    return StoredAs(kind.name, 8 * kind.itemsize if kind.kind in "iu" else 0, slope)


@contextmanager
def _as_if_missing(package: str) -> Iterator[None]:
    """Import what is imported here without a package that it only may have.

    nibabel brings in pydicom, and all that pydicom may decode with: a sixth of the start of a
    command, and 25 MB, for a part of NIfTI headers that nobody reads here.
    """
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None  # type: ignore[assignment]  # Python's own mark for it
    try:
        yield
    finally:
        del sys.modules[package]


def _check_nifti_values(header: nibabel.Nifti1Header, unit: str) -> None:
    """Refuse what ITK does not read, or reads in another way than the standard says."""
    import nibabel

    if isinstance(header, nibabel.Nifti2Header):
        raise CaseError(
            "A NIfTI file must be of version 1",
            found="version 2",
            remedy="export it as NRRD or NIfTI-1",
            code="nifti-version",
        )
    if unit not in ("mm", "unknown"):
        raise CaseError(
            "The unit of a NIfTI file must be millimetres",
            found=unit,
            remedy="convert the DICOM again, in millimetres",
            code="nifti-unit",
        )


def _check_voxels(path: Path, offset: int, header: nibabel.Nifti1Header) -> bytearray | None:
    """Return the voxels of a packed file of whole numbers, from `offset` on, None of another file.

    Refuse a NIfTI that ends before its voxels do, or whose voxels are no numbers.

    ITK fills the rest of a file that was cut short with zeros, unasked, and puts 0 where a voxel
    is NaN or infinite.
    """
    kind = header.get_data_dtype()
    needed = offset + math.prod(header.get_data_shape()) * kind.itemsize
    packed = path.name.lower().endswith(".gz")
    found = wrong = 0
    content = bytearray() if packed and kind.kind in "iu" else None
    if packed or kind.kind == "f":
        with ExitStack() as stack:
            stream = stack.enter_context(open(path, "rb"))
            chunks: Iterable[bytes] = (
                unpacked(stream) if packed else iter(lambda: stream.read(CHUNK), b"")
            )
            rest = b""
            for chunk in chunks:
                if kind.kind == "f":
                    part = rest + chunk[max(offset - found, 0) : max(needed - found, 0)]
                    whole = len(part) // kind.itemsize * kind.itemsize
                    wrong += np.count_nonzero(~np.isfinite(np.frombuffer(part[:whole], kind)))
                    rest = part[whole:]
                if content is not None:
                    content += memoryview(chunk)[max(offset - found, 0) : max(needed - found, 0)]
                found += len(chunk)
    else:
        found = path.stat().st_size
    if found < needed:
        raise CaseError(
            "A NIfTI file must hold all of its voxels",
            found=f"{found} of {needed} bytes",
            remedy="copy or export the file again",
            code="nifti-cut-short",
        )
    if wrong:
        raise not_finite(int(wrong))
    return content


def not_finite(voxels: int) -> CaseError:
    """Return the error of a volume in which a number of `voxels` are NaN or infinite."""
    return CaseError(
        "Every voxel of a volume must be a number",
        found=f"{voxels} voxels that are NaN or infinite",
        remedy="convert the DICOM again, or write what the program means there (-1024 outside the "
        "field of view of a CT, 0 in a mask) and save the file",
        code="voxels-not-finite",
    )
