"""Maps of a study: what is chosen, that they lie on the bone, what page and files hold."""

from __future__ import annotations

import json
import shutil
from argparse import Namespace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from scipy.ndimage import binary_dilation, binary_erosion

from pipeline.core.errors import StudyError
from pipeline.core.files import read_table, write_json, write_table
from pipeline.core.keeping.store import Store
from pipeline.extraction import load_params, read_crop
from pipeline.extraction.maps import feature_maps
from pipeline.tables.schemas.features.features import Features
from segmentation.maps import _arguments, main
from segmentation.pages.drawn_cases import choose_cases, selected_features
from segmentation.pages.map_overlay import STEPS, colour_limits, page_map
from segmentation.pages.viewer_volume import case_volume
from tests.segmentation.test_viewer import embedded, in_browser, unpacked
from tests.support.mapped_study import (
    CONTRAST,
    MEAN,
    PARAMETERS,
    SHAPE,
    scan,
    write_importance,
    write_mapped_study,
)
from tests.support.refusals import refusal as refused
from tests.support.store_entries import reference


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    return write_mapped_study(tmp_path_factory.mktemp("maps"))


def run(folder: Path, out: Path, *arguments: str) -> Namespace:
    options = _arguments().parse_args([str(folder), "--out", str(out), *arguments])
    main(options)
    return options


@pytest.fixture(scope="module")
def drawn(made, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("drawn")
    run(made, out)
    return out


# --- what is chosen ----------------------------------------------------------------------------


def test_what_is_mapped_is_what_the_best_model_selected(made):
    assert selected_features(made) == ([SHAPE, CONTRAST, MEAN], "Logistic regression")


def test_a_typical_case_and_the_extremes_are_drawn():
    table = pd.DataFrame(
        {
            "case_id": list("abcde"),
            MEAN: [1.0, 2.0, 3.0, 4.0, 9.0],
            CONTRAST: [5.0, 1.0, 3.0, np.nan, 2.5],
        }
    )
    chosen = dict(choose_cases(table, [MEAN, CONTRAST]))
    assert list(chosen) == ["c", "a", "e", "b"]
    assert chosen["c"].startswith("typical")
    assert chosen["a"] == f"lowest {MEAN} (1); highest {CONTRAST} (5)"
    assert chosen["e"] == f"highest {MEAN} (9)"
    assert choose_cases(table.assign(**{MEAN: np.nan}), [MEAN]) == []


def test_the_list_tells_why_and_what_has_no_map(drawn):
    text = (drawn / "index.html").read_text(encoding="utf-8")
    assert f'{SHAPE}</td><td colspan="3">no map: a shape belongs to the whole region' in text
    assert "typical: nearest to the medians" in text
    assert "3 x 3 x 3 voxels (radius 1) on the grid of 1 mm, of which only those inside" in text
    assert "not its share of the patient&#39;s feature" in text or (
        "not its share of the patient's feature" in text
    )
    assert sorted(path.name for path in drawn.iterdir()) == [
        *("index.html", "p0-L1", "p0-L1.html", "p1-L1", "p1-L1.html", "p2-L1", "p2-L1.html")
    ]


# --- what the files hold -----------------------------------------------------------------------


def test_files_have_exactly_the_grid_of_the_resampled_ct(made, drawn):
    crop = read_crop(Store(made.parent / "store").path(reference("crop", "p1")))
    values = feature_maps(crop, load_params(PARAMETERS), [MEAN])[MEAN]
    for name in (MEAN, CONTRAST, "image", "mask"):
        image = sitk.ReadImage(str(drawn / "p1-L1" / f"{name}.nrrd"))
        assert image.GetSize() == crop.image.GetSize()
        assert image.GetSpacing() == pytest.approx(crop.image.GetSpacing(), abs=1e-12)
        assert image.GetOrigin() == pytest.approx(crop.image.GetOrigin(), abs=1e-9)
        assert image.GetDirection() == pytest.approx(crop.image.GetDirection(), abs=1e-12)
    stored = sitk.GetArrayFromImage(sitk.ReadImage(str(drawn / "p1-L1" / f"{MEAN}.nrrd")))
    np.testing.assert_allclose(stored, values, rtol=1e-6)
    inside = sitk.GetArrayFromImage(crop.mask) != 0
    np.testing.assert_array_equal(np.isnan(stored), ~inside)


# --- what the page shows -----------------------------------------------------------------------


def test_the_map_lies_on_the_bone_and_rises_with_the_density(made, drawn):
    page = (drawn / "p1-L1.html").read_text(encoding="utf-8")
    facts = json.loads(embedded(page, "facts"))
    assert [each["name"] for each in facts["maps"]] == [CONTRAST, MEAN]
    assert [each["unit"] for each in facts["maps"]] == ["no unit", "HU"]
    assert len(facts["colours"]) == STEPS
    shape = facts["size"][::-1]
    levels = unpacked(page, "values").reshape(2, *shape)
    mask = unpacked(page, "labels").reshape(shape) & 1
    # Nearest neighbours of two grids: the rim may differ by a voxel, the body may not.
    mapped = levels[1] > 0
    assert mapped[binary_erosion(mask, np.ones((3, 3, 3)))].all()
    assert binary_dilation(mask, np.ones((3, 3, 3)))[mapped].all()
    apart = np.argwhere(mapped).mean(axis=0) - np.argwhere(mask).mean(axis=0)
    # PyRadiomics' own nearest neighbour moves this mask by half a voxel of the CT along x and y
    # (ties go one way), and the page's by less than half a millimetre more.
    assert np.abs(apart).max() < 1
    x = np.argwhere(levels[1] > 0)[:, 2]
    brightness = levels[1][levels[1] > 0]
    assert np.corrcoef(x, brightness)[0, 1] > 0.9  # denser to the patient's left, as drawn
    assert "not the voxel's share of the patient's feature" in page.replace("&#39;", "'")


def test_one_colour_bar_serves_all_cases():
    low, high = colour_limits([np.array([np.nan, 0.0, 1.0]), np.linspace(0, 100, 99)])
    assert (low, high) == pytest.approx((0.98, 98.0), abs=0.3)
    assert np.isnan(colour_limits([np.array([np.nan])])).all()


def test_a_map_of_one_value_has_one_colour():
    ct, mask = scan(0, 100)
    volume = case_volume(ct, {"A": mask})
    flat = sitk.Cast(ct, sitk.sitkFloat32) * 0 + 7
    levels = page_map(MEAN, "HU", flat, (7.0, 7.0), volume).levels
    assert set(np.unique(levels)) == {1}
    none = page_map(MEAN, "HU", flat * float("nan"), (np.nan, np.nan), volume).levels
    assert not none.any()


def test_a_browser_draws_the_map_until_it_is_hidden(drawn, tmp_path):
    page = (drawn / "p2-L1.html").read_text(encoding="utf-8")
    # The page opens on the first map; the second one, of the densest case, ends in yellow.
    act = """document.querySelectorAll("#maps button")[1].click();
      await wait();
      const shown = coloured("axial", [253, 231, 37]);
      const bar = document.getElementById("high").textContent;
      document.dispatchEvent(new KeyboardEvent("keydown", { key: "m" }));
      await wait();
      const here = document.getElementById("here").textContent;
      return [shown, coloured("axial", [253, 231, 37]), bar, here];"""
    shown, hidden, bar, here = in_browser(page, act, tmp_path)
    assert shown > 500
    assert hidden == 0
    assert bar.endswith("(HU)")
    assert f"{MEAN}: about" in here


# --- what is refused ---------------------------------------------------------------------------


def test_named_cases_and_features_are_drawn(made, tmp_path):
    run(made, tmp_path / "out", "--case", "p2-L1", "--features", MEAN, "--radius", "2")
    names = sorted(path.name for path in (tmp_path / "out" / "p2-L1").iterdir())
    assert names == ["image.nrrd", "mask.nrrd", f"{MEAN}.nrrd"]
    page = (tmp_path / "out" / "p2-L1.html").read_text(encoding="utf-8")
    assert "5 x 5 x 5 voxels (radius 2)" in page


@pytest.mark.parametrize(
    ("arguments", "code", "rule"),
    [
        (
            ["--case", "p9-L1"],
            "map-case-without-crop",
            "Every mapped case must have a usable mask of reader A",
        ),
        (["--reader", "B"], "map-reader-unknown", ""),
        (["--features", SHAPE], "features-all-without-map", ""),
        (["--features", "log_glcm_Contrast"], "feature-without-map", ""),
    ],
)
def test_what_cannot_be_mapped_is_refused(made, tmp_path, arguments, code, rule):
    with refused(code, StudyError, match=rule):
        run(made, tmp_path, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_without_a_model_features_must_be_named(made, tmp_path):
    copy = tmp_path / "t"
    shutil.copytree(made, copy)
    write_json({"model": None}, copy / "evaluation" / "winner.json")
    with refused("no-model-to-map", StudyError):
        selected_features(copy)
    write_json({"model": "lr"}, copy / "evaluation" / "winner.json")
    write_importance(copy, ["age"])
    with refused("model-without-features-to-map", StudyError):
        selected_features(copy)


@pytest.mark.parametrize(
    "table", ["tables/features", "tables/masks", "tables/ingest", "batches/b0/resample"]
)
def test_a_study_without_its_tables_is_refused(tmp_path, table):
    copy = write_mapped_study(tmp_path)
    (copy / f"{table}.parquet").unlink()
    with refused("maps-without-features", StudyError, match=f"no {table}.parquet"):
        run(copy, tmp_path / "out", "--case", "p1-L1", "--features", MEAN)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("rows", ["none of the reader", "without a value"])
def test_a_reader_without_features_has_no_maps(tmp_path, rows):
    copy = write_mapped_study(tmp_path)
    path = copy / "tables" / "features.parquet"
    table = read_table(path, Features)
    spoilt = {"reader": "B"} if rows == "none of the reader" else {MEAN: np.nan, CONTRAST: np.nan}
    write_table(table.assign(**spoilt), path)
    with refused("no-case-to-map", StudyError, match="of reader A"):
        run(copy, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_study_without_images_has_no_maps(made, tmp_path):
    (tmp_path / "study").mkdir()
    shutil.copy(made / "study" / "study.yaml", tmp_path / "study")
    with refused("maps-without-images", StudyError):
        run(tmp_path, tmp_path / "out")
