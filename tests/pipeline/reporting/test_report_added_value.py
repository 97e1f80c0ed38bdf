"""The summary answers the first question; the section says how the answer came about."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from pipeline.reporting.blocks import Points, Table
from pipeline.reporting.cautions.cautions import Caution, find_cautions
from pipeline.reporting.sections.prediction.added_value import added_value_section
from pipeline.reporting.sections.prediction.models import performance_section
from pipeline.reporting.sections.summary import summary_section
from pipeline.reporting.words.added_value_words import (
    added_value_sentences,
    arms_sentence,
    baselines_sentence,
)


def words_of(section):
    texts = []
    for block in section.blocks:
        texts += [getattr(block, "text", ""), getattr(block, "title", "")]
        for pair in getattr(block, "points", []):
            texts += pair
    return " ".join(texts).split()


def with_difference(results, *, rows=100, events=40, **numbers):
    """Return results of so many rows whose first difference (both less clinical) is another."""
    added = results.modelling.added_value
    table = added.differences.copy()
    for name, value in numbers.items():
        table.loc[0, name] = value
    arms = added.arms.assign(n=rows, events=events)
    changed = replace(added, differences=table, arms=arms)
    return replace(results, modelling=replace(results.modelling, added_value=changed))


def test_the_summary_answers_in_at_most_260_words(lr_results):
    section = summary_section(lr_results, find_cautions(lr_results, None))
    assert len(words_of(section)) <= 260
    (points,) = [block for block in section.blocks if isinstance(block, Points)]
    points = dict(points.points)
    assert "(pain of VAS 4 or more on day 3)" in points["Question"]
    assert "None was declared beforehand" in points["Primary analysis"]
    assert "chance: in " in points["Answer"]
    assert "held-out patients (" in points["Answer"] or "held-out cases (" in points["Answer"]
    assert "95% CI 0." in points["Answer"]
    assert "0.5 is chance, 1 perfect" in points["Answer"]
    assert "excluded" in points["Patients"] or points["Patients"].endswith("analysed.")
    assert "had the outcome" in points["Outcome"]
    assert "AUROC 0." in points["Added value of radiomics"]
    assert "bone mineral density" in points["Without radiomics"]
    assert points["Validation"] == "Internal validation on a split sample."
    assert points["Not for"].startswith("Treatment effects. Decisions on single patients")


def test_a_study_without_features_speaks_of_no_radiomics(lr_results):
    info = lr_results.modelling.info | {"features": []}
    changed = replace(lr_results, modelling=replace(lr_results.modelling, info=info))
    (points,) = [
        block.points for block in summary_section(changed, []).blocks if isinstance(block, Points)
    ]
    assert "bone mineral density" in dict(points)["Simpler predictions"]
    assert "Without radiomics" not in dict(points)


@pytest.mark.parametrize(
    ("value", "low", "high", "said"),
    [
        (0.62, 0.38, 0.81, "Not shown to be better than chance: in "),
        (0.62, 0.5, 0.81, "Not shown to be better than chance: in "),
        (0.72, 0.58, 0.86, "Better than chance: in "),
        (0.3, 0.1, 0.4, "Worse than chance: in "),
        (0.72, math.nan, math.nan, "Unclear, since there is no interval: in "),
    ],
)
def test_the_answer_follows_from_the_interval_against_chance(lr_results, value, low, high, said):
    evaluation = lr_results.modelling.evaluation
    table = evaluation.metrics.copy()
    own = (table["metric"] == "auroc") & (table["part"] == "test")
    table.loc[own, ["value", "low", "high"]] = value, low, high
    modelling = replace(lr_results.modelling, evaluation=replace(evaluation, metrics=table))
    section = summary_section(replace(lr_results, modelling=modelling), [])
    answer = dict(section.blocks[1].points)["Answer"]
    assert answer.startswith(said)


def test_an_order_that_leaks_is_no_answer(lr_results):
    study = lr_results.study
    leaking = replace(study, config=study.config | {"mode": "as_published"})
    section = summary_section(replace(lr_results, study=leaking), [])
    answer = dict(section.blocks[1].points)["Answer"]
    assert "says nothing about new patients" in answer
    assert "better than" not in answer


def test_three_limitations_are_named_those_of_performance_first(lr_results):
    anchors = ("selection", "performance", "selection", "concordance", "summary")
    cautions = [Caution(f"Limit {n}", "", anchor) for n, anchor in enumerate(anchors)]
    text = summary_section(lr_results, cautions).blocks[-1].text
    assert "Limit 1; limit 0; limit 2; and 1 more in the sections below." in text


@pytest.mark.parametrize(
    ("low", "high", "value", "expected"),
    [
        (0.01, 0.09, 0.05, "improved it by 0.05 (95% CI 0.01 to 0.09; P = 0.020)."),
        (-0.09, -0.01, -0.05, "made it worse, by −0.05 (95% CI −0.09 to −0.01; P = 0.020)."),
        (-0.01, 0.05, 0.02, "was shown: difference 0.02 (95% CI −0.01 to 0.05; P = 0.020)."),
    ],
)
def test_the_verdict_follows_from_the_interval(lr_results, low, high, value, expected):
    changed = with_difference(lr_results, auroc=value, auroc_low=low, auroc_high=high, p_value=0.02)
    assert expected in added_value_sentences(changed)


@pytest.mark.parametrize(("events", "rows"), [(9, 100), (91, 100), (3, 6)])
def test_of_few_patients_nothing_is_claimed(lr_results, events, rows):
    numbers = {"auroc": 0.9, "auroc_low": 0.6, "auroc_high": 1.0, "p_value": 1e-4}
    text = added_value_sentences(with_difference(lr_results, rows=rows, events=events, **numbers))
    told = f"{events} with and {rows - events} without the outcome are too few to tell what "
    assert text.startswith(f"{told}radiomics adds: difference 0.90 (95% CI 0.60 to 1.00).")
    assert "P " not in text
    assert "improved" not in text


def test_without_an_interval_nothing_is_claimed(lr_results):
    nothing = float("nan")
    changed = with_difference(
        lr_results, auroc=0.2, auroc_low=nothing, auroc_high=nothing, p_value=nothing, method="why"
    )
    text = added_value_sentences(changed)
    assert "0.20 (no interval: why)" in text
    assert "improved" not in text
    added = changed.modelling.added_value
    nested = replace(added, info=added.info | {"part": "nested"})
    folds = replace(changed, modelling=replace(changed.modelling, added_value=nested))
    assert "SD" in added_value_sentences(folds)
    assert "tests nothing" in added_value_sentences(folds)
    assert "in nested cross-validation of the training patients" in arms_sentence(folds)
    kept = replace(nested, info=nested.info | {"search": "fixed"})
    fixed = replace(changed, modelling=replace(changed.modelling, added_value=kept))
    assert "in cross-validation with a fixed search of the training patients" in arms_sentence(
        fixed
    )


def test_the_figures_of_both_are_those_of_the_performance_section(lr_results):
    section = added_value_section(lr_results)
    (table, *_) = [block for block in section.blocks if isinstance(block, Table)]
    both = table.shown.set_index("Fitted to").loc["Clinical and radiomics", "AUROC"]
    (known,) = [
        block
        for block in performance_section(lr_results).blocks
        if isinstance(block, Table) and block.name == "metrics-probabilities"
    ]
    shown = known.shown.set_index("Metric").loc["AUROC", "Logistic regression"]
    assert both.split(" (")[0] == shown.split("\n")[0]


def test_what_cannot_be_compared_is_said(lr_results):
    added = lr_results.modelling.added_value
    gone = replace(added, info={"status": "not_compared", "reason": "the study has no x"})
    changed = replace(lr_results, modelling=replace(lr_results.modelling, added_value=gone))
    assert added_value_section(changed).absent == "Nothing to compare: the study has no x."
    assert added_value_section(replace(lr_results, modelling=None)).absent
    texts = words_of(summary_section(changed, []))
    assert "Added" not in texts


def test_baselines_that_are_not_there_are_not_told(lr_results):
    table = lr_results.modelling.references
    table = table[~table["reference"].isin(["volume", "hu", "bmd"])]
    changed = replace(lr_results, modelling=replace(lr_results.modelling, references=table))
    assert baselines_sentence(changed) == ""
    assert "mean CT number" in baselines_sentence(lr_results)


def test_a_fixed_threshold_of_another_scale_is_warned_of(lr_results):
    config = lr_results.study.config
    fixed = config | {"evaluation": config["evaluation"] | {"threshold_rule": "fixed"}}
    results = replace(lr_results, study=replace(lr_results.study, config=fixed))
    titles = [caution.title for caution in find_cautions(results, None)]
    assert "Fixed threshold beside the risks" not in titles
    evaluation = results.modelling.evaluation
    nobody = evaluation.confusion.assign(tp=0, fp=0, fn=9, tn=18)
    evaluation = replace(evaluation, confusion=nobody)
    changed = replace(results, modelling=replace(results.modelling, evaluation=evaluation))
    (caution,) = [
        each for each in find_cautions(changed, None) if each.title.startswith("Fixed threshold")
    ]
    assert "fixed at 0.50" in caution.text
    assert "Logistic regression (every risk below it)" in caution.text
    # One event of ten above it is beside the risks as well; half of them is not.
    for tp, told in ((0, True), (5, False)):
        most = evaluation.confusion.assign(tp=tp, fn=10 - tp, fp=1, tn=17)
        few = replace(results.modelling, evaluation=replace(evaluation, confusion=most))
        texts = [c.text for c in find_cautions(replace(results, modelling=few), None)]
        assert any("10 of 10 events below it" in text for text in texts) == told
    chosen = replace(changed, study=lr_results.study)
    assert not [c for c in find_cautions(chosen, None) if c.title.startswith("Fixed threshold")]
