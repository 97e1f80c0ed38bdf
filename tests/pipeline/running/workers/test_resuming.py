"""Stages of repetitions that were stopped in the middle end with the tables of a run that was not.

`tests/pipeline/running/workers/test_journal.py` kills a search.
"""

from __future__ import annotations

import importlib
import logging
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml

from demo.feature_names import feature_names
from demo.tables import simulate_tables
from models.optimism import OptimismOptions
from models.repetitions.ablation_refits import Refits
from models.repetitions.optimism_resamples import Resampled, packed, unpacked
from models.split import split_table
from models.transformers.columns import Columns
from pipeline.core.files import read_json, write_json, write_table
from pipeline.core.fit_status import WAS_FITTED
from pipeline.core.sections import part_of
from pipeline.running.workers.journal import Journal
from pipeline.running.workers.parallel import Workers
from pipeline.running.workers.resuming import journal_until_done, map_kept, stage_key
from pipeline.tables.schemas.prediction.training import Importance
from tests.support.filled import filled
from tests.support.options import typed

#: What each stage's module calls for one repetition, and how often in the study of these tests.
STAGES = {
    "nested": ("_judge", 3 * 2),
    "optimism": ("run_on_resample", 6),
    "stability": ("_select", 1 + 3 + 2 * 3),
    "ablate": ("refit_step", 5),
}


class Stopped(BaseException):
    """Stands for whatever ends a process in the middle."""


@pytest.fixture(scope="module")
def study(tmp_path_factory, repository) -> Path:
    """Return the folder of a small study with all that the stages read."""
    folder = tmp_path_factory.mktemp("study")
    config = yaml.safe_load((repository / "config" / "default.yaml").read_text(encoding="utf-8"))
    config["study"], config["device"] = "stopped", "cpu"
    config["selection"]["mrmr"]["k"] = 6
    config["split"]["folds"] = 3
    config["search"] |= {"iterations": 3, "reduced_iterations": 2}
    config["nested"] |= {"folds": 3, "repeats": 2, "search": "fixed"}
    config["optimism"] |= {"resamples": 6, "search": "fixed"}
    config["stability"] |= {"resamples": 3, "permutations": 2}
    config["evaluation"]["bootstrap"] = 100
    config["ablation"] |= {"models": ["lr"], "top": 2, "single": 0, "families": [], "seeds": 2}
    config["ablation"]["steps"] = []
    table, info = simulate_tables(120, 11, features=feature_names()[:40]).analysis()
    write_table(table, folder / "analysis.parquet")
    write_json(info, folder / "analysis.json")
    write_table(split_table(table, typed(config).split, config["seed"]), folder / "split.parquet")
    (folder / "study.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    named = list(Columns.from_info(info).features[:4])
    shares = pd.DataFrame({"feature": named, "importance": [0.4, 0.3, 0.2, 0.1]})
    write_table(filled(Importance, shares), folder / "importance.parquet")
    model = {"model": "lr", "parameters": {"C": 0.1}, "threshold": 0.3, "features": named}
    model |= WAS_FITTED
    write_json(model, folder / "model.json")
    return folder


def options_of(study: Path, out: Path) -> SimpleNamespace:
    """Return the options of any stage, which writes into `out`."""
    options = SimpleNamespace(study=study, model="lr", workers=1, plan=False, out_dir=out)
    for name in ("analysis", "split", "importance"):
        setattr(options, name, study / f"{name}.parquet")
    options.info, options.model_json = study / "analysis.json", study / "model.json"
    options.out, options.json = out / "lr.parquet", out / "lr.json"
    options.predictions = out / "lr_predictions.parquet"
    return options


def written(folder: Path) -> dict[str, object]:
    """Return what a stage wrote, by name: tables as bytes, facts without how long they took."""
    found = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".json"}
    facts = read_json(folder / "lr.json")
    facts.pop("seconds", None)
    return found | {"lr.json": facts}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_that_was_stopped_goes_on_to_the_same_tables(
    stage, study, tmp_path, monkeypatch, caplog
):
    name, count = STAGES[stage]
    module = importlib.import_module(f"models.{stage}")
    repeat, calls = getattr(module, name), []

    def counted(shared: object, task: object) -> object:
        calls.append(task)
        return repeat(shared, task)

    def stopped(shared: object, task: object) -> object:
        if len(calls) == count - 2:
            raise Stopped
        return counted(shared, task)

    monkeypatch.setattr(module, name, counted)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir()
    module.main(options_of(study, whole))
    assert len(calls) == count

    calls.clear()
    monkeypatch.setattr(module, name, stopped)
    with pytest.raises(Stopped):
        module.main(options_of(study, cut))
    assert [path.name for path in cut.iterdir()] == ["lr.journal"]

    calls.clear()
    monkeypatch.setattr(module, name, counted)
    with caplog.at_level(logging.INFO, logger="vertebromics"):
        module.main(options_of(study, cut))
    assert len(calls) == 2
    assert f"{count - 2} of {count} of an interrupted run are kept" in caplog.text
    # The log counts on from there.
    assert f" {count - 1}/{count} " in caplog.text
    assert written(cut) == written(whole)


def test_a_killed_stage_goes_on_to_the_same_tables(study, tmp_path):
    paths = f"--study {study} --analysis {study}/analysis.parquet --info {study}/analysis.json"
    paths += f" --split {study}/split.parquet --model-json {study}/model.json"

    def start(folder: Path) -> subprocess.Popen:
        folder.mkdir(exist_ok=True)
        outputs = f"--out {folder}/lr.parquet --json {folder}/lr.json"
        line = f"-m models.optimism --model lr {paths} {outputs}"
        return subprocess.Popen([sys.executable, *line.split()], stderr=subprocess.PIPE, text=True)

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    process = start(killed)
    journal, end = killed / "lr.journal", time.monotonic() + 60
    while not journal.exists() or journal.read_bytes().count(b"\n") < 3:
        assert time.monotonic() < end, "the stage wrote no journal"
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (killed / "lr.parquet").exists()

    again = start(killed)
    _, log = again.communicate(timeout=120)
    assert again.returncode == 0, log
    assert "of an interrupted run are kept" in log
    importlib.import_module("models.optimism").main(options_of(study, whole))
    assert written(killed) == written(whole)


def test_what_changes_a_result_begins_a_stage_anew(study):
    config = yaml.safe_load((study / "study.yaml").read_text(encoding="utf-8"))
    files = [study / "analysis.parquet", study / "split.parquet"]

    def key(**changed: object) -> str:
        what = {"module": "models.optimism", "model": "lr", "files": files, "options": config}
        what |= changed
        return stage_key(**what | {"options": part_of(OptimismOptions, what["options"])})

    same = [key(), key(options=config | {"workers": 2, "title": "Other", "results": "there"})]
    other = [
        key(module="models.nested"),
        key(model="rf"),
        key(files=[*files, study / "analysis.json"]),
        key(files=[*files][::-1]),
        key(options=config | {"seed": 1}),
        key(options=config | {"optimism": config["optimism"] | {"resamples": 7}}),
        key(device="cuda"),
    ]
    assert len(set(same)) == 1
    assert len({*same, *other}) == 1 + len(other)


def test_a_journal_of_other_inputs_is_not_used(tmp_path):
    path, calls = tmp_path / "lr.journal", []

    def run(key: str, fail_at: int | None = None) -> list:
        with Workers() as pool, journal_until_done(path, key) as journal:

            def square(shared: object, task: int) -> int:
                if task == fail_at:
                    raise Stopped
                calls.append(task)
                return task**2

            return map_kept(
                *(pool, square, [1, 2, 3], ["1", "2", "3"], journal),
                stage="squares",
                describe=lambda task, result: str(result),
                pack=lambda result: {"square": result},
                unpack=lambda kept: kept["square"],
            )

    with pytest.raises(Stopped):
        run("one", fail_at=3)
    assert path.exists()
    assert run("two") == [1, 4, 9]
    assert calls == [1, 2, 1, 2, 3]
    assert not path.exists()


def test_undefined_values_survive_the_journal(tmp_path):
    values = {"auroc": 0.1 + 0.2, "calibration_slope": math.nan, "oe_ratio": math.inf}
    result = Resampled(values, {"auroc": np.float64(1 / 3)}, {}, 4)
    nothing = Refits(np.empty((0, 3)), [], {}, 0, [], 0.5, failure="it diverged")
    fits = Refits(np.array([[0.1, 1 / 3], [0.2, 0.3]]), ["a"], {"C": None}, 2, ["said"], 0.25)
    with Journal(tmp_path / "x.journal", "key") as journal:
        journal.add("resample", packed(result))
        journal.add("refused", packed("Too few"))
        journal.add("nothing", nothing.packed())
        journal.add("fits", fits.packed())
    with Journal(tmp_path / "x.journal", "key") as journal:
        kept = journal.results
    again = unpacked(kept["resample"])
    assert math.isnan(again.own.pop("calibration_slope"))
    del values["calibration_slope"]
    assert again == result
    assert unpacked(kept["refused"]) == "Too few"
    for name, expected in (("nothing", nothing), ("fits", fits)):
        refits = Refits.unpacked(kept[name])
        np.testing.assert_array_equal(refits.probability, expected.probability)
        assert refits.probability.shape == expected.probability.shape
        assert vars(refits) | {"probability": 0} == vars(expected) | {"probability": 0}
