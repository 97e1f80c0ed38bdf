"""Follow the features of a case back: source files, series, mask, parameters, code, versions.

Everything printed was recorded when it was made: the gathered tables name the entries of the store,
and each entry holds what it depends on.
"""

from __future__ import annotations

import argparse
import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipeline.core import command
from pipeline.core.errors import StudyError, VertebromicsError
from pipeline.core.files import json_hash, read_json, read_table
from pipeline.core.findings import from_json
from pipeline.core.keeping.store import DEPENDS_ON, MAKERS, Store
from pipeline.core.problems import listing
from pipeline.core.sections import taken
from pipeline.running.fingerprint import code_fingerprint
from pipeline.running.provenance import relative_name, software_version
from pipeline.running.triggers import parameter_file
from pipeline.study.sections.imaging import Extraction
from pipeline.study.study import open_study
from pipeline.tables.columns import JOINED
from pipeline.tables.readers import split_label
from pipeline.tables.registered import MARKER
from pipeline.tables.schemas.catalogue import schema_of
from pipeline.tables.sites import ALONE, HandedIn, site_of_id, sites_of


@dataclass(frozen=True, kw_only=True)
class TraceOptions(HandedIn):
    """What a trace reads of a study: its name, its tables, and its parameter file."""

    study: str
    extraction: Extraction = taken(Extraction)


def trace_case(
    cases: pd.DataFrame,
    case_id: str,
    reader: str | None,
    results: Path,
    store: Store,
    options: TraceOptions,
) -> list[dict]:
    """Return where the features of a case come from, one entry per reader.

    Parameters
    ----------
    cases : pandas.DataFrame
        The study's table of masks.
    case_id : str
        Case, as the tables name it.
    reader : str or None
        One reader only, or one version such as ``A.v2``.
    results : path
        ``results/<study>``.
    store : Store
        Holds what the stages made.
    options : TraceOptions
        Of the study.

    Returns
    -------
    list of dict
        JSON values; None where a stage was not reached.

    Raises
    ------
    StudyError
        If the study has no such case or reader, with those that resemble it.
    """
    rows = cases[cases["case_id"] == case_id]
    if rows.empty:
        raise _unknown("case", case_id, cases["case_id"].unique())
    if reader is not None:
        if reader not in set(rows["reader"]):
            raise _unknown(f"reader of {case_id}", reader, rows["reader"].unique())
        rows = rows[rows["reader"] == reader]
    return [_trace(results, store, options, row) for row in rows.to_dict("records")]


def _unknown(what: str, name: str, known) -> StudyError:
    known = sorted(map(str, known))
    folded = {one.casefold(): one for one in known}
    near = difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.5)
    near += [one for one in folded if name.casefold() in one and one not in near][:3]
    return StudyError(
        f"The study must have the {what}",
        found=name,
        remedy=f"perhaps {' or '.join(folded[one] for one in near)} is meant"
        if near
        else f"there are {len(known)}: {listing(known, 5)}",
        code="trace-name-unknown",
    )


def _trace(results: Path, store: Store, options: TraceOptions, row: Mapping) -> dict:
    where = {"case_id": row["case_id"], "reader": row["reader"]}
    scan = _row(results, "ingest", row["batch"], {"scan_id": row["scan_id"]})
    mask = _row(results, "masks", row["batch"], where)
    verdict = _row(results, "preflight", row["batch"], where)
    crop = _row(results, "resample", row["batch"], where)
    extracted = _row(results, "extraction", row["batch"], where)
    features = _row(results, "features", row["batch"], where)
    registered = _registered(options, row["scan_id"])
    original, version = split_label(row["reader"])
    entries = {
        "ct": scan.get("image"),
        "mask": mask.get("mask"),
        "crop": crop.get("crop"),
        "features": _features_entry(store, extracted),
    }
    states = {
        kind: None if reference is None else store.state_of(reference)
        for kind, reference in entries.items()
    }
    records = {
        kind: {} if states[kind] else _depends_on(store, reference)
        for kind, reference in entries.items()
    }
    recorded = records["features"]
    return {
        "study": options.study,
        "patient": row["patient_id"],
        "scan": row["scan_id"],
        "case": row["case_id"],
        "level": row["level"],
        "reader": original,
        "mask version": version,
        "source": {
            "ct file": relative_name(row["image"]),
            "ct sha256": scan.get("source_hash"),
            "ct voxels sha256": scan.get("image_hash"),
            "mask file": relative_name(row["mask"]),
            "mask sha256": mask.get("source_hash"),
            "mask voxels sha256": mask.get("mask_hash"),
            "mask label": mask.get("label") or row["label"],
        },
        "series": {
            "keyed hash": registered.get("series_key"),
            "matched by": registered.get("rule"),
            "chosen by": scan.get("series_rule"),
            "format": scan.get("format"),
            "transfer syntax": scan.get("transfer_syntax"),
        },
        "preflight": {
            "verdict": verdict.get("verdict"),
            "findings": [one.sentence for one in from_json(verdict.get("findings") or "")],
        },
        "store": {
            kind: _shown_entry(kind, reference, states[kind])
            for kind, reference in entries.items()
        },
        "crop key": crop.get("crop_key") or recorded.get("crop"),
        "parameters": _parameters(options.extraction.params, recorded),
        "engine": extracted.get("engine"),
        "code": _code(records),
        "libraries": recorded.get("versions"),
        "features": len(features) - 2 if features else 0,
        "extraction": {
            "status": extracted.get("status"),
            "findings": [one.message for one in from_json(extracted.get("findings") or "")],
        },
        "verification": _verification(results, row["batch"], where),
        "traced with": f"vertebromics {software_version()}",
    }  # fmt: skip


def _row(results: Path, name: str, batch: str, where: Mapping[str, str]) -> dict:
    """Return the row of a gathered table, or of the batch's; empty where there is none."""
    for folder in ("tables", f"batches/{batch}"):
        path = results / folder / f"{name}.parquet"
        if not path.exists():
            continue
        table = read_table(path, schema_of(f"{folder}/{name}.parquet"))
        if not set(where) <= set(table.columns):
            continue
        for column, value in where.items():
            table = table[table[column] == value]
        if len(table):
            found = table.iloc[0].astype(object)
            return found.where(found.notna(), None).to_dict()
    return {}


def _features_entry(store: Store, extracted: Mapping) -> str | None:
    key = extracted.get("features_key")
    return None if key is None else store.relative(store.entry("features", key))


def _depends_on(store: Store, reference: str | None) -> dict:
    """Return what an entry of the store depends on; empty where none was reached."""
    if reference is None:
        return {}
    place = store.root / reference
    path = (place if place.is_dir() else place.parent) / DEPENDS_ON
    return read_json(path) if path.exists() else {}


def _shown_entry(kind: str, reference: str | None, state: str | None) -> str | None:
    """Return a reference with what is wrong with its entry; nothing is mended by who only looks."""
    if state is None:
        return reference
    if state == "removed":
        return f"{reference} (removed)"
    return f"{reference} (damaged: {state}; --forcerun {MAKERS[kind]} makes it anew)"


def _registered(given: HandedIn, scan_id: str) -> dict:
    """Return what register recorded of a scan; empty where the study's folder moved away."""
    name = ALONE if given.sites is None else site_of_id(scan_id)
    path = Path(dict(sites_of(given))[name].cases).parent / MARKER
    own = scan_id if name == ALONE else scan_id.removeprefix(f"{name}{JOINED}")
    return read_json(path)["scans"].get(own, {}) if path.exists() else {}


def _parameters(file: str, recorded: Mapping) -> dict:
    """Return the parameter file, the hash of what was used, and whether the file still says so."""
    used = recorded.get("params")
    try:
        present = json_hash(json.loads(parameter_file(file)))
    except StudyError:
        present = None
    return {
        "file": relative_name(file),
        "file now, sha256": present,
        "settings used, sha256": None if used is None else json_hash(used),
        "settings used": used,
    }


def _code(records: Mapping[str, dict]) -> dict:
    """Return the code fingerprint of each step, and whether the present code is the same."""
    modules = {
        "ct": "pipeline.ingest",
        "mask": "segmentation.masks",
        "crop": "pipeline.extraction",
        "features": "pipeline.extraction",
    }
    found = {}
    for kind, module in modules.items():
        code = records[kind].get("code")
        if code is None:
            found[kind] = None
        else:
            same = code == code_fingerprint(module)
            found[kind] = code if same else f"{code} (the present code of {module} differs)"
    return found


def _verification(results: Path, batch: str, where: Mapping[str, str]) -> object:
    """Return how the features compared with plain PyRadiomics, where the case was drawn for it."""
    row = _row(results, "verification", batch, where)
    if not row:
        return "not drawn"
    return {key: value for key, value in row.items() if key not in ("case_id", "reader")}


def as_text(trace: Mapping) -> str:
    """Return a trace as aligned lines; parameters and versions in one line each."""
    lines = []
    for name, value in trace.items():
        if not isinstance(value, dict):
            lines.append((name, _shown(value)))
            continue
        lines += [
            (f"{name}: {key}", _shown(inner))
            for key, inner in value.items()
            if key != "settings used"
        ]
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in lines)


def _shown(value: object) -> str:
    if value is None or value == []:
        return "-"
    if isinstance(value, dict):
        return ", ".join(f"{key} {inner}" for key, inner in value.items())
    if isinstance(value, list):
        return "; ".join(map(str, value))
    return str(value)


def main(options: argparse.Namespace) -> None:
    """Print the traces of a case."""
    study = open_study(options.results / "study")
    if study.cases is None:
        raise VertebromicsError(
            "A trace needs a study that starts from images",
            found=f"study {study.name} starts from ready feature tables",
            remedy="ask who made those tables",
            code="trace-without-images",
        )
    asked = options.case, options.reader
    how = study.options(TraceOptions)
    traces = trace_case(study.select_cases(), *asked, study.folder, study.store, how)
    if options.json:
        print(json.dumps(traces, indent=2, ensure_ascii=False, default=_plain))
    else:
        print("\n\n".join(map(as_text, traces)))


def _plain(value: object) -> object:
    """Return numpy and pandas values as JSON has them."""
    if pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else str(value)


def _arguments() -> argparse.ArgumentParser:
    arguments = command.parser("pipeline.running.trace", __doc__)
    arguments.add_argument("case", metavar="CASE", help="case_id, as the tables name it")
    arguments.add_argument("--reader", help="one reader only (all by default)")
    arguments.add_argument(
        "--results", required=True, type=Path, help="folder of the study, results/<study>"
    )
    arguments.add_argument("--json", action="store_true", help="print JSON, with all settings")
    return arguments


if __name__ == "__main__":
    command.run(main, _arguments())
