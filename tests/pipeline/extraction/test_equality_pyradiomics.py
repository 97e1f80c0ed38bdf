"""On real CT, the pipeline's features are those of the plain `pyradiomics` command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from pipeline.core.files import read_table
from pipeline.tables.registered import write_marker

#: Largest difference relative to the plain run's value.
RELATIVE_TOLERANCE = 1e-6

#: Below it a value is zero but for rounding, such as the mean of a wavelet's high band; the unit is
#: the feature's own.
ABSOLUTE_FLOOR = 1e-9

#: Scan, level and label; image and mask lie in the folder of public test data.
CASES = {
    "spine-L3": (
        "totalseg_ct_spine/example_ct.nii.gz", "totalseg_ct_spine/spine_report/totalseg.nii.gz", 29
    ),
    "lumbar-L3": (
        "tptbox_ct_vertebra/sub-ct_label-22_ct.nii.gz",
        "tptbox_ct_vertebra/sub-ct_seg-vert_label-22_msk.nii.gz",
        22,
    ),
    "series-T12": (
        "totalseg_ct_dicom/example_ct_dicom", "totalseg_ct_dicom/example_seg_dicom.nii.gz", 32
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def plain(testdata, repository, tmp_path_factory) -> pd.DataFrame:
    """Run the command on the original files; a DICOM series goes through SimpleITK's reader."""
    folder = tmp_path_factory.mktemp("plain")
    rows = []
    for case, (image_name, mask_name, label) in CASES.items():
        image, mask = testdata / image_name, testdata / mask_name
        if image.is_dir():
            reader = sitk.ImageSeriesReader()
            reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(image)))
            series = reader.Execute()
            # The mask's rows run the other way; PyRadiomics would compute on the mask's grid.
            drawn = sitk.ReadImage(str(mask))
            onto = sitk.Resample(drawn, series, sitk.Transform(), sitk.sitkNearestNeighbor)
            assert (sitk.GetArrayFromImage(onto) == sitk.GetArrayFromImage(drawn)[:, ::-1]).all()
            image, mask = folder / "series.nrrd", folder / "series_mask.nrrd"
            sitk.WriteImage(series, image)
            sitk.WriteImage(onto, mask)
        rows.append({"ID": case, "Image": image, "Mask": mask, "Label": label})
    pd.DataFrame(rows).to_csv(folder / "batch.csv", index=False)
    command = [Path(sys.executable).parent / "pyradiomics", folder / "batch.csv"]
    command += ["--param", repository / "radiomics_params" / "ge2025.yaml"]
    command += ["--format", "csv", "--out", folder / "out.csv"]
    subprocess.run(command, check=True, capture_output=True)
    table = pd.read_csv(folder / "out.csv", index_col="ID", float_precision="round_trip")
    return table.drop(columns=["Image", "Mask", "Label"])


@pytest.fixture(scope="module")
def ours(testdata, repository, tmp_path_factory) -> pd.DataFrame:
    """Run the stages, from the table of cases to the features."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "testdata").symlink_to(testdata)
    cases = pd.DataFrame(
        {
            "patient_id": case.split("-")[0],
            "scan_id": case.split("-")[0],
            "case_id": case,
            "level": case.split("-")[1],
            "reader": "A",
            "image": f"testdata/{image}",
            "series": None,
            "mask": f"testdata/{mask}",
            "label": label,
            "days_from_surgery": None,
        }
        for case, (image, mask, label) in CASES.items()
    )
    cases.to_csv(folder / "cases.csv", index=False)
    write_marker(folder, "real", cases)
    (folder / "study.yaml").write_text(
        f"study: equality\ncases: {folder}/cases.csv\nresults: {folder}/results\n"
        f"extraction: {{params: {repository}/radiomics_params/ge2025.yaml}}\n",
        encoding="utf-8",
    )
    study, checked = folder / "study", {}
    run("pipeline.validate", config=folder / "study.yaml", out=study)
    for stage in ("pipeline.ingest", "segmentation.masks", "pipeline.preflight"):
        name = stage.split(".")[1]
        run(stage, study=study, **checked, out=folder / f"{name}.parquet")
        checked[name] = folder / f"{name}.parquet"
    run("pipeline.resample", study=study, **checked, out=folder / "resample.parquet")
    features, status = folder / "features.parquet", folder / "extraction.parquet"
    run(
        "pipeline.extract", study=study, resample=folder / "resample.parquet",
        ingest=checked["ingest"], masks=checked["masks"],
        out=features, status=status, verification=folder / "verification.parquet",
    )  # fmt: skip
    return read_table(features).set_index("case_id").drop(columns="reader")


def run(module: str, **options: Path) -> None:
    """Run a stage as people do."""
    arguments = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
    subprocess.run([sys.executable, "-m", module, *arguments], check=True, capture_output=True)


def test_all_features_of_real_vertebrae_equal_the_plain_command(plain, ours):
    # One test, since both tables take a while and each worker of pytest-xdist would make its own.
    assert plain.shape == (3, 1223)
    assert list(ours.columns) == list(plain.columns)
    for case in CASES:
        expected, found = (table.loc[case].astype(float) for table in (plain, ours))
        assert np.isfinite(expected).all()
        np.testing.assert_allclose(
            found, expected, rtol=RELATIVE_TOLERANCE, atol=ABSOLUTE_FLOOR, err_msg=case
        )
    # The comparison can fail: vertebrae of two scans differ in nearly every feature.
    close = np.isclose(
        ours.loc["spine-L3"].astype(float), plain.loc["lumbar-L3"].astype(float),
        rtol=RELATIVE_TOLERANCE, atol=ABSOLUTE_FLOOR,
    )  # fmt: skip
    assert close.sum() < 20
