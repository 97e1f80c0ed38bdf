"""Optimism with missing values: every resample is imputed anew before it is fitted.

To impute once and resample afterwards would let each resample know what the others' rows say of
its gaps. Here the rows with gaps are drawn, imputed by a chain of their own, screened and fitted;
the model is judged on that resample and on the original rows, completed several times.

References
----------
.. [1] Schomaker M, Heumann C. Bootstrap inference when using multiple imputation. Stat Med
   2018;37:2252-2266.
.. [2] Wood AM, Royston P, White IR. The estimation and use of predictions for the assessment of
   model performance using large samples with multiply imputed data. Biom J 2015;57:614-632.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd

from models.regression.checking.imputation import impute
from models.regression.checking.optimism import MEASURES, learned_from, measures_of
from models.regression.fitting.terms import Term
from models.scoring.intervals import patient_resamples
from pipeline.core.errors import FitError
from pipeline.core.seeds import derive_seed

MOST = 200
"""Resamples at most: each has a chain of its own."""

TABLES = 5
"""Completed tables of the original rows on which each model is judged."""

COLUMNS = ["measure", "apparent", "optimism", "optimism_se", "corrected", "resamples"]


def imputed_optimism(
    rows: pd.DataFrame,
    outcome: np.ndarray,
    terms: Sequence[Term],
    *,
    threshold: float | None,
    resamples: int,
    seed: int,
    patients: np.ndarray,
) -> pd.DataFrame:
    """Return apparent and corrected measures of the whole procedure, imputation within it.

    Parameters
    ----------
    rows : pandas.DataFrame
        All rows with a known outcome, predictors missing in some.
    outcome : numpy.ndarray
        Shape (n,).
    terms : sequence of Term
        All candidates.
    threshold : float or None
        Of the screening that is repeated.
    resamples : int
        Wanted; at most `MOST` are drawn.
    seed : int
        Of resamples and imputations.
    patients : numpy.ndarray
        Shape (n,), who are drawn.

    Returns
    -------
    pandas.DataFrame
        ``measure, apparent, optimism, optimism_se`` (Monte Carlo)``, corrected, resamples``, the
        apparent ones as means over completed tables.
    """
    outcome, n = np.asarray(outcome, float), len(outcome)
    count = min(resamples, MOST)
    own = derive_seed(seed, "regress", "imputed optimism")
    completed = impute(rows, outcome, terms, TABLES, own)
    apparent = [
        measures_of(learned_from(table, outcome, terms, threshold, np.arange(n)), outcome)
        for table in completed
    ]
    apparent = {name: float(np.mean([each[name] for each in apparent])) for name in MEASURES}
    drawn = patient_resamples(patients, outcome, count, own, stratified=False)
    gains, counted = [], Counter()
    for at, times in enumerate(drawn):
        index = np.repeat(np.arange(n), times)
        if len(np.unique(outcome[index])) < 2:
            counted["one class"] += 1
            continue
        resample = rows.iloc[index].reset_index(drop=True)
        try:
            [whole] = impute(resample, outcome[index], terms, 1, derive_seed(own, at))
            stacked = pd.concat([whole, *completed], ignore_index=True)
            known = np.concatenate([outcome[index], *[outcome] * TABLES])
            lp = learned_from(stacked, known, terms, threshold, np.arange(len(index)))
        except FitError:
            counted["no fit"] += 1
            continue
        inside = measures_of(lp[: len(index)], outcome[index])
        parts = np.split(lp[len(index) :], TABLES)
        outside = [measures_of(part, outcome) for part in parts]
        gains.append([inside[m] - np.mean([each[m] for each in outside]) for m in MEASURES])
    found = np.array(gains).reshape(-1, len(MEASURES))
    table = []
    for at, name in enumerate(MEASURES):
        known = found[:, at][np.isfinite(found[:, at])]
        mean = float(known.mean()) if len(known) else np.nan
        error = float(known.std(ddof=1) / np.sqrt(len(known))) if len(known) > 1 else np.nan
        table.append([name, apparent[name], mean, error, apparent[name] - mean, len(known)])
    return pd.DataFrame(table, columns=COLUMNS)
