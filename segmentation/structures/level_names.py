"""Which vertebra the name of a structure, or of a file, means.

People and programs write a level in many ways: ``L1``, ``vertebrae_L1``, ``L1 vertebra``, ``Th12``,
``LWK1``. Two questions are asked of a name: whether it is that of one vertebra, so that a structure
may be chosen by it; and which levels it speaks of at all, so that a contradiction is noticed.
"""

from __future__ import annotations

import re
from pathlib import PurePath

from pipeline.imaging.levels import body_sizes
from segmentation.structures.segments import comparable

#: A level inside of a name; German and Chinese words for the regions beside the English ones.
_LEVEL = re.compile(
    r"(?<![a-z0-9])(?:vertebrae?|wirbel)?"
    r"(lwk|lw|lendenwirbel(?:körper)?|lumbar|l|bwk|bw|brustwirbel(?:körper)?|thoracic|th|t|d"
    r"|hwk|hw|halswirbel(?:körper)?|cervical|c|swk|sacral|s|腰椎?|胸椎?|[颈頸]椎?|骶椎?)"
    r"[ _-]?(?:vertebrae?[ _-]?)?0?([1-9]|1[0-3])(?:vertebrae?)?(?![a-z0-9]|\.\d)"
)
_REGION = {
    **{"l": "L", "b": "T", "t": "T", "d": "T", "h": "C", "c": "C", "s": "S"},
    **{"腰": "L", "胸": "T", "颈": "C", "頸": "C", "骶": "S"},
}
#: Ordinal numbers before a region, as in DICOM's terms: "twelfth thoracic vertebra".
_ORDINALS = {
    word: number
    for number, words in enumerate(
        (
            "first erster 1st",
            "second zweiter 2nd",
            "third dritter 3rd",
            "fourth vierter 4th",
            "fifth fünfter 5th",
            "sixth sechster 6th",
            "seventh siebter 7th",
            "eighth achter 8th",
            "ninth neunter 9th",
            "tenth zehnter 10th",
            "eleventh elfter 11th",
            "twelfth zwölfter 12th",
        ),
        start=1,
    )
    for word in words.split()
}
_ORDINAL = re.compile(
    r"(?<![^\W_])(?:(" + "|".join(_ORDINALS) + r")|(1?[0-9])\.)[ _-]*"
    r"(lumbar|thoracic|cervical|sacral|lendenwirbel(?:körper)?|brustwirbel(?:körper)?"
    r"|halswirbel(?:körper)?|lwk|bwk|hwk)(?![^\W_])"
)
#: Words that leave the name of a vertebra what it is.
_VERTEBRA = frozenset(
    (
        *("vertebra", "vertebrae", "vertebral", "body", "corpus", "wirbel", "wirbelkörper", "wk"),
        *("structure", "entire", "of", "the", "bone"),
        *("vertèbre", "vértebra", "wervel", "椎体", "椎體", "椎骨", "腰椎", "胸椎", "颈椎", "頸椎"),
    )
)
#: Beginnings of words for structures that bear a level's name and are no vertebra.
_OTHER = re.compile(r"(?<![a-z])(?:rib|rippe|dis[ck]|ivd|interv|nerve|root|gangl|musc|psoas|canal)")
_WORDS = re.compile(r"[^\W_]+")


_SCT = {
    **{"14806007": "C1", "39976000": "C2", "113205007": "C3", "5329002": "C4"},
    **{"36978003": "C5", "36054005": "C6", "87391001": "C7"},
    **{"64864005": "T1", "53733008": "T2", "1626008": "T3", "73071006": "T4", "56401006": "T5"},
    **{"45296009": "T6", "62487009": "T7", "11068009": "T8", "82687006": "T9"},
    **{"7610001": "T10", "12989004": "T11", "23215003": "T12"},
    **{"66794005": "L1", "14293000": "L2", "36470004": "L3", "11994002": "L4", "49668003": "L5"},
}
"""Codes of SNOMED CT, as DICOM PS3.16 lists them."""


def levels_in_name(name: str) -> set[str]:
    """Return the levels of which a name speaks; none where it names another structure of a level.

    Examples
    --------
    >>> sorted(levels_in_name("T12 corrected")), sorted(levels_in_name("L1-L2"))
    (['T12'], ['L1', 'L2'])
    >>> levels_in_name("rib_left_12"), levels_in_name("nerve root L5"), levels_in_name("L22.0")
    (set(), set(), set())
    """
    plain = _plain(name)
    return set() if _OTHER.search(plain) else _levels(plain)


def vertebra_of(name: str) -> str | None:
    """Return the level of the one vertebra that a name means, and nothing else.

    Examples
    --------
    >>> [vertebra_of(name) for name in ("vertebrae_L1", "L1 vertebra", "th12", "LWK1 body")]
    ['L1', 'L1', 'T12', 'L1']
    >>> [vertebra_of(name) for name in ("L1 L2", "L1 old", "vertebrae_body", "Segment_1")]
    [None, None, None, None]
    """
    plain = _plain(name)
    found = _levels(plain)
    rest = set(_WORDS.findall(_LEVEL.sub(" ", plain)))
    return found.pop() if len(found) == 1 and rest <= _VERTEBRA else None


def levels_of_file(path: str | PurePath) -> set[str]:
    """Return the levels of which the name of a file speaks, its folders and ending left out."""
    return levels_in_name(PurePath(path).name.split(".")[0])


def level_of_code(scheme: str, value: str) -> str | None:
    """Return the level of a vertebra's code in SNOMED CT, None for other codes.

    >>> level_of_code("SCT", "66794005"), level_of_code("SCT", "51282000")
    ('L1', None)
    """
    return _SCT.get(value) if scheme in ("SCT", "SNM3", "SRT") else None


def _plain(name: str) -> str:
    plain = comparable(name).casefold()
    return _ORDINAL.sub(lambda one: f"{one[3]} {_ORDINALS.get(one[1]) or int(one[2])}", plain)


def _levels(plain: str) -> set[str]:
    known = body_sizes()
    found = (f"{_REGION[match[1][0]]}{int(match[2])}" for match in _LEVEL.finditer(plain))
    return {level for level in found if level in known}
