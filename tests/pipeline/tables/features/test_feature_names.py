"""Names of features fall into their parts."""

from __future__ import annotations

import pytest

from pipeline.tables.features.feature_names import FeatureName, parse_feature_name


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("original_shape_MeshVolume", ("original", "shape", "MeshVolume")),
        ("log-sigma-1-0-mm-3D_glcm_Idmn", ("log-sigma-1-0-mm-3D", "glcm", "Idmn")),
        ("wavelet-HLH_firstorder_10Percentile", ("wavelet-HLH", "firstorder", "10Percentile")),
    ],
)
def test_a_name_of_pyradiomics_has_three_parts(name, parts):
    assert parse_feature_name(name) == FeatureName(*parts)


@pytest.mark.parametrize("name", ["bmd", "psoas_area", "a_b_c_d", "_glcm_", ""])
def test_a_name_of_another_form_has_neither_image_type_nor_class(name):
    assert parse_feature_name(name) == (None, None, name)
