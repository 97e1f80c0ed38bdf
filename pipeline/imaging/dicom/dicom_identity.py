"""What identifies a person in a DICOM header: its values, never their meaning for one patient.

Every text of a header counts unless it is named in `TECHNICAL`: who forgets a field then searches
for too much, not for too little.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass

import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

#: Value representations that hold text or identify by themselves. Numbers (DS, IS, binary) and
#: code strings (CS: enumerated words such as M or AXIAL) are no identity.
TEXT_VRS = frozenset(("AE", "AS", "LO", "LT", "SH", "ST", "UC", "UR", "UT", "UN"))

#: Public text attributes that describe a machine or a standard's term, and may stand in results.
TECHNICAL = frozenset(
    (
        "CodeMeaning",
        "CodeValue",
        "CodingSchemeDesignator",
        "CodingSchemeName",
        "CodingSchemeResponsibleOrganization",
        "CodingSchemeVersion",
        "ContextGroupVersion",
        "ContextIdentifier",
        "ConvolutionKernel",
        "ExposureModulationType",
        "FilterType",
        "ImplementationVersionName",
        "LongCodeValue",
        "Manufacturer",
        "ManufacturerModelName",
        "RescaleType",
        "ROIName",
        "ROIObservationLabel",
        "SecondaryCaptureDeviceManufacturer",
        "SecondaryCaptureDeviceManufacturerModelName",
        "SecondaryCaptureDeviceSoftwareVersions",
        "SegmentAlgorithmName",
        "SegmentLabel",
        "SoftwareVersions",
        "TimezoneOffsetFromUTC",
        "TransferSyntaxUID",
        "URNCodeValue",
        "WindowCenterWidthExplanation",
    )
)

#: Root of the UIDs that DICOM itself defines (classes, transfer syntaxes, contexts).
STANDARD_UIDS = "1.2.840.10008."

#: Bytes of values, and their number, of which is remembered what they say.
_SHORT, REMEMBERED = 1024, 20_000
_said: dict[Hashable, tuple[Identity, ...]] = {}

_KINDS = {"PN": "name", "DA": "date", "DT": "date", "TM": "time", "UI": "uid"}
_INSTITUTION = re.compile("Institution|Station|Department|Address|Region|Country|AETitle")
_ID = re.compile("ID$|IDs$|Number$|Numbers$|Identifier$|Identification")
_MISLABELLED = ("utf-8", "gb18030", "shift_jis")


@dataclass(frozen=True, order=True)
class Identity:
    """One value that identifies a person.

    Attributes
    ----------
    kind : str
        ``name, id, date, time, uid, serial, institution, text, private`` or ``path``.
    tag : str
        ``(gggg,eeee)``, or ``folder name``, ``file name``.
    value : str
        The value, as decoded. Never printed.
    """

    kind: str
    tag: str
    value: str


def of_header(header: Dataset) -> Iterator[Identity]:
    """Yield what identifies a person in a DICOM header, sequences and private elements included.

    Parameters
    ----------
    header : pydicom.dataset.Dataset
        As read; what cannot be decoded is left out.
    """
    meta = getattr(header, "file_meta", None)
    for dataset in (meta, header):
        if dataset is not None:
            yield from _of_dataset(dataset)


def _of_dataset(dataset: Dataset) -> Iterator[Identity]:
    for tag, raw in list(dataset.items()):
        key = bytes_of(raw, dataset)
        found = _said.get(key)
        if found is None:
            found = tuple(_of_element(dataset[tag]))  # a damaged value raises here
            if key is not None:
                if len(_said) >= REMEMBERED:
                    _said.clear()
                _said[key] = found
        yield from found


def bytes_of(raw: RawDataElement | pydicom.DataElement, dataset: Dataset) -> Hashable | None:
    """Return all on which the text of an element depends; None where it is long, or no bytes.

    Slices of a series differ in few elements: what the others say is worked out once.

    Parameters
    ----------
    raw : RawDataElement or pydicom.DataElement
        An element as it was read; of one whose value was asked for, no bytes are left.
    dataset : pydicom.dataset.Dataset
        Whose element it is.
    """
    if not isinstance(raw, RawDataElement):
        return None
    tag, vr, length, value, _, implicit, little, *_ = raw
    if length > _SHORT or (value is None and length):
        return None
    creator = ""
    if tag >> 16 & 1 and tag & 0xFFFF > 0xFF:
        block = BaseTag(tag >> 16 << 16 | (tag & 0xFFFF) >> 8)
        creator = str(getattr(dataset.get_item(block), "value", ""))
    charset = dataset.original_character_set
    if not isinstance(charset, str):
        charset = tuple(charset or ())
    return tag, vr, value, implicit, little, charset, creator


def _of_element(element: pydicom.DataElement) -> Iterator[Identity]:
    if element.VR == "SQ":
        for item in element.value or ():
            yield from _of_dataset(item)
        return
    kind = _kind(element)
    if kind is None:
        return
    shown = f"({element.tag.group:04X},{element.tag.element:04X})"
    for text in _texts(element):
        yield Identity(kind, shown, text)


def _kind(element: pydicom.DataElement) -> str | None:
    """Return what an element says about a person, or None."""
    vr, tag, keyword = element.VR, element.tag, element.keyword
    about_file = tag.group == 0x0002 and keyword != "MediaStorageSOPInstanceUID"
    if (
        (vr not in TEXT_VRS and vr not in _KINDS)
        or tag.is_private_creator
        or keyword in TECHNICAL
        or about_file
    ):
        return None
    if tag.is_private:
        return "private"
    if "SerialNumber" in keyword or keyword in ("DeviceUID", "PlateID", "DetectorID"):
        return "serial"
    if vr in _KINDS:
        return _KINDS[vr]
    if _INSTITUTION.search(keyword):
        return "institution"
    return "id" if _ID.search(keyword) and keyword != "TrackingID" else "text"


def _texts(element: pydicom.DataElement) -> Iterator[str]:
    value = element.value
    if value is None:
        return
    if isinstance(value, bytes):
        text = _printable(value)
        values: Iterable[object] = text.split("\\") if text else ()
    elif isinstance(value, pydicom.multival.MultiValue | list | tuple):
        values = value
    else:
        values = [value]
    for one in values:
        text = str(one).strip(" \0\r\n\t")
        if not text or (element.VR == "UI" and text.startswith(STANDARD_UIDS)):
            continue
        yield text
        yield from _redecoded(text)


def _printable(value: bytes) -> str | None:
    """Return bytes of unknown kind as text, if all of them are text."""
    for encoding in ("utf-8", "gb18030"):
        try:
            text = value.rstrip(b"\0 ").decode(encoding)
        except UnicodeDecodeError:
            continue
        if text and all(unicodedata.category(one)[0] != "C" or one in "\r\n\t" for one in text):
            return text
    return None


def _redecoded(text: str) -> Iterator[str]:
    """Yield what a text means if its header names no character set although it needs one."""
    if not any("\x80" <= one <= "\xff" for one in text):
        return
    try:
        raw = text.encode("latin-1")
    except UnicodeEncodeError:
        return
    for encoding in _MISLABELLED:
        try:
            yield raw.decode(encoding)
        except UnicodeDecodeError:
            continue
