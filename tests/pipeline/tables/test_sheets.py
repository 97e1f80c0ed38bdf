"""Tables of any common encoding and format give the same text, with the rows people see."""

from __future__ import annotations

import datetime
import decimal
import gzip
import os
import re
import zipfile

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.core.errors import MachineError, StudyError
from pipeline.tables.files import delimited, workbooks
from pipeline.tables.files import limits as table_limits
from pipeline.tables.files import text as table_text
from pipeline.tables.files.sheets import column_names, read_sheet
from pipeline.tables.files.text import decode
from tests.support.refusals import refusal

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
    assert read_sheet(path).loc[2].tolist() == ["0007", "0007", "7", "2.5", "2025-03-01", "TRUE"]


def test_worksheet_is_found_by_name(tmp_path):
    path = workbook(tmp_path, Cases=[["a"], ["1"]], Clinical=[["b"], ["2"]], Notes=[])
    assert list(read_sheet(path, "clinical").columns) == ["b"]
    with refusal("worksheet-ambiguous", StudyError, match="worksheets Cases, Clinical"):
        read_sheet(path, "dictionary")
    with refusal("worksheet-ambiguous", StudyError, match="an empty workbook"):
        read_sheet(workbook(tmp_path, Empty=[]))


def test_failed_formula_is_named(tmp_path):
    path = workbook(tmp_path, S=[["id"], ["#N/A"]])
    book = openpyxl.load_workbook(path)
    book.active["A2"].data_type = "e"
    book.save(path)
    with refusal("cell-failed-formula", StudyError, match="cell A2"):
        read_sheet(path)


def test_parquet_loses_no_zero_and_adds_no_point(tmp_path):
    path = tmp_path / "t.parquet"
    pd.DataFrame(
        {"id": ["007", "8"], "n": [1, 2], "gap": [1.0, None], "x": [0.1, 2.0], "b": [True, False]}
    ).to_parquet(path)
    sheet = read_sheet(path)
    assert list(sheet.index) == [2, 3]
    assert sheet.to_numpy().tolist() == [
        ["007", "1", "1", "0.1", "TRUE"],
        ["8", "2", None, "2", "FALSE"],
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
    with refusal("column-without-name", StudyError):
        read_sheet(path)


def test_a_column_that_stands_there_twice_is_read_once(tmp_path, caplog):
    caplog.set_level("INFO")
    path = tmp_path / "t.csv"
    path.write_text("id,x,x,y\na,1,1,3\nb,2, 2,4\n", encoding="utf-8")
    assert read_sheet(path).to_numpy().tolist() == [["a", "1", "3"], ["b", "2", "4"]]
    assert column_names(path) == ["id", "x", "y"]
    assert "columns that stand there twice: x" in caplog.text


@pytest.mark.parametrize(
    ("data", "name", "code", "words"),
    [
        ("id,x\n1,2,3\n", "t.csv", "row-too-wide", "row 2"),
        ("id,id\n1,2\n", "t.csv", "column-name-repeated", ""),
        ("id,,x\n1,2,3\n", "t.csv", "column-without-name", "column 2"),
        ("id,x\n", "t.csv", "table-without-rows", ""),
        ("", "t.csv", "table-without-rows", ""),
        ('id,x\n1,"2\n', "t.csv", "csv-quote-open", ""),
        (b"id,x\n1,\x81\x00\x82\n", "t.csv", "table-encoding-unknown", ""),
        (b"\xef\xbb\xbfid\n\xff\n", "t.csv", "table-encoding-unknown", ""),
        ("x", "t.xlsx", "workbook-unreadable", ""),
        ("x", "t.parquet", "parquet-damaged", ""),
        ("x", "t.xls", "table-of-unknown-kind", ""),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, data, name, code, words):
    with refusal(code, StudyError, match=words):
        read_sheet(write(tmp_path, data, name))


def test_a_missing_table_is_named(tmp_path):
    with refusal("table-not-found", StudyError, match=r"none\.csv"):
        read_sheet(tmp_path / "none.csv")


def test_trailing_empty_columns_are_cut(tmp_path):
    sheet = read_sheet(write(tmp_path, "id,x,,\n1,2,,\n3\n"))
    assert sheet.to_numpy().tolist() == [["1", "2"], ["3", None]]


def test_encoding_found_is_returned():
    for text in ("naïf,x\n", "naïve,Müßig\n"):
        assert decode(text.encode("cp1252"), "t") == (text, "cp1252")
    assert decode("椎体\n".encode("gb18030"), "t") == ("椎体\n", "gb18030")


# --- workbooks: every cell, as the grid shows it --------------------------------------------------


def edited(path, pattern, new, part="sheet1.xml"):
    """Rewrite the XML of a part of a workbook."""
    with zipfile.ZipFile(path) as source:
        parts = {name: source.read(name) for name in source.namelist()}
    changed = {
        name: re.sub(pattern, new, content) if name.endswith(part) else content
        for name, content in parts.items()
    }
    assert changed != parts
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in changed.items():
            target.writestr(name, content)
    return path


TABLE = [["id", "a", "b"], ["P1", 1.5, "x"], ["P2", 2.5, "y"]]


@pytest.mark.parametrize("claimed", [b"A1:B2", b"A1", b"B2:C3", b"A1:XFD1048576", b"nonsense"])
def test_the_size_that_a_worksheet_claims_is_not_believed(tmp_path, claimed):
    path = workbook(tmp_path, S=TABLE)
    edited(path, rb'<dimension ref="[^"]*"', b'<dimension ref="' + claimed + b'"')
    if claimed == b"nonsense":
        with refusal("workbook-unreadable", StudyError):
            read_sheet(path)
        return
    assert read_sheet(path).to_numpy().tolist() == [["P1", "1.5", "x"], ["P2", "2.5", "y"]]
    assert column_names(path) == ["id", "a", "b"]


def test_formulas_without_a_result_are_refused(tmp_path):
    path = workbook(tmp_path, S=[["id", "bmi"], ["P1", "=60/2"], ["P2", 24]])
    with refusal(
        "formulas-not-computed", StudyError, match=r"1 formulas without a result.*cell B2.*save it"
    ):
        read_sheet(path)
    # As a spreadsheet saves it: the results are there, and nothing is left to be computed.
    edited(path, rb"<v ?/>|<v></v>", b"<v>30</v>")
    with refusal("formulas-not-computed", StudyError, match="formulas without a result"):
        read_sheet(path)  # the workbook says that its results are still to be computed
    edited(path, rb' fullCalcOnLoad="1"', b"", part="workbook.xml")
    assert read_sheet(path)["bmi"].tolist() == ["30", "24"]
    # A text of no letters is a result.
    edited(path, rb'<c r="B2"[^>]*>(.*?)<v>30</v>', rb'<c r="B2" t="str">\1<v></v>')
    assert read_sheet(path)["bmi"].tolist() == [None, "24"]


def test_merged_cells_are_refused_unless_they_hold_nothing(tmp_path):
    path = workbook(tmp_path, S=[*TABLE, ["P3", 1, None]])
    book = openpyxl.load_workbook(path)
    book.active.merge_cells("E1:F9")
    book.active.merge_cells("C4:D4")
    book.save(path)
    assert len(read_sheet(path)) == 3
    book.active.merge_cells("A3:A4")
    book.save(path)
    with refusal("cells-merged", StudyError, match="A3:A4"):
        read_sheet(path)


def test_hidden_rows_and_columns_are_read_and_told(tmp_path, caplog):
    path = workbook(tmp_path, S=TABLE)
    book = openpyxl.load_workbook(path)
    book.active.row_dimensions[3].hidden = True
    book.active.column_dimensions["B"].hidden = True
    book.save(path)
    assert len(read_sheet(path)) == 2
    assert "1 rows are hidden, perhaps by a filter" in caplog.text
    assert "hidden columns are read like the others: B" in caplog.text


def test_hidden_worksheets_are_no_tables(tmp_path):
    path = workbook(tmp_path, Shown=TABLE, Old=[["id"], ["P9"]])
    book = openpyxl.load_workbook(path)
    book["Old"].sheet_state = "hidden"
    book.save(path)
    assert list(read_sheet(path, "clinical")["id"]) == ["P1", "P2"]
    with refusal("worksheet-hidden", StudyError, match="Old"):
        read_sheet(path, "old")
    book["Shown"].delete_rows(1, 9)
    book.save(path)
    with refusal("worksheet-hidden", StudyError):
        read_sheet(path)


def test_ids_show_the_letters_and_zeros_of_their_format(tmp_path):
    path = workbook(tmp_path, S=[["id", "x"], [7, 1], [12, 2]])
    book = openpyxl.load_workbook(path)
    book.active["A2"].number_format = book.active["A3"].number_format = '"P"000'
    book.save(path)
    assert read_sheet(path)["id"].tolist() == ["P007", "P012"]


@pytest.mark.parametrize(
    ("pattern", "new", "part", "code", "words"),
    [
        (rb'<c r="A2" t="inlineStr">.*?</c>', b'<c r="A2" t="s"><v>99</v></c>', "sheet1.xml",
         "workbook-unreadable", "text or format is not in the file.*near cell A2"),
        (rb'<c r="A2" t="inlineStr">.*?</c>', b'<c r="A2" t="b"><v>x</v></c>', "sheet1.xml",
         "workbook-unreadable", "near cell A2"),
        (rb"<v>1.5</v>", b"<v>1,5</v>", "sheet1.xml", "workbook-unreadable", "near cell B2"),
        (rb'r="B3"', b'r="B2"', "sheet1.xml", "workbook-unreadable", "near cell"),
        (rb'<row r="3"', b'<row r="2"', "sheet1.xml", "workbook-unreadable", ""),
        (rb'r="C3"', b'r="ZZZ3"', "sheet1.xml", "workbook-unreadable", ""),
        (rb"</sheetData>.*", b"", "sheet1.xml", "workbook-unreadable", ""),
        (rb"worksheets/sheet1", b"worksheets/sheet7", "workbook.xml.rels",
         "workbook-unreadable", ""),
        (rb"http://schemas.openxmlformats.org/spreadsheetml/2006/main",
         b"http://purl.oclc.org/ooxml/spreadsheetml/main", "workbook.xml", "workbook-strict", ""),
    ],
)  # fmt: skip
def test_a_workbook_whose_parts_do_not_fit_is_refused(tmp_path, pattern, new, part, code, words):
    path = workbook(tmp_path, S=TABLE)
    edited(path, pattern, new, part)
    with refusal(code, StudyError, match=words):
        read_sheet(path)


def test_a_flipped_bit_in_any_part_of_a_workbook_is_seen(tmp_path):
    path = workbook(tmp_path, S=TABLE)
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        part = archive.getinfo("xl/worksheets/sheet1.xml")
    at = part.header_offset + 30 + len(part.filename) + part.compress_size // 2
    path.write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
    with refusal("workbook-unreadable", StudyError, match="a damaged file"):
        read_sheet(path)


def test_an_encrypted_or_old_workbook_is_named(tmp_path):
    with refusal("workbook-unreadable", StudyError, match=r"a password, or of Excel 97-2003"):
        read_sheet(write(tmp_path, b"\xd0\xcf\x11\xe0" + bytes(600), "t.xlsx"))


def test_a_workbook_of_too_much_is_refused_before_it_is_read(tmp_path, monkeypatch):
    rows = b"".join(b'<row r="%d">%s</row>' % (n, b"<c/>" * 500) for n in range(3, 5000))
    path = edited(workbook(tmp_path, S=TABLE), rb"</sheetData>", rows + b"</sheetData>")
    assert path.stat().st_size < 100_000
    with refusal(
        "workbook-too-large", StudyError, match=r"at most 2 million cells.*Remedy: save the table"
    ):
        read_sheet(path)
    monkeypatch.setattr(workbooks, "MOST_EXCEL_BYTES", 10_000)
    with refusal("workbook-too-large", StudyError):
        read_sheet(path)


WIDE = [["id", "a", "b", "c", "d"], ["P1", 1.5, "x", 2, 3], ["P2", 2.5, "y", 4, 5]]


@pytest.mark.parametrize("rows", [1, 2])
def test_a_title_above_the_header_is_one_error(tmp_path, rows):
    titles = [["Cohort, synthetic"], ["as of spring"]][:rows]
    path = workbook(tmp_path, S=[*titles, *WIDE])
    words = "row 1 looks like a title, and row 2" if rows == 1 else "rows 1 to 2 look like a title"
    with refusal("header-below-title", StudyError, match=words) as refused:
        read_sheet(path)
    assert "problems" not in str(refused.value)
    for sign in ",;\t":
        lines = [sign.join(map(str, row)) for row in [*titles, *WIDE]]
        with refusal("header-below-title", StudyError, match=words):
            read_sheet(write(tmp_path, "\n".join(lines) + "\n"))
    # The remedy, typed:
    assert read_sheet(workbook(tmp_path, S=WIDE)).shape == (2, 5)


# --- Parquet ------------------------------------------------------------------------------------


def test_a_parquet_index_is_a_column(tmp_path):
    path = tmp_path / "t.parquet"
    table = pd.DataFrame({"patient_id": ["a", "b"], "roi": [1, 2], "x": [0.5, 1.5]})
    for index in (["patient_id"], ["patient_id", "roi"]):
        table.set_index(index).to_parquet(path)
        sheet = read_sheet(path)
        assert sheet[["patient_id", "roi", "x"]].to_numpy().tolist() == [
            ["a", "1", "0.5"], ["b", "2", "1.5"]]  # fmt: skip
        assert sorted(column_names(path)) == ["patient_id", "roi", "x"]
    nameless = table.drop(columns="roi").set_index("patient_id").rename_axis(None)
    nameless.to_parquet(path)
    assert read_sheet(path).columns.tolist() == ["Unnamed: 0", "x"] == column_names(path)
    # A number for each row is none of the table's columns.
    table.set_axis([0, 1]).to_parquet(path, index=True)
    assert column_names(path) == ["patient_id", "roi", "x"]


def test_parquet_columns_of_every_kind_are_text(tmp_path):
    path = tmp_path / "t.parquet"
    day = datetime.datetime(2025, 3, 1)
    table = pa.table(
        {
            "category": pa.array(["x", None]).dictionary_encode(),
            "decimal": pa.array([decimal.Decimal("1.50"), decimal.Decimal("2.00")]),
            "day": pa.array([day, day + datetime.timedelta(hours=1)], pa.timestamp("ns")),
            "bytes": pa.array([b"P1", b"P2"]),
            "whole": pa.array([7, None], pa.int64()),
            "null": pa.nulls(2),
            "0": pa.array([1.5, float("nan")], pa.float32()),
        }
    )
    pq.write_table(table, path)
    assert read_sheet(path).to_numpy().tolist() == [
        ["x", "1.50", "2025-03-01", "P1", "7", None, "1.5"],
        [None, "2", "2025-03-01T01:00:00", "P2", None, None, None],
    ]
    numbered = pd.DataFrame({0: [1.0], 1: [2.0]}, index=pd.Index(["a"], name="id"))
    numbered.to_parquet(path)
    assert read_sheet(path).to_numpy().tolist() == [["a", "1", "2"]]


def test_parquet_that_is_no_table_of_single_values_is_one_error(tmp_path):
    path = tmp_path / "t.parquet"
    levels = pd.DataFrame([[1.0, 2.0]], columns=pd.MultiIndex.from_product([["a"], ["x", "y"]]))
    levels.to_parquet(path)
    with refusal("header-of-several-rows", StudyError, match="2 levels"):
        read_sheet(path)
    # The remedy, typed:
    levels.columns = ["_".join(map(str, name)) for name in levels.columns]
    levels.to_parquet(path)
    assert read_sheet(path).columns.tolist() == ["a_x", "a_y"]
    pq.write_table(pa.table({"id": ["a"], "list": [[1, 2]]}), path)
    with refusal("parquet-column-type", StudyError, match="column list"):
        read_sheet(path)
    pq.write_table(pa.table({"id": ["a"], "raw": [b"\xff\xfe"]}), path)
    with refusal("parquet-column-type", StudyError, match="column raw"):
        read_sheet(path)
    pq.write_table(pa.table([pa.array([1]), pa.array([2])], names=["x", "x"]), path)
    with refusal("column-name-repeated", StudyError):
        read_sheet(path)


def test_a_page_with_a_checksum_is_checked(tmp_path):
    path = tmp_path / "t.parquet"
    table = pa.table({"id": ["a", "b"], "x": np.array([1.25, 2.5])})
    pq.write_table(table, path, compression="none", use_dictionary=False, write_page_checksum=True)
    data = bytearray(path.read_bytes())
    values = np.array([1.25, 2.5]).tobytes()
    assert data.count(values) == 1
    data[data.index(values) + 6] ^= 1
    path.write_bytes(data)
    with refusal("parquet-damaged", StudyError, match="a damaged file"):
        read_sheet(path)


# --- text ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\r\r\n"])
def test_lines_end_in_any_way(tmp_path, end):
    path = write(tmp_path, end.join(["id,x", "a,1", '"b","2"', ""]))
    assert read_sheet(path).to_numpy().tolist() == [["a", "1"], ["b", "2"]]
    assert column_names(path) == ["id", "x"]


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b"id,x\na,1\nb,\0\0\0\nc,3\n", "table-zero-bytes", "line 3"),
        (b"id,x\na,1\rb,2\nc,3\n", "csv-line-ends-mixed", "line 2"),
        (b"id,x,y\na,1,2\nb,2", "table-cut-short", "row 3"),
        (b'id,x,y\na,"1,2\nb,3,4\nc,5",6\n', "csv-quote-open", "a cell that holds whole rows"),
        (b"id,x\na," + b"9" * 40_000 + b"\n", "cell-too-long", "at most 32,767 characters"),
        (b"id,x\na," + b"9" * 200_000 + b"\n", "cell-too-long", "at most 32,767 characters"),
        (b"id,x\na,#DIV/0!\n", "cell-failed-formula", "row 2, column x"),
        (b"id,x\na,########\n", "cell-failed-formula", "widen the column"),
        (b"id,x\n" + b"a,1,2\n" * 60, "row-too-wide", "60 rows with more"),
    ],
)
def test_damaged_text_is_one_error(tmp_path, data, code, words):
    with refusal(code, StudyError, match=words) as refused:
        read_sheet(write(tmp_path, data))
    assert "problems" not in str(refused.value)


def test_marks_without_width_are_no_part_of_a_value(tmp_path):
    text = "\ufeff\ufeffid,x\u200b\n\u200eP1\u200b,\u00a0yes\ufeff\n"
    sheet = read_sheet(write(tmp_path, text))
    assert sheet.columns.tolist() == ["id", "x"]
    assert sheet.to_numpy().tolist() == [["P1", "yes"]]


def test_a_packed_table_is_unpacked_within_limits(tmp_path, monkeypatch):
    good = gzip.compress(b"id,x\na,1\n") + gzip.compress(b"b,2\n")
    assert len(read_sheet(write(tmp_path, good, "t.csv.gz"))) == 2
    for damage in (good[:-9], good + b"x", good[:14] + bytes([good[14] ^ 1]) + good[15:]):
        with refusal("table-gzip-damaged", StudyError):
            read_sheet(write(tmp_path, damage, "t.csv.gz"))
    monkeypatch.setattr(table_text, "MOST_BYTES", 1_000_000)
    with refusal("table-too-large", StudyError, match="MB, unpacked"):
        read_sheet(write(tmp_path, gzip.compress(bytes(2_000_000)), "t.csv.gz"))


def test_a_table_of_too_much_is_refused(tmp_path, monkeypatch):
    path = write(tmp_path, "id,x\na,1\nb,2\n")
    monkeypatch.setattr(delimited, "MOST_CELLS", 4)
    with refusal("table-too-large", StudyError):
        read_sheet(path)
    monkeypatch.setattr(table_limits, "MOST_BYTES", 4)
    with refusal("table-too-large", StudyError):
        read_sheet(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_a_table_without_the_right_to_read_it_is_the_machines_fault(tmp_path):
    path = write(tmp_path, "id,x\na,1\n")
    path.chmod(0)
    with refusal("file-not-readable", MachineError):
        read_sheet(path)


def test_a_folder_is_no_table(tmp_path):
    (tmp_path / "t.csv").mkdir()
    with refusal("table-not-found", StudyError, match="Found: a folder"):
        read_sheet(tmp_path / "t.csv")


def test_damaged_utf8_is_not_taken_for_another_encoding(tmp_path):
    good = bytearray("id,Größe,Geschlecht\n1,übel,männlich\n2,heiß,weiblich\n".encode())
    good[good.index("ü".encode())] ^= 0x40
    with refusal("table-letter-damaged", StudyError, match="line 2"):
        read_sheet(write(tmp_path, bytes(good)))
    # Each of these characters happens to be right in UTF-8.
    women = "编号,性别\n" + "".join(f"{n},女\n" for n in range(90))
    assert read_sheet(write(tmp_path, women.encode("gb18030"))).iloc[0].tolist() == ["0", "女"]
