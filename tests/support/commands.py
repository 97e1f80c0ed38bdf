"""Commands of the project as people and rules call them, run without a Python of their own.

Starting Python and loading the libraries takes longer than most stages on a small study. What a
test says of a process (its memory, its end, being killed) needs a real one.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import runpy
import signal
import subprocess
import sys
import traceback
import warnings
from pathlib import Path
from unittest import mock

from pipeline.core import command


def run_here(
    module: str, *arguments: object, cwd: str | Path | None = None
) -> subprocess.CompletedProcess:
    """Return what ``python -m <module> <arguments>`` ends with, prints and logs.

    The module's guarded command line is run anew, its arguments read, its errors told as there.

    Parameters
    ----------
    module : str
        Dotted name.
    *arguments : object
        Written as text.
    cwd : path-like, optional
        Folder in which it runs.
    """
    argv = [str(one) for one in arguments]
    root, out, err = logging.getLogger(), io.StringIO(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    ended = signal.getsignal(signal.SIGTERM)

    def run(main, options, given=None) -> None:
        command._run(main, options, argv if given is None else given)

    status: object = 0
    root.handlers[:] = []  # so that the command sets up its own log
    try:
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            contextlib.chdir(cwd or os.getcwd()),
            mock.patch.object(command, "run", run),
            mock.patch.object(sys, "argv", [module, *argv]),
            warnings.catch_warnings(),
        ):
            # It is imported by tests too: here it runs once more, as the main module.
            warnings.filterwarnings("ignore", ".*found in sys.modules", RuntimeWarning)
            runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        status = end.code or 0
    except Exception:
        err.write(traceback.format_exc())
        status = 1
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        signal.signal(signal.SIGTERM, ended)
    if isinstance(status, str):
        err.write(f"{status}\n")
        status = 1
    return subprocess.CompletedProcess([module, *argv], status, out.getvalue(), err.getvalue())
