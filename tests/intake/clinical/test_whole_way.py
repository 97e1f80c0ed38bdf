"""From a hospital's folders and its sheets to a valid study: two commands, one edited file."""

from __future__ import annotations

import csv
import re
import stat
from pathlib import Path

import pandas as pd
import pytest

from intake import pseudonymous_study as module
from intake.handover.people.linkage import read_linkage
from intake.identity.byte_search import Search
from intake.phi_scan import identities_of_linkage, scan
from pipeline.core.errors import StudyError
from pipeline.imaging.dicom.dicom_identity import Identity
from pipeline.study.config import load_config
from pipeline.validate import validate_study
from tests.support.hospital_sheet import (
    FREE,
    patients,
    write_follow_up,
    write_images,
    write_sheet,
)
from tests.support.refusals import refusal

COUNT = 12


class Ward:
    """A handover of twelve patients, and the command that takes it in."""

    def __init__(self, root: Path) -> None:
        self.root, self.people = root, patients(COUNT)
        self.sheet, self.later = (
            root / "sheets" / "Register.xlsx",
            root / "sheets" / "Nachsorge.csv",
        )
        write_images(self.people, root / "pacs", root / "masks")
        write_sheet(self.sheet, self.people)
        write_follow_up(self.later, self.people)

    def intake(self, *arguments: object) -> None:
        told = [self.root / "pacs", self.root / "masks", "--clinical", self.sheet]
        told += ["--out", "study", *arguments]
        module.main(module._arguments().parse_args(list(map(str, told))))

    def listed(self) -> list[dict]:
        with open("study.clinical.csv", encoding="utf-8") as stream:
            return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ward, str]:
    """Take the handover in once; return it and what the screen said."""
    import contextlib
    import io

    root = tmp_path_factory.mktemp("ward")
    ward, said = Ward(root), io.StringIO()
    with contextlib.chdir(root), contextlib.redirect_stdout(said):
        ward.intake("--clinical", ward.later)
    return ward, said.getvalue()


@pytest.fixture
def ward(made, monkeypatch: pytest.MonkeyPatch) -> Ward:
    monkeypatch.chdir(made[0].root)
    return made[0]


def test_every_row_is_with_its_patient(ward):
    table = pd.read_csv("study/clinical.csv", dtype=str).set_index("patient_id")
    linkage = read_linkage(Path("study.linkage.json"))
    assert len(table) == COUNT
    for n, one in enumerate(ward.people):
        row = table.loc[linkage.known(one.id)]
        assert row["alter"] == str(one.age)
        assert row["geschlecht"] == {"F": "female", "M": "male"}[one.sex]
        assert row["frakturhoehe"] == ("L1", "T12", "L2", "T11")[n % 4]
        assert row["gewicht"] == str(52 + (5 * n) % 40) + (",5" if n % 4 == 1 else "")
        if n < COUNT - 2:  # of the sheet that knows accession numbers alone
            assert row["odi_6_monate"] == str(12 + (3 * n) % 30)
            assert row["datum_kontrolle_days"] == str(180 + n)
        else:
            assert pd.isna(row["odi_6_monate"])


def test_the_draft_is_valid_and_one_edited_file_makes_it_a_study(ward, made):
    config = Path("study/config.yaml")
    assert validate_study(load_config([config])).config["outcome"] is None
    text = config.read_text(encoding="utf-8")
    lines = [line.strip() for line in made[1].splitlines()]
    for option in ("outcome", "model_reader"):
        line = next(one for one in lines if one.startswith(f"{option}: "))
        text = text.replace(f"\n{option}: null", f"\n{line}", 1)
    own = Path("edited.yaml")
    own.write_text(text, encoding="utf-8")
    study = validate_study(load_config([own]))
    roles = study.dictionary.set_index("column")["role"]
    assert roles["vas_prae_op"] == "predictor"
    assert roles["vas_tag_30"] == "outcome"
    assert roles["crp"] == "other"  # nobody said when it is known
    assert study.clinical["vas_tag_30"].isna().sum() == 1  # -99
    assert study.clinical["groesse"].isna().sum() == 1  # k.A.


def test_nothing_of_a_person_is_in_the_study(ward):
    own = set()
    for one in ward.people:
        own |= {Identity("name", "x", text) for text in (one.surname, one.given)}
        own |= {Identity("id", "x", text) for text in (one.id, one.id.lstrip("0"), one.accession)}
        own |= {Identity("date", "x", f"{day:%Y%m%d}") for day in (one.born, one.operated)}
        own |= {Identity("text", "x", FREE.format(name=one.surname))}
        own |= {Identity("text", "x", f"0711 55 {one.number:04d}")}
    held = set(identities_of_linkage(Path("study.linkage.json")))
    assert {one.value for one in own if one.kind in ("name", "date")} - {
        one.value for one in held
    } <= {text for one in ward.people for text in (one.surname, one.given)}
    for search in (Search(own), Search(held)):
        found = scan([Path("study")], search)
        assert not found.leaks, found.leaks
    for name in ("study.clinical.csv", "study.linkage.json"):
        assert stat.S_IMODE(Path(name).stat().st_mode) == 0o600


def test_the_scan_would_see_a_name_in_the_table(ward, tmp_path):
    (tmp_path / "clinical.csv").write_text(f"patient_id\n{ward.people[3].surname}\n")
    held = set(identities_of_linkage(Path("study.linkage.json")))
    assert scan([tmp_path], Search(held)).leaks


def test_the_screen_says_what_was_left_out_and_what_is_open(made):
    said = made[1]
    for told in (
        "Clinical sheet: 24 rows; 12 of 12 patients",
        "Pat.-ID, Untersuchungsnr.: numbers of patients",
        "Name, Vorname: names, by the header",
        "OP-Datum: the day of the operation",
        "Bemerkung: free text",
        "1. outcome (needed, config.yaml)",
        "2. readers (needed, config.yaml)",
        "missing_values: ['k.A.', '?', -99, '<5']",
        "until somebody says it, no model sees them: crp".capitalize(),
        "vertebromics check --config study/config.yaml",
    ):
        assert told.casefold() in said.casefold(), told
    for one in made[0].people:
        assert one.surname not in said
        assert one.id.lstrip("0") not in said


def test_the_walk_through_quotes_what_the_screen_says(made, repository):
    page = (repository / "docs" / "hospital.md").read_text(encoding="utf-8")
    said = made[1]
    quoted = page.split("```text\n")[1].split("\n```")[0]
    said = re.sub(r"COLUMN=\w{4}\b", "COLUMN=k7fq", said)  # with a random key
    assert quoted == said[said.index("Clinical sheet:") :].rstrip()


def test_the_list_for_the_hospital_names_the_rows(ward):
    lines = ward.listed()
    (mean,) = [line for line in lines if "sums up" in line["why"]]
    assert mean["row"] == str(4 + COUNT + 1)
    assert {line["column"] for line in lines if line["what"] == "column left out"} >= {
        *("Lfd. Nr.", "Pat.-ID", "Name, Vorname", "geb. am", "OP-Datum", "Bemerkung", "Telefon")
    }


def test_the_days_of_scans_are_counted_from_the_operation(ward):
    cases = pd.read_csv("study/cases.csv", dtype=str)
    assert set(cases["days_from_surgery"]) == {"-2"}
    order = pd.read_csv("study/clinical.csv", dtype=str).set_index("patient_id")["enrolment"]
    linkage = read_linkage(Path("study.linkage.json"))
    told = [order[linkage.known(one.id)] for one in ward.people]
    assert told == [str(n) for n in range(1, COUNT + 1)]


@pytest.fixture
def again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ward:
    """A handover of four patients, for what changes a study."""
    monkeypatch.setattr("tests.intake.clinical.test_whole_way.COUNT", 4)
    monkeypatch.chdir(tmp_path)
    return Ward(tmp_path)


def test_what_somebody_edited_stays(again, capsys):
    again.intake()
    dictionary = Path("study/dictionary.csv")
    edited = dictionary.read_text().replace(
        "crp,CRP,continuous,,,,other", "crp,CRP,continuous,mg/l,,preoperative,predictor"
    )
    dictionary.write_text(edited)
    Path("study/config.yaml").write_text("study: mine\n")
    before = Path("study/clinical.csv").read_bytes()
    again.intake("--clinical", again.later)
    assert Path("study/config.yaml").read_text() == "study: mine\n"
    table = pd.read_csv(dictionary, dtype=str).set_index("column")
    assert table.loc["crp", "unit"] == "mg/l"
    assert table.loc["odi_6_monate", "role"] == "outcome"
    assert Path("study/clinical.csv").read_bytes() != before
    assert "kept as you edited them: dictionary.csv, config.yaml" in capsys.readouterr().out
    again.intake()  # the follow-up is gone, and so are its rows
    assert "odi_6_monate" not in pd.read_csv(dictionary)["column"].tolist()


def test_a_table_edited_by_hand_is_not_lost(again):
    again.intake()
    path = Path("study/clinical.csv")
    path.write_text(path.read_text() + "\n")
    with refusal("clinical-table-changed-by-hand", StudyError) as caught:
        again.intake()
    assert "move this file away" in caught.value.remedy
    path.rename("mine.csv")
    again.intake()
    assert path.exists()
