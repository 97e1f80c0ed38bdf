"""Outputs that appear whole or not at all, and tables written the one way all stages read."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from pipeline.core.errors import MachineError

#: System errors that no file of a patient can cause: a full or read-only disk, an exhausted quota,
#: memory or number of open files.
MACHINE_ERRORS = frozenset(
    (
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EROFS,
        errno.ENOMEM,
        errno.EMFILE,
        errno.ENFILE,
    )
)


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that is renamed to it when the block ends well."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=f".tmp{path.suffix}")
    os.close(handle)
    os.chmod(name, 0o666 & ~_umask())
    try:
        yield Path(name)
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)


@contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path` that replaces it when the block ends well."""
    path = Path(path)
    with temporary_folder(path) as beside:
        yield beside
        if path.exists():
            shutil.rmtree(path)
        os.replace(beside, path)


@contextmanager
def temporary_folder(path: str | Path) -> Iterator[Path]:
    """Yield a new folder beside `path` that is gone when the block ends, unless it was renamed."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(dir=path.parent, prefix=".", suffix=".tmp"))
    os.chmod(beside, 0o777 & ~_umask())
    try:
        yield beside
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def machine_error(error: Exception) -> MachineError | None:
    """Return `error` as a `MachineError` where the machine is at fault, else None."""
    if isinstance(error, MachineError):
        return error
    if isinstance(error, MemoryError):
        return MachineError(
            "A job must have memory enough", remedy="give the rule more memory (resources: mem_mb)"
        )
    if isinstance(error, OSError) and error.errno in MACHINE_ERRORS:
        return MachineError(
            "The machine must be able to write results",
            found=error.strerror,
            remedy="make room (results/, temporary folder, quota) and start again: what is done "
            "is kept",
        )
    return None


def write_table(table: pd.DataFrame, path: str | Path, *, csv: bool = False) -> None:
    """Write `table` as Parquet, whole or not at all, and a CSV copy beside it if asked."""
    path = Path(path)
    with whole_file(path) as beside:
        table.to_parquet(beside, index=False)
    if csv:
        with whole_file(path.with_suffix(".csv")) as beside:
            table.to_csv(beside, index=False)


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a Parquet table that a stage wrote."""
    return pd.read_parquet(path)


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


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
