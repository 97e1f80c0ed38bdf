"""The page of refused inputs, made of its rows and of the words of the program.

docs/bad_inputs.yaml holds the rows: a bad input, the code of what the program says of it, and the
test that makes it. The sentence and its severity come from the source (`error_codes`). A line of a
log has no code: its row holds the words themselves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import StudyError
from pipeline.core.installed.own_files import PACKAGES
from pipeline.core.written.yaml_keys import read_yaml
from pipeline.study.options.error_codes import FILLED, said_in, texts_of

ROWS = "docs/bad_inputs.yaml"
"""Within a checkout."""

HEAD = """\
# What is refused, and in which words

Each bad input below ends in one sentence that says what was expected, what was found, in which
file and what to do; nothing is half-written. An **error** about a scan or a mask becomes a finding
of its case (`on_bad_case: stop | exclude` decides what follows), one about a table, the
configuration or the parameter file is told before anything runs. A **warning** keeps the case.
`...` stands for what differs from case to case. The code names the rule: a sentence may be
reworded, a code stays; logs and `vertebromics check` print it in brackets behind the sentence. The
test named in the last column, with its case in brackets, makes the input and checks the answer.
Damaged files of every format, thousands of them, are tried by `tests/fuzz/test_fuzz.py`.

This page is made by `make options` from `docs/bad_inputs.yaml` and the words of the program.
"""


@dataclass(frozen=True)
class Row:
    """A bad input, and what the program says of it.

    Attributes
    ----------
    section, bad_input, test : str
        Where on the page, what is wrong, and which test makes it.
    code : str
        What the program calls it; empty for a line of a log.
    severity : {'error', 'warning', 'info'}
        What follows.
    message : str
        How the sentence begins; ``...`` for what differs.
    """

    section: str
    bad_input: str
    code: str
    severity: str
    message: str
    test: str


def rows_of(sections: list[Mapping]) -> list[Row]:
    """Return the rows of docs/bad_inputs.yaml with the words of the program.

    Raises
    ------
    StudyError
        If no code of the program is named, or not which of its sentences is meant.
    """
    return [_row(one["section"], row) for one in sections for row in one["rows"]]


def read_sections(root: Path = PACKAGES) -> list[Mapping]:
    """Read docs/bad_inputs.yaml of a checkout."""
    return read_yaml((root / ROWS).read_bytes())


def codes_without_row(rows: list[Row]) -> list[str]:
    """Return the codes of errors that no row names, sorted."""
    codes = {one.code for one in said_in() if one.kind == "error"}
    return sorted(codes - {row.code for row in rows})


def bad_inputs_page() -> str:
    """Return the text of docs/bad_inputs.md."""
    sections = read_sections()
    rows = rows_of(sections)
    lines = [HEAD]
    for one in sections:
        lines += [f"## {one['section']}", ""]
        if "about" in one:
            lines += [one["about"].rstrip(), ""]
        lines += [
            f"| {one.get('what', 'bad input')} | code | severity and message (start) | test |"
        ]
        lines += ["|---|---|---|---|"]
        lines += [_line(row) for row in rows if row.section == one["section"]]
        lines += [""]
    return "\n".join(lines)


def _line(row: Row) -> str:
    code = f"`{row.code}`" if row.code else ""
    cells = (row.bad_input, code, f"{row.severity}: {row.message}", f"`{row.test}`")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _row(section: str, row: Mapping) -> Row:
    bad_input, code, test = row["input"], row.get("code", ""), row["test"]
    if not code:
        return Row(section, bad_input, "", row["severity"], row["message"], test)
    severities = {one.severity for one in said_in() if one.code == code}
    if not severities:
        raise StudyError(
            "A row of bad inputs must name a code of the program",
            found=code,
            where=f"{ROWS}, {bad_input}",
            remedy="write the code that stands beside the error's sentence in the source",
            code="row-without-code",
        )
    severity = row.get("severity") or next(iter(severities))
    return Row(section, bad_input, code, severity, _message(row, code), test)


def _message(row: Mapping, code: str) -> str:
    """Return what is said with a code; a row says which of several sentences is meant."""
    texts, stated = texts_of(code), row.get("message")
    if stated is None and len(texts) == 1:
        return texts[0]
    if stated:
        return stated
    raise StudyError(
        "A row of bad inputs must say which of the sentences of its code is meant",
        found=f"{len(texts)} of them",
        where=f"{ROWS}, {row['input']}",
        remedy=f"write `message:` with the start of one: {' / '.join(texts)}",
        code="row-without-message",
    )


def may_be(stated: str, text: str) -> bool:
    """Return whether a row's words are a part of a sentence, `text`, with or without its values.

    Examples
    --------
    >>> may_be("A CT must have at least 2 slices", "A CT must have at least ... slices")
    True
    >>> may_be("no more than ...", "A CT must have at least ... slices")
    False
    """
    said = ".*".join(map(re.escape, stated.split(FILLED)))
    filled = ".*".join(map(re.escape, text.split(FILLED)))
    return bool(re.search(said, text)) or bool(re.match(filled, stated))
