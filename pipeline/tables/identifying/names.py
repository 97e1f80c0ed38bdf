"""Which values of a column look like names of people, or like numbers of a hospital."""

from __future__ import annotations

import re
import unicodedata

from pipeline.tables.identifying.dates import has_date
from pipeline.tables.identifying.words import fold, words

MOSTLY = 0.7
"""Share of a column's values that must look like names for the column to be one of names."""

MIN_DISTINCT, MIN_SHARE_DISTINCT = 3, 0.5
"""Different values, and their share of the rows, from which on a column may say who is who: levels
of a category are fewer, and repeat."""

MIN_PAIRS, MIN_SHARE_PAIRS = 8, 0.9
"""The same where nothing but two capitalised words speaks for names, as of products and sites."""

SHARE_GIVEN, SHARE_FAMILY = 0.2, 0.3
"""Share of known given names among words with a comma, and of known family names or their endings
among single words, from which on the others are names too."""

PLAIN_DIGITS = range(7, 13)
"""Digits of plain numbers that are a hospital's where the header tells nothing else."""

MIN_DIGITS = 6
"""Digits of a hospital's number; the ids of a study are shorter, as P001."""

_NAME_WORD = r"[^\W\d_a-z][^\W\d_]*(?:['’ʼ´`\-][^\W\d_]+)*\.?"
_PREFIX = (
    r"(?:(?:von|van|zu|zum|zur|de|der|den|del|della|di|da|dos|du|la|le|el|al|bin|ibn|ter|ten)\s+)*"
)
_COMMA_NAME = re.compile(
    rf"{_PREFIX}{_NAME_WORD}(\s{_NAME_WORD})?\s*[,;]\s*{_NAME_WORD}(\s{_NAME_WORD})*"
    r"(\s*\([^()]*\)|\s*[,;]\s*[0-9][^,;]*)?"  # a year, an id or a number behind the name
)
_TWO_NAMES = re.compile(rf"{_NAME_WORD}(\s+{_PREFIX}{_NAME_WORD}){{1,3}}")
_INITIAL = r"[^\W\d_a-z]\."
_LONG_WORD = r"[^\W\d_a-z][^\W\d_]{2,}(?:['’ʼ´`\-][^\W\d_]+)*"
_WITH_INITIALS = re.compile(
    rf"(?:{_INITIAL}\s?(?:-?{_INITIAL}\s?)?{_PREFIX}{_LONG_WORD}"
    rf"|{_PREFIX}{_LONG_WORD},?\s+{_INITIAL}(?:\s?-?{_INITIAL})?)"
)
_ONE_WORD = re.compile(rf"{_PREFIX}{_LONG_WORD}")
_ANY_PAIR = re.compile(
    r"[^\W\d_]+(?:[\s'’-][^\W\d_]+)*\s*[,;]\s*[^\W\d_]+(?:[\s'’-][^\W\d_]+)*(\s*\([^()]*\))?"
)
#: Endings of family names, and of findings and operations.
_FAMILY_END = re.compile(
    r".{2,}(?:mann|son|sen|sson|stein|berg|feld|meier|meyer|maier|bauer|sky|ski|ska|wicz|ov|ova|ev"
    r"|eva|enko|chuk|ic|ez|escu|dottir|ides|poulos|oglu|ian|yan)"
)
_FINDING_END = re.compile(
    r".{2,}(?:itis|osis|oses|oma|omas|a?emia|amie|pathy|pathie|algia|algie|ectomy|ektomie|plasty"
    r"|otomy|oscopy|tension|tonie|trophy|plegia|uria|penia|sclerosis|porosis|cillin|mycin|mab|statin)"
)
_FINDING_SIGNS = frozenset(
    "病症炎癌瘤折痛伤傷肺肝肾腎糖脑腦尿疸障胆膽胃肠腸椎腰颈"
    "頸腿臂术術药藥菌染膏瘫癱肿腫梗栓疹疮疝痔痰咳喘血压壓膜"
)
_NUMBER_ID = re.compile(
    rf"[A-Za-z]{{0,5}}[-_ /.]?[0-9]{{{MIN_DIGITS},14}}([-_ /.]?[A-Za-z]|[-_ /][0-9A-Za-z]{{1,4}})?"
)
_TWO_LETTERS = re.compile(r"[^\W\d_]{2}|[\u3400-\u9fff가-힣]")
_CODE = re.compile(r"[A-Za-z]+|[0-9]+|[-_ ./|]+")


def are_names(texts: list[str], distinct: list[str], header: str) -> bool:
    """Return whether most values are names, and tell rows apart as names do and levels do not.

    Parameters
    ----------
    texts, distinct : list of str
        All values, and the different ones.
    header : str
        Folded. Below one of things or places only known given names speak for people.
    """
    share = len(distinct) / len(texts)
    if header in words("maybe_name") and share >= MIN_SHARE_DISTINCT:
        lettered = sum(bool(_TWO_LETTERS.search(one)) and not is_pseudonym(one) for one in distinct)
        return lettered >= MOSTLY * len(distinct)
    if len(distinct) < MIN_DISTINCT or share < MIN_SHARE_DISTINCT:
        return False
    if not words("described").isdisjoint(header.split()):
        return _are_pairs_in_any_case(distinct)
    enough = MOSTLY * len(distinct)
    if sum(map(is_name, distinct)) >= enough or _are_pairs_in_any_case(distinct):
        return True
    if len(distinct) < MIN_PAIRS or share < MIN_SHARE_PAIRS:
        return False
    pairs = sum(is_name(one) or is_pair(one) for one in distinct)
    return pairs >= enough or _are_family_names(distinct)


def _are_pairs_in_any_case(distinct: list[str]) -> bool:
    """Return whether values are two words with a comma between, some of them given names."""
    pairs = [fold(one).split() for one in distinct if _ANY_PAIR.fullmatch(one.strip())]
    people = [one for one in pairs if not any(map(_is_finding, one))]
    given = sum(not words("given").isdisjoint(one) for one in people)
    return len(people) >= MOSTLY * len(distinct) and given >= SHARE_GIVEN * len(distinct)


def _are_family_names(distinct: list[str]) -> bool:
    """Return whether values are single capitalised words, enough of which are family names."""
    texts = [unicodedata.normalize("NFC", one.strip()) for one in distinct]
    plain = [fold(one) for one in texts if _ONE_WORD.fullmatch(one)]
    people = [one for one in plain if not any(map(_is_finding, one.split()))]
    known = sum(
        not words("family").isdisjoint(one.split()) or bool(_FAMILY_END.fullmatch(one))
        for one in people
    )
    return len(people) >= MOSTLY * len(distinct) and known >= SHARE_FAMILY * len(distinct)


def _is_finding(word: str) -> bool:
    """Return whether a folded word is of findings, drugs or makers, and of no person."""
    return word in words("medical") or _FINDING_END.fullmatch(word) is not None


def is_name(text: str) -> bool:
    """Return whether a cell has the shape of a person's name, and of hardly anything else."""
    text = unicodedata.normalize("NFC", text.strip())
    if _COMMA_NAME.fullmatch(text):
        return not any(map(_is_finding, fold(text).split()))
    if _WITH_INITIALS.fullmatch(text):
        return True
    bare = text.replace(" ", "")
    if 2 <= len(bare) <= 4 and all(
        "\u3400" <= one <= "\u9fff" or "가" <= one <= "힣" for one in bare
    ):
        known = bare[0] in words("chinese") or bare[:2] in words("chinese")
        return known and _FINDING_SIGNS.isdisjoint(bare)
    parts = fold(text).split()
    alone = 0 < len(parts) <= 4 and all(one.isalpha() for one in parts)
    return alone and any(one in words("given") for one in parts)


def is_pair(text: str) -> bool:
    """Return whether a cell is two to four capitalised words that are none of a study."""
    text = unicodedata.normalize("NFC", text.strip())
    parts = fold(text).split()
    return (
        _TWO_NAMES.fullmatch(text) is not None
        and all(len(one) > 1 for one in parts)
        and not any(one in STUDY_WORDS or _is_finding(one) for one in parts)
    )


def are_numbers(texts: list[str], distinct: list[str], header: str) -> bool:
    """Return whether values are a hospital's numbers: as long, with letters or leading zeros.

    Below a header that may mean an id, plain numbers of this length are enough; below one that
    tells nothing, plain numbers of one length, all different. A header of things has their numbers.

    Parameters
    ----------
    texts, distinct : list of str
        All values, and the different ones.
    header : str
        Folded.
    """
    parts = header.split()
    if not words("numbered").isdisjoint(parts):
        return False
    asked = header in words("maybe_id")
    enough = 1 if asked else MIN_DISTINCT
    if len(distinct) < enough or len(distinct) < MIN_SHARE_DISTINCT * len(texts):
        return False
    numbers = [one.strip() for one in distinct]
    if not all(map(_NUMBER_ID.fullmatch, numbers)):
        return False
    plain = [one for one in numbers if one.isdigit() and not one.startswith("0")]
    if asked or len(plain) < len(numbers):
        return True
    lengths = {len(one) for one in numbers}
    return (
        all(one in words("neutral") or one.isdigit() or len(one) == 1 for one in parts)
        and max(lengths) - min(lengths) <= 1
        and lengths <= set(PLAIN_DIGITS)
        and len(distinct) >= MIN_SHARE_PAIRS * len(texts)
        and sum(one.endswith("00") for one in numbers) < len(numbers) / 2
    )


_PHONE = re.compile(r"(?:\+|00|0|\()[0-9][0-9 ()/-]{6,18}[0-9]")


def are_phones(texts: list[str], distinct: list[str]) -> bool:
    """Return whether values are telephone numbers: with a country's or a town's, and signs."""
    several = len(distinct) >= MIN_DISTINCT and len(distinct) >= MIN_SHARE_DISTINCT * len(texts)
    signs = any(not one.strip().isdigit() for one in distinct)
    return several and signs and all(_PHONE.fullmatch(one.strip()) for one in distinct)


def is_pseudonym(text: str) -> bool:
    """Return whether an id is so plainly a code that an error may quote it.

    Letters are few, or words of studies; numbers are shorter than a hospital's.

    >>> is_pseudonym("P001"), is_pseudonym("sub-07_L1")
    (True, True)
    >>> is_pseudonym("Synthetica"), is_pseudonym("0073194")
    (False, False)
    """
    if not text.isascii() or has_date(text) or len(text) > 40:
        return False
    parts = _CODE.findall(text)
    if "".join(parts) != text:
        return False
    letters = [part.lower() for part in parts if part.isalpha()]
    digits = [part for part in parts if part.isdigit()]
    if not digits:
        return all(len(one) == 1 or one in STUDY_WORDS for one in letters)
    return (
        all(len(one) < MIN_DIGITS for one in digits)
        and sum(map(len, digits)) < 2 * MIN_DIGITS
        and all(len(one) <= 2 or one in STUDY_WORDS for one in letters)
    )


STUDY_WORDS = frozenset(
    """
    pat patient patients case cases sub subj subject scan reader rater observer site center ct mri
    ser series img image images mask masks vertebra level study unit crlm lipo lidc idri ispy tcga
    demo example row nii gz nrrd seg dcm csv mm group type class grade
    none missing
    """.split()  # noqa: SIM905
)
