"""Remedies of the section of docs/bad_inputs.md on altered files of frozen models.

The maker of the model hands out its file again; its digest is the one that was printed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pytest

from models import freeze
from models.frozen import container
from models.frozen.container import read_members, write_members
from models.frozen.model import load_frozen
from pipeline.core.errors import ProgramError, StudyError
from tests.docs.test_bad_inputs_doc import ROWS
from tests.models.frozen.test_contradictions import CONTRADICTIONS
from tests.remedies import Remedy, refused
from tests.remedies.frozen_models import good, study
from tests.support import hostile_models as hostile
from tests.support.frozen_study import write_frozen_models
from tests.support.hostile_models import Members, changed_array, packed, with_model

SECTION = "Altered files of frozen models"
AGAIN = "ask whoever made the model for its file again"

#: A family, and what is done to the members of its file (as `tests.support.hostile_models`).
Way = tuple[str, Callable[[Members, np.random.Generator, Path], bytes]]


def without_trees(members: Members, *_: object) -> bytes:
    return packed({name: data for name, data in members.items() if "trees/" not in name})


def other_columns(members: Members, *_: object) -> bytes:
    """Let a regression of the imputation aim at a column that there is not."""
    name = next(name for name in sorted(members) if name.endswith(".target.npy"))
    return changed_array(members, name, lambda values: values + 10_000)


def contradicting(code: str) -> Callable[..., bytes]:
    return lambda members, *_: with_model(members, CONTRADICTIONS[code])


#: By code; a way that does several things is drawn until it does the one that is meant.
WAYS: Mapping[str, Way] = {
    "frozen-members-missing": ("lr", hostile.no_digests),
    "frozen-json-unreadable": ("lr", hostile.bad_json),
    "frozen-json-too-large": ("lr", hostile.bad_json),
    "frozen-truth-value": ("lr", hostile.no_truth),
    "frozen-members-overlap": ("lr", hostile.overlap),
    "frozen-scale-not-positive": ("lr", hostile.no_scale),
    "frozen-member-spare": ("lr", hostile.stranger),
    "frozen-array-missing": ("lr", hostile.lost),
    "frozen-array-shape": ("lr", hostile.other_shape),
    "frozen-predictors-differ": ("lr", hostile.other_names),
    "frozen-predictor-incomplete": ("lr", hostile.other_names),
    "frozen-levels-repeated": ("lr", hostile.other_names),
    "frozen-block-columns": ("lr", hostile.other_names),
    "frozen-forest-order": ("rf", hostile.spoiled_trees),
    "frozen-tree-column": ("rf", hostile.spoiled_trees),
    "frozen-leaf-share": ("rf", hostile.spoiled_trees),
    "frozen-trees-missing": ("xgboost", without_trees),
    "frozen-imputation-columns": ("round robin", other_columns),
    **{code: ("lr", contradicting(code)) for code in CONTRADICTIONS},
}
#: By code: the limit of a file, made smaller than the good one is.
LIMITS = {
    "frozen-file-too-large": ("MOST_BYTES", 1000),
    "frozen-members-too-many": ("MOST_MEMBERS", 5),
}
MOST_DRAWS = 200


@functools.cache
def original(family: str) -> Path:
    """Return the file that was handed out."""
    if family != "round robin":
        return good(family)
    imputed = {"imputation": {"method": "iterative"}}
    return write_frozen_models(Path(mkdtemp()), ("lr",), features=16, **imputed)["lr"]


def altered(code: str, folder: Path) -> Path:
    """Write a file with the fault that a code is about."""
    family, way = WAYS[code]
    members, path = read_members(original(family))[0], folder / "m.vbm"
    for seed in range(MOST_DRAWS):
        path.write_bytes(way(dict(members), np.random.default_rng(seed), folder / "mark"))
        try:
            load_frozen(path)
        except StudyError as error:
            if error.code == code:
                return path
    raise AssertionError(f"no draw of {MOST_DRAWS} breaks the rule {code}")


def told(bad_input: str, path: Path) -> None:
    refused(SECTION, bad_input, lambda: load_frozen(path), AGAIN)


def asked_again(path: Path, family: str) -> None:
    """Put the maker's file in the place of the altered one; its digest was printed."""
    printed = load_frozen(original(family)).digest
    path.write_bytes(original(family).read_bytes())
    assert load_frozen(path).digest == printed


def harmed(bad_input: str, code: str, folder: Path) -> None:
    path = altered(code, folder)
    told(bad_input, path)
    asked_again(path, WAYS[code][0])


def beyond_a_limit(bad_input: str, code: str, folder: Path) -> None:
    path = folder / "m.vbm"
    path.write_bytes(original("lr").read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(container, *LIMITS[code])
        told(bad_input, path)
    asked_again(path, "lr")


def predicts_otherwise(bad_input: str, code: str, folder: Path) -> None:
    """A fit that was edited beside its numbers is made anew by the same command."""
    assert code == "frozen-predicts-otherwise"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(freeze.SAME_AS_FIT, "lr", -1.0)
        refused(
            SECTION, bad_input, lambda: freeze.freeze(study(), "lr"),
            "run the study again; report it if it comes back", ProgramError,
        )  # fmt: skip
    write_members(freeze.freeze(study(), "lr"), folder / "m.vbm")
    assert load_frozen(folder / "m.vbm").digest == load_frozen(original("lr")).digest


def remedy_of(bad_input: str, code: str) -> Remedy:
    drivers = (WAYS, harmed), (LIMITS, beyond_a_limit)
    driver = next((of for codes, of in drivers if code in codes), predicts_otherwise)
    return partial(driver, bad_input, code)


REMEDIES: dict[str, Remedy] = {
    row.bad_input: remedy_of(row.bad_input, row.code) for row in ROWS if row.section == SECTION
}
