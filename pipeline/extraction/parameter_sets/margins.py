"""Measure how much the margin around a region (padDistance) changes what LoG yields in it.

PyRadiomics filters the crop of a region: its box and `padDistance` voxels on each side. LoG with
sigma 5 mm looks further than the published 5 mm, and what lies beyond the crop is taken to go on
like its edge. The features with each margin are compared with those of a margin so wide that
nothing is missing.
"""

from __future__ import annotations

import argparse
import copy
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk

from pipeline.core import command
from pipeline.core.errors import StudyError
from pipeline.core.files import write_csv
from pipeline.extraction import extract_features, load_params
from pipeline.extraction.checks import Image
from pipeline.extraction.params import Parameters
from pipeline.study.option_numbers import bounded_number

#: Margins that are compared, in voxels of the resampled grid.
MARGINS = (5, 10, 15, 20, 25, 30)
#: Margin that stands for the whole volume: eight times the largest sigma in use, 5 mm.
REFERENCE = 40
#: A feature below this share of its class's usual size is near zero, where relative differences
#: mean nothing.
NEAR_ZERO = 1e-6


def with_margin(params: Parameters, margin: int, sigma: float) -> Parameters:
    """Return `params` with LoG of one `sigma` (mm) alone, and `margin` voxels around the region."""
    content = copy.deepcopy(params.content)
    content["imageType"] = {"LoG": {"sigma": [float(sigma)]}}
    content["featureClass"] = {
        name: features
        for name, features in (content.get("featureClass") or {"firstorder": None}).items()
        if not name.startswith("shape")
    }
    content.setdefault("setting", {})["padDistance"] = margin
    return load_params(content)


def compare_margins(
    image: Image,
    mask: Image,
    params: Parameters,
    *,
    label: int | None = None,
    sigma: float = 5.0,
    margins: Sequence[int] = MARGINS,
    reference: int = REFERENCE,
) -> pd.DataFrame:
    """Compare the LoG features of one region over margins.

    Parameters
    ----------
    image, mask : SimpleITK.Image or path-like
        CT and label map, as `pipeline.extraction.extract_features` takes them.
    params : Parameters
        Parameter file; of it the grid, the grey values and the texture settings are used.
    label : int, optional
        Voxel value of the region.
    sigma : float, optional
        Width of the filter, in mm.
    margins : sequence of int, optional
        Margins to judge, in voxels of the resampled grid.
    reference : int, optional
        Margin that the others are compared with.

    Returns
    -------
    pandas.DataFrame
        One row per margin: ``margin`` (voxels), ``median`` and ``worst`` relative difference of the
        features, ``above_1_percent`` and ``above_10_percent``, the shares of the features that
        differ by more, and ``mean_difference``, that of firstorder Mean, relative to the standard
        deviation of the filtered region.

    Raises
    ------
    StudyError
        If a margin is not smaller than the reference.
    """
    if max(margins) >= reference:
        raise StudyError(
            "Margins must be smaller than the one that they are compared with",
            found=f"{max(margins)} against {reference}",
            remedy="choose a larger --reference",
            code="margin-not-smaller",
        )

    def features(margin: int) -> pd.Series:
        return extract_features(image, mask, with_margin(params, margin, sigma), label=label)

    expected = features(reference)
    first = next(name for name in expected.index if name.endswith("_firstorder_Mean"))
    spread = np.sqrt(expected[first.replace("_Mean", "_Variance")])
    compared = expected.notna() & (expected.abs() > NEAR_ZERO)
    rows = []
    for margin in margins:
        found = features(margin)
        change = ((found - expected).abs() / expected.abs())[compared]
        rows.append(
            {
                "margin": margin,
                "median": change.median(),
                "worst": change.max(),
                "above_1_percent": float((change > 0.01).mean()),
                "above_10_percent": float((change > 0.1).mean()),
                "mean_difference": abs(found[first] - expected[first]) / spread,
            }
        )
    return pd.DataFrame(rows)


def as_markdown(table: pd.DataFrame) -> str:
    """Return the rows of `compare_margins` as a table for docs/parameters.md."""
    lines = [
        "| margin (voxels) | median difference | worst | features > 1% | features > 10% "
        "| mean, in SD |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.margin} | {row.median:.2g} | {row.worst:.2g} | {row.above_1_percent:.0%} "
        f"| {row.above_10_percent:.0%} | {row.mean_difference:.2g} |"
        for row in table.itertuples()
    ]
    return "\n".join(lines)


def _image(path: Path) -> Path | sitk.Image:
    """Return a file as it is, and a folder with one DICOM series as an image."""
    if not path.is_dir():
        return path
    return sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(path)))


def main(options: argparse.Namespace) -> None:
    """Print or write the table of one region."""
    table = compare_margins(
        _image(options.image),
        options.mask,
        load_params(options.params),
        label=options.label,
        sigma=options.sigma,
        margins=options.margins,
        reference=options.reference,
    )
    if options.out is None:
        sys.stdout.write(as_markdown(table) + "\n")
        return
    write_csv(table, options.out)


if __name__ == "__main__":
    arguments = command.parser("pipeline.extraction.parameter_sets.margins", __doc__)
    arguments.add_argument("image", type=Path, help="CT, or a folder with one DICOM series")
    arguments.add_argument("mask", type=Path, help="label map of the region")
    voxels = bounded_number(minimum=0, maximum=1000)
    arguments.add_argument(
        "--label",
        type=bounded_number(minimum=1),
        help="voxel value of the region (default: as in --params)",
    )
    arguments.add_argument("--params", type=Path, required=True, help="PyRadiomics parameter file")
    arguments.add_argument(
        "--sigma",
        type=bounded_number("number", exclusiveMinimum=0, maximum=1000),
        default=5.0,
        help="of LoG, in mm (default: 5)",
    )
    arguments.add_argument(
        "--margins", type=voxels, nargs="+", default=list(MARGINS), help="voxels (default: 5 to 30)"
    )
    arguments.add_argument(
        "--reference", type=voxels, default=REFERENCE, help=f"voxels (default: {REFERENCE})"
    )
    arguments.add_argument("--out", type=Path, help="CSV file (default: a table on the screen)")
    command.run(main, arguments)
