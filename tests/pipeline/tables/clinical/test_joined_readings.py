"""What is made of several readings: means, median grades, majorities, and where they tie."""

from __future__ import annotations

import pandas as pd
import pytest

from pipeline.tables.clinical.joined_readings import with_joined
from tests.support.refusals import refusal

NAMES = ["a", "b", "c", "d"]


def dictionary(kind: str, levels: str | None = None, count: int = 3) -> pd.DataFrame:
    rows = [{"column": name, "type": kind, "levels": levels, "role": "other"}
            for name in NAMES[:count]]  # fmt: skip
    made = {"column": "made", "type": kind, "levels": levels, "role": "predictor"}
    return pd.DataFrame([made, *rows])


def sheet(*rows: tuple) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=NAMES[: len(rows[0])], dtype=object)


def made(kind: str, table: pd.DataFrame, levels: str | None = None, **ties: str) -> list:
    described = dictionary(kind, levels, table.shape[1])
    return list(with_joined(table, {"made": list(table)}, described, "x.csv", ties)["made"])


def test_grades_become_their_median_and_numbers_their_mean(caplog):
    table = sheet(("0", "1", "3"), ("2", "2", "1"), ("3", None, "3"), (None, None, None))
    assert made("ordinal", table) == ["1.0", "2.0", "3.0", None]
    assert made("continuous", table)[0] == repr(4 / 3)
    assert "their median is of those that are known" in caplog.text


def test_yes_and_no_become_the_majority():
    table = sheet(("no", "Yes", "yes"), ("no", "no", "yes"), ("yes", None, None))
    assert made("binary", table, "no|yes") == ["yes", "no", "yes"]


@pytest.mark.parametrize(
    ("tie", "grade", "word"),
    [("lower", "1.0", "no"), ("higher", "2.0", "yes"), ("blank", None, None)],
)
def test_ties_follow_their_rule(tie, grade, word):
    assert made("ordinal", sheet(("1", "2"), ("2", "2")), made=tie) == [grade, "2.0"]
    assert made("binary", sheet(("no", "yes")), "no|yes", made=tie) == [word]


def test_ties_need_a_rule():
    table = sheet(("1", "2"), ("0", "3"), ("2", "2"))
    with refusal("reading-tie-without-rule", match="2 rows whose readings of made") as caught:
        made("ordinal", table)
    assert "reading_ties: {made: higher}" in str(caught.value)
    with refusal("reading-tie-without-rule"):
        made("binary", sheet(("no", "yes")), "no|yes")


def test_readings_are_described_alike():
    described = dictionary("ordinal")
    described.loc[2, "type"] = "continuous"
    table = sheet(("1", "2", "3"))
    with refusal("reading-not-continuous", match="give b a row of the type ordinal"):
        with_joined(table, {"made": NAMES[:3]}, described, "x.csv")


def decided(kind: str, table: pd.DataFrame, consensus: list, levels: str | None = None) -> list:
    """Return what three readings and a consensus make; the column `d` is the consensus."""
    table = table.assign(d=pd.Series(consensus, dtype=object))
    described = dictionary(kind, levels, 4)
    given = (table, {"made": NAMES[:3]}, described, "x.csv", {})
    return list(with_joined(*given, {"made": "d"})["made"])


def test_a_consensus_decides_where_readings_differ(caplog):
    table = sheet(("1", "1", "1"), ("0", "2", "3"), ("2", None, None), (None,) * 3, ("1", "1", "1"))
    made = decided("ordinal", table, [None, "2", None, "3", "2"])
    assert made == ["1.0", "2.0", "2.0", "3.0", "2.0"]
    assert "in 1 rows the consensus differs from what all readings say" in caplog.text
    table = sheet(("no", "yes", "yes"), ("no", "no", "no"))
    assert decided("binary", table, ["no", None], "no|yes") == ["no", "no"]  # not the majority


def test_a_row_without_the_consensus_that_it_needs_is_an_error():
    table = sheet(("1", "2", "1"), ("3", "3", "3"), ("0", "1", "2"))
    table["patient_id"] = ["P1", "P2", "P3"]
    with refusal("reading-without-consensus", match="1 rows: P1") as caught:
        decided("ordinal", table, [None, None, "1"])
    assert "write the value into d" in str(caught.value)
    table.loc[0, "b"] = "1"
    assert decided("ordinal", table, [None, None, "1"]) == ["1.0", "3.0", "1.0"]


@pytest.mark.parametrize(
    ("code", "kind", "consensus"),
    [
        ("consensus-without-readings", "ordinal", {"other": "d"}),
        ("consensus-is-a-reading", "ordinal", {"made": "a"}),
        ("consensus-of-numbers", "continuous", {"made": "d"}),
        ("reading-column-missing", "ordinal", {"made": "e"}),
    ],
)
def test_a_consensus_that_decides_nothing_is_refused(code, kind, consensus):
    table = sheet(("1", "2", "2", "2"))
    with refusal(code):
        with_joined(table, {"made": NAMES[:3]}, dictionary(kind, None, 4), "x.csv", {}, consensus)
