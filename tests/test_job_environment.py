"""Jobs find the Python and the checkout that run Snakemake first, and everything else after."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from pipeline.core.job_environment import use_checkout


def test_this_python_and_checkout_come_first_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join(["/usr/bin", "/bin"]))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    python = str(Path(sys.executable).parent)
    for _ in range(2):
        use_checkout(tmp_path)
        assert os.environ["PATH"].split(os.pathsep) == [python, "/usr/bin", "/bin"]
        assert os.environ["PYTHONPATH"] == str(tmp_path)
    monkeypatch.setenv("PYTHONPATH", "/other")
    use_checkout(tmp_path)
    assert os.environ["PYTHONPATH"].split(os.pathsep) == [str(tmp_path), "/other"]
