"""Which Python and which checkout the jobs of a run use: those that run Snakemake."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def use_checkout(root: str | Path) -> None:
    """Let this process and its jobs run this Python and import the project from `root`.

    A rule says ``python -m pipeline.ingest``, whether or not an environment is activated and
    whatever else is installed; the fingerprints in its parameters are those of `root`, so that the
    code must be too. An environment that Snakemake activates itself (``--sdm conda``) still wins.

    Parameters
    ----------
    root : path-like
        The folder of the Snakefile.
    """
    os.environ.update(environment(root))


def environment(root: str | Path) -> dict[str, str]:
    """Return this process's environment, with `root` and this Python before all others."""
    first = {"PYTHONPATH": str(root), "PATH": str(Path(sys.executable).parent)}
    return os.environ | {name: _with_first(name, folder) for name, folder in first.items()}


def _with_first(variable: str, folder: str) -> str:
    others = [part for part in os.environ.get(variable, "").split(os.pathsep) if part != folder]
    return os.pathsep.join([folder, *filter(None, others)])
