"""One run of a study at a time, by whatever command; what a killed run left is put right."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import SimpleITK as sitk
import yaml

from pipeline.core import leftovers
from pipeline.core.errors import VertebromicsError
from pipeline.core.files import whole_file, whole_folder
from pipeline.core.leftovers import clear_leftovers
from pipeline.running.run_lock import LOCK_FILE, RUN, begin_run, name_run, only_run
from pipeline.tables.registered import write_marker
from tests.support.refusals import refusal

SCANS = 12


def test_who_runs_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv(RUN, "run")
    with only_run(tmp_path) as lock:
        name_run(lock, 4711, 4700)
        with refusal("study-already-running", VertebromicsError) as refused, only_run(tmp_path):
            pass
    said = str(refused.value)
    assert f"(process 4711 on {socket.gethostname()} since 20" in said
    assert f"In: {tmp_path}." in said
    assert "kill -INT -- -4700, on the machine that started it" in said


def test_looking_holds_nothing(tmp_path):
    for option in ("--lint", "--dag", "--summary", "--report=report.html"):
        begin_run(tmp_path / "s", tmp_path / "store", ["--cores", "1", option])
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "s").write_text("a file")
    with (
        refusal("results-folder-not-writable", match="another"),
        only_run(tmp_path / "s"),
    ):
        pass


def test_processes_of_a_killed_run_are_ended(tmp_path):
    """And those of a run on another machine, or of another run, are not."""
    sleepers = [
        subprocess.Popen(["sleep", "600"], env=os.environ | {RUN: run})
        for run in ("orphan", "other")
    ]
    try:
        for host in ("another", socket.gethostname()):
            (tmp_path / LOCK_FILE).write_text(f"4711\n{host}\n2026-11-28 12:00:00\n4711\norphan\n")
            with only_run(tmp_path):
                assert (tmp_path / LOCK_FILE).read_text() == ""
            if host == "another":
                assert sleepers[0].poll() is None
        sleepers[0].wait(20)
        assert sleepers[1].poll() is None
    finally:
        for process in sleepers:
            process.kill()
            process.wait()


def old(path: Path) -> Path:
    os.utime(path, (time.time() - 60,) * 2)
    return path


def test_leftovers_of_killed_writers_are_removed(tmp_path):
    """Of a file and a folder that are being written, by processes that are killed."""
    script = (
        "import sys, time\nfrom pathlib import Path\n"
        "from pipeline.core.files import whole_file, whole_folder\n"
        "write = {'file': whole_file, 'folder': whole_folder}[sys.argv[1]]\n"
        "with write(Path('store/ct/ab', sys.argv[1])) as beside:\n"
        "    (beside / 'half' if beside.is_dir() else beside).write_text('half')\n"
        "    print('writing', flush=True)\n    time.sleep(600)\n"
    )
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", script, kind], cwd=tmp_path, env=env, stdout=subprocess.PIPE
        )
        for kind in ("file", "folder")
    ]
    try:
        for writer in writers:
            assert writer.stdout.readline() == b"writing\n"
        left = list((tmp_path / "store/ct/ab").iterdir())
        assert len(left) == 2
        for path in left:
            old(path)
        # Another study's start, while both live.
        assert clear_leftovers(tmp_path) == 0
        assert len(list((tmp_path / "store/ct/ab").iterdir())) == 2
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
    assert clear_leftovers(tmp_path / "store", 2) == 2
    assert not list((tmp_path / "store/ct/ab").iterdir())


def test_what_is_no_leftover_stays(tmp_path, monkeypatch):
    names = [".hidden", "a.tmp", ".running", ".DS_Store", ".abc.tmp", ".gitignore"]
    for name in names:
        old_file = tmp_path / name
        old_file.write_text("x")
        old(old_file)
    foreign = tmp_path / ".0123abcd-abcd1234.tmp"
    earlier = tmp_path / ".abcd1234.tmp.parquet"
    for path in (foreign, earlier):
        path.write_text("x")
        old(path)
    assert clear_leftovers(tmp_path) == 0
    monkeypatch.setattr(leftovers, "FOREIGN_SECONDS", 30)
    assert clear_leftovers(tmp_path) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    assert clear_leftovers(tmp_path / "not there") == 0


def test_a_writer_in_this_process_is_left_alone(tmp_path):
    with whole_file(tmp_path / "a.txt") as file, whole_folder(tmp_path / "b") as folder:
        file.write_text("x")
        (folder / "x").write_text("x")
        for path in (file, folder):
            old(path)
        assert clear_leftovers(tmp_path) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "b"]


def test_an_entry_is_not_looked_into(tmp_path):
    inside = tmp_path / "ct" / "ab" / "key" / f".{leftovers.machine()}-abcd1234.tmp"
    inside.parent.mkdir(parents=True)
    inside.write_text("x")
    old(inside)
    assert clear_leftovers(tmp_path, 2) == 0
    assert clear_leftovers(tmp_path) == 1


# --- Snakemake itself --------------------------------------------------------------------------


@pytest.fixture
def study(tmp_path, repository) -> Path:
    """Return the folder of a study of a few scans, each a job of its own."""
    image = sitk.GetImageFromArray(np.full((12, 16, 16), 40, np.int16))
    for n in range(SCANS):
        sitk.WriteImage(image, str(tmp_path / f"ct{n}.nrrd"))
        sitk.WriteImage(sitk.Cast(image, sitk.sitkUInt8), str(tmp_path / f"mask{n}.nrrd"))
    cases = pd.DataFrame(
        {
            "patient_id": (patient := f"P{n}K4"), "scan_id": f"{patient}-ct1",
            "case_id": f"{patient}-ct1-L1", "level": "L1", "reader": "A",
            "image": f"ct{n}.nrrd", "mask": f"mask{n}.nrrd", "days_from_surgery": -1,
        }
        for n in range(SCANS)
    )  # fmt: skip
    cases.to_csv(tmp_path / "cases.csv", index=False)
    write_marker(tmp_path, "demo", cases)
    config = {"study": "s", "cases": "cases.csv", "model_reader": "A", "scans_per_job": 1}
    config["extraction"] = {"params": str(repository / "radiomics_params" / "ge2025.yaml")}
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(config))
    return tmp_path


def start(study: Path, *call: str | Path) -> subprocess.Popen:
    root = Path(__file__).parents[3]
    options = ["results/s/tables/ingest.parquet", "--cores", "1", "--configfile", "s.yaml"]
    return subprocess.Popen(
        [sys.executable, "-m", *map(str, call), *options, "-s", str(root / "Snakefile")],
        cwd=study,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONPATH": str(root)},
        start_new_session=True,
    )


def frozen(study: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (study / "results/s/study").iterdir()}


def test_snakemake_and_runner_refuse_each_other_and_a_kill_leaves_nothing(study):
    first = start(study, "snakemake")
    log, end = study / "results/s/log/ingest", time.monotonic() + 120
    while not (log.exists() and list(log.iterdir())):
        assert time.monotonic() < end, first.communicate()[0]
        assert first.poll() is None, first.communicate()[0]
        time.sleep(0.05)
    before = frozen(study)
    config = yaml.safe_load((study / "s.yaml").read_text()) | {"title": "Another"}
    (study / "s.yaml").write_text(yaml.safe_dump(config))
    for call in (["pipeline.running.run"], ["snakemake"]):
        second = start(study, *call)
        said, _ = second.communicate(timeout=120)
        assert second.returncode == 1
        assert f"under way (process {first.pid} on {socket.gethostname()} since " in said
        assert "Traceback" not in said
    assert frozen(study) == before
    assert first.poll() is None

    jobs = psutil.Process(first.pid).children(recursive=True)
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    assert list((study / ".snakemake/locks").glob("*.lock"))
    third = start(study, "snakemake")
    said, _ = third.communicate(timeout=300)
    assert third.returncode == 0, said
    assert "a lock that a killed run of Snakemake left is removed" in said
    assert not [one for one in jobs if one.is_running()]
    assert (study / "results/s/tables/ingest.parquet").exists()
    assert (study / "results/s/.running").read_text() == ""
    assert frozen(study) != before
