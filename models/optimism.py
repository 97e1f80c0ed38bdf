"""Optimism: how much better a model looks on the rows that it learned from than on others.

Harrell's bootstrap [1]_: the whole procedure (selection, search, fit, threshold) is repeated on
resamples of the training patients. What a model gains on its own resample over the original rows
is the optimism; the mean of it is taken off the apparent performance of the final model. The test
part plays no role.

The original rows hold about 63% of a resample's patients. A model that remembers its patients does
well on them, so that Harrell's correction takes off too little where models memorise or features
are chosen among many; the .632+ estimator [2]_, [3]_ weighs in the patients left out.

References
----------
.. [1] Harrell FE, Lee KL, Mark DB. Multivariable prognostic models: issues in developing models,
   evaluating assumptions and adequacy, and measuring and reducing errors. Stat Med 1996;15:361-387.
.. [2] Efron B, Tibshirani R. Improvements on cross-validation: the .632+ bootstrap method. J Am
   Stat Assoc 1997;92:548-560.
.. [3] Iba K, Shinozaki T, Maruo K, Noma H. Re-evaluation of the comparative effectiveness of
   bootstrap-based optimism correction methods in the development of multivariable clinical
   prediction models. BMC Med Res Methodol 2021;21:9.
.. [4] Noma H, Shinozaki T, Iba K, Teramukai S, Furukawa TA. Confidence intervals of prediction
   accuracy measures for multivariable prediction models based on the bootstrap-based optimism
   correction methods. Stat Med 2021;40:5691-5701.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from models.learning.options import ProcedureOptions
from models.learning.procedure import Procedure, search_note
from models.repetitions.optimism_resamples import (
    Resampled,
    described,
    packed,
    run_on_resample,
    unpacked,
)
from models.repetitions.repeated_stage import Asked, Found, RepeatedStage
from models.scoring.intervals import MAX_UNDEFINED_SHARE, patient_resamples
from models.scoring.performance import METRICS, Sample, point_values
from pipeline.core import command
from pipeline.core.errors import FitError
from pipeline.core.mode_labels import is_leaking
from pipeline.core.sections import taken
from pipeline.core.seeds import derive_seed
from pipeline.core.table_schema import types_of
from pipeline.running.workers.journal import Journal
from pipeline.running.workers.parallel import Workers
from pipeline.running.workers.resuming import map_kept
from pipeline.study.sections.judging import Optimism as Repeated
from pipeline.tables.schemas.prediction.optimism import Optimism

logger = logging.getLogger("vertebromics")

#: Share of patients that a resample holds, for many patients: 1 - 1/e.
DISTINCT = 0.632

#: Largest share of resamples that may hold too few different patients for the procedure to run.
MAX_LEFT_OUT = 0.2

COLUMNS = types_of(Optimism)

NO_INTERVAL = (
    "the location-shifted bootstrap interval takes its width from the apparent "
    "performance, which hardly varies where features are chosen among many or a model memorises."
)

OTHER_ORDER = (
    "Apparent and corrected figures are of the rigorous order, with the parameters and the "
    "threshold of the published one, which has seen every patient."
)


@dataclass(frozen=True, kw_only=True)
class OptimismOptions(ProcedureOptions):
    """What the stage reads: that of the procedure, and how often it is repeated."""

    optimism: Repeated = taken(Repeated)


def correct_optimism(
    procedure: Procedure,
    training: pd.DataFrame,
    final: Mapping,
    resamples: int,
    workers: int = 1,
    journal: Journal | None = None,
) -> tuple[pd.DataFrame, dict]:
    """Correct the apparent performance of the final model for its optimism.

    Parameters
    ----------
    procedure : Procedure
        What every resample repeats.
    training : pandas.DataFrame
        Training rows of the analysis table.
    final : mapping
        What model.json holds of the final model; ``parameters`` and ``threshold`` are used.
    resamples : int
        How often.
    workers : int
        Processes; the result does not depend on it.
    journal : Journal, optional
        Open journal of finished resamples, from which a correction that was killed goes on.

    Returns
    -------
    table : pandas.DataFrame
        One row per metric: ``model, metric, apparent, optimism, optimism_se`` (Monte Carlo error
        of the mean)``, corrected, out_of_bag, corrected_632plus`` (AUROC and Brier)``, resamples``
        (in which the metric is defined)``, note``.
    facts : dict
        ``model, resamples, left_out, search, fits, seconds, notes``.

    Raises
    ------
    FitError
        If the procedure cannot run on more than a fifth of the resamples.
    """
    started = time.monotonic()
    options, model = procedure.options, procedure.model
    outcome, patients = training["outcome"].to_numpy(int), training["patient_id"].to_numpy()
    drawn = patient_resamples(
        patients,
        outcome,
        resamples,
        derive_seed(options.seed, "optimism", "resamples"),
        stratified=False,
    )
    tasks = [
        (times, derive_seed(options.seed, "optimism", model, number))
        for number, times in enumerate(drawn)
    ]
    kept = replace(procedure, search="fixed", parameters=dict(final["parameters"]))
    fitted = kept.run(training, options.seed).fitted
    sample = Sample(outcome, fitted.predict(training), patients, float(final["threshold"]))
    with Workers(workers, (procedure, training), options.threads) as pool:
        results = map_kept(
            pool,
            run_on_resample,
            tasks,
            [str(number) for number in range(len(tasks))],
            journal,
            stage=f"optimism {model}",
            describe=described,
            pack=packed,
            unpack=unpacked,
        )
    done = [result for result in results if isinstance(result, Resampled)]
    refused = [result for result in results if not isinstance(result, Resampled)]
    if len(refused) > MAX_LEFT_OUT * resamples:
        raise FitError(
            "Nearly every resample of the training patients must allow the procedure to run",
            found=f"{len(refused)} of {resamples} do not, the first because of: {refused[0]}",
            where="config key optimism",
            remedy="use fewer folds (split.folds), or leave `optimism.models` empty",
            code="resamples-too-few",
        )
    own_notes = []
    if refused:
        own_notes.append(
            f"{len(refused)} of {resamples} resamples did not allow the procedure to run and were "
            f"left out, the first because of: {refused[0]}"
        )
    facts = {
        "model": model,
        "resamples": resamples,
        "left_out": len(refused),
        "search": procedure.search,
        "fits": 1 + sum(result.fits for result in done),
        "seconds": round(time.monotonic() - started, 1),
        "search_note": search_note(procedure.search, options.search, "resample"),
        "interval_note": NO_INTERVAL,
        "own_notes": own_notes,
        "notes": [],
    }
    return optimism_table(model, sample, done), facts


def optimism_table(model: str, sample: Sample, resampled: list[Resampled]) -> pd.DataFrame:
    """Take the mean optimism off the apparent performance, metric by metric.

    Parameters
    ----------
    model : str
        Name of the family.
    sample : Sample
        Training rows as the final model predicts them.
    resampled : list of Resampled
        Performance over the resamples.

    Returns
    -------
    pandas.DataFrame
        As `correct_optimism` returns it.
    """
    apparent = point_values(sample)
    # What a prediction that knows nothing of the outcome would reach.
    no_information = {
        "auroc": 0.5,
        "brier": float(
            sample.outcome.mean() * (1 - 2 * sample.probability.mean())
            + np.mean(sample.probability**2)
        ),
    }
    rows = []
    for metric in METRICS:
        gains = np.array([each.own[metric] - each.original[metric] for each in resampled])
        gains = gains[~np.isnan(gains)]
        outside = np.array([each.out_of_bag[metric] for each in resampled])
        outside = outside[~np.isnan(outside)]
        value, note, error = apparent[metric], "", math.nan
        optimism = out_of_bag = plus = math.nan
        if math.isnan(value):
            note = "undefined for the final model on its training patients"
        elif len(gains) < (1 - MAX_UNDEFINED_SHARE) * len(resampled):
            note = f"undefined in {len(resampled) - len(gains)} of {len(resampled)} resamples"
        else:
            optimism = float(gains.mean())
            if len(gains) > 1:
                error = float(gains.std(ddof=1) / math.sqrt(len(gains)))
        if len(outside) >= (1 - MAX_UNDEFINED_SHARE) * len(resampled):
            out_of_bag = float(outside.mean())
            if metric in no_information:
                plus = point_632_plus(value, out_of_bag, no_information[metric])
        rows.append(
            {
                "model": model,
                "metric": metric,
                "apparent": value,
                "optimism": optimism,
                "optimism_se": error,
                "corrected": value - optimism,
                "out_of_bag": out_of_bag,
                "corrected_632plus": plus,
                "resamples": len(gains),
                "note": note,
            }
        )
    return pd.DataFrame(rows)


def point_632_plus(apparent: float, out_of_bag: float, no_information: float) -> float:
    """Weigh apparent performance and that on patients left out by how much is overfitted [2]_.

    Parameters
    ----------
    apparent : float
        Performance on the rows learned from.
    out_of_bag : float
        Mean performance on the patients that resamples left out.
    no_information : float
        Performance without any relation of prediction and outcome; out-of-bag performance beyond
        it counts as it.

    Returns
    -------
    float
        Between `apparent` and `out_of_bag`. The weight of the latter runs from .632, where nothing
        is overfitted, to 1, where all that is apparent is.
    """
    whole = apparent - no_information
    lost = apparent - out_of_bag
    if whole == 0 or lost / whole <= 0:
        rate = 0.0
    else:
        rate = min(lost / whole, 1.0)
        lost = whole * rate
    weight = DISTINCT / (1 - (1 - DISTINCT) * rate)
    return apparent - weight * lost


def planned_fits(procedure: Procedure, resamples: int) -> int:
    """Return how many classifiers an optimism correction fits at most."""
    return 1 + resamples * procedure.planned_fits


def _repeat(asked: Asked) -> Found:
    """Correct the performance of the trained model for its optimism."""
    procedure, resamples = asked.procedure, asked.how.optimism.resamples
    logger.info(
        "optimism of %s: at most %d fits", procedure.model, planned_fits(procedure, resamples)
    )
    table, facts = correct_optimism(
        procedure, asked.training, asked.final, resamples, asked.workers, asked.journal
    )
    if is_leaking(asked.how.mode):
        facts["notes"].append(OTHER_ORDER)
    return (table,), facts


STAGE = RepeatedStage("models.optimism", OptimismOptions, "optimism", {"out": Optimism}, _repeat)

main = STAGE.run


if __name__ == "__main__":
    command.run(main, STAGE.parser(__doc__))
