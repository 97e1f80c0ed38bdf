"""Regress a study's outcome on its clinical predictors: tables, nomogram, page and calculator."""

from __future__ import annotations

import argparse
import logging
from dataclasses import dataclass, replace
from pathlib import Path

from models.regress import write_regression
from models.regression.analysis import Options, regress
from models.regression.cohort import ready_to_fit
from models.regression.fitting.interactions import check_pairs
from models.regression.publishing.model import Purpose, moment_of
from models.regression.study_cohort import CohortOptions, study_cohort
from pipeline.core import command
from pipeline.core.sections import taken
from pipeline.study.sections.judging import Evaluation
from pipeline.study.study import StudyTables, open_study

logger = logging.getLogger("vertebromics")


@dataclass(frozen=True, kw_only=True)
class RegressOptions(CohortOptions):
    """What the stage reads: that of its rows, and what is made of them.

    Attributes
    ----------
    mode, seed, title
        Options of these names.
    evaluation : section
        The configuration's section of this name.
    """

    mode: str
    seed: int
    title: str | None
    evaluation: Evaluation = taken(Evaluation)


def regress_study(tables: StudyTables, how: RegressOptions, folder: Path) -> None:
    """Fit, judge and draw the regression that a study asks for, and write it into a folder.

    Parameters
    ----------
    tables : StudyTables
        With a clinical table and a dictionary.
    how : RegressOptions
        Options of a study with `regression` among its analyses.
    folder : pathlib.Path
        Holds the regression afterwards, as ``vertebromics regress`` writes it.
    """
    options, evaluation = how.regression, how.evaluation
    whole, validation = study_cohort(tables, how)
    names = [term.name for term in whole.terms]
    check_pairs(options.interactions, names, "config key regression.interactions")
    cohort = ready_to_fit(whole)
    if validation is not None:
        validation = replace(validation, terms=cohort.terms)
    purpose = Purpose(
        how.outcome.label,
        options.day or "",
        options.population or "",
        moment_of(cohort.terms, None),
    )
    asked = Options(
        mode=how.mode,
        screening=options.screening,
        method=options.method,
        risks=options.risks,
        resamples=options.resamples,
        impute=options.impute,
        interactions=tuple((first, second) for first, second in options.interactions),
        penalised=options.penalised,
        seed=how.seed,
        confidence=evaluation.confidence,
        decision_curve=tuple(evaluation.decision_curve),
    )
    title = how.title or f"Risk of {purpose.outcome}"
    found = regress(cohort, title, purpose, asked, validation)
    for note in found.notes:
        logger.warning("%s", note)
    write_regression(found, asked, folder)


def main(options: argparse.Namespace) -> None:
    """Regress one study's outcome."""
    study = open_study(options.study)
    regress_study(study.tables, study.options(RegressOptions), options.out)


def _arguments() -> argparse.ArgumentParser:
    arguments = command.parser("models.regress_study", __doc__)
    arguments.add_argument("--study", required=True, type=Path, help="folder of the study")
    arguments.add_argument("--out", required=True, type=Path, help="folder of the results")
    return arguments


if __name__ == "__main__":
    command.run(main, _arguments())
