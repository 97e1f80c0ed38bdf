"""Clinical half of the synthetic studies: the patients, the outcome they get, the data dictionary.

Both demos draw from here: `demo.make` (DICOM and masks) and `demo.tables` (ready feature tables).
The mechanism is documented in docs/demo.md; nothing of it is told to the models.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit

OUTCOME_FORMULA = "vas_day3 >= 4 and vas_day30 >= 4"
"""Residual back pain as published for the main system: VAS of at least 4 at day 3 and day 30."""


@dataclass(frozen=True)
class Planted:
    """One clinical predictor that really acts on the outcome.

    Attributes
    ----------
    column : str
        Column of the clinical table.
    coefficient : float
        Change of the log odds for ``yes``, or per `scale` of a continuous column.
    centre, scale : float
        A continuous column enters as (value - centre) / scale, in its own unit.
    """

    column: str
    coefficient: float
    centre: float = 0.0
    scale: float = 1.0


PLANTED_CLINICAL = (
    Planted("pfo", 1.8),
    Planted("trauma", 1.5),
    Planted("bone_density_t", -0.9, centre=-3.2, scale=0.8),
)
"""Predictors named in published nomograms; coefficients are larger than published ones, since a
demo of few patients must have something to find."""

MISSING_SHARE = {"bmi": 0.04, "bone_density_t": 0.03, "goutallier": 0.05, "albumin": 0.06}
"""Share of values lost completely at random, by column."""

_YES = ("no", "yes")

_DICTIONARY = [
    # column, label, type, unit, levels, timing, role
    ("age", "Age", "continuous", "years", None, "preoperative", "predictor"),
    ("sex", "Sex", "categorical", None, "F|M", "preoperative", "predictor"),
    ("bmi", "Body mass index", "continuous", "kg/m2", None, "preoperative", "predictor"),
    (
        "bone_density_t",
        "Bone mineral density (DXA)",
        "continuous",
        "T-score",
        None,
        "preoperative",
        "predictor",
    ),
    ("trauma", "Evident trauma", "binary", None, "no|yes", "preoperative", "predictor"),
    ("pfo", "Posterior fascia oedema", "binary", None, "no|yes", "preoperative", "predictor"),
    ("ivc", "Intravertebral vacuum cleft", "binary", None, "no|yes", "preoperative", "predictor"),
    (
        "goutallier",
        "Fatty infiltration of the multifidus (Goutallier)",
        "ordinal",
        "grade",
        "0|1|2|3|4",
        "preoperative",
        "predictor",
    ),
    ("diabetes", "Diabetes mellitus", "binary", None, "no|yes", "preoperative", "predictor"),
    ("smoking", "Current smoker", "binary", None, "no|yes", "preoperative", "predictor"),
    ("pain_duration", "Duration of pain", "continuous", "days", None, "preoperative", "predictor"),
    ("albumin", "Serum albumin", "continuous", "g/l", None, "preoperative", "predictor"),
    (
        "vas_before",
        "Back pain before surgery (VAS)",
        "ordinal",
        "points",
        "0|1|2|3|4|5|6|7|8|9|10",
        "preoperative",
        "predictor",
    ),
    ("malignancy", "Known malignancy", "binary", None, "no|yes", "preoperative", "eligibility"),
    ("cement_volume", "Cement volume", "continuous", "ml", None, "intraoperative", "predictor"),
    ("cement_leakage", "Cement leakage", "binary", None, "no|yes", "intraoperative", "predictor"),
    (
        "odi_day30",
        "Oswestry disability index at day 30",
        "continuous",
        "percent",
        None,
        "postoperative",
        "predictor",
    ),
    (
        "vas_day3",
        "Back pain at day 3 (VAS)",
        "ordinal",
        "points",
        "0|1|2|3|4|5|6|7|8|9|10",
        "postoperative",
        "outcome",
    ),
    (
        "vas_day30",
        "Back pain at day 30 (VAS)",
        "ordinal",
        "points",
        "0|1|2|3|4|5|6|7|8|9|10",
        "postoperative",
        "outcome",
    ),
]


def dictionary(*id_columns: tuple[str, str]) -> pd.DataFrame:
    """Return the data dictionary of the synthetic cohort.

    Parameters
    ----------
    *id_columns : tuple of str
        ``(column, label)`` of the id columns, which come first.

    Returns
    -------
    pandas.DataFrame
        One row per clinical column: ``column, label, type, unit, levels, timing, role``.
    """
    rows = [
        (column, label, "categorical", None, None, "preoperative", "id")
        for column, label in id_columns
    ]
    return pd.DataFrame(
        rows + _DICTIONARY,
        columns=["column", "label", "type", "unit", "levels", "timing", "role"],
    )


def draw_patients(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw what is known of each patient before and during surgery, without gaps.

    Parameters
    ----------
    n : int
        Number of patients.
    rng : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    pandas.DataFrame
        `n` rows; the pre- and intraoperative columns of `dictionary`. Everyone is at least 55 years
        old and free of malignancy, hence eligible.
    """

    def yes(share: float) -> np.ndarray:
        return np.where(rng.random(n) < share, "yes", "no")

    sex = np.where(rng.random(n) < 0.22, "M", "F")
    age = np.clip(rng.normal(72, 8, n), 55, 94).round()
    # Bone is lost with age, and men start with more of it; the mean fits a fracture cohort.
    bone = -3.2 - 0.02 * (age - 72) + 0.25 * (sex == "M") + rng.normal(0, 0.75, n)
    return pd.DataFrame(
        {
            "age": age,
            "sex": sex,
            "bmi": rng.normal(23.8, 3.4, n).round(1),
            "bone_density_t": np.clip(bone, -5.8, -0.9).round(1),
            "trauma": yes(0.45),
            "pfo": yes(0.30),
            "ivc": yes(0.12),
            "goutallier": rng.choice(5, n, p=[0.15, 0.25, 0.3, 0.2, 0.1]).astype(float),
            "diabetes": yes(0.2),
            "smoking": yes(0.15),
            "pain_duration": np.ceil(rng.lognormal(2.3, 0.8, n)),
            "albumin": rng.normal(40, 4, n).round(1),
            "vas_before": np.clip(rng.normal(7.4, 1.1, n).round(), 4, 10),
            "malignancy": np.full(n, "no"),
            "cement_volume": np.clip(rng.normal(5.0, 1.2, n), 1.5, 9).round(1),
            "cement_leakage": yes(0.25),
        }
    )


def clinical_logit(patients: pd.DataFrame) -> np.ndarray:
    """Return what the planted clinical predictors add to each patient's log odds, shape (n,)."""
    logit = np.zeros(len(patients))
    for planted in PLANTED_CLINICAL:
        column = patients[planted.column]
        if column.isin(_YES).all():
            value = (column == "yes").to_numpy(dtype=float)
        else:
            value = (column.to_numpy(dtype=float) - planted.centre) / planted.scale
        logit += planted.coefficient * value
    return logit


def intercept_for(logit: np.ndarray, prevalence: float) -> float:
    """Return the intercept that makes the mean probability over `logit` equal `prevalence`."""
    return float(brentq(lambda b: expit(b + logit).mean() - prevalence, -50, 50))


def draw_outcome(
    logit: np.ndarray, prevalence: float, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Draw a binary outcome from log odds whose intercept fits a prevalence.

    Parameters
    ----------
    logit : ndarray of shape (n,)
        Log odds without intercept.
    prevalence : float
        Mean probability over the patients.
    rng : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    outcome : ndarray of shape (n,), int
        0 or 1, one Bernoulli draw a patient.
    intercept : float
        The intercept that was used.
    """
    intercept = intercept_for(logit, prevalence)
    return draw_events(logit, intercept, rng), intercept


def draw_events(logit: np.ndarray, intercept: float, rng: np.random.Generator) -> np.ndarray:
    """Draw one Bernoulli event a patient with log odds ``intercept + logit``, 0 or 1."""
    return (rng.random(len(logit)) < expit(intercept + logit)).astype(int)


def add_follow_up(
    patients: pd.DataFrame, outcome: np.ndarray, rng: np.random.Generator
) -> pd.DataFrame:
    """Add the postoperative columns, such that `OUTCOME_FORMULA` gives `outcome` back.

    A patient without the outcome may still have pain at one of the two visits. `odi_day30` follows
    the outcome closely: a model that reads it knows the answer, which is why a preoperative study
    must refuse it.

    Parameters
    ----------
    patients : pandas.DataFrame
        From `draw_patients`.
    outcome : ndarray of shape (n,), int
        0 or 1.
    rng : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    pandas.DataFrame
        A copy with ``odi_day30``, ``vas_day3`` and ``vas_day30``.
    """
    n = len(patients)
    low, high = rng.integers(0, 4, (n, 2)), rng.integers(4, 9, (n, 2))
    # Without the outcome: mostly relieved at both visits, one in four only at the second.
    pattern = rng.choice(3, n, p=[0.70, 0.25, 0.05])
    painful = np.column_stack([pattern == 1, pattern == 2]) | (outcome[:, None] == 1)
    scores = np.where(painful, high, low).astype(float)
    table = patients.copy()
    table["odi_day30"] = np.clip(rng.normal(22 + 26 * outcome, 8), 0, 100).round()
    table["vas_day3"], table["vas_day30"] = scores.T
    return table


def lose_values(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return a copy of `table` in which `MISSING_SHARE` of the values are missing."""
    table = table.copy()
    for column, share in MISSING_SHARE.items():
        table.loc[rng.random(len(table)) < share, column] = np.nan
    return table


def describe_mechanism(intercept: float) -> dict:
    """Return the clinical part of the mechanism as JSON values, for truth.json."""
    return {
        "formula": OUTCOME_FORMULA,
        "intercept": intercept,
        "clinical": [
            {
                "column": planted.column,
                "coefficient": planted.coefficient,
                "enters_as": "1 for yes"
                if planted.scale == 1.0
                else f"(value - {planted.centre:g}) / {planted.scale:g}",
            }
            for planted in PLANTED_CLINICAL
        ],
    }
