"""One new patient's CT and mask, through the stages of a study, to the features of a frozen model.

The same functions read, check, resample and extract as in a study, with the options that the model
carries; what they would refuse there gets no risk here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from deployment.moved_masks import SECOND, moved_features
from models.frozen.card import SEEN, number
from models.frozen.model import FrozenModel
from pipeline.checks.mask_rules import dense_material
from pipeline.core.errors import CaseError, StudyError
from pipeline.core.findings import Finding, from_json
from pipeline.core.keeping.store import PassingStore, Store
from pipeline.extract import extract_crops
from pipeline.extraction import Parameters, load_params, read_crop
from pipeline.imaging.ct_options import CtOptions
from pipeline.ingest import ingest_scans, scans_of
from pipeline.preflight import judge
from pipeline.resample import resample_masks, select_masks
from segmentation.masks import prepare_masks
from segmentation.regions.placement import Reading

NEW, READER = "new", "A"

LEVELS = re.compile(r"C[1-7]|T([1-9]|1[0-3])|L[1-6]|S1")
"""Levels, as in a table of cases."""


@dataclass(frozen=True)
class Scan:
    """What is handed in of one vertebra.

    Attributes
    ----------
    image : pathlib.Path
        CT: a DICOM folder, NIfTI or NRRD.
    mask : pathlib.Path
        Its mask, in any format that a study takes.
    level : str
        Vertebral level.
    series : str or None
        Series of the folder, where it holds several.
    label : str or None
        Number or name of the structure in the mask.
    second_mask : pathlib.Path or None
        The mask of another reader, or the same reader's second one.
    second_label : str or None
        The same as `label`, in the second mask.
    """

    image: Path
    mask: Path
    level: str
    series: str | None = None
    label: str | None = None
    second_mask: Path | None = None
    second_label: str | None = None


@dataclass(frozen=True)
class Extracted:
    """Features of one vertebra, and what has to be known about its CT and mask.

    Attributes
    ----------
    features : dict of str to float
        By name.
    findings : list of Finding
        What the checks said, none of it an error.
    facts : list of (str, str, str)
        Facts of the CT as text: name, value, note where training held nothing like it.
    moved : dict of str to (dict or None)
        Features with the mask ``eroded`` and ``dilated`` by 1 mm; None where there are none; with
        the mask of the ``second reader`` where there is one.
    """

    features: dict[str, float]
    findings: list[Finding]
    facts: list[tuple[str, str, str]]
    moved: dict[str, dict[str, float] | None] = field(default_factory=dict)


def extract_features(
    model: FrozenModel, scan: Scan, folder: Path, *, move_mask: bool = False
) -> Extracted:
    """Return the features of one vertebra as the model's study would compute them.

    Parameters
    ----------
    model : FrozenModel
        Carries the options of reading, checking and extracting.
    scan : Scan
        CT and mask.
    folder : pathlib.Path
        Empty folder for what the stages hand to one another.
    move_mask : bool
        Whether the features of the eroded and the dilated mask are computed too.

    Raises
    ------
    StudyError
        If the model was made without images, or the level is none.
    CaseError
        If CT or mask break a rule of the model: the patient gets no risk.
    """
    imaging = model.facts["imaging"]
    if imaging is None:
        raise StudyError(
            "Only a model of a study with images predicts from a CT",
            found="a model that began with tables of features, or has none",
            where=model.where,
            remedy="predict a table, or give the values as options",
            code="model-without-images",
        )
    cases = cases_of(scan)
    store = PassingStore(folder)
    ingested = ingest_scans(
        scans_of(cases), store, imaging["checks"], CtOptions(**imaging["ingest"])
    )
    params = load_params(imaging["parameters"])
    features, findings, crop = _features(cases, ingested, store, imaging, params, "mask")
    facts = facts_of_ct(imaging["seen"], {**ingested.iloc[0].to_dict(), "level": scan.level})
    moved: dict[str, dict[str, float] | None] = {}
    if move_mask:
        moved = dict(moved_features(read_crop(store.path(crop)), params, imaging["engine"]))
    if scan.second_mask is not None:
        other = replace(scan, mask=scan.second_mask, label=scan.second_label)
        given = (cases_of(other), ingested, store, imaging, params, "second mask")
        moved[SECOND], noted, _ = _features(*given)
        known = {each.code for each in findings}
        findings += [each for each in noted if each.code not in known]
    return Extracted(features, findings, facts, moved)


def _features(
    cases: pd.DataFrame,
    ingested: pd.DataFrame,
    store: Store,
    imaging: Mapping,
    params: Parameters,
    mask: str,
) -> tuple[dict[str, float], list[Finding], str]:
    """Return one mask's features, what the checks said, and where its crop lies.

    Parameters
    ----------
    cases, ingested : pandas.DataFrame
        One case, and its CT.
    store : Store
        Holds the CT.
    imaging : mapping
        The model's options of imaging.
    params : Parameters
        Of the extraction.
    mask : str
        What an error calls the mask.

    Raises
    ------
    CaseError
        If a study would refuse the CT or the mask.
    """
    masks = prepare_masks(cases, ingested, store, imaging["checks"], Reading(**imaging["masks"]))
    days = masks.assign(days_from_surgery=pd.NA)
    limits = imaging["preflight"]
    dense = dense_material(days, {NEW}, limits["timing"], limits["max_dense_share"])
    verdicts = judge(ingested, masks, cases, dense)
    findings = _passed(verdicts["findings"].iloc[0], mask)
    chosen = select_masks(cases, ingested, masks, verdicts)
    crops = resample_masks(chosen, store, params, imaging["engine"])
    features, status = extract_crops(crops, store, params, imaging["engine"])
    findings += _passed(status["findings"].iloc[0], mask)
    row = features.drop(columns=["case_id", "reader"]).iloc[0]
    return {name: float(value) for name, value in row.items()}, findings, crops["crop"].iloc[0]


def cases_of(scan: Scan) -> pd.DataFrame:
    """Return a table of cases with one row, as the stages take it."""
    if not LEVELS.fullmatch(scan.level):
        raise StudyError(
            "The level must be one of a vertebra",
            found=scan.level,
            where="option --level",
            remedy="write C1-C7, T1-T13, L1-L6 or S1, in capitals",
            code="level-not-a-vertebra",
        )
    row = {
        "patient_id": NEW,
        "scan_id": NEW,
        "case_id": NEW,
        "level": scan.level,
        "reader": READER,
        "image": str(scan.image),
        "series": scan.series,
        "mask": str(scan.mask),
        "label": scan.label,
        "days_from_surgery": None,
        "batch": NEW,
    }
    return pd.DataFrame([row]).astype(object)


def facts_of_ct(seen: Mapping, facts: Mapping) -> list[tuple[str, str, str]]:
    """Compare a CT with those of the training rows.

    Parameters
    ----------
    seen : mapping
        ``imaging.seen`` of a frozen model.
    facts : mapping
        Facts of the CT, under the same names.

    Returns
    -------
    list of (str, str, str)
        Name, value, and a note where training held nothing like it.
    """
    told = []
    for name, known in seen.items():
        value = facts.get(name)
        if value is None or pd.isna(value):
            told.append((SEEN.get(name, name), "not known", ""))
            continue
        if "counts" in known:
            text, strange = str(value), str(value) not in known["counts"]
        else:
            text = number(float(value))
            strange = known["low"] is None or not known["low"] <= value <= known["high"]
        told.append((SEEN.get(name, name), text, "never seen in training" if strange else ""))
    return told


def _passed(text: str, mask: str) -> list[Finding]:
    """Return findings, or raise the first errors among them."""
    findings = from_json(text)
    wrong = [each for each in findings if each.severity == "error"]
    if wrong:
        first = wrong[0]
        more = "".join(f" {each.sentence}." for each in wrong[1:])
        raise CaseError(
            "A CT and mask that a study would refuse get no risk",
            found=f"{first.sentence.rstrip('.')}.{more}".rstrip("."),
            where="CT" if first.about == "ct" else mask,
            remedy=first.remedy or "mend the file",
            code="image-refused",
        )
    return findings
