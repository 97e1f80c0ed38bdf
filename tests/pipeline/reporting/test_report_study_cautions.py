"""What a report warns of: readers, patients, environments, figures that fall short."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline.core.errors import StudyError
from pipeline.core.files import read_json, write_json, write_table
from pipeline.reporting.blocks import Table
from pipeline.reporting.cautions.cautions import find_cautions
from pipeline.reporting.reading_results import read_results
from pipeline.reporting.sections.images.concordance import concordance_section
from pipeline.reporting.sections.patients import characteristics_section
from pipeline.reporting.sections.prediction.ablation import ablation_section
from pipeline.reporting.sections.prediction.fitting import hyperparameters_section
from pipeline.reporting.sections.summary import summary_section
from tests.support.refusals import refusal
from tests.support.report_study import (
    Page,
    change,
    find,
    report_of,
)


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


def test_results_of_an_earlier_configuration_are_not_shown(copied):
    change(copied, models=["lr"], ablation__models=[])
    results = read_results(copied / "study")
    assert ablation_section(results).absent == "The configuration asks for no ablation."
    fitted = hyperparameters_section(results).blocks[0]
    assert list(fitted.shown["Model"]) == ["Logistic regression"]
    assert "Time" in fitted.shown
    assert "seconds" not in fitted.raw  # it would differ in every run of the same study


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
