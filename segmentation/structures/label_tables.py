"""Names that go with the numbers of a label map: in its header, or in a file beside it.

TotalSegmentator writes a table into an extension of the NIfTI header, as Connectome Workbench does;
others put JSON there, in any encoding. MITK writes its labels into a NRRD header. ITK-SNAP and 3D
Slicer save theirs as a file of its own: a label description, a colour table; nnU-Net's stand in
dataset.json.
"""

from __future__ import annotations

import codecs
import csv
import functools
import gzip
import json
import os
import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape, unescape

from pipeline.core.findings import Finding
from pipeline.imaging.volumes import NIFTI_SUFFIXES, volume_suffix
from segmentation.structures.label_json import json_labels
from segmentation.structures.level_names import levels_in_name, vertebra_of

#: Endings of files that may hold a table of labels, and the largest that is read, in bytes.
TABLES = (".txt", ".label", ".labels", ".lbl", ".ctbl", ".csv", ".json")
LARGEST = 1 << 20

#: First two bytes of what gzip packed (RFC 1952).
GZIP_MARK = b"\x1f\x8b"

_HEADER = 348  # bytes of a NIfTI-1 header

#: Table of a whole data set, beside the masks or above a folder of labels (nnU-Net).
OF_DATASET = "dataset.json"

#: Code of extensions that hold a DICOM header, and no text.
_DICOM_CODE = 2

#: Longest NRRD header that is searched, in bytes.
LONGEST_HEADER = 1 << 24
_ITK_SNAP = re.compile(r'\s*(\d+)\s+\d+\s+\d+\s+\d+\s+[\d.]+\s+[01]\s+[01]\s+"(.*)"\s*')
_WHOLE = re.compile(r"\s*([0-9]{1,9})(?:\.0*)?\s*")
_ENCODING = re.compile(r"""(<\?xml[^>]*encoding\s*=\s*)(["'])[^"']*\2""")
#: Name and number in the properties of a label as MITK wrote them before 2024.
_MITK_NAME = re.compile(r"""key="name"[^>]*>\s*<string\s+value="([^"]*)\"""")
_MITK_VALUE = re.compile(r"""key="value"[^>]*>\s*<[a-z_]+\s+value="(\d+)\"""")
_QUOTED = re.compile(r'"([^"\\]{1,80})"')
#: A label of a table that is no XML any more.
_LABEL = re.compile(
    rb"""<label\b[^>]*?\bkey\s*=\s*["']\s*(\d{1,9})(?:\.0*)?\s*["'][^>]*>\s*"""
    rb"""(?:<!\[CDATA\[)?([^<\]]*)(?:\]\]>)?\s*</label""",
    re.IGNORECASE,
)
_SLICER = re.compile(r"\s*(\d+)\s+(\S+)\s+[\d.]+\s+[\d.]+\s+[\d.]+(?:\s.*)?")


@dataclass
class LabelNames:
    """What is known of the names of a label map's numbers.

    Attributes
    ----------
    names : dict of int to str
        Number -> name.
    disputed : dict of int to list of str
        Number -> the different names that tables give it.
    findings : list of Finding
        A warning where a table cannot be read.
    in_header : set of int
        Numbers that the file's own header names.
    """

    names: dict[int, str] = field(default_factory=dict)
    disputed: dict[int, list[str]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    in_header: set[int] = field(default_factory=set)

    def add(self, pairs: Iterable[tuple[int, str]]) -> None:
        """Take up numbers with their names."""
        for number, name in pairs:
            known = self.names.setdefault(number, name)
            if known != name:
                several = self.disputed.setdefault(number, [known])
                several += [name] * (name not in several)


def names_of(path: str | Path) -> LabelNames:
    """Return the names that a label map's header, and tables beside it, give its numbers.

    Parameters
    ----------
    path : path-like
        NIfTI or NRRD file. A table beside it belongs to it if its name begins with the mask's, or
        if it is the only table of the folder.
    """
    path = Path(path)
    found = LabelNames()
    if volume_suffix(path) in NIFTI_SUFFIXES:
        _add_extensions(found, *_between(path))
        found.in_header = set(found.names)
    elif volume_suffix(path) == ".nrrd":
        _add_nrrd_keys(found, path)
    for table in tables_beside(path):
        found.add(table)
    return found


def _between(path: Path) -> tuple[bytes, str]:
    """Return the bytes between the header and the voxels of a NIfTI-1, and its byte order."""
    with open(path, "rb") as raw:
        packed = raw.read(2) == GZIP_MARK
    with gzip.open(path, "rb") if packed else open(path, "rb") as stream:
        head = stream.read(_HEADER)
        order = "<" if head[:4] == struct.pack("<i", _HEADER) else ">"
        offset = int(struct.unpack(f"{order}f", head[108:112])[0])
        return stream.read(max(0, offset - _HEADER)), order


def _add_extensions(found: LabelNames, extensions: bytes, order: str) -> None:
    """Take up the label tables in the bytes between a NIfTI's header and its voxels."""
    place = 4
    while extensions[:1] not in (b"", b"\0") and place + 8 <= len(extensions):
        size, code = struct.unpack(f"{order}ii", extensions[place : place + 8])
        if size < 16 or place + size > len(extensions):
            break
        if code != _DICOM_CODE:
            _add_table(found, extensions[place + 8 : place + size])
        place += size


def _add_table(found: LabelNames, content: bytes) -> None:
    """Take up the label table of an extension, if it holds one: XML, JSON, or lines of text."""
    text = _decoded(content).strip("\0 \r\n\t")
    if "<labeltable" in text.lower():
        _add_xml(found, content, text)
    elif text.startswith(("{", "[")):
        _add_json(found, text)
    else:
        found.add(table_labels(text, ".txt"))


def _add_json(found: LabelNames, text: str) -> None:
    try:
        found.add(json_labels(text))
    except ValueError:
        if any(levels_in_name(one) for one in _QUOTED.findall(text)):
            found.findings.append(_unreadable(0))


def _add_xml(found: LabelNames, content: bytes, text: str) -> None:
    """Take up a table in XML; it says itself how it is encoded, but for UTF-16."""
    if b"<labeltable" not in content.lower():
        content = _ENCODING.sub(r"\1\2utf-8\2", text).encode()
    try:
        found.add(_xml_labels(content))
    except (ElementTree.ParseError, ValueError):
        saved = _labels_of_damaged(content)
        found.add(saved)
        found.findings.append(_unreadable(len(saved)))


def _unreadable(known: int) -> Finding:
    return Finding(
        "label-names-unreadable",
        "warning",
        "The header holds a table of label names that cannot be read"
        + (f" whole: {known} are known" if known else ": numbers decide alone"),
        "look at the outline on the CT, or export the label map again",
    )


def _add_nrrd_keys(found: LabelNames, path: Path) -> None:
    """Take up the labels that MITK writes into the keys of a NRRD header."""
    left = LONGEST_HEADER
    with open(path, "rb") as stream:
        while left > 0 and (line := stream.readline(left)).strip():
            left -= len(line)
            value = line.partition(b":=")[2].decode("utf-8", "replace").strip()
            value = value.replace("\\n", "\n").replace("\\\\", "\\")
            if value.startswith(("{", "[")):
                _add_json(found, value)
            elif (name := _MITK_NAME.search(value)) and (number := _MITK_VALUE.search(value)):
                found.add([(int(number[1]), unescape(name[1]).strip())])


def _labels_of_damaged(content: bytes) -> list[tuple[int, str]]:
    """Return the names that still stand in a table that is no XML any more."""
    pairs = [
        (int(one[1]), unescape(one[2].decode("utf-8", "replace")).strip())
        for one in _LABEL.finditer(content)
    ]
    return [(number, name) for number, name in pairs if number and name]


def _xml_labels(content: bytes) -> list[tuple[int, str]]:
    text = content.rstrip(b"\0 \r\n\t")
    if b"<!" in re.sub(rb"<!\[CDATA\[|<!--", b"", text):
        raise ValueError  # a table needs no definitions, and they may fill the memory
    labels = list(ElementTree.fromstring(text).iter("Label"))
    if not labels and _LABEL.search(text):
        raise ValueError  # its elements are called otherwise
    pairs = [(int(one.attrib.get("Key", "")), "".join(one.itertext()).strip()) for one in labels]
    return [(number, name) for number, name in pairs if number and name]


def tables_beside(path: Path) -> Iterator[tuple[tuple[int, str], ...]]:
    """Yield the tables beside a label map that belong to it."""
    try:
        facts = os.stat(path.parent)
    except OSError:
        return
    tables = _tables(str(path.parent), facts.st_mtime_ns)
    stem = path.name[: -len(volume_suffix(path) or "")].casefold()
    behind = {name: name[len(stem) :] for name, _ in tables if name.casefold().startswith(stem)}
    # The table of case10 is not that of case1.
    own = [table for name, table in tables if name in behind and not behind[name][0].isalnum()]
    others = {name for name, rest in behind.items() if rest[0].isdecimal()}
    of_dataset = [table for name, table in tables if name.casefold() == OF_DATASET]
    if path.parent.name.casefold().startswith("labels") and not of_dataset:
        of_dataset = list(_table_of_dataset(path.parent.parent))
    if own or of_dataset or len(tables) == 1:
        yield from own or of_dataset or [table for name, table in tables if name not in others]


def _table_of_dataset(folder: Path) -> Iterator[tuple[tuple[int, str], ...]]:
    try:
        if (facts := os.stat(folder / OF_DATASET)).st_size <= LARGEST:
            labels = _labels_of_file(str(folder / OF_DATASET), facts.st_mtime_ns)
            if labels:
                yield labels
    except OSError:
        return  # there is none, or it is anybody's


@functools.lru_cache(maxsize=8)
def _labels_of_file(file: str, changed_ns: int) -> tuple[tuple[int, str], ...]:
    """Return the labels of one table; `changed_ns` guards the cache."""
    path = Path(file)
    return tuple(table_labels(_decoded(path.read_bytes()), path.suffix.lower(), path.stem))


@functools.lru_cache(maxsize=8)
def _tables(folder: str, changed_ns: int) -> list[tuple[str, tuple[tuple[int, str], ...]]]:
    """Return the tables of labels in a folder, with their names; `changed_ns` guards the cache."""
    found = []
    with os.scandir(folder) as entries:
        files = sorted(one.path for one in entries if one.name.lower().endswith(TABLES))
    for file in files:
        try:
            if os.path.getsize(file) > LARGEST or not os.path.isfile(file):
                continue
            text = _decoded(Path(file).read_bytes())
        except OSError:
            continue  # it may be anybody's
        if labels := table_labels(text, Path(file).suffix.lower(), Path(file).stem):
            found.append((Path(file).name, tuple(labels)))
    return found


def _decoded(stored: bytes) -> str:
    """Return a text by its byte order mark or its zeros: UTF-32, UTF-16, else UTF-8."""
    if stored.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return stored.decode("utf-32", "replace")
    if stored.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return stored.decode("utf-16", "replace")
    if b"\0" in stored[:4] and stored[:4].strip(b"\0"):
        return stored.decode("utf-16-le" if stored[1:2] == b"\0" else "utf-16-be", "replace")
    return stored.decode("utf-8-sig", "replace")


def table_labels(text: str, suffix: str, stem: str = "") -> list[tuple[int, str]]:
    """Return the numbers and names of a table of labels; none where `text` is no such table.

    Parameters
    ----------
    text : str
        A label description of ITK-SNAP, a colour table of 3D Slicer, or JSON.
    suffix : str
        Ending of its file, in small letters.
    stem : str, optional
        The rest of its name.
    """
    if suffix == ".csv":
        return _csv_labels(text)
    if suffix == ".json":
        try:
            return json_labels(text, bare="label" in stem.casefold())
        except ValueError:
            return []
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    for pattern in (_ITK_SNAP, _SLICER):
        matches = [pattern.fullmatch(line) for line in lines]
        known = [one for one in matches if one]
        # A line that was typed wrong takes nothing from what the others say.
        if len(known) > len(matches) / 2:
            # 3D Slicer writes blanks of a name as underscores, ITK-SNAP keeps them.
            pairs = [(int(one[1]), one[2].strip()) for one in known]
            return [(number, name) for number, name in pairs if number and name]
    return []


def _csv_labels(text: str) -> list[tuple[int, str]]:
    lines = text.splitlines()
    if not lines:
        return []
    delimiter = max(",;\t", key=lines[0].count)
    try:
        header, *rows = csv.reader(lines, delimiter=delimiter)
    except csv.Error:
        return []
    columns = [one.strip().casefold() for one in header]
    if not {"labelvalue", "name"} <= set(columns):
        return []
    label, name = columns.index("labelvalue"), columns.index("name")
    full = [row for row in rows if len(row) > max(label, name)]
    pairs = [(_WHOLE.fullmatch(row[label]), row[name].strip()) for row in full]
    return [(int(number[1]), name) for number, name in pairs if number and name]


def extension_names(extensions: bytes, order: str) -> dict[int, str]:
    """Return the names in the bytes between a NIfTI's header and its voxels.

    Parameters
    ----------
    extensions : bytes
        From the four bytes behind the header to the first voxel.
    order : {'<', '>'}
        Byte order of the file.
    """
    found = LabelNames()
    _add_extensions(found, extensions, order)
    return {number: name for number, name in found.names.items() if number not in found.disputed}


def vertebra_extension(names: Mapping[int, str], room: int, order: str) -> bytes:
    """Return an extension that holds the names of vertebrae, and of nothing and nobody else.

    Parameters
    ----------
    names : Mapping
        Number -> name, as a file gives them; others than vertebrae are left out.
    room : int
        Bytes between the header and the first voxel.
    order : {'<', '>'}
        Byte order of the file.

    Returns
    -------
    bytes
        `room` bytes: zeros where there is no vertebra, or no room.
    """
    levels = {number: level for number, name in names.items() if (level := vertebra_of(name))}
    # Such a name is a level and words for a vertebra: it can hold nothing of a person.
    labels = "".join(f'<Label Key="{n}">{escape(names[n])}</Label>' for n in levels)
    text = (
        '<CaretExtension><VolumeInformation Index="0"><LabelTable>'
        f"{labels}</LabelTable></VolumeInformation></CaretExtension>"
    ).encode()
    if len(text) + 12 > room:
        text = json.dumps({str(n): names[n] for n in levels}, separators=(",", ":")).encode()
    # One extension fills the room: nibabel reads on behind one that ends before the voxels.
    size = room - 4
    if not levels or len(text) + 8 > size or size % 16:
        return bytes(room)
    return (b"\1\0\0\0" + struct.pack(f"{order}ii", size, 0) + text).ljust(room, b" ")
