"""Jobs find the Python and the checkout that run Snakemake first, and everything else after."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

import pytest

from pipeline.core.installed.job_environment import use_package


def test_this_python_and_checkout_come_first_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join(["/usr/bin", "/bin"]))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    python = str(Path(sys.executable).parent)
    for _ in range(2):
        use_package(tmp_path)
        assert os.environ["PATH"].split(os.pathsep) == [python, "/usr/bin", "/bin"]
        assert os.environ["PYTHONPATH"] == str(tmp_path)
    monkeypatch.setenv("PYTHONPATH", "/other")
    use_package(tmp_path)
    assert os.environ["PYTHONPATH"].split(os.pathsep) == [str(tmp_path), "/other"]


def test_an_installed_package_is_found_without_being_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder, put first, would hide Python's own modules behind packages of their names."""
    monkeypatch.setenv("PYTHONPATH", "/other")
    use_package(sysconfig.get_path("purelib"))
    assert os.environ["PYTHONPATH"] == "/other"
