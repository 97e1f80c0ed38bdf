"""A feature row followed back to its files, parameters, code and versions."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pandas as pd
import pytest
import yaml

from demo.make import make_study
from pipeline.core.errors import StudyError
from pipeline.core.files import file_hash, read_table, write_table
from pipeline.running.fingerprint import code_fingerprint
from pipeline.running.trace import as_text, main
from pipeline.study.study import open_study
from pipeline.tables.schemas.features.extraction import Verification
from tests.support.filled import filled
from tests.support.refusals import refusal
from tests.support.stages import traces_of

GATHERED = [
    f"results/t/tables/{name}.parquet"
    for name in ("ingest", "masks", "preflight", "extraction", "features")
]
PARAMETERS = """\
imageType: {Original: {}}
featureClass: {firstorder: [Mean], shape: [VoxelVolume]}
setting: {binWidth: 25}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory, repository) -> Path:
    """Return the folder in which the features of one demo patient were computed by the DAG."""
    work = tmp_path_factory.mktemp("work")
    make_study(work / "data", 1, 2025)
    (work / "params.yaml").write_text(PARAMETERS)
    config = {
        "study": "t",
        "cases": "data/cases.csv",
        "model_reader": "A",
        "extraction": {"params": "params.yaml"},
    }
    (work / "config.yaml").write_text(yaml.safe_dump(config))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", *GATHERED, "-s", repository / "Snakefile"),
            *("-d", work, "--cores", "2", "--configfile", "config.yaml"),
        ],
        cwd=work,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(repository)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return work


@pytest.fixture
def study(run, monkeypatch):
    monkeypatch.chdir(run)
    return open_study("results/t/study")


def test_a_row_is_followed_back(study, run):
    case_id = study.cases["case_id"][0]
    traces = traces_of(study, case_id)
    assert [trace["reader"] for trace in traces] == ["A", "B"]
    trace = traces[0]
    row = study.cases.iloc[0]
    masks = read_table("results/t/tables/masks.parquet").set_index(["case_id", "reader"])
    ingest = read_table("results/t/tables/ingest.parquet").set_index("scan_id")
    assert trace["source"]["ct sha256"] == ingest.loc[row["scan_id"], "source_hash"]
    assert trace["source"]["mask sha256"] == masks.loc[(case_id, "A"), "source_hash"]
    assert trace["source"]["mask file"] == "data/masks/A/0001.nrrd"
    assert trace["source"]["mask label"] == row["label"]
    assert trace["preflight"]["verdict"] in ("ok", "warning")
    assert trace["features"] == 2
    assert trace["mask version"] == 1
    assert trace["extraction"]["status"] in ("ok", "warning")
    for kind, reference in trace["store"].items():
        assert reference.startswith(f"{kind}/")
        assert (study.store.root / reference).exists()
    crops = pd.concat(map(read_table, Path("results/t/batches").glob("*/resample.parquet")))
    assert (
        trace["crop key"] == crops.set_index(["case_id", "reader"]).loc[(case_id, "A"), "crop_key"]
    )
    assert trace["code"]["features"] == code_fingerprint("pipeline.extraction")
    assert trace["code"]["ct"] == code_fingerprint("pipeline.ingest")
    assert trace["code"]["mask"] == code_fingerprint("segmentation.masks")
    assert "pyradiomics" in {name.lower() for name in trace["libraries"]}
    used = trace["parameters"]["settings used"]
    assert "25" in json.dumps(used)
    assert trace["parameters"]["file"] == "params.yaml"
    assert len(trace["parameters"]["settings used, sha256"]) == 64
    assert file_hash(run / "data/masks/A/0001.nrrd")


def test_crop_key_is_known_without_the_batches(study, run, tmp_path, monkeypatch):
    shutil.copytree(run / "results", tmp_path / "results")
    shutil.rmtree(tmp_path / "results/t/batches")
    monkeypatch.chdir(tmp_path)
    case_id = study.cases["case_id"][0]
    before = traces_of(study, case_id, "A")[0]
    assert before["crop key"]
    assert before["features"] == 2
    assert before["series"]["matched by"] is None  # the registered folder is elsewhere


def test_other_code_and_removed_entries_are_told(study, run, tmp_path, monkeypatch):
    for name in ("results", "data"):
        shutil.copytree(run / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    case_id = study.cases["case_id"][0]
    trace = traces_of(study, case_id, "A")[0]
    monkeypatch.setattr("pipeline.running.trace.code_fingerprint", lambda module: "0" * 64)
    shutil.rmtree(tmp_path / "results/store" / trace["store"]["crop"])
    again = traces_of(study, case_id, "A")[0]
    assert again["code"]["features"].endswith("(the present code of pipeline.extraction differs)")
    assert again["store"]["crop"].endswith("(removed)")
    assert again["code"]["crop"] is None
    assert "crop" in as_text(again)
    assert again["parameters"]["file now, sha256"] is None  # params.yaml is not there


def test_a_damaged_entry_is_told_and_nothing_is_taken_from_it(study, run, tmp_path, monkeypatch):
    for name in ("results", "data"):
        shutil.copytree(run / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    case_id = study.cases["case_id"][0]
    trace = traces_of(study, case_id, "A")[0]
    recorded = tmp_path / "results/store" / trace["store"]["features"] / "depends_on.json"
    content = json.loads(recorded.read_text())
    recorded.write_text(json.dumps(content | {"code": "0" * 64}))
    again = traces_of(study, case_id, "A")[0]
    assert again["store"]["features"].endswith(
        "(damaged: depends_on.json is not as it was written; --forcerun extract makes it anew)"
    )
    assert again["code"]["features"] is None
    assert again["parameters"]["settings used"] is None


def test_verification_is_shown_where_it_was_done(study, run, tmp_path, monkeypatch):
    for name in ("results", "data"):
        shutil.copytree(run / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    case_id = study.cases["case_id"][0]
    row = {"case_id": case_id, "reader": "A", "max_relative_difference": 1e-12, "status": "equal"}
    write_table(filled(Verification, [row]), "results/t/tables/verification.parquet")
    for path in Path("results/t/batches").glob("*/verification.parquet"):
        path.unlink()
    first, second = traces_of(study, case_id)
    assert first["verification"]["max_relative_difference"] == 1e-12
    assert first["verification"]["status"] == "equal"
    assert second["verification"] == "not drawn"


def options(case, run, **more):
    return Namespace(case=case, results=Path("results/t"), **{"reader": None, "json": False} | more)


def test_commands_output(study, run, capsys):
    case_id = study.cases["case_id"][0]
    main(options(case_id, run))
    text = capsys.readouterr().out
    assert text.count("crop key") == 2
    assert "series: chosen by" in text
    main(options(case_id, run, json=True, reader="B"))
    (trace,) = json.loads(capsys.readouterr().out)
    assert (trace["case"], trace["reader"]) == (case_id, "B")


def test_unknown_names_come_with_suggestions(study, run):
    case_id = study.cases["case_id"][0]
    with refusal(
        "trace-name-unknown", StudyError, match=rf"must have the case.*perhaps {case_id} is meant"
    ):
        main(options(case_id.lower()[:-1], run))
    with refusal("trace-name-unknown", StudyError, match="there are 1"):
        main(options("zzz", run))
    with refusal(
        "trace-name-unknown", StudyError, match=r"must have the reader of .*there are 2: A, B"
    ):
        main(options(case_id, run, reader="wang"))


def test_excluded_masks_are_traced_as_far_as_they_came(study, run, tmp_path, monkeypatch):
    for name in ("results", "data"):
        shutil.copytree(run / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    case_id = study.cases["case_id"][0]
    for name in ("extraction", "features"):
        for path in [Path(f"results/t/tables/{name}.parquet"),
                     *Path("results/t/batches").glob(f"*/{name}.parquet")]:  # fmt: skip
            path.unlink()
    trace = traces_of(study, case_id, "A")[0]
    assert trace["features"] == 0
    assert trace["store"]["features"] is None
    assert trace["store"]["ct"]


def test_study_of_feature_tables_has_nothing_to_trace(tmp_path):
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "study.yaml").write_text("study: t\nfeatures: {A: a.csv}\nresults: results\n")
    with refusal("trace-without-images"):
        main(Namespace(case="x", reader=None, results=tmp_path, json=False))
