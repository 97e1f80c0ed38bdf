"""Metrics of a binary prediction, on one sample or on many resamples at once.

Every function takes `weights`, how often each unit counts: shape (n,) gives one number, shape
(n_resamples, n) one number per resample, which makes a thousand resamples one matrix product
where a loop over scikit-learn's metrics takes seconds. The tests compare each with scikit-learn.

A metric whose denominator is zero (precision where nobody is predicted positive) is NaN, not 0 or
1: what was not measured does not enter an interval.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics import confusion_matrix

#: What every function here returns: a float, or with weights an array of shape (n_resamples,).
#: Which of both follows from the arguments, and is held by the tests.
Figure = Any

#: Metrics of a confusion matrix that are a share of units, so that Wilson's interval applies:
#: metric -> (counts of its numerator, counts of its denominator).
SHARES = {
    "accuracy": (("tp", "tn"), ("tp", "fp", "fn", "tn")),
    "sensitivity": (("tp",), ("tp", "fn")),
    "specificity": (("tn",), ("tn", "fp")),
    "precision": (("tp",), ("tp", "fp")),
    "npv": (("tn",), ("tn", "fn")),
}

#: Metrics of a confusion matrix that are no share.
AGREEMENTS = ("f1", "kappa", "mcc", "weighted_precision", "weighted_recall", "weighted_f1")


class Confusion(NamedTuple):
    """Counts of true and false positives and negatives, as numbers or as arrays of resamples."""

    tp: Figure
    fp: Figure
    fn: Figure
    tn: Figure

    def sum_of(self, *names: str) -> Figure:
        """Return the sum of some of the four counts."""
        return sum(getattr(self, name) for name in names)


def confusion(
    outcome: np.ndarray,
    probability: np.ndarray,
    threshold: float,
    weights: np.ndarray | None = None,
) -> Confusion:
    """Count right and wrong predictions; a unit is positive from `threshold` upwards.

    Parameters
    ----------
    outcome : numpy.ndarray
        Shape (n,), 1 for an event and 0 otherwise.
    probability : numpy.ndarray
        Shape (n,), predicted probability of an event.
    threshold : float
        Lowest probability that counts as positive.
    weights : numpy.ndarray, optional
        Shape (n_resamples, n), how often each unit counts.
    """
    event = np.asarray(outcome) == 1
    positive = np.asarray(probability) >= threshold
    if weights is None:
        (tn, fp), (fn, tp) = confusion_matrix(event, positive, labels=[False, True])
        return Confusion(int(tp), int(fp), int(fn), int(tn))
    return Confusion(
        weights @ (event & positive),
        weights @ (~event & positive),
        weights @ (event & ~positive),
        weights @ (~event & ~positive),
    )


def confusion_metrics(counts: Confusion) -> dict[str, Figure]:
    """Return all metrics of one or many confusion matrices.

    Parameters
    ----------
    counts : Confusion
        Numbers, or arrays of one shape.

    Returns
    -------
    dict
        ``accuracy, sensitivity, specificity, precision, npv, f1, kappa`` (Cohen)``, mcc``
        (Matthews), and ``weighted_precision, weighted_recall, weighted_f1``: means of the figures
        of both classes, each weighted by its units, as scikit-learn's ``average="weighted"``; NaN
        where a denominator is zero.
    """
    tp, fp, fn, tn = (np.asarray(count, float) for count in counts)
    n = tp + fp + fn + tn
    metrics = {
        name: ratio(counts.sum_of(*part), counts.sum_of(*whole))
        for name, (part, whole) in SHARES.items()
    }
    by_chance = ((tp + fp) * (tp + fn) + (fn + tn) * (fp + tn)) / n
    metrics["f1"] = ratio(2 * tp, 2 * tp + fp + fn)
    metrics["kappa"] = ratio(tp + tn - by_chance, n - by_chance)
    margins = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    metrics["mcc"] = ratio(tp * tn - fp * fn, np.sqrt(margins))
    of_others = {"precision": metrics["npv"], "recall": metrics["specificity"]}
    of_others["f1"] = ratio(2 * tn, 2 * tn + fn + fp)
    of_events = {name: metrics[name] for name in ("precision", "f1")}
    of_events["recall"] = metrics["sensitivity"]
    for name in ("precision", "recall", "f1"):
        whole = (tp + fn) * of_events[name] + (tn + fp) * of_others[name]
        metrics[f"weighted_{name}"] = ratio(whole, n)
    return metrics


def brier(
    outcome: np.ndarray, probability: np.ndarray, weights: np.ndarray | None = None
) -> Figure:
    """Return the Brier score, the mean squared difference of probability and outcome."""
    outcome = np.asarray(outcome, float)
    weights = _weights(weights, len(outcome))
    return ratio(weights @ (np.asarray(probability) - outcome) ** 2, weights.sum(axis=-1))


def scaled_brier(
    outcome: np.ndarray, probability: np.ndarray, weights: np.ndarray | None = None
) -> Figure:
    """Return the Brier score's gain over predicting the sample's event share for everybody.

    1 is perfect, 0 no better than the event share, below 0 worse; NaN with one class.
    """
    outcome = np.asarray(outcome, float)
    share = ratio(
        _weights(weights, len(outcome)) @ outcome, _weights(weights, len(outcome)).sum(-1)
    )
    return 1 - ratio(brier(outcome, probability, weights), share * (1 - share))


def auroc(outcome: np.ndarray, score: np.ndarray, weights: np.ndarray | None = None) -> Figure:
    """Return the area under the ROC curve, ties counting half; NaN with one class."""
    events, others = _by_score(outcome, score, weights)
    below = np.cumsum(others, axis=-1) - others
    won = (events * (below + others / 2)).sum(axis=-1)
    return ratio(won, events.sum(axis=-1) * others.sum(axis=-1))


def auprc(outcome: np.ndarray, score: np.ndarray, weights: np.ndarray | None = None) -> Figure:
    """Return the average precision, the area under the precision-recall curve by steps.

    As in scikit-learn, without interpolation; a random score has the event share. NaN without
    events.
    """
    events, others = _by_score(outcome, score, weights)
    found = np.cumsum(events[..., ::-1], axis=-1)
    flagged = found + np.cumsum(others[..., ::-1], axis=-1)
    precision = np.divide(found, flagged, out=np.zeros(found.shape), where=flagged > 0)
    return ratio((precision * events[..., ::-1]).sum(axis=-1), events.sum(axis=-1))


def _by_score(
    outcome: np.ndarray, score: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights of events and of others at each distinct score, scores ascending."""
    event = np.asarray(outcome) == 1
    score = np.asarray(score, float)
    weights = _weights(weights, len(score))
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=-np.inf))
    of_events = np.add.reduceat((weights * event)[..., order], starts, axis=-1)
    of_others = np.add.reduceat((weights * ~event)[..., order], starts, axis=-1)
    return of_events, of_others


def _weights(weights: np.ndarray | None, n: int) -> np.ndarray:
    return np.ones(n) if weights is None else np.asarray(weights, float)


def ratio(part: float | np.ndarray, whole: float | np.ndarray) -> Figure:
    """Divide, NaN where `whole` is zero; a plain number for plain numbers."""
    part, whole = np.asarray(part, float), np.asarray(whole, float)
    share = np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole != 0)
    return float(share) if share.ndim == 0 else share
