"""The probability from which a unit is called an event, chosen on training rows by a named rule.

The rows are real patients, each with the prediction of the fold that did not learn from it:
neither test rows nor synthetic ones take part.

References
----------
.. [1] Youden WJ. Index for rating diagnostic tests. Cancer 1950;3:32-35.
.. [2] Perkins NJ, Schisterman EF. The inconsistency of "optimal" cutpoints obtained using two
   criteria based on the receiver operating characteristic curve. Am J Epidemiol
   2006;163:670-675.
.. [3] Vickers AJ, Elkin EB. Decision curve analysis: a novel method for evaluating prediction
   models. Med Decis Making 2006;26:565-574.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from sklearn.metrics import roc_curve

from models.scoring.intervals import printed
from pipeline.core.errors import StudyError

#: Rules that need no number, and rules that do, with what is said of them.
NAMED = {
    "youden": "the highest sensitivity + specificity (Youden)",
    "closest": "the least distance to perfect sensitivity and specificity",
}
TARGETS = {
    "sensitivity": "the highest threshold with a sensitivity of at least {:g}",
    "specificity": "the lowest threshold with a specificity of at least {:g}",
    "net_benefit": "the highest net benefit where missing an event weighs as threshold "
    "probability {:g} says",
}

#: Sensitivities are shares of counts; a target is met up to rounding.
_ROUNDING = 1e-9


def threshold_of(
    y: np.ndarray, probability: np.ndarray | None, rule: str | Mapping[str, float], fixed: float
) -> float:
    """Choose the probability at which an event is called, from training rows only.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        Outcome of training rows, 1 for an event.
    probability : ndarray of shape (n_rows,) or None
        Their out-of-fold predictions; the rule ``fixed`` needs none.
    rule : str or mapping
        ``fixed``; ``youden`` maximises sensitivity + specificity - 1 [1]_; ``closest`` minimises
        the distance of the ROC curve to its upper left corner [2]_; ``{"sensitivity": s}`` takes
        the highest threshold that reaches it, ``{"specificity": s}`` the lowest;
        ``{"net_benefit": t}`` maximises true positives less t / (1 - t) false positives [3]_. Of
        equals the highest threshold.
    fixed : float
        Threshold of the rule ``fixed``.

    Returns
    -------
    float
        A prediction of the rows, or `fixed`. Never a threshold that nobody reaches, unless a
        specificity asks for it: then just above the highest prediction.

    Raises
    ------
    StudyError
        For a rule that is none of these.
    """
    if rule == "fixed":
        return float(fixed)
    name, target = _parsed(rule)
    fpr, tpr, thresholds = roc_curve(y, probability, drop_intermediate=False)
    # The first entry calls nobody an event, at an infinite threshold.
    fpr, tpr, thresholds = fpr[1:], tpr[1:], thresholds[1:]
    if name == "specificity":
        kept = np.flatnonzero(1 - fpr >= target - _ROUNDING)
        return float(thresholds[kept[-1]] if len(kept) else np.nextafter(thresholds[0], np.inf))
    return float(thresholds[np.argmax(_merit(name, target, tpr, fpr, np.mean(y)))])


def _merit(
    name: str, target: float, tpr: np.ndarray, fpr: np.ndarray, prevalence: float
) -> np.ndarray:
    """Return what a rule maximises, at each threshold from the highest down."""
    if name == "youden":
        return tpr - fpr
    if name == "closest":
        return -((1 - tpr) ** 2 + fpr**2)
    if name == "sensitivity":
        return tpr >= target - _ROUNDING
    return tpr * prevalence - fpr * (1 - prevalence) * target / (1 - target)


def threshold_source(
    y: np.ndarray, probability: np.ndarray | None, rule: str | Mapping[str, float], threshold: float
) -> str:
    """Say in a sentence's part how a threshold was chosen, and what it reaches on those rows.

    Parameters
    ----------
    y, probability, rule
        As in `threshold_of`.
    threshold : float
        What it returned.
    """
    if rule == "fixed":
        return "fixed beforehand in the configuration"
    y, positive = np.asarray(y), np.asarray(probability) >= threshold
    sensitivity, specificity = positive[y == 1].mean(), (~positive[y == 0]).mean()
    return (
        f"{rule_words(rule)}, on {len(y)} out-of-fold predictions of training patients with "
        f"{int(np.sum(y == 1))} events: "
        f"sensitivity {printed(sensitivity, 3)}, specificity {printed(specificity, 3)} there"
    )


def rule_words(rule: str | Mapping[str, float]) -> str:
    """Say what a rule other than ``fixed`` looks for."""
    name, target = _parsed(rule)
    return NAMED[name] if name in NAMED else TARGETS[name].format(target)


def _parsed(rule: str | Mapping[str, float]) -> tuple[str, float]:
    """Return the name of a rule and its target, NaN where the rule has none."""
    if isinstance(rule, str) and rule in NAMED:
        return rule, math.nan
    if isinstance(rule, Mapping) and len(rule) == 1:
        (name, target), *_ = rule.items()
        if name in TARGETS and 0 < target < 1:
            return name, float(target)
    raise StudyError(
        "The rule of the threshold must be one that is known",
        found=rule,
        where="config key evaluation.threshold_rule",
        remedy=f"write {', '.join(NAMED)}, fixed, or one of "
        + ", ".join(f"{{{name}: 0.9}}" for name in TARGETS),
        code="threshold-rule-unknown",
    )
