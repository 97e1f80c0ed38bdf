"""Which IBSI feature each feature of PyRadiomics is, and how they agree on the digital phantom.

The Image Biomarker Standardisation Initiative [1]_ defines features with permanent codes and gives
their values on a phantom of 5 x 4 x 4 voxels of 2 mm. ``radiomics_params/ibsi_map.csv`` names the
code of each of the 14 + 93 features, and says where PyRadiomics computes something else.

References
----------
.. [1] Zwanenburg A, Vallieres M, Abdalah MA, et al. The Image Biomarker Standardization Initiative:
   standardized quantitative radiomics for high-throughput image-based phenotyping. Radiology
   2020;295:328-338. doi:10.1148/radiol.2020191145. The phantom and its reference values are
   published by the initiative under CC BY 4.0.
"""

from __future__ import annotations

import argparse
import functools
import math
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk

from pipeline.core import command
from pipeline.core.files import write_csv
from pipeline.core.installed.own_files import OWN_FILES
from pipeline.extraction import extract_features
from pipeline.tables.features.feature_names import parse_feature_name

MAP = OWN_FILES / "radiomics_params" / "ibsi_map.csv"

#: Grey levels of the digital phantom: a slice in each line, of four rows of five voxels.
_IMAGE = """
1 4 4 1 1  1 4 6 1 1  4 1 6 4 1  4 4 6 4 1
1 4 4 1 1  1 1 6 1 1  1 1 3 1 1  4 4 6 1 1
1 4 4 1 1  1 1 1 1 1  1 1 9 1 1  1 1 6 1 1
1 4 4 1 1  1 1 1 1 1  1 1 1 1 1  1 1 6 1 1
"""
#: Voxels (z, y, x) that are no part of the region.
_OUTSIDE = ((1, 2, 0), (2, 0, 3), (2, 0, 4), (2, 2, 2), (3, 0, 3), (3, 0, 4))
_SPACING_MM = 2.0

#: The settings under which the reference values hold: bins of one grey level, no interpolation.
PHANTOM_SETTINGS = {"setting": {"binWidth": 1, "additionalInfo": False}}

#: Significant digits of a reference value that has no tolerance of its own.
DIGITS = 3


@functools.cache
def ibsi_map() -> pd.DataFrame:
    """Return the map, one row per feature of PyRadiomics.

    Returns
    -------
    pandas.DataFrame
        Index ``<class>_<feature>``; ``ibsi_name``, ``ibsi_code`` (null where IBSI has no such
        feature), ``compliant`` (``yes``, ``differs``, ``none``), ``remark``, ``tag`` (IBSI's name
        of the reference value), ``reference`` and ``tolerance`` on the digital phantom.
    """
    table = pd.read_csv(MAP, dtype={"ibsi_code": str}, keep_default_na=True)
    return table.set_index("feature")


def ibsi_of(name: str) -> pd.Series | None:
    """Return the map's row of a feature such as ``wavelet-LLH_glcm_Idm``, None for another name.

    On a filtered image a feature keeps its definition, but IBSI's reference values hold for the
    original image alone.
    """
    parsed = parse_feature_name(name)
    key = f"{parsed.feature_class}_{parsed.feature}"
    return ibsi_map().loc[key] if key in ibsi_map().index else None


def phantom() -> tuple[sitk.Image, sitk.Image]:
    """Return the digital phantom: grey levels and region, 5 x 4 x 4 voxels of 2 mm."""
    levels = np.array(_IMAGE.split(), dtype=np.float64).reshape(4, 4, 5)
    region = np.ones(levels.shape, np.uint8)
    for voxel in _OUTSIDE:
        region[voxel] = 0
    images = tuple(sitk.GetImageFromArray(array) for array in (levels, region))
    for image in images:
        image.SetSpacing([_SPACING_MM] * 3)
    return images


def agrees(value: float, reference: float, tolerance: float) -> bool:
    """Return whether a value is the reference value, within its tolerance or its digits."""
    if tolerance > 0:
        return abs(value - reference) <= tolerance
    digits = DIGITS - 1 - math.floor(math.log10(abs(reference)))
    # A reference of three digits stands for all values that round to it.
    return abs(value - reference) <= 0.5000001 * 10.0**-digits


def compare_with_phantom() -> pd.DataFrame:
    """Compute all features of the phantom and compare them with the reference values.

    Returns
    -------
    pandas.DataFrame
        The map with ``value``, as computed here, and ``agrees`` (null without reference).
    """
    found = extract_features(*phantom(), PHANTOM_SETTINGS)
    table = ibsi_map().copy()
    table["value"] = [found[f"original_{name}"] for name in table.index]
    table["agrees"] = [
        None if pd.isna(row.reference) else agrees(row.value, row.reference, row.tolerance)
        for row in table.itertuples()
    ]
    return table


def as_markdown(table: pd.DataFrame) -> str:
    """Return what `compare_with_phantom` found as the table of docs/ibsi.md."""
    words = {True: "agrees", False: "**differs**", None: "no reference"}
    lines = [
        "| feature | IBSI | code | reference | here | | remark |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in table.iterrows():
        cells = [
            name.replace("_", " "),
            "" if pd.isna(row.ibsi_name) else row.ibsi_name,
            "" if pd.isna(row.ibsi_code) else row.ibsi_code,
            "" if pd.isna(row.reference) else f"{row.reference:g}",
            f"{row.value:.4g}",
            words[row["agrees"]],
            "" if pd.isna(row.remark) else row.remark,
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(options: argparse.Namespace) -> None:
    """Print the comparison, or write it as CSV."""
    table = compare_with_phantom()
    if options.out is None:
        sys.stdout.write(as_markdown(table) + "\n")
        return
    write_csv(table, options.out, index=True)


if __name__ == "__main__":
    arguments = command.parser("pipeline.extraction.parameter_sets.ibsi", __doc__)
    arguments.add_argument("--out", type=Path, help="CSV file (default: a table on the screen)")
    command.run(main, arguments)
