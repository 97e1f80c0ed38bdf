"""The file of a frozen model: a zip of named members, checked before anything of it is used.

Members are stored, not compressed, so that a small file cannot hold much; nothing is ever unpacked
to a disk. A file is taken only if writing its members again gives the same bytes: a change of any
byte is noticed, and nothing can hide between the members. Digests say whether a file is as it was
written, not who wrote it.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from pipeline.core.errors import StudyError
from pipeline.core.files import raise_if_machine, whole_file
from pipeline.tables.files.limits import read_bytes

MODEL, DIGESTS = "model.json", "digests.json"

#: Every name that a member may have.
NAMES = re.compile(
    r"(model|digests)\.json"
    r"|arrays/[a-z0-9_]{1,40}(\.[a-z0-9_]{1,40}){0,5}\.npy"
    r"|trees/[a-z0-9_]{1,40}(\.[a-z0-9_]{1,40}){0,5}\.json"
)

MOST_BYTES = 256_000_000
"""Bytes of a file, and so of its members: 200 refits of a forest of 300 trees take 100 MB."""
MOST_MEMBERS = 30_000
"""Members of a file: 200 refits of a TabNet of five steps have some 12,000."""
MOST_JSON_BYTES = 32_000_000
"""Bytes of a JSON member."""
MOST_HEADER_BYTES = 512
"""Bytes of the header of an array."""

KINDS = {"<f8": np.float64, "<i4": np.int32, "|b1": np.bool_}
"""Types that an array may have."""

#: What zipfile and zlib raise on a damaged or unusual file.
_DAMAGE = (
    *(zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OverflowError),
    *(ValueError, IndexError, OSError),
)


def refused(rule: str, found: object, where: str, *, code: str) -> StudyError:
    """Return the error for a file that is no frozen model, or a damaged one."""
    return StudyError(
        rule,
        found=found,
        where=where,
        remedy="ask whoever made the model for its file again, and compare the digest that "
        "`vertebromics freeze` printed",
        code=code,
    )


def read_members(path: str | Path) -> tuple[dict[str, bytes], str]:
    """Read the members of a frozen model's file.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    members : dict of str to bytes
        By name, without the digests.
    digest : str
        SHA-256 of the digests of all members, in hexadecimal: of everything.

    Raises
    ------
    StudyError
        If the file is not there, too large, no such file, or not as it was written.
    """
    content, where = read_bytes(path, "frozen model"), Path(path).name
    if len(content) > MOST_BYTES:
        raise refused(
            f"The file of a frozen model has at most {MOST_BYTES // 1_000_000} MB",
            f"{len(content) / 1e6:,.0f} MB",
            where,
            code="frozen-file-too-large",
        )
    if not content.startswith(b"PK\x03\x04"):
        raise refused(
            "A frozen model is a zip file (.vbm)",
            "another kind of file",
            where,
            code="frozen-file-not-zip",
        )
    try:
        members = _members(content, where)
    except _DAMAGE as error:
        raise_if_machine(error)
        raise refused(
            "The file of a frozen model must be whole",
            _words(error),
            where,
            code="frozen-file-damaged",
        ) from None
    if zip_of(members) != content:
        raise refused(
            "The file of a frozen model must be as it was written, byte for byte",
            "bytes that belong to no member, or a header that was changed",
            where,
            code="frozen-file-changed",
        )
    given = members.pop(DIGESTS, None)
    if given is None or MODEL not in members:
        raise refused(
            f"A frozen model must hold {MODEL} and {DIGESTS}",
            f"{len(members)} members without it",
            where,
            code="frozen-members-missing",
        )
    if given != _digests(members):
        raise refused(
            "Each member of a frozen model must have the digest that the file states",
            "another digest, or another list of members",
            where,
            code="frozen-digest-differs",
        )
    return members, hashlib.sha256(given).hexdigest()


def write_members(members: Mapping[str, bytes], path: str | Path) -> str:
    """Write a frozen model's file, whole or not at all; return its digest.

    The same members give the same bytes.

    Parameters
    ----------
    members : mapping of str to bytes
        By name, without the digests, which are added.
    path : path-like
        The file to write.
    """
    digests = _digests(members)
    content = zip_of({**members, DIGESTS: digests})
    if len(content) > MOST_BYTES:
        raise StudyError(
            f"The file of a frozen model has at most {MOST_BYTES // 1_000_000} MB",
            found=f"{len(content) / 1e6:,.0f} MB",
            where=Path(path).name,
            remedy="store fewer refits (--refits)",
            code="frozen-file-too-large",
        )
    with whole_file(path) as beside:
        beside.write_bytes(content)
    return hashlib.sha256(digests).hexdigest()


def zip_of(members: Mapping[str, bytes]) -> bytes:
    """Return members as a zip file, by name, without compression and without times."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o644 << 16
            archive.writestr(info, members[name])
    return stream.getvalue()


def read_object(data: bytes, where: str) -> object:
    """Return the value of a JSON member; a key twice, NaN and infinity are refused."""
    if len(data) > MOST_JSON_BYTES:
        raise refused(
            f"A JSON member of a frozen model has at most {MOST_JSON_BYTES // 1_000_000} MB",
            f"{len(data) / 1e6:,.0f} MB",
            where,
            code="frozen-json-too-large",
        )
    try:
        return json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_no_key_twice,
            parse_constant=_no_number,
            parse_float=_finite,
        )
    except (ValueError, RecursionError) as error:
        raise refused(
            "A JSON member of a frozen model must be readable",
            _words(error),
            where,
            code="frozen-json-unreadable",
        ) from None


def object_bytes(value: object) -> bytes:
    """Return a value as the JSON of a member."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


def read_array(data: bytes, where: str) -> np.ndarray:
    """Return the array of a .npy member: of a known type, one or two dimensions, finite.

    Only the header is interpreted, by numpy's own reader; the values are taken as bytes.

    Raises
    ------
    StudyError
        For anything else, pickled objects among it.
    """
    stream = io.BytesIO(data)
    try:
        if npy.read_magic(stream) != (1, 0):
            raise ValueError("another version of the format")
        shape, in_columns, kind = npy.read_array_header_1_0(
            stream, max_header_size=MOST_HEADER_BYTES
        )
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
        raise refused(
            "An array of a frozen model must be a .npy file",
            _words(error),
            where,
            code="frozen-array-unreadable",
        ) from None
    if kind.str not in KINDS or in_columns or len(shape) not in (1, 2):
        raise refused(
            f"An array of a frozen model has the type {', '.join(KINDS)} and one or two dimensions",
            f"{kind.str!r:.40}, {len(shape)} dimensions",
            where,
            code="frozen-array-type",
        )
    begins = stream.tell()
    if math.prod(shape) * kind.itemsize != len(data) - begins or min(shape) < 0:
        raise refused(
            "An array of a frozen model must hold as many values as its header says",
            f"{len(data) - begins} bytes for the shape {shape}",
            where,
            code="frozen-array-size",
        )
    values = np.frombuffer(data, KINDS[kind.str], offset=begins).reshape(shape)
    if kind.str == "|b1" and (np.frombuffer(data, np.uint8, offset=begins) > 1).any():
        raise refused(
            "A truth value of a frozen model is 0 or 1",
            "another byte",
            where,
            code="frozen-truth-value",
        )
    if not np.isfinite(values).all():
        raise refused(
            "The numbers of a frozen model must be finite",
            "NaN or infinity",
            where,
            code="frozen-number-not-finite",
        )
    return values


def array_bytes(values: np.ndarray) -> bytes:
    """Return an array as a .npy member."""
    stream = io.BytesIO()
    npy.write_array(stream, np.ascontiguousarray(values), version=(1, 0), allow_pickle=False)
    return stream.getvalue()


def _members(content: bytes, where: str) -> dict[str, bytes]:
    members: dict[str, bytes] = {}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        infos = archive.infolist()
        if len(infos) > MOST_MEMBERS:
            raise refused(
                f"A frozen model has at most {MOST_MEMBERS:,} members",
                f"{len(infos):,}",
                where,
                code="frozen-members-too-many",
            )
        for info in infos:
            if info.orig_filename != info.filename or not NAMES.fullmatch(info.filename):
                raise refused(
                    "A frozen model holds model.json, digests.json, arrays and trees",
                    f"a member called {info.orig_filename!r:.80}",
                    where,
                    code="frozen-member-name",
                )
            if info.filename in members:
                raise refused(
                    "Each member of a frozen model must be there once",
                    info.filename,
                    where,
                    code="frozen-member-repeated",
                )
            if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
                raise refused(
                    "Members of a frozen model are stored, not compressed",
                    info.filename,
                    where,
                    code="frozen-member-compressed",
                )
            members[info.filename] = b""
        # (Some versions of Python only warn of two names that share bytes.)
        shared = len({info.header_offset for info in infos}) < len(infos)
        if shared or sum(info.file_size for info in infos) > len(content):
            raise refused(
                "Members of a frozen model must not be larger than its file",
                "members that overlap, or sizes that are not true",
                where,
                code="frozen-members-overlap",
            )
        for info in infos:
            members[info.filename] = archive.read(info)
    return members


def _digests(members: Mapping[str, bytes]) -> bytes:
    each = {name: hashlib.sha256(members[name]).hexdigest() for name in sorted(members)}
    return object_bytes({"sha256": each})


def _no_key_twice(pairs: list[tuple[str, object]]) -> dict:
    keys = [key for key, _ in pairs]
    if len(set(keys)) < len(keys):
        raise ValueError("a key is given twice")
    return dict(pairs)


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text:.20} is no finite number")
    return value


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split()):.120}"
