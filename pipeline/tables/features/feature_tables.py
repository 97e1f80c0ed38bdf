"""Ready feature tables, one per reader: a study may start from them and then needs no image."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.core.errors import StudyError
from pipeline.core.problems import Problems, listing
from pipeline.core.written.number_notation import read_numbers
from pipeline.core.written.spellings import typed_alike
from pipeline.tables.columns import (
    KEYS,
    given_names,
    name_columns,
    quoted,
    write_ids,
)
from pipeline.tables.dictionary import MISSING
from pipeline.tables.features.feature_columns import (
    DAYS,
    IDENTIFIERS,
    PLAIN,
    Layout,
    counts_rows,
    feature_numbers,
    only_words,
)
from pipeline.tables.features.feature_names import is_foreign
from pipeline.tables.features.feature_table_checks import (
    check_keys,
    check_readers_meet,
    check_same_features,
    kept_out_text,
    tell_other_readers,
)
from pipeline.tables.files.sheets import (
    NAMELESS,
    column_names,
    parquet_values,
    read_sheet,
    rows_text,
)
from pipeline.tables.files.text import cell_text
from pipeline.tables.identifying.checks import check_identifying, shown, shown_id

logger = logging.getLogger(__name__)

SHOWN, SHOWN_COLUMNS = 60, 8
"""Characters of a cell that an error quotes, and columns whose notation the log tells."""


def read_feature_keys(
    paths: Mapping[str, str], unit_key: str, layout: Layout = PLAIN
) -> tuple[pd.DataFrame, list[str]]:
    """Check the columns and ids of the readers' tables, without reading their numbers.

    Parameters
    ----------
    paths : mapping
        Reader to path of a CSV, Excel or Parquet table with one row per case (or patient).
    unit_key : {'patient_id', 'case_id'}
        Column that names the unit of the clinical table.
    layout : Layout
        What the tables call their columns, and which are no features.

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
    rows: dict[str, pd.Series] = {}
    sheets = {
        reader: _read(path, reader, layout, values=False, rows=rows)
        for reader, path in sorted(paths.items())
    }
    tell_other_readers(rows, paths)
    problems = Problems("the feature tables")
    for reader, sheet in sheets.items():
        check_keys(sheet, paths[reader], unit_key, problems, layout)
    problems.raise_if_any()
    check_same_features(sheets, problems, layout)
    problems.raise_if_any()
    check_readers_meet(sheets, paths)
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
                found=listing(map(shown_id, counts.index[counts > 1])),
                where="config key features",
                remedy=f"correct the column {name}",
                code="readers-disagree-on-case",
            )
    problems.raise_if_any()
    if DAYS in cases:
        cases[DAYS] = pd.to_numeric(cases[DAYS]).astype("Int64")
    notes = []
    kept_out = layout.kept_out(next(iter(sheets.values())).columns)
    if kept_out:
        notes.append(kept_out_text(kept_out))
    for reader, sheet in sheets.items():
        kept = {*layout.features_among(sheet.columns), *IDENTIFIERS}
        dropped = [name for name in sheet.columns if name not in {*kept, *kept_out}]
        if dropped:
            notes.append(
                f"{len(dropped)} columns of the table of reader {reader} are no features and are "
                f"left out: {listing(dropped, 3)}."
            )
    return cases.drop_duplicates("case_id").reset_index(drop=True), notes


def columns_left_out(
    columns: Mapping[str, Sequence[str]], layout: Layout, features: Iterable[str]
) -> list[dict[str, Any]]:
    """Return which columns of the readers' tables are no features of the study, and why.

    Parameters
    ----------
    columns : mapping
        Reader to the columns of its table.
    layout : Layout
        What the tables call their columns, and which are no features.
    features : iterable of str
        The features of the study.

    Returns
    -------
    list of dict
        ``reader, reason, columns``; ids are not among them.
    """
    known, found = {*features, *IDENTIFIERS, *given_names(layout.names)}, []
    for reader, names in sorted(columns.items()):
        reasons: dict[str, list[str]] = {}
        kept_out = layout.kept_out(names)
        for name in names:
            if name not in known:
                suspect = f"kept out: {kept_out[name]}" if name in kept_out else None
                reasons.setdefault(suspect or layout.reason(name), []).append(name)
        found += [
            {"reader": reader, "reason": reason, "columns": of_reason}
            for reason, of_reason in reasons.items()
        ]
    return found


def named_features(path: str | Path, layout: Layout = PLAIN) -> list[str]:
    """Return the features that a table names in its header, without reading its rows."""
    return layout.features_among(column_names(path, "features"))


def read_features(
    path: str | Path, reader: str, unit_key: str, layout: Layout = PLAIN
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
        Columns that are no features: PyRadiomics' ``diagnostics_...``, clinical ones, columns of
        words (a scanner, a site), which hold no number at all, and one that only numbers the rows.

    Raises
    ------
    StudyError
        If a feature is no number, as in a column that bears a name of PyRadiomics and holds words.
    """
    sheet = _read(path, reader, layout, values=True)
    problems = Problems(f"the feature table {path}")
    check_keys(sheet, path, unit_key, problems, layout)
    problems.raise_if_any()
    names = layout.features_among(sheet.columns)
    words = {name for name in names if _is_no_feature(sheet[name], name)}
    names = [name for name in names if name not in words]
    numbers = _read_columns(sheet, names, path, problems)
    problems.raise_if_any()
    if not names:
        problems.add(
            "A feature table must hold numbers",
            found="words, dates or codes only, or a count of the rows",
            where=str(path),
            remedy="give the table that holds the values of the features, one column for each",
            code="feature-table-not-numbers",
        )
        problems.raise_if_any()
    dropped = [name for name in sheet.columns if name not in {*names, *IDENTIFIERS}]
    identifiers = [name for name in IDENTIFIERS if name in sheet.columns and name != "reader"]
    table = pd.concat([sheet[identifiers], pd.DataFrame(numbers, index=sheet.index)], axis=1)
    return table.reset_index(drop=True), names, dropped


def _is_no_feature(values: pd.Series, name: str) -> bool:
    """Tell whether a column holds words, or only numbers the rows.

    A column that bears a name of PyRadiomics is a feature: what is no number in it is an error.
    """
    return counts_rows(values) or (is_foreign(name) and only_words(values))


def _read_columns(
    sheet: pd.DataFrame, names: Iterable[str], path: str | Path, problems: Problems
) -> dict[str, pd.Series]:
    """Return the numbers of columns; add a problem for each column in which something is none."""
    read = {name: feature_numbers(sheet[name]) for name in names}
    if any(one.decimal_comma for one in read.values()):
        # One table is written in one way: `1,250` is decimal where another column says `0,5`.
        for name in (name for name, one in read.items() if one.undecided):
            read[name] = feature_numbers(sheet[name], decimal_comma=True)
    for name, one in read.items():
        if one.wrong:
            row = next(iter(one.wrong))
            problems.add(
                "A feature must be a number, or blank where it is undefined",
                found=shown(sheet.loc[row, name][:SHOWN]),
                where=f"{path}, {rows_text(one.wrong)}, column {name}",
                remedy=f"{one.wrong[row]}; or leave the column out, "
                f"`not_features: [{quoted(name)}]`",
                code="feature-not-a-number",
            )
    told = {name: one.read_as for name, one in read.items() if one.read_as}
    for name in list(told)[:SHOWN_COLUMNS]:
        text, number = next(iter(told[name].items()))
        logger.info("%s, column %s: %s is read as %s", path, name, shown(text), repr(float(number)))
    if len(told) > SHOWN_COLUMNS:
        logger.info("%s: so in %d more columns", path, len(told) - SHOWN_COLUMNS)
    return {name: one.values for name, one in read.items()}


def feature_names(sheet: pd.DataFrame) -> list[str]:
    """Return the columns of a table of this project's own that are features."""
    return PLAIN.features_among(sheet.columns)


def described_values(paths: Mapping[str, str], unit_key: str, layout: Layout) -> pd.DataFrame:
    """Return ids and clinical columns of the readers' tables, one below the other, as text.

    Parameters are those of `read_feature_keys`; so are the errors of a table's ids.
    """
    sheets, problems = [], Problems("the feature tables")
    for reader, path in sorted(paths.items()):
        sheets.append(_read(path, reader, layout, values=False, more=layout.clinical))
        check_keys(sheets[-1], path, unit_key, problems, layout)
        described = [name for name in sheets[-1].columns if name in layout.clinical]
        check_identifying(sheets[-1][described], path, problems)
    problems.raise_if_any()
    for sheet in sheets:  # one reader's software may write 0,5 where another's writes 0.5
        for name in layout.clinical & set(sheet.columns):
            present = sheet.loc[~sheet[name].isin(MISSING), name].dropna()
            read = read_numbers(present)
            if read.read_as and not read.wrong:
                sheet.loc[present.index, name] = read.values.map(cell_text)
    wanted = [name for name in sheets[0].columns if name in {*KEYS, *layout.clinical}]
    return pd.concat([sheet.reindex(columns=wanted) for sheet in sheets], ignore_index=True)


def _read(
    path: str | Path,
    reader: str,
    layout: Layout,
    *,
    values: bool,
    more: Iterable[str] = (),
    rows: dict[str, pd.Series] | None = None,
) -> pd.DataFrame:
    """Read one reader's rows as `read_sheet` does; without `values`, only ids and `more` have any.

    `rows` takes up, by path, the reader of each row of a table that holds several.

    Handling a million numbers as text would cost seconds at the start of every run. For the same
    reason a Parquet table's numbers stay numbers.
    """
    path = Path(path)
    texts = [*IDENTIFIERS, *more, *given_names(layout.names)]
    if not values:
        sheet = read_sheet(path, "features", [*texts, NAMELESS])
        names = column_names(path, "features")
    elif path.suffix.lower() != ".parquet" or not path.is_file():
        sheet = read_sheet(path, "features")
        names = list(sheet.columns)
    else:
        sheet = read_sheet(path, columns=texts)
        names = column_names(path)
        features = [name for name in names if name not in sheet.columns]
        sheet = pd.concat([sheet, parquet_values(path, features)], axis=1)
    names = [*(name for name in sheet.columns if name not in names), *names]
    sheet = name_columns(sheet.reindex(columns=names), layout.names, path)
    if rows is not None and "reader" in sheet.columns and sheet["reader"].nunique() > 1:
        rows[str(path)] = sheet["reader"]
    sheet = write_ids(_rows_of(sheet, reader, path), path)
    if DAYS in sheet.columns:  # -3.0, as software writes whole numbers beside blanks, is -3
        sheet = sheet.assign(**{DAYS: typed_alike(sheet[DAYS])})
    if layout.numbered and "patient_id" in sheet and "case_id" not in sheet:
        place = sheet.groupby("patient_id").cumcount() + 1
        if (place > 1).any():
            cases = sheet["patient_id"] + "-" + place.astype(str)
            sheet = pd.concat([cases.rename("case_id"), sheet], axis=1)
    return sheet


def _rows_of(sheet: pd.DataFrame, reader: str, path: str | Path) -> pd.DataFrame:
    """Return a reader's rows of a table that holds those of several, or else all of them."""
    named = sheet["reader"].dropna().unique() if "reader" in sheet.columns else []
    if len(named) < 2:
        return sheet
    rows = sheet[sheet["reader"] == reader]
    if rows.empty:
        raise StudyError(
            "A table of several readers must have rows of each reader of the study",
            found=f"{reader}; the table names {listing(named)}",
            where=f"{path}, column reader; config key features",
            remedy="name the readers as the table does, such as "
            f"`features: {{{named[0]}: {path}, {named[1]}: {path}}}`",
            code="reader-missing-in-table",
        )
    return rows
