"""Performance by cross-validation: what models predict of the rows that they did not learn from.

Every outer fold is predicted by a model of its own. Scores of different models are not on one
scale, so that an AUROC compares pairs of one fold only, and is the mean over the folds. Its
variance comes from influence values [1]_: what each patient adds to each fold's area, averaged over
the repeats in which the folds are dealt anew. Within one fold it is DeLong's variance. It holds for
the models as they were fitted: another sample to learn from would add to it [2]_.

Own code, since no kept Python library offers it.

References
----------
.. [1] LeDell E, Petersen M, van der Laan M. Computationally efficient confidence intervals for
   cross-validated area under the ROC curve estimates. Electron J Stat 2015;9:1583-1607.
.. [2] Bates S, Hastie T, Tibshirani R. Cross-validation: what does it estimate and how well does it
   do it? J Am Stat Assoc 2024;119:1434-1445.
.. [3] Fawcett T. An introduction to ROC analysis. Pattern Recognit Lett 2006;27:861-874 (vertical
   averaging).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.scoring import delong
from models.scoring.comparisons import NOT_ESTIMABLE, paired_table
from models.scoring.intervals import Estimate, has_clusters
from models.scoring.performance import Sample, metric_estimates

NO_FOLD = -1
"""Fold of a row that is not judged."""

METHOD = "mean over the outer folds; influence values (LeDell)"

#: False positive rates at which ROC curves of folds are averaged.
ROC_POINTS = 201


@dataclass(frozen=True)
class HeldOut:
    """What one model's procedure predicts of the rows that its outer folds held out.

    Attributes
    ----------
    outcome : numpy.ndarray
        Shape (n,), 1 for an event and 0 otherwise.
    patients : numpy.ndarray
        Shape (n,), the patient of each row.
    folds : numpy.ndarray
        Shape (n_repeats, n), the outer fold that held a row out; `NO_FOLD` for one not judged.
    probability : numpy.ndarray
        Shape (n_repeats, n), its probability from the model fitted without that fold.
    threshold : numpy.ndarray
        Shape (n_repeats, n), lowest probability that this model calls an event.
    """

    outcome: np.ndarray
    patients: np.ndarray
    folds: np.ndarray
    probability: np.ndarray
    threshold: np.ndarray

    @classmethod
    def of(cls, rows: pd.DataFrame) -> HeldOut:
        """Take them from rows of a nested cross-validation.

        Parameters
        ----------
        rows : pandas.DataFrame
            ``unit_id, patient_id, outcome, repeat, fold, probability, threshold``, one row per unit
            and repeat.
        """
        wide = rows.pivot(
            index="repeat", columns="unit_id", values=["fold", "probability", "threshold"]
        )
        units = rows[rows["repeat"] == rows["repeat"].min()].sort_values("unit_id")
        return cls(
            units["outcome"].to_numpy(int),
            units["patient_id"].to_numpy(),
            wide["fold"].to_numpy(int),
            np.clip(wide["probability"].to_numpy(float), 0, 1),
            wide["threshold"].to_numpy(float),
        )

    @property
    def samples(self) -> list[Sample]:
        """One sample per repeat, in which every row is judged once, at its own fold's threshold."""
        return [
            Sample(self.outcome, probability, self.patients, threshold)
            for probability, threshold in zip(self.probability, self.threshold, strict=True)
        ]


def parts_of(folds: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield repeat and rows, as positions, of every outer fold.

    Parameters
    ----------
    folds : numpy.ndarray
        Shape (n_repeats, n), as `HeldOut` has them.
    """
    for repeat, dealt in enumerate(folds):
        for fold in np.unique(dealt[dealt != NO_FOLD]):
            yield repeat, np.flatnonzero(dealt == fold)


def cross_validated_areas(
    outcome: np.ndarray, scores: np.ndarray, folds: np.ndarray, patients: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean AUROC over outer folds of several models, and their covariance [1]_.

    Parameters
    ----------
    outcome : numpy.ndarray
        Shape (n,), 1 for an event and 0 otherwise.
    scores : numpy.ndarray
        Shape (n_models, n_repeats, n).
    folds : numpy.ndarray
        Shape (n_repeats, n); `NO_FOLD` for a row that is not judged.
    patients : numpy.ndarray
        Shape (n,), the patient of each row; rows of one patient may depend on one another.

    Returns
    -------
    areas : numpy.ndarray
        Shape (n_models,); NaN where a fold lacks an outcome.
    covariance : numpy.ndarray
        Shape (n_models, n_models); NaN where a fold holds fewer than two events or non-events.
    """
    models, _, n = scores.shape
    areas, influence, parts = np.zeros(models), np.zeros((models, n)), 0
    for repeat, rows in parts_of(folds):
        parts += 1
        event = outcome[rows] == 1
        events, others = int(event.sum()), int((~event).sum())
        if min(events, others) == 0:
            return np.full(models, np.nan), np.full((models, models), np.nan)
        # As in DeLong's variance, whose squares are divided by one less than their number.
        of_event = math.sqrt(events / (events - 1)) / events if events > 1 else math.nan
        of_other = math.sqrt(others / (others - 1)) / others if others > 1 else math.nan
        for model in range(models):
            below, above = delong.placements(outcome[rows], scores[model, repeat, rows])
            area = below.mean()
            areas[model] += area
            influence[model, rows[event]] += (below - area) * of_event
            influence[model, rows[~event]] += (above - area) * of_other
    if not parts:
        return np.full(models, np.nan), np.full((models, models), np.nan)
    _, owner = np.unique(patients, return_inverse=True)
    by_patient = np.array([np.bincount(owner, each) for each in influence / parts])
    return areas / parts, by_patient @ by_patient.T


def auroc_estimate(held_out: HeldOut, confidence: float) -> Estimate:
    """Return the mean AUROC over the outer folds, with an interval on the logit scale.

    Parameters
    ----------
    held_out : HeldOut
        Predictions of one model.
    confidence : float
        Level of the interval.
    """
    areas, covariance = cross_validated_areas(
        held_out.outcome, held_out.probability[None], held_out.folds, held_out.patients
    )
    value, variance = float(areas[0]), float(covariance[0, 0])
    if math.isnan(value):
        return Estimate.undefined("an outer fold holds one class only")
    if math.isnan(variance):
        reason = "no interval: an outer fold holds fewer than two rows of a class"
        return Estimate(value, math.nan, math.nan, reason)
    interval = delong.auroc_interval(value, variance, confidence)
    if math.isnan(interval.low):
        return Estimate(value, math.nan, math.nan, "no interval: no pair varies, variance is 0")
    return Estimate(value, *interval, f"{METHOD}, logit scale{_clusters(held_out.patients)}")


def held_out_estimates(
    held_out: HeldOut, *, confidence: float, n_resamples: int, seed: int
) -> dict[str, Estimate]:
    """Return every metric of one model's procedure, with its interval.

    All but the AUROC are taken over all rows of a repeat at once, as
    `models.scoring.performance.metric_estimates` does; of several repeats, the means of the values
    and of the limits. The repeats are of the same patients: more of them make no interval narrower.

    Parameters
    ----------
    held_out : HeldOut
        Predictions of one model.
    confidence : float
        Level of the intervals.
    n_resamples : int
        Resamples of patients.
    seed : int
        Seed of the resamples.

    Returns
    -------
    dict of str to Estimate
        In the order of the metrics.
    """
    repeats = [
        metric_estimates(sample, confidence=confidence, n_resamples=n_resamples, seed=seed)
        for sample in held_out.samples
    ]
    found = {name: _mean([each[name] for each in repeats]) for name in repeats[0]}
    return found | {"auroc": auroc_estimate(held_out, confidence)}


def _mean(repeats: list[Estimate]) -> Estimate:
    """Return the mean of a metric and of its limits over the repeats."""
    if len(repeats) == 1:
        return repeats[0]
    for each in repeats:
        if math.isnan(each.value):
            return Estimate.undefined(f"in a repeat, {each.method.removeprefix('undefined: ')}")
    values = np.array([each[:3] for each in repeats])
    without = next((each.method for each in repeats if math.isnan(each.low)), None)
    method = without or f"{repeats[0].method}; means over {len(repeats)} repeats"
    value, low, high = values.mean(axis=0)
    if without:
        low = high = math.nan
    return Estimate(float(value), float(low), float(high), method)


def compare_held_out(
    models: Mapping[str, HeldOut], *, confidence: float, primary: str | None = None
) -> pd.DataFrame:
    """Compare the cross-validated AUROCs of all pairs of models on the same outer folds.

    Parameters
    ----------
    models : mapping of str to HeldOut
        One per model, of the same rows and folds.
    confidence : float
        Level of the intervals.
    primary : str, optional
        The model of the primary analysis.

    Returns
    -------
    pandas.DataFrame
        As `models.scoring.comparisons.compare_models` returns it.
    """
    first = next(iter(models.values()))

    def difference(a: str, b: str) -> tuple[delong.PairedTest, str]:
        pair = np.array([models[a].probability, models[b].probability])
        return paired_difference(first.outcome, pair, first.folds, first.patients, confidence)

    return paired_table(list(models), difference, primary)


def paired_difference(
    outcome: np.ndarray,
    pair: np.ndarray,
    folds: np.ndarray,
    patients: np.ndarray,
    confidence: float,
) -> tuple[delong.PairedTest, str]:
    """Test the difference of two cross-validated AUROCs, and say how it was done.

    Parameters
    ----------
    outcome, folds, patients
        As for `cross_validated_areas`.
    pair : numpy.ndarray
        Shape (2, n_repeats, n), scores of the two models; the second is taken off the first.
    confidence : float
        Level of the interval.
    """
    areas, covariance = cross_validated_areas(outcome, pair, folds, patients)
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    test = delong.wald_test(float(areas[0] - areas[1]), variance, confidence)
    if math.isnan(test.difference):
        return test, "undefined: an outer fold holds one class only"
    if math.isnan(test.p_value):
        why = "an outer fold holds fewer than two rows of a class"
        if not math.isnan(variance):
            why = "no pair varies, the variance is 0"
        return test, f"{NOT_ESTIMABLE}: {why}"
    return test, f"{METHOD}, paired{_clusters(patients)}"


def mean_roc(held_out: HeldOut) -> pd.DataFrame:
    """Return the ROC curve averaged over the outer folds, at given false positive rates [3]_.

    The area below it is the mean of the folds' areas but for the steps between its points.

    Parameters
    ----------
    held_out : HeldOut
        Predictions of one model.

    Returns
    -------
    pandas.DataFrame
        ``fpr, tpr, threshold``; no threshold stands for a point of several models: NaN.
    """
    from sklearn.metrics import roc_curve

    at = np.linspace(0, 1, ROC_POINTS)
    curves = []
    for repeat, rows in parts_of(held_out.folds):
        if len(np.unique(held_out.outcome[rows])) < 2:
            return pd.DataFrame({"fpr": [], "tpr": [], "threshold": []}, dtype=float)
        fpr, tpr, _ = roc_curve(
            held_out.outcome[rows], held_out.probability[repeat, rows], drop_intermediate=False
        )
        # Where a curve rises straight up, the mean of its two ends stands for it.
        first, last = np.searchsorted(fpr, at, "left"), np.searchsorted(fpr, at, "right") - 1
        on = last >= first
        curves.append(np.where(on, (tpr[first] + tpr[last]) / 2, np.interp(at, fpr, tpr)))
    mean = np.mean(curves, axis=0)
    corners = pd.DataFrame({"fpr": [0.0, 1.0], "tpr": [0.0, 1.0]})
    table = pd.DataFrame({"fpr": at, "tpr": mean})
    table = pd.concat([corners[:1], table, corners[1:]], ignore_index=True)
    return table.assign(threshold=np.nan)


def _clusters(patients: np.ndarray) -> str:
    return ", patients as clusters" if has_clusters(patients) else ""
