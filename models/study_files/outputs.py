"""How the stages of modelling write what they found: labelled where it leaks.

Every table and JSON file of a study with `mode: as_published`, but for the split and the count of
missing values, which no model touches, says in its column or key `mode` whether it is leaking, or,
for what is computed in the other order all the same, rigorous. Files of a rigorous study have
neither column nor key.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from pipeline.core.files import write_json, write_table
from pipeline.core.fit_status import WAS_FITTED, not_fitted
from pipeline.core.mode_labels import COLUMN, LABEL, RIGOROUS, is_leaking
from pipeline.core.table_schema import Table, types_of

logger = logging.getLogger("vertebromics")


def write_result(
    table: pd.DataFrame,
    path: str | Path,
    mode: str,
    schema: type[Table],
    *,
    leaks: bool = True,
) -> None:
    """Write a table with its CSV copy, labelled.

    Parameters
    ----------
    table : pandas.DataFrame
        What a stage found.
    path : path-like
        Parquet file to write.
    mode : {'rigorous', 'as_published'}
        The study's.
    schema : type
        Class of the table.
    leaks : bool
        Whether the table leaks in ``mode: as_published``; False for what is computed in the
        rigorous order whatever the mode.
    """
    if is_leaking(mode):
        table = table.assign(**{COLUMN: LABEL if leaks else RIGOROUS})
    write_table(table, path, schema, csv=True)


def write_facts(facts: Mapping, path: str | Path, mode: str, *, leaks: bool = True) -> None:
    """Write a JSON file, labelled; the parameters are those of `write_result`."""
    label = {COLUMN: LABEL if leaks else RIGOROUS} if is_leaking(mode) else {}
    write_json(label | dict(facts), path)


def fitted_facts(facts: Mapping) -> dict:
    """Return what a stage found of a model that it could fit, with that status in front."""
    return {"model": facts["model"], **WAS_FITTED, **facts}


def dropped_facts(model: str, reason: object) -> dict:
    """Return what a stage writes of a model that it could not fit: status and reason.

    Parameters
    ----------
    model : str
        Name of the family.
    reason : FitError or str
        Why not.
    """
    logger.warning("%s drops out: %s", model, reason)
    return {"model": model, **not_fitted(reason)}


def empty_table(schema: type[Table]) -> pd.DataFrame:
    """Return a table of a class without rows."""
    types = types_of(schema)
    return pd.DataFrame(columns=list(types)).astype(types)
