"""The marker of a pseudonymous study, without which no stage looks at an image.

``vertebromics intake`` (and the demos) write ``registered.json`` beside the table of cases. It says
that the ids of that folder were drawn and its files numbered there, so that paths and ids may stand
in results and logs. It identifies nobody: counts, pseudonyms, keyed hashes.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import pandas as pd

from pipeline.core.errors import StudyError
from pipeline.core.files import write_json
from pipeline.core.problems import Problems
from pipeline.tables.files.sheets import rows_text
from pipeline.tables.identifying.checks import column_kind

MARKER = "registered.json"
SCHEMA = 1
Maker = Literal["register", "demo", "real"]

#: A DICOM UID: dotted numbers. It leads back to a person through any PACS.
UID = re.compile(r"[0-9]+(\.[0-9]+)+")

_YEAR, _MONTH, _DAY = "(19|20)[0-9]{2}", "(0[1-9]|1[0-2])", "(0[1-9]|[12][0-9]|3[01])"

#: Ids that are refused as pseudonyms: a calendar date, or a UID whose dots became '_' or '-'.
IDENTIFYING = re.compile(
    rf"{_YEAR}[-_]?{_MONTH}[-_]?{_DAY}|{_DAY}[-_]?{_MONTH}[-_]?{_YEAR}|[0-9]+([-_][0-9]+){{4,}}"
)

#: Ids that are warned of: seven digits or more, as hospital and accession numbers have.
SUSPICIOUS = re.compile(r"[A-Za-z]{0,4}[-_]?[0-9]{7,}")


def write_marker(
    folder: str | Path,
    made_by: Maker,
    cases: pd.DataFrame,
    scans: Mapping | None = None,
    **more: object,
) -> Path:
    """Write the marker of a study whose ids are pseudonyms.

    Parameters
    ----------
    folder : path-like
        Folder of the table of cases and of the files that it names.
    made_by : {'register', 'demo', 'real'}
        Who vouches for the folder.
    cases : pandas.DataFrame
        The table: ``patient_id, scan_id, case_id``, one row a mask.
    scans : Mapping, optional
        What is known of each scan's origin, by scan: ``series_key`` (keyed hash of the series),
        ``rule`` (how it was chosen).
    **more
        Further facts that identify nobody.
    """
    marker = {
        "schema": SCHEMA,
        "made_by": made_by,
        "counts": {
            "patients": int(cases["patient_id"].nunique()),
            "scans": int(cases["scan_id"].nunique()),
            "cases": int(cases["case_id"].nunique()),
            "masks": len(cases),
        },
        **more,
        "patients": sorted(cases["patient_id"].unique()),
        "scans": dict(scans or {}),
    }
    path = Path(folder) / MARKER
    write_json(marker, path)
    return path


def read_marker(table: str | Path) -> dict:
    """Return the marker beside a table of cases.

    Raises
    ------
    StudyError
        If there is none, or none that this version understands, with the command to run.
    """
    table = Path(table)
    path = table.parent / MARKER
    remedy = f"vertebromics intake --cases {table} --out {table.parent / 'study'}"
    if not path.is_file():
        raise StudyError(
            "A study needs pseudonyms: vertebromics intake must have written its table of masks",
            found=f"no {MARKER} beside it",
            where=str(table),
            remedy=f"{remedy}  (or, without a table: vertebromics intake DICOM_ROOT "
            f"MASK_ROOT --out STUDY); then set `cases` to the cases.csv that it writes",
            code="table-not-registered",
        )
    try:
        marker = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        marker = None
    if not isinstance(marker, dict) or marker.get("schema") != SCHEMA:
        found = marker.get("schema") if isinstance(marker, dict) else "no readable marker"
        raise StudyError(
            f"{MARKER} must be as this version writes it, schema {SCHEMA}",
            found=found,
            where=str(path),
            remedy=f"run the intake again: {remedy}",
            code="marker-of-another-version",
        )
    return marker


def check_registered(sheet: pd.DataFrame, path: Path) -> None:
    """Raise `StudyError` unless a table of cases is one that identifies nobody.

    Errors name rows, never values: this is where a name may still stand in a cell, and what
    Snakemake prints it also keeps.

    Parameters
    ----------
    sheet : pandas.DataFrame
        The table as `pipeline.tables.files.sheets.read_sheet` returns it, its columns checked.
    path : pathlib.Path
        The table's file.
    """
    known = set(read_marker(path)["patients"])
    problems = Problems(f"the pseudonyms of {path}")

    def refuse(bad: pd.Series, column: str, rule: str, remedy: str, *, code: str) -> None:
        if bad.any():
            rows = rows_text(sheet.index[bad])
            problems.add(rule, where=f"{path}, {rows}, column {column}", remedy=remedy, code=code)

    again = f"take the new files in: vertebromics intake ... --out {path.parent}"
    refuse(
        ~sheet["patient_id"].isin(known),
        "patient_id",
        "Every patient of the table must have a pseudonym that vertebromics intake gave",
        again,
        code="patient-not-registered",
    )
    for column in ("image", "mask"):
        outside = {value: leaves(path.parent, value) for value in sheet[column].unique()}
        refuse(
            sheet[column].map(outside),
            column,
            f"The {column} must lie in the folder that vertebromics intake wrote",
            again,
            code="path-outside-study",
        )
    if "series" in sheet:
        refuse(
            sheet["series"].fillna("").map(lambda value: UID.fullmatch(value) is not None),
            "series",
            "A pseudonymous study must not name a series by its UID, which identifies a person",
            "leave it blank: vertebromics intake puts each series into its own folder",
            code="series-named-by-uid",
        )
    problems.raise_if_any()


def leaves(folder: Path, value: str) -> bool:
    """Return whether a path of a table, relative to `folder`, ends outside of it."""
    root = os.path.abspath(folder)
    target = os.path.abspath(os.path.join(root, value.replace("\\", "/")))
    return os.path.commonpath([root, target]) != root


def suspicious_ids(ids: Iterable[str], column: str, where: str) -> str | None:
    """Check ids that nobody registered, as those of ready feature tables.

    Parameters
    ----------
    ids : iterable of str
        Ids of patients or cases.
    column, where : str
        Column and table, for the error.

    Returns
    -------
    str or None
        A warning, where ids look like hospital or accession numbers.

    Raises
    ------
    StudyError
        If an id is a date or a UID, or if ids are names. The error counts them and shows none.
    """
    ids = [str(one) for one in ids]
    if column_kind("", ids) in ("name", "contact"):
        raise StudyError(
            "Ids must be pseudonyms, not names of people",
            found=f"{len(ids)} ids that look like names",
            where=f"{where}, column {column}",
            remedy="number the patients anew, and keep the list of both outside the study",
            code="ids-are-names",
        )
    refused = sum(IDENTIFYING.fullmatch(one) is not None for one in ids)
    if refused:
        raise StudyError(
            "Ids must be pseudonyms: dates and UIDs identify a person",
            found=f"{refused} of {len(ids)} ids that are a date or a UID",
            where=f"{where}, column {column}",
            remedy="number the patients anew, and keep the list of both outside the study",
            code="ids-are-dates-or-uids",
        )
    doubtful = sum(SUSPICIOUS.fullmatch(one) is not None for one in ids)
    if not doubtful:
        return None
    return (
        f"{where}, column {column}: {doubtful} of {len(ids)} ids look like hospital or accession "
        "numbers. Ids stand in results and logs and must be pseudonyms."
    )
