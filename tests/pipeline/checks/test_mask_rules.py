"""Rules that compare a mask with others, and with the clinical table."""

from __future__ import annotations

import pandas as pd
import pytest

from pipeline.checks.cohort import copied_masks, copied_scans, other_orientation
from pipeline.checks.mask_rules import (
    dense_material,
    equal_masks,
    levels_along_spine,
    readers_apart,
    treated_levels,
)
from pipeline.imaging.levels import distance_mm

COLUMNS = ["scan_id", "case_id", "level", "reader", "centre_x_mm", "centre_y_mm", "centre_z_mm"]


def placed(*rows: tuple) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=COLUMNS)


def codes(found: dict) -> dict:
    """Return code and severity of all findings by key."""
    return {key: [(one.code, one.severity) for one in each] for key, each in found.items() if each}


def spine(**heights: float) -> pd.DataFrame:
    return placed(
        *(("s", f"c{level}", level, "A", 0.0, 0.0, height) for level, height in heights.items())
    )


def test_equal_masks_of_two_readers_are_a_warning():
    masks = pd.DataFrame(
        {
            "case_id": ["c1", "c1", "c1", "c2", "c2"],
            "reader": ["A", "B", "C", "A", "B"],
            "mask_hash": ["same", "same", None, "same", "other"],
        }
    )
    found = equal_masks(masks)
    assert codes(found) == {
        ("c1", "A"): [("masks-equal", "warning")],
        ("c1", "B"): [("masks-equal", "warning")],
    }
    assert "that of reader B" in found["c1", "A"][0].message


def test_a_corrected_mask_may_equal_another_readers_but_not_its_own():
    masks = pd.DataFrame(
        {
            "case_id": ["c1"] * 3 + ["c2"] * 3,
            "reader": ["A", "A.v2", "B", "A", "A.v2", "B.v2"],
            "mask_hash": ["first", "agreed", "agreed", "same", "same", "same"],
        }
    )
    found = equal_masks(masks)
    assert set(found) == {("c2", "A"), ("c2", "A.v2")}
    assert "that of reader A voxel" in found["c2", "A.v2"][0].message


def test_a_wrong_original_does_not_blame_its_correction():
    masks = placed(
        ("s", "c", "L1", "A", 0.0, 0.0, 33.0),
        ("s", "c", "L1", "A.v2", 0.0, 0.0, 1.0),
        ("s", "c", "L1", "B", 0.0, 0.0, 0.0),
    )
    assert codes(readers_apart(masks)) == {("c", "A"): [("readers-apart", "error")]}
    wrong_again = placed(
        ("s", "c", "L1", "A", 0.0, 0.0, 0.0),
        ("s", "c", "L1", "A.v2", 0.0, 0.0, 33.0),
        ("s", "c", "L1", "B", 0.0, 0.0, 0.0),
    )
    assert codes(readers_apart(wrong_again)) == {
        ("c", reader): [("readers-apart", "error")] for reader in ("A", "A.v2", "B")
    }


@pytest.mark.parametrize(
    ("apart", "expected"),
    [(5, None), (10, ("readers-far", "warning")), (33, ("readers-apart", "error"))],
)
def test_readers_who_drew_apart(apart, expected):
    masks = placed(
        ("s", "c", "L1", "A", 0.0, 0.0, 0.0),
        ("s", "c", "L1", "B", 0.0, 0.0, float(apart)),
        ("s", "c", "L1", "C", None, None, None),
        ("s", "d", "L2", "A", 0.0, 0.0, -30.0),
    )
    found = codes(readers_apart(masks))
    assert found == ({("c", "A"): [expected], ("c", "B"): [expected]} if expected else {})


def test_vertebrae_in_their_order_are_fine():
    height = 0.0
    heights = {}
    for upper, lower in [("T11", "T12"), ("T12", "L1"), ("L1", "L3"), ("L3", "L5")]:
        heights[upper] = height
        height -= distance_mm(upper, lower)
    assert codes(levels_along_spine(spine(**heights, L5=height))) == {}


def test_swapped_levels_are_an_error_of_both():
    found = levels_along_spine(spine(L1=0, L2=34))
    assert codes(found) == {
        ("cL1", "A"): [("level-order", "error")],
        ("cL2", "A"): [("level-order", "error")],
    }
    assert found["cL1", "A"][0].message == "L1 lies below cL2 (L2) in this scan"
    assert found["cL2", "A"][0].message == "L2 lies above cL1 (L1) in this scan"


def test_each_reader_is_judged_by_the_own_masks():
    masks = pd.concat([spine(L1=0, L2=34), spine(L1=34, L2=0).assign(reader="B")])
    assert {reader for _, reader in codes(levels_along_spine(masks))} == {"A"}


@pytest.mark.parametrize(("between", "found"), [(34, False), (68, True), (22, False), (15, True)])
def test_a_level_that_is_off_by_one_is_too_far_or_too_near(between, found):
    judged = codes(levels_along_spine(spine(L1=between, L2=0)))
    assert (set(judged) == {("cL1", "A"), ("cL2", "A")}) is found
    assert all(each == [("level-distance", "warning")] for each in judged.values())


def test_the_distance_counts_along_the_spine():
    leaning = placed(("s", "a", "L1", "A", 0.0, 24.0, 24.0), ("s", "b", "L2", "A", 0.0, 0.0, 0.0))
    assert codes(levels_along_spine(leaning)) == {}


def test_the_same_vertebra_under_two_levels():
    judged = codes(levels_along_spine(spine(L1=3, L2=0)))
    assert judged["cL1", "A"] == judged["cL2", "A"] == [("same-vertebra-twice", "error")]


def test_levels_without_a_usual_distance_are_ordered_only():
    assert codes(levels_along_spine(spine(L5=90, S1=0))) == {}
    assert ("cS1", "A") in codes(levels_along_spine(spine(L5=0, S1=30)))


def test_the_treated_level():
    cases = pd.DataFrame(
        {
            "case_id": ["c1", "c2", "c3", "c4", "c5"],
            "patient_id": ["p1", "p1", "p2", "p3", "p4"],
            "level": ["L1", "L2", "T12", "L1", "L1"],
            "reader": "A",
        }
    )
    clinical = pd.DataFrame(
        {"patient_id": ["p1", "p2", "p3"], "treated": ["L1", None, "PHI-CANARY-0010-0010"]}
    )
    found = treated_levels(cases, clinical, "patient_id", "treated")
    assert codes(found) == {
        ("c2", "A"): [("level-not-treated", "error")],
        ("c3", "A"): [("treated-level-unknown", "warning")],
        ("c4", "A"): [("treated-level-unknown", "warning")],
        ("c5", "A"): [("treated-level-unknown", "warning")],
    }
    assert "shows L2; treated was L1" in found["c2", "A"][0].message
    assert "is blank" in found["c3", "A"][0].message
    assert "CANARY" not in found["c4", "A"][0].message


@pytest.mark.parametrize(
    ("days", "timing", "target", "severity"),
    [
        (-3, "preoperative", True, "error"),
        (None, "preoperative", True, "error"),
        (0, "preoperative", True, "warning"),
        (30, "preoperative", True, "warning"),
        (-3, "postoperative", True, "warning"),
        (-3, "preoperative", False, "warning"),
    ],
)
def test_cement_is_an_error_where_it_cannot_be(days, timing, target, severity):
    masks = pd.DataFrame(
        {"case_id": ["c", "d"], "reader": "A", "dense_share": [0.1, 0.005]}
    ).assign(days_from_surgery=pd.array([days, days], dtype="Int64"))
    found = dense_material(masks, {"c", "d"} if target else set(), timing, 0.005)
    assert codes(found) == {("c", "A"): [("dense-material", severity)]}


def copies(**changed) -> dict:
    masks = pd.DataFrame(
        {
            "patient_id": ["p1", "p2"],
            "scan_id": ["s1", "s2"],
            "case_id": ["c1", "c2"],
            "reader": "A",
            "mask_hash": ["m1", "m2"],
            "source_hash": ["f1", "f2"],
            "label": "1",
        }
    )
    return codes(copied_masks(masks.assign(**changed)))


def test_a_mask_of_two_patients_is_an_error():
    both = {("c1", "A"): [("mask-copied", "error")], ("c2", "A"): [("mask-copied", "error")]}
    assert copies() == {}
    assert copies(mask_hash="m") == both
    assert copies(source_hash="f") == both
    assert copies(mask_hash="m", source_hash="f") == both  # said once
    assert copies(source_hash="f", label=["1", "2"]) == {}  # one label map of several vertebrae
    assert copies(mask_hash=[None, None]) == {}


def test_a_mask_on_two_scans_of_a_patient_is_a_warning():
    found = copies(mask_hash="m", patient_id="p")
    assert found["c1", "A"] == [("mask-copied", "warning")]
    assert copies(mask_hash="m", patient_id="p", scan_id="s") == {}  # their places tell


def test_a_ct_of_two_patients_is_an_error():
    scans = pd.DataFrame(
        {
            "scan_id": ["s1", "s2", "s3", "s4", "s5"],
            "patient_id": ["p1", "p2", "p3", "p3", "p4"],
            "image_hash": ["i", "i", "j", "j", None],
        }
    )
    assert codes(copied_scans(scans)) == {
        "s1": [("ct-copied", "error")],
        "s2": [("ct-copied", "error")],
        "s3": [("ct-copied", "warning")],
        "s4": [("ct-copied", "warning")],
    }


def test_an_orientation_unlike_most_is_a_warning():
    scans = pd.DataFrame(
        {
            "scan_id": ["s1", "s2", "s3", "s4"],
            "orientation": ["LPS", "RAS", "LPS", None],
        }
    )
    found = other_orientation(scans)
    assert codes(found) == {"s2": [("orientation-differs", "warning")]}
    assert "run RAS, those of 2 of 3 scans LPS" in found["s2"][0].message
    assert other_orientation(scans[scans["orientation"] == "LPS"]) == {}
