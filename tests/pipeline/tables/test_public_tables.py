"""Feature tables as others publish them, unchanged: from the table to the report.

The layouts are those of public collections, the values drawn: one table with ``ID`` and ``Target``
(radMLBench), PyRadiomics' own output with an index and diagnostics, ids as floating point numbers,
German Excel, a row per region, an outcome in words, one reader.
"""

from __future__ import annotations

import csv
import gzip
import logging
import re

import numpy as np
import pandas as pd
import pytest

import pipeline.gather
import pipeline.join
import pipeline.reproducibility
from demo.feature_names import feature_names
from models import split
from pipeline.core.errors import StudyError
from pipeline.core.files import read_json, read_table, write_csv
from pipeline.reporting.reading_results import read_results
from pipeline.reporting.sections.prediction.selection import left_out_table
from pipeline.reporting.study_report import write_report
from pipeline.study.config import resolve_config
from pipeline.study.study import open_study
from pipeline.tables.features.feature_columns import Layout, LayoutOptions
from pipeline.tables.features.feature_names import filter_family
from pipeline.tables.features.feature_tables import read_features
from pipeline.tables.files.sheets import read_sheet
from pipeline.validate import validate_study, write_study
from tests.support.refusals import refusal
from tests.support.small_study import call, run_models, run_repetitions

NAMES = list(feature_names()[:12])
FEW = {
    "models": ["lr"],
    "search": {"iterations": 2},
    "split": {"folds": 3},
    "nested": {"folds": 3, "search": "fixed"},
    "optimism": {"resamples": 10, "search": "fixed"},
    "stability": {"resamples": 4, "permutations": 1},
    "evaluation": {"bootstrap": 100},
    "interpretation": {"permutations": 2},
    "ablation": {"models": ["lr"], "top": 1, "single": 1, "seeds": 1, "steps": [], "families": []},
}


def drawn(patients: int = 60, seed: int = 1) -> tuple[pd.DataFrame, np.ndarray]:
    """Draw features, of which the first tells something of the outcome, and the outcome."""
    rng = np.random.default_rng(seed)
    outcome = np.arange(patients) % 3 == 0
    values = rng.normal(size=(patients, len(NAMES))) * np.logspace(-3, 3, len(NAMES))
    table = pd.DataFrame(values, columns=NAMES)
    table[NAMES[0]] += outcome * 0.001
    return table, outcome


def joined(folder, features: dict, **options) -> tuple[pd.DataFrame, dict]:
    """Take a study from its tables to the analysis table, as the rules do."""
    given = {"study": "s", "results": str(folder), "features": features, "split": {"folds": 2}}
    config = resolve_config(given | options)
    study = validate_study(config)
    tables, frozen = study.folder / "tables", study.folder / "study"
    write_study(study, frozen)
    call(pipeline.gather, study=frozen, out=tables / "features.parquet", parts=[], batches=None)
    call(
        pipeline.join,
        study=frozen,
        features=tables / "features.parquet",
        preflight=None,
        extraction=None,
        out=tables / "analysis.parquet",
        info=tables / "analysis.json",
        flow=tables / "flow.json",
        flow_only=False,
    )
    return read_table(tables / "analysis.parquet"), read_json(tables / "analysis.json")


def target(formula: str) -> dict:
    return {"outcome": {"name": "target", "formula": formula}}


def test_one_table_of_a_benchmark_runs_to_its_report(tmp_path):
    """Packed, with ID and Target in one table, and nothing else: the layout of radMLBench."""
    table, outcome = drawn()
    table[NAMES[3]] = 7.0
    table[NAMES[4]] = np.where(np.arange(60) % 9, table[NAMES[4]], np.inf)
    table[NAMES[5]] = np.nan
    table.insert(0, "ID", [f"Lipo-{number:03d}_0" for number in range(60)])
    table["Target"] = outcome.astype(int)
    path = tmp_path / "Lipo.gz"
    path.write_bytes(gzip.compress(table.to_csv(index=False).encode()))
    given = {"columns": {"patient_id": "ID"}} | target("Target == 1") | FEW
    analysis, info = joined(tmp_path, {"A": str(path)}, **given)
    assert info["features"] == NAMES
    assert info["predictors"] == info["telling"] == info["foreign"] == []
    assert analysis["outcome"].tolist() == outcome.astype(int).tolist()
    assert analysis[f"A:{NAMES[4]}"].isna().sum() == 7
    folder = tmp_path / "s"
    config = open_study(folder / "study").config
    tables = folder / "tables"
    given = {"study": folder / "study", "analysis": tables / "analysis.parquet"}
    call(split, **given, info=tables / "analysis.json", out=tables / "split.parquet")
    call(
        pipeline.reproducibility,
        study=folder / "study",
        features=tables / "features.parquet",
        agreement=None,
        out=tables / "reproducibility.parquet",
        families=tables / "reproducibility_families.parquet",
    )
    run_models(folder, config)
    run_repetitions(folder, config)
    write_report(read_results(folder / "study"), folder / "report" / "report.html")
    page = (folder / "report" / "report.html").read_text(encoding="utf-8")
    for said in (
        "One reader: no CCC filter",
        "Cross-validation with a fixed search",
        "clinical candidate",
    ):
        assert said in page
    assert not re.search(r">\s*(nan|inf|None)\s*<", page)


def test_an_index_is_no_feature_and_float_ids_meet_whole_ones(tmp_path, caplog):
    """PyRadiomics' output as pandas writes it twice, sorted by outcome, and a clinical table."""
    caplog.set_level(logging.INFO)
    table, outcome = drawn(40)
    order = np.argsort(outcome, kind="stable")
    table, outcome = table.iloc[order].reset_index(drop=True), outcome[order]
    table.insert(0, "Unnamed: 0", range(40))
    table.insert(1, "PatientID", np.arange(100.0, 140.0))
    table.insert(2, "diagnostics_Versions_PyRadiomics", "v3.0.1")
    table.insert(3, "number", range(1, 41))
    table.to_csv(tmp_path / "f.csv")
    died = pd.DataFrame({"Patient ID": range(100, 140), "OS_days": 3})
    died["Death"] = np.where(outcome, "yes", "no")
    died.to_csv(tmp_path / "c.csv", index=False)
    given = {"clinical": str(tmp_path / "c.csv")} | target("Death == 'yes'")
    analysis, info = joined(
        tmp_path,
        {"A": str(tmp_path / "f.csv")},
        columns={"patient_id": "PatientID|Patient ID"},
        **given,
    )
    assert info["features"] == NAMES
    assert analysis["unit_id"].tolist() == [str(number) for number in range(100, 140)]
    assert analysis["outcome"].tolist() == outcome.astype(int).tolist()
    assert "there are no clinical predictors; not used: OS_days" in caplog.text


def regions(folder) -> str:
    """Write a table of three regions a patient as German Excel does: semicolons and commas."""
    table, outcome = drawn(20)
    table = pd.concat([table, table * 2, table * 6], ignore_index=True)
    table.insert(0, "Patient", [*range(1, 21)] * 3)
    table.insert(1, "ROI", [1] * 20 + [2] * 20 + [3] * 20)
    table["label"] = np.where(outcome, "ja", "nein").tolist() * 3
    table.to_csv(folder / "roi.csv", index=False, sep=";", decimal=",")
    return str(folder / "roi.csv")


def test_a_row_per_region_says_what_to_write(tmp_path):
    path = regions(tmp_path)
    given = {"columns": {"patient_id": "Patient"}} | target("label == 'ja'")
    with refusal("feature-row-repeated", StudyError, match="must have one row per patient") as told:
        joined(tmp_path, {"A": path}, **given)
    assert "columns: {case_id: [<patient>, <region>]}" in told.value.remedy
    assert "`aggregation: mean`" in told.value.remedy
    # Numbered rows: the number of the region is a column of numbers, and kept out by its name.
    numbered, info = joined(tmp_path, {"A": path}, aggregation="mean", **given)
    assert info["features"] == NAMES
    assert "1 column is kept out" in info["notes"][0]
    asked = {"also_features": ["ROI"]}
    numbered, info = joined(tmp_path, {"A": path}, aggregation="mean", **given | asked)
    assert info["features"] == ["ROI", *NAMES]
    assert info["foreign"] == ["ROI"]
    named = {"columns": {"patient_id": "Patient", "case_id": ["Patient", "ROI"]}}
    analysis, info = joined(tmp_path, {"A": path}, aggregation="mean", **given | named)
    assert info["features"] == NAMES
    assert analysis["unit_id"].nunique() == 20
    first = drawn(20)[0][NAMES[1]] * 3
    by_id = analysis.set_index("unit_id")[f"A:{NAMES[1]}"]
    np.testing.assert_allclose(by_id[[str(n) for n in range(1, 21)]], first)
    pd.testing.assert_series_equal(by_id, numbered.set_index("unit_id")[f"A:{NAMES[1]}"])
    # Or each region is judged by itself, and a patient's stay together.
    given["outcome"] = {"name": "target", "formula": "label == 'ja' and ROI != 3"}
    table = pd.read_csv(path, sep=";", dtype=str).assign(number=lambda t: t["ROI"])
    table.rename(columns={"ROI": "region", "number": "ROI"}).to_csv(path, sep=";", index=False)
    named["columns"]["case_id"] = ["Patient", "region"]
    cases, _ = joined(tmp_path, {"A": path}, unit="case", **given | named)
    assert cases["unit_id"].tolist()[:3] == ["1-1", "1-2", "1-3"]
    assert cases["outcome"].tolist()[:3] == [1, 1, 0]
    assert cases["patient_id"].nunique() == 20


def test_a_nameless_column_of_ids_and_an_outcome_called_outcome(tmp_path):
    """The index of a data frame: files' names; the names of the analysis table are free to use."""
    table, outcome = drawn(40)
    table.index = [f"case {number:02d}.nii" for number in range(40)]
    table["outcome"] = np.where(outcome, "malignant", "benign")
    table["level"] = ["T4", "L1"] * 20
    table.to_csv(tmp_path / "f.csv")
    features = {"A": str(tmp_path / "f.csv")}
    with refusal("feature-table-without-key", StudyError) as told:
        joined(tmp_path, features, **target("outcome == 'malignant'"))
    assert "columns: {patient_id: 'Unnamed: 0'}" in told.value.remedy
    (tmp_path / "d.csv").write_text(
        "column,label,type,unit,levels,timing,role\n"
        "outcome,,categorical,,benign|malignant,,outcome\n"
        "level,Level,binary,,T4|L1,preoperative,predictor\n"
    )
    analysis, info = joined(
        tmp_path,
        features,
        columns={"patient_id": "Unnamed: 0"},
        dictionary=str(tmp_path / "d.csv"),
        predictors=["level"],
        **target("outcome == 'malignant'"),
    )
    assert analysis["unit_id"].tolist()[:2] == ["case_00_nii", "case_01_nii"]
    assert analysis["outcome"].tolist() == outcome.astype(int).tolist()
    assert [(p["column"], p["label"]) for p in info["predictors"]] == [("level_", "Level")]
    assert analysis["level_"].tolist() == analysis["level"].tolist() == ["T4", "L1"] * 20
    assert info["features"] == NAMES


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_two_readers_whose_tables_hold_the_outcome(tmp_path, suffix):
    table, outcome = drawn(30)
    table.insert(0, "pid", np.arange(30.0) + 1)
    table["malignant"] = outcome
    other = table.assign(**{NAMES[0]: table[NAMES[0]] * 1.01})
    paths = {reader: str(tmp_path / f"{reader}.{suffix}") for reader in "AB"}
    for path, each in zip(paths.values(), (table, other), strict=True):
        {"csv": each.to_csv, "parquet": each.to_parquet}[suffix](path, index=False)
    word = {"csv": "True", "parquet": "TRUE"}[suffix]
    given = {"columns": {"patient_id": "pid"}, "model_reader": "B"} | target(
        f"malignant == '{word}'"
    )
    analysis, info = joined(tmp_path, paths, **given)
    assert info["readers"] == ["A", "B"]
    assert analysis.set_index("unit_id")["outcome"].astype(bool).to_dict() == {
        str(number + 1): bool(event) for number, event in enumerate(outcome)
    }
    spoilt = other.assign(malignant=~outcome)
    {"csv": spoilt.to_csv, "parquet": spoilt.to_parquet}[suffix](paths["B"], index=False)
    with refusal(
        "clinical-rows-disagree",
        StudyError,
        match="Rows of one patient must have the same malignant",
    ):
        joined(tmp_path, paths, **given)


def test_one_table_may_hold_the_rows_of_all_readers(tmp_path):
    """The long layout of public reader studies: pid, reader, features, grades."""
    table, outcome = drawn(30)
    table.insert(0, "pid", [f"P{number}" for number in range(30)])
    table["grade"] = np.where(outcome, 4, 2)
    parts = [table.assign(Observer=f"R{number}") for number in (1, 2)]
    parts[1][NAMES[0]] *= 1.5
    pd.concat(parts).sample(frac=1, random_state=1).to_csv(tmp_path / "f.csv", index=False)
    path = str(tmp_path / "f.csv")
    given = {"columns": {"patient_id": "pid", "reader": "Observer"}, "model_reader": "R1"}
    given |= target("grade >= 3")
    analysis, info = joined(tmp_path, {"R1": path, "R2": path}, **given)
    assert info["features"] == NAMES
    np.testing.assert_allclose(analysis[f"R2:{NAMES[0]}"], 1.5 * analysis[f"R1:{NAMES[0]}"])
    np.testing.assert_allclose(analysis[f"R2:{NAMES[1]}"], analysis[f"R1:{NAMES[1]}"])
    assert analysis["outcome"].sum() == outcome.sum()
    with refusal("reader-missing-in-table", StudyError) as told:
        joined(tmp_path, {"A": path, "R2": path}, **given | {"model_reader": "A"})
    assert "name the readers as the table does" in told.value.remedy


def test_rows_of_readers_whom_the_study_does_not_name_are_told(tmp_path, caplog):
    table, _ = drawn(30)
    table.insert(0, "pid", [f"P{number}" for number in range(30)])
    table["grade"] = np.where(np.arange(30) % 3 == 0, 4, 2)
    parts = [table.assign(reader=reader) for reader in ("R1", "R2", "R3")]
    pd.concat([*parts, table[:2]]).to_csv(tmp_path / "f.csv", index=False)
    path = str(tmp_path / "f.csv")
    given = {"columns": {"patient_id": "pid"}, "model_reader": "R1"} | target("grade >= 3")
    joined(tmp_path, {"R1": path, "R2": path}, **given)
    assert "2 rows of reader (blank) are left out" in caplog.text
    assert "30 rows of reader R3 are left out" in caplog.text
    caplog.clear()
    parts = parts[:2]  # the remedy: the rows are removed
    pd.concat(parts).to_csv(tmp_path / "f.csv", index=False)
    joined(tmp_path, {"R1": path, "R2": path}, **given)
    assert "left out: the configuration" not in caplog.text


def test_a_published_table_of_an_older_pyradiomics(testdata, tmp_path):
    """Repeatability of prostate MRI: general_info_ columns with hashes, semicolons."""
    folder = testdata / "qin_prostate_repeat" / "EvalData"
    name = "pyRadiomicsFeatures_biasCorrected+TP2RegisteredT2AX_FullStudySettings_3D_bin20.csv"
    path = str(folder / name)
    columns = {"patient_id": "study", "case_id": ["study", "segmentedStructure"]}
    given = {"study": "s", "results": str(tmp_path), "features": {"A": path}, "columns": columns}
    study = validate_study(resolve_config(given | {"not_features": ["series"]}))
    layout = Layout.of(study.options(LayoutOptions), None)
    table, names, dropped = read_features(path, "A", "patient_id", layout)
    assert len(table) == 22
    assert len(names) == 1235
    assert all(filter_family(feature) for feature in names)
    assert {"canonicalType", "series", "general_info_ImageHash"} <= set(dropped)
    first = table.loc[0, "original_shape_Volume"]
    assert first == 277.1444497524231


def test_the_outcome_under_another_name_is_refused(tmp_path):
    table, outcome = drawn()
    table.insert(0, "ID", range(60))
    table = table.assign(Target=outcome.astype(int), grade=5 - outcome, OS_days=outcome * 90.0)
    table["OS_days"] += np.linspace(1, 9, 60)
    table.to_csv(tmp_path / "f.csv", index=False)
    given = {"columns": {"patient_id": "ID"}} | target("Target == 1")
    given["also_features"] = ["grade", "OS_days"]
    with refusal("feature-is-the-outcome", StudyError) as told:
        joined(tmp_path, {"A": str(tmp_path / "f.csv")}, **given)
    assert "not_features: [grade]" in told.value.remedy
    named = {"not_features": ["grade"]}
    _, info = joined(tmp_path, {"A": str(tmp_path / "f.csv")}, **given | named)
    assert info["foreign"] == info["telling"] == ["OS_days"]
    named = {"not_features": ["grade", "OS_*"]}
    _, info = joined(tmp_path, {"A": str(tmp_path / "f.csv")}, **given | named)
    assert info["features"] == NAMES
    assert info["foreign"] == info["telling"] == []


def test_levels_written_as_floating_point_numbers(tmp_path):
    table, outcome = drawn(30)
    table.insert(0, "patient_id", [f"P{number}" for number in range(30)])
    table.to_csv(tmp_path / "f.csv", index=False)
    clinical = table[["patient_id"]].assign(sex=[0.0, 1.0] * 15, popf=outcome.astype(float))
    clinical.to_csv(tmp_path / "c.csv", index=False)
    (tmp_path / "d.csv").write_text(
        "column,label,type,unit,levels,timing,role\n"
        "sex,Sex,binary,,0|1,preoperative,predictor\npopf,,binary,,0|1,,outcome\n"
    )
    tables = {"clinical": str(tmp_path / "c.csv"), "dictionary": str(tmp_path / "d.csv")}
    features = {"A": str(tmp_path / "f.csv")}
    analysis, _ = joined(tmp_path, features, **tables, **target("popf == 1"))
    assert analysis.set_index("unit_id").loc[["P0", "P1"], "sex"].tolist() == ["0", "1"]
    assert analysis["outcome"].sum() == outcome.sum()


@pytest.mark.parametrize(
    ("columns", "code", "rule", "said"),
    [
        (
            {"patient_id": "ID"},
            "column-ambiguous",
            "must have one column for patient_id",
            "remove columns.patient_id",
        ),
        (
            {"case_id": ["patient_id", "RIO"]},
            "column-parts-missing",
            "Every column that makes up case_id",
            "RIO",
        ),
        (
            {"case_id": "ROI"},
            "feature-row-repeated",
            "must have one row per case",
            "1 in rows 2, 3",
        ),
    ],
)
def test_columns_that_do_not_fit_are_told(tmp_path, columns, code, rule, said):
    text = "patient_id,ID,ROI,entropy,Target\nP1,1,1,0.5,0\nP2,2,1,0.4,1\n"
    (tmp_path / "f.csv").write_text(text)
    with refusal(code, StudyError, match=rule) as told:
        joined(tmp_path, {"A": str(tmp_path / "f.csv")}, columns=columns, **target("Target == 1"))
    assert said in str(told.value)


def test_words_among_the_numbers_of_an_outcome_are_refused_until_named(tmp_path, caplog):
    table, outcome = drawn(30)
    table.insert(0, "patient_id", [f"P{number}" for number in range(30)])
    table["Target"] = outcome.astype(int).astype(str)
    table.loc[[1, 2], "Target"] = "unclear", "NA"
    table.to_csv(tmp_path / "f.csv", index=False)
    given = {"A": str(tmp_path / "f.csv")}
    with refusal(
        "word-for-unknown-counts", StudyError, match="`not known` must not count as no event"
    ) as told:
        joined(tmp_path, given, **target("Target == 1"))
    assert "column Target holds numbers and words (unclear)" in caplog.text
    assert "missing_values: ['unclear']" in told.value.remedy
    analysis, _ = joined(tmp_path, given, missing_values=["unclear"], **target("Target == 1"))
    assert len(analysis) == 28


def test_a_column_that_became_an_id_is_no_column_of_a_formula(tmp_path):
    (tmp_path / "f.csv").write_text("ID,bone,entropy,y\n1,L1,0.5,0\n2,L2,0.4,1\n")
    given = {"columns": {"patient_id": "ID", "level": "bone"}, "split": {"folds": 2}}
    with refusal("named-column-missing", StudyError):
        joined(tmp_path, {"A": str(tmp_path / "f.csv")}, **given, **target("ID > 1"))
    eligible = {"eligibility": [{"label": "lumbar", "formula": "level in ('L1', 'L3')"}]}
    with refusal(
        "split-part-without-outcome", StudyError, match="train part of the split must hold patients"
    ) as told:
        joined(tmp_path, {"A": str(tmp_path / "f.csv")}, **given, **eligible, **target("y == 1"))
    assert "nobody, of 1 units" in str(told.value)


def test_a_column_that_no_table_has_is_told_with_the_nearest(tmp_path):
    (tmp_path / "f.csv").write_text("patient_id,entropy,Target\nP1,0.5,0\nP2,0.4,1\n")
    with refusal("named-column-missing", StudyError) as told:
        joined(tmp_path, {"A": str(tmp_path / "f.csv")}, **target("Traget == 1"))
    assert "perhaps `Target` is meant" in str(told.value)


def test_ids_that_would_become_one_are_told(tmp_path):
    (tmp_path / "f.csv").write_text("patient_id,entropy,Target\np 1,0.5,0\np.1,0.4,1\n")
    with refusal("ids-alike-without-signs", StudyError):
        joined(tmp_path, {"A": str(tmp_path / "f.csv")}, **target("Target == 1"))


def test_a_uid_is_refused_and_not_shown(tmp_path):
    uid = "1.2.840.113619.2"
    (tmp_path / "f.csv").write_text(f"patient_id,entropy,Target\n{uid},0.5,0\nP2,0.4,1\n")
    with refusal("ids-are-dates-or-uids", StudyError) as told:
        joined(tmp_path, {"A": str(tmp_path / "f.csv")}, **target("Target == 1"))
    assert uid not in str(told.value)


def test_a_feature_whose_name_would_be_parted_is_told(tmp_path):
    (tmp_path / "f.csv").write_text("patient_id,glcm|Idm,entropy,y\nP1,1,2,0\nP2,2,1,1\n")
    with refusal("feature-name-with-bar", StudyError) as told:
        joined(tmp_path, {"A": str(tmp_path / "f.csv")}, **target("y == 1"))
    assert "not_features: ['*|*']" in told.value.remedy


def test_a_damaged_packed_table_is_told(tmp_path):
    whole = gzip.compress(b"patient_id,entropy,Target\nP1,0.5,0\nP2,0.4,1\n" * 9)
    (tmp_path / "f.gz").write_bytes(whole[:40])
    with refusal("table-gzip-damaged", StudyError):
        joined(tmp_path, {"A": str(tmp_path / "f.gz")}, **target("Target == 1"))


def test_units_that_the_feature_tables_do_not_name(tmp_path):
    (tmp_path / "f.csv").write_text("patient_id,entropy,Target\nP1,0.5,0\nP2,0.4,1\n")
    given = {"unit": "case"} | target("Target == 1")
    with refusal(
        "feature-tables-without-unit",
        StudyError,
        match="must have the column case_id, since `unit` is case",
    ):
        joined(tmp_path, {"A": str(tmp_path / "f.csv")}, **given)


NOTATIONS = {
    "original_firstorder_Energy": lambda v: f"{v * 1e7 + 2e7:,.0f}",
    "original_firstorder_TotalEnergy": lambda v: f"{v * 1e7 + 2e7:,.2f}",
    "original_firstorder_Mean": lambda v: f"np.float64({v!r})",
    "original_firstorder_Minimum": lambda v: f"\N{MINUS SIGN}{abs(v) + 1:.3f}",
    "original_firstorder_Range": lambda v: f"{v:.4E}".replace("E", "D"),
}


def test_numbers_in_the_notations_of_programs_are_read(tmp_path):
    values = np.random.default_rng(1).normal(size=30)
    ids = [f"P{n}" for n in range(30)]
    columns = {name: [write(float(v)) for v in values] for name, write in NOTATIONS.items()}
    path = tmp_path / "A.csv"
    pd.DataFrame({"patient_id": ids, "original_firstorder_Median": values} | columns).to_csv(
        path, index=False
    )
    table, names, dropped = read_features(path, "A", "patient_id")
    assert names == ["original_firstorder_Median", *NOTATIONS]
    assert dropped == []
    assert table["original_firstorder_Mean"].tolist() == values.tolist()
    assert table["original_firstorder_Energy"].tolist() == pytest.approx(values * 1e7 + 2e7, abs=1)
    assert table["original_firstorder_Minimum"].tolist() == pytest.approx(
        -abs(values) - 1, abs=1e-3
    )
    assert table["original_firstorder_Range"].tolist() == pytest.approx(values, rel=1e-3)


@pytest.mark.parametrize("cell", ["31.2 cm3", "12%", "failed", "<0.05", "1.2.3", "2025-03-01"])
@pytest.mark.parametrize("all_cells", [True, False])
def test_a_column_with_a_name_of_pyradiomics_is_never_left_out_as_words(tmp_path, cell, all_cells):
    table, _ = drawn(12)
    table.insert(0, "patient_id", [f"P{n}" for n in range(12)])
    table[NAMES[2]] = [cell if all_cells or n == 3 else "1.5" for n in range(12)]
    path = tmp_path / "A.csv"
    table.to_csv(path, index=False)
    with refusal(
        "feature-not-a-number", StudyError, match=f"(row 5|rows 2.*), column {NAMES[2]}"
    ) as refused:
        read_features(path, "A", "patient_id")
    assert f"not_features: [{NAMES[2]}]" in str(refused.value)
    # The remedy, typed:
    _, names, dropped = read_features(path, "A", "patient_id", Layout(left_out=(NAMES[2],)))
    assert (len(names), dropped) == (len(NAMES) - 1, [NAMES[2]])


def test_decimal_commas_of_three_digits_are_read_alike_by_validate_and_run(tmp_path):
    table, outcome = drawn()
    table = (np.tanh(table) * 0.99).map(lambda value: f"{value:.3f}".replace(".", ","))
    # Alone, the commas of this column could be of thousands: the others say that they are not.
    table[NAMES[1]] = [f"{n + 1},250" for n in range(60)]
    table.insert(0, "patient_id", [f"P{n}" for n in range(60)])
    table["Target"] = outcome.astype(int)
    path = tmp_path / "A.csv"
    table.to_csv(path, index=False, sep=";")
    analysis, _ = joined(tmp_path, {"A": str(path)}, **target("Target == 1"))
    assert analysis[f"A:{NAMES[1]}"].sum() == sum(n + 1.25 for n in range(60))
    ambiguous = table[["patient_id", NAMES[1], "Target"]]
    ambiguous.to_csv(path, index=False, sep=";")
    given = {"study": "s", "features": {"A": str(path)}, "results": str(tmp_path)}
    with refusal("feature-not-a-number", StudyError, match="whichever is meant"):
        validate_study(resolve_config(given | target("Target == 1")))


def test_columns_of_words_are_told_by_validate_and_in_the_report(tmp_path, caplog):
    table, outcome = drawn()
    table.insert(0, "patient_id", [f"P{n}" for n in range(60)])
    table["scanner"], table["Target"] = "Vendor X", outcome.astype(int)
    table["diagnostics_Versions_Python"] = "3.11"
    path = tmp_path / "A.csv"
    table.to_csv(path, index=False)
    given = {"not_features": [NAMES[0]]} | target("Target == 1")
    _, info = joined(tmp_path, {"A": str(path)}, **given)
    kept_out = [one["columns"] for one in info["left_out"] if "the word scanner" in one["reason"]]
    assert kept_out == [["scanner"]]
    _, info = joined(tmp_path, {"A": str(path)}, also_features=["scan*"], **given)
    assert "1 columns of the table of reader A hold words" in caplog.text
    assert {tuple(one["columns"]): one["reason"] for one in info["left_out"]} == {
        (NAMES[0],): "named by `not_features`",
        ("scanner",): "words, dates or codes and no numbers, or a count of the rows",
        ("Target",): "described by the data dictionary, or named by a formula",
        ("diagnostics_Versions_Python",): "written by software beside the features",
    }
    block = left_out_table(info["left_out"])
    assert set(block.shown["Columns"]) == {
        NAMES[0],
        "scanner",
        "Target",
        "diagnostics_Versions_Python",
    }


HOSTILE = [
    f"{sign}original_glcm_{name}"
    for sign, name in (("=", "Idm()"), ("+", "Id"), ("-", "Imc1"), ("@", "Imc2"), ("'=", "MCC"))
]


def test_no_csv_of_a_run_holds_a_formula(tmp_path):
    """Names and labels that a spreadsheet would compute are escaped in every exported table."""
    table, outcome = drawn(60)
    table = table.rename(columns=dict(zip(NAMES, HOSTILE, strict=False)))
    table[HOSTILE[0]] = np.where(outcome, 2.0, 0.0) + table[NAMES[-1]]
    table.insert(0, "patient_id", [f"P{n}" for n in range(60)])
    table["=kind"] = np.where(np.arange(60) % 2, "-focal", "+general")
    table["Target"] = outcome.astype(int)
    path = tmp_path / "A.csv"
    write_csv(table, path)
    (tmp_path / "d.csv").write_text(
        "column,label,type,unit,levels,timing,role\n"
        "=kind,=Kind(),binary,@unit,-focal|+general,preoperative,predictor\n"
        "Target,-Target,binary,,0|1,postoperative,outcome\n"
    )
    given = target("Target == 1") | FEW | {"dictionary": str(tmp_path / "d.csv")}
    given |= {"nested": {"models": []}, "optimism": {"models": []}, "ablation": {"models": []}}
    analysis, info = joined(tmp_path, {"A": str(path)}, **given)
    assert info["features"][:5] == HOSTILE
    folder = tmp_path / "s"
    tables = folder / "tables"
    given = {"study": folder / "study", "analysis": tables / "analysis.parquet"}
    call(split, **given, info=tables / "analysis.json", out=tables / "split.parquet")
    call(
        pipeline.reproducibility,
        study=folder / "study",
        features=tables / "features.parquet",
        agreement=None,
        out=tables / "reproducibility.parquet",
        families=tables / "reproducibility_families.parquet",
    )
    config = open_study(folder / "study").config
    run_models(folder, config)
    run_repetitions(folder, config)
    write_report(read_results(folder / "study"), folder / "report" / "report.html")
    written, hostile = sorted(folder.rglob("*.csv")), set()
    for one in written:
        with open(one, encoding="utf-8", newline="") as stream:
            cells = [cell for row in csv.reader(stream) for cell in row]
        begun = [cell for cell in cells if re.match(r"[=@\t\r]|[+-][^\d.]", cell)]
        assert begun == [], one.name
        hostile |= {
            one.name for cell in cells if cell.lstrip("'") in (*HOSTILE, "-focal", "=Kind()")
        }
    assert len(written) > 20
    assert {"features.csv", "analysis.csv", "selection.csv"} <= hostile
    assert len(hostile) > 5
    # The project's own reader gives the names back.
    assert read_sheet(tables / "features.csv").columns.tolist()[2:7] == HOSTILE
    again = read_sheet(tables / "analysis.csv")
    assert again["=kind"].tolist() == analysis["=kind"].tolist()
