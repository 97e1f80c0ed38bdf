"""Print the radiomic features of one or more regions of a CT as CSV: feature, value.

With several masks there is one column for each, in their order; the CT is read once.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

from pipeline.core import command
from pipeline.core.files import whole_file
from pipeline.extraction import (
    DEFAULT_ENGINE,
    ENGINES,
    Parameters,
    features_of_crop,
    load_params,
    open_scan,
)


def extract_masks(
    image: Path, masks: list[Path], params: Parameters, *, label: int | None, engine: str
) -> pd.DataFrame:
    """Return the features of several masks of one CT.

    Parameters
    ----------
    image : path-like
        CT volume.
    masks : list of path-like
        Label maps.
    params : Parameters
        From `load_params`.
    label : int or None
        Voxel value of the region in every mask; by default the parameters' ``label``.
    engine : str
        One of `ENGINES`.

    Returns
    -------
    pandas.DataFrame
        Index ``feature``; one float64 column per mask: ``value`` for a single one, else
        ``value_1``, ``value_2``, ... in the order of `masks`.
    """
    scan = open_scan(image, params, engine=engine)
    columns = []
    for number, mask in enumerate(masks, start=1):
        crop = scan.crop(mask, label)
        result = features_of_crop(crop, params, engine=engine)
        for reason in dict.fromkeys(filter(None, (crop.reason, result.reason))):
            command.logger.info("mask %d was computed by PyRadiomics: %s", number, reason)
        columns.append(result.values.rename("value" if len(masks) == 1 else f"value_{number}"))
    return pd.concat(columns, axis=1).rename_axis("feature")


def main(options: argparse.Namespace) -> None:
    """Extract the regions and print or write their features."""
    table = extract_masks(
        options.image,
        options.mask,
        load_params(options.params),
        label=options.label,
        engine=options.engine,
    )
    if options.out is None:
        table.to_csv(sys.stdout)
        return
    with whole_file(options.out) as beside:
        table.to_csv(beside)


if __name__ == "__main__":
    arguments = command.parser("pipeline.extraction", __doc__)
    arguments.add_argument("image", type=Path, help="CT volume, such as .nrrd or .nii.gz")
    arguments.add_argument(
        "mask", type=Path, nargs="+", help="label map of the region; one column for each"
    )
    arguments.add_argument("--params", type=Path, required=True, help="PyRadiomics parameter file")
    arguments.add_argument("--label", type=int, help="voxel value of the region (default: params')")
    arguments.add_argument(
        "--engine", choices=ENGINES, default=DEFAULT_ENGINE, help="who computes (%(default)s)"
    )
    arguments.add_argument("--out", type=Path, help="CSV file (default: standard output)")
    command.run(main, arguments)
