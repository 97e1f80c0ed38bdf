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
#: Words for the regions, of two letters or more, so that no letter of a reader or a series is one.
_REGIONS = {
    "L": "lwk lw lendenwirbel lendenwirbelkörper lumbar lumbale lumbalis lumbaire lombaire lombare"
    " 腰椎 腰",
    "T": "bwk bw brustwirbel brustwirbelkörper thoracic thoracica thoracicus thoracalis thoracique"
    " torácica torácico toracica dorsal dorsale dorsalis th 胸椎 胸",
    "C": "hwk hw halswirbel halswirbelkörper cervical cervicale cervicalis 颈椎 頸椎 颈 頸",
    "S": "swk sacral sacrale sacralis sacrée 骶椎 骶",
}
_REGION_OF = {word: letter for letter, words in _REGIONS.items() for word in words.split()}
_REGION_WORDS = "|".join(sorted(_REGION_OF, key=len, reverse=True))
_ROMAN = {
    **{"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6, "vii": 7, "viii": 8, "ix": 9},
    **{"x": 10, "xi": 11, "xii": 12},
}
_SIGNS = {
    **{"一": 1, "二": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9},
    **{"十": 10, "十一": 11, "十二": 12},
}
_COUNTED = "|".join(sorted((*_ROMAN, *_SIGNS), key=len, reverse=True)) + "|0?[1-9]|1[0-3]"
#: A region and its number: lumbalis II, LWK 1, 胸椎十二, 腰1.
_REGION_NUMBER = re.compile(
    rf"(?<![a-z])({_REGION_WORDS})[ _.-]*(?:vert[eèé]bra?e?[ _-]*)?第?({_COUNTED})(?![a-z0-9]|\.\d)"
)
#: A number and its region: 第1腰椎, 12ª dorsal, 1re lombaire, 4e vertèbre lombaire.
_NUMBER_REGION = re.compile(
    rf"(?<![^\W_])(?:第({_COUNTED})|({_COUNTED})(?:\.|[eº°ª]|er|re|ère|ème|a|st|nd|rd|th))"
    rf"[ _-]*(?:vert[eèé]bra?e?[ _-]*)?({_REGION_WORDS})(?![a-z])"
)


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
    rest = plain
    for pattern in (_LEVEL, _REGION_NUMBER, _NUMBER_REGION):
        rest = pattern.sub(" ", rest)
    rest = set(_WORDS.findall(rest))
    return found.pop() if len(found) == 1 and rest <= _VERTEBRA else None


def worded_levels(text: str) -> set[str]:
    """Return the levels that a text names by a word for the region and a number.

    German, Latin, French, Spanish, Italian and Chinese as hospitals write them; a single letter is
    no word, since it may be a reader's.

    Examples
    --------
    >>> [sorted(worded_levels(text)) for text in ("LWK 1", "vertebra lumbalis IV", "第十二胸椎")]
    [['L1'], ['L4'], ['T12']]
    >>> [sorted(worded_levels(text)) for text in ("1re vertèbre lombaire", "12ª dorsal", "D 12")]
    [['L1'], ['T12'], []]
    """
    plain = comparable(text).casefold()
    if _OTHER.search(plain):
        return set()
    pairs = [(match[1], match[2]) for match in _REGION_NUMBER.finditer(plain)]
    pairs += [(match[3], match[1] or match[2]) for match in _NUMBER_REGION.finditer(plain)]
    numbered = {
        f"{_REGION_OF[region]}{_ROMAN.get(count) or _SIGNS.get(count) or int(count)}"
        for region, count in pairs
    }
    return numbered & set(body_sizes())


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
    return {level for level in found if level in known} or worded_levels(plain)
