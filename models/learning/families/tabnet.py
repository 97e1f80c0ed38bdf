"""TabNet, its architecture searched first and its training afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial

from scipy.stats import loguniform
from sklearn.base import BaseEstimator

from models.learning.family import Family
from models.learning.options import FitOptions
from models.learning.tabnet import TabNet, fit_together


def make_tabnet(
    parameters: Mapping, options: FitOptions, seed: int, *, attention: bool = True
) -> BaseEstimator:
    """Return the unfitted classifier, as `models.learning.family.Family` describes.

    `attention` says whether it explains itself, of which a search needs nothing.
    """
    own = options.tabnet
    return TabNet(
        **{**asdict(own.start), **parameters},
        max_epochs=own.max_epochs,
        patience=own.patience,
        device=options.device,
        threads=options.threads,
        seed=seed,
        attention=attention,
        engine=own.engine,
    )


FAMILY = Family(
    "tabnet",
    make_tabnet,
    (
        {
            "n_d": [4, 8, 16, 32],
            "n_steps": [2, 3, 4, 5],
            "n_independent": [1, 2, 3],
            "n_shared": [1, 2, 3],
            "lambda_sparse": loguniform(1e-5, 1e-2),
        },
        {
            "learning_rate": loguniform(1e-2, 5e-2),
            "batch_size": [16, 32, 64, 128],
            "weight_decay": loguniform(1e-3, 3e-1),
        },
    ),
    make_ranking=partial(make_tabnet, attention=False),
    fit_lessons=fit_together,
    stack_of=TabNet.stack,
)
