"""The compact search finds what a search pattern by pattern finds, in the same places."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intake.identity.byte_patterns import (
    ENCODINGS,
    MIN_BASE64,
    MIN_BYTES,
    MIN_HEX,
    WRAPPED,
    Pattern,
    Patterns,
    _boundaries,
)
from intake.identity.byte_search import Search, SearchWhenAsked, _stands_alone
from intake.identity.byte_tables import FEW, LONG, LOWER, hash_of, hashes_of
from intake.identity.folded import needles
from intake.identity.variants import day_of, forms
from pipeline.imaging.dicom.dicom_identity import Identity

NOTHING = frozenset()
WORD = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyz")


def one_by_one(
    identities: set[Identity], *, plain: bool = False, first: tuple[str, ...] = ()
) -> dict[bytes, Pattern]:
    """Return every pattern as an object by its bytes: the simple way, of which a million are large.

    Where two values have a pattern, it is the first one's.
    """
    found: dict[bytes, Pattern] = {}
    for identity in sorted(identities, key=lambda one: (one.kind not in first, one)):
        for text in sorted(forms(identity)):
            for data, pattern in encoded(text, identity, plain=plain):
                found.setdefault(data.translate(LOWER), pattern)
    return found


def encoded(text: str, identity: Identity, *, plain: bool) -> Iterator[tuple[bytes, Pattern]]:
    for name, codec in ENCODINGS.items():
        if (text.isascii() and not name.startswith("UTF")) or (
            plain and name not in ("UTF-8", "UTF-16")
        ):
            continue
        try:
            data = text.encode(codec)
        except UnicodeEncodeError:
            continue
        clock = identity.kind in ("time", "date") and re.fullmatch(r"\d\d:\d\d:\d\d", text)
        width = 2 if name.startswith("UTF-16") else 4 if name == "UTF-32" else 1
        if len(data) >= MIN_BYTES:
            yield data, Pattern(identity, name, width, *_boundaries(text), bool(clock))
        if name not in WRAPPED or plain:
            continue
        whole = base64.b64encode(data)
        if len(whole) >= MIN_BASE64:
            yield whole, Pattern(identity, f"base64 of {name}", 1, WORD, WORD, False)
        for shift in range(3):
            # What does not change with the bytes around it.
            some = [
                base64.b64encode(other * shift + data + other * (-(shift + len(data)) % 3))
                for other in (b"\0", b"\xff", b"U")
            ]
            same = [len(set(each)) == 1 for each in zip(*some, strict=True)]
            piece = some[0][same.index(True) : len(same) - same[::-1].index(True)]
            for each in (piece, piece.replace(b"+", b"-").replace(b"/", b"_")):
                if len(each) >= MIN_BASE64:
                    yield each, Pattern(identity, f"base64 of {name}", 1, NOTHING, NOTHING, False)
        if 2 * len(data) >= MIN_HEX:
            hexadecimal = Pattern(identity, f"hexadecimal of {name}", 1, NOTHING, NOTHING, False)
            yield data.hex().encode(), hexadecimal


def places(content: bytes, patterns: dict[bytes, Pattern], *, bulk: bool) -> set[tuple]:
    """Return where each pattern stands in a content, found by itself."""
    lowered, found = content.translate(LOWER), set()
    for data, pattern in patterns.items():
        if bulk and len(data) < LONG:
            continue
        start = lowered.find(data)
        while start >= 0:
            if _stands_alone(lowered, start, start + len(data), pattern):
                found.add((pattern, start, start + len(data)))
            start = lowered.find(data, start + 1)
    return found


LETTERS = st.text("abcdeZÄßéłЖянмю张伟明李김민수田中-' ", min_size=2, max_size=9)
NAMES = st.lists(LETTERS, min_size=1, max_size=3).map("^".join)
IDENTITIES = st.one_of(
    NAMES.map(lambda text: Identity("name", "(0010,0010)", text)),
    st.dates().map(lambda day: Identity("date", "(0010,0030)", f"{day:%Y%m%d}")),
    st.times().map(lambda time: Identity("time", "(0008,0030)", f"{time:%H%M%S.%f}")),
    st.from_regex(r"[A-F]{0,2}-?[0-9]{4,9}", fullmatch=True).map(
        lambda text: Identity("id", "(0010,0020)", text)
    ),
    st.text("ab >?~É患者0", max_size=14).map(lambda text: Identity("text", "(0010,4000)", text)),
    st.from_regex(r"1\.2\.[0-9.]{6,20}", fullmatch=True).map(
        lambda text: Identity("uid", "(0020,000E)", text)
    ),
)
JUNK = st.one_of(
    st.just(b""), st.binary(max_size=6), st.sampled_from([b" ", b"a", b"7", b".5", b"="])
)


@settings(max_examples=60, deadline=None)
@given(st.sets(IDENTITIES, min_size=1, max_size=5), st.booleans(), st.data())
def test_every_pattern_is_found_where_a_search_for_it_alone_finds_it(identities, plain, data):
    first = data.draw(st.sampled_from([(), ("date",), ("id", "name")]))
    patterns = one_by_one(identities, plain=plain, first=first)
    search = Search(identities, plain=plain, first=first)
    spelled = set().union(*(needles(one) for one in identities if forms(one)))
    days = {day_of(one) for one in identities} - {None}
    assert len(search.patterns) == len(patterns) + len(spelled) + len(days)
    assert set(search.patterns.left_out) == {one for one in identities if not forms(one)}
    assert all(one in search.patterns for one in patterns)
    drawn = data.draw(st.lists(st.sampled_from(sorted(patterns)), max_size=12)) if patterns else []
    parts = [data.draw(JUNK) + (one.upper() if at % 2 else one) for at, one in enumerate(drawn)]
    content = b"".join(parts) + data.draw(JUNK)
    for bulk in (False, True):
        found = list(search.matches(content, bulk=bulk, spellings=False))
        told = {(one.pattern, one.start, one.end) for one in found}
        assert told == places(content, patterns, bulk=bulk)
        assert len(told) == len(found)


@pytest.mark.parametrize("size", [FEW - 9, FEW + 13, 5 * FEW])
def test_a_long_content_is_searched_at_every_place(size):
    rng = np.random.default_rng(7)
    identities = {
        Identity("name", "x", "Canarbwitz^Ilsebtta"), Identity("id", "x", "RX90012"),
        Identity("date", "x", "19361112"), Identity("name", "x", "Canärhuber^Wälpurga"),
    }  # fmt: skip
    patterns = one_by_one(identities)
    several = sorted(patterns)
    content = bytearray(rng.bytes(size))
    for at in rng.integers(0, size - 300, 60):
        one = several[rng.integers(len(several))]
        content[at : at + len(one)] = one
    found = Search(identities).matches(bytes(content), spellings=False)
    told = {(one.pattern, one.start, one.end) for one in found}
    assert told == places(bytes(content), patterns, bulk=False)
    assert len(told) > 15


def test_many_patients_have_a_million_patterns_and_little_memory():
    """A word, and so the end of the patterns, is one of a few: each place has many patterns."""
    identities = [
        Identity("name", "x", f"Canary{n:05d}^Given{n % 7}") for n in range(300)
    ] + [Identity("date", "x", f"19{30 + n % 40}{1 + n % 12:02d}{1 + n % 28:02d}")
         for n in range(300)]  # fmt: skip
    patterns = Patterns(identities)
    assert len(patterns) > 200_000
    held = sum(
        array.nbytes
        for table in (*patterns.tables, *patterns.folded)
        for array in vars(table).values()
        if isinstance(array, np.ndarray)
    )
    assert held < 80 * len(patterns)


def test_a_search_when_asked_tells_the_kinds_that_come_first():
    same = [Identity("text", "x", "Canarbwitz"), Identity("name", "x", "Canarbwitz")]
    for first in ("name", "text"):
        told, *spelled = SearchWhenAsked(same, (first,)).matches(b"of canarbwitz")
        assert told.pattern.identity.kind == first
        assert [one.pattern.encoding for one in spelled] == ["another spelling"]


@given(st.lists(st.binary(min_size=13, max_size=13), min_size=1, max_size=5))
def test_a_hash_of_one_is_that_of_many(texts):
    rows = np.frombuffer(b"".join(texts), np.uint8).reshape(len(texts), 13)
    assert hashes_of(rows).tolist() == [hash_of(one) for one in texts]
