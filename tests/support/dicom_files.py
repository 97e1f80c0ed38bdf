"""Synthetic DICOM series for tests, whose identity fields hold canaries."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from scipy.spatial.transform import Rotation

from pipeline.imaging.ct_options import CtOptions
from pipeline.imaging.dicom.dicom_headers import read_headers
from pipeline.imaging.dicom.dicom_series import choose_series
from pipeline.imaging.dicom.dicom_volume import read_series
from pipeline.imaging.sources import source_files

CANARY = "PHI-CANARY-0010-0010"


def uid(*names: object) -> str:
    """Return a UID that depends on `names` alone."""
    digest = hashlib.sha256(repr(names).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:15], 'big')}"


def write_slice(path: Path, stored: np.ndarray, position, **attributes) -> None:
    """Write one classic CT slice whose identity fields hold canaries."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = CTImageStorage
    one = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    one.PatientName = one.PatientID = one.InstitutionName = CANARY
    one.AccessionNumber = one.StudyID = CANARY[4:20]
    one.SeriesDescription = one.StudyDescription = one.ImageComments = CANARY
    one.SOPClassUID = CTImageStorage
    one.SOPInstanceUID = uid(path.name, *position)
    one.SeriesInstanceUID = uid("series")
    one.Modality = "CT"
    one.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    one.SeriesNumber = 2
    one.InstanceNumber = 1
    one.Manufacturer, one.ManufacturerModelName = "Maker", "Scanner"
    one.KVP, one.ConvolutionKernel, one.SliceThickness = 120, "B70s", 5
    one.Rows, one.Columns = stored.shape
    one.PixelSpacing = [0.5, 0.75]
    one.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    one.ImagePositionPatient = [float(f"{value:.9g}") for value in position]
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
    one.BitsAllocated, one.BitsStored, one.HighBit = 16, 16, 15
    one.PixelRepresentation = int(stored.dtype.kind == "i")
    one.RescaleSlope, one.RescaleIntercept = 1, -1024
    for keyword, value in attributes.items():
        if value is None:
            delattr(one, keyword)
        else:
            setattr(one, keyword, value)
    one.PixelData = stored.tobytes()
    meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
    path.parent.mkdir(parents=True, exist_ok=True)
    one.save_as(path, enforce_file_format=True)


def write_series(
    folder: Path,
    slices: int = 6,
    step: float = 2.5,
    turned: Rotation | None = None,
    shape: tuple[int, int] = (8, 10),
    **attributes,
) -> np.ndarray:
    """Write a series with shuffled names and numbers; return the stored values (z, y, x)."""
    generator = np.random.default_rng(7)
    stored = generator.integers(0, 2500, (slices, *shape)).astype(np.int16)
    axes = np.eye(3) if turned is None else turned.as_matrix()
    if turned is not None:
        attributes["ImageOrientationPatient"] = [f"{v:.9g}" for v in axes[:, :2].T.ravel()]
    for place, index in enumerate(generator.permutation(slices)):
        position = np.array([-90.0, -70.0, 33.0]) + axes[:, 2] * step * index
        name = f"{CANARY}_{place}"
        write_slice(
            folder / name,
            stored[index],
            position,
            **attributes | {"InstanceNumber": slices - int(index)},
        )
    return stored


def load(folder: Path, series: str | None = None, options: CtOptions | None = None):
    """Return the volume of a folder's series and the findings of choosing it."""
    options = options or CtOptions()
    choice = choose_series(read_headers(source_files(folder)), series, options.series_rule)
    return read_series(choice.slices, options), choice.findings


def edit(folder: Path, which: int, **attributes) -> None:
    """Change attributes of the slice with instance number `which`."""
    for path in source_files(folder):
        one = pydicom.dcmread(path)
        if one.InstanceNumber == which:
            for keyword, value in attributes.items():
                setattr(one, keyword, value)
            one.save_as(path)
            return
    raise AssertionError(which)


def remove(folder: Path, *which: int) -> None:
    for path in source_files(folder):
        if pydicom.dcmread(path, stop_before_pixels=True).InstanceNumber in which:
            path.unlink()


def itk_series(folder: Path) -> sitk.Image:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


def assert_as_itk_reads(volume, image) -> None:
    np.testing.assert_array_equal(volume.voxels, sitk.GetArrayFromImage(image))
    for index in [(0, 0, 0), (7, 5, 1), tuple(n - 1 for n in image.GetSize())]:
        np.testing.assert_allclose(
            (volume.affine @ (*index, 1))[:3],
            image.TransformIndexToPhysicalPoint(index),
            rtol=0,
            atol=1e-6,
        )
