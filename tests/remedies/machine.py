"""Remedies of the section of docs/bad_inputs.md of this name.

Where a remedy asks for room, memory or rights, the fault that the test plants is taken away.
"""

from __future__ import annotations

import errno
import functools
import io
import logging
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from snakemake_executor_plugin_slurm.accounts import validate_account
from snakemake_interface_common.exceptions import WorkflowError

from pipeline.core.files import read_table, write_table
from pipeline.core.installed.own_files import PACKAGES
from pipeline.core.keeping.store import Store
from pipeline.core.leftovers import machine
from pipeline.imaging import stored_volumes
from pipeline.imaging.stored_volumes import write_nrrd
from pipeline.ingest import ingest_scans
from pipeline.running.image import check_image
from pipeline.running.run_lock import LOCK_FILE, RUN, _clear_locks, begin_run, name_run, only_run
from pipeline.running.slurm_executor_mends import refusal
from pipeline.running.workers.journal import Journal
from pipeline.study.config import DEFAULTS, load_yaml
from pipeline.tables.schemas.features.reproducibility import ReproducibilityFamilies
from tests.pipeline.core.keeping import test_store_damage as damaged
from tests.pipeline.core.keeping.test_store import KEY, flip
from tests.pipeline.running.test_run_lock import old
from tests.remedies import Remedy, logged, refused, rule_of, says
from tests.support.filled import filled

SECTION = "Machine"
REMEDIES: dict[str, Remedy] = {}


def ingested(folder: Path, names: str = "ab") -> pd.DataFrame:
    """Write small CTs where there are none, and put them through the intake of a study."""
    for name in names:
        image = sitk.GetImageFromArray(np.full((12, 16, 16), ord(name), np.int16))
        sitk.WriteImage(image, str(folder / f"{name}.nrrd"))
    scans = pd.DataFrame(
        {
            "scan_id": list(names),
            "patient_id": list(names),
            "image": [str(folder / f"{name}.nrrd") for name in names],
            "series": None,
        }
    )
    return ingest_scans(scans, Store(folder / "store"), load_yaml(DEFAULTS)["checks"])


FAULTS = {
    "Rights are missing on an image, a mask, a table, the configuration, the results or the store":
        ([PermissionError(errno.EACCES, "Permission denied")],
         "give this user the rights.*start again"),
    "A full disk, a quota, a read-only file system":
        ([OSError(number, os.strerror(number))
          for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)], "make room.*start again"),
    "A disk or a network drive fails, too many open files":
        ([OSError(number, os.strerror(number))
          for number in (errno.EIO, errno.ESTALE, errno.EMFILE)], "look at the disk.*start again"),
    "Too little memory, in Python or in a library":
        ([MemoryError(), RuntimeError("ITK: std::bad_alloc")], "more memory"),
    "A worker process is killed": ([BrokenProcessPool("terminated abruptly")], "more memory"),
}  # fmt: skip


def fault(name: str, folder: Path) -> None:
    errors, remedy = FAULTS[name]
    for error in errors:
        with pytest.MonkeyPatch.context() as patch:

            def failing(*_, error=error, **__):
                raise error

            patch.setattr(sitk, "ReadImage", failing)
            refused(SECTION, name, lambda: ingested(folder), remedy)
        assert (ingested(folder)["status"] != "error").all()
        shutil.rmtree(folder / "store")


REMEDIES |= {name: functools.partial(fault, name) for name in FAULTS}


def full_for_volume(folder: Path) -> None:
    """Room is made; what was done before is kept."""
    image = sitk.GetImageFromArray(np.arange(60, dtype=np.int16).reshape(3, 4, 5))
    path, other = folder / "b.nrrd", folder / "a.nrrd"
    write_nrrd(image, other)
    before = other.stat().st_mtime_ns

    class Full(io.BytesIO):
        def write(self, _: object) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stored_volumes, "open", lambda *_: Full(), raising=False)
        refused(
            SECTION, "The disk is full, or not writable, while a volume is stored",
            lambda: write_nrrd(image, path), "make room or check the permissions.*what is done is",
        )  # fmt: skip
    write_nrrd(image, path)
    assert path.read_bytes() == other.read_bytes()
    assert other.stat().st_mtime_ns == before


def unusable_store(folder: Path) -> None:
    """A disk that is not mounted leaves something else in the folder's place."""
    (folder / "results").write_text("what is there without the mount")
    refused(
        SECTION, "The store of results cannot be read or written",
        lambda: Store(folder / "results").get_or_make("crop", KEY, make),
        "check its permissions and that its disk is mounted, and start again",
    )  # fmt: skip
    (folder / "results").unlink()
    assert (Store(folder / "results").get_or_make("crop", KEY, make) / "image.nrrd").exists()


def unforeseen(folder: Path) -> None:
    """Its remedy takes the row of the case out; the other one is done then."""
    name = "An error that no check foresees, of this program or a library"
    with pytest.MonkeyPatch.context() as patch:
        from pipeline import ingest

        one = ingest.mean_and_sd
        calls: list[int] = []

        def failing(*given, **named):
            calls.append(1)
            if len(calls) == 2:
                raise AttributeError("'NoneType' object has no attribute 'x'")
            return one(*given, **named)

        patch.setattr(ingest, "mean_and_sd", failing)
        refused(SECTION, name, lambda: ingested(folder), "take the row of this case out")
        assert len(ingested(folder, "a")) == 1


def make(folder: Path) -> None:
    (folder / "image.nrrd").write_bytes(bytes(range(256)))


def quiet_afterwards(name: str, door: Callable[[], object]) -> None:
    """The program puts it right itself: it warns once, and has nothing to say afterwards."""
    with logged() as said:
        door()
        says("\n".join(said), rule_of(SECTION, name))
        said.clear()
        door()
    assert not said


def damaged_entry(folder: Path) -> None:
    entry = Store(folder).get_or_make("crop", KEY, make)
    flip(entry / "image.nrrd", 77)
    quiet_afterwards(
        "An entry of the store is damaged: a bit, a cut, a lost or a foreign file",
        lambda: Store(folder).get_or_make("crop", KEY, make),
    )


def remade_by_the_stage_before(folder: Path) -> None:
    entry = Store(folder).get_or_make("crop", KEY, make)
    flip(entry / "image.nrrd", 77)
    store = Store(folder, lambda *_: Store(folder).get_or_make("crop", KEY, make))
    quiet_afterwards(
        "The CT, mask or crop that a later stage needs is damaged or gone",
        lambda: store.path(store.relative(entry)),
    )


def nobody_knows_the_scan(folder: Path) -> None:
    entry = Store(folder).get_or_make("crop", KEY, make)
    flip(entry / "image.nrrd", 77)
    relative = Store(folder).relative(entry)
    name = "... and no table says which scan it is"
    refused(SECTION, name, lambda: Store(folder).path(relative), "--forcerun resample")
    Store(folder).get_or_make("crop", KEY, make)  # what the stage that is named there does
    assert Store(folder).path(relative) == entry


def cannot_be_made_anew(folder: Path) -> None:
    damaged.run_study(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        values = damaged.results()
        shutil.rmtree(damaged.STORE / "agreement")
        damaged.flip(damaged.STORE / read_table(damaged.table("masks"))["mask"][0], 0.5)
        whole = damaged.table("ingest")
        content = whole.read_bytes()
        whole.write_bytes(content[:100])
        Path("ingest.parquet").write_bytes(content)

        def later() -> None:
            damaged.call(
                damaged.agreement, ingest=Path("ingest.parquet"), masks=damaged.table("masks"),
                out=damaged.table("agreement"), pictures=Path(damaged.BATCH, "pictures"),
            )  # fmt: skip

        name = "... and it cannot be made anew"
        refused(SECTION, name, later, "mend what that error names, and start again")
        whole.write_bytes(content)
        later()
        damaged.assert_same(damaged.results(), values)


def damaged_table(folder: Path) -> None:
    path, table = folder / "t.parquet", pd.DataFrame({"x": [1.0]})
    write_table(table, path)
    flip(path, 77)
    name = "A table of a batch or of the study is damaged"
    refused(SECTION, name, lambda: read_table(path), "delete this file and start again")
    path.unlink()
    write_table(table, path)
    pd.testing.assert_frame_equal(read_table(path), table)


def other_table(folder: Path) -> None:
    path = folder / "reproducibility.parquet"
    table = pd.DataFrame({"image_type": [None], "feature_class": [None]})
    write_table(table, path)
    name = "A table of a batch or of the study that another version wrote"
    door = partial(read_table, path, ReproducibilityFamilies)
    refused(SECTION, name, door, "delete this file and start again")
    path.unlink()
    write_table(filled(ReproducibilityFamilies, table), path, ReproducibilityFamilies)
    assert len(door()) == 1


def damaged_journal(folder: Path) -> None:
    path = folder / "search.journal"
    with Journal(path, "key") as journal:
        for task in "abc":
            journal.add(task, {"auc": 0.5})
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:-1], lines[-1].replace(b"0.5", b"0.6")]))

    def door() -> None:
        with Journal(path, "key") as journal:
            for task in set("abc") - set(journal.results):
                journal.add(task, {"auc": 0.5})

    quiet_afterwards("A line of a journal is damaged", door)


def second_run(folder: Path) -> None:
    """The remedy waits for the first run, or ends it: both let go of the study."""

    def door() -> None:
        with only_run(folder):
            pass

    with only_run(folder) as lock:
        name_run(lock, os.getpid())
        name = "A second run of a study while the first goes on"
        refused(SECTION, name, door, "wait.*kill -INT")
    door()


def file_for_folder(folder: Path) -> None:
    (folder / "s").write_text("a file")

    def door(name: str) -> None:
        with only_run(folder / name):
            pass

    name = "A file in the place of the study's folder of results"
    refused(SECTION, name, lambda: door("s"), "another folder as `results`, or another name")
    door("s2")
    door("results2/s")


def lock_of_snakemake(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        lock = folder / ".snakemake" / "locks" / "0.input.lock"
        lock.parent.mkdir(parents=True)
        lock.write_text("results/s/tables/a.parquet\n")
        quiet_afterwards(
            "A killed run: Snakemake's lock", lambda: _clear_locks(Path("results", "s"))
        )


def half_written(folder: Path) -> None:
    study, store = folder / "s", folder / "store"
    with only_run(study) as lock, pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.running.run_lock._is_held", lambda _: lock is not None)
        left = study / f".{machine()}-abcd1234.tmp"
        left.write_text("half")
        old(left)
        quiet_afterwards(
            "A killed run: half-written files",
            lambda: begin_run(study, store, ["--cores", "1"]),
        )
        assert not left.exists()


def orphans(folder: Path) -> None:
    sleeper = subprocess.Popen(["sleep", "600"], env=os.environ | {RUN: "orphan"})
    words = f"4711\n{socket.gethostname()}\n2026-11-28 12:00:00\n4711\norphan\n"
    (folder / LOCK_FILE).write_text(words)

    def door() -> None:
        with only_run(folder):
            pass

    try:
        quiet_afterwards("A killed run: jobs that still work", door)
        assert sleeper.poll() is not None
    finally:
        sleeper.kill()


def commands(folder: Path, patch: pytest.MonkeyPatch, **programs: str) -> None:
    """Put programs of these texts first on PATH."""
    (folder / "commands").mkdir(exist_ok=True)
    for name, text in programs.items():
        (folder / "commands" / name).write_text(f"#!/bin/bash\n{text}\n")
        (folder / "commands" / name).chmod(0o755)
    patch.setenv(
        "PATH", f"{folder / 'commands'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    )
    patch.setenv("PYTHONPATH", str(PACKAGES))


def not_taken_by_slurm(folder: Path) -> None:
    def door(account: str) -> None:
        try:
            validate_account(account, logging.getLogger())
        except WorkflowError as error:
            raise refusal(str(error), {"account": account}) from None

    name = "A job that a SLURM does not take (account, partition, quality of service, time, memory)"
    with pytest.MonkeyPatch.context() as patch:
        commands(folder, patch, sacctmgr="echo spine")
        refused(SECTION, name, lambda: door("bones"), "as `sacctmgr show associations")
        door("spine")


#: Stands for Apptainer: it hands on the command that follows the image.
HANDS_ON = 'while [ "$(basename "$1")" != vertebromics.sif ]; do shift; done; shift; "$@"'


def image(name: str, before: str | None, folder: Path) -> None:
    """Its remedy builds the image of this version."""
    path = folder / "containers" / "vertebromics.sif"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        commands(folder, patch, apptainer=before or HANDS_ON)
        if before:
            path.parent.mkdir()
            path.touch()
        refused(SECTION, name, check_image, "apptainer build containers/vertebromics.sif")
        path.parent.mkdir(exist_ok=True)
        path.touch()
        commands(folder, patch, apptainer=HANDS_ON)
        check_image()


#: What the image's command does before it is built anew; None: there is no image.
IMAGES = {
    "`--sdm apptainer` without the image": None,
    "`--sdm apptainer`: an image that does not start, or holds another program": "exit 255",
    "`--sdm apptainer`: an image of another version of the code": "echo 0123",
}
REMEDIES |= {name: partial(image, name, before) for name, before in IMAGES.items()}
REMEDIES |= {
    "The disk is full, or not writable, while a volume is stored": full_for_volume,
    "The store of results cannot be read or written": unusable_store,
    "A job that a SLURM does not take (account, partition, quality of service, time, memory)": (
        not_taken_by_slurm
    ),
    "An error that no check foresees, of this program or a library": unforeseen,
    "An entry of the store is damaged: a bit, a cut, a lost or a foreign file": damaged_entry,
    "The CT, mask or crop that a later stage needs is damaged or gone": remade_by_the_stage_before,
    "... and no table says which scan it is": nobody_knows_the_scan,
    "... and it cannot be made anew": cannot_be_made_anew,
    "A table of a batch or of the study is damaged": damaged_table,
    "A table of a batch or of the study that another version wrote": other_table,
    "A line of a journal is damaged": damaged_journal,
    "A second run of a study while the first goes on": second_run,
    "A file in the place of the study's folder of results": file_for_folder,
    "A killed run: Snakemake's lock": lock_of_snakemake,
    "A killed run: half-written files": half_written,
    "A killed run: jobs that still work": orphans,
}
