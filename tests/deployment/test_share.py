"""`vertebromics share`: what leaves a study, what never does, and several hospitals together."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from deployment.sharing.ledger import LEDGER
from deployment.sharing.release import check_no_id
from pipeline.core.errors import ProgramError
from pipeline.core.files import read_json, write_json
from tests.support.commands import run_here
from tests.support.refusals import refusal
from tests.support.shared_study import study_rows, write_shared_study

CANARY = "PHI-CANARY-0010"
OLDEST = 103.71


@pytest.fixture(scope="module")
def rows():
    """Return patients of whom one is older than all others."""
    table, info = study_rows(400, 7)
    table.loc[0, "age"] = OLDEST
    return table, info


@pytest.fixture(scope="module")
def study(tmp_path_factory, rows):
    return write_shared_study(tmp_path_factory.mktemp("study"), rows=rows)


@pytest.fixture(scope="module")
def shared(study, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "shared"
    done = run_here("deployment.share", study, "--site", "Hospital A", "--out", out)
    assert done.returncode == 0, done.stderr
    return out


def texts_of(out) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in out.iterdir()}


def test_files(shared) -> None:
    assert sorted(texts_of(shared)) == [
        "counts.csv", "curves.csv", "figures.csv", "groups.csv", "numbers.csv",
        "release.html", "release.json",
    ]  # fmt: skip


def test_no_patient_leaves(study, shared, rows) -> None:
    """No id, no least or greatest value, no value or risk of one patient with all its digits."""
    predictions = pd.read_parquet(study / "models" / "lr" / "predictions.parquet")
    own = {f"{value:.6g}" for value in predictions["probability"]}
    own |= {f"{value:g}" for value in rows[0]["bmi"].dropna() if value != round(value, 1)}
    for name, text in texts_of(shared).items():
        assert CANARY not in text, name
        assert str(OLDEST) not in text, name
        assert not own & set(re.findall(r"\d+\.\d{4,}", text)), name
    assert CANARY not in (study / LEDGER).read_text()
    with refusal("id-in-shared-results", ProgramError) as told:
        check_no_id([f"a row of {CANARY}-0003, say"], rows[0]["patient_id"])
    assert told.value.code == "id-in-shared-results"
    check_no_id([f"{CANARY}-00033"], rows[0]["patient_id"])


def test_counts_are_the_study_s_and_none_is_small(shared, rows) -> None:
    facts, table = read_json(shared / "release.json"), rows[0]
    assert facts["fewest"] == 10
    hidden = 0
    for name, each in facts["counts"].items():
        for cell in each["cells"]:
            if cell["count"] is None:
                hidden += 1
                assert cell["high"] is None or cell["high"] - cell["low"] >= 4
                continue
            assert cell["count"] >= 10
            if name in ("trauma", "sex"):
                here = (table[name] == cell["value"]) | (cell["value"] == "all")
                if cell["group"] != "all":
                    here &= table["outcome"] == int(cell["group"] == "event")
                assert cell["count"] == here.sum()
    assert hidden >= 4
    left = {cell["value"]: cell["count"] for cell in facts["counts"]["flow"]["cells"]}
    assert left["1: no CT"] is None
    assert left["2. Analysed"] == 400
    known = table["age"][table["outcome"] == 1]
    (number,) = (
        row for row in facts["numbers"] if row["column"] == "age" and row["group"] == "event"
    )
    assert number["mean"] == float(f"{known.mean():.3g}")
    assert not {"min", "max"} & number.keys()


def test_performance_is_that_of_the_test_rows(study, shared) -> None:
    predictions = pd.read_parquet(study / "models" / "lr" / "predictions.parquet")
    test = predictions[predictions["part"] == "test"]
    told = read_json(shared / "release.json")["performance"]
    assert (told["units"], told["events"]) == (len(test), test["outcome"].sum())
    values = {row["metric"]: row["value"] for row in told["figures"]}
    assert values["oe_ratio"] == round(test["outcome"].sum() / test["probability"].sum(), 3)
    assert told["threshold"] == 0.32
    groups = pd.DataFrame(told["groups"])
    assert groups["events"].min() >= 10
    assert (groups["units"] - groups["events"]).min() >= 10
    assert np.isclose(groups["low"] * 100, np.round(groups["low"] * 100)).all()
    page = (shared / "release.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 3
    assert "<script" not in page
    assert "hidden (0 to" in page
    assert "-3.14 + 0.0272 × age" in page


def test_shared_again_it_is_the_same(study, shared, tmp_path) -> None:
    """The ledger changes nothing for the same patients; other files may not be overwritten."""
    before = len(read_json(study / LEDGER)["releases"])
    done = run_here("deployment.share", study, "--site", "Hospital A", "--out", tmp_path / "again")
    assert done.returncode == 0, done.stderr
    first, again = (read_json(each / "release.json") for each in (shared, tmp_path / "again"))
    assert again.pop("release") == before + 1
    first.pop("release")
    assert again == first
    done = run_here("deployment.share", study, "--out", study)
    assert "must hold nothing else" in done.stderr
    assert (study / "tables").is_dir()


def test_a_corrected_number_hides_its_means(study, shared, rows, tmp_path) -> None:
    """One patient's new age, or three new values of a column, follow from two means."""
    table, info = rows
    table = table.copy()
    table.loc[5, "age"] += 9
    gaps = table.index[table["albumin"].isna()][:3]
    assert len(gaps) == 3
    table.loc[gaps, "albumin"] = 40.0
    later = write_shared_study(tmp_path / "later", rows=(table, info))
    write_json(read_json(study / LEDGER), later / LEDGER)
    done = run_here("deployment.share", later, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    first, now = (
        {row["column"] for row in read_json(each / "release.json")["numbers"]}
        for each in (shared, tmp_path / "out")
    )
    assert first - now == {"age", "albumin"}
    assert "bmi" in now


def test_a_few_patients_later(study, shared, tmp_path) -> None:
    more = write_shared_study(tmp_path / "more", rows=study_rows(404, 7))
    write_json(read_json(study / LEDGER), more / LEDGER)
    done = run_here("deployment.share", more, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "4 patients more than in release 1" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_name_in_the_site_is_found(study, tmp_path) -> None:
    """`phi-scan` searches the release against the hospital's own files."""
    handed = tmp_path / "handed" / "MUSTERMANN_ERIKA_19480317"
    handed.mkdir(parents=True)
    (handed / "note.txt").write_text("empty")
    before = len(read_json(study / LEDGER)["releases"]) if (study / LEDGER).exists() else 0
    given = (study, "--source", tmp_path / "handed", "--out", tmp_path / "out")
    done = run_here("deployment.share", *given, "--site", "ward MUSTERMANN_ERIKA_19480317")
    assert done.returncode == 1
    assert "nothing that identifies a person" in done.stderr
    assert not (tmp_path / "out").exists()
    assert len(read_json(study / LEDGER)["releases"]) == before
    done = run_here("deployment.share", *given, "--site", "Hospital A")
    assert done.returncode == 0, done.stderr


def test_three_hospitals_together(shared, tmp_path) -> None:
    releases = [shared / "release.json"]
    for at, seed in enumerate((8, 9)):
        study = write_shared_study(tmp_path / f"study{at}", seed=seed)
        out = tmp_path / f"out{at}"
        done = run_here("deployment.share", study, "--site", f"Hospital {at}", "--out", out)
        assert done.returncode == 0, done.stderr
        releases.append(out / "release.json")
    together = tmp_path / "together"
    done = run_here("deployment.share", "--combine", *releases, "--out", together)
    assert done.returncode == 0, done.stderr
    pooled = pd.read_csv(together / "pooled.csv").set_index("metric")
    figures = [read_json(path)["performance"]["figures"] for path in releases]
    values = [{row["metric"]: row["value"] for row in each} for each in figures]
    for metric in ("auroc", "oe_ratio", "calibration_slope"):
        own = [each[metric] for each in values]
        assert min(own) < pooled.loc[metric, "value"] < max(own)
        assert pooled.loc[metric, "predicted_low"] < pooled.loc[metric, "low"]
    page = (together / "combined.html").read_text(encoding="utf-8")
    assert "Hospital 1" in page


def test_a_hospital_with_another_outcome_is_refused(shared, tmp_path) -> None:
    table, info = study_rows(400, 9)
    info = info | {"outcome": info["outcome"] | {"formula": "vas_day3 >= 5"}}
    study = write_shared_study(tmp_path / "study", rows=(table, info))
    done = run_here("deployment.share", study, "--site", "B", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    releases = [shared / "release.json", tmp_path / "out" / "release.json"]
    done = run_here("deployment.share", "--combine", *releases, "--out", tmp_path / "together")
    assert done.returncode == 1
    assert "another outcome.formula" in done.stderr


def test_few_test_patients_hide_the_performance(tmp_path) -> None:
    study = write_shared_study(tmp_path / "study", patients=120, test=0.2)
    done = run_here("deployment.share", study, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert read_json(tmp_path / "out" / "release.json")["performance"] is None
    assert not (tmp_path / "out" / "curves.csv").exists()
    assert "performance is not shared" in (tmp_path / "out" / "release.html").read_text()


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda study: (study / "evaluation" / "winner.json").unlink(), "no best model"),
        (
            lambda study: write_json(
                {"status": "not_fitted", "reason": "too few", "label": "x", "model": "lr"},
                study / "models" / "lr" / "model.json",
            ),
            "dropped out",
        ),
    ],
)
def test_refusals(tmp_path, break_it, words) -> None:
    study = write_shared_study(tmp_path / "study", patients=120)
    break_it(study)
    done = run_here("deployment.share", study, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert words in done.stderr
    assert not (study / LEDGER).exists()


def test_what_cannot_be_shared(tmp_path) -> None:
    published = {"protocol": "ge2025", "mode": "as_published"}
    leaking = write_shared_study(tmp_path / "leaking", patients=60, **published)
    done = run_here("deployment.share", leaking, "--out", tmp_path / "out")
    assert "Results of mode: as_published are not shared" in done.stderr
    none = write_shared_study(tmp_path / "none", patients=60, split={"design": "none"})
    done = run_here("deployment.share", none, "--out", tmp_path / "out")
    assert "shares what nested cross-validation judged" in done.stderr
    done = run_here("deployment.share", "--out", tmp_path / "out")
    assert "Either one study is shared" in done.stderr
