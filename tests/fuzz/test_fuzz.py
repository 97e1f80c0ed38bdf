"""Damaged files of every format end in an error that names its cause, or read right.

tests/fuzz holds the originals, the ways of damage, the other readers and the judge. They run in a
process of their own with little memory, whose death is a failure of the file at hand.
"""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import SimpleITK as sitk

from pipeline.core.errors import CaseError
from tests.fuzz.damage import WAYS, damaged
from tests.fuzz.driver import check, run
from tests.fuzz.judge import Judge
from tests.fuzz.originals import CANARY, make

MODULE = "tests.fuzz.run"
FEW, MANY = 138, 2000


def test_some_damaged_files(repository):
    tried = run(MODULE, FEW, repository)
    assert len(tried) == FEW
    assert len({one["name"] for one in tried.values()}) == 23
    check(MODULE, tried)


@pytest.mark.slow
def test_two_thousand_damaged_files(repository):
    tried = run(MODULE, MANY, repository)
    assert len(tried) == MANY
    check(MODULE, tried)


# --- the judge itself ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    originals = {one.name: one for one in make(folder / "originals")}
    return Judge(folder, folder / "originals" / "ct.nrrd"), originals


def test_the_same_numbers_do_the_same_damage():
    data = bytes(range(256)) * 20
    assert damaged(data, 1, 5) == damaged(data, 1, 5)
    seen = {damaged(data, 1, number)[1] for number in range(300)}
    assert seen == {way.__name__ for way in WAYS}
    assert all(damaged(data, 1, number)[0] != data for number in range(30))


@pytest.mark.parametrize("name", ["ct.nrrd", "mask.nii.gz", "dicom"])
def test_other_voxels_than_those_of_another_reader_are_a_failure(judge, monkeypatch, name):
    judge, originals = judge
    good = originals[name].file.read_bytes()
    assert judge.verdict(originals[name], good) == "accepted"

    read = judge._read

    def one_voxel_wrong(original):
        row, image = read(original)
        voxels = sitk.GetArrayFromImage(image)
        voxels[2, 6, 7] += 1
        wrong = sitk.GetImageFromArray(voxels)
        wrong.CopyInformation(image)
        return row, wrong

    monkeypatch.setattr(judge, "_read", one_voxel_wrong)
    assert "not read as written" in judge.verdict(originals[name], good)
    # The same in a file that is not the good one: the last bytes of a DICOM slice may say nothing.
    if name == "ct.nrrd":
        other = bytearray(good)
        other[-2] ^= 1
        assert "1 of" in judge.verdict(originals[name], bytes(other))


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        (KeyError("x"), "KeyError in place of a clear error"),
        (MemoryError(), "MemoryError in place of a clear error"),
        (CaseError("A mask must be good", found=CANARY), "names a path or a person"),
        (CaseError("Two\nlines"), "no clear sentence"),
        (CaseError("A mask must be good"), "refused: A mask must be good."),
    ],
)
def test_what_is_no_clear_error_is_a_failure(judge, monkeypatch, raised, words):
    judge, originals = judge

    def read(original):
        raise raised

    monkeypatch.setattr(judge, "_read", read)
    verdict = judge.verdict(originals["ct.nrrd"], b"")
    assert words in verdict
    assert verdict.startswith("refused") == (words.startswith("refused"))


def test_what_a_library_writes_to_the_screen_is_a_failure(judge, monkeypatch):
    judge, originals = judge

    def read(original):
        sys.__stderr__.flush()
        subprocess.run(["/bin/sh", "-c", "echo odd >&2"], check=True)
        raise CaseError("A mask must be good")

    monkeypatch.setattr(judge, "_read", read)
    assert "wrote to the screen: odd" in judge.verdict(originals["ct.nrrd"], b"")


# --- headers that claim too much -----------------------------------------------------------------

SIZES = np.array([3, 35, 33, 6], "<i2").tobytes()
MOST = np.array([3, 32767, 32767, 32767], "<i2").tobytes()
BOMBS = {
    "ct.nrrd": (b"sizes: 35 33 6", b"sizes: 1000000 1000000 6"),
    "ct.gzip.nrrd": (b"sizes: 35 33 6", b"sizes: 1000000 1000000 6"),
    "mask.nrrd": (b"sizes: 35 33 6", b"sizes: 1000000 1000000 6"),
    "seg.nrrd-raw": (b"sizes: 35 33 6", b"sizes: 1000000 1000000 6"),
    "seg.nrrd-gzip": (b"sizes: 35 33 6", b"sizes: 1000000 1000000 6"),
    "ct.nii": (SIZES, MOST),
    "mask.nii": (SIZES, MOST),
    "dicom": (b"\x28\0\x10\0US\2\0\x21\0", b"\x28\0\x10\0US\2\0\xff\xff"),
    "seg-binary": (b"\x28\0\x10\0US\2\0\x21\0", b"\x28\0\x10\0US\2\0\xff\xff"),
    "seg-jpeg2000": (b"\x28\0\x10\0US\2\0\x21\0", b"\x28\0\x10\0US\2\0\xff\xff"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_header_that_claims_a_million_rows_is_refused_before_memory_is_asked_for(judge, name):
    import resource

    judge, originals = judge
    good = originals[name].file.read_bytes()
    before, after = BOMBS[name]
    assert good.count(before) == 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    verdict = judge.verdict(originals[name], good.replace(before, after))
    assert verdict.startswith("refused"), verdict
    # kB: far below the terabytes of a million rows and columns, or the gigabytes of 65,535.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 200_000
