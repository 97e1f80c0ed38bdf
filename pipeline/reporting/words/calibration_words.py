"""What a calibration slope and a ratio of observed to expected events say, in words."""

from __future__ import annotations

import pandas as pd

from pipeline.reporting.results import Results, metric
from pipeline.reporting.wording import METRIC_BOUNDS, interval, number


def calibration_sentence(results: Results, model: str) -> str | None:
    """Return whether a model's predicted risks come true on the rows that judge it, in a sentence.

    Parameters
    ----------
    results : Results
        The finished run.
    model : str
        Name of the model.

    Returns
    -------
    str or None
        Without the model's name, as "slope of 2.36 ...: predictions are too moderate ...; ...";
        None where neither slope nor ratio is known.
    """
    parts = [
        words
        for name, say in (("calibration_slope", slope_words), ("oe_ratio", ratio_words))
        if (row := metric(results, model, name)) is not None and pd.notna(row["value"])
        for words in [say(row["value"], row["low"], row["high"])]
    ]
    return "; ".join(parts) or None


def slope_words(value: float, low: float, high: float) -> str:
    """Say what a calibration slope means: above 1 predictions are too moderate, below too extreme.

    >>> slope_words(1.0, 0.9, 1.1)
    'slope of 1.00 (0.90 to 1.10), where 1 is right: risks are spread as they should be'
    """
    text = f"slope of {interval(value, low, high, 2)}, where 1 is right: "
    if number(value, 2) == "1.00":
        return text + "risks are spread as they should be"
    if value > 1:
        what = (
            "predictions are too moderate (high risks come out higher than predicted, low ones "
            "lower)"
        )
    elif value > 0:
        what = "predictions are too extreme (high risks are predicted too high, low ones too low)"
    else:
        what = "a higher predicted risk does not go with more events"
    if value > 0 and pd.notna(low) and low <= 1 <= high:
        what += ", but the interval includes 1"
    return text + what


def ratio_words(value: float, low: float, high: float) -> str:
    """Say what a ratio of observed to expected events means: how far risks are off on average.

    >>> ratio_words(0.23, 0.1, 0.5)
    'observed over expected events of 0.23 (0.10 to 0.50): on average risks are 4.3 times too high'
    """
    shown = interval(value, low, high, 2, METRIC_BOUNDS["oe_ratio"])
    text = f"observed over expected events of {shown}: "
    if value <= 0:
        return text + "no event happened, though some were expected"
    factor, side = (1 / value, "high") if value < 1 else (value, "low")
    if number(factor, 1) == "1.0":
        return text + "on average risks are right"
    off = f"on average risks are {number(factor, 1)} times too {side}"
    if pd.notna(low) and low <= 1 <= high:
        off += ", but the interval includes 1, where they are right"
    return text + off


def brief_calibration(results: Results, model: str) -> str | None:
    """Return whether predicted risks come true on the test rows, in one short sentence.

    Parameters
    ----------
    results : Results
        The finished run.
    model : str
        Name of the model.

    Returns
    -------
    str or None
        None where neither ratio nor slope is known.
    """
    parts = [
        say(row["value"], row["low"], row["high"])
        for name, say in (("oe_ratio", brief_ratio), ("calibration_slope", brief_slope))
        if (row := metric(results, model, name)) is not None and pd.notna(row["value"])
    ]
    return f"{'; '.join(parts)}." if parts else None


def brief_ratio(value: float, low: float, high: float) -> str:
    """Say shortly whether risks are too high or too low on average.

    >>> brief_ratio(0.5, 0.3, 0.8)
    'risks are on average 2.0 times too high (observed/expected 0.50 (0.30 to 0.80))'
    >>> brief_ratio(2.0, 1.2, 3.1)
    'risks are on average 2.0 times too low (observed/expected 2.00 (1.20 to 3.10))'
    >>> brief_ratio(0.9, 0.6, 1.3)
    'the average risk was not shown to be wrong (observed/expected 0.90 (0.60 to 1.30))'
    """
    ratio = interval(value, low, high, 2, METRIC_BOUNDS["oe_ratio"])
    shown = f"(observed/expected {ratio})"
    if value <= 0:
        return f"no event happened, though some were expected {shown}"
    factor, side = (1 / value, "high") if value < 1 else (value, "low")
    if number(factor, 1) == "1.0" or _includes_one(low, high):
        return f"the average risk was not shown to be wrong {shown}"
    return f"risks are on average {number(factor, 1)} times too {side} {shown}"


def brief_slope(value: float, low: float, high: float) -> str:
    """Say shortly whether risks are too extreme (slope below 1) or too moderate (above).

    >>> brief_slope(0.4, 0.2, 0.7)
    'high risks are too high and low ones too low (slope 0.40 (0.20 to 0.70))'
    >>> brief_slope(2.4, 1.3, 3.4)
    'high risks are too low and low ones too high (slope 2.40 (1.30 to 3.40))'
    >>> brief_slope(1.2, 0.7, 1.9)
    'the spread of risks was not shown to be wrong (slope 1.20 (0.70 to 1.90))'
    """
    shown = f"(slope {interval(value, low, high, 2)})"
    if number(value, 2) == "1.00" or _includes_one(low, high):
        return f"the spread of risks was not shown to be wrong {shown}"
    if value > 1:
        return f"high risks are too low and low ones too high {shown}"
    if value > 0:
        return f"high risks are too high and low ones too low {shown}"
    return f"a higher risk does not go with more events {shown}"


def _includes_one(low: float, high: float) -> bool:
    return bool(pd.notna(low) and low <= 1 <= high)
