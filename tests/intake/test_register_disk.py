"""What lies on a disk beside good files: links, names, rights, leftovers, a second registration."""

from __future__ import annotations

import errno
import gzip
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nrrd
import numpy as np
import pandas as pd
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from intake import pseudonymous_study as module
from intake.handover.people.linkage import Linkage, read_linkage
from intake.handover.reading import damage, folders
from intake.handover.writing.cleaning import clean_dicom
from intake.handover.writing.cleaning_volumes import clean_volume
from intake.handover.writing.only_one import only_one
from pipeline.core.errors import CaseError, MachineError, StudyError
from pipeline.core.files import machine_error
from tests.fuzz.intake import Intake, damages, flips
from tests.intake.test_register_patients import Folder
from tests.support.hospital import SMALL, write_small, write_small_mask
from tests.support.refusals import refusal


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    one = Folder(tmp_path)
    write_small(one.dicom / "a", "4711")
    return one


def same(name: str, number: object) -> str:
    return name


# --- damaged files ---


def test_bits_of_headers_turned_are_refused_by_name_or_read_alike(tmp_path):
    intake = Intake(tmp_path)
    verdicts = [intake.verdict(path, content) for path, _, content in flips(intake, 30)]
    assert not [one for one in verdicts if one.startswith("FAILURE")]
    assert any(one.startswith("accepted") for one in verdicts)


def test_files_damaged_in_every_way_are_refused_by_name_or_read_alike(tmp_path):
    intake = Intake(tmp_path)
    verdicts = [intake.verdict(path, content) for path, _, content in damages(intake, 20)]
    assert not [one for one in verdicts if one.startswith("FAILURE")]


@pytest.mark.slow
def test_five_thousand_damaged_files(tmp_path):
    intake = Intake(tmp_path)
    tried = [*flips(intake, 4000), *damages(intake, 1000)]
    failures = [
        (path.name, how, said)
        for path, how, content in tried
        if (said := intake.verdict(path, content)).startswith("FAILURE")
    ]
    assert not failures, failures[:20]


def test_the_judge_of_copies_can_fail(tmp_path, monkeypatch):
    intake = Intake(tmp_path)
    path = intake.slices[0]
    assert intake.verdict(path, path.read_bytes()) == "accepted"
    from intake.handover.writing import study_tree

    def careless(source, target, uid, rename, *more, **options):
        one = pydicom.dcmread(source)
        one.RescaleIntercept = 0
        one.save_as(target)

    monkeypatch.setattr(study_tree, "clean_dicom", careless)
    assert "the copy of a CT is read otherwise" in intake.verdict(path, path.read_bytes())


def test_an_attribute_that_is_needed_is_not_left_out_where_it_is_damaged(folder, tmp_path):
    (path, *_) = (folder.dicom / "a" / "ct").iterdir()
    content = path.read_bytes()
    assert content.count(b"\x28\0\x10\0US\2\0") == 1  # Rows
    path.write_bytes(content.replace(b"\x28\0\x10\0US\2\0", b"\x28\0\x10\0UL\2\0"))
    with refusal("dicom-damaged", CaseError):
        clean_dicom(path, tmp_path / "b.dcm", Linkage().uid, same)
    assert not (tmp_path / "b.dcm").exists()


@pytest.mark.parametrize("bit", range(0, 16, 3))
def test_a_slice_without_preamble_whose_first_bytes_are_damaged_is_missed(folder, bit):
    for path in (folder.dicom / "a" / "ct").iterdir():
        path.write_bytes(path.read_bytes()[132:])
    (row,) = folder.run()
    assert len(list((folder.out / row["image"]).iterdir())) == SMALL[0]
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    shutil.rmtree(folder.out)
    folder.linkage.unlink()
    with refusal("no-mask-matched", StudyError):
        folder.run()
    assert folder.report()[path.name][0] == "DAMAGED"


# --- bytes behind the voxels ---


@pytest.mark.parametrize("kind", [".nii", ".nii.gz", ".nrrd", ".gz.nrrd", "line skip", "byte skip"])
def test_bytes_behind_the_voxels_are_cut(tmp_path, kind):
    suffix = kind if kind.startswith(".") else ".nrrd"
    source, target = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    write_small_mask(tmp_path / "m.nrrd")
    image = sitk.ReadImage(str(tmp_path / "m.nrrd"))
    sitk.WriteImage(image, str(source), useCompression="gz" in kind)
    tail = b"PHI-CANARY-0010-0010"
    content = source.read_bytes()
    if kind == ".nii.gz":
        content = gzip.compress(gzip.decompress(content) + tail)
    elif kind == ".gz.nrrd":
        head, _, packed = content.partition(b"\n\n")
        content = head + b"\n\n" + gzip.compress(gzip.decompress(packed) + tail)
    elif kind in ("line skip", "byte skip"):
        head, _, voxels = content.partition(b"\n\n")
        count = 1 if kind == "line skip" else len(tail) + 1
        content = head + f"\n{kind}: {count}\n\n".encode() + tail + b"\n" + voxels
    else:
        content += tail
    source.write_bytes(content)
    clean_volume(source, target, same)
    written = target.read_bytes()
    if kind == ".nii.gz":
        written = gzip.decompress(written)
    elif kind == ".gz.nrrd":
        written = gzip.decompress(written.partition(b"\n\n")[2])
    assert tail not in written
    if suffix == ".nrrd":
        array, _ = nrrd.read(str(target))
        assert (array.transpose(2, 1, 0) == sitk.GetArrayFromImage(image)).all()
    else:
        read = sitk.GetArrayFromImage(sitk.ReadImage(str(target)))
        assert (read == sitk.GetArrayFromImage(image)).all()


def test_text_voxels_keep_nothing_behind_them(tmp_path):
    header = {"encoding": "ascii", "sizes": [2, 2, 1]}
    nrrd.write(str(tmp_path / "a.nrrd"), np.arange(4, dtype=np.uint8).reshape(2, 2, 1), header)
    with open(tmp_path / "a.nrrd", "ab") as stream:
        stream.write(b"\nPHI-CANARY")
    clean_volume(tmp_path / "a.nrrd", tmp_path / "b.nrrd", same)
    assert b"PHI" not in (tmp_path / "b.nrrd").read_bytes()
    assert (nrrd.read(str(tmp_path / "b.nrrd"))[0] == np.arange(4).reshape(2, 2, 1)).all()


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd"])
def test_a_volume_that_lacks_voxels_is_not_copied(tmp_path, suffix):
    source = write_small_mask(tmp_path / f"a{suffix}")
    content = source.read_bytes()
    content = gzip.compress(gzip.decompress(content)[:-1]) if suffix == ".nii.gz" else content[:-1]
    source.write_bytes(content)
    with refusal("volume-unreadable", CaseError):
        clean_volume(source, tmp_path / f"b{suffix}", same)
    assert not (tmp_path / f"b{suffix}").exists()


def test_bytes_behind_the_pixels_of_a_slice_are_cut(folder, tmp_path):
    (path, *_) = (folder.dicom / "a" / "ct").iterdir()
    one = pydicom.dcmread(path)
    pixels = one.PixelData
    one.PixelData = pixels + b"PHI-CANARY-0010-0010"
    one.save_as(path)
    clean_dicom(path, tmp_path / "b.dcm", Linkage().uid, same)
    assert pydicom.dcmread(tmp_path / "b.dcm").PixelData == pixels
    one.PixelData = pixels[:-2]
    one.save_as(path)
    with refusal("dicom-damaged", CaseError):
        clean_dicom(path, tmp_path / "c.dcm", Linkage().uid, same)


@pytest.mark.parametrize(
    "behind", ["an element", "bytes that were inserted", "bytes of no element"]
)
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_what_stands_behind_the_pixels_of_a_slice(folder, tmp_path, behind, syntax):
    (path, *_) = (folder.dicom / "a" / "ct").iterdir()
    one = pydicom.dcmread(path)
    one.file_meta.TransferSyntaxUID = syntax
    if behind == "an element":
        one.add_new("DataSetTrailingPadding", "OB", b"PHI-CANARY-0010-0010")
    one.save_as(path)
    content = path.read_bytes()
    if behind != "an element":
        head = content.index(one.PixelData[:64]) if syntax == ExplicitVRLittleEndian else None
        cut = len(content) if behind == "no element" or head is None else head + 40
        path.write_bytes(content[:cut] + b"PHI-CANARY-0010-0010" + content[cut:])
        with refusal("dicom-damaged", CaseError):
            clean_dicom(path, tmp_path / "b.dcm", Linkage().uid, same)
        return
    clean_dicom(path, tmp_path / "b.dcm", Linkage().uid, same)
    copy = pydicom.dcmread(tmp_path / "b.dcm")
    assert copy.PixelData == one.PixelData
    assert "DataSetTrailingPadding" not in copy


@pytest.mark.parametrize("bit", range(4, 8))
def test_pixels_that_begin_elsewhere_by_a_damaged_vr_are_not_copied(folder, tmp_path, bit):
    (path, *_) = (folder.dicom / "a" / "ct").iterdir()
    content = bytearray(path.read_bytes())
    content[content.index(b"\xe0\x7f\x10\x00OW") + 4] ^= 1 << bit
    path.write_bytes(content)
    with refusal("dicom-damaged", CaseError):
        clean_dicom(path, tmp_path / "b.dcm", Linkage().uid, same)


# --- places ---


@pytest.mark.parametrize("place", ["inside", "around", "same", "linked"])
def test_a_study_inside_what_is_handed_in_is_refused(folder, place):
    out = {"inside": folder.dicom / "study", "around": folder.root, "same": folder.dicom}.get(place)
    if place == "linked":
        (folder.root / "link").symlink_to(folder.dicom)
        out = folder.root / "link" / "study"
    with refusal("study-inside-handover", StudyError):
        folder.command(folder.dicom, folder.dicom, "--out", out, "--linkage", folder.linkage)
    table = folder.root / "cases.csv"
    row = {"patient_id": "1", "level": "L1", "reader": "A", "image": folder.dicom / "a" / "ct"}
    pd.DataFrame([row | {"mask": folder.dicom / "a" / "L1_rA.nrrd"}]).to_csv(table, index=False)
    inside = folder.dicom / "a" / "ct" / "study"
    with refusal("study-inside-handover", StudyError):
        folder.command("--cases", table, "--out", inside, "--linkage", folder.linkage)
    folder.run()  # beside them


def test_a_file_in_the_place_of_the_study_is_refused(folder):
    folder.out.parent.mkdir()
    folder.out.touch()
    with refusal("out-not-a-folder", StudyError):
        folder.run()


# --- what lies beside ---


def test_links_and_what_is_no_file_are_passed_over_with_a_word(folder):
    (folder.dicom / "a" / "round").symlink_to(folder.dicom)
    (folder.dicom / "gone.dcm").symlink_to(folder.dicom / "nowhere")
    os.mkfifo(folder.dicom / "pipe.nrrd")
    assert len(folder.run()) == 1
    report = folder.report()
    assert report["round"][0] == report["gone.dcm"][0] == report["pipe.nrrd"][0] == "left out"
    assert "a link to a folder, which is not followed" in folder.checks()


def test_names_that_are_no_utf_8_are_registered_and_never_seen_again(folder):
    raw = os.fsencode(folder.dicom) + "/Müllerin Gräfin".encode("latin-1")
    shutil.move(os.fsencode(folder.dicom / "a"), raw)
    (row,) = folder.run()
    assert len(list((folder.out / row["image"]).iterdir())) == SMALL[0]
    values = {one.value for one in read_linkage(folder.linkage).identities()}
    assert "Müllerin Gräfin" in values
    assert folder.run() == [row]
    known = next(iter(read_linkage(folder.linkage).scans.values()))
    assert os.path.isdir(known["source"])


def test_what_may_not_be_read_ends_before_anything_is_written(folder, monkeypatch):
    closed = folder.dicom / "a" / "ct" / "IM3.dcm"
    access = os.access
    monkeypatch.setattr(
        folders.os, "access", lambda path, how: Path(path) != closed and access(path, how)
    )
    with refusal(
        "handover-unreadable", StudyError, match=r"must be readable.*1 files.*chmod"
    ) as caught:
        folder.run()
    assert str(folder.dicom) not in str(caught.value)
    assert not folder.out.exists()
    assert folder.report()["IM3.dcm"][0] == "NOT READABLE"
    monkeypatch.undo()
    assert len(folder.run()) == 1


def test_a_full_disk_ends_the_registration_and_it_goes_on_later(folder, monkeypatch):
    from intake.handover.writing import cleaning

    def full(path, *arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cleaning.pydicom, "dcmwrite", full)
    with pytest.raises((OSError, MachineError)) as caught:
        folder.run()
    assert isinstance(machine_error(caught.value), MachineError)
    monkeypatch.undo()
    assert len(folder.run()) == 1
    assert not list(folder.out.rglob(".*"))


def test_memory_that_ends_is_no_damage(monkeypatch):
    with pytest.raises(MemoryError, match="none left"), damage.named():
        raise MemoryError("none left")
    with refusal("memory-exhausted", MachineError), damage.named():
        raise ValueError("std::bad_alloc")
    with refusal("dicom-damaged", damage.DamagedError), damage.named():
        raise ValueError("a value")


# --- a second registration, and one that was killed ---


def test_a_second_registration_waits(folder):
    with only_one(folder.out, folder.linkage):
        with refusal("registration-already-running", StudyError):
            folder.run()
        assert not folder.out.exists()
    folder.run()
    assert not list(folder.out.parent.glob(".*registering"))


def test_a_registration_that_was_killed_goes_on(folder, repository):
    for n in range(2, 6):
        write_small(folder.dicom / f"b{n}", f"P{n}XY", lift=50 * n)
    command = [sys.executable, "-m", "intake", folder.dicom, folder.dicom,
               "--out", folder.out, "--linkage", folder.linkage]  # fmt: skip
    running = subprocess.Popen(
        list(map(str, command)), cwd=repository, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    for _ in range(3000):
        if (folder.out / "images").is_dir() or running.poll() is not None:
            break
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    rows = folder.run()
    assert len(rows) == 5
    named = {Path(row[column]).name for row in rows for column in ("image", "mask")}
    lying = {path.name for place in ("images", "masks") for path in (folder.out / place).iterdir()}
    assert {name for name in lying if not name.startswith(".")} == named


@pytest.mark.parametrize("left", ["cases.csv", "clinical_template.csv"])
def test_a_registration_killed_before_its_marker_goes_on(folder, left):
    rows = folder.run()
    (folder.out / "registered.json").unlink()
    assert (folder.out / left).exists()
    assert folder.run() == rows


def test_images_that_no_row_names_are_removed(folder):
    (row,) = folder.run()
    shutil.copytree(folder.out / row["image"], folder.out / "images" / f"{row['scan_id'][:-1]}2")
    (folder.out / "images" / "mine").mkdir()
    linkage = read_linkage(folder.linkage)
    linkage.scan(row["patient_id"], "1.2.3")
    from intake.handover.people.linkage import write_linkage

    write_linkage(linkage, folder.linkage)
    folder.run()
    assert {one.name for one in (folder.out / "images").iterdir()} == {row["scan_id"], "mine"}


def test_a_ct_whose_mask_cannot_be_copied_is_not_left_behind(folder, monkeypatch):
    write_small(folder.dicom / "b", "8822", lift=90)
    from intake.handover.writing import study_tree

    real = study_tree.clean_volume

    def fail(source, target, *names):
        if source.parent.name == "b":
            raise CaseError("A volume must be a whole NIfTI or NRRD file")
        real(source, target, *names)

    monkeypatch.setattr(study_tree, "clean_volume", fail)
    (row,) = folder.run()
    assert [one.name for one in (folder.out / "images").iterdir()] == [row["scan_id"]]


def test_a_wrong_place_names_a_remedy_that_works(folder):
    (folder.root / "other").mkdir()
    (folder.root / "other" / "mine.txt").touch()
    with refusal("out-not-new", StudyError, match="name a folder that does not exist yet"):
        folder.command(folder.dicom, folder.dicom, "--out", folder.root / "other")
    folder.command(folder.dicom, folder.dicom, "--out", folder.root / "new")
    assert (folder.root / "new" / "registered.json").exists()
    assert module.MARKER == "registered.json"
