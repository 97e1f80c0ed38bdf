import json
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml

from demo.feature_names import feature_names
from demo.tables import simulate_tables
from models.learning.fitted_procedure import refit
from models.learning.importance import MEASURES
from models.scoring.threshold import threshold_of
from models.split import split_table
from models.study_files.inputs import read_inputs, training_rows
from models.train import fit_model, main
from models.transformers.columns import Columns
from pipeline.core.errors import StudyError
from pipeline.core.files import read_json, read_table, write_json, write_table
from pipeline.study.config import merge
from tests.support.options import typed
from tests.support.refusals import refusal


@pytest.fixture(scope="module")
def config(repository):
    config = yaml.safe_load((repository / "config" / "default.yaml").read_text(encoding="utf-8"))
    config["study"], config["device"] = "train", "cpu"
    config["selection"]["mrmr"]["k"] = 6
    config["split"]["folds"] = 3
    config["search"]["iterations"] = 3
    config["tabnet"] |= {"max_epochs": 8, "patience": 4}
    return config


@pytest.fixture(scope="module")
def folder(tmp_path_factory, config):
    """Lay out what the stages before training hand over."""
    folder = tmp_path_factory.mktemp("study")
    table, info = simulate_tables(120, 11, features=feature_names()[:60]).analysis()
    write_table(table, folder / "analysis.parquet")
    write_json(info, folder / "analysis.json")
    write_table(split_table(table, typed(config).split, config["seed"]), folder / "split.parquet")
    (folder / "study.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def table(folder):
    return read_inputs(
        folder / "analysis.parquet", folder / "analysis.json", folder / "split.parquet"
    )


def options_of(folder, model, out):
    class Options:
        study = folder
        analysis = folder / "analysis.parquet"
        info = folder / "analysis.json"
        split = folder / "split.parquet"
        out_dir = out
        workers = 1

    Options.model = model
    return Options


@pytest.mark.parametrize("model", ["lr", "svm", "xgboost", "tabnet"])
def test_the_stage_writes_the_four_files(model, folder, config, tmp_path):
    main(options_of(folder, model, tmp_path))
    split = read_table(folder / "split.parquet").set_index("unit_id")
    predictions = read_table(tmp_path / "predictions.parquet")
    assert list(predictions.columns) == ["unit_id", "patient_id", "outcome", "part", "probability"]
    assert predictions["probability"].between(0, 1).all()
    assert sorted(predictions["unit_id"]) == sorted(split.index)
    parts = predictions["part"].map({"oof": "train", "test": "test"})
    assert list(parts) == list(split.loc[predictions["unit_id"], "part"])
    assert list(predictions["outcome"]) == list(split.loc[predictions["unit_id"], "outcome"])

    facts = read_json(tmp_path / "model.json")
    assert list(facts) == [
        *(
            "model",
            "status",
            "reason",
            "label",
            "parameters",
            "cv_auc",
            "cv_auc_sd",
            "fits",
            "fit_endings",
        ),
        *("seconds", "device"),
        *("threads", "seed", "features", "equation", "preparation"),
        *(
            "oversampled",
            "threshold",
            "threshold_rule",
            "threshold_source",
            "importance_notes",
            "notes",
        ),
    ]
    sets = 6 if model == "tabnet" else 3
    assert facts["fits"] == (sets + 1) * 3 + 1
    assert sum(facts["fit_endings"].values()) == (18 if model == "tabnet" else 0)
    assert not (tmp_path / "search.journal").exists()
    assert facts["device"] == "cpu"
    search = read_table(tmp_path / "search.parquet")
    assert list(search["phase"]) == [1, 1, 1, 2, 2, 2][:sets]
    assert facts["cv_auc"] == search["mean_auc"].max()
    assert json.loads(search.loc[search["mean_auc"].idxmax(), "parameters"]) == facts["parameters"]
    importance = read_table(tmp_path / "importance.parquet")
    assert list(importance.columns) == ["feature", "block", "importance", *MEASURES]
    assert sorted(importance["feature"]) == sorted(facts["features"])
    assert importance["importance"].sum() == pytest.approx(1)
    assert importance["importance"].is_monotonic_decreasing
    assert any(note.startswith("Permutation importance:") for note in facts["importance_notes"])
    assert (tmp_path / "predictions.csv").exists()


def test_out_of_fold_predictions_come_from_the_other_folds(table, config):
    """Refitting the chosen parameters to the other folds gives them again."""
    columns, whole = table
    training, folds = training_rows(whole)
    trained = fit_model("lr", columns, training, folds, typed(config))
    for fold in range(3):
        other = refit(
            "lr", columns, training[folds != fold], trained.search.parameters, typed(config), 0
        )
        np.testing.assert_allclose(
            trained.search.out_of_fold[folds == fold],
            other.predict(training[folds == fold]),
            rtol=1e-4,
        )


def test_nothing_of_the_test_rows_enters_a_model(table, config):
    columns, whole = table
    training, folds = training_rows(whole)
    spoiled = whole.copy()
    test = spoiled["part"] == "test"
    spoiled.loc[test, columns.radiomics] = 1e9
    spoiled.loc[test, "outcome"] = 0
    first = fit_model("xgboost", columns, training, folds, typed(config))
    second = fit_model("xgboost", columns, *training_rows(spoiled), typed(config))
    assert first.search.table.equals(second.search.table)
    assert first.threshold == second.threshold
    np.testing.assert_array_equal(first.fitted.predict(whole), second.fitted.predict(whole))


def test_the_command_learns_nothing_from_test_rows(folder, tmp_path):
    """Whatever stands in the test rows of the tables, all but their predictions is the same."""
    spoiled = tmp_path / "study"
    shutil.copytree(folder, spoiled)
    whole, split = read_table(folder / "analysis.parquet"), read_table(folder / "split.parquet")
    test = (split["part"] == "test").to_numpy()
    features = [name for name in whole.columns if ":" in name]
    whole.loc[test, features] = np.random.default_rng(0).normal(50, 9, (test.sum(), len(features)))
    whole.loc[test, "age"] = 20.0
    for rows in (whole, split):
        rows.loc[test, "outcome"] = 1 - rows.loc[test, "outcome"]
    write_table(whole, spoiled / "analysis.parquet")
    write_table(split, spoiled / "split.parquet")
    for source, out in ((folder, "first"), (spoiled, "second")):
        main(options_of(source, "lr", tmp_path / out))
    first, second = (tmp_path / name for name in ("first", "second"))
    for name in ("search.parquet", "importance.parquet"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    facts = [read_json(path / "model.json") | {"seconds": 0} for path in (first, second)]
    assert facts[0] == facts[1]
    out_of_fold = [
        read_table(path / "predictions.parquet").query("part == 'oof'") for path in (first, second)
    ]
    pd.testing.assert_frame_equal(*out_of_fold)


def test_the_threshold_is_that_of_the_out_of_fold_predictions(table, config):
    """Not of the refitted model's own training rows, on which every threshold looks too good."""
    columns, whole = table
    training, folds = training_rows(whole)
    trained = fit_model("rf", columns, training, folds, typed(config))
    outcome = training["outcome"].to_numpy()
    assert trained.threshold == threshold_of(outcome, trained.search.out_of_fold, "youden", 0.5)
    assert trained.threshold != threshold_of(outcome, trained.fitted.predict(training), "youden", 0)


def test_the_same_seed_gives_the_same_model(table, config):
    columns, whole = table
    training, _ = training_rows(whole)
    for model in ("rf", "tabnet"):
        first, second = (refit(model, columns, training, {}, typed(config), 7) for _ in range(2))
        np.testing.assert_array_equal(first.predict(whole), second.predict(whole))
        other = refit(model, columns, training, {}, typed(config), 8)
        assert not np.array_equal(first.predict(whole), other.predict(whole))


def test_a_study_in_which_nothing_is_selected_still_gets_its_model(folder, config, tmp_path):
    strict = merge(
        config,
        {"selection": {"ccc": {"threshold": 1.0}, "clinical": {"p": 1e-30, "vif": None}}},
    )
    study = tmp_path / "study"
    study.mkdir()
    (study / "study.yaml").write_text(yaml.safe_dump(strict), encoding="utf-8")
    options = options_of(folder, "rf", tmp_path / "rf")
    options.study = study
    main(options)
    predictions = read_table(tmp_path / "rf" / "predictions.parquet")
    training = predictions[predictions["part"] == "oof"]
    test = predictions[predictions["part"] == "test"]
    np.testing.assert_allclose(test["probability"], training["outcome"].mean())
    facts = read_json(tmp_path / "rf" / "model.json")
    assert facts["features"] == []
    assert facts["cv_auc"] == 0.5
    assert any(note.startswith("Nothing was selected") for note in facts["notes"])
    assert read_table(tmp_path / "rf" / "importance.parquet").empty


@pytest.mark.parametrize(("model", "harmed"), [("lr", True), ("svm", False)])
def test_oversampling_is_said_to_harm_but_where_real_rows_give_the_risks(
    folder, config, tmp_path, model, harmed
):
    study = tmp_path / "study"
    study.mkdir()
    text = yaml.safe_dump({**config, "oversampling": "adasyn_tomek"})
    (study / "study.yaml").write_text(text, encoding="utf-8")
    options = options_of(folder, model, tmp_path / model)
    options.study = study
    main(options)
    oversampled = read_json(tmp_path / model / "model.json")["oversampled"]
    assert oversampled["added"]
    assert oversampled["harms_calibration"] == harmed


def test_oversampling_that_added_no_row_is_not_claimed(folder, config, tmp_path):
    """As many training rows with an event as without: there is nothing to balance."""
    split = read_table(folder / "split.parquet")
    train = split[split["part"] == "train"]
    fewer = train["outcome"].sum()
    kept = [rows.head(fewer) for _, rows in train.groupby("outcome")]
    units = pd.concat([*kept, split[split["part"] == "test"]])["unit_id"]
    for name in ("analysis", "split"):
        table = read_table(folder / f"{name}.parquet")
        write_table(table[table["unit_id"].isin(units)], tmp_path / f"{name}.parquet")
    shutil.copy(folder / "analysis.json", tmp_path)
    text = yaml.safe_dump({**config, "oversampling": "adasyn_tomek"})
    (tmp_path / "study.yaml").write_text(text, encoding="utf-8")
    main(options_of(tmp_path, "lr", tmp_path / "lr"))
    info = read_json(tmp_path / "lr" / "model.json")
    assert info["oversampled"] == {
        "added": False, "why_not": "the classes are balanced", "harms_calibration": False,
    }  # fmt: skip
    assert "ADASYN added no synthetic patients: the classes are balanced." in info["notes"]


def test_tables_of_different_units_are_refused(folder, tmp_path):
    split = read_table(folder / "split.parquet")
    write_table(split.iloc[1:], tmp_path / "split.parquet")
    with refusal(
        "split-of-other-units",
        StudyError,
        match=r"120 and 119 rows, 1 units in one only.*split.parquet",
    ):
        read_inputs(
            folder / "analysis.parquet", folder / "analysis.json", tmp_path / "split.parquet"
        )


def test_inputs_are_matched_by_unit_not_by_row(folder, tmp_path):
    split = read_table(folder / "split.parquet")
    write_table(split.sample(frac=1, random_state=0), tmp_path / "split.parquet")
    columns, table = read_inputs(
        folder / "analysis.parquet", folder / "analysis.json", tmp_path / "split.parquet"
    )
    assert isinstance(columns, Columns)
    pd.testing.assert_series_equal(table["fold"], split["fold"])


@pytest.mark.parametrize(("device", "workers"), [("cpu", 3), ("cuda", 1)])
def test_a_gpu_is_used_by_one_process(folder, tmp_path, monkeypatch, device, workers):
    given = {}

    def spy(*arguments, **options):
        given.update(options)
        raise StudyError("That is all", code="that-is-all")

    monkeypatch.setattr("models.train.device_of", lambda model, wanted: device)
    monkeypatch.setattr("models.train.fit_model", spy)
    options = options_of(folder, "tabnet", tmp_path)
    options.workers = 3
    with refusal("that-is-all", StudyError):
        main(options)
    assert given["workers"] == workers
