"""Studies of several sites: where each site's tables lie, and how they become those of one study.

Each site's tables are read by themselves, with all checks, so that an error names a site's file.
Then ids begin with the site's name, and a column `site` says it. All that follows sees one study.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from pipeline.core.errors import StudyError
from pipeline.core.problems import Problems, listing, suggestion
from pipeline.core.sections import taken_by_name
from pipeline.core.written.spellings import plain_number, plain_word
from pipeline.tables.columns import JOINED, OR, analysis_name, table_name
from pipeline.tables.dictionary import ROLE_OF_SITE, levels_of
from pipeline.tables.handed_in_options import Site

SITE = "site"
"""Column that names the site, where a study has tables of several."""

ALONE = ""
"""Name of the only site of a study that names none."""

IDS = ("patient_id", "scan_id", "case_id")
"""Columns of ids that begin with the site's name."""

OPTIONS = ("cases", "features", "clinical")
"""Options of a study that each site has of its own."""


@dataclass(frozen=True, kw_only=True)
class HandedIn:
    """The tables that a study is handed: its own, or those of each of several sites.

    Attributes
    ----------
    cases, clinical : str or None
        Paths of the table of masks and of the clinical table; None where there is none, or where
        each site has its own.
    features : mapping or None
        Reader -> path of a ready feature table.
    sites : mapping or None
        Name of a site -> its tables.
    """

    cases: str | None
    features: Mapping[str, str] | None
    clinical: str | None
    sites: Mapping[str, Site] | None = taken_by_name(Site)


def sites_of(given: HandedIn) -> Iterator[tuple[str, HandedIn | Site]]:
    """Yield each site with its tables; of a study that names none, the study's own.

    Parameters
    ----------
    given : HandedIn
        What the study is handed.

    Yields
    ------
    name : str
        The site's name, or `ALONE`.
    of_site : HandedIn or Site
        Its tables, ``cases, features, clinical``.
    """
    if given.sites is None:
        yield ALONE, given
    else:
        yield from sorted(given.sites.items())


def has(given: HandedIn, table: str) -> bool:
    """Return whether a study, or its first site, is handed a table of `OPTIONS`."""
    return next(getattr(of_site, table) is not None for _, of_site in sites_of(given))


def feature_readers(given: HandedIn) -> list[str]:
    """Return the readers of a study's ready feature tables, sorted; none without such tables."""
    _, first = next(sites_of(given))
    return sorted(first.features or {})


def feature_files(given: HandedIn) -> list[str]:
    """Return the paths of all ready feature tables of a study, site by site."""
    return [
        path
        for _, of_site in sites_of(given)
        for _, path in sorted((of_site.features or {}).items())
    ]


def with_site(table: pd.DataFrame, site: str) -> pd.DataFrame:
    """Return a table whose ids begin with the site's name; as it is for a study of one.

    Examples
    --------
    >>> with_site(pd.DataFrame({"patient_id": ["P1"]}), "north")["patient_id"].tolist()
    ['north-P1']
    """
    if site == ALONE:
        return table
    ids = {
        name: (f"{site}{JOINED}" + table[name]).where(table[name].notna(), None)
        for name in IDS
        if name in table.columns
    }
    return table.assign(**ids)


def site_of_id(value: str) -> str:
    """Return the site with whose name an id begins.

    Examples
    --------
    >>> site_of_id("north-P-1")
    'north'
    """
    return value.split(JOINED, 1)[0]


def rows_of_site(table: pd.DataFrame, key: str, site: str) -> pd.DataFrame:
    """Return the rows whose id is one of a site's; all of them in a study of one."""
    if site == ALONE or key not in table.columns:
        return table
    return table[table[key].map(site_of_id) == site]


def spelled(
    sheet: pd.DataFrame, levels: Mapping[str, Mapping[str, object]], site: str
) -> pd.DataFrame:
    """Return a site's table of text with the study's spellings of its levels.

    Parameters
    ----------
    sheet : pandas.DataFrame
        Text, as `pipeline.tables.clinical.clinical_table.clinical_sheet` returns it.
    levels : mapping
        Option ``sites.<site>.levels``: column -> level of the study -> spelling of the site;
        several stand with `|` between them. A level that is spelled as in the study need not be
        named.
    site : str
        For errors.

    Raises
    ------
    StudyError
        If a column is not in the table, or one spelling is given to two levels.
    """
    problems = Problems(f"the levels of site {site}")
    for column, given in levels.items():
        where, name = f"config key sites.{site}.levels.{column}", analysis_name(column)
        if name not in sheet.columns:
            problems.add(
                "A column whose levels a site spells must be in its clinical table",
                found=column,
                where=where,
                remedy=suggestion(column, map(table_name, sheet.columns))
                or f"correct the name: {listing(map(table_name, sheet.columns))}",
                code="site-levels-column",
            )
            continue
        meant: dict[str, str] = {}
        twice = []
        for level, text in given.items():
            for spelling in map(_plain, str(text).split(OR)):
                twice += [spelling] * (meant.setdefault(spelling, level) != level)
        if twice:
            problems.add(
                "A site's spelling must mean one level",
                found=listing(twice),
                where=where,
                remedy="write each spelling below one level only",
                code="site-spelling-of-two-levels",
            )
            continue
        texts = sheet[name].dropna().unique()
        known = {text: meant.get(_plain(text), text) for text in texts}
        values = sheet[name].map(lambda text, known=known: known.get(text, text))
        sheet = sheet.assign(**{name: values.astype(object).where(values.notna(), None)})
    problems.raise_if_any()
    return sheet


def _plain(text: str) -> str:
    return plain_word(plain_number(text.strip()))


def spellings_of(of_site: HandedIn | Site) -> Mapping[str, Mapping[str, object]]:
    """Return how a site spells levels; nothing for the only site of a study."""
    return of_site.levels if isinstance(of_site, Site) else {}


def every_spelling(given: Mapping[str, object]) -> list[str]:
    """Return all spellings that a site has for the levels of a column."""
    return [part.strip() for text in given.values() for part in str(text).split(OR)]


def check_levels(
    dictionary: pd.DataFrame, levels: Mapping[str, Mapping[str, object]], site: str
) -> None:
    """Raise `StudyError` unless a site spells levels that the data dictionary lists."""
    problems = Problems(f"the levels of site {site}")
    described = dictionary.set_index("column")
    for column, given in levels.items():
        name = analysis_name(column)
        known = levels_of(described.loc[name]) if name in described.index else None
        if known is None:
            continue
        unknown = [level for level in given if str(level) not in known]
        if unknown:
            problems.add(
                "A site must spell levels of the data dictionary",
                found=listing(unknown),
                where=f"config key sites.{site}.levels.{column}",
                remedy=f"write the dictionary's level first, one of {listing(known)}, and the "
                "site's spelling behind it",
                code="site-levels-unknown",
            )
    problems.raise_if_any()


def dictionary_with_site(
    dictionary: pd.DataFrame, sites: Iterable[str], path: str | None
) -> pd.DataFrame:
    """Return a data dictionary with a row more for the column `site`.

    Parameters
    ----------
    dictionary : pandas.DataFrame
        As `pipeline.tables.dictionary.read_dictionary` returns it.
    sites : iterable of str
        Names of the sites.
    path : str or None
        Where the dictionary lies, for errors.

    Raises
    ------
    StudyError
        If it describes a column of that name itself.
    """
    if SITE in set(dictionary["column"]):
        raise StudyError(
            f"The column `{SITE}` of a study with `sites` is made of their names",
            found=f"a row {SITE} in the data dictionary",
            where=str(path),
            remedy=f"remove the row {SITE} from the dictionary, and its column from the tables",
            code="site-column-described",
        )
    row = dict.fromkeys(dictionary.columns) | {
        "column": SITE,
        "label": "Site",
        "type": "categorical",
        "levels": OR.join(sorted(sites)),
        "role": ROLE_OF_SITE,
    }
    with_row = pd.concat([dictionary, pd.DataFrame([row])], ignore_index=True).astype(object)
    return with_row.where(with_row.notna(), None)


def without_own(sheet: pd.DataFrame) -> pd.DataFrame:
    """Return a site's table without a column `site` of its own, which is made anew."""
    return sheet.drop(columns=SITE, errors="ignore")


def site_columns(dictionary: pd.DataFrame) -> list[str]:
    """Return the clinical columns that name the site: none, or one."""
    return list(dictionary.loc[dictionary["role"] == ROLE_OF_SITE, "column"])
