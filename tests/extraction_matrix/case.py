"""What a case of the matrix is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import SimpleITK as sitk

#: Image and mask, each a volume or a file.
Inputs = tuple[sitk.Image | Path, sitk.Image | Path]


@dataclass(frozen=True)
class Case:
    """One region of one scan with one parameter file.

    Attributes
    ----------
    name : str
        What it is about.
    params : str
        Key of `tests.extraction_matrix.parameters.PARAMETERS`.
    make : callable
        Takes the folder of public data (None for a synthetic case) and returns image and mask.
    label : int or None
        Voxel value of the region where the parameters' is not meant.
    refused : str or None
        Start of our error, where the engines have to refuse the case.
    plain_goes_on : bool
        Whether PyRadiomics goes on where we refuse, because it leaves features out or hands out
        numbers that mean nothing.
    real : bool
        Whether it needs the public data.
    """

    name: str
    params: str
    make: Callable[[Path | None], Inputs]
    label: int | None = None
    refused: str | None = None
    plain_goes_on: bool = False
    real: bool = False
