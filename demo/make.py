"""Make the demo study: DICOM CT, two readers' masks, a clinical table with its dictionary.

What is written is a registered study (docs/privacy.md), and nothing of it is real. The outcome
follows a mechanism that is documented in docs/demo.md and written to truth.json; no stage of the
pipeline reads that file.
"""

from __future__ import annotations

import argparse
import io
import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd

from demo import cohort, ct_series, readers
from demo.anatomy import Grid, draw_spine
from demo.files import write_if_changed
from demo.painting import paint
from pipeline.core import command
from pipeline.core.errors import StudyError
from pipeline.core.files import read_json, write_json
from pipeline.core.seeds import derive_seed
from pipeline.running.fingerprint import code_fingerprint
from pipeline.study.option_numbers import PROCESSES, SEED, bounded_number, number_within
from pipeline.tables.registered import write_marker

SPACING_MM = (3.0, 0.7, 0.7)
"""Slice distance and pixel size, (z, y, x)."""

MATRIX = (144, 128)
SLICES = 32
SLICES_PER_FURTHER_LEVEL = 11

TEXTURE_COEFFICIENT = 1.6
"""Log odds of the outcome per standard deviation of the log of the texture's length."""

TEXTURE_MM = 1.9
TEXTURE_LOG_SD = 0.35
"""Median and log standard deviation of the patients' trabecular correlation length."""

PREVALENCE = 1 / 3
LEVEL_SHARES = {"T11": 0.12, "T12": 0.28, "L1": 0.32, "L2": 0.18, "L3": 0.10}

SPECIAL = {
    3: "two vertebrae",
    5: "body cut by the lowest slice",
    8: "empty segment of reader B",
    10: "younger than the study admits",
    12: "level missing from the label map of reader A",
    14: "no pain score at day 30",
    16: "malignancy",
    23: "two vertebrae",
    43: "two vertebrae",
    63: "two vertebrae",
}
"""What is planted in the patients of these numbers, so that every branch of a study is walked."""

LOCALIZER_EVERY = 9
"""Every so many patients, the folder of the CT also holds a localizer."""


@dataclass(frozen=True)
class Patient:
    """One patient before anything is painted or lost.

    Attributes
    ----------
    number : int
        From 1.
    clinical : pandas.DataFrame
        One row: what is known before and during surgery.
    texture : float
        Standard normal value behind the trabecular texture.
    outcome : int
        0 or 1.
    """

    number: int
    clinical: pd.DataFrame
    texture: float
    outcome: int

    @property
    def name(self) -> str:
        """Pseudonym, with leading zeros that every table must keep."""
        return f"{self.number:04d}"

    @property
    def special(self) -> str | None:
        """What is planted in this patient, if anything."""
        return SPECIAL.get(self.number)


def draw_patient(number: int, seed: int) -> Patient:
    """Draw one patient, independent of how many others a study has.

    Parameters
    ----------
    number : int
        Number of the patient, from 1.
    seed : int
        Seed of the study.
    """
    rng = np.random.default_rng(derive_seed(seed, "demo", number, "clinical"))
    clinical = cohort.draw_patients(1, rng)
    if SPECIAL.get(number) == "younger than the study admits":
        clinical["age"] = 46.0
    if SPECIAL.get(number) == "malignancy":
        clinical["malignancy"] = "yes"
    texture = float(rng.standard_normal())
    logit = cohort.clinical_logit(clinical) + TEXTURE_COEFFICIENT * texture
    return Patient(number, clinical, texture, int(cohort.draw_events(logit, intercept(), rng)[0]))


@cache
def intercept() -> float:
    """Return the intercept of the log odds, from a large population instead of the study at hand.

    So a patient's outcome stays as it is when the demo is made larger.
    """
    rng = np.random.default_rng(0)
    population = cohort.draw_patients(20_000, rng)
    texture = rng.standard_normal(len(population))
    logit = cohort.clinical_logit(population) + TEXTURE_COEFFICIENT * texture
    return cohort.intercept_for(logit, PREVALENCE)


def write_patient(number: int, seed: int, folder: Path) -> tuple[list[dict], dict]:
    """Write the scan and the masks of one patient.

    Parameters
    ----------
    number : int
        Number of the patient, from 1.
    seed : int
        Seed of the study.
    folder : pathlib.Path
        Folder of the study.

    Returns
    -------
    cases : list of dict
        Rows of cases.csv.
    truth : dict
        What was planted.
    """
    patient = draw_patient(number, seed)
    rng = np.random.default_rng(derive_seed(seed, "demo", number, "scan"))
    clinical = patient.clinical.iloc[0]

    first = str(rng.choice(list(LEVEL_SHARES), p=list(LEVEL_SHARES.values())))
    levels = [first]
    if patient.special == "two vertebrae":
        levels.append({"T11": "T12", "T12": "L1", "L1": "L2", "L2": "L3", "L3": "L4"}[first])
    texture_mm = TEXTURE_MM * np.exp(TEXTURE_LOG_SD * patient.texture)
    density = 105 + 38 * (clinical["bone_density_t"] + 3.2) + rng.normal(0, 8)
    spine = draw_spine(
        levels,
        rng,
        size=rng.normal(1.04 if clinical["sex"] == "M" else 0.96, 0.03),
        density=max(density, 40.0),
        texture_mm=texture_mm,
        cleft=clinical["ivc"] == "yes",
    )
    sharp = rng.random() < 0.5
    grid = _grid(len(levels), rng, cut=patient.special == "body cut by the lowest slice")
    volume = paint(
        spine,
        grid,
        rng,
        fatty_muscle=0.05 + 0.1 * clinical["goutallier"],
        noise_hu=21.0 if sharp else 16.0,
    )
    scan = ct_series.Scan(
        patient=f"DEMO-{patient.name}",
        sex=clinical["sex"],
        names=("vertebromics demo", seed, number),
        model="Demo 64 sharp" if sharp else "Demo 64",
        kernel="B60s" if sharp else "B40s",
        kvp=130 if rng.random() < 0.3 else 120,
    )
    # Scanners measure from somewhere on the table; the anatomy's own origin would be a giveaway.
    shift = np.round(np.array([rng.uniform(-1200, -700), *rng.uniform(-180, 180, 2)]), 1)
    table_grid = Grid(
        grid.shape,
        grid.spacing,
        tuple(float(o + s) for o, s in zip(grid.origin, shift, strict=True)),
    )
    series = folder / "dicom" / patient.name
    ct_series.write_series(volume, table_grid, scan, series)
    if number % LOCALIZER_EVERY == 0:
        ct_series.write_localizer(volume, table_grid, scan, series / "IM0000.dcm")

    targets = [vertebra for vertebra in spine if vertebra.level in levels]
    masks, readings = _read(targets, grid, number, seed)
    if patient.special == "empty segment of reader B":
        masks["B"] = {level: np.zeros_like(mask) for level, mask in masks["B"].items()}
    files = {
        "A": folder / "masks" / "A" / f"{patient.name}.nrrd",
        "B": folder / "masks" / "B" / f"{patient.name}.seg.nrrd",
    }
    drawn = masks["A"]
    if patient.special == "level missing from the label map of reader A":
        # The reader numbered the vertebra above by mistake.
        drawn = {spine[1].level: next(iter(drawn.values()))}
    readers.write_label_map(drawn, table_grid, files["A"])
    readers.write_segmentation(masks["B"], table_grid, files["B"], cropped=number % 2 == 0)

    days = -int(rng.integers(1, 15))
    rows = [
        {
            "patient_id": patient.name,
            "scan_id": f"{patient.name}-CT",
            "case_id": f"{patient.name}-{level}",
            "level": level,
            "reader": reader,
            "image": series.relative_to(folder).as_posix(),
            "series": None,
            "mask": files[reader].relative_to(folder).as_posix(),
            "label": str(readers.label_number(level)) if reader == "A" else level,
            "days_from_surgery": days,
        }
        for level in levels
        for reader in readers.READERS
    ]
    truth = {
        "patient_id": patient.name,
        "outcome": patient.outcome,
        "texture": round(patient.texture, 6),
        "texture_mm": round(float(texture_mm), 6),
        "levels": levels,
        "special": patient.special,
        "readings": readings,
    }
    return rows, truth


def _grid(n_levels: int, rng: np.random.Generator, *, cut: bool) -> Grid:
    """Return the scan's grid around the anatomy's origin, in mm."""
    slices = SLICES + SLICES_PER_FURTHER_LEVEL * (n_levels - 1)
    low = -SPACING_MM[0] * (slices - 1) / 2 + rng.uniform(-1.5, 1.5)
    if cut:
        # The lowest slice runs through the body, which begins some 11 mm below the origin.
        slices, low = 18, -5.0
    low, left, front = np.round(
        [low, -MATRIX[1] / 2 * SPACING_MM[2] + rng.uniform(-4, 4), -33.0], 1
    )
    return Grid((slices, *MATRIX), SPACING_MM, (float(low), float(front), float(left)))


def _read(targets: list, grid: Grid, number: int, seed: int) -> tuple[dict, dict]:
    """Return both readers' masks, ``{reader: {level: mask}}``, and what went wrong in each."""
    masks: dict = {}
    readings: dict = {}
    for reader in readers.READERS:
        masks[reader], readings[reader] = {}, {}
        rng = np.random.default_rng(derive_seed(seed, "demo", number, "reader", reader))
        taken = np.zeros(grid.shape, dtype=bool)
        for vertebra in targets:
            reading = readers.draw_reading(rng)
            mask = readers.read_body(vertebra, grid, reading, rng) & ~taken
            taken |= mask
            masks[reader][vertebra.level] = mask
            readings[reader][vertebra.level] = asdict(reading)
    return masks, readings


def clinical_table(n_patients: int, seed: int) -> pd.DataFrame:
    """Return the clinical table, one row a patient, with the gaps that real tables have."""
    patients = [draw_patient(number, seed) for number in range(1, n_patients + 1)]
    rows = []
    for patient in patients:
        rng = np.random.default_rng(derive_seed(seed, "demo", patient.number, "follow-up"))
        row = cohort.add_follow_up(patient.clinical, np.array([patient.outcome]), rng)
        row = cohort.lose_values(row, rng)
        if patient.special == "no pain score at day 30":
            row["vas_day30"] = np.nan
        row.insert(0, "patient_id", patient.name)
        rows.append(row)
    return pd.concat(rows, ignore_index=True)


def make_study(folder: Path, n_patients: int, seed: int, jobs: int = 1) -> dict:
    """Write the whole study and return what truth.json holds.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the study; files that are there with the same content stay untouched.
    n_patients : int
        Number of patients. A larger study holds the patients of a smaller one unchanged.
    seed : int
        Seed of all draws; equal arguments give equal bytes.
    jobs : int, default=1
        Processes; 1 stays in this one.
    """
    if not 1 <= n_patients <= 9999:
        raise StudyError(
            "The demo has 1 to 9999 patients",
            found=n_patients,
            remedy="write a number from 1 to 9999",
            code="demo-patients-count",
        )
    write = partial(write_patient, seed=seed, folder=folder)
    numbers = range(1, n_patients + 1)
    with ExitStack() as stack:
        run = map if jobs == 1 else stack.enter_context(ProcessPoolExecutor(jobs)).map
        results = []
        for done, result in enumerate(run(write, numbers), start=1):
            results.append(result)
            command.progress("demo", done, n_patients, result[1]["patient_id"])
    cases = pd.DataFrame([row for rows, _ in results for row in rows])
    _write_csv(cases, folder / "cases.csv")
    write_marker(folder, "demo", cases)
    _write_csv(clinical_table(n_patients, seed), folder / "clinical.csv")
    _write_csv(cohort.dictionary(("patient_id", "Patient")), folder / "dictionary.csv")
    truth = {
        **_stamp(n_patients, seed),
        "files": _count_files(folder),
        "prevalence": PREVALENCE,
        **cohort.describe_mechanism(intercept()),
        "texture": {
            "coefficient": TEXTURE_COEFFICIENT,
            "enters_as": f"log(texture_mm / {TEXTURE_MM:g}) / {TEXTURE_LOG_SD:g}",
        },
        "drawn": [truth for _, truth in results],
    }
    write_json(truth, folder / "truth.json")
    return truth


def made_already(folder: Path, n_patients: int, seed: int) -> bool:
    """Return whether `folder` holds this very study, made by this code, with all its files.

    The content of the files is not looked at: who changes a table to see what happens keeps it.
    """
    if not (folder / "truth.json").exists():
        return False
    truth = read_json(folder / "truth.json")
    wanted = {**_stamp(n_patients, seed), "files": _count_files(folder)}
    return all(truth.get(key) == value for key, value in wanted.items())


def _stamp(n_patients: int, seed: int) -> dict:
    return {"seed": seed, "patients": n_patients, "code": code_fingerprint("demo.make")}


def _count_files(folder: Path) -> int:
    """Return how many files were handed over; a larger demo made before leaves its own behind."""
    return sum(path.suffix in {".dcm", ".nrrd", ".csv"} for path in folder.rglob("*"))


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    stream = io.StringIO()
    table.to_csv(stream, index=False, float_format="%g", lineterminator="\n")
    write_if_changed(path, stream.getvalue().encode())


def main(options: argparse.Namespace) -> None:
    """Run the command line."""
    if made_already(options.out, options.patients, options.seed):
        print(f"The demo of {options.patients} synthetic patients is there already: {options.out}")
        return
    truth = make_study(options.out, options.patients, options.seed, options.jobs)
    events = sum(patient["outcome"] for patient in truth["drawn"])
    print(f"{options.patients} synthetic patients ({events} with residual pain): {options.out}")


if __name__ == "__main__":
    arguments = command.parser("demo.make", __doc__)
    arguments.add_argument("--out", required=True, type=Path, help="folder to write")
    arguments.add_argument(
        "--patients", type=bounded_number(minimum=1), default=96, help="number of patients (96)"
    )
    arguments.add_argument(
        "--seed", type=number_within(SEED), default=2025, help="seed of all draws (2025)"
    )
    arguments.add_argument(
        "--jobs",
        type=number_within(PROCESSES),
        default=os.cpu_count() or 1,
        help="processes (one a core)",
    )
    command.run(main, arguments)
