"""When a value is known, as far as the words of a name say it."""

from __future__ import annotations

import re

from pipeline.tables.identifying.words import fold

_OP = (
    r"(?:op|ops|operation|operationem|operativ\w*|operatoires?|surg\w*|intervention\w*|eingriff\w*"
    r"|procedure)"
)
_NUMBER = r"[1-9]\d*"
_SPAN = (
    r"(?:days?|tage?n?|pod|weeks?|wks?|wochen?|wo|months?|mths?|monate?n?|mon|mo"
    r"|years?|yrs?|jahre?n?|jahr|jours?|semaines?|mois|ans?)"
)

PATTERNS: dict[str, tuple[re.Pattern, ...]] = {
    "postoperative": (
        re.compile(rf"\bpost ?{_OP}\b|\bpostop\w*|\b(?:nach|after)(?: der| dem| the)? ?{_OP}\b"),
        re.compile(
            r"\bpost\b|\bfollow ?ups?\b|\bfu\d*\b|verlauf\w*|nachuntersuch\w*|nachsorge|\bsuivis?\b"
        ),
        re.compile(r"\w*kontroll\w*|\bdischarge\b|\bentlass\w*|\blast visit\b"),
        re.compile(r"术后|術後|\b(?:change|delta|differenz|anderung|improvement|besserung)\b"),
        re.compile(rf"\b{_SPAN} ?{_NUMBER}\b|\b{_NUMBER} ?{_SPAN}\b"),
    ),
    "preoperative": (
        re.compile(rf"\b(?:pra|prae|pre|vor|before|prior to)(?: der| dem| the)? ?{_OP}\b"),
        re.compile(r"\bprae?op\w*|\bpraop\w*|\bpreop\w*|\bprae?\b|\bpre\b|\bbaseline\b|\bt0\b"),
        re.compile(r"\baufnahme\w*|\badmission\b|\banamnes\w*|erstvorstell\w*|术前|術前"),
    ),
    "intraoperative": (
        re.compile(
            rf"\bintra ?{_OP}\b|\bintraop\w*|\b(?:during|wahrend)(?: der| the)? ?{_OP}\b|术中"
        ),
    ),
}
"""Words of names, folded, by the time that they say."""

SHORT = re.compile(rf"\b[dtwmyj] ?{_NUMBER}\b|\b{_NUMBER} ?[dtwmyj]\b")
"""Short forms of a time, understood beside a scale only: D12 is a vertebra elsewhere."""

BESIDE_SCALES = {
    "preoperative": re.compile(r"\b(?:before|vorher|vor|initial\w*)\b"),
    "postoperative": re.compile(r"\b(?:after|afterwards|nachher|nach|final|last)\b"),
}
"""Words that say a time beside a scale: `NRS before`, `VAS nach`."""

AROUND = {
    "preoperative": re.compile(
        rf"\b(?:pra|prae|pre|vor|before) ?{_OP}\b|\bprae?op\w*|\bpraop\w*|\bpreop\w*|\bbaseline\b"
        r"|\baufnahme\w*|\badmission\b|\banamnes\w*|术前|術前"
    ),
    "intraoperative": re.compile(rf"\bintra ?{_OP}\b|\bintraop\w*|术中"),
    "postoperative": re.compile(
        rf"\b(?:post|nach|after)(?: the)? ?{_OP}\b|\bpostop\w*|\bfollow ?ups?\b|\bfu\b|verlauf\w*"
        rf"|nachuntersuch\w*|nachsorge|\bsuivis?\b|\w*kontroll\w*|术后|術後|\b{_NUMBER} ?{_SPAN}\b"
    ),
}
"""Words of headings, worksheets and files: `final` and `version 3 days` say nothing of values."""


def timing_around(*texts: str) -> tuple[str, str] | None:
    """Return the timing that visit, heading, worksheet or file says, as `timing_of` does.

    Parameters
    ----------
    *texts : str
        What stands around a value, the nearest first: the first that says one time decides.

    Examples
    --------
    >>> timing_around("data final v3") is None, timing_around("Nachsorge")
    (True, ('postoperative', 'nachsorge'))
    >>> timing_around("Aufnahme", "Nachsorge"), timing_around("post")
    (('preoperative', 'aufnahme'), ('postoperative', 'post'))
    """
    for text in texts:
        said = fold(text)
        if only_time(text) and (whole := timing_of(text, scale=True)):
            return whole[0], said
        matches = {timing: pattern.search(said) for timing, pattern in AROUND.items()}
        found = {timing: match[0] for timing, match in matches.items() if match}
        if len(found) == 1:
            return next(iter(found.items()))
    return None


def timing_of(text: str, *, scale: bool = False) -> tuple[str, str] | None:
    """Return the timing that words say and the words themselves, None where they say none or two.

    Parameters
    ----------
    text : str
        A name, a heading, a file's name.
    scale : bool
        Whether the column is a score, whose short forms such as ``d3`` are times.

    Examples
    --------
    >>> timing_of("VAS prä-OP"), timing_of("VAS day30"), timing_of("Pain 4 Wo", scale=True)
    (('preoperative', 'pra op'), ('postoperative', 'day30'), ('postoperative', '4 wo'))
    >>> timing_of("Age") is None
    True
    """
    said = fold(text)
    found = {}
    for timing, patterns in PATTERNS.items():
        for pattern in patterns:
            if match := pattern.search(said):
                found[timing] = match[0]
                break
    if scale and not found and (match := SHORT.search(said)):
        found["postoperative"] = match[0]
    for timing, pattern in BESIDE_SCALES.items() if scale and not found else ():
        if match := pattern.search(said):
            found[timing] = match[0]
    if len(found) != 1:
        return None
    return next(iter(found.items()))


def only_time(text: str) -> bool:
    """Return whether a name says nothing but a time, as `day 30` below a heading `VAS`.

    >>> only_time("prä-OP"), only_time("Tag 30"), only_time("VAS Tag 30")
    (True, True, False)
    """
    said = fold(text)
    for pattern in (*(one for several in PATTERNS.values() for one in several), SHORT):
        said = pattern.sub(" ", said)
    return said != fold(text) and not said.strip()
