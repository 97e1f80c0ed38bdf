"""The flow of patients: who was handed in, who left, and why; every one is accounted for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from pipeline.core.findings import from_json
from pipeline.core.sections import taken, taken_list
from pipeline.study.flow.steps import Flow
from pipeline.study.study import StudyTables
from pipeline.tables.dictionary import all_levels
from pipeline.tables.handed_in_options import Condition, Outcome
from pipeline.tables.readers import latest_versions
from pipeline.tables.values.formula import Formula


@dataclass(frozen=True, kw_only=True)
class FlowOptions:
    """Options that decide who is in a study.

    Attributes
    ----------
    unit : {'patient', 'case'}
        What a row of the clinical table is.
    eligibility, outcome : section
        The configuration's conditions of these names.
    """

    unit: str
    eligibility: Sequence[Condition] = taken_list(Condition)
    outcome: Outcome | None = taken(Outcome)


def build_flow(
    tables: StudyTables,
    options: FlowOptions,
    *,
    preflight: pd.DataFrame | None = None,
    extraction: pd.DataFrame | None = None,
    features: Mapping[str, pd.DataFrame] | None = None,
) -> tuple[Flow, pd.Series | None]:
    """Follow everybody from the study's tables to the features.

    Parameters
    ----------
    tables : StudyTables
        Of the validated study.
    options : FlowOptions
        Its options.
    preflight, extraction : pandas.DataFrame, optional
        The stages' tables, for a study with images.
    features : mapping, optional
        Reader to ready features, indexed by case, for a study without images.

    Returns
    -------
    flow : Flow
        Its members are the cases of the analysis.
    outcome : pandas.Series or None
        Nullable boolean by unit id; None without an outcome.
    """
    flow, outcome = screen(tables, options)
    if tables.cases is not None:
        follow_imaging(flow, preflight, extraction, tables.readers)
    elif features is not None:
        _follow_ready(flow, features, tables.readers)
    return flow, outcome


def screen(tables: StudyTables, options: FlowOptions) -> tuple[Flow, pd.Series | None]:
    """Follow everybody as far as the tables alone tell, before any image is looked at.

    Parameters
    ----------
    tables : StudyTables
        Of the validated study.
    options : FlowOptions
        Its options.

    Returns
    -------
    flow : Flow
        Its members are the eligible with a known outcome, as far as the study asks for either.
    outcome : pandas.Series or None
        Nullable boolean by unit id; None without an outcome.
    """
    unit, source = options.unit, "features"
    if tables.cases is None and tables.ready_cases is None:
        return _screen_clinical(tables, options)
    imaged = tables.ready_cases
    if tables.cases is not None:
        imaged, source = tables.cases.drop_duplicates("case_id"), "images"
    assert imaged is not None
    imaged = imaged.reindex(columns=["patient_id", "case_id", "level"])
    imaged["case_id"] = imaged["case_id"].fillna(imaged["patient_id"])
    members = members_of(imaged, tables.clinical, unit)
    flow = follow_tables(members, tables.clinical is not None, source)
    if tables.clinical is None:
        return flow, None
    return flow, follow_formulas(flow, tables.clinical, options, all_levels(tables.dictionary))


def units_by_tables(
    tables: StudyTables, options: FlowOptions
) -> tuple[pd.DataFrame, pd.Series, pd.Series | None]:
    """Return the units that are in a study by its tables: images and masks play no part.

    Parameters are those of `screen`.

    Returns
    -------
    clinical : pandas.DataFrame
        Rows of the clinical table of the eligible with a known outcome, as far as the study asks
        for either; index ``unit_id``.
    patients : pandas.Series
        Patient of each, None where no table says it.
    outcome : pandas.Series or None
        Boolean of each; None without an outcome.
    """
    flow, outcome = screen(tables, options)
    members = flow.members.drop_duplicates("unit_id").set_index("unit_id")
    assert tables.clinical is not None
    clinical = tables.clinical.set_index(f"{options.unit}_id", drop=False)
    known = None if outcome is None else outcome[members.index]
    return clinical.loc[members.index], members["patient_id"], known


def _screen_clinical(tables: StudyTables, options: FlowOptions) -> tuple[Flow, pd.Series | None]:
    """Follow everybody of a study that is a clinical table alone."""
    unit = options.unit
    nobody = pd.DataFrame(columns=["patient_id", "case_id", "level"], dtype=object)
    assert tables.clinical is not None
    members = members_of(nobody, tables.clinical, unit)
    if unit == "patient":
        members["patient_id"] = members["unit_id"]
    flow = Flow("Handed in", members)
    return flow, follow_formulas(flow, tables.clinical, options, all_levels(tables.dictionary))


def members_of(imaged: pd.DataFrame, clinical: pd.DataFrame | None, unit: str) -> pd.DataFrame:
    """List everybody who was handed in, in whichever table.

    Parameters
    ----------
    imaged : pandas.DataFrame
        One row per case: ``patient_id, case_id, level``, None where unknown.
    clinical : pandas.DataFrame or None
        One row per unit, with the key ``patient_id`` or ``case_id``.
    unit : {'patient', 'case'}
        What a row of `clinical` is.

    Returns
    -------
    pandas.DataFrame
        ``patient_id, case_id, level, unit_id, imaged, described``, sorted, with a fresh index.
    """
    key = f"{unit}_id"
    members = imaged.assign(imaged=True)
    members["described"] = True
    if clinical is not None:
        members["described"] = members[key].isin(clinical[key])
        only = clinical[~clinical[key].isin(imaged[key])]
        lonely = pd.DataFrame({key: only[key], "imaged": False, "described": True})
        if "patient_id" in only:
            lonely["patient_id"] = only["patient_id"]
        if "patient_id" in clinical and unit == "case":
            patients = clinical.set_index(key)["patient_id"]
            members["patient_id"] = members["patient_id"].fillna(members[key].map(patients))
        members = pd.concat([members, lonely.reindex(columns=members.columns)])
    members = members.astype(object).where(members.notna(), None)
    members["unit_id"] = members[key]
    order = ["patient_id", "case_id"]
    return members.sort_values(order, kind="stable").reset_index(drop=True)


def follow_tables(members: pd.DataFrame, clinical_given: bool, source: str) -> Flow:
    """Begin the flow: everybody handed in, then those whom both sources know.

    Parameters
    ----------
    members : pandas.DataFrame
        As `members_of` returns it.
    clinical_given : bool
        Whether there is a clinical table to be found in.
    source : str
        What the other source holds: ``images`` or ``features``.
    """
    flow = Flow("Handed in", members)
    if clinical_given:
        without_row, without_image = "no row in the clinical table", f"no {source}"
        reasons = pd.Series(None, index=members.index, dtype=object)
        reasons[~members["described"].astype(bool)] = without_row
        reasons[~members["imaged"].astype(bool)] = without_image
        flow.leave(reasons, [without_row, without_image], f"With {source} and clinical data")
    return flow


def follow_formulas(
    flow: Flow, clinical: pd.DataFrame, options: FlowOptions, levels: Mapping
) -> pd.Series | None:
    """Continue the flow by eligibility and known outcome; return the outcome by unit.

    Parameters
    ----------
    flow : Flow
        Every member of which has a row in `clinical`.
    clinical : pandas.DataFrame
        One row per unit.
    options : FlowOptions
        Of the study.
    levels : mapping
        Levels of the text columns.

    Returns
    -------
    pandas.Series or None
        Nullable boolean by unit id; None without an outcome.
    """
    by_unit = clinical.set_index(f"{options.unit}_id", drop=False)
    if options.eligibility:
        reasons = pd.Series(None, index=flow.members.index, dtype=object)
        order = []
        for entry in options.eligibility:
            truth = Formula(entry.formula, "config key eligibility").evaluate(by_unit, levels)
            each = flow.members["unit_id"].map(truth)
            unmet, unknown = f"not eligible: {entry.label}", f"not known: {entry.label}"
            order += [unmet, unknown]
            reasons[reasons.isna() & each.isna()] = unknown
            reasons[reasons.isna() & ~each.fillna(True).astype(bool)] = unmet
        flow.leave(reasons, order, "Eligible")
    if options.outcome is None:
        return None
    formula = Formula(options.outcome.formula, "config key outcome.formula")
    outcome = formula.evaluate(by_unit, levels)
    reasons = pd.Series(None, index=flow.members.index, dtype=object)
    reason = f"outcome not known: {options.outcome.label}"
    reasons[flow.members["unit_id"].map(outcome).isna()] = reason
    flow.leave(reasons, [reason], "With known outcome")
    return outcome


def follow_imaging(
    flow: Flow, preflight: pd.DataFrame, extraction: pd.DataFrame, readers: Sequence[str]
) -> None:
    """Continue the flow by usable images and masks of every reader, then by extracted features.

    Parameters
    ----------
    flow : Flow
        Its members are cases.
    preflight, extraction : pandas.DataFrame
        As the stages write them (docs/files.md), one row per case and reader.
    readers : sequence of str
        Readers who all must have a usable mask of a case: the latest version counts.
    """
    for table, column, thing, label in (
        (preflight, "verdict", "mask", "With usable masks of every reader"),
        (extraction, "status", "features", "With features of every reader"),
    ):
        rows = latest_versions(table.rename(columns={column: "status"}))
        reasons = _reasons(flow.members["case_id"], rows, thing, readers)
        flow.leave(reasons, sorted(reasons.dropna().unique()), label)


def _reasons(
    case_ids: pd.Series, table: pd.DataFrame, thing: str, readers: Sequence[str]
) -> pd.Series:
    """Return why a case cannot go on, by the rows of a stage; None where every reader's is good."""
    by_case = {case_id: rows.set_index("reader") for case_id, rows in table.groupby("case_id")}
    nobody = table.iloc[:0].set_index("reader")

    def reason(case_id: str) -> str | None:
        rows = by_case.get(case_id, nobody)
        refused = _refusal_of_ct(rows)
        if refused is not None:
            return refused  # whoever drew or did not draw on it
        lacking = [reader for reader in readers if reader not in rows.index]
        if lacking:
            return f"no {thing} of reader {', '.join(lacking)}"
        codes = {
            reader: _error_code(text)
            for reader, text in rows.loc[rows["status"] == "error", "findings"].items()
        }
        if not codes:
            return None
        if len(codes) == len(readers) > 1 and len(set(codes.values())) == 1:
            return next(iter(codes.values()))  # of the image, or of both masks alike
        first = min(codes)
        return f"{codes[first]} (reader {first})"

    return case_ids.map({case_id: reason(case_id) for case_id in case_ids}).astype(object)


def _refusal_of_ct(rows: pd.DataFrame) -> str | None:
    """Return why the CT of a case was refused, in words; None where it was not."""
    for text in rows.loc[rows["status"] == "error", "findings"]:
        errors = [each for each in from_json(text) if each.severity == "error"]
        if errors and errors[0].about == "ct":
            return _in_words(errors[0].code)
    return None


def _error_code(findings: str) -> str:
    """Return the first error of a row's findings in words, such as ``mask too small``."""
    codes = [each.code for each in from_json(findings) if each.severity == "error"]
    return _in_words(codes[0]) if codes else "error without a finding"


def _in_words(code: str) -> str:
    return code.replace("-", " ")


def _follow_ready(flow: Flow, features: Mapping[str, pd.DataFrame], readers: Sequence[str]) -> None:
    reasons = pd.Series(None, index=flow.members.index, dtype=object)
    order = [f"no features of reader {reader}" for reader in readers]
    for reason, reader in zip(order, readers, strict=True):
        has = flow.members["case_id"].isin(features[reader].index)
        reasons[reasons.isna() & ~has] = reason
    flow.leave(reasons, order, "With features of every reader")
