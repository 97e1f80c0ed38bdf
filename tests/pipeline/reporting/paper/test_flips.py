"""An answer of a checklist flips when its fact is taken out of the run: each fact, each item.

The answers are the machine's; how far two people who fill the forms by hand agree with it was not
measured (docs/paper.md).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from pipeline.reporting.paper.checklists import ANSWERED, FACTS, answers, checklists, find
from pipeline.reporting.paper.fact import ASKED
from pipeline.reporting.results import Regression, Results

ALWAYS = {"checklists", "flow", "code"}
"""Facts that every run has: its flow of patients, its code, these very checklists."""


def configured(results: Results, **options: object) -> Results:
    """Return results whose configuration differs, nested options as ``selection__mrmr__k``."""
    config = json.loads(json.dumps(results.study.config))
    for name, value in options.items():
        *outer, last = name.split("__")
        inner = config
        for key in outer:
            inner = inner[key]
        inner[last] = value
    return replace(results, study=replace(results.study, config=config))


@pytest.fixture(scope="module")
def whole(lr_results, repository) -> Results:
    """Return a run that holds every fact but those of a test at another site."""
    split = lr_results.modelling.split
    ingest = pd.DataFrame(
        {
            "scan_id": ["s1", "s2"], "status": "ok", "manufacturer": "Synthetic", "kernel": "B60",
            "kvp": 120.0, "slice_thickness_mm": 1.5, "spacing_x": 0.5,
        }
    )  # fmt: skip
    groups = {"label": "part", "groups": [{"name": "train", "units": len(split)}]}
    results = replace(
        lr_results,
        imaging=SimpleNamespace(ingest=ingest),
        regression=Regression({}, {}),
        groups=SimpleNamespace(info=groups),
    )
    words = dict.fromkeys(results.study.config["reporting"], "as the authors say")
    words |= {"centres": 2, "segmentation": "automatic", "design": "prospective"}
    size = lr_results.modelling.sample_size
    counts = [size["counts"][0] | {"needed": 10}, *size["counts"][1:]]
    modelling = replace(
        results.modelling,
        sample_size=size | {"counts": counts},
        # Of 27 test rows every group is too small to have a figure.
        subgroups=lr_results.modelling.subgroups.assign(value=0.8),
        evaluation=replace(
            results.modelling.evaluation,
            comparisons=pd.DataFrame({"method": ["paired DeLong"]}),
        ),
    )
    return configured(
        replace(results, modelling=modelling),
        reporting=words,
        eligibility=[{"label": "adults", "formula": "age >= 18"}],
        primary={"model": "lr", "part": "test", "metric": "auroc"},
        extraction__params=str(repository / "radiomics_params" / "ge2025.yaml"),
    )


def modelling(**parts: object) -> Callable[[Results], Results]:
    """Return what replaces parts of the modelling half."""
    return lambda results: replace(results, modelling=replace(results.modelling, **parts))


def evaluation(name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable:
    """Return what changes one table of the evaluation."""

    def removed(results: Results) -> Results:
        tables = results.modelling.evaluation
        tables = replace(tables, **{name: change(getattr(tables, name))})
        return modelling(evaluation=tables)(results)

    return removed


def of_models(name: str) -> Callable[[Results], Results]:
    """Return what empties one table of every model."""

    def removed(results: Results) -> Results:
        held = results.modelling.models.items()
        emptied = {key: replace(each, **{name: getattr(each, name).iloc[:0]}) for key, each in held}
        return modelling(models=emptied)(results)

    return removed


def option(**options: object) -> Callable[[Results], Results]:
    """Return what changes options of the configuration."""
    return lambda results: configured(results, **options)


def training_alone(results: Results) -> Results:
    split = results.modelling.split.assign(part="train")
    return modelling(split=split)(results)


def without_features(results: Results) -> Results:
    info = results.modelling.info | {"features": []}
    bare = modelling(info=info)(results)
    return replace(bare, reproducibility=results.reproducibility.iloc[:0])


def without_readers(results: Results) -> Results:
    study = replace(results.study, cases=None)
    return configured(replace(results, study=study), cases=None, features=None)


def headers(**values: object) -> Callable[[Results], Results]:
    return lambda results: replace(
        results, imaging=SimpleNamespace(ingest=results.imaging.ingest.assign(**values))
    )


def nothing(table: pd.DataFrame) -> pd.DataFrame:
    return table.iloc[:0]


NO_IMAGES = lambda results: replace(results, imaging=None)  # noqa: E731
NO_MODELLING = lambda results: replace(results, modelling=None)  # noqa: E731
NO_MODEL = modelling(models={})
NOTHING_BUT_TABLES = lambda results: replace(  # noqa: E731
    results, modelling=None, groups=None, regression=None
)
UNSAID = {"manufacturer": None, "kernel": None, "kvp": np.nan, "slice_thickness_mm": np.nan}

REMOVED: dict[str, Callable[[Results], Results]] = {
    "acquisition": headers(**UNSAID, spacing_x=np.nan),
    "added_value": lambda results: modelling(
        added_value=replace(
            results.modelling.added_value,
            info={"status": "not_compared", "reason": "the study has no clinical candidate"},
        )
    )(results),
    "algorithms": NO_MODEL,
    "automatic_segmentation": option(reporting__segmentation="manual"),
    "baselines": lambda results: modelling(
        references=results.modelling.references.assign(auroc=np.nan)
    )(results),
    "by_part": training_alone,
    "by_site": option(split__design="holdout"),
    "calibration": evaluation(
        "metrics", lambda table: table[table["metric"] != "calibration_slope"]
    ),
    "ccc_filter": option(selection__ccc__threshold=None),
    "characteristics": NOTHING_BUT_TABLES,
    "comparison_tests": evaluation("comparisons", nothing),
    "confusion": evaluation("confusion", nothing),
    "counts": NOTHING_BUT_TABLES,
    "decision_curve": evaluation("decision_curve", nothing),
    "discretisation": NO_IMAGES,
    "eligibility": option(eligibility=[]),
    "enough_patients": lambda results: modelling(
        sample_size=results.modelling.sample_size
        | {"counts": [results.modelling.sample_size["counts"][0] | {"needed": 10**6}]}
    )(results),
    "external_test": option(split__design="holdout"),
    "extraction_software": NO_IMAGES,
    "feature_classes": without_features,
    "feature_count": without_features,
    "image_types": NO_IMAGES,
    "imbalance": NO_MODELLING,
    "internal_test": option(split__design="by_site"),
    "interpretability": of_models("importance"),
    "metrics": evaluation("metrics", nothing),
    "missing_counts": lambda results: modelling(missingness=results.modelling.missingness.iloc[:0])(
        results
    ),
    "missing_data": lambda results: modelling(missingness=results.modelling.missingness.iloc[:0])(
        results
    ),
    "model_choice": NO_MODEL,
    "no_leakage": option(mode="as_published"),
    "numbers_handled": lambda results: replace(results, regression=None),
    "one_image_set": NO_IMAGES,
    "one_reader_at_test": option(model_reader="mean"),
    "outcome": option(outcome=None),
    "parameter_file": NO_IMAGES,
    "performance": evaluation("metrics", lambda table: table[table["metric"] != "auroc"]),
    "predictors": lambda results: modelling(info=results.modelling.info | {"predictors": []})(
        results
    ),
    "preprocessing": NO_IMAGES,
    "primary": option(primary=None),
    "prospective": option(reporting__design="retrospective"),
    "readers": without_readers,
    "redundancy_filter": option(selection__mrmr__k=None),
    "regression": lambda results: replace(results, regression=None),
    "reliability": lambda results: replace(
        results, reproducibility=results.reproducibility.iloc[:0]
    ),
    "resampling": NO_IMAGES,
    "resampling_validation": modelling(nested={}, optimism={}),
    "sample_size": lambda results: modelling(
        sample_size=results.modelling.sample_size | {"counts": [{"parameters": 3}]}
    )(results),
    "scaling": option(scaling__method="none"),
    "selected_features": lambda results: modelling(
        selection=results.modelling.selection.assign(selected=False)
    )(results),
    "selection": without_features,
    "sensitivity": lambda results: modelling(sensitivity=results.modelling.sensitivity.iloc[:0])(
        results
    ),
    "several_centres": option(reporting__centres=1),
    "split": NO_MODELLING,
    "statistics": lambda results: NO_MODEL(replace(results, groups=None, regression=None)),
    "subgroups": lambda results: modelling(subgroups=results.modelling.subgroups.iloc[:0])(results),
    "testing": NO_MODELLING,
    "threshold": NO_MODEL,
    "tuning": of_models("search"),
    "uncertainty": evaluation("metrics", lambda table: table.assign(low=np.nan, high=np.nan)),
    "voxels_fit": headers(slice_thickness_mm=6.0),
}
"""Name of a fact -> what takes it out of a run, and as little else as can be."""


def holding(whole: Results, fact: str) -> Results:
    """Return a run that holds a fact: those of another site are of another split."""
    if fact in ("external_test", "by_site"):
        return configured(whole, split__design="by_site", split__test_sites=["B"])
    return whole


ITEMS = [
    (key, str(item["item"]), fact)
    for key, checklist in checklists().items()
    for item in checklist.data["items"]
    for fact in item.get("facts", [])
    if not fact.startswith(ASKED) and fact not in ALWAYS
]


def test_every_fact_has_its_removal():
    assert set(REMOVED) | ALWAYS == set(FACTS)
    assert len(ITEMS) > 150


@pytest.mark.parametrize("fact", sorted(ALWAYS))
def test_some_facts_are_of_every_run(whole, fact):
    assert find(NOTHING_BUT_TABLES(whole), fact) is not None


@pytest.mark.parametrize(("key", "number", "fact"), ITEMS, ids=str)
def test_an_answer_flips_with_its_fact(whole, key, number, fact):
    there = holding(whole, fact)
    gone = REMOVED[fact](there)
    known = find(there, fact)
    assert known is not None
    assert known.value
    assert find(gone, fact) is None
    before, after = (_answer(results, key, number) for results in (there, gone))
    assert known.value in before.value
    assert after.state != ANSWERED
    assert "The authors must write" in after.authors
    assert known.value not in after.value


@pytest.mark.parametrize("name", sorted({
    fact
    for checklist in checklists().values()
    for item in checklist.data["items"]
    for fact in item.get("facts", [])
    if fact.startswith(ASKED)
}))  # fmt: skip
def test_what_authors_no_longer_say_is_asked_again(whole, name):
    key = name.removeprefix(ASKED)
    assert find(whole, name) is not None
    assert find(configured(whole, **{f"reporting__{key}": None}), name) is None


def _answer(results: Results, key: str, number: str):
    (found,) = [each for each in answers(results, checklists()[key]) if each.no == number]
    return found
