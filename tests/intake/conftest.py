"""What tests of the intake share: a hospital, and a search for who was in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from intake.identity.byte_search import Search
from tests.support.hospital import Hospital
from tests.support.identities import IDENTITIES


@pytest.fixture(scope="session")
def search() -> Search:
    """Return a search for the people of `tests.support.identities`."""
    return Search(IDENTITIES)


@pytest.fixture
def hospital(tmp_path: Path) -> Hospital:
    return Hospital(tmp_path)
