"""Checklists of reporting, each item answered from the run or named as the authors' task.

The items are data files of ``pipeline/reporting/checklists``: number, our own short paraphrase,
source and licence. What could not be read is left out and named there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import yaml

from pipeline.reporting.paper.fact import ASKED, Fact, asked
from pipeline.reporting.paper.model_facts import MODEL_FACTS
from pipeline.reporting.paper.study_facts import STUDY_FACTS, conditions
from pipeline.reporting.results import Results

FOLDER = Path(__file__).parents[1] / "checklists"

FACTS = STUDY_FACTS | MODEL_FACTS

#: Facts that the run finds only if the authors said something.
_ASKED_TOO = {
    "several_centres": "centres",
    "automatic_segmentation": "segmentation",
    "prospective": "design",
}

#: Facts that only a run from images can hold: of ready tables the authors know them.
_OF_IMAGES = frozenset(
    (
        *("acquisition", "one_image_set", "voxels_fit", "preprocessing", "resampling"),
        *("discretisation", "image_types", "parameter_file", "extraction_software"),
    )
)

ANSWERED, PARTLY, AUTHORS, ABSENT = "answered", "partly", "authors", "not done"
"""What became of an item: all its facts are in the run; some are; the authors have to write it; the
run shows that it was not done."""

STATES = (ANSWERED, PARTLY, AUTHORS, ABSENT)


class Answer(NamedTuple):
    """One item with its answer.

    Attributes
    ----------
    no, section, text : str
        Number, section and paraphrase of the item.
    state : str
        One of `STATES`.
    value, file, place : str
        What the run says, in which file of the study's folder, in which section of report or draft.
    authors : str
        What the authors have to write, empty where nothing is left.
    """

    no: str
    section: str
    text: str
    state: str
    value: str
    file: str
    place: str
    authors: str


@dataclass(frozen=True)
class Checklist:
    """A checklist as its data file holds it."""

    key: str
    data: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its short name and version."""
        return f"{self.data['name']} {self.data['version']}"


@cache
def checklists() -> dict[str, Checklist]:
    """Return every checklist by its file's name."""
    return {
        path.stem: Checklist(path.stem, yaml.safe_load(path.read_text(encoding="utf-8")))
        for path in sorted(FOLDER.glob("*.yaml"))
        if path.stem != "left_out"
    }


@cache
def left_out() -> dict[str, str]:
    """Return what has no file here, and why."""
    return yaml.safe_load((FOLDER / "left_out.yaml").read_text(encoding="utf-8"))


def checklists_of(results: Results) -> list[Checklist]:
    """Return the checklists that concern a study: those of radiomics and of models, or STROBE."""
    known = checklists()
    names = []
    if results.has_features:
        names += ["clear", "metrics", "rqs2"]
    if results.modelling is not None:
        names += ["tripod_ai", "claim_2024"]
    elif results.regression is not None:
        names += ["tripod_ai"]
    if results.groups is not None or results.regression is not None:
        names.append("strobe")
    return [known[name] for name in names if name in known]


def find(results: Results, name: str) -> Fact | None:
    """Return a fact of a run, None where the run does not hold it.

    Raises
    ------
    KeyError
        If there is no such fact: a checklist asks for something that does not exist.
    """
    return asked(results, name) if name.startswith(ASKED) else FACTS[name](results)


def answers(results: Results, checklist: Checklist) -> list[Answer]:
    """Answer every item of a checklist from a run."""
    return [_answer(results, item) for item in checklist.data["items"]]


def _answer(results: Results, item: Mapping[str, Any]) -> Answer:
    names = item.get("facts", [])
    found = {name: find(results, name) for name in names}
    known = [fact for fact in found.values() if fact is not None]
    missing = [name for name, fact in found.items() if fact is None]
    if names and not missing:
        state = ANSWERED
    elif known:
        state = PARTLY
    elif names and not any(_asks(results, name) for name in names):
        state = ABSENT
    else:
        state = AUTHORS
    return Answer(
        str(item["item"]),
        item["section"],
        item["text"],
        state,
        "; ".join(fact.value for fact in known),
        "; ".join(dict.fromkeys(fact.file for fact in known)),
        "; ".join(dict.fromkeys(fact.section for fact in known)),
        "" if state == ANSWERED else f"The authors must write: {item['authors']}.",
    )


def _asks(results: Results, name: str) -> bool:
    """Return whether a missing fact is one that the authors may still supply."""
    if results.modelling is None:  # the run made no model, which shows nothing of one
        return True
    if name == "eligibility":  # patients may have been chosen before the tables were made
        return True
    if name in _OF_IMAGES and results.imaging is None:
        return True
    option = _ASKED_TOO.get(name)
    if option is not None:
        return results["reporting"].get(option) is None
    return name.startswith(ASKED)


class Score(NamedTuple):
    """A METRICS score as a range, in per cent, and the items that leave it open."""

    low: float
    high: float
    open: list[str]


def metrics_score(results: Results, checklist: Checklist) -> Score:
    """Return the METRICS score of a run: the lowest and the highest that open items allow.

    An item counts as met where all its facts are in the run. Where one of them is the authors' own
    word, its quality is the reader's judgement, and the item stays open; where none is and a fact
    is missing, it counts as not met.

    Parameters
    ----------
    results : Results
        The finished run.
    checklist : Checklist
        METRICS, with weights and conditions.
    """
    told = conditions(results)
    rules = {rule["item"]: told[rule["fact"]] for rule in checklist.data["conditions"]}
    unknown = [no for no, holds in rules.items() if holds is None]
    met = {item["item"]: _met(results, item) for item in checklist.data["items"]}
    scores: list[float] = []
    counted: set[str] = set()
    for chosen in product((True, False), repeat=len(unknown)):
        holds = rules | dict(zip(unknown, chosen, strict=True))
        active = [
            item
            for item in checklist.data["items"]
            if all(holds[condition] for condition in item.get("if", []))
        ]
        counted |= {item["item"] for item in active}
        whole = sum(item["weight"] for item in active)
        if whole:
            sure = sum(item["weight"] for item in active if met[item["item"]])
            possible = sum(item["weight"] for item in active if met[item["item"]] is not False)
            scores += [100 * sure / whole, 100 * possible / whole]
    left = [no for no, state in met.items() if state is None and no in counted]
    return Score(min(scores), max(scores), left)


def _met(results: Results, item: Mapping[str, Any]) -> bool | None:
    names = item.get("facts", [])
    if not names:
        return None
    missing = [name for name in names if find(results, name) is None]
    if any(not _asks(results, name) for name in missing):
        return False
    if missing or any(name.startswith(ASKED) for name in names):
        return None
    return True


def summary_table(results: Results) -> pd.DataFrame:
    """Return how many items of each checklist the run answers."""
    rows = []
    for checklist in checklists_of(results):
        given = pd.Series([answer.state for answer in answers(results, checklist)])
        rows.append(
            {"Checklist": checklist.name, "Items": len(given)}
            | {state: int((given == state).sum()) for state in STATES}
        )
    return pd.DataFrame(rows)
