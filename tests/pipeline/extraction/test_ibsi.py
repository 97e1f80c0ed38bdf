"""The IBSI map: all features, true codes, and agreement on the digital phantom as the docs say."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from pipeline.extraction import extract_features, feature_names, load_params
from pipeline.extraction.parameter_sets.ibsi import (
    PHANTOM_SETTINGS,
    agrees,
    as_markdown,
    compare_with_phantom,
    ibsi_map,
    ibsi_of,
    phantom,
)
from pipeline.tables.features.feature_names import parse_feature_name

#: Where PyRadiomics computes something else under the same name, as the map says.
DIFFERS = {
    "firstorder_Kurtosis",
    "shape_MajorAxisLength",
    "shape_MinorAxisLength",
    "shape_LeastAxisLength",
}
#: What IBSI does not define.
UNKNOWN = {
    "firstorder_TotalEnergy",
    "glcm_MCC",
    "shape_Maximum2DDiameterColumn",
    "shape_Maximum2DDiameterRow",
    "shape_Maximum2DDiameterSlice",
}


@pytest.fixture(scope="module")
def compared():
    return compare_with_phantom()


def test_every_feature_of_the_published_file_is_in_the_map(repository):
    names = feature_names(load_params(repository / "radiomics_params" / "ge2025.yaml"))
    assert all(ibsi_of(name) is not None for name in names)
    kinds = {f"{one.feature_class}_{one.feature}" for one in map(parse_feature_name, names)}
    assert kinds == set(ibsi_map().index)
    assert len(kinds) == 14 + 93
    assert ibsi_of("wavelet-LLH_glcm_Idm").ibsi_code == "WF0Z"
    assert ibsi_of("age") is None


def test_codes_are_ibsis():
    codes = ibsi_map()["ibsi_code"].dropna()
    assert codes.str.fullmatch(r"[0-9A-Z]{4}").all()
    assert codes.is_unique
    assert ibsi_map()["ibsi_code"].isna().sum() == len(UNKNOWN)
    by_compliance = ibsi_map().groupby("compliant").groups
    assert set(by_compliance["differs"]) == DIFFERS
    assert set(by_compliance["none"]) == UNKNOWN
    assert ibsi_map().loc[list(DIFFERS | UNKNOWN), "remark"].notna().all()


def test_the_phantom_agrees_but_for_the_known_deviations(compared):
    with_reference = compared[compared["reference"].notna()]
    assert len(with_reference) == 14 + 93 - len(UNKNOWN)
    assert with_reference["tag"].is_unique
    assert set(with_reference.index[with_reference["agrees"].astype(bool)]).isdisjoint(
        {"firstorder_Kurtosis"}
    )
    # The longest axis differs too, but by less than the tolerance of its reference.
    wrong = set(with_reference.index[~with_reference["agrees"].astype(bool)])
    assert wrong == DIFFERS - {"shape_MajorAxisLength"}


def test_the_known_deviations_are_what_the_map_says(compared):
    kurtosis = compared.loc["firstorder_Kurtosis"]
    assert kurtosis.value - 3 == pytest.approx(kurtosis.reference, abs=5e-4)
    n = int(sitk.GetArrayFromImage(phantom()[1]).sum())
    assert n == 74
    for axis in ("Major", "Minor", "Least"):
        row = compared.loc[f"shape_{axis}AxisLength"]
        assert agrees(row.value * math.sqrt(n / (n - 1)), row.reference, row.tolerance)
    # Energy times 8 mm3.
    assert compared.loc["firstorder_TotalEnergy", "value"] == pytest.approx(
        8 * compared.loc["firstorder_Energy", "value"]
    )


def test_the_page_shows_the_table(compared, repository):
    page = (repository / "docs" / "ibsi.md").read_text(encoding="utf-8")
    assert as_markdown(compared) in page, (
        "python -m pipeline.extraction.parameter_sets.ibsi prints it anew"
    )


def test_agreement_counts_digits_or_the_tolerance():
    assert agrees(2.1486, 2.15, 0)
    assert not agrees(2.1449, 2.15, 0)
    assert agrees(1494.6, 1490, 0)
    assert not agrees(1496, 1490, 0)
    assert agrees(556.3, 556, 4)
    assert not agrees(561, 556, 4)


def test_both_engines_agree_on_the_phantom():
    plain, fast = (
        extract_features(*phantom(), PHANTOM_SETTINGS, engine=engine)
        for engine in ("pyradiomics", "fast")
    )
    pd.testing.assert_series_equal(plain, fast, rtol=1e-9)


def test_phantom_and_references_are_those_of_the_initiative(testdata):
    folder = testdata / "ibsi1_digital_phantom"
    ours = [sitk.GetArrayFromImage(image) for image in phantom()]
    region = sitk.ReadImage(str(folder / "nifti" / "mask" / "mask.nii.gz"))
    image = sitk.ReadImage(str(folder / "nifti" / "image" / "phantom.nii.gz"))
    np.testing.assert_array_equal(ours[0], sitk.GetArrayFromImage(image))
    np.testing.assert_array_equal(ours[1], sitk.GetArrayFromImage(region))
    assert phantom()[0].GetSpacing() == image.GetSpacing()
    table = pd.read_csv(folder / "reference" / "ibsi_1_dig_phantom.csv", sep=";").set_index("tag")
    known = ibsi_map().dropna(subset="tag").set_index("tag")
    theirs = table.loc[known.index]
    np.testing.assert_array_equal(known["reference"], theirs["reference value"].astype(float))
    np.testing.assert_array_equal(known["tolerance"], theirs["tolerance"].astype(float))


def test_the_command_prints_and_writes(tmp_path, repository):
    command = [sys.executable, "-m", "pipeline.extraction.parameter_sets.ibsi"]
    done = subprocess.run(
        [*command, "--out", tmp_path / "t.csv"],
        cwd=repository, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == ""
    assert pd.read_csv(tmp_path / "t.csv")["agrees"].sum() == 99
