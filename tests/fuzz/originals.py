"""Good files of every accepted format, small, with canaries in their identity fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import highdicom
import nibabel
import nrrd
import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from demo.anatomy import Grid
from demo.ct_series import Scan, write_series
from pipeline.imaging.sources import source_files
from segmentation.formats.dicom_files import RTSTRUCT_CLASS
from tests.fuzz import references

CANARY = "PHI-CANARY-0010-0010"
SHAPE = (6, 33, 35)  # slices, rows, columns: JPEG 2000 wants more than 32
SPACING = (3.0, 0.75, 0.5)  # mm: z, y, x
ORIGIN = (-40.0, -20.0, -10.0)  # mm: z, y, x
LABEL = "L1"

BODY = np.zeros(SHAPE, np.uint8)
BODY[1:5, 4:14, 5:15] = 1


@dataclass(frozen=True)
class Original:
    """A good file, and who else can read it.

    Attributes
    ----------
    name : str
        Format.
    kind : {'ct', 'mask'}
        What it is.
    file : pathlib.Path
        The file to be damaged.
    source : pathlib.Path
        What a table of cases would name: the file, or the folder that it lies in.
    reference : callable
        From `tests.fuzz.references`.
    """

    name: str
    kind: str
    file: Path
    source: Path
    reference: Callable


def voxels() -> np.ndarray:
    """Return a CT of air, fat and bone in Hounsfield units, shape `SHAPE`."""
    ct = np.random.default_rng(3).integers(-200, 200, SHAPE).astype(np.int16)
    ct[BODY != 0] += 250
    return ct


def make(folder: Path) -> list[Original]:
    """Write all originals below `folder`."""
    scan = Scan(CANARY, "F", ("fuzz", "test"), "Model", "B30f", 120)
    plain = folder / "dicom"
    plain.mkdir(parents=True)
    write_series(voxels(), Grid(SHAPE, SPACING, ORIGIN), scan, plain)
    slices = [pydicom.dcmread(path) for path in source_files(plain)]
    slices.sort(key=lambda one: one.ImagePositionPatient[2])
    return [
        *_series(folder, slices),
        _enhanced(folder, slices),
        *_volumes(folder, voxels(), "ct"),
        *_volumes(folder, BODY, "mask"),
        _named(folder),
        *_slicer(folder),
        *_segmentations(folder, slices),
        _structure_set(folder),
    ]


def _series(folder: Path, slices: list[Dataset]) -> list[Original]:
    made = []
    syntaxes = {
        "dicom": ExplicitVRLittleEndian,
        "dicom-implicit": ImplicitVRLittleEndian,
        "dicom-deflated": DeflatedExplicitVRLittleEndian,
        "dicom-rle": RLELossless,
        "dicom-jpegls": JPEGLSLossless,
        "dicom-jpeg2000": JPEG2000Lossless,
    }
    for name, syntax in syntaxes.items():
        series = folder / f"{name}-series"
        series.mkdir()
        for number, one in enumerate(slices):
            copy = pydicom.dcmread(one.filename)
            if syntax in (RLELossless, JPEGLSLossless, JPEG2000Lossless):
                copy.compress(syntax, generate_instance_uid=False)
            copy.file_meta.TransferSyntaxUID = syntax
            copy.save_as(
                series / f"{number}.dcm",
                implicit_vr=syntax == ImplicitVRLittleEndian,
                little_endian=True,
            )
        made.append(Original(name, "ct", series / "2.dcm", series, references.gdcm_series))
    return made


def _enhanced(folder: Path, slices: list[Dataset]) -> Original:
    series = folder / "dicom-enhanced-series"
    series.mkdir()
    converted = highdicom.legacy.LegacyConvertedEnhancedCTImage(
        legacy_datasets=slices,
        series_instance_uid="2.25.77",
        series_number=7,
        sop_instance_uid="2.25.78",
        instance_number=1,
    )
    converted.save_as(series / "all.dcm")
    return Original("dicom-enhanced", "ct", series / "all.dcm", series, references.gdcm_frames)


def _volumes(folder: Path, array: np.ndarray, kind: str) -> list[Original]:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(SPACING[::-1])
    image.SetOrigin(ORIGIN[::-1])
    made = []
    for suffix, packed in ((".nrrd", False), (".gzip.nrrd", True)):
        path = folder / f"{kind}{suffix}"
        sitk.WriteImage(image, str(path), useCompression=packed)
        made.append(Original(f"{kind}{suffix}", kind, path, path, references.pynrrd))
    affine = np.diag([-SPACING[2], -SPACING[1], SPACING[0], 1.0])
    affine[:3, 3] = -ORIGIN[2], -ORIGIN[1], ORIGIN[0]
    for suffix in (".nii", ".nii.gz"):
        (folder / f"{kind}{suffix.replace('.', '-')}").mkdir()
        path = folder / f"{kind}{suffix.replace('.', '-')}" / f"{kind}{suffix}"
        file = nibabel.Nifti1Image(array.transpose(2, 1, 0), affine)
        file.set_qform(affine, 1)
        file.set_sform(affine, 1)
        nibabel.save(file, path)
        made.append(Original(f"{kind}{suffix}", kind, path, path, references.nibabel_volume))
    return made


def _named(folder: Path) -> Original:
    """Write a label map whose NIfTI header names its label, as TotalSegmentator does."""
    (folder / "named").mkdir()
    path = folder / "named" / "mask.nii"
    file = nibabel.load(folder / "mask-nii" / "mask.nii")
    table = f'<LabelTable><Label Key="1"><![CDATA[vertebrae_{LABEL}]]></Label></LabelTable>'
    file.header.extensions.append(nibabel.nifti1.Nifti1Extension(0, table.encode()))
    nibabel.save(file, path)
    return Original("mask-named.nii", "mask", path, path, references.nibabel_volume)


def _slicer(folder: Path) -> list[Original]:
    made = []
    for packed in ("raw", "gzip"):
        path = folder / f"{packed}.seg.nrrd"
        header = {
            "type": "unsigned char",
            "dimension": 3,
            "space": "left-posterior-superior",
            "space directions": np.diag(SPACING[::-1]),
            "space origin": np.array(ORIGIN[::-1]),
            "kinds": ["domain"] * 3,
            "encoding": packed,
            "Segmentation_MasterRepresentation": "Binary labelmap",
            "Segmentation_ContainedRepresentationNames": "Binary labelmap|",
            "Segment0_ID": "Segment_1",
            "Segment0_Name": LABEL,
            "Segment0_LabelValue": "1",
            "Segment0_Layer": "0",
            "Segment0_Extent": "5 14 4 13 1 4",
            "Segment0_Color": "0.5 0.6 0.7",
        }
        nrrd.write(str(path), BODY.transpose(2, 1, 0), header)
        made.append(Original(f"seg.nrrd-{packed}", "mask", path, path, references.itk_segment))
    return made


def _segmentations(folder: Path, slices: list[Dataset]) -> list[Original]:
    made = []
    kinds = {
        "seg-binary": ("BINARY", ExplicitVRLittleEndian),
        "seg-fractional": ("FRACTIONAL", RLELossless),
        "seg-labelmap": ("LABELMAP", ExplicitVRLittleEndian),
        "seg-jpeg2000": ("LABELMAP", JPEG2000Lossless),
    }
    for name, (kind, syntax) in kinds.items():
        path = folder / f"{name}.dcm"
        highdicom.seg.Segmentation(
            source_images=slices,
            pixel_array=BODY.copy(),  # scaled in place for fractions
            segmentation_type=kind,
            segment_descriptions=[
                highdicom.seg.SegmentDescription(
                    segment_number=1,
                    segment_label=LABEL,
                    segmented_property_category=codes.SCT.AnatomicalStructure,
                    segmented_property_type=codes.SCT.Vertebra,
                    algorithm_type="MANUAL",
                )
            ],
            series_instance_uid="2.25.91",
            series_number=9,
            sop_instance_uid="2.25.92",
            instance_number=1,
            manufacturer="Maker",
            manufacturer_model_name="Model",
            software_versions="1",
            device_serial_number="1",
            transfer_syntax_uid=syntax,
        ).save_as(path)
        made.append(Original(name, "mask", path, path, references.highdicom_segment))
    return made


def _structure_set(folder: Path) -> Original:
    path = folder / "rtstruct.dcm"
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = RTSTRUCT_CLASS
    meta.MediaStorageSOPInstanceUID = "2.25.93"
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.PatientName = data.PatientID = CANARY
    data.SOPClassUID, data.SOPInstanceUID, data.Modality = RTSTRUCT_CLASS, "2.25.93", "RTSTRUCT"
    region = Dataset()
    region.ROINumber, region.ROIName = 1, LABEL
    data.StructureSetROISequence = [region]
    drawn = Dataset()
    drawn.ReferencedROINumber = 1
    drawn.ContourSequence = []
    # Half-way between pixel centres, so that no rounding decides what lies inside.
    x, y = (ORIGIN[2] + SPACING[2] * np.array([4.5, 14.5]),
            ORIGIN[1] + SPACING[1] * np.array([3.5, 13.5]))  # fmt: skip
    for index in range(1, 5):
        z = ORIGIN[0] + SPACING[0] * index
        contour = Dataset()
        contour.ContourGeometricType = "CLOSED_PLANAR"
        points = [(x[0], y[0], z), (x[1], y[0], z), (x[1], y[1], z), (x[0], y[1], z)]
        contour.NumberOfContourPoints = len(points)
        contour.ContourData = [f"{value:.3f}" for value in np.ravel(points)]
        drawn.ContourSequence.append(contour)
    data.ROIContourSequence = [drawn]
    data.save_as(path, enforce_file_format=True)
    return Original("rtstruct", "mask", path, path, references.outlines)
