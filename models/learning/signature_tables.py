"""What a signature is made of: how its columns go together, and the components around mRMR."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from models.modes.mode import selection_rows
from models.study_files.inputs import training_rows
from models.transformers.chain import block_pipeline
from models.transformers.columns import Columns
from pipeline.core.table_schema import types_of
from pipeline.tables.schemas.prediction.signature import (
    Components,
    ComponentScores,
    SignatureCorrelations,
)

MOST_COMPONENTS = 10
"""Components whose share of the variance is kept."""

BEFORE, AFTER = "before mRMR", "after mRMR"


class SignatureTables(NamedTuple):
    """The three tables, with the columns of their classes."""

    correlations: pd.DataFrame
    components: pd.DataFrame
    scores: pd.DataFrame


def signature_tables(columns: Columns, table: pd.DataFrame, chain: Pipeline) -> SignatureTables:
    """Describe the signature on the rows that it was selected on.

    Parameters
    ----------
    columns : Columns
        Candidates.
    table : pandas.DataFrame
        Analysis table with ``part`` and ``fold``.
    chain : Pipeline
        Selection chain, fitted to the training rows; it is left as it is.
    """
    training, _ = training_rows(table)
    rows = selection_rows(columns, training)
    X = columns.take(rows)
    radiomics = block_pipeline(chain, "radiomics")
    components, scores = [], []
    if radiomics is not None:
        found = _components(radiomics, X[radiomics.feature_names_in_])
        for stage, (shares, places) in found.items():
            numbers = range(1, len(shares) + 1)
            components.append(pd.DataFrame({"component": numbers, "share": shares, "stage": stage}))
            own = pd.DataFrame(places, columns=["first", "second"])
            scores.append(own.assign(stage=stage, outcome=rows["outcome"].to_numpy(int)))
    return SignatureTables(
        _typed(SignatureCorrelations, [rank_correlations(chain.transform(X))]),
        _typed(Components, components),
        _typed(ComponentScores, scores),
    )


def rank_correlations(signature: pd.DataFrame) -> pd.DataFrame:
    """Return Spearman's correlation of each pair of columns, each pair once.

    Parameters
    ----------
    signature : pandas.DataFrame
        Numbers, one column per element of the signature.

    Returns
    -------
    pandas.DataFrame
        ``first, second, rho``; NaN where a column is constant.
    """
    matrix = signature.corr(method="spearman")
    names = list(matrix.columns)
    pairs = [
        [first, second, matrix.loc[first, second]]
        for at, first in enumerate(names)
        for second in names[at + 1 :]
    ]
    return pd.DataFrame(pairs, columns=["first", "second", "rho"])


def _components(radiomics: Pipeline, X: pd.DataFrame) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return shares of the variance and the first two scores, before and after mRMR.

    Every feature counts alike, with a variance of 1. A stage with fewer than two features is left
    out, and so is what is after an mRMR that is off.
    """
    place = [name for name, _ in radiomics.steps].index("mrmr")
    ends = {BEFORE: place} | ({} if radiomics["mrmr"].k is None else {AFTER: place + 1})
    found = {}
    for stage, end in ends.items():
        values = radiomics[:end].transform(X).to_numpy()
        if values.shape[1] < 2:
            continue
        values = StandardScaler().fit_transform(values)
        fitted = PCA(min(MOST_COMPONENTS, *values.shape), svd_solver="full").fit(values)
        found[stage] = fitted.explained_variance_ratio_, fitted.transform(values)[:, :2]
    return found


def _typed(schema: type, parts: list[pd.DataFrame]) -> pd.DataFrame:
    types = types_of(schema)
    whole = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(types))
    return whole[list(types)].astype(types)
