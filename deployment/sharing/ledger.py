"""What a study has released before: a second release must not give back what each of them hides.

A release with a few patients more tells about these few by what it differs from the first. So the
study keeps a ledger, which never leaves it: each release's counts, and (under keyed hashes) who is
behind each. A new release is refused where it has fewer new or missing patients than the limit;
where it has more, the differences of all counts are counts too, and are protected as those of the
new tables, by the same integer programs over both releases [1]_.

References
----------
.. [1] Hundepool A, et al. Statistical Disclosure Control. Wiley 2012, section 5.2 (linked tables).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from deployment.sharing.counts import Table
from deployment.sharing.suppression import Cell, System
from pipeline.core.errors import StudyError
from pipeline.core.files import read_json, write_json

MANY = 10**9
"""Patients of a count that need not be guarded: it is out already, or no secret."""

LEDGER = "released.json"
"""Name of the file, in the folder of the study's results."""


class Ledger:
    """The releases of a study.

    Parameters
    ----------
    path : pathlib.Path
        The file; one that does not exist has no release.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        known = read_json(path) if path.exists() else {"key": secrets.token_hex(16), "releases": []}
        self.key: str = known["key"]
        self.releases: list[dict] = known["releases"]

    def marks(self, names: Iterable[str]) -> dict[str, str]:
        """Return a keyed hash of each id."""
        key = bytes.fromhex(self.key)
        return {
            name: hashlib.blake2b(str(name).encode(), key=key, digest_size=10).hexdigest()
            for name in names
        }

    def check_patients(self, populations: Mapping[str, pd.Series], fewest: int) -> None:
        """Refuse a release that has a few patients more, or fewer, than an earlier one.

        Parameters
        ----------
        populations : mapping
            Name, such as ``all`` and ``test``, to the patients of its units.
        fewest : int
            Patients by which populations may differ at least, if they do.

        Raises
        ------
        StudyError
            With how many there are.
        """
        for name, patients in populations.items():
            now = set(self.marks(patients.unique()).values())
            for at, release in enumerate(self.releases, start=1):
                before = set(release["populations"].get(name, ()))
                for who, count in (("more", len(now - before)), ("fewer", len(before - now))):
                    if before and 0 < count < fewest:
                        raise StudyError(
                            "A release must not differ from an earlier one by a few patients, of "
                            "whom the difference would tell",
                            found=f"{count} patients {who} than in release {at} ({name})",
                            where=str(self.path.name),
                            remedy=f"share results again when at least {fewest} have changed",
                            code="shared-patients-differ",
                        )

    def edges(self, digest: str) -> list[float] | None:
        """Return the limits of groups of risk that the same predictions were released with."""
        for release in reversed(self.releases):
            if release["predictions"] == digest:
                return release["edges"]
        return None

    def known_values(self, table: pd.DataFrame, column: str) -> dict[str, list[str]]:
        """Return the units with a value of a column, as keyed hashes: outcome and value of each."""
        known = table[column].dropna()
        marks = self.marks(known.index)
        values = self.marks(f"{unit} {value!r}" for unit, value in known.items())
        outcomes = table["outcome"]
        return {
            marks[unit]: [str(outcomes[unit]), values[f"{unit} {value!r}"]]
            for unit, value in known.items()
        }

    def is_steady(self, column: str, now: Mapping[str, Sequence[str]], fewest: int) -> bool:
        """Return whether means of a column, beside earlier ones, tell of nobody or of enough units.

        Parameters
        ----------
        column : str
            The column.
        now : mapping
            From `known_values`.
        fewest : int
            Units by which the known values of all, and of either outcome, may differ at least.
        """
        for release in self.releases:
            before = release["numbers"].get(column)
            if before is None:
                continue
            for group in (None, "0", "1"):
                new = {unit: tuple(each) for unit, each in now.items() if group in (None, each[0])}
                old = {
                    unit: tuple(each) for unit, each in before.items() if group in (None, each[0])
                }
                come, gone = new.keys() - old.keys(), old.keys() - new.keys()
                moved = [unit for unit in new.keys() & old.keys() if new[unit] != old[unit]]
                if any(0 < len(each) < fewest for each in (come, gone, moved)):
                    return False
        return True

    def with_earlier(self, table: Table) -> System:
        """Return a table's counts together with those of earlier releases of the same name.

        What was printed before is fixed. Where units have come or gone, the counts of these are
        differences (`Cell.difference`): small ones must not be known.
        """
        system = System(dict(table.system.cells), list(table.system.sums))
        marks = self.marks({unit for each in table.members.values() for unit in each})
        for at, release in enumerate(self.releases, start=1):
            old = release["tables"].get(table.name)
            if old is not None:
                _join(system, table, old, marks, f"release {at}: ")
        return system

    def add(
        self,
        tables: Sequence[tuple[Table, Collection[str]]],
        populations: Mapping[str, pd.Series],
        predictions: str,
        edges: Sequence[float],
        digest: str,
        numbers: Mapping[str, Mapping[str, Sequence[str]]] | None = None,
    ) -> None:
        """Remember a release and write the ledger.

        Parameters
        ----------
        tables : sequence of (Table, collection of str)
            Each with the names of its hidden counts.
        populations : mapping
            Name to the patients of its units.
        predictions : str
            Digest of the predictions that the groups of risk are of.
        edges : sequence of float
            Limits of these groups.
        digest : str
            Of the release.
        numbers : mapping, optional
            Column, of which means are given, to its `known_values`.
        """
        kept = {}
        for table, hidden in tables:
            marks = self.marks({unit for each in table.members.values() for unit in each})
            kept[table.name] = {
                "cells": {name: each.value for name, each in table.system.cells.items()},
                "hidden": sorted(hidden),
                "sums": [[total, list(parts)] for total, parts in table.system.sums],
                "members": {
                    name: sorted(marks[unit] for unit in units)
                    for name, units in table.members.items()
                },
            }
        self.releases.append(
            {
                "digest": digest,
                "populations": {
                    name: sorted(self.marks(each.unique()).values())
                    for name, each in populations.items()
                },
                "predictions": predictions,
                "edges": list(edges),
                "tables": kept,
                "numbers": {name: dict(each) for name, each in (numbers or {}).items()},
            }
        )
        write_json({"key": self.key, "releases": self.releases}, self.path)


def _join(
    system: System, table: Table, old: Mapping, marks: Mapping[str, str], before: str
) -> None:
    """Add an earlier release of a table to its counts, and how the two differ."""
    hidden = set(old["hidden"])
    new = {name: {marks[unit] for unit in units} for name, units in table.members.items()}
    total = "all|all"
    moved = bool(new) and new[total] != set(old["members"][total])
    for name, value in old["cells"].items():
        fixed = name not in hidden
        # What was hidden then is guarded now too, whatever the limit was.
        system.cells[before + name] = Cell(value, MANY if fixed else 0, fixed)
    system.sums += [
        (before + total, tuple(before + part for part in parts)) for total, parts in old["sums"]
    ]
    for name, cell in list(table.system.cells.items()):
        if name not in old["cells"]:
            continue
        if new:
            was = set(old["members"][name])
            come, gone = len(new[name] - was), len(was - new[name])
        else:  # of patients that left nobody knows who they were
            apart = cell.value - old["cells"][name]
            come, gone = max(apart, 0), max(-apart, 0)
        if not (come or gone or moved):
            # The same units: one printed count prints the other, and cannot be hidden any more.
            system.sums.append((name, (before + name,)))
            if name not in hidden:
                system.cells[name] = Cell(cell.value, MANY, fixed=True)
            continue
        several = f"{before}{name} and now"
        system.cells[several] = Cell(old["cells"][name] + come, MANY, difference=True)
        ends = {"come": come, "gone": gone}
        for what, count in ends.items():
            # Nobody has come, or gone, at all: that is no secret.
            at_all = moved and _any(new[total], set(old["members"][total]), what)
            if count or at_all:
                system.cells[f"{several}: {what}"] = Cell(count, count, difference=True)
        parts = {
            what: f"{several}: {what}" for what in ends if f"{several}: {what}" in system.cells
        }
        come_part = (parts["come"],) if "come" in parts else ()
        gone_part = (parts["gone"],) if "gone" in parts else ()
        system.sums.append((several, (before + name, *come_part)))
        system.sums.append((several, (name, *gone_part)))


def _any(now: set, before: set, what: str) -> bool:
    return bool(now - before if what == "come" else before - now)
