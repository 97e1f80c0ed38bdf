"""Describe groups of a study by its clinical columns, each test named: table 1 of a study."""

from __future__ import annotations

import argparse
import logging
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.comparison.groups.multiplicity import adjusted
from pipeline.comparison.table_one.table_one import TableOne, table_one
from pipeline.core import command
from pipeline.core.errors import StudyError
from pipeline.core.files import write_json, write_table
from pipeline.core.sections import taken
from pipeline.study.flow.patient_flow import FlowOptions, units_by_tables
from pipeline.study.sections.analyses import Outcomes
from pipeline.study.sections.judging import Evaluation
from pipeline.study.study import StudyTables, open_study
from pipeline.study.study_groups import compared_variables, groups_of_study
from pipeline.tables.schemas.outcomes.groups import Cells, ComparedGroups, GroupEffects

logger = logging.getLogger("vertebromics")


@dataclass(frozen=True, kw_only=True)
class GroupOptions(FlowOptions):
    """What the comparison of groups reads; its sections `outcomes` and `evaluation`."""

    outcomes: Outcomes = taken(Outcomes)
    evaluation: Evaluation = taken(Evaluation)


def compare(tables: StudyTables, how: GroupOptions) -> tuple[TableOne, dict]:
    """Compare the groups of a study.

    Those are compared who are in the study by its tables: eligible, with a known outcome where the
    study has one. Images and masks play no part.

    Parameters
    ----------
    tables : StudyTables
        With a clinical table and a dictionary.
    how : GroupOptions
        Options of the study.

    Returns
    -------
    found : TableOne
        As `pipeline.comparison.table_one.table_one.table_one` returns it, rows with the column
        `p_adjusted`.
    info : dict
        ``{by, label, groups, units, patients, several, without_group, normality, small_cells,
        adjust, confidence}``; `patients` is None where no table names them.
    """
    options = how.outcomes
    clinical, patients, outcome = units_by_tables(tables, how)
    groups = groups_of_study(options.by, how.outcome, clinical, tables.dictionary, outcome)
    variables = compared_variables(tables.dictionary, clinical, groups)
    if not variables:
        raise StudyError(
            "Groups can be compared by columns of the roles predictor and outcome only",
            found="no such column besides the groups",
            where="the data dictionary",
            remedy="write `predictor` into the column role of what is to be compared",
            code="groups-without-columns",
        )
    table = clinical[[each.column for each in variables]].copy()
    for each in variables:
        if not each.numbers:
            values = table[each.column].astype(object)
            table[each.column] = values.where(values.notna(), None)
    table[groups.column] = groups.of_unit
    known = patients.notna().all()
    several = known and patients.duplicated().any()
    found = table_one(
        table,
        variables,
        groups.column,
        groups.names,
        patients if several else None,
        normality=options.normality,
        small_cells=options.small_cells,
        confidence=how.evaluation.confidence,
    )
    rows = found.rows.assign(p_adjusted=adjusted(found.rows["p_value"], options.adjust))
    info = {
        "by": groups.column,
        "label": groups.label,
        "groups": [
            {"name": name, "units": int((table[groups.column] == name).sum())}
            for name in groups.names
        ],
        "units": len(table),
        "patients": int(patients.nunique()) if known else None,
        "several": bool(several),
        "without_group": int(table[groups.column].isna().sum()),
        "labels": {each.column: each.label for each in variables},
        **{name: getattr(options, name) for name in ("normality", "small_cells", "adjust")},
        "confidence": how.evaluation.confidence,
    }
    return replace(found, rows=rows), info


def main(options: argparse.Namespace) -> None:
    """Compare one study's groups."""
    study = open_study(options.study)
    found, info = compare(study.tables, study.options(GroupOptions))
    write_table(found.rows, options.out, ComparedGroups, csv=True)
    write_table(found.cells, options.cells, Cells, csv=True)
    write_table(found.effects, options.effects, GroupEffects, csv=True)
    write_json(info, options.info)
    logger.info(
        "%d variables, %d groups, %d units", len(found.rows), len(found.groups), info["units"]
    )


def _arguments() -> argparse.ArgumentParser:
    arguments = command.parser("pipeline.describe_groups", __doc__)
    arguments.add_argument("--study", required=True, type=Path, help="folder of the study")
    arguments.add_argument("--out", required=True, type=Path, help="table to write: a row a column")
    arguments.add_argument("--cells", required=True, type=Path, help="table to write: its cells")
    arguments.add_argument(
        "--effects", required=True, type=Path, help="table to write: differences between groups"
    )
    arguments.add_argument("--info", required=True, type=Path, help="JSON to write: what was done")
    return arguments


if __name__ == "__main__":
    command.run(main, _arguments())
