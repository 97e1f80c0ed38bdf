"""The pages on which a radiologist looks at readers' contours: one per case, and their list.

Each page is one file that needs nothing else: it opens from a folder, without a network. The
drawing is done by a small script of our own (templates/viewer.js) on a plain canvas.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup

from pipeline.core.pages import page_templates
from segmentation.pages.map_overlay import PageMap, colours, described, packed
from segmentation.pages.viewer_volume import LEVELS_HU, CaseVolume, packed_text

TEMPLATES = Path(__file__).parent / "templates"

#: Colour and dashes of each mask on a page: colours that the colour-blind tell apart, on grey too.
STYLES = (
    ("#E69F00", ()),
    ("#56B4E9", (5, 3)),
    ("#F0E442", (2, 2)),
    ("#CC79A7", (8, 3, 2, 3)),
    ("#009E73", (4, 4)),
    ("#D55E00", (1, 3)),
    ("#FFFFFF", (6, 2)),
    ("#0072B2", (3, 1)),
)
#: Windows a key away: name, centre and width in HU.
WINDOWS = (("Bone", 400, 1800), ("Trabecular", 200, 700), ("Soft tissue", 40, 400))
#: From which angle on a page says that its axes are not the patient's.
OBLIQUE_DEGREES = 2.0
#: Measures of a pair of masks: column of agreement.parquet, heading, decimals.
MEASURES = (
    ("dice", "Dice", 3),
    ("surface_dice", "Surface Dice", 3),
    ("hausdorff95_mm", "95% Hausdorff, mm", 2),
    ("mean_surface_distance_mm", "Mean distance, mm", 2),
    ("volume_a_ml", "Volume of the first, ml", 2),
    ("volume_b_ml", "Volume of the second, ml", 2),
    ("volume_difference_percent", "Difference, %", 1),
)


@dataclass(frozen=True)
class Neighbours:
    """The cases before and after one in the list, None at its ends."""

    before: str | None
    after: str | None


def case_page(
    title: str,
    volume: CaseVolume,
    pairs: Sequence[dict],
    neighbours: Neighbours,
    key: str,
    tolerance_mm: float,
    maps: Sequence[PageMap] = (),
    kernel: str = "",
) -> str:
    """Return the page of a case as one self-contained HTML text.

    Parameters
    ----------
    title : str
        Case and level.
    volume : CaseVolume
        What is shown.
    pairs : sequence of dict
        Rows of `agreement.parquet` of this case.
    neighbours : Neighbours
        Where the buttons to the next case lead.
    key : str
        Hash of everything that the page depends on; it stands in the page's head.
    tolerance_mm : float
        Tolerance of the surface Dice, in mm.
    maps : sequence of PageMap, optional
        Features voxel by voxel, shown one at a time over the CT.
    kernel : str, optional
        Of maps, which voxels around a voxel its value is computed from, in words.
    """
    facts = {
        "size": list(volume.levels.shape[::-1]),
        "spacing": list(volume.spacing),
        "corner": list(volume.corner_mm),
        "axes": volume.axes.tolist(),
        "hu": LEVELS_HU.tolist(),
        "masks": [
            {"reader": reader, "colour": colour, "dashes": list(dashes)}
            for reader, (colour, dashes) in zip(volume.readers, STYLES, strict=False)
        ],
        "windows": [
            {"name": name, "centre": centre, "width": width} for name, centre, width in WINDOWS
        ],
        "compared": _compared(volume.readers, pairs),
        "maps": described(maps),
        "colours": colours() if maps else [],
    }
    oblique = volume.obliqueness_degrees
    return (
        page_templates(TEMPLATES)
        .get_template("case.html.j2")
        .render(
            title=title,
            key=key,
            facts=_json(facts),
            voxels=packed_text(volume.levels),
            masks=packed_text(volume.masks),
            pairs=[_shown(pair) for pair in pairs],
            measures=[heading for _, heading, _ in MEASURES],
            neighbours=neighbours,
            oblique=f"{oblique:.0f}" if oblique > OBLIQUE_DEGREES else None,
            tolerance=f"{tolerance_mm:g}",
            maps=packed(maps) if maps else "",
            kernel=kernel,
        )
    )


def map_index_page(study: str, rows: Sequence[dict], features: Sequence[dict], kernel: str) -> str:
    """Return the list of mapped cases as one self-contained HTML text.

    Parameters
    ----------
    study : str
        Title of the study.
    rows : sequence of dict
        ``case_id, level, reader, why`` (it was chosen)``, page, folder`` (of its files).
    features : sequence of dict
        ``name, unit, low, high`` of the mapped ones, and ``note`` of those without a map.
    kernel : str
        Which voxels around a voxel its value is computed from, in words.
    """
    template = page_templates(TEMPLATES).get_template("maps.html.j2")
    return template.render(study=study, rows=rows, features=features, kernel=kernel)


def index_page(study: str, rows: Sequence[dict], tolerance_mm: float) -> str:
    """Return the list of cases, least agreement first, as one self-contained HTML text.

    Parameters
    ----------
    study : str
        Title of the study.
    rows : sequence of dict
        In the order of the list, as `segmentation.viewer.list_cases` returns them.
    tolerance_mm : float
        Tolerance of the surface Dice, in mm.
    """
    shown = [
        {name: _plain(value) for name, value in {"rank": rank, **row}.items()}
        for rank, row in enumerate(rows, start=1)
    ]
    return (
        page_templates(TEMPLATES)
        .get_template("index.html.j2")
        .render(
            study=study,
            count=len(rows),
            compared=sum(row["dice"] is not None for row in rows),
            rows=_json(shown),
            tolerance=f"{tolerance_mm:g}",
        )
    )


def _compared(readers: Sequence[str], pairs: Sequence[dict]) -> list[int] | None:
    """Return the bits of the two originals that differ most, whose differences are marked."""
    between = [pair for pair in pairs if pair["comparison"] == "readers"]
    if not between:
        return None
    worst = min(between, key=lambda pair: (pair["surface_dice"], pair["dice"]))
    return [readers.index(worst["reader_a"]), readers.index(worst["reader_b"])]


def _shown(pair: dict) -> dict:
    name = f"{pair['reader_a']} and {pair['reader_b']}"
    if pair["comparison"] == "correction":
        name += " (corrected)"
    return {"name": name, "cells": [f"{pair[column]:.{digits}f}" for column, _, digits in MEASURES]}


def _plain(value: object) -> object:
    """Return a table's value as JSON holds it: rounded, NaN as null."""
    if isinstance(value, float | np.floating):
        return round(float(value), 4) if math.isfinite(value) else None
    return value


def _json(value: object) -> Markup:
    """Return JSON that no browser takes for markup, wherever it stands in a script element."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace("&", "\\u0026"))
