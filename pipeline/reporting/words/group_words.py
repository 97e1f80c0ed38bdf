"""How groups are called where they are compared: by words that say what they are groups of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from pipeline.core.written.spellings import NO, YES, plain_word


def called_groups(label: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return names of groups that can stand alone.

    Parameters
    ----------
    label : str
        What makes the groups, in words.
    names : sequence of str
        Groups as the table has them. Where one of them is a bare yes or no, or has no letter, all
        are called by the label too: ``residual back pain: yes``.
    """
    bare = any(
        plain_word(name) in YES | NO or not any(letter.isalpha() for letter in name)
        for name in names
    )
    return tuple(f"{label}: {name}" if bare else name for name in names)


def with_called_groups(
    tables: Mapping[str, pd.DataFrame], label: str, names: Sequence[str]
) -> dict[str, pd.DataFrame]:
    """Return tables of results for print, their groups as `called_groups` calls them.

    Parameters
    ----------
    tables : mapping of str to pandas.DataFrame
        Tables with or without a column `group`. The column `against` stays as it is, since it is
        read behind it: ``Brace: yes against no``.
    label, names
        As `called_groups` takes them.
    """
    called = dict(zip(names, called_groups(label, names), strict=True))
    found = {}
    for name, table in tables.items():
        known = "group" in table
        found[name] = table.assign(group=table["group"].replace(called)) if known else table
    return found
