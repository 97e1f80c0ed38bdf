"""The section on negative controls says in words what its table holds."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from pipeline.reporting.blocks import Items, Table
from pipeline.reporting.result_files import Controls
from pipeline.reporting.sections.prediction.controls import controls_section
from pipeline.reporting.words.control_words import control_sentences

INFO = {
    "status": "compared", "reason": None, "label": "Logistic regression", "part": "test",
    "confidence": 0.95, "search_note": "Searched with fewer sets.",
}  # fmt: skip


def arm(name: str, auroc: float, half: float, lost: float | None = None, lost_half=0.05) -> dict:
    drawn = name.startswith(("shuffled", "sampled"))
    return {
        "arm": name, "draws": 5 if drawn else None, "n_features": 7.0, "n": 60, "events": 30,
        "auroc": auroc, "auroc_low": auroc - half, "auroc_high": auroc + half,
        "draws_low": auroc - 0.02 if drawn else None, "draws_high": auroc + 0.02 if drawn else None,
        "lost": lost, "lost_low": None if lost is None else lost - lost_half,
        "lost_high": None if lost is None else lost + lost_half,
        "method": "DeLong, paired over the same rows", "note": None,
    }  # fmt: skip


def controls(*arms: dict, **info: object) -> Controls:
    return Controls(pd.DataFrame(list(arms)), INFO | info)


TRUE = arm("true", 0.8, 0.1)


@pytest.mark.parametrize(
    ("drawn", "said"),
    [
        (arm("shuffled_inside", 0.50, 0.05, 0.30), "The signal was in the arrangement"),
        (arm("shuffled_inside", 0.65, 0.05, 0.15), "Part of the signal was texture"),
        (arm("shuffled_inside", 0.79, 0.05, 0.01), "the signal needs no texture"),
        (arm("shuffled_inside", 0.55, 0.20, 0.25, 0.4), "The cohort is too small to say"),
        (arm("shuffled_outside", 0.60, 0.05, 0.20), "also use what lies around the mask"),
        (arm("sampled_outside", 0.79, 0.05, 0.01), "the signal comes from inside the mask"),
        (arm("volume", 0.55, 0.1, 0.25), "less than the true features (by 0.250"),
        (arm("hu", 0.95, 0.02, -0.15), "more than the true features"),
        (arm("shape", 0.79, 0.1, 0.01), "whether the true features do better was not shown"),
    ],
)
def test_a_sentence_says_what_an_arm_means(drawn, said):
    sentences = control_sentences(controls(TRUE, drawn))
    assert len(sentences) == 2
    assert said in sentences[1]


def test_where_nothing_discriminates_nothing_is_divided():
    chance = arm("true", 0.55, 0.1)
    sentences = control_sentences(controls(chance, arm("shuffled_inside", 0.5, 0.1, 0.05)))
    assert len(sentences) == 2
    assert "includes chance" in sentences[1]


def with_controls(results, made: Controls | None):
    return replace(results, modelling=replace(results.modelling, controls=made))


def test_the_section_holds_words_and_the_table(lr_results):
    failed = {"arm": "hu", "note": "not fitted: the study has no mean CT number"}
    drawn = arm("shuffled_inside", 0.5, 0.05, 0.3)
    section = controls_section(with_controls(lr_results, controls(TRUE, drawn, failed)))
    (table,) = [block for block in section.blocks if isinstance(block, Table)]
    assert table.name == "controls"
    first, second, third = table.shown.to_dict("records")
    assert first["Lost against the true features"] == "–"
    assert second["Range over draws"] == "0.480 to 0.520"
    assert second["Draws"] == "5"
    assert "not fitted" in third["Fitted to"]
    assert sum(isinstance(block, Items) for block in section.blocks) == 2
    nested = controls_section(with_controls(lr_results, controls(TRUE, part="nested")))
    (table,) = [block for block in nested.blocks if isinstance(block, Table)]
    assert table.name == "controls-nested"
    assert "in the outer folds" in table.caption


def test_what_was_asked_for_and_not_computed_says_so(lr_results):
    section = controls_section(with_controls(lr_results, None))
    assert (section.blocks, section.absent) == ([], None)
    without = controls(TRUE, status="not_compared", reason="no model could be fitted")
    section = controls_section(with_controls(lr_results, without))
    assert section.absent == "Nothing to compare: no model could be fitted."
    assert controls_section(replace(lr_results, modelling=None)).absent
