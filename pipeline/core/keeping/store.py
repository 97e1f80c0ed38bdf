"""Content-addressed results of single scans and masks.

Snakemake tracks the tables of a batch; what lies behind a row (a CT, a mask, a crop, a feature
vector) lies here under a key that hashes everything it depends on. A batch that runs again finds
what it already computed, and a killed run loses at most the scan at hand.

Each entry holds the digests of its files (`pipeline.core.keeping.digests`). A process compares an
entry with them before it uses it for the first time; an entry that differs is set aside and made
anew, with a line in the log. Entries without digests, of versions before, are made anew once.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from pipeline.core.errors import MachineError
from pipeline.core.files import flush, json_hash, machine_error, temporary_folder, write_json
from pipeline.core.keeping.digests import fault_of, seal
from pipeline.core.leftovers import name_aside

logger = logging.getLogger("vertebromics")

#: File of an entry that says what it depends on, for `vertebromics trace`.
DEPENDS_ON = "depends_on.json"

#: What of it is written there: nothing that may name a file, a series or a person.
RECORDED = (
    *("source", "image", "mask", "crop"),  # hashes and keys of what came before
    *("options", "reading", "params", "engine", "code", "versions"),
)

#: Rule that makes each kind of entry that the tables name.
MAKERS = {"ct": "ingest", "mask": "masks", "crop": "resample", "features": "extract"}


class Store:
    """Folder of entries, each a folder that is complete as soon as it exists.

    Parameters
    ----------
    root : path-like
        The store's folder, shared by the studies of one results folder.
    remake : callable, optional
        Makes an entry of an earlier stage anew, by its kind and key
        (`pipeline.core.keeping.remaking.remake`). Without it, a stage that needs such an entry
        ends.
    """

    def __init__(self, root: str | Path, remake: Callable[[str, str], None] | None = None) -> None:
        self.root = Path(root)
        self._remake = remake
        self._compared: set[Path] = set()

    def entry(self, kind: str, key: str) -> Path:
        """Return where the entry `key` of `kind` lies, whether or not it exists."""
        return self.root / kind / key[:2] / key

    def path(self, relative: str) -> Path:
        """Return the absolute-or-working-directory path of a table's store reference.

        An entry that is damaged or gone is made anew by the stage that made it, where the store
        knows how to.

        Raises
        ------
        MachineError
            If nothing usable lies there, as after somebody cleared a part of the store.
        """
        kind, _, key, *_ = (*relative.split("/"), "", "", "")
        if not self._is_usable(kind, key):
            if self._remake is not None:
                logger.warning("store: %s/%s is made anew by the stage before", kind, key)
                self._remake(kind, key)
            if self._remake is None or not self._is_usable(kind, key):
                raise MachineError(
                    "What a table of the stage before names must lie in the store",
                    found=f"no {relative}, or one that is damaged",
                    remedy="run the study again with --forcerun "
                    f"{MAKERS.get(kind, 'ingest')}, which makes it anew and keeps what is whole",
                    code="store-entry-missing",
                )
        return self.root / relative

    def relative(self, path: str | Path) -> str:
        """Return `path` as a table stores it: relative to the store, with forward slashes."""
        return Path(path).relative_to(self.root).as_posix()

    def state_of(self, relative: str) -> str | None:
        """Return what is wrong with the entry of a table's reference, None where it is whole.

        Nothing is moved or made: for who only looks.
        """
        kind, _, key, *_ = (*relative.split("/"), "", "", "")
        entry = self.entry(kind, key)
        return fault_of(entry, f"{kind}/{key}") if entry.exists() else "removed"

    def get_or_make(self, kind: str, depends_on: dict, make: Callable[[Path], None]) -> Path:
        """Return the entry for `depends_on`, calling `make` on an empty folder if it is missing.

        An entry that is damaged counts as missing.

        Parameters
        ----------
        kind : str
            ``ct``, ``mask``, ``crop`` or ``features``.
        depends_on : dict
            Everything the result depends on, as JSON values: hashes of inputs, parameters,
            the code fingerprint and library versions; or a function without arguments that
            returns one, for what takes long to tell and stays the same in a process.
        make : callable
            Writes the entry's files into the folder it is given. If it raises, no entry appears.

        Returns
        -------
        pathlib.Path
            The complete entry's folder.

        Raises
        ------
        MachineError
            If the store cannot be read or written.
        """
        depends_on = self._told(depends_on)
        key = json_hash(depends_on)
        entry = self.entry(kind, key)
        if self._is_usable(kind, key):
            return entry
        try:
            with temporary_folder(entry) as folder:
                make(folder)
                self._complete(folder, f"{kind}/{key}", depends_on)
                self._put(folder, entry)
        except OSError as error:
            # What `make` reads from elsewhere is the patient's; the store itself is the machine's.
            if not isinstance(error.filename, str) or (
                self.root not in Path(error.filename).parents
            ):
                raise
            raise self._fault(kind, error) from error
        self._compared.add(entry)
        return entry

    def _told(self, depends_on: dict) -> dict:
        """Return what an entry's key is made of."""
        return {name: v() if callable(v) else v for name, v in depends_on.items()}

    def _complete(self, folder: Path, name: str, depends_on: dict) -> None:
        """Add to an entry's files what it depends on and their digests; bring them to the disk."""
        if "code" in depends_on:
            known = {name: depends_on[name] for name in RECORDED if name in depends_on}
            write_json(known, folder / DEPENDS_ON)
        seal(folder, name)
        flush(folder)

    def _is_usable(self, kind: str, key: str) -> bool:
        """Return whether a whole entry lies there, and set a damaged one aside."""
        entry = self.entry(kind, key)
        try:
            if not os.path.lexists(entry):
                return False
            if entry in self._compared:
                return True
            fault = fault_of(entry, f"{kind}/{key}")
            if fault is None:
                self._compared.add(entry)
                return True
            return self._set_aside(kind, key, fault)
        except OSError as error:
            raise self._fault(kind, error) from error

    def _set_aside(self, kind: str, key: str, fault: str) -> bool:
        """Move a damaged entry away; return whether a whole one had taken its place meanwhile."""
        entry = self.entry(kind, key)
        aside = name_aside(entry)
        try:
            os.rename(entry, aside)
        except FileNotFoundError:  # another job was as quick
            return False
        if whole := fault_of(aside, f"{kind}/{key}") is None:
            # Another job found the damage first, and this is what it made.
            self._put(aside, entry)
        else:
            logger.warning("store: %s/%s is damaged (%s) and made anew", kind, key, fault)
        if aside.is_dir() and not aside.is_symlink():
            shutil.rmtree(aside, ignore_errors=True)
        else:
            aside.unlink(missing_ok=True)
        return whole

    @staticmethod
    def _fault(kind: str, error: OSError) -> MachineError:
        return machine_error(error, f"the store, {kind}") or MachineError(
            "The folder of results must be readable and writable",
            found=error.strerror,
            where=kind,
            remedy="check its permissions and that its disk is mounted, and start again",
            code="results-folder-unusable",
        )

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
        flush(entry.parent)


class PassingStore(Store):
    """Entries that one process makes and reads, gone with its folder: for one patient's risk.

    Nobody finds them later. So their keys hold neither code nor versions, which stay the same in
    a process; nothing is sealed, compared or flushed.
    """

    def _told(self, depends_on: dict) -> dict:
        return {name: value for name, value in depends_on.items() if not callable(value)}

    def _complete(self, folder: Path, name: str, depends_on: dict) -> None:
        """Leave the files as they are."""

    def _is_usable(self, kind: str, key: str) -> bool:
        return self.entry(kind, key).exists()


def store_of(results: str | Path, remake: Callable[[str, str], None] | None = None) -> Store:
    """Return the store of a results folder (``results/store``)."""
    return Store(Path(os.fspath(results)) / "store", remake)
