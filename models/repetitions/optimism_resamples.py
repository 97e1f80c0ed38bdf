"""One resample of the training patients: the procedure run on it, judged there and elsewhere."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from models.learning.procedure import Procedure
from models.scoring import metrics
from models.scoring.performance import METRICS, Sample, point_values
from pipeline.core.errors import FitError


class Resampled(NamedTuple):
    """Performance of the procedure run on one resample, each a mapping of metric to value.

    Attributes
    ----------
    own : dict
        On the resample itself.
    original : dict
        On the original rows.
    out_of_bag : dict
        On the rows of patients that the resample does not hold.
    fits : int
        Classifiers fitted.
    """

    own: dict[str, float]
    original: dict[str, float]
    out_of_bag: dict[str, float]
    fits: int


def resample_of(training: pd.DataFrame, times: np.ndarray) -> pd.DataFrame:
    """Return the training rows, each as often as it was drawn.

    Copies stay rows of their patient, with whom they share an inner fold and a side of the early
    stop; their units get names of their own.

    Parameters
    ----------
    training : pandas.DataFrame
        Training rows of the analysis table.
    times : ndarray of int, shape (n_rows,)
        How often each row is drawn.
    """
    resample = training.iloc[np.repeat(np.arange(len(training)), times)].reset_index(drop=True)
    copies = resample.groupby("unit_id").cumcount().astype(str)
    return resample.assign(unit_id=resample["unit_id"] + "#" + copies)


def run_on_resample(
    shared: tuple[Procedure, pd.DataFrame], task: tuple[np.ndarray, int]
) -> Resampled | str:
    """Run the procedure on one resample; where it holds too few patients, return why not.

    Parameters
    ----------
    shared : tuple
        The procedure and the training rows.
    task : tuple
        How often each row is drawn, shape (n_rows,), and the seed.
    """
    (procedure, training), (times, seed) = shared, task
    rows = np.repeat(np.arange(len(training)), times)
    try:
        run = procedure.run(resample_of(training, times), seed)
    except FitError as error:
        return error.rule
    outcome, patients = training["outcome"].to_numpy(int), training["patient_id"].to_numpy()
    probability = run.fitted.predict(training)
    parts = (rows, np.arange(len(training)), np.flatnonzero(times == 0))
    return Resampled(
        *(
            performance(Sample(outcome[part], probability[part], patients[part], run.threshold))
            for part in parts
        ),
        run.fits,
    )


def performance(sample: Sample) -> dict[str, float]:
    """Return the value of every metric, NaN where the sample or its threshold leaves it open."""
    if len(np.unique(sample.outcome)) < 2:
        return dict.fromkeys(METRICS, math.nan)
    values = point_values(sample)
    if math.isnan(sample.threshold):
        values |= dict.fromkeys((*metrics.SHARES, *metrics.AGREEMENTS), math.nan)
    return values


def described(task: tuple[np.ndarray, int], result: Resampled | str) -> str:
    """Say in a few words what a resample gave."""
    if isinstance(result, str):
        return "left out"
    return f"AUROC {result.own['auroc']:.3f} on itself, {result.original['auroc']:.3f}"


def packed(result: Resampled | str) -> dict:
    """Return what `run_on_resample` returned as a line of the journal."""
    return {"refused": result} if isinstance(result, str) else result._asdict()


def unpacked(kept: dict) -> Resampled | str:
    """Return the result that `packed` made a line of."""
    return kept["refused"] if "refused" in kept else Resampled(**kept)
