"""Take in what a hospital hands over: pseudonyms, numbered files, and their key kept outside.

DICOM series and masks are found in any layout of folders and matched by their references, names and
folders, with geometry as the check. The study that is written identifies nobody; the linkage, which
no stage reads, leads back. Registering again adds patients and keeps all pseudonyms
(docs/privacy.md).
"""

from __future__ import annotations

import argparse
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from intake.clinical.arguments import asked_of, clinical_arguments
from intake.clinical.check_words import shown
from intake.clinical.preparing import prepare
from intake.clinical.writing import WRITTEN as CLINICAL
from intake.clinical.writing import (
    check_unedited,
    clinical_path,
    page_lines,
    summary,
    write_clinical,
    write_list,
)
from intake.handover.collecting import collect, leave_out_damaged, tell
from intake.handover.pages.handover_page import SheetLine, page_path, write_page
from intake.handover.pages.hospital_report import report_path, write_report
from intake.handover.pairing.earlier import leave_out_strangers
from intake.handover.pairing.mask_paths import pattern_of
from intake.handover.pairing.matching import Matched, Rules, conventions_of
from intake.handover.people.dates import days_between, enrolment, surgery_dates
from intake.handover.people.linkage import Linkage, read_linkage, write_linkage
from intake.handover.reading.folders import check_readable
from intake.handover.reading.memory import Memory, memory_path
from intake.handover.reading.phases import CHOICES
from intake.handover.reading.reading import usual_number
from intake.handover.reading.sources import Handover
from intake.handover.tables import match_table, read_handed_in
from intake.handover.writing.only_one import only_one
from intake.handover.writing.study_tree import (
    Names,
    StudyTree,
    merge_cases,
    write_rows,
    write_tables,
)
from intake.identity.byte_search import SearchWhenAsked
from pipeline.core import command
from pipeline.core.errors import StudyError
from pipeline.core.leftovers import clear_leftovers
from pipeline.core.problems import listing
from pipeline.imaging.dicom.dicom_identity import Identity
from pipeline.running.workers.parallel import Workers
from pipeline.study.option_numbers import bounded_number
from pipeline.tables.registered import MARKER, read_marker
from segmentation.structures.label_conventions import BUILT_IN

logger = logging.getLogger(__name__)

PEOPLE = ("name", "id", "date")
"""Kinds of identity that are no machine's: texts about the scanner are compared with these."""


#: What register writes into a study before its marker.
WRITTEN = frozenset(
    ("images", "masks", "cases.csv", "clinical_template.csv", "dictionary_template.csv", *CLINICAL)
)


def register(
    matched: Matched,
    handover: Handover,
    out: Path,
    linkage_path: Path,
    *,
    headers: str = "clean",
    changed: str = "version",
    surgery: dict[str, str] | None = None,
    enrolment_unit: str = "rank",
    workers: Workers | None = None,
    sheets: Sequence[SheetLine] = (),
    linkage: Linkage | None = None,
) -> dict:
    """Write the pseudonymous study of matched masks, its linkage and the report for the hospital.

    Parameters
    ----------
    matched, handover : Matched, Handover
        From `collect` or `intake.handover.tables.match_table`.
    out : pathlib.Path
        Folder of the study.
    linkage_path : pathlib.Path
        File outside of it.
    headers : {'clean', 'keep'}
        Whether images and masks are copied without identity, or linked with it.
    changed : {'version', 'replace'}
        Whether a mask with new content is a further version, or takes the place of the old one.
    surgery : dict of str to str, optional
        Original patient -> day of surgery, YYYYMMDD.
    enrolment_unit : {'rank', 'days'}
        What the template of the clinical table says of enrolment.
    workers : Workers, optional
        Processes that copy slices; by default this one alone does.
    sheets : sequence of SheetLine
        What became of rows of clinical sheets, for the page to confirm.
    linkage : Linkage, optional
        Of the intakes before; by default what lies in the file.

    Returns
    -------
    dict
        Counts.

    Raises
    ------
    StudyError
        If nothing was matched, or the linkage is missing or in a wrong place.
    """
    check_places(out, linkage_path)
    linkage = linkage or read_linkage(linkage_path)
    leave_out_strangers(matched, handover, linkage)
    if handover.unreadable:
        write_report(matched, handover, [], report_path(linkage_path))
        check_readable(handover.unreadable, report_path(linkage_path).name)
    if not matched.rows:
        write_report(matched, handover, [], report_path(linkage_path))
        _check_series(handover)
        raise StudyError(
            "At least one mask must be matched to a CT series",
            found=f"{len(handover.series)} series, {len(matched.failed)} masks",
            remedy=f"{report_path(linkage_path).name} says why, file by file",
            code="no-mask-matched",
        )
    linkage.remember(handover.identity)
    searched = {one for one in linkage.identities() if one.kind not in ("uid", "time")}
    linkage.remember(Identity("date", "table of dates", day) for day in (surgery or {}).values())
    names = Names(SearchWhenAsked(searched, PEOPLE), PEOPLE)
    tree = StudyTree(out, linkage, headers, names, changed, workers)
    tree.know(handover.series)
    for row in matched.rows:
        linkage.scan(linkage.patient(row.series.patient), row.series.uid)
        linkage.keep(linkage.patient(row.series.patient), row.series.persons)
    write_linkage(linkage, linkage_path)  # before any file: no pseudonym is ever orphaned
    written = write_rows(
        matched.rows, tree, matched.failed,
        lambda done, total: tell("copy", done, total, "masks copied with their CTs"),
    )  # fmt: skip
    if not written:
        tree.clear_orphans()
        write_report(matched, handover, [], report_path(linkage_path))
        raise StudyError(
            "At least one mask must be readable together with its CT",
            remedy=f"{report_path(linkage_path).name} says why, file by file",
            code="no-mask-readable",
        )
    strangers = set(surgery or ()) - set(linkage.patients.values())
    if surgery:
        known = set(linkage.patients.values())
        days = {linkage.patient(one): day for one, day in surgery.items() if one in known}
        _fill_days(written, days, linkage)
    else:
        days = {}
    for scan in linkage.scans.values():
        if scan["patient"] in days:
            scan["surgery"] = days[scan["patient"]]
    cases = merge_cases(out, [values for _, values in written])
    template = enrolment(_entered(cases, linkage), enrolment_unit)
    rules = {values["scan_id"]: row.rule for row, values in written}
    before = read_marker(out / "cases.csv").get("convention") if (out / MARKER).exists() else None
    told = matched.convention if before in (None, matched.convention) else ""
    write_tables(out, cases, template, linkage, headers, rules, told)
    tree.clear_orphans()
    write_linkage(linkage, linkage_path)
    write_report(matched, handover, written, report_path(linkage_path))
    write_page(
        matched, handover, written, linkage, linkage_path,
        lambda done, total: tell("confirm", done, total, "patients drawn"), sheets,
    )  # fmt: skip
    if tree.names.left_out:
        logger.warning(
            "Left out of the copies, since they hold a name, an id or a date: %s",
            listing(f"{keyword} ({n} times)" for keyword, n in sorted(tree.names.left_out.items())),
        )
    used = {id(row.series) for row, _ in written}
    return {
        "patients": cases["patient_id"].nunique(),
        "scans": cases["scan_id"].nunique(),
        "cases": cases["case_id"].nunique(),
        "masks": len(cases),
        "masks not matched": len(matched.failed),
        "masks without a reader, all taken as reader A's": _without_reader(written),
        "patients known by folder or file name, as their CTs name none": sum(
            one.startswith("folder ") for one in {row.series.patient for row, _ in written}
        ),
        "masks edited in place since the last time, or copies of them": len(tree.edited),
        "masks to check, as the report says": sum(bool(row.note) for row, _ in written),
        "series whose headers contradict": sum(bool(one.problem) for one in handover.series),
        "series without mask": sum(id(one) not in used for one in handover.series),
        "patients of --dates without a mask, or with another id": len(strangers),
        "damaged DICOM files": len(handover.damaged),
        "segment names replaced": tree.names.replaced,
        "texts of headers left out, since they name somebody": tree.names.left_out.total(),
        "files linked": tree.linked,
        "files copied": tree.copied,
        "files left as they are": tree.untouched,
    }


def _without_reader(written: list) -> int:
    """Return how many masks tell no reader, where none does."""
    return 0 if any(row.reader for row, _ in written) else len(written)


def _check_series(handover: Handover) -> None:
    """Refuse folders without a DICOM CT by their cause, which no line about a mask would name."""
    if not handover.series and handover.by != "table":
        raise StudyError(
            "There must be a CT below DICOM_ROOT: a DICOM series, or a volume that holds air",
            found=f"none; {len(handover.damaged)} damaged DICOM files and "
            f"{len(handover.other)} files that are no CT slice",
            remedy="check the folder; or name each image and mask in a table: "
            "vertebromics intake --cases TABLE.csv --out STUDY (docs/privacy.md)",
            code="no-dicom-series",
        )


def check_places(out: Path, linkage_path: Path, handed_in: Iterable[Path] = ()) -> None:
    """Raise `StudyError` unless study, linkage and what is handed in lie apart and are there.

    Parameters
    ----------
    out, linkage_path : pathlib.Path
        Folder of the study, and the file outside of it.
    handed_in : iterable of pathlib.Path
        Folders whose files are read.
    """
    if out.exists() and not out.is_dir():
        raise StudyError(
            "--out must be a folder",
            found="a file",
            remedy="name another place",
            code="out-not-a-folder",
        )
    for folder in handed_in:
        places = (out.resolve(), folder.resolve())
        if places[0] == places[1] or any(one in two.parents for one, two in (places, places[::-1])):
            raise StudyError(
                "The study must lie outside of the folders that are handed in: its files would be "
                "taken in again",
                where="--out",
                remedy="name a folder beside them",
                code="study-inside-handover",
            )
    if out.resolve() in linkage_path.resolve().parents:
        raise StudyError(
            "The linkage must lie outside the study, which must identify nobody",
            where="--linkage",
            remedy="name a file in another folder, best on another disk",
            code="linkage-inside-study",
        )
    if (out / MARKER).exists() and not linkage_path.exists():
        raise StudyError(
            "A study that already exists needs its linkage, or patients get new pseudonyms",
            found=f"{MARKER} without {linkage_path.name}",
            remedy="name the linkage by --linkage, or write to a new folder",
            code="linkage-missing",
        )
    if not (out / MARKER).exists() and out.is_dir() and any(out.iterdir()):
        allowed = WRITTEN if linkage_path.exists() else frozenset()  # broken off before
        if not {one.name for one in out.iterdir() if not one.name.startswith(".")} <= allowed:
            raise StudyError(
                "--out must be a new folder, or one that vertebromics intake wrote",
                remedy="name a folder that does not exist yet",
                code="out-not-new",
            )


def _fill_days(written: list, days: dict[str, str], linkage: Linkage) -> None:
    for _, values in written:
        scanned = linkage.scans[values["scan_id"]].get("date")
        between = days_between(days.get(values["patient_id"]), scanned)
        if between is not None:
            values["days_from_surgery"] = str(between)


def _entered(cases: pd.DataFrame, linkage: Linkage) -> dict[str, str | None]:
    """Return when each patient entered: by surgery if it is known of all, else by first scan."""
    scans = [linkage.scans[scan] for scan in cases["scan_id"].unique()]
    surgery = {one["patient"]: one["surgery"] for one in scans if one.get("surgery")}
    patients = sorted(cases["patient_id"].unique())
    if set(surgery) == set(patients):
        return surgery
    first: dict[str, str | None] = dict.fromkeys(patients)
    for one in scans:
        day, before = one.get("date"), first[one["patient"]]
        if day and (before is None or day < before):
            first[one["patient"]] = day
    return first


def main(options: argparse.Namespace) -> None:
    """Register, and say in numbers what became of the files."""
    linkage_path = options.linkage or options.out.with_name(f"{options.out.name}.linkage.json")
    roots = [one for one in (options.dicom_root, options.mask_root) if one is not None]
    check_places(options.out, linkage_path, roots)
    with only_one(options.out, linkage_path), Workers(options.processes) as workers:
        _main(options, linkage_path, workers)


def _main(options: argparse.Namespace, linkage_path: Path, workers: Workers) -> None:
    asked = asked_of(options)
    clear_leftovers(options.out)  # of a registering that was killed
    surgery = surgery_dates(options.dates) if options.dates else None
    if options.cases is not None:
        if options.dicom_root is not None:
            raise StudyError(
                "Give either DICOM_ROOT and MASK_ROOT, or --cases",
                found="both",
                remedy="leave one of them out",
                code="sources-both",
            )
        sheet = read_handed_in(options.cases)
        folders = {path for path in sheet["image"] if path.is_dir()}
        check_places(options.out, linkage_path, folders)
        matched, handover = match_table(sheet, options.cases.parent)
    elif options.mask_root is None:
        raise StudyError(
            "Give DICOM_ROOT and MASK_ROOT, or a table by --cases",
            found="neither",
            remedy="name both folders, or write --cases TABLE.csv",
            code="sources-neither",
        )
    else:
        everywhere, sources = conventions_of(options.convention)
        rules = Rules(
            pattern_of(options.mask_pattern) if options.mask_pattern else None,
            tuple(one for one in options.readers.split(",") if one),
            everywhere, sources, options.phase,
        )  # fmt: skip
        memory = Memory(memory_path(linkage_path))
        try:
            matched, handover = collect(
                options.dicom_root, options.mask_root, rules, by=options.patients, memory=memory,
                linkage=read_linkage(linkage_path), workers=workers,
            )  # fmt: skip
            print(memory.told())
        finally:
            memory.close()
    leave_out_damaged(matched, handover)
    clinical = None
    before = read_linkage(linkage_path)  # a new one has a new key, by which rows are confirmed
    if asked is not None:
        check_unedited(options.out, before)
        clinical = prepare(asked, matched, handover, before, surgery)
        surgery = clinical.surgery
    counts = register(
        matched, handover, options.out, linkage_path,
        headers=options.headers, changed=options.changed, surgery=surgery,
        enrolment_unit=options.enrolment, workers=workers, sheets=page_lines(clinical),
        linkage=before,
    )  # fmt: skip
    for what, count in Counter(counts).items():
        if count or what in ("patients", "scans", "cases", "masks"):
            print(f"{count:>8} {what}")
    report = report_path(linkage_path)
    print(
        f"Study: {options.out}\nLinkage (who is who; keep it away from the study): {linkage_path}"
        f"\nWhat became of each file, for the hospital: {report}"
        f"\nThe same as a page to confirm, with pictures: {page_path(linkage_path)}"
    )
    if told := read_marker(options.out / "cases.csv").get("convention"):
        print(f"For the configuration of the study: masks: {{convention: {told}}}")
    if clinical is not None:
        linkage = read_linkage(linkage_path)
        linkage.remember(clinical.identity)
        linkage.proposed = shown(clinical.proposed, linkage)
        write_linkage(linkage, linkage_path)  # before the tables: no value is ever forgotten
        drafted = write_clinical(clinical, linkage, options.out, convention=told or "")
        write_linkage(linkage, linkage_path)
        listed = clinical_path(linkage_path)
        write_list(clinical, linkage, listed)
        print(summary(clinical, drafted, options.out, listed, counts["patients"]))
    if options.headers == "keep":
        print("Images and masks still hold the identity of the originals: guard them as such.")


def _arguments() -> argparse.ArgumentParser:
    arguments = command.parser("intake", __doc__)
    arguments.add_argument(
        "dicom_root", nargs="?", type=Path, metavar="DICOM_ROOT", help="folder that holds the CTs"
    )
    arguments.add_argument(
        "mask_root", nargs="?", type=Path, metavar="MASK_ROOT", help="folder that holds the masks"
    )
    arguments.add_argument(
        "--cases", type=Path, help="a table with real ids and paths instead (docs/tables.md)"
    )
    arguments.add_argument("--out", required=True, type=Path, help="folder of the study to write")
    arguments.add_argument(
        "--linkage",
        type=Path,
        help="file of the key, who is who (default: OUT.linkage.json beside OUT)",
    )
    arguments.add_argument(
        "--mask-pattern", help="how mask files are named, such as '{patient}_{level}_{reader}'"
    )
    arguments.add_argument(
        "--readers", default="", help="names of readers in paths, separated by commas"
    )
    arguments.add_argument(
        "--convention", action="append", default=[], metavar="[FOLDER=]NAME",
        help="which label number is which level, in files without names: none, "
        + ", ".join(BUILT_IN) + "; FOLDER=NAME for the masks of a folder; may be repeated (none)",
    )  # fmt: skip
    arguments.add_argument(
        "--phase", default="ask",
        help="which phase is meant where one series holds several on one grid: "
        f"{', '.join(CHOICES[1:])}, or a part such as 'acquisition 2' (ask)",
    )  # fmt: skip
    arguments.add_argument(
        "--patients", choices=["header", "folder"], default="header",
        help="how patients are distinguished: headers, or the folders directly below DICOM_ROOT "
        "(and MASK_ROOT) where headers name nobody, or everybody alike (header)",
    )  # fmt: skip
    arguments.add_argument(
        "--dates", type=Path, help="table of patient_id (original) and surgery_date"
    )
    arguments.add_argument(
        "--enrolment", choices=["rank", "days"], default="rank",
        help="column enrolment: order, or days since the first patient (rank)",
    )  # fmt: skip
    arguments.add_argument(
        "--headers", choices=["clean", "keep"], default="clean",
        help="clean: copies without identity; keep: hard links, identity stays in headers (clean)",
    )  # fmt: skip
    arguments.add_argument(
        "--changed", choices=["version", "replace"], default="version",
        help="a mask that changed since: add it as a new version, or replace the old one (version)",
    )  # fmt: skip
    arguments.add_argument(
        "--processes", type=bounded_number(minimum=1), default=usual_number(),
        help="processes that read and copy slices (the cores, 8 at most)",
    )  # fmt: skip
    clinical_arguments(arguments)
    return arguments


def command_line() -> None:
    """Run as a command, with the arguments of this process."""
    command.run(main, _arguments())
