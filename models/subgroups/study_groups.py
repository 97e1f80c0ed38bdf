"""How a study's models do in groups of its patients and scans: sex, age, site, level, scanner."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from models.scoring.cross_validated import HeldOut, auroc_estimate
from models.scoring.performance import Sample
from models.subgroups.groups import group_table
from pipeline.core.files import read_table
from pipeline.core.table_schema import types_of
from pipeline.study.sections.judging import Evaluation
from pipeline.tables.schemas.analysis import Analysis, Split
from pipeline.tables.schemas.images.ingest import Ingest
from pipeline.tables.schemas.prediction.subgroups import Subgroups
from pipeline.tables.subgroup_columns import (
    ACQUISITION,
    AUTO,
    LEVEL,
    acquisition_of_units,
    automatic_groups,
    groups_of_numbers,
    groups_of_words,
)

logger = logging.getLogger("vertebromics")

#: Types of the dictionary whose values are numbers.
_NUMERIC = ("continuous", "ordinal")


def on_test_rows(
    predictions: Mapping[str, pd.DataFrame], infos: Mapping[str, Mapping]
) -> dict[str, Sample]:
    """Return each model's predictions of the test rows, in the order of their ids.

    Parameters
    ----------
    predictions, infos : mapping
        As for `models.scoring.evaluation.evaluate`.
    """
    return {
        model: Sample.of(
            rows[rows["part"] == "test"].sort_values("unit_id"), infos[model]["threshold"]
        )
        for model, rows in predictions.items()
    }


def study_subgroups(
    judged: Mapping[str, Sample | HeldOut],
    evaluation: Evaluation,
    unit: str,
    cases: pd.DataFrame | None,
    dictionary: pd.DataFrame,
    analysis: Path,
    split: Path,
    ingest: Path | None = None,
) -> pd.DataFrame:
    """Judge a study's models in groups of the rows that judge them.

    Parameters
    ----------
    judged : mapping of str to Sample or HeldOut
        By model, predictions of the test rows, or of all rows by outer folds.
    evaluation : Evaluation
        The section `evaluation`; ``subgroups`` and ``confidence`` are used.
    unit : {'patient', 'case'}
        What a row of the analysis is.
    cases, dictionary : pandas.DataFrame
        Tables of the frozen study.
    analysis, split, ingest : path
        ``analysis.parquet``, ``split.parquet`` and, with images, ``ingest.parquet``.
    """
    parts = read_table(split, Split).set_index("unit_id")["part"]
    groups = groups_of_units(
        evaluation.subgroups,
        read_table(analysis, Analysis),
        cases,
        dictionary,
        unit,
        parts == "train",
        read_table(ingest, Ingest) if ingest else None,
    )
    by_folds = any(isinstance(each, HeldOut) for each in judged.values())
    units = sorted(parts.index[parts == ("train" if by_folds else "test")])
    return subgroup_table(judged, units, groups, evaluation.confidence)


def groups_of_units(
    asked: str | Mapping[str, Sequence[float]],
    analysis: pd.DataFrame,
    cases: pd.DataFrame | None,
    dictionary: pd.DataFrame,
    unit: str,
    training: pd.Series,
    ingest: pd.DataFrame | None = None,
) -> dict[str, pd.Series]:
    """Return the group of each unit by column.

    Parameters
    ----------
    asked : {'auto'} or mapping
        ``evaluation.subgroups``: column -> where its numbers are cut.
    analysis : pandas.DataFrame
        Analysis table.
    cases, dictionary : pandas.DataFrame
        Tables of the frozen study.
    unit : {'patient', 'case'}
        What a row of the analysis is.
    training : pandas.Series of bool
        On the unit's id, whether it is a training row: their median cuts numbers that are cut
        nowhere else, so that no test row has a say.
    ingest : pandas.DataFrame, optional
        ``ingest.parquet`` of a study with images.

    Returns
    -------
    dict of str to pandas.Series
        By column, words on the unit's id. A column of one group only is left out.
    """
    table = analysis.set_index("unit_id")
    if ingest is not None:
        facts = acquisition_of_units(ingest, cases, f"{unit}_id", ACQUISITION)
        # A column of the study's own goes before one of the headers.
        table = table.join(facts[facts.columns.difference(table.columns)])
    numeric = set(dictionary.loc[dictionary["type"].isin(_NUMERIC), "column"])
    if asked == AUTO:
        known = LEVEL in table and bool(table[LEVEL].notna().any())
        asked = automatic_groups(dictionary, level=known, images=ingest is not None)
    groups = {}
    for column, cuts in asked.items():
        if column not in table:
            logger.info("no subgroups of %s: the analysis table has no such column", column)
            continue
        values = table[column]
        limits = list(cuts)
        if column in numeric and not limits:
            learned = pd.to_numeric(values[training.reindex(values.index)])
            limits = [float(learned.median())] if learned.notna().any() else []
        named = groups_of_numbers(values, limits) if limits else groups_of_words(values)
        if named.nunique() > 1:
            groups[column] = named
    return groups


def subgroup_table(
    judged: Mapping[str, Sample | HeldOut],
    units: Sequence[str],
    groups: Mapping[str, pd.Series],
    confidence: float,
) -> pd.DataFrame:
    """Return what every model does in every group.

    Parameters
    ----------
    judged : mapping of str to Sample or HeldOut
        By model, what it predicts of `units`. What outer folds held out gives an AUROC as the mean
        over the folds of pairs in one fold, everything else on the first repeat.
    units : sequence of str
        Ids of the judged rows, in the order of the samples.
    groups : mapping of str to pandas.Series
        As `groups_of_units` returns them.
    confidence : float
        Level of the intervals, which are not corrected for the number of groups.

    Returns
    -------
    pandas.DataFrame
        With the columns of `Subgroups`. A group that is too small (`FEWEST` of
        `models.subgroups.groups`) has no value; the method says so.
    """
    by = {column: named.loc[list(units)].to_numpy(object) for column, named in groups.items()}
    parts = []
    for model, each in judged.items():
        held_out = isinstance(each, HeldOut)
        sample = each.samples[0] if held_out else each
        table = group_table(model, sample, by, confidence)
        if held_out:
            table = _areas_within_folds(table, each, by, confidence)
        parts.append(table)
    whole = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    types = types_of(Subgroups)
    return whole.reindex(columns=list(types)).astype(types)


def _areas_within_folds(
    table: pd.DataFrame, held_out: HeldOut, by: Mapping[str, np.ndarray], confidence: float
) -> pd.DataFrame:
    """Replace AUROCs over pairs of different folds, whose scores are not on one scale."""
    table = table.copy()
    for row in table[(table["metric"] == "auroc") & table["value"].notna()].itertuples():
        kept = by[row.by] == row.group
        own = replace(
            held_out,
            outcome=held_out.outcome[kept],
            patients=held_out.patients[kept],
            folds=held_out.folds[:, kept],
            probability=held_out.probability[:, kept],
            threshold=held_out.threshold[:, kept],
        )
        estimate = auroc_estimate(own, confidence)
        table.loc[row.Index, ["value", "low", "high"]] = estimate[:3]
        table.loc[row.Index, "method"] = estimate.method
    return table
