"""What register copies: the same voxels, without what identifies."""

from __future__ import annotations

import shutil

import highdicom as hd
import nibabel
import numpy as np
import pydicom
import pydicom.examples
import pytest
import SimpleITK as sitk
from pydicom.uid import JPEG2000Lossless, RLELossless

from intake.handover.people.linkage import Linkage, read_linkage
from intake.handover.reading.reading import read_handover
from intake.handover.writing.cleaning import clean_dicom
from intake.handover.writing.cleaning_volumes import clean_volume
from intake.handover.writing.study_tree import Names
from intake.identity.byte_search import Search
from intake.identity.identities import of_folder
from intake.phi_scan import scan, summary
from pipeline.core.errors import CaseError, StudyError
from pipeline.imaging.ct_options import CtOptions
from pipeline.imaging.dicom.dicom_identity import Identity
from pipeline.imaging.read_ct import read_ct
from segmentation.formats.mask_files import read_mask_file
from tests.support.hospital import (
    ANNA,
    CANARY,
    KEPT_TEXTS,
    OUYANG,
    PETER,
    region,
    write_ct,
    write_mask,
    write_seg,
    write_segments,
)
from tests.support.refusals import refusal


@pytest.mark.parametrize("headers", ["clean", "keep"])
def test_images_and_masks_hold_the_same_voxels(hospital, headers):
    slices = write_ct(ANNA, hospital.dicom / "a")
    for name, write in {
        "KH-0000471-A_L1_A.nrrd": write_mask,
        "KH-0000471-A_L1_B.nii.gz": write_mask,
        "KH-0000471-A_L1_C.nii": write_mask,
    }.items():
        write(hospital.masks / name)
    write_segments(hospital.masks / "KH-0000471-A_L1_D.seg.nrrd", ["L1"])
    write_seg(hospital.masks / "KH-0000471-A_L1_E.dcm", slices)
    rows = hospital.run("--headers", headers)
    assert [row["reader"] for row in rows] == list("ABCDE")
    image = hospital.out / rows[0]["image"]
    copies = sorted(image.iterdir())
    assert [path.name for path in copies] == [f"{number:04d}.dcm" for number in range(1, 9)]
    before, after = read_ct(hospital.dicom / "a").image, read_ct(image).image
    assert (sitk.GetArrayFromImage(before) == sitk.GetArrayFromImage(after)).all()
    assert before.GetOrigin() == after.GetOrigin()
    for row in rows[:4]:
        mask = sitk.ReadImage(str(hospital.out / row["mask"]))
        assert mask.GetOrigin() == pytest.approx((-20, -10, 5))
        if row["reader"] != "D":
            assert (sitk.GetArrayFromImage(mask) == region()).all()
    seg = hd.seg.segread(hospital.out / rows[4]["mask"]) if headers == "keep" else None
    data = pydicom.dcmread(hospital.out / rows[4]["mask"])
    assert data.SegmentSequence[0].SegmentLabel == "L1"
    assert (seg is None) == (data.get("PatientName") is None)
    outcome = scan([hospital.out], hospital.search())
    assert bool(outcome.leaks) == (headers == "keep"), summary(outcome, 0, [])
    assert (copies[0].stat().st_nlink == 2) == (headers == "keep")


@pytest.mark.parametrize("syntax", ["rle", "deflated", "big endian", "implicit", "j2k"])
def test_pixels_are_copied_in_every_transfer_syntax(tmp_path, syntax):
    path = write_ct(ANNA, tmp_path / "a", shape=(2, 64, 64))[0]
    data = pydicom.dcmread(path)
    pixels = data.pixel_array
    if syntax == "rle":
        data.compress(RLELossless, generate_instance_uid=False)
    elif syntax == "j2k":
        data.compress(JPEG2000Lossless, generate_instance_uid=False)
    uid = {"deflated": "1.2.840.10008.1.2.1.99", "big endian": "1.2.840.10008.1.2.2",
           "implicit": "1.2.840.10008.1.2"}.get(syntax)  # fmt: skip
    if uid is not None:
        data.file_meta.TransferSyntaxUID = uid
        if syntax == "big endian":
            data.PixelData = pixels.astype(">i2").tobytes()
            meta, data = data.file_meta, pydicom.Dataset(data)
            data.file_meta = meta
        order = {"implicit_vr": syntax == "implicit", "little_endian": syntax != "big endian"}
        data.save_as(path, enforce_file_format=True, **order)
    else:
        data.save_as(path)
    link = Linkage()
    clean_dicom(path, tmp_path / "clean.dcm", link.uid, lambda name, number: name)
    clean = pydicom.dcmread(tmp_path / "clean.dcm")
    assert (clean.pixel_array == pixels).all()
    assert clean.file_meta.TransferSyntaxUID == data.file_meta.TransferSyntaxUID
    search = Search(of_folder(tmp_path / "a"))
    assert not scan([tmp_path / "clean.dcm"], search).leaks


def write_named_ct(hospital, **words):
    """Write a CT whose words about the machine are `words`, and a mask of it."""
    for path in write_ct(PETER, hospital.dicom / "a"):
        header = pydicom.dcmread(path)
        for keyword, value in words.items():
            setattr(header, keyword, value)
        header.save_as(path)
    write_mask(hospital.masks / "KH-0000473-C_L1_A.nrrd")


NAMING = {
    "ManufacturerModelName": "Model Knoeterich",
    "Manufacturer": "KNÖTERICH Peter",
    "ConvolutionKernel": "B30f KNOETERICH",
    "BodyPartExamined": "KNOETERICH",
    "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL", "PETER KNOETERICH"],
    "RescaleType": "KH-0000473-C",
    "PatientPosition": "KNOETERICH",
}


@pytest.mark.parametrize("keyword", NAMING)
def test_a_kept_word_that_names_the_patient_is_not_copied_and_told(hospital, caplog, keyword):
    write_named_ct(hospital, **{keyword: NAMING[keyword]})
    rows = hospital.run()
    assert (
        f"Left out of the copies, since they hold a name, an id or a date: {keyword}" in caplog.text
    )
    assert "noeterich" not in caplog.text.lower()
    copies = sorted((hospital.out / rows[0]["image"]).iterdir())
    held = pydicom.dcmread(copies[0])
    if keyword == "ImageType":
        assert list(held.ImageType) == ["ORIGINAL", "PRIMARY", "AXIAL"]
    else:
        assert keyword not in held
    search = Search(read_linkage(hospital.linkage).identities())
    assert not scan([hospital.out], search).leaks


def test_words_of_a_machine_stay(hospital, caplog):
    words = {"ManufacturerModelName": "Scanner Force", "ConvolutionKernel": ["Br40d", "3"],
             "BodyPartExamined": "LSPINE",
             "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SPI"],
             "SeriesDescription": "Scanner Force Br40d LSPINE"}  # fmt: skip
    write_named_ct(hospital, **words)
    rows = hospital.run()
    held = pydicom.dcmread(sorted((hospital.out / rows[0]["image"]).iterdir())[0])
    del words["SeriesDescription"]
    for keyword, value in words.items():
        assert held[keyword].value == value
    assert "Left out of the copies" not in caplog.text


def test_headers_that_are_kept_must_not_name_the_patient_where_results_repeat_them(hospital):
    write_named_ct(hospital, ManufacturerModelName="Model Knoeterich")
    with refusal("no-mask-readable", StudyError):
        hospital.run("--headers", "keep")
    result, _, check = hospital.report()["KH-0000473-C_L1_A.nrrd"]
    assert "must not name a patient" in result + check
    hospital.run("--headers", "clean")  # the remedy


@pytest.mark.parametrize(
    "line",
    [b'space units: "mm" "mm" "KNOETERICH"', b"Segmentation_SourceRepresentation:=Knoeterich"],
)
def test_a_kept_field_of_a_volume_that_names_the_patient_is_left_out(tmp_path, line):
    names = Names(Search([Identity("name", "x", "KNOETERICH^PETER")]))
    head = b"NRRD0004\ntype: short\ndimension: 3\nsizes: 2 2 2\nencoding: raw\n"
    (tmp_path / "a.nrrd").write_bytes(head + line + b"\n\n" + bytes(16))
    clean_volume(tmp_path / "a.nrrd", tmp_path / "b.nrrd", names, names.allows)
    assert (tmp_path / "b.nrrd").read_bytes() == head + b"\n" + bytes(16)
    assert names.left_out.total() == 1


def test_unused_fields_of_nifti_hold_nothing(tmp_path):
    image = nibabel.Nifti1Image(np.zeros((2, 2, 2), np.int16), np.eye(4))
    raw = bytearray(image.to_bytes())
    raw[32:36], raw[140:148] = b"Knoe", b"Knoeteri"
    (tmp_path / "a.nii").write_bytes(raw)
    clean_volume(tmp_path / "a.nii", tmp_path / "b.nii", lambda name, number: name)
    assert b"Knoe" not in (tmp_path / "b.nii").read_bytes()
    assert nibabel.load(tmp_path / "b.nii").shape == (2, 2, 2)


def test_files_without_preamble_are_registered_too(hospital):
    slices = write_ct(ANNA, hospital.dicom / "a")
    pixels = pydicom.dcmread(slices[0]).pixel_array
    for path in slices:
        path.write_bytes(path.read_bytes()[132:])
    write_mask(hospital.masks / "KH-0000471-A_L1_A.nrrd")
    (row,) = hospital.run()
    clean = pydicom.dcmread(hospital.out / row["image"] / "0001.dcm")
    assert (clean.pixel_array == pixels).all()
    assert not scan([hospital.out], hospital.search()).leaks


REAL = (
    "dcmqi_ct_seg/23x38x3/multiframe/mf.dcm", "dcmqi_ct_seg/24x38x3/image",
    "pydicom_enhanced_ct_seg/eCT_Supplemental.dcm", "dcm_qa_ct/Philips_S21610/S2010",
    "totalseg_ct_dicom/example_ct_dicom",
)  # fmt: skip
REAL_MASKS = (
    "dcmqi_ct_seg/23x38x3/seg/label.seg", "dcmqi_ct_seg/partial_overlaps.dcm",
    "dcmqi_ct_seg/sparse-labelmap-ppv5.dcm", "pydicom_enhanced_ct_seg/liver_deflate.dcm",
    "pydicom_enhanced_ct_seg/liver_nonbyte_aligned_rle.dcm",
    "pydicom_enhanced_ct_seg/liver_j2k.dcm",
)  # fmt: skip


def test_grid_of_an_enhanced_ct_is_known(testdata):
    folder = testdata / "dcmqi_ct_seg" / "23x38x3"
    (frames,) = read_handover(folder, [folder / "multiframe" / "mf.dcm"]).series
    (slices,) = read_handover(folder, sorted((folder / "image").iterdir())).series
    assert frames.grid.size == slices.grid.size == (23, 38, 3)
    assert np.allclose(frames.grid.affine, slices.grid.affine)


@pytest.mark.parametrize("place", REAL)
def test_cleaned_copies_of_public_ct_are_read_alike(testdata, tmp_path, place):
    place = testdata / place
    files = sorted(place.iterdir()) if place.is_dir() else [place]
    link = Linkage()
    for number, path in enumerate(files):
        for name in ("before", "after"):
            (tmp_path / name).mkdir(exist_ok=True)
        shutil.copy(path, tmp_path / "before" / f"{number}.dcm")
        clean_dicom(path, tmp_path / "after" / f"{number}.dcm", link.uid, lambda name, _: name)
    options = CtOptions(gantry_tilt="correct")
    before, after = (read_ct(tmp_path / name, options=options) for name in ("before", "after"))
    assert (sitk.GetArrayFromImage(before.image) == sitk.GetArrayFromImage(after.image)).all()
    assert before.image.GetOrigin() == after.image.GetOrigin()
    assert before.image.GetSpacing() == after.image.GetSpacing()
    assert before.facts == after.facts


@pytest.mark.parametrize("place", REAL_MASKS)
def test_cleaned_copies_of_public_segmentations_are_read_alike(testdata, tmp_path, place):
    clean_dicom(testdata / place, tmp_path / "a.dcm", Linkage().uid, lambda name, _: name)
    before, after = read_mask_file(testdata / place), read_mask_file(tmp_path / "a.dcm")
    assert before.segments == after.segments
    assert before.geometry == after.geometry
    for one in before.segments:
        placed = [held.on_grid(one, before.geometry).voxels for held in (before, after)]
        assert (placed[0] == placed[1]).all()


def test_clean_headers_hold_listed_attributes_only(tmp_path):
    path = write_ct(ANNA, tmp_path / "a", shape=(2, 64, 64))[0]
    link = Linkage()
    clean_dicom(path, tmp_path / "b.dcm", link.uid, lambda name, number: name)
    clean = pydicom.dcmread(tmp_path / "b.dcm")
    assert clean.SeriesInstanceUID == link.uid(ANNA.uid(1))
    assert clean.ReferencedImageSequence[0].ReferencedSOPInstanceUID == link.uid(ANNA.uid(9, 0))
    for element in clean.iterall():
        assert not element.tag.is_private
        assert element.VR not in ("PN", "DA", "TM", "DT", "LT", "UT")
        kept = element.keyword in KEPT_TEXTS or element.value == "CONTRAST"
        assert element.VR not in ("LO", "SH", "ST") or kept
    assert clean.ContrastBolusAgent == "CONTRAST"  # in the place of the hospital's own text


def test_extensions_and_texts_of_nifti_are_emptied(tmp_path):
    for kind in (nibabel.Nifti1Image, nibabel.Nifti2Image):
        image = kind(np.arange(60, dtype=np.int16).reshape(3, 4, 5), np.diag([1, 2, 3, 1]))
        image.header["descrip"] = CANARY
        image.header.extensions.append(
            nibabel.nifti1.Nifti1Extension("comment", CANARY.encode() * 9)
        )
        for suffix in (".nii", ".nii.gz"):
            source, target = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
            nibabel.save(image, source)
            clean_volume(source, target, lambda name, number: name)
            clean = nibabel.load(target)
            assert (np.asanyarray(clean.dataobj) == np.asanyarray(image.dataobj)).all()
            assert (clean.affine == image.affine).all()
            search = Search([Identity("id", "t", CANARY)])
            assert scan([source], search).leaks
            assert not scan([target], search).leaks


def test_names_of_segments_that_identify_are_replaced(hospital):
    write_ct(OUYANG, hospital.dicom)
    write_segments(hospital.masks / "00731942 A.seg.nrrd", ["L1 欧阳小冬", "L2"])
    rows = hospital.run()
    assert [row["label"] for row in rows] == ["1", "2"]
    text = (hospital.out / rows[0]["mask"]).read_bytes().split(b"\n\n")[0]
    assert b"Segment0_Name:=structure 1" in text
    assert b"Segment1_Name:=L2" in text
    assert b"operator" not in text
    assert b"CANARY" not in text


BAD_VOLUMES = {
    "a.nii": b"x" * 600,
    "a.nii.gz": b"\x1f\x8b no gzip",
    "a.nrrd": b"NRRD0004\ntype: uchar\ndata file: b.raw\n\n",
    "b.nrrd": b"no NRRD",
    "c.nrrd": b"NRRD0004\ntype: uchar\n",
    "d.nrrd": b"NRRD0004\nencoding: gzip\n\nnot gzip at all",
}


@pytest.mark.parametrize("name", BAD_VOLUMES)
def test_volume_without_a_header_is_told(tmp_path, name):
    (tmp_path / name).write_bytes(BAD_VOLUMES[name])
    (tmp_path / "out").mkdir()
    with refusal("volume-unreadable", CaseError):
        clean_volume(tmp_path / name, tmp_path / "out" / name, lambda name, number: name)
    assert not list((tmp_path / "out").iterdir())


def test_damaged_dicom_is_told(tmp_path):
    (tmp_path / "a").write_bytes(b"no DICOM")
    with refusal("dicom-damaged", CaseError):
        clean_dicom(tmp_path / "a", tmp_path / "b", Linkage().uid, lambda name, number: name)
    assert not (tmp_path / "b").exists()
