"""What negative controls say where the truth is known: signal in texture, volume, density, nowhere.

``python -m proofs.negative_controls --out FOLDER``: no stage. Small CT volumes are simulated, their
features and controls extracted by the study's own functions, and fitted and judged by those of
`models.negative_controls`.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter
from threadpoolctl import threadpool_limits

from models.negative_controls import (
    Controlled,
    ControlOptions,
    fit_all,
    judging_of,
    replaced,
    simple_arms,
    table_of_arms,
)
from models.split import split_table
from models.transformers.columns import Columns
from pipeline.core import command
from pipeline.core.files import write_csv
from pipeline.core.sections import part_of
from pipeline.core.seeds import derive_seed
from pipeline.extraction import features_of_crop, load_params, open_scan
from pipeline.extraction.controls import ControlledScan
from pipeline.study.config import resolve_config
from pipeline.study.option_numbers import SEED, bounded_number, number_within

logger = logging.getLogger("vertebromics")

SIGNALS = ("texture", "volume", "density", "nothing")
"""Where the outcome can be read from; everything else about a patient is drawn alike."""

FEATURES = {
    "shape": ["MeshVolume", "Sphericity", "SurfaceVolumeRatio"],
    "firstorder": ["Mean", "Variance", "Skewness", "Entropy"],
    "glcm": ["Contrast", "Correlation", "Idm", "JointEntropy"],
    "glrlm": ["ShortRunEmphasis", "RunEntropy"],
    "gldm": ["SmallDependenceEmphasis", "DependenceNonUniformity"],
}
SETTINGS = {"binWidth": 25, "resampledPixelSpacing": [1, 1, 1], "padDistance": 3}

SPACING_MM = (0.9, 0.9, 1.2)
SIDE = 22
"""Voxels along each axis of a simulated CT."""


class Patient(NamedTuple):
    """One simulated patient.

    Attributes
    ----------
    image, mask : SimpleITK.Image
        CT in HU (int16), and the region (1).
    mean_hu : float
        Mean CT number of the region.
    """

    image: sitk.Image
    mask: sitk.Image
    mean_hu: float


def simulate_patient(signal: str, event: bool, seed: int) -> Patient:
    """Return a ball of bone whose texture, volume or density tells the outcome, or nothing.

    Parameters
    ----------
    signal : str
        One of `SIGNALS`.
    event : bool
        The outcome.
    seed : int
        Of the patient.
    """
    rng = np.random.default_rng(seed)

    def told(where: str, apart: float) -> float:
        return rng.normal() + apart * (event and signal == where)

    # Of the same histogram whatever the texture: a correlated field, mapped to sorted values.
    sigma = max(0.2, 0.6 + 0.08 * told("texture", 2.0))
    radius = 7.0 + 0.25 * told("volume", 1.6)
    mean = 150 + 15 * told("density", 1.6)
    field = gaussian_filter(rng.normal(size=(SIDE, SIDE, SIDE)), sigma)
    apart = (np.indices(field.shape) - (SIDE - 1) / 2) * np.array(SPACING_MM[::-1])[
        :, None, None, None
    ]
    inside = (apart**2).sum(axis=0) <= radius**2
    hu = rng.normal(40, 15, field.shape)
    hu[inside] = np.sort(rng.normal(mean, 45, inside.sum()))[field[inside].argsort().argsort()]
    image = sitk.GetImageFromArray(hu.astype(np.int16))
    mask = sitk.GetImageFromArray(inside.astype(np.uint8))
    for each in (image, mask):
        each.SetSpacing(SPACING_MM)
    return Patient(image, mask, float(hu.astype(np.int16)[inside].mean()))


def simulate_cohort(
    signal: str, patients: int, kinds: Sequence[str], draws: int, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return a cohort's analysis table, the rows of its controls, and what masks enclose.

    Parameters
    ----------
    signal : str
        One of `SIGNALS`.
    patients : int
        Half of them have the outcome.
    kinds, draws
        Of the controls.
    seed : int
        Of everything.
    """
    params = load_params(
        {"imageType": {"Original": {}}, "featureClass": FEATURES, "setting": SETTINGS}
    )
    rows, controls, masks = [], [], []
    for number in range(patients):
        name, event = f"p{number:04d}", number % 2 == 1
        patient = simulate_patient(signal, event, derive_seed(seed, signal, number))
        scan = open_scan(patient.image, params)

        def features(crop) -> dict:
            return features_of_crop(crop, params).values.add_prefix("A:").to_dict()

        rows.append(
            {
                "unit_id": name, "patient_id": name, "outcome": int(event), "level": "L1",
                **features(scan.crop(patient.mask, 1)),
            }
        )  # fmt: skip
        masks.append(
            {"case_id": name, "patient_id": name, "reader": "A", "mean_hu": patient.mean_hu}
        )
        controlled = ControlledScan(scan)
        for kind in kinds:
            for draw in range(draws):
                crop = controlled.crop(patient.mask, 1, kind, derive_seed(seed, name, kind, draw))
                controls.append({"kind": kind, "draw": draw, "unit_id": name, **features(crop)})
    return pd.DataFrame(rows), pd.DataFrame(controls), pd.DataFrame(masks)


def judged_cohort(
    signal: str, patients: int, kinds: Sequence[str], draws: int, seed: int, workers: int = 1
) -> pd.DataFrame:
    """Return what the controls of one simulated cohort say, an arm a row.

    Parameters are those of `simulate_cohort`; `workers` are processes that share the fits.
    """
    table, controls, masks = simulate_cohort(signal, patients, kinds, draws, seed)
    config = resolve_config(
        {
            "study": "proof", "cases": "cases.csv", "seed": seed, "unit": "patient",
            "outcome": {"name": "event", "formula": "event == 1"},
            "clinical": "clinical.csv", "dictionary": "dictionary.csv",
            "models": ["lr"], "split": {"folds": 3, "test_fraction": 0.4},
            "controls": {"kinds": list(kinds), "draws": draws, "search": "fixed"},
        }
    )  # fmt: skip
    asked = part_of(ControlOptions, config)
    split = split_table(table, asked.split, seed)
    table = table.assign(part=split["part"].to_numpy(), fold=split["fold"].to_numpy())
    names = tuple(name.removeprefix("A:") for name in table if name.startswith("A:"))
    columns = Columns(("A",), None, names, ())
    judging = judging_of(table, asked)
    parameters = {"penalty": "l2", "C": 1.0}
    shared = Controlled("lr", columns, replaced(table, controls), asked, "fixed", parameters)
    with threadpool_limits(1):
        drawn, failed = fit_all(shared, judging, workers)
        simple, lacking = simple_arms(columns, table, judging, asked, masks)
    return table_of_arms(drawn, simple, failed | lacking, judging, 0.95)


def main(options: argparse.Namespace) -> None:
    """Judge cohorts of every signal, and write their arms."""
    parts = []
    for signal in SIGNALS:
        for repeat in range(options.cohorts):
            arms = judged_cohort(
                signal,
                options.patients,
                ("shuffled_inside", "sampled_inside", "shuffled_outside", "sampled_outside"),
                5,
                derive_seed(options.seed, repeat),
                options.workers,
            )
            parts.append(arms.assign(signal=signal, cohort=repeat))
            command.progress("negative controls", len(parts), 4 * options.cohorts, signal)
    table = pd.concat(parts, ignore_index=True)
    options.out.mkdir(parents=True, exist_ok=True)
    write_csv(table, options.out / "negative_controls.csv")
    for (signal, arm), rows in table.groupby(["signal", "arm"], sort=False):
        lost = rows["lost_low"] > 0
        logger.info(
            "%-8s %-16s AUROC %.3f, lost %.3f, beyond chance in %d of %d",
            signal, arm, rows["auroc"].mean(), rows["lost"].mean(), lost.sum(), len(rows),
        )  # fmt: skip


if __name__ == "__main__":
    arguments = command.parser("proofs.negative_controls", __doc__)
    arguments.add_argument("--out", type=Path, default=Path("build/proofs/negative_controls"))
    arguments.add_argument("--patients", type=bounded_number(minimum=20), default=200)
    arguments.add_argument("--cohorts", type=bounded_number(minimum=1), default=10)
    arguments.add_argument("--seed", type=number_within(SEED), default=2025)
    arguments.add_argument("--workers", type=bounded_number(minimum=1), default=1)
    command.run(main, arguments)
