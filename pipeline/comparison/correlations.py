"""Pearson correlations of clinical columns, pair by pair over the rows in which both are known."""

from __future__ import annotations

import numpy as np
import pandas as pd

LEAST_ROWS = 3
"""Rows in which both columns are known, below which there is no correlation."""


def correlations(table: pd.DataFrame) -> pd.DataFrame:
    """Return the correlation of every pair of columns, each pair once.

    Parameters
    ----------
    table : pandas.DataFrame
        Numbers, NaN where missing; columns of 0 and 1 among them, whose correlation is phi or the
        point-biserial one.

    Returns
    -------
    pandas.DataFrame
        ``first, second, n, r`` in the order of the columns; `r` is NaN where a column does not
        vary or fewer than `LEAST_ROWS` rows have both.
    """
    values = table.astype(float)
    found = values.corr(min_periods=LEAST_ROWS).to_numpy()
    known = values.notna().to_numpy(dtype=int)
    both = known.T @ known
    rows = [
        (
            values.columns[first],
            values.columns[second],
            int(both[first, second]),
            found[first, second],
        )
        for first, second in zip(*np.triu_indices(values.shape[1], k=1), strict=True)
    ]
    return pd.DataFrame(rows, columns=["first", "second", "n", "r"])
