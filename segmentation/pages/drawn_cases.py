"""Which features, cases and reader of a study are drawn, where nobody names them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from pipeline.core.errors import StudyError
from pipeline.core.files import read_json, read_table
from pipeline.tables.schemas.prediction.training import Importance

#: Features whose lowest and highest case are drawn, where no case is named.
EXTREMES_OF = 3


class Chosen(NamedTuple):
    """A case to draw.

    Attributes
    ----------
    case_id : str
        Case.
    why : str
        Why it is drawn.
    """

    case_id: str
    why: str


def selected_features(folder: Path) -> tuple[list[str], str]:
    """Return the radiomic features of a study's best model, and what to call that model.

    The features come in the order of what the model relies on.

    Parameters
    ----------
    folder : path
        ``results/<study>``.

    Raises
    ------
    StudyError
        If no model was trained yet, or its signature holds no radiomic feature.
    """
    remedy = "name features: --features original_firstorder_Mean original_glcm_Contrast"
    path = folder / "evaluation" / "winner.json"
    winner = read_json(path) if path.exists() else {"model": None}
    if winner["model"] is None:
        raise StudyError(
            "Without --features a map needs the features that a model of the study selected",
            found="no fitted model",
            where=str(path),
            remedy=remedy,
            code="no-model-to-map",
        )
    model = folder / "models" / winner["model"]
    importance = read_table(model / "importance.parquet", Importance)
    names = importance.loc[importance["block"] == "radiomics", "feature"].tolist()
    if not names:
        raise StudyError(
            "Without --features a map needs a model that selected radiomic features",
            found=f"{winner['model']} selected none",
            where=str(model / "importance.parquet"),
            remedy=remedy,
            code="model-without-features-to-map",
        )
    return names, read_json(model / "model.json")["label"]


def choose_cases(features: pd.DataFrame, names: Sequence[str]) -> list[Chosen]:
    """Return the most typical case, and those with the least and greatest value of features.

    Parameters
    ----------
    features : pandas.DataFrame
        One row per case: ``case_id`` and the columns `names`.
    names : sequence of str
        Mapped features, the most important first.

    Returns
    -------
    list of Chosen
        Each case once. Typical is the case whose features lie nearest to their medians, in units
        of their interquartile ranges (root mean square); extremes are those of the first
        `EXTREMES_OF` features.
    """
    values = features.set_index("case_id")[list(names)]
    spread = values.quantile(0.75) - values.quantile(0.25)
    apart = ((values - values.median()) / spread.where(spread > 0)).pow(2).mean(axis=1)
    why: dict[str, list[str]] = {}
    if apart.notna().any():
        why[apart.idxmin()] = ["typical: nearest to the medians of the mapped features"]
    for name in names[:EXTREMES_OF]:
        known = values[name].dropna()
        if known.empty:
            continue
        for word, case_id in (("lowest", known.idxmin()), ("highest", known.idxmax())):
            why.setdefault(case_id, []).append(f"{word} {name} ({known[case_id]:.4g})")
    return [Chosen(case_id, "; ".join(reasons)) for case_id, reasons in why.items()]


def drawn_reader(
    readers: Sequence[str], asked: str | None, model_reader: str | None, study: str
) -> str:
    """Return whose masks are drawn on: the reader asked for, the model's, or the first one."""
    if asked is None:
        return model_reader if model_reader in readers else readers[0]
    if asked not in readers:
        raise StudyError(
            "The option --reader must name a reader of the study",
            found=asked,
            where=f"study {study}",
            remedy=f"name one of {', '.join(readers)}",
            code="map-reader-unknown",
        )
    return asked
