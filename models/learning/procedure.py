"""The whole procedure of a study, run on any training rows: selection, search, fit, threshold.

There is one definition of it. The final model is the procedure run on all training rows, nested
cross-validation and the bootstrap run it on parts of them, so that what they measure is what was
done. How a repetition finds its parameters is its `search`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from models.learning.family_registry import family_of
from models.learning.fitted_procedure import FittedModel, refit
from models.learning.folds import assign_folds
from models.learning.options import ProcedureOptions
from models.learning.search import SearchResult, plan_search, predict_folds, search_model
from models.modes.mode import transform_folds
from models.scoring.threshold import threshold_of
from models.transformers.columns import Columns
from pipeline.core.errors import StudyError
from pipeline.core.seeds import derive_seed
from pipeline.study.sections.fitting import Search

SEARCHES = ("fixed", "reduced", "full")
"""How a repetition of the procedure finds its parameters; `search_note` says it in words."""


@dataclass(frozen=True)
class ProcedureRun:
    """What one run of the procedure gave.

    Attributes
    ----------
    fitted : FittedModel
        Selection and classifier, fitted to all rows of the run.
    parameters : dict
        Parameters of the classifier.
    search : SearchResult or None
        The search with its out-of-fold predictions; None where parameters were given.
    threshold : float
        Probability from which a unit is called an event; NaN where no search gave the
        out-of-fold predictions that the rule asks for.
    fits : int
        Classifiers fitted.
    notes : list of str
        What has to be said about the run.
    """

    fitted: FittedModel
    parameters: dict
    search: SearchResult | None
    threshold: float
    fits: int
    notes: list[str]


@dataclass(frozen=True)
class Procedure:
    """A study's procedure for one family of models, whatever the rows that it is run on.

    Attributes
    ----------
    model : str
        Name of the family.
    columns : Columns
        Candidates.
    options : ProcedureOptions
        What is read of a study; each run has a seed of its own.
    search : {'fixed', 'reduced', 'full'}
        ``fixed`` takes `parameters` as they are; ``reduced`` searches with
        ``search.reduced_iterations`` parameter sets, ``full`` as the final model does.
    parameters : mapping or None
        Parameters for ``fixed``, as ``model.json`` holds them, and None otherwise.

    Raises
    ------
    StudyError
        For another `search`, or where parameters are given that a search would not use, or are
        missing.
    """

    model: str
    columns: Columns
    options: ProcedureOptions = field(repr=False)
    search: str = "full"
    parameters: Mapping | None = None

    def __post_init__(self) -> None:
        if self.search not in SEARCHES:
            raise StudyError(
                f"A repetition finds its parameters by one of {', '.join(SEARCHES)}",
                found=self.search,
                where="config key search of the stage",
                code="search-unknown",
            )
        if (self.search == "fixed") != (self.parameters is not None):
            raise StudyError(
                "With `search: fixed`, and only then, parameters must be given",
                found=self.search,
                where=f"the procedure of model {self.model}",
                remedy="pass --model-json of the trained model, or let every repetition search",
                code="search-fixed-parameters",
            )

    @property
    def planned_fits(self) -> int:
        """How many classifiers one run fits at most."""
        if self.search == "fixed":
            return 1
        plan = plan_search(family_of(self.model), self._searched.search)
        # Every set is fitted to every fold, the best one once more for its probabilities.
        return 1 + self.options.split.folds * (1 + sum(count for _, count in plan))

    def run(
        self,
        training: pd.DataFrame,
        seed: int,
        folds: np.ndarray | None = None,
        *,
        workers: int = 1,
        journal: Path | None = None,
    ) -> ProcedureRun:
        """Select, search, fit and choose the threshold on training rows alone.

        Parameters
        ----------
        training : pandas.DataFrame
            Rows of the analysis table: ``unit_id, patient_id, outcome`` and the candidates. Rows
            of one patient, copies in a resample among them, share one inner fold.
        seed : int
            Seed of everything that the run draws.
        folds : ndarray of shape (n_rows,), optional
            Inner fold in which each row is validated; dealt anew where it is not given.
        workers : int
            Processes that share the fits of the search; they change no result.
        journal : path, optional
            File from which a search that was killed goes on.

        Returns
        -------
        ProcedureRun
            The fitted model and how it came about.

        Raises
        ------
        FitError
            If an inner fold would lack an outcome, or no classifier could be fitted.
        """
        found, fits, notes = None, 1, []
        parameters = self.parameters
        if parameters is None:
            if folds is None:
                count = self.options.split.folds
                folds = assign_folds(training, count, derive_seed(seed, "inner"))
            seen = transform_folds(self.columns, training, folds, self._searched)
            found = search_model(
                self.model,
                seen,
                len(training),
                self._searched,
                derive_seed(seed, "search"),
                workers=workers,
                journal=journal,
            )
            parameters, fits, notes = found.parameters, found.fits + 1, found.notes
        own = derive_seed(seed, self.model, "refit")
        fitted = refit(self.model, self.columns, training, parameters, self.options, own)
        return ProcedureRun(
            fitted,
            dict(parameters),
            found,
            self.threshold(training, None if found is None else found.out_of_fold),
            fits,
            list(dict.fromkeys([*fitted.notes, *notes])),
        )

    def out_of_fold(self, training: pd.DataFrame, seed: int, folds: np.ndarray) -> np.ndarray:
        """Predict each training row from the fold that did not learn from it, parameters given.

        A search has such predictions; with ``search: fixed`` they cost a fit per fold, which a
        run spares.

        Parameters
        ----------
        training, seed, folds
            As for `run`. With the rows, folds and seed of the run whose search found the
            parameters, the predictions are those of that search.

        Returns
        -------
        ndarray of shape (n_rows,)
            Probabilities; NaN for a row of no fold.
        """
        seen = transform_folds(self.columns, training, folds, self.options)
        own = derive_seed(seed, "search")
        return predict_folds(self.model, seen, len(training), self.parameters, self.options, own)

    def threshold(self, training: pd.DataFrame, out_of_fold: np.ndarray | None) -> float:
        """Choose the threshold by the study's rule.

        Parameters
        ----------
        training : pandas.DataFrame
            Training rows with their ``outcome``.
        out_of_fold : ndarray of shape (n_rows,) or None
            Their out-of-fold predictions, where there are any.

        Returns
        -------
        float
            NaN where the rule asks for predictions and there are none.
        """
        options = self.options.evaluation
        if options.threshold_rule != "fixed" and out_of_fold is None:
            return float("nan")
        return threshold_of(
            training["outcome"].to_numpy(dtype=int),
            out_of_fold,
            options.threshold_rule,
            options.threshold,
        )

    @property
    def _searched(self) -> ProcedureOptions:
        """Options with the number of parameter sets that a run tries."""
        if self.search == "full":
            return self.options
        count = parameter_sets(self.search, self.options.search)
        return replace(self.options, search=replace(self.options.search, iterations=count))


def parameter_sets(search: str, options: Search) -> int:
    """Return how many parameter sets a repetition tries, as the section `search` counts them."""
    if search == "fixed":
        return 0
    if search == "full":
        return options.iterations
    return min(options.iterations, options.reduced_iterations)


def search_note(search: str, options: Search, repetition: str) -> str:
    """Say how repetitions find their parameters, and what a reader has to know about it.

    Parameters
    ----------
    search : {'fixed', 'reduced', 'full'}
        How they do.
    options : Search
        The study's section `search`.
    repetition : str
        What a repetition is called, such as ``outer fold``.
    """
    if search == "fixed":
        return (
            "Hyperparameters are those that the search on all training patients chose, which makes "
            "the estimates slightly optimistic."
        )
    own, final = parameter_sets(search, options), parameter_sets("full", options)
    if own == final:
        return f"Every {repetition} searches its own parameters as the final model does."
    return (
        f"Every {repetition} searches its own parameters, with {own} sets where the final model "
        f"tried {final}."
    )
