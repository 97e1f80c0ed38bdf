"""What the selected features measure: their IBSI code, and the same in plain words."""

from __future__ import annotations

import re
from functools import cache

import pandas as pd

from pipeline.core.installed.own_files import OWN_FILES
from pipeline.reporting.blocks import Table
from pipeline.reporting.wording import NO_VALUE
from pipeline.tables.features.feature_names import parse_feature_name

#: What a class of features describes.
_CLASSES = {
    "shape": "size and form of the region",
    "shape2D": "size and form of the region in a slice",
    "firstorder": "how grey values are distributed, wherever they lie",
    "glcm": "which grey values lie next to each other",
    "glrlm": "how long runs of equal grey values are",
    "glszm": "how large connected zones of equal grey values are",
    "gldm": "how many neighbours have a similar grey value",
    "ngtdm": "how grey values differ from the mean of their neighbours",
}

_FILTERS = {
    "original": "on the image as it is",
    "gradient": "on the image of edges (gradient)",
    "square": "on squared grey values",
    "squareroot": "on square roots of grey values",
    "logarithm": "on logarithms of grey values",
    "exponential": "on exponentials of grey values",
}

_BANDS = {"L": "smooth", "H": "fine"}

_AGREES = {"yes": "yes", "differs": "differs", "none": "not in IBSI"}


def meaning_of(name: str) -> str:
    """Say in plain words what a feature of PyRadiomics describes; a dash for another name.

    >>> meaning_of("original_shape_Sphericity")
    'size and form of the region'
    >>> meaning_of("wavelet-HLL_glcm_Idm")
    'which grey values lie next to each other, fine along x, smooth along y, smooth along z'
    >>> meaning_of("log-sigma-3-0-mm-3D_firstorder_Mean")[-28:]
    'of about 3.0 mm (LoG filter)'
    """
    parsed = parse_feature_name(name)
    if parsed.feature_class not in _CLASSES or parsed.image_type is None:
        return NO_VALUE
    said = _CLASSES[parsed.feature_class]
    if parsed.feature_class.startswith("shape"):
        return said
    return f"{said}, {_filter_words(parsed.image_type)}"


def class_in_words(name: str) -> str:
    """Say what a class of features describes; a dash for one that is not of PyRadiomics.

    >>> class_in_words("glcm")
    'which grey values lie next to each other'
    """
    return _CLASSES.get(name, NO_VALUE)


def image_type_in_words(name: str) -> str:
    """Say what image a feature was computed on.

    >>> image_type_in_words("wavelet-HLL")
    'fine along x, smooth along y, smooth along z'
    """
    return _filter_words(name)


def _filter_words(image_type: str) -> str:
    if image_type in _FILTERS:
        return _FILTERS[image_type]
    bands = re.fullmatch(r"wavelet\d*-([LH]{2,3})", image_type)
    if bands:
        told = [f"{_BANDS[band]} along {axis}" for band, axis in zip(bands[1], "xyz", strict=False)]
        return ", ".join(told)
    sigma = re.match(r"log-sigma-(\d+)-(\d+)-mm", image_type)
    if sigma:
        return f"after emphasis of structures of about {sigma[1]}.{sigma[2]} mm (LoG filter)"
    return f"on the image {image_type}"


@cache
def _ibsi() -> pd.DataFrame:
    path = OWN_FILES / "radiomics_params" / "ibsi_map.csv"
    return pd.read_csv(path, dtype={"ibsi_code": str}).set_index("feature")


def meanings_table(features: list[str]) -> Table | None:
    """Build the table of what features measure; None where none has a name of PyRadiomics.

    Parameters
    ----------
    features : list of str
        Names of the selected radiomic features.
    """
    rows = []
    for name in features:
        parsed = parse_feature_name(name)
        key = f"{parsed.feature_class}_{parsed.feature}"
        if key not in _ibsi().index:
            continue
        entry = _ibsi().loc[key]
        known = isinstance(entry["ibsi_code"], str)
        rows.append(
            {
                "Feature": name,
                "IBSI name": entry["ibsi_name"] if known else NO_VALUE,
                "IBSI code": entry["ibsi_code"] if known else NO_VALUE,
                "Agrees with IBSI": _AGREES[entry["compliant"]],
                "In plain words": meaning_of(name),
            }
        )
    if not rows:
        return None
    return Table(
        name="feature-meanings",
        caption="What the selected radiomic features measure, with the code of the Image Biomarker "
        "Standardisation Initiative. The codes hold for the definition; reference values exist for "
        "the original image alone. Where it differs from IBSI, docs/ibsi.md says how.",
        shown=pd.DataFrame(rows),
        code=("Feature",),
        collapsed=f"What the selected features measure ({len(rows)}, with IBSI codes)",
    )


def printed_feature(name: str, labels: dict[str, str]) -> str:
    """Return a feature as the page prints it: ``column=level`` as ``Label = level``.

    >>> printed_feature("pfo=yes", {"pfo": "Posterior fascia oedema"})
    'Posterior fascia oedema = yes'
    """
    if name in labels:
        return labels[name]
    column, equals, level = name.partition("=")
    return f"{labels[column]} = {level}" if equals and column in labels else name
