"""What a file holds, unpacked: compressed and nested contents, tables, headers, metadata.

Every kind is recognised by its first bytes, since results have many names. What cannot be opened is
an error: a scan that skips a file proves nothing.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import sqlite3
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow.parquet
from isal import igzip

from intake.identity.unescape import base64_runs, looks_like_text
from pipeline.imaging.dicom.dicom_start import has_mark, is_bare

MAX_DEPTH = 6
"""Containers in containers; deeper nesting is an error."""

CHUNK = 1 << 26
"""Bytes looked at together."""

OVERLAP = 1 << 12
"""Bytes by which chunks overlap: more than the longest pattern."""

IN_MEMORY = 1 << 26
"""Unpacked bytes kept in memory; more go to a temporary file, which has no name."""

HEAD = 1 << 16


@dataclass(frozen=True)
class Piece:
    """A part of a file to search.

    Attributes
    ----------
    content : bytes
        The part.
    chain : tuple of str
        How it was unpacked, such as ``("gzip", "NRRD header")``.
    bulk : bool
        Voxels or other numbers, where short patterns occur by chance.
    numbers : bool
        A column of measurements, some of which are a hospital's number by chance.
    """

    content: bytes
    chain: tuple[str, ...]
    bulk: bool = False
    numbers: bool = False


class CannotOpenError(Exception):
    """A container that is damaged, encrypted or nested too deeply."""


def pieces_of(path: Path) -> Iterator[Piece]:
    """Yield the parts of a file.

    Raises
    ------
    CannotOpenError
        If a part of it cannot be unpacked.
    """
    with open(path, "rb") as stream:
        yield from _pieces(stream, ())


def _pieces(stream: BinaryIO, chain: tuple[str, ...]) -> Iterator[Piece]:
    if len(chain) > MAX_DEPTH:
        raise CannotOpenError(f"more than {MAX_DEPTH} containers in one another")
    stream.seek(0)
    head = stream.read(HEAD)
    stream.seek(0)
    for mark, (name, opener) in _OPENERS.items():
        if head.startswith(mark):
            try:
                yield from opener(stream, head, (*chain, name))
            except (CannotOpenError, MemoryError):
                raise
            except Exception as error:
                raise CannotOpenError(f"{name}: {type(error).__name__}") from None
            return
    if head[257:262] == b"ustar":
        yield from _tar(stream, head, (*chain, "tar"))
    elif has_mark(head) or (not chain and is_bare(head)):
        yield from _dicom(stream, head, (*chain, "DICOM"))
    elif head[344:347] in (b"n+1", b"ni1") or head[4:7] in (b"n+2", b"ni2"):
        yield from _nifti(stream, head, (*chain, "NIfTI"))
    else:
        yield from _plain(stream, head, chain)


def _plain(stream: BinaryIO, head: bytes, chain: tuple[str, ...]) -> Iterator[Piece]:
    """Yield text as it is with what base64 runs in it hold; other bytes as bulk."""
    decoded = bool(chain) and chain[-1] == "base64"
    text = _is_clean(head) if decoded else looks_like_text(head) or _is_pickle(head)
    text |= len(head) < HEAD and not chain
    for content in _chunks(stream):
        yield Piece(content, chain, bulk=not text)
        if text:
            for data in base64_runs(content):
                yield from _pieces(io.BytesIO(data), (*chain, "base64"))


def _is_clean(head: bytes) -> bool:
    """Return whether bytes behind base64 are text: random ones hardly ever are UTF-8 as a whole."""
    for encoding in ("utf-8", "utf-16-le"):
        if encoding == "utf-16-le" and b"\0" not in head:
            continue
        try:
            text = head[: len(head) - len(head) % 2].decode(encoding)
        except UnicodeDecodeError as error:
            if error.end < len(head) - 4:  # a character that the end of the head cuts is none
                continue
            text = head[: error.start].decode(encoding)
        if text and sum(one.isprintable() or one in "\r\n\t\0" for one in text) >= 0.98 * len(text):
            return True
    return False


def _is_pickle(head: bytes) -> bool:
    return len(head) > 2 and head[0] == 0x80 and head[1] in (2, 3, 4, 5)


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    carried = b""
    while fresh := stream.read(CHUNK):
        content = carried + fresh
        yield content
        carried = content[-OVERLAP:]


def _unpacked(source: BinaryIO, chain: tuple[str, ...]) -> Iterator[Piece]:
    """Yield the parts of everything that `source` still yields."""
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as content:
        while fresh := source.read(1 << 20):
            content.write(fresh)
        yield from _pieces(content, chain)


def _gzip(stream: BinaryIO, head: bytes, chain: tuple[str, ...]) -> Iterator[Piece]:
    yield Piece(_gzip_names(head), (*chain, "header"))
    with igzip.open(stream, "rb") as source:
        yield from _unpacked(source, chain)


def _gzip_names(head: bytes) -> bytes:
    """Return the optional fields of a gzip header: extra bytes, file name, comment."""
    flags, start = head[3], 10
    if flags & 4:
        start += 2 + int.from_bytes(head[10:12], "little")
    end = start
    for flag in (8, 16):
        if flags & flag:
            end = head.index(b"\0", end) + 1
    return head[10:end]


def _bz2(stream: BinaryIO, _: bytes, chain: tuple[str, ...]) -> Iterator[Piece]:
    with bz2.open(stream, "rb") as source:
        yield from _unpacked(source, chain)


def _xz(stream: BinaryIO, _: bytes, chain: tuple[str, ...]) -> Iterator[Piece]:
    with lzma.open(stream, "rb") as source:
        yield from _unpacked(source, chain)


def _zip(stream: BinaryIO, _: bytes, chain: tuple[str, ...]) -> Iterator[Piece]:
    with zipfile.ZipFile(stream) as opened:
        yield Piece(opened.comment, (*chain, "comment"))
        places = {member.header_offset for member in opened.infolist()}
        if len(places) < len(opened.infolist()):  # Python may print a member's name otherwise
            raise zipfile.BadZipFile("two members in one place")
        for member in opened.infolist():
            yield Piece(member.filename.encode(), (*chain, "name"))
            if not member.flag_bits & 0x800:  # names were decoded as cp437
                yield Piece(member.filename.encode("cp437", "replace"), (*chain, "name"))
            yield Piece(member.comment + b"\n" + member.extra, (*chain, "comment"))
            if not member.is_dir():
                with opened.open(member) as source:
                    yield from _unpacked(source, chain)


def _tar(stream: BinaryIO, _: bytes, chain: tuple[str, ...]) -> Iterator[Piece]:
    with tarfile.open(fileobj=stream) as opened:
        for member in opened:
            words = [member.name, member.linkname, member.uname, *member.pax_headers.values()]
            yield Piece("\n".join(words).encode("utf-8", "surrogateescape"), (*chain, "name"))
            if member.isfile():
                yield from _unpacked(opened.extractfile(member), chain)


def _parquet(stream: BinaryIO, _: bytes, chain: tuple[str, ...]) -> Iterator[Piece]:
    stream.seek(-8, io.SEEK_END)
    length = int.from_bytes(stream.read(4), "little")
    stream.seek(-8 - length, io.SEEK_END)
    footer = stream.read(length)
    yield Piece(footer, (*chain, "metadata"))
    for data in base64_runs(footer):  # the schema as Arrow keeps it
        yield Piece(data, (*chain, "metadata", "base64"))
    opened = pyarrow.parquet.ParquetFile(stream)
    names = "\n".join(opened.schema_arrow.names).encode("utf-8", "surrogateescape")
    yield Piece(names, (*chain, "metadata"))
    for batch in opened.iter_batches(batch_size=4096):
        table = batch.to_pandas()
        numbers = table.select_dtypes("float")
        texts = table[[name for name in table.columns if name not in numbers.columns]]
        lines = texts.to_csv(index=False, header=False).encode("utf-8", "surrogateescape")
        yield Piece(lines, (*chain, "values"))
        for column in texts:
            for value in texts[column]:
                if isinstance(value, bytes) and len(value) >= 4:
                    yield from _pieces(io.BytesIO(value), (*chain, "values"))
        for name in numbers:
            values = numbers[name].to_numpy(dtype=float)
            with np.errstate(invalid="ignore"):
                whole = values[(values == np.rint(values)) & (np.abs(values) >= 1e5)]
            if len(whole):
                text = " ".join(f"{one:.0f}" for one in whole).encode()
                yield Piece(text, (*chain, "values"), numbers=True)


def _png(stream: BinaryIO, _: bytes, chain: tuple[str, ...]) -> Iterator[Piece]:
    content = stream.read()
    place = 8
    while place + 8 <= len(content):
        length, kind = struct.unpack(">I4s", content[place : place + 8])
        data = content[place + 8 : place + 8 + length]
        place += 12 + length
        if kind == b"IEND":
            break
        if kind == b"IDAT":
            continue  # pixels
        yield Piece(data, (*chain, kind.decode("latin-1")))
        key, _, rest = data.partition(b"\0")
        if kind == b"zTXt":
            yield from _pieces(io.BytesIO(zlib.decompress(rest[1:])), (*chain, "zTXt"))
        elif kind == b"iTXt" and rest[:1] == b"\1":
            packed = rest[2:].split(b"\0", 2)[2]
            yield from _pieces(io.BytesIO(zlib.decompress(packed)), (*chain, "iTXt"))
        elif kind == b"iCCP":
            yield Piece(zlib.decompress(rest[1:]), (*chain, "iCCP"))
        elif key.startswith(b"Raw profile type"):
            hexadecimal = re.sub(rb"[^0-9a-fA-F]", b"", rest)
            yield Piece(bytes.fromhex(hexadecimal[: len(hexadecimal) // 2 * 2].decode()), chain)
    yield Piece(content[place:], (*chain, "after the picture"))


def _jpeg(stream: BinaryIO, _: bytes, chain: tuple[str, ...]) -> Iterator[Piece]:
    """Yield EXIF, XMP and comments, which stand before the scan, as text; the scan as bulk."""
    content = stream.read()
    scan = content.find(b"\xff\xda")
    scan = len(content) if scan < 0 else scan
    end = content.rfind(b"\xff\xd9", scan)
    end = len(content) if end < 0 else end + 2
    yield Piece(content[:scan], (*chain, "metadata"))
    yield Piece(content[scan:end], chain, bulk=True)
    yield Piece(content[end:], (*chain, "behind the data"))


def _sqlite(stream: BinaryIO, _: bytes, chain: tuple[str, ...]) -> Iterator[Piece]:
    content = stream.read()
    yield Piece(content, (*chain, "pages"))  # deleted rows too
    with tempfile.NamedTemporaryFile(suffix=".sqlite") as copy:
        copy.write(content)
        copy.flush()
        opened = sqlite3.connect(f"file:{copy.name}?mode=ro&immutable=1", uri=True)
        try:
            opened.text_factory = bytes
            names = opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (name,) in names:
                quoted = name.decode().replace('"', '""')
                for row in opened.execute(f'SELECT * FROM "{quoted}"'):
                    for value in row:
                        if isinstance(value, bytes):
                            yield from _pieces(io.BytesIO(value), (*chain, "values"))
                        elif isinstance(value, int):
                            yield Piece(str(value).encode(), (*chain, "values"))
        finally:
            opened.close()


def _nrrd(stream: BinaryIO, head: bytes, chain: tuple[str, ...]) -> Iterator[Piece]:
    match = re.search(rb"\r?\n\r?\n", head)
    while match is None and len(head) < 1 << 24:
        more = stream.read(1 << 20) if stream.tell() == len(head) else _from(stream, len(head))
        if not more:
            break
        head += more
        match = re.search(rb"\r?\n\r?\n", head)
    end = match.end() if match else len(head)
    header = head[:end]
    yield Piece(header, (*chain, "header"))
    encoding = re.search(rb"^encoding:\s*(\S+)", header, re.MULTILINE | re.IGNORECASE)
    stream.seek(end)
    source: BinaryIO = stream
    kind = encoding[1].lower() if encoding else b"raw"
    if kind in (b"gzip", b"gz"):
        start = stream.read(HEAD)
        if start[:2] == b"\x1f\x8b":
            yield Piece(_gzip_names(start), (*chain, "gzip", "header"))
        stream.seek(end)
        source = gzip.GzipFile(fileobj=stream)
    elif kind in (b"bzip2", b"bz2"):
        source = bz2.BZ2File(stream)
    yield from _data_and_tail(source, _nrrd_size(header), (*chain, "voxels"))


_NRRD_BYTES = {
    **dict.fromkeys(("signed char", "int8", "int8_t", "uchar", "unsigned char", "uint8"), 1),
    **dict.fromkeys(("uint8_t", "block"), 1),
    **dict.fromkeys(("short", "short int", "signed short", "signed short int", "int16"), 2),
    **dict.fromkeys(("int16_t", "ushort", "unsigned short", "unsigned short int", "uint16"), 2),
    **dict.fromkeys(("uint16_t",), 2),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t", "uint", "unsigned int", "uint32"), 4),
    **dict.fromkeys(("uint32_t", "float"), 4),
    **dict.fromkeys(("longlong", "long long", "long long int", "int64", "int64_t", "double"), 8),
    **dict.fromkeys(("signed long long", "ulonglong", "unsigned long long", "uint64"), 8),
}


def _nrrd_size(header: bytes) -> int | None:
    """Return how many bytes of voxels a NRRD header announces, None where it does not tell."""
    fields = {}
    for line in header.decode("latin-1").splitlines():
        key, mark, value = line.partition(": ")
        if mark:
            fields[key.lower()] = value.strip().lower()
    try:
        sizes = [int(one) for one in fields["sizes"].split()]
        return int(np.prod(sizes)) * _NRRD_BYTES[fields["type"]]
    except (KeyError, ValueError):
        return None


def _data_and_tail(source: BinaryIO, size: int | None, chain: tuple[str, ...]) -> Iterator[Piece]:
    """Yield the bytes of an array as bulk, and what lies behind them as text."""
    left = size
    carried = b""
    while left is None or left > 0:
        fresh = source.read(CHUNK if left is None else min(CHUNK, left))
        if not fresh:
            break
        left = None if left is None else left - len(fresh)
        yield Piece(carried + fresh, chain, bulk=True)
        carried = fresh[-OVERLAP:]
    if left == 0:
        yield from _tail(source, chain[:-1])


def _tail(source: BinaryIO, chain: tuple[str, ...]) -> Iterator[Piece]:
    """Yield what a file holds behind its array: as text, since no program looks at it."""
    carried = b""
    while rest := source.read(CHUNK):
        if rest.strip(b"\0"):
            yield Piece(carried + rest, (*chain, "behind the data"))
        carried = rest[-OVERLAP:]


def _from(stream: BinaryIO, place: int) -> bytes:
    stream.seek(place)
    return stream.read(1 << 20)


def _nifti(stream: BinaryIO, head: bytes, chain: tuple[str, ...]) -> Iterator[Piece]:
    order = "<" if head[:4] in (b"\x5c\x01\0\0", b"\x1c\x02\0\0") else ">"
    if head[344:347] in (b"n+1", b"ni1"):
        offset = int(struct.unpack(f"{order}f", head[108:112])[0])
    else:
        offset = struct.unpack(f"{order}q", head[168:176])[0]
    stream.seek(0)
    yield Piece(stream.read(max(offset, 352)), (*chain, "header"))
    if head[344:347] in (b"n+1", b"ni1"):
        sizes = struct.unpack(f"{order}8h", head[40:56])
        bits = struct.unpack(f"{order}h", head[72:74])[0]
    else:
        sizes = struct.unpack(f"{order}8q", head[16:80])
        bits = struct.unpack(f"{order}h", head[14:16])[0]
    used = [max(one, 1) for one in sizes[1 : 1 + max(0, min(sizes[0], 7))]]
    size = int(np.prod(used, dtype=object)) * max(bits, 0) // 8
    yield from _data_and_tail(stream, size or None, (*chain, "voxels"))


def _dicom(stream: BinaryIO, _: bytes, chain: tuple[str, ...]) -> Iterator[Piece]:
    """Yield all of a DICOM file but its pixels as text."""
    import pydicom

    from pipeline.imaging.dicom.dicom_headers import quiet

    with quiet():
        header = pydicom.dcmread(stream, stop_before_pixels=True, force=True)
    deflated = str(header.file_meta.get("TransferSyntaxUID", "")) == "1.2.840.10008.1.2.1.99"
    end = stream.tell()
    stream.seek(0)
    if deflated:
        yield Piece(header.to_json(suppress_invalid_tags=True).encode(), (*chain, "header"))
        end = 0
    yield Piece(stream.read(end), (*chain, "header"))
    size = None if deflated else _pixel_bytes(header, stream)
    yield from _data_and_tail(stream, size, (*chain, "pixels"))


def _pixel_bytes(header, stream: BinaryIO) -> int | None:
    """Return how many bytes the pixels take with their element's head, None where not known."""
    place = stream.tell()
    rest = stream.read()
    stream.seek(place)
    syntax = header.file_meta.get("TransferSyntaxUID")
    if syntax is not None and syntax.is_compressed:
        end = rest.rfind(b"\xfe\xff\xdd\xe0\0\0\0\0")
        return end + 8 if end >= 0 else None
    try:
        count = header.Rows * header.Columns * int(header.get("NumberOfFrames") or 1)
        bits = count * int(header.get("SamplesPerPixel") or 1) * header.BitsAllocated
    except (AttributeError, TypeError, ValueError):
        return None
    implicit = syntax is not None and syntax.is_implicit_VR
    return (8 if implicit else 12) + (bits + 7) // 8


def _npy(stream: BinaryIO, head: bytes, chain: tuple[str, ...]) -> Iterator[Piece]:
    text = re.search(rb"'descr': '[<>|=]?([US])[0-9]+'|'descr': '\|O'", head[:512]) is not None
    for content in _chunks(stream):
        yield Piece(content, chain, bulk=not text)
    yield Piece(head[:256], (*chain, "header"))


def _pdf(stream: BinaryIO, _: bytes, chain: tuple[str, ...]) -> Iterator[Piece]:
    content = stream.read()
    yield Piece(content, chain)
    for match in re.finditer(rb"stream\r?\n", content):
        try:
            data = zlib.decompressobj().decompress(content[match.end() :], 1 << 26)
        except zlib.error:
            continue  # a stream that is packed otherwise: fonts, pictures
        yield Piece(data, (*chain, "stream"))


_OPENERS = {
    b"\x1f\x8b": ("gzip", _gzip),
    b"BZh": ("bzip2", _bz2),
    b"\xfd7zXZ\0": ("xz", _xz),
    b"PK\x03\x04": ("zip", _zip),
    b"PAR1": ("Parquet", _parquet),
    b"\x89PNG\r\n\x1a\n": ("PNG", _png),
    b"\xff\xd8\xff": ("JPEG", _jpeg),
    b"SQLite format 3\0": ("SQLite", _sqlite),
    b"NRRD000": ("NRRD", _nrrd),
    b"\x93NUMPY": ("NumPy", _npy),
    b"%PDF": ("PDF", _pdf),
}
