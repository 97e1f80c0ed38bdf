"""Remedies of ready feature tables, of data dictionaries and of clinical tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.gather import check_cases, gather_ready
from pipeline.study.new_study import write_templates
from pipeline.tables.clinical.clinical_table import read_clinical
from pipeline.tables.dictionary import allowed_predictors, read_dictionary
from tests.pipeline.study.test_new_study import feature_table
from tests.pipeline.tables.test_dictionary import CLINICAL, HEADER, ROWS
from tests.pipeline.tables.test_public_tables import NAMES, drawn, joined, target
from tests.remedies import Remedy
from tests.remedies.table_doors import quiet, refused, warned


def table(**columns: object) -> pd.DataFrame:
    """Return a ready table of 30 patients with its outcome; columns may be added or replaced."""
    made, outcome = drawn(30)
    made.insert(0, "patient_id", [f"P{number}" for number in range(30)])
    return made.assign(**{"Target": outcome.astype(int)} | columns)


def regions() -> pd.DataFrame:
    return pd.concat([table(roi=1), table(roi=2)], ignore_index=True)


def readers() -> pd.DataFrame:
    return pd.concat([table(who="R1"), table(who="R2")], ignore_index=True)


PATIENT, NO_PATIENT = {"patient_id": "pid"}, table().rename(columns={"patient_id": "pid"})
BY_READER = {"columns": {"reader": "who"}, "model_reader": "R1"}
DAYS = "days_from_surgery"
SIGNS = ["p 1", "p.1", *(f"Q{number}" for number in range(28))]

#: By bad input: the tables by reader, options, rule, words of the remedy, then tables and options
#: as the remedy makes them (None: as before).
READY = {
    "A ready feature table without the column of the patient": (
        {"A": NO_PATIENT}, {}, "A feature table must have the column case_id or patient_id",
        "`columns: {patient_id: pid}`", None, {"columns": PATIENT},
    ),
    "A row per region, and nothing tells them apart": (
        {"A": regions()}, {}, "A feature table must have one row per",
        r"`columns: {case_id: \[<patient>, <region>\]}`",
        None, {"columns": {"case_id": ["patient_id", "roi"]}, "aggregation": "mean"},
    ),
    "A reader whom a table of several readers does not name": (
        {"A": readers(), "R2": readers()}, BY_READER | {"model_reader": "R2"},
        "A table of several readers must have rows of each", "name the readers as the table does",
        {"R1": readers(), "R2": readers()}, BY_READER,
    ),
    "Two columns for one id": (
        {"A": table(ID=range(30))}, {"columns": {"patient_id": "ID"}},
        "A table must have one column for", "remove columns.patient_id", None,
        {"not_features": ["ID"]},
    ),
    "An id of several columns, one of which is missing": (
        {"A": regions()}, {"columns": {"case_id": ["patient_id", "rio"]}, "aggregation": "mean"},
        "Every column that makes up case_id", "perhaps `roi` is meant",
        None, {"columns": {"case_id": ["patient_id", "roi"]}, "aggregation": "mean"},
    ),
    "An outcome in no table": (
        {"A": table()}, target("Traget == 1"), "A column that the configuration names must be",
        "perhaps `Target` is meant", None, target("Target == 1"),
    ),
    "Rows of one patient with different outcomes": (
        {"A": table(), "B": table(Target=np.arange(30) % 2)}, {"model_reader": "A"},
        "Rows of one patient must have the same Target", "", {"A": table(), "B": table()},
        {"model_reader": "A"},
    ),
    "The outcome under another name among the features": (
        {"A": table(grade=table()["Target"] * 2 + 1.5)}, {"also_features": ["grade"]},
        "A feature must not be the outcome itself", r"`not_features: \[grade\]`",
        None, {"not_features": ["grade"]},
    ),
    "Ids that differ in signs only": (
        {"A": table(patient_id=SIGNS)}, {}, "must stay different without their signs",
        "write ids of letters, digits", {"A": table()}, {},
    ),
    "Ready tables without the id of the unit": (
        {"A": table()}, {"unit": "case"}, "must have the column case_id, since `unit` is case",
        "or set `unit` accordingly|`columns: ", None, {"unit": "patient"},
    ),
    "A feature with '|' in its name": (
        {"A": table(**{"glcm|Idm": 1.5})}, {}, "A feature's name must not hold",
        r"`not_features: \['\*\|\*'\]`", None, {"not_features": ["*|*"]},
    ),
    "A word among the numbers of a feature": (
        {"A": table(**{NAMES[1]: ["high", *range(29)]})}, {}, "A feature must be a number",
        "not_features", None, {"not_features": [NAMES[1]]},
    ),
    "Words, or a number with a unit, in a column with a name of PyRadiomics": (
        {"A": table(**{NAMES[2]: "31.2 cm3"})}, {}, "A feature must be a number",
        "or leave the column out, `not_features: ", None, {"not_features": [NAMES[2]]},
    ),
    "A ready feature table without a number": (
        {"A": table()[["patient_id", "Target"]].assign(f1=["low", "high"] * 15)}, {},
        "A feature table must hold numbers", "give the table that holds the values",
        {"A": table()}, {},
    ),
    "A feature table without features": (
        {"A": table()[["patient_id", "Target"]]}, {}, "A feature table must hold features",
        "give the table that holds the features", {"A": table()}, {},
    ),
    "Feature tables that differ between readers": (
        {"A": table(), "B": table().rename(columns={NAMES[0]: "original_firstorder_Other"})},
        {"model_reader": "A"}, "Every reader's table must have the same features",
        "extract both with the same parameter file", {"A": table(), "B": table()},
        {"model_reader": "A"},
    ),
    "Days from surgery that are no whole number": (
        {"A": table(**{DAYS: ["tomorrow", *[-1] * 29]})}, {}, "must be whole days, negative before",
        "write a number such as -3, or leave the cell blank", {"A": table(**{DAYS: -3})}, {},
    ),
    "Ready features of a scan on or after surgery": (
        {"A": table(**{DAYS: [0, *[-1] * 29]})}, {}, "model must not see scans",
        "`timing: postoperative`", None, {"timing": "postoperative"},
    ),
}  # fmt: skip


def ready(bad_input: str) -> Remedy:
    tables, options, rule, remedy, mended, then = READY[bad_input]

    def run(folder: Path) -> None:
        def door(tables: dict, options: dict):
            paths = {reader: str(folder / f"{reader}.csv") for reader in tables}
            for reader, each in tables.items():
                each.to_csv(paths[reader], index=False)
            return joined(folder, paths, **target("Target == 1") | options)[0]

        refused(lambda: door(tables, options), rule, remedy)
        assert len(door(mended or tables, then)) == 30

    return run


def _only_words(folder: Path) -> None:
    one = pd.DataFrame({"case_id": ["a"], "f1": [1.0], "f2": [2.0]})
    other = one.drop(columns="f2")
    refused(lambda: gather_ready({"A": one, "B": other}), "A feature must hold numbers in every",
            "remove them from all tables")  # fmt: skip
    assert len(gather_ready({"A": other, "B": other})) == 2


def _changed(folder: Path) -> None:
    frozen = pd.DataFrame({"case_id": ["a", "b"]})
    now = gather_ready({"A": pd.DataFrame({"case_id": ["a", "c"], "f1": [1.0, 2.0]})})
    refused(lambda: check_cases(now, frozen), "Ready feature tables must hold the cases",
            "start the run again")  # fmt: skip
    check_cases(now, now[["case_id"]])  # as the next run freezes them


def _telling(folder: Path) -> None:
    def door(**options: object) -> None:
        made = table()
        made["OS_days"] = made["Target"] * 90.0 + np.linspace(1, 9, 30)
        made.to_csv(folder / "A.csv", index=False)
        joined(folder, {"A": str(folder / "A.csv")}, **target("Target == 1"), **options)

    said = "features that tell the outcome without an error"
    warned(lambda: door(also_features=["OS_days"]), said, "belongs into `not_features`")
    quiet(lambda: door(not_features=["OS_days"]), said)


def _words(folder: Path) -> None:
    """Words are left out, whatever is done: naming the column ends the warning."""

    def door(**options: object) -> None:
        table(scanner="Vendor X").to_csv(folder / "A.csv", index=False)
        joined(folder, {"A": str(folder / "A.csv")}, **target("Target == 1"), **options)

    said = "hold words, dates or codes and no numbers"
    warned(lambda: door(also_features=["scan*"]), said, "they are left out: scanner")
    quiet(lambda: door(not_features=["scanner"]), said)


def _nobody(folder: Path) -> None:
    refused(lambda: write_templates("s", folder / "s", [feature_table(folder)]),
            "must have a column of ids beside", "such as patient_id")  # fmt: skip
    write_templates("s", folder / "s", [feature_table(folder, patient_id=range(40))])
    assert (folder / "s" / "config.yaml").exists()


X = "x,,{},,{},{},predictor\n"
#: By bad input: row of the dictionary, rule, words of the remedy, the row mended.
DICTIONARIES = {
    "A column described twice": (
        2 * X.format("continuous", "", "preoperative"), "A column must be described once",
        "remove one of the two rows", X.format("continuous", "", "preoperative"),
    ),
    "A predictor without timing": (
        X.format("continuous", "", ""), "A predictor must say when it is known", "preoperative",
        X.format("continuous", "", "preoperative"),
    ),
    "A binary column of three levels": (
        X.format("binary", "a|b|c", "preoperative"), "A binary column must have two levels",
        "give it the type categorical", X.format("categorical", "a|b|c", "preoperative"),
    ),
}  # fmt: skip

#: By bad input: text of the clinical table that is spoilt, how, rule, words of the remedy.
CELLS = {
    "Text where a number is expected": (
        "70,1,F", "seventy,1,F", "A value of age must be a number", ""),
    "A category that is no level": (
        "70,1,F", "70,1,f", "A value of sex must be one of its levels", "perhaps `F` is meant"),
    "A clinical column without description": (
        "vas,note", "vas,remark", "Every clinical column must be described", ""),
}  # fmt: skip

#: By bad input: predictors, columns of the outcome, rule, words of the remedy, the mended two.
LEAKS = {
    "A predictor known only after surgery": (
        (["age", "cement"], ()), "must not see what is known only later", "remove it",
        (["age"], ()),
    ),
}  # fmt: skip


def dictionary(bad_input: str) -> Remedy:
    row, rule, remedy, mended = DICTIONARIES[bad_input]

    def run(folder: Path) -> None:
        refused(lambda: described(folder, row), rule, remedy)
        assert len(described(folder, mended)) == 1

    return run


def described(folder: Path, rows: str = ROWS) -> pd.DataFrame:
    (folder / "dictionary.csv").write_text(HEADER + rows)
    return read_dictionary(folder / "dictionary.csv")


def cells(bad_input: str) -> Remedy:
    old, new, rule, remedy = CELLS[bad_input]

    def run(folder: Path) -> None:
        def door(text: str) -> pd.DataFrame:
            (folder / "clinical.csv").write_text(text)
            return read_clinical(folder / "clinical.csv", described(folder), "patient_id")

        refused(lambda: door(CLINICAL.replace(old, new)), rule, remedy)
        assert len(door(CLINICAL)) == 2

    return run


def leaks(bad_input: str) -> Remedy:
    (predictors, outcome), rule, remedy, (then, _) = LEAKS[bad_input]

    def run(folder: Path) -> None:
        rows = described(folder)
        refused(lambda: allowed_predictors(rows, "preoperative", predictors, outcome), rule, remedy)
        assert allowed_predictors(rows, "preoperative", then)["column"].tolist() == then

    return run


def _of_formula(folder: Path) -> None:
    def door(rows: str) -> pd.DataFrame:
        return allowed_predictors(described(folder, rows), "preoperative", "all", ("age", "vas"))

    refused(lambda: door(ROWS), "A column of the outcome's formula must not predict",
            "give age the role `outcome`")  # fmt: skip
    line = ROWS.splitlines()[0]
    assert "age" not in door(ROWS.replace(line, line.replace("predictor", "outcome"))).to_string()


REMEDIES: dict[str, Remedy] = {
    **{bad_input: ready(bad_input) for bad_input in READY},
    **{bad_input: dictionary(bad_input) for bad_input in DICTIONARIES},
    **{bad_input: cells(bad_input) for bad_input in CELLS},
    **{bad_input: leaks(bad_input) for bad_input in LEAKS},
    "A feature that is numbers for one reader and words for another": _only_words,
    "A ready feature table whose cases change while a run goes on": _changed,
    "A feature that tells the outcome without an error": _telling,
    "Columns of words among the features": _words,
    "New study: a table of features without ids": _nobody,
    "A predictor out of which the outcome is made": _of_formula,
}
