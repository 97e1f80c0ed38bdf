"""The model that is called best: chosen by its cross-validated AUROC, before any is judged.

The command reads what training wrote about its search and no prediction of a test row, so that
nothing of the test outcomes can enter the choice.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from models.study_files.outputs import write_facts
from pipeline.core import command
from pipeline.core.errors import StudyError
from pipeline.core.files import read_json
from pipeline.core.fit_status import is_fitted
from pipeline.study.study import open_study

RULE = (
    "Highest mean AUROC over the inner folds of the training patients, with the parameters that "
    "the search chose; of equals the first in the configuration. It favours, slightly, a model "
    "that tried more parameter sets."
)


def choose_winner(infos: Sequence[dict]) -> dict:
    """Return the model with the highest cross-validated AUROC, and what it was chosen from.

    Parameters
    ----------
    infos : sequence of dict
        What model.json holds, in the order of the configuration; ``status, model, label, cv_auc,
        cv_auc_sd`` are used. Models that could not be fitted are no candidates.

    Returns
    -------
    dict
        ``model, label, cv_auc, rule, candidates`` (``model, cv_auc, cv_auc_sd`` of each); the first
        three are None where no model could be fitted.

    Raises
    ------
    StudyError
        If models were fitted, and none has a cross-validated AUROC.
    """
    infos = [info for info in infos if is_fitted(info)]
    if not infos:
        return {"model": None, "label": None, "cv_auc": None, "rule": RULE, "candidates": []}
    scored = [info for info in infos if info["cv_auc"] is not None]
    if not scored:
        raise StudyError(
            "A model can only be called best by a cross-validated AUROC",
            found=f"none of {len(infos)} models has one",
            remedy="run the stage train again",
            code="no-cross-validated-auroc",
        )
    best = max(scored, key=lambda info: info["cv_auc"])
    return {
        "model": best["model"],
        "label": best["label"],
        "cv_auc": best["cv_auc"],
        "rule": RULE,
        "candidates": [
            {key: info[key] for key in ("model", "cv_auc", "cv_auc_sd")} for info in infos
        ],
    }


def main(options: argparse.Namespace) -> None:
    """Read what training wrote of each model, and write which one is best."""
    mode = open_study(options.study).config["mode"]
    infos = [read_json(path) for path in options.models]
    if options.nested:
        # Without test rows, a model that nested cross-validation could not judge has no figures.
        judged = {one["model"] for one in map(read_json, options.nested) if is_fitted(one)}
        infos = [info for info in infos if info["model"] in judged]
    write_facts(choose_winner(infos), options.out, mode)


if __name__ == "__main__":
    arguments = command.parser("models.winner", __doc__)
    arguments.add_argument("--study", required=True, type=Path, help="folder of the frozen study")
    arguments.add_argument(
        "--models",
        required=True,
        type=Path,
        nargs="+",
        help="model.json per model, in the order of the configuration",
    )
    arguments.add_argument(
        "--nested",
        type=Path,
        nargs="+",
        help="nested/MODEL.json of each model that it could judge, in a study without a hold-out",
    )
    arguments.add_argument("--out", required=True, type=Path, help="choice to write, .json")
    command.run(main, arguments)
