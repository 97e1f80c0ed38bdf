"""What fingerprints read in the project's modules, kept beside Python's own compiled modules.

Reading some 350 modules takes a second, at each start of Snakemake and in part in many a job. What
was read depends on nothing but a module's name, its text, the reader and this Python, which is what
it is kept by: an edited module is read anew, whatever its time. A file that is damaged, or of
another reader, is as good as none; where the folder cannot be written, nothing is kept.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable
from importlib.util import cache_from_source
from pathlib import Path

from pipeline.core.leftovers import temporary_file

Reading = tuple[str, frozenset[str]]
"""Hash of a module's code, and the project names that it imports."""

MOST = 2000
"""Readings in a file. Beyond it, those that this process did not ask for are left out."""


class Readings:
    """Readings that last longer than a process.

    Parameters
    ----------
    path : pathlib.Path
        File that keeps them.
    readers : iterable of pathlib.Path
        Modules that read: a change of theirs makes all readings anew.
    """

    def __init__(self, path: Path, readers: Iterable[Path]) -> None:
        self.path = path
        self._readers = tuple(readers)
        self._kept: dict[str, list] | None = None
        self._asked: dict[str, list] = {}
        self._new = False

    def of(self, module: str, content: bytes, read: Callable[[], Reading]) -> Reading:
        """Return what was read in a module with this content; `read` it where that is not kept."""
        if self._kept is None:
            self._kept = self._load()
            atexit.register(self.save)
        key = hashlib.sha256(f"{module}\n".encode() + content).hexdigest()
        found = self._kept.get(key)
        if found is None:
            digest, imports = read()
            found = [digest, sorted(imports)]
            self._new = True
        self._asked[key] = found
        return found[0], frozenset(found[1])

    def save(self) -> None:
        """Keep what was read anew, beside what other processes have kept meanwhile."""
        if not self._new or sys.dont_write_bytecode:
            return
        self._new = False
        kept = self._load() | self._asked
        if len(kept) > MOST:
            kept = self._asked
        text = json.dumps(kept)
        try:
            self.path.parent.mkdir(exist_ok=True)
            with temporary_file(self.path.parent, self.path.suffix) as beside:
                beside.write_text(f"{self._seal(text)}\n{text}", encoding="utf-8")
                os.replace(beside, self.path)
        except OSError:
            return  # as Python keeps no compiled module where it may not write

    def _load(self) -> dict[str, list]:
        try:
            seal, _, text = self.path.read_text(encoding="utf-8").partition("\n")
        except (OSError, UnicodeDecodeError):
            return {}
        return json.loads(text) if seal == self._seal(text) else {}

    def _seal(self, text: str) -> str:
        """Return a hash of the file's text, of who read it and by which Python."""
        digest = hashlib.sha256(sys.version.encode())
        for reader in self._readers:
            digest.update(reader.read_bytes())
        digest.update(text.encode())
        return digest.hexdigest()


def beside_compiled(module: str) -> Path:
    """Return where readings are kept: in the folder of `module`'s compiled form."""
    name = f"readings_of_code.{sys.implementation.cache_tag}.json"
    return Path(cache_from_source(module)).with_name(name)
