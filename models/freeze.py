"""Freeze a study's model: one file of plain numbers that predicts new patients, and its card.

A study keeps no fitted model. So it is fitted again here, to the same rows with the same parameters
and seed, and must predict the test patients as the study did.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from models.freezing.chain_arrays import write_blocks
from models.freezing.classifier_arrays import holds_patients, write_classifier
from models.freezing.contents import (
    CAUTION,
    imaging_facts,
    latest_timing,
    made_with,
    performance_of,
    predictors_of,
    readings_facts,
)
from models.frozen.card import write_cards
from models.frozen.container import MODEL, array_bytes, object_bytes, write_members
from models.frozen.model import SCHEMA, check_facts, load_frozen, recalibrated
from models.frozen.procedure import Procedure, read_procedure
from models.frozen.steps import readings_of
from models.inputs import read_inputs, training_rows
from models.learning.estimators import FAMILIES
from models.learning.fitted_procedure import FittedModel, refit
from models.scoring.recalibration import fit_recalibration
from models.transformers.columns import Columns
from pipeline.core import command
from pipeline.core.errors import ProgramError, StudyError
from pipeline.core.files import file_hash, read_json, read_table
from pipeline.core.fit_status import REASON, is_fitted
from pipeline.core.mode_labels import is_leaking
from pipeline.core.seeds import derive_seed
from pipeline.study.study import Study, open_study, predicts
from pipeline.tables.schemas.training import Predictions

logger = logging.getLogger("vertebromics")

SAME_AS_STUDY = 1e-6
"""How far a risk may be from what the study stored: fits on another machine round otherwise."""

SAME_AS_FIT = {"lr": 1e-12, "svm": 1e-12, "rf": 0.0, "xgboost": 0.0, "tabnet": 1e-6}
"""How far the frozen numbers may be from the fit: TabNet computes in single precision."""

PERCENTILES = np.linspace(0, 1, 21)


class Texts(NamedTuple):
    """What a person says of a model, None where nobody did.

    Attributes
    ----------
    purpose, population, licence : str or None
        What it is for, whom it was made on, and under which terms it may be used.
    """

    purpose: str | None = None
    population: str | None = None
    licence: str | None = None


class Frozen(NamedTuple):
    """A procedure as members of a file.

    Attributes
    ----------
    facts : dict
        Its description.
    arrays : dict of str to ndarray
        By member.
    trees : dict of str to bytes
        XGBoost's own JSON, by member.
    procedure : Procedure
        The same, read back.
    """

    facts: dict
    arrays: dict[str, np.ndarray]
    trees: dict[str, bytes]
    procedure: Procedure


def write_procedure(fitted: FittedModel, name: str) -> Frozen:
    """Write a fitted procedure as plain numbers.

    Parameters
    ----------
    fitted : FittedModel
        Selection and classifier.
    name : str
        ``procedure``, or ``refit0`` and so on: begins the names of members.
    """
    blocks = write_blocks(fitted.chain, fitted.columns)
    classifier = write_classifier(fitted.model, fitted.fit.estimator)
    facts = {"blocks": [block.facts for block in blocks], "classifier": classifier.facts}
    arrays = {
        f"arrays/{name}.block{number}.{path}.npy": values
        for number, block in enumerate(blocks)
        for path, values in block.arrays.items()
    }
    arrays |= {
        f"arrays/{name}.classifier.{path}.npy": values for path, values in classifier.arrays.items()
    }
    trees = {} if classifier.trees is None else {f"trees/{name}.json": classifier.trees}
    procedure = read_procedure(facts, name, trees, dict(arrays), name)
    return Frozen(facts, arrays, trees, procedure)


def freeze(
    folder: Path, model: str, texts: Texts | None = None, *, training_rows_too: bool = False
) -> dict[str, bytes]:
    """Fit a study's model again and return it as the members of a frozen model's file.

    Parameters
    ----------
    folder : pathlib.Path
        ``results/<study>``.
    model : str
        Family.
    texts : Texts, optional
        What a person says of it.
    training_rows_too : bool
        Whether the file may hold rows of training patients, without which some models do not work.

    Raises
    ------
    StudyError
        If the study has no such model, or one that leaks, or the model would hold patients' rows;
        or if the fit differs from what the study stored.
    """
    study = open_study(folder / "study")
    info = _model_facts(study, folder, model)
    tables = folder / "tables"
    columns, table = read_inputs(
        tables / "analysis.parquet", tables / "analysis.json", tables / "split.parquet"
    )
    training, _ = training_rows(table)
    config = study.config
    with threadpool_limits(config["threads"]):
        seed = derive_seed(config["seed"], model, "refit")
        fitted = refit(model, columns, training, info["parameters"], config, seed)
        frozen = write_procedure(fitted, "procedure")
        _check_patients(frozen.facts, training_rows_too)
        stored = read_table(folder / "models" / model / "predictions.parquet", Predictions)
        _check_fit(fitted, frozen, table, stored, readings_facts(columns))
    rows = tables / "analysis.json"
    facts = model_facts(
        study, model, info, read_json(rows), columns, training, stored, frozen, texts or Texts()
    )
    facts["imaging"] = imaging_facts(study, folder, training)
    facts["performance"] = performance_of(folder, model)
    facts["study"]["analysis_sha256"] = file_hash(tables / "analysis.parquet")
    check_facts(facts, model)
    members = {MODEL: object_bytes(facts), **frozen.trees}
    return members | {name: array_bytes(values) for name, values in frozen.arrays.items()}


def model_facts(
    study: Study,
    model: str,
    info: Mapping,
    analysis: Mapping,
    columns: Columns,
    training: pd.DataFrame,
    stored: pd.DataFrame,
    frozen: Frozen,
    texts: Texts,
) -> dict:
    """Return ``model.json`` but for images, performance and the table's digest.

    Parameters
    ----------
    study : Study
        The frozen study.
    model : str
        Family.
    info, analysis : mapping
        ``model.json`` and ``analysis.json`` of the study.
    columns : Columns
        Candidates.
    training : pandas.DataFrame
        Training rows.
    stored : pandas.DataFrame
        Predictions of the study.
    frozen : Frozen
        The procedure.
    texts : Texts
        What a person says of it.
    """
    config = study.config
    own = stored[stored["part"] == "oof"]
    outcome, risk = own["outcome"].to_numpy(int), own["probability"].to_numpy(float)
    found = fit_recalibration(outcome, risk)
    recalibration = {"kind": "none", "why": found.why}
    if found.why is None:
        recalibration = {"kind": "logistic", "intercept": found.intercept, "slope": found.slope}
        recalibration |= {"rows": len(own), "events": int(outcome.sum())}
    predictors = predictors_of(columns, analysis["predictors"], training, [frozen.procedure])
    label = analysis["outcome"].get("label") or analysis["outcome"]["name"]
    threshold = info["threshold"]
    title = config["title"] or study.name
    return {
        "schema": SCHEMA,
        "title": f"{info['label']} of {label}: {title}",
        "intended_use": {
            "purpose": texts.purpose or f"estimate the risk of {label} for one {analysis['unit']}",
            "population": texts.population
            or config["regression"]["population"]
            or f"patients as in the study {study.name}; not described further",
            "moment": latest_timing(predictors),
            "caution": CAUTION,
        },
        "licence": texts.licence or "none granted: ask whoever made the model",
        "outcome": {
            "name": analysis["outcome"]["name"],
            "label": label,
            "formula": analysis["outcome"]["formula"],
            "unit": analysis["unit"],
        },
        "predictors": predictors,
        "readings": readings_facts(columns),
        "imaging": None,
        "procedure": frozen.facts,
        "refits": [],
        "recalibration": recalibration,
        "threshold": {
            "value": threshold if np.isfinite(threshold) else None,
            "rule": info["threshold_rule"],
            "source": info["threshold_source"],
        },
        "training": {
            "rows": len(training),
            "patients": int(training["patient_id"].nunique()),
            "events": int(training["outcome"].sum()),
            "quantiles": np.quantile(recalibrated(recalibration, risk), PERCENTILES).tolist(),
        },
        "performance": [],
        "study": {
            "name": study.name,
            "model": model,
            "seed": config["seed"],
            "parameters": info["parameters"],
            "split": dict(config["split"]),
            "analysis_sha256": "0" * 64,
        },
        "made_with": made_with(model, images=study.cases is not None),
        "notes": list(info["notes"]),
    }


def _model_facts(study: Study, folder: Path, model: str) -> Mapping:
    """Return ``model.json`` of the study, refusing a model that cannot be frozen."""
    if not predicts(study.config):
        raise StudyError(
            "Only a study that predicts has models to freeze",
            found=f"analyses: {', '.join(study.config['analyses'])}",
            where=f"study {study.name}",
            remedy="add prediction to `analyses`, and run the study",
        )
    if is_leaking(study.config):
        raise StudyError(
            "A model of mode: as_published is not frozen, since its figures leak",
            where=f"study {study.name}",
            remedy="run the study with `mode: rigorous`, and freeze that model",
        )
    path = folder / "models" / model / "model.json"
    if not path.exists():
        trained = sorted(each.parent.name for each in (folder / "models").glob("*/model.json"))
        raise StudyError(
            "The model must be one that the study has trained",
            found=model,
            where=f"study {study.name}",
            remedy=f"its models are {', '.join(trained)}" if trained else "run the study first",
        )
    info = read_json(path)
    if not is_fitted(info):
        raise StudyError(
            "A model that dropped out of its study cannot be frozen",
            found=info[REASON],
            where=f"study {study.name}, model {model}",
            remedy="freeze another model of the study",
        )
    return info


def _check_patients(facts: dict, allowed: bool) -> None:
    found = holds_patients(facts)
    if found and not allowed:
        raise StudyError(
            "A frozen model must not hold rows of training patients, unless that is asked for",
            found=" and ".join(found),
            where="the model",
            remedy="freeze another model (a linear kernel, imputation by the median), or say "
            "--with-training-rows if those patients' values may be given away",
        )


def _check_fit(
    fitted: FittedModel,
    frozen: Frozen,
    table: pd.DataFrame,
    stored: pd.DataFrame,
    readings: Mapping,
) -> None:
    """Refuse a fit that is not the study's, and frozen numbers that are not the fit's."""
    fit = pd.Series(fitted.predict(table), index=table["unit_id"])
    test = stored[stored["part"] == "test"].set_index("unit_id")["probability"]
    difference = float((fit.reindex(test.index) - test).abs().max()) if len(test) else 0.0
    if not difference <= SAME_AS_STUDY:
        raise StudyError(
            "The model, fitted again, must predict the test patients as the study did",
            found=f"a difference of {difference:.2g} in a risk",
            where=f"model {fitted.model}",
            remedy="freeze with the versions (requirements.txt) and the device that the study ran "
            "with, or run the study again",
        )
    features = set(fitted.columns.features)
    wanted = [one.column for one in frozen.procedure.inputs if one.column in features]
    own = readings_of(table, wanted, **readings) if wanted else pd.DataFrame(index=table.index)
    inputs = pd.concat([own, table[fitted.columns.clinical]], axis=1)
    apart = float(np.abs(frozen.procedure.risk(inputs) - fit.to_numpy()).max())
    if not apart <= SAME_AS_FIT[fitted.model]:
        raise ProgramError(
            "Frozen numbers must predict as the model that they were taken from",
            found=f"a difference of {apart:.2g} in a risk",
            where=f"model {fitted.model}",
        )
    logger.info(
        "%s: %d test rows predicted as the study did (largest difference %.2g); frozen and fitted "
        "differ by at most %.2g over %d rows",
        fitted.model,
        len(test),
        difference,
        apart,
        len(table),
    )


def study_folder(given: Path) -> Path:
    """Return ``results/<study>`` for that folder, or for the folder ``study`` in it."""
    for folder in (given, given.parent):
        if (folder / "study" / "study.yaml").is_file():
            return folder
    raise StudyError(
        "A model is frozen from the folder of a study's results",
        found="no study/study.yaml in it",
        where=str(given),
        remedy="name results/<study>, which `vertebromics run` made",
    )


def main(options: argparse.Namespace) -> None:
    """Freeze one model and write it with its card."""
    if options.out.suffix != ".vbm":
        raise StudyError(
            "The file of a frozen model must end in .vbm",
            found=options.out.name,
            where="option --out",
            remedy=f"write --out {options.out.stem}.vbm",
        )
    members = freeze(
        study_folder(options.study),
        options.model,
        Texts(options.intended_use, options.population, options.licence),
        training_rows_too=options.with_training_rows,
    )
    digest = write_members(members, options.out)
    cards = write_cards(load_frozen(options.out), options.out)
    size = options.out.stat().st_size
    logger.info("%s: %.1f kB, digest %s", options.out.name, size / 1e3, digest)
    logger.info("model card: %s", ", ".join(path.name for path in cards))


if __name__ == "__main__":
    arguments = command.parser("models.freeze", __doc__)
    arguments.add_argument("study", type=Path, help="folder of the study's results")
    arguments.add_argument("--model", required=True, choices=sorted(FAMILIES), help="its family")
    arguments.add_argument("--out", required=True, type=Path, help="file to write (.vbm)")
    for option, text in (
        ("--intended-use", "what the model is for, in one sentence"),
        ("--population", "patients that it was made on, such as `adults with one fracture`"),
        ("--licence", "terms under which others may use it (default: none granted)"),
    ):
        arguments.add_argument(option, metavar="TEXT", help=text)
    arguments.add_argument(
        "--with-training-rows",
        action="store_true",
        help="allow a model that holds rows of training patients (radial kernel, knn imputation)",
    )
    command.run(main, arguments)
