"""Perturbed extractions of the units of an analysis, for the filter of robust features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from pipeline.comparison.agreement.repeated import Floats, Moments
from pipeline.core.errors import StudyError


class PerturbedRows:
    """Moments of each unit's perturbed extractions, looked up by unit.

    A filter that is fitted to rows looks up these rows and no other, so that nothing of a row that
    is held out reaches what is learned. The object is never changed, and copies of a chain share
    it.

    Parameters
    ----------
    table : pandas.DataFrame
        ``analysis_perturbed.parquet``: ``unit_id, patient_id, moment`` and one column per feature.
    """

    def __init__(self, table: pd.DataFrame) -> None:
        names = [name for name in table.columns if name not in ("unit_id", "patient_id", "moment")]
        self._columns = pd.Index(names)
        by_moment = dict(list(table.groupby("moment", sort=False)))
        first = by_moment["count"] if by_moment else table
        self._units = pd.Index(first["unit_id"])
        self._patients = first["patient_id"].to_numpy(dtype=str)
        self._moments = Moments(
            *(
                by_moment[moment].set_index("unit_id").loc[self._units, names].to_numpy(np.float64)
                if by_moment
                else np.zeros((0, len(names)))
                for moment in Moments._fields
            )
        )

    def __deepcopy__(self, memo: object) -> PerturbedRows:
        """Return the object itself: scikit-learn copies every parameter of a step it clones."""
        return self

    def __repr__(self, *_: Any) -> str:
        """Return how many units it holds."""
        return f"PerturbedRows({len(self._units)} units)"

    def take(self, units: Sequence[str], features: Sequence[str]) -> tuple[Moments, Floats]:
        """Return the moments of some units, and who their patients are.

        Parameters
        ----------
        units : sequence of str
            Units wanted, one named twice twice. One that was not perturbed counts for nothing.
        features : sequence of str
            Features wanted.

        Returns
        -------
        moments : Moments
            One row per unit, one column per feature.
        patients : numpy.ndarray of str
            Patient of each unit.

        Raises
        ------
        StudyError
            If a feature was not extracted of perturbed masks.
        """
        at = self._columns.get_indexer(list(features))
        if (at < 0).any():
            raise StudyError(
                "Every feature of the analysis must have been extracted of perturbed masks",
                found=f"{int((at < 0).sum())} without",
                where="tables/analysis_perturbed.parquet",
                remedy="delete this file and run again: the stage join makes it anew",
                code="feature-not-perturbed",
            )
        rows = self._units.get_indexer(pd.Index(units))
        known = (rows >= 0)[:, np.newaxis]
        taken = [np.where(known, each[rows][:, at], 0.0) for each in self._moments]
        return Moments(*taken), np.where(known[:, 0], self._patients[rows], list(map(str, units)))
