"""Words of an outcome that a reader would stop at: a doubt, or an event that nobody named.

``V.a. Rezidiv``, ``ja?``, ``NR`` or ``local recurrence`` beside `recurrence` would count as "no
event", since no formula names them. What is plainly no event (``none``, ``general``) is left alone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable

import pandas as pd

from pipeline.core.written.spellings import (
    CODES,
    NO,
    NUMBER,
    YES,
    means_unknown,
    plain_word,
    says,
    typed_alike,
)

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
    r"non (connue?|evaluable|renseignee?|precisee?|fait)|peut.etre|lost to|weiss nicht|"
    r"(to|a|zu|in) (confirm|check|verify|confirmer|verifier|preciser|klaren|klarung|prufung)|"
    r"en (cours|attente)|in progress|ne sait pas|(do not|don.?t) know)\b"
)
_CODES = frozenset(
    [
        "nr",
        "ne",
        "nb",
        "nv",
        "nk",
        "nd",
        "nkn",
        "nsp",
        "uk",
        "unk",
        "tbd",
        "tba",
        "dk",
        "kd",
        "entf",
    ]
)
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
    *(
        "可疑",
        "疑似",
        "可能",
        "不详",
        "不詳",
        "不明",
        "未知",
        "待",
        "不确定",
        "不確定",
        "未查",
        "不清",
        "不知",
    ),
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


def near_words(values: pd.Series, truth: pd.Series, named: Collection[str | float]) -> list[str]:
    """Return values that hold one that is named, and count as something else.

    A named word may stand at the beginning, or anywhere as a whole word that is not denied.

    Examples
    --------
    >>> values = pd.Series(["Positive", "Positive - focal", "focally positive", "not positive"])
    >>> near_words(values, values == "Positive", ["Positive"])
    ['Positive - focal', 'focally positive']
    """
    spelled = {plain_word(str(e)): str(e) for e in named if not NUMBER.fullmatch(str(e))}
    named_plain = set(spelled)
    one_way = {value: truth[values == value] for value in typed_alike(values).dropna().unique()}
    counted = {plain_word(v): bool(t.any()) for v, t in one_way.items() if t.notna().any()}
    near = []
    for value in one_way:
        plain = plain_word(value)
        for word in named_plain - {plain}:
            rest = plain[len(word) :]
            near_it = plain.startswith(word) and not rest[:1].isalnum()
            if near_it and not (says(word, YES) or says(word, NO)):
                near_it = not is_negated(rest)  # such as recurrence-free
            near_it = near_it or holds(value, spelled[word])
            if near_it and plain not in named_plain and counted.get(word) != counted.get(plain):
                near.append(value)
                break
    return near


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


def odd_answers(unnamed: Iterable[str], named: Collection[str]) -> list[str]:
    """Return values that hardly are an answer: codes among words; `2`, `U`, `N/Y` for yes or no.

    Examples
    --------
    >>> odd_answers(["No", "9", "U", "N/Y", "other"], ["Yes"]), odd_answers(["1", "2"], ["4a"])
    (['9', 'U', 'N/Y'], [])
    """
    unnamed = list(unnamed)
    numbers = [value for value in unnamed if NUMBER.fullmatch(value)]
    if named and all(_answers(each) for each in named):
        return [
            value
            for value in unnamed
            if (value in numbers and float(value) not in (0.0, 1.0))
            or (value not in numbers and not _answers(value) and _is_short(value))
        ]
    codes = [value for value in numbers if float(value) in CODES]
    return codes if len(codes) == len(numbers) else []


def neither(values: Iterable[str], named: Collection[str]) -> list[str]:
    """Return values that are neither yes nor no where others answer so, and named ones do.

    Examples
    --------
    >>> neither(["Yes", "No", "after surgery"], ["Yes"]), neither(["C", "T", "No"], ["C"])
    (['after surgery'], [])
    """
    values = list(values)
    unnamed = [value for value in values if value not in named]
    if not named or not all(_answers(each) for each in named) or not any(map(_answers, unnamed)):
        return []
    rest = [value for value in unnamed if not _answers(value) and not is_negated(value)]
    return [value for value in rest if _WORDS.search(value) or NUMBER.fullmatch(value)]


def _answers(text: str) -> bool:
    return says(text, YES) or says(text, NO)


def _is_short(text: str) -> bool:
    """Tell whether a text is one or two letters, or both answers at once."""
    words = _WORDS.findall(_bare(text))
    both = any(says(w, YES) for w in words) and any(says(w, NO) for w in words)
    return both or re.fullmatch(r"[A-Za-z]{1,2}\.?", text) is not None
