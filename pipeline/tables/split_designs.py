"""Splits that a clinical column decides: imported, temporal, by site.

They learn nothing and draw nothing, so that validation, the patient flow and the split itself can
ask the same functions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.core.errors import StudyError
from pipeline.core.problems import listing
from pipeline.tables.identifying.checks import shown, shown_id
from pipeline.tables.split_options import Split

FROM_COLUMN = ("imported", "temporal", "by_site")
"""Designs whose parts follow from ``split.column``; ``holdout`` draws them."""
NO_HOLD_OUT = "none"
"""The design without test rows: all are learned from, and judged by nested cross-validation."""
PARTS = ("train", "test")
OPTIONS = tuple(
    f"split.{name}"
    for name in ("design", "test_fraction", "column", "test_from", "test_sites", "folds")
)
"""Options that decide who is held out; ``split.declared`` only says in the report what that is."""


def holds_out(design: str) -> bool:
    """Return whether a design, the option ``split.design``, keeps test rows aside."""
    return design != NO_HOLD_OUT


def parts_from_column(table: pd.DataFrame, split: Split) -> np.ndarray:
    """Return the part of every unit where a clinical column decides it.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per unit: ``patient_id``, the column, and ``unit_id`` to name a row in an error.
    split : Split
        The section ``split`` of the configuration.

        imported
            The column holds ``train`` or ``test``.
        temporal
            The column is a number that grows with enrolment: relative days, or an order (a date
            would identify). A patient enters with the first of its units. Patients from
            ``test_from`` on are the test part; without it, the last ``test_fraction`` of the
            patients, and everyone who entered at the same time as the first of them.
        by_site
            The column names a site; the patients of ``test_sites`` are the test part.

    Returns
    -------
    numpy.ndarray of str, shape (n_units,)
        ``train`` or ``test``; all units of a patient alike.

    Raises
    ------
    StudyError
        If the column is absent or blank somewhere, holds something else, or divides a patient.
    """
    column, design = split.column, split.design
    if column is None or column not in table.columns:
        raise StudyError(
            f"The split {design} needs a column of the clinical table",
            found=column,
            where="config key split.column",
            remedy="write the name of a column of the clinical table",
            code="split-column-missing",
        )
    blank = table[column].isna()
    if blank.any():
        raise StudyError(
            f"The split {design} needs the column of every unit",
            found=f"blank for {_units(table[blank])}",
            where=f"column {column}",
            remedy="fill these cells of the clinical table, or remove the rows",
            code="split-column-blank",
        )
    if design == "temporal":
        return _temporal(table, split)
    if design == "by_site":
        return _by_site(table, column, split.test_sites)
    wrong = table[~table[column].isin(PARTS)]
    if len(wrong):
        raise StudyError(
            "An imported split holds 'train' or 'test' in every row",
            found=f"{shown(wrong[column].iloc[0])!r} and {len(wrong) - 1} more",
            where=f"column {column}, unit {shown_id(wrong['unit_id'].iloc[0])}",
            remedy="write train or test into each row of the clinical table",
            code="split-part-unknown",
        )
    return _undivided(table, table[column].to_numpy(dtype=object), column)


def _temporal(table: pd.DataFrame, split: Split) -> np.ndarray:
    values = table[split.column]
    if not pd.api.types.is_numeric_dtype(values):
        raise StudyError(
            "A temporal split needs numbers: relative days, or the order of enrolment",
            found=shown(values.iloc[0]),
            where=f"column {split.column}",
            remedy="give the column the type continuous or ordinal in the dictionary; never dates",
            code="split-order-not-numbers",
        )
    entered = values.groupby(table["patient_id"]).transform("min")
    start = split.test_from
    if start is None:
        patients = entered.groupby(table["patient_id"]).first().sort_values()
        held_out = math.ceil(split.test_fraction * len(patients))
        start = patients.iloc[len(patients) - held_out]
    return np.where(entered >= start, "test", "train")


def _by_site(table: pd.DataFrame, column: str, test_sites: Sequence[object]) -> np.ndarray:
    sites = [str(site) for site in test_sites]
    present = table[column].astype(str)
    absent = [site for site in sites if site not in set(present)]
    if absent or not sites:
        raise StudyError(
            "A split by site must name sites of the cohort to hold out",
            found=listing(absent) if absent else "none",
            where="config key split.test_sites",
            remedy=f"choose among {listing(map(shown, sorted(set(present))))}",
            code="split-sites-unknown",
        )
    return _undivided(table, np.where(present.isin(sites), "test", "train"), column)


def _undivided(table: pd.DataFrame, parts: np.ndarray, column: str) -> np.ndarray:
    counts = pd.Series(parts, index=table.index).groupby(table["patient_id"]).nunique()
    divided = sorted(counts.index[counts > 1])
    if divided:
        raise StudyError(
            "All units of a patient belong to one part",
            found=f"{len(divided)} divided patients: {listing(map(shown_id, divided))}",
            where=f"column {column}",
            remedy="write the same part into all rows of a patient",
            code="split-divides-patient",
        )
    return parts


def _units(rows: pd.DataFrame) -> str:
    return listing(map(shown_id, rows["unit_id"]))
