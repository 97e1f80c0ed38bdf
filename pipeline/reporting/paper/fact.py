"""Facts of a run that answer items of checklists: value, file and section, or nothing.

A fact that the run does not hold is None; nothing is guessed. Facts that only the authors know come
from the section ``reporting`` of the configuration, under their option's name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pipeline.reporting.results import Results

#: What begins the name of a fact that only the authors know.
ASKED = "reporting."


class Fact(NamedTuple):
    """What a run says.

    Attributes
    ----------
    value : str
        The answer in words and numbers.
    file : str
        File of the study's folder that holds it.
    section : str
        Section of the report, or of the draft, in which it is said.
    """

    value: str
    file: str
    section: str


Find = Callable[[Results], Fact | None]


def registered(*finds: Find) -> dict[str, Find]:
    """Return what finds each fact, by the function's name without the leading line."""
    return {find.__name__.removeprefix("_"): find for find in finds}


def asked(results: Results, name: str) -> Fact | None:
    """Return what the authors wrote for a fact of theirs, None where they have not."""
    words = results["reporting"].get(name.removeprefix(ASKED))
    return None if words is None else Fact(str(words), "study/study.yaml", "Methods")
