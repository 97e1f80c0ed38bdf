"""A regression from rows to tables: as published and rigorous side by side.

As published: predictors screened and fitted on the same rows, coefficients as they come out. The
rigorous model has predictors that were fixed beforehand, or screening repeated in every resample,
and coefficients shrunken by the bootstrap's corrected calibration slope.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from models.judging.judgement import judge
from models.regression.checking.collinearity import variance_inflation
from models.regression.checking.diagnostics import influence, linearity
from models.regression.checking.imputation import imputed_fit
from models.regression.checking.imputed_optimism import imputed_optimism
from models.regression.checking.optimism import Optimism, bootstrap_optimism
from models.regression.checking.roc import COLUMNS, learn_marker, roc_row, roc_table
from models.regression.checking.screening import screen
from models.regression.cohort import Cohort
from models.regression.fitting.interactions import interactions
from models.regression.fitting.logistic import (
    Fit,
    Method,
    Risks,
    coefficient_table,
    fit_logistic,
    model_tests,
)
from models.regression.fitting.penalised import penalised
from models.regression.fitting.terms import coding_table, labels_of
from models.regression.publishing.model import Purpose, RegressionModel, model_of, shrunken
from models.regression.publishing.nomogram import Nomogram, build_nomogram, points_table, risk_table
from models.regression.tables import facts_table
from models.scoring.delong import Scale
from pipeline.core.errors import StudyError
from pipeline.core.mode_labels import AS_PUBLISHED, LABEL, RIGOROUS
from pipeline.core.seeds import derive_seed
from pipeline.core.table_schema import types_of
from pipeline.tables.schemas.regression import Imputed, ImputedOptimism, Penalised

logger = logging.getLogger("vertebromics")

AS_FITTED = "as fitted"

#: Events per candidate degree of freedom below which a warning stands in the results.
FEW_EVENTS = 10

#: A shrinkage factor below which there is nothing left to predict with.
LEAST_SHRINKAGE = 0.05


@dataclass(frozen=True)
class Options:
    """What is asked of a regression.

    Attributes
    ----------
    mode : {'rigorous', 'as_published'}
        Which model is drawn and becomes the calculator.
    screening : float or None
        Largest P value (score test) of a candidate alone that enters; None for fixed predictors.
    method : {'auto', 'ml', 'firth'}
        As `fit_logistic` takes it.
    risks : {'flic', 'flac'}
        Likewise.
    resamples : int
        Of the bootstrap, and of intervals without a closed form.
    seed : int
        Of all draws.
    confidence : float
        Level of every interval.
    decision_curve : tuple of float
        Range of threshold probabilities.
    scale : {'logit', 'plain'}
        On which the interval of an area is symmetric (`models.scoring.delong.auroc_interval`).
    axis_limits : bool
        Whether the nomogram's axes show the limits of each value's points.
    impute : int
        Completed tables of a multiple imputation, whose pooled coefficients stand beside those of
        the complete cases; 0 for none.
    interactions : tuple of (str, str)
        Pairs of predictors whose interaction is tested, named beforehand.
    penalised : bool
        Whether ridge and lasso stand beside the fit.
    """

    mode: str = RIGOROUS
    screening: float | None = None
    method: Method = "auto"
    risks: Risks = "flic"
    resamples: int = 1000
    seed: int = 2025
    confidence: float = 0.95
    decision_curve: tuple[float, float] = (0.0, 0.95)
    scale: Scale = "logit"
    axis_limits: bool = False
    impute: int = 0
    interactions: tuple[tuple[str, str], ...] = ()
    penalised: bool = False


@dataclass(frozen=True)
class Regression:
    """All results.

    Attributes
    ----------
    tables : mapping of str to pandas.DataFrame
        By name in `pipeline.tables.schemas.regression.REGRESSION`.
    fit : Fit
        The multivariable fit.
    as_fitted : RegressionModel
        The model as it came out.
    rigorous : RegressionModel or None
        The shrunken one; None where the bootstrap left nothing to predict with.
    chosen : RegressionModel
        That which is drawn and becomes the calculator.
    nomogram : Nomogram
        Of `chosen`.
    notes : tuple of str
        What limits the results.
    labels : mapping of str to str
        Candidates and columns of designs as people read them.
    """

    tables: Mapping[str, pd.DataFrame]
    fit: Fit
    as_fitted: RegressionModel
    rigorous: RegressionModel | None
    chosen: RegressionModel
    nomogram: Nomogram
    notes: tuple[str, ...]
    labels: Mapping[str, str]


def regress(
    cohort: Cohort,
    title: str,
    purpose: Purpose,
    options: Options | None = None,
    validation: Cohort | None = None,
) -> Regression:
    """Fit, judge, correct and draw.

    Parameters
    ----------
    cohort : Cohort
        Rows of the fit.
    title, purpose
        As `RegressionModel` has them.
    options : Options, optional
        What is asked.
    validation : Cohort, optional
        Other rows, to which everything is applied unchanged.

    Raises
    ------
    StudyError
        If screening keeps no predictor, or the rows allow no fit.
    """
    options = options or Options()
    alone = screen(
        *(cohort.rows, cohort.outcome, cohort.terms),
        threshold=options.screening,
        confidence=options.confidence,
    )
    kept = set(alone.loc[alone["kept"], "predictor"])
    terms = tuple(term for term in cohort.terms if term.name in kept)
    if not terms:
        raise StudyError(
            "Screening must keep a predictor",
            found=f"none with P up to {options.screening:g}; smallest {alone['score_p'].min():.3g}",
            where="option --screen",
            remedy="raise the P value, or name the predictors beforehand and leave --screen out",
            code="screening-kept-nothing",
        )
    how = {"method": options.method, "risks": options.risks}
    fit = fit_logistic(cohort.rows, cohort.outcome, terms, **how)
    logger.info("fitted %d rows, %d events, by %s", cohort.n, cohort.events, fit.method)
    optimism = bootstrap_optimism(
        *(cohort.rows, cohort.outcome, cohort.terms),
        threshold=options.screening,
        resamples=options.resamples,
        seed=options.seed,
        patients=cohort.patients,
        confidence=options.confidence,
    )
    as_fitted = model_of(fit, title, purpose, mode=LABEL)
    rigorous = _rigorous(fit, title, purpose, optimism)
    if rigorous is None and options.mode == RIGOROUS:
        raise StudyError(
            "The bootstrap must leave something to predict with",
            found=f"a corrected calibration slope of {optimism.shrinkage:.3f}",
            where="the rows of the fit",
            remedy="name fewer candidates; `--mode as_published` prints what a paper would have",
            code="shrinkage-leaves-nothing",
        )
    models = {AS_FITTED: as_fitted} | ({RIGOROUS: rigorous} if rigorous else {})
    tables, performance = _performance(cohort, validation, models, terms, options)
    tables |= {
        "flow": _flow(cohort, validation),
        "coding": coding_table(fit.terms),
        "screening": alone,
        "coefficients": coefficient_table(fit, options.confidence),
        "equation": _equation(fit, rigorous),
        "imputed": _imputed(cohort, fit, options),
        "imputed_optimism": _imputed_optimism(cohort, options),
        "interactions": interactions(fit, options.interactions),
        "penalised": _penalised(cohort, fit, options),
        "collinearity": variance_inflation(fit),
        "linearity": linearity(fit, cohort.rows),
        "influence": influence(fit, cohort.rows),
        "optimism": optimism.table,
        "selected": pd.DataFrame(optimism.chosen.items(), columns=["predictor", "share"]),
        "model": facts_table(_facts(cohort, fit, optimism, options)),
    }
    worth = _worth(optimism, performance)
    as_fitted = model_of(fit, title, purpose, mode=LABEL, worth=worth)
    if rigorous:
        rigorous = _rigorous(fit, title, purpose, optimism, worth)
    chosen = as_fitted if options.mode == AS_PUBLISHED else rigorous
    limits = options.confidence if options.axis_limits else None
    nomogram = build_nomogram(chosen, confidence=limits)
    tables["nomogram_points"] = points_table(nomogram)
    tables["nomogram_risks"] = risk_table(nomogram)
    notes = _notes(cohort, fit, optimism, options)
    labels = labels_of(cohort.terms)
    return Regression(tables, fit, as_fitted, rigorous, chosen, nomogram, notes, labels)


def _rigorous(
    fit: Fit, title: str, purpose: Purpose, optimism: Optimism, worth: tuple = ()
) -> RegressionModel | None:
    factor = optimism.shrinkage
    if not factor >= LEAST_SHRINKAGE:
        return None
    factor = min(factor, 1.0)
    coefficients, covariance = shrunken(fit, factor)
    lp = fit.design @ coefficients
    return model_of(
        fit,
        title,
        purpose,
        mode=RIGOROUS,
        coefficients=coefficients,
        covariance=covariance,
        shrinkage=factor,
        lp_range=(float(lp.min()), float(lp.max())),
        worth=worth,
    )


def _performance(
    cohort: Cohort,
    validation: Cohort | None,
    models: Mapping[str, RegressionModel],
    terms: tuple,
    options: Options,
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Return the tables of figures of both models on both parts, and the metrics."""
    risks = {name: model.risk(cohort.rows) for name, model in models.items()}
    # The shrunken model ranks alike: one row of the ROC table serves both.
    ranked = {"model": risks[AS_FITTED]}
    who = (cohort.outcome, cohort.patients)
    roc, markers = roc_table(terms, cohort.rows, *who, ranked, options.confidence, options.scale)
    parts = [("training", cohort, True)]
    if validation is not None:
        parts.append(("validation", validation, False))
        roc = pd.concat(
            [roc, _validated_roc(markers, validation, models[AS_FITTED], options)],
            ignore_index=True,
        )
    collected: dict[str, list[pd.DataFrame]] = {}
    for part, rows, fitted_here in parts:
        for name, model in models.items():
            pd_rows = pd.DataFrame(
                {
                    "patient_id": rows.patients,
                    "outcome": rows.outcome.astype(int),
                    name: model.risk(rows.rows),
                }
            )
            cut = learn_marker(name, None, pd.Series(risks[name]), cohort.outcome).cut
            found = judge(
                pd_rows,
                [name],
                threshold=cut,
                confidence=options.confidence,
                resamples=options.resamples,
                seed=derive_seed(options.seed, "regress", "judge"),
                decision_curve=options.decision_curve,
                scale=options.scale,
                fitted_here=fitted_here,
            )
            for table in JUDGED:
                own = found[table].assign(part=part).drop(columns="part_", errors="ignore")
                collected.setdefault(table, []).append(own)
    tables = {name: pd.concat(each, ignore_index=True) for name, each in collected.items()}
    tables["roc_curve"] = tables.pop("roc")
    # Treat-all and treat-none are those of a part, whatever the model.
    tables["decision_curve"] = tables["decision_curve"].drop_duplicates(
        ["part", "model", "threshold"], ignore_index=True
    )
    tables["roc"] = roc
    return tables, tables["metrics"]


#: Tables of `models.judging.judgement.judge` that are kept.
JUDGED = (
    *("metrics", "roc", "calibration", "calibration_curve", "calibration_tests"),
    *("decision_curve", "confusion"),
)


def _validated_roc(
    markers: list, validation: Cohort, model: RegressionModel, options: Options
) -> pd.DataFrame:
    rows = []
    risk = pd.Series(model.risk(validation.rows), index=validation.rows.index)
    for marker in markers:
        values = risk if marker.term is None else validation.rows[marker.name]
        given = (values, validation.outcome, validation.patients, "validation", options.confidence)
        rows.append(roc_row(marker, *given, scale=options.scale))
        if options.mode == AS_PUBLISHED and validation.outcome.min() < validation.outcome.max():
            again = learn_marker(marker.name, marker.term, values, validation.outcome)
            rows.append(
                roc_row(
                    again,
                    *given,
                    chosen_on=f"validation, chosen anew: {LABEL}",
                    scale=options.scale,
                )
            )
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def _equation(fit: Fit, rigorous: RegressionModel | None) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "column": ["(intercept)", *fit.names],
            "as_fitted": fit.risk_coefficients,
            "rigorous": rigorous.coefficients if rigorous else math.nan,
        }
    )


def _imputed(cohort: Cohort, fit: Fit, options: Options) -> pd.DataFrame:
    """Return the pooled coefficients of the model's predictors over all rows with an outcome."""
    names = [term.name for term in fit.terms]
    if not options.impute or not cohort.whole[names].isna().any(axis=None):
        return pd.DataFrame(columns=list(types_of(Imputed)))
    terms = [replace(term, n_knots=0) for term in fit.terms]  # its knots, in every table
    pooled = imputed_fit(
        *(cohort.whole, cohort.whole_outcome, terms),
        number=options.impute,
        seed=options.seed,
        confidence=options.confidence,
    )
    ratios = np.exp(fit.maximum.coefficients)
    pooled["complete_cases"] = ratios
    limits = ["odds_ratio", "low", "high", "complete_cases"]
    pooled.loc[0, limits] = math.nan  # an intercept has no ratio
    return pooled


def _imputed_optimism(cohort: Cohort, options: Options) -> pd.DataFrame:
    """Return the optimism with imputation inside every resample, where values are missing."""
    names = [term.name for term in cohort.terms]
    if not options.impute or not cohort.whole[names].isna().any(axis=None):
        return pd.DataFrame(columns=list(types_of(ImputedOptimism)))
    return imputed_optimism(
        *(cohort.whole, cohort.whole_outcome, cohort.terms),
        threshold=options.screening,
        resamples=options.resamples,
        seed=options.seed,
        patients=cohort.whole_patients,
    )


def _penalised(cohort: Cohort, fit: Fit, options: Options) -> pd.DataFrame:
    if not options.penalised:
        return pd.DataFrame(columns=list(types_of(Penalised)))
    return penalised(fit, cohort.patients, options.seed)[0]


def _flow(cohort: Cohort, validation: Cohort | None) -> pd.DataFrame:
    rows = []
    for part, one in (("training", cohort), ("validation", validation)):
        if one is None:
            continue
        spare = one.left_out.get("(outcome)", 0)
        rows.append(["rows of the table", len(one.whole) + spare, part])
        names = {"(outcome)": "without an outcome"}
        for name, count in one.left_out.items():
            if name != "(rows)":
                rows.append([names.get(name, f"without {name}"), count, part])
        rows.append(["left out in all", one.left_out.get("(rows)", 0), part])
        rows += [["complete cases", one.n, part], ["of them events", one.events, part]]
    return pd.DataFrame(rows, columns=["what", "rows", "part"])


def _facts(cohort: Cohort, fit: Fit, optimism: Optimism, options: Options) -> dict[str, float]:
    candidate_df = sum(term.df for term in cohort.terms)
    rarer = min(cohort.events, cohort.n - cohort.events)
    facts = {"candidates": len(cohort.terms), "candidate_df": candidate_df}
    facts["events_per_df"] = rarer / candidate_df
    facts |= model_tests(fit)
    facts |= {"shrinkage": optimism.shrinkage, "resamples": options.resamples}
    facts["screening_p"] = math.nan if options.screening is None else options.screening
    return facts


def _worth(optimism: Optimism, performance: pd.DataFrame) -> tuple[Mapping, ...]:
    """Return what the calculator says of the model: corrected figures, and those of validation."""
    by = optimism.table.set_index("measure")
    worth = []
    for name, label in (
        ("c_index", "AUROC (C-index), corrected for optimism"),
        ("calibration_slope", "Calibration slope before shrinkage, corrected for optimism"),
        ("brier", "Brier score, corrected for optimism"),
    ):
        row = by.loc[name]
        worth.append(
            {
                "name": label,
                "value": _known(row["corrected"]),
                "low": _known(row["low"]),
                "high": _known(row["high"]),
                "method": f"{row['method']}; {row['resamples']} resamples of the whole procedure",
            }
        )
    own = performance[(performance["part"] == "validation") & (performance["model"] != AS_FITTED)]
    for metric, label in (
        ("auroc", "AUROC in validation"),
        ("calibration_slope", "Calibration slope in validation"),
        ("oe_ratio", "Observed over expected events in validation"),
    ):
        for row in own[own["metric"] == metric].itertuples():
            figures = {"value": row.value, "low": row.low, "high": row.high}
            known = {key: _known(value) for key, value in figures.items()}
            worth.append({"name": label, **known, "method": row.method})
    return tuple(worth)


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _notes(cohort: Cohort, fit: Fit, optimism: Optimism, options: Options) -> tuple[str, ...]:
    notes = []
    if fit.separation.kind != "none":
        labels = labels_of(fit.terms)
        columns = "; ".join(labels[name] for name in fit.separation.columns)
        notes.append(
            f"{fit.separation.kind.capitalize()} separation by {columns}: maximum likelihood has "
            "no finite estimate. Fitted by Firth's penalised likelihood; limits are those of its "
            f"profile, and risks are by {options.risks.upper()}, so that their mean is the share "
            "of events."
        )
    elif fit.method != "maximum likelihood":
        notes.append(f"Fitted by Firth's method as asked; risks by {options.risks.upper()}.")
    candidate_df = sum(term.df for term in cohort.terms)
    per_df = min(cohort.events, cohort.n - cohort.events) / candidate_df
    if per_df < FEW_EVENTS:
        notes.append(
            f"Few events: {per_df:.1f} per candidate degree of freedom ({candidate_df} of them). "
            "Coefficients are unsure and too large; the shrunken model answers part of that."
        )
    if options.screening is not None:
        notes.append(
            f"Candidates were screened (P up to {options.screening:g}) on the rows of the fit: the "
            "P values and intervals of the fit ignore that and are too good. The bootstrap repeats "
            "the screening."
        )
    if cohort.left_out.get("(rows)"):
        notes.append(
            f"Complete cases only: {cohort.left_out['(rows)']} rows without an outcome or a "
            "predictor's value were left out. That is unbiased only where they are missing by "
            "chance."
            + (
                ""
                if options.impute
                else " Imputation (`--impute 20`; in a study `regression: {impute: 20}`) sets "
                "others beside them."
            )
        )
    if len(np.unique(cohort.patients)) < cohort.n:
        notes.append(
            "Some patients have several rows. The bootstrap draws patients, but the standard "
            "errors, Wald tests and risk intervals take rows for independent: they are too small."
        )
    return (*notes, *optimism.notes)
