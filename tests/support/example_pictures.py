"""Painted pictures of nobody for figures of example images, and the mistakes that they may have."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import SimpleITK as sitk
from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from pipeline.checks.example_images import looked_at
from pipeline.core.files import file_hash
from tests.support.dicom_files import CANARY, write_slice

SHAPE = (120, 90)
POSITION = (-90.0, -70.0, 33.0)

#: Of `write_slice`, all that says who the patient is.
NOBODY = dict.fromkeys(
    (
        *("PatientName", "PatientID", "InstitutionName", "AccessionNumber", "StudyID"),
        *("SeriesDescription", "StudyDescription", "ImageComments"),
    )
)


def body(seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return a painted column of vertebrae of 8 bits, and the mask of one of them."""
    grey = np.random.default_rng(seed).normal(50, 6, SHAPE)
    mask = np.zeros(SHAPE, bool)
    for place, top in enumerate(range(6, 110, 22)):
        grey[top : top + 16, 28:56] += 110
        if place == 2:
            mask[top : top + 16, 28:56] = True
    return np.clip(grey, 0, 255).astype(np.uint8), mask


def with_letters(grey: np.ndarray, text: str, size: int = 11, at: tuple = (3, 3)) -> np.ndarray:
    """Return a picture with a line of letters in its pixels, as viewers burn them in."""
    image = Image.fromarray(grey)
    font = ImageFont.truetype(str(Path(get_data_path(), "fonts/ttf/DejaVuSans.ttf")), size)
    ImageDraw.Draw(image).text(at, text, fill=255, font=font)
    return np.asarray(image)


def write_pictures(folder: Path) -> None:
    """Write pictures that a figure may show, and others that it must not."""
    folder.mkdir(parents=True, exist_ok=True)
    grey, mask = body()

    def png(name: str, pixels: np.ndarray, texts: dict[str, str] | None = None) -> None:
        info = PngImagePlugin.PngInfo()
        for key, value in (texts or {}).items():
            info.add_text(key, value)
        Image.fromarray(pixels).save(folder / name, pnginfo=info)

    def dicom(name: str, **attributes: object) -> None:
        stored = (grey.astype(np.int16) * 5) + 900
        write_slice(folder / name, stored, POSITION, **{**NOBODY, **attributes})

    drawn = np.where(mask, 255, 0).astype(np.uint8)
    png("before.png", grey, {"Software": "painted"})
    png("before-mask.png", drawn)
    png("small-mask.png", drawn[:60])
    png("empty-mask.png", np.zeros_like(drawn))
    png("comment.png", grey, {"Comment": CANARY})
    png("letters.png", with_letters(grey, "PAT 0010"))
    png("large.png", np.zeros((4001, 4000), np.uint8))
    png("Synthetica, Canary.png", grey)
    png("depth.png", grey.astype(np.uint16) * 200)
    png("colours.png", np.stack([grey, grey // 2, grey], axis=-1))
    (folder / "broken.png").write_bytes((folder / "before.png").read_bytes()[:900])
    Image.fromarray(grey).save(folder / "before.jpg")
    exif = Image.Exif()
    exif[0x010E] = CANARY
    Image.fromarray(grey).save(folder / "exif.png", exif=exif)
    dicom("slice.dcm")
    dicom("inverted.dcm", PhotometricInterpretation="MONOCHROME1")
    dicom("mr.dcm", Modality="MR")
    dicom("named.dcm", PatientName=CANARY, PatientID=CANARY)
    dicom("captured.dcm", ImageType=["DERIVED", "SECONDARY"])
    dicom("stated.dcm", BurnedInAnnotation="YES")
    dicom("palette.dcm", PhotometricInterpretation="PALETTE COLOR")
    frames = np.concatenate([grey, grey]).astype(np.int16)
    write_slice(
        *(folder / "frames.dcm", frames, POSITION),
        **{**NOBODY, "Rows": SHAPE[0], "NumberOfFrames": 2},
    )
    volume = sitk.GetImageFromArray(np.stack([mask, mask, mask]).astype(np.uint8))
    volume.SetSpacing((0.75, 0.5, 2.5))
    volume.SetOrigin((POSITION[0], POSITION[1], POSITION[2] - 2.5))
    sitk.WriteImage(volume, str(folder / "slice-mask.nrrd"))
    volume.SetOrigin((0.0, 0.0, 500.0))
    sitk.WriteImage(volume, str(folder / "elsewhere-mask.nrrd"))


class Refused(NamedTuple):
    """A panel that must not be shown: its options, the code, what is named, what mends it."""

    bad: dict
    code: str
    told: str
    good: dict


SQUARE = [[20, 20], [60, 20], [60, 50]]

REFUSED = {
    "no such file": Refused(
        {"image": "gone.png"}, "example-image-missing", "panel 1, key image",
        {"image": "before.png"},
    ),
    "a JPEG": Refused(
        {"image": "before.jpg"}, "example-image-format", "another format",
        {"image": "before.png"},
    ),
    "a cut file": Refused(
        {"image": "broken.png"}, "example-image-damaged", "damaged", {"image": "before.png"},
    ),
    "too many pixels": Refused(
        {"image": "large.png"}, "example-image-large", "16,000,000", {"image": "before.png"},
    ),
    "several slices in a file": Refused(
        {"image": "frames.dcm"}, "example-image-slices", "2 slices", {"image": "slice.dcm"},
    ),
    "a palette": Refused(
        {"image": "palette.dcm"}, "example-image-colours", "palette", {"image": "colours.png"},
    ),
    "a mask of another size": Refused(
        {"mask": "small-mask.png"}, "example-mask-size", "60 x 90 for 120 x 90",
        {"mask": "before-mask.png"},
    ),
    "a volume beside a PNG": Refused(
        {"mask": "slice-mask.nrrd"}, "example-mask-format", "no such slice",
        {"mask": "before-mask.png"},
    ),
    "an empty mask": Refused(
        {"mask": "empty-mask.png"}, "example-outline-outside", "without a voxel",
        {"mask": "before-mask.png"},
    ),
    "a volume elsewhere": Refused(
        {"image": "slice.dcm", "mask": "elsewhere-mask.nrrd"}, "example-outline-outside",
        "key mask", {"image": "slice.dcm", "mask": "slice-mask.nrrd"},
    ),
    "a corner outside": Refused(
        {"polygon": [*SQUARE, [91, 20]]}, "example-outline-outside", "90 x 120 pixels",
        {"polygon": SQUARE},
    ),
    "a polygon that was cut off": Refused(
        {"polygon": SQUARE, "cut": [0, 60, 0, 0]}, "example-outline-outside", "all cut off",
        {"polygon": SQUARE, "cut": [0, 10, 0, 0]},
    ),
    "a window without width": Refused(
        {"image": "slice.dcm", "window": [400, 0]}, "example-window-width", "400, 0",
        {"image": "slice.dcm", "window": [400, 1800]},
    ),
    "everything cut off": Refused(
        {"cut": [45, 0, 45, 0]}, "example-cut-everything", "0 columns", {"cut": [40, 0, 40, 0]},
    ),
    "a name in the caption": Refused(
        {"caption": "L1 of Maria Synthetica, before surgery"}, "example-caption-identifies",
        "key caption", {"caption": "L1 before surgery"},
    ),
    "a day in the caption": Refused(
        {"caption": "L1 on 03.02.2021"}, "example-caption-identifies", "not shown",
        {"caption": "L1, 3 days after surgery"},
    ),
    "a name of a file": Refused(
        {"image": "Synthetica, Canary.png"}, "example-name-identifies", "not shown",
        {"image": "before.png"},
    ),
    "a comment": Refused(
        {"image": "comment.png"}, "example-text-identifies", "texts: 1", {"image": "before.png"},
    ),
    "EXIF data": Refused(
        {"image": "exif.png"}, "example-text-identifies", "texts: 1", {"image": "before.png"},
    ),
    "a header": Refused(
        {"image": "named.dcm"}, "example-header-identifies", "PatientID, PatientName",
        {"image": "slice.dcm"},
    ),
    "letters": Refused(
        {"image": "letters.png"}, "example-letters-burned-in", "letters: 1",
        {"image": "letters.png", "cut": [0, 20, 0, 0]},
    ),
    "letters that the header states": Refused(
        {"image": "stated.dcm"}, "example-letters-burned-in", "header that says so",
        {"image": "stated.dcm", "letters": "looked_at"},
    ),
    "a capture of a viewer": Refused(
        {"image": "captured.dcm"}, "example-letters-burned-in", "viewer captured",
        {"image": "captured.dcm", "letters": "looked_at"},
    ),
}  # fmt: skip
"""Of a panel that shows `before.png` where it says nothing else."""


def figure_with(folder: Path, **panel: object) -> dict:
    """Return the option of a figure of one panel; names of files are those in `folder`."""
    given: dict = {"image": "before.png", "caption": "L1 before surgery"} | panel
    if given.get("letters") == "looked_at":
        given["letters"] = looked_at(file_hash(folder / given["image"]))
    paths = {name: str(folder / given[name]) for name in ("image", "mask") if name in given}
    return {"title": "A vertebra", "panels": [given | paths]}
