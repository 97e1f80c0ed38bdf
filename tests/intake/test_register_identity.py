"""A registered study identifies nobody, down to what its imaging half writes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pydicom
import pydicom.examples
import pytest
import yaml

from intake.handover.writing.study_tree import Names
from intake.identity.byte_search import Search
from intake.phi_scan import scan, summary
from pipeline.core.errors import VertebromicsError
from pipeline.imaging.dicom.dicom_identity import Identity
from pipeline.study.config import resolve_config
from pipeline.validate import validate_study
from segmentation.formats.mask_files import read_mask_file
from tests.support.hospital import (
    ANNA,
    CANARY,
    OUYANG,
    PETER,
    Hospital,
    Person,
    write_ct,
    write_mask,
    write_rtstruct,
    write_seg,
    write_segments,
)

DOUBLE = Person(4, "von der Canaryvögel-Müllerstein^Änne", CANARY, "20190412")
STAFF = {"ReferringPhysicianName": "O'Canarysen^Bjørn", "OperatorsName": "Canarygård^Åse"}
SPELLINGS = (
    "L1 VonDerCanaryvoegel Müllerstein",
    "Canaryvogel",
    "MUELLERSTEIN CANARYVOEGEL",
    "Aenne von-der Canaryvögel Muellerstein",
    "O’CANARYSEN",
    "ocanarysen_bjoern",
    "O Canarysen, Bjorn",
    "Canarygaard",
    "Xiao Dong Ouyang",
    "歐陽小冬",
    "欧阳·小冬",
    "ROI of 4 March 2019",
    "KH 0000471 A",
)
TAILS = ("Änne von der Canaryvögel-Müllerstein", "Muellerstein-Canaryvoegel")


def add_tail(path: Path, text: str) -> Path:
    """Write a text behind the voxels of a file, as a program of a hospital may do."""
    with open(path, "ab") as tail:
        tail.write(text.encode())
    return path


def plant_names(hospital: Hospital) -> None:
    """Add two patients who are named in kept words, behind voxels and in every kind of segment."""
    for path in write_ct(DOUBLE, hospital.dicom / "von der Canaryvoegel-Muellerstein"):
        one = pydicom.dcmread(path)
        one.update(STAFF)
        one.ManufacturerModelName = "Scanner of Canaryvoegel Muellerstein"
        one.ConvolutionKernel, one.BodyPartExamined = "Canaryvoegel", "MUELLERSTEIN"
        one.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL", "CANARYVOEGEL"]
        one.add_new("DataSetTrailingPadding", "OB", TAILS[0].encode())
        one.save_as(path)
    wangenheim, lindqvist = hospital.masks / "Dr Wangenheim", hospital.masks / "Dr Lindqvist"
    write_segments(wangenheim / f"{CANARY} L1 Aenne.seg.nrrd", list(SPELLINGS))
    add_tail(write_mask(lindqvist / f"{CANARY} L1.nii", width=22), TAILS[1])
    add_tail(write_mask(lindqvist / f"{CANARY} L2 packed.nii.gz"), TAILS[1])  # refused
    slices = write_ct(PETER, hospital.dicom / "Knoeterich_Peter")
    write_seg(wangenheim / f"{PETER.patient_id} L1.dcm", slices, "L1 P. Knoeterich")
    named = f"{PETER.patient_id} L1 Knöterich.dcm"
    write_rtstruct(lindqvist / named, PETER, "PETER-KNOETERICH L1")


def refusals_of_tables(study: Path) -> str:
    """Return what is said of a clinical sheet, a dictionary and a table of masks that name."""
    ids = pd.read_csv(study / "cases.csv", dtype=str)["patient_id"].unique()
    sheet = pd.DataFrame({"patient_id": ids, "age": range(60, 60 + len(ids))})
    sheet["pain"] = ["0", "1", "0", "1"]
    people = [DOUBLE, PETER, ANNA, OUYANG]
    named = sheet.assign(
        **{"Name, Vorname": [one.name.replace("^", ", ") for one in people],
           "geb. am": [f"03.02.194{one.number}" for one in people]}
    )  # fmt: skip
    rows = [
        ["age", "continuous", None, "preoperative", "predictor"],
        ["pain", "binary", "0|1", "postoperative", "outcome"],
        ["surgeon", "categorical", "Dr. Canaryvögel|Dr. Knöterich", "preoperative", "other"],
    ]
    dictionary = pd.DataFrame(rows, columns=["column", "type", "levels", "timing", "role"])
    cases = pd.read_csv(study / "cases.csv", dtype=str)
    wrong = cases.assign(patient_id=cases["patient_id"].replace(ids[0], DOUBLE.name))
    said = []
    for number, (clinical, described, masks) in enumerate((
        (named, dictionary.iloc[:2], cases),
        (sheet.assign(surgeon="Dr. Knöterich"), dictionary, cases),
        (sheet, dictionary.iloc[:2], wrong),
    )):  # fmt: skip
        folder = study.parent.parent / "tables" / str(number)
        there = shutil.copytree(study, folder / "study")
        clinical.to_csv(folder / "clinical.csv", index=False)
        described.to_csv(folder / "dictionary.csv", index=False)
        masks.to_csv(there / "cases.csv", index=False)
        config = resolve_config({
            "study": "s", "cases": str(there / "cases.csv"), "model_reader": "A",
            "results": str(folder / "results"), "clinical": str(folder / "clinical.csv"),
            "dictionary": str(folder / "dictionary.csv"),
            "outcome": {"name": "pain", "formula": "pain == '1'"},
        })  # fmt: skip
        with pytest.raises(VertebromicsError) as error:
            validate_study(config)
        said.append(str(error.value))
    assert "must not say who the patients are" in said[0]
    assert "levels of a column" in said[1]
    return "\n".join(said)


def test_the_imaging_half_of_a_registered_study_identifies_nobody(hospital, repository):
    """A hospital with canaries everywhere, registered and run through the DAG, then scanned.

    Names stand in header words that are kept, behind voxels, and in other spellings in the
    segments of every kind of file, and in names of files and folders. One of them, `PHI^Creator`,
    is a word of Parquet's own metadata.
    """
    for person in (ANNA, OUYANG):
        folder = hospital.dicom / f"{person.patient_id} {person.name.split('=')[0]}"
        write_ct(person, folder / f"Study {person.day}")
        for reader, width in (("Dr Wangenheim", 24), ("Dr Lindqvist", 22)):
            name = f"{reader}/{person.patient_id} {person.name.split('^')[0]} L1.nrrd"
            write_mask(hospital.masks / name, width=width)
    broken = hospital.masks / "Dr Wangenheim" / f"{OUYANG.patient_id} T12.nrrd"
    write_mask(broken, width=0)
    plant_names(hospital)
    work = hospital.root / "work"

    def run(*command: object) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", *map(str, command)],
            cwd=work, capture_output=True, text=True, check=False,
            env={**os.environ, "PYTHONPATH": str(repository)},
        )  # fmt: skip

    work.mkdir()
    done = run("intake", hospital.dicom, hospital.masks, "--out", "study",
               "--linkage", hospital.linkage)  # fmt: skip
    assert done.returncode == 0, done.stderr
    (work / "register.log").write_text(done.stderr, encoding="utf-8")
    assert "ManufacturerModelName" in done.stderr
    assert "right checksum" in hospital.checks()  # a tail behind gzip: refused, for the hospital
    config = {
        "study": "mini", "cases": "study/cases.csv", "model_reader": "A",
        "extraction": {"params": "params.yaml"},
    }  # fmt: skip
    (work / "config.yaml").write_text(yaml.safe_dump(config))
    (work / "params.yaml").write_text(
        "imageType: {Original: {}}\nfeatureClass: {firstorder: [Mean]}\nsetting: {binWidth: 25}\n"
    )
    ended = run(
        "snakemake", "features", "preflight", "-s", repository / "Snakefile", "-d", work,
        "--cores", "1", "--configfile", "config.yaml",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-3000:]
    (work / "snakemake.log").write_text(ended.stdout + ended.stderr, encoding="utf-8")
    features = pd.read_parquet(work / "results" / "mini" / "tables" / "features.parquet")
    assert len(features) == 8
    assert pd.read_csv(work / "study" / "cases.csv")["patient_id"].nunique() == 4
    (kept,) = (work / "study" / "masks").glob("*.seg.nrrd")
    named = [one.name for one in read_mask_file(kept).segments]
    assert named == [f"structure {number}" for number in range(1, len(SPELLINGS) + 1)]
    (work / "tables.log").write_text(refusals_of_tables(work / "study"), encoding="utf-8")
    search = hospital.search()
    outcome = scan([work], search)
    text = summary(outcome, 0, [])
    assert not outcome.leaks, text
    assert not outcome.unreadable, text
    assert outcome.files > 60
    told = run("intake.phi_scan", "results", "study", "--against", hospital.linkage)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "nothing found" in told.stdout
    # The search can fail: what was planted is found where it was planted, and one by one.
    planted = scan([hospital.root / "tables", hospital.masks, hospital.dicom], search).leaks
    tails = {leak.file.partition("/")[0] for leak in planted if "behind the data" in leak.how}
    assert tails == {hospital.masks.name, hospital.dicom.name}
    named = {leak.file for leak in planted}
    assert named >= {"tables/0/clinical.csv", "tables/1/dictionary.csv", "tables/2/study/cases.csv"}
    values = (*SPELLINGS, *TAILS, "L1 P. Knoeterich", "PETER-KNOETERICH L1", "CANARYVOEGEL",
              "Scanner of Canaryvoegel Muellerstein", "MUELLERSTEIN", CANARY, "PHI Creator",
              ANNA.canary(pydicom.tag.Tag("InstitutionName"))[:16], "欧阳 小冬", ANNA.uid(1),
              "04.03.2019", "Study 20190304", "PHI-PRIVATE-1-0029")  # fmt: skip
    for value in values:
        (work / "results" / "planted.txt").write_text(value, encoding="utf-8")
        assert scan([work / "results" / "planted.txt"], search).leaks, value


@pytest.mark.parametrize(
    "name",
    [
        "L1 Muellerstein",
        "L1_HAENSEL-MULLERSTEIN",
        "L1 (Zhang Weiming)",
        "L1 張偉明",
        "T12 WeiMing Zhang",
        "L1 HOSP-77142-X1",
        "L1 10. März 1958",
        "L1 vanderquastenberg",
        "L1 van_der Quastenberg",
    ],
)
def test_a_segment_named_by_the_patient_in_any_spelling_is_numbered(name):
    people = [Identity("name", "x", one) for one in ("MÜLLERSTEIN^HÄNSEL", "ZHANG WEI MING")]
    people += [Identity("name", "x", "VAN DER QUASTENBERG^P"), Identity("id", "x", "HOSP77142X1")]
    people.append(Identity("date", "x", "19580310"))
    keep = Names(Search(people))
    assert keep(name, 3) == "structure 3"
    for plain in ("L1", "vertebrae_L1", "Wirbelkörper L1", "Segment_1", "T12 body", "wervel L1"):
        assert keep(plain, 3) == plain
