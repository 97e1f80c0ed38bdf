"""Which models of a study will find too few patients in which stage, counted before anything runs.

Every stage of modelling divides patients further: test rows, outer folds, inner folds, the rows
that early stopping watches. How many patients of the rarer outcome are left can be counted from
the clinical table. A model that cannot be fitted drops out of a study (`pipeline.core.fit_status`);
here it is said beforehand, with the option that would help.

The counts are those of an even division, from which stratified folds differ by one patient.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.core.sections import taken
from pipeline.study.model_families import MODEL_FAMILIES, OwnSections
from pipeline.study.sections.judging import Nested, Optimism
from pipeline.tables.split_designs import FROM_COLUMN, holds_out, parts_from_column
from pipeline.tables.split_options import Split

#: Share of resamples that the correction for optimism may leave out (`models.optimism`), and the
#: share of patients that a resample holds.
MAX_LEFT_OUT, DISTINCT = 0.2, 1 - math.exp(-1)


class Patients(NamedTuple):
    """How many patients a stage learns from.

    Attributes
    ----------
    rarer : int
        Of the rarer outcome.
    all : int
        Of either.
    """

    rarer: int
    all: int

    def without_fold(self, folds: int) -> Patients:
        """Return what is left beside the largest of `folds` folds."""
        return Patients(
            self.rarer - math.ceil(self.rarer / folds), self.all - math.ceil(self.all / folds)
        )


@dataclass(frozen=True, kw_only=True)
class ForeseenOptions(OwnSections):
    """Options on which it depends whether a model finds enough patients."""

    models: list[str]
    split: Split = taken(Split)
    nested: Nested = taken(Nested)
    optimism: Optimism = taken(Optimism)


class Foreseen(NamedTuple):
    """A model that will not be fitted in a stage.

    Attributes
    ----------
    stage : {'train', 'nested', 'optimism'}
        Where.
    model : str
        Its name in the configuration.
    why : str
        What is missing there, with the number of patients.
    remedy : str
        What would help.
    """

    stage: str
    model: str
    why: str
    remedy: str


def training_patients(outcome: pd.Series, units: pd.DataFrame, split: Split) -> Patients:
    """Count the patients that a configured split leaves to learn from.

    Parameters
    ----------
    outcome : pandas.Series
        0 or 1, one row per unit.
    units : pandas.DataFrame
        The same rows: ``unit_id, patient_id`` and the column of a split that a column decides.
    split : Split
        The section of the configuration.
    """
    patients = units["patient_id"].to_numpy()
    if split.design in FROM_COLUMN:
        kept = parts_from_column(units, split) == "train"
        return _counted(outcome.to_numpy()[kept], patients[kept])
    counted = _counted(outcome.to_numpy(), patients)
    if not holds_out(split.design):
        return counted
    return Patients(
        int(counted.rarer * (1 - split.test_fraction)),
        counted.all - math.ceil(counted.all * split.test_fraction),
    )


def _counted(outcome: np.ndarray, patients: np.ndarray) -> Patients:
    rarer = min(len(np.unique(patients[outcome == value])) for value in (0, 1))
    return Patients(rarer, len(np.unique(patients)))


def foreseen(training: Patients, options: ForeseenOptions) -> list[Foreseen]:
    """Return what a study's training patients are too few for.

    Parameters
    ----------
    training : Patients
        Of the training part.
    options : ForeseenOptions
        Models, folds, and what is repeated.

    Returns
    -------
    list of Foreseen
        A model that training itself cannot fit is listed once.
    """
    found: list[Foreseen] = []
    for model in options.models:
        why = _search_fails(model, training, options.split.folds, options)
        if why:
            remedy = f"add patients, lower split.folds, or leave {model} out of `models`"
            found.append(Foreseen("train", model, why, remedy))
            continue
        found += _repeated(model, training, options)
    return found


def _repeated(model: str, training: Patients, options: ForeseenOptions) -> Iterator[Foreseen]:
    """Return in which repetition of the procedure a model finds too few patients."""
    nested = options.nested
    if model in nested.models:
        why = _nested_fails(model, training, nested.folds, options)
        if why:
            fit = [k for k in range(2, 21) if not _nested_fails(model, training, k, options)]
            remedy = f"leave {model} out of `nested.models`"
            if fit:
                remedy = f"write `nested: {{folds: {fit[0]}}}`, or {remedy}"
            yield Foreseen("nested", model, why, remedy)
    if model in options.optimism.models:
        distinct = Patients(_held(training.rarer), _held(training.all))
        fixed = options.optimism.search == "fixed"
        folds = options.split.folds
        fails = _fit_fails(model, distinct, options) if fixed else None
        fails = fails or (None if fixed else _search_fails(model, distinct, folds, options))
        if fails:
            remedy = f"leave {model} out of `optimism.models`"
            why = f"in more than {MAX_LEFT_OUT:.0%} of the resamples {fails}"
            yield Foreseen("optimism", model, why, remedy)


def _held(patients: int) -> int:
    """Return how many of `patients` the poorest resamples hold that may be left out.

    A resample holds some 63% of the patients (copies stay with their patient), of each outcome a
    number that is nearly binomial, since patients are drawn whatever their outcome.
    """
    mean, spread = DISTINCT * patients, math.sqrt(DISTINCT * (1 - DISTINCT) * patients)
    return max(0, math.floor(mean + NormalDist().inv_cdf(MAX_LEFT_OUT) * spread + 0.5))


def _nested_fails(
    model: str, training: Patients, outer: int, options: ForeseenOptions
) -> str | None:
    if training.rarer < outer:
        return (
            f"{training.rarer} training patients of the rarer outcome do not fill {outer} outer "
            "folds"
        )
    left = training.without_fold(outer)
    if options.nested.search == "fixed":
        return _fit_fails(model, left, options)
    return _search_fails(model, left, options.split.folds, options)


def _search_fails(
    model: str, patients: Patients, folds: int, options: ForeseenOptions
) -> str | None:
    if patients.rarer < folds:
        return f"{patients.rarer} patients of the rarer outcome do not fill {folds} folds"
    return _fit_fails(model, patients.without_fold(folds), options)


def _fit_fails(model: str, patients: Patients, options: ForeseenOptions) -> str | None:
    """Return why a classifier cannot be fitted to so many patients, None where it can."""
    family = MODEL_FAMILIES[model]
    if patients.rarer < (2 if family.divides_rows else 1):
        return f"a fit would learn from {patients.rarer} patients of the rarer outcome"
    if family.stops_early:
        parts = max(2, round(1 / family.watched_share(options)))
        learned = patients.all - math.ceil(patients.all / min(parts, patients.rarer))
        if learned < family.least_rows:
            return f"a fit would learn from {learned} patients and watch the others"
    return None
