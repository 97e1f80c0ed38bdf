"""A regression model as a thing of its own: it computes risks without the rows it came from.

A model has coefficients, or points alone (a published nomogram). Points give a risk only where two
anchors of the risk axis are known, since the risk axis of a nomogram is straight on the logit
scale. `models.regression.publishing.model_file` reads and writes it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit, logit

from models.regression.fitting.firth import recentred_intercept
from models.regression.fitting.logistic import Fit
from models.regression.fitting.terms import (
    Term,
    column_names,
    design_matrix,
    require_columns,
    term_slices,
)
from pipeline.core.errors import StudyError
from pipeline.core.mode_labels import RIGOROUS

TIMINGS = ("preoperative", "intraoperative", "postoperative")


@dataclass(frozen=True)
class Purpose:
    """For whom a model is, and what it predicts.

    Attributes
    ----------
    outcome : str
        What the risk is of, such as `residual back pain (VAS of 4 or more)`.
    day : str
        When it is looked at, such as `day 30 after surgery`; empty where nobody said.
    population : str
        For whom, such as `adults with one osteoporotic fracture`; empty where nobody said.
    moment : str
        When the model can be used: ``preoperative``, ``intraoperative``, ``postoperative``, or
        empty where nobody said.
    """

    outcome: str
    day: str = ""
    population: str = ""
    moment: str = ""


@dataclass(frozen=True)
class RegressionModel:
    """A logistic model, or a scale of points.

    Attributes
    ----------
    title : str
        Heading.
    purpose : Purpose
        For whom, when, and what.
    terms : tuple of Term
        Predictors with all that coding needs.
    coefficients : numpy.ndarray or None
        Shape (1 + p,), the intercept first; None for points alone.
    covariance : numpy.ndarray or None
        Shape (1 + p, 1 + p), of the coefficients; None where unknown: then no interval.
    points : mapping of str to numpy.ndarray
        Of a scale of points, by term: the points at its zero or reference, and those of each column
        of the design, shape (1 + df,).
    anchors : tuple of (float, float)
        Total points and the risk there; two at least give every risk.
    method : str
        How it was fitted.
    mode : str
        `pipeline.core.mode_labels.RIGOROUS`, or its label of leaking results.
    shrinkage : float
        What coefficients were multiplied with after the fit.
    lp_range : tuple of float or None
        Lowest and highest linear predictor seen where the model was fitted.
    worth : tuple of mapping
        What the model is worth: ``name, value, low, high, method`` of each figure.
    source : str
        Where it comes from.
    n, events : int or None
        Rows and events of the fit.
    updated : mapping or None
        Of an updated model: how, on what, and the whole model that it was before.
    """

    title: str
    purpose: Purpose
    terms: tuple[Term, ...]
    coefficients: np.ndarray | None = None
    covariance: np.ndarray | None = None
    points: Mapping[str, np.ndarray] = field(default_factory=dict)
    anchors: tuple[tuple[float, float], ...] = ()
    method: str = ""
    mode: str = RIGOROUS
    shrinkage: float = 1.0
    lp_range: tuple[float, float] | None = None
    worth: tuple[Mapping, ...] = ()
    source: str = ""
    n: int | None = None
    events: int | None = None
    updated: Mapping | None = None

    @property
    def columns(self) -> list[str]:
        """Names of the columns behind the intercept."""
        return column_names(self.terms)

    @property
    def leaks(self) -> bool:
        """Whether it was made in an order that leaks."""
        return self.mode != RIGOROUS

    @property
    def has_risk(self) -> bool:
        """Whether it gives risks, not points alone."""
        return self.coefficients is not None or len(self.anchors) > 1

    def term(self, name: str) -> Term:
        """Return the predictor of a name."""
        return next(term for term in self.terms if term.name == name)

    def effect(self, name: str, values: pd.Series | np.ndarray) -> np.ndarray:
        """Return what a predictor adds to the linear predictor, or to the points: shape (n,)."""
        term = self.term(name)
        if self.coefficients is None:
            own = self.points[name]
            return own[0] + term.design(values) @ own[1:]
        return term.design(values) @ self.coefficients[term_slices(self.terms)[name]]

    def linear_predictor(self, rows: pd.DataFrame, where: str = "the rows") -> np.ndarray:
        """Return the logit of the risk, shape (n,); NaN where a value is missing.

        Raises
        ------
        StudyError
            If a column is missing, a level unknown, or the model gives no risks.
        """
        require_columns(self.terms, rows, where)
        if self.coefficients is None:
            return self._logit_of_points(self.total_points(rows, where))
        return design_matrix(self.terms, rows) @ self.coefficients

    def risk(self, rows: pd.DataFrame, where: str = "the rows") -> np.ndarray:
        """Return the risk of each row; the rest is as in `linear_predictor`."""
        return expit(self.linear_predictor(rows, where))

    def interval(
        self, rows: pd.DataFrame, confidence: float = 0.95
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the limits of the model's risk: of the sampling of its coefficients alone.

        They say how sure the model is of the mean fate of such patients, not what becomes of one.
        NaN where the covariance is not known.
        """
        if self.coefficients is None or self.covariance is None:
            unknown = np.full(len(rows), math.nan)
            return unknown, unknown
        design = design_matrix(self.terms, rows)
        middle = design @ self.coefficients
        error = np.sqrt(np.einsum("ij,jk,ik->i", design, self.covariance, design))
        half = float(stats.norm.ppf(0.5 + confidence / 2)) * error
        return expit(middle - half), expit(middle + half)

    def total_points(self, rows: pd.DataFrame, where: str = "the rows") -> np.ndarray:
        """Return the points of a scale of points, shape (n,); NaN where a value is missing."""
        require_columns(self.terms, rows, where)
        return sum(self.effect(term.name, rows[term.name]) for term in self.terms)

    def _logit_of_points(self, points: np.ndarray) -> np.ndarray:
        if not self.has_risk:
            raise StudyError(
                "A model of points gives risks only with two anchors of its risk axis",
                found=f"{len(self.anchors)} anchors",
                where=self.title,
                remedy="read two risks and their total points off the published risk axis and "
                "write them as `anchors`; or judge the points alone",
                code="points-without-anchors",
            )
        at, risks = np.array(self.anchors, float).T
        slope, start = np.polyfit(at, logit(risks), 1)
        return start + slope * np.asarray(points, float)


def model_of(fit: Fit, title: str, purpose: Purpose, **facts: object) -> RegressionModel:
    """Return the model of a fit.

    Parameters
    ----------
    fit : Fit
        What `fit_logistic` returned.
    title, purpose
        As `RegressionModel` has them.
    **facts
        Further attributes.
    """
    lp = fit.linear_predictor
    own = {
        "coefficients": fit.risk_coefficients,
        "covariance": fit.risk_covariance,
        "method": fit.method,
        "lp_range": (float(lp.min()), float(lp.max())),
        "n": len(fit.outcome),
        "events": int(fit.outcome.sum()),
    }
    return RegressionModel(title, purpose, fit.terms, **(own | facts))


def shrunken(fit: Fit, factor: float) -> tuple[np.ndarray, np.ndarray]:
    """Return coefficients times a factor, the intercept estimated anew, and their covariance.

    The mean risk of the rows stays the event share. The covariance takes the factor as given: that
    of the fit about the mean row, its slopes multiplied.

    Parameters
    ----------
    fit : Fit
        The fit.
    factor : float
        Such as the bootstrap's corrected calibration slope.

    Returns
    -------
    coefficients, covariance : numpy.ndarray
        Shapes (1 + p,) and (1 + p, 1 + p).
    """
    slopes = fit.risk_coefficients[1:] * factor
    intercept = recentred_intercept(fit.design[:, 1:] @ slopes, fit.outcome)
    mean = fit.design[:, 1:].mean(axis=0)
    size = len(mean) + 1
    centre, scale, back = np.eye(size), np.eye(size) * factor, np.eye(size)
    centre[0, 1:], scale[0, 0], back[0, 1:] = mean, 1.0, -mean
    turn = back @ scale @ centre
    return np.r_[intercept, slopes], turn @ fit.risk_covariance @ turn.T


def moment_of(terms: tuple[Term, ...], stated: str | None) -> str:
    """Return when a model can be used: not before its latest predictor is known.

    Parameters
    ----------
    terms : tuple of Term
        Predictors with their timing.
    stated : str or None
        What the user says.

    Raises
    ------
    StudyError
        If a predictor is known only after the moment that is stated.
    """
    known = [term.timing for term in terms if term.timing]
    latest = max(known, key=TIMINGS.index) if known else ""
    if stated:
        late = [
            term.name
            for term in terms
            if term.timing and TIMINGS.index(term.timing) > TIMINGS.index(stated)
        ]
        if late:
            raise StudyError(
                f"A {stated} model must not need what is known only later",
                found=f"{', '.join(late)} ({latest})",
                where="option --moment, and the timing in the data dictionary",
                remedy=f"leave the predictor out, or say --moment {latest}",
                code="model-known-later",
            )
        return stated
    return latest if len(known) == len(terms) else ""
