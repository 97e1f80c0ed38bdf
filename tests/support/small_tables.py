"""Small ready feature tables with a clinical table, for tests of what values mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.study.config import resolve_config
from pipeline.study.study import Study
from pipeline.validate import validate_study

NAMES = [f"original_firstorder_{name}" for name in ("Mean", "Median", "Energy", "Range")]
DICTIONARY = pd.DataFrame(
    [
        ["age", "Age", "continuous", "years", "", "preoperative", "predictor"],
        ["sex", "Sex", "binary", "", "female|male", "preoperative", "predictor"],
        ["pain", "Pain", "binary", "", "0|1", "postoperative", "outcome"],
    ],
    columns=["column", "label", "type", "unit", "levels", "timing", "role"],
)


def small_tables(rows: int = 60, readers: str = "A") -> tuple[dict, pd.DataFrame]:
    """Return a feature table per reader and a clinical table; every third patient has pain."""
    rng = np.random.default_rng(1)
    values = rng.normal(size=(rows, len(NAMES)))
    ids = [f"P{number:03d}" for number in range(1, rows + 1)]
    read = {}
    for reader in readers:
        table = pd.DataFrame(values + 0.05 * rng.normal(size=values.shape), columns=NAMES)
        table.insert(0, "patient_id", ids)
        read[reader] = table
    clinical = pd.DataFrame({"patient_id": ids, "age": rng.integers(50, 90, rows)})
    clinical["sex"] = ["female", "male"] * (rows // 2) + ["female"] * (rows % 2)
    clinical["pain"] = (np.arange(rows) % 3 == 0).astype(int)
    return read, clinical


def small_config(
    folder: Path,
    features: dict,
    clinical: pd.DataFrame | None = None,
    dictionary: pd.DataFrame | None = None,
    formula: str = "pain == '1'",
    **options,
) -> dict:
    """Write the tables as CSV and return the resolved configuration."""

    def place(table: pd.DataFrame | None, name: str) -> str | None:
        if table is None:
            return None
        table.to_csv(folder / name, index=False)
        return str(folder / name)

    given = {
        "study": "s",
        "results": str(folder / "results"),
        "features": {reader: place(table, f"{reader}.csv") for reader, table in features.items()},
        "clinical": place(clinical, "clinical.csv"),
        "dictionary": place(dictionary, "dictionary.csv"),
        "outcome": {"name": "pain", "formula": formula},
        "model_reader": next(iter(features)) if len(features) > 1 else None,
        "split": {"folds": 3},
    }
    return resolve_config(given | options)


def small_study(folder: Path, features: dict, *tables, **options) -> Study:
    """Validate the study that `small_config` describes."""
    return validate_study(small_config(folder, features, *tables, **options))
