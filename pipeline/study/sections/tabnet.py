"""Section of how TabNet is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.core.sections import option, section


@dataclass(frozen=True, kw_only=True)
class TabnetStart:
    """Training parameters that hold until they are searched."""

    learning_rate: float = option(
        0.02,
        "learning rate of Adam",
        "of Adam; the library's default",
        unit="step of Adam",
        gt=0,
        le=1,
    )
    batch_size: int = option(
        32,
        "rows per batch",
        "rows per batch; small, so that a few hundred patients give some steps an epoch",
        unit="rows",
        ge=2,
    )
    weight_decay: float = option(
        0.1,
        "weight decay of Adam",
        "of Adam; with a few dozen events less lets TabNet learn them by heart",
        unit="decay of Adam",
        ge=0,
        le=1,
    )


@dataclass(frozen=True, kw_only=True)
class Tabnet:
    """Training of TabNet."""

    max_epochs: int = option(100, "epochs at most", "epochs at most", unit="epochs", ge=1)
    patience: int = option(
        10,
        "epochs without improvement before the stop",
        "epochs without better validation AUROC before the stop",
        unit="epochs",
        ge=1,
    )
    validation_fraction: float = option(
        0.2,
        "share of training patients that early stopping watches",
        "share of real training patients that early stopping watches",
        unit="share of rows",
        gt=0,
        le=0.5,
    )
    engine: Literal["stacked", "pytorch-tabnet"] = option(
        "stacked",
        "who trains the networks",
        "stacked: many networks at once, several times as fast | pytorch-tabnet: the library's own "
        "training, one after another. Network and rules are the same, the values differ by chance",
    )
    start: TabnetStart = section(
        TabnetStart,
        "training parameters that hold until they are searched",
        "training parameters while the architecture is searched, and where no space names them",
    )
