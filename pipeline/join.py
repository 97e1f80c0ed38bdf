"""Join features, clinical table and outcome into the analysis table, and account for every patient.

A unit (patient or case) enters the analysis if it is in both sources, eligible, with a known
outcome, and with features of every reader. Whoever leaves is named with the reason in the flow.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from pipeline.core import command
from pipeline.core.dictionary import allowed_predictors
from pipeline.core.errors import StudyError
from pipeline.core.feature_tables import read_feature_keys
from pipeline.core.files import read_table, write_json, write_table
from pipeline.core.formula import Formula
from pipeline.core.study import Study, open_study
from pipeline.patient_flow import Flow, build_flow, check_enough

logger = logging.getLogger(__name__)


def wide_features(features: Mapping[str, pd.DataFrame], cases: Sequence[str]) -> pd.DataFrame:
    """Put the readers' features side by side.

    Parameters
    ----------
    features : mapping
        Reader to features, indexed by case, the same columns for each.
    cases : sequence of str
        Cases wanted, all of which every reader has.

    Returns
    -------
    pandas.DataFrame
        Indexed by case, columns ``<reader>:<feature>``, float64.
    """
    parts = [
        table.loc[list(cases)].astype("float64").add_prefix(f"{reader}:")
        for reader, table in sorted(features.items())
    ]
    return pd.concat(parts, axis=1)


def aggregate(values: pd.DataFrame, units: pd.Series, how: str | None) -> pd.DataFrame:
    """Make one row per unit of the features of its cases.

    Parameters
    ----------
    values : pandas.DataFrame
        Features, one row per case, in the order that ``first`` goes by.
    units : pandas.Series
        Unit of each row of `values`, on its index.
    how : {'mean', 'median', 'first'} or None
        None if every unit has one case.

    Raises
    ------
    StudyError
        If a unit has several cases and `how` is None.
    """
    if how is None and units.duplicated().any():
        raise StudyError(
            "Where a patient has several cases, the study must say how they become one row",
            found=", ".join(sorted(units[units.duplicated()].unique())[:10]),
            where="config key aggregation",
            remedy="write `aggregation: mean`, median or first, or `unit: case`",
        )
    if how in ("mean", "median"):
        return values.groupby(units, sort=True).agg(how)
    first = ~units.duplicated()
    return values[first].set_axis(units[first], axis=0).sort_index()


def describe(
    config: dict,
    readers: Sequence[str],
    names: Sequence[str],
    dictionary: pd.DataFrame,
    notes: Sequence[str],
) -> dict:
    """Return what ``analysis.json`` says about the columns of the analysis table."""
    formula = Formula(config["outcome"]["formula"], "config key outcome.formula")
    predictors = allowed_predictors(
        dictionary, config["timing"], config["predictors"], formula.columns
    )
    rows = predictors.astype(object).where(predictors.notna(), None).to_dict("records")
    return {
        "unit": config["unit"],
        "readers": list(readers),
        "model_reader": config["model_reader"] if len(readers) > 1 else None,
        "features": list(names),
        "predictors": rows,
        "outcome": config["outcome"],
        "notes": list(notes),
    }


def analysis_table(
    study: Study, flow: Flow, outcome: pd.Series, features: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """Build the analysis table of the units that are left.

    Parameters
    ----------
    study : Study
        The validated study.
    flow : Flow
        From `build_flow`.
    outcome : pandas.Series
        Nullable boolean by unit id, known for every member of `flow`.
    features : mapping
        Reader to features, indexed by case.

    Returns
    -------
    pandas.DataFrame
        One row per unit, sorted: ``unit_id, patient_id, outcome`` (0 or 1)``, level`` (several
        joined by '|'), every clinical column, ``<reader>:<feature>``.

    Raises
    ------
    StudyError
        If nobody is left, or if several cases of a unit have no aggregation.
    """
    members = flow.members.set_index("case_id")
    if members.empty:
        raise StudyError(
            "The analysis must have at least one unit",
            found=f"none is left; {flow.reasons_text()}",
            where=f"study {study.name}",
            remedy="look into the tables, tables/preflight.csv and the reasons above",
        )
    units = members["unit_id"]
    values = aggregate(wide_features(features, members.index), units, study.config["aggregation"])
    key = f"{study.config['unit']}_id"
    grouped = members.groupby("unit_id")
    clinical = study.clinical.set_index(key).drop(columns="patient_id", errors="ignore")
    front = pd.DataFrame(
        {
            "patient_id": grouped["patient_id"].first(),
            "outcome": outcome.reindex(values.index).astype("int64"),
            "level": grouped["level"].agg(lambda levels: "|".join(levels.dropna()) or None),
        },
        index=values.index,
    )
    described = [name for name in study.dictionary["column"] if name in clinical.columns]
    table = pd.concat([front, clinical.loc[values.index, described], values], axis=1)
    return table.rename_axis("unit_id").reset_index()


def main(options: argparse.Namespace) -> None:
    """Join one study's tables."""
    study = open_study(options.study)
    needed = ["features"] if options.flow_only else ["features", "out", "info"]
    needed += ["preflight", "extraction"] if study.cases is not None else []
    for name in needed:
        if getattr(options, name) is None:
            raise StudyError("The join needs more tables", where=f"option --{name}")
    if study.config["outcome"] is None and not options.flow_only:
        raise StudyError(
            "An analysis table needs an outcome",
            where="config key outcome",
            remedy="set `clinical`, `dictionary` and `outcome`, or pass --flow-only",
        )
    gathered = read_table(options.features).set_index("case_id")
    features = {reader: rows.drop(columns="reader") for reader, rows in gathered.groupby("reader")}
    if study.cases is None:
        ready, notes = read_feature_keys(study.config["features"], f"{study.config['unit']}_id")
        flow, outcome = build_flow(study, ready_cases=ready, features=features)
    else:
        notes = []
        preflight, extraction = read_table(options.preflight), read_table(options.extraction)
        flow, outcome = build_flow(study, preflight=preflight, extraction=extraction)
    if options.flow_only:
        write_json({"steps": flow.steps}, options.flow)
        return
    table = analysis_table(study, flow, outcome, features)
    check_enough(table["outcome"], table, study.config["split"])
    names = [name for name in gathered.columns if name != "reader"]
    info = describe(study.config, sorted(features), names, study.dictionary, notes)
    write_table(table, options.out, csv=True)
    write_json(info, options.info)
    write_json({"steps": flow.steps}, options.flow)
    logger.info(
        "%d units, %d with the outcome, %d features of %d readers",
        len(table),
        table["outcome"].sum(),
        len(names),
        len(features),
    )


def _arguments() -> argparse.ArgumentParser:
    arguments = command.parser("pipeline.join", __doc__)
    arguments.add_argument("--study", required=True, type=Path, help="folder of the study")
    for name, text in (
        ("features", "table of features, as pipeline.gather writes it"),
        ("preflight", "table of verdicts, for a study with images"),
        ("extraction", "table of the extraction's status, for a study with images"),
        ("out", "analysis table to write"),
        ("info", "JSON to write: what the analysis table's columns are"),
    ):
        arguments.add_argument(f"--{name}", type=Path, help=text)
    arguments.add_argument("--flow", required=True, type=Path, help="JSON to write: the flow")
    arguments.add_argument(
        "--flow-only", action="store_true", help="write the flow of a study without outcome"
    )
    return arguments


if __name__ == "__main__":
    command.run(main, _arguments())
