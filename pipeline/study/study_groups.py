"""The groups of a study, and the clinical columns by which they are compared."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from pipeline.comparison.table_one.table_one_parts import Variable
from pipeline.core.errors import StudyError
from pipeline.core.problems import listing, suggestion
from pipeline.study.described_columns import variable_of
from pipeline.tables.columns import KEYS, analysis_name, table_name
from pipeline.tables.dictionary import NUMERIC, levels_of
from pipeline.tables.handed_in_options import Outcome
from pipeline.tables.values.formula import Formula

WITHOUT, WITH = "no", "yes"
"""Groups that an outcome makes, the first being the reference."""

COMPARED = frozenset(("predictor", "outcome"))
"""Roles of the columns that are compared."""


@dataclass(frozen=True)
class Groups:
    """Groups of a study.

    Attributes
    ----------
    column, label : str
        Name of the column of groups in the table that is compared, and in words.
    names : tuple of str
        Groups in their order; the first is the reference.
    of_unit : pandas.Series
        Group of each unit, None where not known; index as of the clinical table.
    source : tuple of str
        Clinical columns that make the groups, and that are compared by nothing.
    """

    column: str
    label: str
    names: tuple[str, ...]
    of_unit: pd.Series
    source: tuple[str, ...]


def groups_by_column(by: str, clinical: pd.DataFrame, dictionary: pd.DataFrame) -> Groups:
    """Return the groups that a clinical column makes.

    Parameters
    ----------
    by : str
        Name of the column, as the table of the researcher has it.
    clinical : pandas.DataFrame
        One row per unit, typed by `dictionary`.
    dictionary : pandas.DataFrame
        One row per clinical column.

    Raises
    ------
    StudyError
        If there is no such column, it holds numbers, or it makes fewer than two groups.
    """
    name = analysis_name(by)
    rows = dictionary[dictionary["column"] == name]
    if rows.empty or name not in clinical:
        raise StudyError(
            "The groups of the analysis `outcomes` must be a column of the dictionary",
            found=by,
            where="config key outcomes.by",
            remedy=suggestion(by, map(table_name, dictionary["column"]))
            or f"columns: {listing(map(table_name, dictionary['column']))}",
            code="outcomes-groups-undescribed",
        )
    entry = rows.iloc[0]
    if entry["type"] in NUMERIC:
        raise StudyError(
            "The groups of the analysis `outcomes` must be words, not numbers",
            found=f"{by}, {entry['type']}",
            where="config key outcomes.by",
            remedy="make a column of groups, of the type binary or categorical with its levels",
            code="outcomes-groups-numbers",
        )
    values = clinical[name].astype(object).where(clinical[name].notna(), None)
    there = set(values.dropna())
    names = tuple(level for level in levels_of(entry) or sorted(there) if level in there)
    if len(names) < 2:
        raise StudyError(
            "The groups of the analysis `outcomes` must be two at least",
            found=f"{listing(names) or 'no value'} in every row of {by}",
            where="config key outcomes.by",
            remedy="name another column",
            code="outcomes-groups-too-few",
        )
    return Groups(name, entry["label"] or by, names, values, (name,))


def groups_by_outcome(label: str, outcome: pd.Series, columns: tuple[str, ...]) -> Groups:
    """Return those without and with the outcome.

    Parameters
    ----------
    label : str
        The outcome in words.
    outcome : pandas.Series
        Nullable boolean by unit.
    columns : tuple of str
        Clinical columns of its formula.
    """
    words = outcome.map({True: WITH, False: WITHOUT}).astype(object)
    words = words.where(outcome.notna(), None)
    return Groups("outcome", label, (WITHOUT, WITH), words, columns)


def groups_of_study(
    by: str | None,
    stated: Outcome | None,
    clinical: pd.DataFrame,
    dictionary: pd.DataFrame,
    outcome: pd.Series | None,
) -> Groups:
    """Return the groups that a study's configuration asks for.

    Parameters
    ----------
    by : str or None
        The option `outcomes.by`.
    stated : Outcome or None
        The section `outcome`, which makes the groups where `by` names no column.
    clinical, dictionary : pandas.DataFrame
        As for `groups_by_column`.
    outcome : pandas.Series or None
        Nullable boolean of the same units; None without an outcome.
    """
    if by is not None:
        return groups_by_column(by, clinical, dictionary)
    assert stated is not None
    assert outcome is not None
    columns = Formula(stated.formula, "config key outcome.formula").columns
    return groups_by_outcome(stated.label, outcome, tuple(columns))


def compared_variables(
    dictionary: pd.DataFrame, clinical: pd.DataFrame, groups: Groups
) -> tuple[Variable, ...]:
    """Return the clinical columns that are described and compared, in the dictionary's order.

    Parameters
    ----------
    dictionary, clinical : pandas.DataFrame
        As for `groups_by_column`.
    groups : Groups
        What makes them is not compared.
    """
    variables = []
    for _, entry in dictionary.iterrows():
        name = entry["column"]
        if name not in clinical or name in {*KEYS, *groups.source}:
            continue
        if entry["role"] in COMPARED and clinical[name].notna().any():
            variables.append(variable_of(entry, clinical[name]))
    return tuple(variables)
