"""Numbers of command lines: bounds shared with the configuration, refusals by name."""

from __future__ import annotations

import argparse
import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from models.judging.judgement import BOUNDED_BY
from pipeline.core.errors import StudyError
from pipeline.study.config import resolve_config
from pipeline.study.option_numbers import bounded_number, checked_number, config_number
from tests.support.refusals import refusal

KEYS = ["evaluation.confidence", "evaluation.threshold", "evaluation.bootstrap", "seed"]


def refused_by_configuration(key: str, value: float) -> bool:
    config: dict = {"study": "pain"}
    *outer, last = key.split(".")
    inner = config
    for name in outer:
        inner = inner.setdefault(name, {})
    inner[last] = value
    try:
        resolve_config(config)
    except StudyError as error:
        return f"config key {key}" in str(error)
    return False


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    "text", ["0", "1", "-1", "0.5", "0.95", "0.999", "95", "99", "100", "4294967295", "4294967296",
             "nan", "inf", "-inf"],
)  # fmt: skip
def test_a_command_line_takes_what_a_configuration_takes(key, text):
    value = yaml.safe_load({"nan": ".nan", "inf": ".inf", "-inf": "-.inf"}.get(text, text))
    try:
        config_number(key)(text)
    except argparse.ArgumentTypeError:
        taken = False
    else:
        taken = True
    assert taken != refused_by_configuration(key, value)


def test_every_number_of_judge_is_an_option_of_the_configuration():
    assert set(BOUNDED_BY.values()) == set(KEYS)


@given(st.integers(-5, 40))
def test_bounds_of_its_own(value):
    kind = bounded_number(minimum=1, maximum=30)
    if 1 <= value <= 30:
        assert kind(str(value)) == value
        return
    with pytest.raises(
        argparse.ArgumentTypeError, match=f"at least 1 and at most 30. Found: {value}"
    ):
        kind(str(value))


@pytest.mark.parametrize("text", ["", "x", "1.5", "1e2", "nan"])
def test_a_whole_number_is_written_as_one(text):
    with pytest.raises(argparse.ArgumentTypeError, match=re.escape(f"Found: {text}.")):
        bounded_number(minimum=0)(text)


def test_a_remedy_of_the_configuration_is_told_and_works():
    with pytest.raises(argparse.ArgumentTypeError, match=r"Remedy: write 95 % as 0\.95"):
        config_number("evaluation.confidence")("95")
    assert config_number("evaluation.confidence")("0.95") == 0.95


def test_a_number_in_a_function_says_which_option_holds_it():
    with refusal("option-number-out-of-bounds", StudyError, match=r"Found: 3\. In: option --here"):
        checked_number(3, {"type": "integer", "maximum": 2}, "option --here")


def test_a_configuration_refuses_what_is_no_number():
    with refusal("option-number-not-plain", StudyError) as told:
        resolve_config({"study": "pain", "evaluation": {"threshold": float("nan")}})
    assert "config key evaluation.threshold" in str(told.value)
