"""Remedies of masks in DICOM: segmentations and RT structure sets."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit, RLELossless
from scipy.spatial.transform import Rotation

from demo.anatomy import Grid
from demo.ct_series import Scan, write_series
from pipeline.core.findings import Finding
from pipeline.imaging.geometry import Geometry
from pipeline.imaging.read_ct import read_ct
from pipeline.imaging.sources import source_files
from segmentation.formats.mask_files import read_mask_file
from segmentation.structures.segments import pick_segment
from tests.remedies import Remedy
from tests.remedies.doors import Step, refused, warned
from tests.segmentation.formats import test_dicom_seg as seg
from tests.segmentation.formats import test_rtstruct as rt

# --- DICOM segmentations -------------------------------------------------------------------------


def slices_of(folder: Path) -> list[Dataset]:
    """Return the slices of the test's CT from foot to head, written where there is none yet."""
    ct = folder.parent / f"{folder.name}-ct"
    if not ct.exists():
        scan = Scan(seg.CANARY, "F", ("seg", "test"), "Model", "B30f", 120)
        grid = Grid(seg.SHAPE, (3.0, 0.75, 0.5), (-40.0, -20.0, -10.0))
        volume = np.random.default_rng(3).integers(-200, 900, seg.SHAPE).astype(np.int16)
        write_series(volume, grid, scan, ct)
    found = [pydicom.dcmread(path) for path in source_files(ct)]
    return sorted(found, key=lambda one: one.ImagePositionPatient[2])


def grid_of(folder: Path) -> Geometry:
    slices_of(folder)
    return Geometry.of(read_ct(folder.parent / f"{folder.name}-ct").image)


def exported(folder: Path, kind: str = "BINARY") -> Path:
    """Write the segmentation as its program exports it, in order."""
    return seg.written(folder / "a.dcm", slices_of(folder), seg.both(), kind)


def l1_in(name: str = "a.dcm") -> Step:
    return lambda folder: seg.mask_of(folder / name, "L1", grid_of(folder))


def changed(change: Callable[[Dataset], object], kind: str = "BINARY") -> Step:
    return lambda folder: seg.changed(exported(folder, kind), change)


def lossy(folder: Path) -> None:
    data = pydicom.dcmread(exported(folder, "FRACTIONAL"))
    data.PixelData = encapsulate([b"\xff\xd8\xff\xd9"] * int(data.NumberOfFrames))
    data["PixelData"].is_undefined_length = True
    data.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    data.save_as(folder / "a.dcm")


def undecodable(folder: Path) -> None:
    seg.reencoded(exported(folder), lambda _: b"\x07\x99", RLELossless)


def lifted(data: Dataset) -> None:
    for frame in data.PerFrameFunctionalGroupsSequence:
        x, y, z = frame.PlanePositionSequence[0].ImagePositionPatient
        frame.PlanePositionSequence[0].ImagePositionPatient = [x, y, float(z) + 1.5]


def thicker(folder: Path) -> None:
    pixels = np.ones((3, *seg.SHAPE[1:], 1), np.uint8)
    seg.written(folder / "a.dcm", slices_of(folder)[::2], pixels, labels=["L1"])


def cut_short(folder: Path) -> None:
    content = exported(folder).read_bytes()
    # Within a value: lengths of identifiers vary, and between two elements a file looks whole.
    (folder / "a.dcm").write_bytes(content[: content.index(b"BINARY") + 4])


def inserted(folder: Path) -> None:
    content = exported(folder).read_bytes()
    (folder / "a.dcm").write_bytes(content[:-20] + b"\0\1" + content[-20:])


def ct_slice(folder: Path) -> None:
    slices_of(folder)[0].save_as(folder / "a.dcm")


def drop(name: str) -> Callable[[Dataset], None]:
    return lambda data: delattr(data, name)


#: Words of remedies that ask for the file again.
AGAIN = "(copy or )?export it again"
#: Segmentations: what is wrong, and words of the remedy; each is then exported in order.
SEGMENTATIONS = {
    "DICOM mask: header cut short": (cut_short, AGAIN),
    "A CT slice named as mask": (ct_slice, "export the segmentation"),
    "SEG: type, size, bits, frames or segments missing or contradictory": (
        changed(lambda data: setattr(data, "SegmentationType", "SURFACE")), AGAIN,
    ),
    "SEG: fractions without a largest value": (
        changed(drop("MaximumFractionalValue"), "FRACTIONAL"), AGAIN,
    ),
    "SEG: a frame of the segment asked for without position, orientation or pixel spacing": (
        changed(lambda data: delattr(seg.own_frame(data, 1), "PlanePositionSequence")), AGAIN,
    ),
    "SEG: the segment asked for has no number, or shares it with another": (
        changed(lambda data: setattr(data.SegmentSequence[1], "SegmentNumber", 1)), AGAIN,
    ),
    "SEG: pixels cut short": (
        changed(lambda data: setattr(data, "PixelData", data.PixelData[:20])), AGAIN,
    ),
    "SEG: bytes inserted into its pixels, or behind them": (inserted, AGAIN),
    "SEG: lossy compression": (lossy, "export it uncompressed"),
    "SEG: a frame that does not decode": (undecodable, "export it"),
    "SEG: two frames of a segment at one place": (
        changed(lambda data: seg.move_frame(data, -34)), "open it in 3D Slicer, check the segment",
    ),
    "SEG: frames between the CT's slices": (
        changed(lifted), "check that the CT is the one .* mend the mask in 3D Slicer",
    ),
    "SEG: frames beyond the CT": (
        changed(lambda data: seg.move_frame(data, -100)), "name the CT on which the mask was drawn",
    ),
    "SEG drawn on a thicker reconstruction": (thicker, "fill the slices between"),
}  # fmt: skip
REMEDIES: dict[str, Remedy] = {
    bad: refused(bad, spoil, l1_in(), words, exported)
    for bad, (spoil, words) in SEGMENTATIONS.items()
}


def named_in_its_folder(bad_input: str, spoil: Step, words: str) -> Remedy:
    """Return the entry of a folder whose one file is then named itself."""
    named = {"mask": "masks"}

    def door(folder: Path) -> None:
        seg.mask_of(folder / named["mask"], "L1", grid_of(folder))

    def start(folder: Path) -> None:
        named["mask"] = "masks"
        (folder / "masks").mkdir()
        exported(folder).rename(folder / "masks" / "a")
        spoil(folder / "masks")

    return refused(bad_input, start, door, words, lambda _: named.update(mask="masks/a"))


def damaged_beside(masks: Path) -> None:
    damaged = (masks / "a").read_bytes().replace(b"\x08\0\x16\0UI", b"\x08\0\x16\0QQ")
    (masks / "b").write_bytes(damaged)


FOLDERS = {
    "A folder with several DICOM masks, or none": lambda masks: shutil.copy(
        masks / "a", masks / "b"
    ),
    "A folder with one DICOM mask and a damaged DICOM file": damaged_beside,
}
for bad, spoil in FOLDERS.items():
    REMEDIES[bad] = named_in_its_folder(bad, spoil, "name the file itself in column `mask`")

# --- RT structure sets ---------------------------------------------------------------------------


def drawn(*slices: float, kinds: dict | None = None, **more: list) -> Step:
    def write(folder: Path) -> Path:
        return rt.structure_set(
            folder / "a.dcm", {"L1": rt.drawn_on(*slices), **more}, kinds=kinds
        )  # fmt: skip

    return write


def contours(*of_l1: np.ndarray) -> Step:
    return lambda folder: rt.structure_set(folder / "a.dcm", {"L1": list(of_l1)})


def altered(change: Callable[[Dataset], object], **more: list) -> Step:
    def write(folder: Path) -> None:
        path = drawn(2, 3, **more)(folder)
        data = pydicom.dcmread(path)
        change(data)
        data.save_as(path)

    return write


def share_a_number(data: Dataset) -> None:
    data.StructureSetROISequence[1].ROINumber = 5
    data.ROIContourSequence[1].ReferencedROINumber = 5


def two_sets_of_contours(data: Dataset) -> None:
    first = data.ROIContourSequence[0].ReferencedROINumber
    data.ROIContourSequence[1].ReferencedROINumber = first


TURNED = Rotation.from_euler("xyz", [30, 20, 0], degrees=True).as_matrix()
STRUCTURE_SETS = {
    "RTSTRUCT: no region described": (altered(drop("StructureSetROISequence")), AGAIN),
    "RTSTRUCT: number or contours of the region asked for missing or contradictory": (
        altered(rt.FIRST_REGION[0][0]), AGAIN,
    ),
    "RTSTRUCT: the region asked for shares its number with another": (
        altered(share_a_number, T12=rt.drawn_on(5)), AGAIN,
    ),
    "RTSTRUCT: two sets of contours of the region asked for": (
        altered(two_sets_of_contours, T12=rt.drawn_on(5)), AGAIN,
    ),
    "RTSTRUCT: the region has no contours": (contours(), "draw it, or name another region"),
    "RTSTRUCT: open contours in the region asked for": (
        drawn(2, 3, kinds={1: "OPEN_PLANAR"}), "close the contours .*, and export again",
    ),
    "RTSTRUCT: contours between the CT's slices": (
        drawn(2, 3.5, 4), "name the CT on which they were drawn, or draw them on its slices",
    ),
    "RTSTRUCT: contours turned against the slices": (
        contours(rt.drawn_on(2)[0] @ TURNED.T), "name the CT on which they were drawn",
    ),
    "RTSTRUCT: contours on every second slice": (drawn(2, 4, 6), "fill the slices between"),
    "RTSTRUCT: contours outside the CT": (
        contours(*(one + np.array([40.0, 0, 0]) for one in rt.drawn_on(2, 3))),
        "name the CT on which the mask was drawn",
    ),
}  # fmt: skip
for bad, (spoil, words) in STRUCTURE_SETS.items():
    door = lambda folder: rt.mask_of(folder / "a.dcm", rt.CT, "L1")  # noqa: E731
    REMEDIES[bad] = refused(bad, spoil, door, words, drawn(2, 3))


def another_region(folder: Path) -> None:
    """The other half of the remedy: another region of the file, by its name."""
    drawn(L2=rt.drawn_on(3))(folder)
    assert rt.mask_of(folder / "a.dcm", rt.CT, "L2").any()


without_contours = REMEDIES["RTSTRUCT: the region has no contours"]


def no_contours(folder: Path) -> None:
    without_contours(folder)
    another_region(folder)


REMEDIES["RTSTRUCT: the region has no contours"] = no_contours


def findings(write: Step) -> Callable[[Path], list[Finding]]:
    def of(folder: Path) -> list[Finding]:
        write(folder)
        held = read_mask_file(folder / "a.dcm")
        return held.on_grid(pick_segment(held, "L1"), rt.CT).findings

    return of


CROSSING = rt.to_patient(rt.CT, np.array([(8, 6), (14, 6), (14, 12), (8, 12)]) - 0.5, 3)


def through_centres(folder: Path) -> None:
    regions = {"L1": [rt.to_patient(rt.CT, rt.BOX, 3)]}
    rt.structure_set(folder / "a.dcm", regions, decimals=4)


IN_ORDER = findings(drawn(3, 4))
#: Warnings: what is wrong, and words of the remedy; the contours are then drawn in order.
WARNINGS = {
    "RTSTRUCT: contours that cross": (
        contours(*rt.drawn_on(3, 4), CROSSING),
        "merge them into one contour",
    ),
    "RTSTRUCT: a contour twice": (
        contours(*rt.drawn_on(3, 4), *rt.drawn_on(4)),
        "merge them into one",
    ),
    "RTSTRUCT: traced through the centres of pixels": (
        through_centres,
        "hand in the label map or DICOM segmentation",
    ),
}
for bad, (spoil, words) in WARNINGS.items():
    REMEDIES[bad] = warned(bad, findings(spoil), words, IN_ORDER)
