"""What the project makes of one file, judged: refused with its cause, read right, or a failure."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from pipeline.core.errors import CaseError
from pipeline.core.findings import from_json
from pipeline.core.keeping.store import Store
from pipeline.imaging.geometry import Geometry
from pipeline.imaging.stored_volumes import read_nrrd
from pipeline.ingest import ingest_scan
from pipeline.study.config import load_yaml
from segmentation.masks import prepare_mask
from segmentation.regions.placement import Case
from tests.fuzz import references
from tests.fuzz.originals import BODY, CANARY, LABEL, Original, voxels

#: mm; NIfTI keeps its geometry as float32.
GEOMETRY_TOLERANCE = 1e-3
#: Share of the mask's voxels by which contours filled by two programs may differ: edges that a
#: damaged coordinate puts onto voxel centres.
OUTLINE_TOLERANCE = 0.05


class Judge:
    """Reads files as the stages do, and compares what they accept with other readers.

    Parameters
    ----------
    folder : pathlib.Path
        Working folder; holds the CT of the masks.
    ct : pathlib.Path
        A good CT on the grid of the masks.
    """

    def __init__(self, folder: Path, ct: Path) -> None:
        self.folder = folder
        self.checks = load_yaml(Path("config/default.yaml"))["checks"] | {"min_slices": 3}
        self.store = Store(folder / "store")
        self.ct_path = ct
        self.ct = ingest_scan(ct, None, self.store, self.checks)
        self.grid = Geometry.of(read_nrrd(self.store.path(self.ct["image"])))

    def verdict(self, original: Original, content: bytes) -> str:
        """Put `content` in the place of an original's file and read it.

        Returns
        -------
        str
            ``refused: <message>``, ``accepted``, or ``FAILURE: <what is wrong>``.
        """
        good = original.file.read_bytes()
        original.file.write_bytes(content)
        try:
            with said_aloud() as noise:
                try:
                    row, stored = self._read(original)
                except CaseError as error:
                    row, stored = None, str(error)
                except Exception as error:
                    return f"FAILURE: {type(error).__name__} in place of a clear error: {error}"
            if text := noise():
                return f"FAILURE: a library wrote to the screen: {text[:300]}"
            if row is None:
                return self._judge_refusal(stored)
            if stored is None:
                return f"refused: {from_json(row['findings'])[-1].message}"
            return self._judge_voxels(original, row, stored, content == good)
        finally:
            original.file.write_bytes(good)
            for kind in ("mask", "manifest"):
                shutil.rmtree(self.store.root / kind, ignore_errors=True)

    def _read(self, original: Original) -> tuple[dict, sitk.Image | None]:
        if original.kind == "ct":
            row = ingest_scan(original.source, None, self.store, self.checks)
            reference = row.get("image")
        else:
            label = None if _has_numbers(original) else LABEL
            case = Case(original.source, label, "L1", self.ct_path)
            row = prepare_mask(case, self.ct, self.store, self.checks)
            reference = row.get("mask")
        return row, None if reference is None else read_nrrd(self.store.path(reference))

    def _judge_refusal(self, message: str) -> str:
        if "\n" in message or "Traceback" in message or "Unexpected" in message:
            return f"FAILURE: no clear sentence: {message}"
        if str(self.folder) in message or CANARY in message:
            return f"FAILURE: a message that names a path or a person: {message}"
        return f"refused: {message}"

    def _judge_voxels(
        self, original: Original, row: dict, stored: sitk.Image, unharmed: bool
    ) -> str:
        ours, expected = sitk.GetArrayFromImage(stored), self.expected(original)
        if unharmed and not np.array_equal(ours, expected):
            return "FAILURE: the good file was not read as written"
        try:
            with warnings.catch_warnings(), said_aloud():
                warnings.simplefilter("ignore")
                theirs, affine = original.reference(original.source, Geometry.of(stored))
        except Exception as error:
            wrong = f"FAILURE: accepted with other voxels, and {type(error).__name__} elsewhere"
            return "accepted" if np.array_equal(ours, expected) else wrong
        if original.kind == "mask":
            labelled = theirs == 1 if _has_numbers(original) else theirs
            theirs = references.on_grid(labelled.astype(np.uint8), affine, self.grid)
        elif (
            affine is not None
            and not any(one.code == "no-patient-space" for one in from_json(row["findings"]))
            and not np.allclose(Geometry.of(stored).affine, affine, rtol=0, atol=GEOMETRY_TOLERANCE)
        ):
            return "FAILURE: accepted with another geometry than another reader's"
        elif ours.shape[0] < theirs.shape[0] and from_json(row["findings"]):
            return "accepted"  # a series of fewer slices, and a finding that says so
        return self._compared(original, ours, theirs)

    def _compared(self, original: Original, ours: np.ndarray, theirs: np.ndarray) -> str:
        if ours.shape != theirs.shape:
            return f"FAILURE: accepted as {ours.shape}, read elsewhere as {theirs.shape}"
        if original.name == "dicom-enhanced" and not np.array_equal(ours, theirs):
            theirs = theirs[::-1]  # frames are stored in either order
        allowed = OUTLINE_TOLERANCE * ours.sum() if original.name == "rtstruct" else 0
        different = int(np.count_nonzero(~np.isclose(ours, theirs, rtol=1e-6, atol=1e-6)))
        if different > allowed:
            return f"FAILURE: accepted, {different} of {ours.size} voxels differ elsewhere"
        return "accepted"

    def expected(self, original: Original) -> np.ndarray:
        """Return the voxels that were written into an original."""
        return voxels() if original.kind == "ct" else BODY


def _has_numbers(original: Original) -> bool:
    return original.name.startswith("mask")


@contextmanager
def said_aloud() -> Iterator:
    """Yield a function that returns what libraries wrote to standard error meanwhile."""
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        text = ""

        def read() -> str:
            return text

        try:
            yield read
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            text = file.read().decode(errors="replace").strip()
