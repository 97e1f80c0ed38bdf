"""Codes beside the name of a segment or region: what DICOM and 3D Slicer say that it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.sr.codedict import codes

from pipeline.core.errors import CaseError
from segmentation.formats.dicom_files import meanings_of
from segmentation.formats.mask_files import read_mask_file
from segmentation.structures.label_conventions import choose_segment, convention_of, levels_of
from segmentation.structures.level_names import level_of_code, vertebra_of
from tests.support.hospital import ANNA, write_ct, write_rtstruct, write_seg, write_segments
from tests.support.refusals import refusal

LEVELS = [f"{region}{n}" for region, last in (("C", 7), ("T", 12), ("L", 5))
          for n in range(1, last + 1)]  # fmt: skip


@pytest.mark.parametrize("level", LEVELS)
def test_the_codes_of_dicom_are_levels(level):
    code = getattr(codes.SCT, f"{level}Vertebra")
    assert level_of_code("SCT", code.value) == level
    assert vertebra_of(code.meaning) == level
    assert level_of_code("99LOCAL", code.value) is None


@pytest.mark.parametrize(
    ("meaning", "level"),
    [
        ("First lumbar vertebra", "L1"),
        ("Structure of twelfth thoracic vertebra (body of the bone)", "T12"),
        ("3rd lumbar vertebra", "L3"),
        ("Zwölfter Brustwirbel", "T12"),
        ("1. Lendenwirbel", "L1"),
        ("1. LWK", "L1"),
        ("Lendenwirbelkörper 3", "L3"),
        ("Vertebra", None),
        ("Lumbar spine", None),
        ("Intervertebral disc structure of first lumbar vertebra", None),
    ],
)
def test_meanings_in_words(meaning, level):
    assert vertebra_of(meaning) == level


def code(meaning: str, value: str = "X1") -> pydicom.Dataset:
    made = pydicom.Dataset()
    made.CodeValue, made.CodingSchemeDesignator, made.CodeMeaning = value, "SCT", meaning
    return made


def seg(folder: Path, name: str, meaning: str, value: str = "X1", *, region=False) -> Path:
    path = write_seg(folder / "m.dcm", write_ct(ANNA, folder / "ct"), name)
    held = pydicom.dcmread(path)
    (item,) = held.SegmentSequence
    keyword = "AnatomicRegionSequence" if region else "SegmentedPropertyTypeCodeSequence"
    setattr(item, keyword, [code(meaning, value)])
    held.save_as(path)
    return path


def rtstruct(folder: Path, name: str, meaning: str, value: str = "X1", *, region=False) -> Path:
    path = write_rtstruct(folder / "m.dcm", ANNA, name)
    held = pydicom.dcmread(path)
    observed = pydicom.Dataset()
    observed.ObservationNumber = observed.ReferencedROINumber = 1
    region &= len(meaning) <= 16
    if region:
        observed.ROIObservationLabel = meaning
    observed.RTROIIdentificationCodeSequence = [code("" if region else meaning, value)]
    held.RTROIObservationsSequence = [observed]
    held.save_as(path)
    return path


def slicer(folder: Path, name: str, meaning: str, value: str = "X1", *, region=False) -> Path:
    path = write_segments(folder / "m.seg.nrrd", [name])
    tags = (
        f"~SCT^123037004^Anatomical Structure~SCT^51282000^Vertebra~^^~list~SCT^{value}^{meaning}"
    )
    if not region:
        tags = f"~SCT^123037004^Anatomical Structure~SCT^{value}^{meaning}~^^~list~^^~^^|"
    terms = f"Segment0_Tags:=TerminologyEntry:Segmentation category and type{tags}".encode()
    head, mark, rest = path.read_bytes().partition(b"\n\n")
    lines = [terms if line.startswith(b"Segment0_Tags") else line for line in head.split(b"\n")]
    path.write_bytes(b"\n".join(lines) + mark + rest)
    return path


FORMATS = pytest.mark.parametrize("write", [seg, rtstruct, slicer])


@FORMATS
@pytest.mark.parametrize("region", [False, True])
@pytest.mark.parametrize(
    ("meaning", "value"), [("T12 vertebra", "X1"), ("Twelfth thoracic vertebra", "X1"),
                           ("Wirbel", codes.SCT.T12Vertebra.value)],
)  # fmt: skip
def test_a_name_and_a_code_of_two_levels_are_refused_where_the_structure_is_wanted(
    tmp_path, write, region, meaning, value
):
    held = read_mask_file(write(tmp_path, "L1", meaning, value, region=region))
    for option, label in (("none", None), ("totalsegmentator", None), ("none", "1")):
        with refusal("structure-code-disagrees", CaseError, match=" means T12"):
            choose_segment(held, label, "L1", convention_of(option))
    # Who writes the name knows it.
    _, (finding,) = choose_segment(held, "L1", "L1", None)
    assert (finding.code, finding.severity) == ("label-of-another-level", "warning")
    assert "is T12 by its code" in finding.message


@FORMATS
@pytest.mark.parametrize("name", ["Segment_1", "Vertebra", "structure 1"])
def test_a_code_tells_the_level_of_a_structure_whose_name_does_not(tmp_path, write, name):
    held = read_mask_file(write(tmp_path, name, "T12 vertebra"))
    for option in ("none", "totalsegmentator", "verse"):
        segment, findings = choose_segment(held, None, "T12", convention_of(option))
        assert (segment.name, findings) == (name, [])
        code = "structure-of-another-level" if option == "none" else "labels-off-convention"
        with refusal(code, CaseError):
            choose_segment(held, None, "L1", convention_of(option))
    with refusal("structure-of-another-level", CaseError):
        choose_segment(held, "1", "L1", None)


@FORMATS
@pytest.mark.parametrize(
    "meaning", ["L1 vertebra", "Vertebra", "Bone", "Lumbar spine", "L1-L5", "Tissue", ""]
)
def test_codes_that_agree_or_tell_no_vertebra_are_nothing_to_say(tmp_path, write, meaning):
    held = read_mask_file(write(tmp_path, "L1", meaning))
    assert choose_segment(held, None, "L1", convention_of("verse"))[1] == []
    assert levels_of(held.segments[0]) == {"L1"}


def test_codes_in_codes_are_read():
    outer = pydicom.Dataset()
    region = code("Bone")
    region.AnatomicRegionModifierSequence = [code("L3 vertebra")]
    outer.AnatomicRegionSequence = [region]
    assert meanings_of(outer) == ("Bone", "L3 vertebra")


def test_real_segmentations_have_no_contradiction(testdata):
    for path in sorted((testdata / "dcmqi_ct_seg").glob("*.dcm")):
        for one in read_mask_file(path).segments:
            assert levels_of(one) == set(), path.name
    assert np.all([one.meanings for one in
                   read_mask_file(testdata / "dcmqi_ct_seg" / "liver.dcm").segments])  # fmt: skip
