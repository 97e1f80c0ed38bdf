"""A handover as it comes: three commands, one edited file, and every pairing against the truth."""

from __future__ import annotations

import contextlib
import csv
import io
import re
from pathlib import Path

import pandas as pd
import pytest

from intake import pseudonymous_study as module
from intake.handover.people.linkage import Linkage, read_linkage
from intake.identity.byte_search import Search
from intake.phi_scan import identities_of_linkage, scan
from pipeline.imaging.dicom.dicom_identity import Identity
from pipeline.study.config import load_config
from pipeline.validate import validate_study
from tests.support.messy_hospital import (
    EXCHANGED,
    HIDDEN,
    MARRIED,
    NO_LAB,
    REMARK,
    TWICE,
    Patient,
    patients,
    weight,
    write_handover,
)


class Handover:
    """The folders, their truth, and what the screen said at each command."""

    def __init__(self, root: Path) -> None:
        self.root, self.people = root, patients()
        self.said: list[str] = []
        self.pages: list[str] = []
        self.truth = write_handover(root, self.people)

    def intake(self, *further: str) -> None:
        sheets = [f"--clinical=tabellen/{one}" for one in ("Register.xlsx", "suivi.csv",
                                                          "Labor.xlsx")]  # fmt: skip
        screen = io.StringIO()
        with contextlib.chdir(self.root), contextlib.redirect_stdout(screen):
            told = [str(self.root / "pacs"), str(self.root / "masks"), *sheets, "--out", "study"]
            module.main(module._arguments().parse_args([*told, *further]))
        self.said.append(screen.getvalue())
        self.pages.append((self.root / "study.handover.html").read_text(encoding="utf-8"))

    @property
    def linkage(self) -> Linkage:
        return read_linkage(self.root / "study.linkage.json")

    def list(self, name: str) -> list[dict]:
        with open(self.root / name, encoding="utf-8") as stream:
            return list(csv.DictReader(stream))

    def table(self) -> dict[str, dict]:
        """Return the rows of the study's table by the hospital's ids."""
        table = pd.read_csv(self.root / "study" / "clinical.csv", dtype=str)
        linkage = self.linkage
        return {linkage.patients[row["patient_id"]]: row for row in table.to_dict("records")}


@pytest.fixture(scope="module")
def handover(tmp_path_factory: pytest.TempPathFactory) -> Handover:
    """Take it in, and once more with the confirmation that the screen asked for."""
    made = Handover(tmp_path_factory.mktemp("messy"))
    made.intake()
    made.intake(*next(
        line.split() for line in map(str.strip, made.said[0].splitlines())
        if line.startswith("--pairs-by-name")
    ))  # fmt: skip
    return made


def test_every_mask_is_with_its_patient(handover):
    linkage = handover.linkage
    masks = [line for line in handover.list("study.handover.csv") if line["what"] == "mask"]
    taken = {line["file"]: line for line in masks if line["result"] == "taken"}
    assert set(taken) == set(handover.truth)
    for path, line in taken.items():
        pseudonym = line["scan"].split("-")[0]
        assert linkage.patients[pseudonym] == handover.truth[path]
        surname = next(one.surname for one in handover.people if one.id == handover.truth[path])
        asks = surname in Path(path).name or handover.truth[path] == handover.people[4].id
        assert bool(line["check"]) == asks  # by surname alone; a study with two ids
    cases = pd.read_csv(handover.root / "study" / "cases.csv", dtype=str)
    assert len(cases) == 48
    assert cases.groupby("case_id")["reader"].nunique().eq(2).all()
    levels = {linkage.patients[one]: level for one, level in
              zip(cases["patient_id"], cases["level"], strict=True)}  # fmt: skip
    assert levels == {one.id: one.level for one in handover.people}


def test_two_scans_of_one_patient_and_one_scan_of_two_ids(handover):
    said = {}
    for line in handover.list("study.handover.csv"):
        said.setdefault(Path(line["file"]).parent.name, set()).add((line["result"], line["scan"]))
    assert {result for result, _ in said["Kontrolle"]} == {"no mask of it"}
    assert {result for result, _ in said["doppelt"]} == {"CONTRADICTS"}


def test_every_value_is_with_its_patient(handover):
    table = handover.table()
    assert set(table) == {one.id for one in handover.people}
    for n, one in enumerate(handover.people):
        row = table[one.id]
        assert row["geschlecht"] == {"F": "female", "M": "male"}[one.sex]
        assert row["frakturhoehe"] == one.level
        assert row["gewicht"] == (
            f"{weight(one)},5" if n % 3 == 0 else "k.A." if n == 4 else str(weight(one))
        )
        assert row["poids"] == f"{weight(one) - 1},5"
        assert row["eva_j30"] == str(n % 4)
        assert row["date_de_controle_days"] == str(30 + n)
        left_out = n in (MARRIED, EXCHANGED) or n >= NO_LAB
        assert (pd.isna(row["crp_prae_op"])) == left_out
        assert left_out or float(row["crp_prae_op"]) == 3.5 + n


def test_what_a_person_must_see_is_named(handover):
    said = {(line["sheet"].split(",")[0], line["row"], line["what"]) for line in
            handover.list("study.clinical.csv")}  # fmt: skip
    assert {
        ("Register.xlsx", str(5 + MARRIED), "row to look at"),
        ("Register.xlsx", str(5 + HIDDEN), "hidden, read all the same"),
        ("Register.xlsx", str(5 + 6), "comment NOT read"),
        ("Register.xlsx", "", "worksheet NOT read"),
        ("suivi.csv", str(TWICE + 3), "row taken as one with another"),
        ("Labor.xlsx", str(2 + MARRIED), "row NOT paired"),
        ("Labor.xlsx", str(2 + EXCHANGED), "row NOT paired"),
        ("Labor.xlsx", "2", "row paired by name and birth date"),
    } <= said
    page = (handover.root / "study.handover.html").read_text(encoding="utf-8")
    for told in ("Alt 2019", f"row {TWICE + 3}: row taken as one", "comment NOT read"):
        assert told in page


def test_nothing_was_taken_by_name_before_it_was_confirmed(handover):
    first, second = handover.said
    line = re.search(rf"--pairs-by-name {NO_LAB - 2}-\w{{4}}", first)[0]
    page = handover.pages[0]
    assert f"if every row to CONFIRM is right: add {line}" in page
    assert "--pairs-by-name" not in second
    assert "crp" not in first.split("Open questions")[1]


def test_no_model_sees_a_weight_of_the_follow_up(handover):
    rows = pd.read_csv(handover.root / "study" / "dictionary.csv", dtype=str).set_index("column")
    assert tuple(rows.loc["gewicht", ["timing", "role"]]) == ("preoperative", "predictor")
    assert tuple(rows.loc["poids", ["timing", "role"]]) == ("postoperative", "other")
    assert "poids (`suivi`)" in handover.said[1]


def test_one_edited_file_makes_it_a_valid_study(handover, monkeypatch):
    monkeypatch.chdir(handover.root)
    text = Path("study/config.yaml").read_text(encoding="utf-8")
    lines = [line.strip() for line in handover.said[1].splitlines()]
    for option in ("outcome", "model_reader"):
        line = next(one for one in lines if one.startswith(f"{option}: "))
        text = text.replace(f"\n{option}: null", f"\n{line}", 1)
    Path("edited.yaml").write_text(text, encoding="utf-8")
    study = validate_study(load_config([Path("edited.yaml")]))
    assert len(study.clinical) == 24
    assert study.clinical["gewicht"].isna().sum() == 1


def test_nothing_of_a_person_is_in_the_study(handover):
    own = set()
    for one in handover.people:
        own |= _of(one)
    held = set(identities_of_linkage(handover.root / "study.linkage.json"))
    names = {one.value for one in held if one.kind == "name"}
    assert any("Kanarneuhaus" in name for name in names)  # the sheets' names are known, too
    for search in (Search(own), Search(held)):
        found = scan([handover.root / "study"], search)
        assert not found.leaks, found.leaks
    for path in (handover.root / "study").rglob("*"):
        text = path.read_bytes() if path.is_file() else b""
        assert b"anar" not in text.lower().replace(b"\0", b""), path
        assert "kan" not in path.name.casefold()


def _of(one: Patient) -> set[Identity]:
    found = {Identity("name", "x", text) for text in (f"{one.surname}^{one.given}", one.surname)}
    found |= {Identity("id", "x", text) for text in (one.id, one.id.lstrip("0"), one.accession)}
    found |= {Identity("date", "x", f"{day:%Y%m%d}") for day in (one.born, one.operated)}
    return found | {Identity("text", "x", REMARK.format(name=one.surname))}
