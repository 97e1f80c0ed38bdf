"""Cases made in the test: grids, voxel types, regions, grey values, parameters, refusals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import SimpleITK as sitk

from tests.extraction_matrix.case import Case, Inputs
from tests.extraction_matrix.parameters import STEPS
from tests.extraction_matrix.volumes import (
    DIRECTIONS,
    VOXEL_TYPES,
    as_type,
    ball,
    body,
    scan,
    vertebra,
)

#: Spacing of the cases that are not about the grid, in mm.
THICK = (0.8, 0.8, 3.0)

SYNTHETIC: dict[str, Case] = {}


def _add(name: str, params: str, make: Callable[[], Inputs], **options) -> None:
    assert name not in SYNTHETIC
    SYNTHETIC[name] = Case(name, params, lambda _: make(), **options)


def _bone(*args, **options) -> Callable[[], Inputs]:
    return lambda: vertebra(*args, **options)


# --- grids and orientations, with the published parameters ----------------------------------------

for _name, _size, _spacing in (
    ("spacing 0.5 x 0.5 x 1", (48, 44, 30), (0.5, 0.5, 1.0)),
    ("spacing 0.7 x 0.7 x 2.5", (40, 38, 16), (0.7, 0.7, 2.5)),
    ("spacing 0.9 x 0.6 x 2", (34, 46, 18), (0.9, 0.6, 2.0)),
    ("spacing 1 x 1 x 5", (34, 30, 9), (1.0, 1.0, 5.0)),
    ("spacing 1.5 x 1.5 x 4", (24, 22, 11), (1.5, 1.5, 4.0)),
    ("spacing 0.977 x 0.977 x 2", (34, 32, 18), (0.9765625, 0.9765625, 2.0)),
    ("ties: 0.75 x 0.75 x 3", (38, 36, 13), (0.75, 0.75, 3.0)),
    ("ties: 0.75 in all directions", (38, 36, 34), (0.75, 0.75, 0.75)),
    ("ties: 0.5 in all directions", (44, 40, 38), (0.5, 0.5, 0.5)),
    ("ties: 1.5 in all directions", (24, 22, 20), (1.5, 1.5, 1.5)),
    ("ties: 2 mm slices", (32, 30, 16), (1.0, 1.0, 2.0)),
    ("the target grid already", (32, 30, 28), (1.0, 1.0, 1.0)),
    ("the target grid but for rounding", (32, 30, 28), (1.0000001, 1.0, 0.9999999)),
):
    _add(_name, "published", _bone(_size, _spacing))

for _name, _direction in DIRECTIONS.items():
    _add(_name, "published", _bone(spacing=(0.9, 0.9, 2.5), direction=_direction))


def _mask_flipped() -> Inputs:
    image, mask = vertebra(spacing=(0.9, 0.9, 2.5))
    return image, sitk.Flip(mask, [False, True, False])


def _mask_on_own_grid(spacing=(0.75, 0.75, 3.0)) -> Inputs:
    image, mask = vertebra((30, 30, 14), (1.0, 1.0, 3.0))
    size = [
        int(n * old / new) for n, old, new in zip((30, 30, 14), (1, 1, 3), spacing, strict=True)
    ]
    onto = sitk.Image(size, sitk.sitkUInt8)
    onto.SetSpacing(spacing)
    onto.SetOrigin(mask.GetOrigin())
    return image, sitk.Resample(mask, onto, sitk.Transform(), sitk.sitkNearestNeighbor)


def _mask_of_part(spacing=(0.9, 0.9, 2.5)) -> Callable[[], Inputs]:
    def make() -> Inputs:
        image, mask = vertebra((40, 38, 16), spacing)
        return image, mask[7:35, 6:34, 3:14]

    return make


_add("mask's rows run the other way", "published", _mask_flipped)
_add("mask on a grid of 0.75 mm", "published", _mask_on_own_grid)
_add("mask covers a part of the scan", "published", _mask_of_part())
_add("mask covers a part, unit grid", "published", _mask_of_part((1.0, 1.0, 1.0)))

# --- voxel types ----------------------------------------------------------------------------------

for _dtype in (np.float32, np.float64, np.int32):
    _add(f"{_dtype.__name__}, normalised", "published", _bone(dtype=_dtype))
    _add(f"{_dtype.__name__}, HU", "hu with wavelets", _bone(dtype=_dtype))


def _small_whole_numbers(dtype: type) -> Inputs:
    image, mask = vertebra()
    values = np.clip(sitk.GetArrayFromImage(image) // 2 + 50, 0, 255)
    return scan(values, sitk.GetArrayFromImage(mask), THICK, dtype=dtype)


def _fractions() -> Inputs:
    image, mask = vertebra()
    values = sitk.GetArrayFromImage(image) * 0.9765625 + 0.125
    return scan(values, sitk.GetArrayFromImage(mask), THICK, dtype=np.float32)


def _mask_type(pixel: int) -> Callable[[], Inputs]:
    def make() -> Inputs:
        image, mask = vertebra()
        return image, sitk.Cast(mask, pixel)

    return make


def _typed(dtype: type) -> Callable[[], Inputs]:
    def make() -> Inputs:
        image, mask = vertebra((24, 22, 10))
        values = as_type(sitk.GetArrayFromImage(image), dtype)
        return scan(values, sitk.GetArrayFromImage(mask), THICK, dtype=dtype)

    return make


# Each voxel type with each step of the preparation: a type's own arithmetic shows in one only.
for _dtype in VOXEL_TYPES:
    for _params in STEPS:
        _add(f"{_dtype.__name__}: {_params}", _params, _typed(_dtype))

_add("uint8, HU", "hu with wavelets", lambda: _small_whole_numbers(np.uint8))
_add("uint16, HU", "hu", lambda: _small_whole_numbers(np.uint16))
_add("uint8, normalised", "scores without limits", lambda: _small_whole_numbers(np.uint8))
_add("fractions of HU", "hu", _fractions)
_add("mask of int16", "hu", _mask_type(sitk.sitkInt16))
_add("mask of float32", "hu", _mask_type(sitk.sitkFloat32))

# --- regions --------------------------------------------------------------------------------------


def _region(
    draw: Callable[[tuple], np.ndarray], size=(36, 34, 14), spacing=THICK
) -> Callable[[], Inputs]:
    return lambda: vertebra(size, spacing, region=draw(tuple(size[::-1])))


def _few(shape: tuple) -> np.ndarray:
    region = np.zeros(shape, bool)
    region[6:9, 15:18, 16:19] = True
    region[7, 14:18, 20] = True
    return region  # 31 voxels


def _slab(axis: int, start: int) -> Callable[[tuple], np.ndarray]:
    def draw(shape: tuple) -> np.ndarray:
        region = np.zeros(shape, bool)
        layer = [slice(None)] * 3
        layer[axis] = slice(start, start + 1)
        region[tuple(layer)] = ball(shape)[tuple(layer)]
        return region

    return draw


def _hollow(shape: tuple) -> np.ndarray:
    return ball(shape, (0.8, 0.8, 0.8)) & ~ball(shape, (0.45, 0.4, 0.4))


def _two(shape: tuple) -> np.ndarray:
    return ball(shape, (0.4, 0.35, 0.3), (-0.4, -0.5, -0.5)) | ball(
        shape, (0.3, 0.3, 0.35), (0.45, 0.5, 0.5)
    )


def _corner(shape: tuple) -> np.ndarray:
    return ball(shape, (0.8, 0.8, 0.8), (-1, -1, -1))


def _chequered(shape: tuple) -> np.ndarray:
    z, y, x = np.ogrid[tuple(slice(n) for n in shape)]
    return ball(shape) & ((x // 2 + y // 2 + z) % 2 == 0)


def _scattered(shape: tuple) -> np.ndarray:
    return ball(shape) & (np.random.default_rng(4).random(shape) < 0.15)


def _sheet(shape: tuple) -> np.ndarray:
    z, y, x = np.ogrid[tuple(slice(n) for n in shape)]
    return ball(shape, (0.9, 0.9, 0.9)) & (abs(x + y - 2 * z - 20) < 2)


def _box(shape: tuple) -> np.ndarray:
    return ball(shape, (0.9, 0.9, 0.9), power=4)


_add("31 voxels", "published", _region(_few))
_add("31 voxels, HU", "hu", _region(_few))
_add("200,000 voxels", "published", _region(_box, (74, 72, 70), (0.9, 0.9, 0.9)))
_add("one axial slice", "published", _region(_slab(0, 7)))
_add("one sagittal slice", "published", _region(_slab(2, 17)))
_add("one slice, texture in slices", "slices along z", _region(_slab(0, 7)))
_add("at the scan's last slices", "published",
     _region(lambda shape: ball(shape, (0.3, 0.6, 0.6), (1, 0, 0))))  # fmt: skip
_add("in the corner of the scan", "published", _region(_corner))
_add("in the corner, HU", "hu", _region(_corner))
_add("fills the scan but for a corner", "hu",
     _region(lambda shape: np.arange(np.prod(shape)).reshape(shape) > 0, (24, 22, 10)))  # fmt: skip
_add("with a hole", "published", _region(_hollow))
_add("two components", "published", _region(_two))
_add("chequered", "hu", _region(_chequered))
_add("isolated voxels", "hu", _region(_scattered, spacing=(1.2, 1.2, 2.0)))
_add("isolated voxels, normalised", "published", _region(_scattered, spacing=(1.2, 1.2, 2.0)))
_add("isolated in their slices", "slices along x", _region(_sheet, spacing=(1.0, 1.0, 2.0)))
_add("thin and oblique", "published", _region(_sheet))


def _labels() -> Inputs:
    region = np.zeros((14, 34, 36), np.uint8)
    region[ball(region.shape, (0.5, 0.5, 0.5), (0.1, 0.2, 0))] = 29
    region[:5][ball((5, 34, 36))] = 30
    region[-3:, :12] = 7
    return vertebra(region=region)


_add("label 29 of several", "published", _labels, label=29)
_add("label 7 of several, at the border", "hu", _labels, label=7)

# --- grey values ----------------------------------------------------------------------------------


def _grey(
    change: Callable[[np.ndarray, np.ndarray], None], spacing=THICK, dtype: type = np.int16
) -> Callable[[], Inputs]:
    def make() -> Inputs:
        region = ball((14, 34, 36))
        values = body(region.shape)
        values[region] += 180
        change(values, region)
        return scan(values, region, spacing, dtype=dtype)

    return make


def _flat(values: np.ndarray, region: np.ndarray) -> None:
    values[ball(region.shape, (0.9, 0.9, 0.9))] = 100


def _implant(values: np.ndarray, region: np.ndarray) -> None:
    values[ball(region.shape, (0.35, 0.2, 0.5), (0.1, 0.3, 0))] = 3071


def _cement(values: np.ndarray, region: np.ndarray) -> None:
    # All of the region and its surroundings lie above +3 standard deviations of the scan.
    values[:] = values // 20
    values[ball(region.shape, (0.62, 0.62, 0.62))] += 3000


def _gas(values: np.ndarray, region: np.ndarray) -> None:
    values[:] = values // 10 + 100
    values[ball(region.shape, (0.3, 0.35, 0.3))] = -3000


def _padding(value: int) -> Callable[[np.ndarray, np.ndarray], None]:
    def change(values: np.ndarray, region: np.ndarray) -> None:
        values[~ball(region.shape, (3, 1, 1))] = value

    return change


def _plateaus(values: np.ndarray, region: np.ndarray) -> None:
    # Blocks of one grey value, each a multiple of the bin width: interpolation gives the edge of a
    # bin back but for rounding.
    coarse = (values[::2, ::6, ::6] // 50) * 50
    shape = values.shape
    values[:] = coarse.repeat(2, 0).repeat(6, 1).repeat(6, 2)[: shape[0], : shape[1], : shape[2]]


def _two_values(values: np.ndarray, region: np.ndarray) -> None:
    values[:] = np.where(values > 220, 300, 100)


for _name, _change in (
    ("flat", _flat), ("implant", _implant), ("cement", _cement), ("gas", _gas),
    ("plateaus", _plateaus), ("two grey values", _two_values),
    ("padding -3024", _padding(-3024)), ("padding -2000", _padding(-2000)),
):  # fmt: skip
    _add(_name, "published", _grey(_change))
    if not _name.startswith("padding"):
        _add(f"{_name}, HU", "hu", _grey(_change))
        _add(f"{_name}, HU in float64", "hu with wavelets", _grey(_change, dtype=np.float64))
_add("cement, 1 mm", "published", _grey(_cement, (1.0, 1.0, 1.0)))
_add("plateaus, 1 mm", "hu", _grey(_plateaus, (1.0, 1.0, 1.0), np.float32))
_add("plateaus, 16 bins", "16 bins", _grey(_plateaus, dtype=np.float64))
_add("implant, 64 bins", "64 bins", _grey(_implant))
_add("implant, cut at 1", "scores cut at 1", _grey(_implant))
_add("implant, 2 mm", "2 mm", _grey(_implant))

# --- parameter files, on one volume ---------------------------------------------------------------

for _params in (
    "nothing said", "additional info", "scores without scale", "scores without limits",
    "scores cut at 1", "bin width 5", "bin width 0.7", "bin width 100", "16 bins", "64 bins",
    "shifted", "resegmented", "resegmented by maximum", "resegmented by sigma",
    "LoG 0.6 and 4.5", "LoG normalised", "wavelet haar", "wavelet db2", "wavelet sym4",
    "wavelet bior1.3", "wavelet two levels", "wavelet second level", "gradient per voxel",
    "gradient", "pointwise", "pointwise normalised", "filter with its own bins",
    "not resampled", "not resampled, cropped", "2 mm", "0.6 mm", "2 mm in plane", "linear",
    "nearest", "Lanczos", "no margin", "wide margin", "weighting manhattan",
    "weighting euclidean", "weighting infinity", "no weighting", "distances 1 and 2",
    "distance 3", "dependence within 1", "dependence within 3", "one-sided GLCM",
    "slices along z", "slices along y", "slices along x", "shape2D", "few features",
):  # fmt: skip
    _size = (20, 18, 10) if _params in ("wavelet two levels", "0.6 mm") else (32, 30, 12)
    _draw = _slab(0, 6) if _params == "shape2D" else ball
    _add(f"parameters: {_params}", _params, _region(_draw, _size))


def _off_the_grid(shift: float) -> Callable[[], Inputs]:
    def make() -> Inputs:
        image, mask = vertebra()
        mask.SetOrigin([mask.GetOrigin()[0] + shift, *mask.GetOrigin()[1:]])
        return image, mask

    return make


_add("mask off the grid, corrected", "mask corrected", _off_the_grid(0.3))

# --- what has to be refused -----------------------------------------------------------------------


def _points(*places: tuple[int, int, int]) -> Callable[[tuple], np.ndarray]:
    def draw(shape: tuple) -> np.ndarray:
        region = np.zeros(shape, bool)
        for place in places:
            region[place] = True
        return region

    return draw


_LINE = tuple((7, 17, x) for x in range(10, 20))
_add("a line, where lines are allowed", "lines allowed", _region(_points(*_LINE)))
_add("empty mask", "hu", _region(_points()), refused="A mask must hold voxels of the value 1")
_add("label that is none", "hu", _labels, label=5, refused="A mask must hold voxels of the value 5")
_add("one voxel", "published", _region(_points((7, 17, 18))), refused="A region must be more than")
_add("a line", "not resampled", _region(_points(*_LINE)), refused="A region must be more than")
_add("a slice, where volumes are asked for", "volumes only", _region(_slab(0, 7)),
     refused="A region must be more than")  # fmt: skip
_add("too few voxels", "more than 5000 voxels", _region(_few),
     refused="A region must hold more than 5000")  # fmt: skip
_add("outside the scan", "published", _off_the_grid(400.0), refused="The region must lie within")
_add("off the grid", "mask not corrected", _off_the_grid(0.3), refused="PyRadiomics must be able")
_add("resegmented to nothing", "resegmented to nothing", _bone(), refused="PyRadiomics must be")
_add("all of the mask", "hu", _region(lambda shape: np.ones(shape, bool)),
     refused="A mask must hold voxels outside its region")  # fmt: skip


def _constant(values: np.ndarray, region: np.ndarray) -> None:
    values[:] = 0


# PyRadiomics goes on here, with features left out or without meaning.
_add("scan of one grey value", "published", _grey(_constant),
     refused="A CT must hold more than one grey value", plain_goes_on=True)  # fmt: skip
_add("LoG wider than the crop", "LoG 40", _bone(), refused="A region must yield all",
     plain_goes_on=True)  # fmt: skip
for _params in ("LBP2D", "LBP3D"):
    _add(f"parameters: {_params}", _params, _bone(), refused="Every image type of the parameter",
         plain_goes_on=True)  # fmt: skip
