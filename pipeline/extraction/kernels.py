"""The compiled kernels of the fast engine."""

from __future__ import annotations

import functools
from pathlib import Path
from types import ModuleType

from pipeline.core.installed.compiled import compiled

FOLDER = Path(__file__).parent / "native"


@functools.cache
def kernels() -> ModuleType:
    """Return the compiled module, or raise as `pipeline.core.installed.compiled` does."""
    return compiled(_load, "The fast engine", FOLDER, "extraction.engine: pyradiomics")


def _load() -> ModuleType:
    from pipeline.extraction import _kernels

    return _kernels
