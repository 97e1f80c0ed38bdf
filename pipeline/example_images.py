"""Prepare the example images of a study's figures: searched for identity, cut, as 8 bits."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.checks.example_images import ShownPanel, shown_figures
from pipeline.core import command
from pipeline.core.files import whole_folder, write_table
from pipeline.core.table_schema import types_of
from pipeline.study.example_figures import figures_of
from pipeline.study.sections.example_images import ExampleFigure
from pipeline.study.study import open_study
from pipeline.tables.schemas.example_images import ExampleImages

logger = logging.getLogger("vertebromics")


def write_example_images(figures: Sequence[ExampleFigure], out: Path) -> pd.DataFrame:
    """Write the panels of a study's figures.

    Parameters
    ----------
    figures : sequence of ExampleFigure
        The option `figures`.
    out : pathlib.Path
        Folder that holds ``example_images.parquet`` and the pictures afterwards: PNG without any
        text, one a panel, and one of 0 and 255 for its mask.

    Returns
    -------
    pandas.DataFrame
        As `pipeline.tables.schemas.example_images.ExampleImages` says.
    """
    rows = []
    with whole_folder(out) as folder:
        for number, (figure, panels) in enumerate(
            zip(figures, shown_figures(figures), strict=True), start=1
        ):
            of_figure = {"figure": number, "title": figure.title, "columns": figure.columns}
            for place, panel in enumerate(panels, start=1):
                name = f"{number}-{place}"
                _save(panel.pixels, folder / f"{name}.png")
                if panel.mask is not None:
                    drawn = np.where(panel.mask, 255, 0).astype(np.uint8)
                    _save(drawn, folder / f"{name}-mask.png")
                rows.append(of_figure | {"panel": place} | _facts_of(panel))
        types = types_of(ExampleImages)
        table = pd.DataFrame(rows, columns=list(types)).astype(types)
        write_table(table, folder / "example_images.parquet", ExampleImages, csv=True)
    return table


def _facts_of(panel: ShownPanel) -> dict:
    low, high = panel.window or (np.nan, np.nan)
    row_mm, column_mm = panel.spacing or (np.nan, np.nan)
    return {
        "letter": panel.letter,
        "caption": panel.caption,
        "kind": panel.kind,
        "modality": panel.modality or None,
        "low": low,
        "high": high,
        "row_mm": row_mm,
        "column_mm": column_mm,
        "polygon": " ".join(f"{x!r},{y!r}" for x, y in panel.polygon) or None,
        "image_sha256": panel.image_sha256,
        "mask_sha256": panel.mask_sha256,
    }


def _save(pixels: np.ndarray, path: Path) -> None:
    from PIL import Image

    Image.fromarray(pixels).save(path, format="PNG", optimize=True)


def main(options: argparse.Namespace) -> None:
    """Prepare one study's example images."""
    study = open_study(options.study)
    table = write_example_images(figures_of(study.config["figures"]), options.out)
    logger.info("%d example images", len(table))


def _arguments() -> argparse.ArgumentParser:
    arguments = command.parser("pipeline.example_images", __doc__)
    arguments.add_argument("--study", required=True, type=Path, help="folder of the study")
    arguments.add_argument("--out", required=True, type=Path, help="folder of the pictures")
    return arguments


if __name__ == "__main__":
    command.run(main, _arguments())
