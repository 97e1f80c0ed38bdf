"""Files that are touched only if their content changes.

Snakemake judges by modification times. A demo that is made again, or made larger, must not look
like new data.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from pipeline.core.files import temporary_file


def write_if_changed(path: Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all, unless it is there already."""
    if path.exists() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not flushed to the disk, as results are: thousands of small files that a command makes again.
    with temporary_file(path.parent, path.suffix) as beside:
        beside.write_bytes(content)
        os.replace(beside, path)


def bytes_of(write: Callable[[Path], None], name: str) -> bytes:
    """Return what `write` writes to a file whose name is `name` (its ending may matter)."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write(path)
        return path.read_bytes()
