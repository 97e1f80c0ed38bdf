"""Several sites, tried on simulated patients: harmonisation, validation and recalibration.

``python -m proofs.several_sites --out FOLDER``: no stage. Two questions.

Does harmonisation leak? Outcomes that nothing but the site can predict, in the production chain.
Inside the folds, the AUROC has to be 0.5. ComBat on all patients before they are divided, with the
outcome among the covariates that are kept, as studies are seen to do it, shows what that is worth
[1]_.

Does a model hold at another hospital? A model of one site meets patients of a second: of the same
population, or of another (other scanner, other prevalence, weaker effects). The calibration slope's
interval has to cover the true slope there, which many patients give; and a model recalibrated on
some of the site's patients has to have a slope of 1 among its others.

References
----------
.. [1] Nygaard V, Rodland EA, Hovig E. Methods that remove batch effects while retaining group
   differences may lead to exaggerated confidence in downstream analyses. Biostatistics
   2016;17:29-39.
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit
from threadpoolctl import threadpool_limits

from models.learning.options import ProcedureOptions
from models.learning.procedure import Procedure
from models.scoring import metrics
from models.scoring.calibration import calibration_slope
from models.transformers.columns import Columns
from models.transformers.combat import apply_combat, fit_combat
from models.validation.recalibration import SLOPE, Recalibration, recalibrate
from pipeline.core import command
from pipeline.core.files import write_csv
from pipeline.core.sections import part_of
from pipeline.core.seeds import derive_seed
from pipeline.study.config import resolve_config
from pipeline.study.option_numbers import SEED, bounded_number, number_within

logger = logging.getLogger("vertebromics")

SITES = {"north": (0.0, 1.0, 0.1), "south": (1.5, 1.6, 0.5), "west": (-1.0, 0.7, 0.9)}
"""Site -> shift and stretch of its scanner, and the share of its patients with the outcome."""

PATIENTS, TRAINING, FEATURES, PLANTED = 240, 160, 60, 6
PARAMETERS = {"C": 1.0, "l1_ratio": 0.0}
"""Of the logistic regression, not searched: no parameters are better where there is nothing."""

INSIDE, BEFORE, BEFORE_WITH_OUTCOME, NONE = (
    "inside the folds",
    "before the split",
    "before the split, outcome kept",
    "none",
)

NAMES = [f"original_firstorder_F{number:02d}" for number in range(FEATURES)]
PLAIN = Columns(("A",), None, tuple(NAMES), ())
HARMONISED = replace(PLAIN, site="site")

TOLERANCE, LEAST_EXCESS = 0.03, 0.1
"""How far the mean AUROC of noise may be from 0.5, and by how much the leaking order has to exceed
it, for the proof to be able to see a leak."""

LARGE, SLOPE_OFF, COVERED = 100_000, 0.1, (0.93, 0.97)
"""Patients that give a true slope; how far from 1 a recalibrated slope may be on average; between
which shares of intervals have to cover."""


def configured(seed: int) -> ProcedureOptions:
    """Return the options of the trials: the defaults, one family, no search."""
    own = {"study": "sites", "features": {"A": "none"}, "models": ["lr"], "seed": seed}
    own |= {"outcome": {"name": "event", "formula": "event == 1"}, "split": {"folds": 3}}
    own |= {"harmonisation": {"method": "combat", "tiny_site": "pass"}}
    return part_of(ProcedureOptions, resolve_config(own))


def noise(seed: int) -> pd.DataFrame:
    """Return patients of three sites whose features tell the site and nothing of the outcome.

    The outcome is drawn at random within each site, with another share at each: it goes with the
    site, as where one hospital operates the severe cases.
    """
    rng = np.random.default_rng(derive_seed(seed, "noise"))
    sites = rng.choice(list(SITES), PATIENTS)
    values = rng.standard_normal((PATIENTS, FEATURES))
    outcome = np.zeros(PATIENTS, dtype=int)
    for name, (shift, stretch, share) in SITES.items():
        at = sites == name
        values[at] = values[at] * stretch + shift + rng.normal(0, 0.5, FEATURES)
        outcome[at] = rng.random(at.sum()) < share
    table = pd.DataFrame(values, columns=[f"A:{name}" for name in NAMES])
    ids = [f"P{number}" for number in range(PATIENTS)]
    return table.assign(unit_id=ids, patient_id=ids, outcome=outcome, site=sites)


def within_sites(table: pd.DataFrame, risk: np.ndarray) -> float:
    """Return the mean AUROC within the sites, weighted by pairs: the site itself cannot help."""
    pairs, areas = [], []
    for _, rows in table.assign(risk=risk).groupby("site"):
        events = int(rows["outcome"].sum())
        if 0 < events < len(rows):
            pairs.append(events * (len(rows) - events))
            areas.append(metrics.auroc(rows["outcome"].to_numpy(), rows["risk"].to_numpy()))
    return float(np.average(areas, weights=pairs))


def before_the_split(table: pd.DataFrame, *, outcome_kept: bool) -> pd.DataFrame:
    """Return the table harmonised over all patients, as studies are seen to do it."""
    columns = [f"A:{name}" for name in NAMES]
    kept = table[["outcome"]].to_numpy(float) if outcome_kept else np.empty((len(table), 0))
    values, sites = table[columns].to_numpy(), table["site"].to_numpy(str)
    moved = apply_combat(fit_combat(values, sites, kept), values, sites, kept)
    return table.assign(**dict(zip(columns, moved.T, strict=True)))


def leakage_trial(seed: int) -> list[dict]:
    """Return the AUROCs of one cohort of noise, of its test patients, in each order.

    Not cross-validated: what one fold has too much of, the others have too little of, so that noise
    is ranked below 0.5.
    """
    table, options = noise(seed), configured(seed)
    test = np.arange(PATIENTS) >= TRAINING
    given = {
        NONE: (PLAIN, table),
        INSIDE: (HARMONISED, table),
        BEFORE: (PLAIN, before_the_split(table, outcome_kept=False)),
        BEFORE_WITH_OUTCOME: (PLAIN, before_the_split(table, outcome_kept=True)),
    }
    rows = []
    for order, (columns, rows_of) in given.items():
        training = rows_of[~test].reset_index(drop=True)
        run = Procedure("lr", columns, options, "fixed", PARAMETERS).run(training, seed)
        risk = run.fitted.predict(rows_of[test])
        overall = metrics.auroc(table["outcome"][test].to_numpy(), risk)
        found = {"auroc": float(overall), "auroc_within_sites": within_sites(table[test], risk)}
        rows.append({"seed": seed, "order": order} | found)
    return rows


def patients_of(site: str, count: int, seed: int) -> pd.DataFrame:
    """Return patients of a site: ``home``, ``same`` (its population) or ``another``.

    Six of the features act on the outcome. At another site the scanner shifts and stretches all
    features, the effects are two thirds as strong, and the outcome is more frequent.
    """
    rng = np.random.default_rng(derive_seed(seed, "population", site))
    values = rng.standard_normal((count, FEATURES))
    strength, intercept = (0.5, 0.2) if site == "another" else (0.75, -1.0)
    log_odds = intercept + strength * values[:, :PLANTED].sum(axis=1)
    outcome = (rng.random(count) < expit(log_odds)).astype(int)
    if site == "another":
        values = values * 1.3 + 0.4
    table = pd.DataFrame(values, columns=[f"A:{name}" for name in NAMES])
    ids = np.arange(count).astype(str)
    return table.assign(unit_id=ids, patient_id=ids, outcome=outcome)


def recalibrated(outcome: np.ndarray, risk: np.ndarray) -> Recalibration:
    """Return the update by intercept and slope that patients of a site ask for."""
    with np.errstate(over="ignore"):  # steps that go too far are taken back
        return recalibrate(outcome, risk, np.arange(len(risk)), SLOPE)


def transported(seed: int, home: int, sample: int, draws: int) -> pd.DataFrame:
    """Develop a model at one site; validate and recalibrate it at two others, many times.

    Parameters
    ----------
    seed : int
        Of all draws.
    home, sample : int
        Patients of the development, and of a validation.
    draws : int
        Validations at each site.

    Returns
    -------
    pandas.DataFrame
        One row per site and draw: ``site, draw, true_slope, slope, low, high, covered,
        recalibrated_slope`` (among many further patients of the site).
    """
    options = configured(seed)
    run = Procedure("lr", PLAIN, options, "fixed", PARAMETERS).run(
        patients_of("home", home, seed), seed
    )
    rows = []
    for site in ("same", "another"):
        many = patients_of(site, LARGE, seed + 1)
        risk = run.fitted.predict(many)
        outcome = many["outcome"].to_numpy(int)
        truth = recalibrated(outcome, risk)
        for draw in range(draws):
            rng = np.random.default_rng(derive_seed(seed, "validation", site, draw))
            chosen = rng.choice(LARGE, sample, replace=False)
            seen = (outcome[chosen], risk[chosen])
            found = calibration_slope(*seen, 0.95)
            update = recalibrated(*seen)
            rows.append(
                {
                    "site": site,
                    "draw": draw,
                    "true_slope": truth.slope,
                    "slope": found.value,
                    "low": found.low,
                    "high": found.high,
                    "covered": found.low <= truth.slope <= found.high,
                    # Of the updated logit a + b z the true line has the slope truth / b.
                    "recalibrated_slope": truth.slope / update.slope,
                }
            )
    return pd.DataFrame(rows)


def updated_by_patients(seed: int, home: int, sample: int) -> dict[str, float]:
    """Return the slope of one recalibrated model among many other patients, without a formula."""
    options = configured(seed)
    run = Procedure("lr", PLAIN, options, "fixed", PARAMETERS).run(
        patients_of("home", home, seed), seed
    )
    found = {}
    for site in ("same", "another"):
        seen, others = patients_of(site, sample, seed + 2), patients_of(site, LARGE, seed + 3)
        update = recalibrated(seen["outcome"].to_numpy(int), run.fitted.predict(seen))
        risk = update.risk(run.fitted.predict(others))
        found[site] = calibration_slope(others["outcome"].to_numpy(int), risk, 0.95).value
    return found


def failures(leakage: pd.DataFrame, validation: pd.DataFrame) -> list[str]:
    """Say in sentences which statements do not hold; none if all do.

    Parameters
    ----------
    leakage : pandas.DataFrame
        Rows of `leakage_trial`.
    validation : pandas.DataFrame
        From `transported`.
    """
    said = []
    means = leakage.groupby("order")[["auroc", "auroc_within_sites"]].mean()
    for name, mean in means.loc[INSIDE].items():
        if abs(mean - 0.5) > TOLERANCE:
            said.append(f"harmonised inside the folds: {name.upper()} {mean:.3f}, not 0.5")
    if means.loc[BEFORE_WITH_OUTCOME, "auroc"] - means.loc[INSIDE, "auroc"] < LEAST_EXCESS:
        said.append("harmonised before the split with the outcome kept: no leak is seen")
    for site, rows in validation.groupby("site"):
        covered, slope = rows["covered"].mean(), rows["recalibrated_slope"].mean()
        if not COVERED[0] <= covered <= COVERED[1]:
            said.append(f"{site}: {covered:.1%} of the intervals cover the true slope")
        if abs(slope - 1) > SLOPE_OFF:
            said.append(f"{site}: slope {slope:.3f} after recalibration")
    return said


def main(options: argparse.Namespace) -> None:
    """Run both, write their tables, and say what was found."""
    with threadpool_limits(1):
        trials = [row for at in range(options.cohorts) for row in leakage_trial(options.seed + at)]
        validation = transported(options.seed, 400, options.patients, options.draws)
    leakage = pd.DataFrame(trials)
    write_csv(leakage, options.out / "harmonisation.csv")
    write_csv(validation, options.out / "validation.csv")
    for order, rows in leakage.groupby("order", sort=False):
        areas = rows[["auroc", "auroc_within_sites"]]
        means, errors = areas.mean(), areas.std(ddof=1) / np.sqrt(len(rows))
        logger.info(
            "%s: AUROC %.3f, within sites %.3f (standard error %.3f), %d cohorts",
            *(order, means["auroc"], means["auroc_within_sites"], errors["auroc_within_sites"]),
            len(rows),
        )
    for site, rows in validation.groupby("site", sort=False):
        logger.info(
            "%s: true slope %.3f, %.1f%% of %d intervals cover it; slope after recalibration: mean "
            "%.3f, 90%% between %.3f and %.3f",
            *(site, rows["true_slope"].iloc[0], 100 * rows["covered"].mean(), len(rows)),
            *(
                rows["recalibrated_slope"].mean(),
                *rows["recalibrated_slope"].quantile([0.05, 0.95]),
            ),
        )
    for each in failures(leakage, validation):
        logger.error("does not hold: %s", each)


if __name__ == "__main__":
    arguments = command.parser("proofs.several_sites", __doc__)
    arguments.add_argument("--out", required=True, type=Path, help="folder to write")
    arguments.add_argument(
        "--cohorts", type=bounded_number(minimum=1), default=60, help="cohorts of noise"
    )
    arguments.add_argument(
        "--draws", type=bounded_number(minimum=10), default=2000, help="validations at each site"
    )
    arguments.add_argument(
        "--patients", type=bounded_number(minimum=50), default=500, help="of each validation"
    )
    arguments.add_argument("--seed", type=number_within(SEED), default=2025, help="of all draws")
    command.run(main, arguments)
