"""Remedies of `regress`: what it is asked to fit, and to which rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.regression import analysis
from models.regression.analysis import Options, regress
from models.regression.checking.imputation import imputed_fit
from models.regression.fitting.logistic import fit_logistic
from models.regression.fitting.splines import default_knots
from models.regression.fitting.terms import Term
from models.regression.publishing.calculator import calculator_page
from models.regression.publishing.model import Purpose, model_of
from tests.models.regression.test_published import PUBLISHED
from tests.models.regression.test_regress import NAMED, PREDICTORS, run, table_of
from tests.models.regression.test_statistics import cohort_of
from tests.remedies import Remedy, refused
from tests.support.regression_cohorts import SIMULATED_TERMS, simulated

SECTION = "Tables"


class FittedError(Exception):
    """The command screened and fitted its rows; what follows takes seconds, and refuses nothing."""


def fitted(*arguments: object) -> None:
    """Run the command as far as its bootstrap."""

    def end(*_: object, **__: object) -> None:
        raise FittedError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(analysis, "bootstrap_optimism", end)
        with pytest.raises(FittedError):
            run(*arguments)


def named(*predictors: str) -> tuple[str, ...]:
    return ("--predictors", *predictors)


def split_by(*words: str) -> tuple[str, ...]:
    return ("--validation-rows", *words)


SIXTY, OUTCOME = simulated(60)
PAIRED = {"who": [f"P{at // 2}" for at in range(60)]}
LACKING = {"noise": [*range(30), *[None] * 30], "age": [*[None] * 30, *range(50, 80)]}
SAME = {"noise": SIXTY["age"] * 2 + 1}
APART = {"sign": np.where(OUTCOME == 1, "yes", "no")}
WITHOUT_NOISE = named(*PREDICTORS[:3])
BY_PATIENT = ("--patient", "who", *split_by("part", "validation"))
AGE_KNOTS = ("--splines", "age=4")

#: By bad input ("Regress: " before it): columns that are changed, options behind those that name
#: outcome and predictors, words of the remedy, and both as it asks.
REGRESS: dict[str, tuple[dict, tuple, str, list[tuple[dict, tuple]]]] = {
    "a column that the table does not have": (
        {}, named("age", "nois"), "perhaps `noise` is meant", [({}, named("age", "noise"))],
    ),
    "a predictor named twice": (
        {}, named("age", "age"), "name the columns of the predictors, each once",
        [({}, named("age"))],
    ),
    "the outcome among the predictors": (
        {}, named("age", "pain"), "take it out of the predictors", [({}, named("age"))],
    ),
    "an option for a column that is no predictor": (
        {}, ("--splines", "agee=4"), "perhaps `age` is meant", [({}, AGE_KNOTS)],
    ),
    "a spline of two knots": (
        {}, ("--splines", "age=2"), "such as --splines age=4", [({}, AGE_KNOTS)],
    ),
    "a pair without `=`": (
        {}, ("--splines", "age"), "such as --splines age=4", [({}, AGE_KNOTS)],
    ),
    "a spline of words": (
        {}, ("--splines", "grade=4"), "take it out of --splines", [({}, ())],
    ),
    "a spline of a number that is taken as categories": (
        {"age": [60, 70, 80] * 20}, ("--splines", "age=3", "--factors", "age"),
        "name the predictor under one of the two", [({"age": [60, 70, 80] * 20}, (
            "--factors", "age"))],
    ),
    "a reference that no row has": (
        {}, ("--reference", "grade=9"), "levels: 0-1, 2, 3-4",
        [({}, ("--reference", f"grade={level}")) for level in ("0-1", "2", "3-4")],
    ),
    "a reference of a number": (
        {"age": [60, 70, 80] * 20}, ("--reference", "age=70"),
        "add --factors age, or take the reference out",
        [({"age": [60, 70, 80] * 20}, ("--reference", "age=70", "--factors", "age")), ({}, ())],
    ),
    "a category with a level for nearly each patient": (
        {}, ("--factors", "noise"), "join levels that belong together, or leave the column out",
        [({"noise": np.where(SIXTY["noise"] > 0, 1, 0)}, ("--factors", "noise")),
         ({}, WITHOUT_NOISE)],
    ),
    "a screening that keeps nothing": (
        {}, ("--screen", "1e-12"), "raise the P value, or .* leave --screen out",
        [({}, ("--screen", "0.9")), ({}, ())],
    ),
    "rows for validation without a word": (
        {}, split_by("part"), "such as --validation-rows part validation",
        [({}, split_by("part", "validation"))],
    ),
    "no row, or every row, for validation": (
        {}, split_by("part", "other"), "words of the column: training, validation",
        [({}, split_by("part", "validation"))],
    ),
    "rows parted by a predictor": (
        {}, split_by("sign", "yes"), "name another column, or take it out of the predictors",
        [({}, split_by("part", "validation")),
         ({}, (*named("age", "grade"), *split_by("sign", "yes")))],
    ),
    "a patient in the fit and in the validation": (
        PAIRED | {"part": ["training", "validation"] * 30}, BY_PATIENT,
        "give all rows of a patient the same word",
        [(PAIRED | {"part": ["training"] * 40 + ["validation"] * 20}, BY_PATIENT)],
    ),
    "a predictor with one value": (
        {"noise": 1}, (), "leave it out", [({"noise": 1}, WITHOUT_NOISE)],
    ),
    "every row lacks a predictor": (
        LACKING, (), "leave out the predictor that most rows lack", [(LACKING, WITHOUT_NOISE)],
    ),
    "predictors of which one is a sum of others": (
        SAME, (), "leave such a predictor out", [(SAME, WITHOUT_NOISE)],
    ),
    "separated outcomes, and maximum likelihood asked for": (
        APART, ("--method", "ml"), "take Firth's method \\(`firth`, or `auto`",
        [(APART, ("--method", "firth")), (APART, ("--method", "auto"))],
    ),
}  # fmt: skip


def of_table(bad_input: str) -> Remedy:
    columns, options, remedy, mended = REGRESS[bad_input]

    def run_it(folder: Path) -> None:
        def door(columns: dict, options: tuple) -> None:
            path = table_of(folder, 60, **columns)
            fitted(path, *NAMED, *options, "--out", folder / "out")

        refused(SECTION, f"Regress: {bad_input}", lambda: door(columns, options), remedy)
        for good, then in mended:
            door(good, then)

    return run_it


# --- the command line ---

LI = ("--model", PUBLISHED / "li2021.yaml")
BOTH = ("--validation", "{table}", *split_by("part", "validation"))

#: By bad input: arguments, words of the remedy, and the arguments as it asks ("{table}": the path).
COMMANDS: dict[str, tuple[tuple, str, list[tuple]]] = {
    "a table without its outcome": (
        ("{table}", *named("age")), "add --outcome and the column's name",
        [("{table}", *named("age"), "--outcome", "had")],
    ),
    "neither predictors nor a model": (
        named("age"), "name TABLE, --outcome and --predictors; or --model FILE",
        [("{table}", "--outcome", "had", *named("age"))],  # the model: the next row
    ),
    "predictors beside a model that is given": (
        (*LI, *named("age")), "leave these options out", [LI],
    ),
    "validation named twice": (
        ("{table}", *NAMED, *BOTH), "leave one of the two out",
        [("{table}", *NAMED, *BOTH[:2]), ("{table}", *NAMED, *BOTH[2:])],
    ),
}  # fmt: skip


def of_command(bad_input: str) -> Remedy:
    arguments, remedy, mended = COMMANDS[bad_input]

    def run_it(folder: Path) -> None:
        path = table_of(folder, 60, had=OUTCOME.astype(int))
        fill = lambda given: [path if one == "{table}" else one for one in given]  # noqa: E731
        out = ("--out", folder / "out")
        refused(SECTION, f"Regress: {bad_input}", lambda: run(*fill(arguments), *out), remedy)
        for good in mended:
            if good == LI:
                run(*LI, *out)
                assert (folder / "out" / "calculator.html").exists()
            else:
                fitted(*fill(good), "--out", folder / "fitted")

    return run_it


def other_files(folder: Path) -> None:
    path = table_of(folder, 60)
    (folder / "out").mkdir()
    (folder / "out" / "thesis.txt").write_text("mine")
    refused(SECTION, "Regress: a folder with other files for the results",
            lambda: fitted(path, *NAMED, "--out", folder / "out"),
            "name another folder: --out")  # fmt: skip
    fitted(path, *NAMED, "--out", folder / "other")


def unknown_level(folder: Path) -> None:
    (folder / "new").mkdir()
    path = table_of(folder, 60)

    def door(levels: list[str]) -> None:
        other = table_of(folder / "new", 60, grade=levels * 30)
        fitted(path, *NAMED, "--validation", other, "--out", folder / "out")

    refused(SECTION, "Regress: a level that the model does not know, in other rows",
            lambda: door(["0-1", "3-44"]), "perhaps `3-4` is meant")  # fmt: skip
    door(["0-1", "3-4"])


HEADER = ["column", "label", "type", "unit", "levels", "timing", "role"]
AGE = ["age", "Age", "continuous", "years", "", "preoperative", "predictor"]
SIGN = ["sign", "Sign", "binary", "", "no|yes", "postoperative", "predictor"]


def described(folder: Path, rows: list[list[str]], *options: str) -> None:
    pd.DataFrame(rows, columns=HEADER).to_csv(folder / "dictionary.csv", index=False)
    given = (*NAMED[:4], *(options or named("age", "sign")))
    path = table_of(folder, 60)
    fitted(path, *given, "--dictionary", folder / "dictionary.csv", "--out", folder / "out")


def undescribed(folder: Path) -> None:
    refused(SECTION, "Regress: a predictor that the dictionary does not describe",
            lambda: described(folder, [AGE]), "add a row for it")  # fmt: skip
    described(folder, [AGE, SIGN])


def later_values(folder: Path) -> None:
    both, early = named("age", "sign"), ("--moment", "preoperative")
    refused(SECTION, "Regress: a model called preoperative that needs later values",
            lambda: described(folder, [AGE, SIGN], *both, *early),
            "leave the predictor out, or say --moment postoperative")  # fmt: skip
    described(folder, [AGE, SIGN], *named("age"), *early)
    described(folder, [AGE, SIGN], *both, "--moment", "postoperative")


def later_by_title(_: Path) -> None:
    fit = fit_logistic(SIXTY, OUTCOME, SIMULATED_TERMS[:1])
    model = model_of(fit, "Risk before surgery", Purpose("pain"))
    refused(SECTION, "Regress: the same by a word in its title", lambda: calculator_page(model),
            "say when it can be used \\(`--moment`\\), or take the word out")  # fmt: skip
    assert calculator_page(replace(model, title="Risk"))
    assert calculator_page(replace(model, purpose=Purpose("pain", moment="preoperative")))


def separated_tables(_: Path) -> None:
    """Every patient of the rare level 3-4 has the outcome: joined with 2, no level says it."""
    rows = SIXTY.assign(grade=np.where(np.arange(60) % 3 == 0, "0-1", "2"))
    rows.loc[rows.index[OUTCOME == 1][:4], "grade"] = "3-4"
    levels = ("0-1", "2", "3-4")
    terms = (Term("age", "continuous"), Term("grade", "factor", levels=levels))
    refused(SECTION, "Regress: imputed tables that a predictor separates",
            lambda: imputed_fit(rows, OUTCOME, terms, number=2),
            "leave --impute out, or join rare levels")  # fmt: skip
    assert fit_logistic(rows, OUTCOME, terms).method  # as without --impute
    joined = rows.assign(grade=rows["grade"].replace("3-4", "2"))
    two = (terms[0], Term("grade", "factor", levels=levels[:2]))
    assert len(imputed_fit(joined, OUTCOME, two, number=2)) == 3


def noise(_: Path) -> None:
    rng = np.random.default_rng(8)
    rows = pd.DataFrame({f"x{at}": rng.normal(size=60) for at in range(12)})
    outcome = (np.arange(60) % 3 == 0).astype(float)
    rng.shuffle(outcome)
    terms = tuple(Term(name, "continuous") for name in rows)

    def door(mode: str) -> object:
        options = Options(mode=mode, resamples=100)
        return regress(cohort_of(rows, outcome, terms), "t", Purpose("y"), options)

    refused(SECTION, "Regress: no predictive value is left after correction",
            lambda: door("rigorous"), "`--mode as_published` prints what a paper")  # fmt: skip
    assert door("as_published").rigorous is None


def few_values(_: Path) -> None:
    values = np.repeat([1.0, 2, 3, 4, 5, 6], 10)
    refused(SECTION, "Regress: too few distinct values for a spline",
            lambda: default_knots(values, 5), "ask for fewer knots")  # fmt: skip
    assert len(default_knots(values, 3)) == 3


def equal_values(_: Path) -> None:
    values = np.r_[np.arange(1, 11), np.full(180, 50), np.arange(60, 70)].astype(float)
    refused(SECTION, "Regress: most values are equal, so that knots are",
            lambda: default_knots(values, 3), "take the predictor as linear or as cat")  # fmt: skip
    outcome = (np.arange(len(values)) % 3 == 0).astype(float)
    assert fit_logistic(pd.DataFrame({"x": values}), outcome, [Term("x", "continuous")])


REMEDIES: dict[str, Remedy] = {
    **{f"Regress: {bad_input}": of_table(bad_input) for bad_input in REGRESS},
    **{f"Regress: {bad_input}": of_command(bad_input) for bad_input in COMMANDS},
    "Regress: a folder with other files for the results": other_files,
    "Regress: a level that the model does not know, in other rows": unknown_level,
    "Regress: a predictor that the dictionary does not describe": undescribed,
    "Regress: a model called preoperative that needs later values": later_values,
    "Regress: the same by a word in its title": later_by_title,
    "Regress: imputed tables that a predictor separates": separated_tables,
    "Regress: no predictive value is left after correction": noise,
    "Regress: too few distinct values for a spline": few_values,
    "Regress: most values are equal, so that knots are": equal_values,
}
