"""Random-effects meta-analysis against metafor's figures, and where it refuses."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.meta_analysis import combine_effects

from pipeline.comparison.sites.random_effects import (
    log_ratio_with_variance,
    logit_with_variance,
    pool,
)

GOLDEN = Path(__file__).resolve().parents[3] / "golden" / "comparison"
VALUES = pd.read_csv(GOLDEN / "meta.csv").set_index("name")["value"]
BCG = """
-0.8893 0.3256 -1.5854 0.1946 -1.3481 0.4154 -1.4416 0.0200 -0.2175 0.0512 -0.7861 0.0069 -1.6209
0.2230 0.0120 0.0040 -0.4694 0.0564 -1.3713 0.0730 -0.3394 0.0124 0.4459 0.5325 -0.0173 0.0714
"""
"""Log risk ratios and variances of the 13 trials of BCG (Colditz 1994), rounded as printed."""

TRIALS = {
    "bcg": (np.array(BCG.split()[::2], float), np.array(BCG.split()[1::2], float)),
    "sites": ([1.1, 0.6, 1.9], [0.09, 0.05, 0.16]),
    "alike": ([1.10, 1.12, 1.07, 1.11], [0.09, 0.05, 0.16, 0.04]),
}


@pytest.mark.parametrize("trial", TRIALS)
@pytest.mark.parametrize("method", ["reml", "dersimonian-laird"])
@pytest.mark.parametrize("test", ["z", "knha", "adhoc"])
def test_metafor(trial: str, method: str, test: str) -> None:
    found = pool(
        *TRIALS[trial],
        method,  # type: ignore[arg-type]
        hartung_knapp=test != "z",
        never_narrower=test == "adhoc",
    )
    for name in ("estimate", "standard_error", "low", "high", "tau2", "q"):
        expected = VALUES[f"{trial} {method} {test} {name}"]
        assert getattr(found, name) == pytest.approx(expected, rel=1e-6, abs=1e-9), name
    assert found.i2 * 100 == pytest.approx(
        VALUES[f"{trial} {method} {test} i2"], rel=1e-6, abs=1e-7
    )
    predicted = [VALUES[f"{trial} {method} {test} predicted_{end}"] for end in ("low", "high")]
    assert [found.predicted_low, found.predicted_high] == pytest.approx(predicted, rel=1e-6)


def test_published_figures() -> None:
    """Viechtbauer, J Stat Softw 2010;36(3): -0.7145 (SE 0.1798), tau2 0.3132, I2 92.22 percent."""
    found = pool(*TRIALS["bcg"], hartung_knapp=False)
    assert [found.estimate, found.standard_error, found.tau2] == pytest.approx(
        [-0.7145, 0.1798, 0.3132], abs=1e-4
    )
    assert found.i2 == pytest.approx(0.9222, abs=2e-4)  # the trials are rounded to four digits


def test_statsmodels() -> None:
    y, v = (np.array(values) for values in TRIALS["sites"])
    other = combine_effects(y, v, method_re="dl", use_t=True)
    ours = pool(y, v, "dersimonian-laird")
    assert [ours.estimate, ours.standard_error, ours.tau2] == pytest.approx(
        [other.mean_effect_re, other.sd_eff_w_re_hksj, other.tau2], rel=1e-12
    )


def test_peaks() -> None:
    """The likelihood found is the highest of a fine grid, whatever the variances are."""
    rng = np.random.default_rng(5)
    for _ in range(25):
        k = int(rng.integers(2, 9))
        y, v = rng.normal(0, 2, k), np.exp(rng.normal(-2, 2.5, k))

        def likelihood(tau2: float, y: np.ndarray = y, v: np.ndarray = v) -> float:
            w = 1 / (v + tau2)
            mean = w @ y / w.sum()
            return float(0.5 * (np.log(w).sum() - math.log(w.sum()) - w @ (y - mean) ** 2))

        tau2 = pool(y, v).tau2
        best = max(likelihood(t) for t in np.append(np.geomspace(1e-9, 1e3, 1500), 0))
        assert likelihood(tau2) >= best - 1e-12


def test_two_sites_predict_nothing() -> None:
    found = pool([1.0, 1.4], [0.04, 0.04])
    assert np.isnan([found.predicted_low, found.predicted_high]).all()
    assert np.isfinite([found.low, found.high]).all()


def test_scales() -> None:
    """Debray's guide: the variance on the logit scale is that of the AUROC by (c (1 - c))^2."""
    logit, variance = logit_with_variance(0.8, 0.02)
    assert [logit, variance] == pytest.approx([math.log(4), (0.02 / 0.16) ** 2], rel=1e-12)
    ratio, variance = log_ratio_with_variance(30, 25, 200)
    assert [ratio, variance] == pytest.approx([math.log(1.2), (1 - 0.15) / 30], rel=1e-12)


@pytest.mark.parametrize(
    ("y", "v", "more"),
    [
        ([1.0], [0.1], {}),
        ([1.0, 2.0], [0.1], {}),
        ([1.0, np.nan], [0.1, 0.1], {}),
        ([1.0, 2.0], [0.1, 0.0], {}),
        ([1.0, 2.0], [0.1, 0.1], {"confidence": 1.0}),
        ([1.0, 2.0], [0.1, 0.1], {"method": "ml"}),
    ],
)
def test_refused(y: list, v: list, more: dict) -> None:
    with pytest.raises(ValueError, match="found"):
        pool(y, v, **more)


@pytest.mark.parametrize(
    "call",
    [
        lambda: logit_with_variance(1.0, 0.1),
        lambda: log_ratio_with_variance(0, 3, 10),
        lambda: log_ratio_with_variance(3, 0, 10),
    ],
)
def test_no_scale(call) -> None:
    with pytest.raises(ValueError, match="found"):
        call()
