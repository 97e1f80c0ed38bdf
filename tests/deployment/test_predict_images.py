"""From a CT and a mask to a risk: the same as from features computed by plain functions."""

import io
import json

import numpy as np
import pandas as pd
import pydicom
import pytest
import SimpleITK as sitk

import pipeline.extract
import pipeline.ingest
import pipeline.resample
import segmentation.masks
from demo.feature_names import feature_names
from models.frozen.container import (
    MODEL,
    array_bytes,
    object_bytes,
    read_members,
    write_members,
)
from models.frozen.model import load_frozen
from pipeline.core.files import json_hash, read_json, read_table
from pipeline.extraction import extract_features, features_of_crop, load_crop, load_params
from pipeline.study.config import resolve_config
from tests.deployment.test_predict import given_of
from tests.end_to_end.test_imaging_commands import CANARY, write_hospital
from tests.support.commands import run_here
from tests.support.frozen_study import write_frozen_models

PARAMETERS = {
    "setting": {"binWidth": 25, "resampledPixelSpacing": [2, 2, 2], "interpolator": "sitkBSpline"},
    "imageType": {"Original": {}},
    "featureClass": {"shape": None, "firstorder": None, "glcm": None},
}


@pytest.fixture(scope="module")
def hospital(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hospital")
    write_hospital(folder)
    return folder


def with_imaging(file):
    """Let a model's file say that its features are those of `PARAMETERS`; return it."""
    members, _ = read_members(file)
    facts = json.loads(members[MODEL])
    config = resolve_config({"study": "x", "cases": "cases.csv"})
    seen = {"kvp": {"low": 100.0, "high": 140.0, "missing": 0}}
    seen["spacing_z"] = {"low": 0.5, "high": 1.25, "missing": 0}
    seen["kernel"] = {"counts": {"STANDARD": 70}, "missing": 7}
    seen["level"] = {"counts": {"L1": 77}, "missing": 0}
    facts["imaging"] = {
        "parameter_file": "small.yaml",
        "parameters": PARAMETERS,
        "parameters_sha256": json_hash(PARAMETERS),
        "engine": "fast",
        "aggregation": None,
        "region": "body",
        "ingest": config["ingest"],
        "masks": config["masks"],
        "checks": config["checks"],
        "preflight": {"timing": "preoperative", "max_dense_share": 0.9},
        "seen": seen,
    }
    members[MODEL] = object_bytes(facts)
    write_members(members, file)
    return file


def calmed(file):
    """Shrink a model's coefficients in its file: simulated features have another scale than a CT's.

    Without it every risk from a CT is 0 or 1, whatever the mask.
    """
    members, _ = read_members(file)
    (name,) = (each for each in members if each.endswith("coefficient.npy"))
    members[name] = array_bytes(np.load(io.BytesIO(members[name])) * 1e-5)
    write_members(members, file)
    return file


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    """Return a model of a study whose features are those of `PARAMETERS`, with images."""
    file = write_frozen_models(tmp_path_factory.mktemp("model"), ("lr",))["lr"]
    return calmed(with_imaging(file))


@pytest.fixture(scope="module")
def clinical(model_file):
    """Return clinical values of a patient of the model's study."""
    model = load_frozen(model_file)
    table = read_table(model_file.parent / "study" / "tables" / "analysis.parquet")
    row = model.inputs(table).iloc[0].to_dict()
    return {one.name: row[one.name] for one in model.predictors if one.block == "clinical"}


def of_image(hospital, **other):
    given = {"image": hospital / "dicom", "mask": hospital / "A.nrrd", "level": "L1", "label": "3"}
    return [word for name, value in (given | other).items() for word in (f"--{name}", value)]


def files_of(hospital):
    """Return CT and mask, read without the project's own readers."""
    files = sorted((hospital / "dicom").iterdir())
    slices = sorted(map(pydicom.dcmread, files), key=lambda one: one.ImagePositionPatient[2])
    mask = sitk.ReadImage(str(hospital / "A.nrrd"))
    hu = np.stack(
        [s.pixel_array * float(s.RescaleSlope) + float(s.RescaleIntercept) for s in slices]
    )
    ct = sitk.GetImageFromArray(hu.astype(np.int32))
    ct.CopyInformation(mask)
    return ct, mask == 3


def test_a_risk_from_a_ct_is_that_of_its_features(hospital, model_file, clinical, tmp_path):
    assert set(feature_names()[:40]) >= {
        one.name for one in load_frozen(model_file).predictors if one.block == "radiomics"
    }
    given = (*of_image(hospital), *given_of(clinical))
    done = run_here("deployment.predict", model_file, *given, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    told, model = read_json(tmp_path / "prediction.json"), load_frozen(model_file)

    features = extract_features(*files_of(hospital), load_params(PARAMETERS))
    row = pd.DataFrame([{**features.to_dict(), **clinical}])
    assert told["model_risk"] == pytest.approx(model.risk(row)[0], abs=1e-9)
    assert 0.01 < told["model_risk"] < 0.99
    for one in model.predictors:
        if one.block == "radiomics":
            assert told["values"][one.name] == pytest.approx(features[one.name], rel=1e-9)

    moved = told["moved_mask"]
    assert moved.keys() == {"eroded", "dilated"}
    # The grid of these features is coarser than 1 mm.
    assert set(moved.values()) == {None}
    page = (tmp_path / "prediction.html").read_text(encoding="utf-8")
    assert "spacing along z (mm)</td><td>2.5</td><td>never seen in training" in page
    assert CANARY not in page + done.stderr + json.dumps(told)
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "prediction.html", "prediction.json",
    ]  # fmt: skip


def test_a_risk_waits_for_no_fingerprint(hospital, model_file, clinical, tmp_path, monkeypatch):
    """Nobody finds the entries of one patient later: hashing the program's code is no use."""
    asked = []
    for module in (pipeline.ingest, segmentation.masks, pipeline.resample, pipeline.extract):
        monkeypatch.setattr(module, "code_fingerprint", asked.append)
    given = (*of_image(hospital), *given_of(clinical), "--mask-as-it-is", "--out", tmp_path)
    done = run_here("deployment.predict", model_file, *given)
    assert done.returncode == 0, done.stderr
    assert asked == []


def test_another_reader_s_mask_moves_the_risk(hospital, model_file, clinical, tmp_path):
    """The risk with a second mask is that of a prediction with this mask alone."""
    _, mask = files_of(hospital)
    other = sitk.BinaryDilate(mask, [2, 2, 1], sitk.sitkBall, 0, 1)
    sitk.WriteImage(other, str(tmp_path / "B.nrrd"))
    values, alone = given_of(clinical), ("--mask-as-it-is", "--out")
    second = ("--second-mask", tmp_path / "B.nrrd", "--second-label", "1")
    both = (*of_image(hospital), *second, *values, *alone, tmp_path / "both")
    done = run_here("deployment.predict", model_file, *both)
    assert done.returncode == 0, done.stderr
    only = of_image(hospital, mask=tmp_path / "B.nrrd", label="1")
    for scan, name in ((only, "b"), (of_image(hospital), "a")):
        done = run_here("deployment.predict", model_file, *scan, *values, *alone, tmp_path / name)
        assert done.returncode == 0, done.stderr
    told, a, b = (read_json(tmp_path / name / "prediction.json") for name in ("both", "a", "b"))
    assert told["risk"] == a["risk"]
    assert told["moved_mask"] == {"second reader": b["risk"]}
    assert a["risk"] != b["risk"]
    page = (tmp_path / "both" / "prediction.html").read_text(encoding="utf-8")
    assert f"With the second reader&#39;s mask: {100 * b['risk']:.1f}%" in page
    bad = (*of_image(hospital), "--second-mask", hospital / "A.nrrd", "--second-label", "9")
    done = run_here("deployment.predict", model_file, *bad, *values, *alone, tmp_path / "bad")
    assert done.returncode == 1
    assert "In: second mask" in done.stderr
    assert not (tmp_path / "bad").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"level": "X9"}, "The level must be one of a vertebra"),
        ({"label": "9"}, "A CT and mask that a study would refuse get no risk"),
        ({"mask": None}, "An image needs its mask and its level"),
    ],
)
def test_no_risk_where_a_study_would_refuse(
    change, words, hospital, model_file, clinical, tmp_path
):
    given = of_image(hospital, **change)
    if change == {"mask": None}:
        given = ["--image", hospital / "dicom"]
    done = run_here(
        "deployment.predict", model_file, *given, *given_of(clinical), "--out", tmp_path
    )
    assert done.returncode == 1
    assert words in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_limit_of_the_model_is_kept(hospital, model_file, clinical, tmp_path):
    members, _ = read_members(model_file)
    facts = json.loads(members[MODEL])
    facts["imaging"]["checks"]["max_slice_spacing_mm"] = 2.0
    members[MODEL] = object_bytes(facts)
    write_members(members, tmp_path / "m.vbm")
    given = (*of_image(hospital), *given_of(clinical), "--out", tmp_path / "o")
    done = run_here("deployment.predict", tmp_path / "m.vbm", *given)
    assert done.returncode == 1
    assert "The CT's slices lie 2.5 mm apart; at most 2 mm are accepted" in done.stderr


def test_a_model_without_images_takes_none(hospital, model_file, clinical, tmp_path):
    members, _ = read_members(model_file)
    facts = json.loads(members[MODEL]) | {"imaging": None}
    members[MODEL] = object_bytes(facts)
    write_members(members, tmp_path / "m.vbm")
    given = (*of_image(hospital), *given_of(clinical), "--out", tmp_path / "o")
    done = run_here("deployment.predict", tmp_path / "m.vbm", *given)
    assert "Only a model of a study with images predicts from a CT" in done.stderr


def test_a_risk_moves_with_the_boundary_of_the_mask(hospital, model_file, clinical, tmp_path):
    fine = PARAMETERS | {"setting": PARAMETERS["setting"] | {"resampledPixelSpacing": [1, 1, 1]}}
    members, _ = read_members(model_file)
    facts = json.loads(members[MODEL])
    facts["imaging"] |= {"parameters": fine, "parameters_sha256": json_hash(fine)}
    members[MODEL] = object_bytes(facts)
    write_members(members, tmp_path / "m.vbm")
    given = (*of_image(hospital), *given_of(clinical))
    done = run_here("deployment.predict", tmp_path / "m.vbm", *given, "--out", tmp_path / "o")
    assert done.returncode == 0, done.stderr
    told, model = read_json(tmp_path / "o" / "prediction.json"), load_frozen(tmp_path / "m.vbm")
    crop = load_crop(*files_of(hospital), load_params(fine))
    for name, change in (("eroded", sitk.BinaryErode), ("dilated", sitk.BinaryDilate)):
        mask = change(crop.mask, [1, 1, 1], sitk.sitkBall, 0, 1)
        features = features_of_crop(crop._replace(mask=mask), load_params(fine)).values
        row = pd.DataFrame([{**features.to_dict(), **clinical}])
        risk = model.calibrated(model.risk(row))[0]
        assert told["moved_mask"][name] == pytest.approx(risk, abs=1e-9)
    page = (tmp_path / "o" / "prediction.html").read_text(encoding="utf-8")
    assert "eroded by 1 mm" in page
    done = run_here(
        "deployment.predict", tmp_path / "m.vbm", *given, "--mask-as-it-is", "--out", tmp_path / "p"
    )
    assert done.returncode == 0, done.stderr
    assert read_json(tmp_path / "p" / "prediction.json")["moved_mask"] == {}
    assert "eroded" not in (tmp_path / "p" / "prediction.html").read_text(encoding="utf-8")
