"""The files of a finished run, read once for the report.

What a study must hold follows from its configuration alone, so that files which an earlier
configuration left behind are never shown, and a file that is missing is an error instead of a gap.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from pipeline.core.fit_status import is_fitted
from pipeline.reporting.dropped import Dropped, dropped_models
from pipeline.reporting.judged_rows import JudgedRows, judged_rows
from pipeline.reporting.result_files import (
    AddedValue,
    Controls,
    Sites,
    facts_of,
    read_added_value,
    read_controls,
    read_sites,
    table_of,
)
from pipeline.study.analyses.outcomes import has_course
from pipeline.study.perturbed_masks import perturbs
from pipeline.study.study import Study, open_study, predicts
from pipeline.tables.readers import latest_label
from pipeline.tables.schemas.prediction.signature import SIGNATURE
from pipeline.tables.sites import has
from pipeline.tables.split_designs import holds_out


@dataclass(frozen=True)
class Imaging:
    """Tables of the imaging half; columns as in docs/files.md."""

    ingest: pd.DataFrame
    masks: pd.DataFrame
    agreement: pd.DataFrame
    preflight: pd.DataFrame
    extraction: pd.DataFrame
    verification: pd.DataFrame
    resample: pd.DataFrame
    pictures: dict[str, Path]

    @property
    def between_readers(self) -> pd.DataFrame:
        """Return the rows of `agreement` that compare two readers' originals."""
        return self.agreement[self.agreement["comparison"] == "readers"]


@dataclass(frozen=True)
class Model:
    """One model's files."""

    info: dict
    predictions: pd.DataFrame
    search: pd.DataFrame
    importance: pd.DataFrame


@dataclass(frozen=True)
class Evaluation:
    """Tables of the evaluation, all models together."""

    metrics: pd.DataFrame
    comparisons: pd.DataFrame
    roc: pd.DataFrame
    calibration: pd.DataFrame
    calibration_curve: pd.DataFrame
    calibration_tests: pd.DataFrame
    decision_curve: pd.DataFrame
    confusion: pd.DataFrame


@dataclass(frozen=True)
class Ablation:
    """One model's ablation: its steps, their single fits and what was done."""

    table: pd.DataFrame
    seeds: pd.DataFrame
    info: dict


@dataclass(frozen=True)
class Nested:
    """One model's nested cross-validation: its outer folds and their summary."""

    table: pd.DataFrame
    info: dict


@dataclass(frozen=True)
class Optimism:
    """One model's correction for optimism: its metrics and what was done."""

    table: pd.DataFrame
    info: dict


@dataclass(frozen=True)
class Learning:
    """One model's learning curve: a row a repeat and share, and what was done."""

    table: pd.DataFrame
    info: dict


@dataclass(frozen=True)
class Orders:
    """Oversampling before the split beside the right order: rows of both, and what was done."""

    table: pd.DataFrame
    info: dict


@dataclass(frozen=True)
class Modelling:
    """Tables of the modelling half.

    `units` holds no feature columns. `models`, `nested`, `optimism` and `ablation` hold what could
    be fitted, `dropped` what could not.
    """

    units: pd.DataFrame
    info: dict
    split: pd.DataFrame
    selection: pd.DataFrame
    selection_info: dict
    stability: pd.DataFrame
    stability_info: dict
    models: dict[str, Model]
    evaluation: Evaluation
    winner: dict
    sample_size: dict
    references: pd.DataFrame
    added_value: AddedValue
    sensitivity: pd.DataFrame
    missingness: pd.DataFrame
    nested: dict[str, Nested]
    optimism: dict[str, Optimism]
    ablation: dict[str, Ablation]
    dropped: tuple[Dropped, ...]
    subgroups: pd.DataFrame
    signature: dict[str, pd.DataFrame]
    orders: Orders | None = None
    sites: Sites | None = None
    learning: dict[str, Learning] = field(default_factory=dict)
    controls: Controls | None = None


@dataclass(frozen=True)
class Groups:
    """Groups compared by the clinical columns: variables, cells, effects, and what was done."""

    table: pd.DataFrame
    cells: pd.DataFrame
    effects: pd.DataFrame
    info: dict


@dataclass(frozen=True)
class Course:
    """Scales, events, levels, figures and readings: their tables by name, and what was done."""

    tables: dict[str, pd.DataFrame]
    info: dict


@dataclass(frozen=True)
class Regression:
    """The regression of the clinical predictors: its tables by name, and what was done."""

    tables: dict[str, pd.DataFrame]
    facts: dict


@dataclass(frozen=True)
class Perturbed:
    """Perturbed extractions: what was done to each mask, and which features survive it."""

    table: pd.DataFrame
    repetitions: pd.DataFrame


@dataclass(frozen=True)
class Results:
    """Everything the report reads.

    Attributes
    ----------
    study : Study
        The frozen study.
    folder : pathlib.Path
        ``results/<study>``.
    flow : dict
        Flow of patients.
    reproducibility : pandas.DataFrame
        One row per feature; empty with one reader.
    families : pandas.DataFrame
        One row per family of features; empty with one reader.
    imaging : Imaging or None
        None for a study that starts from ready feature tables.
    modelling : Modelling or None
        None for a study without outcome or clinical table.
    groups : Groups or None
        None for a study that compares no groups.
    regression : Regression or None
        None for a study without one.
    course : Course or None
        None for a study that asks for no scales, events, levels, figures or readings.
    perturbed : Perturbed or None
        None for a study that perturbs nothing.
    """

    study: Study
    folder: Path
    flow: dict
    reproducibility: pd.DataFrame
    families: pd.DataFrame
    imaging: Imaging | None
    modelling: Modelling | None
    groups: Groups | None = None
    regression: Regression | None = None
    course: Course | None = None
    perturbed: Perturbed | None = None

    def __getitem__(self, option: str) -> object:
        """Return an option of the configuration, nested ones as ``"selection.ccc.threshold"``."""
        value: object = self.study.config
        for key in option.split("."):
            value = value[key]
        return value

    def table(self, name: str) -> pd.DataFrame:
        """Return a table of the study's folder, such as ``"outcomes/groups.parquet"``."""
        return table_of(self.folder, name)

    def facts(self, name: str) -> dict:
        """Return a JSON file of the study's folder, such as ``"outcomes/groups.json"``."""
        return facts_of(self.folder, name)


def has_images(config: dict) -> bool:
    """Return whether a configuration asks for the imaging half."""
    return has(config, "cases")


def has_models(config: dict) -> bool:
    """Return whether a configuration asks for the modelling half."""
    return predicts(config)


def has_features(config: dict) -> bool:
    """Return whether a configuration asks for features, of images or of ready tables."""
    return has(config, "cases") or has(config, "features")


def regresses(config: dict) -> bool:
    """Return whether a configuration asks for a regression of clinical predictors."""
    return "regression" in config["analyses"]


def compares(config: dict) -> bool:
    """Return whether a configuration asks for groups to be compared."""
    return "outcomes" in config["analyses"]


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
    config = study.config
    return Results(
        study=study,
        folder=folder,
        flow=facts_of(folder, "tables/flow.json"),
        reproducibility=_of_features(folder, config, "reproducibility"),
        families=_of_features(folder, config, "reproducibility_families"),
        imaging=_imaging(folder, study) if has_images(config) else None,
        modelling=_modelling(folder, config) if has_models(config) else None,
        groups=_groups(folder) if compares(config) else None,
        regression=_regression(folder) if regresses(config) else None,
        course=_course(folder) if compares(config) and has_course(config) else None,
        perturbed=_perturbed(folder) if perturbs(config) else None,
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
    names = ("coefficients", "model", "optimism")
    tables = {name: table_of(folder, f"regression/tables/{name}.parquet") for name in names}
    return Regression(tables, facts_of(folder, "regression/regression.json"))


def _groups(folder: Path) -> Groups:
    return Groups(
        table_of(folder, "outcomes/groups.parquet"),
        table_of(folder, "outcomes/cells.parquet"),
        table_of(folder, "outcomes/effects.parquet"),
        facts_of(folder, "outcomes/groups.json"),
    )


def _of_features(folder: Path, config: dict, name: str) -> pd.DataFrame:
    """Return a table on the features; without any, it has no row."""
    if has_features(config):
        return table_of(folder, f"tables/{name}.parquet")
    columns = ("image_type", "feature_class", "n", "ccc", "readers")
    return pd.DataFrame({column: [] for column in columns})


def measured_unit(results: Results) -> str:
    """Return what readers measured: a case, or the unit of a study of ready feature tables."""
    return results["unit"] if results.imaging is None else "case"


def region(results: Results) -> str:
    """Return what was contoured: a vertebra where vertebral levels are known, else a region."""
    tables = [results.study.cases, None if results.modelling is None else results.modelling.units]
    known = [
        table["level"].notna().any() for table in tables if table is not None and "level" in table
    ]
    return "vertebra" if any(known) else "region"


def regions(results: Results) -> str:
    """Return the plural of `region`."""
    return {"vertebra": "vertebrae", "region": "regions"}[region(results)]


def judged(results: Results) -> JudgedRows:
    """Return which rows the study's models are judged on, in words."""
    return judged_rows(results.study.config)


def metric(results: Results, model: str, name: str, part: str | None = None) -> pd.Series | None:
    """Return one row of the metrics, None where it was not computed.

    Parameters
    ----------
    results : Results
        The finished run.
    model, name : str
        Of the model and of the metric.
    part : str, optional
        Rows that it is of; by default those that the models are judged on.
    """
    table = results.modelling.evaluation.metrics
    part = judged(results).part if part is None else part
    rows = table[(table["model"] == model) & (table["part"] == part) & (table["metric"] == name)]
    return rows.iloc[0] if len(rows) else None


def _imaging(folder: Path, study: Study) -> Imaging:
    names = ("ingest", "masks", "agreement", "preflight", "extraction", "verification")
    tables = {name: table_of(folder, f"tables/{name}.parquet") for name in names}
    batches = sorted(study.cases["batch"].unique())
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


def _modelling(folder: Path, config: dict) -> Modelling:
    analysis = table_of(folder, "tables/analysis.parquet")
    evaluation = {
        name: table_of(folder, f"evaluation/{name}.parquet")
        for name in Evaluation.__dataclass_fields__
    }
    info = facts_of(folder, "tables/analysis.json")
    labels = [*info["readers"], *map(latest_label, info.get("corrected", {}))]
    prefixes = tuple(f"{label}:" for label in labels)
    infos = {
        "train": {name: facts_of(folder, f"models/{name}/model.json") for name in config["models"]},
        **{
            stage: {
                name: facts_of(folder, f"{stage}/{name}.json") for name in config[stage]["models"]
            }
            for stage in ("nested", "optimism", "ablation")
        },
    }
    trained = [name for name, info in infos["train"].items() if is_fitted(info)]
    if not holds_out(config["split"]):
        # Without test rows, a model that nested cross-validation could not judge has no figures.
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
            [
                table_of(folder, f"sensitivity/{name}.parquet")
                for name in trained or config["models"]
            ],
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
        learning=_learning(folder, config),
        orders=_orders(folder) if config["oversampled_split"]["models"] else None,
        controls=read_controls(folder) if config["controls"]["kinds"] else None,
        sites=read_sites(folder) if config["site_validation"]["models"] else None,
    )


def _learning(folder: Path, config: dict) -> dict[str, Learning]:
    return {
        name: Learning(
            table_of(folder, f"learning_curve/{name}.parquet"),
            facts_of(folder, f"learning_curve/{name}.json"),
        )
        for name in config["learning_curve"]["models"]
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
