"""Remedies of the section of docs/bad_inputs.md of this name."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp

from deployment import share
from deployment.sharing.ledger import LEDGER
from pipeline.core.errors import VertebromicsError
from pipeline.core.files import read_json, read_table, write_json, write_table
from pipeline.core.fit_status import not_fitted
from tests.remedies import Remedy, refused
from tests.support.shared_study import study_rows, write_shared_study

SECTION = "Shared results"


@functools.cache
def rows() -> tuple:
    return study_rows(400, 7)


@functools.cache
def good() -> Path:
    """Return a study that can be shared; nothing may be written into it."""
    return study_of(Path(mkdtemp()) / "study", 200)


def study_of(folder: Path, patients: int, **options: object) -> Path:
    """Write a study of the first patients."""
    table, info = rows()
    return write_shared_study(folder, rows=(table.head(patients), info), **options)


def given(*words: object) -> None:
    """Call the command as people type it; every count stands for five patients at least."""
    parser = share._arguments()
    share.main(parser.parse_args([*map(str, words), "--fewest", "5"]))


def check(bad_input: str, door: Callable[[], object], remedy: str) -> VertebromicsError:
    return refused(SECTION, bad_input, door, remedy)


def copy(folder: Path) -> Path:
    shutil.copytree(good(), folder)
    return folder


def few_events(tmp: Path) -> None:
    table, info = rows()
    table = table.head(200).copy()
    events = table.index[table["outcome"] == 1]
    table.loc[events[4:], "outcome"] = 0
    few = write_shared_study(tmp / "few", rows=(table, info), split={"folds": 2})
    bad = "Share: too few patients with the outcome, or without"
    check(bad, lambda: given(few, "--out", tmp / "o"), "share results of more patients")
    given(copy(tmp / "more"), "--out", tmp / "o")


def known_before(tmp: Path) -> None:
    table, info = rows()
    first = study_of(tmp / "first", 200)
    given(first, "--out", tmp / "o")
    new = table.iloc[200:230].assign(outcome=0)
    new.iloc[:2, new.columns.get_loc("outcome")] = 1
    later = write_shared_study(
        tmp / "later",
        rows=(table.head(230).assign(outcome=[*table["outcome"][:200], *new["outcome"]]), info),
    )
    shutil.copy(first / LEDGER, later / LEDGER)
    bad = "Share: a small count that an earlier release, or what is printed, gives away"
    check(bad, lambda: given(later, "--out", tmp / "o"), "when more patients have been added")
    more = study_of(tmp / "more", 400)
    shutil.copy(first / LEDGER, more / LEDGER)
    given(more, "--out", tmp / "o")


def few_patients_more(tmp: Path) -> None:
    first, later = copy(tmp / "first"), study_of(tmp / "later", 203)
    given(first, "--out", tmp / "o")
    shutil.copy(first / LEDGER, later / LEDGER)
    bad = "Share: a few patients more, or fewer, than in an earlier release"
    check(bad, lambda: given(later, "--out", tmp / "o"), "when at least 5 have changed")
    more = study_of(tmp / "more", 400)
    shutil.copy(first / LEDGER, more / LEDGER)
    given(more, "--out", tmp / "o")


def leaking(tmp: Path) -> None:
    published = study_of(tmp / "published", 60, protocol="ge2025", mode="as_published")
    bad = "Share: a study in the published order, which leaks"
    check(bad, lambda: given(published, "--out", tmp / "o"), "mode: rigorous")
    given(copy(tmp / "rigorous"), "--out", tmp / "o")


def another_model(tmp: Path) -> None:
    study = copy(tmp / "study")
    bad = "Share: a model that the study has not trained"
    check(bad, lambda: given(study, "--model", "svm", "--out", tmp / "o"), "say --model lr")
    given(study, "--model", "lr", "--out", tmp / "o")


def dropped_out(tmp: Path) -> None:
    study = copy(tmp / "study")
    shutil.copytree(study / "models" / "lr", study / "models" / "svm")
    label = {"model": "lr", "label": "Logistic regression"}
    write_json(not_fitted("too few events") | label, study / "models" / "lr" / "model.json")
    bad = "Share: a model that dropped out"
    check(bad, lambda: given(study, "--out", tmp / "o"), "another model by --model")
    given(study, "--model", "svm", "--out", tmp / "o")


def not_nested(tmp: Path) -> None:
    study = study_of(tmp / "study", 200, split={"design": "none"})
    bad = "Share: a study without a hold-out whose model was not judged by nested cross-validation"
    check(bad, lambda: given(study, "--out", tmp / "o"), "add the model to `nested.models`")
    split = read_table(study / "tables" / "split.parquet")
    risk = split["outcome"].map({0: 0.25, 1: 0.4}) + split["fold"].clip(0) / 50
    nested = split[["unit_id", "patient_id", "outcome"]].assign(
        repeat=0, fold=split["fold"].clip(0), probability=risk, threshold=0.3
    )
    write_table(nested, study / "nested" / "lr_predictions.parquet")
    given(study, "--out", tmp / "o")


def a_persons_name(tmp: Path) -> None:
    study, handed = copy(tmp / "study"), tmp / "handed" / "MUSTERMANN_ERIKA_19480317"
    handed.mkdir(parents=True)
    (handed / "note.txt").write_text("empty")
    words = (study, "--source", tmp / "handed", "--out", tmp / "o", "--site")
    bad = "Share: what identifies a person, in a label, a level or the name of the site"
    check(bad, lambda: given(*words, "ward MUSTERMANN_ERIKA_19480317"), "rename the label")
    assert not (study / LEDGER).exists()
    given(*words, "Hospital A")


def an_id_as_level(tmp: Path) -> None:
    table, info = rows()
    table = table.head(200).copy()
    named = table["trauma"].replace("yes", table["patient_id"].iloc[3])
    study = write_shared_study(tmp / "study", rows=(table.assign(trauma=named), info))
    bad = "Share: an id of the study as the name of a column, a level or a reader"
    check(bad, lambda: given(study, "--out", tmp / "o"), "rename what has the same name")
    given(copy(tmp / "renamed"), "--out", tmp / "o")


def a_folder_taken(tmp: Path) -> None:
    study = copy(tmp / "study")
    bad = "Share: a folder that holds something else"
    check(bad, lambda: given(study, "--out", study), "name a new folder")
    given(study, "--out", tmp / "o")


def nothing_named(tmp: Path) -> None:
    bad = "Share: neither a study nor releases, or both"
    check(bad, lambda: given("--out", tmp / "o"), "name results/<study>")
    given(copy(tmp / "study"), "--out", tmp / "o")


@functools.cache
def releases() -> tuple[Path, Path]:
    """Return the releases of two hospitals."""
    folder = Path(mkdtemp())
    shutil.copytree(good(), folder / "one")
    other = write_shared_study(folder / "two", patients=200, seed=8)
    given(folder / "one", "--site", "one", "--out", folder / "a")
    given(other, "--site", "two", "--out", folder / "b")
    return folder / "a" / "release.json", folder / "b" / "release.json"


def together(tmp: Path, *paths: Path) -> None:
    given("--combine", *paths, "--out", tmp / "together")


def no_release(tmp: Path) -> None:
    (tmp / "x.json").write_text("{}")
    bad = "Share --combine: a file that is no release, or one that was changed"
    check(bad, lambda: together(tmp, tmp / "x.json", releases()[1]), "name the file release.json")
    together(tmp, *releases())


def one_release(tmp: Path) -> None:
    bad = "Share --combine: one release alone"
    check(bad, lambda: together(tmp, releases()[0]), "name the release.json of each")
    together(tmp, *releases())


def another_contract(tmp: Path) -> None:
    table, info = study_rows(200, 8)
    info = info | {"outcome": info["outcome"] | {"formula": "vas_day3 >= 5"}}
    other = write_shared_study(tmp / "other", rows=(table, info))
    given(other, "--site", "two", "--out", tmp / "b")
    bad = "Share --combine: releases of another outcome, predictor, parameter or option"
    paths = (releases()[0], tmp / "b" / "release.json")
    check(bad, lambda: together(tmp, *paths), "agree on one configuration")
    together(tmp, *releases())


def twice(tmp: Path) -> None:
    one, other = releases()
    (tmp / "again.json").write_text(one.read_text())
    bad = "Share --combine: a hospital twice"
    check(bad, lambda: together(tmp, one, tmp / "again.json"), "the latest release of each")
    together(tmp, one, other)
    assert len(read_json(one)["counts"]) > 3


REMEDIES: dict[str, Remedy] = {
    "Share: too few patients with the outcome, or without": few_events,
    "Share: a small count that an earlier release, or what is printed, gives away": known_before,
    "Share: a few patients more, or fewer, than in an earlier release": few_patients_more,
    "Share: a study in the published order, which leaks": leaking,
    "Share: a model that the study has not trained": another_model,
    "Share: a model that dropped out": dropped_out,
    "Share: a study without a hold-out whose model was not judged by nested cross-validation": (
        not_nested
    ),
    "Share: what identifies a person, in a label, a level or the name of the site": a_persons_name,
    "Share: an id of the study as the name of a column, a level or a reader": an_id_as_level,
    "Share: a folder that holds something else": a_folder_taken,
    "Share: neither a study nor releases, or both": nothing_named,
    "Share --combine: a file that is no release, or one that was changed": no_release,
    "Share --combine: one release alone": one_release,
    "Share --combine: releases of another outcome, predictor, parameter or option": (
        another_contract
    ),
    "Share --combine: a hospital twice": twice,
}
