"""Remedies of masks on their CT: grids, checks of one region, comparisons, features, proposals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
import SimpleITK as sitk

from pipeline.checks.cohort import copied_masks
from pipeline.checks.mask_rules import (
    dense_material,
    equal_masks,
    levels_along_spine,
    readers_apart,
    treated_levels,
)
from pipeline.core.findings import Finding, from_json
from pipeline.core.keeping.store import Store
from pipeline.extraction.formulas import binning
from pipeline.extraction.formulas.binning import BinnedImage
from pipeline.extraction.formulas.matrices import Region
from pipeline.imaging.geometry import Geometry, place_on_grid
from segmentation.propose import propose
from segmentation.regions.placement import DEFAULTS, Case, place_mask
from segmentation.regions.region_checks import check_region
from segmentation.regions.region_facts import describe_region
from tests.pipeline.checks import test_mask_rules as rules
from tests.pipeline.extraction import test_extraction as extraction
from tests.pipeline.imaging.test_geometry import grid
from tests.remedies import Remedy, says
from tests.remedies.doors import refused, rule_of, warned
from tests.segmentation import test_masks as masks
from tests.segmentation import test_propose as proposals
from tests.segmentation.regions import test_region_checks as regions

REMEDIES: dict[str, Remedy] = {}

# --- grids ---------------------------------------------------------------------------------------


def on_grid(bad_input: str, labels: np.ndarray, wrong: Geometry, words: str) -> None:
    """Add an entry of a mask that is then drawn on the grid of its CT."""
    told = {"grid": wrong}
    REMEDIES[bad_input] = refused(
        bad_input,
        lambda _: told.update(grid=wrong),
        lambda _: place_on_grid(labels, told["grid"], grid()),
        words,
        lambda _: told.update(grid=grid()),
    )


FULL = np.ones((10, 10, 10), np.uint8)
ITS_CT = "name the CT on which the mask was drawn"
on_grid(
    "Another grid than the CT's", FULL, grid(origin=(0.5, 0.0, 0.0)),
    "choose the CT as source geometry, OK; .* and save as .seg.nrrd",
)  # fmt: skip
on_grid("A part of the mask lies outside the CT", FULL, grid(origin=(-3.0, 0.0, 0.0)), ITS_CT)
on_grid("The mask of another scan", FULL, grid(origin=(100.0, 0.0, 0.0)), ITS_CT)


def mask_of_another_series(folder: Path) -> None:
    bad = "The mask of another series of the folder"
    masks.series(folder / "ct", "thick", -40, 3, 2)
    mask = masks.dicom_mask(folder / "a.dcm", masks.series(folder / "ct", "thin", -40, 1.25, 3))
    told = {"series": "thick"}

    def door(folder: Path) -> None:
        ct = masks.prepare_ct_of(folder / "ct", told["series"])
        place_mask(Case(mask, image=folder / "ct"), ct, DEFAULTS)

    words = "columns `image` and `series`"
    refused(bad, lambda _: None, door, words, lambda _: told.update(series="thin"))(folder)


def mask_of_another_scan(folder: Path) -> None:
    masks.series(folder / "ct", "one", -40, 3, 2)
    mask = masks.dicom_mask(folder / "a.dcm", masks.series(folder / "ct2", "two", -41, 3, 2))
    rows = [
        masks.dicom_case(folder, "A", mask),
        masks.dicom_case(folder, "A", mask, image="ct2", scan_id="s2"),
    ]
    table = masks.prepare(rows, Store(folder / "store")).set_index("scan_id")
    (finding,) = from_json(table["findings"]["s1"])
    says(finding.message, rule_of("The mask of another scan of the patient"), "grid of scan s2")
    says(finding.remedy, "check that the CT is the one on which the mask was drawn|name")
    assert table["status"]["s2"] != "error"  # the same mask, on the scan that is named


def findings_of_dicom(change: Callable | None) -> Callable[[Path], list[Finding]]:
    """Return what is said of a mask whose UIDs were altered, or left as its CT has them."""

    def of(folder: Path) -> list[Finding]:
        slices = sorted((folder / "ct").glob("one-*")) or masks.series(
            folder / "ct", "one", -40, 3, 2
        )
        mask = masks.dicom_mask(folder / "a.dcm", slices)
        if change is not None:
            data = pydicom.dcmread(mask)
            change(data)
            data.save_as(mask)
        ct = masks.prepare_ct_of(folder / "ct", "one")
        return place_mask(Case(mask, image=folder / "ct"), ct, DEFAULTS)[2]

    return of


def another_series(data: pydicom.Dataset) -> None:
    data.ReferencedSeriesSequence[0].SeriesInstanceUID = "2.25.98"


def another_frame(data: pydicom.Dataset) -> None:
    data.FrameOfReferenceUID = "2.25.99"
    del data.ReferencedSeriesSequence


for bad, change in {
    "A DICOM mask that names another series, on the CT's grid": another_series,
    "A DICOM mask that names another frame of reference, on the CT's grid": another_frame,
}.items():
    REMEDIES[bad] = warned(
        bad, findings_of_dicom(change), "UIDs that were replaced in only one of the two",
        findings_of_dicom(None),
    )  # fmt: skip


def ct_failed(folder: Path) -> None:
    image = sitk.GetImageFromArray(masks.CT)
    image.SetSpacing((0.5, 0.75, 2.0))
    sitk.WriteImage(image, str(folder / "ct.nrrd"))
    drawn = sitk.GetImageFromArray(masks.block())
    drawn.CopyInformation(image)
    sitk.WriteImage(drawn, str(folder / "plain.nrrd"))
    row = [masks.case(folder, "A", "plain.nrrd")]
    found = {}
    for name, checks in (("bad", masks.CHECKS | {"max_slice_spacing_mm": 1}), ("ok", masks.CHECKS)):
        found[name] = masks.prepare(row, Store(folder / name), checks)
    (finding,) = from_json(found["bad"]["findings"][0])
    says(finding.message, rule_of("The CT of the mask failed"))
    says(finding.remedy, "mend the CT first")
    assert found["ok"]["status"][0] != "error"


REMEDIES |= {
    "The mask of another series of the folder": mask_of_another_series,
    "The mask of another scan of the patient": mask_of_another_scan,
    "The CT of the mask failed": ct_failed,
}

# --- one region ----------------------------------------------------------------------------------

Scene = tuple[np.ndarray, np.ndarray]


def judged(scene: Callable[[], Scene], level: str = "L1", **checks) -> Callable:
    def of(_: Path) -> list[Finding]:
        mask, ct = scene()
        facts = describe_region(mask, ct, regions.grid(mask.shape))
        return check_region(facts, level, regions.CHECKS | checks)

    return of


def painted(value: int, *place: slice | int, hu: int | None = None) -> Callable[[], Scene]:
    """Return the scene of a whole body with a part of the mask, and of the CT, painted."""

    def scene() -> Scene:
        mask, ct = regions.scene()
        mask[place] = value
        if hu is not None:
            ct[place] = hu
        return mask, ct

    return scene


def every(hu: int) -> Callable[[], Scene]:
    def scene() -> Scene:
        mask = regions.scene()[0]
        return mask, np.where(mask == 1, hu, regions.SOFT).astype(np.int16)

    return scene


def no_bone(hu: int) -> Callable[[], Scene]:
    return lambda: (regions.scene()[0], np.full((80, 80, 80), hu, np.int16))


def with_arch() -> Scene:
    mask, ct = regions.scene()
    regions.arch(mask, ct)
    return mask, ct


def moved() -> Scene:
    mask, ct = regions.scene()
    return np.roll(mask, 10, 0), ct


WHOLE = judged(regions.scene)
LOOK = "look whether the mask lies on a? ?(the )?vertebra, and was drawn on this CT"
REGIONS = {
    "Too few voxels": (
        judged(lambda: regions.scene(box=((40, 43),) * 3)), "draw the whole vertebral body", WHOLE,
    ),
    "A mask in one slice": (
        judged(lambda: regions.scene(box=((40, 41), (24, 54), (20, 60)))),
        "draw the vertebra in all slices that show it", WHOLE,
    ),
    "A mask at the edge of the volume": (
        judged(painted(1, 0, 40, 40)), "use a scan that shows the whole vertebra", WHOLE,
    ),
    "A stray island": (
        judged(painted(1, slice(60, 70), slice(60, 70), slice(10, 16))), "remove stray voxels",
        WHOLE,
    ),
    "A hole in the mask": (
        judged(painted(0, slice(36, 44), slice(34, 42), slice(36, 44))), "fill them", WHOLE,
    ),
    "A mask in lung or bowel": (
        judged(no_bone(-800)), "look whether the mask lies in lung or bowel", WHOLE,
    ),
    "A volume that no vertebra of the level has": (
        judged(regions.scene, "T3"), "check the label", WHOLE,
    ),
    "A density that no bone has": (
        judged(every(900)), "look whether .* the CT's values are HU", WHOLE,
    ),
    "Arch or processes in the mask of a body": (
        judged(with_arch), "set checks.region: vertebra", judged(with_arch, region="vertebra"),
    ),
    "A shifted mask": (judged(moved), LOOK, WHOLE),
    "A mask of another patient's scan on the same grid": (judged(no_bone(40)), LOOK, WHOLE),
}  # fmt: skip
for bad, (before, words, after) in REGIONS.items():
    REMEDIES[bad] = warned(bad, before, words, after)

# --- compared with others ------------------------------------------------------------------------


def said(found: Mapping) -> list[Finding]:
    """Return the findings of the first mask that has some."""
    return next((found[key] for key in sorted(found) if found[key]), [])


def readers(apart: float) -> Callable:
    rows = (("s", "c", "L1", "A", 0.0, 0.0, 0.0), ("s", "c", "L1", "B", 0.0, 0.0, apart))
    return lambda _: said(readers_apart(rules.placed(*rows)))


def along(**heights: float) -> Callable:
    return lambda _: said(levels_along_spine(rules.spine(**heights)))


def hashes(*hashes: str) -> Callable:
    table = pd.DataFrame({"case_id": "c1", "reader": ["A", "B"], "mask_hash": hashes})
    return lambda _: said(equal_masks(table))


def treated(level: str, cell: str | None) -> Callable:
    cases = pd.DataFrame({"case_id": ["c"], "patient_id": "p", "level": level, "reader": "A"})
    clinical = pd.DataFrame({"patient_id": ["p"], "treated": [cell]})
    return lambda _: said(treated_levels(cases, clinical, "patient_id", "treated"))


def cement(days: int, share: float = 0.1) -> Callable:
    table = pd.DataFrame({"case_id": ["c"], "reader": "A", "dense_share": [share]})
    table = table.assign(days_from_surgery=pd.array([days], dtype="Int64"))
    return lambda _: said(dense_material(table, {"c"}, "preoperative", 0.005))


def copied(**changed: object) -> Callable:
    table = pd.DataFrame(
        {
            "patient_id": ["p1", "p2"], "scan_id": ["s1", "s2"], "case_id": ["c1", "c2"],
            "reader": "A", "mask_hash": ["m1", "m2"], "source_hash": ["f1", "f2"], "label": "1",
        }
    )  # fmt: skip
    return lambda _: said(copied_masks(table.assign(**changed)))


COMPARED = {
    "Both readers handed in the same mask": (
        hashes("m", "m"), "that the right file is named", hashes("m", "n"),
    ),
    "Two readers drew different vertebrae": (
        readers(33.0), "correct the other mask or its label", readers(1.0),
    ),
    "Two levels swapped": (
        along(L1=0, L2=34), "correct the levels or labels", along(L1=34, L2=0),
    ),
    "One vertebra under two levels": (
        along(L1=3, L2=0), "correct the label, segment or file of one", along(L1=34, L2=0),
    ),
    "A level that is off by one": (
        along(L1=68, L2=0), "one of the two levels may be off by one", along(L1=68, L3=0),
    ),
    "A mask of a vertebra that was not treated": (
        treated("L2", "L1"), "correct the level, the mask or the clinical table",
        treated("L2", "L2"),
    ),
    "A treated level that is blank or no level": (
        treated("L1", None), "write it as L1, or T12, L1 for several", treated("L1", "T12, L1"),
    ),
    "One mask for two patients": (copied(mask_hash="m"), "name the file and label", copied()),
}  # fmt: skip
for bad, (before, words, after) in COMPARED.items():
    REMEDIES[bad] = warned(bad, before, words, after)


def cement_before_surgery(folder: Path) -> None:
    """Both remedies: the right days make it a warning, the right scan shows none."""
    bad = "Cement or metal in a scan from before surgery"
    words = "use the scan from before surgery, correct days_from_surgery"
    warned(bad, cement(-3), words, cement(-3, 0.0))(folder)
    assert [one.severity for one in cement(-3)(folder)] == ["error"]
    assert [one.severity for one in cement(30)(folder)] == ["warning"]


REMEDIES["Cement or metal in a scan from before surgery"] = cement_before_surgery

# --- features ------------------------------------------------------------------------------------

CUBE = {"binWidth": 25}
WHOLE_REGION = extraction.ct_and_mask(spacing=(1, 1, 1))
CT = WHOLE_REGION[0]


def with_values(array: np.ndarray, like: sitk.Image) -> sitk.Image:
    image = sitk.GetImageFromArray(array)
    image.CopyInformation(like)
    return image


def dots(*places: tuple) -> np.ndarray:
    array = np.zeros_like(sitk.GetArrayFromImage(WHOLE_REGION[1]))
    for place in places:
        array[place] = 1
    return array


def content(image_type: dict | None = None, **setting: object) -> dict:
    return {
        "setting": CUBE | setting,
        "imageType": image_type or {"Original": {}},
        "featureClass": {"firstorder": ["Mean"], "glcm": ["Correlation"]},
    }


def features(bad_input: str, wrong: dict, words: str, right: dict) -> None:
    """Add an entry of the extraction: what was given, and what the remedy gives in its place."""
    given = {"ct": CT, "mask": WHOLE_REGION[1], "content": content()}

    def door(_: Path) -> None:
        extraction.extract_features(*(told[key] for key in given))

    told = dict(given)
    REMEDIES[bad_input] = refused(
        bad_input, lambda _: told.update(given | wrong), door, words,
        lambda _: told.update(right),
    )  # fmt: skip


DRAWN = {"mask": WHOLE_REGION[1]}
OUTSIDE = sitk.Image(WHOLE_REGION[1])
OUTSIDE.SetOrigin((400.0, 0.0, 0.0))
FINE = extraction.ct_and_mask(spacing=(0.2, 0.2, 0.2))
THIN = with_values(dots((5, 15, 15), (6, 16, 15), (5, 16, 16)), FINE[1])
SMALL_CUBE = with_values(dots((slice(6, 8), slice(16, 18), slice(16, 18))), CT)
features(
    "A stray click: one voxel or a line", {"mask": with_values(dots((7, 17, 18)), CT)},
    "draw the region again", DRAWN,
)  # fmt: skip
features(
    "A region that fills its whole mask", {"mask": WHOLE_REGION[1] * 0 + 1},
    "draw the region on the grid of the CT", DRAWN,
)  # fmt: skip
features(
    "A region outside the CT",
    {"mask": OUTSIDE, "content": content(resampledPixelSpacing=[1, 1, 1])}, ITS_CT, DRAWN,
)  # fmt: skip
features(
    "A region thinner than the grid of the extraction",
    {"ct": FINE[0], "mask": THIN, "content": content(resampledPixelSpacing=[2, 2, 2])},
    "set a finer resampledPixelSpacing",
    {"content": content(resampledPixelSpacing=[0.1, 0.1, 0.1])},
)
features(
    "A region smaller than every one of `distances`",
    {"mask": SMALL_CUBE, "content": content(distances=[2, 3])},
    "name a smaller one under `distances`", {"content": content(distances=[1])},
)  # fmt: skip
features(
    "A region smaller than `minimumROISize`", {"content": content(minimumROISize=100_000)},
    "lower minimumROISize in the parameter file", {"content": content(minimumROISize=10)},
)  # fmt: skip
features(
    "A region too small for a filter",
    {"content": content({"Original": {}, "LoG": {"sigma": [40.0]}})},
    "leave them out of the parameter file", {"content": content()},
)  # fmt: skip


def too_many_grey_levels(folder: Path) -> None:
    """With the limit lowered: an image with more than 65,535 levels would be large."""
    bad = "More than 65,535 grey levels in a region (a tiny `binWidth`)"
    told = {"binWidth": 25}
    region = Region(np.ones((1, 2, 2), bool), (1.0,) * 3)
    values = np.array([[[0, 30], [60, 90]]])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(binning, "MOST_LEVELS", 2)
        refused(
            bad, lambda _: None, lambda _: BinnedImage(values, region, dict(told)).levels,
            "set a larger binWidth", lambda _: told.update(binWidth=50),
        )(folder)  # fmt: skip


REMEDIES["More than 65,535 grey levels in a region (a tiny `binWidth`)"] = too_many_grey_levels

# --- proposals -----------------------------------------------------------------------------------

IMAGE = proposals.phantom(spacing=(2.0, 2.0, 2.0))[0]
SEED = proposals.SEED


def proposal(bad_input: str, words: str, right: dict, **wrong: object) -> None:
    told: dict = {}

    def start(_: Path) -> None:
        told.clear()
        told.update({"seed_mm": SEED} | wrong)

    REMEDIES[bad_input] = refused(
        bad_input, start, lambda _: propose(IMAGE, **told), words, lambda _: told.update(right)
    )


MIDDLE = {"seed_mm": SEED, "threshold_hu": 130.0}
proposal(
    "Proposal: a seed outside the image, as RAS for LPS",
    "pass --ras, or change the signs of the first two numbers", MIDDLE, seed_mm=(500.0, 0.0, 0.0),
)  # fmt: skip
proposal(
    "Proposal: a seed in soft tissue, or a threshold that no bone reaches", "lower --threshold",
    MIDDLE, threshold_hu=2000.0,
)  # fmt: skip
proposal(
    "Proposal: a seed in a process or a cervical vertebra",
    "set the seed into the middle of the vertebral body", {"box_mm": None},
    box_mm=(0, -11, 0, 9, 5, 24),
)  # fmt: skip
proposal(
    "Proposal: a box without voxels", "give two opposite corners",
    {"box_mm": tuple(a - b for a, b in zip(SEED, (30, 25, 15), strict=True))
     + tuple(a + b for a, b in zip(SEED, (30, 25, 15), strict=True))},
    seed_mm=None, box_mm=(0, 0, 0, 0.2, 0.2, 0.2),
)  # fmt: skip
proposal(
    "Proposal: limits that do not hold the seed", "one on each side of the seed",
    {"limits_mm": (SEED[2] - 6, SEED[2] + 6)}, limits_mm=(20.0, 30.0),
)  # fmt: skip


def command(bad_input: str, words: str, wrong: list[str], right: list[str]) -> None:
    """Add an entry of the command, by its arguments."""
    told: dict = {}

    def start(folder: Path) -> None:
        told["arguments"] = wrong
        sitk.WriteImage(IMAGE, str(folder / "ct.nrrd"))
        (folder / "there.seg.nrrd").touch()

    def door(folder: Path) -> None:
        paths = [
            folder / one if one.endswith((".seg.nrrd", "ct.nrrd")) else one
            for one in told["arguments"]
        ]
        proposals.run(folder / "ct.nrrd", "--level", "L1", *paths)

    REMEDIES[bad_input] = refused(
        bad_input, start, door, words, lambda _: told.update(arguments=right)
    )


SEEDED = ["--seed=5,-3,12"]
command(
    "Proposal: a file that is there already", "choose another name, or pass --overwrite",
    [*SEEDED, "--out", "there.seg.nrrd"], [*SEEDED, "--out", "there.seg.nrrd", "--overwrite"],
)  # fmt: skip
command(
    "Proposal: two numbers for a point", "such as",
    ["--seed=5,-3", "--out", "new.seg.nrrd"], [*SEEDED, "--out", "new.seg.nrrd"],
)  # fmt: skip
