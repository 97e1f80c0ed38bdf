"""One driver for many rows: a bad input at a door, what is said of it, and what mends it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.remedies import Remedy, row_of, says
from tests.remedies import rule_of as words_of
from tests.support.refusals import refusal

SECTION = "Masks"

#: A door, or what makes or mends an input: called with the folder of the test.
Step = Callable[[Path], object]


def rule_of(bad_input: str) -> str:
    """Return the message of a row about masks as a regular expression."""
    return words_of(SECTION, bad_input)


def refused(bad_input: str, spoil: Step, door: Step, words: str, mend: Step) -> Remedy:
    """Return the entry of an error whose remedy makes the door take the input.

    Parameters
    ----------
    bad_input : str
        First cell of the row.
    spoil, mend : callable
        Make the bad input; do what the remedy says.
    door : callable
        What refuses it.
    words : str
        Words of the remedy, as a regular expression.
    """

    def remedy(folder: Path) -> None:
        spoil(folder)
        with refusal(row_of(SECTION, bad_input).code) as caught:
            door(folder)
        says(caught.value.remedy, words)
        mend(folder)
        door(folder)

    return remedy


def warned(bad_input: str, before: Step, words: str, after: Step | None) -> Remedy:
    """Return the entry of a finding that is gone after its remedy.

    Parameters
    ----------
    bad_input : str
        First cell of the row.
    before, after : callable
        Return the findings of the bad input, and of the mended one. Where `after` is None the
        remedy asks to look only, and the case must be kept as it is.
    words : str
        Words of the remedy, as a regular expression.
    """

    def remedy(folder: Path) -> None:
        code = row_of(SECTION, bad_input).code
        (finding,) = [one for one in before(folder) if one.code == code]
        says(finding.message, rule_of(bad_input))
        says(finding.remedy, words)
        if after is None:
            assert finding.severity == "warning"
        else:
            assert finding.code not in {one.code for one in after(folder)}

    return remedy
