"""Many P values at once: corrected for their number by a named method.

References
----------
.. [1] Holm S. A simple sequentially rejective multiple test procedure. Scand J Stat 1979;6:65-70.
.. [2] Benjamini Y, Hochberg Y. Controlling the false discovery rate. J R Stat Soc B
   1995;57:289-300.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

ADJUSTMENTS = {
    "none": "not corrected for their number",
    "holm": "corrected by Holm (chance of any false finding)",
    "bh": "corrected by Benjamini and Hochberg (share of false findings)",
}


def adjusted(p_values: pd.Series, method: str) -> pd.Series:
    """Return P values corrected for how many there are; missing ones are not counted.

    Parameters
    ----------
    p_values : pandas.Series of float
        From 0 to 1, or NaN.
    method : {'none', 'holm', 'bh'}
        `none` returns them as they are.

    Examples
    --------
    >>> adjusted(pd.Series([0.01, 0.04, 0.03]), "holm").round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    values = p_values.astype(float)
    known = values.dropna()
    if method == "none" or known.empty:
        return values
    if method == "bh":
        corrected = stats.false_discovery_control(known)
    else:
        order = np.argsort(known.to_numpy())
        steps = known.to_numpy()[order] * (len(known) - np.arange(len(known)))
        corrected = np.empty(len(known))
        corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return pd.Series(corrected, index=known.index).reindex(values.index)
