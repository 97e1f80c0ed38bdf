"""Share results that identify no patient: small counts are hidden, and what would reveal them.

``vertebromics share results/spine --site "Hospital A" --out shared`` writes one hospital's release;
``vertebromics share --combine a/release.json b/release.json --out together`` puts several together.
"""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
from pathlib import Path

import pandas as pd

from deployment.sharing.combining import combine, read_release
from deployment.sharing.ledger import LEDGER, Ledger
from deployment.sharing.page import combined_page, count_text, release_page
from deployment.sharing.release import Release, build, check_no_id, digest_of
from pipeline.core import command
from pipeline.core.errors import StudyError, VertebromicsError
from pipeline.core.files import whole_folder, write_csv, write_json
from pipeline.study.option_numbers import bounded_number

logger = logging.getLogger("vertebromics")

FEWEST = 10
"""Patients from which on a count is printed, unless another number is given."""

NOTE = (
    "Random effects by restricted maximum likelihood, with the interval of Hartung and Knapp, "
    "never narrower than the usual one. The prediction interval says where the figure of another "
    "hospital is to be expected; it needs three."
)

TABLES = ("numbers", "figures", "groups", "curves")


def write_release(release: Release, out: Path) -> None:
    """Write a release into an empty folder: page, ``release.json`` and tables.

    Parameters
    ----------
    release : Release
        What is shared.
    out : pathlib.Path
        The folder.

    Raises
    ------
    ProgramError
        If an id of the study stands in it.
    """
    facts = release.facts
    write_json(facts, out / "release.json")
    (out / "release.html").write_text(release_page(facts), encoding="utf-8")
    cells = [
        {"table": name, "value": cell["value"], "group": cell["group"], "count": count_text(cell)}
        for name, table in facts["counts"].items()
        for cell in table["cells"]
    ]
    write_csv(pd.DataFrame(cells), out / "counts.csv")
    rows = {"numbers": facts["numbers"], **(facts["performance"] or {})}
    for name in TABLES:
        if rows.get(name):
            write_csv(pd.DataFrame(rows[name]), out / f"{name}.csv")
    texts = [path.read_text(encoding="utf-8") for path in out.iterdir()]
    check_no_id(texts, release.ids)


def scan_for_persons(folder: Path, options: argparse.Namespace) -> None:
    """Search what is shared by ``vertebromics phi-scan``, where its source is named.

    Raises
    ------
    VertebromicsError
        If it finds something.
    """
    named = [("--against", options.against)] if options.against else []
    named += [("--source", each) for each in options.source or ()]
    if not named:
        logger.info("labels and levels were not searched for names: --against or --source does it")
        return
    words = [str(word) for pair in named for word in pair]
    call = [sys.executable, "-m", "intake.phi_scan", str(folder), "--only", *words]
    done = subprocess.run(call, check=False, capture_output=True, text=True)
    logger.info("%s", done.stdout.strip())
    if done.returncode:
        raise VertebromicsError(
            "What is shared must hold nothing that identifies a person",
            found=(done.stderr.strip().splitlines() or ["a scan that failed"])[-1],
            remedy="rename the label, level or site that holds it, run the study again, and share "
            "anew; nothing was written",
            code="identity-in-shared-results",
        )


def share(options: argparse.Namespace) -> None:
    """Write one hospital's release and remember it."""
    _check_out(options.out, "release.json")
    ledger = Ledger(options.study / LEDGER)
    release = build(
        options.study,
        ledger,
        site=options.site,
        fewest=options.fewest,
        model=options.model,
        leave_out=options.leave_out or (),
    )
    with whole_folder(options.out) as beside:
        write_release(release, beside)
        scan_for_persons(beside, options)
        # Remembered before it can be seen: a release that nobody remembers protects no other.
        ledger.add(
            release.tables,
            release.populations,
            release.predictions,
            release.edges,
            digest_of(release.facts),
            release.numbers,
        )
    hidden = sum(len(names) for _, names in release.tables)
    counts = sum(len(table.system.cells) for table, _ in release.tables)
    logger.info(
        "%d of %d counts are hidden; contract %s", hidden, counts, release.facts["contract_hash"]
    )
    logger.info("page: %s", options.out / "release.html")


def put_together(options: argparse.Namespace) -> None:
    """Write the figures of several hospitals, and those of all."""
    _check_out(options.out, "pooled.csv")
    releases = [read_release(path) for path in options.combine]
    sites, pooled = combine(releases, [str(path) for path in options.combine])
    with whole_folder(options.out) as beside:
        write_csv(sites, beside / "sites.csv")
        write_csv(pooled, beside / "pooled.csv")
        page = combined_page(releases, sites, pooled, NOTE)
        (beside / "combined.html").write_text(page, encoding="utf-8")
    logger.info("page: %s", options.out / "combined.html")


def _check_out(out: Path, sign: str) -> None:
    """Refuse a folder that holds something else: it is replaced."""
    if out.exists() and not (out / sign).exists() and (not out.is_dir() or any(out.iterdir())):
        raise StudyError(
            "The folder of shared results is made anew, and must hold nothing else",
            found=f"no {sign} in it",
            where=f"--out {out.name}",
            remedy="name a new folder",
            code="shared-folder-taken",
        )


def main(options: argparse.Namespace) -> None:
    """Share one study, or put releases together."""
    if (options.study is None) == (options.combine is None):
        raise StudyError(
            "Either one study is shared, or several releases are put together",
            found="neither" if options.study is None else "both",
            where="command line",
            remedy="name results/<study>, or --combine with the release.json of each hospital",
            code="share-what",
        )
    put_together(options) if options.combine else share(options)


def _arguments() -> argparse.ArgumentParser:
    arguments = command.parser("deployment.share", __doc__)
    arguments.add_argument(
        "study", type=Path, nargs="?", help="results of a study: results/<study>"
    )
    arguments.add_argument("--out", required=True, type=Path, help="folder to write, made anew")
    arguments.add_argument(
        "--site", default="one site", help="name of the hospital, as readers shall see it"
    )
    arguments.add_argument(
        "--fewest",
        type=bounded_number(minimum=5),
        default=FEWEST,
        help=f"patients that every count stands for at least ({FEWEST})",
    )
    arguments.add_argument("--model", help="family of the model (the study's best)")
    arguments.add_argument(
        "--leave-out", nargs="+", metavar="COLUMN", help="clinical columns that are not shared"
    )
    arguments.add_argument(
        "--against", type=Path, metavar="LINKAGE", help="search the release for these identities"
    )
    arguments.add_argument(
        "--source",
        type=Path,
        action="append",
        metavar="FOLDER",
        help="search it for what the headers and names of a handed-over folder hold",
    )
    arguments.add_argument(
        "--combine", type=Path, nargs="+", metavar="RELEASE", help="releases to put together"
    )
    return arguments


if __name__ == "__main__":
    command.run(main, _arguments())
