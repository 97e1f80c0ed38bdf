"""The compiled kernels, or one clear error where they were not built, or from other sources."""

from __future__ import annotations

import functools
from types import ModuleType

from pipeline.core.errors import MachineError
from pipeline.extraction.native_sources import sources_hash

REMEDY = (
    "run `make install` (or `python setup.py build_ext --inplace`), or set "
    "extraction.engine: pyradiomics"
)


@functools.cache
def kernels() -> ModuleType:
    """Return the compiled module.

    Raises
    ------
    MachineError
        If it was not built, since there is no slow path that would silently take its place; or if
        it was built from C sources other than those that lie here, and that results are told by.
    """
    try:
        from pipeline.extraction import _kernels
    except ImportError as error:
        raise MachineError(
            "The fast engine needs its compiled kernels",
            found=type(error).__name__,
            where="pipeline/extraction/native",
            remedy=REMEDY,
            code="kernels-missing",
        ) from None
    built, here = getattr(_kernels, "SOURCES_HASH", "an older version"), sources_hash()
    if here not in (None, built):
        raise MachineError(
            "The compiled kernels must be built from the C sources that lie beside them",
            found=f"kernels of {built}, sources of {here}",
            where="pipeline/extraction/native",
            remedy=REMEDY,
            code="kernels-outdated",
        )
    return _kernels
