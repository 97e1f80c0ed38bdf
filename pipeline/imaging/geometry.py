"""Grids of voxels in patient space, and the exact mapping of one grid onto another.

Coordinates are DICOM's and ITK's: millimetres, x to the patient's left, y to the back, z to the
head (LPS). Index order is (x, y, z); arrays are the reverse of it, (z, y, x).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import SimpleITK as sitk

from pipeline.core.errors import CaseError

#: Largest distance, in voxels, between the centres of voxels that count as the same voxel. File
#: formats round their headers (NIfTI keeps float32, some programs three decimals); a twentieth of
#: a voxel takes that up and is far from the half at which a neighbour would be meant.
GRID_TOLERANCE_VOXELS = 0.05

#: Axes turned by more than this, in degrees, are called turned where a refusal is explained; the
#: refusal itself goes by `GRID_TOLERANCE_VOXELS`.
_TURNED_DEGREES = 0.01

#: How a mask comes onto the grid of its CT in 3D Slicer (docs/masks.md tells it at length).
SLICER_REMEDY = (
    "check that the CT is the one on which the mask was drawn; if it is, mend the mask in 3D "
    "Slicer: load both, open Segment Editor, choose the CT as source volume, press 'Specify "
    "geometry' beside it, choose the CT as source geometry, OK; correct the outline where it "
    "moved, and save as .seg.nrrd"
)


@dataclass(frozen=True)
class Geometry:
    """Where the voxels of a volume lie.

    Attributes
    ----------
    size : tuple of int
        Voxels along x, y, z of the index.
    spacing : tuple of float
        Distance of neighbouring voxel centres along each index axis, in mm.
    origin : tuple of float
        Centre of voxel (0, 0, 0) in mm, LPS.
    direction : tuple of float
        Nine direction cosines, row by row; column j is the direction of index axis j.
    """

    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    direction: tuple[float, ...]

    @classmethod
    def of(cls, image) -> Geometry:
        """Return the geometry of a three-dimensional SimpleITK image."""
        return cls(
            tuple(image.GetSize()),
            tuple(image.GetSpacing()),
            tuple(image.GetOrigin()),
            tuple(image.GetDirection()),
        )

    @classmethod
    def from_affine(cls, affine: np.ndarray, size: Sequence[int]) -> Geometry:
        """Return the geometry of a matrix from index to millimetres (LPS).

        Parameters
        ----------
        affine : numpy.ndarray
            Shape (4, 4), index (x, y, z, 1) to LPS.
        size : sequence of int
            Voxels along x, y, z.
        """
        axes = np.asarray(affine, dtype=float)[:3, :3]
        spacing = np.linalg.norm(axes, axis=0)
        if not (np.isfinite(affine).all() and (spacing > 0).all()):
            raise CaseError(
                "A volume must state the direction and spacing of its three axes",
                found=f"axes {np.round(axes, 6).tolist()}",
                remedy="export the file again from the program that made it",
                code="volume-axes-missing",
            )
        direction = axes / spacing
        return cls(
            tuple(int(n) for n in size),
            tuple(spacing.tolist()),
            tuple(np.asarray(affine, dtype=float)[:3, 3].tolist()),
            tuple(direction.ravel().tolist()),
        )

    @property
    def affine(self) -> np.ndarray:
        """Matrix (4, 4) from index (x, y, z, 1) to millimetres (LPS)."""
        matrix = np.eye(4)
        matrix[:3, :3] = np.reshape(self.direction, (3, 3)) * np.asarray(self.spacing)
        matrix[:3, 3] = self.origin
        return matrix

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(np.prod(self.spacing)) / 1000

    def apply_to(self, image) -> None:
        """Give a SimpleITK image this spacing, origin and direction."""
        image.SetSpacing(self.spacing)
        image.SetOrigin(self.origin)
        image.SetDirection(self.direction)

    def voxel(self):
        """Return a SimpleITK image of one voxel with these axes, to ask ITK where points lie."""
        import SimpleITK as sitk

        image = sitk.Image(1, 1, 1, sitk.sitkUInt8)
        self.apply_to(image)
        return image

    def as_json(self) -> dict:
        """Return the geometry as JSON values."""
        return asdict(self)

    @property
    def axis_codes(self) -> str:
        """Where each index axis mainly points, as `ingest.parquet` and viewers write it.

        Left or Right, Posterior or Anterior, Superior or Inferior; ``LPS`` is a CT as scanners
        store it.
        """
        return sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(self.direction)

    def __str__(self) -> str:
        def listed(values: Sequence[float]) -> str:
            return " x ".join(f"{value + 0.0:.6g}" for value in values)

        directions = " ".join(f"{value + 0.0:.4g}" for value in self.direction)
        return (
            f"size {' x '.join(map(str, self.size))} voxels, "
            f"spacing {listed(self.spacing)} mm, "
            f"origin ({', '.join(f'{value:.3f}' for value in self.origin)}) mm, "
            f"direction {self.axis_codes} ({directions})"
        )


@dataclass(frozen=True)
class GridMap:
    """How the index axes of one grid run along those of another.

    Attributes
    ----------
    axes : tuple of int
        For each index axis of the target, the source's axis that runs along it.
    flips : tuple of bool
        For each index axis of the target, whether the source runs the other way.
    start : tuple of int
        Target index of the source's corner with the lowest target index.
    """

    axes: tuple[int, int, int]
    flips: tuple[bool, bool, bool]
    start: tuple[int, int, int]

    @property
    def reoriented(self) -> bool:
        """Whether an axis of the source runs along another axis, or the other way."""
        return self.axes != (0, 1, 2) or any(self.flips)


class GridMismatchError(CaseError):
    """A mask does not lie on the voxels of the CT that the table names."""


def map_grid(
    source: Geometry, target: Geometry, tolerance: float = GRID_TOLERANCE_VOXELS
) -> GridMap | None:
    """Return how `source` lies on the lattice of `target`, or None where it does not.

    The lattices agree if a permutation and flips of the axes and a shift by whole voxels bring
    every voxel centre of `source` to one of `target`'s lattice; `source` may cover a part of
    `target`, or reach beyond it.

    Parameters
    ----------
    source, target : Geometry
        Grids to compare.
    tolerance : float, optional
        Largest distance between matching centres anywhere on `source`, in voxels of `target`.
    """
    to_index = np.linalg.inv(target.affine) @ source.affine
    turn = np.rint(to_index[:3, :3])
    is_permutation = (np.abs(turn).sum(axis=0) == 1).all() and (np.abs(turn).sum(axis=1) == 1).all()
    if not is_permutation:
        return None
    shift = np.rint(to_index[:3, 3])
    corners = np.array(list(itertools.product(*((0, n - 1) for n in source.size))), dtype=float)
    meant = corners @ turn.T + shift
    found = corners @ to_index[:3, :3].T + to_index[:3, 3]
    if np.abs(found - meant).max() > tolerance:
        return None
    axes = tuple(int(axis) for axis in np.abs(turn).argmax(axis=1))
    flips = tuple(bool(turn[row, axis] < 0) for row, axis in enumerate(axes))
    return GridMap(axes, flips, tuple(int(n) for n in meant.min(axis=0)))


def difference(source: Geometry, target: Geometry) -> str:
    """Say in words why `source` does not lie on the lattice of `target`.

    Returns
    -------
    str
        The first reason that holds: axes that are turned, voxels of another size, or a shift by
        a part of a voxel; without a full stop.
    """
    turned = np.reshape(target.direction, (3, 3)).T @ np.reshape(source.direction, (3, 3))
    nearest = np.abs(turned).argmax(axis=0)  # the target's axis along each of the source's
    cosine = float(np.abs(turned)[nearest, range(3)].min())
    degrees = float(np.degrees(np.arccos(min(cosine, 1.0))))
    if len(set(nearest.tolist())) < 3 or degrees > _TURNED_DEGREES:
        return f"the axes of the mask are turned by {degrees:.2g} degrees against the CT's"
    along = np.asarray(target.spacing)[nearest]
    wider = [
        f"{own:.6g} v {other:.6g} mm"
        for own, other, n in zip(source.spacing, along, source.size, strict=True)
        if abs(own - other) * (n - 1) > GRID_TOLERANCE_VOXELS * other
    ]
    if wider:
        return f"the voxels of mask and CT differ in size ({', '.join(wider)})"
    start = (np.linalg.inv(target.affine) @ source.affine)[:3, 3]
    shift = np.abs(start - np.rint(start)) * target.spacing
    return (
        "the mask lies between the voxels of the CT, off by "
        + " x ".join(f"{part:.3g}" for part in shift)
        + " mm"
    )


def mismatch(source: Geometry, target: Geometry, where: str | None = None) -> GridMismatchError:
    """Return the error for a mask on another lattice than its CT's, with both geometries."""
    return GridMismatchError(
        "A mask must lie on the voxels of its CT (axes may be flipped or swapped, and it may "
        "cover a part of the CT); nothing is resampled",
        found=f"{difference(source, target)}. Mask: {source}. CT: {target}",
        where=where,
        remedy=SLICER_REMEDY,
        code="mask-off-grid",
    )


def place_on_grid(
    labels: np.ndarray, source: Geometry, target: Geometry, where: str | None = None
) -> np.ndarray:
    """Bring a mask from its own grid onto that of a CT without interpolation.

    Parameters
    ----------
    labels : numpy.ndarray
        Shape (z, y, x) of `source`; zero is background.
    source, target : Geometry
        Grid of the mask and grid of the CT.
    where : str, optional
        Name of the mask for an error.

    Returns
    -------
    numpy.ndarray
        Shape (z, y, x) of `target`, same type; every non-zero voxel of `labels` is on it.

    Raises
    ------
    GridMismatchError
        If the lattices differ, or a non-zero voxel lies outside the CT.
    """
    grid = map_grid(source, target)
    if grid is None:
        raise mismatch(source, target, where)
    placed = np.zeros(target.size[::-1], dtype=labels.dtype)
    lost = paste(labels, grid, placed)
    if lost:
        raise GridMismatchError(
            "A mask must lie inside its CT",
            found=f"{lost} of {int(np.count_nonzero(labels))} voxels outside. "
            f"Mask: {source}. CT: {target}",
            where=where,
            remedy="name the CT on which the mask was drawn",
            code="mask-outside-ct",
        )
    return placed


def occupied_box(voxels: np.ndarray) -> tuple[slice, ...] | None:
    """Return the smallest box that holds all voxels that are not zero, or None without any.

    Parameters
    ----------
    voxels : numpy.ndarray
        Any shape.

    Returns
    -------
    tuple of slice
        One slice an axis.
    """
    box = []
    for axis in range(voxels.ndim):
        # Each axis is looked at within the box of those before.
        part = voxels[(*box, ...)]
        others = tuple(other for other in range(voxels.ndim) if other != axis)
        found = np.flatnonzero(part.any(axis=others))
        if not found.size:
            return None
        box.append(slice(int(found[0]), int(found[-1]) + 1))
    return tuple(box)


def paste(labels: np.ndarray, grid: GridMap, placed: np.ndarray) -> int:
    """Add the non-zero voxels of `labels` to `placed`, in place.

    Parameters
    ----------
    labels : numpy.ndarray
        Shape (z, y, x) of the source.
    grid : GridMap
        How the source lies on the target.
    placed : numpy.ndarray
        Shape (z, y, x) of the target; written to.

    Returns
    -------
    int
        Non-zero voxels of `labels` that lie outside the target.
    """
    target = placed.transpose(2, 1, 0)
    turned = labels.transpose(2, 1, 0).transpose(grid.axes)
    turned = np.flip(turned, axis=[axis for axis in range(3) if grid.flips[axis]])
    box = occupied_box(turned)
    if box is None:
        return 0
    turned = turned[box]
    start = np.add(grid.start, [side.start for side in box])
    low = np.maximum(start, 0)
    high = np.minimum(start + turned.shape, target.shape)
    kept = 0
    if (low < high).all():
        inner = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        outer = tuple(slice(a, b) for a, b in zip(low - start, high - start, strict=True))
        part = turned[outer]
        kept = int(np.count_nonzero(part))
        target[inner] = np.where(part != 0, part, target[inner])
    return int(np.count_nonzero(turned)) - kept
