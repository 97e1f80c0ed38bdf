"""Curves are drawn from groups of risk, each with enough patients of both outcomes."""

from __future__ import annotations

import numpy as np
import pytest

from deployment.sharing.counts import rounded, smooth_quantile
from deployment.sharing.risks import STEP, curves, figures, risk_edges, risk_groups
from models.scoring.metrics import confusion
from models.scoring.performance import Sample


def sample_of(n: int, seed: int = 0, threshold: float = 0.317) -> Sample:
    rng = np.random.default_rng(seed)
    risk = rng.beta(2, 4, n)
    outcome = (rng.random(n) < risk).astype(int)
    return Sample(outcome, risk, np.array([f"p{number}" for number in range(n)]), threshold)


@pytest.mark.parametrize("fewest", [10, 25])
@pytest.mark.parametrize("n", [60, 200, 900])
def test_no_group_is_small(n: int, fewest: int) -> None:
    sample = sample_of(n)
    edges = risk_edges(sample, fewest)
    assert edges == sorted(set(edges))
    assert all(abs(edge / STEP - round(edge / STEP)) < 1e-9 for edge in edges)
    groups = risk_groups(sample, edges)
    assert groups["units"].sum() == n
    if sample.outcome.sum() >= fewest:
        assert groups["events"].min() >= fewest
        assert (groups["units"] - groups["events"]).min() >= fewest


def test_edges_use_what_the_patients_allow() -> None:
    assert len(risk_edges(sample_of(900), 10)) >= 5
    assert risk_edges(sample_of(60), 25) == []


def test_units_of_few_patients_make_no_group() -> None:
    sample = sample_of(900)
    few = Sample(sample.outcome, sample.probability, np.array(["a", "b", "c"] * 300), 0.3)
    assert risk_edges(few, 10) == []


def test_curves_are_those_of_the_limits() -> None:
    sample = sample_of(900)
    edges = risk_edges(sample, 10)
    assert 0.32 in edges, "the threshold, rounded, parts two groups"
    rows = curves(risk_groups(sample, edges)).set_index("threshold")
    counts = confusion(sample.outcome, sample.probability, 0.32)
    assert rows.loc[0.32, ["tp", "fp", "fn", "tn"]].tolist() == [
        counts.tp, counts.fp, counts.fn, counts.tn,
    ]  # fmt: skip
    n = len(sample.outcome)
    benefit = counts.tp / n - counts.fp / n * 0.32 / 0.68
    assert rows.loc[0.32, "net_benefit"] == pytest.approx(benefit, rel=1e-12)
    for at in (np.diff(rows["tp"]), np.diff(rows["fp"])):
        assert np.abs(at).min() >= 10


def test_figures_have_three_digits() -> None:
    rows = {row["metric"]: row for row in figures(sample_of(400))}
    assert set(rows) == {
        "auroc", "oe_ratio", "calibration_slope", "calibration_intercept", "brier",
    }  # fmt: skip
    assert all(row["value"] == round(row["value"], 3) for row in rows.values())
    assert rows["auroc"]["low"] < rows["auroc"]["value"] < rows["auroc"]["high"]


def test_a_percentile_is_a_mean_and_no_ones_value() -> None:
    values = np.arange(100.0)
    assert smooth_quantile(values, 0.5, 10) == 49.5
    assert smooth_quantile(values, 0.25, 10) == rounded(np.arange(20, 30).mean())
    # An extreme value moves a percentile by a tenth at most, and stands nowhere.
    assert smooth_quantile(np.append(values[:20], 1e6), 0.75, 10) < 2e5
    assert smooth_quantile(values[:19], 0.5, 10) is None
