"""What makes a job run again, as short texts that a rule carries among its parameters.

Snakemake compares a rule's parameters with those of the last run. Here they are made so narrow that
a job runs again for what it depends on and for nothing else: the options it reads, its own rows of
the study's tables, its own scans' files, and (`pipeline.running.fingerprint`) its code.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd
import yaml

from pipeline.core.errors import StudyError
from pipeline.core.files import json_hash
from pipeline.core.installed.own_files import own_file


def options(config: dict, *names: str) -> str:
    """Return the named options as canonical JSON, which a person can read in Snakemake's reasons.

    Parameters
    ----------
    config : dict
        The resolved configuration.
    *names : str
        Options or sections, with dots: ``"selection"``, ``"evaluation.threshold"``. Without any,
        the whole configuration.

    Raises
    ------
    KeyError
        If there is no such option: the rule asks for something that does not exist.
    """
    chosen: dict = {}
    for name in names:
        value: object = config
        for part in name.split("."):
            # Of a section that a study does without, no option is known.
            value = None if value is None else value[part]  # type: ignore[index]
        chosen[name] = value
    return _canonical(chosen if names else config)


def rows_hash(table: pd.DataFrame | None, columns: Iterable[str] | None = None) -> str:
    """Return a hash over the rows of `table`, whatever their order; ``none`` where it is None.

    Parameters
    ----------
    table : pandas.DataFrame or None
        One of the study's tables, or some of its rows.
    columns : iterable of str, optional
        Columns that count; all by default.
    """
    if table is None:
        return "none"
    if columns is not None:
        table = table[list(columns)]
    return _lines_hash(table, _lines(table))


def rows_hashes(
    table: pd.DataFrame, by: str, columns: Iterable[str] | None = None
) -> dict[str, str]:
    """Return `rows_hash` of the rows of each group, having written the table out once.

    Parameters
    ----------
    table : pandas.DataFrame
        One of the study's tables.
    by : str
        Column whose values are the groups; the columns that count need not hold it.
    columns : iterable of str, optional
        Columns that count; all by default.
    """
    counted = table if columns is None else table[list(columns)]
    lines = _lines(counted)
    rows = table.groupby(by, sort=False).indices
    if len(lines) != len(table):  # a cell holds a line break
        return {name: rows_hash(counted.iloc[at]) for name, at in rows.items()}
    return {name: _lines_hash(counted, [lines[i] for i in at]) for name, at in rows.items()}


def _lines(table: pd.DataFrame) -> list[str]:
    return table.to_csv(index=False, header=False).splitlines()


def _lines_hash(table: pd.DataFrame, lines: list[str]) -> str:
    return json_hash([list(table.columns), sorted(lines)])


def files_state(paths: Iterable[str | Path]) -> str:
    """Return a hash over names, sizes and times of files and of everything inside folders.

    The time of the last change of status counts too, since unpacking an archive gives new content
    old modification times. No content is read, so that it costs milliseconds even for a DICOM
    series of a thousand files; a job that runs in vain because a file was only touched finds its
    results in the store.

    Parameters
    ----------
    paths : iterable of path-like
        Files and folders, in any order. One that does not exist counts as missing, since the
        stage that reads it is the place to say so.
    """
    entries = {entry for path in set(map(os.fspath, paths)) for entry in _states(path)}
    return json_hash(sorted(entries))


def parameter_file(path: str | Path) -> str:
    """Return the meaning of a YAML parameter file as canonical JSON: its comments do not count.

    Raises
    ------
    StudyError
        If the file does not exist or is no YAML.
    """
    path = Path(path)
    try:
        value = yaml.safe_load(own_file(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StudyError(
            "The parameter file of the extraction must exist",
            found=path.name,
            where="config key extraction.params",
            remedy="paths count from the folder in which snakemake runs; radiomics_params/ is the "
            "package's where that folder has none",
            code="parameter-file-missing",
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise StudyError(
            "The parameter file of the extraction must be YAML",
            found=str(error).replace("\n", " "),
            where=path.name,
            code="parameter-file-not-yaml",
        ) from None
    return _canonical(value)


def _canonical(value: object) -> str:
    """Return a value as JSON in which no text of a person's looks like a wildcard of Snakemake.

    Snakemake reads ``{pilot}`` in a parameter as the name of a wildcard, and leaves the braces of
    JSON's own.
    """
    text = json.dumps(_without_braces(value), sort_keys=True, ensure_ascii=False, default=str)
    return text.replace(_OPEN, "\\u007b").replace(_CLOSE, "\\u007d")


_OPEN, _CLOSE = "\ue0f0", "\ue0f1"
"""Stand for braces within texts while JSON's own are written: of the private use area."""


def _without_braces(value: object) -> object:
    if isinstance(value, dict):
        return {_without_braces(key): _without_braces(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_braces(each) for each in value]
    if isinstance(value, str):
        return value.replace("{", _OPEN).replace("}", _CLOSE)
    return value


def _states(path: str) -> Iterator[tuple[str, int, int, int]]:
    if not os.path.isdir(path):
        yield _state(path)
        return
    for folder, _, names in os.walk(path):
        for name in names:
            yield _state(os.path.join(folder, name))


def _state(path: str) -> tuple[str, int, int, int]:
    """Return size and times; -1 for what cannot be looked at, such as a link to nowhere."""
    try:
        state = os.stat(path)
    except OSError:
        return path, -1, -1, -1
    return path, state.st_size, state.st_mtime_ns, state.st_ctime_ns
