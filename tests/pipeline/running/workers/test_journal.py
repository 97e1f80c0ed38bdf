import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
import yaml

from demo.feature_names import feature_names
from demo.tables import simulate_tables
from models.split import split_table
from pipeline.core.files import read_json, read_table, write_json, write_table
from pipeline.running.workers.journal import Journal
from tests.support.options import typed


def test_results_are_kept_and_read_again(tmp_path):
    path = tmp_path / "new" / "search.journal"
    with Journal(path, "key") as journal:
        journal.add("a", {"auc": 0.1 + 0.2})
        journal.add("b", {"auc": None})
    with Journal(path, "key") as journal:
        assert journal.results == {"a": {"auc": 0.1 + 0.2}, "b": {"auc": None}}
        journal.add("c", {"auc": 1.0})
    with Journal(path, "key") as journal:
        assert list(journal.results) == ["a", "b", "c"]


def test_a_stale_journal_is_begun_anew(tmp_path):
    path = tmp_path / "search.journal"
    with Journal(path, "old") as journal:
        journal.add("a", {"auc": 0.5})
    with Journal(path, "new") as journal:
        assert journal.results == {}
    with Journal(path, "old") as journal:
        assert journal.results == {}
    path.write_text("no journal at all\n", encoding="utf-8")
    with Journal(path, "old") as journal:
        assert journal.results == {}


@pytest.mark.parametrize(
    "cut", [b'{"task": "b", "resu', b'{"task": "b", "result": {"auc": 1}}', b"\0\0\n"]
)
def test_a_line_that_was_not_finished_is_dropped(tmp_path, cut):
    path = tmp_path / "search.journal"
    with Journal(path, "key") as journal:
        journal.add("a", {"auc": 0.5})
    good = path.read_bytes()
    path.write_bytes(good + cut)
    with Journal(path, "key") as journal:
        assert list(journal.results) == ["a"]
        journal.add("b", {"auc": 0.7})
    assert path.read_bytes().startswith(good)
    assert [json.loads(line) for line in path.read_text().splitlines()][2]["task"] == "b"


def test_a_damaged_line_is_done_again_and_the_others_are_kept(tmp_path, caplog):
    """A bit of each byte of any line: what is kept is what was added, and never anything else."""
    path = tmp_path / "search.journal"
    added = {name: {"auc": number / 7, "n": None} for number, name in enumerate("abc", start=1)}
    with Journal(path, "key") as journal:
        for task, result in added.items():
            journal.add(task, result)
    content = path.read_bytes()
    first = content.index(b"\n")
    for bit in range(0, 8 * len(content), 7):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with Journal(path, "key") as journal:
            kept = dict(journal.results)
            assert all(added[task] == result for task, result in kept.items())
            if bit // 8 <= first:
                assert not kept
            else:
                assert len(kept) >= 1
            for task, result in added.items():
                if task not in kept:
                    journal.add(task, result)
        with Journal(path, "key") as journal:
            assert journal.results == added
    assert "1 damaged lines are dropped" in caplog.text


def test_a_journal_without_digests_is_begun_anew(tmp_path):
    path = tmp_path / "search.journal"
    path.write_text('{"key": "key"}\n{"task": "a", "result": {"auc": 0.5}}\n')
    with Journal(path, "key") as journal:
        assert journal.results == {}


def test_without_a_file_nothing_is_kept():
    with Journal(None, "key") as journal:
        journal.add("a", {"auc": 0.5})
        assert journal.results == {"a": {"auc": 0.5}}


@pytest.fixture(scope="module")
def study(tmp_path_factory, repository):
    folder = tmp_path_factory.mktemp("study")
    config = yaml.safe_load((repository / "config" / "default.yaml").read_text(encoding="utf-8"))
    config["study"], config["device"] = "killed", "cpu"
    config["selection"]["mrmr"]["k"] = 6
    config["split"]["folds"] = 3
    config["search"] |= {"iterations": 15}
    config["search"]["spaces"] = {
        "rf": {"n_estimators": [50], "max_depth": [2, 3, 4], "min_samples_leaf": [1, 2, 3, 4, 5]}
    }
    table, info = simulate_tables(120, 11, features=feature_names()[:60]).analysis()
    write_table(table, folder / "analysis.parquet")
    write_json(info, folder / "analysis.json")
    write_table(split_table(table, typed(config).split, config["seed"]), folder / "split.parquet")
    (folder / "study.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return folder


def train(study, out):
    """Return the running command that trains a forest in two processes."""
    arguments = textwrap.dedent(f"""
        --model rf --study {study} --analysis {study}/analysis.parquet --workers 2
        --info {study}/analysis.json --split {study}/split.parquet --out-dir {out}
    """).split()
    command = [sys.executable, "-m", "models.train", *arguments]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def test_a_killed_search_goes_on_to_the_same_tables(study, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    _, log = train(study, whole).communicate(timeout=600)
    assert "fits of an interrupted run are kept" not in log
    process = train(study, killed)
    journal, end = killed / "search.journal", time.monotonic() + 300
    while not journal.exists() or journal.read_bytes().count(b"\n") < 10:
        assert time.monotonic() < end, "the search wrote no journal"
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    kept = len(journal.read_bytes().splitlines()) - 1
    assert kept < 45
    assert not (killed / "search.parquet").exists()

    again = train(study, killed)
    _, log = again.communicate(timeout=600)
    assert again.returncode == 0, log
    assert "fits of an interrupted run are kept" in log
    assert not journal.exists()
    for name in ("search", "predictions", "importance"):
        first, second = (read_table(folder / f"{name}.parquet") for folder in (whole, killed))
        assert first.equals(second), name
    facts = [read_json(folder / "model.json") for folder in (whole, killed)]
    for each in facts:
        del each["seconds"]
    assert facts[0] == facts[1]
    assert facts[0]["fits"] == 45 + 3 + 1
