"""The compiled kernels of the maps."""

from __future__ import annotations

import functools
from pathlib import Path
from types import ModuleType

from pipeline.core.installed.compiled import compiled

FOLDER = Path(__file__).parent / "native"


@functools.cache
def kernels() -> ModuleType:
    """Return the compiled module, or raise as `pipeline.core.installed.compiled` does."""
    return compiled(_load, "A map", FOLDER, "--engine pyradiomics")


def _load() -> ModuleType:
    from pipeline.extraction.maps import _kernels

    return _kernels
