"""Clean vertebrae to plant faults in: synthetic spines, and public CT where it is at hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from demo.anatomy import Grid, Vertebra, arch_distance, draw_spine
from demo.painting import paint
from demo.readers import Reading, read_body
from demo.real import simulate_reader
from pipeline.imaging.geometry import Geometry

READERS = ("A", "B")
#: Levels of a synthetic scene: the fractured one and the one below.
PAIRS = (("T11", "T12"), ("T12", "L1"), ("L1", "L2"), ("L2", "L3"))
#: Distance of slices of the synthetic scenes, in mm.
SLICES_MM = (1.0, 1.25, 2.0, 3.0)


@dataclass(frozen=True)
class Scene:
    """One scan with two readers' masks.

    Attributes
    ----------
    name : str
        Its id, for patient and scan.
    kind : {'synthetic', 'body', 'vertebra'}
        Synthetic bodies, or bodies or whole vertebrae of public CT.
    hu : numpy.ndarray
        Shape (z, y, x).
    geometry : Geometry
        Grid of CT and masks.
    masks : dict
        Bool arrays by level and reader.
    arches : dict
        Posterior elements by level, where they are known.
    """

    name: str
    kind: str
    hu: np.ndarray
    geometry: Geometry
    masks: dict[tuple[str, str], np.ndarray]
    arches: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def levels(self) -> list[str]:
        """Levels with masks, the one that faults are planted in first."""
        return list(dict.fromkeys(level for level, _ in self.masks))

    def case(self, level: str) -> str:
        """Return the id of a level's case."""
        return f"{self.name}-{level}"

    def with_mask(self, level: str, reader: str, mask: np.ndarray) -> Scene:
        """Return the scene with another mask."""
        return replace(self, masks=self.masks | {(level, reader): mask})

    def write(self, folder: Path) -> list[dict]:
        """Write CT and masks (.nrrd), and return the rows of the table of cases."""
        folder = folder / self.name
        folder.mkdir(parents=True, exist_ok=True)
        self._write(self.hu, folder / "ct.nrrd")
        rows = []
        for (level, reader), mask in self.masks.items():
            path = folder / f"{level}_{reader}.nrrd"
            self._write(mask.astype(np.uint8), path)
            rows.append(
                {
                    "patient_id": f"p-{self.name}",
                    "scan_id": self.name,
                    "case_id": self.case(level),
                    "level": level,
                    "reader": reader,
                    "image": str(folder / "ct.nrrd"),
                    "series": None,
                    "mask": str(path),
                    "label": "1",
                    "days_from_surgery": -1,
                }
            )
        return rows

    def _write(self, voxels: np.ndarray, path: Path) -> None:
        image = sitk.GetImageFromArray(voxels)
        self.geometry.apply_to(image)
        sitk.WriteImage(image, str(path), useCompression=False)


def synthetic(seeds: Iterable[int]) -> Iterator[Scene]:
    """Yield synthetic scans: a fractured vertebra, every third with a cleft, and the one below."""
    for seed in seeds:
        rng = np.random.default_rng(seed)
        levels = PAIRS[seed % len(PAIRS)]
        spine = draw_spine(
            [levels[0]],
            rng,
            size=rng.normal(1, 0.06),
            density=rng.uniform(20, 160),
            texture_mm=1.2,
            cleft=seed % 3 == 0,
        )
        step = SLICES_MM[(seed // len(PAIRS)) % len(SLICES_MM)]
        grid = Grid((int(104 / step), 160, 130), (step, 0.75, 0.75), (-70.0, -55.0, -48.0))
        by_level = {vertebra.level: vertebra for vertebra in spine}
        hu = paint(spine, grid, rng, fatty_muscle=rng.uniform(0.1, 0.5), noise_hu=15)
        yield Scene(
            f"synthetic{seed:02d}",
            "synthetic",
            hu,
            Geometry(
                grid.shape[::-1],
                grid.spacing[::-1],
                grid.origin[::-1],
                (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
            ),
            {
                (level, reader): read_body(by_level[level], grid, Reading(False, None), rng)
                for level in levels
                for reader in READERS
            },
            {level: _arch(by_level[level], grid) for level in levels},
        )


def _arch(vertebra: Vertebra, grid: Grid) -> np.ndarray:
    everywhere = tuple(slice(None) for _ in range(3))
    return arch_distance(vertebra, *vertebra.local(grid, everywhere)) < 0


def real(data: Path) -> Iterator[Scene]:
    """Yield scenes of public CT: bodies, and whole vertebrae, of L1 to L5 and of another L3.

    Parameters
    ----------
    data : pathlib.Path
        Folder of the public test data. Reader B is reader A with a boundary that wanders.
    """
    spine, lumbar = data / "totalseg_ct_spine", data / "tptbox_ct_vertebra"
    hu, geometry = _read(spine / "example_ct.nii.gz")
    bodies, _ = _read(spine / "spine_report" / "totalseg_vertebrae_pp_refined.nii.gz")
    whole, _ = _read(spine / "spine_report" / "totalseg.nii.gz")
    levels = [f"L{number}" for number in range(1, 6)]
    # Neighbours as in the synthetic scenes: each level once the one that faults are planted in.
    for upper, lower in [*pairwise(levels), ("L5", "L4")]:
        chosen = (upper, lower)
        for kind, labels, first, sign in (("body", bodies, 19, 1), ("vertebra", whole, 32, -1)):
            masks = {level: labels == first + sign * int(level[1]) for level in chosen}
            arches = {level: whole == 32 - int(level[1]) for level in chosen}
            name = f"spine{upper}{kind}"
            yield Scene(name, kind, hu, geometry, _two_readers(masks, geometry), arches)
    hu, geometry = _read(lumbar / "sub-ct_label-22_ct.nii.gz")
    parts, _ = _read(lumbar / "sub-ct_seg-subreg_label-22_msk.nii.gz")
    vertebrae, _ = _read(lumbar / "sub-ct_seg-vert_label-22_msk.nii.gz")
    whole = vertebrae == 22
    for kind, mask in (("body", whole & np.isin(parts, (49, 50))), ("vertebra", whole)):
        masks = _two_readers({"L3": mask}, geometry)
        yield Scene(f"lumbar{kind}", kind, hu, geometry, masks, {"L3": whole})


def _read(path: Path) -> tuple[np.ndarray, Geometry]:
    image = sitk.DICOMOrient(
        sitk.ReadImage(str(path)), "LPS"
    )  # so that faults know where the back is
    return sitk.GetArrayFromImage(image), Geometry.of(image)


def _two_readers(masks: dict[str, np.ndarray], geometry: Geometry) -> dict:
    drawn = {}
    for number, (level, mask) in enumerate(masks.items()):
        rng = np.random.default_rng(number)
        drawn[level, "A"] = mask
        drawn[level, "B"] = simulate_reader(mask, geometry.spacing[::-1], rng)
    return drawn
