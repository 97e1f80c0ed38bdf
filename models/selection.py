"""Report the selection: the funnel over the training rows, and each fold's own selection.

Each model's training fits this chain again inside its folds; this stage only shows what it does.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from models.learning.signature_tables import signature_tables
from models.modes.as_published import ASSUMPTIONS
from models.modes.mode import candidates_in_mode, learning_rows, selection_rows, transform_folds
from models.modes.order_options import OrderOptions
from models.stability import permuted_outcome
from models.study_files.inputs import input_arguments, read_inputs, training_rows
from models.study_files.outputs import write_facts, write_result
from models.transformers.chain import block_pipeline, chain_notes, selection_table
from models.transformers.columns import Columns, candidates_of
from models.transformers.filters import WilcoxonFilter
from pipeline.core import command
from pipeline.core.mode_labels import is_leaking, labelled_log
from pipeline.core.seeds import derive_seed
from pipeline.study.sections.selecting import Ccc, Mrmr, PerturbedAgreement
from pipeline.study.sections.selecting import Selection as Chosen
from pipeline.study.study import open_study
from pipeline.tables.schemas.prediction.selection import Selection
from pipeline.tables.schemas.prediction.signature import SIGNATURE

_BOUND = {"estimate": "", "lower": " (lower limit)"}
_P_VALUE = {"none": "P", "fdr": "P (false discovery rate)"}


@dataclass(frozen=True, kw_only=True)
class SelectOptions(OrderOptions):
    """What the stage reads: that of the selection, and how it is told."""

    threads: int
    assumptions: dict[str, str]


def funnel_of(chain: Pipeline, columns: Columns, chosen: Chosen) -> list[dict]:
    """Count the candidates that are left after each step of a fitted chain.

    Parameters
    ----------
    chain : Pipeline
        Fitted by `selection_chain`.
    columns : Columns
        Its candidates.
    chosen : Selection
        The section ``selection`` of the configuration, for the labels.

    Returns
    -------
    list of dict
        ``step, label, radiomics, clinical``; the clinical filter acts beside the radiomic
        univariate one.
    """
    radiomics, clinical = block_pipeline(chain, "radiomics"), block_pipeline(chain, "clinical")
    agreed = univariate = final = 0
    if radiomics is not None:
        agreed = len(radiomics["ccc"].kept_)
        univariate = int(radiomics["wilcoxon"].support_.sum())
        final = int(radiomics["mrmr"].support_.sum())
    n_clinical = len(columns.predictors)
    kept_clinical = 0 if clinical is None else int(clinical["univariate"].support_.sum())
    one_reader = len(columns.readers) < 2
    return [
        _step("candidates", "Candidates", len(columns.features), n_clinical),
        _step("ccc", _agreement_label(chosen, one_reader), agreed, n_clinical),
        _step("univariate", _univariate_label(chosen), univariate, kept_clinical),
        _step("mrmr", _mrmr_label(chosen.mrmr), final, kept_clinical),
    ]


def _agreement_label(chosen: Chosen, one_reader: bool) -> str:
    """Name the agreement that features have to pass."""
    asked, labels = chosen.robustness, []
    if asked != "perturbations":
        labels.append(_ccc_label(chosen.ccc, one_reader))
    if asked != "readers":
        labels.append(_icc_label(chosen.perturbations))
    return "; ".join(labels)


def _icc_label(limits: PerturbedAgreement) -> str:
    if limits.threshold is None:
        return "ICC between perturbed extractions: off"
    bound = _BOUND[limits.bound]
    return f"ICC between perturbed extractions{bound} >= {limits.threshold:g}"


def _ccc_label(ccc: Ccc, one_reader: bool) -> str:
    if ccc.threshold is None:
        return "CCC between readers: off"
    if one_reader:
        return "CCC between readers skipped (one reader)"
    within = " within levels" if ccc.within_level else ""
    return f"CCC between readers{within}{_BOUND[ccc.bound]} >= {ccc.threshold:g}"


def _univariate_label(chosen: Chosen) -> str:
    radiomic, clinical = chosen.wilcoxon.p, chosen.clinical.p
    p_value = _P_VALUE[chosen.wilcoxon.correction]
    rank_sum = "Rank-sum: off" if radiomic is None else f"Rank-sum {p_value} < {radiomic:g}"
    return f"{rank_sum}; clinical P{': off' if clinical is None else f' < {clinical:g}'}"


def _mrmr_label(mrmr: Mrmr) -> str:
    if mrmr.k is None:
        return "mRMR: off"
    return f"mRMR ({mrmr.scheme.upper()}), at most {mrmr.k}"


def passed_by_chance(
    radiomics: Pipeline, X: pd.DataFrame, rows: pd.DataFrame, draws: int, seed: int
) -> dict | None:
    """Count how many features the univariate filter passes when the outcome is permuted.

    Parameters
    ----------
    radiomics : Pipeline
        Fitted steps of the radiomic block.
    X : pandas.DataFrame
        Rows that they were fitted to.
    rows : pandas.DataFrame
        Their ``patient_id, outcome``.
    draws : int
        Permutations of the outcome among the patients, whose rows stay together: dealt to single
        rows it would lose what makes the rows of a patient alike.
    seed : int
        Seed of the permutations.

    Returns
    -------
    dict or None
        ``draws``, and ``mean, low, high`` of the count (2.5th and 97.5th percentile); None without
        draws or where the filter is off. Features are correlated, so that the count varies far
        more than a binomial one.
    """
    filter_ = radiomics["wilcoxon"]
    if not draws or filter_.p is None:
        return None
    values = radiomics[: _position(radiomics, "wilcoxon")].transform(X)
    counts = []
    for draw in range(draws):
        outcome = permuted_outcome(rows, derive_seed(seed, draw))
        tested = WilcoxonFilter(filter_.p, filter_.correction).fit(values, outcome)
        counts.append(int(tested.support_.sum()))
    low, high = np.quantile(counts, [0.025, 0.975])
    return {"draws": draws, "mean": float(np.mean(counts)), "low": float(low), "high": float(high)}


def explained_variance(radiomics: Pipeline, X: pd.DataFrame) -> dict:
    """Tell how much of the features' variance the first components hold, around mRMR.

    Every feature counts alike, with a variance of 1.

    Parameters
    ----------
    radiomics : Pipeline
        Fitted steps of the radiomic block.
    X : pandas.DataFrame
        Rows that they were fitted to.

    Returns
    -------
    dict
        ``before`` and ``after`` mRMR: ``features, pc1, pc1_3``, the shares of the variance that the
        first component and the first three explain; None where fewer than two features are left,
        and after an mRMR that is off. A fall tells that mRMR removed features that say the same.
    """
    shares = {"before": None, "after": None}
    place = _position(radiomics, "mrmr")
    ends = {"before": place} | ({} if radiomics["mrmr"].k is None else {"after": place + 1})
    for name, end in ends.items():
        # To unit variance: robust scaling leaves far tails, which would pass for a component.
        values = radiomics[:end].transform(X).to_numpy()
        values = StandardScaler().fit_transform(values) if values.shape[1] else values
        if values.shape[1] >= 2:
            ratio = PCA(min(3, *values.shape), svd_solver="full").fit(values)
            ratio = ratio.explained_variance_ratio_
            shares[name] = {
                "features": values.shape[1],
                "pc1": float(ratio[0]),
                "pc1_3": float(ratio.sum()),
            }
    return shares


def _position(pipeline: Pipeline, step: str) -> int:
    return [name for name, _ in pipeline.steps].index(step)


def training_chain(columns: Columns, table: pd.DataFrame, options: OrderOptions) -> Pipeline:
    """Fit the selection chain to the training rows of an analysis table with its split."""
    training, _ = training_rows(table)
    return learning_rows(columns, training, options).chain


def report_selection(
    columns: Columns, table: pd.DataFrame, options: OrderOptions, chain: Pipeline
) -> tuple[pd.DataFrame, dict]:
    """Tell what the selection chain chose, and fit it to each fold's training rows.

    Parameters
    ----------
    columns : Columns
        Candidates.
    table : pandas.DataFrame
        Analysis table with ``part`` and ``fold``.
    options : OrderOptions
        What is read of a study.
    chain : Pipeline
        Fitted to the training rows (`training_chain`); it is left as it is.

    Returns
    -------
    selection : pandas.DataFrame
        One row per candidate, see `models.transformers.chain.selection_table`.
    summary : dict
        ``funnel``, ``folds`` (the candidates selected in each), ``by_chance`` and ``pca`` (null
        without radiomic features) and ``notes``.
    """
    training, folds = training_rows(table)
    rows = selection_rows(columns, training)
    X = columns.take(rows)
    radiomics, by_chance, pca = block_pipeline(chain, "radiomics"), None, None
    if radiomics is not None:
        X, draws = X[radiomics.feature_names_in_], options.selection.permutations
        seed = derive_seed(options.seed, "select", "permutations")
        by_chance = passed_by_chance(radiomics, X, rows, draws, seed)
        pca = explained_variance(radiomics, X)
    per_fold = [
        {"fold": fold.fold, "selected": candidates_of(columns, fold.signature)}
        for fold in transform_folds(columns, training, folds, options)
    ]
    summary = {
        "funnel": funnel_of(chain, columns, options.selection),
        "folds": per_fold,
        "by_chance": by_chance,
        "pca": pca,
        "notes": chain_notes(chain),
    }
    return selection_table(chain, columns), summary


def _step(step: str, label: str, radiomics: int, clinical: int) -> dict:
    return {"step": step, "label": label, "radiomics": radiomics, "clinical": clinical}


def main(options: argparse.Namespace) -> None:
    """Read the analysis table and its split, write the selection."""
    how = open_study(options.study).options(SelectOptions)
    columns, table = read_inputs(options.analysis, options.info, options.split)
    columns = candidates_in_mode(columns, table, how.mode)
    # As in training, so that both choose alike between features that are all but equal.
    with labelled_log(how.mode), threadpool_limits(how.threads):
        chain = training_chain(columns, table, how)
        selection, summary = report_selection(columns, table, how, chain)
        described = signature_tables(columns, table, chain)
    write_result(selection, options.out, how.mode, Selection)
    for (name, schema), made in zip(SIGNATURE.items(), described, strict=True):
        write_result(made, options.out.parent / f"{name}.parquet", how.mode, schema)
    if is_leaking(how.mode):
        summary["assumptions"] = how.assumptions | ASSUMPTIONS
    write_facts(summary, options.json, how.mode)


if __name__ == "__main__":
    arguments = command.parser("models.selection", __doc__)
    input_arguments(arguments)
    arguments.add_argument(
        "--out",
        required=True,
        type=Path,
        help="selection.parquet to write; what describes the signature comes beside it",
    )
    arguments.add_argument("--json", required=True, type=Path, help="selection.json to write")
    command.run(main, arguments)
