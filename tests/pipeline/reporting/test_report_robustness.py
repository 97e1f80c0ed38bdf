"""The report's section on perturbations, with two readers and with one."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline.reporting.blocks import Paragraph, Table
from pipeline.reporting.cautions.cautions import find_cautions
from pipeline.reporting.paper.checklists import find
from pipeline.reporting.paper.methods import methods
from pipeline.reporting.results import Perturbed, Results
from pipeline.reporting.sections.images.robustness import robustness_section
from pipeline.tables.schemas.features.perturbations import Perturbations, Robustness
from tests.support.filled import filled


def perturbed(features: list[str], icc_low: np.ndarray) -> Perturbed:
    """Return tables of 12 cases, of which one repetition failed."""
    rows = [
        {
            "feature": name, "image_type": "original", "feature_class": name.split("_")[1],
            "reader": "A", "n": 12, "patients": 11, "icc": low + 0.02, "icc_low": low,
            "sd_within": 1.0, "sd_between": 2.0, "sd_ratio": 0.5, "robust": low >= 0.9,
        }
        for name, low in zip(features, icc_low, strict=True)
    ]  # fmt: skip
    done = [{"repetition": at, "status": "error" if at == 3 else "ok"} for at in range(1, 31)]
    return Perturbed(filled(Robustness, rows), filled(Perturbations, done))


@pytest.fixture
def results(lr_results: Results) -> Results:
    """The finished study as if it had been perturbed: four features in each quarter."""
    config = copy.deepcopy(lr_results.study.config)
    config["perturbations"]["repetitions"] = 30
    config["selection"]["robustness"] = "both"
    names = [f"original_glcm_Feature{at}" for at in range(8)]
    readers = pd.DataFrame({"feature": names, "ccc": [0.95, 0.2] * 4})
    readers = readers.assign(readers=2, n=12, image_type="original", feature_class="glcm")
    return replace(
        lr_results,
        study=replace(lr_results.study, config=config),
        reproducibility=readers,
        perturbed=perturbed(names, np.repeat([0.95, 0.3], 4)),
    )


def text_of(section) -> str:
    return " ".join(block.text for block in section.blocks if isinstance(block, Paragraph))


def test_a_study_that_perturbs_nothing_has_no_section(lr_results):
    section = robustness_section(lr_results)
    assert not section.blocks
    assert section.absent is None


def test_both_families_stand_side_by_side(results):
    section = robustness_section(results)
    text = text_of(section)
    assert "perturbed and extracted 30 times (12 cases of 11 patients)" in text
    assert "reaches 0.90: 4 of 8 features do (50%)" in text
    assert "2 pass both tests" in text
    assert "Readers agree on 2 that perturbations destroy, and 2 survive" in text
    assert "2 pass neither" in text
    assert "1 perturbed extraction of 30 failed and is left out" in text
    tables = {block.name: block for block in section.blocks if isinstance(block, Table)}
    destroyed = tables["agreed-not-robust"].shown
    assert destroyed["Feature"].tolist() == ["original_glcm_Feature4", "original_glcm_Feature6"]
    family = tables["robustness-by-feature-class"].raw.iloc[0]
    assert (family["Robust"], family["Readers agree"], family["Both"]) == (4, 4, 2)
    assert family["Agreed, not robust"] == 2


def test_one_reader_has_its_own_figure_and_no_empty_column(results):
    alone = replace(results, reproducibility=results.reproducibility.iloc[:0])
    section = robustness_section(alone)
    assert "Readers agree" not in text_of(section)
    tables = [block for block in section.blocks if isinstance(block, Table)]
    assert not any("reader" in str(name).lower() for table in tables for name in table.shown)


def test_no_mask_that_could_be_perturbed_is_said(results):
    table = results.perturbed.table.assign(icc=np.nan, icc_low=np.nan, n=0, patients=0)
    nothing = replace(results, perturbed=replace(results.perturbed, table=table))
    assert robustness_section(nothing).absent == "No mask could be perturbed."


@pytest.mark.parametrize(
    ("values", "bound", "said"),
    [
        ({"icc_low": np.nan}, "lower", "at least two patients; 2 cases of 1 patient were"),
        ({"icc_low": np.nan, "icc": np.nan}, "estimate", "at least two cases; 2 cases of 1"),
    ],
)
def test_too_few_patients_to_judge_are_said(results, values, bound, said):
    results.study.config["selection"]["perturbations"]["bound"] = bound
    table = results.perturbed.table.assign(n=2, patients=1, **values)
    section = robustness_section(
        replace(results, perturbed=replace(results.perturbed, table=table))
    )
    assert said in section.absent


def test_the_threshold_of_null_describes_by_the_published_limit(results):
    results.study.config["selection"]["perturbations"]["threshold"] = None
    assert "reaches 0.90" in text_of(robustness_section(results))


def test_one_reader_with_perturbations_is_cautioned_otherwise(results, monkeypatch):
    monkeypatch.setattr(type(results.study), "readers", property(lambda study: ["A"]))
    found = {each.title: each.text for each in find_cautions(results, None)}
    assert "survive perturbations" in found["One reader"]
    results.study.config["selection"]["robustness"] = "readers"
    found = {each.title: each.text for each in find_cautions(results, None)}
    assert "is skipped" in found["One reader: no CCC filter"]


def test_the_paper_says_what_was_perturbed(results):
    passages = {each.heading: " ".join(each.paragraphs) for each in methods(results)}
    text = passages["Reproducibility of features"]
    assert "were perturbed 30 times (noise, translation, growth or shrinkage of the volume" in text
    assert "[@zwanenburg2019perturbation]" in text
    assert "kept only with a lower limit of the ICC between perturbed extractions of" in text


def test_the_checklists_count_perturbations(results):
    def fact(name: str, of: Results = results) -> str | None:
        found = find(of, name)
        return None if found is None else found.value

    limit = "4 of 8 features with a lower limit of the ICC between perturbed extractions of"
    assert fact("ccc_filter").startswith(limit)
    assert "CCC" in fact("reliability")
    alone = replace(results, reproducibility=results.reproducibility.iloc[:0])
    assert fact("reliability", alone).startswith(limit)
    results.study.config["selection"]["robustness"] = "readers"
    assert fact("ccc_filter", alone) is None
    results.study.config["selection"]["robustness"] = "perturbations"
    results.study.config["selection"]["perturbations"]["threshold"] = None
    assert fact("ccc_filter") is None
