"""The patients whom a sheet may mean, and by which of their numbers it names them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import pandas as pd

from intake.clinical.sheets import Sheet
from intake.handover.pairing.matching import Matched
from intake.handover.people.linkage import Linkage
from intake.handover.people.persons import Person, canonical
from intake.handover.reading.sources import Handover
from pipeline.core.errors import StudyError
from pipeline.core.problems import listing
from pipeline.tables.identifying.checks import header_kind, shown
from pipeline.tables.identifying.words import fold, words

KINDS = ("pseudonym", "patient id", "accession number", "folder")
"""What may name a patient in a sheet, the surest first."""

ENOUGH = 0.5
"""Share of a column's values that must be patients' numbers, or of the patients named by it."""

NO_NUMBER = "no number of a patient in this row"
"""Why a row is of nobody, where its columns of numbers are blank."""

LONG = 5
"""Letters and digits of a number that is hardly another value by chance."""

SECOND = 0.8
"""The same share for a further column of numbers, which is compared with the first."""


@dataclass
class Known:
    """A patient of this handover, or of one before.

    Attributes
    ----------
    original : str
        As the linkage names the patient.
    numbers : dict of str to set of str
        Kind -> numbers, as `canonical` writes them.
    persons : set of Person
        What the headers of the images say.
    scanned : set of str
        Days of the scans, YYYYMMDD.
    registered : bool
        Whether a mask of the patient is matched, now or before.
    """

    original: str
    numbers: dict[str, set[str]] = field(default_factory=dict)
    persons: set[Person] = field(default_factory=set)
    scanned: set[str] = field(default_factory=set)
    registered: bool = False

    def add(self, kind: str, texts: Iterable[str]) -> None:
        """Learn numbers of a kind."""
        told = {canonical(text) for text in texts if text and text.strip()}
        self.numbers.setdefault(kind, set()).update(told)


def known_patients(matched: Matched, handover: Handover, linkage: Linkage) -> dict[str, Known]:
    """Return every patient of the handover and of the linkage, by original name."""
    found: dict[str, Known] = {}
    for pseudonym, original in linkage.patients.items():
        one = found.setdefault(original, Known(original, registered=True))
        one.add("pseudonym", [pseudonym])
        one.persons |= linkage.held(pseudonym)
    for scan in linkage.scans.values():
        one = found[linkage.patients[scan["patient"]]]
        one.add("accession number", scan.get("accessions", ()))
        one.scanned |= {scan["date"]} - {None} if scan.get("date") else set()
    registered = {id(row.series) for row in matched.rows}
    for series in handover.series:
        pseudonym = linkage.known(series.patient)
        original = linkage.patients[pseudonym] if pseudonym else series.patient
        one = found.setdefault(original, Known(original))
        one.persons |= series.persons
        one.scanned |= {series.date} - {None}
        one.add("accession number", series.accessions)
        one.registered |= id(series) in registered
    for one in found.values():
        folder = one.original.removeprefix("folder ")
        if folder != one.original:
            one.add("folder", [folder])
        else:
            one.add("patient id", [one.original])
        one.add("patient id", [person.id for person in one.persons])
    return found


@dataclass(frozen=True)
class Key:
    """A column whose values are numbers of patients.

    Attributes
    ----------
    column : str
        Its name.
    kind : str
        One of `KINDS`.
    """

    column: str
    kind: str


def number_of(text: str) -> str:
    """Return a number as `canonical` writes it, also where Excel took it for a measurement.

    >>> number_of("0073194") == number_of("73194.0") == number_of(" 73194 ")
    True
    """
    return canonical(re.sub(r"(?<=\d)\.0+$", "", text.strip()))


def meant_by(text: str, index: dict[str, set[str]]) -> set[str]:
    """Return the patients whose number a cell is, also behind a word as in ``PID 0073194``."""
    if meant := index.get(number_of(text)):
        return meant
    digits = re.fullmatch(rf"[^\W\d]+[^\w]*([0-9]{{{LONG},}})(?:\.0+)?", text.strip())
    return index.get(number_of(digits[1]), set()) if digits else set()


def find_keys(sheet: Sheet, patients: dict[str, Known], named: str | None = None) -> list[Key]:
    """Return the columns that hold numbers of the patients, the surest first.

    Parameters
    ----------
    sheet : Sheet
        The sheet.
    patients : dict of str to Known
        From `known_patients`.
    named : str, optional
        The column that somebody named.

    Raises
    ------
    StudyError
        If there is none, with what comes nearest.
    """
    index = _index(patients)
    names = [one.name for one in sheet.columns if named is None or same_header(one.name, named)]
    found: list[tuple[tuple, Key, float, int]] = []
    for name in names:
        distinct = set(sheet.cells[name].dropna())
        for kind in KINDS:
            meant = [meant_by(text, index[kind]) for text in distinct]
            told = {one for several in meant for one in several}
            if told:
                share = sum(map(bool, meant)) / len(distinct)
                rank = (_is_number_of_person(sheet, name), len(told), -KINDS.index(kind))
                found.append((rank, Key(name, kind), share, len(told)))
    found.sort(key=lambda one: one[0], reverse=True)
    registered = sum(one.registered for one in patients.values())
    good = [
        (key, share, rank[0])
        for rank, key, share, count in found
        if named is not None or share >= ENOUGH or (rank[0] and count >= ENOUGH * registered)
    ]
    aside = max((count for *_, count in found), default=0) <= 1 < registered
    if not good or (aside and named is None and _lies_on_its_side(sheet, patients)):
        raise _no_key(sheet, found, patients, named)
    first, *others = good
    further: dict[str, Key] = {}
    for key, share, alike in others:
        if key.column != first[0].column and alike and share >= SECOND:
            further.setdefault(key.column, key)
    return [first[0], *further.values()]


def same_header(one: str, other: str) -> bool:
    """Return whether two texts are one header, whatever their case, blanks and signs."""
    return one.strip() == other.strip() or (fold(one) == fold(other) and bool(fold(one)))


def _index(patients: dict[str, Known]) -> dict[str, dict[str, set[str]]]:
    index: dict[str, dict[str, set[str]]] = {kind: {} for kind in KINDS}
    for original, one in patients.items():
        for kind, numbers in one.numbers.items():
            for number in numbers:
                index[kind].setdefault(number, set()).add(original)
    return index


def _is_number_of_person(sheet: Sheet, name: str) -> bool:
    """Return whether a column's header or values are those of ids, and no measurements."""
    said = fold(name)
    if (
        header_kind(name) == "id"
        or said in words("maybe_id")
        or said in ("pseudonym", "patient id")
    ):
        return True
    texts = sheet.cells[name].dropna()
    long = texts.str.len().median() >= LONG if len(texts) else False
    return bool(long and texts.nunique() >= 0.3 * len(texts))


def no_column(option: str, name: str, sheets: list[Sheet]) -> StudyError:
    """Return the error about an option that names no column."""
    headers = [safe_header(column.name) for sheet in sheets for column in sheet.columns]
    return StudyError(
        f"{option} must be a column of the clinical sheet",
        found=shown(name),
        where=listing(one.where for one in sheets),
        remedy=f"take one of its columns: {listing(headers, 40)}",
        code="clinical-sheet-column-missing",
    )


def safe_header(header: str) -> str:
    """Return a header for a message: in a sheet that lies on its side it may name a person."""
    plain = header_kind(header) or set(fold(header).split()) & words("date")
    return header if plain else shown(header)


def _no_key(sheet: Sheet, found: list, patients: dict[str, Known], named: str | None) -> StudyError:
    headers = [safe_header(one.name) for one in sheet.columns]
    if named is not None and not any(same_header(one.name, named) for one in sheet.columns):
        return no_column("--clinical-key", named, [sheet])
    best = max(found, key=lambda one: one[3], default=None)
    nearest = "no column with the number of a single patient"
    if best is not None:
        nearest = (
            f"at best the column {safe_header(best[1].column)}, which names {best[3]} of "
            f"{len(patients)} patients"
        )
    if _lies_on_its_side(sheet, patients):
        return StudyError(
            "A clinical sheet must have one patient in each row",
            found="patients' numbers beside one another, in one row",
            where=sheet.where,
            remedy="swap rows and columns: in Excel copy the table, then Paste Special, Transpose",
            code="clinical-sheet-several-patients-a-row",
        )
    return StudyError(
        "A clinical sheet must have a column of the hospital's patient ids or accession numbers, "
        "as the headers of the images have them",
        found=nearest,
        where=sheet.where,
        remedy="add such a column to the sheet; or name the column by --clinical-key, such as "
        f"--clinical-key '{headers[0]}'. Leading zeros, '.0', blanks and case do not matter. Or "
        "give whole names and birth dates: rows that fit one patient are proposed, to be confirmed",
        code="clinical-sheet-without-ids",
    )


def _lies_on_its_side(sheet: Sheet, patients: dict[str, Known]) -> bool:
    """Return whether patients stand beside one another."""
    known = {one for kinds in _index(patients).values() for one in kinds}
    lines = [[column.name for column in sheet.columns]]
    lines += [[text for text in row if text is not None] for row in sheet.cells.to_numpy()]
    most = max(len({number_of(text) for text in line} & known) for line in lines)
    return most >= max(3, ENOUGH * sum(one.registered for one in patients.values()))


def pair_rows(
    sheet: Sheet, keys: list[Key], patients: dict[str, Known]
) -> tuple[pd.Series, dict[int, str]]:
    """Return the patient of each row, and for the others why there is none.

    Parameters
    ----------
    sheet : Sheet
        The sheet.
    keys : list of Key
        From `find_keys`.
    patients : dict of str to Known
        From `known_patients`.

    Returns
    -------
    pandas.Series
        Original patient by row.
    dict of int to str
        Row -> reason.
    """
    index = _index(patients)
    found, reasons = {}, {}
    for row in sheet.cells.index:
        told: list[set[str]] = []
        filled = False
        for key in keys:
            text = sheet.cells.at[row, key.column]
            if text is not None:
                filled = True
                if meant := meant_by(text, index[key.kind]):
                    told.append(meant)
        both = set.intersection(*told) if told else set()
        if len(both) == 1:
            (patient,) = both
            if patients[patient].registered:
                found[row] = patient
            else:
                reasons[row] = "its patient has no mask that was matched (see the handover list)"
        elif told and not both:
            reasons[row] = "its numbers are those of two patients"
        elif both:
            reasons[row] = f"{len(both)} patients have this number"
        else:
            reasons[row] = _unmatched(sheet, row, keys, filled)
    return pd.Series(found, dtype=object), reasons


def numbers_of_own(sheet: Sheet, rows: pd.Series, patients: dict[str, Known]) -> set[str]:
    """Return the columns in which a row has a number of its own patient, whatever their header.

    A number of a few digits may be one by chance, as an age: it counts where half of them are.
    """
    found = set()
    for column in sheet.columns:
        cells = sheet.cells[column.name].loc[rows.index].dropna()
        own = [
            text
            for row, text in cells.items()
            if any(number_of(text) in known for known in patients[rows[row]].numbers.values())
        ]
        if any(len(number_of(text)) >= LONG for text in own) or 2 * len(own) > len(cells) > 0:
            found.add(column.name)
    return found


def _unmatched(sheet: Sheet, row: int, keys: list[Key], filled: bool) -> str:
    from pipeline.tables.id_checks import is_summary

    cells = [text for text in sheet.cells.loc[row] if text is not None]
    if cells and is_summary(cells[0]):
        return "a row that sums up the others"
    if not filled:
        return NO_NUMBER
    text = next(one for key in keys if (one := sheet.cells.at[row, key.column]) is not None)
    if re.fullmatch(r"\d(?:[.,]\d+)?[eE]\+?\d+", text):
        return "Excel rounded the number: format the column as text and type it again"
    return "no patient of the handover has this number"
