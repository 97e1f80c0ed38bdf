"""A second release does not give back what the first hides, nor the other way round."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from deployment.sharing.counts import Table, flow_table
from deployment.sharing.ledger import Ledger
from deployment.sharing.suppression import ALL, crossed, protect
from pipeline.core.errors import StudyError
from tests.support.refusals import refusal


def patients(count: int, seed: int = 1) -> pd.DataFrame:
    """Return made-up patients; the first are the same whatever their number."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "value": rng.choice(["a", "b", "c"], 2000, p=[0.55, 0.4, 0.05]),
            "group": rng.choice(["event", "no event"], 2000, p=[0.4, 0.6]),
        },
        index=[f"p{number}" for number in range(2000)],
    )
    return frame.head(count)


def table_of(frame: pd.DataFrame) -> Table:
    made = crossed(frame["value"], frame["group"], frame.index.to_series())
    return Table("A column", "column", *made)


def release(ledger: Ledger, frame: pd.DataFrame, fewest: int = 10) -> dict[str, int | None]:
    """Share a table; return what is printed, None where it is hidden."""
    populations = {"all": frame.index.to_series()}
    ledger.check_patients(populations, fewest)
    table = table_of(frame)
    hidden, _ = protect(ledger.with_earlier(table), fewest)
    hidden &= table.system.cells.keys()
    ledger.add([(table, hidden)], populations, "of these", [0.2], "digest")
    return {
        name: None if name in hidden else cell.value for name, cell in table.system.cells.items()
    }


def test_the_same_patients_give_the_same_release(tmp_path) -> None:
    first = release(Ledger(tmp_path / "l.json"), patients(200))
    again = Ledger(tmp_path / "l.json")
    assert release(again, patients(200)) == first
    assert None in first.values()
    assert again.edges("of these") == [0.2]
    assert again.edges("of others") is None


def test_a_lower_limit_later_gives_no_hidden_count_back(tmp_path) -> None:
    """What was hidden stays unknown, though a release with the lower limit alone would print it."""
    first = release(Ledger(tmp_path / "l.json"), patients(200), 10)
    alone = release(Ledger(tmp_path / "other.json"), patients(200), 5)
    later = release(Ledger(tmp_path / "l.json"), patients(200), 5)
    small = [name for name, cell in table_of(patients(200)).system.cells.items() if cell.value < 10]
    assert any(alone[name] is not None for name in small)
    assert all(first[name] is None and later[name] is None for name in small)


def test_a_higher_limit_later_prints_what_is_out_already(tmp_path) -> None:
    first = release(Ledger(tmp_path / "l.json"), patients(400), 10)
    later = release(Ledger(tmp_path / "l.json"), patients(400), 40)
    assert all(later[name] == value for name, value in first.items() if value is not None)


@pytest.mark.parametrize(
    ("before", "now", "words"), [(200, 203, "3 patients more"), (203, 200, "3 patients fewer")]
)
def test_a_few_patients_more_or_fewer_are_refused(tmp_path, before, now, words) -> None:
    release(Ledger(tmp_path / "l.json"), patients(before))
    with refusal("shared-patients-differ", StudyError, match=words) as told:
        release(Ledger(tmp_path / "l.json"), patients(now))
    assert told.value.code == "shared-patients-differ"
    assert len(Ledger(tmp_path / "l.json").releases) == 1


@pytest.mark.parametrize("now", [240, 420])
def test_no_difference_of_two_releases_tells_of_few(tmp_path, now: int) -> None:
    first = release(Ledger(tmp_path / "l.json"), patients(200))
    later = release(Ledger(tmp_path / "l.json"), patients(now))
    counts = [
        value - first[name]
        for name, value in later.items()
        if value is not None and first[name] is not None
    ]
    assert len(counts) >= 3, "the totals at least are in both"
    assert min(counts) >= 10
    alone = release(Ledger(tmp_path / "other.json"), patients(now))
    small = [
        name
        for name, value in alone.items()
        if value is not None and first[name] is not None and value - first[name] < 10
    ]
    if now == 240:
        assert small, "the second alone would tell of few"
    assert all(later[name] is None for name in small)


def test_too_few_new_events_are_refused(tmp_path) -> None:
    """Totals are printed in any case: where they would tell of few, nothing is."""
    frame = patients(200)
    release(Ledger(tmp_path / "l.json"), frame)
    new = patients(240).iloc[200:].assign(group="no event")
    new.iloc[:4, new.columns.get_loc("group")] = "event"
    with refusal("shared-count-known", StudyError):
        release(Ledger(tmp_path / "l.json"), pd.concat([frame, new]))


def test_a_corrected_value_is_a_difference(tmp_path) -> None:
    """The same patients, one of whom has another value now: both counts move by one."""
    frame = patients(400)
    frame["value"] = frame["value"].replace("c", "b")
    first = release(Ledger(tmp_path / "l.json"), frame)
    assert None not in first.values()
    moved = frame.copy()
    moved.loc["p0", "value"] = "b" if frame.loc["p0", "value"] == "a" else "a"
    later = release(Ledger(tmp_path / "l.json"), moved)
    group = frame.loc["p0", "group"]
    for value in "ab":
        assert later[f"{value}|{group}"] is None
        assert later[f"{value}|{ALL}"] is None


def test_patients_that_leave(tmp_path) -> None:
    def flow(left: int) -> Table:
        excluded = [{"reason": "no CT", "patients": left}, {"reason": "refused", "patients": 60}]
        steps = [
            {"label": "Handed in", "patients": 260 + left, "excluded": excluded},
            {"label": "Analysed", "patients": 200, "excluded": []},
        ]
        return flow_table({"steps": steps})

    ledger = Ledger(tmp_path / "l.json")
    hidden, _ = protect(ledger.with_earlier(flow(3)), 10)
    assert "1: no CT" in hidden
    assert len(hidden) == 2
    hidden, _ = protect(ledger.with_earlier(flow(12)), 10)
    assert hidden == set()
    ledger.add([(flow(12), set())], {}, "", [], "")
    hidden, _ = protect(ledger.with_earlier(flow(13)), 10)
    assert "1: no CT" in hidden, "one more that has left"
    assert len(hidden) == 2


def test_the_ledger_names_nobody(tmp_path) -> None:
    release(Ledger(tmp_path / "l.json"), patients(200))
    text = (tmp_path / "l.json").read_text()
    assert '"p1"' not in text
    assert '"p100"' not in text
