"""Plain values of the matrix, stored and computed, and how far an engine is from them.

``python -m tests.extraction_matrix.comparison [fast|pyradiomics|plain]`` prints the differences of
every case; ``plain`` is the library itself, called anew.
"""

from __future__ import annotations

import argparse
import copy
import functools
import hashlib
import os
import re
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk

from pipeline.comparison.agreement.equality import EQUALITY_LIMIT, relative_differences
from pipeline.core.errors import VertebromicsError
from pipeline.core.files import read_json, read_table
from tests.extraction_matrix import CASES, Case
from tests.extraction_matrix.case import Inputs
from tests.extraction_matrix.parameters import PARAMETERS

FOLDER = Path(__file__).parent

#: Long table of the stored plain values: ``case, feature, value``.
VALUES = FOLDER / "values.parquet"

#: Versions, and per case the hash of its inputs and the plain run's error, if it had one.
ORIGIN = FOLDER / "origin.json"


class PlainError(Exception):
    """What PyRadiomics raised for a case, as text."""


def inputs(case: Case) -> Inputs:
    """Return image and mask of a case; real ones need VERTEBROMICS_TESTDATA."""
    return case.make(Path(os.environ["VERTEBROMICS_TESTDATA"]) if case.real else None)


def inputs_hash(pair: Inputs) -> str:
    """Return a hash over voxels and geometry, which tells a changed case from changed values."""
    digest = hashlib.sha256()
    for volume in pair:
        image = volume if isinstance(volume, sitk.Image) else sitk.ReadImage(str(volume))
        geometry = (image.GetSpacing(), image.GetOrigin(), image.GetDirection())
        digest.update(repr((geometry, image.GetSize(), image.GetPixelIDTypeAsString())).encode())
        digest.update(np.ascontiguousarray(sitk.GetArrayViewFromImage(image)))
    return digest.hexdigest()[:16]


def plain_features(case: Case, pair: Inputs) -> pd.Series:
    """Return what PyRadiomics itself computes, called as its command calls it.

    Raises
    ------
    PlainError
        If PyRadiomics raises.
    """
    return plain_values(pair, PARAMETERS[case.params], case.label)


def plain_values(pair: Inputs, params: dict, label: int | None = None) -> pd.Series:
    """Return what PyRadiomics computes with the content of a parameter file.

    Raises
    ------
    PlainError
        If PyRadiomics raises.
    """
    import radiomics
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    radiomics.setVerbosity(60)
    image, mask = (part if isinstance(part, sitk.Image) else str(part) for part in pair)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of its pykwalify, and of divisions by zero it expects
        extractor = RadiomicsFeatureExtractor(copy.deepcopy(params))
        try:
            values = extractor.execute(image, mask, label=label)
        except (ValueError, RuntimeError) as error:
            raise PlainError(" ".join(str(error).split())) from error
    features = {
        name: np.asarray(value).item()
        for name, value in values.items()
        if not name.startswith("diagnostics_")
    }
    return pd.Series(features, dtype=np.float64)


def engine_features(case: Case, pair: Inputs, engine: str) -> tuple[pd.Series, str | None]:
    """Return the features of one of the project's engines, and why it handed over to PyRadiomics.

    Raises
    ------
    VertebromicsError
        If it refuses the case.
    """
    from pipeline.extraction import features_of_crop, load_crop, load_params

    params = load_params(PARAMETERS[case.params])
    crop = load_crop(*pair, params, label=case.label, engine=engine)
    extraction = features_of_crop(crop, params, engine=engine)
    return extraction.values, crop.reason or extraction.reason


@functools.cache
def _stored_values() -> dict[str, pd.Series]:
    table = read_table(VALUES)
    return {
        case: group.set_index("feature")["value"]
        for case, group in table.groupby("case", sort=False, observed=True)
    }


@functools.cache
def origin() -> dict:
    """Return the versions and cases behind the stored values."""
    return read_json(ORIGIN)


def stored_features(case: Case) -> pd.Series:
    """Return the stored plain values of a case.

    Raises
    ------
    PlainError
        With what PyRadiomics raised when the values were stored.
    """
    if error := origin()["cases"][case.name]["error"]:
        raise PlainError(error)
    stored = _stored_values()[case.name]
    return pd.Series(stored.to_numpy(), index=stored.index.astype(str))


def refuses(case: Case, engine: str) -> str | None:
    """Return how `engine` departs from refusing a case that it has to refuse, None if it does not.

    Both have to raise; of PyRadiomics' error only that it is one counts, of ours how it starts.
    """
    if not case.plain_goes_on:
        try:
            stored_features(case)
        except PlainError:
            pass
        else:
            return "PyRadiomics does not refuse it"
    try:
        engine_features(case, inputs(case), engine)
    except VertebromicsError as error:
        if re.match(re.escape(case.refused), str(error)):
            return None
        return f"refused otherwise: {error}"
    return "not refused"


def largest_differences(engine: str, names: Iterable[str] | None = None) -> pd.DataFrame:
    """Compare `engine` with the stored plain values.

    Parameters
    ----------
    engine : {'fast', 'pyradiomics', 'plain'}
        Engine of the project, or the library itself.
    names : iterable of str, optional
        Cases; by default all that yield features and whose files are there.

    Returns
    -------
    pandas.DataFrame
        ``case, params, handed_over, features, difference, feature`` (the worst one). Where the
        engine refuses a case, or has other features, the difference is infinite and ``feature``
        says why. ``handed_over`` is the engine's reason to leave a part to PyRadiomics, or None.
    """
    real = bool(os.environ.get("VERTEBROMICS_TESTDATA"))
    chosen = [CASES[name] for name in names] if names is not None else CASES.values()
    rows = []
    for case in chosen:
        if case.refused or (case.real and not real):
            continue
        pair = inputs(case)
        rows.append({"case": case.name, "params": case.params, "handed_over": None})
        try:
            if engine == "plain":
                found = plain_features(case, pair)
            else:
                found, rows[-1]["handed_over"] = engine_features(case, pair, engine)
            differences = relative_differences(found, stored_features(case))
        except (VertebromicsError, PlainError, ValueError) as error:
            rows[-1] |= {"features": 0, "difference": np.inf, "feature": str(error)}
        else:
            rows[-1] |= {
                "features": len(differences),
                "difference": differences.max(),
                "feature": differences.idxmax(),
            }
    return pd.DataFrame(rows)


def main(engine: str = "fast") -> int:
    """Print the largest difference of every case, the worst last; return 1 above the limit."""
    table = largest_differences(engine).sort_values("difference")
    for row in table.itertuples():
        handed = f" (PyRadiomics: {row.handed_over})" if row.handed_over else ""
        print(f"{row.difference:9.2e}  {row.features:5d}  {row.case}: {row.feature}{handed}")
    worst = table["difference"].max()
    handed = table["handed_over"].notna().sum()
    print(
        f"{len(table)} cases, {handed} of them handed to PyRadiomics in part; "
        f"{table['features'].sum():,} values; largest difference: {worst:.2e}"
    )
    return int(not worst <= EQUALITY_LIMIT)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=main.__doc__.partition(",")[0] + ".")
    parser.add_argument(
        "engine", nargs="?", default="fast", choices=["fast", "pyradiomics", "plain"]
    )
    sys.exit(main(parser.parse_args().engine))
