"""What a calibration slope and a ratio of observed to expected events say, in words."""

from __future__ import annotations

import pandas as pd

from pipeline.reporting.results import Results, metric
from pipeline.reporting.wording import METRIC_BOUNDS, NO_VALUE, number

#: What the slope says on each side of 1.
_EXTREME = "extreme", "high risks are predicted too high, low ones too low; "
_MODERATE = "moderate", "high risks are predicted too low, low ones too high; "


#: What the sentence needs, in words.
_NAMED = {"calibration_slope": "slope", "oe_ratio": "ratio of observed to expected events"}


def calibration_sentence(results: Results, model: str, *, brief: bool = False) -> str | None:
    """Return whether a model's predicted risks come true on those who judge it, in a sentence.

    Parameters
    ----------
    results : Results
        The finished run.
    model : str
        Name of the model.
    brief : bool
        Whether to leave out what too extreme or too moderate means.

    Returns
    -------
    str or None
        Without the model's name, as "predicted risks are too moderate (...; slope 2.36, ...)";
        what is undefined says why. None where neither was computed at all.
    """
    level = f"{100 * results['evaluation.confidence']:g}%"
    known = {
        name: (row["value"], row["low"], row["high"])
        for name in ("calibration_slope", "oe_ratio", "calibration_intercept")
        if (row := metric(results, model, name)) is not None and pd.notna(row["value"])
    }
    parts = []
    for name, words in _NAMED.items():
        row = metric(results, model, name)
        if row is not None and pd.isna(row["value"]):
            reason = str(row["method"]).removeprefix("undefined: ")
            parts.append(f"the {words} could not be computed ({reason})")
    if "calibration_slope" in known:
        parts.append(slope_words(*known["calibration_slope"], level, brief=brief))
    if "oe_ratio" in known:
        intercept = known.get("calibration_intercept")
        parts.append(ratio_words(*known["oe_ratio"], intercept, level, brief=brief))
    return "; ".join(parts) or None


def slope_words(
    value: float, low: float, high: float, level: str = "95%", *, brief: bool = False
) -> str:
    """Say what a calibration slope means: above 1 predictions are too moderate, below too extreme.

    Parameters
    ----------
    value, low, high : float
        The slope and its interval; the limits may be NaN. Nothing is claimed if the interval
        includes 1 or is not known.
    level : str
        Level of the interval.
    brief : bool
        Whether to leave out what too extreme or too moderate means.

    Examples
    --------
    >>> slope_words(1.0, 0.9, 1.1)
    'it is unclear whether predicted risks are too extreme or too moderate (slope 1.00, 95% CI 0.90 to 1.10; ideal 1)'
    >>> slope_words(-0.3, -0.9, 0.3)
    'a higher predicted risk does not go with more events (slope −0.30, 95% CI −0.90 to 0.30; ideal 1)'
    """  # noqa: E501
    shown = _shown("slope", (value, low, high), level, "1")
    if _open(low, high, 1):
        return f"it is unclear whether predicted risks are too extreme or too moderate ({shown})"
    if value <= 0:
        return f"a higher predicted risk does not go with more events ({shown})"
    side, means = _MODERATE if value > 1 else _EXTREME
    return f"predicted risks are too {side} ({'' if brief else means}{shown})"


def ratio_words(
    value: float,
    low: float,
    high: float,
    intercept: tuple[float, float, float] | None = None,
    level: str = "95%",
    *,
    brief: bool = False,
) -> str:
    """Say what a ratio of observed to expected events means: how far risks are off on average.

    Parameters
    ----------
    value, low, high : float
        The ratio and its interval; the limits may be NaN.
    intercept : tuple of float, optional
        Calibration in the large (the intercept with the slope fixed at 1) and its interval, which
        answers the same question; told if it shows what the ratio leaves unclear.
    level : str
        Level of the intervals.
    brief : bool
        Whether to say in fewer words that the ratio shows nothing.

    Examples
    --------
    >>> ratio_words(0.23, 0.1, 0.5)
    'risks are on average 4.3 times too high (observed/expected events 0.23, 95% CI 0.10 to 0.50; ideal 1)'
    >>> ratio_words(0.9, 0.6, 1.3)
    'it is unclear whether risks are too high or too low on average (observed/expected events 0.90, 95% CI 0.60 to 1.30; ideal 1)'
    """  # noqa: E501
    shown = _shown("observed/expected events", (value, low, high), level, "1", "oe_ratio")
    if value <= 0:
        return f"no event happened, though some were expected ({shown})"
    if not _open(low, high, 1):
        factor, side = (1 / value, "high") if value < 1 else (value, "low")
        return f"risks are on average {number(factor, 1)} times too {side} ({shown})"
    if intercept is not None and not _open(*intercept[1:], 0):
        side = "high" if intercept[0] < 0 else "low"
        told = _shown("intercept", intercept, level, "0")
        return (
            f"by calibration in the large, risks are too {side} on average ({told}); the ratio of "
            f"events leaves it unclear ({shown})"
        )
    if brief:
        return f"unclear whether right on average ({shown})"
    return f"it is unclear whether risks are too high or too low on average ({shown})"


def _shown(
    name: str, estimate: tuple[float, float, float], level: str, ideal: str, bounds: str = ""
) -> str:
    """Return an estimate with its interval and the ideal value, to stand within brackets."""
    value, low, high = (number(each, 2, METRIC_BOUNDS.get(bounds)) for each in estimate)
    limits = "no interval" if NO_VALUE in (low, high) else f"{level} CI {low} to {high}"
    return f"{name} {value}, {limits}; ideal {ideal}"


def _open(low: float, high: float, ideal: float) -> bool:
    """Return whether an interval includes the ideal value, or is not known."""
    return bool(pd.isna(low) or pd.isna(high) or low <= ideal <= high)
