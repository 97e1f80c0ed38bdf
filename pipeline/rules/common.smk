# What all rules share: the validated study, its paths, and what a job asks of the machine.
#
# The study is validated here, before any rule, and frozen when a run starts, not by a rule:
# Snakemake does not look at the parameters of jobs below an `ancient()` input that is itself made
# anew, so that a changed table would reach its batches one run late. Its options and rows reach each
# rule as parameters instead, which is also narrower than a file. A job that is a process of
# Snakemake's own (on a cluster) opens the frozen study and reads no table of the researcher's.
import logging
import shutil
import sys
from functools import cache
from pathlib import Path
from shlex import quote

from pipeline.core.errors import VertebromicsError
from pipeline.core.files import machine_error
from pipeline.running.fingerprint import code_fingerprint, files_fingerprint
from pipeline.core.installed.job_environment import use_package
from pipeline.core.problems import listing
from pipeline.running.image import IMAGE, check_image
from pipeline.running.run_lock import begin_run
from pipeline.running.progress import NOTICE
from pipeline.running.run_start import at_start
from pipeline.running.slurm_executor_mends import mend_executor
from pipeline.running.stage_options import read_by
from pipeline.study.analyses import ANALYSES
from pipeline.study.analyses.prediction import judged_models
from pipeline.study.example_figures import figures_of, files_of
from pipeline.study.model_families import MODEL_FAMILIES
from pipeline.study.perturbed_masks import PerturbingOptions
from pipeline.study.study import write_study
from pipeline.tables.sites import feature_files, has
from pipeline.tables.split_designs import holds_out
from pipeline.running.triggers import (
    files_state,
    options,
    parameter_file,
    rows_hash,
    rows_hashes,
)
from pipeline.study_of_run import study_of_run
from pipeline.tables.schemas.pages import PageOptions, write_study_page
from pipeline.tables.schemas.prediction.signature import SIGNATURE

use_package(PACKAGE)
mend_executor()


container: IMAGE  # with --sdm apptainer; otherwise Snakemake ignores it


# What validation has to say although the run goes on; the runner (pipeline/running/run.py) shows it.
if not logging.getLogger("pipeline").handlers:
    notices = logging.StreamHandler()
    notices.setFormatter(logging.Formatter(f"{NOTICE}%(message)s"))
    logging.getLogger("pipeline").addHandler(notices)
    # Events, others and unknown ones are told before anything runs, not only in validate.
    logging.getLogger("pipeline.tables.values.formula_values").setLevel(logging.INFO)

IS_JOB = not workflow.is_main_process
# Snakemake checks the environment's variables wherever it may run something.
IS_LINT = not workflow.check_envvars
if IS_JOB:
    # A job is not asked why it runs, and hashing all code takes longer than many a job.
    code_fingerprint = files_fingerprint = lambda _: "as in the main process"


def clearly(function, *arguments, **options):
    """Call a function; raise what a person can read where input or machine is at fault."""
    try:
        return function(*arguments, **options)
    except Exception as error:
        told = error if isinstance(error, VertebromicsError) else machine_error(error)
        if told is None:
            raise
        raise WorkflowError(str(told)) from None


# Reads alone: a study that is refused leaves no folder of results.
study = clearly(study_of_run, config, is_job=IS_JOB, is_lint=IS_LINT)
config = study.config
FOLDER = study.folder.as_posix()
HANDED_IN = study.options(PerturbingOptions)
clearly(
    deployed.check_paths,
    [FOLDER, *feature_files(HANDED_IN)],
    workflow.modifier.path_modifier.replace_prefix,
)


def hold_study(arguments=()):
    """Hold the study for this run. Who finds another one under way touches nothing of it."""
    clearly(begin_run, study.folder, Path(config["results"], "store"), arguments)


def freeze_study():
    """Write the study as all jobs of this run open it, and what its tables will hold."""
    deployment = workflow.deployment_settings.deployment_method
    if "APPTAINER" in {method.name for method in deployment}:
        clearly(check_image)
    clearly(write_study, study, study.folder / "study")
    clinical = study.clinical is not None
    clearly(
        write_study_page, study.folder, study.options(PageOptions), clinical=clinical
    )


if not IS_JOB and not IS_LINT:
    if not workflow.output_settings.dryrun:
        hold_study(sys.argv[1:])
    at_start(workflow, hold_study, freeze_study)

HAS_IMAGES = study.cases is not None
PERTURBS = HANDED_IN.perturbs
HAS_FEATURES = HAS_IMAGES or has(HANDED_IN, "features")
# What the study's tables are asked, as far as they go.
RUNNING = [
    each
    for each in ANALYSES.values()
    if each.runs(config["analyses"], outcome=config["outcome"] is not None)
    and study.clinical is not None
]
# Figures of example images that the study names.
EXAMPLES = figures_of(config["figures"])
HAS_MODELS = any(each.name == "prediction" for each in RUNNING)
BATCHES = sorted(study.cases["batch"].unique()) if HAS_IMAGES else []
MODELS = config["models"] if HAS_MODELS else []
PRIMARY = config["primary"] or {"model": None}
JUDGED_MODELS = judged_models(config["models"], PRIMARY["model"])
ABLATED = config["ablation"]["models"] if HAS_MODELS else []
NESTED = config["nested"]["models"] if HAS_MODELS else []
RESAMPLED = config["optimism"]["models"] if HAS_MODELS else []
CURVED = config["learning_curve"]["models"] if HAS_MODELS else []
REORDERED = config["oversampled_split"]["models"] if HAS_MODELS else []
BY_SITE = config["site_validation"]["models"] if HAS_MODELS else []
# Without a hold-out, what the outer folds of nested cross-validation predict judges the models.
HAS_TEST_ROWS = holds_out(config["split"]["design"])
JUDGED_BY_NESTED = (
    {}
    if HAS_TEST_ROWS
    else {
        "nested": f"{FOLDER}/nested/{{model}}.parquet",
        "nested_predictions": f"{FOLDER}/nested/{{model}}_predictions.parquet",
    }
)
# Processes of a job. A run on a cluster has no cores of its own to count; there `auto` means four.
WORKERS = config["workers"]
if WORKERS == "auto":
    try:
        WORKERS = max(1, workflow.cores // config["threads"])
    except WorkflowError:
        WORKERS = 4


# A pattern, and no list of the batches: Snakemake carries it in every path of every job.
wildcard_constraints:
    batch="b[0-9]+" if BATCHES else "none",
    model="|".join(config["models"]),
    table="ingest|masks|agreement|extraction|features|perturbations",


FEATURES = f"{FOLDER}/tables/features.parquet"
# What the flow of patients follows: verdicts and extraction where there are images.
TO_JOIN = {"features": FEATURES} if HAS_FEATURES else {}
if HAS_IMAGES:
    TO_JOIN["preflight"] = f"{FOLDER}/tables/preflight.parquet"
    TO_JOIN["extraction"] = f"{FOLDER}/tables/extraction.parquet"
# Nothing is joined, and so nothing modelled, before what was verified agrees with PyRadiomics.
VERIFIED = {"verified": f"{FOLDER}/tables/verified.json"} if HAS_IMAGES else {}
# How scans were acquired, where there are images.
ACQUIRED = {"ingest": f"{FOLDER}/tables/ingest.parquet"} if HAS_IMAGES else {}
# How well features survive perturbations, where the study asks for them.
ROBUSTNESS = (
    [f"{FOLDER}/tables/{name}.parquet" for name in ("robustness", "perturbations")]
    if PERTURBS
    else []
)
# How well readers' masks overlap, where there are images.
AGREEMENT = {"agreement": f"{FOLDER}/tables/agreement.parquet"} if HAS_IMAGES else {}
ROWS_TO_JOIN = [
    rows_hash(
        study.cases,
        ["patient_id", "scan_id", "case_id", "level", "reader", "days_from_surgery"],
    ),
    rows_hash(study.clinical),
    rows_hash(study.dictionary),
]
EVALUATION = [
    f"{FOLDER}/evaluation/{name}.parquet"
    for name in [
        "metrics",
        "comparisons",
        "roc",
        "calibration",
        "calibration_curve",
        "calibration_tests",
        "decision_curve",
        "confusion",
        "subgroups",
    ]
]


def of_batches(name):
    """Return the files `name` of all batches."""
    return [f"{FOLDER}/batches/{batch}/{name}" for batch in BATCHES]


# What the filter of robust features is learned from, beside the analysis table.
PERTURBED, PERTURBED_UNITS = {}, {}
if PERTURBS and config["selection"]["robustness"] != "readers":
    PERTURBED = {"perturbed": of_batches("perturbed.parquet")}
    PERTURBED_UNITS = {"perturbed": f"{FOLDER}/tables/analysis_perturbed.parquet"}


def folder_of_batches(wildcards):
    """Return the folder of all batches, for commands that know which they are.

    A shell takes 128 kB as one command: less than the names of a few thousand files.
    """
    return f"{FOLDER}/batches"


def of_models(name):
    """Return the files `name` of all models."""
    return [f"{FOLDER}/models/{model}/{name}" for model in MODELS]


@cache
def cases_of_batches():
    """Return the rows of the cases of each batch: looked up once, not for every job."""
    return dict(list(study.cases.groupby("batch")))


def of_batch(known, wildcards):
    """Return what is known of the job's batch, or say that the study has no such batch."""
    if wildcards.batch not in known:
        raise WorkflowError(
            f"The study has no batch {wildcards.batch}. Remedy: ask for one of "
            f"{listing(BATCHES)}; their number follows from `scans_per_job`."
        )
    return known[wildcards.batch]


def rows_of_batch(*columns):
    """Return a function of the wildcards: hash of the batch's rows of the cases."""
    hashes = cache(lambda: rows_hashes(study.cases, "batch", columns or None))
    return lambda wildcards: of_batch(hashes(), wildcards)


def files_of_batch(column):
    """Return a function of the wildcards: state of the batch's image or mask files."""
    return lambda wildcards: files_state(
        of_batch(cases_of_batches(), wildcards)[column]
    )


@cache
def treated_levels_of_batches():
    """Return the hash of the treated levels of each batch's patients that have any."""
    key, column = f"{config['unit']}_id", config["preflight"]["treated_level"]
    units = study.cases[[key, "batch"]].drop_duplicates()
    treated = units.merge(study.clinical[[key, column]], on=key)
    return rows_hashes(treated, "batch", [key, column])


def treated_levels_of_batch(wildcards):
    """Return the hash of the treated levels of the batch's patients, where they are asked for."""
    column, key = config["preflight"]["treated_level"], f"{config['unit']}_id"
    if column is None:
        return "none"
    nobody = rows_hash(study.clinical.iloc[:0], [key, column])
    return treated_levels_of_batches().get(wildcards.batch, nobody)


def memory(megabytes):
    """Return memory in MB that doubles with every retry."""
    return lambda wildcards, attempt: megabytes * 2 ** (attempt - 1)


def minutes(number):
    """Return a limit of time in minutes that doubles with every retry."""
    return lambda wildcards, attempt: number * 2 ** (attempt - 1)


def nested_arguments(input):
    """Return the options that name a job's nested cross-validation, in a study without a hold-out."""
    if HAS_TEST_ROWS:
        return ""
    return (
        f"--nested {quote(str(input.nested))}"
        f" --nested-predictions {quote(str(input.nested_predictions))}"
    )


def nested_files(files):
    """Return the option that names files of all models' nested cross-validation, where it judges."""
    return f"--nested {' '.join(map(quote, files))}" if files else ""


def gpus(model):
    """Return how many GPUs a job of `model` asks for: one where it can use one and there is one.

    With `device: auto` that is decided where Snakemake runs; on a cluster whose login node has no
    GPU, `device: cuda` asks for one. A profile's `resources: gpu=N` keeps jobs from sharing it.
    """
    wanted = config["device"] == "cuda" or (
        config["device"] == "auto" and shutil.which("nvidia-smi") is not None
    )
    return int(MODEL_FAMILIES[model].on_gpu and wanted)


def workers(model):
    """Return over how many processes a job of `model` spreads its fits: a GPU serves one."""
    return 1 if gpus(model) else WORKERS


def cores(wildcards):
    """Return how many cores a job of one model claims: the threads of all its processes."""
    return config["threads"] * workers(wildcards.model)


def preflight_targets(wildcards):
    """Return the verdict on every file, or say why there is none."""
    if not HAS_IMAGES:
        raise WorkflowError("A study without `cases` has no image to check.")
    return [f"{FOLDER}/tables/preflight.parquet", f"{FOLDER}/report/preflight"]


def reader_targets(wildcards):
    """Return the pages on which readers' masks are looked at, or say why there are none."""
    if not HAS_IMAGES:
        raise WorkflowError("A study without `cases` has no mask to look at.")
    return [f"{FOLDER}/report/readers/index.html"]


def feature_targets(wildcards):
    """Return the study's features and how well readers agree on them, or say why none."""
    if not HAS_FEATURES:
        raise WorkflowError("A study of a clinical table alone has no features.")
    return [
        f"{FOLDER}/tables/features.parquet",
        f"{FOLDER}/tables/reproducibility.parquet",
        f"{FOLDER}/tables/reproducibility_families.parquet",
        *VERIFIED.values(),
        *ROBUSTNESS,
    ]


def model_targets(wildcards):
    """Return the models and their evaluation, or say why there are none."""
    if not HAS_MODELS:
        raise WorkflowError(
            "Models need an outcome. Remedy: set `clinical`, `dictionary` and `outcome`, and "
            "`prediction` among `analyses`."
        )
    return [
        *of_models("search.parquet"),
        *EVALUATION,
        f"{FOLDER}/evaluation/winner.json",
        f"{FOLDER}/evaluation/sample_size.json",
        f"{FOLDER}/evaluation/references.parquet",
        f"{FOLDER}/evaluation/added_value.json",
        f"{FOLDER}/tables/missingness.parquet",
        *(
            [f"{FOLDER}/evaluation/controls.json"]
            if config["controls"]["kinds"]
            else []
        ),
        *[f"{FOLDER}/sensitivity/{model}.parquet" for model in MODELS],
        *[f"{FOLDER}/nested/{model}.json" for model in NESTED],
        *[f"{FOLDER}/optimism/{model}.json" for model in RESAMPLED],
        *[f"{FOLDER}/learning_curve/{model}.json" for model in CURVED],
        *[f"{FOLDER}/ablation/{model}.json" for model in ABLATED],
        *([f"{FOLDER}/oversampled_split/orders.json"] if REORDERED else []),
        *([f"{FOLDER}/site_validation/site_validation.json"] if BY_SITE else []),
    ]


def report_inputs(wildcards):
    """Return what the report shows, as far as the study goes."""
    tables, files = [], [f"{FOLDER}/tables/flow.json"]
    if HAS_FEATURES:
        tables += ["features", "reproducibility", "reproducibility_families"]
    files += [
        f"{FOLDER}/{name}" for each in RUNNING for name in each.results_of(config)
    ]
    if HAS_IMAGES:
        tables += [
            "ingest",
            "masks",
            "agreement",
            "preflight",
            "extraction",
            "verification",
        ]
        files += [f"{FOLDER}/report/preflight"]
        files += of_batches("resample.parquet") + of_batches("pictures")
        files += ROBUSTNESS
    if EXAMPLES:
        files += [f"{FOLDER}/example_images"]
    if HAS_MODELS:
        tables += ["analysis", "split", "selection", "stability", *SIGNATURE]
        files += [f"{FOLDER}/tables/{name}.json" for name in ["selection", "stability"]]
        files += model_targets(wildcards)
    return files + [f"{FOLDER}/tables/{name}.parquet" for name in tables]
