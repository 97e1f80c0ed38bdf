"""The signature on the page: correlations of its columns, and components around mRMR."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from pipeline.reporting.blocks import Block, Figure, Table
from pipeline.reporting.figures.signature import components_figure, correlation_figure
from pipeline.reporting.wording import SIGNED, count, number, sentence_list, share

#: Columns of a signature beyond which its heat map could not be read.
_MOST = 40

#: Correlation from which two columns say much the same.
_HIGH = 0.7


def signature_blocks(
    tables: Mapping[str, pd.DataFrame], printed: Callable[[str], str], on: str
) -> list[Block]:
    """Build the heat map of the signature and the figure of components, as far as there are any.

    Parameters
    ----------
    tables : mapping of str to pandas.DataFrame
        ``signature_correlations, components, component_scores`` of the stage `select`.
    printed : callable
        Returns how a column of the signature is written.
    on : str
        Rows that the features were selected on, in words.
    """
    blocks: list[Block] = []
    pairs = tables["signature_correlations"]
    if len(pairs):
        blocks += _correlations(pairs, printed, on)
    components, scores = tables["components"], tables["component_scores"]
    if len(components):
        blocks.append(_components(components, scores, on))
    return blocks


def correlation_matrix(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the square of correlations from its pairs, in the order of the signature."""
    names = [pairs["first"].iloc[0], *pairs["second"].iloc[: pairs["first"].eq(
        pairs["first"].iloc[0]).sum()]]  # fmt: skip
    square = pd.DataFrame(np.eye(len(names)), index=names, columns=names)
    for pair in pairs.itertuples():
        square.loc[pair.first, pair.second] = square.loc[pair.second, pair.first] = pair.rho
    return square


def _correlations(pairs: pd.DataFrame, printed: Callable[[str], str], on: str) -> list[Block]:
    square = correlation_matrix(pairs)
    size, high = pairs["rho"].abs(), pairs[pairs["rho"].abs() >= _HIGH]
    most = pairs.loc[size.idxmax()] if size.notna().any() else None
    told = (
        f"{count(len(high))} of {count(len(pairs))} pairs correlate at {number(_HIGH, 1)} or more "
        "in absolute value"
    )
    if most is not None:
        told += (
            f"; the highest is {number(most['rho'], 2, SIGNED)}, of {printed(most['first'])} and "
            f"{printed(most['second'])}"
        )
    caption = (
        f"Spearman's correlations of the signature's columns on {on}. {told}. Correlated features "
        "share importance or mask each other."
    )
    if len(square) > _MOST:
        raw = pairs.reindex(size.sort_values(ascending=False).index)
        top = raw.head(_MOST)
        shown = pd.DataFrame(
            {
                "One": top["first"].map(printed),
                "The other": top["second"].map(printed),
                "Correlation": [number(value, 2, SIGNED) for value in top["rho"]],
            }
        )
        return [
            Table(
                "signature-correlations", caption, shown, raw, numeric=("Correlation",),
                collapsed=f"The {len(top)} highest correlations within the signature",
            )
        ]  # fmt: skip
    return [
        Figure(
            name="signature-correlations",
            svg=correlation_figure(square, [printed(name) for name in square]),
            alt=f"Heat map of the correlations among {count(len(square))} columns. {told}.",
            caption=caption,
            width=700,
        )
    ]


def _components(components: pd.DataFrame, scores: pd.DataFrame, on: str) -> Figure:
    stages = list(dict.fromkeys(components["stage"]))
    told = sentence_list(
        f"{stage} the first component holds {share(own['share'].iloc[0], 1)} of the variance and "
        f"the first three {share(own['share'].iloc[:3].sum(), 1)}"
        for stage, own in ((each, components[components["stage"] == each]) for each in stages)
    )
    return Figure(
        name="components",
        svg=components_figure(components, scores),
        alt=f"Variance per principal component, and scores by outcome: {told}.",
        caption=f"Principal components of the radiomic features on {on}, every feature counting "
        "alike. Left: share of the variance per component; right: where each of them lies on the "
        f"first two, by outcome; {told}. Components are found without the outcome.",
        width=760,
    )
