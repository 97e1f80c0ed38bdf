"""The loop of correction: open in 3D Slicer, save beside the original, take in again."""

from __future__ import annotations

import ast
import json
import stat
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import pandas as pd
import pytest

from intake import correct
from intake.handover.people.linkage import read_linkage
from pipeline.core.files import write_table
from pipeline.tables.schemas.images.preflight import Preflight
from tests.intake.test_register_patients import Folder
from tests.support.hospital import write_small, write_small_mask
from tests.support.refusals import refusal


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path)
    write_small(folder.dicom / "x", "4711", mask="4711 'L1'_rA.nrrd")
    write_small(folder.dicom / "y", "4712", mask="4712_L1_rA.nrrd", lift=40)
    folder.run()
    return folder


def run(folder: Folder, *arguments: object) -> None:
    given = [folder.out, "--linkage", folder.linkage, *arguments]
    correct.main(correct._arguments().parse_args(list(map(str, given))))


def case_of(folder: Folder, patient: str) -> str:
    return f"{folder.pseudonyms()[patient]}-ct1-L1"


def test_the_originals_are_opened_in_the_hospital(folder, capsys):
    run(folder, "--case", case_of(folder, "4711"))
    scripts = folder.linkage.parent / f"{folder.out.name}.corrections"
    (path,) = scripts.glob("*.py")
    told = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Assign) and node.targets[0].id.isupper()
    }
    assert Path(told["IMAGE"]) == folder.dicom / "x" / "ct"
    assert Path(told["MASK"]) == folder.dicom / "x" / "4711 'L1'_rA.nrrd"
    assert Path(told["TARGET"]).name == "4711 'L1'_rA_v2.seg.nrrd"
    scan = read_linkage(folder.linkage).scans[case_of(folder, "4711").removesuffix("-L1")]
    assert told["SERIES"] == scan["series"]
    assert told["LEVEL"] == "L1"
    page = (scripts / "index.html").read_text()
    assert "this page stays in the hospital" in page
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert f'Slicer --python-script "{path.resolve()}"' in capsys.readouterr().out


def test_the_script_saves_the_correction_and_never_over_a_file(folder, monkeypatch):
    """Run with stand-ins for 3D Slicer's modules, which the tests have not."""
    run(folder, "--case", case_of(folder, "4712"))
    (path,) = (folder.linkage.parent / f"{folder.out.name}.corrections").glob("*.py")
    slicer, qt = MagicMock(), MagicMock()
    monkeypatch.setitem(sys.modules, "slicer", slicer)
    monkeypatch.setitem(sys.modules, "qt", qt)
    monkeypatch.setitem(sys.modules, "DICOMLib", SimpleNamespace(DICOMUtils=MagicMock()))
    names: dict = {}
    exec(compile(path.read_text(), str(path), "exec"), names)
    slicer.util.loadSegmentation.assert_called_once_with(str(folder.dicom / "y/4712_L1_rA.nrrd"))
    names["save"]()
    target = str(folder.dicom / "y" / "4712_L1_rA_v2.seg.nrrd")
    slicer.util.saveNode.assert_called_once_with(names["mask"], target)
    Path(target).write_bytes(b"")
    names["save"]()
    slicer.util.saveNode.assert_called_once()
    slicer.util.errorDisplay.assert_called_once()


def test_without_a_linkage_the_copies_are_opened_and_nothing_names_the_hospitals_files(
    folder, tmp_path
):
    elsewhere = tmp_path / "elsewhere" / "study"
    elsewhere.parent.mkdir()
    folder.out.rename(elsewhere)
    given = [str(elsewhere), "--case", case_of(folder, "4711")]
    correct.main(correct._arguments().parse_args(given))
    written = elsewhere.with_name("study.corrections")
    text = "".join(path.read_text() for path in written.iterdir())
    assert "4711" not in text
    assert "this page stays" not in text
    assert f"{case_of(folder, '4711')}_A_v2.seg.nrrd" in text


def test_all_masks_with_an_error_are_listed_with_what_the_preflight_says(folder, capsys):
    results = folder.root / "results"
    finding = {"code": "mask-too-small", "severity": "error", "message": "The mask is too small",
               "remedy": "draw it", "about": "mask"}  # fmt: skip
    rows = [
        {"case_id": case_of(folder, patient), "scan_id": "s", "patient_id": "p", "level": "L1",
         "reader": reader, "verdict": verdict, "findings": json.dumps(findings),
         "image_file": "i", "mask_file": "m"}
        for patient, reader, verdict, findings in (
            ("4711", "A.v2", "error", [finding]), ("4712", "A", "ok", []),
        )
    ]  # fmt: skip
    (results / "tables").mkdir(parents=True)
    write_table(pd.DataFrame(rows), results / "tables" / "preflight.parquet", Preflight)
    run(folder, "--results", results)
    page = folder.linkage.parent / f"{folder.out.name}.corrections" / "index.html"
    assert "The mask is too small. Draw it." in page.read_text()
    assert "4712" not in page.read_text()
    assert "4711" in capsys.readouterr().out or "4711" in page.read_text()


def test_what_cannot_be_opened_is_told(folder, tmp_path):
    with refusal("correct-no-such-mask", match="readers of this case: A"):
        run(folder, "--case", case_of(folder, "4711"), "--reader", "B")
    with refusal("correct-nothing-named"):
        run(folder)
    with refusal("correct-no-preflight"):
        run(folder, "--results", tmp_path)
    with refusal("correct-no-study"):
        given = [str(tmp_path), "--case", "x", "--linkage", str(folder.linkage)]
        correct.main(correct._arguments().parse_args(given))
    with refusal("correct-no-linkage"):
        given = [str(folder.out), "--case", "x", "--linkage", str(tmp_path / "none.json")]
        correct.main(correct._arguments().parse_args(given))


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("4711_L1.seg.nrrd", "4711_L1_v2.seg.nrrd"),
        ("4711_L1_v2.seg.nrrd", "4711_L1_v3.seg.nrrd"),
        ("4711_L1_corrected.nii.gz", "4711_L1_v2.seg.nrrd"),
    ],
)
def test_a_correction_gets_the_next_name_that_is_free(tmp_path, name, target):
    (tmp_path / name).write_bytes(b"")
    assert correct.next_version(tmp_path / name).name == target


def test_an_edit_in_place_is_noticed_and_said(folder, capsys):
    path = folder.dicom / "y" / "4712_L1_rA.nrrd"
    write_small_mask(path, value=2, lift=40)
    capsys.readouterr()
    rows = folder.run()
    assert {row["version"] for row in rows if "4712" not in row["mask"]} == {"1", "2"}
    assert "1 masks edited in place since the last time" in capsys.readouterr().out
    told = {Path(line["file"]).name: line["check"] for line in folder.lines()}
    assert told["4712_L1_rA.nrrd"] == "edited in place since the last time: taken as version 2"
    folder.run()
    assert "edited in place" not in capsys.readouterr().out


def test_an_edit_of_the_studys_copy_is_noticed_and_said(folder, capsys):
    (copy,) = (folder.out / "masks").glob(f"{case_of(folder, '4712')}*")
    write_small_mask(copy, value=3, lift=40)
    capsys.readouterr()
    folder.run()
    assert "1 masks edited in place since the last time, or copies" in capsys.readouterr().out
    told = {Path(line["file"]).name: line["check"] for line in folder.lines()}
    assert f"its copy masks/{copy.name} in the study was edited" in told["4712_L1_rA.nrrd"]


def test_a_correction_of_a_copy_is_taken_in_by_its_pseudonym_and_letter(tmp_path):
    """Whoever corrects elsewhere knows neither the patient nor the reader's name."""
    folder = Folder(tmp_path)
    write_small(folder.dicom / "x", "4711", level=None)
    for value, reader in enumerate(("wang", "li"), start=1):
        write_small_mask(folder.dicom / reader / "4711_L1.nrrd", value=value)
    folder.run("--readers", "wang,li")
    (letter,) = [one for one, name in read_linkage(folder.linkage).readers.items() if name == "li"]
    write_small_mask(folder.dicom / "back" / f"{case_of(folder, '4711')}_{letter}_v2.nrrd", value=5)
    rows = folder.run("--readers", "wang,li")
    told = sorted((row["reader"], row["version"]) for row in rows)
    assert told == sorted([("A", "1"), ("B", "1"), (letter, "2")])
