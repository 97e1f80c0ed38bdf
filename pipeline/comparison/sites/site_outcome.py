"""Whether the outcome differs between sites: then what tells the site also tells the outcome."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import chdtrc

from pipeline.core.problems import listing

ALPHA = 0.05
"""P value below which site and outcome are said to go together."""
LARGE_V = 0.3
"""Cramer's V from which on they are, whatever the P value: a medium effect of Cohen's (Statistical
Power Analysis, 1988)."""
FEW = 5
"""Expected patients of a cell below which the chi-square distribution is a poor one (Cochran)."""


@dataclass(frozen=True)
class SiteOutcome:
    """Site by outcome.

    Attributes
    ----------
    table : pandas.DataFrame
        One row a site: ``site, n, events``.
    p_value : float
        Pearson's chi-square test without correction; NaN with one site or one outcome.
    cramers_v : float
        From 0, no association, to 1; NaN likewise.
    few : bool
        Whether a cell is expected to hold fewer than `FEW`.
    """

    table: pd.DataFrame
    p_value: float
    cramers_v: float
    few: bool

    @property
    def warns(self) -> bool:
        """Whether site and outcome go together."""
        return self.p_value < ALPHA or self.cramers_v >= LARGE_V

    def sentence(self) -> str:
        """Return the finding in words."""
        shares = listing(
            f"{row.site} {row.events}/{row.n} ({row.events / row.n:.0%})"
            for row in self.table.itertuples()
        )
        p = "P < 0.001" if self.p_value < 0.001 else f"P = {self.p_value:.3f}"
        return (
            f"The outcome differs between the sites: {shares}; chi-square test {p}, Cramer's V "
            f"{self.cramers_v:.2f}. Whatever tells the sites apart, such as a scanner, then also "
            "tells the outcome: a model validated within these sites may have learned the site, "
            "and harmonisation may remove true differences"
        )


def site_by_outcome(sites: np.ndarray, outcome: np.ndarray) -> SiteOutcome:
    """Count patients and events of each site and test whether they go together.

    Parameters
    ----------
    sites, outcome : ndarray of shape (n_rows,)
        Site, and 0 or 1 (or false and true); rows without either are left out.

    References
    ----------
    .. [1] Cramer H. Mathematical Methods of Statistics. Princeton 1946, page 282.
    """
    rows = pd.DataFrame({"site": sites, "outcome": outcome}).dropna()
    rows["outcome"] = rows["outcome"].astype(bool)
    grouped = rows.groupby("site")["outcome"]
    table = pd.DataFrame({"n": grouped.size(), "events": grouped.sum().astype(int)})
    counts = np.column_stack([table["events"], table["n"] - table["events"]])
    p_value = cramers_v = math.nan
    few = False
    if len(table) > 1 and (counts.sum(axis=0) > 0).all():
        expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
        statistic = float(((counts - expected) ** 2 / expected).sum())
        # Not scipy.stats, whose start takes longer than all checks of a study.
        p_value, few = float(chdtrc(len(table) - 1, statistic)), bool(expected.min() < FEW)
        cramers_v = math.sqrt(statistic / counts.sum())
    return SiteOutcome(table.rename_axis("site").reset_index(), p_value, cramers_v, few)
