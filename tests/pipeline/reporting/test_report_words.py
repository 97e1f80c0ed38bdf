"""What the report says of calibration, validation and stability, for values of every side."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.reporting.leaking import order_words
from pipeline.reporting.parts import selection_stability
from pipeline.reporting.parts.selection_stability import _sentences
from pipeline.reporting.results import Results
from pipeline.reporting.validation_kind import validation_kind, validation_text
from pipeline.reporting.wording import SIGNED, UNIT, interval, number, p_value, share
from pipeline.reporting.words.calibration_words import (
    calibration_sentence,
    ratio_words,
    slope_words,
)
from pipeline.reporting.words.metric_meanings import MEANINGS
from pipeline.study.metric_registry import METRICS
from pipeline.study.study import Study

NAN = math.nan


@pytest.mark.parametrize(
    ("value", "low", "high", "said", "unsaid"),
    [
        (2.36, 1.4, 3.3, "too moderate", "too extreme"),
        (0.4, 0.2, 0.7, "too extreme", "too moderate"),
        (1.001, 0.8, 1.2, "unclear whether", "risks are predicted"),
        (2.36, 0.8, 3.9, "unclear whether", "risks are predicted"),
        (0.92, -1.8, 3.64, "slope 0.92, 95% CI −1.80 to 3.64; ideal 1", "risks are predicted"),
        (-0.3, -0.9, 0.3, "does not go with more events", "too"),
        (1.4, NAN, NAN, "unclear whether", "risks are predicted"),
    ],
)  # fmt: skip
def test_a_slope_is_explained_on_its_own_side(value, low, high, said, unsaid):
    text = slope_words(value, low, high)
    assert said in text
    assert unsaid not in text


@pytest.mark.parametrize(
    ("value", "low", "high", "said"),
    [
        (0.23, 0.1, 0.4, "risks are on average 4.3 times too high"),
        (0.5, 0.4, 0.6, "risks are on average 2.0 times too high"),
        (3.0, 2.0, 4.0, "risks are on average 3.0 times too low"),
        (1.02, 0.8, 1.3, "unclear whether"),
        (1.3, 0.8, 2.0, "unclear whether"),
        (1.3, NAN, NAN, "events 1.30, no interval; ideal 1"),
        (0.0, NAN, NAN, "no event happened"),
    ],
)
def test_a_ratio_of_events_is_told_as_how_far_risks_are_off(value, low, high, said):
    text = ratio_words(value, low, high)
    assert said in text
    assert ("times" in text) == ("times" in said)


def test_an_intercept_is_told_if_the_ratio_of_events_leaves_the_average_unclear():
    text = ratio_words(0.644, 0.392, 1.058, (-0.824, -1.604, -0.043))
    assert "by calibration in the large, risks are too high on average" in text
    assert "(intercept −0.82, 95% CI −1.60 to −0.04; ideal 0" in text
    for unclear in (None, (-0.8, -1.7, 0.1), (-0.8, NAN, NAN)):
        assert ratio_words(0.644, 0.392, 1.058, unclear).startswith("it is unclear whether")
    shown = ratio_words(0.5, 0.3, 0.8, (-0.8, -1.6, -0.1))
    assert "intercept" not in shown


def test_calibration_that_is_undefined_says_why(lr_results):
    metrics = lr_results.modelling.evaluation.metrics.copy()
    slope = metrics["metric"] == "calibration_slope"
    metrics.loc[slope, ["value", "low", "high"]] = NAN
    metrics.loc[slope, "method"] = "undefined: every risk is the same"
    evaluation = replace(lr_results.modelling.evaluation, metrics=metrics)
    changed = replace(lr_results, modelling=replace(lr_results.modelling, evaluation=evaluation))
    text = calibration_sentence(changed, "lr")
    assert text.startswith("the slope could not be computed (every risk is the same); ")
    assert "observed/expected events" in text
    assert "could not be computed" not in calibration_sentence(lr_results, "lr")


def test_every_metric_has_a_meaning_in_plain_words():
    assert list(MEANINGS) == list(METRICS)
    assert not [name for name, text in MEANINGS.items() if text.endswith(".") or not text]


SPLITS = {
    "holdout": {"design": "holdout"},
    "temporal": {"design": "temporal"},
    "by_site": {"design": "by_site"},
    "undeclared": {"design": "imported", "declared": None},
    **{
        f"declared {kind}": {"design": "imported", "declared": kind}
        for kind in ("random", "temporal", "site")
    },
}


@pytest.mark.parametrize(
    ("which", "name", "tripod", "lucky"),
    [
        ("holdout", "Internal validation on a split sample", "2a", True),
        ("undeclared", "Internal validation on a split sample", "2a", True),
        ("declared random", "Internal validation on a split sample", "2a", True),
        ("temporal", "Temporal validation", "2b", False),
        ("declared temporal", "Temporal validation", "2b", False),
        ("by_site", "Geographical validation", "2b", False),
        ("declared site", "Geographical validation", "2b", False),
    ],
)
@pytest.mark.parametrize("mode", ["rigorous", "as_published"])
def test_a_validation_is_called_by_how_the_parts_were_made(which, name, tripod, lucky, mode):
    config = {"split": SPLITS[which], "mode": mode, "oversampling": "none"}
    text, kind = validation_text(config["split"], mode), validation_kind(config["split"])
    assert text.startswith(f"{name}. ")
    assert f"(TRIPOD type {tripod})" in text
    assert ("is not declared" in text) == (which == "undeclared")
    assert ("the author of the imported split declares it" in text) == which.startswith("declared")
    assert ("no independent test" in text) == (mode == "as_published")
    study = Study(config, None, None, None)
    results = Results(study, None, {}, None, None, None, SimpleNamespace(models={}))
    for said in (order_words(results).excess, kind.excess, kind.below):
        assert ("luck" in said) == lucky


def block(**values) -> dict:
    known = {"index": 0.6, "low": 0.5, "high": 0.7, "jaccard": 0.4, "candidates": 30}
    noise = dict.fromkeys(("permuted_index", "permuted_index_low", "permuted_index_high"))
    return known | {"mean_selected": 4.0} | noise | values


def test_noise_is_not_called_good_where_no_permutation_was_asked_for():
    (text,) = _sentences({"permutations": 0, "blocks": {"radiomics": block()}})
    assert not any(word in text for _, word in selection_stability.GRADES)
    assert "No permuted outcomes were asked for" in text
    (text,) = _sentences({"permutations": 3, "blocks": {"radiomics": block()}})
    assert "With permuted outcomes the index has no value" in text
    noise = {"permuted_index": 0.1, "permuted_index_low": 0.0, "permuted_index_high": 0.2}
    (text,) = _sentences({"permutations": 3, "blocks": {"radiomics": block(**noise)}})
    assert "0.60 (0.50 to 0.70), fair to good" in text


def test_an_index_without_an_interval_is_graded_by_itself():
    noise = {"permuted_index": 1.0, "permuted_index_low": 1.0, "permuted_index_high": 1.0}
    same = block(index=1.0, low=None, high=None, **noise)
    (text,) = _sentences({"permutations": 1, "blocks": {"radiomics": same}})
    assert "no clearer than with permuted outcomes" in text


@given(st.floats(0, 1), st.integers(0, 4))
def test_rounding_reaches_a_bound_only_where_the_value_does(value, digits):
    text = number(value, digits, UNIT)
    assert (text == number(1.0, digits)) == (value == 1)
    assert (text == number(0.0, digits)) == (value == 0)
    signed = number(-value, digits, SIGNED)
    assert (signed == number(-1.0, digits)) == (value == 1)
    assert p_value(value) not in ("0.000", "1.000") or value == 1


@given(st.integers(0, 2000), st.integers(1, 2000), st.integers(0, 1))
def test_some_are_not_none_and_most_are_not_all(part, whole, digits):
    part = min(part, whole)
    text = share(part, whole, digits)
    assert (float(text.strip("<>%")) == 100 and text[0] != ">") == (part == whole)
    assert (float(text.strip("<>%")) == 0 and text[0] != "<") == (part == 0)


def test_what_the_report_printed_as_a_bound():
    assert number(0.9953, 2, UNIT) == ">0.99"
    assert interval(0.9953, 0.98, 0.9999, 2, UNIT) == ">0.99 (0.98 to >0.99)"
    assert number(-0.99996, 3, SIGNED) == "<−0.999"
    assert p_value(0.99971) == ">0.999"
    assert share(999, 1000) == ">99%"
