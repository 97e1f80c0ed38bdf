"""The draft of a study of a clinical table alone."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from pipeline.reporting.paper.checklists import ABSENT, ANSWERED, answers, checklists, checklists_of
from pipeline.reporting.paper.findings import findings
from pipeline.reporting.paper.methods import methods
from tests.pipeline.reporting.test_report_regression import results_of


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    found = results_of(tmp_path_factory.mktemp("clinical"))
    flow = {"steps": [{"label": "all", "patients": 90, "cases": 90, "excluded": []}]}
    return replace(found, flow=flow, reproducibility=pd.DataFrame())


def test_text_of_a_regression(results):
    text = " ".join(paragraph for _, some in methods(results) for paragraph in some)
    assert "All predictors entered, as named beforehand" in text
    assert "100 bootstrap resamples" in text
    assert "Segmentation" not in text
    assert "CLEAR" not in text
    found = " ".join(paragraph for _, some in findings(results) for paragraph in some)
    row = results.regression.tables["coefficients"].iloc[0]
    assert f"Age, years {row['odds_ratio']:.2f} ({row['low']:.2f} to {row['high']:.2f})" in found
    assert "intercept" not in found
    # What was done, not the option's word; what no page of such a study shows is not cited.
    assert f"was fitted by {results.regression.facts['method']}." in text
    assert "(auto)" not in text
    assert "Table 1" not in found
    assert (
        "Reporting followed TRIPOD+AI [@collins2024tripod] and STROBE [@vonelm2007strobe]" in text
    )
    worth = results.regression.tables["optimism"].set_index("measure")["corrected"]
    assert f"{worth['c_index']:.2f} (" in found
    assert f"The corrected calibration slope was {worth['calibration_slope']:.2f}." in found


def test_a_regression_without_a_corrected_figure_says_none(results):
    tables = results.regression.tables
    unknown = tables["optimism"].assign(corrected=float("nan"), low=float("nan"))
    regression = replace(results.regression, tables=tables | {"optimism": unknown})
    found = " ".join(
        paragraph for _, some in findings(replace(results, regression=regression))
        for paragraph in some
    )  # fmt: skip
    assert "Adjusted odds ratios" in found
    assert "nan" not in found
    assert "optimism" not in found


def test_nothing_of_a_model_is_called_not_done(results):
    assert [checklist.key for checklist in checklists_of(results)] == ["tripod_ai", "strobe"]
    for checklist in checklists_of(results):
        assert ABSENT not in {answer.state for answer in answers(results, checklist)}
    given = {answer.no: answer for answer in answers(results, checklists()["strobe"])}
    assert given["12c"].value == "complete cases"
    assert given["15"].state == ANSWERED
    assert given["16a"].state == ANSWERED
