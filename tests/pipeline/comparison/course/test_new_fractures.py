"""Adjacent, remote and broken again, also at the levels that few people have."""

from __future__ import annotations

import pytest

from pipeline.comparison.course.new_fractures import (
    ADJACENT,
    REFRACTURE,
    REMOTE,
    SPINE,
    kinds_of_new,
)
from pipeline.imaging.levels import body_sizes


@pytest.mark.parametrize(
    ("treated", "new", "kind"),
    [
        (["L1"], "T12", ADJACENT),
        (["L1"], "L2", ADJACENT),
        (["L1"], "L3", REMOTE),
        (["L1"], "T11", REMOTE),
        (["L1"], "L1", REFRACTURE),
        (["T12", "L4"], "L3", ADJACENT),
        (["T10", "L4"], "L1", REMOTE),
        (["T11", "L1"], "T12", ADJACENT),  # between two treated ones
        (["L5"], "S1", ADJACENT),
        (["T1"], "C7", ADJACENT),
        (["T13"], "T12", ADJACENT),
        (["T13"], "L1", ADJACENT),
        (["T12"], "T13", ADJACENT),
        (["L6"], "S1", ADJACENT),
        (["L6"], "L4", REMOTE),
    ],
)
def test_kinds(treated: list[str], new: str, kind: str) -> None:
    assert kinds_of_new(treated, [new]) == {new: kind}


def test_the_spine_is_that_of_the_images() -> None:
    assert [level for level in body_sizes() if level not in ("T13", "L6")] == list(SPINE)


def test_none() -> None:
    assert kinds_of_new(["L1"], []) == {}


def test_treated_vertebrae_of_yassavoly2025() -> None:
    """168 + 2 x 63 + 3 x 15 + 4 x 3 + 5 x 2 vertebrae of 251 patients."""
    patients = {1: 168, 2: 63, 3: 15, 4: 3, 5: 2}
    assert sum(patients.values()) == 251
    assert sum(several * count for several, count in patients.items()) == 361
