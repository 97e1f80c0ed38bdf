"""Ready feature tables, one per reader: a study may start from them and then needs no image."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.core.dictionary import MISSING
from pipeline.core.problems import Problems, listing
from pipeline.core.sheets import (
    NUMBER,
    column_names,
    read_sheet,
    rows_text,
    uses_decimal_comma,
)

KEYS = ("case_id", "patient_id")
DAYS = "days_from_surgery"
"""Whole days from surgery to the scan, negative before it."""
IDENTIFIERS = (*KEYS, "scan_id", "level", "reader", DAYS)
"""Columns that may stand beside the features."""
NO_FEATURE = re.compile(r"diagnostics_|(image|mask|label)$", re.IGNORECASE)
"""What PyRadiomics prints besides features: versions, hashes, and its own input columns."""
WHOLE = re.compile(r"[+-]?[0-9]{1,5}")
_FIGURES = re.compile(r"^\s*[+-]?[0-9.,]")
"""How a number begins, in any notation: a column with such a value is no column of words."""
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def read_feature_keys(paths: Mapping[str, str], unit_key: str) -> tuple[pd.DataFrame, list[str]]:
    """Check the columns and ids of the readers' tables, without reading their numbers.

    Parameters
    ----------
    paths : mapping
        Reader to path of a CSV, Excel or Parquet table with one row per case (or patient).
    unit_key : {'patient_id', 'case_id'}
        Column that names the unit of the clinical table.

    Returns
    -------
    cases : pandas.DataFrame
        One row per case of any reader: ``patient_id, case_id, level, days_from_surgery``, as far
        as the tables have these columns. Where there is no ``case_id``, the patient stands for the
        case.
    notes : list of str
        Which columns are no features and are left out.

    Raises
    ------
    StudyError
        If a table lacks its key, repeats or misspells an id, if the readers' features differ, or
        if they name different patients of a case, or days that are no whole number.
    """
    sheets = {reader: _read(path, values=False) for reader, path in sorted(paths.items())}
    problems = Problems("the feature tables")
    for reader, sheet in sheets.items():
        _check_keys(sheet, paths[reader], unit_key, problems)
    problems.raise_if_any()
    _check_same_features(sheets, problems)
    problems.raise_if_any()
    columns = [
        name
        for name in ("patient_id", "case_id", "level", DAYS)
        if any(name in sheet.columns for sheet in sheets.values())
    ]
    cases = pd.concat([sheet.reindex(columns=columns) for sheet in sheets.values()])
    if "case_id" not in cases:
        cases["case_id"] = cases["patient_id"]
    for name in (each for each in columns if each != "case_id"):
        counts = cases.groupby("case_id")[name].nunique()
        if (counts > 1).any():
            problems.add(
                f"The readers' tables must name the same {name} of a case",
                found=listing(counts.index[counts > 1]),
                where="config key features",
                remedy=f"correct the column {name}",
            )
    problems.raise_if_any()
    if DAYS in cases:
        cases[DAYS] = pd.to_numeric(cases[DAYS]).astype("Int64")
    notes = []
    for reader, sheet in sheets.items():
        kept = {*feature_names(sheet), *IDENTIFIERS}
        dropped = [name for name in sheet.columns if name not in kept]
        if dropped:
            notes.append(
                f"{len(dropped)} columns of the table of reader {reader} are no features and are "
                f"left out: {listing(dropped, 3)}."
            )
    return cases.drop_duplicates("case_id").reset_index(drop=True), notes


def named_features(path: str | Path) -> list[str]:
    """Return the features that a table names in its header, without reading its rows."""
    return _features_among(column_names(path, "features"))


def read_features(
    path: str | Path, reader: str, unit_key: str
) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Read one reader's table of features.

    Returns
    -------
    table : pandas.DataFrame
        Identifier columns as text, then the features as float64 in the table's order, NaN where
        blank.
    names : list of str
        The features.
    dropped : list of str
        Columns that are no features: PyRadiomics' ``diagnostics_...``, and columns of words (a
        scanner, a site), which hold no number at all.

    Raises
    ------
    StudyError
        If a feature is no number, or infinite.
    """
    sheet = _read(path, values=True)
    problems = Problems(f"the feature table {path}")
    _check_keys(sheet, path, unit_key, problems)
    problems.raise_if_any()
    names = feature_names(sheet)
    numbers, words = {}, set()
    for name in names:
        if _only_words(sheet[name]):
            words.add(name)
            continue
        values = _numbers(sheet[name])
        bad = sheet.index[np.isinf(values)]
        if len(bad):
            problems.add(
                "A feature must be a number, or blank where it is undefined",
                found=sheet.loc[bad[0], name],
                where=f"{path}, {rows_text(bad)}, column {name}",
                remedy="write numbers with a decimal point, or remove the column",
            )
        numbers[name] = values
    problems.raise_if_any()
    names = [name for name in names if name not in words]
    if not names:
        problems.add("A feature table must hold numbers", where=str(path))
        problems.raise_if_any()
    dropped = [name for name in sheet.columns if name not in {*names, *IDENTIFIERS}]
    identifiers = [name for name in IDENTIFIERS if name in sheet.columns and name != "reader"]
    table = pd.concat([sheet[identifiers], pd.DataFrame(numbers, index=sheet.index)], axis=1)
    return table.reset_index(drop=True), names, dropped


def feature_names(sheet: pd.DataFrame) -> list[str]:
    """Return the columns of a table that are features."""
    return _features_among(sheet.columns)


def _features_among(columns: Iterable[str]) -> list[str]:
    return [name for name in columns if name not in IDENTIFIERS and not NO_FEATURE.match(name)]


def _read(path: str | Path, values: bool) -> pd.DataFrame:
    """Read a feature table as `read_sheet` does; without `values`, only the ids have any.

    Handling a million numbers as text would cost seconds at the start of every run. For the same
    reason a Parquet table's numbers stay numbers.
    """
    path = Path(path)
    if not values:
        sheet = read_sheet(path, "features", IDENTIFIERS)
        return sheet.reindex(columns=column_names(path, "features"))
    if path.suffix.lower() != ".parquet" or not path.is_file():
        return read_sheet(path, "features")
    sheet = read_sheet(path, columns=IDENTIFIERS)
    names = column_names(path)
    features = [name for name in names if name not in sheet.columns]
    others = pd.read_parquet(path, columns=features).iloc[sheet.index - 2]
    return pd.concat([sheet, others.set_axis(sheet.index)], axis=1)[names]


def _numbers(values: pd.Series) -> pd.Series:
    """Return a column as float64: NaN where blank or a word for it, infinite where it is no number.

    Python's own conversion is exact to the last digit, which `pandas.to_numeric` is not.
    """
    if pd.api.types.is_numeric_dtype(values):
        return values.astype("float64")
    texts = values.dropna().astype(str)
    texts = texts[~texts.isin(MISSING)]
    if uses_decimal_comma(texts):
        texts = texts.str.replace(",", ".", regex=False)
    numbers = texts.map(lambda text: float(text) if NUMBER.fullmatch(text) else np.inf)
    return numbers.astype("float64").reindex(values.index)


def _only_words(values: pd.Series) -> bool:
    """Tell whether a column holds text and no number, nor what could be one."""
    if pd.api.types.is_numeric_dtype(values):
        return False
    texts = values.dropna().astype(str)
    texts = texts[~texts.isin(MISSING)]
    return len(texts) > 0 and not texts.map(lambda text: bool(_FIGURES.search(text))).any()


def _check_keys(sheet: pd.DataFrame, path: str | Path, unit_key: str, problems: Problems) -> None:
    keys = [name for name in KEYS if name in sheet.columns]
    if not keys:
        problems.add(
            "A feature table must have the column case_id or patient_id",
            found=f"columns {listing(sheet.columns, 4)}",
            where=f"{path}, header",
            remedy="add the id of the case or patient to each row",
        )
        return
    if "patient_id" not in keys and unit_key == "patient_id":
        problems.add(
            "With `unit: patient`, a feature table must have the column patient_id",
            found=f"columns {listing(sheet.columns, 4)}",
            where=f"{path}, header",
            remedy="add each case's patient_id, or set `unit: case`",
        )
    for name in keys:
        for row, value in sheet[name].items():
            if value is None or not ID.fullmatch(value):
                problems.add(
                    f"{name} must be well formed",
                    found=value or "a blank cell",
                    where=f"{path}, row {row}, column {name}",
                    remedy="letters, digits, '_' and '-' only, beginning with a letter or digit",
                )
    for row, value in sheet[DAYS].items() if DAYS in sheet.columns else ():
        if value is not None and not WHOLE.fullmatch(value):
            problems.add(
                f"{DAYS} must be whole days, negative before surgery",
                found=value,
                where=f"{path}, row {row}, column {DAYS}",
                remedy="write a number such as -3, or leave the cell blank",
            )
    for value, rows in sheet.groupby(keys[0], sort=False).groups.items():
        if len(rows) > 1:
            problems.add(
                f"A feature table must have one row per {keys[0].removesuffix('_id')}",
                found=f"{value} in {rows_text(rows)}",
                where=f"{path}, column {keys[0]}",
                remedy="remove the duplicate; with several cases per patient, add case_id",
            )
    if not feature_names(sheet):
        problems.add("A feature table must hold features", where=f"{path}, header")


def _check_same_features(sheets: Mapping[str, pd.DataFrame], problems: Problems) -> None:
    readers = list(sheets)
    names = {reader: set(feature_names(sheet)) for reader, sheet in sheets.items()}
    keys = {reader: [k for k in KEYS if k in sheet.columns] for reader, sheet in sheets.items()}
    first = readers[0]
    for other in readers[1:]:
        for one, two in ((first, other), (other, first)):
            missing = sorted(names[one] - names[two])
            if missing:
                problems.add(
                    "Every reader's table must have the same features",
                    found=f"{len(missing)} of {one} are not in {two}: {listing(missing, 5)}",
                    where="config key features",
                    remedy="extract both with the same parameter file",
                )
        if keys[first] != keys[other]:
            problems.add(
                "Every reader's table must have the same id columns",
                found=f"{listing(keys[first])} of {first} against {listing(keys[other])} of "
                f"{other}",
                where="config key features",
            )
