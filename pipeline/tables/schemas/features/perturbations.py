"""Tables of perturbed extractions: what was done, the features, and which of them survive."""

from __future__ import annotations

from pipeline.core.table_schema import COUNT, FLAG_OR_BLANK, NUMBER, TEXT, Column, Table
from pipeline.core.words import Words

WITHOUT_FEATURES: Words = "where there are no features"
UNDEFINED: Words = "where it is not defined"


class Perturbations(Table):
    """One row per repetition of one mask: what was changed, and how it went."""

    case_id = Column(TEXT, "case")
    scan_id = Column(TEXT, "scan")
    patient_id = Column(TEXT, "patient")
    reader = Column(TEXT, "reader whose mask was perturbed")
    repetition = Column(COUNT, "number of the repetition, from 1")
    status = Column(TEXT, "whether it has features", values=("ok", "error"))
    problem = Column(TEXT, "why it has none", null="where it has features")
    noise_hu = Column(
        NUMBER, "standard deviation of the noise added", unit="HU", null=WITHOUT_FEATURES
    )
    shift_x = Column(
        NUMBER, "shift of the grid along its first axis", unit="voxels", null=WITHOUT_FEATURES
    )
    shift_y = Column(NUMBER, "along its second axis", unit="voxels", null=WITHOUT_FEATURES)
    shift_z = Column(NUMBER, "along its third axis", unit="voxels", null=WITHOUT_FEATURES)
    degrees = Column(
        NUMBER, "turn of the grid in the axial plane", unit="degrees", null=WITHOUT_FEATURES
    )
    volume_change = Column(
        NUMBER, "change of the volume that was drawn", unit="share", null=WITHOUT_FEATURES
    )
    volume_ratio = Column(
        NUMBER, "volume after all changes over that before", unit="ratio", null=WITHOUT_FEATURES
    )
    seconds = Column(
        NUMBER, "its share of the time of the computation", unit="s", null=WITHOUT_FEATURES
    )
    perturbed_key = Column(TEXT, "key of the features in the store", null=WITHOUT_FEATURES)


class PerturbedFeatures(Table):
    """One row per repetition of one mask with features."""

    case_id = Column(TEXT, "case")
    reader = Column(TEXT, "reader whose mask was perturbed")
    repetition = Column(COUNT, "number of the repetition, from 1")
    features = Column(
        NUMBER,
        "a feature under the name that PyRadiomics prints",
        unit="of the feature",
        null=UNDEFINED,
        pattern=".+",
        named="<feature>",
    )


class StoredRepetitions(Table):
    """One row per repetition of one mask, ten in an entry (in the store)."""

    repetition = Column(COUNT, "number of the repetition, from 1")
    problem = Column(TEXT, "why it has no features", null="where it has")
    noise_hu = Column(NUMBER, "standard deviation of the noise added", unit="HU")
    voxels_before = Column(COUNT, "voxels on the grid before volume and outline changed")
    voxels = Column(COUNT, "voxels after")
    features = Column(
        NUMBER,
        "a feature under the name that PyRadiomics prints",
        unit="of the feature",
        null=UNDEFINED,
        pattern=".+_.+_.+",
        named="<feature>",
    )


class Robustness(Table):
    """One row per feature: how well perturbed extractions of one mask agree, over all cases."""

    feature = Column(TEXT, "feature")
    image_type = Column(
        TEXT,
        "image it is computed on: original, wavelet-LLH, ...",
        null="where its name does not tell",
    )
    feature_class = Column(
        TEXT, "class: shape, firstorder, glcm, ...", null="where its name does not tell"
    )
    reader = Column(TEXT, "reader whose masks were perturbed")
    n = Column(COUNT, "cases with a value", unit="cases")
    patients = Column(COUNT, "their patients", unit="patients")
    icc = Column(NUMBER, "ICC(1,1) between perturbed extractions", null=UNDEFINED)
    icc_low = Column(NUMBER, "its lower limit, by a bootstrap of patients", null=UNDEFINED)
    sd_within = Column(
        NUMBER, "standard deviation within a case", unit="of the feature", null=UNDEFINED
    )
    sd_between = Column(
        NUMBER, "standard deviation between cases", unit="of the feature", null=UNDEFINED
    )
    sd_ratio = Column(
        NUMBER, "within over between; infinite where cases do not differ", null=UNDEFINED
    )
    robust = Column(
        FLAG_OR_BLANK,
        "whether it reaches `selection.perturbations.threshold` over all cases",
        null="where the threshold is null",
    )


class PerturbedUnits(Table):
    """One row per unit of the analysis and moment of its perturbed extractions: three a unit."""

    unit_id = Column(TEXT, "unit")
    patient_id = Column(TEXT, "patient")
    moment = Column(
        TEXT,
        "values counted, their mean, or the sum of their squared deviations from it",
        values=("count", "mean", "squares"),
    )
    features = Column(
        NUMBER,
        "of a feature under the name that PyRadiomics prints",
        unit="of the feature, or its square",
        null="where nothing was measured",
        pattern=".+",
        named="<feature>",
    )
