"""What a clinical column is, guessed from its name and values, each guess with its reason."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pandas as pd
import yaml

from pipeline.core.written.number_notation import is_number, read_numbers
from pipeline.core.written.spellings import CODES, means_unknown, plain_word
from pipeline.imaging.levels import levels_in
from pipeline.study.described_columns import ordered_levels
from pipeline.study.draft.times import timing_around, timing_of
from pipeline.tables.dictionary import MISSING
from pipeline.tables.identifying.words import fold

MOSTLY_NUMBERS = 0.7
"""Share of a column's known cells that are numbers, from which on it is one of numbers."""

MOST_GRADES = 6
"""Whole numbers of no more different values are taken for grades, where no name says more."""

FAR = 3.0
"""Times the largest other value from which on a number such as 999 is a code for `not known`."""

ORDER = ("preoperative", "intraoperative", "postoperative")
"""Times of a column, the earliest first."""

MARKS = frozenset(("+", "x", "*"))
"""Signs that mark a yes where blank cells, or '-', are the others."""


@dataclass(frozen=True)
class Given:
    """A clinical column as it is handed in.

    Attributes
    ----------
    name : str
        Its name in the study's table.
    label : str
        Its name in words.
    values : pandas.Series
        Text or None.
    context : tuple of str
        Visit, heading, worksheet, file: what may say of which time it is, the nearest first.
    unit, limits : str
        Unit and ``low|high``, where header or cells state them.
    note : str
        How the values came about.
    visit : str
        Which of several measurements of one thing it is, where a sheet or several have them.
    """

    name: str
    label: str
    values: pd.Series
    context: tuple[str, ...] = ()
    unit: str = ""
    limits: str = ""
    note: str = ""
    visit: str = ""


@dataclass
class Guess:
    """A row of the dictionary, as it is proposed.

    Attributes
    ----------
    column, label, type, unit, levels, timing, role, range : str
        As the dictionary has them; empty where nothing is proposed.
    reasons : list of str
        Why.
    missing : dict of str to int
        Words and codes that seem to say `not known`, with their number.
    unreadable : dict of str to int
        Cells of a column of numbers that are none, with their number.
    outside : list of str
        Numbers outside the proposed range.
    asks : list of str
        What a person should decide, in words.
    kind : str
        Name of the quantity, where its name is known.
    seen : frozenset of str
        Its values, as the table has them.
    disputed : str
        What stands around it and says a later time than such values mostly have.
    supposed : bool
        Whether the time follows from what it is alone: nothing says when it was measured.
    """

    column: str
    label: str
    type: str = "categorical"
    unit: str = ""
    levels: str = ""
    timing: str = ""
    role: str = "other"
    range: str = ""
    reasons: list[str] = field(default_factory=list)
    missing: dict[str, int] = field(default_factory=dict)
    unreadable: dict[str, int] = field(default_factory=dict)
    outside: list[str] = field(default_factory=list)
    asks: list[str] = field(default_factory=list)
    kind: str = ""
    seen: frozenset[str] = frozenset()
    disputed: str = ""
    supposed: bool = False

    def row(self) -> dict[str, str]:
        """Return it as a row of the dictionary, the reasons in a column of their own."""
        names = ("column", "label", "type", "unit", "levels", "timing", "role", "range")
        return {name: getattr(self, name) for name in names} | {
            "test": "",
            "reason": "; ".join(self.reasons),
        }


@cache
def _quantities() -> list[dict]:
    path = Path(__file__).with_name("quantities.yaml")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def quantity_of(given: Given) -> Mapping:
    """Return what the name of a column says that it holds; empty where it is not known."""
    said = fold(given.label)
    for one in _quantities():
        named = re.search(one["words"], said) and not re.search(one.get("not", "^$"), said)
        if named and (one.get("levels_of") != "spine" or _are_levels(given.values)):
            return one
    return {}


def _are_levels(values: pd.Series) -> bool:
    known = [text for text in values.dropna() if not is_unknown(text)]
    named = [text for text in known if levels_in(text)]
    return bool(known) and len(named) >= 0.7 * len(known)


def is_steady(given: Given) -> bool:
    """Return whether a column holds what no time changes, as the sex."""
    return bool(quantity_of(given).get("steady"))


def is_unknown(text: str) -> bool:
    """Return whether a cell says that the value is not known."""
    return text in MISSING or means_unknown(text)


def guess(given: Given) -> Guess:
    """Return the row of the dictionary that a column's name and values propose."""
    made = Guess(given.name, given.label)
    what = quantity_of(given)
    made.kind = what.get("name", "")
    counts = Counter(given.values.dropna())
    made.seen = frozenset(counts)
    unknown = _unknown_words(counts)
    known = {text: number for text, number in counts.items() if text not in unknown}
    made.missing = {text: counts[text] for text in unknown if text not in MISSING}
    if not known:
        made.type, made.reasons = "categorical", ["no value is known"]
        return made
    numbers = sum(number for text, number in known.items() if is_number(text))
    if numbers >= MOSTLY_NUMBERS * sum(known.values()):
        _as_numbers(made, given, known, what)
    else:
        _as_words(made, known, what)
    _when(made, given, what)
    _for_what(made, given, what, known)
    if given.note:
        made.reasons.append(given.note)
    return made


def _unknown_words(counts: Mapping[str, int]) -> list[str]:
    """Return the words that say `not known`; '-' beside '+', and 'x' alone, are answers."""
    unknown = [text for text in counts if is_unknown(text)]
    others = {plain_word(text) for text in counts if text not in unknown}
    plain = {plain_word(text) for text in counts}
    if "+" in plain and plain <= {"+", "-"} | others and others <= MARKS:
        return [text for text in unknown if plain_word(text) not in ("-", "x", "*")]
    if not others:
        return [text for text in unknown if plain_word(text) not in MARKS]
    return unknown


def _as_numbers(made: Guess, given: Given, known: Mapping[str, int], what: Mapping) -> None:
    column = given.values.where(given.values.isin(list(known)), None)
    read = read_numbers(column)
    for text in column[list(read.wrong)]:
        made.unreadable[text] = made.unreadable.get(text, 0) + 1
    values = read.values.dropna()
    limits = _limits(given.limits or what.get("range", ""))
    codes = _codes(values, limits)
    for code in codes:
        for text in column[values.index[values == code]]:
            made.missing[text] = made.missing.get(text, 0) + 1
    values = values[~values.isin(codes)]
    different = sorted(values.unique())
    whole = all(float(one).is_integer() for one in different)
    made.unit = given.unit or (what.get("unit", "") if what.get("name") else "")
    if limits and made.kind == "disability index" and different and max(different) <= 50:
        made.asks.append("is the scale 0 to 50, or 0 to 100? write it as the range")
    if whole and set(different) <= {0.0, 1.0} and not what.get("scale"):
        made.type, made.levels, made.unit = "binary", "0|1", ""
        made.reasons.append("binary: 0 and 1 alone")
        made.asks.append("what do 0 and 1 mean? write it into the label")
        return
    if what.get("scale") and whole:
        made.type = "ordinal"
        made.reasons.append(f"ordinal: whole numbers of a {what['name']}")
    elif (
        what.get("type") == "continuous"
        or given.unit == "days"
        or not whole
        or len(different) > MOST_GRADES
    ):
        made.type = "continuous"
        made.reasons.append(
            f"continuous: {made.kind}"
            if made.kind
            else f"continuous: {len(different)} different numbers"
        )
    else:
        made.type = "ordinal"
        shown = ", ".join(f"{one:g}" for one in different)
        made.reasons.append(f"ordinal: the whole numbers {shown}")
        if not what.get("scale"):
            made.asks.append(
                f"are {shown} grades in their order, or codes of a category? for codes write the "
                "type categorical, and the levels"
            )
    if limits:
        low, high = limits
        made.range = given.limits or what.get("range", "")
        made.reasons.append(
            "range: as the header says" if given.limits else f"range: plausible for {made.kind}"
        )
        out = values[(values < low) | (values > high)]
        made.outside = [f"{one:g}" for one in sorted(out.unique())]
    if made.kind == "body height" and len(values) and values.median() < 3:
        made.unit, made.range, made.outside = given.unit or "m", "", []


def _limits(text: str) -> tuple[float, float] | None:
    if not text:
        return None
    low, high = text.split("|")
    return float(low), float(high)


def _codes(values: pd.Series, limits: tuple[float, float] | None) -> list[float]:
    """Return the numbers that mean `not known`: outside of the range, or far from all others."""
    found = []
    for code in sorted(set(values) & CODES):
        others = values[values != code]
        if others.empty or abs(code) < 9:
            continue
        outside = limits is not None and not limits[0] <= code <= limits[1]
        negative = code < 0 and (others[~others.isin(CODES)] >= 0).all()
        rest = others[~others.isin(CODES)]
        far = limits is None and code > 0 and len(rest) > 2 and code > FAR * rest.max()
        if outside or negative or far:
            found.append(code)
    return found


def _as_words(made: Guess, known: Mapping[str, int], what: Mapping) -> None:
    words = list(known)
    wanted = str(what.get("levels", "")).split("|") if what.get("levels") else []
    levels = wanted if set(words) <= set(wanted) else ordered_levels(words)[0]
    levels = [level for level in levels if level in known or level in wanted]
    made.type = "binary" if len(levels) == 2 else "categorical"
    if all("|" not in level for level in levels):
        made.levels = "|".join(levels)
    told = ", ".join(f"{level} ({known.get(level, 0)})" for level in levels[:6])
    made.reasons.append(
        f"{made.type}: {len(words)} words: {told}{' ...' if len(levels) > 6 else ''}"
    )
    if len(words) == 1 and plain_word(words[0]) in MARKS | {"ja", "yes", "j", "y"}:
        made.asks.append(
            f"`{words[0]}` is the only word: does a blank cell mean no? Then write no into the "
            "sheet"
        )


def _when(made: Guess, given: Given, what: Mapping) -> None:
    """Propose when the values are known: by the name, by what stands around, by what they are.

    What a quantity mostly is never makes a value known earlier than its sheet says; of several
    measurements of one thing it says nothing at all.
    """
    own = timing_of(given.label, scale=bool(what.get("scale")))
    usual, steady = what.get("timing", ""), bool(what.get("steady"))
    around = None if steady and usual else timing_around(*given.context)
    if own:
        made.timing = own[0]
        made.reasons.append(f"{own[0]}: the name says `{own[1]}`")
    elif around and (not usual or ORDER.index(around[0]) >= ORDER.index(usual)):
        made.timing = around[0]
        made.reasons.append(f"{made.timing}: heading, visit, worksheet or file says `{around[1]}`")
        if usual and around[0] != usual:
            made.disputed = around[1]
            made.reasons.append(f"though {what['name']} is mostly {usual}")
    elif usual and given.visit and not around and not steady:
        made.reasons.append(f"one of several measurements (`{given.visit}`): of which time?")
    elif usual:
        made.timing = usual
        made.reasons.append(f"{made.timing}: {what['name']}")
        made.supposed = usual == "preoperative" and not around and not steady and not given.note


def _for_what(made: Guess, given: Given, what: Mapping, known: Mapping[str, int]) -> None:
    """Propose the role; a column whose time is not known is not used until somebody says it."""
    if len(known) == 1 or not made.timing:
        made.role = "other"
        made.reasons.append(
            "not used: one value only" if len(known) == 1 else "not used: time not known"
        )
    elif made.timing == "postoperative":
        made.role = "outcome" if what.get("role") == "outcome" else "other"
        made.reasons.append(
            "may make the outcome: known after the operation" if made.role == "outcome"
            else "not used: known after the operation"
        )  # fmt: skip
    elif what.get("name") == "site" or (made.type in ("categorical", "binary") and not made.levels):
        made.role = "other"
    else:
        made.role = "predictor"
