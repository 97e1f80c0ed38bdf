"""The report of a study with images: pictures, features against PyRadiomics, corrected masks."""

from __future__ import annotations

import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from pipeline.core.files import write_table
from pipeline.core.table_schema import types_of
from pipeline.reporting.blocks import Figure, Paragraph, Table
from pipeline.reporting.reading_results import read_results
from pipeline.reporting.sections.images import readers as sections_readers
from pipeline.reporting.sections.images.concordance import concordance_section
from pipeline.reporting.sections.images.imaging import images_section
from pipeline.reporting.sections.images.readers import agreement_section
from pipeline.reporting.study_report import build_sections
from pipeline.tables.schemas.images.resample import Resample
from tests.support.refusals import refusal
from tests.support.report_study import (
    CANARY,
    PIXEL,
    Page,
    change,
    correct_a_mask,
    find,
    headings,
    report_of,
    run_command,
    without_hashes,
)


def test_page_needs_nothing_from_outside(imaging_text):
    text, parsed = imaging_text, Page(imaging_text)
    for reference in [*parsed.values("src"), *parsed.values("href"), *parsed.values("xlink:href")]:
        assert reference.startswith(("#", "data:"))
    assert not re.search(r"@import|url\((?!#)", text)
    # Names of XML's own vocabularies are the only addresses.
    assert set(re.findall(r"https?://[^\s\"'<]+", text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }


def test_figures_and_pictures_have_words(imaging_text):
    parsed = Page(imaging_text)
    assert all(attrs.get("alt") for tag, attrs in parsed.tags if tag == "img")
    drawings = [attrs for tag, attrs in parsed.tags if tag == "svg" and "role" in attrs]
    assert len(drawings) == 20
    assert all(attrs["role"] == "img" and attrs["aria-label"] for attrs in drawings)
    scopes = [attrs.get("scope") for tag, attrs in parsed.tags if tag == "th"]
    assert set(scopes) == {"row", "col"}


@pytest.mark.usefixtures("page", "imaging_text")
def test_nothing_names_a_person_or_a_folder(table_study, imaging_study, repository):
    written = [
        path
        for study in (table_study, imaging_study)
        for path in (study / "report").rglob("*")
        if path.is_file()
    ]
    assert len(written) > 60
    for path in written:
        text = path.read_text(encoding="utf-8")
        assert CANARY not in text
        assert str(repository) not in text
        assert str(imaging_study) not in text
        # A slash that starts a path, not one that divides or closes a tag.
        assert not re.search(r"(?<![\w.<)\s])/(home|root|tmp|work|Users|mnt|data)/", text)


def test_cautions_on_images(imaging_study):
    setting = {"resampledPixelSpacing": [1, 1, 1], "normalize": True, "normalizeScale": 100}
    setting["binWidth"] = 25
    assert {"Thick slices interpolated to a finer grid", "Bin width is not in HU"} <= set(
        find(imaging_study, {"setting": setting})
    )
    setting |= {"resampledPixelSpacing": [3, 3, 3], "normalize": False}
    assert not {"Thick slices interpolated to a finer grid", "Bin width is not in HU"} & set(
        find(imaging_study, {"setting": setting})
    )


def test_the_extraction_parameters_are_read_by_the_report(imaging_text):
    assert "Thick slices interpolated to a finer grid" in imaging_text
    assert "0.25 standard deviations" in imaging_text
    assert "binWidth" in imaging_text


def test_the_report_says_how_far_features_are_from_plain_pyradiomics(imaging_text, copied_images):
    assert "2 masks of 24 extracted, drawn at random, had all features computed a second" in (
        imaging_text
    )
    assert "difference of a feature is 3.4e-10; above 1e-06 the study would have" in imaging_text
    path = copied_images / "tables" / "verification.parquet"
    table = pd.read_parquet(path).head(1)
    write_table(table.assign(max_relative_difference=0.0), path)
    text = report_of(copied_images)
    assert "1 mask of 24 extracted" in text
    assert "All values are the same to the last digit" in text
    write_table(table.head(0), path)
    assert "No mask yielded features" in report_of(copied_images)


def test_facts_that_some_scans_do_not_state_are_counted(copied_images):
    path = copied_images / "tables" / "ingest.parquet"
    ingest = pd.read_parquet(path)
    ingest["kvp"] = [120.0] + [None] * (len(ingest) - 1)
    write_table(ingest.astype({"kvp": float}), path)
    section = images_section(read_results(copied_images / "study"))
    (table,) = (block for block in section.all_blocks() if isinstance(block, Table))
    facts = table.file_table.set_index("Fact")["Scans"]
    assert facts["Tube voltage, kV"] == f"not stated ({len(ingest) - 1}); 120 (1)"


def test_a_ccc_without_interval_is_said(copied_images):
    path = copied_images / "tables" / "reproducibility.parquet"
    nothing = {"n": 2, "ccc_low": np.nan, "ccc_high": np.nan}
    write_table(pd.read_parquet(path).assign(**nothing), path)
    text = report_of(copied_images)
    assert "So few cases give the CCC no interval." in text
    assert "median width of the intervals" not in text


def test_a_study_without_outcome_ends_at_the_features(copied_images):
    change(copied_images, outcome=None, clinical=None, dictionary=None)
    for name in ("models", "evaluation", "ablation"):
        shutil.rmtree(copied_images / name)
    text = report_of(copied_images)
    assert "no model is trained" in text
    assert headings(text) == [
        "Summary",
        "Flow of patients",
        "Images and features",
        "Agreement of readers",
        "Reproducibility of features",
        "Not part of this study",
        "Provenance",
    ]


def test_a_missing_parameter_file_is_an_error(copied_images):
    change(copied_images, extraction__params="nowhere/none.yaml")
    with refusal("report-parameter-file-missing", match=r"Found: no nowhere/none\.yaml"):
        build_sections(read_results(copied_images / "study"))


def test_pictures_show_the_extremes_and_keep_to_the_budget(imaging_study, monkeypatch):
    results = read_results(imaging_study / "study")
    *_, shown, folded = agreement_section(results).blocks
    assert [picture.caption.split(":")[0] for picture in shown.pictures] == [
        "Lowest agreement",
        "Median agreement",
        "Highest agreement",
    ]
    assert len(folded.blocks[0].pictures) == 9
    monkeypatch.setattr(sections_readers, "PICTURE_BUDGET", 5 * (len(PIXEL) * 4 // 3))
    *_, shown, folded = agreement_section(results).blocks
    assert (len(shown.pictures), len(folded.blocks[0].pictures)) == (3, 2)
    assert "7 more are in the study's folders of pictures" in folded.summary


def test_corrected_masks_are_counted_and_do_not_count_as_agreement(copied_images):
    before = agreement_section(read_results(copied_images / "study")).blocks
    case = correct_a_mask(copied_images)
    results = read_results(copied_images / "study")
    blocks = agreement_section(results).blocks
    assert blocks[0] == before[0]
    assert "1 of 12 cases has a mask that was corrected later" in blocks[1].text
    assert "0.125 (lowest 0.125)" in blocks[1].text
    assert blocks[2].shown[["Case", "Version"]].to_numpy().tolist() == [[case, "A.v2"]]
    assert results.study.readers == ["A", "B"]


def test_overlap_and_deviation_of_features_are_related(copied_images):
    names = [block.name for block in concordance_section(read_results(copied_images / "study"))
             .all_blocks() if isinstance(block, (Figure, Table))]  # fmt: skip
    assert "families" in names
    assert "overlap" not in names  # its tables were made without images
    path = copied_images / "tables" / "reproducibility_families.parquet"
    families = pd.read_parquet(path)
    columns = ["cases", "dice_rho", "dice_rho_low", "dice_rho_high"]
    families[columns] = [12, -0.5, -0.8, -0.1]
    write_table(families, path)
    section = concordance_section(read_results(copied_images / "study"))
    texts = [block.text for block in section.blocks if isinstance(block, Paragraph)]
    assert "Spearman correlation of −0.50 (−0.80 to −0.10)" in texts[-1]
    blocks = {b.name: b for b in section.all_blocks() if isinstance(b, (Figure, Table))}
    assert len(blocks) == 6


def test_readers_without_a_common_case(copied_images):
    path = copied_images / "tables" / "agreement.parquet"
    write_table(pd.read_parquet(path).head(0), path)
    sides, folded = agreement_section(read_results(copied_images / "study")).blocks
    assert "R right, L left" in sides.text
    assert folded.summary == "12 cases"
    for batch in ("b0", "b1"):
        shutil.rmtree(copied_images / "batches" / batch / "pictures")
    absent = agreement_section(read_results(copied_images / "study")).absent
    assert "No case was drawn by two readers" in absent


def test_command_line_writes_the_same_bytes(imaging_study, imaging_text, tmp_path):
    out = tmp_path / "report.html"
    done = run_command("--study", imaging_study / "study", "--out", out)
    assert done.returncode == 0, done.stderr
    # Hashes aside: the code of another stage may be edited while tests run.
    assert without_hashes(out.read_text(encoding="utf-8")) == without_hashes(imaging_text)
    for path in (imaging_study / "report" / "figures").iterdir():
        assert (tmp_path / "figures" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.usefixtures("imaging_text")
def test_page_opens_in_a_browser_without_a_complaint(imaging_study, tmp_path):
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if browser is None:
        pytest.skip("needs chromium to open the page")
    done = subprocess.run(
        [
            *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
            *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
            *("--disable-sync", f"--user-data-dir={tmp_path / 'browser'}"),
            *("--enable-logging=stderr", "--v=0", "--dump-dom"),
            (imaging_study / "report" / "report.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert "CONSOLE" not in done.stderr
    # The script ran: headings of sortable tables have become buttons.
    assert '<button type="button">Feature</button>' in done.stdout


def test_a_batch_without_a_usable_mask_is_read(copied_images):
    path = copied_images / "batches" / "b0" / "resample.parquet"
    nothing = pd.DataFrame(columns=list(types_of(Resample)), dtype=object)
    write_table(nothing, path)
    resample = read_results(copied_images / "study").imaging.resample
    assert len(resample) == 12
    assert resample["clipped_share"].dtype == float
