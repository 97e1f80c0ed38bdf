"""What a study is warned of that has few patients or events: said before anything runs."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import pandas as pd

from pipeline.core.errors import StudyError
from pipeline.core.mode_labels import is_leaking
from pipeline.core.sections import taken
from pipeline.study.flow.enough import check_enough, check_parts, check_patients_named
from pipeline.study.flow.patient_flow import FlowOptions, screen
from pipeline.study.flow.steps import Flow
from pipeline.study.foreseen_fits import ForeseenOptions, foreseen, training_patients
from pipeline.study.sections.judging import Primary
from pipeline.study.study import StudyTables
from pipeline.tables.split_designs import NO_HOLD_OUT, holds_out
from pipeline.tables.split_options import Split

logger = logging.getLogger(__name__)
counts = logging.getLogger("pipeline.tables.values.formula_values")


FEW_PATIENTS = 300
"""Patients below which no test part should be drawn: a limit of this project. That splitting wastes
data at such sizes: Steyerberg, J Clin Epidemiol 2018;103:131-133."""


@dataclass(frozen=True, kw_only=True)
class FewOptions(ForeseenOptions):
    """Options on which it depends whether a study has patients enough."""

    mode: str
    primary: Primary | None = taken(Primary)


def warn_if_too_few(tables: StudyTables, members: FlowOptions, options: FewOptions) -> None:
    """Warn if the outcome is too rare for models even if every image turns out usable.

    It is no error yet: images of the first patients are checked long before the last one is in.

    Parameters
    ----------
    tables : StudyTables
        Of a study with an outcome.
    members : FlowOptions
        Who is in it.
    options : FewOptions
        What is made of them.
    """
    flow, outcome = screen(tables, members)
    if tables.cases is None and tables.ready_cases is None:
        check_patients_named(flow.members)
    _tell_events(flow, outcome)
    units = flow.members[["unit_id", "patient_id"]].drop_duplicates("unit_id")
    assert tables.clinical is not None
    assert outcome is not None
    clinical = tables.clinical.set_index(f"{members.unit}_id", drop=False)
    known = [name for name in clinical if name not in units]
    units = units.join(clinical[known], on="unit_id").set_index("unit_id", drop=False)
    outcome = outcome[units.index].astype("int64")
    if tables.cases is None:
        # Of ready tables everything is there, so that the split is what it will be.
        check_parts(outcome, units, options.split)
    try:
        check_enough(outcome, units, options.split)
    except StudyError as error:
        logger.warning("There will be features, but no models. %s", error)
        return
    if not is_leaking(options.mode):
        _propose_no_hold_out(outcome, units["patient_id"], options.split)
    _warn_of_fits(outcome, units, options)


def _propose_no_hold_out(outcome: pd.Series, patients: pd.Series, split: Split) -> None:
    """Say that a drawn test part of a small study can hardly judge a model, and what can."""
    if split.design != "holdout":
        return
    events = outcome.groupby(patients.to_numpy()).max()
    if len(events) >= FEW_PATIENTS:
        return
    logger.info(
        "The study has %d patients, %d of them with the outcome. About %d of these would be held "
        "out, too few to judge a model by. Better for fewer than %d patients: `split: {design: "
        "%s}`, which learns from all of them and judges by nested cross-validation",
        *(len(events), events.sum(), round(events.sum() * split.test_fraction)),
        *(FEW_PATIENTS, NO_HOLD_OUT),
    )


def _warn_of_fits(outcome: pd.Series, units: pd.DataFrame, options: FewOptions) -> None:
    """Say which models will drop out of which stage, since too few patients are left there."""
    primary = options.primary
    judged = ("train", "nested") if primary and primary.part == "nested" else ("train",)
    alone = "" if holds_out(options.split.design) else ", and nothing else judges it"
    for each in foreseen(training_patients(outcome, units, options.split), options):
        lost = primary and each.model == primary.model and each.stage in judged
        logger.warning(
            "%s%s will drop out (%s): %s%s. Remedy: %s",
            "The primary analysis will be lost. " if lost else "",
            each.model,
            each.stage,
            each.why,
            alone if each.stage == "nested" else "",
            each.remedy,
        )


def _tell_events(flow: Flow, outcome: pd.Series) -> None:
    """Tell how many units of the study have the outcome, as far as the tables alone tell."""
    known = outcome[flow.members["unit_id"].unique()].astype("int64")
    gone = sum(len(entry["ids"]) for step in flow.steps for entry in step["excluded"])
    counts.info(
        "units in the study, as the tables say: %d (%d with the outcome, %d without); left out: "
        "%d (%s)",
        len(known),
        known.sum(),
        len(known) - known.sum(),
        gone,
        flow.reasons_text() or "nobody",
    )
