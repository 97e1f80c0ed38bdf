"""A stage that repeats a model's whole procedure on parts of its training rows.

Optimism, nested cross-validation and the learning curve read the same files, repeat the rigorous
order whatever the study's (an order that has seen every row leaves nothing to measure), go on from
a journal where they were killed, and write of a model that cannot be fitted why. What each of them
repeats is its own.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from models.learning.family_registry import FAMILIES, device_of
from models.learning.options import ProcedureOptions
from models.learning.procedure import Procedure
from models.study_files.inputs import input_arguments, read_inputs, training_rows
from models.study_files.outputs import (
    dropped_facts,
    empty_table,
    fitted_facts,
    write_facts,
    write_result,
)
from pipeline.core import command
from pipeline.core.errors import FitError
from pipeline.core.files import read_json
from pipeline.core.fit_status import REASON, is_fitted
from pipeline.core.mode_labels import RIGOROUS
from pipeline.core.table_schema import Table
from pipeline.running.workers.journal import Journal
from pipeline.running.workers.resuming import journal_until_done, stage_key
from pipeline.study.option_numbers import PROCESSES, number_within
from pipeline.study.study import open_study


class Asked(NamedTuple):
    """What a stage repeats.

    Attributes
    ----------
    procedure : Procedure
        Of the rigorous order.
    training : pandas.DataFrame
        Training rows of the analysis table.
    final : mapping or None
        ``model.json`` of the model, where the stage reads it.
    how : ProcedureOptions
        What the stage reads of the study, in the study's own mode.
    workers : int
        Processes.
    journal : Journal
        Open journal of finished repetitions.
    """

    procedure: Procedure
    training: pd.DataFrame
    final: Mapping[str, Any] | None
    how: ProcedureOptions
    workers: int
    journal: Journal


Found = tuple[tuple[pd.DataFrame, ...], dict[str, Any]]
"""Tables of a stage, in the order of its `tables`, and its facts."""


@dataclass(frozen=True)
class RepeatedStage:
    """A stage, but for its command line.

    Attributes
    ----------
    module : str
        That rules start, such as ``models.optimism``.
    options : type
        What it reads of a study.
    section : str
        Its section there, whose `search` says how much of the search is repeated.
    tables : mapping of str to type
        Class of each table that it writes, by the option that names the file.
    repeat : callable
        Repeats the procedure; raises FitError, or returns a sentence, where the model cannot be
        fitted.
    reads_model : bool
        Whether the trained model is always among what it reads, not with ``search: fixed`` alone.
    """

    module: str
    options: type[ProcedureOptions]
    section: str
    tables: Mapping[str, type[Table]]
    repeat: Callable[[Asked], Found | str]
    reads_model: bool = True

    def run(self, given: argparse.Namespace) -> None:
        """Read the analysis table and its split, repeat the procedure, write tables and facts."""
        how = open_study(given.study).options(self.options)
        columns, table = read_inputs(given.analysis, given.info, given.split)
        training, _ = training_rows(table)
        final = read_json(given.model_json) if given.model_json else None
        if final is not None and not is_fitted(final):
            self._write_dropped(final[REASON], given, how.mode)
            return
        search = getattr(how, self.section).search
        fixed = final["parameters"] if final is not None and search == "fixed" else None
        procedure = Procedure(given.model, columns, replace(how, mode=RIGOROUS), search, fixed)
        files = [given.analysis, given.info, given.split]
        files += [given.model_json] if given.model_json else []
        key = stage_key(self.module, given.model, files, how, device_of(given.model, how))
        with journal_until_done(given.json.with_suffix(".journal"), key) as journal:
            try:
                found = self.repeat(Asked(procedure, training, final, how, given.workers, journal))
            except FitError as error:
                self._write_dropped(error, given, how.mode)
                return
            if isinstance(found, str):
                self._write_dropped(found, given, how.mode)
                return
            tables, facts = found
            self._write(tables, fitted_facts(facts), given, how.mode)

    def _write_dropped(self, reason: object, given: argparse.Namespace, mode: str) -> None:
        """Write the files of a model that could not be fitted."""
        nobody = tuple(empty_table(schema) for schema in self.tables.values())
        self._write(nobody, dropped_facts(given.model, reason), given, mode)

    def _write(
        self,
        tables: tuple[pd.DataFrame, ...],
        facts: Mapping[str, Any],
        given: argparse.Namespace,
        mode: str,
    ) -> None:
        for (name, schema), table in zip(self.tables.items(), tables, strict=True):
            write_result(table, getattr(given, name), mode, schema, leaks=False)
        write_facts(facts, given.json, mode, leaks=False)

    def parser(self, description: str | None) -> argparse.ArgumentParser:
        """Return the stage's command line."""
        arguments = command.parser(self.module, description)
        arguments.add_argument(
            "--model", required=True, choices=sorted(FAMILIES), help="family of the model"
        )
        input_arguments(arguments)
        arguments.add_argument(
            "--model-json",
            required=self.reads_model,
            type=Path,
            help="the model's model.json, whose parameters are kept with search: fixed",
        )
        arguments.add_argument(
            "--workers", type=number_within(PROCESSES), default=1, help="processes, default 1"
        )
        for name in self.tables:
            arguments.add_argument(
                f"--{name}", required=True, type=Path, help="table to write, .parquet"
            )
        arguments.add_argument("--json", required=True, type=Path, help="facts to write, .json")
        return arguments
