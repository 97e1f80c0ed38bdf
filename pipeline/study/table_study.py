"""A configuration for a ready feature table, proposed from its header: who is who, and the outcome.

A guess is written with what it was made of, for a person to judge; nothing runs on it unseen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pipeline.core.errors import StudyError
from pipeline.core.problems import Problems, listing
from pipeline.core.written.number_notation import NUMBER
from pipeline.tables.columns import KEYS, likely_patient
from pipeline.tables.dictionary import MISSING
from pipeline.tables.features.feature_columns import NO_FEATURE, only_words
from pipeline.tables.features.feature_names import is_foreign
from pipeline.tables.files.sheets import NAMELESS, read_sheet
from pipeline.tables.identifying.checks import check_identifying, shown

OUTCOME_WORDS = (
    *("target", "outcome", "label", "class", "y", "event", "endpoint", "response", "status"),
    *("diagnosis", "death", "dead", "malignant", "malignancy", "recurrence", "grade"),
)
"""What tables call a binary outcome, the likelier first, in small letters and without signs."""

CONFIG = """\
# Configuration of the study {name}, proposed from the header of {tables}. It states only what
# differs from config/default.yaml; docs/tables.md says what ready feature tables may look like.

study: {name}
title: null                   # heading of the report
features: {{{features}}}
{model_reader}columns: {{{columns}}}
{patient_note}
# Columns that bear no name of PyRadiomics: {foreign}.
# Those of the outcome's formula are no features. List here what else is none; a time, a grade or a
# second label that knows the outcome would make every figure worthless. Names that speak of such,
# or differ from all others, are kept out until `also_features` lists them.
not_features: []
outcome:
  name: outcome
  label: {label}
  formula: {formula}
{outcome_note}
# Clinical predictors need a table and a dictionary (docs/tables.md):
# clinical: clinical.csv
# dictionary: dictionary.csv
"""


def propose_config(name: str, tables: Sequence[str | Path]) -> str:
    """Return the text of a configuration for ready feature tables.

    Parameters
    ----------
    name : str
        Name of the study.
    tables : sequence of path-like
        One feature table per reader; readers are called A, B, ...

    Returns
    -------
    str
        YAML. Where nothing looks like an outcome, its formula is a blank to be filled in.

    Raises
    ------
    StudyError
        If a table cannot be read, or holds nothing but features.
    """
    sheet = read_sheet(tables[0], "features")
    foreign = [column for column in sheet.columns if _is_foreign(column)]
    key = next((name for name in reversed(KEYS) if name in sheet.columns), None)
    patient = key or likely_patient(foreign)
    problems = Problems(f"the feature table {tables[0]}")
    own = [*KEYS, patient] if patient else list(KEYS)
    check_identifying(sheet[foreign], tables[0], problems, own=own)
    problems.raise_if_any()
    if not foreign:
        raise StudyError(
            "A feature table must have a column of ids beside the features",
            found=listing(sheet.columns, 4),
            where=str(tables[0]),
            remedy="add a column with each patient's pseudonym, such as patient_id",
            code="feature-table-without-ids",
        )
    patient = patient or foreign[0]
    rest = [column for column in foreign if column not in (patient, NAMELESS)]
    column, value = _outcome(sheet[rest])
    readers = [chr(ord("A") + at) for at in range(len(tables))]
    return CONFIG.format(
        name=name,
        tables=", ".join(Path(table).name for table in tables),
        features=", ".join(
            f"{reader}: {_text(str(table))}" for reader, table in zip(readers, tables, strict=True)
        ),
        model_reader=""
        if len(tables) == 1
        else "model_reader: A               # reader whose features the model sees, or mean\n",
        columns="" if key else f"patient_id: {_text(patient)}",
        patient_note="# The patient: a guess from the columns' names.\n" if key is None else "",
        foreign=listing(foreign, 12),
        label=_text(column or "outcome"),
        formula=_text(f"{_named(column)} == {value}") if column else "null  # such as died == 1",
        outcome_note="  # A guess: the values are "
        f"{listing(map(shown, _values(sheet[column])), 4)}.\n"
        if column
        else "",
    )


def _is_foreign(column: str) -> bool:
    printed = NO_FEATURE.match(column) and column != NAMELESS and column.lower() != "label"
    return is_foreign(column) and not printed


def _outcome(table: pd.DataFrame) -> tuple[str | None, str | None]:
    """Return the column that most likely is a binary outcome, and how it writes the event."""
    values = {name: _values(table[name]) for name in table}
    binary = {name: found for name, found in values.items() if len(found) == 2}
    bare = {name: re.sub("[^a-z0-9]", "", name.lower()) for name in binary}
    exact = [name for word in OUTCOME_WORDS for name in binary if bare[name] == word]
    within = [
        name for word in OUTCOME_WORDS for name in binary if len(word) > 1 and word in bare[name]
    ]
    found = next(iter(exact + within), next(iter(binary)) if len(binary) == 1 else None)
    if found is None:
        return None, None
    if not only_words(table[found]) and all(NUMBER.fullmatch(value) for value in binary[found]):
        return found, f"{max(map(float, binary[found])):g}"
    counts = table[found].value_counts()
    return found, repr(str(counts.index[-1]))


def _values(column: pd.Series) -> list[str]:
    values = column.dropna()
    return sorted(values[~values.isin(MISSING)].unique())


def _named(column: str) -> str:
    return column if re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", column) else f"`{column}`"


def _text(value: str) -> str:
    """Return a text as YAML, which takes JSON's quotes."""
    return json.dumps(value, ensure_ascii=False)
