"""Whether a study's column of the site is one, and what harmonisation between sites asks of it."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import pandas as pd

from pipeline.comparison.sites.site_outcome import site_by_outcome
from pipeline.core.errors import StudyError
from pipeline.core.problems import Problems, listing
from pipeline.core.sections import taken
from pipeline.study.sections.sites import Harmonisation, SiteValidation
from pipeline.tables.dictionary import TIMINGS
from pipeline.tables.handed_in_options import Outcome
from pipeline.tables.identifying.checks import shown, shown_id
from pipeline.tables.sites import site_columns
from pipeline.tables.values.formula import Formula
from pipeline.tables.values.formula_values import check_sites

logger = logging.getLogger("pipeline.validate")

SHARE = 4
"""Units of a site for each training row of it that is needed: half samples of 70% of the patients
hold a third of them, and chance takes some away."""


@dataclass(frozen=True, kw_only=True)
class SiteCheckOptions:
    """Options that a study's column of the site must serve."""

    unit: str
    timing: str
    outcome: Outcome | None = taken(Outcome)
    harmonisation: Harmonisation = taken(Harmonisation)
    site_validation: SiteValidation = taken(SiteValidation)


def check_site(options: SiteCheckOptions, clinical: pd.DataFrame, dictionary: pd.DataFrame) -> None:
    """Raise `StudyError` unless the column of the site serves; warn where it tells the outcome.

    Parameters
    ----------
    options : SiteCheckOptions
        Of the study.
    clinical, dictionary : pandas.DataFrame
        As validation has them.
    """
    columns = site_columns(dictionary)
    for column in columns:
        check_sites(column, clinical[column])
        _warn_of_outcome(options.outcome, options.unit, clinical, column)
    if options.site_validation.models and not columns:
        raise StudyError(
            "A validation site by site needs a column of the clinical table that names the site",
            found="no column of the role `site`",
            where="the data dictionary, column role; config key site_validation.models",
            remedy="give the column of the site the role `site`, name the sites under `sites`, or "
            "write `site_validation: {models: []}`",
            code="site-validation-without-site",
        )
    if options.harmonisation.method == "none":
        return
    if not columns:
        raise StudyError(
            "Harmonisation needs a column of the clinical table that names the site",
            found="no column of the role `site`",
            where="the data dictionary, column role; config key harmonisation.method",
            remedy="give the column of the site the role `site`, name the sites under `sites`, or "
            "write `harmonisation: {method: none}`",
            code="harmonisation-without-site",
        )
    problems = Problems("the harmonisation")
    _check_rows(options.harmonisation, options.unit, clinical, columns[0], problems)
    _check_covariates(options, dictionary, problems)
    problems.raise_if_any()


def _check_rows(
    options: Harmonisation, unit: str, clinical: pd.DataFrame, column: str, problems: Problems
) -> None:
    """Add rows without a site, and a reference that is none."""
    blank = clinical.loc[clinical[column].isna(), f"{unit}_id"]
    if not blank.empty:
        problems.add(
            "Harmonisation needs the site of every row",
            found=f"blank for {listing(map(shown_id, blank))}",
            where=f"the clinical table, column {column}",
            remedy="fill these cells, or remove the rows",
            code="row-without-site",
        )
    counts = clinical[column].value_counts()
    few = counts[counts < SHARE * options.min_rows].sort_index()
    if len(few) and options.tiny_site == "refuse":
        problems.add(
            f"Each site must have at least {SHARE * options.min_rows} units to be harmonised: "
            f"folds and half samples must have {options.min_rows} rows of training patients of it",
            found=listing(f"{shown(name)}: {count}" for name, count in few.items()),
            where="config key harmonisation.min_rows",
            remedy="join small sites into one in the tables, write a smaller `min_rows`, or "
            "`harmonisation: {tiny_site: pass}`, which leaves rows of a site with too few as they "
            "are",
            code="tiny-site-of-study",
        )
    reference, known = options.reference, set(clinical[column].dropna())
    if reference is not None and reference not in known:
        problems.add(
            "The reference of a harmonisation must be a site of the clinical table",
            found=reference,
            where="config key harmonisation.reference",
            remedy=f"write one of {listing(map(shown, sorted(known)))}, or null",
            code="reference-is-no-site",
        )


def _check_covariates(
    options: SiteCheckOptions, dictionary: pd.DataFrame, problems: Problems
) -> None:
    """Add covariates that hold the outcome, or what is known only after the prediction."""
    outcome = options.outcome
    formula = Formula(outcome.formula, "config key outcome.formula").columns if outcome else ()
    described = dictionary.set_index("column")
    for name in options.harmonisation.covariates:
        role = described.loc[name, "role"] if name in described.index else None
        late = role == "predictor" and TIMINGS.index(described.loc[name, "timing"]) > TIMINGS.index(
            options.timing
        )
        if role == "predictor" and name not in formula and not late:
            continue
        what = "known only later" if late else f"role {role}" if role else "in no dictionary"
        problems.add(
            "A covariate of the harmonisation must be a predictor that is known at the prediction, "
            "and never hold the outcome",
            found=f"{name} ({what})",
            where="config key harmonisation.covariates",
            remedy="remove it: features adjusted for the outcome tell it to the model",
            code="harmonisation-covariate",
        )


def _warn_of_outcome(
    stated: Outcome | None, unit: str, clinical: pd.DataFrame, column: str
) -> None:
    """Warn if the outcome differs between the sites: then a site's effect tells the outcome."""
    if stated is None:
        return
    formula = Formula(stated.formula, "config key outcome.formula")
    outcome = formula.evaluate(clinical.set_index(f"{unit}_id", drop=False))
    found = site_by_outcome(clinical[column].to_numpy(object), outcome.to_numpy(object))
    if found.warns:
        logger.warning("%s", found.sentence())
