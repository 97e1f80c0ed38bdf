"""Tables of the ablation of a model."""

from __future__ import annotations

from pipeline.core.table_schema import COUNT, COUNT_OR_BLANK, NUMBER, TEXT, Column
from pipeline.core.words import Words
from pipeline.tables.schemas.result import Result

NOT_DONE: Words = "where the step cannot be done"
NO_LIMITS: Words = "where the step cannot be done, or cannot be estimated"
ONE_SEED: Words = "with one seed, or where the step cannot be done"


class Ablation(Result):
    """One row per step: a refit without a part of the input or of the procedure."""

    model = Column(TEXT, "model")
    step = Column(
        TEXT,
        "full, top-1 ..., single-1 ..., named-1 ..., without-radiomics, without-clinical, "
        "without-<family>, skip-<step of the chain>",
    )
    kind = Column(
        TEXT,
        "kind of step",
        values=("full", "top", "single", "named", "block", "family", "chain"),
    )
    removed = Column(TEXT, "candidates joined by `|`, or the block, family or step")
    same_as = Column(TEXT, "earlier step that ends in the same signature, or blank")
    n_features = Column(
        COUNT_OR_BLANK,
        "columns of the signature; without a hold-out the mean over outer folds",
        null=NOT_DONE,
    )
    seeds = Column(COUNT_OR_BLANK, "fits that differ in the seed", unit="fits", null=NOT_DONE)
    auroc = Column(NUMBER, "AUROC of the mean prediction", null=NOT_DONE)
    auroc_low = Column(NUMBER, "lower limit of its interval", null=NO_LIMITS)
    auroc_high = Column(NUMBER, "upper limit of its interval", null=NO_LIMITS)
    auroc_sd = Column(NUMBER, "standard deviation over seeds", null=ONE_SEED)
    delta = Column(NUMBER, "AUROC minus that of the full model", null=NOT_DONE)
    delta_low = Column(NUMBER, "lower limit of its interval", null=NO_LIMITS)
    delta_high = Column(NUMBER, "upper limit of its interval", null=NO_LIMITS)
    delta_sd = Column(NUMBER, "standard deviation of the difference over seeds", null=ONE_SEED)
    brier = Column(NUMBER, "Brier score", null=NOT_DONE)
    threshold = Column(NUMBER, "the step's own threshold", unit="0 to 1", null=NOT_DONE)
    tp = Column(COUNT_OR_BLANK, "events predicted", unit="units", null=NOT_DONE)
    fp = Column(COUNT_OR_BLANK, "non-events predicted as events", unit="units", null=NOT_DONE)
    fn = Column(COUNT_OR_BLANK, "events missed", unit="units", null=NOT_DONE)
    tn = Column(COUNT_OR_BLANK, "non-events predicted as such", unit="units", null=NOT_DONE)
    sensitivity = Column(NUMBER, "at the threshold", unit="0 to 1", null=NOT_DONE)
    specificity = Column(NUMBER, "at the threshold", unit="0 to 1", null=NOT_DONE)
    parameters = Column(TEXT, "parameters as JSON", null=NOT_DONE)
    signature = Column(TEXT, "columns of the signature, joined by `|`", null=NOT_DONE)
    note = Column(TEXT, "why the step cannot be done; blank where it was")


class AblationSeeds(Result):
    """One row per step and single fit."""

    model = Column(TEXT, "model")
    step = Column(TEXT, "step, as in the table of the steps")
    seed = Column(COUNT, "number of the fit; 0 is the trained model's seed")
    auroc = Column(NUMBER, "AUROC of the single fit", null="where it cannot be computed")
    delta = Column(NUMBER, "AUROC minus that of the full model with the same seed", null="likewise")
    brier = Column(NUMBER, "Brier score of the single fit", null="likewise")
