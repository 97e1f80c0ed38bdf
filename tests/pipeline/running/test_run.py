"""The runner: which study, one run at a time, what to open (the walks of end_to_end run it)."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from pipeline.running.run import main, parse, study_folder, to_open
from pipeline.running.run_lock import only_run
from tests.support.refusals import refusal


def test_the_study_is_named_by_the_last_that_names_it(tmp_path: Path) -> None:
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text("study: one\nresults: here\n", encoding="utf-8")
    two.write_text("study: two\n", encoding="utf-8")
    assert study_folder([one], []) == Path("here/one")
    assert study_folder([one, two], []) == Path("here/two")
    assert study_folder([one, two], ["--config", "study=3", "results=there"]) == Path("there/3")
    one.write_text("title: none\n", encoding="utf-8")
    with refusal("study-name-missing", match=r"needs a name. In: .*one\.yaml"):
        study_folder([one], [])


@pytest.mark.parametrize(
    ("name", "code"),
    [
        *[(name, "study-name-taken") for name in ("store", "CON")],
        *[(name, "study-name-invalid") for name in ("a/b", "..", ".a", "a b", '"a\\nb"')],
        ("x" * 65, "study-name-too-long"),
    ],
)
def test_a_name_that_names_no_folder_is_refused_before_anything(
    name: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(f"study: {name}\n", encoding="utf-8")
    with refusal(code, match="Remedy: ") as told:
        main([Path("s.yaml")], ["--cores", "1"])
    assert "\n" not in str(told.value)
    assert [path.name for path in tmp_path.iterdir()] == ["s.yaml"]


def test_a_study_runs_once_at_a_time_and_a_killed_run_holds_nothing(tmp_path: Path) -> None:
    def refused(words: str = r"under way\. In: ") -> AbstractContextManager:
        return refusal("study-already-running", match=words)

    with only_run(tmp_path), refused(), only_run(tmp_path):
        pass
    named = r"\(process 4711\).*kill -INT -- -4711, on the machine"
    for _ in range(2):
        with only_run(tmp_path) as lock, refused(named):
            os.write(lock, b"4711\n")
            with only_run(tmp_path):
                pass
    with only_run(tmp_path), refused(), only_run(tmp_path):
        pass
    killed = (
        "import os, pathlib, signal\nfrom pipeline.running.run_lock import only_run\n"
        f"with only_run(pathlib.Path({str(tmp_path)!r})):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", killed], check=False).returncode == -9
    with only_run(tmp_path):
        pass


def test_a_run_in_the_background_of_a_script_can_be_stopped(
    tmp_path: Path, repository: Path
) -> None:
    """A shell lets what it starts with & ignore Ctrl-C, and so would Snakemake."""
    (tmp_path / "snakemake.py").write_text(
        "import pathlib, time\npathlib.Path('ready').touch()\ntime.sleep(600)\n", encoding="utf-8"
    )
    (tmp_path / "s.yaml").write_text("study: s\n", encoding="utf-8")
    process = subprocess.Popen(
        [
            *("sh", "-c", 'trap "" INT; exec "$@"', "sh"),
            *(sys.executable, "-m", "pipeline.running.run", "--configfile", "s.yaml"),
        ],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(repository)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 120
        while not (tmp_path / "ready").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(1)  # the runner watches for signals from now on
        process.terminate()
        said, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert said.startswith("Stopped after")


def test_what_to_open_follows_from_what_was_asked_for(tmp_path: Path) -> None:
    assert to_open(tmp_path, []) is None
    for name in ("report/report.html", "report/preflight/index.html"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert to_open(tmp_path, ["--cores", "2"]) == tmp_path / "report/report.html"
    assert to_open(tmp_path, ["preflight"]) == tmp_path / "report/preflight/index.html"
    assert to_open(tmp_path, ["features"]) is None


def test_what_is_not_the_runners_goes_to_snakemake() -> None:
    argv = ["--configfile", "a.yaml", "models", "--configfile", "b.yaml", "--config", "study=x"]
    assert parse(argv) == ([Path("a.yaml"), Path("b.yaml")], ["models", "--config", "study=x"])


def test_what_make_hands_to_the_runner_names_studies_that_exist() -> None:
    made = subprocess.run(
        ["make", "-n", "-B", "demo", "demo-tables", "real", "simulated"],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    lines = made.stdout.replace("\\\n", " ").splitlines()
    runs = [
        shlex.split(line.split("-m pipeline.running.run")[1])
        for line in lines
        if "running.run" in line
    ]
    assert len(runs) == 5
    for studies, rest in map(parse, runs):
        assert all((Path(__file__).parents[3] / study).is_file() for study in studies)
        assert rest[0] == "--cores"
        assert len(rest) == 2
