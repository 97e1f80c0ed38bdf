"""Damaged and hostile files of frozen models, by number (`tests/fuzz/frozen.py`)."""

from __future__ import annotations

import pytest

from tests.fuzz.driver import run

MODULE = "tests.fuzz.frozen"


def all_refused(tried: dict[int, dict]) -> None:
    failures = [one for one in tried.values() if not one["verdict"].startswith("refused")]
    assert not failures, failures[:20]


def test_some_frozen_models(repository):
    tried = run(MODULE, 120, repository)
    assert len(tried) == 120
    assert len({one["way"] for one in tried.values()}) > 20
    all_refused(tried)


@pytest.mark.slow
def test_a_thousand_frozen_models(repository):
    tried = run(MODULE, 1000, repository)
    assert len(tried) == 1000
    all_refused(tried)
