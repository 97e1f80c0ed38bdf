"""Evaluate: metrics with intervals, paired comparisons and curves of all models of a study.

What a model is judged by are the test rows. Out-of-fold predictions of the training rows are
listed beside them without intervals: fits of different folds share most of their training rows, so
that their predictions are dependent in a way no interval here allows for.
"""

from __future__ import annotations

import argparse
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from models.outputs import empty_table, write_result
from models.scoring import calibration, metrics
from models.scoring.calibration_band import calibration_band
from models.scoring.comparisons import compare_decisions, compare_models
from models.scoring.decision_curve import decision_curve, thresholds, with_intervals
from models.scoring.hosmer_lemeshow import hosmer_lemeshow
from models.scoring.intervals import Estimate, has_clusters, patient_resamples
from models.scoring.performance import METRICS, Sample, metric_estimates, point_values
from pipeline.core import command
from pipeline.core.errors import StudyError
from pipeline.core.files import read_json, read_table
from pipeline.core.fit_status import is_fitted
from pipeline.core.mode_labels import labelled_log
from pipeline.core.seeds import derive_seed
from pipeline.study.study import open_study

logger = logging.getLogger("vertebromics")

#: Word of the configuration for the model that cross-validation chooses.
WINNER = "winner"

#: Decimals to which probabilities may leave [0, 1] by rounding in a library.
_ROUNDING = 1e-6

COLUMNS = {
    "metrics": {
        **dict.fromkeys(("model", "part", "metric"), object),
        **dict.fromkeys(("value", "low", "high"), float),
        "method": object,
    },
    "comparisons": {
        **dict.fromkeys(("model_a", "model_b"), object),
        **dict.fromkeys(("auc_difference", "low", "high", "p_value", "p_holm"), float),
        **dict.fromkeys(("family", "method"), object),
        **dict.fromkeys(("only_a_right", "only_b_right"), "int64"),
        **dict.fromkeys(("mcnemar_p", "mcnemar_p_holm"), float),
    },
    "roc": {"model": object, **dict.fromkeys(("fpr", "tpr", "threshold"), float)},
    "calibration": {
        "model": object,
        **dict.fromkeys(("predicted", "observed", "low", "high"), float),
        "n": "int64",
    },
    "calibration_curve": {
        "model": object,
        **dict.fromkeys(("predicted", "observed", "low", "high"), float),
    },
    "calibration_tests": {
        **dict.fromkeys(("model", "test"), object),
        "statistic": float,
        "df": "int64",
        "p_value": float,
        "groups": "int64",
        "fitted_here": bool,
        "note": object,
    },
    "decision_curve": {
        "model": object,
        **dict.fromkeys(("threshold", "net_benefit", "low", "high"), float),
        **dict.fromkeys(("gain", "gain_low", "gain_high"), float),
    },
    "confusion": {
        "model": object,
        **dict.fromkeys(("tp", "fp", "fn", "tn"), "int64"),
        "threshold": float,
    },
}
"""Columns of the tables."""


def evaluate(
    predictions: Mapping[str, pd.DataFrame],
    infos: Mapping[str, Mapping],
    config: Mapping,
    winner: str | None = None,
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
    config : mapping
        The study's resolved configuration; ``seed``, ``evaluation`` and ``primary`` are used.
    winner : str, optional
        The model that cross-validation chose, for a primary analysis of ``winner``.
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
        return {name: empty_table(columns) for name, columns in COLUMNS.items()}
    options = config["evaluation"]
    how = {
        "confidence": options["confidence"],
        "n_resamples": options["bootstrap"],
        # One seed for all models, so that their intervals come from the same resamples.
        "seed": derive_seed(config["seed"], "evaluate", "resamples"),
        "fitted_here": fitted_here,
    }
    by_part = _checked(predictions)
    primary = primary_model(config, winner)
    # One that could not be fitted leaves its comparisons, and the family of which they were.
    primary = primary if primary in predictions else None
    tests = {
        model: Sample.of(rows, infos[model]["threshold"]) for model, rows in by_part["test"].items()
    }
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in ("metrics", *_PER_MODEL)}
    for done, (model, sample) in enumerate(tests.items(), start=1):
        tables["metrics"].append(_as_rows(model, "test", _estimates(sample, how)))
        out_of_fold = by_part["oof"].get(model)
        if out_of_fold is not None:
            estimates = _out_of_fold(out_of_fold, infos[model])
            tables["metrics"].append(_as_rows(model, "oof", estimates))
        for name, table_of in _PER_MODEL.items():
            table = table_of(sample, how)
            tables[name].append(table.assign(model=model)[["model", *table.columns]])
        command.progress("evaluate", done, len(tests), model)
    first = next(iter(tests.values()))
    probabilities = {model: sample.probability for model, sample in tests.items()}
    curve = decision_curve(first.outcome, probabilities, thresholds(*options["decision_curve"]))
    return {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()} | {
        "comparisons": compare_models(tests, confidence=how["confidence"], primary=primary).merge(
            compare_decisions(tests, primary), on=["model_a", "model_b"], validate="one_to_one"
        ),
        "decision_curve": with_intervals(
            curve, first.outcome, probabilities, _resamples(first, how), how["confidence"]
        ),
    }


def primary_model(config: Mapping, winner: str | None) -> str | None:
    """Return the model of the declared primary analysis, None where none was declared.

    Parameters
    ----------
    config : mapping
        Resolved configuration.
    winner : str or None
        The model that cross-validation chose.

    Raises
    ------
    StudyError
        If the analysis is that of the winner, and it is not known.
    """
    declared = config["primary"]
    if declared is None or declared["model"] != WINNER:
        return None if declared is None else declared["model"]
    if winner is None:
        raise StudyError(
            "A primary analysis of the winner needs to know it",
            where="config key primary.model",
            remedy="run the stage winner and pass its file as --winner",
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


def _as_rows(model: str, part: str, estimates: Mapping[str, Estimate]) -> pd.DataFrame:
    table = pd.DataFrame.from_dict(estimates, orient="index", columns=Estimate._fields)
    table = table.rename_axis("metric").reset_index()
    return table.assign(model=model, part=part)[["model", "part", *table.columns]]


def _roc(sample: Sample, how: Mapping) -> pd.DataFrame:
    from sklearn.metrics import roc_curve

    if len(np.unique(sample.outcome)) < 2:
        return pd.DataFrame({"fpr": [], "tpr": [], "threshold": []}, dtype=float)
    fpr, tpr, at = roc_curve(sample.outcome, sample.probability)
    return pd.DataFrame({"fpr": fpr, "tpr": tpr, "threshold": at})


def _bins(sample: Sample, how: Mapping) -> pd.DataFrame:
    return calibration.calibration_bins(
        sample.outcome,
        sample.probability,
        how["confidence"],
        independent=not has_clusters(sample.patients),
    )


def _curve(sample: Sample, how: Mapping) -> pd.DataFrame:
    curve = calibration.calibration_curve(sample.outcome, sample.probability)
    at = curve["predicted"].to_numpy()
    band = calibration_band(
        sample.outcome, sample.probability, at, _resamples(sample, how), how["confidence"]
    )
    return curve.assign(low=band[:, 0], high=band[:, 1])


def _tests(sample: Sample, how: Mapping) -> pd.DataFrame:
    independent = not has_clusters(sample.patients)
    found = hosmer_lemeshow(
        sample.outcome,
        sample.probability,
        fitted_to_these=how["fitted_here"],
        independent=independent,
    )
    return pd.DataFrame([{"test": "Hosmer-Lemeshow", **found._asdict()}])


def _estimates(sample: Sample, how: Mapping) -> dict[str, Estimate]:
    keys = ("confidence", "n_resamples", "seed")
    return metric_estimates(sample, **{key: how[key] for key in keys})


def _resamples(sample: Sample, how: Mapping) -> np.ndarray:
    """Draw the patients that every interval of this evaluation is taken over."""
    return patient_resamples(
        sample.patients, sample.outcome, how["n_resamples"], how["seed"], stratified=False
    )


def _confusion(sample: Sample, how: Mapping) -> pd.DataFrame:
    counts = metrics.confusion(sample.outcome, sample.probability, sample.threshold)
    return pd.DataFrame([{**counts._asdict(), "threshold": sample.threshold}])


_PER_MODEL = {
    "roc": _roc,
    "calibration": _bins,
    "calibration_curve": _curve,
    "calibration_tests": _tests,
    "confusion": _confusion,
}


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
            )
        for part, kept in parts.items():
            rows = table[table["part"] == part].sort_values("unit_id", ignore_index=True)
            if not rows.empty:
                kept[model] = rows
        if model not in parts["test"]:
            raise StudyError(
                "Every model needs predictions of test rows",
                where=f"predictions of model {model}",
                remedy="run the stages split and train again",
            )
        key = parts["test"][model][["unit_id", "patient_id", "outcome"]]
        units = key if units is None else units
        if not key.equals(units):
            raise StudyError(
                "All models must be tested on the same units, to be compared",
                found=f"{len(key)} units, other models {len(units)}, or other outcomes",
                where=f"predictions of model {model}",
                remedy="run the stage train again for all models",
            )
    return parts


def _paired_paths(predictions: Sequence[Path], infos: Sequence[Path]) -> list[tuple[Path, Path]]:
    """Match the files of each model by their folder."""
    by_folder = {path.parent: path for path in infos}
    folders = [path.parent for path in predictions]
    if set(folders) != set(by_folder) or len(set(folders)) < len(folders):
        raise StudyError(
            "--predictions and --models need one file each of every model, in one folder",
            found=f"{len(predictions)} predictions, {len(infos)} models",
        )
    return [(path, by_folder[path.parent]) for path in predictions]


def main(options: argparse.Namespace) -> None:
    """Read the models of a study, evaluate them and write the tables."""
    config = open_study(options.study).config
    predictions, infos = {}, {}
    for table, info in _paired_paths(options.predictions, options.models):
        model_info = read_json(info)
        if is_fitted(model_info):
            predictions[model_info["model"]] = read_table(table)
            infos[model_info["model"]] = model_info
    winner = read_json(options.winner)["model"] if options.winner else None
    with labelled_log(config):
        tables = evaluate(predictions, infos, config, winner)
    for name, table in tables.items():
        write_result(table, options.out_dir / f"{name}.parquet", config)


if __name__ == "__main__":
    arguments = command.parser("models.evaluate", __doc__)
    arguments.add_argument("--study", required=True, type=Path, help="folder of the frozen study")
    arguments.add_argument(
        "--predictions", required=True, type=Path, nargs="+", help="predictions.parquet per model"
    )
    arguments.add_argument(
        "--models", required=True, type=Path, nargs="+", help="model.json per model"
    )
    arguments.add_argument("--winner", type=Path, help="winner.json")
    arguments.add_argument("--out-dir", required=True, type=Path, help="folder of the tables")
    command.run(main, arguments)
