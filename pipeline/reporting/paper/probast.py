"""Facts for an assessment with PROBAST+AI, by its four domains, without any judgement."""

from __future__ import annotations

from pipeline.reporting.paper.checklists import find
from pipeline.reporting.results import Results

#: Domain -> facts and how each is called.
_DOMAINS = {
    "Participants and data sources": {
        "reporting.data_source": "Data source",
        "reporting.design": "Design",
        "eligibility": "Eligibility",
        "flow": "Flow",
    },
    "Predictors": {
        "predictors": "Clinical predictors",
        "reliability": "Agreement of readers",
        "reporting.blinding_readers": "Blinding of readers",
    },
    "Outcome": {
        "outcome": "Definition",
        "reporting.outcome_window": "Time",
        "reporting.outcome_assessment": "Assessment",
        "reporting.blinding_outcome": "Blinding of assessors",
    },
    "Analysis": {
        "counts": "Participants and events",
        "sample_size": "Sample size",
        "missing_data": "Missing data",
        "imbalance": "Class imbalance",
        "split": "Partition",
        "no_leakage": "Leakage",
        "tuning": "Tuning",
        "resampling_validation": "Overfitting and optimism",
        "calibration": "Calibration",
        "performance": "Discrimination",
    },
}

NOT_KNOWN = "not known to the run"


def probast_facts(results: Results) -> list[tuple[str, str, str, str]]:
    """Return domain, fact, what the run says and its file; empty for a study without a model."""
    if results.modelling is None:
        return []
    rows = []
    for domain, names in _DOMAINS.items():
        for name, label in names.items():
            fact = find(results, name)
            rows.append(
                (domain, label, NOT_KNOWN, "")
                if fact is None
                else (domain, label, fact.value, fact.file)
            )
    return rows
