"""The report lists what the checks found, what kept masks out first."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from pipeline.core.findings import Finding, to_json
from pipeline.reporting.sections.patients import _findings


def test_errors_come_before_warnings_and_warnings_before_notes():
    found = {
        "c1": [Finding("vacuum-cleft", "info", "gas")],
        "c2": [Finding("mask-in-pieces", "warning", "pieces", "remove")],
        "c3": [Finding("mask-failed", "error", "failed", "mend")],
    }
    preflight = pd.DataFrame(
        {
            "case_id": list(found),
            "reader": "A",
            "verdict": ["ok", "warning", "error"],
            "findings": [to_json(each) for each in found.values()],
        }
    )
    results = SimpleNamespace(
        imaging=SimpleNamespace(preflight=preflight),
        modelling=None,
        study=SimpleNamespace(cases=preflight.assign(level="L1")),
    )
    paragraph, table = _findings(results)
    assert "1 passed without a warning, 1 with a warning, 1 was refused" in paragraph.text
    assert table.raw["severity"].tolist() == ["error", "warning", "info"]
    assert table.shown["Case"].tolist() == ["c3", "c2", "c1"]
