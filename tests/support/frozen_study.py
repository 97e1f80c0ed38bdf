"""A small study with trained models, laid out as a run leaves it, to freeze models of."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import yaml

import models.train
from demo.feature_names import feature_names
from demo.tables import simulate_tables
from models.freeze import freeze
from models.frozen.container import write_members
from models.split import split_table
from pipeline.core.files import write_json, write_table
from pipeline.core.sections import section_of
from pipeline.study.config import resolve_config
from pipeline.tables.split_options import Split

#: One parameter set a family: nothing is searched.
SPACES = {
    "lr": {"penalty": ["l1"], "C": [0.5]},
    "svm": {"kernel": ["linear"], "C": [0.3]},
    "rf": {"n_estimators": [25], "min_samples_leaf": [3]},
    "xgboost": {"n_estimators": [20], "max_depth": [3], "learning_rate": [0.2]},
    "tabnet": {"n_d": [4], "n_steps": [2], "batch_size": [16]},
}


def write_frozen_study(
    folder: Path,
    families: tuple[str, ...] = ("lr",),
    *,
    features: int = 40,
    clinical_only=False,
    sites: tuple[str, ...] = (),
    **options,
) -> Path:
    """Train models of simulated patients, some of whose values are missing; return the folder.

    With `sites` the patients are of these in turn, whose scanners shift and stretch the features,
    which the study harmonises; age is kept.
    """
    if sites:
        kept = {"method": "combat", "covariates": ["age", "sex"]}
        options["harmonisation"] = kept | options.get("harmonisation", {})
    config = resolve_config(
        {
            "study": "frozen",
            "features": {"A": "a.csv", "B": "b.csv"},
            "clinical": "clinical.csv",
            "dictionary": "dictionary.csv",
            "model_reader": "A",
            "unit": "case",
            "outcome": {"name": "rbp", "label": "Residual back pain", "formula": "vas_day3 >= 4"},
            "device": "cpu",
            "selection": {"mrmr": {"k": 5}, "clinical": {"p": None}},
            "split": {"folds": 2},
            "search": {"iterations": 1, "spaces": SPACES},
            "tabnet": {"max_epochs": 5, "patience": 3},
            "interpretation": {"permutations": 1},
            **options,
        }
    )
    table, info = simulate_tables(110, 11, features=feature_names()[:features]).analysis()
    if clinical_only:
        table = table.drop(columns=[name for name in table if ":" in name])
        info |= {"features": [], "readers": [], "model_reader": None}
    random = np.random.default_rng(0)
    for name in info["features"]:
        table.loc[random.random(len(table)) < 0.05, f"A:{name}"] = np.nan
    if sites:
        at = np.arange(len(table)) % len(sites)
        table["hospital"] = np.array(sites)[at]
        for name in [name for name in table if ":" in name]:
            unit = table[name].std()
            table[name] = table[name] * (1 + 0.5 * at) + unit * at
        rows = [row for row in info["predictors"] if row["column"] in ("age", "sex")]
        info["harmonisation"] = {"site": "hospital", "covariates": rows}
    tables = folder / "tables"
    write_table(table, tables / "analysis.parquet")
    write_json(info, tables / "analysis.json")
    write_table(
        split_table(table, section_of(Split, config["split"]), config["seed"]),
        tables / "split.parquet",
    )
    (folder / "study").mkdir(exist_ok=True)
    text = yaml.safe_dump(config)
    (folder / "study" / "study.yaml").write_text(text, encoding="utf-8")
    for model in families:
        models.train.main(
            argparse.Namespace(
                study=folder / "study",
                analysis=tables / "analysis.parquet",
                info=tables / "analysis.json",
                split=tables / "split.parquet",
                out_dir=folder / "models" / model,
                workers=1,
                model=model,
            )
        )
    return folder


def write_frozen_models(
    folder: Path, families: tuple[str, ...] = ("lr",), **options
) -> dict[str, Path]:
    """Freeze models of simulated patients without a study's search; return their files."""
    study = write_frozen_study(folder / "study", families, **options)
    files = {}
    for model in families:
        files[model] = folder / f"{model}.vbm"
        write_members(freeze(study, model), files[model])
    return files
