"""Rows without a patient's number, by surname, given name and birth date: proposed, never taken.

A row is proposed for the one patient whose images' headers bear the same whole name and the same
birth date, where no other patient could be meant: twins, a married name, a birth date with day and
month exchanged are named, and are for a person to decide. Nothing of a proposal enters a study
before somebody has confirmed it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from intake.clinical.agreement import (
    PersonColumns,
    Told,
    against,
    namesakes,
    parts_of_name,
    told_of,
)
from intake.clinical.patients import Known
from intake.clinical.sheets import Sheet
from intake.handover.people.persons import same_name
from pipeline.tables.identifying.words import fold, words

REMEDY = "write the patient's id into a column of the sheet, in this row"

NO_PERSON = "neither a patient's number, nor a whole name with a birth date in this row"


@dataclass
class Proposals:
    """What name and birth date say of the rows of a sheet.

    Attributes
    ----------
    pairs : dict of int to str
        Row -> the one patient of this name and birth date.
    said : dict of int to str
        What each of these rows says, for whoever confirms it.
    near : dict of int to str
        Row -> why it is proposed for nobody, although a patient is like it.
    """

    pairs: dict[int, str] = field(default_factory=dict)
    said: dict[int, str] = field(default_factory=dict)
    near: dict[int, str] = field(default_factory=dict)


def by_person(
    sheet: Sheet, rows: Iterable[int], columns: PersonColumns, patients: Mapping[str, Known]
) -> Proposals:
    """Return for which patient a row without a number is proposed, and for the others why not.

    Parameters
    ----------
    sheet : Sheet
        The sheet.
    rows : iterable of int
        Its rows without a patient's number.
    columns : PersonColumns
        Its columns that speak of the person.
    patients : mapping of str to Known
        From `intake.clinical.patients.known_patients`.
    """
    found = Proposals()
    if not (columns.names and columns.births):
        return found
    people = _People(patients)
    for row in rows:
        told = told_of(sheet, row, columns)
        patient, why = people.meant(told)
        if patient is not None:
            found.pairs[row] = patient
            found.said[row] = f"{' '.join(told.names)}, {told.birth}"
        elif why:
            found.near[row] = why
    return found


class _People:
    """The patients by birth date and by the parts of their names.

    Parameters
    ----------
    patients : mapping of str to Known
        All of them, also those without a matched mask.
    """

    def __init__(self, patients: Mapping[str, Known]) -> None:
        self.patients = patients
        self.alike = namesakes(patients)
        self.born: dict[str, set[str]] = defaultdict(set)
        self.called: dict[str, set[str]] = defaultdict(set)
        for original, patient in patients.items():
            for person in patient.persons:
                if person.birth:
                    self.born[person.birth].add(original)
                for part in parts_of_name([person.name]):
                    self.called[part].add(original)

    def meant(self, told: Told) -> tuple[str | None, str]:
        """Return the one patient of a name and birth date, or why there is none."""
        parts = parts_of_name(told.names) - words("titles")
        if len(parts) < 2 or not told.birth:
            return None, NO_PERSON if told.names or told.birth else ""
        named = {
            one
            for one in set().union(*(self.called.get(part, set()) for part in parts))
            if self._has_name(one, _without_titles(told.names))
        }
        exact = named & self.born.get(told.birth, set())
        if len(exact) == 1:
            (patient,) = exact
            return self._unless_another(patient, named, told)
        if exact:
            return None, f"{len(exact)} patients have this name and birth date: {REMEDY}"
        return None, self._nearest(parts, named, told)

    def _unless_another(self, patient: str, named: set[str], told: Told) -> tuple[str | None, str]:
        """Return a patient, unless the row may as well be another's."""
        known = self.patients[patient]
        if not known.registered:
            return None, "its patient has no mask that was matched (see the handover list)"
        if patient in self.alike:
            return None, (
                "another patient has the same surname and birth date (twins?), so that the given "
                f"name alone would decide: {REMEDY}"
            )
        if named & self.born.get(exchanged(told.birth), set()) - {patient}:
            return None, (
                "another patient of this name is born on this date with day and month exchanged: "
                f"{REMEDY}"
            )
        contradictions, doubts = against(told, known)
        if contradictions or doubts:
            return None, f"{'; '.join([*contradictions, *doubts])}: {REMEDY}"
        return patient, ""

    def _nearest(self, parts: frozenset[str], named: set[str], told: Told) -> str:
        if named & self.born.get(exchanged(told.birth), set()):
            return (
                "a patient of this name is born on this date with day and month exchanged: correct "
                f"the date, or {REMEDY}"
            )
        if named:
            return (
                "a patient has this name and another birth date: another person, or a slip? "
                f"correct the date, or {REMEDY}"
            )
        for one in sorted(self.born.get(told.birth, ())):
            if any(one in self.called.get(part, ()) for part in parts):
                return (
                    "a patient with this birth date shares a part of the name, not all of it (a "
                    f"twin, a new surname, a slip?): correct the name, or {REMEDY}"
                )
        return "no patient of the handover has this name and birth date"

    def _has_name(self, original: str, name: str) -> bool:
        """Return whether a header of a patient has the whole name, in two parts at least."""
        return any(
            len(parts_of_name([person.name])) > 1 and same_name(name, person.name)
            for person in self.patients[original].persons
        )


def _without_titles(names: Iterable[str]) -> str:
    """Return a name as it is written, without `Dr.` and the like.

    >>> _without_titles(["Dr. Kanårström, Zoë"])
    'Kanårström Zoë'
    """
    parts = (part for name in names for part in re.split(r"[\s,;^]+", name))
    return " ".join(part for part in parts if part and fold(part) not in words("titles"))


def exchanged(birth: str) -> str:
    """Return a date with day and month exchanged, nothing where that is none or the same.

    >>> exchanged("19400305"), exchanged("19401231"), exchanged("19400505")
    ('19400503', '', '')
    """
    year, month, day = birth[:4], birth[4:6], birth[6:]
    return f"{year}{day}{month}" if int(day) <= 12 and day != month else ""
