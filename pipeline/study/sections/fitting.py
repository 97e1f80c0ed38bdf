"""Sections of how models are searched and trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pipeline.core.sections import Rule, option
from pipeline.study.model_families import MODEL_FAMILIES

if TYPE_CHECKING:
    Family = str
    Judged = str
else:
    Family = Literal[*MODEL_FAMILIES]
    Judged = Literal[*MODEL_FAMILIES, "winner"]

FAMILY_NAMES = ", ".join(MODEL_FAMILIES)
"""Families of models, as errors and the page of options list them."""

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
