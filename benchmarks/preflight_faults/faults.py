"""Faults as hospitals hand them in, planted in the first case of a scene.

Each function takes a clean scene and returns what is judged instead of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from benchmarks.preflight_faults.scenes import READERS, Scene


@dataclass
class Trial:
    """What is judged, and who is at fault in it.

    Attributes
    ----------
    scenes : list of Scene
        Written and judged together, the faulty one first.
    expected : set of str
        Codes of the findings that name this fault.
    edit : callable
        Changes the rows of the first scene after its files are written.
    readers : tuple of str
        Readers whose mask of the first case is faulty; all of them by default.
    clinical : dict
        Treated level by patient; empty where the clinical table has none.
    """

    scenes: list[Scene]
    expected: set[str]
    edit: Callable[[list[dict]], None] = lambda rows: None
    readers: tuple[str, ...] = READERS
    clinical: dict[str, str] = field(default_factory=dict)


def _changed(scene: Scene, change: Callable[[np.ndarray], np.ndarray], readers=READERS) -> Scene:
    level = scene.levels[0]
    for reader in readers:
        scene = scene.with_mask(level, reader, change(scene.masks[level, reader]))
    return scene


def _shift(scene: Scene, millimetres: float, axis: int) -> Callable[[np.ndarray], np.ndarray]:
    voxels = round(millimetres / scene.geometry.spacing[2 - axis])

    def move(mask: np.ndarray) -> np.ndarray:
        return np.roll(mask, voxels, axis)

    return move


def _ball(scene: Scene, centre: np.ndarray, radius: float) -> np.ndarray:
    spacing = scene.geometry.spacing[::-1]
    squared = sum(
        ((np.arange(n) - c) * s).reshape([-1 if i == axis else 1 for i in range(3)]) ** 2
        for axis, (n, c, s) in enumerate(zip(scene.hu.shape, centre, spacing, strict=True))
    )
    return squared <= radius**2


def _centre(scene: Scene) -> np.ndarray:
    return np.array(ndimage.center_of_mass(scene.masks[scene.levels[0], "A"]))


MISPLACED = {"mask-displaced", "mask-off-bone", "readers-far", "readers-apart", "mask-mostly-gas"}


def shifted_one_reader(scene: Scene, number: int) -> Trial:
    """Shift one reader's mask by 10 mm, along another axis in every scene."""
    moved = _changed(scene, _shift(scene, (10, -10)[number % 2], number % 3), ("A",))
    return Trial([moved], MISPLACED, readers=("A",))


def shifted_both(scene: Scene, number: int) -> Trial:
    """Shift both readers' masks by 10 mm, as an export with a wrong origin does."""
    moved = _changed(scene, _shift(scene, (10, -10)[number % 2], number % 3))
    return Trial([moved], MISPLACED)


def flipped(scene: Scene, number: int) -> Trial:
    """Turn voxels against the header, along another axis in every scene."""
    return Trial([_changed(scene, lambda mask: np.flip(mask, number % 3))], MISPLACED)


def swapped_levels(scene: Scene, number: int) -> Trial:
    """Swap the names of two levels."""
    names = dict(zip(scene.levels, scene.levels[::-1], strict=True))

    def edit(rows: list[dict]) -> None:
        for row in rows:
            row["level"] = names[row["level"]]

    return Trial([scene], {"level-order"}, edit)


def neighbours_label(scene: Scene, number: int) -> Trial:
    """Give one reader the mask of the vertebra below."""
    first, below = scene.levels
    moved = scene.with_mask(first, "A", scene.masks[below, "A"])
    return Trial([moved], {"readers-apart", "same-vertebra-twice"}, readers=("A",))


def level_off_by_one(scene: Scene, number: int) -> Trial:
    """Let both readers draw the vertebra below the treated one."""
    first, below = scene.levels
    kept = {(below, reader): scene.masks[below, reader] for reader in READERS}
    return Trial(
        [replace(scene, masks=kept)],
        {"level-not-treated"},
        clinical={f"p-{scene.name}": first},
    )


def empty(scene: Scene, number: int) -> Trial:
    """Draw nothing."""
    return Trial([_changed(scene, np.zeros_like)], {"mask-failed"})


def wrong_label(scene: Scene, number: int) -> Trial:
    """Name a label that the file does not hold."""
    return Trial([scene], {"mask-failed"}, _edit_first(label="9"))


def wrong_grid(scene: Scene, number: int) -> Trial:
    """Save the mask on another grid, a third of a voxel off."""

    def edit(rows: list[dict]) -> None:
        for row in _first(rows):
            image = sitk.ReadImage(row["mask"])
            step = np.array(image.GetSpacing()) / 3
            image.SetOrigin(tuple(np.array(image.GetOrigin()) + step))
            sitk.WriteImage(image, row["mask"])

    return Trial([scene], {"mask-failed"}, edit)


def missing_ct(scene: Scene, number: int) -> Trial:
    """Name a CT that is not there."""
    return Trial([scene], {"ct-failed", "ingest-failed"}, _edit_all(image="missing.nrrd"))


def one_slice(scene: Scene, number: int) -> Trial:
    """Draw one axial slice."""

    def keep(mask: np.ndarray) -> np.ndarray:
        kept = np.zeros_like(mask)
        middle = round(ndimage.center_of_mass(mask)[0])
        kept[middle] = mask[middle]
        return kept

    return Trial([_changed(scene, keep)], {"mask-one-slice"})


def tiny(scene: Scene, number: int) -> Trial:
    """Draw a dab of the brush, 4 mm across."""
    ball = _ball(scene, _centre(scene), 2.0)
    return Trial(
        [_changed(scene, lambda mask: mask & ball)],
        {"mask-too-small", "mask-one-slice", "implausible-volume"},
    )


def part_of_body(scene: Scene, number: int) -> Trial:
    """Draw only a ball of 8 mm radius in the middle."""
    ball = _ball(scene, _centre(scene), 8.0)
    return Trial([_changed(scene, lambda mask: mask & ball)], {"implausible-volume"})


def posterior_elements(scene: Scene, number: int) -> Trial:
    """Draw the whole vertebra where the body is meant."""
    arch = scene.arches[scene.levels[0]]
    return Trial([_changed(scene, lambda mask: mask | arch)], {"posterior-elements"})


def pedicles(scene: Scene, number: int) -> Trial:
    """Draw the arch up to 9 mm behind the body."""
    level = scene.levels[0]
    rows = np.flatnonzero(scene.masks[level, "A"].any(axis=(0, 2)))
    beyond = rows[-1] + 1 + round(9 / scene.geometry.spacing[1])
    arch = scene.arches[level].copy()
    arch[:, beyond:] = False
    return Trial([_changed(scene, lambda mask: mask | arch)], {"posterior-elements"})


def hole(scene: Scene, number: int) -> Trial:
    """Leave a hole where the body is deepest, up to 5 mm in radius."""
    both = np.all([scene.masks[scene.levels[0], reader] for reader in READERS], axis=0)
    spacing = scene.geometry.spacing[::-1]
    depth = ndimage.distance_transform_edt(both, sampling=spacing)
    radius = min(5.0, depth.max() - max(spacing))
    ball = _ball(scene, np.unravel_index(depth.argmax(), depth.shape), radius)
    return Trial([_changed(scene, lambda mask: mask & ~ball)], {"mask-has-holes"})


def island(scene: Scene, number: int) -> Trial:
    """Leave a stray island of 5 mm radius in the muscle."""
    spacing = np.array(scene.geometry.spacing[::-1])
    side = np.array([0, 0, 40 if _centre(scene)[2] < scene.hu.shape[2] / 2 else -40]) / spacing
    ball = _ball(scene, _centre(scene) + side, 5.0)
    return Trial([_changed(scene, lambda mask: mask | ball)], {"mask-in-pieces"})


def two_vertebrae(scene: Scene, number: int) -> Trial:
    """Draw the vertebra below too."""
    first, below = scene.levels
    for reader in READERS:
        both = scene.masks[first, reader] | scene.masks[below, reader]
        scene = scene.with_mask(first, reader, both)
    return Trial([scene], {"implausible-volume", "mask-in-pieces"})


def cement(scene: Scene, number: int) -> Trial:
    """Take the scan from after surgery: 2 ml of cement."""
    ball = _ball(scene, _centre(scene), 8.0)
    return Trial([replace(scene, hu=np.where(ball, 2200, scene.hu))], {"dense-material"})


def cut_off(scene: Scene, number: int) -> Trial:
    """End the scan within the vertebra, on the side where no other one lies."""
    middle = round(_centre(scene)[0])
    others = [scene.masks[level, "A"] for level in scene.levels[1:]]
    others_above = any(ndimage.center_of_mass(mask)[0] > middle for mask in others)
    kept = slice(middle, None) if others_above else slice(0, middle + 1)
    geometry = scene.geometry
    x, y, z = geometry.origin
    hu = scene.hu[kept]
    cut = replace(
        scene,
        hu=hu,
        geometry=replace(
            geometry, size=hu.shape[::-1], origin=(x, y, z + kept.start * geometry.spacing[2])
        ),
        masks={key: mask[kept] for key, mask in scene.masks.items()},
        arches={},
    )
    return Trial([cut], {"mask-touches-border"})


def copied_reader(scene: Scene, number: int) -> Trial:
    """Copy reader A's file for reader B."""
    level = scene.levels[0]
    return Trial([scene.with_mask(level, "B", scene.masks[level, "A"])], {"masks-equal"})


def copied_patient(scene: Scene, number: int) -> Trial:
    """Name another patient's mask, which happens to lie on the same grid."""
    donor = replace(scene, name=f"{scene.name}-donor", hu=scene.hu + 1)
    return Trial([scene, donor], {"mask-copied"})


def wrong_ct(scene: Scene, number: int) -> Trial:
    """Name the CT of another patient of the study, on the same grid."""
    other = _changed(scene, _shift(scene, 3, 2))
    return Trial([scene, replace(other, name=f"{scene.name}-other")], {"ct-copied"})


def foreign_ct(scene: Scene, number: int) -> Trial:
    """Take the CT of somebody else: anatomy lies elsewhere, on the same grid."""
    shift = [
        round(step / size)
        for step, size in zip((17, 9, 9), scene.geometry.spacing[::-1], strict=True)
    ]
    return Trial([replace(scene, hu=np.roll(scene.hu, shift, (0, 1, 2)))], MISPLACED)


def no_rescale(scene: Scene, number: int) -> Trial:
    """Keep raw values, 1,024 above HU."""
    return Trial([replace(scene, hu=scene.hu + 1024)], {"implausible-hu", "hu-range"})


def _first(rows: list[dict]) -> list[dict]:
    return [row for row in rows if row["case_id"] == rows[0]["case_id"]]


def _edit_first(**values: str) -> Callable[[list[dict]], None]:
    def edit(rows: list[dict]) -> None:
        for row in _first(rows):
            row.update(values)

    return edit


def _edit_all(**values: str) -> Callable[[list[dict]], None]:
    def edit(rows: list[dict]) -> None:
        for row in rows:
            row.update(values)

    return edit


#: What each fault needs: two levels, or known posterior elements around a body.
FAULTS: dict[str, tuple[Callable[[Scene, int], Trial], set[str]]] = {
    "Mask 10 mm off, one reader": (shifted_one_reader, set()),
    "Masks 10 mm off, both readers": (shifted_both, set()),
    "Voxels flipped against the header": (flipped, set()),
    "Levels swapped": (swapped_levels, {"two levels"}),
    "Label of the vertebra below, one reader": (neighbours_label, {"two levels"}),
    "Vertebra below the treated one": (level_off_by_one, {"two levels"}),
    "Empty mask": (empty, set()),
    "Label that the file does not hold": (wrong_label, set()),
    "Mask on another grid": (wrong_grid, set()),
    "CT missing": (missing_ct, set()),
    "One slice drawn": (one_slice, set()),
    "Dab of 4 mm": (tiny, set()),
    "Part of the body drawn": (part_of_body, set()),
    "Whole vertebra instead of the body": (posterior_elements, {"body"}),
    "Body with pedicles": (pedicles, {"body"}),
    "Hole of up to 5 mm radius": (hole, set()),
    "Stray island": (island, set()),
    "Two vertebrae in one mask": (two_vertebrae, {"two levels"}),
    "Cement before surgery": (cement, set()),
    "Vertebra cut off by the scan's end": (cut_off, set()),
    "Copied file of the other reader": (copied_reader, set()),
    "Mask file of another patient": (copied_patient, set()),
    "CT of another patient of the study": (wrong_ct, set()),
    "CT of somebody else": (foreign_ct, set()),
    "CT without rescale (HU + 1,024)": (no_rescale, set()),
}


def fits(scene: Scene, needs: set[str]) -> bool:
    """Return whether a fault can be planted in a scene."""
    return not (
        ("two levels" in needs and len(scene.levels) < 2)
        or ("body" in needs and scene.kind == "vertebra")
    )
