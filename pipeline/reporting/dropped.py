"""Models that could not be fitted: which stage lacks which, why, and what the page says of it."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.core.fit_status import REASON, is_fitted
from pipeline.reporting.blocks import Items, Note

#: What each stage could not do for a model, as it stands in a sentence.
WHAT = {
    "train": "could not be fitted",
    "nested": "could not be judged by nested cross-validation",
    "optimism": "could not be corrected for optimism",
    "ablation": "could not be ablated",
}

NO_MODEL = "No model could be fitted to the training patients: the first section says why."


class Dropped(NamedTuple):
    """A model that one stage had to leave out.

    Attributes
    ----------
    stage : {'train', 'nested', 'optimism', 'ablation'}
        Key of `WHAT`.
    model, label : str
        Its name in the configuration, and as people write it.
    reason : str
        Why.
    """

    stage: str
    model: str
    label: str
    reason: str


def dropped_models(
    infos: dict[str, dict[str, dict]], labels: dict[str, str]
) -> tuple[Dropped, ...]:
    """List what stages could not fit.

    Parameters
    ----------
    infos : dict of str to dict of str to dict
        By stage and model, its JSON file.
    labels : dict of str to str
        Printed name of each model.

    Returns
    -------
    tuple of Dropped
        In the order of `infos`. A model that training could not fit is listed once.
    """
    never = {name for name, info in infos["train"].items() if not is_fitted(info)}
    return tuple(
        Dropped(stage, name, labels[name], info[REASON])
        for stage, of_stage in infos.items()
        for name, info in of_stage.items()
        if not is_fitted(info) and (stage == "train" or name not in never)
    )


def lost_primary(
    primary: dict | None, dropped: tuple[Dropped, ...], winner: str | None
) -> Dropped | None:
    """Return why the declared primary analysis could not be made, None where it was.

    Parameters
    ----------
    primary : dict or None
        ``model`` and ``part`` of the configuration.
    dropped : tuple of Dropped
        What stages could not fit.
    winner : str or None
        The model that cross-validation chose, if one could be fitted.
    """
    if primary is None:
        return None
    # Without any model there is no winner either: the first that failed speaks for all.
    model = winner if primary["model"] == "winner" else primary["model"]
    stages = ("train", "nested") if primary["part"] == "nested" else ("train",)
    for each in dropped:
        if each.stage in stages and model in (each.model, None):
            return each
    return None


def dropped_notes(
    primary: dict | None, dropped: tuple[Dropped, ...], winner: str | None
) -> list[Note | Items]:
    """Return what stands at the top of the page where models dropped out; nothing elsewhere.

    The parameters are those of `lost_primary`.
    """
    lost = lost_primary(primary, dropped, winner)
    notes: list[Note | Items] = []
    if lost is not None:
        notes.append(
            Note(
                f"The study is to be judged by {lost.label}, which {WHAT[lost.stage]}. "
                f"{lost.reason}",
                "The primary analysis could not be made",
            )
        )
    others = [each for each in dropped if each is not lost]
    if others:
        notes.append(
            Note(
                "The report is made of the models that are left. Reasons are listed below.",
                "Models that could not be fitted",
            )
        )
        notes.append(Items([f"{e.label} {WHAT[e.stage]}. {e.reason}" for e in others]))
    return notes
