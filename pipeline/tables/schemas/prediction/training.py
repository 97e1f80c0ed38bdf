"""Tables of a trained model."""

from __future__ import annotations

from pipeline.core.table_schema import COUNT, COUNT_OR_BLANK, NUMBER, TEXT, Column
from pipeline.core.words import Words
from pipeline.tables.schemas.result import Result

NO_EPOCHS: Words = "of families that are not trained by epochs"


class Predictions(Result):
    """One row per unit and part; empty where the model could not be fitted."""

    unit_id = Column(TEXT, "unit")
    patient_id = Column(TEXT, "patient", null="where no table names it")
    outcome = Column(COUNT, "1 with the outcome, 0 without")
    part = Column(
        TEXT,
        "out-of-fold prediction of a training patient with the chosen parameters, or held-out "
        "patient",
        values=("oof", "test"),
    )
    probability = Column(NUMBER, "predicted risk of the outcome", unit="0 to 1")


class Search(Result):
    """One row per parameter set of the search."""

    iteration = Column(COUNT, "number of the parameter set, from 0")
    phase = Column(COUNT, "phase of the search, from 1; TabNet has two")
    parameters = Column(TEXT, "the parameters as JSON")
    mean_auc = Column(
        NUMBER, "mean AUROC over the folds", null="where it could not be fitted in every fold"
    )
    sd_auc = Column(
        NUMBER, "standard deviation over the folds", null="where it could not be fitted"
    )
    fits = Column(COUNT, "fits that were done", unit="fits")
    early_stopped = Column(
        COUNT_OR_BLANK, "fits ended by early stopping", unit="fits", null=NO_EPOCHS
    )
    reached_limit = Column(
        COUNT_OR_BLANK, "fits ended by the largest number of epochs", unit="fits", null=NO_EPOCHS
    )
    diverged = Column(COUNT, "fits that diverged", unit="fits")


class Importance(Result):
    """One row per column of the signature, measured on the training patients."""

    feature = Column(TEXT, "column of the signature")
    block = Column(TEXT, "block of candidates", values=("radiomics", "clinical"))
    importance = Column(
        NUMBER, "share of the model's own importance, sums to 1", null="where the model has none"
    )
    attention = Column(NUMBER, "attention of TabNet", null="of other families")
    permutation = Column(
        NUMBER, "loss of AUROC where the column is permuted", null="where it is not measured"
    )
    permutation_sd = Column(
        NUMBER, "standard deviation of that loss over permutations", null="where it is not measured"
    )
    shap = Column(NUMBER, "mean absolute SHAP value", null="unless `interpretation.shap`")
