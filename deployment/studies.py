"""A study of new patients, run to its features: its rows as a frozen model takes them.

The workflow reads, checks and extracts the new patients' CT (``vertebromics run --configfile
new.yaml features preflight``); here it is looked that it did so as the model's own study did.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from deployment.values import typed
from models.frozen.model import FrozenModel
from pipeline.core.errors import StudyError
from pipeline.core.files import read_table
from pipeline.core.problems import listing
from pipeline.core.sections import taken
from pipeline.join import aggregate
from pipeline.running.triggers import parameter_file
from pipeline.study.sections.imaging import Extraction, Preflight
from pipeline.study.study import open_study
from pipeline.tables.readers import latest_versions
from pipeline.tables.schemas.features.features import Features

SECTIONS = ("ingest", "masks", "checks")
"""Sections of the configuration that decide which CTs and masks are taken, and how."""


@dataclass(frozen=True, kw_only=True)
class ImagingOptions:
    """Options that decide how the CT of new patients is read, checked and extracted.

    Attributes
    ----------
    timing : str
        The option of this name.
    ingest, masks, checks : mapping
        `SECTIONS`, as the frozen study has them.
    extraction, preflight : section
        The configuration's sections of these names.
    """

    timing: str
    ingest: Mapping
    masks: Mapping
    checks: Mapping
    extraction: Extraction = taken(Extraction)
    preflight: Preflight = taken(Preflight)


def read_study(
    model: FrozenModel, folder: Path, reader: str | None = None
) -> tuple[pd.DataFrame, list[str]]:
    """Return the new patients of a study as rows of predictors, and those without features.

    Parameters
    ----------
    model : FrozenModel
        A model of a study with images.
    folder : pathlib.Path
        ``results/<study>`` of the new patients, with ``tables/features.parquet``.
    reader : str, optional
        Whose masks count, in their latest versions; needed where there are several readers.

    Returns
    -------
    rows : pandas.DataFrame
        Indexed by unit, the columns that `deployment.prediction.predict` takes.
    without : list of str
        Units of the study that have no features: refused by the preflight, or by the extraction.

    Raises
    ------
    StudyError
        If the study has no features, another reader, or read or extracted its CT otherwise.
    """
    study = open_study(folder / "study")
    _check_alike(model, study.options(ImagingOptions), study.name, images=study.cases is not None)
    path = folder / "tables" / "features.parquet"
    if not path.exists():
        raise StudyError(
            "A study of new patients must have been run to its features",
            found="no tables/features.parquet",
            where=f"study {study.name}",
            remedy="vertebromics run --configfile STUDY.yaml features preflight",
            code="new-study-without-features",
        )
    features = latest_versions(read_table(path, Features))
    chosen = _reader_of(study.readers, study.name, reader)
    features = features[features["reader"] == chosen].set_index("case_id").drop(columns="reader")
    key = f"{model.outcome['unit']}_id"
    units = study.cases.drop_duplicates("case_id").set_index("case_id")
    units = units.index.to_series() if key == "case_id" else units[key]
    values = aggregate(features, units.loc[features.index], model.facts["imaging"]["aggregation"])
    wanted = [one.name for one in model.predictors if one.block == "radiomics"]
    sheet = values.reindex(columns=wanted).astype(object)
    clinical = [one.name for one in model.predictors if one.block != "radiomics"]
    if clinical and study.clinical is not None:
        known = study.clinical.set_index(study.clinical[key].astype(str))
        sheet = sheet.join(known.reindex(columns=[name for name in clinical if name in known]))
    text = sheet.apply(lambda column: column.map(_text)).astype(object)
    text = text.where(text.notna(), None).rename_axis(key).reset_index()
    text.index = pd.RangeIndex(1, len(text) + 1)
    rows = typed(model, text, key, f"study {study.name}")
    without = sorted(set(units.astype(str)) - set(rows.index))
    return rows, without


def _text(value: object) -> str | None:
    """Return a value as text that reads back as the same number."""
    if value is None or pd.isna(value):
        return None
    return repr(float(value)) if isinstance(value, float | np.floating) else str(value)


def _reader_of(readers: Sequence[str], study: str, reader: str | None) -> str:
    if reader is None and len(readers) == 1:
        return readers[0]
    if reader not in readers:
        raise StudyError(
            "It must be known whose masks the features of new patients are from",
            found=reader or f"{len(readers)} readers",
            where=f"study {study}",
            remedy=f"say --reader with one of {listing(readers)}",
            code="new-study-reader",
        )
    return reader


def _check_alike(model: FrozenModel, options: ImagingOptions, study: str, *, images: bool) -> None:
    """Refuse a study that reads or extracts otherwise than the model's own."""
    imaging = model.facts["imaging"]
    if imaging is None or not images:
        raise StudyError(
            "A study of new patients needs images, and a model of a study with images",
            found="a model without images" if imaging is None else "a study without `cases`",
            where=model.where if imaging is None else f"study {study}",
            remedy="predict a table of values",
            code="new-study-without-images",
        )
    parameters = json.loads(parameter_file(options.extraction.params))
    apart = [] if parameters == imaging["parameters"] else ["extraction.params"]
    for section in SECTIONS:
        apart += [
            f"{section}.{name}"
            for name, value in imaging[section].items()
            if getattr(options, section).get(name) != value
        ]
    limit = imaging["preflight"]["max_dense_share"]
    if options.preflight.max_dense_share != limit:
        apart.append("preflight.max_dense_share")
    if options.timing != imaging["preflight"]["timing"]:
        apart.append("timing")
    if apart:
        raise StudyError(
            "New patients' CT must be read, checked and extracted as the model's study did",
            found=f"other values of {listing(apart)}",
            where=f"study {study}",
            remedy="write these values as the model's card has them, and run the study again",
            code="new-study-differs",
        )
