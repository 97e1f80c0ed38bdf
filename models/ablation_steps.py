"""What an ablation takes away: the most important candidates one after another, whole blocks."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from models.columns import Columns

FULL = "full"


@dataclass(frozen=True)
class Step:
    """One refit of the ablation.

    Attributes
    ----------
    name : str
        ``full, top-1, ..., without-radiomics, without-clinical``.
    removed : tuple of str
        Candidates, or the one block, taken away.
    columns : Columns or None
        Candidates left; None where the step cannot be done.
    note : str
        Why it cannot, empty otherwise.
    """

    name: str
    removed: tuple[str, ...]
    columns: Columns | None
    note: str = ""


def top_candidates(importance: pd.DataFrame, columns: Columns) -> list[str]:
    """Rank the candidates of a signature by importance, which training rows alone gave.

    Parameters
    ----------
    importance : pandas.DataFrame
        ``feature, importance`` of the signature's columns. Those that encode the levels of one
        clinical variable are summed, since they can only be removed together.
    columns : Columns
        All candidates of the model.

    Returns
    -------
    list of str
        Candidates with an importance above zero, highest first; of equals, the first in the table.
    """
    candidates = importance["feature"].map(columns.candidate_of)
    shares = importance["importance"].groupby(candidates, sort=False).sum()
    shares = shares.sort_values(ascending=False, kind="stable")
    return shares.index[shares > 0].to_list()


def plan_steps(columns: Columns, ranked: list[str], top: int, blocks: list[str]) -> list[Step]:
    """List the steps: full, the highest candidates one after another, whole blocks.

    Parameters
    ----------
    columns : Columns
        Candidates of the full model.
    ranked : list of str
        Candidates from the most important, from `top_candidates`.
    top : int
        How many of them to remove, cumulatively.
    blocks : list of str
        Blocks to remove, ``radiomics`` and ``clinical``.

    Returns
    -------
    list of Step
        A step that has nothing to remove, or nothing to fit with, says so.
    """
    steps = [Step(FULL, (), columns)]
    for count in range(1, top + 1):
        removed = tuple(ranked[:count])
        if len(removed) < count:
            note = f"not done: only {len(ranked)} candidates have an importance above zero"
            steps.append(Step(f"top-{count}", (), None, note))
        else:
            steps.append(_step(f"top-{count}", removed, columns.without(*removed)))
    for block in blocks:
        rest = columns.without_blocks(block)
        if len(rest.names) == len(columns.names):
            note = f"not done: the study has no {block} candidate"
            steps.append(Step(f"without-{block}", (block,), None, note))
        else:
            steps.append(_step(f"without-{block}", (block,), rest))
    return steps


def _step(name: str, removed: tuple[str, ...], rest: Columns) -> Step:
    if not rest.names:
        return Step(name, removed, None, "not done: no candidate is left to fit with")
    return Step(name, removed, rest)
