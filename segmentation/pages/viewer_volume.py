"""What a page of a case holds: the CT around the masks in 256 grey levels, and the masks, packed.

A page must open from a folder on a hospital's PC, without network or graphics card, and a thousand
of them must fit on a stick. So the volume is cut to the vertebra, and every voxel becomes one byte:
an index into a table of Hounsfield units that is fine where bone and soft tissue are told apart.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

#: Tissue shown around the masks, in mm.
MARGIN_MM = 20.0
#: Masks that one page tells apart: one bit each.
MOST_MASKS = 8
#: Hounsfield units of the 256 grey levels: steps of 40 in air and lung, of 5 in soft tissue and
#: trabecular bone, of 11 in cortical bone; what is denser is shown as the last one.
LEVELS_HU = np.concatenate(
    [np.arange(-1024, -224, 40), np.arange(-224, 456, 5), np.arange(456, 1556, 11)]
)


@dataclass(frozen=True)
class CaseVolume:
    """The part of a scan that a page shows, turned to the patient's axes.

    Attributes
    ----------
    levels : numpy.ndarray
        uint8 indices into `LEVELS_HU`, shape (z, y, x): x to the patient's left, y to the back, z
        to the head.
    masks : numpy.ndarray
        uint8, same shape; bit i is set where reader i's mask is.
    readers : list of str
        Readers (with their versions) by bit.
    spacing : tuple of float
        Distance of voxel centres along x, y, z, in mm.
    corner_mm : tuple of float
        Centre of the voxel (0, 0, 0), LPS, in mm.
    axes : numpy.ndarray
        Shape (3, 3); column j is the direction of x, y or z in LPS.
    """

    levels: np.ndarray
    masks: np.ndarray
    readers: list[str]
    spacing: tuple[float, float, float]
    corner_mm: tuple[float, float, float]
    axes: np.ndarray

    @property
    def obliqueness_degrees(self) -> float:
        """Largest angle between an axis of the volume and the patient's axis it is named after."""
        return float(np.degrees(np.arccos(np.clip(np.diag(self.axes).min(), -1, 1))))


def case_volume(ct: sitk.Image, masks: Mapping[str, sitk.Image]) -> CaseVolume:
    """Cut a case out of its scan.

    Parameters
    ----------
    ct : SimpleITK.Image
        Hounsfield units, in any orientation.
    masks : Mapping of str to SimpleITK.Image
        0/1 on the grid of `ct` by reader, at most `MOST_MASKS`, at least one voxel in all.

    Raises
    ------
    ValueError
        If there are too many masks.
    """
    if len(masks) > MOST_MASKS:
        raise ValueError(f"a page shows at most {MOST_MASKS} masks, found {len(masks)}")
    # Cut first, turn then: of a whole-body scan only the vertebra is copied.
    start, size = _box(ct, masks.values())
    turned = sitk.DICOMOrient(sitk.RegionOfInterest(ct, size, start), "LPS")
    packed = np.zeros(turned.GetSize()[::-1], np.uint8)
    for bit, mask in enumerate(masks.values()):
        drawn = sitk.DICOMOrient(sitk.RegionOfInterest(mask, size, start), "LPS")
        packed |= (sitk.GetArrayViewFromImage(drawn) != 0).astype(np.uint8) << bit
    return CaseVolume(
        grey_levels(sitk.GetArrayViewFromImage(turned)),
        packed,
        list(masks),
        turned.GetSpacing(),
        turned.GetOrigin(),
        np.reshape(turned.GetDirection(), (3, 3)),
    )


def _box(ct: sitk.Image, masks: Iterable[sitk.Image]) -> tuple[list[int], list[int]]:
    """Return first index and size, along the index axes, of the box around all masks."""
    low, high = np.array(ct.GetSize()), np.zeros(3, int)
    for mask in masks:
        shape = sitk.LabelShapeStatisticsImageFilter()
        shape.Execute(mask)
        for label in shape.GetLabels():
            box = np.reshape(shape.GetBoundingBox(label), (2, 3))
            low, high = np.minimum(low, box[0]), np.maximum(high, box[0] + box[1])
    margin = np.ceil(MARGIN_MM / np.array(ct.GetSpacing())).astype(int)
    low, high = np.maximum(low - margin, 0), np.minimum(high + margin, ct.GetSize())
    return low.tolist(), (high - low).tolist()


def grey_levels(hu: np.ndarray) -> np.ndarray:
    """Return the index of the nearest of `LEVELS_HU` for each value, as uint8."""
    between = (LEVELS_HU[1:] + LEVELS_HU[:-1]) / 2
    return np.searchsorted(between, hu).astype(np.uint8)


def packed_text(voxels: np.ndarray) -> str:
    """Return voxels in C order as base64 of gzip; equal voxels give equal text."""
    return base64.b64encode(gzip.compress(voxels.tobytes(), 9, mtime=0)).decode()
