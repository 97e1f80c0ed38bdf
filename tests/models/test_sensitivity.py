"""The other reader's contours, complete cases, and missing values by outcome."""

import argparse
import math

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats
from sklearn.metrics import roc_auc_score

from demo.feature_names import feature_names
from demo.tables import simulate_tables
from models import missingness as missingness_stage
from models import sensitivity
from models.learning.fitted_procedure import refit
from models.missingness import complete_rows, missingness
from models.sensitivity import COMPLETE_CASES, OTHER_READER, analyse, read_by
from models.split import split_table
from models.transformers.columns import Columns
from pipeline.core.files import read_table, write_json, write_table
from pipeline.core.fit_status import WAS_FITTED
from pipeline.core.seeds import derive_seed
from tests.support.options import typed

PARAMETERS = {"penalty": "l2", "C": 0.1}


@pytest.fixture
def config(repository):
    config = yaml.safe_load((repository / "config" / "default.yaml").read_text(encoding="utf-8"))
    config["selection"]["mrmr"]["k"] = 6
    return config


@pytest.fixture(scope="module")
def study(repository):
    config = yaml.safe_load((repository / "config" / "default.yaml").read_text(encoding="utf-8"))
    table, info = simulate_tables(240, 3, features=feature_names()[:60]).analysis()
    table = table.assign(
        part=split_table(table, typed(config).split, config["seed"])["part"], fold=0
    )
    # Nothing is missing yet: what is, a test says.
    columns = Columns.from_info(info)
    for predictor in columns.predictors:
        known = table[predictor.column].dropna()
        fill = known.median() if predictor.is_numeric else known.mode()[0]
        table[predictor.column] = table[predictor.column].fillna(fill)
    assert complete_rows(columns, table).all()
    return columns, table, info


def main_model(columns, table, config):
    training = table[table["part"] == "train"].reset_index(drop=True)
    seed = derive_seed(config["seed"], "lr", "refit")
    return refit("lr", columns, training, PARAMETERS, typed(config), seed)


def row_of(analysis, columns, table, config):
    return (
        analyse("lr", columns, table, PARAMETERS, typed(config)).set_index("analysis").loc[analysis]
    )


def test_the_model_predicts_what_the_other_reader_measured(study, config):
    columns, table, _ = study
    row = row_of(OTHER_READER, columns, table, config)
    assert (row["reader"], row["model"]) == ("B", "lr")
    test = table[table["part"] == "test"]
    fitted = main_model(columns, table, config)
    swapped = test.copy()
    for feature in columns.features:
        swapped[f"A:{feature}"] = test[f"B:{feature}"]
    ours, theirs = (roc_auc_score(test["outcome"], fitted.predict(t)) for t in (test, swapped))
    assert ours != theirs
    assert row["auroc"] == pytest.approx(theirs)
    assert row["auroc_main"] == pytest.approx(ours)
    assert row["difference"] == pytest.approx(theirs - ours)
    assert row["difference_low"] < row["difference"] < row["difference_high"]
    assert row["method"].startswith("DeLong, paired")
    assert (row["n"], row["events"]) == (len(test), test["outcome"].sum())


def test_rows_that_the_other_reader_has_not_read_are_left_out(study, config):
    columns, table, _ = study
    unread = table.copy()
    test = np.flatnonzero(table["part"] == "test")[:10]
    unread.loc[test, [f"B:{feature}" for feature in columns.features]] = np.nan
    row = row_of(OTHER_READER, columns, unread, config)
    assert row["n"] == (table["part"] == "test").sum() - 10
    nobody = unread.copy()
    nobody.loc[nobody["part"] == "test", [f"B:{f}" for f in columns.features]] = np.nan
    row = row_of(OTHER_READER, columns, nobody, config)
    assert row["n"] == 0
    assert math.isnan(row["auroc"])


def test_against_the_mean_every_reader_is_another(study, config):
    _, table, info = study
    columns = Columns.from_info(info | {"model_reader": "mean"})
    result = analyse("lr", columns, table, PARAMETERS, typed(config))
    assert list(result["reader"].dropna()) == ["A", "B"]
    alone = read_by(columns, table, "B")
    names = [f"A:{feature}" for feature in columns.features]
    np.testing.assert_array_equal(alone[names], table[[f"B:{f}" for f in columns.features]])
    assert list(alone.columns) == list(table.columns)


def test_the_other_readers_corrected_masks_count(study):
    _, table, info = study
    columns = Columns.from_info(info | {"corrected": {"A": 1, "B": 1}})
    for reader in "AB":
        for feature in columns.features:
            table = table.assign(**{f"{reader}.latest:{feature}": table[f"{reader}:{feature}"] + 7})
    read = read_by(columns, table, "B")
    names = [f"A.latest:{feature}" for feature in columns.features]
    expected = table[[f"B.latest:{feature}" for feature in columns.features]]
    np.testing.assert_array_equal(read[names], expected)
    plain = [f"A:{feature}" for feature in columns.features]
    np.testing.assert_array_equal(read[plain], table[plain])


def test_one_reader_and_no_features_have_no_other(study, config):
    columns, table, info = study
    alone = Columns.from_info(info | {"readers": ["A"], "model_reader": None})
    row = row_of(OTHER_READER, alone, table, config)
    assert row["note"] == "not done: the study has one reader"
    clinical = columns.without_blocks("radiomics")
    row = row_of(OTHER_READER, clinical, table, config)
    assert row["note"] == "not done: the study has no radiomic feature"


def test_complete_rows_alone_fit_and_judge_the_model(study, config):
    columns, table, _ = study
    holed = table.copy()
    holed.loc[::6, "age"] = np.nan
    holed.loc[1::9, f"A:{columns.features[0]}"] = np.nan
    # Reader B's values are not the model's: what is missing there leaves a row complete.
    holed.loc[2::5, f"B:{columns.features[0]}"] = np.nan
    row = row_of(COMPLETE_CASES, columns, holed, config)
    complete = holed["age"].notna() & holed[f"A:{columns.features[0]}"].notna()
    np.testing.assert_array_equal(complete_rows(columns, holed), complete)
    test = holed[complete & (holed["part"] == "test")]
    assert row["training"] == (complete & (holed["part"] == "train")).sum()
    assert row["n"] == len(test)
    again = main_model(columns, holed[complete], config)
    assert row["auroc"] == pytest.approx(roc_auc_score(test["outcome"], again.predict(test)))
    main = main_model(columns, holed, config)
    assert row["auroc_main"] == pytest.approx(roc_auc_score(test["outcome"], main.predict(test)))
    assert row["note"] == ""


def test_what_cannot_be_done_is_said(study, config):
    columns, table, _ = study
    row = row_of(COMPLETE_CASES, columns, table, config)
    assert row["note"].startswith("not done: no value is missing")
    assert math.isnan(row["auroc"])
    gone = table.copy()
    gone.loc[gone["outcome"] == 1, "age"] = np.nan
    row = row_of(COMPLETE_CASES, columns, gone, config)
    assert "0 events among" in row["note"]
    assert row["note"].endswith("complete cases of the training patients are too few")


def test_missing_values_are_counted_by_outcome(study):
    columns, table, _ = study
    holed = table.copy()
    events = np.flatnonzero(table["outcome"] == 1)
    others = np.flatnonzero(table["outcome"] == 0)
    holed.loc[[*events[:12], *others[:5]], "age"] = np.nan
    holed.loc[others[:3], [f"B:{feature}" for feature in columns.features[:2]]] = np.nan
    counted = missingness(columns, holed).set_index("predictor")
    age = counted.loc["age"]
    assert (age["missing"], age["events_missing"], age["non_events_missing"]) == (17, 12, 5)
    table_2x2 = [[12, len(events) - 12], [5, len(others) - 5]]
    # Fisher's test by the hypergeometric distribution: all tables no likelier than this one.
    urn = stats.hypergeom(len(table), 17, len(events))
    chances = urn.pmf(np.arange(18))
    expected = chances[chances <= urn.pmf(12) * (1 + 1e-9)].sum()
    assert age["p_value"] == pytest.approx(expected)
    assert age["p_value"] == pytest.approx(stats.fisher_exact(table_2x2).pvalue)
    assert counted.loc["B:", ["missing", "events_missing"]].tolist() == [3, 0]
    assert counted.loc["A:", "missing"] == 0
    assert math.isnan(counted.loc["A:", "p_value"])
    assert (counted["n"] == counted["events"] + counted["non_events"]).all()


def test_of_corrected_masks_the_latest_readings_count_as_missing(study):
    _, table, info = study
    columns = Columns.from_info(info | {"corrected": {"A": 1}})
    latest = {f"A.latest:{f}": table[f"A:{f}"] for f in columns.features}
    table = table.assign(**latest)
    table.loc[:4, f"A:{columns.features[0]}"] = np.nan
    table.loc[:1, f"A.latest:{columns.features[0]}"] = np.nan
    counted = missingness(columns, table).set_index("predictor")
    assert counted.loc["A:", "missing"] == 2


def test_rows_of_one_patient_are_no_patients_to_fishers_test(study):
    columns, table, _ = study
    holed = table.copy()
    holed.loc[np.flatnonzero(table["outcome"] == 1)[:12], "age"] = np.nan
    holed["patient_id"] = [f"p{number // 2}" for number in range(len(holed))]
    counted = missingness(columns, holed).set_index("predictor")
    assert counted.loc["age", "missing"] == 12
    assert counted["p_value"].isna().all()


def test_the_commands_write_their_tables(study, config, tmp_path):
    _, table, info = study
    (tmp_path / "study").mkdir()
    text = yaml.safe_dump(config | {"study": "s"})
    (tmp_path / "study" / "study.yaml").write_text(text, encoding="utf-8")
    write_table(table.drop(columns=["part", "fold"]), tmp_path / "analysis.parquet")
    parts = table[["unit_id", "patient_id", "outcome", "part", "fold"]]
    write_table(parts, tmp_path / "split.parquet")
    write_json(info, tmp_path / "analysis.json")
    write_json({"parameters": PARAMETERS, **WAS_FITTED}, tmp_path / "model.json")
    given = {
        "analysis": tmp_path / "analysis.parquet",
        "info": tmp_path / "analysis.json",
        "split": tmp_path / "split.parquet",
    }
    for stage, more in (
        (missingness_stage, {}),
        (
            sensitivity,
            {"study": tmp_path / "study", "model": "lr", "model_json": tmp_path / "model.json"},
        ),
    ):
        out = tmp_path / f"{stage.__name__}.parquet"
        stage.main(argparse.Namespace(**given, **more, out=out))
        written = read_table(out)
        assert list(written.columns) == list(stage.COLUMNS)
        assert len(pd.read_csv(out.with_suffix(".csv"))) == len(written) > 1
