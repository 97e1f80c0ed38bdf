"""The page of refused inputs, made of its rows and of the words of the program.

docs/bad_inputs.yaml holds the rows: a bad input, the code of what the program says of it, and the
test that makes it. Sentence, severity and remedy come from the source (`error_codes`). A line of a
log has no code: its row holds the words themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import StudyError
from pipeline.core.installed.own_files import PACKAGES
from pipeline.core.written.yaml_keys import read_yaml
from pipeline.study.options.error_codes import remedies_of, said_in, texts_of

ROWS = "docs/bad_inputs.yaml"
"""Within a checkout."""

HEAD = """\
# What is refused, and what to do

Find your message by its code: logs and `vertebromics check` print it in brackets behind the
sentence. A sentence may be reworded, a code stays. `...` stands for what differs from case to case,
such as a file, a column or a value.

- An **error** about a scan or a mask is written beside its case; the option `on_bad_case` decides
  whether the study stops or leaves the case out. An error about a table, the configuration or the
  parameter file is shown before anything runs. Nothing is half-written.
- A **warning** keeps the case.
- An **info** is worth knowing and changes nothing.

Damaged files of every format, thousands of them, are tried by `tests/fuzz/test_fuzz.py`.

This page is made by `make options` from `docs/bad_inputs.yaml`, which also names the test of each
row, and from the words of the program.
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
    remedy : str
        What to do; empty where only the printed line can say it.
    tried : bool
        Whether a test applies the remedy (tests/remedies), and not only makes the input.
    why_not_tried : str
        Why none can; empty where one does.
    """

    section: str
    bad_input: str
    code: str
    severity: str
    message: str
    test: str
    remedy: str = ""
    tried: bool = True
    why_not_tried: str = ""


def rows_of(sections: list[Mapping]) -> list[Row]:
    """Return the rows of docs/bad_inputs.yaml with the words of the program.

    Raises
    ------
    StudyError
        If no code of the program is named, or not which of its sentences is meant.
    """
    return [_row(one, row) for one in sections for row in one["rows"]]


def read_sections(root: Path = PACKAGES) -> list[Mapping]:
    """Read docs/bad_inputs.yaml of a checkout."""
    return read_yaml((root / ROWS).read_bytes())


def codes_without_row(rows: list[Row]) -> list[str]:
    """Return the codes of errors and findings that no row names, sorted."""
    return sorted({one.code for one in said_in()} - {row.code for row in rows})


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
            f"| {one.get('what', 'bad input')} | code | severity and message (start) | what to do |"
        ]
        lines += ["|---|---|---|---|"]
        lines += [_line(row) for row in rows if row.section == one["section"]]
        lines += [""]
    return "\n".join(lines)


def _line(row: Row) -> str:
    code = f"`{row.code}`" if row.code else ""
    cells = (row.bad_input, code, f"{row.severity}: {row.message}", row.remedy or IN_THE_LINE)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


IN_THE_LINE = "see the printed line"
"""What to do where only the running program knows it, or the warning says that it is done."""


def _row(section: Mapping, row: Mapping) -> Row:
    bad_input, code, test = row["input"], row.get("code", ""), row["test"]
    tried = row.get("tried", section.get("tried", True))
    why = "" if tried else row.get("why_not_tried", section.get("why_not_tried", ""))
    if not code:
        remedy = row.get("remedy", "")
        shown = (row["severity"], row["message"], test, remedy, tried, why)
        return Row(section["section"], bad_input, "", *shown)
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
    message = _message(row, code)
    remedy = row.get("remedy") or section.get("remedy") or _remedy(code, message)
    shown = (severity, message, test, remedy, tried, why)
    return Row(section["section"], bad_input, code, *shown)


def _remedy(code: str, message: str) -> str:
    """Return what the program advises; of many remedies none, since the value decides."""
    said = remedies_of(code, message)
    return "; or: ".join(said) if len(said) <= MOST_REMEDIES else ""


MOST_REMEDIES = 2
"""So many are shown side by side."""


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
