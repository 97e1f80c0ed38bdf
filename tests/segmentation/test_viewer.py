"""Pages to scroll through: what they hold, how they lie, what a browser draws of them."""

from __future__ import annotations

import argparse
import base64
import gzip
import html
import json
import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
import yaml

from pipeline.core.errors import StudyError
from pipeline.core.files import write_table
from pipeline.core.keeping.store import Store
from pipeline.tables.schemas.images.agreement import Agreement
from pipeline.tables.schemas.images.ingest import Ingest
from pipeline.tables.schemas.images.masks import Masks
from segmentation import viewer
from segmentation.pages.viewer_page import Neighbours, case_page, index_page
from segmentation.pages.viewer_volume import (
    LEVELS_HU,
    MARGIN_MM,
    MOST_MASKS,
    case_volume,
    grey_levels,
    packed_text,
)
from segmentation.viewer import list_cases, write_pages
from tests.support.filled import filled
from tests.support.refusals import refusal
from tests.support.store_entries import put_volume

#: Where the marks of `marked_ct` lie, in HU.
LEFT, BACK, HEAD = 1006, 599, 201
NOBODY = Neighbours(None, None)


def marked_ct(orientation: str, spacing=(1.0, 1.0, 1.0)) -> tuple[sitk.Image, dict]:
    """Return a CT with marks at the patient's left, back and head, and masks of A and B amid."""
    voxels = np.full((40, 40, 40), -400, np.int16)  # (z, y, x) in LPS: x left, y back, z head
    voxels[16:24, 16:24, 30:36] = LEFT
    voxels[16:24, 30:36, 16:24] = BACK
    voxels[30:36, 16:24, 16:24] = HEAD
    masks = {}
    for reader, shift in (("A", 0), ("B", 1)):
        mask = np.zeros(voxels.shape, np.uint8)
        mask[14:26, 14:26, 14 + shift : 26 + shift] = 1
        masks[reader] = mask
    images = [sitk.GetImageFromArray(array) for array in (voxels, *masks.values())]
    for image in images:
        image.SetSpacing(spacing)
        image.SetOrigin((-10.0, 20.0, -300.0))
    ct, *drawn = (sitk.DICOMOrient(image, orientation) for image in images)
    return ct, dict(zip(masks, drawn, strict=True))


def pair(a="A", b="B", comparison="readers", dice=0.9, surface=0.8) -> dict:
    return {
        "reader_a": a,
        "reader_b": b,
        "comparison": comparison,
        "dice": dice,
        "surface_dice": surface,
        "hausdorff95_mm": 1.5,
        "mean_surface_distance_mm": 0.4,
        "volume_a_ml": 20.0,
        "volume_b_ml": 21.0,
        "volume_difference_percent": 4.9,
    }


def embedded(page: str, name: str) -> str:
    return re.search(rf'<script type="[^"]+" id="{name}">(.*?)</script>', page, re.S)[1]


def unpacked(page: str, name: str) -> np.ndarray:
    return np.frombuffer(gzip.decompress(base64.b64decode(embedded(page, name))), np.uint8)


# --- what a page holds -------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", ["LPS", "RAS", "PIR", "SAL", "ILA", "RSP", "ASR", "LIP"])
def test_every_orientation_is_turned_to_the_patients_axes(orientation):
    volume = case_volume(*marked_ct(orientation))
    hu = LEVELS_HU[volume.levels]
    z, y, x = np.nonzero(hu == LEFT)
    assert (x.min(), x.max(), y.min(), z.max()) == (30, 35, 16, 23)
    assert np.nonzero(hu == BACK)[1].min() == 30
    assert np.nonzero(hu == HEAD)[0].max() == 35
    assert volume.readers == ["A", "B"]
    assert np.count_nonzero(volume.masks & 1) == np.count_nonzero(volume.masks & 2) == 12**3
    assert np.nonzero(volume.masks & 2)[2].max() == 26  # B's is one voxel further to the left
    assert volume.corner_mm == pytest.approx((-10.0, 20.0, -300.0))
    assert volume.obliqueness_degrees == pytest.approx(0, abs=1e-4)


def test_the_volume_is_cut_around_the_masks():
    ct, masks = marked_ct("LPS", spacing=(2.0, 4.0, 5.0))
    volume = case_volume(ct, masks)
    # x: 14 to 26 and 10 voxels on either side; y: 14 to 25 and 5; z: 14 to 25 and 4.
    assert volume.levels.shape == volume.masks.shape == (20, 22, 33)
    assert volume.corner_mm == pytest.approx((-10 + 2 * 4, 20 + 4 * 9, -300 + 5 * 10))
    assert volume.spacing == (2.0, 4.0, 5.0)
    assert MARGIN_MM == 20


def test_a_tilted_volume_says_so():
    ct, masks = marked_ct("LPS")
    tilt = np.radians(12)
    direction = (1, 0, 0, 0, np.cos(tilt), -np.sin(tilt), 0, np.sin(tilt), np.cos(tilt))
    for image in (ct, *masks.values()):
        image.SetDirection(direction)
    volume = case_volume(ct, masks)
    assert volume.obliqueness_degrees == pytest.approx(12)
    page = case_page("c (L1)", volume, [pair()], NOBODY, "k", 1.0)
    assert "tilted by up to 12 degrees" in page
    assert "tilted" not in case_page("c", case_volume(*marked_ct("RAS")), [], NOBODY, "k", 1.0)


def test_too_many_masks_for_one_page():
    ct, masks = marked_ct("LPS")
    many = {f"reader {number}": masks["A"] for number in range(MOST_MASKS + 1)}
    with pytest.raises(ValueError, match="at most 8 masks, found 9"):
        case_volume(ct, many)


def test_grey_levels_are_fine_where_bone_is_judged():
    hu = np.arange(-2000, 4000)
    shown = LEVELS_HU[grey_levels(hu)]
    error = np.abs(shown - hu)
    assert len(LEVELS_HU) == 256
    assert error[(hu >= -224) & (hu <= 456)].max() <= 3
    assert error[(hu > 456) & (hu <= 1545)].max() <= 6
    assert error[(hu >= -1024) & (hu < -224)].max() <= 20
    assert (np.diff(shown) >= 0).all()
    assert (shown[0], shown[-1]) == (-1024, 1545)


def test_a_page_carries_its_volume_and_needs_nothing_else():
    volume = case_volume(*marked_ct("RAS"))
    page = case_page("c1 <i> (L1)", volume, [pair()], Neighbours("c0", "c2"), "key-1", 1.5)
    facts = json.loads(embedded(page, "facts"))
    assert facts["size"] == list(volume.levels.shape[::-1])
    shape = volume.levels.shape
    np.testing.assert_array_equal(unpacked(page, "voxels").reshape(shape), volume.levels)
    np.testing.assert_array_equal(unpacked(page, "labels").reshape(shape), volume.masks)
    assert [mask["reader"] for mask in facts["masks"]] == ["A", "B"]
    assert facts["compared"] == [0, 1]
    assert "c1 &lt;i&gt; (L1)" in page
    assert 'href="c0.html"' in page
    assert 'href="c2.html"' in page
    assert "within 1.5 mm" in page
    assert "default-src 'none'" in page
    assert not re.search(r"https?://|@import|url\(", page)
    assert page == case_page("c1 <i> (L1)", volume, [pair()], Neighbours("c0", "c2"), "key-1", 1.5)
    assert packed_text(volume.masks) == packed_text(volume.masks.copy())


def test_the_differences_marked_are_those_of_the_worst_pair_of_originals():
    ct, masks = marked_ct("LPS")
    drawn = {"A": masks["A"], "A.v2": masks["B"], "B": masks["B"], "C": masks["A"]}
    pairs = [pair("A", "B", surface=0.7), pair("A", "C"), pair("A", "A.v2", "correction", 0.1, 0.1)]
    page = case_page("c", case_volume(ct, drawn), pairs, NOBODY, "k", 1.0)
    assert json.loads(embedded(page, "facts"))["compared"] == [0, 2]
    assert "A and A.v2 (corrected)" in page
    alone = case_page("c", case_volume(ct, {"A": masks["A"]}), [], NOBODY, "k", 1.0)
    assert json.loads(embedded(alone, "facts"))["compared"] is None
    assert "Only one mask" in alone


# --- the list ----------------------------------------------------------------------------------


def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = [
        ("c1", "A", "m"), ("c1", "B", "m"), ("c2", "A", "m"), ("c2", "B", "m"), ("c2", "C", "m"),
        ("c3", "A", "m"), ("c3", "B", None), ("c4", "A", "m"), ("c4", "A.v2", "m"),
        ("c4", "B", "m"), ("c5", "A", None),
    ]  # fmt: skip
    masks = pd.DataFrame(rows, columns=["case_id", "reader", "mask"]).assign(level="L1")
    agreement = pd.DataFrame(
        [
            {"case_id": "c1", **pair(surface=0.8)},
            {"case_id": "c2", **pair("A", "B", surface=0.9)},
            {"case_id": "c2", **pair("A", "C", surface=0.5)},
            {"case_id": "c2", **pair("B", "C", surface=0.6)},
            {"case_id": "c4", **pair(surface=0.8, dice=0.7)},
            {"case_id": "c4", **pair("A", "A.v2", "correction", 0.1, 0.1)},
        ]
    )
    return masks, agreement


def test_cases_are_listed_by_disagreement():
    rows = list_cases(*tables())
    assert [row["case_id"] for row in rows] == ["c2", "c4", "c1", "c3", "c5"]
    assert [row["surface_dice"] for row in rows] == [0.5, 0.8, 0.8, None, None]
    assert rows[0]["readers"] == "A, C"
    assert rows[1]["corrected"] == "A.v2"
    assert rows[1]["dice"] == 0.7
    assert rows[3]["note"] == "mask of B not usable"
    assert (rows[3]["page"], rows[4]["page"]) == ("c3.html", None)


def test_the_list_of_a_thousand_cases_is_one_small_page():
    rows = list_cases(*tables())
    many = [{**rows[0], "case_id": f"{number:04d}-L1"} for number in range(1000)]
    page = index_page("Study & co", many, 1.0)
    assert len(page) < 400_000
    held = json.loads(embedded(page, "rows"))
    assert [row["rank"] for row in held] == list(range(1, 1001))
    assert "Study &amp; co" in page
    assert "1000 cases, 1000 of them drawn by two readers" in page


# --- the stage ---------------------------------------------------------------------------------


@pytest.fixture
def study(tmp_path):
    return study_in(tmp_path)


def study_in(folder):
    """Return store, masks, ingest and agreement of two scans with two cases each."""
    store = Store(folder / "results" / "store")
    rows, scans = [], []
    for scan in ("s1", "s2"):
        ct, masks = marked_ct("RAS" if scan == "s1" else "LPS")
        image = put_volume(store, "ct", scan, ct)
        scans.append({"scan_id": scan, "image": image, "image_hash": scan})
        for reader, mask in masks.items():
            drawn = put_volume(store, "mask", f"{scan} {reader}", mask)
            rows += [
                {
                    "case_id": f"{scan}-{level}",
                    "scan_id": scan,
                    "level": level,
                    "reader": reader,
                    "mask": drawn,
                    "mask_hash": f"{scan}{reader}",
                }
                for level in ("L1", "L2")
            ]
    masks = pd.DataFrame(rows)
    agreement = pd.DataFrame(
        [
            {"case_id": case_id, **pair(surface=0.5 + 0.1 * number)}
            for number, case_id in enumerate(sorted(masks["case_id"].unique()))
        ]
    )
    return store, masks, pd.DataFrame(scans), agreement


def write(study, folder, processes=1, **changes) -> int:
    store, masks, ingested, agreement = study
    masks, agreement = changes.get("masks", masks), changes.get("agreement", agreement)
    rows = list_cases(masks, agreement)
    return write_pages(rows, masks, ingested, agreement, store, folder, 1.0, processes)


def test_pages_are_written_once_and_again_when_something_changed(study, tmp_path):
    folder = tmp_path / "pages"
    assert write(study, folder, processes=2) == 4
    names = ["s1-L1.html", "s1-L2.html", "s2-L1.html", "s2-L2.html"]
    assert sorted(path.name for path in folder.iterdir()) == names
    before = {name: (folder / name).read_bytes() for name in names}
    assert write(study, folder) == 0
    masks = study[1].copy()
    masks.loc[(masks["case_id"] == "s1-L2") & (masks["reader"] == "B"), "mask_hash"] = "redrawn"
    assert write(study, folder, masks=masks) == 1
    (folder / "s2-L2.html").write_text("cut short")
    assert write(study, folder, masks=masks) == 1
    assert (folder / "s2-L2.html").read_bytes() == before["s2-L2.html"]
    # Without the last case its page goes, and its neighbour in the list leads nowhere any more.
    fewer = masks[masks["case_id"] != "s2-L2"]
    agreement = study[3][study[3]["case_id"] != "s2-L2"]
    assert write(study, folder, masks=fewer, agreement=agreement) == 1
    assert not (folder / "s2-L2.html").exists()
    assert "s2-L2.html" not in (folder / "s2-L1.html").read_text(encoding="utf-8")


def test_masks_beyond_what_a_page_shows_are_told(study, tmp_path):
    masks = study[1]
    one = masks[(masks["case_id"] == "s1-L1") & (masks["reader"] == "A")]
    extra = [one.assign(reader=f"A.v{number}") for number in range(2, 10)]
    rows = list_cases(pd.concat([masks, *extra]), study[3])
    assert rows[0]["note"] == "2 masks beyond 8 not shown"
    write(study, tmp_path / "pages", masks=pd.concat([masks, *extra]))
    page = (tmp_path / "pages" / "s1-L1.html").read_text(encoding="utf-8")
    assert len(json.loads(embedded(page, "facts"))["masks"]) == MOST_MASKS


def command_options(study, tmp_path, processes=1) -> argparse.Namespace:
    store, masks, ingested, agreement = study
    frozen = tmp_path / "study"
    frozen.mkdir(exist_ok=True)
    config = {
        "study": "s",
        "title": None,
        "results": str(store.root.parent),
        "agreement": {"surface_tolerance_mm": 1.0},
    }
    (frozen / "study.yaml").write_text(yaml.safe_dump(config))
    given = {"masks": masks, "ingest": ingested, "agreement": agreement}
    for (name, table), schema in zip(given.items(), (Masks, Ingest, Agreement), strict=True):
        write_table(filled(schema, table), tmp_path / f"{name}.parquet")
    return argparse.Namespace(
        study=frozen,
        out=tmp_path / "readers" / "index.html",
        processes=processes,
        **{name: tmp_path / f"{name}.parquet" for name in given},
    )


def test_the_command_writes_list_and_pages(study, tmp_path):
    options = command_options(study, tmp_path)
    viewer.main(options)
    names = sorted(path.name for path in options.out.parent.iterdir())
    assert names == ["index.html", "s1-L1.html", "s1-L2.html", "s2-L1.html", "s2-L2.html"]
    rows = json.loads(embedded(options.out.read_text(encoding="utf-8"), "rows"))
    assert [row["page"] for row in rows] == names[1:]


def test_no_process_at_all_is_refused(study, tmp_path):
    options = command_options(study, tmp_path, processes=0)
    with refusal("processes-too-few", StudyError):
        viewer.main(options)
    assert not options.out.parent.exists()


# --- in a browser ------------------------------------------------------------------------------

#: Waits for the page, runs `act`, and leaves what it returns as the page's text.
PROBE = """<script>
const wait = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
const view = (name) => document.querySelector("#" + name + " canvas");
const place = (name) => document.querySelector("#" + name + " .place").textContent;
function centre(name, grey) {
  const canvas = view(name), { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  let count = 0, x = 0, y = 0;
  for (let i = 0; i < data.length; i += 4) {
    const same = Math.abs(data[i] - data[i + 1]) + Math.abs(data[i] - data[i + 2]) < 4;
    if (!same || Math.abs(data[i] - grey) > 2) continue;
    count += 1; x += (i / 4) % width; y += Math.floor(i / 4 / width);
  }
  // Less than a hundredth of the picture is the blurred rim of a brighter mark.
  return count < 0.01 * width * height ? null : [x / count / width, y / count / height];
}
function coloured(name, colour) {
  const canvas = view(name);
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let i = 0; i < data.length; i += 4)
    if (colour.every((value, j) => Math.abs(data[i + j] - value) < 12)) count += 1;
  return count;
}
async function act() { ACT }
// No timer: under virtual time it would use up the budget before the volume is unpacked.
const watcher = new MutationObserver(async () => {
  watcher.disconnect();
  const result = JSON.stringify(await act().catch(String));
  document.body.innerHTML = "<pre id='probe'></pre>";
  document.getElementById("probe").textContent = result;
});
watcher.observe(document.documentElement, { attributeFilter: ["data-ready"] });
</script></body>"""


def in_browser(page: str, act: str, tmp_path):
    """Open a page from a file in a browser without a window, and return what `act` returns."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs a Chromium to draw the page in")
    path = tmp_path / "page.html"
    # A browser that only prints the page draws no frames, and so would never ask for one.
    frames = "<script>window.requestAnimationFrame = (act) => setTimeout(act, 0);</script></head>"
    page = page.replace("</head>", frames).replace("</body>", PROBE.replace("ACT", act))
    path.write_text(page, encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1300,900"]
    options += ["--virtual-time-budget=8000", f"--user-data-dir={tmp_path / 'profile'}"]
    done = subprocess.run(
        [chromium, *options, "--dump-dom", path.as_uri()],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    found = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.S)
    assert found, done.stdout[-500:] + done.stderr[-500:]
    return json.loads(html.unescape(found[1]))


def grey_of(hu: float) -> float:
    """Return the grey value of the first window, centre 400 and width 1800."""
    return (hu + 500) / 1800 * 255


@pytest.mark.parametrize("orientation", ["LPS", "RAS", "PIR", "SAL"])
def test_a_browser_draws_right_at_the_left_and_the_head_up(orientation, tmp_path):
    page = case_page("c", case_volume(*marked_ct(orientation)), [pair()], NOBODY, "k", 1.0)
    marks = {"left": LEFT, "back": BACK, "head": HEAD}
    greys = json.dumps({name: grey_of(hu) for name, hu in marks.items()})
    act = f"""const greys = {greys}, found = {{}};
      for (const name of ["axial", "sagittal", "coronal"]) {{
        found[name] = {{}};
        for (const mark in greys) found[name][mark] = centre(name, greys[mark]);
      }}
      return found;"""
    found = in_browser(page, act, tmp_path)
    # The middle of a mark of voxels 30 to 35 of 40 lies at 0.825, that of 16 to 23 at 0.5.
    expected = {
        "axial": {"left": [0.825, 0.5], "back": [0.5, 0.825], "head": None},
        "sagittal": {"left": None, "back": [0.825, 0.5], "head": [0.5, 0.175]},
        "coronal": {"left": [0.825, 0.5], "back": None, "head": [0.5, 0.175]},
    }
    for name, marks in expected.items():
        for mark, place in marks.items():
            if place is None:
                assert found[name][mark] is None, (name, mark)
            else:
                assert found[name][mark] == pytest.approx(place, abs=0.02), (name, mark)


def test_wheel_keys_slider_click_and_windows_work(tmp_path):
    page = case_page("c", case_volume(*marked_ct("LPS")), [pair()], NOBODY, "k", 1.0)
    act = """const told = [["axial", "sagittal", "coronal"].map(place)];
      const canvas = view("axial"), box = canvas.getBoundingClientRect();
      const tell = async () => {
        await wait();
        told.push(["axial", "sagittal", "coronal"].map(place));
      };
      canvas.dispatchEvent(new WheelEvent("wheel", { deltaY: -100, cancelable: true }));
      await tell();
      canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "PageDown", bubbles: true }));
      await tell();
      const slider = document.querySelector("#coronal input");
      slider.value = 3; slider.dispatchEvent(new Event("input"));
      await tell();
      const at = { button: 0 };
      at.clientX = box.left + 0.76 * box.width;
      at.clientY = box.top + 0.26 * box.height;
      canvas.dispatchEvent(new PointerEvent("pointerdown", at));
      await tell();
      const orange = [coloured("axial", [230, 159, 0])];
      document.dispatchEvent(new KeyboardEvent("keydown", { key: "h" }));
      await wait(); orange.push(coloured("axial", [230, 159, 0]));
      document.dispatchEvent(new KeyboardEvent("keydown", { key: "h" }));
      document.dispatchEvent(new KeyboardEvent("keydown", { key: "2" }));
      await wait(); orange.push(coloured("axial", [230, 159, 0]));
      const buttons = [...document.querySelectorAll("#windows button")];
      const pressed = buttons.map((button) => button.getAttribute("aria-pressed"));
      document.getElementById("jump").click();
      await tell();
      return { told, orange, pressed, here: document.getElementById("here").textContent };"""
    found = in_browser(page, act, tmp_path)
    assert found["told"] == [
        ["21 of 40", "21 of 40", "21 of 40"],
        ["22 of 40", "21 of 40", "21 of 40"],
        ["17 of 40", "21 of 40", "21 of 40"],
        ["17 of 40", "21 of 40", "4 of 40"],
        ["17 of 40", "31 of 40", "11 of 40"],
        # Readers differ in x 14 and 26 and, alike, in all of y and z 14 to 25: the first of each.
        ["15 of 40", "15 of 40", "15 of 40"],
    ]
    assert found["orange"][0] > 100
    assert found["orange"][1] == 0
    assert found["orange"][2] > 100
    assert found["pressed"] == ["false", "true", "false"]
    assert "at 4.0, 34.0, -286.0 mm (LPS)" in found["here"]
    assert "inside A ·" in found["here"]


def test_the_list_is_filtered_sorted_and_paged(tmp_path):
    rows = list_cases(*tables())
    many = [
        {
            **rows[0],
            "case_id": f"{number:04d}-L1",
            "dice": number / 1000,
            "level": f"L{1 + number % 5}",
        }
        for number in range(1000)
    ]
    act = """const told = {};
      const all = (what) => [...document.querySelectorAll(what)];
      const lines = () => all("#cases tbody tr").map((line) => line.children[1].textContent);
      const byDice = () => all("#cases th button").find((b) => b.textContent === "Dice").click();
      told.first = lines();
      [...document.querySelectorAll("#pages button")].pop().click();
      told.second = lines()[0];
      byDice();
      byDice();
      told.best = lines()[0];
      document.getElementById("level").value = "L3";
      document.getElementById("filter").dispatchEvent(new Event("input"));
      told.level = document.getElementById("found").textContent;
      document.getElementById("text").value = "0007-";
      document.getElementById("filter").dispatchEvent(new Event("input"));
      told.text = lines();
      document.getElementById("text").value = "0008-";
      document.getElementById("filter").dispatchEvent(new Event("input"));
      told.none = lines();
      return told;"""
    later = "setTimeout(() => { document.documentElement.dataset.ready = 'yes'; })"
    page = index_page("S", many, 1.0).replace("</body>", f"<script>{later}</script></body>")
    found = in_browser(page, act, tmp_path)
    assert len(found["first"]) == 100
    assert found["first"][0] == "0000-L1"
    assert found["second"] == "0100-L1"
    assert found["best"] == "0999-L1"
    assert found["level"] == "200 of 1000 cases"
    assert found["text"] == ["0007-L1"]
    assert found["none"] == []


def test_a_damaged_page_says_so(tmp_path):
    page = case_page("c", case_volume(*marked_ct("LPS")), [pair()], NOBODY, "k", 1.0)
    voxels = embedded(page, "voxels")
    later = "setTimeout(() => { document.documentElement.dataset.ready = 'yes'; }, 600)"
    cut = page.replace(voxels, packed_text(np.zeros(7, np.uint8)))
    cut = cut.replace("</body>", f"<script>{later}</script></body>")
    found = in_browser(cut, 'return document.getElementById("message").textContent;', tmp_path)
    assert found == "The page cannot be shown: the volume is not whole. Make it again."
