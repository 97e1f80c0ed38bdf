"""Which parameter file fits a cohort: rules over what was measured of it, each with its source.

Nothing is computed here from images: `pipeline.settings` measures the cohort from its tables.

References
----------
.. [1] PyRadiomics' documentation, "Frequently asked questions": a bin width that yields some 30 to
   130 bins (Tixier F, et al. J Nucl Med 2012;53:693-700); 16 to 128 bins are usual.
.. [2] Zwanenburg A, et al. Radiology 2020;295:328-338 (IBSI): resampling to isotropic voxels.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

#: Bins of a region below and above which another bin width is advised [1]_.
FEWEST_BINS, MOST_BINS = 16, 128

#: Width of a bin of hu.yaml.
HU_BIN = 25.0

#: Slice distance over the grid's, from which on most planes of the grid are interpolated.
THICK = 2.0

#: Share of a region's voxels cut by the normalisation, and share of regions with more, that matter.
CLIPPED, CLIPPED_REGIONS = 0.01, 0.05

#: Greatest over least bin width in HU among the scans, from which on bins are not comparable.
UNEQUAL_BINS = 1.25

#: Standard deviations that a Laplacian of Gaussian looks at, to either side (docs/parameters.md).
REACH = 4.0

#: Voxels of the smallest region below which texture matrices hold little.
FEW_VOXELS = 1000

FITS, HELPS, NOT_NEEDED, DOES_NOT_FIT = "fits", "helps in part", "not needed", "does not fit"


@dataclass(frozen=True)
class Cohort:
    """What was measured of a cohort; None where its tables do not hold it.

    Attributes
    ----------
    slice_distance_mm : tuple of float or None
        Least, median and greatest distance of slices.
    grid_mm : float or None
        Spacing of the resampled grid along z; None without resampling.
    bins : float or None
        Median number of bins of a region in the original image.
    bin_width : float or None
        Configured width, in the image's grey values; None for a fixed number of bins.
    bin_width_hu : tuple of float or None
        Least and greatest width of a bin in HU among the scans.
    clipped_regions : float or None
        Share of regions of which the normalisation cut more than `CLIPPED`.
    smallest_voxels : float or None
        Voxels of the smallest region on the grid.
    log_reach_mm, margin_mm : float or None
        What LoG's largest sigma looks at, and the margin around a region.
    """

    slice_distance_mm: tuple[float, float, float] | None
    grid_mm: float | None
    bins: float | None
    bin_width: float | None
    bin_width_hu: tuple[float, float] | None
    clipped_regions: float | None
    smallest_voxels: float | None
    log_reach_mm: float | None
    margin_mm: float | None


class Advice(NamedTuple):
    """What is advised of one parameter file.

    Attributes
    ----------
    file : str
        Its name without ``.yaml``.
    verdict : str
        `FITS`, `HELPS` (it answers some of the needs), `NOT_NEEDED` or `DOES_NOT_FIT`.
    why : str
        The measured reason.
    """

    file: str
    verdict: str
    why: str


def needs_of(cohort: Cohort) -> dict[str, str]:
    """Return what of the configured settings does not suit the cohort, and why.

    Returns
    -------
    dict of str to str
        ``margin, normalisation, clipping, fine_bins, coarse_bins, thick`` as far as they apply.
    """
    needs = {}
    if cohort.log_reach_mm is not None and cohort.margin_mm < cohort.log_reach_mm:
        needs["margin"] = (
            f"LoG looks {cohort.log_reach_mm:g} mm far and the margin is {cohort.margin_mm:g} mm: "
            "its features depend on where the box of a mask ends"
        )
    if cohort.bin_width_hu is not None and cohort.bin_width_hu[0] > 0:
        low, high = cohort.bin_width_hu
        if high / low > UNEQUAL_BINS:
            needs["normalisation"] = (
                f"normalised by scan, a bin is {low:.1f} to {high:.1f} HU wide: the same bone "
                "falls into other bins from scan to scan"
            )
    if cohort.clipped_regions is not None and cohort.clipped_regions > CLIPPED_REGIONS:
        needs["clipping"] = (
            f"in {cohort.clipped_regions:.0%} of the regions more than {CLIPPED:.0%} of the voxels "
            "are cut at the limits of the normalisation"
        )
    if cohort.bins is not None and cohort.bins < FEWEST_BINS:
        needs["fine_bins"] = f"a region has {cohort.bins:.0f} bins (median); 16 to 128 are usual"
    if cohort.bins is not None and cohort.bins > MOST_BINS:
        needs["coarse_bins"] = f"a region has {cohort.bins:.0f} bins (median); 16 to 128 are usual"
    if cohort.grid_mm and cohort.slice_distance_mm:
        ratio = cohort.slice_distance_mm[1] / cohort.grid_mm
        if ratio >= THICK:
            needs["thick"] = (
                f"slices lie {cohort.slice_distance_mm[1]:g} mm apart (median), so that "
                f"{1 - 1 / ratio:.0%} of the planes of the {cohort.grid_mm:g} mm grid are "
                "interpolated"
            )
    return needs


def advise(cohort: Cohort, current: str) -> list[Advice]:
    """Judge the project's parameter files for a cohort.

    Parameters
    ----------
    cohort : Cohort
        Measured with the parameter file `current`.
    current : str
        Name of the study's own file, without ``.yaml``.

    Returns
    -------
    list of Advice
        The study's own file first. A file that answers no need of the cohort is not needed.
    """
    needs = needs_of(cohort)
    found = [
        Advice(current, DOES_NOT_FIT, "; ".join(needs.values()))
        if needs
        else Advice(current, FITS, "nothing that was measured speaks against it")
    ]
    answers = {
        "hu": ("margin", "normalisation", "clipping"),
        "margin-25": ("margin",),
        "outliers-kept": ("clipping",),
        "bin-width-10": ("fine_bins",),
        "bin-width-50": ("coarse_bins",),
        "bin-count-32": ("fine_bins", "coarse_bins"),
        "voxels-2mm": ("thick",),
        "slices-2d": ("thick",),
    }
    for file, of in answers.items():
        if file == current:
            continue
        met = [needs[name] for name in of if name in needs]
        verdict = NOT_NEEDED if not met else FITS if len(met) == len(needs) else HELPS
        why = "; ".join(met) or "the cohort does not ask for what it changes"
        if met and len(met) < len(needs):
            why = f"answers {len(met)} of {len(needs)}: {why}"
        if (against := _against(file, cohort)) is not None:
            verdict, why = DOES_NOT_FIT, against
        found.append(Advice(file, verdict, why))
    if current != "voxels-as-scanned" and cohort.slice_distance_mm is not None:
        low, _, high = cohort.slice_distance_mm
        same = high / low <= UNEQUAL_BINS
        why = f"slices lie {low:g} to {high:g} mm apart: texture would follow the protocol"
        found.append(
            Advice(
                "voxels-as-scanned",
                NOT_NEEDED if same else DOES_NOT_FIT,
                "all scans have one slice distance; a grid of 1 mm does no harm" if same else why,
            )
        )
    return found


def _against(file: str, cohort: Cohort) -> str | None:
    """Return what speaks against a file in a cohort, whatever it answers."""
    bins, width = cohort.bins, cohort.bin_width
    if file == "hu" and bins is not None and cohort.bin_width_hu is not None:
        then = bins * sum(cohort.bin_width_hu) / 2 / HU_BIN
        if not FEWEST_BINS <= then <= MOST_BINS:
            return f"a region would have {then:.0f} bins of {HU_BIN:g} HU"
    if bins is not None and width and file in ("bin-width-10", "bin-width-50"):
        then = bins * width / float(file.rsplit("-", 1)[1])
        if not FEWEST_BINS <= then <= MOST_BINS:
            return f"a region would have {then:.0f} bins"
    if file == "voxels-2mm" and cohort.smallest_voxels is not None and cohort.grid_mm:
        left = cohort.smallest_voxels * (cohort.grid_mm / 2.0) ** 3
        if left < FEW_VOXELS:
            return f"the smallest region would keep {left:.0f} voxels"
    return None


def file_name(path: str) -> str:
    """Return the name of a parameter file, without folder and suffix."""
    return Path(path).stem
