"""Describe how well each feature survives perturbations of image and mask, over all cases.

This describes all cases of a study and decides nothing: the models' own filter computes the
coefficient from the training rows of each fold.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.comparison.agreement.perturbed_units import unit_moments
from pipeline.comparison.agreement.repeated import lower_limit, spread
from pipeline.core import command
from pipeline.core.files import read_table, write_table
from pipeline.core.seeds import derive_seed
from pipeline.core.table_schema import types_of
from pipeline.study.perturbed_masks import perturbed_reader
from pipeline.study.study import open_study
from pipeline.tables.features.feature_names import parse_feature_name
from pipeline.tables.schemas.features.perturbations import PerturbedFeatures, Robustness

logger = logging.getLogger("vertebromics")

COLUMNS = types_of(Robustness)

KEYS = ("case_id", "reader", "repetition")


def describe_robustness(
    parts: Iterable[pd.DataFrame],
    patients: pd.Series,
    names: Sequence[str],
    reader: str,
    limits: Mapping,
    seed: int,
) -> pd.DataFrame:
    """Return how well the perturbed extractions of a case agree, feature by feature.

    Parameters
    ----------
    parts : iterable of pandas.DataFrame
        `perturbed.parquet` of the batches.
    patients : pandas.Series
        Patient by case.
    names : sequence of str
        Features.
    reader : str
        Whose masks were perturbed.
    limits : mapping
        The section ``selection.perturbations``: ``threshold, bound, confidence, resamples``.
    seed : int
        Of the bootstrap.

    Returns
    -------
    pandas.DataFrame
        `robustness.parquet` (docs/files.md), in the order of `names`.
    """
    cases = pd.Series(patients.index, index=patients.index)
    found, measured = unit_moments(parts, cases, names)
    of_case = patients.loc[found].to_numpy(dtype=str)
    if found:
        told = spread(measured)
        low = lower_limit(measured, of_case, limits["confidence"], limits["resamples"], seed)
    else:  # no mask could be perturbed
        told, low = spread(measured), np.full(len(names), np.nan)
    judged = low if limits["bound"] == "lower" else told.icc
    threshold = limits["threshold"]
    split = [parse_feature_name(name) for name in names]
    return pd.DataFrame(
        {
            "feature": list(names),
            "image_type": [part.image_type for part in split],
            "feature_class": [part.feature_class for part in split],
            "reader": reader,
            "n": told.units,
            "patients": len(set(of_case)),
            "icc": told.icc,
            "icc_low": low,
            "sd_within": told.within,
            "sd_between": told.between,
            "sd_ratio": told.ratio,
            "robust": pd.NA if threshold is None else judged >= threshold,
        }
    ).astype(COLUMNS)


def main(options: argparse.Namespace) -> None:
    """Write the table of robustness per feature."""
    study = open_study(options.study)
    config = study.config
    paths = study.batch_files(options.batches, "perturbed.parquet")
    # Tables without rows hold the columns, too: every batch has the same.
    columns = read_table(paths[0], PerturbedFeatures).columns
    patients = study.cases.drop_duplicates("case_id").set_index("case_id")["patient_id"]
    table = describe_robustness(
        (read_table(path, PerturbedFeatures) for path in paths),
        patients,
        [name for name in columns if name not in KEYS],
        perturbed_reader(config["perturbations"]["reader"], config["model_reader"], study.readers),
        config["selection"]["perturbations"],
        derive_seed(config["seed"], "robustness"),
    )
    logger.info("%d of %d features are robust", int(table["robust"].sum()), len(table))
    write_table(table, options.out, Robustness, csv=True)


if __name__ == "__main__":
    arguments = command.parser("pipeline.robustness", __doc__)
    arguments.add_argument(
        "--study", required=True, type=Path, help="folder written by python -m pipeline.validate"
    )
    arguments.add_argument(
        "--batches", required=True, type=Path, help="folder of the batches' results"
    )
    arguments.add_argument("--out", required=True, type=Path, help="table to write (.parquet)")
    command.run(main, arguments)
