"""The command that writes a CT as ingest would store it."""

from __future__ import annotations

import subprocess

import numpy as np
import SimpleITK as sitk

from pipeline.imaging.ct_options import CtOptions
from pipeline.imaging.read_ct import read_ct
from tests.pipeline.imaging.dicom.test_dicom_tilt import write_tilted
from tests.support.commands import run_here
from tests.support.dicom_files import write_series


def run(repository, *words) -> subprocess.CompletedProcess:
    return run_here("pipeline.imaging.read_ct", *words, cwd=repository)


def test_the_corrected_volume_is_what_ingest_stores(tmp_path, repository):
    write_tilted(tmp_path / "dicom")
    refused = run(repository, tmp_path / "dicom", "--out", tmp_path / "ct.nrrd")
    assert refused.returncode == 1
    assert "no gantry tilt" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (tmp_path / "ct.nrrd").exists()
    words = ["--gantry-tilt", "correct", "--out", tmp_path / "ct.nrrd"]
    done = run(repository, tmp_path / "dicom", *words)
    assert done.returncode == 0, done.stderr
    assert "warning: A gantry tilt of 12.0 degrees was corrected" in done.stdout
    expected = read_ct(tmp_path / "dicom", options=CtOptions(gantry_tilt="correct")).image
    written = sitk.ReadImage(str(tmp_path / "ct.nrrd"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(written), sitk.GetArrayFromImage(expected))


def test_another_format_is_not_written(tmp_path, repository):
    write_series(tmp_path / "dicom")
    done = run(repository, tmp_path / "dicom", "--out", tmp_path / "ct.nii")
    assert done.returncode == 1
    assert "must end in .nrrd" in done.stderr
