"""Fixtures that every test may use."""

from __future__ import annotations

import os

# Results of some libraries change with the thread count, and two cores are soon oversubscribed.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

from pathlib import Path  # noqa: E402

import pytest  # noqa: E402

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def testdata() -> Path:
    """Return the folder of public CTs and tables, or skip: it is no part of the project."""
    folder = os.environ.get("VERTEBROMICS_TESTDATA")
    if not folder:
        pytest.skip("needs public test data: set VERTEBROMICS_TESTDATA to its folder")
    path = Path(folder)
    if not (path / "README.md").exists():
        pytest.skip(f"VERTEBROMICS_TESTDATA has no README.md: {path.name}")
    return path
