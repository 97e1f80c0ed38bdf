"""CTs in NIfTI or NRRD without a table: which files they are, and whose.

Only where no DICOM CT is handed over: beside one, such a file is a copy of it. A volume is a CT if
its voxels hold air; what its header says of a patient is nothing. The patient is a BIDS subject
(``sub-verse001``), else the folder that holds this CT only, else the file's own name.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from intake.handover.pairing.mask_paths import level_of, stem_of
from intake.handover.reading.folders import in_utf_8
from intake.handover.reading.reading import top_folder
from intake.handover.reading.sources import Handover, Series
from pipeline.core.errors import CaseError
from pipeline.imaging.geometry import Geometry
from pipeline.imaging.volumes import read_volume, volume_suffix

#: HU below which a CT has voxels and a mask has none: air beside the patient, or in the lung.
AIR = -200

#: Words of a name that say what an image is and not whose.
_GENERIC = re.compile(
    r"ct|cta|cect|ncct|image|images|img|scan|scans|volume|vol|hu|raw|orig|original|nifti|nii|data"
    r"|rawdata|sourcedata|derivatives|imagestr|imagests|0000|thin|thick|bone|soft|series\d*|\d{1,2}",
    re.IGNORECASE,
)
#: Folders and names that hold masks by the layouts of the field.
_MASKS = re.compile(
    r"segmentations?|masks?|labels?(?:tr|ts)?|seg|.*[-_](?:msk|seg|mask|label)|vertebrae_.*", re.I
)
_SUBJECT = re.compile(r"sub-[A-Za-z0-9]+")


def take_volumes(
    handover: Handover, files: Iterable[Path], dicom_root: Path, mask_root: Path
) -> set[Path]:
    """Add the CTs among volumes to a handover without DICOM CTs, and return their files.

    Parameters
    ----------
    handover : Handover
        Its `series` are added to.
    files : iterable of pathlib.Path
        Volumes below `dicom_root`.
    dicom_root, mask_root : pathlib.Path
        The folders that were handed over; they may be one.
    """
    if handover.series or handover.damaged:
        return set()
    apart = dicom_root != mask_root and mask_root not in dicom_root.parents
    grids: dict[Path, Geometry] = {}
    for path in files:
        if volume_suffix(path) is None or (apart and path.is_relative_to(mask_root)):
            continue
        parts = path.relative_to(dicom_root).parts
        if not apart and any(_MASKS.fullmatch(part) for part in (*parts[:-1], stem_of(parts[-1]))):
            continue
        grid = _grid_of_ct(path)
        if grid is not None:
            grids[path] = grid
    for path, patient in patients_of(grids, dicom_root, handover.by).items():
        one = Series(f"file {path.resolve()}", f"folder {patient}", [path], grid=grids[path])
        one.known_as = {patient, *_SUBJECT.findall(path.name), _own_name(path)} - {""}
        one.folders = {patient}
        handover.series.append(one)
    handover.series.sort(key=lambda one: (one.patient, one.uid))
    return set(grids)


def patients_of(paths: Iterable[Path], root: Path, by: str = "header") -> Mapping[Path, str]:
    """Return what stands for the patient of each CT.

    A folder is a patient's if it holds one CT, or CTs that are called alike in other folders
    (``thin`` and ``thick`` of each patient); else each file is a patient of its own.

    Parameters
    ----------
    paths : iterable of pathlib.Path
        CTs below `root`.
    root : pathlib.Path
        The folder that was handed over.
    by : {'header', 'folder'}
        ``folder``: the folder directly below the root is the patient.
    """
    paths = list(paths)
    if by == "folder":
        return {path: top_folder(path, root) for path in paths}
    holding: dict[str, set[Path]] = defaultdict(set)
    folders = {path: _folder(path, root) for path in paths}
    for path, folder in folders.items():
        holding[folder].add(path)
    places: dict[str, set[str]] = defaultdict(set)
    for path, folder in folders.items():
        places[stem_of(path.name)].add(folder)
    found = {}
    for path in paths:
        subject = _SUBJECT.search(path.relative_to(root).as_posix())
        folder, own = folders[path], _own_name(path)
        several = holding[folder]
        alike = all(len(places[stem_of(one.name)]) > 1 or not _own_name(one) for one in several)
        if subject:
            found[path] = subject[0]
        elif folder and (alike or not own or (len(several) == 1 and len(holding) > 1)):
            found[path] = folder
        else:
            found[path] = own or stem_of(path.name)
    return found


#: Names of TotalSegmentator for what is no vertebra, by which its folders are known.
ORGANS = re.compile(
    r"(spleen|kidney_(left|right)|gallbladder|liver|stomach|pancreas|adrenal_gland_\w+|lung_\w+_lobe_\w+"
    r"|esophagus|trachea|thyroid_gland|small_bowel|duodenum|colon|urinary_bladder|prostate"
    r"|kidney_cyst_\w+|sacrum|heart|aorta|pulmonary_vein|brachiocephalic_\w+|subclavian_artery_\w+"
    r"|common_carotid_artery_\w+|atrial_appendage_left|superior_vena_cava|inferior_vena_cava"
    r"|portal_vein_and_splenic_vein|iliac_\w+|humerus_\w+|scapula_\w+|clavicula_\w+|femur_\w+"
    r"|hip_(left|right)|spinal_cord|gluteus_\w+|autochthon_\w+|iliopsoas_\w+|brain|skull"
    r"|rib_(left|right)_\d+|sternum|costal_cartilages)$"
)


def without_other_structures(masks: Iterable[Path]) -> tuple[list[Path], list[tuple[Path, str]]]:
    """Return masks without what TotalSegmentator wrote of other organs, and what was left out.

    Its folders hold a file for each of some hundred structures, empty ones among them; their name
    is whoever's who called it.
    """
    masks = list(masks)
    theirs = {path.parent for path in masks if path.name.startswith("vertebrae_")}
    organs = {path.parent for path in masks if ORGANS.match(stem_of(path.name))}
    theirs = {one for one in theirs if one.name.startswith("segmentation") or one in organs}
    other = "a structure of TotalSegmentator that is no vertebra"
    empty = "a structure of TotalSegmentator that the CT does not show"
    left_out = []
    for path in masks:
        if path.parent in theirs:
            if level_of(stem_of(path.name)) is None:
                left_out.append((path, other))
            elif _is_empty(path):
                left_out.append((path, empty))
    out = {path for path, _ in left_out}
    return [path for path in masks if path not in out], left_out


def _is_empty(path: Path) -> bool:
    try:
        with in_utf_8(path) as readable:
            image, _ = read_volume(readable)
    except CaseError:
        return False  # told as a mask that cannot be read
    return not np.any(sitk.GetArrayViewFromImage(image))


def _grid_of_ct(path: Path) -> Geometry | None:
    """Return the grid of a volume that holds air, None for another file."""
    try:
        with in_utf_8(path) as readable:
            image, _ = read_volume(readable)
    except CaseError:
        return None
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        return None
    lowest = float(np.min(sitk.GetArrayViewFromImage(image)))
    return Geometry.of(image) if lowest < AIR else None


def _folder(path: Path, root: Path) -> str:
    """Return the nearest folder below the root that may be a patient's; empty where none is."""
    for folder in reversed(path.relative_to(root).parts[:-1]):
        if not _GENERIC.fullmatch(folder):
            return folder
    return ""


def _own_name(path: Path) -> str:
    """Return a file's name without words that say what the image is."""
    words = re.split(r"[_\s]+", stem_of(path.name))
    return "_".join(word for word in words if not _GENERIC.fullmatch(word))
