"""`vertebromics`: its parts start as themselves, their examples are valid, a slip is named."""

from __future__ import annotations

import os
import runpy
import shlex
import subprocess
import sys

import pytest

from pipeline.core import command
from pipeline.core.started_as import NAME_VARIABLE
from pipeline.running import one_command
from pipeline.running.one_command import PARTS, main
from pipeline.running.run import parse


@pytest.fixture
def started(monkeypatch) -> list:
    calls = []
    monkeypatch.setattr(one_command.os, "execv", lambda program, call: calls.append(call))
    monkeypatch.delenv(NAME_VARIABLE, raising=False)
    return calls


@pytest.mark.filterwarnings("ignore:.* found in sys.modules:RuntimeWarning")
@pytest.mark.parametrize("name", PARTS)
def test_the_example_of_a_part_is_one_that_it_takes(name, monkeypatch):
    given = shlex.split(PARTS[name].example)
    if name == "run":
        assert parse(given)[1] == ["--cores", "4"]
        return
    parsers = []
    monkeypatch.setattr(
        command, "run", lambda main, arguments, argv=None: parsers.append(arguments)
    )
    runpy.run_module(PARTS[name].module, run_name="__main__")
    (parser,) = parsers
    assert parser.parse_args(given)


def test_a_part_takes_the_place_of_the_command(started, monkeypatch):
    monkeypatch.setenv(NAME_VARIABLE, "")
    main(["judge", "a b.csv", "--outcome", "event"])
    assert started == [[sys.executable, "-m", "models.judge", "a b.csv", "--outcome", "event"]]
    assert os.environ[NAME_VARIABLE] == "vertebromics judge"


def test_help_names_every_part_and_a_version(started, capsys):
    assert main([]) == main(["--help"]) == main(["--version"]) == 0
    printed = capsys.readouterr().out
    assert all(f"  {name}" in printed for name in PARTS)
    assert not started


def test_a_slip_is_named(started, capsys):
    assert main(["jugde"]) == 2
    assert "Did you mean `vertebromics judge`?" in capsys.readouterr().err
    assert not started


def test_the_help_of_a_part_begins_with_an_example_and_its_own_name():
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.running.one_command", "series", "--help"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("Example: vertebromics series DICOM\n")
    assert "usage: vertebromics series [-h]" in done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_knows_every_part(shell, capsys):
    assert main(["completion", shell]) == 0
    assert " ".join(PARTS) in capsys.readouterr().out


def test_bash_completes(tmp_path, capsys):
    main(["completion", "bash"])
    script = capsys.readouterr().out + (
        '\nCOMP_WORDS=(vertebromics ju); COMP_CWORD=1; _vertebromics; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["judge"]


def test_nothing_of_a_part_is_imported():
    code = "import sys, pipeline.running.one_command; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "pandas", "torch", "SimpleITK"} & set(done.stdout.split())
