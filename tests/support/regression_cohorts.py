"""Public tables with R's results on them, and simulated ones, for tests of regressions."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from models.regression.fitting.logistic import Fit, fit_logistic
from models.regression.fitting.terms import Term

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "regression"

YES_NO = ("no", "yes")
OF_LINEAR = (
    Term("age", "continuous"),
    Term("lwt", "continuous"),
    Term("race", "factor", levels=("white", "black", "other")),
    Term("smoke", "factor", levels=YES_NO),
    Term("ht", "factor", levels=YES_NO),
    Term("ui", "factor", levels=YES_NO),
    Term("ftv", "continuous"),
)
OF_SPLINES = (
    Term("age", "continuous", n_knots=4),
    Term("lwt", "continuous", n_knots=3),
    Term("race", "factor", levels=("white", "black", "other")),
    Term("smoke", "factor", levels=YES_NO),
)
TERMS = {"linear": OF_LINEAR, "splines": OF_SPLINES}


@cache
def golden() -> dict:
    """Return what R found (tests/golden/regression/make_golden.R)."""
    return json.loads((GOLDEN / "golden.json").read_text(encoding="utf-8"))


def births() -> tuple[pd.DataFrame, np.ndarray]:
    """Return the table birthwt of the R package MASS, and its outcome `low`."""
    rows = pd.read_csv(GOLDEN / "birthwt.csv")
    return rows, rows["low"].to_numpy(float)


def birth_fit(name: str = "linear", **options: object) -> Fit:
    """Return the fit of one of `TERMS` to the births."""
    return fit_logistic(*births(), TERMS[name], **options)


def endometrial() -> tuple[pd.DataFrame, np.ndarray, tuple[Term, ...]]:
    """Return the table of the R package brglm2 in which NV separates the outcomes in part."""
    rows = pd.read_csv(GOLDEN / "endometrial.csv")
    terms = tuple(Term(name, "continuous") for name in ("NV", "PI", "EH"))
    return rows, rows["HG"].to_numpy(float), terms


def simulated(n: int = 240, seed: int = 5, effect: float = 1.0) -> tuple[pd.DataFrame, np.ndarray]:
    """Return plainly synthetic patients: age, grade (three levels), sign, and noise."""
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame(
        {
            "age": np.round(rng.normal(70, 9, n)),
            "grade": rng.choice(["0-1", "2", "3-4"], n, p=[0.5, 0.3, 0.2]),
            "sign": rng.choice(["no", "yes"], n, p=[0.7, 0.3]),
            "noise": np.round(rng.normal(size=n), 3),
        }
    )
    grade = rows["grade"].map({"0-1": 0.0, "2": 0.8, "3-4": 1.6})
    lp = -1.8 + effect * (0.05 * (rows["age"] - 70) + grade + 0.9 * (rows["sign"] == "yes"))
    return rows, (rng.random(n) < 1 / (1 + np.exp(-lp))).astype(float).to_numpy()


SIMULATED_TERMS = (
    Term("age", "continuous", unit="years", timing="preoperative"),
    Term("grade", "factor", levels=("0-1", "2", "3-4"), timing="preoperative"),
    Term("sign", "factor", levels=YES_NO, timing="preoperative"),
    Term("noise", "continuous", timing="preoperative"),
)
