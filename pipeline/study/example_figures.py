"""Figures of example images as a configuration has them, and the files that they name.

Nothing is read here, so that the rules need no library of images.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.core.installed.own_files import own_file
from pipeline.study.sections.example_images import ExampleFigure, Panel


def figures_of(options: Sequence[Mapping]) -> list[ExampleFigure]:
    """Return the option `figures` as objects of its classes, defaults filled in."""
    return [
        ExampleFigure(**{**each, "panels": [Panel(**panel) for panel in each["panels"]]})
        for each in options
    ]


def files_of(figures: Sequence[ExampleFigure]) -> list[Path]:
    """Return the files that figures name, masks included."""
    named = [
        name
        for figure in figures
        for panel in figure.panels
        for name in (panel.image, panel.mask)
        if name is not None
    ]
    return [own_file(name) for name in named]


def letters_of(panels: Sequence[Panel]) -> list[str]:
    """Return the letters of panels: their own, or A, B, C by their place."""
    return [panel.letter or string.ascii_uppercase[place] for place, panel in enumerate(panels)]
