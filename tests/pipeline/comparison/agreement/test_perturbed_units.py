"""Repetitions of cases become moments of units, whichever batch a case fell into."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.comparison.agreement.perturbed_units import moments_table, unit_moments

NAMES = ["a", "b"]


def repetitions(cases: list[str], seed: int = 0, times: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        [(case, "A", number) for case in cases for number in range(1, times + 1)],
        columns=["case_id", "reader", "repetition"],
    )
    return table.assign(a=rng.normal(size=len(table)), b=rng.normal(size=len(table)))


def own(cases: list[str]) -> pd.Series:
    return pd.Series(cases, index=cases)


def test_one_case_a_unit():
    table = repetitions(["c2", "c1", "c3"])
    found, measured = unit_moments([table], own(["c1", "c2"]), NAMES)
    assert found == ["c1", "c2"]
    of_first = table.loc[table["case_id"] == "c1", "a"]
    assert measured.count[0].tolist() == [4, 4]
    assert measured.mean[0, 0] == pytest.approx(of_first.mean())
    assert measured.squares[0, 0] == pytest.approx(of_first.var(ddof=0) * 4)


def test_batches_leave_no_trace():
    table = repetitions(["c1", "c2", "c3"])
    parts = [table[table["case_id"] != "c2"], table[table["case_id"] == "c2"], table.iloc[:0]]
    whole = unit_moments([table], own(["c1", "c2", "c3"]), NAMES)
    split = unit_moments(parts, own(["c1", "c2", "c3"]), NAMES)
    assert whole[0] == split[0]
    for one, other in zip(whole[1], split[1], strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("how", ["mean", "median", "first"])
def test_cases_of_a_unit_become_one_row_repetition_by_repetition(how):
    parts = [repetitions(["c1"], 1), repetitions(["c3", "c2"], 2)]
    # The order of the analysis says which case is first.
    units = pd.Series(["u1", "u1", "u2"], index=["c3", "c1", "c2"])
    found, measured = unit_moments(parts, units, NAMES, how)
    assert found == ["u1", "u2"]
    table = pd.concat(parts).set_index(["case_id", "repetition"])["a"]
    expected = table["c3"] if how == "first" else (table["c3"] + table["c1"]) / 2
    assert measured.count[0, 0] == 4
    assert measured.mean[0, 0] == pytest.approx(expected.mean())
    assert measured.squares[0, 0] == pytest.approx(expected.var(ddof=0) * 4)


def test_nothing_perturbed_is_a_table_without_rows():
    found, measured = unit_moments([repetitions([])], own(["c1"]), NAMES)
    assert found == []
    assert measured.mean.shape == (0, 2)
    table = moments_table([], own(["c1"]), pd.Series(["p"], index=["c1"]), NAMES, None)
    assert list(table.columns) == ["unit_id", "patient_id", "moment", *NAMES]
    assert table.empty


def test_a_table_of_moments_names_units_and_patients():
    patients = pd.Series(["p1", "p2"], index=["c1", "c2"])
    table = moments_table([repetitions(["c1", "c2"])], own(["c1", "c2"]), patients, NAMES, None)
    assert table["unit_id"].tolist() == ["c1", "c2"] * 3
    assert table["patient_id"].tolist() == ["p1", "p2"] * 3
    assert table["moment"].tolist() == ["count"] * 2 + ["mean"] * 2 + ["squares"] * 2
