"""Remedies of masks: label maps, 3D Slicer's segmentations, names and conventions of labels."""

from __future__ import annotations

import shutil
from pathlib import Path

import nibabel
import nrrd
import numpy as np

from pipeline.core.findings import Finding
from segmentation.formats.mask_files import read_mask_file
from segmentation.masks import check_file_name
from segmentation.structures.label_conventions import choose_segment, convention_of
from segmentation.structures.segments import Segment, pick_segment
from tests.remedies import Remedy
from tests.remedies.doors import Step, refused, warned
from tests.segmentation.formats import test_mask_files as files
from tests.segmentation.structures import test_label_tables as tables
from tests.segmentation.structures.test_label_conventions import holding

LABELS, NAMED = files.LABELS, files.NAMED


def read(name: str, label: str | None = "L3") -> Step:
    """Return the door of a file: it is read, and a structure chosen."""
    return lambda folder: pick_segment(read_mask_file(folder / name), label)


def in_order(folder: Path) -> Path:
    """Write a segmentation as 3D Slicer saves it."""
    return files.seg_nrrd(folder / "m.seg.nrrd", LABELS, NAMED)


def slicer(spoil: Step, words: str, bad_input: str, mend: Step = in_order) -> Remedy:
    """Return the entry of a segmentation that is saved again, its only drawn segment L3."""
    return refused(bad_input, spoil, read("m.seg.nrrd"), words, mend)


def with_header(**header: object) -> Step:
    return lambda folder: files.seg_nrrd(folder / "m.seg.nrrd", LABELS, {**NAMED, **header})


def stating(*stated: dict) -> Step:
    header = files.segments(*stated)
    return lambda folder: files.seg_nrrd(folder / "m.seg.nrrd", LABELS, header)


def sheared(folder: Path) -> None:
    directions = np.diag([0.7, 0.7, 3.0])
    directions[0, 1] = 0.2
    layers = np.stack([files.UPPER, files.LOWER])
    directions = np.vstack([[np.nan] * 3, directions])
    header = {**NAMED, "space directions": directions}
    files.layered(folder / "m.seg.nrrd", layers, header)


def four_dimensions(folder: Path) -> None:
    directions = np.vstack([np.diag([0.7, 0.7, 3.0]), [np.nan] * 3])
    header = {**NAMED, "kinds": ["domain"] * 3 + ["time"], "space directions": directions}
    header["space"] = "left-posterior-superior"
    voxels = np.stack([LABELS, LABELS]).transpose(3, 2, 1, 0)
    nrrd.write(str(folder / "m.seg.nrrd"), voxels, header)


def cut(share: float) -> Step:
    def spoil(folder: Path) -> None:
        content = in_order(folder).read_bytes()
        (folder / "m.seg.nrrd").write_bytes(content[: int(share * len(content))])

    return spoil


def voxels_elsewhere(folder: Path) -> None:
    head, _, voxels = files.raw_segmentation(folder / "m.seg.nrrd").partition(b"\n\n")
    (folder / "other.raw").write_bytes(voxels)
    (folder / "m.seg.nrrd").write_bytes(head + b"\ndata file: other.raw\n\n")


def and_a_byte(folder: Path) -> None:
    content = files.raw_segmentation(folder / "m.seg.nrrd")
    (folder / "m.seg.nrrd").write_bytes(content + b"\0")


def label_map(labels: np.ndarray, name: str = "m.nii.gz") -> Step:
    return lambda folder: files.label_map(folder / name, labels)


ONE = (LABELS == 22).astype(np.uint8)


def the_column_label(bad_input: str, wrong: str | None, words: str, right: str) -> Remedy:
    """Return the entry of a label map whose remedy is another label in the table."""
    told = {"label": wrong}

    def door(folder: Path) -> None:
        pick_segment(read_mask_file(folder / "m.nii.gz"), told["label"])

    return refused(
        bad_input, label_map(LABELS), door, words, lambda _: told.update(label=right)
    )  # fmt: skip


def two_of_one_name(folder: Path) -> None:
    """The number tells segments of one name apart, as the remedy says."""
    more = {"Segment1_ID": "s", "Segment1_Name": "L3", "Segment1_LabelValue": "23"}
    with_header(**more)(folder)
    told = {"label": "L3"}

    def door(folder: Path) -> None:
        told["found"] = pick_segment(read_mask_file(folder / "m.seg.nrrd"), told["label"])

    bad = "Two segments of one name"
    mend = lambda _: told.update(label="23")  # noqa: E731
    refused(bad, lambda _: None, door, "write the segment's number", mend)(folder)
    assert told["found"].value == 23


def name_in_another_encoding(folder: Path) -> None:
    files.named(folder / "m.seg.nrrd", b"L1", "腰椎".encode("gb18030"))
    told = {"label": "腰椎"}

    def door(folder: Path) -> None:
        told["found"] = pick_segment(read_mask_file(folder / "m.seg.nrrd"), told["label"])

    bad = ".seg.nrrd: a name stored in another encoding than UTF-8 is asked for"
    mend = lambda _: told.update(label="23")  # noqa: E731
    refused(bad, lambda _: None, door, "segment's name or number", mend)(folder)
    assert told["found"].value == 23


def saved_with_a_slope(folder: Path) -> None:
    files.rescaled(folder / "m.nii.gz", files.MANY, np.uint8)


def saved_without_a_slope(folder: Path) -> None:
    image = nibabel.Nifti1Image(files.MANY.transpose(2, 1, 0), np.diag([1.0, 1, 1, 1]))
    nibabel.save(image, folder / "m.nii.gz")


def another_format(folder: Path) -> None:
    (folder / "m.mha").write_bytes(bytes(200))


FORMAT = {"name": "m.mha"}


def uncompressed_sibling(folder: Path) -> None:
    files.label_map(folder / "m.nii.gz", ONE)
    files.label_map(folder / "m.nii", ONE * 0)


# --- conventions and names -----------------------------------------------------------------------


def chosen(level: str, option: object, held: object, label: str | None = None) -> list[Finding]:
    return choose_segment(held, label, level, convention_of(option))[1]


def numbered_from_one(folder: Path) -> None:
    """Name the segment in column `label`, whose number would have been C1 in a label map."""
    held, told = holding(("Segment_A", 1), ("Segment_B", 2)), {"label": None}
    refused(
        "No label, and a program has numbered segments or regions from one, whose names are no "
        "levels",
        lambda _: None,
        lambda _: chosen("C1", "verse", held, told["label"]),
        "write the label into column `label`",
        lambda _: told.update(label="Segment_B"),
    )(folder)


def against_the_convention(folder: Path) -> None:
    """Both remedies: the label in the table, and the convention that the file follows."""
    bad = "No label, and the file does not follow the study's convention"
    files.label_map(folder / "m.nrrd", np.where(LABELS == 22, 20, LABELS * 0 + (LABELS == 23) * 19))
    held = read_mask_file(folder / "m.nrrd")
    for mended in ({"label": "20"}, {"option": "verse"}):
        told = {"label": None, "option": "totalsegmentator"}

        def door(_: Path, told=told) -> None:
            chosen("L1", told["option"], held, told["label"])

        def mend(_: Path, told=told, mended=mended) -> None:
            told |= mended

        words = "write the label into column `label`, or correct masks.convention"
        refused(bad, lambda _: None, door, words, mend)(folder)


def no_label_for_the_level(folder: Path) -> None:
    """Both remedies: the label in the table, and the level in an own map."""
    bad = "The convention has no label for the level"
    files.label_map(folder / "m.nrrd", LABELS)
    held = read_mask_file(folder / "m.nrrd")
    for mended in ({"label": "23"}, {"option": {"L1": 22, "S1": 23}}):
        told = {"label": None, "option": {"L1": 22}}

        def door(_: Path, told=told) -> None:
            chosen("S1", told["option"], held, told["label"])

        def mend(_: Path, told=told, mended=mended) -> None:
            told |= mended

        words = "write the label into column `label`, or add the level to masks.convention"
        refused(bad, lambda _: None, door, words, mend)(folder)


def called_by_another_level(folder: Path) -> None:
    """Four remedies: column `label`, column `level`, the structure's name written, a new name."""
    bad = "A structure that its file calls by another level, for example `vertebrae_T4` for L1"
    words = "correct column `level` or `label`; .* write its name into column `label`, or rename it"
    for mended in ({"label": "22"}, {"level": "T4"}, {"label": "vertebrae_T4"}, {"names": {}}):
        told = {"label": "31", "level": "L1", "names": tables.V1}

        def door(folder: Path, told=told) -> None:
            path = tables.label_map(folder / "m.nii.gz", tables.xml(told["names"]))
            chosen(told["level"], "totalsegmentator", read_mask_file(path), told["label"])

        def mend(_: Path, told=told, mended=mended) -> None:
            told |= mended

        refused(bad, lambda _: None, door, words, mend)(folder)


def name_against_code(folder: Path) -> None:
    """Three remedies: the name, the code, and the name written into column `label`."""
    bad = "A structure whose name and code are two levels"
    words = "correct the name or the code .*; or write the name into column `label`"
    for mended in ({"name": "T12"}, {"meaning": "L1 vertebra"}, {"label": "L1"}):
        told = {"name": "L1", "meaning": "T12 vertebra", "label": None}

        def door(_: Path, told=told) -> None:
            held = holding(Segment(told["name"], 1, meanings=(told["meaning"],)))
            chosen(told["name"], "none", held, told["label"])

        def mend(_: Path, told=told, mended=mended) -> None:
            told |= mended

        refused(bad, lambda _: None, door, words, mend)(folder)


def name_of_another_level(**mended: str) -> Step:
    def findings(folder: Path) -> list[Finding]:
        path = tables.label_map(folder / "m.nii.gz", tables.xml(tables.V1))
        told = {"level": "L1", "label": "vertebrae_T4", **mended}
        return chosen(told["level"], "none", read_mask_file(path), told["label"])

    return findings


def number_of_another_level(level: str, label: str) -> Step:
    def findings(folder: Path) -> list[Finding]:
        path = tables.label_map(folder / "m.nii.gz", values=(30, 31))
        return chosen(level, "totalsegmentator", read_mask_file(path), label)

    return findings


def table_in_the_header(broken: bool) -> Step:
    def findings(folder: Path) -> list[Finding]:
        path = tables.label_map(folder / "m.nii", tables.xml(tables.V1, broken=broken))
        return read_mask_file(path).findings

    return findings


def two_names_of_a_label(folder: Path) -> None:
    (folder / "m.label").write_text(tables.ITK_SNAP.replace("T4", "L1"), encoding="utf-8")
    tables.label_map(folder / "m.nii.gz", tables.xml({31: "vertebrae_T4"}))


def without_the_wrong_table(folder: Path) -> None:
    (folder / "m.label").unlink()


REMEDIES: dict[str, Remedy] = {
    "A format that holds no mask": refused(
        "A format that holds no mask",
        another_format,
        lambda folder: read_mask_file(next(folder.iterdir())),
        "export the segmentation .* in one of these formats",
        lambda folder: (in_order(folder), (folder / "m.mha").unlink()),
    ),
    "No label given, several in the file": the_column_label(
        "No label given, several in the file", None, "write the label's number", "22"
    ),
    "The label is not in the file": the_column_label(
        "The label is not in the file", "24", "write the label's number", "23"
    ),
    "Two segments of one name": two_of_one_name,
    ".seg.nrrd: a name stored in another encoding than UTF-8 is asked for": (
        name_in_another_encoding
    ),
    "a.nii beside a mask a.nii.gz": refused(
        "a.nii beside a mask a.nii.gz",
        uncompressed_sibling,
        read("m.nii.gz", "1"),
        "move one of them away",
        lambda folder: shutil.move(folder / "m.nii", folder / "away.nii"),
    ),
    "No label, and the file does not follow the study's convention": against_the_convention,
    "No label, and a program has numbered segments or regions from one, whose names are no "
    "levels": numbered_from_one,
    "The convention has no label for the level": no_label_for_the_level,
    "A structure that its file calls by another level, for example `vertebrae_T4` for L1": (
        called_by_another_level
    ),
    "A structure whose name and code are two levels": name_against_code,
    "Two tables give one label different names": refused(
        "Two tables give one label different names",
        two_names_of_a_label,
        lambda folder: chosen("T4", "none", read_mask_file(folder / "m.nii.gz"), "31"),
        "remove the table that is wrong from the mask's folder",
        without_the_wrong_table,
    ),
}

#: Label maps that are saved again: what is wrong, words of the remedy, what mends it.
SAVED_AGAIN = {
    "An empty label map": (
        label_map(ONE * 0), "draw the vertebra, and export the mask again", label_map(ONE),
    ),
    "A probability map in place of labels": (
        label_map(ONE * np.float32(0.4)), "export a label map, not an image", label_map(ONE),
    ),
    "A label map saved again with a slope (scl_slope) that leaves fractions": (
        saved_with_a_slope,
        "as whole numbers without a slope .scl_slope 1, scl_inter 0.",
        saved_without_a_slope,
    ),
}  # fmt: skip
for bad, (spoil, words, mend) in SAVED_AGAIN.items():
    REMEDIES[bad] = refused(bad, spoil, read("m.nii.gz", "1"), words, mend)

OPEN = "open it in 3D Slicer, check .*, and save it again"
BINARY = "make the binary labelmap the source representation, and save"
#: Segmentations of 3D Slicer: what is wrong, and words of the remedy. Each is saved again.
SEGMENTATIONS = {
    ".seg.nrrd: fractional": (
        with_header(Segmentation_MasterRepresentation="Fractional labelmap"), BINARY,
    ),
    ".seg.nrrd: a closed surface as source": (
        with_header(Segmentation_MasterRepresentation="Closed surface"), BINARY,
    ),
    ".seg.nrrd: the segment asked for lies on a layer that is not there": (
        stating({"Name": "L3", "LabelValue": "22", "Layer": "1"}), OPEN,
    ),
    ".seg.nrrd: the segment asked for shares its voxels with another": (
        stating({"Name": "T12", "Layer": "0"}, {"Name": "L3", "Layer": "0"}), OPEN,
    ),
    ".seg.nrrd: no layer or label value for the segment asked for, and several are possible": (
        stating({"Name": "L3"}), OPEN,
    ),
    ".seg.nrrd: axes that are not perpendicular, or of no stated length": (sheared, OPEN),
    ".seg.nrrd: four dimensions that are no layers": (
        four_dimensions, "open it in 3D Slicer and save it again",
    ),
    ".seg.nrrd: header damaged": (cut(0.0), "export it again"),
    ".seg.nrrd: packed voxels damaged or cut short": (cut(0.99), "copy or export the file again"),
    ".seg.nrrd: more bytes than its voxels need": (and_a_byte, "copy or export the file again"),
    ".seg.nrrd: the voxels lie in another file": (voxels_elsewhere, "export it as one .nrrd file"),
    ".seg.nrrd: lengths in centimetres": (
        with_header(**{"space units": ["cm"] * 3}), "export it from 3D Slicer",
    ),
    ".seg.nrrd: fractions in place of labels": (
        lambda folder: files.seg_nrrd(folder / "m.seg.nrrd", LABELS * np.float32(0.01), NAMED),
        "export a label map",
    ),
}  # fmt: skip
for bad, (spoil, words) in SEGMENTATIONS.items():
    REMEDIES[bad] = slicer(spoil, words, bad)

COLUMNS = "correct column `label` or column `level`"
#: Warnings: findings before, words of the remedy, findings after it.
WARNINGS = {
    "The name in column `label` is that of another level": (
        name_of_another_level(), COLUMNS, name_of_another_level(level="T4"),
    ),
    "The label is another level's by the convention": (
        number_of_another_level("L1", "30"), COLUMNS, number_of_another_level("L1", "31"),
    ),
    "A table of label names in the header that cannot be read": (
        table_in_the_header(True), "export", table_in_the_header(False),
    ),
    "A mask whose file name speaks of another level": (
        lambda _: check_file_name("masks/P001_T12_A.nii.gz", "L1"),
        "correct column `mask` or column `level`",
        lambda _: check_file_name("masks/P001_T12_A.nii.gz", "T12"),
    ),
}  # fmt: skip
for bad, (before, words, after) in WARNINGS.items():
    REMEDIES[bad] = warned(bad, before, words, after)
