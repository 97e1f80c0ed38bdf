"""Registration from a table that people filled in, with real ids and paths."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from intake.handover.pairing.mask_paths import level_of
from intake.handover.pairing.matching import Matched, Row, reason_of, without_doubles
from intake.handover.pairing.structures_of_mask import label_of
from intake.handover.people.dates import day_of
from intake.handover.people.persons import (
    Person,
    canonical,
    contradictions,
    different_names,
    one_person,
)
from intake.handover.reading.folders import below
from intake.handover.reading.outlines import outline_of
from intake.handover.reading.reading import read_handover
from intake.handover.reading.sources import Handover, Series
from pipeline.core.errors import CaseError
from pipeline.core.problems import Problems, listing
from pipeline.imaging.dicom.dicom_identity import Identity
from pipeline.imaging.dicom.dicom_phases import parted
from pipeline.imaging.geometry import Geometry
from pipeline.imaging.volumes import read_volume, volume_suffix
from pipeline.tables.files.sheets import read_sheet, rows_text
from pipeline.tables.identifying.checks import column_kind
from segmentation.formats.mask_files import read_mask_file
from segmentation.structures.label_conventions import check_name, named_segments
from segmentation.structures.level_names import vertebra_of
from segmentation.structures.segments import MaskFile, Segment, first_drawn, pick_segment

REQUIRED = ("patient_id", "level", "reader", "image", "mask")
KINDS = {"name": "name", "birth": "date", "date": "date", "id": "id", "uid": "uid"}
"""Kinds of identity of further columns, by what their header and values show."""

NUMBERS = (
    ("version", r"[1-9](\.0+)?", "write 1, or nothing, for the original, 2 for its correction"),
    ("days_from_surgery", r"[+-]?[0-9]+(\.0+)?", "write days, negative before surgery, or nothing"),
)
"""Columns of whole numbers: their form, which allows the ``.0`` of other programs, and a remedy."""

OPTIONAL = ("scan_id", "case_id", "version", "series", "label", "days_from_surgery")


def read_handed_in(path: Path) -> pd.DataFrame:
    """Read a table with the columns of docs/tables.md, its ids and paths real.

    Raises
    ------
    StudyError
        Naming columns that lack and rows that are wrong, without quoting them.
    """
    sheet = read_sheet(path, "cases")
    problems = Problems(f"the table {path.name}")
    for column in REQUIRED:
        if column not in sheet:
            problems.add(
                f"The table must have the column {column}",
                where=f"{path.name}, header",
                remedy="add it, or rename the column that holds it; needed are "
                + ", ".join(REQUIRED),
                code="column-missing",
            )
    problems.raise_if_any()
    for column in OPTIONAL:
        if column not in sheet:
            sheet[column] = None
    for column in REQUIRED:
        blank = sheet.index[sheet[column].isna()]
        if len(blank):
            problems.add(
                f"{column} must not be blank",
                where=f"{path.name}, {rows_text(blank)}",
                remedy="fill the cell, or remove the row",
                code="cell-blank",
            )
    problems.raise_if_any()
    _check_spellings(sheet, path, problems)
    levels = sheet["level"].map(level_of)
    if levels.isna().any():
        problems.add(
            "level must be a vertebra: C1-C7, T1-T13, L1-L6 or S1",
            where=f"{path.name}, {rows_text(sheet.index[levels.isna()])}, column level",
            remedy="write the name of one vertebra, such as L1 or T12",
            code="level-not-a-vertebra",
        )
    sheet["level"] = levels
    for column in ("image", "mask"):
        sheet[column] = sheet[column].map(lambda value: _placed(path.parent, value))
        gone = sheet.index[~sheet[column].map(Path.exists)]
        if len(gone):
            problems.add(
                f"The {column} must exist, relative to the folder of its table",
                where=f"{path.name}, {rows_text(gone)}, column {column}",
                remedy="correct the path, or put the file there",
                code="path-not-found",
            )
    for column, pattern, remedy in NUMBERS:
        wrong = sheet.index[~sheet[column].fillna("1").str.fullmatch(pattern)]
        if len(wrong):
            problems.add(
                f"{column} must be a whole number",
                where=f"{path.name}, {rows_text(wrong)}, column {column}",
                remedy=remedy,
                code="cell-not-whole-number",
            )
    problems.raise_if_any()
    return sheet


def _check_spellings(sheet: pd.DataFrame, path: Path, problems: Problems) -> None:
    """Refuse patients whose ids differ in case, blanks or leading zeros only: they are one."""
    spellings = sheet["patient_id"].groupby(sheet["patient_id"].map(canonical)).agg(set)
    for several in spellings[spellings.map(len) > 1]:
        rows = [sheet.index[sheet["patient_id"] == one][0] for one in several]
        problems.add(
            "patient_id must be written in one way: case, blanks and leading zeros make no patient",
            found=f"{len(several)} spellings of one id",
            where=f"{path.name}, {rows_text(sorted(rows))}, column patient_id",
            remedy="write one of them into every row of the patient",
            code="patient-spelled-alike",
        )


def _placed(folder: Path, value: str) -> Path:
    target = folder / value
    return target if target.exists() else folder / value.replace("\\", "/")


def match_table(sheet: pd.DataFrame, folder: Path) -> tuple[Matched, Handover]:
    """Return the rows of a table as matched masks, and everything that identifies.

    Parameters
    ----------
    sheet : pandas.DataFrame
        From `read_handed_in`.
    folder : pathlib.Path
        Folder of the table.
    """
    everything = Handover(identity=_of_table(sheet, folder), by="table")
    by_image: dict[Path, Handover] = {}
    volumes: dict[Path, Series] = {}
    owners: dict[tuple[str, str], set[str]] = {}
    matched = Matched()
    for row in sheet.to_dict("records"):
        image = row["image"]
        try:
            if image.is_dir():
                if image not in by_image:
                    by_image[image] = _read_folder(image)
                candidates = by_image[image].series
            else:
                candidates = [volumes.setdefault(image, _volume(image))]
            mask_file = read_mask_file(row["mask"])
            segment, note = _segment(mask_file, row["label"], row["level"])
            series = _choose(candidates, row["series"], mask_file, segment)
            if series.problem:
                raise CaseError(series.problem, code="series-contradictory")
            for instance in series.instances or {""}:
                owners.setdefault((series.uid, instance), set()).add(row["patient_id"])
            series.patient = row["patient_id"]
            matched.rows.append(
                Row(
                    series,
                    row["mask"],
                    row["level"],
                    row["reader"],
                    _label(mask_file, segment, row["label"], row["level"]),
                    "table",
                    note="; ".join(filter(None, (note, *series.notes))),
                    version=int(float(row["version"] or 1)),
                    days=None if row["days_from_surgery"] is None
                    else int(float(row["days_from_surgery"])),
                    outline=outline_of(mask_file, segment, series),
                )
            )  # fmt: skip
        except CaseError as error:
            matched.failed.append((row["mask"], reason_of(error)))
    matched = without_doubles(_of_one_person(_of_one_patient(matched, owners)))
    for one in by_image.values():
        everything.series += one.series
        everything.damaged += one.damaged
        everything.other += one.other
        everything.unreadable += one.unreadable
        everything.identity |= one.identity
    everything.series += volumes.values()
    return matched, everything


def _read_folder(image: Path) -> Handover:
    """Read the headers below the image of a row."""
    found = below(image)
    read = read_handover(image, found.files, by="table")
    read.other += found.passed
    read.unreadable += found.unreadable
    return read


def _of_one_person(matched: Matched) -> Matched:
    """Move rows of a patient whose CTs are of several people to those not matched; note doubts."""
    persons: dict[str, set[Person]] = {}
    for row in matched.rows:
        persons.setdefault(row.series.patient, set()).update(row.series.persons)
    notes = {patient: _doubts(patient, persons) for patient in persons}
    kept = []
    for row in matched.rows:
        patient = row.series.patient
        if against := contradictions(persons[patient], stated=True):
            reason = (
                f"The CTs of one patient must be of one person (found: {', '.join(against)}). "
                "Remedy: correct patient_id or image, or the header that is wrong"
            )
            matched.failed.append((row.mask, reason))
        else:
            kept.append(replace(row, note="; ".join(filter(None, (row.note, *notes[patient])))))
    matched.rows = kept
    return matched


def _doubts(patient: str, persons: dict[str, set[Person]]) -> list[str]:
    """Return what a person should check of a patient of the table."""
    mine = persons[patient]
    found = []
    ids = {canonical(one.id) for one in mine if one.id}
    if len(ids) > 1:
        found.append(f"{len(ids)} patient ids in the headers of its CTs: is it one person?")
    if different_names(mine) > 1:
        found.append(f"{different_names(mine)} names in the headers of its CTs: is it one person?")
    others = [several for other, several in persons.items() if other != patient]
    if any(one_person(a, b) for other in others for a in mine for b in other):
        found.append("another patient_id of the table has the same name and birth date")
    shared = any(
        a.id and canonical(a.id) == canonical(b.id) and not contradictions((a, b))
        for other in others for a in mine for b in other
    )  # fmt: skip
    if shared:
        found.append("another patient_id of the table has the same patient id in its headers")
    return found


def _of_one_patient(matched: Matched, owners: dict[tuple[str, str], set[str]]) -> Matched:
    """Move rows of a CT that the table gives to several patients to those not matched."""
    kept = []
    for row in matched.rows:
        instances = row.series.instances or {""}
        if all(len(owners[row.series.uid, instance]) == 1 for instance in instances):
            kept.append(row)
        else:
            reason = "A CT series must belong to one patient. Remedy: correct patient_id or image"
            matched.failed.append((row.mask, reason))
    matched.rows = kept
    return matched


def _of_table(sheet: pd.DataFrame, folder: Path) -> set[Identity]:
    found = {
        Identity("id", f"table, {column}", str(value))
        for column in ("patient_id", "scan_id", "case_id", "series")
        for value in sheet[column].dropna()
    }
    for column in (name for name in sheet.columns if name not in (*REQUIRED, *OPTIONAL)):
        kind = KINDS.get(column_kind(column, sheet[column]) or "")
        for value in sheet[column].dropna() if kind else ():
            day = day_of(str(value)) if kind == "date" else None
            found.add(Identity(kind, f"table, {column}", day or str(value)))
    for column in ("image", "mask"):
        for path in sheet[column]:
            inside = path.relative_to(folder) if path.is_relative_to(folder) else path
            *folders, name = [part for part in inside.parts if part not in ("/", "..")]
            found |= {Identity("path", "folder name", part) for part in folders}
            found.add(Identity("path", "file name", name.split(".")[0]))
    return found


def _volume(image: Path) -> Series:
    if volume_suffix(image) is None:
        raise CaseError(
            "A CT must be a DICOM folder, a NIfTI or a NRRD file",
            remedy="correct the column image",
            code="ct-of-unknown-kind",
        )
    read, _ = read_volume(image)
    return Series(f"file {image.resolve()}", "", [image], grid=Geometry.of(read))


#: How `phases` calls parts of a series, by the attribute that column `series` names.
_PARTS = {
    "AcquisitionNumber": "acquisition",
    "TemporalPositionIdentifier": "phase",
    "TemporalPositionIndex": "phase",
}


def _choose(
    candidates: list[Series], wanted: str | None, mask_file: MaskFile, segment: Segment | None
) -> Series:
    """Return the series of a row: the one named, the only one, or the one with the mask's grid."""
    if wanted is not None:
        name, phase = parted(wanted)
        part = "" if phase is None else f"{_PARTS.get(phase[0], phase[0])} {float(phase[1]):g}"
        words = (name or "").casefold().split()
        candidates = [
            one
            for one in candidates
            if (part in ("", one.part))
            and (
                (name or "") in ("" if part else None, one.uid, *one.uids)
                or words in (one.description.casefold().split(), one.part.casefold().split())
            )
        ]
        if not candidates:
            raise CaseError(
                "Column series must name a CT series of the image by UID or description",
                remedy="correct the column series, or leave it blank",
                code="series-not-in-folder",
            )
    if len(candidates) == 1:
        return candidates[0]
    segment = segment or first_drawn(mask_file)
    fits = [
        one
        for one in candidates
        if segment is not None and one.grid is not None and mask_file.fits(segment, one.grid)
    ]
    if len(fits) == 1:
        return fits[0]
    raise CaseError(
        "The image of a row must hold one CT series with the mask's grid",
        found=f"{len(candidates)} series, {len(fits)} with its grid",
        remedy="name the series in the column series, by UID or description"
        + (
            f"; or its part: {listing(one.part for one in fits)}"
            if all(one.part for one in fits)
            else ""
        )
        if fits
        else "correct image or mask: the mask was drawn on another CT",
        code="image-matches-no-one-series",
    )


def _label(
    mask_file: MaskFile, segment: Segment | None, label: str | None, level: str
) -> str | None:
    """Return what the study's column `label` says: a number, or the name that somebody meant."""
    if segment is None:
        return label
    if not check_name(segment, level, label):
        return label_of(mask_file, segment)
    # The stages refuse a number whose name is that of another level; the copy of a label map has
    # names of vertebrae from its own header, and no other.
    kept = segment.value in getattr(mask_file, "named_in_header", ()) and vertebra_of(segment.name)
    return segment.name if kept or not mask_file.numbered else str(segment.value)


def _segment(mask_file: MaskFile, label: str | None, level: str) -> tuple[Segment | None, str]:
    """Return the structure that a row means, and what a person should check of it.

    Parameters
    ----------
    mask_file : MaskFile
        The file's content.
    label : str or None
        Column `label`; where it is blank, names in the file tell. None stands for a file in which
        neither does: the study's convention must tell.
    level : str
        Column `level`.
    """
    if label is None and len(mask_file.segments) != 1:
        named = named_segments(mask_file, level)
        if len(named) != 1:
            return None, ""
        (segment,) = named
        mask_file.check(segment)
    else:
        segment = pick_segment(mask_file, label)
    return segment, "; ".join(one.message for one in check_name(segment, level, label))
