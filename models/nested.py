"""Nested cross-validation: how well the whole procedure does on patients it never saw.

Selection, search and fit are repeated in every outer fold, on its training rows alone. The figures
describe the procedure, not one model: the model that is kept is the same procedure fitted to all
training rows. The test part plays no role.
"""

from __future__ import annotations

import argparse
import copy
import json
import logging
import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from models import metrics
from models.columns import Columns
from models.estimators import FAMILIES
from models.fitted import refit
from models.folds import assign_folds
from models.inputs import read_inputs, training_rows
from models.search import search_model, transform_folds
from pipeline.core import command
from pipeline.core.errors import StudyError
from pipeline.core.files import read_json, write_json, write_table
from pipeline.core.seeds import derive_seed
from pipeline.core.study import open_study

logger = logging.getLogger("vertebromics")

SEARCH = {
    "fixed": "Parameters are those that the search on all training rows chose, which makes the "
    "figures slightly optimistic.",
    "reduced": "Every outer fold searches its own parameters with fewer sets than the final model.",
    "full": "Every outer fold searches its own parameters as the final model does.",
}
"""How parameters are found in a refit, and what a reader has to know about it."""

COLUMNS = {
    "model": object,
    "repeat": "int64",
    "fold": "int64",
    "n": "int64",
    "events": "int64",
    "auroc": float,
    "brier": float,
    "parameters": object,
    "signature": object,
}


def outer_folds(
    training: pd.DataFrame, n_folds: int, repeats: int, seed: int
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Deal the training rows to outer folds, several times over.

    Parameters
    ----------
    training : pandas.DataFrame
        ``patient_id, outcome``, one row per unit.
    n_folds, repeats : int
        Outer folds, and how often they are dealt anew.
    seed : int
        Seed of the study.

    Yields
    ------
    repeat, fold : int
        Both from 0.
    held_out : ndarray of bool, shape (n_rows,)
        Rows that the fold judges on; a patient's rows are together.
    """
    for repeat in range(repeats):
        folds = assign_folds(training, n_folds, derive_seed(seed, "nested", repeat))
        for fold in range(n_folds):
            yield repeat, fold, folds == fold


def parameters_of(
    model: str,
    columns: Columns,
    training: pd.DataFrame,
    config: Mapping,
    seed: int,
    fixed: Mapping | None,
) -> tuple[dict, int, list[str]]:
    """Find the parameters of one refit, as ``nested.search`` says.

    Parameters
    ----------
    model : str
        Name of the family.
    columns : Columns
        Candidates.
    training : pandas.DataFrame
        Rows to learn from.
    config : mapping
        Resolved configuration.
    seed : int
        Seed of this search.
    fixed : mapping or None
        Parameters to keep (``fixed``).

    Returns
    -------
    parameters : dict
        Parameters of the family.
    fits : int
        Classifiers fitted for it.
    notes : list of str
        What the search has to say.
    """
    if fixed is not None:
        return dict(fixed), 0, []
    options = copy.deepcopy(dict(config))
    options["search"]["iterations"] = sets_of(config)
    inner = assign_folds(training, config["split"]["folds"], derive_seed(seed, "inner"))
    seen = transform_folds(columns, training, inner, options)
    found = search_model(model, seen, len(training), options, seed)
    return found.parameters, found.fits, found.notes


def cross_validate(
    model: str,
    columns: Columns,
    training: pd.DataFrame,
    config: Mapping,
    fixed: Mapping | None = None,
) -> tuple[pd.DataFrame, dict]:
    """Judge a family's whole procedure by repeated nested cross-validation.

    Parameters
    ----------
    model : str
        Name of the family.
    columns : Columns
        Candidates.
    training : pandas.DataFrame
        Training rows of the analysis table.
    config : mapping
        Resolved configuration; ``nested`` says how.
    fixed : mapping, optional
        Parameters to use throughout, needed with ``nested.search: fixed``.

    Returns
    -------
    table : pandas.DataFrame
        One row per repeat and outer fold: ``model, repeat, fold, n, events, auroc, brier,
        parameters`` (JSON)``, signature`` ('|'-joined).
    facts : dict
        ``auroc`` and ``brier`` (means over the folds), ``auroc_sd`` over the folds, ``auroc_low,
        auroc_high`` (lowest and highest mean of a repeat), ``folds, repeats, search, fits,
        seconds, notes``.

    Raises
    ------
    StudyError
        If an outer or inner fold would lack an outcome, or if ``fixed`` has no parameters.
    """
    options, started = config["nested"], time.monotonic()
    if (options["search"] == "fixed") != (fixed is not None):
        raise StudyError(
            "With `nested.search: fixed`, and only then, parameters must be given",
            found=options["search"],
            where="config key nested.search",
            remedy="pass --model-json of the trained model, or search in every fold",
        )
    outer = list(outer_folds(training, options["folds"], options["repeats"], config["seed"]))
    rows, fits, notes = [], 0, []
    for done, (repeat, fold, held_out) in enumerate(outer, start=1):
        seed = derive_seed(config["seed"], "nested", model, repeat, fold)
        own = training[~held_out].reset_index(drop=True)
        judged = training[held_out]
        parameters, searched, said = parameters_of(model, columns, own, config, seed, fixed)
        fitted = refit(model, columns, own, parameters, config, derive_seed(seed, "refit"))
        outcome, probability = judged["outcome"].to_numpy(int), fitted.predict(judged)
        fits += searched + 1
        notes += said + fitted.notes
        rows.append(
            {
                "model": model,
                "repeat": repeat,
                "fold": fold,
                "n": len(judged),
                "events": int(outcome.sum()),
                "auroc": float(metrics.auroc(outcome, probability)),
                "brier": float(metrics.brier(outcome, probability)),
                "parameters": json.dumps(parameters),
                "signature": "|".join(fitted.signature),
            }
        )
        left = (time.monotonic() - started) / done * (len(outer) - done)
        text = f"AUROC {rows[-1]['auroc']:.3f}, {left:.0f} s left"
        command.progress(f"nested {model}", done, len(outer), text)
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
    means = table.groupby("repeat")["auroc"].mean()
    spread = float(table["auroc"].std(ddof=1))
    facts = {
        "model": model,
        "auroc": float(table["auroc"].mean()),
        "auroc_sd": None if math.isnan(spread) else spread,
        "auroc_low": float(means.min()),
        "auroc_high": float(means.max()),
        "brier": float(table["brier"].mean()),
        "folds": options["folds"],
        "repeats": options["repeats"],
        "search": options["search"],
        "fits": fits,
        "seconds": round(time.monotonic() - started, 1),
        "notes": list(dict.fromkeys([SEARCH[options["search"]], *notes])),
    }
    return table, facts


def sets_of(config: Mapping) -> int:
    """Return how many parameter sets every outer fold tries."""
    search = config["search"]
    return {
        "fixed": 0,
        "reduced": min(search["iterations"], search["reduced_iterations"]),
        "full": search["iterations"],
    }[config["nested"]["search"]]


def planned_fits(config: Mapping) -> int:
    """Return how many classifiers a nested cross-validation fits at most."""
    options = config["nested"]
    each = 1 + sets_of(config) * config["split"]["folds"]
    return options["folds"] * options["repeats"] * each


def main(options: argparse.Namespace) -> None:
    """Read the analysis table and its split, cross-validate one model, write its tables."""
    config = open_study(options.study).config
    columns, table = read_inputs(options.analysis, options.info, options.split)
    training, _ = training_rows(table)
    fixed = read_json(options.model_json)["parameters"] if options.model_json else None
    logger.info("nested %s: at most %d fits", options.model, planned_fits(config))
    with threadpool_limits(config["threads"]):
        result, facts = cross_validate(options.model, columns, training, config, fixed)
    write_table(result, options.out, csv=True)
    write_json(facts, options.json)


if __name__ == "__main__":
    arguments = command.parser("models.nested", __doc__)
    arguments.add_argument("--model", required=True, choices=sorted(FAMILIES), help="its family")
    arguments.add_argument("--study", required=True, type=Path, help="folder of the frozen study")
    arguments.add_argument("--analysis", required=True, type=Path, help="analysis.parquet")
    arguments.add_argument("--info", required=True, type=Path, help="analysis.json")
    arguments.add_argument("--split", required=True, type=Path, help="split.parquet")
    arguments.add_argument(
        "--model-json", type=Path, help="model.json whose parameters are kept (search: fixed)"
    )
    arguments.add_argument("--out", required=True, type=Path, help="table to write, .parquet")
    arguments.add_argument("--json", required=True, type=Path, help="facts to write, .json")
    command.run(main, arguments)
