"""The metrics of a prediction: name, label, kind, ideal and bounds of each, in one place.

A metric is added by an entry here and its value in `models.scoring.performance`. A new label makes
no number anew.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple


class Printed(NamedTuple):
    """How a metric is printed.

    Attributes
    ----------
    label : str
        In a table.
    words : str
        In a sentence; empty where as in a table.
    """

    label: str
    words: str = ""


@dataclass(frozen=True)
class Metric:
    """What is said of a metric besides how it is computed.

    Attributes
    ----------
    name : str
        As in the tables and in the option `primary.metric`.
    printed : Printed
        For people.
    kind : {'probability', 'threshold'}
        Whether it is of predicted probabilities, or of decisions at a threshold.
    ideal : float
        The best value.
    least, largest : float
        Values that it can have at all.
    """

    name: str
    printed: Printed
    kind: Literal["probability", "threshold"] = "probability"
    ideal: float = 1.0
    least: float = 0.0
    largest: float = 1.0

    @property
    def label(self) -> str:
        """The metric in a table."""
        return self.printed.label

    @property
    def words(self) -> str:
        """The metric in a sentence."""
        return self.printed.words or self.printed.label


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("auroc", Printed("AUROC")),
        Metric("auprc", Printed("AUPRC")),
        Metric("brier", Printed("Brier score"), ideal=0.0),
        Metric(
            "scaled_brier", Printed("Scaled Brier score", "scaled Brier score"), least=-math.inf
        ),
        Metric(
            "calibration_intercept",
            Printed("Calibration in the large (slope fixed at 1)", "calibration in the large"),
            ideal=0.0,
            least=-math.inf,
            largest=math.inf,
        ),
        Metric(
            "calibration_slope",
            Printed("Calibration slope", "calibration slope"),
            least=-math.inf,
            largest=math.inf,
        ),
        Metric(
            "ici",
            Printed("Integrated calibration index", "integrated calibration index"),
            ideal=0.0,
        ),
        Metric(
            "oe_ratio",
            Printed("Observed / expected events", "ratio of observed to expected events"),
            largest=math.inf,
        ),
        Metric("accuracy", Printed("Accuracy", "accuracy"), "threshold"),
        Metric("sensitivity", Printed("Sensitivity (recall)", "sensitivity"), "threshold"),
        Metric("specificity", Printed("Specificity", "specificity"), "threshold"),
        Metric("precision", Printed("Precision (PPV)", "precision"), "threshold"),
        Metric("npv", Printed("NPV"), "threshold"),
        Metric("f1", Printed("F1 score"), "threshold"),
        Metric("kappa", Printed("Cohen's kappa"), "threshold", least=-1.0),
        Metric("mcc", Printed("Matthews correlation"), "threshold", least=-1.0),
        Metric(
            "weighted_precision",
            Printed("Precision, weighted over both groups", "weighted precision"),
            "threshold",
        ),
        Metric(
            "weighted_recall",
            Printed("Recall, weighted (is the accuracy)", "weighted recall"),
            "threshold",
        ),
        Metric(
            "weighted_f1",
            Printed("F1 score, weighted over both groups", "weighted F1"),
            "threshold",
        ),
    )
}
"""Name -> the metric, in the order of tables."""


def labels_of(kind: str) -> dict[str, str]:
    """Return the metrics of a kind as tables print them, name -> label."""
    return {name: metric.label for name, metric in METRICS.items() if metric.kind == kind}
