"""What a study is warned of that has few patients or events: said before anything runs."""

from __future__ import annotations

import logging

import pandas as pd

from pipeline.core.errors import StudyError
from pipeline.core.mode_labels import is_leaking
from pipeline.study.flow.enough import check_enough, check_parts, check_patients_named
from pipeline.study.flow.patient_flow import screen
from pipeline.study.flow.steps import Flow
from pipeline.study.foreseen_fits import foreseen, training_patients
from pipeline.study.study import Study
from pipeline.tables.split_designs import NO_HOLD_OUT, holds_out

logger = logging.getLogger(__name__)
counts = logging.getLogger("pipeline.tables.values.formula_values")


FEW_PATIENTS = 300
"""Patients below which no test part should be drawn: a limit of this project. That splitting wastes
data at such sizes: Steyerberg, J Clin Epidemiol 2018;103:131-133."""


def warn_if_too_few(study: Study, features: pd.DataFrame | None) -> None:
    """Warn if the outcome is too rare for models even if every image turns out usable.

    It is no error yet: images of the first patients are checked long before the last one is in.
    """
    flow, outcome = screen(study, features)
    if study.cases is None and features is None:
        check_patients_named(flow.members)
    _tell_events(flow, outcome)
    units = flow.members[["unit_id", "patient_id"]].drop_duplicates("unit_id")
    assert study.clinical is not None
    assert outcome is not None
    clinical = study.clinical.set_index(f"{study.config['unit']}_id", drop=False)
    known = [name for name in clinical if name not in units]
    units = units.join(clinical[known], on="unit_id").set_index("unit_id", drop=False)
    outcome = outcome[units.index].astype("int64")
    if study.cases is None:
        # Of ready tables everything is there, so that the split is what it will be.
        check_parts(outcome, units, study.config["split"])
    try:
        check_enough(outcome, units, study.config["split"])
    except StudyError as error:
        logger.warning("There will be features, but no models. %s", error)
        return
    _propose_no_hold_out(outcome, units["patient_id"], study.config)
    _warn_of_fits(outcome, units, study.config)


def _propose_no_hold_out(outcome: pd.Series, patients: pd.Series, config: dict) -> None:
    """Say that a drawn test part of a small study can hardly judge a model, and what can."""
    split = config["split"]
    if split["design"] != "holdout" or is_leaking(config):
        return
    events = outcome.groupby(patients.to_numpy()).max()
    if len(events) >= FEW_PATIENTS:
        return
    logger.info(
        "The study has %d patients, %d of them with the outcome. About %d of these would be held "
        "out, too few to judge a model by. Better for fewer than %d patients: `split: {design: "
        "%s}`, which learns from all of them and judges by nested cross-validation",
        *(len(events), events.sum(), round(events.sum() * split["test_fraction"])),
        *(FEW_PATIENTS, NO_HOLD_OUT),
    )


def _warn_of_fits(outcome: pd.Series, units: pd.DataFrame, config: dict) -> None:
    """Say which models will drop out of which stage, since too few patients are left there."""
    primary = config["primary"]
    judged = ("train", "nested") if primary and primary["part"] == "nested" else ("train",)
    alone = "" if holds_out(config["split"]) else ", and nothing else judges it"
    for each in foreseen(training_patients(outcome, units, config["split"]), config):
        lost = primary and each.model == primary["model"] and each.stage in judged
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
