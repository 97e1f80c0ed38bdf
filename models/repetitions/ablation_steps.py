"""The plan of an ablation: what each step takes away, before anything is fitted.

The plan follows from the candidates, the configuration and what training rows gave (importance,
signature); no test row is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import attrgetter
from typing import Any

import pandas as pd

from models.learning.options import ProcedureOptions
from models.transformers.columns import Columns
from pipeline.core.sections import taken
from pipeline.study.changed import with_option
from pipeline.study.sections.judging import Ablation
from pipeline.tables.features.feature_names import FILTER_FAMILIES, check_candidates, filter_family

FULL = "full"

KINDS = ("full", "top", "single", "named", "block", "family", "chain")
"""Kinds of steps, in the order in which they run and are shown."""

FILTERS = {
    "ccc": ("selection.ccc.threshold", None),
    "wilcoxon": ("selection.wilcoxon.p", None),
    "mrmr": ("selection.mrmr.k", None),
    "clinical_filter": ("selection.clinical.p", None),
}
"""Filters of the selection: the option that holds each, and the value that turns it off."""

CHAIN_STEPS = FILTERS | {
    "scaling": ("scaling.method", "none"),
    "oversampling": ("oversampling", "none"),
}
"""Steps of the chain that an ablation can leave out, likewise."""

ALL = "all"


@dataclass(frozen=True, kw_only=True)
class AblationOptions(ProcedureOptions):
    """What an ablation reads: that of the procedure, and which steps it has."""

    ablation: Ablation = taken(Ablation)


@dataclass(frozen=True)
class Step:
    """One refit of the ablation.

    Attributes
    ----------
    name : str
        ``full, top-1, ..., single-1, ..., named-1, ..., without-radiomics, without-wavelet, ...,
        skip-mrmr, ...``.
    kind : str
        One of `KINDS`.
    removed : tuple of str
        Candidates taken away, or the one block, family or step of the chain.
    columns : Columns or None
        Candidates left; None where the step cannot be done.
    changes : tuple of (str, object)
        Options of the configuration that differ from the study's, by dotted key.
    note : str
        Why the step cannot be done, empty otherwise.
    same_as : str
        Earlier step that leaves the very same and is not fitted again, empty otherwise.
    """

    name: str
    kind: str
    removed: tuple[str, ...] = ()
    columns: Columns | None = None
    changes: tuple[tuple[str, Any], ...] = ()
    note: str = ""
    same_as: str = ""

    @property
    def is_fitted(self) -> bool:
        """Whether the step is fitted: it can be done, and no earlier one does the same."""
        return self.columns is not None and not self.same_as

    def configure(self, options: ProcedureOptions) -> ProcedureOptions:
        """Return options with the step's changes; the study's stay as they are."""
        return reduce(lambda changed, each: with_option(changed, *each), self.changes, options)


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


def threshold_fits(rule: str | Mapping, search: str, folds: int) -> int:
    """Return how many fits a step's own threshold takes: one per inner fold.

    None where it is fixed beforehand, or where the step's search predicts the folds anyway.

    Parameters
    ----------
    rule : str or mapping
        ``evaluation.threshold_rule``.
    search : {'fixed', 'reduced', 'full'}
        ``ablation.search``.
    folds : int
        Inner folds.
    """
    return 0 if rule == "fixed" or search != "fixed" else folds


def plan_steps(
    columns: Columns, ranked: Sequence[str], signature: Sequence[str], options: AblationOptions
) -> list[Step]:
    """List the steps of one model's ablation, as the section `ablation` declares them.

    Parameters
    ----------
    columns : Columns
        Candidates of the full model.
    ranked : sequence of str
        Candidates from the most important, from `top_candidates`.
    signature : sequence of str
        Columns that the full model sees; with ``where: signature`` the steps remove from these.
    options : AblationOptions
        What is read of a study.

    Returns
    -------
    list of Step
        The full model first. A step that has nothing to remove, or nothing to fit with, says so;
        one that leaves the same as an earlier one names it.

    Raises
    ------
    StudyError
        If the configuration names a feature that is no candidate.
    """
    asked = options.ablation
    check_candidates(asked.features, (*columns.features, *columns.clinical))
    changes: tuple = ()
    if asked.where == "signature":
        if not signature:
            return [Step(FULL, FULL, note="not done: the full model selected nothing")]
        columns, changes = columns.only(*signature), tuple(FILTERS.values())
    steps = [Step(FULL, FULL, (), columns, changes)]
    steps += _features(columns, ranked, asked)
    steps += _blocks(columns, asked)
    steps += _families(columns, asked)
    steps = [step if step.note else replace(step, changes=changes) for step in steps]
    steps += _chain_steps(columns, options, changes)
    return _without_repetition(steps)


def _features(columns: Columns, ranked: Sequence[str], options: Ablation) -> Iterator[Step]:
    """Yield the steps that remove the highest candidates, in turn or alone, and named ones."""
    short = f"not done: the importance of only {len(ranked)} candidates is above zero"
    for count in range(1, options.top + 1):
        removed = tuple(ranked[:count])
        if len(removed) < count:
            yield Step(f"top-{count}", "top", note=short)
        else:
            yield _step(f"top-{count}", "top", removed, columns.without(*removed))
    for place in range(1, options.single + 1):
        removed = tuple(ranked[place - 1 : place])
        if not removed:
            yield Step(f"single-{place}", "single", note=short)
        else:
            yield _step(f"single-{place}", "single", removed, columns.without(*removed))
    everything = {*columns.features, *columns.clinical}
    for place, name in enumerate(options.features, start=1):
        if name in everything:
            yield _step(f"named-{place}", "named", (name,), columns.without(name))
        else:
            note = "not done: it is not in the signature"
            yield Step(f"named-{place}", "named", (name,), note=note)


def _blocks(columns: Columns, options: Ablation) -> Iterator[Step]:
    for block in options.blocks:
        rest = columns.without_blocks(block)
        if len(rest.names) == len(columns.names):
            yield Step(f"without-{block}", "block", (block,), note=_nothing(block, options))
        else:
            yield _step(f"without-{block}", "block", (block,), rest)


def _families(columns: Columns, options: Ablation) -> Iterator[Step]:
    members: dict[str | None, list[str]] = {}
    for feature in columns.features:
        members.setdefault(filter_family(feature), []).append(feature)
    wanted = options.families
    if wanted == ALL:
        wanted = [family for family in FILTER_FAMILIES if family in members]
    for family in wanted:
        if family not in members:
            yield Step(f"without-{family}", "family", (family,), note=_nothing(family, options))
        else:
            rest = columns.without(*members[family])
            yield _step(f"without-{family}", "family", (family,), rest)


def _chain_steps(columns: Columns, options: AblationOptions, changes: tuple) -> Iterator[Step]:
    """Yield the steps that leave out a filter, the scaling or the oversampling."""
    wanted = options.ablation.steps
    fixed = options.ablation.where == "signature"
    for name in CHAIN_STEPS if wanted == ALL else wanted:
        switched = _switched(name, columns, options.selection.robustness)
        why = ""
        if fixed and name in FILTERS:
            why = "the signature is fixed, so that no filter is applied"
        elif not switched:
            why = "the study has one reader"
        elif all(attrgetter(key)(options) == off for key, off in switched):
            why = "the study does without it"
        elif name == "clinical_filter" and not columns.clinical:
            why = "the study has no clinical candidate"
        elif name in ("ccc", "wilcoxon", "mrmr") and not columns.features:
            why = "the study has no radiomics candidate"
        if not why:
            yield Step(f"skip-{name}", "chain", (name,), columns, (*changes, *switched))
        elif wanted != ALL:
            yield Step(f"skip-{name}", "chain", (name,), note=f"not done: {why}")


def _switched(name: str, columns: Columns, asked: str) -> list[tuple[str, object]]:
    """Return the options that turn a step off; none where the study cannot have it.

    Agreement is that of readers, of perturbed extractions, or both, as `asked` says: the step is
    all of it.
    """
    if name != "ccc":
        return [CHAIN_STEPS[name]]
    of_readers = asked != "perturbations" and len(columns.readers) > 1
    perturbed = ("selection.perturbations.threshold", None)
    return [CHAIN_STEPS[name]] * of_readers + [perturbed] * (asked != "readers")


def _without_repetition(steps: list[Step]) -> list[Step]:
    """Mark each step that leaves the same candidates and options as an earlier one."""
    first: dict[tuple, str] = {}
    marked = []
    for step in steps:
        earlier = step.name
        if step.columns is not None:
            earlier = first.setdefault((step.columns, step.changes), step.name)
        marked.append(step if earlier == step.name else replace(step, same_as=earlier))
    return marked


def _step(name: str, kind: str, removed: tuple[str, ...], rest: Columns) -> Step:
    if not rest.names:
        return Step(name, kind, removed, note="not done: no candidate is left to fit with")
    return Step(name, kind, removed, rest)


def _nothing(what: str, options: Ablation) -> str:
    owner = "signature" if options.where == "signature" else "study"
    return f"not done: the {owner} has no {what} candidate"
