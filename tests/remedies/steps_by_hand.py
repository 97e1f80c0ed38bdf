"""Remedies of stages that are called by hand, or on results of an earlier version."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml

from demo.feature_names import feature_names
from demo.tables import simulate_tables
from models import ablate
from models.evaluate import _paired_paths
from models.scoring.evaluation import evaluate, primary_model
from models.split import split_table
from models.study_files.inputs import read_inputs
from models.transformers.columns import Columns
from pipeline import extract, preflight
from pipeline.core.files import read_json, read_table, write_json, write_table
from pipeline.core.fit_status import REASON
from pipeline.core.sections import section_of
from pipeline.extraction import load_params
from pipeline.gather import gather
from pipeline.preflight import judge
from pipeline.reporting.leaking import rows_added
from pipeline.reporting.result_files import facts_of
from pipeline.reproducibility import describe_agreement
from pipeline.resample import resample_masks, select_masks
from pipeline.running.provenance import versions
from pipeline.study.config import resolve_config
from pipeline.study.sections.judging import Primary
from pipeline.study.sections.tabnet import Tabnet
from pipeline.study.study import open_study
from pipeline.tables.split_options import Split
from tests.conftest import REPOSITORY
from tests.models import test_evaluate, test_split
from tests.pipeline import (
    test_gather,
    test_join,
    test_preflight,
    test_reproducibility,
    test_resample,
)
from tests.pipeline.extraction import test_verification
from tests.pipeline.tables.test_analysis_columns import INFO
from tests.remedies import Given, Remedy, called, entries, refused
from tests.support.options import typed

SECTION = "Steps run by hand, or after an update"


def row(bad_input: str, door: Callable[[], object], remedy: str) -> None:
    refused(SECTION, bad_input, door, remedy)


# --- The folder of a study -----------------------------------------------------------------------


def frozen(folder: Path, **options: object) -> Path:
    """Validate a study of images and return its folder."""
    test_join.write_tables(folder)
    test_join.freeze(folder, **options)
    return folder / "study"


def no_folder(folder: Path) -> None:
    row(
        "A stage without the folder of a validated study", lambda: open_study(folder / "study"),
        "run `snakemake --configfile <your study>.yaml`, or python -m pipeline.validate",
    )  # fmt: skip
    assert open_study(frozen(folder)).readers == ["A", "B"]


def of_features(folder: Path) -> None:
    """A study of images has its imaging stages; the other one needs none."""
    (folder / "ready").mkdir()
    text = yaml.safe_dump({"study": "t", "features": {"A": "a.csv"}, "results": "results"})
    (folder / "ready" / "study.yaml").write_text(text, encoding="utf-8")
    row(
        "An imaging stage in a study that starts from feature tables",
        lambda: open_study(folder / "ready").select_cases(),
        "a study that starts from `features` has no imaging stages",
    )  # fmt: skip
    assert len(open_study(frozen(folder)).select_cases())


OPTIONS = resolve_config({"study": "s", "features": {"A": "a.csv"}})["tabnet"]


def trained(info: dict) -> SimpleNamespace:
    """Return as much of a study's results as is asked for: what is known of a model."""
    models = {"lr": SimpleNamespace(info=info)}
    return SimpleNamespace(modelling=SimpleNamespace(models=models))


# --- Images --------------------------------------------------------------------------------------

JUDGED = test_preflight.tables({"s1": []}, [("c1", "s1", "A", [], "h")])


def without_verdict(_: Path, rows: int) -> pd.DataFrame:
    cases, ingest, masks, verdicts = test_resample.tables({"A": "ok", "B": "ok"})
    return select_masks(cases, ingest, masks, verdicts[:rows])


def preflight_tables(folder: Path) -> None:
    """The gathered verdicts of a study whose batches were judged."""
    study = frozen(folder)
    batches = open_study(study).select_cases().assign(verdict="ok", findings="[]")
    keys = ["case_id", "reader"]
    command = ["pipeline.preflight", "--study", study, "--gather", folder / "batches"]
    command += ["--out", folder / "verdicts.parquet"]
    tables = []
    for name, columns in (("ingest", ["scan_id"]), ("masks", ["scan_id", "mask_hash", *keys])):
        schema = getattr(preflight, name.capitalize())
        table = batches.assign(mask_hash=[f"h{n}" for n in range(len(batches))])[columns]
        table = table.drop_duplicates().assign(status="ok", findings="[]")
        write_table(test_join.filled(schema, table), folder / f"{name}.parquet", schema)
        tables += [f"--{name}", folder / f"{name}.parquet"]
    columns = [*keys, "patient_id", "scan_id", "level", "verdict", "findings"]
    for batch, rows in batches.groupby("batch")[columns]:
        path = folder / "batches" / batch / "preflight.parquet"
        write_table(test_join.filled(preflight.Preflight, rows), path, preflight.Preflight)
    row(
        "preflight --gather without --ingest and --masks", lambda: called(*command),
        "name the tables of both stages",
    )  # fmt: skip
    called(*command, *tables)
    assert len(read_table(folder / "verdicts.parquet")) == len(batches)


# --- Gathering -----------------------------------------------------------------------------------

ONE, OTHER = (test_gather._features([case], ["a"]) for case in ("0001", "0002"))
STRANGE = test_gather._features(["0002"], ["b"])


def by_batches(folder: Path) -> None:
    """Both: the study whose batches they are, and the batches of a study of images."""
    study = frozen(folder)
    for batch, rows in open_study(study).select_cases().groupby("batch"):
        (folder / "batches" / batch).mkdir(parents=True)
        features = rows[["case_id", "reader"]].assign(x=1.0)
        features.to_parquet(folder / "batches" / batch / "features.parquet", index=False)
    command = ["pipeline.gather", "--out", folder / "tables" / "features.parquet"]
    of_study, batches = ["--study", study], ["--batches", folder / "batches"]
    row(
        "gather: --batches without --study", lambda: called(*command, *batches),
        "name the folder of the frozen study with --study",
    )  # fmt: skip
    row(
        "gather: no --batches in a study of images", lambda: called(*command, *of_study),
        "name the tables of the batches with --batches",
    )  # fmt: skip
    called(*command, *of_study, *batches)
    assert len(pd.read_parquet(command[-1])) == len(open_study(study).select_cases())


# --- Joining -------------------------------------------------------------------------------------


def joined(folder: Path) -> None:
    """Each table that the printed line names is named, until the join has them all."""
    study = frozen(folder)
    test_join.write_stages(folder)
    command = ["pipeline.join", "--study", study, "--flow", folder / "flow.json"]
    needed = {"features": "features.parquet", "out": "a.parquet", "info": "a.json"}
    needed |= {"preflight": "preflight.parquet", "extraction": "extraction.parquet"}
    for option, name in needed.items():
        row(
            "join: a table that is needed was not named", partial(called, *command),
            "name the table with this option",
        )  # fmt: skip
        command += [f"--{option}", folder / name]
    called(*command)
    assert len(read_table(folder / "a.parquet"))


def without_outcome(folder: Path) -> None:
    """Both ways: a flow alone, or a study that states its outcome."""
    bare = {"clinical": None, "dictionary": None, "outcome": None, "eligibility": []}
    study = frozen(folder, aggregation=None, **bare)
    test_join.write_stages(folder)
    command = ["pipeline.join", "--study", study, "--flow", folder / "flow.json"]
    for name in ("features", "preflight", "extraction"):
        command += [f"--{name}", folder / f"{name}.parquet"]
    command += ["--out", folder / "a.parquet", "--info", folder / "a.json"]
    row(
        "join: a study without an outcome", lambda: called(*command),
        "set `clinical`, `dictionary` and `outcome`, or pass --flow-only",
    )  # fmt: skip
    called(*command, "--flow-only")
    assert read_json(folder / "flow.json")["steps"]
    test_join.freeze(folder)
    called(*command)
    assert len(read_table(folder / "a.parquet"))


def split_of_others(folder: Path) -> None:
    table, info = simulate_tables(60, 11, features=feature_names()[:60]).analysis()
    parts = split_table(table, typed(test_split.OPTIONS, Split), 0)
    files = [folder / name for name in ("analysis.parquet", "analysis.json", "split.parquet")]
    write_table(table, files[0])
    write_json(info, files[1])
    write_table(parts[1:], files[2])
    row(
        "Analysis table and split of different units", lambda: read_inputs(*files),
        "run the stage split again",
    )  # fmt: skip
    write_table(parts, files[2])
    assert len(read_inputs(*files)[1]) == 60


# --- Judging -------------------------------------------------------------------------------------


def paired(_: Path, infos: list[str]) -> object:
    named = [Path(model, "predictions.parquet") for model in ("lr", "rf")]
    return _paired_paths(named, [Path(model, "model.json") for model in infos])


def evaluated(_: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> object:
    return evaluation(change)


@cache  # that of whole predictions is the end of several remedies
def evaluation(change: Callable[[pd.DataFrame], pd.DataFrame]) -> object:
    predictions = {"lr": test_evaluate.predicted(1, 2.0)}
    predictions["rf"] = change(test_evaluate.predicted(2, 1.0))
    infos = {model: test_evaluate.info(model) for model in predictions}
    return evaluate(predictions, infos, *test_evaluate.HOW)


def whole(table: pd.DataFrame) -> pd.DataFrame:
    return table


def of_another_model(folder: Path) -> None:
    """The plan of a model that dropped out needs nothing else of the study."""
    for model in ("lr", "rf"):
        write_json(
            {"model": model, "status": "not_fitted", REASON: "too few"}, folder / f"{model}.json"
        )

    def door(model: str) -> None:
        paths = dict.fromkeys(("study", "analysis", "info", "split"))
        ablate.main(
            SimpleNamespace(model="lr", model_json=folder / f"{model}.json", plan=True, **paths)
        )

    with pytest.MonkeyPatch.context() as patch:
        study = SimpleNamespace(options=lambda kind: None)
        patch.setattr(ablate, "open_study", lambda _: study)
        patch.setattr(ablate, "read_inputs", lambda *_: (None, None))
        patch.setattr(ablate, "training_rows", lambda _: (None, None))
        row(
            "ablate: --model-json of another model", lambda: door("rf"),
            "name the model.json of the model of --model",
        )  # fmt: skip
        door("lr")


def verified(folder: Path) -> None:
    store, sources = test_verification.store_in(folder), test_verification.both_sources()
    params = load_params(test_verification.PARAMS)
    crops = resample_masks(sources.masks.merge(sources.ingest, on="scan_id"), store, params)
    study = test_verification.study_of(store, sources, crops, folder)
    extract.main(study)
    for option in ("batches", "extraction", "features", "ingest", "masks"):
        row(
            "verify: tables of the study are missing",
            lambda option=option: test_verification.gather(study, folder, **{option: None}),
            "name the table with this option",
        )  # fmt: skip
    assert len(test_verification.gather(study, folder)) == 2


def missing_result(folder: Path) -> None:
    """What the named command makes."""
    row(
        "report: a result is missing", lambda: facts_of(folder, "evaluation/facts.json"),
        "run `snakemake --configfile <your study>.yaml report`",
    )  # fmt: skip
    (folder / "evaluation").mkdir()
    write_json({"models": 1}, folder / "evaluation" / "facts.json")
    assert facts_of(folder, "evaluation/facts.json") == {"models": 1}


def pinned(folder: Path, content: str | None) -> pd.DataFrame:
    lock = folder / "requirements.txt"
    if content is None:
        lock.unlink(missing_ok=True)
    else:
        lock.write_text(content, encoding="utf-8")
    return versions(lock)


WINNER = Primary(model="winner", part="test", metric="auroc")
ANALYSIS = pd.DataFrame(
    {"unit_id": ["1"], "age": 60, "goutallier": 1.0, "cleft": "no", "shape": "flat"}
    | {name: [1.0] for name in Columns.from_info(INFO).radiomics}
)
FEATURES = test_reproducibility.features_table()

#: As `tests.remedies.Given`.
ROWS: dict[str, Given] = {
    "A study that another version of the program froze": (
        lambda _, values: section_of(Tabnet, values),
        [OPTIONS | {"pateince": 3}, {k: v for k, v in OPTIONS.items() if k != "patience"}],
        "run snakemake, or python -m pipeline.validate, on its configuration", [OPTIONS],
    ),
    "A model that another version trained": (
        lambda _, info: rows_added(trained(info), "lr"), [{"model": "lr"}],
        "run the study again: the same command trains its models anew",
        [{"model": "lr", "oversampled": {"added": True, "why_not": None}}],
    ),
    "A mask that did not pass ingest and masks": (
        lambda _, tables: judge(*tables, {}),
        [(JUDGED[0], JUDGED[1][:0], JUDGED[2]), (JUDGED[0][:0], *JUDGED[1:])],
        "run the stages again for this batch", [JUDGED],
    ),
    "A mask without a verdict of the preflight": (
        without_verdict, [1], "run the stages in their order: ingest, masks, preflight, resample",
        [2],
    ),
    "gather: no table named": (
        lambda _, parts: gather(parts, [f"b{n}" for n in range(len(parts))]), [[]],
        "name the tables of the batches with --batches", [[ONE], [ONE, OTHER]],
    ),
    "gather: batches with different columns": (
        lambda _, parts: gather(parts, ["b0", "b1"]), [[ONE, STRANGE]],
        "remove both and run again; report it if it comes back", [[ONE, OTHER]],
    ),
    "gather: a row in two batches": (
        lambda _, parts: gather(parts, ["b0", "b1"][: len(parts)]), [[ONE, ONE]],
        "remove the tables of batches that the study no longer has, and run again", [[ONE]],
    ),
    "reproducibility: two rows of one case and reader": (
        lambda _, features: describe_agreement(features, ["A", "B"]),
        [pd.concat([FEATURES, FEATURES[:1]])], "run the stages extract and gather again",
        [FEATURES],
    ),
    "An analysis table that lacks a column": (
        lambda _, table: Columns.from_info(INFO).take(table), [ANALYSIS.drop(columns="age")],
        "run the stage join again", [ANALYSIS],
    ),
    "evaluate: models and predictions that do not pair": (
        paired, [["lr"], ["lr", "svm"]], "name predictions and model.json of the same models",
        [["lr", "rf"], ["rf", "lr"]],
    ),
    "evaluate: a prediction that is no probability": (
        evaluated, [lambda t: t.assign(probability=1.3), lambda t: t.assign(probability=np.nan)],
        "run the stage train again", [whole],
    ),
    "evaluate: a model without predictions of held-out patients": (
        evaluated, [lambda t: t.query("part == 'oof'")], "run the stages split and train again",
        [whole],
    ),
    "evaluate: models tested on different units": (
        evaluated, [lambda t: t.iloc[:-1]], "run the stage train again for all models", [whole],
    ),
    "evaluate: `primary.model: winner` without the file of the winner": (
        lambda _, winner: primary_model(WINNER, winner), [None],
        "run the stage winner and pass its file as --winner", ["lr"],
    ),
    "Provenance: a lock file that pins no package": (
        pinned, [None, "", "numpy>=1\n"],
        "run from a checkout of the repository, installed with `make install`",
        [(REPOSITORY / "requirements.txt").read_text(encoding="utf-8")],
    ),
}  # fmt: skip
REMEDIES: dict[str, Remedy] = {
    **entries(SECTION, ROWS),
    "A stage without the folder of a validated study": no_folder,
    "An imaging stage in a study that starts from feature tables": of_features,
    "preflight --gather without --ingest and --masks": preflight_tables,
    "gather: --batches without --study": by_batches,
    "gather: no --batches in a study of images": by_batches,
    "join: a table that is needed was not named": joined,
    "join: a study without an outcome": without_outcome,
    "Analysis table and split of different units": split_of_others,
    "ablate: --model-json of another model": of_another_model,
    "verify: tables of the study are missing": verified,
    "report: a result is missing": missing_result,
}
