"""Perturbed extractions of cases, reduced to what a coefficient needs of each unit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from pipeline.comparison.agreement.repeated import Moments, moments
from pipeline.core.errors import StudyError


def unit_moments(
    parts: Iterable[pd.DataFrame], units: pd.Series, names: Sequence[str], how: str | None = None
) -> tuple[list[str], Moments]:
    """Return the moments of each unit over the repetitions of its cases.

    Where units have several cases, those of one repetition become one row first, as the analysis
    makes one row of the cases themselves. Otherwise tables are reduced one after the other, so that
    no more than one lies in memory.

    Parameters
    ----------
    parts : iterable of pandas.DataFrame
        `perturbed.parquet` of the batches: ``case_id, repetition`` and features, of one reader.
    units : pandas.Series
        Unit by case, in the order that ``first`` goes by; cases that it lacks are left out.
    names : sequence of str
        Features wanted. A table without rows may lack them.
    how : {'mean', 'median', 'first'}, optional
        How the cases of a unit become one row.

    Returns
    -------
    units : list of str
        Units with at least one repetition, sorted.
    moments : Moments
        One row per unit, one column per feature.
    """
    names = list(names)
    known = (part[part["case_id"].isin(units.index)] for part in parts)
    filled: Iterable[pd.DataFrame] = (part for part in known if len(part))
    if units.duplicated().any():
        whole = [part[["case_id", "repetition", *names]] for part in filled]
        filled = iter([_of_units(pd.concat(whole), units, how)] if whole else [])
    found: list[tuple[str, Moments]] = []
    for part in filled:
        of_row = part["case_id"].map(units)
        order, codes = np.unique(of_row.to_numpy(dtype=str), return_inverse=True)
        reduced = moments(part[names].to_numpy(dtype=float), codes, len(order))
        found += [(unit, reduced.rows([at])) for at, unit in enumerate(order.tolist())]
    found.sort(key=lambda each: each[0])
    if not found:
        return [], Moments(*(np.zeros((0, len(names))) for _ in Moments._fields))
    return [unit for unit, _ in found], Moments(
        *(np.concatenate(column) for column in zip(*(one for _, one in found), strict=True))
    )


def moments_table(
    parts: Iterable[pd.DataFrame],
    units: pd.Series,
    patients: pd.Series,
    names: Sequence[str],
    how: str | None,
) -> pd.DataFrame:
    """Return the moments of each unit of an analysis as a table.

    Parameters
    ----------
    parts, units, names, how
        As in `unit_moments`.
    patients : pandas.Series
        Patient by unit.

    Returns
    -------
    pandas.DataFrame
        `analysis_perturbed.parquet` (docs/files.md). A unit whose mask could not be perturbed has
        no rows.
    """
    found, measured = unit_moments(parts, units, names, how)
    of_unit = patients.reindex(found).to_numpy(dtype=object)
    keys = pd.DataFrame({"unit_id": pd.Series(found, dtype=object), "patient_id": of_unit})
    rows = [
        pd.concat([keys.assign(moment=moment), pd.DataFrame(values, columns=list(names))], axis=1)
        for moment, values in measured._asdict().items()
    ]
    return pd.concat(rows, ignore_index=True)


def check_any_perturbed(rows: pd.DataFrame) -> None:
    """Refuse a selection by perturbations where no unit has a perturbed extraction.

    Parameters
    ----------
    rows : pandas.DataFrame
        `analysis_perturbed.parquet`.
    """
    if rows.empty:
        raise StudyError(
            "A selection by perturbations needs units of which a perturbed mask has features",
            found="none",
            where="results/<study>/log/perturb, which says why of each mask",
            remedy="mend what it says: often `perturbations: {chain: [volume]}` helps; or write "
            "`selection: {robustness: readers}`",
            code="nothing-perturbed",
        )


def _of_units(table: pd.DataFrame, units: pd.Series, how: str | None) -> pd.DataFrame:
    """Return one row per unit and repetition, with the first case of the unit as its case."""
    place = pd.Series(np.arange(len(units)), index=units.index)
    table = table.assign(unit=table["case_id"].map(units), place=table["case_id"].map(place))
    table = table.sort_values(["unit", "repetition", "place"], kind="stable")
    first = table.groupby("unit")["case_id"].transform("first")
    grouped = table.drop(columns=["case_id", "place"]).groupby(["unit", "repetition"], sort=True)
    rows = grouped.agg("first" if how == "first" else how or "mean").reset_index()
    return rows.assign(case_id=rows["unit"].map(dict(zip(table["unit"], first, strict=True))))
