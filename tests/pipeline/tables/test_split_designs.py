from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.split import split_table
from pipeline.core.errors import StudyError
from pipeline.study.options.words import schema_of
from pipeline.tables.split_designs import OPTIONS, parts_from_column
from pipeline.tables.split_options import Split
from tests.support.refusals import refusal

SPLIT = {"column": "x", "test_fraction": 0.3, "test_from": None, "test_sites": [], "folds": 5}
IMPORTED, TEMPORAL = Split(design="imported", **SPLIT), Split(design="temporal", **SPLIT)
BY_SITE = replace(IMPORTED, design="by_site", test_sites=["B"])


def units(x, per_patient=1):
    patients = np.repeat([f"{i:04d}" for i in range(len(x) // per_patient)], per_patient)
    return pd.DataFrame(
        {"unit_id": [f"{p}-{i}" for i, p in enumerate(patients)], "patient_id": patients, "x": x}
    )


def test_imported_parts_are_taken_as_they_are():
    parts = ["train", "test", "test", "train"]
    assert list(parts_from_column(units(parts), IMPORTED)) == parts


@settings(max_examples=50)
@given(
    days=st.lists(st.integers(0, 30), min_size=4, max_size=60),
    fraction=st.floats(0.05, 0.9),
    seed=st.integers(0, 99),
)
def test_temporal_parts_follow_time_whatever_the_order_of_rows(days, fraction, seed):
    split = replace(TEMPORAL, test_fraction=fraction)
    table = units(days)
    parts = pd.Series(parts_from_column(table, split))
    test, train = table.loc[parts == "test", "x"], table.loc[parts == "train", "x"]
    assert len(test) >= fraction * len(table)
    assert not len(train) or train.max() < test.min()
    # Without those who entered with the first of them, fewer than asked for would be held out.
    assert (test > test.min()).sum() < np.ceil(fraction * len(table))
    shuffled = table.sample(frac=1, random_state=seed)
    again = pd.Series(parts_from_column(shuffled, split), index=shuffled.index)
    assert again.sort_index().equals(parts)


def test_temporal_parts_from_a_stated_time_on():
    parts = parts_from_column(units([-3.0, 0, 10, 11]), replace(TEMPORAL, test_from=10))
    assert list(parts) == ["train", "train", "test", "test"]


def test_a_patient_enters_with_the_first_unit():
    table = units([1, 9, 2, 3, 8, 9], per_patient=2)
    assert list(parts_from_column(table, TEMPORAL)) == ["train"] * 4 + ["test"] * 2


def test_sites_are_held_out():
    parts = parts_from_column(units(["A", "B", "C", "B"]), BY_SITE)
    assert list(parts) == ["train", "test", "train", "test"]
    numbered = parts_from_column(units(["1", "2"]), replace(BY_SITE, test_sites=[2]))
    assert list(numbered) == ["train", "test"]


@pytest.mark.parametrize(
    ("split", "x", "code", "message"),
    [
        (replace(IMPORTED, column=None), ["train"], "split-column-missing", ""),
        (
            replace(IMPORTED, column="absent"),
            ["train"],
            "split-column-missing",
            r"absent\. In: config key split.column",
        ),
        (
            IMPORTED,
            ["train", "valid"],
            "split-part-unknown",
            "'valid' and 0 more.*column x, unit 0001-1",
        ),
        (
            IMPORTED,
            ["train", None],
            "split-column-blank",
            "imported needs the column of every unit. Found: .*0001-1",
        ),
        (TEMPORAL, [1.0, None], "split-column-blank", "temporal needs the column of every unit"),
        (TEMPORAL, ["2020-01-31", "2020-02-01"], "split-order-not-numbers", ""),
        (
            replace(BY_SITE, test_sites=["D"]),
            ["A", "B"],
            "split-sites-unknown",
            r"Found: D\..*choose among A, B",
        ),
        (replace(BY_SITE, test_sites=[]), ["A", "B"], "split-sites-unknown", "Found: none"),
    ],
)
def test_a_column_that_cannot_split_is_refused(split, x, code, message):
    with refusal(code, StudyError, match=message):
        parts_from_column(units(x), split)


@pytest.mark.parametrize(("split", "x"), [(IMPORTED, ["train", "test"]), (BY_SITE, ["A", "B"])])
def test_no_patient_is_divided(split, x):
    with refusal("split-divides-patient", StudyError, match="1 divided patients: 0000"):
        parts_from_column(units(x, per_patient=2), split)


def test_a_temporal_split_without_training_rows_is_refused():
    table = units(np.arange(40)).assign(outcome=[0, 1] * 20)
    with refusal(
        "split-part-without-outcome", StudyError, match="The train part must hold both outcomes"
    ):
        split_table(table, replace(TEMPORAL, test_from=0), 0)


def test_the_last_patients_are_held_out_and_the_others_dealt_to_folds():
    table = units(np.arange(40)[::-1]).assign(outcome=[0, 1] * 20)
    split = split_table(table, TEMPORAL, 0)
    assert set(split.loc[split["part"] == "test", "unit_id"]) == set(table["unit_id"][:12])
    assert set(split.loc[split["part"] == "train", "fold"]) == set(range(5))


def test_every_option_of_a_split_decides_it_but_the_word_for_the_report():
    known = {f"split.{name}" for name in schema_of("split")["properties"]}
    assert known == {*OPTIONS, "split.declared"}
