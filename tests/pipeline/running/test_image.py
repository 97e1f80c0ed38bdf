"""Rules in a container: which image is refused, and that commands go through it. A command that
only hands on what it is given stands for Apptainer; tests/containers/apptainer.sh runs a real one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline.core.errors import VertebromicsError
from pipeline.core.installed.own_files import PACKAGES
from pipeline.running.image import IMAGE, check_image, digest_of_code
from tests.support.refusals import refusal

APPTAINER = """#!/bin/bash
if [ "$*" = --version ]; then echo "apptainer version 1.4.5"; exit; fi
echo "$*" | tr '\\n' ' ' >>"$CALLS"; echo >>"$CALLS"
while [ "$(basename "$1")" != vertebromics.sif ]; do shift; done
shift
"$@"
"""


@pytest.fixture
def apptainer(tmp_path: Path, monkeypatch):
    """Return a function that puts an Apptainer of this text first on PATH; its calls' file."""
    folder = tmp_path / "commands"
    folder.mkdir()
    calls = tmp_path / "calls"
    monkeypatch.setenv("PATH", f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(PACKAGES))
    monkeypatch.setenv("CALLS", str(calls))

    def install(text: str = APPTAINER) -> Path:
        (folder / "apptainer").write_text(text, encoding="utf-8")
        (folder / "apptainer").chmod(0o755)
        return calls

    return install


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "work" / IMAGE
    path.parent.mkdir(parents=True)
    path.touch()
    return path


def test_an_image_of_the_same_code_passes(apptainer, image) -> None:
    apptainer()
    check_image(image)


@pytest.mark.parametrize(
    ("text", "code", "match"),
    [
        ("#!/bin/bash\necho 0123\n", "image-of-other-code", "other code"),
        (
            "#!/bin/bash\necho INFO: mounting >&2\necho FATAL: no squashfs >&2\nexit 255\n",
            "image-unusable",
            "Found: FATAL: no squashfs",
        ),
        ("#!/bin/bash\nexit 1\n", "image-unusable", "Found: no word"),
    ],
)
def test_an_image_that_holds_something_else_is_refused(apptainer, image, text, code, match) -> None:
    apptainer(text)
    with refusal(code, VertebromicsError, match=match):
        check_image(image)


def test_a_missing_image_is_refused(tmp_path: Path) -> None:
    with refusal("image-missing", VertebromicsError, match="apptainer build containers/"):
        check_image(tmp_path / "vertebromics.sif")


def test_the_digest_follows_code_and_templates_alone(tmp_path: Path) -> None:
    for name in ("pipeline", "segmentation", "models"):
        (tmp_path / name / "rules").mkdir(parents=True)
        (tmp_path / name / "a.py").write_text("a = 1\n")
    before = digest_of_code(tmp_path)
    (tmp_path / "models" / "_kernels.so").write_bytes(b"compiled")
    (tmp_path / "intake.py").write_text("no job imports it\n")
    assert digest_of_code(tmp_path) == before
    (tmp_path / "models" / "a.py").write_text("a = 2\n")
    changed = digest_of_code(tmp_path)
    (tmp_path / "models" / "page.j2").write_text("text")
    assert len({before, changed, digest_of_code(tmp_path)}) == 3


def snakemake(repository: Path, folder: Path, *options: str) -> subprocess.CompletedProcess:
    (folder / "features.csv").write_text(
        "patient_id,original_shape_Sphericity\n" + "".join(f"P{n:03},0.{n}\n" for n in range(9)),
        encoding="utf-8",
    )
    config = {"study": "s", "unit": "patient", "features": {"A": "features.csv"}}
    (folder / "study.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "features", "--cores", "1"),
            *("--snakefile", repository / "Snakefile", "--configfile", "study.yaml", *options),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_rules_run_in_the_image_where_apptainer_is_asked_for(
    apptainer, image, repository: Path
) -> None:
    calls, work = apptainer(), image.parents[1]
    # A working directory with a blank: the image is named as seen from there.
    folder = work.rename(work.with_name("Wirbel säule"))
    done = snakemake(repository, folder, "--sdm", "apptainer")
    assert done.returncode == 0, done.stderr
    first, *jobs = calls.read_text(encoding="utf-8").splitlines()
    assert first.split()[-3:] == ["python", "-m", "pipeline.running.image"]
    stages = [stage for stage in ("gather", "reproducibility") for job in jobs if stage in job]
    assert stages == ["gather", "reproducibility"]
    assert all(f" {IMAGE} " in job and str(folder) in job for job in jobs)
    # Where it is not, nobody asks for an image.
    calls.unlink()
    shutil.rmtree(folder / "results")
    (folder / IMAGE).unlink()
    done = snakemake(repository, folder)
    assert done.returncode == 0, done.stderr
    assert not calls.exists()


def test_a_run_without_its_image_ends_before_the_first_job(
    apptainer, tmp_path, repository: Path
) -> None:
    calls = apptainer()
    done = snakemake(repository, tmp_path, "--sdm", "apptainer")
    assert done.returncode == 1
    assert "Rules run in a container (--sdm apptainer) only where its image is." in done.stderr
    assert not calls.exists()
    assert not (tmp_path / "results/s/study").exists()
