"""One permutation of an outcome, run through the production path and judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd

from demo.population import PUBLISHED_EVENTS, PUBLISHED_PATIENTS, draw_population
from demo.tables import simulate_tables
from models.learning.procedure import Procedure
from models.modes.mode import candidates_in_mode
from models.nested import NestedOptions, cross_validate
from models.scoring import metrics
from models.split import split_table
from models.study_files.inputs import training_rows
from models.train import fit_model
from models.transformers.columns import Columns
from pipeline.core.seeds import derive_seed
from pipeline.study.changed import with_option
from pipeline.tables.split_designs import NO_HOLD_OUT

MODES = ("rigorous", "as_published")
COHORTS = ("independent", "redundant")


@dataclass(frozen=True)
class Trial:
    """One permutation, judged in one way.

    Attributes
    ----------
    cohort : {'independent', 'redundant'}
        Whose patients: `demo.tables` or `demo.population`.
    mode : {'rigorous', 'as_published'}
        Order of the steps.
    estimate : {'test', 'nested', 'no_hold_out'}
        AUROC of the test rows, or nested cross-validation of the training rows, or of all rows in
        the design without test rows.
    model : str
        Family of models.
    draw : int
        Number of the permutation; equal draws deal equal outcomes.
    """

    cohort: str
    mode: str
    estimate: str
    model: str
    draw: int

    def __str__(self) -> str:
        return "/".join(map(str, asdict(self).values()))


def null_tables(cohort: str, seed: int) -> tuple[pd.DataFrame, dict]:
    """Return analysis table and description of a cohort of the published size.

    ``independent``: features are nearly independent but for small blocks, so that selection has
    most to find by chance. ``redundant``: features hang together as real ones do.
    """
    if cohort == "redundant":
        drawn = draw_population(seed).draw(PUBLISHED_PATIENTS, seed, events=PUBLISHED_EVENTS)
        return drawn.tables.analysis()
    prevalence = PUBLISHED_EVENTS / PUBLISHED_PATIENTS
    return simulate_tables(PUBLISHED_PATIENTS, seed, prevalence=prevalence).analysis()


def run_trial(table: pd.DataFrame, info: Mapping, options: NestedOptions, trial: Trial) -> dict:
    """Permute the outcome, run the production path and judge it.

    Parameters
    ----------
    table : pandas.DataFrame
        Analysis table, one unit a patient.
    info : mapping
        Its description, as analysis.json.
    options : NestedOptions
        What is read of a study.
    trial : Trial
        What to run.

    Returns
    -------
    dict
        The trial's attributes, and ``auroc`` (of what it judges)``, cv_auroc`` (of the search over
        the inner folds; null for nested)``, radiomics, clinical`` (selected columns).
    """
    seed = derive_seed(options.seed, "permutation", trial.draw)
    options = replace(options, seed=seed, mode=trial.mode)
    columns = Columns.from_info(info)
    permuted = np.random.default_rng(seed).permutation(table["outcome"].to_numpy(dtype=int))
    table = table.assign(outcome=permuted)
    if trial.estimate == "no_hold_out":
        options = with_option(options, "split.design", NO_HOLD_OUT)
    split = split_table(table, options.split, options.seed)
    table = pd.concat([table, split[["part", "fold"]]], axis=1)
    columns = candidates_in_mode(columns, table, options.mode)
    training, folds = training_rows(table)
    if trial.estimate != "test":
        procedure = Procedure(trial.model, columns, options, options.nested.search)
        _, _, facts = cross_validate(procedure, training, options.nested)
        return {**asdict(trial), "auroc": facts["auroc"], "cv_auroc": None} | _none_selected()
    test = table[table["part"] == "test"]
    run = fit_model(trial.model, columns, training, folds, options)
    signature = run.fitted.signature
    blocks = [columns.block_of(name) for name in signature]
    return {
        **asdict(trial),
        "auroc": float(metrics.auroc(test["outcome"].to_numpy(), run.fitted.predict(test))),
        "cv_auroc": float(run.search.best["mean_auc"]),
        "radiomics": blocks.count("radiomics"),
        "clinical": blocks.count("clinical"),
    }


def _none_selected() -> dict:
    return {"radiomics": None, "clinical": None}
