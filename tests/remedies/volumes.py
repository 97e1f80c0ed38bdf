"""Remedies of the section of docs/bad_inputs.md of this name."""

from __future__ import annotations

import gzip
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import nibabel
import nrrd
import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from pipeline.checks.cohort import copied_scans, other_orientation
from pipeline.core.errors import CaseError
from pipeline.core.findings import Finding
from pipeline.extraction import extract_features
from pipeline.imaging.ct_options import CtChecks, CtOptions
from pipeline.imaging.geometry import Geometry
from pipeline.imaging.read_ct import accepted_ct
from pipeline.imaging.sources import placed, source_files
from pipeline.imaging.volumes import read_volume
from tests.pipeline.extraction.test_extraction import SMALL, ct_and_mask
from tests.pipeline.imaging.test_ct_doors import (
    AFFINE,
    PARAMS,
    hu,
    nifti,
    nrrd_of,
    sheared,
    squeezed,
    with_value,
)
from tests.pipeline.imaging.test_volumes import in_header, leaning
from tests.remedies import Remedy, says
from tests.support.dicom_files import write_series
from tests.support.refusals import refusal

Act = Callable[[Path], object]
Door = Callable[[Path], Sequence[Finding]]


def read(path: Path) -> list[Finding]:
    return read_volume(path)[1]


def accept(path: Path, options: CtOptions | None = None, **limits) -> list[Finding]:
    """Read a CT as every command does, and hold it to the limits."""
    return accepted_ct(path, options=options, limits=CtChecks(**limits)).findings


def good(path: Path) -> None:
    """Export or convert the CT again, rightly, under the same name."""
    path.unlink(missing_ok=True)
    (nifti if ".nii" in path.name else nrrd_of)(path, hu())


def nothing(path: Path) -> None:
    """Change no file: the remedy is an option."""


def refused(
    name: str, spoil: Act, rule: str, remedy: str, mend: Act = good, *,
    door: Door = read, then: Door | None = None, left: Sequence[str] = (),
) -> Remedy:  # fmt: skip
    """Return the remedy of an error about the file `name`, which `spoil` writes."""

    def run(tmp_path: Path) -> None:
        path = tmp_path / name
        spoil(path)
        with pytest.raises(CaseError) as caught:
            door(path)
        says(caught.value, rule)
        says(caught.value.remedy, remedy)
        mend(path)
        assert [one.code for one in (then or door)(path)] == list(left)

    return run


def warned(
    name: str, spoil: Act, codes: Sequence[str], remedy: str, mend: Act = good, *,
    door: Door = read,
) -> Remedy:  # fmt: skip
    """Return the remedy of a warning, which is gone then."""

    def run(tmp_path: Path) -> None:
        path = tmp_path / name
        spoil(path)
        findings = door(path)
        assert [(one.code, one.severity) for one in findings] == [(c, "warning") for c in codes]
        says(findings[-1].remedy, remedy)
        mend(path)
        assert list(door(path)) == []

    return run


def header(offset: int, layout: str, *values: float) -> Act:
    """Write a NIfTI with other numbers in its header."""
    return lambda path: in_header(nifti(path, hu()), offset, layout, *values)


def field(**fields: object) -> Act:
    """Write a NRRD with other fields; None leaves one out."""
    named = {name.replace("_", " "): value for name, value in fields.items()}
    return lambda path: nrrd_of(path, hu(), **named)


def bytes_of(change: Callable[[bytes], bytes]) -> Act:
    def spoil(path: Path) -> None:
        good(path)
        path.write_bytes(change(path.read_bytes()))

    return spoil


def without_line(field: bytes) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        start = content.index(b"\n" + field + b":")
        return content[:start] + content[content.index(b"\n", start + 1) :]

    return change


def wrong_bit(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1 :]


def renamed(path: Path) -> None:
    path.rename(path.with_name("a.nii"))


def two_forms(path: Path) -> None:
    written = nibabel.Nifti1Image(hu().T, AFFINE)
    shifted = AFFINE.copy()
    shifted[2, 3] = 0.5
    written.set_qform(AFFINE, 1)
    written.set_sform(shifted, 2)
    nibabel.save(written, path)


def no_form(path: Path) -> None:
    in_header(nifti(path, hu(), qform=False), 254, "<h", 0)


def version_2(path: Path) -> None:
    nibabel.save(nibabel.Nifti2Image(hu().T, AFFINE), path)


def in_metres(path: Path) -> None:
    written = nibabel.Nifti1Image(hu().T, AFFINE)
    written.header.set_xyzt_units("meter")
    nibabel.save(written, path)


def colours(path: Path) -> None:
    voxels = np.zeros((4, 5, 6, 3), np.uint8)
    sitk.WriteImage(sitk.GetImageFromArray(voxels, isVector=True), str(path))


def detached(path: Path) -> None:
    nrrd.write(str(path.with_suffix(".nhdr")), hu().T, detached_header=True)
    path.with_suffix(".nhdr").rename(path)


def beside(path: Path) -> None:
    good(path)
    good(path.with_suffix(""))


def other_format(path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(hu()), str(path))


def slice_in_place_of_folder(path: Path) -> None:
    write_series(path.parent / "dicom", slices=4)
    path.write_bytes(source_files(path.parent / "dicom")[0].read_bytes())


def gone(path: Path) -> list[Finding]:
    """Read a file as stages do: what goes away meanwhile is told with the file's name."""
    try:
        path.read_bytes()
    except OSError as error:
        raise placed(error, path.name) from None
    return read(path)


def no_spacing(path: Path) -> list[Finding]:
    Geometry.from_affine(np.load(path), (2, 2, 2))
    return []


def mean_of(ct: object, mask: object, **setting: object) -> float:
    return extract_features(ct, mask, PARAMS | {"setting": {"label": 1} | setting}).iloc[0]


def region(path: Path) -> Path:
    drawn = np.zeros((8, 12, 14), np.uint8)
    drawn[2:6, 4:9, 4:9] = 1
    return nrrd_of(path, drawn)


def measure(path: Path) -> list[Finding]:
    """Compute a feature of the CT, as vertebromics features and notebooks do."""
    assert np.isfinite(mean_of(path, region(path.with_name("mask.nrrd"))))
    return []


def measure_within(path: Path) -> list[Finding]:
    """Compute a feature of the mask on the CT beside."""
    ct = nrrd_of(path.with_name("ct.nrrd"), hu())
    assert np.isfinite(mean_of(ct, path))
    return []


def mask_of_another_size(tmp_path: Path) -> None:
    ct, mask = ct_and_mask()
    with refusal("mask-off-grid-of-ct", CaseError) as caught:
        mean_of(ct, mask[1:, :, :])
    says(caught.value.remedy, "set correctMask: true", "or resampledPixelSpacing")
    assert mean_of(ct, mask[1:, :, :], correctMask=True) == mean_of(ct, mask)
    assert np.isfinite(mean_of(ct, mask[1:, :, :], resampledPixelSpacing=[1, 1, 1]))


def region_between_voxels(tmp_path: Path) -> None:
    ct, mask = ct_and_mask()
    spacing = list(ct.GetSpacing())
    fine = sitk.Image([4 * n for n in ct.GetSize()], sitk.sitkUInt8)
    fine.SetSpacing([mm / 4 for mm in spacing])
    fine.SetOrigin([at + mm / 8 for at, mm in zip(ct.GetOrigin(), spacing, strict=True)])
    fine[21:23, 21:23, 21:23] = 1
    with refusal("region-lost-on-grid", CaseError) as caught:
        mean_of(ct, fine, resampledPixelSpacing=spacing)
    says(caught.value.remedy, "draw the region on the grid of the CT")
    assert np.isfinite(mean_of(ct, mask, resampledPixelSpacing=spacing))


def one_ct_of_two_patients(tmp_path: Path) -> None:
    scans = pd.DataFrame({"scan_id": ["s1", "s2"], "patient_id": ["p1", "p2"]})
    found = copied_scans(scans.assign(image_hash="i"))
    says(found["s2"][0].message, "The same voxels are scan s1")
    says(found["s2"][0].remedy, "name the CT that belongs to this scan")
    assert not any(copied_scans(scans.assign(image_hash=["i", "j"])).values())


def another_orientation(tmp_path: Path) -> None:
    scans = pd.DataFrame({"scan_id": ["s1", "s2", "s3"], "orientation": ["LPS", "RAS", "LPS"]})
    found = other_orientation(scans)
    says(found["s2"][0].message, "Its voxels run RAS")
    says(found["s2"][0].remedy, "convert it to LPS with its masks")
    assert other_orientation(scans.assign(orientation="LPS")) == {}


GREY = "three dimensions and one value per voxel"
NO_SPACE = "export it with its orientation"
LOSS = "never have been compressed with loss"


def read_twice(path: Path) -> list[Finding]:
    """Read a NIfTI; one that is described as `turned`, ITK takes for another orientation."""
    whole = sitk.ReadImage

    def reading(*given: object, **named: object) -> sitk.Image:
        image = whole(*given, **named)
        if nibabel.load(path).header["descrip"].item() == b"turned":
            image.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
        return image

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sitk, "ReadImage", reading)
        return read(path)


def one_grey_value(_: Path) -> None:
    """Both ways of the remedy: the original CT, or features without normalisation."""
    ct, mask = ct_and_mask()
    with refusal("ct-constant", CaseError) as caught:
        extract_features(ct * 0, mask, SMALL)
    says(caught.value.remedy, "hand in the original CT, or set `normalize: false` in the param")
    assert np.isfinite(extract_features(ct, mask, SMALL)).all()
    plain = SMALL | {"setting": SMALL["setting"] | {"normalize": False}}
    assert len(extract_features(ct * 0, mask, plain)) == len(extract_features(ct, mask, SMALL))


REMEDIES: dict[str, Remedy] = {
    "The path in the table leads nowhere": refused(
        "a.nrrd", nothing, "named in the table of cases must exist", "check the path in the table",
        door=lambda path: read(source_files(path)[0]),
    ),
    "A CT that is not there": refused(
        "a.nrrd", nothing, "A CT must exist", "check the path", door=accept
    ),
    "One DICOM file in place of its folder": refused(
        "slice.dcm", slice_in_place_of_folder, "must be a DICOM folder or a file ending in",
        "name the folder that holds the slices", nothing,
        door=accept, then=lambda path: accept(path.with_name("dicom")),
    ),
    "A segmentation (.seg.nrrd) in place of a CT": refused(
        "a.seg.nrrd", good, "must be a DICOM folder.*a segmentation",
        "name the CT on which it was drawn", lambda path: good(path.with_name("ct.nrrd")),
        door=accept, then=lambda path: accept(path.with_name("ct.nrrd")),
    ),
    "A volume of another format": refused(
        "a.mha", other_format, "A volume must be one of", "export it as NRRD or NIfTI",
        lambda path: good(path.with_suffix(".nrrd")),
        then=lambda path: read(path.with_suffix(".nrrd")),
    ),
    "A file that goes away while it is read": refused(
        "a.nrrd", nothing, "must be a readable file", "check that the file is there", door=gone
    ),
    "NIfTI: qform and sform differ": refused(
        "a.nii", two_forms, "must say the same", "convert the DICOM again"
    ),
    "NIfTI: sheared axes": refused(
        "a.nii", lambda path: nifti(path, hu(), sheared(0.02), qform=False),
        "right angles", "hand in the DICOM series of the CT itself",
        lambda path: write_series(path.with_name("dicom"), slices=4),
        then=lambda path: accept(path.with_name("dicom")),
    ),
    "NIfTI: axes up to 0.06 degrees off a right angle, as rounding leaves them": warned(
        "a.nii", lambda path: nifti(path, hu(), leaning(3e-4, AFFINE), qform=False),
        ["axes-straightened"], "convert the DICOM again",
    ),
    "NRRD: sheared axes": refused(
        "a.nrrd", field(space_directions=sheared(0.3)[:3, :3].T), "right angles",
        "hand in the DICOM series of the CT itself",
        lambda path: write_series(path.with_name("dicom"), slices=4),
        then=lambda path: accept(path.with_name("dicom")),
    ),
    "NIfTI: a voxel size of zero, below zero or no number": refused(
        "a.nii", lambda path: in_header(in_header(nifti(path, hu()), 84, "<f", 0.0), 254, "<h", 0),
        "must state the direction and spacing", "export the file again",
    ),
    "NIfTI: a voxel type that ITK does not read": refused(
        "a.nii", header(70, "<h", 1536), "must be whole numbers", "save it as 16-bit whole numbers"
    ),
    "NIfTI: neither qform nor sform": warned(
        "a.nii", no_form, ["no-patient-space"], NO_SPACE
    ),
    "NIfTI: a.nii beside a.nii.gz": refused(
        "a.nii.gz", beside, "must not lie beside", "move one of them away",
        lambda path: path.with_suffix("").rename(path.with_name("b.nii")),
    ),
    "NRRD: a header of more voxels than the file holds": refused(
        "a.nrrd", bytes_of(lambda one: one.replace(b"sizes: 14 12 8", b"sizes: 14 12 9")),
        "A NRRD file must hold all of its voxels", "copy or export the file again",
    ),
    "NIfTI: cut short by one byte": refused(
        "a.nii", bytes_of(lambda content: content[:-1]), "must hold all of its voxels",
        "copy or export the file again",
    ),
    "NIfTI or NRRD: one wrong bit in the compressed voxels": refused(
        "a.nii.gz", bytes_of(wrong_bit), "must be whole and have the right checksum",
        "copy or export the file again",
    ),
    "A `.nii` file that is packed by gzip, a `.nii.gz` file that is not": refused(
        "a.nii.gz", bytes_of(gzip.decompress), "must end in .nii.gz if it is packed", "rename it",
        renamed, then=lambda path: read(path.with_name("a.nii")),
    ),
    "Header cut short": refused(
        "a.nii", bytes_of(lambda content: content[:20]), "start with a readable header",
        "export it again",
    ),
    "Four dimensions": refused(
        "a.nii", lambda path: nifti(path, np.stack([hu(), hu()])), GREY, "export one phase"
    ),
    "Colours (three values per voxel)": refused("a.nrrd", colours, GREY, "one grey value"),
    "NRRD: more bytes than its voxels need": refused(
        "a.nrrd", lambda path: path.write_bytes(
            (nrrd_of(path, hu(), encoding="raw").read_bytes()) + b"\0" * 5
        ),
        "its voxels and nothing else", "copy or export the file again",
    ),
    "NRRD: the voxels lie in another file": refused(
        "a.nrrd", detached, "must hold its own voxels", "export it as one .nrrd file"
    ),
    "NRRD: packed by bzip2": refused(
        "a.nrrd", field(encoding="bzip2"), "raw, text or packed by gzip", "export it from 3D Slicer"
    ),
    "NRRD: lengths in centimetres": refused(
        "a.nrrd", field(space_units=["cm"] * 3), "must be millimetres", "export it from 3D Slicer"
    ),
    "NRRD: a space that is not the patient's": warned(
        "a.nrrd", field(space="scanner-xyz"), ["no-patient-space"], NO_SPACE
    ),
    "NRRD: no patient space": warned(
        "a.nrrd",
        field(space=None, space_directions=None, space_origin=None, spacings=[1.0, 1.0, 3.0]),
        ["no-patient-space"], NO_SPACE,
    ),
    "Values that cannot be HU (unsigned overflow, filling of -32768)": refused(
        "a.nrrd", lambda path: nrrd_of(path, with_value(-32768, "<i2")), "The values go from",
        "write -1024 there", lambda path: nrrd_of(path, with_value(-1024, "<i2")), door=accept,
    ),
    "Values without fat and air, or without bone (a window, stored values)": warned(
        "a.nrrd", lambda path: nrrd_of(path, hu().clip(-160, 149)), ["hu-implausible"],
        "may hold stored values or a window", door=accept,
    ),
    "NIfTI of version 2": refused(
        "a.nii", version_2, "must be of version 1", "export it as NRRD or NIfTI-1"
    ),
    "NIfTI in metres or micrometres": refused(
        "a.nii", in_metres, "must be millimetres", "convert the DICOM again, in millimetres"
    ),
    "NIfTI: an intercept without a slope": refused(
        "a.nii", header(112, "<ff", 0, 5), "readable in one way only", "convert the DICOM again"
    ),
    "Complex numbers": refused(
        "a.nii", lambda path: nifti(path, hu() * 1j), GREY, "one grey value"
    ),
    "NaN or infinite voxels": refused(
        "a.nrrd", lambda path: nrrd_of(path, with_value(np.nan)), "must be a number", "-1024",
        lambda path: nrrd_of(path, with_value(-1024)), door=accept,
    ),
    "NaN or infinite voxels of a NIfTI, which ITK reads as 0": refused(
        "a.nii", lambda path: nifti(path, with_value(np.inf)), "must be a number", "-1024",
        lambda path: nifti(path, with_value(-1024)),
    ),
    "NIfTI: a slope or intercept that programs read otherwise": refused(
        "a.nii", header(112, "<ff", 2, math.nan), "readable in one way only",
        "convert the DICOM again",
    ),
    "NIfTI or NRRD of 8 bits, with a slope or without": refused(
        "a.nii", lambda path: nifti(path, (hu() // 8).clip(-128, 127).astype(np.int8)), LOSS,
        "ingest.allow_lossy", nothing, door=accept,
        then=lambda path: accept(path, CtOptions(allow_lossy=True)),
        left=["lossy-compression", "hu-implausible"],
    ),
    "The same with `allow_lossy`": warned(
        "a.nii.gz", squeezed, ["lossy-compression", "coarse-grey-levels"],
        "convert the DICOM again, into 16-bit",
        door=lambda path: accept(path, CtOptions(allow_lossy=True)),
    ),
    "Grey values in steps of 2 HU or more": warned(
        "a.nrrd", lambda path: nrrd_of(path, hu() // 4 * 4), ["coarse-grey-levels"],
        "convert the DICOM again, into 16-bit", door=accept,
    ),
    "NRRD: values squeezed into another type (old min, old max)": refused(
        "a.nrrd", field(old_min=-1024.0, old_max=3071.0), "must hold its values",
        "as 16-bit whole numbers",
    ),
    "NRRD without distances of its voxels": refused(
        "a.nrrd", field(space_directions=None), "must state the distances", "from 3D Slicer"
    ),
    "NRRD without type, byte order, size or number of axes": refused(
        "a.nrrd", bytes_of(without_line(b"endian")), "must say how its voxels are written",
        "export it again",
    ),
    "NRRD: directions without a space": refused(
        "a.nrrd", bytes_of(without_line(b"space")), "must name their space", "from 3D Slicer"
    ),
    "NRRD without origin": warned(
        "a.nrrd", field(space_origin=None), ["no-patient-space"], NO_SPACE
    ),
    "Voxels of less than 0.01 mm: lengths in metres": refused(
        "a.nrrd", field(space_directions=np.diag([0.0008, 0.0008, 0.002])), "0.0008 mm apart",
        "in millimetres", door=accept,
    ),
    "A header that claims a million rows and columns": refused(
        "a.nii", header(40, "<4h", 3, 32767, 32767, 32767), "must hold all of its voxels",
        "copy or export the file again",
    ),
    "Any of these in `vertebromics features` or in a notebook": refused(
        "a.nrrd", lambda path: nrrd_of(path, with_value(np.nan)), "must be a number", "-1024",
        lambda path: nrrd_of(path, with_value(-1024)), door=measure,
    ),
    "`vertebromics features`: a mask of another size, without resampling": (
        mask_of_another_size
    ),
    "`vertebromics features`: a region that no voxel of the CT meets": (
        region_between_voxels
    ),
    "A CT or mask for `vertebromics features` that is not there": refused(
        "mask.nrrd", nothing, "must be an existing NRRD or NIfTI file", "check the path", region,
        door=measure_within,
    ),
    "A grid without spacing": refused(
        "a.npy", lambda path: np.save(path, np.diag([1.0, 0.0, 1.0, 1.0])),
        "must state the direction and spacing", "export the file again",
        lambda path: np.save(path, np.diag([1.0, 2.0, 1.0, 1.0])), door=no_spacing,
    ),
    "A NIfTI whose orientation two readers of its header understand differently": refused(
        "a.nii", header(148, "<6s", b"turned"), "readable in one way only",
        "convert the DICOM again", door=read_twice,
    ),
    "A CT of one grey value, with `normalize: true`": one_grey_value,
    "One CT for two patients": one_ct_of_two_patients,
    "A CT with other orientation than the cohort's": another_orientation,
}  # fmt: skip
