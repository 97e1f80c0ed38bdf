"""Sections of how models are judged, repeated and taken apart."""

from __future__ import annotations

from dataclasses import MISSING, dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pipeline.core.sections import Rule, option
from pipeline.study.metric_registry import METRICS
from pipeline.study.sections.fitting import FAMILY_NAMES, Family, Judged, Repetition

Target = Annotated[float, Rule("what the threshold has to reach", bounds={"gt": 0, "lt": 1})]
Probability = Annotated[float, Rule("a threshold probability", bounds={"ge": 0, "lt": 1})]
Families = Annotated[list[Family], Rule(unique=True)]
FilterFamily = Literal[
    "shape", "original", "log", "wavelet", "gradient", "square", "squareroot", "logarithm",
    "exponential", "lbp",
]  # fmt: skip
Step = Literal["ccc", "wilcoxon", "mrmr", "clinical_filter", "scaling", "oversampling"]
if TYPE_CHECKING:
    Metric = str
else:
    Metric = Literal[*METRICS]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Evaluation on the test rows, or on those that outer folds held out."""

    confidence: float = option(
        0.95,
        "level of every interval",
        "level of every interval",
        unit="level of the interval",
        gt=0.5,
        lt=1,
        remedy="write 95 % as 0.95",
    )
    bootstrap: int = option(
        1000,
        "resamples of patients",
        "resamples of patients where no closed form exists",
        unit="resamples",
        ge=100,
    )
    threshold_rule: (
        Literal["youden", "closest", "fixed"]
        | Annotated[
            dict[Literal["sensitivity", "specificity", "net_benefit"], Target],
            Rule(bounds={"min_length": 1, "max_length": 1}),
        ]
    ) = option(
        "youden",
        "how the classification threshold is found",
        "youden | closest | fixed | {sensitivity: 0.9} | {specificity: 0.9} | {net_benefit: 0.2}: "
        "from out-of-fold predictions of the training patients (docs/statistics.md)",
        accepts="youden, closest, fixed, or one target such as {sensitivity: 0.9}",
        remedy="youden, closest, fixed, {sensitivity: 0.9}, {specificity: 0.9} or "
        "{net_benefit: 0.2}",
    )
    threshold: float = option(
        0.5,
        "the threshold of the rule `fixed`",
        "used by `fixed`",
        unit="probability",
        gt=0,
        lt=1,
    )
    decision_curve: list[Probability] = option(
        [0.0, 0.95],
        "range of threshold probabilities, [low, high]",
        "range of threshold probabilities",
        unit="probability",
        min_length=2,
        max_length=2,
    )
    subgroups: Literal["auto"] | dict[str, list[float]] = option(
        "auto",
        "columns in whose groups every model is judged too, or auto",
        "auto: sex, age and site by their names, vertebral level, with images scanner and kernel; "
        "or {column: cuts}, such as {sex: [], age: [65, 80], kernel: []}: [] takes a column's own "
        "values, and of numbers the median of the training patients; {} for none",
        accepts="auto, or a column of the dictionary, level, manufacturer, scanner, kernel, kvp or "
        "slice_thickness_mm with its cuts",
        unit="as the column",
        replaced=True,
    )
    expected_r2: float = option(
        0.15,
        "share of the largest possible R2 expected before the study",
        "share of the largest possible R2 (Nagelkerke's) that was expected before the study, for "
        "the minimum sample size; 0.15 where nothing is known (Riley et al., BMJ 2020;368:m441)",
        unit="share of the largest R2",
        gt=0,
        lt=1,
    )


@dataclass(frozen=True, kw_only=True)
class Primary:
    """The one analysis that a study is judged by."""

    model: Judged = option(MISSING, "model that is judged, or winner", required=True)
    part: Literal["test", "nested"] = option(
        "test", "who it is judged on; nested where `split.design` is none"
    )
    metric: Metric = option("auroc", "metric that it is judged by")


@dataclass(frozen=True, kw_only=True)
class Nested:
    """Nested cross-validation over the training rows."""

    models: Literal["all"] | Families = option(
        "all",
        "models whose procedure is cross-validated, or all",
        "all of `models`, or a list of them; [] for none",
        accepts=f"`all` or a list of models: {FAMILY_NAMES}",
    )
    folds: int = option(
        5,
        "outer folds",
        "outer folds; each repeats selection, search and fit on its own rows",
        unit="folds",
        ge=2,
        le=20,
    )
    repeats: int = option(
        1,
        "times that the outer folds are dealt anew",
        "times that the outer folds are dealt anew",
        unit="repeats",
        ge=1,
        le=100,
    )
    search: Repetition = option(
        "reduced",
        "how parameters are found in an outer fold",
        "fixed (parameters of the final model) | reduced | full",
    )


@dataclass(frozen=True, kw_only=True)
class Stability:
    """The selection repeated on subsamples of the training patients."""

    resamples: int = option(
        50,
        "subsamples",
        "subsamples; how often a feature is chosen is a share of them",
        unit="subsamples",
        ge=2,
        le=10000,
    )
    share: float = option(
        0.8,
        "share of the patients that a subsample holds",
        "share of the patients that a subsample holds, as an inner fold does",
        unit="share of patients",
        gt=0,
        lt=1,
    )
    permutations: int = option(
        5,
        "permuted outcomes beside it",
        "permuted outcomes beside it, as many subsamples of each; 0 for none. A selection of 600 "
        "patients and 1,223 features takes half a second, so 3 minutes in all",
        unit="permutations",
        ge=0,
        le=1000,
    )


@dataclass(frozen=True, kw_only=True)
class Optimism:
    """Bootstrap correction of the apparent performance for its optimism."""

    models: Literal["all", "all-but-tabnet"] | Families = option(
        "all",
        "models that are corrected, all, or all-but-tabnet",
        "all, all-but-tabnet, or a list; [] for none. A resample of 856 patients takes TabNet 24 "
        "seconds of CPU (`search: reduced`), so 100 of them 20 minutes on two cores",
        accepts=f"`all`, `all-but-tabnet` or a list of models: {FAMILY_NAMES}",
    )
    resamples: int = option(
        100,
        "resamples of the training patients",
        "resamples of patients; each repeats selection, search, fit and threshold. Four models of "
        "856 patients take 20 minutes on two cores; a paper may want 200",
        unit="resamples",
        ge=10,
        le=10000,
    )
    search: Repetition = option(
        "reduced",
        "how parameters are found in a resample",
        "fixed (parameters of the final model) | reduced | full",
    )


Share = Annotated[float, Rule("a share of the patients", bounds={"gt": 0, "le": 1})]


@dataclass(frozen=True, kw_only=True)
class LearningCurve:
    """The procedure run on growing shares of the training patients."""

    models: Families = option(
        [],
        "models whose learning curve is drawn",
        "a list taken from `models`; [] for none. A model costs shares x repeats runs of the "
        "procedure; `vertebromics run -n` says how many fits that is",
    )
    shares: list[Share] = option(
        [0.2, 0.4, 0.6, 0.8, 1.0],
        "shares of the patients that are learned from",
        "shares of four fifths of the training patients; the others judge",
        unit="share of patients",
        min_length=2,
        unique=True,
    )
    repeats: int = option(
        10,
        "times that the patients are dealt anew",
        unit="repeats",
        ge=2,
        le=1000,
    )
    search: Repetition = option(
        "fixed",
        "how parameters are found in a share",
        "fixed (parameters of the final model, which has seen all training patients) | reduced | "
        "full",
    )


@dataclass(frozen=True, kw_only=True)
class OversampledSplit:
    """Oversampling before the split, which leaks, beside the right order."""

    models: Families = option(
        [],
        "models of which both orders are compared",
        "models of which both orders are compared, with the study's `oversampling`; [] for none",
    )
    permutations: int = option(
        20,
        "permuted outcomes on which both orders are tried",
        "permuted outcomes, which nothing can predict: what an order finds there it makes itself",
        unit="permutations",
        ge=1,
        le=10000,
    )


@dataclass(frozen=True, kw_only=True)
class Interpretation:
    """What a model relies on."""

    permutations: int = option(
        10,
        "shuffles of each column for its permutation importance",
        "shuffles of each column, whose loss of AUROC is its permutation importance",
        unit="shuffles",
        ge=1,
        le=1000,
    )
    shap: bool = option(
        False,
        "whether SHAP values are computed",
        "SHAP values beside it; slow for large forests",
    )
    shap_rows: int = option(
        100,
        "training patients that SHAP explains",
        "training patients that SHAP explains, drawn at random; at most",
        unit="rows",
        ge=1,
    )
    shap_background: int = option(
        25,
        "training patients of SHAP's background",
        "training patients that replace a column's value there; time grows with it",
        unit="rows",
        ge=1,
    )
    top: int = option(
        10,
        "features that the figure of importance shows",
        "features of each model that the figure shows; the table has all",
        unit="features",
        ge=1,
        le=50,
    )


@dataclass(frozen=True, kw_only=True)
class Ablation:
    """Refits without parts of the input."""

    models: Literal["tabnet-or-first"] | Families = option(
        "tabnet-or-first",
        "models that are refitted, a list taken from `models`, or tabnet-or-first",
        "tabnet, or the first of `models` where it is not trained; or a list, [] for none: several "
        "models give one comparable table",
        accepts=f"`tabnet-or-first` or a list of models: {FAMILY_NAMES}",
    )
    where: Literal["before_selection", "signature"] = option(
        "before_selection",
        "whether steps remove candidates before the selection, or columns of the signature",
        "before_selection: others may replace what is removed | signature: only the columns "
        "that the full model chose, less what is removed",
    )
    search: Repetition = option(
        "fixed",
        "how parameters are found in a step",
        "fixed (parameters of the full model) | reduced | full: anew in every step",
    )
    top: int = option(
        5,
        "features removed one after another",
        "features removed one after another, highest importance first",
        unit="features",
        ge=0,
        le=50,
    )
    single: int = option(
        5,
        "highest features removed alone",
        "highest features, each removed alone",
        unit="features",
        ge=0,
        le=50,
    )
    features: list[
        Annotated[
            str,
            Rule("name of a feature or column of a clinical predictor", bounds={"min_length": 1}),
        ]
    ] = option(
        [],
        "features or clinical predictors removed alone",
        "named features or clinical predictors, each removed alone",
        unique=True,
    )
    blocks: list[Annotated[Literal["radiomics", "clinical"], Rule("a block")]] = option(
        ["radiomics", "clinical"], "whole blocks removed", "whole blocks removed", unique=True
    )
    families: Literal["all"] | Annotated[list[FilterFamily], Rule(unique=True)] = option(
        "all",
        "families of features removed, or all",
        "all that the study has, or of shape, original, log, wavelet, gradient, ...",
        accepts="`all` or a list of families: shape, original, log, wavelet, gradient, square, "
        "squareroot, logarithm, exponential, lbp",
    )
    steps: Literal["all"] | Annotated[list[Step], Rule(unique=True)] = option(
        "all",
        "steps of the selection and preparation left out, or all",
        "all that the study takes, or of ccc, wilcoxon, mrmr, clinical_filter, scaling, "
        "oversampling: each left out once",
        accepts="`all` or a list of steps: ccc, wilcoxon, mrmr, clinical_filter, scaling, "
        "oversampling",
    )
    seeds: int = option(
        10,
        "refits per step",
        "fits per step; predictions are averaged over them. Those of TabNet are trained together: "
        "ten of a step of 600 rows take it 2 to 6 seconds of CPU",
        unit="fits",
        ge=1,
    )
