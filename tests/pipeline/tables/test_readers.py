"""Versions of a reader's masks: what they are called, and which one counts where."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.transformers.ccc_filter import CCCFilter
from models.transformers.columns import Columns
from pipeline.tables.readers import (
    is_original,
    latest_versions,
    originals,
    originals_first,
    reader_label,
    split_label,
)

INFO = {"model_reader": "A", "features": ["f", "g"], "predictors": []}


@pytest.mark.parametrize(("reader", "version"), [("A", 1), ("A", 2), ("v2", 12), ("A-v2", 1)])
def test_a_label_and_what_it_means(reader, version):
    label = reader_label(reader, version)
    assert split_label(label) == (reader, version)
    assert is_original(label) == (version == 1)


def test_readers_are_counted_once_whatever_their_versions():
    assert originals(["B", "A.v2", "A", "A.v3"]) == ["A", "B"]


def test_the_latest_version_of_each_case_and_reader():
    table = pd.DataFrame(
        [
            ("c1", "A", 1),
            ("c1", "A.v10", 2),
            ("c1", "A.v2", 3),
            ("c1", "B", 4),
            ("c2", "A", 5),
        ],
        columns=["case_id", "reader", "value"],
    )
    latest = latest_versions(table)
    assert latest[["case_id", "reader", "value"]].to_numpy().tolist() == [
        ["c1", "A", 2],
        ["c1", "B", 4],
        ["c2", "A", 5],
    ]
    assert latest_versions(table[:0]).empty


def test_originals_come_before_corrections():
    table = pd.DataFrame({"reader": ["B", "A.v10", "A", "A.v2", "B"], "value": range(5)})
    ordered = originals_first(table)
    assert ordered["value"].tolist() == [2, 0, 4, 3, 1]
    assert originals_first(table[:0]).empty


def columns_of(readers, model_reader, corrected) -> Columns:
    return Columns.from_info(
        INFO | {"readers": readers, "model_reader": model_reader, "corrected": corrected}
    )


@pytest.mark.parametrize(
    ("readers", "model_reader", "corrected", "seen"),
    [
        (["A", "B"], "A", {"A": 1}, ("A",)),
        (["A", "B"], "A", {"B": 3}, ()),
        (["A", "B"], "mean", {"A": 1, "B": 3}, ("A", "B")),
        (["A"], None, {"A": 2}, ("A",)),
        (["A", "B"], "A", {}, ()),
    ],
)
def test_the_model_sees_corrections_of_its_own_reader(readers, model_reader, corrected, seen):
    columns = columns_of(readers, model_reader, corrected)
    assert columns.corrected == seen
    extra = [f"{reader}.latest:{name}" for reader in seen for name in "fg"]
    assert columns.radiomics == [f"{reader}:{name}" for reader in readers for name in "fg"] + extra


def reading_table() -> pd.DataFrame:
    """Return readings that agree on f between the originals, and on g after correction only."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(30, 2))
    first = truth + [0.01, 0] * rng.normal(size=truth.shape)
    first[:, 1] = rng.normal(size=30)
    parts = {"A": first, "B": truth, "A.latest": truth + 7}
    return pd.concat(
        [pd.DataFrame(v, columns=list("fg")).add_prefix(f"{k}:") for k, v in parts.items()], axis=1
    )


@pytest.mark.parametrize(
    ("readers", "model_reader", "kept", "expected"),
    [
        (["A", "B"], "A", ["f"], lambda x: x["A.latest:f"]),
        (["A", "B"], "mean", ["f"], lambda x: (x["A.latest:f"] + x["B:f"]) / 2),
        (["A"], None, ["f", "g"], lambda x: x["A.latest:f"]),
    ],
)
def test_agreement_is_of_originals_and_values_are_of_the_latest(
    readers, model_reader, kept, expected
):
    columns = columns_of(readers, model_reader, {"A": 5})
    table = reading_table()
    X = table[columns.radiomics]
    chosen = CCCFilter(
        columns.readers, columns.features, columns.model_reader, 0.85, columns.corrected
    ).fit(X)
    assert chosen.kept_ == kept
    np.testing.assert_allclose(chosen.transform(X)["f"], expected(table))
