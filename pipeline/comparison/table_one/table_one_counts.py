"""Counts of table 1: shares of levels, tests of counts, differences and odds ratios."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipeline.comparison.groups import effects, summaries
from pipeline.comparison.groups.choice_of_test import choose_for_counts
from pipeline.comparison.groups.fisher_exact import MAX_PATHS, TooManyTablesError
from pipeline.comparison.groups.group_tests import GroupTest, count_test
from pipeline.comparison.groups.patient_clusters import (
    choose_clustered,
    clustered_effect,
    clustered_test,
    rao_scott,
)
from pipeline.comparison.table_one.table_one_parts import (
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


EFFECT_COLUMNS = (
    *("effect", "difference", "difference_low", "difference_high"),
    *("ratio_name", "ratio", "ratio_low", "ratio_high"),
)


def describe_counts(part: Part) -> tuple[dict, list[dict], list[dict]]:
    """Return the row of a variable of levels, its cells, and each group against the first."""
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
    found = []
    for at in range(1, len(part.members)):
        standardised = _standardised(part, counts[:, [0, at]])
        if at == 1 == len(part.members) - 1:
            row |= standardised
        # Of two levels, the first follows from the second.
        for place in [1] if len(levels) == 2 else range(len(levels)):
            effect = part.against_first(at) | {"level": levels[place]}
            found.append(effect | _effect(part, level, counts, at, place) | standardised)
    if len(levels) == 2 and len(found) == 1:
        row |= {name: found[0][name] for name in EFFECT_COLUMNS}
    cells = []
    for at, group in enumerate([None, *part.groups]):
        column = every if group is None else counts[:, at - 1]
        whole = int(column.sum())
        for name, number in zip(levels, column, strict=True):
            cell = {"variable": variable.column, "level": name, "group": group, "n": whole}
            share = number / whole if whole else np.nan
            cells.append(cell | {"count": int(number), "share": share})
    return row, cells, found


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
                code="fisher-too-many-tables",
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
    level, patients = level[rows], np.asarray(part.patients)[rows]
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


def _standardised(part: Part, counts: np.ndarray) -> dict:
    found = effects.standardised_difference_of_levels(counts, part.rules.confidence)
    if part.patients is not None:
        found = effects.Effect(found.name, found.value)
    return standardised_columns(found)


def _effect(part: Part, level: np.ndarray, counts: np.ndarray, at: int, place: int) -> dict:
    """Return the difference of a level's shares, and its odds ratio, of a group and the first."""
    confidence = part.rules.confidence
    if part.patients is None:
        events = (int(counts[place, 0]), int(counts[place, at]))
        totals = (int(counts[:, 0].sum()), int(counts[:, at].sum()))
        shift = effects.difference_of_shares(events, totals, confidence)
        return difference_columns(shift) | ratio_columns(
            effects.odds_ratio(events, totals, confidence)
        )
    rows, group = part.compared_rows()
    rows, group = rows[np.isin(group, (0, at))], group[np.isin(group, (0, at))]
    given = ((level[rows] == place).astype(float), group == at, part.patients[rows], confidence)
    shift = effects.Effect("difference of shares", *clustered_effect(*given)[1:])
    return difference_columns(shift) | ratio_columns(clustered_effect(*given, odds=True))
