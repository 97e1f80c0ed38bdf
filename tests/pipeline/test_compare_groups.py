"""The command outcomes: a clinical table and a plan in, a page and tables out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline import compare_groups
from pipeline.comparison.course import incidence, paired
from pipeline.core.errors import StudyError
from tests.support.refusals import refusal

RNG = np.random.default_rng(5)
N = 90
BRACE = np.where(np.arange(N) < 30, "yes", "no")
PRE = RNG.integers(5, 11, N).astype(float)
YEARS = RNG.uniform(0.5, 4, N).round(2)
AVF = np.arange(N) % 7 == 0
TABLE = pd.DataFrame(
    {
        "patient_id": [f"P{n:03d}" for n in range(N)],
        "brace": BRACE,
        "age": RNG.integers(60, 90, N),
        "sex": RNG.choice(["female", "male"], N),
        "vas_pre": PRE,
        "vas_1m": np.clip(PRE - RNG.integers(1, 6, N), 0, 10),
        "vas_last": np.clip(PRE - RNG.integers(2, 8, N), 0, 10),
        "treated": np.where(np.arange(N) % 3 == 0, "T12, L1", "L2"),
        "new": np.where(AVF, np.where(np.arange(N) % 3 == 0, "T11", "L1"), ""),
        "years": YEARS,
        "at": np.where(AVF, (YEARS / 2).round(3), np.nan),
        "died": (np.arange(N) % 11 == 5).astype(int),
        "fractures": AVF * (1 + np.arange(N) % 2),
    }
)
PLAN = """by: brace
groups: ["no", "yes"]
adjust_for: [age, sex]
levels: {treated: treated, new: new}
scales:
  - label: VAS
    unit: points
    range: [0, 10]
    mcid: 2
    columns: {before: vas_pre, 1 month: vas_1m, last: vas_last}
    bands: {mild: 3, moderate: 6, severe: 10}
events:
  - {label: Adjacent, event: adjacent, followed: years, unit: years, time: at, died: died,
     count: fractures}
  - {label: Remote, event: remote, followed: years, unit: years}
"""


def outcomes_of(folder: Path, table: pd.DataFrame = TABLE, plan: str = PLAN) -> dict:
    """Run the command and return its tables."""
    table.to_csv(folder / "table.csv", index=False)
    (folder / "plan.yaml").write_text(plan, encoding="utf-8")
    given = [folder / "table.csv", "--plan", folder / "plan.yaml", "--out", folder / "out"]
    compare_groups.main(compare_groups._arguments().parse_args([str(one) for one in given]))
    return {path.stem: pd.read_csv(path) for path in (folder / "out").glob("*.csv")}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict:
    folder = tmp_path_factory.mktemp("outcomes")
    return outcomes_of(folder) | {"page": (folder / "out" / "outcomes.html").read_text("utf-8")}


def test_scales_over_time_and_between_groups(tables: dict) -> None:
    over = tables["over_time"]
    everyone = over[over["group"].isna() & (over["time"] == "last")].iloc[0]
    before, after = TABLE["vas_pre"].to_numpy(), TABLE["vas_last"].to_numpy()
    choice = paired.choose_paired(before, after)
    expected = paired.paired_test(before, after, choice.test)
    assert everyone["p_value"] == pytest.approx(expected.p)
    assert set(over.loc[over["time"].isna(), "test"]) == {"friedman"}
    between = tables["between"]
    first = between.iloc[0]
    assert (first["group"], first["against"]) == ("yes", "no")
    expected = paired.ancova(before, TABLE["vas_1m"].to_numpy(), (BRACE == "yes").astype(int))
    assert first["value"] == pytest.approx(expected["difference"][0])
    assert set(between["what"]) == {
        "difference adjusted for the value before",
        "difference adjusted for the value before and other variables",
        "difference of changes, crude",
        "difference of shares with an improvement of 2 or more",
    }


def test_events_per_person_time(tables: dict) -> None:
    rates = tables["rates"].set_index(["event", "group", "method"])
    time = np.fmin(YEARS, TABLE["at"])[BRACE == "yes"].sum()
    expected = incidence.rate(float(AVF[BRACE == "yes"].sum()), float(time))
    found = rates.loc[("Adjacent", "yes", "Garwood; first event ends person-time")]
    assert found[["rate", "low", "high"]].tolist() == pytest.approx(list(expected[2:]))
    ratios = tables["ratios"]
    whats = ["ratio of rates, crude", "ratio of rates, adjusted", "ratio of rates of all events"]
    assert list(ratios.loc[ratios["event"] == "Adjacent", "what"]) == [
        *whats,
        "log-rank",
        "difference of shares",
    ]
    curves = tables["curves"]
    assert set(curves["event"]) == {"Adjacent"}
    assert set(curves["method"]) == {"Aalen-Johansen, death competing"}
    assert curves["incidence"].between(0, 1).all()


def test_levels_are_counted_from_head_to_foot(tables: dict) -> None:
    levels = tables["levels"].set_index("level")
    assert list(levels.index) == ["T11", "T12", "L1", "L2"]
    assert levels.loc["T12", "treated"] == (np.arange(N) % 3 == 0).sum()
    assert levels["new, adjacent"].sum() == AVF.sum()


def test_the_page_says_association_and_needs_nothing_else(tables: dict) -> None:
    page = tables["page"]
    assert "association" in page
    assert page.count("<svg") == 4
    assert "Friedman" in page
    assert "src=" not in page.replace("img-src", "")
    assert "the whole follow-up counts as person-time" in page


def test_without_groups_and_without_times(tmp_path: Path) -> None:
    plan = "events: [{label: A, event: had, followed: years, unit: years}]\nscales: []\n"
    table = TABLE.assign(had=AVF.astype(int))
    found = outcomes_of(tmp_path, table, plan)
    assert set(found) == {"rates"}
    assert found["rates"]["events"].tolist() == [AVF.sum()]
    words = TABLE.assign(had=np.where(AVF, "yes", "no"))
    assert outcomes_of(tmp_path, words, plan)["rates"]["events"].tolist() == [AVF.sum()]


def test_patients_of_no_group_count_among_all(tmp_path: Path) -> None:
    table = TABLE.assign(brace=TABLE["brace"].where(TABLE.index != 4, None))
    found = outcomes_of(tmp_path, table)
    rates = found["rates"].query("event == 'Remote'")
    assert rates["patients"].tolist() == [N, 59, 30] or rates["patients"].tolist() == [N, 60, 29]
    page = (tmp_path / "out" / "outcomes.html").read_text("utf-8")
    assert "1 patients without a group" in page


def test_kaplan_meier_where_deaths_are_not_known(tmp_path: Path) -> None:
    found = outcomes_of(tmp_path, plan=PLAN.replace(" died: died,", ""))
    assert set(found["curves"]["method"]) == {"Kaplan-Meier"}


def test_plans_that_are_refused(tmp_path: Path) -> None:
    def refused(code: str, plan: str) -> None:
        with refusal(code, StudyError):
            outcomes_of(tmp_path, plan=plan)

    refused("plan-without-outcomes", "by: brace\n")
    for wrong in (
        PLAN.replace("    unit: points\n", ""),  # ODI of 0 to 50, or of 0 to 100?
        PLAN.replace("    range: [0, 10]\n", ""),
        PLAN.replace("[0, 10]", "[10, 0]"),
        PLAN.replace("severe: 10", "severe: 9"),
        PLAN.replace(" time: at,", ""),
        PLAN.replace("mcid: 2", "mdic: 2"),
    ):
        refused("plan-part-invalid", wrong)
    refused("plan-column-missing", PLAN.replace("vas_1m", "vas_m1"))
    refused("plan-groups-not-values", PLAN.replace('"yes"]', '"maybe"]'))
    with refusal("plan-missing", StudyError):
        compare_groups.read_plan(tmp_path / "none.yaml")


def test_tables_that_are_refused(tmp_path: Path) -> None:
    def refused(code: str, **columns: object) -> None:
        with refusal(code) as error:
            outcomes_of(tmp_path, TABLE.assign(**columns))
        assert "Remedy" in str(error.value)

    refused("scale-out-of-range", vas_last=TABLE["vas_last"] * 10)
    refused("levels-cell-unreadable", treated="lumbar")
    refused("outcomes-patient-repeated", patient_id="P001")
    refused("value-not-a-number", age=["old", *["70"] * 88, "about 60"])
    refused("event-time-without-event", at=np.nan)
    refused("event-after-follow-up", at=TABLE["at"] * 9)
    refused("times-not-positive", years=0.0)
    with refusal("event-not-zero-or-one", StudyError):
        outcomes_of(tmp_path, plan=PLAN.replace("event: remote", "event: age"))
