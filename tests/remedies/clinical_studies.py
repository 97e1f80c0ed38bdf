"""Remedies of clinical studies (models, scales, events, readings): rows of Configuration."""

from __future__ import annotations

import functools
from pathlib import Path

import pandas as pd

from models.regression.fitting.interactions import check_pairs
from pipeline.study.config import resolve_config
from pipeline.study.flow.enough import check_patients_named
from pipeline.tables.clinical.derived_columns import with_derived
from pipeline.tables.clinical.joined_readings import with_joined
from tests.models.test_oversampled_split import CONFIG
from tests.pipeline.test_describe_course import REFUSED, other
from tests.remedies import Remedy, refused
from tests.support.clinical_study import COURSE, clinical_study, with_course, write_clinical
from tests.support.stages import course_of

SECTION = "Configuration"

#: By bad input: options that are refused, what the remedy says, and the options as it asks.
OPTIONS: dict[str, list[tuple[dict, str, list[dict]]]] = {
    "Images or features beside `clinical_only: true`": [
        ({"features": {"A": "a.csv"}}, "remove `clinical_only`, or features",
         [{}, {"features": {"A": "a.csv"}, "clinical_only": False}]),
    ],
    "Models of clinical predictors alone without their tables or an outcome": [
        ({key: None}, "`vertebromics new NAME` writes templates", [{}])
        for key in ("clinical", "dictionary", "outcome")
    ],
    "`mode: as_published` of models of clinical predictors alone": [
        ({"mode": "as_published", "evaluation": {"threshold_rule": "fixed"}},
         "write `mode: rigorous`", [{"mode": "rigorous"}]),
    ],
    "Oversampling before the split, in a study that does not oversample": [
        ({"oversampling": "none"}, "write `oversampling: smote`",
         [{"oversampling": "smote"},
          {"oversampling": "none", "oversampled_split": {"models": []}}]),
    ],
}  # fmt: skip

#: By bad input: its name in `REFUSED`, what the remedy says, and the options as it asks.
OF_COURSE: dict[str, tuple[str, str, dict]] = {
    "A scale of a study whose range falls": (
        "a range that falls", "a scale needs label, unit, range and columns", {},
    ),
    "A scale of a study whose bands end early": (
        "bands that end early", "a scale needs label, unit, range and columns", {},
    ),
    "Adjacent fractures of a study without its levels": (
        "an event of levels that are not named", "treated, new: new_fractures", {},
    ),
    "Scales, events or levels name no column of the dictionary": (
        "a column that is not there", "perhaps `fracture` is meant",
        other(events=[COURSE["outcomes"]["events"][0] | {"event": "fracture"}]),
    ),
    "A scale or an event is a column of words": (
        "a scale of words", "give it the type continuous, ordinal, or binary", {},
    ),
    "Vertebral levels in a column of numbers": (
        "levels that are numbers", "give it the type categorical, without levels", {},
    ),
    "`readings` names a column that is not there": (
        "a reading that is not there", "perhaps `hu_3` is meant", {},
    ),
    "A mean of readings is a column already": (
        "a mean that is there", "or the entry from `readings`", {},
    ),
    "A single reading is a predictor, too": (
        "a reading that is a predictor", "give bmi the role `other` in the data dictionary", {},
    ),
    "A reading that the dictionary does not call continuous": (
        "a reading of words", "give treated a row of the type continuous", {},
    ),
}  # fmt: skip


def options(name: str, folder: Path) -> None:
    for bad, remedy, mended in OPTIONS[name]:
        refused(SECTION, name, lambda bad=bad: resolve_config(CONFIG | bad), remedy)
        for good in mended:
            resolve_config(CONFIG | good)


def of_course(name: str, folder: Path) -> None:
    with_course(write_clinical(folder), folder)
    which, remedy, good = OF_COURSE[name]
    bad = REFUSED[which][0]
    refused(SECTION, name, lambda: clinical_study(folder, **(COURSE | bad)), remedy)
    assert course_of(clinical_study(folder, **(COURSE | good)))[0]


def interaction(folder: Path) -> None:
    name = "An interaction of a regression that is not of two of its predictors"
    names, where = ["age", "bmi"], "config key regression.interactions"
    for pair, remedy in ((["age", "bim"], "perhaps `bmi` is meant"), (["age", "age"], "age, bmi")):
        refused(SECTION, name, lambda pair=pair: check_pairs([pair], names, where), remedy)
    check_pairs([["age", "bmi"]], names, where)


def unknown_patient(folder: Path) -> None:
    name = "Cases of a clinical table alone whose patient is not known"
    members = pd.DataFrame({"patient_id": ["P1", None], "unit_id": ["c1", "c2"]})
    refused(SECTION, name, lambda: check_patients_named(members), "add the column patient_id")
    check_patients_named(members.assign(patient_id=["P1", "P2"]))


def tied_readings(folder: Path) -> None:
    name = "Readings of a grade or of yes and no tie, and no rule is given"
    rows = [{"column": one, "type": "ordinal", "levels": None, "role": "other"} for one in "mab"]
    given = (pd.DataFrame({"a": ["1"], "b": ["2"]}), {"m": ["a", "b"]}, pd.DataFrame(rows), "x.csv")
    refused(SECTION, name, lambda: with_joined(*given), "write `reading_ties: {m: higher}`")
    assert list(with_joined(*given, {"m": "higher"})["m"]) == ["2.0"]


def consensus(name: str, wrong: dict, right: dict, remedy: str, kind: str = "ordinal") -> Remedy:
    """Return the entry of a consensus: cells of its column ``c``, or the option, or types."""

    def of(told: dict) -> pd.DataFrame:
        kinds = dict.fromkeys("mabc", kind) | told.get("types", {})
        rows = [{"column": one, "type": each, "levels": None, "role": "other"}
                for one, each in kinds.items()]  # fmt: skip
        sheet = pd.DataFrame(
            {"patient_id": ["P1"], "a": ["1"], "b": ["2"], "c": told.get("c", "2")}
        )
        given = (sheet, told.get("readings", {"m": ["a", "b"]}), pd.DataFrame(rows), "x.csv")
        return with_joined(*given, {"m": "higher"}, told.get("consensus", {"m": "c"}))

    def entry(_: Path) -> None:
        refused(SECTION, name, lambda: of(wrong), remedy)
        assert list(of(right)["m"]) == ["2.0"]

    return entry


def derived(name: str, wrong: tuple[dict, str], right: tuple[dict, str], remedy: str) -> Remedy:
    """Return the entry of a derived column: formulas and what the dictionary says of ``y``."""

    def of(formulas: dict, kind: str) -> pd.DataFrame:
        rows = [{"column": "x", "type": "continuous", "levels": None, "unit": ""}]
        if kind:
            levels = "no|yes" if kind == "binary" else None
            rows.append({"column": "y", "type": kind, "levels": levels, "unit": ""})
        return with_derived(pd.DataFrame({"x": [1.0, 2.0]}), formulas, pd.DataFrame(rows))

    def entry(_: Path) -> None:
        refused(SECTION, name, lambda: of(*wrong), remedy)
        of(*right)

    return entry


DERIVED = {
    "A derived column is in the table already": (
        ({"x": "x + 1"}, "continuous"), ({}, "continuous"), "or the entry from `derived`",
    ),
    "A derived column is not in the dictionary": (
        ({"y": "x + 1"}, ""), ({"y": "x + 1"}, "continuous"), "add a row with its type",
    ),
    "A derived column of another type than its formula works out": (
        ({"y": "x > 1"}, "continuous"), ({"y": "x > 1"}, "binary"), "or binary with the levels",
    ),
}  # fmt: skip

REMEDIES: dict[str, Remedy] = {
    **{name: derived(name, *each) for name, each in DERIVED.items()},
    "Readings of a grade or of yes and no tie, and no rule is given": tied_readings,
    **{
        name: consensus(name, *given)
        for name, *given in (
            (
                "Readings differ, and the consensus that decides is blank",
                {"c": None},
                {},
                "write the value into c",
            ),
            (
                "A consensus of a column that is not made of readings",
                {"consensus": {"n": "c"}},
                {},
                "name the readings by `readings: {n: ...|perhaps `m` is meant",
            ),
            (
                "A consensus that is one of the readings",
                {"consensus": {"m": "b"}},
                {},
                "name another column",
            ),
            (
                "A consensus of numbers",
                {"types": dict.fromkeys("mabc", "continuous")},
                {},
                "the type ordinal",
            ),
        )
    },
    **{name: functools.partial(options, name) for name in OPTIONS},
    **{name: functools.partial(of_course, name) for name in OF_COURSE},
    "Cases of a clinical table alone whose patient is not known": unknown_patient,
    "An interaction of a regression that is not of two of its predictors": interaction,
}
