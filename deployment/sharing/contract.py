"""What two hospitals' results must have in common before they are put together, and its hash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import yaml

from pipeline.core.files import json_hash
from pipeline.core.installed.own_files import own_file
from pipeline.core.sections import taken
from pipeline.study.sections.imaging import Checks, Extraction
from pipeline.study.sections.judging import Evaluation
from pipeline.tables.split_options import Split

OPTIONS = (
    *("mode", "unit", "aggregation", "clinical_only", "eligibility", "timing"),
    *("readings", "selection", "imputation", "scaling", "oversampling", "tabnet"),
)
"""Options of a study that decide what its figures are of; those of machines and pages do not."""


@dataclass(frozen=True, kw_only=True)
class ContractOptions:
    """What a contract reads of a study; what it tells as it is, section by section, are `OPTIONS`.

    Attributes
    ----------
    mode, unit, aggregation, clinical_only, eligibility, timing
        Options of these names.
    readings, selection, imputation, scaling, oversampling, tabnet
        Options and sections of these names, as the frozen study has them.
    extraction, checks, evaluation, split : section
        The configuration's sections of these names.
    """

    mode: str
    unit: str
    aggregation: str | None
    clinical_only: bool
    eligibility: Sequence[Mapping]
    timing: str
    readings: Mapping
    selection: Mapping
    imputation: Mapping
    scaling: Mapping
    oversampling: str
    tabnet: Mapping
    extraction: Extraction = taken(Extraction)
    checks: Checks = taken(Checks)
    evaluation: Evaluation = taken(Evaluation)
    split: Split = taken(Split)


def contract_of(
    options: ContractOptions, analysis: Mapping, model: str, part: str, *, images: bool
) -> dict:
    """Return what a study's figures are of.

    Parameters
    ----------
    options : ContractOptions
        Of the frozen study.
    analysis : mapping
        ``analysis.json``.
    model : str
        Family of the model.
    part : {'test', 'nested'}
        Rows that judge it.
    images : bool
        Whether the study starts from images.

    Returns
    -------
    dict
        As JSON: outcome and its formula, predictors with their units and levels, features,
        parameters of the extraction, region, model, the rows that judge it, and `OPTIONS`.
    """
    parameters = None
    if images:
        path = own_file(options.extraction.params)
        parameters = json_hash(yaml.safe_load(path.read_text(encoding="utf-8")))
    return {
        "outcome": {name: analysis["outcome"][name] for name in ("name", "formula")},
        "predictors": [
            {name: one.get(name) for name in ("column", "type", "unit", "levels", "timing")}
            for one in sorted(analysis["predictors"], key=lambda one: one["column"])
        ],
        "features": json_hash(sorted(analysis["features"])),
        "extraction": parameters,
        "region": options.checks.region if images else None,
        "model": model,
        "threshold": {
            name: getattr(options.evaluation, name) for name in ("threshold_rule", "threshold")
        },
        "judged_on": part,
        "design": options.split.design,
        "options": {name: getattr(options, name) for name in OPTIONS},
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
