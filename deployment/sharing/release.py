"""Build what a study shares: from its tables, as counts and figures of groups, nothing else.

What is shared is made here, from an empty start; nothing of the study's report or tables is copied.
So a new section of the report cannot leave by accident.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from deployment.sharing import counts, risks
from deployment.sharing.contract import ContractOptions, contract_of
from deployment.sharing.ledger import Ledger
from deployment.sharing.suppression import FEWEST_VALUES, Range, protect
from models.scoring.performance import Sample
from pipeline.core.errors import ProgramError, StudyError
from pipeline.core.files import json_hash, read_json, read_table
from pipeline.core.fit_status import REASON, is_fitted
from pipeline.core.mode_labels import is_leaking
from pipeline.core.version import VERSION
from pipeline.study.study import open_study
from pipeline.tables.schemas.analysis import Analysis, Split
from pipeline.tables.schemas.prediction.nested import NestedPredictions
from pipeline.tables.schemas.prediction.training import Predictions
from pipeline.tables.split_designs import holds_out

SCHEMA = "vertebromics release 1"

ALL_UNITS = "all units"
"""What a study without a hold-out judges on."""

_PLAIN_NUMBER = re.compile(r"\d{1,5}")
"""Ids that cannot be told from a count."""


@dataclass(frozen=True)
class Release:
    """What is shared, and what the ledger has to remember of it."""

    facts: dict
    tables: list[tuple[counts.Table, set[str]]]
    populations: dict[str, pd.Series]
    predictions: str
    edges: list[float]
    numbers: dict[str, dict]
    ids: frozenset[str]


def build(
    folder: Path,
    ledger: Ledger,
    *,
    site: str,
    fewest: int,
    model: str | None = None,
    leave_out: Sequence[str] = (),
) -> Release:
    """Return what a study shares.

    Parameters
    ----------
    folder : pathlib.Path
        ``results/<study>`` after a run.
    ledger : Ledger
        Its earlier releases.
    site : str
        What readers call the hospital.
    fewest : int
        Patients that every count and every figure stands for at least.
    model : str, optional
        Family; the study's best by default.
    leave_out : sequence of str
        Clinical columns that are not shared.

    Raises
    ------
    StudyError
        If the study cannot be shared, or would tell of fewer patients.
    """
    study = open_study(folder / "study")
    how = study.options(ContractOptions)
    model, info = _model_of(study.name, how.mode, folder, model)
    analysis = read_json(folder / "tables" / "analysis.json")
    table = read_table(folder / "tables" / "analysis.parquet", Analysis).set_index("unit_id")
    split = read_table(folder / "tables" / "split.parquet", Split).set_index("unit_id")
    part = "test" if holds_out(how.split.design) else "nested"
    parts = split["part"] if part == "test" else pd.Series(ALL_UNITS, index=split.index)
    sample, units = _judged(folder, model, part, info)
    populations = {"all": table["patient_id"], "judged": table["patient_id"].loc[units]}
    ledger.check_patients(populations, fewest)
    units_table = counts.parts_table(table.loc[split.index], parts)
    made = [units_table, *counts.column_tables(table, analysis["predictors"], leave_out)]
    flow = folder / "tables" / "flow.json"
    if flow.exists():
        made.append(counts.flow_table(read_json(flow)))
    kept, told = [], {}
    for each in made:
        hidden, ranges = protect(ledger.with_earlier(each), fewest)
        hidden &= each.system.cells.keys()
        kept.append((each, hidden))
        told[each.name] = _shown(each, hidden, ranges)
    predictions = json_hash(sorted(zip(map(str, units), sample.probability.tolist(), strict=True)))
    hidden_units = kept[0][1]
    judged = "test" if part == "test" else ALL_UNITS
    enough = not hidden_units & {f"{judged}|{group}" for group in counts.GROUPS}
    edges = []
    if enough:
        before = ledger.edges(predictions)
        edges = risks.risk_edges(sample, fewest) if before is None else before
    contract = contract_of(how, analysis, model, part, images=study.cases is not None)
    known = {
        one["column"]: ledger.known_values(table, one["column"])
        for one in analysis["predictors"]
        if counts.is_number(one) and one["column"] in told
    }
    steady = {name: each for name, each in known.items() if ledger.is_steady(name, each, fewest)}
    facts = {
        "schema": SCHEMA,
        "made_with": VERSION,
        "site": site,
        "release": len(ledger.releases) + 1,
        "fewest": fewest,
        "fewest_values": FEWEST_VALUES,
        "contract": contract,
        "contract_hash": json_hash(contract),
        "outcome": analysis["outcome"].get("label") or analysis["outcome"]["name"],
        "unit": analysis["unit"],
        "model": info["label"],
        "judged_on": judged,
        "counts": told,
        "numbers": counts.number_rows(table, analysis["predictors"], steady, fewest),
        "signature": list(info["features"]),
        "equation": _equation(info.get("equation")),
        "performance": _performance(sample, edges) if enough else None,
    }
    ids = {str(each) for each in (*table.index, *table["patient_id"])}
    if study.cases is not None:
        for name in ("patient_id", "case_id", "scan_id"):
            ids |= set(study.cases[name].astype(str))
    return Release(facts, kept, populations, predictions, edges, steady, frozenset(ids))


def check_no_id(texts: Iterable[str], ids: Iterable[str]) -> None:
    """Stop where an id of the study stands in what is shared.

    Raises
    ------
    ProgramError
        Without the id: what is shared is made of groups, so that this is a fault of the program.
    """
    words = {each for each in ids if not _PLAIN_NUMBER.fullmatch(each)}
    if not words:
        return
    pattern = re.compile(
        r"(?<![\w-])(?:"
        + "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
        + r")(?!\w)"
    )
    if any(pattern.search(text) for text in texts):
        raise ProgramError(
            "What is shared must hold no id of a patient or a case",
            found="one",
            remedy="rename what has the same name as an id (a column, a level, a reader)",
            code="id-in-shared-results",
        )


def _model_of(study: str, mode: str, folder: Path, model: str | None) -> tuple[str, dict]:
    """Return the family that is shared, and its ``model.json``."""
    if is_leaking(mode):
        raise StudyError(
            "Results of mode: as_published are not shared, since they leak",
            where=f"study {study}",
            remedy="run the study with `mode: rigorous`",
            code="shared-study-leaks",
        )
    winner = folder / "evaluation" / "winner.json"
    if model is None and winner.exists():
        model = read_json(winner)["model"]
    path = folder / "models" / str(model) / "model.json"
    if model is None or not path.exists():
        trained = sorted(each.parent.name for each in (folder / "models").glob("*/model.json"))
        raise StudyError(
            "The model whose results are shared must be one that the study has trained",
            found=model or "no best model",
            where=f"study {study}",
            remedy=f"say --model {trained[0]}" if trained else "run the study first",
            code="shared-model-missing",
        )
    info = read_json(path)
    if not is_fitted(info):
        raise StudyError(
            "A model that dropped out of its study has no results to share",
            found=info[REASON],
            where=f"study {study}, model {model}",
            remedy="share another model by --model",
            code="shared-model-dropped-out",
        )
    return model, info


def _judged(folder: Path, model: str, part: str, info: Mapping) -> tuple[Sample, pd.Index]:
    """Return the rows that judge a model, and their units."""
    if part == "test":
        rows = read_table(folder / "models" / model / "predictions.parquet", Predictions)
        rows = rows[rows["part"] == "test"]
        threshold = float(info["threshold"])
    else:
        path = folder / "nested" / f"{model}_predictions.parquet"
        if not path.exists():
            raise StudyError(
                "A study without a hold-out shares what nested cross-validation judged",
                found=f"none of model {model}",
                remedy="add the model to `nested.models`, and run the study",
                code="shared-nested-missing",
            )
        rows = read_table(path, NestedPredictions)
        rows = rows[rows["repeat"] == 0]
        threshold = float(rows["threshold"].mean())
    threshold = threshold if math.isfinite(threshold) else 0.5
    return Sample.of(rows, threshold), pd.Index(rows["unit_id"])


def _shown(table: counts.Table, hidden: set[str], ranges: Mapping[str, Range]) -> dict:
    """Return a table of counts as JSON; of hidden ones what can be known of them."""
    cells = []
    for name, cell in table.system.cells.items():
        value, _, group = name.rpartition("|") if table.name != "flow" else (name, "", "")
        row = {"value": value, "group": group or None, "count": cell.value}
        if name in hidden:
            low, high = ranges[name]
            row |= {"count": None, "low": low, "high": high if math.isfinite(high) else None}
        cells.append(row)
    return {"title": table.title, "cells": cells}


def _equation(equation: Mapping | None) -> dict | None:
    if equation is None:
        return None
    return {
        "intercept": counts.rounded(equation["intercept"]),
        "terms": [
            {"column": term["column"], "coefficient": counts.rounded(term["coefficient"])}
            for term in equation["terms"]
        ],
    }


def _performance(sample: Sample, edges: Sequence[float]) -> dict:
    groups = risks.risk_groups(sample, edges)
    threshold = risks.grid(round(sample.threshold / risks.STEP))
    return {
        "units": len(sample.outcome),
        "events": int(sample.outcome.sum()),
        "figures": risks.figures(sample),
        "groups": json.loads(groups.to_json(orient="records")),
        "curves": json.loads(risks.curves(groups).to_json(orient="records")),
        "threshold": threshold if threshold in edges else None,
    }


def digest_of(facts: Mapping) -> str:
    """Return the digest of a release."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
