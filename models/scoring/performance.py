"""Performance of a model on a sample: every metric with its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.scoring import calibration, delong, metrics
from models.scoring.clustered_auroc import areas_with_covariance, enough_patients
from models.scoring.intervals import (
    Estimate,
    has_clusters,
    patient_resamples,
    percentile_interval,
    wilson_interval,
)
from pipeline.study.metric_registry import METRICS as KNOWN_METRICS

#: Order of the metrics in metrics.parquet.
METRICS = tuple(KNOWN_METRICS)


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
    resampled patients. Where a patient has several units, these are dependent: AUROC then takes
    Obuchowski's variance, shares and O/E resampled patients, and the Wald intervals a
    cluster-robust error.

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
    estimates["auroc"] = auroc_estimate(sample, confidence)
    # The numbers of patients with and without an event vary as they would in a new sample.
    resamples = patient_resamples(
        sample.patients, sample.outcome, n_resamples, seed, stratified=False
    )
    values = point_values(sample)
    for name, over in _resampled_values(sample, resamples).items():
        if clustered or name not in estimates:
            estimates[name] = _from_resamples(values[name], over, confidence)
    return {name: estimates[name] for name in METRICS}


def auroc_estimate(sample: Sample, confidence: float, scale: delong.Scale = "logit") -> Estimate:
    """Return the AUROC with an interval on the logit scale.

    The variance is DeLong's; where patients have several units, Obuchowski's.

    Parameters
    ----------
    sample : Sample
        Rows that played no part in the model.
    confidence : float
        Level of the interval.
    scale : {'logit', 'plain'}
        As `models.scoring.delong.auroc_interval` describes.
    """
    value = metrics.auroc(sample.outcome, sample.probability)
    if math.isnan(value):
        return Estimate.undefined("one class only")
    if not enough_patients(sample.outcome, sample.patients):
        reason = "no interval: fewer than two patients of a class"
        return Estimate(value, math.nan, math.nan, reason)
    areas, covariance, whose = areas_with_covariance(
        sample.outcome, sample.probability, sample.patients
    )
    interval = delong.auroc_interval(float(areas[0]), float(covariance[0, 0]), confidence, scale)
    if math.isnan(interval.low):
        constant = np.ptp(sample.probability) == 0
        reason = "constant prediction" if constant else "no pair varies"
        return Estimate(
            value, math.nan, math.nan, f"no interval: {reason}, {whose}'s variance is 0"
        )
    clusters = ", patients as clusters" if whose == "Obuchowski" else ""
    return Estimate(value, *interval, f"{whose}, {scale} scale{clusters}")


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


def _closed_forms(sample: Sample, confidence: float) -> dict[str, Estimate]:
    """Return the estimates whose interval needs no resampling."""
    outcome, probability = sample.outcome, sample.probability
    groups = sample.patients if has_clusters(sample.patients) else None
    counts = metrics.confusion(outcome, probability, sample.threshold)
    estimates = {}
    for name, (part, whole) in metrics.SHARES.items():
        total = counts.sum_of(*whole)
        if total == 0:
            estimates[name] = Estimate.undefined("nobody in the denominator")
            continue
        interval = wilson_interval(counts.sum_of(*part), total, confidence)
        estimates[name] = Estimate(counts.sum_of(*part) / total, *interval, "Wilson")
    calibrate = (outcome, probability, confidence)
    estimates["calibration_intercept"] = calibration.calibration_intercept(*calibrate, groups)
    estimates["calibration_slope"] = calibration.calibration_slope(*calibrate, groups)
    estimates["oe_ratio"] = calibration.observed_expected_ratio(*calibrate)
    return estimates


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


def _from_resamples(value: float, over: np.ndarray, confidence: float) -> Estimate:
    if math.isnan(value):
        return Estimate.undefined("too few, one outcome only, or nobody in the denominator")
    interval = percentile_interval(over, confidence)
    method = f"percentiles over {len(over)} resamples of patients"
    if math.isnan(interval.low):
        method = f"no interval: constant, or often undefined, over {len(over)} resamples"
    return Estimate(value, *interval, method)
