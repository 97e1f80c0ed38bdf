"""Stability: how much of a selection is left when other patients are asked.

The selection chain, without a model, is learned anew on subsamples of the training patients, and
once more on subsamples of the same size with permuted outcomes: what a selection repeats although
nothing is related to the outcome comes from the rows that subsamples share. Only the difference
speaks for features. The test part plays no role.

References
----------
.. [1] Nogueira S, Sechidis K, Brown G. On the stability of feature selection algorithms. J Mach
   Learn Res 2018;18(174):1-54.
.. [2] Kuncheva LI. A stability index for feature selection. IASTED Artificial Intelligence and
   Applications 2007:390-395.
"""

from __future__ import annotations

import argparse
import logging
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import norm

from models.study_files.inputs import input_arguments, read_inputs, training_rows
from models.study_files.outputs import write_facts, write_result
from models.transformers.chain import selection_chain, signature_of
from models.transformers.chain_options import ChainOptions
from models.transformers.columns import BLOCKS, Columns, candidates_of
from pipeline.core import command
from pipeline.core.sections import taken
from pipeline.core.seeds import derive_seed
from pipeline.running.workers.journal import Journal
from pipeline.running.workers.parallel import Workers
from pipeline.running.workers.resuming import journal_until_done, map_kept, stage_key
from pipeline.study.option_numbers import PROCESSES, number_within
from pipeline.study.sections.judging import Evaluation
from pipeline.study.sections.judging import Stability as Repeated
from pipeline.study.study import open_study
from pipeline.tables.schemas.prediction.stability import SelectionStability

logger = logging.getLogger("vertebromics")


@dataclass(frozen=True, kw_only=True)
class StabilityOptions(ChainOptions):
    """What the stage reads: that of the selection chain, and how often it is repeated.

    A selection on everyone has no training rows to draw from: the mode labels the results alone.
    """

    mode: str
    threads: int
    evaluation: Evaluation = taken(Evaluation)
    stability: Repeated = taken(Repeated)


class Stability(NamedTuple):
    """Stability of repeated selections.

    Attributes
    ----------
    index : float
        Nogueira's; 1 where all selections are equal, about 0 where they are drawn at random. NaN
        with fewer than two selections, or where none or all of the candidates are always chosen.
    low, high : float
        Limits of its interval for independent selections, within its range; NaN where all
        selections are equal.
    jaccard : float
        Mean share that two selections have in common of what they chose together; two empty ones
        count as equal.
    """

    index: float
    low: float
    high: float
    jaccard: float


_NO_ERROR = 1e-12
"""A standard error below it is none, but for rounding."""


class Task(NamedTuple):
    """One selection: the outcome of every training row, and the rows to learn from."""

    outcome: np.ndarray
    rows: np.ndarray


def stability_of(chosen: np.ndarray, confidence: float = 0.95) -> Stability:
    """Measure how alike selections are [1]_; for selections of one size it is Kuncheva's [2]_.

    Parameters
    ----------
    chosen : ndarray of bool, shape (n_selections, n_candidates)
        Which candidates each selection chose.
    confidence : float
        Level of the interval.
    """
    chosen = np.asarray(chosen, dtype=float)
    selections, candidates = chosen.shape
    if selections < 2:
        return Stability(*[math.nan] * 4)
    common = chosen @ chosen.T
    sizes = chosen.sum(axis=1)
    union = sizes[:, None] + sizes - common
    pairs = np.triu_indices(selections, 1)
    shares = np.divide(common, union, out=np.ones_like(common), where=union > 0)
    jaccard = float(shares[pairs].mean())
    often, mean_share = chosen.mean(axis=0), sizes.mean() / max(candidates, 1)
    by_chance = mean_share * (1 - mean_share)
    if by_chance == 0:
        return Stability(math.nan, math.nan, math.nan, jaccard)
    variance = selections / (selections - 1) * often * (1 - often)
    index = 1 - variance.mean() / by_chance
    # The influence of each selection on the index gives its variance (theorem 7 of [1]).
    share = sizes / candidates
    influence = (
        (chosen * often).mean(axis=1)
        - share * mean_share
        + index / 2 * (2 * share * mean_share - share - mean_share + 1)
    ) / by_chance
    error = 2 / selections * math.sqrt(((influence - influence.mean()) ** 2).sum())
    if error < _NO_ERROR:  # every selection chose alike, which says nothing about the next one
        return Stability(float(index), math.nan, math.nan, jaccard)
    half = float(norm.ppf(0.5 + confidence / 2)) * error
    low, high = max(index - half, -1 / (selections - 1)), min(index + half, 1)
    return Stability(float(index), float(low), float(high), jaccard)


def subsamples(
    training: pd.DataFrame, outcome: np.ndarray, share: float, count: int, seed: int
) -> list[np.ndarray]:
    """Draw patients without replacement, those with and without an event apart.

    Parameters
    ----------
    training : pandas.DataFrame
        ``patient_id`` of every row; a patient's rows come along together.
    outcome : ndarray of shape (n_rows,)
        0 or 1; a patient with any event counts as an event.
    share : float
        Share of the patients that a subsample holds, at least one of each outcome.
    count : int
        Subsamples.
    seed : int
        Seed of the draws.

    Returns
    -------
    list of ndarray of int
        Positions of the rows of each subsample, ascending.
    """
    events = pd.Series(outcome).groupby(training["patient_id"].to_numpy()).max()
    rng = np.random.default_rng(seed)
    strata = [events.index[events == value].to_numpy() for value in (1, 0)]
    drawn = []
    for _ in range(count):
        kept = [
            rng.choice(stratum, max(1, round(share * len(stratum))), replace=False)
            for stratum in strata
            if len(stratum)
        ]
        drawn.append(np.flatnonzero(training["patient_id"].isin(np.concatenate(kept))))
    return drawn


def permuted_outcome(training: pd.DataFrame, seed: int) -> np.ndarray:
    """Deal the patients' outcomes anew among patients with equally many rows.

    Parameters
    ----------
    training : pandas.DataFrame
        ``patient_id, outcome``; the outcomes of a patient's rows stay together.
    seed : int
        Seed of the permutation.

    Returns
    -------
    ndarray of int, shape (n_rows,)
    """
    rng = np.random.default_rng(seed)
    outcome = training["outcome"].to_numpy(int)
    permuted = outcome.copy()
    positions = pd.Series(np.arange(len(training))).groupby(training["patient_id"].to_numpy())
    blocks = [block.to_numpy() for _, block in positions]
    for size in sorted({len(block) for block in blocks}):
        alike = np.array([block for block in blocks if len(block) == size])
        permuted[alike] = outcome[alike[rng.permutation(len(alike))]]
    return permuted


def select_repeatedly(
    columns: Columns,
    training: pd.DataFrame,
    options: StabilityOptions,
    workers: int = 1,
    journal: Journal | None = None,
) -> tuple[pd.DataFrame, dict]:
    """Learn the selection on subsamples, with the outcomes as they are and permuted.

    Parameters
    ----------
    columns : Columns
        Candidates.
    training : pandas.DataFrame
        Training rows of the analysis table.
    options : StabilityOptions
        What is read of a study; ``stability`` says how often.
    workers : int
        Processes; the result does not depend on it.
    journal : Journal, optional
        Open journal of finished selections, from which a stage that was killed goes on.

    Returns
    -------
    table : pandas.DataFrame
        One row per candidate: ``feature, block, frequency`` (share of the subsamples that chose
        it)``, frequency_permuted`` (mean over the permuted outcomes)``, selected`` (by all
        training rows, in the rigorous order).
    facts : dict
        ``resamples, share, permutations, blocks, seconds, notes``; `blocks` holds, per block with
        candidates, ``candidates, mean_selected, index, low, high, jaccard``, and the means over
        the permuted outcomes ``permuted_selected, permuted_index, permuted_jaccard,
        permuted_highest`` (frequency of the candidate that each chooses most often), with the
        least and the greatest index among them, ``permuted_index_low, permuted_index_high``.
    """
    asked, started = options.stability, time.monotonic()
    count, share, permutations = asked.resamples, asked.share, asked.permutations
    outcome = training["outcome"].to_numpy(int)
    whole = np.arange(len(training))
    seed = derive_seed(options.seed, "stability")
    tasks = [Task(outcome, whole)]
    tasks += [Task(outcome, rows) for rows in subsamples(training, outcome, share, count, seed)]
    # As many of each permuted outcome: of fewer, its favourite's frequency would come out higher.
    for number in range(permutations):
        seed = derive_seed(options.seed, "stability", "permuted", number)
        other = permuted_outcome(training, seed)
        drawn = subsamples(training, other, share, count, derive_seed(seed, "subsamples"))
        tasks += [Task(other, rows) for rows in drawn]
    logger.info("stability: %d selections", len(tasks))
    with Workers(workers, (columns, training, options), options.threads) as pool:
        selections = map_kept(
            pool,
            _select,
            tasks,
            [str(number) for number in range(len(tasks))],
            journal,
            stage="stability",
            describe=_described,
            pack=_packed,
            unpack=_unpacked,
        )
    chosen = np.array(selections)
    names = [*columns.features, *columns.clinical]
    final, real = chosen[0], chosen[1 : count + 1]
    noise = chosen[count + 1 :].reshape(permutations, count, len(names))
    blocks = np.array([columns.block_of(name) for name in names], dtype=object)
    table = pd.DataFrame(
        {
            "feature": pd.Series(names, dtype=object),
            "block": blocks,
            "frequency": real.mean(axis=0),
            "frequency_permuted": noise.mean(axis=(0, 1)) if len(noise) else math.nan,
            "selected": final,
        }
    )
    confidence = options.evaluation.confidence
    facts = {
        "resamples": count,
        "share": share,
        "permutations": permutations,
        "blocks": {
            block: _facts_of(real[..., blocks == block], noise[..., blocks == block], confidence)
            for block in BLOCKS
            if (blocks == block).any()
        },
        "seconds": round(time.monotonic() - started, 1),
        "notes": [
            "Subsamples share most of their patients: the interval is that of repeating the draw "
            "on these patients, and a new study would agree less."
        ],
    }
    return table, facts


def _facts_of(real: np.ndarray, noise: np.ndarray, confidence: float) -> dict:
    """Return the stability of one block; `noise` has shape (n_permutations, n_each, n)."""
    own = stability_of(real, confidence)
    facts = {"candidates": real.shape[1], "mean_selected": float(real.sum(axis=1).mean())}
    facts |= {name: _known(value) for name, value in own._asdict().items()}
    others = [stability_of(drawn, confidence) for drawn in noise]
    indices = [other.index for other in others if not math.isnan(other.index)]
    sizes = noise.sum(axis=2)
    # Every permuted outcome has favourites of its own: their frequency averaged over outcomes, as
    # in the table, would hide that each outcome has some.
    highest = [float(drawn.mean(axis=0).max()) for drawn in noise]
    return facts | {
        "permuted_selected": float(sizes.mean()) if sizes.size else None,
        "permuted_index": _mean(indices),
        "permuted_index_low": min(indices, default=None),
        "permuted_index_high": max(indices, default=None),
        "permuted_jaccard": _mean([other.jaccard for other in others]),
        "permuted_highest": _mean(highest),
    }


def _mean(values: list[float]) -> float | None:
    defined = [value for value in values if not math.isnan(value)]
    return float(np.mean(defined)) if defined else None


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _select(shared: tuple[Columns, pd.DataFrame, ChainOptions], task: Task) -> np.ndarray:
    """Learn the selection chain on some rows; return which candidates it chose."""
    columns, training, options = shared
    X = columns.take(training.iloc[task.rows])
    chain = selection_chain(columns, options).fit(X, task.outcome[task.rows])
    chosen = set(candidates_of(columns, signature_of(chain)))
    return np.array([name in chosen for name in (*columns.features, *columns.clinical)], dtype=bool)


def _described(task: Task, chosen: np.ndarray) -> str:
    return f"{int(chosen.sum())} selected"


def _packed(chosen: np.ndarray) -> dict:
    return {"candidates": len(chosen), "chosen": np.flatnonzero(chosen).tolist()}


def _unpacked(kept: dict) -> np.ndarray:
    return np.isin(np.arange(kept["candidates"]), kept["chosen"])


def main(options: argparse.Namespace) -> None:
    """Read the analysis table and its split, repeat the selection, write its stability."""
    how = open_study(options.study).options(StabilityOptions)
    columns, table = read_inputs(options.analysis, options.info, options.split)
    training, _ = training_rows(table)
    files = (options.analysis, options.info, options.split)
    key = stage_key("models.stability", "", files, how)
    with journal_until_done(options.json.with_suffix(".journal"), key) as journal:
        result, facts = select_repeatedly(columns, training, how, options.workers, journal)
        write_result(result, options.out, how.mode, SelectionStability, leaks=False)
        write_facts(facts, options.json, how.mode, leaks=False)


if __name__ == "__main__":
    arguments = command.parser("models.stability", __doc__)
    input_arguments(arguments)
    arguments.add_argument(
        "--workers", type=number_within(PROCESSES), default=1, help="processes, default 1"
    )
    arguments.add_argument("--out", required=True, type=Path, help="stability.parquet to write")
    arguments.add_argument("--json", required=True, type=Path, help="stability.json to write")
    command.run(main, arguments)
