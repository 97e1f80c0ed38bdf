"""Values of DICOM attributes whose value representation a file gives as unknown (UN).

Explicit encodings hold at most 65,534 bytes of a text such as the coordinates of a contour; longer
ones are written as UN (DICOM PS3.5, 6.2.2), and so are attributes that an archive did not know.
pydicom then hands out the bytes.
"""

from __future__ import annotations

import pydicom
from pydicom.datadict import dictionary_VR
from pydicom.values import convert_SQ

#: Value representations that are numbers written as text.
_TEXT_NUMBERS = ("DS", "IS")


def known_element(element: pydicom.DataElement) -> pydicom.DataElement:
    """Return an element with the value representation of the dictionary where it has UN.

    Parameters
    ----------
    element : pydicom.DataElement
        Any element.

    Returns
    -------
    pydicom.DataElement
        The same one, unless its bytes are numbers written as text, or a sequence.

    Raises
    ------
    ValueError
        If the bytes are not what the dictionary says.
    """
    value = element.value
    if element.VR != "UN" or element.tag.is_private or not isinstance(value, bytes):
        return element
    try:
        known = dictionary_VR(element.tag)
    except KeyError:
        return element
    if known in _TEXT_NUMBERS:
        texts = value.decode("ascii").rstrip("\0 ").split("\\")
        return pydicom.DataElement(element.tag, known, texts)
    if known == "SQ":
        # Unknown sequences are in implicit encoding, little endian, whatever the file is in.
        return pydicom.DataElement(element.tag, known, convert_SQ(value, True, True))
    return element
