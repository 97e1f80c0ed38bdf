"""Which columns of the analysis table the models see, and what each of them is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pandas as pd

from models.transformers.perturbed import PerturbedRows
from pipeline.core.errors import StudyError
from pipeline.tables.readers import latest_label

Block = Literal["radiomics", "clinical"]

BLOCKS: tuple[Block, ...] = ("radiomics", "clinical")
MISSING = "(missing)"
"""Stands for a level in the name of the column that tells where a predictor is missing."""

NUMERIC_TYPES = ("continuous", "ordinal")
MEAN_OF_READERS = "mean"

SITE_OF_ROW = ":site"
"""Column of X with each unit's site, where features are harmonised; no candidate, as `LEVEL`."""
KEPT = ":kept:"
"""Stands before the name of a column of X whose effect on the features a harmonisation keeps."""

LEVEL = ":level"
"""Column of X with each unit's vertebral level, which is no candidate; without a reader's name it
clashes with no other."""


@dataclass(frozen=True)
class Predictor:
    """One clinical predictor, a row of the study's dictionary.

    Attributes
    ----------
    column : str
        Its column in the analysis table.
    label : str
        How it is written for people.
    type : {'continuous', 'ordinal', 'categorical', 'binary'}
        The first two are numbers, the last two are levels.
    levels : tuple of str
        Levels in the dictionary's order, the first being the reference; empty for numbers.
    """

    column: str
    label: str
    type: str
    levels: tuple[str, ...] = ()

    @property
    def is_numeric(self) -> bool:
        """Whether its values are numbers."""
        return self.type in NUMERIC_TYPES

    @property
    def encoded(self) -> tuple[str, ...]:
        """Columns that stand for it in the signature: itself, or one per level but the first."""
        if self.is_numeric:
            return (self.column,)
        return tuple(f"{self.column}={level}" for level in self.levels[1:])

    @property
    def indicator(self) -> str:
        """Column that tells where it is missing, if the study asks for it."""
        return f"{self.column}={MISSING}"


@dataclass(frozen=True)
class Columns:
    """The candidates of a model: radiomic features by reader and clinical predictors.

    Attributes
    ----------
    readers : tuple of str
        Readers whose features the analysis table holds, as ``<reader>:<feature>``.
    model_reader : str or None
        Reader whose features the model sees, or ``'mean'`` of all; None with at most one reader.
    features : tuple of str
        Radiomic features, without reader.
    predictors : tuple of Predictor
        Clinical predictors.
    corrected : tuple of str
        Readers with corrected masks, whose latest features the model sees; agreement stays that
        of the originals.
    everyone : pandas.DataFrame or None
        Rows of all patients, test rows included, from which ``mode: as_published`` selects; None
        where selection is learned from training rows alone.
    site : str or None
        Column of the site, where features are harmonised between sites; None where they are not.
    kept : tuple of Predictor
        Clinical columns whose effects on the features a harmonisation keeps.
    transductive : bool
        Whether a site without training rows is harmonised by its own rows: for labelled figures of
        a validation site by site alone.
    perturbed : PerturbedRows or None
        Perturbed extractions of the units, where the selection asks for robust features.
    """

    readers: tuple[str, ...]
    model_reader: str | None
    features: tuple[str, ...]
    predictors: tuple[Predictor, ...]
    corrected: tuple[str, ...] = ()
    everyone: pd.DataFrame | None = field(default=None, repr=False, compare=False)
    site: str | None = None
    kept: tuple[Predictor, ...] = ()
    transductive: bool = False
    perturbed: PerturbedRows | None = field(default=None, repr=False, compare=False)

    @classmethod
    def from_info(cls, info: Mapping) -> Columns:
        """Read the candidates from ``analysis.json``, as ``python -m pipeline.join`` wrote it.

        Raises
        ------
        StudyError
            If a categorical or binary predictor states fewer than two levels, or if the reader of
            the model is none of the readers.
        """
        readers = tuple(info["readers"])
        model_reader = info.get("model_reader")
        if len(readers) > 1 and model_reader not in (*readers, MEAN_OF_READERS):
            raise StudyError(
                "With several readers the model needs one of them, or their mean",
                found=model_reader,
                where="config key model_reader",
                remedy=f"choose one of {', '.join((*readers, MEAN_OF_READERS))}",
                code="model-reader-unknown",
            )
        predictors = tuple(_predictor(row) for row in info["predictors"])
        seen = readers if model_reader in (None, MEAN_OF_READERS) else (model_reader,)
        corrected = tuple(reader for reader in seen if info.get("corrected", {}).get(reader))
        asked = info.get("harmonisation") or {"site": None, "covariates": ()}
        return cls(
            *(readers, model_reader, tuple(info["features"]), predictors, corrected),
            site=asked["site"],
            kept=tuple(map(_predictor, asked["covariates"])),
        )

    @property
    def radiomics(self) -> list[str]:
        """Radiomic columns of the analysis table, ``<reader>:<feature>``, then latest versions."""
        prefixes = [*self.readers, *map(latest_label, self.corrected)]
        return [f"{prefix}:{feature}" for prefix in prefixes for feature in self.features]

    @property
    def clinical(self) -> list[str]:
        """Clinical columns of the analysis table."""
        return [predictor.column for predictor in self.predictors]

    @property
    def names(self) -> list[str]:
        """All columns of X, radiomic ones first."""
        return self.radiomics + self.clinical

    def take(self, table: pd.DataFrame) -> pd.DataFrame:
        """Take X from an analysis table, indexed by unit.

        Parameters
        ----------
        table : pandas.DataFrame
            One row per unit, with ``unit_id`` and the columns of `names`.

        Returns
        -------
        pandas.DataFrame
            Numbers as float64, levels as str or None; rows in the table's order. Behind the
            candidates stands `LEVEL`: str, None where the table does not tell it.
        """
        beside = [self.site] * (self.site is not None) + [each.column for each in self.kept]
        missing = [name for name in self.names + beside if name not in table.columns]
        if missing:
            raise StudyError(
                "The analysis table must hold every column that analysis.json names",
                found=f"{len(missing)} missing, first {missing[0]}",
                remedy="run the stage join again",
                code="analysis-columns-missing",
            )
        levels = [p.column for p in self.predictors if not p.is_numeric]
        numbers = [p.column for p in self.predictors if p.is_numeric]
        parts = [
            table[self.radiomics + numbers].astype(np.float64),
            table[levels].astype(object).where(table[levels].notna(), None),
        ]
        X = pd.concat(parts, axis=1)[self.names]
        level = table.get("level", pd.Series(None, table.index)).astype(object)
        X[LEVEL] = level.where(level.notna(), None)
        if self.site is not None:
            X[SITE_OF_ROW] = table[self.site].astype(object).where(table[self.site].notna(), None)
        for each in self.kept:
            values = table[each.column]
            X[KEPT + each.column] = (
                values.astype(np.float64)
                if each.is_numeric
                else values.astype(object).where(values.notna(), None)
            )
        return X.set_axis(pd.Index(table["unit_id"], name="unit_id"), axis=0)

    @property
    def beside(self) -> list[str]:
        """Columns of X that are no candidates, for the harmonisation of features."""
        if self.site is None:
            return []
        return [SITE_OF_ROW, *(KEPT + each.column for each in self.kept)]

    def block_of(self, name: str) -> Block:
        """Return the block of a feature, a predictor or an encoded column."""
        return "clinical" if self._predictor_of(name) is not None else "radiomics"

    def candidate_of(self, name: str) -> str:
        """Return the candidate that a column of the signature stands for.

        A radiomic feature or a number stands for itself, ``fracture=wedge`` for ``fracture``.
        """
        predictor = self._predictor_of(name)
        return name if predictor is None else predictor.column

    def without(self, *names: str) -> Columns:
        """Return the candidates without some, named as features, predictors or encoded columns."""
        gone = {self.candidate_of(name) for name in names}
        unknown = gone.difference(self.features, self.clinical)
        if unknown:
            raise StudyError(
                "Only a candidate can be removed",
                found=", ".join(sorted(unknown)),
                code="removed-not-a-candidate",
            )
        return replace(
            self,
            features=tuple(f for f in self.features if f not in gone),
            predictors=tuple(p for p in self.predictors if p.column not in gone),
        )

    def only(self, *names: str) -> Columns:
        """Return no candidates but these, named as features, predictors or encoded columns."""
        kept = {self.candidate_of(name) for name in names}
        everything = (*self.features, *self.clinical)
        unknown = kept.difference(everything)
        if unknown:
            raise StudyError(
                "Only a candidate can be kept",
                found=", ".join(sorted(unknown)),
                code="kept-not-a-candidate",
            )
        return self.without(*(name for name in everything if name not in kept))

    def without_blocks(self, *blocks: Block) -> Columns:
        """Return the candidates without whole blocks (``radiomics``, ``clinical``)."""
        unknown = set(blocks).difference(BLOCKS)
        if unknown:
            raise StudyError(
                f"A block is one of {', '.join(BLOCKS)}",
                found=", ".join(sorted(unknown)),
                code="block-unknown",
            )
        return replace(
            self,
            features=() if "radiomics" in blocks else self.features,
            predictors=() if "clinical" in blocks else self.predictors,
        )

    def _predictor_of(self, name: str) -> Predictor | None:
        for predictor in self.predictors:
            if name in (predictor.column, predictor.indicator, *predictor.encoded):
                return predictor
        return None


def candidates_of(columns: Columns, names: Iterable[str]) -> list[str]:
    """Return the candidates behind columns of a signature, each once, in their order."""
    return list(dict.fromkeys(columns.candidate_of(name) for name in names))


def _predictor(row: Mapping) -> Predictor:
    text = row.get("levels")
    levels = tuple(part.strip() for part in text.split("|")) if text else ()
    predictor = Predictor(row["column"], row.get("label") or row["column"], row["type"], levels)
    if predictor.is_numeric:
        return replace(predictor, levels=())
    if len(levels) < 2:
        raise StudyError(
            "A categorical or binary predictor needs at least two levels",
            found=text,
            where=f"dictionary, column {predictor.column}",
            remedy="list its levels, separated by '|', reference first",
            code="predictor-one-level",
        )
    return predictor
