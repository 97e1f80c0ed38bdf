"""What two hospitals' results must have in common before they are put together, and its hash."""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from pipeline.core.files import json_hash
from pipeline.core.installed.own_files import own_file
from pipeline.study.study import Study

OPTIONS = (
    *("mode", "unit", "aggregation", "clinical_only", "eligibility", "timing"),
    *("readings", "selection", "imputation", "scaling", "oversampling", "tabnet"),
)
"""Options of a study that decide what its figures are of; those of machines and pages do not."""


def contract_of(study: Study, analysis: Mapping, model: str, part: str) -> dict:
    """Return what a study's figures are of.

    Parameters
    ----------
    study : Study
        The frozen study.
    analysis : mapping
        ``analysis.json``.
    model : str
        Family of the model.
    part : {'test', 'nested'}
        Rows that judge it.

    Returns
    -------
    dict
        As JSON: outcome and its formula, predictors with their units and levels, features,
        parameters of the extraction, region, model, the rows that judge it, and `OPTIONS`.
    """
    config = study.config
    images = study.cases is not None
    parameters = None
    if images:
        path = own_file(config["extraction"]["params"])
        parameters = json_hash(yaml.safe_load(path.read_text(encoding="utf-8")))
    return {
        "outcome": {name: analysis["outcome"][name] for name in ("name", "formula")},
        "predictors": [
            {name: one.get(name) for name in ("column", "type", "unit", "levels", "timing")}
            for one in sorted(analysis["predictors"], key=lambda one: one["column"])
        ],
        "features": json_hash(sorted(analysis["features"])),
        "extraction": parameters,
        "region": config["checks"]["region"] if images else None,
        "model": model,
        "threshold": {name: config["evaluation"][name] for name in ("threshold_rule", "threshold")},
        "judged_on": part,
        "design": config["split"]["design"],
        "options": {name: config[name] for name in OPTIONS},
    }


def differences(one: Mapping, other: Mapping, place: str = "") -> list[str]:
    """Return where two contracts differ, as names with dots."""
    found = []
    for name in sorted({*one, *other}):
        here = f"{place}{name}"
        a, b = one.get(name), other.get(name)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found += differences(a, b, f"{here}.")
        elif a != b:
            found.append(here)
    return found
