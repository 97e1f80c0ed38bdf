"""Who a study's figures are of, in its page's words: held-out patients, or those of outer folds."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class JudgedRows:
    """The units that models are judged on, in words.

    Attributes
    ----------
    part : {'test', 'nested'}
        Part of the table of metrics.
    on : str
        Where a figure comes from, behind its name: "AUROC on the held-out patients".
    rows : str
        The units, in a sentence.
    units : str
        What they are: patients, or cases.
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
    units: str
    column: str
    holders: str
    aim: str
    of_curves: str = ""
    of_one_repeat: str = ""
    intervals: str = ""


_NESTED = JudgedRows(
    "nested",
    on="in nested cross-validation",
    rows="",
    units="",
    column="",
    holders="The study has",
    aim="judge by",
    of_curves=" The curve is the mean over the outer folds, whose scores are not on one scale.",
    intervals=" They hold for the models as they were fitted in the outer folds; the choice of the "
    "patients to learn from would add to them.",
)


def judged_rows(repeats: int | None, unit: str) -> JudgedRows:
    """Return who a study is judged on.

    Parameters
    ----------
    repeats : int or None
        How often nested cross-validation deals the outer folds, where it judges; None for a
        hold-out.
    unit : {'patient', 'case'}
        What a row of the study is.
    """
    if repeats is None:
        held_out = f"held-out {unit}s"
        return JudgedRows(
            "test",
            on=f"on the {held_out}",
            rows=f"the {held_out}",
            units=f"{unit}s",
            column=held_out.capitalize(),
            holders=f"The {held_out} have",
            aim="test on",
        )
    nested = replace(
        _NESTED,
        rows=f"the {unit}s that outer folds held out",
        units=f"{unit}s",
        column=f"{unit.capitalize()}s held out",
    )
    if repeats == 1:
        return nested
    return replace(
        nested,
        of_one_repeat=f" They are of the first of {repeats} repeats of the outer folds, in which "
        f"each {unit} is judged once.",
    )
