"""A table of predictions as it is handed in: its outcome, its patients, its columns."""

from __future__ import annotations

import argparse
import logging
import shlex
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pipeline.core.errors import StudyError
from pipeline.core.problems import Problems, listing, suggestion
from pipeline.core.written.spellings import same_words, spelling_of, typed_alike
from pipeline.tables.dictionary import MISSING
from pipeline.tables.files.sheets import cell, read_sheet
from pipeline.tables.id_checks import check_rows_of_patients, check_spellings
from pipeline.tables.identifying.checks import check_identifying, shown
from pipeline.tables.number_columns import column_of_numbers
from pipeline.tables.values.counted_words import Advice, meanings, meanings_text, word_problems

logger = logging.getLogger("vertebromics")

#: What a table may say for the event where the command line names no word for it.
EVENT_WORDS = ("1", "1.0")
OTHER_WORDS = ("0", "0.0")

WORDS = {True: "event", False: "no event", None: "unknown"}


def read_predictions(
    path: str | Path,
    outcome: str,
    columns: Sequence[str],
    *,
    event: str | Sequence[str] | None = None,
    other: Sequence[str] = (),
    missing: Sequence[str] = (),
    patient: str | None = None,
) -> tuple[pd.DataFrame, int]:
    """Read the rows to be judged.

    Parameters
    ----------
    path : path-like
        A table in any format that `pipeline.tables.files.sheets.read_sheet` reads.
    outcome : str
        Column of the outcome.
    columns : sequence of str
        Columns of predictions.
    event : str or sequence of str, optional
        How the column says that the event happened; 1 by default, and then 0 is the only other.
    other : sequence of str, optional
        How it says that it did not; by default every other word.
    missing : sequence of str, optional
        Words that stand for "not known": their rows are left out as blanks are.
    patient : str, optional
        Column of the patient of a row; by default every row is a patient.

    Returns
    -------
    rows : pandas.DataFrame
        As `judgement.judge` takes them: rows without a blank cell in the named columns.
    left_out : int
        Rows with a blank.

    Raises
    ------
    StudyError
        If a column is missing, a prediction is no number, or the outcome has no two values; if its
        words differ in case or blanks only, or one of them says that the outcome is not known; or
        if patients' ids differ in spelling only.
    """
    sheet = read_sheet(path)
    problems = Problems(f"the table {path}")
    named = [outcome, *columns, *([patient] if patient else [])]
    for name in dict.fromkeys(named):
        if name not in sheet.columns:
            problems.add(
                "A column to be judged must be in the table",
                found=name,
                where=f"{path}, header",
                remedy=suggestion(name, sheet.columns) or f"columns: {listing(sheet.columns)}",
                code="judged-column-missing",
            )
    check_identifying(sheet, path, problems, own=named)
    problems.raise_if_any()
    for name in [patient] if patient else sheet.columns.difference(named):
        if patient or sheet[name].nunique() == len(sheet):
            check_rows_of_patients(sheet[name], str(path), problems)
    sheet = sheet[list(dict.fromkeys(named))]
    sheet = sheet.where(~sheet.isin(MISSING), None)
    if missing:
        blank = {name: sheet[name].where(~same_words(sheet[name], missing), None) for name in sheet}
        sheet = sheet.assign(**blank)
    sheet[outcome] = typed_alike(sheet[outcome])
    if patient:
        check_spellings({str(path): sheet[patient].dropna()}, "patient", problems)
    complete = sheet.dropna()
    rows = pd.DataFrame(index=complete.index)
    rows["patient_id"] = complete[patient] if patient else complete.index.astype(str)
    rows["outcome"] = _events(complete[outcome], event, other, path, problems)
    numbers = {
        name: column_of_numbers(complete[name], path, problems, "A prediction") for name in columns
    }
    problems.raise_if_any()
    if rows["outcome"].nunique() < 2:
        words = sorted(complete[outcome].unique())
        raise StudyError(
            "An outcome must have happened in some rows and not in others",
            found=f"{listing(map(shown, words))}, of which {event or 1} is the event",
            where=f"{path}, column {outcome}",
            remedy="name the event as the column writes it: --event",
            code="outcome-constant",
        )
    return rows.assign(**numbers), len(sheet) - len(complete)


def _events(
    values: pd.Series,
    event: str | Sequence[str] | None,
    other: Sequence[str],
    path: str | Path,
    problems: Problems,
) -> pd.Series:
    where = f"{path}, column {values.name}"
    if event is None:
        for row, text in values[~values.isin([*EVENT_WORDS, *OTHER_WORDS])].items():
            problems.add(
                "An outcome must be 1 (event) or 0, unless --event names its word",
                found=shown(text),
                where=cell(path, row, str(values.name)),
                remedy="such as --event TRUE; all other words then are no event",
                code="outcome-not-zero-or-one",
            )
        events = values.isin(EVENT_WORDS)
    else:
        there = values.unique()
        named = [event] if isinstance(event, str) else list(event)
        named = [spelling_of(each, there) for each in named]
        others = [spelling_of(each, there) for each in other]
        events = values.isin(named)
        for text in sorted(set(named) & set(others)):
            problems.add(
                "A word must be the event or none",
                found=text,
                where=where,
                remedy="take it out of --event or of --no-event",
                code="outcome-word-both-ways",
            )
        for text in sorted(set(values[~events]) - set(others)) if others else ():
            problems.add(
                "Every word of the outcome must be named, as --no-event names some",
                found=shown(text),
                where=where,
                remedy="add it to --event, --no-event or --missing",
                code="outcome-word-unnamed",
            )
        problems.errors += word_problems(
            values,
            events.astype("boolean"),
            [*named, *others],
            column=str(values.name),
            where=where,
            advice=Advice(
                lambda texts: "write --event " + _typed(texts),
                lambda texts: "write --no-event " + _typed(texts),
                lambda texts: "write --missing " + _typed(texts),
            ),
            words=WORDS,
            decides=not others,  # otherwise every word that is not named is refused above
        )
    told = meanings(values, events.astype("boolean"), WORDS)
    logger.info("column %s: %s", values.name, meanings_text(told))
    return events.astype(int)


def _typed(texts: Sequence[str]) -> str:
    """Return words as they are typed behind an option."""
    return " ".join(map(shlex.quote, texts))


def reading_options(options: argparse.Namespace) -> dict:
    """Return what the command line says of how a table is read, as `read_predictions` takes it."""
    return {
        "event": options.event,
        "other": options.no_event,
        "missing": options.missing,
        "patient": options.patient,
    }
