"""How often tests find a difference where there is none, if patients have several vertebrae.

``python -m proofs.clustered_tests --out FOLDER``: no stage. Patients with one to five vertebrae (as
in yassavoly2025), values alike within a patient, two groups without any difference.
"""

from __future__ import annotations

import argparse
import logging
import math
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.comparison.groups import patient_clusters
from pipeline.comparison.groups.group_tests import count_test, number_test
from pipeline.core import command
from pipeline.core.files import write_csv

logger = logging.getLogger("vertebromics")

SHARES = np.array([168, 63, 15, 3, 2]) / 251
"""Share of patients with one to five vertebrae (yassavoly2025)."""
ALIKE = 0.7
"""Correlation of two vertebrae of one patient."""
LEVEL = 0.05


def cohort(rng: np.random.Generator, patients: int, *, crossed: bool) -> dict[str, np.ndarray]:
    """Return rows of patients: ``patient, group, value, event``, without a difference of groups.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance.
    patients : int
        Number of patients; one in eight is of the second group where groups are of patients.
    crossed : bool
        Whether vertebrae of one patient are of both groups.
    """
    several = rng.choice(np.arange(1, 6), patients, p=SHARES)
    patient = np.repeat(np.arange(patients), several)
    if crossed:
        group = rng.integers(0, 2, len(patient))
    else:
        group = (np.arange(patients) % (8 if patients > 100 else 2) == 0).astype(int)[patient]
    shared = rng.normal(size=patients)[patient]
    value = math.sqrt(ALIKE) * shared + math.sqrt(1 - ALIKE) * rng.normal(size=len(patient))
    return {"patient": patient, "group": group, "value": value, "event": (value > 0.8).astype(int)}


def p_values(rows: dict[str, np.ndarray], *, few: bool, crossed: bool) -> dict[str, float]:
    """Return the P value of each test of one cohort."""
    patient, group, value, event = (rows[each] for each in ("patient", "group", "value", "event"))
    counts = np.zeros((2, 2))
    np.add.at(counts, (event, group), 1)
    samples = [value[group == each] for each in (0, 1)]
    found = {
        "rows as independent: Pearson": count_test(counts, "pearson").p,
        "rows as independent: Student": number_test(samples, "pooled-t").p,
        "Rao-Scott": patient_clusters.rao_scott(event, group, patient).p,
    }
    names = ["gee-score", *(["mancl-derouen"] if few else [])]
    names += ["permutation"] if few and not crossed else []
    for name in names:
        for what, column in (("numbers", value), ("events", event)):
            test = patient_clusters.clustered_test(column, group, patient, name)
            found[f"{patient_clusters.CLUSTER_TESTS[name]}: {what}"] = test.p
    return found


def rejected(patients: int, runs: int, seed: int, *, crossed: bool) -> pd.DataFrame:
    """Return how often each test has P below 0.05, with the standard error of chance."""
    rng = np.random.default_rng(seed)
    few = patients < 100
    found = [
        p_values(cohort(rng, patients, crossed=crossed), few=few, crossed=crossed)
        for _ in range(runs)
    ]
    table = pd.DataFrame(found)
    done = table.notna().sum()
    share = (table < LEVEL).sum() / done
    return pd.DataFrame(
        {
            "patients": patients,
            "groups": "of vertebrae" if crossed else "of patients",
            "test": table.columns,
            "runs": done.to_numpy(),
            "rejected": share.to_numpy(),
            "error": np.sqrt(LEVEL * (1 - LEVEL) / done).to_numpy(),
        }
    )


def main(options: argparse.Namespace) -> None:
    """Try every design that the command line asks for, and write the table."""
    tables = []
    for patients in options.patients:
        for crossed in (False, True):
            tables.append(rejected(patients, options.runs, options.seed, crossed=crossed))
            logger.info("%d patients, %s", patients, tables[-1]["groups"].iloc[0])
    write_csv(pd.concat(tables, ignore_index=True), options.out / "clustered_tests.csv")


def _arguments() -> argparse.ArgumentParser:
    arguments = command.parser("proofs.clustered_tests", __doc__)
    arguments.add_argument("--patients", nargs="+", type=int, default=[251, 24], metavar="N")
    arguments.add_argument("--runs", type=int, default=2000, metavar="N")
    arguments.add_argument("--seed", type=int, default=2025)
    arguments.add_argument("--out", required=True, type=Path, help="folder of the table")
    return arguments


if __name__ == "__main__":
    command.run(main, _arguments())
