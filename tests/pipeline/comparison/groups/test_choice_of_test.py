"""The rules that choose a test see how groups look, never the P value of a comparison."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.comparison.groups.choice_of_test import choose_for_counts, choose_for_numbers

RNG = np.random.default_rng(3)
NORMAL = RNG.normal(size=80)


@pytest.mark.parametrize(
    ("counts", "cochran", "textbook"),
    [
        ([[200, 60], [150, 50]], "pearson", "pearson"),
        ([[217, 31], [14, 6]], "fisher", "yates"),  # one of four cells expected below 5
        ([[16, 15], [4, 3]], "fisher", "fisher"),  # n = 38
        ([[250, 30], [3, 0]], "fisher", "fisher"),  # expected below 1
        ([[92, 3], [94, 14], [45, 20]], "pearson", "pearson"),
        ([[20, 2], [22, 3], [19, 1]], "fisher", "fisher"),  # larger tables: Cochran in both
    ],
)
def test_small_cells(counts: list, cochran: str, textbook: str) -> None:
    assert choose_for_counts(np.array(counts)).test == cochran
    assert choose_for_counts(np.array(counts), "textbook").test == textbook


def test_numbers_by_normality_then_by_spread() -> None:
    wide, skewed = NORMAL[::-1] * 4, np.exp(NORMAL * 1.5)
    assert choose_for_numbers([NORMAL, NORMAL + 1]).test == "pooled-t"
    assert choose_for_numbers([NORMAL, wide]).test == "welch-t"
    assert choose_for_numbers([NORMAL, skewed]).test == "mann-whitney"
    assert choose_for_numbers([NORMAL, NORMAL, NORMAL + 1]).test == "anova"
    assert choose_for_numbers([NORMAL, NORMAL, wide]).test == "welch-anova"
    assert choose_for_numbers([NORMAL, NORMAL, skewed]).test == "kruskal"
    assert choose_for_numbers([NORMAL, skewed], "lilliefors").test == "mann-whitney"


def test_the_difference_of_the_groups_plays_no_part() -> None:
    """Shifting a group changes every P of a comparison and no choice."""
    for second in (NORMAL * 2, np.exp(NORMAL)):
        chosen = {choose_for_numbers([NORMAL, second + by]) for by in (0.0, 8.0, 64.0)}
        assert len({each.test for each in chosen}) == 1


def test_groups_that_tell_nothing_are_compared_by_ranks() -> None:
    assert choose_for_numbers([NORMAL, np.array([1.0, 2.0])]).test == "mann-whitney"
    assert choose_for_numbers([NORMAL, np.ones(9)]).test == "mann-whitney"


def test_the_reason_names_the_tests() -> None:
    reason = choose_for_numbers([NORMAL, NORMAL + 1]).reason
    assert "Shapiro-Wilk" in reason
    assert "Levene on the mean" in reason


def test_many_values_are_tested_as_they_can_be() -> None:
    assert "Lilliefors" in choose_for_numbers([RNG.normal(size=5001), NORMAL]).reason
