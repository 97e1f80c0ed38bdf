"""A study that is a clinical table alone, drawn from a seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.study.config import resolve_config
from pipeline.study.study import Study
from pipeline.validate import validate_study

DICTIONARY = """\
column,label,type,unit,levels,timing,role,range,test
age,Age,continuous,years,,preoperative,predictor,18|110,
sex,Sex,binary,,female|male,preoperative,predictor,,fisher
bmi,BMI,continuous,kg/m2,,preoperative,predictor,10|80,welch-t
asa,ASA class,ordinal,class,,preoperative,predictor,1|5,
fracture,New fracture,binary,,no|yes,postoperative,outcome,,
vas,Pain,ordinal,points,,postoperative,outcome,0|10,
ward,Ward,categorical,,A|B,preoperative,other,,
"""

MORE = """\
hu,CT attenuation,continuous,HU,,preoperative,predictor,,
hu_1,CT attenuation,continuous,HU,,preoperative,other,,
hu_2,CT attenuation,continuous,HU,,preoperative,other,,
hu_3,CT attenuation,continuous,HU,,preoperative,other,,
vas_pre,Pain before,ordinal,points,,preoperative,other,0|10,
treated,Treated levels,categorical,,,intraoperative,other,,
broken,New fractures,categorical,,,postoperative,other,,
years,Follow-up,continuous,years,,postoperative,other,,
"""
"""Rows of the dictionary of what only `COURSE` uses."""

COURSE = {
    "readings": {"hu": ["hu_1", "hu_2", "hu_3"]},
    "outcomes": {
        "by": "fracture",
        "adjust_for": ["age", "sex"],
        "figures": ["groups", "correlations"],
        "levels": {"treated": "treated", "new": "broken"},
        "scales": [
            {
                "label": "VAS",
                "unit": "points",
                "range": [0, 10],
                "mcid": 2,
                "columns": {"before": "vas_pre", "after": "vas"},
                "bands": {"mild": 3, "severe": 10},
            }
        ],
        "events": [
            {"label": "Adjacent", "event": "adjacent", "followed": "years", "unit": "years"}
        ],
    },
}
"""Options of a study with scales, events, levels, figures and readings."""


def write_clinical(folder: Path, patients: int = 60, seed: int = 1) -> pd.DataFrame:
    """Write clinical.csv and dictionary.csv; older patients have more new fractures."""
    rng = np.random.default_rng(seed)
    fracture = rng.random(patients) < 0.4
    table = pd.DataFrame(
        {
            "patient_id": [f"P{number:03d}" for number in range(patients)],
            "age": np.round(rng.normal(70 + 6 * fracture, 8)).astype(int),
            "sex": rng.choice(["female", "male"], patients),
            "bmi": rng.normal(25, 3, patients).round(1),
            "asa": rng.choice([1, 2, 3], patients),
            "fracture": np.where(fracture, "yes", "no"),
            "vas": np.clip(rng.normal(4 + 2 * fracture, 2).round(), 0, 10).astype(int),
            "ward": rng.choice(["A", "B"], patients),
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / "clinical.csv", index=False)
    (folder / "dictionary.csv").write_text(DICTIONARY)
    return table


def with_course(table: pd.DataFrame, folder: Path, seed: int = 2) -> pd.DataFrame:
    """Write the table and its dictionary once more, with the columns that `COURSE` uses."""
    rng = np.random.default_rng(seed)
    n = len(table)
    hu = rng.normal(80, 20, n)
    more = {f"hu_{at}": np.round(hu + rng.normal(0, 4, n), 1) for at in (1, 2, 3)}
    more["vas_pre"] = rng.integers(5, 11, n)
    more["treated"] = rng.choice(["T12", "L1", "T12, L1"], n)
    more["broken"] = rng.choice(["", "", "T11", "L4"], n)
    more["years"] = rng.uniform(0.5, 3, n).round(2)
    table = table.assign(**more)
    table.to_csv(folder / "clinical.csv", index=False)
    (folder / "dictionary.csv").write_text(DICTIONARY + MORE)
    return table


def clinical_options(folder: Path, **options: object) -> dict:
    """Return the options of a study that compares groups of the table in `folder`."""
    return {
        "study": "groups",
        "clinical": str(folder / "clinical.csv"),
        "dictionary": str(folder / "dictionary.csv"),
        "results": str(folder / "results"),
        "analyses": ["outcomes"],
        "outcomes": {"by": "fracture"},
        **options,
    }


def clinical_study(folder: Path, **options: object) -> Study:
    """Return that study, validated."""
    return validate_study(resolve_config(clinical_options(folder, **options)))
