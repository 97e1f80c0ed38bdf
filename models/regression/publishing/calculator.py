"""A page that computes a patient's risk: one HTML file, without network or patients' data.

References
----------
.. [1] Collins GS, et al. TRIPOD+AI statement. BMJ 2024;385:e078378, items 4, 15 and 23.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
from markupsafe import Markup
from scipy import stats
from scipy.special import logit

from models.regression.fitting.terms import term_slices
from models.regression.publishing.model import RegressionModel
from models.regression.publishing.nomogram import build_nomogram
from pipeline.core.errors import StudyError
from pipeline.core.mode_labels import WORD
from pipeline.core.pages import page_templates

TEMPLATES = Path(__file__).parent / "templates"

#: When a model can be used, in words.
MOMENTS = {
    "preoperative": "Before surgery (preoperative)",
    "intraoperative": "From the end of surgery on (intraoperative values are needed)",
    "postoperative": "After surgery only (postoperative values are needed)",
    "": "Moment of use not stated",
}

#: Spellings that only a model of values known before surgery may use.
_TOO_EARLY = re.compile(r"pre-?\s?operativ|before (the )?(surgery|operation)", re.IGNORECASE)

LEAKING_WORDS = (
    f"{WORD}: predictors were chosen and the model fitted on the same rows, or its coefficients "
    "were not shrunken. Its risks are too extreme for other patients. Use the rigorous model."
)


def calculator_page(model: RegressionModel, confidence: float = 0.95) -> str:
    """Return the page.

    Parameters
    ----------
    model : RegressionModel
        The model; of a scale of points without anchors the page gives points alone.
    confidence : float
        Level of the interval of the model's risk.

    Raises
    ------
    StudyError
        If a text calls a model preoperative that needs later values.
    """
    check_words(model)
    fields = [
        {"label": _with_unit(term), "levels": term.levels, "seen": _seen(term)}
        for term in model.terms
    ]
    facts = json.dumps(page_facts(model, confidence), ensure_ascii=False, allow_nan=False)
    template = page_templates(TEMPLATES).get_template("calculator.html.j2")
    return template.render(
        title=page_title(model),
        purpose=purpose_line(model),
        leaking=LEAKING_WORDS if model.leaks else "",
        fields=fields,
        worth_words=_worth_words(model),
        worth=[_worth_row(one) for one in model.worth],
        level=f"{100 * confidence:g}%",
        source=model.source,
        # Within a script element only "<" could end it.
        model=Markup(facts.replace("<", "\\u003c")),
    )


def purpose_line(model: RegressionModel) -> str:
    """Return in one line when the model is used, for whom, and which outcome at which day."""
    purpose = model.purpose
    moment = MOMENTS[purpose.moment]
    whom = f"for {purpose.population}" if purpose.population else "for patients not described"
    what = f"risk of {purpose.outcome}" if model.has_risk else f"points for {purpose.outcome}"
    day = purpose.day or "day of the outcome not stated"
    return f"{moment}; {whom}; {what} ({day})."


def page_title(model: RegressionModel) -> str:
    """Return the title, which says so where the model leaks."""
    return f"{WORD}: {model.title}" if model.leaks else model.title


def check_words(model: RegressionModel) -> None:
    """Raise `StudyError` if a model of later values is called preoperative."""
    if model.purpose.moment == "preoperative":
        return
    purpose = model.purpose
    texts = [model.title, purpose.outcome, purpose.day, purpose.population, model.source]
    for text in texts:
        if _TOO_EARLY.search(text):
            raise StudyError(
                "Only a model whose values are all known before surgery may be called preoperative",
                found=text,
                where="title, outcome, day, population or source of the model",
                remedy="say when it can be used (`--moment`), or take the word out",
                code="model-not-preoperative",
            )


def page_facts(model: RegressionModel, confidence: float = 0.95) -> dict:
    """Return what the page computes with: numbers of the model, none of a patient's.

    When a predictor is known is left out, so that nothing on the page but its first line says it.
    """
    of_points = model.coefficients is None
    least = dict.fromkeys((term.name for term in model.terms), 0.0)
    # Without the ranges seen there is no nomogram, and so no points.
    scale = 1.0 if of_points else None
    if not of_points and _ranges_known(model):
        nomogram = build_nomogram(model)
        scale = nomogram.points_per_lp
        for axis in nomogram.axes:
            least[axis.term.name] = float(
                model.effect(axis.term.name, np.asarray(axis.values)).min()
            )
    predictors = []
    slices = term_slices(model.terms)
    for term in model.terms:
        if of_points:
            offset, weights = model.points[term.name][0], model.points[term.name][1:]
        else:
            offset, weights = 0.0, model.coefficients[slices[term.name]]
        predictors.append(
            {
                "name": term.name,
                "label": term.title,
                "type": term.kind,
                "unit": term.unit,
                "scale": term.scale,
                "levels": list(term.levels),
                "knots": list(term.knots),
                "low": term.low,
                "high": term.high,
                "offset": float(offset),
                "weights": [float(one) for one in weights],
                "least": least[term.name],
            }
        )
    slope = start = None
    if of_points and model.has_risk:
        at, risks = np.array(model.anchors, float).T
        slope, start = map(float, np.polyfit(at, logit(risks), 1))
    day = f", {model.purpose.day}" if model.purpose.day else ""
    return {
        "predictors": predictors,
        "intercept": 0.0 if of_points else float(model.coefficients[0]),
        "of_points": of_points,
        "has_risk": model.has_risk,
        "points_per_unit": scale,
        "slope": slope,
        "start": start,
        "covariance": None if model.covariance is None else model.covariance.tolist(),
        "z": float(stats.norm.ppf(0.5 + confidence / 2)),
        "level": round(100 * confidence, 6),
        "risk_words": f"Risk of {model.purpose.outcome}{day}",
    }


def _ranges_known(model: RegressionModel) -> bool:
    return all(term.is_factor or term.values or term.low is not None for term in model.terms)


def _with_unit(term: object) -> str:
    return f"{term.title} ({term.unit})" if term.unit else term.title


def _seen(term: object) -> str:
    if term.is_factor:
        return ""
    if term.low is None or term.high is None:
        return "range seen not known"
    return f"seen: {term.low:g} to {term.high:g}"


def _worth_words(model: RegressionModel) -> list[str]:
    words = []
    if model.n is not None:
        of_events = "" if model.events is None else f" with {model.events} events"
        words.append(f"Fitted to {model.n} patients{of_events} ({model.method}).")
    if model.shrinkage != 1:
        words.append(
            f"Coefficients were multiplied by {model.shrinkage:.3f} (shrinkage) and the intercept "
            "estimated anew, since a model is too sure of the patients that it was fitted to."
        )
    if not model.worth:
        words.append("How well it predicts is not known here: judge it on your own patients first.")
    if model.covariance is None and model.has_risk:
        words.append("The paper gives no covariance, so that a risk has no interval.")
    return words


def _worth_row(one: dict) -> dict[str, str]:
    def text(value: object) -> str:
        known = isinstance(value, int | float) and math.isfinite(value)
        return f"{value:.3f}" if known else ""

    low, high = text(one.get("low")), text(one.get("high"))
    return {
        "name": one["name"],
        "value": text(one["value"]) or "not known",
        "interval": f"{low} to {high}" if low and high else "none",
        "method": one.get("method", ""),
    }
