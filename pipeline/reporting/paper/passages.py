"""Passages of the draft, and the gaps that the authors have to fill."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.reporting.results import Results

#: Begins what the authors have to write.
GAP = "[Authors: "


class Passage(NamedTuple):
    """A heading and its paragraphs; works are cited as ``[@key]``."""

    heading: str
    paragraphs: list[str]


def gap(what: str) -> str:
    """Return a marked gap.

    >>> gap("name the hospital")
    '[Authors: name the hospital.]'
    """
    return f"{GAP}{what}.]"


def told(results: Results, option: str, sentence: str, missing: str) -> str:
    """Return a sentence with the authors' words, or a gap.

    Parameters
    ----------
    results : Results
        The finished run.
    option : str
        Option of the section ``reporting``.
    sentence : str
        With ``{}`` in place of the words.
    missing : str
        What the authors have to write where they have not.
    """
    words = results["reporting"].get(option)
    if words is None:
        return gap(missing)
    text = sentence.format(str(words).rstrip("."))
    return text if text.endswith((".", "]")) else f"{text}."
