"""Damaged tables and configurations: each ends in one clear error, or reads as another reader does.

`python -m tests.fuzz.tables --files 5000` tries them; `test_fuzz_tables.py` runs a part of them. A
digit of a text table that became another cannot be seen, so what is accepted is compared with what
another reader makes of the same bytes; what carries checksums has to read as written.
"""

from __future__ import annotations

import gzip
import io
import logging
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from pipeline.core.errors import VertebromicsError
from pipeline.study.config import load_yaml
from pipeline.tables.clinical.clinical_table import read_clinical
from pipeline.tables.dictionary import read_dictionary
from pipeline.tables.features.feature_tables import read_features
from pipeline.tables.files.sheets import column_names, read_sheet
from pipeline.tables.values.formula import Formula
from tests.fuzz.damage import damaged
from tests.fuzz.driver import SECONDS, arguments, try_all

SEED = 20251128
ROWS = 24
NAMES = [
    "original_firstorder_Mean",
    "original_glcm_Idm",
    "wavelet-LLH_glcm_Idm",
    "scanner",
    "größe",
]

Table = list[list[str]]


@dataclass(frozen=True)
class Original:
    """A good file, and who else reads it.

    Attributes
    ----------
    name : str
        What it is.
    suffix : str
        How the file's name ends.
    content : bytes
        The file.
    reference : callable
        Returns what the bytes hold according to another reader, or raises whatever it likes.
    inside : tuple of str
        Parts of a workbook that are damaged before it is packed; none: the file itself is.
    """

    name: str
    suffix: str
    content: bytes
    reference: Callable[[bytes], object]
    inside: tuple[str, ...] = ()


def table() -> pd.DataFrame:
    """Return a small table of features with words, gaps and signs."""
    rng = np.random.default_rng(SEED)
    made = pd.DataFrame({name: rng.normal(size=ROWS).round(6) for name in NAMES[:3]})
    made.insert(0, "patient_id", [f"P{n:03d}" for n in range(ROWS)])
    made[NAMES[3]] = np.where(np.arange(ROWS) % 3, "Modell A, alt", 'Größe "B"')
    made[NAMES[4]] = [None if n % 5 == 0 else f"{n / 4:.2f}" for n in range(ROWS)]
    made.loc[3, NAMES[1]] = np.nan
    return made


def _text(**options) -> str:
    return table().to_csv(index=False, **options)


def _workbook(*, shared: bool) -> bytes:
    """Return a workbook; with shared texts, as Excel writes it, or with texts inline."""
    stream = io.BytesIO()
    table().to_excel(stream, index=False, sheet_name="features")
    if not shared:
        return stream.getvalue()
    texts: list[str] = []

    def number(match) -> bytes:
        texts.append(match[2].decode())
        return match[1] + b' t="s"><v>%d</v></c>' % (len(texts) - 1)

    import re

    with zipfile.ZipFile(stream) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    pattern = rb'(<c r="[A-Z]+\d+"(?: s="\d+")?) t="inlineStr"><is><t>(.*?)</t></is></c>'
    sheet = "xl/worksheets/sheet1.xml"
    parts[sheet] = re.sub(pattern, number, parts[sheet])
    assert len(texts) > ROWS
    items = "".join(f"<si><t>{text}</t></si>" for text in texts)
    parts["xl/sharedStrings.xml"] = (
        '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">' + items + "</sst>"
    ).encode()
    kinds = "[Content_Types].xml"
    if b"sharedStrings" not in parts[kinds]:
        one = (
            b'<Override PartName="/xl/sharedStrings.xml" ContentType="application/vnd.openxml'
            b'formats-officedocument.spreadsheetml.sharedStrings+xml"/></Types>'
        )
        parts[kinds] = parts[kinds].replace(b"</Types>", one)
    return _packed(parts)


def _packed(parts: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _parquet(**options) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(table().set_index("patient_id")), stream, **options)
    return stream.getvalue()


CONFIG = """\
study: fuzzed
title: "Pain, and {what}"   # a remark
features: {A: A.csv, B: "B.csv"}
seed: 2025
outcome:
  name: pain
  formula: vas >= 4 and not (age < 50)
split: {design: holdout, test_fraction: 0.3}
base: &base [1, 2.5, yes, 2025-03-01]
again: [*base, *base]
"""
FORMULA = "(vas_3 >= 4 and vas_30 > 3.5) or not (age - 2 * vas_3 < 50) or vas_30 in (1, 2, 7)"


def originals() -> list[Original]:
    """Return the good files."""
    written = _cells(table().astype(object).where(table().notna(), None))
    same = lambda _: written  # noqa: E731
    shared = _workbook(shared=True)
    parts = ("xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/styles.xml", "xl/workbook.xml")
    comma = _text().encode()
    return [
        Original("csv", ".csv", comma, _pandas_csv(",", "utf-8")),
        Original("csv-semicolon", ".csv", _text(sep=";", decimal=",").encode("cp1252"),
                 _pandas_csv(";", "cp1252")),
        Original("csv-cr", ".csv", _text(lineterminator="\r").encode(), _pandas_csv(",", "utf-8")),
        Original("tsv-utf16", ".tsv", _text(sep="\t").encode("utf-16"),
                 _pandas_csv("\t", "utf-16")),
        Original("csv-gz", ".csv.gz", gzip.compress(comma, mtime=0), same),
        Original("xlsx", ".xlsx", _workbook(shared=False), same),
        Original("xlsx-shared", ".xlsx", shared, same),
        Original("xlsx-xml", ".xlsx", shared, _openpyxl, parts),
        Original("parquet-checked", ".parquet", _parquet(write_page_checksum=True), _pyarrow),
        Original("parquet-zstd", ".parquet", _parquet(compression="zstd"), _pyarrow),
        Original("parquet-plain", ".parquet", _parquet(compression="none", use_dictionary=False),
                 _pyarrow),
        Original("yaml", ".yaml", CONFIG.encode(), lambda data: yaml.safe_load(data.decode())),
        Original("formula", ".txt", FORMULA.encode(), _python),
    ]  # fmt: skip


def _cells(values: pd.DataFrame) -> Table:
    """Return header and rows as texts, numbers written one way."""
    return [list(map(str, values.columns)), *([_same(v) for v in row] for row in values.to_numpy())]


def _same(value: object) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    text = str(value).strip()
    try:
        return repr(float(text)) if not text.startswith(("+", "0x")) else text
    except ValueError:
        return text


def _pandas_csv(sep: str, encoding: str) -> Callable[[bytes], Table]:
    def read(data: bytes) -> Table:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            text = data.decode("cp1252" if encoding == "utf-8" else encoding)
        held = pd.read_csv(
            io.StringIO(text.lstrip("\ufeff")), sep=sep, header=None, names=range(40), dtype=str,
            keep_default_na=False, na_values=[""],
        )  # fmt: skip
        held = held.dropna(how="all").dropna(how="all", axis=1)
        return [[_same(cell) for cell in row] for row in held.to_numpy(object)]

    return read


def _openpyxl(data: bytes) -> Table:
    page = openpyxl.load_workbook(io.BytesIO(data), data_only=True).worksheets[0]
    rows = [[_same(cell) for cell in row] for row in page.iter_rows(values_only=True)]
    return [row for row in rows if any(row)]


def _pyarrow(data: bytes) -> Table:
    held = pq.read_table(pa.BufferReader(data))
    values = pd.DataFrame(
        {name: held[name].to_pylist() for name in held.column_names}, dtype=object
    )
    return _cells(values[sorted(values)])


PATIENTS = pd.DataFrame(
    {"vas_3": [1.0, 5, 7, 2], "vas_30": [2.0, 4, 3, 7], "age": [71.0, 48, 66, 50]}
)


def _python(data: bytes) -> list[bool]:
    text, rows = data.decode(), PATIENTS.to_dict("records")
    code = compile(text.replace("\n", " ").strip(), "formula", "eval")
    return [bool(eval(code, {"__builtins__": {}}, row)) for row in rows]


class Judge:
    """Reads files as the stages do, and compares what they accept with other readers.

    Parameters
    ----------
    folder : pathlib.Path
        Working folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "d.csv").write_text(
            "column,label,type,unit,levels,timing,role\n"
            f"{NAMES[0]},,continuous,,,preoperative,predictor\n"
            f"{NAMES[3]},,categorical,,,preoperative,other\n",
            encoding="utf-8",
        )
        self.dictionary = read_dictionary(folder / "d.csv")

    def verdict(self, original: Original, content: bytes) -> str:
        """Read `content` in the place of an original.

        Returns
        -------
        str
            ``refused: <message>``, ``accepted``, or ``FAILURE: <what is wrong>``.
        """
        path = self.folder / f"t{original.suffix}"
        path.write_bytes(content)
        begun = time.monotonic()
        try:
            found = self._read(original, path, content)
        except VertebromicsError as error:
            text = str(error)
            if len(text) > 4000 or "Traceback" in text:
                return f"FAILURE: no clear sentence: {text[:200]}"
            return f"refused: {text}"
        except Exception as error:
            return f"FAILURE: {type(error).__name__} in place of a clear error: {error}"
        if time.monotonic() - begun > SECONDS / 2:
            return "FAILURE: too slow"
        return _compared(found, original, content)

    def _read(self, original: Original, path: Path, content: bytes) -> object:
        if original.name == "yaml":
            return load_yaml(path)
        if original.name == "formula":
            truth = Formula(content.decode("utf-8", "replace")).evaluate(PATIENTS)
            return truth.tolist()
        sheet = read_sheet(path)
        if column_names(path) != list(sheet.columns):
            raise AssertionError("header and table differ")
        for read in (
            lambda: read_features(path, "A", "patient_id"),
            lambda: read_clinical(path, self.dictionary, "patient_id"),
        ):
            try:
                read()
            except VertebromicsError:
                continue  # the cells that it holds are judged all the same
        # Where a Parquet file's index is lost among its columns, their order is.
        return _cells(sheet[sorted(sheet)] if original.suffix == ".parquet" else sheet)


def _compared(found: object, original: Original, content: bytes) -> str:
    try:
        expected = original.reference(content)
    except Exception:
        # Another reader refuses what we read: as a rule a remark that holds no value.
        return "accepted: alone"
    differs = _differs(found, expected)
    return f"FAILURE: read otherwise than another reader: {differs}" if differs else "accepted"


def _differs(found: object, expected: object) -> str:
    """Return what differs between two readings, or nothing."""
    if not isinstance(found, list) or not found or not isinstance(found[0], list):
        known = (
            [(a, b) for a, b in zip(found, expected, strict=True)]
            if isinstance(found, list)
            else [(found, expected)]
        )
        wrong = [(a, b) for a, b in known if a is not pd.NA and a != b]
        return str(wrong[0])[:200] if wrong else ""
    found, expected = _without_margins(found), _without_margins(expected)
    if [len(found), len(found[0])] != [len(expected), len(expected[0])]:
        return f"{len(found)} x {len(found[0])} cells, not {len(expected)} x {len(expected[0])}"
    for row, (mine, theirs) in enumerate(zip(found, expected, strict=True)):
        for a, b in zip(mine, theirs, strict=True):
            if a != b:
                return f"row {row}: {a!r}, not {b!r}"
    return ""


def _without_margins(rows: Table) -> Table:
    """Return a table without blank rows and columns, and without marks that have no width."""
    marks = "\ufeff\u200b\u2060\u200e\u200f"
    rows = [[_same(cell.strip().strip(marks)) for cell in row] for row in rows]
    rows = [row for row in rows if any(row)]
    width = max(map(len, rows), default=0)
    rows = [row + [""] * (width - len(row)) for row in rows]
    used = [at for at in range(width) if any(row[at] for row in rows)]
    return [[row[at] for at in used] for row in rows]


def broken(original: Original, number: int, seed: int = SEED) -> tuple[bytes, str]:
    """Return a damaged original, and the way."""
    if not original.inside:
        return damaged(original.content, seed, number)
    with zipfile.ZipFile(io.BytesIO(original.content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = original.inside[number // 7 % len(original.inside)]
    parts[name], way = damaged(parts[name], seed, number)
    return _packed(parts), f"{way} in {name}"


def main() -> None:
    """Try files, from `--first` on, and write two lines of JSON for each."""
    options = arguments(__doc__, 300, SEED).parse_args()
    logging.disable()
    with tempfile.TemporaryDirectory() as folder:
        # Every good file is read as the other reader reads it.
        judge = Judge(Path(folder))
        try_all(options, originals(), lambda original: original.content, broken, judge.verdict)


if __name__ == "__main__":
    main()
