"""Performance of a model on a sample: every metric with its interval, and paired comparisons."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from models import calibration, delong, metrics
from models.intervals import (
    Estimate,
    has_clusters,
    patient_resamples,
    percentile_interval,
    wilson_interval,
)

#: Order of the metrics in metrics.parquet.
METRICS = (
    *("auroc", "auprc", "brier", "scaled_brier"),
    *("calibration_intercept", "calibration_slope", "ici", "oe_ratio"),
    *metrics.SHARES,
    *metrics.AGREEMENTS,
)


@dataclass(frozen=True)
class Sample:
    """Predictions of one model on some units.

    Attributes
    ----------
    outcome : numpy.ndarray
        Shape (n,), 1 for an event and 0 otherwise.
    probability : numpy.ndarray
        Shape (n,), predicted probability of an event.
    patients : numpy.ndarray
        Shape (n,), the patient of each unit.
    threshold : float
        Lowest probability that counts as positive, fixed on training rows.
    """

    outcome: np.ndarray
    probability: np.ndarray
    patients: np.ndarray
    threshold: float

    @classmethod
    def of(cls, rows: pd.DataFrame, threshold: float) -> Sample:
        """Take a sample from rows of predictions.parquet."""
        return cls(
            rows["outcome"].to_numpy(int),
            np.clip(rows["probability"].to_numpy(float), 0, 1),
            rows["patient_id"].to_numpy(),
            threshold,
        )


def metric_estimates(
    sample: Sample, *, confidence: float, n_resamples: int, seed: int
) -> dict[str, Estimate]:
    """Return every metric of one model on independent rows, with its interval.

    AUROC: DeLong on the logit scale. Shares of units (accuracy, sensitivity, ...): Wilson.
    Calibration intercept and slope: Wald; O/E: Wald on the log scale. All others: percentiles over
    resampled patients. Where a patient has several units, these are dependent: AUROC, shares and
    O/E then take resampled patients as well, and the Wald intervals a cluster-robust error.

    Parameters
    ----------
    sample : Sample
        Rows that played no part in the model.
    confidence : float
        Level of the intervals.
    n_resamples : int
        Resamples of patients.
    seed : int
        Seed of the resamples.

    Returns
    -------
    dict of str to Estimate
        In the order of `METRICS`. An estimate without value or limits says why in its method.
    """
    clustered = has_clusters(sample.patients)
    estimates = _closed_forms(sample, confidence)
    units = (sample.patients, sample.outcome, n_resamples, seed)
    estimates["auroc"] = auroc_estimate(sample, patient_resamples(*units), confidence)
    # Unlike AUROC, the others vary with the share of events, which a new sample would draw anew.
    free = patient_resamples(*units, stratified=False)
    values = point_values(sample)
    for name, over in _resampled_values(sample, free).items():
        if clustered or name not in estimates:
            estimates[name] = _from_resamples(values[name], over, confidence)
    return {name: estimates[name] for name in METRICS}


def auroc_estimate(sample: Sample, weights: np.ndarray, confidence: float) -> Estimate:
    """Return the AUROC with DeLong's interval, or by resamples where patients have several units.

    Parameters
    ----------
    sample : Sample
        Rows that played no part in the model.
    weights : numpy.ndarray
        Shape (n_resamples, n), resampled patients.
    confidence : float
        Level of the interval.
    """
    if not has_clusters(sample.patients):
        return _delong_estimate(sample.outcome, sample.probability, confidence)
    value = metrics.auroc(sample.outcome, sample.probability)
    over = metrics.auroc(sample.outcome, sample.probability, weights)
    return _from_resamples(value, over, confidence, " stratified by outcome")


def point_values(sample: Sample) -> dict[str, float]:
    """Return the value of every metric of `METRICS` without interval, NaN where undefined."""
    outcome, probability = sample.outcome, sample.probability
    level = 0.95  # of intervals that are not kept
    return {
        "auroc": metrics.auroc(outcome, probability),
        "auprc": metrics.auprc(outcome, probability),
        "brier": metrics.brier(outcome, probability),
        "scaled_brier": metrics.scaled_brier(outcome, probability),
        "calibration_intercept": calibration.calibration_intercept(outcome, probability, level)[0],
        "calibration_slope": calibration.calibration_slope(outcome, probability, level)[0],
        "ici": calibration.integrated_calibration_index(outcome, probability),
        "oe_ratio": calibration.observed_expected_ratio(outcome, probability, level)[0],
        **metrics.confusion_metrics(metrics.confusion(outcome, probability, sample.threshold)),
    }


def compare_models(
    samples: Mapping[str, Sample], *, confidence: float, n_resamples: int, seed: int
) -> pd.DataFrame:
    """Compare the AUROCs of all pairs of models on the same units.

    By DeLong's paired test; where a patient has several units, by a z test with the standard error
    over resampled patients. P values are adjusted over the pairs after Holm [1]_.

    Parameters
    ----------
    samples : mapping of str to Sample
        One sample per model, all of the same units in the same order.
    confidence : float
        Level of the intervals, which are not adjusted.
    n_resamples : int
        Resamples of patients.
    seed : int
        Seed of the resamples.

    Returns
    -------
    pandas.DataFrame
        ``model_a, model_b, auc_difference`` (a minus b)``, low, high, p_value, p_holm, method``.

    References
    ----------
    .. [1] Holm S. A simple sequentially rejective multiple test procedure. Scand J Stat
       1979;6:65-70.
    """
    from statsmodels.stats.multitest import multipletests

    first = next(iter(samples.values()))
    clustered = has_clusters(first.patients)
    weights = patient_resamples(first.patients, first.outcome, n_resamples, seed)
    rows = []
    for a, b in combinations(samples, 2):
        pair = (samples[a].probability, samples[b].probability)
        if clustered:
            method = f"z test, standard error over {n_resamples} resamples of patients"
            over = [metrics.auroc(first.outcome, p, weights) for p in pair]
            difference = metrics.auroc(first.outcome, pair[0]) - metrics.auroc(
                first.outcome, pair[1]
            )
            test = delong.wald_test(
                difference, float(np.var(over[0] - over[1], ddof=1)), confidence
            )
        elif _enough_for_delong(first.outcome):
            method = "DeLong, paired"
            test = delong.paired_test(first.outcome, *pair, confidence)
        else:
            method = "undefined: fewer than two events or non-events"
            test = delong.PairedTest(math.nan, math.nan, math.nan, math.nan)
        rows.append([a, b, *test, math.nan, method])
    numbers = ["auc_difference", "low", "high", "p_value", "p_holm"]
    table = pd.DataFrame(rows, columns=["model_a", "model_b", *numbers, "method"])
    # One model makes no pair; its empty table keeps the types.
    table = table.astype(
        {"model_a": str, "model_b": str, "method": str} | dict.fromkeys(numbers, float)
    )
    tested = table["p_value"].notna()
    if tested.any():
        table.loc[tested, "p_holm"] = multipletests(table.loc[tested, "p_value"], method="holm")[1]
    return table


def compare_decisions(samples: Mapping[str, Sample]) -> pd.DataFrame:
    """Compare the decisions of all pairs of models, each at its own threshold.

    McNemar's exact test [1]_: among the units on which one model alone is right, either is as
    likely to be that one. It asks for independent units; where a patient has several, there is no
    P value. P values are adjusted over the pairs after Holm.

    Parameters
    ----------
    samples : mapping of str to Sample
        One sample per model, all of the same units in the same order.

    Returns
    -------
    pandas.DataFrame
        ``model_a, model_b, only_a_right, only_b_right`` (units)``, mcnemar_p, mcnemar_p_holm``.

    References
    ----------
    .. [1] McNemar Q. Note on the sampling error of the difference between correlated proportions
       or percentages. Psychometrika 1947;12:153-157.
    """
    from statsmodels.stats.contingency_tables import mcnemar
    from statsmodels.stats.multitest import multipletests

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
    if len(table) and not clustered:
        table["mcnemar_p_holm"] = multipletests(table["mcnemar_p"], method="holm")[1]
    return table


def _closed_forms(sample: Sample, confidence: float) -> dict[str, Estimate]:
    """Return the estimates whose interval needs no resampling."""
    outcome, probability = sample.outcome, sample.probability
    groups = sample.patients if has_clusters(sample.patients) else None
    counts = metrics.confusion(outcome, probability, sample.threshold)
    estimates = {}
    for name, (part, whole) in metrics.SHARES.items():
        total = counts.count(*whole)
        if total == 0:
            estimates[name] = Estimate.undefined("no unit in the denominator")
            continue
        interval = wilson_interval(counts.count(*part), total, confidence)
        estimates[name] = Estimate(counts.count(*part) / total, *interval, "Wilson")
    calibrate = (outcome, probability, confidence)
    estimates["calibration_intercept"] = calibration.calibration_intercept(*calibrate, groups)
    estimates["calibration_slope"] = calibration.calibration_slope(*calibrate, groups)
    estimates["oe_ratio"] = calibration.observed_expected_ratio(*calibrate)
    return estimates


def _delong_estimate(outcome: np.ndarray, probability: np.ndarray, confidence: float) -> Estimate:
    value = metrics.auroc(outcome, probability)
    if math.isnan(value):
        return Estimate.undefined("one class only")
    if not _enough_for_delong(outcome):
        return Estimate(value, math.nan, math.nan, "no interval: fewer than two of a class")
    areas, covariance = delong.delong_covariance(outcome, probability)
    interval = delong.auroc_interval(float(areas[0]), float(covariance[0, 0]), confidence)
    if math.isnan(interval.low):
        reason = "constant prediction" if np.ptp(probability) == 0 else "no pair varies"
        return Estimate(value, math.nan, math.nan, f"no interval: {reason}, DeLong's variance is 0")
    return Estimate(value, *interval, "DeLong, logit scale")


def _resampled_values(sample: Sample, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Return metrics over resamples, each of shape (n_resamples,)."""
    outcome, probability = sample.outcome, sample.probability
    counts = metrics.confusion(outcome, probability, sample.threshold, weights)
    ici = [
        calibration.integrated_calibration_index(
            np.repeat(outcome, times), np.repeat(probability, times)
        )
        for times in weights
    ]
    return {
        "auprc": metrics.auprc(outcome, probability, weights),
        "brier": metrics.brier(outcome, probability, weights),
        "scaled_brier": metrics.scaled_brier(outcome, probability, weights),
        "ici": np.array(ici),
        "oe_ratio": metrics.ratio(weights @ outcome, weights @ probability),
        **metrics.confusion_metrics(counts),
    }


def _from_resamples(value: float, over: np.ndarray, confidence: float, how: str = "") -> Estimate:
    if math.isnan(value):
        return Estimate.undefined("too few units, one class only, or an empty denominator")
    interval = percentile_interval(over, confidence)
    method = f"percentiles over {len(over)} resamples of patients{how}"
    if math.isnan(interval.low):
        method = f"no interval: constant, or often undefined, over {len(over)} resamples"
    return Estimate(value, *interval, method)


def _enough_for_delong(outcome: np.ndarray) -> bool:
    return min((outcome == 1).sum(), (outcome == 0).sum()) >= 2
