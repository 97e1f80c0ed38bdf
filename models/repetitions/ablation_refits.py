"""The refits of an ablation, and what is told of each: its performance beside the full model's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from models.learning.fitted_procedure import refit_classifier
from models.learning.folds import assign_folds
from models.learning.procedure import Procedure
from models.repetitions.ablation_steps import FULL, AblationOptions, Step, threshold_fits
from models.repetitions.outer_fits import OuterFit, folds_of
from models.scoring import cross_validated, metrics
from models.scoring.cross_validated import HeldOut, paired_difference, parts_of
from models.scoring.intervals import percentile_interval
from models.scoring.performance import Sample, auroc_estimate
from models.scoring.threshold import rule_words
from models.transformers.chain import off_notes
from pipeline.core.errors import FitError
from pipeline.core.seeds import derive_seed


@dataclass(frozen=True)
class Setting:
    """What all steps of one model's ablation share.

    Attributes
    ----------
    model : str
        Name of the family.
    training : pandas.DataFrame
        Training rows of the analysis table.
    folds : numpy.ndarray
        Shape (n_training,), inner fold of each training row, over which a search is repeated.
    test : pandas.DataFrame
        Test rows of the analysis table. Their outcome is no part of a refit.
    parameters : mapping
        Parameters of the full model, as model.json holds them; kept with ``search: fixed``.
    options : AblationOptions
        What is read of a study.
    outer : tuple of OuterFit
        In a study without test rows the outer folds of nested cross-validation, in each of which
        every step is fitted again; `test` are then all rows, each judged by the fold that held it
        out. Empty otherwise.
    """

    model: str
    training: pd.DataFrame = field(repr=False)
    folds: np.ndarray = field(repr=False)
    test: pd.DataFrame = field(repr=False)
    parameters: Mapping
    options: AblationOptions = field(repr=False)
    outer: tuple[OuterFit, ...] = ()

    @property
    def judging_folds(self) -> np.ndarray | None:
        """Outer fold of every row that is judged, shape (1, n_test); None with test rows."""
        return folds_of(list(self.outer)) if self.outer else None

    def without(self, fit: OuterFit) -> Setting:
        """Return the setting of one outer fold, as nested cross-validation fitted it."""
        training = self.training[~fit.held_out].reset_index(drop=True)
        folds = np.asarray(
            assign_folds(training, self.options.split.folds, derive_seed(fit.seed, "inner"))
        )
        return Setting(
            self.model,
            training,
            folds,
            self.training[fit.held_out].reset_index(drop=True),
            fit.parameters,
            replace(self.options, seed=fit.seed),
        )

    @property
    def seeds(self) -> list[int]:
        """Seeds of the refits, the same for every step; the first is the trained model's."""
        seed = self.options.seed
        others = range(1, self.options.ablation.seeds)
        first = derive_seed(seed, self.model, "refit")
        return [first, *(derive_seed(seed, "ablate", self.model, number) for number in others)]

    def procedure_of(self, step: Step) -> Procedure:
        """Return the study's procedure with what a step takes away."""
        search = self.options.ablation.search
        fixed = self.parameters if search == "fixed" else None
        return Procedure(self.model, step.columns, step.configure(self.options), search, fixed)

    @property
    def threshold_fits(self) -> int:
        """How many fits a step's own threshold takes."""
        rule, search = (
            self.options.evaluation.threshold_rule,
            self.options.ablation.search,
        )
        return threshold_fits(rule, search, len(np.unique(self.folds)))

    @property
    def threshold_source(self) -> str:
        """Where the thresholds of the steps come from, as a part of a sentence."""
        options = self.options.evaluation
        if options.threshold_rule == "fixed":
            return f"{options.threshold:g} in every step, fixed beforehand"
        return (
            f"each step's own, {rule_words(options.threshold_rule)} on its out-of-fold "
            "predictions of the training patients"
        )

    def planned_fits(self, steps: list[Step]) -> int:
        """Return how many classifiers the steps fit at most, searches and thresholds included."""
        fitted = [self.procedure_of(step) for step in steps if step.is_fitted]
        more = len(self.seeds) - 1 + self.threshold_fits
        return max(1, len(self.outer)) * sum(one.planned_fits + more for one in fitted)


@dataclass(frozen=True)
class Refits:
    """Test predictions of a step's refits.

    Attributes
    ----------
    probability : numpy.ndarray
        Shape (n_seeds, n_test), one row per seed.
    signature : list of str
        Selected columns, equal for all seeds: the selection draws nothing. Over outer folds, every
        column that any of them selected.
    parameters : dict
        Parameters of the classifier, equal for all seeds; over outer folds, by fold.
    fits : int
        Classifiers fitted.
    notes : list of str
        What the chain and the fits have to say.
    threshold : float
        Probability from which the step calls a unit an event: chosen by the study's rule on its
        own out-of-fold predictions, of the first seed. NaN where these could not be had. Over outer
        folds, the mean of theirs.
    failure : str
        Why no classifier could be fitted, empty otherwise; `probability` then has no row.
    thresholds : list of float
        Over outer folds, the threshold of the fold that judges each row, shape (n_test,).
    signatures : list of list of str
        Over outer folds, what each of them selected.
    """

    probability: np.ndarray
    signature: list[str]
    parameters: dict
    fits: int
    notes: list[str]
    threshold: float = math.nan
    failure: str = ""
    thresholds: list[float] = field(default_factory=list)
    signatures: list[list[str]] = field(default_factory=list)

    @property
    def n_features(self) -> int:
        """Selected columns, over outer folds their mean number."""
        if not self.signatures:
            return len(self.signature)
        return round(float(np.mean([len(each) for each in self.signatures])))

    @property
    def chosen(self) -> tuple:
        """What was selected, in every outer fold where there are any, to be compared."""
        return tuple(self.signature) if not self.signatures else tuple(map(tuple, self.signatures))

    def packed(self) -> dict:
        """Return them as a line of the journal."""
        return vars(self) | {
            "probability": self.probability.tolist(),
            "rows": self.probability.shape[1],
        }

    @classmethod
    def unpacked(cls, kept: Mapping) -> Refits:
        """Return the refits that `packed` made a line of."""
        own = {name: value for name, value in kept.items() if name != "rows"}
        probability = np.array(kept["probability"], dtype=float).reshape(-1, kept["rows"])
        return cls(**own | {"probability": probability})


def refit_step(setting: Setting, step: Step) -> Refits:
    """Run the procedure without what a step removes, and fit its classifier once for every seed.

    With ``search: reduced`` or ``full`` the parameters are searched once, over the inner folds of
    the study, as those of the full model were. The threshold is chosen on the same folds: a step
    without oversampling, or without a strong feature, predicts on another scale.

    Parameters
    ----------
    setting : Setting
        Rows, parameters and configuration.
    step : Step
        One that can be done.

    Returns
    -------
    Refits
        Its `failure` says where a classifier could not be fitted to what is left.
    """
    try:
        if setting.outer:
            folds = [_refit(setting.without(fit), step) for fit in setting.outer]
            return _joined(folds, setting)
        return _refit(setting, step)
    except FitError as error:
        # Parameters of the full model may suit no other input: TabNet then diverges. The other
        # steps go on; without the full model there would be nothing to compare them with.
        if step.kind == FULL:
            raise
        nothing = np.empty((0, len(setting.test)))
        return Refits(nothing, [], {}, 0, [], failure=str(error))


def _joined(folds: list[Refits], setting: Setting) -> Refits:
    """Put the refits of all outer folds together: each row from the fold that held it out."""
    rows, seeds = len(setting.test), len(folds[0].probability)
    probability, thresholds = np.full((seeds, rows), np.nan), np.full(rows, np.nan)
    for fit, own in zip(setting.outer, folds, strict=True):
        probability[:, fit.held_out] = own.probability
        thresholds[fit.held_out] = own.threshold
    signatures = [each.signature for each in folds]
    return Refits(
        probability,
        list(dict.fromkeys(name for each in signatures for name in each)),
        {f"outer fold {number}": each.parameters for number, each in enumerate(folds)},
        sum(each.fits for each in folds),
        list(dict.fromkeys(note for each in folds for note in each.notes)),
        float(np.mean([each.threshold for each in folds])),
        thresholds=thresholds.tolist(),
        signatures=signatures,
    )


def _refit(setting: Setting, step: Step) -> Refits:
    procedure = setting.procedure_of(step)
    run = procedure.run(setting.training, setting.options.seed, setting.folds)
    fitted, notes = [run.fitted], list(run.notes)
    others = setting.seeds[1:]
    for again in refit_classifier(run.fitted, run.parameters, procedure.options, others):
        fitted.append(again)
        notes += again.notes
    threshold, fits = run.threshold, run.fits + len(fitted) - 1
    if setting.threshold_fits:
        threshold, failed = _own_threshold(setting, procedure)
        fits += setting.threshold_fits
        notes += failed
    if step.changes:
        # What the step itself switches off is no news.
        notes = [note for note in notes if note not in off_notes(run.fitted.chain)]
    return Refits(
        np.array([each.predict(setting.test) for each in fitted]),
        run.fitted.signature,
        run.parameters,
        fits,
        list(dict.fromkeys(notes)),
        threshold,
    )


def _own_threshold(setting: Setting, procedure: Procedure) -> tuple[float, list[str]]:
    """Choose the threshold of a step that keeps its parameters, or say why there is none."""
    training = setting.training
    try:
        predicted = procedure.out_of_fold(training, setting.options.seed, setting.folds)
    except FitError as error:
        return math.nan, [f"No threshold, and so no confusion matrix: {error}"]
    return procedure.threshold(training, predicted), []


def summarise_step(
    refits: Refits,
    full: Refits,
    test: pd.DataFrame,
    weights: np.ndarray,
    confidence: float,
    folds: np.ndarray | None = None,
) -> dict:
    """Return what the ablation table tells of one step; no counts where it has no threshold.

    Parameters
    ----------
    refits, full : Refits
        Predictions of the step and of the full model, with the same seeds.
    test : pandas.DataFrame
        ``patient_id, outcome`` of the test rows.
    weights : numpy.ndarray
        Shape (n_resamples, n_test), resampled patients.
    confidence : float
        Level of the intervals.
    folds : numpy.ndarray, optional
        Shape (1, n_test), the outer fold that held a row out, in a study without test rows: pairs
        are then compared within a fold, and intervals come from influence values.
    """
    probability, reference = (each.probability.mean(axis=0) for each in (refits, full))
    outcome, patients = test["outcome"].to_numpy(int), test["patient_id"].to_numpy()
    sample = Sample(outcome, probability, patients, refits.threshold)
    if folds is None:
        area = auroc_estimate(sample, confidence)
        over = metrics.auroc(outcome, probability, weights)
        over = over - metrics.auroc(outcome, reference, weights)
        difference = percentile_interval(over, confidence)
        delta = area.value - metrics.auroc(outcome, reference)
    else:
        held_out = HeldOut(outcome, patients, folds, probability[None], np.array([np.nan]))
        area = cross_validated.auroc_estimate(held_out, confidence)
        pair = np.array([probability[None], reference[None]])
        difference, _ = paired_difference(outcome, pair, folds, patients, confidence)
        delta = difference.difference
    single = seed_rows(refits, full, test, folds)
    thresholds = np.array(refits.thresholds) if refits.thresholds else refits.threshold
    return {
        "n_features": refits.n_features,
        "seeds": len(single),
        "auroc": area.value,
        "auroc_low": area.low,
        "auroc_high": area.high,
        "auroc_sd": _spread(single["auroc"]),
        "delta": delta,
        "delta_low": difference.low,
        "delta_high": difference.high,
        "delta_sd": _spread(single["delta"]),
        "brier": metrics.brier(outcome, probability),
        **_confusion(outcome, probability, thresholds),
    }


def _confusion(outcome: np.ndarray, probability: np.ndarray, threshold: float | np.ndarray) -> dict:
    if np.isnan(threshold).any():
        return {}
    counts = metrics.confusion(outcome, probability, threshold)
    return {
        "threshold": float(np.mean(threshold)),
        **counts._asdict(),
        "sensitivity": metrics.ratio(counts.tp, counts.tp + counts.fn),
        "specificity": metrics.ratio(counts.tn, counts.tn + counts.fp),
    }


def seed_rows(
    refits: Refits, full: Refits, test: pd.DataFrame, folds: np.ndarray | None = None
) -> pd.DataFrame:
    """Return what every single fit reaches, beside the full model's fit with the same seed.

    Parameters
    ----------
    refits, full, test, folds
        As for `summarise_step`.

    Returns
    -------
    pandas.DataFrame
        One row per seed: ``seed`` (its number, 0 being the trained model's)``, auroc, delta,
        brier``.
    """
    outcome = test["outcome"].to_numpy(int)

    def area_of(probability: np.ndarray) -> float:
        if folds is None:
            return metrics.auroc(outcome, probability)
        parts = [rows for _, rows in parts_of(folds)]
        return float(np.mean([metrics.auroc(outcome[at], probability[at]) for at in parts]))

    rows = []
    for number, (own, whole) in enumerate(zip(refits.probability, full.probability, strict=True)):
        auroc = area_of(own)
        delta = auroc - area_of(whole)
        rows.append([number, auroc, delta, metrics.brier(outcome, own)])
    return pd.DataFrame(rows, columns=["seed", "auroc", "delta", "brier"])


def _spread(values: pd.Series) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else math.nan
