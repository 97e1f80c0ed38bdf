"""A small study with its report: two models, images as plausible draws, and the page as read."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from pipeline.core.files import write_table
from pipeline.core.findings import Finding, to_json
from pipeline.reporting.cautions.cautions import Caution, find_cautions
from pipeline.reporting.reading_results import read_results
from pipeline.reporting.study_report import write_report
from pipeline.tables.schemas.catalogue import schema_of
from pipeline.tables.schemas.images.resample import Resample
from pipeline.tables.schemas.study_tables import Cases
from tests.support.filled import filled

CANARY = "PHI-CANARY-0010-0010"
#: The smallest valid PNG: one transparent pixel.
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


def flow(patients: int, left: int = 3) -> dict:
    gone = {
        "reason": "outcome not known",
        "patients": left,
        "cases": left,
        "ids": ["P1", "P2", "P3"],
    }
    return {
        "steps": [
            {"label": "Handed in", "patients": patients + left, "cases": patients + left,
             "excluded": [gone]},
            {"label": "Analysed", "patients": patients, "cases": patients, "excluded": []},
        ]
    }  # fmt: skip


def change(folder: Path, **options: object) -> None:
    """Change options of a study, nested ones as ``split__folds``."""
    path = folder / "study" / "study.yaml"
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    for name, value in options.items():
        *outer, last = name.split("__")
        inner = config
        for key in outer:
            inner = inner[key]
        inner[last] = value
    path.write_text(yaml.safe_dump(config), encoding="utf-8")


def add_images(folder: Path, repository: Path) -> None:
    """Write the tables of an imaging half, as plausible draws, into a study's folder."""
    draw = np.random.default_rng(11)
    cases = pd.DataFrame({"patient_id": [f"{n:03d}" for n in range(12)]})
    cases["scan_id"] = cases["patient_id"] + "-CT"
    cases["case_id"] = cases["patient_id"] + "-L1"
    cases = cases.assign(level="L1", batch=[f"b{n % 2}" for n in range(12)])
    masks = cases.merge(pd.DataFrame({"reader": ["A", "B"]}), how="cross")
    change(
        folder,
        cases="cases.csv",
        features=None,
        extraction__params=str(repository / "radiomics_params" / "ge2025.yaml"),
    )
    given = masks.assign(image="ct", series=None, mask="mask.nrrd", label="1")
    given = filled(Cases, given.assign(days_from_surgery=-1))
    write_table(given, folder / "study" / "cases.parquet", Cases)
    ingest = cases[["scan_id", "patient_id"]].assign(
        status="ok", findings="[]", source_hash=[f"{n:064x}" for n in range(12)], format="DICOM",
        size_z=30.0, spacing_x=0.7, spacing_y=0.7, spacing_z=3.0, manufacturer="Synthetic",
        scanner=None, kvp=120.0, kernel=["B40s"] * 6 + ["B60s"] * 6, slice_thickness_mm=3.0,
    )  # fmt: skip
    bad = Finding("mask-border", "warning", "The mask touches the edge <of> the volume", "Look")
    keys = ["case_id", "scan_id", "patient_id", "level", "reader"]
    tables = {
        "ingest": ingest,
        "masks": masks[keys].assign(source_hash=[f"{n:064x}" for n in range(24)]),
        "agreement": cases[["case_id", "scan_id", "level"]].assign(
            reader_a="A", reader_b="B", comparison="readers", dice=draw.beta(40, 3, 12),
            surface_dice=draw.beta(30, 3, 12), hausdorff95_mm=draw.gamma(4, 0.5, 12),
            mean_surface_distance_mm=draw.gamma(2, 0.2, 12), volume_a_ml=draw.normal(20, 3, 12),
            volume_b_ml=draw.normal(21, 3, 12), volume_difference_percent=draw.normal(0, 5, 12),
        ),
        "preflight": masks[keys].assign(verdict="ok", findings="[]"),
        "extraction": masks[keys].assign(status="ok", findings="[]", seconds=1.0),
        "verification": masks[["case_id", "reader"]].head(2).assign(
            engine="fast", features=1223, max_relative_difference=[2e-11, 3.4e-10],
            feature="original_glcm_Imc1", seconds_engine=0.2, seconds_plain=4.0, status="equal",
        ),
    }  # fmt: skip
    tables["preflight"].loc[0, ["verdict", "findings"]] = ["warning", to_json([bad])]
    for name, table in tables.items():
        schema = schema_of(f"tables/{name}.parquet")
        write_table(filled(schema, table), folder / "tables" / f"{name}.parquet", schema)
    for batch, rows in masks.groupby("batch"):
        resampled = filled(Resample, rows[keys].assign(status="ok", clipped_share=0.002))
        write_table(resampled, folder / "batches" / batch / "resample.parquet")
        pictures = folder / "batches" / batch / "pictures"
        pictures.mkdir()
        for case in rows["case_id"].unique():
            (pictures / f"{case}.png").write_bytes(PIXEL)


def report_of(folder: Path) -> str:
    out = folder / "report" / "report.html"
    write_report(read_results(folder / "study"), out)
    return out.read_text(encoding="utf-8")


class Page(HTMLParser):
    """What a page holds, as far as tests ask."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        # A place where a word may be broken is none where it ends.
        self.feed(text.replace("<wbr>", ""))
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def values(self, attribute: str) -> list[str]:
        return [attrs[attribute] for _, attrs in self.tags if attribute in attrs]


TITLES = [
    "Summary",
    "Flow of patients",
    "Characteristics (table 1)",
    "Sample size",
    "Reproducibility of features",
    "Selection of features",
    "How the models were fitted",
    "Performance of the models",
    "Performance in subgroups",
    "Added value of radiomics",
    "Internal validation and simpler models",
    "Missing values and sensitivity",
    "Importance of features",
    "Ablation",
]


def headings(text: str) -> list[str]:
    return re.findall(r"<h2[^>]*>([^<]+)</h2>", text)


def find(folder: Path, parameters: dict | None = None) -> dict[str, Caution]:
    found = find_cautions(read_results(folder / "study"), parameters)
    return {caution.title: caution for caution in found}


def correct_a_mask(folder: Path) -> str:
    """Give reader A's mask of the first case a second version; return the case."""
    tables = folder / "tables"
    masks = pd.read_parquet(tables / "masks.parquet")
    first = masks[masks["reader"] == "A"].head(1)
    write_table(pd.concat([masks, first.assign(reader="A.v2")]), tables / "masks.parquet")
    agreement = pd.read_parquet(tables / "agreement.parquet")
    moved = agreement.head(1).assign(reader_b="A.v2", comparison="correction", dice=0.125)
    write_table(pd.concat([agreement, moved]), tables / "agreement.parquet")
    return first.iloc[0]["case_id"]


def run_command(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-W", "error", "-m", "pipeline.reporting.study_report"]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)


def without_hashes(text: str) -> str:
    return re.sub(r"[0-9a-f]{64}", "", text)
