"""A machine that cannot install this is refused in one line, before anything is downloaded."""

from __future__ import annotations

import ast
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

KNOWN = [(3, 11), (3, 12), (3, 13)]


@pytest.fixture(scope="module")
def check(repository: Path) -> dict:
    return runpy.run_path(str(repository / "install" / "check_python.py"))


@pytest.fixture
def pretended(tmp_path: Path):
    """Return a function: a command that is this Python, but says that it is another version."""

    def make(version: tuple[int, ...], name: str = "python3") -> Path:
        command = tmp_path / name
        code = (
            f"import runpy, sys; sys.version_info = {(*version, 'final', 0)}; "
            "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
        )
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{code}" "$@"\n')
        command.chmod(0o755)
        return command

    return make


def make_install(repository: Path, python: str | Path, venv: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["make", "-s", "install", f"PYTHON={python}", f"VENV={venv}"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )


def test_supported_pythons_are_those_of_the_package(check, repository):
    assert check["supported"]() == KNOWN
    text = (repository / "pyproject.toml").read_text()
    for version in KNOWN:
        assert f'"Programming Language :: Python :: {check["written"](version)}"' in text
    assert tuple(sys.version_info[:2]) in KNOWN


def test_the_check_runs_on_old_pythons(repository):
    source = (repository / "install" / "check_python.py").read_text()
    ast.parse(source, feature_version=(3, 6))


@pytest.mark.parametrize(("version", "word"), [((3, 10, 13), "too old"), ((3, 14, 0), "too new")])
def test_make_refuses_a_python_before_it_downloads(repository, tmp_path, pretended, version, word):
    venv = tmp_path / "venv"
    done = make_install(repository, pretended(version), venv)
    assert done.returncode != 0
    assert not venv.exists()
    said = (done.stdout + done.stderr).splitlines()
    (line,) = [text for text in said if not text.startswith("make")]
    assert line.startswith(f"Python {'.'.join(map(str, version))} is {word}: ")
    assert "3.11 to 3.13" in line
    assert "Remedy: " in line


def test_make_says_that_there_is_no_python(repository, tmp_path):
    done = make_install(repository, "python-of-nowhere", tmp_path / "venv")
    assert done.returncode != 0
    assert "python-of-nowhere is not on this machine. Remedy: " in done.stdout
    assert not (tmp_path / "venv").exists()


def test_a_fitting_python_of_this_machine_is_named(check):
    line = check["version_problem"]((3, 10, 1), KNOWN, ["python3.12", "python3.11"])
    assert line.endswith("Remedy: add PYTHON=python3.12 to the command.")
    line = check["version_problem"]((3, 15, 0), KNOWN, [])
    assert "python3.13-venv python3.13-dev" in line
    for version in KNOWN:
        assert check["version_problem"]((*version, 4), KNOWN, []) is None


def test_the_python_that_is_named_is_asked_for_its_version(check, tmp_path, monkeypatch):
    # What is called python3.13 may be anything; only one that says so itself is named.
    here = ".".join(map(str, sys.version_info[:2]))
    for name in ("python3.11", "python3.12", "python3.13"):
        command = tmp_path / name
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/nowhere")
    assert check["others_here"](KNOWN) == [f"python{here}"]


def test_a_system_without_builds_is_refused(check):
    assert "macOS: xgboost-cpu has no build for it. Remedy: " in check["system_problem"]("darwin")
    assert check["system_problem"]("linux") is None


def test_missing_packages_are_named_at_once(check):
    line = check["missing_problem"]((3, 13, 5), False, False, None)
    assert "sudo apt-get install python3.13-venv python3.13-dev gcc " in line
    assert "gcc" not in check["missing_problem"]((3, 13, 5), True, False, "/usr/bin/cc")
    assert check["missing_problem"]((3, 13, 5), True, True, "/usr/bin/cc") is None


def test_an_environment_of_another_python_is_not_mixed(check, tmp_path):
    environment = tmp_path / "venv"
    environment.mkdir()
    (environment / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.11.2\n")
    line = check["environment_problem"](str(environment), (3, 13, 5))
    assert "was made with Python 3.11, and this is 3.13" in line
    assert f"rm -r {environment}" in line
    assert check["environment_problem"](str(environment), (3, 11, 9)) is None
    assert check["environment_problem"](str(tmp_path / "none"), (3, 13, 5)) is None
