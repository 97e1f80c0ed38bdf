"""Time TabNet trained three ways side by side: many at once, one at a time, plain pytorch-tabnet.

Networks of the published protocol on the simulated cohort of 856 patients, as the folds of a search
see it after their selection. Phase 1 of a search trains one architecture on five folds; phase 2
trains the chosen one with many settings. A row states seconds of CPU a network and epoch, and how
many times as fast as the library the stacked engine is. The ways take turns, so that what else the
machine does falls on all of them alike.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks.search import cohort, published_options
from models.learning.family import Lesson
from models.learning.tabnet import STACKED_WIDTH, TabNet, fit_together
from models.modes.rows import FoldData
from pipeline.study.option_numbers import SEED, bounded_number, number_within

WIDTHS = 8, 16, 32, 64
"""Of the decision layers."""

EPOCHS = 36
"""Of a fit: half of those of width 64 train 20 to 60 epochs before early stopping ends them."""

SHAPE = {"n_steps": 3, "n_independent": 2, "n_shared": 2, "momentum": 0.3, "lambda_sparse": 1e-3}
TRAINING = {"learning_rate": 0.02, "batch_size": 128, "weight_decay": 0.1}

HEADING = (
    "               ms of CPU a network and epoch       times as fast as the library\n"
    "phase  width   library   single   stacked (of)     single   stacked"
)


class Cost(NamedTuple):
    """Milliseconds of CPU a network and epoch."""

    library: float
    single: float
    stacked: float


def lessons(folds: Sequence[FoldData], width: int, count: int, epochs: int) -> list[Lesson]:
    """Return networks on the folds in turn, which train for `epochs` epochs."""
    made = []
    for number in range(count):
        fold = folds[number % len(folds)]
        network = TabNet(
            n_d=width,
            **SHAPE,
            **TRAINING,
            max_epochs=epochs,
            patience=epochs,
            device="cpu",
            seed=number,
            attention=False,
        )
        made.append(Lesson(network, fold.Z_train, fold.y_train, fold.Z_valid, fold.y_valid))
    return made


def fit_by_library(lesson: Lesson) -> None:
    """Train one network by the classifier of pytorch-tabnet as it is."""
    import torch

    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        from pytorch_tabnet.tab_model import TabNetClassifier

        network = lesson.estimator
        classifier = TabNetClassifier(
            n_d=network.n_d,
            n_a=network.n_d,
            **SHAPE,
            optimizer_fn=torch.optim.Adam,
            optimizer_params={
                "lr": network.learning_rate,
                "weight_decay": network.weight_decay,
            },
            clip_value=1,
            seed=network.seed,
            verbose=0,
            device_name="cpu",
        )
        classifier.fit(
            lesson.X.astype(np.float32),
            lesson.y,
            eval_set=[(lesson.X_valid.astype(np.float32), lesson.y_valid)],
            eval_metric=["auc"],
            max_epochs=network.max_epochs,
            patience=network.patience,
            batch_size=network.batch_size,
            virtual_batch_size=network.batch_size,
            drop_last=True,
            compute_importance=False,
        )


def seconds(fit: Callable[[Any], object], given: object) -> float:
    """Return the seconds of CPU that a fit takes."""
    started = time.process_time()
    fit(given)
    return time.process_time() - started


def measured(folds: Sequence[FoldData], width: int, stack: int, epochs: int, rounds: int) -> Cost:
    """Return the smallest cost of each way over the rounds."""
    found = []
    for _ in range(rounds):
        one = lessons(folds, width, 1, epochs)
        many = lessons(folds, width, stack, epochs)
        found.append(
            (
                seconds(fit_by_library, lessons(folds, width, 1, epochs)[0]),
                seconds(fit_together, one),
                seconds(fit_together, many) / stack,
            )
        )
    return Cost(*(1000 * min(each) / epochs for each in zip(*found, strict=True)))


def main() -> None:
    """Run the command line."""
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.networks", description=__doc__)
    arguments.add_argument("--widths", nargs="+", type=int, choices=WIDTHS, default=list(WIDTHS))
    arguments.add_argument("--epochs", type=bounded_number(minimum=1), default=EPOCHS)
    arguments.add_argument("--rounds", type=bounded_number(minimum=1), default=3)
    arguments.add_argument("--seed", type=number_within(SEED), default=2025)
    options = arguments.parse_args()
    import torch

    torch.set_num_threads(1)
    folds, n_rows = cohort(published_options(), options.seed)
    columns = sorted(fold.Z_train.shape[1] for fold in folds)
    # Networks of one stack have as many columns: the fold with the most stands for all.
    widest = max(folds, key=lambda fold: fold.Z_train.shape[1])
    print(
        f"{n_rows} training rows, {len(widest.y_train)} of them in a fold's training part, "
        f"{columns[0]}-{columns[-1]} columns; one thread",
        flush=True,
    )
    print(HEADING, flush=True)
    for phase, sizes in ((1, dict.fromkeys(WIDTHS, len(folds))), (2, stacks())):
        for width in options.widths:
            cost = measured([widest], width, sizes[width], options.epochs, options.rounds)
            print(
                f"{phase:5} {width:6} {cost.library:9.1f} {cost.single:8.1f} "
                f"{cost.stacked:9.1f} ({sizes[width]:2d}) {cost.library / cost.single:10.1f} "
                f"{cost.library / cost.stacked:9.1f}",
                flush=True,
            )


def stacks() -> dict[int, int]:
    """Return how many networks of each width are trained at once."""
    return {width: max(1, STACKED_WIDTH // width) for width in WIDTHS}


if __name__ == "__main__":
    main()
