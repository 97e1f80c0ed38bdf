"""The lint of calls finds a call that cannot be, in Python and in a rule, and nothing uncertain."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

MODULE = "def two(first, second=1):\n    return first, second\n"
CALLS = {
    "two(1, 2, 3)": "Too many arguments",
    "two()": "Missing positional argument",
    "two(1, third=2)": "Unexpected keyword argument",
    "two(1)": "",
    "two(*range(2))": "",
    "two(*(1,), 2)": "",
    "two(1).real": "",
}


@pytest.fixture
def calls(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    spec = importlib.util.spec_from_file_location("calls", repository / ".ci" / "calls.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pipeline" / "rules").mkdir(parents=True)
    (tmp_path / "pipeline" / "__init__.py").touch()
    (tmp_path / "pipeline" / "two.py").write_text(MODULE)
    for name in module.RULES:
        (tmp_path / "pipeline" / "rules" / name).write_text("from pipeline.two import two\n")
    monkeypatch.setattr(module, "PLACES", ("pipeline",))
    return module


def test_calls_that_cannot_be_are_found_and_no_others(calls, capsys):
    lines = ["from pipeline.two import two", "from pipeline.two import three", *CALLS]
    Path("pipeline/other.py").write_text("\n".join(lines) + "\n")
    rule = (
        "rule one:\n    params:\n        a=two(1, 2),\n        b=lambda wildcards: two(third=2),\n"
    )
    Path("pipeline/rules/one.smk").write_text(rule)
    assert calls.main() == 1
    told = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
    wanted = {f"pipeline/other.py:{at}": says for at, says in enumerate(CALLS.values(), 3) if says}
    wanted |= {
        "pipeline/other.py:2": 'Module "pipeline.two" has no attribute "three"',
        "pipeline/rules/one.smk:4": "Unexpected keyword argument",
    }
    assert told.keys() == wanted.keys()
    assert all(told[place].startswith(says) for place, says in wanted.items())


def test_what_can_be_passes(calls, capsys):
    right = [call for call, says in CALLS.items() if not says]
    Path("pipeline/other.py").write_text("\n".join(["from pipeline.two import two", *right]) + "\n")
    assert calls.main() == 0
    assert capsys.readouterr().out == "No call that mypy can follow is wrong\n"


def test_what_mypy_cannot_read_is_no_success(calls, capsys):
    Path("pipeline/other.py").write_text("def (\n")
    assert calls.main() != 0
    assert "other.py" in capsys.readouterr().out
