"""Slices copied over several processes are those that one process copies; what it costs is told."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest

from intake.handover.people.linkage import Linkage
from intake.handover.reading.sources import Series
from intake.handover.writing import cleaning, copying
from intake.handover.writing.study_tree import Names, StudyTree
from intake.identity.byte_search import Search
from pipeline.core.errors import CaseError
from pipeline.imaging.dicom.dicom_identity import Identity
from pipeline.running.workers.parallel import Workers
from tests.intake.test_register_patients import Folder
from tests.support.hospital import ANNA, write_ct, write_small

NAMED = {Identity("name", "(0010,0010)", "Wieczorek")}


@pytest.fixture
def slices(tmp_path: Path, monkeypatch) -> list[Path]:
    monkeypatch.setattr(copying, "AT_A_TIME", 3)
    paths = write_ct(ANNA, tmp_path / "ct")
    for path in paths[3:6]:
        one = pydicom.dcmread(path)
        one.ConvolutionKernel = "Wieczorek"
        one.save_as(path)
    return paths


def copied(slices: list[Path], out: Path, count: int) -> tuple[dict[str, bytes], Names]:
    names = Names(Search(NAMED))
    series = Series("1.2.3", "4711", files=slices)
    with Workers(count) as workers:
        tree = StudyTree(out, Linkage(key="7" * 64), "clean", names, workers=workers)
        tree._write_slices([(path, out / path.name) for path in series.files])
    assert tree.copied == len(slices)
    return {path.name: path.read_bytes() for path in out.iterdir()}, names


def test_several_processes_write_the_same_bytes_and_count_the_same(slices, tmp_path):
    assert len(slices) >= 7
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    alone, names = copied(slices, tmp_path / "one", 1)
    shared, told = copied(slices, tmp_path / "two", 2)
    assert alone == shared
    assert len(shared) == len(slices)
    assert names.left_out == told.left_out == {"ConvolutionKernel": 3}


def test_a_damaged_slice_is_told_by_its_own_error(slices, tmp_path):
    slices[5].write_bytes(slices[5].read_bytes()[:-40])
    (tmp_path / "two").mkdir()
    with pytest.raises(CaseError) as caught:
        copied(slices, tmp_path / "two", 2)
    assert caught.value.code == "dicom-damaged"


def test_what_equal_bytes_became_is_not_taken_over_where_another_element_decides(tmp_path):
    path = write_ct(ANNA, tmp_path / "ct")[0]
    one = pydicom.dcmread(path)
    one.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    one.add_new("SmallestImagePixelValue", "US", 65_000)
    values = []
    for signed in (0, 1, 0):
        one.PixelRepresentation = signed
        source, target = tmp_path / f"{signed}.dcm", tmp_path / "copy.dcm"
        pydicom.dcmwrite(source, one, implicit_vr=True, little_endian=True)
        cleaning.clean_dicom(source, target, Linkage().uid, lambda name, number: name)
        values.append(pydicom.dcmread(target).SmallestImagePixelValue)
    assert values == [65_000, 65_000 - 65_536, 65_000]


def test_copying_says_how_far_it_is(tmp_path, caplog):
    folder = Folder(tmp_path)
    for number in range(2):
        patient = f"471{number}"
        write_small(folder.dicom / patient, patient, lift=40.0 * number, mask=f"{patient}_L1.nrrd")
    with caplog.at_level("INFO"):
        folder.run()
    said = [one for one in caplog.messages if one.startswith("progress copy")]
    assert [one.split()[2] for one in said] == ["0/2", "1/2", "2/2"]
