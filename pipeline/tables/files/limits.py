"""How much a table may hold, so that a small damaged or hostile file costs no memory and no night.

docs/tables.md states these limits.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from pipeline.core.errors import MachineError, StudyError

MOST_BYTES = 500_000_000
"""Bytes of a table's file, and of its text once unpacked: 20 million cells of 25 characters."""
MOST_CELLS = 20_000_000
"""Cells of a table of text or Parquet, blank ones among them: 10,000 rows of 2,000 features."""
MOST_EXCEL_CELLS = 2_000_000
"""Cells of a workbook, whose reading takes some 10 microseconds and 200 bytes a cell."""
MOST_EXCEL_BYTES = 300_000_000
"""Bytes of a workbook's unpacked parts: 2 million cells take 120 MB."""
MOST_STYLE_BYTES = 30_000_000
"""Bytes of each unpacked part of a workbook beside its worksheets and texts."""
MOST_TAGS, MOST_STYLE_TAGS = 3_000_000, 500_000
"""Tags of a workbook's worksheets and texts beside those of cells, and of each other part: a row
takes one or two, Excel's 65,490 formats of cells some four each."""
MOST_SIGNS = 32_767
"""Characters of a cell: Excel's own limit."""


def read_bytes(path: str | Path, what: str = "table") -> bytes:
    """Return the bytes of a file that people hand in.

    Parameters
    ----------
    path : path-like
        The file.
    what : str, optional
        What it is, for errors.

    Raises
    ------
    StudyError
        If the file is too large.
    MachineError
        If it cannot be read, as for want of rights.
    """
    path = Path(path)
    try:
        with open(path, "rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            if size > MOST_BYTES:
                raise too_large(f"{size / 1e6:,.0f} MB", path)
            return stream.read()
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise StudyError(
                f"The {what} must exist",
                where=str(path),
                remedy="correct its path; a relative one starts at the working directory",
                code="file-missing",
            ) from None
        if error.errno == errno.EISDIR:
            raise StudyError(
                f"The {what} must be a file",
                found="a folder",
                where=str(path),
                remedy="name the file in it that is meant",
                code="file-is-a-folder",
            ) from None
        raise unreadable(error, path, what) from None


def unreadable(error: OSError, path: str | Path, what: str = "table") -> MachineError:
    """Return the error for a file that the machine does not let us read."""
    return MachineError(
        f"The {what} must be readable for the user who runs the program",
        found=error.strerror or type(error).__name__,
        where=str(path),
        remedy="give the right to read it (`chmod u+r`, and `u+x` for its folder), or copy it to "
        "another place",
        code="file-not-readable",
    )


def too_large(found: str, path: str | Path) -> StudyError:
    """Return the error for a table beyond the limits."""
    return StudyError(
        f"A table must have at most {MOST_BYTES // 1_000_000} MB of text and "
        f"{MOST_CELLS // 1_000_000} million cells",
        found=found,
        where=str(path),
        remedy="leave out rows and columns that the study does not need",
        code="table-too-large",
    )
