"""Tables of what radiomics adds to clinical data."""

from __future__ import annotations

from pipeline.core.table_schema import COUNT_OR_BLANK, NUMBER, TEXT, Column
from pipeline.core.words import Words
from pipeline.tables.schemas.result import Result

NOT_FITTED: Words = "where the arm could not be fitted"
NOT_ESTIMABLE: Words = "where it cannot be estimated, see the method"
OF_TEST: Words = "on held-out patients"


class AddedValue(Result):
    """One row per arm of the model of the primary analysis: with both blocks, or with one."""

    arm = Column(TEXT, "blocks of candidates", values=("both", "clinical", "radiomics"))
    n_features = Column(COUNT_OR_BLANK, "columns of the signature", null=NOT_FITTED)
    n = Column(COUNT_OR_BLANK, "rows that judge it", unit="units", null=NOT_FITTED)
    events = Column(COUNT_OR_BLANK, "of them with the outcome", unit="units", null=NOT_FITTED)
    auroc = Column(NUMBER, "AUROC", null=NOT_FITTED)
    auroc_low = Column(NUMBER, "lower limit of its interval", null="over outer folds")
    auroc_high = Column(NUMBER, "upper limit of its interval", null="over outer folds")
    auroc_sd = Column(NUMBER, "standard deviation over outer folds", null=OF_TEST)
    brier = Column(NUMBER, "Brier score", null=NOT_FITTED)
    net_benefit = Column(NUMBER, "net benefit at the risk of added_value.json", null=NOT_FITTED)
    note = Column(TEXT, "why it has no numbers; blank where it has", null=NOT_FITTED)


class AddedValueDifferences(Result):
    """One row per pair of arms: the first less the second."""

    arm = Column(TEXT, "one arm")
    against = Column(TEXT, "the other")
    auroc = Column(NUMBER, "difference of the AUROCs", null=NOT_ESTIMABLE)
    auroc_low = Column(NUMBER, "lower limit of its interval", null=NOT_ESTIMABLE)
    auroc_high = Column(NUMBER, "upper limit of its interval", null=NOT_ESTIMABLE)
    auroc_sd = Column(NUMBER, "standard deviation over outer folds", null=OF_TEST)
    p_value = Column(NUMBER, "P value of the difference of AUROCs", null=NOT_ESTIMABLE)
    p_holm = Column(NUMBER, "the same, adjusted after Holm", null=NOT_ESTIMABLE)
    brier = Column(NUMBER, "difference of the Brier scores", null=NOT_ESTIMABLE)
    brier_low = Column(NUMBER, "lower limit of its interval", null=NOT_ESTIMABLE)
    brier_high = Column(NUMBER, "upper limit of its interval", null=NOT_ESTIMABLE)
    net_benefit = Column(NUMBER, "difference of the net benefits", null=NOT_ESTIMABLE)
    net_benefit_low = Column(NUMBER, "lower limit of its interval", null=NOT_ESTIMABLE)
    net_benefit_high = Column(NUMBER, "upper limit of its interval", null=NOT_ESTIMABLE)
    method = Column(TEXT, "how differences and limits were obtained", null=NOT_ESTIMABLE)
