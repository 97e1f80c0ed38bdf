"""Remedies of the rows of docs/bad_inputs.md on perturbed images and masks."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk

from models.transformers.ccc_filter import CCCFilter
from pipeline.comparison.agreement.perturbed_units import check_any_perturbed
from pipeline.core.problems import Problems
from pipeline.extraction import open_scan
from pipeline.extraction.perturbations.drawing import Strength, check_chain, draws_of
from pipeline.extraction.perturbations.grids import Move, moved_crop, place
from pipeline.extraction.perturbations.repeating import repeat_masks
from pipeline.study.config import resolve_config
from pipeline.study.config_checks import ReaderOptions, check_model_reader
from pipeline.study.sections.perturbing import Perturbations
from tests.models.transformers import test_perturbed
from tests.pipeline.extraction.perturbations import test_grids
from tests.pipeline.study.test_config import MODELLED, REPLAYED
from tests.remedies import Remedy, refused

SECTION = "Configuration"
MASKS = {"features": None, "cases": "c.csv"}
ROBUST = {"selection": {"robustness": "perturbations"}}
READERS = {"selection": {"robustness": "readers"}}

OPTIONS: dict[str, Sequence[tuple[dict, str, list[dict]]]] = {
    "Perturbations in a study of ready feature tables": [
        (
            {"perturbations": {"repetitions": 10}},
            r"write `perturbations: \{repetitions: 0\}`, or start the study from `cases`",
            [{"perturbations": {"repetitions": 0}}, MASKS],
        ),
    ],
    "A selection by perturbations without perturbed extractions": [
        (
            MASKS | ROBUST,
            r"write `perturbations: \{repetitions: 30\}`, or `robustness: readers`",
            [{"perturbations": {"repetitions": 30}}, READERS],
        ),
    ],
    "The published order with a selection by perturbations": [
        (
            REPLAYED | MASKS | ROBUST | {"perturbations": {"repetitions": 10}},
            "write `robustness: readers`, or `mode: rigorous`",
            [READERS, {"mode": "rigorous"}],
        ),
    ],
}


def options(name: str, _: Path) -> None:
    for bad, remedy, goods in OPTIONS[name]:
        given = MODELLED | bad
        refused(SECTION, name, lambda given=given: resolve_config(given), remedy)
        for good in goods:
            resolve_config(given | good)


def unknown_reader(_: Path) -> None:
    def check(reader: str | None) -> None:
        problems = Problems("the readers")
        options = ReaderOptions(
            model_reader="A",
            simulated_reader=None,
            outcome=None,
            perturbations=Perturbations(reader=reader),
        )
        check_model_reader(options, ["A", "B"], problems)
        problems.raise_if_any()

    name = "`perturbations.reader` is none of the readers"
    refused(SECTION, name, lambda: check("C"), "write one of A, B, or null")
    check("B")
    check(None)


def no_grid(_: Path) -> None:
    name = "A chain that moves or blurs images which are not interpolated by B-splines"
    chain = ["noise", "volume"]
    for bad in ({"resampledPixelSpacing": None}, {"interpolator": "sitkLinear"}):
        params = test_grids.params_of(**bad)
        refused(
            SECTION,
            name,
            lambda params=params: check_chain(chain, params),
            r"write `chain: \[volume, contour\]`, or set resampledPixelSpacing and "
            "`interpolator: sitkBSpline`",
        )
        check_chain(["volume", "contour"], params)
    check_chain(chain, test_grids.params_of())


def no_spline(_: Path) -> None:
    name = "A CT that the fast engine cannot interpolate, with a chain that changes images"
    ct, mask = test_grids.images()
    params = test_grids.params_of()
    wide = sitk.Cast(ct, sitk.sitkInt64)

    def perturbed(image: sitk.Image) -> object:
        scan = open_scan(image, params)
        return moved_crop(scan, place(scan, mask, 1), Move((0.2, 0.0, 0.0)))

    refused(SECTION, name, lambda: perturbed(wide), "store the CT as 16-bit whole numbers")
    perturbed(sitk.Cast(wide, sitk.sitkInt16))


def nothing_perturbed(_: Path) -> None:
    name = "A selection by perturbations where no mask could be perturbed"
    found = pd.DataFrame({"unit_id": ["u"], "moment": ["count"]})
    remedy = r"often `perturbations: \{chain: \[volume\]\}` helps; or write `selection:"
    refused(SECTION, name, lambda: check_any_perturbed(found.iloc[:0]), remedy)
    check_any_perturbed(found)
    # What it names: a chain that takes masks of few supervoxels, and a selection without it.
    for good in ({"perturbations": {"repetitions": 10, "chain": ["volume"]}} | ROBUST, READERS):
        resolve_config(MODELLED | MASKS | good)


def few_supervoxels(_: Path) -> None:
    name = "A region of fewer than four supervoxels, with `contour` in the chain"
    params = test_grids.params_of()
    ct, mask = test_grids.images()

    def perturbed(chain: tuple[str, ...]) -> list:
        draws = draws_of(Strength(chain), [1], 1, "S", "C")
        return list(repeat_masks(open_scan(ct, params).crop(mask, 1), draws, params, "fast"))

    whole = ("volume", "contour")
    remedy = "leave contour out of perturbations.chain for all cases; with it this one does not"
    refused(SECTION, name, lambda: perturbed(whole), remedy)
    perturbed(("volume",))


def filtered(**options: object) -> CCCFilter:
    """Fit the filter to units of which two features were perturbed."""
    rng = np.random.default_rng(0)
    units = [f"u{at}" for at in range(12)]
    truth = pd.DataFrame(rng.normal(size=(12, 2)), index=units, columns=["a", "b"])
    known = {
        "robustness": "perturbations",
        "perturbed": test_perturbed.perturbed_of(truth, {"a": 0.1, "b": 0.1}),
        "perturbations": test_perturbed.LIMITS,
        "features": ["a", "b"],
    }
    options = known | options
    X = truth.reindex(columns=options["features"], fill_value=0.0).add_prefix("A:")
    return CCCFilter(("A",), model_reader=None, **options).fit(X)


def no_rows(_: Path) -> None:
    name = "A filter by perturbations without perturbed extractions"
    remedy = "set perturbations.repetitions, and run the study from its images"
    refused(SECTION, name, lambda: filtered(perturbed=None), remedy)
    filtered()


def unknown_kind(_: Path) -> None:
    name = "An unknown kind of robustness"
    refused(SECTION, name, lambda: filtered(robustness="none"), "write one of them")
    for good in ("readers", "perturbations", "both"):
        filtered(robustness=good)


def other_features(_: Path) -> None:
    name = "A feature of the analysis that perturbed masks lack"
    refused(SECTION, name, lambda: filtered(features=["a", "c"]), "delete this file and run again")
    filtered()


REMEDIES: dict[str, Remedy] = {
    "A selection by perturbations where no mask could be perturbed": nothing_perturbed,
    **{name: functools.partial(options, name) for name in OPTIONS},
    "A filter by perturbations without perturbed extractions": no_rows,
    "An unknown kind of robustness": unknown_kind,
    "A feature of the analysis that perturbed masks lack": other_features,
    "`perturbations.reader` is none of the readers": unknown_reader,
    "A chain that moves or blurs images which are not interpolated by B-splines": no_grid,
    "A region of fewer than four supervoxels, with `contour` in the chain": few_supervoxels,
    "A CT that the fast engine cannot interpolate, with a chain that changes images": no_spline,
}
