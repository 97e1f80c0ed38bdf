"""Functions of stages, called with what they read of a study."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from models.regress_study import RegressOptions, regress_study
from models.regression.cohort import Cohort
from models.regression.study_cohort import CohortOptions, study_cohort
from pipeline.comparison.table_one.table_one import TableOne
from pipeline.describe_course import CourseOptions, course
from pipeline.describe_groups import GroupOptions, compare
from pipeline.running.trace import TraceOptions, trace_case
from pipeline.study.study import Study


def groups_of(study: Study) -> tuple[TableOne, dict]:
    """Return what the stage describe_groups finds."""
    return compare(study.tables, study.options(GroupOptions))


def course_of(study: Study) -> tuple[dict[str, pd.DataFrame], dict]:
    """Return what the stage describe_course finds."""
    return course(study.tables, study.options(CourseOptions))


def cohort_of(study: Study) -> tuple[Cohort, Cohort | None]:
    """Return the rows of a study's regression."""
    return study_cohort(study.tables, study.options(CohortOptions))


def regress(study: Study, folder: Path) -> None:
    """Write what the stage regress finds."""
    regress_study(study.tables, study.options(RegressOptions), folder)


def traces_of(study: Study, case_id: str, reader: str | None = None) -> list[dict]:
    """Return where the features of a case come from."""
    how = study.options(TraceOptions)
    return trace_case(study.select_cases(), case_id, reader, study.folder, study.store, how)
