"""The remedy of every bad input, applied: one module per section of docs/bad_inputs.md.

Each module has a dict ``REMEDIES``: by the first cell of a row, a function that is called with an
empty folder. The function makes the bad input, looks that it is refused (or warned of) with a
remedy, does what that remedy says and nothing else, and looks that the input is then accepted, or
differs in the way that the remedy states. What a remedy asks of other programs (a new export from
an archive, a mask saved again) is done by the writers of the tests.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import VertebromicsError
from pipeline.study.options.bad_inputs import Row
from tests.docs.test_bad_inputs_doc import ROWS
from tests.support.commands import run_here
from tests.support.refusals import codes_of

Remedy = Callable[[Path], None]

#: The code of an error at the end of a line of a log.
PRINTED = re.compile(r"\[([a-z0-9-]+)\]\.?$", re.MULTILINE)


def says(text: object, *patterns: str) -> None:
    """Look that a message or a remedy says each of `patterns` (regular expressions)."""
    for pattern in patterns:
        assert re.search(pattern, str(text)), f"{pattern!r} is not in: {text}"


def row_of(section: str, bad_input: str) -> Row:
    """Return a row of docs/bad_inputs.md."""
    (row,) = [row for row in ROWS if (row.section, row.bad_input) == (section, bad_input)]
    return row


def rule_of(section: str, bad_input: str) -> str:
    """Return what a row of docs/bad_inputs.md says that the program says, as an expression."""
    return ".*".join(map(re.escape, row_of(section, bad_input).message.split("...")))


def has_code(error: Exception, row: Row) -> None:
    """Look that an error, or what a process printed of it, has the code of its row."""
    if (codes := codes_of(error) or set(PRINTED.findall(str(error)))) and row.code:
        assert row.code in codes, f"{codes} instead of {row.code}: {error}"


def refused(
    section: str,
    bad_input: str,
    door: Callable[[], object],
    remedy: str,
    kind: type[Exception] = VertebromicsError,
) -> Exception:
    """Look that `door` refuses in the words of the row, and with a remedy that says `remedy`."""
    with pytest.raises(kind, match=rule_of(section, bad_input)) as told:
        door()
    has_code(told.value, row_of(section, bad_input))
    says(told.value, f"Remedy: .*{remedy}")
    return told.value


#: A door that takes the folder of the test and what is given, bad things that are given, words of
#: the remedy (a regular expression), and what the remedy makes of the bad things.
Given = tuple[Callable[[Path, Any], object], Sequence[Any], str, Sequence[Any]]


def entries(section: str, rows: Mapping[str, Given]) -> dict[str, Remedy]:
    """Return the entries of rows whose door refuses what is bad, and takes what is mended."""

    def entry(bad_input: str) -> Remedy:
        door, bads, words, goods = rows[bad_input]

        def run(folder: Path) -> None:
            for bad in bads:
                refused(section, bad_input, lambda bad=bad: door(folder, bad), words)
            for good in goods:
                door(folder, good)

        return run

    return {bad_input: entry(bad_input) for bad_input in rows}


def called(module: str, *words: object) -> None:
    """Call a command; what it prints as its error is raised."""
    done = run_here(module, *words)
    if done.returncode:
        raise VertebromicsError(done.stderr.split(" ERROR ", 1)[1].strip())


@contextlib.contextmanager
def logged() -> Iterator[list[str]]:
    """Give what is logged meanwhile, line by line."""
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())
    logging.getLogger().addHandler(handler)
    try:
        yield said
    finally:
        logging.getLogger().removeHandler(handler)
