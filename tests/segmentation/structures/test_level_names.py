"""Names of structures and files: which vertebra they mean, and of which levels they speak."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.imaging.levels import body_sizes
from segmentation.structures.level_names import levels_in_name, levels_of_file, vertebra_of

LEVELS = list(body_sizes())


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("L1", "L1"),
        ("l1", "L1"),
        ("vertebrae_L1", "L1"),
        ("vertebrae L1", "L1"),
        ("vertebra-L1", "L1"),
        ("L1_vertebra", "L1"),
        ("L1 vertebra", "L1"),
        ("VertebraL1", "L1"),
        ("L1 vertebral body", "L1"),
        ("Corpus L1", "L1"),
        ("L-1", "L1"),
        ("L 01", "L1"),
        ("Lumbar vertebra 1", "L1"),
        ("Th12", "T12"),
        ("TH 12", "T12"),
        ("D12", "T12"),
        ("BWK12", "T12"),
        ("LWK 1", "L1"),
        ("Wirbel L1", "L1"),
        ("\u200fL1\u200e ", "L1"),
        ("vertèbre L1", "L1"),
        ("L1椎体", "L1"),
        ("腰1", "L1"),
        ("胸椎12", "T12"),
        ("T13", "T13"),
        ("S1", "S1"),
    ],
)
def test_spellings_of_one_vertebra(name, level):
    assert vertebra_of(name) == level
    assert levels_in_name(name) == {level}


@pytest.mark.parametrize(
    "name",
    ["", "vertebrae_body", "Segment_1", "Label 1", "L0", "L7", "C8", "T14", "L11", "L1.0", "L22.0",
     "rib_left_1", "lung_upper_lobe_left", "Wirbelsäule", "structure 12", "1"],
)  # fmt: skip
def test_names_that_tell_no_level(name):
    assert vertebra_of(name) is None
    assert levels_in_name(name) == set()


def test_more_than_a_vertebra_is_not_chosen_by_but_speaks_of_its_levels():
    for name, levels in (
        ("T12 corrected", {"T12"}),
        ("L1-L2", {"L1", "L2"}),
        ("L1_old", {"L1"}),
        ("P001_th11_readerA", {"T11"}),
    ):
        assert vertebra_of(name) is None
        assert levels_in_name(name) == levels


@pytest.mark.parametrize("name", ["disc L1", "IVD_L1_L2", "Rib T12", "nerve root L5", "psoas L3"])
def test_other_structures_of_a_level_are_no_vertebra(name):
    assert vertebra_of(name) is None
    assert levels_in_name(name) == set()


@given(st.sampled_from(LEVELS), st.sampled_from(["{}", "vertebrae_{}", "{} vertebra", " {}_body"]))
def test_every_level_is_found_in_any_case(level, form):
    for name in (form.format(level), form.format(level.lower()), form.format(level).upper()):
        assert vertebra_of(name) == level


@given(st.text(max_size=30))
def test_what_is_chosen_by_is_also_spoken_of(name):
    level = vertebra_of(name)
    assert levels_in_name(name) <= set(LEVELS)
    assert level is None or levels_in_name(name) == {level}


def test_the_name_of_a_file():
    assert levels_of_file("some/T12/PAT001_L1.seg.nrrd") == {"L1"}
    assert levels_of_file("S001-scan1_A.nii.gz") == set()
