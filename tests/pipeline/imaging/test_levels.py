"""Vertebral levels as people write them, their order and their distances."""

from __future__ import annotations

import pytest

from pipeline.imaging.levels import body_sizes, body_volume_ml, distance_mm, levels_in, order
from pipeline.tables.schema import load_schema


def test_every_level_that_a_table_may_name_has_its_place():
    import re

    pattern = load_schema("cases")["properties"]["level"]["pattern"]
    assert all(re.fullmatch(pattern, level) for level in body_sizes())
    assert order("C7") < order("T1") < order("T13") < order("L1") < order("S1")


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("L1", ["L1"]),
        ("Th12", ["T12"]),
        ("D11, l 2", ["T11", "L2"]),
        ("T12-L2", ["T12", "L1", "L2"]),
        ("T12 - L1", ["T12", "L1"]),
        ("T11 to T12", ["T11", "T12"]),
        ("L1/L3", ["L1", "L3"]),
        ("椎体L1", ["L1"]),
        ("BWK 12, LWK1", ["T12", "L1"]),
        ("12. BWK, 1.LWK", ["T12", "L1"]),
        ("BWK 12. LWK 1", ["T12", "L1"]),
        ("Fraktur d. 1. LWK", ["L1"]),
        ("LW1/BW 12", ["L1", "T12"]),
        ("Th. 12 u. L-1", ["T12", "L1"]),
        ("T12L1", ["T12", "L1"]),
        ("Th\u00a0 12", ["T12"]),
        ("Ｔｈ１２，Ｌ１", ["T12", "L1"]),
        ("L1 li., L2", ["L1", "L2"]),
        ("LWK1 ohne Hinterkante, LWK3", ["L1", "L3"]),
        # All between two, whatever says so and in whatever order; each once.
        ("T12 bis L2", ["T12", "L1", "L2"]),
        ("T12—L2", ["T12", "L1", "L2"]),
        ("T12\u2011L2", ["T12", "L1", "L2"]),
        ("T12～L2", ["T12", "L1", "L2"]),
        ("L3-L1", ["L3", "L2", "L1"]),
        ("T12-L2, L1", ["T12", "L1", "L2"]),
        ("C1-C1", ["C1"]),
        # Perhaps all between two.
        ("L1 > L3", None),
        ("L1 → L3", None),
        ("L1...L3", None),
        ("L1 (alt) - L3", None),
        ("L1 bis einschl. L3", None),
        # What is excluded, a sequence of an MRI, and Roman numbers.
        ("L1, kein Bruch L2", None),
        ("not L1", None),
        ("L1, T2w", None),
        ("L1 T2-gewichtet", None),
        ("L1, LWK IV", None),
        ("L1, L III", None),
        # A further level, or the disc between two: nobody can tell.
        ("L1/2", None),
        ("L1-3", None),
        ("T12, L1 2", None),
        ("T12, L1 (2019)", None),
        ("none", None),
        ("L9", None),
        ("12", None),
        ("", None),
    ],
)
def test_levels_as_people_write_them(text, levels):
    assert levels_in(text) == levels


def test_volumes_grow_from_head_to_foot():
    volumes = [body_volume_ml(f"T{number}") for number in range(1, 13)]
    assert volumes == sorted(volumes)
    assert body_volume_ml("C2") is None


def test_distances():
    assert distance_mm("L1", "L1") == 0
    assert distance_mm("L1", "L3") == pytest.approx(
        distance_mm("L1", "L2") + distance_mm("L2", "L3")
    )
    # T13 lies between only if it is meant.
    assert distance_mm("T12", "L1") < distance_mm("T12", "T13") + distance_mm("T13", "L1")
    assert distance_mm("L5", "S1") is None
