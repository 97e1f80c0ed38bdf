"""Makes firthmodels.json: Firth's method by a second witness, firthmodels of PyPI.

No test runs it. In an environment of its own: ``pip install firthmodels==0.8.2 pandas``, then
``python make_firthmodels.py``, beside the tables.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from firthmodels import FirthLogisticRegression

TABLES = {
    "endometrial": ("HG", {}),
    "kyphosis": ("kyphosis", {}),
    "pima": ("diabetes", {}),
    "gbsg": (
        "recurred",
        {"meno": ["no", "yes"], "grade": ["one", "two", "three"], "hormon": ["no", "yes"]},
    ),
}


def design_of(table: pd.DataFrame, levels: dict[str, list[str]]) -> pd.DataFrame:
    """Return numbers as they are, and a column for each level but the first."""
    columns = {}
    for name in table:
        if name not in levels:
            columns[name] = table[name].astype(float)
            continue
        for level in levels[name][1:]:
            columns[f"{name}={level}"] = (table[name] == level).astype(float)
    return pd.DataFrame(columns)


found = {"firthmodels": version("firthmodels")}
for name, (outcome, levels) in TABLES.items():
    table = pd.read_csv(Path(__file__).with_name(f"{name}.csv"))
    design = design_of(table.drop(columns=outcome), levels)
    fit = FirthLogisticRegression(backend="numpy", max_iter=1000, gtol=1e-7, xtol=1e-7)
    fit.fit(design, table[outcome])
    fit.lrt()
    limits = fit.conf_int(method="pl", max_iter=1000, tol=1e-10)
    found[name] = {
        column: {
            "b": float(fit.coef_[at]),
            "low": float(limits[at, 0]),
            "high": float(limits[at, 1]),
            "p": float(fit.lrt_pvalues_[at]),
        }
        for at, column in enumerate(design)
    }
text = json.dumps(found, indent=1) + "\n"
Path(__file__).with_name("firthmodels.json").write_text(text, encoding="utf-8")
