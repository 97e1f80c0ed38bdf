"""Planted confusions of a hospital: none may be accepted in silence, few right pairs questioned.

``python -m proofs.wrong_pairings --out FOLDER``: no stage. A made-up hospital of small CTs,
masks of two readers and a clinical sheet, in which masks and rows are confused on purpose:

- swapped ids: the masks of two patients bear each other's id (on grids of their own, and on one);
- surnames: a mask that bears a surname of two patients only, or an id with another's surname;
- twins: one surname and birth date; masks and rows under the other twin's given name or number;
- wrong folders: a mask in the folder of another patient, with or without an id in its name;
- swapped rows: two rows of the sheet bear each other's number.

A confusion is accepted in silence if the mask or row is taken for the wrong patient and neither the
handover report nor the list of the sheet says a word of it.
"""

from __future__ import annotations

import argparse
import csv
import logging
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from intake import pseudonymous_study
from intake.clinical.writing import clinical_path
from intake.handover.pages.hospital_report import report_path
from intake.handover.people.linkage import read_linkage
from pipeline.core import command
from pipeline.core.files import write_csv
from pipeline.study.option_numbers import SEED, bounded_number, number_within

logger = logging.getLogger("vertebromics")

SHAPE = (7, 40, 40)
SPACING = (1.5, 1.5, 3.0)
#: Confusions of each kind, 50 in all.
PLANTED = {
    "swapped ids": 8,
    "swapped ids on one grid": 8,
    "surname of two": 6,
    "surname of another": 6,
    "twins": 6,
    "wrong folder": 8,
    "swapped rows": 4,
    "swapped rows of twins": 4,
}
#: Patients beside whom confusions are planted.
RIGHT = 100
GIVEN = ("Ada", "Bea", "Cleo", "Dora", "Emil", "Finn", "Gero", "Hugo")
SYLLABLES = ("ca", "na", "ri", "lo", "te", "mu", "so", "vi", "ke", "pa")


@dataclass
class Patient:
    """A made-up patient: header, place of the bone, and what the sheet says."""

    number: int
    surname: str
    given: str
    birth: str
    sex: str
    origin: tuple[float, float, float]
    centre: tuple[int, int]

    @property
    def id(self) -> str:
        """The hospital's number."""
        return f"00{810000 + 37 * self.number}"


@dataclass
class Planted:
    """What was confused: masks (path below the masks' folder) and rows (number), by kind."""

    masks: dict[str, str] = field(default_factory=dict)
    rows: dict[str, str] = field(default_factory=dict)
    owner: dict[str, str] = field(default_factory=dict)


def make(root: Path, seed: int, scale: float = 1.0) -> tuple[list[Patient], Planted]:
    """Write the hospital below `root`, and return its patients and what was confused.

    Parameters
    ----------
    root : pathlib.Path
        Gets ``pacs/``, ``masks/``, ``sheet.csv``.
    seed : int
        Of everything that is drawn.
    scale : float
        Share of the confusions and patients.
    """
    rng = np.random.default_rng(seed)
    counts = {kind: 2 * max(1, round(scale * count / 2)) for kind, count in PLANTED.items()}
    total = sum(counts.values()) + max(4, round(scale * RIGHT))
    patients = [made_up(rng, number) for number in range(total)]
    planted = Planted()
    rows = {one.id: one for one in patients}
    free = iter(patients)
    for kind, count in counts.items():
        for _ in range(count // 2):
            _confuse(kind, next(free), next(free), root / "masks", planted, rows, rng)
    for one in free:
        for reader in "AB":
            write_mask(root / "masks" / one.id / f"{one.id}_L1_r{reader}.nrrd", one, rng)
    for one in patients:
        write_ct(root / "pacs" / f"export{one.number}", one, rng)
    table = [
        {"Pat.-ID": number, "Name": f"{one.surname}, {one.given}", "geb. am": one.birth,
         "Geschlecht": one.sex, "BMI": round(float(rng.normal(26, 4)), 1)}
        for number, one in rows.items()
    ]  # fmt: skip
    write_csv(pd.DataFrame(table), root / "sheet.csv")
    return patients, planted


def made_up(rng: np.random.Generator, number: int) -> Patient:
    """Return a patient with a surname of its own."""
    letters = rng.integers(len(SYLLABLES), size=3)
    surname = "".join(SYLLABLES[one] for one in letters).capitalize() + f"{chr(97 + number % 26)}w"
    surname += SYLLABLES[number // 26 % len(SYLLABLES)]
    birth = f"19{rng.integers(30, 60)}{rng.integers(1, 13):02d}{rng.integers(2, 28):02d}"
    origin = tuple(float(one) for one in np.round(rng.uniform(-40, 40, 3), 1))
    centre = tuple(int(one) for one in rng.integers(16, 25, 2))
    return Patient(number, surname, GIVEN[number % len(GIVEN)], birth, "MF"[number % 2], origin,
                   centre)  # fmt: skip


def _confuse(
    kind: str, one: Patient, two: Patient, masks: Path, planted: Planted,
    rows: dict[str, Patient], rng: np.random.Generator,
) -> None:  # fmt: skip
    """Plant two confusions of a kind in two patients, beside a right mask of each."""
    if "grid" in kind:
        two.origin = one.origin
        two.centre = (one.centre[0] + 5, one.centre[1] - 4)
    if "surname of two" in kind or "twins" in kind:
        two.surname = one.surname
    if "twins" in kind:
        two.birth, two.sex = one.birth, one.sex
    for mine, other in ((one, two), (two, one)):
        folder, wrong = "", f"{other.id}_L1_rB"
        if kind == "surname of two":
            wrong = f"{mine.surname}_L1_r{'AB'[mine is two]}"
        elif kind == "surname of another":
            wrong = f"{mine.id}_{other.surname}_L1_rB"
        elif kind == "twins":
            wrong = f"{other.surname} {other.given}_L1_rB"
        elif kind == "wrong folder":
            folder = f"export{other.number}"
            wrong = "L1_rB" if mine is one else f"{mine.id}_L1_rB"
        if kind != "surname of two":
            write_mask(masks / f"{mine.id}_L1_rA.nrrd", mine, rng)
        if "rows" in kind:
            write_mask(masks / f"{mine.id}_L1_rB.nrrd", mine, rng)
            planted.rows[mine.id] = kind
            continue
        path = write_mask(masks / folder / f"{wrong}.nrrd", mine, rng)
        name = path.relative_to(masks).as_posix()
        planted.masks[name], planted.owner[name] = kind, mine.id
    if "rows" in kind:
        rows[one.id], rows[two.id] = two, one


def judge(root: Path, patients: list[Patient], planted: Planted) -> pd.DataFrame:
    """Take the hospital in, and return what became of each confusion and right pair.

    Returns
    -------
    pandas.DataFrame
        ``what`` (mask or row), ``kind`` (``right`` where nothing was confused), ``verdict``:
        ``refused``, ``questioned``, ``accepted``, ``wrong in silence``.
    """
    study = root / "out" / "study"
    arguments = [root / "pacs", root / "masks", "--clinical", root / "sheet.csv", "--out", study]
    pseudonymous_study.main(pseudonymous_study._arguments().parse_args(list(map(str, arguments))))
    linkage_path = study.with_name("study.linkage.json")
    linkage = read_linkage(linkage_path)
    found = []
    with open(report_path(linkage_path), encoding="utf-8") as stream:
        for line in csv.DictReader(stream):
            if line["what"] == "mask":
                found.append(_of_mask(line, root / "masks", planted, linkage.patients))
    with open(clinical_path(linkage_path), encoding="utf-8") as stream:
        said = list(csv.DictReader(stream))
    told = {original: new for new, original in linkage.patients.items()}
    about = {" ".join(line.values()) for line in said}
    for one in patients:
        questioned = any(told.get(one.id, one.id) in line for line in about)
        kind = planted.rows.get(one.id, "right")
        verdict = "questioned" if questioned else "accepted"
        if kind != "right" and not questioned:
            verdict = "wrong in silence"
        found.append({"what": "row", "kind": kind, "verdict": verdict})
    return pd.DataFrame(found)


def _of_mask(line: dict, masks: Path, planted: Planted, patients: dict[str, str]) -> dict:
    name = Path(line["file"]).relative_to(masks).as_posix()
    kind = planted.masks.get(name, "right")
    if line["result"] != "taken":
        verdict = "refused" if kind != "right" else "questioned"
    elif line["check"]:
        verdict = "questioned"
    else:
        verdict = "accepted"
        owner = planted.owner.get(name)
        if owner is not None and patients[line["scan"].split("-")[0]] != owner:
            verdict = "wrong in silence"
    return {"what": "mask", "kind": kind, "verdict": verdict}


def summary(found: pd.DataFrame) -> tuple[str, int, float]:
    """Return the table in words, the confusions accepted in silence, and the share of right pairs
    that were questioned.
    """  # noqa: D205
    table = pd.crosstab([found["what"], found["kind"]], found["verdict"])
    right = found[found["kind"] == "right"]
    silent = int((found["verdict"] == "wrong in silence").sum())
    asked = float((right["verdict"] == "questioned").mean())
    return table.to_string(), silent, asked


def _bone(one: Patient) -> np.ndarray:
    z, y, x = np.mgrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    round_ = np.hypot((y - one.centre[0]) / 8, (x - one.centre[1]) / 10) < 1
    return round_ & (z > 0) & (z < SHAPE[0] - 1)


def write_ct(folder: Path, one: Patient, rng: np.random.Generator) -> None:
    """Write the CT of a patient, a file a slice."""
    folder.mkdir(parents=True)
    hu = rng.normal(40, 20, SHAPE)
    bone = _bone(one)
    hu[bone] = rng.normal(160, 40, int(bone.sum()))
    hu[:, :3] = -1000
    study, series, frame = (generate_uid(entropy_srcs=[one.id, what]) for what in "abc")
    for index, plane in enumerate(np.rint(hu).astype("<i2")):
        meta = FileMetaDataset()
        meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = (
            ExplicitVRLittleEndian,
            CTImageStorage,
        )
        instance = generate_uid(entropy_srcs=[one.id, str(index)])
        meta.MediaStorageSOPInstanceUID = instance
        header = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        header.SOPClassUID, header.SOPInstanceUID, header.Modality = CTImageStorage, instance, "CT"
        header.PatientID, header.PatientName = one.id, f"{one.surname}^{one.given}"
        header.PatientBirthDate, header.PatientSex = one.birth, one.sex
        header.StudyInstanceUID, header.SeriesInstanceUID = study, series
        header.FrameOfReferenceUID, header.ImageType = frame, ["ORIGINAL", "PRIMARY", "AXIAL"]
        header.StudyDate = header.SeriesDate = "20200102"
        header.SeriesNumber, header.InstanceNumber, header.AcquisitionNumber = 2, index + 1, 1
        header.Rows, header.Columns = plane.shape
        header.PixelSpacing, header.ImageOrientationPatient = list(SPACING[:2]), [1, 0, 0, 0, 1, 0]
        x, y, z = one.origin
        header.ImagePositionPatient = [x, y, z + SPACING[2] * index]
        header.SliceThickness, header.RescaleSlope, header.RescaleIntercept = SPACING[2], 1, 0
        header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
        header.BitsAllocated, header.BitsStored, header.HighBit = 16, 16, 15
        header.PixelRepresentation, header.PixelData = 1, plane.tobytes()
        header.save_as(folder / f"IM{index:04d}", enforce_file_format=True)


def write_mask(path: Path, one: Patient, rng: np.random.Generator) -> Path:
    """Write a mask of a patient's bone, and return its path."""
    drawn = _bone(one)
    drawn &= rng.random(drawn.shape) > 0.01  # no two readers draw alike
    image = sitk.GetImageFromArray(drawn.astype(np.uint8))
    image.SetSpacing(SPACING)
    image.SetOrigin(one.origin)
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path), useCompression=True)
    return path


def main(options: argparse.Namespace) -> None:
    """Make the hospital, take it in, and print what became of everything."""
    patients, planted = make(options.out, options.seed, options.scale)
    found = judge(options.out, patients, planted)
    table, silent, asked = summary(found)
    confused = Counter(found["kind"] != "right")[True]
    print(table)
    print(f"{confused} confusions planted; {silent} accepted in silence")
    print(f"{asked:.1%} of the right masks and rows were questioned")


def parser(name: str, doc: str) -> argparse.ArgumentParser:
    """Return the command line of a proof that makes a hospital and takes it in."""
    arguments = command.parser(name, doc)
    arguments.add_argument("--out", required=True, type=Path, help="a new folder")
    arguments.add_argument(
        "--seed", type=number_within(SEED), default=1, help="of what is drawn (1)"
    )
    arguments.add_argument(
        "--scale",
        type=bounded_number("number", minimum=0.01, maximum=10),
        default=1.0,
        help="share of its size (1)",
    )
    return arguments


if __name__ == "__main__":
    command.run(main, parser("proofs.wrong_pairings", __doc__))
