"""Texture features of a binned image: its matrices, prepared as PyRadiomics does, and the formulas.

PyRadiomics takes each formula by itself and means over the steps forty times an image, at a cost
that does not depend on the region's size. Here the formulas of a matrix share what they have in
common (cooccurrence.py, sizes.py, tone_differences.py).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.extraction.checks import no_step_fits
from pipeline.extraction.formulas.binning import BinnedImage
from pipeline.extraction.formulas.cooccurrence import glcm_features
from pipeline.extraction.formulas.sizes import size_features
from pipeline.extraction.formulas.tone_differences import ngtdm_features


def texture_features(feature_class: str, binned: BinnedImage) -> dict[str, float]:
    """Return the features of one class that are not deprecated, by PyRadiomics' names.

    Parameters
    ----------
    feature_class : str
        One of `TEXTURE_CLASSES`.
    binned : BinnedImage
        Its settings decide about symmetry, weighting and steps.

    Raises
    ------
    CaseError
        If no step to a neighbour fits into the region's box.
    """
    along_lines = feature_class in ("glrlm", "glszm")
    distances = (1,) if along_lines else binned.settings.get("distances", (1,))
    if not len(binned.layout.directions if along_lines else binned.layout.angles):
        raise no_step_fits(distances)
    return TEXTURE_CLASSES[feature_class](binned)


def _glcm(binned: BinnedImage) -> dict[str, float]:
    counts = _as_the_library_lays_it_out(binned.matrices.glcm, binned.values)
    if binned.settings.get("symmetricalGLCM", True):
        counts = counts + counts.transpose(1, 0, 2)
    counts = _weighted(counts, binned, binned.layout.angles, lambda square: np.exp(-square))
    counts, sums = _without_empty_steps(counts)
    return glcm_features(counts / sums, binned.values)


def _as_the_library_lays_it_out(counts: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return a GLCM (levels, levels, steps) whose axes lie in memory as in PyRadiomics.

    Sums over two axes run as memory does, and their last bit decides whether the entropy of
    independent levels is above or below that of the pairs, hence whether Imc2 is a number in that
    step. The library deletes the rows and columns of absent levels, by indices even where there are
    none, which leaves another order of axes in memory; a single one it cuts out, which does not.
    """
    absent = int(levels[-1]) - len(levels)
    if absent == 1:
        return counts
    nothing = np.array([], dtype=int)
    return np.delete(np.delete(counts[None], nothing, 1), nothing, 2)[0]


def _glrlm(binned: BinnedImage) -> dict[str, float]:
    counts = _weighted(binned.matrices.glrlm, binned, binned.layout.directions, np.sqrt)
    counts, _ = _without_empty_steps(counts)
    lengths = np.flatnonzero(counts.any(axis=(0, 2)))
    return size_features("glrlm", counts[:, lengths], binned.values.astype(float), lengths + 1.0)


def _glszm(binned: BinnedImage) -> dict[str, float]:
    counts, sizes = binned.matrices.glszm, binned.matrices.zone_sizes
    return size_features("glszm", counts[..., None], binned.values.astype(float), sizes)


def _gldm(binned: BinnedImage) -> dict[str, float]:
    counts = binned.matrices.gldm
    found = np.flatnonzero(counts.any(axis=0))
    return size_features("gldm", counts[:, found, None], binned.values.astype(float), found + 1.0)


def _ngtdm(binned: BinnedImage) -> dict[str, float]:
    counts, differences = binned.matrices.ngtdm.T
    found = counts != 0
    return ngtdm_features(counts[found], differences[found], binned.values[found].astype(float))


#: Features of each class, by PyRadiomics' names.
TEXTURE_CLASSES: dict[str, Callable[[BinnedImage], dict[str, float]]] = {
    "glcm": _glcm,
    "glrlm": _glrlm,
    "glszm": _glszm,
    "gldm": _gldm,
    "ngtdm": _ngtdm,
}


def _weighted(
    counts: np.ndarray,
    binned: BinnedImage,
    steps: np.ndarray,
    weight: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Return `counts` (levels, ..., steps) summed over weighted steps, if that is asked for.

    `weight` gives the weight of a squared distance in mm^2.
    """
    norm = binned.settings.get("weightingNorm")
    if norm is None:
        return counts
    mm = np.abs(steps) * np.array(binned.region.spacing[::-1])
    squares = {
        "infinity": mm.max(axis=1) ** 2,
        "euclidean": (mm**2).sum(axis=1),
        "manhattan": mm.sum(axis=1) ** 2,
    }
    weights = weight(squares[norm]) if norm in squares else np.ones(len(steps))
    return (counts * weights).sum(axis=2, keepdims=True)


def _without_empty_steps(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return `counts` (levels, ..., steps) without steps that nothing took, and their sums."""
    sums = counts.sum(axis=(0, 1))
    empty = np.flatnonzero(sums == 0)
    if counts.shape[2] > 1 and len(empty):
        # By deleting, as the library does: it decides the order of axes in memory.
        counts, sums = np.delete(counts[None], empty, 3)[0], np.delete(sums, empty)
    # Where nothing at all was counted the features are undefined.
    return counts, np.where(sums == 0, np.nan, sums)
