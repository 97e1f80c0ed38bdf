"""How long the intake of a large hospital takes, its memory, and what a second run reads.

``python -m benchmarks.handed_in --patients 100 --slices 300 --out FOLDER``: headers as long as a
real scanner's (pydicom's example CT, changed for each patient), tiny pixels, masks of two readers.
Registers them, then again without a change, then with one changed mask, and prints seconds, peak
memory and the sizes of what lies beside the study.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pydicom
import pydicom.examples
import SimpleITK as sitk
from pydicom.uid import generate_uid

from intake.handover.reading.reading import usual_number
from pipeline.core import command
from pipeline.core.files import write_json
from pipeline.study.option_numbers import bounded_number

EDGE = 16
EMPTY = bytes(range(256)) * 2
SPACING = (1.0, 1.0, 1.0)
READERS = ("A", "B")
PHASES = ("first run", "second run, nothing changed", "third run, one mask changed")


def make(root: Path, patients: int, slices: int) -> None:
    """Write ``pacs/`` and ``masks/`` below `root`; patients that are there already stay."""
    one = pydicom.dcmread(pydicom.examples.get_path("ct"))
    one.Rows = one.Columns = EDGE
    one.PixelSpacing, one.ImageOrientationPatient = list(SPACING[:2]), [1, 0, 0, 0, 1, 0]
    for number in range(patients):
        if not (root / "pacs" / f"D{number:05d}" / "S0001").exists():
            _write_patient(root, one, number, slices)


def _write_patient(root: Path, one: pydicom.FileDataset, number: int, slices: int) -> None:
    rng = np.random.default_rng(number)
    identity = f"00{5_000_000 + 13 * number}"
    origin = [float(value) for value in np.round(rng.uniform(-200, 0, 3), 1)]
    one.PatientID, one.PatientName = identity, f"Canary{number:05d}^Given{number % 97}"
    one.PatientBirthDate = f"19{30 + number % 40}{1 + number % 12:02d}{1 + number % 28:02d}"
    one.AccessionNumber, one.StudyID = f"A{9_000_000 + number}", str(number)
    one.StudyInstanceUID, one.SeriesInstanceUID, one.FrameOfReferenceUID = (
        generate_uid(entropy_srcs=[identity, what]) for what in ("study", "series", "frame")
    )
    voxels = rng.integers(900, 1300, (slices, EDGE, EDGE)).astype(np.int16)
    folder = root / "pacs" / f"D{number:05d}" / "S0001.part"
    folder.mkdir(parents=True, exist_ok=True)
    template = _template(one, origin, number)
    for index in range(slices):
        content = template
        for token, text in _told(origin, number, index).items():
            content = content.replace(token.encode(), text.encode())
        (folder / f"I{index:04d}").write_bytes(content.replace(EMPTY, voxels[index].tobytes()))
    drawn = np.zeros(voxels.shape, np.uint8)
    drawn[slices // 3 : slices // 3 + 30, 4:12, 4:12] = 1
    for place, reader in enumerate(READERS):
        drawn[slices // 3, 4, 4 + place] = 0
        image = sitk.GetImageFromArray(drawn)
        image.SetSpacing(SPACING)
        image.SetOrigin(origin)
        path = root / "masks" / f"{identity}_L1_r{reader}.nrrd"
        path.parent.mkdir(parents=True, exist_ok=True)
        sitk.WriteImage(image, str(path), useCompression=True)
    folder.rename(folder.with_suffix(""))


def _told(origin: list[float], number: int, index: int) -> dict[str, str]:
    """Return what a slice says of itself, by what the template says there, of equal length."""
    return {
        "1.2.3.4.9999999999.99999": f"1.2.3.4.{1_000_000_000 + number}.{10_000 + index}",
        "+888": f"{1000 + index}",
        "+77777.7": f"{SPACING[2] * index:+08.1f}",
        "+66666.6": f"{origin[2] + SPACING[2] * index:+08.1f}",
        "125959.999": f"{120000 + index % 60}.{index:03d}",
    }


def _template(one: pydicom.FileDataset, origin: list[float], number: int) -> bytes:
    """Return the file of a patient's slice, with the keys of `_told` and `EMPTY` as pixels."""
    instance, number_of, location, height, time_of_day = _told(origin, number, 0)
    one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = instance
    one.InstanceNumber, one.SliceLocation = number_of, location
    one.ContentTime = one.AcquisitionTime = time_of_day
    one.ImagePositionPatient = [*map(str, origin[:2]), height]
    one.PixelData = EMPTY
    stream = io.BytesIO()
    one.save_as(stream)
    return stream.getvalue()


def measured(arguments: list[str], log: Path) -> dict:
    """Run the intake as a process of its own, and return seconds and peak memory (MiB)."""
    started = time.perf_counter()
    with open(log, "w", encoding="utf-8") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.running.one_command", "intake", *arguments],
            stdout=stream, stderr=subprocess.STDOUT,
        )  # fmt: skip
        _, status, used = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"the intake ended with {status}; see {log.name}")
    return {
        "seconds": round(time.perf_counter() - started, 1),
        "seconds of the processor": round(used.ru_utime + used.ru_stime, 1),
        "peak memory, MiB": round(used.ru_maxrss / 1024),
    }


def start(patients: int, slices: int) -> dict:
    """Return what is handed in, for the record."""
    return {
        "patients": patients, "DICOM files": patients * slices, "masks": patients * len(READERS),
        "processes": usual_number(),
    }  # fmt: skip


def change_one_mask(root: Path) -> None:
    """Draw one voxel less in one mask."""
    path = sorted((root / "masks").iterdir())[0]
    image = sitk.ReadImage(str(path))
    voxels = sitk.GetArrayFromImage(image)
    voxels[tuple(np.argwhere(voxels)[-1])] = 0
    changed = sitk.GetImageFromArray(voxels)
    changed.CopyInformation(image)
    sitk.WriteImage(changed, str(path), useCompression=True)


def main(options: argparse.Namespace) -> None:
    """Make the hospital, take it in three times, and print what each run took."""
    root = options.out
    make(root, options.patients, options.slices)
    study = root / "work" / "study"
    arguments = [str(root / "pacs"), str(root / "masks"), "--out", str(study)]
    found = start(options.patients, options.slices)
    for place, phase in enumerate(PHASES):
        if place == 2:
            change_one_mask(root)
        found[phase] = measured(arguments, root / f"run{place + 1}.log")
        print(phase, found[phase], flush=True)
    beside = [path for path in study.parent.iterdir() if path.is_file()]
    found["MB beside the study"] = {
        path.name: round(path.stat().st_size / 1e6, 2) for path in sorted(beside)
    }
    write_json(found, root / "handed_in.json")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    parser = command.parser("benchmarks.handed_in", __doc__)
    parser.add_argument("--out", required=True, type=Path, help="a folder; what is there stays")
    parser.add_argument("--patients", type=bounded_number(minimum=1), default=100)
    parser.add_argument("--slices", type=bounded_number(minimum=5), default=300)
    command.run(main, parser)
