"""Files of a finished run, each of which must be there, and the small groups of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipeline.core.errors import VertebromicsError
from pipeline.core.files import read_json, read_table
from pipeline.tables.schemas.catalogue import schema_of
from pipeline.tables.schemas.prediction.site_validation import SITE_VALIDATION


@dataclass(frozen=True)
class AddedValue:
    """The arms of the added value, their paired differences, and how they came about."""

    arms: pd.DataFrame
    differences: pd.DataFrame
    info: dict

    @property
    def compared(self) -> bool:
        """Whether there was anything to compare."""
        return self.info["status"] == "compared"


def read_added_value(folder: Path) -> AddedValue:
    """Read what radiomics added to clinical data, from the study's folder."""
    return AddedValue(
        table_of(folder, "evaluation/added_value.parquet"),
        table_of(folder, "evaluation/added_value_differences.parquet"),
        facts_of(folder, "evaluation/added_value.json"),
    )


@dataclass(frozen=True)
class Controls:
    """The arms of the negative controls, and how they came about."""

    arms: pd.DataFrame
    info: dict

    @property
    def compared(self) -> bool:
        """Whether there was anything to compare."""
        return self.info["status"] == "compared"


def read_controls(folder: Path) -> Controls:
    """Read the negative controls from the study's folder."""
    return Controls(
        table_of(folder, "evaluation/controls.parquet"),
        facts_of(folder, "evaluation/controls.json"),
    )


@dataclass(frozen=True)
class Sites:
    """What a validation site by site found: its tables by name, and its facts."""

    outcome: pd.DataFrame
    left_out: pd.DataFrame
    pooled: pd.DataFrame
    harmonised: pd.DataFrame
    features: pd.DataFrame
    info: dict


def read_sites(folder: Path) -> Sites:
    """Read the validation site by site, from the study's folder."""
    return Sites(
        **{name: table_of(folder, f"site_validation/{name}.parquet") for name in SITE_VALIDATION},
        info=facts_of(folder, "site_validation/site_validation.json"),
    )


def table_of(folder: Path, name: str) -> pd.DataFrame:
    """Read a table of the study's folder, which must be there."""
    return read_table(_there(folder, name), schema_of(name))


def facts_of(folder: Path, name: str) -> dict:
    """Read a JSON file of the study's folder, which must be there."""
    return read_json(_there(folder, name))


def _there(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        raise VertebromicsError(
            "The report needs every result that the configuration calls for",
            found=f"no {name}",
            where=f"results of the study {folder.name}",
            remedy="run `snakemake --configfile <your study>.yaml report`",
            code="report-result-missing",
        )
    return path
