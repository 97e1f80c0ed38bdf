"""Which Python and which copy of the package the jobs of a run use: those that run Snakemake."""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from pathlib import Path


def use_package(root: str | Path) -> None:
    """Let the jobs of this process run this Python and import the project from `root`.

    A rule says ``python -m pipeline.ingest``, whether or not an environment is activated and
    whatever else is installed; the fingerprints in its parameters are those of `root`, so that the
    code must be too. An environment that Snakemake activates itself (``--sdm conda``) still wins.

    Parameters
    ----------
    root : path-like
        The folder that holds the package.
    """
    os.environ.update(environment(root))


def environment(root: str | Path) -> dict[str, str]:
    """Return this process's environment, with `root` and this Python before all others.

    Where the package is installed among other packages, Python finds it by itself. Named first,
    that folder would put those packages before Python's own modules.
    """
    first = {"PATH": str(Path(sys.executable).parent)}
    if Path(root) not in map(Path, _installed()):
        first["PYTHONPATH"] = str(root)
    return os.environ | {name: _with_first(name, folder) for name, folder in first.items()}


def _installed() -> set[str]:
    """Return the folders into which pip installs."""
    return {*map(sysconfig.get_path, ("purelib", "platlib")), site.getusersitepackages()}


def _with_first(variable: str, folder: str) -> str:
    others = [part for part in os.environ.get(variable, "").split(os.pathsep) if part != folder]
    return os.pathsep.join([folder, *filter(None, others)])
