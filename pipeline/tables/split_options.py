"""The section of how rows are divided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.core.sections import option


@dataclass(frozen=True, kw_only=True)
class Split:
    """How patients are divided into training and held-out ones."""

    design: Literal["holdout", "imported", "temporal", "by_site", "none"] = option(
        "holdout",
        "kind of split, or none for no hold-out",
        "holdout (drawn, stratified by outcome) | imported | temporal | by_site | none: no "
        "held-out patients, nested cross-validation over all patients is the primary analysis, as "
        "most studies of fewer than 300 patients need it (docs/no_hold_out.md)",
    )
    test_fraction: float = option(
        0.3,
        "share of patients held out",
        "share of patients held out, temporal: the last ones; 7:3 as published",
        unit="share of patients",
        gt=0,
        le=0.9,
    )
    column: str | None = option(
        None,
        "clinical column that decides an imported split, a temporal one or one by site",
        "imported: holds 'train' or 'test'; temporal: relative days or order; by_site: site",
    )
    test_from: float | None = option(
        None,
        "value of the column from which a temporal split holds patients out",
        "temporal: value of the column from which patients are held out",
        unit="as the column",
    )
    test_sites: list[str | int] = option(
        [],
        "sites that a split by site holds out",
        "by_site: sites held out; a geographical validation",
        unique=True,
    )
    declared: Literal["random", "temporal", "site"] | None = option(
        None,
        "how an imported split parts its patients, as its author declares",
        "random | temporal | site: how an imported split parts its patients, as its author "
        "declares; the report calls the validation by it. null: not declared, and it counts as "
        "random",
    )
    folds: int = option(
        5,
        "folds of the inner cross-validation",
        "folds of the inner cross-validation, stratified and grouped by patient",
        unit="folds",
        ge=2,
        le=20,
    )
