"""The preflight finds planted faults, and leaves clean masks alone."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.preflight_faults.faults import FAULTS, fits
from benchmarks.preflight_faults.judging import judge_clean, plant
from benchmarks.preflight_faults.scenes import real, synthetic


@pytest.fixture(autouse=True)
def silent():
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="module")
def scenes() -> list:
    """Return a spine with thin slices, and one with thick ones and a cleft."""
    return list(synthetic([1, 9]))


def test_clean_synthetic_masks_are_clean_and_a_cleft_is_a_note(scenes):
    judged = list(judge_clean(scenes))
    assert [verdict for _, verdict, _ in judged] == ["ok"] * 8
    notes = Counter(code for _, _, codes in judged for code in codes)
    assert notes == {"vacuum-cleft": 2}  # both readers' masks of the one cleft vertebra


def missed_in(scenes: list, faults: list[str]) -> list[tuple[str, dict]]:
    """Plant faults in scenes; return those that were not named, with what was."""
    seen, missed = set(), []
    for name, _, codes, named in plant(scenes, faults):
        seen.add(name)
        if not named:
            missed.append((name, codes))
    assert seen == set(faults)
    return missed


def test_planted_faults_are_found(scenes):
    """Each in one of the spines, in turn; `make test-full` plants all in both."""
    planted: list[list[str]] = [[] for _ in scenes]
    for number, (name, (_, needs)) in enumerate(FAULTS.items()):
        fitting = [place for place, scene in enumerate(scenes) if fits(scene, needs)]
        planted[fitting[number % len(fitting)]].append(name)
    assert all(len(names) > 10 for names in planted)
    for scene, names in zip(scenes, planted, strict=True):
        assert missed_in([scene], names) == []


@pytest.mark.slow
def test_planted_faults_are_found_in_either_spine(scenes):
    assert missed_in(scenes, list(FAULTS)) == []


@pytest.mark.parametrize(
    ("fault", "verdict"),
    [
        ("Cement before surgery", "error"),
        ("Levels swapped", "error"),
        ("CT of another patient of the study", "error"),
        ("Stray island", "warning"),
        ("Whole vertebra instead of the body", "warning"),
    ],
)
def test_faults_weigh_what_they_should(scenes, fault, verdict):
    for _, _, codes, _ in plant(scenes[:1], [fault]):
        assert ("error" in codes.values()) is (verdict == "error")


def test_clean_real_masks_raise_no_error(testdata: Path):
    verdicts = Counter()
    for kind, verdict, codes in judge_clean(list(real(testdata))):
        verdicts[kind, verdict] += 1
        assert "error" not in codes.values(), codes
    masks = Counter()
    for (kind, _), count in verdicts.items():
        masks[kind] += count
    assert masks == {"body": 22, "vertebra": 22}
    # Whole vertebrae: no false alarm at all; bodies on 3 mm voxels: few (docs/preflight.md).
    assert verdicts["vertebra", "warning"] == 0
    assert verdicts["body", "warning"] <= 2
