"""Gathering batches: nothing lost, nothing twice, no trace of the batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import yaml

from pipeline.core.errors import StudyError
from pipeline.core.files import write_table
from pipeline.gather import gather, gather_ready
from pipeline.study.config import resolve_config
from pipeline.study.study import write_study
from pipeline.tables.features.feature_tables import read_features
from pipeline.tables.schemas.study_tables import Cases
from pipeline.validate import validate_study
from tests.support.commands import run_here
from tests.support.filled import filled
from tests.support.refusals import refusal
from tests.support.small_tables import DICTIONARY, small_config, small_tables


def _features(cases: list[str], columns: list[str], seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    keys = {"case_id": cases, "reader": ["A"] * len(cases)}
    values = {name: rng.normal(size=len(cases)) for name in columns}
    return pa.table(keys | values)


def test_rows_are_sorted_and_columns_keep_their_order() -> None:
    columns = [f"wavelet-LLH_glcm_{number}" for number in range(1223, 0, -1)]
    parts = [_features(["0010", "0002"], columns), _features(["0001"], columns)]
    table = gather(parts, ["b1", "b0"])
    assert table.column_names == ["case_id", "reader", *columns]
    assert table["case_id"].to_pylist() == ["0001", "0002", "0010"]
    assert table[columns[0]].to_pylist()[0] == parts[1][columns[0]].to_pylist()[0]
    assert gather(parts[::-1], ["b0", "b1"]).equals(table)


def test_a_batch_without_rows_needs_no_columns() -> None:
    filled = _features(["0001"], ["original_shape_Sphericity"])
    empty = pa.table({"case_id": pa.array([], pa.string()), "reader": pa.array([], pa.string())})
    assert gather([empty, filled], ["b0", "b1"]).equals(filled)
    assert gather([empty, empty], ["b0", "b1"]).num_rows == 0


def test_a_column_null_in_one_batch_takes_the_type_of_the_others() -> None:
    null = pa.table({"scan_id": ["s2"], "kvp": pa.nulls(1)})
    value = pa.table({"scan_id": ["s1"], "kvp": [120.0]})
    assert gather([null, value], ["b0", "b1"]).to_pydict() == {
        "scan_id": ["s1", "s2"],
        "kvp": [120.0, None],
    }


def test_what_does_not_fit_together_is_refused() -> None:
    one, other = _features(["0001"], ["a"]), _features(["0002"], ["b"])
    with refusal("batch-columns-differ", match=r"2 columns in one only: a, b.*b0 and b1"):
        gather([one, other], ["b0", "b1"])
    with refusal("row-repeated", match="1 repeated rows"):
        gather([one, _features(["0001"], ["a"])], ["b0", "b1"])
    with refusal("gather-nothing"):
        gather([], [])


def test_ready_tables_become_one_with_the_reader_beside_the_case() -> None:
    names = ["original_shape_Sphericity", "original_firstorder_Mean"]
    of_b = pd.DataFrame({"case_id": ["0002", "0001"], "level": "L1", **dict.fromkeys(names, 1.0)})
    gathered = gather_ready({"B": of_b, "A": of_b})
    assert gathered.columns.tolist() == ["case_id", "reader", *names]
    assert gathered["case_id"].tolist() == ["0001", "0001", "0002", "0002"]
    assert gathered["reader"].tolist() == ["A", "B", "A", "B"]
    of_patients = of_b.rename(columns={"case_id": "patient_id"})
    assert gather_ready({"A": of_patients})["case_id"].tolist() == ["0001", "0002"]


def test_the_command_writes_both_files(tmp_path: Path) -> None:
    for batch, case in (("b0", "0007"), ("b1", "0003")):
        frame = _features([case], ["x"]).to_pandas()
        (tmp_path / batch).mkdir()
        frame.to_parquet(tmp_path / batch / "features.parquet", index=False)
    parts = [str(tmp_path / batch / "features.parquet") for batch in ("b0", "b1")]
    out = tmp_path / "tables" / "features.parquet"
    assert run_here("pipeline.gather", "--out", out, *parts).returncode == 0
    assert pd.read_parquet(out)["case_id"].tolist() == ["0003", "0007"]
    copy = pd.read_csv(out.with_suffix(".csv"), dtype={"case_id": str})
    assert copy["case_id"].tolist() == ["0003", "0007"]


def test_the_batches_are_those_of_the_study_however_many(tmp_path: Path) -> None:
    """Named one by one, thousands of tables would be longer than a command may be."""
    cases = filled(Cases, pd.DataFrame({"batch": ["b1", "b0", "b1"]}))
    write_table(cases, tmp_path / "study" / "cases.parquet")
    (tmp_path / "study" / "study.yaml").write_text("study: s\n", encoding="utf-8")
    for batch, case in (("b0", "0007"), ("b1", "0003"), ("b2", "of a study with more batches")):
        frame = _features([case], ["x"]).to_pandas()
        (tmp_path / batch).mkdir()
        frame.to_parquet(tmp_path / batch / "features.parquet", index=False)
    out = tmp_path / "tables" / "features.parquet"
    command = ["pipeline.gather", "--batches", tmp_path, "--out", out]
    assert run_here(*command, "--study", tmp_path / "study").returncode == 0
    assert pd.read_parquet(out)["case_id"].tolist() == ["0003", "0007"]
    done = run_here(*command)
    assert done.returncode == 1
    assert "Gathering the batches of a study needs --study" in done.stderr


def test_ready_tables_need_a_study_that_starts_from_them(tmp_path: Path) -> None:
    text = yaml.safe_dump(resolve_config({"study": "s", "cases": "cases.csv"}))
    (tmp_path / "study.yaml").write_text(text, encoding="utf-8")
    out = str(tmp_path / "features.parquet")
    done = run_here("pipeline.gather", "--study", tmp_path, "--out", out)
    assert done.returncode == 1
    assert "needs a study that starts from `features`" in done.stderr


def test_columns_of_words_are_no_features_and_missing_words_are_undefined(tmp_path: Path) -> None:
    path = tmp_path / "features.csv"
    path.write_text(
        ",patient_id,scanner,f1,f2,empty\n0,P1,GE,1.5,NA,\n1,P2,Siemens,2,3,\n2,P3,GE,,4,\n",
        encoding="utf-8",
    )
    table, names, dropped = read_features(path, "A", "patient_id")
    assert names == ["f1", "f2", "empty"]
    assert dropped == ["scanner"]
    assert table["f1"].to_list()[:2] == [1.5, 2.0]
    assert table["f2"].isna().to_list() == [True, False, False]
    assert table["empty"].isna().all()


def test_words_among_numbers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "features.csv"
    path.write_text("patient_id,f1\nP1,1.5\nP2,high\n", encoding="utf-8")
    with refusal("feature-not-a-number", StudyError) as caught:
        read_features(path, "A", "patient_id")
    assert caught.value.found == "high"
    path.write_text("patient_id,f1\nP1,low\nP2,high\n", encoding="utf-8")
    with refusal("feature-table-not-numbers", StudyError):
        read_features(path, "A", "patient_id")


def test_a_column_of_words_for_one_reader_only_is_refused() -> None:
    one = pd.DataFrame({"case_id": ["a"], "f1": [1.0], "f2": [2.0]})
    with refusal("feature-without-numbers", StudyError) as caught:
        gather_ready({"A": one, "B": one.drop(columns="f2")})
    assert caught.value.found == "only words for A or B: f2"


def test_decimal_commas_are_read_and_doubtful_ones_refused(tmp_path: Path) -> None:
    path = tmp_path / "features.csv"
    path.write_text("patient_id;f1;f2\nP1;1,5e-05;12\nP2;-0,25;1\n", encoding="utf-8")
    table, names, dropped = read_features(path, "A", "patient_id")
    assert (names, dropped) == (["f1", "f2"], [])
    assert table["f1"].to_list() == [1.5e-05, -0.25]
    # 1,250 may be a thousand and more: neither a number nor a word.
    path.write_text("patient_id;f1;f2\nP1;1,250;12\nP2;2,500;1\n", encoding="utf-8")
    with refusal("feature-not-a-number", StudyError):
        read_features(path, "A", "patient_id")
    # Nor are numbers with a unit words.
    path.write_text("patient_id,f1,f2\nP1,12 HU,1\nP2,14 HU,2\n", encoding="utf-8")
    with refusal("feature-not-a-number", StudyError):
        read_features(path, "A", "patient_id")


def test_cases_that_came_after_validation_are_refused_and_no_later_stage_reads_the_tables(
    tmp_path: Path,
) -> None:
    tables, clinical = small_tables(readers="AB")
    config = small_config(tmp_path, tables, clinical, DICTIONARY)
    write_study(validate_study(config), tmp_path / "study")
    study, features = ("--study", tmp_path / "study"), tmp_path / "features.parquet"
    whole = Path(config["features"]["A"]).read_text()
    Path(config["features"]["A"]).write_text(whole.replace("P007", "P907"))
    done = run_here("pipeline.gather", *study, "--out", features)
    assert "must hold the cases with which this run began. Found: 1 in one only" in done.stderr
    assert not features.exists()
    Path(config["features"]["A"]).write_text(whole)
    assert run_here("pipeline.gather", *study, "--out", features).returncode == 0
    for reader in "AB":
        Path(config["features"][reader]).unlink()
    given = (*study, "--features", features)
    out = ("--out", tmp_path / "r.parquet", "--families", tmp_path / "f.parquet")
    assert run_here("pipeline.reproducibility", *given, *out).returncode == 0
    out = ("--out", tmp_path / "a.parquet", "--info", tmp_path / "a.json")
    joined = run_here("pipeline.join", *given, *out, "--flow", tmp_path / "flow.json")
    assert joined.returncode == 0, joined.stderr
    assert len(pd.read_parquet(tmp_path / "a.parquet")) == len(clinical)
