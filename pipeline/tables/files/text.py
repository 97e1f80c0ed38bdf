"""The text of a table's file, whatever its encoding, packed or not."""

from __future__ import annotations

import codecs
import datetime
import logging
import math
import re
import zlib
from decimal import Decimal
from pathlib import Path

from pipeline.core.errors import StudyError
from pipeline.tables.files.limits import MOST_BYTES, read_bytes, too_large

logger = logging.getLogger(__name__)

GZIP = b"\x1f\x8b"
"""How a gzip file begins."""
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
RUNS_PER_DAMAGE = 3
"""Different groups of letters beyond ASCII that are right in UTF-8, for each that is not, from
which on a text is taken for damaged UTF-8: of characters in GB18030 one in seven happens to be
right, of letters in cp1252 none."""
MANY_ZEROS = 0.02
"""Share of zero bytes from which on a text without a mark is taken for UTF-16."""
LEGACY_ENCODINGS = ("cp1252", "gb18030")
"""What Excel writes where it does not write UTF-8: Western Europe and America, and China.

More candidates would make short tables ambiguous (one column of Chinese characters decodes as
Big5 just as well)."""


def unpacked(path: Path) -> bytes:
    """Return the bytes of a text file, unpacked if it is packed, whatever its name says.

    Raises
    ------
    StudyError
        If it is damaged, or too large: a small file of zeros can be unpacked to any size.
    """
    data = read_bytes(path)
    if not data.startswith(GZIP):
        return data
    found, rest = [], data
    size = 0
    try:
        while rest.startswith(GZIP):  # parts packed one by one stand one behind the other
            stream = zlib.decompressobj(wbits=31)
            found.append(stream.decompress(rest, MOST_BYTES + 1 - size))
            size += len(found[-1])
            if size > MOST_BYTES:
                raise too_large(f"more than {MOST_BYTES // 1_000_000} MB, unpacked", path)
            if not stream.eof:
                raise EOFError
            rest = stream.unused_data
    except (EOFError, zlib.error):
        rest = b"damaged"
    if rest.strip(b"\0"):
        raise StudyError(
            "A packed table must be a whole .gz file",
            found="a damaged or cut one",
            where=str(path),
            remedy="fetch or pack it again",
            code="table-gzip-damaged",
        )
    return b"".join(found)


def decode(data: bytes, where: str) -> tuple[str, str]:
    """Return the text of a file's bytes, and the encoding found.

    A byte order mark decides; then UTF-8, which other encodings hardly ever resemble; then
    UTF-16 where every second byte is zero; then the likelier of `LEGACY_ENCODINGS`.

    Raises
    ------
    StudyError
        If none of them decodes the whole file.
    """
    for mark, encoding in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            candidates = [encoding]
            break
    else:
        candidates = ["utf-8"]
        if b"\0" in data:
            odd, even = data[1::2].count(0), data[::2].count(0)
            # Text of any language has blanks and line ends: zeros in one half only, not a few.
            if max(odd, even) > MANY_ZEROS * len(data) and min(odd, even) == 0:
                candidates = ["utf-16-le" if odd > even else "utf-16-be"]
    for encoding in candidates:
        try:
            return _without_zeros(data.decode(encoding), where), encoding
        except UnicodeDecodeError:
            continue
    if candidates == ["utf-8"]:
        _check_no_damaged_utf8(data, where)
        legacy = _legacy_encoding(data)
        if legacy is not None:
            logger.info("%s is not UTF-8; read as %s", where, legacy)
            return _without_zeros(data.decode(legacy), where), legacy
    raise StudyError(
        "A table must be text in UTF-8, UTF-16, cp1252 or GB18030",
        where=where,
        remedy="save it as `CSV UTF-8` in Excel or LibreOffice, or as .xlsx",
        code="table-encoding-unknown",
    )


def _check_no_damaged_utf8(data: bytes, where: str) -> None:
    """Refuse UTF-8 in which a byte or two became others: read as cp1252, all its letters would."""
    text = data.decode("utf-8", errors="replace")
    runs = {run.decode("utf-8", "replace") for run in re.findall(rb"[\x80-\xff]+", data)}
    wrong = sum("\ufffd" in run for run in runs)
    if len(runs) - wrong >= RUNS_PER_DAMAGE * wrong:
        at = next(n for n, line in enumerate(text.splitlines(), 1) if "\ufffd" in line)
        raise StudyError(
            "A table in UTF-8 must be so in every line",
            found="a letter that is damaged",
            where=f"{where}, line {at}",
            remedy="fetch the file again, or save it anew as `CSV UTF-8`",
            code="table-letter-damaged",
        )


def _without_zeros(text: str, where: str) -> str:
    """Return text without marks in front, or refuse one with zero bytes: a lost block of a disk."""
    at = text.find("\0")
    if at >= 0:
        raise StudyError(
            "A table must be text without zero bytes",
            found=f"{text.count(chr(0))} zero bytes",
            where=f"{where}, line {len(text[:at].splitlines()) or 1}",
            remedy="the file is damaged: fetch or save it again",
            code="table-zero-bytes",
        )
    return text.lstrip("\ufeff")


def cell_text(value: object) -> str:
    """Return a typed value of Excel or Parquet as text.

    Examples
    --------
    >>> cell_text(7.0), cell_text(True), cell_text(datetime.datetime(2025, 3, 1))
    ('7', 'TRUE', '2025-03-01')
    """
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float | Decimal):
        if math.isnan(value):
            return ""
        if math.isfinite(value) and value == int(value) and -(2**53) < value < 2**53:
            return str(int(value))
        return repr(value) if isinstance(value, float) else str(value)
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        value = value.date()
    return value.isoformat() if isinstance(value, datetime.date) else str(value).strip()


def _legacy_encoding(data: bytes) -> str | None:
    """Return the likelier of `LEGACY_ENCODINGS`, or None if neither decodes `data`.

    The common Chinese characters are pairs of bytes above 127, whereas accents mostly stand alone
    among ASCII letters. GB18030 decodes those too, and on a short table a detector that judges by
    frequency may believe it.
    """
    from charset_normalizer import from_bytes

    runs = re.findall(rb"[\x80-\xff]+", data)
    alone = sum(len(run) % 2 for run in runs)
    if 2 * alone > len(runs):
        try:
            data.decode("cp1252")
            return "cp1252"
        except UnicodeDecodeError:
            pass
    best = from_bytes(data, cp_isolation=list(LEGACY_ENCODINGS)).best()
    return None if best is None else best.encoding
