"""Remedies of the section of docs/bad_inputs.md of this name: what is typed."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import SimpleITK as sitk

from intake import phi_scan
from intake.handover.pairing.structures_of_mask import Told, structures
from pipeline.extraction import load_params
from pipeline.extraction.parameter_sets.compare import compare_settings
from pipeline.extraction.parameter_sets.margins import compare_margins
from pipeline.extraction.parameter_sets.sensitivity import vary
from pipeline.study.new_study import write_templates
from segmentation import propose, viewer
from segmentation.formats.mask_files import read_mask_file
from segmentation.structures.label_conventions import convention_of
from tests.pipeline.extraction.test_parameter_sets import FOLDER, table_of
from tests.remedies import Given, Remedy, called, entries, refused, says
from tests.remedies.tables_people import SOUGHT, Clinic
from tests.segmentation import test_propose, test_viewer
from tests.segmentation.structures.test_label_tables import label_map, xml
from tests.support.dicom_files import write_series
from tests.support.hospital import ANNA, CANARY, write_ct, write_mask

SECTION = "Commands"
READ_CT = "pipeline.imaging.read_ct"

# --- Intake --------------------------------------------------------------------------------------


def intake(folder: Path, given: tuple) -> None:
    """Take in a hospital's CT and mask; what is given stands for its folders and its table."""
    if not (folder / "dicom").exists():
        write_ct(ANNA, folder / "dicom" / "a")
        write_mask(folder / "masks" / "KH-0000471-A_L1_A.nrrd")
        row = {"patient_id": "1", "level": "L1", "reader": "A", "image": "dicom/a"}
        row["mask"] = "masks/KH-0000471-A_L1_A.nrrd"
        pd.DataFrame([row]).to_csv(folder / "table.csv", index=False)
    clinic = Clinic.__new__(Clinic)
    out = folder / "_".join(["out", *given]).replace("/", "-")
    Clinic.command(
        clinic, *(word if word.startswith("--") else folder / word for word in given),
        "--out", out, "--linkage", folder / f"{out.name}.json",
    )  # fmt: skip
    assert len(pd.read_csv(out / "cases.csv")) == 1


FOLDERS, TABLE = ("dicom", "masks"), ("--cases", "table.csv")


def nothing_readable(folder: Path) -> None:
    """The report beside the linkage says why, file by file; that remedy is applied."""
    clinic = Clinic(folder)
    path = clinic.masks / "KH-0000471-A_L1_A.nrrd"
    for one in (clinic.dicom / "a").iterdir():
        header = pydicom.dcmread(one)
        header.ManufacturerModelName = f"Model {str(header.PatientName).split('^')[0]}"
        header.save_as(one)
    refused(
        SECTION, "Intake: no mask could be read together with its CT",
        lambda: clinic.run("--headers", "keep"), "handover.csv says why, file by file",
    )  # fmt: skip
    _, _, check = clinic.report()[path.name]
    says(check, "must not name a patient", "Remedy: ")
    says(check.split("Remedy: ", 1)[1], "--headers clean")
    clinic.run("--headers", "clean")
    clinic.accepted()


def several_structures(folder: Path) -> None:
    """Its structures are named by level, or a convention says which number L1 is."""
    bad = "Intake: a mask file with several structures, none or several of the level in its name"

    def door(name: str, told: Told, values: tuple, convention: str | None, **names: str) -> str:
        table = xml({int(number[1:]): level for number, level in names.items()})
        held = read_mask_file(label_map(folder / name, table, values=values))
        chosen = None if convention is None else convention_of(convention)
        ((level, segment),) = structures(held, told, chosen)
        return f"{level} {segment.value}"

    told = Told(level="L1")
    refused(
        SECTION, bad, lambda: door("a.nii.gz", told, (5,), None, n5="T12"),
        "name the structures by level, give --convention, or hand in a table",
    )  # fmt: skip
    assert door("b.nii.gz", told, (5,), None, n5="L1") == "L1 5"
    assert door("c.nii.gz", told, (20, 21), "verse", n20="Label 20", n21="Label 21") == "L1 20"


# --- The search for identity ---------------------------------------------------------------------


def scanned(folder: Path, given: dict) -> None:
    for name in ("results", "hospital"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "results" / "a.txt").write_text("nothing")
    (folder / "who.json").write_text(json.dumps(SOUGHT))
    write_ct(ANNA, folder / "hospital" / "a")
    asked = {"paths": ["results"], "against": None, "source": None} | given
    phi_scan.main(
        Namespace(
            paths=[folder / name for name in asked["paths"]],
            against=asked["against"] and folder / asked["against"],
            source=asked["source"] and [folder / asked["source"]],
            only=True,
        )
    )


AGAINST, SOURCE = {"against": "who.json"}, {"source": "hospital"}


def found(folder: Path) -> None:
    """The files go; a run that no longer writes who it was leaves nothing to find."""
    (folder / "results").mkdir()
    leak = folder / "results" / "a.txt"
    (folder / "who.json").write_text(json.dumps(SOUGHT))
    given = Namespace(paths=[leak.parent], against=folder / "who.json", source=None, only=True)
    leak.write_text(CANARY)
    refused(
        SECTION, "phi-scan: a name, id, date or UID was found", lambda: phi_scan.main(given),
        "remove these files, mend what wrote them, and run the study again",
    )  # fmt: skip
    leak.unlink()
    phi_scan.main(given)
    leak.write_text("P-0001")
    phi_scan.main(given)


# --- Proposals -----------------------------------------------------------------------------------

SEED = test_propose.SEED
AROUND = (-25, -25, -5, 35, 20, 30)


def proposed(folder: Path, options: dict) -> object:
    image, _ = test_propose.phantom(spacing=(2.0, 2.0, 2.0))
    return propose.propose(image, **options)


def proposal(folder: Path, given: tuple[str, str]) -> None:
    """Propose a mask by the command: its level, and the name of its file."""
    level, name = given
    ct = folder / "ct.nrrd"
    if not ct.exists():
        sitk.WriteImage(test_propose.phantom(spacing=(2.0, 2.0, 2.0))[0], str(ct))
    test_propose.run(ct, "--seed=5,-3,12", "--level", level, "--out", folder / name)
    assert (folder / name).exists()


# --- Others ---------------------------------------------------------------------------------------


def overwritten(folder: Path) -> None:
    """Both ways: another folder, or the files are moved away."""
    (folder / "a").mkdir()
    mine = folder / "a" / "clinical.csv"
    mine.write_text("mine")
    refused(
        SECTION, "new: the folder already holds files of these names",
        lambda: write_templates("s", folder / "a"),
        "choose another --folder, or move the files away",
    )  # fmt: skip
    write_templates("s", folder / "b")
    mine.rename(folder / "mine.csv")
    assert mine in write_templates("s", folder / "a")


def written(folder: Path, name: str) -> None:
    """Write a CT by the command to a file of this name."""
    if not (folder / "ct").exists():
        write_series(folder / "ct")
    called(READ_CT, folder / "ct", "--out", folder / name)
    assert (folder / name).exists()


def ct_refused(folder: Path) -> None:
    """Each error is printed with its remedy, and the whole series is taken."""
    write_series(folder / "ct", step=7.0)
    command = (READ_CT, folder / "ct", "--out", folder / "ct.nrrd")
    refused(
        SECTION, "read-ct: a CT with an error", lambda: called(*command),
        "raise checks.max_slice_spacing_mm",
    )  # fmt: skip
    assert not (folder / "ct.nrrd").exists()
    called(*command, "--max-slice-spacing-mm", "7")


def pages(folder: Path, processes: int) -> None:
    """Write the readers' pages of a study."""
    options = test_viewer.command_options(test_viewer.study_in(folder), folder, processes)
    viewer.main(options)
    assert options.out.exists()


MEAN = "original_firstorder_Mean"
BASE = table_of({MEAN: [1.0, 2.0, 3.0]})
PUBLISHED = (FOLDER / "ge2025.yaml").read_text(encoding="utf-8")


def margins(folder: Path, given: tuple[int, int]) -> pd.DataFrame:
    """Compare the values of a region within one margin with those within a reference."""
    margin, reference = given
    noise = np.random.default_rng(1).normal(0, 200, (30, 30, 30))
    mask = np.zeros(noise.shape, np.uint8)
    mask[11:18, 12:18, 11:19] = 3
    for name, array in (("ct", noise.astype(np.int16)), ("mask", mask)):
        sitk.WriteImage(sitk.GetImageFromArray(array), str(folder / f"{name}.nrrd"))
    params = load_params(
        {
            "setting": {"binWidth": 25, "resampledPixelSpacing": [1, 1, 1]},
            "featureClass": {"firstorder": None},
        }
    )
    files = (folder / "ct.nrrd", folder / "mask.nrrd")
    return compare_margins(*files, params, label=3, margins=(margin,), reference=reference)


GIVEN: dict[str, Given] = {
    "Intake: both folders and `--cases`": (
        intake, [(*FOLDERS, *TABLE)], "leave one of them out", [FOLDERS, TABLE],
    ),
    "Intake: neither folders nor `--cases`": (
        intake, [()], "name both folders, or write --cases TABLE.csv", [FOLDERS, TABLE],
    ),
    "Intake: DICOM_ROOT or MASK_ROOT is no folder": (
        intake, [("dicmo", "masks"), ("dicom", "maks")], "check the path and the mount", [FOLDERS],
    ),
    "phi-scan: a folder or file that does not exist": (
        scanned, [AGAINST | {"paths": ["reslts"]}], "correct its path",
        [AGAINST | {"paths": ["results"]}, AGAINST | {"paths": ["results/a.txt"]}],
    ),
    "phi-scan: neither --against nor --source": (
        scanned, [{}], "name --against LINKAGE or --source", [AGAINST, SOURCE],
    ),
    "phi-scan: --source is no folder": (
        scanned, [{"source": "who.json"}, {"source": "nowhere"}], "correct its path", [SOURCE],
    ),
    "propose: neither --seed nor --box": (
        proposed, [{}], "pass --seed or --box", [{"seed_mm": SEED}, {"box_mm": AROUND}],
    ),
    "propose: a threshold that is no number, or a closing below zero": (
        proposed,
        [{"seed_mm": SEED, "threshold_hu": float("nan")}, {"seed_mm": SEED, "closing_mm": -1.0}],
        "leave out --threshold and --closing, or give such numbers",
        [{"seed_mm": SEED}, {"seed_mm": SEED, "threshold_hu": 150.0, "closing_mm": 2.0}],
    ),
    "propose: a seed outside its box": (
        proposed, [{"seed_mm": SEED, "box_mm": (20, 20, 20, 40, 40, 40)}],
        r"leave out --seed \(the middle of the box is taken\), or correct one of the two",
        [{"box_mm": AROUND}, {"seed_mm": SEED, "box_mm": AROUND}],
    ),
    "propose: a level that is neither thoracic nor lumbar": (
        proposal, [("C4", "a.seg.nrrd")], "write T1-T13 or L1-L6",
        [("L1", "b.seg.nrrd"), ("T13", "c.seg.nrrd")],
    ),
    "propose: a file that does not end in .seg.nrrd": (
        proposal, [("L1", "L1.nii.gz")], "let its name end in .seg.nrrd", [("L1", "L1.seg.nrrd")],
    ),
    "read-ct: --out does not end in .nrrd": (
        written, ["ct.nii"], "let the name of --out end in .nrrd", ["ct.nrrd"],
    ),
    "The readers' pages: --processes below 1": (pages, [0, -1], "write 1 or more", [1]),
    "Margins of the extraction compared (docs/parameters.md): a margin that is not smaller than "
    "--reference": (
        margins, [(5, 5), (6, 5)], "choose a larger --reference", [(5, 6)],
    ),
    "Parameter files compared (docs/parameters.md): tables without common rows": (
        lambda _, other: compare_settings(BASE, other),
        [BASE.assign(reader="B"), BASE.rename(columns={MEAN: "x_y_z"})],
        "take features.parquet of two runs of one study", [BASE.assign(**{MEAN: [2.0, 3.0, 5.0]})],
    ),
    "A list of parameter variations, one of which changes nothing": (
        lambda _, variations: [
            vary(PUBLISHED, "finer", {"reason": "x", "change": change}) for change in variations
        ],
        [[{"binwidth": 10}]], "take the variation out of the list, or let it change a setting",
        [[], [{"binWidth": 10}]],
    ),
}  # fmt: skip
REMEDIES: dict[str, Remedy] = {
    **entries(SECTION, GIVEN),
    "Intake: no mask could be read together with its CT": nothing_readable,
    "Intake: a mask file with several structures, none or several of the level in its name": (
        several_structures
    ),
    "phi-scan: a name, id, date or UID was found": found,
    "new: the folder already holds files of these names": overwritten,
    "read-ct: a CT with an error": ct_refused,
}
