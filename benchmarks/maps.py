"""How fast and how equal maps are, against PyRadiomics' voxel mode, side by side in one run.

``python -m benchmarks.maps`` takes a ball of correlated noise, since the voxel mode takes minutes
and gigabytes for a vertebra. Both take turns on one core; a ratio is that of the least CPU times.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter

from benchmarks.timing import take_turns
from pipeline.extraction import ENGINES, load_params
from pipeline.extraction.crops import Crop
from pipeline.extraction.library import feature_names
from pipeline.extraction.maps import feature_maps, why_no_map
from pipeline.extraction.maps.names import CLASSES
from pipeline.study.option_numbers import bounded_number

#: Bone: its grey values spread by so many HU, of which so many are noise.
SPREAD_HU, NOISE_HU = 120.0, 30.0


def region(side: int) -> Crop:
    """Return a ball of `side` voxels across, as a vertebra's trabecular bone might look."""
    rng = np.random.default_rng(0)
    shape = (side + 6,) * 3
    smooth = gaussian_filter(rng.normal(size=shape), 1.2)
    grey = smooth / smooth.std() * SPREAD_HU + rng.normal(0, NOISE_HU, shape) + 180
    apart = np.indices(shape) - (shape[0] - 1) / 2
    image = sitk.GetImageFromArray(grey)
    mask = sitk.GetImageFromArray(((apart**2).sum(axis=0) < (side / 2) ** 2).astype(np.uint8))
    return Crop(image, mask, 0.0)


def compared(side: int, radius: int, rounds: int, bin_width: float) -> list[str]:
    """Return lines: per class of features, seconds of both, their ratio, largest difference."""
    params = load_params({"imageType": {"Original": {}}, "setting": {"binWidth": bin_width}})
    case = region(side)
    every = [name for name in feature_names(params) if why_no_map(name) is None]
    inside = sitk.GetArrayViewFromImage(case.mask) != 0
    lines = [f"{inside.sum():,} voxels, radius {radius}, bins of {bin_width:g} HU"]
    for name in [*CLASSES, "all"]:
        wanted = every if name == "all" else [one for one in every if f"_{name}_" in one]

        def job(engine: str, wanted: Sequence[str] = tuple(wanted)) -> dict[str, np.ndarray]:
            return feature_maps(case, params, wanted, radius=radius, engine=engine)

        runs = take_turns({each: lambda each=each: job(each) for each in ENGINES}, rounds)
        ours, theirs = (job(engine) for engine in ENGINES)
        apart = max(_apart(ours[one][inside], theirs[one][inside]) for one in wanted)
        fast, slow = (min(runs[each].cpu) for each in ENGINES)
        lines.append(
            f"{name:<10} {len(wanted):>3} features  fast {fast:7.3f} s  PyRadiomics {slow:8.3f} s  "
            f"{slow / fast:6.1f} x  largest difference {apart:.1e}"
        )
    return lines


def _apart(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return the largest difference, relative above 1; infinite where only one is a number."""
    if (np.isnan(ours) != np.isnan(theirs)).any():
        return np.inf
    known = ~np.isnan(ours)
    apart = np.abs(ours - theirs)[known] / np.maximum(1, np.abs(theirs[known]))
    return float(apart.max(initial=0))


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.maps", description=__doc__)
    arguments.add_argument("--side", type=bounded_number(minimum=4), default=20)
    arguments.add_argument("--radius", type=int, choices=(1, 2, 3), default=1)
    arguments.add_argument("--rounds", type=bounded_number(minimum=1), default=3)
    arguments.add_argument("--bin-width", type=float, default=25)
    options = arguments.parse_args()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    print("\n".join(compared(options.side, options.radius, options.rounds, options.bin_width)))


if __name__ == "__main__":
    main()
