"""The CT of a spine: shapes painted in Hounsfield units, then partial volume, blur and noise."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.ndimage import gaussian_filter

from demo.anatomy import DISC_HEIGHT_MM, Grid, Vertebra, arch_distance, body_distance

HU = {
    "air": -1000.0,
    "fat": -100.0,
    "muscle": 52.0,
    "organ": 38.0,
    "blood": 42.0,
    "disc": 80.0,
    "canal": 22.0,
    "cortex": 650.0,
    "arch": 230.0,
    "gas": -550.0,
}
"""Tissues of an unenhanced CT, before blur and noise."""

CORTEX_MM = 1.1
EDGE_MM = 0.7
TEXTURE_HU = 75.0
"""Standard deviation of the trabecular texture before partial volume and blur."""


def paint(
    spine: list[Vertebra],
    grid: Grid,
    rng: np.random.Generator,
    *,
    fatty_muscle: float,
    noise_hu: float,
    subslices: int = 2,
) -> np.ndarray:
    """Return the CT of a spine.

    The spine is painted on slices that are `subslices` times thinner and averaged, which gives
    partial volume along z; a Gaussian point spread blurs in the plane; noise comes last.

    Parameters
    ----------
    spine : list of Vertebra
        From head to foot, reaching beyond both ends of the grid.
    grid : Grid
        Voxels of the scan.
    rng : numpy.random.Generator
        Source of texture and noise.
    fatty_muscle : float
        Share of fat in the back muscles, 0 to 1.
    noise_hu : float
        Standard deviation of the noise, in HU.
    subslices : int, default=2
        Thinner slices a slice.

    Returns
    -------
    ndarray of shape `grid.shape`, int16
        Hounsfield units, at least -1024.
    """
    fine = grid.finer_slices(subslices)
    image = _soft_tissue(spine, fine, rng, fatty_muscle)
    for upper, lower in pairwise(spine):
        _paint_disc(image, fine, upper, lower)
    for vertebra in spine:
        _paint_canal(image, fine, vertebra)
    for vertebra in spine:
        _paint_bone(image, fine, vertebra, rng)
    image = image.reshape(grid.shape[0], subslices, *grid.shape[1:]).mean(axis=1)
    psf = [0, 0.5 / grid.spacing[1], 0.5 / grid.spacing[2]]
    image = gaussian_filter(image, psf, mode="nearest")
    noise = rng.standard_normal(grid.shape, dtype=np.float32)
    noise = gaussian_filter(noise, [0, 0.6, 0.6], mode="wrap")
    image += noise * np.float32(noise_hu / noise.std())
    return np.clip(np.rint(image), -1024, 3071).astype(np.int16)


def _blend(image: np.ndarray, distance: np.ndarray, value: np.ndarray | float) -> None:
    """Write `value` where `distance` (mm) is negative, with an edge of `EDGE_MM`."""
    share = np.clip(0.5 - distance / np.float32(EDGE_MM), 0, 1)
    image += share * (value - image)


def _centreline(spine: list[Vertebra], z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y of the line through the bodies at heights `z`, in mm."""
    centres = np.array([vertebra.centre for vertebra in spine])[::-1]
    return tuple(
        np.interp(z, centres[:, 2], centres[:, axis]).astype(np.float32) for axis in (0, 1)
    )


def _soft_tissue(
    spine: list[Vertebra], grid: Grid, rng: np.random.Generator, fatty_muscle: float
) -> np.ndarray:
    """Paint fat, muscles, great vessels, an organ in front, skin and the air behind."""
    z, y, x = (grid.axis(index) for index in range(3))
    cx, cy = _centreline(spine, z)
    dx = x[None, None, :] - cx[:, None, None]
    dy = y[None, :, None] - cy[:, None, None]
    image = np.full(grid.shape, HU["fat"], dtype=np.float32)

    def ellipse(right: float, back: float, half_x: float, half_y: float) -> np.ndarray:
        """Approximate signed distance to an elliptic column, mm."""
        ratio = np.hypot((dx - right) / half_x, (dy - back) / half_y)
        return (ratio - 1) * min(half_x, half_y)

    _blend(image, np.maximum(ellipse(0, -76, 75, 40), -(dy + 78)), HU["organ"])
    blotches = gaussian_filter(rng.standard_normal(grid.shape, dtype=np.float32), 2.5)
    blotches /= blotches.std()
    # Fat enters muscle in blotches, more of them the higher the Goutallier grade.
    share = np.clip(fatty_muscle + 0.25 * blotches * np.sqrt(fatty_muscle), 0, 1)
    muscle = HU["muscle"] + share * (HU["fat"] - HU["muscle"])
    for side in (-1, 1):
        _blend(image, ellipse(side * 34, 2, 13, 16), HU["muscle"] + 3 * blotches)
        _blend(image, ellipse(side * 20, 43, 18.5, 14.5), muscle)
    _blend(image, ellipse(9, -27, 9.5, 9.5), HU["blood"])
    _blend(image, ellipse(-14, -26, 11, 8), HU["blood"])
    # The back is nearly flat: skin, and air behind it.
    surface = 63 - 0.004 * x[None, None, :] ** 2 + np.zeros_like(dy)
    _blend(image, np.abs(dy - surface + 1.0) - 1.0, HU["muscle"])
    _blend(image, surface - dy, HU["air"])
    return image


def _paint_disc(image: np.ndarray, grid: Grid, upper: Vertebra, lower: Vertebra) -> None:
    centre = (np.array(upper.centre) + np.array(lower.centre)) / 2
    half = tuple((a + b) / 2 for a, b in zip(upper.half, lower.half, strict=True))
    gap = 0.5 * float(np.linalg.norm(np.array(upper.centre) - np.array(lower.centre)))
    axes = upper.axes + lower.axes
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    # It reaches into the neighbours, which are painted over it: no crevice stays between them.
    disc = Vertebra(
        "disc", tuple(centre), axes, (*half[:2], gap), 0.0, 0.0, 0.0, 0.0, 1.0, cleft=False
    )
    box = disc.body_box(grid, margin=3.0)
    if image[box].size:
        distance, _ = body_distance(disc, *disc.local(grid, box))
        _blend(image[box], distance, HU["disc"])


def _paint_canal(image: np.ndarray, grid: Grid, vertebra: Vertebra) -> None:
    _, depth, height = vertebra.half
    reach = height + DISC_HEIGHT_MM
    box = grid.box(np.array(vertebra.centre[::-1]), (reach + 4, -2, 16), (reach + 4, 50, 16))
    if not image[box].size:
        return
    u, v, w = vertebra.local(grid, box)
    middle = depth + 8.0
    within = np.abs(w) - (height + DISC_HEIGHT_MM / 2 + 1)
    for half_x, half_y, value in ((12.0, 9.0, HU["fat"]), (8.5, 6.5, HU["canal"])):
        distance = (np.hypot(u / half_x, (v - middle) / half_y) - 1) * half_y
        _blend(image[box], np.maximum(distance, within), value)


def _paint_bone(
    image: np.ndarray, grid: Grid, vertebra: Vertebra, rng: np.random.Generator
) -> None:
    _, depth, height = vertebra.half
    box = grid.box(
        np.array(vertebra.centre[::-1]), (2.6 * height, 0, 46), (2.0 * height, depth + 55, 46)
    )
    if image[box].size:
        distance = arch_distance(vertebra, *vertebra.local(grid, box))
        _blend_shell(image[box], distance, HU["arch"], 1.3)

    box = vertebra.body_box(grid)
    if not image[box].size:
        return
    sigma = np.array([1.6, 1.0, 1.0]) * vertebra.texture_mm / np.array(grid.spacing)
    texture = rng.standard_normal(image[box].shape, dtype=np.float32)
    # "wrap": every voxel averages as many draws, so the texture is as strong near the box's edge.
    texture = gaussian_filter(texture, sigma, mode="wrap")
    u, v, w = vertebra.local(grid, box)
    distance, below_upper = body_distance(vertebra, u, v, w)
    inside = vertebra.density + texture * np.float32(TEXTURE_HU / max(texture.std(), 1e-6))
    if vertebra.wedge > 0:
        # Trabeculae are driven into each other below the broken endplate.
        inside += 110 * np.exp(-np.maximum(below_upper, 0) / 3.0)
    vein = np.hypot(np.hypot(u / 3.5, w / 3.0), (v - depth * 0.75) / 6.5)
    inside = np.where(vein < 1, np.float32(0.6) * inside, inside)
    if vertebra.cleft:
        cleft = np.hypot(np.hypot(u / 9, (v + 3) / 6), (below_upper - 6) / 2.0)
        inside = np.where(cleft < 1, np.float32(HU["gas"]), inside)
    _blend_shell(image[box], distance, inside, CORTEX_MM)


def _blend_shell(
    image: np.ndarray, distance: np.ndarray, inside: np.ndarray | float, cortex_mm: float
) -> None:
    _blend(image, distance, HU["cortex"])
    _blend(image, distance + np.float32(cortex_mm), inside)
