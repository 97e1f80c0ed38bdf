"""Options of a fit, of a search and of a study's whole procedure: each holds what it reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from models.modes.order_options import OrderOptions
from pipeline.core.sections import taken
from pipeline.study.model_families import OwnSections
from pipeline.study.sections.fitting import Search
from pipeline.study.sections.judging import Evaluation
from pipeline.tables.split_options import Split


@dataclass(frozen=True, kw_only=True)
class FitOptions(OwnSections):
    """What a fit of one classifier reads, beside the own sections of families that have one.

    Attributes
    ----------
    mode, oversampling
        As `models.modes.order_options.OrderOptions` has them.
    threads : int
        Threads that a process computes with.
    device : {'auto', 'cpu', 'cuda'}
        Where TabNet trains.
    """

    mode: Literal["rigorous", "as_published"]
    oversampling: Literal["none", "adasyn_tomek", "smote"]
    threads: int
    device: Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True, kw_only=True)
class SearchOptions(FitOptions):
    """What a search of parameters reads: that of its fits, and the section `search`."""

    search: Search = taken(Search)


@dataclass(frozen=True, kw_only=True)
class RefitOptions(OrderOptions, FitOptions):
    """What a selection and a fit with given parameters read."""


@dataclass(frozen=True, kw_only=True)
class ProcedureOptions(RefitOptions, SearchOptions):
    """What a study's whole procedure reads: selection, search, fit and threshold.

    Attributes
    ----------
    split : Split
        Its number of inner folds is used.
    evaluation : Evaluation
        Its rule of the threshold, and a fixed one, are used.
    """

    split: Split = taken(Split)
    evaluation: Evaluation = taken(Evaluation)
