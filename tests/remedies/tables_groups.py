"""Remedies of `table1`, of `table1 --published` and of `outcomes`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline import compare_groups
from pipeline.comparison.groups.published_rows import published_tests
from pipeline.comparison.table_one import table_one_counts
from pipeline.comparison.table_one.table_one import table_one
from pipeline.comparison.table_one.table_one_parts import Variable
from pipeline.table1 import _arguments, main
from tests.pipeline.comparison.groups.test_published_rows import counts, means
from tests.pipeline.comparison.table_one.test_table_one import row_of
from tests.pipeline.test_compare_groups import PLAN, outcomes_of
from tests.pipeline.test_compare_groups import TABLE as FOLLOWED
from tests.pipeline.test_table1 import DICTIONARY, TABLE, table1_of
from tests.remedies import Remedy, refused

SECTION = "Tables"

Columns = dict[str, object]


def changed(table: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    """Return a table with other columns; one of None is left out."""
    lost = [name for name, values in columns.items() if values is None]
    given = {name: values for name, values in columns.items() if values is not None}
    return table.drop(columns=lost).assign(**given)


# --- table1 ---

BY_PAIN, BY_OLD = ("--by", "rbp"), ("--by", "old")
TWO_SPELLINGS = TABLE["pfo"].where(TABLE.index > 3, "Yes")
BARE: Columns = {name: None for name in TABLE if name not in ("patient_id", "rbp", "age")}

#: By bad input: columns that are changed, arguments, words of the remedy, and both as it asks.
TABLES: dict[str, tuple[Columns, tuple, str, list[tuple[Columns, tuple]]]] = {
    "table1: the column of the groups is not in the table": (
        {}, ("--by", "rpb"), "perhaps `rbp` is meant", [({}, BY_PAIN)],
    ),
    "table1: one group only, or a number in place of groups": (
        {}, ("--by", "age"), "cut a number into groups in a column of its own",
        [({"old": np.where(TABLE["age"] > 70, "older", "younger")}, BY_OLD), ({}, BY_PAIN)],
    ),
    "table1: groups in two spellings, or outside the levels of the dictionary": (
        {"pfo": TWO_SPELLINGS}, ("--by", "pfo"), "write each group one way in the table",
        [({"pfo": TWO_SPELLINGS.str.lower()}, ("--by", "pfo"))],
    ),
    "table1: --part without a column of parts": (
        {"part": None}, ("--part", "train"), "leave out --part", [({"part": None}, ())],
    ),
    "table1: --part names no value of that column": (
        {}, ("--part", "third"), "write --part test or --part train",
        [({}, ("--part", "test")), ({}, ("--part", "train"))],
    ),
    "table1: nothing but ids and groups": (
        BARE | {"age": None}, BY_PAIN, "add columns such as age and sex, or leave out --by",
        [(BARE, BY_PAIN), (BARE | {"age": None}, ())],
    ),
}  # fmt: skip


def table1(bad_input: str) -> Remedy:
    columns, arguments, remedy, mended = TABLES[bad_input]

    def run(folder: Path) -> None:
        refused(SECTION, bad_input, lambda: table1_of(folder, changed(TABLE, columns), *arguments),
                remedy)  # fmt: skip
        for good, then in mended:
            assert len(table1_of(folder, changed(TABLE, good), *then))

    return run


def numbers_for_words(folder: Path) -> None:
    def door(named: str) -> pd.DataFrame:
        path = folder / "dictionary.csv"
        path.write_text(DICTIONARY.replace("yates", named), encoding="utf-8")
        return table1_of(folder, TABLE, *BY_PAIN, "--dictionary", path)

    refused(SECTION, "A dictionary names a test of numbers for words", lambda: door("pooled-t"),
            "write pearson, yates, fisher, likelihood-ratio or trend, or leave it")  # fmt: skip
    for good in ("pearson", "fisher", "likelihood-ratio"):
        assert door(good).loc["sex", "test"] == good
    assert door("").loc["sex", "test"]


def unfit_test(_: Path) -> None:
    def door(test: str | None) -> pd.Series:
        return row_of(Variable("bmi", "BMI", numbers=True, test=test))

    refused(SECTION, "table1: a test that does not fit its column", lambda: door("pearson"),
            "name another in the column `test` of the data dictionary, or leave it")  # fmt: skip
    assert door("welch-t")["test"] == "welch-t"
    assert door(None)["p_value"] <= 1


def too_many_tables(_: Path) -> None:
    rng = np.random.default_rng(0)
    rows = {"site": rng.choice(list("ABCDE"), 300), "kind": rng.choice(list("abcdefgh"), 300)}

    def door(named: str | None) -> str:
        kind = Variable("kind", "Kind", levels=tuple("abcdefgh"), test=named)
        table = table_one(pd.DataFrame(rows), [kind], "site", tuple("ABCDE"), test="fisher")
        return table.rows.iloc[0]["test"]

    bad_input = "table1: Fisher's exact test of a table with too many others beside it"
    with pytest.MonkeyPatch.context() as patch:
        for limit in ("MAX_PATHS", "BESIDE_PATHS"):
            patch.setattr(table_one_counts, limit, 20_000)
        refused(SECTION, bad_input, lambda: door(None), "such as `pearson` in the column `test`")
        assert door("pearson") == "pearson"


# --- published rows ---

IVC, AGE = counts("IVC", (14, 231), (6, 37), ".029"), [("452", "72.23", "9.08")] * 2

#: By bad input: published rows, words of the remedy, and the rows as it asks.
PUBLISHED: dict[str, tuple[list[dict], str, list[list[dict]]]] = {
    "table1 --published: counts or means that are not complete": (
        IVC[:3], "write a row for each level and group, with a count of 0 where nobody is",
        [[*IVC[:3], IVC[3] | {"count": "0"}], means("age", AGE, None)],
    ),
    "table1 --published: a printed P in words": (
        means("age", AGE, "n.s."), "for words, such as n.s., write >.05 or leave the cell blank",
        [means("age", AGE, printed) for printed in (".029", "<0.001", ">.05", None)],
    ),
    "table1 --published: words in place of numbers": (
        means("age", [AGE[0], ("117", "69.19 years", "8.56")], None),
        "write the number alone, such as 72.23, without a unit",
        [means("age", [AGE[0], ("117", "69.19", "8.56")], None)],
    ),
}  # fmt: skip


def published(bad_input: str) -> Remedy:
    rows, remedy, mended = PUBLISHED[bad_input]

    def run(_: Path) -> None:
        refused(SECTION, bad_input, lambda: published_tests(pd.DataFrame(rows)), remedy)
        for good in mended:
            assert len(published_tests(pd.DataFrame(good)))

    return run


def published_columns(folder: Path) -> None:
    def door(table: pd.DataFrame) -> None:
        table.to_csv(folder / "published.csv", index=False)
        given = [folder / "published.csv", "--published", "--out", folder / "out"]
        main(_arguments().parse_args([str(one) for one in given]))

    table = pd.DataFrame(IVC)
    refused(SECTION, "table1 --published: no columns variable and group",
            lambda: door(table.rename(columns={"variable": "name", "group": "arm"})),
            "name them variable and group")  # fmt: skip
    door(table)
    assert len(pd.read_csv(folder / "out" / "published.csv"))


# --- outcomes ---

#: A plan of events alone, which is quick, and one of a scale alone.
EVENTS = """by: brace
groups: ["no", "yes"]
events: [{label: A, event: had, followed: years, unit: years, time: at}]
"""
SCALE = """scales:
  - {label: VAS, unit: points, range: [0, 10], columns: {before: vas_pre, last: vas_last}}
"""
LEVELS = "levels: {treated: treated, new: new}\n" + SCALE
ROWS = FOLLOWED.assign(had=FOLLOWED["at"].notna().astype(int))
NONE_TIMED = EVENTS.replace(", time: at", "")
LATE = ROWS["at"] * 9

#: By bad input: plan and columns that are changed, words of the remedy, and both as it asks.
OUTCOMES: dict[str, tuple[str, Columns, str, list[tuple[str, Columns]]]] = {
    "outcomes: a plan without scales or events": (
        "by: brace\n", {}, "begin with the example of docs/outcomes.md", [(EVENTS, {})],
    ),
    "outcomes: a scale without unit or range, an unknown key": (
        SCALE.replace(" unit: points,", ""), {}, "a scale needs label, unit, range and columns",
        [(SCALE, {})],
    ),
    "outcomes: the plan names a column that the table lacks": (
        EVENTS.replace("years,", "yeers,", 1), {}, "perhaps `years` is meant", [(EVENTS, {})],
    ),
    "outcomes: the plan names a group that nobody is in": (
        EVENTS.replace('"yes"]', '"maybe"]'), {}, "the column holds .*yes", [(EVENTS, {})],
    ),
    "outcomes: an ODI of 0 to 100 under a range of 0 to 50": (
        SCALE, {"vas_last": ROWS["vas_last"] * 10}, "correct the values, or the range of the scale",
        [(SCALE, {}), (SCALE.replace("[0, 10]", "[0, 100]"), {"vas_last": ROWS["vas_last"] * 10})],
    ),
    "outcomes: a cell of levels that names no vertebra": (
        LEVELS, {"treated": "lumbar"}, "T12, L1 or T12-L2; leave the cell blank where none broke",
        [(LEVELS, {"treated": ["T12, L1", "T12-L2", ""] * 30})],
    ),
    "outcomes: several rows of a patient": (
        EVENTS, {"patient_id": [f"P{n // 2}" for n in range(len(ROWS))]},
        "make one row of each patient", [(EVENTS, {})],
    ),
    "outcomes: an event that is neither 0 nor 1": (
        NONE_TIMED, {"had": ROWS["had"] * 2}, "write 1 for patients who had it, and 0 for all",
        [(NONE_TIMED, {})],
    ),
    "outcomes: an event without its time": (
        EVENTS, {"at": np.nan}, "fill in the times, or leave out `time`",
        [(EVENTS, {}), (NONE_TIMED, {"at": np.nan})],
    ),
    "outcomes: an event after the end of follow-up": (
        EVENTS, {"at": LATE}, "correct the event's time, or the time of the last follow-up",
        [(EVENTS, {}), (EVENTS, {"at": LATE, "years": np.fmax(LATE, ROWS["years"])})],
    ),
    "outcomes: a time of follow-up that is missing or zero": (
        EVENTS, {"years": 0.0}, "write the time from the operation to the last follow-up",
        [(EVENTS, {})],
    ),
}  # fmt: skip


def outcomes(bad_input: str) -> Remedy:
    plan, columns, remedy, mended = OUTCOMES[bad_input]

    def run(folder: Path) -> None:
        refused(SECTION, bad_input, lambda: outcomes_of(folder, changed(ROWS, columns), plan),
                remedy)  # fmt: skip
        for then, good in mended:
            assert outcomes_of(folder, changed(ROWS, good), then)

    return run


def no_plan(folder: Path) -> None:
    refused(SECTION, "outcomes: no plan", lambda: compare_groups.read_plan(folder / "none.yaml"),
            "give the path of the plan: --plan")  # fmt: skip
    (folder / "plan.yaml").write_text(PLAN, encoding="utf-8")
    assert compare_groups.read_plan(folder / "plan.yaml").scales


def entries(of: dict, driver: Callable[[str], Remedy]) -> dict[str, Remedy]:
    return {bad_input: driver(bad_input) for bad_input in of}


REMEDIES: dict[str, Remedy] = {
    **entries(TABLES, table1),
    **entries(PUBLISHED, published),
    **entries(OUTCOMES, outcomes),
    "A dictionary names a test of numbers for words": numbers_for_words,
    "table1: a test that does not fit its column": unfit_test,
    "table1: Fisher's exact test of a table with too many others beside it": too_many_tables,
    "table1 --published: no columns variable and group": published_columns,
    "outcomes: no plan": no_plan,
}
