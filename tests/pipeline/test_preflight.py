"""One verdict per mask, what the whole cohort adds to it, and a gate that can close."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from pipeline.core.errors import CaseError, StudyError
from pipeline.core.findings import Finding, from_json, status_of, to_json
from pipeline.preflight import CompareOptions, compare, gather, judge, main, stop_on_errors
from pipeline.study.sections.imaging import Preflight
from tests.support.refusals import refusal

WARNING = Finding("mask-touches-border", "warning", "The mask touches the edge", "look")
ERROR = Finding("mask-failed", "error", "A mask must not be <empty> & lost", "draw it")
CT_ERROR = Finding("ct-failed", "error", "Slices are missing", "export again")
NOTE = Finding("vacuum-cleft", "info", "3% of the region are gas")
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
    handed_in = tables(
        {"s1": [], "s2": [CT_ERROR], "s3": [CT_WARNING]},
        [
            ("c1", "s1", "B", [NOTE, WARNING], "h2"),
            ("c1", "s1", "A", [NOTE], "h1"),
            ("c2", "s2", "A", [ERROR], None),
            ("c3", "s3", "A", [], "h3"),
            ("c4", "s1", "A", [WARNING, ERROR], None),
        ],
    )
    return judge(*handed_in, {})


def test_a_verdict_is_the_worst_of_ct_and_mask():
    table = verdicts()
    assert table[["case_id", "reader", "verdict"]].to_numpy().tolist() == [
        ["c1", "A", "ok"],  # a note leaves the verdict as it is
        ["c1", "B", "warning"],
        ["c2", "A", "error"],
        ["c3", "A", "warning"],
        ["c4", "A", "error"],
    ]
    of_ct = from_json(table["findings"][2])
    assert [(one.code, one.sentence) for one in of_ct] == [("ct-failed", "CT: Slices are missing")]
    assert table["image_file"][2] == "data/s2"
    assert table["mask_file"][2] == "c2_A.nrrd"  # an absolute path is not shown


def test_findings_stand_in_the_order_of_mending():
    table = verdicts()
    assert [one.severity for one in from_json(table["findings"][1])] == ["warning", "info"]
    assert [one.severity for one in from_json(table["findings"][4])] == ["error", "warning"]


def test_a_mask_that_no_stage_saw_is_an_error():
    ingested, masks, cases = tables({"s1": []}, [("c1", "s1", "A", [], "h")])
    with refusal("mask-not-processed", CaseError, match="case c1, reader A"):
        judge(ingested, masks[:0], cases, {})
    with refusal("mask-not-processed", CaseError, match="case c1, reader A"):
        judge(ingested[:0], masks, cases, {})


def compared(treated_level=None, clinical=None, **changed) -> dict[str, list[tuple[str, str]]]:
    """Return codes and severities by case, of two masks of L1 and L2 that nothing is wrong with."""
    _, masks, cases = tables({"s1": []}, [("c1", "s1", "A", [], "h1"), ("c2", "s1", "A", [], "h2")])
    masks[["centre_x_mm", "centre_y_mm"]] = 0.0
    masks["centre_z_mm"] = [34.0, 0.0]
    masks["dense_share"] = 0.0
    masks = masks.assign(level=["L1", "L2"], **changed)
    cases = cases.assign(level=["L1", "L2"], days_from_surgery=pd.array([-1, -1], dtype="Int64"))
    found = compare(
        masks,
        cases,
        clinical,
        CompareOptions(
            timing="preoperative",
            unit="patient",
            preflight=Preflight(treated_level=treated_level, max_dense_share=0.005),
        ),
    )
    return {
        case: [(one.code, one.severity) for one in findings]
        for (case, _), findings in found.items()
        if findings
    }


def test_nothing_is_found_where_nothing_is_wrong():
    assert compared() == {}
    clinical = pd.DataFrame({"patient_id": ["p"], "where": ["L1-L2"]})
    assert compared("where", clinical) == {}


def test_masks_are_compared_with_their_neighbours_and_the_clinical_table():
    assert set(compared(centre_z_mm=[0.0, 34.0])) == {"c1", "c2"}
    clinical = pd.DataFrame({"patient_id": ["p"], "where": ["L1"]})
    assert compared("where", clinical) == {"c2": [("level-not-treated", "error")]}


def test_cement_beside_the_treated_vertebra_is_a_warning():
    dense = {"dense_share": [0.2, 0.2]}
    assert compared(**dense)["c1"] == compared(**dense)["c2"] == [("dense-material", "error")]
    clinical = pd.DataFrame({"patient_id": ["p"], "where": ["L1"]})
    found = compared("where", clinical, **dense)
    assert found["c1"] == [("dense-material", "error")]
    assert found["c2"] == [("level-not-treated", "error"), ("dense-material", "warning")]


def test_the_cohort_adds_its_findings_when_batches_are_gathered():
    ingested = pd.DataFrame(
        {
            "scan_id": ["s1", "s2", "s3"],
            "patient_id": ["p1", "p2", "p3"],
            "image_hash": ["i1", "i2", "i3"],
            "orientation": ["LPS", "LPS", "RAS"],
        }
    )
    masks = pd.DataFrame(
        {
            "patient_id": ["p1", "p2", "p3"],
            "scan_id": ["s1", "s2", "s3"],
            "case_id": ["c1", "c2", "c3"],
            "reader": "A",
            "mask_hash": ["m", "m", "n"],
            "source_hash": ["f1", "f2", "f3"],
            "label": "1",
        }
    )
    row = {"level": "L1", "reader": "A", "image_file": "i", "mask_file": "m"}
    parts = [
        pd.DataFrame(
            [
                {
                    **row,
                    "case_id": case,
                    "scan_id": f"s{case[1]}",
                    "patient_id": f"p{case[1]}",
                    "verdict": status_of(found),
                    "findings": to_json(found),
                }
                for case, found in of_batch.items()
            ]
        )
        for of_batch in ({"c3": [NOTE], "c1": [WARNING]}, {"c2": []})
    ]
    table = gather(parts, ingested, masks)
    assert table[["case_id", "verdict"]].to_numpy().tolist() == [
        ["c1", "error"],
        ["c2", "error"],
        ["c3", "warning"],
    ]
    assert list(table.columns) == list(verdicts().columns)
    codes = [[one.code for one in from_json(text)] for text in table["findings"]]
    assert codes[0] == ["mask-copied", "mask-touches-border"]
    assert codes[2] == ["orientation-differs", "vacuum-cleft"]


def test_the_gate_closes_on_errors_only():
    table = verdicts()
    with refusal(
        "masks-refused-by-preflight", StudyError, match="2 of 5 masks with errors"
    ) as caught:
        stop_on_errors(table)
    assert "c2 A: CT: Slices are missing" in str(caught.value)
    stop_on_errors(table[table["verdict"] != "error"])


def test_many_errors_are_counted_not_all_named():
    table = pd.concat([verdicts()] * 15)
    with refusal("masks-refused-by-preflight", StudyError, match="and 10 more"):
        stop_on_errors(table)


def test_gathering_needs_both_tables():
    for ingest, masks in ((None, None), (["i.parquet"], None), (None, ["m.parquet"])):
        with refusal("preflight-tables-missing", StudyError):
            main(SimpleNamespace(check=None, ingest=ingest, masks=masks))
