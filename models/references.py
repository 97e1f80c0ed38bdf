"""Reference models: what the simplest predictions reach on the rows that judge the models.

A model of a thousand features has to do better than one that knows the region's level, its volume,
its mean CT number or the patient's bone density, which every radiologist can tell. All references
are logistic regressions with the same ridge penalty, fitted to the training rows. A study without
test rows judges them on the outer folds of its nested cross-validation, each fitted outside the
fold that judges it.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from models.learning.fitted_procedure import refit
from models.learning.folds import outer_folds
from models.learning.options import RefitOptions
from models.modes.mode import candidates_in_mode
from models.scoring import cross_validated
from models.scoring.cross_validated import NO_FOLD, HeldOut
from models.scoring.intervals import Estimate
from models.scoring.performance import Sample, auroc_estimate, point_values
from models.study_files.inputs import input_arguments, read_inputs, training_rows
from models.study_files.outputs import write_result
from models.transformers.columns import MEAN_OF_READERS, Columns, Predictor
from pipeline.core import command
from pipeline.core.errors import FitError
from pipeline.core.files import read_table
from pipeline.core.mode_labels import labelled_log
from pipeline.core.sections import taken
from pipeline.core.seeds import derive_seed
from pipeline.core.table_schema import types_of
from pipeline.study.changed import with_option
from pipeline.study.sections.judging import Evaluation, Nested
from pipeline.study.study import open_study
from pipeline.tables.baseline_names import mean_feature, names_density
from pipeline.tables.features.volume_names import volume_feature
from pipeline.tables.readers import latest_label, latest_versions
from pipeline.tables.schemas.images.masks import Masks
from pipeline.tables.schemas.prediction.references import References

VOLUME_COLUMN = ":volume"
"""Column of the region's volume for the model's reader; no reader's column is called so."""

HU_COLUMN = ":mean_hu"
"""Column of the region's mean CT number for the model's reader, likewise."""

PARAMETERS = {"penalty": "l2", "C": 1.0}
"""scikit-learn's default penalty: nothing is searched."""

LABELS = {
    "intercept": "Nothing: the share of events",
    "level": "Vertebral level alone",
    "volume": "Volume alone",
    "hu": "Mean CT number alone",
    "bmd": "Bone mineral density alone",
    "clinical": "Clinical predictors alone",
    "radiomics": "Radiomic features alone",
}

COLUMNS = types_of(References)


@dataclass(frozen=True, kw_only=True)
class ReferenceOptions(RefitOptions):
    """What the stage reads: that of a fit with its selection, and how it is judged.

    Attributes
    ----------
    unit : {'patient', 'case'}
        What a row of the analysis is.
    evaluation, nested : section
        The configuration's sections of these names.
    """

    unit: str
    evaluation: Evaluation = taken(Evaluation)
    nested: Nested = taken(Nested)


@dataclass(frozen=True)
class Reference:
    """One reference model, not fitted yet.

    Attributes
    ----------
    name : str
        Key of `LABELS`.
    columns : Columns or None
        Its candidates; None where the study has none, or for the share of events.
    every : bool
        Whether every candidate enters, whatever its P value.
    note : str
        Why it cannot be fitted, empty otherwise.
    what : str
        What it predicts from, where its name alone does not say.
    """

    name: str
    columns: Columns | None
    every: bool = False
    note: str = ""
    what: str = ""

    @property
    def label(self) -> str:
        """What it predicts from, in words."""
        return LABELS[self.name] + (f" ({self.what})" if self.what else "")


def mean_hu(masks: pd.DataFrame, readers: Sequence[str], unit: str) -> pd.Series:
    """Return the mean CT number of each unit's contours on the CT as scanned, in HU.

    Parameters
    ----------
    masks : pandas.DataFrame
        ``masks.parquet``: ``case_id, patient_id, reader`` (with its version)``, mean_hu``.
    readers : sequence of str
        Readers over whom it is averaged; of each the latest masks.
    unit : {'patient', 'case'}
        What a row of the analysis is; over several cases of a patient it is averaged.

    Returns
    -------
    pandas.Series
        Indexed by the unit's id; missing where a reader has no mask.
    """
    key = f"{unit}_id"
    latest = latest_versions(masks)
    known = latest[latest["reader"].isin(readers)]
    by_reader = known.groupby([key, "reader"])["mean_hu"].mean().unstack()
    return by_reader.reindex(columns=list(readers)).mean(axis=1, skipna=False)


def with_simple_predictors(
    table: pd.DataFrame, columns: Columns, masks: pd.DataFrame | None = None, unit: str = "case"
) -> tuple[pd.DataFrame, dict]:
    """Add volume and mean CT number to an analysis table, and describe the simple predictors.

    Parameters
    ----------
    table : pandas.DataFrame
        Analysis table.
    columns : Columns
        Its candidates.
    masks : pandas.DataFrame, optional
        ``masks.parquet`` of a study with images, whose mean CT numbers are in HU. A study of ready
        feature tables has the mean intensity, which is in HU only where nothing was normalised.
    unit : {'patient', 'case'}
        What a row of the analysis is; used with `masks`.

    Returns
    -------
    table : pandas.DataFrame
        With the columns `VOLUME_COLUMN` and `HU_COLUMN` where the study has them.
    predictors : dict of str to Predictor
        ``level``, ``volume``, ``hu`` and ``bmd``, as far as the study has them.
    """
    predictors = {}
    levels = sorted(table["level"].dropna().unique()) if "level" in table else []
    if len(levels) > 1:
        predictors["level"] = Predictor("level", "Level", "categorical", tuple(levels))
    readers = [r for r in columns.readers if columns.model_reader in (r, MEAN_OF_READERS, None)]
    latest = [latest_label(r) if r in columns.corrected else r for r in readers]
    added = {}

    def of_readers(feature: str) -> pd.Series:
        return table[[f"{label}:{feature}" for label in latest]].mean(axis=1, skipna=False)

    if (name := volume_feature(columns.features)) is not None:
        added[VOLUME_COLUMN] = of_readers(name)
        predictors["volume"] = Predictor(VOLUME_COLUMN, name, "continuous")
    if masks is not None:
        hu = mean_hu(masks, readers, unit).reindex(table["unit_id"])
        added[HU_COLUMN] = hu.set_axis(table.index)
        predictors["hu"] = Predictor(HU_COLUMN, "HU on the CT as scanned", "continuous")
    elif (name := mean_feature(columns.features)) is not None:
        added[HU_COLUMN] = of_readers(name)
        label = f"{name}, in HU where images were not normalised"
        predictors["hu"] = Predictor(HU_COLUMN, label, "continuous")
    for predictor in columns.predictors:
        if "bmd" not in predictors and names_density(predictor.column, predictor.label):
            predictors["bmd"] = predictor
    if added:
        table = pd.concat([table, pd.DataFrame(added)], axis=1)
    return table, predictors


def plan_references(columns: Columns, predictors: Mapping[str, Predictor]) -> list[Reference]:
    """List the references of a study; one that it has no data for says so."""
    plan = [Reference("intercept", None)]
    missing = {
        "level": "not fitted: no vertebral level is known, or all are of one",
        "volume": "not fitted: no feature of the study bears the name of a volume",
        "hu": "not fitted: the study has no mean CT number",
        "bmd": "not fitted: no clinical predictor bears the name of a bone density",
    }
    for name, note in missing.items():
        if name in predictors:
            alone = replace(columns, features=(), predictors=(predictors[name],))
            what = "" if name == "level" else predictors[name].label
            plan.append(Reference(name, alone, every=True, what=what))
        else:
            plan.append(Reference(name, None, note=note))
    for name, other in (("clinical", "radiomics"), ("radiomics", "clinical")):
        rest = columns.without_blocks(other)
        note = "" if rest.names else f"not fitted: the study has no {name} candidate"
        plan.append(Reference(name, rest if rest.names else None, note=note))
    return plan


def fit_reference(
    reference: Reference, training: pd.DataFrame, test: pd.DataFrame, options: RefitOptions
) -> tuple[np.ndarray, int]:
    """Fit a reference to training rows; return test probabilities and the number of columns."""
    if reference.columns is None:
        return np.full(len(test), training["outcome"].mean()), 0
    seed = derive_seed(options.seed, "reference", reference.name)
    if reference.every:
        options = with_option(options, "selection.clinical.p", None)
    fitted = refit("lr", reference.columns, training, PARAMETERS, options, seed)
    return fitted.predict(test), len(fitted.signature)


def compare_references(
    columns: Columns,
    table: pd.DataFrame,
    options: ReferenceOptions,
    masks: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Fit all references of a study and judge them on the rows that judge its models.

    Parameters
    ----------
    columns : Columns
        Candidates.
    table : pandas.DataFrame
        Analysis table with ``part``; without test rows, outer folds judge.
    options : ReferenceOptions
        What is read of a study.
    masks : pandas.DataFrame, optional
        ``masks.parquet`` of a study with images.

    Returns
    -------
    pandas.DataFrame
        One row per reference: ``reference, label, n_features, auroc, auroc_low, auroc_high, brier,
        scaled_brier, note``.
    """
    table, predictors = with_simple_predictors(table, columns, masks, options.unit)
    training, _ = training_rows(table)
    test = table[table["part"] == "test"].reset_index(drop=True)
    judge = partial(_on_test_rows, training=training, test=test, options=options)
    if test.empty:
        judge = partial(_on_held_out_rows, training=training, options=options)
    rows = []
    for reference in plan_references(columns, predictors):
        row = {"reference": reference.name, "label": reference.label, "note": reference.note}
        if not reference.note:
            try:
                row |= judge(reference)
            except FitError as error:
                row["note"] = f"not fitted: {error}"
        rows.append(row)
    return pd.DataFrame(rows).reindex(columns=list(COLUMNS)).astype(COLUMNS)


def _on_test_rows(
    reference: Reference, training: pd.DataFrame, test: pd.DataFrame, options: ReferenceOptions
) -> dict:
    """Fit a reference to the training rows and judge it on the test rows."""
    evaluation = options.evaluation
    probability, n_features = fit_reference(reference, training, test, options)
    outcome, patients = test["outcome"].to_numpy(int), test["patient_id"].to_numpy()
    sample = Sample(outcome, probability, patients, evaluation.threshold)
    values = point_values(sample)
    area = auroc_estimate(sample, evaluation.confidence)
    return _judged(n_features, area, values["brier"], values["scaled_brier"])


def _on_held_out_rows(
    reference: Reference, training: pd.DataFrame, options: ReferenceOptions
) -> dict:
    """Fit a reference outside each outer fold and judge it there: the study has no test rows."""
    nested, evaluation = options.nested, options.evaluation
    shape = (nested.repeats, len(training))
    folds, probability = np.full(shape, NO_FOLD), np.full(shape, np.nan)
    sizes = []
    for repeat, fold, held_out in outer_folds(training, nested.folds, nested.repeats, options.seed):
        learned = training[~held_out].reset_index(drop=True)
        judged = training[held_out].reset_index(drop=True)
        folds[repeat, held_out] = fold
        probability[repeat, held_out], size = fit_reference(reference, learned, judged, options)
        sizes.append(size)
    judged = HeldOut(
        training["outcome"].to_numpy(int),
        training["patient_id"].to_numpy(),
        folds,
        probability,
        np.full(shape, evaluation.threshold),
    )
    area = cross_validated.auroc_estimate(judged, evaluation.confidence)
    values = [point_values(sample) for sample in judged.samples]
    briers = [float(np.mean([each[n] for each in values])) for n in ("brier", "scaled_brier")]
    # Folds choose their own columns: the table tells how many on average.
    return _judged(round(float(np.mean(sizes))), area, *briers)


def _judged(n_features: int, area: Estimate, brier: float, scaled_brier: float) -> dict:
    return {
        "n_features": n_features,
        "auroc": area.value,
        "auroc_low": area.low,
        "auroc_high": area.high,
        "brier": brier,
        "scaled_brier": scaled_brier,
    }


def main(options: argparse.Namespace) -> None:
    """Read the analysis table and its split, judge the references, write their table."""
    how = open_study(options.study).options(ReferenceOptions)
    columns, table = read_inputs(options.analysis, options.info, options.split)
    columns = candidates_in_mode(columns, table, how.mode)
    masks = read_table(options.masks, Masks) if options.masks else None
    with labelled_log(how.mode), threadpool_limits(how.threads):
        result = compare_references(columns, table, how, masks)
    write_result(result, options.out, how.mode, References)


if __name__ == "__main__":
    arguments = command.parser("models.references", __doc__)
    input_arguments(arguments)
    arguments.add_argument("--masks", type=Path, help="masks.parquet of a study with images")
    arguments.add_argument("--out", required=True, type=Path, help="table to write, .parquet")
    command.run(main, arguments)
