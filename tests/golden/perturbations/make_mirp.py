"""Write mirp.json: what MIRP makes of a vertebral body of public CT. No test runs it.

Run by an interpreter that has mirp 2.7.0 of PyPI (which this project does not need)::

    python tests/golden/perturbations/make_mirp.py <testdata>/tptbox_ct_vertebra
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import itk
import numpy as np
from mirp._images.ct_image import CTImage
from mirp._images.mask_image import MaskImage

FRACTIONS = (-0.28, -0.15, -0.05, 0.05, 0.15, 0.28)
SHIFT = (0.25, 0.5, 0.75)  # z, y, x
NEW_SPACING = 0.9
DRAWS = 60


def volume(kind, voxels, spacing):
    return kind(
        image_data=voxels,
        image_spacing=spacing,
        image_origin=(0.0, 0.0, 0.0),
        image_orientation=np.eye(3),
        image_dimensions=voxels.shape,
        separate_slices=False,
        sample_name="body",
        image_modality="ct",
    )


def main(folder):
    ct = itk.imread(str(folder / "sub-ct_label-22_ct.nii.gz"), itk.F)
    spacing = tuple(round(float(each), 6) for each in list(ct.GetSpacing())[::-1])
    values = itk.array_from_image(ct).astype(float)
    body = itk.array_from_image(
        itk.imread(str(folder / "sub-ct_seg-subreg_label-22_msk.nii.gz"), itk.F)
    )
    vertebra = itk.array_from_image(
        itk.imread(str(folder / "sub-ct_seg-vert_label-22_msk.nii.gz"), itk.F)
    )
    body = np.isin(body, (49, 50)) & (vertebra == 22)
    image, mask = volume(CTImage, values, spacing), volume(MaskImage, body, spacing)
    found = {"mirp": version("mirp"), "spacing_zyx": spacing, "voxels": int(body.sum())}
    found["noise_hu"] = float(image.estimate_noise())
    found["volumes"] = {}
    for fraction in FRACTIONS:
        changed = mask.copy()
        changed.fractional_volume_change(fractional_change=fraction)
        found["volumes"][str(fraction)] = int(changed.get_voxel_grid().sum())
    drawn = []
    for one in mask.randomise_mask(image=image, repetitions=DRAWS):
        grid = one.get_voxel_grid()
        dice = 2 * (grid & body).sum() / (grid.sum() + body.sum())
        drawn.append((grid.sum() / body.sum(), dice))
    drawn = np.array(drawn)
    found["contour"] = {
        "draws": DRAWS,
        "volume_ratio_mean": float(drawn[:, 0].mean()),
        "volume_ratio_sd": float(drawn[:, 0].std(ddof=1)),
        "dice_mean": float(drawn[:, 1].mean()),
        "dice_sd": float(drawn[:, 1].std(ddof=1)),
    }
    origins = []
    for shift in ((0.0, 0.0, 0.0), SHIFT):
        grid = image.copy()
        grid.interpolate(
            interpolate=True, new_spacing=(NEW_SPACING,) * 3, translation=shift, rotation=0.0,
            spline_order=3, anti_aliasing=False, anti_aliasing_smoothing_beta=1.0,
        )  # fmt: skip
        origins.append(np.array(grid.image_origin, dtype=float))
    found["translation"] = {
        "fractions_zyx": SHIFT,
        "new_spacing_mm": NEW_SPACING,
        "origin_moved_mm_zyx": (origins[1] - origins[0]).round(9).tolist(),
    }
    path = Path(__file__).parent / "mirp.json"
    path.write_text(json.dumps(found, indent=1) + "\n")
    print(path.read_text())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
