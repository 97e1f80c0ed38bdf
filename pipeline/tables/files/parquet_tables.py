"""Parquet tables as text, whatever wrote them: pandas with its index, polars, R, a database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from pipeline.core.errors import StudyError
from pipeline.core.files import machine_error
from pipeline.core.problems import listing
from pipeline.tables.files.limits import MOST_BYTES, MOST_CELLS, read_bytes, too_large
from pipeline.tables.files.text import cell_text

if TYPE_CHECKING:
    import pyarrow as pa

UNNAMED_INDEX = "__index_level_"
"""How pandas names a column of an index without a name in the file."""


class ParquetTable:
    """A Parquet file whose columns have been found good.

    Parameters
    ----------
    path : path-like
        The file.

    Attributes
    ----------
    names : list of str
        Columns, those of a pandas index first; one without a name is called as pandas calls such
        a column of a CSV file, and left out where it only numbers the rows.

    Raises
    ------
    StudyError
        If the file is damaged, too large, or holds what is no table of single values.
    """

    def __init__(self, path: str | Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.path = Path(path)
        data = read_bytes(path)
        try:
            # Pages that carry a checksum (polars and Spark can write it) are checked against it.
            self._file = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
            self._schema = self._file.schema_arrow
            names = list(self._schema.names)
        except _errors() as error:
            raise self._damaged(error) from None
        self.rows = self._file.metadata.num_rows
        if self.rows * len(names) > MOST_CELLS or self._size() > 10 * MOST_BYTES:
            raise too_large(f"{self.rows:,} rows of {len(names):,} columns", self.path)
        if len(set(names)) < len(names):
            raise StudyError(
                "Every column must have its own name",
                found=listing(sorted({name for name in names if names.count(name) > 1}), 4),
                where=str(self.path),
                remedy="rename or remove one of them",
                code="column-name-repeated",
            )
        self._check_kinds()
        index = [name for name in self._pandas_index() if name in names]
        self._own = {}
        for name in [*index, *(name for name in names if name not in index)]:
            if not name.startswith(UNNAMED_INDEX):
                self._own[name] = name
            elif not self._counts_rows(name):
                number = name.removeprefix(UNNAMED_INDEX).rstrip("_")
                self._own[f"Unnamed: {number}"] = name
        self.names = list(self._own)

    def texts(self, columns: Sequence[str]) -> list[list[str]]:
        """Return the values of columns as text, blank where there is none."""
        table = self._read([self._own[name] for name in columns])
        return [self._texts(name, table[self._own[name]]) for name in columns]

    def values(self, columns: Sequence[str]) -> pd.DataFrame:
        """Return columns with numbers as float64, and with text, or None, of everything else."""
        import pyarrow as pa

        table, made = self._read([self._own[name] for name in columns]), {}
        for name in columns:
            held = table[self._own[name]]
            if pa.types.is_integer(held.type) or pa.types.is_floating(held.type):
                made[name] = held.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
            else:
                made[name] = [text or None for text in self._texts(name, held)]
        return pd.DataFrame(made, index=range(self.rows))

    def _read(self, columns: list[str]) -> pa.Table:
        try:
            table = self._file.read(columns=columns) if columns else self._schema.empty_table()
            table.validate(full=True)
        except MemoryError as error:
            if self._size() > MOST_BYTES:
                raise machine_error(error, str(self.path)) or error from None
            raise self._damaged(error) from None  # a page that claims what no page holds
        except _errors() as error:
            raise self._damaged(error) from None
        if columns and table.num_rows != self.rows:
            raise self._damaged(None)
        return table

    def _size(self) -> int:
        groups = range(self._file.metadata.num_row_groups)
        return sum(self._file.metadata.row_group(at).total_byte_size for at in groups)

    def _texts(self, name: str, held: pa.ChunkedArray) -> list[str]:
        import pyarrow as pa

        try:
            if pa.types.is_dictionary(held.type):
                held = held.cast(held.type.value_type)
            values = held.to_pylist()
            if any(isinstance(value, bytes) for value in values):
                values = [None if value is None else value.decode("utf-8") for value in values]
            return ["" if value is None else cell_text(value) for value in values]
        except _errors() as error:
            raise StudyError(
                "A Parquet column must hold texts, numbers, dates or truth values",
                found=f"{held.type}, of which a value is none ({type(error).__name__})",
                where=f"{self.path}, column {name}",
                remedy="write it as text",
                code="parquet-column-type",
            ) from None

    def _check_kinds(self) -> None:
        import pyarrow as pa

        for field in self._schema:
            if pa.types.is_nested(field.type):
                raise StudyError(
                    "A Parquet column must hold texts, numbers, dates or truth values",
                    found=str(field.type),
                    where=f"{self.path}, column {field.name}",
                    remedy="write a column for each value, or leave the column out",
                    code="parquet-column-type",
                )

    def _pandas_index(self) -> list[str]:
        """Return the columns that pandas had as its index; refuse a header of several rows."""
        about = (self._schema.metadata or {}).get(b"pandas")
        try:
            about = json.loads(about) if about else {}
            index = [name for name in about.get("index_columns", []) if isinstance(name, str)]
            levels = about.get("column_indexes", [])
        except (ValueError, AttributeError, TypeError, RecursionError):
            return []  # what pandas noted is damaged: the columns are there without it
        if isinstance(levels, list) and len(levels) > 1:
            raise StudyError(
                "A table must have one row of column names",
                found=f"{len(levels)} levels of them",
                where=str(self.path),
                remedy="join them before writing, such as "
                "`table.columns = ['_'.join(map(str, name)) for name in table.columns]`",
                code="header-of-several-rows",
            )
        return index

    def _counts_rows(self, name: str) -> bool:
        values = self._texts(name, self._read([name])[name])
        return any(values == [str(at + first) for at in range(len(values))] for first in (0, 1))

    def _damaged(self, error: Exception | None) -> StudyError:
        words = "columns of different lengths" if error is None else type(error).__name__
        return StudyError(
            "A .parquet file must be a Parquet table",
            found=f"a damaged file, or another kind of file ({words})",
            where=str(self.path),
            remedy="fetch or write it again",
            code="parquet-damaged",
        )


def _errors() -> tuple[type[Exception], ...]:
    """Return what reading a damaged file raises: the bytes lie in memory already."""
    import pyarrow as pa

    return (pa.ArrowException, OSError, ValueError, LookupError, TypeError, OverflowError)
