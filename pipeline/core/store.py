"""Content-addressed results of single scans and masks.

Snakemake tracks the tables of a batch; what lies behind a row (a CT, a mask, a crop, a feature
vector) lies here under a key that hashes everything it depends on. A batch that runs again finds
what it already computed, and a killed run loses at most the scan at hand.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from pipeline.core.errors import MachineError
from pipeline.core.files import json_hash, temporary_folder, write_json

#: File of an entry that says what it depends on, for `python -m pipeline.trace`.
DEPENDS_ON = "depends_on.json"

#: What of it is written there: nothing that may name a file, a series or a person.
RECORDED = (
    *("source", "image", "mask", "crop"),  # hashes and keys of what came before
    *("options", "reading", "params", "engine", "code", "versions"),
)

#: Rule that makes each kind of entry that a later stage reads.
MAKERS = {"ct": "ingest", "mask": "masks", "crop": "resample"}


class Store:
    """Folder of entries, each a folder that is complete as soon as it exists.

    Parameters
    ----------
    root : path-like
        The store's folder, shared by the studies of one results folder.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def entry(self, kind: str, key: str) -> Path:
        """Return where the entry `key` of `kind` lies, whether or not it exists."""
        return self.root / kind / key[:2] / key

    def path(self, relative: str) -> Path:
        """Return the absolute-or-working-directory path of a table's store reference.

        Raises
        ------
        MachineError
            If nothing lies there, as after somebody cleared a part of the store.
        """
        path = self.root / relative
        if not path.exists():
            kind = relative.partition("/")[0]
            raise MachineError(
                "What a table of the stage before names must lie in the store",
                found=f"no {relative}",
                remedy=f"run snakemake again with --forcerun {MAKERS.get(kind, 'ingest')}",
            )
        return path

    def relative(self, path: str | Path) -> str:
        """Return `path` as a table stores it: relative to the store, with forward slashes."""
        return Path(path).relative_to(self.root).as_posix()

    def get_or_make(self, kind: str, depends_on: dict, make: Callable[[Path], None]) -> Path:
        """Return the entry for `depends_on`, calling `make` on an empty folder if it is missing.

        Parameters
        ----------
        kind : str
            ``ct``, ``mask``, ``crop`` or ``features``.
        depends_on : dict
            Everything the result depends on, as JSON values: hashes of inputs, parameters,
            the code fingerprint and library versions.
        make : callable
            Writes the entry's files into the folder it is given. If it raises, no entry appears.

        Returns
        -------
        pathlib.Path
            The complete entry's folder.

        Raises
        ------
        MachineError
            If the store cannot be written.
        """
        entry = self.entry(kind, json_hash(depends_on))
        if entry.exists():
            return entry
        try:
            with temporary_folder(entry) as folder:
                make(folder)
                if "code" in depends_on:
                    known = {name: depends_on[name] for name in RECORDED if name in depends_on}
                    write_json(known, folder / DEPENDS_ON)
                self._put(folder, entry)
        except OSError as error:
            # What `make` reads from elsewhere is the patient's; the store itself is the machine's.
            if not isinstance(error.filename, str) or (
                self.root not in Path(error.filename).parents
            ):
                raise
            raise MachineError(
                "The folder of results must be readable and writable",
                found=error.strerror,
                where=kind,
                remedy="check its permissions and that its disk is mounted, and start again",
            ) from error
        return entry

    @staticmethod
    def _put(folder: Path, entry: Path) -> None:
        """Give a complete folder the entry's name, or leave the entry that came first.

        Equal keys hold equal content, and another job may be reading the first: it is never
        replaced. Renaming a folder onto one that holds files fails, and so is safe.
        """
        try:
            os.rename(folder, entry)
        except OSError:
            if not entry.exists():
                raise


def store_of(results: str | Path) -> Store:
    """Return the store of a results folder (``results/store``)."""
    return Store(Path(os.fspath(results)) / "store")
