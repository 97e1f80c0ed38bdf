"""Paired rows and columns of text are confirmed as they were looked at, by a check word."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pandas as pd
import pytest

from intake.clinical.check_words import check_word, pairs_word
from intake.clinical.lines import LEFT_OUT
from intake.handover.people.linkage import Linkage
from pipeline.core.errors import StudyError
from tests.support.clinical_ward import Ward, reasons, values
from tests.support.refusals import refusal

NUMBERS = ["31", "42", "53", "64", "75", "86"]


@pytest.fixture
def ward(tmp_path: Path) -> Ward:
    return Ward(tmp_path)


def test_a_confirmation_holds_for_the_rows_that_were_looked_at_and_no_others(ward):
    """As many rows of other people: the number is the same, the check word is not."""
    table = ward.rows(BMI=NUMBERS)
    looked_at = table.assign(MRN=[None, None, *table["MRN"][2:]])
    word = ward.table(looked_at).to_confirm
    others = table.assign(MRN=[table["MRN"][0], None, None, *table["MRN"][3:]])
    with refusal("pairs-by-name-stale", StudyError) as caught:
        ward.table(others, pairs=word)
    assert caught.value.found == (
        "new or changed: sheet0.csv, row 4; no longer proposed: sheet0.csv, row 2"
    )
    now = re.search(r"--pairs-by-name (2-\w{4})", caught.value.remedy)[1]
    assert now != word
    assert values(ward.table(others, pairs=now), "bmi") == NUMBERS
    one = looked_at.assign(MRN=[table["MRN"][0], None, *table["MRN"][2:]])
    with refusal("pairs-by-name-stale", StudyError, match="no longer proposed: sheet0.csv, row 4"):
        ward.table(one, pairs=now)


def test_a_confirmation_stays_where_rows_are_sorted_and_other_cells_change(ward):
    table = ward.rows(BMI=NUMBERS).drop(columns="MRN")
    word = ward.table(table).to_confirm
    sorted_otherwise = table[::-1].assign(BMI=NUMBERS)
    assert values(ward.table(sorted_otherwise, pairs=word), "bmi") == NUMBERS[::-1]


def test_a_copy_under_another_name_keeps_its_word_and_names_only_the_rows_that_are_others(ward):
    """As a hospital sends the sheet of every month: export_11.csv, export_12.csv."""
    table = ward.rows(BMI=NUMBERS).drop(columns="MRN")
    word = ward.take(ward.write(table[1:], "export_11.csv")).to_confirm
    copied = ward.write(table[1:], "export_12.csv")
    assert len(values(ward.take(copied, pairs=word), "bmi")) == len(NUMBERS) - 1
    with refusal("pairs-by-name-stale", StudyError) as caught:
        ward.take(ward.write(table, "export_01.csv"), pairs=word)
    assert caught.value.found == "new or changed: export_01.csv, row 2"


def test_a_row_that_was_entered_twice_is_confirmed_as_two(ward):
    table = ward.rows(BMI=NUMBERS).drop(columns="MRN")
    word = ward.table(table).to_confirm
    with refusal("pairs-by-name-stale", StudyError, match="new or changed: sheet0.csv, row 8"):
        ward.table(pd.concat([table, table[:1]]), pairs=word)


def test_a_word_that_nobody_printed_confirms_nothing(ward):
    table = ward.rows(BMI=NUMBERS).drop(columns="MRN")
    word = ward.table(table).to_confirm
    wrong = f"{word[:-1]}{'2' if word[-1] != '2' else '3'}"
    for given in (wrong, word.replace("6-", "5-")):
        with refusal("pairs-by-name-unknown", StudyError):
            ward.table(table, pairs=given)
    ward.linkage = Linkage()  # another hospital's, or a new one
    with refusal("pairs-by-name-unknown", StudyError):
        ward.table(table, pairs=word)


def test_a_word_that_nothing_needs_any_more_is_refused(ward):
    table = ward.rows(BMI=NUMBERS)
    word = ward.table(table.drop(columns="MRN")).to_confirm
    with refusal("pairs-by-name-stale", StudyError, match="leave --pairs-by-name out"):
        ward.table(table, pairs=word)
    assert values(ward.table(table), "bmi") == NUMBERS


def test_the_word_says_nothing_of_a_patient_without_the_linkage(ward):
    table = ward.rows(BMI=NUMBERS).drop(columns="MRN")
    proposed = ward.table(table).proposed
    assert len({check_word(proposed, Linkage()) for _ in range(20)}) == 20


@pytest.mark.parametrize(
    "text", ["6", "6-k7f", "0-k7fq", "6-k7fa", "6 k7fq", "k7fq", "-1-k7fq", ""]
)
def test_a_bare_number_or_another_word_confirms_nothing(text):
    with pytest.raises(argparse.ArgumentTypeError, match="such as 3-k7fq"):
        pairs_word(text)
    assert pairs_word(" 12-K7FQ ") == "12-k7fq"


@pytest.mark.parametrize(
    "cells", [[f"grade {n} of the score" for n in range(6)], [f"030 731942{n}" for n in range(6)]]
)
def test_a_column_is_kept_with_the_texts_that_were_looked_at(ward, cells):
    def word_of(made):
        (told,) = (one for one in reasons(made, LEFT_OUT) if "--keep-column" in one)
        return re.search(r"COLUMN=(\w{4})", told)[1]

    table = ward.rows(Note=cells)
    word = word_of(ward.table(table, keep={"Note": ()}))  # named, and not looked at
    assert "note" not in ward.table(table).columns
    assert values(ward.table(table, keep={"note": (word,)}), "note") == cells
    assert values(ward.table(table[::-1], keep={"Note": (word,)}), "note") == cells
    other = table.assign(Note=[f"{cells[0]}9", *cells[1:]])
    with refusal("kept-column-stale", StudyError) as caught:
        ward.table(other, keep={"Note": (word,)})
    assert cells[0] not in str(caught.value)
    now = re.search(r"write (\w{4}) in place of", caught.value.remedy)[1]
    assert now != word
    assert values(ward.table(other, keep={"Note": (now,)}), "note") == [f"{cells[0]}9", *cells[1:]]


def test_columns_of_one_name_in_two_sheets_are_kept_each_with_its_word(ward):
    first = ward.rows(Note=[f"grade {n} of the score" for n in range(6)])
    second = ward.rows(Note=[f"class {n} of the other" for n in range(6)])[["MRN", "Note"]]
    left_out = " ".join(reasons(ward.table(first, second), LEFT_OUT))
    words = tuple(re.findall(r"COLUMN=(\w{4})", left_out))
    assert len(set(words)) == 2
    with refusal("kept-column-stale", StudyError, match=rf"write {words[1]} in place of .*, or as"):
        ward.table(first, second, keep={"Note": words[:1]})
    made = ward.table(first, second, keep={"note": words[:1], "Note ": words[1:]})
    assert [name for name in made.columns if name.startswith("note")] == ["note_1", "note_2"]


def test_a_column_to_keep_that_no_sheet_has_is_refused(ward):
    with refusal("clinical-sheet-column-missing", StudyError, match="--keep-column must be"):
        ward.table(ward.rows(BMI=NUMBERS), keep={"Nota": ()})


def test_the_word_of_another_linkage_is_refused_without_one_that_the_next_intake_forgets(ward):
    table = ward.rows(Note=[f"grade {n} of the score" for n in range(6)])
    with refusal("kept-column-stale", StudyError) as caught:
        ward.table(table, keep={"Note": ("2222",)})
    assert "--keep-column COLUMN without a word" in caught.value.remedy
    assert not re.search(r"write \w{4} in place", caught.value.remedy)
