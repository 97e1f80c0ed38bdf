"""A handover as it comes: several exports, four kinds of masks, three sheets of three minds.

Every person is made up; each surname holds `kanar` in some spelling, so that none is a real one.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import SimpleITK as sitk
from openpyxl.comments import Comment

from tests.support.hospital import SMALL, SMALL_ORIGIN, write_small

SURNAMES = (
    *("Kanärvogt", "Kanarößler", "Kanarmüßig", "Çanaroğlu", "Kanařík", "Kanaré", "Kanårström"),
    *("Kanarøe", "Żkanarska", "Kanarțescu", "Kanarñez", "Kanarübel", "Kanarwitz", "Kanar-Jäger"),
    *("von Kanarheim", "Kanarhöfer", "O'Kanary", "Kanarpää", "Kanarčič", "Kanarő", "Kanarğın"),
    *("Kanarænd", "Kanarûx", "Kanarßen"),
)
GIVEN = {"F": ("Käthe", "Zoë", "Brünhild"), "M": ("Jörg", "Özgür", "Günther")}
READERS = ("DrKröger", "DrLi")
TITLE = "Kyphoplastie-Register, Stand 05/2021"
GROUPS = ["Person", None, None, None, None, "Befund", None, "Schmerz", "Eingriff", None]
HEADER = ["Pat-Nr", "Name", "geb.", "Geschlecht", "Alter", "Gewicht [kg]", "Frakturhöhe"]
HEADER += ["VAS prä-OP", "OP-Datum", "Bemerkung"]
REMARK = "{name}: Tochter ruft wegen Schmerzen an, bitte zurückrufen"
MARRIED, EXCHANGED, TWICE, HIDDEN, NO_LAB = 5, 8, 3, 10, 20
"""Patients with a new surname, a birth date typed with day and month exchanged, a row entered
twice, a hidden row; from the last on without a row of the laboratory.
"""


@dataclass(frozen=True)
class Patient:
    """One made-up patient."""

    number: int
    surname: str
    given: str
    sex: str
    born: datetime.date
    operated: datetime.date

    @property
    def id(self) -> str:
        return f"00{91000 + 13 * self.number}"

    @property
    def accession(self) -> str:
        return f"CT7{self.number:04d}X"

    @property
    def lift(self) -> float:
        return 3.0 * self.number

    @property
    def level(self) -> str:
        return "T12" if self.number % 10 == 0 else "L1"


def patients(count: int = 24) -> list[Patient]:
    found = []
    for n in range(count):
        sex = "M" if n % 3 == 2 else "F"
        born = datetime.date(1934 + n, 1 + n % 12, 1 + (5 * n) % 12)
        operated = datetime.date(2020, 3, 2) + datetime.timedelta(days=11 * n)
        found.append(Patient(n, SURNAMES[n], GIVEN[sex][n % 3], sex, born, operated))
    return found


def write_handover(root: Path, people: list[Patient]) -> dict[str, str]:
    """Write ``pacs/``, ``masks/`` and ``tabellen/``; return the patient of each mask's path."""
    for one in people:
        export = ("CD_2020/DICOM", "AGFA/000", "Philips/S", "usb stick/Käthe")[one.number % 4]
        _write_ct(root / "pacs" / f"{export}{one.number:02d}", one)
    _write_ct(root / "pacs" / "CD_2020" / "Kontrolle", people[7], lift=900.0, days=200)
    _write_two_ids(root / "pacs" / "doppelt", people[4])
    truth = {}
    for one in people:
        for at, reader in enumerate(READERS):
            path = root / "masks" / reader / _mask_of(one)
            _write_mask(path, one, at)
            truth[str(path)] = one.id
    _write_register(root / "tabellen" / "Register.xlsx", people)
    _write_follow_up(root / "tabellen" / "suivi.csv", people)
    _write_laboratory(root / "tabellen" / "Labor.xlsx", people)
    return truth


def _write_ct(folder: Path, one: Patient, *, lift: float | None = None, days: int = -2) -> None:
    scanned = f"{one.operated + datetime.timedelta(days=days):%Y%m%d}"
    write_small(
        folder, one.id, level=None, lift=one.lift if lift is None else lift,
        name=f"{one.surname}^{one.given}", SpecificCharacterSet="ISO_IR 192",
        PatientSex=one.sex, PatientBirthDate=f"{one.born:%Y%m%d}", AccessionNumber=one.accession,
        **dict.fromkeys(("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"), scanned),
    )  # fmt: skip


def _write_two_ids(folder: Path, one: Patient) -> None:
    """Write one CT, half of whose slices bear the id that the emergency room gave the patient."""

    def change(index: int, attributes: dict) -> None:
        if index > 2:
            attributes["PatientID"] = "NOTFALL-7731"

    write_small(
        folder, one.id, level=None, lift=1200.0, change=change, PatientBirthDate="",
        SpecificCharacterSet="ISO_IR 192", name=f"{one.surname}^{one.given}",
    )  # fmt: skip


def _mask_of(one: Patient) -> str:
    """Return where a reader puts the mask of a patient: everybody has a way of his own."""
    return (
        f"{one.id}_{'BWK12' if one.level == 'T12' else 'LWK1'}.nrrd",
        f"{one.surname} LWK1.nrrd",
        f"totalseg/{one.id}/vertebrae_L1.nii.gz",
        f"verse/sub-{one.id}/sub-{one.id}_seg-vert_msk.nii.gz",
        f"{one.id}_L1.mha",
    )[one.number % 5]


def _write_mask(path: Path, one: Patient, at: int) -> None:
    drawn = np.zeros(SMALL, np.uint8)
    drawn[1:4, 2:6, 2 + at : 7] = 20 if "verse" in path.parts else 1
    image = sitk.GetImageFromArray(drawn)
    image.SetSpacing((0.75, 0.5, 2.5))
    image.SetOrigin((SMALL_ORIGIN[0], SMALL_ORIGIN[1], SMALL_ORIGIN[2] + one.lift))
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path), useCompression=True)
    if "totalseg" in path.parts:
        sitk.WriteImage(image, str(path.with_name("liver.nii.gz")), useCompression=True)


def weight(one: Patient) -> int:
    return 55 + 2 * one.number


def _write_register(path: Path, people: list[Patient]) -> None:
    book = openpyxl.Workbook()
    page = book.active
    page.title = "Tabelle1"
    page.append([TITLE])
    page.append([])
    page.append(GROUPS)
    page.append(HEADER)
    page.merge_cells("A1:J1")
    for area in ("A3:E3", "F3:G3", "I3:J3"):
        page.merge_cells(area)
    for n, one in enumerate(people):
        surname = "Kanarneuhaus" if n == MARRIED else one.surname
        page.append([
            int(one.id), f"{surname}, {one.given}",
            one.born if n % 2 else f"{one.born:%d.%m.%Y}", {"F": "w", "M": "m"}[one.sex],
            (one.operated - one.born).days // 365,
            f"{weight(one)},5 kg" if n % 3 == 0 else "k.A." if n == 4 else weight(one),
            {"T12": "BWK 12", "L1": "LWK1"}[one.level], 5 + n % 4, one.operated,
            REMARK.format(name=one.surname) if n % 2 else None,
        ])  # fmt: skip
    page.cell(5 + 6, 6).comment = Comment(f"{people[6].surname}: gewogen mit Gips", "Schwester")
    page.row_dimensions[5 + HIDDEN].hidden = True
    old = book.create_sheet("Alt 2019")
    old.append(["Pat-Nr", "Gewicht"])
    old.append([int(people[0].id), 999])
    old.sheet_state = "hidden"
    path.parent.mkdir(parents=True, exist_ok=True)
    book.save(path)


def _write_follow_up(path: Path, people: list[Patient]) -> None:
    rows = [
        {
            "N° d'examen": one.accession.lower(),
            "poids": f"{weight(one) - 1},5",
            "EVA J30": n % 4,
            "date de contrôle": f"{one.operated + datetime.timedelta(days=30 + n):%d.%m.%Y}",
            "nouvelle fracture": "oui" if n % 5 == 0 else "non",
        }
        for n, one in enumerate(people)
    ]
    rows.insert(TWICE + 1, rows[TWICE])
    pd.DataFrame(rows).to_csv(path, sep=";", index=False, encoding="cp1252")


def _write_laboratory(path: Path, people: list[Patient]) -> None:
    """Write a sheet of the laboratory, which knows names and birth dates alone."""
    rows = []
    for n, one in enumerate(people[:NO_LAB]):
        born = one.born
        if n == EXCHANGED:
            born = datetime.date(born.year, born.day, born.month)
        name = "Kanarneuhaus" if n == MARRIED else one.surname
        rows.append([name.upper() if n % 2 else name, one.given, f"{born:%d.%m.%Y}", 3.5 + n])
    table = pd.DataFrame(rows, columns=["Nachname", "Vorname", "Geburtsdatum", "CRP prä-OP"])
    table.to_excel(path, index=False)
