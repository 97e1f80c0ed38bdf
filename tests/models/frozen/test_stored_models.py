"""Models frozen once, long ago, give the same risks on any Python and any later version."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.frozen.model import load_frozen

STORED = Path(__file__).resolve().parents[2] / "golden" / "frozen"
RISKS = json.loads((STORED / "risks.json").read_text(encoding="utf-8"))
TOLERANCES = {"lr": 1e-12, "svm": 1e-12, "rf": 0, "xgboost": 0, "tabnet": 1e-6}


@pytest.mark.parametrize("family", TOLERANCES)
def test_a_stored_model_gives_its_stored_risks(family: str) -> None:
    model = load_frozen(STORED / f"{family}.vbm")
    rows = pd.read_csv(STORED / "rows.csv")
    assert rows.isna().to_numpy().any(), "some values are missing, and have to be filled in"
    risk = model.risk(rows)
    told = RISKS[family]
    np.testing.assert_allclose(risk, told["risk"], rtol=0, atol=TOLERANCES[family])
    # The recalibration is a logistic function of the risk, whose last bit a machine decides.
    np.testing.assert_allclose(
        model.calibrated(risk), told["calibrated"], rtol=0, atol=max(TOLERANCES[family], 1e-12)
    )
    assert np.ptp(told["risk"]) > 0.02
