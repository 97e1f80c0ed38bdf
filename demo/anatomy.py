"""Shapes of a lumbar or low thoracic spine, in millimetres.

Shapes are signed distances (negative inside), so that edges can be soft, shells have a thickness
and a reader's contour can move by a stated distance. Coordinates are DICOM patient coordinates in
mm: x to the left, y to the back, z to the head; arrays have axis order (z, y, x).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEVELS = (*(f"C{i}" for i in range(1, 8)), *(f"T{i}" for i in range(1, 13)))
LEVELS += tuple(f"L{i}" for i in range(1, 6))
"""Vertebrae from head to foot."""

BODY_SIZE_MM = {
    "T8": (27.0, 25.0, 19.0),
    "T9": (28.5, 26.0, 19.5),
    "T10": (30.0, 27.0, 20.5),
    "T11": (32.0, 27.5, 21.5),
    "T12": (35.0, 28.0, 23.0),
    "L1": (38.0, 29.0, 24.5),
    "L2": (40.0, 30.0, 25.5),
    "L3": (42.0, 31.0, 26.0),
    "L4": (44.5, 32.0, 26.0),
    "L5": (46.5, 32.5, 25.5),
}
"""Width, depth and height of a body: round numbers near published means of elderly women."""

DISC_HEIGHT_MM = 7.0
SLOPE_PER_MM = 0.0035
"""Change of the spine's sagittal slope per mm: a gentle thoracolumbar kyphosis."""


@dataclass(frozen=True)
class Grid:
    """Axial voxel grid.

    Attributes
    ----------
    shape : tuple of int
        Voxels along (z, y, x).
    spacing : tuple of float
        Distance of voxel centres along (z, y, x), in mm.
    origin : tuple of float
        Centre of voxel (0, 0, 0) along (z, y, x), in mm.
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]

    def axis(self, index: int) -> np.ndarray:
        """Return the voxel centres along one array axis, in mm."""
        steps = np.arange(self.shape[index], dtype=np.float32)
        return np.float32(self.origin[index]) + np.float32(self.spacing[index]) * steps

    def finer_slices(self, factor: int) -> Grid:
        """Return the grid with every slice cut into `factor` thinner ones that fill it."""
        dz = self.spacing[0] / factor
        return Grid(
            (self.shape[0] * factor, *self.shape[1:]),
            (dz, *self.spacing[1:]),
            (self.origin[0] - self.spacing[0] / 2 + dz / 2, *self.origin[1:]),
        )

    def box(self, centre: np.ndarray, below: tuple, above: tuple) -> tuple[slice, slice, slice]:
        """Return the slices (z, y, x) of the voxels within mm distances of `centre` (z, y, x)."""
        slices = []
        for index in range(3):
            low = (centre[index] - below[index] - self.origin[index]) / self.spacing[index]
            high = (centre[index] + above[index] - self.origin[index]) / self.spacing[index]
            n = self.shape[index]
            start = int(np.clip(np.ceil(low), 0, n))
            slices.append(slice(start, int(np.clip(np.floor(high) + 1, start, n))))
        return tuple(slices)


@dataclass(frozen=True)
class Vertebra:
    """One vertebra.

    Attributes
    ----------
    level : str
        ``T11``, ``L1`` ...
    centre : tuple of float
        Middle of the body, (x, y, z) in mm.
    axes : ndarray of shape (3, 3)
        Rows are the vertebra's own axes (left, back, head) in patient coordinates.
    half : tuple of float
        Half width, half depth and half height of the body, in mm.
    concavity : float
        Depth of both endplates' hollow, in mm.
    wedge : float
        Share of the anterior height that is lost; 0 where the vertebra is not fractured.
    depression : float
        Additional hollow of the fractured upper endplate, in mm.
    density : float
        Mean of the trabecular bone, in HU.
    texture_mm : float
        Correlation length of the trabecular texture: standard deviation of the Gaussian kernel
        that smooths white noise, in mm (1.6 times as long from head to foot).
    cleft : bool
        Whether gas fills a cleft below the upper endplate (intravertebral vacuum cleft).
    """

    level: str
    centre: tuple[float, float, float]
    axes: np.ndarray
    half: tuple[float, float, float]
    concavity: float
    wedge: float
    depression: float
    density: float
    texture_mm: float
    cleft: bool

    def local(self, grid: Grid, box: tuple[slice, slice, slice]) -> tuple[np.ndarray, ...]:
        """Return own coordinates (left, back, head) of a box of voxels, in mm, each (z, y, x)."""
        x, y, z = (
            grid.axis(index)[box[index]].astype(np.float32) - np.float32(self.centre[2 - index])
            for index in (2, 1, 0)
        )
        return tuple(
            np.float32(row[0]) * x[None, None, :]
            + np.float32(row[1]) * y[None, :, None]
            + np.float32(row[2]) * z[:, None, None]
            for row in self.axes
        )

    def body_box(self, grid: Grid, margin: float = 5.0) -> tuple[slice, slice, slice]:
        """Return the slices (z, y, x) of the voxels around the body."""
        width, depth, height = (size + margin for size in self.half)
        # A tilted body is longer along the patient's axes.
        reach = (height + 0.25 * depth, depth + 0.25 * height, width + 0.15 * depth)
        return grid.box(np.array(self.centre[::-1]), reach, reach)


def endplates(vertebra: Vertebra, u: np.ndarray, v: np.ndarray, rho: np.ndarray) -> tuple:
    """Return the heights of the upper and lower endplate over the middle of the body, in mm.

    Parameters
    ----------
    vertebra : Vertebra
        The vertebra.
    u, v : ndarray
        Own coordinates to the left and to the back, in mm.
    rho : ndarray
        Radius relative to the rim: 0 on the axis, 1 on the rim.
    """
    _, depth, height = vertebra.half
    hollow = vertebra.concavity * (1 - np.minimum(rho, 1) ** 2)
    front = np.clip((depth - v) / (2 * depth), 0, 1)
    dent = vertebra.depression * np.exp(-((u / 11) ** 2) - ((v + 2) / 8) ** 2)
    upper = height - 2 * height * vertebra.wedge * front - hollow - dent
    return upper, height - hollow


def body_distance(
    vertebra: Vertebra, u: np.ndarray, v: np.ndarray, w: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the signed distance to a vertebral body and the depth below its upper endplate.

    A superelliptic cylinder with a waist, a hollow back where it meets the spinal canal, concave
    endplates and rounded rims. Distances are radial, hence a little too large near the diagonals.

    Parameters
    ----------
    vertebra : Vertebra
        The vertebra.
    u, v, w : ndarray
        Own coordinates to the left, back and head, in mm; shapes broadcast.

    Returns
    -------
    distance : ndarray
        In mm, negative inside.
    below_upper : ndarray
        In mm, positive below the upper endplate.
    """
    width, depth, height = vertebra.half
    waist = 1 - 0.09 * np.clip(1 - (w / height) ** 2, 0, 1)
    back = 1 - 0.17 * np.exp(-((u / (0.36 * width)) ** 2))
    depth_here = np.where(v > 0, depth * back, depth) * waist
    rho = (np.abs(u / (width * waist)) ** 2.6 + np.abs(v / depth_here) ** 2.6) ** (1 / 2.6)
    rho = np.maximum(rho, np.float32(1e-3))
    radial = np.hypot(u, v) * (1 - 1 / rho)
    upper, lower = endplates(vertebra, u, v, rho)
    axial = np.maximum(w - upper, -w - lower)
    rounding = 2.0
    outside = np.hypot(np.maximum(radial + rounding, 0), np.maximum(axial + rounding, 0))
    inside = np.minimum(np.maximum(radial, axial) + rounding, 0)
    return outside + inside - rounding, upper - w


def arch_distance(vertebra: Vertebra, u: np.ndarray, v: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return the signed distance to the arch: pedicles, laminae, facets and processes, in mm."""
    width, depth, height = vertebra.half
    side = np.abs(u)
    canal, long = depth + 15, vertebra.level.startswith("L")
    parts = [
        # from, to (side, back, head), radius
        ((0.55 * width, depth - 3, 0.3 * height), (0.6 * width, depth + 9, 0.3 * height), 4.2),
        ((0.6 * width, depth + 10, 0.2 * height), (0.62 * width, canal - 2, -1.0 * height), 4.6),
        ((0.6 * width, depth + 10, 0.2 * height), (0.66 * width, canal - 3, 1.0 * height), 4.0),
        ((0.6 * width, depth + 10, 0.1 * height), (0.0, canal + 5, -0.35 * height), 3.2),
        ((0.7 * width, depth + 9, 0.2 * height), (1.75 * width, depth + 13, 0.3 * height), 2.8),
        (
            (0.0, canal + 6, -0.4 * height),
            (0.0, canal + (24 if long else 20), (-0.7 if long else -1.6) * height),
            3.4,
        ),
        ((0.0, canal + 8, -0.9 * height), (0.0, canal + 20, -1.1 * height), 2.6),
    ]
    return np.minimum.reduce([_capsule(side, v, w, *part) for part in parts])


def _capsule(u: np.ndarray, v: np.ndarray, w: np.ndarray, start, end, radius: float) -> np.ndarray:
    start, along = np.float32(start), np.float32(end) - np.float32(start)
    du, dv, dw = u - start[0], v - start[1], w - start[2]
    t = np.clip((du * along[0] + dv * along[1] + dw * along[2]) / np.dot(along, along), 0, 1)
    squared = (du - t * along[0]) ** 2 + (dv - t * along[1]) ** 2 + (dw - t * along[2]) ** 2
    return np.sqrt(squared) - np.float32(radius)


def draw_spine(
    targets: list[str],
    rng: np.random.Generator,
    *,
    size: float,
    density: float,
    texture_mm: float,
    cleft: bool,
    around: int = 2,
) -> list[Vertebra]:
    """Draw a spine around the fractured vertebrae.

    Parameters
    ----------
    targets : list of str
        Fractured levels, next to each other or not.
    rng : numpy.random.Generator
        Source of the draws.
    size : float
        Size of the patient relative to `BODY_SIZE_MM`.
    density : float
        Mean of the trabecular bone, in HU.
    texture_mm : float
        Correlation length of the patient's trabecular texture, in mm.
    cleft : bool
        Whether the first fractured vertebra holds a vacuum cleft.
    around : int, default=2
        Vertebrae above and below the targets.

    Returns
    -------
    list of Vertebra
        From head to foot; the targets' middle is the origin.
    """
    numbers = sorted(LEVELS.index(target) for target in targets)
    levels = LEVELS[numbers[0] - around : numbers[-1] + around + 1]
    scoliosis, turn = rng.normal(0, 0.0025), rng.normal(0, np.deg2rad(3))
    drawn = []
    z = 0.0
    for level in levels:
        fractured = level in targets
        half = np.array(BODY_SIZE_MM[level]) / 2 * size * rng.normal(1, 0.02, 3)
        z -= half[2]
        drawn.append(
            {
                "level": level,
                "z": z,
                "half": tuple(half),
                "concavity": rng.uniform(0.8, 2.2),
                "wedge": rng.uniform(0.12, 0.38) if fractured else 0.0,
                "depression": rng.uniform(0.0, 2.5) if fractured else 0.0,
                "density": density + rng.normal(0, 6),
                "texture_mm": texture_mm * np.exp(rng.normal(0, 0.06)),
                "cleft": cleft and level == targets[0],
                "tilt": rng.normal(0, np.deg2rad(1.5)),
            }
        )
        z -= half[2] + DISC_HEIGHT_MM
    middle = np.mean([entry["z"] for entry in drawn if entry["level"] in targets])
    spine = []
    for entry in drawn:
        z = entry.pop("z") - middle
        slope = SLOPE_PER_MM * z
        centre = (scoliosis * z * z / 20, 0.5 * SLOPE_PER_MM * z * z, z)
        axes = _rotation(entry.pop("tilt") + np.arctan(slope), turn + rng.normal(0, 0.02))
        spine.append(Vertebra(centre=centre, axes=axes, **entry))
    return spine


def _rotation(tilt: float, turn: float) -> np.ndarray:
    """Return own axes (rows: left, back, head) tilted to the front and turned about z, radians."""
    c, s = np.cos(tilt), np.sin(tilt)
    about_x = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    c, s = np.cos(turn), np.sin(turn)
    about_z = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    return about_x @ about_z
