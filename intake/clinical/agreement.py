"""Whether a row of a sheet can be of the person whose images it was paired with.

Name, birth date, age and sex of the sheet are compared with the headers of the images, here and
nowhere else: a wrong pairing cannot be noticed by anything that sees pseudonyms only.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher

import pandas as pd

from intake.clinical.days import day_of_text
from intake.clinical.patients import Known
from intake.clinical.sheets import Sheet
from intake.clinical.vocabulary import vocabulary
from intake.handover.people.dates import days_between
from intake.handover.people.persons import AGE_TOLERANCE, Person, is_placeholder, same_name
from pipeline.core.written.number_notation import NUMBER
from pipeline.tables.identifying.checks import column_kind, header_kind
from pipeline.tables.identifying.words import fold, words

MIN_CODED, CODED = 8, 0.85
"""Rows, and their share, from which on a code for the sex is known by the headers of the images."""

FAR_DAYS = 366
"""Days between operation and scan beyond which somebody should look at the pair."""

ALIKE, LONG = 0.85, 6
"""Likeness of two parts of a name, and letters of both, from which on one is a slip of the other.
Short names are other names: Eva and Eve may be twins."""


@dataclass(frozen=True)
class Told:
    """What a row of a sheet says of the person; empty where it says nothing."""

    names: tuple[str, ...] = ()
    birth: str = ""
    born: int | None = None
    age: float | None = None
    sex: str = ""


@dataclass
class PersonColumns:
    """The columns of a sheet that speak of the person.

    Attributes
    ----------
    names, births, ages, sexes : list of str
        Names of columns.
    codes : dict of str to str
        What a code in a column of the sex means, where the headers of the images tell.
    orders : dict of str to {'dmy', 'mdy'}
        What comes first in a column of birth dates.
    """

    names: list[str] = field(default_factory=list)
    births: list[str] = field(default_factory=list)
    ages: list[str] = field(default_factory=list)
    sexes: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    orders: dict[str, str] = field(default_factory=dict)


def person_columns(sheet: Sheet) -> PersonColumns:
    """Return which columns of a sheet speak of the person."""
    found = PersonColumns()
    for column in sheet.columns:
        said = set(fold(column.name).split())
        kind = header_kind(column.name)
        if kind == "birth":
            found.births.append(column.name)
            found.orders[column.name] = _order(sheet.cells[column.name])
        elif is_sex(column.name):
            found.sexes.append(column.name)
        elif said & vocabulary("age") and not said & vocabulary("other_ages"):
            found.ages.append(column.name)
        elif said & (vocabulary("others") | words("described")):
            continue
        elif kind == "name" or (
            # each name once: a patient may have several rows
            kind is None and column_kind(column.name, sheet.cells[column.name].unique()) == "name"
        ):
            found.names.append(column.name)
    return found


def is_sex(header: str) -> bool:
    """Return whether a header is that of the sex: by a word of it, or as a whole (`M/F`)."""
    said = fold(header)
    return bool({said, *said.split()} & vocabulary("sex"))


def learn_codes(
    columns: PersonColumns, sheet: Sheet, paired: pd.Series, patients: dict[str, Known]
) -> None:
    """Learn what 0 and 1 mean in a column of the sex, from the headers of the paired images."""
    for name in columns.sexes:
        seen: dict[str, list[str]] = {}
        for row, patient in paired.items():
            text, sexes = sheet.cells.at[row, name], _sexes(patients[patient].persons)
            if text is not None and not sex_of(text) and len(sexes) == 1:
                seen.setdefault(text.strip(), []).append(next(iter(sexes)))
        codes = {}
        for code, sexes in seen.items():
            most = max(set(sexes), key=sexes.count)
            if sexes.count(most) >= CODED * len(sexes):
                codes[code] = most
        if (
            sum(map(len, seen.values())) >= MIN_CODED
            and len(set(codes.values())) == len(codes) == 2
        ):
            columns.codes[name] = codes


def sex_of(text: str) -> str:
    """Return ``M``, ``F`` or nothing.

    >>> sex_of("weibl."), sex_of("M"), sex_of("1")
    ('F', 'M', '')
    """
    plain = fold(text)
    for sex, spelled in (("M", vocabulary("male")), ("F", vocabulary("female"))):
        if plain in spelled or (len(plain) > 3 and any(one.startswith(plain) for one in spelled)):
            return sex
    return ""


def told_of(sheet: Sheet, row: int, columns: PersonColumns) -> Told:
    """Return what a row says of the person."""

    def texts(names: Iterable[str]) -> list[str]:
        return [text for name in names if (text := sheet.cells.at[row, name]) is not None]

    names = tuple(text for text in texts(columns.names) if not is_placeholder(text))
    sexes = set()
    for name in columns.sexes:
        for text in texts([name]):
            sexes.add(sex_of(text) or columns.codes.get(name, {}).get(text.strip(), ""))
    sexes.discard("")
    birth, born = "", None
    for name in columns.births:
        text = sheet.cells.at[row, name]
        if text is None:
            continue
        if day := day_of_text(text, columns.orders[name], announced=True):
            birth, born = day, int(day[:4])
        elif match := re.fullmatch(r"(?:.*\D)?((?:18|19|20)\d\d)(?:\.0)?", text.strip()):
            born = int(match[1])
    ages = [float(match[0].replace(",", ".")) for text in texts(columns.ages)
            if (match := re.match(r"\d{1,3}(?:[.,]\d+)?", text.strip()))]  # fmt: skip
    return Told(
        names, birth, born, ages[0] if len(set(ages)) == 1 else None,
        next(iter(sexes)) if len(sexes) == 1 else "",
    )  # fmt: skip


def _order(texts: pd.Series) -> str:
    """Return whether day or month comes first in birth dates: 12/31/1950 proves the month."""
    days = [re.fullmatch(r"(\d{1,2})[/-](\d{1,2})[/-]\d{2,4}", text) for text in texts.dropna()]
    pairs = [(int(one[1]), int(one[2])) for one in days if one]
    months = any(second > 12 for _, second in pairs) and not any(first > 12 for first, _ in pairs)
    return "mdy" if months else "dmy"


def against(told: Told, patient: Known, operated: str | None = None) -> tuple[list[str], list[str]]:
    """Return what speaks against a row being of a patient, and what a person should look at.

    Parameters
    ----------
    told : Told
        What the row says.
    patient : Known
        Whom it was paired with.
    operated : str, optional
        Day of the operation, YYYYMMDD, of which the sheet may state the age.

    Returns
    -------
    (list of str, list of str)
        Contradictions, then doubts; in words without values.
    """
    found: list[str] = []
    doubts: list[str] = []
    persons = patient.persons
    births = {one.birth for one in persons if one.birth}
    same_birth = bool(told.birth) and told.birth in births
    if told.birth and births and not same_birth:
        year = {one[:4] for one in births if one.endswith("0101")} | (
            {one[:4] for one in births} if told.birth.endswith("0101") else set()
        )
        if told.birth[:4] not in year:
            found.append("the birth date differs from that of the images")
    elif told.born and not _is_born(told.born, persons):
        found.append("the year of birth differs from that of the images")
    if told.age is not None and not _is_of_age(told.age, persons, {*patient.scanned, operated}):
        found.append("the age does not fit the birth date of the images")
    sexes = _sexes(persons)
    if told.sex and len(sexes) == 1 and told.sex not in sexes:
        found.append("the sex differs from that of the images")
    names = {one.name for one in persons if one.name}
    if told.names and names:
        said = min((_name_against(told.names, name) for name in names), key=len)
        if said == "surname" and same_birth and not found:
            doubts.append("another surname than the images have, with the same birth date")
        elif said:
            found.append(
                "the given name differs from that of the images" if said == "given name"
                else "the name differs from that of the images"
            )  # fmt: skip
    return found, doubts


def namesakes(patients: Mapping[str, Known]) -> dict[str, list[str]]:
    """Return, of each patient, others of the same surname and birth date, such as twins.

    A row that states no given name fits both, whatever number it bears.
    """
    alike: dict[tuple[str, str], set[str]] = defaultdict(set)
    for original, patient in patients.items():
        for one in patient.persons:
            family = fold(re.split(r"[\^,= ]", one.name)[0])
            if family and one.birth:
                alike[family, one.birth].add(original)
    found: dict[str, list[str]] = {}
    for several in alike.values():
        for original in several if len(several) > 1 else ():
            found[original] = sorted({*found.get(original, ()), *several} - {original})
    return found


def compared(told: Told, patient: Known) -> str:
    """Return by what a row could be compared with the images: ``person``, ``age or sex``, nothing.

    The birth date and the name are a person's; age and sex are shared by many.
    """
    persons = patient.persons
    if told.birth and any(one.birth for one in persons):
        return "person"
    if told.names and any(one.name for one in persons):
        return "person"
    born = any(one.born for one in persons)
    if (told.sex and _sexes(persons)) or (born and (told.born or told.age is not None)):
        return "age or sex"
    return ""


def far_from_scans(operated: str | None, patient: Known) -> bool:
    """Return whether an operation lies more than a year from every scan of its patient."""
    if operated is None or not patient.scanned:
        return False
    apart = [abs(days_between(operated, day) or 0) for day in patient.scanned]
    return min(apart) > FAR_DAYS


def _sexes(persons: Iterable[Person]) -> set[str]:
    return {one.sex for one in persons if one.sex}


def _is_born(year: int, persons: Iterable[Person]) -> bool:
    years = [one.born for one in persons if one.born]
    return not years or any(low <= year <= high for low, high in years)


def _is_of_age(age: float, persons: Iterable[Person], days: set[str | None]) -> bool:
    """Return whether somebody born as the headers say can be as old on one of the days."""
    years = [one.born for one in persons if one.born]
    on = [int(day[:4]) for day in days if day]
    if not years or not on or not 0 < age < 120:
        return True
    low, high = min(one[0] for one in years), max(one[1] for one in years)
    return any(year - high - 1 - AGE_TOLERANCE <= age <= year - low + AGE_TOLERANCE for year in on)


def _name_against(told: tuple[str, ...], name: str) -> str:
    """Return which part of a name differs: none, ``surname``, ``given name`` or ``the whole``."""
    if same_name("^".join(told), name) or same_name(" ".join(told), name):
        return ""
    family_text, _, given_text = name.split("=", maxsplit=1)[0].partition(
        "^" if "^" in name else ","
    )
    if not given_text:
        family_text, _, given_text = family_text.strip().partition(" ")
    family, given = parts_of_name([family_text]), parts_of_name([given_text])
    mine = parts_of_name(told) - words("titles")
    in_family = {one for one in mine if _is_among(one, family)}
    in_given = {one for one in mine if _is_among(one, given)}
    if mine <= in_family | in_given and (in_given or len(mine) == len(in_family)):
        return ""
    if in_given:
        return "surname"
    if in_family:
        return "given name" if given else ""
    return "the whole name" if len(mine) > 1 else "surname"


def parts_of_name(texts: Iterable[str]) -> frozenset[str]:
    """Return the words of a name in one spelling.

    >>> sorted(parts_of_name(["Müller-Lüdenscheidt, Évi"]))
    ['evi', 'luedenscheidt', 'mueller']
    """
    umlauts = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
    return frozenset(
        one for text in texts for one in fold(text.casefold().translate(umlauts)).split()
        if not NUMBER.fullmatch(one)
    )  # fmt: skip


def _is_among(part: str, parts: Iterable[str]) -> bool:
    return any(
        part == one
        or (len(part) == 1 and one.startswith(part))
        or (min(len(part), len(one)) >= LONG and SequenceMatcher(None, part, one).ratio() >= ALIKE)
        for one in parts
    )
