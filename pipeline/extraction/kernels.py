"""The compiled kernels, or one clear error where they were not built."""

from __future__ import annotations

import functools
from types import ModuleType

from pipeline.core.errors import MachineError


@functools.cache
def kernels() -> ModuleType:
    """Return the compiled module.

    Raises
    ------
    MachineError
        If it was not built: there is no slow path that would silently take its place.
    """
    try:
        from pipeline.extraction import _kernels
    except ImportError as error:
        raise MachineError(
            "The fast engine needs its compiled kernels",
            found=type(error).__name__,
            where="pipeline/extraction/native",
            remedy="run `make install` (or `python setup.py build_ext --inplace`), or set "
            "extraction.engine: pyradiomics",
        ) from None
    return _kernels
