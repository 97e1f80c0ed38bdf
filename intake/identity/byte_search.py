"""A search for all patterns at once, in one pass over a content.

It looks at every window of four and of eight bytes through a table of hashes (numpy), and compares
byte by byte only where the table hits. Its time hardly depends on the number of patterns: some 40 s
a gigabyte for eight hundred thousand (one core).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from intake.identity.byte_patterns import Pattern, Patterns
from intake.identity.byte_tables import LOWER
from intake.identity.folded import (
    named_days,
    quick_skeleton,
    readable,
    skeleton,
    stands_alone,
    years_of,
)
from pipeline.imaging.dicom.dicom_identity import Identity

_CLOCK = re.compile(rb"([0-9]{4}-[0-9]{2}-[0-9]{2}[ t]|[a-z]{3} +[0-9]{1,2} )$")
_DECIMALS = re.compile(rb"\.[0-9]+(e[+-]?[0-9]+)?(?![0-9a-z._-])")
_DIGITS = frozenset(b"0123456789")


@dataclass(frozen=True)
class Match:
    """Where a pattern was found: ``start`` and ``end`` in the content, or in what is `readable`."""

    pattern: Pattern
    start: int
    end: int
    readable: bytes | None = None


class Search:
    """All patterns of identity values, ready to be searched for.

    Parameters
    ----------
    identities : iterable of Identity
        What to search for.
    plain, first
        As of `intake.identity.byte_patterns.Patterns`.

    Attributes
    ----------
    patterns : Patterns
        What is searched for; ``patterns.left_out`` is too short or too common.
    """

    def __init__(
        self, identities: Iterable[Identity], *, plain: bool = False, first: Sequence[str] = ()
    ) -> None:
        self.patterns = Patterns(identities, plain=plain, first=first)
        self._years = years_of(self.patterns.days)

    def matches(
        self, content: bytes, *, bulk: bool = False, spellings: bool = True
    ) -> Iterator[Match]:
        """Yield every match in `content`.

        Parameters
        ----------
        content : bytes
            What a file or a part of it holds.
        bulk : bool, default=False
            Voxels and the like, where short patterns occur by chance: only those of `LONG`
            bytes or more are searched; whether a match says anything `intake.identity.chance`
            tells.
        spellings : bool, default=True
            Whether text is also searched for other spellings (`intake.identity.folded`).
        """
        lowered = content.translate(LOWER)
        for table in self.patterns.tables[: 1 if bulk else 2]:
            for start, end, number in table.hits(lowered, self.patterns.text):
                pattern = self.patterns.pattern(number)
                if _stands_alone(lowered, start, end, pattern):
                    yield Match(pattern, start, end)
        if spellings and not bulk:
            yield from self._in_other_spellings(content)

    def _in_other_spellings(self, content: bytes) -> Iterator[Match]:
        """Yield matches in the folded text, and days with the name of a month."""
        patterns, needle = self.patterns, self.patterns.needle
        if not (patterns.days or any(map(len, patterns.folded))):
            return
        text = readable(content)
        quick = quick_skeleton(text)
        if any(next(table.hits(quick, needle), None) is not None for table in patterns.folded):
            bare, places = skeleton(text)
            for table in patterns.folded:
                for start, end, number in table.hits(bare, needle):
                    first, last = int(places[start]), int(places[end - 1]) + 1
                    if last < len(text) and text[last] in b"eE" and text[last - 1] in b"aouAOU":
                        last += 1  # an umlaut at the end
                    if stands_alone(text, first, last, bare[start:end]):
                        yield Match(patterns.spelling(number), first, last, text)
        if patterns.days:
            for day, start, end in named_days(text, self._years):
                if day in patterns.days:
                    yield Match(patterns.days[day], start, end, text)


class SearchWhenAsked:
    """A search that is made ready for its first question: of many values that takes seconds.

    Parameters
    ----------
    identities : iterable of Identity
        What to search for.
    first : sequence of str
        As of `intake.identity.byte_patterns.Patterns`.
    """

    def __init__(self, identities: Iterable[Identity], first: Sequence[str] = ()) -> None:
        self._identities, self._first = frozenset(identities), first
        self._search: Search | None = None

    def matches(self, content: bytes) -> Iterator[Match]:
        """Yield every match in `content`, as `Search.matches` does."""
        if self._search is None:
            self._search = Search(self._identities, first=self._first)
        return self._search.matches(content)


def _stands_alone(content: bytes, start: int, end: int, pattern: Pattern) -> bool:
    """Return whether a match is no part of a longer word or number, nor a clock of the run."""
    width = pattern.width
    before = content[max(0, start - 2 * width) : start]
    after = content[end : end + width]
    if width > 1:  # a character beyond ASCII is no digit or letter of ours
        before = bytes(one for one in before if one)
        after = bytes(one for one in after if one)
    if before and before[-1] in pattern.left:
        return False
    number = content[start] in _DIGITS and pattern.identity.kind != "uid"
    if number and len(before) > 1 and before[-1:] == b"." and before[-2] in _DIGITS:
        return False  # the decimals of a number
    if after and after[0] in pattern.right:
        return False
    if number and width == 1 and _DECIMALS.match(content, end) and content[start:end].isdigit():
        return False  # a number with decimals
    return not (pattern.clock and _CLOCK.search(content[max(0, start - 16) : start]))
