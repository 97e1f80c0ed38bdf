"""What oversampling before the split does: the published order of a random forest, which leaks.

zhang2025 encoded, scaled and oversampled all patients, and divided the oversampled rows 7:3
afterwards. A synthetic row lies between two patients; one of them may be in the training part and
the synthetic row in the test part, so that the test rows are relatives of training rows. The order
finds something even where nothing can be found. This stage replays it on the study's own patients,
and on outcomes dealt anew among them, and sets the right order beside it: patients are divided
first, and training rows alone are oversampled. Whatever it makes of the leaking order says so.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedKFold, train_test_split
from threadpoolctl import threadpool_limits

from models.learning.one_fit import fit_estimator
from models.learning.options import FitOptions, ProcedureOptions, RefitOptions, SearchOptions
from models.learning.search import search_model
from models.modes.rows import FoldData
from models.scoring import metrics
from models.split import holdout_parts
from models.stability import permuted_outcome
from models.study_files.inputs import input_arguments, read_inputs
from models.study_files.outputs import write_facts
from models.transformers.chain import selection_chain, signature_of
from models.transformers.columns import Columns
from models.transformers.oversampling import resample_rows
from pipeline.core import command
from pipeline.core.command import progress
from pipeline.core.files import write_table
from pipeline.core.mode_labels import COLUMN, RIGOROUS, WORD
from pipeline.core.sections import taken
from pipeline.core.seeds import derive_seed
from pipeline.study.sections.judging import OversampledSplit
from pipeline.study.study import open_study
from pipeline.tables.schemas.prediction.oversampled_split import Orders

logger = logging.getLogger("vertebromics")

LEAKS = f"{WORD} (oversampled before the split)"
"""Label of what the leaking order gives."""

BEFORE, AFTER = "before the split", "after the split"
"""When rows are oversampled: the leaking order, and the right one."""

OBSERVED, PERMUTED = "observed", "permuted"
"""Outcomes: those of the patients, or dealt anew among them."""

MEASURES = ("auroc", "accuracy", "sensitivity", "specificity", "precision", "f1")
MEASURES += ("weighted_precision", "weighted_recall", "weighted_f1")


@dataclass(frozen=True, kw_only=True)
class OrdersOptions(ProcedureOptions):
    """What the stage reads: that of the procedure, and how often outcomes are dealt anew."""

    oversampled_split: OversampledSplit = taken(OversampledSplit)


@dataclass(frozen=True)
class Parts:
    """Rows of one order, as a classifier learns from them and is judged on them.

    Attributes
    ----------
    Z, y : ndarray
        Training rows, oversampled, and their outcome.
    Z_test, y_test : ndarray
        Test rows and their outcome; some are synthetic where oversampling came first.
    made : int
        How many test rows are synthetic.
    """

    Z: np.ndarray
    y: np.ndarray
    Z_test: np.ndarray
    y_test: np.ndarray
    made: int


def parts_of(
    order: str,
    columns: Columns,
    table: pd.DataFrame,
    outcome: np.ndarray,
    options: RefitOptions,
    share: float,
    seed: int,
) -> Parts:
    """Encode, scale, oversample and divide the rows of a study in one of the two orders.

    Parameters
    ----------
    order : {'before the split', 'after the split'}
        When rows are oversampled. Before: the chain learns from everyone, too.
    columns : Columns
        Candidates.
    table : pandas.DataFrame
        Analysis table.
    outcome : ndarray of int, shape (n_rows,)
        Outcome of each row, observed or dealt anew.
    options : RefitOptions
        What is read of a study; ``selection, imputation, scaling, oversampling`` are used.
    share : float
        Share of the patients that is judged on.
    seed : int
        Seed of synthetic rows and of the division.
    """
    X, method, own = columns.take(table), options.oversampling, derive_seed(seed, "oversampling")
    dealt = derive_seed(seed, "split")
    if order == BEFORE:
        Z = selection_chain(columns, options).fit(X, outcome).transform(X).to_numpy()
        drawn = resample_rows(Z, outcome, own, method)
        rows = np.arange(len(drawn.y))
        train, test = train_test_split(rows, test_size=share, stratify=drawn.y, random_state=dealt)
        made = int((drawn.origin[test] < 0).sum())
        return Parts(drawn.X[train], drawn.y[train], drawn.X[test], drawn.y[test], made)
    held_out = holdout_parts(table.assign(outcome=outcome), share, dealt) == "test"
    train, test = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    chain = selection_chain(columns, options).fit(X.iloc[train], outcome[train])
    Z, Z_test = (chain.transform(X.iloc[of]).to_numpy() for of in (train, test))
    drawn = resample_rows(Z, outcome[train], own, method)
    return Parts(drawn.X, drawn.y, Z_test, outcome[test], 0)


def judged(
    model: str, parameters: Mapping, parts: Parts, options: FitOptions, seed: int
) -> dict[str, float]:
    """Fit a model to the training rows and judge it on the test rows, at a threshold of 0.5.

    `options` do not oversample: the rows of `parts` come so.

    Returns
    -------
    dict
        `MEASURES`, then ``tp, fp, fn, tn, rows, synthetic``.
    """
    rows = np.arange(len(parts.y))
    fit = fit_estimator(model, parameters, parts.Z, parts.y, rows, options, seed)
    risk = fit.probability(parts.Z_test)
    counts = metrics.confusion(parts.y_test, risk, 0.5)
    found = metrics.confusion_metrics(counts) | {"auroc": metrics.auroc(parts.y_test, risk)}
    measured = {name: float(found[name]) for name in MEASURES}
    return measured | counts._asdict() | {"rows": len(parts.y_test), "synthetic": parts.made}


def searched(model: str, parts: Parts, options: SearchOptions, folds: int, seed: int) -> dict:
    """Search a model's parameters over folds of the training rows, synthetic ones among them.

    `options` do not oversample: the rows of `parts` come so.
    """
    deal = StratifiedKFold(folds, shuffle=True, random_state=derive_seed(seed, "folds"))
    groups = np.arange(len(parts.y))
    seen = [
        FoldData(
            number,
            *(parts.Z[learn], parts.y[learn], groups[learn]),
            *(parts.Z[valid], parts.y[valid], valid),
            *([], []),
        )
        for number, (learn, valid) in enumerate(deal.split(parts.Z, parts.y))
    ]
    return search_model(model, seen, len(parts.y), options, derive_seed(seed, "search")).parameters


def compare_orders(
    columns: Columns, table: pd.DataFrame, options: OrdersOptions
) -> tuple[pd.DataFrame, dict]:
    """Judge each model in both orders, on the observed outcome and on permuted ones.

    Parameters are searched once a model, in the leaking order, and used for all others: fixed
    parameters are no gain for either order where the outcome is dealt anew.

    Returns
    -------
    table : pandas.DataFrame
        A row a model, order and outcome: ``model, order, outcome, draw, mode``, `MEASURES`, ``tp,
        fp, fn, tn, rows, synthetic``.
    facts : dict
        ``parameters`` of each model, ``permutations, oversampling, test_fraction, columns``.
    """
    asked, share = options.oversampled_split, options.split.test_fraction
    observed = table["outcome"].to_numpy(dtype=int)
    rows, parameters = [], {}
    # For rows that come oversampled.
    plain = replace(options, oversampling="none")
    for model in asked.models:
        seed = derive_seed(options.seed, "oversampled split", model)
        first = derive_seed(seed, OBSERVED, 0)
        parts = parts_of(BEFORE, columns, table, observed, options, share, first)
        parameters[model] = searched(model, parts, plain, options.split.folds, seed)
        draws = [(OBSERVED, 0), *((PERMUTED, at) for at in range(asked.permutations))]
        for outcome, draw in draws:
            own = derive_seed(seed, outcome, draw)
            y = observed if outcome == OBSERVED else permuted_outcome(table, own)
            for order in (BEFORE, AFTER):
                parts = parts_of(order, columns, table, y, options, share, own)
                found = judged(model, parameters[model], parts, plain, own)
                label = LEAKS if order == BEFORE else RIGOROUS
                head = {"model": model, "order": order, "outcome": outcome, "draw": draw}
                rows.append(head | {COLUMN: label} | found)
            progress(f"orders {model}", draw + 1, len(draws), outcome)
    facts = {
        "parameters": parameters,
        "permutations": asked.permutations,
        "oversampling": options.oversampling,
        "test_fraction": share,
        "columns": signature_of(
            selection_chain(columns, options).fit(columns.take(table), observed)
        ),
    }
    return pd.DataFrame(rows), facts


def main(options: argparse.Namespace) -> None:
    """Read the analysis table, compare the two orders, write what they give."""
    how = open_study(options.study).options(OrdersOptions)
    columns, table = read_inputs(options.analysis, options.info, options.split)
    with threadpool_limits(how.threads):
        found, facts = compare_orders(columns, table, how)
    write_table(found, options.out, Orders, csv=True)
    write_facts(facts, options.json, how.mode)
    for (model, order), rows in found[found["outcome"] == PERMUTED].groupby(["model", "order"]):
        logger.info(
            "%s, oversampled %s, outcomes dealt anew: mean accuracy %.3f, AUROC %.3f%s",
            *(model, order, rows["accuracy"].mean(), rows["auroc"].mean()),
            f" [{WORD}]" if order == BEFORE else "",
        )


if __name__ == "__main__":
    arguments = command.parser("models.oversampled_split", __doc__)
    input_arguments(arguments)
    arguments.add_argument("--out", required=True, type=Path, help="table to write")
    arguments.add_argument("--json", required=True, type=Path, help="JSON to write")
    command.run(main, arguments)
