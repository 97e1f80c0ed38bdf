"""The configuration of a study: defaults, then a protocol, then what the researcher wrote."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import yaml

from pipeline.core.errors import StudyError
from pipeline.core.own_files import OWN_FILES
from pipeline.core.problems import Problems, listing, suggestion
from pipeline.core.schema_validator import schema_validator
from pipeline.core.yaml_keys import read_yaml, yaml_remedy, yaml_words
from pipeline.study.config_checks import check_combinations
from pipeline.tables.columns import analysis_name
from pipeline.tables.files.limits import read_bytes

DEFAULTS = OWN_FILES / "config" / "default.yaml"
PROTOCOLS = OWN_FILES / "config" / "protocols"
SCHEMA = Path(__file__).resolve().parents[1] / "schemas" / "config.schema.yaml"

REPLACED = {
    ("features",),
    ("columns",),
    ("masks", "convention"),
    ("outcome",),
    *(("search", "spaces", model) for model in ("lr", "svm", "rf", "xgboost", "tabnet")),
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
        ) from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise StudyError(
            "A configuration file must be a mapping of options",
            found=type(value).__name__,
            where=str(path),
            remedy="write `option: value` lines, as in config/default.yaml",
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
    user: dict = {}
    for path in paths:
        user = merge(user, load_yaml(path))
    return resolve_config(user)


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
    _check_schema(config, problems)
    if not problems:
        check_combinations(config, problems)
    problems.raise_if_any()
    _name_inside(config)
    outcome = config["outcome"]
    if outcome is not None:
        config["outcome"] = {"label": outcome["name"]} | outcome
    if config["primary"] is not None:
        config["primary"] = {"part": "test", "metric": "auroc"} | config["primary"]
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


def study_folder(user: Mapping) -> Path:
    """Return ``results/<study>`` of what a study's own file and the command line state.

    Nothing is checked: for a job of a run whose study is frozen in that folder.
    """
    return Path(user.get("results") or load_yaml(DEFAULTS)["results"], str(user.get("study")))


def _name_inside(config: dict) -> None:
    """Give clinical columns that options name the names that they have inside the project."""
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
        )
    return load_yaml(path)


@cache
def _validator():
    return schema_validator(yaml.safe_load(SCHEMA.read_text(encoding="utf-8")))


def schema_of(key: str) -> dict:
    """Return what the schema says of one option.

    Parameters
    ----------
    key : str
        The option, nested ones as ``evaluation.confidence``.
    """
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    for part in key.split("."):
        schema = schema["properties"][part]
    return schema


def _check_numbers(value: object, path: list[str], problems: Problems) -> None:
    """Refuse NaN, which keeps to any bound as far as a schema can tell."""
    parts = value.items() if isinstance(value, dict) else ()
    parts = enumerate(value) if isinstance(value, list) else parts
    for name, part in parts:
        _check_numbers(part, [*path, str(name)], problems)
    if isinstance(value, float) and math.isnan(value):
        problems.add(
            "An option must be a number where it is written as one",
            found=".nan",
            where="config key " + ".".join(path),
            remedy="write a number, or leave the option out for its default",
        )


def _check_schema(config: dict, problems: Problems) -> None:
    _check_numbers(config, [], problems)
    for error in sorted(
        _validator().iter_errors(config), key=lambda each: list(map(str, each.path))
    ):
        path = [str(part) for part in error.absolute_path]
        if error.validator == "additionalProperties":
            known = error.schema["properties"]
            for key in error.instance:
                if key not in known:
                    problems.add(
                        "Every option must be one of config/default.yaml",
                        where="config key " + ".".join([*path, str(key)]),
                        remedy=suggestion(key, known)
                        or f"known here: {listing(sorted(known), 12)}",
                    )
        elif error.validator == "required":
            missing = [key for key in error.validator_value if key not in error.instance]
            for key in missing:
                problems.add(
                    f"`{key}` must be given",
                    where="config key " + ".".join([*path, key]),
                    remedy=_expected(error.schema["properties"][key]),
                )
        else:
            # A wrong name of a key is reported where the key stands.
            schema = error.parent.schema if error.parent is not None else error.schema
            name = path[-1] if path else "configuration"
            problems.add(
                f"`{name}` ({schema.get('description', 'a name')}) must be "
                f"{wanted(error.schema, error.validator)}",
                found=_shown(error.instance),
                where="config key " + (".".join(path) or "(top level)"),
                remedy=schema.get("remedy") or _remedy(error.schema, error.instance, path),
            )


def _remedy(schema: Mapping, value: object, path: list[str]) -> str:
    """Return what to do about a value of an option whose schema names no remedy."""
    near = suggestion(value, filter(_is_text, schema.get("enum", ()))) if _is_text(value) else None
    if near:
        return near
    default = load_yaml(DEFAULTS)
    for part in path:
        default = default.get(part) if isinstance(default, dict) else None
    if default is None or isinstance(default, dict):
        return "write such a value"
    return f"write such a value, or leave the option out for its default, {_shown(default)}"


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def wanted(schema: Mapping, validator: str = "") -> str:
    """Return in words what `schema` accepts, the keyword `validator` having refused the value."""
    if "enum" in schema:
        return "one of " + ", ".join(map(_shown, schema["enum"]))
    special = {
        "pattern": f"text of the pattern {schema.get('pattern')}",
        "oneOf": schema.get("accepts"),
        "uniqueItems": "a list that names nothing twice",
        "minItems": f"a list of {_count(schema)} entries",
        "maxItems": f"a list of {_count(schema)} entries",
        "minProperties": "given, and not be empty",
        "minLength": "given, and not be empty",
    }
    if validator in special:
        return special[validator]
    words = {
        "string": "text",
        "integer": "a whole number",
        "number": "a number",
        "array": "a list",
        "object": "a mapping",
        "null": "null",
    }
    types = schema.get("type", "string")
    wanted = " or ".join(words[name] for name in ([types] if isinstance(types, str) else types))
    bounds = {
        "minimum": "at least",
        "exclusiveMinimum": "above",
        "maximum": "at most",
        "exclusiveMaximum": "below",
    }
    limits = [f"{word} {schema[key]}" for key, word in bounds.items() if key in schema]
    return " ".join([wanted, " and ".join(limits)]).strip()


def _count(schema: dict) -> str:
    low, high = schema.get("minItems"), schema.get("maxItems")
    return str(low) if low == high else f"at least {low}"


def _expected(schema: dict) -> str:
    return schema.get("remedy") or f"state {schema['description']}"


def _shown(value: object) -> str:
    text = "null" if value is None else str(value)
    text = text if text.isprintable() else repr(text)
    return text if len(text) <= 80 else text[:77] + "..."
