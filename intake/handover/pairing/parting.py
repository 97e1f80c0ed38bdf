"""Readers by what parts the masks of one vertebra: a folder, wherever it lies, or a word.

``pat000/DrWang/L1.nrrd`` beside ``pat000/DrLi/L1.nrrd`` are two readers, and so are
``4711_L1_wang.nrrd`` and ``4711_L1_li.nrrd``. A folder or word counts where it parts masks of one
vertebra on one CT; where there are more than a few such names, they are no readers.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import PurePath

from intake.handover.pairing.mask_paths import level_of, normal, says_version, stem_of

#: More names that part masks are no readers.
MOST_READERS = 9

Mask = tuple[PurePath, tuple, str | None, int]
"""Path below the masks' folder; CT, patient and level; reader as told; version."""


def readers_by_parting(masks: Iterable[Mask], patients: Iterable[str]) -> Mapping[PurePath, str]:
    """Return the reader of each mask that is told by a folder or a word, by its path.

    Parameters
    ----------
    masks : iterable of tuple
        `Mask`.
    patients : iterable of str
        Normalised ids, names and folders of patients, which are no readers.
    """
    masks, patients = list(masks), set(patients)
    for parts_of in (_folders, _words):
        named = {path: parts_of(path, patients) for path, *_ in masks}
        names = _parting(masks, named)
        if 2 <= len(names) <= MOST_READERS:
            found = {path: parts & names for path, parts in named.items()}
            return {path: parts.pop() for path, parts in found.items() if len(parts) == 1}
    return {}


def _parting(masks: Iterable[Mask], named: Mapping[PurePath, set[str]]) -> set[str]:
    """Return the names by which the masks of a vertebra differ, one of each mask."""
    groups: dict[tuple, list[PurePath]] = defaultdict(list)
    for path, vertebra, reader, version in masks:
        if reader is None and version == 1:
            groups[vertebra].append(path)
    found: set[str] = set()
    for paths in groups.values():
        if len(set(paths)) < 2:
            continue
        shared = set.intersection(*(named[path] for path in paths))
        own = [named[path] - shared for path in paths]
        if all(len(one) == 1 for one in own) and len(set.union(*own)) > 1:
            found |= set.union(*own)
    return found


def _folders(path: PurePath, patients: set[str]) -> set[str]:
    return {
        folder
        for folder in path.parts[:-1]
        if normal(folder) not in patients and level_of(folder) is None and not says_version(folder)
    }


def _words(path: PurePath, patients: set[str]) -> set[str]:
    words = re.findall(r"[^\W_]{2,}", stem_of(path.name))
    return {
        word
        for word in words
        if word.isalpha()
        and normal(word) not in patients
        and level_of(word) is None
        and not says_version(word)
    }
