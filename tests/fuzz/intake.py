"""Damaged files in what a hospital hands over: refused by name, or registered and read alike.

`python -m tests.fuzz.intake --files 5000` turns bits of headers (each `--way flip` in its turn) or
damages files in every way, registers, and compares each copy with what its original is read as.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

import nibabel
import numpy as np
import SimpleITK as sitk

from intake import pseudonymous_study as register
from pipeline.core.errors import CaseError, VertebromicsError
from pipeline.imaging.ct_options import CtOptions
from pipeline.imaging.read_ct import read_ct
from segmentation.formats.mask_files import read_mask_file
from tests.fuzz.damage import damaged
from tests.fuzz.driver import counted
from tests.support.hospital import SMALL, write_small, write_small_mask

SEED = 20251128
GOOD, HURT = "HURT-FREE-1", "HURT-2"


class Intake:
    """A hospital of two patients, one of whom gets a damaged file.

    Parameters
    ----------
    folder : pathlib.Path
        Working folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "in"
        birth = {"PatientBirthDate": "19400203", "PatientSex": "F", "name": "Canary^One"}
        write_small(self.root / "a", GOOD, mask="L1_A.nrrd", lift=200, **birth)
        birth |= {"PatientBirthDate": "19510607", "name": "Canary^Two"}
        slices = write_small(self.root / "b", HURT, mask="L1_A.nrrd", **birth)
        write_small_mask(self.root / "b" / "L2_A.nii.gz")
        labels = sitk.GetArrayFromImage(sitk.ReadImage(str(self.root / "b" / "L2_A.nii.gz")))
        image = nibabel.Nifti1Image(labels.transpose(2, 1, 0), np.diag([-0.75, -0.5, 2.5, 1]))
        image.affine[:3, 3] = (90, 70, 33)
        nibabel.save(nibabel.Nifti1Image(image.dataobj, image.affine), self.root / "b" / "L3_A.nii")
        self.slices = slices
        self.volumes = sorted((self.root / "b").glob("L*"))

    def header_bits(self, path: Path) -> int:
        """Return how many bits a file's header has: all before its pixels."""
        content = path.read_bytes()
        return 8 * (len(content) - 2 * SMALL[1] * SMALL[2] if path in self.slices else 352)

    def verdict(self, path: Path, content: bytes) -> str:
        """Put `content` in the place of a file, register, and judge what came of it."""
        good = path.read_bytes()
        out, linkage = self.folder / "study", self.folder / "who.linkage.json"
        path.write_bytes(content)
        try:
            arguments = register._arguments().parse_args(
                [str(self.root), str(self.root), "--out", str(out), "--linkage", str(linkage)]
            )
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    register.main(arguments)
            except VertebromicsError as error:
                return "FAILURE: half-written" if out.exists() else f"refused: {error.rule}"
            except Exception as error:
                return f"FAILURE: {type(error).__name__} in place of a clear error: {error}"
            return self._judge(path, out)
        finally:
            path.write_bytes(good)
            shutil.rmtree(out, ignore_errors=True)
            for one in self.folder.glob("who.*"):
                shutil.rmtree(one) if one.is_dir() else one.unlink()

    def _judge(self, path: Path, out: Path) -> str:  # noqa: PLR0911
        if list(out.rglob(".*")):
            return "FAILURE: something half-written is left"
        with open(self.folder / "who.handover.csv", encoding="utf-8") as stream:
            lines = list(csv.DictReader(stream))
        with open(out / "cases.csv", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        by_file = {line["file"]: line for line in lines}
        if by_file[str(self.root / "a" / "L1_A.nrrd")]["result"] != "taken":
            return "FAILURE: another patient's mask was not registered"
        if not (by_file.keys() & {str(path), str(path.parent)}):
            return "FAILURE: the report does not know the file"
        word = any(
            line["check"] or line["result"] not in ("taken", "no mask of it")
            for line in lines
            if line["file"] in (str(path), str(path.parent)) or "/b/" in line["file"]
        )
        if len({row["patient_id"] for row in rows}) > 2 and not word:
            return "FAILURE: a patient more, without a word"
        for line in lines:
            row = next((row for row in rows if row["case_id"] == line["case"]), None)
            if row is None or line["what"] != "mask" or line["result"] != "taken":
                continue
            if wrong := self._compared(Path(line["file"]), out / row["mask"], out / row["image"]):
                return wrong
        copies = [row["image"] for row in rows if row["patient_id"] != _of(rows, by_file)]
        short = any(len(list((out / one).iterdir())) < SMALL[0] for one in copies)
        if short and not word:
            return "FAILURE: a slice less, without a word"
        return "accepted with a word" if word else "accepted"

    def _compared(self, mask: Path, mask_copy: Path, image_copy: Path) -> str:
        """Return what is wrong with copies: they must be read as their originals are."""
        before, after = _mask(mask), _mask(mask_copy)
        if before != after:
            return f"FAILURE: the copy of a mask is read otherwise ({before} / {after})"
        before, after = _ct(mask.parent / "ct"), _ct(image_copy)
        if before != after and before is not None:
            return "FAILURE: the copy of a CT is read otherwise"
        return "FAILURE: a refused CT is read from its copy" if before != after else ""


def _of(rows: list[dict], by_file: dict) -> str:
    line = next(one for name, one in by_file.items() if name.endswith("/a/L1_A.nrrd"))
    return next(row["patient_id"] for row in rows if row["case_id"] == line["case"])


def _mask(path: Path) -> object:
    try:
        held = read_mask_file(path)
        return [(one.value, held.is_empty(one)) for one in held.segments]
    except CaseError:
        return None


def _ct(folder: Path) -> object:
    try:
        read = read_ct(folder, options=CtOptions())
    except CaseError:
        return None
    voxels = sitk.GetArrayFromImage(read.image)
    grid = (*read.image.GetOrigin(), *read.image.GetSpacing(), *read.image.GetDirection())
    return voxels.tobytes(), voxels.dtype.str, grid


def flips(intake: Intake, count: int, first: int = 0):
    """Yield damaged files: bits of all headers, evenly drawn, each file in its turn."""
    files = [intake.slices[0], intake.slices[2], *intake.volumes]
    every = [(path, bit) for path in files for bit in range(intake.header_bits(path))]
    step = max(1, len(every) // count)
    for path, bit in every[first % step :: step][:count]:
        content = bytearray(path.read_bytes())
        if bit // 8 < len(content):
            content[bit // 8] ^= 1 << bit % 8
            yield path, f"bit {bit}", bytes(content)


def damages(intake: Intake, count: int, first: int = 0):
    """Yield files that are damaged in every way."""
    files = [intake.slices[0], intake.slices[2], *intake.volumes]
    for number in range(first, first + count):
        path = files[number % len(files)]
        content, way = damaged(path.read_bytes(), SEED, number)
        yield path, f"{way} {number}", content


def main() -> None:
    """Try files, and print a line of JSON for each failure and the counts of all verdicts."""
    parser = counted(__doc__, 200)
    parser.add_argument("--way", choices=["flip", "any"], default="flip")
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        intake = Intake(Path(folder))
        make = flips if options.way == "flip" else damages
        for path, how, content in make(intake, options.files, options.first):
            verdict = intake.verdict(path, content)
            counts[verdict.partition(":")[0]] += 1
            if verdict.startswith("FAILURE"):
                print(json.dumps({"file": path.name, "how": how, "verdict": verdict}), flush=True)
    print(json.dumps(dict(counts)))
    sys.exit(1 if counts["FAILURE"] else 0)


if __name__ == "__main__":
    main()
