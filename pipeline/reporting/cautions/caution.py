"""One limit of a study's results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Caution:
    """One limit of the results.

    Attributes
    ----------
    title, text : str
        What it is about, and what follows from it.
    anchor : str
        Section that it belongs to.
    tone : {'warning', 'info'}
        Whether it weakens the results or explains them.
    """

    title: str
    text: str
    anchor: str
    tone: Literal["warning", "info"] = "warning"
