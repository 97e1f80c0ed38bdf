"""Whether enough patients of both outcomes are left for a model, and for each part of a split."""

from __future__ import annotations

import math

import pandas as pd

from pipeline.core.errors import StudyError
from pipeline.core.problems import listing
from pipeline.tables.identifying.checks import shown_id
from pipeline.tables.split_designs import FROM_COLUMN, NO_HOLD_OUT, holds_out, parts_from_column
from pipeline.tables.split_options import Split

MIN_PER_FOLD = 2
"""Units of the rarer outcome per inner fold, below which neither AUROC nor scaling make sense."""


def check_events(outcome: pd.Series, train_rows: float, folds: int) -> None:
    """Raise `StudyError` if the rarer outcome is too rare for the folds.

    Parameters
    ----------
    outcome : pandas.Series
        0 or 1, one row per unit of the analysis or of its training part.
    train_rows : float
        Share of these rows that trains.
    folds : int
        Inner folds.
    """
    events = int(outcome.sum())
    rarer = min(events, len(outcome) - events)
    if int(rarer * train_rows) < MIN_PER_FOLD * folds:
        raise StudyError(
            f"The training patients must hold {MIN_PER_FOLD} units of either outcome per fold",
            found=f"{events} with and {len(outcome) - events} without the outcome, of which "
            f"{train_rows:.0%} train in {folds} folds",
            where="config keys outcome, split",
            remedy="add patients, or lower split.folds"
            + (
                f", or write `split: {{design: {NO_HOLD_OUT}}}`, which holds nobody out"
                if train_rows < 1 and rarer >= MIN_PER_FOLD * folds
                else ""
            ),
            code="training-rows-too-few",
        )


def check_enough(outcome: pd.Series, table: pd.DataFrame, split: Split) -> None:
    """Raise `StudyError` if either outcome is too rare in the training rows of a configured split.

    Parameters
    ----------
    outcome : pandas.Series
        0 or 1, one row per unit.
    table : pandas.DataFrame
        The same rows: ``unit_id, patient_id`` and the clinical columns, of which a split that a
        column decides reads its own.
    split : Split
        The section of the configuration.
    """
    if split.design in FROM_COLUMN:
        parts = parts_from_column(table, split)
        check_events(outcome[parts == "train"], 1.0, split.folds)
    elif not holds_out(split.design):
        check_events(outcome, 1.0, split.folds)
    else:
        check_events(outcome, 1 - split.test_fraction, split.folds)


def check_patients_named(members: pd.DataFrame) -> None:
    """Raise `StudyError` if a row of a clinical table alone belongs to nobody known."""
    unknown = members.loc[members["patient_id"].isna(), "unit_id"]
    if len(unknown):
        raise StudyError(
            "Rows of a patient must stay together, so that the clinical table must name the "
            "patient of every case",
            found=listing(map(shown_id, unknown)),
            where="the clinical table, column patient_id",
            remedy="add the column patient_id, or write `unit: patient` if a row is a patient",
            code="patient-of-case-unknown",
        )


def check_parts(outcome: pd.Series, table: pd.DataFrame, split: Split) -> None:
    """Raise `StudyError` unless a configured split leaves both outcomes in both parts.

    Parameters are those of `check_enough`. Of a split that draws, the numbers are those of a
    stratified one.
    """
    if outcome.empty or not holds_out(split.design):
        return
    if split.design in FROM_COLUMN:
        parts = pd.Series(parts_from_column(table, split), index=outcome.index)
        counts = {
            part: (int((parts == part).sum()), int(outcome[parts == part].sum()))
            for part in ("train", "test")
        }
    else:
        patients = outcome.groupby(table["patient_id"].to_numpy()).max()
        n, events = len(patients), int(patients.sum())
        held_out = math.ceil(split.test_fraction * n)
        drawn = _stratified(held_out, events, n)
        counts = {"train": (n - held_out, events - drawn), "test": (held_out, drawn)}
    for part, (n, events) in counts.items():
        if 0 < events < n:
            continue
        raise StudyError(
            f"The {part} part of the split must hold patients with the outcome and without it",
            found=f"nobody, of {len(outcome)} units"
            if n == 0
            else f"{events} with and {n - events} without the outcome",
            where="config key split",
            remedy="correct the column of the split, or hold out other sites, a later or earlier "
            "`test_from`, or another `test_fraction`",
            code="split-part-without-outcome",
        )


def _stratified(held_out: int, events: int, n: int) -> int:
    """Return how many of `events` are among `held_out` of `n` patients, drawn stratified."""
    expected = held_out * events / n
    whole = math.floor(expected)
    rest = expected - whole
    return whole + (rest >= 0.5)
