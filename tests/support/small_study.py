"""A small study from simulated feature tables, run by the stages of modelling in this process."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import yaml

import models.ablate
import models.added_value
import models.evaluate
import models.learning_curve
import models.missingness
import models.negative_controls
import models.nested
import models.optimism
import models.oversampled_split
import models.references
import models.sample_size
import models.selection
import models.sensitivity
import models.site_validation
import models.split
import models.stability
import models.train
import models.winner
from demo.feature_names import feature_names
from demo.tables import simulate_tables
from pipeline.comparison.agreement.feature_families import describe_families, deviations
from pipeline.core.files import write_json, write_table
from pipeline.reproducibility import describe_agreement, paired_readings
from pipeline.tables.schemas.features.controls import ControlRows
from pipeline.tables.schemas.study_tables import Dictionary
from tests.support.filled import filled

PATIENTS = 90


def call(stage: object, **options: object) -> None:
    """Run a stage's command in this process: the imports are paid once."""
    stage.main(argparse.Namespace(**options))


def write_config(folder: Path, config: Mapping) -> None:
    """Freeze a configuration as the study's own."""
    (folder / "study").mkdir(parents=True, exist_ok=True)
    (folder / "study" / "study.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")


def write_study(folder: Path, config: Mapping, flow: Mapping, n_features: int) -> None:
    """Write what the stages of modelling start from, the split among it."""
    write_config(folder, config)
    study, tables = folder / "study", folder / "tables"
    simulated = simulate_tables(PATIENTS, 5, features=feature_names()[:n_features])
    write_table(simulated.clinical, study / "clinical.parquet")
    dictionary = filled(Dictionary, simulated.dictionary)
    analysis, info = simulated.analysis()
    if config["site_validation"]["models"]:
        analysis["hospital"] = ["north", "south", "west"] * (PATIENTS // 3)
        row = {"column": "hospital", "type": "categorical", "role": "site"}
        row |= {"label": "Hospital", "levels": "north|south|west"}
        dictionary = filled(Dictionary, pd.concat([dictionary, pd.DataFrame([row])]))
    if config["harmonisation"]["method"] != "none":
        info["harmonisation"] = {"site": "hospital", "covariates": []}
    write_table(dictionary, study / "dictionary.parquet", Dictionary)
    write_table(analysis, tables / "analysis.parquet")
    write_json(info, tables / "analysis.json")
    write_json(flow, tables / "flow.json")
    readings = [table.assign(reader=reader) for reader, table in simulated.features.items()]
    readings = pd.concat(readings, ignore_index=True)
    levels = analysis.set_index("unit_id")["level"]
    agreement = describe_agreement(readings, ["A", "B"], levels=levels)
    write_table(agreement, tables / "reproducibility.parquet")
    moved = deviations(*paired_readings(readings, ["A", "B"]))
    families = describe_families(agreement, moved, pd.Series(dtype=float), 0.85)
    write_table(families, tables / "reproducibility_families.parquet")
    call(models.split, **_inputs(folder), out=tables / "split.parquet")


def run_models(folder: Path, config: Mapping) -> None:
    """Select, train, evaluate and ablate in the order that the configuration names."""
    given, tables, evaluated = _inputs(folder), folder / "tables", folder / "evaluation"
    chosen = {"out": tables / "selection.parquet", "json": tables / "selection.json"}
    call(models.selection, **given, **chosen)
    made = [folder / "models" / model for model in config["models"]]
    for path in made:
        call(models.train, **given, model=path.name, out_dir=path, workers=1)
    infos = [path / "model.json" for path in made]
    judged, predicted = [], []
    if config["split"]["design"] == "none":
        # The outer folds judge, so that they come first.
        run_nested(folder, config)
        of_nested = folder / "nested"
        judged = [of_nested / f"{path.name}.json" for path in made]
        predicted = [of_nested / f"{path.name}_predictions.parquet" for path in made]
    call(
        models.winner,
        study=folder / "study",
        models=infos,
        nested=judged,
        out=evaluated / "winner.json",
    )
    call(
        models.evaluate,
        study=folder / "study",
        predictions=[path / "predictions.parquet" for path in made],
        models=infos,
        winner=evaluated / "winner.json",
        nested=predicted,
        **{name: given[name] for name in ("analysis", "split")},
        ingest=None,
        out_dir=evaluated,
    )
    call(models.sample_size, **given, models=infos, out=evaluated / "sample_size.json")
    for model in config["ablation"]["models"]:
        call(
            models.ablate,
            **given,
            **_outer(folder, config, model),
            model=model,
            model_json=folder / "models" / model / "model.json",
            importance=folder / "models" / model / "importance.parquet",
            out_dir=folder / "ablation",
            plan=False,
            workers=1,
        )
    for path in made:
        out = folder / "sensitivity" / f"{path.name}.parquet"
        given_of = given | _outer(folder, config, path.name)
        final = path / "model.json"
        call(models.sensitivity, **given_of, model=path.name, model_json=final, out=out)
    call(models.missingness, **given, out=tables / "missingness.parquet")
    call(models.references, **given, masks=None, out=evaluated / "references.parquet")
    run_added_value(folder, config)
    if config["controls"]["kinds"]:
        run_controls(folder, config)
    if config["site_validation"]["models"]:
        call(models.site_validation, **given, workers=1, out_dir=folder / "site_validation")
    if config["oversampled_split"]["models"]:
        orders = folder / "oversampled_split"
        made = {"out": orders / "orders.parquet", "json": orders / "orders.json"}
        call(models.oversampled_split, **given, **made)


def run_added_value(folder: Path, config: Mapping) -> None:
    """Fit the model of the primary analysis to clinical, radiomic and all candidates."""
    made = [folder / "models" / model for model in config["models"]]
    call(
        models.added_value,
        **_inputs(folder),
        models=[path / "model.json" for path in made],
        predictions=[path / "predictions.parquet" for path in made],
        winner=folder / "evaluation" / "winner.json",
        workers=1,
        out_dir=folder / "evaluation",
    )


def run_controls(folder: Path, config: Mapping) -> None:
    """Fit the radiomic arm to controls: the study's own features, dealt anew among the patients."""
    tables = folder / "tables"
    analysis = pd.read_parquet(tables / "analysis.parquet")
    features = [name for name in analysis if ":" in name]
    parts = []
    for kind in config["controls"]["kinds"]:
        for draw in range(config["controls"]["draws"]):
            mixed = analysis[features].sample(frac=1, random_state=draw).set_axis(analysis.index)
            front = analysis[["unit_id"]].assign(kind=kind, draw=draw)
            parts.append(pd.concat([front[["kind", "draw", "unit_id"]], mixed], axis=1))
    rows = pd.concat(parts, ignore_index=True)
    write_table(rows, tables / "control_rows.parquet", ControlRows)
    call(
        models.negative_controls,
        **_inputs(folder),
        rows=tables / "control_rows.parquet",
        masks=None,
        models=[folder / "models" / model / "model.json" for model in config["models"]],
        winner=folder / "evaluation" / "winner.json",
        workers=1,
        out_dir=folder / "evaluation",
    )


def run_repetitions(folder: Path, config: Mapping) -> None:
    """Repeat selection and whole procedure, which is done in the rigorous order in either mode."""
    given, tables = _inputs(folder), folder / "tables"
    repeated = {"out": tables / "stability.parquet", "json": tables / "stability.json"}
    call(models.stability, **given, **repeated, workers=1)
    if config["split"]["design"] != "none":
        run_nested(folder, config)
    for model in config["optimism"]["models"]:
        call(
            models.optimism,
            **given,
            model=model,
            model_json=folder / "models" / model / "model.json",
            workers=1,
            out=folder / "optimism" / f"{model}.parquet",
            json=folder / "optimism" / f"{model}.json",
        )

    for model in config["learning_curve"]["models"]:
        call(
            models.learning_curve,
            **given,
            model=model,
            model_json=folder / "models" / model / "model.json",
            workers=1,
            out=folder / "learning_curve" / f"{model}.parquet",
            json=folder / "learning_curve" / f"{model}.json",
        )


def run_nested(folder: Path, config: Mapping) -> None:
    """Cross-validate the procedure of every model that the configuration names."""
    for model in config["nested"]["models"]:
        final, out = folder / "models" / model / "model.json", folder / "nested"
        call(
            models.nested,
            **_inputs(folder),
            model=model,
            model_json=final if config["nested"]["search"] == "fixed" else None,
            workers=1,
            out=out / f"{model}.parquet",
            predictions=out / f"{model}_predictions.parquet",
            json=out / f"{model}.json",
        )


def _outer(folder: Path, config: Mapping, model: str) -> dict[str, Path]:
    """Return the options that name the outer folds, in a study without test rows."""
    if config["split"]["design"] != "none":
        return {}
    nested = folder / "nested"
    return {
        "nested": nested / f"{model}.parquet",
        "nested_predictions": nested / f"{model}_predictions.parquet",
    }


def _inputs(folder: Path) -> dict[str, Path]:
    tables = folder / "tables"
    given = {"study": folder / "study", "analysis": tables / "analysis.parquet"}
    return given | {"info": tables / "analysis.json", "split": tables / "split.parquet"}
