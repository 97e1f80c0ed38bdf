"""Freeze a study's model: one file of plain numbers that predicts new patients, and its card.

A study keeps no fitted model. So it is fitted again here, to the same rows with the same parameters
and seed, and must predict the held-out patients as the study did.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from models.freezing.classifier_arrays import holds_patients
from models.freezing.contents import ImagingOptions, imaging_facts, performance_of, readings_facts
from models.freezing.description import DescribedOptions, Texts, model_facts
from models.freezing.frozen_procedure import Frozen, write_procedure
from models.freezing.likeness import learn_likeness
from models.freezing.refits import refit_often
from models.frozen.card import write_cards
from models.frozen.container import MODEL, array_bytes, object_bytes, write_members
from models.frozen.model import LIKENESS, check_facts, load_frozen
from models.frozen.steps import readings_of
from models.learning.family_registry import FAMILIES
from models.learning.fitted_procedure import FittedModel, refit
from models.learning.options import ProcedureOptions
from models.learning.procedure import Procedure
from models.study_files.inputs import read_inputs, training_rows
from pipeline.core import command
from pipeline.core.errors import ProgramError, StudyError
from pipeline.core.files import file_hash, read_json, read_table
from pipeline.core.fit_status import REASON, is_fitted
from pipeline.core.mode_labels import is_leaking
from pipeline.core.sections import taken
from pipeline.core.seeds import derive_seed
from pipeline.study.option_numbers import bounded_number
from pipeline.study.sections.judging import Optimism
from pipeline.study.study import open_study, predicts
from pipeline.tables.schemas.prediction.training import Predictions

logger = logging.getLogger("vertebromics")

SAME_AS_STUDY = 1e-6
"""How far a risk may be from what the study stored: fits on another machine round otherwise."""

SAME_AS_FIT = {"lr": 1e-12, "svm": 1e-12, "rf": 0.0, "xgboost": 0.0, "tabnet": 1e-5}
"""How far frozen numbers may be from the fit. TabNet rounds to single precision, which moves a risk
by some 1e-7, and by up to 6e-6 in rows far from those of the training."""


@dataclass(frozen=True, kw_only=True)
class FreezeOptions(ProcedureOptions):
    """What freezing reads: that of the procedure, and how its repetitions search."""

    study: str
    analyses: list[str]
    optimism: Optimism = taken(Optimism)


def freeze(
    folder: Path,
    model: str,
    texts: Texts | None = None,
    *,
    training_rows_too: bool = False,
    refits: int = 0,
    workers: int = 1,
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
    refits : int
        Resamples of the training patients on which the whole procedure is repeated.
    workers : int
        Processes that share the refits.

    Raises
    ------
    StudyError
        If the study has no such model, or one that leaks, or the model would hold patients' rows;
        or if the fit differs from what the study stored.
    """
    study = open_study(folder / "study")
    how = study.options(FreezeOptions)
    info = _model_facts(how, predicts(study.config), folder, model)
    tables = folder / "tables"
    columns, table = read_inputs(
        tables / "analysis.parquet", tables / "analysis.json", tables / "split.parquet"
    )
    training, _ = training_rows(table)
    with threadpool_limits(how.threads):
        seed = derive_seed(how.seed, model, "refit")
        fitted = refit(model, columns, training, info["parameters"], how, seed)
        frozen = write_procedure(fitted, "procedure")
        _check_patients(frozen.facts, training_rows_too)
        stored = read_table(folder / "models" / model / "predictions.parquet", Predictions)
        _check_fit(fitted, frozen, table, stored, readings_facts(columns))
        search = how.optimism.search
        repeated = Procedure(model, columns, how, "reduced" if search == "fixed" else search)
        again = refit_often(repeated, training, refits, how.seed, workers)
        for each in again:
            _check_patients(each.frozen.facts, training_rows_too)
        likeness = learn_likeness(
            fitted.chain.transform(columns.take(training)).to_numpy(),
            training["patient_id"].to_numpy(),
            derive_seed(how.seed, "freeze", "likeness"),
        )
    analysis = read_json(tables / "analysis.json")
    given = (info, analysis, columns, training, stored, frozen, again, texts or Texts())
    images = study.cases is not None
    facts = model_facts(study.options(DescribedOptions), model, *given, images=images)
    asked = study.options(ImagingOptions)
    facts["imaging"] = imaging_facts(asked, study.cases, study.store, folder, training)
    facts["performance"] = performance_of(folder, model)
    facts["study"]["analysis_sha256"] = file_hash(tables / "analysis.parquet")
    arrays, trees = dict(frozen.arrays), dict(frozen.trees)
    for each in again:
        arrays |= each.frozen.arrays
        trees |= each.frozen.trees
    if likeness is not None:
        facts["likeness"] = likeness.facts
        arrays |= {LIKENESS[0]: likeness.center, LIKENESS[1]: likeness.precision}
    check_facts(facts, model)
    written = {name: array_bytes(values) for name, values in arrays.items()}
    return {MODEL: object_bytes(facts), **trees, **written}


def _model_facts(how: FreezeOptions, predicted: bool, folder: Path, model: str) -> Mapping:
    """Return ``model.json`` of the study, refusing a model that cannot be frozen."""
    if not predicted:
        raise StudyError(
            "Only a study that predicts has models to freeze",
            found=f"analyses: {', '.join(how.analyses)}",
            where=f"study {how.study}",
            remedy="add prediction to `analyses`, and run the study",
            code="freeze-without-prediction",
        )
    if is_leaking(how.mode):
        raise StudyError(
            "A model of mode: as_published is not frozen, since its figures leak",
            where=f"study {how.study}",
            remedy="run the study with `mode: rigorous`, and freeze that model",
            code="freeze-as-published",
        )
    path = folder / "models" / model / "model.json"
    if not path.exists():
        trained = sorted(each.parent.name for each in (folder / "models").glob("*/model.json"))
        raise StudyError(
            "The model must be one that the study has trained",
            found=model,
            where=f"study {how.study}",
            remedy=f"its models are {', '.join(trained)}" if trained else "run the study first",
            code="freeze-model-not-trained",
        )
    info = read_json(path)
    if not is_fitted(info):
        raise StudyError(
            "A model that dropped out of its study cannot be frozen",
            found=info[REASON],
            where=f"study {how.study}, model {model}",
            remedy="freeze another model of the study",
            code="freeze-model-dropped",
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
            code="frozen-model-holds-patients",
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
            "The model, fitted again, must predict the held-out patients as the study did",
            found=f"a difference of {difference:.2g} in a risk",
            where=f"model {fitted.model}",
            remedy="freeze with the versions (requirements.txt) and the device that the study ran "
            "with, or run the study again",
            code="refit-predicts-otherwise",
        )
    features = set(fitted.columns.features)
    wanted = [one.column for one in frozen.procedure.inputs if one.column in features]
    own = readings_of(table, wanted, **readings) if wanted else pd.DataFrame(index=table.index)
    columns = fitted.columns
    beside = [*columns.clinical, *(each.column for each in columns.kept), columns.site]
    beside = list(dict.fromkeys(name for name in beside if name is not None))
    inputs = pd.concat([own, table[beside]], axis=1)
    apart = float(np.abs(frozen.procedure.risk(inputs) - fit.to_numpy()).max())
    if not apart <= SAME_AS_FIT[fitted.model]:
        raise ProgramError(
            "Frozen numbers must predict as the model that they were taken from",
            found=f"a difference of {apart:.2g} in a risk",
            where=f"model {fitted.model}",
            remedy="run the study again; report it if it comes back",
            code="frozen-predicts-otherwise",
        )
    logger.info(
        "%s: %d predictions of held-out patients as in the study (largest difference %.2g); frozen "
        "and fitted differ by at most %.2g over %d rows",
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
        code="freeze-results-missing",
    )


def main(options: argparse.Namespace) -> None:
    """Freeze one model and write it with its card."""
    if options.out.suffix != ".vbm":
        raise StudyError(
            "The file of a frozen model must end in .vbm",
            found=options.out.name,
            where="option --out",
            remedy=f"write --out {options.out.stem}.vbm",
            code="frozen-file-name",
        )
    members = freeze(
        study_folder(options.study),
        options.model,
        Texts(options.intended_use, options.population, options.licence),
        training_rows_too=options.with_training_rows,
        refits=options.refits,
        workers=options.workers,
    )
    digest = write_members(members, options.out)
    cards = write_cards(load_frozen(options.out), options.out)
    size = options.out.stat().st_size
    name = options.out.name
    logger.info("%s: %.1f kB, %d refits, digest %s", name, size / 1e3, options.refits, digest)
    logger.info("model card: %s", ", ".join(path.name for path in cards))


if __name__ == "__main__":
    arguments = command.parser("models.freeze", __doc__)
    arguments.add_argument("study", type=Path, help="folder of the study's results")
    arguments.add_argument(
        "--model", required=True, choices=sorted(FAMILIES), help="family of the model"
    )
    arguments.add_argument("--out", required=True, type=Path, help="file to write (.vbm)")
    for option, text in (
        ("--intended-use", "what the model is for, in one sentence"),
        ("--population", "patients that it was made on, such as `adults with one fracture`"),
        ("--licence", "terms under which others may use it (default: none granted)"),
    ):
        arguments.add_argument(option, metavar="TEXT", help=text)
    arguments.add_argument(
        "--refits",
        type=bounded_number(minimum=0, maximum=1000),
        default=0,
        help="resamples of the training patients on which the whole procedure is repeated, for the "
        "interval of a risk: 200 for a report (default 0: no interval)",
    )
    arguments.add_argument("--workers", type=int, default=1, help="processes, default 1")
    arguments.add_argument(
        "--with-training-rows",
        action="store_true",
        help="allow a model that holds rows of training patients (radial kernel, knn imputation)",
    )
    command.run(main, arguments)
