"""Columns of a ready table that are perhaps no features: a survival time, an age, a stage.

Among radiomic features such a column would lead every model. It is recognised by its words, or by a
name that differs from those of all others, and kept out until the study names it.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from pipeline.core.feature_names import foreign_names, is_foreign

MIN_NAMES = 10
"""Columns from which on names can have a pattern."""
MOST = 0.8
"""Share of the names that the pattern has to fit before another name is remarkable."""

WORDS = frozenset(
    [
        *("age", "ages", "sex", "male", "female", "bmi", "race", "birth", "dob", "birthday"),
        *("stage", "staging", "tstage", "nstage", "mstage", "tnm", "grade", "grading", "gleason"),
        *("time", "day", "days", "week", "weeks", "month", "months", "year", "years", "yrs"),
        *("date", "event", "events", "status", "outcome", "outcomes", "endpoint", "fu", "ttp"),
        *("os", "pfs", "dfs", "rfs", "efs", "lrfs", "dmfs", "ecog", "kps", "karnofsky", "psa"),
        *(
            "hpv",
            "site",
            "hospital",
            "institution",
            "cohort",
            "alter",
            "geschlecht",
            "zeit",
            "tage",
        ),
        *("stadium", "tod", "verstorben", "tte", "los", "asa", "weight", "gewicht", "scanner"),
        *("raucher", "nrs", "vas", "charlson", "osmonths", "pfsmonths"),
    ]
)
"""Words of a name that speak of the patient or of what came later."""
STEMS = (
    *("surviv", "deceas", "mortal", "death", "dead", "died", "alive", "followup", "recurr"),
    *("relaps", "metasta", "prognos", "censor", "histolog", "diagnos", "patholog", "progress"),
    *("treatment", "therap", "chemo", "surger", "toxic", "smok", "gender", "ethnic", "vital"),
    *("overleb", "uberleb", "rezidiv", "todes", "tumorstad", "nachsorg"),
)
"""Beginnings of such words."""
WHOLE = frozenset(["target", "label", "class", "y", "group", "response", "t", "n", "m", "case"])
"""Names that are suspicious as a whole only."""

FEATURE_WORDS = frozenset(
    [
        *("mean", "median", "minimum", "maximum", "min", "max", "range", "variance", "skewness"),
        *("kurtosis", "entropy", "energy", "uniformity", "percentile", "rms", "mad", "std", "skew"),
        *("volume", "surface", "area", "sphericity", "compactness", "elongation", "flatness"),
        *("diameter", "axis", "asphericity", "contrast", "correlation", "homogeneity", "cluster"),
        *("dissimilarity", "busyness", "coarseness", "complexity", "strength", "intensity", "suv"),
        *("hu", "glcm", "glrlm", "glszm", "gldm", "ngtdm", "ngldm", "gldzm", "glzlm", "emphasis"),
        *("nonuniformity", "firstorder", "shape", "texture", "wavelet", "gradient", "histogram"),
        *(
            "voxel",
            "voxels",
            "density",
            "size",
            "length",
            "perimeter",
            "fractal",
            "autocorrelation",
        ),
        *("ih", "ivh", "cm", "rlm", "szm", "dzm", "ngt", "ngl", "loc", "morph", "stat"),
        *("gabor", "lbp", "feature", "deep", "kurt", "var", "iqr", "cov", "peak", "tlg", "mtv"),
    ]
)
"""Words of features, whatever the pattern of their table."""

_PARTS = re.compile(r"[.\s_:/\\-]+")
_TOKENS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def tokens(name: str) -> list[str]:
    """Return the words of a name in small letters, as separators and capitals part them.

    Examples
    --------
    >>> tokens("Survival.time"), tokens("PatientAge"), tokens("AGE_2"), tokens("RunPercentage")
    (['survival', 'time'], ['patient', 'age'], ['age'], ['run', 'percentage'])
    """
    bare = unicodedata.normalize("NFKD", name)
    bare = "".join(sign for sign in bare if not unicodedata.combining(sign))
    return [word.lower() for word in _TOKENS.findall(bare)]


def telling_word(name: str) -> str | None:
    """Return the word of a name that speaks of time, death, stage, age or the like, or None.

    Examples
    --------
    >>> telling_word("Clinical.T.Stage"), telling_word("deadstatus.event")
    ('stage', 'deadstatus')
    >>> telling_word("follow_up"), telling_word("Label")
    ('followup', 'Label')
    >>> telling_word("GLCM_Energy"), telling_word("Average"), telling_word("morph_volume")
    (None, None, None)
    """
    words = tokens(name)
    for word in [*words, *map("".join, pairwise(words))]:
        if word in WORDS or word.startswith(STEMS):
            return word
    return name if name.strip().lower() in WHOLE else None


def suspects(names: Sequence[str]) -> dict[str, str]:
    """Return columns that are perhaps no features, each with the reason in words.

    Parameters
    ----------
    names : sequence of str
        Columns that would be taken for features.

    Returns
    -------
    dict of str to str
        Names without a name of PyRadiomics that hold a telling word; and names that differ: from
        PyRadiomics' where most bear one, or from a pattern of the table's own (a beginning or an
        end that others share too), unless their words are those of features.

    Examples
    --------
    >>> names = [f"{name}.{kind}" for name in ("Energy", "Busyness") for kind in "abcdef"]
    >>> suspects([*names, "Survival.time", "Kappa"])
    {'Survival.time': 'the word survival', 'Kappa': 'a name unlike the others'}
    """
    foreign = [name for name in names if is_foreign(name)]
    found = {}
    for name in foreign:
        word = telling_word(name)
        if word is not None:
            found[name] = f"the word {word}"
    rest = [name for name in names if name not in found]
    unlike = foreign_names(rest) if len(foreign) < len(names) else []
    for name in unlike or _without_pattern(rest):
        if not FEATURE_WORDS & set(tokens(name)):
            found.setdefault(name, "a name unlike the others")
    return {name: found[name] for name in names if name in found}


def _without_pattern(names: Sequence[str]) -> list[str]:
    """Return names whose first and last part no other name has, where nearly all share one."""
    if len(names) < MIN_NAMES:
        return []
    parts = {name: [part for part in _PARTS.split(name) if part] or [name] for name in names}
    first = Counter(each[0] for each in parts.values())
    last = Counter(each[-1] for each in parts.values() if len(each) > 1)
    alone = [
        name
        for name, each in parts.items()
        if first[each[0]] < 2 and (len(each) < 2 or last[each[-1]] < 2)
    ]
    # Names such as f1, f2, f3 share their letters.
    stems = Counter(re.sub(r"[0-9]+", "0", name) for name in names)
    alone = [name for name in alone if stems[re.sub(r"[0-9]+", "0", name)] < 2]
    return alone if len(alone) <= (1 - MOST) * len(names) else []
