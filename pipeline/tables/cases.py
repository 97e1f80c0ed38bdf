"""The table of masks: one row per case and reader, checked and dealt to batches."""

from __future__ import annotations

import hashlib
import logging
import math
import os
import re
from pathlib import Path

import pandas as pd

from pipeline.core.errors import StudyError
from pipeline.core.problems import Problems, listing
from pipeline.core.written.spellings import typed_alike
from pipeline.tables.files.sheets import read_sheet, rows_of, rows_of_repeated, rows_text
from pipeline.tables.identifying.checks import check_identifying, shown, shown_id, shown_path
from pipeline.tables.readers import reader_label, split_label
from pipeline.tables.registered import check_registered, read_marker
from pipeline.tables.schema import check_columns, load_schema
from pipeline.tables.sites import HandedIn, sites_of, with_site

logger = logging.getLogger(__name__)

LEVELS = re.compile(r"[CTL][0-9]{1,2}|S1|[+-]?[0-9]{1,4}")

#: Columns of the table of masks as it is handed in, in the order of its template.
HANDED_IN = [
    "patient_id",
    "scan_id",
    "case_id",
    "level",
    "reader",
    "version",
    "image",
    "series",
    "mask",
    "label",
    "days_from_surgery",
]
COLUMNS = [*HANDED_IN, "batch"]
ORDER = ["patient_id", "scan_id", "case_id", "reader"]


def read_cases(path: str | Path, scans_per_job: int) -> pd.DataFrame:
    """Read and check the table of masks of a study of one site.

    Parameters
    ----------
    path : path-like
        The table; its paths of images and masks are relative to its folder.
    scans_per_job : int
        Scans of a batch, on average.

    Returns
    -------
    pandas.DataFrame
        One row per case x reader x version, sorted by patient, scan, case and reader, with the
        columns of docs/files.md. `reader` holds the label of a reader's version
        (`pipeline.tables.readers`); `image` and `mask` are relative to the working directory.

    Raises
    ------
    StudyError
        Telling every wrong row; or if the table lies in no registered study.
    """
    path = Path(path)
    if not path.is_file():
        raise StudyError(
            "The table of masks must exist",
            where=str(path),
            remedy="give its path relative to the folder in which snakemake runs; "
            "vertebromics intake DICOM_ROOT MASK_ROOT --out STUDY writes one, cases.csv",
            code="cases-table-not-found",
        )
    read_marker(path)
    sheet = read_sheet(path, "cases")
    problems = Problems(f"the table of masks {path}")
    for name in {"version", "days_from_surgery"} & set(sheet.columns):
        sheet[name] = typed_alike(sheet[name])  # 1.0, as software writes it beside blanks, is 1
    check_columns(sheet, "cases", path, problems)
    problems.raise_if_any()
    check_registered(sheet, path)
    known = load_schema("cases")["properties"]
    check_identifying(sheet, path, problems, own=known)
    problems.raise_if_any()
    ignored = [name for name in sheet.columns if name not in known]
    if ignored:
        logger.info("%s: columns not used: %s", path, listing(map(shown, ignored)))
    for name in COLUMNS:
        if name not in sheet:
            sheet[name] = None
    sheet["version"] = sheet["version"].fillna("1").astype("int64")
    sheet["reader"] = list(map(reader_label, sheet["reader"], sheet["version"]))
    _check_unique(sheet, path, problems)
    _check_versions(sheet, path, problems)
    _check_one(sheet, path, problems)
    for name in ("image", "mask"):
        sheet[name] = _resolve_paths(sheet[name], path, problems)
    problems.raise_if_any()
    days = pd.to_numeric(sheet["days_from_surgery"])
    sheet["days_from_surgery"] = days.astype("Int64")
    sheet["batch"] = batches(sheet["scan_id"], scans_per_job)
    return sheet[COLUMNS].sort_values(ORDER, kind="stable").reset_index(drop=True)


def read_cases_of_sites(given: HandedIn, scans_per_job: int) -> pd.DataFrame:
    """Read and check a study's table of masks, or those of all its sites.

    Parameters
    ----------
    given : HandedIn
        What the study is handed.
    scans_per_job : int
        Scans of a batch, on average.

    Returns
    -------
    pandas.DataFrame
        As `read_cases` returns it; ids of several sites begin with the site's name.

    Raises
    ------
    StudyError
        Telling every wrong row of every site's table.
    """
    tables, problems = [], Problems("the tables of masks")
    for site, of_site in sites_of(given):
        with problems.step():
            assert of_site.cases is not None
            table = read_cases(of_site.cases, scans_per_job)
            tables.append(with_site(table, site))
    problems.raise_if_any()
    whole = pd.concat(tables, ignore_index=True)
    if given.sites is not None:
        whole["batch"] = batches(whole["scan_id"], scans_per_job)
    return whole.sort_values(ORDER, kind="stable").reset_index(drop=True)


def batches(scan_ids: pd.Series, scans_per_job: int) -> pd.Series:
    """Return the batch of each scan, which depends on nothing but its id and the number of batches.

    Parameters
    ----------
    scan_ids : pandas.Series of str
        A scan may occur several times.
    scans_per_job : int
        Scans of a batch, on average.

    Returns
    -------
    pandas.Series of str
        ``b0``, ``b1``, ...: the SHA-256 of the id modulo the power of two nearest to scans /
        `scans_per_job` by ratio. A power of two, because then another patient rarely changes the
        number, and with it every batch. A batch may be empty.
    """
    wanted = scan_ids.nunique() / scans_per_job
    count = 1
    while count * math.sqrt(2) < wanted:
        count *= 2
    width = len(str(count - 1))

    def batch(scan_id: str) -> str:
        number = int.from_bytes(hashlib.sha256(scan_id.encode()).digest(), "big") % count
        return f"b{number:0{width}d}"

    return scan_ids.map({scan_id: batch(scan_id) for scan_id in scan_ids.unique()})


def _check_unique(sheet: pd.DataFrame, path: Path, problems: Problems) -> None:
    keys = (
        (["case_id", "reader"], "A case must have one mask per reader and version"),
        (["scan_id", "level", "reader"], "A level of a scan must be one case"),
    )
    for columns, rule in keys:
        for values, rows in rows_of_repeated(sheet[columns]):
            problems.add(
                rule,
                code="mask-repeated" if "case_id" in columns else "level-repeated",
                found=" ".join(map(shown_id, values)),
                where=f"{path}, {rows_text(rows)}, columns {', '.join(columns)}",
                remedy="remove the duplicate, or correct its ids",
            )
        if problems:
            return


def _check_versions(sheet: pd.DataFrame, path: Path, problems: Problems) -> None:
    """Add every reader of a case whose versions do not count up from the original, 1."""
    reader = sheet["reader"].map(lambda label: split_label(label)[0])
    keys = pd.MultiIndex.from_arrays([sheet["case_id"], reader])
    # Where every row is an original there is nothing to count.
    corrected = keys.isin(keys[sheet["version"] != 1])
    some = sheet[corrected]
    for (case_id, name), rows in some.groupby([some["case_id"], reader[corrected]], sort=False):
        versions = sorted(set(rows["version"]))
        if versions != list(range(1, len(versions) + 1)):
            problems.add(
                "The versions of a reader's mask must count up from the original, 1",
                found=f"case {shown_id(case_id)}, reader {shown(name)} with versions "
                f"{listing(versions)}",
                where=f"{path}, {rows_text(rows.index)}, column version",
                remedy="keep the original's row, and number its corrections 2, 3, ...",
                code="mask-versions-gap",
            )


def _check_one(sheet: pd.DataFrame, path: Path, problems: Problems) -> None:
    """Add every id under which two rows say different things of the same object."""
    rules = (
        ("scan_id", ("patient_id", "image", "series", "days_from_surgery")),
        ("case_id", ("scan_id", "level")),
    )
    for key, columns in rules:
        for column in columns:
            values = sheet[column].fillna("(blank)")
            for name in _differing(values, sheet[key]):
                rows = sheet.index[sheet[key] == name]
                problems.add(
                    f"A {key.removesuffix('_id')} must have one {column}",
                    found=f"{shown_id(name)} with {listing(map(_quoted, values[rows].unique()))}",
                    where=f"{path}, {rows_text(rows)}, column {column}",
                    remedy="correct the row that differs, or give it another id",
                    code="id-with-two-meanings",
                )
    volumes = sheet["image"] + "\0" + sheet["series"].fillna("")
    for volume in _differing(sheet["scan_id"], volumes):
        rows = sheet.index[volumes == volume]
        problems.add(
            "An image must be one scan",
            found=f"scans {listing(map(shown_id, sheet.loc[rows, 'scan_id'].unique()))}",
            where=f"{path}, {rows_text(rows)}, column image",
            remedy="give its rows one scan_id, or tell its series apart in the column series",
            code="image-of-several-scans",
        )


def _quoted(value: object) -> str:
    """Return a cell of an id, a level or a path as an error may quote it."""
    text = str(value)
    return text if text == "(blank)" or LEVELS.fullmatch(text) else shown_path(text)


def _differing(values: pd.Series, keys: pd.Series) -> list[str]:
    """Return the keys that have more than one value."""
    counts = values.groupby(keys, sort=False).nunique()
    return list(counts.index[counts > 1])


def _resolve_paths(values: pd.Series, path: Path, problems: Problems) -> pd.Series:
    """Return paths of a table relative to the working directory; add those that do not exist."""
    resolved, missing = {}, set()
    for value in values.unique():
        target = path.parent / value
        if "\\" in value and not target.exists():
            target = path.parent / value.replace("\\", "/")  # written on Windows
        if not target.exists():
            missing.add(value)
        resolved[value] = Path(os.path.normpath(target)).as_posix()
    for value, rows in rows_of(values, missing):
        problems.add(
            f"The {values.name} must exist, relative to the folder of its table",
            found=shown_path(value),
            where=f"{path}, {rows_text(rows)}, column {values.name}",
            remedy="correct the path, or copy the file there",
            code="path-not-found",
        )
    return values.map(resolved)
