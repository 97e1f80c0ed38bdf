"""Height, weight and body mass index of one patient, which must fit together.

A weight in pounds among kilograms (170 among 60 to 100) is no odd weight by itself. With the height
beside it the body mass index gives it away.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import pandas as pd

WORDS = {
    "height": ("height", "groesse", "gr\u00f6\u00dfe", "grosse", "taille", "talla", "altezza",
               "lengte", "stature", "\u8eab\u9ad8"),
    "weight": ("weight", "gewicht", "poids", "peso", "\u4f53\u91cd", "\u9ad4\u91cd"),
    "bmi": ("bmi", "bodymassindex", "imc"),
}  # fmt: skip
"""Beginnings or ends of names of the three columns, without signs."""
IN_POUNDS = 2.2046
UNLIKELY = 50.0
"""Body mass index from which on a weight is perhaps in pounds."""
LIKELY = (16.0, 40.0)
"""Body mass index that such a weight then has in kilograms."""
TYPICAL = (18.0, 35.0)
"""Within which the median of a study lies where height and weight are in the usual units."""
APART = 0.15
"""Share by which a stated index may differ from the one of height and weight."""
MIN_ROWS = 10
"""Rows with height and weight from which on their units are plain."""


class Body(NamedTuple):
    """Columns of a table that hold a patient's size; None where there is none, or several."""

    height: str | None
    weight: str | None
    bmi: str | None


def body_columns(names: list[str]) -> Body:
    """Return which columns are a height, a weight and a body mass index.

    Examples
    --------
    >>> body_columns(["age", "Height (cm)", "Gewicht", "BMI"])
    Body(height='Height (cm)', weight='Gewicht', bmi='BMI')
    >>> body_columns(["height_cm", "heightLoss", "tumour_weight"])
    Body(height='height_cm', weight=None, bmi=None)
    """
    found = []
    for words in WORDS.values():
        of = re.compile(rf"(body|patient|k(oe|\u00f6)rper|pat)?({'|'.join(words)})(in)?(cm|m|kg)?")
        bare = {name: re.sub(r"[\W\d_]+", "", name.casefold()) for name in names}
        mine = [name for name in names if of.fullmatch(bare[name].replace("\u00df", "ss"))
                or of.fullmatch(bare[name])]  # fmt: skip
        found.append(mine[0] if len(mine) == 1 else None)
    return Body(*found)


def odd_sizes(table: pd.DataFrame, body: Body) -> pd.Series:
    """Return rows whose height, weight and index do not fit together, each with the reason.

    Parameters
    ----------
    table : pandas.DataFrame
        The columns of `body` as float64, NaN where missing.
    body : Body
        As `body_columns` returns it.

    Returns
    -------
    pandas.Series of str
        On the index of the odd rows: weights that are perhaps in pounds; and rows whose stated
        index is not that of height and weight.
    """
    none = pd.Series(dtype=object)
    if body.height is None or body.weight is None:
        return none
    height = table[body.height].where(table[body.height] < 3, table[body.height] / 100)
    index = (table[body.weight] / height**2).where(height.between(0.5, 2.5)).dropna()
    if len(index) < MIN_ROWS or not TYPICAL[0] <= index.median() <= TYPICAL[1]:
        return none
    pounds = (index >= UNLIKELY) & (index / IN_POUNDS).between(*LIKELY)
    why = {
        row: f"a body mass index of {index[row]:.0f} with the height of this row; perhaps pounds"
        for row in index.index[pounds]
    }
    if body.bmi is not None:
        stated = table[body.bmi].reindex(index.index)
        fits = (stated / index - 1).abs() <= APART
        known = stated.dropna().index
        if len(known) >= MIN_ROWS and fits[known].mean() > 0.5:
            for row in known[~fits[known].to_numpy()]:
                why[row] = (
                    f"height and weight of this row give a body mass index of {index[row]:.1f}, "
                    f"and the table states {stated[row]:.1f}"
                )
    return pd.Series(why, dtype=object).reindex([row for row in index.index if row in why])
