"""What a person confirms holds for what was looked at: paired rows, and columns of text.

Beside the proposals the intake prints their number and a check word, such as ``3-k7fq``, which is
made of the name, birth date and patient of every proposed row. Where another row is proposed, or
the same row for another patient, the word is another one, and the old one is refused; a file that
bears another name, or is sorted otherwise, says the same of everybody. The word says
nothing of a patient: it is a keyed hash (`Linkage.digest`) of all pairs together, of 19 bits. A
column that was taken for text is kept by the word of its cells in the same way.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from intake.handover.people.linkage import ALPHABET, Linkage
from pipeline.core.errors import StudyError
from pipeline.core.problems import listing

LETTERS = 4
"""Of a check word: another set of as many pairs has the same one once in half a million times."""

MOST_TOLD = 8
"""Rows that an error names."""

_WORD = re.compile(rf"[{ALPHABET.lower()}]{{{LETTERS}}}")
_FORM = re.compile(rf"[1-9][0-9]*-{_WORD.pattern}")


@dataclass(frozen=True, order=True)
class Pair:
    """A row that is proposed for a patient.

    Attributes
    ----------
    sheet : str
        File and worksheet.
    row : int
        Number of the row. The word depends on neither: a copy of the sheet under another name, or
        sorted otherwise, says the same of everybody.
    said : str
        Name and birth date, as the sheet has them.
    patient : str
        Original patient.
    """

    sheet: str
    row: int
    said: str
    patient: str

    @property
    def place(self) -> str:
        """Where the row stands."""
        return f"{self.sheet}, row {self.row}"


def check_word(pairs: Sequence[Pair], linkage: Linkage) -> str:
    """Return the number of pairs and their check word, nothing where there are none."""
    if not pairs:
        return ""
    told = sorted((one.said, one.patient) for one in pairs)
    word = _word(linkage, "pairs by name", *(text for one in told for text in one))
    return f"{len(pairs)}-{word}"


def column_word(header: str, texts: Iterable[str], linkage: Linkage) -> str:
    """Return the check word of the different texts of a column."""
    return _word(linkage, "kept column", header, *sorted(set(texts)))


def kept_columns(told: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return what ``--keep-column`` names, each with its check words, one for each sheet's texts.

    >>> kept_columns(["Note=K7FQ", "a=b", "Group", "Note=2r5t"])
    {'Note': ('k7fq', '2r5t'), 'a=b': (), 'Group': ()}
    """
    found: dict[str, tuple[str, ...]] = {}
    for text in told:
        name, mark, word = text.rpartition("=")
        known = bool(mark) and _WORD.fullmatch(word.strip().lower()) is not None
        key = name if known else text
        found[key] = found.get(key, ()) + ((word.strip().lower(),) if known else ())
    return found


def _word(linkage: Linkage, *told: str) -> str:
    number, word = int.from_bytes(linkage.digest(*told)), ""
    for _ in range(LETTERS):
        number, place = divmod(number, len(ALPHABET))
        word += ALPHABET[place].lower()
    return word


def shown(pairs: Sequence[Pair], linkage: Linkage) -> dict:
    """Return what the linkage remembers of the pairs that a person was shown.

    A later intake tells by it which rows are others.
    """
    if not pairs:
        return {}
    rows = [[_digest(one, linkage), one.place] for one in sorted(pairs)]
    return {"word": check_word(pairs, linkage), "rows": rows}


def is_confirmed(asked: str | None, pairs: Sequence[Pair], linkage: Linkage) -> bool:
    """Return whether somebody has confirmed these very pairs; nothing asked confirms none.

    Parameters
    ----------
    asked : str or None
        What was written behind ``--pairs-by-name``.
    pairs : sequence of Pair
        What is proposed now.
    linkage : Linkage
        With what the last intake showed.

    Raises
    ------
    StudyError
        If other pairs were confirmed than those of now.
    """
    if asked is None:
        return False
    now = check_word(pairs, linkage)
    if asked == now:
        return True
    if linkage.proposed.get("word") != asked:
        raise StudyError(
            "--pairs-by-name must be the number and word that stand beside the proposed rows",
            found=f"{asked}, which the last intake did not print",
            remedy="run the same command without --pairs-by-name, look at each row of the list, "
            "and add the line that it prints then",
            code="pairs-by-name-unknown",
        )
    new, gone = _changes(pairs, linkage)
    raise StudyError(
        "--pairs-by-name confirms the rows that were looked at, and others are proposed now",
        found="; ".join(
            f"{what}: {listing(places, MOST_TOLD)}"
            for what, places in (("new or changed", new), ("no longer proposed", gone))
            if places
        ),
        remedy=f"look at these rows in the sheet; if name and birth date are right, write "
        f"--pairs-by-name {now}"
        if pairs
        else "leave --pairs-by-name out: no row needs it any more",
        code="pairs-by-name-stale",
    )


def pairs_word(text: str) -> str:
    """Return what somebody wrote behind ``--pairs-by-name``: an argparse type."""
    word = text.strip().lower()
    if not _FORM.fullmatch(word):
        raise argparse.ArgumentTypeError(
            f"must be a number of rows with its check word. Found: {text}. Remedy: write it as the "
            "intake printed it beside the rows, such as 3-k7fq."
        )
    return word


def _changes(pairs: Iterable[Pair], linkage: Linkage) -> tuple[list[str], list[str]]:
    """Return the places of rows that were not shown like this, and of those that are gone."""
    before = Counter(digest for digest, _ in linkage.proposed["rows"])
    new = []
    for one in sorted(pairs):
        digest = _digest(one, linkage)
        if before[digest]:
            before[digest] -= 1
        else:
            new.append(one.place)
    gone = []
    for digest, place in linkage.proposed["rows"]:
        if before[digest]:
            before[digest] -= 1
            gone.append(place)
    return new, gone


def _digest(one: Pair, linkage: Linkage) -> str:
    return linkage.digest("pair by name", one.said, one.patient).hex()[:16]
