"""Regress: a logistic regression of a clinical table, its nomogram and an offline calculator.

As a command it takes any table and writes tables (CSV and Parquet), figures, one page, the model as
a file and the calculator. With ``--model`` no model is fitted: a published one, known by its
coefficients or points, is computed, drawn and judged on the table.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from models.judging.judgement import judging_arguments, judging_options
from models.judging.predictions import reading_options
from models.regression.analysis import Options, Regression, regress
from models.regression.cohort import Cohort, read_cohort, ready_to_fit
from models.regression.fitting.interactions import check_pairs
from models.regression.fitting.terms import labels_of
from models.regression.given import judge_model
from models.regression.publishing.calculator import calculator_page, page_title, purpose_line
from models.regression.publishing.model import TIMINGS, Purpose, RegressionModel, moment_of
from models.regression.publishing.model_file import read_model, write_model
from models.regression.publishing.nomogram import Nomogram, build_nomogram, nomogram_facts
from models.regression.tables import write_tables
from pipeline.core import command
from pipeline.core.errors import StudyError
from pipeline.core.files import whole_file, whole_folder, write_json
from pipeline.core.mode_labels import AS_PUBLISHED, LABEL, RIGOROUS
from pipeline.core.problems import listing
from pipeline.core.written.spellings import same_words
from pipeline.study.option_numbers import bounded_number
from pipeline.tables.files.sheets import read_sheet

logger = logging.getLogger("vertebromics")


def write_regression(found: Regression, options: Options, folder: str | Path) -> None:
    """Write the results of a regression into a folder that is whole or not there.

    Parameters
    ----------
    found : Regression
        What `models.regression.analysis.regress` returned.
    options : Options
        What was asked.
    folder : path-like
        Replaced if it holds an earlier result of this command.
    """
    leaking = LABEL if options.mode == AS_PUBLISHED else None
    facts = {
        "kind": "fitted",
        "interval": options.scale,
        "title": page_title(found.chosen),
        "purpose": purpose_line(found.chosen),
        "mode": LABEL if leaking else RIGOROUS,
        "method": found.fit.method,
        "confidence": options.confidence,
        "screening": options.screening,
        "resamples": options.resamples,
        "seed": options.seed,
        "labels": dict(found.labels),
        "notes": list(found.notes),
    }
    _write(folder, found.tables, found.chosen, found.nomogram, facts, leaking, options.confidence)


def write_given(
    tables: dict[str, pd.DataFrame],
    model: RegressionModel,
    notes: Sequence[str],
    confidence: float,
    folder: str | Path,
) -> None:
    """Write what is found of a model that was given as a file; `folder` as above."""
    facts = {
        "kind": "given",
        "title": page_title(model),
        "purpose": purpose_line(model),
        "mode": model.mode,
        "method": model.method,
        "confidence": confidence,
        "labels": labels_of(model.terms),
        "notes": list(notes),
    }
    nomogram = None
    try:
        nomogram = build_nomogram(model)
    except StudyError as error:
        facts["notes"].append(f"No nomogram. {error}")
    leaking = LABEL if model.leaks else None
    _write(folder, tables, model, nomogram, facts, leaking, confidence)


def _write(
    folder: str | Path,
    tables: dict[str, pd.DataFrame],
    model: RegressionModel,
    nomogram: Nomogram | None,
    facts: dict,
    leaking: str | None,
    confidence: float,
) -> None:
    folder = Path(folder)
    _check_folder(folder)
    # A page and its figures are made from the files, as every report of this project is.
    from pipeline.reporting.pages.regression_page import write_regression_page

    with whole_folder(folder) as beside:
        write_tables(tables, beside / "tables", leaking)
        write_model(model, beside / "model.json")
        if nomogram is not None:
            write_json(nomogram_facts(nomogram, model), beside / "nomogram.json")
        write_json(facts, beside / "regression.json")
        with whole_file(beside / "calculator.html") as page:
            page.write_text(calculator_page(model, confidence), encoding="utf-8")
        write_regression_page(beside)


def _check_folder(folder: Path) -> None:
    """Raise `StudyError` if a folder holds anything but an earlier result."""
    if not folder.exists():
        return
    if not folder.is_dir() or (any(folder.iterdir()) and not (folder / "regression.json").exists()):
        raise StudyError(
            "The folder of the results must be new, empty, or hold an earlier result",
            found="a file" if not folder.is_dir() else "other files",
            where=str(folder),
            remedy="name another folder: --out",
            code="regression-folder-in-use",
        )


def _pairs(option: str, texts: Sequence[str], read: Callable[[str], object]) -> dict[str, object]:
    """Return what stands behind an option as ``name=value``."""
    found = {}
    for text in texts:
        name, sign, value = text.rpartition("=")
        try:
            if not sign or not name or not value:
                raise ValueError
            found[name] = read(value)
        except ValueError:
            raise StudyError(
                f"--{option} takes pairs of a predictor and its value",
                found=text,
                where=f"option --{option}",
                remedy=f"such as --{option} " + ("age=4" if option == "splines" else "grade=0-1"),
                code="option-pairs-invalid",
            ) from None
    return found


def _split(cohort: Cohort, options: argparse.Namespace) -> tuple[Cohort, Cohort | None]:
    """Return the rows of the fit and those of the validation, parted by a column of the table."""
    if not options.validation_rows:
        return cohort, None
    column, *words = options.validation_rows
    sheet = read_sheet(options.table)
    if column not in sheet or not words:
        raise StudyError(
            "--validation-rows must name a column of the table and its words for validation",
            found=listing(options.validation_rows),
            where="option --validation-rows",
            remedy="such as --validation-rows part validation",
            code="validation-rows-unnamed",
        )
    values = sheet[column].reindex(cohort.whole.index)
    apart = same_words(values, words).to_numpy()
    if column in {term.name for term in cohort.terms} or column == options.outcome:
        raise StudyError(
            "The column that parts the rows must be neither outcome nor predictor",
            found=column,
            where="option --validation-rows",
            remedy="name another column, or take it out of the predictors",
            code="validation-column-is-a-term",
        )
    if not apart.any() or apart.all():
        raise StudyError(
            "Some rows must be for validation, and some for the fit",
            found=f"{int(apart.sum())} of {len(apart)} rows have {listing(words)} there",
            where=f"{options.table}, column {column}",
            remedy=f"words of the column: {listing(sorted(values.dropna().unique()))}",
            code="validation-rows-empty",
        )
    both = set(cohort.whole_patients[apart]) & set(cohort.whole_patients[~apart])
    if both:
        raise StudyError(
            "No patient may have rows in the fit and in the validation",
            found=f"{len(both)} patients in both",
            where=f"{options.table}, column {column}",
            remedy="give all rows of a patient the same word",
            code="validation-divides-patient",
        )
    return cohort.part(~apart), cohort.part(apart)


def _cohort(options: argparse.Namespace, path: Path, terms: Sequence | None = None) -> Cohort:
    return read_cohort(
        path,
        options.outcome,
        options.predictors or (),
        dictionary=options.dictionary,
        factors=options.factors,
        references=_pairs("reference", options.reference, str),
        splines=_pairs("splines", options.splines, int),
        terms=terms,
        **reading_options(options),
    )


def _fitted(options: argparse.Namespace) -> None:
    cohort = _cohort(options, options.table)
    whole, validation = _split(cohort, options)
    cohort = ready_to_fit(whole)
    if options.validation:
        if validation is not None:
            raise StudyError(
                "Validation must be named once",
                found="--validation and --validation-rows",
                where="command line",
                remedy="leave one of the two out",
                code="validation-named-twice",
            )
        validation = _cohort(options, options.validation, cohort.terms)
    elif validation is not None:
        validation = replace(validation, terms=cohort.terms)
    pairs = [tuple(pair.split(":", 1)) for pair in options.interactions]
    check_pairs(pairs, [term.name for term in cohort.terms], "option --interactions")
    for term in cohort.terms:
        kind = f"levels {'|'.join(term.levels)}" if term.is_factor else "a number"
        logger.info("predictor %s: %s", term.name, kind)
    purpose = Purpose(
        options.outcome_label or options.outcome,
        options.day or "",
        options.population or "",
        moment_of(cohort.terms, options.moment),
    )
    asked = Options(
        mode=options.mode,
        screening=options.screen,
        method=options.method,
        risks=options.risks,
        scale=options.interval,
        axis_limits=options.axis_limits,
        impute=options.impute,
        interactions=tuple(pairs),
        penalised=options.penalised,
        **judging_options(options),
    )
    title = options.title or f"Risk of {purpose.outcome}"
    found = regress(cohort, title, purpose, asked, validation)
    for note in found.notes:
        logger.warning("%s", note)
    write_regression(found, asked, options.out)
    corrected = found.tables["optimism"].set_index("measure").loc["c_index"]
    logger.info(
        "AUROC %.3f apparent, %.3f corrected for optimism (%d resamples); shrinkage %.3f",
        *(corrected["apparent"], corrected["corrected"], corrected["resamples"]),
        found.tables["model"].set_index("what").loc["shrinkage", "value"],
    )
    logger.info("written: %s", options.out / "regression.html")


def _given(options: argparse.Namespace) -> None:
    model = read_model(options.model)
    given = {
        **{"--predictors": options.predictors, "--dictionary": options.dictionary},
        **{"--factors": options.factors, "--reference": options.reference},
        **{"--splines": options.splines, "--screen": options.screen, "--impute": options.impute},
        **{"--validation": options.validation, "--validation-rows": options.validation_rows},
        **{"--interactions": options.interactions, "--penalised": options.penalised},
    }
    spare = [name for name, value in given.items() if value]
    if spare:
        raise StudyError(
            "A model that is given is not fitted",
            found=listing(spare),
            where="command line",
            remedy="leave these options out: the model's file says what they would",
            code="given-model-with-fit-options",
        )
    tables, notes = {}, []
    if options.table is not None:
        cohort = _cohort(options, options.table, model.terms)
        tables, notes = judge_model(
            model,
            cohort,
            scale=options.interval,
            **judging_options(options),
        )
        for row in tables["metrics"].query("metric == 'auroc'").itertuples():
            logger.info("AUROC %.4f (%.4f to %.4f)", row.value, row.low, row.high)
    write_given(tables, model, notes, options.confidence, options.out)
    logger.info("written: %s", options.out / "regression.html")


def main(options: argparse.Namespace) -> None:
    """Fit a model, or compute one that is given."""
    _check_folder(options.out)
    if options.table is not None and not options.outcome:
        raise StudyError(
            "A table needs its outcome named",
            where="command line",
            remedy="add --outcome and the column's name",
            code="outcome-unnamed",
        )
    if options.model is not None:
        _given(options)
        return
    if options.table is None or not options.predictors:
        raise StudyError(
            "A fit needs a table and its predictors, or a model's file",
            found="neither",
            where="command line",
            remedy="name TABLE, --outcome and --predictors; or --model FILE",
            code="regression-nothing-to-fit",
        )
    _fitted(options)


def _arguments() -> argparse.ArgumentParser:
    arguments = command.parser("models.regress", __doc__)
    arguments.add_argument(
        "table", type=Path, nargs="?", help="CSV, Excel or Parquet table, a row per patient"
    )
    arguments.add_argument("--outcome", help="column of the outcome")
    arguments.add_argument(
        "--event", nargs="+", metavar="WORD", help="how it says that it happened (default: 1)"
    )
    for name, text in (
        ("no-event", "how it says that it did not (default: every other word)"),
        ("missing", "words for `not known` in outcome and predictors"),
    ):
        arguments.add_argument(f"--{name}", nargs="+", default=[], metavar="WORD", help=text)
    arguments.add_argument("--patient", help="column of the patient, if one has several rows")
    arguments.add_argument("--predictors", nargs="+", metavar="COLUMN", help="candidates")
    arguments.add_argument("--dictionary", type=Path, help="data dictionary (docs/tables.md)")
    for name, metavar, text in (
        ("factors", "COLUMN", "numbers to take as categories"),
        ("reference", "COLUMN=LEVEL", "level that others are compared with"),
        ("splines", "COLUMN=KNOTS", "restricted cubic splines, 3 to 7 knots"),
    ):
        arguments.add_argument(f"--{name}", nargs="+", default=[], metavar=metavar, help=text)
    arguments.add_argument(
        "--screen",
        type=bounded_number("number", exclusiveMinimum=0, maximum=1),
        help="keep candidates whose score test alone has a P value up to this (default: keep all)",
    )
    arguments.add_argument(
        "--impute",
        type=bounded_number(minimum=20, maximum=500),
        default=0,
        metavar="TABLES",
        help="number of imputed tables to fit, beside the complete cases (default: none)",
    )
    arguments.add_argument(
        "--interactions",
        nargs="+",
        default=[],
        metavar="FIRST:SECOND",
        help="pairs of predictors, named beforehand, whose interaction is tested",
    )
    arguments.add_argument(
        "--penalised", action="store_true", help="ridge and lasso coefficients beside the fit"
    )
    arguments.add_argument(
        "--mode",
        choices=[RIGOROUS, AS_PUBLISHED],
        default=RIGOROUS,
        help="which model is drawn: shrunken (rigorous, default), or as it came out, LEAKING",
    )
    arguments.add_argument(
        "--method",
        choices=["auto", "ml", "firth"],
        default="auto",
        help="maximum likelihood, Firth's method, or (auto, default) Firth's where separated",
    )
    arguments.add_argument(
        "--risks",
        choices=["flic", "flac"],
        default="flic",
        help="how risks are computed after Firth's method (default: flic)",
    )
    arguments.add_argument("--validation", type=Path, help="table of other patients, same columns")
    arguments.add_argument(
        "--validation-rows",
        nargs="+",
        metavar=("COLUMN", "WORD"),
        help="rows of the table that are for validation: column, and its words for them",
    )
    arguments.add_argument("--model", type=Path, help="a model's file: nothing is fitted")
    for name, text in (
        ("title", "heading of the pages"),
        ("outcome-label", "the outcome in words, such as `residual back pain`"),
        ("day", "when it is looked at, such as `day 30 after surgery`"),
        ("population", "for whom, such as `adults with one osteoporotic fracture`"),
    ):
        arguments.add_argument(f"--{name}", help=text)
    arguments.add_argument("--moment", choices=TIMINGS, help="when all predictors are known")
    judging_arguments(arguments, "resamples of the bootstrap", "papers print")
    arguments.add_argument(
        "--axis-limits",
        action="store_true",
        help="draw the limits of each value's points above the nomogram's axes",
    )
    arguments.add_argument("--out", required=True, type=Path, help="folder of the results")
    return arguments


if __name__ == "__main__":
    command.run(main, _arguments())
