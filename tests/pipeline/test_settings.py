"""Advice on settings: what is measured of a cohort, which file is said to fit, and the page."""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml

from pipeline.core.errors import StudyError
from pipeline.core.files import read_table, write_table
from pipeline.extraction import load_params
from pipeline.extraction.parameter_sets.advice import (
    DOES_NOT_FIT,
    FITS,
    HELPS,
    NOT_NEEDED,
    Cohort,
    advise,
    needs_of,
)
from pipeline.settings import bins_of, interpolated, main, measure
from pipeline.study.config import resolve_config
from pipeline.tables.schemas.features.features import Features
from pipeline.tables.schemas.features.perturbations import Robustness
from pipeline.tables.schemas.features.reproducibility import Reproducibility
from pipeline.tables.schemas.images.ingest import Ingest
from pipeline.tables.schemas.images.resample import Resample
from pipeline.tables.schemas.study_tables import Cases
from tests.support.filled import filled
from tests.support.mapped_study import write_mapped_study
from tests.support.refusals import refusal

WELL = Cohort((1.0, 1.0, 1.1), 1.0, 40.0, 25.0, (25.0, 26.0), 0.0, 20_000.0, 20.0, 25.0)


def verdicts(cohort: Cohort, current: str = "ge2025") -> dict[str, str]:
    return {each.file: each.verdict for each in advise(cohort, current)}


def test_a_cohort_that_asks_for_nothing_keeps_its_file():
    found = verdicts(WELL)
    assert found.pop("ge2025") == FITS
    assert found.pop("bin-width-10") == NOT_NEEDED
    assert set(found.values()) == {
        NOT_NEEDED,
    }
    assert needs_of(WELL) == {}


@pytest.mark.parametrize(
    ("changes", "need", "answered"),
    [
        ({"margin_mm": 5.0}, "margin", {"hu", "margin-25"}),
        ({"bin_width_hu": (20.0, 30.0)}, "normalisation", {"hu"}),
        ({"clipped_regions": 0.2}, "clipping", {"hu", "outliers-kept"}),
        ({"bins": 12.0, "bin_width_hu": None}, "fine_bins", {"bin-width-10", "bin-count-32"}),
        ({"bins": 200.0, "bin_width_hu": None}, "coarse_bins", {"bin-width-50", "bin-count-32"}),
        ({"slice_distance_mm": (3.0, 3.0, 3.0)}, "thick", {"voxels-2mm", "slices-2d"}),
    ],
)
def test_a_need_is_answered_by_the_files_that_change_it(changes, need, answered):
    cohort = replace(WELL, **changes)
    assert set(needs_of(cohort)) == {need}
    found = verdicts(cohort)
    assert found.pop("ge2025") == DOES_NOT_FIT
    assert {file for file, verdict in found.items() if verdict == FITS} == answered


def test_two_needs_are_answered_in_part():
    cohort = replace(WELL, margin_mm=5.0, slice_distance_mm=(3.0, 3.0, 3.0))
    found = {each.file: each for each in advise(cohort, "ge2025")}
    assert found["margin-25"].verdict == found["voxels-2mm"].verdict == HELPS
    assert found["margin-25"].why.startswith("answers 1 of 2: LoG looks 20 mm far")


@pytest.mark.parametrize(
    ("file", "changes", "why"),
    [
        ("bin-width-50", {}, None),
        ("bin-width-50", {"bins": 20.0}, "a region would have 10 bins"),
        ("bin-width-10", {"bins": 100.0}, "a region would have 250 bins"),
        ("hu", {"bins": 10.0}, "a region would have 10 bins of 25 HU"),
        ("voxels-2mm", {"smallest_voxels": 4000.0}, "the smallest region would keep 500 voxels"),
        ("voxels-as-scanned", {"slice_distance_mm": (1.0, 2.0, 5.0)}, "slices lie 1 to 5 mm apart"),
    ],
)
def test_what_speaks_against_a_file_is_said(file, changes, why):
    (found,) = [one for one in advise(replace(WELL, **changes), "ge2025") if one.file == file]
    assert (found.verdict == DOES_NOT_FIT) == (why is not None)
    assert why is None or found.why.startswith(why)


def test_the_studys_own_file_is_not_advised_twice():
    found = [each.file for each in advise(WELL, "hu")]
    assert found[0] == "hu"
    assert len(found) == len(set(found))


def test_bins_begin_at_a_multiple_of_the_width():
    features = pd.DataFrame(
        {
            "original_firstorder_Minimum": [-26.0, 0.0, 24.9],
            "original_firstorder_Maximum": [1, 99, 25],
        }
    )
    # -50..-25..0..25, 0..25..50..75..100, 0..25..50
    assert bins_of(features, "original", 25).tolist() == [3, 4, 2]


def test_interpolated_shares_count_planes_between_measured_ones():
    spacing = pd.DataFrame({"spacing_x": [0.5], "spacing_y": [1.0], "spacing_z": [3.0]})
    shares = interpolated(spacing, [1, 1, 1]).iloc[0]
    assert shares.tolist() == pytest.approx([0, 0, 2 / 3])
    assert interpolated(spacing, [1, 1, 0]).iloc[0].tolist() == [0, 0, 0]


def cohort_tables() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    scans = pd.DataFrame({"scan_id": ["s1", "s2"], "spacing_z": [1.0, 3.0], "image": ["a", "b"]})
    scans = scans.assign(spacing_x=0.7, spacing_y=0.7, slice_thickness_mm=[1.0, 3.0])
    crops = pd.DataFrame({"case_id": ["c1", "c2"], "scan_id": ["s1", "s2"], "reader": "A"})
    crops = crops.assign(image_sd_hu=[300.0, 480.0], clipped_share=[0.0, 0.3])
    features = pd.DataFrame({"case_id": ["c1", "c2"], "reader": "A"})
    features["original_firstorder_Minimum"], features["original_firstorder_Maximum"] = -50.0, 249.0
    features["original_shape_VoxelVolume"] = [30_000.0, 20_000.0]
    return scans, crops, features


def test_a_cohort_is_measured_from_its_tables():
    params = load_params("radiomics_params/ge2025.yaml")
    table, cohort = measure(params, *cohort_tables())
    assert cohort == Cohort((1.0, 2.0, 3.0), 1.0, 12.0, 25, (75.0, 120.0), 0.5, 20_000.0, 20.0, 5.0)
    by = table.set_index("what")
    assert by.loc["interpolated along z, grid of 1 mm", "greatest"] == pytest.approx(2 / 3)
    assert by.loc["size of a region on the grid", "least"] == 20_000
    assert set(needs_of(cohort)) == {
        "margin", "normalisation", "clipping", "fine_bins", "thick",
    }  # fmt: skip


def test_the_command_writes_page_and_tables(tmp_path):
    scans, crops, features = cohort_tables()
    for name, params, ccc in (
        ("mine", "radiomics_params/ge2025.yaml", [0.9, 0.5]),
        ("hu-run", "radiomics_params/hu.yaml", [0.9, 0.95]),
    ):
        folder = tmp_path / name
        config = resolve_config(
            {
                "study": name, "cases": "cases.csv", "results": str(tmp_path),
                "extraction": {"params": params},
            }
        )  # fmt: skip
        (folder / "study").mkdir(parents=True)
        (folder / "study" / "study.yaml").write_text(yaml.safe_dump(config))
        rows = crops.assign(batch="b0", version=1, patient_id="p", level="L1")
        cases = filled(Cases, rows.drop(columns=["image_sd_hu", "clipped_share"]))
        write_table(cases, folder / "study" / "cases.parquet", Cases)
        write_table(filled(Ingest, scans), folder / "tables" / "ingest.parquet", Ingest)
        write_table(features, folder / "tables" / "features.parquet")
        of_batch = folder / "batches" / "b0" / "resample.parquet"
        write_table(filled(Resample, crops), of_batch, Resample)
        agreed = [
            {"feature": f"original_glcm_{n}", "image_type": "original", "ccc": value}
            for n, value in enumerate(ccc)
        ]
        path = folder / "tables" / "reproducibility.parquet"
        write_table(filled(Reproducibility, agreed), path, Reproducibility)
        survived = [
            {"feature": f"original_glcm_{n}", "image_type": "original", "icc_low": value}
            for n, value in enumerate([0.95, 0.2])
        ]
        path = folder / "tables" / "robustness.parquet"
        write_table(filled(Robustness, survived), path, Robustness)
    main(argparse.Namespace(results=tmp_path / "mine", out=None))
    out = tmp_path / "mine" / "report" / "settings"
    advice = pd.read_csv(out / "tables" / "settings-advice.csv").set_index("file")
    assert advice.loc["ge2025", "verdict"] == DOES_NOT_FIT
    assert advice.loc["ge2025", "cost"] == (
        "readers agree on 1 of 2 features, 1 of 2 survive perturbations, 1 of 2 both"
    )
    counts = ["agreed", "agreed_of", "survived", "survived_of", "both", "both_of"]
    assert advice.loc["hu", counts].tolist() == [2, 2, 1, 2, 1, 2]
    assert advice.loc["margin-25", counts].isna().all()
    page = (out / "settings.html").read_text(encoding="utf-8")
    assert "The study&#39;s parameter file ge2025 does not fit" in page
    assert "original: readers agree on 1 of 2 features, 1 of 2 survive" in page
    assert ">2 of 2<" in page
    assert "lower limit of ICC(1,1) between perturbed extractions of at least 0.9" in page
    measured = pd.read_csv(out / "tables" / "settings-measured.csv")
    assert np.isfinite(measured["median"]).all()


def test_an_image_type_with_bins_of_its_own_is_measured_by_them():
    content = {
        "setting": {"binWidth": 25},
        "imageType": {"Original": {}, "LoG": {"sigma": [1.0], "binWidth": 5}},
        "featureClass": {"firstorder": None},
    }
    scans, crops, features = cohort_tables()
    image = "log-sigma-1-0-mm-3D"
    ends = {f"{image}_firstorder_Minimum": 0.0, f"{image}_firstorder_Maximum": 99.0}
    table, _ = measure(load_params(content), scans, crops, features.assign(**ends))
    by = table.set_index("what")["median"]
    assert by[f"bins of 5 in a region, {image}"] == 20
    assert by["bins of 25 in a region, original"] == 12


def test_values_that_are_none_leave_the_bins_unknown():
    scans, crops, features = cohort_tables()
    features["original_firstorder_Maximum"] = [np.nan, np.inf]
    _, cohort = measure(load_params("radiomics_params/ge2025.yaml"), scans, crops, features)
    assert cohort.bins is None


@pytest.mark.parametrize(
    ("table", "found"),
    [
        ("tables/features", "no tables/features.parquet"),
        ("batches/b0/resample", "no batches/b0/resample.parquet"),
        (None, "no mask that has features"),
    ],
)
def test_a_run_that_did_not_reach_its_features_is_named(tmp_path, table, found):
    folder = write_mapped_study(tmp_path)
    if table is None:
        path = folder / "tables" / "features.parquet"
        write_table(read_table(path, Features).iloc[:0], path)
    else:
        (folder / f"{table}.parquet").unlink()
    with pytest.raises(StudyError) as told:
        main(argparse.Namespace(results=folder, out=None))
    assert (told.value.code, told.value.found) == ("settings-without-features", found)


def test_without_features_nothing_can_be_advised(tmp_path):
    config = resolve_config({"study": "s", "cases": "cases.csv", "results": str(tmp_path)})
    (tmp_path / "s" / "study").mkdir(parents=True)
    (tmp_path / "s" / "study" / "study.yaml").write_text(yaml.safe_dump(config))
    with refusal("settings-without-features", StudyError, match="a study without `cases`") as told:
        main(argparse.Namespace(results=tmp_path / "s", out=None))
    assert told.value.code == "settings-without-features"
