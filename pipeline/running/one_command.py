"""The command ``vertebromics``: one name for what people type, each part a command of its own.

A part starts as ``python -m MODULE`` does and nothing of it is imported here, so that a list of the
parts costs no second.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

from pipeline.core.started_as import NAME_VARIABLE
from pipeline.core.version import VERSION


class Part(NamedTuple):
    """One part of the command.

    Attributes
    ----------
    module : str
        What ``python -m`` runs.
    does : str
        What it is for, in one line.
    example : str
        Arguments of a typical call.
    """

    module: str
    does: str
    example: str


#: By name, in the order in which a study needs them.
PARTS = {
    "new": Part("pipeline.study.new_study", "start a study: templates, next steps", "spine-2026"),
    "intake": Part(
        "intake",
        "make a pseudonymous study of a hospital's folders",
        "DICOM_ROOT MASK_ROOT --clinical sheet.xlsx --out study",
    ),
    "correct": Part(
        "intake.correct",
        "open masks with an error in 3D Slicer, with their CTs",
        "study --case P4K7XQ2-ct1-L1 --reader A",
    ),
    "propose": Part(
        "segmentation.propose",
        "draw a first mask of a vertebral body, to be corrected",
        "ct.nrrd --level L1 --seed=-3,20,110 --out L1.seg.nrrd",
    ),
    "check": Part(
        "pipeline.validate",
        "check configuration and tables, and say what is wrong",
        "--config config.yaml",
    ),
    "run": Part(
        "pipeline.running.run",
        "run a study, or resume it",
        "--configfile config.yaml --cores 4",
    ),
    "plan": Part(
        "models.plan", "count the models that a study will fit", "--configfile config.yaml"
    ),
    "trace": Part(
        "pipeline.running.trace",
        "show where a result comes from",
        "P0001-L1 --results results/spine",
    ),
    "maps": Part(
        "segmentation.maps",
        "draw features voxel by voxel on the CT, also for 3D Slicer",
        "results/spine --case P0001-L1 --features original_glcm_Contrast",
    ),
    "settings": Part(
        "pipeline.settings",
        "measure a cohort, and advise a parameter file",
        "results/spine",
    ),
    "phi-scan": Part(
        "intake.phi_scan",
        "search folders for what identifies a person",
        "results study --against study.linkage.json",
    ),
    "table1": Part(
        "pipeline.table1",
        "describe and compare groups of any table",
        "clinical.csv --by outcome --out table1",
    ),
    "outcomes": Part(
        "pipeline.compare_groups",
        "compare outcomes of groups: scales, events per person-time, levels",
        "clinical.csv --plan plan.yaml --out outcomes",
    ),
    "judge": Part(
        "models.judge",
        "judge predictions of any model, or a marker",
        "predictions.csv --outcome event --scores risk --out-dir judged",
    ),
    "regress": Part(
        "models.regress",
        "fit a logistic regression with its nomogram and calculator",
        "clinical.csv --outcome pain --predictors age sex --out regression",
    ),
    "freeze": Part(
        "models.freeze",
        "write a study's model as a file that predicts new patients",
        "results/spine --model lr --out pain.vbm",
    ),
    "predict": Part(
        "deployment.predict",
        "predict new patients with a frozen model",
        "pain.vbm new_patients.csv --out risks",
    ),
    "share": Part(
        "deployment.share",
        "share results that identify no patient, or combine those of hospitals",
        'results/spine --site "Hospital A" --out shared',
    ),
    "card": Part("models.frozen.card", "write the card of a frozen model", "pain.vbm"),
    "features": Part(
        "pipeline.extraction",
        "extract the features of one CT and its masks",
        "ct.nrrd L1.nrrd --params radiomics_params/ge2025.yaml --out features.csv",
    ),
    "series": Part(
        "pipeline.imaging.dicom.dicom_series", "list the CT series of a folder", "DICOM"
    ),
    "read-ct": Part(
        "pipeline.imaging.read_ct", "write a CT as the study would store it", "DICOM --out ct.nrrd"
    ),
}

_BASH = """_vertebromics() {{
  if [ "$COMP_CWORD" -eq 1 ]; then COMPREPLY=($(compgen -W "{names}" -- "${{COMP_WORDS[1]}}"))
  else COMPREPLY=($(compgen -f -- "${{COMP_WORDS[COMP_CWORD]}}")); fi
}}
complete -o filenames -F _vertebromics vertebromics"""
_ZSH = """#compdef vertebromics
_arguments '1: :({names})' '*:file:_files'
compdef _arguments vertebromics"""
COMPLETIONS = {"bash": _BASH, "zsh": _ZSH}


def main(argv: Sequence[str] | None = None) -> int:
    """Start the part that is named first, with the arguments behind it.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; this process's by default.

    Returns
    -------
    int
        Exit status, where no part was started: that one takes the place of this process.
    """
    name, *rest = [*(sys.argv[1:] if argv is None else argv), ""]
    rest = rest[:-1]
    if name in ("", "-h", "--help", "help"):
        print(overview())
        return 0
    if name == "--version":
        print(f"vertebromics {VERSION}")
        return 0
    if name == "completion" and rest and rest[0] in COMPLETIONS:
        print(COMPLETIONS[rest[0]].format(names=" ".join(PARTS)))
        return 0
    if name not in PARTS:
        print(_unknown(name), file=sys.stderr)
        return 2
    os.environ[NAME_VARIABLE] = f"vertebromics {name}"
    if rest in (["-h"], ["--help"]):
        print(f"Example: vertebromics {name} {PARTS[name].example}\n", flush=True)
    call = [sys.executable, "-m", PARTS[name].module, *rest]
    os.execv(sys.executable, call)


def overview() -> str:
    """Return what the command can do, a line a part."""
    width = max(map(len, PARTS))
    lines = [f"  {name:<{width}}  {part.does}" for name, part in PARTS.items()]
    return "\n".join(
        [
            "usage: vertebromics PART [arguments]",
            "",
            "CT radiomics and modelling for vertebral fractures.",
            "",
            *lines,
            "",
            "vertebromics PART --help says more, with an example.",
            'Shell completion: eval "$(vertebromics completion bash)" (or zsh)',
        ]
    )


def _unknown(name: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, PARTS, n=1)
    hint = f"Did you mean `vertebromics {near[0]}`?" if near else "vertebromics --help lists them."
    return f"vertebromics has no part called {name}. {hint}"


if __name__ == "__main__":
    raise SystemExit(main())
