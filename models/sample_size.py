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

from models.inputs import input_arguments, read_inputs
from models.outputs import write_facts
from models.transformers.columns import Columns
from pipeline.core import command
from pipeline.core.errors import VertebromicsError
from pipeline.core.files import read_json
from pipeline.core.fit_status import is_fitted
from pipeline.study.study import open_study

#: Least shrinkage of the coefficients, largest optimism in Nagelkerke's R2, and largest error of
#: the overall risk (half the width of its 95% interval), as Riley et al. advise [2]_.
SHRINKAGE, OPTIMISM, MARGIN = 0.9, 0.05, 0.05

#: Standard normal deviate of a 95% interval, rounded as in [2]_.
_Z = 1.96


def largest_r2(prevalence: float) -> float:
    """Return the largest possible Cox-Snell R2 of a binary outcome [1]_, that of a perfect model.

    Parameters
    ----------
    prevalence : float
        Share of events, between 0 and 1.
    """
    null = prevalence * math.log(prevalence) + (1 - prevalence) * math.log(1 - prevalence)
    return 1 - math.exp(2 * null)


def minimum_sample_size(parameters: int, prevalence: float, r2: float) -> dict[str, int]:
    """Return the fewest patients that each of three criteria asks for [1]_, [2]_.

    Parameters
    ----------
    parameters : int
        Candidate parameters: every column that the selection may choose from.
    prevalence : float
        Share of events.
    r2 : float
        Expected Cox-Snell R2 of the model in new patients.

    Returns
    -------
    dict of str to int
        ``shrinkage`` (coefficients shrink by a tenth at most), ``optimism`` (Nagelkerke's R2 is
        optimistic by 0.05 at most), ``risk`` (the overall risk is known within 0.05) and
        ``needed``, the largest of them.

    Raises
    ------
    VertebromicsError
        If there is no parameter, the share of events is 0 or 1, or no model can have this R2.
    """
    if parameters < 1 or not 0 < prevalence < 1 or not 0 < r2 < largest_r2(prevalence):
        raise VertebromicsError(
            "A minimum sample size needs a parameter, a share of events between 0 and 1 and an R2 "
            "between 0 and that of a perfect model",
            found=f"{parameters} parameters, share {prevalence:g}, R2 {r2:g}",
        )
    # Shrinkage at which R2 is optimistic by 0.05 on Nagelkerke's scale.
    for_optimism = r2 / (r2 + OPTIMISM * largest_r2(prevalence))
    needed = {
        "shrinkage": _for_shrinkage(parameters, r2, SHRINKAGE),
        "optimism": _for_shrinkage(parameters, r2, for_optimism),
        "risk": math.ceil((_Z / MARGIN) ** 2 * prevalence * (1 - prevalence)),
    }
    return needed | {"needed": max(needed.values())}


def _for_shrinkage(parameters: int, r2: float, shrinkage: float) -> int:
    if r2 >= shrinkage:  # so strong a model that a patient per parameter is too many
        return parameters
    return math.ceil(parameters / ((shrinkage - 1) * math.log(1 - r2 / shrinkage)))


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
    columns, table = read_inputs(options.analysis, options.info, options.split)
    infos = [info for info in map(read_json, options.models) if is_fitted(info)]
    expected = config["evaluation"]["expected_r2"]
    training = table[table["part"] == "train"]
    write_facts(describe_sample_size(columns, training, infos, expected), options.out, config)


if __name__ == "__main__":
    arguments = command.parser("models.sample_size", __doc__)
    input_arguments(arguments)
    arguments.add_argument(
        "--models", required=True, type=Path, nargs="+", help="model.json per model"
    )
    arguments.add_argument("--out", required=True, type=Path, help="note to write, .json")
    command.run(main, arguments)
