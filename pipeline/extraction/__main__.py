"""Print the radiomic features of one region as CSV: feature, value."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipeline.core import command
from pipeline.core.files import whole_file
from pipeline.extraction import extract_features


def main(options: argparse.Namespace) -> None:
    """Extract one region and print or write its features."""
    features = extract_features(options.image, options.mask, options.params, label=options.label)
    table = features.rename("value").rename_axis("feature")
    if options.out is None:
        table.to_csv(sys.stdout)
        return
    with whole_file(options.out) as beside:
        table.to_csv(beside)


if __name__ == "__main__":
    arguments = command.parser("pipeline.extraction", __doc__)
    arguments.add_argument("image", type=Path, help="CT volume, such as .nrrd or .nii.gz")
    arguments.add_argument("mask", type=Path, help="label map of the region")
    arguments.add_argument("--params", type=Path, required=True, help="PyRadiomics parameter file")
    arguments.add_argument("--label", type=int, help="voxel value of the region (default: params')")
    arguments.add_argument("--out", type=Path, help="CSV file (default: standard output)")
    command.run(main, arguments)
