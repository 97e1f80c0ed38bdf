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

#: Codes of what is said of files that are made to do harm, drawn differently each time.
CODES = {
    "pickle_alone": {"frozen-file-not-zip"},
    "bare_pickle": {"frozen-array-unreadable"},
    "planted_pickle": {"frozen-array-type"},
    "code_in_a_header": {"frozen-array-unreadable"},
    "traversal": {"frozen-member-name"},
    "twice": {"frozen-member-repeated"},
    "bomb": {"frozen-member-compressed"},
    "claimed_size": {"frozen-members-overlap"},
    "overlap": {"frozen-members-overlap"},
    "bytes_between": {"frozen-file-damaged"},
    "bytes_in_front": {"frozen-file-not-zip"},
    "bytes_behind": {"frozen-file-changed"},
    "huge_array": {"frozen-array-size", "frozen-array-unreadable"},
    "nested_header": {"frozen-array-unreadable"},
    "not_finite": {"frozen-number-not-finite"},
    "other_type": {"frozen-array-type"},
    "other_shape": {"frozen-array-shape", "frozen-array-missing", "frozen-array-type"},
    "no_truth": {"frozen-truth-value"},
    "no_scale": {"frozen-scale-not-positive"},
    "stranger": {"frozen-member-spare"},
    "lost": {"frozen-members-missing", "frozen-array-missing"},
    "no_digests": {"frozen-members-missing"},
    "wrong_digest": {"frozen-digest-differs"},
    "bad_json": {"frozen-json-too-large", "frozen-json-unreadable", "frozen-schema-broken"},
    "other_facts": {"frozen-schema-broken"},
    "other_names": {
        *("frozen-block-columns", "frozen-levels-repeated", "frozen-predictor-incomplete"),
        *("frozen-predictors-differ", "frozen-schema-broken"),
    },
    "spoiled_trees": {
        *("frozen-forest-order", "frozen-leaf-share", "frozen-number-not-finite"),
        *("frozen-tree-broken", "frozen-tree-column", "frozen-trees-unknown"),
    },
    "library_format": {"frozen-json-unreadable", "frozen-trees-unknown"},
}


#: Codes of what is said of a file with one wrong bit anywhere.
OF_A_BIT = {
    *("frozen-file-changed", "frozen-file-damaged", "frozen-file-not-zip"),
    *("frozen-member-compressed", "frozen-member-name"),
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
        with pytest.raises(StudyError) as told:
            load_frozen(path)
        assert told.value.code in CODES[way]
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
        with pytest.raises(StudyError) as told:
            load_frozen(path)
        assert told.value.code in OF_A_BIT
    for end in (0, 10, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:end])
        with refusal("frozen-file-damaged" if end else "frozen-file-not-zip", StudyError):
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
