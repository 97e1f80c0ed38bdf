"""Which columns of a sheet enter the study, which are left out and why, and dates as days."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from intake.clinical.agreement import PersonColumns
from intake.clinical.check_words import column_word
from intake.clinical.days import Days, days_from, is_operation, read_days
from intake.clinical.naming import parts_of
from intake.clinical.sheets import Column, Sheet
from intake.clinical.values import Tidy, are_numbers, free_text, is_unknown, tidy
from intake.clinical.vocabulary import vocabulary
from intake.handover.people.linkage import Linkage
from intake.identity.byte_search import Search
from pipeline.core.errors import StudyError
from pipeline.core.problems import listing
from pipeline.core.written.number_notation import is_number, read_numbers
from pipeline.core.written.spellings import plain_word
from pipeline.imaging.dicom.dicom_identity import Identity
from pipeline.study.draft.columns import MARKS
from pipeline.study.draft.times import timing_of
from pipeline.tables.identifying.checks import WHAT, column_kind, header_kind, shown
from pipeline.tables.identifying.words import fold

IDENTITY = {
    "name": "name",
    "birth": "date",
    "id": "id",
    "contact": "text",
    "uid": "uid",
    "date": "date",
}
"""Kinds of a column, as identity values are called."""

LONG_TEXT = 30
"""Characters from which on a free text is searched for in results: others are common words."""


@dataclass
class Kept:
    """A column that enters the study.

    Attributes
    ----------
    header : str
        Heading and name of the sheet.
    values : pandas.Series
        Text or None, on the sheet's rows.
    context : tuple of str
        What says of which time the values are, beside the header: visit, heading, worksheet, file,
        the nearest first.
    unit, limits : str
        Unit and range that header or cells state.
    visit : str
        Which of several measurements it is, where the sheet has a row for each, a column of the
        same name, or another sheet has them too.
    note : str
        How the values came about, where they are not the sheet's own.
    """

    header: str
    values: pd.Series
    context: tuple[str, ...] = ()
    unit: str = ""
    limits: str = ""
    visit: str = ""
    note: str = ""


@dataclass
class Sorted:
    """The columns of one sheet, sorted into what enters the study and what does not.

    Attributes
    ----------
    kept : list of Kept
        What enters.
    dropped : list of (str, str)
        Header and reason of what does not.
    changes : list of (str, str)
        Header and what was changed in its cells.
    cells : list of (int, str, str, str)
        Row, header, cell and reason of single cells that were left out: for the hospital only.
    identity : set of Identity
        Values that must never be seen in a study.
    doubts : list of (int, str, str)
        Row, header and what a person should look at.
    """

    kept: list[Kept] = field(default_factory=list)
    dropped: list[tuple[str, str]] = field(default_factory=list)
    changes: list[tuple[str, str]] = field(default_factory=list)
    cells: list[tuple[int, str, str, str]] = field(default_factory=list)
    identity: set[Identity] = field(default_factory=set)
    doubts: list[tuple[int, str, str]] = field(default_factory=list)


def operation_days(sheet: Sheet, named: str | None) -> pd.Series | None:
    """Return the day of the operation by row, None where no column of the sheet says it.

    Parameters
    ----------
    sheet : Sheet
        The sheet.
    named : str, optional
        Column that somebody named; else its header must say it.
    """
    from intake.clinical.patients import same_header

    for column in sheet.columns:
        meant = same_header(column.name, named) if named else is_operation(column)
        if meant and header_kind(column.name) != "birth":
            read = read_days(sheet.cells[column.name], f"{column.header} date")
            if read is not None and not read.two_ways:
                return read.days
    return None


def sort_columns(
    sheet: Sheet,
    keys: Iterable[str],
    persons: PersonColumns,
    operated: pd.Series,
    *,
    rows: pd.Index,
    linkage: Linkage,
    keep: Mapping[str, Sequence[str]] | None = None,
    visits: str | None = None,
    age: bool = False,
) -> Sorted:
    """Sort the columns of a sheet, and read its dates as days from the operation.

    Parameters
    ----------
    sheet : Sheet
        The sheet.
    keys : iterable of str
        Columns of the patients' numbers.
    persons : PersonColumns
        Columns that speak of the person.
    operated : pandas.Series of str or None
        Day of the operation by row, YYYYMMDD.
    rows : pandas.Index
        Rows that were paired with a patient: only these are handed on.
    linkage : Linkage
        Whose key makes check words.
    keep : mapping of str to sequence of str, optional
        Columns that stay although their values look like free text or numbers of a hospital, with
        the check words of the texts that somebody has looked at: one for each sheet's.
    visits : str, optional
        Column that names the visit of each row.
    age : bool
        Whether the age at the operation is to be made of the birth date.

    Raises
    ------
    StudyError
        If a column is to stay that has other texts than those that were looked at.
    """
    found, kept = Sorted(), {}
    for name, words in (keep or {}).items():
        kept[fold(name)] = (*kept.get(fold(name), ()), *words)
    for column in sheet.columns:
        every = sheet.cells[column.name]  # what may identify is remembered of all rows
        values = every.loc[rows]
        if column.name in keys:
            found.dropped.append((column.name, "numbers of patients: pseudonyms replace them"))
            _remember(found, column, every, "id")
            continue
        if column.name == visits:
            continue
        if column.name in persons.births and age:
            _add_age(found, column, values, operated.loc[rows])
        made = tidy(values, column.name)
        reason = _why_not(column, values)
        if reason is None and (looks := _looks(column, values, made.values)) is not None:
            reason = _unless_looked_at(looks, column, every, kept, sheet, linkage)
        if reason:
            kind, text = reason
            found.dropped.append((column.name, text))
            _remember(found, column, every, kind)
            continue
        days = None if are_measured(values) else read_days(values, column.header)
        if days is not None:
            _add_days(found, column, days, every, operated.loc[rows])
        else:
            _add_values(found, column, made, sheet.context)
    return found


def are_measured(values: pd.Series) -> bool:
    """Return whether values are numbers with decimals, which no dates are."""
    known = [text for text in values.dropna() if not is_unknown(text)]
    return any(is_number(text) and "." in text.strip("0").strip(".") for text in known) and all(
        len(text) < 8 for text in known
    )


def _why_not(column: Column, values: pd.Series) -> tuple[str, str] | None:
    """Return the kind of identity and the reason why a column must not enter, None where it may."""
    kind = header_kind(column.name) or header_kind(column.header)
    if kind:
        return kind, f"{WHAT[kind]}, by the header"
    known = [text for text in values.dropna() if not is_unknown(text)]
    if not known and not {plain_word(text) for text in values.dropna()} & MARKS:
        return "", "no value in any row"
    if _counts(column, values):
        return "", "it only numbers the rows"
    return None


def _looks(column: Column, values: pd.Series, tidied: pd.Series) -> tuple[str, str] | None:
    """Return the same of what the values of a column look like, which may deceive.

    Numbers with their unit, and levels in several spellings, are no free text: this is asked of
    cells as the study writes them.
    """
    known = [text for text in values.dropna() if not is_unknown(text)]
    kind = column_kind(column.name, list(dict.fromkeys(known)))
    if kind == "date" and read_days(values, column.header) is None and not are_numbers(values):
        return "text", "texts with dates in them"
    if kind not in (None, "date"):
        return kind, f"{WHAT[kind]}, by the look of its values"
    text = "" if kind == "date" else free_text(tidied)
    return ("text", text) if text else None


def _unless_looked_at(
    looks: tuple[str, str],
    column: Column,
    every: pd.Series,
    kept: Mapping[str, Sequence[str]],
    sheet: Sheet,
    linkage: Linkage,
) -> tuple[str, str] | None:
    """Return the reason, with what to write, unless somebody has looked at these very texts."""
    word = column_word(column.name, every.dropna(), linkage)
    names = {fold(column.name), fold(column.header)} & kept.keys()
    given = sorted({word for name in names for word in kept[name]})
    if word in given:
        return None
    if given:
        raise StudyError(
            "--keep-column keeps a column with the texts that were looked at, and it has others",
            found=f"{listing(given)}, and the word of its texts is another one",
            where=f"{sheet.where}, column {shown(column.name)}",
            remedy="look at the column again; if it names nobody, write "
            f"{word} in place of {listing(given)}, or as a further --keep-column where that is the "
            "word of another sheet's column"
            if linkage.clinical
            # The key of this intake is lost with it, and with the key its words.
            else "run the same command with --keep-column COLUMN without a word, look at the "
            "column, and add the word that it prints then: words are those of a linkage, and none "
            "has taken in a sheet yet",
            code="kept-column-stale",
        )
    kind, text = looks
    if names or kind == "text":  # nobody is invited to keep what looks like names or numbers
        text += f" (if it names nobody: --keep-column COLUMN={word})"
    return kind, text


def _counts(column: Column, values: pd.Series) -> bool:
    """Return whether a column only numbers the rows."""
    words = set(fold(column.name).split())
    if not words or not words <= vocabulary("counters"):
        return False
    known = [text.removesuffix(".").removesuffix(".0") for text in values.dropna()]
    return all(text.isdecimal() for text in known) and len(set(known)) == len(known)


def _remember(found: Sorted, column: Column, values: pd.Series, kind: str) -> None:
    """Remember the values of a column that was left out, for the search of results."""
    told = IDENTITY.get(kind)
    tag = "clinical sheet"
    for text in values.dropna().unique() if told else ():
        if is_unknown(text) or (kind == "text" and len(text) < LONG_TEXT):
            continue
        value = text
        if told == "date":
            from intake.clinical.days import day_of_text

            value = day_of_text(text, announced=True) or text
            if len(value) != 8 or not value.isdecimal():
                continue
        found.identity.add(Identity(told, tag, value))


def _add_age(found: Sorted, column: Column, births: pd.Series, operated: pd.Series) -> None:
    from intake.clinical.days import day_of_text

    ages: dict[int, str | None] = {}
    for row, text in births.items():
        born = None if text is None else day_of_text(text, announced=True)
        ages[row] = None
        if born and operated[row] is not None:
            first, last = (
                datetime.datetime.strptime(day, "%Y%m%d") for day in (born, operated[row])
            )
            years = last.year - first.year - ((last.month, last.day) < (first.month, first.day))
            ages[row] = str(years) if 0 <= years < 120 else None
    values = pd.Series(ages, dtype=object)
    if values.notna().any():
        note = "age at the operation, from the birth date and the day of the operation"
        found.kept.append(Kept("Age", values, unit="years", note=note))


def _add_days(
    found: Sorted, column: Column, days: Days, every: pd.Series, operated: pd.Series
) -> None:
    """Add a column of dates as days from the operation."""
    _remember(found, column, every, "date")
    if days.two_ways:
        found.dropped.append(
            (column.name, "dates that can be read two ways (03/04/2024): write 2024-04-03")
        )
        return
    for row in days.wrong:
        found.cells.append((row, column.name, every[row], "no day that can be read: left blank"))
    if operated.isna().all():
        found.dropped.append(
            (column.name, "dates, and no day of the operation is known to count days from")
        )
        return
    distance, wrong = days_from(days.days, operated)
    for row in wrong:
        why = "too far from the operation: left blank"
        found.cells.append((row, column.name, every[row], why))
    known = pd.to_numeric(distance.dropna())
    said = timing_of(column.header)
    for timing, wrong_side, why in (
        ("postoperative", known < 0, "a day after the operation lies before it"),
        ("preoperative", known > 0, "a day before the operation lies after it"),
    ):
        if said and said[0] == timing:
            found.doubts += [(row, column.name, why) for row in known.index[wrong_side]]
    if len(known) and (known == 0).all():
        found.dropped.append((column.name, "the day of the operation: day 0 of everything"))
        return
    when = ("postop",) if (known > 0).all() else ()
    when = ("preop",) if len(known) and (known <= 0).all() else when
    note = "days from the operation, in place of a date"
    found.kept.append(Kept(f"{column.name}, days", distance, context=when, unit="days", note=note))


def _add_values(found: Sorted, column: Column, made: Tidy, context: tuple[str, ...]) -> None:
    bare, unit, limits = parts_of(column.name)
    found.changes += [(column.name, change) for change in made.changes]
    read = made.values
    if are_numbers(read):
        read = read.copy()
        wrong = read_numbers(
            read.where(~read.map(lambda text: text is not None and is_unknown(text)), None)
        )
        for row in wrong.wrong:
            text = read[row]
            if not any(sign.isdigit() for sign in text) or len(text) > 20:
                # Words in a column of numbers may say anything of anybody.
                found.cells.append(
                    (row, column.name, text, "words in a column of numbers: left blank")
                )
                read[row] = None
    if made.unit.startswith("of "):
        limits = limits or f"0|{made.unit.removeprefix('of ')}"
    elif made.unit:
        unit = unit or made.unit
    around = tuple(filter(None, (column.group, *context)))
    found.kept.append(
        Kept(bare, read, context=around, unit=unit, limits=limits, visit=column.number)
    )


def leave_out_identity(found: Sorted, search: Search) -> None:
    """Move columns with a cell, or a header, that holds a known identity to those left out."""
    kept = []
    for one in found.kept:
        texts = one.values.dropna().unique()
        if are_numbers(one.values):
            texts = [text for text in texts if not is_number(text)]
        rows = [text for text in texts if holds_identity(text, search)]
        if holds_identity(one.header, search):
            found.dropped.append(("(not shown)", "its header holds a name, an id or a date"))
        elif rows:
            for row, text in one.values.dropna().items():
                if text in rows:
                    why = "it holds a name, an id or another text of the headers of images"
                    found.cells.append((row, one.header, text, why))
            found.dropped.append(
                (
                    one.header,
                    f"{len(rows)} of its values hold a name, an id, a date or another text of the "
                    "headers of images: write codes such as A, B in their place",
                )
            )
        else:
            kept.append(one)
    found.kept = kept


def holds_identity(text: str, search: Search) -> bool:
    """Return whether a text holds a value that identifies a person."""
    return next(iter(search.matches(text.encode())), None) is not None
