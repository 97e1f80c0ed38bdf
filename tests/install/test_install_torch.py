"""Which build of PyTorch is installed, and the line that says why; with local indexes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

VERSION = "2.13.0"


def write_wheel(folder: Path, version: str) -> str:
    """Write an empty distribution called torch, and return its file name."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"torch-{version}-py3-none-any.whl"
    info = f"torch-{version}.dist-info"
    with zipfile.ZipFile(folder / name, "w") as wheel:
        wheel.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n"
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    return name


def write_index(folder: Path, *versions: str) -> str:
    """Write a package index that holds these versions of torch, and return its address."""
    names = [write_wheel(folder / "torch", version) for version in versions]
    links = "".join(f'<a href="{name}">{name}</a>\n' for name in names)
    (folder / "torch").mkdir(parents=True, exist_ok=True)
    (folder / "torch" / "index.html").write_text(
        f"<!DOCTYPE html><html><body>{links}</body></html>"
    )
    return folder.as_uri()


def site_of(python: Path) -> Path:
    (site,) = (python.parents[1] / "lib").glob("python*/site-packages")
    return site


def installed(python: Path) -> str:
    """Return the version of torch that is there, empty where there is none."""
    found = [path.name for path in site_of(python).glob("torch-*.dist-info")]
    assert len(found) <= 1
    return "".join(found).removeprefix("torch-").removesuffix(".dist-info")


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    """Return the Python of an environment of its own, with the locked pip."""
    venv = tmp_path_factory.mktemp("torch") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    python = venv / "bin" / "python"
    # The pip of this environment, seen from that one.
    import pip

    (site_of(python) / "pip").symlink_to(Path(pip.__file__).parent)
    return python


@pytest.fixture
def choose(python, repository, tmp_path):
    """Return a function: run the choice with a CPU index, a default index and a PATH."""

    def run(wish: str, cpu: str, default: str, nvidia: str | None = None):
        tools = tmp_path / "tools"
        tools.mkdir(exist_ok=True)
        if nvidia is not None:
            (tools / "nvidia-smi").write_text(f"#!/bin/sh\n{nvidia}\n")
            (tools / "nvidia-smi").chmod(0o755)
        settings = {
            name: value for name, value in os.environ.items() if not name.startswith("PIP_")
        }
        settings |= {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": default,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "TORCH_INDEX": cpu,
            "PATH": f"{tools}:/bin",
        }
        done = subprocess.run(
            [python, repository / "install" / "torch_build.py", wish],
            env=settings,
            capture_output=True,
            text=True,
            check=False,
        )
        return done, installed(python)

    return run


@pytest.fixture(autouse=True)
def _no_torch(python):
    yield
    for folder in site_of(python).glob("torch-*.dist-info"):
        shutil.rmtree(folder)


@pytest.fixture
def cpu(tmp_path) -> str:
    return write_index(tmp_path / "cpu index", VERSION + "+cpu", "2.99.0+cpu")


@pytest.fixture
def default(tmp_path) -> str:
    return write_index(tmp_path / "default", VERSION, "2.99.0")


CARD = "echo 'GPU 0: NVIDIA H100 (UUID: GPU-0)'"


def only_line(done: subprocess.CompletedProcess) -> str:
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    return line


def test_without_a_driver_the_cpu_build_is_taken(choose, cpu, default):
    done, version = choose("auto", cpu, default)
    assert version == VERSION + "+cpu"
    assert only_line(done) == (
        f"PyTorch {VERSION}: the CPU build, because no NVIDIA driver was found "
        "(TORCH=cuda takes the CUDA build)"
    )


def test_with_a_driver_the_cuda_build_is_taken(choose, cpu, default):
    done, version = choose("auto", cpu, default, nvidia=CARD)
    assert version == VERSION
    assert only_line(done).endswith("the CUDA build, because nvidia-smi lists GPU 0: NVIDIA H100")


def test_a_tool_without_a_card_is_no_driver(choose, cpu, default):
    done, version = choose("auto", cpu, default, nvidia="echo 'No devices were found'; exit 6")
    assert version == VERSION + "+cpu"
    assert "no NVIDIA driver" in only_line(done)


def test_a_wish_wins(choose, cpu, default):
    done, version = choose("cpu", cpu, default, nvidia=CARD)
    assert version == VERSION + "+cpu"
    assert "because TORCH=cpu asks for it" in only_line(done)
    # The other build takes its place, although the version is the same.
    done, version = choose("cuda", cpu, default)
    assert version == VERSION
    assert "because TORCH=cuda asks for it" in only_line(done)
    # And a machine that has one keeps it, unless it is asked.
    done, version = choose("auto", cpu, default)
    assert version == VERSION
    assert only_line(done) == f"PyTorch {VERSION} is installed (TORCH=auto)"


def test_cuda_is_cuda_where_pip_knows_a_cpu_build_too(choose, cpu, tmp_path):
    both = write_index(tmp_path / "both", VERSION, VERSION + "+cpu")
    _, version = choose("cuda", cpu, both)
    assert version == VERSION


@pytest.mark.parametrize("state", ["unreachable", "another version"])
def test_the_default_index_serves_with_a_warning(choose, default, tmp_path, state):
    index = "http://127.0.0.1:9/whl/cpu"
    if state == "another version":
        index = write_index(tmp_path / "other", "2.99.0+cpu")
    done, version = choose("auto", index, default)
    assert version == VERSION
    line = only_line(done)
    assert line.startswith(
        f"PyTorch {VERSION}: warning: {index} cannot be reached or has no CPU build"
    )
    assert "3 GB" in line


def test_what_cannot_be_had_is_an_error(choose, cpu, tmp_path):
    done, version = choose("cuda", cpu, write_index(tmp_path / "none"))
    assert done.returncode != 0
    assert version == ""
    assert "No matching distribution found for torch===2.13.0" in done.stderr
