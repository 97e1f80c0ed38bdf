"""The analysis table: features, clinical table and outcome of the units that are left."""

from __future__ import annotations

import subprocess

import numpy as np
import pandas as pd
import pytest

from models.study_files.inputs import read_inputs
from pipeline.core.errors import StudyError
from pipeline.core.files import read_json, read_table, write_table
from pipeline.core.findings import Finding, to_json
from pipeline.join import aggregate, wide_features
from pipeline.study.config import resolve_config
from pipeline.study.flow.enough import check_patients_named
from pipeline.study.study import open_study
from pipeline.tables.registered import write_marker
from pipeline.tables.schemas.analysis import Split
from pipeline.tables.schemas.features.extraction import Extraction
from pipeline.tables.schemas.features.perturbations import PerturbedFeatures, PerturbedUnits
from pipeline.tables.schemas.images.preflight import Preflight
from pipeline.validate import validate_study, write_study
from tests.support.clinical_study import clinical_study, write_clinical
from tests.support.commands import run_here
from tests.support.filled import filled
from tests.support.refusals import refusal

DICTIONARY = """\
column,label,type,unit,levels,timing,role
age,Age,continuous,years,,preoperative,predictor
sex,Sex,binary,,F|M,preoperative,predictor
cement,Cement,continuous,ml,,intraoperative,predictor
vas,Pain,ordinal,,,postoperative,outcome
"""


def run(repository, module: str, *arguments) -> subprocess.CompletedProcess:
    return run_here(module, *arguments, cwd=repository)


def write_tables(folder) -> None:
    """Write the tables of 40 patients, the first of whom has two cases."""
    ids = [f"{number:04d}" for number in range(40)]
    cases = [(i, f"{i}-L1", "L1") for i in ids] + [("0000", "0000-L2", "L2")]
    for name in ("img", "mask.nrrd"):
        (folder / name).mkdir(exist_ok=True)
    rows = []
    for patient, case, level in cases:
        (folder / "img" / patient).mkdir(exist_ok=True)
        rows += [
            (patient, f"{patient}-ct", case, level, reader, f"img/{patient}", "mask.nrrd")
            for reader in "AB"
        ]
    columns = ["patient_id", "scan_id", "case_id", "level", "reader", "image", "mask"]
    table = pd.DataFrame(rows, columns=columns)
    table.to_csv(folder / "cases.csv", index=False)
    write_marker(folder, "demo", table)
    clinical = pd.DataFrame(
        {
            "patient_id": ids,
            "age": [50 + number for number in range(40)],
            "sex": ["FM"[number % 2] for number in range(40)],
            "cement": 3.5,
            "vas": [number % 10 for number in range(40)],
        }
    )
    clinical.to_csv(folder / "clinical.csv", index=False)
    (folder / "dictionary.csv").write_text(DICTIONARY)


def freeze(folder, **options) -> dict:
    """Validate the tables in `folder` and write ``folder/study``."""
    config = resolve_config(
        {
            "study": "s",
            "results": str(folder / "results"),
            "cases": str(folder / "cases.csv"),
            "clinical": str(folder / "clinical.csv"),
            "dictionary": str(folder / "dictionary.csv"),
            "model_reader": "A",
            "aggregation": "mean",
            "outcome": {"name": "pain", "label": "residual pain", "formula": "vas >= 4"},
            "eligibility": [{"label": "under 85", "formula": "age < 85"}],
        }
        | options
    )
    study = validate_study(config)
    write_study(study, folder / "study")
    return config


def write_stages(folder, bad: tuple[str, str] = ("0001-L1", "B")) -> None:
    """Write what the imaging stages would: features that tell case and reader apart."""
    cases = read_table(folder / "study" / "cases.parquet")[["case_id", "reader"]]
    failed = (cases["case_id"] == bad[0]) & (cases["reader"] == bad[1])
    error = to_json([Finding("mask-empty", "error", "The mask is empty")])
    findings = np.where(failed, error, "[]")
    preflight = cases.assign(verdict=np.where(failed, "error", "ok"), findings=findings)
    filled(Preflight, preflight).to_parquet(folder / "preflight.parquet")
    good = cases[~failed].reset_index(drop=True)
    extraction = filled(Extraction, good.assign(status="ok", findings="[]"))
    extraction.to_parquet(folder / "extraction.parquet")
    number = good["case_id"].str[:4].astype(int) + 100.0 * good["case_id"].str.endswith("2")
    features = good.assign(f1=number, f2=number * 2 + (good["reader"] == "B"))
    features.to_parquet(folder / "features.parquet")


def join(repository, folder, *more) -> subprocess.CompletedProcess:
    tables = [
        part
        for name in ("features", "preflight", "extraction")
        for part in (f"--{name}", folder / f"{name}.parquet")
    ]
    outputs = ["--out", folder / "a.parquet", "--info", folder / "a.json"]
    flow = ["--flow", folder / "flow.json"]
    return run(
        repository, "pipeline.join", "--study", folder / "study", *tables, *outputs, *flow, *more
    )


@pytest.fixture
def folder(tmp_path):
    write_tables(tmp_path)
    return tmp_path


def test_join_of_images(folder, repository):
    freeze(folder)
    write_stages(folder)
    result = join(repository, folder)
    assert result.returncode == 0, result.stderr
    table = read_table(folder / "a.parquet")
    names = ["A:f1", "A:f2", "B:f1", "B:f2"]
    front = ["unit_id", "patient_id", "outcome", "level", "age", "sex", "cement", "vas"]
    assert list(table.columns) == front + names
    # 0001 has an empty mask, 0035 to 0039 are too old.
    assert table["unit_id"].tolist() == [f"{n:04d}" for n in range(35) if n != 1]
    assert table.loc[0, ["level", "A:f1", "B:f2"]].tolist() == ["L1|L2", 50.0, 101.0]
    assert table.loc[1, names].tolist() == [2.0, 4.0, 2.0, 5.0]
    assert table["outcome"].tolist() == (table["vas"] >= 4).astype(int).tolist()
    assert table["outcome"].dtype == "int64"
    assert (folder / "a.csv").read_text().splitlines()[1].startswith("0000,0000,0,L1|L2,50.0,F")
    info = read_json(folder / "a.json")
    assert [row["column"] for row in info["predictors"]] == ["age", "sex"]
    assert info["predictors"][0]["levels"] is None
    assert {key: info[key] for key in ("unit", "readers", "model_reader", "features", "notes")} == {
        "unit": "patient",
        "readers": ["A", "B"],
        "model_reader": "A",
        "features": ["f1", "f2"],
        "notes": [],
    }
    assert info["outcome"]["label"] == "residual pain"
    flow = read_json(folder / "flow.json")
    assert [(step["patients"], step["cases"]) for step in flow["steps"]] == [
        (40, 41),
        (40, 41),
        (35, 36),
        (35, 36),
        (34, 35),
        (34, 35),
    ]


def test_a_selection_by_perturbations_of_nothing_is_refused(folder, repository):
    freeze(folder)
    write_stages(folder)
    keys = pd.DataFrame(columns=["case_id", "reader", "repetition", "f1", "f2"])
    for batch in open_study(folder / "study").cases["batch"].unique():
        write_table(keys, folder / "batches" / batch / "perturbed.parquet", PerturbedFeatures)
    result = join(repository, folder, "--perturbed", folder / "batches")
    assert result.returncode == 1
    assert "[nothing-perturbed]" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (folder / "a.parquet").exists()


def test_perturbed_extractions_of_the_units(folder, repository):
    freeze(folder)
    write_stages(folder)
    features = read_table(folder / "features.parquet")
    rows = features[features["reader"] == "A"].merge(pd.DataFrame({"repetition": [1, 2]}), "cross")
    rows["f1"] += rows["repetition"]
    study = open_study(folder / "study")
    batches = study.cases.drop_duplicates("case_id").set_index("case_id")["batch"]

    def write(more: float) -> None:
        for batch, part in rows.groupby(rows["case_id"].map(batches)):
            path = folder / "batches" / batch / "perturbed.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            moved = part.assign(f1=part["f1"] + more)
            moved = moved[["case_id", "reader", "repetition", "f1", "f2"]]
            write_table(moved.reset_index(drop=True), path, PerturbedFeatures)

    digests = []
    for more in (0.0, 1.0):
        write(more)
        result = join(repository, folder, "--perturbed", folder / "batches")
        assert result.returncode == 0, result.stderr
        info = read_json(folder / "a.json")
        digests.append(info["perturbed_digest"])
        table = read_table(folder / info["perturbed"], PerturbedUnits)
        analysis = read_table(folder / "a.parquet")
        means = table[table["moment"] == "mean"].set_index("unit_id")
        # The mean of two cases, and of the repetitions 1 and 2 of each.
        assert means.index.tolist() == analysis["unit_id"].tolist()
        np.testing.assert_allclose(means["f1"], analysis["A:f1"] + 1.5 + more)
        assert (table.loc[table["moment"] == "count", "f1"] == 2).all()
        assert (table.loc[table["moment"] == "squares", "f1"] == 0.5).all()
        assert table["patient_id"].tolist() == table["unit_id"].tolist()
    assert digests[0] != digests[1]
    # What reads the analysis table finds the rows beside it, and only where its facts name them.
    parts = folder / "split.parquet"
    split = analysis[["unit_id", "patient_id", "outcome"]].assign(part="train", fold=0)
    write_table(split, parts, Split)
    columns, _ = read_inputs(folder / "a.parquet", folder / "a.json", parts)
    assert columns.perturbed.take(["0000"], ["f2"])[0].count.tolist() == [[2]]
    assert join(repository, folder).returncode == 0
    columns, _ = read_inputs(folder / "a.parquet", folder / "a.json", parts)
    assert columns.perturbed is None


def test_join_by_case(folder, repository):
    clinical = pd.read_csv(folder / "clinical.csv", dtype=str)
    clinical["case_id"] = clinical.pop("patient_id") + "-L1"
    clinical.to_csv(folder / "clinical.csv", index=False)
    freeze(folder, unit="case", aggregation=None)
    write_stages(folder)
    result = join(repository, folder)
    assert result.returncode == 0, result.stderr
    table = read_table(folder / "a.parquet")
    assert table.loc[0, ["unit_id", "patient_id", "level"]].tolist() == ["0000-L1", "0000", "L1"]
    assert table.loc[0, "B:f2"] == 1.0
    steps = read_json(folder / "flow.json")["steps"]
    assert steps[0]["excluded"] == [
        {"reason": "no row in the clinical table", "patients": 0, "cases": 1, "ids": ["0000-L2"]}
    ]


def test_one_reader_alone(folder, repository):
    cases = pd.read_csv(folder / "cases.csv", dtype=str)
    cases[cases["reader"] == "B"].to_csv(folder / "cases.csv", index=False)
    freeze(folder, model_reader=None)
    write_stages(folder)
    result = join(repository, folder)
    assert result.returncode == 0, result.stderr
    info = read_json(folder / "a.json")
    assert info["readers"] == ["B"]
    assert info["model_reader"] is None
    columns = read_table(folder / "a.parquet").columns
    assert [name for name in columns if ":" in name] == ["B:f1", "B:f2"]


def correct_masks(folder, ids, versions=(2,)) -> None:
    """Give the masks of reader A of some patients later versions."""
    cases = pd.read_csv(folder / "cases.csv", dtype=str)
    chosen = cases["patient_id"].isin(ids) & (cases["reader"] == "A")
    parts = [cases] + [cases[chosen].assign(version=str(version)) for version in versions]
    pd.concat(parts).to_csv(folder / "cases.csv", index=False)


def test_a_corrected_mask_is_the_models_and_the_original_the_readers(folder, repository):
    correct_masks(folder, ["0002", "0003", "0036"], versions=(2, 3))
    freeze(folder)
    write_stages(folder)
    features = read_table(folder / "features.parquet")
    features.loc[features["reader"] == "A.v2", "f1"] += 5000
    features.loc[features["reader"] == "A.v3", "f1"] += 9000
    # The original of 0003 could not be used; its correction can.
    original = (features["case_id"] == "0003-L1") & (features["reader"] == "A")
    features[~original].to_parquet(folder / "features.parquet")
    for name, column in (("preflight", "verdict"), ("extraction", "status")):
        table = read_table(folder / f"{name}.parquet")
        bad = (table["case_id"] == "0003-L1") & (table["reader"] == "A")
        table.loc[bad, column] = "error"
        table.to_parquet(folder / f"{name}.parquet")
    result = join(repository, folder)
    assert result.returncode == 0, result.stderr
    table = read_table(folder / "a.parquet").set_index("unit_id")
    names = [name for name in table.columns if ":" in name]
    assert names == ["A:f1", "A:f2", "B:f1", "B:f2", "A.latest:f1", "A.latest:f2"]
    assert table.loc["0002", ["A:f1", "A.latest:f1"]].tolist() == [2.0, 9002.0]
    assert table.loc["0004", ["A:f1", "A.latest:f1"]].tolist() == [4.0, 4.0]
    assert np.isnan(table.loc["0003", "A:f1"])
    assert table.loc["0003", "A.latest:f1"] == 9003.0
    info = read_json(folder / "a.json")
    assert info["corrected"] == {"A": 2}  # 0036 is not eligible
    assert info["readers"] == ["A", "B"]


def test_a_broken_correction_does_not_fall_back_to_the_original(folder, repository):
    correct_masks(folder, ["0002"])
    freeze(folder)
    write_stages(folder, bad=("0002-L1", "A.v2"))
    result = join(repository, folder)
    assert result.returncode == 0, result.stderr
    table = read_table(folder / "a.parquet")
    assert "0002" not in table["unit_id"].tolist()
    assert not any("latest" in name for name in table.columns)
    excluded = read_json(folder / "flow.json")["steps"][-3]["excluded"]
    assert excluded[0]["reason"] == "mask empty (reader A)"


def test_imaging_study_has_a_flow_alone(folder, repository):
    freeze(folder, clinical=None, dictionary=None, outcome=None, eligibility=[], aggregation=None)
    write_stages(folder)
    refused = join(repository, folder)
    assert refused.returncode == 1
    assert "An analysis table needs an outcome" in refused.stderr
    assert not (folder / "flow.json").exists()
    result = join(repository, folder, "--flow-only")
    assert result.returncode == 0, result.stderr
    steps = read_json(folder / "flow.json")["steps"]
    assert [step["cases"] for step in steps] == [41, 40, 40]
    assert steps[0]["excluded"][0]["ids"] == ["0001-L1"]
    assert not (folder / "a.parquet").exists()


def test_join_of_ready_tables(folder, repository):
    ids = pd.read_csv(folder / "clinical.csv", dtype=str)["patient_id"]
    table = pd.DataFrame(
        {
            "patient_id": ids,
            "diagnostics_Versions_PyRadiomics": "v3.0.1",
            "f1": np.arange(40) / 7,
            "f2": 1.0,
        }
    )
    table.loc[5, "f2"] = None
    table.to_csv(folder / "a.csv", index=False)
    table[1:][["patient_id", "f2", "f1"]].to_parquet(folder / "b.parquet")
    features = {"A": str(folder / "a.csv"), "B": str(folder / "b.parquet")}
    freeze(folder, cases=None, features=features, aggregation=None)
    gathered = run(
        repository, "pipeline.gather", "--study", folder / "study", "--out", folder / "f.parquet"
    )
    assert gathered.returncode == 0, gathered.stderr
    result = run(
        repository, "pipeline.join", "--study", folder / "study", "--features",
        folder / "f.parquet", "--out", folder / "a.parquet", "--info", folder / "a.json",
        "--flow", folder / "flow.json",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    joined = read_table(folder / "a.parquet").set_index("unit_id")
    assert joined.loc["0003", ["A:f1", "B:f1"]].tolist() == [3 / 7, 3 / 7]
    assert np.isnan(joined.loc["0005", "B:f2"])
    assert joined["level"].isna().all()
    info = read_json(folder / "a.json")
    assert info["features"] == ["f1", "f2"]
    assert info["notes"] == [
        "1 columns of the table of reader A are no features and are left out: "
        "diagnostics_Versions_PyRadiomics."
    ]
    reasons = [e for s in read_json(folder / "flow.json")["steps"] for e in s["excluded"]]
    assert reasons[-1] == {
        "reason": "no features of reader B", "patients": 1, "cases": 1, "ids": ["0000"]
    }  # fmt: skip


def test_text_among_ready_features_is_told(folder, repository):
    ids = pd.read_csv(folder / "clinical.csv", dtype=str)["patient_id"]
    table = pd.DataFrame({"patient_id": ids, "f1": ["0.5", *["1.5"] * 39]})
    table.to_csv(folder / "a.csv", index=False)
    freeze(folder, cases=None, features={"A": str(folder / "a.csv")}, aggregation=None)
    # Changed after validate, which refuses it too.
    table.replace({"f1": {"0.5": "0,5"}}).to_csv(folder / "a.csv", index=False)
    result = run(
        repository, "pipeline.gather", "--study", folder / "study", "--out", folder / "f.parquet"
    )
    assert result.returncode == 1
    assert "Found: 0,5" in result.stderr
    assert "row 2, column f1" in result.stderr


def test_nobody_left_and_too_few_are_told(folder, repository):
    freeze(folder, eligibility=[{"label": "centenarians", "formula": "age >= 100"}])
    write_stages(folder)
    nobody = join(repository, folder)
    assert nobody.returncode == 1
    assert "none is left; not eligible: centenarians: 41" in nobody.stderr
    freeze(folder, outcome={"name": "pain", "formula": "vas >= 9"})
    few = join(repository, folder)
    assert few.returncode == 1
    assert "2 units of either outcome per fold" in few.stderr
    assert not (folder / "a.parquet").exists()


def test_tables_that_lack_are_told(folder, repository):
    freeze(folder)
    result = run(
        repository, "pipeline.join", "--study", folder / "study", "--flow", folder / "flow.json"
    )
    assert result.returncode == 1
    assert "option --features" in result.stderr


def test_aggregation():
    values = pd.DataFrame({"f": [1.0, 2.0, 6.0, 9.0], "g": [np.nan, 4.0, 5.0, 9.0]})
    units = pd.Series(["b", "b", "b", "a"])
    assert aggregate(values, units, "mean").loc["b"].tolist() == [3.0, 4.5]
    assert aggregate(values, units, "median").loc["b"].tolist() == [2.0, 4.5]
    first = aggregate(values, units, "first")
    assert first.index.tolist() == ["a", "b"]
    assert first.loc["b", "f"] == 1.0
    assert np.isnan(first.loc["b", "g"])
    with refusal("several-cases-of-a-patient", StudyError, match="Found: b"):
        aggregate(values, units, None)


def test_readers_stand_side_by_side():
    tables = {
        "B": pd.DataFrame({"f": [1, 2]}, index=["c1", "c2"]),
        "A": pd.DataFrame({"f": [3, 4]}, index=["c2", "c1"]),
    }
    wide = wide_features(tables, ["c2", "c1"])
    assert wide.to_dict("list") == {"A:f": [3.0, 4.0], "B:f": [2.0, 1.0]}


def test_join_of_a_clinical_table_alone(tmp_path, repository):
    write_clinical(tmp_path)
    asked = {"analyses": ["prediction"], "clinical_only": True, "predictors": ["age", "sex"]}
    asked["outcome"] = {"name": "pain", "formula": "vas >= 5"}
    study = clinical_study(tmp_path, **asked)
    write_study(study, tmp_path / "study")
    out = {name: tmp_path / f"{name}.json" for name in ("info", "flow")}
    given = ["--study", tmp_path / "study", "--out", tmp_path / "a.parquet"]
    given += [word for name, path in out.items() for word in (f"--{name}", path)]
    done = run_here("pipeline.join", *given)
    assert done.returncode == 0, done.stderr
    table, info = read_table(tmp_path / "a.parquet"), read_json(out["info"])
    assert table["unit_id"].tolist() == table["patient_id"].tolist()
    assert table["outcome"].tolist() == (study.clinical["vas"] >= 5).astype(int).tolist()
    assert (info["features"], info["readers"]) == ([], [])
    assert [row["column"] for row in info["predictors"]] == ["age", "sex"]
    assert read_json(out["flow"])["steps"][-1]["patients"] == 60


def test_cases_of_a_clinical_table_need_their_patients(tmp_path):
    table = write_clinical(tmp_path)
    table.rename(columns={"patient_id": "case_id"}).to_csv(tmp_path / "clinical.csv", index=False)
    asked = {"analyses": ["prediction"], "clinical_only": True, "unit": "case"}
    asked["outcome"] = {"name": "pain", "formula": "vas >= 5"}
    with refusal("patient-of-case-unknown", StudyError):
        clinical_study(tmp_path, **asked)
    members = pd.DataFrame({"unit_id": ["c1", "c2"], "patient_id": ["P1", None]})
    with refusal("patient-of-case-unknown", StudyError) as raised:
        check_patients_named(members)
    assert raised.value.found == "c2"
