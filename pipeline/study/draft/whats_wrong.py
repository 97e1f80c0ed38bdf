"""Every problem of a study at once, grouped by rule, and the lines to paste that mend them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipeline.core.errors import StudyError
from pipeline.core.files import csv_text
from pipeline.core.problems import Problems, listing
from pipeline.study.draft.columns import Given, guess, is_unknown
from pipeline.study.draft.questions import missing_line
from pipeline.tables.clinical.clinical_table import clinical_sheet
from pipeline.tables.columns import KEYS, table_name
from pipeline.tables.dictionary import NUMERIC, levels_of, read_dictionary
from pipeline.tables.identifying.checks import shown

PLACES = 8
"""Places of one mistake that are listed."""

ROW = ("column", "label", "type", "unit", "levels", "timing", "role", "range")
"""Columns of a dictionary's row, as it is pasted where the dictionary has no others."""


def grouped(errors: Sequence[StudyError]) -> str:
    """Return all mistakes, those of one rule together, with their places and remedies."""
    by_rule: dict[str, list[StudyError]] = {}
    for error in errors:
        by_rule.setdefault(error.rule, []).append(error)
    lines = []
    for number, (rule, several) in enumerate(by_rule.items(), 1):
        if len(several) == 1:
            lines.append(f"{number:>3}. {several[0].with_code()}")
            continue
        counted = StudyError(f"{rule} ({len(several)} times)", code=several[0].code)
        lines.append(f"{number:>3}. {counted.with_code()}")
        by_remedy: dict[str | None, list[StudyError]] = {}
        for error in several:
            by_remedy.setdefault(error.remedy, []).append(error)
        for remedy, some in by_remedy.items():
            places = [
                f"{error.found} in {error.where}" if error.found is not None else str(error.where)
                for error in some
            ]
            lines.append(f"     Found: {listing(places, PLACES)}.")
            if remedy:
                lines.append(f"     Remedy: {remedy.rstrip('.')}.")
    kinds = f", of {len(by_rule)} kinds" if 1 < len(by_rule) < len(errors) else ""
    return f"There are {len(errors)} problems{kinds}:\n" + "\n".join(lines)


@dataclass(frozen=True, kw_only=True)
class ReadingOptions:
    """Options by which a clinical table and its dictionary are read."""

    clinical: str
    dictionary: str
    unit: str
    columns: Mapping[str, str | list[str]]
    missing_values: Sequence[str]


def lines_to_paste(options: ReadingOptions) -> list[tuple[str, list[str]]]:
    """Return lines that mend what a clinical table and its dictionary do not agree about.

    Parameters
    ----------
    options : ReadingOptions
        Of a study with a clinical table and a dictionary.

    Returns
    -------
    list of (str, list of str)
        Where to paste, and the lines: rows of the dictionary for columns that have none, rows with
        all levels for columns whose table has others, words for `not known`.
    """
    problems = Problems("what can be read")
    sheet = dictionary = None
    with problems.step():
        sheet = clinical_sheet(options.clinical, options.columns, f"{options.unit}_id")
    with problems.step():
        dictionary = read_dictionary(options.dictionary, problems)
    if sheet is None:
        return []
    described = (
        {} if dictionary is None else {row["column"]: row for _, row in dictionary.iterrows()}
    )
    stated = {str(each).casefold() for each in options.missing_values}
    new, changed, words = [], [], dict[str, None]()
    context = (re.sub(r"[_\W]+", " ", Path(options.clinical).stem),)
    for name in sheet.columns:
        if name in KEYS:
            continue
        made = guess(Given(table_name(name), table_name(name), sheet[name], context))
        unknown = [text for text in (*made.missing, *made.unreadable)
                   if text.casefold() not in stated and shown(text) == text]  # fmt: skip
        if name not in described:
            new.append(_row({one: made.row()[one] for one in ROW}))
            words |= dict.fromkeys(unknown)
            continue
        entry = described[name]
        if entry["type"] in NUMERIC:
            words |= dict.fromkeys(unknown)
        elif (levels := levels_of(entry)) and (other := _others(sheet[name], levels, stated)):
            words |= dict.fromkeys(text for text in other if is_unknown(text))
            other = [text for text in other if not is_unknown(text)]
            if other:
                said = {one: entry[one] or "" for one in ROW} | {"column": table_name(name)}
                several = {"type": "categorical"} if len(levels) + len(other) > 2 else {}
                changed.append(_row(said | several | {"levels": "|".join([*levels, *other])}))
    found = []
    if new:
        found.append((f"{options.dictionary}, as new rows (guessed: look at each)", new))
    if changed:
        title = f"{options.dictionary}, in place of these rows, if the values are right"
        found.append((title, changed))
    if words:
        before = [str(each) for each in options.missing_values]
        line = missing_line([*before, *words])
        found.append(("the configuration, if these words say `not known`", [line]))
    return found


def _others(values: pd.Series, levels: Sequence[str], stated: set[str]) -> list[str]:
    """Return the few values of a column that are none of its levels, and name nobody."""
    other = [text for text in values.dropna().unique() if text not in levels]
    other = [text for text in other if text.casefold() not in stated and shown(text) == text]
    return other if len(other) <= PLACES else []


def _row(values: Mapping[str, str]) -> str:
    return csv_text(pd.DataFrame([{name: values[name] for name in ROW}])).splitlines()[1]


def pasted(lines: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Return the lines to paste as a screen shows them."""
    if not lines:
        return ""
    text = [f"  into {where}:\n" + "\n".join(f"    {one}" for one in some) for where, some in lines]
    return "\nLines to paste\n" + "\n".join(text)
