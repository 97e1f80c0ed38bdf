"""Scales over time, events per person-time, levels, figures and readings of a study's patients."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.comparison.agreement.concordance import icc_2_1_interval, lowest_pair
from pipeline.comparison.agreement.graded_agreement import graded_agreement
from pipeline.comparison.correlations import correlations
from pipeline.comparison.course.outcomes import event_tables, scale_tables
from pipeline.comparison.table_one.table_one_parts import Variable
from pipeline.core import command
from pipeline.core.files import whole_folder, write_json, write_table
from pipeline.core.sections import taken
from pipeline.core.table_schema import Table, types_of
from pipeline.study.course_plan import plan_of
from pipeline.study.flow.patient_flow import FlowOptions, units_by_tables
from pipeline.study.outcome_columns import course_columns
from pipeline.study.sections.judging import Evaluation
from pipeline.study.study import StudyTables, open_study
from pipeline.study.study_groups import Groups, compared_variables, groups_of_study
from pipeline.tables.clinical.joined_readings import MADE, coded, joined_codes
from pipeline.tables.columns import analysis_name
from pipeline.tables.schemas.outcomes.course import COURSE, GradedReadings

logger = logging.getLogger("vertebromics")


@dataclass(frozen=True, kw_only=True)
class CourseOptions(FlowOptions):
    """What the stage reads.

    Attributes
    ----------
    readings, reading_ties, reading_consensus
        Options of these names.
    outcomes : mapping
        The section of this name, as the study has it: it makes the plan.
    evaluation : section
        The configuration's section of this name.
    """

    readings: Mapping[str, list[str]]
    reading_ties: Mapping[str, str]
    reading_consensus: Mapping[str, str]
    outcomes: Mapping
    evaluation: Evaluation = taken(Evaluation)


def course(tables: StudyTables, how: CourseOptions) -> tuple[dict[str, pd.DataFrame], dict]:
    """Compute what a study asks of its patients besides the comparison of columns.

    Those count who are in the study by its tables: eligible, with a known outcome where the study
    has one.

    Parameters
    ----------
    tables : StudyTables
        With a clinical table and a dictionary.
    how : CourseOptions
        Options of the study.

    Returns
    -------
    tables : dict of str to pandas.DataFrame
        As far as they are asked for: ``over_time, between, rates, ratios, curves, levels,
        patients`` (the columns of scales and events, a row a patient)``, columns`` (the compared
        columns, a row a patient)``, correlations, readings, graded_readings``.
    info : dict
        ``groups`` (labels, the reference first)``, label`` (of what makes them)``, labels`` (of
        columns)``, numbers`` (columns that are measured).
    """
    options = how.outcomes
    clinical, _, outcome = units_by_tables(tables, how)
    groups = groups_of_study(options["by"], how.outcome, clinical, tables.dictionary, outcome)
    group = np.array(
        [groups.names.index(each) if each in groups.names else -1 for each in groups.of_unit]
    )
    found = _scales_and_events(options, tables.dictionary, clinical, group, groups)
    variables = compared_variables(tables.dictionary, clinical, groups)
    if "groups" in options["figures"]:
        columns = clinical[[each.column for each in variables]].reset_index(drop=True)
        columns.insert(0, "group", groups.of_unit.to_numpy(dtype=object))
        found["columns"] = columns
    labels = {each.column: each.label for each in variables}
    if "correlations" in options["figures"]:
        numbers, more = as_numbers(clinical, variables)
        known = pd.Series(group, index=clinical.index).where(group >= 0).astype(float)
        if len(groups.names) == 2:
            numbers["group"] = known
            more["group"] = groups.label
        labels |= more
        found["correlations"] = correlations(numbers)
    if how.readings:
        confidence = how.evaluation.confidence
        ties, consensus = how.reading_ties, how.reading_consensus
        described = tables.dictionary.set_index("column", drop=False)
        kinds = {name: described.loc[analysis_name(name), "type"]
                 for name in how.readings}  # fmt: skip
        means = {name: each for name, each in how.readings.items()
                 if kinds[name] == "continuous"}  # fmt: skip
        graded = {name: each for name, each in how.readings.items()
                  if name not in means}  # fmt: skip
        if means:
            found["readings"] = agreement_of_readings(clinical, means, confidence)
        if graded:
            found["graded_readings"] = agreement_of_grades(
                clinical, graded, described, ties, confidence, consensus,
            )  # fmt: skip
        labels |= {name: described.loc[analysis_name(name), "label"] for name in kinds}
    info = {
        "groups": list(groups.names),
        "label": groups.label,
        "labels": labels,
        "numbers": [each.column for each in variables if each.numbers],
        "levels": {each.column: list(each.levels) for each in variables if not each.numbers},
    }
    return found, info


def _scales_and_events(
    options: Mapping,
    dictionary: pd.DataFrame,
    clinical: pd.DataFrame,
    group: np.ndarray,
    groups: Groups,
) -> dict[str, pd.DataFrame]:
    """Return the tables of scales, events and levels, those of one kind in one."""
    plan = plan_of(options)
    table, levels = course_columns(clinical, dictionary, options)
    if not (plan.scales or plan.events or len(levels)):
        return {}
    found: dict[str, list[pd.DataFrame]] = {}
    for scale in plan.scales:
        for name, each in scale_tables(table, scale, group, groups.names, plan.adjust_for).items():
            found.setdefault(name, []).append(each.astype(object))
    for event in plan.events:
        for name, each in event_tables(table, event, group, groups.names, plan.adjust_for).items():
            found.setdefault(name, []).append(each.astype(object))
    tables = {name: pd.concat(each, ignore_index=True) for name, each in found.items()}
    tables = {name: _typed(table, COURSE[name]) for name, table in tables.items()}
    if len(levels):
        tables["levels"] = levels.rename_axis("level").reset_index()
    patients = table.reset_index(drop=True)
    patients.insert(0, "group", [groups.names[at] if at >= 0 else None for at in group])
    return tables | {"patients": patients}


def _typed(table: pd.DataFrame, schema: type[Table]) -> pd.DataFrame:
    """Return a table with the types of its class; words that are missing are None."""
    types, typed = types_of(schema), {}
    for name, values in table.items():
        stored = types.get(name, str(values.dtype))
        words = stored == "object"
        kept = values.astype(object).where(values.notna(), None)
        typed[name] = kept if words else pd.to_numeric(values).astype(stored)
    return pd.DataFrame(typed)


def as_numbers(
    clinical: pd.DataFrame, variables: tuple[Variable, ...]
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return compared columns as numbers: of levels, a column of 0 and 1 for each but the first.

    Returns
    -------
    numbers : pandas.DataFrame
        One row per unit.
    labels : dict of str to str
        Label of each of its columns.
    """
    columns, labels = {}, {}
    for each in variables:
        values = clinical[each.column]
        if each.numbers:
            columns[each.column], labels[each.column] = values.astype(float), each.label
            continue
        for level in each.levels[1:]:
            name = f"{each.column}={level}"
            columns[name] = (values == level).astype(float).where(values.notna())
            labels[name] = f"{each.label}: {level}"
    return pd.DataFrame(columns, index=clinical.index), labels


def agreement_of_grades(
    clinical: pd.DataFrame,
    readings: Mapping[str, list[str]],
    described: pd.DataFrame,
    ties: Mapping[str, str],
    confidence: float = 0.95,
    consensus: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Return how well readings agree of which grades or yes and no were made.

    Parameters
    ----------
    clinical : pandas.DataFrame
        One row per unit, typed.
    readings : mapping
        Column -> the columns of its readings.
    described : pandas.DataFrame
        The dictionary, by column.
    ties : mapping
        Option ``reading_ties``.
    confidence : float
        Level of the intervals.
    consensus : mapping, optional
        Option ``reading_consensus``.

    Returns
    -------
    pandas.DataFrame
        As `GradedReadings` describes it: a row a measure.
    """
    found = []
    for made, names in readings.items():
        entry = described.loc[analysis_name(made)]
        columns = clinical[[analysis_name(name) for name in names]]
        if entry["type"] == "binary":
            columns = coded(columns, entry)[0]
        values = columns.to_numpy(dtype=float)
        rule = MADE[entry["type"]]
        decided = made in (consensus or {})
        _, tied = joined_codes(pd.DataFrame(values), rule, "blank")
        if decided:  # what differs is decided, whether it ties or not
            tied = pd.DataFrame(values).nunique(axis=1) > 1
        known = ~np.isnan(values)
        complete = values[known.all(axis=1)]
        alike = (complete == complete[:, :1]).all(axis=1)
        table = graded_agreement(
            values, list(names), graded=rule == "median", confidence=confidence
        )
        facts = {
            "column": made, "made": "consensus" if decided else rule, "tied": int(tied.sum()),
            "tie_rule": "consensus" if decided else ties.get(made, "blank"),
            "readings": len(names), "n": len(complete),
            "incomplete": int((known.any(axis=1) & ~known.all(axis=1)).sum()),
            "all_alike": float(alike.mean()) if len(complete) else np.nan,
        }  # fmt: skip
        for place, (name, value) in enumerate(facts.items()):
            table.insert(place, name, value)
        found.append(table.astype(object))
    return _typed(pd.concat(found, ignore_index=True), GradedReadings)


def agreement_of_readings(
    clinical: pd.DataFrame, readings: Mapping[str, list[str]], confidence: float = 0.95
) -> pd.DataFrame:
    """Return how well the readings agree whose means are columns of a study.

    Parameters
    ----------
    clinical : pandas.DataFrame
        One row per unit; the readings are float64, on their raw scale.
    readings : mapping
        Mean -> the columns of its readings.
    confidence : float
        Level of the intervals.

    Returns
    -------
    pandas.DataFrame
        A row a mean: ``column, readings`` (how many)``, n`` (units with all of them)``,
        incomplete`` (with some only)``, icc, icc_low, icc_high`` (ICC(2,1): of a single
        reading)``, icc_mean, icc_mean_low, icc_mean_high`` (ICC(2,k): of their mean, by Spearman
        and Brown's formula)``, ccc, ccc_low, ccc_high, pair`` (Lin's coefficient of the two that
        agree least)``, sd_within`` (of one unit's readings, in the column's unit).
    """
    rows = []
    for mean, names in readings.items():
        values = clinical[[analysis_name(name) for name in names]].to_numpy(dtype=float)
        known = ~np.isnan(values)
        complete = values[known.all(axis=1)]
        single = [float(each[0]) for each in icc_2_1_interval(values[:, :, None], confidence)]
        k = len(names)
        of_mean = [
            k * each / (1 + (k - 1) * each) if each > -1 / (k - 1) else np.nan for each in single
        ]
        lowest = lowest_pair([values[:, [at]] for at in range(k)], confidence)
        pair = f"{names[int(lowest.first[0])]}, {names[int(lowest.second[0])]}"
        within = np.sqrt(complete.var(axis=1, ddof=1).mean()) if len(complete) else np.nan
        rows.append(
            {
                "column": mean,
                "readings": k,
                "n": len(complete),
                "incomplete": int((known.any(axis=1) & ~known.all(axis=1)).sum()),
                **dict(zip(("icc", "icc_low", "icc_high"), single, strict=True)),
                **dict(zip(("icc_mean", "icc_mean_low", "icc_mean_high"), of_mean, strict=True)),
                "ccc": float(lowest.ccc[0]),
                "ccc_low": float(lowest.low[0]),
                "ccc_high": float(lowest.high[0]),
                "pair": pair,
                "sd_within": float(within),
            }
        )
    return pd.DataFrame(rows)


def main(options: argparse.Namespace) -> None:
    """Compute one study's scales, events, figures and readings."""
    study = open_study(options.study)
    tables, info = course(study.tables, study.options(CourseOptions))
    with whole_folder(options.out) as folder:
        for name, table in tables.items():
            # What is of single patients serves figures, and lies in no table for people.
            schema = COURSE.get(name)
            kept = table if schema is None else _typed(table, schema)
            write_table(kept, folder / f"{name}.parquet", schema, csv=schema is not None)
        write_json(info | {"tables": list(tables)}, folder / "course.json")
    logger.info("written: %s", ", ".join(tables))


def _arguments() -> argparse.ArgumentParser:
    arguments = command.parser("pipeline.describe_course", __doc__)
    arguments.add_argument("--study", required=True, type=Path, help="folder of the study")
    arguments.add_argument("--out", required=True, type=Path, help="folder of the tables")
    return arguments


if __name__ == "__main__":
    command.run(main, _arguments())
