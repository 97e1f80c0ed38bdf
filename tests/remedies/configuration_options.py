"""Remedies of single options and of configuration files: rows of Configuration."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from pipeline.study.config import load_config, resolve_config
from tests.pipeline.study.test_config import LAUGHS, MODELLED, REPLAYED
from tests.remedies import (
    Remedy,
    refused,
)

SECTION = "Configuration"
REMEDIES: dict[str, Remedy] = {}

MASKS = {"features": None, "cases": "c.csv"}
ONE = {"models": ["lr"], "ablation": {"models": []}}
NESTED_RF = {"nested": {"models": ["rf"]}, "models": ["lr", "rf"], "ablation": {"models": []}}
SPACES = [{"C": 1.0}, {"C": [0.1, 1.0]}, {"C": {"uniform": [0, 1]}}, {"C": {"log_uniform": [1, 2]}}]
TEMPORAL = {"design": "temporal", "column": "x"}
NO_TEST = {"split": {"design": "none"}}

#: Options that are refused, what the remedy says, and the options that it then asks for, each of
#: which is to be accepted.
OPTIONS: dict[str, Sequence[tuple[dict, str, list[dict]]]] = {
    "A study's name with a blank, a slash, a leading dot or a line break": [
        ({"study": name}, "such as `study: pain-2025`", [{"study": "pain-2025"}])
        for name in ("a b", "a/b", ".a", "a\n", "a\nb")
    ],
    "A study called `store`, `CON`, `LPT1`": [
        ({"study": name}, f"such as `study: {name}-study`", [{"study": f"{name}-study"}])
        for name in ("store", "CON", "LPT1")
    ],
    "A study's name of more than 64 letters": [
        ({"study": "x" * 65}, "shorter.*the long one as `title`",
         [{"study": "x", "title": "x" * 65}]),
    ],
    "Braces or a line break in `results`": [
        ({"results": bad}, "give another one", [{"results": "results"}])
        for bad in ("out{x}", "a\nb")
    ],
    "An unknown convention of labels": [
        ({"masks": {"convention": "versa"}},
         "none, totalsegmentator_v1, totalsegmentator, totalsegmentator_pp, verse, or a map such "
         r"as \{L1: 20, L2: 21\}",
         [{"masks": {"convention": good}} for good in (
             "none", "totalsegmentator_v1", "totalsegmentator", "totalsegmentator_pp", "verse",
             {"L1": 20, "L2": 21})]),
    ],
    "Two levels of one label in an own convention": [
        ({"masks": {"convention": {"L1": 20, "L2": 20}}}, "correct the labels, or name a conv",
         [{"masks": {"convention": good}} for good in ({"L1": 20, "L2": 21}, "verse")]),
    ],
    "An unknown rule of the threshold, or a target of 0 or 1": [
        ({"evaluation": {"threshold_rule": bad}},
         r"youden, closest, fixed, \{sensitivity: 0\.9\}, \{specificity: 0\.9\} or "
         r"\{net_benefit: 0\.2\}",
         [{"evaluation": {"threshold_rule": good}} for good in (
             "youden", "closest", "fixed", {"sensitivity": 0.9}, {"specificity": 0.9},
             {"net_benefit": 0.2})])
        for bad in ("best", {"sensitivity": 0}, {"sensitivity": 1})
    ],
    "A primary analysis of a model that is not trained": [
        (ONE | {"primary": {"model": "rf"}}, "`models`",
         [{"primary": {"model": "lr"}}, {"models": ["lr", "rf"]}]),
    ],
    "A primary analysis without an outcome": [
        ({"primary": {"model": "lr"}, "outcome": None}, "state the outcome, or remove `primary`",
         [{"outcome": MODELLED["outcome"]}, {"primary": None}]),
    ],
    "A primary analysis by nested cross-validation that is not run": [
        (NESTED_RF | {"primary": {"model": model, "part": "nested"}},
         "add the model there; for winner write `nested: {models: all}`", [{"nested": good}])
        for model, good in (("lr", {"models": ["rf", "lr"]}), ("winner", {"models": "all"}))
    ],
    "A primary analysis by nested cross-validation with a metric that it does not give": [
        ({"primary": {"model": "lr", "part": "nested", "metric": "ici"}},
         "write one of them, or `part: test`",
         [{"primary": {"model": "lr", **good}} for good in (
             {"part": "nested", "metric": "auroc"}, {"part": "nested", "metric": "brier"},
             {"part": "test", "metric": "ici"})]),
    ],
    "A search space that is neither value, list nor range": [
        ({"search": {"spaces": {"lr": {"C": {"normal": [0, 1]}}}}}, "write such a value",
         [{"search": {"spaces": {"lr": space}}} for space in SPACES]),
    ],
    "Fewer than one process": [
        ({"workers": 0}, "write such a value, or leave the option out for its default, 1",
         [{"workers": 1}, {"workers": "auto"}]),
    ],
    "An unknown engine of the extraction": [
        ({"extraction": {"engine": "quick"}}, "leave the option out for its default, fast",
         [{"extraction": {"engine": "pyradiomics"}}, {"extraction": {}}]),
        ({"extraction": {"engine": "pyradiomix"}}, "perhaps `pyradiomics` is meant",
         [{"extraction": {"engine": "pyradiomics"}}]),
    ],
    "A share of masks to verify above 1": [
        ({"extraction": {"verify_fraction": 2}}, "write such a value, or leave the option out",
         [{"extraction": {"verify_fraction": 1}}, {"extraction": {}}]),
    ],
    "An unknown option": [
        ({"serach": {"iterations": 3}}, "perhaps `search` is meant",
         [{"search": {"iterations": 3}, "serach": ...}]),
    ],
    "An unknown protocol": [
        ({"protocol": "ge2052"}, "perhaps `ge2025` is meant", [{"protocol": "ge2025"}]),
        ({"protocol": "z"}, "choose from ge2025", [{"protocol": "ge2025"}]),
    ],
    "Both masks and ready feature tables": [
        ({"cases": "c.csv"}, "remove one of them", [{"cases": None}, {"features": None}]),
        ({"features": None}, "give the path of one of them",
         [{"cases": "c.csv"}, {"features": MODELLED["features"]}]),
    ],
    "`columns` or `not_features` in a study of masks": [
        (MASKS | {name: value}, f"remove `{name}`", [{name: ...}])
        for name, value in (("columns", {"patient_id": "ID"}), ("not_features", ["x"]))
    ],
    "A brace or a line break in the path of a feature table": [
        ({"features": {"A": bad, "B": "b.csv"}}, "rename the file or folder", [
            {"features": MODELLED["features"]}])
        for bad in ("a{b}.csv", "a\nb.csv")
    ],
    "Several readers and none chosen": [
        ({"model_reader": None}, "write one of A, B, mean",
         [{"model_reader": good} for good in ("A", "B", "mean")]),
    ],
    'A reader called "mean"': [
        ({"features": {"A": "a.csv", "mean": "b.csv"}}, "rename the reader",
         [{"features": MODELLED["features"]}]),
    ],
    "An imported split without its column": [
        ({"split": {"design": "imported"}}, "name the column",
         [{"split": {"design": "imported", "column": "x"}}]),
    ],
    "A temporal split without its column": [
        ({"split": {"design": "temporal"}}, "name the column", [{"split": TEMPORAL}]),
    ],
    "A split by site without sites to hold out": [
        ({"split": {"design": "by_site", "column": "x"}}, "list at least one",
         [{"split": {"design": "by_site", "column": "x", "test_sites": ["B"]}}]),
    ],
    "Without a hold-out: a model that nested cross-validation leaves out": [
        (ONE | NO_TEST | {"nested": {"models": []}},
         r"write `nested: \{models: all\}`, or hold patients out",
         [{"nested": {"models": "all"}}, {"split": {"design": "holdout"}}]),
    ],
    "Without a hold-out: outer folds with the parameters of the final model": [
        (NO_TEST | {"nested": {"search": "fixed"}}, r"`nested: \{search: reduced\}` or `full`",
         [{"nested": {"search": good}} for good in ("reduced", "full")]),
    ],
    "Without a hold-out: an ablation of the final signature": [
        (NO_TEST | {"ablation": {"where": "signature"}},
         r"`ablation: \{where: before_selection\}`, or `ablation: \{models: \[\]\}`",
         [{"ablation": {"where": "before_selection"}}, {"ablation": {"models": []}}]),
    ],
    "Without a hold-out: a primary analysis on held-out patients": [
        (NO_TEST | {"primary": {"model": "lr", "part": "test"}},
         "write `part: nested`, or hold patients out by",
         [{"primary": {"model": "lr", "part": "nested"}}, {"split": {"design": "holdout"}}]),
    ],
    "An ablated model that is not trained": [
        ({"models": ["lr"], "ablation": {"models": ["tabnet"]}},
         "take from `models`: lr, or add it there",
         [{"ablation": {"models": ["lr"]}}, {"models": ["lr", "tabnet"]}]),
    ],
    "A model to resample that is not trained": [
        (ONE | {"optimism": {"models": ["rf"]}}, "take from `models`: lr, or add it there",
         [{"optimism": {"models": ["lr"]}}, {"models": ["lr", "rf"]}]),
    ],
    "A family of features that does not exist": [
        ({"ablation": {"families": ["wavelets"]}}, "write such a value, or leave the option out",
         [{"ablation": {"families": ["wavelet"]}}, {"ablation": {}}]),
    ],
    "NaN as the value of an option": [
        ({"evaluation": {"threshold": float("nan")}},
         "write a number, or leave the option out for its default",
         [{"evaluation": {"threshold": 0.4}}, {"evaluation": {}}]),
    ],
    "A kind of split declared that is none, or of a design that says it itself": [
        ({"split": {"declared": "site"}}, "remove it", [{"split": {}}]),
    ],
    "A decision curve from high to low": [
        ({"evaluation": {"decision_curve": [0.9, 0.1]}},
         r"write the lower one first, such as \[0\.01, 0\.99\]",
         [{"evaluation": {"decision_curve": good}} for good in ([0.1, 0.9], [0.01, 0.99])]),
    ],
    "The published order with agreement within levels": [
        (REPLAYED | {"selection": {"ccc": {"within_level": True}}},
         "write false, or `mode: rigorous`",
         [{"selection": {"ccc": {"within_level": False}}}, {"mode": "rigorous"}]),
    ],
    "Negative controls of a study without images, or without a prediction": [
        ({"controls": {"kinds": ["shuffled_inside"]}}, r"`controls: \{kinds: \[\]\}`",
         [{"controls": {"kinds": []}}]),
    ],
    "The published order with a split by time or site": [
        (REPLAYED | {"split": TEMPORAL},
         "`mode: rigorous`, or take the design holdout, or imported",
         [{"mode": "rigorous"}, {"split": {"design": "holdout"}},
          {"split": {"design": "imported", "column": "x", "declared": "random"}}]),
    ],
    "The published order with a threshold to choose": [
        ({"mode": "as_published"}, "`protocol: ge2025`, or `threshold_rule: fixed`",
         [{"protocol": "ge2025"}, {"evaluation": {"threshold_rule": "fixed"}}]),
    ],
    "The published order with nested folds or resamples that search nothing": [
        (REPLAYED | {section: {"search": "fixed"}},
         r"`search: reduced` or `search: full`, or `models: \[\]`",
         [{section: good} for good in (
             {"search": "reduced"}, {"search": "full"}, {"search": "fixed", "models": []})])
        for section in ("nested", "optimism")
    ],
}  # fmt: skip


def options(name: str, _: Path) -> None:
    for bad, remedy, goods in OPTIONS[name]:
        given = MODELLED | bad
        refused(SECTION, name, lambda given=given: resolve_config(given), remedy)
        for good in goods:
            mended = {key: value for key, value in (given | good).items() if value is not ...}
            resolve_config(mended)


REMEDIES |= {name: functools.partial(options, name) for name in OPTIONS}

#: Text of a configuration file, what the remedy says, and the file after it.
FILES = {
    "No YAML": [
        ("title: s: t\n", "quote text with ': '", 'title: "s: t"\n'),
        ("checks:\n\tmin_slices: 9\n", "indent with spaces", "checks:\n  min_slices: 9\n"),
        (b"title: Gr\xf6\xdfe\n", "save it as UTF-8", "title: Größe\n"),
    ],
    "A key given twice": [("seed: 1\nseed: 2\n", "remove one of the two", "seed: 1\n")],
    "A list in place of options": [("- seed\n", "write `option: value` lines", "seed: 1\n")],
    "A date that does not exist, an infinite or endless number": [
        ("title: 2025-02-30\n", "put it in quotes if it is text", 'title: "2025-02-30"\n'),
        (f"seed: {'9' * 5000}\n", "or correct the whole number", "seed: 9\n"),
        (f"title: {'9' * 5000}\n", "put it in quotes if it is text", f"title: '{'9' * 5000}'\n"),
    ],
    "A whole number beyond 64 bits": [
        (f"seed: {'9' * 400}\n", "or write a number that the option can take", "seed: 9\n"),
        (f"title: {'9' * 99}\n", "put it in quotes if it is text", f"title: '{'9' * 99}'\n"),
    ],
    "Aliases of aliases (a small file of billions of values)": [
        (LAUGHS + "seed: 1\n", "write out what the options need, and remove the rest", "seed: 1\n"),
    ],
    "Lists within lists without end": [
        (bad + "\nseed: 1\n", "write out what the options need, and remove the rest", "seed: 1\n")
        for bad in ("x: " + "[" * 5000, "x: " + "[" * 45 + "]" * 45)
    ],
    "A list in place of a key": [
        ("? [seed, b]\n: 1\n", "write one word before the colon", "seed: 1\n"),
    ],
}  # fmt: skip


def config_file(name: str, folder: Path) -> None:
    path, rest = folder / "a.yaml", folder / "rest.yaml"
    rest.write_text("study: s\nfeatures: {A: a.csv}\n", encoding="utf-8")
    for bad, remedy, good in FILES[name]:
        path.write_bytes(bad if isinstance(bad, bytes) else bad.encode())
        refused(SECTION, name, lambda: load_config([rest, path]), remedy)
        path.write_text(good, encoding="utf-8")
        load_config([rest, path])


REMEDIES |= {name: functools.partial(config_file, name) for name in FILES}
