"""Compute the radiomic features of every crop, one row per case and reader."""

from __future__ import annotations

import argparse
import functools
import time
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk

from pipeline.core import command
from pipeline.core.errors import CaseError
from pipeline.core.files import read_json, read_table, write_json, write_table
from pipeline.core.findings import (
    Finding,
    case_named,
    from_exception,
    from_json,
    status_of,
    to_json,
)
from pipeline.core.keeping.store import Store
from pipeline.core.table_schema import types_of
from pipeline.extraction import (
    DEFAULT_ENGINE,
    Parameters,
    feature_names,
    features_of_crop,
    load_params,
    read_crop,
)
from pipeline.extraction.params import library_versions
from pipeline.extraction.verification import Sources, lots, quarantine, verify
from pipeline.running.fingerprint import code_fingerprint
from pipeline.study.study import open_study
from pipeline.tables.schemas.features.extraction import Extraction, StoredFeatures, Verification
from pipeline.tables.schemas.features.features import Features
from pipeline.tables.schemas.images.ingest import Ingest
from pipeline.tables.schemas.images.masks import Masks
from pipeline.tables.schemas.images.resample import Resample

STATUS_COLUMNS = types_of(Extraction)


def check_features(features: pd.Series) -> list[Finding]:
    """Warn about features that are undefined for a region.

    Parameters
    ----------
    features : pandas.Series of float64
        From `pipeline.extraction.features_of_crop`.

    Returns
    -------
    list of Finding
        One warning that counts them and names the first, or none.
    """
    undefined = features.index[~np.isfinite(features)]
    if undefined.empty:
        return []
    return [
        Finding(
            "features-undefined",
            "warning",
            f"{len(undefined)} of {len(features)} features are undefined for this region, such as "
            f"{undefined[0]}",
            "a region whose voxels do not touch one another does this: draw it again if it is not "
            "meant so; models impute the values",
        )
    ]


def extract_crops(
    crops: pd.DataFrame, store: Store, params: Parameters, engine: str = DEFAULT_ENGINE
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Extract every crop; one that fails becomes a row with status ``error``, the others go on.

    Parameters
    ----------
    crops : pandas.DataFrame
        `resample.parquet` (docs/files.md). Its findings are carried on, and a row that
        failed there fails here.
    store : Store
        Holds the crops, receives the features as kind ``features``, and reuses what it holds.
    params : Parameters
        Parameters of the extraction.
    engine : str, optional
        One of `pipeline.extraction.ENGINES`.

    Returns
    -------
    features : pandas.DataFrame
        `features.parquet`: ``case_id, reader`` and one float64 column per feature, for the rows
        that succeeded.
    status : pandas.DataFrame
        `extraction.parquet`, in the order of `crops`; ``seconds`` is what the computation took
        when it was done.
    """
    provenance = {
        "params": params.content,
        "engine": engine,
        "code": functools.cache(functools.partial(code_fingerprint, "pipeline.extraction")),
        "versions": library_versions,
    }
    names = feature_names(params)
    keys, vectors, status = [], [], []
    for done, crop in enumerate(crops.to_dict("records"), start=1):
        name = f"{crop['case_id']} {crop['reader']}"
        row = {key: crop[key] for key in ("case_id", "scan_id", "patient_id", "level", "reader")}
        findings = from_json(crop["findings"])
        if crop["status"] != "error":
            try:
                with case_named(name):
                    entry = _features_entry(crop, store, params, provenance)
                    described = read_json(entry / "features.json")
                    vector = read_table(entry / "features.parquet", StoredFeatures).set_index(
                        "feature"
                    )["value"]
                findings += check_features(vector)
                keys.append((crop["case_id"], crop["reader"]))
                vectors.append(vector.reindex(names).to_numpy())
                row |= {
                    "engine": described["engine"],
                    "engine_reason": described["reason"],
                    "seconds": described["seconds"],
                    "features_key": entry.name,
                }
            except CaseError as error:
                findings.append(from_exception(error, "extract-failed", name))
        status.append({**row, "status": status_of(findings), "findings": to_json(findings)})
        command.progress("extract", done, len(crops), name)
    features = pd.concat(
        [
            pd.DataFrame(keys, columns=["case_id", "reader"], dtype=object),
            pd.DataFrame(np.array(vectors).reshape(-1, len(names)), columns=names, dtype=float),
        ],
        axis=1,
    )
    return features, pd.DataFrame(status, columns=list(STATUS_COLUMNS)).astype(STATUS_COLUMNS)


def _features_entry(crop: dict, store: Store, params: Parameters, provenance: dict) -> Path:
    def make(folder: Path) -> None:
        volume = read_crop(store.path(crop["crop"]))
        start = time.perf_counter()
        result = features_of_crop(volume, params, engine=provenance["engine"])
        seconds = time.perf_counter() - start
        write_table(
            result.values.rename("value").rename_axis("feature").reset_index(),
            folder / "features.parquet",
            StoredFeatures,
        )
        reasons = dict.fromkeys(filter(None, (volume.reason, result.reason)))
        for reason in reasons:
            command.logger.info(
                "%s %s was computed by PyRadiomics: %s", crop["case_id"], crop["reader"], reason
            )
        described = {
            "seconds": round(seconds, 3),
            "engine": "pyradiomics" if "pyradiomics" in (volume.engine, result.engine) else "fast",
            "reason": "; ".join(reasons) or None,
        }
        write_json(described, folder / "features.json")

    return store.get_or_make("features", {"crop": crop["crop_key"], **provenance}, make)


def main(options: argparse.Namespace) -> None:
    """Extract the crops of a batch and write features and status."""
    study = open_study(options.study)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(study.config["threads"])
    params = load_params(study.config["extraction"]["params"])
    wanted = study.select_cases(options.batch, options.scan)["scan_id"]
    crops = read_table(options.resample, Resample)
    features, status = extract_crops(
        crops[crops["scan_id"].isin(wanted)],
        study.store,
        params,
        study.config["extraction"]["engine"],
    )
    failed = status.loc[status["status"] == "error", ["case_id", "reader"]].agg(" ".join, axis=1)
    if len(failed) and study.config["on_bad_case"] == "stop":
        raise CaseError(
            "Every case must yield its features (on_bad_case: stop)",
            found=f"{len(failed)} without: {', '.join(failed)}",
            remedy="mend them, see the lines above, or set on_bad_case: exclude",
            code="cases-without-features",
        )
    drawn = (status["status"] != "error") & (
        lots(status, study.config["seed"]) < study.config["extraction"]["verify_fraction"]
    )
    sources = Sources(read_table(options.ingest, Ingest), read_table(options.masks, Masks))
    verification = verify(status[drawn], features, sources, study.store, params)
    # A case that differs does not end this job: what is done is kept, and the study's check stops.
    status, features = quarantine(status, features, verification)
    write_table(features, options.out, Features)
    write_table(status, options.status, Extraction)
    write_table(verification, options.verification, Verification)


if __name__ == "__main__":
    arguments = command.parser("pipeline.extract", __doc__)
    command.batch_arguments(arguments)
    arguments.add_argument(
        "--resample", required=True, type=Path, help="the batch's resample.parquet"
    )
    arguments.add_argument(
        "--ingest", required=True, type=Path, help="the batch's ingest.parquet, to verify with"
    )
    arguments.add_argument(
        "--masks", required=True, type=Path, help="the batch's masks.parquet, to verify with"
    )
    arguments.add_argument("--out", required=True, type=Path, help="features (.parquet)")
    arguments.add_argument(
        "--status", required=True, type=Path, help="status per case and reader (.parquet)"
    )
    arguments.add_argument(
        "--verification",
        required=True,
        type=Path,
        help="comparison of drawn rows with plain PyRadiomics (.parquet)",
    )
    command.run(main, arguments)
