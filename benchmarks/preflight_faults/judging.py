"""Judge scenes by the stages, as a study does, and tell what was found in the faulty masks."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pandas as pd

from benchmarks.preflight_faults.faults import FAULTS, Trial, fits
from benchmarks.preflight_faults.scenes import Scene
from pipeline.core.findings import from_json
from pipeline.core.keeping.store import Store
from pipeline.core.sections import part_of
from pipeline.ingest import ingest_scans, scans_of
from pipeline.preflight import CompareOptions, compare, gather, judge
from pipeline.study.config import resolve_config
from segmentation.masks import prepare_masks


def verdicts_of(trial: Trial, folder: Path) -> pd.DataFrame:
    """Run ingest, masks and preflight over a trial and return the study's preflight table.

    Trials of one scene share a folder and its store, which spares what no fault has touched.
    """
    rows = []
    for number, scene in enumerate(trial.scenes):
        written = scene.write(folder)
        if number == 0:
            trial.edit(written)
        rows += written
    cases = pd.DataFrame(rows)
    clinical = None
    config = resolve_config({"study": "faults", "cases": "cases.csv"})
    config["checks"]["region"] = "vertebra" if trial.scenes[0].kind == "vertebra" else "body"
    if trial.clinical:
        config["preflight"]["treated_level"] = "treated"
        clinical = pd.DataFrame(
            {"patient_id": list(trial.clinical), "treated": list(trial.clinical.values())}
        )
    store = Store(folder / "store")
    ingested = ingest_scans(scans_of(cases), store, config["checks"])
    masks = prepare_masks(cases, ingested, store, config["checks"])
    beside = compare(masks, cases, clinical, part_of(CompareOptions, config))
    judged = judge(ingested, masks, cases, beside)
    return gather([judged], ingested, masks)


def found_in(trial: Trial, verdicts: pd.DataFrame) -> list[dict[str, str]]:
    """Return code and severity of the findings of each faulty mask."""
    scene = trial.scenes[0]
    case = scene.case(scene.levels[0])
    rows = verdicts[(verdicts["case_id"] == case) & verdicts["reader"].isin(trial.readers)]
    return [
        {one.code: one.severity for one in from_json(text) if one.severity != "info"}
        for text in rows["findings"]
    ]


def plant(scenes: Sequence[Scene], faults: Iterable[str]) -> Iterator[tuple[str, str, dict, bool]]:
    """Yield fault, kind of scene, findings and whether they name the fault, mask by mask."""
    for number, scene in enumerate(scenes):
        with tempfile.TemporaryDirectory() as folder:
            for name in faults:
                make, needs = FAULTS[name]
                if not fits(scene, needs):
                    continue
                trial = make(scene, number)
                for codes in found_in(trial, verdicts_of(trial, Path(folder))):
                    yield name, scene.kind, codes, bool(trial.expected & set(codes))


def judge_clean(scenes: Sequence[Scene]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield kind of scene, verdict and findings of every clean mask."""
    for scene in scenes:
        trial = Trial([scene], set())
        with tempfile.TemporaryDirectory() as folder:
            verdicts = verdicts_of(trial, Path(folder))
        for row in verdicts.to_dict("records"):
            codes = {one.code: one.severity for one in from_json(row["findings"])}
            yield scene.kind, row["verdict"], codes
