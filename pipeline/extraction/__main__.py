"""Print the radiomic features of one or more regions of a CT as CSV: feature, value.

With several masks there is one column for each, `value_1`, `value_2`, ..., in their order; the
CT is read once.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

from pipeline.core import command
from pipeline.core.files import csv_text, write_csv
from pipeline.extraction import DEFAULT_ENGINE, ENGINES, extract_masks
from pipeline.imaging.ct_options import add_arguments, limits_of, options_of
from pipeline.study.option_numbers import bounded_number


def main(options: argparse.Namespace) -> None:
    """Extract the regions and print or write their features."""
    columns = extract_masks(
        options.image,
        options.mask,
        options.params,
        label=options.label,
        engine=options.engine,
        series=options.series,
        options=options_of(options),
        limits=limits_of(options),
    )
    names = ["value"] if len(columns) == 1 else [f"value_{n + 1}" for n in range(len(columns))]
    table = pd.concat(dict(zip(names, columns, strict=True)), axis=1).rename_axis("feature")
    if options.out is None:
        sys.stdout.write(csv_text(table, index=True))
        return
    write_csv(table, options.out, index=True)


if __name__ == "__main__":
    arguments = command.parser("pipeline.extraction", __doc__)
    arguments.add_argument("image", type=Path, help="CT: DICOM folder, .nrrd, .nii or .nii.gz")
    arguments.add_argument(
        "mask", type=Path, nargs="+", help="label map of the region; one column for each"
    )
    arguments.add_argument("--params", type=Path, required=True, help="PyRadiomics parameter file")
    arguments.add_argument(
        "--label",
        type=bounded_number(minimum=1),
        help="voxel value of the region (default: as in --params)",
    )
    arguments.add_argument(
        "--engine",
        choices=ENGINES,
        default=DEFAULT_ENGINE,
        help="which program computes the features (%(default)s)",
    )
    add_arguments(arguments)
    arguments.add_argument("--out", type=Path, help="CSV file (default: standard output)")
    command.run(main, arguments)
