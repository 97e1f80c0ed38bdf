"""Remedies of what only the models see, and of patients of a table for `register`."""

from __future__ import annotations

import numpy as np
import pandas as pd
import yaml

from models.learning.one_fit import fit_estimator
from models.learning.procedure import Procedure
from models.optimism import correct_optimism
from tests.conftest import REPOSITORY
from tests.intake.test_register_patients import Folder, cases, register
from tests.models.learning.test_platt import cohort
from tests.models.test_optimism import PLAIN, rows_of
from tests.remedies import Remedy, says
from tests.remedies.table_doors import refused
from tests.support.hospital import write_small
from tests.support.options import typed


def config(**options: object) -> dict:
    text = (REPOSITORY / "config" / "default.yaml").read_text(encoding="utf-8")
    given = yaml.safe_load(text) | {"study": "s", "device": "cpu"}
    given["split"]["folds"] = 3
    given["search"] |= {"iterations": 1, "reduced_iterations": 1}
    given["optimism"] |= {"resamples": 2, "search": "fixed"} | options
    return given


def _single(folder) -> None:
    Z, _, _ = cohort(30, 0)
    y, groups = np.repeat([0, 1], [27, 3]), np.append(np.arange(27), [27, 27, 27])

    def fit(groups: np.ndarray, model: str) -> object:
        return fit_estimator(model, {}, Z, y, groups, typed(config()), seed=0)

    rule = "The probabilities of a support vector machine need patients"
    refused(lambda: fit(groups, "svm"), rule, "use more patients, or leave svm out of models")
    assert fit(np.arange(30), "svm")  # three patients
    assert fit(groups, "lr")  # without svm


def _too_small(folder) -> None:
    columns, table = rows_of(80, 6, 7)
    rare = table.assign(outcome=(np.arange(80) < 10).astype(int))
    final = {"parameters": PLAIN, "threshold": 0.1}

    def correct(**split: object) -> object:
        given = config()
        given["split"] |= split
        options = typed(given)
        procedure = Procedure("lr", columns, options, "reduced")
        return correct_optimism(procedure, rare, final, options.optimism.resamples)

    refused(lambda: correct(folds=9), "Nearly every resample", "use fewer folds")
    assert correct(folds=2)


def _two_spellings(folder) -> None:
    """The remedy is the same where one of the two is another patient: another id."""
    handed = Folder(folder)
    write_small(handed.dicom / "a", "1")
    write_small(handed.dicom / "b", "2", lift=50)
    rows = [{"patient_id": "P001", "image": "a"}, {"patient_id": "p001", "image": "b"}]
    refused(lambda: register(handed, cases(handed, *rows)), "patient_id must be written in one way",
            "write one of them into every row of the patient")  # fmt: skip
    rows[1]["patient_id"] = "P001"
    register(handed, cases(handed, *rows))
    assert len(pd.read_csv(handed.out / "cases.csv")) == 2


def _two_people(folder) -> None:
    handed = Folder(folder)
    for place, sex, lift in (("a", "M", 0), ("b", "F", 50)):
        write_small(handed.dicom / place, place, PatientSex=sex, lift=lift)
    rows = [{"patient_id": "X", "image": "a"}, {"patient_id": "X", "image": "b"}]
    refused(lambda: register(handed, cases(handed, *rows)), "At least one mask must be matched", "")
    says(handed.lines()[0]["check"], "must be of one person", "Remedy: correct patient_id or image")
    rows[1]["patient_id"] = "Y"
    register(handed, cases(handed, *rows))
    assert len(handed.patients()) == 2


REMEDIES: dict[str, Remedy] = {
    "The rarer outcome in a single training patient, svm among the models": _single,
    "Too few different patients of an outcome for resampled folds": _too_small,
    "Register --cases: one patient's id in two spellings": _two_spellings,
    "Register --cases: CTs of two people under one patient_id": _two_people,
}
