"""Which vertebra the name of a structure, or of a file, means.

People and programs write a level in many ways: ``L1``, ``vertebrae_L1``, ``L1 vertebra``, ``Th12``,
``LWK1``. Two questions are asked of a name: whether it is that of one vertebra, so that a structure
may be chosen by it; and which levels it speaks of at all, so that a contradiction is noticed.
"""

from __future__ import annotations

import re
from pathlib import PurePath

from pipeline.core.levels import body_sizes
from segmentation.segments import comparable

#: A level inside of a name; German and Chinese words for the regions beside the English ones.
_LEVEL = re.compile(
    r"(?<![a-z0-9])(?:vertebrae?|wirbel)?"
    r"(lwk|lw|lumbar|l|bwk|bw|thoracic|th|t|d|hwk|hw|cervical|c|swk|sacral|s|腰椎?|胸椎?|[颈頸]椎?|骶椎?)"
    r"[ _-]?(?:vertebrae?[ _-]?)?0?([1-9]|1[0-3])(?:vertebrae?)?(?![a-z0-9]|\.\d)"
)
_REGION = {
    **{"l": "L", "b": "T", "t": "T", "d": "T", "h": "C", "c": "C", "s": "S"},
    **{"腰": "L", "胸": "T", "颈": "C", "頸": "C", "骶": "S"},
}
#: Words that leave the name of a vertebra what it is.
_VERTEBRA = frozenset(
    (
        *("vertebra", "vertebrae", "vertebral", "body", "corpus", "wirbel", "wirbelkörper", "wk"),
        *("vertèbre", "vértebra", "wervel", "椎体", "椎體", "椎骨", "腰椎", "胸椎", "颈椎", "頸椎"),
    )
)
#: Beginnings of words for structures that bear a level's name and are no vertebra.
_OTHER = re.compile(r"(?<![a-z])(?:rib|rippe|dis[ck]|ivd|interv|nerve|root|gangl|musc|psoas|canal)")
_WORDS = re.compile(r"[^\W_]+")


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


def _plain(name: str) -> str:
    return comparable(name).casefold()


def _levels(plain: str) -> set[str]:
    known = body_sizes()
    found = (f"{_REGION[match[1][0]]}{int(match[2])}" for match in _LEVEL.finditer(plain))
    return {level for level in found if level in known}
