"""Numbers of table 1: means or medians, tests of numbers, differences."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy import stats

from pipeline.comparison.groups import effects, summaries
from pipeline.comparison.groups.choice_of_test import choose_for_numbers
from pipeline.comparison.groups.group_tests import BY_MEANS, number_test
from pipeline.comparison.groups.patient_clusters import (
    choose_clustered,
    clustered_effect,
    clustered_test,
)
from pipeline.comparison.table_one.table_one_parts import (
    Part,
    difference_columns,
    found_columns,
    other_choices,
    standardised_columns,
)

BESIDE = {
    True: ("pooled-t", "welch-t", "mann-whitney"),
    False: ("anova", "welch-anova", "kruskal"),
}
"""Tests of numbers that one could defend, of two groups and of more."""


def describe_numbers(part: Part) -> tuple[dict, list[dict], list[dict]]:
    """Return the row of a variable of numbers, its cells, and each group against the first."""
    every = part.values.to_numpy(dtype=float)
    samples = [every[of] for of in part.members]
    samples = [sample[~np.isnan(sample)] for sample in samples]
    every = every[~np.isnan(every)]
    test, reason = _choice(part, samples or [every])
    by_means = test in BY_MEANS
    digits = summaries.decimals(every) if by_means else summaries.digits_of_medians(every)
    texts = (summaries.means if by_means else summaries.medians)([every, *samples], digits)
    row = {"summary": "mean ± SD" if by_means else "median [Q1, Q3]", "total": texts[0]}
    row |= dict(zip(part.columns, texts[1:], strict=True))
    row["range"] = summaries.value_range(every, summaries.digits_of_range(every, digits))
    if samples:
        row |= _tested(part, samples, test, reason)
    found = [_effect(part, samples, test, at) for at in range(1, len(samples))]
    if len(found) == 1:
        row |= found[0]
    cells = []
    for group, sample in zip([None, *part.groups], [every, *samples], strict=True):
        cell: dict[str, Any] = {"variable": part.variable.column, "group": group, "n": len(sample)}
        if len(sample):
            q1, median, q3 = np.percentile(sample, [25, 50, 75])
            sd = float(sample.std(ddof=1)) if len(sample) > 1 else np.nan
            cell |= {"mean": float(sample.mean()), "sd": sd, "median": median, "q1": q1, "q3": q3}
            cell |= {"minimum": float(sample.min()), "maximum": float(sample.max())}
        cells.append(cell)
    return row, cells, [part.against_first(at) | each for at, each in enumerate(found, 1)]


def _choice(part: Part, samples: list[np.ndarray]) -> tuple[str, str]:
    """Return the test of independent rows, which also says how the variable is described."""
    if part.named:
        return part.named, ""
    if part.variable.by_ranks:
        return ("mann-whitney" if len(samples) == 2 else "kruskal"), "grades are compared by ranks"
    return choose_for_numbers(samples, part.rules.normality)


def _tested(part: Part, samples: list[np.ndarray], test: str, reason: str) -> dict:
    if part.named or part.patients is None:
        row = found_columns(number_test(samples, test), part, reason)
        beside = [one for one in BESIDE[len(samples) == 2] if one != test]
        return row | other_choices(row, [number_test(samples, one) for one in beside])
    rows, group = part.compared_rows()
    patients, values = part.patients[rows], part.values.to_numpy(dtype=float)[rows]
    ranks = stats.rankdata(values)
    choice = choose_clustered(group, patients, None)
    own = values if test in BY_MEANS else ranks
    found = clustered_test(own, group, patients, choice.test)
    what = "means" if test in BY_MEANS else "ranks"
    found = replace(found, name=f"{found.name}, {what}")
    row = found_columns(found, part, f"{choice.reason}; {reason}")
    others = [
        clustered_test(columns, group, patients, one)
        for columns in (values, ranks)
        for one in ("gee-score", "mancl-derouen")
        if len(samples) == 2 and not (one == choice.test and columns is own)
    ]
    return row | other_choices(row, others)


def _effect(part: Part, samples: list[np.ndarray], test: str, at: int) -> dict:
    """Return the difference of a group from the first."""
    confidence, pair = part.rules.confidence, (samples[0], samples[at])
    standardised = effects.standardised_difference(*pair, confidence)
    if part.patients is not None:
        rows, group = part.compared_rows()
        rows, group = rows[np.isin(group, (0, at))], group[np.isin(group, (0, at))]
        values = part.values.to_numpy(dtype=float)[rows]
        shift = clustered_effect(values, group == at, part.patients[rows], confidence)
        standardised = effects.Effect(standardised.name, standardised.value)
    elif test in BY_MEANS:
        pooled = test in ("pooled-t", "anova")
        shift = effects.difference_of_means(*pair, pooled=pooled, confidence=confidence)
    else:
        shift = effects.hodges_lehmann(*pair, confidence)
    return difference_columns(shift) | standardised_columns(standardised)
