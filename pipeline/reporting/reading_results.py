"""The files of a finished run, read once for the report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipeline.core.fit_status import is_fitted
from pipeline.core.sections import taken
from pipeline.reporting.dropped import dropped_models
from pipeline.reporting.result_files import (
    facts_of,
    read_added_value,
    read_controls,
    read_examples,
    read_sites,
    table_of,
)
from pipeline.reporting.results import (
    Ablation,
    Course,
    Evaluation,
    Groups,
    Imaging,
    Learning,
    Model,
    Modelling,
    Nested,
    Optimism,
    Orders,
    Perturbed,
    Regression,
    Results,
)
from pipeline.study.analyses.outcomes import has_course
from pipeline.study.perturbed_masks import PerturbingOptions
from pipeline.study.sections import judging as options
from pipeline.study.sections.controls import Controls
from pipeline.study.sections.sites import SiteValidation
from pipeline.study.study import open_study, predicts
from pipeline.tables.readers import latest_label
from pipeline.tables.schemas.prediction.signature import SIGNATURE
from pipeline.tables.sites import has
from pipeline.tables.split_designs import holds_out
from pipeline.tables.split_options import Split


@dataclass(frozen=True, kw_only=True)
class ReadOptions(PerturbingOptions):
    """Options by which a finished run holds what the report reads."""

    analyses: list[str]
    models: list[str]
    figures: list
    split: Split = taken(Split)
    nested: options.Nested = taken(options.Nested)
    optimism: options.Optimism = taken(options.Optimism)
    ablation: options.Ablation = taken(options.Ablation)
    learning_curve: options.LearningCurve = taken(options.LearningCurve)
    oversampled_split: options.OversampledSplit = taken(options.OversampledSplit)
    controls: Controls = taken(Controls)
    site_validation: SiteValidation = taken(SiteValidation)


def read_results(study_folder: str | Path) -> Results:
    """Read the results of the study frozen in `study_folder`.

    Parameters
    ----------
    study_folder : path-like
        ``results/<study>/study``.

    Raises
    ------
    VertebromicsError
        If a file that the configuration calls for is not there.
    """
    study = open_study(study_folder)
    folder = Path(study_folder).resolve().parent
    how = study.options(ReadOptions)
    images, compares = has(how, "cases"), "outcomes" in how.analyses
    features = images or has(how, "features")
    asked = compares and has_course(study.config)
    return Results(
        study=study,
        folder=folder,
        flow=facts_of(folder, "tables/flow.json"),
        reproducibility=_of_features(folder, "reproducibility", given=features),
        families=_of_features(folder, "reproducibility_families", given=features),
        imaging=_imaging(folder, sorted(study.cases["batch"].unique())) if images else None,
        modelling=_modelling(folder, how) if predicts(study.config) else None,
        groups=_groups(folder) if compares else None,
        regression=_regression(folder) if "regression" in how.analyses else None,
        course=_course(folder) if asked else None,
        perturbed=_perturbed(folder) if how.perturbs else None,
        examples=read_examples(folder) if how.figures else [],
    )


def _perturbed(folder: Path) -> Perturbed:
    return Perturbed(
        table_of(folder, "tables/robustness.parquet"),
        table_of(folder, "tables/perturbations.parquet"),
    )


def _course(folder: Path) -> Course:
    info = facts_of(folder, "outcomes/course/course.json")
    names = info["tables"]
    return Course(
        {name: table_of(folder, f"outcomes/course/{name}.parquet") for name in names}, info
    )


def _regression(folder: Path) -> Regression:
    names = ("coefficients", "metrics", "model", "optimism")
    tables = {name: table_of(folder, f"regression/tables/{name}.parquet") for name in names}
    return Regression(tables, facts_of(folder, "regression/regression.json"))


def _groups(folder: Path) -> Groups:
    return Groups(
        table_of(folder, "outcomes/groups.parquet"),
        table_of(folder, "outcomes/cells.parquet"),
        table_of(folder, "outcomes/effects.parquet"),
        facts_of(folder, "outcomes/groups.json"),
    )


def _of_features(folder: Path, name: str, *, given: bool) -> pd.DataFrame:
    """Return a table on the features; without any, it has no row."""
    if given:
        return table_of(folder, f"tables/{name}.parquet")
    columns = ("image_type", "feature_class", "n", "ccc", "readers")
    return pd.DataFrame({column: [] for column in columns})


def _imaging(folder: Path, batches: list[str]) -> Imaging:
    names = ("ingest", "masks", "agreement", "preflight", "extraction", "verification")
    tables = {name: table_of(folder, f"tables/{name}.parquet") for name in names}
    # Of a batch without any usable mask the columns have no type of their own.
    types = {"case_id": "string", "reader": "string", "clipped_share": float}
    resampled = [
        table_of(folder, f"batches/{batch}/resample.parquet")[list(types)].astype(types)
        for batch in batches
    ]
    pictures: dict[str, Path] = {}
    for batch in batches:
        for path in sorted((folder / "batches" / batch / "pictures").glob("*.png")):
            pictures[path.stem] = path
    return Imaging(resample=pd.concat(resampled, ignore_index=True), pictures=pictures, **tables)


def _modelling(folder: Path, how: ReadOptions) -> Modelling:
    analysis = table_of(folder, "tables/analysis.parquet")
    evaluation = {
        name: table_of(folder, f"evaluation/{name}.parquet")
        for name in Evaluation.__dataclass_fields__
    }
    info = facts_of(folder, "tables/analysis.json")
    labels = [*info["readers"], *map(latest_label, info.get("corrected", {}))]
    prefixes = tuple(f"{label}:" for label in labels)
    infos = {
        "train": {name: facts_of(folder, f"models/{name}/model.json") for name in how.models},
        **{
            stage: {
                name: facts_of(folder, f"{stage}/{name}.json")
                for name in getattr(how, stage).models
            }
            for stage in ("nested", "optimism", "ablation")
        },
    }
    trained = [name for name, info in infos["train"].items() if is_fitted(info)]
    if not holds_out(how.split.design):
        # Without a hold-out, a model that nested cross-validation could not judge has no figures.
        trained = [name for name in trained if is_fitted(infos["nested"][name])]
    # What was judged of a model that is not there would stand beside nothing.
    fitted = {
        stage: [name for name, info in of_stage.items() if is_fitted(info) and name in trained]
        for stage, of_stage in infos.items()
    }
    printed = {name: info["label"] for name, info in infos["train"].items()}
    return Modelling(
        units=analysis[[name for name in analysis.columns if not name.startswith(prefixes)]],
        info=info,
        split=table_of(folder, "tables/split.parquet"),
        selection=table_of(folder, "tables/selection.parquet"),
        selection_info=facts_of(folder, "tables/selection.json"),
        stability=table_of(folder, "tables/stability.parquet"),
        stability_info=facts_of(folder, "tables/stability.json"),
        models={name: _model(folder, name) for name in trained},
        evaluation=Evaluation(**evaluation),
        winner=facts_of(folder, "evaluation/winner.json"),
        sample_size=facts_of(folder, "evaluation/sample_size.json"),
        references=table_of(folder, "evaluation/references.parquet"),
        added_value=read_added_value(folder),
        sensitivity=pd.concat(
            [table_of(folder, f"sensitivity/{name}.parquet") for name in trained or how.models],
            ignore_index=True,
        ),
        missingness=table_of(folder, "tables/missingness.parquet"),
        nested={
            name: Nested(
                table_of(folder, f"nested/{name}.parquet"), facts_of(folder, f"nested/{name}.json")
            )
            for name in fitted["nested"]
        },
        optimism={
            name: Optimism(
                table_of(folder, f"optimism/{name}.parquet"),
                facts_of(folder, f"optimism/{name}.json"),
            )
            for name in fitted["optimism"]
        },
        ablation={
            name: Ablation(
                table_of(folder, f"ablation/{name}.parquet"),
                table_of(folder, f"ablation/{name}_seeds.parquet"),
                facts_of(folder, f"ablation/{name}.json"),
            )
            for name in fitted["ablation"]
        },
        dropped=dropped_models(infos, printed),
        subgroups=table_of(folder, "evaluation/subgroups.parquet"),
        signature={name: table_of(folder, f"tables/{name}.parquet") for name in SIGNATURE},
        learning=_learning(folder, how.learning_curve.models),
        orders=_orders(folder) if how.oversampled_split.models else None,
        controls=read_controls(folder) if how.controls.kinds else None,
        sites=read_sites(folder) if how.site_validation.models else None,
    )


def _learning(folder: Path, models: list[str]) -> dict[str, Learning]:
    return {
        name: Learning(
            table_of(folder, f"learning_curve/{name}.parquet"),
            facts_of(folder, f"learning_curve/{name}.json"),
        )
        for name in models
    }


def _orders(folder: Path) -> Orders:
    return Orders(
        table_of(folder, "oversampled_split/orders.parquet"),
        facts_of(folder, "oversampled_split/orders.json"),
    )


def _model(folder: Path, name: str) -> Model:
    return Model(
        info=facts_of(folder, f"models/{name}/model.json"),
        predictions=table_of(folder, f"models/{name}/predictions.parquet"),
        search=table_of(folder, f"models/{name}/search.parquet"),
        importance=table_of(folder, f"models/{name}/importance.parquet"),
    )
