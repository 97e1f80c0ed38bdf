"""What a handed-in table calls the columns that this project looks for, and how it writes ids."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.core.errors import StudyError
from pipeline.core.problems import Problems, listing, suggestion
from pipeline.tables.id_checks import check_rows_of_patients
from pipeline.tables.registered import suspicious_ids

logger = logging.getLogger(__name__)

KEYS = ("case_id", "patient_id")
JOINED = "-"
"""Stands between the parts of an id that several columns make up."""
OR = "|"
"""Stands between the names that different tables have for a column, as between levels."""

RESERVED = ("unit_id", "outcome", "level")
"""Columns of the analysis table. A clinical column of such a name gets `MARK` behind it."""
MARK = "_"

PATIENT_WORDS = (
    *("patientid", "patient", "patientnumber", "id", "pid", "ptid", "subject"),
    *("subjectid", "subj", "caseid", "case", "sampleid", "studyid", "study", "unnamed0"),
    *("index", "filename", "image"),
)
"""What tables call the patient, the likelier first, in small letters and without signs.

No column of names is proposed: a person's name must not become an id.
"""

_WHOLE = re.compile(r"[0-9]+(\.0+)?")
SIGNS = " ./\\"
_SIGNS = re.compile(f"[{re.escape(SIGNS)}]+")
_SEPARATED = re.compile(r"(?=.*[0-9])[A-Za-z0-9][A-Za-z0-9_ ./\\-]*")
"""An id that is one but for blanks, points and strokes; without a digit it may be a name."""


def analysis_name(column: str) -> str:
    """Return the name that a clinical column has inside the project.

    Examples
    --------
    >>> analysis_name("age"), analysis_name("level")
    ('age', 'level_')
    """
    return column + MARK if column in RESERVED else column


def table_name(column: str) -> str:
    """Return the name that a clinical column has in its own table: undo `analysis_name`."""
    bare = column.removesuffix(MARK)
    return bare if bare in RESERVED else column


def name_columns(
    sheet: pd.DataFrame, names: Mapping[str, str | list[str]], path: str | Path
) -> pd.DataFrame:
    """Give the columns that the configuration names the names of this project.

    Parameters
    ----------
    sheet : pandas.DataFrame
        Text, as `pipeline.tables.files.sheets.read_sheet` returns it.
    names : mapping
        Option ``columns``: name in this project to name in the table, or to several whose values
        are joined by '-'. Where tables differ, their names stand with '|' between them. Names that
        the table does not have are passed over: another table may.
    path : path-like
        The table's file, for errors.

    Returns
    -------
    pandas.DataFrame
        The table with its ids in front, without the columns that became ids.

    Raises
    ------
    StudyError
        If the table has both names, or only some of the columns that make up an id.
    """
    made: dict[str, Any] = {}
    used: set[str] = set()
    for own, given in names.items():
        asked = [given] if isinstance(given, str) else list(given)
        parts = [_found(each, sheet.columns) for each in asked]
        there = [part for part in parts if part is not None]
        if not there or parts == [own]:
            continue
        if own in sheet.columns and own not in parts:
            raise StudyError(
                f"A table must have one column for {own}",
                found=f"{own} and {listing(there)}",
                where=f"{path}, header; config key columns.{own}",
                remedy=f"remove columns.{own} from the configuration, if {own} is right",
                code="column-ambiguous",
            )
        if len(there) < len(parts):
            absent = [each for each, part in zip(asked, parts, strict=True) if part is None]
            raise StudyError(
                f"Every column that makes up {own} must be in the table",
                found=f"not there: {listing(absent)}",
                where=f"{path}, header; config key columns.{own}",
                remedy=suggestion(absent[0], sheet.columns)
                or f"write names of this table's columns under columns.{own}",
                code="column-parts-missing",
            )
        value = sheet[there[0]]
        for part in there[1:]:
            value = value.where(value.notna(), "") + JOINED + sheet[part].fillna("")
        made[own] = value
        # A patient's column stays what it is where it is a part of the case's.
        used.update(part for part in there if len(there) == 1 or part not in KEYS)
    if not made:
        return sheet
    rest = [name for name in sheet.columns if name not in used and name not in made]
    return pd.concat([pd.DataFrame(made, index=sheet.index, dtype=object), sheet[rest]], axis=1)


def given_names(names: Mapping[str, str | list[str]]) -> list[str]:
    """Return every name of a table's column that the option ``columns`` mentions."""
    each = [[given] if isinstance(given, str) else list(given) for given in names.values()]
    return [name for given in each for part in given for name in _alternatives(part)]


def _alternatives(given: str) -> list[str]:
    return [each.strip() for each in given.split(OR)]


def _found(given: str, columns: Iterable[str]) -> str | None:
    """Return which of a table's columns is meant."""
    return next((name for name in _alternatives(given) if name in columns), None)


def write_ids(sheet: pd.DataFrame, path: str | Path) -> pd.DataFrame:
    """Write ids as this project does: a number without ``.0``, signs within an id as '_'.

    Software that takes an id for a number writes 12 as 12.0, and a table of files says
    ``case 01.nii``. Every table of a study is read so, and its ids meet. What is perhaps a name is
    left as it is, for later checks to refuse.

    Parameters
    ----------
    sheet : pandas.DataFrame
        Text, with or without the columns ``patient_id`` and ``case_id``.
    path : path-like
        The table's file, for the log and for errors.

    Raises
    ------
    StudyError
        If an id is a date, a UID or a name, which no error shows, if two ids would become one, or
        if a row is a summary of the table (`mean`), which no patient is.
    """
    for name in (key for key in KEYS if key in sheet.columns):
        values = sheet[name].dropna()
        problems = Problems(f"the ids of {path}")
        check_rows_of_patients(values, str(path), problems)
        problems.raise_if_any()
        for spelled in (values.str.replace(_SIGNS, "-", regex=True), values):
            suspicious_ids(spelled, name, str(path))
        written = values
        if values.str.fullmatch(_WHOLE).all():
            written = values.str.replace(r"\.0+$", "", regex=True)
        else:
            written = values.map(_without_signs)
        changed = values[values != written]
        if changed.empty:
            continue
        if written.nunique() < values.nunique():
            raise StudyError(
                f"Different ids of the column {name} must stay different without their signs",
                found=f"{values.nunique()} ids become {written.nunique()}",
                where=f"{path}, column {name}",
                remedy="write ids of letters, digits, '_' and '-'",
                code="ids-alike-without-signs",
            )
        logger.info("%s: %d ids of the column %s lose a sign or '.0'", path, len(changed), name)
        sheet = sheet.assign(**{name: written.reindex(sheet.index)})
        sheet[name] = sheet[name].astype(object).where(sheet[name].notna(), None)
    return sheet


def likely_patient(columns: Iterable[str]) -> str | None:
    """Return the column that most likely names the patient, or None.

    Examples
    --------
    >>> likely_patient(["original_firstorder_Mean", "Patient ID", "Target"])
    'Patient ID'
    """
    bare = {re.sub("[^a-z0-9]", "", name.lower()): name for name in reversed(list(columns))}
    return next((bare[word] for word in PATIENT_WORDS if word in bare), None)


def naming_remedy(
    key: str, columns: Iterable[str], names: Mapping[str, str | list[str]] | None = None
) -> str:
    """Return what to write where a table lacks the column of an id.

    Parameters
    ----------
    key : str
        The id, as this project calls it.
    columns : iterable of str
        The table's columns.
    names : mapping, optional
        Option ``columns`` as it stands: a name for another table is kept.
    """
    likely, before = likely_patient(columns), (names or {}).get(key)
    name = likely or "<your column>"
    if isinstance(before, str):
        name = f"{before}{OR}{name}"
    remedy = f"write `columns: {{{key}: {quoted(name)}}}` in the configuration"
    return f"{remedy}, if {likely} is the id" if likely else remedy


def quoted(name: str) -> str:
    """Return a name as it is written within a list or a mapping of YAML.

    Examples
    --------
    >>> print(quoted("grade"), quoted("GLCM: Energy, d'2"))
    grade 'GLCM: Energy, d''2'
    """
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        return name
    return "'" + name.replace("'", "''") + "'"


def _without_signs(text: str) -> str:
    return _SIGNS.sub("_", text.strip(SIGNS)) if _SEPARATED.fullmatch(text) else text
