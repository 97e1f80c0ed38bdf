"""What tests of the search for identity share."""

from __future__ import annotations

import pytest

from intake.identity.byte_search import Search
from tests.support.identities import IDENTITIES


@pytest.fixture(scope="session")
def search() -> Search:
    """Return a search for the people of `tests.support.identities`."""
    return Search(IDENTITIES)
