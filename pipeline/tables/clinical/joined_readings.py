"""Columns that are made of several readings: mean, median grade, majority, or a consensus."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.core.problems import Problems, listing, suggestion
from pipeline.core.written.number_notation import read_numbers
from pipeline.tables.columns import KEYS
from pipeline.tables.dictionary import MISSING, levels_of

logger = logging.getLogger(__name__)

#: Type of a column -> what is made of its readings.
MADE = {"continuous": "mean", "ordinal": "median", "binary": "majority"}


def with_joined(
    sheet: pd.DataFrame,
    readings: Mapping[str, list[str]],
    dictionary: pd.DataFrame,
    path: str | Path,
    ties: Mapping[str, str] | None = None,
    consensus: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Return a table of text with a column more for each group of readings.

    Numbers become their mean, ordered grades their median, yes and no what most readings say; of
    the readings that are known. With a consensus, grades and yes and no on which the readings agree
    are theirs, and where they differ the consensus decides. How many rows have fewer readings than
    all is logged. What is no value is left to `type_clinical`, which tells it of the reading.

    Parameters
    ----------
    sheet : pandas.DataFrame
        Text.
    readings : mapping
        Column to make -> the columns of its readings, in one unit.
    dictionary : pandas.DataFrame
        As `read_dictionary` returns it: it describes all of them alike, and the readings with the
        role `other`, so that they are no predictors beside what is made of them.
    path : path-like
        Where the values come from, for errors.
    ties : mapping, optional
        Option ``reading_ties``: what a median between two grades and a draw become.
    consensus : mapping, optional
        Option ``reading_consensus``: column that decides where readings differ.

    Raises
    ------
    StudyError
        If a column of readings is missing or described otherwise, if what is made is there already,
        if readings tie and nobody said what holds then, or differ and the consensus is blank.
    """
    consensus = consensus or {}
    _check(sheet, readings, dictionary, consensus)
    problems = Problems("the readings")
    described = dictionary.set_index("column", drop=False)
    for made, columns in readings.items():
        entry = described.loc[made]
        rule = MADE[entry["type"]]
        codes, words = coded(sheet[columns], entry)
        fewer = codes.isna().any(axis=1) & codes.notna().any(axis=1)
        if fewer.any():
            logger.warning(
                "%s: %d rows have fewer than %d readings; their %s is of those that are known",
                *(made, int(fewer.sum()), len(columns), rule),
            )
        if made in consensus:
            decides = coded(sheet[[consensus[made]]], entry)[0].iloc[:, 0]
            joined, open_ = by_consensus(codes, decides)
            _check_decided(open_, made, consensus[made], sheet, path, problems)
            _tell_against(codes, decides, made)
            sheet = sheet.assign(**{made: _texts(joined, words)})
            continue
        joined, tied = joined_codes(codes, rule, (ties or {}).get(made, "blank"))
        if tied.any() and made not in (ties or {}):
            problems.add(
                "Readings that tie must have a rule",
                found=f"{int(tied.sum())} rows whose readings of {made} lie between two values",
                where=f"{path}; config key readings.{made}",
                remedy=f"write `reading_ties: {{{made}: higher}}` (higher | lower | blank: the "
                "higher grade or the second level, the lower one, or not known)",
                code="reading-tie-without-rule",
            )
        sheet = sheet.assign(**{made: _texts(joined, words)})
    problems.raise_if_any()
    return sheet


def _texts(joined: pd.Series, words: Mapping[float, str]) -> pd.Series:
    text = joined.map(words.get) if words else joined.map(repr)
    return text.where(joined.notna(), None)


def _check_decided(
    undecided: pd.Series, made: str, column: str, sheet: pd.DataFrame, path: str | Path,
    problems: Problems,
) -> None:  # fmt: skip
    """Tell the rows in which readings differ and the consensus is blank."""
    if undecided.any():
        key = next((one for one in KEYS if one in sheet.columns), None)
        ids = sheet[key] if key else undecided.index.to_series().map(str)
        problems.add(
            "Where readings differ, the consensus must say a value",
            found=f"{int(undecided.sum())} rows: {listing(map(str, ids[undecided]), 6)}",
            where=f"{path}, column {column}; config key reading_consensus.{made}",
            remedy=f"let the readers agree, or a further reader decide, and write the value into "
            f"{column}; or remove `{made}` from reading_consensus, so that the median or the "
            "majority holds",
            code="reading-without-consensus",
        )


def _tell_against(codes: pd.DataFrame, decides: pd.Series, made: str) -> None:
    """Log how often the consensus says what no reading of a unanimous row does."""
    alike = codes.min(axis=1) == codes.max(axis=1)
    against = int((alike & decides.notna() & (decides != codes.max(axis=1))).sum())
    if against:
        logger.warning(
            "%s: in %d rows the consensus differs from what all readings say; the consensus holds. "
            "Is it a slip?",
            *(made, against),
        )


def by_consensus(codes: pd.DataFrame, decides: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Return the grade that a consensus leaves of readings, and where they differ without one.

    Parameters
    ----------
    codes : pandas.DataFrame
        Readings as numbers.
    decides : pandas.Series
        The consensus as numbers; where it is known it holds.
    """
    low, high = codes.min(axis=1), codes.max(axis=1)
    differ = low.notna() & (low != high)
    return decides.where(decides.notna(), low.where(~differ)), differ & decides.isna()


def coded(texts: pd.DataFrame, entry: pd.Series) -> tuple[pd.DataFrame, dict[float, str]]:
    """Return readings as numbers, and the words of the numbers; none where they are numbers.

    Parameters
    ----------
    texts : pandas.DataFrame
        Readings as text.
    entry : pandas.Series
        Row of the dictionary of what is made of them.
    """
    texts = texts.where(~texts.isin(MISSING), None)
    if entry["type"] != "binary":
        return pd.concat([read_numbers(texts[name]).values for name in texts], axis=1), {}
    levels = levels_of(entry) or sorted(set(texts.stack().dropna()))
    codes = {level.strip().casefold(): float(place) for place, level in enumerate(levels)}
    numbers = texts.apply(
        lambda column: column.map(lambda one: codes.get(one.strip().casefold(), np.nan),
                                  na_action="ignore")
    )  # fmt: skip
    return numbers.astype(float), {float(place): level for place, level in enumerate(levels)}


def joined_codes(codes: pd.DataFrame, rule: str, tie: str) -> tuple[pd.Series, pd.Series]:
    """Return what is made of readings, and where they tie.

    Parameters
    ----------
    codes : pandas.DataFrame
        Numbers; of yes and no 0 and 1.
    rule : {'mean', 'median', 'majority'}
        The majority of 0 and 1 is their median, too.
    tie : {'lower', 'higher', 'blank'}
        What a median between two readings becomes.
    """
    if rule == "mean":
        return codes.mean(axis=1), pd.Series(False, index=codes.index)
    middle = codes.median(axis=1)
    low, high = codes.quantile(0.5, axis=1, interpolation="lower"), codes.quantile(
        0.5, axis=1, interpolation="higher")  # fmt: skip
    tied = (low != high) & middle.notna()
    instead = {"lower": low, "higher": high}.get(tie, pd.Series(np.nan, index=codes.index))
    return middle.where(~tied, instead), tied


def _check_consensus(
    sheet: pd.DataFrame, readings: Mapping[str, list[str]], described: pd.DataFrame,
    consensus: Mapping[str, str], problems: Problems,
) -> None:  # fmt: skip
    for made, column in consensus.items():
        where = f"config key reading_consensus.{made}"
        if made not in readings:
            problems.add(
                "A consensus must be of a column that is made of readings",
                found=made,
                where=where,
                remedy=suggestion(made, readings)
                or f"name the readings by `readings: {{{made}: [...]}}`, or remove this entry",
                code="consensus-without-readings",
            )
        elif column in readings[made]:
            problems.add(
                "A consensus must be a column beside the readings, which do not decide themselves",
                found=column,
                where=where,
                remedy=f"remove {column} from readings.{made}, or name another column",
                code="consensus-is-a-reading",
            )
        elif described["type"].get(made) == "continuous":
            problems.add(
                "A consensus decides between grades, or yes and no; numbers have a mean",
                found=f"{made}, type continuous",
                where=where,
                remedy=f"remove `{made}` from reading_consensus; or give it and its readings the "
                "type ordinal",
                code="consensus-of-numbers",
            )


def _check(
    sheet: pd.DataFrame, readings: Mapping[str, list[str]], dictionary: pd.DataFrame,
    consensus: Mapping[str, str],
) -> None:  # fmt: skip
    problems = Problems("the readings")
    described = dictionary.set_index("column")
    _check_consensus(sheet, readings, described, consensus, problems)
    for made, readers in readings.items():
        columns = [*readers, *({consensus[made]} - {*readers} if made in consensus else ())]
        where = f"config key readings.{made}"
        kind = described["type"].get(made)
        if made in sheet.columns:
            problems.add(
                "A mean of readings must not be a column of the clinical table already",
                found=made,
                where=where,
                remedy="remove the column from the table, or the entry from `readings`",
                code="reading-mean-exists",
            )
        for name in [made, *columns]:
            if name != made and name not in sheet.columns:
                problems.add(
                    "Every column of readings must be in the clinical table",
                    found=name,
                    where=where,
                    remedy=suggestion(name, sheet.columns) or f"correct the name, or add {name}",
                    code="reading-column-missing",
                )
            elif (
                name not in described.index
                or described.loc[name, "type"] not in MADE
                or described.loc[name, "type"] != (kind if kind in MADE else "continuous")
            ):
                problems.add(
                    "Readings and what is made of them must be described as continuous, ordinal or "
                    "binary in the data dictionary, all alike",
                    found=name,
                    where=where,
                    remedy=f"give {name} a row of the type "
                    f"{kind if kind in MADE else 'continuous'}",
                    code="reading-not-continuous",
                )
            elif name != made and described.loc[name, "role"] != "other":
                problems.add(
                    "A single reading must have the role `other`: its mean stands for it",
                    found=f"{name}, role {described.loc[name, 'role']}",
                    where=where,
                    remedy=f"give {name} the role `other` in the data dictionary",
                    code="reading-not-other",
                )
    problems.raise_if_any()
