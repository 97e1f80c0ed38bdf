"""Chance: at the size of a study it brings no alarm, and what is planted is found."""

from __future__ import annotations

import base64
import json

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st

from intake.identity.byte_search import Search
from intake.identity.chance import Model, bits_needed, inside_run
from intake.phi_scan import scan, summary
from pipeline.imaging.dicom.dicom_identity import Identity
from tests.support.identities import (
    found,
)


def many_patients(count: int = 150, seed: int = 0) -> list[Identity]:
    """Return names of 4 to 8 letters, ids of 6 to 9 digits and days of `count` drawn patients."""
    rng = np.random.default_rng(seed)
    letters = "abcdefghijklmnopqrstuvwxyz"

    def word(length):
        return "".join(rng.choice(list(letters), length)).title()

    drawn = []
    for _ in range(count):
        name = f"{word(rng.integers(4, 9))}^{word(rng.integers(4, 9))}"
        number = "".join(map(str, rng.integers(1, 10, rng.integers(6, 10))))
        drawn += [Identity("name", "n", name), Identity("id", "i", number)]
        drawn.append(Identity("date", "d", f"{rng.integers(1930, 2000)}0{rng.integers(1, 10)}11"))
    return drawn


def smooth_ct(rng, shape=(40, 256, 256)) -> np.ndarray:
    """Return soft tissue as a CT of 16 bits has it: 50 HU, noise of 6 HU that neighbours share."""
    noise = rng.normal(0, 12, shape)
    for axis in range(3):
        noise = (noise + np.roll(noise, 1, axis)) / 2
    return np.rint(60 + 2 * noise).astype("<i2")


def test_chance_brings_no_alarm_at_the_size_of_a_study(tmp_path):
    """Voxels of 8, 16 and 32 bits, packed bytes, base64, hashes and tables of measurements."""
    rng = np.random.default_rng(3)
    search = Search(many_patients())
    ct = smooth_ct(rng)
    noise = rng.integers(0, 256, 8_000_000, dtype=np.uint8).tobytes()
    (tmp_path / "ct.nrrd").write_bytes(
        b"NRRD0004\ntype: short\ndimension: 3\nsizes: 256 256 40\nencoding: raw\n\n" + ct.tobytes()
    )
    np.save(tmp_path / "grey.npy", np.clip(ct, 0, 255).astype(np.uint8))
    np.save(tmp_path / "crop.npy", ct.astype(np.float32) / 7)
    (tmp_path / "noise").write_bytes(noise)
    (tmp_path / "page.html").write_bytes(
        b"<img src='data:;base64," + base64.b64encode(noise) + b"'>"
    )
    digests = [noise[at : at + 32].hex() for at in range(0, 640_000, 32)]
    (tmp_path / "digests.txt").write_text("\n".join(digests))
    table = pd.DataFrame(rng.lognormal(13, 1, (300, 300)))
    table.columns = [f"f{number}" for number in range(300)]
    table.to_csv(tmp_path / "table.csv")
    table.round().to_parquet(tmp_path / "whole.parquet")
    assert found(tmp_path, search) == set()


PLANTED = "Kanarienvogel Synthetica"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
@pytest.mark.parametrize("kind", ["zeros", "noise", "ct", "grey"])
def test_a_name_among_voxels_is_found(tmp_path, kind, encoding):
    rng = np.random.default_rng(5)
    data = {
        "zeros": np.zeros(400_000, np.uint8),
        "noise": rng.integers(0, 256, 4_000_000, dtype=np.uint8),
        "ct": smooth_ct(rng, (8, 128, 128)).view(np.uint8).ravel(),
        "grey": np.clip(smooth_ct(rng, (8, 128, 128)), 0, 255).astype(np.uint8).ravel(),
    }[kind].copy()
    planted = Identity("name", "x", "KANARIENVOGEL^SYNTHETICA")
    search = Search([*many_patients(20), planted])
    np.save(tmp_path / "a.npy", data)
    assert found(tmp_path, search) == set()
    text = np.frombuffer(PLANTED.encode(encoding), np.uint8)
    data[1000 : 1000 + len(text)] = text
    np.save(tmp_path / "a.npy", data)
    assert found(tmp_path, search) == {("name", "x")}


def test_grey_values_that_are_six_digits_by_chance_are_told_as_such(tmp_path):
    rng = np.random.default_rng(1)
    voxels = np.rint(rng.normal(40, 15, 40_000)).astype("<i2")
    voxels[500:506] = [ord(one) for one in "731942"]
    np.save(tmp_path / "a.npy", voxels)
    search = Search([*many_patients(30), Identity("id", "x", "731942")])
    outcome = scan([tmp_path], search)
    assert not outcome.leaks
    assert outcome.chance > 0
    assert "matches in binary data are what chance brings" in summary(outcome, 1, [])


WORDS_OF_FORMATS = ("Creator", "Library", "Field", "Block", "Page", "Strong", "Small", "Anchor",
                    "Helvetica", "Geneva", "Avant", "Fisher", "Encoding", "Superior", "Legend",
                    "Hausdorff", "Severity", "Execute")  # fmt: skip


def write_as_programs_do(folder) -> None:
    """Write what libraries and this program write, with nobody's name in it."""
    import matplotlib
    import matplotlib.pyplot as plt

    matplotlib.use("agg")
    folder.mkdir()
    table = pd.DataFrame({"case_id": ["P001"], "reader": ["A"], "hausdorff95_mm": [1.5]})
    table.to_parquet(folder / "plain.parquet")
    table.set_index("case_id").to_parquet(folder / "index.parquet")
    figure, axes = plt.subplots()
    axes.plot([0, 1], label="one")
    axes.legend()
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        figure.savefig(folder / "1.svg")
    figure.savefig(folder / "1.png")
    plt.close(figure)
    sitk.WriteImage(sitk.Image([4, 4, 4], sitk.sitkInt16), str(folder / "1.nrrd"), True)
    finding = json.dumps([{"severity": "warning", "message": "m", "remedy": "r"}])
    pd.DataFrame({"findings": [finding]}).to_csv(folder / "findings.csv")
    (folder / "1.html").write_text(
        "<p>Fisher&#39;s exact test <strong>2</strong> <small>3</small></p>"
    )


@pytest.mark.parametrize("word", WORDS_OF_FORMATS)
def test_a_person_called_like_a_word_of_a_format_is_no_alarm_there_and_one_elsewhere(
    tmp_path, word
):
    search = Search([Identity("name", "(0010,0010)", f"{word}^Canaryne")])
    write_as_programs_do(tmp_path / "clean")
    outcome = scan([tmp_path / "clean"], search)
    assert not outcome.leaks, summary(outcome, 1, [])
    texts = (f"drawn by {word} in March", word, f'{{"surgeon": "{word}"}}', f"P001,{word},1",
             f"<td>{word}</td>", f"{word}, Canaryne", f"segment {word} L1")  # fmt: skip
    for text in texts:
        (tmp_path / "leak.txt").write_text(text)
        assert scan([tmp_path / "leak.txt"], search).leaks, text
    pd.DataFrame({"surgeon": [word], "x": [1]}).to_parquet(tmp_path / "leak.parquet")
    assert scan([tmp_path / "leak.parquet"], search).leaks
    pd.DataFrame({f"seen_by_{word}": [1]}).to_parquet(tmp_path / "leak.parquet")
    assert scan([tmp_path / "leak.parquet"], search).leaks


def test_an_own_word_stays_it_where_tags_and_line_breaks_are_taken_out(tmp_path):
    search = Search([Identity("name", "x", "Fisher^Canaryne")])
    (tmp_path / "a.html").write_text("<td>a</td><td>Fisher's exact test</td><td>b</td>")
    assert not scan([tmp_path], search).leaks
    (tmp_path / "a.html").write_text("<td>Fisher's exact test</td><td>Fis<b>her</b> came</td>")
    assert scan([tmp_path], search).leaks


def test_four_letters_in_base64_are_no_name_and_in_a_path_they_are(tmp_path):
    search = Search([*many_patients(30), Identity("name", "x", "Kern^Test")])
    run = base64.b64encode(np.random.default_rng(2).bytes(90)).decode()
    (tmp_path / "a.html").write_text(f"src='{run}/KerN+{run}'")
    assert found(tmp_path, search) == set()
    for text in (
        "/data/hospital/images/of/Kern/and/others/of/the/same/ward",
        "a Kern b", f"{run} Kern",
    ):  # fmt: skip
        (tmp_path / "a.html").write_text(text)
        assert found(tmp_path, search) == {("name", "x")}, text


def test_a_column_of_ids_is_found_among_measurements(tmp_path):
    ids = [f"7{number:05d}" for number in range(31942, 31992)]
    search = Search([Identity("id", "x", one) for one in ids])
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"energy": np.round(rng.lognormal(13, 0.3, 50))})
    table.loc[7, "energy"] = float(ids[3])
    table.to_parquet(tmp_path / "a.parquet")
    assert found(tmp_path, search) == set()
    table["who"] = [float(one) for one in ids]
    table.to_parquet(tmp_path / "a.parquet")
    assert found(tmp_path, search) == {("id", "x")}


@given(st.integers(1, 10**7), st.integers(1, 10**12))
def test_less_than_one_scan_in_a_thousand_has_a_chance_hit(needles, size):
    bits = bits_needed(needles, size)
    assert needles * size * 2**-bits <= 1.001e-3


def test_bits_are_those_of_the_data():
    rng = np.random.default_rng(0)
    noise = Model(rng.integers(0, 256, 1_000_000, dtype=np.uint8).tobytes().lower())
    assert 54 < noise.bits(b"synthetic") <= 9 * 8  # two cases a letter
    tissue = Model(smooth_ct(rng, (8, 128, 128)).tobytes().lower())
    digits = "731942".encode("utf-16-le")
    assert tissue.bits(digits) < 36 < noise.bits(digits)
    assert not inside_run(b"a word of letters", 2, 6)
