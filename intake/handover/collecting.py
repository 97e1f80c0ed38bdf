"""What lies in the folders of a hospital: CTs and masks, found and matched, and all else named."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from intake.handover.pairing.matching import Matched, Rules, is_volume, match_masks
from intake.handover.pairing.same_grid import ask_about_same_grids
from intake.handover.pairing.volume_cts import take_volumes, without_other_structures
from intake.handover.people.linkage import Linkage
from intake.handover.reading.folders import below
from intake.handover.reading.memory import Memory
from intake.handover.reading.metaimage import SUFFIX
from intake.handover.reading.reading import read_handovers
from intake.handover.reading.sources import Handover
from pipeline.core import command
from pipeline.core.errors import StudyError
from pipeline.running.workers.parallel import Workers
from segmentation.formats.mask_files import ACCEPTED

#: Endings of masks that are taken, and of masks in formats that are not.
TAKEN = (*ACCEPTED, SUFFIX)
OTHER_FORMATS = (
    *(".mhd", ".hdr", ".img", ".mgz", ".mgh", ".gipl", ".vtk", ".vti", ".vtp", ".stl", ".obj"),
    *(".ply", ".mrb", ".mnc", ".nhdr", ".nii.bz2", ".nii.zst"),
)


def collect(
    dicom_root: Path,
    mask_root: Path,
    rules: Rules,
    *,
    by: str = "header",
    memory: Memory | None = None,
    linkage: Linkage | None = None,
    workers: Workers | None = None,
) -> tuple[Matched, Handover]:
    """Find series and masks below two folders (they may be one) and match them.

    Parameters
    ----------
    dicom_root, mask_root : pathlib.Path
        What was handed over.
    rules : Rules
        How masks are read.
    by : {'header', 'folder'}
        What tells patients apart.
    memory : Memory, optional
        What was read before.
    linkage : Linkage, optional
        Of the registrations before.
    workers : Workers, optional
        Processes that read headers; by default this one alone does.

    Raises
    ------
    StudyError
        If a folder does not exist, or holds what may not be read.
    """
    for name, root in (("DICOM_ROOT", dicom_root), ("MASK_ROOT", mask_root)):
        if not root.is_dir():
            raise StudyError(
                f"{name} must be a folder",
                remedy="check the path and the mount",
                code="folder-missing",
            )
    found = {root: below(root) for root in (dicom_root, mask_root)}
    handover = read_handovers(
        [(root, one.files) for root, one in found.items()], by=by, memory=memory, workers=workers,
        progress=lambda done, total: tell("read", done, total, "files looked at"),
    )  # fmt: skip
    handover.unreadable = [path for one in found.values() for path in one.unreadable]
    images = take_volumes(handover, found[dicom_root].files, dicom_root, mask_root)
    masks = [path for path in found[mask_root].files if is_volume(path) and path not in images]
    masks += [path for path in handover.masks if path.is_relative_to(mask_root)]
    masks, left_out = without_other_structures(sorted(set(masks)))
    handover.other += left_out
    for one in found.values():
        handover.other += one.passed
    files = {path for one in found.values() for path in one.files}
    handover.other += _not_read(files, masks, handover)
    matched = match_masks(
        masks, mask_root, dicom_root, handover, rules,
        lambda done, total, of_them: tell(
            "match", done, total, f"masks: {of_them} matched, {done - of_them} not"
        ),
        memory, linkage,
    )  # fmt: skip
    _refuse_other_formats(matched, handover, mask_root)
    matched.rows = ask_about_same_grids(matched.rows, handover)
    return matched, handover


def tell(stage: str, done: int, total: int, what: str) -> None:
    """Say how far a step is, in at most some hundred lines."""
    if done == total or done % max(1, total // 100) == 0:
        command.progress(stage, done, total, what)


def _not_read(
    files: Iterable[Path], masks: Iterable[Path], handover: Handover
) -> list[tuple[Path, str]]:
    """Return the files that are neither a mask nor DICOM: the report must not pass over one."""
    told = {path for series in handover.series for path in series.files}
    told.update(masks, handover.damaged, (path for path, _ in handover.other))
    formats = f"neither DICOM nor a mask ending in {', '.join(TAKEN)}"
    elsewhere = "a mask that does not lie below MASK_ROOT"
    return [
        (path, elsewhere if is_volume(path) or path in handover.masks else formats)
        for path in sorted(set(files) - told)
    ]


def _refuse_other_formats(matched: Matched, handover: Handover, mask_root: Path) -> None:
    """Name files that are masks by their ending, in formats that are not read, as not matched."""
    for path, what in list(handover.other):
        if path.is_relative_to(mask_root) and path.name.lower().endswith(OTHER_FORMATS):
            handover.other.remove((path, what))
            reason = (
                f"A mask must end in {', '.join(TAKEN)}, or be DICOM (found: {path.suffix}). "
                "Remedy: open it in 3D Slicer or ITK-SNAP and save it as .nii.gz; then remove it"
            )
            matched.failed.append((path, reason))


def leave_out_damaged(matched: Matched, handover: Handover) -> None:
    """Leave out series beside whose slices a damaged DICOM file lies: it may be one of them."""
    folders = {path.parent for path in handover.damaged}
    kept = []
    for row in matched.rows:
        if any(file.parent in folders for file in row.series.files):
            reason = "A DICOM file in the folder of its CT is damaged: copy or export it again"
            matched.failed.append((row.mask, reason))
        else:
            kept.append(row)
    matched.rows = kept
