"""The parameter files of radiomics_params/: complete, reasoned, and their differences measured."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from pipeline.core.errors import StudyError
from pipeline.core.files import write_table
from pipeline.extraction import extract_features, feature_names, load_params
from pipeline.extraction.library import as_series
from pipeline.extraction.parameter_sets.compare import compare_settings, summary
from pipeline.extraction.parameter_sets.margins import as_markdown, compare_margins
from pipeline.extraction.parameter_sets.sensitivity import FOLDER, sensitivity_set, vary
from pipeline.extraction.params import parameter_notes
from pipeline.extraction.setting_rules import settings_rules
from tests.support.commands import run_here
from tests.support.refusals import refusal

FILES = sorted(path for path in FOLDER.rglob("*.yaml") if path.name != "sensitivity.yaml")
SETS = [path for path in FILES if path.parent.name == "sensitivity"]
#: Settings of one filter each; they stand below their image type.
OF_FILTERS = re.compile(r"sigma|start_level|level|wavelet|gradientUseSpacing|lbp.*")


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_a_file_leaves_no_setting_open_and_gives_a_reason_for_each(path):
    params = load_params(path)
    everything = {name for name in settings_rules() if not OF_FILTERS.fullmatch(name)}
    left_out = everything - set(params.settings)
    assert left_out == ({"binWidth"} if params.settings["binCount"] else set())
    filters = params.content["imageType"]
    assert set(filters["Wavelet"]) == {"wavelet", "start_level", "level"}
    assert set(filters["Gradient"]) == {"gradientUseSpacing"}
    entries = [line for line in path.read_text(encoding="utf-8").splitlines()
               if re.match(r" +\w+:", line)]  # fmt: skip
    assert [line for line in entries if not re.search(r" # \S", line)] == []


def test_what_the_paper_leaves_open_is_marked_in_the_published_file():
    text = (FOLDER / "ge2025.yaml").read_text(encoding="utf-8")
    for name in ("correctMask", "resegmentRange", "padDistance", "interpolator", "wavelet"):
        assert re.search(rf"\n +{name}: [^#]*#[^#]*assumption", text), name


def test_hu_differs_from_the_published_file_where_it_says_so():
    published, hu = (load_params(FOLDER / name).settings for name in ("ge2025.yaml", "hu.yaml"))
    assert {name: hu[name] for name in hu if hu[name] != published[name]} == {
        "normalize": False, "normalizeScale": 1, "removeOutliers": None, "voxelArrayShift": 1000,
        "padDistance": 25,
    }  # fmt: skip
    assert len(feature_names(load_params(FOLDER / "hu.yaml"))) == 1223
    assert parameter_notes(load_params(FOLDER / "hu.yaml")) == []


def test_the_sensitivity_files_are_what_the_list_makes():
    assert {path.stem: path.read_text(encoding="utf-8") for path in SETS} == sensitivity_set()


def test_each_sensitivity_file_changes_what_it_says_and_nothing_else():
    def flat(params):
        entries = dict(params.settings)
        for image_type, options in params.content["imageType"].items():
            entries |= {f"{image_type} {name}": value for name, value in options.items()}
        return entries

    published = flat(load_params(FOLDER / "ge2025.yaml"))
    seen = set()
    for path in SETS:
        other = flat(load_params(path))
        changed = {name for name in published if other.get(name, "left out") != published[name]}
        assert 1 <= len(changed) <= 2, path.stem
        assert set(other) <= set(published)
        seen |= {(name, str(other.get(name))) for name in changed}
    assert {"binWidth", "binCount", "removeOutliers", "resampledPixelSpacing", "correctMask",
            "resegmentRange", "force2D", "padDistance", "Wavelet wavelet"} <= {
        name for name, _ in seen
    }  # fmt: skip
    assert {("binWidth", "10"), ("binWidth", "50"), ("Wavelet wavelet", "haar")} <= seen


def test_a_variation_of_nothing_is_refused():
    text = (FOLDER / "ge2025.yaml").read_text(encoding="utf-8")
    with refusal("variation-changes-nothing", StudyError, match=r"Found: binwidth\..*, finer"):
        vary(text, "finer", {"reason": "x", "change": {"binwidth": 10}})


def test_the_command_writes_the_set(tmp_path):
    done = run_here("pipeline.extraction.parameter_sets.sensitivity", "--out", tmp_path)
    assert done.returncode == 0
    assert {path.stem for path in tmp_path.iterdir()} == set(sensitivity_set())
    assert str(tmp_path) not in done.stderr


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_both_engines_agree_with_each_file(path):
    noise = np.random.default_rng(5).normal(0, 900, (16, 32, 32))
    ct = sitk.Cast(sitk.SmoothingRecursiveGaussian(sitk.GetImageFromArray(noise), 1.2) + 100,
                   sitk.sitkInt16)  # fmt: skip
    mask = np.zeros((16, 32, 32), np.uint8)
    mask[5:11, 10:22, 8:21] = 1
    mask = sitk.GetImageFromArray(mask)
    for image in (ct, mask):
        image.SetSpacing((0.8, 0.8, 3))
    params = load_params(path)
    fast, plain = (
        extract_features(ct, mask, params, engine=engine) for engine in ("fast", "pyradiomics")
    )
    pd.testing.assert_series_equal(fast, plain, rtol=1e-9)


def test_two_axes_of_one_length_are_no_complex_numbers():
    # 8 x 8 voxels across: the eigenvalues of the two shorter axes are equal but for rounding.
    mask = np.zeros((12, 12, 16), np.uint8)
    mask[2:10, 2:10, 2:14] = 1
    mask[2, 2, 2] = mask[9, 9, 2] = 0
    mask = sitk.GetImageFromArray(mask)
    noise = np.random.default_rng(5).normal(0, 100, (12, 12, 16))
    features = extract_features(
        sitk.GetImageFromArray(noise), mask, {"setting": {}, "featureClass": {"shape": None}}
    )
    assert features.notna().all()
    values = {"a": np.array(2 + 1e-16j), "b": 3.0, "c": np.array([4.0]), "d": 1 + 1j}
    np.testing.assert_array_equal(as_series(values, list("abcd")), [2, 3, 4, np.nan])


# --- margins -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    """A textured block with a region in its middle, as files; 1 mm voxels."""
    folder = tmp_path_factory.mktemp("region")
    noise = np.random.default_rng(1).normal(0, 200, (40, 40, 40))
    ct = sitk.Cast(sitk.SmoothingRecursiveGaussian(sitk.GetImageFromArray(noise), 1.5) * 8,
                   sitk.sitkInt16)  # fmt: skip
    mask = np.zeros((40, 40, 40), np.uint8)
    mask[15:25, 16:25, 14:26] = 3
    sitk.WriteImage(ct, str(folder / "ct.nrrd"))
    sitk.WriteImage(sitk.GetImageFromArray(mask), str(folder / "mask.nrrd"))
    return folder / "ct.nrrd", folder / "mask.nrrd"


def test_a_wider_margin_changes_less(region):
    params = load_params(
        {
            "setting": {"binWidth": 5, "resampledPixelSpacing": [1, 1, 1]},
            "featureClass": {"shape": None, "firstorder": None},
        }
    )
    table = compare_margins(
        *region, params, label=3, sigma=2.0, margins=(1, 3, 8, 13), reference=14
    )
    assert table["margin"].to_list() == [1, 3, 8, 13]
    assert table["mean_difference"].is_monotonic_decreasing
    assert table["mean_difference"].iloc[0] > 1e-3 > table["mean_difference"].iloc[-1]
    assert table["above_1_percent"].iloc[0] > table["above_1_percent"].iloc[-1]
    assert as_markdown(table).splitlines()[2].startswith("| 1 | ")
    with refusal("margin-not-smaller", StudyError, match="Found: 14 against 14"):
        compare_margins(*region, params, label=3, margins=(14,), reference=14)


def test_the_command_of_margins(region, tmp_path, repository):
    params = tmp_path / "p.yaml"
    params.write_text("setting: {binWidth: 5, resampledPixelSpacing: [1, 1, 1]}\n"
                      "featureClass: {firstorder: [Mean, Variance]}\n")  # fmt: skip
    command = ["pipeline.extraction.parameter_sets.margins", *region, "--label", "3",
               "--params", params, "--margins", "2", "4", "--reference", "9"]  # fmt: skip
    done = run_here(*command, cwd=repository)
    assert done.stdout.count("\n| ") == 2
    assert run_here(*command, "--out", tmp_path / "t.csv", cwd=repository).returncode == 0
    assert pd.read_csv(tmp_path / "t.csv")["margin"].to_list() == [2, 4]


# --- comparison ----------------------------------------------------------------------------------


def table_of(values: dict) -> pd.DataFrame:
    n = len(next(iter(values.values())))
    return pd.DataFrame({"case_id": [f"c{i}" for i in range(n)], "reader": "A", **values})


def test_ranks_and_values_are_told_apart():
    mean, entropy = "original_firstorder_Mean", "original_firstorder_Entropy"
    base = table_of({mean: [1.0, 2.0, 3.0, 4.0], entropy: [1.0, 2.0, 3.0, np.nan], "x_y_z": 0.0})
    other = table_of({mean: [11.0, 12.0, 13.0, 14.0], entropy: [1.0, 3.0, 2.0, 5.0]})
    table = compare_settings(base, other.sample(frac=1, random_state=0)).set_index("feature")
    assert list(table.index) == [mean, entropy]
    assert table["n"].to_list() == [4, 3]
    assert table["rank_correlation"].to_list() == pytest.approx([1.0, 0.5])
    # Lin: 2 x 1.25 / (1.25 + 1.25 + 10^2)
    assert table["ccc"].iloc[0] == pytest.approx(2.5 / 102.5)
    (row,) = summary(table.reset_index()).itertuples()
    assert (row.Index, row.features, row.ranks_kept) == ("firstorder", 2, 0.5)


def test_tables_without_common_rows_are_refused():
    base = table_of({"original_firstorder_Mean": [1.0, 2.0, 3.0]})
    with refusal("feature-tables-share-nothing", StudyError, match="0 rows and 1 features in both"):
        compare_settings(base, base.assign(reader="B"))


def test_the_command_compares_two_runs(tmp_path, repository):
    base = table_of({"original_firstorder_Mean": [1.0, 2.0, 3.0]})
    for name in ("a", "b"):
        write_table(base, tmp_path / f"{name}.parquet")
    tables = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    out = ("--out", tmp_path / "c.parquet")
    done = run_here("pipeline.extraction.parameter_sets.compare", *tables, *out, cwd=repository)
    assert "firstorder" in done.stdout
    assert pd.read_parquet(tmp_path / "c.parquet")["ccc"].to_list() == [1.0]
