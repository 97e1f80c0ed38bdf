"""Tables of a regression, made as their classes say (`pipeline.tables.schemas.regression`)."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd

from pipeline.core.errors import ProgramError
from pipeline.core.files import write_table
from pipeline.core.table_schema import types_of
from pipeline.tables.schemas.regression import REGRESSION


def checked(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the columns and types of its schema.

    Raises
    ------
    ProgramError
        If a column is missing or spare, or does not have its type.
    """
    types = types_of(REGRESSION[name])
    if set(table.columns) != set(types):
        raise ProgramError(
            f"The table {name} must have the columns of its schema",
            found=f"{sorted(set(table.columns) ^ set(types))} missing or spare",
            code="result-columns-differ",
        )
    return table[list(types)].astype(types)


def write_tables(tables: dict[str, pd.DataFrame], folder: str | Path, mode: str | None) -> None:
    """Write tables as Parquet and CSV, with a column `mode` where they leak.

    Parameters
    ----------
    tables : dict of str to pandas.DataFrame
        By name in `REGRESSION`.
    folder : path-like
        Where to.
    mode : str or None
        Label of leaking results, or None.
    """
    for name, table in tables.items():
        found = checked(name, table)
        if mode:
            found = found.assign(mode=mode)
        write_table(found, Path(folder) / f"{name}.parquet", REGRESSION[name], csv=True)


def facts_table(facts: dict[str, float]) -> pd.DataFrame:
    """Return facts of a fit as rows of the table `model`."""
    meanings = {
        "n": "rows of the fit",
        "events": "of them with the event",
        "candidates": "candidate predictors",
        "candidate_df": "their degrees of freedom, dummies and bends of splines counted",
        "events_per_df": "rows of the rarer outcome per candidate degree of freedom",
        "df": "degrees of freedom of the model",
        "loglik": "log-likelihood (penalised after Firth's method)",
        "chi_square": "likelihood ratio against the intercept",
        "p_value": "its P value; too small where predictors were screened on the same rows",
        "nagelkerke": "Nagelkerke's R2; none after Firth's method",
        "aic": "Akaike's criterion",
        "shrinkage": "corrected calibration slope, with which the rigorous model is shrunken",
        "resamples": "resamples of the bootstrap",
        "screening_p": "largest P value that screening kept; none where predictors were fixed",
    }
    rows = [[name, facts.get(name, math.nan), text] for name, text in meanings.items()]
    return pd.DataFrame(rows, columns=["what", "value", "meaning"])
