"""The text of a table's file, whatever its encoding, packed or not."""

from __future__ import annotations

import codecs
import gzip
import logging
import re
import zlib
from pathlib import Path

from pipeline.core.errors import StudyError

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
LEGACY_ENCODINGS = ("cp1252", "gb18030")
"""What Excel writes where it does not write UTF-8: Western Europe and America, and China.

More candidates would make short tables ambiguous (one column of Chinese characters decodes as
Big5 just as well)."""


def unpacked(path: Path) -> bytes:
    """Return the bytes of a text file, unpacked if it is packed, whatever its name says."""
    data = path.read_bytes()
    if not data.startswith(GZIP):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        raise StudyError(
            "A packed table must be a whole .gz file",
            found="a damaged or cut one",
            where=str(path),
            remedy="fetch or pack it again",
        ) from None


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
            candidates = ["utf-16-le" if data[1::2].count(0) > data[::2].count(0) else "utf-16-be"]
    for encoding in candidates:
        try:
            return data.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    if candidates == ["utf-8"]:
        legacy = _legacy_encoding(data)
        if legacy is not None:
            logger.info("%s is not UTF-8; read as %s", where, legacy)
            return data.decode(legacy), legacy
    raise StudyError(
        "A table must be text in UTF-8, UTF-16, cp1252 or GB18030",
        where=where,
        remedy="save it as `CSV UTF-8` in Excel or LibreOffice, or as .xlsx",
    )


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
