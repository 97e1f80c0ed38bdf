"""The imaging stages as commands, from a hospital's folder to verdicts and pictures.

Every field of the DICOM files that may identify a person, and the files' names, hold a canary:
none may appear in any byte that the stages leave behind or print.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pydicom.examples
import pytest
import SimpleITK as sitk
import yaml

from pipeline.core.findings import from_json
from pipeline.tables.schemas.study_tables import Cases
from tests.support.commands import run_here
from tests.support.described import described_tables
from tests.support.filled import filled

CANARY = "PHI-CANARY-0010-0010"
UID = "1.2.826.0.1.3680043.10.999"
SHAPE = (6, 128, 128)
SPACING = (0.6, 0.6, 2.5)


def write_hospital(folder: Path) -> None:
    """Write a DICOM series with canaries in every text field, and masks of two readers."""
    generator = np.random.default_rng(11)
    stored = generator.integers(0, 2500, SHAPE).astype(np.int16)
    (folder / "dicom").mkdir(parents=True)
    for index in range(SHAPE[0]):
        one = pydicom.dcmread(pydicom.examples.get_path("ct"))
        for element in one:
            if element.VR == "PN" or (element.VR in ("LO", "LT", "ST") and element.value):
                one[element.tag].value = CANARY
        one.PatientID = one.PatientName = one.InstitutionName = CANARY
        one.SeriesDescription = one.ImageComments = CANARY
        one.Manufacturer, one.ManufacturerModelName = "Maker", "Scanner"
        one.StudyInstanceUID, one.SeriesInstanceUID = f"{UID}.1", f"{UID}.2"
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = f"{UID}.3.{index}"
        one.InstanceNumber = index + 1
        one.PixelSpacing = list(SPACING[:2])
        one.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        one.ImagePositionPatient = [-40, -30, 10 + SPACING[2] * index]
        one.PixelData = stored[index].tobytes()
        one.save_as(folder / "dicom" / f"{CANARY}-{index}.dcm")
    for reader, width in (("A", 40), ("B", 38)):
        mask = np.zeros(SHAPE, np.uint8)
        mask[1:5, 40:80, 50 : 50 + width] = 3
        image = sitk.GetImageFromArray(mask)
        image.SetSpacing(SPACING)
        image.SetOrigin((-40, -30, 10))
        image.SetMetaData("PatientName", CANARY)
        sitk.WriteImage(image, str(folder / f"{reader}.nrrd"))


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """Return a working directory with the results of the commands of two scans, one bad."""
    work = tmp_path_factory.mktemp("work")
    write_hospital(work / "data")
    rows = []
    for scan, image in (("s1", "data/dicom"), ("s2", "data/missing")):
        for reader in "AB":
            rows.append(
                {
                    "patient_id": f"00{scan[1]}",
                    "scan_id": scan,
                    "case_id": f"{scan}_L1",
                    "level": "L1",
                    "reader": reader,
                    "image": image,
                    "series": f"{UID}.2" if scan == "s1" else None,
                    "mask": f"data/{reader}.nrrd",
                    "label": "3",
                    "days_from_surgery": -1.0,
                    "batch": "b0",
                }
            )
    folder = work / "results" / "mini" / "study"
    folder.mkdir(parents=True)
    # The study itself is handed in; what stages make of it is what is looked at below.
    filled(Cases, rows).to_parquet(folder / "cases.parquet")
    defaults = Path(__file__).resolve().parents[2] / "config" / "default.yaml"
    config = yaml.safe_load(defaults.read_text()) | {"study": "mini", "results": "results"}
    (folder / "study.yaml").write_text(yaml.safe_dump(config))
    batch = "results/mini/batches/b0"
    runs = [
        run(work, "pipeline.ingest", "--batch", "b0", "--out", f"{batch}/ingest.parquet"),
        run(
            work,
            "segmentation.masks",
            *("--batch", "b0", "--ingest", f"{batch}/ingest.parquet"),
            *("--out", f"{batch}/masks.parquet"),
        ),
        run(
            work,
            "segmentation.agreement",
            *("--batch", "b0", "--ingest", f"{batch}/ingest.parquet"),
            *("--masks", f"{batch}/masks.parquet", "--out", f"{batch}/agreement.parquet"),
            *("--pictures", f"{batch}/pictures"),
        ),
        run(
            work,
            "pipeline.preflight",
            *("--batch", "b0", "--ingest", f"{batch}/ingest.parquet"),
            *("--masks", f"{batch}/masks.parquet", "--out", f"{batch}/preflight.parquet"),
        ),
        *gather(work),
    ]
    for done in runs:
        assert done.returncode == 0, done.stderr
    (work / "log.txt").write_text("".join(done.stdout + done.stderr for done in runs))
    return work


def run(work: Path, module: str, *options: str) -> subprocess.CompletedProcess:
    """Run a command as a process: what libraries print past Python is kept, too."""
    return subprocess.run(
        [sys.executable, "-m", module, "--study", "results/mini/study", *options],
        cwd=work,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )


def run_again(work: Path, module: str, *options: str) -> subprocess.CompletedProcess:
    """Run a command in this process."""
    return run_here(module, "--study", "results/mini/study", *options, cwd=work)


def gather(work: Path, run: Callable = run) -> list[subprocess.CompletedProcess]:
    """Gather the verdicts and write the pages; the batch is the whole study."""
    batch, tables = "results/mini/batches/b0", "results/mini/tables"
    return [
        run(
            work,
            "pipeline.preflight",
            *("--gather", "results/mini/batches", "--ingest", f"{batch}/ingest.parquet"),
            *("--masks", f"{batch}/masks.parquet", "--out", f"{tables}/preflight.parquet"),
        ),
        run(
            work,
            "pipeline.preflight_pages",
            *("--table", f"{tables}/preflight.parquet", "--masks", f"{batch}/masks.parquet"),
            *("--batches", "results/mini/batches", "--out", "results/mini/report/preflight"),
        ),
    ]


def test_verdicts_name_the_files_as_written(study):
    table = pd.read_parquet(study / "results/mini/tables/preflight.parquet")
    assert table["verdict"].tolist() == ["warning", "warning", "error", "error"]
    assert table["patient_id"].tolist() == ["001", "001", "002", "002"]
    assert table["image_file"].tolist() == ["data/dicom"] * 2 + ["data/missing"] * 2
    finding = from_json(table["findings"][2])[0]
    assert finding.about == "ct"
    assert finding.sentence.startswith(
        "CT: An image or mask named in the table of cases must exist"
    )
    assert (study / "results/mini/tables/preflight.csv").exists()


def test_every_table_and_column_is_described(study):
    tables = described_tables(study / "results" / "mini")
    assert {f"batches/b0/{name}.parquet" for name in ("ingest", "masks", "preflight")} <= tables


def test_readers_are_compared_and_drawn(study):
    batch = study / "results/mini/batches/b0"
    table = pd.read_parquet(batch / "agreement.parquet")
    assert table[["case_id", "reader_a", "reader_b"]].to_numpy().tolist() == [["s1_L1", "A", "B"]]
    assert table["dice"][0] == pytest.approx(2 * 38 / 78)
    assert [path.name for path in (batch / "pictures").iterdir()] == ["s1_L1.png"]


def test_what_lies_in_the_store_is_what_itk_reads(study):
    rows = pd.read_parquet(study / "results/mini/batches/b0/ingest.parquet")
    stored = sitk.ReadImage(str(study / "results" / "store" / rows["image"][0]))
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(study / "data" / "dicom")))
    series = reader.Execute()
    np.testing.assert_array_equal(sitk.GetArrayFromImage(stored), sitk.GetArrayFromImage(series))
    for name in ("GetSpacing", "GetOrigin", "GetDirection"):
        np.testing.assert_allclose(
            getattr(stored, name)(), getattr(series, name)(), rtol=0, atol=1e-6
        )


def test_nobody_is_identified_by_any_byte(study):
    """Voxels are unpacked before the search, and the log is searched too."""
    secrets = (CANARY.encode(), CANARY.replace("-", "").encode(), UID.encode())
    searched = 0
    for path in [*(study / "results").rglob("*"), study / "log.txt"]:
        if path.is_dir() or path.parent.name == "study":
            continue
        content = path.read_bytes()
        if path.suffix == ".nrrd":
            head, voxels = content.split(b"\n\n", 1)
            if b"encoding: gzip" in head:
                content += gzip.decompress(voxels)
        if path.suffix == ".parquet":
            content += pd.read_parquet(path).to_csv().encode()
        assert not any(secret in content for secret in secrets), path
        assert not any(secret in str(path.relative_to(study)).encode() for secret in secrets)
        assert str(study).encode() not in content, path
        searched += 1
    assert searched > 15


def test_the_search_for_canaries_can_fail(study):
    handed_in = next((study / "data" / "dicom").iterdir()).read_bytes()
    assert CANARY.encode() in handed_in
    assert UID.encode() in handed_in


def test_with_stop_the_gate_closes_and_the_page_says_so(study):
    config = study / "results/mini/study/study.yaml"
    text = config.read_text()
    page = study / "results/mini/report/preflight/index.html"
    check = ("--check", "results/mini/tables/preflight.parquet", "--out", "results/mini/gate.json")
    assert run_again(study, "pipeline.preflight", *check).returncode == 0
    (study / "results/mini/gate.json").unlink()
    assert "on_bad_case: exclude" in page.read_text()
    try:
        config.write_text(text.replace("exclude", "stop"))
        assert all(done.returncode == 0 for done in gather(study, run_again))
        assert "on_bad_case: stop" in page.read_text()
        closed = run_again(study, "pipeline.preflight", *check)
        assert closed.returncode == 1
        assert "2 of 4 masks with errors" in closed.stderr
        assert "Traceback" not in closed.stderr
        assert not (study / "results/mini/gate.json").exists()
    finally:
        config.write_text(text)


@pytest.mark.parametrize("options", [[], ["--gather", "x"]])
def test_preflight_says_what_it_needs(study, options):
    done = run_again(study, "pipeline.preflight", "--out", "x.parquet", *options)
    assert done.returncode == 1
    assert "needs --ingest and --masks" in done.stderr
    assert "Traceback" not in done.stderr


def test_one_scan_can_be_debugged(study):
    done = run_again(study, "pipeline.ingest", "--scan", "s1", "--out", "one.parquet")
    assert done.returncode == 0
    assert "progress ingest 1/1 s1" in done.stderr
    assert len(pd.read_parquet(study / "one.parquet")) == 1
    unknown = run_again(study, "pipeline.ingest", "--scan", "s9", "--out", "none.parquet")
    assert unknown.returncode == 1
    assert "Found: s9" in unknown.stderr
