"""What other readers make of a file: GDCM, nibabel, pynrrd, ITK, highdicom, matplotlib.

Each returns voxels of shape (z, y, x) and the matrix from index (x, y, z) to millimetres (LPS), or
raises whatever it likes.
"""

from __future__ import annotations

from pathlib import Path

import highdicom
import nibabel
import nrrd
import numpy as np
import pydicom
import SimpleITK as sitk
from matplotlib.path import Path as Outline

from pipeline.imaging.geometry import Geometry

Volume = tuple[np.ndarray, np.ndarray | None]


def gdcm_series(source: Path, like: Geometry) -> Volume:
    """Read each slice by GDCM, and sort them along their normal."""
    planes = []
    for path in sorted(source.iterdir()):
        image = sitk.ReadImage(str(path), imageIO="GDCMImageIO")
        normal = np.reshape(image.GetDirection(), (3, 3))[:, 2]
        planes.append((float(normal @ image.GetOrigin()), sitk.GetArrayFromImage(image)[0]))
    planes.sort(key=lambda one: one[0])
    return np.array([plane for _, plane in planes]), None


def gdcm_frames(source: Path, like: Geometry) -> Volume:
    """Read a multi-frame file by GDCM, its frames in the order of `like`."""
    (path,) = source.iterdir()
    frames = sitk.GetArrayFromImage(sitk.ReadImage(str(path), imageIO="GDCMImageIO"))
    return frames, None


def nibabel_volume(source: Path, like: Geometry) -> Volume:
    """Read a NIfTI by nibabel."""
    image = nibabel.load(source)
    array = np.asanyarray(image.dataobj)
    return array.transpose(2, 1, 0), np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine


def pynrrd(source: Path, like: Geometry) -> Volume:
    """Read a NRRD by pynrrd."""
    array, header = nrrd.read(str(source))
    affine = np.eye(4)
    affine[:3, :3] = np.asarray(header["space directions"], dtype=float).T
    affine[:3, 3] = np.asarray(header["space origin"], dtype=float)
    space = str(header.get("space", "left-posterior-superior")).lower()
    flips = {
        "left-posterior-superior": (1, 1, 1), "lps": (1, 1, 1),
        "right-anterior-superior": (-1, -1, 1), "ras": (-1, -1, 1),
        "left-anterior-superior": (1, -1, 1), "las": (1, -1, 1),
    }[space]  # fmt: skip
    return array.transpose(2, 1, 0), np.diag([*flips, 1.0]) @ affine


def itk_segment(source: Path, like: Geometry) -> Volume:
    """Read the label map of a .seg.nrrd by ITK."""
    image = sitk.ReadImage(str(source), imageIO="NrrdImageIO")
    value = int(image.GetMetaData("Segment0_LabelValue"))
    return (sitk.GetArrayFromImage(image) == value).astype(np.uint8), Geometry.of(image).affine


def highdicom_segment(source: Path, like: Geometry) -> Volume:
    """Read the segment L1 of a DICOM segmentation by highdicom."""
    held = highdicom.seg.segread(source)
    (number,) = held.get_segment_numbers(segment_label="L1")
    try:
        volume = held.get_volume(segment_numbers=[number], combine_segments=False)
    except IndexError:
        # A label map with a number that no segment has; it says nothing about the others.
        return _label_map(source, number)
    array = volume.array[..., 0]
    if held.segmentation_type.value == "FRACTIONAL":
        array = array >= 0.5
    # highdicom's index runs (slice, row, column).
    affine = volume.affine[:, [2, 1, 0, 3]]
    return (array != 0).astype(np.uint8), affine


def _label_map(source: Path, number: int) -> Volume:
    """Read a label map by pydicom, frames from foot to head."""
    held = pydicom.dcmread(source)
    shared = held.SharedFunctionalGroupsSequence[0]
    places = [
        [float(v) for v in frame.PlanePositionSequence[0].ImagePositionPatient]
        for frame in held.PerFrameFunctionalGroupsSequence
    ]
    order = sorted(range(len(places)), key=lambda index: places[index][2])
    rows, columns = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
    affine = np.diag([columns, rows, places[order[1]][2] - places[order[0]][2], 1.0])
    affine[:3, 3] = places[order[0]]
    return (held.pixel_array[order] == number).astype(np.uint8), affine


def outlines(source: Path, like: Geometry) -> Volume:
    """Fill the contours of a structure set by matplotlib, odd crossings being inside."""
    held = pydicom.dcmread(source)
    mask = np.zeros(like.size[::-1], np.uint8)
    to_index = np.linalg.inv(like.affine)
    y, x = np.mgrid[: like.size[1], : like.size[0]]
    centres = np.column_stack([x.ravel(), y.ravel()])
    for contour in held.ROIContourSequence[0].ContourSequence:
        points = np.reshape([float(v) for v in contour.ContourData], (-1, 3))
        index = points @ to_index[:3, :3].T + to_index[:3, 3]
        plane = round(float(index[:, 2].mean()))
        inside = Outline(index[:, :2]).contains_points(centres).reshape(like.size[1], like.size[0])
        mask[plane] ^= inside.astype(np.uint8)
    return mask, like.affine


def on_grid(labels: np.ndarray, affine: np.ndarray, like: Geometry) -> np.ndarray:
    """Look up labels of shape (z, y, x) at the voxel centres of a grid; 0 outside."""
    z, y, x = np.mgrid[: like.size[2], : like.size[1], : like.size[0]]
    points = np.stack([x.ravel(), y.ravel(), z.ravel(), np.ones(x.size)])
    index = np.rint((np.linalg.inv(affine) @ like.affine @ points)[:3]).astype(int)
    inside = ((index >= 0) & (index < np.array(labels.shape[::-1])[:, None])).all(axis=0)
    found = np.zeros(x.size, labels.dtype)
    i, j, k = index[:, inside]
    found[inside] = labels[k, j, i]
    return found.reshape(x.shape)
