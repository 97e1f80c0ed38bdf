"""A study as a run leaves it, with made-up predictions: to share results without any training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from scipy.special import expit

from demo.feature_names import feature_names
from demo.tables import simulate_tables
from models.split import split_table
from pipeline.core.files import write_json, write_table
from pipeline.core.fit_status import FITTED, STATUS
from pipeline.core.sections import section_of
from pipeline.study.config import resolve_config
from pipeline.tables.split_options import Split

FEATURES = feature_names()[:15]


def study_rows(patients: int, seed: int) -> tuple[pd.DataFrame, dict]:
    """Return an analysis table, whose ids are canaries, and its description."""
    table, info = simulate_tables(patients, seed, features=FEATURES).analysis()
    names = [f"PHI-CANARY-0010-{number:04d}" for number in range(len(table))]
    table["patient_id"] = names
    table["unit_id"] = names
    return table, info


def write_shared_study(
    folder: Path,
    patients: int = 400,
    seed: int = 7,
    *,
    rows: tuple[pd.DataFrame, dict] | None = None,
    test: float = 0.5,
    **options: object,
) -> Path:
    """Write ``results/<study>`` with a model whose risks follow the outcome; return the folder."""
    table, info = rows or study_rows(patients, seed)
    config = resolve_config(
        {
            "study": "shared",
            "features": {"A": "a.csv", "B": "b.csv"},
            "clinical": "clinical.csv",
            "dictionary": "dictionary.csv",
            "model_reader": "A",
            "outcome": {"name": "rbp", "label": "Residual back pain", "formula": "vas_day3 >= 4"},
            "split": {"test_fraction": test},
            **options,
        }
    )
    tables = folder / "tables"
    write_table(table, tables / "analysis.parquet")
    write_json(info, tables / "analysis.json")
    split = split_table(table, section_of(Split, config["split"]), config["seed"])
    write_table(split, tables / "split.parquet")
    (folder / "study").mkdir(exist_ok=True)
    (folder / "study" / "study.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    n = len(table)
    steps = [("Handed in", n + 43, [("no consent", 40), ("no CT", 3)]), ("Analysed", n, [])]
    flow = [
        {
            "label": label,
            "patients": count,
            "cases": count,
            "excluded": [{"reason": why, "patients": k, "cases": k, "ids": []} for why, k in left],
        }
        for label, count, left in steps
    ]
    write_json({"steps": flow}, tables / "flow.json")
    draw = np.random.default_rng(3).normal(size=n)
    risk = expit(-1.2 + 0.52 * (2 * table["outcome"].to_numpy() - 1) + 0.9 * draw)
    predictions = split[["unit_id", "patient_id", "outcome"]].assign(
        part=split["part"].map({"train": "oof", "test": "test"}),
        probability=pd.Series(risk, table["unit_id"]).reindex(split["unit_id"]).to_numpy(),
    )
    write_table(predictions, folder / "models" / "lr" / "predictions.parquet")
    write_json(
        {
            STATUS: FITTED,
            "model": "lr",
            "label": "Logistic regression",
            "threshold": 0.3217,
            "features": ["age", "vas_before"],
            "equation": {
                "intercept": -3.14159,
                "terms": [{"column": "age", "coefficient": 0.02718281, "missing": 70.0}],
            },
        },
        folder / "models" / "lr" / "model.json",
    )
    write_json({"model": "lr"}, folder / "evaluation" / "winner.json")
    return folder
