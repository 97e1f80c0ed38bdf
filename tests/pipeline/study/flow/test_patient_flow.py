"""The flow accounts for everybody: what leaves a step and what stays add up."""

from __future__ import annotations

import itertools

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.errors import StudyError
from pipeline.core.findings import Finding, to_json
from pipeline.study.flow.enough import check_enough, check_events
from pipeline.study.flow.patient_flow import FlowOptions, _reasons, build_flow
from pipeline.study.flow.steps import Flow
from pipeline.study.study import Ready, Study
from pipeline.tables.split_options import Split
from tests.support.refusals import refusal

REASONS = ["too young", "no outcome", "mask empty"]


def assert_adds_up(steps: list[dict]) -> None:
    for step, following in itertools.pairwise(steps):
        for kind in ("patients", "cases"):
            gone = sum(entry[kind] for entry in step["excluded"])
            assert step[kind] - gone == following[kind], (step, following)
        for entry in step["excluded"]:
            assert entry["cases"] <= len(entry["ids"])
            assert entry["ids"] == sorted(entry["ids"])
    assert steps[-1]["excluded"] == []


members = st.lists(st.integers(0, 5), min_size=1, max_size=12).map(
    lambda patients: pd.DataFrame(
        {
            "patient_id": [f"p{patient}" for patient in patients],
            "case_id": [f"c{number}" for number in range(len(patients))],
        }
    )
)


@settings(max_examples=50)
@given(members, st.data())
def test_counts_of_any_exclusions_add_up(table, data):
    flow = Flow("start", table)
    for label in ("one", "two"):
        drawn = [data.draw(st.sampled_from([None, *REASONS])) for _ in flow.members.index]
        reasons = pd.Series(drawn, index=flow.members.index, dtype=object)
        flow.leave(reasons, REASONS, label)
    assert_adds_up(flow.steps)
    ids = [i for step in flow.steps for entry in step["excluded"] for i in entry["ids"]]
    assert sorted(ids + list(flow.members["case_id"])) == sorted(table["case_id"])


def test_a_patient_leaves_with_the_last_case_under_the_first_reason():
    table = pd.DataFrame({"patient_id": ["p", "p", "q", "q"], "case_id": ["a", "b", "c", "d"]})
    flow = Flow("start", table)
    flow.leave(pd.Series(["late", "early", None, "early"]), ["early", "late"], "end")
    assert flow.steps == [
        {
            "label": "start",
            "patients": 2,
            "cases": 4,
            "excluded": [
                {"reason": "early", "patients": 1, "cases": 2, "ids": ["b", "d"]},
                {"reason": "late", "patients": 0, "cases": 1, "ids": ["a"]},
            ],
        },
        {"label": "end", "patients": 1, "cases": 1, "excluded": []},
    ]


def test_a_reason_out_of_the_order_is_a_mistake():
    flow = Flow("start", pd.DataFrame({"patient_id": ["p"], "case_id": ["c"]}))
    with pytest.raises(ValueError, match="whim"):
        flow.leave(pd.Series(["whim"]), ["order"], "end")


def table_of(rows: list[tuple]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["case_id", "reader", "status", "findings"])


def stage_tables(verdicts: dict[tuple[str, str], str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Preflight and extraction for (case, reader) -> ok | mask | image | extraction | absent."""
    preflight, extraction = [], []
    for (case, reader), verdict in verdicts.items():
        if verdict == "absent":
            continue
        code = {"mask": "mask-too-small", "image": "ingest-failed"}.get(verdict)
        findings = [Finding("mask-in-pieces", "warning", "x")]
        findings += [Finding(code, "error", "x")] if code else []
        preflight.append((case, reader, "error" if code else "warning", to_json(findings)))
        if not code:
            failed = verdict == "extraction"
            findings = [Finding("extraction-failed", "error", "x")] if failed else []
            status = "error" if failed else "ok"
            extraction.append((case, reader, status, to_json(findings)))
    return table_of(preflight).rename(columns={"status": "verdict"}), table_of(extraction)


CONFIG = {
    "study": "s",
    "results": "results",
    "cases": "cases.csv",
    "features": None,
    "clinical": "clinical.csv",
    "sites": None,
    "unit": "patient",
    "outcome": {"name": "pain", "label": "pain", "definition": None, "formula": "vas >= 4"},
    "eligibility": [
        {"label": "50 or older", "formula": "age >= 50"},
        {"label": "women", "formula": "sex == 'F'"},
    ],
}
DICTIONARY = pd.DataFrame(
    [
        ("age", "Age", "continuous", None, None, "preoperative", "predictor"),
        ("sex", "Sex", "binary", None, "F|M", "preoperative", "predictor"),
        ("vas", "VAS", "ordinal", None, None, "postoperative", "outcome"),
    ],
    columns=["column", "label", "type", "unit", "levels", "timing", "role"],
)


def study_of(cases: list[tuple[str, str]], clinical: list[tuple], **config) -> Study:
    rows = [(patient, case, "L1", reader) for patient, case in cases for reader in "AB"]
    return Study(
        CONFIG | config,
        pd.DataFrame(rows, columns=["patient_id", "case_id", "level", "reader"]),
        pd.DataFrame(clinical, columns=["patient_id", "age", "sex", "vas"]).astype(
            {"age": float, "vas": float}
        ),
        DICTIONARY,
    )


def test_every_reason_is_named():
    study = study_of(
        [(f"p{n}", f"c{n}") for n in range(1, 11)] + [("p9", "c9b")],
        [
            ("p0", 70, "F", 5),
            ("p2", 40, "M", 5),
            ("p3", None, "F", 5),
            ("p4", 70, "F", None),
            *((f"p{n}", 70, "F", 5) for n in range(5, 11)),
        ],
    )
    verdicts = {(case, reader): "ok" for case in study.cases["case_id"] for reader in "AB"}
    verdicts |= {("c5", "B"): "mask", ("c6", "A"): "image", ("c6", "B"): "image"}
    verdicts |= {("c7", "B"): "absent", ("c8", "A"): "extraction", ("c9b", "A"): "mask"}
    preflight, extraction = stage_tables(verdicts)
    flow, outcome = build_flow(
        study.tables, study.options(FlowOptions), preflight=preflight, extraction=extraction
    )
    assert_adds_up(flow.steps)
    found = {
        entry["reason"]: (entry["patients"], entry["cases"], entry["ids"])
        for step in flow.steps
        for entry in step["excluded"]
    }
    assert found == {
        "no row in the clinical table": (1, 1, ["c1"]),
        "no images": (1, 0, ["p0"]),
        "not eligible: 50 or older": (1, 1, ["c2"]),
        "not known: 50 or older": (1, 1, ["c3"]),
        "outcome not known: pain": (1, 1, ["c4"]),
        "ingest failed": (1, 1, ["c6"]),
        "mask too small (reader B)": (1, 1, ["c5"]),
        "mask too small (reader A)": (0, 1, ["c9b"]),
        "no mask of reader B": (1, 1, ["c7"]),
        "extraction failed (reader A)": (1, 1, ["c8"]),
    }
    assert sorted(flow.members["case_id"]) == ["c10", "c9"]
    assert flow.steps[0]["patients"] == 11
    assert bool(outcome["p9"])


def test_a_refused_ct_is_the_reason_whoever_drew_on_it():
    """Reader B did not draw on a CT that was refused: the CT is the reason, not the reader."""
    of_ct = to_json([Finding("slices-missing", "error", "A slice is missing", about="ct")])
    of_mask = to_json([Finding("mask-too-small", "error", "It is small")])
    table = pd.DataFrame(
        [
            ("c1", "A", "error", of_ct),
            ("c2", "A", "error", of_mask),
            ("c3", "A", "error", of_ct),
            ("c3", "B", "error", of_ct),
        ],
        columns=["case_id", "reader", "status", "findings"],
    )
    found = _reasons(pd.Series(["c1", "c2", "c3"]), table, "mask", ["A", "B"])
    assert found.tolist() == ["slices missing", "no mask of reader B", "slices missing"]


patients = st.integers(0, 6).map(lambda number: f"p{number}")
rows = st.tuples(
    st.sampled_from([40.0, 60.0, None]), st.sampled_from(["F", "M"]), st.sampled_from([1, 5, None])
)


@settings(max_examples=50)
@given(
    st.lists(patients, min_size=1, max_size=10),
    st.dictionaries(patients, rows, min_size=1),
    st.booleans(),
    st.data(),
)
def test_every_patient_of_every_table_is_accounted_for(owners, clinical, modelled, data):
    cases = [(patient, f"c{number}") for number, patient in enumerate(owners)]
    options = {} if modelled else {"outcome": None, "eligibility": []}
    study = study_of(cases, [(key, *row) for key, row in clinical.items()], **options)
    verdicts = {
        (case, reader): data.draw(
            st.sampled_from(["ok", "ok", "mask", "image", "extraction", "absent"])
        )
        for _, case in cases
        for reader in "AB"
    }
    preflight, extraction = stage_tables(verdicts)
    flow, _ = build_flow(
        study.tables, study.options(FlowOptions), preflight=preflight, extraction=extraction
    )
    assert_adds_up(flow.steps)
    first = flow.steps[0]
    assert first["patients"] == len({*owners, *clinical})
    assert first["cases"] == len(cases)
    named = [i for step in flow.steps for entry in step["excluded"] for i in entry["ids"]]
    expected = [case for _, case in cases] + sorted(set(clinical) - set(owners))
    assert sorted(named + list(flow.members["case_id"])) == sorted(expected)
    for case in flow.members["case_id"]:
        assert {verdicts[case, reader] for reader in "AB"} == {"ok"}


def test_without_a_clinical_table_only_images_matter():
    study = study_of([("p1", "c1"), ("p2", "c2")], [])
    study = Study(CONFIG | {"outcome": None, "eligibility": []}, study.cases, None, None)
    ok = {(case, reader): "ok" for case in ("c1", "c2") for reader in "AB"}
    preflight, extraction = stage_tables(ok | {("c1", "A"): "mask", ("c1", "B"): "mask"})
    flow, outcome = build_flow(
        study.tables, study.options(FlowOptions), preflight=preflight, extraction=extraction
    )
    assert outcome is None
    assert [step["label"] for step in flow.steps] == [
        "Handed in",
        "With usable masks of every reader",
        "With features of every reader",
    ]
    assert flow.steps[0]["excluded"] == [
        {"reason": "mask too small", "patients": 1, "cases": 1, "ids": ["c1"]}
    ]
    assert_adds_up(flow.steps)


def test_ready_features_of_every_reader_are_needed():
    study = study_of([], [("p1", 70, "F", 5), ("p2", 70, "F", 5), ("p3", 70, "F", 5)])
    config = CONFIG | {"cases": None, "features": {"A": "a.csv", "B": "b.csv"}}
    ids = pd.DataFrame({"patient_id": ["p1", "p2", "p4"], "case_id": ["p1", "p2", "p4"]})
    features = {
        "A": pd.DataFrame({"f": [1.0, 2.0, 3.0]}, index=["p1", "p2", "p4"]),
        "B": pd.DataFrame({"f": [1.0, 3.0]}, index=["p1", "p4"]),
    }
    ready = Ready(ids, [], {})
    study = Study(config, None, study.clinical, study.dictionary, ready=ready)
    flow, _ = build_flow(study.tables, study.options(FlowOptions), features=features)
    assert_adds_up(flow.steps)
    reasons = {entry["reason"] for step in flow.steps for entry in step["excluded"]}
    assert reasons == {"no features", "no row in the clinical table", "no features of reader B"}
    assert flow.members["case_id"].tolist() == ["p1"]


def outcome(events: int, others: int) -> pd.Series:
    return pd.Series([1] * events + [0] * others)


def test_too_few_of_either_outcome_are_refused():
    check_events(outcome(15, 85), 0.7, 5)
    check_events(outcome(85, 15), 0.7, 5)
    for few in (outcome(14, 86), outcome(86, 14), outcome(0, 100)):
        with refusal(
            "training-rows-too-few", StudyError, match="2 units of either outcome per fold"
        ):
            check_events(few, 0.7, 5)


def test_an_imported_split_counts_its_own_training_rows():
    clinical = pd.DataFrame({"part": ["train"] * 20 + ["test"] * 20})
    clinical["unit_id"] = clinical["patient_id"] = [f"{i:02d}" for i in range(40)]
    split = Split(design="imported", column="part", folds=5, test_fraction=0.3)
    check_enough(pd.Series([1] * 10 + [0] * 30), clinical, split)
    with refusal("training-rows-too-few", StudyError, match="9 with and 11 without"):
        check_enough(pd.Series([1] * 9 + [0] * 31), clinical, split)
