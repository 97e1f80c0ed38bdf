"""The stage of example images writes pixels alone, of files that pass once more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline.core.files import file_hash, read_table
from pipeline.example_images import write_example_images
from pipeline.study.example_figures import figures_of
from pipeline.study.study import write_study
from pipeline.tables.schemas.example_images import ExampleImages
from tests.support.clinical_study import clinical_study, write_clinical
from tests.support.commands import run_here
from tests.support.dicom_files import CANARY
from tests.support.example_pictures import SQUARE, body, figure_with, write_pictures
from tests.support.refusals import refusal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_clinical(tmp_path)
    write_pictures(tmp_path / "pictures")
    return tmp_path


def figures(folder: Path) -> list[dict]:
    pictures = folder / "pictures"
    two = figure_with(pictures, mask="before-mask.png")
    more = {"image": "slice.dcm", "caption": "L1, 30 days later", "polygon": SQUARE}
    two["panels"] += figure_with(pictures, **more)["panels"]
    return [two, figure_with(pictures, image="colours.png", letter="X")]


def test_the_stage_writes_table_and_pixels(folder: Path) -> None:
    study = clinical_study(folder, figures=figures(folder))
    write_study(study, folder / "study")
    out = folder / "out"
    done = run_here("pipeline.example_images", "--study", folder / "study", "--out", out)
    assert done.returncode == 0, done.stderr
    table = read_table(out / "example_images.parquet", ExampleImages)
    assert table[["figure", "panel", "letter"]].to_numpy().tolist() == [
        [1, 1, "A"], [1, 2, "B"], [2, 1, "X"],
    ]  # fmt: skip
    first, second, _ = table.itertuples()
    assert first.image_sha256 == file_hash(folder / "pictures/before.png")
    assert first.mask_sha256 == file_hash(folder / "pictures/before-mask.png")
    assert (second.kind, second.modality, second.low, second.high) == ("DICOM", "CT", -500, 1300)
    assert (second.row_mm, second.column_mm) == (0.5, 0.75)
    assert second.polygon == "20.0,20.0 60.0,20.0 60.0,50.0"
    assert {path.name for path in out.glob("*.png")} == {
        *("1-1.png", "1-1-mask.png", "1-2.png", "2-1.png"),
    }
    with Image.open(out / "1-1.png") as image:
        assert image.info == {}  # not even the name of the program that wrote the file
        np.testing.assert_array_equal(np.asarray(image), body()[0])
    held = b"".join(path.read_bytes() for path in out.iterdir())
    assert CANARY.encode() not in held
    assert b"before.png" not in held


def test_the_same_files_give_the_same_bytes(folder: Path) -> None:
    given = figures_of(figures(folder))
    for name in ("first", "second"):
        write_example_images(given, folder / name)
    for path in (folder / "first").iterdir():
        assert path.read_bytes() == (folder / "second" / path.name).read_bytes()


def test_a_file_that_changed_since_is_searched_again(folder: Path) -> None:
    given = figures_of(figures(folder))
    (folder / "pictures/before.png").write_bytes((folder / "pictures/comment.png").read_bytes())
    with refusal("example-text-identifies", match="figure 1, panel 1"):
        write_example_images(given, folder / "out")
    assert not (folder / "out").exists()


def test_a_study_is_refused_before_anything_is_written(folder: Path) -> None:
    bad = figure_with(folder / "pictures", image="named.dcm")
    with refusal("example-header-identifies", match="PatientName"):
        clinical_study(folder, figures=[bad])
    assert not (folder / "results").exists()


@pytest.mark.parametrize(
    ("figure", "told"),
    [
        ({"title": "A", "panels": []}, "panels: \\[\\{image"),
        ({"title": "A"}, "`panels` must be given"),
        ({"panels": [{"image": "a.png", "caption": "b"}]}, "`title` must be given"),
        ({"title": "A", "panels": [{"image": "a.png"}]}, "`caption` must be given"),
        (
            {"title": "A", "panels": [{"image": "a.png", "caption": "b", "polygon": [[1, 2]]}]},
            "polygon: \\[\\[120, 80\\]",
        ),
        (
            {"title": "A", "panels": [{"image": "a.png", "caption": "b", "cut": [1, 2]}]},
            "cut: \\[0, 40, 0, 0\\]",
        ),
    ],
)
def test_wrong_options_are_told(figure: dict, told: str, folder: Path) -> None:
    code = "option-missing" if "given" in told else "option-value-invalid"
    with refusal(code, match=told):
        clinical_study(folder, figures=[figure])


def test_the_rules_name_the_files_without_a_library_of_images(repository: Path) -> None:
    code = "import sys\nfrom pipeline.study.example_figures import figures_of, files_of\n"
    code += "panel = {'image': 'a.png', 'caption': 'b'}\n"
    code += "print(files_of(figures_of([{'title': 'A', 'panels': [panel]}])))\n"
    code += "assert not {'SimpleITK', 'pydicom', 'PIL', 'matplotlib'} & set(sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "a.png" in done.stdout


def test_the_copy_for_people_says_what_is_shown(folder: Path) -> None:
    write_example_images(figures_of(figures(folder)), folder / "out")
    table = pd.read_csv(folder / "out/example_images.csv")
    assert table["caption"].tolist() == [
        *("L1 before surgery", "L1, 30 days later", "L1 before surgery"),
    ]
