"""Words of an outcome that a reader would stop at: a doubt, or an event that nobody named.

``V.a. Rezidiv``, ``ja?``, ``NR`` or ``local recurrence`` beside `recurrence` would count as "no
event", since no formula names them. What is plainly no event (``none``, ``general``) is left alone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable

from pipeline.core.spellings import CODES, NO, NUMBER, YES, means_unknown, plain_word, says

_WORDS = re.compile(r"[^\W\d_]+")
_MARKS = re.compile(r"[?\u00bf\u00b1~]|\+\s*/\s*-|-\s*/\s*\+|\(\s*\+\s*\)|\(\s*-\s*\)")
"""Marks of a doubt: a question, `more or less`, a plus in brackets."""
_INITIALS = re.compile(r"(?<![^\W\d_])(v\.\s?a\.?|d\.\s?d\.?|r/o)(?![^\W\d_])|^(va|dd) ")
"""Suspicion of, differential diagnosis, rule out."""
_PHRASES = re.compile(
    r"\b(not (yet|confirmed|reached|clear|sure|known|evaluable|assessable|assessed|available|"
    r"recorded|documented|certain|done|tested|examined)|noch nicht|steht aus|"
    r"(nicht|kaum) (sicher|gesichert|beurteilbar|bewertbar|auswertbar|verwertbar|erhoben|bekannt|"
    r"dokumentiert|untersucht|erreicht|klar|befragt)|keine (angaben?|daten|information)|"
    r"ohne angaben?|rule out|no (data|information|answer|follow.?up)|"
    r"non (connue?|evaluable|renseignee?|precisee?|fait)|peut.etre|lost to|weiss nicht)\b"
)
_CODES = frozenset(["nr", "ne", "nb", "nv", "nk", "nd", "nkn", "uk", "unk", "tbd", "tba", "kd"])
"""Short words that may say "not reached", "not evaluable" or "not known"."""
_WHOLE = frozenset(
    [
        *("maybe", "perhaps", "possible", "possibly", "poss", "prob", "susp", "suspect", "likely"),
        *("unlikely", "presumed", "presumably", "presumptive", "borderline", "unsure", "doubt"),
        *("doubtful", "pending", "awaiting", "awaited", "yet", "provisional", "unconfirmed"),
        *("inconclusive", "indeterminate", "undetermined", "unknown", "missing", "withdrawn"),
        *("dropout", "ltfu", "unavailable", "query", "ambiguous", "tentative"),
        *("evtl", "ggf", "eventuell", "vielleicht", "eher", "wohl", "angeblich", "ausstehend"),
        *("entfallt", "abklarung", "moglich", "moeglich", "mogl", "moegl", "wahrsch"),
        *("douteux", "douteuse", "incertain", "incertaine", "inconnu", "inconnue"),
        *("posible", "dudoso", "dudosa", "quizas", "pendiente", "desconocido", "desconocida"),
        *("possibile", "dubbio", "forse", "incerto", "sconosciuto", "mogelijk", "misschien"),
        *("onbekend", "onduidelijk", "talvez", "provavel", "possivel", "desconhecido"),
    ]
)
_BEGINNINGS = (
    *("suspect", "suspic", "suspek", "probab", "questionab", "equivoc", "uncertain", "unclear"),
    *("fraglich", "verdacht", "verdaecht", "wahrscheinlich", "vermut", "unklar", "unsicher"),
    *("unbekannt", "grenzwertig", "zweifel", "moglicherweise", "moeglicherweise", "unbestimm"),
    *("sospech", "sospett", "waarschijnlijk", "twijfel"),
)
_OTHER_SCRIPTS = (
    *("可疑", "疑似", "可能", "不详", "不詳", "不明", "未知", "待查", "不确定", "不確定", "未查"),
    *("失访", "失訪", "拒绝", "缺失", "无法", "疑い", "疑"),
    *("возможн", "вероятн", "подозр", "неизвестн", "неясн", "под вопросом"),
)
_NEGATIONS = frozenset(
    [
        *("no", "not", "non", "none", "never", "without", "free", "neg", "negative", "absent"),
        *("kein", "keine", "keinen", "keiner", "keinerlei", "nicht", "nie", "ohne", "frei"),
        *("negativ", "nein", "sans", "pas", "aucun", "aucune", "sin", "senza", "zonder", "geen"),
        *("sem", "nao", "nessun", "nessuna", "ningun", "ninguna", "exclu", "excluded"),
        *("ausgeschlossen", "absence", "unlike", "pre", "prior", "previous"),
    ]
)
_NEGATIONS_OF_OTHER_SCRIPTS = ("无", "無", "没", "未", "非", "否", "не ", "нет")
LONG = 3
"""Letters of a named word from which on it is looked for within another."""


def _bare(text: str) -> str:
    """Return a text in small letters, without accents, each run of blanks as one."""
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    bare = "".join(sign for sign in text if not unicodedata.combining(sign))
    return " ".join(bare.replace("\u2010", "-").replace("\u2212", "-").split())


def is_doubtful(text: str) -> bool:
    """Tell whether a word of an outcome says a doubt, or that the answer is still to come.

    Examples
    --------
    >>> [is_doubtful(word) for word in ("ja?", "V.a. Rezidiv", "(+)", "NR", "n.e.", "not yet")]
    [True, True, True, True, True, True]
    >>> [is_doubtful(word) for word in ("no", "none", "general", "vertebral", "NED", "-", "PD")]
    [False, False, False, False, False, False, False]
    """
    bare = _bare(text)
    if _MARKS.search(bare) or _INITIALS.search(bare) or _PHRASES.search(bare):
        return True
    if re.sub(r"[^\w]|_", "", bare) in _CODES:
        return True
    if any(each in text.casefold() for each in _OTHER_SCRIPTS):
        return True
    return any(
        word in _WHOLE or word.startswith(_BEGINNINGS) or (len(word) > LONG and means_unknown(word))
        for word in _WORDS.findall(bare)
    )


def is_negated(text: str) -> bool:
    """Tell whether words deny what they name: ``kein Rezidiv``, ``progression-free``."""
    words = set(_WORDS.findall(_bare(text)))
    return bool(words & _NEGATIONS) or any(
        each in text.casefold() for each in _NEGATIONS_OF_OTHER_SCRIPTS
    )


def holds(text: str, word: str) -> bool:
    """Tell whether a text holds another word as a whole, and more than it, and does not deny it.

    Examples
    --------
    >>> holds("local recurrence", "Recurrence"), holds("no recurrence", "recurrence")
    (True, False)
    >>> holds("Lokalrezidiv", "Rezidiv"), holds("recurrences", "recurrence")
    (False, False)
    """
    inner, outer = _bare(word), _bare(text)
    if len(inner) < LONG or inner == outer or is_negated(text):
        return False
    return bool(re.search(rf"(?<!\w){re.escape(inner)}(?!\w)", outer))


def unnamed_yes(unnamed: Iterable[str], named: Collection[str]) -> list[str]:
    """Return words for yes where no named word says yes or no, so that nothing shows the contrary.

    Single letters may be anything (T for thoracic) and are not judged; 1 is, if no other number but
    0 is there.

    Examples
    --------
    >>> unnamed_yes(["yes", "none", "T"], ["relapse"]), unnamed_yes(["yes"], ["no"])
    (['yes'], [])
    """
    if any(says(each, YES) or says(each, NO) for each in named):
        return []
    unnamed = list(unnamed)
    other_numbers = any(NUMBER.fullmatch(v) and v not in ("0", "1") for v in [*unnamed, *named])
    return [
        value
        for value in unnamed
        if says(value, YES)
        and (len(plain_word(value)) > 1 or value == "+" or (value == "1" and not other_numbers))
    ]


def odd_numbers(unnamed: Iterable[str], named: Collection[str]) -> list[str]:
    """Return numbers among words that hardly are an answer: codes, or what is no 0 or 1.

    Examples
    --------
    >>> odd_numbers(["No", "9"], ["Yes"]), odd_numbers(["1", "2", "3"], ["4a"])
    (['9'], [])
    """
    numbers = [value for value in unnamed if NUMBER.fullmatch(value)]
    if named and all(says(each, YES) or says(each, NO) for each in named):
        return [value for value in numbers if float(value) not in (0.0, 1.0)]
    codes = [value for value in numbers if float(value) in CODES]
    return codes if len(codes) == len(numbers) else []
