"""The study that a Snakefile makes its rules of: validated, frozen, or a specimen for lint."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from pipeline.core.errors import StudyError
from pipeline.core.table_schema import types_of
from pipeline.study.config import resolve_config, study_folder
from pipeline.study.study import Study, open_study
from pipeline.tables.schemas.study_tables import Cases, Dictionary

#: Options with which every stage has its rule, and the columns of tables that rules read.
SPECIMEN = {
    "study": "specimen",
    "cases": "cases.csv",
    "clinical": "clinical.csv",
    "dictionary": "dictionary.csv",
    "model_reader": "A",
    "outcome": {"name": "event", "formula": "event == 1"},
    "figures": [{"title": "Example", "panels": [{"image": "a.png", "caption": "before"}]}],
}
COLUMNS = {
    "cases": list(types_of(Cases)),
    "clinical": ["patient_id", "event"],
    "dictionary": list(types_of(Dictionary)),
}


def study_of_run(config: Mapping, *, is_job: bool = False, is_lint: bool = False) -> Study:
    """Return the study that the rules are made of.

    Parameters
    ----------
    config : mapping
        What the researcher's file and the command line state.
    is_job : bool, optional
        Whether this process runs a job of a run that has frozen its study: then no table of the
        researcher's is read.
    is_lint : bool, optional
        Whether only the rules are looked at: then a study need not be named.

    Raises
    ------
    StudyError
        If the study is not valid, or none is named.
    """
    if not config and not is_lint:
        raise StudyError(
            "A run needs a study",
            remedy="snakemake --configfile <study>.yaml, or `config:` of a module; "
            "vertebromics new NAME writes a template",
            code="run-without-study",
        )
    if is_job:
        return open_study(study_folder(config) / "study")
    if not config:
        tables = {name: pd.DataFrame(columns=columns) for name, columns in COLUMNS.items()}
        return Study(resolve_config(SPECIMEN), **tables)
    from pipeline.validate import validate_study

    return validate_study(resolve_config(dict(config)))
