"""Figures: the same bytes each time, text as text, ids of their own, every series drawn."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from pipeline.comparison.agreement.bland_altman import bland_altman
from pipeline.comparison.agreement.feature_families import describe_families
from pipeline.reporting.figures import importance as figures_importance
from pipeline.reporting.figures import models as figures_models
from pipeline.reporting.figures import readers as figures_readers
from pipeline.reporting.figures import selection as figures_selection
from pipeline.reporting.figures.drawing import figure, grid_shape, model_style, to_svg

LABELS = {"lr": "Logistic regression", "tabnet": "TabNet", "own": "Own model"}
MODELS = list(LABELS)


def random(seed: int = 3) -> np.random.Generator:
    return np.random.default_rng(seed)


def agreement(pairs: int = 1, cases: int = 30) -> pd.DataFrame:
    draw = random()
    rows = []
    for pair in range(pairs):
        rows.append(
            pd.DataFrame(
                {
                    "reader_a": "A",
                    "reader_b": f"reader {pair}",
                    "dice": draw.beta(40, 3, cases),
                    "surface_dice": draw.beta(30, 3, cases),
                    "hausdorff95_mm": draw.gamma(4, 0.5, cases),
                    "mean_surface_distance_mm": draw.gamma(2, 0.2, cases),
                    "volume_a_ml": draw.normal(30, 5, cases),
                    "volume_b_ml": draw.normal(30, 5, cases),
                    "volume_difference_percent": draw.normal(0, 6, cases),
                }
            )
        )
    return pd.concat(rows, ignore_index=True)


def reproducibility() -> pd.DataFrame:
    draw = random()
    types = np.repeat(["original", "wavelet-LLH", "log-sigma-1-0-mm-3D"], 40)
    ccc = draw.beta(6, 1.5, len(types))
    ccc[0], ccc[1] = np.nan, -0.4
    return pd.DataFrame({"image_type": types, "feature_class": "glcm", "ccc": ccc})


def families() -> pd.DataFrame:
    """Return the families of `reproducibility`, their deviation falling with the overlap."""
    described = reproducibility().assign(icc=0.8, ccc_within=0.7)
    described["feature"] = [f"f{number}" for number in range(len(described))]
    draw = random()
    dice = pd.Series(draw.beta(40, 3, 30))
    moved = draw.gamma(1, 0.1, (30, len(described))) + (1 - dice.to_numpy())[:, np.newaxis]
    deviation = pd.DataFrame(moved, columns=described["feature"])
    return describe_families(described, deviation, dice, 0.85)


def limits(table: pd.DataFrame) -> dict:
    groups = table.groupby(["reader_a", "reader_b"])
    return {
        pair: (bland_altman(rows["volume_a_ml"], rows["volume_b_ml"]),) * 2 for pair, rows in groups
    }


def confusion() -> pd.DataFrame:
    rows = [[model, 25, 1, 5, 225, 0.31] for model in MODELS]
    return pd.DataFrame(rows, columns=["model", "tp", "fp", "fn", "tn", "threshold"])


def per_model(columns: dict[str, np.ndarray]) -> pd.DataFrame:
    return pd.concat([pd.DataFrame({"model": model, **columns}) for model in MODELS])


def decision() -> pd.DataFrame:
    t = np.linspace(0.01, 0.95, 40)
    curves = dict.fromkeys(MODELS, 0.3 - 0.3 * t)
    curves |= {"all": 0.3 - 0.7 * t / (1 - t), "none": 0 * t}
    return pd.concat(
        pd.DataFrame(
            {"model": model, "threshold": t, "net_benefit": benefit}
            | {"low": benefit - 0.05, "high": np.nan if model == "none" else benefit + 0.05}
        )
        for model, benefit in curves.items()
    )


def forest(missing: bool = False) -> str:
    rows = pd.DataFrame(
        {
            "label": ["All input", "Without all radiomics"],
            "value": [0.81, 0.66],
            "low": [0.7, np.nan if missing else 0.5],
            "high": [0.9, np.nan if missing else 0.8],
        }
    )
    return figures_models.forest_figure(rows, "forest", "AUROC", 0.5, ["#000000", "#0b6070"])


def importance() -> dict[str, pd.DataFrame]:
    table = pd.DataFrame(
        {
            "feature": ["gradient_glcm_Id", "Age"],
            "block": ["radiomics", "clinical"],
            "importance": [0.7, -0.01],
            "permutation": [0.6, 0.4],
            "shap": [np.nan, np.nan],
        }
    )
    return dict.fromkeys(MODELS, table)


def stability() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "feature": ["gradient_glcm_Id", "Age"],
            "block": ["radiomics", "clinical"],
            "selected": [True, False],
            "0": [True, True],
            "1": [False, True],
        }
    )


unit = np.linspace(0, 1, 20)
bins = {
    "predicted": np.array([0.1, 0.5]),
    "observed": np.array([0.2, 0.4]),
    "low": np.array([0.1, 0.2]),
    "high": np.array([0.3, 0.6]),
    "n": np.array([20, 20]),
}
FIGURES = {
    "agreement": (lambda: figures_readers.agreement_figure(agreement()), ["Dice", "Hausdorff"]),
    "agreement of three": (
        lambda: figures_readers.agreement_figure(agreement(pairs=3)),
        ["A and reader 2"],
    ),
    "concordance": (
        lambda: figures_readers.concordance_figure(
            reproducibility(), figures_readers.of_column(families(), "image_type"), 0.85
        ),
        ["original", "wavelet-LLH", "log-sigma-1-0-mm-3D", "of 40 reach it"],
    ),
    "bland-altman": (
        lambda: figures_readers.bland_altman_figure(agreement(pairs=2), limits(agreement(pairs=2))),
        ["reader 0 − A, ml", "reader 1 − A, % of the mean"],
    ),
    "bland-altman of one case": (
        lambda: figures_readers.bland_altman_figure(agreement(cases=1), limits(agreement(cases=1))),
        ["Mean volume of A and reader 0, ml"],
    ),
    "families": (
        lambda: figures_readers.families_figure(families()),
        ["wavelet-LLH", "glcm", "all", "%"],
    ),
    "overlap": (
        lambda: figures_readers.overlap_figure(families()),
        ["By image type", "By feature class", "glcm"],
    ),
    "funnel": (
        lambda: figures_selection.funnel_figure(
            [
                {"label": "Candidates", "radiomics": 1223, "clinical": 12},
                {"label": "CCC >= 0.85", "radiomics": 940, "clinical": None},
            ]
        ),
        ["1,223", "940", "CCC ≥ 0.85"],
    ),
    "stability": (
        lambda: figures_selection.stability_figure(stability()),
        ["gradient_glcm_Id", "fold 1", "fold 2"],
    ),
    "importance": (
        lambda: figures_importance.importance_figure(importance(), LABELS),
        ["TabNet", "Age"],
    ),
    "forest": (forest, ["Without all radiomics", "0.810 (0.700 to 0.900)"]),
    "forest without interval": (lambda: forest(missing=True), ["0.660"]),
    "roc": (
        lambda: figures_models.roc_figure(
            per_model({"fpr": unit, "tpr": unit**0.5}), dict.fromkeys(MODELS, 0.667), LABELS
        ),
        ["Own model", "0.667"],
    ),
    "calibration": (
        lambda: figures_models.calibration_figure(
            per_model(bins),
            per_model({"predicted": unit, "observed": unit, "low": unit - 0.1, "high": unit + 0.1}),
            LABELS,
        ),
        ["Logistic regression", "Predicted risk"],
    ),
    "decision": (
        lambda: figures_models.decision_figure(decision(), LABELS, "lr"),
        ["treat all", "Own model"],
    ),
    "confusion": (
        lambda: figures_models.confusion_figure(confusion(), LABELS),
        ["225", "83%", "threshold 0.310"],
    ),
}


def texts(svg: str) -> str:
    return " ".join(" ".join(node.itertext()) for node in ElementTree.fromstring(svg).iter())


@pytest.mark.parametrize("name", FIGURES)
def test_figure_is_the_same_bytes_and_says_what_it_shows(name):
    draw, expected = FIGURES[name]
    svg = draw()
    assert draw() == svg
    for text in expected:
        assert text in texts(svg)
    assert svg.startswith("<svg ")
    assert "<metadata" not in svg
    assert not re.search(r"20\d\d-\d\d-\d\d", svg)


@pytest.mark.parametrize("name", FIGURES)
def test_references_of_a_figure_stay_inside_it(name):
    svg = FIGURES[name][0]()
    ids = re.findall(r'\bid="([^"]+)"', svg)
    assert len(ids) == len(set(ids))
    targets = set(re.findall(r'href="#([^"]+)"', svg)) | set(re.findall(r"url\(#([^)]+)\)", svg))
    assert targets <= set(ids)


def test_ids_of_two_figures_differ():
    with figure(2, 2) as (drawing, axes):
        axes[0].plot([0, 1])
        first, second = (
            set(re.findall(r'\bid="([^"]+)"', to_svg(drawing, name))) for name in ("one", "two")
        )
    assert first
    assert not first & second


def test_styles_keep_models_apart():
    styles = [model_style(name, [*LABELS, "another"]) for name in [*LABELS, "another"]]
    assert len({style["color"] for style in styles}) == 4
    # A model keeps its look whichever others a study trains.
    assert model_style("lr", ["lr"]) == styles[0]


@pytest.mark.parametrize(("panels", "shape"), [(1, (1, 1)), (5, (2, 3)), (13, (3, 5)), (4, (2, 2))])
def test_grids_leave_few_cells_empty(panels, shape):
    assert grid_shape(panels, 5 if panels == 13 else 3) == shape


def test_families_are_listed_least_stable_first():
    table = figures_readers.of_column(families(), "image_type")
    assert table["features"].sum() == 120
    assert table["stable"].sum() == (reproducibility()["ccc"] >= 0.85).sum()
    assert table["stable_share"].is_monotonic_increasing


def test_constant_agreement_is_drawn():
    table = agreement().assign(dice=1.0, hausdorff95_mm=0.0, surface_dice=np.nan)
    assert "Dice" in texts(figures_readers.agreement_figure(table))
