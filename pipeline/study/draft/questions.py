"""The open questions of a drafted study, in one list, each with the line to write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from pipeline.core.files import csv_text
from pipeline.core.problems import listing
from pipeline.study.draft.columns import Guess

MOST_ROWS = 12
"""Rows of the dictionary that a question lists."""


@dataclass(frozen=True)
class Question:
    """Something that only a person can decide.

    Attributes
    ----------
    topic : str
        One or two words.
    asks : str
        The question, with what is known.
    file : str
        File in which the answer is written.
    lines : tuple of str
        Lines to choose from.
    now : str
        What holds until it is answered.
    needed : bool
        Whether models cannot be made before it is answered.
    """

    topic: str
    asks: str
    file: str
    lines: tuple[str, ...] = ()
    now: str = ""
    needed: bool = False


@dataclass(frozen=True)
class Facts:
    """What is known of the masks of a study.

    Attributes
    ----------
    readers : tuple of str
        Letters of the readers.
    patients : int
        Patients with a mask.
    several : int
        How many of them have several vertebrae or scans.
    enrolled : bool
        Whether the order of enrolment is known of all.
    late : int
        Scans of the day of the operation or later.
    undated : int
        Scans of which nothing says whether they are of before the operation.
    """

    readers: tuple[str, ...]
    patients: int
    several: int
    enrolled: bool
    late: int = 0
    undated: int = 0


def quoted(column: str) -> str:
    """Return a column as a formula names it."""
    return column if column.isidentifier() and column.isascii() else f"`{column}`"


def outcome_lines(guesses: Sequence[Guess]) -> list[str]:
    """Return outcomes that the columns of a draft allow, as lines of a configuration."""
    lines = []
    late = [one for one in guesses if one.role == "outcome"]
    pain = [one for one in late if one.kind == "pain score"]
    if pain:
        formula = " and ".join(f"{quoted(one.column)} >= 4" for one in pain[:2])
        label = "pain of 4 or more after the operation"
        lines.append(f"outcome: {{name: pain, label: {label}, formula: {formula}}}")
    for one in late:
        if one.type == "binary" and one.levels:
            event = one.levels.split("|")[1]
            value = event if one.levels == "0|1" else f"'{event}'"
            lines.append(
                f'outcome: {{name: {one.column}, formula: "{quoted(one.column)} == {value}"}}'
            )
    for one in late:
        if one not in pain and one.type in ("continuous", "ordinal") and len(lines) < 4:
            lines.append(f'outcome: {{name: {one.column}, formula: "{quoted(one.column)} >= 20"}}')
    return lines[:4]


def pairs_question(rows: int, word: str) -> list[Question]:
    """Return the question about rows that name and birth date alone pair.

    Parameters
    ----------
    rows : int
        How many there are.
    word : str
        Their number and check word, nothing where there is nothing to confirm.
    """
    if not word:
        return []
    return [
        Question(
            "patients of the sheet",
            f"{rows} rows have no patient's number. By whole name and birth date each fits one "
            "patient alone. Is every one right? The list of the sheet and the page to confirm name "
            "them, row by row. If so, run the same command again and add (the word stands for "
            "these rows: for others it is refused):",
            "the command",
            (f"--pairs-by-name {word}",),
            "no value of these rows is in the study",
            True,
        )
    ]


def open_questions(guesses: Sequence[Guess], facts: Facts) -> list[Question]:
    """Return what a person has to decide, what is needed for models first."""
    return [
        *_of_study(guesses, facts),
        *_of_times(guesses),
        *_of_missing(guesses),
        *_of_split(facts),
        *_of_columns(guesses),
    ]


def _of_study(guesses: Sequence[Guess], facts: Facts) -> list[Question]:
    config, found = "config.yaml", []
    lines = outcome_lines(guesses)
    late = listing((one.column for one in guesses if one.role == "outcome"), 20)
    told = (
        f"Columns known after the operation: {late}. The numbers in these lines are examples"
        if lines
        else "No column looks like one"
    )
    found.append(
        Question(
            "outcome",
            f"What is the outcome? {told}",
            config,
            tuple(lines or ["outcome: {name: NAME, formula: COLUMN >= NUMBER}"]),
            "outcome: null (the study ends with the features and the report on the images)",
            True,
        )
    )
    if len(facts.readers) > 1:
        found.append(
            Question(
                "readers",
                f"Masks of {len(facts.readers)} readers ({', '.join(facts.readers)}): whose "
                "features does the model see?",
                config,
                (f"model_reader: {facts.readers[0]}", "model_reader: mean"),
                "model_reader: null",
                True,
            )
        )
    if facts.several:
        found.append(
            Question(
                "aggregation",
                f"{facts.several} of {facts.patients} patients have several vertebrae or scans: "
                "how do they become one row?",
                config,
                ("aggregation: mean", "aggregation: median", "aggregation: first"),
                "aggregation: null",
                True,
            )
        )
    late = (
        f" {facts.late} scans are of the day of the operation or later: a preoperative model must "
        "not see them. Remove their rows from cases.csv, or choose a later timing"
    )
    undated = (
        f" For {facts.undated} scans nothing says whether they were made before the operation, as "
        "the day of one of the two is not known: look at them"
    )
    found.append(
        Question(
            "timing of the model",
            "Up to which time may the model know a value?"
            + (late if facts.late else "")
            + (undated if facts.undated else ""),
            config,
            ("timing: preoperative", "timing: intraoperative", "timing: postoperative"),
            "timing: preoperative",
            bool(facts.late),
        )
    )
    age = next((one.column for one in guesses if one.kind == "age"), "age")
    rule = f"eligibility: [{{label: aged 50 or older, formula: {quoted(age)} >= 50}}]"
    found.append(
        Question(
            "eligibility", "Who belongs to the study? For example:", config, (rule,), "everybody"
        )
    )
    return found


def _of_times(guesses: Sequence[Guess]) -> list[Question]:
    left = [one for one in guesses if not one.timing and one.role == "other" and one.type]
    left = [one for one in left if "not used: one value only" not in one.reasons]
    late = [one for one in guesses if one.disputed]
    found = []
    if left:
        found.append(
            Question(
                "timing of columns",
                "When are these values known? Until somebody says it, no model sees them: "
                + listing((one.column for one in left), 40)
                + ". For those known before the operation put these rows in place of theirs:",
                "dictionary.csv",
                tuple(map(_row, left[:MOST_ROWS])),
                "timing blank, role other",
            )
        )
    if late:
        told = listing((f"{one.column} (`{one.disputed}`)" for one in late), 40)
        found.append(
            Question(
                "timing that contradicts",
                f"Such values are mostly known earlier than their sheet, heading or visit says: "
                f"{told}. The later time holds. For those known before the operation put these "
                "rows in place of theirs:",
                "dictionary.csv",
                tuple(map(_row, late[:MOST_ROWS])),
                "the later time, not used before it",
            )
        )
    if supposed := [one.column for one in guesses if one.supposed]:
        found.append(
            Question(
                "timing that nothing states",
                "Taken as known before the operation because of what they are, as neither name, "
                f"heading, worksheet nor file says when they were measured: {listing(supposed, 40)}"
                ". Is it so? For a later one write postoperative into `timing`, and other into "
                "`role`",
                "dictionary.csv",
                (),
                "preoperative",
            )
        )
    return found


def _row(one: Guess) -> str:
    """Return a column's row of the dictionary as a predictor known before the operation."""
    told = one.row() | {"timing": "preoperative", "role": "predictor", "reason": "confirmed"}
    return csv_text(pd.DataFrame([told])).splitlines()[1]


def _of_missing(guesses: Sequence[Guess]) -> list[Question]:
    words, clashes = missing_values(guesses)
    found = []
    if words:
        found.append(
            Question(
                "missing values",
                "These words and codes are taken for `not known`, in every column. Is that right?",
                "config.yaml",
                (missing_line(words),),
                "as in this line",
            )
        )
    for one in guesses:
        if one.unreadable:
            cells = listing(f"`{text}` ({number})" for text, number in one.unreadable.items())
            found.append(
                Question(
                    "cells that are no number",
                    f"{one.column} is a column of numbers, but for {cells}. If the number is "
                    "known, correct it in the sheet and run intake again",
                    "the sheet",
                    (),
                    "taken for not known",
                )
            )
    for column, codes in clashes.items():
        found.append(
            Question(
                "missing values",
                f"{column}: {listing(codes)} looks like a code for `not known`, but is a value of "
                "another column. If it is a code, clear these cells in the sheet and run intake "
                "again",
                "the sheet",
                (),
                "taken as a number",
            )
        )
    return found


def missing_values(guesses: Sequence[Guess]) -> tuple[list[str], dict[str, list[str]]]:
    """Return the words for ``missing_values``, and codes by column that are values elsewhere."""
    words: dict[str, None] = {}
    clashes: dict[str, list[str]] = {}
    levels = {level for one in guesses for level in one.levels.split("|") if level}
    values = {text for one in guesses for text in one.seen - set(one.missing)}
    for one in guesses:
        for text in one.missing:
            if text in levels or text in values:
                clashes.setdefault(one.column, []).append(text)
            else:
                words[text] = None
        for text in one.unreadable:
            words[text] = None
    return list(words), clashes


def missing_line(words: Sequence[str]) -> str:
    """Return the line of a configuration that names words for `not known`."""
    from pipeline.core.written.number_notation import NUMBER

    shown = [
        word if NUMBER.fullmatch(word) else "'" + word.replace("'", "''") + "'" for word in words
    ]
    return f"missing_values: [{', '.join(shown)}]"


def _of_split(facts: Facts) -> list[Question]:
    lines = ["split: {design: holdout, test_fraction: 0.3}"]
    if facts.enrolled:
        lines.append("split: {design: temporal, column: enrolment, test_fraction: 0.3}")
    return [
        Question(
            "split",
            "Which patients test the model? Drawn at random, or the last ones enrolled",
            "config.yaml",
            tuple(lines),
            lines[0],
        )
    ]


def _of_columns(guesses: Sequence[Guess]) -> list[Question]:
    found = []
    for one in guesses:
        found += [
            Question("a column", f"{one.column}: {text}", "dictionary.csv") for text in one.asks
        ]
        if one.outside:
            found.append(
                Question(
                    "values outside the range",
                    f"{one.column}: {listing(one.outside)} outside of {one.range}. Correct the "
                    "cells in the sheet, or write a wider range",
                    "dictionary.csv",
                    (),
                    "kept, with a warning",
                )
            )
    return found


def as_markdown(questions: Sequence[Question], guesses: Sequence[Guess], name: str) -> str:
    """Return the list for ``questions.md``: what is needed first, then what to confirm."""
    lines = [f"# Open questions of the study {name}", ""]
    needed = [one for one in questions if one.needed]
    others = [one for one in questions if not one.needed]
    number = 1
    for title, some in (
        ("Needed before models can be made", needed),
        ("Guesses to confirm: they hold until you change them", others),
    ):
        if some:
            lines += [f"## {title}", ""]
        for one in some:
            lines += [f"{number}. **{one.topic}** ({one.file}): {_sentence(one.asks)}", ""]
            lines += [f"       {line}" for line in one.lines]
            lines += [""] if one.lines else []
            lines += [f"   Until then: {one.now}.", ""] if one.now else []
            number += 1
    lines += ["## What each column was taken for", ""]
    lines += ["| column | in the sheet | type | timing | role | why |", "|---|---|---|---|---|---|"]
    for guess in guesses:
        cells = [guess.column, guess.label, guess.type, guess.timing, guess.role]
        cells += ["; ".join(guess.reasons)]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join([*lines, ""])


def _sentence(text: str) -> str:
    return text if text.endswith(("?", ".", ":")) else f"{text}."


def on_screen(questions: Sequence[Question]) -> str:
    """Return the list as a screen shows it: a question and its lines to write."""
    lines = []
    for number, one in enumerate([*(q for q in questions if q.needed),
                                  *(q for q in questions if not q.needed)], 1):  # fmt: skip
        mark = "needed" if one.needed else "to confirm"
        lines.append(f"  {number}. {one.topic} ({mark}, {one.file}): {_sentence(one.asks)}")
        lines += [f"       {line}" for line in one.lines]
    return "\n".join(lines)
