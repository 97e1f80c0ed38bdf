"""What was read in modules is kept, and never stands for a module or a reader that has changed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from pipeline.running import fingerprint
from pipeline.running.readings_of_code import MOST, Readings

CODE = b"from pipeline.core import files\n"
READING = ("d" * 64, frozenset({"pipeline.core", "pipeline.core.files"}))


@pytest.fixture
def reader(tmp_path: Path) -> Path:
    path = tmp_path / "reader.py"
    path.write_text("how modules are read")
    return path


def opened(tmp_path: Path, reader: Path) -> Readings:
    """Return the readings as another process finds them."""
    return Readings(tmp_path / "__pycache__" / "readings.json", [reader])


def asked(readings: Readings, content: bytes = CODE, module: str = "m") -> bool:
    """Ask for a module, whose reading is right; return whether it was read for that."""
    reads = []

    def read() -> tuple[str, frozenset[str]]:
        reads.append(content)
        return READING

    assert readings.of(module, content, read) == READING
    readings.save()
    return bool(reads)


def test_a_module_is_read_once(tmp_path: Path, reader: Path) -> None:
    assert asked(opened(tmp_path, reader))
    assert not asked(opened(tmp_path, reader))
    assert [path.name for path in (tmp_path / "__pycache__").iterdir()] == ["readings.json"]


def test_another_text_name_or_reader_is_read_anew(tmp_path: Path, reader: Path) -> None:
    asked(opened(tmp_path, reader))
    assert asked(opened(tmp_path, reader), content=CODE + b"#")
    assert asked(opened(tmp_path, reader), module="n")
    assert not asked(opened(tmp_path, reader))
    reader.write_text("how modules are read now")
    assert asked(opened(tmp_path, reader))


def test_another_python_reads_anew(tmp_path: Path, reader: Path, monkeypatch) -> None:
    asked(opened(tmp_path, reader))
    monkeypatch.setattr(sys, "version", "4.0")
    assert asked(opened(tmp_path, reader))


@pytest.mark.parametrize("damage", ["", "no seal", "{}", "flip", "\x00\n{}"])
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, reader: Path, damage: str) -> None:
    readings = opened(tmp_path, reader)
    asked(readings)
    text = readings.path.read_text()
    readings.path.write_text(text.replace("dddd", "eeee", 1) if damage == "flip" else damage)
    assert asked(opened(tmp_path, reader))
    assert not asked(opened(tmp_path, reader))


def test_bytes_that_are_no_text_are_as_good_as_none(tmp_path: Path, reader: Path) -> None:
    readings = opened(tmp_path, reader)
    asked(readings)
    readings.path.write_bytes(b"\xff\xfe")
    assert asked(opened(tmp_path, reader))


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path: Path, reader: Path) -> None:
    (tmp_path / "__pycache__").write_text("a file where the folder would be")
    assert asked(opened(tmp_path, reader))
    assert asked(opened(tmp_path, reader))


def test_who_wants_no_compiled_modules_gets_no_readings(
    tmp_path: Path, reader: Path, monkeypatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    asked(opened(tmp_path, reader))
    assert not (tmp_path / "__pycache__").exists()


def test_processes_add_to_each_others_readings(tmp_path: Path, reader: Path) -> None:
    one, other = opened(tmp_path, reader), opened(tmp_path, reader)
    one.of("a", CODE, lambda: READING)
    other.of("b", CODE, lambda: READING)
    one.save()
    other.save()
    assert not asked(opened(tmp_path, reader), module="a")
    assert not asked(opened(tmp_path, reader), module="b")


def test_old_readings_are_left_out_where_there_are_many(tmp_path: Path, reader: Path) -> None:
    many, few = opened(tmp_path, reader), opened(tmp_path, reader)
    for number in range(MOST):
        many.of(str(number), CODE, lambda: READING)
    many.save()
    few.of("0", CODE, lambda: READING)
    few.of("another", CODE, lambda: READING)
    few.save()
    kept = json.loads(few.path.read_text().partition("\n")[2])
    assert len(kept) == 2


def test_fingerprints_are_the_same_with_and_without(tmp_path: Path, monkeypatch) -> None:
    def fingerprint_of(readings: Readings) -> str:
        fingerprint._parsed.cache_clear()
        monkeypatch.setattr(fingerprint, "_READINGS", readings)
        found = fingerprint.code_fingerprint("models.winner")
        readings.save()
        return found

    readers = [Path(fingerprint.__file__)]
    path = tmp_path / "kept" / "readings.json"
    try:
        first = fingerprint_of(Readings(path, readers))
        with monkeypatch.context() as patch:
            # Nothing is left to be read.
            patch.setattr(fingerprint, "_read", None)
            assert fingerprint_of(Readings(path, readers)) == first
        path.unlink()
        assert fingerprint_of(Readings(path, readers)) == first
    finally:
        fingerprint._parsed.cache_clear()
