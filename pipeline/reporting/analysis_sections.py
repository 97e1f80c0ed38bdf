"""The sections of the report that each analysis brings, in the order of the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pipeline.reporting.blocks import Section
from pipeline.reporting.results import Results
from pipeline.reporting.sections.outcomes.course import (
    columns_section,
    course_section,
    readings_section,
)
from pipeline.reporting.sections.outcomes.groups import groups_section
from pipeline.reporting.sections.prediction.ablation import ablation_section
from pipeline.reporting.sections.prediction.added_value import added_value_section
from pipeline.reporting.sections.prediction.controls import controls_section
from pipeline.reporting.sections.prediction.fitting import hyperparameters_section
from pipeline.reporting.sections.prediction.importance import importance_section
from pipeline.reporting.sections.prediction.learning import learning_section
from pipeline.reporting.sections.prediction.models import performance_section
from pipeline.reporting.sections.prediction.orders import orders_section
from pipeline.reporting.sections.prediction.sample_size import sample_size_section
from pipeline.reporting.sections.prediction.selection import selection_section
from pipeline.reporting.sections.prediction.sensitivity import sensitivity_section
from pipeline.reporting.sections.prediction.sites import sites_section
from pipeline.reporting.sections.prediction.subgroups import subgroups_section
from pipeline.reporting.sections.prediction.validation import validation_section
from pipeline.reporting.sections.regression_summary import regression_section

Build = Callable[[Results], Section]


class AnalysisSections(NamedTuple):
    """What one analysis shows.

    Attributes
    ----------
    of_patients : tuple of callable
        Sections that come behind the patients' characteristics and before the images.
    of_features : tuple of callable
        Sections that come behind the readers' agreement on the features.
    missed : bool
        Whether the page says why they are not there where nobody asked for the analysis.
    """

    of_patients: tuple[Build, ...] = ()
    of_features: tuple[Build, ...] = ()
    missed: bool = False


ANALYSIS_SECTIONS: dict[str, AnalysisSections] = {
    "outcomes": AnalysisSections(
        (readings_section, groups_section, course_section, columns_section)
    ),
    "regression": AnalysisSections((regression_section,)),
    "prediction": AnalysisSections(
        of_patients=(sample_size_section,),
        of_features=(
            *(selection_section, hyperparameters_section, performance_section),
            *(subgroups_section, added_value_section, controls_section, validation_section),
            sites_section,
            *(learning_section, orders_section, sensitivity_section, importance_section),
            ablation_section,
        ),
        missed=True,
    ),
}
"""Name of an analysis -> its sections; `pipeline.study.analyses` has the analyses themselves."""


def shown_analyses(results: Results) -> list[AnalysisSections]:
    """Return the sections of the analyses that a study asks for, or whose lack it tells."""
    asked = results.study.config["analyses"]
    return [each for name, each in ANALYSIS_SECTIONS.items() if name in asked or each.missed]
