"""The slices of a series copied without identity, over several processes.

A worker process knows no patient: it gets the key of the UIDs and the texts of headers that are
settled. A slice with another text, and one that cannot be copied, is left to the process that knows
everybody, which says of it whatever there is to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from intake.handover.people.linkage import uid_of
from intake.handover.writing.cleaning import clean_dicom
from pipeline.core.errors import VertebromicsError
from pipeline.running.workers.parallel import Workers

#: Slices that a process copies at a time.
AT_A_TIME = 50


class Task(NamedTuple):
    """Slices for one process.

    Attributes
    ----------
    files : sequence of (pathlib.Path, pathlib.Path)
        Originals and copies.
    key : str
        Of the linkage, for UIDs.
    series_of : dict of str to str
        SeriesInstanceUIDs that are one series.
    known : dict of str to bool
        Texts of headers, and whether they may stay.
    names : frozenset of str
        Names of terms and regions that may stay.
    """

    files: Sequence[tuple[Path, Path]]
    key: str
    series_of: dict[str, str]
    known: dict[str, bool]
    names: frozenset[str]


class _UnsettledError(Exception):
    """A text that is not among the settled ones."""


def copy_slices(
    files: Sequence[tuple[Path, Path]],
    clean: Callable[[Path, Path], None],
    task: Callable[[Sequence[tuple[Path, Path]]], Task],
    workers: Workers,
) -> Counter[str]:
    """Copy the slices of a series, and return which texts the processes left out, and how often.

    Parameters
    ----------
    files : sequence of (pathlib.Path, pathlib.Path)
        Originals and copies.
    clean : callable
        Copies one in this process.
    task : callable
        Makes a task of some.
    workers : Workers
        Processes.
    """
    left_out: Counter[str] = Counter()
    alone = len(files) if workers.count == 1 or len(files) < 2 * AT_A_TIME else 1
    for source, target in files[:alone]:
        clean(source, target)  # settles the texts of the series
    tasks = [
        task(files[start : start + AT_A_TIME]) for start in range(alone, len(files), AT_A_TIME)
    ]
    if not tasks:
        return left_out
    for undone, counts in workers.map(_copied, tasks):
        left_out.update(counts)
        for source, target in undone:
            clean(source, target)
    return left_out


def _copied(_: object, task: Task) -> tuple[list[tuple[Path, Path]], Counter[str]]:
    """Copy some slices, and return those that are left to the caller, and what was left out."""
    undone: list[tuple[Path, Path]] = []
    left_out: Counter[str] = Counter()
    for source, target in task.files:
        found: Counter[str] = Counter()

        def uid(original: str) -> str:
            return uid_of(task.key, task.series_of.get(original, original))

        def allows(keyword: str, text: str, found: Counter[str] = found) -> bool:
            if text not in task.known:
                raise _UnsettledError
            found[keyword] += not task.known[text]
            return task.known[text]

        def rename(name: str, number: object) -> str:
            if name not in task.names:
                raise _UnsettledError
            return name

        try:
            clean_dicom(source, target, uid, rename, allows, whole=False)
        except (_UnsettledError, VertebromicsError, OSError):
            undone.append((source, target))
        else:
            left_out.update(+found)
    return undone, left_out
