"""Remedies of the section of docs/bad_inputs.md of this name."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import yaml

from models import freeze
from models.frozen import card
from models.frozen.container import read_members, write_members
from models.frozen.model import FrozenModel, load_frozen
from pipeline.core.errors import VertebromicsError
from pipeline.core.files import read_json, read_table, write_json, write_table
from tests.remedies import Remedy, refused
from tests.support.frozen_study import write_frozen_study
from tests.support.hostile_models import WAYS

SECTION = "Frozen models"
FAMILIES = ("lr", "rf", "xgboost")


@functools.cache
def study() -> Path:
    """Return a study with trained models, made once."""
    return write_frozen_study(Path(mkdtemp()) / "study", FAMILIES, features=20)


@functools.cache
def good(family: str) -> Path:
    """Return a good file."""
    path = study().with_name(f"{family}.vbm")
    write_members(freeze.freeze(study(), family), path)
    return path


def command(folder: Path, *more: str, model: str = "lr", out: str = "m.vbm") -> Callable[[], None]:
    """Return the command, ready to be called."""
    from tests.support.commands import run_here

    def call() -> None:
        given = (folder, "--model", model, "--out", folder.parent / out, *more)
        done = run_here("models.freeze", *given)
        if done.returncode:
            raise VertebromicsError(done.stderr.split(" ERROR ", 1)[1].strip())

    return call


def copied(folder: Path, **options: object) -> Path:
    """Return a copy of the study with other options."""
    shutil.copytree(study(), folder / "study")
    path = folder / "study" / "study" / "study.yaml"
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump(config | options), encoding="utf-8")
    return folder / "study"


def told(bad_input: str, call: Callable[[], None], remedy: str) -> None:
    refused(SECTION, bad_input, call, remedy)


def no_study(folder: Path) -> None:
    other = copied(folder)
    (folder / "empty").mkdir()
    name = "Freeze: a folder that is no study's results"
    told(name, command(folder / "empty"), "name results/<study>")
    command(other)()


def ending(folder: Path) -> None:
    other = copied(folder)
    name = "Freeze: a file that does not end in .vbm"
    told(name, command(other, out="lr.pkl"), r"write --out lr\.vbm")
    command(other, out="lr.vbm")()


def options_of(bad_input: str, wrong: dict, remedy: str, right: dict) -> Remedy:
    def run_it(folder: Path) -> None:
        told(bad_input, command(copied(folder / "wrong", **wrong)), remedy)
        command(copied(folder / "right", **right))()

    return run_it


def untrained(folder: Path) -> None:
    other = copied(folder)
    shutil.rmtree(other / "models" / "rf")
    name = "Freeze: a model that the study has not trained"
    told(name, command(other, model="rf"), "its models are lr, xgboost")
    command(other, model="lr")()


def dropped(folder: Path) -> None:
    other = copied(folder)
    path = other / "models" / "rf" / "model.json"
    write_json(read_json(path) | {"status": "not_fitted", "reason": "too few"}, path)
    name = "Freeze: a model that dropped out"
    told(name, command(other, model="rf"), "freeze another model")
    command(other, model="lr")()


def patients(folder: Path) -> None:
    knn = {"imputation": {"method": "knn"}}
    other = write_frozen_study(folder / "study", ("lr",), features=16, **knn)
    name = "Freeze: a radial kernel, or imputation by knn"
    told(name, command(other), "imputation by the median.*--with-training-rows")
    command(other, "--with-training-rows")()
    command(study())()


def another_fit(folder: Path) -> None:
    other = copied(folder)
    path = other / "models" / "lr" / "predictions.parquet"
    stored = read_table(path)
    write_table(stored.assign(probability=stored["probability"] * 0.9), path)
    name = "Freeze: other versions than the study ran with, so that the fit differs"
    told(name, command(other), "or run the study again")
    write_table(stored, path)
    command(other)()


def no_folder(folder: Path) -> None:
    import argparse

    def call(out: Path | None) -> Callable[[], None]:
        model = shutil.copy(good("lr"), folder / "m.vbm")
        return lambda: card.main(argparse.Namespace(model=Path(model), out=out))

    name = "A card asked for in a folder that is not there"
    told(name, call(folder / "none"), "make it, or leave --out away")
    call(None)()
    (folder / "none").mkdir()
    call(folder / "none")()


#: By bad input: a way of `WAYS`, the family, and a seed with which the way does this.
HARM = {
    "A frozen model that is another kind of file, such as a pickle": ("pickle_alone", "lr"),
    "A frozen model with bytes between or behind its members": ("bytes_behind", "lr"),
    "A frozen model whose members were exchanged": ("wrong_digest", "lr"),
    "A frozen model with a path in a member's name": ("traversal", "lr"),
    "A frozen model with a member twice": ("twice", "lr"),
    "A frozen model that unpacks to much more than its file": ("bomb", "lr"),
    "A frozen model with code or a pickle in place of an array": ("code_in_a_header", "lr"),
    "A frozen model with an array of Python objects": ("planted_pickle", "lr"),
    "A frozen model whose array claims to be huge": ("huge_array", "lr"),
    "A frozen model with NaN among its numbers": ("not_finite", "lr"),
    "A frozen model whose description breaks its schema": ("other_facts", "lr"),
    "A frozen forest with a tree that goes in a circle": ("spoiled_trees", "rf"),
    "Frozen trees of XGBoost that are none": ("spoiled_trees", "xgboost"),
}
SEEDS = {
    "A frozen model whose array claims to be huge": 2,
    "A frozen forest with a tree that goes in a circle": 2,
}


def harm(bad_input: str) -> Remedy:
    name, family = HARM[bad_input]

    def run_it(folder: Path) -> None:
        path = folder / "m.vbm"
        members, _ = read_members(good(family))
        way = next(each for each in WAYS if each.__name__ == name)
        random = np.random.default_rng(SEEDS.get(bad_input, 0))
        path.write_bytes(way(dict(members), random, folder / "mark"))
        told(bad_input, lambda: load_frozen(path), "ask whoever made the model for its file again")
        shutil.copy(good(family), path)
        assert load_frozen(path).digest

    return run_it


def changed_byte(folder: Path) -> None:
    path = folder / "m.vbm"
    content = bytearray(good("lr").read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    name = "A frozen model cut short, or with a changed byte"
    told(name, lambda: load_frozen(path), "ask whoever made the model for its file again")
    shutil.copy(good("lr"), path)
    assert load_frozen(path).digest


#: By bad input: what is wrong with a table, words of the remedy, and the table as it asks.
VALUES = {
    "Predict: a table without a column of the model": (
        lambda t: t.drop(columns="age"), "leave its cell blank", lambda t: t.assign(age=np.nan),
    ),
    "Predict: a level that the model does not know": (
        lambda t: t.assign(sex="woman"), r"its levels are F \| M",
        lambda t: t.assign(sex="F"),
    ),
    "Predict: words where the model wants a number": (
        lambda t: t.assign(age="71,5"), "with a decimal point", lambda t: t.assign(age="71.5"),
    ),
    "Predict: an infinite number": (
        lambda t: t.assign(age=np.inf), "leave the cell blank", lambda t: t.assign(age=np.nan),
    ),
}  # fmt: skip


def values(bad_input: str) -> Remedy:
    wrong, remedy, right = VALUES[bad_input]

    def run_it(_: Path) -> None:
        model: FrozenModel = load_frozen(good("lr"))
        table = model.inputs(read_table(study() / "tables" / "analysis.parquet"))
        told(bad_input, lambda: model.risk(wrong(table)), remedy)
        assert np.isfinite(model.risk(right(table))).all()

    return run_it


PREDICTS = "Freeze: a study without models of an outcome"
LEAKS = "Freeze: a study in the published order, which leaks"
REMEDIES: dict[str, Remedy] = {
    "Freeze: a folder that is no study's results": no_study,
    "Freeze: a file that does not end in .vbm": ending,
    PREDICTS: options_of(
        PREDICTS, {"analyses": ["outcomes"]}, "add prediction to `analyses`",
        {"analyses": ["outcomes", "prediction"]},
    ),
    LEAKS: options_of(
        LEAKS, {"mode": "as_published"}, "run the study with `mode: rigorous`",
        {"mode": "rigorous"},
    ),
    "Freeze: a model that the study has not trained": untrained,
    "Freeze: a model that dropped out": dropped,
    "Freeze: a radial kernel, or imputation by knn": patients,
    "Freeze: other versions than the study ran with, so that the fit differs": another_fit,
    "A card asked for in a folder that is not there": no_folder,
    "A frozen model cut short, or with a changed byte": changed_byte,
    **{bad_input: harm(bad_input) for bad_input in HARM},
    **{bad_input: values(bad_input) for bad_input in VALUES},
}  # fmt: skip
