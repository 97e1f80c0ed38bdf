"""The two modes of a study, and the word that follows the numbers of the leaking one everywhere.

What `mode: as_published` computes is labelled in one way: every table has a column, and every JSON
file a key, `mode`; the word `LEAKING` stands in the report's headings, captions and figures and at
the end of every line of a log. Files of the other mode carry none of it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

logger = logging.getLogger("vertebromics")

RIGOROUS = "rigorous"
AS_PUBLISHED = "as_published"

COLUMN = "mode"
"""Column of a table and key of a JSON file that tell what was computed in which order."""

WORD = "LEAKING"
LABEL = f"{WORD} ({AS_PUBLISHED})"
"""Value of `COLUMN` where the published order was followed."""


def is_leaking(mode: str) -> bool:
    """Return whether a study's `mode` asks for the published order."""
    return mode == AS_PUBLISHED


@contextmanager
def labelled_log(mode: str) -> Iterator[None]:
    """Let every line that is logged within the block end with the word, where the study leaks."""

    def label(record: logging.LogRecord) -> bool:
        record.msg, record.args = f"{record.getMessage()} [{WORD}]", ()
        return True

    if not is_leaking(mode):
        yield
        return
    logger.addFilter(label)
    try:
        yield
    finally:
        logger.removeFilter(label)
