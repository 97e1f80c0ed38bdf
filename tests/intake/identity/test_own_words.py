"""Words that are no identity: of DICOM, of formats, of the run's own time."""

from __future__ import annotations

import datetime
import os

import pytest

from intake.identity.byte_search import Search
from intake.phi_scan import scan
from pipeline.imaging.dicom.dicom_identity import Identity
from tests.support.identities import (
    found,
)


@pytest.mark.parametrize(
    "word",
    ["RTstruct", "RTSTRUCT", "Axial", "ORIGINAL PRIMARY", "MONOCHROME2", "CLOSED_PLANAR", "BINARY",
     "HFS", "Structure Set"],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["text", "path", "private", "id", "institution"])
def test_words_of_dicom_are_no_identity(kind, word):
    patterns = Search([Identity(kind, "t", word)]).patterns
    assert not patterns
    assert len(patterns.left_out) == 1


def test_names_that_are_words_of_dicom_are_searched(tmp_path):
    search = Search([Identity("name", "x", "Sharp^Synthetica")])
    (tmp_path / "a.txt").write_text("of Sharp")
    assert found(tmp_path, search)
    assert Search([Identity("name", "x", "Li^Wu")]).patterns


@pytest.mark.parametrize(
    "text",
    [
        "a number 0.19500203 or 119500203 or 3.19500203e5",
        "file 10073194255.csv",
        "1.3.12.2.1107.5.1.4.7331.300000112233445566778",
        "a mark of grace, the patient's head",
        "1950-02-13",
    ],
)
def test_parts_of_numbers_and_common_words_are_no_leak(tmp_path, search, text):
    (tmp_path / "a.txt").write_text(text)
    assert found(tmp_path, search) == set()


def test_time_of_day_is_no_leak_in_a_timestamp_of_the_run(tmp_path):
    search = Search([Identity("time", "(0008,0030)", "134502.250000")])
    (tmp_path / "a.log").write_text(
        "2026-01-02 13:45:02,123 INFO\n[Fri Jan  2 13:45:02 2026]\n2026-01-02T13:45:02\n"
    )
    assert found(tmp_path, search) == set()
    for text in ("study at 13:45:02", "134502.250000", "t=134502"):
        (tmp_path / "b.log").write_text(text)
        assert found(tmp_path, search) == {("time", "(0008,0030)")}


STAMPS = {
    "a line of a log": ("2020-01-31 13:42:18,250 INFO begun", set()),
    "a log of Snakemake": ("Date: 2020-01-31 13:42:18", set()),
    "its name": ("2020-01-31T134218.659220.snakemake.log", set()),
    "with the time of the header": ("2020-01-31 13:42:17,250", {"date"}),
    "a date alone": ("scanned 2020-01-31", {"date"}),
    "a date in another form": ("31.01.2020 13:42:18", {"date"}),
    "of another day": ("2020-02-01 13:42:18", {"date"}),
}


@pytest.mark.parametrize(("text", "kinds"), STAMPS.values(), ids=STAMPS.keys())
def test_the_day_of_the_run_is_no_leak_in_its_timestamps(tmp_path, text, kinds):
    identities = [Identity("date", "x", day) for day in ("20200131", "20200201")]
    identities.append(Identity("time", "x", "134217"))
    (tmp_path / "a.log").write_text(text)
    day = datetime.datetime(2020, 1, 31, 12, tzinfo=datetime.UTC).timestamp()
    os.utime(tmp_path / "a.log", (day, day))
    leaks = scan([tmp_path / "a.log"], Search(identities)).leaks
    assert {leak.kind for leak in leaks} == kinds
