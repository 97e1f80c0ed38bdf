"""What a stage keys its results by is the fingerprint of its own code, and is looked up once."""

from __future__ import annotations

import importlib

import pytest

from pipeline.running.fingerprint import code_fingerprint


@pytest.mark.parametrize(
    "name", ["pipeline.ingest", "segmentation.masks", "segmentation.agreement"]
)
def test_a_stage_asks_for_its_own_code_once(name, monkeypatch):
    stage = importlib.import_module(name)
    asked = []
    stage._code.cache_clear()
    monkeypatch.setattr(
        stage, "code_fingerprint", lambda module: asked.append(module) or code_fingerprint(module)
    )
    assert stage._code() == stage._code() == code_fingerprint(name)
    assert asked == [name]
    assert list(stage._versions()) == list(stage.LIBRARIES)
