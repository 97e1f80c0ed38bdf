"""The section of example images: a figure with letters, outlines, captions and hashes."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from pipeline.example_images import write_example_images
from pipeline.reporting.blocks import Figure
from pipeline.reporting.figures.printing import keeping_copies
from pipeline.reporting.result_files import read_examples
from pipeline.reporting.sections.examples import examples_section
from pipeline.reporting.sections.provenance import _examples
from pipeline.study.example_figures import figures_of
from tests.support.example_pictures import SQUARE, body, figure_with, write_pictures
from tests.support.refusals import refusal


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("examples")
    write_pictures(folder)
    two = figure_with(folder, mask="before-mask.png") | {"columns": 2}
    more = {"image": "slice.dcm", "caption": "L1, 30 days later.", "polygon": SQUARE}
    two["panels"] += figure_with(folder, **more)["panels"]
    alone = figure_with(folder, image="colours.png")
    write_example_images(figures_of([two, alone]), folder / "example_images")
    return SimpleNamespace(examples=read_examples(folder), folder=folder)


def figures(results: SimpleNamespace) -> list[Figure]:
    first, *drawn = examples_section(results).blocks
    assert first.text.startswith("The authors chose these images to illustrate.")
    return drawn


def test_a_study_without_figures_has_no_section() -> None:
    assert examples_section(SimpleNamespace(examples=[])).blocks == []


def test_captions_say_what_is_seen(results: SimpleNamespace) -> None:
    two, alone = figures(results)
    assert two.caption == (
        "A vertebra. (A) L1 before surgery. (B) L1, 30 days later. Grey values −500 to 1300 HU. "
        "Yellow: outline of the region. White bar: a scale, with its length."
    )
    assert two.alt.startswith("2 example images: A vertebra. (A) L1 before surgery. (B)")
    assert alone.caption == "A vertebra. (A) L1 before surgery."
    assert (two.name, alone.name) == ("example-images-1", "example-images-2")


def test_the_drawing_holds_pixels_letters_and_outlines(results: SimpleNamespace) -> None:
    two, alone = figures(results)
    letters = re.findall(r">([AB]|\d+ mm)</text>", two.svg)
    assert letters == ["A", "B", "20 mm"]
    assert two.svg.count("#ffd43b") == 2  # the mask of one, the polygon of the other
    assert "#ffd43b" not in alone.svg
    assert "mm</text>" not in alone.svg
    (first, _) = re.findall(r'href="data:image/png;base64,([^"]+)"', two.svg)
    with Image.open(io.BytesIO(base64.b64decode(first))) as image:
        drawn = np.asarray(image.convert("L"))
    grey = body()[0]
    # As stored, whichever way up the drawing has it.
    assert any(np.array_equal(one, grey) for one in (drawn, drawn[::-1]))


def test_the_paper_gets_copies_to_print(results: SimpleNamespace) -> None:
    with keeping_copies() as copies:
        figures(results)
    ends = {".svg", ".pdf", "-300dpi.png", "-600dpi.png"}
    assert set(copies["example-images-1"]) == {f"two-columns{end}" for end in ends}
    assert {f"one-column{end}" for end in ends} <= set(copies["example-images-2"])
    with Image.open(io.BytesIO(copies["example-images-1"]["two-columns-600dpi.png"])) as image:
        assert image.width == pytest.approx(7.2 * 600, abs=1)


def test_provenance_has_the_hash_of_each_file(results: SimpleNamespace) -> None:
    rows = _examples(results)
    assert [row[:2] for row in rows] == [
        ["figure 1 of example images, A", "example image"],
        ["figure 1 of example images, A", "example mask"],
        ["figure 1 of example images, B", "example image"],
        ["figure 2 of example images, A", "example image"],
    ]
    assert all(re.fullmatch("[0-9a-f]{64}", row[2]) for row in rows)


def test_a_picture_that_is_gone_is_an_error(results: SimpleNamespace, tmp_path: Path) -> None:
    with refusal("report-result-missing", match=r"example_images\.parquet"):
        read_examples(tmp_path)
