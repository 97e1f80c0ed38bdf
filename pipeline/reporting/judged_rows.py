"""Which rows a study's figures are of, in its page's words: test rows, or those of outer folds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class JudgedRows:
    """The rows that models are judged on, in words.

    Attributes
    ----------
    part : {'test', 'nested'}
        Part of the table of metrics.
    on : str
        Where a figure comes from, behind its name: "AUROC on the test rows".
    rows : str
        The rows, in a sentence.
    column : str
        The same as the heading of a column.
    holders, aim : str
        What holds the events that judge, with its verb, and what these are for.
    of_curves : str
        What a figure's caption adds of how its curves were made, as sentences.
    of_one_repeat : str
        What a caption adds of figures that are of one repeat of the outer folds.
    intervals : str
        What intervals leave out, as sentences.
    """

    part: str
    on: str
    rows: str
    column: str
    holders: str
    aim: str
    of_curves: str = ""
    of_one_repeat: str = ""
    intervals: str = ""


_TEST = JudgedRows(
    *("test", "on the test rows", "the test rows", "Test rows", "The test rows hold", "test on")
)
_NESTED = JudgedRows(
    "nested",
    "in nested cross-validation",
    "the rows that outer folds held out",
    "Rows held out",
    "The study holds",
    "judge by",
    of_curves=" The curve is the mean over the outer folds, whose scores are not on one scale.",
    intervals=" They hold for the models as they were fitted in the outer folds; the choice of the "
    "patients to learn from would add to them.",
)


def judged_rows(repeats: int | None) -> JudgedRows:
    """Return which rows a study is judged on.

    Parameters
    ----------
    repeats : int or None
        How often nested cross-validation deals the outer folds, where it judges; None for test
        rows.
    """
    if repeats is None:
        return _TEST
    if repeats == 1:
        return _NESTED
    return JudgedRows(
        **vars(_NESTED)
        | {
            "of_one_repeat": f" They are of the first of {repeats} repeats of the outer folds, in "
            "which each row is judged once."
        }
    )
