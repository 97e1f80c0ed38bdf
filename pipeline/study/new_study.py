"""Write the templates of a new study: a configuration and three tables with one example case each.

For ready feature tables (``--features``) it writes a configuration that is proposed from their
header, for a published study of a clinical table (``--protocol li2021``) the tables that its
protocol needs. Nothing is ever overwritten. The example rows are marked EXAMPLE and have to be
replaced.
"""

from __future__ import annotations

import argparse
import csv
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from pipeline.core import command
from pipeline.core.errors import StudyError
from pipeline.core.files import whole_file
from pipeline.study.config import PROTOCOLS
from pipeline.study.config_checks import study_name_problem
from pipeline.study.table_study import propose_config
from pipeline.tables.cases import HANDED_IN

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")

CONFIG = """\
# Configuration of the study {name}. It states only what differs from config/default.yaml, which
# explains every option. Paths are relative to the folder in which snakemake runs; paths inside a
# table are relative to that table.

study: {name}
title: null                   # heading of the report

# vertebromics intake writes this table and its files (docs/privacy.md).
cases: {folder}/study/cases.csv
# Two tables of your own (docs/tables.md), keyed by those pseudonyms: replace their EXAMPLE rows.
clinical: {folder}/clinical.csv
dictionary: {folder}/dictionary.csv
# Instead of `cases`, a study may start from ready feature tables and then needs no image:
# features: {{A: {folder}/features_A.csv, B: {folder}/features_B.csv}}
# columns: {{patient_id: ID}}   # what those tables call the patient (docs/tables.md)

unit: patient                 # patient | case: what a row of the clinical table is
aggregation: null             # mean | median | first: if a patient has several cases
model_reader: A               # reader whose features the model sees, or mean

# Without an outcome (write `outcome: null`) the study ends at the features and the imaging report.
outcome:
  name: pain
  label: residual back pain   # for the report
  formula: vas_day3 >= 4 and vas_day30 >= 4
eligibility:
  - {{label: aged 50 or older, formula: age >= 50}}
timing: preoperative          # latest timing of a predictor
# primary: {{model: tabnet}}    # what the study is judged by; declare it before the first run

{protocol}# a published study's settings instead of the defaults
"""

#: The line of the protocol in `CONFIG`: of those who ask for it, and of all others.
OF_IMAGES = "ge2025"
_ASKED, _NOT_ASKED = f"protocol: {OF_IMAGES}              ", f"# protocol: {OF_IMAGES}            "

CLINICAL_CONFIG = """\
# Configuration of the study {name} with the protocol {protocol} (docs/clinical_studies.md).
# config/protocols/{protocol}.yaml has the lines of the published study, and says which of them the
# paper states; a line below overrides it. Paths are relative to the folder in which snakemake runs.

study: {name}
title: null                   # heading of the report
protocol: {protocol}

# A row a patient: replace the EXAMPLE row. The dictionary describes each column (docs/tables.md).
clinical: {folder}/clinical.csv
dictionary: {folder}/dictionary.csv
{outcome}
# The protocol names columns as these tables do. Where yours have other names, say so here, such as
# predictors: [age, sex, cleft]
"""

#: Protocol of a clinical table -> its outcome, as the columns of its templates have it.
OUTCOMES = {
    "li2021": {
        "name": "rbp",
        "label": "residual back pain",
        "formula": 'residual_pain == "yes"',
    },
    "rong2025": {
        "name": "rbp",
        "label": "residual back pain",
        "formula": 'residual_pain == "yes"',
    },
    "yassavoly2025": None,
    "zhang2025": {
        "name": "dlp",
        "label": "distal lumbosacral pain",
        "formula": 'distal_pain == "yes"',
    },
}

CLINICAL_TABLES = ("clinical.csv", "dictionary.csv")
"""Files of ``config/protocols/<protocol>``, written by ``python -m demo.clinical --templates``."""

TABLES: dict[str, list[list[str]]] = {
    "handed_in.csv": [
        HANDED_IN,
        *(
            [
                "EXAMPLE-0001",
                "EXAMPLE-0001-ct",
                "EXAMPLE-0001-L1",
                "L1",
                reader,
                "1",
                "images/EXAMPLE-0001",
                "",
                f"masks/EXAMPLE-0001-{reader}.seg.nrrd",
                "L1",
                "-2",
            ]
            for reader in ("A", "B")
        ),
    ],
    "clinical.csv": [
        ["patient_id", "age", "sex", "vas_day3", "vas_day30"],
        ["EXAMPLE-0001", "71", "female", "5", "4"],
    ],
    "dictionary.csv": [
        ["column", "label", "type", "unit", "levels", "timing", "role", "range", "test"],
        ["age", "Age", "continuous", "years", "", "preoperative", "predictor", "18|110", ""],
        ["sex", "Sex", "binary", "", "female|male", "preoperative", "predictor", "", ""],
        ["vas_day3", "Pain at day 3", "ordinal", "VAS", "", "postoperative", "outcome", "0|10", ""],
        [
            "vas_day30",
            "Pain at day 30",
            "ordinal",
            "VAS",
            "",
            "postoperative",
            "outcome",
            "0|10",
            "",
        ],
    ],
}

NEXT_STEPS = """\
Written to {folder}: {files}.

Next:
  1. Register what the hospital handed over: it draws pseudonyms and numbers the files.
     By what the files say:  vertebromics intake DICOM_ROOT MASK_ROOT --out {folder}/study
     Or by a table of masks: fill in handed_in.csv with the real ids and paths (keep it outside of
     any repository), then   vertebromics intake --cases {folder}/handed_in.csv \\
                                 --out {folder}/study
  2. Fill in clinical.csv by pseudonym ({folder}/study/clinical_template.csv lists them), and
     describe each of its columns in dictionary.csv (docs/tables.md says how).
  3. Check the tables:   vertebromics check --config {folder}/config.yaml
  4. Check the images:   snakemake --cores 2 --configfile {folder}/config.yaml preflight
  5. Run the study:      snakemake --cores 2 --configfile {folder}/config.yaml
"""

CLINICAL_STEPS = """\
Written to {folder}: {files}.

Next:
  1. Fill in clinical.csv with pseudonyms of your patients, and mend dictionary.csv where your
     levels or units differ (docs/tables.md). No image is needed.
  2. Check the tables:   vertebromics check --config {folder}/config.yaml
  3. Run the study:      vertebromics run --configfile {folder}/config.yaml --cores 2
"""

TABLE_STEPS = """\
Written to {folder}: {files}.

Next:
  1. Read {folder}/config.yaml: who the patient is, and what the outcome, are guesses.
  2. Check the tables:   vertebromics check --config {folder}/config.yaml
  3. Run the study:      snakemake --cores 2 --configfile {folder}/config.yaml
"""


def write_templates(
    name: str, folder: str | Path, features: Sequence[Path] = (), protocol: str | None = None
) -> list[Path]:
    """Write the templates of the study `name` into `folder`.

    Parameters
    ----------
    name : str
        Letters, digits, '_' and '-'.
    folder : path-like
        Created if missing.
    features : sequence of path-like, optional
        Ready feature tables, one per reader, for which to propose a configuration.
    protocol : str, optional
        Of a published study: its line in the configuration, and the tables that it needs.

    Returns
    -------
    list of pathlib.Path
        The configuration and, without `features`, the three tables.

    Raises
    ------
    StudyError
        If the name is malformed, or if one of the files exists: then none is written.
    """
    if not NAME.fullmatch(name):
        raise StudyError(
            "The name of a study must be letters, digits, '_' and '-'",
            found=name,
            remedy="begin with a letter or digit, such as pain-2025",
            code="study-name-invalid",
        )
    if (problem := study_name_problem(name)) is not None:
        raise problem
    folder = Path(folder)
    if features:
        texts = {"config.yaml": propose_config(name, features)}
    else:
        texts = {"config.yaml": _configuration(name, folder, protocol)}
    tables = () if features else CLINICAL_TABLES if protocol in OUTCOMES else tuple(TABLES)
    paths = [folder / each for each in (*texts, *tables)]
    existing = [path.name for path in paths if path.exists()]
    if existing:
        raise StudyError(
            "Templates must not overwrite what exists",
            found=", ".join(existing),
            where=str(folder),
            remedy="choose another --folder, or move the files away",
            code="template-would-overwrite",
        )
    for path in paths:
        if path.name in texts:
            with whole_file(path) as beside:
                beside.write_text(texts[path.name], encoding="utf-8", newline="\n")
        elif protocol in OUTCOMES:
            with whole_file(path) as beside:
                shutil.copyfile(PROTOCOLS / protocol / path.name, beside)
        else:
            # Excel takes a CSV for UTF-8 only with a byte order mark.
            with (
                whole_file(path) as beside,
                open(beside, "w", encoding="utf-8-sig", newline="") as stream,
            ):
                csv.writer(stream, lineterminator="\n").writerows(TABLES[path.name])
    return paths


def _configuration(name: str, folder: Path, protocol: str | None) -> str:
    """Return the text of a configuration of a study without ready feature tables."""
    where = {"name": name, "folder": folder.as_posix()}
    if protocol not in OUTCOMES:
        line = _ASKED if protocol == OF_IMAGES else _NOT_ASKED
        return CONFIG.format(protocol=line, **where)
    stated = OUTCOMES[protocol]
    outcome = ""
    if stated is not None:
        lines = [f"  {key}: {value}" for key, value in stated.items()]
        outcome = "\n".join(["", "outcome:", *lines, ""])
    return CLINICAL_CONFIG.format(protocol=protocol, outcome=outcome, **where)


def main(options: argparse.Namespace) -> None:
    """Write the templates and say what to do next."""
    folder = options.folder or Path("studies") / options.name
    paths = write_templates(options.name, folder, options.features, options.protocol)
    files = ", ".join(path.name for path in paths)
    steps = TABLE_STEPS if options.features else NEXT_STEPS
    if options.protocol in OUTCOMES:
        steps = CLINICAL_STEPS
    print(steps.format(folder=folder.as_posix(), files=files), end="")


def _arguments() -> argparse.ArgumentParser:
    arguments = command.parser("pipeline.study.new_study", __doc__)
    arguments.add_argument("name", metavar="NAME", help="name of the study")
    arguments.add_argument("--folder", type=Path, help="folder to write (default: studies/NAME)")
    kind = arguments.add_mutually_exclusive_group()
    kind.add_argument(
        "--protocol",
        choices=sorted([OF_IMAGES, *OUTCOMES]),
        help="a published study (docs/clinical_studies.md): its line in the configuration, and "
        "the tables that it needs",
    )
    kind.add_argument(
        "--features",
        type=Path,
        nargs="+",
        default=[],
        metavar="TABLE",
        help="ready feature tables, one per reader: propose a configuration from their header",
    )
    return arguments


if __name__ == "__main__":
    command.run(main, _arguments())
