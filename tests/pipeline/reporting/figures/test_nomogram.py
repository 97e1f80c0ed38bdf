"""The drawn nomogram: labels as they are, equal points as one tick, the same bytes each time."""

from __future__ import annotations

import logging
import re

import pytest

from pipeline.reporting.figures.nomogram import nomogram_figure

AXIS = {"name": "x", "label": "Age", "unit": "years", "discrete": False, "low": None, "high": None}


def facts(**changes: object) -> dict:
    axis = AXIS | {"values": ["50", "60", "70", "80"], "points": [0.0, 40.0, 40.0, 100.0]} | changes
    return {
        "axes": [axis],
        "total": [0.0, 50.0, 100.0],
        "risks": [0.1, 0.5],
        "risk_points": [10.0, 80.0],
        "outcome": "pain",
        "day": "day 30",
    }


def words(svg: str) -> list[str]:
    return [
        re.sub("<[^>]+>", "", text).strip() for text in re.findall(r"<text.*?</text>", svg, re.S)
    ]


def test_axes_ticks_and_risks_are_labelled():
    told = words(nomogram_figure(facts(), "A title"))
    for text in ("A title", "Points", "Age (years)", "50", "60-70", "80", "Total points", "0.5"):
        assert text in told
    assert "60" not in told[told.index("Age (years)") : told.index("Total points")]
    assert any("Risk of pain" in text for text in told)


def test_a_label_with_signs_of_formulas_is_no_formula():
    svg = nomogram_figure(facts(label="cost $x_1$ <US$>"), "t")
    assert any("cost $x_1$ &lt;US$&gt;" in text for text in words(svg))


def test_signs_that_the_font_lacks_are_text_in_svg_and_told_for_png(caplog):
    given = facts(label="年齢")
    assert any("年齢" in text for text in words(nomogram_figure(given, "t")))
    with caplog.at_level(logging.WARNING, "vertebromics"):
        assert nomogram_figure(given, "t", png=True).startswith(b"\x89PNG")
    assert "the bundled font lacks signs" in caplog.text


def test_points_alone_have_no_risk_axis():
    without = facts() | {"risks": [], "risk_points": []}
    assert not any("Risk of" in text for text in words(nomogram_figure(without, "t")))


@pytest.mark.parametrize("png", [False, True])
def test_the_same_numbers_are_the_same_bytes(png):
    assert nomogram_figure(facts(), "t", png=png) == nomogram_figure(facts(), "t", png=png)


def test_limits_are_drawn_where_they_are_known():
    limits = {"low": [-5.0, 30, 30, 80], "high": [5.0, 50, 50, 120]}
    plain, drawn = (nomogram_figure(one, "t") for one in (facts(), facts(**limits)))
    assert drawn.count("<path") > plain.count("<path")
