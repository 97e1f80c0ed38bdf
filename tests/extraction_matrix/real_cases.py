"""Cases of public scans, read from the files of the folder VERTEBROMICS_TESTDATA.

They come as people hand them in, .nii.gz and .nrrd; a DICOM series goes through SimpleITK's reader.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from tests.extraction_matrix.case import Case, Inputs
from tests.extraction_matrix.volumes import ball

SPINE = "totalseg_ct_spine"
LUMBAR = "tptbox_ct_vertebra/sub-ct"
PYRADIOMICS = "pyradiomics_baseline"

REAL: dict[str, Case] = {}


def _add(name: str, params: str, make: Callable[[Path], Inputs], label=None, **options) -> None:
    assert name not in REAL
    REAL[name] = Case(name, params, make, label, real=True, **options)


def _files(image: str, mask: str) -> Callable[[Path], Inputs]:
    return lambda folder: (folder / image, folder / mask)


@cache
def _series(folder: Path) -> sitk.Image:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


def _vertebra_of_the_series(folder: Path) -> Inputs:
    """Return a CT and a mask whose rows run the other way."""
    return _series(folder / "totalseg_ct_dicom/example_ct_dicom"), (
        folder / "totalseg_ct_dicom/example_seg_dicom.nii.gz"
    )


def _drawn_in_the_abdomen(folder: Path) -> Inputs:
    """Return a CT of 5 mm slices, padded with -3024 or so, and an ellipsoid in the spine."""
    image = _series(folder / "crlm1004_abdomen_ct/image")
    shape = image.GetSize()[::-1]
    mask = sitk.GetImageFromArray(
        ball(shape, (0.15, 0.07, 0.08), (0.0, 0.14, -0.02)).astype(np.uint8)
    )
    mask.CopyInformation(image)
    return image, mask


def _spine_of_three_slices(folder: Path) -> Inputs:
    return _series(folder / "dcmqi_ct_seg/ct-3slice"), folder / "dcmqi_ct_seg/spine_seg.nrrd"


_totalseg = _files(f"{SPINE}/example_ct.nii.gz", f"{SPINE}/spine_report/totalseg.nii.gz")
_add("real: L3, 3 mm", "published", _totalseg, 29)
_add("real: L3, 3 mm, HU", "hu", _totalseg, 29)
_add("real: T11 cut by the field of view", "published", _totalseg, 33)
_add("real: L1, 2 mm", "2 mm", _totalseg, 31)
_add("real: L5, distances 1 and 2", "distances 1 and 2", _totalseg, 27)
_add(
    "real: bodies of several vertebrae",
    "published",
    _files(f"{SPINE}/example_ct.nii.gz", f"{SPINE}/spine_report/totalseg_vertebrae_body.nii.gz"),
    2,
)
_lumbar = _files(f"{LUMBAR}_label-22_ct.nii.gz", f"{LUMBAR}_seg-vert_label-22_msk.nii.gz")
_add("real: L3 with axes permuted", "published", _lumbar, 22)
_add("real: L3 with axes permuted, HU", "hu", _lumbar, 22)
_add("real: L3 not resampled", "not resampled", _lumbar, 22)
_add("real: L3, two levels of wavelets", "wavelet two levels", _lumbar, 22)
_add(
    "real: body of L3",
    "published",
    _files(f"{LUMBAR}_label-22_ct.nii.gz", f"{LUMBAR}_seg-subreg_label-22_msk.nii.gz"),
    49,
)
_add("real: T12 of a DICOM series", "published", _vertebra_of_the_series, 32)
_add("real: ellipsoid in 5 mm slices", "published", _drawn_in_the_abdomen)
_add("real: spine in three slices", "bin width 100", _spine_of_three_slices, 2)
# PyRadiomics leaves the LoG of three slices out.
_add("real: LoG of three slices", "hu", _spine_of_three_slices, 2,
     refused="A region must yield all", plain_goes_on=True)  # fmt: skip
for _name, _params, _label in (
    ("brain1", "published", None),
    ("brain2", "hu", None),
    ("breast1", "published", None),
    ("breast1", "16 bins", None),
):
    _add(
        f"real: {_name}, {_params}", _params,
        _files(f"{PYRADIOMICS}/{_name}_image.nrrd", f"{PYRADIOMICS}/{_name}_label.nrrd"), _label,
    )  # fmt: skip
_add(
    "real: prostate phantom", "published",
    _files(f"{PYRADIOMICS}/prostate_phantom_subvolume.nrrd",
           f"{PYRADIOMICS}/prostate_phantom_subvolume-label.nrrd"),
    8,
)  # fmt: skip
_add(
    "real: digital phantom of the IBSI",
    "nothing said",
    _files(
        "ibsi1_digital_phantom/nifti/image/phantom.nii.gz",
        "ibsi1_digital_phantom/nifti/mask/mask.nii.gz",
    ),
)
