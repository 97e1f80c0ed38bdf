"""A second intake reads only what changed, and says the same."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest

from intake.handover.reading import memory as module
from intake.handover.reading.memory import Memory, memory_path
from intake.handover.reading.reading import facts_of_file
from pipeline.running.workers.parallel import Workers
from tests.intake.test_register_patients import Folder
from tests.support.hospital import ANNA, write_ct, write_seg, write_small, write_small_mask


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path)
    write_small(folder.dicom / "x", "4711", mask="4711_L1_rA.nrrd")
    write_small(folder.dicom / "y", "4712", mask="4712_L1_rA.nrrd", lift=40)
    slices = write_ct(ANNA, folder.dicom / "anna" / "ct")
    write_seg(folder.dicom / "anna" / "seg_rA.dcm", slices)
    (folder.dicom / "y" / "ct" / "note.txt").write_text("no DICOM")
    return folder


def counts(folder: Folder, capsys) -> tuple[int, ...]:
    """Register, and return what was read: headers, masks; and what was known."""
    folder.run()
    told = re.search(r"Read: (\d+) .*, (\d+) masks; .*: (\d+) and (\d+)", capsys.readouterr().out)
    return tuple(map(int, told.groups()))


def test_a_second_run_reads_what_changed_only_and_says_the_same(folder, capsys):
    first = counts(folder, capsys)
    assert first == (22, 3, 0, 0)
    said, linkage = folder.checks(), folder.linkage.read_text()
    cases = (folder.out / "cases.csv").read_bytes()
    assert counts(folder, capsys) == (0, 0, 22, 3)
    assert folder.checks() == said
    assert folder.linkage.read_text() == linkage
    assert (folder.out / "cases.csv").read_bytes() == cases
    write_small_mask(folder.dicom / "x" / "4711_L1_rA.nrrd", value=3)
    write_small(folder.dicom / "z", "4713", mask="4713_L1_rA.nrrd", lift=80)
    assert counts(folder, capsys) == (7, 2, 21, 2)
    assert len(folder.patients()) == 4


def test_a_file_that_was_damaged_since_is_told(folder, capsys):
    counts(folder, capsys)
    path = folder.dicom / "x" / "ct" / "IM2.dcm"
    path.write_bytes(path.read_bytes()[:300])
    counts(folder, capsys)
    assert "DAMAGED" in folder.checks()


def test_the_memory_is_its_owners_and_worth_no_error(folder, capsys, monkeypatch):
    counts(folder, capsys)
    path = memory_path(folder.linkage)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.is_relative_to(folder.out)
    path.write_bytes(b"no database at all, but of some length" * 100)
    assert counts(folder, capsys) == (22, 3, 0, 0)
    assert counts(folder, capsys) == (0, 0, 22, 3)
    os.unlink(path)
    assert counts(folder, capsys) == (22, 3, 0, 0)
    monkeypatch.setattr(module, "_version", lambda: "another version")
    assert counts(folder, capsys) == (22, 3, 0, 0)


def test_headers_are_remembered_whole(tmp_path):
    slices = write_ct(ANNA, tmp_path / "ct")
    told = {path: facts_of_file(path) for path in slices}
    memory = Memory(tmp_path / "m.sqlite")
    assert dict(memory.facts(slices, facts_of_file, Workers())) == told
    memory.close()
    again = Memory(tmp_path / "m.sqlite")

    def never(path: Path):
        raise AssertionError(path)

    for path, found in again.facts(slices, never, Workers()):
        assert found.identity == told[path].identity
        assert found.places == told[path].places
        assert found._replace(known_as=(), families=()) == told[path]._replace(
            known_as=(), families=()
        )
        assert (list(found.known_as), list(found.families)) == (
            list(told[path].known_as), list(told[path].families),
        )  # fmt: skip


def test_several_processes_read_the_same(tmp_path, monkeypatch):
    slices = write_ct(ANNA, tmp_path / "ct")
    monkeypatch.setattr(module, "WORTH", 1)
    monkeypatch.setattr(module, "AT_A_TIME", 2)
    with Workers(2) as workers:
        found = dict(Memory().facts(slices, facts_of_file, workers))
    assert found == {path: facts_of_file(path) for path in slices}
    assert list(found) == list(slices)
