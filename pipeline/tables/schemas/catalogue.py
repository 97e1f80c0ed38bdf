"""Every table of a study: where it lies, which rule writes it, and its class."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.core.table_schema import Table
from pipeline.tables.schemas.analysis import Analysis, Split
from pipeline.tables.schemas.example_images import ExampleImages
from pipeline.tables.schemas.features.controls import ControlFeatures, ControlRows, Controls
from pipeline.tables.schemas.features.extraction import Extraction, Verification
from pipeline.tables.schemas.features.features import Features
from pipeline.tables.schemas.features.perturbations import (
    Perturbations,
    PerturbedFeatures,
    PerturbedUnits,
    Robustness,
)
from pipeline.tables.schemas.features.reproducibility import (
    Reproducibility,
    ReproducibilityFamilies,
)
from pipeline.tables.schemas.images.agreement import Agreement
from pipeline.tables.schemas.images.ingest import Ingest
from pipeline.tables.schemas.images.masks import Masks
from pipeline.tables.schemas.images.preflight import Preflight
from pipeline.tables.schemas.images.resample import Resample
from pipeline.tables.schemas.outcomes.course import COURSE
from pipeline.tables.schemas.outcomes.groups import Cells, ComparedGroups, GroupEffects
from pipeline.tables.schemas.prediction.ablation import Ablation, AblationSeeds
from pipeline.tables.schemas.prediction.added_value import AddedValue, AddedValueDifferences
from pipeline.tables.schemas.prediction.evaluation import EVALUATION
from pipeline.tables.schemas.prediction.learning_curve import LearningCurve
from pipeline.tables.schemas.prediction.missingness import Missingness
from pipeline.tables.schemas.prediction.nested import Nested, NestedPredictions
from pipeline.tables.schemas.prediction.optimism import Optimism
from pipeline.tables.schemas.prediction.oversampled_split import Orders
from pipeline.tables.schemas.prediction.references import References
from pipeline.tables.schemas.prediction.selection import Selection
from pipeline.tables.schemas.prediction.sensitivity import Sensitivity
from pipeline.tables.schemas.prediction.signature import SIGNATURE
from pipeline.tables.schemas.prediction.site_validation import SITE_VALIDATION
from pipeline.tables.schemas.prediction.stability import SelectionStability
from pipeline.tables.schemas.prediction.subgroups import Subgroups
from pipeline.tables.schemas.prediction.training import Importance, Predictions, Search
from pipeline.tables.schemas.regression import REGRESSION
from pipeline.tables.schemas.study_tables import Cases, Clinical, Dictionary, ReadyCases
from pipeline.tables.sites import HandedIn
from pipeline.tables.sites import has as handed_in


@dataclass(frozen=True)
class Place:
    """A table of a study.

    Attributes
    ----------
    path : str
        Below ``results/<study>/``, with ``<batch>`` and ``<model>`` for one of several.
    rule : str
        Rule that writes it.
    schema : type
        Its class.
    of : str
        What a study needs to have it: ``images``, ``ready`` (feature tables), ``features`` (of
        either origin), ``clinical`` (a clinical table), ``examples`` (figures of example images),
        or the name of an analysis.
    """

    path: str
    rule: str
    schema: type[Table]
    of: str

    def fits(self, path: str) -> bool:
        """Return whether a path below the study's folder is one of this table."""
        parts = re.split(r"<\w+>", self.path)
        return re.fullmatch("[^/]+".join(map(re.escape, parts)), path) is not None


def _batch(name: str, rule: str, schema: type[Table]) -> Place:
    return Place(f"batches/<batch>/{name}.parquet", rule, schema, "images")


def _study(name: str, rule: str, schema: type[Table], of: str) -> Place:
    return Place(f"tables/{name}.parquet", rule, schema, of)


CATALOGUE = (
    Place("study/cases.parquet", "validate", Cases, "images"),
    Place("study/clinical.parquet", "validate", Clinical, "clinical"),
    Place("study/dictionary.parquet", "validate", Dictionary, "clinical"),
    Place("study/ready.parquet", "validate", ReadyCases, "ready"),
    _batch("ingest", "ingest", Ingest),
    _batch("masks", "masks", Masks),
    _batch("agreement", "agreement", Agreement),
    _batch("preflight", "preflight_batch", Preflight),
    _batch("resample", "resample", Resample),
    _batch("extraction", "extract", Extraction),
    _batch("verification", "extract", Verification),
    _batch("features", "extract", Features),
    _batch("control_features", "control_features", ControlFeatures),
    _batch("perturbed", "perturb", PerturbedFeatures),
    _batch("perturbations", "perturb", Perturbations),
    _study("ingest", "gather", Ingest, "images"),
    _study("masks", "gather", Masks, "images"),
    _study("agreement", "gather", Agreement, "images"),
    _study("preflight", "preflight_study", Preflight, "images"),
    _study("extraction", "gather", Extraction, "images"),
    _study("verification", "verification", Verification, "images"),
    _study("features", "gather, gather_ready", Features, "features"),
    _study("reproducibility", "reproducibility", Reproducibility, "features"),
    _study("reproducibility_families", "reproducibility", ReproducibilityFamilies, "features"),
    _study("perturbations", "gather", Perturbations, "images"),
    _study("robustness", "robustness", Robustness, "images"),
    _study("analysis", "join", Analysis, "prediction"),
    _study("control_rows", "control_rows", ControlRows, "prediction"),
    _study("analysis_perturbed", "join", PerturbedUnits, "prediction"),
    _study("split", "split", Split, "prediction"),
    _study("selection", "select", Selection, "prediction"),
    *(_study(name, "select", schema, "prediction") for name, schema in SIGNATURE.items()),
    _study("stability", "stability", SelectionStability, "prediction"),
    _study("missingness", "missingness", Missingness, "prediction"),
    Place("models/<model>/predictions.parquet", "train", Predictions, "prediction"),
    Place("models/<model>/search.parquet", "train", Search, "prediction"),
    Place("models/<model>/importance.parquet", "train", Importance, "prediction"),
    *(
        Place(f"evaluation/{name}.parquet", "evaluate", schema, "prediction")
        for name, schema in EVALUATION.items()
    ),
    Place("evaluation/subgroups.parquet", "evaluate", Subgroups, "prediction"),
    Place("evaluation/added_value.parquet", "added_value", AddedValue, "prediction"),
    Place(
        "evaluation/added_value_differences.parquet",
        "added_value",
        AddedValueDifferences,
        "prediction",
    ),
    Place("evaluation/controls.parquet", "controls", Controls, "prediction"),
    Place("evaluation/references.parquet", "references", References, "prediction"),
    Place("sensitivity/<model>.parquet", "sensitivity", Sensitivity, "prediction"),
    Place("nested/<model>_predictions.parquet", "nested", NestedPredictions, "prediction"),
    Place("nested/<model>.parquet", "nested", Nested, "prediction"),
    Place("optimism/<model>.parquet", "optimism", Optimism, "prediction"),
    Place("learning_curve/<model>.parquet", "learning_curve", LearningCurve, "prediction"),
    Place("ablation/<model>_seeds.parquet", "ablate", AblationSeeds, "prediction"),
    Place("ablation/<model>.parquet", "ablate", Ablation, "prediction"),
    *(
        Place(f"site_validation/{name}.parquet", "site_validation", schema, "prediction")
        for name, schema in SITE_VALIDATION.items()
    ),
    Place("oversampled_split/orders.parquet", "oversampled_split", Orders, "prediction"),
    Place("example_images/example_images.parquet", "example_images", ExampleImages, "examples"),
    Place("outcomes/groups.parquet", "describe_groups", ComparedGroups, "outcomes"),
    Place("outcomes/cells.parquet", "describe_groups", Cells, "outcomes"),
    Place("outcomes/effects.parquet", "describe_groups", GroupEffects, "outcomes"),
    *(
        Place(f"outcomes/course/{name}.parquet", "describe_course", schema, "outcomes")
        for name, schema in COURSE.items()
    ),
    *(
        Place(f"regression/tables/{name}.parquet", "regress", schema, "regression")
        for name, schema in REGRESSION.items()
        if name != "predictions"  # of a model that is judged
    ),
)
"""All tables, in the order of the run; of two that fit a path the first is meant."""


def schema_of(path: str) -> type[Table] | None:
    """Return the class of the table at a path below the study's folder, None where none is."""
    return next((place.schema for place in CATALOGUE if place.fits(path)), None)


def places_of(
    given: HandedIn, analyses: Iterable[str], *, clinical: bool, figures: bool = False
) -> list[Place]:
    """Return the tables that a study can have.

    Parameters
    ----------
    given : HandedIn
        What it is handed.
    analyses : iterable of str
        The option of this name.
    clinical : bool
        Whether it has a clinical table.
    figures : bool
        Whether it shows example images.
    """
    has = {"clinical", *analyses} if clinical else set()
    has |= {"images", "features"} if handed_in(given, "cases") else set()
    has |= {"ready", "features"} if handed_in(given, "features") else set()
    has |= {"examples"} if figures else set()
    return [place for place in CATALOGUE if place.of in has]
