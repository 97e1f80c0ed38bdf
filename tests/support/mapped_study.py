"""A small study whose crops lie in the store, and whose best model is known, to draw maps of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk
import yaml

from pipeline.core.files import write_json, write_table
from pipeline.core.keeping.store import Store
from pipeline.extraction import load_crop, load_params, write_crop
from pipeline.study.config import resolve_config
from pipeline.tables.schemas.images.ingest import Ingest
from pipeline.tables.schemas.images.masks import Masks
from pipeline.tables.schemas.images.resample import Resample
from pipeline.tables.schemas.prediction.training import Importance
from pipeline.tables.schemas.study_tables import Cases
from tests.support.filled import filled
from tests.support.store_entries import put, put_volume, reference

MEAN, CONTRAST = "original_firstorder_Mean", "original_glcm_Contrast"
SHAPE = "original_shape_MeshVolume"
PARAMETERS = {
    "imageType": {"Original": {}},
    "featureClass": {"shape": ["MeshVolume"], "firstorder": ["Mean"], "glcm": ["Contrast"]},
    "setting": {"binWidth": 25, "resampledPixelSpacing": [1, 1, 1], "padDistance": 5},
}


def scan(seed: int, level: float) -> tuple[sitk.Image, sitk.Image]:
    """Return an oblique CT of 0.8 x 0.9 x 2 mm, denser to the patient's left, and its mask."""
    rng = np.random.default_rng(seed)
    hu = rng.normal(0, 20, (14, 34, 36)) + level + 5 * np.arange(36)
    ct = sitk.GetImageFromArray(hu.astype(np.int16))
    ct.SetSpacing((0.8, 0.9, 2.0))
    ct.SetOrigin((-31.0, 12.5, 88.25))
    turn = np.radians(9)
    ct.SetDirection((np.cos(turn), -np.sin(turn), 0, np.sin(turn), np.cos(turn), 0, 0, 0, 1))
    drawn = np.zeros(hu.shape, np.uint8)
    drawn[3:11, 9:25, 8:28] = 1
    mask = sitk.GetImageFromArray(drawn)
    mask.CopyInformation(ct)
    return ct, mask


def write_mapped_study(work: Path) -> Path:
    """Return ``results/t`` of a study of three patients whose crops are in the store."""
    (work / "params.yaml").write_text(yaml.safe_dump(PARAMETERS))
    folder, store = work / "results" / "t", Store(work / "results" / "store")
    params = load_params(PARAMETERS)
    cases, masks, scans, crops, features = [], [], [], [], []
    for n, level in enumerate((50, 150, 400)):
        ct, mask = scan(n, level)
        crop = load_crop(ct, mask, params)
        name = f"p{n}"
        ids = {"case_id": f"{name}-L1", "scan_id": name, "patient_id": name, "level": "L1"}
        ids["reader"] = "A"
        put(store, "crop", name, lambda where, crop=crop: write_crop(crop, where))
        cases.append({**ids, "version": 1, "batch": "b0"})
        masks.append({**ids, "mask": put_volume(store, "mask", name, mask)})
        scans.append({"scan_id": name, "image": put_volume(store, "image", name, ct)})
        crops.append({**ids, "status": "ok", "crop": reference("crop", name)})
        row = {key: ids[key] for key in ("case_id", "reader")}
        features.append({**row, SHAPE: 1.0, MEAN: float(level), CONTRAST: 3.0 - n})
    config = resolve_config(
        {
            "study": "t",
            "cases": "cases.csv",
            "extraction": {"params": str(work / "params.yaml")},
            "results": str(work / "results"),
        }
    )
    (folder / "study").mkdir(parents=True)
    (folder / "study" / "study.yaml").write_text(yaml.safe_dump(config))
    for schema, rows, path in (
        (Cases, cases, "study/cases.parquet"),
        (Masks, masks, "tables/masks.parquet"),
        (Ingest, scans, "tables/ingest.parquet"),
        (Resample, crops, "batches/b0/resample.parquet"),
    ):
        write_table(filled(schema, rows), folder / path, schema)
    write_table(pd.DataFrame(features), folder / "tables" / "features.parquet")
    write_json({"model": "lr"}, folder / "evaluation" / "winner.json")
    write_json({"label": "Logistic regression"}, folder / "models" / "lr" / "model.json")
    write_importance(folder, [SHAPE, "age", CONTRAST, MEAN])
    return folder


def write_importance(folder: Path, signature: list[str]) -> None:
    rows = [
        {"feature": name, "block": "clinical" if name == "age" else "radiomics"}
        for name in signature
    ]
    path = folder / "models" / "lr" / "importance.parquet"
    write_table(filled(Importance, rows), path, Importance)
