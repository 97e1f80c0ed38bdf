"""When features equal those of a plain run on the same two files, and when they cannot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from pipeline.comparison.agreement.equality import EQUALITY_LIMIT, relative_differences
from pipeline.extraction import extract_features
from pipeline.imaging.geometry import Geometry, place_on_grid
from pipeline.imaging.volumes import read_volume
from tests.extraction_matrix.comparison import plain_values
from tests.extraction_matrix.parameters import CLASSES, ORIGINAL
from tests.extraction_matrix.volumes import vertebra

PARAMS = {
    "imageType": ORIGINAL,
    "featureClass": CLASSES,
    "setting": {"binWidth": 25, "label": 1, "resampledPixelSpacing": [1, 1, 1]},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Write a CT and a mask of 0.7 mm, whose tenth voxel lies half-way between points of 1 mm."""
    folder = tmp_path_factory.mktemp("pair")
    image, mask = vertebra((40, 36, 12), (0.7, 0.7, 2.5))
    for ending in ("nrrd", "nii.gz"):
        sitk.WriteImage(image, str(folder / f"ct.{ending}"))
        sitk.WriteImage(mask, str(folder / f"mask.{ending}"))
    return folder


def as_a_study_does(folder: Path, ct: str, mask: str) -> tuple[sitk.Image, sitk.Image]:
    """Return CT and mask as the stages hand them on: the mask's voxels on the grid of the CT."""
    image, drawn = (read_volume(folder / name)[0] for name in (ct, mask))
    grid = Geometry.of(image)
    placed = place_on_grid(sitk.GetArrayFromImage(drawn), Geometry.of(drawn), grid)
    placed = sitk.GetImageFromArray(placed)
    grid.apply_to(placed)
    return image, placed


@pytest.mark.parametrize("mask", ["mask.nrrd", "mask.nii.gz"])
@pytest.mark.parametrize("ct", ["ct.nrrd", "ct.nii.gz"])
def test_the_command_equals_a_plain_run_on_the_same_files(folder, ct, mask):
    found = extract_features(folder / ct, folder / mask, PARAMS)
    expected = plain_values((folder / ct, folder / mask), PARAMS)
    assert relative_differences(found, expected).max() < EQUALITY_LIMIT


@pytest.mark.parametrize("mask", ["mask.nrrd", "mask.nii.gz"])
@pytest.mark.parametrize("ct", ["ct.nrrd", "ct.nii.gz"])
def test_a_study_equals_a_plain_run_with_the_mask_on_the_grid_of_its_ct(folder, ct, mask):
    pair = as_a_study_does(folder, ct, mask)
    found = extract_features(*pair, PARAMS)
    assert relative_differences(found, plain_values(pair, PARAMS)).max() < EQUALITY_LIMIT
    far = relative_differences(found, plain_values((folder / ct, folder / mask), PARAMS))
    if ct[3:] == mask[5:]:
        assert far.max() < EQUALITY_LIMIT
    else:
        # A grid of float32 beside one of float64: ties of the 1 mm grid fall the other way.
        assert np.count_nonzero(far > EQUALITY_LIMIT) > 20
