"""Readers and the versions of their masks.

A reader's first mask of a case is the original. A mask corrected later, as after adjudication, is a
further version beside it: inside the pipeline its reader is called ``A.v2``, so that it is checked
and extracted like any other. Agreement between readers is that of the originals; a model sees the
latest version.
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

#: Stands between a reader's name and the version; no name of a reader holds a point.
_MARK = ".v"


def reader_label(reader: str, version: int) -> str:
    """Return what a version of a reader's masks is called.

    >>> reader_label("A", 1), reader_label("A", 2)
    ('A', 'A.v2')
    """
    return reader if version == 1 else f"{reader}{_MARK}{version}"


def split_label(label: str) -> tuple[str, int]:
    """Return the reader and the version that a label means.

    >>> split_label("A"), split_label("A.v2")
    (('A', 1), ('A', 2))
    """
    reader, mark, version = label.partition(_MARK)
    return (reader, int(version)) if mark else (label, 1)


def latest_label(reader: str) -> str:
    """Return the prefix of a reader's latest versions in the analysis table.

    >>> latest_label("A")
    'A.latest'
    """
    return f"{reader}.latest"


def is_original(label: str) -> bool:
    """Return whether a label means a reader's first mask."""
    return _MARK not in label


def originals(labels: Iterable[str]) -> list[str]:
    """Return the readers behind `labels`, sorted, each once."""
    return sorted({split_label(label)[0] for label in labels})


def originals_first(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a table with all originals, by reader, before all corrections."""
    order = table["reader"].map(lambda label: (split_label(label)[1], label)).argsort(kind="stable")
    return table.iloc[order]


def latest_versions(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of each case's and reader's latest version, `reader` without the version.

    Parameters
    ----------
    table : pandas.DataFrame
        ``case_id, reader`` and any other column; `reader` holds labels.

    Returns
    -------
    pandas.DataFrame
        One row per case and reader, in the order of `table`.
    """
    parts = [split_label(label) for label in table["reader"]]
    plain = table.assign(reader=[reader for reader, _ in parts])
    version = pd.Series([number for _, number in parts], index=table.index, dtype="int64")
    newest = version.groupby([plain["case_id"], plain["reader"]]).transform("max")
    return plain[version == newest]
