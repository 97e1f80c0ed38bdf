"""The page to confirm: what it shows, to whom, and what is drawn again."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import numpy as np
import pytest

from intake.handover.pages.handover_page import page_path, pictures_path
from intake.handover.reading.outlines import picture
from tests.intake.test_register_patients import Folder
from tests.support.hospital import write_small, write_small_mask


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path)
    write_small(folder.dicom / "x", "4711", mask="4711_L1_rA.nrrd")
    write_small_mask(folder.dicom / "x" / "4711_L1_rB.nrrd", value=2)
    write_small(folder.dicom / "y", "4712", level=None, lift=40)
    write_small_mask(folder.dicom / "far" / "nobody_L1_rA.nrrd", lift=3)
    return folder


def test_the_page_shows_each_patient_reader_and_remedy(folder):
    folder.run()
    page = page_path(folder.linkage).read_text(encoding="utf-8")
    assert "4711_L1_rA.nrrd" in page
    assert "4711^Synthetic" in page
    assert re.search(r"1 patients with a CT and no mask", page)
    copied = re.search(r'data-copy="([^"]*nobody_L1_rA[^"]*)"', page)[1]
    assert "Remedy: write the patient" in copied
    pictures = sorted(re.findall(r'src="([^"]+)"', page))
    assert len(pictures) == 2  # one of both readers, one of the CT without a mask
    assert all((page_path(folder.linkage).parent / one).exists() for one in pictures)
    assert page.count('loading="lazy"') == 2
    assert re.search(r"Pictures: 2 files, 0\.\d MB", page)


def test_page_and_pictures_are_their_owners_and_outside_the_study(folder):
    folder.run()
    page, pictures = page_path(folder.linkage), pictures_path(folder.linkage)
    for path in (page, *pictures.iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert not path.is_relative_to(folder.out)
    assert stat.S_IMODE(pictures.stat().st_mode) == 0o700


def test_a_second_run_draws_what_changed_only(folder):
    folder.run()
    times = {path: path.stat().st_mtime_ns for path in pictures_path(folder.linkage).glob("*.png")}
    folder.run()
    assert times == {path: path.stat().st_mtime_ns for path in times}
    write_small_mask(folder.dicom / "y" / "4712_L1_rA.nrrd", lift=40)
    folder.run()
    now = set(pictures_path(folder.linkage).glob("*.png"))
    assert len(now & times.keys()) == 1  # the CT without a mask has one now
    assert len(now) == 2


def test_what_a_picture_shows():
    hu = np.full((40, 60), 40.0)
    drawn = np.zeros(hu.shape, bool)
    drawn[15:25, 20:35] = True
    hu[drawn] = 300
    content = picture(hu, {"#ff0000": drawn}, (0.5, 0.5))
    assert content.startswith(b"\x89PNG")
