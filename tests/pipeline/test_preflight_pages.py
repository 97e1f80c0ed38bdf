"""The pages of the preflight: worst first, complete, offline, and quick with 20,000 masks."""

from __future__ import annotations

import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from pipeline.core.findings import Finding, status_of, to_json
from pipeline.preflight_pages import ROWS_PER_PAGE, counts_of, rows_of, table_script, write_pages

BORDER = Finding("mask-touches-border", "warning", "The mask touches the edge", "look")
FAILED = Finding("mask-failed", "error", "A mask must not be <empty> & lost", "draw it")
CT_FAILED = Finding("ct-failed", "error", "Slices are missing", "export again", about="ct")
CLEFT = Finding("vacuum-cleft", "info", "3% of the region are gas")


def table(*rows: tuple[str, str, list[Finding]]) -> pd.DataFrame:
    """Return preflight.parquet of (case, reader, findings)."""
    return pd.DataFrame(
        {
            "case_id": case,
            "scan_id": f"s{case}",
            "patient_id": f"p{case}",
            "level": "L1",
            "reader": reader,
            "verdict": status_of(found),
            "findings": to_json(found),
            "image_file": f"data/{case}/dicom",
            "mask_file": f"data/{case}_{reader}.nrrd",
        }
        for case, reader, found in rows
    )


def facts(verdicts: pd.DataFrame) -> pd.DataFrame:
    known = verdicts[["case_id", "reader"]].copy()
    known["volume_ml"] = [21.26, *[None] * (len(known) - 1)]
    for name in ("tissue_hu", "gas_share", "dense_share"):
        known[name] = 0.01
    for axis in "xyz":
        known[f"extent_{axis}_mm"] = 30.0
    return known


def written(folder: Path, verdicts: pd.DataFrame, pictures=(), stops=False) -> Path:
    folder.mkdir()
    write_pages(verdicts, facts(verdicts), pictures, folder, study="demo", stops=stops)
    return folder


SOME = table(
    ("c1", "A", []),
    ("c1", "B", [CLEFT, BORDER]),
    ("c2", "A", [CT_FAILED]),
    ("c3", "A", [FAILED, BORDER]),
    ("c4", "A", [CT_FAILED]),
    ("c5", "A", [CLEFT]),
)


def text_of(page: Path) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page.read_text("utf-8"))).split())


def test_what_must_be_mended_comes_first_and_equal_faults_together():
    rows = rows_of(SOME)
    assert [(row["case_id"], row["reader"]) for row in rows] == [
        ("c2", "A"),
        ("c4", "A"),
        ("c3", "A"),
        ("c1", "B"),
        ("c5", "A"),
        ("c1", "A"),
    ]
    assert [one["code"] for one in rows[3]["findings"]] == ["mask-touches-border", "vacuum-cleft"]


def test_every_row_names_file_finding_and_remedy():
    rows = {row["case_id"]: row for row in rows_of(SOME)}
    assert rows["c2"]["findings"][0]["file"] == "data/c2/dicom"  # a finding about the CT
    assert rows["c3"]["findings"][0]["file"] == "data/c3_A.nrrd"
    assert rows["c3"]["findings"][0]["remedy"] == "draw it"


def test_findings_are_counted_by_mask():
    assert counts_of(rows_of(SOME)) == [
        {"severity": "error", "code": "ct-failed", "masks": 2},
        {"severity": "error", "code": "mask-failed", "masks": 1},
        {"severity": "warning", "code": "mask-touches-border", "masks": 2},
        {"severity": "info", "code": "vacuum-cleft", "masks": 2},
    ]


def test_the_list_and_the_pages_of_the_cases(tmp_path):
    pictures = tmp_path / "batch"
    pictures.mkdir()
    (pictures / "c1.png").write_bytes(b"picture")
    (pictures / "gone.png").write_bytes(b"of a case that the study no longer has")
    folder = written(tmp_path / "pages", SOME, [pictures])
    index = (folder / "index.html").read_text("utf-8")
    assert "6 masks: 3 with errors, 1 with warnings, 2 without either" in text_of(
        folder / "index.html"
    )
    assert "on_bad_case: exclude" in index
    assert "&lt;empty&gt; &amp; lost" in index
    assert 'href="cases/c3.html"' in index
    assert [path.name for path in (folder / "pictures").iterdir()] == ["c1.png"]
    assert {path.stem for path in (folder / "cases").iterdir()} == set(SOME["case_id"])
    case = (folder / "cases" / "c1.html").read_text("utf-8")
    assert 'src="../pictures/c1.png"' in case
    shown = text_of(folder / "cases" / "c1.html")
    assert "21.3" in shown
    assert "data/c1_A.nrrd none" in shown
    assert "There is no picture" in text_of(folder / "cases" / "c2.html")


def test_a_study_that_stops_says_so(tmp_path):
    assert "on_bad_case: stop" in text_of(written(tmp_path / "p", SOME, stops=True) / "index.html")


def test_a_study_without_a_mask_has_a_page(tmp_path):
    assert "0 masks: 0 with errors" in text_of(written(tmp_path / "p", SOME[:0]) / "index.html")


class Links(HTMLParser):
    """Collects what a page links and loads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ("href", "src")]


def test_the_folder_is_whole_and_needs_no_network(tmp_path):
    folder = written(tmp_path / "pages", SOME)
    for page in folder.rglob("*.html"):
        links = Links()
        links.feed(page.read_text("utf-8"))
        assert links.found
        for link in links.found:
            path, _, _ = link.partition("#")
            assert (page.parent / path).exists(), (page, link)
    for path in folder.rglob("*"):
        if path.is_file():
            assert "http" not in path.read_text("utf-8"), path


def test_the_script_holds_every_row():
    script = table_script(rows_of(SOME))
    packed = re.fullmatch(r"window\.preflight\.receive\(\.\.\.(.*)\);\n", script)
    texts, rows = json.loads(packed[1])
    assert len(rows) == len(SOME)
    assert rows[0][:4] == ["error", "c2", "L1", "A"]
    ((severity, code, message, remedy, file),) = rows[0][5]
    assert (severity, texts[code], texts[remedy]) == ("error", "ct-failed", "export again")
    assert texts[message] == "CT: Slices are missing"
    assert file == "data/c2/dicom"
    assert rows[2][5][0][4] == ""  # the mask's own file is not said twice
    assert script.isascii()


@pytest.fixture(scope="module")
def many() -> pd.DataFrame:
    """Return 20,000 masks of 10,000 cases, every third with something to mend."""
    kinds = ([], [CLEFT], [BORDER], [FAILED], [BORDER, CLEFT], [])
    return table(
        *(
            (f"case-{case:05d}", reader, kinds[(7 * case + place) % 6])
            for case in range(10_000)
            for place, reader in enumerate("AB")
        )
    )


def test_twenty_thousand_masks_stay_in_pages_that_open(tmp_path, many):
    folder = written(tmp_path / "pages", many)
    pages = list(folder.glob("*.html"))
    assert len(pages) == len(many) / ROWS_PER_PAGE
    assert max(page.stat().st_size for page in pages) < 200_000
    assert max(page.stat().st_size for page in (folder / "cases").iterdir()) < 10_000
    assert (folder / "rows.js").stat().st_size < 4_000_000
    shown = [re.findall(r"cases/([\w-]+)\.html", page.read_text("utf-8")) for page in pages]
    assert sum(map(len, shown)) == len(many)
    assert 'class="verdict error"' in (folder / "index.html").read_text("utf-8")
    assert 'class="verdict error"' not in (folder / "page-100.html").read_text("utf-8")
