"""The evaluation of predictions of models: every metric with its interval, curves, comparisons."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from models.scoring.comparisons import compare_decisions, compare_models
from models.scoring.decision_curve import decision_curve, thresholds, with_intervals
from models.scoring.intervals import Estimate
from models.scoring.performance import METRICS, Sample, point_values
from models.scoring.sample_tables import PER_MODEL, as_rows, estimates_of, resamples_of
from models.study_files.outputs import empty_table
from pipeline.core import command
from pipeline.core.errors import StudyError
from pipeline.core.seeds import derive_seed
from pipeline.core.table_schema import types_of
from pipeline.study.sections.judging import Evaluation, Primary
from pipeline.tables.schemas.prediction.evaluation import EVALUATION, DecisionCurve

#: Word of the configuration for the model that cross-validation chooses.
WINNER = "winner"

#: Decimals to which probabilities may leave [0, 1] by rounding in a library.
_ROUNDING = 1e-6


def evaluate(
    predictions: Mapping[str, pd.DataFrame],
    infos: Mapping[str, Mapping],
    evaluation: Evaluation,
    seed: int,
    primary: str | None = None,
    *,
    fitted_here: bool = False,
) -> dict[str, pd.DataFrame]:
    """Return the tables of the evaluation.

    Parameters
    ----------
    predictions : mapping of str to pandas.DataFrame
        By model, ``unit_id, patient_id, outcome, part, probability`` with part ``oof`` or
        ``test``.
    infos : mapping of str to mapping
        By model, what model.json holds; ``threshold`` and ``cv_auc`` are used.
    evaluation : Evaluation
        The section `evaluation`; ``confidence, bootstrap`` and ``decision_curve`` are used.
    seed : int
        Seed of the study.
    primary : str, optional
        The model of the primary analysis, from `primary_model`. One that could not be fitted
        leaves its comparisons, and the family of which they were.
    fitted_here : bool
        Whether the models were fitted to the rows called test here, as given predictions may be
        (`models.judge`); a study's own never are.

    Returns
    -------
    dict of str to pandas.DataFrame
        ``metrics, comparisons, roc, calibration, calibration_curve, calibration_tests,
        decision_curve, confusion``, with the columns that docs/files.md lists. All but
        `metrics` are of the test rows. Without predictions, as where no model could be fitted, the
        tables are empty.

    Raises
    ------
    StudyError
        If models were not tested on the same units, or a prediction is no probability.
    """
    if not predictions:
        return {name: empty_table(schema) for name, schema in EVALUATION.items()}
    how = how_judged(evaluation, seed, fitted_here)
    by_part = _checked(predictions)
    primary = primary if primary in predictions else None
    tests = {
        model: Sample.of(rows, infos[model]["threshold"]) for model, rows in by_part["test"].items()
    }
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in ("metrics", *PER_MODEL)}
    for done, (model, sample) in enumerate(tests.items(), start=1):
        tables["metrics"].append(as_rows(model, "test", estimates_of(sample, how)))
        tables["metrics"] += out_of_fold_rows(model, by_part["oof"].get(model), infos[model])
        add_tables(tables, model, {name: make(sample, how) for name, make in PER_MODEL.items()})
        command.progress("evaluate", done, len(tests), model)
    curve = decision_curves(
        {model: [sample] for model, sample in tests.items()}, evaluation.decision_curve, how
    )
    return {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()} | {
        "comparisons": compare_models(tests, confidence=how["confidence"], primary=primary).merge(
            compare_decisions(tests, primary), on=["model_a", "model_b"], validate="one_to_one"
        ),
        "decision_curve": curve,
    }


def how_judged(evaluation: Evaluation, seed: int, fitted_here: bool) -> dict:
    """Return what the tables of all models share."""
    return {
        "confidence": evaluation.confidence,
        "n_resamples": evaluation.bootstrap,
        # One seed for all models, so that their intervals come from the same resamples.
        "seed": derive_seed(seed, "evaluate", "resamples"),
        "fitted_here": fitted_here,
    }


def out_of_fold_rows(model: str, rows: pd.DataFrame | None, info: Mapping) -> list[pd.DataFrame]:
    """Return the metrics of a model's out-of-fold predictions; nothing where it has none."""
    if rows is None or rows.empty:
        return []
    return [as_rows(model, "oof", _out_of_fold(rows, info))]


def add_tables(
    tables: dict[str, list[pd.DataFrame]], model: str, made: Mapping[str, pd.DataFrame]
) -> None:
    """Append a model's tables, named by it, to those of the others."""
    for name, table in made.items():
        tables[name].append(table.assign(model=model)[["model", *table.columns]])


def decision_curves(
    repeats: Mapping[str, list[Sample]], ends: Sequence[float], how: Mapping
) -> pd.DataFrame:
    """Return the decision curves of all models, of several repeats their mean."""
    at = thresholds(*ends)
    curves = []
    for samples in zip(*repeats.values(), strict=True):
        probabilities = dict(zip(repeats, (each.probability for each in samples), strict=True))
        first = samples[0]
        curve = decision_curve(first.outcome, probabilities, at)
        over = resamples_of(first, how)
        curves.append(with_intervals(curve, first.outcome, probabilities, over, how["confidence"]))
    if len(curves) == 1:
        return curves[0]
    numbers = list(types_of(DecisionCurve))[2:]
    # Rows of all repeats stand in one order: models, and thresholds within them.
    means = np.mean([curve[numbers].to_numpy(float) for curve in curves], axis=0)
    return curves[0].assign(**dict(zip(numbers, means.T, strict=True)))


def primary_model(declared: Primary | None, winner: str | None) -> str | None:
    """Return the model of the declared primary analysis, None where none was declared.

    Parameters
    ----------
    declared : Primary or None
        The section `primary`.
    winner : str or None
        The model that cross-validation chose.

    Raises
    ------
    StudyError
        If the analysis is that of the winner, and it is not known.
    """
    if declared is None or declared.model != WINNER:
        return None if declared is None else declared.model
    if winner is None:
        raise StudyError(
            "A primary analysis of the winner needs to know it",
            where="config key primary.model",
            remedy="run the stage winner and pass its file as --winner",
            code="primary-winner-unknown",
        )
    return winner


def _out_of_fold(rows: pd.DataFrame, info: Mapping) -> dict[str, Estimate]:
    values = point_values(Sample.of(rows, info["threshold"]))
    pooled = "pooled out-of-fold predictions; no interval: the folds' fits are dependent"
    estimates = {
        name: Estimate(values[name], math.nan, math.nan, pooled)
        if not math.isnan(values[name])
        else Estimate.undefined("on the out-of-fold predictions")
        for name in METRICS
    }
    # Scores of different folds come from different fits and are not on one scale: their AUROC is
    # taken within folds.
    estimates["auroc"] = Estimate(
        float(info["cv_auc"]) if info["cv_auc"] is not None else math.nan,
        math.nan,
        math.nan,
        "mean over the inner folds; no interval, and optimistic: it chose the parameters",
    )
    return estimates


def _checked(predictions: Mapping[str, pd.DataFrame]) -> dict[str, dict[str, pd.DataFrame]]:
    """Return predictions by part and model, test rows of all models in one order."""
    parts: dict[str, dict[str, pd.DataFrame]] = {"test": {}, "oof": {}}
    units = None
    for model, table in predictions.items():
        values = table["probability"].to_numpy(float)
        bad = ~((values >= -_ROUNDING) & (values <= 1 + _ROUNDING))
        if bad.any():
            raise StudyError(
                "A prediction must be a probability from 0 to 1",
                found=f"{int(bad.sum())} others, first {values[bad][0]}",
                where=f"predictions of model {model}",
                remedy="run the stage train again",
                code="prediction-not-a-probability",
            )
        for part, kept in parts.items():
            rows = table[table["part"] == part].sort_values("unit_id", ignore_index=True)
            if not rows.empty:
                kept[model] = rows
        if model not in parts["test"]:
            raise StudyError(
                "Every model needs predictions of held-out patients",
                where=f"predictions of model {model}",
                remedy="run the stages split and train again",
                code="test-predictions-missing",
            )
        key = parts["test"][model][["unit_id", "patient_id", "outcome"]]
        units = key if units is None else units
        if not key.equals(units):
            raise StudyError(
                "All models must be tested on the same units, to be compared",
                found=f"{len(key)} units, other models {len(units)}, or other outcomes",
                where=f"predictions of model {model}",
                remedy="run the stage train again for all models",
                code="models-tested-on-other-units",
            )
    return parts
