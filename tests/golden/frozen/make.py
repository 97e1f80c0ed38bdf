"""Write the frozen models, rows and risks of this folder: ``python -m tests.golden.frozen.make``.

Files of the format that readers of any later version, on any Python, have to read. Made anew only
where the format changes on purpose.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np

from models.frozen.model import load_frozen
from pipeline.core.files import read_table
from tests.support.frozen_study import write_frozen_models

FAMILIES = ("lr", "svm", "rf", "xgboost", "tabnet")
ROWS = 12


def main(here: Path) -> None:
    """Train, freeze and predict."""
    with tempfile.TemporaryDirectory() as place:
        files = write_frozen_models(Path(place), FAMILIES, features=15)
        table = read_table(Path(place) / "study" / "tables" / "analysis.parquet").head(ROWS)
        risks = {}
        for family, file in files.items():
            shutil.copy(file, here / file.name)
            model = load_frozen(file)
            rows = model.inputs(table)
            risk = model.risk(rows)
            risks[family] = {
                "risk": risk.tolist(),
                "calibrated": np.asarray(model.calibrated(risk)).tolist(),
            }
    rows.to_csv(here / "rows.csv", index=False)
    (here / "risks.json").write_text(json.dumps(risks, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(__file__).parent)
