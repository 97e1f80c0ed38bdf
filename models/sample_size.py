"""How many patients a prediction model would need, beside how many the study has.

All is counted in patients, as the criteria assume independent observations: the units of one
patient hardly tell more than one of them, and a patient with any event counts as one event.

References
----------
.. [1] Riley RD, Snell KIE, Ensor J, et al. Minimum sample size for developing a multivariable
   prediction model: PART II - binary and time-to-event outcomes. Stat Med 2019;38:1276-1296.
.. [2] Riley RD, Ensor J, Snell KIE, et al. Calculating the sample size required for developing a
   clinical prediction model. BMJ 2020;368:m441.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from models.scoring.development_sample_size import largest_r2, minimum_sample_size
from models.study_files.inputs import input_arguments, read_inputs
from models.study_files.outputs import write_facts
from models.transformers.columns import Columns
from pipeline.core import command
from pipeline.core.files import read_json
from pipeline.core.fit_status import is_fitted
from pipeline.study.study import open_study


def candidate_parameters(columns: Columns) -> int:
    """Count what the selection may choose from: features, numbers, and levels but the first."""
    return len(columns.features) + sum(len(p.encoded) for p in columns.predictors)


def describe_sample_size(
    columns: Columns, training: pd.DataFrame, infos: Sequence[Mapping], nagelkerke: float
) -> dict:
    """Set what a study has beside what its candidates, and its models, would need, in patients.

    Parameters
    ----------
    columns : Columns
        Candidates.
    training : pandas.DataFrame
        ``patient_id, outcome`` of the training rows.
    infos : sequence of mapping
        By model that could be fitted, what model.json holds.
    nagelkerke : float
        Expected share of the largest possible R2, assumed before the study.

    Returns
    -------
    dict
        ``rows, patients, events`` (patients of the rarer outcome)``, prevalence`` (share of
        patients with an event)``, nagelkerke, r2`` (Cox-Snell) and ``counts``, one entry for all
        candidates and one per model: ``what, label, parameters, events_per_parameter, shrinkage,
        optimism, risk, needed, needed_events``; all from the fourth on are left out where a model
        has no parameter, and where all patients have an event.
    """
    with_event = training.groupby("patient_id")["outcome"].max()
    events, patients = int(with_event.sum()), len(with_event)
    prevalence, rarer = events / patients, min(events, patients - events)
    # Where every patient has an event, and some of their units have none, no criterion applies.
    r2 = nagelkerke * largest_r2(prevalence) if rarer else None
    asked = [("candidates", "All candidates", candidate_parameters(columns))]
    asked += [(info["model"], info["label"], len(info["features"])) for info in infos]
    counts = []
    for what, label, parameters in asked:
        entry = {"what": what, "label": label, "parameters": parameters}
        if parameters and rarer:
            needed = minimum_sample_size(parameters, prevalence, r2)
            entry["events_per_parameter"] = rarer / parameters
            entry |= needed | {
                "needed_events": math.ceil(needed["needed"] * min(prevalence, 1 - prevalence))
            }
        counts.append(entry)
    return {
        "rows": len(training),
        "patients": patients,
        "events": rarer,
        "prevalence": prevalence,
        "nagelkerke": nagelkerke,
        "r2": r2,
        "counts": counts,
    }


def main(options: argparse.Namespace) -> None:
    """Read the candidates, the training rows and the models, and write the note."""
    config = open_study(options.study).config
    mode, expected = config["mode"], config["evaluation"]["expected_r2"]
    columns, table = read_inputs(options.analysis, options.info, options.split)
    infos = [info for info in map(read_json, options.models) if is_fitted(info)]
    training = table[table["part"] == "train"]
    write_facts(describe_sample_size(columns, training, infos, expected), options.out, mode)


if __name__ == "__main__":
    arguments = command.parser("models.sample_size", __doc__)
    input_arguments(arguments)
    arguments.add_argument(
        "--models", required=True, type=Path, nargs="+", help="model.json per model"
    )
    arguments.add_argument("--out", required=True, type=Path, help="note to write, .json")
    command.run(main, arguments)
