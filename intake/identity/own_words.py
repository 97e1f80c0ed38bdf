"""What the program and the formats of its files write themselves: words that name nobody there.

A person may be called like a word of a format: *Creator* stands in the metadata of every Parquet
file that pandas wrote, *Brown* in a style sheet, *Fisher* in a report. Leaving such names out of
the search would hide a leak. They are searched, and a match is set aside only where it stands
between the same words as in the program's own sources or in `format_texts.txt`, which shows what
libraries write; or where it is the key of a JSON object, a tag or an attribute of HTML, or a column
of a table, which the program calls so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

#: What this program writes comes from these; the sources of this folder and the lists of names are
#: left out, since they speak of people.
SOURCES = (
    *("pipeline", "segmentation", "models", "deployment", "intake"),
    *("radiomics_params", "config"),
    "Snakefile",
    *("requirements.txt", "environment.yml"),
)
ENDINGS = frozenset((".py", ".smk", ".yaml", ".yml", ".txt", ".j2", ".css", ".js", ".csv", ""))
PEOPLE = "identifying"

LETTERS_OF_ONE, LETTERS_OF_MORE = 8, 6
"""Letters of a neighbour, or of several together, that must be those of an own text."""

_AROUND = 120
_MOST = 4
_WORD = re.compile(rb"(?<![a-z0-9])[a-z]+(?![a-z0-9])")  # numbers and marks differ between files
_NAME = re.compile(rb"[a-z]+(?:[^a-z0-9]{1,3}[a-z]+)*")
_IDENTIFIER_BEFORE, _IDENTIFIER = re.compile(rb"[\w-]*\Z"), re.compile(rb"[\w-]*")
_LONGEST = 60
#: What the sources call something: words in quotes, names of fields and options, attributes.
_KEY = re.compile(
    rb"""["'`<]/?([a-z_][\w-]{2,60})(?=["'`> ])"""
    rb"""|^\s*([a-z_][\w-]{2,60})\s*[:=]|\b([a-z_][\w-]{2,60})=""",
    re.MULTILINE,
)
_KEY_FOLLOWS, _ATTRIBUTE_FOLLOWS = re.compile(rb'\\*"{1,2}\s*:'), re.compile(rb"""=\\*["']""")


def is_own(content: bytes, start: int, end: int, *, names: bool = False) -> bool:
    """Return whether a match stands where the program or a library writes that word itself.

    Parameters
    ----------
    content : bytes
        Text in which the match stands.
    start, end : int
        Its place.
    names : bool, default=False
        Whether the text is a list of columns: each that the program calls so is its own.

    Examples
    --------
    >>> text = b'{"creator": {"library": "pyarrow", "version": "21.0.0"}}'
    >>> is_own(text, 2, 9), is_own(b"drawn by Creator, library of pyarrow", 9, 16)
    (True, False)
    """
    match = content[start:end].lower()
    if not _NAME.fullmatch(match):
        return False  # digits are no words of a text
    if _is_key(content, start, end, names):
        return True
    found = _WORD.findall(match)
    before = _WORD.findall(content[max(0, start - _AROUND) : start].lower())[::-1][:_MOST]
    after = _WORD.findall(content[end : end + _AROUND].lower())[:_MOST]
    return _stands_in_sources(tuple(found), tuple(before), tuple(after))


@lru_cache(maxsize=1 << 14)
def _stands_in_sources(
    found: tuple[bytes, ...], before: tuple[bytes, ...], after: tuple[bytes, ...]
) -> bool:
    """Return whether words stand in an own text beside enough of the same words."""
    words, places = _own()
    count = len(found)
    for at in places.get(found[0], ()):
        if words[at : at + count] != found:
            continue
        same = [
            *_same(before, words[max(0, at - _MOST) : at][::-1]),
            *_same(after, words[at + count : at + count + _MOST]),
        ]
        letters = sum(map(len, same))
        if letters >= (LETTERS_OF_ONE if len(same) == 1 else LETTERS_OF_MORE):
            return True
    return False


def _is_key(content: bytes, start: int, end: int, names: bool) -> bool:
    """Return whether a match is the name of something, and a name that the sources know."""
    first = start - len(_IDENTIFIER_BEFORE.search(content[max(0, start - _LONGEST) : start])[0])
    last = _IDENTIFIER.match(content, end).end()
    before, behind = content[max(0, first - 2) : first], content[last : last + 6]
    stands = (
        names
        or (before.endswith(b'"') and _KEY_FOLLOWS.match(behind))
        or before.endswith((b"<", b"</"))
        or (before[-1:].isspace() and _ATTRIBUTE_FOLLOWS.match(behind))
    )
    return bool(stands) and content[first:last].lower() in _keys()


def _same(words: tuple[bytes, ...], own: tuple[bytes, ...]) -> Iterator[bytes]:
    for one, other in zip(words, own, strict=False):
        if one != other:
            return
        yield one


@lru_cache(maxsize=1)
def _own() -> tuple[tuple[bytes, ...], dict[bytes, list[int]]]:
    """Return the words of all own texts in their order, and the places of each."""
    words: list[bytes] = []
    for path in _sources():
        words += [*_WORD.findall(path.read_bytes().lower()), *[b""] * _MOST]
    places: dict[bytes, list[int]] = {}
    for at, word in enumerate(words):
        places.setdefault(word, []).append(at)
    return tuple(words), places


@lru_cache(maxsize=1)
def _keys() -> frozenset[bytes]:
    found = (_KEY.findall(path.read_bytes().lower()) for path in _sources())
    return frozenset(one for each in found for key in each for one in key if one)


def _sources() -> Iterator[Path]:
    yield Path(__file__).with_name("format_texts.txt")
    for name in SOURCES:
        root = ROOT / name
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            own = path.suffix in ENDINGS and path.parent.name != PEOPLE
            if own and path.is_file() and path.parent != Path(__file__).parent.resolve():
                yield path
