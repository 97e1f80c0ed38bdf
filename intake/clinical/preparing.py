"""From the sheets of a hospital to columns by patient, before anything is written.

What must stop the intake (no header, no numbers of patients, rows that contradict each other) stops
it here. What concerns a row, a column or a cell is listed for the hospital, and the rest goes on.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from intake.clinical.agreement import (
    PersonColumns,
    Told,
    against,
    compared,
    far_from_scans,
    learn_codes,
    namesakes,
    person_columns,
    told_of,
)
from intake.clinical.by_person import Proposals, by_person
from intake.clinical.check_words import Pair, check_word, is_confirmed
from intake.clinical.columns import (
    Kept,
    Sorted,
    holds_identity,
    leave_out_identity,
    operation_days,
    sort_columns,
)
from intake.clinical.days import days_from, one_day, read_days
from intake.clinical.joining import (
    joined,
    one_row_each,
    rows_taken_as_one,
    visits_of,
    window_times,
)
from intake.clinical.lines import (
    ABSENT,
    BY_PERSON,
    CELL,
    CHANGED,
    CONFIRM_BY,
    DOUBT,
    LEFT_OUT,
    MERGED,
    NEAR,
    NOT_READ,
    REFUSED,
    TO_CONFIRM,
    UNMATCHED,
    Line,
    beside_the_cells,
)
from intake.clinical.patients import (
    NO_NUMBER,
    Key,
    Known,
    find_keys,
    known_patients,
    no_column,
    numbers_of_own,
    pair_rows,
    same_header,
)
from intake.clinical.sheets import Sheet, read_sheets
from intake.handover.pairing.matching import Matched
from intake.handover.people.linkage import Linkage
from intake.handover.reading.sources import Handover
from intake.identity.byte_search import Search
from pipeline.core.errors import StudyError
from pipeline.imaging.dicom.dicom_identity import Identity
from pipeline.tables.identifying.checks import NOT_SHOWN
from pipeline.tables.identifying.dates import has_date

if TYPE_CHECKING:
    from intake.clinical.arguments import Asked

MOST_AGAINST, MANY = 1 / 3, 3
"""Share and number of rows that contradict the images, from which on the whole sheet is refused."""


@dataclass
class Paired:
    """A sheet whose rows are paired with patients, or proposed for them."""

    sheet: Sheet
    keys: list[Key]
    persons: PersonColumns
    rows: pd.Series
    proposed: Proposals
    operated: pd.Series | None = None


@dataclass
class Clinical:
    """What the sheets say, by original patient.

    Attributes
    ----------
    columns : dict of str to Kept
        By the name that the study gives them.
    surgery : dict of str to str
        Original patient -> day of the operation, YYYYMMDD.
    lines : list of Line
        For the hospital.
    identity : set of Identity
        Values that must never be seen in a study.
    rows : int
        Rows of all sheets.
    patients : set of str
        Original patients who have a row.
    compared : dict of str to int
        Rows by what they were compared with the images: ``person, age or sex``, or nothing.
    proposed : tuple of Pair
        Rows that name and birth date alone pair.
    to_confirm : str
        Their number and check word, nothing where there are none or somebody has confirmed them.
    """

    columns: dict[str, Kept] = field(default_factory=dict)
    surgery: dict[str, str] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    identity: set[Identity] = field(default_factory=set)
    rows: int = 0
    patients: set[str] = field(default_factory=set)
    compared: Counter[str] = field(default_factory=Counter)
    proposed: tuple[Pair, ...] = ()
    to_confirm: str = ""

    def counted(self, what: str) -> int:
        """Return how many lines say so."""
        return sum(line.what == what for line in self.lines)


def prepare(
    asked: Asked,
    matched: Matched,
    handover: Handover,
    linkage: Linkage,
    surgery: dict[str, str] | None = None,
) -> Clinical:
    """Read the sheets and bring their columns to the patients of a handover.

    Parameters
    ----------
    asked : Asked
        What the command line says.
    matched, handover : Matched, Handover
        What was found in the folders.
    linkage : Linkage
        Of the intakes before.
    surgery : dict of str to str, optional
        Days of the operation that are known otherwise (``--dates``).

    Raises
    ------
    StudyError
        If a sheet has no header or no column of patients' numbers, if its rows contradict each
        other, or most of them the images; if other rows were confirmed than are proposed.
    """
    patients = known_patients(matched, handover, linkage)
    made = Clinical()
    sheets = [one for path in asked.paths for one in _with_keys(path, asked, patients, made)]
    if asked.operation and not any(_has(one.sheet, asked.operation) for one in sheets):
        raise no_column("--operation-date", asked.operation, [one.sheet for one in sheets])
    if asked.visits and not any(_has(one.sheet, asked.visits) for one in sheets):
        raise no_column("--visits", asked.visits, [one.sheet for one in sheets])
    for name in asked.keep:
        if not any(_has(one.sheet, name) for one in sheets):
            raise no_column("--keep-column", name, [one.sheet for one in sheets])
    sheets = _confirmed(sheets, asked, linkage, made)
    for one in sheets:
        one.operated = operation_days(one.sheet, asked.operation)
        _compare(one, patients, made)
    made.surgery = _surgery(sheets, surgery or {}, made)
    any_age = any(one.persons.ages for one in sheets)
    sorted_ones = []
    for one in sheets:
        operated = _by_row(one, made.surgery)
        visit_column = next(
            (
                c.name
                for c in one.sheet.columns
                if asked.visits and same_header(c.name, asked.visits)
            ),
            None,
        )
        keys = {key.column for key in one.keys} | numbers_of_own(one.sheet, one.rows, patients)
        found = sort_columns(
            one.sheet, keys, one.persons, operated,
            rows=one.rows.index, keep=asked.keep, visits=visit_column, age=not any_age,
            linkage=linkage,
        )  # fmt: skip
        visits = _visits(one, visit_column, operated, asked, found, made)
        single = one_row_each(
            one.sheet, found.kept, one.rows, visits=visits, times=window_times(asked.windows)
        )
        made.lines += [
            Line(one.sheet.where, row, "", MERGED, why, one.rows[row])
            for row, why in rows_taken_as_one(one.sheet, found.kept, one.rows, visits)
        ]
        found.kept = single
        made.identity |= found.identity
        sorted_ones.append(found)
    known = linkage.identities() | handover.identity | made.identity
    # Dates are looked for by their look: whatever has one is no value of a study.
    searched = {one for one in known if one.kind not in ("uid", "time", "date")}
    search = Search(searched, plain=True)
    for one, found in zip(sheets, sorted_ones, strict=True):
        leave_out_identity(found, search)
        _list(one.sheet, found, search, made)
        made.lines += [
            Line(one.sheet.where, row, column, DOUBT, why, one.rows.get(row, ""))
            for row, column, why in found.doubts
        ]
    made.columns = joined(
        [(one.sheet, found.kept) for one, found in zip(sheets, sorted_ones, strict=True)]
    )
    made.patients = {patient for one in sheets for patient in one.rows}
    refused = {line.text for line in made.lines if line.what == REFUSED}
    waiting = {line.text for line in made.lines if line.what == TO_CONFIRM}
    for original, one in patients.items():
        if one.registered and original not in made.patients | waiting:
            why = "no row of the sheet has one of its numbers"
            why = "its row was refused" if original in refused else why
            made.lines.append(Line("", "", "", ABSENT, why, original))
    return made


def _has(sheet: Sheet, name: str) -> bool:
    known = (text for one in sheet.columns for text in (one.name, one.header))
    return any(same_header(text, name) for text in known)


def _with_keys(
    path: Path, asked: Asked, patients: dict[str, Known], made: Clinical
) -> list[Paired]:
    """Return the tables of a file that name patients, their rows paired."""
    found, errors = [], []
    sheets = read_sheets(path)
    for title, why in sheets[0].unread:
        made.lines.append(Line(f"{path.name}, worksheet {title}", "", "", NOT_READ, why))
    for sheet in sheets:
        persons, error = person_columns(sheet), None
        try:
            keys = find_keys(sheet, patients, asked.key)
        except StudyError as caught:
            keys, error = [], caught
            if caught.code != "clinical-sheet-without-ids" or asked.key:
                persons = PersonColumns()  # another error than that nothing numbers the patients
        rows, reasons = pair_rows(sheet, keys, patients)
        unnumbered = [row for row, why in reasons.items() if why == NO_NUMBER]
        proposed = by_person(sheet, unnumbered, persons, patients)
        if error is not None and not proposed.pairs:
            errors.append(error)
            made.lines.append(Line(sheet.where, "", "", NOT_READ, "no numbers of patients in it"))
            continue
        made.lines += beside_the_cells(sheet)
        made.rows += len(sheet.cells)
        for row, why in reasons.items():
            if row in proposed.pairs or row in proposed.near:
                continue
            text = " ".join(filter(None, (sheet.cells.at[row, key.column] for key in keys)))
            refused = "two patients" in why
            made.lines.append(
                Line(sheet.where, row, "", REFUSED if refused else UNMATCHED, why, text)
            )
        for row, why in proposed.near.items():
            made.lines.append(
                Line(sheet.where, row, "", NEAR, why, _person_of(sheet, row, persons))
            )
        found.append(Paired(sheet, keys, persons, rows, proposed))
    if not found:
        raise errors[0]
    return found


def _person_of(sheet: Sheet, row: int, persons: PersonColumns) -> str:
    cells = (sheet.cells.at[row, name] for name in (*persons.names, *persons.births))
    return ", ".join(filter(None, cells))


def _confirmed(
    sheets: list[Paired], asked: Asked, linkage: Linkage, made: Clinical
) -> list[Paired]:
    """Take the rows that name and birth date pair where somebody has confirmed these very rows."""
    made.proposed = tuple(
        Pair(one.sheet.where, row, one.proposed.said[row], patient)
        for one in sheets
        for row, patient in one.proposed.pairs.items()
    )
    confirmed = is_confirmed(asked.pairs, made.proposed, linkage)
    if made.proposed and not confirmed:
        made.to_confirm = check_word(made.proposed, linkage)
        why = f"add --pairs-by-name {made.to_confirm}"
        made.lines.append(Line("", "", "", CONFIRM_BY, why))
    for one in sheets:
        for row, patient in one.proposed.pairs.items():
            what = BY_PERSON if confirmed else TO_CONFIRM
            said = one.proposed.said[row]
            made.lines.append(Line(one.sheet.where, row, "", what, said, patient))
        if confirmed:
            one.rows = pd.concat([one.rows, pd.Series(one.proposed.pairs, dtype=object)])
            one.rows = one.rows.sort_index()
    return [one for one in sheets if len(one.rows) or one.keys]


def _compare(one: Paired, patients: dict[str, Known], made: Clinical) -> None:
    """Refuse the rows that cannot be of the person whose images they were paired with."""
    learn_codes(one.persons, one.sheet, one.rows, patients)
    refused = []
    twins = namesakes(patients)
    for row, patient in one.rows.items():
        operated = None if one.operated is None else one.operated[row]
        told = told_of(one.sheet, row, one.persons)
        speaks_against, doubts = against(told, patients[patient], operated)
        made.compared[compared(told, patients[patient])] += 1
        if far_from_scans(operated, patients[patient]):
            doubts.append("the operation lies more than a year from every scan of the patient")
        others = [patients[twin] for twin in twins.get(patient, ())]
        if told != Told() and any(not against(told, other, operated)[0] for other in others):
            doubts.append(
                "it fits another patient of the same surname and birth date"
                + ("" if speaks_against else " as well")
                + ": is the number of the patient right?"
            )
        for why in doubts:
            made.lines.append(Line(one.sheet.where, row, "", DOUBT, why, patient))
        if speaks_against:
            refused.append(row)
            why = "; ".join(speaks_against)
            made.lines.append(Line(one.sheet.where, row, "", REFUSED, why, patient))
    if len(refused) >= MANY and len(refused) > MOST_AGAINST * len(one.rows):
        raise StudyError(
            "A clinical sheet must belong to the images: sex, age, birth date and name must fit "
            "their headers",
            found=f"{len(refused)} of {len(one.rows)} rows contradict them",
            where=one.sheet.where,
            remedy="perhaps a column was sorted without the others, or the column of numbers is "
            "another one (--clinical-key): correct the sheet",
            code="clinical-sheet-contradicts-images",
        )
    one.rows = one.rows.drop(refused)


def _surgery(sheets: list[Paired], given: dict[str, str], made: Clinical) -> dict[str, str]:
    days: dict[str, set[str]] = {}
    for one in sheets:
        if one.operated is None:
            continue
        for row, patient in one.rows.items():
            if (day := one.operated[row]) is not None:
                days.setdefault(patient, set()).add(day)
    for patient, several in days.items():
        if len(several) > 1 and patient not in given:
            why = f"{len(several)} days of operation in its rows: no days are counted"
            made.lines.append(Line("", "", "", DOUBT, why, patient))
    return {**one_day(days), **given}


def _by_row(one: Paired, surgery: dict[str, str]) -> pd.Series:
    days = one.rows.map(surgery.get)
    days = days.reindex(one.sheet.cells.index)
    return days.astype(object).where(days.notna(), None)


def _visits(
    one: Paired,
    column: str | None,
    operated: pd.Series,
    asked: Asked,
    found: Sorted,
    made: Clinical,
) -> pd.Series | None:
    """Return the visit of each row, None where a sheet has no such column."""
    if column is None:
        return None
    read = read_days(one.sheet.cells[column], f"{column} date")
    distance = None
    if read is not None:
        distance, _ = days_from(read.days, operated)
        found.identity |= {
            Identity("date", "clinical sheet", day) for day in read.days.dropna().unique()
        }
    visits, none = visits_of(one.sheet, column, distance, asked.windows)
    for row in none:
        if row in one.rows.index:
            made.lines.append(
                Line(one.sheet.where, row, column, UNMATCHED, "its visit is none of the rule's")
            )
    one.rows = one.rows.drop([row for row in none if row in one.rows.index])
    return visits


def _list(sheet: Sheet, found: Sorted, search: Search, made: Clinical) -> None:
    for header, why in found.dropped:
        named = holds_identity(header, search) or has_date(header)
        told = NOT_SHOWN if named else header
        made.lines.append(Line(sheet.where, "", header, LEFT_OUT, why, shown=told))
    made.lines += [Line(sheet.where, "", header, CHANGED, what) for header, what in found.changes]
    made.lines += [
        Line(sheet.where, row, header, CELL, why, text) for row, header, text, why in found.cells
    ]
