"""Columns that a study works out from others: heights in percent, indices, changes, cut-offs."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import pandas as pd

from pipeline.core.problems import Problems
from pipeline.tables.columns import table_name
from pipeline.tables.dictionary import NUMERIC, all_levels, levels_of
from pipeline.tables.values.formula import Formula

logger = logging.getLogger(__name__)


def without_derived(dictionary: pd.DataFrame, derived: Mapping[str, str]) -> pd.DataFrame:
    """Return a dictionary without the columns that a study works out."""
    return dictionary[~dictionary["column"].isin(list(derived))]


def with_derived(
    clinical: pd.DataFrame, derived: Mapping[str, str], dictionary: pd.DataFrame
) -> pd.DataFrame:
    """Return a typed clinical table with the columns that formulas work out, one after the other.

    A formula may name columns that stand before it among `derived`. What it works out is logged
    with its unit and range, to be checked by eye: units are not computed.

    Parameters
    ----------
    clinical : pandas.DataFrame
        As `type_clinical` returns it.
    derived : mapping
        Column to make -> formula. A number needs a column of the type continuous or ordinal, a
        condition one of the type binary with two levels, of which the second says that it is met.
    dictionary : pandas.DataFrame
        As `read_dictionary` returns it; it describes the columns that are made.

    Raises
    ------
    StudyError
        If a column is there already or not described so, or a formula cannot be worked out.
    """
    problems = Problems("the derived columns")
    entries = {entry["column"]: entry for _, entry in dictionary.iterrows()}
    for name, text in derived.items():
        where = f"config key derived.{table_name(name)}"
        if name in clinical.columns:
            problems.add(
                "A derived column must not be a column of the clinical table already",
                found=table_name(name),
                where=where,
                remedy="remove the column from the table, or the entry from `derived`",
                code="derived-column-exists",
            )
            continue
        if name not in entries:
            problems.add(
                "A derived column must be described in the data dictionary",
                found=table_name(name),
                where=where,
                remedy="add a row with its type, unit, timing and role to the dictionary",
                code="derived-column-undescribed",
            )
            continue
        entry = entries[name]
        kind, values = Formula(text, where).worked_out(clinical, all_levels(dictionary))
        levels = levels_of(entry) or []
        if kind == "number" and entry["type"] in NUMERIC:
            clinical = clinical.assign(**{name: values})
            _tell(name, text, entry, values)
        elif kind == "truth" and entry["type"] == "binary" and len(levels) == 2:
            words = values.map({False: levels[0], True: levels[1]}, na_action="ignore")
            clinical = clinical.assign(**{name: words.astype(object).where(values.notna(), None)})
            _tell(name, text, entry, values.astype("Float64").astype(float))
        else:
            problems.add(
                "A formula that works out numbers needs a column of numbers, and a condition one "
                "of two levels",
                found=f"{table_name(name)}, {entry['type']}; the formula works out "
                + {"number": "numbers", "truth": "a condition", "text": "words"}[kind],
                where=where,
                remedy="give the column the type continuous, or binary with the levels no|yes, in "
                "the data dictionary",
                code="derived-type-differs",
            )
    problems.raise_if_any()
    order = [name for name in dictionary["column"] if name in clinical.columns]
    return clinical[[*(name for name in clinical.columns if name not in order), *order]]


def _tell(name: str, text: str, entry: pd.Series, values: pd.Series) -> None:
    known = values.dropna()
    unit = f" {entry['unit']}" if entry["unit"] else ""
    if not len(known):
        logger.warning("derived %s = %s: known in no row", table_name(name), text)
    elif entry["type"] == "binary":
        logger.info(
            "derived %s = %s: met in %d of %d rows", table_name(name), text, int(known.sum()),
            len(known),
        )  # fmt: skip
    else:
        logger.info(
            "derived %s = %s: %d of %d rows, %.4g to %.4g%s, median %.4g%s. Is the unit right?",
            *(table_name(name), text, len(known), len(values), known.min(), known.max(), unit),
            *(known.median(), unit),
        )
