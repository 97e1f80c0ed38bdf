"""What the remedies of tables share: refusals and warnings of a door, and what they advise."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import contextmanager

import pytest

from pipeline.core.errors import VertebromicsError
from tests.remedies import says

Door = Callable[[], object]


def refused(door: Door, rule: str, *remedy: str) -> str:
    """Look that a door refuses by `rule`, with a remedy of these words; return the message.

    Parameters
    ----------
    door : callable
        Reads or checks the bad input.
    rule : str
        Regular expression for the rule.
    *remedy : str
        Regular expressions for the words behind ``Remedy:``.
    """
    with pytest.raises(VertebromicsError) as caught:
        door()
    text = str(caught.value)
    says(text, rule, "Remedy: ")
    says(text.split("Remedy: ", 1)[1], *remedy)
    return text


@contextmanager
def warnings(level: int = logging.WARNING):
    """Collect what is logged at `level` or above within the block."""
    lines: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    collector, root = Collector(level), logging.getLogger()
    before = root.level
    root.addHandler(collector)
    root.setLevel(level)
    try:
        yield lines
    finally:
        root.removeHandler(collector)
        root.setLevel(before)


def warned(door: Door, *said: str) -> str:
    """Look that a door takes the input and warns in these words; return the warnings."""
    with warnings() as lines:
        door()
    text = "\n".join(lines)
    says(text, *said)
    return text


def quiet(door: Door, said: str) -> None:
    """Look that a door takes the input and no longer says `said`."""
    with warnings() as lines:
        door()
    assert said not in "\n".join(lines)
