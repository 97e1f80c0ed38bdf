"""The columns of a table to be described: which they are, what they hold, how they are grouped.

With a data dictionary a column is what that says. Without one its values decide: numbers with a
fraction, or of many values, are measured; whole numbers of few values are codes or grades; words
are categories.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipeline.comparison.table_one.table_one_parts import Variable, code_text
from pipeline.core.errors import StudyError
from pipeline.core.problems import Problems, listing, suggestion
from pipeline.core.written.number_notation import read_numbers
from pipeline.core.written.spellings import (
    NO,
    YES,
    plain_word,
    spelled_twice,
    spelling_of,
    typed_alike,
)
from pipeline.imaging.levels import levels_in, order
from pipeline.tables.columns import KEYS, PATIENT_WORDS, table_name, write_ids
from pipeline.tables.dictionary import MISSING, NUMERIC, levels_of
from pipeline.tables.files.sheets import read_sheet, rows_text
from pipeline.tables.identifying.checks import check_identifying, shown
from pipeline.tables.number_columns import column_of_numbers

logger = logging.getLogger("vertebromics")

IDS = (*KEYS, "scan_id", "unit_id")
"""Columns that name a row, and are never described."""

MOST_CODES = 6
"""Whole numbers of no more different values are taken for codes or grades."""

MOST_LEVELS = 20
"""Words of more different values are no category that a table could show."""

MOST_GROUPS = 10

PARTS = {
    "training": ("training", "train", "development", "derivation"),
    "validation": ("validation", "test", "testing"),
}
"""Words for the parts of a study."""

_NUMBER_FIRST = re.compile(r"^\D{0,2}(\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Units:
    """A table that is ready to be described.

    Attributes
    ----------
    table : pandas.DataFrame
        One row per unit: numbers as float64, all else as text (None where missing).
    variables : tuple of Variable
        What is described, in the order of the table.
    groups : tuple of str
        Groups in their order; none where nothing is compared.
    patients : pandas.Series or None
        Patient of each row, where the table says so and some have several rows.
    notes : tuple of str
        What was left out or assumed, for the page.
    """

    table: pd.DataFrame
    variables: tuple[Variable, ...]
    groups: tuple[str, ...]
    patients: pd.Series | None
    notes: tuple[str, ...]


def read_units(
    path: str | Path,
    dictionary: pd.DataFrame | None = None,
    by: str | None = None,
    part: str | None = None,
) -> Units:
    """Read a table whose columns are to be described.

    Parameters
    ----------
    path : path-like
        A table in any format that `pipeline.tables.files.sheets.read_sheet` reads, a row per unit.
    dictionary : pandas.DataFrame, optional
        As `pipeline.tables.dictionary.read_dictionary` returns it.
    by : str, optional
        Column of the groups.
    part : str, optional
        Only rows of this part of the study, as the column `part` (or the dictionary's column of
        the role `split`) says.

    Raises
    ------
    StudyError
        Telling every column that cannot be read.
    """
    entries = {}
    if dictionary is not None:
        entries = {table_name(entry["column"]): entry for _, entry in dictionary.iterrows()}
    sheet = clinical_text(path, entries)
    split = [name for name, entry in entries.items() if entry["role"] == "split"]
    if part is not None:
        sheet, split = _rows_of_part(sheet, part, split or ["part"], path)
    columns: dict[str, pd.Series] = {}
    groups: tuple[str, ...] = ()
    notes: list[str] = []
    if by is not None:
        columns[by], groups, notes = groups_of(sheet, by, entries.get(by), path)
    ids = {*IDS, *split, *(name for name, entry in entries.items() if entry["role"] == "id")}
    problems, variables = Problems(f"the table {path}"), []
    for name in sheet.columns:
        if name == by or name in ids:
            continue
        entry = entries.get(name)
        typed = entry is not None and entry["type"]
        values, variable, note = (
            _described(sheet[name], entry, path, problems)
            if typed
            else _inferred(sheet[name], path, problems)
        )
        if note:
            notes.append(note)
            logger.warning("%s: %s", path, note)
        if variable is not None:
            columns[name] = values
            variables.append(variable)
    problems.raise_if_any()
    if entries and (bare := [each.column for each in variables if each.column not in entries]):
        notes.append(f"Not in the data dictionary, described by their values: {listing(bare)}.")
    if not variables:
        raise StudyError(
            "A table must have a column to describe besides ids and groups",
            found=f"columns {listing(sheet.columns)}",
            where=str(path),
            remedy="add columns such as age and sex, or leave out --by",
            code="nothing-to-describe",
        )
    patients = sheet.get("patient_id")
    if patients is not None and not patients.dropna().duplicated().any():
        patients = None
    table = pd.DataFrame(columns, index=sheet.index)
    return Units(table, tuple(variables), groups, patients, tuple(notes))


def clinical_text(path: str | Path, entries: Mapping[str, pd.Series] | None = None) -> pd.DataFrame:
    """Return the table as text, with blanks for words that mean a missing value."""
    sheet = write_ids(read_sheet(path, "clinical"), path)
    problems = Problems(f"the table {path}")
    levels = {name: levels_of(entry) or [] for name, entry in (entries or {}).items()}
    check_identifying(sheet, path, problems, own=KEYS, levels=levels)
    problems.raise_if_any()
    for name in sheet.columns.difference(KEYS):
        unknown = MISSING - set(levels.get(name, ()))
        sheet[name] = sheet[name].where(~sheet[name].isin(unknown), None)
    return sheet


def _rows_of_part(
    sheet: pd.DataFrame, part: str, split: list[str], path: str | Path
) -> tuple[pd.DataFrame, list[str]]:
    name = split[0]
    if name not in sheet.columns:
        raise StudyError(
            "The parts of a study must stand in a column `part`, or one of the role `split`",
            found=f"columns {listing(sheet.columns)}",
            where=f"{path}, header",
            remedy="leave out --part, or name the column in the data dictionary",
            code="parts-column-missing",
        )
    there = sheet[name].dropna().unique()
    wanted = [part, *next((words for words in PARTS.values() if part.lower() in words), ())]
    meant = [word for word in there if plain_word(word) in map(plain_word, wanted)]
    if part in there:
        meant = [part]
    if len(meant) != 1:
        raise StudyError(
            "A part must be one value of the column that names the parts",
            found=part,
            where=f"{path}, column {name}",
            remedy=f"write --part {' or --part '.join(map(shown, sorted(there)))}",
            code="part-unknown",
        )
    return sheet[sheet[name] == meant[0]], [name]


def groups_of(
    sheet: pd.DataFrame, by: str, entry: pd.Series | None, path: str | Path
) -> tuple[pd.Series, tuple[str, ...], list[str]]:
    """Return the groups as text, their order, and a note on rows without one."""
    if by not in sheet.columns:
        raise StudyError(
            "The column of the groups must be in the table",
            found=by,
            where=f"{path}, header",
            remedy=suggestion(by, sheet.columns) or f"columns: {listing(sheet.columns)}",
            code="groups-column-missing",
        )
    listed = levels_of(entry) if entry is not None else None
    values = typed_alike(sheet[by])
    if listed:
        values = values.map(lambda text: spelling_of(text, listed), na_action="ignore")
        values = values.astype(object).where(values.notna(), None)
    there = list(values.dropna().unique())
    strange = sorted(set(there) - set(listed)) if listed else []
    if strange or (alike := spelled_twice(there)):
        raise StudyError(
            "Groups must be levels of the data dictionary, each spelled one way",
            found=listing(map(shown, strange or [each for pair in alike for each in pair])),
            where=f"{path}, column {values.name}",
            remedy="write each group one way in the table, and list it in the dictionary",
            code="groups-not-levels",
        )
    if not 1 < len(there) <= MOST_GROUPS:
        raise StudyError(
            f"The column of the groups must have from 2 to {MOST_GROUPS} different values",
            found=len(there),
            where=f"{path}, column {values.name}",
            remedy="name a column of groups; cut a number into groups in a column of its own",
            code="groups-count",
        )
    in_order = [level for level in listed if level in there] if listed else ordered_levels(there)[0]
    missing = int(values.isna().sum())
    notes = [f"{missing} rows without a value of {by} count in the total only."] if missing else []
    return values, tuple(in_order), notes


def ordered_levels(levels: list[str]) -> tuple[list[str], bool]:
    """Return levels in the order in which a table shows them, and whether it has a meaning.

    Numbers and words that begin with one by size, vertebrae from head to foot, no before yes;
    other words by the alphabet, which means nothing.

    Examples
    --------
    >>> ordered_levels(["L1", "T12", "T9"])
    (['T9', 'T12', 'L1'], True)
    >>> ordered_levels(["3-4", "0-1", "2"]), ordered_levels(["yes", "no"])
    ((['0-1', '2', '3-4'], True), (['no', 'yes'], True))
    """
    spine = {level: levels_in(level) for level in levels}
    if all(named is not None and len(named) == 1 for named in spine.values()):
        first = {level: order(named[0]) for level, named in spine.items() if named}
        return sorted(levels, key=lambda level: first[level]), True
    begun = {level: found[1] for level in levels if (found := _NUMBER_FIRST.match(level))}
    if begun.keys() == spine.keys():
        return sorted(levels, key=lambda level: (float(begun[level]), level)), True
    words = {plain_word(level): level for level in levels}
    if len(levels) == 2 and NO & set(words) and YES & set(words):
        return sorted(levels, key=lambda level: plain_word(level) in YES), True
    return sorted(levels), len(levels) == 2


def variable_of(entry: Mapping, values: pd.Series) -> Variable:
    """Return a column as its row of the data dictionary describes it.

    Parameters
    ----------
    entry : mapping
        The row.
    values : pandas.Series
        Numbers as float64, all else as text in the levels' spelling (None where missing); its name
        is the column's in the table.
    """
    numeric, ordinal = entry["type"] in NUMERIC, entry["type"] == "ordinal"
    there = sorted(values.dropna().unique())
    if numeric:
        few = ordinal and len(there) <= MOST_LEVELS
        levels = tuple(str(code_text(code)) for code in there) if few else ()
    else:
        levels = tuple(levels_of(entry) or ordered_levels(there)[0])
    has_order = ordinal or (not numeric and ordered_levels(list(levels))[1])
    test = entry.get("test")
    return Variable(
        str(values.name),
        entry["label"] or table_name(entry["column"]),
        numbers=numeric,
        levels=levels,
        unit=entry["unit"] or None,
        ordered=bool(has_order),
        by_ranks=ordinal,
        test=test if isinstance(test, str) else None,
    )


def _described(
    values: pd.Series, entry: pd.Series, path: str | Path, problems: Problems
) -> tuple[pd.Series, Variable | None, str | None]:
    """Return a column as its dictionary's row says."""
    name, kind, levels = str(values.name), entry["type"], levels_of(entry) or []
    if kind in NUMERIC:
        numbers = column_of_numbers(values, path, problems).rename(name)
    else:
        values = (
            values.map(lambda text: spelling_of(text, levels), na_action="ignore")
            if levels
            else typed_alike(values)
        )
        numbers = values.astype(object).where(values.notna(), None)
        there = set(numbers.dropna().unique())
        for strange in sorted(there - set(levels)) if levels else ():
            rows = numbers.index[numbers == strange]
            problems.add(
                f"A value of {name} must be one of its levels {'|'.join(levels)}",
                found=shown(strange),
                where=f"{path}, {rows_text(rows)}, column {name}",
                remedy=suggestion(strange, levels) or "mend it, or add it to the dictionary",
                code="value-not-a-level",
            )
    return numbers, variable_of(entry, numbers), None


def _inferred(
    values: pd.Series, path: str | Path, problems: Problems
) -> tuple[pd.Series, Variable | None, str | None]:
    """Return a column as its values say, or why it is left out."""
    name, known = str(values.name), values.dropna()
    if known.empty:
        return values, None, f"{name} has no value and is left out."
    different = known.nunique()
    if plain_word(name).replace("_", "") in PATIENT_WORDS and different == len(known):
        return values, None, f"{name} names the rows and is left out."
    read = read_numbers(values)
    if not read.wrong:
        numbers = column_of_numbers(values, path, problems)  # which says how it read them
        codes = sorted(numbers.dropna().unique())
        few = len(codes) <= MOST_CODES and all(code.is_integer() for code in codes)
        written = tuple(str(code_text(code)) for code in codes) if few else ()
        variable = Variable(name, name, True, written, ordered=few, as_counts=few)
        return numbers, variable, None
    if different > MOST_LEVELS:
        if len(read.wrong) <= len(known) / 5:  # a column of numbers with some other words
            return column_of_numbers(values, path, problems), None, None
        return values, None, f"{name} has {different} different words and is left out."
    values = typed_alike(values)
    levels = list(values.dropna().unique())
    if alike := spelled_twice(levels):
        problems.add(
            "Levels must differ by more than case, blanks or the kind of a sign",
            found=listing(" and ".join(map(shown, group)) for group in alike),
            where=f"{path}, column {name}",
            remedy="write each level one way in the table",
            code="levels-spelled-alike",
        )
    in_order, has_order = ordered_levels(levels)
    return values, Variable(name, name, levels=tuple(in_order), ordered=has_order), None
