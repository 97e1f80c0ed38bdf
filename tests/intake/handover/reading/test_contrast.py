"""Contrast and tube current of a handover: a study knows them, and nobody finds who wrote them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pydicom
import pytest

from intake.phi_scan import scan
from pipeline.core.files import write_table
from pipeline.core.keeping.store import Store
from pipeline.imaging.ct_options import CtChecks
from pipeline.ingest import ingest_scans
from pipeline.tables.schemas.images.ingest import Ingest
from tests.support.hospital import PETER, Hospital, write_ct, write_mask


@pytest.fixture
def hospital(tmp_path: Path) -> Hospital:
    return Hospital(tmp_path)


@pytest.mark.parametrize("description", ["Arterial", "Knöterich, portal venous"])
def test_a_study_states_contrast_and_the_scan_finds_nobody(hospital, tmp_path, description):
    for path in write_ct(PETER, hospital.dicom / "a"):
        one = pydicom.dcmread(path)
        one.SeriesDescription, one.ContrastBolusAgent = description, "Visipaque Dr Knöterich"
        one.ContrastBolusRoute, one.XRayTubeCurrent = "Knöterich IV", 230
        one.save_as(path)
    write_mask(hospital.masks / "KH-0000473-C_L1_A.nrrd")
    phase = "arterial" if "Arterial" in description else "venous"
    for again in (False, True):
        if again:  # copies of an earlier intake are made anew where they are gone
            shutil.rmtree(hospital.out / "images")
        (row,) = hospital.run()
        scans = pd.DataFrame(
            [{"scan_id": "s", "patient_id": row["patient_id"], "series": None,
              "image": str(hospital.out / row["image"])}]
        )  # fmt: skip
        results = tmp_path / f"results {again}"
        table = ingest_scans(scans, Store(results / "store"), CtChecks().__dict__)
        held = table.loc[0, ["tube_current_ma", "contrast", "contrast_phase"]].tolist()
        assert held == [230.0, "given", phase]
        write_table(table, results / "ingest.parquet", Ingest)
    assert not scan([hospital.out, results], hospital.search()).leaks
