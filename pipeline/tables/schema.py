"""Columns of a table of text, checked against the schemas in pipeline/schemas."""

from __future__ import annotations

import difflib
from functools import cache
from pathlib import Path

import pandas as pd
import yaml

from pipeline.core.problems import Problems, listing, suggestion
from pipeline.core.schema_validator import schema_validator
from pipeline.tables.files.sheets import cell, rows_of, rows_text
from pipeline.tables.identifying.checks import shown, shown_id

IDENTITY_CELLS = frozenset(
    ("patient_id", "scan_id", "case_id", "reader", "image", "series", "mask", "label")
)
"""Columns in whose cells a person's name or number may be typed: errors quote codes only."""

FOLDER = Path(__file__).resolve().parents[1] / "schemas"


@cache
def load_schema(name: str) -> dict:
    """Return pipeline/schemas/<name>.schema.yaml."""
    return yaml.safe_load((FOLDER / f"{name}.schema.yaml").read_text(encoding="utf-8"))


def check_columns(sheet: pd.DataFrame, name: str, path: str | Path, problems: Problems) -> None:
    """Add what is wrong with the columns of `sheet`, value by value.

    Parameters
    ----------
    sheet : pandas.DataFrame
        As `pipeline.tables.files.sheets.read_sheet` returns it.
    name : str
        The schema's name, such as ``cases``. Columns that the schema does not know are left
        alone, unless one looks like a misspelt column that is absent.
    path : path-like
        The table's file, for errors.
    problems : Problems
        Receives one problem per wrong column or value.
    """
    schema = load_schema(name)
    unknown = [column for column in sheet.columns if column not in schema["properties"]]
    for column, rules in schema["properties"].items():
        if column not in sheet.columns:
            near = difflib.get_close_matches(column, unknown, n=1, cutoff=0.75)
            if column in schema.get("required", ()) or (near and schema.get("required")):
                problems.add(
                    f"The table `{name}` must have the column {column} ({rules['description']})",
                    found=f"columns {listing(map(shown, sheet.columns), 20)}",
                    where=f"{path}, header",
                    remedy=f"rename {near[0]} to {column}, if that is meant" if near else None,
                    code="column-missing",
                )
            continue
        validator = schema_validator(rules)
        values = sheet[column]
        blank = values.isna()
        if blank.any() and not validator.is_valid(None):
            problems.add(
                f"{column} ({rules['description']}) must not be blank",
                where=f"{path}, {rows_text(sheet.index[blank])}, column {column}",
                remedy="fill the cell, or remove the row",
                code="cell-blank",
            )
        wrong = {value for value in values[~blank].unique() if not validator.is_valid(value)}
        for value, rows in rows_of(values, wrong):
            allowed = [each for each in rules.get("enum", ()) if each is not None]
            problems.add(
                f"{column} must be " + (f"one of {listing(allowed)}" if allowed else "well formed"),
                found=shown_id(value) if column in IDENTITY_CELLS else shown(value),
                where=cell(path, rows[0], column)
                if len(rows) == 1
                else f"{path}, {rows_text(rows)}, column {column}",
                remedy=(suggestion(value, allowed) if allowed else None) or rules.get("remedy"),
                code="cell-not-allowed",
            )
