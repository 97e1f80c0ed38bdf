"""Ready feature tables of one site or of several, put together reader by reader."""

from __future__ import annotations

import pandas as pd

from pipeline.core.problems import Problems, listing
from pipeline.tables.columns import quoted
from pipeline.tables.features.feature_columns import Layout
from pipeline.tables.features.feature_tables import read_feature_keys, read_features
from pipeline.tables.files.sheets import column_names
from pipeline.tables.sites import ALONE, HandedIn, feature_readers, sites_of, with_site


def ready_keys(given: HandedIn, unit: str, layout: Layout) -> tuple[pd.DataFrame, list[str]]:
    """Return cases and notes of a study's ready feature tables, without reading their numbers.

    Parameters
    ----------
    given : HandedIn
        What the study is handed.
    unit : {'patient', 'case'}
        What a row of the study is.
    layout : Layout
        What the tables call their columns, and which are no features.

    Returns
    -------
    cases, notes
        As `pipeline.tables.features.feature_tables.read_feature_keys` returns them; ids of several
        sites begin with the site's name.

    Raises
    ------
    StudyError
        Telling what is wrong with each site's tables.
    """
    found, notes = [], []
    problems = Problems("the feature tables")
    for site, of_site in sites_of(given):
        with problems.step():
            cases, told = read_feature_keys(of_site.features or {}, f"{unit}_id", layout)
            found.append(with_site(cases, site))
            notes += [note if site == ALONE else f"Site {site}: {note}" for note in told]
    problems.raise_if_any()
    return pd.concat(found, ignore_index=True), notes


def ready_columns(given: HandedIn) -> dict[str, list[str]]:
    """Return reader -> the columns of its tables, those of a later site behind the first's."""
    columns: dict[str, dict[str, None]] = {}
    for _, of_site in sites_of(given):
        for reader, path in (of_site.features or {}).items():
            columns.setdefault(reader, {}).update(dict.fromkeys(column_names(path, "features")))
    return {reader: list(names) for reader, names in columns.items()}


def ready_table(
    given: HandedIn, unit: str, reader: str, layout: Layout
) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Return one reader's features of all sites.

    Parameters
    ----------
    given : HandedIn
        What the study is handed.
    unit : {'patient', 'case'}
        What a row of the study is.
    reader : str
        Name of the reader, the same at every site.
    layout : Layout
        What the tables call their columns, and which are no features.

    Returns
    -------
    table, names, dropped
        As `pipeline.tables.features.feature_tables.read_features` returns them; features in the
        order of the first site's table.

    Raises
    ------
    StudyError
        If a table cannot be read, or if the sites' features differ.
    """
    tables, names_of, dropped = [], {}, dict[str, None]()
    for site, of_site in sites_of(given):
        path = (of_site.features or {})[reader]
        table, names_of[site], left = read_features(path, reader, f"{unit}_id", layout)
        tables.append(with_site(table, site))
        dropped.update(dict.fromkeys(left))
    first, *others = names_of
    problems = Problems("the features of the sites")
    for other in others:
        for one, two in ((first, other), (other, first)):
            absent = sorted(set(names_of[one]) - set(names_of[two]))
            if absent:
                problems.add(
                    "Every site must have the same features",
                    found=f"{len(absent)} of {one} are not in {two}: {listing(absent, 5)}",
                    where=f"config keys sites.{one}.features.{reader}, "
                    f"sites.{two}.features.{reader}",
                    remedy="extract both with the same parameter file, or leave out what is of "
                    f"one site only, `not_features: [{', '.join(map(quoted, absent[:5]))}]`",
                    code="sites-differ-in-features",
                )
    problems.raise_if_any()
    names = names_of[first]
    ids = [name for name in tables[0].columns if name not in set(names)]
    whole = pd.concat([table[[*ids, *names]] for table in tables], ignore_index=True)
    return whole, names, list(dropped)


def ready_tables(
    given: HandedIn, unit: str, layout: Layout
) -> dict[str, tuple[pd.DataFrame, list[str], list[str]]]:
    """Return `ready_table` of every reader."""
    return {reader: ready_table(given, unit, reader, layout) for reader in feature_readers(given)}
