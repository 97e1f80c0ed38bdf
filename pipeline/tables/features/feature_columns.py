"""Which columns of a ready feature table are features, and the numbers that they hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import numpy as np
import pandas as pd

from pipeline.core.written.number_notation import (
    NUMBER,
    Numbers,
    is_number,
    plain_numbers,
    read_numbers,
)
from pipeline.tables.columns import KEYS, given_names, table_name
from pipeline.tables.dictionary import MISSING
from pipeline.tables.features.feature_suspects import suspects
from pipeline.tables.sites import HandedIn, feature_readers

DAYS = "days_from_surgery"
"""Whole days from surgery to the scan, negative before it."""
IDENTIFIERS = (*KEYS, "scan_id", "level", "reader", DAYS)
"""Columns that may stand beside the features."""
NO_FEATURE = re.compile(
    r"(diagnostics|general_info)_|(image|mask|label)$|unnamed: [0-9]+(\.[0-9]+)*$|\.\.\.[0-9]+$",
    re.IGNORECASE,
)
"""What PyRadiomics prints besides features (``general_info_`` before its version 2): versions,
hashes, and its own input columns; and what pandas and R's readr call a column without a name, which
mostly numbers the rows."""
MIN_COUNTED = 10
"""Rows from which on 1, 2, 3, ... is taken for a count of them, and not for values."""
_MEANT_AS_NUMBER = re.compile(
    r"[+-]?[0-9.,'\u00a0 ]*[0-9][.,]?([eE][+-]?[0-9]+)?\s*"
    r"([^\d\s.,]{0,6}|[a-zA-Z]{1,3}[23\u00b2\u00b3])"
)
"""A number in any notation, perhaps with a unit; a column with such a value is not one of words."""
_LOOKED_AT = 60
"""Characters of a cell that is asked whether it is meant as a number: words may be long."""
_CODE = re.compile(r"[0-9]+([.,][0-9]+){2,}")
"""A version or a date."""
_INFINITE = re.compile(r"[+-]?(inf|infinity|1\.#inf)", re.IGNORECASE)
"""How software writes what is beyond its numbers, as a ratio with nothing below it."""


def is_named(name: str, patterns: Iterable[str]) -> bool:
    """Tell whether a column is listed, by its name or by a pattern.

    Examples
    --------
    >>> is_named("GLCM_Energy[=AngularSecondMoment]", ["GLCM_Energy[=AngularSecondMoment]"])
    True
    >>> is_named("OS_days", ["OS_*"])
    True
    """
    return any(name == pattern or fnmatchcase(name, pattern) for pattern in patterns)


@dataclass(frozen=True, kw_only=True)
class LayoutOptions(HandedIn):
    """Options that say how the feature tables of a study are laid out.

    Attributes
    ----------
    columns, not_features, also_features, aggregation
        Options of these names.
    """

    columns: Mapping[str, str | list[str]]
    not_features: list[str]
    also_features: list[str]
    aggregation: str | None


@dataclass(frozen=True)
class Layout:
    """How the feature tables of a study are laid out.

    Attributes
    ----------
    names : mapping
        Option ``columns``: what the tables call the columns of this project.
    clinical : frozenset of str
        Columns that the data dictionary describes, as the tables name them: no features.
    left_out : tuple of str
        Option ``not_features``: other columns that are none; ``*`` stands for anything.
    numbered : bool
        Whether rows of one patient without a ``case_id`` are cases, numbered in their order: with
        one reader, and a stated aggregation.
    asked : tuple of str or None
        Option ``also_features``: columns that are features although their names are suspicious;
        None where the table is of this project's own, and nothing is suspicious.
    """

    names: Mapping[str, str | list[str]] = field(default_factory=dict)
    clinical: frozenset[str] = frozenset()
    left_out: tuple[str, ...] = ()
    numbered: bool = False
    asked: tuple[str, ...] | None = None

    @classmethod
    def of(cls, options: LayoutOptions, dictionary: pd.DataFrame | None) -> Layout:
        """Return the layout that a study's options and its data dictionary state."""
        described = () if dictionary is None else dictionary["column"]
        return cls(
            options.columns,
            frozenset(map(table_name, described)) - {*KEYS, DAYS},
            tuple(options.not_features),
            len(feature_readers(options)) == 1 and options.aggregation is not None,
            tuple(options.also_features),
        )

    def features_among(self, columns: Iterable[str]) -> list[str]:
        """Return which of a table's columns are features, going by their names."""
        names = self._named(columns)
        out = self._suspects(names)
        return [name for name in names if name not in out]

    def kept_out(self, columns: Iterable[str]) -> dict[str, str]:
        """Return columns that are perhaps no features and are kept out, with the reasons."""
        return self._suspects(self._named(columns))

    def _named(self, columns: Iterable[str]) -> list[str]:
        no_features = {*IDENTIFIERS, *given_names(self.names), *self.clinical}
        return [
            name
            for name in columns
            if name not in no_features
            and not NO_FEATURE.match(name)
            and not is_named(name, self.left_out)
        ]

    def reason(self, name: str) -> str:
        """Return why a column is no feature of the study."""
        if name in self.clinical:
            return "described by the data dictionary, or named by a formula"
        if is_named(name, self.left_out):
            return "named by `not_features`"
        if NO_FEATURE.match(name):
            return "written by software beside the features"
        return "words, dates or codes and no numbers, or a count of the rows"

    def _suspects(self, names: list[str]) -> dict[str, str]:
        if self.asked is None:
            return {}
        return {
            name: reason
            for name, reason in suspects(names).items()
            if not is_named(name, self.asked)
        }


PLAIN = Layout()


UNDEFINED = MISSING | {
    *("None", "none", "<NA>", "NAN", "Nan", "-nan", "nan(ind)", "-nan(ind)"),
    *("1.#QNAN", "-1.#QNAN", "1.#IND", "-1.#IND"),
}
"""How software writes a feature that has no value, besides the words for a missing one."""


def feature_numbers(values: pd.Series, *, decimal_comma: bool = False) -> Numbers:
    """Read a column of features: NaN where undefined.

    Undefined is a blank, a word for it, and what the table says is infinite. Parameters and what is
    returned are those of `pipeline.core.written.number_notation.read_numbers`.
    """
    if pd.api.types.is_numeric_dtype(values):
        finite = values.astype("float64").replace([np.inf, -np.inf], np.nan)
        return Numbers(finite, {}, {})
    plain = plain_numbers(values.dropna())
    if plain is not None:  # most columns, at once
        return Numbers(plain.reindex(values.index), {}, {})
    texts = values.where(~values.isin(UNDEFINED), None)
    infinite = [row for row, text in texts.dropna().items() if _INFINITE.fullmatch(text[:12])]
    return read_numbers(texts.drop(infinite), decimal_comma=decimal_comma).over(values.index)


def only_words(values: pd.Series) -> bool:
    """Tell whether a column holds text and no number, nor what could be one."""
    if pd.api.types.is_numeric_dtype(values):
        return False
    texts = values.dropna().astype(str)
    texts = texts[~texts.isin(UNDEFINED)]
    if texts.empty or NUMBER.fullmatch(texts.iloc[0][:_LOOKED_AT]):
        return False

    def meant(text: str) -> bool:
        return not _CODE.fullmatch(text) and bool(_MEANT_AS_NUMBER.fullmatch(text))

    return not any(is_number(text) or meant(text[:_LOOKED_AT]) for text in texts.unique())


def counts_rows(values: pd.Series) -> bool:
    """Tell whether a column only numbers the rows: where they are sorted, it tells the outcome."""
    if len(values) < MIN_COUNTED or values.isna().any():
        return False
    first = str(values.iloc[0]).removesuffix(".0")
    if first not in ("0", "1"):
        return False
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(float)
    return bool((numbers == np.arange(len(values)) + int(first)).all())
