"""Columns that formulas work out: what the studies of the papers need, and what is refused."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest

from pipeline.study.config import resolve_config
from pipeline.tables.clinical.derived_columns import with_derived
from pipeline.validate import validate_study
from tests.support.clinical_study import clinical_options, write_clinical
from tests.support.refusals import refusal

TABLE = pd.DataFrame(
    {
        "front": [18.0, 20.0, None],
        "above": [24.0, 0.0, 25.0],
        "below": [26.0, 0.0, 25.0],
        "psoas": [900.0, 700.0, 800.0],
        "height": [1.5, 1.75, 2.0],
        "sex": ["female", "male", "male"],
    }
)


def described(**types: str) -> pd.DataFrame:
    kinds = dict.fromkeys(TABLE.columns, "continuous") | {"sex": "binary"} | types
    levels = {"sex": "female|male"}
    return pd.DataFrame(
        [{"column": name, "type": kind, "unit": "%",
          "levels": levels.get(name, "no|yes" if kind == "binary" else None)}
         for name, kind in kinds.items()]
    )  # fmt: skip


def test_heights_indices_and_cut_offs_by_sex(caplog):
    """AVH%, psoas area by height squared, and a cut-off of each sex that uses it."""
    formulas = {
        "avh": "front / ((above + below) / 2) * 100",
        "pmi": "psoas / (height * height)",
        "sarcopenia": "pmi < 300 and sex == 'male' or pmi < 450 and sex == 'female'",
    }
    with caplog.at_level(logging.INFO):
        found = with_derived(
            TABLE, formulas, described(avh="continuous", pmi="continuous", sarcopenia="binary")
        )
    assert found["avh"][0] == pytest.approx(72.0)
    assert np.isnan(found["avh"][1])  # divided by zero
    assert np.isnan(found["avh"][2])
    assert found["pmi"].tolist() == pytest.approx([400.0, 700 / 1.75**2, 200.0])
    assert found["sarcopenia"].tolist() == ["yes", "yes", "yes"]
    assert "derived avh = front / ((above + below) / 2) * 100: 1 of 3 rows, 72 to 72 %" in (
        caplog.text
    )
    assert "Is the unit right?" in caplog.text
    assert "met in 3 of 3 rows" in caplog.text


@pytest.mark.parametrize(
    ("formulas", "types", "code"),
    [
        ({"front": "above - below"}, {}, "derived-column-exists"),
        ({"loss": "above - below"}, {}, "derived-column-undescribed"),
        ({"loss": "above - below"}, {"loss": "binary"}, "derived-type-differs"),
        ({"low": "above < below"}, {"low": "continuous"}, "derived-type-differs"),
        ({"low": "abve - below"}, {"low": "continuous"}, "formula-column-unknown"),
    ],
)
def test_what_is_refused(formulas, types, code):
    with refusal(code):
        with_derived(TABLE, formulas, described(**types))


def test_a_study_works_them_out_and_a_model_may_see_them(tmp_path):
    write_clinical(tmp_path)
    table = pd.read_csv(tmp_path / "clinical.csv")
    text = (tmp_path / "dictionary.csv").read_text().rstrip("\n")
    row = "decades,Decades,continuous,10 years,,preoperative,predictor" + "," * (
        text.splitlines()[0].count(",") - 6)  # fmt: skip
    (tmp_path / "dictionary.csv").write_text(f"{text}\n{row}\n")
    given = clinical_options(tmp_path, derived={"decades": "age / 10"})
    study = validate_study(resolve_config(given))
    known = dict(zip(table["patient_id"], table["age"] / 10, strict=True))
    assert study.clinical["decades"].tolist() == pytest.approx(
        [known[one] for one in study.clinical["patient_id"]]
    )
