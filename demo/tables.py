"""Table-only study: ready feature tables of two readers, without any image.

The features have the names of the published extraction and a correlation structure like theirs
(blocks of near-duplicates on a few study-wide factors); some readings agree well and some badly.
Which features and clinical columns act on the outcome is known and written to truth.json, so that
a method can be asked whether it finds them.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from demo import cohort
from demo.feature_names import feature_names
from pipeline.core import command
from pipeline.core.errors import StudyError
from pipeline.core.files import whole_file, write_json, write_table
from pipeline.core.seeds import derive_seed
from pipeline.study.option_numbers import SEED, bounded_number, number_within

READERS = ("A", "B")
LEVELS = ("T11", "T12", "L1", "L2", "L3")

PLANTED_BLOCK_SIZE = 3
"""Features in a planted block: the planted one and weaker relatives that may stand in for it."""

PLANTED_CCC = 0.95
"""Agreement of the readers on planted features before rescaling; they pass a filter at 0.85."""

_OWN_SHARE_PLANTED = 0.10
_OWN_SHARE_MATES = 0.45


@dataclass(frozen=True)
class SimulatedTables:
    """A table-only study and the truth behind it.

    Attributes
    ----------
    features : dict of str to pandas.DataFrame
        By reader, one row a case: ``case_id``, then the features as float64.
    clinical : pandas.DataFrame
        One row a case: ``case_id, patient_id`` and the columns of the dictionary.
    dictionary : pandas.DataFrame
        ``column, label, type, unit, levels, timing, role``.
    outcome : ndarray of shape (n_patients,), int
        What the formula in `truth` gives on `clinical`, in its row order.
    truth : dict
        JSON values: seed, prevalence, intercept, ``clinical`` (planted columns) and ``radiomics``
        (planted features with coefficient and ``block``, the names that may stand in for each).
    """

    features: dict[str, pd.DataFrame]
    clinical: pd.DataFrame
    dictionary: pd.DataFrame
    outcome: np.ndarray
    truth: dict

    def analysis(self, model_reader: str = "A") -> tuple[pd.DataFrame, dict]:
        """Return the analysis table and its description as ``pipeline.join`` would write them.

        A short way into the modelling half for statistical experiments over many seeds.

        Parameters
        ----------
        model_reader : {'A', 'B', 'mean'}, default='A'
            Reader whose features the model sees.

        Returns
        -------
        analysis : pandas.DataFrame
            ``unit_id, patient_id, outcome, level``, the clinical columns, ``<reader>:<feature>``.
        info : dict
            Contents of analysis.json, with the preoperative predictors.
        """
        clinical = self.clinical.drop(columns=["case_id", "patient_id"])
        units = pd.DataFrame(
            {
                "unit_id": self.clinical["case_id"],
                "patient_id": self.clinical["patient_id"],
                "outcome": self.outcome,
                "level": self.clinical["case_id"].str.split("-").str[1],
            }
        )
        readings = [
            table.drop(columns="case_id").add_prefix(f"{reader}:")
            for reader, table in self.features.items()
        ]
        rows = self.dictionary
        predictors = rows[(rows["role"] == "predictor") & (rows["timing"] == "preoperative")]
        info = {
            "unit": "case",
            "readers": list(self.features),
            "model_reader": model_reader,
            "features": list(self.features["A"].columns[1:]),
            "predictors": predictors.astype(object)
            .where(predictors.notna(), None)
            .to_dict("records"),
            "outcome": {
                "name": "rbp",
                "label": "Residual back pain",
                "formula": self.truth["formula"],
            },
        }
        return pd.concat([units, clinical, *readings], axis=1), info

    @property
    def planted_features(self) -> list[str]:
        """Names of the features that act on the outcome."""
        return [entry["feature"] for entry in self.truth["radiomics"]]

    @property
    def planted_blocks(self) -> list[list[str]]:
        """For each planted feature, the names that may represent it, itself first."""
        return [entry["block"] for entry in self.truth["radiomics"]]

    @property
    def planted_clinical(self) -> list[str]:
        """Names of the clinical columns that act on the outcome."""
        return [entry["column"] for entry in self.truth["clinical"]]


def simulate_tables(
    n_patients: int,
    seed: int,
    *,
    prevalence: float = 0.3,
    n_planted: int = 5,
    coefficient: float = 1.0,
    features: tuple[str, ...] | None = None,
) -> SimulatedTables:
    """Simulate a study of one vertebra a patient, read by two readers.

    Every feature is a standard normal variable before it gets its marginal distribution: a share
    of one of three study-wide factors, a share of its block's factor, the rest its own. Planted
    blocks share nothing with the study-wide factors, so that no other feature carries their
    signal. A reading adds the reader's noise, half of it common to the block, as a moved contour
    moves relatives together.

    Parameters
    ----------
    n_patients : int
        Number of patients, at least 20.
    seed : int
        Seed of all draws; equal arguments give equal tables.
    prevalence : float, default=0.3
        Mean probability of the outcome.
    n_planted : int, default=5
        Number of features that act on the outcome, one a block; 0 leaves the clinical ones.
    coefficient : float, default=1.0
        Size of each planted feature's coefficient per standard deviation; signs alternate.
    features : tuple of str, optional
        Feature names; by default the 1,223 of the published extraction.

    Returns
    -------
    SimulatedTables
        The tables and the truth.

    Raises
    ------
    StudyError
        If there are too few patients, or too few features for the planted blocks.
    """
    names = np.array(feature_names() if features is None else features)
    if n_patients < 20:
        raise StudyError(
            "A simulated study needs at least 20 patients",
            found=n_patients,
            remedy="write 20 or more",
            code="demo-patients-count",
        )
    if len(names) < PLANTED_BLOCK_SIZE * n_planted:
        raise StudyError(
            f"Each planted feature needs a block of {PLANTED_BLOCK_SIZE} features",
            found=f"{len(names)} features for {n_planted} planted ones",
            remedy="ask for more features, or plant fewer",
            code="demo-blocks-too-few",
        )

    def rng(what: str) -> np.random.Generator:
        return np.random.default_rng(derive_seed(seed, "tables", what))

    block_of = _assign_blocks(len(names), n_planted, rng("blocks"))
    true, planted = _true_values(block_of, n_patients, n_planted, rng("features"))
    signs = np.where(np.arange(n_planted) % 2 == 0, 1.0, -1.0)
    patients = cohort.draw_patients(n_patients, rng("patients"))
    logit = cohort.clinical_logit(patients) + true[:, planted] @ (coefficient * signs)
    outcome, intercept = cohort.draw_outcome(logit, prevalence, rng("outcome"))
    table = cohort.add_follow_up(patients, outcome, rng("follow-up"))
    table = cohort.lose_values(table, rng("missing"))

    readers = rng("readers")
    readings = Measurement.draw(block_of, planted, readers).read(true, readers)
    truth = {
        "seed": seed,
        "patients": n_patients,
        "prevalence": prevalence,
        **cohort.describe_mechanism(intercept),
        "radiomics": [
            planted_entry(names, index, coefficient * sign, np.flatnonzero(block_of == block))
            for block, (index, sign) in enumerate(zip(planted, signs, strict=True))
        ],
    }
    return assemble(names, table, outcome, readings, truth, rng("levels"))


def planted_entry(names: np.ndarray, index: int, coefficient: float, members: np.ndarray) -> dict:
    """Describe one planted feature for truth.json; `members` index those that may stand in."""
    own = str(names[index])
    return {
        "feature": own,
        "coefficient": float(coefficient),
        "enters_as": "standard normal value behind the readings",
        "block": [own, *(str(name) for name in names[members] if name != own)],
    }


def assemble(
    names: np.ndarray,
    clinical: pd.DataFrame,
    outcome: np.ndarray,
    readings: list[np.ndarray],
    truth: dict,
    rng: np.random.Generator,
) -> SimulatedTables:
    """Make a study of its values: give patients their ids and levels (drawn from `rng`)."""
    n_patients = len(clinical)
    levels = rng.choice(LEVELS, n_patients)
    patient_ids = [f"{number:04d}" for number in range(1, n_patients + 1)]
    case_ids = [f"{patient}-{level}" for patient, level in zip(patient_ids, levels, strict=True)]
    clinical = clinical.copy()
    clinical.insert(0, "case_id", case_ids)
    clinical.insert(1, "patient_id", patient_ids)
    return SimulatedTables(
        features={
            reader: pd.concat(
                [pd.Series(case_ids, name="case_id"), pd.DataFrame(values, columns=names)], axis=1
            )
            for reader, values in zip(READERS, readings, strict=True)
        },
        clinical=clinical,
        dictionary=cohort.dictionary(("case_id", "Case"), ("patient_id", "Patient")),
        outcome=outcome,
        truth=truth,
    )


def _assign_blocks(n_features: int, n_planted: int, rng: np.random.Generator) -> np.ndarray:
    """Return each feature's block, shape (n_features,); blocks 0 ... n_planted - 1 are planted."""
    sizes = [PLANTED_BLOCK_SIZE] * n_planted
    while sum(sizes) < n_features:
        # A few features stand alone and a few have dozens of near-duplicates.
        sizes.append(min(int(rng.geometric(0.08)), 40))
    blocks = np.repeat(np.arange(len(sizes)), sizes)[:n_features]
    block_of = np.empty(n_features, dtype=int)
    block_of[rng.permutation(n_features)] = blocks
    return block_of


def _true_values(
    block_of: np.ndarray, n: int, n_planted: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return standard normal values, shape (n, n_features), and the planted features' indices."""
    n_features, n_blocks = len(block_of), block_of.max() + 1
    planted = np.array([np.flatnonzero(block_of == b)[0] for b in range(n_planted)], dtype=int)

    block_factors = rng.standard_normal((n, n_blocks))
    study_factors = rng.standard_normal((n, 3))
    study_share = np.where(np.arange(n_blocks) < n_planted, 0.0, rng.uniform(0, 0.45, n_blocks))
    chosen = rng.integers(0, 3, n_blocks)
    own_share = rng.uniform(0.05, 0.5, n_features)
    own_share[block_of < n_planted] = _OWN_SHARE_MATES
    own_share[planted] = _OWN_SHARE_PLANTED

    common = (
        np.sqrt(study_share) * study_factors[:, chosen] + np.sqrt(1 - study_share) * block_factors
    )
    signs = rng.choice([-1.0, 1.0], n_features)
    signs[planted] = 1.0
    own = rng.standard_normal((n, n_features))
    values = np.sqrt(1 - own_share) * common[:, block_of] * signs + np.sqrt(own_share) * own
    return values, planted


@dataclass(frozen=True)
class Measurement:
    """How true standard normal values become readings; the same for every patient.

    Attributes
    ----------
    block_of : ndarray of int, shape (n_features,)
        Block of each feature.
    common_noise : float
        Share of a reader's noise that is common to a block, as a moved contour moves relatives.
    noise_sd : ndarray of shape (n_features,)
        Standard deviation of a reader's noise.
    offset : ndarray of shape (n_features,)
        By how much the second reader measures more.
    skewness : ndarray of shape (n_features,)
        Shape of the marginal distribution, 0 for the normal one.
    scale, centre : ndarray of shape (n_features,)
        Unit and place, spread over many orders of magnitude, as radiomics are.
    """

    block_of: np.ndarray
    common_noise: float
    noise_sd: np.ndarray
    offset: np.ndarray
    skewness: np.ndarray
    scale: np.ndarray
    centre: np.ndarray

    @classmethod
    def draw(
        cls,
        block_of: np.ndarray,
        planted: np.ndarray,
        rng: np.random.Generator,
        *,
        agreement_law: tuple[float, float] = (9, 1.2),
        common_noise: float = 0.5,
    ) -> Measurement:
        """Draw the measurement of features in blocks; `planted` ones agree well.

        The readers' agreement on a block follows a beta law.
        """
        n_features = len(block_of)
        # Agreement differs between features more than within a block.
        agreement = rng.beta(*agreement_law, block_of.max() + 1)[block_of]
        agreement = np.clip(agreement + rng.uniform(-0.05, 0.05, n_features), 0.2, 0.995)
        agreement[np.isin(block_of, block_of[planted])] = PLANTED_CCC
        noise_sd = np.sqrt((1 - agreement) / agreement)
        offset = rng.normal(0, 0.08, n_features)
        offset[planted] = 0.0
        skewed = rng.random(n_features) < 0.35
        skewness = np.where(skewed, rng.uniform(0.3, 0.9, n_features), 0.0)
        scale = 10 ** rng.uniform(-3, 4, n_features)
        centre = rng.uniform(-2, 8, n_features) * scale
        return cls(block_of, common_noise, noise_sd, offset, skewness, scale, centre)

    def read(self, true: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
        """Return each reader's values, shape (n, n_features), of `true` standard normal ones."""
        n, n_features = true.shape
        weight = np.sqrt(self.common_noise / (1 - self.common_noise))
        readings = []
        for reader in range(len(READERS)):
            shared = rng.standard_normal((n, self.block_of.max() + 1))[:, self.block_of]
            own = rng.standard_normal((n, n_features))
            noise = self.noise_sd * (weight * shared + own) / np.hypot(weight, 1)
            value = true + noise + reader * self.offset
            with np.errstate(invalid="ignore", divide="ignore"):
                bent = np.expm1(self.skewness * value) / self.skewness
            readings.append(self.centre + self.scale * np.where(self.skewness > 0, bent, value))
        return readings


def write_study(tables: SimulatedTables, folder: str | Path) -> None:
    """Write what a researcher with ready features would hand in, and truth.json, to `folder`."""
    folder = Path(folder)
    for reader, features in tables.features.items():
        write_table(features, folder / f"features_{reader}.parquet")
    for name in ("clinical", "dictionary"):
        with whole_file(folder / f"{name}.csv") as beside:
            getattr(tables, name).to_csv(beside, index=False)
    write_json(tables.truth, folder / "truth.json")


def main(options: argparse.Namespace) -> None:
    """Run the command line."""
    tables = simulate_tables(options.patients, options.seed)
    write_study(tables, options.out)
    print(
        f"{options.patients} patients ({int(tables.outcome.sum())} events), "
        f"{len(feature_names())} features, 2 readers: {options.out}"
    )


if __name__ == "__main__":
    arguments = command.parser("demo.tables", __doc__)
    arguments.add_argument("--out", required=True, type=Path, help="folder to write")
    arguments.add_argument(
        "--patients", type=bounded_number(minimum=10), default=300, help="number of patients"
    )
    arguments.add_argument(
        "--seed", type=number_within(SEED), default=2025, help="seed of all draws"
    )
    command.run(main, arguments)
