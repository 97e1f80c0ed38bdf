"""One lock: requirements.txt and environment.yml carry the same exact pins, and they install."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

CONDA_INSTALLS = ("pip", "setuptools", "numpy")


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


@pytest.fixture(scope="module")
def requirements(repository: Path) -> dict[str, str]:
    text = (repository / "requirements.txt").read_text()
    return pins_of([line for line in text.splitlines() if line and not line.startswith("#")])


@pytest.fixture(scope="module")
def environment(repository: Path) -> list:
    return yaml.safe_load((repository / "environment.yml").read_text())["dependencies"]


def test_environment_carries_the_same_pins(requirements, environment):
    conda = [entry for entry in environment if isinstance(entry, str) and "python" not in entry]
    (pip,) = [entry["pip"] for entry in environment if isinstance(entry, dict)]
    from_conda = pins_of(conda, "=")
    assert set(from_conda) == set(CONDA_INSTALLS)
    assert from_conda | pins_of(pip) == requirements


def test_lock_holds_every_choice(repository, requirements):
    for line in (repository / "requirements.in").read_text().splitlines():
        choice = line.partition("#")[0].strip()
        if choice:
            name, _, version = choice.partition("==")
            assert normalised(name) in requirements
            assert not version or requirements[normalised(name)] == version


def test_running_environment_is_the_lock(requirements):
    from importlib.metadata import version

    wrong = {
        name: version(name)
        for name, pin in requirements.items()
        if version(name).partition("+")[0] != pin
    }
    assert not wrong


@pytest.mark.slow
def test_pip_part_of_environment_installs(environment, tmp_path):
    """Conda's part is played by pip, then the pip part goes in as conda would hand it over."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    python = venv / "bin" / "python"
    conda = [entry.replace("=", "==") for entry in environment if isinstance(entry, str)]
    conda = [entry for entry in conda if not entry.startswith("python=")]
    (pip,) = [entry["pip"] for entry in environment if isinstance(entry, dict)]
    listed = tmp_path / "pip-part.txt"
    listed.write_text("\n".join(pip))
    subprocess.run([python, "-m", "pip", "install", "-q", *conda], check=True)
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "-r", listed],
        check=True,
        env=os.environ | {"PIP_NO_BUILD_ISOLATION": "0"},
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
    for name in ("pipeline", "segmentation", "models", "demo"):
        shutil.copytree(repository / name, tmp_path / name, ignore=compiled)
    target = tmp_path / "installed"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-build-isolation", "--no-deps",
         "--target", target, tmp_path],
        check=True,
    )  # fmt: skip
    code = "from pipeline.extraction.kernels import kernels; print(kernels().__file__)"
    found = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=target,
        env=os.environ | {"PYTHONPATH": str(target)},
    )
    assert found.stdout.startswith(str(target))
    assert (target / "pipeline/extraction/native/spline.c").exists()
