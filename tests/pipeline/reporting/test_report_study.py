"""The report of whole studies: a real small modelling run, with and without images."""

from __future__ import annotations

import html
import json
from dataclasses import replace

import pandas as pd
import pytest

from pipeline.core.files import read_json, write_json, write_table
from pipeline.reporting.blocks import Table
from pipeline.reporting.parts import selection_stability
from pipeline.reporting.reading_results import read_results
from pipeline.reporting.sections.patients import characteristics_section
from pipeline.reporting.study_report import _breakable, build_sections, write_report
from tests.support.described import described_tables
from tests.support.refusals import refusal
from tests.support.report_study import (
    TITLES,
    Page,
    change,
    headings,
    report_of,
    run_command,
)


def test_every_table_and_column_is_described(table_study):
    tables = described_tables(table_study)
    assert len(tables) > 30
    assert {"tables/analysis.parquet", "ablation/rf_seeds.parquet"} <= tables


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


def test_two_blocks_of_one_name_are_refused(table_study, tmp_path, monkeypatch):
    results = read_results(table_study / "study")
    section = build_sections(results)[1]
    monkeypatch.setattr(
        "pipeline.reporting.study_report.build_sections", lambda _: [section, replace(section)]
    )
    with pytest.raises(ValueError, match="would share a file"):
        write_report(results, tmp_path / "report.html")


def test_command_line_says_what_is_missing(tmp_path):
    done = run_command("--study", tmp_path / "none", "--out", tmp_path / "report.html")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "needs the folder of a validated study" in done.stderr


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


def test_long_names_may_be_broken_and_nothing_else_changes():
    cell = "wavelet-LLH_glszm_ZoneVariance <b> & P"
    broken = str(_breakable(cell))
    assert broken == "wavelet-LLH_<wbr>glszm_<wbr>Zone<wbr>Variance &lt;b&gt; &amp; P"
    assert html.unescape(broken.replace("<wbr>", "")) == cell
    assert str(_breakable("0.52 to 0.76")) == "0.52 to 0.76"
