"""A study of images up to its analysis table, and the features of its controls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import yaml

import pipeline.join
from pipeline.core.files import write_table
from pipeline.study.config import resolve_config
from pipeline.study.study import Study, write_study
from pipeline.tables.schemas.features.controls import ControlFeatures
from pipeline.tables.schemas.features.extraction import Extraction
from pipeline.tables.schemas.images.preflight import Preflight
from pipeline.tables.schemas.study_tables import Cases, Dictionary
from tests.support.commands import run_here
from tests.support.filled import filled

PATIENTS = 24
KINDS = ("shuffled_inside", "sampled_outside")
DRAWS = 2

#: The first patient has two vertebrae; of the second one's case reader B's features failed.
FAILED = ("p01-L1", "B")


def write_controlled_study(work: Path) -> dict:
    """Write the study, two batches of controls and the analysis table; return its configuration."""
    rng = np.random.default_rng(0)
    names = [f"p{number:02d}" for number in range(PATIENTS)]
    pairs = [(name, f"{name}-L1", "L1") for name in names] + [("p00", "p00-L2", "L2")]
    rows = [
        {
            "patient_id": patient, "scan_id": patient, "case_id": case, "level": level,
            "reader": reader, "version": 1, "days_from_surgery": -1.0,
            "batch": f"b{int(patient[1:]) % 2}",
        }
        for patient, case, level in pairs
        for reader in "AB"
    ]  # fmt: skip
    clinical = pd.DataFrame({"patient_id": names, "age": 70.0, "vas": [2.0, 6.0] * (PATIENTS // 2)})
    dictionary = filled(
        Dictionary,
        [
            {"column": "age", "label": "Age", "type": "continuous", "role": "predictor",
             "timing": "preoperative"},
            {"column": "vas", "label": "Pain", "type": "continuous", "role": "outcome"},
        ],
    )  # fmt: skip
    config = resolve_config(
        {
            "study": "s", "cases": "cases.csv", "clinical": "clinical.csv",
            "dictionary": "dictionary.csv", "model_reader": "A", "aggregation": "mean",
            "results": str(work / "results"), "split": {"folds": 2},
            "eligibility": [{"label": "adults", "formula": "age >= 18"}],
            "outcome": {"name": "pain", "formula": "vas >= 4"},
            "controls": {"kinds": list(KINDS)},
        }
    )  # fmt: skip
    folder = work / "results" / "s"
    write_study(Study(config, filled(Cases, rows), clinical, dictionary), folder / "study")
    keys = ("case_id", "scan_id", "patient_id", "level", "reader")
    masks = [{key: row[key] for key in keys} | {"findings": "[]"} for row in rows]
    verdicts = [{**mask, "verdict": "ok"} for mask in masks]
    status = [
        {**mask, "status": "error" if (mask["case_id"], mask["reader"]) == FAILED else "ok"}
        for mask in masks
    ]
    write_table(filled(Preflight, verdicts), folder / "tables/preflight.parquet", Preflight)
    write_table(filled(Extraction, status), folder / "tables/extraction.parquet", Extraction)
    kept = [row for row in status if row["status"] == "ok"]
    known = pd.DataFrame(kept)[["case_id", "reader"]]
    features = known.assign(f=rng.normal(size=len(known)), g=rng.normal(size=len(known)))
    write_table(features, folder / "tables/features.parquet")
    for batch in ("b0", "b1"):
        of_batch = features[[int(row["patient_id"][1:]) % 2 == int(batch[1:]) for row in kept]]
        drawn = [
            of_batch.assign(kind=kind, draw=draw, f=of_batch["f"] + 10 * (draw + 1))
            for kind in KINDS
            for draw in range(DRAWS)
        ]
        table = pd.concat(drawn)[["case_id", "reader", "kind", "draw", "f", "g"]]
        path = folder / f"batches/{batch}/control_features.parquet"
        write_table(table, path, ControlFeatures)
    given = [f"--{name}={folder}/tables/{name}.parquet" for name in
             ("features", "preflight", "extraction")]  # fmt: skip
    out = [f"--out={folder}/tables/analysis.parquet", f"--info={folder}/tables/analysis.json"]
    flow = f"--flow={folder}/tables/flow.json"
    done = run_here(pipeline.join.__name__, f"--study={folder}/study", *given, *out, flow)
    assert done.returncode == 0, done.stderr
    return yaml.safe_load((folder / "study/study.yaml").read_text(encoding="utf-8"))


def controlled_files(work: Path) -> dict[str, Path]:
    """Return the options of `pipeline.control_rows` on that study."""
    folder = work / "results" / "s"
    tables = folder / "tables"
    given = {name: tables / f"{name}.parquet" for name in
             ("preflight", "extraction", "features", "analysis")}  # fmt: skip
    given |= {"study": folder / "study", "batches": folder / "batches"}
    return given | {"out": tables / "control_rows.parquet"}
