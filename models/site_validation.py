"""Site by site: whether a model holds at a hospital that it has never seen, and what sites do.

Each site is left out in turn (internal-external cross-validation): the study's whole procedure runs
on the patients of the other sites and is judged on that site's. The sites' figures are pooled by
random effects. Beside it: the outcome by site, how many features differ between the sites before
and after harmonisation, and models of features as they are beside those of harmonised ones.

References
----------
.. [1] Steyerberg EW, Harrell FE. Prediction models need appropriate internal, internal-external,
   and external validation. J Clin Epidemiol 2016;69:245-247.
.. [2] Debray TPA, et al. A guide to systematic review and meta-analysis of prediction model
   performance. BMJ 2017;356:i6460.
.. [3] Tomczak M, Tomczak E. The need to report effect size estimates revisited. Trends Sport Sci
   2014;21:19-25 (eta squared of the Kruskal-Wallis test).
"""

from __future__ import annotations

import argparse
import logging
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit
from threadpoolctl import threadpool_limits

from models.learning.folds import assign_folds
from models.learning.options import ProcedureOptions
from models.learning.procedure import Procedure, search_note
from models.scoring import metrics
from models.scoring.calibration import calibration_intercept, calibration_slope
from models.scoring.clustered_auroc import areas_with_covariance
from models.scoring.delong import wald_test
from models.scoring.intervals import Estimate, has_clusters
from models.scoring.performance import Sample, auroc_estimate
from models.study_files.inputs import input_arguments, read_inputs, training_rows
from models.study_files.outputs import write_facts, write_result
from models.transformers.chain import block_pipeline, selection_chain
from models.transformers.chain_options import ChainOptions
from models.transformers.columns import Columns
from models.transformers.harmonisation import harmoniser_of
from models.transformers.univariate import adjusted_p
from pipeline.comparison.sites.random_effects import logit_with_variance, pool
from pipeline.comparison.sites.site_outcome import site_by_outcome
from pipeline.core import command
from pipeline.core.errors import FitError
from pipeline.core.mode_labels import RIGOROUS
from pipeline.core.sections import taken
from pipeline.core.seeds import derive_seed
from pipeline.core.table_schema import types_of
from pipeline.study.sections.sites import SiteValidation
from pipeline.study.study import open_study
from pipeline.tables.schemas.prediction.site_validation import (
    Harmonised,
    LeftOut,
    PooledSites,
    SiteFeatures,
    SiteOutcomes,
)
from pipeline.tables.sites import site_columns

logger = logging.getLogger("vertebromics")

AS_HANDED_IN, OWN_ROWS, HARMONISED = "as handed in", "own rows", "harmonised"
"""Features of the models: as they are; harmonised to the left-out site's own rows, which looks at
the patients who are predicted; harmonised to sites that training rows are of."""

DIFFERS = 0.05
"""Adjusted P value below which a feature differs between sites."""


@dataclass(frozen=True, kw_only=True)
class SiteOptions(ProcedureOptions):
    """What the stage reads: that of the procedure, and how it is validated site by site."""

    site_validation: SiteValidation = taken(SiteValidation)


def estimates(rows: pd.DataFrame, probability: np.ndarray, confidence: float) -> dict[str, object]:
    """Return the figures of predictions, with intervals, as columns of a table.

    Parameters
    ----------
    rows : pandas.DataFrame
        ``outcome, patient_id``.
    probability : ndarray of shape (n_rows,)
        Predicted risks of patients who played no part in the model.
    confidence : float
        Level of the intervals.
    """
    sample = Sample.of(rows.assign(probability=probability), 0.5)
    clusters = sample.patients if has_clusters(sample.patients) else None
    whole = (sample.outcome, sample.probability, confidence, clusters)
    found: dict[str, Estimate] = {
        "auroc": auroc_estimate(sample, confidence),
        "intercept": calibration_intercept(*whole),
        "slope": calibration_slope(*whole),
    }
    columns: dict[str, object] = {"n": len(rows), "events": int(sample.outcome.sum())}
    for name, each in found.items():
        columns |= {name: each.value, f"{name}_low": each.low, f"{name}_high": each.high}
    return columns | {"brier": metrics.brier(sample.outcome, sample.probability)}


def leave_sites_out(
    procedure: Procedure,
    table: pd.DataFrame,
    site: str,
    variant: str,
    workers: int = 1,
) -> pd.DataFrame:
    """Run the procedure without each site and judge it there.

    Parameters
    ----------
    procedure : Procedure
        Of one family.
    table : pandas.DataFrame
        All rows of the analysis table.
    site : str
        Its column of the site.
    variant : str
        Features of the procedure: `AS_HANDED_IN` or `OWN_ROWS`.
    workers : int
        Processes of a search.

    Returns
    -------
    pandas.DataFrame
        Columns of `LeftOut`, one row a site; without figures where none can be fitted or judged.
    """
    rows, level = [], procedure.options.evaluation.confidence
    for name in sorted(table[site].dropna().unique()):
        held = (table[site] == name).to_numpy()
        own = {"model": procedure.model, "variant": variant, "site": name, "note": ""}
        judged, training = table[held], table[~held & table[site].notna().to_numpy()]
        counted = {"n": len(judged), "events": int(judged["outcome"].sum())}
        shared = set(judged["patient_id"]) & set(training["patient_id"])
        training = training[~training["patient_id"].isin(shared)].reset_index(drop=True)
        try:
            seed = derive_seed(procedure.options.seed, "site", procedure.model, variant, name)
            run = procedure.run(training, seed, workers=workers)
            probability = run.fitted.predict(judged)
        except FitError as error:
            rows.append(own | counted | {"note": f"not fitted: {error.rule}"})
            continue
        rows.append(own | estimates(judged, probability, level))
        logger.info("%s without %s: AUROC %.3f", procedure.model, name, rows[-1]["auroc"])
    return pd.DataFrame(rows).reindex(columns=list(types_of(LeftOut))).astype(types_of(LeftOut))


def pooled(left_out: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Pool the sites' AUROCs by random effects on the logit scale.

    The interval is Hartung's and Knapp's, never narrower than the usual one; there is a prediction
    interval from three sites on.

    Parameters
    ----------
    left_out : pandas.DataFrame
        From `leave_sites_out`, of any models and variants.
    confidence : float
        Level of the intervals in it and of those returned.

    Returns
    -------
    pandas.DataFrame
        Columns of `PooledSites`; no row where fewer than two sites have an interval.
    """
    rows, reach = [], 2 * float(stats.norm.ppf(0.5 + confidence / 2))
    for (model, variant), sites in left_out.groupby(["model", "variant"], sort=False):
        known = sites[(sites["auroc"] > 0) & (sites["auroc"] < 1) & sites["auroc_low"].notna()]
        if len(known) < 2:
            continue
        both = known[["auroc_low", "auroc_high"]].to_numpy()
        spread = np.log(both / (1 - both)) @ [-1, 1] / reach
        # The limits are symmetric on the logit scale: back to the error of the AUROC itself.
        errors = spread * known["auroc"] * (1 - known["auroc"])
        figures = [
            logit_with_variance(value, error)
            for value, error in zip(known["auroc"], errors, strict=True)
        ]
        estimate, variance = zip(*figures, strict=True)
        found = pool(estimate, variance, never_narrower=True, confidence=confidence)
        limits = ("estimate", "low", "high", "predicted_low", "predicted_high")
        rows.append(
            {"model": model, "variant": variant, "sites": found.sites}
            | {name: float(expit(getattr(found, name))) for name in limits}
            | {"tau2": found.tau2, "i2": found.i2, "method": found.method}
        )
    return pd.DataFrame(rows, columns=list(types_of(PooledSites))).astype(types_of(PooledSites))


def compare_harmonised(
    plain: Procedure, harmonised: Procedure, training: pd.DataFrame, count: int, workers: int = 1
) -> tuple[pd.DataFrame, dict]:
    """Judge models of features as they are and of harmonised ones in the same folds.

    Parameters
    ----------
    plain, harmonised : Procedure
        The same family and search.
    training : pandas.DataFrame
        Training rows; every fold's site has rows of it in the others, or the fold cannot be judged.
    count : int
        Folds.
    workers : int
        Processes of a search.

    Returns
    -------
    table : pandas.DataFrame
        Columns of `Harmonised`, one row a variant, over all folds together.
    difference : dict
        ``auroc, low, high, p_value`` of the harmonised less the plain, or ``note``.
    """
    level, seed = plain.options.evaluation.confidence, plain.options.seed
    folds = assign_folds(training, count, derive_seed(seed, "harmonised", "folds"))
    risks, rows = {}, []
    for variant, procedure in ((AS_HANDED_IN, plain), (HARMONISED, harmonised)):
        own = {"model": procedure.model, "variant": variant, "note": ""}
        risk = np.full(len(training), math.nan)
        try:
            for fold in np.unique(folds):
                rest = training[folds != fold].reset_index(drop=True)
                at = derive_seed(seed, "harmonised", procedure.model, int(fold))
                run = procedure.run(rest, at, workers=workers)
                risk[folds == fold] = run.fitted.predict(training[folds == fold])
        except FitError as error:
            counted = {"n": len(training), "events": int(training["outcome"].sum())}
            rows.append(own | counted | {"note": f"not fitted: {error.rule}"})
            continue
        risks[variant] = risk
        rows.append(own | estimates(training, risk, level))
    table = pd.DataFrame(rows).reindex(columns=list(types_of(Harmonised)))
    difference: dict = {"model": plain.model, "note": "one of the two could not be fitted"}
    if len(risks) == 2:
        both = np.array([risks[HARMONISED], risks[AS_HANDED_IN]])
        outcome, patients = training["outcome"].to_numpy(int), training["patient_id"].to_numpy()
        areas, covariance, _ = areas_with_covariance(outcome, both, patients)
        variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
        test = wald_test(float(areas[0] - areas[1]), variance, level)
        difference = {"model": plain.model, "note": "", "auroc": float(areas[0] - areas[1])}
        difference |= {"low": test.low, "high": test.high, "p_value": test.p_value}
    return table.astype(types_of(Harmonised)), difference


def features_by_site(values: np.ndarray, sites: np.ndarray) -> pd.DataFrame:
    """Test each feature between sites (Kruskal-Wallis), with its effect.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_features)
        Features.
    sites : ndarray of str, shape (n_rows,)
        Site of each row.

    Returns
    -------
    pandas.DataFrame
        ``p, q, eta2``: P value, P value adjusted after Benjamini and Hochberg, and the share of the
        ranks' variance that lies between sites [3]_. NaN for a constant feature.
    """
    groups = [values[sites == name] for name in np.unique(sites)]
    n, k = len(values), len(groups)
    varies = np.ptp(values, axis=0) > 0
    p, eta2 = np.full((2, values.shape[1]), math.nan)
    if varies.any() and k > 1:
        found = stats.kruskal(*(each[:, varies] for each in groups), axis=0)
        p[varies], eta2[varies] = found.pvalue, (found.statistic - k + 1) / (n - k)
    q = p.copy()
    q[varies] = adjusted_p(p[varies], "fdr")
    return pd.DataFrame({"p": p, "q": q, "eta2": np.clip(eta2, 0, 1)})


def site_features(
    columns: Columns, training: pd.DataFrame, options: ChainOptions, site: str
) -> tuple[pd.DataFrame, str]:
    """Return how features differ between sites before and after harmonisation of training rows.

    Where the study harmonises nothing, after says what ComBat without covariates would do.

    Returns
    -------
    table : pandas.DataFrame
        Columns of `SiteFeatures`: features that pass the agreement of readers.
    note : str
        What has to be said; empty where nothing.
    """
    empty = pd.DataFrame(columns=list(types_of(SiteFeatures))).astype(types_of(SiteFeatures))
    if not columns.features:
        return empty, "the study has no radiomic feature"
    seen = replace(columns, site=site)
    known = training[training[site].notna()].reset_index(drop=True)
    X, y = seen.take(known), known["outcome"].to_numpy(int)
    plain = selection_chain(replace(columns, site=None, kept=()), options)
    radiomics = block_pipeline(plain.fit(X[plain_columns(columns, X)], y), "radiomics")
    raw = radiomics["impute"].transform(radiomics["ccc"].transform(X[radiomics.feature_names_in_]))
    if raw.shape[1] == 0:
        return empty, "no feature passed the agreement of the readers"
    sites, step = known[site].to_numpy(str), harmoniser_of(options.harmonisation, columns)
    step.set_params(tiny_site="pass")
    try:
        moved = step.fit(raw, rows=X).transform(raw, rows=X)
    except FitError as error:
        return empty, f"not harmonised: {error.rule}"
    before = features_by_site(raw.to_numpy(), sites).add_suffix("_before")
    after = features_by_site(moved.to_numpy(), sites).add_suffix("_after")
    table = pd.concat([before, after], axis=1)
    table.insert(0, "feature", list(raw.columns))
    return table[list(types_of(SiteFeatures))].astype(types_of(SiteFeatures)), ""


def plain_columns(columns: Columns, X: pd.DataFrame) -> list[str]:
    """Return the columns of X that a chain without harmonisation takes."""
    return [name for name in X.columns if name not in set(replace(columns, site="x").beside)]


def differing(table: pd.DataFrame, when: str) -> dict:
    """Return how many features differ between sites, and the median share of variance."""
    known = table[f"q_{when}"].dropna()
    return {
        "features": len(known),
        "differing": int((known < DIFFERS).sum()),
        "eta2": float(table[f"eta2_{when}"].median()) if len(known) else None,
    }


def main(options: argparse.Namespace) -> None:
    """Read the study's tables, validate its models site by site, write the tables."""
    study = open_study(options.study)
    how = study.options(SiteOptions)
    confidence = how.evaluation.confidence
    (site,) = site_columns(study.dictionary)
    columns, table = read_inputs(options.analysis, options.info, options.split)
    training, _ = training_rows(table)
    plain, honest = replace(columns, site=None, kept=()), replace(how, mode=RIGOROUS)
    search, asked = how.site_validation.search, how.site_validation.models
    transductive = (
        columns.site is not None
        and how.harmonisation.unseen_site == "own_rows"
        and table[site].nunique() > 2
    )
    left, side, differences = [], [], []
    with threadpool_limits(how.threads):
        for model in asked:
            procedure = Procedure(model, plain, honest, search)
            left.append(leave_sites_out(procedure, table, site, AS_HANDED_IN, options.workers))
            if columns.site is None:
                continue
            both = procedure, Procedure(model, columns, honest, search)
            found, difference = compare_harmonised(
                *both, training, how.site_validation.folds, options.workers
            )
            side.append(found)
            differences.append(difference)
            if transductive:
                own = Procedure(model, replace(columns, transductive=True), honest, search)
                left.append(leave_sites_out(own, table, site, OWN_ROWS, options.workers))
        features, note = site_features(columns, training, honest, site)
    left_out = pd.concat(left, ignore_index=True)
    outcome = site_by_outcome(table[site].to_numpy(object), table["outcome"].to_numpy(object))
    empty = pd.DataFrame(columns=list(types_of(Harmonised))).astype(types_of(Harmonised))
    tables = {
        "outcome": (outcome.table, SiteOutcomes),
        "left_out": (left_out, LeftOut),
        "pooled": (pooled(left_out, confidence), PooledSites),
        "harmonised": (pd.concat(side, ignore_index=True) if side else empty, Harmonised),
        "features": (features, SiteFeatures),
    }
    for name, (each, schema) in tables.items():
        write_result(each, options.out_dir / f"{name}.parquet", how.mode, schema, leaks=False)
    facts = {
        "site": site,
        "confidence": confidence,
        "search_note": search_note(search, how.search, "fit"),
        "outcome": {
            "p_value": None if math.isnan(outcome.p_value) else outcome.p_value,
            "cramers_v": None if math.isnan(outcome.cramers_v) else outcome.cramers_v,
            "few": outcome.few,
            "warning": outcome.sentence() if outcome.warns else None,
        },
        "features": {
            "note": note,
            "harmonised": columns.site is not None,
            **{when: differing(features, when) for when in ("before", "after")},
        },
        "differences": differences,
    }
    write_facts(facts, options.out_dir / "site_validation.json", how.mode, leaks=False)


if __name__ == "__main__":
    arguments = command.parser("models.site_validation", __doc__)
    input_arguments(arguments)
    arguments.add_argument("--workers", type=int, default=1, help="processes, default 1")
    arguments.add_argument("--out-dir", required=True, type=Path, help="folder of the tables")
    command.run(main, arguments)
