"""Predict new patients with a frozen model: one patient's values, with a CT or without, or a table.

The options of one patient are the model's own: ``vertebromics predict MODEL --help`` lists them.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from deployment.form import form_page
from deployment.images import Scan, extract_features
from deployment.page import patient_page, table_page
from deployment.prediction import (
    MISSING_PREDICTOR,
    NO_FEATURES,
    PREDICTED,
    REFUSED,
    facts_of,
    predict,
)
from deployment.studies import read_study
from deployment.values import ONE, one_patient, read_patients
from models.frozen.card import seen_of
from models.frozen.model import FrozenModel, Predictor, load_frozen
from pipeline.core import command
from pipeline.core.errors import StudyError, VertebromicsError
from pipeline.core.files import whole_file, write_json, write_table

logger = logging.getLogger("vertebromics")

#: Begins the name under which the command line keeps a predictor's value.
VALUE = "value of "


def predict_table(model: FrozenModel, path: Path, out: Path) -> pd.DataFrame:
    """Predict the patients of a table and write ``predictions`` and ``prediction.html``.

    Parameters
    ----------
    model : FrozenModel
        The model.
    path : pathlib.Path
        Table of new patients.
    out : pathlib.Path
        Folder of the results.
    """
    return _write_rows(model, predict(model, read_patients(model, path)), out)


def predict_study(
    model: FrozenModel, folder: Path, out: Path, reader: str | None = None
) -> pd.DataFrame:
    """Predict the patients of a study with images and write what `predict_table` writes.

    Parameters
    ----------
    model : FrozenModel
        The model.
    folder : pathlib.Path
        ``results/<study>`` of the new patients, run to its features.
    out : pathlib.Path
        Folder of the results.
    reader : str, optional
        Whose masks count.
    """
    values, without = read_study(model, folder, reader)
    rows = predict(model, values)
    lost = pd.DataFrame({"unit_id": without, "status": REFUSED, "reason": NO_FEATURES, "about": ""})
    if len(lost):
        rows = pd.concat([rows, lost.reindex(columns=rows.columns).astype(rows.dtypes)])
    return _write_rows(model, rows.reset_index(drop=True), out)


def _write_rows(model: FrozenModel, rows: pd.DataFrame, out: Path) -> pd.DataFrame:
    write_table(rows, out / "predictions.parquet", csv=True)
    _write_page(table_page(model, rows), out)
    predicted = int((rows["status"] == PREDICTED).sum())
    logger.info("%d predicted, %d without a risk", predicted, len(rows) - predicted)
    return rows


def predict_one(
    model: FrozenModel,
    given: dict[str, str],
    out: Path,
    scan: Scan | None = None,
    *,
    move_mask: bool = True,
) -> dict:
    """Predict one patient and write ``prediction.json`` and ``prediction.html``.

    Parameters
    ----------
    model : FrozenModel
        The model.
    given : dict
        Predictor -> value as text.
    out : pathlib.Path
        Folder of the results.
    scan : Scan, optional
        CT and mask, for a model of radiomic features.
    move_mask : bool
        Whether the page says how far the risk moves with the mask's boundary.

    Raises
    ------
    StudyError
        If a value that the model needs is missing.
    CaseError
        If CT or mask break a rule of the model.
    """
    radiomic = any(one.block == "radiomics" and one.used for one in model.predictors)
    if radiomic and scan is None:
        raise StudyError(
            "A model of radiomic features needs them of every patient",
            found="clinical values alone",
            where="command line",
            remedy="give --image, --mask and --level; or a table that holds the features",
            code="radiomic-values-missing",
        )
    values = one_patient(model, given)
    findings, facts_of_ct, moved = [], [], {}
    if scan is not None:
        with tempfile.TemporaryDirectory() as folder:
            extracted = extract_features(model, scan, Path(folder), move_mask=move_mask)
        findings, facts_of_ct = extracted.findings, extracted.facts
        moved = {
            name: None if features is None else _risk_of(model, values, features)
            for name, features in extracted.moved.items()
        }
        values = with_features(model, values, extracted.features)
    row = predict(model, values).iloc[0].to_dict()
    if row["reason"] == MISSING_PREDICTOR:
        lacking = row["about"].split("|")
        raise StudyError(
            "A patient must have every value that the model cannot fill in",
            found=f"none of {', '.join(lacking)}",
            where=ONE,
            remedy=f"give {' '.join(option_of(name) + ' VALUE' for name in lacking)}; no training "
            "patient was without it",
            code="patient-values-missing",
        )
    known = values.iloc[0].to_dict()
    facts = facts_of(model, row) | {"values": _plain(known)}
    facts["ct"] = [dict(zip(("fact", "value", "note"), fact, strict=True)) for fact in facts_of_ct]
    facts["findings"] = [asdict(each) for each in findings]
    facts["moved_mask"] = moved
    write_json(facts, out / "prediction.json")
    _write_page(patient_page(model, known, row, findings, facts_of_ct, moved), out)
    logger.info("risk of %s: %.1f%%", model.outcome["label"], 100 * row["risk"])
    return facts


def with_features(
    model: FrozenModel, values: pd.DataFrame, features: Mapping[str, float]
) -> pd.DataFrame:
    """Return values with the features that the model wants, missing ones as NaN."""
    wanted = [one.name for one in model.predictors if one.block == "radiomics"]
    return values.assign(**{name: float(features.get(name, np.nan)) for name in wanted})


def _risk_of(model: FrozenModel, values: pd.DataFrame, features: Mapping[str, float]) -> float:
    return float(model.calibrated(model.risk(with_features(model, values, features)))[0])


def option_of(name: str) -> str:
    """Return the option of the command line that gives a predictor's value.

    Names that differ in nothing but hyphens and underscores keep their own spelling.
    """
    option = f"--{name.replace('_', '-')}"
    return option if option not in OWN_OPTIONS else f"--value-{name.replace('_', '-')}"


OWN_OPTIONS = (
    *(
        "--help",
        "--out",
        "--form",
        "--study",
        "--reader",
        "--image",
        "--mask",
        "--level",
        "--series",
        "--label",
    ),
    *("--mask-as-it-is", "--second-mask", "--second-label"),
)


SITE = "--site"
"""Second name of the option of the site, whatever its column is called."""


def _plain(values: dict) -> dict:
    return {name: None if pd.isna(value) else value for name, value in values.items()}


def _write_page(page: str, out: Path) -> None:
    with whole_file(out / "prediction.html") as beside:
        beside.write_text(page, encoding="utf-8")


def _help_of(one: Predictor) -> str:
    needed = "required" if one.required else "may be left out"
    return f"{one.title}; seen: {seen_of(one)}; {needed}".replace("%", "%%")


def main(options: argparse.Namespace) -> None:
    """Predict what the command line asks for."""
    model = load_frozen(options.model)
    given = {
        name.removeprefix(VALUE): value
        for name, value in vars(options).items()
        if name.startswith(VALUE) and value is not None
    }
    scan = _scan_of(options)
    if options.form:
        with whole_file(options.out / "form.html") as beside:
            beside.write_text(form_page(model), encoding="utf-8")
        logger.info("page: %s", options.out / "form.html")
        return
    alone = bool(given) or scan is not None
    ways = [alone, options.table is not None, options.study is not None]
    if sum(ways) != 1:
        raise StudyError(
            "A model predicts a table, a study, or one patient whose values are given as options",
            found="neither" if not any(ways) else "both",
            where="command line",
            remedy="name a table of patients, or values such as "
            f"{' '.join(option_of(one.name) + ' VALUE' for one in model.predictors[-2:])}, or "
            "--study results/NEW",
            code="predict-table-or-patient",
        )
    if alone:
        predict_one(model, given, options.out, scan, move_mask=not options.mask_as_it_is)
    elif options.study is not None:
        predict_study(model, options.study, options.out, options.reader)
    else:
        predict_table(model, options.table, options.out)
    logger.info("page: %s", options.out / "prediction.html")


def _scan_of(options: argparse.Namespace) -> Scan | None:
    needed = [options.image, options.mask, options.level]
    alone = (options.series, options.label, options.second_mask, options.second_label)
    if not any(needed) and all(each is None for each in alone):
        return None
    if not all(needed):
        raise StudyError(
            "An image needs its mask and its level, and they need an image",
            found=", ".join(
                f"no --{name}" for name in ("image", "mask", "level") if not getattr(options, name)
            ),
            where="command line",
            remedy="give --image, --mask and --level",
            code="image-mask-level-together",
        )
    second = (options.second_mask, options.second_label)
    return Scan(options.image, options.mask, options.level, options.series, options.label, *second)


def _arguments(argv: Sequence[str]) -> argparse.ArgumentParser:
    """Return the command's parser, with the options of the model that `argv` names."""
    arguments = command.parser("deployment.predict", __doc__)
    arguments.allow_abbrev = False
    arguments.add_argument("model", type=Path, help="file of the model (.vbm)")
    arguments.add_argument("table", type=Path, nargs="?", help="table of new patients")
    arguments.add_argument("--out", required=True, type=Path, help="folder of the results")
    arguments.add_argument(
        "--form",
        action="store_true",
        help="write form.html: an offline page on which values are typed (logistic models without "
        "images)",
    )
    group = arguments.add_argument_group("A study of new patients, run to its features")
    group.add_argument("--study", type=Path, help="its results: results/<study>")
    group.add_argument("--reader", help="reader whose masks are used, if there are several")
    group = arguments.add_argument_group("CT and mask of one patient")
    for name, kind, text in (
        ("image", Path, "CT: DICOM folder, NIfTI or NRRD"),
        ("mask", Path, "mask of the vertebra"),
        ("level", str, "its level, such as L1"),
        ("series", str, "series of the DICOM folder, where it holds several"),
        ("label", str, "number or name of the structure in the mask"),
        ("second-mask", Path, "another reader's mask, to see how much the risk changes"),
        ("second-label", str, "number or name of the structure in the second mask"),
    ):
        group.add_argument(f"--{name}", type=kind, help=text)
    group.add_argument(
        "--mask-as-it-is",
        action="store_true",
        help="do not compute the risks with the mask eroded and dilated by 1 mm",
    )
    file = next((Path(word) for word in argv if word.endswith(".vbm")), None)
    if file is not None:
        group = arguments.add_argument_group("values of one patient")
        predictors = _predictors_of(file)
        options = Counter(option_of(one.name) for one in predictors)
        for one in predictors:
            name, dest = option_of(one.name), f"{VALUE}{one.name}"
            names = [name if options[name] == 1 else f"--{one.name}"]
            if one.block == "site" and SITE not in options:
                names.append(SITE)
            group.add_argument(*names, dest=dest, metavar="VALUE", help=_help_of(one))
    return arguments


def _predictors_of(file: Path) -> list[Predictor]:
    """Return a model's predictors without features; end the process where it is none."""
    try:
        model = load_frozen(file)
    except VertebromicsError as error:
        raise SystemExit(str(error)) from None
    return [one for one in model.predictors if one.block != "radiomics"]


if __name__ == "__main__":
    command.run(main, _arguments(sys.argv[1:]))
