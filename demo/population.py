"""A population whose radiomic features hang together as real ones do, and cohorts drawn from it.

In `demo.tables` planted features share nothing with the others, which makes a fair exam but no
likeness: real features are far more redundant (docs/proofs.md compares). Here every feature is a
mixture of a few study-wide factors (size, density, heterogeneity), a factor of its family, one of
its block, and a little of its own; planted features are of the same making, so that others carry a
part of their signal. What the population is (loadings, readers, effects) is drawn once; cohorts of
any size are drawn from it, so that a model can be judged on patients without end.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import expit

from demo import cohort
from demo.feature_names import feature_names
from demo.tables import Measurement, SimulatedTables, assemble, planted_entry, write_study
from pipeline.core import command
from pipeline.core.errors import StudyError
from pipeline.core.seeds import derive_seed
from pipeline.study.option_numbers import SEED, bounded_number, number_within

PUBLISHED_PATIENTS, PUBLISHED_EVENTS = 856, 102
"""Size of the published cohort."""

STAND_IN = 0.8
"""Correlation, before any reader's noise, from which a feature may represent a planted one."""

STUDY_FACTORS = 4
STUDY_DECAY = 0.4
"""Each study-wide factor weighs that share of the one before."""
STUDY_SHARE = (0.20, 0.95)
"""Share of a block's variance that study-wide factors hold, from least to most."""
FAMILY_FACTORS = 25
FAMILY_SHARE = (0.3, 0.8)
"""Share of the rest that the block's family holds."""
OWN_SHARE = (0.003, 0.1)
"""Share of a feature's variance that no other feature has, drawn evenly on the log scale."""
BLOCK_RATE, LARGEST_BLOCK = 0.08, 40
"""Sizes of blocks are geometric: a few features stand alone, some have dozens of near-copies."""
AGREEMENT_LAW = (6, 0.6)
"""Beta law of the readers' agreement on a block; planted ones are no exception."""
COMMON_NOISE = 0.95
"""Share of a reader's noise that is common to a block."""

_PATIENTS_FOR_INTERCEPT = 100_000
_MOST_DRAWS = 100_000


@dataclass(frozen=True)
class Population:
    """What all cohorts of one population share.

    Attributes
    ----------
    names : ndarray of str, shape (n_features,)
        Features.
    loadings : ndarray of shape (n_factors, n_features)
        Factors' shares in each feature's standard normal value.
    own_sd : ndarray of shape (n_features,)
        Standard deviation of what is a feature's own.
    measurement : Measurement
        How values become readings.
    planted : ndarray of int
        Features that act on the outcome.
    coefficients : ndarray of float
        Their effects, log odds per standard deviation.
    intercept : float
        Of the log odds.
    seed : int
        What it was drawn from.
    """

    names: np.ndarray
    loadings: np.ndarray
    own_sd: np.ndarray
    measurement: Measurement
    planted: np.ndarray
    coefficients: np.ndarray
    intercept: float
    seed: int

    def correlation(self, index: int) -> np.ndarray:
        """Return the correlation of a feature with every feature, before readers' noise."""
        values = self.loadings.T @ self.loadings[:, index]
        values[index] = 1.0
        return values

    def draw(self, n_patients: int, seed: int, *, events: int | None = None) -> Drawn:
        """Draw a cohort.

        Parameters
        ----------
        n_patients : int
            Number of patients.
        seed : int
            Seed of the cohort; equal seeds give equal cohorts.
        events : int, optional
            Number of events that the cohort has to have; by default as it comes.

        Raises
        ------
        StudyError
            If so many events are all but impossible in this population.
        """

        def rng(what: str) -> np.random.Generator:
            return np.random.default_rng(derive_seed(self.seed, seed, "cohort", what))

        patients = cohort.draw_patients(n_patients, rng("patients"))
        factors = rng("factors").standard_normal((n_patients, len(self.loadings)))
        true = factors @ self.loadings
        true += self.own_sd * rng("own").standard_normal(true.shape)
        log_odds = (
            self.intercept
            + cohort.clinical_logit(patients)
            + true[:, self.planted] @ self.coefficients
        )
        outcome = _outcome(log_odds, events, rng("outcome"))
        table = cohort.add_follow_up(patients, outcome, rng("follow-up"))
        table = cohort.lose_values(table, rng("missing"))
        readings = self.measurement.read(true, rng("readers"))
        truth = {"seed": seed, "patients": n_patients, **self.describe()}
        tables = assemble(self.names, table, outcome, readings, truth, rng("levels"))
        return Drawn(tables, log_odds)

    def describe(self) -> dict:
        """Return the mechanism as JSON values, for truth.json."""
        return {
            **cohort.describe_mechanism(self.intercept),
            "radiomics": [
                planted_entry(
                    self.names,
                    index,
                    effect,
                    np.flatnonzero(np.abs(self.correlation(index)) >= STAND_IN),
                )
                for index, effect in zip(self.planted, self.coefficients, strict=True)
            ],
        }


@dataclass(frozen=True)
class Drawn:
    """A cohort, and what nobody can measure.

    Attributes
    ----------
    tables : SimulatedTables
        What a researcher would have.
    log_odds : ndarray of shape (n_patients,)
        True log odds of the outcome: no model can rank patients better, but by chance.
    """

    tables: SimulatedTables
    log_odds: np.ndarray


def draw_population(
    seed: int,
    *,
    prevalence: float = PUBLISHED_EVENTS / PUBLISHED_PATIENTS,
    n_planted: int = 5,
    coefficient: float = 0.5,
    features: tuple[str, ...] | None = None,
) -> Population:
    """Draw a population.

    Parameters
    ----------
    seed : int
        Seed of all draws.
    prevalence : float
        Mean probability of the outcome.
    n_planted : int
        Features that act on the outcome, each of another block; signs alternate.
    coefficient : float
        Log odds per standard deviation of a planted feature.
    features : tuple of str, optional
        Feature names; by default the 1,223 of the published extraction.

    Raises
    ------
    StudyError
        If there are fewer blocks than planted features.
    """

    def rng(what: str) -> np.random.Generator:
        return np.random.default_rng(derive_seed(seed, "population", what))

    names = np.array(feature_names() if features is None else features)
    block_of = _blocks(len(names), rng("blocks"))
    loadings, own_sd = _loadings(block_of, rng("loadings"))
    if block_of.max() + 1 < n_planted:
        raise StudyError(
            "Each planted feature needs a block of its own",
            found=f"{block_of.max() + 1} blocks for {n_planted} planted features",
            remedy="ask for more features, or plant fewer",
            code="demo-blocks-too-few",
        )
    chosen = rng("planted").permutation(block_of.max() + 1)[:n_planted]
    planted = np.array([np.flatnonzero(block_of == block)[0] for block in chosen], dtype=int)
    effects = coefficient * np.where(np.arange(n_planted) % 2 == 0, 1.0, -1.0)

    patients = cohort.draw_patients(_PATIENTS_FOR_INTERCEPT, rng("patients"))
    values = rng("factors").standard_normal((len(patients), len(loadings))) @ loadings[:, planted]
    values += own_sd[planted] * rng("own").standard_normal(values.shape)
    log_odds = cohort.clinical_logit(patients) + values @ effects
    return Population(
        names,
        loadings,
        own_sd,
        Measurement.draw(
            block_of,
            np.array([], dtype=int),
            rng("readers"),
            agreement_law=AGREEMENT_LAW,
            common_noise=COMMON_NOISE,
        ),
        planted,
        effects,
        cohort.intercept_for(log_odds, prevalence),
        seed,
    )


def _blocks(n_features: int, rng: np.random.Generator) -> np.ndarray:
    """Return each feature's block, shape (n_features,)."""
    sizes: list[int] = []
    while sum(sizes) < n_features:
        sizes.append(min(int(rng.geometric(BLOCK_RATE)), LARGEST_BLOCK))
    blocks = np.empty(n_features, dtype=int)
    blocks[rng.permutation(n_features)] = np.repeat(np.arange(len(sizes)), sizes)[:n_features]
    return blocks


def _loadings(block_of: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the factors' loadings, shape (n_factors, n_features), and what is each one's own."""
    n_features, n_blocks = len(block_of), block_of.max() + 1
    weight = np.sqrt(STUDY_DECAY ** np.arange(STUDY_FACTORS))
    direction = rng.standard_normal((STUDY_FACTORS, n_blocks)) * weight[:, None]
    direction /= np.linalg.norm(direction, axis=0)
    study = rng.uniform(*STUDY_SHARE, n_blocks)
    family = (1 - study) * rng.uniform(*FAMILY_SHARE, n_blocks)
    families = np.zeros((FAMILY_FACTORS, n_blocks))
    families[rng.integers(0, FAMILY_FACTORS, n_blocks), np.arange(n_blocks)] = np.sqrt(family)
    blocks = np.vstack([direction * np.sqrt(study), families, np.diag(np.sqrt(1 - study - family))])
    own = np.exp(rng.uniform(*np.log(OWN_SHARE), n_features))
    signs = rng.choice([-1.0, 1.0], n_features)
    return blocks[:, block_of] * np.sqrt(1 - own) * signs, np.sqrt(own)


def _outcome(log_odds: np.ndarray, events: int | None, rng: np.random.Generator) -> np.ndarray:
    """Draw outcomes; with a number of `events`, again until there are so many."""
    for _ in range(1 if events is None else _MOST_DRAWS):
        outcome = (rng.random(len(log_odds)) < expit(log_odds)).astype(int)
        if events is None or outcome.sum() == events:
            return outcome
    raise StudyError(
        "So many events must be possible in the population",
        found=f"{events} events, {expit(log_odds).sum():.0f} expected among {len(log_odds)}",
        remedy="change the number of events or of patients",
        code="demo-events-impossible",
    )


def main(options: argparse.Namespace) -> None:
    """Run the command line."""
    drawn = draw_population(options.seed).draw(
        options.patients, options.seed, events=options.events
    )
    write_study(drawn.tables, options.out)
    print(
        f"{options.patients} patients ({int(drawn.tables.outcome.sum())} events), "
        f"{len(drawn.tables.features['A'].columns) - 1} features, 2 readers: {options.out}"
    )


if __name__ == "__main__":
    arguments = command.parser("demo.population", __doc__)
    arguments.add_argument("--out", required=True, type=Path, help="folder to write")
    arguments.add_argument(
        "--patients",
        type=bounded_number(minimum=10),
        default=PUBLISHED_PATIENTS,
        help="number of patients",
    )
    arguments.add_argument(
        "--events",
        type=bounded_number(minimum=1),
        default=PUBLISHED_EVENTS,
        help="number of events, exactly",
    )
    arguments.add_argument(
        "--seed", type=number_within(SEED), default=2025, help="seed of all draws"
    )
    command.run(main, arguments)
