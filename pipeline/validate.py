"""Validate a study: its configuration and tables, before anything runs.

Reads the configuration, the table of masks (or the ready feature tables), the clinical table and
its data dictionary; tells everything that is wrong with them; and freezes what is right into
``results/<study>/study``, which every later stage opens instead of the researcher's files.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipeline.core import command
from pipeline.core.errors import ReportError, StudyError
from pipeline.core.problems import Problems, each_of, listing
from pipeline.core.sections import part_of, taken
from pipeline.running.run_lock import only_run
from pipeline.study.clinical_checks import (
    ClinicalCheckOptions,
    check_formulas,
    check_groups,
    check_split_column,
    check_treated_level,
)
from pipeline.study.config import load_config, resolve_config, tables_alone, user_config
from pipeline.study.config_checks import ReaderOptions, check_model_reader
from pipeline.study.example_figures import figures_of
from pipeline.study.flow.patient_flow import FlowOptions
from pipeline.study.flow.warnings_of_few import FewOptions, warn_if_too_few
from pipeline.study.perturbed_masks import PerturbingOptions, cost_of, perturbed_reader
from pipeline.study.sections.imaging import Extraction, Masks, Preflight
from pipeline.study.sections.judging import Ablation, Evaluation
from pipeline.study.site_checks import SiteCheckOptions, check_site
from pipeline.study.study import Ready, Study, predicts, write_study
from pipeline.tables.cases import read_cases_of_sites
from pipeline.tables.clinical.clinical_source import (
    ClinicalOptions,
    clinical_tables,
    used_columns,
)
from pipeline.tables.dictionary import (
    allowed_predictors,
    check_program_names,
)
from pipeline.tables.features.feature_columns import Layout, LayoutOptions
from pipeline.tables.features.feature_names import check_candidates, foreign_names
from pipeline.tables.features.feature_table_checks import kept_out_text
from pipeline.tables.features.feature_tables import named_features
from pipeline.tables.features.reader_units import other_units
from pipeline.tables.features.site_features import ready_columns, ready_keys, ready_tables
from pipeline.tables.handed_in_options import Outcome
from pipeline.tables.pairs import PairOptions, check_ids_spelled, check_together
from pipeline.tables.readers import originals
from pipeline.tables.registered import read_marker, suspicious_ids
from pipeline.tables.sites import HandedIn, feature_files, has, sites_of
from pipeline.tables.subgroup_columns import check_subgroups

logger = logging.getLogger(__name__)
counts = logging.getLogger("pipeline.tables.values.formula_values")
"""What a run shows at its start too (pipeline/rules/common.smk)."""


def validate_study(config: dict) -> Study:
    """Read and check the tables of a resolved configuration.

    Parameters
    ----------
    config : dict
        As `pipeline.study.config.resolve_config` returns it.

    Returns
    -------
    Study
        The configuration with its typed, sorted tables.

    Raises
    ------
    StudyError
        Telling what is wrong in which table, row and column, and what to do about it.
    """
    problems = Problems("the study")
    options = part_of(CheckedOptions, config)
    tables = _read_tables(options, problems)
    _check_tables(options, tables, problems, predicted=predicts(config))
    problems.raise_if_any()
    clinical = tables.clinical
    if clinical is not None:
        treated = options.preflight.treated_level
        clinical = used_columns(clinical, options, treated, tables.dictionary)
    study = Study(config, tables.cases, clinical, tables.dictionary, ready=tables.ready)
    if predicts(config):
        warn_if_too_few(study.tables, study.options(FlowOptions), study.options(FewOptions))
    return study


@dataclass(frozen=True, kw_only=True)
class CheckedOptions(
    ClinicalOptions,
    PairOptions,
    PerturbingOptions,
    ClinicalCheckOptions,
    SiteCheckOptions,
    ReaderOptions,
):
    """Options that say which tables a study has, and what these must fit.

    Attributes
    ----------
    scans_per_job, figures
        Options of these names.
    masks, extraction, evaluation, ablation, preflight : section
        The configuration's sections of these names.
    """

    scans_per_job: int
    figures: Sequence[Mapping]
    outcome: Outcome | None = taken(Outcome)
    masks: Masks = taken(Masks)
    extraction: Extraction = taken(Extraction)
    evaluation: Evaluation = taken(Evaluation)
    ablation: Ablation = taken(Ablation)
    preflight: Preflight = taken(Preflight)


@dataclass
class _Tables:
    """The tables of a study as far as they can be read."""

    clinical: pd.DataFrame | None = None
    dictionary: pd.DataFrame | None = None
    cases: pd.DataFrame | None = None
    ready: Ready | None = None

    @property
    def features(self) -> pd.DataFrame | None:
        """Ids of ready feature tables."""
        return None if self.ready is None else self.ready.cases


def _read_tables(options: CheckedOptions, problems: Problems) -> _Tables:
    """Read every table, and note what is wrong with each."""
    tables = _Tables()
    if has(options, "clinical") or options.outcome is not None:
        with problems.step():
            tables.clinical, tables.dictionary = clinical_tables(options, problems)
    if has(options, "cases"):
        with problems.step():
            tables.cases = read_cases_of_sites(options, options.scans_per_job)
            _check_convention(options, options.masks.convention)
            _check_readers(options, tables.cases)
            _tell_perturbations(options, tables.cases)
        with problems.step():
            perturbed = options.perturbations.chain if options.perturbs else ()
            check_parameter_file(options.extraction.params, perturbed)
    elif has(options, "features"):
        with problems.step():
            tables.ready = _read_ready(options, options.unit, tables.dictionary)
    return tables


def _check_tables(
    options: CheckedOptions, tables: _Tables, problems: Problems, *, predicted: bool
) -> None:
    """Note what does not belong together, one check after the other, as far as tables are there."""
    if options.figures:
        # What reads images takes longer to load than all other checks.
        from pipeline.checks.example_images import check_figures

        check_figures(figures_of(options.figures), problems)
    clinical, dictionary = tables.clinical, tables.dictionary
    cases, features = tables.cases, tables.features
    with problems.step():
        check_ids_spelled(clinical=clinical, cases=cases, features=features)
    if clinical is not None and _is_typed(dictionary):
        with problems.step():
            check_formulas(options, clinical, dictionary)
        with problems.step():
            check_split_column(options.split, options.unit, clinical, dictionary)
        if predicted:
            with problems.step():
                asked = options.evaluation.subgroups
                check_subgroups(asked, dictionary, images=cases is not None)
        with problems.step():
            check_site(options, clinical, dictionary)
        if cases is not None or features is not None:
            with problems.step():
                check_together(options, clinical, cases, features)
        with problems.step():
            check_groups(options, clinical, dictionary)
    if problems:
        return  # what follows looks at tables that are right
    if predicted and features is not None:
        named = named_features(feature_files(options)[0], Layout.of(options, dictionary))
        rows = allowed_predictors(dictionary, options.timing, options.predictors)
        check_program_names(rows, named)
    if options.ablation.features and predicted:
        _check_ablated(options, dictionary)
    check_treated_level(options.preflight.treated_level, clinical)


def _tell_perturbations(options: CheckedOptions, cases: pd.DataFrame) -> None:
    """Tell what the perturbations of a study cost, before anything runs."""
    if options.perturbs:
        chosen = options.perturbations.reader, options.model_reader
        reader = perturbed_reader(*chosen, originals(cases["reader"]))
        masks = int((cases["reader"] == reader).sum())
        counts.info(
            "perturbations of reader %s: %s", reader, cost_of(options.perturbations, masks).text()
        )


def _is_typed(dictionary: pd.DataFrame) -> bool:
    """Return whether every column that a formula may use has a type."""
    used = ~dictionary["role"].isin(["id", "other"])
    return bool(dictionary.loc[used, "type"].notna().all())


def _check_convention(given: HandedIn, stated: str | Mapping) -> None:
    """Warn if the configuration names another convention than register was told of all masks."""
    for _, of_site in sites_of(given):
        told = read_marker(of_site.cases).get("convention")
        if told is not None and stated not in ("none", told):
            logger.warning(
                "intake read the masks by the convention %s, but masks.convention is %s: write "
                "masks: {convention: %s}",
                told,
                stated if isinstance(stated, str) else "an own map",
                told,
            )


def _read_ready(options: LayoutOptions, unit: str, dictionary: pd.DataFrame | None) -> Ready:
    """Return what the ready feature tables say; log which columns are no features."""
    layout = Layout.of(options, dictionary)
    features, notes = ready_keys(options, unit, layout)
    for note in notes:
        logger.info(note)
    columns = ready_columns(options)
    tables, features_of = {}, {}
    # What `gather` will read: a cell that is no number is told before anything runs.
    for reader, (table, names, _) in ready_tables(options, unit, layout).items():
        key = "case_id" if "case_id" in table else "patient_id"
        tables[reader], features_of[reader] = table.set_index(key), names
        words = sorted(set(layout.features_among(columns[reader])) - set(names))
        if words:
            logger.warning(
                "%d columns of the table of reader %s hold words, dates or codes and no numbers, "
                "or count the rows; they are left out: %s",
                *(len(words), reader, listing(words, 20)),
            )
    for each in other_units(tables, next(iter(features_of.values()))):
        logger.warning("%s", each.text())
    first = next(iter(columns.values()))
    kept_out = layout.kept_out(first)
    if kept_out:
        logger.warning("%s", kept_out_text(kept_out))
    foreign = foreign_names(layout.features_among(first))
    if foreign:
        logger.warning(
            "%d columns taken for features bear no name of PyRadiomics: %s. A time or a grade that "
            "is known only later belongs into `not_features`.",
            len(foreign),
            listing(foreign),
        )
    for column in {"patient_id", "case_id"} & set(features.columns):
        warning = suspicious_ids(features[column].dropna().unique(), column, "features")
        if warning is not None:
            logger.warning("%s", warning)
    return Ready(features, notes, columns)


def _check_ablated(options: CheckedOptions, dictionary: pd.DataFrame) -> None:
    """Raise `StudyError` unless the features named for the ablation are candidates."""
    if has(options, "cases"):
        from pipeline.extraction import feature_names, load_params

        features = feature_names(load_params(options.extraction.params))
    elif has(options, "features"):
        layout = Layout.of(options, dictionary)
        features = named_features(feature_files(options)[0], layout)
    else:
        features = []
    predictors = allowed_predictors(dictionary, options.timing, options.predictors)
    check_candidates(options.ablation.features, {*features, *predictors["column"]})


def check_parameter_file(path: str, perturbed: Sequence[str] = ()) -> None:
    """Raise `StudyError` unless PyRadiomics can compute what the parameter file asks for.

    What is valid, but perhaps not meant, is logged. `perturbed` names the steps in which images are
    perturbed, if they are.
    """
    # Only a study of images needs PyRadiomics, whose start takes longer than all other checks.
    from pipeline.extraction import feature_names, load_params
    from pipeline.extraction.params import parameter_notes

    params = load_params(path)
    feature_names(params)
    if perturbed:
        from pipeline.extraction.perturbations.drawing import check_chain

        check_chain(perturbed, params)
    for note in parameter_notes(params):
        logger.warning(note)


def _check_readers(options: ReaderOptions, cases: pd.DataFrame) -> None:
    problems = Problems("the readers")
    check_model_reader(options, originals(cases["reader"]), problems)
    problems.raise_if_any()
    corrected = cases.loc[cases["version"] > 1, "case_id"].nunique()
    if corrected:
        logger.info(
            "Cases with corrected masks: %d. Agreement is that of the originals, models see the "
            "latest versions",
            corrected,
        )


def main(options: argparse.Namespace) -> None:
    """Validate one study and write its folder; tell everything that is wrong at once."""
    user = json.loads(options.resolved) if options.resolved is not None else None
    try:
        config = load_config(options.config) if user is None else resolve_config(user)
        study = validate_study(config)
    except StudyError as error:
        if user is None:
            user = user_config(options.config)
        raise _everything(error, user) from None
    out = options.out or study.folder / "study"
    if out == study.folder / "study":
        with only_run(study.folder):  # a run under way reads what would be written
            write_study(study, out)
    else:
        write_study(study, out)
    logger.info("study %s is valid; written to %s", study.name, out)


def _everything(error: StudyError, user: dict) -> StudyError:
    """Return one error for all problems of a study: also of its tables if the options are wrong.

    Parameters
    ----------
    error : StudyError
        What ended the check: of the configuration, or of the tables.
    user : dict
        What the study's own file states.
    """
    errors, config = each_of(error), None
    try:
        config = resolve_config(user)
    except StudyError:
        with contextlib.suppress(StudyError):
            config = resolve_config(tables_alone(user))
        if config is not None:
            try:
                validate_study(config)
            except StudyError as more:
                told = {str(one) for one in errors}
                errors += [one for one in each_of(more) if str(one) not in told]
    lines = []
    if config is not None and config["clinical"] and config["dictionary"]:
        from pipeline.study.draft.whats_wrong import ReadingOptions, lines_to_paste

        with contextlib.suppress(StudyError):
            lines = lines_to_paste(part_of(ReadingOptions, config))
    if len(errors) == 1 and not lines:
        return errors[0]
    from pipeline.study.draft.whats_wrong import grouped, pasted

    return ReportError(grouped(errors) + pasted(lines))


def _arguments() -> argparse.ArgumentParser:
    arguments = command.parser("pipeline.validate", __doc__)
    source = arguments.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--config", nargs="+", type=Path, help="configuration files, the later overriding"
    )
    source.add_argument("--resolved", help="the configuration as JSON, as the Snakefile has it")
    arguments.add_argument(
        "--out", type=Path, help="folder to write (default: results/<study>/study)"
    )
    return arguments


if __name__ == "__main__":
    command.run(main, _arguments())
