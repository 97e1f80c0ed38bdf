"""Columns whose groups a study's models are judged in: named by the study, or found by name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from pipeline.core.errors import StudyError
from pipeline.core.problems import listing

AUTO = "auto"
"""Word of the configuration for the groups that every study is asked for."""

LEVEL = "level"
"""Column of the analysis table with the vertebra."""

ACQUISITION = ("manufacturer", "scanner", "kernel", "kvp", "slice_thickness_mm")
"""Facts of `ingest.parquet` that make groups of scans."""

MOST = 12
"""Groups of a column; the rarest beyond them are one, `OTHERS`."""

NOT_KNOWN = "not known"
OTHERS = "others"

_NUMERIC = ("continuous", "ordinal")
_ASKED = re.compile(r"\b(age|sex|gender|site|centre|center|hospital)\b")


def automatic_groups(
    dictionary: pd.DataFrame, *, level: bool, images: bool
) -> dict[str, list[float]]:
    """Return the columns that reviewers ask for, as far as a study has them.

    Parameters
    ----------
    dictionary : pandas.DataFrame
        Rows ``column, label, type, role``. Sex, age and site are found by their names.
    level : bool
        Whether vertebral levels are known.
    images : bool
        Whether the study reads CT, so that scanner and kernel may be known.

    Returns
    -------
    dict of str to list of float
        Column -> where numbers are cut; empty for the column's own cut.
    """
    rows = dictionary[dictionary["role"].isin(["predictor", "split"])]
    named = [
        row.column
        for row in rows.itertuples()
        if any(_ASKED.search(_words(name)) for name in (row.column, row.label))
        and not (row.role == "split" and row.type in _NUMERIC)
    ]
    found = dict.fromkeys(named, ())
    found |= dict.fromkeys([LEVEL] * level + ["scanner", "kernel"] * images, ())
    return {column: list(cuts) for column, cuts in found.items()}


def _words(name: object) -> str:
    return re.sub(r"[_\-\s,;()]+", " ", str(name)).lower()


def check_subgroups(
    asked: str | Mapping[str, Sequence[float]], dictionary: pd.DataFrame, *, images: bool
) -> None:
    """Raise `StudyError` unless each column exists and is cut only where it holds numbers.

    Parameters
    ----------
    asked : {'auto'} or mapping
        ``evaluation.subgroups``.
    dictionary : pandas.DataFrame
        Rows ``column, type``.
    images : bool
        Whether the study reads CT.
    """
    if isinstance(asked, str):  # AUTO, as the options demand
        return
    numeric = dict(zip(dictionary["column"], dictionary["type"].isin(_NUMERIC), strict=True))
    of_scans = ACQUISITION if images else ()
    known = {LEVEL: False} | dict.fromkeys(of_scans, False) | numeric
    known |= dict.fromkeys({"kvp", "slice_thickness_mm"} & set(of_scans), True)
    where = "config key evaluation.subgroups"
    for column, cuts in asked.items():
        if column not in known:
            raise StudyError(
                "Subgroups must be of a column of the data dictionary, the vertebral level or, "
                "with images, the acquisition",
                found=column,
                where=where,
                remedy=f"name one of {listing(list(known), 8)}, or leave it out",
                code="subgroup-column-unknown",
            )
        if cuts and not known[column]:
            raise StudyError(
                "Only a column of numbers can be cut into subgroups",
                found=f"{column}: {listing(cuts)}",
                where=where,
                remedy=f"write `{column}: []`: its own values are the groups",
                code="subgroup-cut-of-words",
            )
        if list(cuts) != sorted(set(cuts)):
            raise StudyError(
                "Cuts of subgroups must rise",
                found=f"{column}: {listing(cuts)}",
                where=where,
                remedy=f"write `{column}: {sorted(set(cuts))}`",
                code="subgroup-cuts-do-not-rise",
            )


def acquisition_of_units(
    ingest: pd.DataFrame, cases: pd.DataFrame, key: str, facts: Sequence[str]
) -> pd.DataFrame:
    """Return facts of the scans by unit.

    Parameters
    ----------
    ingest : pandas.DataFrame
        ``scan_id`` and facts of each scan.
    cases : pandas.DataFrame
        ``scan_id`` and `key` of each case.
    key : {'patient_id', 'case_id'}
        What a row of the analysis is.
    facts : sequence of str
        Columns of `ingest`; those that it lacks are left out.

    Returns
    -------
    pandas.DataFrame
        One row per unit. Of a unit with several scans, different words are joined and different
        numbers averaged.
    """
    scans = cases[[key, "scan_id"]].drop_duplicates()
    held = [name for name in facts if name in ingest]
    joined = scans.merge(ingest[["scan_id", *held]], on="scan_id").groupby(key)

    def together(values: pd.Series) -> object:
        known = sorted(values.dropna().unique())
        if len(known) < 2:
            return known[0] if known else None
        numbers = pd.api.types.is_numeric_dtype(values)
        return float(np.mean(known)) if numbers else " and ".join(map(str, known))

    return joined[held].agg(together)


def groups_of_numbers(values: pd.Series, cuts: Sequence[float]) -> pd.Series:
    """Return the group of each number: ``below 65``, ``65 to below 80``, ``80 and above``.

    Parameters
    ----------
    values : pandas.Series
        Numbers; missing ones are `NOT_KNOWN`.
    cuts : sequence of float
        Rising; at least one.

    Examples
    --------
    >>> groups_of_numbers(pd.Series([60, 65, 90, None]), [65, 80]).tolist()
    ['below 65', '65 to below 80', '80 and above', 'not known']
    """
    texts = [f"{cut:g}" for cut in cuts]
    labels = [f"below {texts[0]}"]
    labels += [f"{low} to below {high}" for low, high in pairwise(texts)]
    labels.append(f"{texts[-1]} and above")
    numbers = pd.to_numeric(values).astype(float)
    places = np.searchsorted(np.asarray(cuts, float), numbers.to_numpy(), side="right")
    named = pd.Series([labels[place] for place in places], index=values.index, dtype=object)
    return named.where(numbers.notna(), NOT_KNOWN)


def groups_of_words(values: pd.Series) -> pd.Series:
    """Return the group of each word; beyond `MOST` the rarest are `OTHERS`.

    Examples
    --------
    >>> groups_of_words(pd.Series(["L1", "T12|L1", None])).tolist()
    ['L1', 'T12 and L1', 'not known']
    """
    words = values.map(
        lambda value: f"{value:g}" if isinstance(value, float) else str(value), na_action="ignore"
    )
    words = words.astype(object).where(values.notna(), NOT_KNOWN)
    words = words.map(lambda word: word.replace("|", " and "))
    often = words.value_counts()
    kept = sorted(often.index, key=lambda word: (-often[word], word))[: MOST - 1]
    return words if len(often) <= MOST else words.where(words.isin(kept), OTHERS)


def order_of_groups(by: str, groups: Sequence[str]) -> list[str]:
    """Return the groups of a column in the order of a table: by size of number, or level.

    >>> order_of_groups("age", ["80 and above", "65 to below 80", "below 65", "not known"])
    ['below 65', '65 to below 80', '80 and above', 'not known']
    >>> order_of_groups("level", ["L1", "T12"])
    ['T12', 'L1']
    """

    def place(group: str) -> tuple:
        last = (group == NOT_KNOWN, group == OTHERS)
        spine = re.match(r"([CTLS])(\d+)", group) if by == LEVEL else None
        if spine:
            return (*last, "CTLS".index(spine[1]), float(spine[2]), group)
        number = re.search(r"-?\d+(?:\.\d+)?", group)
        return (*last, not group.startswith("below "), float(number[0]) if number else 0.0, group)

    return sorted(groups, key=place)
