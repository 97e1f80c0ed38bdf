"""The rules that join several options of a configuration: each is told with its remedy."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.core.errors import StudyError
from pipeline.core.mode_labels import is_leaking
from pipeline.core.problems import Problems, listing, suggestion
from pipeline.core.sections import part_of, taken
from pipeline.study.analyses import ANALYSES
from pipeline.study.modelling_checks import (
    check_harmonisation,
    check_no_hold_out,
    check_primary,
    check_published_order,
    check_repeated_models,
    check_split,
)
from pipeline.study.perturbed_masks import check_perturbations
from pipeline.study.sections.perturbing import Perturbations
from pipeline.tables.sites import ALONE, OPTIONS, HandedIn, feature_readers, has, sites_of
from pipeline.tables.split_designs import holds_out

#: What Windows keeps for its devices, and the folder beside the studies in which results of single
#: scans lie. A file system that does not tell capitals apart knows no other `Store`.
TAKEN_NAMES = frozenset(
    (
        *("store", "con", "prn", "aux", "nul"),
        *(f"{device}{number}" for device in ("com", "lpt") for number in range(10)),
    )
)

#: Letters of a study's name: folders below it must still have paths that every system can open.
LONGEST_NAME = 64


def study_name_problem(name: str) -> StudyError | None:
    """Return what keeps `name` from naming a study's folder, None where nothing does."""
    found = (
        "a line break" if "\n" in name else name if name.isprintable() else "a control character"
    )
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        return StudyError(
            "The name of a study must begin with a letter or digit, and hold letters, digits, '_' "
            "and '-' only",
            found=found if len(found) <= LONGEST_NAME else f"{found[:LONGEST_NAME]}...",
            where="config key study",
            remedy="write such a name, such as `study: pain-2025`",
            code="study-name-invalid",
        )
    if name.lower() in TAKEN_NAMES:
        return StudyError(
            "The name of a study must not be one that is taken: `store` is the folder of what all "
            "studies share, and Windows keeps names such as CON for devices",
            found=name,
            where="config key study",
            remedy=f"give it another name, such as `study: {name}-study`",
            code="study-name-taken",
        )
    if len(name) > LONGEST_NAME:
        return StudyError(
            f"The name of a study must have at most {LONGEST_NAME} letters, since folders bear it",
            found=f"{len(name)} letters",
            where="config key study",
            remedy="give it a shorter name, and write the long one as `title`",
            code="study-name-too-long",
        )
    return None


def _check_names(config: dict, problems: Problems) -> None:
    if (problem := study_name_problem(config["study"])) is not None:
        problems.errors.append(problem)
    results = config["results"]
    if not results.isprintable() or set(results) & set("{}"):
        problems.add(
            "The folder of results must be a path without braces and line breaks",
            found=repr(results),
            where="config key results",
            remedy="rename the folder, or give another one",
            code="path-with-braces",
        )


def check_combinations(config: dict, problems: Problems) -> None:
    """Add the rules that join several options."""
    tables = part_of(HandedIn, config)
    if tables.sites is not None:
        _check_sites(config, problems)
        if problems:
            return
    given = [key for key in ("cases", "features") if has(tables, key)]
    alone = config["clinical_only"]
    if alone:
        _check_clinical_alone(config, given, problems)
    elif len(given) > 1 or (not given and "prediction" in config["analyses"]):
        problems.add(
            "A study must start from exactly one of `cases` (masks) and `features` (ready tables)",
            found="both" if given else "neither",
            where="config keys cases, features",
            remedy="remove one of them"
            if given
            else "give the path of one of them; for groups of a clinical table alone write "
            "`analyses: [outcomes]`, for a regression of it `analyses: [regression]`, for models "
            "of it `clinical_only: true`",
            code="cases-or-features",
        )
    _check_analyses(config, problems)
    _check_names(config, problems)
    _check_clinical_keys(config, problems)
    _check_paths(config, problems)
    for key in ("columns", "not_features", "also_features"):
        if config[key] and not has(tables, "features"):
            problems.add(
                f"`{key}` is of ready feature tables",
                where=f"config key {key}",
                remedy=f"remove `{key}`; vertebromics intake names the columns of a table of masks",
                code="option-of-ready-features",
            )
    check_perturbations(
        config["perturbations"]["repetitions"],
        config["selection"]["robustness"],
        config["mode"],
        problems,
        images=has(tables, "cases"),
    )
    check_published_order(config, problems)
    if has(tables, "features"):
        check_model_reader(part_of(ReaderOptions, config), feature_readers(tables), problems)
    check_split(config["split"], problems)
    check_harmonisation(config, problems)
    if not holds_out(config["split"]["design"]) and "prediction" in config["analyses"]:
        check_no_hold_out(config, problems)
    low, high = config["evaluation"]["decision_curve"]
    if low >= high:
        problems.add(
            "The range of the decision curve must run from a lower to a higher probability",
            found=[low, high],
            where="config key evaluation.decision_curve",
            remedy="write the lower one first, such as [0.01, 0.99]",
            code="decision-curve-range",
        )
    check_primary(config, problems)
    convention = config["masks"]["convention"]
    own = convention if isinstance(convention, dict) else {}
    # 20, 20.0 and "20" are one label.
    if len({str(label).strip().removesuffix(".0") for label in own.values()}) < len(own):
        problems.add(
            "An own convention must give each level a label of its own",
            found=listing(f"{level}: {label}" for level, label in convention.items()),
            where="config key masks.convention",
            remedy="correct the labels, or name a convention: this one has a label twice",
            code="label-convention-ambiguous",
        )
    check_repeated_models(config, problems)
    if config["controls"]["kinds"] and (
        config["cases"] is None or "prediction" not in config["analyses"]
    ):
        problems.add(
            "Negative controls need images, whose voxels are mixed, and a prediction",
            found="a study without `cases`"
            if config["cases"] is None
            else "`analyses` without prediction",
            where="config key controls.kinds",
            remedy="write `controls: {kinds: []}`",
            code="controls-without-images",
        )


def _check_sites(config: dict, problems: Problems) -> None:
    """Add what keeps the tables of several sites from being those of one study."""
    sites = config["sites"]
    beside = [key for key in OPTIONS if config[key] is not None]
    if beside:
        problems.add(
            "A study of several sites has its tables below `sites`",
            found=f"sites and {listing(beside)}",
            where="config key sites",
            remedy=f"move {listing(beside)} below the site that the tables are of",
            code="sites-and-tables",
        )
    if len(sites) < 2:
        problems.add(
            "A study with `sites` must name at least two",
            found=listing(sites) or "none",
            where="config key sites",
            remedy="add the other site, or write its tables at the top, without `sites`",
            code="one-site",
        )
    if len({name.casefold() for name in sites}) < len(sites):
        problems.add(
            "Sites must differ by more than capitals, since ids begin with their names",
            found=listing(sorted(sites)),
            where="config key sites",
            remedy="rename one of them",
            code="sites-alike",
        )
    for key in OPTIONS:
        without = sorted(name for name, given in sites.items() if given[key] is None)
        if without and len(without) < len(sites):
            problems.add(
                f"Every site must have `{key}`, or none",
                found=f"not {listing(without)}",
                where="config key sites",
                remedy=f"give `{key}` of {listing(without)} too, or of nobody",
                code="sites-differ-in-tables",
            )
    readers = {name: sorted(given["features"] or {}) for name, given in sites.items()}
    if len(set(map(tuple, readers.values()))) > 1:
        problems.add(
            "Every site must have the same names of readers",
            found=listing(f"{name}: {listing(each)}" for name, each in sorted(readers.items())),
            where="config key sites",
            remedy="call the readers alike, such as `features: {R1: ..., R2: ...}` at each site: "
            "R1 of one site may be another person than R1 of the other",
            code="sites-differ-in-readers",
        )


def _check_clinical_alone(config: dict, given: Sequence[str], problems: Problems) -> None:
    """Add what a study of clinical predictors alone has too much, or lacks."""
    if given:
        problems.add(
            "A study of clinical predictors alone has no images and no features",
            found=f"clinical_only: true and {listing(given)}",
            where="config key clinical_only",
            remedy=f"remove `clinical_only`, or {listing(given)}",
            code="clinical-only-with-images",
        )
    tables = part_of(HandedIn, config)
    for key in ("clinical", "dictionary", "outcome"):
        absent = not has(tables, key) if key == "clinical" else config[key] is None
        if absent and "prediction" in config["analyses"]:
            problems.add(
                f"Models of clinical predictors alone need `{key}`",
                where=f"config key {key}",
                remedy="give it; `vertebromics new NAME` writes templates of the tables",
                code="clinical-only-option-missing",
            )
    if is_leaking(config["mode"]) and "prediction" in config["analyses"]:
        problems.add(
            "`mode: as_published` is the order of a study that selects features on everyone; "
            "models of clinical predictors alone have none",
            found="clinical_only: true",
            where="config key mode",
            remedy="write `mode: rigorous`; `oversampled_split: {models: [rf]}` sets the leaking "
            "order of zhang2025 beside it",
            code="clinical-only-as-published",
        )


def _check_analyses(config: dict, problems: Problems) -> None:
    """Add what the analyses lack."""
    asked = [each for name, each in ANALYSES.items() if name in config["analyses"]]
    clinical = [each for each in asked if each.clinical_only]
    tables = part_of(HandedIn, config)
    for key in ("clinical", "dictionary") if clinical else ():
        if not (has(tables, key) if key == "clinical" else config[key] is not None):
            problems.add(
                f"The analysis `{clinical[0].name}` is of a clinical table, and needs `{key}`",
                where=f"config key {key}",
                remedy="give its path; `vertebromics new NAME` writes templates",
                code="analysis-of-clinical-table",
            )
    for each in clinical:
        if each.needs_outcome and config["outcome"] is None:
            problems.add(
                f"The analysis `{each.name}` needs an outcome",
                where="config key outcome",
                remedy="such as `outcome: {name: pain, formula: vas >= 4}`",
                code="analysis-without-outcome",
            )
    for each in asked:
        if each.check is not None:
            each.check(config, problems)


def _check_paths(config: dict, problems: Problems) -> None:
    """Add paths of feature tables that Snakemake would read as patterns."""
    paths = {
        f"features.{reader}" if site == ALONE else f"sites.{site}.features.{reader}": path
        for site, of_site in sites_of(part_of(HandedIn, config))
        for reader, path in (of_site.features or {}).items()
    }
    for option, path in paths.items():
        if set("{}\n") & set(path):
            problems.add(
                "A path must not hold a brace or a line break, which Snakemake reads as its own",
                found=repr(path),
                where=f"config key {option}",
                remedy="rename the file or folder",
                code="path-with-braces",
            )


def _check_clinical_keys(config: dict, problems: Problems) -> None:
    tables = part_of(HandedIn, config)
    clinical = has(tables, "clinical")
    if not clinical:
        # Ready feature tables may carry the outcome themselves.
        beside = has(tables, "features") and config["outcome"] is not None
        for key in () if beside else ("outcome", "eligibility", "dictionary"):
            if config[key]:
                problems.add(
                    f"`{key}` needs the table `clinical`",
                    where="config key clinical",
                    remedy=f"give the path of the clinical table, or remove `{key}`",
                    code="option-of-clinical-table",
                )
    if config["dictionary"] is not None:
        return
    if isinstance(config["predictors"], list) and config["predictors"]:
        problems.add(
            "Clinical predictors need a data dictionary with the type and timing of each column",
            found=listing(config["predictors"]),
            where="config key dictionary",
            remedy="`vertebromics new NAME` writes a template",
            code="predictors-without-dictionary",
        )
    elif has(tables, "cases") and clinical:
        problems.add(
            "A clinical table needs a data dictionary with the type and timing of each column",
            where="config key dictionary",
            remedy="`vertebromics new NAME` writes a template",
            code="clinical-without-dictionary",
        )


@dataclass(frozen=True, kw_only=True)
class ReaderOptions:
    """Options that name readers, and whether a model sees the features of one."""

    model_reader: str | None
    simulated_reader: str | None
    outcome: Mapping | None
    perturbations: Perturbations = taken(Perturbations)


def check_model_reader(options: ReaderOptions, readers: Sequence[str], problems: Problems) -> None:
    """Add what is wrong with the readers that options name, given the study's readers."""
    perturbed = options.perturbations.reader
    if perturbed is not None and perturbed not in readers:
        problems.add(
            "`perturbations.reader` must be one of the readers",
            found=perturbed,
            where="config key perturbations.reader",
            remedy=suggestion(perturbed, readers) or f"write one of {listing(readers)}, or null",
            code="perturbed-reader-unknown",
        )
    choice = options.model_reader
    if "mean" in readers:
        problems.add(
            "No reader may be called 'mean': the word stands for the mean of the readers",
            where="readers of the study",
            remedy="rename the reader",
            code="reader-called-mean",
        )
    if choice is None and len(readers) > 1 and options.outcome is not None:
        problems.add(
            "With several readers, the model must be told whose features it sees",
            found=f"readers {listing(readers)}",
            where="config key model_reader",
            remedy=f"write one of {listing([*readers, 'mean'])}",
            code="model-reader-unnamed",
        )
    if choice is not None and choice not in [*readers, "mean"]:
        problems.add(
            "`model_reader` must be one of the readers, or 'mean'",
            found=choice,
            where="config key model_reader",
            remedy=suggestion(choice, readers) or f"write one of {listing([*readers, 'mean'])}",
            code="model-reader-unknown",
        )
    simulated = options.simulated_reader
    if simulated is not None and simulated not in readers:
        problems.add(
            "`simulated_reader` must be one of the readers",
            found=simulated,
            where="config key simulated_reader",
            remedy=suggestion(simulated, readers) or f"write one of {listing(readers)}, or null",
            code="simulated-reader-unknown",
        )
