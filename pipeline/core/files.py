"""Outputs that appear whole or not at all, and tables written the one way all stages read."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import zlib
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import NoReturn

import pandas as pd

from pipeline.core.errors import MachineError, ProgramError, StudyError
from pipeline.core.leftovers import temporary_file, temporary_folder_in, umask
from pipeline.core.problems import listing
from pipeline.core.table_schema import Table, differences
from pipeline.core.written.number_notation import NUMBER

#: System errors that no content of a patient's file can cause: a full or read-only disk, an
#: exhausted quota, memory or number of open files, missing rights, a disk or network that fails.
MACHINE_ERRORS = frozenset(
    (
        *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.ENOMEM, errno.EMFILE),
        *(errno.ENFILE, errno.EAGAIN, errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE),
        *(errno.EREMOTEIO, errno.ENXIO, errno.ENODEV, errno.ETIMEDOUT, errno.ENOLCK, errno.EBUSY),
        *(errno.ENOTCONN, errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED),
        *(errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETUNREACH),
        *(errno.ENOTRECOVERABLE, errno.EOWNERDEAD, errno.EUCLEAN),
    )
)

_RIGHTS = (errno.EACCES, errno.EPERM)
_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)

#: What libraries without an error of their own for it say where memory ends: C++ programs such as
#: ITK, zlib, XGBoost, CUDA.
_NO_MEMORY = re.compile(
    r"bad_alloc|bad array new length|can.t allocate|cannot allocate|failed to allocate|"
    r"unable to allocate|out of memory|not enough memory|insufficient memory|"
    r"memory allocation fail",
    re.IGNORECASE,
)


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that is renamed to it when the block ends well.

    What was written reaches the disk before the name does, so that a power cut leaves the old file
    or the new one, whole.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary_file(path.parent, path.suffix) as beside:
        yield beside
        flush(beside)
        os.replace(beside, path)
        flush(path.parent)


@contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path` that replaces it when the block ends well."""
    path = Path(path)
    with temporary_folder(path) as beside:
        yield beside
        flush_tree(beside)
        if path.exists():
            shutil.rmtree(path)
        os.replace(beside, path)
        flush(path.parent)


@contextmanager
def temporary_folder(path: str | Path) -> Iterator[Path]:
    """Yield a new folder beside `path` that is gone when the block ends, unless it was renamed."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder_in(path.parent) as beside:
        os.chmod(beside, 0o777 & ~umask())
        try:
            yield beside
        finally:
            shutil.rmtree(beside, ignore_errors=True)


def flush(path: str | Path) -> None:
    """Let a file's or folder's content reach the disk (fsync)."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some file systems have no such thing for folders; what they cannot do is no fault.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF):
            raise
    finally:
        os.close(handle)


def flush_tree(folder: str | Path) -> None:
    """Let every file below a folder, and every folder, reach the disk."""
    for place, _, names in os.walk(folder, topdown=False):
        for name in names:
            flush(os.path.join(place, name))
        flush(place)


def walk(folder: str | Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield every folder from `folder` on as `os.walk` does, but raise where one cannot be read.

    A closed folder would pass for an empty one: a scan without slices, a search without finds.
    """

    def closed(error: OSError) -> None:
        raise error

    return os.walk(folder, onerror=closed)


def everything_below(folder: str | Path) -> list[Path]:
    """Return the sorted paths of all files and folders below `folder`; links are not followed.

    Raises
    ------
    OSError
        If a folder cannot be read.
    """
    return sorted(
        Path(place, name) for place, folders, names in walk(folder) for name in (*folders, *names)
    )


def machine_error(error: BaseException, where: str | None = None) -> MachineError | None:
    """Return `error` as a `MachineError` where the machine is at fault, else None.

    Parameters
    ----------
    error : BaseException
        What was raised while one patient's files were processed, or anything else.
    where : str, optional
        The file that was read, for people.
    """
    if isinstance(error, MachineError):
        return error
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError | ValueError | zlib.error)
        and not isinstance(error, UnicodeError)
        and _NO_MEMORY.search(str(error))
    ):
        return MachineError(
            "A job must have memory enough",
            where=where,
            remedy="give the rule more memory (resources: mem_mb), or run fewer jobs at once",
            code="memory-exhausted",
        )
    if isinstance(error, BrokenExecutor):
        return MachineError(
            "Every worker process must live until its work is done",
            found="one that was ended from outside, most often for want of memory",
            remedy="give the rule more memory (resources: mem_mb), or use fewer processes",
            code="worker-ended",
        )
    if isinstance(error, OSError) and error.errno in MACHINE_ERRORS:
        return _system_error(error, where)
    return None


def raise_if_machine(error: Exception) -> None:
    """Raise a `MachineError` where the machine is at fault for `error`; else do nothing.

    For who is about to say that a file is damaged or a region cannot be computed.
    """
    if machine := machine_error(error):
        raise machine from error


def _system_error(error: OSError, where: str | None) -> MachineError:
    if error.errno in _RIGHTS:
        return MachineError(
            "Whoever runs a study must have the rights to read its files and to write its results",
            found=error.strerror,
            where=where or _shown(error.filename),
            remedy="give this user the rights (chmod, or ask who owns the files), and start again: "
            "what is done is kept",
            code="rights-missing",
        )
    if error.errno in _ROOM:
        return MachineError(
            "The machine must be able to write results",
            found=error.strerror,
            where=where,
            remedy="make room (results/, temporary folder, quota) and start again: what is done "
            "is kept",
            code="results-not-writable",
        )
    return MachineError(
        "The machine must be able to read and write files",
        found=error.strerror,
        where=where,
        remedy="look at the disk, the network drive and the limits of this user, and start again: "
        "what is done is kept",
        code="machine-files-unreadable",
    )


#: Begins the digest inside a table's file, and how long the digest is.
_SEAL, _SEAL_BYTES = b"\0vertebromics sha256\0", 32


def _shown(name: object) -> str | None:
    """Return the last part of a file's name, since folders above it may name a person."""
    return os.path.basename(os.fspath(name)) if isinstance(name, str | os.PathLike) else None


def write_table(
    table: pd.DataFrame, path: str | Path, schema: type[Table] | None = None, *, csv: bool = False
) -> None:
    """Write `table` as Parquet, whole or not at all, and a CSV copy beside it if asked.

    Parameters
    ----------
    table : pandas.DataFrame
        What is written.
    path : path-like
        File to write.
    schema : type, optional
        Class of the table (`pipeline.tables.schemas`); every table of a study has one.
    csv : bool, optional
        Whether a copy for people is written beside it.

    Raises
    ------
    ProgramError
        If the table is not as its class says.
    """
    path = Path(path)
    if schema is not None and (wrong := list(differences(table, schema))):
        raise ProgramError(
            "A stage must write a table as its class says",
            found=f"{schema.__name__}: {listing(wrong)}",
            where=path.name,
            remedy="report it: no value of a patient is at fault",
            code="table-breaks-schema",
        )
    with whole_file(path) as beside:
        table.to_parquet(beside, index=False)
        beside.write_bytes(_sealed(beside.read_bytes()))
    if csv:
        write_csv(table, path.with_suffix(".csv"))


def write_csv(table: pd.DataFrame, path: str | Path, *, index: bool = False) -> None:
    """Write `table` as CSV, whole or not at all, for people to open in a spreadsheet.

    Parameters
    ----------
    table : pandas.DataFrame
        What is written.
    path : path-like
        File to write.
    index : bool, optional
        Whether the index is the first column.
    """
    with whole_file(path) as beside:
        beside.write_text(csv_text(table, index=index), encoding="utf-8", newline="")


def csv_text(table: pd.DataFrame, *, index: bool = False) -> str:
    """Return `table` as CSV in which no cell is a formula: see `escaped`."""

    def safe(values: pd.Series | pd.Index) -> pd.Series | pd.Index:
        if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_datetime64_any_dtype(values):
            return values
        return values.astype(object).map(escaped)

    columns = {at: safe(table.iloc[:, at]) for at in range(table.shape[1])}
    written = pd.DataFrame(columns, index=table.index)
    written.index = safe(table.index)
    written.columns = [escaped(name) for name in table.columns]
    written.index.name = escaped(table.index.name)
    return written.to_csv(index=index, lineterminator="\n")


_STARTS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
"""What a formula may begin with, in full width too."""
_HARMLESS = re.compile(
    r"[+-]{1,3}|"
    rf"({NUMBER.pattern})%?([\s(\[,;](?!.*([A-Za-z_.]\(|[=|!*/^&@{{}}\"'<>])).*)?"
)
"""Signs alone, a number, and a number with words behind it that are no operators."""


def escaped(cell: object) -> object:
    """Return a cell of a CSV file, with an apostrophe before a text that begins as a formula.

    A spreadsheet would compute ``=...``, ``+...``, ``-...`` or ``@...`` as it opens the file, and
    a label can be anything. Numbers stay as they are. `unescaped` takes the apostrophe off again,
    as `pipeline.tables.files.sheets.read_sheet` does. The rule is that of OWASP, "CSV Injection".

    Examples
    --------
    >>> escaped("=1+1"), escaped("-focal"), escaped("-1.5"), escaped("-0.1 (-0.2 to 0.1)")
    ("'=1+1", "'-focal", '-1.5', '-0.1 (-0.2 to 0.1)')
    """
    return f"'{cell}" if isinstance(cell, str) and _begins_formula(cell) else cell


def unescaped(cell: str) -> str:
    """Return the text that `escaped` was given."""
    return cell[1:] if cell[:1] == "'" and _begins_formula(cell) else cell


def _begins_formula(text: str) -> bool:
    # Behind apostrophes too: else one that was there could not be told from one put there.
    begun = text.lstrip("'")
    return begun[:1] in _STARTS and begun != "" and not _HARMLESS.fullmatch(begun)


def read_table(path: str | Path, schema: type[Table] | None = None) -> pd.DataFrame:
    """Read a Parquet table that a stage wrote.

    Parameters
    ----------
    path : path-like
        The file.
    schema : type, optional
        Class of the table. Columns that it does not know are let pass.

    Raises
    ------
    MachineError
        If it is not as it was written.
    StudyError
        If it lacks a column of its class, or one holds something else.
    """
    path = Path(path)
    table = _read_table(path)
    if schema is not None and (wrong := list(differences(table, schema, spare=True))):
        raise StudyError(
            "A table that a stage wrote must have the columns of this version",
            found=f"{schema.__name__}: {listing(wrong)}",
            where="/".join(path.parts[-3:]),
            remedy="delete this file and start again: the stage makes it anew",
            code="table-of-another-version",
        )
    return table


def _read_table(path: Path) -> pd.DataFrame:
    content = path.read_bytes()
    before, mark, after = content.rpartition(_SEAL)
    whole = not mark or _sealed(before + after[_SEAL_BYTES:]) == content
    try:
        # A table without a seal is not this function's: a test's, or one of an earlier version.
        return pd.read_parquet(BytesIO(content)) if whole else _damaged(path)
    except (ValueError, OSError):  # pyarrow's
        return _damaged(path)


def _sealed(content: bytes) -> bytes:
    """Return a Parquet file with the digest of its bytes, at a place that no reader looks at.

    A Parquet file ends with a description of its parts, its length, and four letters; the parts are
    found by their distance from the start. Between them and the description there is room.
    """
    end = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    seal = _SEAL + hashlib.sha256(content).digest()
    return content[:end] + seal + content[end:]


def _damaged(path: Path) -> NoReturn:
    raise MachineError(
        "A table that a stage wrote must be as it was written",
        found="a damaged file",
        where="/".join(path.parts[-3:]),
        remedy="delete this file and start again: the stage makes it anew",
        code="table-damaged",
    ) from None


def write_json(value: object, path: str | Path) -> None:
    """Write `value` as readable JSON, whole or not at all; NaN is refused."""
    with whole_file(path) as beside:
        beside.write_text(
            json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n",
            encoding="utf-8",
        )


def read_json(path: str | Path) -> object:
    """Read a JSON file that a stage wrote."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def file_hash(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def json_hash(value: object) -> str:
    """Return the SHA-256 of `value` as canonical JSON, in hexadecimal."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
