"""Parameters that make a job run again change with what it depends on, and with nothing else."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pandas as pd
import pytest

from pipeline.core.errors import StudyError
from pipeline.running.triggers import files_state, options, parameter_file, rows_hash, rows_hashes
from tests.support.refusals import refusal

CONFIG = {"seed": 1, "selection": {"mrmr": {"k": 20}, "ccc": {"threshold": 0.85}}, "title": "é"}


def test_options_are_chosen_by_name_and_ordered() -> None:
    assert options(CONFIG, "selection.mrmr", "seed") == '{"seed": 1, "selection.mrmr": {"k": 20}}'
    assert options(CONFIG) == options(dict(reversed(CONFIG.items())))
    with pytest.raises(KeyError, match="pca"):
        options(CONFIG, "selection.pca")


@pytest.mark.parametrize("title", ["Pain {pilot}", "{}", "{{x}}", "100% {a,b} $x <b>", "}{"])
def test_no_text_of_a_person_is_a_wildcard(title: str, tmp_path: Path) -> None:
    config = {"title": title, "labels": [{"{k}": (title,)}], "empty": {}}
    text = options(config)
    assert not re.search(r"\{\s*\w+", text)
    assert json.loads(text) == {"title": title, "labels": [{"{k}": [title]}], "empty": {}}
    (tmp_path / "p.yaml").write_text(f"setting: {{label: '{title}'}}")
    assert not re.search(r"\{\s*\w+", parameter_file(tmp_path / "p.yaml"))


def test_rows_count_and_their_order_does_not() -> None:
    table = pd.DataFrame({"scan_id": ["0001", "0002"], "mask": ["a", "b"], "label": [None, "L1"]})
    first = rows_hash(table)
    assert rows_hash(table.iloc[::-1]) == first
    assert rows_hash(table.assign(mask=["a", "c"])) != first
    assert rows_hash(table.assign(mask=["a", "c"]), ["scan_id"]) == rows_hash(table, ["scan_id"])
    assert rows_hash(table.rename(columns={"mask": "image"})) != first
    assert rows_hash(None) == "none"


@pytest.mark.parametrize("label", [None, 'a "quoted", word', "two\nlines"])
@pytest.mark.parametrize("columns", [None, ["scan_id", "days"]])
def test_rows_of_groups_hash_as_each_group_alone(label: str | None, columns: list | None) -> None:
    days = pd.array([-3, None, 0, 12], dtype="Int64")
    table = pd.DataFrame(
        {"scan_id": list("abca"), "batch": ["b1", "b0", "b1", "b1"], "label": label, "days": days}
    )
    assert rows_hashes(table, "batch", columns) == {
        batch: rows_hash(table[table["batch"] == batch], columns) for batch in ("b1", "b0")
    }


def test_files_count_by_size_and_time_inside_folders_too(tmp_path: Path) -> None:
    series = tmp_path / "series" / "deep"
    series.mkdir(parents=True)
    one = series / "1.dcm"
    one.write_bytes(b"one")
    first = files_state([tmp_path / "series"])
    assert files_state([tmp_path / "series", str(tmp_path / "series")]) == first
    os.utime(one, ns=(0, one.stat().st_mtime_ns + 1))
    touched = files_state([tmp_path / "series"])
    assert touched != first
    (series / "2.dcm").write_bytes(b"two")
    assert files_state([tmp_path / "series"]) not in (first, touched)
    missing = files_state([tmp_path / "none.nrrd"])
    (tmp_path / "none.nrrd").touch()
    assert files_state([tmp_path / "none.nrrd"]) != missing


def test_a_parameter_file_counts_by_its_meaning(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("setting: {binWidth: 25, label: 1}\n", encoding="utf-8")
    first = parameter_file(path)
    path.write_text("# why\nsetting:\n  label: 1\n  binWidth: 25  # HU\n", encoding="utf-8")
    assert parameter_file(path) == first
    path.write_text("setting: {binWidth: 50, label: 1}\n", encoding="utf-8")
    assert parameter_file(path) != first
    path.write_text("setting: {binWidth: [\n", encoding="utf-8")
    with refusal("parameter-file-not-yaml", StudyError, match=r"must be YAML.*In: p\.yaml"):
        parameter_file(path)
    with refusal("parameter-file-missing", StudyError, match=r"must exist. Found: gone\.yaml"):
        parameter_file(tmp_path / "gone.yaml")


def test_a_link_to_nowhere_has_a_state(tmp_path):
    (tmp_path / "scan").mkdir()
    before = files_state([tmp_path / "scan"])
    (tmp_path / "scan" / "1.dcm").symlink_to(tmp_path / "gone")
    assert files_state([tmp_path / "scan"]) != before
