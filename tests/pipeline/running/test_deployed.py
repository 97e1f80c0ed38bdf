"""Rules and package that do not belong together are refused in one line each."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pipeline.core.errors import VertebromicsError
from pipeline.core.version import VERSION
from pipeline.running.deployed import (
    RULES,
    check_paths,
    check_rules,
    check_working_directory,
)
from tests.support.refusals import refusal


def test_one_version(repository: Path) -> None:
    """Where it is written: for people, for pip, for Python and for the Snakefile."""
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project.get("version", VERSION) == VERSION
    rules = (RULES / "package.smk").read_text(encoding="utf-8")
    assert re.search(r'^VERSION = "(.+)"$', rules, re.M)[1] == VERSION


def test_the_own_rules_are_accepted() -> None:
    check_rules(VERSION, lambda name: (RULES / name).read_text(encoding="utf-8"))


def test_another_version_is_refused() -> None:
    with refusal(
        "package-of-another-version",
        VertebromicsError,
        match=rf"Found: Snakefile 9\.9\.9, package {VERSION}",
    ):
        check_rules("9.9.9", lambda name: "")


def test_other_rules_of_the_same_version_are_refused() -> None:
    def read(name: str) -> str:
        return (RULES / name).read_text(encoding="utf-8") + "#" * (name == "train.smk")

    with refusal("package-of-another-version", match=r"both say .*rules differ \(train\.smk\)"):
        check_rules(VERSION, read)


def test_a_package_without_rules_is_refused(tmp_path: Path) -> None:
    with refusal("package-of-another-version", match="Found: a package without rules"):
        check_rules(VERSION, lambda name: "", tmp_path)


@pytest.mark.parametrize("name", ["models/__init__.py", "pipeline.py"])
def test_packages_in_the_working_directory_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "models").mkdir()
    check_working_directory(tmp_path)  # a folder that is no package hides none
    (tmp_path / name).write_text("")
    with refusal("package-shadowed"):
        check_working_directory(tmp_path)


def test_the_checkout_is_a_working_directory(repository: Path) -> None:
    check_working_directory(repository)


def test_a_prefix_is_refused() -> None:
    check_paths(["results/s", "data/a.csv"], lambda path: path)
    with refusal("module-prefix-refused", match="x/results/s"):
        check_paths(["results/s"], lambda path: f"x/{path}")


MODULE = """
module vertebromics:
    snakefile: "{root}/Snakefile"
    config: {{"study": "s"}}

use rule * from vertebromics
"""


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"pipeline/__init__.py": "", "pipeline/core/version.py": 'VERSION = "0.0.9"'},
            # An editable installation completes the foreign package by its own modules.
            rf"The package vertebromics {VERSION} must be installed where snakemake runs\. |"
            rf"Found: Snakefile {VERSION}, package 0\.0\.9\. In: ",
        ),
        (
            {"pipeline/core/version.py": 'VERSION = "0.0.9"'},
            r"must run with the installed package of its own version\. Found: Snakefile "
            rf"{VERSION}, package 0\.0\.9\. In: ",
        ),
    ],
    ids=["a foreign package", "another version"],
)
def test_what_pythonpath_brings_is_looked_at(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch, files: dict, message: str
) -> None:
    """Before another copy than the Snakefile's is used without a word."""
    other, here = tmp_path / "other", tmp_path / "here"
    here.mkdir()
    if "pipeline/__init__.py" not in files:
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(repository / "pipeline", other / "pipeline", ignore=ignore)
    for name, text in files.items():
        (other / name).parent.mkdir(parents=True, exist_ok=True)
        (other / name).write_text(text)
    (here / "Snakefile").write_text(MODULE.format(root=repository))
    monkeypatch.setenv("PYTHONPATH", str(other))
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n"],
        cwd=here,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert re.search(message, said)
    assert "Traceback" not in said
