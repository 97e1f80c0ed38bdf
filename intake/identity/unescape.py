"""Texts behind escapes: percent-encoding, JSON and Python escapes, HTML entities, base64 runs."""

from __future__ import annotations

import base64
import html
import quopri
import re
import urllib.parse
from collections.abc import Iterator

MIN_RUN = 40
"""Characters of a base64 run that is decoded and looked into; shorter ones are patterns."""

_PERCENT = re.compile(rb"%[0-9A-Fa-f]{2}")
_UNICODE = re.compile(rb"(?:\\+u\{?[0-9A-Fa-f]{4,6}\}?)+|(?:\\+U[0-9A-Fa-f]{8})+")
_BYTES = re.compile(rb"(?:\\+x[0-9A-Fa-f]{2})+")
_OCTAL = re.compile(rb"(?:\\[0-3][0-7]{2})+")
_ENTITY = re.compile(rb"&#?[0-9A-Za-z]{2,31};?")
_QUOTED = re.compile(rb"(?:=[0-9A-F]{2}){2}")
_TAG = re.compile(rb"<[^<>]{1,200}>")
_BASE64 = re.compile(
    rb"[A-Za-z0-9+/_-]{%d,}(?:(?:\\r)?(?:\\n|\r?\n)[ \t]*[A-Za-z0-9+/_-]+)*={0,2}" % MIN_RUN
)
_CONTROL = bytes([*range(1, 8), *range(14, 27), *range(28, 32), 127])


def looks_like_text(head: bytes) -> bool:
    """Return whether the start of a content is text in some encoding: hardly any control bytes."""
    visible = head.replace(b"\0", b"")
    if not visible:
        return False
    return len(visible) - len(visible.translate(None, _CONTROL)) <= 0.02 * len(visible)


def unescaped(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield readings of a text that differ from it, each with its name.

    A text may be escaped twice, as an URL in JSON: what is yielded is unescaped once more.
    """
    for name, once in _readings(content):
        yield name, once
        for _, twice in _readings(once):
            if twice != once:
                yield name, twice


def _readings(content: bytes) -> Iterator[tuple[str, bytes]]:
    if _PERCENT.search(content):
        yield "percent-encoding", urllib.parse.unquote_to_bytes(content.replace(b"+", b" "))
        yield "percent-encoding", urllib.parse.unquote_to_bytes(content)
    escapes = b"\\" in content
    if escapes and _UNICODE.search(content):
        yield "JSON escapes", _UNICODE.sub(_characters, content)
    if escapes and _BYTES.search(content):
        yield "byte escapes", _BYTES.sub(lambda one: _escaped(one[0], rb"x(..)", 16), content)
    if escapes and _OCTAL.search(content):
        yield "byte escapes", _OCTAL.sub(lambda one: _escaped(one[0], rb"\\(...)", 8), content)
    if _ENTITY.search(content):
        text = html.unescape(content.decode("utf-8", "surrogateescape"))
        yield "HTML entities", text.encode("utf-8", "surrogateescape")
    if _QUOTED.search(content):
        yield "quoted-printable", quopri.decodestring(content)
    plain = _TAG.sub(b" ", content) if b"<" in content else content
    if escapes:
        plain = plain.replace(b"\\n", b" ")
    joined = b" ".join(plain.split())
    if joined != content.strip():
        yield "line breaks and tags", joined


def _characters(run: re.Match) -> bytes:
    r"""Return what ``\uXXXX`` escapes mean; pairs of surrogates are one character."""
    codes = [int(one, 16) for one in re.findall(rb"[uU]\{?([0-9A-Fa-f]+)", run[0])]
    units = b"".join(
        code.to_bytes(2, "little") if code < 0x10000 else _character(code) for code in codes
    )
    return units.decode("utf-16-le", "replace").encode()


def _character(code: int) -> bytes:
    return chr(code).encode("utf-16-le") if code <= 0x10FFFF else b""


def _escaped(run: bytes, pattern: bytes, base: int) -> bytes:
    return bytes(int(one, base) for one in re.findall(pattern, run))


def base64_runs(content: bytes) -> Iterator[bytes]:
    """Yield what long base64 runs of a text decode to."""
    for run in _BASE64.finditer(content):
        data = re.sub(rb"\\r|\\n|\s|=", b"", run[0]).replace(b"-", b"+").replace(b"_", b"/")
        data = data[: len(data) - (len(data) % 4 == 1)]
        yield base64.b64decode(data + b"=" * (-len(data) % 4))


def inside_base64(content: bytes, place: int) -> bool:
    """Return whether a place lies in a run that `base64_runs` decodes."""
    return any(run.start() <= place < run.end() for run in _BASE64.finditer(content))
