"""Remedies of files that are no readable table: text, workbooks, Parquet."""

from __future__ import annotations

import gzip
import os
import stat
from contextlib import nullcontext
from pathlib import Path
from unittest import mock

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.tables.files import delimited
from pipeline.tables.files.sheets import read_sheet
from tests.pipeline.tables.test_sheets import TABLE, WIDE, edited, workbook, write
from tests.remedies import Remedy
from tests.remedies.table_doors import quiet, refused, warned

GOOD = "id,x\nP1,1\nP2,2\n"
CLOSE = "A CSV file must close every quote that it opens"
WORDS = "id,Größe,Geschlecht\n1,übel,männlich\n2,heiß,weiblich\n".encode()
PACKED = gzip.compress(GOOD.encode() * 9)

#: By bad input: its bytes and name, rule, words of the remedy, and what the remedy makes of it.
TEXTS = {
    "A table of another format (.xls)": (
        ("x", "t.xls"), r"A table must be a \.csv, \.tsv", "save it as CSV UTF-8", (GOOD, "t.csv"),
    ),
    "An unknown encoding": (
        (b"id,x\n1,\x81\x00\x82\n", "t.csv"), "A table must be text in UTF-8, UTF-16",
        "save it as `CSV UTF-8`", (GOOD, "t.csv"),
    ),
    "A quote that is never closed": (
        ('id,x\nP1,"1\nP2,2\n', "t.csv"), CLOSE, "look for a lone double quote", (GOOD, "t.csv"),
    ),
    "A header without rows": (
        ("id,x\n", "t.csv"), "A table must have a header and at least one row",
        "write a row for each patient or case below the header", (GOOD, "t.csv"),
    ),
    "A column without a name": (
        ("x,,y\nP1,1,2\n", "t.csv"), "Every column must have a name", "name it, or remove",
        ("x,z,y\nP1,1,2\n", "t.csv"),
    ),
    "Two columns of one name with different values": (
        ("id,x,x\nP1,1,2\n", "t.csv"), "Every column must have its own name",
        "rename or remove one of them", ("id,x,x2\nP1,1,2\n", "t.csv"),
    ),
    "A row longer than the header": (
        ("id,x\nP1,1,5\n", "t.csv"), "A row must not have more values", "decimals with a point",
        ("id,x\nP1,1.5\n", "t.csv"),
    ),
    "A protected or broken workbook": (
        ("x", "t.xlsx"), r"An \.xlsx file must be an unprotected Excel workbook",
        "save it anew as .xlsx, without a password", None,
    ),
    "A workbook with a password, or an old one renamed": (
        (b"\xd0\xcf\x11\xe0" + bytes(600), "t.xlsx"),
        r"An \.xlsx file must be an unprotected Excel workbook",
        "save it anew as .xlsx, without a password", None,
    ),
    "A lost block of zero bytes in a text table": (
        (b"id,x\nP1,1\nP2,\0\0\0\n", "t.csv"), "A table must be text without zero bytes",
        "fetch or save it again", (GOOD, "t.csv"),
    ),
    "UTF-8 in which a letter is damaged": (
        (WORDS.replace(b"\xc3\xbc", b"\x83\xbc"), "t.csv"),
        "A table in UTF-8 must be so in every line",
        "fetch the file again, or save it anew as `CSV UTF-8`", (WORDS, "t.csv"),
    ),
    "Line ends of two kinds": (
        ("id,x\nP1,1\rP2,2\n", "t.csv"), "A CSV file must end its lines in one way",
        "remove them, or put the text that holds them in double quotes", (GOOD, "t.csv"),
    ),
    "A CSV file cut within its last row": (
        ("id,x,y\nP1,1,2\nP2,2", "t.csv"), "A table must be whole",
        "if the row is whole, end its line", ("id,x,y\nP1,1,2\nP2,2\n", "t.csv"),
    ),
    "A quote that swallows rows": (
        ('id,x,y\na,"1,2\nb,3,4\nc,5",6\n', "t.csv"), CLOSE, "look for a lone double quote",
        ("id,x,y\na,1,2\nb,3,4\nc,5,6\n", "t.csv"),
    ),
    "A cell of tens of thousands of characters": (
        (b"id,x\nP1," + b"9" * 40_000 + b"\n", "t.csv"), "A cell must hold at most",
        "shorten the text", (b"id,x\nP1," + b"9" * 32_767 + b"\n", "t.csv"),
    ),
    "A failed formula in a CSV, or hashes for a number too wide": (
        ("id,x\nP1,########\n", "t.csv"), "A cell must hold a value, not a failed formula",
        "widen the column in the spreadsheet, and save the table again", (GOOD, "t.csv"),
    ),
    "A damaged packed table": (
        (PACKED[:-9], "t.csv.gz"), r"A packed table must be a whole \.gz file",
        "fetch or pack it again", (PACKED, "t.csv.gz"),
    ),
}  # fmt: skip


def _text(bad_input: str, folder: Path) -> None:
    (data, name), rule, remedy, mended = TEXTS[bad_input]
    refused(lambda: read_sheet(write(folder, data, name)), rule, remedy)
    if mended is None:
        assert len(read_sheet(workbook(folder, S=TABLE))) == 2
    else:
        assert len(read_sheet(write(folder, *mended)))


def _missing(folder: Path) -> None:
    refused(lambda: read_sheet(folder / "tabel.csv"), "The table must exist", "give its path")
    write(folder, GOOD, "table.csv")
    assert len(read_sheet(folder / "table.csv")) == 2


def _changed(path: Path, change) -> Path:
    """Open a workbook, change it and save it."""
    book = openpyxl.load_workbook(path)
    change(book)
    book.save(path)
    return path


def _fail(book) -> None:
    book.active["B2"] = "#N/A"
    book.active["B2"].data_type = "e"


def _compute(path: Path) -> None:
    """Write what a spreadsheet saves: the results, and nothing left to be computed."""
    edited(path, rb"<v ?/>|<v></v>", b"<v>30</v>")
    edited(path, rb' fullCalcOnLoad="1"', b"", part="workbook.xml")


def _strict(path: Path) -> Path:
    return edited(
        path, rb"http://schemas.openxmlformats.org/spreadsheetml/2006/main",
        b"http://purl.oclc.org/ooxml/spreadsheetml/main", "workbook.xml",
    )  # fmt: skip


def _too_many(path: Path) -> Path:
    rows = b"".join(b'<row r="%d">%s</row>' % (n, b"<c/>" * 500) for n in range(4, 4500))
    return edited(path, rb"</sheetData>", rows + b"</sheetData>")


TWO = {"Cases": [["a"], ["1"]], "Clinical": [["b"], ["2"]]}

#: By bad input: sheets, how the workbook is spoilt, the worksheet asked for, rule, words of the
#: remedy, the sheets of the good workbook, or how the bad one is changed.
WORKBOOKS = {
    "A workbook of several worksheets": (
        TWO, None, "dictionary", "A workbook must hold one table", "rename the worksheet",
        {"Cases": TWO["Cases"], "Dictionary": TWO["Clinical"]},
    ),
    "A failed formula in a cell": (
        {"S": TABLE}, lambda path: _changed(path, _fail), None, "not a failed formula",
        "mend the formula, or clear the cell", lambda path: _changed(path, _clear),
    ),
    "An .xlsx whose formulas no spreadsheet has computed": (
        {"S": [["id", "bmi"], ["P1", "=60/2"]]}, None, None,
        "The formulas of a workbook must have been computed",
        "open the file in Excel or LibreOffice and save it", _compute,
    ),
    "Merged cells": (
        {"S": TABLE}, lambda path: _changed(path, lambda book: book.active.merge_cells("C2:C3")),
        None, "A table must not have merged cells", "unmerge them, and fill each cell",
        {"S": [TABLE[0], TABLE[1], ["P2", 2.5, "x"]]},
    ),
    "The table's worksheet is hidden": (
        {"Shown": TABLE, "Old": [["id"], ["P9"]]},
        lambda path: _changed(path, lambda book: _state(book, "hidden")), "old",
        "The worksheet of a table must be shown", "`Unhide`",
        lambda path: _changed(path, lambda book: _state(book, "visible")),
    ),
    "A Strict Open XML workbook": (
        {"S": TABLE}, _strict, None, "must not be a Strict Open XML",
        r"save it as `Excel Workbook \(\*\.xlsx\)`", {"S": TABLE},
    ),
    "A workbook that claims or holds too much": (
        {"S": TABLE}, _too_many, None, "A workbook must have at most", "save the table",
        {"S": TABLE},
    ),
    "A title above the header": (
        {"S": [["Cohort, synthetic"], *WIDE]}, None, None,
        "The first row of a table must be its header", "delete what stands above row 2",
        {"S": WIDE},
    ),
}  # fmt: skip


def _clear(book) -> None:
    book.active["B2"] = None


def _state(book, state: str) -> None:
    book["Old"].sheet_state = state


def _workbook(bad_input: str, folder: Path) -> None:
    sheets, spoil, asked, rule, remedy, mended = WORKBOOKS[bad_input]
    path = workbook(folder, **sheets)
    if spoil:
        spoil(path)
    refused(lambda: read_sheet(path, asked), rule, remedy)
    if callable(mended):
        mended(path)
    else:
        path = workbook(folder, **mended)
    assert len(read_sheet(path, asked))


def _hidden(what: str, folder: Path) -> None:
    """Show the rows or columns again, as the warning says that they are read."""

    def show(hidden: bool) -> Path:
        def change(book) -> None:
            page = book.active
            place = page.row_dimensions[3] if what == "rows" else page.column_dimensions["B"]
            place.hidden = hidden

        return _changed(workbook(folder, S=TABLE), change)

    words = {"rows": "rows are hidden", "columns": "hidden columns are read"}[what]
    warned(lambda: read_sheet(show(True)), words)
    quiet(lambda: read_sheet(show(False)), "hidden")


LEVELS = pd.DataFrame([[1.0, 2.0]], columns=pd.MultiIndex.from_product([["a"], ["x", "y"]]))


def _parquet_levels(folder: Path) -> None:
    path = folder / "t.parquet"
    LEVELS.to_parquet(path)
    text = refused(lambda: read_sheet(path), "A table must have one row of column names", "join")
    table = LEVELS.copy()
    exec(text.split("`")[-2], {"table": table})  # the remedy is a line of Python
    table.to_parquet(path)
    assert read_sheet(path).columns.tolist() == ["a_x", "a_y"]


def _parquet_kinds(folder: Path) -> None:
    path, rule = folder / "t.parquet", "A Parquet column must hold texts, numbers"
    pq.write_table(pa.table({"id": ["a"], "list": [[1, 2]]}), path)
    refused(lambda: read_sheet(path), rule, "a column for each value, or leave the column out")
    pq.write_table(pa.table({"id": ["a"], "list_1": [1], "list_2": [2]}), path)
    assert read_sheet(path).shape == (1, 3)
    pq.write_table(pa.table({"id": ["a"], "raw": [b"\xff\xfe"]}), path)
    refused(lambda: read_sheet(path), rule, "write it as text")
    pq.write_table(pa.table({"id": ["a"], "raw": ["ÿþ"]}), path)
    assert read_sheet(path)["raw"].tolist() == ["ÿþ"]


def _parquet_damaged(folder: Path) -> None:
    path = folder / "t.parquet"
    pd.DataFrame({"id": ["a"]}).to_parquet(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    refused(lambda: read_sheet(path), r"A \.parquet file must be", "fetch or write it again")
    path.write_bytes(whole)
    assert len(read_sheet(path)) == 1


def _too_much(folder: Path) -> None:
    with mock.patch.object(delimited, "MOST_CELLS", 4):
        path = write(folder, GOOD)
        refused(lambda: read_sheet(path), "A table must have at most", "leave out rows and columns")
        assert len(read_sheet(write(folder, "id\nP1\nP2\n"))) == 2


def _no_right(folder: Path) -> None:
    path = write(folder, GOOD)
    path.chmod(0)
    # The superuser may read everything: here he is refused like others.
    refusing = mock.patch("builtins.open", side_effect=PermissionError(13, "Permission denied"))
    with refusing if os.geteuid() == 0 else nullcontext():
        refused(lambda: read_sheet(path), "must be readable for the user", "chmod u[+]r")
    path.chmod(path.stat().st_mode | stat.S_IRUSR)  # chmod u+r
    assert len(read_sheet(path)) == 2


def _entry(function, bad_input: str) -> Remedy:
    return lambda folder: function(bad_input, folder)


REMEDIES: dict[str, Remedy] = {
    **{bad_input: _entry(_text, bad_input) for bad_input in TEXTS},
    **{bad_input: _entry(_workbook, bad_input) for bad_input in WORKBOOKS},
    "A table that does not exist": _missing,
    "Rows hidden by a filter": _entry(_hidden, "rows"),
    "Hidden columns": _entry(_hidden, "columns"),
    "Parquet with columns of several levels": _parquet_levels,
    "Parquet with lists or raw bytes in a column": _parquet_kinds,
    "A damaged Parquet file": _parquet_damaged,
    "A table of too many cells or bytes, or a packed one that grows to it": _too_much,
    "A table without the right to read it": _no_right,
}
