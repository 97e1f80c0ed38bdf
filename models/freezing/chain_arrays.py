"""A fitted selection chain as blocks of a frozen procedure: descriptions and arrays.

Columns that reach no classifier are left out where nothing depends on them, so that a model asks a
new patient for no more than it needs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.pipeline import Pipeline

from models.frozen.steps import Input
from models.transformers.chain import block_pipeline
from models.transformers.columns import Columns
from models.transformers.harmonisation import HARMONISE, Harmoniser
from models.transformers.imputation import Imputer
from models.transformers.preparation import AdaptiveScaler, ClinicalEncoder

Arrays = dict[str, np.ndarray]


class Written(NamedTuple):
    """A part of a frozen procedure: its JSON, and its arrays by name."""

    facts: dict
    arrays: Arrays


def write_blocks(chain: Pipeline, columns: Columns) -> list[Written]:
    """Return the blocks of a fitted chain, those that hand on anything, in its order.

    Parameters
    ----------
    chain : sklearn.pipeline.Pipeline
        From `models.transformers.chain.selection_chain`, fitted.
    columns : Columns
        Its candidates.
    """
    written = []
    radiomics, clinical = (block_pipeline(chain, block) for block in ("radiomics", "clinical"))
    if radiomics is not None:
        names = list(radiomics["ccc"].get_feature_names_out())
        kept = list(radiomics["mrmr"].get_feature_names_out())
        inputs = [Input(name) for name in names]
        step = radiomics.named_steps.get(HARMONISE)
        sites = None if step is None else harmoniser_arrays(step, columns.site)
        written.append(_block(inputs, radiomics["impute"], radiomics["scale"], kept, sites))
    if clinical is not None:
        inputs = encoder_inputs(clinical["encode"])
        kept = [str(name) for name in clinical["collinear"].get_feature_names_out()]
        written.append(_block(inputs, clinical["impute"], clinical["scale"], kept))
    return [block for block in written if block.facts["kept"]]


def encoder_inputs(encoder: ClinicalEncoder) -> list[Input]:
    """Return the inputs of a fitted encoder."""
    return [
        Input(
            predictor.column,
            () if predictor.is_numeric else tuple(predictor.levels),
            encoder.fill_[predictor.column],
            predictor.column in encoder.indicated_,
        )
        for predictor in encoder.predictors
        if predictor.column in encoder.fill_
    ]


def imputer_arrays(imputer: Imputer) -> Written:
    """Return how a fitted imputer fills in, over all its columns."""
    inner = imputer.imputer_
    if imputer.method in ("median", "mean"):
        return Written({"kind": "fill"}, {"fill": _floats(inner.statistics_)})
    arrays = {"middle": _floats(imputer.center_), "spread": _floats(imputer.scale_)}
    if imputer.method == "knn":
        rows = _floats(inner._fit_X)
        known = ~np.isnan(rows)
        arrays |= {"rows": np.where(known, rows, 0.0), "known": known}
        return Written({"kind": "nearest", "neighbours": int(imputer.neighbours)}, arrays)
    arrays["initial"] = _floats(inner.initial_imputer_.statistics_)
    steps = inner.imputation_sequence_
    terms = [np.asarray(step.neighbor_feat_idx, dtype=np.int32) for step in steps]
    ends = np.cumsum([0, *map(len, terms)])
    weights = [_floats(step.estimator.coef_) for step in steps]
    arrays |= {
        "target": np.array([step.feat_idx for step in steps], dtype=np.int32),
        "begin": ends.astype(np.int32),
        "source": np.concatenate([*terms, np.empty(0, np.int32)]).astype(np.int32),
        "weight": np.concatenate([*weights, np.empty(0)]),
        "intercept": _floats([step.estimator.intercept_ for step in steps]),
    }
    return Written({"kind": "round_robin"}, arrays)


def scaler_arrays(scaler: AdaptiveScaler) -> Arrays:
    """Return what a fitted scaler learned, over all its columns."""
    return {
        "center": _floats(scaler.center_),
        "scale": _floats(scaler.scale_),
        "constant": np.asarray(scaler.method_ == "constant", dtype=bool),
    }


def harmoniser_arrays(step: Harmoniser, site: str) -> Written:
    """Return what a fitted harmonisation learned, over all its columns.

    Parameters
    ----------
    step : Harmoniser
        Fitted.
    site : str
        Column of the site.
    """
    found, n = step.combat_, step.n_features_in_
    counts = [] if found is None else list(found.sites)
    passed = sorted({*step.counts_, *step.tiny_} - set(counts))
    facts = {"method": "combat", "column": site, "sites": counts, "passed": passed}
    facts |= {"reference": None if found is None else found.reference}
    facts["covariates"] = [
        {"column": each.column}
        | (
            {}
            if each.is_numeric
            else {"levels": list(each.levels), "fill": step.fill_[each.column]}
        )
        for each in step.covariates
    ]
    encoded = [(each, name) for each in step.covariates for name in each.encoded]
    fill = [step.fill_[each.column] if each.is_numeric else 0.0 for each, _ in encoded]
    weight = np.zeros((len(encoded), n))
    if found is None:
        flat, even, rows = np.zeros(n), np.ones(n), np.zeros((0, n))
        learned = (flat, even, flat, even, flat.astype(bool), rows, rows)
    else:
        weight[step.varies_] = found.weights
        learned = (step.middle_, step.unit_, found.center, found.spread, found.adjusted)
        learned += (found.shift, found.stretch)
    names = ("middle", "unit", "center", "spread", "adjusted", "shift", "stretch")
    arrays = dict(zip(names, learned, strict=True)) | {"fill": fill, "weight": weight}
    adjusted = np.asarray(arrays.pop("adjusted"), dtype=bool)
    written = {name: _floats(values) for name, values in arrays.items()}
    return Written(facts, written | {"adjusted": adjusted})


def _block(
    inputs: list[Input],
    imputer: Imputer,
    scaler: AdaptiveScaler,
    kept: list[str],
    sites: Written | None = None,
) -> Written:
    if not inputs:
        return Written({"inputs": [], "impute": {"kind": "fill"}, "kept": []}, {})
    impute, arrays = imputer_arrays(imputer)
    arrays |= scaler_arrays(scaler)
    if impute["kind"] == "fill":
        # Each column stands for itself: those that no classifier sees are not asked for.
        wanted = [bool(set(one.encoded) & set(kept)) for one in inputs]
        chosen = np.repeat(wanted, [len(one.encoded) for one in inputs])
        inputs = [one for one, needed in zip(inputs, wanted, strict=True) if needed]
        arrays = {name: values[chosen] for name, values in arrays.items()}
    else:
        chosen = np.ones(sum(len(one.encoded) for one in inputs), dtype=bool)
    described = []
    for one in inputs:
        facts = {"column": one.column, "indicator": one.indicator}
        if one.levels:
            facts |= {"levels": list(one.levels), "fill": one.fill}
        described.append(facts)
    facts = {"inputs": described, "impute": impute}
    if sites is not None:
        facts["harmonise"] = sites.facts
        for name, values in sites.arrays.items():
            own = values if name == "fill" else np.ascontiguousarray(values[..., chosen])
            arrays[f"harmonise.{name}"] = own
    return Written(facts | {"kept": [str(k) for k in kept]}, arrays)


def _floats(values: object) -> np.ndarray:
    return np.ascontiguousarray(values, dtype=np.float64)
