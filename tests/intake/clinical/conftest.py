"""What tests of a clinical sheet share: a hospital that hands one over."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.clinical_ward import Ward


@pytest.fixture
def ward(tmp_path: Path) -> Ward:
    return Ward(tmp_path)
