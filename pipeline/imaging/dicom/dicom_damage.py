"""What pydicom and its decoders raise for a damaged file, each in its own way."""

from __future__ import annotations

import errno
import struct
import zlib

from pydicom.errors import BytesLengthException, InvalidDicomError

DAMAGE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    BytesLengthException,
    EOFError,
    InvalidDicomError,
    LookupError,
    NotImplementedError,
    RecursionError,
    StopIteration,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


def is_damage(error: Exception) -> bool:
    """Return whether a library raised `error` for a damaged file, not for the machine's sake."""
    if isinstance(error, OSError):
        return error.errno in (None, errno.EINVAL)
    return isinstance(error, DAMAGE)
