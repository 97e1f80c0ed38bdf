"""Fetch public CT by package name and lay it out as a study of the imaging half.

Two packages carry CT among their tests: TotalSegmentator's source distribution and TPTBox's wheel
(both Apache-2.0). They are downloaded, never installed; only the files named here are unpacked, and
each is checked against the content that this study was made with.

Their masks come from one reader, here called `published`. A second reader is simulated by letting
the boundary wander, so that the agreement of readers has something to show; nothing about real
readers follows from it, and the report says so (`simulated_reader` in config/real.yaml).
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import math
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
import SimpleITK as sitk
from scipy.ndimage import distance_transform_edt, gaussian_filter

from demo.files import bytes_of, write_if_changed
from pipeline.core import command
from pipeline.core.errors import VertebromicsError
from pipeline.core.seeds import derive_seed
from pipeline.tables.cases import HANDED_IN
from pipeline.tables.registered import write_marker

logger = logging.getLogger("vertebromics")

SEED = 2025

#: Spread of the simulated boundary about the published one, in voxels: it moves by a whole voxel
#: along a sixth of the surface.
BOUNDARY_SD_VOXELS = 0.35

#: Smoothness of the boundary's wandering, in voxels: errors of a hand are patches, no noise.
PATCH_VOXELS = 2.0


@dataclass(frozen=True)
class Package:
    """A package on the Python package index that carries CT.

    Attributes
    ----------
    requirement : str
        Name and exact version.
    form : {'--no-binary', '--only-binary'}
        Which of its files is meant: source distribution or wheel.
    folder : str
        Folder within the archive below which the files lie.
    files : dict of str to (str, str)
        By path below `folder` (a trailing slash: all files in it): where it goes below the output
        folder, and the SHA-256 of its content (of a folder: over its files' sorted SHA-256).
    """

    requirement: str
    form: str
    folder: str
    files: dict[str, tuple[str, str]]

    @property
    def name(self) -> str:
        """Name without version."""
        return self.requirement.split("==")[0]


PACKAGES = (
    Package(
        "TotalSegmentator==2.18.0",
        "--no-binary",
        "tests/reference_files",
        {
            "example_ct.nii.gz": (
                "spine/ct.nii.gz",
                "dbd3ae6d614d1d7ef3a46925c30c70038ed52da6b37fdd6afdc7b9b71387e3e1",
            ),
            "spine_report/test_result/totalseg.nii.gz": (
                "spine/published.nii.gz",
                "1dee90b23f201480e42211527b1e3acefd99c22e21291ef319a95d0b460d7376",
            ),
            "example_ct_dicom/": (
                "series/dicom/",
                "4923fa90f7cf7ee2d0a4a7e9de4ff9d1abdf8b1c7503997287cc3119ae1a1eb2",
            ),
            "example_seg_dicom.nii.gz": (
                "series/published.nii.gz",
                "98af7f6536c316ff9084054f20956cd3e28af376b81d582d269fbea2744878fc",
            ),
        },
    ),
    Package(
        "TPTBox==1.1.0",
        "--only-binary",
        "TPTBox/tests/sample_ct",
        {
            "sub-ct_label-22_ct.nii.gz": (
                "lumbar/ct.nii.gz",
                "51e09da4b00f8a22c17bfc55f63b8c21d2a9f6f1d3e4044143f29e12744abec9",
            ),
            "sub-ct_seg-vert_label-22_msk.nii.gz": (
                "lumbar/published.nii.gz",
                "e5529ffb420d83be69c5fc0fbac4b6990bcaa067a5c0939fc7d705c47527ea1d",
            ),
        },
    ),
)


@dataclass(frozen=True)
class Scan:
    """A CT with the vertebrae that its published mask numbers.

    Attributes
    ----------
    image, mask : str
        Files below the output folder.
    labels : dict of str to int
        Number of each vertebra used, by level.
    """

    image: str
    mask: str
    labels: dict[str, int]


#: Whole are L1 to L5 of `spine` and L3 of `lumbar`; the others are cut by the field of view and
#: must pass with a warning.
SCANS = {
    "spine": Scan(
        "spine/ct.nii.gz",
        "spine/published.nii.gz",
        {"T11": 33, "T12": 32, "L1": 31, "L2": 30, "L3": 29, "L4": 28, "L5": 27},
    ),
    "lumbar": Scan("lumbar/ct.nii.gz", "lumbar/published.nii.gz", {"L3": 22}),
    "series": Scan("series/dicom", "series/published.nii.gz", {"T11": 33, "T12": 32}),
}


def download(package: Package, archives: Path) -> Path:
    """Return the package's archive in the folder `archives`, fetching it with pip if it is missing.

    Raises
    ------
    VertebromicsError
        If pip cannot fetch it.
    """
    archives.mkdir(parents=True, exist_ok=True)
    stem = package.requirement.replace("==", "-").lower()
    pattern = f"{stem}.tar.gz" if package.form == "--no-binary" else f"{stem}-*.whl"

    def found() -> Path | None:
        return next((one for one in archives.iterdir() if _matches(one, pattern)), None)

    if found() is None:
        logger.info("fetching %s by pip", package.requirement)
        fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        fetch += ["--disable-pip-version-check", package.form, package.name]
        fetch += ["--dest", str(archives), package.requirement]
        ended = subprocess.run(fetch, check=False, capture_output=True, text=True)
        if ended.returncode or found() is None:
            last = (ended.stderr.strip().splitlines() or ["no message"])[-1]
            raise VertebromicsError(
                f"pip must be able to fetch {package.requirement}",
                found=last,
                remedy="check the network and pip's index settings, or put the archive from "
                "another machine into the folder given as --archives",
                code="demo-package-unavailable",
            )
    return found()


def _matches(path: Path, pattern: str) -> bool:
    return PurePosixPath(path.name.lower()).match(pattern)


def members(archive: Path, folder: str) -> Iterator[tuple[str, bytes]]:
    """Yield path below `folder` and content of every file that lies there in an archive.

    Parameters
    ----------
    archive : pathlib.Path
        .tar.gz, whose single top folder is left out of account, or .whl.
    folder : str
        Folder within it, with forward slashes.
    """
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as opened:
            for name in opened.namelist():
                if name.startswith(f"{folder}/") and not name.endswith("/"):
                    yield name.removeprefix(f"{folder}/"), opened.read(name)
        return
    with tarfile.open(archive) as opened:
        for member in opened:
            below = member.name.partition("/")[2]
            if member.isfile() and below.startswith(f"{folder}/"):
                yield below.removeprefix(f"{folder}/"), opened.extractfile(member).read()


def unpack(package: Package, archive: Path, out: Path) -> None:
    """Write the files that the study uses, each checked against its SHA-256.

    Slices of a DICOM series are numbered in the order of their names, which hold identifiers.

    Raises
    ------
    VertebromicsError
        If a file is missing from the archive or has another content.
    """
    content = dict(members(archive, package.folder))
    for source, (target, expected) in package.files.items():
        if source.endswith("/"):
            inside = [content[name] for name in sorted(content) if name.startswith(source)]
            targets = [out / target / f"{i:04d}.dcm" for i in range(1, len(inside) + 1)]
            found = folder_hash(inside)
        else:
            inside, targets = [content.get(source, b"")], [out / target]
            found = hashlib.sha256(inside[0]).hexdigest()
        if found != expected:
            raise VertebromicsError(
                "A public file must be the one that this study was made with",
                found=f"{found[:12]} instead of {expected[:12]} (SHA-256)"
                if any(inside)
                else "no such file",
                where=f"{package.requirement}, {package.folder}/{source}",
                remedy="remove the downloaded archive and run again",
                code="demo-file-changed",
            )
        for path, data in zip(targets, inside, strict=True):
            write_if_changed(path, data)


def folder_hash(contents: list[bytes]) -> str:
    """Return the SHA-256 over the sorted SHA-256 of several files, whatever their names."""
    digest = hashlib.sha256()
    for one in sorted(hashlib.sha256(content).hexdigest() for content in contents):
        digest.update(one.encode())
    return digest.hexdigest()


def simulate_reader(
    mask: np.ndarray, spacing: tuple[float, float, float], rng: np.random.Generator
) -> np.ndarray:
    """Return `mask` as another reader might have drawn it: its boundary wanders smoothly.

    Parameters
    ----------
    mask : ndarray of shape (z, y, x), bool
        Region of one vertebra.
    spacing : tuple of float
        Distance of voxel centres along z, y, x, in mm.
    rng : numpy.random.Generator
        Source of the wandering.

    Returns
    -------
    ndarray of shape (z, y, x), bool
        The region moved by a field with a spread of `BOUNDARY_SD_VOXELS` and patches of
        `PATCH_VOXELS`. Where the volume ends the region still ends.
    """
    size = math.prod(spacing) ** (1 / 3)
    # Beyond a voxel and a half nothing moves, so that no island appears in the far tail; a box
    # around the region with some more margin is all there is to compute.
    places = np.argwhere(mask)
    low = np.maximum(places.min(axis=0) - 6, 0)
    box = tuple(slice(a, b) for a, b in zip(low, places.max(axis=0) + 7, strict=True))
    drawn = mask[box]
    # Distances run from centre to centre; the boundary lies half a voxel before.
    outside = np.maximum(distance_transform_edt(~drawn, sampling=spacing) - size / 2, 0)
    inside = np.maximum(distance_transform_edt(drawn, sampling=spacing) - size / 2, 0)
    distance = np.where(drawn, -inside, outside)
    wandering = gaussian_filter(rng.standard_normal(drawn.shape), PATCH_VOXELS, mode="wrap")
    wandering *= BOUNDARY_SD_VOXELS * size / wandering.std()
    moved = mask.copy()
    moved[box] = np.where(np.abs(distance) > 1.5 * size, drawn, distance + wandering < 0)
    return moved


def write_simulated(scan_id: str, out: Path) -> dict[str, str]:
    """Write the simulated reader's masks of one scan and return their files by level."""
    scan = SCANS[scan_id]
    published = sitk.ReadImage(str(out / scan.mask))
    labels = sitk.GetArrayFromImage(published)
    files = {}
    for level, label in scan.labels.items():
        rng = np.random.default_rng(derive_seed(SEED, "real", scan_id, level))
        moved = simulate_reader(labels == label, published.GetSpacing()[::-1], rng)
        image = sitk.GetImageFromArray(moved.astype(np.uint8))
        image.CopyInformation(published)
        files[level] = f"{scan_id}/simulated_{level}.nrrd"
        content = bytes_of(
            lambda path, image=image: sitk.WriteImage(image, str(path), useCompression=True),
            "mask.nrrd",
        )
        write_if_changed(out / files[level], content)
    return files


def cases_table(simulated: dict[str, dict[str, str]]) -> pd.DataFrame:
    """Return the study's table of cases: one row per vertebra and reader.

    Parameters
    ----------
    simulated : dict of str to dict of str to str
        The simulated reader's files by scan and level.
    """
    rows = []
    for scan_id, scan in SCANS.items():
        for level, label in scan.labels.items():
            case = {
                "patient_id": scan_id,
                "scan_id": scan_id,
                "case_id": f"{scan_id}-{level}",
                "level": level,
                "image": scan.image,
            }
            rows.append({**case, "reader": "published", "mask": scan.mask, "label": label})
            mask = simulated[scan_id][level]
            rows.append({**case, "reader": "simulated", "mask": mask, "label": 1})
    return pd.DataFrame(rows, columns=HANDED_IN)


def main(options: argparse.Namespace) -> None:
    """Fetch, check, unpack, simulate, and write the table of cases."""
    out = options.out
    for package in PACKAGES:
        unpack(package, download(package, options.archives or out / "archives"), out)
    table = cases_table({scan_id: write_simulated(scan_id, out) for scan_id in SCANS})
    write_if_changed(out / "cases.csv", table.to_csv(index=False).encode())
    write_marker(out, "real", table)
    logger.info("%d masks of %d scans in %s", len(table), len(SCANS), out)


if __name__ == "__main__":
    arguments = command.parser("demo.real", __doc__)
    arguments.add_argument("--out", required=True, type=Path, help="folder to write")
    arguments.add_argument(
        "--archives", type=Path, help="folder of downloaded archives (default: archives in --out)"
    )
    command.run(main, arguments)
