"""Remedies of files of regression models, and of what is computed from them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from models import judge
from models.regression.publishing.model_file import model_from, read_model
from models.regression.publishing.nomogram import build_nomogram
from pipeline.reporting.figures.nomogram import nomogram_figure
from tests.models.regression.test_model_file import GOOD, WRONG, changed
from tests.models.regression.test_published import PUBLISHED, rong_example
from tests.pipeline.reporting.figures.test_nomogram import facts
from tests.remedies import Remedy, refused
from tests.remedies.table_doors import quiet, warned

SECTION = "Tables"

#: By bad input: which of `WRONG`, words of the remedy, and the changes that it asks for.
WORDS: dict[str, tuple[str, str, list[tuple[str, object]]]] = {
    "A model's file with a misspelt key": ("key", "perhaps `intercept` is meant", []),
    "A model's file with a text where a number is due": (
        "type", "write 1.0e-5, with a point", [("intercept", yaml.safe_load("1.0e-5"))]),
    "A model with a predictor twice": (
        "twice", "remove one of them",
        [("predictors.1", None), ("covariance", np.diag([1.0, 0.001]).tolist())]),
    "A model with coefficients and points": (
        "mixed", "`points` and `points_per_unit` of a nomogram, of every predictor",
        [("predictors.0.coefficients", None)]),
    "A model without its constant": ("intercept", "write `intercept`", [("intercept", -1.5)]),
    "A model with a coefficient too few": (
        "columns", "levels less one of a factor", [("predictors.1.coefficients", [0.5, 1])]),
    "A model's category with points per unit, or a number with levels": (
        "kind", "remove the key", [("predictors.0.levels", None)]),
    "A model's category with a level twice": (
        "levels", r'such as `levels: \["no", "yes"\]`', [("predictors.1.levels", ["0", "1", "2"])]),
    "A model's spline whose knots do not rise": (
        "knots", "write them as the model's report gives them",
        [("predictors.0.knots", [50, 60, 70]), ("predictors.0.coefficients", [0.03, 0.01]),
         ("covariance", None)]),
    "A model's range from high to low": (
        "range", "write the lowest value under `low`",
        [("predictors.0.low", 30), ("predictors.0.high", 40)]),
    "A scale of points without the points of a level": (
        "points", "such as `points: {no: 0, yes: 20}`",
        [("predictors.1.points", {"no": 0, "yes": 20})]),
    "A model's covariance of another size, or none": (
        "covariance", "copy the whole matrix, or leave it out", [("covariance", None)]),
    "Anchors of a risk axis that fall": (
        "anchors", "read them off the axis again",
        [("anchors", [{"points": 10, "risk": 0.2}, {"points": 20, "risk": 0.5}])]),
}  # fmt: skip


def of_model(bad_input: str) -> Remedy:
    name, remedy, changes = WORDS[bad_input]
    good, at, value, _ = WRONG[name]

    def run_it(_: Path) -> None:
        wrong = changed(good, at, value)
        refused(SECTION, bad_input, lambda: model_from(copy.deepcopy(wrong), "own.yaml"), remedy)
        mended = wrong
        if name == "key":  # the value under the key that is meant
            mended = changed(changed(wrong, at, None), "intercept", value)
        for place, then in changes:
            mended = changed(mended, place, then)
        assert model_from(mended, "own.yaml").terms

    return run_it


#: By bad input: name and content of a file that is none, words of the remedy, and its new name.
FILES = {
    "A model's file that is not there": ("gone.yaml", None, "give the path of the file"),
    "A model's file of another kind": (
        "model.txt", yaml.safe_dump(GOOD), "docs/regression.md shows what such a file looks like"),
    "A model's file that is damaged, or repeats a key": (
        "twice.json", '{"title": 1, "title": 2}', "mend the line that is named"),
}  # fmt: skip


def of_file(bad_input: str) -> Remedy:
    name, content, remedy = FILES[bad_input]

    def run_it(folder: Path) -> None:
        if content is not None:
            (folder / name).write_text(content, encoding="utf-8")
        refused(SECTION, bad_input, lambda: read_model(folder / name), remedy)
        (folder / "good.json").write_text(json.dumps(GOOD), encoding="utf-8")
        assert read_model(folder / "good.json").terms

    return run_it


def nomogram_range(_: Path) -> None:
    def door(model: dict) -> object:
        return build_nomogram(model_from(copy.deepcopy(model), "own.yaml"))

    wrong = changed(GOOD, "predictors.0.low", None)
    refused(SECTION, "A nomogram of a number whose range is not known", lambda: door(wrong),
            "write `low` and `high` into the model's file")  # fmt: skip
    assert door(changed(wrong, "predictors.0.low", 40)).axes


def no_effects(_: Path) -> None:
    def door(model: dict) -> object:
        return build_nomogram(model_from(copy.deepcopy(model), "own.yaml"))

    wrong = changed(changed(GOOD, "predictors.0.coefficients", [0.0]),
                    "predictors.1.coefficients", [0.0, 0.0])  # fmt: skip
    refused(SECTION, "A nomogram of a model without effects", lambda: door(wrong),
            "correct the coefficients of the model's file")  # fmt: skip
    assert door(GOOD).axes


def lost_column(_: Path) -> None:
    model, rows = model_from(copy.deepcopy(GOOD), "own.yaml"), pd.DataFrame({"age": [70.0]})
    refused(SECTION, "A table without a predictor of a given model", lambda: model.risk(rows),
            "add the columns, under the names that the model gives")  # fmt: skip
    assert 0 < model.risk(rows.assign(grade="1"))[0] < 1


def no_anchors(_: Path) -> None:
    model = read_model(PUBLISHED / "rong2025_points.yaml")
    refused(SECTION, "A model of points without two anchors, asked for risks",
            lambda: model.risk(rong_example()),
            "write them as `anchors`; or judge the points alone")  # fmt: skip
    assert model.total_points(rong_example())[0] > 0
    assert 0 < replace(model, anchors=((100, 0.1), (200, 0.5))).risk(rong_example())[0] < 1


def judged_by_itself(folder: Path) -> None:
    rows = pd.concat([rong_example()] * 40, ignore_index=True)
    rows = rows.assign(age=np.arange(50, 90), pain=(np.arange(40) % 3 == 0).astype(int))
    rows.to_csv(folder / "own.csv", index=False)
    file = PUBLISHED / "rong2025_points.yaml"
    given = (folder / "own.csv", "--outcome", "pain", "--resamples", 100, "--model", file)

    def door(*more: str) -> None:
        arguments = [*given, *more, "--out-dir", folder / "judged"]
        judge.main(judge._arguments().parse_args([str(one) for one in arguments]))

    refused(SECTION, "Judge: a model's file beside columns of predictions",
            lambda: door("--scores", "age"), "leave the others out")  # fmt: skip
    door()
    assert len(pd.read_csv(folder / "judged" / "predictions.csv")) == 40


def lacking_signs(_: Path) -> None:
    def drawn(label: str, png: bool = True) -> Callable[[], object]:
        return lambda: nomogram_figure(facts(label=label), "t", png=png)

    said = "nomogram.png: the bundled font lacks signs of the labels"
    warned(drawn("年齢"), said, "print nomogram.svg, or write labels in Latin letters")
    quiet(drawn("年齢", png=False), said)
    quiet(drawn("Age"), said)


REMEDIES: dict[str, Remedy] = {
    "Judge: a model's file beside columns of predictions": judged_by_itself,
    "Regress: labels in signs that the bundled font lacks": lacking_signs,
    **{bad_input: of_model(bad_input) for bad_input in WORDS},
    **{bad_input: of_file(bad_input) for bad_input in FILES},
    "A nomogram of a number whose range is not known": nomogram_range,
    "A nomogram of a model without effects": no_effects,
    "A table without a predictor of a given model": lost_column,
    "A model of points without two anchors, asked for risks": no_anchors,
}
