import math

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from demo.feature_names import feature_names
from demo.tables import simulate_tables
from models.references import (
    HU_COLUMN,
    LABELS,
    VOLUME_COLUMN,
    compare_references,
    mean_hu,
    with_simple_predictors,
)
from models.split import split_table
from models.transformers.columns import Columns
from tests.support.options import typed

VOLUME = "original_shape_MeshVolume"


@pytest.fixture(scope="module")
def config(repository):
    config = yaml.safe_load((repository / "config" / "default.yaml").read_text(encoding="utf-8"))
    config["evaluation"]["bootstrap"] = 100
    return config


@pytest.fixture(scope="module")
def study(config):
    names = [*feature_names()[:60], VOLUME]
    table, info = simulate_tables(200, 2, features=list(dict.fromkeys(names))).analysis()
    split = split_table(table, typed(config).split, config["seed"])
    return Columns.from_info(info), table.assign(part=split["part"], fold=0)


@pytest.fixture(scope="module")
def references(study, config):
    return compare_references(*study, typed(config)).set_index("reference")


def test_every_reference_is_judged(references):
    assert list(references.index) == list(LABELS)
    assert (references["note"] == "").all()
    assert references.loc["intercept", "auroc"] == 0.5
    assert references.loc["intercept", "n_features"] == 0
    assert references.loc["volume", "n_features"] == 1
    assert references.loc["volume", "label"] == f"Volume alone ({VOLUME})"
    # The simulated outcome follows clinical predictors and texture, not the level.
    assert (
        references.loc[["clinical", "radiomics"], "auroc"].min() > references.loc["level", "auroc"]
    )
    known = references.drop(index="intercept")
    assert (known["auroc_low"] < known["auroc"]).all()
    assert (known["auroc"] < known["auroc_high"]).all()


def test_the_share_of_events_is_that_of_the_training_rows(study, references):
    _, table = study
    training, test = (table[table["part"] == part] for part in ("train", "test"))
    brier = np.mean((test["outcome"] - training["outcome"].mean()) ** 2)
    assert references.loc["intercept", "brier"] == pytest.approx(brier)


def test_volume_is_that_of_the_models_reader(study, references):
    columns, table = study
    volume = table[f"{columns.model_reader}:{VOLUME}"]
    training = (table["part"] == "train").to_numpy()
    direction = np.sign(
        LogisticRegression()
        .fit(volume[training].to_frame(), table["outcome"][training])
        .coef_[0, 0]
    )
    area = roc_auc_score(table["outcome"][~training], direction * volume[~training])
    assert references.loc["volume", "auroc"] == pytest.approx(area)


def test_the_mean_intensity_and_the_bone_density_stand_beside_volume(study, references):
    columns, table = study
    assert references.loc["hu", "n_features"] == 1
    assert "in HU where images were not normalised" in references.loc["hu", "label"]
    assert references.loc["bmd", "label"].startswith("Bone mineral density alone (")
    added = with_simple_predictors(table, columns)[0][HU_COLUMN]
    expected = table[f"{columns.model_reader}:original_firstorder_Mean"]
    pd.testing.assert_series_equal(added, expected, check_names=False)


def test_a_study_with_images_has_its_ct_numbers_in_hu(study):
    columns, table = study
    masks = pd.DataFrame({"patient_id": table["patient_id"], "case_id": table["unit_id"]})
    masks = masks.merge(pd.DataFrame({"reader": ["A", "A.v2", "B"]}), how="cross")
    masks["mean_hu"] = np.arange(len(masks), dtype=float)
    rows, predictors = with_simple_predictors(table, columns, masks)
    assert predictors["hu"].label == "HU on the CT as scanned"
    # Of reader A the second version: every third row from the second on.
    assert rows[HU_COLUMN].to_numpy() == pytest.approx(np.arange(len(table)) * 3 + 1.0)


def test_a_patient_has_the_mean_ct_number_of_all_cases():
    masks = pd.DataFrame(
        {"patient_id": ["p", "p", "q"], "case_id": ["1", "2", "3"], "reader": "A",
         "mean_hu": [100.0, 200.0, 50.0]}
    )  # fmt: skip
    assert mean_hu(masks, ["A"], "patient").to_dict() == {"p": 150.0, "q": 50.0}
    assert mean_hu(masks, ["A", "B"], "case").isna().all()


def test_the_mean_of_readers_has_their_mean_volume(study):
    columns, table = study
    both = Columns(columns.readers, "mean", columns.features, columns.predictors)
    volume = with_simple_predictors(table, both)[0][VOLUME_COLUMN]
    expected = table[[f"{reader}:{VOLUME}" for reader in columns.readers]].mean(axis=1)
    pd.testing.assert_series_equal(volume, expected, check_names=False)


def test_what_a_study_does_not_have_is_said(study, config):
    columns, table = study
    volumes = [name for name in columns.features if name.endswith("Volume")]
    bare = columns.without(*volumes).without_blocks("clinical")
    result = compare_references(bare, table.assign(level="L1"), typed(config)).set_index(
        "reference"
    )
    assert "all are of one" in result.loc["level", "note"]
    assert "no feature of the study bears the name of a volume" in result.loc["volume", "note"]
    assert not result["label"].str.contains("vertebra alone").any()
    assert "no clinical candidate" in result.loc["clinical", "note"]
    assert math.isnan(result.loc["clinical", "auroc"])
    assert result.loc["radiomics", "note"] == ""


def test_nothing_of_the_test_rows_enters_a_reference(study, config):
    columns, table = study
    spoiled = table.copy()
    test = spoiled["part"] == "test"
    features = [name for name in spoiled if ":" in name]
    spoiled.loc[test, features] = spoiled.loc[test, features].to_numpy()[::-1]
    first, second = (compare_references(columns, rows, typed(config)) for rows in (table, spoiled))
    assert first["n_features"].equals(second["n_features"])
    same = first["reference"].isin(["intercept", "level", "clinical"])
    pd.testing.assert_frame_equal(first[same], second[same])


def test_a_clinical_column_called_volume_stays_what_it_is(study, references, config):
    columns, table = study
    named = compare_references(columns, table.assign(volume=1.0), typed(config)).set_index(
        "reference"
    )
    pd.testing.assert_frame_equal(named, references)


def test_a_volume_of_another_software_is_the_reference_too(study, references, config):
    columns, table = study
    other = "MORPHOLOGICAL_Volume(IBSI:RNU0)[mm3]"
    spelled = {f"{reader}:{VOLUME}": f"{reader}:{other}" for reader in columns.readers}
    features = [other if name == VOLUME else name for name in columns.features]
    features = [name for name in features if not name.endswith("Volume")]
    renamed = Columns(columns.readers, columns.model_reader, tuple(features), columns.predictors)
    found = compare_references(renamed, table.rename(columns=spelled), typed(config))
    row = found.set_index("reference").loc["volume"]
    assert row["auroc"] == references.loc["volume", "auroc"]
    assert row["label"] == "Volume alone (MORPHOLOGICAL_Volume(IBSI:RNU0)[mm3])"
