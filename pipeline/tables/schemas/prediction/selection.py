"""Table of the funnel that chooses features."""

from __future__ import annotations

from pipeline.core.table_schema import (
    COUNT_OR_BLANK,
    FLAG,
    FLAG_OR_BLANK,
    NUMBER,
    TEXT,
    Column,
)
from pipeline.core.words import Words
from pipeline.tables.schemas.result import Result

NOT_REACHED: Words = "where the step does not apply or was not reached"
NOT_DONE: Words = "where the step does not apply, is switched off or was not reached"


class Selection(Result):
    """One row per candidate, learned on the training patients."""

    feature = Column(TEXT, "feature, or clinical predictor")
    block = Column(TEXT, "block of candidates", values=("radiomics", "clinical"))
    ccc = Column(NUMBER, "lowest CCC of two readers over training patients", null=NOT_REACHED)
    ccc_low = Column(NUMBER, "lower limit of its interval", null=NOT_REACHED)
    test = Column(TEXT, "univariate test", null=NOT_REACHED, values=("rank-sum", "chi-square"))
    p_value = Column(NUMBER, "its P value", null=NOT_REACHED)
    p_adjusted = Column(NUMBER, "P value adjusted for the number of features", null=NOT_REACHED)
    relevance = Column(NUMBER, "relevance in mRMR (F statistic)", null=NOT_REACHED)
    rank = Column(COUNT_OR_BLANK, "order in which mRMR chose it, from 1", null=NOT_REACHED)
    kept_ccc = Column(FLAG_OR_BLANK, "kept by the CCC filter", null=NOT_DONE)
    kept_univariate = Column(FLAG_OR_BLANK, "kept by the univariate filter", null=NOT_DONE)
    kept_mrmr = Column(FLAG_OR_BLANK, "kept by mRMR", null=NOT_DONE)
    selected = Column(FLAG, "in the signature")
    icc = Column(
        NUMBER,
        "ICC(1,1) between perturbed extractions over training patients",
        null=NOT_REACHED,
        optional="of a study whose `selection.robustness` asks for perturbations",
    )
    icc_low = Column(
        NUMBER,
        "its lower limit, by a bootstrap of patients",
        null=NOT_REACHED,
        optional="of a study whose `selection.robustness` asks for perturbations",
    )
    kept_perturbed = Column(
        FLAG_OR_BLANK,
        "kept by the ICC filter",
        null=NOT_DONE,
        optional="of a study whose `selection.robustness` asks for perturbations",
    )
