"""Tables of any common encoding and format give the same text, with the rows people see."""

from __future__ import annotations

import datetime

import openpyxl
import pandas as pd
import pytest

from pipeline.core.errors import StudyError
from pipeline.core.sheets import column_names, read_sheet
from pipeline.core.table_text import decode

GERMAN = "patient_id,Geschlecht,Größe\n0001,männlich,171\n0002,weiblich,\n"
CHINESE = "patient_id,性别\n0001,男\n0002,女\n"


def write(tmp_path, data, name="t.csv"):
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (GERMAN, "utf-8"),
        (GERMAN, "utf-8-sig"),
        (GERMAN, "utf-16"),
        (GERMAN, "utf-16-le"),
        (GERMAN, "utf-16-be"),
        (GERMAN, "utf-32"),
        (GERMAN, "cp1252"),
        (CHINESE, "utf-8"),
        (CHINESE, "utf-16"),
        (CHINESE, "gb18030"),
        ("id,value\n1,±5 µg\n", "cp1252"),
    ],
)
def test_encodings_are_told_apart(tmp_path, text, encoding):
    sheet = read_sheet(write(tmp_path, text.encode(encoding)))
    expected = [line.split(",") for line in text.splitlines()]
    assert list(sheet.columns) == expected[0]
    assert sheet.fillna("").to_numpy().tolist() == expected[1:]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_delimiters(tmp_path, delimiter, end):
    text = end.join(delimiter.join(row) for row in (["id", "x"], ["007", '"a, b; c"'], ["8", ""]))
    sheet = read_sheet(write(tmp_path, text))
    assert sheet.to_numpy().tolist() == [["007", "a, b; c"], ["8", None]]


def test_rows_are_numbered_as_in_the_spreadsheet(tmp_path):
    sheet = read_sheet(write(tmp_path, "id,x\n1,a\n\n,\n 2 , b \n"))
    assert list(sheet.index) == [2, 5]
    assert sheet.loc[5].tolist() == ["2", "b"]


def test_hint_of_excel_is_no_row(tmp_path):
    sheet = read_sheet(write(tmp_path, "sep=;\r\nid;x\r\n1;2,5\r\n"))
    assert sheet.loc[2].tolist() == ["1", "2,5"]


def workbook(tmp_path, **sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        page = book.create_sheet(title)
        for row in rows:
            page.append(row)
    path = tmp_path / "t.xlsx"
    book.save(path)
    return path


def test_excel_cells_read_as_the_grid_shows_them(tmp_path):
    path = workbook(
        tmp_path,
        Sheet1=[
            ["id", "text", "n", "x", "day", "yes"],
            [7, "0007", 7.0, 2.5, datetime.datetime(2025, 3, 1), True],
        ],
    )
    book = openpyxl.load_workbook(path)
    book.active["A2"].number_format = "0000"
    book.save(path)
    assert read_sheet(path).loc[2].tolist() == ["0007", "0007", "7", "2.5", "2025-03-01", "true"]


def test_worksheet_is_found_by_name(tmp_path):
    path = workbook(tmp_path, Cases=[["a"], ["1"]], Clinical=[["b"], ["2"]], Notes=[])
    assert list(read_sheet(path, "clinical").columns) == ["b"]
    with pytest.raises(StudyError, match="worksheets Cases, Clinical"):
        read_sheet(path, "dictionary")
    with pytest.raises(StudyError, match="an empty workbook"):
        read_sheet(workbook(tmp_path, Empty=[]))


def test_failed_formula_is_named(tmp_path):
    path = workbook(tmp_path, S=[["id"], ["#N/A"]])
    book = openpyxl.load_workbook(path)
    book.active["A2"].data_type = "e"
    book.save(path)
    with pytest.raises(StudyError, match="cell A2"):
        read_sheet(path)


def test_parquet_loses_no_zero_and_adds_no_point(tmp_path):
    path = tmp_path / "t.parquet"
    pd.DataFrame(
        {"id": ["007", "8"], "n": [1, 2], "gap": [1.0, None], "x": [0.1, 2.0], "b": [True, False]}
    ).to_parquet(path)
    sheet = read_sheet(path)
    assert list(sheet.index) == [2, 3]
    assert sheet.to_numpy().tolist() == [
        ["007", "1", "1", "0.1", "true"],
        ["8", "2", None, "2", "false"],
    ]


@pytest.mark.parametrize("first", [0, 1])
def test_a_nameless_first_column_that_numbers_the_rows_is_left_out(tmp_path, first):
    path = tmp_path / "t.csv"
    path.write_text(f",id,x\n{first},a,1\n{first + 1},b,2\n", encoding="utf-8")
    sheet = read_sheet(path)
    assert list(sheet.columns) == column_names(path) == ["id", "x"]
    assert sheet.to_numpy().tolist() == [["a", "1"], ["b", "2"]]
    assert read_sheet(path, columns=["x"]).to_numpy().tolist() == [["1"], ["2"]]
    path.write_text(",x\nP1,1\nP2,2\n", encoding="utf-8")
    # Where it holds the ids it is called as pandas calls it, so that the configuration can name it.
    assert list(read_sheet(path).columns) == ["Unnamed: 0", "x"]
    path.write_text("x,,y\nP1,1,2\nP2,2,3\n", encoding="utf-8")
    with pytest.raises(StudyError, match="Every column must have a name"):
        read_sheet(path)


def test_a_column_that_stands_there_twice_is_read_once(tmp_path, caplog):
    caplog.set_level("INFO")
    path = tmp_path / "t.csv"
    path.write_text("id,x,x,y\na,1,1,3\nb,2, 2,4\n", encoding="utf-8")
    assert read_sheet(path).to_numpy().tolist() == [["a", "1", "3"], ["b", "2", "4"]]
    assert column_names(path) == ["id", "x", "y"]
    assert "columns that stand there twice: x" in caplog.text


@pytest.mark.parametrize(
    ("data", "name", "words"),
    [
        ("id,x\n1,2,3\n", "t.csv", "row 2"),
        ("id,id\n1,2\n", "t.csv", "its own name"),
        ("id,,x\n1,2,3\n", "t.csv", "column 2"),
        ("id,x\n", "t.csv", "at least one row"),
        ("", "t.csv", "at least one row"),
        ('id,x\n1,"2\n', "t.csv", "close every quote"),
        (b"id,x\n1,\x81\x00\x82\n", "t.csv", "UTF-8, UTF-16, cp1252 or GB18030"),
        (b"\xef\xbb\xbfid\n\xff\n", "t.csv", "UTF-8, UTF-16, cp1252 or GB18030"),
        ("x", "t.xlsx", "unprotected Excel workbook"),
        ("x", "t.parquet", "must be a Parquet table"),
        ("x", "t.xls", ".xls"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, data, name, words):
    with pytest.raises(StudyError, match=words):
        read_sheet(write(tmp_path, data, name))


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(StudyError, match=r"none\.csv"):
        read_sheet(tmp_path / "none.csv")


def test_trailing_empty_columns_are_cut(tmp_path):
    sheet = read_sheet(write(tmp_path, "id,x,,\n1,2,,\n3\n"))
    assert sheet.to_numpy().tolist() == [["1", "2"], ["3", None]]


def test_encoding_found_is_returned():
    for text in ("naïf,x\n", "naïve,Müßig\n"):
        assert decode(text.encode("cp1252"), "t") == (text, "cp1252")
    assert decode("椎体\n".encode("gb18030"), "t") == ("椎体\n", "gb18030")
