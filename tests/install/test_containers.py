"""The recipes of containers: one set of packages and steps, and nothing of a study inside."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def recipes(repository: Path) -> list[str]:
    return [
        (repository / "containers" / name).read_text(encoding="utf-8")
        for name in ("Dockerfile", "vertebromics.def")
    ]


def test_both_recipes_install_the_same(recipes) -> None:
    for pattern in (
        r"apt-get install -y --no-install-recommends (.+?)(?: \\)?\n",
        r"debian:\d+-slim",
        r"make install TORCH=",
        r"PATH=/opt/vertebromics/\.venv/bin:\$PATH",
    ):
        docker, apptainer = (re.search(pattern, recipe) for recipe in recipes)
        assert docker, pattern
        assert apptainer, pattern
        assert docker.groups() == apptainer.groups()


def test_recipes_install_what_the_readme_asks_for(recipes, repository) -> None:
    readme = (repository / "README.md").read_text(encoding="utf-8")
    asked = re.search(r"sudo apt-get install (python3 .+)", readme).group(1).split()
    for recipe in recipes:
        installed = re.search(r"--no-install-recommends (.+?)(?: \\)?\n", recipe).group(1).split()
        assert set(asked) <= set(installed)


def test_an_image_holds_what_is_committed_and_nothing_of_a_study(repository: Path) -> None:
    """What may go in is listed name by name; a new folder is in the list, or here."""
    lines = (repository / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "**"  # what is not listed stays out
    kept = {rule[1:] for rule in rules if rule.startswith("!")}
    listed = subprocess.run(
        ["git", "-C", repository, "ls-tree", "--name-only", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("no git checkout")
    committed = set(listed.stdout.split())
    left_out = {".dockerignore", ".gitignore", ".pre-commit-config.yaml", ".github"}
    left_out |= {"CHANGELOG.md", "CONTRIBUTING.md", "workflow", ".snakemake-workflow-catalog.yml"}
    patterns = {
        "requirements.txt": "requirements*.txt",
        "requirements-dev.txt": "requirements*.txt",
    }
    assert {patterns.get(name, name) for name in committed - left_out} == kept
    assert not kept & {"results", "studies", "build", "dist", ".git", ".venv"}


@pytest.mark.slow
def test_an_image_is_built_and_runs_a_study(repository: Path) -> None:
    for tool in ("buildah", "debootstrap"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}")
    if os.geteuid() != 0:
        pytest.skip("needs root, for a bare Debian in a folder")
    done = subprocess.run(
        [repository / "tests" / "containers" / "run.sh", "debian13"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_an_apptainer_image_runs_the_rules_of_a_study(repository: Path) -> None:
    """VERTEBROMICS_BARE names a bare Debian to begin with; else a registry is asked for one."""
    if shutil.which("apptainer") is None:
        pytest.skip("needs apptainer")
    if os.geteuid() == 0:
        pytest.skip("Apptainer builds as an ordinary user")
    base = [os.environ["VERTEBROMICS_BARE"]] if os.getenv("VERTEBROMICS_BARE") else []
    done = subprocess.run(
        [repository / "tests" / "containers" / "apptainer.sh", *base],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"BIN": str(Path(sys.executable).parent)},
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_image_keeps_the_threads_and_the_code_of_a_rule(recipes) -> None:
    """Snakemake says the threads by variables, and starts commands in the caller's folder."""
    _, apptainer = recipes
    environment = apptainer.partition("%environment")[2]
    set_there = dict(re.findall(r"export (\w+)=(\S*)", environment))
    assert set_there.pop("PATH").startswith("/opt/vertebromics/.venv/bin:")
    assert set_there == {"PYTHONPATH": "", "PYTHONSAFEPATH": "1"}


@pytest.mark.parametrize("words", [["one", "two"], ["base", "debian11", "folder", "somebody"]])
def test_wrong_words_for_apptainer_are_told(repository: Path, words) -> None:
    script = repository / "tests" / "containers" / "apptainer.sh"
    done = subprocess.run(["bash", script, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "tests/containers/apptainer.sh [FOLDER]" in done.stderr
