"""Tables of how well features agree between readers."""

from __future__ import annotations

from pipeline.core.table_schema import COUNT, NUMBER, TEXT, Column, Table
from pipeline.core.words import Words

UNDEFINED: Words = "where it is not defined"


class Reproducibility(Table):
    """One row per feature, from the readers' original masks."""

    feature = Column(TEXT, "feature")
    image_type = Column(
        TEXT,
        "image it is computed on: original, wavelet-LLH, ...",
        null="where its name does not tell",
    )
    feature_class = Column(
        TEXT, "class: shape, firstorder, glcm, ...", null="where its name does not tell"
    )
    readers = Column(COUNT, "readers compared")
    n = Column(COUNT, "cases with a value of both readers of the lowest pair", unit="cases")
    ccc = Column(NUMBER, "Lin's CCC of the pair of readers that agrees least", null=UNDEFINED)
    ccc_low = Column(NUMBER, "lower limit of its interval", null=UNDEFINED)
    ccc_high = Column(NUMBER, "upper limit of its interval", null=UNDEFINED)
    reader_a = Column(TEXT, "one reader of that pair")
    reader_b = Column(TEXT, "the other")
    ccc_overall = Column(NUMBER, "overall CCC of all readers", null=UNDEFINED)
    ccc_within = Column(
        NUMBER,
        "CCC of the lowest pair within vertebral levels",
        null="unless all levels are known and there are several",
    )
    icc = Column(NUMBER, "ICC(2,1) of all readers", null=UNDEFINED)
    icc_low = Column(NUMBER, "lower limit of its interval", null=UNDEFINED)
    icc_high = Column(NUMBER, "upper limit of its interval", null=UNDEFINED)
    reason = Column(TEXT, "why there is no CCC", null="where there is one")


class ReproducibilityFamilies(Table):
    """One row for all features, per image type, per class, and per image type and class."""

    image_type = Column(TEXT, "image type", null="over all image types")
    feature_class = Column(TEXT, "class of features", null="over all classes")
    features = Column(COUNT, "features of the family")
    stable = Column(COUNT, "of them with a CCC at or above `selection.ccc.threshold`")
    stable_share = Column(NUMBER, "their share", unit="0 to 1")
    ccc_median = Column(NUMBER, "median CCC", null=UNDEFINED)
    ccc_q1 = Column(NUMBER, "first quartile of the CCC", null=UNDEFINED)
    ccc_q3 = Column(NUMBER, "third quartile of the CCC", null=UNDEFINED)
    ccc_within_median = Column(NUMBER, "median CCC within vertebral levels", null=UNDEFINED)
    icc_median = Column(NUMBER, "median ICC", null=UNDEFINED)
    deviation_median = Column(
        NUMBER,
        "median over cases of how far readers lie apart",
        unit="SD between cases",
        null=UNDEFINED,
    )
    cases = Column(COUNT, "cases with both a deviation and a Dice coefficient")
    dice_rho = Column(
        NUMBER, "Spearman's correlation over cases of deviation and Dice", null="without images"
    )
    dice_rho_low = Column(NUMBER, "lower limit of its interval", null="without images")
    dice_rho_high = Column(NUMBER, "upper limit of its interval", null="without images")
