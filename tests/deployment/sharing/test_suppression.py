"""Hidden counts stay unknown: the programs' ranges against a search through all tables."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest

from deployment.sharing.suppression import (
    ALL,
    FEWEST_VALUES,
    Cell,
    System,
    crossed,
    possible,
    protect,
)
from pipeline.core.errors import StudyError
from tests.support.refusals import refusal


def table_of(counts: np.ndarray) -> System:
    """Return a table of values by event and no event, one patient a unit."""
    rows = [
        (f"v{at}", group)
        for at, row in enumerate(counts)
        for group, count in zip(("event", "no event"), row, strict=True)
        for _ in range(count)
    ]
    frame = pd.DataFrame(rows, columns=["value", "group"])
    return crossed(frame["value"], frame["group"], pd.Series(range(len(frame))))[0]


def every_table(system: System, hidden: set[str]) -> dict[str, set[int]]:
    """Return the values that each hidden count has in some table that agrees with all printed."""
    inner = [name for name in system.cells if ALL not in name.split("|")]

    def columns(group: str) -> list[dict[str, int]]:
        """Return all columns with the printed counts and the printed total."""
        names = [name for name in inner if name.endswith(f"|{group}")]
        total = system.cells[f"{ALL}|{group}"].value
        choices = [
            range(total + 1) if name in hidden else [system.cells[name].value] for name in names
        ]
        found = itertools.product(*choices)
        return [dict(zip(names, each, strict=True)) for each in found if sum(each) == total]

    seen: dict[str, set[int]] = {name: set() for name in hidden}
    for one, other in itertools.product(columns("event"), columns("no event")):
        told = one | other
        for total, parts in system.sums:
            if total not in told and all(part in told for part in parts):
                told[total] = sum(told[part] for part in parts)
        if all(
            told[name] == cell.value for name, cell in system.cells.items() if name not in hidden
        ):
            for name in hidden:
                seen[name].add(told[name])
    return seen


@pytest.mark.parametrize(
    "counts",
    [
        [[2, 4], [3, 5], [6, 7]],
        [[2, 3], [3, 9], [5, 6]],
        [[8, 2], [9, 4], [3, 7]],
        [[0, 6], [7, 4], [4, 4]],
        [[1, 9], [9, 9], [5, 4], [3, 4]],
    ],
)
def test_ranges_are_those_of_all_tables_that_agree(counts: list) -> None:
    system = table_of(np.array(counts))
    hidden, ranges = protect(system, 3)
    assert hidden == ranges.keys()
    assert hidden
    for name, values in every_table(system, hidden).items():
        assert (min(values), max(values)) == (ranges[name].low, ranges[name].high), name
        assert len(values) >= FEWEST_VALUES


def test_one_hidden_count_alone_is_given_back() -> None:
    """A count below the limit follows from its row; two of each row and column do not."""
    system = table_of(np.array([[3, 40], [25, 60], [30, 50]]))
    assert possible(system, {"v0|event"}, "v0|event").values == 1
    hidden, ranges = protect(system, 10)
    assert {"v0|event"} < hidden
    assert all(found.values >= FEWEST_VALUES for found in ranges.values())
    assert all(name in hidden for name in ranges)
    printed = {name for name in system.cells if name not in hidden}
    assert all(system.cells[name].value >= 10 for name in printed)


def test_a_table_without_small_counts_stays() -> None:
    hidden, ranges = protect(table_of(np.array([[30, 40], [25, 60]])), 10)
    assert (hidden, ranges) == (set(), {})


@pytest.mark.parametrize("seed", range(4))
def test_no_small_count_is_printed_and_each_hidden_one_is_wide(seed: int) -> None:
    rng = np.random.default_rng(seed)
    system = table_of(rng.integers(0, 60, size=(int(rng.integers(2, 8)), 2)))
    hidden, ranges = protect(system, 10)
    assert ranges.keys() == hidden
    assert all(found.values >= FEWEST_VALUES for found in ranges.values())
    for name, cell in system.cells.items():
        assert name in hidden or cell.value >= 10
        if name in hidden:
            assert ranges[name].low <= cell.value <= ranges[name].high


def test_patients_count_not_units() -> None:
    """Twelve vertebrae of three patients are a small count."""
    frame = pd.DataFrame(
        {
            "value": ["a"] * 12 + ["b"] * 200,
            "group": ["event"] * 6 + ["no event"] * 6 + ["event", "no event"] * 100,
            "patient": [f"p{n % 3}" for n in range(12)] + [f"q{n}" for n in range(200)],
        }
    )
    system, members = crossed(frame["value"], frame["group"], frame["patient"])
    assert system.cells["a|all"] == Cell(12, 3)
    assert len(members["a|all"]) == 12
    assert {"a|all", "a|event"} <= protect(system, 10)[0]


def test_a_count_that_nothing_ties_has_no_end() -> None:
    found = possible(System({"alone": Cell(3, 3)}), {"alone"}, "alone")
    assert (found.low, found.high) == (0, math.inf)


def test_too_few_patients_with_the_outcome() -> None:
    with refusal(
        "shared-count-too-small", StudyError, match="must stand for at least 10 patients"
    ) as told:
        protect(table_of(np.array([[3, 40], [4, 60]])), 10)
    assert told.value.code == "shared-count-too-small"


def test_a_small_count_between_printed_ones_is_refused() -> None:
    system = System({"a": Cell(20, 20, True), "b": Cell(17, 17, True), "few": Cell(3, 3)})
    system.sums.append(("a", ("b", "few")))
    with refusal("shared-count-known", StudyError) as told:
        protect(system, 10)
    assert told.value.code == "shared-count-known"
