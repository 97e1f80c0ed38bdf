"""The fingerprint follows what code does, through every import, and ignores how it reads."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.running import fingerprint
from pipeline.running.fingerprint import code_fingerprint, files_fingerprint, project_modules
from pipeline.running.readings_of_code import Reading, Readings
from tests.support.refusals import refusal

STAGE = '''
"""A stage."""
import json

from pipeline.core import tables
from pipeline.core.numbers import LIMIT


def main(limit=LIMIT):
    """Do it."""
    from pipeline.deep import inner  # late import

    return tables.read(limit), inner.VALUE, json
'''


def _write(root: Path, name: str, text: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    _write(tmp_path, "pipeline/__init__.py", "")
    _write(tmp_path, "pipeline/stage.py", STAGE)
    _write(tmp_path, "pipeline/core/__init__.py", "")
    _write(tmp_path, "pipeline/core/tables.py", "def read(limit=3):\n    return limit\n")
    _write(tmp_path, "pipeline/core/numbers.py", "LIMIT = 3\n")
    _write(tmp_path, "pipeline/core/unused.py", "OTHER = 1\n")
    _write(tmp_path, "pipeline/deep/__init__.py", "")
    _write(
        tmp_path, "pipeline/deep/inner.py", "from ..core import numbers\nVALUE = numbers.LIMIT\n"
    )
    return tmp_path


def test_modules_are_followed_through_every_kind_of_import(project: Path) -> None:
    assert project_modules("pipeline.stage", project) == (
        "pipeline",
        "pipeline.core",
        "pipeline.core.numbers",
        "pipeline.core.tables",
        "pipeline.deep",
        "pipeline.deep.inner",
        "pipeline.stage",
    )
    _write(
        project,
        "pipeline/by_name.py",
        "import importlib\nimportlib.import_module('pipeline.stage')\n",
    )
    assert "pipeline.stage" in project_modules("pipeline.by_name", project)
    _write(project, "pipeline/deep/__init__.py", "from . import inner\nfrom .inner import VALUE\n")
    assert "pipeline.core.numbers" in project_modules("pipeline.deep", project)


def test_circular_imports_end(project: Path) -> None:
    _write(project, "pipeline/core/numbers.py", "import pipeline.stage\nLIMIT = 3\n")
    assert "pipeline.deep.inner" in project_modules("pipeline.core.numbers", project)


@pytest.mark.parametrize(
    ("module", "before", "after"),
    [
        ("pipeline/stage.py", '"""Do it."""', '"""Do it well."""'),
        ("pipeline/stage.py", '"""A stage."""', ""),
        ("pipeline/stage.py", "  # late import", ""),
        ("pipeline/stage.py", "(limit=LIMIT)", "(\n    limit = LIMIT,\n)"),
        ("pipeline/core/numbers.py", "LIMIT = 3", "# why three\n\nLIMIT = (3)\n'an attribute'"),
        ("pipeline/core/unused.py", "OTHER = 1", "OTHER = 2"),
    ],
)
def test_what_does_nothing_changes_nothing(
    project: Path, module: str, before: str, after: str
) -> None:
    first = code_fingerprint("pipeline.stage", project)
    path = project / module
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")
    assert code_fingerprint("pipeline.stage", project) == first


@pytest.mark.parametrize(
    ("module", "before", "after"),
    [
        ("pipeline/stage.py", "inner.VALUE", "inner.VALUE + 1"),
        ("pipeline/core/numbers.py", "LIMIT = 3", "LIMIT = 4"),
        ("pipeline/core/tables.py", "limit=3", "limit=4"),
        ("pipeline/deep/inner.py", "numbers.LIMIT", "-numbers.LIMIT"),
        ("pipeline/deep/__init__.py", "", "FLAG = True"),
        ("pipeline/core/numbers.py", "3", "3.0"),
    ],
)
def test_what_changes_behaviour_changes_the_fingerprint(
    project: Path, module: str, before: str, after: str
) -> None:
    first = code_fingerprint("pipeline.stage", project)
    path = project / module
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(before, after) if before else after, encoding="utf-8")
    assert code_fingerprint("pipeline.stage", project) != first


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(comment=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"])))
def test_no_comment_changes_the_fingerprint(project: Path, comment: str) -> None:
    _write(project, "pipeline/core/numbers.py", "LIMIT = 3\n")
    first = code_fingerprint("pipeline.stage", project)
    _write(project, "pipeline/core/numbers.py", f"LIMIT = 3  # {comment}\n")
    assert code_fingerprint("pipeline.stage", project) == first


def test_c_sources_count_with_the_module_that_they_are_compiled_to(project: Path) -> None:
    _write(project, "pipeline/deep/native/kernels.h", "#define N 3\n")
    source = "/* Adds. */\nint add(int a)\n{\n    return a + N; // more\n}\n"
    _write(project, "pipeline/deep/native/add.c", source)
    before = code_fingerprint("pipeline.stage", project)
    _write(project, "pipeline/deep/inner.py", "from pipeline.deep import _kernels\nVALUE = 1\n")
    assert "pipeline.deep._kernels" in project_modules("pipeline.stage", project)
    first = code_fingerprint("pipeline.stage", project)
    assert first != before
    said_otherwise = source.replace("/* Adds. */", "/* Adds\n two. */").replace(
        "    return", "\treturn"
    )
    _write(project, "pipeline/deep/native/add.c", said_otherwise)
    assert code_fingerprint("pipeline.stage", project) == first
    _write(project, "pipeline/deep/native/add.c", source.replace("a + N", "a - N"))
    assert code_fingerprint("pipeline.stage", project) != first
    _write(project, "pipeline/deep/native/add.c", source)
    assert code_fingerprint("pipeline.stage", project) == first
    _write(project, "pipeline/deep/native/kernels.h", "#define N 4\n")
    assert code_fingerprint("pipeline.stage", project) != first


def test_the_kernels_count_for_the_stages_that_extract(repository: Path) -> None:
    for stage in ("pipeline.resample", "pipeline.extract"):
        assert "pipeline.extraction._kernels" in project_modules(stage, repository)


def test_unknown_and_broken_modules_are_named(project: Path) -> None:
    with refusal("fingerprint-module-foreign", match=r"Found: pipeline\.nowhere"):
        code_fingerprint("pipeline.nowhere", project)
    with refusal("fingerprint-module-foreign", match="Found: numpy"):
        code_fingerprint("numpy", project)
    _write(project, "pipeline/core/numbers.py", "LIMIT = = 3\n")
    with refusal("module-not-python", match=r"In: pipeline\.core\.numbers, line 1"):
        code_fingerprint("pipeline.stage", project)


def test_files_count_by_name_and_content(tmp_path: Path) -> None:
    one, two = _write(tmp_path, "a.j2", "one"), _write(tmp_path, "b.j2", "two")
    first = files_fingerprint([one, two])
    assert files_fingerprint([two, one]) == first
    two.write_text("three", encoding="utf-8")
    assert files_fingerprint([one, two]) != first


def test_each_file_is_read_once_for_all_fingerprints(
    repository: Path, tmp_path: Path, monkeypatch
) -> None:
    """Hundreds of rules' parameters are made of the same modules each time Snakemake starts."""
    files = [
        path
        for package in ("pipeline", "segmentation", "models", "deployment", "intake")
        for path in (repository / package).rglob("*.py")
    ]
    reads, read = [], fingerprint._read

    def counted(content: bytes, module: str, **how: bool) -> Reading:
        reads.append(module)
        return read(content, module, **how)

    monkeypatch.setattr(fingerprint, "_read", counted)
    monkeypatch.setattr(fingerprint, "_READINGS", Readings(tmp_path / "readings.json", []))
    fingerprint._parsed.cache_clear()
    for _ in range(2):
        for path in files:
            name = ".".join(path.relative_to(repository).with_suffix("").parts)
            code_fingerprint(name.removesuffix(".__init__"), repository)
    assert len(reads) == len(files)


def test_a_module_that_is_gone_since_it_was_found_is_named(project: Path) -> None:
    with refusal("fingerprint-module-missing", match="pipeline.gone"):
        fingerprint._located("pipeline.gone", project)
