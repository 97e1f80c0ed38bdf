"""Report the selection: the funnel over the training rows, and each fold's own selection.

Each model's training fits this chain again inside its folds; this stage only shows what it does.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from models.chain import block_pipeline, chain_notes, selection_chain, selection_table
from models.columns import Columns, candidates_of
from models.inputs import read_inputs, training_rows
from models.search import transform_folds
from pipeline.core import command
from pipeline.core.files import write_json, write_table
from pipeline.core.study import open_study


def funnel_of(chain: Pipeline, columns: Columns, config: dict) -> list[dict]:
    """Count the candidates that are left after each step of a fitted chain.

    Parameters
    ----------
    chain : Pipeline
        Fitted by `selection_chain`.
    columns : Columns
        Its candidates.
    config : dict
        Resolved configuration, for the labels.

    Returns
    -------
    list of dict
        ``step, label, radiomics, clinical``; the clinical filter acts beside the radiomic
        univariate one.
    """
    chosen = config["selection"]
    radiomics, clinical = block_pipeline(chain, "radiomics"), block_pipeline(chain, "clinical")
    agreed = univariate = final = 0
    skipped = False
    if radiomics is not None:
        skipped = radiomics["ccc"].skipped_
        agreed = len(radiomics["ccc"].kept_)
        univariate = int(radiomics["wilcoxon"].support_.sum())
        final = int(radiomics["mrmr"].support_.sum())
    n_clinical = len(columns.predictors)
    kept_clinical = 0 if clinical is None else int(clinical["univariate"].support_.sum())
    ccc_label = (
        "CCC between readers skipped (one reader)"
        if skipped
        else f"CCC between readers >= {chosen['ccc']['threshold']:g}"
    )
    univariate_label = (
        f"Rank-sum P < {chosen['wilcoxon']['p']:g}; clinical P < {chosen['clinical']['p']:g}"
    )
    return [
        _step("candidates", "Candidates", len(columns.features), n_clinical),
        _step("ccc", ccc_label, agreed, n_clinical),
        _step("univariate", univariate_label, univariate, kept_clinical),
        _step("mrmr", f"mRMR, at most {chosen['mrmr']['k']}", final, kept_clinical),
    ]


def report_selection(
    columns: Columns, table: pd.DataFrame, config: dict
) -> tuple[pd.DataFrame, dict]:
    """Fit the selection chain to the training rows and to each fold's training rows.

    Parameters
    ----------
    columns : Columns
        Candidates.
    table : pandas.DataFrame
        Analysis table with ``part`` and ``fold``.
    config : dict
        Resolved configuration.

    Returns
    -------
    selection : pandas.DataFrame
        One row per candidate, see `models.chain.selection_table`.
    summary : dict
        ``funnel``, ``folds`` (the candidates selected in each) and ``notes``.
    """
    training, folds = training_rows(table)
    chain = selection_chain(columns, config)
    chain.fit(columns.take(training), training["outcome"].to_numpy(dtype=int))
    per_fold = [
        {"fold": fold.fold, "selected": candidates_of(columns, fold.signature)}
        for fold in transform_folds(columns, training, folds, config)
    ]
    summary = {
        "funnel": funnel_of(chain, columns, config),
        "folds": per_fold,
        "notes": chain_notes(chain),
    }
    return selection_table(chain, columns), summary


def _step(step: str, label: str, radiomics: int, clinical: int) -> dict:
    return {"step": step, "label": label, "radiomics": radiomics, "clinical": clinical}


def main(options: argparse.Namespace) -> None:
    """Read the analysis table and its split, write the selection."""
    config = open_study(options.study).config
    columns, table = read_inputs(options.analysis, options.info, options.split)
    # As in training, so that both choose alike between features that are all but equal.
    with threadpool_limits(config["threads"]):
        selection, summary = report_selection(columns, table, config)
    write_table(selection, options.out, csv=True)
    write_json(summary, options.json)


if __name__ == "__main__":
    arguments = command.parser("models.selection", __doc__)
    arguments.add_argument("--study", required=True, type=Path, help="folder of the frozen study")
    arguments.add_argument("--analysis", required=True, type=Path, help="analysis.parquet")
    arguments.add_argument("--info", required=True, type=Path, help="analysis.json")
    arguments.add_argument("--split", required=True, type=Path, help="split.parquet")
    arguments.add_argument("--out", required=True, type=Path, help="selection.parquet to write")
    arguments.add_argument("--json", required=True, type=Path, help="selection.json to write")
    command.run(main, arguments)
