"""The grid that a region is resampled to, moved by parts of a voxel and turned in the axial plane.

Image and mask are both taken at the points of the moved grid, so that the region keeps its place in
the body and is sampled otherwise. A move of nothing gives PyRadiomics' own grid, and with it the
study's own crop in every bit.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import SimpleITK as sitk

from pipeline.core.errors import CaseError
from pipeline.extraction.checks import check_extent, check_label
from pipeline.extraction.crops import Crop
from pipeline.extraction.fast import FastScan
from pipeline.extraction.kernels import kernels
from pipeline.extraction.perturbations.noise import (
    around,
    noise_level,
    noisy_part,
    part_of,
    with_noise,
)
from pipeline.extraction.resampling import (
    Volume,
    resample_image,
    resample_region,
    resampling_grid,
)
from pipeline.imaging.geometry import Geometry

#: Voxels around the grid in which the noise of a CT is measured.
MEASURED_MARGIN = 12


class Move(NamedTuple):
    """How a grid is moved.

    Attributes
    ----------
    shift : tuple of float
        Along the grid's own axes (x, y, z), in its voxels.
    degrees : float
        Turn about the axis through the region's centre from feet to head, in the axial plane.
    """

    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    degrees: float = 0.0

    @property
    def is_none(self) -> bool:
        """Whether nothing moves."""
        return not self.degrees and not any(self.shift)


class Placed(NamedTuple):
    """A region, the grid that PyRadiomics resamples it to, and where it lies.

    Attributes
    ----------
    mask : SimpleITK.Image
        The mask, kept because `drawn` looks at its voxels and does not own them.
    drawn : Volume
        Its voxels.
    label : int
        Its value of the region.
    corners : numpy.ndarray
        Shape (8, 3): corners of the box around the region, mm.
    grid : Geometry
        As `pipeline.extraction.resampling.resampling_grid` lays it out.
    """

    mask: sitk.Image
    drawn: Volume
    label: int
    corners: np.ndarray
    grid: Geometry


def place(scan: FastScan, mask: sitk.Image, label: int) -> Placed:
    """Find a region, and the grid that it is resampled to.

    Parameters
    ----------
    scan : FastScan
        Its CT.
    mask : SimpleITK.Image
        Label map (x, y, z).
    label : int
        Value of the region.

    Raises
    ------
    CaseError
        If the fast engine cannot interpolate this CT, or the mask is empty.
    """
    reason = scan.handed_over
    if scan.settings["resampledPixelSpacing"] is None:
        reason = "no resampledPixelSpacing"
    if reason is not None:
        raise CaseError(
            "Image perturbations need a CT that the fast engine can interpolate",
            found=reason,
            where="config key perturbations.chain",
            remedy="leave noise, translation and rotation out of the chain, set "
            "resampledPixelSpacing and interpolator: sitkBSpline in the parameter file, or store "
            "the CT as 16-bit whole numbers",
            code="perturbation-needs-interpolation",
        )
    drawn = Volume(sitk.GetArrayViewFromImage(mask), Geometry.of(mask))
    box = kernels().label_box(drawn.voxels, label)
    if box is None:
        check_label(mask, label)
    low, high = np.array(box[0::2]) - 0.5, np.array(box[1::2]) + 0.5
    ends = np.array(np.meshgrid(*zip(low, high, strict=True))).reshape(3, -1)
    corners = (drawn.geometry.affine @ np.vstack([ends, np.ones((1, 8))]))[:3].T
    settings = scan.settings
    grid = resampling_grid(
        drawn.geometry, box, settings["resampledPixelSpacing"], settings["padDistance"]
    )
    return Placed(mask, drawn, label, corners, grid)


def moved_grid(placed: Placed, move: Move) -> Geometry:
    """Return the grid of a region after a move.

    A turned region needs a larger box: the grid grows by what it needs, so that as many voxels lie
    around the region as before.

    Parameters
    ----------
    placed : Placed
        From `place`.
    move : Move
        How the grid moves.
    """
    grid = placed.grid
    if move.is_none:
        return grid
    direction = np.reshape(grid.direction, (3, 3))
    step = direction * np.asarray(grid.spacing)
    origin = np.asarray(grid.origin)
    size = np.asarray(grid.size)
    if move.degrees:
        turn, centre = _turn(move.degrees), placed.corners.mean(axis=0)
        # Where the region's corners come to lie, in voxels of the grid, before and after.
        before = np.linalg.solve(step, (placed.corners - centre).T)
        after = np.linalg.solve(turn @ step, (placed.corners - centre).T)
        more = np.ceil(np.maximum(np.abs(after).max(axis=1) - np.abs(before).max(axis=1), 0) - 1e-9)
        origin = turn @ (origin - step @ more - centre) + centre
        size = size + 2 * more.astype(int)
        direction, step = turn @ direction, turn @ step
    origin = origin + step @ np.asarray(move.shift)
    return replace(
        grid,
        size=tuple(int(n) for n in size),
        origin=tuple(origin.tolist()),
        direction=tuple(direction.ravel().tolist()),
    )


def measured_noise(scan: FastScan, placed: Placed) -> float:
    """Return the noise of a CT around a region, in HU (`noise.noise_level`).

    Around the region, since noise differs between the middle of a body and the air around it, and
    since what lies outside the field of view is filled with one value.
    """
    part = around(placed.grid, scan.volume, MEASURED_MARGIN)
    return noise_level(part_of(scan.volume, part).voxels)


def moved_crop(
    scan: FastScan,
    placed: Placed,
    move: Move,
    noise: float = 0.0,
    seed: int = 0,
) -> Crop:
    """Resample a CT and a region on a moved grid, with or without noise.

    Parameters
    ----------
    scan : FastScan
        The CT.
    placed : Placed
        Its region, from `place`.
    move : Move
        How the grid moves.
    noise : float
        Standard deviation of the noise that is added, in HU.
    seed : int
        Of the noise.

    Returns
    -------
    Crop
        As `FastScan.crop` returns it; equal to it in every bit without a move and without noise.
        `clipped_share` is not taken again.

    Raises
    ------
    CaseError
        If no point of the moved grid lies in the region, or too few.
    """
    grid = moved_grid(placed, move)
    volume, scaling, normalisation = scan.volume, scan.scaling, scan.normalisation
    if noise:
        volume = noisy_part(volume, grid, noise, seed)
        scaling, normalisation = with_noise(
            scaling, normalisation, noise, scan.settings.get("removeOutliers")
        )
    image = resample_image(volume, grid, scaling)
    region = resample_region(placed.drawn, placed.label, grid)
    check_extent(region, scan.params)
    return Crop(image, region, math.nan, normalisation, "fast")


def _turn(degrees: float) -> np.ndarray:
    """Return the matrix (3, 3) of a turn about the axis from feet to head (z of LPS)."""
    angle = math.radians(degrees)
    cosine, sine = math.cos(angle), math.sin(angle)
    return np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
