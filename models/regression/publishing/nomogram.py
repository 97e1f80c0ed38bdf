"""A nomogram as R's rms computes it: axes, points, total points and risks.

Own code: no kept Python library has it.

References
----------
.. [1] Harrell FE. rms: Regression Modeling Strategies. R package; function ``nomogram``.
.. [2] Iasonos A, Schrag D, Raj GV, Panageas KS. How to build and interpret a nomogram for cancer
   prognosis. J Clin Oncol 2008;26:1364-1370.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import logit

from models.regression.fitting.terms import Term
from models.regression.publishing.model import RegressionModel
from models.regression.publishing.ticks import pretty
from pipeline.core.errors import StudyError

#: Points of the widest effect.
MOST_POINTS = 100.0

#: Risks that are marked on the risk axis, as far as it reaches.
RISKS = (0.001, 0.005, 0.01, 0.02, 0.05, *(np.arange(1, 10) / 10), 0.95, 0.98, 0.99, 0.995, 0.999)


@dataclass(frozen=True)
class Axis:
    """The axis of one predictor.

    Attributes
    ----------
    term : Term
        The predictor.
    values : tuple
        Its ticks: levels, distinct values, or round numbers over the range seen.
    points : numpy.ndarray
        Shape (n,), points of each tick.
    discrete : bool
        Whether nothing lies between the ticks.
    low, high : numpy.ndarray or None
        Shape (n,), limits of the points of each tick; None where not asked for or unknown.
    """

    term: Term
    values: tuple
    points: np.ndarray
    discrete: bool
    low: np.ndarray | None = None
    high: np.ndarray | None = None

    @property
    def monotone(self) -> bool:
        """Whether points only rise, or only fall, along the ticks."""
        steps = np.diff(self.points)
        return bool((steps >= 0).all() or (steps <= 0).all())


@dataclass(frozen=True)
class Nomogram:
    """All axes of a nomogram.

    Attributes
    ----------
    axes : tuple of Axis
        In the model's order.
    total : numpy.ndarray
        Ticks of the axis of total points.
    risks, risk_points : numpy.ndarray
        Risks that are marked, and the total points of each; empty for points alone.
    lp, lp_points : numpy.ndarray
        Linear predictors and their total points; empty for points alone.
    points_per_lp : float
        Points that one unit of the linear predictor is worth; NaN for points alone.
    shift : float
        Linear predictor at zero points; NaN for points alone.
    """

    axes: tuple[Axis, ...]
    total: np.ndarray
    risks: np.ndarray
    risk_points: np.ndarray
    lp: np.ndarray
    lp_points: np.ndarray
    points_per_lp: float
    shift: float


def build_nomogram(
    model: RegressionModel, *, confidence: float | None = None, risks: tuple[float, ...] = RISKS
) -> Nomogram:
    """Compute a nomogram [1]_.

    Parameters
    ----------
    model : RegressionModel
        Every continuous predictor needs the range that was seen.
    confidence : float, optional
        Level of the limits of each axis; none by default. They are those of the effect against the
        middle of the axis, in points.
    risks : tuple of float
        Risks to mark.

    Raises
    ------
    StudyError
        If a range is not known, or no predictor has an effect.
    """
    ticks = {term.name: axis_values(term) for term in model.terms}
    effects = {name: model.effect(name, np.asarray(values)) for name, values in ticks.items()}
    widest = max(float(np.ptp(effect)) for effect in effects.values())
    if widest <= 0:
        raise StudyError(
            "A nomogram needs a predictor with an effect",
            found="coefficients of 0 only",
            where=model.title,
            remedy="correct the coefficients of the model's file, or fit other predictors",
            code="nomogram-without-effect",
        )
    of_points = model.coefficients is None
    scale = 1.0 if of_points else MOST_POINTS / widest
    lowest = {name: 0.0 if of_points else float(effect.min()) for name, effect in effects.items()}
    axes = []
    for term in model.terms:
        points = (effects[term.name] - lowest[term.name]) * scale
        limits = _limits(model, term, ticks[term.name], points, scale, confidence)
        axes.append(Axis(term, ticks[term.name], points, is_discrete(term), *limits))
    if of_points:
        return _of_points(model, tuple(axes), risks)
    shift = float(model.coefficients[0] + sum(lowest.values()))
    reach = model.lp_range or (shift, shift + sum(float(np.ptp(one)) for one in effects.values()))
    lp = pretty(*reach)
    most = MOST_POINTS
    if len(axes) > 1:
        most = max(MOST_POINTS, scale * (float(lp.max()) - shift))
    total = pretty(0.0, most)
    marked = np.array([risk for risk in risks if lp[0] <= logit(risk) <= lp[-1]])
    return Nomogram(
        tuple(axes),
        total,
        marked,
        (logit(marked) - shift) * scale,
        lp,
        (lp - shift) * scale,
        scale,
        shift,
    )


def is_discrete(term: Term) -> bool:
    """Whether an axis has ticks only where values were seen."""
    return term.is_factor or bool(term.values)


def axis_values(term: Term) -> tuple:
    """Return the ticks of a predictor's axis.

    Raises
    ------
    StudyError
        If the range of a continuous predictor is not known.
    """
    if term.is_factor:
        return term.levels
    if term.values:
        return term.values
    if term.low is None or term.high is None:
        raise StudyError(
            "A nomogram needs the range that was seen of every number",
            found=f"no range of {term.name}",
            where=f"predictor {term.name}",
            remedy="write `low` and `high` into the model's file, as the paper reports them",
            code="nomogram-without-range",
        )
    return tuple(float(tick) for tick in pretty(term.low, term.high))


def points_table(nomogram: Nomogram) -> pd.DataFrame:
    """Return the points of every tick.

    Returns
    -------
    pandas.DataFrame
        ``predictor, label, unit, value`` (text)``, points, per_unit`` (points that one unit adds,
        where the axis is straight; NaN otherwise).
    """
    rows = []
    for axis in nomogram.axes:
        per_unit = math.nan
        if not axis.term.is_factor and not axis.term.knots and len(axis.values) > 1:
            per_unit = float(np.ptp(axis.points) / np.ptp(axis.values))
            per_unit *= 1 if axis.points[-1] >= axis.points[0] else -1
        for value, points in zip(axis.values, axis.points, strict=True):
            text = value if axis.term.is_factor else tick_text(value)
            unit = axis.term.unit or ""
            rows.append([axis.term.name, axis.term.title, unit, text, float(points), per_unit])
    columns = ["predictor", "label", "unit", "value", "points", "per_unit"]
    return pd.DataFrame(rows, columns=columns)


def risk_table(nomogram: Nomogram) -> pd.DataFrame:
    """Return the risks on the risk axis: ``total_points, linear_predictor, risk``."""
    lp = logit(nomogram.risks) if len(nomogram.risks) else nomogram.risks
    return pd.DataFrame(
        {"total_points": nomogram.risk_points, "linear_predictor": lp, "risk": nomogram.risks}
    )


def nomogram_facts(nomogram: Nomogram, model: RegressionModel) -> dict:
    """Return what a drawing needs, as JSON can hold it.

    Returns
    -------
    dict
        ``axes`` (each ``name, label, unit, values`` as text``, points, discrete, low, high``)``,
        total, risks, risk_points, points_per_lp, shift, outcome, day``.
    """
    axes = []
    for axis in nomogram.axes:
        values = axis.values if axis.term.is_factor else [tick_text(one) for one in axis.values]
        axes.append(
            {
                "name": axis.term.name,
                "label": axis.term.title,
                "unit": axis.term.unit or "",
                "values": list(values),
                "points": axis.points.tolist(),
                "discrete": axis.discrete,
                "low": None if axis.low is None else axis.low.tolist(),
                "high": None if axis.high is None else axis.high.tolist(),
            }
        )
    known = not math.isnan(nomogram.points_per_lp)
    return {
        "axes": axes,
        "total": nomogram.total.tolist(),
        "risks": nomogram.risks.tolist(),
        "risk_points": nomogram.risk_points.tolist(),
        "points_per_lp": nomogram.points_per_lp if known else None,
        "shift": nomogram.shift if known else None,
        "outcome": model.purpose.outcome,
        "day": model.purpose.day,
    }


def points_of(nomogram: Nomogram, model: RegressionModel, rows: pd.DataFrame) -> np.ndarray:
    """Return the total points of patients, exact between the ticks: shape (n,)."""
    if model.coefficients is None:
        return model.total_points(rows)
    return (model.linear_predictor(rows) - nomogram.shift) * nomogram.points_per_lp


def tick_text(value: float) -> str:
    """Return a tick as it is printed."""
    return f"{value:.10g}"


def _limits(
    model: RegressionModel,
    term: Term,
    values: tuple,
    points: np.ndarray,
    scale: float,
    confidence: float | None,
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return the limits of the points of each tick, against the tick in the middle."""
    if confidence is None or model.covariance is None:
        return None, None
    from scipy import stats

    from models.regression.fitting.terms import term_slices

    where = term_slices(model.terms)[term.name]
    design = term.design(np.asarray(values))
    away = design - design[len(values) // 2 if not term.is_factor else 0]
    variance = np.einsum("ij,jk,ik->i", away, model.covariance[where, where], away)
    half = float(stats.norm.ppf(0.5 + confidence / 2)) * np.sqrt(variance) * scale
    return points - half, points + half


def _of_points(
    model: RegressionModel, axes: tuple[Axis, ...], risks: tuple[float, ...]
) -> Nomogram:
    low = sum(float(axis.points.min()) for axis in axes)
    high = sum(float(axis.points.max()) for axis in axes)
    total = pretty(min(0.0, low), high)
    none = np.empty(0)
    if not model.has_risk:
        return Nomogram(axes, total, none, none, none, none, math.nan, math.nan)
    at, anchored = np.array(model.anchors, float).T
    slope, start = np.polyfit(at, logit(anchored), 1)
    marked = np.array([one for one in risks if low <= (logit(one) - start) / slope <= high])
    marked_points = (logit(marked) - start) / slope
    lp = pretty(start + slope * low, start + slope * high)
    return Nomogram(
        axes, total, marked, marked_points, lp, (lp - start) / slope, 1 / slope, float(start)
    )
