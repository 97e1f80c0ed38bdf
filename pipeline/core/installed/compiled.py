"""Compiled kernels, or one clear error where they were not built, or from other sources."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from pipeline.core.errors import MachineError
from pipeline.core.installed.native_sources import sources_hash

BUILD = "run `make install` (or `python setup.py build_ext --inplace`)"


def compiled(load: Callable[[], ModuleType], who: str, folder: Path, instead: str) -> ModuleType:
    """Return a compiled module that was built from the sources in `folder`.

    Parameters
    ----------
    load : callable
        Imports and returns the module.
    who : str
        Who needs it, such as ``The fast engine``.
    folder : pathlib.Path
        Where its C sources lie.
    instead : str
        What a person may set who cannot build it.

    Raises
    ------
    MachineError
        If it was not built, since there is no slow path that would silently take its place; or if
        it was built from C sources other than those that lie here, and that results are told by.
    """
    where = "/".join(folder.parts[-3:])
    remedy = f"{BUILD}, or set {instead}"
    try:
        module = load()
    except ImportError as error:
        raise MachineError(
            f"{who} needs its compiled kernels",
            found=type(error).__name__,
            where=where,
            remedy=remedy,
            code="kernels-missing",
        ) from None
    built, here = getattr(module, "SOURCES_HASH", "an older version"), sources_hash(folder)
    if here not in (None, built):
        raise MachineError(
            "The compiled kernels must be built from the C sources that lie beside them",
            found=f"kernels of {built}, sources of {here}",
            where=where,
            remedy=remedy,
            code="kernels-outdated",
        )
    return module
