"""Patients as their images' headers tell of them, and sheets about them, without any image."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from intake.clinical.arguments import Asked
from intake.clinical.check_words import shown
from intake.clinical.preparing import Clinical, prepare
from intake.handover.pairing.matching import Matched, Row
from intake.handover.people.linkage import Linkage
from intake.handover.people.persons import Person
from intake.handover.reading.sources import Handover, Series

SEXES = "MFFFMF"


def person(number: int, **told: object) -> Person:
    """Return what a header says of patient `number`, all different."""
    own = {
        "id": f"0073{number:04d}",
        "name": f"Canar{chr(97 + number)}witz^Ilse{chr(97 + number)}tta",
        "birth": f"{1935 + number}0{1 + number % 9}1{number % 10}",
        "sex": SEXES[number % len(SEXES)],
    }
    own |= told
    born = (int(own["birth"][:4]),) * 2 if own["birth"] else ()
    return Person(**own, born=born)


class Ward:
    """A handover of `count` patients, each with a CT of 2020-01-10 and a mask."""

    def __init__(self, root: Path, count: int = 6, persons: list[Person] | None = None) -> None:
        self.root = root
        self.persons = persons or [person(number) for number in range(count)]
        self.series = [
            Series(
                f"1.2.{at}",
                one.id,
                persons={one},
                date="20200110",
                accessions={f"RX9{at:05d}"},
            )
            for at, one in enumerate(self.persons)
        ]
        self.matched = Matched(
            rows=[Row(one, Path("m.nrrd"), "L1", "A", None, "name") for one in self.series]
        )
        self.handover = Handover(series=self.series)
        self.linkage = Linkage()

    def rows(self, **columns: list) -> pd.DataFrame:
        """Return a sheet with the columns of persons that agree with their images, and others."""
        table = {
            "MRN": [one.id for one in self.persons],
            "Name": [one.name.replace("^", ", ") for one in self.persons],
            "Geburtsdatum": [one.birth for one in self.persons],
            "Geschlecht": [{"M": "m", "F": "w"}[one.sex] for one in self.persons],
            "OP-Datum": ["2020-01-12"] * len(self.persons),
        }
        return pd.DataFrame(table | columns)

    def write(self, table: pd.DataFrame, name: str = "sheet.csv") -> Path:
        path = self.root / name
        if path.suffix == ".xlsx":
            table.to_excel(path, index=False)
        else:
            table.to_csv(path, index=False)
        return path

    def take(self, *paths: Path, **asked: object) -> Clinical:
        """Take in sheets, and remember what was proposed, as an intake does that ends well."""
        made = prepare(Asked(paths, **asked), self.matched, self.handover, self.linkage)
        self.linkage.proposed = shown(made.proposed, self.linkage)
        self.linkage.clinical["clinical.csv"] = "digest"
        return made

    def table(self, *tables: pd.DataFrame, **asked: object) -> Clinical:
        """Take in tables, each as a sheet of its own."""
        paths = [self.write(one, f"sheet{at}.csv") for at, one in enumerate(tables)]
        return self.take(*paths, **asked)


def values(clinical: Clinical, name: str) -> list[str | None]:
    """Return a column of the study in the order of the patients' numbers."""
    return [text for _, text in sorted(clinical.columns[name].values.items())]


def reasons(clinical: Clinical, what: str) -> list[str]:
    """Return the reasons of the lines of a kind."""
    return [line.why for line in clinical.lines if line.what == what]
