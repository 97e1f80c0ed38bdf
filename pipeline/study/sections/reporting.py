"""Section of what only the authors know: words for the report, its methods text and checklists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pipeline.core.sections import option


def _words(description: str, example: str) -> Any:
    """Return the field of one sentence that only the authors can write."""
    return option(None, description, f"such as `{example}`", min_length=1)


@dataclass(frozen=True, kw_only=True)
class Reporting:
    """What no run can know; whatever is left out stays a marked gap in the text."""

    design: Literal["retrospective", "prospective"] | None = option(
        None, "how the cohort was collected", "retrospective | prospective"
    )
    sampling: Literal["consecutive", "random", "convenience"] | None = option(
        None, "how patients were chosen", "consecutive | random | convenience"
    )
    segmentation: Literal["manual", "semi-automatic", "automatic"] | None = option(
        None, "how masks were drawn", "manual | semi-automatic | automatic"
    )
    centres: int | None = option(
        None,
        "hospitals that the CTs come from",
        "hospitals that the CTs come from",
        unit="hospitals",
        ge=1,
    )
    setting: str | None = _words(
        "hospital and department", "spine surgery of one university hospital"
    )
    dates: str | None = _words("period of enrolment", "January 2019 to December 2022")
    ethics: str | None = _words(
        "approval and consent, as after `The study was`",
        "approved by the ethics committee of X (no. 1); consent was waived",
    )
    registration: str | None = _words("registration or protocol", "ClinicalTrials.gov, NCT00000000")
    data_source: str | None = _words("origin of the data", "private data of one hospital")
    overlap: str | None = _words(
        "earlier use of the same patients", "none has been reported before"
    )
    participants: str | None = _words("whom the model is meant for", "adults before kyphoplasty")
    intended_use: str | None = _words("who uses the model, and when", "surgeons, before consent")
    treatment: str | None = _words(
        "treatment of the patients", "bilateral kyphoplasty under general anaesthesia"
    )
    imaging_protocol: str | None = _words("protocol of the CT", "64-row CT, 120 kV, 3 mm slices")
    contrast: str | None = _words("contrast medium and phase", "none")
    ct_interval: str | None = _words("time from CT to operation", "CT within 3 days before surgery")
    software: str | None = _words(
        "software and rules of the segmentation", "3D Slicer 5.2, whole vertebral body"
    )
    readers: str | None = _words(
        "who drew the masks, with their experience", "two radiologists, 8 and 12 years"
    )
    blinding_readers: str | None = _words(
        "what readers did not know", "readers did not know the outcome"
    )
    outcome_window: str | None = _words(
        "when the outcome was assessed", "day 3 and day 30 after surgery"
    )
    outcome_assessment: str | None = _words(
        "who assessed the outcome, and how", "nurses by telephone, VAS 0-10"
    )
    blinding_outcome: str | None = _words(
        "what assessors did not know", "assessors had not seen the CT"
    )
    analgesics: str | None = _words(
        "pain medication while the outcome was assessed", "celecoxib for 7 days"
    )
    predictor_choice: str | None = _words(
        "why these clinical predictors", "named by three published cohorts"
    )
    sample_size: str | None = _words(
        "how the study size was arrived at", "all patients of the period"
    )
    confounders: str | None = _words(
        "how confounders were looked for", "scanner and slice thickness by outcome"
    )
    fairness: str | None = _words(
        "how groups of patients were considered", "performance by sex and age"
    )
    not_for: str | None = _words(
        "what the model must not be used for", "patients with several fractures"
    )
    patient_involvement: str | None = _words("part of patients and public", "none")
    data_availability: str | None = _words(
        "where data are, or why not", "on request, after a data agreement"
    )
    code_availability: str | None = _words("where code is", "https://example.org/code")
    model_availability: str | None = _words(
        "where the model is", "the frozen model is at https://example.org"
    )
    funding: str | None = _words("sources of money, and their part", "none")
    conflicts: str | None = _words("interests of the authors", "none declared")
