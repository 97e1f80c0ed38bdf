"""Remedies of what a configuration leaves out, or cannot choose: rows of Configuration."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from models.learning.tabnet import resolve_device
from models.regression.fitting.logistic import fit_logistic
from models.regression.fitting.terms import Term
from models.transformers.chain import selection_chain
from models.transformers.columns import Columns
from pipeline.reporting.sections.provenance import parameter_file
from pipeline.running.run import study_folder
from pipeline.study.config import resolve_config
from tests.pipeline.study.test_config import MODELLED
from tests.pipeline.tables.test_analysis_columns import INFO
from tests.remedies import Given, Remedy, entries, refused
from tests.support.options import typed

SECTION = "Configuration"


def resolved(_: Path, options: dict) -> dict:
    given = {key: value for key, value in (MODELLED | options).items() if value is not ...}
    return resolve_config(given)


def named(folder: Path, text: str) -> Path:
    (folder / "s.yaml").write_text(text, encoding="utf-8")
    return study_folder([folder / "s.yaml"], [])


def chain_of(_: Path, without: tuple) -> object:
    return selection_chain(
        Columns.from_info(INFO).without_blocks(*without), typed(resolve_config(MODELLED))
    )


ROWS = pd.DataFrame({"age": np.linspace(50.0, 80.0, 40)})
PAIN = (np.arange(40) % 3 == 0).astype(int)
AGE = Term("age", "continuous")
WITHOUT = {"clinical": None, "features": None, "cases": "c.csv"}
BARE = {"outcome": None, "dictionary": None, "eligibility": []}

#: As `tests.remedies.Given`.
CHOICES: dict[str, Given] = {
    "An option that must be given is missing": (
        resolved, [{"outcome": {"formula": "vas >= 4"}}, {"outcome": {"name": "x"}}],
        "(state short name of the outcome|write it as text, such as `formula: vas_)",
        [{"outcome": {"name": "x", "formula": "vas >= 4"}}],
    ),
    "An option that needs the clinical table, without one": (
        resolved, [WITHOUT], "give the path of the clinical table, or remove `outcome`",
        [WITHOUT | {"clinical": "clinical.csv"}, WITHOUT | BARE],
    ),
    "`model_reader` is none of the readers": (
        resolved, [{"model_reader": "C"}], "write one of A, B, mean",
        [{"model_reader": good} for good in ("A", "B", "mean")],
    ),
    "`simulated_reader` is none of the readers": (
        resolved, [{"simulated_reader": "C"}], "write one of A, B, or null",
        [{"simulated_reader": good} for good in ("A", "B", None)],
    ),
    "A configuration file without `study:`": (
        named, ["title: none\n"], "write `study: <name>`", ["title: none\nstudy: pain-2025\n"],
    ),
    "A model without any feature or clinical predictor": (
        chain_of, [("radiomics", "clinical")],
        "give features or clinical predictors; see config keys timing and predictors",
        [("radiomics",), ("clinical",), ()],
    ),
    "A regression without predictors, or of which none is left": (
        lambda _, terms: fit_logistic(ROWS, PAIN, terms), [()], "name one at least", [(AGE,)],
    ),
}  # fmt: skip


def no_gpu(_: Path) -> None:
    """Where torch is built for CUDA and sees a GPU, `cuda` is taken; the others always are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: False)
        refused(
            SECTION, "`device: cuda` where no GPU is seen", lambda: resolve_device("cuda"),
            "install torch for CUDA, or set device to auto or cpu",
        )  # fmt: skip
        assert resolve_device("auto") == resolve_device("cpu") == "cpu"
        patch.setattr(torch.cuda, "is_available", lambda: True)
        assert resolve_device("cuda") == "cuda"


class OfImages(dict):
    """Options of a study with images, as the results of a study hand them out."""

    imaging = True


def parameters_elsewhere(folder: Path) -> None:
    """The path of the configuration is read from the folder of the run."""
    (folder / "run").mkdir()
    (folder / "run" / "mine.yaml").write_text("setting: {}\n", encoding="utf-8")
    results = OfImages({"extraction.params": "mine.yaml"})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        refused(
            SECTION, "A parameter file that was moved before the report was written",
            lambda: parameter_file(results), "run in the folder in which the study was run",
        )  # fmt: skip
        patch.chdir(folder / "run")
        assert parameter_file(results) == Path("mine.yaml")


REMEDIES: dict[str, Remedy] = {
    **entries(SECTION, CHOICES),
    "`device: cuda` where no GPU is seen": no_gpu,
    "A parameter file that was moved before the report was written": parameters_elsewhere,
}
