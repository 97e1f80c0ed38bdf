"""Sections of studies of several sites."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pipeline.core.sections import Rule, option
from pipeline.study.sections.fitting import Family


@dataclass(frozen=True, kw_only=True)
class Harmonisation:
    """How features of several sites are brought to one location and scale."""

    method: Literal["none", "combat"] = option(
        "none",
        "how radiomic features are harmonised between sites",
        "none | combat (Johnson 2007; with covariates Fortin 2018): learned inside every training "
        "fold; needs a column of the role `site` (docs/sites.md)",
    )
    covariates: list[str] = option(
        [],
        "clinical predictors whose effects on the features are kept",
        "clinical predictors whose effects on the features are kept, such as [age, sex]; never "
        "the outcome",
        unique=True,
    )
    reference: str | None = option(
        None,
        "site whose features stay as they are",
        "site whose features stay as they are, the others being brought to it; null: their common "
        "mean",
        min_length=1,
    )
    unseen_site: Literal["refuse", "own_rows"] = option(
        "refuse",
        "what `site_validation` does with a site that was left out",
        "refuse | own_rows: `site_validation` also shows figures for which location and scale of "
        "the left-out site are estimated of its own rows, without outcomes. That looks at the "
        "patients to be predicted and can remove true differences: labelled transductive, never "
        "the headline, never for one patient. All other stages refuse",
    )
    tiny_site: Literal["refuse", "pass"] = option(
        "refuse",
        "what becomes of a site with fewer than `min_rows` rows of training patients",
        "refuse (the model drops out) | pass: a site with fewer than `min_rows` rows of training "
        "patients is left as it is, and the report says so",
    )
    min_rows: int = option(
        5,
        "rows of training patients from which on a site's location and scale are estimated",
        "rows of training patients from which on a site's location and scale are estimated; a "
        "study needs four times as many of each site, since folds and half samples have fewer",
        unit="rows",
        ge=2,
        le=1000,
    )


@dataclass(frozen=True, kw_only=True)
class SiteValidation:
    """What is shown of the sites of a study."""

    models: list[Annotated[Family, Rule("a model")]] = option(
        [],
        "models validated at one site after the other; [] asks for nothing about sites",
        "[lr]: models validated at one site after the other, each time without that site; also "
        "site by outcome, and features by site before and after harmonisation. [] for nothing",
        unique=True,
    )
    search: Literal["reduced", "full"] = option(
        "reduced",
        "how parameters are found without a site",
        "reduced | full: parameters are searched anew without each site",
    )
    folds: int = option(
        5,
        "folds in which features as they are and harmonised ones are compared",
        "folds in which models of features as they are and of harmonised ones are compared, where "
        "the study harmonises",
        unit="folds",
        ge=2,
        le=20,
    )
