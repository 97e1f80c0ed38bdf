"""Every door to a CT refuses the same files in the same words: ingest, commands and notebooks."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import nibabel
import nrrd
import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from pipeline.core.errors import CaseError
from pipeline.core.findings import from_json
from pipeline.core.keeping.store import Store
from pipeline.extraction import extract_features, extract_masks
from pipeline.imaging.ct_options import CtChecks, CtOptions
from pipeline.imaging.read_ct import accepted_ct, read_ct
from pipeline.ingest import ingest_scans
from tests.support.commands import run_here
from tests.support.dicom_files import write_series
from tests.support.refusals import refusal

PARAMS = {
    "imageType": {"Original": {}},
    "featureClass": {"firstorder": ["Mean"]},
    "setting": {"label": 1},
}
AFFINE = np.diag([-0.8, -0.8, 2.0, 1.0])


def hu(shape=(8, 12, 14)) -> np.ndarray:
    """Return air, tissue and bone, shape (z, y, x)."""
    values = np.random.default_rng(4).normal(40, 200, shape).round()
    values[:, :3] = -1000
    values[2:6, 5:9, 5:9] += 700
    return values.astype(np.int16)


def nifti(path: Path, voxels: np.ndarray, affine=AFFINE, **header) -> Path:
    """Write voxels (z, y, x) as NIfTI; with `slope` and `intercept` they are stored numbers."""
    written = nibabel.Nifti1Image(voxels.T, affine)
    written.set_sform(affine, 2)
    written.set_qform(affine if header.get("qform", True) else None, int(header.get("qform", True)))
    if "slope" in header:
        written.header.set_slope_inter(header["slope"], header.get("intercept", 0))
    nibabel.save(written, path)
    return path


def squeezed(path: Path, kind: type = np.uint8) -> Path:
    """Write HU as nibabel writes floating values into a small type: with a slope."""
    written = nibabel.Nifti1Image(hu().T.astype(float), AFFINE)
    written.set_data_dtype(kind)
    nibabel.save(written, path)
    return path


def with_value(value: float, kind: str = "<f4") -> np.ndarray:
    voxels = hu().astype(kind)
    voxels[-1, -1, -1] = voxels[0, 0, 0] = value
    return voxels


def nrrd_of(path: Path, voxels: np.ndarray, **header) -> Path:
    fields = {
        "space": "left-posterior-superior",
        "space directions": np.diag([0.8, 0.8, 2.0]),
        "space origin": [0.0, 0.0, 0.0],
    }
    fields |= header
    nrrd.write(str(path), voxels.T, {k: v for k, v in fields.items() if v is not None})
    return path


def sheared(cosine: float) -> np.ndarray:
    """Return the affine whose second axis leans towards the first by a cosine."""
    axes = AFFINE.copy()
    axes[:3, 1] += cosine * np.linalg.norm(axes[:3, 1]) * axes[:3, 0] / 0.8
    return axes


Made = Callable[[Path], Path]

#: What is made, and the start of what every door says.
REFUSED: dict[str, tuple[Made, str]] = {
    "NaN, NIfTI float32": (
        lambda to: nifti(to / "a.nii.gz", with_value(np.nan)),
        "Every voxel of a volume must be a number. Found: 2 voxels",
    ),
    "infinity, NIfTI float64": (
        lambda to: nifti(to / "a.nii", with_value(np.inf, "<f8")),
        "Every voxel of a volume must be a number. Found: 2 voxels",
    ),
    "minus infinity, big endian": (
        lambda to: nifti(to / "a.nii", with_value(-np.inf, ">f4")),
        "Every voxel of a volume must be a number. Found: 2 voxels",
    ),
    "NaN, rescaled": (
        lambda to: nifti(to / "a.nii.gz", with_value(np.nan), slope=0.5),
        "Every voxel of a volume must be a number. Found: 2 voxels",
    ),
    "NaN, NRRD": (
        lambda to: nrrd_of(to / "a.nrrd", with_value(np.nan)),
        "Every voxel of a volume must be a number. Found: 2 voxels",
    ),
    "infinity, NRRD of float64 as text": (
        lambda to: nrrd_of(to / "a.nrrd", with_value(np.inf, "<f8"), encoding="raw"),
        "Every voxel of a volume must be a number. Found: 2 voxels",
    ),
    "8 bits with a slope": (
        lambda to: squeezed(to / "a.nii.gz"),
        "A CT for radiomics must never have been compressed with loss. Found: grey values of 8 "
        "bits with a slope of",
    ),
    "8 bits with a sign": (
        lambda to: nifti(to / "a.nii", (hu() // 16).clip(-128, 127).astype(np.int8), slope=16),
        "A CT for radiomics must never have been compressed with loss. Found: grey values of 8",
    ),
    "8 bits without a slope": (
        lambda to: nifti(to / "a.nii", (hu() // 8).clip(0, 255).astype(np.uint8)),
        "A CT for radiomics must never have been compressed with loss. Found: grey values of 8",
    ),
    "8 bits, NRRD": (
        lambda to: nrrd_of(to / "a.nrrd", (hu() // 8).clip(0, 255).astype(np.uint8)),
        "A CT for radiomics must never have been compressed with loss. Found: grey values of 8",
    ),
    "squeezed, NRRD": (
        lambda to: nrrd_of(to / "a.nrrd", hu(), **{"old min": -1024.0, "old max": 3071.0}),
        "A .nrrd file must hold its values, not numbers that stand for them",
    ),
    "sheared sform": (
        lambda to: nifti(to / "a.nii", hu(), sheared(0.02), qform=False),
        "The three axes of a volume must stand at right angles to one another, within 0.06 "
        "degrees. Found: an angle that is 1.1 degrees off by its sform",
    ),
    "sheared NRRD": (
        lambda to: nrrd_of(to / "a.nrrd", hu(), **{"space directions": sheared(0.3)[:3, :3].T}),
        "The three axes of a volume must stand at right angles",
    ),
    "NRRD without distances": (
        lambda to: nrrd_of(to / "a.nrrd", hu(), **{"space directions": None}),
        "A .nrrd file must state the distances of its voxels",
    ),
    "two slices": (
        lambda to: nrrd_of(to / "a.nrrd", hu((2, 12, 14))),
        "The CT has 2 slices; at least 3 are needed",
    ),
    "slices 7 mm apart": (
        lambda to: nrrd_of(
            to / "a.nrrd", hu(), **{"space directions": np.diag([0.8, 0.8, 7.0])}
        ),
        "The CT's slices lie 7 mm apart; at most 6 mm are accepted",
    ),
    "metres": (
        lambda to: nrrd_of(
            to / "a.nrrd", hu(), **{"space directions": np.diag([0.0008, 0.0008, 0.002])}
        ),
        "The CT's voxels lie 0.0008 mm apart; at least 0.01 mm are expected",
    ),
    "no Hounsfield units": (
        lambda to: nrrd_of(to / "a.nrrd", hu().astype(np.int32) * 100),
        "The values go from",
    ),
    "another format": (
        lambda to: Path(to / "a.mha"),
        "A CT must",
    ),
}  # fmt: skip


@pytest.fixture(params=REFUSED)
def refused(request, tmp_path) -> tuple[Path, str]:
    make, said = REFUSED[request.param]
    path = make(tmp_path)
    if path.suffix == ".mha":
        sitk.WriteImage(sitk.GetImageFromArray(hu()), str(path))
    return path, said


@pytest.fixture
def mask(tmp_path) -> Path:
    region = np.zeros((8, 12, 14), np.uint8)
    region[2:6, 4:9, 4:9] = 1
    return nrrd_of(tmp_path / "mask.nrrd", region)


def test_ingest_refuses(refused, tmp_path):
    path, said = refused
    scans = pd.DataFrame(
        [{"scan_id": "S1", "patient_id": "P1", "image": str(path), "series": None}]
    )
    table = ingest_scans(scans, Store(tmp_path / "store"), {"min_slices": 3})
    assert table["status"].tolist() == ["error"]
    assert from_json(table["findings"][0])[-1].message.startswith(said)
    assert table["image"].isna().all()


def test_commands_and_notebooks_refuse_in_the_same_words(refused, mask):
    path, said = refused
    for door in (accepted_ct, lambda ct: extract_features(ct, mask, PARAMS)):
        with pytest.raises(CaseError) as caught:
            door(path)
        assert str(caught.value).startswith(said)
        assert caught.value.remedy or path.suffix == ".mha"
    with pytest.raises(CaseError) as caught:
        extract_masks(path, [mask, mask], PARAMS, engine="pyradiomics")
    assert str(caught.value).startswith(said)


def test_an_image_in_memory_that_holds_no_number_is_refused(mask):
    image = sitk.GetImageFromArray(with_value(np.nan))
    with refusal("voxels-not-finite", CaseError):
        extract_features(image, sitk.ReadImage(str(mask)), PARAMS)


def test_a_mask_is_read_with_the_checks_of_masks(tmp_path, mask):
    ct = nrrd_of(tmp_path / "ct.nrrd", hu())
    region = sitk.GetArrayFromImage(sitk.ReadImage(str(mask)))
    assert np.isfinite(extract_features(ct, mask, PARAMS)).all()
    bad = nifti(tmp_path / "bad.nii", region, sheared(0.3), qform=False)
    with refusal("volume-axes-skewed", CaseError):
        extract_features(ct, bad, PARAMS)
    with refusal("volume-file-missing", CaseError):
        extract_features(ct, tmp_path / "none.nrrd", PARAMS)
    (tmp_path / "text.nrrd").write_text("no header")
    with refusal("nrrd-header-damaged", CaseError):
        extract_features(ct, tmp_path / "text.nrrd", PARAMS)


# --- the remedies work ---------------------------------------------------------------------------


def test_what_allow_lossy_accepts_has_a_warning(tmp_path):
    path = squeezed(tmp_path / "a.nii.gz")
    ct = accepted_ct(path, options=CtOptions(allow_lossy=True))
    assert {one.code for one in ct.findings} == {"lossy-compression", "coarse-grey-levels"}
    plain = nifti(tmp_path / "b.nii", (hu() // 8).clip(-128, 127).astype(np.int8))
    assert [one.code for one in read_ct(plain, options=CtOptions(allow_lossy=True)).findings] == [
        "lossy-compression"
    ]


def test_limits_can_be_raised_at_every_door(tmp_path, mask):
    path = nrrd_of(tmp_path / "a.nrrd", hu(), **{"space directions": np.diag([0.8, 0.8, 7.0])})
    thick = nrrd_of(
        tmp_path / "thick.nrrd", sitk.GetArrayFromImage(sitk.ReadImage(str(mask))),
        **{"space directions": np.diag([0.8, 0.8, 7.0])},
    )  # fmt: skip
    wider = CtChecks(max_slice_spacing_mm=8)
    assert accepted_ct(path, limits=wider).findings == []
    assert np.isfinite(extract_features(path, thick, PARAMS, limits=wider)).all()


def test_written_as_16_bits_a_squeezed_ct_is_accepted(tmp_path):
    assert accepted_ct(nifti(tmp_path / "a.nii.gz", hu())).findings == []


def test_with_a_value_in_place_of_nan_a_ct_is_accepted(tmp_path):
    outside = with_value(-1024)
    assert accepted_ct(nifti(tmp_path / "a.nii.gz", outside)).findings == []


def test_the_command_refuses_and_takes_its_options(tmp_path, mask, repository):
    params = tmp_path / "p.yaml"
    params.write_text(
        "imageType: {Original: {}}\nfeatureClass: {firstorder: [Mean]}\nsetting: {label: 1}\n"
    )
    straight = nifti(tmp_path / "mask.nii.gz", sitk.GetArrayFromImage(sitk.ReadImage(str(mask))))

    def run(*words: object) -> subprocess.CompletedProcess:
        words = [squeezed(tmp_path / "a.nii.gz"), straight, "--params", params, *words]
        return run_here("pipeline.extraction", *words, cwd=repository)

    refused = run()
    assert refused.returncode == 1
    assert "never have been compressed with loss" in refused.stderr
    assert "Traceback" not in refused.stderr
    taken = run("--allow-lossy")
    assert taken.returncode == 0, taken.stderr
    assert "original_firstorder_Mean" in taken.stdout
    assert "CT: The CT was compressed with loss" in taken.stderr


def test_a_dicom_folder_is_taken_too(tmp_path):
    stored = write_series(tmp_path / "dicom", slices=8, shape=(20, 20))
    image = read_ct(tmp_path / "dicom").image
    region = sitk.GetImageFromArray((stored > 1000).astype(np.uint8))
    region.CopyInformation(image)
    sitk.WriteImage(region, str(tmp_path / "m.nrrd"))
    found = extract_features(tmp_path / "dicom", tmp_path / "m.nrrd", PARAMS)
    assert found["original_firstorder_Mean"] == pytest.approx((stored[stored > 1000] - 1024).mean())
