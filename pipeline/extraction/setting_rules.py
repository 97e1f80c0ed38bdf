"""What the value of each setting of a parameter file must be, in the words of who writes one."""

from __future__ import annotations

import difflib
import functools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

INTERPOLATORS = (
    "sitkNearestNeighbor",
    "sitkLinear",
    "sitkBSpline",
    "sitkGaussian",
    "sitkLabelGaussian",
    "sitkHammingWindowedSinc",
    "sitkCosineWindowedSinc",
    "sitkWelchWindowedSinc",
    "sitkLanczosWindowedSinc",
    "sitkBlackmanWindowedSinc",
)

SWITCH = "true or false"


@dataclass(frozen=True)
class Rule:
    """What one setting must be.

    Attributes
    ----------
    words : str
        Completes "`binWidth` must be ...".
    holds : callable
        Whether a value is that.
    off : bool
        Whether ``null`` switches the setting off.
    choices : tuple of str
        Names to choose from, for a suggestion.
    listed : bool
        Whether a list is wanted.
    """

    words: str
    holds: Callable[[object], bool]
    off: bool = False
    choices: tuple[str, ...] = ()
    listed: bool = False


def is_number(value: object) -> bool:
    """Return whether `value` is a finite number (in Python, ``True`` would be one)."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _above(value: object) -> bool:
    return is_number(value) and value > 0


def _list_of(holds: Callable[[object], bool], value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(holds, value))


def _from(low: int, high: float, value: object) -> bool:
    return _is_whole(value) and low <= value <= high


def _range(value: object) -> bool:
    return _list_of(is_number, value) and (
        len(value) == 1 or (len(value) == 2 and value < value[::-1])
    )


def _choice(choices: Iterable[str], *, off: bool = False) -> Rule:
    choices = tuple(choices)
    return Rule(f"one of {', '.join(choices)}", lambda value: value in choices, off, choices)


def _wavelet() -> Rule:
    import pywt

    # PyWavelets also lists continuous wavelets, which cannot decompose an image.
    names = tuple(pywt.wavelist(kind="discrete"))
    words = "a discrete wavelet of PyWavelets, such as coif1, haar or db2"
    return Rule(words, lambda value: value in names, choices=names)


@functools.cache
def settings_rules() -> Mapping[str, Rule]:
    """Return the rule of every setting that PyRadiomics knows."""
    switch = Rule(SWITCH, lambda value: isinstance(value, bool))
    above = Rule("a number above 0", _above)
    natural = Rule("a whole number of at least 0", functools.partial(_from, 0, math.inf))
    positive = Rule("a whole number of at least 1", functools.partial(_from, 1, math.inf))
    positive_or_off = Rule(positive.words, positive.holds, off=True)
    return {
        "minimumROIDimensions": Rule("1, 2 or 3", functools.partial(_from, 1, 3)),
        "minimumROISize": positive_or_off,
        "geometryTolerance": Rule(above.words, _above, off=True),
        "correctMask": switch,
        "additionalInfo": switch,
        "label": positive,
        "label_channel": natural,
        "binWidth": above,
        "binCount": positive_or_off,
        "normalize": switch,
        "normalizeScale": above,
        "removeOutliers": Rule("a number of standard deviations above 0", _above, off=True),
        "resampledPixelSpacing": Rule(
            "three numbers in mm (x, y, z), 0 where an axis keeps its spacing",
            lambda value: _list_of(is_number, value) and len(value) == 3 and min(value) >= 0,
            off=True,
            listed=True,
        ),
        "interpolator": _choice(INTERPOLATORS, off=True),
        "padDistance": Rule("a whole number of voxels, at least 0", natural.holds),
        "distances": Rule(
            "a list of whole numbers of voxels, at least 1 and none twice",
            lambda value: _list_of(positive.holds, value) and len(set(value)) == len(value),
            listed=True,
        ),
        "force2D": switch,
        "force2Ddimension": Rule("0 (z), 1 (y) or 2 (x)", functools.partial(_from, 0, 2)),
        "resegmentRange": Rule(
            "a list of one number, or of a lower and a higher one", _range, off=True, listed=True
        ),
        "resegmentMode": _choice(("absolute", "relative", "sigma")),
        "resegmentShape": switch,
        "preCrop": switch,
        "sigma": Rule(
            "a list of numbers in mm above 0, none twice",
            lambda value: _list_of(_above, value) and len(set(value)) == len(value),
            listed=True,
        ),
        "start_level": natural,
        "level": positive,
        "wavelet": _wavelet(),
        "gradientUseSpacing": switch,
        "lbp2DRadius": above,
        "lbp2DSamples": positive,
        "lbp2DMethod": _choice(("default", "ror", "uniform", "var")),
        "lbp3DLevels": positive,
        "lbp3DIcosphereRadius": above,
        "lbp3DIcosphereSubdivision": natural,
        "voxelArrayShift": Rule("a whole number", _is_whole),
        "symmetricalGLCM": switch,
        "weightingNorm": _choice(("euclidean", "manhattan", "infinity", "no_weighting"), off=True),
        "gldm_a": natural,
    }


def slip(value: object, rule: Rule) -> str | None:
    """Return what was probably meant by a wrong value, or None."""
    if rule.listed:
        return None if isinstance(value, list | None) else f"write it as a list: [{value}]"
    if isinstance(value, float) and value.is_integer() and rule.holds(int(value)):
        return f"write {value:.0f}, without a point"
    if not isinstance(value, str):
        return None
    if rule.choices:
        return nearest(value, rule.choices)
    if rule.words == SWITCH:
        return "write true or false, without quotes"
    return _number_in_text(value)


def _number_in_text(value: str) -> str | None:
    try:
        number = float(value.replace(",", "."))
    except ValueError:
        return None
    if "e" in value.lower():
        return "YAML reads 1e-6 as text: write 1.0e-6"
    return f"write {number:g}, with a point and without quotes"


def nearest(name: object, known: Iterable[str]) -> str | None:
    """Return which of `known` was probably meant by `name`, or None."""
    spellings = {one.lower().removeprefix("sitk"): one for one in known}
    wanted = str(name).lower().removeprefix("sitk")
    close = difflib.get_close_matches(wanted, spellings, n=1, cutoff=0.6)
    return f"perhaps {spellings[close[0]]} is meant" if close else None
