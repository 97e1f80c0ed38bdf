"""Remedies that errors of a call in Python print: the call is corrected."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from demo.feature_names import feature_names
from demo.tables import simulate_tables
from models.freezing import classifier_arrays
from models.learning.procedure import Procedure
from models.modes.mode import candidates_in_mode, learning_rows
from models.scoring.threshold import threshold_of
from models.transformers.columns import Columns
from models.transformers.preparation import ClinicalEncoder
from pipeline.comparison.course import paired
from pipeline.comparison.groups.group_tests import count_test, number_test, summary_test
from pipeline.running.fingerprint import code_fingerprint
from pipeline.study.config import resolve_config
from pipeline.study.options.bad_inputs import rows_of
from tests.docs.test_bad_inputs_doc import sections
from tests.models.learning.test_procedure import FIXED
from tests.models.transformers.test_preparation import PREDICTORS
from tests.pipeline.comparison.course.test_paired import FIRST, ROUNDING, SECOND, VAS
from tests.pipeline.running.test_fingerprint import _write
from tests.pipeline.tables.test_analysis_columns import INFO
from tests.remedies import Given, Remedy, entries, refused
from tests.support.options import typed

SECTION = "Calls in Python"

THREE = [np.array([1.0, 2.0, 4.0]), np.array([2.0, 3.0, 5.0]), np.array([4.0, 6.0, 9.0])]
BEFORE, AFTER = np.array([5.0, 8, 7]), np.array([3.0, 5, 6])
NO_MCID = paired.Scale("VAS", "points", 0, 10)
OUTCOME, RISK = np.arange(20) % 2, np.linspace(0.1, 0.9, 20)
OPTIONS = typed(resolve_config({"study": "s", "features": {"A": "a.csv"}, "model_reader": "A"}))
COLUMNS = Columns.from_info(INFO)
CLEFT = pd.DataFrame({"cleft": ["yes", "no"]})


def fingerprint(folder: Path, module: str) -> str:
    _write(folder, "pipeline/__init__.py", "")
    _write(folder, "pipeline/stage.py", "LIMIT = 3\n")
    return code_fingerprint(module, folder)


def learned_in(_: Path, given: tuple[str, str]) -> object:
    """Return what is learned from, the candidates being of one mode and the options of another."""
    of_candidates, of_options = given
    table, info = simulate_tables(80, 3, features=feature_names()[:60]).analysis()
    table = table.assign(part="train", fold=np.arange(len(table)) % 3)
    columns = candidates_in_mode(Columns.from_info(info), table, of_candidates)
    asked = {"study": "s", "features": {"A": "a.csv"}, "model_reader": "A", "mode": of_options}
    asked["evaluation"] = {"threshold_rule": "fixed"}
    return learning_rows(columns, table, typed(resolve_config(asked)))


#: As `tests.remedies.Given`.
CALLS: dict[str, Given] = {
    "A test of published means that does not exist": (
        lambda _, given: summary_test(*given) if isinstance(given, tuple)
        else number_test(given, "mann-whitney"),
        [([3, 3], [1, 2], [1, 1], "mann-whitney")],
        "ranks cannot be had from means: hand in the values",
        [THREE[:2], ([3, 3], [1, 2], [1, 1], "welch-t")],
    ),
    "A test of two groups on three": (
        lambda _, test: number_test(THREE, test), ["pooled-t", "welch-t"],
        "name `anova` or `kruskal` for more than two groups", ["anova", "kruskal"],
    ),
    "Yates' correction on a larger table than two by two": (
        lambda _, test: count_test(np.ones((3, 2)), test), ["yates"],
        "name `pearson` or `fisher` for this variable", ["pearson", "fisher"],
    ),
    "Friedman's test on two measurements": (
        lambda _, test: paired.paired_test(FIRST, SECOND, test) if test
        else paired.friedman(ROUNDING[:, :2]),
        [None], "compare two by paired-t or wilcoxon", ["paired-t", "wilcoxon"],
    ),
    "The share of improved patients on a scale without `mcid`": (
        lambda _, scale: paired.reached(BEFORE, AFTER, scale), [NO_MCID],
        "write `mcid` for the scale, with its source", [VAS],
    ),
    "Fixed parameters without `search: fixed`, or the reverse": (
        lambda _, given: Procedure("lr", COLUMNS, OPTIONS, *given),
        [("fixed", None), ("reduced", FIXED)],
        "pass --model-json of the trained model, or let every repetition search",
        [("fixed", FIXED), ("reduced", None)],
    ),
    "`mode: as_published` with candidates of the training patients": (
        learned_in, [("rigorous", "as_published"), ("as_published", "rigorous")],
        "take the candidates from candidates_in_mode, or give the other mode",
        [("as_published", "as_published"), ("rigorous", "rigorous")],
    ),
    "A rule of the threshold that does not exist": (
        lambda _, rule: threshold_of(OUTCOME, RISK, rule, 0.5),
        ["best", {"sensitivity": 1.5}, {"f1": 0.5}], "write youden, closest, fixed, or one of",
        ["youden", "closest", "fixed", {"sensitivity": 0.9}, {"specificity": 0.9}],
    ),
    "A level that the dictionary does not list, in a fitted encoder": (
        lambda _, level: ClinicalEncoder(PREDICTORS).fit(CLEFT).transform(
            pd.DataFrame({"cleft": [level, None]})
        ),
        ["maybe"], r"its levels are no \| yes", ["no", "yes"],
    ),
    "A code fingerprint of a module of another project": (
        fingerprint, ["numpy", "pipeline.nowhere"], "name one below pipeline", ["pipeline.stage"],
    ),
    "A row of docs/bad_inputs.yaml with a code that nobody says": (
        lambda _, code: rows_of(sections(code=code)), ["no-such-code"],
        "write the code that stands beside the error's sentence in the source", ["gantry-tilt"],
    ),
    "A row of docs/bad_inputs.yaml whose sentence is not clear": (
        lambda _, given: rows_of(sections(code="mask-empty", **given)), [{}],
        "write `message:` with the start of one: ", [{"message": "A mask must not be empty"}],
    ),
}  # fmt: skip


def taught(_: Path) -> None:
    """What CONTRIBUTING.md asks for is a writer of the family."""

    def write() -> object:
        return classifier_arrays.write_classifier("nb", object())

    with pytest.MonkeyPatch.context() as patch:
        refused(
            SECTION, "A family of models that nobody taught to be frozen", write,
            r"write how it is computed from plain numbers \(CONTRIBUTING.md\)",
        )  # fmt: skip
        written = classifier_arrays.WrittenClassifier({"kind": "constant", "risk": 0.3}, {})
        patch.setitem(classifier_arrays.WRITERS, "nb", lambda _: written)
        assert write() is written


REMEDIES: dict[str, Remedy] = {
    **entries(SECTION, CALLS),
    "A family of models that nobody taught to be frozen": taught,
}
