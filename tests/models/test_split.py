import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.learning.folds import assign_folds
from models.split import holdout_parts, split_table
from pipeline.core.errors import StudyError
from pipeline.tables.split_options import Split
from tests.support.options import typed
from tests.support.refusals import refusal

OPTIONS = {
    "design": "holdout",
    "test_fraction": 0.3,
    "column": None,
    "test_from": None,
    "test_sites": [],
    "folds": 5,
}


def cohort(n_patients=100, share=0.3, units=1, seed=0):
    rng = np.random.default_rng(seed)
    outcome = rng.permutation(np.arange(n_patients) < share * n_patients).astype(int)
    patient = np.repeat([f"{i:04d}" for i in range(n_patients)], units)
    return pd.DataFrame(
        {
            "unit_id": [f"{p}-{i}" for i, p in enumerate(patient)],
            "patient_id": patient,
            "outcome": np.repeat(outcome, units),
        }
    )


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), units=st.integers(1, 3), share=st.floats(0.2, 0.8))
def test_split_divides_no_patient_and_balances_the_outcome(seed, units, share):
    table = cohort(80, share, units, seed)
    split = split_table(table, typed(OPTIONS, Split), seed)
    assert list(split.columns) == ["unit_id", "patient_id", "outcome", "part", "fold"]
    assert list(split["unit_id"]) == list(table["unit_id"])
    assert (split.groupby("patient_id")[["part", "fold"]].nunique() == 1).all(axis=None)
    patients = split.drop_duplicates("patient_id")
    assert (patients["part"] == "test").sum() == 24
    assert abs(patients.loc[patients["part"] == "test", "outcome"].sum() - 24 * share) <= 1.2
    assert set(split.loc[split["part"] == "train", "fold"]) == set(range(5))
    assert (split.loc[split["part"] == "test", "fold"] == -1).all()
    per_fold = split[split["part"] == "train"].groupby("fold")["outcome"].agg(["mean", "size"])
    assert np.ptp(per_fold["mean"]) < 0.35
    assert (per_fold["mean"] > 0).all()
    assert (per_fold["mean"] < 1).all()


def test_split_does_not_depend_on_the_order_of_rows_but_on_the_seed():
    table = cohort(units=2)
    shuffled = table.sample(frac=1, random_state=1)
    config = {"split": OPTIONS, "seed": 5}
    first = split_table(table, typed(config).split, config["seed"]).set_index("unit_id")
    second = split_table(shuffled, typed(config).split, config["seed"])
    second = second.set_index("unit_id").loc[first.index]
    pd.testing.assert_frame_equal(first, second)
    other = split_table(table, typed(config).split, 6).set_index("unit_id")
    assert not first["part"].equals(other["part"])


def test_folds_are_stratified_as_nearly_as_can_be():
    table = cohort(200, 0.15)
    events = pd.Series(assign_folds(table, 5, 0)).groupby(table["outcome"]).value_counts()
    assert (events.loc[1] == 6).all()
    assert (events.loc[0] == 34).all()


def test_a_patient_with_any_event_counts_as_one():
    table = cohort(40, 0.5, units=2)
    table.loc[table.index % 2 == 1, "outcome"] = 0
    parts = holdout_parts(table, 0.5, 0)
    events = table[parts == "test"].groupby("patient_id")["outcome"].max()
    assert events.mean() == pytest.approx(0.5)


def test_imported_split_is_taken_as_it_is():
    table = cohort(60)
    table["published"] = np.where(np.arange(60) < 20, "test", "train")
    options = OPTIONS | {"design": "imported", "column": "published"}
    split = split_table(table, typed(options, Split), 0)
    assert list(split["part"]) == list(table["published"])


def test_too_few_events_are_refused():
    config = {"split": OPTIONS, "seed": 0}
    with refusal("hold-out-too-small", StudyError, match="1 patients with and 39 without"):
        split_table(cohort(40, 1 / 40), typed(config).split, config["seed"])
    with refusal(
        "fold-without-both-outcomes", StudyError, match=r"rarer outcome for 5 folds.*split.folds"
    ):
        split_table(cohort(40, 5 / 40), typed(config).split, config["seed"])
    table = cohort(40, 0.5)
    table["published"] = np.where(table["outcome"] == 1, "train", "test")
    options = OPTIONS | {"design": "imported", "column": "published"}
    with refusal(
        "split-part-without-outcome", StudyError, match="The train part must hold both outcomes"
    ):
        split_table(table, typed(options, Split), 0)
