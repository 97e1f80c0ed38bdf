"""Conventions of labels: the level of a case chooses its structure, or the file is refused."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.errors import CaseError
from pipeline.imaging.geometry import Geometry
from segmentation.formats.label_maps import LabelLayers
from segmentation.formats.mask_files import read_mask_file
from segmentation.structures.label_conventions import (
    BUILT_IN,
    TOTALSEGMENTATOR,
    TOTALSEGMENTATOR_PP,
    TOTALSEGMENTATOR_V1,
    VERSE,
    choose_segment,
    convention_of,
)
from segmentation.structures.level_names import vertebra_of
from segmentation.structures.segments import Segment
from tests.support.refusals import refusal

GRID = Geometry((1, 1, 1), (1, 1, 1), (0, 0, 0), tuple(np.eye(3).ravel()))


def holding(*segments: int | tuple[str, int] | Segment) -> LabelLayers:
    made = [
        one if isinstance(one, Segment) else Segment(None, one) if isinstance(one, int)
        else Segment(*one)
        for one in segments
    ]  # fmt: skip
    return LabelLayers(np.zeros((1, 1, 1, 1), int), GRID, made, [])


def test_the_numbers_of_the_published_conventions():
    """TotalSegmentator v2 class map; VerSe 2020 as its data descriptor numbers them."""
    known = {"S1": 26, "L5": 27, "L4": 28, "L3": 29, "L2": 30, "L1": 31, "T12": 32, "T11": 33}
    assert {level: TOTALSEGMENTATOR[level] for level in known} == known
    assert (TOTALSEGMENTATOR["T1"], TOTALSEGMENTATOR["C7"], TOTALSEGMENTATOR["C1"]) == (43, 44, 50)
    assert sorted(TOTALSEGMENTATOR.values()) == list(range(26, 51))
    known = {"L5": 18, "L1": 22, "T12": 23, "T4": 31, "T1": 34, "C7": 35, "C1": 41}
    assert {level: TOTALSEGMENTATOR_V1[level] for level in known} == known
    assert sorted(TOTALSEGMENTATOR_V1.values()) == list(range(18, 42))
    known = {"C1": 1, "T1": 8, "T12": 19, "L1": 20, "L5": 24}
    assert {level: TOTALSEGMENTATOR_PP[level] for level in known} == known
    assert sorted(TOTALSEGMENTATOR_PP.values()) == list(range(1, 25))
    known = {"C1": 1, "C7": 7, "T1": 8, "T12": 19, "L1": 20, "L5": 24, "L6": 25, "T13": 28}
    assert {level: VERSE[level] for level in known} == known
    assert sorted(VERSE.values()) == [*range(1, 26), 28]


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_level_chooses_the_number(name):
    held = holding(*BUILT_IN[name].values())
    for level, number in BUILT_IN[name].items():
        assert choose_segment(held, None, level, convention_of(name)) == (Segment(None, number), [])


@pytest.mark.parametrize("name", ["L1", "l1", "vertebrae_L1", "L1 vertebra"])
@pytest.mark.parametrize("convention", BUILT_IN)
def test_the_level_chooses_the_name_where_there_are_names(name, convention):
    """Numbers mean nothing there: Slicer and DICOM count segments from one."""
    held = holding(("vertebrae_L2", 31), (name, 5), ("vertebrae_L11", 20))
    segment, findings = choose_segment(held, None, "L1", convention_of(convention))
    assert (segment, findings) == (Segment(name, 5), [])


@pytest.mark.parametrize(("convention", "level"), [("verse", "C1"), ("totalsegmentator", "S1")])
def test_segments_numbered_from_one_are_no_levels(convention, level):
    """Segment 1 of a program is not C1, though a label map's 1 is by this convention."""
    number = BUILT_IN[convention][level]
    held = holding(("Segment_A", number), ("Segment_B", number + 1))
    with refusal("labels-off-convention", CaseError) as caught:
        choose_segment(held, None, level, convention_of(convention))
    assert "write the label into column `label`" in caught.value.remedy
    assert choose_segment(held, "Segment_B", level, convention_of(convention))[0] == Segment(
        "Segment_B", number + 1
    )
    assert choose_segment(holding(number), None, level, convention_of(convention))[0].name is None


def test_an_own_map_of_numbers_or_names():
    own = convention_of({"L1": 7, "L2": "第二腰椎"})
    assert choose_segment(holding(7, 8), None, "L1", own)[0].value == 7
    named = holding(("first", 7), ("第二腰椎", 1))
    assert choose_segment(named, None, "L2", own)[0].value == 1
    assert choose_segment(named, None, "L1", own)[0].value == 7


def test_without_a_convention_the_file_must_hold_one_structure():
    assert choose_segment(holding(7), None, "L1", convention_of("none"))[0].value == 7
    with refusal("structure-ambiguous", CaseError):
        choose_segment(holding(30, 31), None, "L1", convention_of("none"))


@pytest.mark.parametrize(
    ("held", "level", "option", "code", "message"),
    [
        (
            holding(19, 20, 21),
            "L1",
            "totalsegmentator",
            "labels-off-convention",
            r"no label 31 \(for L1 in the convention totalsegmentator\); the file holds 19, 20, 21"
            "; these would fit the conventions totalsegmentator_pp and verse",
        ),
        (
            holding(1),
            "L1",
            "totalsegmentator",
            "labels-off-convention",
            r"no label 31 .*the file holds 1\. Remedy",
        ),
        (holding(), "L1", "verse", "mask-empty", "the file is empty"),
        (
            holding(31, 32),
            "L1",
            "verse",
            "labels-off-convention",
            "would fit the convention totalsegmentator",
        ),
        (
            holding(("Segment_1", 20)),
            "L1",
            "verse",
            "labels-off-convention",
            r"no segment 'L1' .*'Segment_1' \(label 20\)",
        ),
        (
            holding(("L1", 1), ("l1", 2)),
            "L1",
            "verse",
            "labels-off-convention",
            "more than one segment 'L1'",
        ),
        (holding(("a", 1)), "L1", {"L1": "b"}, "labels-off-convention", "no segment 'b'"),
        (holding(20), "S1", "verse", "convention-without-level", "no S1 in the convention verse"),
        (holding(20), "L5", {"L1": 20}, "convention-without-level", "no L5 in the convention own"),
    ],
)
def test_labels_against_the_convention_are_refused_and_listed(held, level, option, code, message):
    with refusal(code, CaseError, match=message):
        choose_segment(held, None, level, convention_of(option))


def test_the_column_label_has_the_last_word_and_a_contradiction_is_a_warning():
    segment, findings = choose_segment(
        holding(30, 31), "30", "L1", convention_of("totalsegmentator")
    )
    assert segment.value == 30
    (finding,) = findings
    assert (finding.code, finding.severity) == ("label-of-another-level", "warning")
    assert (
        "Label 30 is L2 in the convention totalsegmentator, but the case is L1" in finding.message
    )
    _, findings = choose_segment(holding(("L2", 1)), "L2", "L1", convention_of("verse"))
    assert [one.code for one in findings] == ["label-of-another-level"]


@pytest.mark.parametrize("convention", [None, *BUILT_IN])
def test_a_segment_called_by_another_level_is_refused_unless_its_name_is_written(convention):
    """Slicer, SEG and RTSTRUCT: the number 1 says nothing, the name says T12."""
    held = holding(("T12", 1))
    option = convention_of(convention or "none")
    with refusal("structure-of-another-level", CaseError, match=r"'T12' \(label 1\) for L1"):
        choose_segment(held, "1", "L1", option)
    assert choose_segment(held, "T12", "L1", option)[1][0].code == "label-of-another-level"
    assert choose_segment(held, "1", "T12", option)[1] == []
    if convention is None:
        with refusal("structure-of-another-level", CaseError, match=r"'T12' \(label 1\) for L1"):
            choose_segment(held, None, "L1", option)


@pytest.mark.parametrize("label", ["20.0", " 20 ", "20.", "20"])
def test_a_number_with_point_zero_is_that_number(label):
    assert choose_segment(holding(20, 2), label, "L1", None)[0].value == 20


@pytest.mark.parametrize("label", [20, 20.0, "20", "20.0"])
def test_a_number_of_an_own_map_in_any_spelling(label):
    found, findings = choose_segment(holding(20, 2), None, "L1", convention_of({"L1": label}))
    assert (found.value, findings) == (20, [])


@pytest.mark.parametrize("label", ["20.5", "2e1", "20,0", "0x14"])
def test_what_is_no_whole_number_is_no_label(label):
    with refusal("structure-ambiguous", CaseError):
        choose_segment(holding(20, 2), label, "L1", None)


@pytest.mark.parametrize("label", ["31", "9"])
def test_a_label_of_the_level_or_of_none_is_no_contradiction(label):
    held = holding(9, 31)
    assert choose_segment(held, label, "L1", convention_of("totalsegmentator"))[1] == []


def test_real_files(testdata):
    """The set's own documentation says which numbers its files use."""
    folder = testdata / "totalseg_ct_spine" / "spine_report"
    plain = read_mask_file(folder / "totalseg.nii.gz")
    refined = read_mask_file(folder / "totalseg_vertebrae_pp_refined.nii.gz")
    for level in ("T12", "L1", "L5"):
        for held, name in ((plain, "totalsegmentator"), (refined, "verse")):
            segment, _ = choose_segment(held, None, level, convention_of(name))
            assert segment.value == BUILT_IN[name][level]
    # The file's own names decide over the numbers of another convention.
    segment, (finding,) = choose_segment(refined, None, "L1", convention_of("totalsegmentator"))
    assert (segment.value, finding.code) == (20, "names-over-numbers")
    for held, name in ((plain, "totalsegmentator"), (refined, "totalsegmentator_pp")):
        for one in held.segments:
            assert BUILT_IN[name][vertebra_of(one.name)] == one.value
