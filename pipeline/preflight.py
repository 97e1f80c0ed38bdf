"""One verdict per mask before anything slow runs: ok, warning or error, why, and what to mend.

A batch's verdicts join what ingest found in the CT and what the masks' stage found in the mask with
what a mask's neighbours say (pipeline/checks/mask_rules.py). When the batches are gathered, the
whole cohort adds what only it shows (pipeline/checks/cohort.py). With ``on_bad_case: stop`` errors
end the run here.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from pipeline.checks.cohort import copied_masks, copied_scans, other_orientation
from pipeline.checks.mask_rules import (
    Findings,
    dense_material,
    equal_masks,
    joined,
    levels_along_spine,
    readers_apart,
    treated_levels,
)
from pipeline.core import command
from pipeline.core.errors import CaseError, StudyError
from pipeline.core.files import read_table, write_json, write_table
from pipeline.core.findings import SEVERITIES, Finding, from_json, status_of, to_json
from pipeline.core.sections import taken
from pipeline.core.table_schema import types_of
from pipeline.imaging.sources import shown_name
from pipeline.study.sections.imaging import Preflight as PreflightOptions
from pipeline.study.study import open_study
from pipeline.tables.identifying.checks import shown, shown_id
from pipeline.tables.schemas.images.ingest import Ingest
from pipeline.tables.schemas.images.masks import Masks
from pipeline.tables.schemas.images.preflight import Preflight

#: The error that stops a study names at most this many masks; the page names all.
NAMED_ERRORS = 20

KEY = ["case_id", "reader"]
COLUMNS = tuple(types_of(Preflight))


def judge(
    ingested: pd.DataFrame, masks: pd.DataFrame, cases: pd.DataFrame, beside: Findings
) -> pd.DataFrame:
    """Join the findings about CTs and masks to one verdict per mask.

    Parameters
    ----------
    ingested : pandas.DataFrame
        `ingest.parquet`.
    masks : pandas.DataFrame
        `masks.parquet` of the same scans.
    cases : pandas.DataFrame
        Rows of the table of cases, which hold the files' names.
    beside : dict
        Findings that come from comparing masks, by case and reader, as `compare` returns them.

    Returns
    -------
    pandas.DataFrame
        `preflight.parquet` (docs/files.md), sorted by case and reader. A CT with an error
        is an error of all its masks.
    """
    scans = {row["scan_id"]: row for row in ingested.to_dict("records")}
    judged = {(row["case_id"], row["reader"]): row for row in masks.to_dict("records")}
    rows = []
    for case in cases.sort_values(KEY).to_dict("records"):
        key = case["case_id"], case["reader"]
        if case["scan_id"] not in scans or key not in judged:
            raise CaseError(
                "Every mask of the study must have passed through ingest and masks",
                found=f"case {shown_id(key[0])}, reader {shown(key[1])} in one table only",
                remedy="run the stages again for this batch",
                code="mask-not-processed",
            )
        ct = scans[case["scan_id"]]
        findings = [replace(finding, about="ct") for finding in from_json(ct["findings"])]
        if ct["status"] != "error":  # otherwise the mask could not be looked at
            findings += from_json(judged[key]["findings"]) + beside.get(key, [])
        rows.append(
            {
                **{name: case[name] for name in COLUMNS[:5]},
                **_verdict(findings),
                "image_file": shown_name(case["image"]),
                "mask_file": shown_name(case["mask"]),
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


@dataclass(frozen=True, kw_only=True)
class CompareOptions:
    """Options by which masks are compared with each other and with the clinical table.

    Attributes
    ----------
    timing, unit
        Options of these names.
    preflight : section
        The configuration's section of this name.
    """

    timing: str
    unit: str
    preflight: PreflightOptions = taken(PreflightOptions)


def compare(
    masks: pd.DataFrame,
    cases: pd.DataFrame,
    clinical: pd.DataFrame | None,
    options: CompareOptions,
) -> Findings:
    """Return what masks of a batch show beside each other and beside the clinical table.

    Parameters
    ----------
    masks : pandas.DataFrame
        `masks.parquet`.
    cases : pandas.DataFrame
        Their rows of the table of cases.
    clinical : pandas.DataFrame or None
        The study's clinical table.
    options : CompareOptions
        Of the study.
    """
    days = cases[[*KEY, "days_from_surgery"]]
    masks = masks.merge(days, on=KEY, how="left", validate="one_to_one")
    column, targets, levels = options.preflight.treated_level, set(cases["case_id"]), {}
    if column is not None:
        levels = treated_levels(cases, clinical, f"{options.unit}_id", column)
        targets -= {case for case, _ in levels}
    return joined(
        equal_masks(masks),
        readers_apart(masks),
        levels_along_spine(masks),
        levels,
        dense_material(masks, targets, options.timing, options.preflight.max_dense_share),
    )


def gather(
    parts: Sequence[pd.DataFrame], ingested: pd.DataFrame, masks: pd.DataFrame
) -> pd.DataFrame:
    """Put the batches' verdicts below each other and add what only the cohort shows.

    Parameters
    ----------
    parts : sequence of pandas.DataFrame
        As `judge` returns them.
    ingested, masks : pandas.DataFrame
        Gathered tables of the whole study.

    Returns
    -------
    pandas.DataFrame
        Like `parts`, sorted by case and reader.
    """
    verdicts = pd.concat(parts, ignore_index=True).sort_values(KEY, ignore_index=True)
    of_scans = joined(copied_scans(ingested), other_orientation(ingested))
    of_masks = copied_masks(masks)
    rows = []
    for row in verdicts.to_dict("records"):
        more = of_scans.get(row["scan_id"], []) + of_masks.get((row["case_id"], row["reader"]), [])
        rows.append({**row, **_verdict(from_json(row["findings"]) + more)} if more else row)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _verdict(findings: Sequence[Finding]) -> dict[str, str]:
    """Return ``verdict`` and ``findings`` of a row, what must be mended first."""
    ordered = sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))
    return {"verdict": status_of(ordered), "findings": to_json(ordered)}


def stop_on_errors(verdicts: pd.DataFrame) -> None:
    """Raise a `StudyError` that lists the masks with errors, if there are any."""
    wrong = verdicts[verdicts["verdict"] == "error"]
    if wrong.empty:
        return
    lines = []
    for row in wrong.head(NAMED_ERRORS).to_dict("records"):
        messages = [one.sentence for one in from_json(row["findings"]) if one.severity == "error"]
        lines.append(f"{shown_id(row['case_id'])} {shown(row['reader'])}: {' '.join(messages)}")
    more = [f"and {len(wrong) - NAMED_ERRORS} more"] if len(wrong) > NAMED_ERRORS else []
    raise StudyError(
        "With on_bad_case: stop, every mask must pass the preflight",
        found=f"{len(wrong)} of {len(verdicts)} masks with errors:\n  " + "\n  ".join(lines + more),
        remedy="mend the files that the page report/preflight/index.html names, or set "
        "on_bad_case: exclude",
        code="masks-refused-by-preflight",
    )


def main(options: argparse.Namespace) -> None:
    """Judge a batch; or gather the verdicts of the study; or say whether the study may go on."""
    if not options.check and not (options.ingest and options.masks):
        raise StudyError(
            "Judging and gathering (--gather) needs --ingest and --masks",
            remedy="name the tables of both stages",
            code="preflight-tables-missing",
        )
    study = open_study(options.study)
    if options.check:
        verdicts = read_table(options.check, Preflight)
        if study.config["on_bad_case"] == "stop":
            stop_on_errors(verdicts)
        errors = int((verdicts["verdict"] == "error").sum())
        write_json({"masks": len(verdicts), "errors": errors}, options.out)
        return
    ingested, masks = read_table(options.ingest, Ingest), read_table(options.masks, Masks)
    if options.gather:
        files = study.batch_files(options.gather, "preflight.parquet")
        parts = [read_table(path, Preflight) for path in files]
        write_table(gather(parts, ingested, masks), options.out, Preflight, csv=True)
    else:
        cases = study.select_cases(options.batch, options.scan)
        beside = compare(masks, cases, study.clinical, study.options(CompareOptions))
        write_table(judge(ingested, masks, cases, beside), options.out, Preflight)


def _arguments() -> argparse.ArgumentParser:
    arguments = command.parser("pipeline.preflight", __doc__)
    command.batch_arguments(arguments)
    for stage in ("ingest", "masks"):
        arguments.add_argument(
            f"--{stage}",
            type=Path,
            help=f"table {stage}.parquet of the batch, or with --gather of the study",
        )
    arguments.add_argument(
        "--gather",
        type=Path,
        metavar="BATCHES",
        help="folder with the results of all batches: write the study's table",
    )
    arguments.add_argument(
        "--check",
        type=Path,
        metavar="TABLE",
        help="the study's preflight table: write --out (.json) if the study may go on; with "
        "on_bad_case: stop, errors end with exit status 1",
    )
    arguments.add_argument("--out", required=True, type=Path, help="table (.parquet) to write")
    return arguments


if __name__ == "__main__":
    command.run(main, _arguments())
