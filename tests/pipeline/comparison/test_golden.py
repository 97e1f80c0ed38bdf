"""Own statistics against R's, stored with their script in tests/golden/comparison."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.comparison.course import incidence, paired, survival
from pipeline.comparison.groups import effects
from pipeline.comparison.groups.fisher_exact import fisher_p
from pipeline.comparison.groups.group_tests import number_test
from pipeline.comparison.groups.patient_clusters import rao_scott

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "comparison" / "values.csv"
VALUES = pd.read_csv(GOLDEN).groupby("name")["value"].apply(list).to_dict()


def x(n: int) -> np.ndarray:
    return np.arange(1, n + 1) * 37 % 101 / 10


def y(n: int) -> np.ndarray:
    return np.arange(1, n + 1) * 53 % 97 / 10 + 1.55


@pytest.mark.parametrize("s", range(1, 7))
def test_fisher(s: int) -> None:
    i, j = np.arange(1, 3 + s % 3)[:, None], np.arange(1, 4 + s % 2)[None, :]
    table = (i * 7 + j * 5 + s * 3 + i * j * s) % 6
    assert fisher_p(table)[1] == pytest.approx(VALUES[f"fisher {s}"][0], rel=1e-6)


@pytest.mark.parametrize("n", [12, 40, 90])
def test_shifts_and_changes(n: int) -> None:
    """R looks for the limits of a shift to 1e-4, and corrects for continuity in large groups."""
    step = 0.001 if n < 50 else 0.11
    found = effects.hodges_lehmann(x(n), y(n + 5))
    assert found[1:] == pytest.approx(VALUES[f"shift {n}"], abs=step)
    before = x(n)
    found = paired.median_change(before, y(n) + np.arange(1, n + 1) / 1000)
    assert found[1:] == pytest.approx(VALUES[f"change {n}"], abs=step)


def test_welch_anova() -> None:
    found = number_test([x(20), y(25), x(30) / 2], "welch-anova")
    expected = VALUES["welch anova"]
    assert [found.statistic, found.df, found.df2, found.p] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("name", "events"), [("poisson", (1, 17)), ("poisson b", (11, 4))])
def test_rates(name: str, events: tuple[int, int]) -> None:
    found = incidence.rate_ratio(events, (31 * 1.1, 220 * 2.1))
    assert list(found[:4]) == pytest.approx(VALUES[name], rel=1e-9)


N = np.arange(1, 81)
TIME, END = N * 29 % 41 + 1.0, (N * 17 + N**2) % 7 % 3


def at(table: pd.DataFrame, column: str) -> list[float]:
    """Return a curve's values at 5, 20 and 35."""
    return [float(table.loc[table["time"] <= time, column].iloc[-1]) for time in (5, 20, 35)]


def test_survival() -> None:
    found = survival.kaplan_meier(TIME, END > 0)
    curves = [*at(found, "survival"), *at(found, "low"), *at(found, "high")]
    assert curves == pytest.approx(VALUES["kaplan-meier"], rel=1e-9)
    statistic = survival.log_rank(TIME, END > 0, N % 3).statistic
    assert statistic == pytest.approx(VALUES["log-rank"][0], rel=1e-9)
    found = survival.cumulative_incidence(TIME, END)
    both = [*at(found, "event"), *at(found, "death")]
    assert both == pytest.approx(VALUES["aalen-johansen"], rel=1e-9)


def test_ancova() -> None:
    found = paired.ancova(x(80), y(80), N % 3)
    columns = ("difference", "low", "high", "p")
    flat = np.concatenate([found[name].to_numpy() for name in columns])
    assert flat == pytest.approx(np.array(VALUES["ancova"]), rel=1e-9)


SURVEY = pd.read_csv(GOLDEN.with_name("survey.csv")).groupby("name")["value"].apply(list)


@pytest.mark.parametrize("s", range(1, 5))
def test_rao_scott(s: int) -> None:
    """R's svychisq: patients as sampling units, rows of equal weight (make_survey.R)."""
    row = np.arange(1, 61 + 20 * s)
    patient = (row * row + s) % (len(row) // 2)
    level = (row * 5 + s * (row % 7)) % (2 + s % 2)
    of_rows = (row * 3 + row % 5) % (2 + s // 3)
    group = of_rows if s % 2 == 1 else (patient * 7 + s) % 3
    found = rao_scott(level, group, patient)
    expected = SURVEY[f"rao-scott {s}"]
    assert [found.statistic, found.df, found.df2, found.p] == pytest.approx(expected, rel=1e-8)
