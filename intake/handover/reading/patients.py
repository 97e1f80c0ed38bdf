"""Which CT files are one series, and which series one patient's: what contradicts is not merged.

A series is the files of one SeriesInstanceUID and one patient; a patient is an id, or where none is
stated a name with a birth date, or a folder. Ids that differ in case, blanks or leading zeros only
are one. Each contradiction is a problem, with which nothing of the patient is registered, or a
note for the person who reads the report.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import combinations
from pathlib import Path

import numpy as np

from intake.handover.people.persons import (
    Person,
    canonical,
    contradictions,
    different_names,
    one_person,
)
from intake.handover.reading.phases import FEWEST_SLICES, contrast_of, parts_of
from intake.handover.reading.sources import Handover, Image, Series, series_of, stack

REMEDY = (
    "hand in one folder for each patient directly below DICOM_ROOT and add --patients folder, or "
    "hand in a table (--cases)"
)
EXPORT = "export the series again from where it came"

#: mm by which a slice may lie beside the line of a stack and still belong to it.
UNEVEN_MM = 0.1

SAME_PERSON = (
    "another patient id has the same name and birth date: if it is one person, hand in a table "
    "(--cases) with one patient_id, into a new folder (--out) and with a new --linkage, since the "
    "old ones hold two patients"
)

Key = tuple[str, ...]


def settle(
    found: Handover,
    images: list[Image],
    masks: Iterable[tuple[Path, str, Person]],
    told: Mapping[str, Mapping[str, int]],
    by: str = "header",
) -> Handover:
    """Put CT files into series and series to patients, and say what contradicts.

    Parameters
    ----------
    found : Handover
        What else was found; its `series` and `mask_headers` are filled in.
    images : list of Image
        CT files.
    masks : iterable of (pathlib.Path, str, Person)
        DICOM masks with the folder below the root and the person of their header.
    told : mapping
        Remarks about files of a series, with their number, by SeriesInstanceUID.
    by : {'header', 'folder', 'table'}
        What tells patients apart: what headers say, the folders directly below the root, or a
        table that has its own checks.
    """
    spellings = _Spellings(by, (image.person for image in images))
    groups: dict[tuple[str, Key], list[Image]] = defaultdict(list)
    for uid, members in _by_uid(images).items():
        for key, part in _parts(members, spellings).items():
            groups[uid, key] = part
    groups, parts = _taken_apart(_joined(groups))
    made: dict[Key, list[Series]] = defaultdict(list)
    for (uid, key), part in groups.items():
        one = series_of(uid, spellings.name(key), part)
        original, one.part = parts.get((uid, key), (uid, ""))
        one.contrast = contrast_of(part)
        for what, count in told.get(original, {}).items():
            one.note(f"{count} {what}")
        if one.part:
            one.note(f"its SeriesInstanceUID holds several parts: this is {one.part}")
        if len(one.uids) > 1:
            one.note(f"its slices had {len(one.uids)} SeriesInstanceUIDs: taken as one series")
        made[key].append(one)
    _name_folders(groups, made)
    _check_series(groups, made)
    if by != "table":
        _check_patients(made, spellings)
        _check_pairs(made)
    found.by = by
    found.series = sorted(
        (one for several in made.values() for one in several),
        key=lambda one: (one.patient, one.date or "", one.number or 0, one.uid),
    )
    for path, folder, person in masks:
        found.mask_headers[path] = spellings.name(spellings.key(person, folder))
    return found


class _Spellings:
    """Keys of patients, and the spelling of each that was met first.

    Parameters
    ----------
    by : {'header', 'folder', 'table'}
        What tells patients apart.
    persons : iterable of Person
        Everybody: an id of several issuers is several patients.
    """

    def __init__(self, by: str, persons: Iterable[Person]) -> None:
        self.by = by
        self.written: dict[Key, dict[str, None]] = defaultdict(dict)
        issuers: dict[str, set[str]] = defaultdict(set)
        for one in persons:
            if one.issuer:
                issuers[canonical(one.id)].add(one.issuer)
        self.shared = {known for known, several in issuers.items() if len(several) > 1}

    def key(self, person: Person, folder: str) -> Key:
        """Return by what a patient is told from others."""
        if self.by != "folder" and person.id:
            known = canonical(person.id)
            issuer = (person.issuer,) if known in self.shared and person.issuer else ()
            key, text = ("id", known, *issuer), " of ".join((person.id, *issuer))
        elif self.by != "folder" and person.name:
            text = f"{person.name} {person.birth}".strip()
            key = ("name", text.casefold())
        else:
            key, text = ("folder", folder), f"folder {folder}"
        self.written[key].setdefault(text)
        return key

    def name(self, key: Key) -> str:
        """Return the patient of a key as the linkage names it."""
        return next(iter(self.written[key]))


def _by_uid(images: Iterable[Image]) -> dict[str, list[Image]]:
    found: dict[str, list[Image]] = defaultdict(list)
    for image in images:
        found[image.uid].append(image)
    return found


def _parts(members: list[Image], spellings: _Spellings) -> dict[Key, list[Image]]:
    """Return the files of one SeriesInstanceUID by patient.

    Files that name nobody go with the one patient that the others name, unless more contradicts.
    """
    parts: dict[Key, list[Image]] = defaultdict(list)
    for image in members:
        parts[spellings.key(image.person, image.folder)].append(image)
    named = [key for key in parts if key[0] == "id"]
    if len(named) == 1 and len(parts) > 1:
        for key in [key for key in parts if key[0] != "id"]:
            both = [image.person for image in (*parts[named[0]], *parts[key])]
            if not contradictions(both, stated=True):
                parts[named[0]] += parts.pop(key)
    if spellings.by == "table" and len(parts) > 1 and _alike(parts.values()):
        return {next(iter(parts)): members}  # the table says whose it is
    return parts


def _alike(parts: Iterable[list[Image]]) -> bool:
    """Return whether the name and birth date of files with several ids are of one person."""
    persons = [{image.person for image in part} for part in parts]
    return any(one_person(a, b) for one, two in combinations(persons, 2) for a in one for b in two)


Groups = dict[tuple[str, Key], list[Image]]
"""Files by SeriesInstanceUID and patient."""


def _joined(groups: Groups) -> Groups:
    """Join single slices of one patient and study that are a stack only together.

    Some anonymisers write a SeriesInstanceUID of its own into each slice. Slices of one folder,
    number and description are tried first, then those of one frame of reference and orientation,
    wherever they lie and however they are numbered.
    """
    for place_of in (_beside, _in_space):
        single: dict[tuple, list[tuple[str, Key]]] = defaultdict(list)
        for (uid, key), part in groups.items():
            if len(part) == 1 and len(part[0].places) == 1:
                place = place_of(part[0])
                if place is not None:
                    single[key, place].append((uid, key))
        for several in single.values():
            if len(several) < FEWEST_SLICES:
                continue
            together = [image for group in several for image in groups[group]]
            if stack([place for image in together for place in image.places]) is not None:
                for group in several:
                    del groups[group]
                uid = min(uid for uid, _ in several)
                groups[uid, several[0][1]] = together
    return groups


def _beside(image: Image) -> tuple:
    return image.path.parent, image.person.study, image.number, image.description


def _in_space(image: Image) -> tuple | None:
    """Return in which space a slice lies: frame, orientation, size; None where it says none."""
    place = image.places[0]
    if not image.frame or place.orientation is None:
        return None
    along = tuple(round(one, 3) for one in place.orientation)
    size = (place.rows, place.columns, place.spacing)
    return image.person.study, image.frame, along, size, image.description


def _taken_apart(groups: Groups) -> tuple[Groups, dict[tuple[str, Key], tuple[str, str]]]:
    """Return the groups with phases and thicknesses apart, and of each part UID and name."""
    found: Groups = {}
    names: dict[tuple[str, Key], tuple[str, str]] = {}
    for (uid, key), part in groups.items():
        for name, images in parts_of(part).items():
            group = (f"{uid} {name}" if name else uid, key)
            found[group] = images
            if name:
                names[group] = (uid, name)
    return found, names


def _name_folders(
    groups: Mapping[tuple[str, Key], list[Image]], made: Mapping[Key, list[Series]]
) -> None:
    """Let a folder that holds one patient's series only mean this patient."""
    owners: dict[str, set[Key]] = defaultdict(set)
    for (_, key), part in groups.items():
        for image in part:
            for folder in image.folders:
                owners[folder].add(key)
    of_one: dict[Key, set[str]] = defaultdict(set)
    for folder, keys in owners.items():
        if len(keys) == 1:
            of_one[next(iter(keys))].add(folder)
    for key, several in made.items():
        for one in several:
            part = groups[one.uid, key]
            one.folders |= of_one[key] & {folder for image in part for folder in image.folders}


def _check_series(
    groups: Mapping[tuple[str, Key], list[Image]], made: Mapping[Key, list[Series]]
) -> None:
    """Find what contradicts within the files of one SeriesInstanceUID, or tears a slice off."""
    series = {(one.uid, key): one for key, several in made.items() for one in several}
    parts: dict[str, list[tuple[str, Key]]] = defaultdict(list)
    for group in groups:
        parts[group[0]].append(group)
    for group, part in groups.items():
        studies = {image.person.study for image in part if image.person.study}
        if len(studies) > 1:
            series[group].note(f"its files have {len(studies)} StudyInstanceUIDs")
    for several in parts.values():
        if len(several) == 1:
            continue
        alike = _alike(groups[group] for group in several)
        small = min(len(series[group].files) for group in several) < FEWEST_SLICES
        for group in several:
            one = series[group]
            if alike or (small and any(len(series[other].files) > 1 for other in several)):
                one.problem = one.problem or (
                    "A CT series must be of one patient (found: one SeriesInstanceUID with "
                    f"{len(several)} patient ids"
                    + (" of one name and birth date" if alike else "")
                    + f"). Remedy: {EXPORT} under one id, or hand in each patient's files by a "
                    "table (--cases)"
                )
            one.note(
                f"its SeriesInstanceUID is also that of {len(several) - 1} other patient(s): "
                "taken apart by patient id"
            )
    _check_torn(series, groups)


def _check_torn(
    series: Mapping[tuple[str, Key], Series], groups: Mapping[tuple[str, Key], list[Image]]
) -> None:
    """Find a single slice beside a CT of its patient that continues the stack or fills a gap."""
    for group, part in groups.items():
        if len(part) != 1 or len(part[0].places) != 1:
            continue
        for other, rest in groups.items():
            beside = other != group and other[1] == group[1] and len(rest) >= FEWEST_SLICES
            if not beside or part[0].path.parent not in {image.path.parent for image in rest}:
                continue
            if _continues(part[0], rest):
                series[other].problem = series[other].problem or (
                    "A CT series must have all of its slices (found: a slice in its folder that "
                    "continues its stack under another SeriesInstanceUID). "
                    f"Remedy: {EXPORT}, or move that slice to another folder"
                )


def _continues(single: Image, rest: list[Image]) -> bool:
    """Return whether a slice is the next, or a missing one, of a stack of slices."""
    places = [place for image in rest for place in image.places]
    try:
        mine, first = single.places[0], places[0]
        along = np.array(first.orientation, dtype=float).reshape(2, 3)
        same = all(
            np.allclose(np.array(getattr(mine, name), float), np.array(getattr(first, name), float))
            for name in ("spacing", "orientation", "rows", "columns")
        )
        normal = np.cross(*along)
        stacked = np.array([place.position for place in places], dtype=float)
        offset = np.array(mine.position, dtype=float) - stacked[0]
    except (AttributeError, KeyError, TypeError, ValueError):
        return False
    heights = np.sort((stacked - stacked[0]) @ normal)
    steps = np.diff(heights)
    step = float(np.median(steps)) if len(steps) else 0.0
    height = float(offset @ normal)
    # A tilted gantry shifts slices: the way from slice to slice is the stack's, not the normal's.
    way = stacked[np.argmax((stacked - stacked[0]) @ normal)] - stacked[0]
    rise = float(way @ normal)
    aside = offset - (way * (height / rise) if rise else 0)
    if not same or step <= 0 or np.linalg.norm(aside) > UNEVEN_MM:
        return False
    near = np.abs(heights - height).min()
    inside = heights[0] - 1.5 * step < height < heights[-1] + 1.5 * step
    return bool(inside and abs(near - step) < 0.1 * step)


def _check_patients(made: Mapping[Key, list[Series]], spellings: _Spellings) -> None:
    """Find what contradicts among all series of one patient."""
    for key, several in made.items():
        persons = {person for one in several for person in one.persons}
        stated = spellings.by == "folder"
        against = contradictions(persons, stated=stated)
        studies = {one.study for one in persons if one.study}
        if key[0] == "folder" and not stated and len(studies) > 1:
            against.append(f"{len(studies)} studies, and no patient id")
        written = spellings.written[key]
        if against:
            problem = (
                f"One patient must be one person (found: {', '.join(against)} under one "
                + {"id": "patient id", "name": "name", "folder": "folder"}[key[0]]
                + f"). Remedy: {_remedy(stated)}"
            )
            for one in several:
                one.problem = one.problem or problem
        for one in several:
            if key[0] == "folder" and not stated:
                one.note("its header names no patient: its folder is taken for one")
            if key[0] == "id" and len(written) > 1:
                one.note(f"{len(written)} spellings of its patient id: taken for one patient")
            if different_names(persons) > 1:
                one.note(
                    f"{different_names(persons)} names under one patient id: is it one person?"
                )


def _remedy(stated: bool) -> str:
    if not stated:
        return REMEDY
    return "put each person's images into a folder of their own, or correct the wrong header"


def _check_pairs(made: Mapping[Key, list[Series]]) -> None:
    """Note patients who share a study, or a name and birth date."""
    studies: dict[str, set[Key]] = defaultdict(set)
    births: dict[str, set[Key]] = defaultdict(set)
    persons = {key: {p for one in several for p in one.persons} for key, several in made.items()}
    for key, several in persons.items():
        for person in several:
            if person.study:
                studies[person.study].add(key)
            if person.birth:
                births[person.birth].add(key)
    for keys in studies.values():
        for key in keys if len(keys) > 1 else ():
            for one in made[key]:
                one.note(f"its StudyInstanceUID is also that of {len(keys) - 1} other patient(s)")
    for keys in births.values():
        for first, second in combinations(sorted(keys), 2):
            if any(one_person(a, b) for a in persons[first] for b in persons[second]):
                for one in (*made[first], *made[second]):
                    one.note(SAME_PERSON)
