"""All options of a study: what stands at the top of a configuration, and its sections."""

from __future__ import annotations

from dataclasses import dataclass, make_dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pipeline.core.sections import (
    Rule,
    named_sections,
    option,
    optional_section,
    section,
    sections,
)
from pipeline.imaging.ct_options import CtOptions
from pipeline.study.analyses import ANALYSES
from pipeline.study.model_families import MODEL_FAMILIES
from pipeline.study.sections.added_value import AddedValue
from pipeline.study.sections.controls import Controls
from pipeline.study.sections.example_images import ExampleFigure
from pipeline.study.sections.fitting import Family, Search
from pipeline.study.sections.imaging import Agreement, Checks, Extraction, Masks, Preflight
from pipeline.study.sections.judging import (
    Ablation,
    Evaluation,
    Interpretation,
    LearningCurve,
    Nested,
    Optimism,
    OversampledSplit,
    Primary,
    Stability,
)
from pipeline.study.sections.perturbing import Perturbations
from pipeline.study.sections.reporting import Reporting
from pipeline.study.sections.selecting import Imputation, Scaling, Selection
from pipeline.study.sections.sites import Harmonisation, SiteValidation
from pipeline.tables.handed_in_options import (
    NAME,
    Column,
    Condition,
    Outcome,
    Path,
    Reader,
    Site,
)
from pipeline.tables.split_options import Split

if TYPE_CHECKING:
    Analysis = str
else:
    Analysis = Literal[*ANALYSES]

SiteName = Annotated[
    str,
    Rule(
        "name of a site",
        remedy="letters, digits and '_', at most 16: ids begin with it and a '-'",
        bounds={"pattern": "^[A-Za-z0-9][A-Za-z0-9_]{0,15}$"},
    ),
]
Pattern = Annotated[
    str, Rule("name of a column, `*` standing for anything", bounds={"min_length": 1})
]
OwnColumn = Annotated[
    Literal["patient_id", "case_id", "level", "days_from_surgery", "reader"],
    Rule(
        "column of this project",
        remedy="such as `columns: {patient_id: ID}`: this project's name first, then the table's",
    ),
]
TheirColumn = Annotated[
    Column | Annotated[list[Column], Rule("names of columns", bounds={"min_length": 1})],
    Rule(
        "column of the tables, or several whose values are joined",
        accepts="the name of a column, or a list of names",
    ),
]
Sentence = Annotated[str, Rule("a sentence on what is assumed", bounds={"min_length": 1})]
Word = Annotated[
    Annotated[str, Rule(bounds={"min_length": 1})] | float,
    Rule("a word or a number of the tables"),
]


@dataclass(frozen=True, kw_only=True)
class _HandedIn:
    """Name, tables and what is asked of them: what stands before the sections of analyses."""

    study: str = option(
        None,
        "name of the study; it names the results folder",
        "name of the study, letters, digits, '_' and '-'; names the results folder",
        pattern=NAME,
        required=True,
        remedy="letters, digits, '_' and '-', such as `study: pain-2025`; put a number in quotes",
    )
    title: str | None = option(
        None, "heading of the report", "heading of the report; the study's name where null"
    )
    notice: str | None = option(
        None,
        "sentences at the top of the report, such as that its data are synthetic",
        "sentences at the top of the report, e.g. that its data are synthetic",
    )
    protocol: str | None = option(
        None,
        "name of a preset in config/protocols, without .yaml",
        "preset in config/protocols/, without .yaml",
        pattern=NAME,
    )
    mode: Literal["rigorous", "as_published"] = option(
        "rigorous",
        "order of the steps, without leakage or as the published study had it, leaking",
        "rigorous | as_published: the published order selects on everyone and oversamples before "
        "the folds; it LEAKS and is labelled so wherever its numbers appear",
    )
    assumptions: dict[str, Sentence] = option(
        {},
        "what a protocol decides that its publication leaves open, {option: sentence}",
        "{option: what its value decides that the published study leaves open}: the report lists "
        "them",
    )
    results: str = option(
        "results",
        "folder that receives results/<study>/ and the store",
        "folder that receives results/<study>/ and the store",
        min_length=1,
    )
    seed: int = option(
        2025,
        "integer from which every random draw derives",
        "integer; every random draw of a run derives from it",
        unit="no unit",
        ge=0,
        le=4294967295,
    )

    cases: str | None = option(
        None,
        "path of the table of masks",
        "table that `vertebromics intake` wrote: one row per mask; null when `features` is given",
        min_length=1,
        heading="what is handed in",
    )
    features: Annotated[dict[Reader, Path], Rule(bounds={"min_length": 1})] | None = option(
        None,
        "one ready feature table per reader, {reader: path}",
        "{reader: path} ready feature tables; the study then needs no image",
        remedy="such as `features: {A: a.csv, B: b.csv}`; put a reader named by a number in quotes",
        replaced=True,
    )
    sites: Annotated[dict[SiteName, Site], Rule(bounds={"min_length": 2})] | None = named_sections(
        Site,
        "tables of several sites, {name: {features, clinical}}",
        "{A: {features: {R: a.csv}, clinical: a_clinical.csv}, B: {...}}: a study of several "
        "sites, in place of `cases`, `features` and `clinical`; ids begin with the site's name, "
        "and a column `site` is made (docs/sites.md)",
        remedy="such as `sites: {A: {features: {R: a.csv}, clinical: a_clinical.csv}, B: {...}}`",
        replaced=True,
    )
    columns: dict[OwnColumn, TheirColumn] = option(
        {},
        "what tables call the columns of this project, {patient_id: ID}",
        "{patient_id: ID}: what ready feature tables and the clinical table call this project's "
        "columns; {case_id: [ID, roi]}: an id made of several of theirs",
        remedy="such as `columns: {patient_id: ID}`, or `{case_id: [ID, roi]}` for an id of "
        "several columns",
        replaced=True,
    )
    not_features: list[Pattern] = option(
        [],
        "columns of ready feature tables that are no features",
        "columns of ready feature tables that are none, as a time or a grade known only later; * "
        "stands for anything: [OS_*, grade]",
    )
    also_features: list[Pattern] = option(
        [],
        "columns of ready feature tables that are features although their names are suspicious",
        "columns that are features although their names speak of a time, an age, a stage, or "
        "differ from all others: such are kept out until they are listed here; * stands for "
        "anything: [deep_*]",
    )
    missing_values: list[Word] = option(
        [],
        "words and numbers that stand for a value that is not known",
        'words and numbers that stand for "not known" in clinical columns, beside a blank, NA, '
        'N/A, NaN and null: [unknown, "?", -9]; in any spelling, in every column but the ids',
        unique=True,
        remedy='such as `missing_values: [unknown, "?", -9]`',
    )
    clinical: str | None = option(
        None,
        "path of the clinical table",
        "table: one row per unit (below); null ends the study at the features, unless ready "
        "feature tables hold the outcome themselves",
        min_length=1,
    )
    dictionary: str | None = option(
        None,
        "path of the data dictionary of the clinical table",
        "table: one row per clinical column (type, unit, levels, timing); without it ready feature "
        "tables have no clinical predictors",
        min_length=1,
    )
    readings: dict[Column, Annotated[list[Column], Rule(unique=True, bounds={"min_length": 2})]] = (
        option(
            {},
            "clinical columns that are made of several readings, {hu: [hu_a, hu_b, hu_c]}",
            "{hu: [hu_a, hu_b, hu_c]}: a clinical column that is made of readings: the mean "
            "(continuous), the median grade (ordinal), the majority (binary); the dictionary "
            "describes it, and the readings with the role `other`; the report has their agreement",
            remedy="such as `readings: {hu: [hu_a, hu_b, hu_c]}`",
            replaced=True,
        )
    )
    reading_ties: dict[Column, Literal["lower", "higher", "blank"]] = option(
        {},
        "what holds where readings tie, {genant: higher}",
        "{genant: higher, fracture: blank}: where the median lies between two grades, or yes and "
        "no draw; lower | higher (the second level of yes and no) | blank; asked for where needed",
        remedy="such as `reading_ties: {genant: higher}`",
        replaced=True,
    )
    reading_consensus: dict[Column, Column] = option(
        {},
        "the column that decides where readers of a grade, or yes and no, differ, {genant: agreed}",
        "{genant: genant_consensus}: a clinical column of what the readers agreed on, or of a "
        "further reader, which decides wherever they differ (types ordinal and binary); described "
        "like the readings, with the role `other`; a row that lacks it is an error",
        remedy="such as `reading_consensus: {genant: genant_consensus}`",
        replaced=True,
    )
    derived: dict[Column, str] = option(
        {},
        'clinical columns that formulas work out, {avh: "anterior / posterior * 100"}',
        '{change: "vas_day3 - vas_pre", low_muscle: "smi < 36 and sex == \'male\'"}: a number is a '
        "column of the type continuous or ordinal, a condition one of the type binary; in the "
        "order in which they stand; the dictionary describes them, and `check` prints their range",
        remedy='such as `derived: {change: "vas_day3 - vas_pre"}`',
        replaced=True,
    )
    unit: Literal["patient", "case"] = option(
        "patient",
        "what a row of the clinical table and of the model is",
        "patient | case: what a row of the clinical table and of the model is",
    )
    aggregation: Literal["mean", "median", "first"] | None = option(
        None,
        "how several cases of a patient become one row",
        "mean | median | first: several cases to one patient; required when it happens",
    )
    clinical_only: bool = option(
        False,
        "whether models see clinical predictors alone, without `cases` and `features`",
        "true: models of clinical predictors alone, without images or features; stated, so that a "
        "forgotten table is no such study",
    )
    model_reader: str | None = option(
        None,
        "reader whose features the model sees, or 'mean'",
        "reader whose features the model sees, or 'mean'; required with two readers",
        remedy="put a reader named by a number in quotes, such as `model_reader: '1'`",
    )

    analyses: list[Annotated[Analysis, Rule("an analysis")]] = option(
        ["prediction"],
        "what is asked of the study's tables",
        " | ".join(f"{each.name} ({each.meaning})" for each in ANALYSES.values())
        + ": one or several; without prediction a clinical table is enough",
        min_length=1,
        unique=True,
        heading="analyses",
    )


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """Outcome, images and how models are made: what stands behind the sections of analyses."""

    outcome: Outcome | None = optional_section(
        Outcome,
        "the binary endpoint, {name, label, formula}",
        '{name, label, formula}, e.g. "vas_day3 >= 4 and vas_day30 >= 4"',
        remedy="such as `outcome: {name: pain, formula: vas >= 4}`",
        heading="outcome and eligibility, formulas over clinical columns",
        replaced=True,
    )
    eligibility: list[Condition] = sections(
        Condition,
        "conditions that a unit has to meet, a list of {label, formula}",
        "list of {label, formula}: a unit stays where every formula is true",
    )
    timing: Literal["preoperative", "intraoperative", "postoperative"] = option(
        "preoperative",
        "latest timing a predictor may have",
        "preoperative | intraoperative | postoperative: latest predictor allowed",
    )
    predictors: Literal["all"] | Annotated[list[str], Rule(unique=True)] = option(
        "all",
        "`all`, or a list of clinical columns",
        "all (of the dictionary's predictors up to `timing`), or a list of columns",
        accepts="`all` or a list of names",
        remedy="write `predictors: all`, or a list such as [age, sex]; [] for radiomics alone",
    )

    on_bad_case: Literal["stop", "exclude"] = option(
        "exclude",
        "what happens when a case cannot be used",
        "stop | exclude: exclude goes on and the report names case and reason",
        heading="imaging",
    )
    scans_per_job: int = option(
        8,
        "scans that one job handles",
        "scans; one cluster job handles a batch, so that Python starts once",
        unit="scans",
        ge=1,
    )
    pack_volumes: bool = option(
        False,
        "whether CTs are packed in the store",
        "pack CTs in the store: half the disk (30 MB in place of 63 for 120 slices of 512 x 512), "
        "half a second of CPU more for each scan",
    )
    simulated_reader: str | None = option(
        None,
        "name of a reader whose masks are simulated",
        "name of a reader whose masks are simulated: the report says so",
    )
    ingest: CtOptions = section(CtOptions, "how a CT is read")
    extraction: Extraction = section(Extraction, "settings of the feature extraction")
    masks: Masks = section(Masks, "how mask files are read")
    checks: Checks = section(Checks, "limits of the checks of images and masks")
    preflight: Preflight = section(Preflight, "checks of a mask against the study's other tables")
    agreement: Agreement = section(Agreement, "comparison of the readers' masks")
    perturbations: Perturbations = section(
        Perturbations,
        "images and masks changed a little, and extracted again",
        "which features survive a shift of a part of a voxel, noise, or another outline; off by "
        "default (docs/robustness.md)",
    )

    split: Split = section(
        Split, "how patients are divided into training and held-out ones", heading="splitting"
    )

    selection: Selection = section(
        Selection,
        "the funnel of the features",
        "null instead of a threshold, p or k switches that filter off",
        heading="selection, learned inside every training fold",
    )
    imputation: Imputation = section(
        Imputation,
        "what replaces missing values",
        "of missing values, learned inside every training fold",
    )
    harmonisation: Harmonisation = section(
        Harmonisation,
        "how features of several sites are harmonised",
        "of radiomic features between sites, learned inside every training fold",
    )
    scaling: Scaling = section(
        Scaling, "how a feature is standardised, and the limits within which it is z-scored"
    )

    models: list[Annotated[Family, Rule("a model")]] = option(
        ["lr", "svm", "rf", "xgboost", "tabnet"],
        "models to train",
        min_length=1,
        unique=True,
        heading="models",
    )
    oversampling: Literal["none", "adasyn_tomek", "smote"] = option(
        "none",
        "correction of class imbalance in the training patients",
        "none | adasyn_tomek | smote: training patients only; it harms calibration, so off",
        remedy="write `oversampling: none`, `oversampling: adasyn_tomek` or `oversampling: smote`",
    )
    search: Search = section(Search, "search of the models' parameters")


@dataclass(frozen=True, kw_only=True)
class _Computed:
    """Device, evaluation and repetitions: what stands behind the sections of model families."""

    device: Literal["auto", "cpu", "cuda"] = option(
        "auto", "where TabNet trains", "auto | cpu | cuda: where TabNet trains"
    )
    threads: int = option(
        1,
        "threads a job computes with",
        "threads a process computes with; results change with it, so it is fixed",
        unit="threads",
        ge=1,
    )
    workers: Annotated[int, Rule(bounds={"ge": 1, "le": 256})] | Literal["auto"] = option(
        1,
        "processes over which a job spreads its fits",
        "processes over which a job spreads its fits, or auto: all cores of the run; results do "
        "not depend on it. A run works on several models at once anyway; more for few models, many "
        "cores, or one slow model such as TabNet",
        unit="processes",
        accepts="a whole number from 1 to 256, or auto",
    )

    evaluation: Evaluation = section(
        Evaluation, "evaluation on the held-out patients", heading="evaluation and ablation"
    )
    primary: Primary | None = optional_section(
        Primary,
        "the primary analysis, {model, part, metric}",
        "{model, part, metric}, the one analysis that the study is judged by: model one of "
        "`models`, or winner (the best in cross-validation); part test | nested (the only one, and "
        "the default, without a hold-out); null: none declared, and the report says so",
        remedy="such as `primary: {model: tabnet, part: test, metric: auroc}`",
    )
    added_value: AddedValue = section(
        AddedValue,
        "what radiomics adds to clinical data",
        "the model of `primary`, or the best one, fitted to clinical, radiomic and all candidates",
    )
    controls: Controls = section(
        Controls,
        "negative controls: the study's procedure on features of mixed voxels",
        "negative controls: how much is texture, how much shape, volume and density "
        "(docs/controls.md)",
    )
    nested: Nested = section(
        Nested,
        "nested cross-validation over the training patients",
        "nested cross-validation over the training patients: what the whole procedure can do",
    )
    stability: Stability = section(
        Stability,
        "the selection repeated on subsamples of the training patients",
        "the selection repeated, without a model, on subsamples of training patients",
    )
    optimism: Optimism = section(
        Optimism,
        "bootstrap correction of the apparent performance for its optimism",
        "Harrell's bootstrap: how much the training patients flatter the final model",
    )
    learning_curve: LearningCurve = section(
        LearningCurve,
        "the procedure run on growing shares of the training patients",
        "whether more patients would help: the procedure on growing shares of training patients",
    )
    oversampled_split: OversampledSplit = section(
        OversampledSplit,
        "oversampling before the split, which leaks, set beside the right order",
        "the order of zhang2025, on the study's patients and on permuted outcomes; it LEAKS",
    )
    site_validation: SiteValidation = section(
        SiteValidation,
        "what is shown of the sites of a study",
        "of a study with a column of the role `site`: each site left out in turn; what sites do",
    )
    interpretation: Interpretation = section(
        Interpretation,
        "what a model relies on",
        "what a model relies on, measured on its training patients",
    )
    ablation: Ablation = section(
        Ablation,
        "refits without parts of the input",
        "refits without parts of the input or the procedure: steps x seeds fits a model, and steps "
        "x split.folds for thresholds (search: fixed, no fixed threshold)",
    )


@dataclass(frozen=True, kw_only=True)
class _Told:
    """Example images, and what only the authors know: what stands last."""

    figures: list[ExampleFigure] = sections(
        ExampleFigure,
        "figures of example images, a list of {title, panels}",
        "list of {title, columns, panels: [{image, caption, letter, mask, polygon, window, cut}]}: "
        "PNG files or DICOM slices, searched for identity first (docs/example_images.md)",
        remedy="such as `figures: [{title: Example, panels: [{image: a.png, caption: before}]}]`",
        heading="figures of example images",
    )
    reporting: Reporting = section(
        Reporting,
        "what only the authors know, for the draft of the paper and its checklists",
        "what only the authors know; what is left out stays a marked gap in the draft of the paper",
        heading="for the paper",
    )


_ANALYSES = make_dataclass(
    "_Analyses",
    [
        (each.name, each.options, section(each.options, each.description, each.reason))
        for each in ANALYSES.values()
        if each.options is not None
    ],
    frozen=True,
    kw_only=True,
)
_FAMILIES = make_dataclass(
    "_Families",
    [
        (each.name, each.options, section(each.options, f"training of {each.label}"))
        for each in MODEL_FAMILIES.values()
        if each.options is not None
    ],
    frozen=True,
    kw_only=True,
)


@dataclass(frozen=True, kw_only=True)
class Options(_Told, _Computed, _FAMILIES, _Asked, _ANALYSES, _HandedIn):  # type: ignore[misc, valid-type]
    """Every option of a study, in the order of the bases from the last to the first."""
