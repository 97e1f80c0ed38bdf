"""Table of a model's optimism."""

from __future__ import annotations

from pipeline.core.table_schema import COUNT, NUMBER, TEXT, Column
from pipeline.core.words import Words
from pipeline.tables.schemas.result import Result

UNDEFINED: Words = "where no resample defines it"


class Optimism(Result):
    """One row per metric, from resamples of the training patients."""

    model = Column(TEXT, "model")
    metric = Column(TEXT, "metric, as in `evaluation/metrics`")
    apparent = Column(NUMBER, "on the rows of the fit", null=UNDEFINED)
    optimism = Column(NUMBER, "mean optimism over resamples", null=UNDEFINED)
    optimism_se = Column(NUMBER, "Monte Carlo error of that mean", null=UNDEFINED)
    corrected = Column(NUMBER, "apparent minus optimism", null=UNDEFINED)
    out_of_bag = Column(NUMBER, "mean over patients that resamples left out", null=UNDEFINED)
    corrected_632plus = Column(
        NUMBER, "corrected by the .632+ method", null="of metrics other than auroc and brier"
    )
    resamples = Column(COUNT, "resamples in which it is defined")
    note = Column(TEXT, "what limits it; blank where nothing does")
