"""Join features, clinical table and outcome into the analysis table, and account for every patient.

A unit (patient or case) enters the analysis if it is in both sources, eligible, with a known
outcome, and with features of every reader. Whoever leaves is named with the reason in the flow.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.comparison.agreement.perturbed_units import check_any_perturbed, moments_table
from pipeline.core import command
from pipeline.core.errors import StudyError
from pipeline.core.files import file_hash, read_table, write_json, write_table
from pipeline.core.problems import listing
from pipeline.core.sections import taken
from pipeline.study.flow.enough import check_enough, check_patients_named
from pipeline.study.flow.patient_flow import FlowOptions, build_flow
from pipeline.study.flow.steps import Flow
from pipeline.study.sections.sites import Harmonisation
from pipeline.study.study import StudyTables, open_study
from pipeline.tables.columns import quoted, table_name
from pipeline.tables.dictionary import allowed_predictors
from pipeline.tables.features.feature_columns import Layout, LayoutOptions
from pipeline.tables.features.feature_names import foreign_names
from pipeline.tables.features.feature_tables import columns_left_out
from pipeline.tables.features.reader_units import other_units
from pipeline.tables.identifying.checks import shown_id
from pipeline.tables.readers import (
    is_original,
    latest_label,
    latest_versions,
    originals,
    split_label,
)
from pipeline.tables.schemas.analysis import Analysis
from pipeline.tables.schemas.features.extraction import Extraction
from pipeline.tables.schemas.features.features import Features
from pipeline.tables.schemas.features.perturbations import PerturbedFeatures, PerturbedUnits
from pipeline.tables.schemas.images.preflight import Preflight
from pipeline.tables.sites import feature_readers, has, site_columns
from pipeline.tables.split_options import Split
from pipeline.tables.values.formula import Formula
from pipeline.tables.values.implausible import implausible_columns

logger = logging.getLogger(__name__)

MIN_TOLD = 5
"""Units with and without the outcome from which on a feature that parts them is remarkable."""


def by_reader(features: pd.DataFrame) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """Part the gathered features by reader, into originals and latest versions.

    Parameters
    ----------
    features : pandas.DataFrame
        `features.parquet`: ``case_id, reader`` (with its version) and features.

    Returns
    -------
    originals : dict
        Reader to the features of the first masks, indexed by case.
    latest : dict
        Reader to the features of the latest versions, for readers with a corrected mask only.
    """

    def parted(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
        groups = rows.set_index("case_id").groupby("reader")
        return {reader: group.drop(columns="reader") for reader, group in groups}

    first = features["reader"].map(is_original).astype(bool)
    corrected = originals(features.loc[~first, "reader"])
    newest = parted(latest_versions(features)) if corrected else {}
    return parted(features[first]), {reader: newest[reader] for reader in corrected}


def wide_features(
    features: Mapping[str, pd.DataFrame],
    cases: Sequence[str],
    latest: Mapping[str, pd.DataFrame] | None = None,
) -> pd.DataFrame:
    """Put the readers' features side by side.

    Parameters
    ----------
    features : mapping
        Reader to features, indexed by case, the same columns for each.
    cases : sequence of str
        Cases wanted. One whose original mask could not be used, but its correction could, has no
        original features.
    latest : mapping, optional
        Reader to the features of the latest masks, indexed by case, for readers with corrected
        masks; every one of `cases` is in it.

    Returns
    -------
    pandas.DataFrame
        Indexed by case, columns ``<reader>:<feature>`` and, of readers with corrected masks,
        ``<reader>.latest:<feature>``; float64.
    """
    latest = latest or {}
    parts = []
    for reader, table in sorted(features.items()):
        rows = table.reindex(list(cases)) if reader in latest else table.loc[list(cases)]
        parts.append(rows.astype("float64").add_prefix(f"{reader}:"))
    for reader, table in sorted(latest.items()):
        rows = table.loc[list(cases)].astype("float64")
        parts.append(rows.add_prefix(f"{latest_label(reader)}:"))
    return pd.concat(parts, axis=1)


def corrected_cases(features: pd.DataFrame, cases: Sequence[str]) -> dict[str, int]:
    """Return how many of `cases` have a corrected mask, by reader who has any.

    Parameters
    ----------
    features : pandas.DataFrame
        `features.parquet`.
    cases : sequence of str
        Cases of the analysis.
    """
    rows = features.loc[~features["reader"].map(is_original).astype(bool), ["case_id", "reader"]]
    rows = rows[rows["case_id"].isin(cases)]
    reader = rows["reader"].map(lambda label: split_label(label)[0])
    return {name: int(count) for name, count in rows.groupby(reader)["case_id"].nunique().items()}


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
            found=listing(map(shown_id, sorted(units[units.duplicated()].unique()))),
            where="config key aggregation",
            remedy="write `aggregation: mean`, median or first, or `unit: case`",
            code="several-cases-of-a-patient",
        )
    if how in ("mean", "median"):
        return values.groupby(units, sort=True).agg(how)
    first = ~units.duplicated()
    return values[first].set_axis(units[first], axis=0).sort_index()


@dataclass(frozen=True, kw_only=True)
class JoinOptions(FlowOptions, LayoutOptions):
    """What the stage reads.

    Attributes
    ----------
    study, timing, predictors, model_reader
        Options of these names.
    harmonisation, split : section
        The configuration's sections of these names.
    """

    study: str
    timing: str
    predictors: Sequence[str] | str
    model_reader: str | None
    harmonisation: Harmonisation = taken(Harmonisation)
    split: Split = taken(Split)


def describe(
    options: JoinOptions,
    readers: Sequence[str],
    names: Sequence[str],
    dictionary: pd.DataFrame,
    notes: Sequence[str],
    corrected: Mapping[str, int] | None = None,
) -> dict:
    """Return what ``analysis.json`` says about the columns of the analysis table."""
    stated, harmonised = options.outcome, options.harmonisation
    formula = Formula(stated.formula, "config key outcome.formula")
    predictors = allowed_predictors(dictionary, options.timing, options.predictors, formula.columns)
    rows = predictors.astype(object).where(predictors.notna(), None).to_dict("records")
    more = {}
    if harmonised.method != "none":
        kept = dictionary[dictionary["column"].isin(harmonised.covariates)]
        more["harmonisation"] = {
            "site": site_columns(dictionary)[0],
            "covariates": kept.astype(object).where(kept.notna(), None).to_dict("records"),
        }
    return {
        "unit": options.unit,
        "readers": list(readers),
        "model_reader": options.model_reader if len(readers) > 1 else None,
        "corrected": dict(corrected or {}),
        "features": list(names),
        "predictors": rows,
        "outcome": {name: getattr(stated, name) for name in ("name", "label", "formula")},
        "notes": list(notes),
    } | more


def analysis_table(
    tables: StudyTables,
    options: JoinOptions,
    flow: Flow,
    outcome: pd.Series,
    features: Mapping[str, pd.DataFrame],
    latest: Mapping[str, pd.DataFrame] | None = None,
) -> pd.DataFrame:
    """Build the analysis table of the units that are left.

    Parameters
    ----------
    tables : StudyTables
        Of the validated study.
    options : JoinOptions
        Its options.
    flow : Flow
        From `build_flow`.
    outcome : pandas.Series
        Nullable boolean by unit id, known for every member of `flow`.
    features, latest : mapping
        As `by_reader` returns them.

    Returns
    -------
    pandas.DataFrame
        One row per unit, sorted: ``unit_id, patient_id, outcome`` (0 or 1)``, level`` (several
        joined by '|'), every clinical column, then the columns of `wide_features`.

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
            where=f"study {options.study}",
            remedy="look into the tables, tables/preflight.csv and the reasons above",
            code="no-unit-left",
        )
    units = members["unit_id"]
    if features:
        wide = wide_features(features, members.index, latest)
        values = aggregate(wide, units, options.aggregation)
    else:
        values = pd.DataFrame(index=sorted(units))
        check_patients_named(members)
    key = f"{options.unit}_id"
    grouped = members.groupby("unit_id")
    clinical = tables.clinical.set_index(key).drop(columns="patient_id", errors="ignore")
    front = pd.DataFrame(
        {
            "patient_id": grouped["patient_id"].first(),
            "outcome": outcome.reindex(values.index).astype("int64"),
            "level": grouped["level"].agg(lambda levels: "|".join(levels.dropna()) or None),
        },
        index=values.index,
    )
    described = [name for name in tables.dictionary["column"] if name in clinical.columns]
    table = pd.concat([front, clinical.loc[values.index, described], values], axis=1)
    return table.rename_axis("unit_id").reset_index()


def check_no_outcome(table: pd.DataFrame, features: Sequence[str]) -> list[str]:
    """Raise `StudyError` if a feature is the outcome under another name.

    Ready tables may hold the outcome more than once, as a label and as a grade. A column of two
    values that go with the outcome in every unit is refused.

    Parameters
    ----------
    table : pandas.DataFrame
        As `analysis_table` returns it.
    features : sequence of str
        Its radiomic columns, ``<reader>:<feature>``.

    Returns
    -------
    list of str
        Features, without reader, of which one cut parts the outcomes without an error: in a sample
        of some size that is no texture, but a time or a score that comes after the outcome.
    """
    event = table["outcome"].to_numpy() == 1
    values = table[list(features)].to_numpy(float)
    ends = {}
    for name, rows in (("events", values[event]), ("others", values[~event])):
        known = ~np.isnan(rows)
        low = np.where(known, rows, np.inf).min(axis=0, initial=np.inf)
        high = np.where(known, rows, -np.inf).max(axis=0, initial=-np.inf)
        ends[name] = low, high, known.sum(axis=0) >= MIN_TOLD
    (low, high, enough), (other_low, other_high, others) = ends["events"], ends["others"]
    parted = enough & others & ((low > other_high) | (high < other_low))
    same = parted & (low == high) & (other_low == other_high)
    bare = [str(name).split(":", 1)[1] for name in features]
    copies = list(dict.fromkeys(name for name, at in zip(bare, same, strict=True) if at))
    if copies:
        raise StudyError(
            "A feature must not be the outcome itself, under another name",
            found=listing(copies),
            where="config key features",
            remedy=f"write `not_features: [{', '.join(map(quoted, copies))}]`, or describe them in "
            "the data dictionary",
            code="feature-is-the-outcome",
        )
    return list(dict.fromkeys(name for name, at in zip(bare, parted, strict=True) if at))


def _implausible(clinical: pd.DataFrame, dictionary: pd.DataFrame) -> list[str]:
    """Return the implausible clinical values of units, each in words."""
    return [
        f"{table_name(name)} {odd.value:.10g} of {odd.at} ({odd.why})"
        for name, found in implausible_columns(clinical, dictionary)
        for odd in found
    ]


def _write_perturbed(
    paths: Sequence[Path],
    out: Path,
    flow: Flow,
    table: pd.DataFrame,
    names: Sequence[str],
    aggregation: str | None,
) -> dict:
    """Write the perturbed extractions of the units of an analysis table, and say where they are."""
    moments = moments_table(
        (read_table(path, PerturbedFeatures) for path in paths),
        flow.members.set_index("case_id")["unit_id"],
        table.set_index("unit_id")["patient_id"],
        names,
        aggregation,
    )
    check_any_perturbed(moments)
    beside = out.with_name("analysis_perturbed.parquet")
    write_table(moments, beside, PerturbedUnits)
    # Journals of the stages of modelling go by the facts of the analysis table.
    return {"perturbed": beside.name, "perturbed_digest": file_hash(beside)}


def main(options: argparse.Namespace) -> None:
    """Join one study's tables."""
    study = open_study(options.study)
    how = study.options(JoinOptions)
    with_features = study.cases is not None or has(how, "features")
    if options.flow_only and not with_features:
        flow, _ = build_flow(study.tables, how)
        write_json({"steps": flow.steps}, options.flow)
        return
    needed = ["features"] * with_features + ([] if options.flow_only else ["out", "info"])
    needed += ["preflight", "extraction"] if study.cases is not None else []
    for name in needed:
        if getattr(options, name) is None:
            raise StudyError(
                "The join needs more tables",
                where=f"option --{name}",
                remedy="name the table with this option",
                code="join-tables-missing",
            )
    if how.outcome is None and not options.flow_only:
        raise StudyError(
            "An analysis table needs an outcome",
            where="config key outcome",
            remedy="set `clinical`, `dictionary` and `outcome`, or pass --flow-only",
            code="join-without-outcome",
        )
    gathered = pd.DataFrame({"case_id": [], "reader": []}, dtype=object)
    if with_features:
        gathered = read_table(options.features, Features)
    features, latest = by_reader(gathered)
    kept_out: dict[str, str] = {}
    notes: list[str] = []
    left_out: list[str] = []
    if not with_features:
        flow, outcome = build_flow(study.tables, how)
    elif study.cases is None:
        layout = Layout.of(how, study.dictionary)
        ready = study.ready_tables()
        kept_out = layout.kept_out(ready.columns[feature_readers(how)[0]])
        notes = ready.notes
        left_out = columns_left_out(ready.columns, layout, gathered.columns)
        flow, outcome = build_flow(study.tables, how, features=features)
    else:
        flow, outcome = build_flow(
            study.tables,
            how,
            preflight=read_table(options.preflight, Preflight),
            extraction=read_table(options.extraction, Extraction),
        )
    if options.flow_only:
        write_json({"steps": flow.steps}, options.flow)
        return
    corrected = corrected_cases(gathered, flow.members["case_id"])
    latest = {reader: table for reader, table in latest.items() if reader in corrected}
    table = analysis_table(study.tables, how, flow, outcome, features, latest)
    check_enough(table["outcome"], table, how.split)
    names = [name for name in gathered.columns if name not in ("case_id", "reader")]
    telling = check_no_outcome(table, [name for name in table.columns if ":" in str(name)])
    if telling:
        logger.warning(
            "features that tell the outcome without an error: %s. What is known only with the "
            "outcome belongs into `not_features`",
            listing(telling),
        )
    info = describe(how, sorted(features), names, study.dictionary, notes, corrected)
    info |= {
        "foreign": foreign_names(names),
        "telling": telling,
        "left_out": left_out,
        "kept_out": kept_out,
        "other_units": [each.text() for each in other_units(features, names)],
        "implausible": _implausible(study.clinical.set_index(f"{how.unit}_id"), study.dictionary),
    }
    if getattr(options, "perturbed", None) is not None:
        paths = study.batch_files(options.perturbed, "perturbed.parquet")
        info |= _write_perturbed(paths, options.out, flow, table, names, how.aggregation)
    write_table(table, options.out, Analysis, csv=True)
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
    arguments.add_argument(
        "--perturbed",
        type=Path,
        help="folder of the batches' results, where the selection asks for robust features",
    )
    arguments.add_argument("--flow", required=True, type=Path, help="JSON to write: the flow")
    arguments.add_argument(
        "--flow-only", action="store_true", help="write the flow of a study without outcome"
    )
    return arguments


if __name__ == "__main__":
    command.run(main, _arguments())
