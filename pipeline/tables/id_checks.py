"""Ids that are none, and ids of one person in two spellings: both put a patient in where none is.

A row `mean` below a table becomes a patient, and `p007` beside `P007` stands in the training and in
the test part at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import pandas as pd

from pipeline.core.problems import Problems, listing
from pipeline.core.written.spellings import NUMBER, ids_spelled_twice, plain_word
from pipeline.tables.files.sheets import rows_text
from pipeline.tables.identifying.checks import shown_id

SUMMARIES = frozenset(
    [
        *("mean", "means", "average", "avg", "median", "sum", "total", "totals", "subtotal"),
        *("grandtotal", "overall", "count", "counts", "std", "sd", "stdev", "stddev", "stdv"),
        *("variance", "minimum", "maximum", "iqr", "skewness", "kurtosis", "ci95", "95ci"),
        *("meansd", "meanstd", "medianiqr", "standarddeviation", "standarderror", "pvalue"),
        *("mittelwert", "durchschnitt", "summe", "gesamt", "anzahl", "standardabweichung"),
        *(
            "stabw",
            "stdabw",
            "mwsd",
            "mwstd",
            "gesamtn",
            "minimalwert",
            "maximalwert",
            "spannweite",
            "varianz",
        ),
        *("moyenne", "somme", "ecarttype", "mediana", "desviacionestandar"),
    ]
)
"""What spreadsheets and pandas call a row that sums up the others, without signs."""
SHORT_SUMMARIES = frozenset(
    [
        *("n", "se", "sem", "var", "cv", "min", "max", "range", "mode", "all", "top", "freq"),
        *(
            "q1",
            "q2",
            "q3",
            "p25",
            "p50",
            "p75",
            "ci",
            "skew",
            "kurt",
            "unique",
            "mittel",
            "media",
            "mw",
            "alle",
        ),
    ]
)
"""The same, but short enough to be an id; they are none where the other ids look otherwise."""
RARE = 0.25
"""Share of ids of one look (letters, digits, signs) below which a short word is no id of them."""

_PERCENT = re.compile(r"[0-9]{1,3}([.,_][0-9]+)?%")
_EQUALS = re.compile(r"(n|mean|sd|std|total|sum|median)\s*[=:(].*", re.IGNORECASE)


def is_summary(text: str) -> bool:
    """Tell whether an id says that its row sums up a table.

    Examples
    --------
    >>> [is_summary(each) for each in ("Mean", "n=92", "25%", "Std. Dev", "N", "P001", "25")]
    [True, True, True, True, False, False, False]
    """
    if _PERCENT.fullmatch(text.strip()) or _EQUALS.fullmatch(text.strip()):
        return True
    return _bare(text) in SUMMARIES


def _bare(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", plain_word(text))


def _look(text: str) -> str:
    """Return an id with a letter for its letters and a digit for its digits: P001 is a0."""
    return re.sub("[a-z]+", "a", re.sub("[0-9]+", "0", plain_word(text)))


def check_rows_of_patients(ids: pd.Series, where: str, problems: Problems) -> None:
    """Add rows whose id says that they sum up the others, or is a fraction among whole numbers.

    Parameters
    ----------
    ids : pandas.Series of str or None
        A column of ids, on the rows' numbers.
    where : str
        The table, for the error.
    problems : Problems
        Receives one error for all rows of a kind.
    """
    known = ids.dropna()
    looks = known.map(_look)
    rare = looks.map(looks.value_counts(normalize=True)) < RARE
    short = known.map(lambda text: _bare(text) in SHORT_SUMMARIES)
    summaries = known[known.map(is_summary).astype(bool) | (short & rare).astype(bool)]
    numbers = known[known.map(lambda text: NUMBER.fullmatch(text) is not None)]
    fractions = numbers[numbers.map(lambda text: not float(text).is_integer())]
    # A mean of ids that are numbers; where many are fractions, they are meant so.
    if 2 * len(fractions) > len(numbers):
        fractions = fractions.iloc[:0]
    odd = pd.concat([summaries, fractions]).sort_index()
    if odd.empty:
        return
    problems.add(
        "Every row must be a patient's or a case's, not a summary of the table",
        found=listing(odd),
        where=f"{where}, {rows_text(odd.index)}, column {ids.name}",
        remedy="remove these rows; if one is a patient, give it another id",
        code="row-of-no-patient",
    )


def check_spellings(tables: Mapping[str, Iterable[str]], column: str, problems: Problems) -> None:
    """Add ids that differ in case, blanks, signs or leading zeros only.

    Parameters
    ----------
    tables : mapping
        Name of a table to its ids of one kind.
    column : str
        What the ids are called.
    problems : Problems
        Receives one error for all of them.
    """
    groups = ids_spelled_twice(tables)
    if not groups:
        return
    several = len({table for group in groups for _, table in group}) > 1

    def told(group: list[tuple[str, str]]) -> str:
        return " and ".join(
            f"{shown_id(each)} ({table})" if several else shown_id(each) for each, table in group
        )

    problems.add(
        f"Ids must differ by more than case, blanks, signs or leading zeros: the column {column}",
        found=f"{len(groups)} pairs: {listing(map(told, groups), 8)}",
        where=listing(tables),
        remedy="write the id of one patient one way in every table; different patients need ids "
        "that differ otherwise, such as P007 and P107",
        code="ids-spelled-alike",
    )
