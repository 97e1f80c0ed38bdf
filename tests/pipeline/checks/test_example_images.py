"""Example images are read as people see them, and refused where they may say who a patient is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from pipeline.checks.example_images import ShownPanel, check_figures, shown_figures
from pipeline.core.errors import StudyError
from pipeline.core.problems import Problems
from pipeline.study.example_figures import figures_of, files_of, letters_of
from tests.support.dicom_files import CANARY
from tests.support.example_pictures import (
    POSITION,
    REFUSED,
    SHAPE,
    SQUARE,
    body,
    figure_with,
    with_letters,
    write_pictures,
)
from tests.support.refusals import codes_of, refusal


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    write_pictures(folder)
    return folder


def shown(folder: Path, **panel: object) -> ShownPanel:
    ((only,),) = shown_figures(figures_of([figure_with(folder, **panel)]))
    return only


def checked(figures: list[dict]) -> Problems:
    problems = Problems("the study")
    check_figures(figures_of(figures), problems)
    return problems


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str, pictures: Path) -> None:
    case = REFUSED[name]
    with pytest.raises(StudyError) as told:
        checked([figure_with(pictures, **case.bad)]).raise_if_any()
    assert codes_of(told.value) == {case.code}
    assert case.told in str(told.value)
    assert "figure 1, panel 1" in str(told.value)
    for said in (CANARY, "Synthetica", "Maria", "03.02.2021"):
        assert said not in str(told.value)


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_remedy_gives_is_shown(name: str, pictures: Path) -> None:
    assert not checked([figure_with(pictures, **REFUSED[name].good)])
    assert shown(pictures, **REFUSED[name].good).pixels.dtype == np.uint8


def test_everything_is_told_at_once(pictures: Path) -> None:
    two = figure_with(pictures, image="gone.png")
    two["panels"] += figure_with(pictures, image="comment.png", letter="A")["panels"]
    two["title"] = "Maria Synthetica"
    problems = checked([figure_with(pictures), two])
    told = [(error.code, error.where) for error in problems.errors]
    assert told == [
        ("example-letters-twice", "config key figures, figure 2"),
        ("example-caption-identifies", "config key figures, figure 2, key title"),
        ("example-image-missing", "config key figures, figure 2, panel 1, key image"),
        ("example-text-identifies", "config key figures, figure 2, panel 2, key image"),
    ]


def test_a_png_is_shown_as_it_is(pictures: Path) -> None:
    panel = shown(pictures, mask="before-mask.png", cut=[1, 2, 3, 4])
    grey, mask = body()
    np.testing.assert_array_equal(panel.pixels, grey[2:-4, 1:-3])
    np.testing.assert_array_equal(panel.mask, mask[2:-4, 1:-3])
    assert (panel.window, panel.spacing, panel.kind) == (None, None, "PNG")
    assert shown(pictures, image="colours.png").pixels.shape == (*SHAPE, 3)


def test_a_png_of_16_bits_is_shown_between_its_ends(pictures: Path) -> None:
    panel = shown(pictures, image="depth.png")
    low, high = np.percentile(body()[0].astype(float) * 200, [1, 99])
    assert panel.window == pytest.approx((low, high))
    assert (panel.pixels.min(), panel.pixels.max()) == (0, 255)


def test_a_slice_of_ct_is_shown_in_the_window_of_bone(pictures: Path) -> None:
    panel = shown(pictures, image="slice.dcm")
    hu = dcmread(pictures / "slice.dcm").pixel_array - 1024.0
    expected = np.round(255 * np.clip((hu + 500) / 1800, 0, 1))
    np.testing.assert_array_equal(panel.pixels, expected)
    assert (panel.window, panel.spacing) == ((-500, 1300), (0.5, 0.75))
    assert (panel.kind, panel.modality) == ("DICOM", "CT")
    asked = shown(pictures, image="slice.dcm", window=[100, 400])
    np.testing.assert_array_equal(asked.pixels, np.round(255 * np.clip((hu + 100) / 400, 0, 1)))


def test_inverted_grey_values_are_shown_bright_where_they_are_low(pictures: Path) -> None:
    plain, inverted = (shown(pictures, image=f"{name}.dcm") for name in ("slice", "inverted"))
    assert plain.window == inverted.window
    assert (plain.pixels.astype(int) + inverted.pixels).max() <= 256
    assert (plain.pixels.astype(int) + inverted.pixels).min() >= 255 - 1


def test_another_modality_is_shown_between_its_ends(pictures: Path) -> None:
    panel = shown(pictures, image="mr.dcm")
    assert panel.window == pytest.approx(
        tuple(np.percentile(body()[0] * 5.0 + 900 - 1024, [1, 99]))
    )
    assert panel.modality == "MR"


def test_a_mask_in_the_space_of_a_slice_is_cut_through(pictures: Path) -> None:
    panel = shown(pictures, image="slice.dcm", mask="slice-mask.nrrd")
    np.testing.assert_array_equal(panel.mask, body()[1])
    assert POSITION[2] == 33.0  # the middle one of its three slices


def test_corners_count_from_what_is_shown(pictures: Path) -> None:
    panel = shown(pictures, polygon=SQUARE, cut=[10, 5, 0, 0])
    assert panel.polygon == ((10.0, 15.0), (50.0, 15.0), (50.0, 45.0))


def test_letters_are_given_in_order_or_by_the_study(pictures: Path) -> None:
    panels = [figure_with(pictures, letter=letter)["panels"][0] for letter in (None, "X", None)]
    (figure,) = figures_of([{"title": "A vertebra", "panels": panels}])
    assert letters_of(figure.panels) == ["A", "X", "C"]


def test_files_are_named_without_reading_them() -> None:
    figures = figures_of([figure_with(Path("gone"), image="a.png", mask="b.png")])
    assert files_of(figures) == [Path("gone/a.png"), Path("gone/b.png")]


@pytest.mark.parametrize(
    "caption",
    [
        "Sagittal CT of L1, bone window",
        "Cobb Angle of 12 degrees; Genant grade 2",
        "Before (left) and 30 days after surgery",
        "T12, L1 and L2",
        "Schmorl node, Modic type 2",
        "Axial T2 image at L4/5",
    ],
)
def test_a_caption_of_a_finding_is_let_pass(caption: str, pictures: Path) -> None:
    assert not checked([figure_with(pictures, caption=caption)])


@pytest.mark.parametrize(
    "caption",
    [
        "MRI of Mrs. Synthetica",
        "Synthetica^Canary",
        "Patient 0073194, L1",
        "canary@example.org",
        "Anna Synthetica",
        "As seen by Anna Synthetica: L1",
        "operated on 2021-02-03",
    ],
)
def test_a_caption_that_names_somebody_is_not(caption: str, pictures: Path) -> None:
    problems = checked([figure_with(pictures, caption=caption)])
    assert [error.code for error in problems.errors] == ["example-caption-identifies"]
    assert caption not in str(problems.errors[0])


def test_a_pseudonym_in_a_header_is_let_pass(pictures: Path) -> None:
    one = dcmread(pictures / "slice.dcm")
    one.PatientID = one.PatientName = "P001"
    one.save_as(pictures / "pseudonym.dcm")
    assert shown(pictures, image="pseudonym.dcm").kind == "DICOM"


def test_letters_were_looked_at_in_one_picture_and_in_no_other(pictures: Path) -> None:
    figure = figure_with(pictures, image="letters.png", letters="looked_at")
    told = figure["panels"][0]["letters"]
    assert not checked([figure])
    grey, _ = body(5)
    path = pictures / "letters.png"
    before = path.read_bytes()
    Image.fromarray(with_letters(grey, "Dr. Synthetica, room 12")).save(path)
    with refusal("example-letters-burned-in", StudyError) as caught:
        checked([figure]).raise_if_any()
    assert f"{told} is of another content of the file" in str(caught.value)
    assert str(caught.value).count(told) == 1
    path.write_bytes(before)
    assert not checked([figure])
