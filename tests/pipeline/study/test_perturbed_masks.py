"""Whose masks are perturbed, what that costs, and what options demand of one another."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.core.errors import StudyError
from pipeline.core.problems import Problems
from pipeline.core.sections import part_of
from pipeline.study.config import resolve_config
from pipeline.study.config_checks import ReaderOptions, check_model_reader
from pipeline.study.perturbed_masks import PerturbingOptions, cost_of, perturbed_reader
from pipeline.study.sections.perturbing import Perturbations
from tests.pipeline.study.test_config import MODELLED, REPLAYED
from tests.support.refusals import refusal

MASKS = {"features": None, "cases": "c.csv"}
TEN = {"perturbations": {"repetitions": 10}}
ROBUST = {"selection": {"robustness": "both"}}


def test_by_default_nothing_is_perturbed():
    config = resolve_config(MODELLED | MASKS)
    assert not part_of(PerturbingOptions, config).perturbs
    assert config["selection"]["robustness"] == "readers"
    assert part_of(PerturbingOptions, resolve_config(MODELLED | MASKS | TEN)).perturbs


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (TEN, "perturbations-without-images"),
        (MASKS | ROBUST, "robustness-without-perturbations"),
        (REPLAYED | MASKS | ROBUST | TEN, "robustness-in-published-order"),
    ],
)
def test_what_options_demand_of_one_another(options, code):
    with refusal(code, StudyError):
        resolve_config(MODELLED | options)


def test_a_reader_who_is_none_of_the_study():
    problems = Problems("the readers")
    config = resolve_config(MODELLED | MASKS | {"perturbations": {"reader": "C"}})
    check_model_reader(part_of(ReaderOptions, config), ["A", "B"], problems)
    with refusal("perturbed-reader-unknown", StudyError):
        problems.raise_if_any()


@pytest.mark.parametrize(
    ("stated", "model_reader", "expected"),
    [(None, "B", "B"), (None, "mean", "A"), (None, None, "A"), ("C", "B", "C")],
)
def test_whose_masks_are_perturbed(stated, model_reader, expected):
    assert perturbed_reader(stated, model_reader, ["C", "B", "A"]) == expected


def test_what_it_costs():
    options = Perturbations(repetitions=30, chain=["noise", "volume"])
    cost = cost_of(options, 856)
    assert cost.extractions == 25_680
    assert "25,680 perturbed extractions, about 1.6 hours of one core" in cost.text()
    masks_alone = cost_of(replace(options, chain=["volume", "contour"]), 856)
    assert masks_alone.hours < cost.hours / 2
    assert cost_of(replace(options, repetitions=10), 2).text() == (
        "20 perturbed extractions, about 0 minutes of one core and 1 MB"
    )
