"""Paired comparisons of models on the same units: their AUROCs, and their decisions.

References
----------
.. [1] Holm S. A simple sequentially rejective multiple test procedure. Scand J Stat 1979;6:65-70.
.. [2] McNemar Q. Note on the sampling error of the difference between correlated proportions or
   percentages. Psychometrika 1947;12:153-157.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from models.scoring import delong
from models.scoring.clustered_auroc import areas_with_covariance, enough_patients
from models.scoring.intervals import has_clusters
from models.scoring.performance import Sample

#: How the method of a difference begins that has no interval and no P value.
NOT_ESTIMABLE = "not estimable"

#: Families of comparisons, within each of which P values are adjusted.
FAMILIES = ("all", "primary", "secondary")


def compare_models(
    samples: Mapping[str, Sample], *, confidence: float, primary: str | None = None
) -> pd.DataFrame:
    """Compare the AUROCs of all pairs of models on the same units.

    By the paired test of DeLong; where a patient has several units, with Obuchowski's covariance.
    P values are adjusted after Holm [1]_: over all pairs, or, where a primary model was declared,
    over the pairs that it belongs to, and apart from them over the others, which only explore.

    Parameters
    ----------
    samples : mapping of str to Sample
        One sample per model, all of the same units in the same order.
    confidence : float
        Level of the intervals, which are not adjusted.
    primary : str, optional
        The model of the primary analysis, declared beforehand.

    Returns
    -------
    pandas.DataFrame
        ``model_a, model_b, auc_difference`` (a minus b)``, low, high, p_value, p_holm, family``
        (all, or primary and secondary)``, method``. Limits lie within -1 and 1; they and the P
        values are NaN where they are not estimable, for the reason that `method` says.
    """
    first = next(iter(samples.values()))

    def difference(a: str, b: str) -> tuple[delong.PairedTest, str]:
        return _difference(first, samples[a].probability, samples[b].probability, confidence)

    return paired_table(list(samples), difference, primary)


def paired_table(
    models: Sequence[str],
    difference: Callable[[str, str], tuple[delong.PairedTest, str]],
    primary: str | None,
) -> pd.DataFrame:
    """Return the differences of all pairs of models, with P values adjusted after Holm.

    Parameters
    ----------
    models : sequence of str
        Their names.
    difference : callable
        ``difference(a, b)`` gives a test of two models, and how it was done.
    primary : str or None
        The model of the primary analysis.

    Returns
    -------
    pandas.DataFrame
        As `compare_models` returns it.
    """
    rows = []
    for a, b in combinations(models, 2):
        test, method = difference(a, b)
        rows.append([a, b, *test, math.nan, family_of(a, b, primary), method])
    numbers = ["auc_difference", "low", "high", "p_value", "p_holm"]
    words = ["model_a", "model_b", "family", "method"]
    table = pd.DataFrame(rows, columns=[*words[:2], *numbers, *words[2:]])
    # One model makes no pair; its empty table keeps the types.
    table = table.astype(dict.fromkeys(words, str) | dict.fromkeys(numbers, float))
    for _, pairs in table.groupby("family"):
        table.loc[pairs.index, "p_holm"] = holm(pairs["p_value"])
    return table


def family_of(model_a: str, model_b: str, primary: str | None) -> str:
    """Return the family in which the P value of a pair is adjusted, one of `FAMILIES`."""
    if primary is None:
        return "all"
    return "primary" if primary in (model_a, model_b) else "secondary"


def holm(p_values: pd.Series) -> np.ndarray:
    """Return P values adjusted after Holm [1]_; those that are undefined stay so and do not count.

    Parameters
    ----------
    p_values : pandas.Series
        P values of one family.
    """
    from statsmodels.stats.multitest import multipletests

    adjusted = p_values.to_numpy(float, copy=True)
    tested = ~np.isnan(adjusted)
    if tested.any():
        adjusted[tested] = multipletests(adjusted[tested], method="holm")[1]
    return adjusted


def _difference(
    units: Sample, first: np.ndarray, second: np.ndarray, confidence: float
) -> tuple[delong.PairedTest, str]:
    if not enough_patients(units.outcome, units.patients):
        nothing = delong.PairedTest(math.nan, math.nan, math.nan, math.nan)
        return nothing, "undefined: fewer than two patients with or without an event"
    areas, covariance, whose = areas_with_covariance(
        units.outcome, np.array([first, second]), units.patients
    )
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    clusters = ", patients as clusters" if whose == "Obuchowski" else ""
    test = delong.wald_test(float(areas[0] - areas[1]), variance, confidence)
    if math.isnan(test.p_value):
        return test, f"{NOT_ESTIMABLE}: {_why(areas)}, {whose}'s variance is 0"
    cut = "; cut at -1 and 1" if 1 in (-test.low, test.high) else ""
    return test, f"{whose}, paired{clusters}{cut}"


def _why(areas: np.ndarray) -> str:
    """Say what leaves the difference of two AUROCs without a variance."""
    if np.allclose(areas, 1, rtol=0, atol=1e-12):
        return "both rank every pair of an event and a non-event right"
    if np.ptp(areas) < 1e-7:
        return "both rank everyone alike"
    return "no pair varies"


def compare_decisions(samples: Mapping[str, Sample], primary: str | None = None) -> pd.DataFrame:
    """Compare the decisions of all pairs of models, each at its own threshold.

    McNemar's exact test [2]_: among the units on which one model alone is right, either is as
    likely to be that one. It asks for independent units; where a patient has several, there is no
    P value. P values are adjusted after Holm, in the families of `compare_models`.

    Parameters
    ----------
    samples : mapping of str to Sample
        One sample per model, all of the same units in the same order.
    primary : str, optional
        The model of the primary analysis.

    Returns
    -------
    pandas.DataFrame
        ``model_a, model_b, only_a_right, only_b_right`` (units)``, mcnemar_p, mcnemar_p_holm``.
    """
    from statsmodels.stats.contingency_tables import mcnemar

    clustered = any(has_clusters(sample.patients) for sample in samples.values())
    right = {
        name: (sample.probability >= sample.threshold) == (sample.outcome == 1)
        for name, sample in samples.items()
    }
    rows = []
    for a, b in combinations(samples, 2):
        only_a, only_b = int((right[a] & ~right[b]).sum()), int((right[b] & ~right[a]).sum())
        p_value = math.nan
        if not clustered:
            p_value = float(mcnemar([[0, only_a], [only_b, 0]], exact=True).pvalue)
        rows.append([a, b, only_a, only_b, p_value, math.nan])
    counts, numbers = ["only_a_right", "only_b_right"], ["mcnemar_p", "mcnemar_p_holm"]
    table = pd.DataFrame(rows, columns=["model_a", "model_b", *counts, *numbers])
    kinds = {"model_a": str, "model_b": str}
    table = table.astype(kinds | dict.fromkeys(counts, "int64") | dict.fromkeys(numbers, float))
    families = [family_of(a, b, primary) for a, b in combinations(samples, 2)]
    for _, pairs in table.groupby(families):
        table.loc[pairs.index, "mcnemar_p_holm"] = holm(pairs["mcnemar_p"])
    return table
