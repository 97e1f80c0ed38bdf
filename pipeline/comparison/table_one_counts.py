"""Counts of table 1: shares of levels, tests of counts, differences and odds ratios."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipeline.comparison import effects, summaries
from pipeline.comparison.choice_of_test import choose_for_counts
from pipeline.comparison.fisher_exact import MAX_PATHS, TooManyTablesError
from pipeline.comparison.group_tests import GroupTest, count_test
from pipeline.comparison.patient_clusters import (
    choose_clustered,
    clustered_effect,
    clustered_test,
    rao_scott,
)
from pipeline.comparison.table_one_parts import (
    Part,
    code_text,
    difference_columns,
    found_columns,
    other_choices,
    ratio_columns,
    standardised_columns,
)
from pipeline.core.errors import VertebromicsError

BESIDE_PATHS = 300_000
"""Work that Fisher's exact test may take where it only stands beside another (about a second)."""


def describe_counts(part: Part) -> tuple[dict, list[dict]]:
    """Return the row of a variable of levels, and its cells."""
    variable = part.variable
    levels = variable.levels or tuple(sorted(part.values.dropna().unique()))
    texts = part.values.map(code_text) if variable.numbers else part.values
    places = {level: at for at, level in enumerate(levels)}
    level = np.array([places.get(text, -1) for text in texts], dtype=int)
    every = np.bincount(level[level >= 0], minlength=len(levels))
    counts = np.column_stack(
        [
            np.zeros((len(levels), 0), dtype=int),
            *(np.bincount(level[of & (level >= 0)], minlength=len(levels)) for of in part.members),
        ]
    ).astype(int)
    row = {"summary": "n (%)", "total": _level_counts(every)}
    row |= {name: _level_counts(counts[:, at]) for at, name in enumerate(part.columns)}
    if part.members:
        clustered = part.patients is not None and not part.named
        row |= _clustered(part, level, counts) if clustered else _tested(part, counts, levels)
    if len(part.members) == 2:
        row |= _effects(part, level, counts)
    cells = []
    for at, group in enumerate([None, *part.groups]):
        column = every if group is None else counts[:, at - 1]
        whole = int(column.sum())
        for name, number in zip(levels, column, strict=True):
            cell = {"variable": variable.column, "level": name, "group": group, "n": whole}
            share = number / whole if whole else np.nan
            cells.append(cell | {"count": int(number), "share": share})
    return row, cells


def _level_counts(column: np.ndarray) -> str:
    """Return the count of the second of two levels, or of all levels one after the other."""
    whole = int(column.sum())
    if len(column) == 2:
        return summaries.count(int(column[1]), whole)
    return "; ".join(summaries.count(int(number), whole) for number in column)


def _tested(part: Part, counts: np.ndarray, levels: Sequence[str]) -> dict:
    scores = {"level_scores": _scores(levels), "group_scores": _scores(part.groups)}
    test, reason = part.named, ""
    if test is None:
        test, reason = choose_for_counts(counts, part.rules.small_cells)
    try:
        found = count_test(counts, test, max_paths=MAX_PATHS, **scores)
    except TooManyTablesError:
        if part.named:
            raise VertebromicsError(
                "Fisher's exact test must have few enough tables to look at",
                found=f"{part.variable.column}: {counts.shape[0]} levels in {counts.shape[1]} "
                f"groups, n = {counts.sum()}",
                remedy="name another test for this variable, such as `pearson` in the column "
                "`test` of the data dictionary",
            ) from None
        found = count_test(counts, "pearson")
        found = replace(found, note="approximate: too many tables for an exact test")
    row = found_columns(found, part, reason)
    shape = (int((counts.sum(axis=1) > 0).sum()), int((counts.sum(axis=0) > 0).sum()))
    beside = ["pearson", "likelihood-ratio", "fisher"]
    beside += ["yates"] if shape == (2, 2) else []
    beside += ["trend"] if part.variable.ordered and max(shape) > 2 else []
    others = []
    for one in beside:
        if one == found.test:
            continue
        try:
            others.append(count_test(counts, one, max_paths=BESIDE_PATHS, **scores))
        except TooManyTablesError:
            continue
    return row | other_choices(row, others)


def _clustered(part: Part, level: np.ndarray, counts: np.ndarray) -> dict:
    rows, group = part.compared_rows()
    level, patients = level[rows], part.patients[rows]
    used = np.flatnonzero(counts.sum(axis=1) > 0)
    choice = choose_clustered(group, patients, len(used))
    columns = np.column_stack(
        [np.zeros((len(rows), 0)), *((level == each).astype(float) for each in used[1:])]
    )

    def test(name: str) -> GroupTest:
        if name == "rao-scott":
            return rao_scott(level, group, patients)
        return clustered_test(columns, group, patients, name)

    row = found_columns(test(choice.test), part, choice.reason)
    beside = ["gee-score", "rao-scott"]
    beside += ["mancl-derouen"] if len(used) == 2 and len(part.members) == 2 else []
    return row | other_choices(row, [test(one) for one in beside if one != choice.test])


def _scores(levels: Sequence[str]) -> list[float]:
    """Return the numbers that levels are, or their places."""
    try:
        return [float(level) for level in levels]
    except ValueError:
        return [float(place) for place in range(len(levels))]


def _effects(part: Part, level: np.ndarray, counts: np.ndarray) -> dict:
    confidence = part.rules.confidence
    standardised = effects.standardised_difference_of_levels(counts, confidence)
    if part.patients is not None:
        standardised = effects.Effect(standardised.name, standardised.value)
    effect = standardised_columns(standardised)
    if len(counts) != 2:
        return effect
    if part.patients is not None:
        rows, group = part.compared_rows()
        options = (group == 1, part.patients[rows], confidence)
        events = (level[rows] == 1).astype(float)
        shift = clustered_effect(events, *options)
        ratio = clustered_effect(events, *options, odds=True)
    else:
        events, totals = tuple(map(int, counts[1])), tuple(map(int, counts.sum(axis=0)))
        shift = effects.difference_of_shares(events, totals, confidence)
        ratio = effects.odds_ratio(events, totals, confidence)
    if shift.name == "difference of means":
        shift = effects.Effect("difference of shares", *shift[1:])
    return effect | difference_columns(shift) | ratio_columns(ratio)
