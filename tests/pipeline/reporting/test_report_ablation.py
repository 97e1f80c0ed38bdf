"""The section on ablation, from tables as the stage writes them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from models.ablate import COLUMNS, SEED_COLUMNS
from pipeline.reporting.blocks import Figure, Folded, Paragraph, Table
from pipeline.reporting.figures.ablation import ablation_figure
from pipeline.reporting.results import Ablation
from pipeline.reporting.sections.prediction.ablation import ablation_section
from pipeline.reporting.words.ablation_words import figure_label, parameters_text, step_label

INFO = {
    "where": "before_selection",
    "search": "fixed",
    "seeds": 3,
    "fits": 12,
    "threshold_source": "each step's own",
    "confidence": 0.9,
    "resamples": 1500,
    "top_features": ["wavelet-LLH_glcm_Idm"],
    "parameters": {},
    "notes": ["A note of all models."],
}
LOST = -0.0512
NUMBERS = {
    "n_features": 4,
    "seeds": 3,
    "auroc": 0.7,
    "auroc_low": 0.6,
    "auroc_high": 0.8,
    "auroc_sd": 0.01,
    "delta": LOST,
    "delta_low": -0.1,
    "delta_high": 0.02,
    "delta_sd": 0.02,
    "brier": 0.2,
    "threshold": 0.25,
    "tp": 11,
    "fp": 12,
    "fn": 13,
    "tn": 14,
    "sensitivity": 11 / 24,
    "specificity": 14 / 26,
}


def table_of(*steps: tuple, model: str = "lr") -> pd.DataFrame:
    """Return an ablation table of (step, kind, removed, options that differ)."""
    rows = []
    for step, kind, removed, changes in steps:
        text = {"model": model, "step": step, "kind": kind, "removed": removed}
        rows.append({**NUMBERS, **text, "same_as": "", "note": "", **changes})
    return pd.DataFrame(rows).reindex(columns=list(COLUMNS)).astype(COLUMNS)


NOT_DONE = dict.fromkeys(NUMBERS, np.nan) | {"note": "not done: there is none"}
FULL = ("full", "full", "", {"delta": 0.0, "delta_low": np.nan, "delta_high": np.nan})
STEPS = (
    FULL,
    ("top-1", "top", "wavelet-LLH_glcm_Idm", {}),
    ("top-2", "top", "wavelet-LLH_glcm_Idm|pfo", {}),
    ("single-1", "single", "wavelet-LLH_glcm_Idm", {"same_as": "top-1"}),
    ("without-clinical", "block", "clinical", NOT_DONE),
    ("without-log", "family", "log", {}),
    ("skip-mrmr", "chain", "mrmr", {"note": "No clinical predictor passed."}),
)


def results_of(tables: dict[str, pd.DataFrame], info: dict = INFO) -> object:
    """Return as much of a study's results as the section reads."""

    class Some(SimpleNamespace):
        def __getitem__(self, option: str) -> object:
            return {
                "unit": "patient",
                "ablation.where": info["where"],
                "mode": "rigorous",
                "split": {"design": "holdout", "declared": None},
                "split.design": "holdout",
            }[option]

    ablations = {}
    for name, table in tables.items():
        seeds = pd.concat(
            table.loc[table["auroc"].notna(), ["model", "step", "auroc", "delta", "brier"]].assign(
                seed=seed
            )
            for seed in range(3)
        )[list(SEED_COLUMNS)]
        ablations[name] = Ablation(table, seeds, info)
    labels = {"lr": "Logistic regression", "rf": "Random forest"}
    models = {name: SimpleNamespace(info={"label": label}) for name, label in labels.items()}
    predictors = [{"column": "pfo", "label": "Posterior fascia oedema"}]
    metrics = [{"model": "lr", "part": "test", "metric": "auroc", "value": 0.556}]
    evaluation = SimpleNamespace(metrics=pd.DataFrame(metrics))
    modelling = SimpleNamespace(ablation=ablations, models=models, info={"predictors": predictors})
    modelling.evaluation = evaluation
    config = {"mode": "rigorous", "split": {"design": "holdout"}}
    return Some(modelling=modelling, study=SimpleNamespace(config=config))


def blocks(results: object, kind: type) -> dict:
    """Return the section's figures or tables by name."""
    found = [block for block in ablation_section(results).all_blocks() if isinstance(block, kind)]
    return {block.name: block for block in found}


def test_steps_are_told_in_words():
    names = {"pfo": "Posterior fascia oedema"}
    rows = {row.step: row for row in table_of(*STEPS).itertuples()}
    assert {name: step_label(row, names) for name, row in rows.items()} == {
        "full": "All input",
        "top-1": "Without the most important feature\n(wavelet-LLH_glcm_Idm)",
        "top-2": "Without the 2 most important features\n(also without Posterior fascia oedema)",
        "single-1": "Without wavelet-LLH_glcm_Idm",
        "without-clinical": "Without all clinical predictors",
        "without-log": "Without LoG features",
        "skip-mrmr": "Without mRMR",
    }
    assert figure_label(rows["single-1"], names) == "without wavelet-LLH glcm\nIdm"
    assert figure_label(rows["without-clinical"], names) == "without clinical predictors"
    assert figure_label(rows["top-2"], names) == "without the 2 most important features"
    short = table_of(("single-4", "single", "", NOT_DONE), ("top-4", "top", "", NOT_DONE))
    assert [step_label(row, names) for row in short.itertuples()] == [
        "Without feature no. 4",
        "Without the 4 most important features",
    ]


def test_the_table_shows_the_confusion_matrix_and_what_repeats():
    shown = blocks(results_of({"lr": table_of(*STEPS)}), Table)["ablation-lr"].shown
    assert list(shown.columns)[:6] == [
        *("Step", "Features", "AUROC", "Change", "SD over\nseeds", "Brier"),
    ]
    assert shown.iloc[1]["Thres-\nhold"] == "0.250"
    assert shown.iloc[1][["TP\nFN", "FP\nTN"]].to_list() == ["11\n13", "12\n14"]
    assert shown.iloc[1]["Sens.\nSpec."] == "0.458\n0.538"
    assert shown["Change"][0] == "–"
    assert shown["Change"][1] == "−0.051\n(−0.100 to 0.020)"
    assert shown["Step"][3].endswith("(signature of: Without the most important feature)")
    # What was not done has no row of dashes, but is told below.
    assert not shown["Step"].str.contains("clinical").any()


def test_remarks_are_told_under_the_table():
    section = ablation_section(results_of({"lr": table_of(*STEPS)}))
    folded = next(block for block in section.blocks if isinstance(block, Folded))
    assert folded.summary == "2 remarks on single steps of Logistic regression"
    assert folded.blocks[0].items == [
        "Without all clinical predictors: not done: there is none",
        "Without mRMR: No clinical predictor passed.",
    ]


def test_captions_state_all_parameters():
    results = results_of({"lr": table_of(*STEPS)})
    how = (
        "How: removed before the selection, parameters of the full model kept, predictions "
        "averaged over 3 seeds, 1,500 resamples of patients; 12 fits in all. Threshold: each "
        "step's own."
    )
    assert parameters_text(INFO) == how
    figure, table = blocks(results, Figure)["ablation-lr"], blocks(results, Table)["ablation-lr"]
    assert figure.caption.endswith(how)
    assert "90% intervals" in figure.caption
    assert "against 0.700 with all input" in figure.caption
    assert "averaged over 3 seeds; the fit that the performance section judges reached 0.556" in (
        figure.caption
    )
    assert table.caption.endswith(how)
    again = INFO | {"search": "reduced", "where": "signature", "seeds": 1, "fits": 1}
    assert parameters_text(again) == (
        "How: removed from the fixed signature, parameters searched again in each step, with fewer "
        "sets, predictions averaged over 1 seed, 1,500 resamples of patients; 1 fit in all. "
        "Threshold: each step's own."
    )


@pytest.mark.parametrize(
    ("where", "words"),
    [("before_selection", "other candidates may replace"), ("signature", "Nothing steps in")],
)
def test_the_introduction_says_where_things_are_removed(where, words):
    section = ablation_section(results_of({"lr": table_of(FULL)}, INFO | {"where": where}))
    first = next(block for block in section.blocks if isinstance(block, Paragraph))
    assert words in first.text


def test_several_models_stand_in_one_table():
    other = [step for step in STEPS if step[0] != "without-log"]
    other.append(("without-radiomics", "block", "radiomics", {"delta": 0.25}))
    tables = {"lr": table_of(*STEPS), "rf": table_of(*other, model="rf")}
    results = results_of(tables)
    table = blocks(results, Table)["ablation-models"]
    # The highest features differ between models; what each could do stands in its place.
    assert list(table.shown["Step"]) == [
        *("All input", "Without all radiomics", "Without LoG features", "Without mRMR"),
    ]
    rows = table.shown.set_index("Step")
    assert rows.loc["Without LoG features", "Random forest"] == "–"
    assert rows.loc["Without all radiomics"].to_list() == ["–", "0.250\n(−0.100 to 0.020)"]
    assert rows.loc["All input", "Logistic regression"] == "0.700\n(0.600 to 0.800)"
    assert "24 fits in all" in table.caption
    assert len(table.raw) == len(tables["lr"]) + len(tables["rf"])
    drawn = blocks(results, Figure)["ablation-models"].svg
    for word in ("Random forest", "without radiomics", "Steps of the procedure"):
        assert f">{word}</text>" in drawn


def test_one_model_has_no_joint_table():
    assert "ablation-models" not in blocks(results_of({"lr": table_of(*STEPS)}), Table)


def test_without_any_step_there_is_no_figure():
    undone = table_of(("full", "full", "", NOT_DONE))
    results = results_of({"lr": undone})
    assert blocks(results, Figure) == {}
    assert len(blocks(results, Table)["ablation-lr"].shown) == 0


def test_the_figure_groups_steps_and_is_the_same_each_time():
    results = results_of({"lr": table_of(*STEPS)})
    figure = blocks(results, Figure)["ablation-lr"]
    assert figure.svg == blocks(results_of({"lr": table_of(*STEPS)}), Figure)["ablation-lr"].svg
    for word in ("Most important features, cumulatively", "Features", "Change (90% interval)"):
        assert f">{word}</text>" in figure.svg
    assert "−0.051 (−0.100 to 0.020)" in figure.svg
    assert "Without LoG features: −0.051" in figure.alt


def test_single_seeds_are_dots_and_repetitions_hollow():
    step = {"group": "A", "step": "x", "label": "x", "n_features": 3, "repeats": False}
    step |= {"delta": -0.1, "delta_low": -0.2, "delta_high": 0.0}
    seeds = pd.DataFrame({"step": ["x"] * 3, "delta": [-0.12, -0.1, -0.08]})

    def drawn(changes: dict, rows: pd.DataFrame) -> str:
        return ablation_figure(
            pd.DataFrame([step | changes]), rows, "a", "95%", "on the held-out patients"
        )

    solid = drawn({}, seeds)
    assert solid.count("<use") == drawn({}, seeds.iloc[:1]).count("<use") + 3
    assert "fill: #ffffff; stroke: #0b6070" in drawn({"repeats": True}, seeds)
    assert "fill: #ffffff; stroke: #0b6070" not in solid
