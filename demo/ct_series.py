"""A CT volume as the DICOM series that a scanner would send: valid CT Image Storage."""

from __future__ import annotations

import hashlib
import io
import uuid
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from demo.anatomy import Grid
from demo.files import write_if_changed

_IMPLEMENTATION_UID = "2.25.192066241087640411839391364712590432287"
_AXIAL = [1, 0, 0, 0, 1, 0]


@dataclass(frozen=True)
class Scan:
    """Facts that a scanner writes beside the voxels.

    Attributes
    ----------
    patient : str
        Name and id; plainly synthetic.
    sex : {'F', 'M'}
        Patient's sex.
    names : tuple
        What the UIDs derive from: seed and patient.
    model : str
        Scanner model.
    kernel : str
        Convolution kernel.
    kvp : int
        Tube voltage, kV.
    """

    patient: str
    sex: str
    names: tuple
    model: str
    kernel: str
    kvp: int


def made_uid(*names: object) -> str:
    """Return a UID under 2.25 (a UUID as a decimal number) that derives from `names` alone."""
    digest = hashlib.sha256("\x1f".join(str(name) for name in names).encode()).digest()
    return f"2.25.{uuid.UUID(bytes=digest[:16], version=4).int}"


def write_series(volume: np.ndarray, grid: Grid, scan: Scan, folder: Path) -> None:
    """Write one file a slice, numbered from head to foot, as int16 with intercept -1024.

    Parameters
    ----------
    volume : ndarray of shape (z, y, x), int16
        Hounsfield units, at least -1024; z runs from foot to head.
    grid : Grid
        Positions of the voxels in patient coordinates, mm.
    scan : Scan
        What else the scanner writes.
    folder : pathlib.Path
        Folder of the series.
    """
    for number, index in enumerate(reversed(range(len(volume))), start=1):
        data = _ct_image(scan, "axial", number)
        data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        data.SeriesNumber, data.SeriesDescription = 2, "Spine 3.0 axial"
        z, y, x = grid.axis(0)[index], grid.origin[1], grid.origin[2]
        data.ImagePositionPatient = [_decimal(value) for value in (x, y, z)]
        data.ImageOrientationPatient = _AXIAL
        data.SliceThickness = _decimal(grid.spacing[0])
        data.SliceLocation = _decimal(z)
        _add_pixels(data, volume[index], grid.spacing[1:])
        _save(data, folder / f"IM{number:04d}.dcm")


def write_localizer(volume: np.ndarray, grid: Grid, scan: Scan, path: Path) -> None:
    """Write a frontal localizer into the same folder, as many archives hand it over.

    Parameters
    ----------
    volume : ndarray of shape (z, y, x), int16
        Hounsfield units.
    grid : Grid
        Positions of the voxels.
    scan : Scan
        What else the scanner writes.
    path : pathlib.Path
        File to write.
    """
    data = _ct_image(scan, "localizer", 1)
    data.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    data.SeriesNumber, data.SeriesDescription = 1, "Topogram"
    top = grid.axis(0)[-1]
    middle = grid.origin[1] + grid.spacing[1] * (grid.shape[1] - 1) / 2
    data.ImagePositionPatient = [_decimal(value) for value in (grid.origin[2], middle, top)]
    data.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
    data.SliceThickness = _decimal(grid.spacing[1] * grid.shape[1])
    projection = np.rint(volume[::-1].mean(axis=1, dtype=np.float64)).astype(np.int16)
    _add_pixels(data, projection, (grid.spacing[0], grid.spacing[2]))
    # A sum along the view is no attenuation in HU, and the standard says not to call it so.
    del data.RescaleType
    _save(data, path)


def _ct_image(scan: Scan, series: str, number: int) -> FileDataset:
    """Return a dataset with all that does not depend on the pixels."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = made_uid(*scan.names, series, number)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    # Own values, since pydicom's change with its version and the bytes should not.
    meta.ImplementationClassUID = _IMPLEMENTATION_UID
    meta.ImplementationVersionName = "VERTEBRO_DEMO"
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SpecificCharacterSet = "ISO_IR 192"
    data.SOPClassUID = CTImageStorage
    data.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    data.StudyDate, data.StudyTime = "20250101", "120000"
    data.AccessionNumber = ""
    data.Modality = "CT"
    data.Manufacturer = "Synthetic"
    data.ManufacturerModelName = scan.model
    data.ReferringPhysicianName = ""
    data.StudyDescription = "Synthetic demo, no person"
    data.PatientName = f"{scan.patient}^Synthetic"
    data.PatientID = scan.patient
    data.PatientBirthDate = ""
    data.PatientSex = scan.sex
    data.BodyPartExamined = "SPINE"
    data.KVP = str(scan.kvp)
    data.GantryDetectorTilt = "0"
    data.ConvolutionKernel = scan.kernel
    data.PatientPosition = "HFS"
    data.StudyInstanceUID = made_uid(*scan.names, "study")
    data.SeriesInstanceUID = made_uid(*scan.names, series)
    data.StudyID = "1"
    data.AcquisitionNumber = "1"
    data.InstanceNumber = str(number)
    data.FrameOfReferenceUID = made_uid(*scan.names, "frame of reference")
    data.PositionReferenceIndicator = ""
    return data


def _add_pixels(data: Dataset, hu: np.ndarray, spacing: tuple[float, float]) -> None:
    data.SamplesPerPixel = 1
    data.PhotometricInterpretation = "MONOCHROME2"
    data.Rows, data.Columns = hu.shape
    data.PixelSpacing = [_decimal(step) for step in spacing]
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 16, 15
    data.PixelRepresentation = 1
    data.WindowCenter, data.WindowWidth = "300", "1500"
    data.RescaleIntercept, data.RescaleSlope, data.RescaleType = "-1024", "1", "HU"
    data.PixelData = (hu.astype("<i2") + np.int16(1024)).tobytes()


def _decimal(value: float) -> str:
    """Return a decimal string short enough for DICOM, the same on every machine."""
    return f"{value:.4f}".rstrip("0").rstrip(".")


def _save(data: FileDataset, path: Path) -> None:
    stream = io.BytesIO()
    data.save_as(stream, enforce_file_format=True)
    write_if_changed(path, stream.getvalue())
