"""One verdict per mask, a page that says what to mend, and a gate that can close."""

from __future__ import annotations

import html
import re

import pandas as pd
import pytest

from pipeline.core.errors import CaseError, StudyError
from pipeline.core.findings import Finding, from_json, status_of, to_json
from pipeline.preflight import judge, page_of, stop_on_errors

WARNING = Finding("mask-touches-border", "warning", "The mask touches the edge", "look")
ERROR = Finding("mask-failed", "error", "A mask must not be <empty> & lost", "draw it")
CT_ERROR = Finding("ct-failed", "error", "Slices are missing", "export again")
CT_WARNING = Finding("series-chosen", "warning", "The longest series was taken", "name it")


def tables(scans: dict[str, list[Finding]], masks: list[tuple]) -> tuple[pd.DataFrame, ...]:
    """Return ingest, masks and cases; masks as (case, scan, reader, findings, hash)."""
    ingested = pd.DataFrame(
        {"scan_id": scan, "status": status_of(found), "findings": to_json(found)}
        for scan, found in scans.items()
    )
    prepared, cases = [], []
    for case, scan, reader, found, mask_hash in masks:
        names = {"case_id": case, "scan_id": scan, "patient_id": "p", "level": "L1"}
        names["reader"] = reader
        prepared.append({**names, "findings": to_json(found), "mask_hash": mask_hash})
        cases.append(
            {**names, "image": f"data/{scan}", "mask": f"/home/someone/data/{case}_{reader}.nrrd"}
        )
    return ingested, pd.DataFrame(prepared), pd.DataFrame(cases)


def verdicts() -> pd.DataFrame:
    return judge(
        *tables(
            {"s1": [], "s2": [CT_ERROR], "s3": [CT_WARNING]},
            [
                ("c1", "s1", "B", [WARNING], "h2"),
                ("c1", "s1", "A", [], "h1"),
                ("c2", "s2", "A", [ERROR], None),
                ("c3", "s3", "A", [], "h3"),
                ("c4", "s1", "A", [ERROR, WARNING], None),
            ],
        )
    )


def test_a_verdict_is_the_worst_of_ct_and_mask():
    table = verdicts()
    assert table[["case_id", "reader", "verdict"]].to_numpy().tolist() == [
        ["c1", "A", "ok"],
        ["c1", "B", "warning"],
        ["c2", "A", "error"],
        ["c3", "A", "warning"],
        ["c4", "A", "error"],
    ]
    of_ct = from_json(table["findings"][2])
    assert [(one.code, one.message) for one in of_ct] == [("ct-failed", "CT: Slices are missing")]
    assert table["image_file"][2] == "data/s2"
    assert table["mask_file"][2] == "c2_A.nrrd"  # an absolute path is not shown


def test_equal_masks_of_two_readers_are_a_warning():
    table = judge(
        *tables(
            {"s1": []},
            [
                ("c1", "s1", "A", [], "same"),
                ("c1", "s1", "B", [], "same"),
                ("c2", "s1", "A", [], "same"),
                ("c2", "s1", "B", [], "other"),
            ],
        )
    )
    assert table["verdict"].tolist() == ["warning", "warning", "ok", "ok"]
    assert "equals that of reader B" in from_json(table["findings"][0])[0].message


def test_a_mask_that_no_stage_saw_is_an_error():
    ingested, masks, cases = tables({"s1": []}, [("c1", "s1", "A", [], "h")])
    with pytest.raises(CaseError, match="case c1, reader A"):
        judge(ingested, masks[:0], cases)
    with pytest.raises(CaseError, match="case c1, reader A"):
        judge(ingested[:0], masks, cases)


def test_the_page_lists_what_must_be_mended_first():
    page = page_of(verdicts(), "demo", stops=False)
    text = html.unescape(re.sub(r"<[^>]+>", " ", page))
    places = [text.index(phrase) for phrase in ("Slices are missing", "must not be", "was taken")]
    assert places == sorted(places)
    assert "Of 5 masks 2 with errors, 2 with warnings, 1 without a finding" in " ".join(
        text.split()
    )
    assert "&lt;empty&gt; &amp; lost" in page
    assert "on_bad_case: exclude" in page
    # A finding about the CT names the CT, one about the mask the mask.
    assert re.search(r"data/s2</td><td class=\"error\">\s*CT: Slices are missing", page)
    assert re.search(r"c4_A.nrrd</td><td class=\"error\">\s*A mask must", page)
    assert "/home" not in page
    assert not re.search(r"(src|href)=", page)


def test_the_gate_closes_on_errors_only():
    table = verdicts()
    with pytest.raises(StudyError, match="2 of 5 masks with errors") as caught:
        stop_on_errors(table)
    assert "c2 A: CT: Slices are missing" in str(caught.value)
    stop_on_errors(table[table["verdict"] != "error"])


def test_many_errors_are_counted_not_all_named():
    table = pd.concat([verdicts()] * 15)
    with pytest.raises(StudyError, match="and 10 more"):
        stop_on_errors(table)
