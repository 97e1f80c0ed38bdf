"""The configuration of a study: defaults, then a protocol, then what the researcher wrote."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import get_args

import yaml

from pipeline.core.errors import StudyError
from pipeline.core.installed.own_files import OWN_FILES
from pipeline.core.problems import Problems, listing, suggestion
from pipeline.core.sections import default_of, replaced_options
from pipeline.core.written.yaml_keys import read_yaml, yaml_remedy, yaml_words
from pipeline.study.config_checks import check_combinations
from pipeline.study.options.acceptance import check_options
from pipeline.study.options.study_options import Options
from pipeline.study.sections.fitting import Family
from pipeline.tables.columns import analysis_name
from pipeline.tables.files.limits import read_bytes
from pipeline.tables.handed_in_options import Site
from pipeline.tables.sites import SITE
from pipeline.tables.split_designs import holds_out

DEFAULTS = OWN_FILES / "config" / "default.yaml"
PROTOCOLS = OWN_FILES / "config" / "protocols"

REPLACED = {
    *replaced_options(Options),
    *(("search", "spaces", model) for model in get_args(Family)),
}
"""Mappings that a later file replaces as a whole: half of an older outcome or search space mixed
with half of a newer one would be neither."""


def load_yaml(path: str | Path) -> dict:
    """Read one configuration file as a mapping.

    Raises
    ------
    StudyError
        If the file is missing, is no YAML, repeats a key, or is not a mapping.
    MachineError
        If this user may not read it.
    """
    path = Path(path)
    try:
        value = read_yaml(read_bytes(path, "configuration file"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise StudyError(
            "A configuration file must be YAML in UTF-8",
            found=yaml_words(error),
            where=str(path),
            remedy=yaml_remedy(
                error,
                "save it as UTF-8, indent with spaces, write `key: value`, and quote text with "
                "': ' or '#'",
            ),
            code="configuration-not-yaml",
        ) from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise StudyError(
            "A configuration file must be a mapping of options",
            found=type(value).__name__,
            where=str(path),
            remedy="write `option: value` lines, as in config/default.yaml",
            code="configuration-not-a-mapping",
        )
    return value


def load_config(paths: Iterable[str | Path]) -> dict:
    """Read the configuration files of a study and resolve them.

    Parameters
    ----------
    paths : iterable of path-like
        Later files override earlier ones. config/default.yaml and the protocol need not be named.

    Returns
    -------
    dict
        Every option, as `resolve_config` returns it.
    """
    return resolve_config(user_config(paths))


def user_config(paths: Iterable[str | Path]) -> dict:
    """Return what the configuration files of a study state, the later overriding."""
    user: dict = {}
    for path in paths:
        user = merge(user, load_yaml(path))
    return user


OF_TABLES = (
    *("cases", "features", "sites", "clinical", "dictionary", "unit", "columns"),
    "missing_values",
)
"""Options that say where a study's tables are and how they are read."""


def tables_alone(user: dict) -> dict:
    """Return a configuration of a study's tables and nothing else, to check them at least."""
    return {"study": "tables"} | {name: user[name] for name in OF_TABLES if name in user}


def merge(lower: dict, upper: dict, path: tuple[str, ...] = ()) -> dict:
    """Return `lower` with the values of `upper` put over it, both left as they are.

    Mappings merge key by key; lists, single values and the mappings in `REPLACED` replace. An
    empty section (``checks:`` with nothing below it) changes nothing.
    """
    merged = copy.deepcopy(lower)
    for key, value in upper.items():
        here = (*path, key)
        old = merged.get(key)
        if isinstance(old, dict) and here not in REPLACED:
            if isinstance(value, dict):
                merged[key] = merge(old, value, here)
                continue
            if value is None:
                continue
        merged[key] = copy.deepcopy(value)
    return merged


def resolve_config(user: dict) -> dict:
    """Return every option of a study: defaults < protocol < `user`, checked.

    Parameters
    ----------
    user : dict
        What the study's own file and the command line state.

    Returns
    -------
    dict
        All options of config/default.yaml with this study's values.

    Raises
    ------
    StudyError
        For an unknown option (with the nearest known one), a wrong type or value, or options
        that contradict one another. All problems are told at once.
    """
    config = load_yaml(DEFAULTS)
    protocol = user.get("protocol")
    if isinstance(protocol, str):
        config = merge(config, _load_protocol(protocol))
    config = merge(config, user)
    problems = Problems("the configuration")
    check_options(config, problems)
    if not problems:
        _complete_sites(config)
        check_combinations(config, problems)
    problems.raise_if_any()
    _name_inside(config)
    outcome = config["outcome"]
    if outcome is not None:
        config["outcome"] = {"label": outcome["name"], "definition": None} | outcome
    if config["primary"] is not None:
        part = "test" if holds_out(config["split"]["design"]) else "nested"
        config["primary"] = {"part": part, "metric": "auroc"} | config["primary"]
    for section in ("nested", "optimism"):
        asked = config[section]["models"]
        if isinstance(asked, str):
            config[section]["models"] = [
                name for name in config["models"] if asked == "all" or name != "tabnet"
            ]
    if isinstance(config["ablation"]["models"], str):
        trained = config["models"]
        config["ablation"]["models"] = ["tabnet"] if "tabnet" in trained else trained[:1]
    return config


def _complete_sites(config: dict) -> None:
    """Give each site all options of a site, and a split by site the column that is made."""
    if config["sites"] is None:
        return
    for name, given in config["sites"].items():
        missing = {one.name: default_of(one) for one in fields(Site) if one.name not in given}
        config["sites"][name] = missing | given
    if config["split"]["design"] == "by_site" and config["split"]["column"] is None:
        config["split"]["column"] = SITE


def study_folder(user: Mapping) -> Path:
    """Return ``results/<study>`` of what a study's own file and the command line state.

    Nothing is checked: for a job of a run whose study is frozen in that folder.
    """
    return Path(user.get("results") or load_yaml(DEFAULTS)["results"], str(user.get("study")))


def _name_inside(config: dict) -> None:
    """Give clinical columns that options name the names that they have inside the project."""
    kept = config["harmonisation"]["covariates"]
    config["harmonisation"]["covariates"] = [analysis_name(name) for name in kept]
    if isinstance(config["predictors"], list):
        config["predictors"] = [analysis_name(name) for name in config["predictors"]]
    named = config["ablation"]["features"]
    config["ablation"]["features"] = [analysis_name(name) for name in named]
    for section, option in (("split", "column"), ("preflight", "treated_level")):
        if config[section][option] is not None:
            config[section][option] = analysis_name(config[section][option])


def _load_protocol(name: str) -> dict:
    path = PROTOCOLS / f"{name}.yaml"
    known = sorted(file.stem for file in PROTOCOLS.glob("*.yaml"))
    if name not in known:
        raise StudyError(
            "The protocol must be one of config/protocols",
            found=name,
            where="config key protocol",
            remedy=suggestion(name, known) or f"choose from {listing(known)}",
            code="protocol-unknown",
        )
    return load_yaml(path)
