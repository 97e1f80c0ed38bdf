"""Who a header says was scanned, and whether two headers can mean one person.

An id alone is no person: anonymisers give all patients one id, hospitals share numbers, and people
write one id in several ways. What else a header says (birth date, sex, age, name) must not
contradict it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from anyascii import anyascii
from pydicom.dataset import Dataset

#: Texts that stand where an id or a name was taken out. Letters and digits only, in lower case.
PLACEHOLDER = re.compile(
    r"anon|anonym|anonym[ei]|anonymous|anonymi[sz](?:ed|iert|e|ed?patient|edname)|anonymouspatient"
    r"|deidentified|depersonali[sz]ed|pseudonym|unknown|unbekannt|inconnu|none|null|nan|na|empty"
    r"|test|testpatient|patient|patientid|patientname|noid|noname|nobody|removed|redacted|dummy"
    r"|undefined|unspecified|withheld|not(?:available|applicable|specified)"
    r"|anonymus|anonymous(?:fe)?male|default|phantom|id|name|匿名化|匿名|未知|0+|x{2,}|([a-z])\1{2,}|([1-9])\2{3,}"
)

#: Birth dates that programs write where none is known.
NO_BIRTHDAY = frozenset(("00010101", "18000101", "18991230", "19000101", "19010101", "19700101"))

#: Years by which a stated age may miss the birth year: ages are rounded, and some headers state
#: them of the day of the export.
AGE_TOLERANCE = 2

_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "oe", "å": "aa"})


@dataclass(frozen=True, order=True)
class Person:
    """What one header says of who was scanned; empty where it says nothing.

    Attributes
    ----------
    id : str
        PatientID as written, without blanks at its ends; empty where it is a placeholder.
    issuer, institution : str
        Who gave the id out; where the scanner stands.
    name : str
        PatientName; empty where it is a placeholder.
    birth : str
        YYYYMMDD.
    sex : str
        ``M`` or ``F``.
    born : tuple of int
        First and last year in which the person may be born, by birth date or age; empty if unknown.
    study : str
        StudyInstanceUID.
    """

    id: str = ""
    issuer: str = ""
    institution: str = ""
    name: str = ""
    birth: str = ""
    sex: str = ""
    born: tuple[int, ...] = ()
    study: str = ""


def person_of(header: Dataset) -> Person:
    """Return what a header says of the person."""
    identity, name = _text(header, "PatientID"), _text(header, "PatientName")
    birth = re.sub(r"\D", "", _text(header, "PatientBirthDate"))[:8]
    birth = birth if len(birth) == 8 and birth not in NO_BIRTHDAY else ""
    sex = _text(header, "PatientSex").upper()[:1]
    return Person(
        id="" if is_placeholder(identity) else identity,
        issuer=_text(header, "IssuerOfPatientID").casefold(),
        institution=_plain(_text(header, "InstitutionName")),
        name="" if _names_nobody(name) else name,
        birth=birth,
        sex=sex if sex in ("M", "F") else "",
        born=(int(birth[:4]),) * 2 if birth else _born(header),
        study=_text(header, "StudyInstanceUID"),
    )


def _text(header: Dataset, keyword: str) -> str:
    value = header.get(keyword)
    return "" if value is None else str(value).strip(" \0\t\r\n")


def _born(header: Dataset) -> tuple[int, ...]:
    """Return the years in which someone of the stated age was born."""
    age = re.fullmatch(r"(\d{1,3})Y?", _text(header, "PatientAge").upper())
    if age is None or not int(age[1]):
        return ()
    for keyword in ("AcquisitionDate", "SeriesDate", "StudyDate", "ContentDate"):
        day = re.match(r"(\d{4})", _text(header, keyword))
        if day:
            year = int(day[1]) - int(age[1])
            return year - 1 - AGE_TOLERANCE, year + AGE_TOLERANCE
    return ()


def _plain(text: str) -> str:
    composed = unicodedata.normalize("NFKC", text).casefold()
    return "".join(one for one in composed if one.isalnum())


def is_placeholder(text: str) -> bool:
    """Return whether an id or a name says nobody.

    >>> [is_placeholder(one) for one in ("ANONYMOUS", "0", "XXXX", "", "4711", "ANON-0012", "Li")]
    [True, True, True, True, False, False, False]
    """
    plain = _plain(text)
    if not plain or PLACEHOLDER.fullmatch(plain):
        return True
    # Unknown^Unknown; a part of digits, as in ANON-0, tells one patient from another.
    parts = [_plain(part) for part in re.split(r"[\W_]+", text)]
    return max(map(len, parts)) > 3 and all(
        not part or (PLACEHOLDER.fullmatch(part) and not part.isdecimal()) for part in parts
    )


def _names_nobody(name: str) -> bool:
    """Return whether a name, or its family name, stands where one was taken out.

    Short words such as Na and Id are family names.
    """
    family = re.split(r"[\^, ]", name.strip(), maxsplit=1)[0]
    return is_placeholder(name) or (len(_plain(family)) > 3 and is_placeholder(family))


@cache
def canonical(identity: str) -> str:
    """Return an id without what people and spreadsheets change: case, blanks, leading zeros.

    Separators between digits stay: 1-12 is not 11-2.

    >>> len({canonical(one) for one in ("P007", "p007 ", "P 7", "p-007")}), canonical("1-12")
    (1, '1-12')
    """
    text = unicodedata.normalize("NFKC", identity).casefold()
    text = re.sub(r"[\W_]+", "-", text).strip("-")
    text = re.sub(r"(?<=\D)-|-(?=\D)", "", text)
    return re.sub(r"(?<!\d)0+(?=\d)", "", text) or identity


def contradictions(persons: Iterable[Person], *, stated: bool = False) -> list[str]:
    """Return what speaks against all headers being of one person, as counts without values.

    Parameters
    ----------
    persons : iterable of Person
        Headers that share an id.
    stated : bool
        Whether somebody said that they are of one person (a table, a folder for each patient). Else
        issuers of the id speak against it too, and where no birth date says that the person is the
        same, names (people marry, and names are corrected) and institutions.
    """
    persons = set(persons)
    found = []
    births = {one.birth for one in persons if one.birth}
    if not _agree(births):
        found.append(f"{len(births)} birth dates")
    elif not _overlap(one.born for one in persons if one.born):
        found.append("ages of people born in different years")
    sexes = {one.sex for one in persons if one.sex}
    if len(sexes) > 1:
        found.append("both sexes")
    issuers = {one.issuer for one in persons if one.issuer}
    if len(issuers) > 1 and not stated:
        found.append(f"{len(issuers)} issuers of the id")
    known = births and all(one.birth for one in persons)
    if not stated and not known:
        different = different_names(persons)
        if different > 1:
            found.append(f"{different} names")
        elif not _one_telling_name(persons):
            places = {one.institution for one in persons if one.institution}
            if len(places) > 1:
                found.append(f"{len(places)} institutions, and neither a name nor a birth date")
    return found


def _agree(births: set[str]) -> bool:
    """Return whether birth dates can be one: the first of January may stand for a year."""
    exact = {one for one in births if not one.endswith("0101")}
    return len(exact) < 2 and len({one[:4] for one in births}) < 2


def _overlap(years: Iterable[tuple[int, ...]]) -> bool:
    years = list(years)
    return not years or max(one[0] for one in years) <= min(one[1] for one in years)


def _one_telling_name(persons: Iterable[Person]) -> bool:
    """Return whether all headers name the person, by more than the id once more."""
    return all(one.name and _plain(one.id) not in _plain(one.name) for one in persons)


def different_names(persons: Iterable[Person]) -> int:
    """Return how many names there are that are no spellings of one another."""
    groups: list[str] = []
    for name in sorted({one.name for one in persons if one.name}, key=len, reverse=True):
        if not any(same_name(name, other) for other in groups):
            groups.append(name)
    return len(groups)


def same_name(one: str, other: str) -> bool:
    """Return whether two names are spellings of one: case, order, accents, script, a part less.

    >>> same_name("Müller^Anna", "MUELLER, ANNA"), same_name("欧阳^小冬", "Ouyang^Xiaodong")
    (True, True)
    >>> same_name("Meier^Anna", "Meier^Anna Maria"), same_name("Meier^Anna", "Huber^Anna")
    (True, False)
    """
    return any(_alike(first, second) for first in _parts_of(one) for second in _parts_of(other))


def _parts_of(name: str) -> list[frozenset[str]]:
    """Return the parts of a name, of each of its groups and in each of its spellings."""
    found = []
    for group in name.split("="):
        text = unicodedata.normalize("NFC", group).casefold()
        for spelled in {text.translate(_UMLAUTS), text}:
            parts = [anyascii(one).lower() for one in re.findall(r"[^\W\d_]+|\d+", spelled)]
            plain = [re.sub(r"[^a-z0-9]", "", part) for part in parts]
            if any(plain):
                found.append(frozenset(filter(None, plain)))
    return found


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    if one <= other or other <= one:
        return True
    # Parts may be joined: OuYang against Ou Yang; their letters are the same.
    return sorted("".join(one)) == sorted("".join(other)) and len(one) != len(other)


def one_person(one: Person, other: Person) -> bool:
    """Return whether two headers with different ids are of one person: name and birth date agree.

    A name that only repeats the id, as some anonymisers write it, proves nothing.
    """
    return bool(
        one.birth
        and one.birth == other.birth
        and _one_telling_name((one, other))
        and same_name(one.name, other.name)
        and len({one.sex, other.sex} - {""}) < 2
    )
