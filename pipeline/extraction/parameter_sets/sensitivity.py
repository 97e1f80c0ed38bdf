"""Make the sensitivity set: the published parameter file with one thing changed at a time.

A parameter file must be complete to be read and cited by itself, and a dozen complete files drift
apart when kept by hand; so they are made from the published one and a list of changes.
"""

from __future__ import annotations

import argparse
import logging
import re
from pathlib import Path

import yaml

from pipeline.core import command
from pipeline.core.errors import StudyError
from pipeline.core.files import whole_file
from pipeline.core.installed.own_files import OWN_FILES
from pipeline.extraction import load_params

logger = logging.getLogger("vertebromics")

FOLDER = OWN_FILES / "radiomics_params"
LIST = FOLDER / "sensitivity.yaml"
BASE = FOLDER / "ge2025.yaml"

#: Column at which a line's reason begins, as in the published file.
REASON_COLUMN = 38


def vary(text: str, name: str, variation: dict) -> str:
    """Return the text of a parameter file with the changes of one variation.

    Parameters
    ----------
    text : str
        The published parameter file.
    name : str
        Name of the variation.
    variation : dict
        ``reason``, and ``change`` (setting -> value) or ``leave_out`` (settings).

    Raises
    ------
    StudyError
        If a setting to be changed has no line of its own in `text`.
    """
    changes = {key: _yaml(value) for key, value in variation.get("change", {}).items()}
    dropped = variation.get("leave_out", [])
    lines, met, skipping = [], set(), False
    for line in text[text.index("\nimageType:") :].splitlines():
        if skipping and line.lstrip().startswith("#") and line.index("#") >= REASON_COLUMN:
            continue  # the old value's reason goes on
        entry = re.match(r"( +)(\w+): *([^#]*?) *(#.*)?$", line)
        skipping = entry is not None and entry[2] in {*changes, *dropped}
        if not skipping:
            lines.append(line)
            continue
        met.add(entry[2])
        if entry[2] in changes:
            said = f"{entry[1]}{entry[2]}: {changes[entry[2]]}"
            lines.append(f"{said:<{REASON_COLUMN - 1}} # varied; published: {entry[3]}")
    if missing := {*changes, *dropped} - met:
        raise StudyError(
            "A variation must change settings of the published file",
            found=", ".join(sorted(missing)),
            where=f"{LIST.name}, {name}",
            remedy="take the variation out of the list, or let it change a setting",
            code="variation-changes-nothing",
        )
    head = [
        f"# {BASE.name} with one change: {variation['reason']}.",
        "# Made by python -m pipeline.extraction.parameter_sets.sensitivity from sensitivity.yaml;",
        "# reasons are those of the published file, with what it marks as an assumption.",
    ]
    return "\n".join([*head, *lines, ""])


def sensitivity_set() -> dict[str, str]:
    """Return the text of each parameter file of the sensitivity set, by its name."""
    text = BASE.read_text(encoding="utf-8")
    variations = yaml.safe_load(LIST.read_text(encoding="utf-8"))
    return {name: vary(text, name, variation) for name, variation in variations.items()}


def _yaml(value: object) -> str:
    return yaml.safe_dump(value, default_flow_style=True).removesuffix("...\n").strip()


def main(options: argparse.Namespace) -> None:
    """Write the parameter files of the sensitivity set, and check each."""
    for name, text in sensitivity_set().items():
        path = options.out / f"{name}.yaml"
        with whole_file(path) as beside:
            beside.write_text(text, encoding="utf-8")
        load_params(path)
        logger.info("wrote %s", path.name)


if __name__ == "__main__":
    arguments = command.parser("pipeline.extraction.parameter_sets.sensitivity", __doc__)
    arguments.add_argument(
        "--out", type=Path, default=FOLDER / "sensitivity", help="folder (default: where they are)"
    )
    command.run(main, arguments)
