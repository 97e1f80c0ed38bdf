"""The calculator page equals the model, in Node and in a browser, and says for whom and when."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from html import unescape

import numpy as np
import pandas as pd
import pytest

from models.regression.fitting.logistic import fit_logistic
from models.regression.fitting.terms import Term
from models.regression.publishing.calculator import calculator_page, page_facts, purpose_line
from models.regression.publishing.model import Purpose, RegressionModel, model_of, moment_of
from models.regression.publishing.model_file import model_facts, model_from, read_model
from models.regression.publishing.nomogram import build_nomogram, points_of
from pipeline.core.errors import StudyError
from tests.models.regression.test_published import PUBLISHED
from tests.support.refusals import refusal
from tests.support.regression_cohorts import YES_NO, simulated

CHROMIUM = next(
    (name for name in ("chromium", "chromium-browser", "google-chrome") if shutil.which(name)), None
)
PURPOSE = Purpose("residual pain", "day 30", "adults with one fracture", "preoperative")


@pytest.fixture(scope="module")
def model() -> RegressionModel:
    rows, outcome = simulated(400)
    rows["share"] = np.round(30 + 3 * rows["noise"] ** 2, 1)
    terms = (
        Term("age", "continuous", label="Age", unit="years", n_knots=4, timing="preoperative"),
        Term("grade", "factor", levels=("0-1", "2", "3-4"), timing="preoperative"),
        Term("sign", "factor", label="Sign <of> pain & more", levels=YES_NO, timing="preoperative"),
        Term("share", "continuous", unit="%", scale=0.01, timing="preoperative"),
    )
    worth = ({"name": "AUROC", "value": 0.71, "low": 0.6, "high": 0.8, "method": "by hand"},)
    return model_of(fit_logistic(rows, outcome, terms), "Pain", PURPOSE, worth=worth, shrinkage=0.9)


def patients(model: RegressionModel, n: int, seed: int = 1) -> pd.DataFrame:
    """Return random patients, some of them outside the range seen."""
    rng = np.random.default_rng(seed)
    columns = {}
    for term in model.terms:
        if term.is_factor:
            columns[term.name] = rng.choice(term.levels, n)
            continue
        low, high = (term.low, term.high) if term.low is not None else (0.0, 100.0)
        spread = high - low
        columns[term.name] = rng.uniform(low - 0.3 * spread, high + 0.3 * spread, n)
    return pd.DataFrame(columns)


def script_of(page: str) -> str:
    return page.rpartition("<script>")[2].partition("</script>")[0]


def embedded(page: str) -> dict:
    found = re.search(r'<script type="application/json" id="model">(.*?)</script>', page, re.S)
    return json.loads(found[1])


def in_node(page: str, rows: pd.DataFrame, folder) -> list[dict]:
    if not shutil.which("node"):
        pytest.skip("needs Node to run the page's script")
    (folder / "page.js").write_text(script_of(page), encoding="utf-8")
    (folder / "model.json").write_text(json.dumps(embedded(page)), encoding="utf-8")
    (folder / "rows.json").write_text(rows.to_json(orient="records", double_precision=15))
    program = (
        "const fs = require('fs'); const {compute} = require('./page.js');"
        "const read = (name) => JSON.parse(fs.readFileSync(name, 'utf8'));"
        "const model = read('model.json');"
        "console.log(JSON.stringify(read('rows.json').map((row) => compute(model, row))));"
    )
    done = subprocess.run(
        ["node", "-e", program], cwd=folder, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def assert_equal(found: list[dict], model: RegressionModel, rows: pd.DataFrame) -> None:
    risks = np.array([one["risk"] for one in found], float)
    np.testing.assert_allclose(risks, model.risk(rows), rtol=0, atol=1e-9)
    points = np.array([one["points"] for one in found], float)
    expected = points_of(build_nomogram(model), model, rows)
    np.testing.assert_allclose(points, expected, rtol=1e-9, atol=1e-7)
    low, high = model.interval(rows)
    np.testing.assert_allclose([one["low"] for one in found], low, rtol=0, atol=1e-9)
    np.testing.assert_allclose([one["high"] for one in found], high, rtol=0, atol=1e-9)


def test_the_script_equals_the_model_for_a_thousand_patients(model, tmp_path):
    rows = patients(model, 1000)
    # Numbers as JSON carries them, which the program then reads alike.
    rows = pd.DataFrame(json.loads(rows.to_json(orient="records", double_precision=15)))
    found = in_node(calculator_page(model), rows, tmp_path)
    assert_equal(found, model, rows)
    outside = [set(one["outside"]) for one in found]
    for term in model.terms:
        beyond = [term.name in names for names in outside]
        if term.is_factor:
            assert not any(beyond)
        else:
            assert beyond == (~rows[term.name].between(term.low, term.high)).tolist()
            assert 0 < sum(beyond) < len(rows)


def test_a_missing_value_gives_no_risk(model, tmp_path):
    rows = patients(model, 3).astype(object)
    rows.loc[0, "age"] = None
    rows.loc[1, "grade"] = "5"
    found = in_node(calculator_page(model), rows, tmp_path)
    assert [one["missing"] for one in found] == [["age"], ["grade"], []]
    assert [one["risk"] is None for one in found] == [True, True, False]


def test_the_page_in_a_browser_equals_the_model(model, tmp_path):
    """The fields are filled by a script as a person fills them; the page computes and prints."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium to open the page")
    rows = patients(model, 1000, seed=2)
    names = [term.name for term in model.terms]
    filled = (
        "<script>window.addEventListener('load', () => {"
        f"const rows = {rows[names].to_json(orient='values', double_precision=15)};"
        "const model = JSON.parse(document.getElementById('model').textContent);"
        "const out = rows.map((row) => { row.forEach((value, at) => {"
        " document.getElementById('field-' + at).value = value; });"
        " document.getElementById('calculator').dispatchEvent(new Event('input'));"
        " return [compute(model, readValues(model)), document.getElementById('risk').textContent,"
        " document.getElementById('interval').textContent,"
        " document.getElementById('warning').hidden]; });"
        "const pre = document.createElement('pre'); pre.id = 'out';"
        "pre.textContent = JSON.stringify(out); document.body.append(pre); });</script>"
    )
    page = tmp_path / "page.html"
    page.write_text(calculator_page(model).replace("</body>", filled + "</body>"), encoding="utf-8")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    done = subprocess.run(
        [*command, f"--user-data-dir={tmp_path / 'profile'}", page.as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    found = json.loads(unescape(re.search(r'<pre id="out">(.*?)</pre>', done.stdout, re.S)[1]))
    read = pd.DataFrame(json.loads(rows.to_json(orient="records", double_precision=15)))
    assert_equal([one for one, *_ in found], model, read)
    for (one, risk, interval, hidden), expected in zip(found, model.risk(read), strict=True):
        if 0.001 < expected < 0.999:
            assert f"Risk of residual pain, day 30: {100 * expected:.1f}%" == risk
        assert "95% interval of the model's risk" in interval
        assert hidden == (not one["outside"])


def test_the_first_line_says_when_for_whom_and_what(model):
    page = calculator_page(model)
    visible = re.sub(r"<(script|style|head)\b.*?</\1>", "", page, flags=re.S)
    words = unescape(re.sub(r"<[^>]+>", "\n", visible)).split("\n")
    first = next(line.strip() for line in words if line.strip())
    assert first == purpose_line(model)
    for part in ("Before surgery (preoperative)", "adults with one fracture", "residual pain"):
        assert part in first
    assert "(day 30)" in first
    assert "Changing an input shows other patients, not a treatment's effect." in page
    assert "Sign &lt;of&gt; pain &amp; more" in page
    assert "LEAKING" not in page


def test_the_page_needs_no_network_and_holds_no_patient(model):
    page = calculator_page(model)
    assert not re.search(r"""(src|href)\s*=\s*["'](?!data:|#)""", page)
    assert "default-src 'none'" in page
    assert "http:" not in page.replace("http-equiv", "")
    assert "https:" not in page
    facts = embedded(page)
    numbers = json.dumps(facts)
    assert "values" not in facts["predictors"][0]
    assert len(numbers) < 5000


def test_a_model_of_later_values_is_never_called_preoperative(model):
    terms = tuple(
        replace(term, timing="postoperative") if term.name == "share" else term
        for term in model.terms
    )
    assert moment_of(terms, None) == "postoperative"
    with refusal("model-known-later", StudyError):
        moment_of(terms, "preoperative")
    later = replace(model, terms=terms, purpose=replace(PURPOSE, moment="postoperative"))
    page = calculator_page(later)
    assert "preoperative" not in page
    assert "After surgery only" in page
    for text in ("Preoperative risk", "pre-operative pain", "Risk before surgery"):
        with refusal("model-not-preoperative", StudyError):
            calculator_page(replace(later, title=text))


def test_a_leaking_model_says_so_in_title_and_on_the_page(model):
    from pipeline.core.mode_labels import LABEL

    page = calculator_page(replace(model, mode=LABEL))
    assert "<title>LEAKING: Pain</title>" in page
    assert "<h1>LEAKING: Pain</h1>" in page
    assert 'class="leaking">LEAKING' in page


def test_a_page_of_points_alone_gives_no_risk(tmp_path):
    points = read_model(PUBLISHED / "rong2025_points.yaml")
    example = pd.DataFrame(
        [[80, "no", "yes", "yes", 12.8, 105, "no"]], columns=[term.name for term in points.terms]
    )
    (found,) = in_node(calculator_page(points), example, tmp_path)
    assert (found["risk"], round(found["points"], 2)) == (None, 183.89)
    anchored = replace(points, anchors=((100, 0.1), (200, 0.5)))
    (found,) = in_node(calculator_page(anchored), example, tmp_path)
    assert found["risk"] == pytest.approx(anchored.risk(example)[0], abs=1e-12)
    assert found["low"] is None


def test_a_model_survives_its_file(model):
    again = model_from(json.loads(json.dumps(model_facts(model))), "memory")
    rows = patients(model, 50)
    assert (again.risk(rows) == model.risk(rows)).all()
    assert model_facts(again) == model_facts(model)
    assert page_facts(again) == page_facts(model)
