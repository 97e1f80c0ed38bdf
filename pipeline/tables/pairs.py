"""Whether a study's tables belong together: ids that meet, scans in time, cases to aggregate."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from pipeline.core.errors import StudyError
from pipeline.core.problems import Problems, listing
from pipeline.core.sections import taken
from pipeline.tables.handed_in_options import Outcome
from pipeline.tables.id_checks import check_spellings
from pipeline.tables.identifying.checks import shown, shown_id
from pipeline.tables.sites import ALONE, HandedIn, rows_of_site, sites_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PairOptions(HandedIn):
    """Options by which clinical values and imaging belong together.

    Attributes
    ----------
    unit, timing, aggregation
        Options of these names.
    outcome : Outcome or None
        Whether there is one decides what is checked.
    """

    unit: str
    timing: str
    aggregation: str | None
    outcome: Outcome | None = taken(Outcome)


def check_together(
    options: PairOptions,
    clinical: pd.DataFrame,
    cases: pd.DataFrame | None,
    features: pd.DataFrame | None,
) -> None:
    """Raise `StudyError` unless clinical values and imaging belong together."""
    unit_key = f"{options.unit}_id"
    imaged = features if cases is None else cases
    if imaged is None:
        raise ValueError("one of cases and features must be given")
    if options.outcome is not None and "days_from_surgery" in imaged.columns:
        check_timing(imaged, options.timing)
    problems = Problems("the ids of the tables")
    for site, of_site in sites_of(options):
        with problems.step():
            check_ids_meet(
                rows_of_site(clinical, unit_key, site),
                rows_of_site(imaged, unit_key, site),
                unit_key,
                "features" if of_site.cases is None else "cases",
                site,
            )
    problems.raise_if_any()
    if cases is not None:
        _check_patients_agree(clinical, cases, unit_key)
    elif "patient_id" not in {*imaged.columns, *clinical.columns}:
        raise StudyError(
            "With `unit: case`, the clinical table or the feature tables must name the patient",
            found=f"columns {listing(map(shown, clinical.columns))}",
            where="the clinical table, or the feature tables; header",
            remedy="add the column patient_id: cases of a patient must not be parted",
            code="patient-column-missing",
        )
    if options.outcome is not None and options.unit == "patient":
        check_aggregation(imaged, clinical, options.aggregation)


def check_ids_spelled(**tables: pd.DataFrame | None) -> None:
    """Raise `StudyError` if ids of one kind differ in spelling only, within or between tables.

    ``P007`` and ``p007`` would be two patients, one of whom may train and one be held out.

    Parameters
    ----------
    **tables : pandas.DataFrame or None
        The study's tables by name, with any of the columns of ids.
    """
    problems = Problems("the ids of the tables")
    for column in ("patient_id", "case_id", "scan_id"):
        ids = {
            name: table[column].dropna()
            for name, table in tables.items()
            if table is not None and column in table.columns
        }
        if column == "case_id":
            # Without cases of their own, tables of features call a patient's case by the patient.
            ids = {name: each[~each.isin(_patients(tables))] for name, each in ids.items()}
        check_spellings(ids, column, problems)
    problems.raise_if_any()


def _patients(tables: Mapping[str, pd.DataFrame | None]) -> set[str]:
    named = [t["patient_id"] for t in tables.values() if t is not None and "patient_id" in t]
    return set(pd.concat(named)) if named else set()


def check_ids_meet(
    clinical: pd.DataFrame,
    imaged: pd.DataFrame,
    unit_key: str,
    source: str,
    site: str = ALONE,
) -> None:
    """Log the ids that only one source has; raise `StudyError` if no id is in both.

    The flow diagram of the report lists them too: a patient without images is excluded, which
    is no mistake of the tables.

    Parameters
    ----------
    clinical, imaged : pandas.DataFrame
        Rows of the clinical table, and of `source`.
    unit_key : {'patient_id', 'case_id'}
        Key of the clinical table.
    source : {'cases', 'features'}
        Option that names the other table.
    site : str
        Whose tables they are.
    """
    place = "" if site == ALONE else f"sites.{site}."
    if unit_key not in imaged.columns:
        raise StudyError(
            f"The feature tables must have the column {unit_key}, the key of the clinical table",
            found=f"{listing(imaged.columns)}",
            where="config key features",
            remedy=f"add {unit_key} to every feature table, or set `unit` accordingly",
            code="feature-tables-without-clinical-key",
        )
    one, other = set(clinical[unit_key]), set(imaged[unit_key])
    if not one & other:
        raise StudyError(
            f"The tables `clinical` and `{source}` must share ids in the column {unit_key}",
            found=f"{listing(map(shown_id, sorted(one)), 3)} against "
            f"{listing(map(shown_id, sorted(other)), 3)}",
            where=f"config keys {place}clinical, {place}{source}",
            remedy="replace the template's EXAMPLE rows by your patients; without a clinical "
            "table, delete `clinical`, `dictionary` and `eligibility`, and write `outcome: null`"
            if all(str(key).startswith("EXAMPLE") for key in one)
            else "look for lost leading zeros, other prefixes, or the wrong column",
            code="tables-share-no-id",
        )
    for name, lonely in ((source, sorted(other - one)), ("clinical", sorted(one - other))):
        if lonely:
            logger.warning(
                "%s only in the table `%s` (%d): %s",
                unit_key,
                name,
                len(lonely),
                listing(map(shown_id, lonely)),
            )


def check_timing(cases: pd.DataFrame, timing: str) -> None:
    """Raise `StudyError` if a model would see a scan later than its predictors may be known.

    Parameters
    ----------
    cases : pandas.DataFrame
        ``case_id, days_from_surgery``; a scan whose days are not stated is taken for an early one.
    timing : {'preoperative', 'intraoperative', 'postoperative'}
        Latest timing of a predictor. On the day of surgery a scan may be intraoperative.
    """
    if timing == "postoperative":
        return
    first = {"preoperative": 0, "intraoperative": 1}[timing]
    late = cases[cases["days_from_surgery"].fillna(-1) >= first]
    if not late.empty:
        when = "from the day of surgery or later" if first == 0 else "from after the day of surgery"
        raise StudyError(
            f"{'A preoperative' if first == 0 else 'An intraoperative'} model must not see scans "
            f"{when}",
            found=listing(
                f"{shown_id(row.case_id)} (day {row.days_from_surgery})"
                for row in late.drop_duplicates("case_id").itertuples()
            ),
            where="the table of masks or of features, column days_from_surgery",
            remedy="remove these rows, correct the days, or set `timing: postoperative`",
            code="scan-after-predictors",
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
            found=listing(
                f"{shown_id(patient)} ({count} cases)" for patient, count in several.items()
            ),
            where="config key aggregation",
            remedy="write `aggregation: mean`, median or first, or `unit: case`",
            code="several-cases-of-a-patient",
        )


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
                f"{shown_id(row.case_id)} ({shown_id(row.patient_id)} against "
                f"{shown_id(row.patient_id_cases)})"
                for row in differ.itertuples()
            ),
            where="the clinical table, column patient_id",
            remedy="correct patient_id in one of the two, or remove the clinical table's column",
            code="tables-disagree-on-patient",
        )
