"""A file of a frozen model whose parts contradict one another is refused, each by its rule."""

from __future__ import annotations

import json

import numpy as np
import pytest

from models.frozen.container import MODEL, read_members
from models.frozen.model import load_frozen
from models.frozen.procedure import _regressions
from pipeline.core.errors import StudyError
from tests.support.frozen_study import write_frozen_models
from tests.support.hostile_models import packed, with_model
from tests.support.refusals import refusal


@pytest.fixture(scope="module")
def members(tmp_path_factory):
    good = write_frozen_models(tmp_path_factory.mktemp("good"), ("lr", "xgboost"))
    return {family: read_members(path)[0] for family, path in good.items()}


def a_column_twice(facts: dict) -> None:
    """Let a block start from the number that another one starts from."""
    one, other = facts["procedure"]["blocks"][:2]
    number = next(each for each in other["inputs"] if "levels" not in each)
    old, number["column"] = number["column"], one["inputs"][0]["column"]
    other["kept"] = [number["column"] if name == old else name for name in other["kept"]]


def no_column(facts: dict) -> None:
    for block in facts["procedure"]["blocks"]:
        block["kept"] = []


def a_number_filled_by_a_level(facts: dict) -> None:
    inputs = [one for block in facts["procedure"]["blocks"] for one in block["inputs"]]
    next(one for one in inputs if "levels" not in one)["fill"] = "no"


CONTRADICTIONS = {
    "frozen-column-repeated": a_column_twice,
    "frozen-classifier-columns": no_column,
    "frozen-number-filled-by-level": a_number_filled_by_a_level,
}


@pytest.mark.parametrize("code", [*CONTRADICTIONS, "frozen-trees-missing"])
def test_a_file_that_contradicts_itself_is_refused(code, members, tmp_path):
    path = tmp_path / "m.vbm"
    if code in CONTRADICTIONS:
        path.write_bytes(with_model(dict(members["lr"]), CONTRADICTIONS[code]))
    else:
        assert json.loads(members["xgboost"][MODEL])["procedure"]["classifier"]["kind"]
        left = {name: data for name, data in members["xgboost"].items() if "trees/" not in name}
        path.write_bytes(packed(left))
    with refusal(code, StudyError, match="ask whoever made the model"):
        load_frozen(path)


def test_regressions_name_columns_that_exist():
    arrays = {"target": [0, 2], "begin": [0, 1, 2], "source": [1, 0]}

    def get(path, *_):
        return np.array(arrays[path.removeprefix("block0.")], dtype=np.int32)

    with refusal("frozen-imputation-columns", StudyError, match="m.vbm"):
        _regressions(get, "block0", 2, "m.vbm")
