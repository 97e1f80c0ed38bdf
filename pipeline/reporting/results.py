"""The files of a finished run, read once for the report.

What a study must hold follows from its configuration alone, so that files which an earlier
configuration left behind are never shown, and a file that is missing is an error instead of a gap.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from pipeline.reporting.dropped import Dropped
from pipeline.reporting.judged_rows import JudgedRows, judged_rows
from pipeline.reporting.result_files import (
    AddedValue,
    Controls,
    ExampleFigure,
    Sites,
    facts_of,
    table_of,
)
from pipeline.study.study import Study
from pipeline.tables.sites import HandedIn, has
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
    examples : list of ExampleFigure
        Figures of example images; empty for a study that names none.
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
    examples: list[ExampleFigure] = field(default_factory=list)

    def __getitem__(self, option: str) -> object:
        """Return an option of the configuration, nested ones as ``"selection.ccc.threshold"``."""
        value: object = self.study.config
        for key in option.split("."):
            value = value[key]
        return value

    @property
    def has_features(self) -> bool:
        """Whether the study asks for features, of images or of ready tables."""
        given = self.study.options(HandedIn)
        return has(given, "cases") or has(given, "features")

    def table(self, name: str) -> pd.DataFrame:
        """Return a table of the study's folder, such as ``"outcomes/groups.parquet"``."""
        return table_of(self.folder, name)

    def facts(self, name: str) -> dict:
        """Return a JSON file of the study's folder, such as ``"outcomes/groups.json"``."""
        return facts_of(self.folder, name)


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
    """Return who the study's models are judged on, in words."""
    repeats = None if holds_out(results["split.design"]) else results["nested.repeats"]
    return judged_rows(repeats, results["unit"])


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
