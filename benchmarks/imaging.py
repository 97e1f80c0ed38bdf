"""What the imaging half of a study takes, stage by stage, from DICOM and masks to the features.

``python -m benchmarks.imaging --scans 12``. Scans of real size (512 x 512 x 120 DICOM files) with
the masks of two readers (.nrrd) go through the workflow as a study's do, on one core; each command
of its rules is measured as a process, Python's start included. Plain PyRadiomics' own command is
measured beside it on some of the masks.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk
import yaml

from benchmarks.cohort import READERS, SPACING, drawn_scan
from benchmarks.timing import ROOT, measured
from demo.anatomy import Grid
from demo.ct_series import Scan, write_series
from pipeline.core import command
from pipeline.study.option_numbers import bounded_number
from pipeline.tables.registered import write_marker

HOOK = """
import atexit, os, resource, sys

def note():
    used = resource.getrusage(resource.RUSAGE_SELF)
    words = sys.orig_argv
    name = words[words.index("-m") + 1] if "-m" in words else "other"
    with open(os.path.join(os.environ["MEASURES"], f"{name}.{os.getpid()}"), "w") as file:
        file.write(str(used.ru_utime + used.ru_stime))

atexit.register(note)
"""
"""What each Python process does at its end: write its CPU seconds under the name of its module."""

PARAMETERS = ROOT / "radiomics_params" / "ge2025.yaml"


def make_study(folder: Path, scans: int) -> Path:
    """Write a study of `scans` DICOM series with two masks each.

    Parameters
    ----------
    folder : pathlib.Path
        Is made if it does not exist.
    scans : int
        One patient and one vertebra each.

    Returns
    -------
    pathlib.Path
        The study's configuration.
    """
    rows = []
    for number in range(scans):
        name = f"P{number:03d}"
        hu, masks = drawn_scan(number)
        spacing = SPACING[::-1]
        grid = Grid(
            hu.shape, spacing, tuple(-n * mm / 2 for n, mm in zip(hu.shape, spacing, strict=True))
        )
        scan = Scan(f"BENCHMARK-{name}", "F", ("benchmark", name), "Simulated", "B30f", 120)
        write_series(np.maximum(hu, -1024), grid, scan, folder / name / "ct")
        for reader, mask in masks.items():
            image = sitk.GetImageFromArray(mask)
            image.SetSpacing(SPACING)
            image.SetOrigin(grid.origin[::-1])
            path = folder / name / f"mask_{reader}.nrrd"
            sitk.WriteImage(image, path, useCompression=True)
            rows.append(
                {
                    "patient_id": name, "scan_id": f"{name}-CT", "case_id": f"{name}-L1",
                    "level": "L1", "reader": reader, "image": f"{name}/ct",
                    "mask": path.relative_to(folder).as_posix(), "label": 1,
                }
            )  # fmt: skip
    cases = pd.DataFrame(rows)
    cases.to_csv(folder / "cases.csv", index=False)
    write_marker(folder, "demo", cases)
    config = {
        "study": "imaging",
        "results": str(folder / "results"),
        "cases": str(folder / "cases.csv"),
        "model_reader": "A",
        "scans_per_job": scans,
    }
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return path


def run_measured(config: Path, folder: Path) -> tuple[dict[str, float], float]:
    """Run the imaging half on one core.

    Parameters
    ----------
    config : pathlib.Path
        The study's configuration.
    folder : pathlib.Path
        Receives the measures.

    Returns
    -------
    by_command : dict
        CPU seconds of each module that was started; Snakemake's own under ``snakemake``.
    wall : float
        Seconds of the whole run, Snakemake among them.
    """
    measures, hook = folder / "measures", folder / "hook"
    measures.mkdir()
    hook.mkdir()
    # Python imports a module of this name at its start.
    (hook / "sitecustomize.py").write_text(HOOK, encoding="utf-8")
    call = ["snakemake", "features", "preflight", "--cores", "1", "--configfile", str(config)]
    took = measured(
        [sys.executable, "-m", *call],
        PYTHONPATH=str(hook),
        MEASURES=str(measures),
        OMP_NUM_THREADS="1",
        # As people run it: Python keeps compiled modules, and fingerprints what they read of them.
        PYTHONDONTWRITEBYTECODE="",
    )
    seconds: dict[str, float] = defaultdict(float)
    for path in measures.iterdir():
        seconds[path.name.rpartition(".")[0]] += float(path.read_text(encoding="utf-8"))
    return dict(seconds), took["wall"]


def plain_seconds(folder: Path, masks: int) -> float:
    """Return CPU seconds a mask of PyRadiomics' own command, on the first `masks` masks.

    The CT is handed to it as NRRD, since it reads no DICOM.
    """
    rows = []
    for number in range(masks):
        place = folder / f"P{number // len(READERS):03d}"
        image = place / "ct.nrrd"
        if not image.exists():
            files = sorted((place / "ct").iterdir(), reverse=True)
            sitk.WriteImage(sitk.ReadImage([str(file) for file in files]), image)
        reader = list(READERS)[number % len(READERS)]
        rows.append({"Image": image, "Mask": place / f"mask_{reader}.nrrd", "Label": 1})
    batch = folder / "plain.csv"
    pd.DataFrame(rows).to_csv(batch, index=False)
    pyradiomics = Path(sys.executable).parent / "pyradiomics"
    call = [pyradiomics, batch, "--param", PARAMETERS, "--out", folder / "plain_features.csv"]
    return measured([*call, "--format", "csv"], OMP_NUM_THREADS="1")["cpu"] / masks


def main(options: argparse.Namespace) -> None:
    """Print a row a stage, and what plain PyRadiomics takes."""
    scans = options.scans
    with tempfile.TemporaryDirectory(prefix="imaging-", dir=options.folder) as place:
        folder = Path(place)
        config = make_study(folder / "study", scans)
        seconds, wall = run_measured(config, folder)
        print(f"{scans} scans of 512 x 512 x 120 (DICOM) with two masks each (.nrrd)")
        print("CPU seconds a scan, the start of each command among it")
        for module, taken in sorted(seconds.items(), key=lambda item: -item[1]):
            print(f"  {module:40} {taken / scans:6.2f}")
        print(f"  {'all commands':40} {sum(seconds.values()) / scans:6.2f}")
        print(f"whole run on one core: {wall / scans:.2f} s a scan, Snakemake's work among it")
        if not options.plain:
            return
        plain = plain_seconds(folder / "study", options.plain)
    print(
        f"plain PyRadiomics: {plain:.1f} CPU seconds a mask (measured on {options.plain}), "
        f"{len(READERS) * plain:.1f} a scan"
    )


if __name__ == "__main__":
    arguments = command.parser("benchmarks.imaging", __doc__)
    arguments.add_argument(
        "--scans", type=bounded_number(minimum=1), default=12, help="scans to measure (12)"
    )
    arguments.add_argument(
        "--plain",
        type=bounded_number(minimum=0),
        default=2,
        help="masks that plain PyRadiomics' command is measured on (2); 0: none",
    )
    arguments.add_argument("--folder", type=Path, help="where files are made (the temporary one)")
    main(arguments.parse_args())
