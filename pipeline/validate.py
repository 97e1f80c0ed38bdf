"""Validate a study: its configuration and tables, before anything runs.

Reads the configuration, the table of masks (or the ready feature tables), the clinical table and
its data dictionary; tells everything that is wrong with them; and freezes what is right into
``results/<study>/study``, which every later stage opens instead of the researcher's files.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
from pathlib import Path

import pandas as pd
import yaml

from pipeline.core import command
from pipeline.core.config import check_model_reader, load_config, resolve_config
from pipeline.core.dictionary import (
    NUMERIC,
    all_levels,
    allowed_predictors,
    levels_of,
    read_clinical,
    read_dictionary,
)
from pipeline.core.errors import StudyError
from pipeline.core.feature_tables import read_feature_keys
from pipeline.core.files import whole_file, write_table
from pipeline.core.formula import Formula
from pipeline.core.problems import Problems, listing
from pipeline.core.sheets import read_sheet, rows_text
from pipeline.core.study import Study
from pipeline.core.table_schema import check_columns, load_schema

logger = logging.getLogger(__name__)

CASE_COLUMNS = [
    "patient_id",
    "scan_id",
    "case_id",
    "level",
    "reader",
    "image",
    "series",
    "mask",
    "label",
    "days_from_surgery",
    "batch",
]


def validate_study(config: dict) -> Study:
    """Read and check the tables of a resolved configuration.

    Parameters
    ----------
    config : dict
        As `pipeline.core.config.resolve_config` returns it.

    Returns
    -------
    Study
        The configuration with its typed, sorted tables.

    Raises
    ------
    StudyError
        Telling what is wrong in which table, row and column, and what to do about it.
    """
    unit_key = f"{config['unit']}_id"
    cases = features = dictionary = clinical = None
    if config["cases"] is not None:
        cases = read_cases(config["cases"], config["scans_per_job"])
        _check_readers(config, cases)
    else:
        features = read_feature_keys(config["features"], unit_key)
    if config["clinical"] is not None:
        dictionary = read_dictionary(config["dictionary"])
        clinical = read_clinical(config["clinical"], dictionary, unit_key)
        check_formulas(config, clinical, dictionary)
        _check_split_column(config, clinical, dictionary)
        imaged = features if cases is None else cases
        check_ids_meet(clinical, imaged, unit_key, config)
        if cases is not None:
            _check_patients_agree(clinical, cases, unit_key)
            if config["outcome"] is not None:
                check_timing(cases, config["timing"])
        if config["outcome"] is not None and config["unit"] == "patient":
            check_aggregation(imaged, clinical, config["aggregation"])
    return Study(config, cases, clinical, dictionary)


def read_cases(path: str | Path, scans_per_job: int) -> pd.DataFrame:
    """Read and check the table of masks.

    Parameters
    ----------
    path : path-like
        The table; its paths of images and masks are relative to its folder.
    scans_per_job : int
        Scans of a batch, on average.

    Returns
    -------
    pandas.DataFrame
        One row per case x reader, sorted by patient, scan, case and reader, with the columns of
        docs/architecture.md. `image` and `mask` are relative to the working directory.

    Raises
    ------
    StudyError
        Telling every wrong row.
    """
    path = Path(path)
    sheet = read_sheet(path, "cases")
    problems = Problems(f"the table of masks {path}")
    check_columns(sheet, "cases", path, problems)
    problems.raise_if_any()
    ignored = [name for name in sheet.columns if name not in load_schema("cases")["properties"]]
    if ignored:
        logger.info("%s: columns not used: %s", path, listing(ignored))
    for name in CASE_COLUMNS:
        if name not in sheet:
            sheet[name] = None
    _check_unique(sheet, path, problems)
    _check_one(sheet, path, problems)
    for name in ("image", "mask"):
        sheet[name] = _resolve_paths(sheet[name], path, problems)
    problems.raise_if_any()
    days = pd.to_numeric(sheet["days_from_surgery"])
    sheet["days_from_surgery"] = days.astype("Int64")
    sheet["batch"] = batches(sheet["scan_id"], scans_per_job)
    order = ["patient_id", "scan_id", "case_id", "reader"]
    return sheet[CASE_COLUMNS].sort_values(order, kind="stable").reset_index(drop=True)


def batches(scan_ids: pd.Series, scans_per_job: int) -> pd.Series:
    """Return the batch of each scan, which depends on nothing but its id and the number of batches.

    Parameters
    ----------
    scan_ids : pandas.Series of str
        A scan may occur several times.
    scans_per_job : int
        Scans of a batch, on average.

    Returns
    -------
    pandas.Series of str
        ``b0``, ``b1``, ...: the SHA-256 of the id modulo the smallest power of two that is not
        below scans / `scans_per_job`. A power of two, because then another patient rarely
        changes the number, and with it every batch. A batch may be empty.
    """
    wanted = scan_ids.nunique() / scans_per_job
    count = 1
    while count < wanted:
        count *= 2
    width = len(str(count - 1))

    def batch(scan_id: str) -> str:
        number = int.from_bytes(hashlib.sha256(scan_id.encode()).digest(), "big") % count
        return f"b{number:0{width}d}"

    return scan_ids.map({scan_id: batch(scan_id) for scan_id in scan_ids.unique()})


def check_formulas(config: dict, clinical: pd.DataFrame, dictionary: pd.DataFrame) -> None:
    """Raise `StudyError` unless outcome, eligibility and predictors make sense on the tables."""
    levels = all_levels(dictionary)
    problems = Problems("the formulas of the configuration")
    outcome_columns: tuple[str, ...] = ()
    formulas = [
        (entry["formula"], f"config key eligibility, `{entry['label']}`")
        for entry in config["eligibility"]
    ]
    if config["outcome"] is not None:
        formulas.insert(0, (config["outcome"]["formula"], "config key outcome.formula"))
    for number, (text, where) in enumerate(formulas):
        try:
            formula = Formula(text, where)
            formula.evaluate(clinical, levels)
        except StudyError as error:
            problems.errors.append(error)
            continue
        if number == 0 and config["outcome"] is not None:
            outcome_columns = formula.columns
    problems.raise_if_any()
    if config["outcome"] is not None:
        allowed_predictors(dictionary, config["timing"], config["predictors"], outcome_columns)


def check_ids_meet(
    clinical: pd.DataFrame, imaged: pd.DataFrame, unit_key: str, config: dict
) -> None:
    """Log the ids that only one source has; raise `StudyError` if no id is in both.

    The flow diagram of the report lists them too: a patient without images is excluded, which
    is no mistake of the tables.
    """
    source = "cases" if config["cases"] is not None else "features"
    if unit_key not in imaged.columns:
        raise StudyError(
            f"The feature tables must have the column {unit_key}, the key of the clinical table",
            found=f"{listing(imaged.columns)}",
            where="config key features",
            remedy=f"add {unit_key} to every feature table, or set `unit` accordingly",
        )
    one, other = set(clinical[unit_key]), set(imaged[unit_key])
    if not one & other:
        raise StudyError(
            f"The tables `clinical` and `{source}` must share ids in the column {unit_key}",
            found=f"{listing(sorted(one), 3)} against {listing(sorted(other), 3)}",
            where=f"config keys clinical, {source}",
            remedy="look for lost leading zeros, other prefixes, or the wrong column",
        )
    for name, lonely in ((source, sorted(other - one)), ("clinical", sorted(one - other))):
        if lonely:
            logger.warning(
                "%s only in the table `%s` (%d): %s", unit_key, name, len(lonely), listing(lonely)
            )


def check_timing(cases: pd.DataFrame, timing: str) -> None:
    """Raise `StudyError` if a preoperative model would see a scan made on or after surgery."""
    late = cases[cases["days_from_surgery"].fillna(-1) >= 0]
    if timing == "preoperative" and not late.empty:
        raise StudyError(
            "A preoperative model must not see scans from the day of surgery or later",
            found=listing(
                f"{row.case_id} (day {row.days_from_surgery})"
                for row in late.drop_duplicates("case_id").itertuples()
            ),
            where="the table of masks, column days_from_surgery",
            remedy="remove these rows, correct the days, or set `timing: postoperative`",
        )


def check_aggregation(
    imaged: pd.DataFrame, clinical: pd.DataFrame, aggregation: str | None
) -> None:
    """Raise `StudyError` if a patient has several cases and nothing says how they become one."""
    if aggregation is not None or "case_id" not in imaged.columns:
        return
    imaged = imaged[imaged["patient_id"].isin(clinical["patient_id"])]
    counts = imaged.groupby("patient_id")["case_id"].nunique()
    several = counts[counts > 1]
    if not several.empty:
        raise StudyError(
            "Where a patient has several cases, the study must say how they become one row",
            found=listing(f"{patient} ({count} cases)" for patient, count in several.items()),
            where="config key aggregation",
            remedy="write `aggregation: mean`, median or first, or `unit: case`",
        )


def write_study(study: Study, folder: str | Path) -> None:
    """Write a study as every stage opens it: study.yaml, last, and the tables that exist."""
    folder = Path(folder)
    for name in ("cases", "clinical", "dictionary"):
        path = folder / f"{name}.parquet"
        table = getattr(study, name)
        if table is None:
            path.unlink(missing_ok=True)  # of an earlier run with another configuration
        else:
            write_table(table, path)
    with whole_file(folder / "study.yaml") as beside:
        text = yaml.safe_dump(study.config, sort_keys=False, allow_unicode=True)
        beside.write_text(text, encoding="utf-8")


def _check_readers(config: dict, cases: pd.DataFrame) -> None:
    problems = Problems("the readers")
    check_model_reader(config, sorted(cases["reader"].unique()), problems)
    problems.raise_if_any()


def _check_unique(sheet: pd.DataFrame, path: Path, problems: Problems) -> None:
    keys = (
        (["case_id", "reader"], "A case must have one mask per reader"),
        (["scan_id", "level", "reader"], "A level of a scan must be one case"),
    )
    for columns, rule in keys:
        for values, rows in sheet.groupby(columns, sort=False).groups.items():
            if len(rows) > 1:
                problems.add(
                    rule,
                    found=" ".join(values),
                    where=f"{path}, {rows_text(rows)}, columns {', '.join(columns)}",
                    remedy="remove the duplicate, or correct its ids",
                )
        if problems:
            return


def _check_one(sheet: pd.DataFrame, path: Path, problems: Problems) -> None:
    """Add every id under which two rows say different things of the same object."""
    rules = (
        ("scan_id", ("patient_id", "image", "series", "days_from_surgery")),
        ("case_id", ("scan_id", "level")),
    )
    for key, columns in rules:
        for column in columns:
            values = sheet[column].fillna("(blank)")
            for name, rows in sheet.groupby(key, sort=False).groups.items():
                found = values[rows].unique()
                if len(found) > 1:
                    problems.add(
                        f"A {key.removesuffix('_id')} must have one {column}",
                        found=f"{name} with {listing(found)}",
                        where=f"{path}, {rows_text(rows)}, column {column}",
                        remedy="correct the row that differs, or give it another id",
                    )
    volumes = sheet["image"] + "\0" + sheet["series"].fillna("")
    for rows in sheet.groupby(volumes, sort=False).groups.values():
        scans = sheet.loc[rows, "scan_id"].unique()
        if len(scans) > 1:
            problems.add(
                "An image must be one scan",
                found=f"scans {listing(scans)}",
                where=f"{path}, {rows_text(rows)}, column image",
                remedy="give its rows one scan_id, or tell its series apart in the column series",
            )


def _resolve_paths(values: pd.Series, path: Path, problems: Problems) -> pd.Series:
    """Return paths of a table relative to the working directory; add those that do not exist."""
    resolved = {}
    for value, rows in values.groupby(values, sort=False).groups.items():
        target = path.parent / value
        if "\\" in value and not target.exists():
            target = path.parent / value.replace("\\", "/")  # written on Windows
        if not target.exists():
            problems.add(
                f"The {values.name} must exist, relative to the folder of its table",
                found=value,
                where=f"{path}, {rows_text(rows)}, column {values.name}",
                remedy="correct the path, or copy the file there",
            )
        resolved[value] = Path(os.path.normpath(target)).as_posix()
    return values.map(resolved)


def _check_patients_agree(clinical: pd.DataFrame, cases: pd.DataFrame, unit_key: str) -> None:
    """Raise `StudyError` if both tables name the patient of a case, and differ."""
    if unit_key != "case_id" or "patient_id" not in clinical.columns:
        return
    both = clinical.merge(cases.drop_duplicates("case_id"), on="case_id", suffixes=("", "_cases"))
    differ = both[both["patient_id"] != both["patient_id_cases"]]
    if not differ.empty:
        raise StudyError(
            "The tables `clinical` and `cases` must name the same patient of a case",
            found=listing(
                f"{row.case_id} ({row.patient_id} against {row.patient_id_cases})"
                for row in differ.itertuples()
            ),
            where="the clinical table, column patient_id",
        )


def _check_split_column(config: dict, clinical: pd.DataFrame, dictionary: pd.DataFrame) -> None:
    column = config["split"]["column"]
    if config["split"]["design"] != "imported":
        return
    rows = dictionary[dictionary["column"] == column]
    where = "config key split.column"
    if rows.empty or rows.iloc[0]["role"] != "split":
        raise StudyError(
            "The column of an imported split must have the role `split` in the data dictionary",
            found=column,
            where=where,
        )
    if rows.iloc[0]["type"] in NUMERIC or set(levels_of(rows.iloc[0]) or ()) != {"train", "test"}:
        raise StudyError(
            "The column of an imported split must be binary, with the levels train|test",
            found=f"{rows.iloc[0]['type']}, {rows.iloc[0]['levels']}",
            where=where,
        )
    blank = clinical.loc[clinical[column].isna(), f"{config['unit']}_id"]
    if not blank.empty:
        raise StudyError(
            "An imported split must place every unit in train or test",
            found=f"blank for {listing(blank)}",
            where=f"the clinical table, column {column}",
        )


def main(options: argparse.Namespace) -> None:
    """Validate one study and write its folder."""
    if options.resolved is not None:
        config = resolve_config(json.loads(options.resolved))
    else:
        config = load_config(options.config)
    study = validate_study(config)
    out = options.out or study.folder / "study"
    write_study(study, out)
    logger.info("study %s is valid; written to %s", study.name, out)


def _arguments() -> argparse.ArgumentParser:
    arguments = command.parser("pipeline.validate", __doc__)
    source = arguments.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--config", nargs="+", type=Path, help="configuration files, the later overriding"
    )
    source.add_argument("--resolved", help="the configuration as JSON, as the Snakefile has it")
    arguments.add_argument(
        "--out", type=Path, help="folder to write (default: results/<study>/study)"
    )
    return arguments


if __name__ == "__main__":
    command.run(main, _arguments())
