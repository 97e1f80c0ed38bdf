"""The demo study as a hospital would hand it over."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
import SimpleITK as sitk
import slicerio

from demo import make, readers
from demo.anatomy import Grid, Vertebra, arch_distance, body_distance, draw_spine
from demo.make import clinical_table, made_already, make_study, write_patient
from pipeline.core.errors import StudyError
from tests.support.commands import run_here
from tests.support.refusals import refusal

SEED = 2025


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def read_ct(folder: Path) -> sitk.Image:
    """Read a folder's series of axial slices with ITK's reader, which is not ours."""
    series = {
        uid: sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid)
        for uid in sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    }
    return sitk.ReadImage(max(series.values(), key=len))


def segments(path: Path) -> tuple[dict, np.ndarray]:
    """Return a Slicer file's content by slicerio and its labels as (z, y, x)."""
    content = slicerio.read_segmentation(str(path))
    return content, content["voxels"].transpose(2, 1, 0)


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """Return three patients, the last with two vertebrae, as handed over."""
    folder = tmp_path_factory.mktemp("study")
    make_study(folder, 3, SEED)
    return folder


@pytest.fixture(scope="module")
def special(tmp_path_factory) -> tuple[Path, dict]:
    """Return the planted bad cases' folder and rows by patient."""
    folder = tmp_path_factory.mktemp("special")
    return folder, {number: write_patient(number, SEED, folder)[0] for number in (5, 8, 9, 12)}


def test_equal_seeds_give_equal_bytes_and_jobs_do_not_matter(study, tmp_path):
    make_study(tmp_path, 3, SEED, jobs=2)
    assert hashes(tmp_path) == hashes(study)


def test_another_seed_gives_another_study(study, tmp_path):
    make_study(tmp_path, 1, SEED + 1)
    ours, theirs = hashes(study), hashes(tmp_path)
    for name in ("dicom/0001/IM0016.dcm", "masks/A/0001.nrrd", "clinical.csv"):
        assert ours[name] != theirs[name]


def test_a_larger_demo_leaves_the_files_of_its_patients_untouched(tmp_path):
    make_study(tmp_path, 1, SEED)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.dcm")}
    before |= {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nrrd")}
    make_study(tmp_path, 2, SEED)
    assert before
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    more = clinical_table(30, SEED).head(12)
    pd.testing.assert_frame_equal(more, clinical_table(12, SEED))


def test_it_is_not_made_again_unless_something_is_missing(study, tmp_path):
    copy = tmp_path / "study"
    shutil.copytree(study, copy)
    assert made_already(copy, 3, SEED)
    assert not made_already(copy, 4, SEED)
    assert not made_already(copy, 3, SEED + 1)
    (copy / "dicom" / "0002" / "IM0004.dcm").unlink()
    assert not made_already(copy, 3, SEED)
    assert not made_already(tmp_path / "nothing", 3, SEED)


@pytest.mark.parametrize("patients", [0, 10_000])
def test_impossible_sizes_are_refused(tmp_path, patients):
    with refusal("demo-patients-count", StudyError, match=rf"Found: {patients}"):
        make_study(tmp_path, patients, SEED)


def test_command_line_makes_a_study_and_then_finds_it(tmp_path):
    command = ["demo.make", "--out", tmp_path, "--patients", "1"]
    first = run_here(*command)
    assert "1 synthetic patients" in first.stdout
    assert "progress demo 1/1 0001" in first.stderr
    second = run_here(*command)
    assert "there already" in second.stdout


def test_ct_reads_with_an_independent_reader_as_a_regular_grid(study):
    ct = read_ct(study / "dicom" / "0001")
    assert ct.GetSize() == (128, 144, 32)
    assert ct.GetSpacing() == pytest.approx((0.7, 0.7, 3.0), abs=1e-9)
    assert ct.GetDirection() == (1, 0, 0, 0, 1, 0, 0, 0, 1)
    hu = sitk.GetArrayViewFromImage(ct)
    assert hu.min() >= -1024
    assert 400 < hu.max() < 1500


def test_slices_are_valid_ct_image_storage(study):
    files = sorted((study / "dicom").rglob("*.dcm"))
    slices = [pydicom.dcmread(path) for path in files]
    assert len({data.SOPInstanceUID for data in slices}) == len(files)
    assert len({data.SeriesInstanceUID for data in slices}) == 3
    for data in slices:
        assert data.SOPClassUID == pydicom.uid.CTImageStorage
        assert data.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian
        assert data.SOPInstanceUID == data.file_meta.MediaStorageSOPInstanceUID
        for uid in (data.SOPInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID):
            assert uid.is_valid
            assert uid.startswith("2.25.")
        assert (data.RescaleSlope, data.RescaleIntercept) == (1, -1024)
        assert (data.BitsAllocated, data.PixelRepresentation) == (16, 1)
        assert str(data.PatientName).startswith("DEMO-")
        assert data.PatientID.startswith("DEMO-")
        assert data.PatientBirthDate == ""


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="needs dciodvfy (Debian: dicom3tools)")
def test_dciodvfy_has_nothing_to_say(study, special):
    for path in (study / "dicom/0001/IM0003.dcm", special[0] / "dicom/0009/IM0000.dcm"):
        result = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
        assert result.returncode == 0
        assert (result.stdout + result.stderr).split() == ["CTImage"]


def test_a_localizer_lies_in_some_folders_as_a_series_of_its_own(study, special):
    folder = special[0] / "dicom" / "0009"
    localizer = pydicom.dcmread(folder / "IM0000.dcm")
    axial = pydicom.dcmread(folder / "IM0001.dcm")
    assert "LOCALIZER" in localizer.ImageType
    assert localizer.SeriesInstanceUID != axial.SeriesInstanceUID
    assert localizer.StudyInstanceUID == axial.StudyInstanceUID
    assert read_ct(folder).GetSize()[2] == 32
    assert not (study / "dicom" / "0001" / "IM0000.dcm").exists()


def test_label_map_of_reader_a_lies_on_the_ct_and_covers_bone(study):
    cases = pd.read_csv(study / "cases.csv", dtype=str)
    for row in cases[cases["reader"] == "A"].itertuples():
        ct, labels = read_ct(study / row.image), sitk.ReadImage(study / row.mask)
        assert labels.GetSize() == ct.GetSize()
        for ours, theirs in (
            (labels.GetOrigin(), ct.GetOrigin()),
            (labels.GetSpacing(), ct.GetSpacing()),
        ):
            assert ours == pytest.approx(theirs, abs=1e-9)
        assert int(row.label) == readers.label_number(row.level)
        inside = sitk.GetArrayFromImage(labels) == int(row.label)
        assert 3000 < inside.sum() < 20_000
        assert 120 < sitk.GetArrayFromImage(ct)[inside].mean() < 400


def test_readers_agree_well_but_not_fully(study):
    cases = pd.read_csv(study / "cases.csv", dtype=str)
    for _, rows in cases.groupby("case_id"):
        by_reader = rows.set_index("reader")
        a = sitk.GetArrayFromImage(sitk.ReadImage(study / by_reader.loc["A", "mask"]))
        b = sitk.ReadImage(study / by_reader.loc["B", "mask"])
        whole = sitk.Resample(
            b,
            sitk.ReadImage(study / by_reader.loc["A", "mask"]),
            interpolator=sitk.sitkNearestNeighbor,
        )
        content, _ = segments(study / by_reader.loc["B", "mask"])
        value = {s["name"]: s["labelValue"] for s in content["segments"]}[by_reader["label"]["B"]]
        ours = a == int(by_reader.loc["A", "label"])
        theirs = sitk.GetArrayFromImage(whole) == value
        dice = 2 * (ours & theirs).sum() / (ours.sum() + theirs.sum())
        assert 0.85 < dice < 0.995


@pytest.mark.parametrize(("patient", "cropped"), [("0001", False), ("0002", True)])
def test_slicer_file_keeps_names_extents_and_the_lattice(study, patient, cropped):
    ct = read_ct(study / "dicom" / patient)
    content, labels = segments(study / "masks" / "B" / f"{patient}.seg.nrrd")
    segment = content["segments"][0]
    level = (
        pd.read_csv(study / "cases.csv", dtype=str).query("patient_id == @patient").level.iloc[0]
    )
    assert segment["name"] == level
    inside = np.argwhere(labels == segment["labelValue"])[:, ::-1]
    extent = np.array(segment["extent"]).reshape(3, 2)
    assert np.array_equal(extent[:, 0], inside.min(axis=0))
    assert np.array_equal(extent[:, 1], inside.max(axis=0))
    assert (labels.shape != ct.GetSize()[::-1]) == cropped
    offset = [int(value) for value in content["referenceImageExtentOffset"]]
    first_voxel = ct.TransformIndexToPhysicalPoint(offset)
    assert np.array(content["ijkToLPS"])[:3, 3] == pytest.approx(first_voxel, abs=1e-6)
    assert any(offset) == cropped


def test_two_vertebrae_share_scan_and_files(study):
    rows = pd.read_csv(study / "cases.csv", dtype=str).query("patient_id == '0003'")
    assert rows["case_id"].nunique() == 2
    assert rows["scan_id"].nunique() == 1
    assert rows.groupby("reader")["mask"].nunique().tolist() == [1, 1]
    assert read_ct(study / "dicom" / "0003").GetSize()[2] == 43
    labels = sitk.GetArrayFromImage(sitk.ReadImage(study / "masks" / "A" / "0003.nrrd"))
    assert len(np.unique(labels)) == 3


def test_planted_bad_masks_are_as_told(special):
    folder, rows = special
    cut = sitk.GetArrayFromImage(sitk.ReadImage(folder / "masks/A/0005.nrrd"))
    assert cut[0].any()
    _, empty = segments(folder / "masks/B/0008.seg.nrrd")
    assert not empty.any()
    asked = int(next(row["label"] for row in rows[12] if row["reader"] == "A"))
    found = np.unique(sitk.GetArrayFromImage(sitk.ReadImage(folder / "masks/A/0012.nrrd")))
    assert found.tolist() == [0, asked - 1]


def test_outcome_formula_and_eligibility_give_what_was_planted():
    table = clinical_table(40, SEED).set_index("patient_id")
    drawn = pd.Series(
        {
            patient.name: patient.outcome
            for patient in (make.draw_patient(i, SEED) for i in range(1, 41))
        }
    )
    by_formula = (table["vas_day3"] >= 4) & (table["vas_day30"] >= 4)
    known = table["vas_day30"].notna()
    assert (by_formula[known].astype(int) == drawn[known]).all()
    assert table.index[~known].tolist() == ["0014"]
    assert table.index[table["age"] < 50].tolist() == ["0010"]
    assert table.index[table["malignancy"] == "yes"].tolist() == ["0016"]


def test_tables_keep_leading_zeros_and_the_dictionary_covers_every_column(study):
    clinical = pd.read_csv(study / "clinical.csv", dtype=str)
    dictionary = pd.read_csv(study / "dictionary.csv", dtype=str).set_index("column")
    assert clinical["patient_id"].tolist() == ["0001", "0002", "0003"]
    assert set(clinical.columns) == set(dictionary.index)
    assert set(dictionary["timing"]) == {"preoperative", "intraoperative", "postoperative"}
    for column, levels in dictionary["levels"].dropna().items():
        assert set(clinical[column].dropna()) <= set(levels.split("|")), column


def test_truth_tells_the_mechanism(study):
    truth = json.loads((study / "truth.json").read_text())
    assert [entry["column"] for entry in truth["clinical"]] == ["pfo", "trauma", "bone_density_t"]
    assert truth["texture"]["coefficient"] == make.TEXTURE_COEFFICIENT
    assert [patient["patient_id"] for patient in truth["drawn"]] == ["0001", "0002", "0003"]


def test_prevalence_is_as_stated_over_many_patients():
    outcomes = [make.draw_patient(number, SEED).outcome for number in range(1, 601)]
    # Binomial: 4 standard deviations of the share of 600.
    assert np.mean(outcomes) == pytest.approx(make.PREVALENCE, abs=4 * np.sqrt(2 / 9 / 600))


GRID = Grid((24, 144, 110), (3.0, 0.7, 0.7), (-34.5, -33.0, -38.15))


@pytest.fixture(scope="module")
def body() -> Vertebra:
    rng = np.random.default_rng(3)
    return draw_spine(["L1"], rng, size=1, density=110, texture_mm=2, cleft=False)[2]


def reading(body: Vertebra, *, missed_corner: bool = False, gross_error: str | None = None):
    told = readers.Reading(missed_corner, gross_error)
    return readers.read_body(body, GRID, told, np.random.default_rng(0))


@pytest.mark.parametrize("error", ["disc", "arch"])
def test_gross_errors_take_in_what_they_name(body, error):
    u, v, w = body.local(GRID, (slice(None),) * 3)
    distance, below = body_distance(body, u, v, w)
    there = (below < -1) if error == "disc" else (arch_distance(body, u, v, w) < 0) & (distance > 2)
    clean, gross = reading(body), reading(body, gross_error=error)
    assert (gross & there).sum() > 10 * max((clean & there).sum(), 10)


def test_a_missed_corner_only_takes_away(body):
    assert reading(body, missed_corner=True).sum() < 0.99 * reading(body).sum()
