"""Judge given predictions: any table with an outcome and columns of probabilities or scores.

No stage of a study: predictions of a published or frozen model, or a marker, are measured by the
same functions that measure a study's own models, so that a published figure can be checked. They
are taken for predictions of rows that no model was fitted to, unless ``--fitted-here`` says so.
"""

from __future__ import annotations

import argparse
import logging
import math
from pathlib import Path

import pandas as pd

from models.judging.judgement import (
    judge,
    judging_arguments,
    judging_options,
    number_argument,
    sample_of,
)
from models.judging.predictions import read_predictions, reading_options
from models.regression.cohort import read_cohort
from models.regression.given import judge_model
from models.regression.publishing.model_file import read_model
from models.regression.tables import checked
from models.scoring.intervals import printed
from models.validation.judge_frozen import ENDING, judge_frozen
from models.validation.validate import (
    check_validation,
    read_groups,
    validation_arguments,
    write_validation,
)
from models.validation.validate_model import check_risks, validate_model
from pipeline.core import command
from pipeline.core.errors import StudyError
from pipeline.core.files import write_table
from pipeline.tables.schemas.prediction.evaluation import JUDGED
from pipeline.tables.schemas.regression import REGRESSION

logger = logging.getLogger("vertebromics")


def _judge_model(options: argparse.Namespace) -> None:
    """Judge a model that is known by its file alone, computed on every row of the table."""
    if options.probabilities or options.scores or options.fitted_here:
        raise StudyError(
            "A model's file is judged by itself, on rows that it was not fitted to",
            found="--model beside --probabilities, --scores or --fitted-here",
            where="command line",
            remedy="leave the others out",
            code="model-judged-beside-others",
        )
    if options.model.suffix.lower() == ENDING:
        judge_frozen(options)
        return
    model = read_model(options.model)
    if options.validation is not None:
        check_risks(model, options.model)
    cohort = read_cohort(
        options.table,
        options.outcome,
        (),
        terms=model.terms,
        **reading_options(options),
    )
    tables, notes = judge_model(
        model,
        cohort,
        scale=options.interval,
        threshold=options.threshold,
        **judging_options(options),
    )
    for name, table in tables.items():
        path = options.out_dir / f"{name}.parquet"
        write_table(checked(name, table), path, REGRESSION[name], csv=True)
    for note in notes:
        logger.warning("%s", note)
    for row in tables["metrics"].query("metric == 'auroc'").itertuples():
        logger.info("%s: AUROC %s (%s)", model.title, printed(row.value, 4), _limits(row))
    if options.validation is not None:
        validate_model(options, model, cohort, tables, notes)


def main(options: argparse.Namespace) -> None:
    """Judge the columns that the command line names, or a model's file, and write the tables."""
    check_validation(options)
    if options.model is not None:
        _judge_model(options)
        return
    columns = [*options.probabilities, *options.scores]
    rows, left_out = read_predictions(
        options.table,
        options.outcome,
        columns,
        **reading_options(options),
    )
    logger.info(
        "%d rows, %d events; left out for a blank cell: %d",
        len(rows),
        rows["outcome"].sum(),
        left_out,
    )
    tables = judge(
        rows,
        options.probabilities,
        options.scores,
        threshold=options.threshold,
        scale=options.interval,
        fitted_here=options.fitted_here,
        **judging_options(options),
    )
    for name, table in tables.items():
        path = options.out_dir / f"{name}.parquet"
        write_table(table, path, JUDGED[name], csv=True)
    if options.validation is not None:
        by = read_groups(options.table, options.by, rows.index)
        samples = {name: sample_of(rows, name, options.threshold) for name in options.probabilities}
        write_validation(options, samples, tables, by)
    for row in tables["metrics"].query("metric == 'auroc'").itertuples():
        value = printed(row.value, 4)
        logger.info("%s: AUROC %s (%s): %s", row.model, value, _limits(row), row.method)
    if options.probabilities:
        logger.info("%s", _whose_rows(options.fitted_here))
        for row in tables["calibration_tests"].itertuples():
            found = "no P value" if math.isnan(row.p_value) else f"P = {printed(row.p_value, 4)}"
            words = f"; {row.note}" if row.note else ""
            logger.info(
                "%s: Hosmer-Lemeshow chi-square %.2f, %d degrees of freedom, %s%s",
                *(row.model, row.statistic, row.df, found, words),
            )


def _limits(row: pd.Series) -> str:
    if math.isnan(row.low):
        return "no interval"
    return f"{printed(row.low, 4)} to {printed(row.high, 4)}"


def _whose_rows(fitted_here: bool) -> str:
    """Say which rows these are to the models, on which every figure depends."""
    if fitted_here:
        return (
            "the models were fitted to these rows (--fitted-here): every figure is apparent and "
            "too good for other patients; Hosmer-Lemeshow has two degrees of freedom fewer than "
            "groups"
        )
    return (
        "taken for rows that no model was fitted to: Hosmer-Lemeshow has as many degrees of "
        "freedom as groups. If a model was fitted to these rows, say --fitted-here"
    )


def _arguments() -> argparse.ArgumentParser:
    arguments = command.parser("models.judge", __doc__)
    arguments.add_argument("table", type=Path, help="CSV, Excel or Parquet table, a row per unit")
    arguments.add_argument("--outcome", required=True, help="column of the outcome")
    arguments.add_argument(
        "--event",
        nargs="+",
        metavar="WORD",
        help="how the column says that it happened (default: 1)",
    )
    for name, text in (
        ("no-event", "how it says that it did not (default: every other word)"),
        ("missing", "words for `not known`, whose rows are left out as blanks are"),
    ):
        arguments.add_argument(f"--{name}", nargs="+", default=[], metavar="WORD", help=text)
    arguments.add_argument("--patient", help="column of the patient, if one has several rows")
    for name, text in (
        ("probabilities", "columns of predicted probabilities"),
        ("scores", "columns of numbers that are no probabilities; AUROC only"),
    ):
        arguments.add_argument(f"--{name}", nargs="+", default=[], metavar="COLUMN", help=text)
    arguments.add_argument(
        "--model",
        type=Path,
        help="a model's file (docs/regression.md), or a frozen model (.vbm), computed on every row",
    )
    number_argument(arguments, "threshold", 0.5, "lowest probability that counts as positive")
    judging_arguments(
        arguments, "resamples of patients where no closed form exists", "pROC and SAS print"
    )
    arguments.add_argument(
        "--fitted-here",
        action="store_true",
        help="the models were fitted to these very rows (default: to other rows)",
    )
    validation_arguments(arguments)
    arguments.add_argument("--out-dir", required=True, type=Path, help="folder of the tables")
    return arguments


if __name__ == "__main__":
    command.run(main, _arguments())
