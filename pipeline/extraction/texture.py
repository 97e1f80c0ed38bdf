"""PyRadiomics' texture classes, handed their matrices instead of building them.

Each class below prepares what its parent in PyRadiomics expects before it computes; the formulas
are the parent's own. What the parent deletes (levels, sizes and directions that do not occur)
is not made in the first place, or deleted as it does.
"""

from __future__ import annotations

import functools

import numpy as np

from pipeline.extraction.binning import BinnedImage
from pipeline.extraction.library import Prepared, radiomics


class _Texture(Prepared):
    """What the classes have in common."""

    def __init__(self, binned: BinnedImage) -> None:
        super().__init__(binned.settings)
        self.binned = binned
        self.coefficients = {"grayLevels": binned.values, "Ng": int(binned.values[-1])}

    def _weighted(self, counts: np.ndarray, steps: np.ndarray, weight) -> np.ndarray:
        """Return `counts` (1, levels, ..., steps) summed over weighted steps, if that is asked for.

        `weight` gives the weight of a distance in mm.
        """
        norm = self.settings.get("weightingNorm")
        if norm is None:
            return counts
        mm = np.abs(steps) * np.array(self.binned.region.spacing[::-1])
        distances = {
            "infinity": mm.max(axis=1),
            "euclidean": np.sqrt((mm**2).sum(axis=1)),
            "manhattan": mm.sum(axis=1),
        }
        weights = weight(distances[norm]) if norm in distances else np.ones(len(steps))
        return (counts * weights).sum(axis=3, keepdims=True)


def _without_empty_steps(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return `counts` (1, levels, ..., steps) without steps that nothing took, and their sums."""
    sums = counts.sum(axis=(1, 2))
    if counts.shape[3] > 1:
        taken = sums[0] != 0
        if not taken.all():
            counts, sums = counts[..., taken], sums[:, taken]
    # Where nothing at all was counted the features are undefined.
    return counts, np.where(sums == 0, np.nan, sums)


class _GLCM(_Texture):
    def _initCalculation(self, voxelCoordinates=None):
        counts = self.binned.matrices.glcm[None]
        if self.settings.get("symmetricalGLCM", True):
            counts = counts + counts.transpose(0, 2, 1, 3)
        self.symmetricalGLCM = self.settings.get("symmetricalGLCM", True)
        counts = self._weighted(counts, self.binned.layout.angles, lambda mm: np.exp(-(mm**2)))
        counts, sums = _without_empty_steps(counts)
        self.P_glcm = counts / sums[:, None, None, :]
        self._calculateCoefficients()

    def _calculateCoefficients(self):
        p, highest = self.P_glcm, self.coefficients["Ng"]
        level = self.coefficients["grayLevels"].astype(float)
        i, j = level[:, None], level[None, :]
        eps = np.spacing(1)
        self.coefficients |= {
            "eps": eps,
            "i": i,
            "j": j,
            "kValuesSum": np.arange(2, 2 * highest + 1, dtype=float),
            "kValuesDiff": np.arange(0, highest, dtype=float),
            "px": p.sum(axis=2, keepdims=True),
            "py": p.sum(axis=1, keepdims=True),
            "ux": (i[None, :, :, None] * p).sum(axis=(1, 2), keepdims=True),
            "uy": (j[None, :, :, None] * p).sum(axis=(1, 2), keepdims=True),
            "pxAddy": _sums_by(p, (i + j).astype(int) - 2, 2 * highest - 1),
            "pxSuby": _sums_by(p, np.abs(i - j).astype(int), highest),
            "HXY": -(p * np.log2(p + eps)).sum(axis=(1, 2)),
        }


def _sums_by(p: np.ndarray, key: np.ndarray, count: int) -> np.ndarray:
    """Return the sums of `p` (1, levels, levels, steps) over equal `key` as (1, count, steps)."""
    order = np.argsort(key, axis=None, kind="stable")
    ranked = key.reshape(-1)[order]
    starts = np.flatnonzero(np.diff(ranked, prepend=-1))
    sums = np.zeros((1, count, p.shape[3]))
    sums[0, ranked[starts]] = np.add.reduceat(p.reshape(-1, p.shape[3])[order], starts, axis=0)
    return sums


class _GLRLM(_Texture):
    def _initCalculation(self, voxelCoordinates=None):
        counts = self.binned.matrices.glrlm[None]
        counts = self._weighted(counts, self.binned.layout.directions, lambda mm: mm)
        self.P_glrlm, self.coefficients["Nr"] = _without_empty_steps(counts)
        self._calculateCoefficients()


class _GLSZM(_Texture):
    def _initCalculation(self, voxelCoordinates=None):
        self.P_glszm = self.binned.matrices.glszm[None]
        self.coefficients |= {
            "Np": np.array([float(self.binned.region.size)]),
            "Nz": self.P_glszm.sum(axis=(1, 2)),
            "ps": self.P_glszm.sum(axis=1),
            "pg": self.P_glszm.sum(axis=2),
            "ivector": self.coefficients["grayLevels"].astype(float),
            "jvector": self.binned.matrices.zone_sizes,
        }


class _GLDM(_Texture):
    def _initCalculation(self, voxelCoordinates=None):
        counts = self.binned.matrices.gldm
        found = np.flatnonzero(counts.sum(axis=0))
        self.P_gldm = counts[None][:, :, found]
        self.coefficients |= {
            "Nz": self.P_gldm.sum(axis=(1, 2)),
            "pd": self.P_gldm.sum(axis=1),
            "pg": self.P_gldm.sum(axis=2),
            "ivector": self.coefficients["grayLevels"].astype(float),
            "jvector": found + 1.0,
        }


class _NGTDM(_Texture):
    def _initCalculation(self, voxelCoordinates=None):
        levels = self.coefficients["grayLevels"].astype(float)
        table = np.column_stack([self.binned.matrices.ngtdm, levels])
        self.P_ngtdm = table[table[:, 0] != 0][None]
        self._calculateCoefficients()


_PREPARED = {"glcm": _GLCM, "glrlm": _GLRLM, "glszm": _GLSZM, "gldm": _GLDM, "ngtdm": _NGTDM}


@functools.cache
def texture_classes() -> dict[str, type]:
    """Return the classes that take a `BinnedImage`, by PyRadiomics' names."""
    parents = radiomics().getFeatureClasses()
    return {
        name: type(f"Prepared{name.upper()}", (mixin, parents[name]), {})
        for name, mixin in _PREPARED.items()
    }
