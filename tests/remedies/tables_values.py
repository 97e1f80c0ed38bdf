"""Remedies of what the values of a small study mean: words, numbers, ids, units, levels."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.tables.values.formula import Formula
from tests.pipeline.tables.test_identifying import CANARY
from tests.pipeline.tables.test_tables_together import in_units
from tests.remedies import Remedy
from tests.remedies.table_doors import quiet, refused, warned
from tests.support.small_tables import DICTIONARY, small_study, small_tables


class Small:
    """A small study of ready tables, which a row spoils and then mends."""

    def __init__(self, folder: Path, readers: str = "A") -> None:
        self.folder = folder
        self.features, self.clinical = small_tables(readers=readers)
        self.dictionary: pd.DataFrame | None = DICTIONARY.copy()
        self.formula, self.options = "pain == '1'", {}

    def study(self):
        given = (self.features, self.clinical, self.dictionary, self.formula)
        return small_study(self.folder, *given, **self.options)

    def events(self) -> int:
        return int(Formula(self.formula).evaluate(self.study().clinical).sum())

    def each(self) -> list[pd.DataFrame]:
        return [*self.features.values(), self.clinical]


def typed(text: str, key: str) -> list[str]:
    """Return the list that a remedy prints, such as of `missing_values`."""
    return [one.strip(" '\"") for one in re.search(rf"{key}: \[(.*?)\]", text)[1].split(",")]


def words(small: Small, places: dict[int, object], named: bool = True) -> None:
    """Give the outcome words (row 0, 3, ... has the event) or numbers, and some other values."""
    pain = small.clinical["pain"]
    pain = (pain.map({1: "Yes", 0: "No"}) if named else pain).astype(object)
    for row, value in places.items():
        pain[row] = value
    small.clinical["pain"], small.dictionary = pain, None
    small.formula = "pain == 'Yes'" if named else "pain == 1"


def tall(small: Small, ratio: float) -> None:
    """Give the clinical table heights, those of four patients in another unit."""
    height = 170.0 + np.arange(60) % 17
    small.clinical["height"] = np.where(
        np.isin(np.arange(60), (0, 5, 10, 15)), height * ratio, height
    )
    if "height" not in set(small.dictionary["column"]):
        row = ["height", "", "continuous", "cm", "", "preoperative", "predictor"]
        small.dictionary.loc[len(small.dictionary)] = row


def relapse(small: Small) -> None:
    small.clinical.loc[10:40, "pain"] = "relapse"
    small.formula = "pain == 'relapse'"


def eligible(small: Small, text: str) -> None:
    words(small, {}, named=False)
    small.clinical["lesion"] = ["metastasis"] * 57 + ["bone metastasis", "possible", "none"]
    small.options["eligibility"] = [{"label": "lesion", "formula": text}]


def missing(small: Small, text: str) -> None:
    small.options["missing_values"] = typed(text, "missing_values")


def formula(small: Small, text: str) -> None:
    small.formula = re.search(r"`(pain in .*?)`", text)[1]


def change(small: Small, places: dict[int, object], column: str = "pain") -> None:
    small.clinical[column] = small.clinical[column].astype(object)
    for row, value in places.items():
        small.clinical.loc[row, column] = value


def set_formula(small: Small, value: str) -> None:
    small.formula = value


SPLIT = {"design": "by_site", "column": "site", "test_sites": ["north"], "folds": 2}


def sites(small: Small) -> None:
    small.clinical["site"] = ["north", "North", "south"] * 20
    small.clinical["pain"] = (np.arange(60) % 5 == 0).astype(int)
    small.dictionary, small.formula = None, "pain == 1"
    small.options["split"] = SPLIT


def one_site(small: Small) -> None:
    small.clinical["site"] = small.clinical["site"].str.lower()


def part(small: Small, value: list[str]) -> None:
    small.clinical["part"] = value
    small.dictionary, small.formula = None, "pain == 1"
    small.options["split"] = {"design": "imported", "column": "part", "folds": 3}


def summary(small: Small) -> None:
    table = small.features["A"].set_index("patient_id")
    table.loc["mean"] = table.mean()
    small.features["A"] = table.reset_index()


def twice(small: Small, other: str) -> None:
    for table in small.each():
        table.loc[5, "patient_id"] = other


def describe(small: Small, *row: str) -> None:
    small.dictionary.loc[len(small.dictionary)] = list(row)


def bmi(small: Small) -> None:
    values = np.random.default_rng(4).normal(27, 4, 60).round(2)
    small.clinical["bmi"] = np.where(np.arange(60) == 40, 191953.03, values)
    small.dictionary["range"] = ""
    describe(small, "bmi", "BMI", "continuous", "kg/m2", "", "preoperative", "predictor", "")


def bounds(small: Small, *cells: str) -> None:
    small.dictionary["range"] = cells


def levels(small: Small, value: str) -> None:
    small.dictionary.loc[1, "levels"] = value


def feature(small: Small, name: str, values: object) -> None:
    small.features["A"][name] = values


def hospitals(small: Small) -> None:
    small.clinical["pain"] = small.clinical["pain"]
    for table in small.features.values():
        table["pain"] = small.clinical["pain"]
    small.features["B"]["patient_id"] = [f"S{number:03d}" for number in range(60)]
    small.clinical = small.dictionary = None
    small.formula = "pain == 1"


def one_table(small: Small) -> None:
    a, b = small.features["A"].assign(site="north"), small.features["B"].assign(site="south")
    small.features = {"A": pd.concat([a, b])}
    small.options["split"] = SPLIT | {"test_sites": ["south"]}


def suspect(small: Small) -> None:
    feature(small, "Survival.time", np.arange(60) * 1.5)


def sheet(column: str, values: object) -> Callable[[Small], None]:
    def spoil(small: Small) -> None:
        small.clinical[column] = values
        describe(small, column, "", "categorical", "", "", "preoperative", "other")

    return spoil


def without(column: str) -> Callable[[Small, str], None]:
    """Remove a column from its table, and its row from the dictionary."""

    def mend(small: Small, text: str) -> None:
        for table in small.each():
            if column in table:
                table.drop(columns=column, inplace=True)
        small.dictionary = small.dictionary[small.dictionary["column"] != column]

    return mend


def renumber(small: Small, values: list[str]) -> None:
    for table in small.each():
        table["patient_id"] = values


NEW_IDS = [f"P{number:03d}" for number in range(1, 61)]
NAMES_OF_PEOPLE = [f"Canaryman{'a' * number}, Synthetica" for number in range(60)]
DATES = [f"1950{month:02d}{day:02d}" for month in range(10, 13) for day in range(10, 30)]

#: By bad input: how it is spoilt, the rule, words of the remedy, and what the remedy makes of it
#: (given the study and the message, from which options are taken as they are printed).
ERRORS = {
    "Words of an outcome or a formula that differ in case, blanks or the kind of a sign only": (
        lambda s: words(s, {0: "YES"}), "One value must have one spelling", ["name every spelling"],
        formula,
    ),
    "A word for `not known` that would count as no event": (
        lambda s: words(s, {1: "unknown"}), "A word that says `not known` must not count",
        [r"`missing_values: \['unknown'\]`"], missing,
    ),
    "`Y` beside `Yes`, one of which is named": (
        lambda s: words(s, {0: "Y"}), "Words of one meaning must count as one",
        ["or name all that are meant"], formula,
    ),
    "`Positive -focal` or `focally positive` beside `Positive`, which alone is named": (
        lambda s: words(s, {1: "Yes -slight"}), "A value that holds a named one must not count",
        ["if that is meant as the named ones are"], formula,
    ),
    "A word of doubt (`ja?`, `V.a. Rezidiv`, `NR`), or an odd number among words, that would count "
    "as no event": (
        lambda s: words(s, {1: "yes?"}), "A word of doubt must not count as no event",
        [r"if it is not known, write `missing_values: \['yes\?'\]`"], missing,
    ),
    "`yes` beside `relapse`, which alone is named": (
        lambda s: (words(s, {}), relapse(s)), "A word for yes must not count as no event",
        ["if it is the contrary, add `and pain != 'Yes'` to the formula"],
        lambda s, text: set_formula(s, s.formula + " " + re.search("add `(.*?)`", text)[1]),
    ),
    "2 beside 0 and 1, of which 1 alone is named": (
        lambda s: words(s, {5: 2}, named=False), "A third number must not count as no event",
        ["if it is an event too, write `pain in"], formula,
    ),
    "A word in an outcome of numbers": (
        lambda s: words(s, {5: "maybe"}, named=False), "A word must not count as",
        [r"`missing_values: \['maybe'\]`"], missing,
    ),
    "A fraction in an outcome of whole numbers": (
        lambda s: words(s, {5: 0.33}, named=False), "Numbers that are compared for equality",
        ["or correct the values"], lambda s, text: change(s, {5: 0}),
    ),
    "9, 99 or -1 in an outcome of 0 and 1": (
        lambda s: words(s, {5: 9}, named=False), "A number that may stand for `not known`",
        ["`missing_values: "], missing,
    ),
    "An outcome compared with values that no row has": (
        lambda s: (words(s, {}), set_formula(s, "pain == 1")),
        "The outcome must be compared with values that the table holds", ["such as pain == 'Yes'"],
        lambda s, text: set_formula(s, "pain == 'Yes'"),
    ),
    "A value of a formula that the table spells otherwise": (
        lambda s: (words(s, {1: "Other"}), set_formula(s, "pain in ('Yes', 'other')")),
        "A value that a formula names must be spelled", ["such as pain == 'Other'"],
        lambda s, text: set_formula(s, "pain in ('Yes', 'Other')"),
    ),
    "A site of the split in two spellings": (
        sites, "A site must have one spelling", ["write each site one way"],
        lambda s, text: one_site(s),
    ),
    "Rows `mean`, `n=92` or `Total` below a table": (
        summary, "Every row must be a patient's or a case's", ["remove these rows"],
        lambda s, text: s.features.update(A=s.features["A"].iloc[:60]),
    ),
    "`P007` and `p007`, `P-007` or `P7` in one table or in two": (
        lambda s: twice(s, "p001"), "Ids must differ by more than case",
        ["different patients need ids that differ otherwise, such as P007 and P107"],
        lambda s, text: twice(s, "P101"),
    ),
    "A number beyond those of a computer (`1e400`, `1e-400`)": (
        lambda s: change(s, {5: "1e-400"}, "age"), "A value of age must be a number",
        ["or write 0"], lambda s, text: change(s, {5: "0"}, "age"),
    ),
    "A range in the dictionary that is none": (
        lambda s: bounds(s, "90|18", "", ""), "A range must be the lowest", [r"such as 10\|80"],
        lambda s, text: bounds(s, "10|95", "", ""),
    ),
    "A range of a column of words": (
        lambda s: bounds(s, "", "0|1", ""), "Only numbers have a range", ["leave the cell blank"],
        lambda s, text: bounds(s, "", "", ""),
    ),
    "A feature called `sex=male` beside a predictor sex": (
        lambda s: (feature(s, "sex=male", np.arange(60) * 0.5),
                   s.options.update(also_features=["sex=*"])),
        "A column must not be called as the models call", [r"`not_features: \['sex=male'\]`"],
        lambda s, text: s.options.update(not_features=typed(text, "not_features")),
    ),
    "A split without held-out patients, or with one outcome in a part": (
        lambda s: part(s, ["train"] * 60), "part of the split must hold patients with",
        ["correct the column of the split"],
        lambda s, text: part(s, ["train"] * 40 + ["test"] * 20),
    ),
    "Levels of the dictionary that differ in case or blanks only": (
        lambda s: levels(s, "female|Female"), "Levels must differ by more than case",
        ["write each level one way, here and in the clinical table"],
        lambda s, text: levels(s, "female|male"),
    ),
    "A clinical table with a column of names, birth dates, hospital numbers, addresses or "
    "telephone numbers": (
        sheet("Name, Vorname", f"{CANARY}, Synthetic"), "must not say who the patients are",
        ["remove the column from the table, and its row from the data dictionary"],
        without("Name, Vorname"),
    ),
    "A clinical table with dates in any notation": (
        sheet("note", "seen on 3. März 2019"), "must not hold dates", ["remove the column"],
        without("note"),
    ),
    "A feature table with a column of names": (
        lambda s: feature(s, "PatientName", CANARY), "must not say who the patients are",
        ["remove the column from the table"], without("PatientName"),
    ),
    "Names of people as ids": (
        lambda s: renumber(s, NAMES_OF_PEOPLE), "Ids must be pseudonyms, not names",
        ["number the patients anew"], lambda s, text: renumber(s, NEW_IDS),
    ),
    "Feature tables whose ids are dates or UIDs": (
        lambda s: renumber(s, DATES), "Ids must be pseudonyms: dates and UIDs",
        ["number the patients anew"], lambda s, text: renumber(s, NEW_IDS),
    ),
    "Levels of the data dictionary that are people or dates": (
        lambda s: levels(s, "Dr. Canarymann|Dr. Canaryfrau"), "must not be names of people",
        [r"code them in both tables, such as A\|B\|C"], lambda s, text: coded(s),
    ),
}  # fmt: skip


def coded(small: Small) -> None:
    levels(small, "A|B")
    small.clinical["sex"] = small.clinical["sex"].map({"female": "A", "male": "B"})


#: The same, of warnings; the remedy's words are among those of the warning.
WARNINGS = {
    "A value of a formula that no row has": (
        lambda s: (words(s, {}), set_formula(s, "pain in ('Yes', 'Severe')")),
        "no row has Severe", "Take it out of the formula",
        lambda s: set_formula(s, "pain in ('Yes',)"),
    ),
    "`after surgery` beside `Yes` and `No`": (
        lambda s: words(s, {1: "after surgery"}), "neither yes nor no", "or in `missing_values`",
        lambda s: s.options.update(missing_values=["after surgery"]),
    ),
    "Eligibility: a value of doubt, or one that holds a named one": (
        lambda s: eligible(s, "lesion == 'metastasis'"), "or say a doubt, count otherwise",
        "name them in the formula",
        lambda s: eligible(s, "lesion in ('metastasis', 'bone metastasis', 'possible')"),
    ),
    "A clinical value far from all others (BMI 191953), or outside the dictionary's `range`": (
        bmi, "is implausible", "Correct it, or name it in `missing_values`",
        lambda s: s.options.update(missing_values=[191953.03]),
    ),
    "A few clinical values in another unit (1.72 among 172, mg among mmol, pounds among "
    "kilograms), or codes such as 99": (
        lambda s: tall(s, 0.01), "perhaps in another unit, since 100 times apart", "Correct it",
        lambda s: tall(s, 1),
    ),
    "A survival time, an age or a stage among the features, or a name unlike all others": (
        suspect, "kept out of the features", "if not, in `not_features`",
        lambda s: s.options.update(not_features=["Survival.time"]),
    ),
}  # fmt: skip


def error(bad_input: str) -> Remedy:
    spoil, rule, remedy, mend = ERRORS[bad_input]

    def run(folder: Path) -> None:
        small = Small(folder)
        spoil(small)
        mend(small, refused(small.study, rule, *remedy))
        assert small.events() >= 10

    return run


def warning(bad_input: str) -> Remedy:
    spoil, said, remedy, mend = WARNINGS[bad_input]

    def run(folder: Path) -> None:
        small = Small(folder)
        spoil(small)
        warned(small.study, said, remedy)
        mend(small)
        quiet(small.study, said)

    return run


def units(folder: Path) -> None:
    small = Small(folder, "AB")
    in_units(small.features, 10.0)
    warned(small.study, "seem to give", "write both readers' tables in one unit")
    small.features["B"]["original_shape_MeshVolume"] *= 1000
    small.features["B"]["original_shape_SurfaceArea"] *= 100
    quiet(small.study, "seem to give")


def two_hospitals(folder: Path) -> None:
    small = Small(folder, "AB")
    hospitals(small)
    refused(small.study, "Some case must be in the tables of all readers",
            "sites: {A: {features", "one table with a column of the site",
            "design: by_site")  # fmt: skip
    one_table(small)
    assert len(small.study().clinical) == 120


def lonely(folder: Path) -> None:
    small = Small(folder, "AB")
    whole = small.features["B"]
    small.features["B"] = whole[:50]
    warned(small.study, "10 cases are not in the table of reader B", "Add their rows")
    small.features["B"] = whole
    quiet(small.study, "are not in the table")


def mixed(folder: Path) -> None:
    """Both are said: the warning before the refusal of a word that says nothing is known."""
    small = Small(folder)
    words(small, {1: "unclear"}, named=False)
    text = warned(lambda: refused(small.study, "`not known` must not count"),
                  "holds numbers and words", "Name those .* in `missing_values`")  # fmt: skip
    assert "unclear" in text
    small.options["missing_values"] = ["unclear"]
    quiet(small.study, "holds numbers and words")


REMEDIES: dict[str, Remedy] = {
    **{bad_input: error(bad_input) for bad_input in ERRORS},
    **{bad_input: warning(bad_input) for bad_input in WARNINGS},
    "Two readers in mm3 and cm3": units,
    "Two hospitals' tables as two readers": two_hospitals,
    "Cases that one reader's table lacks": lonely,
    "Numbers and words in the column of an outcome, and no dictionary": mixed,
}
