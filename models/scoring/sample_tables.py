"""The tables that an evaluation makes of one model: metrics, ROC curve, calibration, decisions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from models.scoring import calibration, metrics
from models.scoring.calibration_band import calibration_band
from models.scoring.hosmer_lemeshow import hosmer_lemeshow
from models.scoring.intervals import Estimate, has_clusters, patient_resamples
from models.scoring.performance import Sample, metric_estimates


def as_rows(model: str, part: str, estimates: Mapping[str, Estimate]) -> pd.DataFrame:
    """Return estimates as rows of the table of metrics.

    Parameters
    ----------
    model, part : str
        Whose they are, and of which rows.
    estimates : mapping of str to Estimate
        By metric.
    """
    table = pd.DataFrame.from_dict(estimates, orient="index", columns=Estimate._fields)
    table = table.rename_axis("metric").reset_index()
    return table.assign(model=model, part=part)[["model", "part", *table.columns]]


def estimates_of(sample: Sample, how: Mapping) -> dict[str, Estimate]:
    """Return every metric of a sample; `how` holds ``confidence, n_resamples, seed``."""
    keys = ("confidence", "n_resamples", "seed")
    return metric_estimates(sample, **{key: how[key] for key in keys})


def resamples_of(sample: Sample, how: Mapping) -> np.ndarray:
    """Draw the patients that every interval of an evaluation is taken over."""
    return patient_resamples(
        sample.patients, sample.outcome, how["n_resamples"], how["seed"], stratified=False
    )


def _roc(sample: Sample, how: Mapping) -> pd.DataFrame:
    from sklearn.metrics import roc_curve

    if len(np.unique(sample.outcome)) < 2:
        return pd.DataFrame({"fpr": [], "tpr": [], "threshold": []}, dtype=float)
    fpr, tpr, at = roc_curve(sample.outcome, sample.probability)
    return pd.DataFrame({"fpr": fpr, "tpr": tpr, "threshold": at})


def _bins(sample: Sample, how: Mapping) -> pd.DataFrame:
    return calibration.calibration_bins(
        sample.outcome,
        sample.probability,
        how["confidence"],
        independent=not has_clusters(sample.patients),
    )


def _curve(sample: Sample, how: Mapping) -> pd.DataFrame:
    curve = calibration.calibration_curve(sample.outcome, sample.probability)
    at = curve["predicted"].to_numpy()
    band = calibration_band(
        sample.outcome, sample.probability, at, resamples_of(sample, how), how["confidence"]
    )
    return curve.assign(low=band[:, 0], high=band[:, 1])


def _tests(sample: Sample, how: Mapping) -> pd.DataFrame:
    independent = not has_clusters(sample.patients)
    found = hosmer_lemeshow(
        sample.outcome,
        sample.probability,
        fitted_to_these=how["fitted_here"],
        independent=independent,
    )
    return pd.DataFrame([{"test": "Hosmer-Lemeshow", **found._asdict()}])


def _confusion(sample: Sample, how: Mapping) -> pd.DataFrame:
    counts = metrics.confusion(sample.outcome, sample.probability, sample.threshold)
    # Where each outer fold has a threshold of its own, their mean stands for them.
    return pd.DataFrame([{**counts._asdict(), "threshold": float(np.mean(sample.threshold))}])


PER_MODEL: dict[str, Callable[[Sample, Mapping], pd.DataFrame]] = {
    "roc": _roc,
    "calibration": _bins,
    "calibration_curve": _curve,
    "calibration_tests": _tests,
    "confusion": _confusion,
}
"""Table -> what makes it of a sample, with ``confidence, n_resamples, seed, fitted_here``."""
