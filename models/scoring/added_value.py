"""Arms of one family set beside one another: what each reaches, and the paired differences.

An arm is the same family fitted to other candidates (clinical, radiomic, all).

References
----------
.. [1] DeLong ER, DeLong DM, Clarke-Pearson DL. Comparing the areas under two or more correlated
   receiver operating characteristic curves. Biometrics 1988;44:837-845.
.. [2] Vickers AJ, Elkin EB. Decision curve analysis. Med Decis Making 2006;26:565-574.
.. [3] Bengio Y, Grandvalet Y. No unbiased estimator of the variance of k-fold cross-validation.
   J Mach Learn Res 2004;5:1089-1105.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd

from models.scoring import metrics
from models.scoring.comparisons import compare_models
from models.scoring.decision_curve import resampled_net_benefit
from models.scoring.intervals import percentile_interval
from models.scoring.performance import Sample, auroc_estimate
from pipeline.core.table_schema import types_of
from pipeline.tables.schemas.prediction.added_value import AddedValue, AddedValueDifferences

COLUMNS = types_of(AddedValue)

DIFFERENCES = types_of(AddedValueDifferences)

OVER_FOLDS = (
    "mean over outer folds; no interval and no P value: folds share their training patients, and "
    "no unbiased estimate of the variance exists"
)


def net_benefit(outcome: np.ndarray, probability: np.ndarray, at: float) -> float:
    """Return the net benefit [2]_ of treating units from a risk of `at` upwards.

    Parameters
    ----------
    outcome : numpy.ndarray
        Shape (n,), 1 for an event and 0 otherwise.
    probability : numpy.ndarray
        Shape (n,), predicted risk.
    at : float
        Threshold probability, below 1.

    Returns
    -------
    float
        In true positives per unit of the sample.
    """
    once = np.ones((1, len(np.asarray(outcome))))
    return float(resampled_net_benefit(outcome, probability, np.array([at]), once)[0, 0])


def compare_arms(
    samples: Mapping[str, Sample], at: float, weights: np.ndarray, confidence: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Judge arms on the same rows, of which none was fitted to any.

    AUROC with DeLong's [1]_ interval, differences by the paired test (Obuchowski's covariance where
    a patient has several units); Brier score and net benefit [2]_ with percentiles over resampled
    patients, the same for every arm.

    Parameters
    ----------
    samples : mapping of str to Sample
        By arm, all of the same units in the same order.
    at : float
        Risk at which net benefit is taken.
    weights : numpy.ndarray
        Shape (n_resamples, n), how often each unit is in each resample.
    confidence : float
        Level of the intervals.

    Returns
    -------
    arms, differences : pandas.DataFrame
        Columns `COLUMNS` and `DIFFERENCES`; P values are adjusted after Holm over all pairs.
    """
    rows = []
    for arm, sample in samples.items():
        area = auroc_estimate(sample, confidence)
        rows.append(
            {
                "arm": arm,
                "n": len(sample.outcome),
                "events": int(sample.outcome.sum()),
                "auroc": area.value,
                "auroc_low": area.low,
                "auroc_high": area.high,
                "brier": float(metrics.brier(sample.outcome, sample.probability)),
                "net_benefit": net_benefit(sample.outcome, sample.probability, at),
            }
        )
    arms = pd.DataFrame(rows).reindex(columns=list(COLUMNS)).astype(COLUMNS)
    tests = compare_models(samples, confidence=confidence)
    pairs = []
    for test in tests.itertuples():
        first, second = samples[test.model_a], samples[test.model_b]
        pairs.append(
            {
                "arm": test.model_a,
                "against": test.model_b,
                "auroc": test.auc_difference,
                "auroc_low": test.low,
                "auroc_high": test.high,
                "p_value": test.p_value,
                "p_holm": test.p_holm,
                **_resampled(first, second, at, weights, confidence),
                "method": test.method,
            }
        )
    return arms, pd.DataFrame(pairs, columns=list(DIFFERENCES)).astype(DIFFERENCES)


def _resampled(
    first: Sample, second: Sample, at: float, weights: np.ndarray, confidence: float
) -> dict[str, float]:
    """Return the differences of Brier score and net benefit, with limits."""
    outcome = first.outcome
    found: dict[str, float] = {}
    scores = {
        "brier": lambda sample, over: metrics.brier(outcome, sample.probability, over),
        "net_benefit": lambda sample, over: resampled_net_benefit(
            outcome, sample.probability, np.array([at]), over
        )[:, 0],
    }
    once = np.ones((1, len(outcome)))
    for name, score in scores.items():
        over = np.asarray(score(first, weights)) - np.asarray(score(second, weights))
        limits = percentile_interval(over, confidence)
        value = np.asarray(score(first, once)) - np.asarray(score(second, once))
        found |= {name: float(value[0]), f"{name}_low": limits.low, f"{name}_high": limits.high}
    return found


def compare_folds(folds: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Set arms beside one another that were judged in the same outer folds.

    Differences are means over the folds with their standard deviation. They have neither interval
    nor P value: the folds' fits share training rows, so that no estimate of the variance of such a
    mean is unbiased [3]_.

    Parameters
    ----------
    folds : pandas.DataFrame
        ``arm, repeat, fold, n, events, auroc, brier, net_benefit, n_features``, the same folds for
        every arm.

    Returns
    -------
    arms, differences : pandas.DataFrame
        Columns `COLUMNS` and `DIFFERENCES`. `n` and `events` are those of one repeat, `n_features`
        the median over the folds.
    """
    names = list(dict.fromkeys(folds["arm"]))
    by_arm = {
        name: rows.set_index(["repeat", "fold"]).drop(columns="arm").sort_index()
        for name, rows in folds.groupby("arm", sort=False)
    }
    rows = []
    for name, own in by_arm.items():
        first = own.xs(own.index[0][0], level="repeat")
        rows.append(
            {
                "arm": name,
                "n_features": round(own["n_features"].median()),
                "n": int(first["n"].sum()),
                "events": int(first["events"].sum()),
                "auroc": own["auroc"].mean(),
                "auroc_sd": _spread(own["auroc"]),
                "brier": own["brier"].mean(),
                "net_benefit": own["net_benefit"].mean(),
            }
        )
    pairs = []
    for first_name, second_name in combinations(names, 2):
        change = by_arm[first_name] - by_arm[second_name]
        pairs.append(
            {
                "arm": first_name,
                "against": second_name,
                "auroc": change["auroc"].mean(),
                "auroc_sd": _spread(change["auroc"]),
                "brier": change["brier"].mean(),
                "net_benefit": change["net_benefit"].mean(),
                "method": OVER_FOLDS,
            }
        )
    arms = pd.DataFrame(rows).reindex(columns=list(COLUMNS)).astype(COLUMNS)
    differences = pd.DataFrame(pairs).reindex(columns=list(DIFFERENCES)).astype(DIFFERENCES)
    return arms, differences


def _spread(values: pd.Series) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else math.nan
