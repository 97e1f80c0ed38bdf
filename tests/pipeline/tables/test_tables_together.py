"""Readers' tables against one another, names that the models make, and what a split leaves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.transformers.columns import Predictor
from pipeline.core.errors import StudyError
from pipeline.study.flow.enough import check_parts
from pipeline.tables.dictionary import program_names
from pipeline.tables.features.reader_units import other_units
from pipeline.tables.pairs import check_ids_meet
from pipeline.tables.split_options import Split
from tests.support.refusals import refusal
from tests.support.small_tables import DICTIONARY, NAMES, small_study, small_tables


def in_units(features: dict, size: float) -> dict:
    rng = np.random.default_rng(5)
    volume = rng.normal(30000, 5000, len(features["A"]))
    for reader, unit in (("A", 1.0), ("B", size)):
        read = volume * rng.normal(1, 0.01, len(volume))
        features[reader]["original_shape_MeshVolume"] = read / unit**3
        features[reader]["original_shape_SurfaceArea"] = 6 * read ** (2 / 3) / unit**2
    return features


def test_a_power_of_ten_between_readers_is_named(tmp_path, caplog):
    features, clinical = small_tables(readers="AB")
    small_study(tmp_path, in_units(features, 10.0), clinical, DICTIONARY)
    assert "Readers A and B seem to give original_shape_SurfaceArea in other units" in caplog.text
    assert "values of A are about 1000 times those of B" in caplog.text
    caplog.clear()
    # The remedy: one unit.
    small_study(tmp_path, in_units(features, 1.0), clinical, DICTIONARY)
    assert "other units" not in caplog.text


@pytest.mark.parametrize("size", [1.0, 1.5, 2.0, 1.3])
def test_other_ratios_are_no_units(size):
    features, _ = small_tables(readers="AB")
    tables = {r: t.set_index("patient_id") for r, t in in_units(features, size).items()}
    assert other_units(tables, list(tables["A"])) == []


def test_noise_and_shifts_are_no_units():
    rng = np.random.default_rng(1)
    a = pd.DataFrame({"x": rng.lognormal(0, 2, 80), "y": rng.normal(size=80), "z": 3.0})
    b = pd.DataFrame({"x": rng.lognormal(2.3, 2, 80), "y": a["y"] + 10, "z": 30.0})
    assert other_units({"A": a, "B": b}, ["x", "y", "z"]) == []
    assert other_units({"A": a}, ["x"]) == []
    found = other_units({"A": a, "B": a, "C": a * 100}, ["x", "y"])
    assert [(each.first, each.second, each.power) for each in found] == [("A", "C", -2)]


def test_two_hospitals_are_no_two_readers(tmp_path, caplog):
    features, clinical = small_tables(readers="AB")
    both = {reader: table.assign(pain=clinical["pain"]) for reader, table in features.items()}
    both["B"]["patient_id"] = [f"S{number:03d}" for number in range(60)]
    with refusal("readers-share-no-case", StudyError) as told:
        small_study(tmp_path, both, formula="pain == 1")
    assert "60 ids of A, 60 ids of B" in told.value.found
    # The remedy: one table with a column of the site.
    one = pd.concat([both["A"].assign(site="north"), both["B"].assign(site="south")])
    split = {"design": "by_site", "column": "site", "test_sites": ["south"], "folds": 3}
    study = small_study(tmp_path, {"A": one}, formula="pain == 1", split=split)
    assert len(study.clinical) == 120
    both["B"]["patient_id"] = both["A"]["patient_id"].tolist()[:50] + [f"S{n}" for n in range(10)]
    small_study(tmp_path, both, formula="pain == 1")
    assert "10 cases are not in the table of reader A" in caplog.text
    assert "10 cases are not in the table of reader B" in caplog.text


@pytest.mark.parametrize("name", ["sex=male", "sex=female", "sex=(missing)"])
def test_a_feature_must_not_be_called_like_a_level(tmp_path, name):
    features, clinical = small_tables()
    features["A"][name] = np.arange(60) * 0.5
    with refusal("column-named-like-model-column", StudyError) as told:
        small_study(tmp_path, features, clinical, DICTIONARY, also_features=["sex=*"])
    assert told.value.found == f"{name} (made of the predictor sex)"
    small_study(tmp_path, features, clinical, DICTIONARY, also_features=["sex=*"],
                not_features=[name])  # fmt: skip
    small_study(tmp_path, features, clinical, DICTIONARY)


def test_a_predictor_must_not_be_called_like_a_level_of_another(tmp_path):
    features, clinical = small_tables()
    clinical["sex=male"] = 1.0
    dictionary = DICTIONARY.copy()
    dictionary.loc[3] = ["sex=male", "", "continuous", "", "", "preoperative", "predictor"]
    with refusal("column-named-like-model-column", StudyError) as told:
        small_study(tmp_path, features, clinical, dictionary)
    assert told.value.remedy == "rename the column in both tables"


def test_the_names_are_those_that_the_models_give():
    predictor = Predictor("sex", "Sex", "binary", ("female", "male"))
    made = program_names(DICTIONARY[DICTIONARY["column"] == "sex"])
    assert {*predictor.encoded, predictor.indicator, predictor.column} <= set(made)


@pytest.mark.parametrize("part", ["train", "test"])
def test_an_imported_split_of_one_part_is_refused(tmp_path, part):
    features, clinical = small_tables()
    clinical["part"] = part
    split = {"design": "imported", "column": "part", "folds": 3}
    other = {"train": "test", "test": "train"}[part]
    with refusal(
        "split-part-without-outcome", StudyError, match=f"The {other} part of the split must hold"
    ) as told:
        small_study(tmp_path, features, clinical, None, "pain == 1", split=split)
    assert told.value.found == "nobody, of 60 units"


def test_a_test_part_without_events_is_refused(tmp_path):
    features, clinical = small_tables()
    clinical["order"] = np.arange(60)
    clinical.loc[40:, "pain"] = 0
    split = {"design": "temporal", "column": "order", "test_from": 40, "folds": 3}
    with refusal(
        "split-part-without-outcome", StudyError, match="The test part of the split must hold"
    ) as told:
        small_study(tmp_path, features, clinical, None, "pain == 1", split=split)
    assert told.value.found == "0 with and 20 without the outcome"
    split = {"design": "temporal", "column": "order", "test_from": 1e6, "folds": 3}
    with refusal("split-part-without-outcome", StudyError, match="nobody, of 60 units"):
        small_study(tmp_path, features, clinical, None, "pain == 1", split=split)


@pytest.mark.parametrize(("events", "fraction"), [(2, 0.1), (30, 0.3), (5, 0.05), (12, 0.04)])
def test_a_drawn_split_is_foreseen_as_it_is_drawn(events, fraction):
    from models.split import holdout_parts

    table = pd.DataFrame({"patient_id": [f"P{n}" for n in range(100)], "outcome": 0})
    table.loc[: events - 1, "outcome"] = 1
    table["unit_id"] = table["patient_id"]
    split = Split(design="holdout", test_fraction=fraction)
    parts = holdout_parts(table, fraction, 1)
    fine = all(table.loc[parts == part, "outcome"].nunique() == 2 for part in ("train", "test"))
    try:
        check_parts(table["outcome"], table, split)
        foreseen = True
    except StudyError:
        foreseen = False
    assert foreseen == fine


def test_two_spellings_of_a_level_are_refused(tmp_path):
    features, clinical = small_tables()
    dictionary = DICTIONARY.replace({"levels": {"female|male": "female|Female"}})
    with refusal("levels-spelled-alike", StudyError):
        small_study(tmp_path, features, clinical, dictionary)
    assert NAMES


def test_ready_tables_need_the_key_of_the_clinical_table():
    features, clinical = small_tables()
    features = next(iter(features.values()))
    with refusal("feature-tables-without-clinical-key", StudyError, match="add case_id to every"):
        check_ids_meet(clinical, features, "case_id", "features")
