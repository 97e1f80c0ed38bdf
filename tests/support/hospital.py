"""A synthetic hospital: folders that are handed over, and what register makes of them."""

from __future__ import annotations

import csv
from pathlib import Path

import highdicom as hd
import nrrd
import numpy as np
import pandas as pd
import pydicom
import pydicom.examples
import SimpleITK as sitk
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian

from intake import pseudonymous_study as module
from intake.handover.pages.hospital_report import report_path
from intake.handover.people.linkage import read_linkage
from intake.identity.byte_search import Search
from intake.identity.identities import of_folder
from tests.support.dicom_files import uid, write_slice

CANARY = "PHI-CANARY-0010-0010"
ROOT_UID = "1.2.826.0.1.3680043.10.999"
SHAPE = (8, 64, 64)
SPACING = (0.8, 0.8, 2.5)
TEXTS = {"PN", "LO", "LT", "ST", "SH", "UT", "UC"}
CANARY_FIELDS = (
    *("InstitutionName", "InstitutionAddress", "InstitutionalDepartmentName", "StationName"),
    *("ReferringPhysicianName", "OperatorsName", "PerformingPhysicianName", "DeviceSerialNumber"),
    *("AccessionNumber", "StudyID", "OtherPatientIDs", "PatientAddress", "PatientComments"),
    *("StudyDescription", "SeriesDescription", "ProtocolName", "ImageComments"),
    "AdditionalPatientHistory",
)
KEPT_TEXTS = {"Manufacturer", "ManufacturerModelName", "ConvolutionKernel", "RescaleType"}


class Person:
    """One patient of a hospital, with everything that a header says of him."""

    def __init__(self, number: int, name: str, patient_id: str, day: str) -> None:
        self.number, self.name, self.patient_id, self.day = number, name, patient_id, day

    def uid(self, *parts: object) -> str:
        return ".".join(map(str, (ROOT_UID, 5550 + self.number, *parts)))

    def canary(self, tag: pydicom.tag.BaseTag) -> str:
        return f"PHI-{self.number}-{tag.group:04X}-{tag.element:04X}"


ANNA = Person(1, "Żółkiewska^Bronisława", "KH-0000471-A", "20190304")
OUYANG = Person(2, "Ouyang^Xiaodong=欧阳^小冬", "00731942", "20190311")
PETER = Person(3, "Knöterich^Peter", "KH-0000473-C", "20181224")


def write_ct(
    person: Person, folder: Path, *, series: int = 1, origin=(-20.0, -10.0, 5.0), shape=SHAPE
) -> list[Path]:
    """Write a CT series whose every text, date and UID is the person's; return its files."""
    folder.mkdir(parents=True, exist_ok=True)
    voxels = np.random.default_rng(person.number).integers(900, 1600, shape).astype(np.int16)
    paths = []
    for index in range(shape[0]):
        one = pydicom.dcmread(pydicom.examples.get_path("ct"))
        one.SpecificCharacterSet = "ISO_IR 192"
        for keyword in CANARY_FIELDS:
            setattr(one, keyword, person.canary(pydicom.tag.Tag(keyword))[:16])
        for element in list(one):
            if (
                element.VR in TEXTS
                and element.keyword not in KEPT_TEXTS
                and not element.tag.is_private
            ):
                one[element.tag].value = person.canary(element.tag)[:16]
        one.PatientName, one.PatientID = person.name, person.patient_id
        one.PatientBirthDate = f"194{person.number}0203"
        for keyword in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"):
            setattr(one, keyword, person.day)
        one.StudyTime = f"1342{person.number:02d}"
        block = one.private_block(0x0029, "PHI MAKER", create=True)
        block.add_new(0x20, "LO", f"PHI-PRIVATE-{person.number}-0029")
        item = pydicom.Dataset()
        item.ReferencedSOPInstanceUID = person.uid(9, index)
        item.PersonName = person.name
        one.ReferencedImageSequence = [item]
        one.Manufacturer, one.ManufacturerModelName = "Maker", "Scanner"
        one.Rows, one.Columns = shape[1:]
        one.StudyInstanceUID, one.SeriesInstanceUID = person.uid(0), person.uid(series)
        one.FrameOfReferenceUID = person.uid(series, 7)
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = person.uid(series, 3, index)
        one.SeriesNumber, one.InstanceNumber = series, index + 1
        one.PixelSpacing = list(SPACING[:2])
        one.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        x, y, z = origin
        one.ImagePositionPatient = [x, y, z + SPACING[2] * index]
        one.PixelData = voxels[index].tobytes()
        path = folder / f"{person.patient_id}_{series}_{index}.dcm"
        one.save_as(path)
        paths.append(path)
    return paths


def region(shape=SHAPE, *, width: int = 24, value: int = 1) -> np.ndarray:
    mask = np.zeros(shape, np.uint8)
    mask[1:7, 16:44, 14 : 14 + width] = value
    return mask


def write_mask(path: Path, *, origin=(-20.0, -10.0, 5.0), shape=SHAPE, **options) -> Path:
    image = sitk.GetImageFromArray(region(shape, **options))
    image.SetSpacing(SPACING)
    image.SetOrigin(origin)
    image.SetMetaData("PatientName", CANARY)
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path), useCompression=True)
    return path


def write_segments(path: Path, segment_names: list[str], *, origin=(-20.0, -10.0, 5.0)) -> Path:
    labels = np.zeros(SHAPE, np.uint8)
    header = {
        "space": "left-posterior-superior",
        "space directions": np.diag(SPACING),
        "space origin": np.array(origin),
        "kinds": ["domain"] * 3,
        "encoding": "gzip",
        "Segmentation_MasterRepresentation": "Binary labelmap",
        "Segmentation_Comment": CANARY,
    }
    for number in range(len(segment_names)):
        labels[1:7, 10 + 20 * number : 25 + 20 * number, 14:40] = number + 1
        header |= {
            f"Segment{number}_ID": f"{CANARY}_{number}",
            f"Segment{number}_Name": f"NAME-{number}",
            f"Segment{number}_LabelValue": str(number + 1),
            f"Segment{number}_Layer": "0",
            f"Segment{number}_Extent": f"14 39 {10 + 20 * number} {24 + 20 * number} 1 6",
            f"Segment{number}_Color": "1 0 0",
            f"Segment{number}_Tags": f"operator:{CANARY}",
        }
    path.parent.mkdir(parents=True, exist_ok=True)
    nrrd.write(str(path), labels.transpose(2, 1, 0), header)
    content = path.read_bytes()
    for number, name in enumerate(segment_names):  # pynrrd writes ASCII only
        content = content.replace(f"NAME-{number}".encode(), name.encode())
    path.write_bytes(content)
    return path


def write_seg(path: Path, slices: list[Path], label: str = "L1") -> Path:
    """Write a DICOM segmentation as highdicom makes it."""
    sources = [pydicom.dcmread(one) for one in slices]
    described = hd.seg.SegmentDescription(
        segment_number=1,
        segment_label=label,
        segmented_property_category=codes.SCT.AnatomicalStructure,
        segmented_property_type=codes.SCT.Vertebra,
        algorithm_type="MANUAL",
    )
    made = hd.seg.Segmentation(
        source_images=sources,
        pixel_array=region()[: len(sources)].astype(bool),
        segmentation_type="BINARY",
        segment_descriptions=[described],
        series_instance_uid=f"{ROOT_UID}.800",
        series_number=9,
        sop_instance_uid=f"{ROOT_UID}.801",
        instance_number=1,
        manufacturer="Maker",
        manufacturer_model_name="Software",
        software_versions="1",
        device_serial_number="PHI-SERIAL-7",
        content_creator_name="PHI^Creator",
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    made.save_as(path)
    return path


def write_rtstruct(path: Path, person: Person, name: str) -> Path:
    data = pydicom.Dataset()
    data.SpecificCharacterSet = "ISO_IR 192"
    data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.481.3"
    data.SOPInstanceUID, data.Modality = f"{ROOT_UID}.900", "RTSTRUCT"
    data.PatientName, data.PatientID = person.name, person.patient_id
    data.StructureSetLabel, data.StructureSetDate = "PHI-LABEL-0001", person.day
    series, study, frame = pydicom.Dataset(), pydicom.Dataset(), pydicom.Dataset()
    series.SeriesInstanceUID = person.uid(1)
    study.RTReferencedSeriesSequence = [series]
    study.ReferencedSOPInstanceUID = person.uid(0)
    frame.FrameOfReferenceUID = person.uid(1, 7)
    frame.RTReferencedStudySequence = [study]
    data.ReferencedFrameOfReferenceSequence = [frame]
    roi = pydicom.Dataset()
    roi.ROINumber, roi.ROIName = 1, name
    data.StructureSetROISequence = [roi]
    contours = pydicom.Dataset()
    contours.ReferencedROINumber = 1
    contours.ContourSequence = []
    for index in range(1, 7):
        one = pydicom.Dataset()
        one.ContourGeometricType, one.NumberOfContourPoints = "CLOSED_PLANAR", 4
        z = 5.0 + SPACING[2] * index
        corners = ((-9, 3), (10, 3), (10, 25), (-9, 25))
        one.ContourData = [value for x, y in corners for value in (float(x), float(y), z)]
        contours.ContourSequence.append(one)
    data.ROIContourSequence = [contours]
    meta = pydicom.dataset.FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = (
        data.SOPClassUID, data.SOPInstanceUID,
    )  # fmt: skip
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path.parent.mkdir(parents=True, exist_ok=True)
    pydicom.dataset.FileDataset("", data, file_meta=meta, preamble=b"\0" * 128).save_as(path)
    return path


class Hospital:
    """Folders that are handed over, and what register makes of them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.dicom, self.masks = root / "PACS Żółkiewska export", root / "masks"
        self.out, self.linkage = root / "work" / "study", root / "safe" / "who.linkage.json"
        self.masks.mkdir(parents=True)

    def run(self, *arguments: object) -> list[dict]:
        """Register, and return the rows of cases.csv."""
        command = [self.dicom, self.masks, "--out", self.out, "--linkage", self.linkage, *arguments]
        self.command(*command)
        return pd.read_csv(self.out / "cases.csv", dtype=str).to_dict("records")

    def command(self, *arguments: object) -> None:
        module.main(module._arguments().parse_args(list(map(str, arguments))))

    def checks(self) -> str:
        """Return the whole report."""
        return report_path(self.linkage).read_text(encoding="utf-8")

    def report(self) -> dict[str, tuple[str, str, str]]:
        """Return result, rule and what to check by the last part of each file's path."""
        with open(self.root / "safe" / "who.handover.csv", encoding="utf-8") as stream:
            return {
                Path(row["file"]).name: (row["result"], row["matched by"], row["check"])
                for row in csv.DictReader(stream)
            }

    def pseudonyms(self) -> dict[str, str]:
        """Return the pseudonym of each original patient."""
        return {known: new for new, known in read_linkage(self.linkage).patients.items()}

    def search(self) -> Search:
        identities = of_folder(self.dicom) | of_folder(self.masks)
        return Search(identities)


SMALL = (5, 8, 10)
SMALL_ORIGIN = (-90.0, -70.0, 33.0)


def write_small(
    folder: Path,
    patient: str,
    *,
    level: str | None = "L1",
    mask: str | None = None,
    lift: float = 0.0,
    name: str | None = None,
    files: str = "IM{}.dcm",
    change=None,
    **attributes,
) -> list[Path]:
    """Write a CT of five small slices with own UIDs, and a mask of it beside; return the slices.

    Parameters
    ----------
    folder : pathlib.Path
        Gets ``ct/`` and the mask.
    patient : str
        PatientID; UIDs follow the folder, so that two folders never share one unless told.
    level : str or None
        Level in the mask's name; None writes no mask.
    mask : str, optional
        The mask's name instead.
    lift : float
        mm by which the stack lies higher.
    name : str, optional
        PatientName.
    files : str
        Names of the slices.
    change : callable, optional
        Given index and attributes of each slice, which it may alter.
    **attributes
        Further attributes; None deletes one.
    """
    rng = np.random.default_rng(len(str(folder)))
    voxels = rng.integers(900, 1600, SMALL).astype(np.int16)
    own = {
        "PatientID": patient, "PatientName": f"{patient}^Synthetic" if name is None else name,
        "AccessionNumber": "", "StudyID": "", "InstitutionName": "", "StudyDate": "20200102",
        "StudyInstanceUID": uid(str(folder), "study"), "SeriesInstanceUID": uid(str(folder)),
        "SeriesDescription": "thin", "StudyDescription": "", "ImageComments": "",
    }  # fmt: skip
    paths = []
    x, y, z = SMALL_ORIGIN
    for index in range(SMALL[0]):
        tags = own | attributes | {
            "InstanceNumber": index + 1, "SOPInstanceUID": uid(str(folder), "slice", index),
        }  # fmt: skip
        if change:
            change(index, tags)
        path = folder / "ct" / files.format(index)
        write_slice(path, voxels[index], (x, y, z + lift + 2.5 * index), **tags)
        paths.append(path)
    if level is not None:
        write_small_mask(folder / (mask or f"{level}_rA.nrrd"), lift=lift)
    return paths


def write_small_mask(path: Path, *, value: int = 1, lift: float = 0.0) -> Path:
    """Write a mask on the grid of `write_small`."""
    drawn = np.zeros(SMALL, np.uint8)
    drawn[1:4, 2:6, 2:7] = value
    image = sitk.GetImageFromArray(drawn)
    image.SetSpacing((0.75, 0.5, 2.5))
    image.SetOrigin((SMALL_ORIGIN[0], SMALL_ORIGIN[1], SMALL_ORIGIN[2] + lift))
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path), useCompression=True)
    return path
