"""The selection chain: from raw readings and clinical values to the numbers a model sees."""

from __future__ import annotations

from dataclasses import asdict

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from models.transformers.ccc_filter import CCCFilter
from models.transformers.chain_options import ChainOptions
from models.transformers.collinearity import CollinearityFilter
from models.transformers.columns import LEVEL, Columns, candidates_of
from models.transformers.filters import ClinicalFilter, MRMRFilter, WilcoxonFilter
from models.transformers.harmonisation import (
    HARMONISE,
    SitePipeline,
    harmonisation_note,
    harmoniser_of,
)
from models.transformers.imputation import Imputer
from models.transformers.preparation import AdaptiveScaler, ClinicalEncoder
from pipeline.core.errors import StudyError
from pipeline.core.seeds import derive_seed


def selection_chain(columns: Columns, options: ChainOptions) -> Pipeline:
    """Build the unfitted selection chain of a study.

    Radiomics: CCC between readers on raw values, imputation, harmonisation between sites where the
    study asks for it, scaling, Wilcoxon rank-sum, mRMR.
    Clinical, beside it: univariate test on raw values, encoding, imputation, scaling, removal of
    collinear columns.
    Everything is learned in ``fit``, so that fitting the chain to a fold's training rows leaks
    nothing.

    A filter is switched off by null in its option (``selection.ccc.threshold``, ``wilcoxon.p``,
    ``mrmr.k``, ``clinical.p``, ``clinical.vif``), scaling by ``scaling.method: none``: the step
    stays in its place and lets everything through.

    Parameters
    ----------
    columns : Columns
        Candidates; a block without candidates is left out of the chain.
    options : ChainOptions
        Of the study; ``harmonisation`` is read where `columns` names a site.

    Returns
    -------
    sklearn.pipeline.Pipeline
        ``fit(X, y)`` takes ``columns.take(table)`` and 0/1 outcomes; ``transform`` gives a
        DataFrame of float64, one column per element of the signature, none if no filter kept
        anything.

    Raises
    ------
    StudyError
        If there is no candidate at all.
    """
    chosen, scaling = options.selection, asdict(options.scaling)
    imputation = asdict(options.imputation)
    indicators = imputation.pop("indicators")
    blocks = []
    if columns.features:
        steps = [
            (
                "ccc",
                CCCFilter(
                    columns.readers,
                    columns.features,
                    columns.model_reader,
                    corrected=columns.corrected,
                    **asdict(chosen.ccc),
                    **_robustness(columns, options),
                ),
            ),
            ("impute", Imputer(**imputation)),
            ("scale", AdaptiveScaler(**scaling)),
            ("wilcoxon", WilcoxonFilter(**asdict(chosen.wilcoxon))),
            ("mrmr", MRMRFilter(**asdict(chosen.mrmr))),
        ]
        levels = [LEVEL] if chosen.ccc.within_level else []
        block = Pipeline(steps)
        if columns.site is not None:
            steps.insert(2, (HARMONISE, harmoniser_of(options.harmonisation, columns)))
            block = SitePipeline(steps)
        blocks.append(("radiomics", block, columns.radiomics + levels + columns.beside))
    if columns.predictors:
        codes = [name for p in columns.predictors if not p.is_numeric for name in p.encoded]
        codes += [predictor.indicator for predictor in columns.predictors]
        steps = [
            ("univariate", ClinicalFilter(columns.predictors, chosen.clinical.p)),
            ("encode", ClinicalEncoder(columns.predictors, indicators)),
            ("impute", Imputer(**imputation)),
            ("scale", AdaptiveScaler(**scaling, unscaled=codes)),
            ("collinear", CollinearityFilter(chosen.clinical.vif)),
        ]
        blocks.append(("clinical", Pipeline(steps), columns.clinical))
    if not blocks:
        raise StudyError(
            "A model needs at least one candidate",
            found="no radiomic feature and no clinical predictor",
            remedy="give features or clinical predictors; see config keys timing and predictors",
            code="model-without-candidate",
        )
    union = ColumnTransformer(blocks, remainder="drop", verbose_feature_names_out=False)
    return Pipeline([("blocks", union)]).set_output(transform="pandas")


def _robustness(columns: Columns, options: ChainOptions) -> dict:
    """Return what the filter of agreement is told of perturbed extractions."""
    chosen = options.selection
    if chosen.robustness == "readers":
        return {}
    return {
        "robustness": chosen.robustness,
        "perturbed": columns.perturbed,
        "perturbations": asdict(chosen.perturbations),
        "seed": derive_seed(options.seed, "perturbed patients"),
    }


def signature_of(chain: Pipeline) -> list[str]:
    """Return the columns that a fitted chain hands to the model."""
    return [str(name) for name in chain.get_feature_names_out()]


def block_pipeline(chain: Pipeline, block: str) -> Pipeline | None:
    """Return the fitted steps of one block of a fitted chain, None where it has no candidates."""
    fitted = chain["blocks"].named_transformers_.get(block)
    # A block that has learned from everyone is frozen (`models.modes.as_published`).
    return fitted.estimator if isinstance(fitted, FrozenEstimator) else fitted


def chain_notes(chain: Pipeline) -> list[str]:
    """Say in sentences what a reader of the results has to know about a fitted chain."""
    notes = off_notes(chain)
    radiomics, clinical = (block_pipeline(chain, block) for block in ("radiomics", "clinical"))
    if radiomics is not None:
        agreement = radiomics["ccc"]
        asked = agreement.robustness != "perturbations" and agreement.threshold is not None
        if len(agreement.readers) < 2 and asked:
            notes.append("One reader only: the CCC step was skipped.")
        if radiomics["ccc"].corrected:
            notes.append(
                f"Some masks of reader {', '.join(radiomics['ccc'].corrected)} were corrected: "
                "values are those of the latest masks, agreement is that of the originals."
            )
        first = {"readers": "CCC", "perturbations": "ICC", "both": "CCC and ICC"}
        for step, what in (
            ("ccc", first[agreement.robustness]),
            ("wilcoxon", "Wilcoxon"),
            ("mrmr", "mRMR"),
        ):
            if len(radiomics[step].get_feature_names_out()) == 0:
                notes.append(f"No radiomic feature passed the {what} filter.")
                break
    if radiomics is not None and HARMONISE in radiomics.named_steps:
        notes.append(harmonisation_note(radiomics[HARMONISE]))
    if clinical is not None and not clinical["univariate"].support_.any():
        notes.append("No clinical predictor passed the univariate filter.")
    if clinical is not None and clinical["collinear"].removed_:
        notes.append(
            f"Removed for a variance inflation factor above {clinical['collinear'].largest:g}, in "
            f"this order: {', '.join(clinical['collinear'].removed_)}."
        )
    filled = [block["impute"] for block in (radiomics, clinical) if block is not None]
    if not all(imputer.converged_ for imputer in filled):
        notes.append("The iterative imputation did not come to rest.")
    if not signature_of(chain):
        notes.append("Nothing was selected: the model predicts the training patients' event share.")
    return notes


def off_notes(chain: Pipeline) -> list[str]:
    """Say in a sentence which steps the configuration of a fitted chain switches off, if any."""
    off = steps_off(chain)
    return [f"Switched off in the configuration: {', '.join(off)}."] if off else []


def steps_off(chain: Pipeline) -> list[str]:
    """Name the steps of a chain that its configuration switches off, in their order."""
    radiomics, clinical = (block_pipeline(chain, block) for block in ("radiomics", "clinical"))
    off = []
    if radiomics is not None:
        agreement = radiomics["ccc"]
        if agreement.robustness != "perturbations":
            off += ["CCC filter"] * (agreement.threshold is None)
        if agreement.robustness != "readers":
            off += ["ICC filter"] * (agreement.perturbations["threshold"] is None)
        off += ["Wilcoxon filter"] * (radiomics["wilcoxon"].p is None)
        off += ["mRMR"] * (radiomics["mrmr"].k is None)
    if clinical is not None:
        off += ["univariate filter of the clinical predictors"] * (clinical["univariate"].p is None)
    scaled = [block["scale"] for block in (radiomics, clinical) if block is not None]
    return off + ["scaling"] * (scaled[0].method == "none")


PERTURBED = {"icc": "float64", "icc_low": "float64", "kept_perturbed": "boolean"}
"""Columns of `selection_table` in a study that filters by perturbations."""


def _perturbed_columns(agreement: CCCFilter) -> pd.DataFrame:
    limits = agreement.perturbations or {}
    judged = agreement.icc_low_ if limits["bound"] == "lower" else agreement.icc_
    kept = pd.NA if agreement.unperturbed_ else judged >= limits["threshold"]
    return pd.DataFrame(
        {"icc": agreement.icc_, "icc_low": agreement.icc_low_, "kept_perturbed": kept}
    )


def _agreed(agreement: CCCFilter) -> pd.Series:
    """Return which features readers agree on, whatever perturbations say."""
    judged = agreement.ccc_ if agreement.bound == "estimate" else agreement.ccc_low_
    return judged >= agreement.threshold


def selection_table(chain: Pipeline, columns: Columns) -> pd.DataFrame:
    """Tell for every candidate how far it came through a fitted chain.

    Returns
    -------
    pandas.DataFrame
        One row per candidate: ``feature, block, ccc, ccc_low, test, p_value, p_adjusted,
        relevance, rank, kept_ccc, kept_univariate, kept_mrmr, selected``; null where a step does
        not apply, is switched off (``kept_*``) or was not reached.
    """
    parts = []
    radiomics = block_pipeline(chain, "radiomics")
    if radiomics is not None:
        ccc, wilcoxon, mrmr = radiomics["ccc"], radiomics["wilcoxon"], radiomics["mrmr"]
        tested, ranked = list(ccc.kept_), wilcoxon.get_feature_names_out()
        table = pd.DataFrame(index=pd.Index(columns.features, name="feature"))
        table["block"] = "radiomics"
        table["ccc"] = ccc.ccc_
        table["ccc_low"] = ccc.ccc_low_
        if ccc.robustness != "readers":
            perturbed = _perturbed_columns(ccc)
            table[list(perturbed)] = perturbed
        table["test"] = pd.Series("rank-sum", index=tested, dtype=object)
        table["p_value"] = pd.Series(wilcoxon.p_values_, index=tested)
        table["p_adjusted"] = pd.Series(wilcoxon.adjusted_, index=tested)
        table["relevance"] = pd.Series(mrmr.relevance_, index=ranked)
        table["rank"] = pd.Series(mrmr.rank_, index=ranked)
        table["kept_ccc"] = pd.NA if ccc.skipped_ else _agreed(ccc).reindex(table.index)
        table["kept_univariate"] = (
            pd.NA
            if wilcoxon.p is None
            else pd.Series(wilcoxon.support_, index=tested, dtype="boolean")
        )
        table["kept_mrmr"] = (
            pd.NA if mrmr.k is None else pd.Series(mrmr.support_, index=ranked, dtype="boolean")
        )
        table["selected"] = table.index.isin(mrmr.get_feature_names_out())
        parts.append(table)
    clinical = block_pipeline(chain, "clinical")
    if clinical is not None:
        test = clinical["univariate"]
        table = pd.DataFrame(index=pd.Index(columns.clinical, name="feature"))
        table["block"] = "clinical"
        table["test"] = test.tests_
        table["p_value"] = test.p_values_
        table["kept_univariate"] = (
            pd.NA if test.p is None else pd.Series(test.support_, table.index, dtype="boolean")
        )
        left = set(candidates_of(columns, clinical.get_feature_names_out()))
        table["selected"] = [name in left for name in columns.clinical]
        parts.append(table)
    order = [
        *("block", "ccc", "ccc_low", "test", "p_value", "p_adjusted", "relevance", "rank"),
        *("kept_ccc", "kept_univariate", "kept_mrmr", "selected"),
    ]
    numbers = ("ccc", "ccc_low", "p_value", "p_adjusted", "relevance", "rank")
    types = dict.fromkeys(numbers, "float64")
    types |= dict.fromkeys(("kept_ccc", "kept_univariate", "kept_mrmr"), "boolean")
    if "icc" in parts[0]:
        order += list(PERTURBED)
        types |= PERTURBED
    whole = pd.concat([part.reindex(columns=order).astype(types) for part in parts])
    return whole.astype({"rank": "Int64", "selected": bool}).reset_index()
