"""A frozen logistic model as one offline page: a form for a patient's values, and the risk.

Only models that are a sum have one (logistic regression, a support vector machine with a linear
kernel), and only without radiomic features. Trees and networks would need their whole arithmetic
in the page's own language, which nobody could check by eye: `vertebromics predict` computes them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from markupsafe import Markup

from deployment.page import NO_INTERVAL, NOT_CAUSES, OF_THE_MODEL, TEMPLATES
from deployment.prediction import INTERVAL
from models.frozen.card import MOMENTS, performance_table, seen_of
from models.frozen.equation import Equation, equation_of
from models.frozen.model import LOGIT_MARGIN, FrozenModel, Predictor
from models.frozen.steps import MISSING
from pipeline.core.errors import StudyError
from pipeline.core.pages import page_templates


def form_page(model: FrozenModel) -> str:
    """Return the page.

    Parameters
    ----------
    model : FrozenModel
        A logistic regression or a linear support vector machine of clinical values.

    Raises
    ------
    StudyError
        If the model's risk is no sum, or needs features of a CT.
    """
    facts = page_facts(model)
    template = page_templates(TEMPLATES).get_template("form.html.j2")
    text = json.dumps(facts, ensure_ascii=False, allow_nan=False)
    return template.render(
        head=f"Risk of {model.outcome['label']}",
        title=model.facts["title"],
        use=model.facts["intended_use"],
        moment=MOMENTS[model.facts["intended_use"]["moment"]],
        fields=[
            {"label": one.title, "levels": one.levels, "seen": seen_of(one), "needed": needed}
            for one, needed in _used(model, facts)
        ],
        not_causes=NOT_CAUSES,
        of_interval=OF_THE_MODEL if model.refits else NO_INTERVAL,
        worth=performance_table(model.facts["performance"]),
        training=model.facts["training"],
        licence=model.facts["licence"],
        digest=model.digest,
        # Within a script element only "<" could end it.
        model=Markup(text.replace("<", "\\u003c")),
    )


def page_facts(model: FrozenModel) -> dict:
    """Return what the page computes with: equations and ranges, no row of a patient.

    Raises
    ------
    StudyError
        As for `form_page`.
    """
    equations = [equation_of(each) for each in (model.procedure, *model.refits)]
    used = [one for one in model.predictors if one.used]
    images = [one.name for one in used if one.block == "radiomics"]
    if images or any(each is None for each in equations):
        raise StudyError(
            "Only a logistic model or a linear machine, of clinical values alone, has a form",
            found="features of a CT" if images else model.procedure.classifier["kind"],
            where=model.where,
            remedy="let `vertebromics predict` compute the risk from values, a table or a CT",
            code="form-not-possible",
        )
    recalibrations = [model.facts["recalibration"]]
    recalibrations += [one["recalibration"] for one in model.facts["refits"]]
    made = [
        _equation(each, found, used)
        for each, found in zip(equations, recalibrations, strict=True)
        if each is not None
    ]
    open_ones = {term["at"] for each in made for term in each["terms"] if term["missing"] is None}
    return {
        "predictors": [
            {
                "name": one.name,
                "label": one.title,
                "levels": list(one.levels) or None,
                "unseen": [level for level in one.levels if one.counts.get(level, 1) == 0],
                "low": one.low,
                "high": one.high,
                # Imputation that looks at other columns is not on the page.
                "required": one.required or at in open_ones,
            }
            for at, one in enumerate(used)
        ],
        "equations": made,
        "margin": LOGIT_MARGIN,
        "tail": (1 - INTERVAL) / 2,
        "threshold": model.threshold,
        "outcome": model.outcome["label"],
    }


def _equation(equation: Equation, recalibration: Mapping, used: list[Predictor]) -> dict:
    places = {}
    for at, one in enumerate(used):
        if one.levels:
            places |= {f"{one.name}={level}": (at, level) for level in one.levels}
        else:
            places[one.name] = (at, None)
        places[f"{one.name}={MISSING}"] = (at, MISSING)
    terms = []
    for term in equation.terms:
        at, level = places[term.column]
        terms.append(
            {
                "at": at,
                "level": level,
                "coefficient": term.coefficient,
                "missing": term.missing,
            }
        )
    plain = recalibration["kind"] == "none"
    return {
        "intercept": equation.intercept,
        "terms": terms,
        "recalibration": None if plain else [recalibration["intercept"], recalibration["slope"]],
    }


def _used(model: FrozenModel, facts: Mapping) -> list[tuple[Predictor, bool]]:
    used = [one for one in model.predictors if one.used]
    return [(one, told["required"]) for one, told in zip(used, facts["predictors"], strict=True)]
