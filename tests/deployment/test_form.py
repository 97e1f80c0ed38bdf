"""The offline form of a frozen logistic model gives the risks that the program gives."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deployment.form import form_page, page_facts
from deployment.prediction import interval
from models.freeze import freeze
from models.frozen.container import write_members
from models.frozen.model import FrozenModel, load_frozen
from pipeline.core.errors import StudyError
from tests.support.commands import run_here
from tests.support.frozen_study import write_frozen_study
from tests.support.refusals import refusal

STORED = Path(__file__).resolve().parents[1] / "golden" / "frozen"


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    """Return the file of a model of clinical values with four refits."""
    folder = tmp_path_factory.mktemp("model")
    study = write_frozen_study(folder / "study", ("lr",), clinical_only=True)
    write_members(freeze(study, "lr", refits=4), folder / "lr.vbm")
    return folder / "lr.vbm"


def patients(model: FrozenModel, n: int) -> pd.DataFrame:
    """Return random patients, some values missing, some beyond what training held."""
    rng = np.random.default_rng(2)
    columns = {}
    for one in model.predictors:
        if one.levels:
            values = rng.choice(one.levels, n).astype(object)
        else:
            spread = one.high - one.low
            values = rng.uniform(one.low - spread / 5, one.high + spread / 5, n).astype(object)
        values[rng.random(n) < 0.04] = None
        columns[one.name] = values if one.levels else values.astype(float)
    return pd.DataFrame(columns)


def in_node(page: str, rows: pd.DataFrame, folder: Path) -> list[dict]:
    if not shutil.which("node"):
        pytest.skip("needs Node to run the page's script")
    script = page.rpartition("<script>")[2].partition("</script>")[0]
    found = re.search(r'<script type="application/json" id="model">(.*?)</script>', page, re.S)
    (folder / "page.js").write_text(script, encoding="utf-8")
    (folder / "model.json").write_text(found[1], encoding="utf-8")
    (folder / "rows.json").write_text(rows.to_json(orient="records", double_precision=15))
    program = (
        "const fs = require('fs'); const {compute} = require('./page.js');"
        "const read = (name) => JSON.parse(fs.readFileSync(name, 'utf8'));"
        "const model = read('model.json');"
        "console.log(JSON.stringify(read('rows.json').map((row) => compute(model, row))));"
    )
    call = ["node", "-e", program]
    done = subprocess.run(call, cwd=folder, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_the_form_computes_what_the_program_computes(file, tmp_path) -> None:
    done = run_here("deployment.predict", file, "--form", "--out", tmp_path / "o")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "o" / "form.html").read_text(encoding="utf-8")
    model = load_frozen(file)
    rows = patients(model, 400)
    (tmp_path / "rows.json").write_text(rows.to_json(orient="records", double_precision=15))
    rows = pd.read_json(tmp_path / "rows.json", orient="records")
    told = in_node(page, rows, tmp_path)
    lacking = np.any([*model.missing_of(rows).values(), np.zeros(len(rows), bool)], axis=0)
    assert 20 < lacking.sum() < 380
    assert [one["risk"] is None for one in told] == list(lacking)
    whole = np.flatnonzero(~lacking)
    risk = model.risk(rows)
    found = np.array([told[at]["risk"] for at in whole])
    np.testing.assert_allclose(found, model.calibrated(risk)[whole], rtol=0, atol=1e-9)
    assert np.ptp(found) > 0.05
    low, high = interval(model, rows)
    np.testing.assert_allclose([told[at]["low"] for at in whole], low[whole], rtol=0, atol=1e-9)
    np.testing.assert_allclose([told[at]["high"] for at in whole], high[whole], rtol=0, atol=1e-9)
    assert [told[at]["event"] for at in whole] == list(risk[whole] >= model.threshold)
    beyond = model.outside(rows).groupby("row")["predictor"].agg(set).to_dict()
    assert [set(one["outside"]) for one in told] == [beyond.get(at, set()) for at in rows.index]
    assert any(one["filled"] for one in told)


def test_the_page_is_alone_and_holds_no_patient(file) -> None:
    model = load_frozen(file)
    page = form_page(model)
    assert re.findall(r'(?:src|href)="(?!data:)', page) == []
    assert "default-src 'none'" in page
    assert model.digest in page
    assert len(page_facts(model)["equations"]) == 5


def test_a_model_of_features_has_no_form() -> None:
    with refusal("form-not-possible", StudyError, match="Found: features of a CT") as told:
        form_page(load_frozen(STORED / "lr.vbm"))
    assert told.value.code == "form-not-possible"


def test_trees_have_no_form(tmp_path) -> None:
    study = write_frozen_study(tmp_path / "study", ("rf",), clinical_only=True)
    write_members(freeze(study, "rf"), tmp_path / "rf.vbm")
    done = run_here("deployment.predict", tmp_path / "rf.vbm", "--form", "--out", tmp_path / "o")
    assert done.returncode == 1
    assert "has a form. Found: forest." in done.stderr
    assert not (tmp_path / "o" / "form.html").exists()
