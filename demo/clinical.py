"""Synthetic cohorts of four published clinical studies: nobody's data, margins as published.

Each column is drawn by itself, with the share or mean that the paper prints, and the outcome from a
logistic model whose coefficients are written to truth.json. Tables of such a cohort look like the
paper's, and what a study should find is known. Correlations between columns are not published, and
there are none.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from scipy.optimize import brentq

from pipeline.core import command
from pipeline.core.files import whole_file, write_csv, write_json
from pipeline.core.seeds import derive_seed
from pipeline.study.config import PROTOCOLS
from pipeline.study.option_numbers import SEED, number_within

#: What a column of `Numbers` may hold at most, in standard deviations from its mean.
_FARTHEST = 3.0


@dataclass(frozen=True)
class Numbers:
    """A column of numbers: mean and standard deviation, decimals, coefficient a unit (logit).

    With `readings` the table holds that many columns ``<column>_1, ...`` instead, each off by a
    standard deviation of `error`; their mean is what a study makes of them. With `after` it is the
    value of another column less a change of this mean and standard deviation: what a treatment did.
    """

    label: str
    unit: str
    mean: float
    sd: float
    decimals: int = 0
    timing: str = "preoperative"
    b: float = 0.0
    readings: int = 0
    error: float = 0.0
    after: str = ""
    top: float = 10


@dataclass(frozen=True)
class Levels:
    """A column of levels: share of each, coefficient of each against the first (logit)."""

    label: str
    shares: Mapping[str, float]
    timing: str = "preoperative"
    b: Mapping[str, float] = field(default_factory=dict)
    test: str = ""


def _yes(label: str, share: float, b: float = 0.0, timing: str = "preoperative") -> Levels:
    return Levels(label, {"no": 1 - share, "yes": share}, timing, {"yes": b})


@dataclass(frozen=True)
class Cohort:
    """A cohort: its size, its events, what the outcome is called, and its columns."""

    patients: int
    events: int
    outcome: tuple[str, str]
    columns: Mapping[str, Numbers | Levels]
    fractures: bool = False
    """Whether vertebral levels are drawn: treated ones, and those that broke afterwards."""


_LATER = {"decimals": 0, "timing": "postoperative"}
_WIDE = {**_LATER, "top": 50}

#: Margins and coefficients of the two nomograms, as their tables print them. Of rong2025's
#: validation the first 569 patients by enrolment are the training part.
COHORTS = {
    "li2021": Cohort(
        268,
        37,
        ("residual_pain", "Residual back pain"),
        {
            "age": Numbers("Age", "years", 74, 8),
            "sex": Levels("Sex", {"female": 0.802, "male": 0.198}),
            "bmi": Numbers("BMI", "kg/m2", 23.88, 3.57, 1),
            "bmd": Numbers("BMD, T-score", "SD", -3.1, 0.8, 1),
            "ivc": _yes("Intravertebral vacuum cleft", 0.075, 1.332),
            "pfo": _yes("Posterior fascia oedema", 0.067, 1.377),
            "goutallier": Levels(
                "Goutallier grade",
                {"0-1": 0.354, "2": 0.403, "3-4": 0.243},
                b={"2": 1.758, "3-4": 2.622},
            ),
            "cement": Levels(
                "Cement distribution",
                {"spongy": 0.642, "blocky": 0.358},
                "intraoperative",
                {"blocky": 0.8},
            ),
            "leakage": _yes("Cement leakage", 0.175, timing="intraoperative"),
        },
    ),
    "rong2025": Cohort(
        647,
        134,
        ("residual_pain", "Residual back pain"),
        {
            "age": Numbers("Age", "years", 71.6, 9.05, b=-0.038),
            "sex": Levels("Sex", {"female": 0.786, "male": 0.214}, b={"male": 0.295}),
            "height": Numbers("Height", "cm", 158, 7, b=0.012),
            "bmd": _yes("BMD, |T| above 3.5", 0.441, -0.553),
            "trauma": _yes("Trauma", 0.738, 0.797),
            "pfo": _yes("Posterior fascia oedema", 0.091, 1.804),
            "pdw": Numbers("Platelet distribution width", "%", 12.81, 2.4, 1, b=0.139),
            "chloride": Numbers("Chloride", "mmol/L", 105, 3.2, 1, b=-0.097),
            "ldh": Numbers("Lactate dehydrogenase", "U/L", 205, 40, b=0.002),
            "cement_volume": Numbers("Cement volume", "mL", 4.8, 1.1, 1, "intraoperative", -0.194),
            "avh_restored": _yes("Anterior height restored", 0.722, -0.211, "postoperative"),
            "mvh_restored": _yes("Middle height restored", 0.787, -1.349, "postoperative"),
        },
    ),
    "yassavoly2025": Cohort(
        251,
        18,
        ("adjacent", "Adjacent vertebral fracture"),
        {
            "age": Numbers("Age", "years", 74, 9),
            "sex": Levels("Sex", {"female": 0.75, "male": 0.25}, test="fisher"),
            "brace": _yes("Brace after surgery", 0.124, timing="postoperative"),
            "levels_treated": Levels(
                "Treated levels",
                {"1": 0.669, "2": 0.251, "3": 0.06, "4": 0.012, "5": 0.008},
                "intraoperative",
            ),
            "leakage": Levels(
                "Cement leakage",
                {"none": 0.75, "spike": 0.12, "round": 0.13},
                "intraoperative",
            ),
            "years": Numbers("Follow-up", "years", 1.98, 0.57, 2, "postoperative"),
            "vas_pre": Numbers("VAS before surgery", "points", 7.5, 1.5, 0, "preoperative"),
            "vas_1m": Numbers("VAS at one month", "points", 4, 1.6, after="vas_pre", **_LATER),
            "vas_last": Numbers("VAS, last visit", "points", 5, 1.6, after="vas_pre", **_LATER),
            "odi_pre": Numbers("ODI before surgery", "points", 33, 6, 0, top=50),
            "odi_1m": Numbers("ODI at one month", "points", 14, 6, after="odi_pre", **_WIDE),
            "odi_last": Numbers("ODI, last visit", "points", 17, 6, after="odi_pre", **_WIDE),
        },
        fractures=True,
    ),
    # Of this paper the margins of sarcopenia and of the anterior height are known by group; all
    # others are assumed.
    "zhang2025": Cohort(
        179,
        29,
        ("distal_pain", "Distal lumbosacral pain"),
        {
            "age": Numbers("Age", "years", 72, 8),
            "sex": Levels("Sex", {"female": 0.8, "male": 0.2}, test="likelihood-ratio"),
            "bmi": Numbers("BMI", "kg/m2", 23.5, 3.3, 1),
            "bmd": Numbers("BMD, T-score", "SD", -3.2, 0.8, 1),
            "diabetes": Levels("Diabetes", {"no": 0.8, "yes": 0.2}, test="likelihood-ratio"),
            "hypertension": _yes("Hypertension", 0.4),
            "ivc": Levels(
                "Intravertebral vacuum cleft", {"no": 0.88, "yes": 0.12}, test="likelihood-ratio"
            ),
            "segment": Levels(
                "Fractured level",
                {"T10": 0.06, "T11": 0.12, "T12": 0.28, "L1": 0.34, "L2": 0.2},
                test="trend",
            ),
            "sarcopenia": _yes("Sarcopenia", 0.595, 1.385),
            "avh": Numbers("Anterior height", "%", 57.13, 6, 1, b=-0.119, readings=3, error=1.5),
            "hu": Numbers("CT attenuation of L3", "HU", 75, 25, 0, b=-0.012, readings=3, error=5),
            "cobb": Numbers("Cobb angle", "degrees", 15, 7, 1, b=0.04, readings=3, error=2),
            "vas_pre": Numbers("VAS before surgery", "points", 7.2, 1.2),
            "cement_volume": Numbers("Cement volume", "mL", 4.6, 1.1, 1, "intraoperative"),
            "leakage": _yes("Cement leakage", 0.18, timing="intraoperative"),
        },
    ),
}


def simulate(name: str, seed: int = 2025, patients: int | None = None) -> tuple[pd.DataFrame, dict]:
    """Draw a cohort.

    Parameters
    ----------
    name : str
        A key of `COHORTS`.
    seed : int
        Of all draws.
    patients : int, optional
        How many; as published by default.

    Returns
    -------
    table : pandas.DataFrame
        One row per patient: ``patient_id, enrolment``, the columns, and the outcome (no, yes); of
        a cohort with fractures also ``treated, new_fractures, adjacent_at``.
    truth : dict
        ``{intercept, coefficients: {column or column=level: logit}, prevalence}``; of a cohort
        with fractures ``{rates: {kind: a person-year}, prevalence}``.
    """
    cohort = COHORTS[name]
    n = patients or cohort.patients
    rng = np.random.default_rng(derive_seed(seed, "clinical cohort", name))
    table = pd.DataFrame({"patient_id": [f"SYN-{number:04d}" for number in range(1, n + 1)]})
    table["enrolment"] = np.arange(1, n + 1)
    logit, truth = np.zeros(n), {}
    for column, drawn in cohort.columns.items():
        if isinstance(drawn, Numbers):
            values = _numbers(drawn, n, rng, table)
            logit += drawn.b * values
            if drawn.b:
                truth[column] = drawn.b
            whole = int if not drawn.decimals else float
            if not drawn.readings:
                table[column] = values.astype(whole)
            for number in range(1, drawn.readings + 1):
                read = values + drawn.error * rng.standard_normal(n)
                table[f"{column}_{number}"] = np.round(read, drawn.decimals).astype(whole)
            continue
        levels = list(drawn.shares)
        shares = np.array(list(drawn.shares.values()))
        table[column] = rng.choice(levels, n, p=shares / shares.sum())
        logit += table[column].map(dict(drawn.b)).fillna(0.0).to_numpy(float)
        truth |= {f"{column}={level}": b for level, b in drawn.b.items() if b}
    share = cohort.events / cohort.patients
    intercept = brentq(lambda a: (1 / (1 + np.exp(-a - logit))).mean() - share, -60, 60)
    risk = 1 / (1 + np.exp(-intercept - logit))
    table[cohort.outcome[0]] = np.where(rng.random(n) < risk, "yes", "no")
    planted = {"intercept": float(intercept), "coefficients": truth, "prevalence": share}
    if cohort.fractures:
        _draw_fractures(table, rng)
        table[cohort.outcome[0]] = np.where(table["adjacent_at"].notna(), "yes", "no")
        planted = {"rates": NEW_A_YEAR, "prevalence": share}
    return table, planted


def _numbers(drawn: Numbers, n: int, rng: np.random.Generator, table: pd.DataFrame) -> np.ndarray:
    """Return the values of a column of numbers."""
    away = np.clip(rng.standard_normal(n), -_FARTHEST, _FARTHEST)
    values = drawn.mean + drawn.sd * away
    if drawn.after:
        values = table[drawn.after].to_numpy(float) - values
    values = np.round(values, drawn.decimals)
    return np.clip(values, 0, drawn.top) if drawn.unit == "points" else values


NEW_A_YEAR = {"adjacent": 0.036, "remote": 0.017}
"""Rate of new fractures a person-year, the same with and without a brace (about as published)."""

LUMBAR = ("T10", "T11", "T12", "L1", "L2", "L3", "L4")


def _draw_fractures(table: pd.DataFrame, rng: np.random.Generator) -> None:
    """Add the treated levels, those that broke afterwards, and when the first of a kind broke.

    Follow-up is shorter with a brace (1.1 and 2.1 years), as published.
    """
    braced = (table["brace"] == "yes").to_numpy()
    years = np.where(braced, 1.1, 2.1) * rng.uniform(0.6, 1.4, len(table))
    table["years"] = np.round(years, 2)
    rows: dict[str, list] = {"treated": [], "new_fractures": [], "adjacent_at": []}
    for count, followed in zip(table["levels_treated"].astype(int), table["years"], strict=True):
        first = int(rng.integers(0, len(LUMBAR) - count + 1))
        treated = LUMBAR[first : first + count]
        ends = {kind: rng.exponential(1 / rate) for kind, rate in NEW_A_YEAR.items()}
        broken = []
        if ends["adjacent"] < followed:
            broken.append(_away(treated, 1))
        if ends["remote"] < followed:
            broken.append(_away(treated, 3))
        rows["treated"].append(", ".join(treated))
        rows["new_fractures"].append(", ".join(broken))
        at = max(round(ends["adjacent"], 2), 0.01)
        rows["adjacent_at"].append(at if ends["adjacent"] < followed else np.nan)
    for name, values in rows.items():
        table[name] = values


def _away(treated: tuple[str, ...], steps: int) -> str:
    """Return the level so many steps above the highest treated one."""
    spine = ("T5", "T6", "T7", "T8", "T9", *LUMBAR)
    return spine[spine.index(treated[0]) - steps]


def dictionary_of(name: str) -> pd.DataFrame:
    """Return the data dictionary of a cohort: a row a column."""
    cohort = COHORTS[name]
    rows = []
    for column, drawn in cohort.columns.items():
        row = {"column": column, "label": drawn.label, "timing": drawn.timing, "role": "predictor"}
        if isinstance(drawn, Numbers):
            for number in range(1, drawn.readings + 1):
                reading = {
                    "column": f"{column}_{number}",
                    "label": f"{drawn.label}, reading {number}",
                }
                reading |= {"type": "continuous", "unit": drawn.unit}
                rows.append(row | reading | {"role": "other"})
        if isinstance(drawn, Numbers):
            kind = "ordinal" if drawn.unit == "points" else "continuous"
            row |= {"type": kind, "unit": drawn.unit}
        else:
            kind = "binary" if len(drawn.shares) == 2 else "categorical"
            row |= {"type": kind, "levels": "|".join(drawn.shares), "test": drawn.test}
        rows.append(row)
    column, label = cohort.outcome
    outcome = {"column": column, "label": label, "type": "binary", "levels": "no|yes"}
    rows.append(outcome | {"timing": "postoperative", "role": "outcome"})
    if cohort.fractures:
        later = {"timing": "postoperative", "role": "other"}
        words = {"type": "categorical"}
        rows += [
            {"column": "treated", "label": "Treated levels"} | words | later,
            {"column": "new_fractures", "label": "New fractures"} | words | later,
            {"column": "adjacent_at", "label": "Time of the first adjacent fracture"}
            | {"type": "continuous", "unit": "years"}
            | later,
        ]
    enrolment = {"column": "enrolment", "label": "Order of enrolment", "type": "continuous"}
    rows.append(enrolment | {"unit": "patients", "timing": "preoperative", "role": "split"})
    columns = ["column", "label", "type", "unit", "levels", "timing", "role", "range", "test"]
    return pd.DataFrame(rows).reindex(columns=columns).fillna("")


def write_cohort(name: str, folder: Path, seed: int = 2025) -> None:
    """Write clinical.csv, dictionary.csv and truth.json of a cohort."""
    table, truth = simulate(name, seed)
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in (("clinical.csv", table), ("dictionary.csv", dictionary_of(name))):
        with whole_file(folder / file) as beside:
            content.to_csv(beside, index=False)
    write_json(truth, folder / "truth.json")


def template_of(name: str) -> dict[str, pd.DataFrame]:
    """Return the tables of a new study with a cohort's protocol, of one patient named EXAMPLE-0001.

    Those of the cohort, without the order of enrolment where no line of the protocol asks for it.
    """
    table, dictionary = simulate(name)[0].head(1), dictionary_of(name)
    protocol = yaml.safe_load((PROTOCOLS / f"{name}.yaml").read_text(encoding="utf-8"))
    if protocol.get("split", {}).get("column") != "enrolment":
        table = table.drop(columns="enrolment")
        dictionary = dictionary[dictionary["column"] != "enrolment"]
    return {"clinical": table.assign(patient_id="EXAMPLE-0001"), "dictionary": dictionary}


def main(options: argparse.Namespace) -> None:
    """Write the cohorts that are asked for, or the templates of all protocols."""
    for name in COHORTS if options.templates else ():
        for file, table in template_of(name).items():
            write_csv(table, options.out / name / f"{file}.csv")
    if options.templates:
        return
    for name in [options.cohort] if options.cohort else COHORTS:
        write_cohort(name, options.out / name, options.seed)


def _arguments() -> argparse.ArgumentParser:
    arguments = command.parser("demo.clinical", __doc__)
    arguments.add_argument(
        "--templates",
        action="store_true",
        help="write the tables of `vertebromics new --protocol` instead (into config/protocols)",
    )
    arguments.add_argument("--cohort", choices=list(COHORTS), help="one of them (default: all)")
    arguments.add_argument("--out", required=True, type=Path, help="folder of a folder each")
    arguments.add_argument("--seed", type=number_within(SEED), default=2025, help="of all draws")
    return arguments


if __name__ == "__main__":
    command.run(main, _arguments())
