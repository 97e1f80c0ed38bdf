"""Names of a label map's numbers: in its NIfTI header, and in tables beside it."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from types import SimpleNamespace

import nibabel
import numpy as np
import pytest

from intake.handover.pairing.mask_paths import Told
from intake.handover.pairing.structures_of_mask import structures
from intake.handover.tables import _label, _segment
from intake.handover.writing.cleaning_volumes import clean_volume
from pipeline.core.errors import CaseError
from segmentation.formats.mask_files import read_mask_file
from segmentation.structures.label_conventions import choose_segment, convention_of
from segmentation.structures.label_tables import extension_names, table_labels, vertebra_extension
from segmentation.structures.segments import Segment, pick_segment
from tests.support.refusals import refusal

V1 = {22: "vertebrae_L1", 31: "vertebrae_T4"}

ITK_SNAP = """\
################################################
# ITK-SnAP Label Description File
# IDX   -R-  -G-  -B-  -A--  VIS MSH  LABEL
################################################
    0     0    0    0        0  0  0    "Clear Label"
   22   255    0    0        1  1  1    "L1 body"
   31     0  255    0      0.5  1  1    "T4"
"""
COLOURS = """\
# Color table file Segmentation-label_ColorTable.ctbl
# 3 values
0 Background 0 0 0 0
22 L1_vertebra 216 101 79 255
31 T4 241 214 145 255
"""
SHEET = 'LabelValue,Name,Color_R,Color_G,Color_B\n22,L1,1,2,3\n31,"T4",4,5,6\n'


def xml(names: dict[int, str], *, broken: bool = False) -> bytes:
    labels = "".join(
        f'<Label Key="{key}" Red="1" Green="0" Blue="0" Alpha="1"><![CDATA[{name}]]></Label>\n'
        for key, name in names.items()
    )
    end = "" if broken else "</LabelTable></VolumeInformation></CaretExtension>"
    return (
        '<?xml version="1.0" encoding="UTF-8"?> <CaretExtension>  <Date><![CDATA[2013-07-14]]>'
        f'</Date>   <VolumeInformation Index="0">   <LabelTable>\n{labels}{end}\n      '
    ).encode()


def label_map(path: Path, content: bytes | None = None, values=(22, 31), code: int = 0) -> Path:
    voxels = np.zeros((4, 4, 4), np.uint8)
    for place, value in enumerate(values):
        voxels[place, 1:3, 1:3] = value
    image = nibabel.Nifti1Image(voxels, np.diag([-1.0, -1, 1, 1]))
    if content is not None:
        image.header.extensions.append(nibabel.nifti1.Nifti1Extension(code, content))
    nibabel.save(image, path)
    return path


def names(path: Path) -> dict[int, str | None]:
    return {one.value: one.name for one in read_mask_file(path).segments}


@pytest.mark.parametrize("code", [0, 30])
def test_names_in_the_header_of_a_nifti(tmp_path, code):
    assert names(label_map(tmp_path / "m.nii.gz", xml(V1), code=code)) == V1


def test_version_1_of_a_convention_is_read_by_its_names(tmp_path):
    """31 is L1 by version 2, and T4 in the file."""
    held = read_mask_file(label_map(tmp_path / "m.nii.gz", xml(V1)))
    segment, findings = choose_segment(held, None, "L1", convention_of("totalsegmentator"))
    assert segment.value == 22
    (finding,) = findings
    assert (finding.code, finding.severity) == ("names-over-numbers", "info")
    assert "L1 is label 31" in finding.message
    assert choose_segment(held, None, "L1", convention_of("totalsegmentator_v1")) == (segment, [])
    with refusal(
        "labels-off-convention", CaseError, match=r"no segment 'L2' .*'vertebrae_T4' \(label 31\)"
    ):
        choose_segment(held, None, "L2", convention_of("totalsegmentator"))


@pytest.mark.parametrize("convention", ["none", "totalsegmentator", "verse"])
def test_a_number_whose_name_is_another_level_is_refused_and_the_name_is_taken(
    tmp_path, convention
):
    held = read_mask_file(label_map(tmp_path / "m.nii.gz", xml(V1)))
    with refusal(
        "structure-of-another-level", CaseError, match=r"'vertebrae_T4' \(label 31\) for L1"
    ):
        choose_segment(held, "31", "L1", convention_of(convention))
    segment, (finding,) = choose_segment(held, "vertebrae_T4", "L1", convention_of(convention))
    assert (segment.value, finding.code) == (31, "label-of-another-level")
    assert choose_segment(held, "31", "T4", convention_of(convention))[1] == []


def test_the_only_structure_of_a_file_may_not_be_called_another_level(tmp_path):
    held = read_mask_file(label_map(tmp_path / "m.nii.gz", xml(V1), values=(31,)))
    with refusal(
        "structure-of-another-level", CaseError, match=r"'vertebrae_T4' \(label 31\) for L1"
    ):
        choose_segment(held, None, "L1", None)
    assert choose_segment(held, None, "T4", None)[0].value == 31


def test_names_that_tell_no_level_leave_the_numbers_their_meaning(tmp_path):
    named = {31: "Label 31", 32: "Label 32"}
    held = read_mask_file(label_map(tmp_path / "m.nii.gz", xml(named), values=(31, 32)))
    found = choose_segment(held, None, "L1", convention_of("totalsegmentator"))
    assert found == (Segment("Label 31", 31), [])


def test_a_number_without_name_counts_where_the_other_names_agree_with_the_convention(tmp_path):
    held = read_mask_file(label_map(tmp_path / "a.nii", xml({32: "vertebrae_T12"}), (31, 32)))
    assert choose_segment(held, None, "L1", convention_of("totalsegmentator"))[0].value == 31
    held = read_mask_file(label_map(tmp_path / "b.nii", xml({32: "vertebrae_T3"}), (31, 32)))
    with refusal("labels-off-convention", CaseError, match="no segment 'L1'"):
        choose_segment(held, None, "L1", convention_of("totalsegmentator"))


def test_a_level_that_the_convention_lacks_is_found_by_name(tmp_path):
    held = read_mask_file(label_map(tmp_path / "m.nii", xml({26: "vertebrae_S1"}), (26, 31)))
    assert choose_segment(held, None, "S1", convention_of("verse"))[0].value == 26


def test_a_table_that_cannot_be_read_is_a_warning(tmp_path):
    lost = xml(V1).replace(b"<Label ", b"<< ")
    held = read_mask_file(label_map(tmp_path / "m.nii", lost))
    assert [one.code for one in held.findings] == ["label-names-unreadable"]
    assert [one.name for one in held.segments] == [None, None]


@pytest.mark.parametrize(
    "content",
    [
        xml(V1, broken=True),
        xml(V1)[:-40],
        xml(V1).replace(b"Key=", b"key="),
        xml(V1).replace(b"<Label ", b"<label ").replace(b"</Label>", b"</label>"),
        xml(V1).replace(b'="22"', b'="22.0"').replace(b'="31"', b'="31.0"'),
        xml(V1 | {40: "p"}).replace(b"CDATA[p]", b"CDATA[\xe8]"),
    ],
)
def test_names_that_stand_in_a_damaged_table_still_decide(tmp_path, content):
    held = read_mask_file(label_map(tmp_path / "m.nii", content))
    assert [one.code for one in held.findings] == ["label-names-unreadable"]
    assert choose_segment(held, None, "L1", convention_of("totalsegmentator"))[0].value == 22
    with refusal("structure-of-another-level", CaseError, match=r"\(label 31\) for L1"):
        choose_segment(held, "31", "L1", None)


def test_definitions_in_a_table_are_not_followed(tmp_path):
    bomb = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]>' + xml(V1).partition(b"?>")[2]
    held = read_mask_file(label_map(tmp_path / "m.nii", bomb))
    assert [one.code for one in held.findings] == ["label-names-unreadable"]


@pytest.mark.parametrize("content", [b"any words", b"<xml/>", b"\xff\xfe\0"])
def test_other_extensions_say_nothing(tmp_path, content):
    held = read_mask_file(label_map(tmp_path / "m.nii", content))
    assert ([one.name for one in held.segments], held.findings) == ([None, None], [])


def test_a_label_of_two_names_is_refused_where_it_is_wanted(tmp_path):
    other = b'<LabelTable><Label Key="31">L1</Label>'
    twice = xml({31: "vertebrae_T4"}).replace(b"<LabelTable>", other)
    held = read_mask_file(label_map(tmp_path / "m.nii", twice))
    with refusal(
        "label-names-disagree", CaseError, match="label 31 is called 'L1' and 'vertebrae_T4'"
    ):
        pick_segment(held, "31")
    assert pick_segment(held, "22").value == 22


# --- tables beside the mask ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("beside", "text", "expected"),
    [
        ("labels.label", ITK_SNAP, {22: "L1 body", 31: "T4"}),
        ("itk-snap.txt", ITK_SNAP, {22: "L1 body", 31: "T4"}),
        ("m_ColorTable.ctbl", COLOURS, {22: "L1_vertebra", 31: "T4"}),
        ("colours.txt", COLOURS, {22: "L1_vertebra", 31: "T4"}),
        ("m.csv", SHEET, {22: "L1", 31: "T4"}),
        ("m.csv", SHEET.replace(",", ";").lower().replace("l1", "L1"), {22: "L1", 31: "t4"}),
        ("m.label", ITK_SNAP + "a line typed by hand\n", {22: "L1 body", 31: "T4"}),
    ],
)
def test_a_table_beside_the_mask_names_its_labels(tmp_path, beside, text, expected):
    (tmp_path / beside).write_text(text, encoding="utf-8")
    (tmp_path / "README.txt").write_text("Two readers drew these masks.\n", encoding="utf-8")
    held = read_mask_file(label_map(tmp_path / "m.nii.gz"))
    assert {one.value: one.name for one in held.segments} == expected
    assert choose_segment(held, None, "L1", convention_of("totalsegmentator"))[0].value == 22
    with refusal("structure-of-another-level", CaseError, match=r"\(label 31\) for L1"):
        choose_segment(held, "31", "L1", None)


def test_a_table_in_utf_16_is_read(tmp_path):
    (tmp_path / "m.label").write_text(ITK_SNAP, encoding="utf-16")
    assert names(label_map(tmp_path / "m.nii.gz")) == {22: "L1 body", 31: "T4"}


def test_the_table_of_case_10_is_not_that_of_case_1(tmp_path):
    (tmp_path / "case10.label").write_text(ITK_SNAP, encoding="utf-8")
    assert names(label_map(tmp_path / "case1.nii.gz")) == {22: None, 31: None}
    assert names(label_map(tmp_path / "case10.nii.gz")) == {22: "L1 body", 31: "T4"}


def test_structures_of_one_name_need_names_of_their_own():
    twice = [Segment("L1", 1), Segment("L1", 1, 1)]
    with refusal("structure-ambiguous", CaseError) as refused:
        pick_segment(SimpleNamespace(segments=twice), "L1")
    assert "give each structure a name of its own" in refused.value.remedy
    numbered = SimpleNamespace(segments=[Segment("L1", 1), Segment("L1", 2)])
    with refusal("structure-ambiguous", CaseError) as refused:
        pick_segment(numbered, "L1")
    assert "write the segment's number" in refused.value.remedy
    numbered.check = lambda one: None
    assert pick_segment(numbered, "2").value == 2


def test_the_table_of_another_mask_says_nothing(tmp_path):
    (tmp_path / "other.label").write_text(ITK_SNAP, encoding="utf-8")
    (tmp_path / "third.label").write_text(ITK_SNAP, encoding="utf-8")
    assert names(label_map(tmp_path / "m.nii.gz")) == {22: None, 31: None}
    (tmp_path / "m.label").write_text(ITK_SNAP.replace("T4", "T5"), encoding="utf-8")
    os.utime(tmp_path, ns=(1, 1))
    assert names(tmp_path / "m.nii.gz") == {22: "L1 body", 31: "T5"}


def test_tables_that_differ_from_the_header_are_refused(tmp_path):
    (tmp_path / "m.label").write_text(ITK_SNAP.replace("T4", "L1"), encoding="utf-8")
    held = read_mask_file(label_map(tmp_path / "m.nii.gz", xml({31: "vertebrae_T4"})))
    with refusal("label-names-disagree", CaseError, match="called 'vertebrae_T4' and 'L1'"):
        choose_segment(held, "31", "T4", None)


@pytest.mark.parametrize(
    ("text", "suffix"),
    [
        ("", ".txt"),
        ("# words only\n", ".txt"),
        ("a,b\n1,2\n", ".csv"),
        ("1 2 3\n", ".txt"),
        ("", ".csv"),
    ],
)
def test_other_files_are_no_tables(text, suffix):
    assert table_labels(text, suffix) == []


# --- what a copy keeps ---------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_copy_keeps_the_names_of_vertebrae_and_no_other(order):
    held = {22: "vertebrae_L1", 31: "Th4", 5: "PHI-CANARY-0010-0010", 7: "L1 PHI-CANARY-0010-0010"}
    block = vertebra_extension(held, 2004, order)
    assert len(block) == 2004
    assert b"CANARY" not in block
    assert extension_names(block, order) == {22: "vertebrae_L1", 31: "Th4"}
    assert vertebra_extension(held, 40, order) == bytes(40)
    assert vertebra_extension({1: "liver"}, 2004, order) == bytes(2004)
    assert extension_names(bytes(16), order) == {}
    assert extension_names(b"\1\0\0\0" + b"\xff" * 60, order) == {}


@pytest.mark.parametrize("name", ["m.nii", "m.nii.gz"])
def test_a_registered_copy_still_says_which_vertebra_is_which(tmp_path, name):
    named = V1 | {1: "PHI-CANARY-0010-0010"}
    original = label_map(tmp_path / name, xml(named))
    (tmp_path / "copy").mkdir()
    copy = tmp_path / "copy" / name
    clean_volume(original, copy, lambda text, number: text)
    content = copy.read_bytes() if name == "m.nii" else gzip.decompress(copy.read_bytes())
    assert b"CANARY" not in content
    assert names(copy) == V1
    np.testing.assert_array_equal(
        np.asarray(nibabel.load(copy).dataobj), np.asarray(nibabel.load(original).dataobj)
    )


@pytest.mark.parametrize(
    ("label", "level", "chosen", "note"),
    [
        (None, "L1", 22, ""),
        (None, "T4", 31, ""),
        (None, "L5", None, ""),
        ("22", "L1", 22, ""),
        ("vertebrae_T4", "L1", 31, "Label 'vertebrae_T4' (label 31) is T4 by its name"),
    ],
)
def test_register_takes_the_structure_that_the_file_names(tmp_path, label, level, chosen, note):
    held = read_mask_file(label_map(tmp_path / "m.nii.gz", xml(V1)))
    segment, said = _segment(held, label, level)
    # What is written into the study's table is taken by the stages, with the same warning.
    if segment is not None:
        written = _label(held, segment, label, level)
        copy = tmp_path / "copy.nii.gz"
        clean_volume(tmp_path / "m.nii.gz", copy, lambda text, number: text)
        again, findings = choose_segment(read_mask_file(copy), written, level, None)
        assert (again, bool(findings)) == (segment, bool(note))
    assert (segment and segment.value) == chosen
    assert said.startswith(note)
    with refusal("structure-of-another-level", CaseError):
        _segment(held, "31", "L1")


@pytest.mark.parametrize(
    ("names_of_31", "convention", "levels"),
    [
        (None, "totalsegmentator", {"L1": 31, "L2": 30}),
        ("Label 31", "totalsegmentator", {"L1": 31, "L2": 30}),  # as ITK-SNAP calls it unasked
        ("vertebrae_L1", "totalsegmentator", {"L1": 31, "L2": 30}),
        ("vertebrae_T4", "totalsegmentator", {"T4": 31}),  # 30 is of another convention, too
        ("vertebrae_T4", "totalsegmentator_v1", {"T4": 31, "T5": 30}),
        ("vertebrae_T4", "none", {"T4": 31}),
    ],
)
def test_register_tells_levels_by_names_before_numbers(tmp_path, names_of_31, convention, levels):
    content = None if names_of_31 is None else xml({31: names_of_31})
    held = read_mask_file(label_map(tmp_path / "m.nii.gz", content, values=(30, 31)))
    found = structures(held, Told(), convention_of(convention))
    assert {level: segment.value for level, segment in found} == levels


def test_a_name_that_tells_nothing_leaves_the_level_to_the_path(tmp_path):
    held = read_mask_file(label_map(tmp_path / "m.nii.gz", xml({5: "Label 5"}), values=(5,)))
    ((level, segment),) = structures(held, Told(level="L1"), None)
    assert (level, segment.value) == ("L1", 5)
    held = read_mask_file(label_map(tmp_path / "n.nii.gz", xml({5: "T12"}), values=(5,)))
    with refusal("mask-structures-ambiguous", CaseError):
        structures(held, Told(level="L1"), None)


def test_the_name_of_the_only_structure_stays_where_somebody_meant_it(tmp_path):
    held = read_mask_file(label_map(tmp_path / "m.nii.gz", xml(V1), values=(31,)))
    segment, _ = _segment(held, "vertebrae_T4", "L1")
    assert _label(held, segment, "vertebrae_T4", "L1") == "vertebrae_T4"
    assert _label(held, segment, "vertebrae_T4", "T4") is None


@pytest.mark.parametrize("header", [None, {31: "T4 corrected"}])
def test_the_number_is_written_where_the_copy_has_no_name(tmp_path, header):
    content = None if header is None else xml(header)
    if header is None:
        (tmp_path / "m.label").write_text(ITK_SNAP.replace("T4", "T4 corrected"), encoding="utf-8")
    held = read_mask_file(label_map(tmp_path / "m.nii.gz", content))
    segment, note = _segment(held, "T4 corrected", "L1")
    assert "is T4 by its name" in note
    written = _label(held, segment, "T4 corrected", "L1")
    (tmp_path / "study").mkdir()
    copy = tmp_path / "study" / "m.nii.gz"
    clean_volume(tmp_path / "m.nii.gz", copy, lambda text, number: text)
    assert choose_segment(read_mask_file(copy), written, "L1", None)[0].value == 31


# --- JSON, other encodings, other programs -------------------------------------------------------

MAPPING = '{"22": "L1", "31": "T4"}'
NNUNET = '{"channel_names": {"0": "CT"}, "labels": {"background": 0, "L1": 22, "T4": 31}}'
MITK = (
    '[{"labels": [{"color": {"type": "ColorProperty", "value": [1, 0, 0]}, "locked": true, '
    '"name": "L1", "opacity": 0.6, "value": 22}, {"name": "T4", "value": 31}]}]'
)
MITK_STACK = (
    '{"version": 3, "type": "org.mitk.multilabel.segmentation.stack", "groups": [{"labels": '
    '[{"value": 22, "name": "L1"}, {"value": 31, "name": "T4"}]}]}'
)
TABLES_IN_JSON = (
    MAPPING,
    NNUNET,
    MITK,
    MITK_STACK,
    '{"L1": 22, "T4": 31}',
    '{"labels": {"0": "background", "22": "L1", "31": "T4"}}',
    '{"22": {"name": "L1", "color": [255, 0, 0]}, "31": {"name": "T4"}}',
    '{"segments": [{"label": "L1", "labelID": 22}, {"label": "T4", "labelID": 31}]}',
    '{"label_map": {"L1": "22.0", "T4": "31"}}',
)


def decides(path: Path) -> bool:
    """Return whether names choose 22 for L1, where the number of L1 is 31."""
    held = read_mask_file(path)
    assert choose_segment(held, None, "L1", convention_of("totalsegmentator"))[0].value == 22
    with refusal("structure-of-another-level", CaseError, match=r"\(label 31\) for L1"):
        choose_segment(held, "31", "L1", convention_of("totalsegmentator"))
    return True


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("code", [0, 6, 30, 44])
def test_json_in_the_header_of_a_nifti(tmp_path, encoding, code):
    for number, text in enumerate(TABLES_IN_JSON):
        content = text.encode(encoding)
        assert decides(label_map(tmp_path / f"{number}.nii", content, code=code))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("declared", ["UTF-8", "UTF-16"])
def test_xml_in_utf_16_is_read(tmp_path, encoding, declared):
    text = xml(V1).decode().replace("UTF-8", declared)
    path = label_map(tmp_path / "m.nii", text.encode(encoding))
    assert decides(path)
    assert read_mask_file(path).findings == []


def test_a_table_of_itk_snap_in_the_header_is_read(tmp_path):
    assert decides(label_map(tmp_path / "m.nii", ITK_SNAP.encode(), code=6))


def test_json_that_is_damaged_is_a_warning(tmp_path):
    held = read_mask_file(label_map(tmp_path / "m.nii", MAPPING[:-3].encode()))
    assert [one.code for one in held.findings] == ["label-names-unreadable"]
    assert read_mask_file(label_map(tmp_path / "n.nii", b'{"Comment": "a')).findings == []


@pytest.mark.parametrize(
    "text",
    [
        '{"EchoNumbers": 22, "Slices": 31}',
        '{"channel_names": {"22": "T1", "31": "T2"}}',
        '{"vertebrae_L1_height_mm": 22, "vertebrae_L1_volume_ml": 31}',
        '{"L1": 31, "L2": 22}',  # heights
        '[{"direction": ["P", "I", "R"]}, {"label": 22, "X": 1.5}]',
        "[" * 100_000,
    ],
)
def test_other_json_beside_a_mask_is_no_table(tmp_path, text):
    (tmp_path / "m.json").write_text(text, encoding="utf-8")
    assert names(label_map(tmp_path / "m.nii.gz")) == {22: None, 31: None}


@pytest.mark.parametrize(
    ("beside", "text"),
    [
        ("m.json", MAPPING),
        ("m.json", NNUNET),
        ("dataset.json", NNUNET),
        ("m.mitklabel.json", MITK_STACK),
        ("labels.json", '{"L1": 22, "T4": 31}'),
    ],
)
def test_json_beside_a_mask_names_its_labels(tmp_path, beside, text):
    (tmp_path / beside).write_text(text, encoding="utf-8")
    (tmp_path / "other_table.label").write_text(ITK_SNAP.replace("L1", "L3"), encoding="utf-8")
    if beside == "labels.json":
        (tmp_path / "other_table.label").unlink()
    assert decides(label_map(tmp_path / "m.nii.gz"))


def test_the_table_of_a_data_set_stands_above_its_folder_of_labels(tmp_path):
    (tmp_path / "dataset.json").write_text(NNUNET, encoding="utf-8")
    for folder in ("labelsTr", "other"):
        (tmp_path / folder).mkdir()
        label_map(tmp_path / folder / "case_001.nii.gz")
    assert decides(tmp_path / "labelsTr" / "case_001.nii.gz")
    assert names(tmp_path / "other" / "case_001.nii.gz") == {22: None, 31: None}


@pytest.mark.parametrize(
    "lines",
    [
        [f"org.mitk.multilabel.segmentation.labelgroups:={MITK}"],
        [
            f'label_00000_{at:05d}:=<Label><property key="name" type="StringProperty"><string '
            f'value="{name}"/></property><property key="value" type="UIntProperty"><unsigned '
            f'value="{value}"/></property></Label>'
            for at, (value, name) in enumerate({22: "L1", 31: "T4"}.items())
        ],
    ],
)
def test_labels_of_mitk_in_the_header_of_a_nrrd(tmp_path, lines):
    voxels = np.zeros((4, 4, 4), np.uint8)
    voxels[0, 1:3, 1:3], voxels[1, 1:3, 1:3] = 22, 31
    header = [
        "NRRD0004", "type: uchar", "dimension: 3", "space: left-posterior-superior",
        "sizes: 4 4 4", "space directions: (1,0,0) (0,1,0) (0,0,1)", "kinds: domain domain domain",
        "endian: little", "encoding: raw", "space origin: (0,0,0)", *lines, "", "",
    ]  # fmt: skip
    (tmp_path / "m.nrrd").write_bytes("\n".join(header).encode() + voxels.tobytes())
    assert decides(tmp_path / "m.nrrd")


@pytest.mark.parametrize("text", TABLES_IN_JSON)
def test_a_registered_copy_keeps_vertebrae_that_json_named(tmp_path, text):
    original = label_map(tmp_path / "m.nii", text.encode())
    copy = tmp_path / "copy.nii"
    clean_volume(original, copy, lambda text, number: text)
    assert names(copy) == {22: "L1", 31: "T4"}
