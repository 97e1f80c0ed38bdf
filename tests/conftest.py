"""Fixtures that every test may use."""

from __future__ import annotations

import gc
import os
import sys

# Results of some libraries change with the thread count, and two cores are soon oversubscribed.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

# Compiled modules are kept, also for the processes that tests start: Python is started often.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# SHAP's helpers run as plain Python: compiling them takes longer than any test's SHAP values.
# `make test-full` lets them be compiled.
os.environ.setdefault("NUMBA_DISABLE_JIT", "1")

# Whether content has reached the disk shows after a power cut only; a test that looks at the order
# of writes puts its own function here.
os.fsync = os.fstat

from pathlib import Path  # noqa: E402

import pytest  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

# A test fails by what it finds, never by how long a busy machine takes. Properties are tried on 40
# draws, where a test does not say on how many; `make test-full` takes hypothesis' own 100.
settings.register_profile("full", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("full"), max_examples=40)
settings.load_profile("quick")

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over the modules and tests, which live to the end."""
    gc.freeze()


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
