"""Negative controls: a CT whose voxels inside or around a mask have been mixed.

Voxels are mixed on the CT as scanned, before anything is resampled. Shuffling inside the mask keeps
its shape and the histogram of its voxels, and destroys their arrangement: what a feature still
tells afterwards is shape, volume or density, not texture.

References
----------
.. [1] Welch ML, McIntosh C, Haibe-Kains B, et al. Vulnerabilities of radiomic signature
   development: the need for safeguards. Radiother Oncol 2019;130:2-9.
   doi:10.1016/j.radonc.2018.10.027
.. [2] readii, a package that makes negative controls: https://github.com/bhklab/readii
"""

from __future__ import annotations

import copy

import numpy as np
import SimpleITK as sitk

from pipeline.extraction.checks import check_label
from pipeline.extraction.crops import Crop
from pipeline.extraction.fast import FastScan
from pipeline.extraction.plain import PlainScan
from pipeline.extraction.resampling import Volume
from pipeline.imaging.geometry import Geometry

#: Voxels of the CT beyond the resampled margin whose values still reach into it: the cubic
#: spline's weights fall by the factor 0.27 a voxel, to 1e-7.
SPLINE_REACH = 12


def mixed(voxels: np.ndarray, inside: np.ndarray, kind: str, seed: int) -> np.ndarray:
    """Return voxels of which those inside or outside a mask have been mixed.

    Parameters
    ----------
    voxels : numpy.ndarray
        Shape (z, y, x), of any number type.
    inside : numpy.ndarray of bool
        Same shape: the mask.
    kind : {'shuffled_inside', 'sampled_inside', 'shuffled_outside', 'sampled_outside'}
        Shuffled voxels change places, each is there once as before; sampled ones are drawn with
        replacement. Either way of the same part, and the other part stays as it is.
    seed : int
        Of the draw.

    Returns
    -------
    numpy.ndarray
        A copy of the same type.
    """
    how, where = kind.split("_")
    part = inside if where == "inside" else ~inside
    rng = np.random.default_rng(seed)
    values, out = voxels[part], voxels.copy()
    out[part] = rng.permutation(values) if how == "shuffled" else rng.choice(values, len(values))
    return out


class ControlledScan:
    """One CT whose voxels around a mask are mixed, draw by draw, for all of its masks.

    The CT is copied once; a draw replaces its voxels in a box around the mask, and puts them back.
    Normalisation is that of the CT as scanned: a control differs from the true features by the
    arrangement of voxels alone.

    Parameters
    ----------
    scan : FastScan or PlainScan
        From `pipeline.extraction.open_scan`.
    """

    def __init__(self, scan: FastScan | PlainScan) -> None:
        if isinstance(scan, FastScan) and not hasattr(scan, "volume"):
            # What the fast engine does not read PyRadiomics reads, normalised once here.
            scan = PlainScan(scan.image, scan.params)
        self.scan = copy.copy(scan)
        self._fast = isinstance(scan, FastScan)
        self._image = scan.image if isinstance(scan, FastScan) else scan.normalised
        self._voxels = sitk.GetArrayFromImage(self._image)

    def crop(self, mask: sitk.Image, label: int, kind: str, seed: int) -> Crop:
        """Return the crop of a mask after one draw.

        Parameters
        ----------
        mask : SimpleITK.Image
            On the CT's own grid, as the store's masks are.
        label : int
            Voxel value of the region.
        kind, seed
            As for `mixed`; outside means the box around the mask that its features can see.

        Raises
        ------
        CaseError
            As `pipeline.extraction.plain.PlainScan.crop`.
        ValueError
            If the mask lies on another grid.
        """
        if Geometry.of(mask) != Geometry.of(self._image):
            raise ValueError("a control needs a mask on the grid of its CT")
        check_label(mask, label)
        mask, label = sitk.Cast(mask == label, sitk.sitkUInt8), 1
        inside = sitk.GetArrayViewFromImage(mask) == label
        box = self._box(inside)
        before = self._voxels[box].copy()
        self._voxels[box] = mixed(before, inside[box], kind, seed)
        try:
            return self._altered().crop(mask, label)
        finally:
            self._voxels[box] = before

    def _box(self, inside: np.ndarray) -> tuple[slice, ...]:
        """Return the voxels (z, y, x) that can reach into the crop of a region."""
        settings, spacing = self.scan.params.settings, self._image.GetSpacing()[::-1]
        target = settings.get("resampledPixelSpacing") or spacing[::-1]
        box = []
        for axis in range(3):
            found = np.flatnonzero(inside.any(axis=tuple(n for n in range(3) if n != axis)))
            mm = float(settings.get("padDistance", 5)) * max(target[2 - axis], spacing[axis])
            margin = int(np.ceil(mm / spacing[axis])) + SPLINE_REACH
            box.append(slice(max(found[0] - margin, 0), found[-1] + 1 + margin))
        return tuple(box)

    def _altered(self) -> FastScan | PlainScan:
        """Return the scan with the voxels as they are now."""
        scan = copy.copy(self.scan)
        if self._fast:
            scan.volume = Volume(self._voxels, Geometry.of(self._image))
        resampled = scan.params.settings.get("resampledPixelSpacing") is not None
        if self._fast and resampled:
            return scan  # nothing else of it is read
        image = sitk.GetImageFromArray(self._voxels)
        image.CopyInformation(self._image)
        if isinstance(scan, PlainScan):
            scan.normalised = image
        else:
            scan.image = image
        return scan
