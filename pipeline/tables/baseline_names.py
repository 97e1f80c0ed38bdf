"""Which columns hold what a radiologist has without radiomics: bone density, mean CT number."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: Bone mineral density by any method, or its T-score, in a column's name or label.
_DENSITY = re.compile(r"(?<![a-z])(bmd|bone (mineral )?density|dxa|dexa|t ?scores?)(?![a-z])")

#: PyRadiomics' mean of the original image, with anything before it.
_MEAN = re.compile(r"(?:^|_)original_firstorder_Mean$")


def names_density(*names: str) -> bool:
    """Return whether any of a column's names means bone density.

    >>> names_density("bmd"), names_density("x7", "BMD, T-score"), names_density("T_score_L1")
    (True, True, True)
    >>> names_density("bmi"), names_density("Best score"), names_density("density of the ligament")
    (False, False, False)
    """
    return any(_DENSITY.search(re.sub(r"[_\-\s]+", " ", name).lower()) for name in names)


def mean_feature(features: Iterable[str]) -> str | None:
    """Return the feature that is the mean intensity of the region, None where no name says so.

    >>> mean_feature(["original_firstorder_Mean", "wavelet-LLL_firstorder_Mean"])
    'original_firstorder_Mean'
    >>> mean_feature(["original_firstorder_MeanAbsoluteDeviation"])
    """
    found = [name for name in features if _MEAN.search(name)]
    return min(found, key=lambda name: (len(name), name), default=None)
