"""A sheet without ids: no row may go to the wrong patient by name and birth date in silence.

``python -m proofs.wrong_names --out FOLDER``: no stage. A made-up hospital, and a sheet in which
whole name and birth date are all that tells a row's patient, written in several ways. Rows are
confused on purpose:

- exchanged: two rows bear each other's birth date, or, of one surname, each other's given name;
- day and month: exchanged in a row; or two patients of one name, born on dates exchanged so;
- twins: one surname and birth date, and each other's given name;
- strangers: a twin, a parent of the same name, somebody called almost alike, who have no images.

The intake proposes pairs, and takes none before they are confirmed. Each row holds a value
of its own, so that the study itself tells where it went.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from intake import pseudonymous_study
from intake.clinical.lines import CONFIRM_BY
from intake.clinical.writing import clinical_path
from intake.handover.people.linkage import read_linkage
from pipeline.core import command
from pipeline.core.files import write_csv
from proofs.wrong_pairings import RIGHT, Patient, made_up, parser, write_ct, write_mask

#: Confused rows of each kind, 50 in all.
PLANTED = {
    "birth dates exchanged": 8,
    "given names exchanged, one surname": 6,
    "day and month exchanged": 8,
    "one name, born on exchanged days": 6,
    "twins": 8,
    "a twin without images": 4,
    "a parent of the same name": 6,
    "a letter off": 4,
}
STRANGERS = ("a twin without images", "a parent of the same name", "a letter off")
#: The first value of the column that tells the rows apart.
FIRST = 1000


def make(root: Path, seed: int, scale: float = 1.0) -> pd.DataFrame:
    """Write the hospital below `root`, and return what each row of the sheet is.

    Parameters
    ----------
    root : pathlib.Path
        Gets ``pacs/``, ``masks/``, ``sheet.csv``.
    seed : int
        Of everything that is drawn.
    scale : float
        Share of the confusions and patients.

    Returns
    -------
    pandas.DataFrame
        ``value`` (in the sheet), ``owner`` (id of the patient, empty for a stranger), ``kind``
        (``right`` where nothing was confused).
    """
    rng = np.random.default_rng(seed)
    counts = {kind: 2 * max(1, round(scale * count / 2)) for kind, count in PLANTED.items()}
    total = sum(counts.values()) + max(4, round(scale * RIGHT))
    patients = [replace(made_up(rng, number), birth=_birth(rng)) for number in range(total)]
    free = iter(patients)
    rows: list[tuple[str, Patient, str]] = []
    for kind, count in counts.items():
        for _ in range(count // 2):
            rows += _confused(kind, next(free), next(free))
    rows += [(one.id, one, "right") for one in free]
    for one in patients:
        write_ct(root / "pacs" / f"export{one.number}", one, rng)
        write_mask(root / "masks" / f"{one.id}_L1_rA.nrrd", one, rng)
    order = rng.permutation(len(rows))
    told = [
        _row(place, rows[at][1]) | {"Laufzeit": FIRST + place} for place, at in enumerate(order)
    ]
    write_csv(pd.DataFrame(told), root / "sheet.csv")
    return pd.DataFrame(
        [(FIRST + place, rows[at][0], rows[at][2]) for place, at in enumerate(order)],
        columns=["value", "owner", "kind"],
    )


def _birth(rng: np.random.Generator) -> str:
    """Return a birth date whose day may be a month."""
    day, month = rng.choice(np.arange(1, 13), 2, replace=False)
    return f"19{rng.integers(30, 60)}{month:02d}{day:02d}"


def _confused(kind: str, one: Patient, two: Patient) -> list[tuple[str, Patient, str]]:
    """Return rows of two patients: whose each is, what it says of the person, and its kind."""
    if kind in ("twins", "given names exchanged, one surname"):
        two.surname = one.surname
    if kind == "twins":
        two.birth, two.sex = one.birth, one.sex
    if kind == "one name, born on exchanged days":
        two.surname, two.given, two.sex = one.surname, one.given, one.sex
        two.birth = one.birth[:4] + one.birth[6:] + one.birth[4:6]
    found = []
    for mine, other in ((one, two), (two, one)):
        said = mine
        if kind in ("birth dates exchanged", "one name, born on exchanged days"):
            said = replace(mine, birth=other.birth)
        elif kind in ("twins", "given names exchanged, one surname"):
            said = replace(mine, given=other.given)
        elif kind == "day and month exchanged":
            said = replace(mine, birth=mine.birth[:4] + mine.birth[6:] + mine.birth[4:6])
        elif kind == "a twin without images":
            said = replace(mine, given=f"{mine.given}mar")
        elif kind == "a parent of the same name":
            said = replace(mine, birth=f"{int(mine.birth[:4]) - 27}{mine.birth[4:]}")
        elif kind == "a letter off":
            said = replace(mine, given=f"{mine.given[:-1]}y")
        if kind in STRANGERS:
            found.append((mine.id, mine, "right"))
        found.append(("" if kind in STRANGERS else mine.id, said, kind))
    return found


def _row(place: int, one: Patient) -> dict[str, str]:
    """Return what a sheet says of a person, in one of the ways in which people write it."""
    names = (
        f"{one.surname}, {one.given}", f"{one.surname.upper()} {one.given}",
        f"Dr. {one.given} {one.surname}", f"{one.given} {one.surname}",
    )  # fmt: skip
    year, month, day = one.birth[:4], one.birth[4:6], one.birth[6:]
    born = (f"{day}.{month}.{year}", f"{year}-{month}-{day}")[place // 4 % 2]
    return {"Name": names[place % 4], "geb. am": born, "Geschlecht": one.sex}


def judge(root: Path, rows: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Take the hospital in, confirm what is proposed, and return what became of each row.

    Returns
    -------
    pandas.DataFrame
        `rows` with ``verdict``: ``accepted``, ``questioned`` (not taken, and named), ``taken with a
        question``, ``wrong in silence``, ``wrong with a question``.
    int
        Values that were in the study before anybody confirmed a pair.
    """
    study = root / "out" / "study"
    linkage_path = study.with_name("study.linkage.json")

    def take(*further: object) -> list[dict]:
        arguments = [root / "pacs", root / "masks", "--clinical", root / "sheet.csv"]
        told = [*arguments, "--out", study, *further]
        pseudonymous_study.main(pseudonymous_study._arguments().parse_args(list(map(str, told))))
        with open(clinical_path(linkage_path), encoding="utf-8") as stream:
            return list(csv.DictReader(stream))

    (asks,) = (line["why"] for line in take() if line["what"] == CONFIRM_BY)
    early = _values(study)
    lines = take(*asks.removeprefix("add ").split())
    asked = {
        int(line["row"]) + FIRST - 2
        for line in lines
        if line["row"] and ("look at" in line["what"] or "REFUSED" in line["what"])
    }
    linkage, taken = read_linkage(linkage_path), _values(study)
    verdicts = []
    for value, owner in zip(rows["value"], rows["owner"], strict=True):
        verdict = "accepted" if value not in asked else "taken with a question"
        if value not in taken:
            verdict = "questioned"
        elif linkage.patients[taken[value]] != owner:
            verdict = "wrong in silence" if value not in asked else "wrong with a question"
        verdicts.append(verdict)
    return rows.assign(verdict=verdicts), len(early)


def _values(study: Path) -> dict[int, str]:
    """Return the values of the rows that a study has, with the pseudonym of each."""
    path = study / "clinical.csv"
    if not path.exists():
        return {}
    table = pd.read_csv(path).dropna(subset=["laufzeit"])
    return dict(zip(table["laufzeit"].astype(int), table["patient_id"], strict=True))


def summary(found: pd.DataFrame) -> tuple[str, int, float]:
    """Return the table in words, the rows that went wrong in silence, and the share of right rows
    that were questioned beyond the one confirmation.
    """  # noqa: D205
    table = pd.crosstab(found["kind"], found["verdict"])
    right = found[found["kind"] == "right"]
    silent = int((found["verdict"] == "wrong in silence").sum())
    return table.to_string(), silent, float((right["verdict"] != "accepted").mean())


def main(options: argparse.Namespace) -> None:
    """Make the hospital, take it in, and print what became of everything."""
    rows = make(options.out, options.seed, options.scale)
    found, early = judge(options.out, rows)
    table, silent, asked = summary(found)
    print(table)
    print(f"{early} values taken before somebody confirmed the pairs")
    print(f"{(rows['kind'] != 'right').sum()} confusions planted; {silent} accepted in silence")
    print(f"{asked:.1%} of the right rows were questioned beyond the one confirmation")


if __name__ == "__main__":
    command.run(main, parser("proofs.wrong_names", __doc__))
