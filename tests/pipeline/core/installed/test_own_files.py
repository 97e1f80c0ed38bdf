"""What is read at run time is found, whether this runs from a checkout or installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pipeline.core.installed.own_files import OWN_FILES, own_file
from pipeline.running.run import snakefile

#: Suffixes of what people and tools of development read, and nothing else does.
NOT_READ_AT_RUN_TIME = (".py", ".c", ".h", ".md", ".so", ".pyc")


def test_a_file_of_the_working_directory_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = Path("config/demo-tables.yaml")
    assert own_file(name) == OWN_FILES / name
    name.parent.mkdir()
    name.write_text("study: mine\n")
    assert own_file(name) == name
    for other in ("config/none.yaml", "../config/real.yaml", str(tmp_path / "none.yaml"), "config"):
        assert own_file(other) == Path(other)


@pytest.mark.parametrize("name", ["Snakefile", "workflow/Snakefile"])
def test_the_runner_names_its_snakefile_where_nothing_else_does(tmp_path, name):
    assert snakefile(["--cores", "2"], tmp_path) == ["--snakefile", str(OWN_FILES / "Snakefile")]
    for option in (["-s", "other"], ["--snakefile", "other"], ["--snakefile=other"]):
        assert snakefile(option, tmp_path) == []
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("")
    assert snakefile(["--cores", "2"], tmp_path) == []


@pytest.fixture(scope="module")
def sources(repository, tmp_path_factory) -> Path:
    """Return a copy of what a clone of this checkout holds."""
    target = tmp_path_factory.mktemp("sources") / "clone of vertebromics"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("needs git and a clone: what belongs to the project is what git lists")
    for name in filter(None, listed.stdout.split("\0")):
        if (repository / name).is_file() and not name.startswith(("docs/", "tests/")):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(repository / name, target / name)
    return target


@pytest.fixture(scope="module")
def wheel(sources, tmp_path_factory) -> Path:
    """Return the wheel that is made of the sources, with the tools of this environment."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-build-isolation", "--no-deps",
         "-w", folder, sources],
        check=True,
    )  # fmt: skip
    (made,) = folder.glob("*.whl")
    return made


def test_the_wheel_holds_what_is_read_at_run_time(sources, wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    for path in sources.rglob("*"):
        name = path.relative_to(sources).as_posix()
        if not path.is_file() or path.suffix in NOT_READ_AT_RUN_TIME:
            continue
        if re.match(r"(pipeline|segmentation|models)/(?!rules/)", name):
            assert name in held
        elif re.match(r"(config|radiomics_params|profiles|pipeline/rules)/|Snakefile$", name):
            assert f"vertebromics/{name}" in held
    assert "vertebromics/requirements.txt" in held
    assert not [name for name in held if name.startswith(("tests", "config", "Snakefile", "build"))]


WITHOUT_PYRADIOMICS = """
import importlib.metadata, runpy, sys
importlib.metadata.distributions = lambda **where: []
sys.argv = ["setup.py", "dist_info"]
runpy.run_path("setup.py", run_name="__main__")
"""


def test_a_build_without_pyradiomics_names_the_step(sources):
    """In one line, and before pip looks for what the package depends on."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PYRADIOMICS],
        cwd=sources,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("PyRadiomics must be built before vertebromics is installed. Remedy: ")
    assert "bash environment.post-deploy.sh" in line


@pytest.mark.slow
def test_an_empty_environment_runs_a_study_outside_the_checkout(sources, tmp_path):
    """The README's commands for pip, with nothing from pip's cache."""
    venv, here = tmp_path / "venv", tmp_path / "somewhere else"
    here.mkdir()
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    activated = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    activated |= {
        "PATH": f"{venv / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PIP_NO_CACHE_DIR": "1",
    }

    def run(*words: str | Path, cwd: Path) -> str:
        done = subprocess.run(
            words, cwd=cwd, env=activated, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout

    run("bash", "environment.post-deploy.sh", cwd=sources)
    run("python", "install/torch_build.py", "auto", cwd=sources)
    run("pip", "install", "-q", "--no-build-isolation", ".", cwd=sources)
    shutil.rmtree(sources / "pipeline")  # nothing of it may be needed any more
    run("python", "-m", "demo.tables", "--out", "demo/tables-data", cwd=here)
    said = run(
        *("python", "-m", "pipeline.running.run", "--configfile", "config/demo-tables.yaml"),
        *("--cores", "2"),
        cwd=here,
    )
    assert "Done: " in said
    assert (here / "results/demo-tables/report/report.html").stat().st_size > 100_000
    assert run("pip", "check", cwd=here)
