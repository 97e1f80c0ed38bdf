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
    _put_first("PYTHONPATH", str(root))
    _put_first("PATH", str(Path(sys.executable).parent))


def _put_first(variable: str, folder: str) -> None:
    others = [part for part in os.environ.get(variable, "").split(os.pathsep) if part != folder]
    os.environ[variable] = os.pathsep.join([folder, *filter(None, others)])
