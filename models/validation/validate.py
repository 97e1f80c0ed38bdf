"""Validate risks on patients that their model was not fitted to: figures, updates, groups, sizes.

The metrics of every evaluation come from `models.judging`; this adds what only a validation has,
under the kind that its author states.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from models.scoring import metrics
from models.scoring.performance import Sample
from models.scoring.sample_tables import as_rows
from models.subgroups.groups import check_groups, group_table
from models.validation.figures import validation_estimates
from models.validation.kinds import KINDS
from models.validation.recalibration import clipped
from models.validation.updating import update_table
from models.validation.validation_sample_size import (
    WIDTHS,
    needed_for_auroc,
    needed_for_net_benefit,
    needed_for_ratio,
    needed_for_slope,
)
from pipeline.core.errors import StudyError
from pipeline.core.files import write_json, write_table
from pipeline.core.problems import listing, suggestion
from pipeline.tables.dictionary import MISSING
from pipeline.tables.files.sheets import read_sheet
from pipeline.tables.schemas.prediction.validation import VALIDATION

PART = "validation"
"""Part of the metrics."""

SHOWN = (
    *("auroc", "brier", "scaled_brier", "oe_ratio", "calibration_intercept", "calibration_slope"),
    *("joint_intercept", "ici", "e50", "e90", "emax"),
)
"""Metrics of a validation, in their order."""

UNKNOWN = "not stated"
"""Group of the rows whose cell is blank."""


def validation_arguments(arguments: argparse.ArgumentParser) -> None:
    """Add the options of a validation."""
    arguments.add_argument(
        "--validation",
        choices=sorted(KINDS),
        help="which validation this is: patients of another place, later ones, or of the model's "
        "own cohort; writes a page with figures, updates and the sample size needed",
    )
    arguments.add_argument(
        "--by",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="columns of subgroups or of the site, each with its own figures",
    )


def check_validation(options: argparse.Namespace) -> None:
    """Raise `StudyError` where the options of a validation contradict others."""
    if options.by and options.validation is None:
        raise StudyError(
            "Subgroups are those of a validation, whose kind must be stated",
            found="--by without --validation",
            where="command line",
            remedy=f"add --validation, one of {listing(sorted(KINDS))}",
            code="subgroups-without-validation",
        )
    if options.validation is None:
        return
    if options.fitted_here:
        raise StudyError(
            "A validation is of rows that the model was not fitted to",
            found="--validation beside --fitted-here",
            where="command line",
            remedy="leave one of the two out",
            code="validation-of-fitted-rows",
        )
    if options.model is None and not options.probabilities:
        raise StudyError(
            "A validation needs risks: a score has no calibration",
            found="--validation without --probabilities or --model",
            where="command line",
            remedy="name a column of predicted probabilities, or leave --validation out",
            code="validation-of-scores",
        )


def read_groups(path: Path, columns: Sequence[str], rows: pd.Index) -> dict[str, np.ndarray]:
    """Read the groups of the judged rows.

    Parameters
    ----------
    path : path
        The table.
    columns : sequence of str
        Columns of groups.
    rows : pandas.Index
        Rows of the table that are judged, as `pipeline.tables.files.sheets` numbers them.

    Returns
    -------
    dict of str to numpy.ndarray
        By column, the group of each judged row as text; `UNKNOWN` where the cell is blank.

    Raises
    ------
    StudyError
        If a column is missing, or makes no groups.
    """
    sheet = read_sheet(path)
    found = {}
    for name in dict.fromkeys(columns):
        if name not in sheet.columns:
            raise StudyError(
                "A column of subgroups must be in the table",
                found=name,
                where=f"{path}, header",
                remedy=suggestion(name, sheet.columns) or f"columns: {listing(sheet.columns)}",
                code="subgroups-column-missing",
            )
        values = sheet[name].loc[rows]
        values = values.where(~values.isin(MISSING), None).fillna(UNKNOWN).astype(str)
        check_groups(values, f"{path}, column {name}")
        found[name] = values.to_numpy(str)
    return found


def validation_tables(
    samples: Mapping[str, Sample],
    measured: pd.DataFrame,
    by: Mapping[str, np.ndarray],
    *,
    confidence: float,
    resamples: int,
    seed: int,
    parameters: int | None = None,
    design: np.ndarray | None = None,
) -> tuple[dict[str, pd.DataFrame], dict]:
    """Return what a validation tells of each model.

    Parameters
    ----------
    samples : mapping of str to Sample
        By model, its risks of the rows.
    measured : pandas.DataFrame
        The metrics that `models.judging.judgement.judge` made of the same rows.
    by : mapping of str to numpy.ndarray
        Groups of the rows, by column.
    confidence, resamples, seed
        As for `models.judging.judgement.judge`.
    parameters : int, optional
        Coefficients of the model, for the patients that a refit would need.
    design : numpy.ndarray, optional
        The rows as the classifier of a linear model sees them, to refit it.

    Returns
    -------
    tables : dict of str to pandas.DataFrame
        ``validation`` (the metrics of `SHOWN`), ``updates`` and, with groups, ``groups``.
    sizes : dict
        By model ``rows, patients, events, needed``: the patients for each criterion.
    """
    how = {"confidence": confidence, "n_resamples": resamples, "seed": seed}
    figures, updates, groups, sizes = [], [], [], {}
    for model, sample in samples.items():
        own = measured[(measured["model"] == model) & measured["metric"].isin(SHOWN)]
        more = as_rows(model, PART, validation_estimates(sample, **how))
        rows = pd.concat([own.assign(part=PART), more], ignore_index=True)
        order = rows["metric"].map(list(SHOWN).index)
        figures.append(rows.loc[order.sort_values(kind="stable").index])
        updates.append(update_table(model, sample, parameters=parameters, design=design, **how))
        groups.append(group_table(model, sample, by, confidence))
        sizes[model] = size_of(sample)
    tables = {
        "validation": pd.concat(figures, ignore_index=True),
        "updates": pd.concat(updates, ignore_index=True),
    }
    if by:
        tables["groups"] = pd.concat(groups, ignore_index=True)
    return tables, sizes


def size_of(sample: Sample) -> dict:
    """Return how many patients a validation has, and needs for each criterion.

    The risks are taken for true, the AUROC, the share of events and, at the threshold, sensitivity
    and specificity for what they are among these rows.
    """
    prevalence = float(sample.outcome.mean())
    risk = clipped(sample.probability)
    counts = metrics.confusion(sample.outcome, sample.probability, sample.threshold)
    told = metrics.confusion_metrics(counts)
    benefit = None
    if not math.isnan(told["sensitivity"]) and not math.isnan(told["specificity"]):
        benefit = needed_for_net_benefit(
            told["sensitivity"], told["specificity"], prevalence, sample.threshold
        )
    event = pd.Series(sample.outcome).groupby(sample.patients).max()
    return {
        "rows": len(sample.outcome),
        "patients": len(event),
        "events": int(event.sum()),
        "threshold": sample.threshold,
        "widths": WIDTHS,
        "needed": {
            "oe_ratio": needed_for_ratio(prevalence),
            "calibration_slope": needed_for_slope(np.log(risk / (1 - risk))),
            "auroc": needed_for_auroc(
                metrics.auroc(sample.outcome, sample.probability), prevalence
            ),
            "net_benefit": benefit,
        },
    }


def write_validation(
    options: argparse.Namespace,
    samples: Mapping[str, Sample],
    judged: Mapping[str, pd.DataFrame],
    by: Mapping[str, np.ndarray],
    *,
    parameters: int | None = None,
    design: np.ndarray | None = None,
    notes: Sequence[str] = (),
    changed: Sequence[str] = (),
) -> None:
    """Write the tables, the facts and the page of a validation into the folder of a judgement.

    Parameters
    ----------
    options : argparse.Namespace
        ``validation, confidence, resamples, seed, out_dir`` are used.
    samples : mapping of str to Sample
        By model.
    judged : mapping of str to pandas.DataFrame
        What `models.judging.judgement.judge` returned: metrics, curves.
    by : mapping of str to numpy.ndarray
        Groups of the rows.
    parameters : int, optional
        Coefficients of the model.
    design : numpy.ndarray, optional
        The rows as the classifier of a linear model sees them, to refit it.
    notes : sequence of str
        What limits the figures.
    changed : sequence of str
        Files of updated models.
    """
    from pipeline.reporting.pages.validation_page import write_validation_page

    kind = KINDS[options.validation]
    tables, sizes = validation_tables(
        samples,
        judged["metrics"],
        by,
        confidence=options.confidence,
        resamples=options.resamples,
        seed=options.seed,
        parameters=parameters,
        design=design,
    )
    for name, table in tables.items():
        write_table(table, options.out_dir / f"{name}.parquet", VALIDATION[name], csv=True)
    facts = {
        "kind": options.validation,
        "name": kind.name,
        "text": kind.text,
        "confidence": options.confidence,
        "resamples": options.resamples,
        "decision_curve": list(options.decision_curve),
        "models": sizes,
        "by": sorted(by),
        "notes": list(notes),
        "updated": list(changed),
    }
    write_json(facts, options.out_dir / "validation.json")
    write_validation_page(options.out_dir)
