"""One lock: requirements.txt and environment.yml carry the same exact pins, and they install.

What development needs beside it has a lock of its own; pyproject.toml has the ranges of both.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

CONDA_INSTALLS = ("pip", "setuptools", "numpy")
BUILT_AFTERWARDS = "pyradiomics"  # by environment.post-deploy.sh


def normalised(name: str) -> str:
    """Return a distribution's name as PEP 503 compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins_of(lines: list[str], separator: str = "==") -> dict[str, str]:
    """Return name -> version; every line must be one exact pin."""
    pins = {}
    for line in lines:
        name, _, version = line.partition(separator)
        assert re.fullmatch(r"[A-Za-z0-9._-]+", name), line
        assert re.fullmatch(r"[0-9][0-9a-z.]*", version), f"not a plain exact pin: {line}"
        pins[normalised(name)] = version
    return pins


def pins_in(lock: Path) -> dict[str, str]:
    lines = lock.read_text().splitlines()
    return pins_of([line for line in lines if line and not line.startswith("#")])


@pytest.fixture(scope="module")
def requirements(repository: Path) -> dict[str, str]:
    return pins_in(repository / "requirements.txt")


@pytest.fixture(scope="module")
def development(repository: Path) -> dict[str, str]:
    return pins_in(repository / "requirements-dev.txt")


@pytest.fixture(scope="module")
def project(repository: Path) -> dict:
    return tomllib.loads((repository / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def environment(repository: Path) -> list:
    return yaml.safe_load((repository / "environment.yml").read_text())["dependencies"]


def test_environment_carries_the_same_pins(requirements, environment):
    conda = [entry for entry in environment if isinstance(entry, str) and "python" not in entry]
    (pip,) = [entry["pip"] for entry in environment if isinstance(entry, dict)]
    from_conda = pins_of(conda, "=")
    assert set(from_conda) == set(CONDA_INSTALLS)
    listed = from_conda | pins_of(pip)
    assert BUILT_AFTERWARDS not in listed
    assert listed | {BUILT_AFTERWARDS: requirements[BUILT_AFTERWARDS]} == requirements


def test_the_script_of_pyradiomics_builds_the_locked_one(repository, requirements):
    script = (repository / "environment.post-deploy.sh").read_text()
    assert f"pyradiomics=={requirements['pyradiomics']}\n" in script
    for name in ("setuptools", "numpy"):
        wanted = Requirement(re.search(rf"'({name}[^']+)'", script).group(1))
        assert wanted.specifier.contains(requirements[name])


def test_the_package_depends_on_the_choices_of_the_lock(repository, project, requirements):
    choices = [
        normalised(re.match(r"[A-Za-z0-9._-]+", line).group())
        for line in (repository / "requirements.in").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    ranges = [Requirement(text) for text in project["dependencies"]]
    assert {normalised(wanted.name) for wanted in ranges} == set(choices)
    for wanted in ranges:
        assert wanted.specifier.contains(requirements[normalised(wanted.name)]), wanted


def test_development_has_a_lock_of_its_own(project, requirements, development):
    for text in project["optional-dependencies"]["dev"]:
        wanted = Requirement(text)
        assert wanted.specifier.contains(development[normalised(wanted.name)])
        assert normalised(wanted.name) not in requirements
    assert not requirements.keys() & development.keys()


def test_lock_holds_every_choice(repository, requirements):
    for line in (repository / "requirements.in").read_text().splitlines():
        choice = line.partition("#")[0].strip()
        if choice:
            name, _, version = choice.partition("==")
            assert normalised(name) in requirements
            assert not version or requirements[normalised(name)] == version


def test_running_environment_is_the_lock(requirements, development):
    from importlib.metadata import version

    wrong = {
        name: version(name)
        for name, pin in (requirements | development).items()
        if version(name).partition("+")[0] != pin
    }
    assert not wrong


@pytest.mark.slow
def test_pip_part_of_environment_installs(repository, environment, tmp_path):
    """Conda's part is played by pip, then the pip part goes in as conda would hand it over.

    Nothing comes from pip's cache, whose wheel of PyRadiomics hides how it is built.
    """
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    python = venv / "bin" / "python"
    conda = [entry.replace("=", "==") for entry in environment if isinstance(entry, str)]
    conda = [entry for entry in conda if not entry.startswith("python=")]
    (pip,) = [entry["pip"] for entry in environment if isinstance(entry, dict)]
    listed = tmp_path / "pip-part.txt"
    listed.write_text("\n".join(pip))
    subprocess.run([python, "-m", "pip", "install", "-q", *conda], check=True)
    subprocess.run([python, "-m", "pip", "install", "-q", "-r", listed], check=True)
    activated = os.environ | {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(
        ["bash", repository / "environment.post-deploy.sh"],
        check=True,
        env=activated | {"PIP_NO_CACHE_DIR": "1"},
    )
    found = subprocess.run(
        [python, "-c", "import radiomics, torch, xgboost; print(radiomics.__version__)"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert found.stdout.strip() == "v3.0.1"


@pytest.mark.slow
def test_the_package_installs_with_its_kernels(repository, tmp_path):
    """What `pip install --no-build-isolation --no-deps .` does in the conda route."""
    kept = ("pyproject.toml", "setup.py", "README.md", "LICENSE")
    for name in kept:
        shutil.copy(repository / name, tmp_path / name)
    compiled = shutil.ignore_patterns("*.so", "__pycache__")
    for name in ("pipeline", "segmentation", "models", "deployment", "intake", "demo"):
        shutil.copytree(repository / name, tmp_path / name, ignore=compiled)
    target = tmp_path / "installed"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-build-isolation", "--no-deps",
         "--target", target, tmp_path],
        check=True,
    )  # fmt: skip
    code = (
        "from models.learning.kernels import kernels as others\n"
        "from pipeline.extraction.kernels import kernels\n"
        "print(kernels().__file__, others().__file__, sep='\\n')"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=target,
        env=os.environ | {"PYTHONPATH": str(target)},
    )
    files = found.stdout.splitlines()
    assert len(files) == 2
    assert all(file.startswith(str(target)) for file in files)
    assert (target / "pipeline/extraction/native/spline.c").exists()
    assert (target / "models/learning/native/network.h").exists()
