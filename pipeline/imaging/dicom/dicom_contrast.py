"""What a CT's header states of contrast agent and tube current, in words of this module alone.

Agent, route and description are texts that people write, and may identify a person. They are
compared with short lists and forgotten: what goes on is `GIVEN`, `NOT_GIVEN` or a phase of
`PHASES_OF_CONTRAST`. What the lists do not hold is not stated, never guessed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from statistics import median

from pydicom.dataset import Dataset

from pipeline.imaging.dicom.dicom_damage import DAMAGE
from pipeline.imaging.dicom.dicom_values import value_of

GIVEN, NOT_GIVEN = "given", "not given"
NATIVE, ARTERIAL, VENOUS, DELAYED = PHASES_OF_CONTRAST = ("native", "arterial", "venous", "delayed")

#: Attributes that are read, beside SeriesDescription.
CONTRAST_HEADER = (
    "ContrastBolusAgent",
    "ContrastBolusAgentPhase",
    "ContrastBolusAgentSequence",
    "ContrastBolusRoute",
    "ContrastBolusUsageSequence",
    "ContrastBolusVolume",
    "XRayTubeCurrent",
    "XRayTubeCurrentInmA",
    "XRayTubeCurrentInuA",
)

#: Texts of agent and route that say that none was given, and those that say nothing.
NONE_WORDS = frozenset(
    (
        *("none", "no", "n", "nil", "without", "no contrast", "non contrast", "noncontrast"),
        *("without contrast", "no iv contrast", "no agent", "unenhanced", "plain", "native"),
        *("nativ", "ohne", "ohne km", "ohne kontrastmittel", "kein", "kein km", "nein"),
        *("sans", "sans contraste", "sin contraste", "senza mdc"),
    )
)
BLANK_WORDS = frozenset(("", "0", "na", "n a", "unknown", "unspecified", "not specified", "other"))

#: Terms of ContrastBolusAgentPhase (DICOM PS3.3 C.7.6.18.2) that are a phase here. The others
#: (POST_CONTRAST, DYNAMIC, ...) say no time.
PHASE_TERMS = {
    "PRE_CONTRAST": NATIVE,
    "ARTERIAL": ARTERIAL,
    "VENOUS": VENOUS,
    "PORTAL_VENOUS": VENOUS,
    "DELAYED": DELAYED,
}

#: Whole words of a description that are a phase. Abbreviations such as *art* or *pv* are none:
#: they have other meanings.
_PHASE_WORDS = {
    NATIVE: r"native?|nativer|unenhanced|(?<!and )(?<!or )(?:non|no|without|pre) ?contrast"
    r"|ohne (?:km|kontrastmittel)",
    ARTERIAL: r"arterial|arteriell|arterielle",
    VENOUS: r"(?:porto? ?|portal ?)?(?:venous|venös|venoes|venöse|venoese)",
    DELAYED: r"delayed|late phase|spätphase|spaetphase",
}
_PHASES = {name: re.compile(rf"(?<!\w)(?:{words})(?!\w)") for name, words in _PHASE_WORDS.items()}


def contrast_of(header: Dataset, usage: Sequence[Dataset] = ()) -> str | None:
    """Return whether a header states that contrast was given: `GIVEN`, `NOT_GIVEN` or None.

    Parameters
    ----------
    header : pydicom.dataset.Dataset
        Of a slice, or what all frames of a file share.
    usage : sequence of pydicom.dataset.Dataset
        Items of ContrastBolusUsageSequence, one an agent, of a frame of an enhanced CT.

    Returns
    -------
    str or None
        What a frame's own items say goes before the agent, the agent before coded agents, volume
        (mL) and route.
    """
    administered = {_word(item, "ContrastBolusAgentAdministered").upper() for item in usage}
    if "YES" in administered:
        return GIVEN
    if administered == {"NO"}:
        return NOT_GIVEN
    agent = _said(_word(header, "ContrastBolusAgent"))
    if agent is not None:
        return agent
    if _items(header, "ContrastBolusAgentSequence") or (_real(header, "ContrastBolusVolume") or 0):
        return GIVEN
    return _said(_word(header, "ContrastBolusRoute"))


def contrast_phase_of(header: Dataset, usage: Sequence[Dataset] = ()) -> str | None:
    """Return the phase that a header states, one of `PHASES_OF_CONTRAST`, or None.

    A frame's term goes before the file's, and that before words of the description. Two phases,
    and a phase that contradicts what the header states of the agent, are none.
    """
    of_frame = {_word(one, "ContrastBolusAgentPhase").upper() for one in usage} - {""}
    terms = of_frame or {_word(header, "ContrastBolusAgentPhase").upper()} - {""}
    found = {PHASE_TERMS.get(term) for term in terms}
    if not terms:
        text = _plain(_word(header, "SeriesDescription"))
        found = {name for name, words in _PHASES.items() if words.search(text)}
    phase = found.pop() if len(found) == 1 else None
    against = {GIVEN: phase == NATIVE, NOT_GIVEN: phase not in (NATIVE, None)}
    return None if against.get(contrast_of(header, usage)) else phase


def tube_current_of(header: Dataset, exposure: Dataset) -> float | None:
    """Return the X-ray tube current of a slice in mA, None where none above zero is stated.

    Parameters
    ----------
    header, exposure : pydicom.dataset.Dataset
        Header, and a frame's CTExposureSequence (of a classic slice the header again).
    """
    for source, keyword, scale in (
        (exposure, "XRayTubeCurrentInmA", 1.0),
        (exposure, "XRayTubeCurrent", 1.0),
        (header, "XRayTubeCurrent", 1.0),
        (header, "XRayTubeCurrentInuA", 1e-3),
    ):
        value = _real(source, keyword)
        if value:
            return value * scale
    return None


def of_series(facts: Sequence[dict]) -> dict[str, float | str | None]:
    """Return the facts of a series from those of its slices.

    Parameters
    ----------
    facts : sequence of dict
        Of each slice, ``tube_current_ma, contrast, contrast_phase``.

    Returns
    -------
    dict
        The median current in mA, and words on which all slices that state one agree.
    """
    currents = [one["tube_current_ma"] for one in facts if one["tube_current_ma"] is not None]
    together: dict[str, float | str | None] = {
        "tube_current_ma": float(median(currents)) if currents else None
    }
    for name in ("contrast", "contrast_phase"):
        words = {one[name] for one in facts} - {None}
        together[name] = words.pop() if len(words) == 1 else None
    return together


def usage_of(*groups: Dataset) -> tuple[Dataset, ...]:
    """Return the items on contrast agents of the first of several functional groups with any."""
    found = (_items(one, "ContrastBolusUsageSequence") for one in groups)
    return next((items for items in found if items), ())


def fixed_word(keyword: str, text: str) -> str | None:
    """Return what a copy without identity says in the place of a text on contrast.

    Parameters
    ----------
    keyword : {'ContrastBolusAgent', 'ContrastBolusAgentPhase', 'ContrastBolusAgentAdministered'}
        Attribute.
    text : str
        Its value.

    Returns
    -------
    str or None
        A word of this module or of the standard; None where the text states nothing.

    Examples
    --------
    >>> [fixed_word("ContrastBolusAgent", text) for text in ("Omnipaque, Dr X", "ohne KM", "")]
    ['CONTRAST', 'NONE', None]
    """
    if keyword == "ContrastBolusAgent":
        return {GIVEN: "CONTRAST", NOT_GIVEN: "NONE"}.get(_said(text) or "")
    word = text.strip().upper()
    known = PHASE_TERMS if keyword == "ContrastBolusAgentPhase" else ("YES", "NO")
    return word if word in known else None


def term_of(phase: str) -> str:
    """Return the standard's term of one of `PHASES_OF_CONTRAST`."""
    return next(term for term, name in PHASE_TERMS.items() if name == phase)


def _said(text: str) -> str | None:
    plain = _plain(text)
    if plain in BLANK_WORDS:
        return None
    return NOT_GIVEN if plain in NONE_WORDS else GIVEN


def _plain(text: str) -> str:
    """Return lower-case words, one blank between them.

    >>> _plain("Non-Contrast_1.0")
    'non contrast 1 0'
    """
    return " ".join(re.findall(r"[^\W_]+", text.casefold()))


def _word(header: Dataset, keyword: str) -> str:
    """Return a text; of what is damaged none: no CT is refused for what it need not say."""
    try:
        value = value_of(header, keyword)
    except DAMAGE:
        return ""
    return "" if value is None else str(value).strip()


def _items(header: Dataset, keyword: str) -> tuple[Dataset, ...]:
    try:
        return tuple(value_of(header, keyword) or ())
    except DAMAGE:
        return ()


def _real(header: Dataset, keyword: str) -> float | None:
    """Return a finite number above zero, None otherwise."""
    try:
        value = float(value_of(header, keyword))
    except DAMAGE:
        return None
    return value if math.isfinite(value) and value > 0 else None
