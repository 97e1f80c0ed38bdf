"""Entries of the store: damage of any kind is found on use, and is no patient's fault."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import subprocess
import zlib
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from pipeline.core import findings
from pipeline.core.errors import CaseError, MachineError, ProgramError
from pipeline.core.files import MACHINE_ERRORS, machine_error
from pipeline.core.keeping.digests import DIGESTS
from pipeline.core.keeping.store import DEPENDS_ON, PassingStore, Store
from pipeline.imaging.sources import placed
from pipeline.imaging.volumes import read_volume
from pipeline.ingest import ingest_scans
from pipeline.study.config import DEFAULTS, load_yaml
from tests.support.refusals import refusal

KEY = {"input": "x", "code": "y"}

#: What is said of a machine at fault: its memory, a process, a right, its disk, another file.
OF_MACHINES = {
    *("memory-exhausted", "worker-ended", "rights-missing"),
    *("results-not-writable", "machine-files-unreadable"),
}


@pytest.fixture
def made() -> list[Path]:
    return []


@pytest.fixture
def make(made):
    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "image.nrrd").write_bytes(bytes(range(256)) * 4)
        (folder / "crop.json").write_text('{"clipped_share": 0.25}\n')

    return make


@pytest.fixture
def entry(tmp_path, make) -> Path:
    return Store(tmp_path).get_or_make("crop", KEY, make)


def state(folder: Path) -> dict[str, tuple]:
    """Return what lies in a folder: content, time of the last change and inode by name."""
    return {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino)
        for path in folder.iterdir()
    }


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def flip(path: Path, bit: int) -> None:
    """Change one bit of a file, counted from its start."""
    found = bytearray(path.read_bytes())
    found[bit // 8] ^= 1 << bit % 8
    path.write_bytes(found)


def test_a_whole_entry_stays_as_it_is(tmp_path, make, made, entry, caplog):
    before = state(entry)
    for _ in range(2):
        assert Store(tmp_path).get_or_make("crop", KEY, make) == entry
    assert state(entry) == before
    assert len(made) == 1
    assert not caplog.messages


def test_sha256sum_checks_an_entry(entry):
    if shutil.which("sha256sum") is None:
        pytest.skip("needs sha256sum")
    checked = subprocess.run(
        ["sha256sum", "--strict", "-c", DIGESTS], cwd=entry, capture_output=True, check=True
    )
    assert checked.stdout.count(b"OK") == 3


@pytest.mark.parametrize("name", ["image.nrrd", "crop.json", "depends_on.json", DIGESTS])
def test_every_bit_counts(tmp_path, make, made, entry, name, caplog):
    """Some bits of each file, of the list of digests in every byte."""
    whole, bits = content(entry), 8 * (entry / name).stat().st_size
    chosen = range(0, bits, 9 if name == DIGESTS else 1 + bits // 20)
    for count, bit in enumerate(chosen, start=1):
        flip(entry / name, bit)
        caplog.clear()
        store = Store(tmp_path)
        assert store.get_or_make("crop", KEY, make) == entry
        assert content(entry) == whole
        assert len(made) == 1 + count
        (line,) = caplog.messages
        assert "is damaged" in line
        assert "made anew" in line
    assert [path.name for path in entry.parent.iterdir()] == [entry.name]


def lost_folder(entry: Path) -> None:
    shutil.rmtree(entry)
    entry.write_text("a file in its place")


DAMAGES = {
    "cut": lambda entry: os.truncate(entry / "image.nrrd", 100),
    "emptied": lambda entry: os.truncate(entry / "crop.json", 0),
    "missing": lambda entry: (entry / "image.nrrd").unlink(),
    "more": lambda entry: (entry / "PHI-CANARY.nii").write_text("x"),
    "a folder more": lambda entry: (entry / "sub").mkdir(),
    "no digests": lambda entry: (entry / DIGESTS).unlink(),
    "empty digests": lambda entry: os.truncate(entry / DIGESTS, 0),
    "binary digests": lambda entry: (entry / DIGESTS).write_bytes(bytes(range(256))),
    "all files gone": lambda entry: [path.unlink() for path in entry.iterdir()],
    "no folder": lost_folder,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_made_anew(tmp_path, make, made, entry, damage, caplog):
    whole = content(entry)
    DAMAGES[damage](entry)
    assert Store(tmp_path).get_or_make("crop", KEY, make) == entry
    assert content(entry) == whole
    assert len(made) == 2
    (line,) = caplog.messages
    assert line.startswith(f"store: crop/{entry.name} is damaged (")
    assert "PHI-CANARY" not in line
    assert [path.name for path in entry.parent.iterdir()] == [entry.name]


def test_an_entry_in_the_place_of_another_is_none(tmp_path, make, made, entry):
    store = Store(tmp_path)
    other = store.get_or_make("crop", {**KEY, "input": "z"}, make)
    shutil.rmtree(entry)
    shutil.copytree(other, entry)
    Store(tmp_path).get_or_make("crop", KEY, make)
    assert len(made) == 3
    assert (entry / DIGESTS).read_text().startswith(f"# crop/{entry.name}\n")


@pytest.mark.parametrize("name", [".DS_Store", "._image.nrrd", ".nfs000001", "Thumbs.db"])
def test_what_file_managers_leave_is_no_damage(tmp_path, make, made, entry, name):
    (entry / name).write_bytes(b"x")
    Store(tmp_path).get_or_make("crop", KEY, make)
    assert len(made) == 1


def test_a_damaged_entry_of_the_stage_before_is_made_anew(tmp_path, make, made, entry, caplog):
    asked = []

    def remake(kind: str, key: str) -> None:
        asked.append((kind, key))
        Store(tmp_path).get_or_make("crop", KEY, make)

    store = Store(tmp_path, remake)
    relative = store.relative(entry)
    flip(entry / "image.nrrd", 77)
    assert store.path(relative) == entry
    assert store.path(relative) == entry
    assert asked == [("crop", entry.name)]
    assert len(made) == 2
    assert "image.nrrd is not as it was written" in caplog.text
    assert Store(tmp_path).state_of(relative) is None


def test_who_cannot_make_it_anew_says_what_to_run(tmp_path, entry):
    relative = Store(tmp_path).relative(entry)
    flip(entry / "image.nrrd", 77)
    for store in (Store(tmp_path), Store(tmp_path, lambda kind, key: None)):
        with refusal("store-entry-missing", MachineError, match=r"Remedy: .*--forcerun resample"):
            store.path(relative)
    with refusal(
        "store-entry-missing", MachineError, match="Found: no mask/ab/c, .*--forcerun masks"
    ):
        Store(tmp_path).path("mask/ab/c")


def test_looking_moves_nothing(tmp_path, entry):
    store = Store(tmp_path)
    flip(entry / "crop.json", 9)
    before = state(entry)
    assert store.state_of(store.relative(entry)) == "crop.json is not as it was written"
    assert store.state_of("crop/ab/abc") == "removed"
    assert state(entry) == before


def test_a_file_is_hashed_once(tmp_path, entry, make, monkeypatch):
    from pipeline.core.keeping import digests

    hashed = []
    one = digests.file_hash
    monkeypatch.setattr(digests, "file_hash", lambda path: hashed.append(path) or one(path))
    store = Store(tmp_path)
    for _ in range(3):
        store.get_or_make("crop", KEY, make)
        store.path(store.relative(entry))
    assert len(hashed) == 3


def test_what_another_job_made_meanwhile_stays(tmp_path, make, made, entry):
    """Both jobs found the damage; the second finds the whole entry of the first."""
    store, whole = Store(tmp_path), state(entry)
    assert store._set_aside("crop", entry.name, "seen before")
    assert state(entry) == whole
    assert [path.name for path in entry.parent.iterdir()] == [entry.name]


def test_what_takes_long_to_tell_makes_the_same_key(tmp_path, make, made, entry):
    later = {name: lambda value=value: value for name, value in KEY.items()}
    assert Store(tmp_path).get_or_make("crop", later, make) == entry
    assert len(made) == 1


def test_a_passing_store_asks_for_no_code(tmp_path, make, made):
    """Entries that nobody finds later are made once, and are neither sealed nor described."""

    def never():
        raise AssertionError

    store = PassingStore(tmp_path)
    known = {"input": "x", "code": never}
    entry = store.get_or_make("crop", known, make)
    assert store.get_or_make("crop", known, make) == entry
    assert store.get_or_make("crop", {**known, "input": "z"}, make) != entry
    assert len(made) == 2
    assert sorted(path.name for path in entry.iterdir()) == ["crop.json", "image.nrrd"]
    assert store.path(store.relative(entry / "crop.json")).read_text().startswith("{")
    with refusal("store-entry-missing", MachineError, match="or one that is damaged"):
        store.path("crop/00/none/crop.json")
    lasting = Store(tmp_path / "lasting").get_or_make("crop", KEY, make)
    assert {DEPENDS_ON, DIGESTS} <= {path.name for path in lasting.iterdir()}


@pytest.mark.parametrize("kind", [Store, PassingStore])
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, "No space left"), "results-not-writable"),
        (MemoryError("none left"), "memory-exhausted"),
    ],
)
def test_a_fault_of_the_machine_is_no_finding(tmp_path, error, code, kind):
    def full(folder):
        raise error

    with pytest.raises(type(error), match=r"No space left|none left") as raised:
        kind(tmp_path).get_or_make("ct", {}, full)
    with refusal(code, MachineError):
        findings.from_exception(placed(raised.value, "ct.nii"), "ct-failed", "S001")
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(".tmp")]


@pytest.mark.parametrize("kind", [Store, PassingStore])
def test_a_store_that_cannot_be_written_is_no_finding(tmp_path, kind):
    (tmp_path / "store").write_text("a file where the folder should be")
    with refusal("results-folder-unusable", MachineError, match="Found: Not a directory"):
        kind(tmp_path / "store").get_or_make("ct", {}, lambda folder: None)


def test_rights_are_no_patients_fault(tmp_path):
    def unreadable(folder):
        raise PermissionError(errno.EACCES, "Permission denied", "/data/PHI-CANARY/ct.nii")

    with pytest.raises(PermissionError) as raised:
        Store(tmp_path).get_or_make("ct", {}, unreadable)
    with refusal(
        "rights-missing", MachineError, match=r"Permission denied\. In: ct\.nii\. Remedy: give"
    ):
        findings.from_exception(placed(raised.value, "ct.nii"), "ct-failed", "S001")
    shown = str(machine_error(raised.value))
    assert "In: ct.nii" in shown
    assert "PHI-CANARY" not in shown


#: Codes of faults of the machine that are not of reading files in general.
OF_FAULTS = {
    **dict.fromkeys((errno.EPERM, errno.EACCES), "rights-missing"),
    **dict.fromkeys((errno.EFBIG, errno.ENOSPC, errno.EROFS, errno.EDQUOT), "results-not-writable"),
}


@pytest.mark.parametrize("number", sorted(MACHINE_ERRORS), ids=errno.errorcode.get)
def test_a_store_that_cannot_be_read_is_the_machines(tmp_path, entry, make, number, monkeypatch):
    def failing(*_):
        raise OSError(number, os.strerror(number), str(entry / "image.nrrd"))

    monkeypatch.setattr("pipeline.core.keeping.digests.file_hash", failing)
    code = OF_FAULTS.get(number, "machine-files-unreadable")
    with refusal(code, MachineError, match=os.strerror(number)):
        Store(tmp_path).get_or_make("crop", KEY, make)
    assert entry.exists()


def allocation_of_numpy() -> Exception:
    try:
        np.empty(1 << 60, np.uint8)
    except MemoryError as error:
        return error
    raise AssertionError


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        allocation_of_numpy(),
        RuntimeError("Exception thrown in SimpleITK ImageFileReader_Execute: std::bad_alloc"),
        RuntimeError("ITK ERROR: Failed to allocate memory for image."),
        zlib.error("Can't allocate memory for decompression object"),
        BrokenProcessPool("A process in the process pool was terminated abruptly"),
        *(OSError(number, os.strerror(number)) for number in sorted(MACHINE_ERRORS)),
    ],
    ids=str,
)
def test_faults_of_the_machine_end_the_job(error, caplog):
    with (
        pytest.raises(MachineError) as told,
        findings.case_named("S001 A", "ct.nii"),
    ):
        raise error
    assert told.value.code in OF_MACHINES
    assert "S001 A" in caplog.text


def test_what_nothing_foresees_ends_the_job_too(caplog):
    name = "-".join(("PHI", "CANARY"))
    ends = refusal("unforeseen-error", ProgramError, match=r"KeyError at S001 A\. In: ct\.nii")
    with ends, findings.case_named("S001 A", "ct.nii"):
        {}[name]
    assert "test_what_nothing_foresees" in caplog.text
    assert "PHI-CANARY" not in caplog.text


def test_what_was_written_reaches_the_disk_before_its_name(tmp_path, make, monkeypatch):
    done = []
    fsync, rename = os.fsync, os.rename

    def flushed(handle: int) -> None:
        done.append(Path(os.readlink(f"/proc/self/fd/{handle}")).name)
        fsync(handle)

    def renamed(old, new) -> None:
        done.append(f"rename {Path(new).name}")
        rename(old, new)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(os, "rename", renamed)
    entry = Store(tmp_path).get_or_make("crop", KEY, make)
    place = done.index(f"rename {entry.name}")
    assert {"image.nrrd", "crop.json", "depends_on.json", DIGESTS} <= set(done[:place])
    assert done[place - 1].endswith(".tmp")
    assert done[place + 1] == entry.parent.name


def test_a_log_names_no_file_of_a_person(entry, tmp_path, make, caplog):
    caplog.set_level(logging.INFO)
    (entry / "PHI-CANARY.nrrd").write_text("x")
    Store(tmp_path).get_or_make("crop", KEY, make)
    assert "a file lies there that does not belong to it" in caplog.text
    assert "PHI-CANARY" not in caplog.text


@pytest.fixture
def volume(tmp_path) -> Path:
    path = tmp_path / "ct.nrrd"
    sitk.WriteImage(sitk.GetImageFromArray(np.full((12, 16, 16), 40, np.int16)), str(path))
    return path


@pytest.mark.parametrize(
    "raised",
    [
        RuntimeError("Exception thrown in SimpleITK ImageFileReader_Execute: std::bad_alloc"),
        OSError(errno.EIO, "Input/output error"),
        OSError(errno.ESTALE, "Stale file handle"),
        OSError(errno.EMFILE, "Too many open files"),
        MemoryError(),
    ],
    ids=str,
)
def test_a_scan_that_the_machine_does_not_give_ends_the_job(volume, tmp_path, raised, monkeypatch):
    """ITK, which says the same of a damaged file, and every other library."""

    def failing(*_, **__):
        raise raised

    monkeypatch.setattr(sitk, "ReadImage", failing)
    scans = pd.DataFrame(
        {"scan_id": ["s1"], "patient_id": "p1", "image": str(volume), "series": None}
    )
    with pytest.raises(MachineError) as told:
        ingest_scans(scans, Store(tmp_path / "store"), load_yaml(DEFAULTS)["checks"])
    assert told.value.code in OF_MACHINES
    assert not list((tmp_path / "store").glob("ct/*/*"))


def test_a_disk_that_fails_in_the_middle_of_a_volume_ends_the_job(volume, tmp_path, monkeypatch):
    """ITK says that it refuses the file; reading it once more says why."""

    def refusing(*_, **__):
        raise RuntimeError("Exception thrown in SimpleITK ImageFileReader_Execute")

    def failing(path):
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr(sitk, "ReadImage", refusing)
    with refusal("volume-unreadable", CaseError, match="that ITK refuses"):
        read_volume(volume)
    monkeypatch.setattr("pipeline.imaging.volumes.file_hash", failing)
    scans = pd.DataFrame(
        {"scan_id": ["s1"], "patient_id": "p1", "image": str(volume), "series": None}
    )
    with refusal(
        "machine-files-unreadable", MachineError, match=r"Input/output error\. In: ct\.nrrd"
    ):
        ingest_scans(scans, Store(tmp_path / "store"), load_yaml(DEFAULTS)["checks"])


def test_a_mistake_of_a_library_excludes_nobody(volume, tmp_path, monkeypatch):
    def failing(*_, **__):
        raise AttributeError("'NoneType' object has no attribute 'x'")

    monkeypatch.setattr("pipeline.ingest.mean_and_sd", failing)
    scans = pd.DataFrame(
        {"scan_id": ["s1"], "patient_id": "p1", "image": str(volume), "series": None}
    )
    with refusal("unforeseen-error", ProgramError, match=r"AttributeError at s1\. In: ct\.nrrd"):
        ingest_scans(scans, Store(tmp_path / "store"), load_yaml(DEFAULTS)["checks"])
