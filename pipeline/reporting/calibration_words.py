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
