"""Tables of the sites of a study."""

from __future__ import annotations

from pipeline.core.table_schema import COUNT, NUMBER, TEXT, Column
from pipeline.core.words import Words
from pipeline.tables.schemas.result import Result

UNDEFINED: Words = "where it is not defined, or nothing was fitted"
CONSTANT: Words = "of a constant feature"
FEW_SITES: Words = "of two sites"
WAS_FITTED: Words = "where it was fitted"
VARIANTS = ("as handed in", "own rows", "harmonised")


class SiteOutcomes(Result):
    """One row per site."""

    site = Column(TEXT, "site")
    n = Column(COUNT, "units of the analysis", unit="units")
    events = Column(COUNT, "of them with the outcome", unit="units")


class LeftOut(Result):
    """One row per model, variant and site: the procedure without the site, judged there."""

    model = Column(TEXT, "model")
    variant = Column(TEXT, "features that the model takes", values=VARIANTS)
    site = Column(TEXT, "site that was left out")
    n = Column(COUNT, "its units", unit="units")
    events = Column(COUNT, "of them with the outcome", unit="units")
    auroc = Column(NUMBER, "AUROC at the site", null=UNDEFINED)
    auroc_low = Column(NUMBER, "lower limit of its interval", null=UNDEFINED)
    auroc_high = Column(NUMBER, "upper limit of its interval", null=UNDEFINED)
    intercept = Column(NUMBER, "calibration in the large, 0 is ideal", null=UNDEFINED)
    intercept_low = Column(NUMBER, "lower limit of its interval", null=UNDEFINED)
    intercept_high = Column(NUMBER, "upper limit of its interval", null=UNDEFINED)
    slope = Column(NUMBER, "calibration slope, 1 is ideal", null=UNDEFINED)
    slope_low = Column(NUMBER, "lower limit of its interval", null=UNDEFINED)
    slope_high = Column(NUMBER, "upper limit of its interval", null=UNDEFINED)
    brier = Column(NUMBER, "Brier score", null=UNDEFINED)
    note = Column(TEXT, "why it has no figures; blank where it has", null=WAS_FITTED)


class PooledSites(Result):
    """One row per model and variant: the sites' AUROCs pooled by random effects."""

    model = Column(TEXT, "model")
    variant = Column(TEXT, "features that the model takes", values=VARIANTS)
    sites = Column(COUNT, "sites pooled", unit="sites")
    estimate = Column(NUMBER, "mean AUROC of the sites, on the logit scale and back")
    low = Column(NUMBER, "lower limit of its interval (Hartung and Knapp)")
    high = Column(NUMBER, "upper limit of its interval (Hartung and Knapp)")
    predicted_low = Column(NUMBER, "AUROC of a new site, lower limit", null=FEW_SITES)
    predicted_high = Column(NUMBER, "AUROC of a new site, upper limit", null=FEW_SITES)
    tau2 = Column(NUMBER, "variance between sites on the logit scale")
    i2 = Column(NUMBER, "share of the variance that lies between sites, 0 to 1")
    method = Column(TEXT, "how the variance between sites was estimated")


class Harmonised(Result):
    """One row per model and variant: training patients predicted in the same folds."""

    model = Column(TEXT, "model")
    variant = Column(TEXT, "features that the model takes", values=VARIANTS)
    n = Column(COUNT, "training units", unit="units")
    events = Column(COUNT, "of them with the outcome", unit="units")
    auroc = Column(NUMBER, "AUROC of the out-of-fold predictions", null=UNDEFINED)
    auroc_low = Column(NUMBER, "lower limit of its interval", null=UNDEFINED)
    auroc_high = Column(NUMBER, "upper limit of its interval", null=UNDEFINED)
    intercept = Column(NUMBER, "calibration in the large, 0 is ideal", null=UNDEFINED)
    intercept_low = Column(NUMBER, "lower limit of its interval", null=UNDEFINED)
    intercept_high = Column(NUMBER, "upper limit of its interval", null=UNDEFINED)
    slope = Column(NUMBER, "calibration slope, 1 is ideal", null=UNDEFINED)
    slope_low = Column(NUMBER, "lower limit of its interval", null=UNDEFINED)
    slope_high = Column(NUMBER, "upper limit of its interval", null=UNDEFINED)
    brier = Column(NUMBER, "Brier score", null=UNDEFINED)
    note = Column(TEXT, "why it has no figures; blank where it has", null=WAS_FITTED)


class SiteFeatures(Result):
    """One row per feature that passes the agreement of readers, over the training patients."""

    feature = Column(TEXT, "feature")
    p_before = Column(NUMBER, "P value between sites (Kruskal-Wallis), as it is", null=CONSTANT)
    q_before = Column(NUMBER, "the same, adjusted after Benjamini-Hochberg", null=CONSTANT)
    eta2_before = Column(NUMBER, "share of the ranks' variance between sites", null=CONSTANT)
    p_after = Column(NUMBER, "P value between sites after harmonisation", null=CONSTANT)
    q_after = Column(NUMBER, "the same, adjusted after Benjamini-Hochberg", null=CONSTANT)
    eta2_after = Column(NUMBER, "share of the ranks' variance between sites", null=CONSTANT)


SITE_VALIDATION: dict[str, type[Result]] = {
    "outcome": SiteOutcomes,
    "left_out": LeftOut,
    "pooled": PooledSites,
    "harmonised": Harmonised,
    "features": SiteFeatures,
}
"""Table's name -> its class."""
