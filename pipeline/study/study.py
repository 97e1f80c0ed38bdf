"""A study as the stages see it: one resolved configuration and its validated tables.

``python -m pipeline.validate`` validates what a researcher handed in and writes it, once, to
``results/<study>/study/``; every other stage opens that folder and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pandas as pd
import yaml

from pipeline.core.errors import StudyError
from pipeline.core.files import read_json, read_table, whole_file, write_json, write_table
from pipeline.core.keeping.remaking import remake
from pipeline.core.keeping.store import Store, store_of
from pipeline.core.sections import part_of
from pipeline.study.analyses.prediction import PREDICTION
from pipeline.tables.readers import originals
from pipeline.tables.schemas.study_tables import Cases, Clinical, Dictionary, ReadyCases
from pipeline.tables.sites import HandedIn, feature_readers, has

#: File of a frozen study that says what ready feature tables say besides cases and numbers.
READY = "ready.json"

Part = TypeVar("Part")

#: Classes of the frozen study's tables, by name.
TABLES = {"cases": Cases, "clinical": Clinical, "dictionary": Dictionary, "ready": ReadyCases}


@dataclass(frozen=True)
class Ready:
    """What ready feature tables say besides their numbers, which one stage alone reads.

    Attributes
    ----------
    cases : pandas.DataFrame
        One row per case of any reader: ``patient_id, case_id, level, days_from_surgery``, as far
        as the tables have these columns.
    notes : list of str
        Which columns are no features and are left out.
    columns : dict
        Reader to the columns of its table.
    """

    cases: pd.DataFrame
    notes: list[str]
    columns: dict[str, list[str]]


class StudyTables(NamedTuple):
    """The tables of a study, as `Study` describes them.

    Attributes
    ----------
    cases, clinical, dictionary : pandas.DataFrame or None
        As far as the study has them.
    ready_cases : pandas.DataFrame or None
        Cases of its ready feature tables.
    readers : list of str
        Names of the readers, sorted.
    """

    cases: pd.DataFrame | None
    clinical: pd.DataFrame | None
    dictionary: pd.DataFrame | None
    ready_cases: pd.DataFrame | None
    readers: list[str]


@dataclass(frozen=True)
class Study:
    """One resolved study.

    Attributes
    ----------
    config : dict
        Every option of config/default.yaml with this study's values.
    cases : pandas.DataFrame or None
        One row per mask: ``patient_id, scan_id, case_id, level, reader, version, image, series,
        mask, label, days_from_surgery, batch``; None for a study that starts from feature tables
        or is a clinical table alone.
    clinical : pandas.DataFrame or None
        One row per unit, typed by the dictionary; key column ``patient_id`` or ``case_id``.
    dictionary : pandas.DataFrame or None
        One row per clinical column: ``column, label, type, unit, levels, timing, role``.
    opened : pathlib.Path or None
        Folder that the study was opened from; None for one that was only validated.
    ready : Ready or None
        Of a study that starts from feature tables.
    """

    config: dict
    cases: pd.DataFrame | None
    clinical: pd.DataFrame | None
    dictionary: pd.DataFrame | None
    opened: Path | None = None
    ready: Ready | None = None

    @property
    def name(self) -> str:
        """Name of the study."""
        return self.config["study"]

    def options(self, kind: type[Part]) -> Part:
        """Return what a stage reads of the configuration, as an object of a class of its own.

        Parameters
        ----------
        kind : type
            As `pipeline.core.sections.part_of` takes it: its fields are options and sections.
        """
        return part_of(kind, self.config)

    @property
    def folder(self) -> Path:
        """Folder of the study's results, ``results/<study>``."""
        return Path(self.config["results"]) / self.name

    @property
    def store(self) -> Store:
        """Content-addressed store shared by the studies of the results folder."""
        known = None
        if self.opened is not None:
            known = partial(remake, self.opened, self.folder / "batches")
        return store_of(self.config["results"], known)

    @property
    def readers(self) -> list[str]:
        """Names of the readers, sorted; corrected masks are no reader of their own."""
        if self.cases is not None:
            return originals(self.cases["reader"])
        return feature_readers(self.options(HandedIn))

    @property
    def tables(self) -> StudyTables:
        """The tables of the study, for who needs no options besides those that they name.

        Raises
        ------
        StudyError
            If the study starts from ready feature tables, and does not hold their cases.
        """
        ready = self.cases is None and has(self.options(HandedIn), "features")
        cases = self.ready_tables().cases if ready else None
        return StudyTables(self.cases, self.clinical, self.dictionary, cases, self.readers)

    def batch_files(self, folder: Path, name: str) -> list[Path]:
        """Return the file `name` of each batch below `folder`, ``results/<study>/batches``.

        So a rule names one folder: the names of thousands of files are longer than a command of
        the shell may be.
        """
        return [folder / batch / name for batch in sorted(self.select_cases()["batch"].unique())]

    def ready_tables(self) -> Ready:
        """Return what the study's ready feature tables say, without reading these."""
        if self.ready is None:
            raise StudyError(
                "A frozen study must hold the cases of its ready feature tables",
                found="none: it was frozen by an earlier version",
                where=f"study {self.name}",
                remedy="run snakemake, or python -m pipeline.validate, on its configuration",
                code="frozen-cases-missing",
            )
        return self.ready

    def select_cases(self, batch: str | None = None, scan: str | None = None) -> pd.DataFrame:
        """Return the rows of `cases` of one batch or one scan, or all of them."""
        if self.cases is None:
            raise StudyError(
                "An imaging stage needs the table `cases`",
                where=f"study {self.name}",
                remedy="a study that starts from `features` has no imaging stages",
                code="cases-table-missing",
            )
        column, value = ("batch", batch) if batch is not None else ("scan_id", scan)
        if value is None:
            return self.cases
        rows = self.cases[self.cases[column] == value]
        if rows.empty:
            raise StudyError(
                f"The {column} must be one of the study's",
                found=value,
                where="table `cases`",
                code="study-key-unknown",
            )
        return rows


def predicts(config: Mapping) -> bool:
    """Return whether a configuration asks for models of an outcome."""
    return PREDICTION.runs(config["analyses"], outcome=config["outcome"] is not None)


def open_study(folder: str | Path) -> Study:
    """Open the folder that ``python -m pipeline.validate`` wrote.

    Parameters
    ----------
    folder : path-like
        ``results/<study>/study`` with study.yaml and the validated tables.
    """
    folder = Path(folder)
    if not (folder / "study.yaml").exists():
        raise StudyError(
            "A stage needs the folder of a validated study, with study.yaml in it",
            where=str(folder),
            remedy="run `snakemake --configfile <your study>.yaml`, or python -m pipeline.validate",
            code="study-folder-missing",
        )
    config = yaml.safe_load((folder / "study.yaml").read_text(encoding="utf-8"))

    def table(name: str) -> pd.DataFrame | None:
        path = folder / f"{name}.parquet"
        return read_table(path, TABLES[name]) if path.exists() else None

    ready = None
    if (folder / READY).exists():
        said: Any = read_json(folder / READY)
        ready = Ready(table("ready"), **said)
    return Study(config, table("cases"), table("clinical"), table("dictionary"), folder, ready)


def write_study(study: Study, folder: str | Path) -> None:
    """Write a study as every stage opens it: study.yaml, last, and the tables that exist."""
    folder = Path(folder)
    ready = study.ready
    tables = {name: getattr(study, name) for name in ("cases", "clinical", "dictionary")}
    tables["ready"] = None if ready is None else ready.cases
    # What is missing may be there from an earlier run with another configuration.
    if ready is None:
        (folder / READY).unlink(missing_ok=True)
    for name, table in tables.items():
        path = folder / f"{name}.parquet"
        if table is None:
            path.unlink(missing_ok=True)
        else:
            write_table(table, path, TABLES[name])
    if ready is not None:
        write_json({"notes": ready.notes, "columns": ready.columns}, folder / READY)
    with whole_file(folder / "study.yaml") as beside:
        text = yaml.safe_dump(study.config, sort_keys=False, allow_unicode=True)
        beside.write_text(text, encoding="utf-8")
