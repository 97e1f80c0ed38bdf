"""The configuration of a study: defaults, then a protocol, then what the researcher wrote."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import yaml

from pipeline.core.errors import StudyError
from pipeline.core.modes import is_leaking
from pipeline.core.problems import Problems, listing
from pipeline.core.yaml_keys import UniqueKeys

ROOT = Path(__file__).resolve().parents[2]
DEFAULTS = ROOT / "config" / "default.yaml"
PROTOCOLS = ROOT / "config" / "protocols"
SCHEMA = ROOT / "pipeline" / "schemas" / "config.schema.yaml"

REPLACED = {
    ("features",),
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
    """
    path = Path(path)
    try:
        value = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=UniqueKeys)
    except FileNotFoundError:
        raise StudyError("The configuration file must exist", where=str(path)) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise StudyError(
            "A configuration file must be YAML in UTF-8",
            found=" ".join(str(error).split()),
            where=str(path),
            remedy="indent with spaces, write `key: value`, and quote text that holds ': ' or '#'",
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
        _check_combinations(config, problems)
    problems.raise_if_any()
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
    return config


def suggestion(word: object, known: Iterable[str]) -> str | None:
    """Return ``perhaps `x` is meant`` for the nearest of `known`, or None if nothing is near."""
    known = list(known)
    lower = {name.lower(): name for name in reversed(known)}
    wanted = str(word).lower()
    near = difflib.get_close_matches(wanted, lower, n=1)
    begun = [name for name in lower if len(wanted) > 2 and name.startswith(wanted)]
    if not near and len(begun) == 1:
        near = begun  # an abbreviation, such as `preop`
    return f"perhaps `{lower[near[0]]}` is meant" if near else None


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
    # jsonschema costs a tenth of a second, which only the front door pays.
    from jsonschema import Draft202012Validator

    return Draft202012Validator(yaml.safe_load(SCHEMA.read_text(encoding="utf-8")))


def _check_schema(config: dict, problems: Problems) -> None:
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
                f"{_wanted(error.schema, error.validator)}",
                found=_shown(error.instance),
                where="config key " + (".".join(path) or "(top level)"),
                remedy=schema.get("remedy"),
            )


def _wanted(schema: dict, validator: str) -> str:
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
    return text if len(text) <= 80 else text[:77] + "..."


def _check_combinations(config: dict, problems: Problems) -> None:
    """Add the rules that join several options."""
    if (config["cases"] is None) == (config["features"] is None):
        both = config["cases"] is not None
        problems.add(
            "A study must start from exactly one of `cases` (masks) and `features` (ready tables)",
            found="both" if both else "neither",
            where="config keys cases, features",
            remedy="remove one of them" if both else "give the path of one of them",
        )
    _check_clinical_keys(config, problems)
    _check_published_order(config, problems)
    if config["features"] is not None:
        check_model_reader(config, sorted(config["features"]), problems)
    split = config["split"]
    rules = {
        "imported": "An imported split needs the clinical column that holds 'train' or 'test'",
        "temporal": "A temporal split needs the clinical column of relative days or of the order "
        "of enrolment",
        "by_site": "A split by site needs the clinical column that names the site",
    }
    if split["design"] in rules and split["column"] is None:
        problems.add(
            rules[split["design"]],
            where="config key split.column",
            remedy="name the column, with role `split` in the dictionary",
        )
    if split["design"] == "by_site" and not split["test_sites"]:
        problems.add(
            "A split by site needs the sites to hold out",
            where="config key split.test_sites",
            remedy="list at least one, as the column spells it",
        )
    low, high = config["evaluation"]["decision_curve"]
    if low >= high:
        problems.add(
            "The range of the decision curve must run from a lower to a higher probability",
            found=[low, high],
            where="config key evaluation.decision_curve",
        )
    _check_primary(config, problems)
    convention = config["masks"]["convention"]
    if isinstance(convention, dict) and len(set(convention.values())) < len(convention):
        problems.add(
            "An own convention must give each level a label of its own",
            found=listing(f"{level}: {label}" for level, label in convention.items()),
            where="config key masks.convention",
            remedy="correct the labels",
        )
    asked = {"ablated": "ablation", "cross-validated": "nested", "resampled": "optimism"}
    for what, section in asked.items():
        names = config[section]["models"]
        if isinstance(names, str):
            continue
        extra = [name for name in names if name not in config["models"]]
        if not extra:
            continue
        problems.add(
            f"A model can only be {what} if it is trained",
            found=listing(extra),
            where=f"config key {section}.models",
            remedy=f"take from `models`: {listing(config['models'])}, or add it there",
        )


def _check_published_order(config: dict, problems: Problems) -> None:
    """Add the options that have no meaning beside `mode: as_published`."""
    if not is_leaking(config):
        return
    design, rule = config["split"]["design"], config["evaluation"]["threshold_rule"]
    if design not in ("holdout", "imported"):
        problems.add(
            "The published order divides patients 7:3 and has no part held out by time or site",
            found=f"split.design: {design}",
            where="config key mode",
            remedy="write `mode: rigorous`, or take the design holdout or imported",
        )
    if rule != "fixed":
        problems.add(
            "The published order calls an event at a fixed threshold: out-of-fold predictions "
            "that know synthetic relatives cannot choose one",
            found=rule,
            where="config key evaluation.threshold_rule",
            remedy="write `protocol: ge2025`, or `threshold_rule: fixed`",
        )
    if config["selection"]["ccc"]["within_level"]:
        problems.add(
            "The published order measures agreement over all vertebral levels together",
            found="true",
            where="config key selection.ccc.within_level",
            remedy="write false, or `mode: rigorous`",
        )
    repeated = {"nested": "Nested cross-validation", "optimism": "The correction for optimism"}
    for section, what in repeated.items():
        if config[section]["models"] and config[section]["search"] == "fixed":
            problems.add(
                f"{what} must search its own parameters beside `mode: as_published`: those of the "
                "final model have seen every row",
                found="fixed",
                where=f"config key {section}.search",
                remedy="write `search: reduced` or `search: full`, or `models: []`",
            )


def _check_primary(config: dict, problems: Problems) -> None:
    declared = config["primary"]
    if declared is None:
        return
    if config["outcome"] is None:
        problems.add(
            "A primary analysis needs an outcome",
            where="config key outcome",
            remedy="state the outcome, or remove `primary`",
        )
    model, nested = declared["model"], config["nested"]["models"]
    if model not in [*config["models"], "winner"]:
        problems.add(
            "The primary analysis must be that of a model that is trained",
            found=model,
            where="config key primary.model",
            remedy=f"take from `models`: {listing(config['models'])}, or write winner",
        )
    if declared.get("part") != "nested":
        return
    judged = config["models"] if nested == "all" else nested
    if model not in judged and (model != "winner" or set(judged) != set(config["models"])):
        problems.add(
            "A primary analysis by nested cross-validation needs it for its model",
            found=model,
            where="config key nested.models",
            remedy="add the model there; for winner write `nested: {models: all}`",
        )
    if declared.get("metric", "auroc") not in ("auroc", "brier"):
        problems.add(
            "Nested cross-validation gives the metrics auroc and brier",
            found=declared["metric"],
            where="config key primary.metric",
            remedy="write one of them, or `part: test`",
        )


def _check_clinical_keys(config: dict, problems: Problems) -> None:
    if config["clinical"] is None:
        for key in ("outcome", "eligibility", "dictionary"):
            if config[key]:
                problems.add(
                    f"`{key}` needs the table `clinical`",
                    where="config key clinical",
                    remedy=f"give the path of the clinical table, or remove `{key}`",
                )
    elif config["dictionary"] is None:
        problems.add(
            "A clinical table needs a data dictionary with the type and timing of each column",
            where="config key dictionary",
            remedy="`python -m pipeline.new_study NAME` writes a template",
        )


def check_model_reader(config: dict, readers: Sequence[str], problems: Problems) -> None:
    """Add what is wrong with `model_reader` and `simulated_reader`, given the study's readers."""
    choice = config["model_reader"]
    if "mean" in readers:
        problems.add(
            "No reader may be called 'mean': the word stands for the mean of the readers",
            where="readers of the study",
            remedy="rename the reader",
        )
    if choice is None and len(readers) > 1 and config["outcome"] is not None:
        problems.add(
            "With several readers, the model must be told whose features it sees",
            found=f"readers {listing(readers)}",
            where="config key model_reader",
            remedy=f"write one of {listing([*readers, 'mean'])}",
        )
    if choice is not None and choice not in [*readers, "mean"]:
        problems.add(
            "`model_reader` must be one of the readers, or 'mean'",
            found=choice,
            where="config key model_reader",
            remedy=suggestion(choice, readers) or f"write one of {listing([*readers, 'mean'])}",
        )
    simulated = config["simulated_reader"]
    if simulated is not None and simulated not in readers:
        problems.add(
            "`simulated_reader` must be one of the readers",
            found=simulated,
            where="config key simulated_reader",
            remedy=suggestion(simulated, readers) or f"write one of {listing(readers)}, or null",
        )
