"""Names of commands: what was typed, and the names that they had before, for one release."""

from __future__ import annotations

import runpy
import sys

#: Environment variable: what was typed to start a command, if not ``python -m``.
NAME_VARIABLE = "VERTEBROMICS_COMMAND"


def run_moved(old: str, new: str) -> None:
    """Say where a command lies now, and run it.

    Parameters
    ----------
    old, new : str
        Modules, as ``python -m`` takes them.
    """
    print(
        f"python -m {old} is now python -m {new}; the old name goes with the next release",
        file=sys.stderr,
    )
    runpy.run_module(new, run_name="__main__", alter_sys=True)
