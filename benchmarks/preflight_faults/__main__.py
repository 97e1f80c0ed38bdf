"""Plant every fault in clean vertebrae, judge them by the stages, and count what is found.

``python -m benchmarks.preflight_faults --data TESTDATA`` prints the tables of docs/preflight.md;
without public data only the synthetic spines are judged.
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pandas as pd

from benchmarks.preflight_faults.faults import FAULTS, Trial, fits
from benchmarks.preflight_faults.scenes import Scene, real, synthetic
from pipeline.core.config import resolve_config
from pipeline.core.findings import from_json
from pipeline.core.store import Store
from pipeline.core.study import Study
from pipeline.ingest import ingest_scans, scans_of
from pipeline.preflight import compare, gather, judge
from segmentation.masks import prepare_masks

SYNTHETIC = 24
KINDS = {
    "synthetic": "synthetic bodies",
    "body": "real bodies",
    "vertebra": "real whole vertebrae",
}


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
    study = Study(config, cases, clinical, None)
    judged = judge(ingested, masks, cases, compare(masks, cases, study))
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


def clean_table(scenes: Sequence[Scene]) -> str:
    """Return the table of false alarms as Markdown."""
    verdicts: dict[str, Counter] = defaultdict(Counter)
    said: dict[str, Counter] = defaultdict(Counter)
    for kind, verdict, codes in judge_clean(scenes):
        verdicts[kind][verdict] += 1
        said[kind].update(codes.keys())
    lines = [
        "| clean masks | n | errors | warnings | findings |",
        "|---|---|---|---|---|",
    ]
    for kind, counts in verdicts.items():
        listed = ", ".join(f"`{code}` {count}" for code, count in said[kind].most_common())
        lines.append(
            f"| {KINDS[kind]} | {counts.total()} | {counts['error']} | {counts['warning']} "
            f"| {listed or 'none'} |"
        )
    return "\n".join(lines)


def fault_table(scenes: Sequence[Scene]) -> str:
    """Return the table of planted faults as Markdown."""
    counts: dict[str, dict[str, Counter]] = defaultdict(lambda: defaultdict(Counter))
    severities: dict[str, Counter] = defaultdict(Counter)
    for name, kind, codes, named in plant(scenes, FAULTS):
        counts[name][kind].update(n=1, found=bool(codes), named=named)
        worst = "error" if "error" in codes.values() else "warning"
        if codes:
            severities[name][worst] += 1
    kinds = [kind for kind in KINDS if any(kind in by_kind for by_kind in counts.values())]
    lines = [
        "| planted fault | " + " | ".join(KINDS[kind] for kind in kinds) + " | verdict |",
        "|---|" + "---|" * (len(kinds) + 1),
    ]
    for name in FAULTS:
        by_kind = counts[name]
        cells = []
        for kind in kinds:
            one = by_kind[kind]
            cell = f"{one['named']}/{one['n']}"
            if one["found"] != one["named"]:
                cell += f" ({one['found']})"
            cells.append(cell if one["n"] else "")
        verdict = ", ".join(f"{word} {count}" for word, count in severities[name].most_common())
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {verdict or 'ok'} |")
    return "\n".join(lines)


def main() -> None:
    """Print both tables."""
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.preflight_faults")
    arguments.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("VERTEBROMICS_TESTDATA"),
        help="folder of the public test data (default: $VERTEBROMICS_TESTDATA)",
    )
    arguments.add_argument("--synthetic", type=int, default=SYNTHETIC, help="synthetic spines")
    options = arguments.parse_args()
    logging.disable()  # every planted fault would be logged
    scenes = [*synthetic(options.synthetic), *(real(Path(options.data)) if options.data else ())]
    print(clean_table(scenes), fault_table(scenes), sep="\n\n")


if __name__ == "__main__":
    main()
