"""The remedy of every bad input, applied: one module per section of docs/bad_inputs.md.

Each module has a dict ``REMEDIES``: by the first cell of a row, a function that is called with an
empty folder. The function makes the bad input, looks that it is refused (or warned of) with a
remedy, does what that remedy says and nothing else, and looks that the input is then accepted, or
differs in the way that the remedy states. What a remedy asks of other programs (a new export from
an archive, a mask saved again) is done by the writers of the tests.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

Remedy = Callable[[Path], None]


def says(text: object, *patterns: str) -> None:
    """Look that a message or a remedy says each of `patterns` (regular expressions)."""
    for pattern in patterns:
        assert re.search(pattern, str(text)), f"{pattern!r} is not in: {text}"
