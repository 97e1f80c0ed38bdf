"""Judge given predictions: any table with an outcome and columns of probabilities or scores.

No stage of a study: predictions of a published or frozen model, or a marker, are measured by the
same functions that measure a study's own models, so that a published figure can be checked. They
are taken for predictions of rows that no model was fitted to, unless ``--fitted-here`` says so.
"""

from __future__ import annotations

import argparse
import logging
import math
import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from models.evaluate import evaluate
from models.scoring.comparisons import compare_models
from models.scoring.delong import Scale
from models.scoring.intervals import Estimate, printed
from models.scoring.performance import Sample, auroc_estimate
from models.validation.validate import (
    check_validation,
    read_groups,
    validation_arguments,
    write_validation,
)
from pipeline.core import command
from pipeline.core.errors import StudyError
from pipeline.core.files import write_table
from pipeline.core.notation import read_numbers
from pipeline.core.problems import Problems, listing, suggestion
from pipeline.core.spellings import same_words, spelling_of, typed_alike
from pipeline.study.option_numbers import checked_number, config_number, number_within
from pipeline.study.options.words import schema_of
from pipeline.tables.dictionary import MISSING
from pipeline.tables.files.sheets import cell, read_sheet
from pipeline.tables.id_checks import check_rows_of_patients, check_spellings
from pipeline.tables.identifying.checks import check_identifying, shown
from pipeline.tables.schemas.evaluation import JUDGED
from pipeline.tables.schemas.regression import REGRESSION
from pipeline.tables.values.counted_words import Advice, meanings, meanings_text, word_problems

logger = logging.getLogger("vertebromics")

#: What a table may say for the event where the command line names no word for it.
EVENT_WORDS = ("1", "1.0")
OTHER_WORDS = ("0", "0.0")

WORDS = {True: "event", False: "no event", None: "unknown"}

SCORE = "of a score, which is no probability"

APPARENT = "apparent: of rows that it was fitted to"

#: Numbers that may be typed, and the option of a configuration that bounds them.
BOUNDED_BY = {
    "threshold": "evaluation.threshold",
    "confidence": "evaluation.confidence",
    "resamples": "evaluation.bootstrap",
    "seed": "seed",
}


def judge(
    rows: pd.DataFrame,
    probabilities: Sequence[str] = (),
    scores: Sequence[str] = (),
    *,
    threshold: float = 0.5,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 2025,
    decision_curve: tuple[float, float] = (0.0, 0.95),
    scale: Scale = "logit",
    fitted_here: bool = False,
) -> dict[str, pd.DataFrame]:
    """Measure given predictions as the stage evaluate measures a study's own.

    Parameters
    ----------
    rows : pandas.DataFrame
        One row per unit: ``patient_id``, ``outcome`` (1 for an event and 0 otherwise), and the
        named columns as float64 without missing values. A patient with several rows makes the
        intervals clustered.
    probabilities : sequence of str
        Columns of predicted probabilities.
    scores : sequence of str
        Columns of numbers that are no probabilities, high where an event is likely: they are
        judged by their AUROC alone.
    threshold : float
        Lowest probability that counts as positive.
    confidence : float
        Level of every interval.
    resamples : int
        Resamples of patients where no closed form exists.
    seed : int
        Seed of the resamples.
    decision_curve : tuple of float
        Range of threshold probabilities.
    scale : {'logit', 'plain'}
        Scale on which the interval of an AUROC is symmetric (`scoring.delong.auroc_interval`).
    fitted_here : bool
        Whether the models that made the probabilities were fitted to these very rows. The
        Hosmer-Lemeshow test then loses two degrees of freedom, and every method says that the
        figure is apparent: better than on other patients, by how much is not known here.

    Returns
    -------
    dict of str to pandas.DataFrame
        ``metrics`` and ``comparisons`` of all columns, and of probabilities the other tables of
        `models.evaluate.evaluate`, with the same columns.

    Raises
    ------
    StudyError
        If a probability is not from 0 to 1, nothing is to be judged, or a number is out of the
        bounds that a configuration has for it.
    """
    numbers = {"threshold": threshold, "confidence": confidence}
    numbers |= {"resamples": resamples, "seed": seed}
    for name, value in numbers.items():
        checked_number(value, schema_of(BOUNDED_BY[name]), f"option --{name}")
    _check_range(decision_curve)
    columns = [*probabilities, *scores]
    if not columns or len(set(columns)) < len(columns):
        raise StudyError(
            "What is to be judged must be named once",
            found=listing(columns) if columns else "no column",
            where="options --probabilities, --scores",
            remedy="name each column of predictions once, under one of the two options",
            code="judged-column-repeated",
        )
    for name in probabilities:
        outside = rows.loc[~rows[name].between(0, 1), name]
        if len(outside):
            raise StudyError(
                "A probability must be from 0 to 1",
                found=f"{len(outside)} others, first {outside.iloc[0]:g}",
                where=f"column {name}",
                remedy=f"--scores {name} judges its AUROC alone",
                code="probability-out-of-bounds",
            )
    tables = {}
    if probabilities:
        options = {"confidence": confidence, "bootstrap": resamples}
        options["decision_curve"] = list(decision_curve)
        config = {"seed": seed, "primary": None, "evaluation": options}
        keys = rows[["patient_id", "outcome"]].assign(unit_id=np.arange(len(rows)), part="test")
        given = {name: keys.assign(probability=rows[name]) for name in probabilities}
        info = {"threshold": threshold, "cv_auc": None}
        infos = dict.fromkeys(probabilities, info)
        tables = evaluate(given, infos, config, fitted_here=fitted_here)
    samples = {
        name: _sample(rows, name, threshold if name in probabilities else math.nan)
        for name in columns
    }
    areas = {name: auroc_estimate(sample, confidence, scale) for name, sample in samples.items()}
    metrics = tables.get("metrics", pd.DataFrame())
    if not metrics.empty:
        metrics = metrics[metrics["metric"] != "auroc"]
    discrimination = pd.DataFrame(
        [[name, "test", "auroc", *_told(area, name in scores)] for name, area in areas.items()],
        columns=["model", "part", "metric", *Estimate._fields],
    )
    order = {name: at for at, name in enumerate(columns)}
    measured = pd.concat([discrimination, metrics], ignore_index=True).sort_values(
        "model", key=lambda models: models.map(order), kind="stable", ignore_index=True
    )
    if fitted_here:
        own = measured["model"].isin(probabilities)
        measured.loc[own, "method"] = measured.loc[own, "method"] + f"; {APPARENT}"
    tables["metrics"] = measured
    compared = compare_models(samples, confidence=confidence)
    decisions = tables.get("comparisons")
    if decisions is not None:
        own = [name for name in decisions if name not in compared or name.startswith("model_")]
        compared = compared.merge(decisions[own], on=["model_a", "model_b"], how="left")
    tables["comparisons"] = compared
    return tables


def _sample(rows: pd.DataFrame, name: str, threshold: float) -> Sample:
    outcome, patients = rows["outcome"].to_numpy(int), rows["patient_id"].to_numpy()
    return Sample(outcome, rows[name].to_numpy(float), patients, threshold)


def _check_range(decision_curve: tuple[float, float]) -> None:
    """Raise `StudyError` unless threshold probabilities rise within their bounds."""
    where, items = "option --decision-curve", schema_of("evaluation.decision_curve")["items"]
    for value in decision_curve:
        checked_number(value, items, where)
    low, high = decision_curve
    if low >= high:
        raise StudyError(
            "The range of the decision curve must rise",
            found=f"{low:g} to {high:g}",
            where=where,
            remedy="name the lower end first, such as --decision-curve 0.0 0.95",
            code="decision-curve-range",
        )


def read_predictions(
    path: str | Path,
    outcome: str,
    columns: Sequence[str],
    *,
    event: str | Sequence[str] | None = None,
    other: Sequence[str] = (),
    missing: Sequence[str] = (),
    patient: str | None = None,
) -> tuple[pd.DataFrame, int]:
    """Read the rows to be judged.

    Parameters
    ----------
    path : path-like
        A table in any format that `pipeline.tables.files.sheets.read_sheet` reads.
    outcome : str
        Column of the outcome.
    columns : sequence of str
        Columns of predictions.
    event : str or sequence of str, optional
        How the column says that the event happened; 1 by default, and then 0 is the only other.
    other : sequence of str, optional
        How it says that it did not; by default every other word.
    missing : sequence of str, optional
        Words that stand for "not known": their rows are left out as blanks are.
    patient : str, optional
        Column of the patient of a row; by default every row is a patient.

    Returns
    -------
    rows : pandas.DataFrame
        As `judge` takes them: rows without a blank cell in the named columns.
    left_out : int
        Rows with a blank.

    Raises
    ------
    StudyError
        If a column is missing, a prediction is no number, or the outcome has no two values; if its
        words differ in case or blanks only, or one of them says that the outcome is not known; or
        if patients' ids differ in spelling only.
    """
    sheet = read_sheet(path)
    problems = Problems(f"the table {path}")
    named = [outcome, *columns, *([patient] if patient else [])]
    for name in dict.fromkeys(named):
        if name not in sheet.columns:
            problems.add(
                "A column to be judged must be in the table",
                found=name,
                where=f"{path}, header",
                remedy=suggestion(name, sheet.columns) or f"columns: {listing(sheet.columns)}",
                code="judged-column-missing",
            )
    check_identifying(sheet, path, problems, own=named)
    problems.raise_if_any()
    for name in [patient] if patient else sheet.columns.difference(named):
        if patient or sheet[name].nunique() == len(sheet):
            check_rows_of_patients(sheet[name], str(path), problems)
    sheet = sheet[list(dict.fromkeys(named))]
    sheet = sheet.where(~sheet.isin(MISSING), None)
    if missing:
        blank = {name: sheet[name].where(~same_words(sheet[name], missing), None) for name in sheet}
        sheet = sheet.assign(**blank)
    sheet[outcome] = typed_alike(sheet[outcome])
    if patient:
        check_spellings({str(path): sheet[patient].dropna()}, "patient", problems)
    complete = sheet.dropna()
    rows = pd.DataFrame(index=complete.index)
    rows["patient_id"] = complete[patient] if patient else complete.index.astype(str)
    rows["outcome"] = _events(complete[outcome], event, other, path, problems)
    read = {name: read_numbers(complete[name]) for name in columns}
    for name, one in read.items():
        for row, remedy in one.wrong.items():
            problems.add(
                "A prediction must be a number",
                found=shown(complete.loc[row, name]),
                where=cell(path, row, name),
                remedy=remedy,
                code="prediction-not-a-number",
            )
    problems.raise_if_any()
    if rows["outcome"].nunique() < 2:
        words = sorted(complete[outcome].unique())
        raise StudyError(
            "An outcome must have happened in some rows and not in others",
            found=f"{listing(map(shown, words))}, of which {event or 1} is the event",
            where=f"{path}, column {outcome}",
            remedy="name the event as the column writes it: --event",
            code="outcome-constant",
        )
    numbers = {name: one.values for name, one in read.items()}
    return rows.assign(**numbers), len(sheet) - len(complete)


def _events(
    values: pd.Series,
    event: str | Sequence[str] | None,
    other: Sequence[str],
    path: str | Path,
    problems: Problems,
) -> pd.Series:
    where = f"{path}, column {values.name}"
    if event is None:
        for row, text in values[~values.isin([*EVENT_WORDS, *OTHER_WORDS])].items():
            problems.add(
                "An outcome must be 1 (event) or 0, unless --event names its word",
                found=shown(text),
                where=cell(path, row, str(values.name)),
                remedy="such as --event TRUE; all other words then are no event",
                code="outcome-not-zero-or-one",
            )
        events = values.isin(EVENT_WORDS)
    else:
        there = values.unique()
        named = [event] if isinstance(event, str) else list(event)
        named = [spelling_of(each, there) for each in named]
        others = [spelling_of(each, there) for each in other]
        events = values.isin(named)
        for text in sorted(set(named) & set(others)):
            problems.add(
                "A word must be the event or none",
                found=text,
                where=where,
                remedy="take it out of --event or of --no-event",
                code="outcome-word-both-ways",
            )
        for text in sorted(set(values[~events]) - set(others)) if others else ():
            problems.add(
                "Every word of the outcome must be named, as --no-event names some",
                found=shown(text),
                where=where,
                remedy="add it to --event, --no-event or --missing",
                code="outcome-word-unnamed",
            )
        problems.errors += word_problems(
            values,
            events.astype("boolean"),
            [*named, *others],
            column=str(values.name),
            where=where,
            advice=Advice(
                lambda texts: "write --event " + _typed(texts),
                lambda texts: "write --no-event " + _typed(texts),
                lambda texts: "write --missing " + _typed(texts),
            ),
            words=WORDS,
            decides=not others,  # otherwise every word that is not named is refused above
        )
    told = meanings(values, events.astype("boolean"), WORDS)
    logger.info("column %s: %s", values.name, meanings_text(told))
    return events.astype(int)


def _typed(texts: Sequence[str]) -> str:
    """Return words as they are typed behind an option."""
    return " ".join(map(shlex.quote, texts))


def _told(area: Estimate, is_score: bool) -> Estimate:
    return area._replace(method=f"{area.method}; {SCORE}") if is_score else area


def reading_options(options: argparse.Namespace) -> dict:
    """Return what the command line says of how a table is read, as `read_predictions` takes it."""
    return {
        "event": options.event,
        "other": options.no_event,
        "missing": options.missing,
        "patient": options.patient,
    }


def judging_options(options: argparse.Namespace) -> dict:
    """Return what the command line says of intervals and curves, as `judge` takes it."""
    return {
        "confidence": options.confidence,
        "resamples": options.resamples,
        "seed": options.seed,
        "decision_curve": tuple(options.decision_curve),
    }


def _judge_model(options: argparse.Namespace) -> None:
    """Judge a model that is known by its file alone, computed on every row of the table."""
    # They judge by this module.
    from models.regression.cohort import read_cohort
    from models.regression.given import judge_model
    from models.regression.model_file import read_model
    from models.regression.tables import checked
    from models.validation.judge_frozen import ENDING, judge_frozen
    from models.validation.validate_model import check_risks, validate_model

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
        samples = {name: _sample(rows, name, options.threshold) for name in options.probabilities}
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
    for name, default, text in (
        ("threshold", 0.5, "lowest probability that counts as positive"),
        ("confidence", 0.95, "level of every interval"),
        ("resamples", 1000, "resamples of patients where no closed form exists"),
        ("seed", 2025, "seed of the resamples"),
    ):
        arguments.add_argument(
            f"--{name}",
            type=config_number(BOUNDED_BY[name]),
            default=default,
            help=f"{text} (default: {default})",
        )
    arguments.add_argument(
        "--decision-curve",
        nargs=2,
        type=number_within(schema_of("evaluation.decision_curve")["items"]),
        default=[0.0, 0.95],
        metavar=("LOW", "HIGH"),
        help="range of threshold probabilities (default: 0.0 0.95)",
    )
    arguments.add_argument(
        "--fitted-here",
        action="store_true",
        help="the models were fitted to these very rows (default: to other rows)",
    )
    arguments.add_argument(
        "--interval",
        choices=["logit", "plain"],
        default="logit",
        help="scale of an AUROC's interval; plain is AUROC +- z SE, as pROC and SAS print it",
    )
    validation_arguments(arguments)
    arguments.add_argument("--out-dir", required=True, type=Path, help="folder of the tables")
    return arguments


if __name__ == "__main__":
    command.run(main, _arguments())
