"""Stored values of CT slices: which ways of writing them are accepted, and how they are decoded.

pydicom decodes, each syntax by one plugin of the lock file: pylibjpeg-libjpeg (JPEG),
pylibjpeg-openjpeg (JPEG 2000, HTJ2K), pyjpegls (JPEG-LS); the rest by its own code.
Where the plugin says that a stream is damaged, no other one is tried: some decode anything.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pydicom
from pydicom.encaps import generate_frames
from pydicom.pixels import iter_pixels, pixel_array
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from pipeline.core.errors import CaseError
from pipeline.core.files import raise_if_machine
from pipeline.core.findings import Finding
from pipeline.core.problems import listing
from pipeline.imaging.ct_checks import FEWEST_BITS, loss_of
from pipeline.imaging.dicom.dicom_headers import DAMAGE, Slice, is_damage, quiet
from pipeline.imaging.dicom.dicom_streams import CODED, check_coded, check_end

#: Transfer syntaxes that write the values as they are: implicit and explicit VR, big endian,
#: deflated.
NATIVE = frozenset(f"1.2.840.10008.1.2{end}" for end in ("", ".1", ".2", ".1.99"))
#: Transfer syntaxes that compress without loss: RLE, JPEG lossless, JPEG-LS lossless, JPEG 2000
#: lossless, HTJ2K lossless.
LOSSLESS = frozenset(
    ("1.2.840.10008.1.2.5", *(f"1.2.840.10008.1.2.4.{n}" for n in (57, 70, 80, 90, 201, 202)))
)
#: Transfer syntaxes that lose information or may, and can be decoded: JPEG baseline and extended,
#: near-lossless JPEG-LS, JPEG 2000, HTJ2K. What a header says of such a file is no proof.
LOSSY = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 81, 91, 203))
#: Transfer syntaxes that lose information and cannot be decoded: JPEG spectral selection and full
#: progression, JPEG XL.
LOSSY_UNREADABLE = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in (53, 55, 111, 112))

#: Largest slope or intercept of a rescaling to HU; beyond it whole numbers run over.
LARGEST = 1e6

#: What stands between tag and length of plain pixels: nothing in implicit VR, else the VR.
_PLAIN = {str(ImplicitVRLittleEndian): b"", str(ExplicitVRLittleEndian): b"OW\0\0"}

_JPEG_LS = ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81")

#: Attributes read to decode a slice.
PIXELS = (
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "NumberOfFrames",
    "PixelData",
)


@cache
def syntax_name(transfer_syntax: str) -> str:
    """Return the standard's name of a transfer syntax; another value of the header is not shown."""
    with quiet():
        name = UID(transfer_syntax).name
    return "an unknown transfer syntax" if name == transfer_syntax else name


def check_pixels(slices: Sequence[Slice], *, allow_lossy: bool = False) -> list[Finding]:
    """Check what each slice's header says about its stored values.

    Parameters
    ----------
    slices : sequence of Slice
        Headers of one series.
    allow_lossy : bool, optional
        Whether lossy compression is a warning instead of an error.

    Returns
    -------
    list of Finding
        Warnings.

    Raises
    ------
    CaseError
        If a slice is no grey image of one frame, has lost information, cannot be decoded, or its
        header contradicts itself.
    """

    def refuse(rule: str, wrong: list[Slice], what: str, remedy: str, *, code: str) -> None:
        if wrong:
            raise CaseError(
                rule, found=f"{what} in {_some(wrong, slices)}", remedy=remedy, code=code
            )

    refuse(
        "A classic CT file must hold one slice",
        [one for one in slices if one.frame is None and one.frames > 1],
        "several frames",
        "export it as CT Image Storage or enhanced CT, or as NRRD from 3D Slicer",
        code="classic-file-of-several-frames",
    )
    refuse(
        "A CT file must hold at least one frame",
        [one for one in slices if one.frames < 1],
        "none, says the header,",
        "export the original series from the archive",
        code="ct-file-without-frame",
    )
    wrong = [
        one for one in slices if one.pixels.photometric != "MONOCHROME2" or one.pixels.samples != 1
    ]
    refuse(
        "A CT must be stored as MONOCHROME2 with one sample per pixel",
        wrong,
        listing(
            sorted(
                {
                    f"{_known(one.pixels.photometric)} x {one.pixels.samples or 'no number'}"
                    for one in wrong
                }
            )
        ),
        "export the original series, no screenshots",
        code="ct-not-monochrome",
    )
    findings = _check_loss(slices, allow_lossy)
    wrong = [one for one in slices if one.transfer_syntax not in NATIVE | LOSSLESS | LOSSY]
    refuse(
        "A CT must be in a transfer syntax that can be decoded",
        wrong,
        listing(sorted({syntax_name(one.transfer_syntax) for one in wrong})),
        "export the series uncompressed (Explicit VR Little Endian)",
        code="transfer-syntax-unknown",
    )
    wrong = [one for one in slices if not _consistent(one)]
    refuse(
        "Bits allocated, bits stored and high bit of a CT must fit together",
        wrong,
        listing(
            sorted(
                {
                    f"{one.pixels.bits_allocated}/{one.pixels.bits_stored}/{one.pixels.high_bit}"
                    for one in wrong
                }
            )
        ),
        "export the original series from the archive",
        code="pixel-bits-contradict",
    )
    refuse(
        "A CT must state whether its stored values have a sign",
        [one for one in slices if one.pixels.signed is None],
        "a pixel representation that is neither 0 nor 1",
        "export the original series from the archive",
        code="pixel-sign-missing",
    )
    refuse(
        "A CT must state its rescale slope and intercept",
        [one for one in slices if not one.slope or one.intercept is None],
        "none, or a slope of zero,",
        "export the original series from the archive",
        code="rescaling-missing",
    )
    wild = [one for one in slices if abs(one.slope) > LARGEST or abs(one.intercept) > LARGEST]
    refuse(
        "Rescaled values must be of the size of Hounsfield units",
        wild,
        listing(sorted({f"slope {one.slope:g} and intercept {one.intercept:g}" for one in wild})),
        "export the original series from the archive",
        code="rescaled-values-too-large",
    )
    return findings


def _check_loss(slices: Sequence[Slice], allow_lossy: bool) -> list[Finding]:
    wrong = [
        one
        for one in slices
        if one.lossy == "01"
        or one.transfer_syntax in LOSSY | LOSSY_UNREADABLE
        or (one.pixels.bits_stored or FEWEST_BITS) < FEWEST_BITS
    ]
    if not wrong:
        return []
    names = listing(sorted({syntax_name(one.transfer_syntax) for one in wrong}))
    bits = min(one.pixels.bits_stored or 0 for one in wrong)
    found = f"lossy compression ({names}, {bits} bits) in {_some(wrong, slices)}"
    return loss_of(found, allow_lossy)


def _consistent(one: Slice) -> bool:
    allocated, stored = one.pixels.bits_allocated, one.pixels.bits_stored
    return (
        allocated in (8, 16, 32)
        and stored is not None
        and 1 < stored <= allocated
        and one.pixels.high_bit == stored - 1
    )


def _known(photometric: str) -> str:
    """Return a photometric interpretation that the standard knows; other text is not shown."""
    known = ("MONOCHROME1", "MONOCHROME2", "RGB", "PALETTE COLOR", "")
    return (
        photometric or "nothing"
        if photometric in known or photometric.startswith("YBR_")
        else "another photometric interpretation"
    )


def _some(wrong: Sequence[Slice], slices: Sequence[Slice]) -> str:
    shown = ", ".join(one.label for one in wrong[:5])
    return f"{len(wrong)} of {len(slices)} slices ({shown}{' ...' * (len(wrong) > 5)})"


def stored_values(slices: Sequence[Slice]) -> Iterator[np.ndarray]:
    """Decode one slice after the other.

    Parameters
    ----------
    slices : sequence of Slice
        Checked by `check_pixels`.

    Yields
    ------
    numpy.ndarray
        Stored values of a slice, whole numbers of shape (rows, columns).

    Raises
    ------
    CaseError
        If a slice cannot be decoded, or is not what its header says.
    """
    frames: dict[Path, Iterator[np.ndarray]] = {}
    for one in slices:
        try:
            with quiet():
                # A stream that holds more than the slice is damaged, and its values have moved.
                warnings.filterwarnings("error", message="The decoded RLE segment")
                if one.frame is None:
                    pixels = _classic(one)
                else:
                    if one.path not in frames:
                        frames[one.path] = _frames(one, [s for s in slices if s.path == one.path])
                    pixels = next(frames[one.path])
        except (*DAMAGE, RuntimeError, Warning, OSError) as error:
            raise_if_machine(error)
            if isinstance(error, OSError) and not is_damage(error):
                raise
            # Decoders raise whatever they like, and their messages may hold the file's path.
            raise CaseError(
                "Every CT slice must decode",
                found=f"{_cause(error)} in {one.label} ({syntax_name(one.transfer_syntax)})",
                remedy="copy the series again; if that does not help, export it uncompressed "
                "(Explicit VR Little Endian)",
                code="slice-not-decodable",
            ) from None
        if pixels.shape != one.shape or pixels.dtype.kind not in "iu":
            raise CaseError(
                "The pixels of a CT slice must be whole numbers in the stated rows and columns",
                found=f"{one.label}: {pixels.dtype} of shape {pixels.shape}",
                remedy="export the series again",
                code="pixels-not-whole-numbers",
            )
        yield pixels


def _cause(error: Exception) -> str:
    """Say in words why a slice does not decode; the library's own class helps who looks for it."""
    if isinstance(error, AttributeError):
        return "no pixel data, or none that its header describes,"
    if isinstance(error, EOFError | ValueError | IndexError):
        return f"pixel data of another length than its header says ({type(error).__name__})"
    return f"damaged pixel data ({type(error).__name__})"


def _classic(one: Slice) -> np.ndarray:
    _check_length(one)
    plain = _plain_values(one)
    if plain is not None:
        return plain
    data = pydicom.dcmread(one.path, specific_tags=list(PIXELS), force=True)
    data.file_meta.TransferSyntaxUID = UID(one.transfer_syntax)
    _check_stream(one, data)
    return pixel_array(data, raw=True, decoding_plugin=_plugin(one))


def _plain_values(one: Slice) -> np.ndarray | None:
    """Return the pixels of a file that ends with them and writes them as most CTs do, else None.

    Values of 16 bits, little endian, under the head that such values have and as many as the header
    says, from where the header ends to the end of the file: nothing is left to interpret but the
    bits that do not count.
    """
    if one.header_end is None or one.pixels.bits_allocated != 16:
        return None
    length = 2 * one.shape[0] * one.shape[1]
    head = b"\xe0\x7f\x10\0" + _PLAIN.get(one.transfer_syntax, b"") + length.to_bytes(4, "little")
    if one.transfer_syntax not in _PLAIN or one.path.stat().st_size != (
        one.header_end + len(head) + length
    ):
        return None
    with open(one.path, "rb") as stream:
        stream.seek(one.header_end)
        if stream.read(len(head)) != head:
            return None
        values = np.fromfile(stream, "<i2" if one.pixels.signed else "<u2", length // 2)
    # Bits that do not count may hold an overlay, and a sign fills them.
    unused = 16 - one.pixels.bits_stored
    if unused:
        values <<= unused
        values >>= unused
    return values.reshape(one.shape)


def _frames(one: Slice, wanted: Sequence[Slice]) -> Iterator[np.ndarray]:
    _check_length(one)
    source: Path | pydicom.Dataset = one.path
    if one.transfer_syntax in (DeflatedExplicitVRLittleEndian, *CODED):
        # Inflated, or looked at frame by frame.
        source = pydicom.dcmread(one.path, specific_tags=list(PIXELS))
        _check_stream(one, source)
    elif one.transfer_syntax in NATIVE:
        header = pydicom.dcmread(one.path, specific_tags=[], stop_before_pixels=True)
        check_end(one.path, header)
    indices = [each.frame for each in wanted]
    return iter_pixels(source, indices=indices, raw=True, decoding_plugin=_plugin(one))


def _check_stream(one: Slice, data: pydicom.Dataset) -> None:
    """Refuse damage that the decoders pass over."""
    if one.transfer_syntax in NATIVE:
        check_end(one.path, data)
    elif one.transfer_syntax in CODED:
        for frame in generate_frames(data.PixelData, number_of_frames=one.frames):
            check_coded(frame, one.transfer_syntax)


def _plugin(one: Slice) -> str:
    if one.transfer_syntax in NATIVE:
        return ""
    if one.transfer_syntax == RLELossless:
        return "pydicom"
    return "pyjpegls" if one.transfer_syntax in _JPEG_LS else "pylibjpeg"


def _check_length(one: Slice) -> None:
    """Refuse a slice whose claimed size its file cannot hold, before memory is asked for."""
    if one.transfer_syntax in NATIVE and one.transfer_syntax != DeflatedExplicitVRLittleEndian:
        claimed = one.shape[0] * one.shape[1] * one.frames * (one.pixels.bits_allocated or 8) // 8
        if claimed > one.path.stat().st_size:
            raise EOFError
