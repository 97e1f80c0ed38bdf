"""A configuration for a clinical table whose columns were guessed; it is valid as it is written."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.study.config_checks import study_name_problem
from pipeline.study.draft.columns import Guess
from pipeline.study.draft.questions import Facts, missing_line, missing_values, outcome_lines

CONFIG = """\
# Configuration of the study {name}, drafted by vertebromics intake. It states only what differs
# from config/default.yaml, which explains every option. {folder}/questions.md lists what is open;
# a line with (?) is a guess or a question. Paths are relative to the folder in which you work.

study: {name}
title: null                   # heading of the report

cases: {folder}/cases.csv  # one row per mask, written by intake
clinical: {folder}/clinical.csv
dictionary: {folder}/dictionary.csv
{missing}
unit: patient                 # patient | case: what a row of the clinical table is
aggregation: null             # {aggregation}
model_reader: {reader}  # {readers}
{convention}
# (?) The outcome. Without one the study ends with the features and the report on the images.
outcome: null
{outcomes}
eligibility: []               # such as [{{label: aged 50 or older, formula: {age} >= 50}}]
timing: preoperative          # (?) latest timing of a predictor
{split}
# primary: {{model: tabnet}}    # what the study is judged by; declare it before the first run
"""


def study_name(folder: str) -> str:
    """Return a name for a study of a folder.

    >>> study_name("Spine 2026"), study_name("..")
    ('spine-2026', 'mystudy')
    """
    word = re.sub(r"[^a-z0-9_]+", "-", folder.lower()).strip("-_")
    return word if word and study_name_problem(word) is None else "mystudy"


def draft_config(
    name: str, folder: str, guesses: Sequence[Guess], facts: Facts, convention: str = ""
) -> str:
    """Return the text of a configuration.

    Parameters
    ----------
    name : str
        Name of the study.
    folder : str
        Where its tables lie, as paths name it.
    guesses : sequence of Guess
        The columns.
    facts : Facts
        What is known of the masks.
    convention : str
        What all masks follow, where intake was told.
    """
    words, _ = missing_values(guesses)
    several = f"(?) {facts.several} of {facts.patients} patients have several vertebrae or scans: "
    lines = outcome_lines(guesses)
    split = (
        "# split: {design: temporal, column: enrolment, test_fraction: 0.3}   # (?) the last ones"
    )
    age = next((one.column for one in guesses if one.kind == "age"), "age")
    return CONFIG.format(
        age=age,
        name=name,
        folder=folder,
        missing=f"# (?) what stands for `not known`:\n{missing_line(words)}" if words else "",
        aggregation=(several if facts.several else "") + "mean | median | first",
        reader="null" if len(facts.readers) > 1 else facts.readers[0],
        readers=f"(?) reader whose features the model sees: {' | '.join((*facts.readers, 'mean'))}"
        if len(facts.readers) > 1
        else "the one reader",
        convention=f"masks: {{convention: {convention}}}\n" if convention else "",
        outcomes="\n".join(f"# {line}" for line in lines)
        or "# outcome: {name: NAME, formula: COLUMN >= NUMBER}",
        split=split if facts.enrolled else "# split: {design: holdout, test_fraction: 0.3}",
    )
