"""What an earlier registration knows of the patients of a handover, and what contradicts it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from intake.handover.pairing.matching import Matched
from intake.handover.people.linkage import Linkage
from intake.handover.people.persons import Person, contradictions, one_person
from intake.handover.reading.patients import SAME_PERSON
from intake.handover.reading.sources import Handover


def leave_out_strangers(matched: Matched, handover: Handover, linkage: Linkage) -> None:
    """Leave out masks of patients whom the linkage knows under their id as somebody else.

    A person whom it knows under another id stays, with a note.

    Parameters
    ----------
    matched : Matched
        Its `rows` are changed, its `failed` added to.
    handover : Handover
        Says what tells patients apart.
    linkage : Linkage
        Of the registrations before.
    """
    persons: dict[str, set[Person]] = {}
    for row in matched.rows:
        persons.setdefault(row.series.patient, set()).update(row.series.persons)
    reasons, notes = {}, {}
    born: dict[str, list[tuple[str, Person]]] = defaultdict(list)  # one person has one birth date
    for pseudonym in linkage.persons:
        for person in linkage.held(pseudonym):
            born[person.birth].append((pseudonym, person))
    for patient, several in persons.items():
        pseudonym = linkage.known(patient)
        if pseudonym is not None:
            reasons[patient] = _against(several, linkage.held(pseudonym), handover, patient)
        if any(
            other != pseudonym and one_person(one, known)
            for one in several
            for other, known in born.get(one.birth, ())
        ):
            notes[patient] = SAME_PERSON
    kept = []
    for row in matched.rows:
        if against := reasons.get(row.series.patient):
            reason = (
                "A patient id must mean the same person as in earlier intakes (found: "
                f"{', '.join(against)}). Remedy: hand in a table (--cases) with another patient_id"
            )
            matched.failed.append((row.mask, reason))
            continue
        note = notes.get(row.series.patient, "")
        new = note and note not in row.note
        kept.append(replace(row, note="; ".join(filter(None, (row.note, note)))) if new else row)
    matched.rows = kept


def _against(
    new: set[Person], before: set[Person], handover: Handover, patient: str
) -> list[str]:  # fmt: skip
    if not before:
        return []
    found = contradictions(new | before, stated=handover.by != "header")
    studies = [{one.study for one in several if one.study} for several in (new, before)]
    if patient.startswith("folder ") and handover.by == "header" and studies[0] - studies[1]:
        found.append("another study in a folder of the same name, and no patient id")
    return found
