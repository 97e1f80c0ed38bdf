"""Readers whose software writes one feature in other units: mm3 and cm3, mm2 and cm2.

Their values agree in all but a power of ten, and so would leave the study as not reproducible.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.core.problems import listing

MIN_CASES = 5
"""Cases with both values from which on a ratio says something."""
NEAR = 0.05
"""How near the logarithm (to 10) of the median ratio has to be to a whole number, and how little
half of the ratios may differ: readers' contours differ too."""
MIN_CORRELATION = 0.95


class OtherUnit(NamedTuple):
    """A power of ten between two readers.

    Attributes
    ----------
    first, second : str
        The readers.
    power : int
        The first one's values are about 10**power times the second one's.
    features : tuple of str
        The features of which that holds.
    """

    first: str
    second: str
    power: int
    features: tuple[str, ...]

    def text(self) -> str:
        """Return the finding as a sentence with its remedy."""
        return (
            f"Readers {self.first} and {self.second} seem to give {listing(self.features, 8)} in "
            f"other units: values of {self.first} are about {10.0**self.power:g} times those of "
            f"{self.second}, at a correlation near 1. Such features leave as not reproducible: "
            "write both readers' tables in one unit."
        )


def other_units(features: Mapping[str, pd.DataFrame], names: Sequence[str]) -> list[OtherUnit]:
    """Compare the first reader's values with those of every other.

    Parameters
    ----------
    features : mapping
        Reader to features on their raw scale, indexed by case.
    names : sequence of str
        The features to compare.

    Returns
    -------
    list of OtherUnit
        One per pair and power of ten, in the order of the readers.
    """
    if not features:
        return []
    first, *others = sorted(features)
    found = []
    for other in others:
        cases = features[first].index.intersection(features[other].index)
        if len(cases) < MIN_CASES:
            continue
        names_of_both = [n for n in names if n in features[first] and n in features[other]]
        a = features[first].loc[cases, names_of_both].to_numpy(float)
        b = features[other].loc[cases, names_of_both].to_numpy(float)
        powers: dict[int, list[str]] = {}
        for at, name in enumerate(names_of_both):
            power = _power(a[:, at], b[:, at])
            if power:
                powers.setdefault(power, []).append(name)
        found += [OtherUnit(first, other, power, tuple(of)) for power, of in sorted(powers.items())]
    return found


def _power(a: np.ndarray, b: np.ndarray) -> int:
    """Return the power of ten between two readings, 0 where there is none."""
    known = np.isfinite(a) & np.isfinite(b) & (a * b > 0)
    if known.sum() < max(MIN_CASES, 0.9 * np.isfinite(a + b).sum()):
        return 0
    a, b = a[known], b[known]
    low, middle, high = np.quantile(np.log10(a / b), (0.25, 0.5, 0.75))
    power = round(middle)
    if power == 0 or abs(middle - power) > NEAR or high - low > NEAR:
        return 0
    if np.ptp(a) == 0 or np.ptp(b) == 0 or np.corrcoef(a, b)[0, 1] < MIN_CORRELATION:
        return 0
    return power
