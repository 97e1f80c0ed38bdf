"""What damaged bytes make a library raise, by name: all else is a fault of the machine or ours."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pydicom
from pydicom.errors import BytesLengthException, InvalidDicomError

from pipeline.core.errors import CaseError
from pipeline.core.files import machine_error
from pipeline.imaging.dicom.dicom_headers import quiet
from segmentation.formats.dicom_files import is_dicom, read_dicom

#: pydicom converts values when they are asked for, and any conversion may fail, each in its own
#: way. Neither OSError nor MemoryError is among them: no byte of a mapped file causes one.
DAMAGE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BytesLengthException,
    EOFError,
    InvalidDicomError,
    LookupError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


class DamagedError(CaseError):
    """A DICOM file whose bytes cannot be what was exported."""


@contextmanager
def named() -> Iterator[None]:
    """Turn what damaged bytes raise into a `DamagedError`, and keep libraries from quoting them.

    Raises
    ------
    DamagedError
        For one file, which the caller names.
    MachineError
        If it is the machine that failed: no file is blamed.
    """
    with quiet():
        try:
            yield
        except CaseError:
            raise
        except DAMAGE as error:
            if machine := machine_error(error):
                raise machine from None
            raise DamagedError(
                "A DICOM file must be readable to its end",
                found=type(error).__name__,
                remedy="copy or export it again",
                code="dicom-damaged",
            ) from None


def read_mapped(path: Path, **options: object) -> pydicom.Dataset:
    """Read a file that is DICOM by its first bytes; no damaged length makes it ask for memory.

    Raises
    ------
    pydicom.errors.InvalidDicomError
        If it is none.
    """
    if not is_dicom(path):
        raise InvalidDicomError
    return read_dicom(path, **options)
