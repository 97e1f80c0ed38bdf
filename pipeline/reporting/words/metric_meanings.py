"""What each metric of a prediction means, for people who do not know it."""

from __future__ import annotations

#: Name of the metric -> what goes on after its label and a colon.
MEANINGS = {
    "auroc": "area under the receiver operating characteristic curve: how often one with the event "
    "has a higher predicted risk than one without; 0.5 is chance",
    "auprc": "area under the curve of precision against sensitivity; guessing reaches the share of "
    "events",
    "brier": "mean squared distance between the predicted risk and what happened (1 event, 0 none)",
    "scaled_brier": "how much better the Brier score is than that of giving everyone the share of "
    "events (1: perfect, 0: no better, below 0: worse)",
    "calibration_intercept": "above 0, risks are too low on average; below 0, too high",
    "calibration_slope": "below 1, risks are too extreme (high ones too high, low ones too low); "
    "above 1, too moderate",
    "ici": "mean distance of the predicted risks from the calibration curve",
    "oe_ratio": "events that happened for each that was predicted; above 1, risks are too low on "
    "average",
    "accuracy": "share of decisions that were right",
    "sensitivity": "share of those with the event for whom it was predicted",
    "specificity": "share of those without the event for whom none was predicted",
    "precision": "positive predictive value: share with the event among those for whom it was "
    "predicted",
    "npv": "negative predictive value: share without the event among those for whom none was "
    "predicted",
    "f1": "harmonic mean of precision and sensitivity",
    "kappa": "agreement of decisions and outcomes beyond chance; 0 is chance",
    "mcc": "correlation of decisions and outcomes; 0 is chance",
    "weighted_precision": "mean of the precision for events and for non-events, weighted by how "
    "many there are of each",
    "weighted_recall": "the same for the sensitivity",
    "weighted_f1": "the same for the F1 score",
}
