"""The clinical table of a study, its draft, and the list for the hospital, on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from intake.clinical.lines import (
    ABSENT,
    BY_PERSON,
    CELL,
    CHANGED,
    COMMENT,
    CONFIRM_BY,
    DOUBT,
    HIDDEN,
    LEFT_OUT,
    MERGED,
    NEAR,
    NOT_READ,
    REFUSED,
    TO_CONFIRM,
    UNMATCHED,
)
from intake.clinical.preparing import Clinical
from intake.handover.pages.handover_page import SheetLine
from intake.handover.people.linkage import Linkage, write_private
from pipeline.core.errors import StudyError
from pipeline.core.files import csv_text, whole_file
from pipeline.core.problems import listing
from pipeline.study.draft.columns import Given, Guess, guess
from pipeline.study.draft.configuration import draft_config, study_name
from pipeline.study.draft.questions import (
    Facts,
    Question,
    as_markdown,
    on_screen,
    open_questions,
    pairs_question,
)

WRITTEN = ("clinical.csv", "dictionary.csv", "config.yaml", "questions.md")
"""What the clinical part of an intake writes into a study."""

COLUMNS = ("column", "label", "type", "unit", "levels", "timing", "role", "range", "test", "reason")

ENROLMENT = {
    "column": "enrolment", "label": "Order of enrolment", "type": "ordinal", "unit": "",
    "levels": "", "timing": "preoperative", "role": "split", "range": "", "test": "",
    "reason": "made by intake: by the day of the operation, or of the first scan",
}  # fmt: skip

HEADER = ("sheet", "row", "column", "what", "why", "in the sheet", "pseudonym")

ORDER = (
    CONFIRM_BY, TO_CONFIRM, REFUSED, NOT_READ, NEAR, UNMATCHED, ABSENT, DOUBT, BY_PERSON, MERGED,
    HIDDEN, COMMENT, LEFT_OUT, CELL, CHANGED,
)  # fmt: skip


OF_PATIENT = (REFUSED, DOUBT, MERGED, TO_CONFIRM, BY_PERSON)
"""Lines whose text is a patient."""

MOST_TOLD = 10
"""Rows that the screen names; the list for the hospital has all."""


@dataclass(frozen=True)
class Drafted:
    """What was written, for the screen.

    Attributes
    ----------
    guesses : tuple of Guess
        The columns.
    questions : tuple of Question
        What is open.
    kept : tuple of str
        Files that were there and were left as somebody had edited them.
    """

    guesses: tuple[Guess, ...]
    questions: tuple[Question, ...]
    kept: tuple[str, ...]


def clinical_path(linkage_path: Path) -> Path:
    """Return where the list for the hospital lies: beside the linkage, since it holds names."""
    name = linkage_path.name.removesuffix(".json").removesuffix(".linkage")
    return linkage_path.with_name(f"{name}.clinical.csv")


def clinical_table(clinical: Clinical, linkage: Linkage, patients: Sequence[str]) -> pd.DataFrame:
    """Return the columns by pseudonym, one row for each patient of the study who has one.

    Parameters
    ----------
    clinical : Clinical
        From `intake.clinical.preparing.prepare`.
    linkage : Linkage
        After the intake has drawn its pseudonyms.
    patients : sequence of str
        Pseudonyms of the study's table of masks.
    """
    known = {linkage.known(original): original for original in clinical.patients}
    there = sorted(one for one in patients if one in known)
    table = pd.DataFrame({"patient_id": there}, dtype=object)
    for name, column in clinical.columns.items():
        values = column.values.reindex([known[one] for one in there])
        table[name] = values.where(values.notna(), None).to_numpy(dtype=object)
    return table


def check_unedited(out: Path, linkage: Linkage) -> None:
    """Raise `StudyError` if somebody edited the clinical table, which is made of the sheet anew."""
    path = out / "clinical.csv"
    before = linkage.clinical.get("sha256")
    if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() != before:
        raise StudyError(
            "clinical.csv must be as intake wrote it, since it is made of the sheet again",
            found="a file that was changed by hand" if before else "a file of your own",
            where="clinical.csv of the study",
            remedy="make the changes in the sheet, and move this file away",
            code="clinical-table-changed-by-hand",
        )


def write_clinical(
    clinical: Clinical, linkage: Linkage, out: Path, *, convention: str = ""
) -> Drafted:
    """Write clinical table, dictionary, configuration and questions into a study.

    A dictionary or configuration that is there stays as somebody edited it; columns that are new
    get a row in the dictionary, and columns that are gone lose it. Where no row is paired before
    somebody confirms it, the question alone is written.

    Parameters
    ----------
    clinical : Clinical
        From `intake.clinical.preparing.prepare`.
    linkage : Linkage
        After the intake; it is told the digest of the clinical table, and has to be written after.
    out : pathlib.Path
        Folder of the study, with its table of masks.
    convention : str
        What all masks follow, where intake was told.
    """
    if clinical.to_confirm and not clinical.columns:
        return _write_question(clinical, out)
    cases = pd.read_csv(out / "cases.csv", dtype=str)
    table = clinical_table(clinical, linkage, list(cases["patient_id"].unique()))
    guesses = []
    for name, one in clinical.columns.items():
        label = _label(one.header)
        given = Given(
            name, label, table[name], one.context, one.unit, one.limits, one.note, one.visit
        )
        guesses.append(guess(given))
    template = pd.read_csv(out / "clinical_template.csv", dtype=str)
    enrolment = template.set_index("patient_id")["enrolment"].reindex(table["patient_id"])
    enrolled = bool(len(enrolment) and enrolment.notna().all())
    if enrolled:
        table.insert(1, "enrolment", enrolment.to_numpy(dtype=object))
    rows = [*([ENROLMENT] if enrolled else []), *(one.row() for one in guesses)]
    several = int((cases.groupby("patient_id")["case_id"].nunique() > 1).sum())
    scans = cases.drop_duplicates("scan_id")
    days = pd.to_numeric(scans["days_from_surgery"])
    late, undated = int((days >= 0).sum()), int(days.isna().sum())
    readers = tuple(sorted(cases["reader"].unique()))
    facts = Facts(readers, cases["patient_id"].nunique(), several, enrolled, late, undated)
    questions = [*_of_pairs(clinical), *open_questions(guesses, facts)]
    folder = out.as_posix()
    name = study_name(out.name if out.name != "study" else out.resolve().parent.name)
    text = csv_text(table)
    linkage.clinical = {"sha256": hashlib.sha256(text.encode()).hexdigest()}
    _write(out / "clinical.csv", text)
    dictionary, kept_rows = _merged(out / "dictionary.csv", rows)
    _write(out / "dictionary.csv", csv_text(dictionary))
    kept = ["dictionary.csv"] if kept_rows else []
    if (out / "config.yaml").exists():
        kept.append("config.yaml")
    else:
        _write(out / "config.yaml", draft_config(name, folder, guesses, facts, convention))
    _write(out / "questions.md", as_markdown(questions, guesses, name))
    return Drafted(tuple(guesses), tuple(questions), tuple(kept))


def _of_pairs(clinical: Clinical) -> list[Question]:
    return pairs_question(len(clinical.proposed), clinical.to_confirm)


def _write_question(clinical: Clinical, out: Path) -> Drafted:
    """Write the one question that is open where no row is paired before somebody confirms it."""
    questions = _of_pairs(clinical)
    name = study_name(out.name if out.name != "study" else out.resolve().parent.name)
    _write(out / "questions.md", as_markdown(questions, [], name))
    kept = tuple(one for one in WRITTEN if one != "questions.md")
    return Drafted((), tuple(questions), kept)


def _label(header: str) -> str:
    return " ".join(header.replace("|", "/").split())


def _write(path: Path, text: str) -> None:
    with whole_file(path) as beside:
        beside.write_text(text, encoding="utf-8")


def _merged(path: Path, rows: list[dict]) -> tuple[pd.DataFrame, bool]:
    """Return the dictionary: rows that are there as they are, new columns behind."""
    new = pd.DataFrame(rows, columns=list(COLUMNS)).fillna("")
    if not path.exists():
        return new, False
    from pipeline.tables.files.sheets import read_sheet

    before = read_sheet(path).fillna("").reindex(columns=list(COLUMNS), fill_value="")
    kept = before[before["column"].isin(new["column"])]
    added = new[~new["column"].isin(kept["column"])]
    return pd.concat([kept, added], ignore_index=True), True


def write_list(clinical: Clinical, linkage: Linkage, path: Path) -> None:
    """Write what became of each row, column and cell, for the hospital: it holds its own words."""
    lines = sorted(clinical.lines, key=lambda line: ORDER.index(line.what))
    rows = []
    for line in lines:
        of_patient = line.what in (ABSENT, *OF_PATIENT)
        pseudonym = linkage.known(line.text) if of_patient else None
        told = (line.sheet, line.row, line.column, line.what, line.why, line.text, pseudonym or "")
        rows.append([str(cell) for cell in told])
    table = pd.DataFrame(rows, columns=list(HEADER), dtype=object)
    write_private(path, csv_text(table))


def page_lines(clinical: Clinical | None) -> list[SheetLine]:
    """Return what the page to confirm says of the sheets: what somebody should look at."""
    told = (*OF_PATIENT, CONFIRM_BY, NOT_READ, UNMATCHED, NEAR, HIDDEN, COMMENT)
    found = []
    for line in clinical.lines if clinical else ():
        if line.what in told:
            row = f"row {line.row}" if line.row else ""
            place = ", ".join(filter(None, (line.sheet, row, line.column)))
            text = ": ".join(filter(None, (place, line.what, line.why)))
            said = f" (`{line.text}`)" if line.what in (COMMENT, NEAR) and line.text else ""
            patient = line.text if line.what in OF_PATIENT else ""
            asks = line.what in (REFUSED, DOUBT, TO_CONFIRM)
            found.append(SheetLine(patient, text + said, asks))
    return found


def _hidden(clinical: Clinical) -> list[str]:
    """Return by sheet which rows and columns Excel hides."""
    rows: dict[str, list[str]] = {}
    for line in clinical.lines:
        if line.what == HIDDEN:
            rows.setdefault(line.sheet, []).append(f"row {line.row}" if line.row else line.shown)
    return [f"{sheet}, hidden: {listing(some, MOST_TOLD)}" for sheet, some in rows.items()]


def summary(clinical: Clinical, drafted: Drafted, out: Path, listed: Path, patients: int) -> str:
    """Return what the screen shows: counts, what was left out and why, the open questions."""
    lines = [
        "",
        f"Clinical sheet: {clinical.rows} rows; {len(clinical.patients)} of {patients} patients of "
        "the study have one.",
    ]
    count = clinical.compared
    lines.append(
        f"Compared with the headers of the images: {count['person']} rows by name or birth date, "
        f"{count['age or sex']} by age or sex alone; {count['']} rows state none of these."
    )
    for what, says in (
        (REFUSED, "rows REFUSED: they contradict the images, or two of their numbers each other"),
        (TO_CONFIRM, "rows to CONFIRM, paired by name and birth date alone"),
        (BY_PERSON, "rows paired by name and birth date, as confirmed"),
        (NEAR, "rows NOT paired: they have no id, and name or birth date fit nobody for certain"),
        (UNMATCHED, "rows of no patient: summaries, remarks, numbers that no image has"),
        (ABSENT, "patients without a row"),
        (DOUBT, "rows to look at"),
        (MERGED, "rows taken as one with another row of their patient, as when entered twice"),
        (HIDDEN, "rows or columns that Excel hides, read like the others"),
        (COMMENT, "comments beside cells, not read: one may correct a value"),
        (CELL, "cells left out"),
    ):
        if number := clinical.counted(what):
            lines.append(f"{number:>8} {says}")
    unread = [line for line in clinical.lines if line.what == NOT_READ]
    lines += [f"         {line.sheet}: NOT read: {line.why}" for line in unread]
    told = [line for line in clinical.lines if line.what in (REFUSED, DOUBT, MERGED) and line.row]
    lines += [f"         {line.sheet}, row {line.row}: {line.why}" for line in told[:MOST_TOLD]]
    if len(told) > MOST_TOLD:
        lines.append(f"         and {len(told) - MOST_TOLD} more")
    lines += [f"         {one}" for one in _hidden(clinical)]
    reasons: dict[str, list[str]] = {}
    for line in clinical.lines:
        if line.what == LEFT_OUT and line.shown:
            reasons.setdefault(line.why, []).append(line.shown)
    if reasons:
        lines.append("Left out of the study:")
        lines += [f"  {', '.join(headers)}: {why}" for why, headers in reasons.items()]
    edited = drafted.kept if drafted.guesses else ()
    lines += [
        f"Written to {out}: {', '.join(one for one in WRITTEN if one not in drafted.kept)}"
        + (f" (kept as you edited them: {', '.join(edited)})" if edited else ""),
        f"Row by row, for the hospital only: {listed}",
        f"Open questions ({out}/questions.md has them too):",
        on_screen(drafted.questions),
    ]
    if drafted.guesses:
        lines += [
            f"Next: answer what is needed in {out}/config.yaml, then",
            f"  vertebromics check --config {out}/config.yaml",
        ]
    return "\n".join(lines)
