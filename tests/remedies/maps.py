"""Remedies of what `vertebromics maps` and `settings` refuse, rows of Configuration."""

from __future__ import annotations

import argparse
import functools
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import pipeline.extraction.maps
from pipeline import settings
from pipeline.core.files import read_table, write_json, write_table
from pipeline.extraction.maps.kernels import kernels
from pipeline.tables.schemas.features.features import Features
from segmentation.maps import _arguments, main
from tests.remedies import Remedy, refused
from tests.support.mapped_study import (
    CONTRAST,
    MEAN,
    SHAPE,
    write_importance,
    write_mapped_study,
)

SECTION = "Configuration"


def draw(folder: Path, *arguments: str) -> None:
    out = folder.parent.parent / "out"
    main(_arguments().parse_args([str(folder), "--out", str(out), *arguments]))
    assert (out / "index.html").exists()


def nothing(_: Path) -> None:
    """Leave the study as it is: the arguments are at fault."""


def no_model(folder: Path) -> None:
    write_json({"model": None}, folder / "evaluation" / "winner.json")


def clinical_model(folder: Path) -> None:
    write_importance(folder, ["age"])


def no_images(folder: Path) -> None:
    (folder / "study" / "cases.parquet").rename(folder / "kept.parquet")


def images(folder: Path) -> None:
    shutil.move(folder / "kept.parquet", folder / "study" / "cases.parquet")


def without(table: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        shutil.move(folder / "tables" / table, folder / table)

    return spoil


def again(table: str) -> Callable[[Path], None]:
    def mend(folder: Path) -> None:
        shutil.move(folder / table, folder / "tables" / table)

    return mend


def no_values(folder: Path) -> None:
    """Leave the reader's masks without a value of what the model selected."""
    path = folder / "tables" / "features.parquet"
    write_table(read_table(path, Features).assign(**{CONTRAST: np.nan, MEAN: np.nan}), path)


#: By row: what spoils the study, the arguments, the remedy, what mends it, and the new arguments.
ROWS: dict[str, tuple] = {
    "Maps: a feature that the study has not": (
        nothing, ["--features", "original_glcm_Contrasts"], "original_firstorder_Mean",
        nothing, ["--features", MEAN],
    ),
    "Maps: shapes alone": (
        nothing, ["--features", SHAPE], "name first-order or texture features",
        nothing, ["--features", SHAPE, MEAN],
    ),
    "Maps: a case without a usable mask of the reader": (
        nothing, ["--case", "p9-L1"], "name a case of tables/extraction.csv",
        nothing, ["--case", "p1-L1"],
    ),
    "Maps: a reader who is none of the study's": (
        nothing, ["--reader", "B"], "name one of A", nothing, ["--reader", "A"],
    ),
    "Maps: no fitted model, and no feature named": (
        no_model, [], "name features: --features original_firstorder_Mean",
        nothing, ["--features", MEAN],
    ),
    "Maps: a model that selected clinical columns alone": (
        clinical_model, [], "name features: --features original_firstorder_Mean",
        nothing, ["--features", MEAN],
    ),
    "Maps: a study whose features were not computed": (
        without("features.parquet"), [], "run `snakemake features", again("features.parquet"), [],
    ),
    "Maps: a reader of whom no mask has a value of the features": (
        no_values, [], "name another reader with --reader, other features .* or a case",
        nothing, ["--case", "p1-L1"],
    ),
    "Maps: a study of ready feature tables": (
        no_images, [], "in a study with a table `cases`", images, [],
    ),
}  # fmt: skip


def mended(name: str, folder: Path) -> None:
    spoil, bad, remedy, mend, good = ROWS[name]
    study = write_mapped_study(folder)
    spoil(study)
    refused(SECTION, name, lambda: draw(study, *bad), remedy)
    mend(study)
    draw(study, *good)


def kernels_that_do_not_fit(
    name: str, spoil: Callable[[pytest.MonkeyPatch], None], folder: Path
) -> None:
    """The remedy builds them (as this checkout's are built); the other engine needs none."""
    study = write_mapped_study(folder)
    kernels.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        spoil(patch)
        refused(SECTION, name, lambda: draw(study), "make install.*--engine pyradiomics")
        draw(study, "--engine", "pyradiomics", "--features", MEAN, "--case", "p1-L1")
    kernels.cache_clear()
    draw(study, "--case", "p1-L1")


def no_kernels(patch: pytest.MonkeyPatch) -> None:
    patch.delattr(pipeline.extraction.maps, "_kernels", raising=False)
    patch.setitem(sys.modules, "pipeline.extraction.maps._kernels", None)


def other_kernels(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(kernels(), "SOURCES_HASH", "0123456789abcdef")
    kernels.cache_clear()


def advice_without_features(folder: Path) -> None:
    """The remedy computes them: as a run up to `features` leaves its tables."""
    name, study = "Settings: a study without images or without features", write_mapped_study(folder)
    features, kept = study / "tables" / "features.parquet", study / "kept.parquet"
    features.rename(kept)
    asked = argparse.Namespace(results=study, out=folder / "settings")
    refused(SECTION, name, lambda: settings.main(asked), "run `snakemake features")
    kept.rename(features)
    settings.main(asked)
    assert (folder / "settings" / "settings.html").exists()


REMEDIES: dict[str, Remedy] = {
    "Settings: a study without images or without features": advice_without_features,
    **{name: functools.partial(mended, name) for name in ROWS},
    **{
        name: functools.partial(kernels_that_do_not_fit, name, spoil)
        for name, spoil in {
            "Maps: kernels that were not built": no_kernels,
            "Maps: kernels of other C sources": other_kernels,
        }.items()
    },
}
