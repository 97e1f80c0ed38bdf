"""Several hospitals' releases: metafor's figures, and what is refused."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path

import pandas as pd
import pytest
from scipy.special import expit, ndtri

from deployment.sharing.combining import combine, read_release
from deployment.sharing.release import SCHEMA
from pipeline.core.errors import StudyError
from pipeline.core.files import json_hash
from tests.support.refusals import refusal

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "comparison" / "meta.csv"
VALUES = pd.read_csv(GOLDEN).set_index("name")["value"]
SITES = [(1.1, 0.09), (0.6, 0.05), (1.9, 0.16)]
"""Estimates and variances of the made-up sites of make_meta.R."""


def release_of(site: str, estimate: float, variance: float) -> dict:
    """Return a release whose figures have this estimate and variance on their scales."""
    reach = ndtri(0.975) * math.sqrt(variance)
    ends = {"value": estimate, "low": estimate - reach, "high": estimate + reach}
    scales = {"auroc": lambda x: float(expit(x)), "oe_ratio": math.exp, "calibration_slope": float}
    figures = [
        {"metric": metric, **{end: back(value) for end, value in ends.items()}}
        for metric, back in scales.items()
    ]
    contract = {"outcome": {"name": "rbp"}, "options": {"unit": "patient"}}
    return {
        "schema": SCHEMA,
        "site": site,
        "contract": contract,
        "contract_hash": json_hash(contract),
        "performance": {"units": 200, "events": 60, "figures": figures},
        "outcome": "pain",
        "model": "lr",
        "judged_on": "test",
        "release": 1,
    }


@pytest.fixture
def three() -> list[dict]:
    return [release_of(f"site {at}", *each) for at, each in enumerate(SITES)]


def test_pooled_figures_are_those_of_metafor(three) -> None:
    sites, pooled = combine(three, ["a", "b", "c"])
    assert len(sites) == 9
    rows = pooled.set_index("metric")
    backs = {"auroc": expit, "oe_ratio": math.exp, "calibration_slope": float}
    for metric, back in backs.items():
        ends = {"value": "estimate"} | {
            name: name for name in ("low", "high", "predicted_low", "predicted_high")
        }
        for name, theirs in ends.items():
            expected = back(VALUES[f"sites reml adhoc {theirs}"])
            assert rows.loc[metric, name] == pytest.approx(expected, rel=1e-6), (metric, name)
        assert rows.loc[metric, "sites"] == 3
        assert rows.loc[metric, "left_out"] == 0


def test_two_sites_predict_no_third(three) -> None:
    row = combine(three[:2], ["a", "b"])[1].iloc[0]
    assert math.isnan(row["predicted_low"])
    assert row["low"] < row["value"] < row["high"]


def test_a_site_without_performance_is_counted(three) -> None:
    three[1]["performance"] = None
    sites, pooled = combine(three, ["a", "b", "c"])
    assert set(sites["site"]) == {"site 0", "site 2"}
    assert pooled["left_out"].tolist() == [1, 1, 1]


def changed(facts: dict, **new: object) -> dict:
    facts = copy.deepcopy(facts) | new
    facts["contract_hash"] = json_hash(facts["contract"])
    return facts


def test_what_is_not_alike_is_refused(three) -> None:
    other = copy.deepcopy(three[1])
    other["contract"]["options"]["unit"] = "case"
    cases = [
        ([three[0]], "releases-too-few", ""),
        ([three[0], changed(other)], "contracts-differ", "another options.unit"),
        ([three[0], three[0]], "release-twice", ""),
        ([three[0], {**three[0], "site": "another name"}], "release-twice", ""),
    ]
    for releases, code, words in cases:
        with refusal(code, StudyError, match=words):
            combine(releases, ["a", "b"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda facts: "no json at all {", "no JSON"),
        (lambda facts: "[" * 100_000, "no JSON"),
        (lambda facts: [facts], "no schema"),
        (lambda facts: {**facts, "schema": "another"}, "no schema"),
        (lambda facts: {name: facts[name] for name in facts if name != "site"}, "none of site"),
        (lambda facts: {**facts, "site": 3}, "of another form"),
        (lambda facts: {**facts, "contract": {}}, "a contract that was changed"),
        (lambda facts: {**facts, "performance": {"figures": 3}}, "no numbers"),
        (
            lambda facts: {**facts, "performance": {"units": "9", "events": 3, "figures": []}},
            "no num",
        ),
    ],
)
def test_a_file_that_is_no_release_is_refused(three, change, words, tmp_path) -> None:
    made = change(three[0])
    path = tmp_path / "release.json"
    path.write_text(made if isinstance(made, str) else json.dumps(made))
    with refusal("release-unreadable", StudyError, match=words):
        read_release(path)


def test_a_release_is_read_as_it_is(three, tmp_path) -> None:
    path = tmp_path / "release.json"
    path.write_text(json.dumps(three[0]))
    assert read_release(path) == three[0]
    path.write_text(" " * 5_000_001)
    with refusal("release-unreadable", StudyError, match="5 MB"):
        read_release(path)
