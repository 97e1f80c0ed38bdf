"""Remedies of the section of docs/bad_inputs.md of this name."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pandas as pd
import pytest
import yaml

from deployment.predict import option_of
from models import freeze
from models.freezing import refits
from models.frozen import card
from models.frozen.container import read_members, write_members
from models.frozen.model import FrozenModel, load_frozen
from pipeline.core.errors import FitError, VertebromicsError
from pipeline.core.files import read_json, read_table, write_json, write_table
from tests.deployment.test_predict import given_of
from tests.deployment.test_predict_images import with_imaging
from tests.deployment.test_studies import clinical_of, new_study
from tests.end_to_end.test_imaging_commands import write_hospital
from tests.models.test_freeze_images import facts_of, study_with_images
from tests.remedies import Remedy, refused
from tests.support.commands import run_here
from tests.support.frozen_study import write_frozen_models, write_frozen_study
from tests.support.hostile_models import WAYS, with_model

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


def typed(bad_input: str, wrong: dict, remedy: str, right: dict) -> Remedy:
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


def no_resamples(folder: Path) -> None:
    def refused_run(*_: object, **__: object) -> None:
        raise FitError("A fold must hold both outcomes")

    name = "Freeze: resamples on which the procedure cannot run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(refits.Procedure, "run", refused_run)
        told(name, lambda: freeze.freeze(study(), "lr", refits=2), "freeze without refits")
        assert freeze.freeze(study(), "lr")


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


@functools.cache
def of_images() -> tuple[Path, Path, dict]:
    """Return a hospital's folder, a model of a study with images, and clinical values for it."""
    hospital, made = Path(mkdtemp()), Path(mkdtemp())
    write_hospital(hospital)
    file = with_imaging(write_frozen_models(made, ("lr",), features=20)["lr"])
    model = load_frozen(file)
    table = read_table(made / "study" / "tables" / "analysis.parquet")
    row = model.inputs(table).iloc[0].to_dict()
    clinical = {one.name: row[one.name] for one in model.predictors if one.block == "clinical"}
    return hospital, file, clinical


def predicted(file: Path, folder: Path, *given: object) -> Callable[[], None]:
    """Return the command that predicts, ready to be called."""

    def call() -> None:
        done = run_here("deployment.predict", file, *given, "--out", folder / "out")
        if done.returncode:
            raise VertebromicsError(done.stderr.split(" ERROR ", 1)[1].strip())

    return call


def neither(folder: Path) -> None:
    _, file, values = clinical_model()
    name = "Predict: neither a table nor values, or both"
    told(name, predicted(file, folder), "name a table of patients, or values such as --")
    predicted(file, folder, *given_of(values))()


def lacking_value(folder: Path) -> None:
    _, file, values = clinical_model()
    needed = next(one.name for one in load_frozen(file).predictors if one.required)
    name = "Predict: a patient without a value that no training patient lacked"
    without = {key: value for key, value in values.items() if key != needed}
    told(name, predicted(file, folder, *given_of(without)), f"give {option_of(needed)} VALUE")
    predicted(file, folder, *given_of(values))()


def no_form(folder: Path) -> None:
    name = "Predict: a form of trees, a network or a model that needs a CT"
    told(name, predicted(good("rf"), folder, "--form"), "compute the risk from values, a table")
    table = read_table(study() / "tables" / "analysis.parquet").head(3)
    rows = load_frozen(good("rf")).inputs(table).set_axis(["N1", "N2", "N3"], axis=0)
    rows.rename_axis("case_id").to_csv(folder / "new.csv")
    predicted(good("rf"), folder, folder / "new.csv")()


@functools.cache
def model_of_images() -> tuple[Path, Path, dict]:
    """Return a hospital's folder, a model of its features, and a patient's clinical values."""
    made = Path(mkdtemp())
    write_hospital(made / "hospital")
    file = with_imaging(write_frozen_models(made, ("lr",), features=20)["lr"])
    return made / "hospital", file, clinical_of(file)


def a_new_study(folder: Path, *readers: str, **options: object) -> Path:
    hospital, _, clinical = model_of_images()
    return new_study(folder, hospital, clinical, *readers, **options)


def study_predicted(results: Path, folder: Path, *given: object) -> Callable[[], None]:
    return predicted(model_of_images()[1], folder, "--study", results, *given)


def not_run_to_features(folder: Path) -> None:
    results = a_new_study(folder / "study")
    features = results / "tables" / "features.parquet"
    features.rename(folder / "kept")
    name = "Predict: a study of new patients that was not run to its features"
    told(name, study_predicted(results, folder), "features preflight")
    (folder / "kept").rename(features)  # what the run makes
    study_predicted(results, folder)()


def several_readers(folder: Path) -> None:
    results = a_new_study(folder / "study", "AB")
    name = "Predict: a study of new patients with several readers, none named"
    told(name, study_predicted(results, folder), "say --reader with one of A, B")
    study_predicted(results, folder, "--reader", "B")()


def read_otherwise(folder: Path) -> None:
    other = a_new_study(folder / "other", checks={"max_slice_spacing_mm": 3.0})
    name = (
        "Predict: a study of new patients that reads, checks or extracts otherwise than the model"
    )
    told(name, study_predicted(other, folder), "as the model's card has them")
    study_predicted(a_new_study(folder / "study"), folder)()


def without_images(folder: Path) -> None:
    _, file, values = clinical_model()
    results = a_new_study(folder / "study")
    name = "Predict: a study of new patients without images, or for a model without images"
    told(name, predicted(file, folder, "--study", results), "predict a table of values")
    pd.DataFrame([{"case_id": "N1", **values}]).to_csv(folder / "new.csv", index=False)
    predicted(file, folder, folder / "new.csv")()


@functools.cache
def clinical_model() -> tuple[None, Path, dict]:
    made = Path(mkdtemp())
    file = write_frozen_models(made, ("lr",), clinical_only=True)["lr"]
    table = read_table(made / "study" / "tables" / "analysis.parquet")
    return None, file, load_frozen(file).inputs(table).iloc[0].to_dict()


#: By bad input: options that are wrong, words of the remedy, and the options as it asks.
SCANS = {
    "Predict: clinical values alone, of a model of radiomic features": (
        (), "give --image, --mask and --level", ("image", "mask", "level", "label"),
    ),
    "Predict: an image without its mask": (
        ("image", "level"), "give --image, --mask and --level",
        ("image", "mask", "level", "label"),
    ),
    "Predict: a level that is none": (
        ("image", "mask", "wrong level", "label"), "write C1-C7, T1-T13, L1-L6",
        ("image", "mask", "level", "label"),
    ),
    "Predict: a CT or mask that breaks a rule of the model": (
        ("image", "mask", "level", "wrong label"), "write the label's number",
        ("image", "mask", "level", "label"),
    ),
}  # fmt: skip


def scanned(bad_input: str) -> Remedy:
    wrong, remedy, right = SCANS[bad_input]

    def run_it(folder: Path) -> None:
        hospital, file, clinical = of_images()
        words = {
            "image": ("--image", hospital / "dicom"),
            "mask": ("--mask", hospital / "A.nrrd"),
            "level": ("--level", "L1"),
            "label": ("--label", "3"),
            "wrong level": ("--level", "X1"),
            "wrong label": ("--label", "9"),
        }

        def call(names: tuple[str, ...]) -> Callable[[], None]:
            given = [word for name in names for word in words[name]]
            return predicted(file, folder, *given, *given_of(clinical))

        told(bad_input, call(wrong), remedy)
        call(right)()

    return run_it


def no_images(folder: Path) -> None:
    hospital, _, _ = of_images()
    _, file, values = clinical_model()
    scan = ("--image", hospital / "dicom", "--mask", hospital / "A.nrrd", "--level", "L1")
    name = "Predict: a CT for a model that was made without images"
    told(name, predicted(file, folder, *scan, *given_of(values)), "or give the values as options")
    predicted(file, folder, *given_of(values))()


@functools.cache
def of_sites() -> tuple[FrozenModel, pd.DataFrame, dict[str, bytes]]:
    """Return a model of two sites, the table of its study, and its members."""
    made = Path(mkdtemp())
    file = write_frozen_models(made, ("lr",), features=16, sites=("north", "south"))["lr"]
    table = read_table(made / "study" / "tables" / "analysis.parquet")
    return load_frozen(file), table, read_members(file)[0]


def another_site(folder: Path) -> None:
    model, table, _ = of_sites()
    there = table.assign(hospital="east")
    name = "Predict or judge: a site that a model of harmonised features has not learned from"
    told(name, lambda: model.risk(there), r"north \| south.*harmonisation: \{method: none\}")
    assert np.isfinite(model.risk(there.assign(hospital="south"))).all()
    # A model without harmonisation is judged anywhere.
    plain = load_frozen(good("lr"))
    rows = plain.inputs(read_table(study() / "tables" / "analysis.parquet"))
    assert np.isfinite(plain.risk(rows.assign(hospital="east"))).all()


def no_site(folder: Path) -> None:
    model, table, _ = of_sites()
    name = "Predict or judge: a table without the site, for a model of harmonised features"
    told(name, lambda: model.risk(table.drop(columns="hospital")), "add the column hospital")
    assert np.isfinite(model.risk(table)).all()


def contradicting(bad_input: str, change: Callable[[dict], object]) -> Remedy:
    def run_it(folder: Path) -> None:
        path = folder / "m.vbm"
        path.write_bytes(with_model(of_sites()[2], change))
        told(bad_input, lambda: load_frozen(path), "ask whoever made the model for its file again")
        write_members(of_sites()[2], path)
        assert load_frozen(path).site

    return run_it


def other_parameters(folder: Path) -> None:
    study, path = study_with_images(folder)
    good = path.read_text(encoding="utf-8")
    path.write_text(good.replace("25", "50"), encoding="utf-8")
    training = pd.DataFrame({"unit_id": ["P1-L1"]})
    name = "Freeze: a parameter file that was changed after the extraction"
    told(name, lambda: facts_of(study, training), "put the file back as it was")
    path.write_text(good, encoding="utf-8")
    assert facts_of(study, training)["parameter_file"] == path.name


CONTRADICTS = "A frozen harmonisation that contradicts itself"
NO_PREDICTOR = "A frozen harmonisation whose site is no predictor of the model"
PREDICTS = "Freeze: a study without models of an outcome"
LEAKS = "Freeze: a study in the published order, which leaks"
REMEDIES: dict[str, Remedy] = {
    "Freeze: a folder that is no study's results": no_study,
    "Freeze: a file that does not end in .vbm": ending,
    PREDICTS: typed(
        PREDICTS, {"analyses": ["outcomes"]}, "add prediction to `analyses`",
        {"analyses": ["outcomes", "prediction"]},
    ),
    LEAKS: typed(
        LEAKS, {"mode": "as_published"}, "run the study with `mode: rigorous`",
        {"mode": "rigorous"},
    ),
    CONTRADICTS: contradicting(
        CONTRADICTS,
        lambda facts: facts["procedure"]["blocks"][0]["harmonise"].update(reference="east"),
    ),
    NO_PREDICTOR: contradicting(
        NO_PREDICTOR,
        lambda facts: next(
            one for one in facts["predictors"] if one["block"] == "site"
        ).update(block="clinical"),
    ),
    "Predict or judge: a site that a model of harmonised features has not learned from": (
        another_site
    ),
    "Predict or judge: a table without the site, for a model of harmonised features": no_site,
    "Freeze: a model that the study has not trained": untrained,
    "Freeze: a model that dropped out": dropped,
    "Freeze: a radial kernel, or imputation by knn": patients,
    "Freeze: other versions than the study ran with, so that the fit differs": another_fit,
    "Freeze: resamples on which the procedure cannot run": no_resamples,
    "A card asked for in a folder that is not there": no_folder,
    "A frozen model cut short, or with a changed byte": changed_byte,
    "Freeze: a parameter file that was changed after the extraction": other_parameters,
    "Predict: neither a table nor values, or both": neither,
    "Predict: a patient without a value that no training patient lacked": lacking_value,
    "Predict: a CT for a model that was made without images": no_images,
    "Predict: a form of trees, a network or a model that needs a CT": no_form,
    "Predict: a study of new patients that was not run to its features": not_run_to_features,
    "Predict: a study of new patients with several readers, none named": several_readers,
    "Predict: a study of new patients that reads, checks or extracts otherwise than the model": (
        read_otherwise
    ),
    "Predict: a study of new patients without images, or for a model without images": (
        without_images
    ),
    **{bad_input: scanned(bad_input) for bad_input in SCANS},
    **{bad_input: harm(bad_input) for bad_input in HARM},
    **{bad_input: values(bad_input) for bad_input in VALUES},
}  # fmt: skip
