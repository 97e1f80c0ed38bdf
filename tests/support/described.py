"""Whether every table below a study's folder has a class, and every column of it a meaning."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from pipeline.core.table_schema import columns_of, differences
from pipeline.tables.schemas.catalogue import schema_of


def described_tables(folder: Path) -> set[str]:
    """Return the paths of a study's tables, of which none may be without a description.

    Those of outcomes/course have no class yet (tests/house/test_tables_have_classes.py).
    """
    paths = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*.parquet"))
        if not {"store", "course"} & set(path.relative_to(folder).parts)
    }
    for name, path in paths.items():
        schema, table = schema_of(name), pd.read_parquet(path)
        assert schema is not None, f"{name} has no class (pipeline/tables/schemas)"
        assert list(differences(table, schema)) == [], name
        columns = columns_of(schema)
        patterns = [each.pattern for each in columns.values() if each.pattern]
        for column in table.columns:
            found = column in columns or any(re.fullmatch(each, column) for each in patterns)
            assert found, f"{name}: nothing says what {column} is"
    return set(paths)
