"""A hospital-like handover: CTs and masks of two readers, and a sheet as people keep it.

Every person is made up; names are like `Canarowitz`, so that no real one can be among them.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

import openpyxl
import pandas as pd

from tests.support.hospital import write_small, write_small_mask

SURNAMES = (
    *("Canarowitz", "Canarinski", "Canarelli", "Canaruso", "Canarmann", "Canarberg", "Canarstein"),
    *("Canarfeld", "Canarsen", "Canarova", "Canarescu", "Canarides", "Canaroglu", "Canariyan"),
    *("Canarhuber", "Canarmeier", "Canarbauer", "Canarsson", "Canarenko", "Canarmuell", "Canarska"),
    *("Canarwicz", "Canarez", "Canarpoulos"),
)
GIVEN = {"F": ("Ilsetta", "Brunhilla", "Walpurga", "Edeltrauda"), "M": ("Ottokarl", "Lothario")}
FREE = "Pat. {name} klagt über Schmerzen beim Aufstehen, Tochter ruft an"


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
        return f"0073{self.number:04d}"

    @property
    def accession(self) -> str:
        return f"RX9{self.number:05d}"

    @property
    def age(self) -> int:
        return (self.operated - self.born).days // 365


def patients(count: int = 24) -> list[Patient]:
    found = []
    for n in range(count):
        sex = "M" if n % 4 == 3 else "F"
        born = datetime.date(1931, 3, 5) + datetime.timedelta(days=317 * n)
        operated = datetime.date(2019, 2, 4) + datetime.timedelta(days=19 * n)
        given = GIVEN[sex][n % len(GIVEN[sex])]
        found.append(Patient(101 + 7 * n, SURNAMES[n % len(SURNAMES)], given, sex, born, operated))
    return found


def write_images(people: list[Patient], dicom: Path, masks: Path, readers=("rA", "rB")) -> None:
    for one in people:
        lift = float(one.number)
        scanned = one.operated - datetime.timedelta(days=2)
        write_small(
            dicom / f"pat{one.number:03d}",
            one.id,
            level=None,
            lift=lift,
            name=f"{one.surname}^{one.given}",
            PatientSex=one.sex,
            PatientBirthDate=f"{one.born:%Y%m%d}",
            AccessionNumber=one.accession,
            **dict.fromkeys(
                ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"), f"{scanned:%Y%m%d}"
            ),
        )
        for reader in readers:
            write_small_mask(masks / reader / f"{one.id}_L1_{reader}.nrrd", lift=lift)


GROUPS = ["Stammdaten", None, None, None, None, None, "Vorgeschichte", None, None, None, "Schmerz"]
GROUPS += [None, None, "Operation", None, None, "Labor", "Sonstiges"]
HEADER = ["Lfd. Nr.", "Pat.-ID", "Name, Vorname", "geb. am", "Geschlecht", "Alter", "Größe (cm)"]
HEADER += ["Gewicht [kg]", "Diabetes", "Frakturhöhe", "VAS prä-OP (0-10)", "VAS Tag 3"]
HEADER += ["VAS Tag 30", "OP-Datum", "Zementmenge (ml)", "Zementaustritt", "CRP", "Bemerkung"]


def row_of(n: int, one: Patient) -> list[object]:
    """Return a row as a secretary might type it: spellings, codes, units, commas of all kinds."""
    pain = 6 + n % 4
    return [
        n + 1,
        int(one.id) if n % 3 else float(int(one.id)),  # Excel dropped the zeros
        f"{one.surname}, {one.given}",
        one.born if n % 2 else f"{one.born:%d.%m.%Y}",
        {"F": ("w", "weibl.", "W")[n % 3], "M": ("m", "M")[n % 2]}[one.sex],
        one.age,
        155 + (7 * n) % 30 if n != 5 else "k.A.",
        f"{52 + (5 * n) % 40},5 kg" if n % 4 == 1 else 52 + (5 * n) % 40,
        ("ja", "nein", "Ja", "nein", "NEIN", "ja ")[n % 6] if n != 7 else "?",
        ("LWK1", "BWK12", "LWK2", "Th11")[n % 4],
        pain,
        f"{pain - 3}/10" if n % 5 == 0 else pain - 3,
        (pain - 4 if n % 3 else 5) if n != 9 else -99,
        one.operated,
        f"{3 + n % 4},{n % 10}",
        "ja" if n % 5 == 0 else "nein",
        ("4,2", "12.5", "<5", "n.a.")[n % 4] if n == 2 else 3.5 + n,
        FREE.format(name=one.surname) if n % 2 else None,
    ]


def write_sheet(path: Path, people: list[Patient], *, change=None) -> Path:
    """Write the baseline: a title, a header of two lines with merged cells, summary, legend."""
    book = openpyxl.Workbook()
    page = book.active
    page.title = "Tabelle1"
    page.append(["Kyphoplastie-Register der Klinik, Stand Mai"])
    page.append([])
    page.append(GROUPS)
    page.append(HEADER)
    for first, last in ((1, 6), (7, 10), (11, 13), (14, 16)):
        page.merge_cells(start_row=3, end_row=3, start_column=first, end_column=last)
    for n, one in enumerate(people):
        row = row_of(n, one)
        page.append(change(n, row) if change else row)
    page.append(["", "Mittelwert", None, None, None, 75.3, 168.2])
    page.append([])
    page.append(["k.A. = keine Angabe"])
    path.parent.mkdir(parents=True, exist_ok=True)
    book.save(path)
    return path


def write_follow_up(path: Path, people: list[Patient]) -> Path:
    """Write the follow-up, keyed by accession numbers, as a CSV of semicolons in cp1252."""
    rows = [
        {
            "Untersuchungsnr.": f" {one.accession.lower()} ",
            "ODI 6 Monate": 12 + (3 * n) % 30,
            "Anschlussfraktur": "ja" if n % 6 == 0 else "nein",
            "Datum Kontrolle": f"{one.operated + datetime.timedelta(days=180 + n):%d.%m.%Y}",
            "Telefon": f"0711 55 {one.number:04d}",
        }
        for n, one in enumerate(people[:-2])
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(path, sep=";", index=False, encoding="cp1252")
    return path
