"""A frozen model, loaded: what it is for, what it needs, and the risks that it gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from models.frozen.container import MODEL, read_array, read_members, read_object, refused
from models.frozen.harmonisation import check_predicted_by, check_sites
from models.frozen.procedure import Procedure, array_names, read_procedure
from models.frozen.steps import Input, check_columns, readings_of
from pipeline.core.schema_validator import schema_validator
from pipeline.core.written.yaml_keys import read_yaml

SCHEMA = "vertebromics-frozen-model/1"
SCHEMA_FILE = Path(__file__).with_name("frozen_model.schema.yaml")

LIKENESS = ("arrays/likeness.center.npy", "arrays/likeness.precision.npy")
"""Members that say how far a patient is from the training rows."""

LIKENESS_SHARE = 0.05
"""Share of patients of the same population who are farther than the limit."""

LOGIT_MARGIN = 1e-6
"""Risks nearer to 0 or 1 are moved here before they are recalibrated, since they have no logit."""


@dataclass(frozen=True)
class Predictor:
    """One column that a table for the model must hold.

    Attributes
    ----------
    name : str
        Column: a feature as PyRadiomics prints it, or a clinical column.
    block : {'radiomics', 'clinical', 'site'}
        Where it comes from; the site is needed to harmonise features, and is no predictor else.
    type : {'continuous', 'ordinal', 'categorical', 'binary'}
        The last two have levels.
    label, unit, timing : str or None
        As the study's dictionary has them.
    levels : tuple of str
        The reference first; empty for a number.
    low, high : float or None
        Range seen among the training rows, of a number.
    counts : dict
        Training rows of each level.
    missing : int
        Training rows without a value.
    used : bool
        Whether the classifier sees it, or features are harmonised by it; else it only helps to
        fill in another's missing value.
    """

    name: str
    block: str
    type: str
    label: str | None = None
    unit: str | None = None
    timing: str | None = None
    levels: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    missing: int = 0
    used: bool = True

    @property
    def required(self) -> bool:
        """Whether a new patient must have a value: no training row was without one."""
        return self.used and self.missing == 0

    @property
    def title(self) -> str:
        """How it is written for people, with its unit."""
        name = self.label or self.name
        return f"{name} ({self.unit})" if self.unit else name


@dataclass(frozen=True)
class FrozenModel:
    """A model that left its study.

    Attributes
    ----------
    facts : dict
        ``model.json``, which keeps to frozen_model.schema.yaml.
    procedure : Procedure
        The study's final fit.
    refits : tuple of Procedure
        The whole procedure on resamples of the training patients.
    predictors : tuple of Predictor
        What a table must hold.
    digest : str
        SHA-256 of everything in the file.
    where : str
        Name of the file.
    likeness : tuple of ndarray or None
        Centre and precision of the training rows as the classifier sees them.
    """

    facts: dict
    procedure: Procedure
    refits: tuple[Procedure, ...]
    predictors: tuple[Predictor, ...]
    digest: str
    where: str = "model"
    likeness: tuple[np.ndarray, np.ndarray] | None = field(default=None, repr=False)

    @property
    def outcome(self) -> Mapping:
        """``name, label, formula, unit`` of the outcome."""
        return self.facts["outcome"]

    @property
    def threshold(self) -> float | None:
        """Risk (of `risk`) from which a unit is called an event."""
        return self.facts["threshold"]["value"]

    @property
    def site(self) -> Predictor | None:
        """Column of the site, whose levels are the sites that are served; None without one."""
        return next((one for one in self.predictors if one.block == "site"), None)

    def check_sites(self, table: pd.DataFrame) -> None:
        """Refuse a table without the site, or of another one, where features are harmonised."""
        if self.site is not None:
            check_sites(table, Input(self.site.name, self.site.levels))

    def inputs(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the predictors of a table, its radiomic features named without reader.

        Parameters
        ----------
        table : pandas.DataFrame
            One row a unit. Features have the names of PyRadiomics, or ``<reader>:<feature>`` with
            the readers of the model's own study.

        Raises
        ------
        StudyError
            If a column is missing, or the model does not serve a row's site.
        """
        self.check_sites(table)
        features = [one.name for one in self.predictors if one.block == "radiomics"]
        clinical = [one.name for one in self.predictors if one.block != "radiomics"]
        parts = []
        if any(name not in table.columns for name in features):
            readings = self.facts["readings"]
            prefixed = [f"{reader}:{name}" for reader in readings["readers"] for name in features]
            if any(name in table.columns for name in prefixed):
                parts.append(readings_of(table, features, **readings))
                features = []
        check_columns(table, [*features, *clinical])
        return pd.concat([*parts, table[[*features, *clinical]]], axis=1)

    def risk(self, table: pd.DataFrame) -> np.ndarray:
        """Return the risk of each row, as the study's own model predicts it, shape (n_rows,).

        Missing values are filled in as in training; `missing_of` says where the model should not
        be asked.

        Parameters
        ----------
        table : pandas.DataFrame
            As for `inputs`.

        Raises
        ------
        StudyError
            If a column is missing, a level unknown, a number infinite or none, or a row of a site
            that harmonisation has not learned from.
        """
        return self.procedure.risk(self.inputs(table))

    def calibrated(self, risk: np.ndarray) -> np.ndarray:
        """Return risks recalibrated by the out-of-fold predictions of the training rows.

        Where these allowed no recalibration (``facts["recalibration"]``), risks stay as they are.
        """
        return recalibrated(self.facts["recalibration"], risk)

    def refitted(self, table: pd.DataFrame) -> np.ndarray:
        """Return the calibrated risk of each row by each refit, shape (n_refits, n_rows)."""
        inputs = self.inputs(table)
        risks = [
            recalibrated(facts["recalibration"], each.risk(inputs))
            for each, facts in zip(self.refits, self.facts["refits"], strict=True)
        ]
        return np.array(risks).reshape(len(risks), len(table))

    def distance(self, table: pd.DataFrame) -> np.ndarray | None:
        """Return how far each row is from the training rows, shape (n_rows,); None if not known.

        Beyond ``facts["likeness"]["limit"]`` lie 5% of patients of the same population.
        """
        if self.likeness is None:
            return None
        inputs = self.inputs(table)
        found = distances(self.procedure.design(inputs), *self.likeness)
        for step in self.procedure.harmonisations:
            found = np.where(step.unknown(inputs), np.nan, found)
        return found

    def missing_of(self, table: pd.DataFrame) -> dict[str, np.ndarray]:
        """Return which rows lack a required predictor, by predictor that any row lacks."""
        inputs = self.inputs(table)
        lacking = {
            one.name: inputs[one.name].isna().to_numpy() for one in self.predictors if one.required
        }
        return {name: rows for name, rows in lacking.items() if rows.any()}

    def outside(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the values of used predictors beyond what the training rows held.

        Returns
        -------
        pandas.DataFrame
            ``row`` (its position)``, predictor, value, low, high``; of a level that no training row
            had, low and high are missing.
        """
        inputs = self.inputs(table)
        found = []
        for one in self.predictors:
            if not one.used:
                continue
            values = inputs[one.name]
            if one.levels:
                beyond = values.map(lambda level, one=one: one.counts.get(level, 1) == 0)
            else:
                number = values.astype(float)
                beyond = (number < one.low) | (number > one.high)
            low, high = (None, None) if one.levels else (one.low, one.high)
            seen = {"predictor": one.name, "low": low, "high": high}
            found += [
                {"row": row, "value": values.iloc[row], **seen}
                for row in np.flatnonzero(beyond.to_numpy(bool) & values.notna().to_numpy())
            ]
        columns = ["row", "predictor", "value", "low", "high"]
        return pd.DataFrame(found, columns=columns).astype({"low": float, "high": float})


def load_frozen(path: str | Path) -> FrozenModel:
    """Load a frozen model; nothing in the file is executed, whatever it holds.

    Parameters
    ----------
    path : path-like
        File that ``vertebromics freeze`` wrote.

    Returns
    -------
    FrozenModel
        Checked in every part.

    Raises
    ------
    StudyError
        If the file is damaged, or anything but a frozen model.
    """
    members, digest = read_members(path)
    where = Path(path).name
    facts = read_object(members[MODEL], f"{where}, {MODEL}")
    check_facts(facts, where)
    arrays = {
        name: read_array(data, f"{where}, {name}")
        for name, data in members.items()
        if name.startswith("arrays/")
    }
    known = {MODEL, *arrays}
    procedures = []
    for name, one in procedures_of(facts):
        procedures.append(read_procedure(one, name, members, arrays, where))
        known |= array_names(one, name)
    likeness = None
    if facts["likeness"] is not None:
        n = len(procedures[0].signature)
        likeness = tuple(
            read_shaped(arrays, name, shape, where)
            for name, shape in zip(LIKENESS, ((n,), (n, n)), strict=True)
        )
    strange = sorted({*arrays, *(set(members) - known)})
    if strange:
        raise refused(
            "A frozen model must hold no member that its procedures do not need",
            strange[0],
            where,
            code="frozen-member-spare",
        )
    first, *refits = procedures
    predictors = tuple(_predictor(one) for one in facts["predictors"])
    _check_predictors(predictors, procedures, where)
    return FrozenModel(facts, first, tuple(refits), predictors, digest, where, likeness)


def read_shaped(
    arrays: dict[str, np.ndarray], name: str, shape: tuple[int, ...], where: str
) -> np.ndarray:
    """Take an array of numbers out of those that were read, refusing another shape."""
    values = arrays.pop(name, None)
    if values is None or values.dtype.str != "<f8" or values.shape != shape:
        found = "none" if values is None else f"{values.dtype.str} {values.shape}"
        raise refused(
            "A frozen model must hold its arrays",
            f"{found} for {name}",
            where,
            code="frozen-array-missing",
        )
    return values


def distances(Z: np.ndarray, center: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """Return Mahalanobis' distance of rows.

    Parameters
    ----------
    Z : ndarray of shape (n_rows, n_columns)
    center : ndarray of shape (n_columns,)
    precision : ndarray of shape (n_columns, n_columns)
        Inverse of the covariance.
    """
    away = Z - center
    return np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", away, precision, away), 0.0))


def recalibrated(found: Mapping, risk: np.ndarray) -> np.ndarray:
    """Return risks recalibrated as a model's ``recalibration`` says."""
    if found["kind"] == "none":
        return np.asarray(risk, dtype=np.float64)
    within = np.clip(risk, LOGIT_MARGIN, 1 - LOGIT_MARGIN)
    return expit(found["intercept"] + found["slope"] * logit(within))


def procedures_of(facts: Mapping) -> list[tuple[str, Mapping]]:
    """Return the procedures of a model by their names in the names of members."""
    refits = [(f"refit{number}", one) for number, one in enumerate(facts["refits"])]
    return [("procedure", facts["procedure"]), *refits]


@cache
def _validator() -> object:
    return schema_validator(read_yaml(SCHEMA_FILE.read_bytes()))


def check_facts(facts: object, where: str) -> None:
    """Raise `StudyError` where ``model.json`` does not keep to its schema."""
    error = next(iter(_validator().iter_errors(facts)), None)
    if error is None:
        return
    place = ".".join(str(part) for part in error.absolute_path) or "the whole"
    raise refused(
        "A frozen model must keep to its schema (models/frozen/frozen_model.schema.yaml)",
        f"{error.message:.200}",
        f"{where}, {MODEL}, {place:.200}",
        code="frozen-schema-broken",
    )


def _predictor(one: Mapping) -> Predictor:
    return Predictor(**(dict(one) | {"levels": tuple(one["levels"])}))


def _check_predictors(
    predictors: Sequence[Predictor], procedures: Sequence[Procedure], where: str
) -> None:
    """Refuse predictors that are not exactly what the procedures start from."""
    by_name = {one.name: one for one in predictors}
    inputs = [one for procedure in procedures for one in procedure.inputs]
    same = all(one.column in by_name and by_name[one.column].levels == one.levels for one in inputs)
    if not same or len(by_name) < len(predictors) or {one.column for one in inputs} != set(by_name):
        raise refused(
            "The predictors of a frozen model must be those that its procedure starts from",
            "others, or other levels",
            where,
            code="frozen-predictors-differ",
        )
    steps = [step for each in procedures for step in each.harmonisations]
    check_predicted_by({one.name for one in predictors if one.block == "site"}, steps, where)
    for one in predictors:
        number = one.type in ("continuous", "ordinal")
        ranged = one.low is not None and one.high is not None and one.low <= one.high
        counted = set(one.counts) == set(one.levels)
        if number == bool(one.levels) or (number and not ranged) or not counted:
            raise refused(
                "A predictor of a frozen model has a range seen, or levels with their counts",
                one.name[:80],
                where,
                code="frozen-predictor-incomplete",
            )
