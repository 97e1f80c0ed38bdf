"""Files of a finished run, each of which must be there, and the small groups of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
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


@dataclass(frozen=True)
class ExamplePanel:
    """An example image: pixels of 8 bits, outlines, distances in mm, grey values, what is said."""

    letter: str
    caption: str
    pixels: np.ndarray
    mask: np.ndarray | None
    polygon: tuple[tuple[float, float], ...]
    spacing: tuple[float, float] | None
    window: tuple[float, float] | None
    modality: str
    hashes: dict[str, str]


@dataclass(frozen=True)
class ExampleFigure:
    """A figure of example images: what it shows, panels side by side at most, its panels."""

    title: str
    columns: int
    panels: list[ExamplePanel]


def read_examples(folder: Path) -> list[ExampleFigure]:
    """Read the figures of example images, from the study's folder."""
    table = table_of(folder, "example_images/example_images.parquet")
    return [
        ExampleFigure(
            title=str(rows["title"].iloc[0]),
            columns=int(rows["columns"].iloc[0]),
            panels=[_example(folder, row) for row in rows.itertuples()],
        )
        for _, rows in table.groupby("figure", sort=True)
    ]


def _example(folder: Path, row: Any) -> ExamplePanel:
    name, masked = f"example_images/{row.figure}-{row.panel}", pd.notna(row.mask_sha256)
    hashes = {"image": row.image_sha256} | ({"mask": row.mask_sha256} if masked else {})
    corners = [corner.split(",") for corner in (row.polygon or "").split()]
    return ExamplePanel(
        letter=row.letter,
        caption=row.caption,
        pixels=_picture(folder, f"{name}.png"),
        mask=_picture(folder, f"{name}-mask.png") > 0 if masked else None,
        polygon=tuple((float(x), float(y)) for x, y in corners),
        spacing=None if pd.isna(row.row_mm) else (row.row_mm, row.column_mm),
        window=None if pd.isna(row.low) else (row.low, row.high),
        modality=row.modality or "",
        hashes=hashes,
    )


def _picture(folder: Path, name: str) -> np.ndarray:
    from PIL import Image

    with Image.open(_there(folder, name), formats=["PNG"]) as image:
        return np.asarray(image)


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
