"""Lines of letters are found in pictures, and not where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.imaging.burned_in import lines_of_letters
from tests.support.example_pictures import body, with_letters

TEXTS = ("SYNTHETICA", "Canary, Anna", "03.02.2021", "ID 0073194")


@pytest.mark.parametrize("size", [10, 12, 14, 20, 32])
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("ground", ["black", "noise"])
def test_letters_are_found(text: str, size: int, ground: str) -> None:
    noise = np.random.default_rng(3).normal(40, 12, (200, 420)) if ground == "noise" else 0
    grey = np.clip(np.zeros((200, 420)) + noise, 0, 255).astype(np.uint8)
    written = with_letters(grey, text, size, (12, 60))
    assert lines_of_letters(grey) == 0
    assert lines_of_letters(written) >= 1
    assert lines_of_letters(255 - written) >= 1  # dark letters, too
    assert lines_of_letters(np.stack([written] * 3, axis=-1)) >= 1


@pytest.mark.parametrize("seed", range(12))
def test_a_body_has_none(seed: int) -> None:
    assert lines_of_letters(body(seed)[0]) == 0


def test_three_signs_are_no_line() -> None:
    """A side mark, or a level, is no name."""
    grey = np.zeros((80, 200), np.uint8)
    for sign in ("R", "L1", "T12"):
        assert lines_of_letters(with_letters(grey, sign, 20)) == 0
