"""Pictures of a vertebra with every reader's contour, turned as radiologists look at them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from pipeline.imaging.geometry import occupied_box

#: Bone window: what is darker or brighter is black or white, in HU.
WINDOW_HU = (-450.0, 1050.0)
#: Tissue shown around the masks, in mm.
MARGIN_MM = 20.0
#: Colours that the colour-blind tell apart, on grey too (Okabe and Ito), and a dash for each.
STYLES = (
    ("#E69F00", "solid"),
    ("#56B4E9", (0, (4, 2))),
    ("#CC79A7", (0, (1, 1.2))),
    ("#F0E442", (0, (6, 1.5, 1, 1.5))),
)
DOTS_PER_INCH = 90
#: Of PNG: a sixth more bytes than by default, in half the time.
COMPRESSION_LEVEL = 3
#: A cut lower than this, in mm, has no room for a scale and for head and feet.
LOW_PANEL_MM = 20.0
#: Width of a picture, space around the cuts, and the height of heading and legend, in inches.
WIDTH_INCHES, GAP_INCHES, HEADING_INCHES, LEGEND_INCHES = 11.0, 0.1, 0.6, 0.45

#: View: normal axis, axes of rows and columns of the (z, y, x) array in LPS order, where the
#: first row lies, and the letters at left, right, top and bottom.
_VIEWS = (
    ("axial", 0, "upper", "RLAP"),
    ("sagittal", 2, "lower", "APHF"),
    ("coronal", 1, "lower", "RLHF"),
)
#: White letters stay readable on white bone.
_OUTLINE = [withStroke(linewidth=2, foreground="black")]


def box_around(masks: Iterable[np.ndarray], spacing: Sequence[float]) -> tuple[slice, ...]:
    """Return what is shown of masks: their common box, and a margin as far as the volume goes.

    Parameters
    ----------
    masks : iterable of numpy.ndarray
        0/1, all of one shape (z, y, x), at least one voxel in one of them.
    spacing : sequence of float
        Distance of voxel centres along x, y, z, in mm.

    Returns
    -------
    tuple of slice
        Along z, y, x; `MARGIN_MM` beside the masks.
    """
    masks = list(masks)
    boxes = [occupied_box(mask) for mask in masks]
    shown = []
    for axis, (step, size) in enumerate(zip(spacing[::-1], masks[0].shape, strict=True)):
        sides, margin = [box[axis] for box in boxes if box], math.ceil(MARGIN_MM / step)
        first = max(min(side.start for side in sides) - margin, 0)
        shown.append(slice(first, min(max(side.stop for side in sides) + margin, size)))
    return tuple(shown)


def picture(ct: sitk.Image, masks: Mapping[str, sitk.Image], title: str) -> Figure:
    """Draw the axial, sagittal and coronal cut through the middle of the masks.

    The patient's right is at the left of the axial and the coronal cut, as if seen from the feet
    and from the front; anterior is at the left of the sagittal cut. A volume whose axes run
    obliquely is shown along its own axes, named after the nearest anatomical ones.

    Parameters
    ----------
    ct : SimpleITK.Image
        Hounsfield units.
    masks : Mapping of str to SimpleITK.Image
        0/1 on the grid of `ct` by reader, each with at least one voxel.
    title : str
        Heading, such as the case and its level.

    Returns
    -------
    matplotlib.figure.Figure
        Not bound to any window.
    """
    spacing, voxels, drawn = _crop(ct, masks)
    union = np.any(list(drawn.values()), axis=0)
    centre = [int(np.median(axis)) for axis in np.nonzero(union)]
    depth, height, width = np.array(voxels.shape) * spacing  # along z, y, x
    # Placed by hand, all three cuts to one scale: a layout engine would draw everything twice.
    sizes = [(width, height), (height, depth), (width, depth)]
    inch_per_mm = (WIDTH_INCHES - 4 * GAP_INCHES) / sum(across for across, _ in sizes)
    top = max(high for _, high in sizes) * inch_per_mm + LEGEND_INCHES
    figure_size = WIDTH_INCHES, top + HEADING_INCHES
    figure = Figure(figsize=figure_size, facecolor="white")
    FigureCanvasAgg(figure)
    left = GAP_INCHES
    for (name, normal, origin, letters), size in zip(_VIEWS, sizes, strict=True):
        across, high = np.array(size) * inch_per_mm
        place = (left, top - high, across, high)
        axes = figure.add_axes([a / b for a, b in zip(place, figure_size * 2, strict=True)])
        left += across + GAP_INCHES
        _draw_view(axes, voxels, drawn, centre, spacing, normal, origin)
        axes.set_title(name, fontsize=11)
        tall = size[1] > LOW_PANEL_MM
        _letter(axes, letters if tall else letters[:2])
        if tall:
            _draw_scale(axes)
    handles = [
        Line2D([], [], color=colour, linestyle=dash, linewidth=2, label=f"reader {reader}")
        for (reader, _), (colour, dash) in zip(drawn.items(), _styles(drawn), strict=True)
    ]
    figure.legend(handles=handles, loc="lower center", ncols=len(handles), frameon=False)
    figure.suptitle(title, fontsize=12, y=1 - 0.08 / figure_size[1], va="top")
    return figure


def write_picture(
    ct: sitk.Image, masks: Mapping[str, sitk.Image], title: str, path: str | Path
) -> None:
    """Write `picture` as PNG; equal input gives equal bytes."""
    figure = picture(ct, masks, title)
    figure.savefig(
        path,
        format="png",
        dpi=DOTS_PER_INCH,
        metadata={"Software": None},
        pil_kwargs={"compress_level": COMPRESSION_LEVEL},
    )


def _styles(readers: Mapping) -> list:
    return [STYLES[index % len(STYLES)] for index in range(len(readers))]


def _crop(
    ct: sitk.Image, masks: Mapping[str, sitk.Image]
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Crop around the masks and turn to LPS order: spacing (z, y, x), voxels, masks by reader."""
    box = box_around(map(sitk.GetArrayViewFromImage, masks.values()), ct.GetSpacing())[::-1]
    ct = sitk.DICOMOrient(ct[box], "LPS")
    arrays = {
        reader: sitk.GetArrayFromImage(sitk.DICOMOrient(mask[box], "LPS")) != 0
        for reader, mask in masks.items()
    }
    return np.array(ct.GetSpacing()[::-1]), sitk.GetArrayFromImage(ct), arrays


def _draw_view(axes, voxels, drawn, centre, spacing, normal, origin) -> None:
    """Draw one cut: grey values to scale, and each reader's outline at the voxels' edges."""
    cut = tuple(centre[axis] if axis == normal else slice(None) for axis in range(3))
    down, across = (spacing[axis] for axis in range(3) if axis != normal)
    rows, columns = voxels[cut].shape
    extent = (0, columns * across, *((rows * down, 0) if origin == "upper" else (0, rows * down)))
    axes.imshow(
        voxels[cut],
        cmap="gray",
        vmin=WINDOW_HU[0],
        vmax=WINDOW_HU[1],
        origin=origin,
        extent=extent,
        interpolation="bilinear",
    )
    for mask, (colour, dash) in zip(drawn.values(), _styles(drawn), strict=True):
        plane = np.pad(mask[cut].astype(float), 1)
        if plane.any():
            axes.contour(
                (np.arange(columns + 2) - 0.5) * across,
                (np.arange(rows + 2) - 0.5) * down,
                plane,
                levels=[0.5],
                colors=[colour],
                linestyles=[dash],
                linewidths=1.8,
            )
    axes.set_xlim(extent[:2])
    axes.set_ylim(extent[2:])
    axes.set_xticks([])
    axes.set_yticks([])


def _draw_scale(axes) -> None:
    """Draw 10 mm in the lower left corner."""
    left, (bottom, top) = axes.get_xlim()[0] + 4, axes.get_ylim()
    up = np.sign(top - bottom)
    axes.plot([left, left + 10], [bottom + 4 * up] * 2, color="white", linewidth=3)
    axes.text(
        left + 5,
        bottom + 6 * up,
        "10 mm",
        color="white",
        fontsize=8,
        ha="center",
        va="bottom",
        path_effects=_OUTLINE,
    )


def _letter(axes, letters: str) -> None:
    """Write which side of the patient is at the left and right, and at the top and bottom."""
    places = ((0.02, 0.5), (0.98, 0.5), (0.5, 0.98), (0.5, 0.02))
    aligned = (("left", "center"), ("right", "center"), ("center", "top"), ("center", "bottom"))
    for letter, place, (horizontal, vertical) in zip(letters, places, aligned, strict=False):
        axes.text(
            *place,
            letter,
            transform=axes.transAxes,
            ha=horizontal,
            va=vertical,
            color="white",
            fontsize=11,
            fontweight="bold",
            path_effects=_OUTLINE,
        )
