"""A small imaging study whose store is damaged: the same values again, and nothing else touched."""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
import yaml

from pipeline import extract, ingest, preflight, resample
from pipeline.core.errors import MachineError
from pipeline.core.files import read_table
from pipeline.study.config import DEFAULTS
from pipeline.tables.schemas.study_tables import Cases
from segmentation import agreement, masks, viewer
from tests.support.filled import filled
from tests.support.refusals import refusal

BATCH, STUDY, STORE = "results/d/batches/b0", "results/d/study", Path("results/store")
#: Entries of the study: two scans, two readers of each.
KINDS = {"manifest": 6, "ct": 2, "mask": 4, "agreement": 2, "crop": 4, "features": 4, "plain": 4}
PARAMETERS = {
    "setting": {
        "normalize": True, "normalizeScale": 100, "binWidth": 25,
        "resampledPixelSpacing": [1, 1, 1], "interpolator": "sitkBSpline", "padDistance": 5,
    },
    "imageType": {"Original": {}},
    "featureClass": {"shape": ["MeshVolume"], "firstorder": ["Mean", "Energy"]},
}  # fmt: skip


def write_scan(folder: Path, scan: str) -> None:
    """Write a CT of noise and a body, and the masks of two readers."""
    values = np.random.default_rng(len(scan)).normal(40, 100, (12, 32, 32))
    values[:, :4], values[3:9, 8:20, 8:20] = -1000, 350
    files = {"ct": values.astype(np.int16)}
    for reader, low in (("A", 8), ("B", 9)):
        files[reader] = np.zeros(values.shape, np.uint8)
        files[reader][3:9, low:20, low:20] = 1
    for name, array in files.items():
        image = sitk.GetImageFromArray(array)
        image.SetSpacing((1.5, 1.5, 2.5))
        sitk.WriteImage(image, str(folder / f"{scan}-{name}.nrrd"))


def call(stage: object, **options: object) -> None:
    named = {"study": Path(STUDY), "batch": "b0", "scan": None} | options
    stage.main(argparse.Namespace(**named))


def table(name: str) -> Path:
    return Path(BATCH, f"{name}.parquet")


def run_extract() -> None:
    call(
        extract, resample=table("resample"), ingest=table("ingest"), masks=table("masks"),
        out=table("features"), status=table("extraction"), verification=table("verification"),
    )  # fmt: skip


def run_agreement() -> None:
    named = {"ingest": table("ingest"), "masks": table("masks")}
    call(agreement, **named, out=table("agreement"), pictures=Path(BATCH, "pictures"))


def run_viewer() -> None:
    named = {name: table(name) for name in ("ingest", "masks", "agreement")}
    call(viewer, **named, out=Path("results/d/report/readers/index.html"), processes=1)


def run_all() -> None:
    """Run the stages in their order, in this process."""
    call(ingest, out=table("ingest"))
    call(masks, ingest=table("ingest"), out=table("masks"))
    run_agreement()
    named = {"ingest": table("ingest"), "masks": table("masks")}
    call(preflight, **named, gather=None, check=None, out=table("preflight"))
    call(resample, **named, preflight=table("preflight"), out=table("resample"))
    run_extract()


def run_study(work: Path) -> None:
    """Make a study in an empty folder, and run it."""
    rows = []
    for scan in ("s1", "s22"):
        write_scan(work, scan)
        rows += [
            {
                "patient_id": f"P{scan}", "scan_id": scan, "case_id": f"{scan}_L1", "level": "L1",
                "reader": reader, "image": f"{scan}-ct.nrrd", "series": None,
                "mask": f"{scan}-{reader}.nrrd", "label": None, "days_from_surgery": -1.0,
                "version": 1, "batch": "b0",
            }
            for reader in "AB"
        ]  # fmt: skip
    (work / STUDY).mkdir(parents=True)
    filled(Cases, rows).to_parquet(work / STUDY / "cases.parquet")
    (work / "params.yaml").write_text(yaml.safe_dump(PARAMETERS))
    config = yaml.safe_load(DEFAULTS.read_text("utf-8"))
    config |= {"study": "d", "results": "results", "cases": "cases.csv"}
    config["extraction"] |= {"params": "params.yaml", "verify_fraction": 1.0}
    config["checks"]["min_slices"] = 3
    config["masks"]["convention"] = "none"
    (work / STUDY / "study.yaml").write_text(yaml.safe_dump(config))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(work)
        run_all()
        run_viewer()
        assert {path.name: len(list(path.glob("*/*"))) for path in STORE.iterdir()} == KINDS
        assert (read_table(table("verification"))["status"] == "equal").all()


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """Return the folder of a study that has run."""
    work = tmp_path_factory.mktemp("whole")
    run_study(work)
    return work


@pytest.fixture
def study(whole, tmp_path, monkeypatch) -> Path:
    """Return a copy of the study, in its folder."""
    shutil.copytree(whole, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    shutil.rmtree(STORE / "manifest")  # it knows the files in the place that they had
    run_all()
    return tmp_path / "copy"


def state() -> dict[str, tuple]:
    """Return a digest, the time of the last change and the inode of each file of the store."""
    return {
        path.relative_to(STORE).as_posix(): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
            path.stat().st_ino,
        )
        for path in sorted(STORE.rglob("*"))
        if path.is_file()
    }


def changed(before: dict, after: dict) -> set[str]:
    """Return the entries of which a file differs in content, time or inode."""
    names = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    return {"/".join(name.split("/")[:3]) for name in names}


def results() -> dict[str, pd.DataFrame]:
    """Return the batch's tables without how long something took."""
    found = {}
    for path in sorted(Path(BATCH).glob("*.parquet")):
        one = read_table(path)
        kept = [name for name in one if not name.startswith("seconds")]
        found[path.stem] = one[kept]
    return found


def assert_same(found: dict[str, pd.DataFrame], expected: dict[str, pd.DataFrame]) -> None:
    assert found.keys() == expected.keys()
    for name, one in found.items():
        pd.testing.assert_frame_equal(one, expected[name], check_exact=True, obj=name)


def flip(path: Path, place: float) -> None:
    """Change one bit of a file, at a share of its length."""
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 0x20
    path.write_bytes(content)


@pytest.mark.parametrize("number", range(5))
def test_a_bit_of_every_file_of_every_kind(study, number):
    """The first, second ... file of one entry of each kind: they alone are made anew."""
    values, before, victims = results(), state(), set()
    for kind in KINDS:
        entry = sorted(STORE.glob(f"{kind}/*/*"))[-1]
        files = sorted(entry.iterdir())
        if number < len(files):
            victims.add(entry.relative_to(STORE).as_posix())
            flip(files[number], (0.5, 0.9, 0.2)[number % 3])
    assert victims
    run_all()
    after = state()
    assert changed(before, after) == victims
    assert before.keys() == after.keys()
    assert_same(results(), values)
    assert not [path for path in STORE.rglob("*") if path.name.endswith(".tmp")]


def test_several_entries_at_once(study):
    values, before = results(), state()
    victims = {sorted(STORE.glob(f"{kind}/*/*"))[0] for kind in KINDS}
    for number, entry in enumerate(sorted(victims)):
        file = sorted(entry.iterdir())[0]
        if number % 3 == 0:
            os.truncate(file, 0)
        elif number % 3 == 1:
            file.unlink()
        else:
            shutil.rmtree(entry)
    run_all()
    assert changed(before, state()) == {one.relative_to(STORE).as_posix() for one in victims}
    assert_same(results(), values)


def test_a_later_stage_makes_entries_of_all_stages_before_anew(study, capfd, caplog):
    """Extract alone: its features and the crop are gone or damaged, and so are mask and CT."""
    values = results()
    victims = [STORE / read_table(table("ingest"))["image"][0]]
    for name, column in (("masks", "mask"), ("resample", "crop")):
        rows = read_table(table(name))
        victims.append(STORE / rows.loc[rows["scan_id"] == "s1", column].iloc[0])
    before = state()
    for victim in victims:
        flip(victim / "image.nrrd" if victim.is_dir() else victim, 0.6)
    for kind in ("features", "plain"):
        shutil.rmtree(STORE / kind)
    run_extract()
    entries = {one if one.is_dir() else one.parent for one in victims}
    of_others = {
        one for one in changed(before, state()) if not one.startswith(("features/", "plain/"))
    }
    assert of_others == {one.relative_to(STORE).as_posix() for one in entries}
    assert_same(results(), values)
    said = capfd.readouterr().err + caplog.text
    assert said.count("is damaged (") == len(entries)


@pytest.mark.parametrize("later", [run_agreement, run_viewer], ids=["agreement", "viewer"])
def test_pictures_are_never_of_a_damaged_mask(study, later):
    values = results()
    pages = Path("results/d/report/readers")
    before = {path.name: path.read_bytes() for path in pages.glob("*.html")}
    kept = state()
    shutil.rmtree(STORE / "agreement")
    for path in pages.glob("*.html"):
        path.unlink()
    victim = STORE / read_table(table("masks"))["mask"][0]
    flip(victim, 0.7)
    later()
    if later is run_viewer:
        assert {path.name: path.read_bytes() for path in pages.glob("*.html")} == before
    else:
        assert_same(results(), values)
    remade = {one for one in changed(kept, state()) if not one.startswith("agreement/")}
    assert remade == {victim.parent.relative_to(STORE).as_posix()}


def test_what_cannot_be_made_anew_ends_the_job(study, capfd):
    """The mask's file is gone too: the job ends, no patient is left out, and the remedy works."""
    values = results()
    rows = read_table(table("masks"))
    victim = STORE / rows["mask"][0]
    flip(victim, 0.5)
    shutil.rmtree(STORE / "agreement")
    source = Path(f"{rows['scan_id'][0]}-{rows['reader'][0]}.nrrd")
    content = source.read_bytes()
    source.unlink()
    with refusal("store-entry-missing", MachineError, match="--forcerun masks"):
        run_agreement()
    source.write_bytes(content)
    run_all()
    assert_same(results(), values)


def test_an_error_of_the_stage_before_ends_the_job(study, capfd):
    shutil.rmtree(STORE / "agreement")
    flip(STORE / read_table(table("masks"))["mask"][0], 0.5)
    table("ingest").rename("ingest.parquet")
    with refusal(
        "store-not-remade", MachineError, match=r"an error of segmentation\.masks for scan s1"
    ):
        call(
            agreement, ingest=Path("ingest.parquet"), masks=table("masks"),
            out=table("agreement"), pictures=Path(BATCH, "pictures"),
        )  # fmt: skip
    assert "ingest.parquet" in capfd.readouterr().err


def test_an_entry_from_before_digests_is_made_anew_once(study):
    values = results()
    for path in STORE.rglob("digests.sha256"):
        path.unlink()
    run_all()
    assert_same(results(), values)
    before = state()
    run_all()
    assert state() == before
