"""The report of whole studies: a real small modelling run, with and without images."""

from __future__ import annotations

import base64
import html
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from pipeline.core.errors import StudyError
from pipeline.core.files import read_json, write_json, write_table
from pipeline.core.findings import Finding, to_json
from pipeline.core.table_schema import types_of
from pipeline.reporting.blocks import Figure, Paragraph, Table
from pipeline.reporting.cautions.cautions import Caution, find_cautions
from pipeline.reporting.parts import selection_stability
from pipeline.reporting.reading_results import read_results
from pipeline.reporting.sections.images import readers as sections_readers
from pipeline.reporting.sections.images.concordance import concordance_section
from pipeline.reporting.sections.images.imaging import images_section
from pipeline.reporting.sections.images.readers import agreement_section
from pipeline.reporting.sections.patients import characteristics_section
from pipeline.reporting.sections.prediction.ablation import ablation_section
from pipeline.reporting.sections.prediction.fitting import hyperparameters_section
from pipeline.reporting.sections.summary import summary_section
from pipeline.reporting.study_report import _breakable, build_sections, write_report
from pipeline.tables.schemas.catalogue import schema_of
from pipeline.tables.schemas.images.resample import Resample
from pipeline.tables.schemas.study_tables import Cases
from tests.support.described import described_tables
from tests.support.filled import filled
from tests.support.refusals import refusal
from tests.support.small_study import PATIENTS, run_models, run_repetitions, write_study

CANARY = "PHI-CANARY-0010-0010"
#: The smallest valid PNG: one transparent pixel.
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


def flow(patients: int, left: int = 3) -> dict:
    gone = {
        "reason": "outcome not known",
        "patients": left,
        "cases": left,
        "ids": ["P1", "P2", "P3"],
    }
    return {
        "steps": [
            {"label": "Handed in", "patients": patients + left, "cases": patients + left,
             "excluded": [gone]},
            {"label": "Analysed", "patients": patients, "cases": patients, "excluded": []},
        ]
    }  # fmt: skip


@pytest.fixture(scope="module")
def config(repository) -> dict:
    """Return a small search over two models, with an ablation."""
    options = yaml.safe_load((repository / "config" / "default.yaml").read_text(encoding="utf-8"))
    options |= {"study": "small", "title": "A <small> study & its report", "unit": "case"}
    options |= {"model_reader": "A", "models": ["lr", "rf"]}
    options["features"] = {"A": f"/home/{CANARY}/a.parquet", "B": f"../{CANARY}/b.parquet"}
    options["results"] = f"/home/{CANARY}/results"
    options["clinical"] = f"/home/{CANARY}/clinical.csv"
    options["dictionary"] = f"/home/{CANARY}/dictionary.csv"
    options["outcome"] = {"name": "rbp", "label": "Residual back pain", "formula": "vas_day3 >= 4"}
    options["search"]["iterations"] = 2
    options["search"]["spaces"] = {"rf": {"n_estimators": [20], "max_depth": [2, 3]}}
    options["split"]["folds"] = 3
    options["evaluation"]["bootstrap"] = 60
    options["interpretation"] |= {"shap": True, "shap_rows": 10, "shap_background": 5}
    options["nested"] |= {"models": ["lr"], "folds": 3, "search": "fixed"}
    options["stability"] |= {"resamples": 6, "permutations": 2}
    options["optimism"] |= {"models": ["lr"], "resamples": 4, "search": "fixed"}
    options["ablation"] |= {"models": ["lr", "rf"], "top": 2, "single": 2, "seeds": 2}
    options["ablation"] |= {"families": ["log", "gradient"], "steps": ["mrmr"]}
    return options


@pytest.fixture(scope="module")
def table_study(tmp_path_factory, config) -> Path:
    """Run the modelling stages on simulated feature tables; return the study's folder."""
    folder = tmp_path_factory.mktemp("results") / "small"
    write_study(folder, config, flow(PATIENTS), 160)
    run_models(folder, config)
    run_repetitions(folder, config)
    return folder


def test_every_table_and_column_is_described(table_study):
    tables = described_tables(table_study)
    assert len(tables) > 30
    assert {"tables/analysis.parquet", "ablation/rf_seeds.parquet"} <= tables


@pytest.fixture
def copied(table_study, tmp_path) -> Path:
    """Return a copy of the table study that a test may change."""
    return Path(shutil.copytree(table_study, tmp_path / "results" / "small"))


def change(folder: Path, **options: object) -> None:
    """Change options of a study, nested ones as ``split__folds``."""
    path = folder / "study" / "study.yaml"
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    for name, value in options.items():
        *outer, last = name.split("__")
        inner = config
        for key in outer:
            inner = inner[key]
        inner[last] = value
    path.write_text(yaml.safe_dump(config), encoding="utf-8")


def add_images(folder: Path, repository: Path) -> None:
    """Write the tables of an imaging half, as plausible draws, into a study's folder."""
    draw = np.random.default_rng(11)
    cases = pd.DataFrame({"patient_id": [f"{n:03d}" for n in range(12)]})
    cases["scan_id"] = cases["patient_id"] + "-CT"
    cases["case_id"] = cases["patient_id"] + "-L1"
    cases = cases.assign(level="L1", batch=[f"b{n % 2}" for n in range(12)])
    masks = cases.merge(pd.DataFrame({"reader": ["A", "B"]}), how="cross")
    change(
        folder,
        cases="cases.csv",
        features=None,
        extraction__params=str(repository / "radiomics_params" / "ge2025.yaml"),
    )
    given = masks.assign(image="ct", series=None, mask="mask.nrrd", label="1")
    given = filled(Cases, given.assign(days_from_surgery=-1))
    write_table(given, folder / "study" / "cases.parquet", Cases)
    ingest = cases[["scan_id", "patient_id"]].assign(
        status="ok", findings="[]", source_hash=[f"{n:064x}" for n in range(12)], format="DICOM",
        size_z=30.0, spacing_x=0.7, spacing_y=0.7, spacing_z=3.0, manufacturer="Synthetic",
        scanner=None, kvp=120.0, kernel=["B40s"] * 6 + ["B60s"] * 6, slice_thickness_mm=3.0,
    )  # fmt: skip
    bad = Finding("mask-border", "warning", "The mask touches the edge <of> the volume", "Look")
    keys = ["case_id", "scan_id", "patient_id", "level", "reader"]
    tables = {
        "ingest": ingest,
        "masks": masks[keys].assign(source_hash=[f"{n:064x}" for n in range(24)]),
        "agreement": cases[["case_id", "scan_id", "level"]].assign(
            reader_a="A", reader_b="B", comparison="readers", dice=draw.beta(40, 3, 12),
            surface_dice=draw.beta(30, 3, 12), hausdorff95_mm=draw.gamma(4, 0.5, 12),
            mean_surface_distance_mm=draw.gamma(2, 0.2, 12), volume_a_ml=draw.normal(20, 3, 12),
            volume_b_ml=draw.normal(21, 3, 12), volume_difference_percent=draw.normal(0, 5, 12),
        ),
        "preflight": masks[keys].assign(verdict="ok", findings="[]"),
        "extraction": masks[keys].assign(status="ok", findings="[]", seconds=1.0),
        "verification": masks[["case_id", "reader"]].head(2).assign(
            engine="fast", features=1223, max_relative_difference=[2e-11, 3.4e-10],
            feature="original_glcm_Imc1", seconds_engine=0.2, seconds_plain=4.0, status="equal",
        ),
    }  # fmt: skip
    tables["preflight"].loc[0, ["verdict", "findings"]] = ["warning", to_json([bad])]
    for name, table in tables.items():
        schema = schema_of(f"tables/{name}.parquet")
        write_table(filled(schema, table), folder / "tables" / f"{name}.parquet", schema)
    for batch, rows in masks.groupby("batch"):
        resampled = filled(Resample, rows[keys].assign(status="ok", clipped_share=0.002))
        write_table(resampled, folder / "batches" / batch / "resample.parquet")
        pictures = folder / "batches" / batch / "pictures"
        pictures.mkdir()
        for case in rows["case_id"].unique():
            (pictures / f"{case}.png").write_bytes(PIXEL)


@pytest.fixture(scope="module")
def imaging_study(table_study, tmp_path_factory, repository) -> Path:
    """Return a study with images and models; tests leave it as it is."""
    folder = tmp_path_factory.mktemp("images") / "small"
    shutil.copytree(table_study, folder)
    add_images(folder, repository)
    return folder


@pytest.fixture
def copied_images(imaging_study, tmp_path) -> Path:
    """Return a copy of the study with images that a test may change."""
    return Path(shutil.copytree(imaging_study, tmp_path / "images" / "small"))


def report_of(folder: Path) -> str:
    out = folder / "report" / "report.html"
    write_report(read_results(folder / "study"), out)
    return out.read_text(encoding="utf-8")


class Page(HTMLParser):
    """What a page holds, as far as tests ask."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        # A place where a word may be broken is none where it ends.
        self.feed(text.replace("<wbr>", ""))
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def values(self, attribute: str) -> list[str]:
        return [attrs[attribute] for _, attrs in self.tags if attribute in attrs]


@pytest.fixture(scope="module")
def page(table_study) -> Page:
    return Page(report_of(table_study))


@pytest.fixture(scope="module")
def imaging_text(imaging_study) -> str:
    return report_of(imaging_study)


TITLES = [
    "Summary",
    "Flow of patients",
    "Characteristics (table 1)",
    "Sample size",
    "Reproducibility of features",
    "Selection of features",
    "How the models were fitted",
    "Performance of the models",
    "Performance in subgroups",
    "Added value of radiomics",
    "Internal validation and simpler models",
    "Missing values and sensitivity",
    "Importance of features",
    "Ablation",
]


def headings(text: str) -> list[str]:
    return re.findall(r"<h2[^>]*>([^<]+)</h2>", text)


def test_the_selection_is_set_beside_chance(page, table_study):
    info = json.loads((table_study / "tables" / "selection.json").read_text(encoding="utf-8"))
    assert "With the outcome permuted 20 times" in page.text
    assert f"{info['by_chance']['mean']:.0f} passed on average" in page.text
    assert f"before mRMR ({info['pca']['before']['features']} features)" in page.text


def test_the_preparation_is_told_with_its_conventions(page):
    assert "Missing numbers become the median of the training patients" in page.text
    assert (
        "kurtosis (Pearson's, normal = 3) below 7.0, and at most 10% of the values lie" in page.text
    )


def test_steps_that_are_off_are_called_so(copied):
    change(
        copied,
        selection__ccc__threshold=None,
        selection__wilcoxon__p=None,
        selection__mrmr__k=None,
        selection__clinical__p=None,
        imputation__method="knn",
        scaling__method="none",
    )
    text = report_of(copied)
    assert "Missing numbers become the mean of the nearest training patients" in text
    assert "Columns of numbers are not scaled (off)." in text
    assert "no filter by agreement of the readers (off), no rank-sum filter (off), no mRMR" in text
    assert "clinical candidates, one at a time: all, its filter is off." in text
    # What is described of the readers goes on, at the published threshold.
    assert "Dashed: 0.85; the filter is off" in text


def test_agreement_within_levels_is_told(page, table_study):
    table = pd.read_parquet(table_study / "tables" / "reproducibility.parquet")
    assert table["ccc_within"].notna().any()
    assert f"the median CCC is {table['ccc_within'].median():.3f}, and" in page.text


def test_no_figure_is_singled_out_where_no_primary_analysis_was_declared(page):
    assert "All results are exploratory" in page.text


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        (
            {"model": "rf", "part": "test", "metric": "brier"},
            "the Brier score of Random forest on the held-out cases. It is",
        ),
        (
            {"model": "lr", "part": "nested", "metric": "auroc"},
            "the AUROC of Logistic regression in cross-validation with a fixed search of the "
            "training patients.",
        ),
        (
            {"model": "winner", "part": "test", "metric": "auroc"},
            ", chosen by cross-validation of the training patients, on the held-out cases. It is",
        ),
    ],
)
def test_the_primary_analysis_is_named_and_all_else_secondary(copied, declared, expected):
    change(copied, primary=declared)
    text = Page(report_of(copied)).text
    assert expected in text
    assert "All other results are secondary" in text


def test_the_best_model_is_the_one_chosen_before_the_test(page, table_study):
    winner = json.loads((table_study / "evaluation" / "winner.json").read_text(encoding="utf-8"))
    assert f"The “best model” is {winner['label']}" in page.text
    assert "The cross-validated AUROC chose the hyperparameters and is optimistic" in page.text
    assert f"{winner['label']}, the best in cross-validation, had an AUROC of" in page.text


def test_the_sample_size_stands_beside_what_was_needed(page, table_study):
    size = table_study / "evaluation" / "sample_size.json"
    size = json.loads(size.read_text(encoding="utf-8"))
    candidates = size["counts"][0]
    assert f"would need {candidates['needed']:,} patients" in page.text
    shown = pd.read_csv(table_study / "report" / "tables" / "sample-size.csv")
    assert shown["needed"].iloc[0] == candidates["needed"]


def test_thresholds_and_decision_curves_say_what_they_rest_on(page, table_study):
    assert "out-of-fold predictions of training patients with" in page.text
    thresholds = pd.read_csv(table_study / "report" / "tables" / "thresholds.csv")
    info = json.loads((table_study / "models" / "lr" / "model.json").read_text(encoding="utf-8"))
    chosen = thresholds.set_index("Model").loc["Logistic regression"]
    assert chosen["Threshold"] == pytest.approx(info["threshold"], abs=5e-4)
    assert chosen["How it was chosen"].lower() == info["threshold_source"].lower()
    assert "Hosmer-Lemeshow" in page.text
    ranges = pd.read_csv(table_study / "report" / "tables" / "decision-ranges.csv")
    curve = pd.read_parquet(table_study / "evaluation" / "decision_curve.parquet")
    for row in ranges.query("by == 'estimate'").itertuples():
        own = curve[(curve["model"] == row.model) & curve["threshold"].between(row.low, row.high)]
        assert (own["gain"] > 0).all()


def test_sensitivity_analyses_stand_in_the_report(page, table_study):
    for path in sorted((table_study / "sensitivity").glob("*.parquet")):
        for row in pd.read_parquet(path).itertuples():
            assert (row.note or f"{row.auroc:.3f}") in page.text
    missing = pd.read_parquet(table_study / "tables" / "missingness.parquet")
    for row in missing[missing["missing"] > 0].itertuples():
        assert f"{row.events_missing} of {row.events} (" in page.text
    assert "Reader B" in page.text


def test_without_missing_values_the_report_says_so(copied):
    path = copied / "tables" / "missingness.parquet"
    table = pd.read_parquet(path)
    table.assign(missing=0).to_parquet(path)
    assert "No candidate of the models has a missing value." in report_of(copied)


def test_simple_predictions_stand_beside_the_models(page, table_study):
    table = pd.read_parquet(table_study / "evaluation" / "references.parquet")
    for row in table.itertuples():
        assert row.label in page.text
        assert (row.note or f"{row.auroc:.3f}") in page.text


def test_every_estimate_stands_beside_the_others_and_is_explained(page, table_study):
    table = pd.read_parquet(table_study / "optimism" / "lr.parquet").set_index("metric")
    for name in ("apparent", "corrected", "corrected_632plus"):
        assert f"{table.loc['auroc', name]:.3f}" in page.text
    assert "4 bootstrap resamples of the training patients" in page.text
    assert "luck of the split" in page.text
    assert "Hyperparameters are those that the search on all training patients chose" in page.text


def test_the_selection_is_repeated_on_subsamples(page, table_study):
    info = json.loads((table_study / "tables" / "stability.json").read_text(encoding="utf-8"))
    block = info["blocks"]["radiomics"]
    assert "repeated on 6 subsamples of 80% of the training patients" in page.text
    assert f"{block['index']:.2f} ({block['low']:.2f} to" in page.text
    assert f"With permuted outcomes the index is {block['permuted_index']:.2f}" in page.text
    assert "Dashed: " in page.text


def test_a_selection_that_never_chooses_says_so(copied):
    table = pd.read_parquet(copied / "tables" / "stability.parquet")
    write_table(table.assign(frequency=0.0), copied / "tables" / "stability.parquet")
    path = copied / "tables" / "stability.json"
    info = json.loads(path.read_text(encoding="utf-8"))
    for block in info["blocks"].values():
        block |= {"mean_selected": 0.0, "index": None}
    write_json(info, path)
    text = report_of(copied)
    assert "all or none always, so that stability has no measure" in text
    assert 'id="frequency"' not in text


@pytest.mark.parametrize(("noise", "said"), [(0.1, "excellent"), (0.7, "no clearer than")])
def test_a_stability_that_noise_reaches_is_not_praised(noise, said):
    """The highest of the permuted outcomes counts: the index must not lie among them."""
    block = {"index": 0.8, "low": 0.6, "permuted_index": 0.0, "permuted_index_high": noise}
    assert said in selection_stability._grade(block)


def test_without_optimism_the_page_holds_no_estimates(copied):
    change(copied, optimism__models=[])
    assert 'id="estimates"' not in report_of(copied)


def test_nested_cross_validation_stands_beside_the_test_rows(page, table_study):
    info = json.loads((table_study / "nested" / "lr.json").read_text(encoding="utf-8"))
    assert f"{info['auroc']:.3f}" in page.text
    assert "mean over 3 outer folds, 1 repeat" in page.text
    assert "which makes the estimates slightly optimistic" in page.text
    # Its search is kept, so that it is called nested nowhere.
    assert "not the search for hyperparameters (nested.search: fixed)" in page.text
    assert "nested cross-validation" not in page.text.lower()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "30% of the patients were held out at random"),
        ({"design": "imported"}, "(column x); how they were made is not declared."),
        (
            {"design": "imported", "declared": "site"},
            "The parts were imported (column x), declared as patients of other sites",
        ),
        ({"design": "by_site", "test_sites": ["B", 3]}, "Held out by site: B, 3 (column x)"),
        ({"design": "temporal"}, "Held out by time: the last 30% of the patients (column x)"),
        ({"design": "temporal", "test_from": 91}, "Held out by time: from 91 on (column x)"),
    ],
)
def test_table_1_says_who_was_held_out(copied, options, words):
    change(copied, split__column="x", **{f"split__{name}": v for name, v in options.items()})
    assert words in Page(report_of(copied)).text


def test_sections_stand_in_the_order_of_a_paper(page, table_study, imaging_text):
    text = (table_study / "report" / "report.html").read_text(encoding="utf-8")
    assert headings(text) == [*TITLES, "Not part of this study", "Provenance"]
    with_images = headings(imaging_text)
    assert with_images[4:6] == ["Images and features", "Agreement of readers"]
    assert "Not part of this study" not in with_images


def test_page_is_well_formed_and_its_ids_are_unique(page):
    assert page.open == []
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    targets = [link[1:] for link in page.values("href") if link.startswith("#")]
    assert set(targets) | set(page.values("aria-labelledby")) <= set(ids)


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


def test_title_is_escaped(page):
    assert "A <small> study & its report" in page.text


def test_numbers_on_the_page_are_those_of_the_tables(page, table_study):
    metrics = pd.read_parquet(table_study / "evaluation" / "metrics.parquet")
    row = metrics.query("model == 'rf' and part == 'test' and metric == 'auroc'").iloc[0]
    expected = f"{row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f})"
    assert expected in page.text
    funnel = read_json(table_study / "tables" / "selection.json")["funnel"]
    for step in funnel:
        assert f"{step['radiomics']:,}" in page.text
    ablation = pd.read_parquet(table_study / "ablation" / "lr.parquet").set_index("step")
    assert f"{ablation.loc['without-clinical', 'auroc']:.3f}" in page.text


def test_tables_and_figures_lie_beside_the_page(table_study, page):
    report = table_study / "report"
    figures = {path.stem for path in (report / "figures").glob("*.svg")}
    assert {"flow", "funnel", "roc", "calibration", "decision-curve", "ablation-lr"} <= figures
    tables = {path.stem for path in (report / "tables").glob("*.csv")}
    assert {"characteristics-by-outcome", "selected-features", "ablation-lr", "inputs"} <= tables
    assert {"ablation-models", "ablation-rf"} <= tables & figures
    for name in figures:
        assert f"figures/{name}.svg" in page.text
    for name in tables:
        assert f"tables/{name}.csv" in page.text
    by_outcome = pd.read_csv(report / "tables" / "characteristics-by-outcome.csv")
    assert {"statistic", "p", "test", "missing"} <= set(by_outcome.columns)


def test_a_missing_result_is_an_error(copied):
    (copied / "evaluation" / "roc.parquet").unlink()
    with refusal("report-result-missing", match=r"no evaluation/roc\.parquet.*Remedy: run"):
        read_results(copied / "study")


def find(folder: Path, parameters: dict | None = None) -> dict[str, Caution]:
    found = find_cautions(read_results(folder / "study"), parameters)
    return {caution.title: caution for caution in found}


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


def test_one_reader_is_said(copied):
    change(copied, features={"A": "a.parquet"})
    table = pd.read_parquet(copied / "tables" / "reproducibility.parquet")
    write_table(table.head(0), copied / "tables" / "reproducibility.parquet")
    assert find(copied)["One reader: no CCC filter"].anchor == "concordance"
    absent = concordance_section(read_results(copied / "study")).absent
    assert absent == "Concordance needs two readers; this study has one."


@pytest.mark.parametrize(("cases", "said"), [(29, True), (30, False)])
def test_few_cases_of_two_readers_are_said(copied, cases, said):
    path = copied / "tables" / "reproducibility.parquet"
    write_table(pd.read_parquet(path).assign(n=cases), path)
    found = find(copied)
    assert ("Few cases behind the concordance" in found) == said
    if said:
        caution = found["Few cases behind the concordance"]
        assert caution.anchor == "concordance"
        assert "rests on 29 cases; at least 30 are advised" in caution.text


def test_of_several_readers_the_pair_that_decides_is_named(copied):
    path = copied / "tables" / "reproducibility.parquet"
    table = pd.read_parquet(path).assign(readers=9, ccc_overall=0.775)
    table.loc[table.index % 3 > 0, "reader_b"] = "C"
    write_table(table, path)
    change(copied, features={reader: f"{reader}.parquet" for reader in "ABCDEFGHI"})
    results = read_results(copied / "study")
    section = concordance_section(results)
    text = section.blocks[0].text
    assert "that all 9 readers measured" in text
    assert "The pair of readers that agrees least decides, of 36 pairs" in text
    assert "most often these are A and C (" in text
    assert "The overall CCC of all 9 readers (Barnhart et al." in text
    assert "has a median of 0.775" in text
    (least,) = [b for b in section.all_blocks() if getattr(b, "name", "").startswith("least-")]
    assert {"A and B", "A and C"} == set(least.shown["Readers"])
    assert set(least.shown["Overall CCC"]) == {"0.775"}
    summary = dict(summary_section(replace(results, modelling=None), []).blocks[1].points)
    assert "by the two of 9 readers that agree least" in summary["Features"]


def test_a_feature_without_a_ccc_is_named_with_its_reason(copied):
    path = copied / "tables" / "reproducibility.parquet"
    table = pd.read_parquet(path)
    table.loc[:1, ["ccc", "ccc_low", "ccc_high"]] = np.nan
    table["reason"] = table["reason"].astype(object)
    table.loc[0, "reason"] = "no value of reader B"
    table.loc[1, "reason"] = "one and the same value in all cases, by A and B"
    write_table(table, path)
    section = concordance_section(read_results(copied / "study"))
    assert section.blocks[1].items == [
        f"1 feature without a CCC: no value of reader B. {table.loc[0, 'feature']}.",
        "1 feature without a CCC: one and the same value in all cases, by A and B. "
        f"{table.loc[1, 'feature']}.",
    ]
    assert "constant" not in section.blocks[0].text


def test_a_ccc_without_interval_is_said(copied_images):
    path = copied_images / "tables" / "reproducibility.parquet"
    nothing = {"n": 2, "ccc_low": np.nan, "ccc_high": np.nan}
    write_table(pd.read_parquet(path).assign(**nothing), path)
    text = report_of(copied_images)
    assert "So few cases give the CCC no interval." in text
    assert "median width of the intervals" not in text


def test_several_rows_per_patient_are_said(copied):
    path = copied / "tables" / "split.parquet"
    split = pd.read_parquet(path)
    train = split.index[split["part"] == "train"]
    split.loc[train[1], "patient_id"] = split.loc[train[0], "patient_id"]
    write_table(split, path)
    assert "Several cases per patient" in find(copied)


def test_several_cases_of_a_patient_are_not_compared_as_independent(copied):
    change(copied, unit="case")
    path = copied / "tables" / "analysis.parquet"
    table = pd.read_parquet(path)
    half = len(table) // 2
    doubled = pd.concat([table.iloc[:half], table.iloc[:half]], ignore_index=True)
    doubled["unit_id"] = table["unit_id"].iloc[: 2 * half]
    write_table(doubled, path)
    section = characteristics_section(read_results(copied / "study"))
    assert f"{half} patients have {2 * half} cases" in section.blocks[0].text
    first, second, _ = (block for block in section.all_blocks() if isinstance(block, Table))
    assert "A patient's cases are not independent" in first.caption
    # A patient's rows are alike, and so is their outcome; the parts are those of other patients.
    assert set(first.raw["compared"].dropna()) == {"patients"}
    heads = first.shown["Test"] != ""
    assert first.shown.loc[heads, "P"].str.endswith("‡").all()
    assert set(second.raw["compared"].dropna()) == {"clusters of units"}
    assert second.shown["Test"].str.contains("clustered").any()


def test_another_environment_is_said(copied, monkeypatch):
    table = pd.DataFrame(
        [["numpy", "1.0", None, False]], columns=["package", "locked", "installed", "agrees"]
    )
    monkeypatch.setattr("pipeline.reporting.cautions.cautions.versions", lambda: table)
    caution = find_cautions(read_results(copied / "study"), None)[-1]
    assert "numpy (not installed, locked 1.0)" in caution.text


def test_two_blocks_of_one_name_are_refused(table_study, tmp_path, monkeypatch):
    results = read_results(table_study / "study")
    section = build_sections(results)[1]
    monkeypatch.setattr(
        "pipeline.reporting.study_report.build_sections", lambda _: [section, replace(section)]
    )
    with pytest.raises(ValueError, match="would share a file"):
        write_report(results, tmp_path / "report.html")


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


def test_results_of_an_earlier_configuration_are_not_shown(copied):
    change(copied, models=["lr"], ablation__models=[])
    results = read_results(copied / "study")
    assert ablation_section(results).absent == "The configuration asks for no ablation."
    fitted = hyperparameters_section(results).blocks[0]
    assert list(fitted.shown["Model"]) == ["Logistic regression"]
    assert "Time" in fitted.shown
    assert "seconds" not in fitted.raw  # it would differ in every run of the same study


def test_a_missing_parameter_file_is_an_error(copied_images):
    change(copied_images, extraction__params="nowhere/none.yaml")
    with refusal("report-parameter-file-missing", match=r"Found: no nowhere/none\.yaml"):
        build_sections(read_results(copied_images / "study"))


def test_cautions_follow_from_the_study(copied, page):
    found = find(copied)
    assert {"Few events per predictor", "Few events to test on"} <= set(found)
    size = json.loads((copied / "evaluation" / "sample_size.json").read_text(encoding="utf-8"))
    candidates = size["counts"][0]["parameters"]
    assert f"for {candidates:,} candidate parameters" in found["Few events per predictor"].text
    assert not {"Oversampling", "Simulated reader", "Note on this study"} & set(found)
    change(copied, oversampling="adasyn_tomek", simulated_reader="B", notice="All is simulated.")
    for path in (copied / "models").glob("*/model.json"):
        write_json(read_json(path) | {"oversampled": {"added": True, "why_not": None}}, path)
    found = find(copied)
    assert "harms calibration" in found["Oversampling"].text
    assert "support vector machine" not in found["Oversampling"].text
    assert "reader B" in found["Simulated reader"].text
    assert found["Note on this study"].anchor == "summary"
    assert "Few events to test on." in page.text
    # Each model notes how its importance was measured; the page says it once, with the figure.
    told = read_json(copied / "models" / "lr" / "model.json")["importance_notes"]
    assert told
    assert not [note for note in told if note in page.text]
    results = read_results(copied / "study")
    results.study.config["models"].append("svm")
    results.modelling.models["svm"] = results.modelling.models["lr"]
    (text,) = [c.text for c in find_cautions(results, None) if c.title == "Oversampling"]
    assert text.endswith("lie on the scale of their share of events.")
    results.study.config["mode"] = "as_published"
    (text,) = [c.text for c in find_cautions(results, None) if c.title == "Oversampling"]
    assert text.endswith("predicted probabilities are scores here and no risks.")


def test_a_test_figure_that_the_procedure_does_not_support_is_told(copied):
    path = copied / "evaluation" / "metrics.parquet"
    table = pd.read_parquet(path)
    row = (table["model"] == "lr") & (table["part"] == "test") & (table["metric"] == "auroc")
    nested = json.loads((copied / "nested" / "lr.json").read_text(encoding="utf-8"))["auroc"]
    folds = pd.read_parquet(copied / "nested" / "lr.parquet")["auroc"]
    title = "Higher AUROC on the held-out cases than in cross-validation"
    for value, low, told in (
        (nested, nested - 0.2, False),
        ((nested + folds.max()) / 2, nested - 0.01, False),
        ((nested + folds.max()) / 2, nested + 0.001, True),
        (folds.max() + 0.001, nested - 0.1, True),
        (np.nan, np.nan, False),
    ):
        table.loc[row, ["value", "low", "high"]] = [value, low, min(value + 0.1, 1)]
        write_table(table, path)
        found = find(copied)
        assert (title in found) is told, (value, low)
    table.loc[row, ["value", "low", "high"]] = [0.99, nested + 0.01, 1.0]
    write_table(table, path)
    text = find(copied)[title].text
    assert f"Logistic regression 0.990 against {nested:.3f}" in text


def test_a_test_figure_that_falls_short_of_the_procedure_is_told(copied):
    path = copied / "evaluation" / "metrics.parquet"
    table = pd.read_parquet(path)
    row = (table["model"] == "lr") & (table["part"] == "test") & (table["metric"] == "auroc")
    nested = json.loads((copied / "nested" / "lr.json").read_text(encoding="utf-8"))["auroc"]
    title = "Lower AUROC on the held-out cases than in cross-validation"
    for high, told in ((nested + 0.001, False), (nested - 0.001, True), (np.nan, False)):
        table.loc[row, ["value", "low", "high"]] = [0.3, 0.2, high]
        write_table(table, path)
        found = find(copied)
        assert (title in found) is told, high
        if told:
            expected = f"Logistic regression 0.300 (0.200 to {high:.3f}) against {nested:.3f}"
            assert expected in found[title].text


def test_a_corrected_figure_that_the_procedure_does_not_support_is_told(copied):
    """In a run on noise the correction left 0.84 where the nested folds said 0.46."""
    path = copied / "optimism" / "lr.parquet"
    table = pd.read_parquet(path)
    row = table["metric"] == "auroc"
    nested = json.loads((copied / "nested" / "lr.json").read_text(encoding="utf-8"))["auroc"]
    title = "Corrected AUROC above cross-validation with a fixed search"
    for value, told in ((nested + 0.09, False), (nested + 0.11, True), (np.nan, False)):
        table.loc[row, "corrected"] = value
        write_table(table, path)
        found = find(copied)
        assert (title in found) is told, value
    table.loc[row, "corrected"] = nested + 0.2
    write_table(table, path)
    text = find(copied)[title].text
    assert f"{nested + 0.2:.3f} corrected against {nested:.3f}. The correction" in text
    assert "quote that of cross-validation with a fixed search. These are slightly" in text


def test_oversampling_that_added_no_row_is_not_said_to_have_shifted_risks(copied):
    change(copied, oversampling="adasyn_tomek")
    for model in ("lr", "rf"):
        path = copied / "models" / model / "model.json"
        info = read_json(path)
        write_json({key: info[key] for key in info if key != "oversampled"}, path)
        with refusal(
            "model-of-another-version",
            StudyError,
            match=f"In: models/{model}/model.json.*run the study again",
        ):
            find(copied)
        write_json(info | {"oversampled": {"added": True, "why_not": None}}, path)
    for model in ("lr", "rf"):
        path = copied / "models" / model / "model.json"
        info = read_json(path)
        info["oversampled"] = {"added": False, "why_not": "the classes are balanced"}
        write_json(info, path)
        found = find(copied)
        if model == "lr":
            text = found["Oversampling"].text
            assert (
                "To what Logistic regression learned from, no synthetic patient was added" in text
            )
    assert "Oversampling" not in found
    text = found["Oversampling added no patient"].text
    assert (
        "no model learned from a synthetic patient that it made (the classes are balanced)" in text
    )
    change(copied, mode="as_published")
    assert "oversampled" not in report_of(copied).replace("oversampled_split:", "")


def test_a_held_out_site_is_no_luck_of_the_split(copied):
    change(copied, split__design="by_site", split__column="x", split__test_sites=["B"])
    text = Page(report_of(copied)).text
    assert "luck of the split" not in text
    assert "unlucky" not in text
    assert (
        "Geographical validation. The held-out patients are those of sites that no training" in text
    )


def test_columns_that_may_be_no_features_are_told(copied):
    path = copied / "tables" / "analysis.json"
    info = json.loads(path.read_text(encoding="utf-8"))
    title = "Columns that may be no features"
    assert title not in find(copied)
    write_json(info | {"foreign": ["grade", "OS_days"], "telling": ["OS_days"]}, path)
    caution = find(copied)[title]
    assert (
        "2 columns among the features bear no name of PyRadiomics: grade, OS_days." in caution.text
    )
    assert "One cut through OS_days parts" in caution.text
    assert caution.anchor == "selection"
    write_json(info | {"foreign": ["grade"], "telling": []}, path)
    text = find(copied)[title].text
    assert "1 column among the features bears no name" in text
    assert "One cut" not in text
    title = "Columns kept out of the features"
    assert title not in find(copied)
    write_json(info | {"kept_out": {"OS_days": "the word os"}}, path)
    assert "1 column of the feature tables did not enter" in find(copied)[title].text
    assert "OS_days (the word os)" in find(copied)[title].text


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


def correct_a_mask(folder: Path) -> str:
    """Give reader A's mask of the first case a second version; return the case."""
    tables = folder / "tables"
    masks = pd.read_parquet(tables / "masks.parquet")
    first = masks[masks["reader"] == "A"].head(1)
    write_table(pd.concat([masks, first.assign(reader="A.v2")]), tables / "masks.parquet")
    agreement = pd.read_parquet(tables / "agreement.parquet")
    moved = agreement.head(1).assign(reader_b="A.v2", comparison="correction", dice=0.125)
    write_table(pd.concat([agreement, moved]), tables / "agreement.parquet")
    return first.iloc[0]["case_id"]


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


def test_command_line_says_what_is_missing(tmp_path):
    done = run_command("--study", tmp_path / "none", "--out", tmp_path / "report.html")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "needs the folder of a validated study" in done.stderr


def run_command(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-W", "error", "-m", "pipeline.reporting.study_report"]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)


def without_hashes(text: str) -> str:
    return re.sub(r"[0-9a-f]{64}", "", text)


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


def test_table_one_prints_two_levels_in_one_line_and_keeps_joined_levels_apart(copied):
    path = copied / "tables" / "analysis.parquet"
    analysis = pd.read_parquet(path)
    analysis.loc[analysis.index[:2], "level"] = ["L1|L2", "T12|L1"]
    write_table(analysis, path)
    section = characteristics_section(read_results(copied / "study"))
    shown = next(block.shown for block in section.blocks if isinstance(block, Table))
    lines = list(shown["Characteristic"].str.strip())
    assert "Posterior fascia oedema: yes" in lines
    assert "Posterior fascia oedema" not in lines
    after = lines[lines.index("Vertebral level") + 1 :]
    assert len(after) == len(set(after)) == analysis["level"].nunique()
    assert "L1 and L2" in after


def test_a_batch_without_a_usable_mask_is_read(copied_images):
    path = copied_images / "batches" / "b0" / "resample.parquet"
    nothing = pd.DataFrame(columns=list(types_of(Resample)), dtype=object)
    write_table(nothing, path)
    resample = read_results(copied_images / "study").imaging.resample
    assert len(resample) == 12
    assert resample["clipped_share"].dtype == float


def test_long_names_may_be_broken_and_nothing_else_changes():
    cell = "wavelet-LLH_glszm_ZoneVariance <b> & P"
    broken = str(_breakable(cell))
    assert broken == "wavelet-LLH_<wbr>glszm_<wbr>Zone<wbr>Variance &lt;b&gt; &amp; P"
    assert html.unescape(broken.replace("<wbr>", "")) == cell
    assert str(_breakable("0.52 to 0.76")) == "0.52 to 0.76"
