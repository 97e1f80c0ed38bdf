"""What features measure, in plain words and by IBSI's codes."""

from __future__ import annotations

import pandas as pd
import pytest

from demo.feature_names import feature_names
from pipeline.extraction.parameter_sets.ibsi import ibsi_of
from pipeline.reporting.words.feature_meanings import meaning_of, meanings_table


def test_every_feature_of_the_extraction_has_a_meaning():
    assert all(len(meaning_of(name)) > 10 for name in feature_names())


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("log-sigma-1-0-mm-3D_glszm_ZoneEntropy", "structures of about 1.0 mm (LoG filter)"),
        ("wavelet-LHH_gldm_DependenceEntropy", "smooth along x, fine along y, fine along z"),
        ("gradient_ngtdm_Contrast", "on the image of edges (gradient)"),
        ("lbp-3D-k_firstorder_Mean", "on the image lbp-3D-k"),
        ("my_own_score_7", "–"),
    ],
)
def test_filters_are_told(name, end):
    assert meaning_of(name).endswith(end)


def test_codes_are_those_of_the_map():
    names = [
        "original_shape_MeshVolume",
        "wavelet-LLH_glcm_Idm",
        "original_shape_Maximum2DDiameterRow",
    ]
    table = meanings_table([*names, "my_own_score"])
    shown = table.shown.set_index("Feature")
    assert list(shown.index) == names
    for name in names:
        code = ibsi_of(name)["ibsi_code"]
        assert shown.loc[name, "IBSI code"] == ("–" if pd.isna(code) else code)
    assert shown.loc[names[2], "Agrees with IBSI"] == "not in IBSI"
    assert meanings_table(["my_own_score"]) is None
