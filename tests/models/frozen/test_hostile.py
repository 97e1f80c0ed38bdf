"""A stranger's file is refused in a clear sentence, and nothing of it runs."""

import numpy as np
import pytest

from models.frozen import container
from models.frozen.container import read_members, write_members
from models.frozen.model import load_frozen
from pipeline.core.errors import StudyError
from tests.support.frozen_study import write_frozen_models
from tests.support.hostile_models import WAYS
from tests.support.refusals import refusal

FAMILIES = ("lr", "rf", "xgboost")

#: What is said of files that are made to do harm.
SAID = {
    "pickle_alone": "A frozen model is a zip file",
    "bare_pickle": "must be a .npy file",
    "planted_pickle": "one or two dimensions",
    "code_in_a_header": "must be a .npy file",
    "traversal": "A frozen model holds model.json",
    "twice": "must be there once",
    "bomb": "are stored, not compressed",
    "overlap": "must be whole",
    "bytes_between": "must be",
    "bytes_in_front": "A frozen model is a zip file",
    "bytes_behind": "byte for byte",
    "huge_array": "as many values as its header says|.npy file",
    "other_facts": "must keep to its schema",
    "nested_header": "must be a .npy file",
    "not_finite": "must be finite",
    "other_type": "one or two dimensions",
    "no_truth": "A truth value of a frozen model is 0 or 1",
    "no_scale": "A scale of a frozen model must be above 0",
    "no_digests": "must hold model.json and digests.json",
    "wrong_digest": "must have the digest that the file states",
}


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return write_frozen_models(tmp_path_factory.mktemp("good"), FAMILIES)


BY_NAME = {way.__name__: way for way in WAYS}


@pytest.mark.parametrize(
    ("way", "family"),
    [(way, "lr") for way in BY_NAME]
    + [(way, family) for way in ("spoiled_trees", "other_shape") for family in ("rf", "xgboost")],
)
def test_a_hostile_file_is_refused(way, family, good, tmp_path):
    members, _ = read_members(good[family])
    for seed in range(40 if way == "spoiled_trees" else 12):
        path, mark = tmp_path / "m.vbm", tmp_path / "planted"
        path.write_bytes(BY_NAME[way](dict(members), np.random.default_rng(seed), mark))
        with pytest.raises(StudyError, match=SAID.get(way, "frozen|tree|leaf")) as told:
            load_frozen(path)
        assert told.value.found
        assert told.value.where.startswith("m.vbm")
        assert "ask whoever made the model" in told.value.remedy
        assert not mark.exists()
        assert [each.name for each in tmp_path.iterdir()] == ["m.vbm"]


def test_a_changed_byte_anywhere_is_noticed(good, tmp_path):
    content, path = good["lr"].read_bytes(), tmp_path / "m.vbm"
    places = np.random.default_rng(1).integers(0, len(content), 250)
    for at in (*places, 0, 1, len(content) - 1, *range(len(content) - 30, len(content), 3)):
        changed = bytearray(content)
        changed[at] ^= 0x10
        path.write_bytes(changed)
        with pytest.raises(StudyError):
            load_frozen(path)
    for end in (0, 10, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:end])
        with pytest.raises(StudyError):
            load_frozen(path)


def test_limits_hold_before_anything_is_read(good, tmp_path, monkeypatch):
    members, _ = read_members(good["lr"])
    monkeypatch.setattr(container, "MOST_MEMBERS", 5)
    with refusal("frozen-members-too-many", StudyError, match="has at most 5 members"):
        load_frozen(good["lr"])
    monkeypatch.setattr(container, "MOST_MEMBERS", 50)
    monkeypatch.setattr(container, "MOST_JSON_BYTES", 100)
    with refusal("frozen-json-too-large", StudyError):
        load_frozen(good["lr"])
    monkeypatch.setattr(container, "MOST_BYTES", 1000)
    with refusal(
        "frozen-file-too-large", StudyError, match=r"has at most 0 MB.*Remedy: ask whoever made"
    ):
        load_frozen(good["lr"])
    with refusal("frozen-file-too-large", StudyError, match=r"has at most 0 MB.*--refits"):
        write_members(members, tmp_path / "m.vbm")
    assert not (tmp_path / "m.vbm").exists()
    with refusal("file-missing", StudyError, match="The frozen model must exist"):
        load_frozen(tmp_path / "m.vbm")


def test_an_endless_walk_through_a_tree_is_impossible():
    """Children lie behind their parent, and each node but the first has one."""
    from models.frozen.boosted_trees import is_tree

    good = np.array([1, -1, 3, -1, -1]), np.array([2, -1, 4, -1, -1])
    assert is_tree(*good)
    for left, right in (
        ([0, -1, -1], [1, -1, -1]),
        ([1, 0, -1], [2, 0, -1]),
        ([1, -1, -1], [1, -1, -1]),
        ([1, -1, -1], [-1, -1, -1]),
        ([1, -1, -1, -1], [2, -1, -1, -1]),
        ([1, -1, -1], [3, -1, -1]),
        ([], []),
    ):
        assert not is_tree(np.array(left, int), np.array(right, int))
