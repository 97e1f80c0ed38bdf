"""Sections of how models are searched and trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pipeline.core.sections import Rule, option, section

Family = Literal["lr", "svm", "rf", "xgboost", "tabnet"]

Repetition = Literal["fixed", "reduced", "full"]
"""How parameters are found where the procedure is repeated."""

Range = Annotated[
    list[float], Rule("lower and higher end", bounds={"min_length": 2, "max_length": 2})
]
Values = Annotated[
    str
    | float
    | bool
    | Annotated[list, Rule(bounds={"min_length": 1})]
    | Annotated[
        dict[Literal["uniform", "log_uniform"], Range],
        Rule(bounds={"min_length": 1, "max_length": 1}),
    ]
    | None,
    Rule(
        "what the search may choose from",
        accepts="a value, a list of values, {uniform: [low, high]} or {log_uniform: [low, high]}",
    ),
]
Space = Annotated[
    dict[str, Values],
    Rule("search space of a model, {parameter: values}", bounds={"min_length": 1}),
]


@dataclass(frozen=True, kw_only=True)
class Search:
    """Search of the models' parameters."""

    iterations: int = option(
        20,
        "parameter sets drawn per model and phase",
        "parameter sets drawn by randomised search per model, TabNet: in each of its two phases",
        unit="parameter sets",
        ge=1,
    )
    scoring: Literal["roc_auc"] = option(
        "roc_auc", "what the search maximises", "mean over the inner folds"
    )
    reduced_iterations: int = option(
        5,
        "parameter sets where a search is repeated in a resample",
        "parameter sets where a search is repeated in a resample (`search: reduced`)",
        unit="parameter sets",
        ge=1,
    )
    spaces: dict[Family, Space] = option(
        {},
        "search spaces that replace the built-in ones, {model: {parameter: values}}",
        "{model: {parameter: values}} that replace the built-in search spaces; values are a list, "
        "{uniform: [low, high]} or {log_uniform: [low, high]}",
    )


@dataclass(frozen=True, kw_only=True)
class TabnetStart:
    """Training parameters that hold until they are searched."""

    learning_rate: float = option(
        0.02,
        "learning rate of Adam",
        "of Adam; the library's default",
        unit="step of Adam",
        gt=0,
        le=1,
    )
    batch_size: int = option(
        32,
        "rows per batch",
        "rows per batch; small, so that a few hundred patients give some steps an epoch",
        unit="rows",
        ge=2,
    )
    weight_decay: float = option(
        0.1,
        "weight decay of Adam",
        "of Adam; with a few dozen events less lets TabNet learn them by heart",
        unit="decay of Adam",
        ge=0,
        le=1,
    )


@dataclass(frozen=True, kw_only=True)
class Tabnet:
    """Training of TabNet."""

    max_epochs: int = option(100, "epochs at most", "epochs at most", unit="epochs", ge=1)
    patience: int = option(
        10,
        "epochs without improvement before the stop",
        "epochs without better validation AUROC before the stop",
        unit="epochs",
        ge=1,
    )
    validation_fraction: float = option(
        0.2,
        "share of training rows that early stopping watches",
        "share of real training rows that early stopping watches",
        unit="share of rows",
        gt=0,
        le=0.5,
    )
    start: TabnetStart = section(
        TabnetStart,
        "training parameters that hold until they are searched",
        "training parameters while the architecture is searched, and where no space names them",
    )
