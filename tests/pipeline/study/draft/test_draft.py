"""What a column's name and values propose: type, unit, levels, timing, role, codes, questions."""

from __future__ import annotations

import csv

import pandas as pd
import pytest
import yaml

from pipeline.study.config import resolve_config
from pipeline.study.draft.columns import Given, guess
from pipeline.study.draft.configuration import draft_config, study_name
from pipeline.study.draft.questions import (
    Facts,
    as_markdown,
    missing_line,
    missing_values,
    on_screen,
    open_questions,
    outcome_lines,
)
from pipeline.study.draft.times import only_time, timing_of
from pipeline.tables.dictionary import read_dictionary

FACTS = Facts(("A", "B"), 20, 3, True)


def guessed(label: str, cells: list, **told: str):
    values = pd.Series(cells * 4, dtype=object)
    return guess(Given(label.lower().replace(" ", "_"), label, values, **told))


@pytest.mark.parametrize(
    ("label", "cells", "told"),
    [
        ("Age", ["70", "81"], ("continuous", "years", "", "preoperative", "predictor", "18|110")),
        ("Sex", ["male", "female"], ("binary", "", "female|male", "preoperative", "predictor", "")),
        ("VAS Tag 3", ["5", "7"], ("ordinal", "points", "", "postoperative", "outcome", "0|10")),
        ("VAS d3", ["5", "7.5"], ("continuous", "points", "", "postoperative", "outcome", "0|10")),
        ("VAS prä-OP", ["5", "7"], ("ordinal", "points", "", "preoperative", "predictor", "0|10")),
        ("CRP", ["5.1", "7.3"], ("continuous", "", "", "", "other", "")),
        ("CRP preop", ["5.1", "7.3"], ("continuous", "", "", "preoperative", "predictor", "")),
        ("Diabetes", ["ja", "nein"], ("binary", "", "nein|ja", "preoperative", "predictor", "")),
        ("Frakturhöhe", ["T12", "L1", "T9"],
         ("categorical", "", "T9|T12|L1", "preoperative", "predictor", "")),
        ("Zementmenge (ml)", ["3.5", "4"],
         ("continuous", "ml", "", "intraoperative", "predictor", "0|30")),
        ("Anschlussfraktur", ["0", "1"], ("binary", "", "0|1", "postoperative", "outcome", "")),
        ("Genant", ["1", "2", "3"], ("ordinal", "", "", "preoperative", "predictor", "")),
        ("Verweildauer", ["5", "7"], ("continuous", "", "", "postoperative", "other", "")),
        ("Body height", ["1.62", "1.8"], ("continuous", "m", "", "preoperative", "predictor", "")),
        ("AVH", ["14.5", "18"], ("continuous", "", "", "", "other", "")),
        ("EVA J180", ["3", "5"], ("ordinal", "points", "", "postoperative", "outcome", "0|10")),
        ("Douleur préopératoire", ["7", "8"],
         ("ordinal", "points", "", "preoperative", "predictor", "0|10")),
        ("Nouvelle fracture", ["oui", "non"],
         ("binary", "", "non|oui", "postoperative", "outcome", "")),
        ("Group", ["A", "A"], ("categorical", "", "A", "", "other", "")),
    ],
)  # fmt: skip
def test_a_column_is_guessed(label, cells, told):
    made = guessed(label, cells)
    assert (made.type, made.unit, made.levels, made.timing, made.role, made.range) == told
    assert made.reasons


@pytest.mark.parametrize(
    ("text", "timing"),
    [
        ("praeop", "preoperative"), ("vor OP", "preoperative"), ("Baseline VAS", "preoperative"),
        ("day30", "postoperative"), ("1 Woche", "postoperative"), ("follow-up", "postoperative"),
        ("nach der OP", "postoperative"), ("6 Mo", "postoperative"), ("intraop", "intraoperative"),
        ("30 jours", "postoperative"), ("Suivi", "postoperative"), ("pré-op", "preoperative"),
        ("Vorname", None), ("OP", None), ("D12", None), ("T1", None),
        ("prä-OP minus 4 Wochen", None),
    ],
)  # fmt: skip
def test_words_say_the_time(text, timing):
    found = timing_of(text)
    assert (found and found[0]) == timing


def test_a_time_alone_needs_its_heading():
    assert only_time("4 Wochen")
    assert not only_time("ODI 4 Wochen")


@pytest.mark.parametrize(
    ("label", "timing"), [("NRS before", "preoperative"), ("VAS nach", "postoperative")]
)
def test_short_words_say_the_time_beside_a_scale(label, timing):
    assert guessed(label, ["5", "7"]).timing == timing
    assert guessed(label.split()[1], ["5", "7"]).timing == ""


@pytest.mark.parametrize(
    ("context", "timing"),
    [
        ("data collection final v3", ""), ("initial upload", ""), ("Kyphoplastie 2019", ""),
        ("Baseline", "preoperative"), ("Nachsorge 6 Monate", "postoperative"),
    ],
)  # fmt: skip
def test_a_files_name_says_a_time_by_plain_words_alone(context, timing):
    assert guessed("CRP", ["5.1", "7.3"], context=(context,)).timing == timing


def test_the_context_says_the_time_where_the_name_does_not():
    around = ("Labor, Aufnahme", "Nachsorge")  # the nearest decides
    assert guessed("CRP", ["5.1", "7.3"], context=around).timing == "preoperative"
    assert guessed("CRP", ["5.1", "7.3"], context=around[::-1]).timing == "postoperative"
    assert guessed("Sex", ["m", "f"], context=("Verlauf",)).timing == "preoperative"


def test_scans_of_an_unknown_time_are_asked_about():
    for undated in (0, 3):
        (asked,) = [
            one.asks
            for one in open_questions([], Facts(("A",), 20, 0, False, 0, undated))
            if one.topic == "timing of the model"
        ]
        assert ("For 3 scans nothing says" in asked) == (undated == 3)


def test_a_time_that_contradicts_or_is_supposed_is_asked():
    late = guessed("Age", ["70", "71"], context=("Verlauf",))
    nowhere = guessed("BMI", ["27.5", "31"], context=("Register",))
    asked = {one.topic: one for one in open_questions([late, nowhere], FACTS)}
    assert (late.timing, late.role) == ("postoperative", "other")
    assert "age (`verlauf`)" in asked["timing that contradicts"].asks
    (row,) = asked["timing that contradicts"].lines
    assert row.startswith("age,Age,continuous,years,,preoperative,predictor,")
    assert asked["timing that nothing states"].asks.count("bmi") == 1


@pytest.mark.parametrize(
    ("cells", "missing", "unreadable"),
    [
        (["5", "7", "k.A."], ["k.A."], []),
        (["5", "7", "-99"], ["-99"], []),
        (["5", "7", "999"], ["999"], []),
        (["5", "7", "9"], [], []),
        (["5", "7", "6", "n.a.", "<5"], [], ["<5"]),  # n.a. is a blank everywhere
        (["ja", "nein", "?"], ["?"], []),
        (["+", "-"], [], []),
        (["x", "x"], [], []),
    ],
)
def test_words_for_not_known_are_found(cells, missing, unreadable):
    made = guessed("Score", cells)
    assert (list(made.missing), list(made.unreadable)) == (missing, unreadable)


def test_a_code_that_is_a_value_elsewhere_is_asked_about():
    made = [guessed("Score", ["5", "7", "99"]), guessed("Weight", ["70", "99", "81"])]
    assert missing_values(made) == ([], {"score": ["99"]})
    asked = " ".join(one.asks for one in open_questions(made, FACTS))
    assert "score: 99 looks like a code" in asked


def test_a_mark_alone_and_values_outside_the_range_are_asked_about():
    made = [
        guessed("Trauma", ["x", "x"]),
        guessed("Age", ["70", "171"]),
        guessed("ODI", ["10", "30"]),
    ]
    asked = " ".join(one.asks for one in open_questions(made, FACTS))
    assert "does a blank cell mean no?" in asked
    assert "age: 171 outside of 18|110" in asked
    assert "is the scale 0 to 50, or 0 to 100?" in asked


COLUMNS = [
    ("Age", ["70", "81", "k.A."]), ("VAS day3", ["5", "7", "4"]), ("VAS day30", ["5", "3", "?"]),
    ("Refraktur", ["ja", "nein", "nein"]), ("CRP", ["5.1", "7.3", "8"]),
]  # fmt: skip


def test_the_draft_is_a_valid_configuration_and_so_is_each_line_of_its_questions():
    made = [guessed(label, cells) for label, cells in COLUMNS]
    user = yaml.safe_load(draft_config("mine", "study", made, FACTS, "verse"))
    config = resolve_config(user)
    assert config["missing_values"] == ["k.A.", "?"]
    assert config["masks"]["convention"] == "verse"
    lines = [line for one in open_questions(made, FACTS) for line in one.lines
             if one.file == "config.yaml"]  # fmt: skip
    assert len(lines) > 10
    for line in lines:
        assert resolve_config(user | yaml.safe_load(line))
    assert outcome_lines(made)[0].endswith("vas_day3 >= 4 and vas_day30 >= 4}")
    assert missing_line(["it's", "-9"]) == "missing_values: ['it''s', -9]"


def test_what_models_need_comes_first_in_both_lists():
    made = [guessed(label, cells) for label, cells in COLUMNS]
    questions = open_questions(made, FACTS)
    assert [one.topic for one in questions if one.needed] == ["outcome", "readers", "aggregation"]
    text, screen = as_markdown(questions, made, "mine"), on_screen(questions)
    for told in (text, screen):
        order = [told.index(word) for word in ("outcome", "readers", "aggregation", "eligibility")]
        assert order == sorted(order)
    assert "| crp | CRP | continuous |  | other |" in text
    alone = open_questions(made, Facts(("A",), 20, 0, False))
    assert [one.topic for one in alone if one.needed] == ["outcome"]
    assert not any("enrolment" in line for one in alone for line in one.lines)
    late = open_questions(made, Facts(("A",), 20, 0, False, 3))
    assert [one.topic for one in late if one.needed] == ["outcome", "timing of the model"]


def test_a_row_of_a_question_makes_its_column_a_predictor(tmp_path):
    made = [guessed(label, cells) for label, cells in COLUMNS]
    (asked,) = [one for one in open_questions(made, FACTS) if one.topic == "timing of columns"]
    rows = pd.DataFrame([one.row() for one in made])
    rows.loc[len(rows)] = next(csv.reader(asked.lines))
    rows.drop(rows.index[rows["column"] == "crp"][0]).to_csv(tmp_path / "d.csv", index=False)
    crp = read_dictionary(tmp_path / "d.csv").set_index("column").loc["crp"]
    assert (crp["timing"], crp["role"]) == ("preoperative", "predictor")


def test_the_drafted_dictionary_is_read(tmp_path):
    rows = [guessed(label, cells).row() for label, cells in COLUMNS]
    pd.DataFrame(rows).to_csv(tmp_path / "d.csv", index=False)
    assert len(read_dictionary(tmp_path / "d.csv")) == len(COLUMNS)


@pytest.mark.parametrize(("folder", "name"), [("Spine 2026", "spine-2026"), ("store", "mystudy")])
def test_a_study_is_named_after_its_folder(folder, name):
    assert study_name(folder) == name
