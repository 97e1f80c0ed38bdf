"""Words and numbers that decide an outcome: each is told, and doubtful ones are refused."""

from __future__ import annotations

import logging
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.judge import _arguments, read_predictions
from pipeline.core.errors import StudyError
from pipeline.core.written import spellings
from pipeline.core.written.spellings import (
    means_unknown,
    plain_word,
    spelled_twice,
    spelling_of,
    typed_alike,
)
from pipeline.study.config import resolve_config
from pipeline.tables.values import counted_words
from pipeline.tables.values.counted_words import Advice
from pipeline.tables.values.doubtful_words import is_doubtful
from pipeline.tables.values.formula import Formula
from pipeline.tables.values.formula_values import check_sites
from pipeline.validate import validate_study
from tests.support.refusals import refusal
from tests.support.small_tables import DICTIONARY, small_config, small_study, small_tables


def typed_by_hand(**spoilt: str) -> pd.DataFrame:
    """Return a clinical table with an outcome in words, some of them spoilt: {word: place}."""
    _, clinical = small_tables()
    words = clinical["pain"].map({1: "Yes", 0: "No"}).astype(object)
    for place, word in spoilt.items():
        words[int(place.removeprefix("at"))] = word
    return clinical.assign(pain=words)


def told(tmp_path, clinical, formula="pain == 'Yes'", **options) -> StudyError:
    features, _ = small_tables()
    with pytest.raises(StudyError) as caught:
        small_study(tmp_path, features, clinical, None, formula, **options)
    return caught.value


# Rows 0, 3, 6, ... say Yes.
@pytest.mark.parametrize("other", ["yes", "YES", "Y es", "Ｙes", "Ye\u200bs", "Y\u00a0es"])
def test_values_that_differ_in_spelling_only_are_refused(tmp_path, other):
    error = told(tmp_path, typed_by_hand(at0=other))
    assert error.rule.startswith("One value must have one spelling in the column pain")
    assert "'Yes' 19 (event)" in error.found
    assert " 1 (no event)" in error.found
    # The remedy as it is printed: every spelling named.
    formula = re.search(r"`(pain in .*?)`", error.remedy)[1]
    features, _ = small_tables()
    study = small_study(tmp_path, features, typed_by_hand(at0=other), None, formula)
    assert Formula(formula).evaluate(study.clinical).sum() == 20


def test_no_in_two_spellings_is_refused_too(tmp_path):
    error = told(tmp_path, typed_by_hand(at1="NO"))
    assert error.rule.startswith("One value must have one spelling")
    assert error.remedy == "write each value one way in the table"


@pytest.mark.parametrize("word", ["unknown", "?", "-", "Lost to follow-up", "k. A.", "n/d", "TBD"])
def test_a_word_for_not_known_is_no_outcome(tmp_path, word):
    if word == "n/d":
        word = "N.D."
    error = told(tmp_path, typed_by_hand(at1=word, at2=word))
    assert error.rule == (
        "A word that says `not known` must not count as no event: the column pain"
    )
    assert f"'{word}' 2 (no event)" in error.found
    written = re.search(r"missing_values: \[(.*)\]", error.remedy)[1]
    features, _ = small_tables()
    missing = [written.strip("'")]
    study = small_study(
        tmp_path, features, typed_by_hand(at1=word, at2=word), None, "pain == 'Yes'",
        missing_values=missing,
    )  # fmt: skip
    assert study.clinical["pain"].isna().sum() == 2
    # Or whoever names the word knows what it is.
    small_study(
        tmp_path, features, typed_by_hand(at1=word), None, f"pain == 'Yes' and pain != '{word}'"
    )


def test_a_missing_word_counts_even_as_a_level_and_in_any_spelling(tmp_path):
    features, clinical = small_tables()
    clinical["pain"] = clinical["pain"].astype(object)
    clinical.loc[[1, 2], "pain"] = "unknown", "Unknown "
    clinical["age"] = clinical["age"].astype(object)
    clinical.loc[4, "age"] = "999.0"
    dictionary = DICTIONARY.replace({"levels": {"0|1": "0|1|unknown"}})
    dictionary.loc[2, "type"] = "categorical"
    with refusal("value-not-a-level", StudyError):
        small_study(tmp_path, features, clinical, dictionary)
    clinical.loc[2, "pain"] = "unknown"
    with refusal("word-for-unknown-counts", StudyError, match="must not count as no event"):
        small_study(tmp_path, features, clinical, dictionary)
    study = small_study(tmp_path, features, clinical, dictionary, missing_values=["UNKNOWN", 999])
    assert study.clinical["pain"].isna().sum() == 2
    assert study.clinical["age"].isna().sum() == 1


def test_two_words_for_yes_must_count_alike(tmp_path):
    error = told(tmp_path, typed_by_hand(at0="Y"))
    assert error.rule == "Words of one meaning must count as one: the column pain"
    features, _ = small_tables()
    formula = re.search(r"`(pain in .*?)`", error.remedy)[1]
    study = small_study(tmp_path, features, typed_by_hand(at0="Y"), None, formula)
    assert Formula(formula).evaluate(study.clinical).sum() == 20


def test_a_word_in_a_column_that_is_compared_with_numbers(tmp_path):
    features, clinical = small_tables()
    clinical["pain"] = clinical["pain"].astype(object)
    clinical.loc[5, "pain"] = "maybe"
    with refusal(
        "word-among-numbers", StudyError, match="A word must not count as no event in a column"
    ) as caught:
        small_study(tmp_path, features, clinical, None, "pain == 1")
    assert "missing_values: ['maybe']" in caught.value.remedy
    study = small_study(tmp_path, features, clinical, None, "pain == 1", missing_values=["maybe"])
    assert study.clinical["pain"].isna().sum() == 1


@pytest.mark.parametrize(("number", "code", "rule"), [
    (0.33, "number-not-whole", ""),
    (9, "number-for-unknown-counts", "must not count as a value of pain"),
    (-1, "number-for-unknown-counts", "must not count as a value of pain"),
])  # fmt: skip
def test_numbers_outside_an_outcomes_own(tmp_path, number, code, rule):
    features, clinical = small_tables()
    clinical["pain"] = clinical["pain"].astype(float)
    clinical.loc[5, "pain"] = number
    with refusal(code, StudyError, match=rule) as caught:
        small_study(tmp_path, features, clinical, None, "pain == 1")
    assert f"'{number}' 1 (no event)" in caught.value.found
    study = small_study(tmp_path, features, clinical, None, "pain == 1", missing_values=[number])
    assert study.clinical["pain"].isna().sum() == 1


def test_grades_and_scores_are_no_codes(tmp_path):
    features, clinical = small_tables()
    clinical["pain"] = np.arange(60) % 11
    small_study(tmp_path, features, clinical, None, "pain == 9 or pain == 10")
    clinical["pain"] = (np.arange(60) % 11) / 2
    small_study(tmp_path, features, clinical, None, "pain == 2 or pain == 4.5")


def test_every_value_is_told_with_its_count_and_meaning(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    features, clinical = small_tables()
    clinical["site"] = ["north"] * 20 + ["south"] * 20 + ["east"] * 20
    clinical["clinic"] = clinical["site"]
    clinical["pain"] = clinical["pain"].map({1: "Yes", 0: "No"}).astype(object)
    clinical.loc[1, "pain"] = None
    small_study(
        tmp_path, features, clinical, None, "pain == 'Yes'",
        eligibility=[{"label": "adults", "formula": "age >= 51 and clinic != 'west'"}],
        split={"design": "by_site", "column": "site", "test_sites": ["south"], "folds": 2},
    )  # fmt: skip
    assert "outcome pain, `pain == 'Yes'`: 20 event, 39 no event, 1 unknown" in caplog.text
    assert "column pain: 'No' 39 (no event), 'Yes' 20 (event), (blank) 1 (unknown)" in caplog.text
    assert "eligibility adults" in caplog.text
    assert "no row has west in the column clinic (values: east, north, south)" in caplog.text
    assert "split by column site: 'east' 20 (train)" in caplog.text
    assert re.search(
        r"units in the study, as the tables say: \d+ \(\d+ with the outcome", caplog.text
    )


DOUBTS = [
    *("ja?", "V.a. Rezidiv", "v. a. Metastase", "NR", "n.e.", "probable", "9", "probably not"),
    *("U", "N/Y", "entf.", "NSP", "\u00e0 confirmer", "en cours", "\u5f85\u5b9a", "don't know"),
    *("suspected", "n/a yet", "not yet reached", "eher nein", "Nein?", "m\u00f6glich", "+/-", "2"),
    *(
        "noch nicht beurteilbar",
        "peut-\u00eatre",
        "sospetto",
        "\u7591\u4f3c",
        "\u0432\u043e\u0437\u043c\u043e\u0436\u043d\u043e",
    ),
]


@pytest.mark.parametrize("word", DOUBTS)
def test_a_word_of_doubt_is_no_outcome_until_it_is_named(word):
    values = ["Yes"] * 5 + ["No"] * 5 + [word]
    (problem,) = _told(values, ["Yes"])
    assert problem.rule == "A word of doubt must not count as no event: the column pain"
    assert problem.found == f"'{word}' 1 (no event)"
    assert not _told(values, ["Yes", word])
    assert not _told(values, ["Yes"], decides=False)


@pytest.mark.parametrize(
    ("word", "rule"),
    [
        ("(+)", "Words of one meaning"),
        ("fraglich", "A word that says `not known`"),
        ("?", "A word"),
    ],
)
@pytest.mark.parametrize("named", ["Yes", "+"])
def test_a_doubt_is_refused_once(word, rule, named):
    (problem,) = _told([named] * 5 + ["No"] * 5 + [word], [named])
    assert problem.rule.startswith(rule)


@pytest.mark.parametrize("word", [
    *("none", "kein", "general", "wild type", "NED", "dead of other cause", "unilateral"),
    *("ohne Befund", "asymptomatic", "L1", "unver\u00e4ndert", "Vancouver", "censored", "local"),
])  # fmt: skip
def test_a_plain_word_is_no_doubt(word):
    assert not is_doubtful(word)
    assert not _told(["Yes"] * 5 + ["No"] * 5 + [word], ["Yes"])


@pytest.mark.parametrize("way", [
    ("event", "in "), ("no event", "add `"), ("unknown", "missing_values: "),
])  # fmt: skip
def test_each_remedy_of_a_doubt_works(tmp_path, way):
    clinical = typed_by_hand(at1="Yes?", at2="suspected")
    error = told(tmp_path, clinical)
    assert error.rule == "A word of doubt must not count as no event: the column pain"
    features, _ = small_tables()
    meant, formula, options = way[0], "pain == 'Yes'", {}
    if meant == "event":
        formula = re.search(r"write `(pain in .*?)`", error.remedy)[1]
    elif meant == "no event":
        formula += " " + re.search(r"add `(.*?)`", error.remedy)[1]
    else:
        written = re.search(r"missing_values: \[(.*?)\]", error.remedy)[1]
        options["missing_values"] = [each.strip(" '") for each in written.split(",")]
    study = small_study(tmp_path, features, clinical, None, formula, **options)
    truth = Formula(formula).evaluate(study.clinical)
    assert (truth.sum(), truth.isna().sum()) == {
        "event": (22, 0), "no event": (20, 0), "unknown": (20, 2),
    }[meant]  # fmt: skip


def test_a_yes_that_nobody_named_is_no_non_event():
    (problem,) = _told(["relapse"] * 5 + ["none"] * 5 + ["yes"], ["relapse"])
    assert problem.rule == "A word for yes must not count as no event: the column pain"
    assert not _told(["No"] * 5 + ["Yes"] * 5, ["No"])
    assert not _told(["C"] * 5 + ["T"] * 5, ["C"])
    assert not _told(["4a"] * 5 + ["1", "2", "3"], ["4a"])
    assert _told(["relapse"] * 5 + ["none", "9"], ["relapse"])


@pytest.mark.parametrize("word", ["Yes -slight", "yes (after surgery)", "mostly yes"])
def test_a_value_that_holds_a_named_one_is_refused(tmp_path, word):
    error = told(tmp_path, typed_by_hand(at1=word, at2="Yesterday"))
    assert error.rule == "A value that holds a named one must not count otherwise: the column pain"
    assert error.found == f"'{word}' 1 (no event)"
    features, _ = small_tables()
    formula = re.search(r"`(pain in .*?)`", error.remedy)[1]
    small_study(tmp_path, features, typed_by_hand(at1=word), None, formula)


@pytest.mark.parametrize(
    "word", ["no recurrence", "kein Recurrence", "recurrence-free", "others", "tumour"]
)
def test_a_denied_word_is_its_contrary(word):
    assert not _told(["recurrence"] * 5 + [word] * 5, ["recurrence"])
    assert _told(["recurrence"] * 5 + [word] * 5 + ["local recurrence"], ["recurrence"])


def test_a_third_answer_is_warned_of(tmp_path, caplog):
    features, _ = small_tables()
    clinical = typed_by_hand(at1="after surgery", at2="no pain at all")
    small_study(tmp_path, features, clinical, None, "pain == 'Yes'")
    assert "neither yes nor no count as unnamed ones do: after surgery. If" in caplog.text
    caplog.clear()
    small_study(tmp_path, features, clinical, None, "pain in ('Yes', 'after surgery')")
    clinical["pain"] = clinical["pain"].replace({"Yes": "C", "No": "T"})
    small_study(tmp_path, features, clinical, None, "pain == 'C'")
    assert "neither" not in caplog.text


@pytest.mark.parametrize("values", [
    ["2"] * 20 + ["1"] * 40 + ["3"], ["1"] * 20 + ["2"] * 40 + ["0"],
    ["1"] * 20 + ["2"] * 40 + ["3"],
])  # fmt: skip
def test_a_third_number_beside_1_and_2_is_refused_where_it_is_rare(values):
    (problem,) = _told(values, [int(values[0])])
    assert problem.rule.startswith("A third number must not count as no event beside")
    assert not _told(["1", "2", "3"] * 20, [1])
    assert not _told(values, [int(values[0])], declared=True)


def test_eligibility_warns_of_doubts(tmp_path, caplog):
    features, clinical = small_tables()
    clinical["lesion"] = ["metastasis"] * 56 + ["other", "bone metastasis", "possible", "none"]
    eligibility = [{"label": "l", "formula": "lesion == 'metastasis'"}]
    small_study(tmp_path, features, clinical, None, "pain == 1", eligibility=eligibility)
    told = "values that hold a named one, or say a doubt, count otherwise: bone metastasis, possibl"
    assert told in caplog.text


@pytest.mark.parametrize("number", [2, 3])
def test_a_third_number_beside_0_and_1_is_refused_until_it_is_named(tmp_path, number):
    features, clinical = small_tables()
    clinical.loc[[1, 2], "pain"] = number
    with refusal(
        "number-besides-coding", StudyError, match="A third number must not count as no event"
    ) as caught:
        small_study(tmp_path, features, clinical, None, "pain == 1")
    assert f"'{number}' 2 (no event)" in caught.value.found
    formula = re.search(r"write `(pain in .*?)`", caught.value.remedy)[1]
    study = small_study(tmp_path, features, clinical, None, formula)
    assert Formula(formula).evaluate(study.clinical).sum() == 22
    more = re.search(r"add `(.*?)`", caught.value.remedy)[1]
    small_study(tmp_path, features, clinical, None, f"pain == 1 {more}")
    small_study(tmp_path, features, clinical, None, "pain == 1", missing_values=[number])
    small_study(tmp_path, features, clinical, None, "pain == 0")
    small_study(tmp_path, features, clinical, None, "pain >= 1")
    dictionary = DICTIONARY.replace({"levels": {"0|1": f"0|1|{number}"}})
    for kind in ("categorical", "ordinal"):
        dictionary.loc[2, "type"] = kind
        small_study(tmp_path, features, clinical, dictionary, "pain == 1")


@pytest.mark.parametrize("code", [99, -99, 999, 88])
def test_a_code_is_no_grade(tmp_path, code):
    features, clinical = small_tables()
    clinical["pain"] = np.arange(60) % 11
    clinical.loc[5, "pain"] = code
    for formula in ("pain >= 4", "pain == 9 or pain == 10"):
        with refusal("number-for-unknown-counts", StudyError) as caught:
            small_study(tmp_path, features, clinical, None, formula)
        assert f"missing_values: [{code}]" in caught.value.remedy
    small_study(tmp_path, features, clinical, None, "pain >= 4", missing_values=[code])
    clinical["pain"] = clinical["pain"] * 5
    clinical.loc[5, "pain"] = 99
    small_study(tmp_path, features, clinical, None, "pain >= 20")


@pytest.mark.parametrize("cell", [("TRUE", "FALSE"), ("true", "false"), ("True", "FALSE")])
@pytest.mark.parametrize("formula", ["pain == 'TRUE'", "pain != 'false'"])
def test_truth_is_truth_however_it_is_written(tmp_path, cell, formula):
    features, clinical = small_tables()
    clinical["pain"] = clinical["pain"].map({1: cell[0], 0: cell[1]})
    study = small_study(tmp_path, features, clinical, None, formula)
    assert Formula(formula).evaluate(study.clinical).sum() == 20
    dictionary = DICTIONARY.replace({"levels": {"0|1": "false|true"}})
    study = small_study(tmp_path, features, clinical, dictionary, formula)
    assert set(study.clinical["pain"]) == {"true", "false"}


@pytest.mark.parametrize("formula", ["pain == 1", "pain == 'Yes'"])
def test_an_outcome_that_no_row_can_have_lists_the_values(tmp_path, formula):
    features, clinical = small_tables()
    clinical["pain"] = clinical["pain"].map({1: "TRUE", 0: "FALSE"})
    with refusal("formula-value-absent", StudyError) as caught:
        small_study(tmp_path, features, clinical, None, formula)
    assert "holds FALSE, TRUE" in caught.value.found


def test_one_of_two_named_values_is_spelled_otherwise(tmp_path):
    error = told(tmp_path, typed_by_hand(at1="Other"), "pain in ('Yes', 'other')")
    assert error.rule == "A value that a formula names must be spelled as the table spells it"
    assert "such as pain == 'Other'" in error.remedy


def test_readers_tables_may_write_one_number_in_two_ways(tmp_path):
    features, clinical = small_tables(readers="AB")
    features["A"]["Target"] = clinical["pain"]
    features["B"]["Target"] = clinical["pain"].map("{:.2f}".format)
    study = small_study(tmp_path, features, formula="Target == 1")
    assert study.clinical["Target"].sum() == 20
    features["B"]["Target"] = clinical["pain"].map("{:.1f}".format).str.replace(".", ",")
    assert small_study(tmp_path, features, formula="Target == 1").clinical["Target"].sum() == 20
    features["A"]["Target"] = clinical["pain"] == 1
    features["B"]["Target"] = (clinical["pain"] == 1).astype(str).str.upper()
    study = small_study(tmp_path, features, formula="Target == 'TRUE'")
    assert (study.clinical["Target"] == "TRUE").sum() == 20
    features["B"].loc[3, "Target"] = "FALSE"
    with refusal("clinical-rows-disagree", StudyError, match="must have the same Target") as caught:
        small_study(tmp_path, features, formula="Target == 'TRUE'")
    assert caught.value.found == "P004 (TRUE and FALSE)"


def test_rows_of_one_patient_may_write_one_number_in_two_ways(tmp_path):
    features, clinical = small_tables()
    first = features["A"].assign(grade=clinical["pain"] + 0.5)
    second = first.assign(grade=first["grade"].map("{:.2f}".format))
    table = pd.concat([first, second], ignore_index=True)
    study = small_study(tmp_path, {"A": table}, formula="grade > 1", aggregation="mean")
    assert len(study.clinical) == 60


def test_a_site_in_two_spellings_is_refused(tmp_path):
    features, clinical = small_tables()
    clinical["site"] = ["north", "North", "south"] * 20
    split = {"design": "by_site", "column": "site", "test_sites": ["north"], "folds": 2}
    with refusal("site-spelled-alike", StudyError) as caught:
        small_study(tmp_path, features, clinical, None, "pain == 1", split=split)
    assert caught.value.found == "`North` and `north`"
    check_sites("site", pd.Series(["north", "south", None]))


def predictions(tmp_path, **spoilt):
    table = typed_by_hand(**spoilt)
    table["risk"] = np.linspace(0.1, 0.9, len(table))
    table.to_csv(tmp_path / "p.csv", index=False)
    return tmp_path / "p.csv"


def test_judge_has_the_same_guard_and_its_remedies_work(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    path = predictions(tmp_path, at0="yes", at3="Y", at1="unknown", at2="NO", at4="-")
    with pytest.raises(StudyError) as caught:
        read_predictions(path, "pain", ["risk"], event="Yes")
    text = str(caught.value)
    assert text.count("One value must have one spelling") == 2
    assert "--missing - unknown" in text
    assert "'No' 37 (no event)" in text
    line = [str(path), "--outcome", "pain", "--probabilities", "risk", "--out-dir", "x"]
    line += ["--event", "Yes", "yes", "Y", "--no-event", "No", "NO", "--missing", "-", "unknown"]
    typed = _arguments().parse_args(line)
    rows, left_out = read_predictions(
        path, "pain", ["risk"], event=typed.event, other=typed.no_event, missing=typed.missing
    )
    assert (len(rows), rows["outcome"].sum(), left_out) == (58, 20, 2)
    assert "'Yes' 18 (event)" in caplog.text


def test_judge_names_words_that_are_neither(tmp_path):
    path = predictions(tmp_path, at1="maybe")
    with refusal("outcome-word-unnamed", StudyError) as caught:
        read_predictions(path, "pain", ["risk"], event="Yes", other=["No"])
    assert caught.value.found == "maybe"
    with refusal("outcome-word-both-ways", StudyError):
        read_predictions(path, "pain", ["risk"], event=["Yes"], other=["Yes", "No", "maybe"])


def test_judge_refuses_summaries_and_ids_in_two_spellings(tmp_path):
    path = predictions(tmp_path)
    table = pd.read_csv(path)
    below = pd.DataFrame({"patient_id": ["mean"], "pain": ["No"], "risk": [0.5]})
    pd.concat([table, below]).to_csv(path, index=False)
    for patient in (None, "patient_id"):
        with refusal("row-of-no-patient", StudyError):
            read_predictions(path, "pain", ["risk"], event="Yes", patient=patient)
    table.loc[1, "patient_id"] = "p001"
    table.to_csv(path, index=False)
    with refusal("ids-spelled-alike", StudyError) as caught:
        read_predictions(path, "pain", ["risk"], event="Yes", patient="patient_id")
    assert "P001 and p001" in caught.value.found


@given(st.lists(st.text(min_size=1, max_size=6), max_size=8))
def test_groups_of_spellings_hold_words_of_one_meaning(words):
    groups = spelled_twice(words)
    for group in groups:
        assert len(group) == len(set(group)) > 1
        assert len({plain_word(each) for each in group}) == 1
    assert len({plain_word(group[0]) for group in groups}) == len(groups)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8))
def test_numbers_keep_their_value_in_one_spelling(numbers):
    texts = [form(each) for each in numbers for form in (repr, "{:.3f}".format)]
    alike = typed_alike(pd.Series(texts, dtype=object))
    assert [float(each) for each in alike] == [float(each) for each in texts]
    assert alike.nunique() == len({float(each) for each in texts})


def test_codes_with_leading_zeros_stay_apart():
    values = pd.Series(["007", "7", "7.0", None, "x"], dtype=object)
    assert typed_alike(values).tolist() == ["007", "7", "7", None, "x"]
    assert spelling_of("1", ["1", "1.0"]) == "1"
    assert spelling_of("1.00", ["1", "1.0"]) == "1.00"
    assert not means_unknown("known")


def test_a_published_table_of_true_and_false_is_taken_as_it_is(testdata, tmp_path, caplog):
    """The R package dcurves: no word of its columns is doubtful."""
    table = pd.read_csv(testdata / "dcurves" / "benchmark_data" / "df_binary.csv", dtype=str)
    table["original_firstorder_Mean"] = table["marker"]
    (tmp_path / "f.csv").write_text(table.to_csv(index=False))
    given = {"study": "s", "results": str(tmp_path), "features": {"A": str(tmp_path / "f.csv")}}
    given |= {"columns": {"patient_id": "patientid"}, "not_features": ["*risk*", "marker"]}
    given["outcome"] = {"name": "cancer", "formula": "cancer == 'TRUE' and famhistory in (0, 1)"}
    study = validate_study(resolve_config(given))
    assert (study.clinical["cancer"] == "TRUE").sum() == (table["cancer"] == "TRUE").sum()
    assert "count otherwise" not in caplog.text


def test_config_refuses_other_things_as_missing(tmp_path):
    features, clinical = small_tables()
    with refusal("option-value-invalid", StudyError, match="missing_values"):
        small_config(tmp_path, features, clinical, None, "pain == 1", missing_values="unknown")


def _told(words, named, **options):
    values = pd.Series(words)
    return counted_words.word_problems(
        *(values, values.isin(named), named),
        **{"column": "pain", "where": "a formula", "advice": Advice(str, str, str)},
        words={True: "event", False: "no event", None: "unknown"},
        **options,
    )


@pytest.mark.parametrize("other", ["Pos", "positiv", "(pos)"])
def test_a_point_or_brackets_make_no_other_word(other):
    (problem,) = _told(["pos."] * 5 + ["neg."] * 5 + [other], ["pos."])
    assert other in str(problem)
    assert not _told(["pos."] * 5 + ["neg."] * 5 + [other], ["pos.", other])


def test_minus_beside_plus_is_an_answer_and_not_a_blank():
    assert not _told(["+", "-", "+", "-"], ["+"])
    assert _told(["x1", "-", "x1", "x2"], ["x1"])


@pytest.mark.parametrize("word", ["N.A", "keine Daten", "nicht beurteilbar", "entfällt"])
def test_more_words_for_not_known(word):
    assert spellings.means_unknown(word)


def test_several_codes_beside_zero_and_one_are_refused():
    (problem,) = _told(["0"] * 9 + ["1"] * 9 + ["77", "99", "-99"], [1])
    assert "77" in str(problem)
