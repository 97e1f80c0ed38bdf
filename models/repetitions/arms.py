"""The arms of the added value: one family fitted to clinical, radiomic and all candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from models.learning.folds import outer_folds
from models.learning.options import ProcedureOptions
from models.learning.procedure import Procedure, ProcedureRun, parameter_sets
from models.repetitions.outer_fold import run_without
from models.scoring.added_value import compare_arms, net_benefit
from models.scoring.intervals import patient_resamples
from models.scoring.performance import Sample
from models.transformers.columns import Columns
from pipeline.core import command
from pipeline.core.errors import FitError
from pipeline.core.mode_labels import RIGOROUS
from pipeline.core.sections import taken
from pipeline.core.seeds import derive_seed
from pipeline.running.workers.journal import Journal
from pipeline.running.workers.parallel import Workers
from pipeline.running.workers.resuming import map_kept
from pipeline.study.sections.added_value import AddedValue
from pipeline.study.sections.judging import Nested

BOTH = "both"

WITHOUT = {BOTH: (), "clinical": ("radiomics",), "radiomics": ("clinical",)}
"""Arm -> blocks of candidates that it goes without."""


@dataclass(frozen=True, kw_only=True)
class ArmOptions(ProcedureOptions):
    """What arms read: that of the procedure, and how each is fitted and judged.

    Attributes
    ----------
    added_value : AddedValue
        How an arm finds its parameters, and the risk at which net benefit is taken.
    nested : Nested
        The outer folds of a comparison that is judged there.
    """

    added_value: AddedValue = taken(AddedValue)
    nested: Nested = taken(Nested)


@dataclass(frozen=True)
class Setting:
    """What all arms share.

    Attributes
    ----------
    model : str
        Name of the family.
    columns : Columns
        Candidates of the study.
    training : pandas.DataFrame
        Training rows of the analysis table.
    folds : ndarray of shape (n_rows,)
        Inner fold of each.
    options : ArmOptions
        What is read of a study.
    trained : mapping
        What ``model.json`` of the family holds.
    at : float
        Risk at which net benefit is taken.
    """

    model: str
    columns: Columns
    training: pd.DataFrame
    folds: np.ndarray
    options: ArmOptions = field(repr=False)
    trained: Mapping = field(repr=False)
    at: float

    @property
    def search(self) -> str:
        """How an arm finds its parameters on all training rows."""
        return self.options.added_value.search

    @property
    def keeps_trained(self) -> bool:
        """Whether the arm of all candidates is the trained model itself."""
        sets = [parameter_sets(each, self.options.search) for each in (self.search, "full")]
        return self.search != "reduced" or sets[0] == sets[1]

    def columns_of(self, arm: str) -> Columns:
        """Return the candidates of an arm."""
        return self.columns.without_blocks(*WITHOUT[arm])

    def procedure(self, arm: str) -> Procedure:
        """Return the procedure that an arm runs on all training rows."""
        parameters = self.trained["parameters"] if self.search == "fixed" else None
        return Procedure(self.model, self.columns_of(arm), self.options, self.search, parameters)


def run_arms(
    setting: Setting, arms: Sequence[str], workers: int = 1, journals: Path | None = None
) -> tuple[dict[str, ProcedureRun], dict[str, str]]:
    """Run the study's procedure on all training rows for some arms.

    Parameters
    ----------
    setting : Setting
        What they share.
    arms : sequence of str
        Keys of `WITHOUT`.
    workers : int
        Processes that share a search's fits; they change no result.
    journals : path, optional
        Folder of the journals from which a search that was killed goes on.

    Returns
    -------
    runs : dict of str to ProcedureRun
        By arm that could be fitted.
    failed : dict of str to str
        By arm that could not be fitted, why.
    """
    runs, failed = {}, {}
    for done, arm in enumerate(arms, start=1):
        journal = None if journals is None else journals / f"added_value_{arm}.journal"
        try:
            # The seed is that of the trained model, so that arms differ by their candidates alone.
            runs[arm] = setting.procedure(arm).run(
                setting.training,
                setting.options.seed,
                setting.folds,
                workers=workers,
                journal=journal,
            )
        except FitError as error:
            failed[arm] = str(error)
        if journal is not None:
            journal.unlink(missing_ok=True)
        command.progress("added value", done, len(arms), arm)
    return runs, failed


def on_test_rows(
    setting: Setting,
    runs: Mapping[str, ProcedureRun],
    predictions: pd.DataFrame,
    test: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Judge the arms on the test rows.

    Parameters
    ----------
    setting : Setting
        What they share.
    runs : mapping of str to ProcedureRun
        By arm that was fitted here.
    predictions : pandas.DataFrame
        Those of the trained model, ``unit_id, part, probability``.
    test : pandas.DataFrame
        Test rows of the analysis table.

    Returns
    -------
    arms, differences : pandas.DataFrame
        As `models.scoring.added_value.compare_arms` returns them, with `n_features`.
    """
    options = setting.options.evaluation
    known = predictions[predictions["part"] == "test"].set_index("unit_id")["probability"]
    samples, sizes = {}, {}
    for arm in WITHOUT:
        if arm == BOTH and setting.keeps_trained:
            probability = known.loc[test["unit_id"]].to_numpy(float)
            sizes[arm] = len(setting.trained["features"])
        elif arm in runs:
            probability = runs[arm].fitted.predict(test)
            sizes[arm] = len(runs[arm].fitted.signature)
        else:
            continue
        rows = test[["outcome", "patient_id"]].assign(probability=probability)
        samples[arm] = Sample.of(rows, setting.at)
    first = next(iter(samples.values()))
    weights = patient_resamples(
        first.patients,
        first.outcome,
        options.bootstrap,
        derive_seed(setting.options.seed, "evaluate", "resamples"),
        stratified=False,
    )
    arms, differences = compare_arms(samples, setting.at, weights, options.confidence)
    arms["n_features"] = arms["arm"].map(sizes).astype("Int64")
    return arms, differences


def in_outer_folds(
    setting: Setting,
    parameters: Mapping[str, Mapping | None],
    workers: int = 1,
    journal: Journal | None = None,
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Judge the arms in the outer folds of the nested cross-validation, dealt and seeded as there.

    Parameters
    ----------
    setting : Setting
        What they share.
    parameters : mapping of str to mapping or None
        By arm, its parameters with ``nested.search: fixed``, and None where a fold searches.
    workers : int
        Processes; the result does not depend on them.
    journal : Journal, optional
        Open journal of finished folds.

    Returns
    -------
    folds : pandas.DataFrame
        One row per arm and outer fold, as `models.scoring.added_value.compare_folds` takes it.
    failed : dict of str to str
        By arm that could not be fitted in a fold, why.
    """
    honest, options = replace(setting.options, mode=RIGOROUS), setting.options.nested
    plain = setting.columns
    outer = list(outer_folds(setting.training, options.folds, options.repeats, honest.seed))
    rows, failed = [], {}
    for arm, fixed in parameters.items():
        columns = plain.without_blocks(*WITHOUT[arm])
        procedure = Procedure(setting.model, columns, honest, options.search, fixed)
        shared = (procedure, setting.training, setting.at)
        with Workers(workers, shared, honest.threads) as pool:
            try:
                judged = map_kept(
                    pool,
                    _judge,
                    outer,
                    [f"{arm}, repeat {repeat}, fold {fold}" for repeat, fold, _ in outer],
                    journal,
                    stage=f"added value, {arm}",
                    describe=lambda task, row: f"AUROC {row['auroc']:.3f}",
                    pack=dict,
                    unpack=dict,
                )
            except FitError as error:
                failed[arm] = str(error)
            else:
                rows += [{"arm": arm, **row} for row in judged]
    return pd.DataFrame(rows), failed


def _judge(
    shared: tuple[Procedure, pd.DataFrame, float], task: tuple[int, int, np.ndarray]
) -> dict:
    """Run an arm's procedure without an outer fold and judge it there."""
    procedure, training, at = shared
    found = run_without(procedure, training, task)
    return found.row | {
        "net_benefit": net_benefit(found.outcome, found.probability, at),
        "n_features": len(found.run.fitted.signature),
    }
