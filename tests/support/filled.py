"""Tables with all columns of their class, of which a test gives those that matter to it."""

from __future__ import annotations

import pandas as pd

from pipeline.core.table_schema import COUNT, FLAG, NUMBER, Column, Table, columns_of, types_of


def filled(schema: type[Table], table: pd.DataFrame | list[dict]) -> pd.DataFrame:
    """Return a table with the columns of its class: those that are missing hold what they may."""
    given, columns = pd.DataFrame(table), columns_of(schema)
    added = {name: _value(columns[name]) for name in types_of(schema) if name not in given}
    whole = given.assign(**added)
    types = {name: kind for name, kind in types_of(schema).items() if kind != "object"}
    order = [*types_of(schema), *(name for name in given if name not in types_of(schema))]
    whole = whole.astype(types)[order]
    text = [name for name in types_of(schema) if name not in types]
    whole[text] = whole[text].astype(object).where(whole[text].notna(), None)
    return whole


def _value(column: Column) -> object:
    if column.null:
        return float("nan") if column.kind is NUMBER else None
    if column.values:
        return column.values[0]
    return {COUNT: 1, FLAG: False, NUMBER: 0.0}.get(column.kind, "given")
