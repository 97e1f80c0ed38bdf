"""Columns of a ready table that are perhaps no features: a survival time, an age, a stage.

Among radiomic features such a column would lead every model. It is recognised by its words, or by a
name that differs from those of all others, and kept out until the study names it.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache
from itertools import pairwise

from pipeline.tables.features.feature_names import foreign_names, is_foreign

MIN_NAMES = 10
"""Columns from which on names can have a pattern."""
MOST = 0.6
"""Share of the names that the pattern has to fit before another name is remarkable."""
LONG = 4
"""Letters of telling words in a name of several joined words, from which on they tell."""
MOST_LETTERS = 40
"""Letters of a word up to which it is taken apart."""

WORDS = frozenset(
    [
        *("age", "ages", "sex", "male", "female", "bmi", "race", "birth", "dob", "birthday"),
        *("stage", "staging", "tstage", "nstage", "mstage", "tnm", "grade", "grading", "gleason"),
        *("time", "day", "days", "week", "weeks", "month", "months", "year", "years", "yrs", "mos"),
        *("date", "event", "events", "status", "outcome", "outcomes", "endpoint", "fu", "ttp"),
        *("os", "pfs", "dfs", "rfs", "efs", "css", "lrfs", "dmfs", "lfs", "tte", "ttr", "los"),
        *("ecog", "kps", "karnofsky", "lansky", "zubrod", "asa", "psa", "hpv", "charlson", "cci"),
        *("nrs", "vas", "odi", "sins", "frankel", "asia", "mirels", "tokuhashi", "tomita", "mrs"),
        *(
            "bauer",
            "katagiri",
            "nyha",
            "gcs",
            "sofa",
            "apache",
            "meld",
            "joa",
            "mjoa",
            "ndi",
            "qol",
        ),
        *("eq5d", "sf36", "sf12", "frailty", "mfi", "rpa", "gpa", "nlr", "plr", "lmr", "pni"),
        *("hb", "hgb", "haemoglobin", "hemoglobin", "albumin", "crp", "ldh", "cea", "afp", "wbc"),
        *("platelets", "creatinine", "kreatinin", "egfr", "calcium", "hba1c", "esr", "serum"),
        *("site", "hospital", "institution", "institute", "cohort", "clinic", "clinical", "clin"),
        *("patient", "scanner", "vendor", "manufacturer", "visit", "ward", "surgeon", "reader"),
        *("radscore", "bloodloss", "blood", "inr", "mmse", "lesions", "screws", "implants", "ki"),
        *("bodyweight", "bodyheight", "smoker", "alcohol", "diabetes", "steroid", "fracture"),
        *(
            "fractured",
            "vcf",
            "mets",
            "ene",
            "lvi",
            "margin",
            "resection",
            "implant",
            "cement",
            "pain",
        ),
        *("alter", "geschlecht", "zeit", "tage", "tag", "monate", "monat", "jahre", "wochen"),
        *("stadium", "tod", "verstorben", "gewicht", "raucher", "datum", "opdatum", "groesse"),
        *("grosse", "koerpergroesse", "korpergrosse", "klinik", "zentrum", "verlauf", "befund"),
        *("schmerz", "liegedauer", "dauer", "geburtsdatum", "ereignis", "zensiert", "fallzahl"),
        *(
            "sexe",
            "poids",
            "taille",
            "survie",
            "deces",
            "suivi",
            "duree",
            "mois",
            "jours",
            "annees",
        ),
        *("stade", "hopital", "centre", "fumeur", "statut", "edad", "sexo", "peso", "talla"),
        *("muerte", "meses", "dias", "fecha", "estadio", "seguimiento", "sesso", "peso", "altezza"),
        *("mesi", "giorni", "decesso", "leeftijd", "geslacht", "maanden", "dagen", "lengte"),
    ]
)
"""Words of a name that speak of the patient, of the hospital, or of what came later."""
WEAK = frozenset(["height", "weight", "center", "score", "status", "margin", "time", "centre"])
"""Words that may belong to a feature too: they tell where no word of a feature stands beside."""
STEMS = (
    *("surviv", "deceas", "mortal", "death", "dead", "died", "alive", "followup", "recurr"),
    *("relaps", "metasta", "prognos", "censor", "histolog", "diagnos", "patholog", "progress"),
    *("treatment", "therap", "chemo", "surger", "toxic", "smok", "gender", "ethnic", "vital"),
    *("overleb", "uberleb", "ueberleb", "rezidiv", "todes", "tumorstad", "nachsorg", "nachbeob"),
    *("komplikat", "complicat", "infect", "readmi", "comorbid", "komorb", "bestrahl", "radiother"),
    *("supervivencia", "sopravviv", "recidiv", "recaid", "rechute", "fallec", "overleving"),
)
"""Beginnings of such words."""
FILLERS = frozenset(
    [
        *(
            "to",
            "at",
            "of",
            "in",
            "since",
            "until",
            "from",
            "the",
            "after",
            "before",
            "last",
            "first",
        ),
        *("pre", "post", "op", "bl", "baseline", "overall", "total", "free", "tumor", "tumour"),
        *("path", "primary", "m", "d", "y", "n", "t", "pat", "pt", "rt", "ct", "body", "is", "num"),
        *("number", "no", "nr", "cat", "code", "group", "max", "min", "index", "score", "status"),
    ]
)
"""Words beside telling ones where a name joins several: ``osmonths``, ``timetodeath``."""
_OTHER_SCRIPTS = re.compile(
    "\u5e74[\u9f84\u9f61\u9f62]|\u6027[\u522b\u5225]|\u751f\u5b58|\u5b58\u6d3b|\u65f6\u95f4|\u6642\u9593|\u5206\u671f|\u5206[\u7ea7\u7d1a]|[\u968f\u96a8][\u8bbf\u8a2a]|"
    "\u6b7b\u4ea1|[\u590d\u5fa9][\u53d1\u767c]|\u518d\u767a|\u8eab[\u9ad8\u957f\u9577]|[\u4f53\u9ad4][\u91cd]|[\u533b\u91ab\u75c5]\u9662|\u4e2d\u5fc3|\u65e5\u671f|[\u624b]\u672f|\u624b\u8853|[\u5929\u6708\u5e74]\u6570|"
    "[\u8bc4\u8a55]\u5206|[\u9884\u9810][\u540e\u5f8c]|[\u8f6c\u8f49]\u79fb|[\u7ed3\u7d50]\u5c40|\u8840\u7ea2|"
    "\u0432\u043e\u0437\u0440\u0430\u0441\u0442|\u0432\u044b\u0436\u0438\u0432|\u0441\u043c\u0435\u0440\u0442|\u0441\u0442\u0430\u0434\u0438|\u0440\u0435\u0446\u0438\u0434\u0438\u0432|\u0434\u0430\u0442\u0430"
)
"""Age, sex, survival, stage, follow-up and the like in Chinese, Japanese and Russian."""
_TNM = re.compile(
    r"(?:[yracpu]{0,2})(?:T|N|M|TNM|UICC|AJCC)(?:[ _.-]?(?:stage|cat|category|[0-4]))?"
)
"""A category of a stage, such as pT, cN or ypT, as a whole name."""
_ENDPOINT = re.compile("(os|pfs|dfs|rfs|efs|css|lfs|dmfs|lrfs|ttp|fu)(m|mo|mos|d|y|yr|yrs)")
"""The time to an endpoint in short, such as osm for the months of overall survival."""
WHOLE = frozenset(
    [
        *("target", "label", "class", "y", "group", "response", "t", "n", "m", "case", "score"),
        *("height", "weight", "center", "hr", "bp", "rt", "arm", "eta", "level", "levels"),
    ]
)
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
        *(
            "image",
            "pixel",
            "box",
            "bbox",
            "bounding",
            "mass",
            "shift",
            "gravity",
            "centroid",
            "zone",
            "run",
            "runs",
        ),
        *("matrix", "moment", "norm", "laws", "hurst", "dvh", "dose", "mesh", "hull", "ellipsoid"),
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
    bare = unicodedata.normalize("NFKD", name.replace("\u00df", "ss"))
    bare = "".join(sign for sign in bare if not unicodedata.combining(sign))
    return [word.lower() for word in _TOKENS.findall(bare)]


def telling_word(name: str) -> str | None:
    """Return the word of a name that speaks of time, death, stage, age or the like, or None.

    Examples
    --------
    >>> telling_word("Clinical.T.Stage"), telling_word("deadstatus.event")
    ('clinical', 'deadstatus')
    >>> telling_word("follow_up"), telling_word("Label")
    ('followup', 'Label')
    >>> telling_word("GLCM_Energy"), telling_word("Average"), telling_word("morph_volume")
    (None, None, None)
    """
    other = _OTHER_SCRIPTS.search(name)
    if other:
        return other[0]
    words = tokens(name)
    is_feature = bool(FEATURE_WORDS & set(words))
    for word in [*words, *map("".join, pairwise(words))]:
        if is_feature and word in WEAK:
            continue
        if word in WORDS | WEAK or word.startswith(STEMS) or _is_joined(word):
            return word
    whole = name.strip()
    return whole if whole.lower() in WHOLE or _TNM.fullmatch(whole) else None


@cache
def _is_joined(word: str) -> bool:
    """Tell whether a word is several, one of which tells: ``osmonths``, ``ageatdiagnosis``.

    Parts of two letters or fewer tell only beside another telling word.
    """
    if _ENDPOINT.fullmatch(word):
        return True
    return len(word) <= MOST_LETTERS and _told_by_parts(word) >= LONG


def _told_by_parts(word: str) -> int:
    """Return the letters of telling words in the best division of a word; -1 if there is none."""
    if not word:
        return 0
    best = -1
    for end in range(1, len(word) + 1):
        part = word[:end]
        tells = part in WORDS or part.startswith(STEMS)
        if (tells or part in FILLERS) and (rest := _told_by_parts(word[end:])) >= 0:
            best = max(best, rest + end * tells)
    return best


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
    if len(alone) <= (1 - MOST) * len(names):
        return alone
    # Or a family of features stands among them, however many others there are.
    (_, most), *_ = first.most_common(1)
    family = [each for each in parts.values() if first[each[0]] == most]
    of_features = [each for each in family if FEATURE_WORDS & {t for p in each for t in tokens(p)}]
    return alone if most >= MIN_NAMES and 2 * len(of_features) >= most else []
