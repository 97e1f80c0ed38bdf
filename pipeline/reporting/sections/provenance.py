"""Section on provenance: everything a result follows from, without naming place or person."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import yaml

from pipeline.core.errors import VertebromicsError
from pipeline.core.files import file_hash
from pipeline.reporting.blocks import Block, Folded, Listing, Paragraph, Section, Table
from pipeline.reporting.results import Results
from pipeline.reporting.wording import count
from pipeline.running.provenance import (
    printable_config,
    python_version,
    relative_name,
    software_version,
    stage_fingerprints,
    versions,
)
from pipeline.tables.sites import ALONE, HandedIn, sites_of

#: Frozen tables of a study, as python -m pipeline.validate writes them.
_FROZEN = ("cases", "clinical", "dictionary")


def parameter_file(results: Results) -> Path | None:
    """Return the PyRadiomics parameter file of an imaging study, None for the others."""
    if results.imaging is None:
        return None
    path = Path(results["extraction.params"])
    if not path.is_file():
        raise VertebromicsError(
            "The report states the extraction's parameter file",
            found=f"no {relative_name(path)}",
            where="config key extraction.params",
            remedy="run in the folder in which the study was run",
            code="report-parameter-file-missing",
        )
    return path


def provenance_section(results: Results) -> Section:
    """Build the section on provenance."""
    blocks: list[Block] = [
        Paragraph(
            f"vertebromics {software_version()}, Python {python_version()}, seed "
            f"{results['seed']}. The same inputs, seed, locked packages and thread count give the "
            "same numbers."
        ),
        _inputs(results),
    ]
    parameters = parameter_file(results)
    if parameters is not None:
        blocks.append(
            Folded(
                f"Extraction parameters: {parameters.name}, SHA-256 {file_hash(parameters)[:16]}…",
                [Listing(parameters.read_text(encoding="utf-8"))],
            )
        )
    config = printable_config(results.study.config)
    blocks += [
        *_assumptions(results),
        Folded(
            "Configuration as resolved",
            [Listing(yaml.safe_dump(config, sort_keys=False, allow_unicode=True))],
        ),
        _packages(),
        _code(),
    ]
    return Section("provenance", "Provenance", blocks)


def _assumptions(results: Results) -> list[Block]:
    """Return what the protocol decides that its publication leaves open, if anything."""
    listed = results["assumptions"]
    if results.modelling is not None:
        # In the published order its own assumptions are among them.
        listed = results.modelling.selection_info.get("assumptions", listed)
    if not listed:
        return []
    return [
        Table(
            name="assumptions",
            caption="What was decided here that the published study leaves open. The values of "
            "options stand in the configuration below.",
            shown=pd.DataFrame(
                [{"About": about, "Assumed": text} for about, text in listed.items()]
            ),
        )
    ]


def input_hashes(results: Results) -> pd.DataFrame:
    """Return the hash of everything that was handed in.

    Returns
    -------
    pandas.DataFrame
        ``input, kind, sha256``, sorted; `input` is an identifier or a relative name. The hash of
        a scan or mask is over its files' content, that of a table over the frozen table.
    """
    rows = []
    folder = results.folder / "study"
    for name in _FROZEN:
        path = folder / f"{name}.parquet"
        if path.is_file():
            rows.append([f"study/{path.name}", "table as validated", file_hash(path)])
    for site, of_site in sites_of(results.study.options(HandedIn)):
        mark = "" if site == ALONE else f"site {site}, "
        for reader, given in sorted((of_site.features or {}).items()):
            path = Path(given)
            if path.is_file():
                label = f"{mark}{reader}: {relative_name(given)}"
                rows.append([label, "ready feature table", file_hash(path)])
        # Rows of several sites lie in one frozen table: their ids begin with the site's name.
        for kind in ("clinical", "cases") if site != ALONE else ():
            path = getattr(of_site, kind)
            if path is not None and Path(path).is_file():
                label = f"{mark}{relative_name(path)}"
                rows.append([label, f"{kind} table of a site", file_hash(Path(path))])
    parameters = parameter_file(results)
    if parameters is not None:
        rows.append(
            [relative_name(results["extraction.params"]), "parameters", file_hash(parameters)]
        )
    if results.imaging is not None:
        for row in results.imaging.ingest.sort_values("scan_id").itertuples():
            rows.append([row.scan_id, "scan", row.source_hash])
        for row in results.imaging.masks.sort_values(["case_id", "reader"]).itertuples():
            rows.append([f"{row.case_id}, reader {row.reader}", "mask", row.source_hash])
    rows += _examples(results)
    return pd.DataFrame(rows, columns=["input", "kind", "sha256"])


def _examples(results: Results) -> list[list[str]]:
    return [
        [f"figure {place} of example images, {panel.letter}", f"example {kind}", value]
        for place, figure in enumerate(results.examples, start=1)
        for panel in figure.panels
        for kind, value in panel.hashes.items()
    ]


def _inputs(results: Results) -> Table:
    raw = input_hashes(results)
    shown = pd.DataFrame(
        {
            "Input": raw["input"],
            "Kind": raw["kind"],
            "SHA-256": ["not read" if pd.isna(value) else value for value in raw["sha256"]],
        }
    )
    kinds = ", ".join(
        f"{count(number)} × {kind}" for kind, number in raw["kind"].value_counts(sort=False).items()
    )
    return Table(
        name="inputs",
        caption="What was handed in, by the hash of its content.",
        shown=shown,
        raw=raw,
        code=("Input", "SHA-256"),
        collapsed=f"Hashes of the inputs ({kinds})",
    )


def _packages() -> Table:
    table = versions()
    shown = pd.DataFrame(
        {
            "Package": table["package"],
            "Installed": table["installed"].fillna("not installed"),
            "Locked": table["locked"],
            "Agrees": ["yes" if agrees else "no" for agrees in table["agrees"]],
        }
    )
    differing = int((~table["agrees"]).sum())
    state = "all as locked" if not differing else f"{differing} differ from the lock"
    return Table(
        name="packages",
        caption="Installed packages against the lock file.",
        shown=shown,
        raw=table,
        code=("Package", "Installed", "Locked"),
        collapsed=f"Versions of {len(table)} packages, {state}",
    )


def _code() -> Table:
    prints = stage_fingerprints()
    table = pd.DataFrame({"Stage": list(prints), "Fingerprint": list(prints.values())})
    return Table(
        name="code",
        caption="Fingerprint of each stage's code: a hash over the syntax trees of its module and "
        "all that it imports of this project. Comments do not change it.",
        shown=table,
        code=("Stage", "Fingerprint"),
        collapsed="Fingerprints of the code",
    )
