"""The equation of a fitted model whose log odds are a sum, on natural units."""

from __future__ import annotations

import numpy as np
from sklearn.pipeline import Pipeline

from models.frozen.natural_units import natural_units
from models.learning.family_registry import family_of
from models.learning.fitted_procedure import FittedModel
from models.transformers.chain import block_pipeline


def equation_facts(fitted: FittedModel) -> dict | None:
    """Return the equation of a fitted model, so that anyone can use it without software.

    Parameters
    ----------
    fitted : FittedModel
        Selection and classifier.

    Returns
    -------
    dict or None
        ``intercept``, and ``terms``: of each column with an effect ``column, coefficient`` (log
        odds per unit) and ``missing`` (its value where it is missing; null where other columns
        decide). None where the log odds are no such sum, in ``mode: as_published``, which
        scales every reader's features apart, and where a feature is harmonised between sites,
        each of which has another sum.
    """
    weights_of = family_of(fitted.model).weights_of
    if weights_of is None or fitted.columns.everyone is not None or not fitted.signature:
        return None
    blocks = set(map(fitted.columns.block_of, fitted.signature))
    if fitted.columns.site is not None and "radiomics" in blocks:
        return None
    found = weights_of(fitted.fit.estimator)
    if found is None:
        return None
    intercept, weights = found
    by_name = dict(zip(fitted.signature, weights, strict=True))
    terms = []
    for name in ("radiomics", "clinical"):
        block = block_pipeline(fitted.chain, name)
        if block is None:
            continue
        columns = list(block["impute"].get_feature_names_out())
        kept = np.array([column in by_name for column in columns], dtype=bool)
        own = np.array([by_name.get(column, 0.0) for column in columns])
        scaler, missing = block["scale"], _when_missing(block, columns)
        intercept, coefficients = natural_units(
            intercept, own, scaler.center_, scaler.scale_, scaler.method_ == "constant"
        )
        terms += [
            {"column": str(column), "coefficient": float(value), "missing": missing[column]}
            for column, value, is_kept in zip(columns, coefficients, kept, strict=True)
            if is_kept and value
        ]
    return {"intercept": float(intercept), "terms": terms}


def _when_missing(block: Pipeline, columns: list[str]) -> dict[str, float | None]:
    """Return the value of each column where it is missing, before it is scaled."""
    imputer = block["impute"]
    values: dict[str, float | None] = dict.fromkeys(columns)
    if imputer.method in ("median", "mean") and columns:
        filled = map(float, imputer.imputer_.statistics_)
        values = dict(zip(columns, filled, strict=True))
    encoder = block.named_steps.get("encode")
    for predictor in encoder.predictors if encoder is not None else ():
        if predictor.column in encoder.fill_:
            values |= {predictor.indicator: 1.0} if predictor.indicator in values else {}
            if not predictor.is_numeric:
                fill = encoder.fill_[predictor.column]
                values |= {
                    name: float(level == fill)
                    for level, name in zip(predictor.levels[1:], predictor.encoded, strict=True)
                }
    return values
