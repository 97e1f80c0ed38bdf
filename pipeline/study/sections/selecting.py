"""Sections of how features are chosen and prepared within each training fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.core.sections import option, section


@dataclass(frozen=True, kw_only=True)
class Ccc:
    """Filter by agreement of the readers."""

    threshold: float | None = option(
        0.85,
        "smallest Lin's CCC between readers; null switches the filter off",
        "Lin's CCC between readers on raw values; below it a feature is dropped",
        unit="CCC",
        ge=-1,
        le=1,
    )
    bound: Literal["estimate", "lower"] = option(
        "estimate",
        "what has to reach the threshold, the estimate or its lower limit",
        "estimate (as published) | lower: which of the two has to reach the threshold",
    )
    confidence: float = option(
        0.95,
        "level of the interval that the lower limit belongs to",
        "level of the interval that `lower` looks at",
        unit="level of the interval",
        ge=0.5,
        le=0.999,
    )
    within_level: bool = option(
        False,
        "whether agreement is measured within vertebral levels",
        "true: agreement within vertebral levels; over all of them (as published) what differs "
        "between levels, size first of all, counts as agreement",
    )


@dataclass(frozen=True, kw_only=True)
class PerturbedAgreement:
    """Filter by agreement of a mask's perturbed extractions."""

    threshold: float | None = option(
        0.90,
        "smallest ICC(1,1) between perturbed extractions; null switches the filter off",
        "ICC(1,1) on raw values; below it a feature is dropped (Zwanenburg 2019)",
        unit="ICC",
        ge=-1,
        le=1,
    )
    bound: Literal["estimate", "lower"] = option(
        "lower",
        "what has to reach the threshold, the estimate or its lower limit",
        "estimate | lower (as published): which of the two has to reach the threshold",
    )
    confidence: float = option(
        0.95,
        "level of the interval that the lower limit belongs to",
        "level of the two-sided interval, by a bootstrap of patients",
        unit="level of the interval",
        ge=0.5,
        le=0.999,
    )
    resamples: int = option(
        200,
        "bootstrap resamples of patients for the lower limit",
        "of patients; a tenth of a second for 200 at 600 patients, in every fit",
        unit="resamples",
        ge=50,
        le=10000,
    )


@dataclass(frozen=True, kw_only=True)
class Wilcoxon:
    """Univariate filter of the radiomic features."""

    p: float | None = option(
        0.10,
        "P value below which a feature stays; null switches the filter off",
        "two-sided rank-sum P value; loose, since mRMR follows",
        unit="P value",
        gt=0,
        le=1,
    )
    correction: Literal["none", "fdr"] = option(
        "none",
        "correction of the P values for their number",
        "none (as published) | fdr: Benjamini-Hochberg, p then bounds the false share",
    )


@dataclass(frozen=True, kw_only=True)
class Mrmr:
    """Minimum redundancy, maximum relevance."""

    k: int | None = option(
        20,
        "number of features kept; null switches mRMR off",
        "features kept by minimum redundancy, maximum relevance",
        unit="features",
        ge=1,
    )
    scheme: Literal["fcq", "rfcq"] = option(
        "fcq",
        "variant of mRMR, by its measure of relevance over that of redundancy",
        "fcq (F statistic over mean absolute correlation with the chosen) | rfcq (a random "
        "forest's importance in place of the F statistic)",
    )


@dataclass(frozen=True, kw_only=True)
class ClinicalTest:
    """Univariate filter of the clinical predictors."""

    p: float | None = option(
        0.10,
        "P value below which a predictor stays; null switches the filter off",
        "chi-square (categories) or rank-sum (numbers) in the training patients",
        unit="P value",
        gt=0,
        le=1,
    )
    vif: float | None = option(
        None,
        "largest variance inflation factor of a column; null keeps all",
        "the column with the largest variance inflation factor goes until none is above it; 5 and "
        "10 are usual; null keeps all",
        unit="variance inflation factor",
        gt=1,
    )


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The funnel of the features."""

    robustness: Literal["readers", "perturbations", "both"] = option(
        "readers",
        "which agreement a feature must pass first",
        "readers (CCC between readers; skipped where there is one) | perturbations (ICC between "
        "perturbed extractions, also of one reader; needs `perturbations.repetitions`) | both",
    )
    ccc: Ccc = section(Ccc, "filter by agreement of the readers")
    perturbations: PerturbedAgreement = section(
        PerturbedAgreement, "filter by agreement of a mask's perturbed extractions"
    )
    wilcoxon: Wilcoxon = section(Wilcoxon, "univariate filter of the radiomic features")
    mrmr: Mrmr = section(Mrmr, "minimum redundancy, maximum relevance")
    clinical: ClinicalTest = section(ClinicalTest, "univariate filter of the clinical predictors")
    permutations: int = option(
        20,
        "permuted outcomes that tell how many features pass the P value by chance",
        "permuted outcomes, to tell how many features the P value passes by chance",
        unit="permutations",
        ge=0,
        le=1000,
    )


@dataclass(frozen=True, kw_only=True)
class Imputation:
    """What replaces missing values."""

    method: Literal["median", "mean", "knn", "iterative"] = option(
        "median",
        "what replaces a missing number",
        "median | mean | knn | iterative (Bayesian ridge): numbers; levels become the most "
        "frequent",
    )
    neighbours: int = option(
        5,
        "rows that knn averages",
        "rows that knn averages",
        unit="rows",
        ge=1,
        le=100,
    )
    indicators: bool = option(
        False,
        "whether a 0/1 column tells where a clinical predictor is missing",
        "true: a 0/1 column more for each clinical predictor that has missing values",
    )


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """How a feature is standardised, and the limits within which it is z-scored."""

    method: Literal["adaptive", "zscore", "robust", "none"] = option(
        "adaptive",
        "by each feature's distribution, or all features alike",
        "adaptive (by the limits below) | zscore | robust (median and IQR) | none",
        remedy="write one of adaptive, zscore, robust, none",
    )
    max_abs_skewness: float = option(
        2.0,
        "largest absolute skewness",
        "below it, and below max_kurtosis: z-score; otherwise median and IQR",
        unit="skewness",
        ge=0,
    )
    max_kurtosis: float = option(
        7.0,
        "largest kurtosis, in the stated convention",
        "limit of the kurtosis, in the convention of the next line",
        unit="kurtosis",
        ge=-2,
    )
    kurtosis: Literal["pearson", "fisher"] = option(
        "pearson",
        "convention of the kurtosis, Pearson's (normal = 3) or Fisher's (normal = 0)",
        "pearson (normal = 3) | fisher (excess, normal = 0); the paper does not say",
    )
    max_outlier_share: float = option(
        0.10,
        "largest share of outliers",
        "share of outliers; above it: median and IQR",
        unit="share of rows",
        ge=0,
        le=1,
    )
    outliers: Literal["tukey", "zscore", "mad"] = option(
        "tukey",
        "rule that calls a value an outlier of its feature",
        "tukey (1.5 IQR outside the quartiles) | zscore (over 3 SD) | mad (modified z-score over "
        "3.5); the paper does not say",
    )
