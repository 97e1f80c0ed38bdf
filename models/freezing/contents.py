"""What a frozen model says of itself besides its numbers: from the files of its study."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from models.frozen.procedure import Procedure
from models.frozen.steps import readings_of
from models.transformers.columns import Columns
from pipeline.core.errors import StudyError
from pipeline.core.files import json_hash, read_json, read_table
from pipeline.core.fit_status import is_fitted
from pipeline.core.keeping.store import DEPENDS_ON, Store
from pipeline.core.sections import taken
from pipeline.running.provenance import python_version, software_version
from pipeline.running.triggers import parameter_file
from pipeline.study.sections.imaging import Extraction as ExtractionOptions
from pipeline.study.sections.imaging import Preflight
from pipeline.tables.schemas.features.extraction import Extraction
from pipeline.tables.schemas.images.ingest import Ingest
from pipeline.tables.schemas.prediction.evaluation import Metrics
from pipeline.tables.schemas.prediction.optimism import Optimism

LIBRARIES = ("numpy", "scipy", "pandas", "scikit-learn")
OF_MODELS = {"xgboost": ("xgboost-cpu",), "tabnet": ("torch", "pytorch-tabnet")}
OF_IMAGES = ("pyradiomics", "SimpleITK", "PyWavelets")

CAUTION = (
    "For research. It says how often the outcome followed in patients like those that it was made "
    "on, not what a treatment would change. Before it guides care anywhere, judge it on patients "
    "of that place."
)

#: Facts of a CT that are ranges, and those that are counted.
RANGED = ("spacing_x", "spacing_y", "spacing_z", "slice_thickness_mm", "kvp")
COUNTED = ("manufacturer", "kernel", "orientation", "format")


def predictors_of(
    columns: Columns,
    analysis: Mapping,
    training: pd.DataFrame,
    procedures: Sequence[Procedure],
) -> list[dict]:
    """Describe the columns that procedures start from, over the training rows.

    Parameters
    ----------
    columns : Columns
        Candidates of the study.
    analysis : mapping
        ``analysis.json``, with the dictionary's rows of the predictors.
    training : pandas.DataFrame
        Training rows of the analysis table.
    procedures : sequence of Procedure
        The study's fit first.
    """
    inputs = {one.column: one for each in procedures for one in each.inputs}
    seen = {
        one.column
        for block in procedures[0].blocks
        for one in block.inputs
        if set(one.encoded) & {block.encoded[k] for k in block.kept}
    }
    steps = [step for each in procedures for step in each.harmonisations]
    # The same harmonised features, whatever the classifier chose.
    seen |= {one.column for step in steps for one in step.inputs}
    kept = (analysis.get("harmonisation") or {"covariates": []})["covariates"]
    rows = {row["column"]: row for row in (*kept, *analysis["predictors"])}
    known = {one.column: one for one in (*columns.kept, *columns.predictors)}
    sites = {step.site.column for step in steps}
    features = [name for name in inputs if name not in known and name not in sites]
    values = _readings(columns, training, features)
    described = []
    for name, one in inputs.items():
        row = rows.get(name, {}) if name in known else {}
        of = values[name] if name in values else training[name]
        block, kind = "radiomics", "continuous"
        if name in known:
            block, kind = "clinical", known[name].type
        elif name in sites:
            block, kind = "site", "categorical"
        facts = {
            "name": name,
            "block": block,
            "type": kind,
            "label": row.get("label") or None,
            "unit": row.get("unit") or None,
            "timing": row.get("timing") or None,
            "levels": list(one.levels),
            "low": None,
            "high": None,
            "counts": {level: int((of == level).sum()) for level in one.levels},
            "missing": int(of.isna().sum()),
            "used": name in seen,
        }
        if not one.levels:
            number = of.astype(float)
            # A column without any value in training stands for 0 everywhere.
            facts["low"] = float(number.min()) if number.notna().any() else 0.0
            facts["high"] = float(number.max()) if number.notna().any() else 0.0
        described.append(facts)
    return described


def readings_facts(columns: Columns) -> dict:
    """Return whose readings of the features the study took."""
    return {
        "readers": list(columns.readers),
        "model_reader": columns.model_reader if len(columns.readers) > 1 else None,
        "corrected": list(columns.corrected),
    }


def _readings(columns: Columns, training: pd.DataFrame, features: list[str]) -> pd.DataFrame:
    if not features:
        return pd.DataFrame(index=training.index)
    return readings_of(training, features, **readings_facts(columns))


@dataclass(frozen=True, kw_only=True)
class ImagingOptions:
    """Options that decide how features come from a CT and a mask.

    Attributes
    ----------
    unit, aggregation, timing
        Options of these names.
    ingest, masks, checks : mapping
        Sections of these names, as the frozen study has them: the model's card tells them so.
    extraction, preflight : section
        The configuration's sections of these names.
    """

    unit: str
    aggregation: str | None
    timing: str
    ingest: Mapping
    masks: Mapping
    checks: Mapping
    extraction: ExtractionOptions = taken(ExtractionOptions)
    preflight: Preflight = taken(Preflight)


def imaging_facts(
    options: ImagingOptions,
    cases: pd.DataFrame | None,
    store: Store,
    folder: Path,
    training: pd.DataFrame,
) -> dict | None:
    """Return how a study's features come from a CT and a mask; None without images.

    Parameters
    ----------
    options : ImagingOptions
        Of the frozen study.
    cases : pandas.DataFrame or None
        Its table of masks.
    store : Store
        Holds the features.
    folder : pathlib.Path
        ``results/<study>``.
    training : pandas.DataFrame
        Training rows, with ``unit_id``.

    Raises
    ------
    StudyError
        If the parameter file has changed since the features were extracted.
    """
    if cases is None:
        return None
    name = Path(options.extraction.params).name
    parameters = json.loads(parameter_file(options.extraction.params))
    recorded = _recorded_parameters(store, folder)
    if recorded is not None and recorded != parameters:
        raise StudyError(
            "The parameter file must be the one that the features were extracted with",
            found="another content",
            where=name,
            remedy="put the file back as it was, or run the study again",
            code="parameter-file-changed",
        )
    cases = cases[cases[f"{options.unit}_id"].isin(training["unit_id"])]
    scans = read_table(folder / "tables" / "ingest.parquet", Ingest)
    scans = scans[scans["scan_id"].isin(cases["scan_id"])]
    seen: dict[str, dict] = {fact: _ranged(scans[fact]) for fact in RANGED}
    seen |= {fact: _counted(scans[fact]) for fact in COUNTED}
    seen["level"] = _counted(cases.drop_duplicates("case_id")["level"])
    return {
        "parameter_file": name,
        "parameters": parameters,
        "parameters_sha256": json_hash(parameters),
        "engine": options.extraction.engine,
        "aggregation": options.aggregation,
        "region": options.checks["region"],
        "ingest": dict(options.ingest),
        "masks": dict(options.masks),
        "checks": dict(options.checks),
        "preflight": {
            "timing": options.timing,
            "max_dense_share": options.preflight.max_dense_share,
        },
        "seen": seen,
    }


def _recorded_parameters(store: Store, folder: Path) -> dict | None:
    """Return the parameters that an entry of the store was extracted with; None without one."""
    path = folder / "tables" / "extraction.parquet"
    keys = read_table(path, Extraction)["features_key"].dropna() if path.exists() else []
    for key in keys:
        record = store.entry("features", key) / DEPENDS_ON
        if record.exists():
            return json.loads(json.dumps(read_json(record)["params"]))
    return None


def _ranged(values: pd.Series) -> dict:
    known = values.dropna().astype(float)
    low, high = (float(known.min()), float(known.max())) if len(known) else (None, None)
    return {"low": low, "high": high, "missing": int(values.isna().sum())}


def _counted(values: pd.Series) -> dict:
    counts = values.dropna().astype(str).value_counts().sort_index()
    counts = {name: int(n) for name, n in counts.items()}
    return {"counts": counts, "missing": int(values.isna().sum())}


def performance_of(folder: Path, model: str) -> list[dict]:
    """Return what the study measured of a model, from the stages that it ran.

    Parameters
    ----------
    folder : pathlib.Path
        ``results/<study>``.
    model : str
        Family.
    """
    rows = []
    path = folder / "evaluation" / "metrics.parquet"
    if path.exists():
        table = read_table(path, Metrics)
        parts = {"test": "test", "oof": "out_of_fold", "nested": "nested"}
        for row in table[table["model"] == model].to_dict("records"):
            rows.append(_measured(parts[row["part"]], row, row["value"], row["method"]))
    path = folder / "nested" / f"{model}.json"
    # Without a hold-out the evaluation is that of the nested folds, with intervals.
    judged = any(row["part"] == "nested" for row in rows)
    if not judged and path.exists() and is_fitted(info := read_json(path)):
        kept = "; search not repeated" if info["search"] == "fixed" else ""
        method = f"{info['folds']} folds, {info['repeats']} repeat(s){kept}; no interval"
        for metric in ("auroc", "brier"):
            rows.append(_measured("nested", {"metric": metric}, info[metric], method))
    path = folder / "optimism" / f"{model}.parquet"
    if path.exists():
        for row in read_table(path, Optimism).to_dict("records"):
            method = f"{row['resamples']} resamples; no interval"
            rows.append(_measured("optimism_corrected", row, row["corrected"], method))
    return rows


def _measured(part: str, row: Mapping, value: object, method: object) -> dict:
    facts = {"part": part, "metric": row["metric"], "value": _number(value)}
    facts |= {"low": _number(row.get("low")), "high": _number(row.get("high"))}
    return facts | {"method": str(method) if method else "no interval"}


def _number(value: object) -> float | None:
    known = isinstance(value, int | float | np.number) and math.isfinite(value)
    return float(value) if known else None


def made_with(model: str, *, images: bool) -> dict[str, str]:
    """Return the versions of what made a model, by package."""
    packages = [*LIBRARIES, *OF_MODELS.get(model, ()), *(OF_IMAGES if images else ())]
    return {
        "vertebromics": software_version(),
        "python": python_version(),
        **{name: version(name) for name in packages},
    }


def latest_timing(predictors: Iterable[Mapping]) -> str | None:
    """Return from when on all used predictors are known; None where one does not say."""
    order = ("preoperative", "intraoperative", "postoperative")
    times = [row["timing"] for row in predictors if row["used"] and row["block"] == "clinical"]
    if not times:
        return None
    return None if None in times else max(times, key=order.index)
