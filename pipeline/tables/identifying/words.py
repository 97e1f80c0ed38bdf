"""Words that speak of a person, and how texts are folded to be compared with them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import yaml

_LETTERS = str.maketrans("øłđıßæœðþ", "oldisaodt")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
WORDS = re.compile(r"[^\W_]+")


@cache
def words(kind: str) -> frozenset[str]:
    """Return the words of `kind` in words.yaml, folded."""
    mark = " " if kind == "chinese" else ","
    lines = _file_of_words()[kind]
    return frozenset(fold(one) for line in lines for one in str(line).split(mark) if one)


@cache
def _file_of_words() -> Mapping[str, list]:
    path = Path(__file__).with_name("words.yaml")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def word_lists(kind: str) -> list[list[str]]:
    """Return the lists of `kind` in words.yaml, in their order, folded."""
    return [[fold(one) for one in str(line).split(",")] for line in _file_of_words()[kind]]


def fold(text: str) -> str:
    """Return a text in small letters without accents, its words parted by one blank.

    >>> fold("Geb.-Datum"), fold("PatientBirthDate"), fold("Née le")
    ('geb datum', 'patient birth date', 'nee le')
    """
    apart = _CAMEL.sub(" ", unicodedata.normalize("NFC", text))
    decomposed = unicodedata.normalize("NFKD", apart.casefold().translate(_LETTERS))
    bare = unicodedata.normalize(
        "NFC", "".join(one for one in decomposed if not unicodedata.combining(one))
    )
    return " ".join(WORDS.findall(bare))
