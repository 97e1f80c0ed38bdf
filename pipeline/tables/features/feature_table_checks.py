"""Whether ready feature tables belong together: their keys, readers and features."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from pipeline.core.errors import StudyError
from pipeline.core.problems import Problems, listing
from pipeline.tables.columns import (
    KEYS,
    naming_remedy,
)
from pipeline.tables.features.feature_columns import (
    DAYS,
    IDENTIFIERS,
    NO_FEATURE,
    PLAIN,
    Layout,
)
from pipeline.tables.features.feature_names import foreign_names
from pipeline.tables.files.sheets import (
    NAMELESS,
    rows_of_repeated,
    rows_text,
)
from pipeline.tables.identifying.checks import check_headers, shown, shown_id

logger = logging.getLogger(__name__)


WHOLE = re.compile(r"[+-]?[0-9]{1,5}")
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def check_readers_meet(sheets: Mapping[str, pd.DataFrame], paths: Mapping[str, str]) -> None:
    """Raise `StudyError` if no case is in every reader's table; log those that are in some only."""
    ids = {}
    for reader, sheet in sheets.items():
        key = next(name for name in KEYS if name in sheet.columns)
        ids[reader] = set(sheet[key])
    everybody = set.union(*ids.values())
    common = set.intersection(*ids.values())
    if not common:
        raise StudyError(
            "Some case must be in the tables of all readers, who read the same patients",
            found=listing(f"{len(each)} ids of {reader}" for reader, each in ids.items())
            + ", and none of them in all tables",
            where=f"{listing(paths.values(), 4)}; config key features",
            remedy="two hospitals are no two readers: write `sites: {A: {features: {R: <its "
            "table>}, clinical: <its clinical table>}, B: {...}}` in place of `features` and "
            "`clinical`, or put their rows into one table with a column of the site; to hold one "
            "out, `split: {design: by_site, test_sites: [B]}` (docs/sites.md). Otherwise look for "
            "ids that are written differently",
            code="readers-share-no-case",
        )
    for reader, each in ids.items():
        lonely = sorted(everybody - each)
        if lonely:
            logger.warning(
                "%d cases are not in the table of reader %s, and leave the study: %s. Add their "
                "rows to that table, if this reader measured them",
                *(len(lonely), reader, listing(map(shown_id, lonely))),
            )


def tell_other_readers(rows: Mapping[str, pd.Series], readers: Iterable[str]) -> None:
    """Warn of rows of readers whom the configuration does not name: they are left out.

    Parameters
    ----------
    rows : mapping
        By path of a table: the reader of each row, where the table has several.
    readers : iterable of str
        Readers whom the configuration names.
    """
    named = list(readers)
    for path, readers_of in sorted(rows.items()):
        others = readers_of[~readers_of.isin(named)].fillna("(blank)")
        for other, count in others.value_counts().sort_index().items():
            logger.warning(
                "%d rows of reader %s are left out: the configuration does not name this reader. "
                "Table %s. Remedy: add the reader to `features`, or remove the rows",
                count,
                other,
                Path(path).name,
            )


def check_keys(
    sheet: pd.DataFrame,
    path: str | Path,
    unit_key: str,
    problems: Problems,
    layout: Layout = PLAIN,
) -> None:
    """Raise `StudyError` unless each row of a table is named by keys of its own."""
    keys = [name for name in KEYS if name in sheet.columns]
    if keys:
        check_headers(sheet.columns, path, problems, own=IDENTIFIERS)
    if not keys:
        problems.add(
            "A feature table must have the column case_id or patient_id",
            found=f"columns {listing(_other_columns(sheet), 12)}",
            where=f"{path}, header",
            remedy=naming_remedy(unit_key, sheet.columns, layout.names),
            code="feature-table-without-key",
        )
        return
    if "patient_id" not in keys and unit_key == "patient_id":
        problems.add(
            "With `unit: patient`, a feature table must have the column patient_id",
            found=f"columns {listing(_other_columns(sheet), 12)}",
            where=f"{path}, header",
            remedy=naming_remedy("patient_id", sheet.columns, layout.names)
            + "; or set `unit: case`",
            code="feature-table-without-patient",
        )
    for name in keys:
        for row, value in sheet[name].items():
            if value is None or not ID.fullmatch(value):
                problems.add(
                    f"{name} must be well formed",
                    found=shown_id(value),
                    where=f"{path}, row {row}, column {name}",
                    remedy="letters, digits, '_' and '-' only, beginning with a letter or digit"
                    if value
                    else "name the patient, or remove the row: totals below a table are no patient",
                    code="cell-not-allowed",
                )
    for row, value in sheet[DAYS].items() if DAYS in sheet.columns else ():
        if value is not None and not WHOLE.fullmatch(value):
            problems.add(
                f"{DAYS} must be whole days, negative before surgery",
                found=shown(value),
                where=f"{path}, row {row}, column {DAYS}",
                remedy="write a number such as -3, or leave the cell blank",
                code="days-not-whole",
            )
    repeated = dict(rows_of_repeated(sheet[keys[0]]))
    if repeated:
        problems.add(
            f"A feature table must have one row per {keys[0].removesuffix('_id')}",
            found=listing(
                (f"{shown_id(value)} in {rows_text(rows)}" for value, rows in repeated.items()), 3
            ),
            where=f"{path}, column {keys[0]}",
            remedy="remove the duplicate; where rows are regions of a patient, tell them apart, "
            "such as `columns: {case_id: [<patient>, <region>]}`, or, with one reader, write "
            "`aggregation: mean`",
            code="feature-row-repeated",
        )
    divided = [name for name in layout.features_among(sheet.columns) if "|" in name]
    if divided:
        problems.add(
            "A feature's name must not hold '|', which parts names in the results",
            found=listing(divided, 4),
            where=f"{path}, header",
            remedy="rename the columns, or leave them out, `not_features: ['*|*']`",
            code="feature-name-with-bar",
        )
    if not layout.features_among(sheet.columns):
        kept_out = layout.kept_out(sheet.columns)
        problems.add(
            "A feature table must hold features",
            where=f"{path}, header",
            remedy=kept_out_text(kept_out)
            if kept_out
            else "give the table that holds the features, or take them out of `not_features`",
            code="feature-table-without-features",
        )


def _other_columns(sheet: pd.DataFrame) -> list[str]:
    """Return the columns that do not bear a name of PyRadiomics, among which the id will be."""
    names = [name for name in sheet.columns if not NO_FEATURE.match(name) or name == NAMELESS]
    return foreign_names(names) or names


def check_same_features(
    sheets: Mapping[str, pd.DataFrame], problems: Problems, layout: Layout
) -> None:
    """Add the features that one reader's table has and another's lacks."""
    readers = list(sheets)
    names = {reader: set(layout.features_among(sheet.columns)) for reader, sheet in sheets.items()}
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
                    code="readers-features-differ",
                )
        if keys[first] != keys[other]:
            problems.add(
                "Every reader's table must have the same id columns",
                found=f"{listing(keys[first])} of {first} against {listing(keys[other])} of "
                f"{other}",
                where="config key features",
                remedy="give each table the same columns of ids, or rename them alike",
                code="readers-id-columns-differ",
            )


def kept_out_text(kept_out: Mapping[str, str]) -> str:
    """Return what is told of `Layout.kept_out`: the columns with their reasons, and the remedy."""
    told = listing((f"{name} ({reason})" for name, reason in kept_out.items()), 12)
    verb = "column is" if len(kept_out) == 1 else "columns are"
    return (
        f"{len(kept_out)} {verb} kept out of the features, since names or words differ from those "
        f"of features: {told}. If one is a feature, list it in `also_features`; if not, in "
        "`not_features`, or describe it in the data dictionary."
    )
