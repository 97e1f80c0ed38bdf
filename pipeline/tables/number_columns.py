"""Columns of text that hold numbers, in any notation that can mean one number only."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from pipeline.core.problems import Problems
from pipeline.core.written.number_notation import read_numbers
from pipeline.tables.files.sheets import cell
from pipeline.tables.identifying.checks import shown

logger = logging.getLogger("vertebromics")

SHOWN = 60
"""Characters of a cell that an error quotes."""


def column_of_numbers(
    values: pd.Series,
    path: str | Path,
    problems: Problems,
    what: str | None = None,
) -> pd.Series:
    """Return text as float64, and say which notation was read as what.

    Parameters
    ----------
    values : pandas.Series
        Text, None where there is no value; its name is the column's, its index the table's rows.
    path : path-like
        The table, for errors.
    problems : Problems
        Takes up each cell that is no number.
    what : str, optional
        What a cell holds, by default ``A value of <column>``.

    Returns
    -------
    pandas.Series
        Of float64 on the same index; NaN where there is no value or no number.
    """
    read, name = read_numbers(values), str(values.name)
    for text, number in read.read_as.items():
        logger.info("%s, column %s: %s is read as %r", path, name, shown(text), float(number))
    for row, remedy in read.wrong.items():
        problems.add(
            f"{what or f'A value of {name}'} must be a number",
            found=shown(str(values[row])[:SHOWN]),
            where=cell(path, row, name),
            remedy=remedy,
            code="value-not-a-number",
        )
    return read.values
